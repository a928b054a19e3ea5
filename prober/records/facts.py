"""What was observed: of an endpoint, a host, a domain. No judgements."""

from dataclasses import dataclass, field
from datetime import datetime

from prober.records.deep import DeepFacts
from prober.records.session import Anomaly, Failure, Line, VerifyError
from prober.records.words import (
    Confirmed,
    Dnssec,
    Hello,
    Reason,
    RouteStatus,
    StartTls,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A summary of one session. The facts are from the first with TLS, or else from the first."""

    observed_at: datetime
    hello: Hello
    starttls: StartTls
    tls_version: str | None
    cipher: str | None
    failure: Failure | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WithoutSni:
    """The answer to a ClientHello without SNI at an address: what senders without SNI get.

    Asked once per address and run, for all its MX hosts. ``tls_version`` is set exactly when TLS
    completed. ``chain`` is None if it is the same as that of the endpoint; ``path`` and
    ``verify_errors`` are then the same, too.
    """

    observed_at: datetime
    starttls: StartTls = StartTls.NOT_TESTED
    confirmed: Confirmed = Confirmed.NOT_NEEDED
    tls_version: str | None = None
    cipher: str | None = None
    cipher_bits: int | None = None
    key_exchange: str | None = None
    key_exchange_bits: int | None = None
    key_exchange_hash: str | None = None
    encrypt_then_mac: bool | None = None
    extended_master_secret: bool | None = None
    secure_renegotiation: bool | None = None
    alert: str | None = None
    chain: tuple[bytes, ...] | None = None
    path: tuple[int, ...] = ()
    verify_errors: tuple[VerifyError, ...] = ()
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFacts:
    """What one MX host showed at one address and port: facts, no judgement.

    ``tls_version`` is set exactly when TLS completed. ``chain`` is as sent, leaf first, also if the
    handshake failed after it. ``path`` are the positions in it of the certificates of the verified
    path below the trust anchor.
    """

    mx_host: str  # A-label, lower case, no trailing dot
    address: str  # IPv4 or IPv6, as text
    port: int
    observed_at: datetime
    observed_as: str | None = None  # the MX host that was asked, where the facts are shared
    greeting: str | None = None
    ehlo_keywords: tuple[str, ...] = ()  # with their parameters
    ehlo_keywords_tls: tuple[str, ...] | None = None  # None: no EHLO reply over TLS
    starttls: StartTls = StartTls.NOT_TESTED
    confirmed: Confirmed = Confirmed.NOT_NEEDED
    tls_version: str | None = None  # OpenSSL's name, such as "TLSv1.3"
    cipher: str | None = None
    cipher_bits: int | None = None
    key_exchange: str | None = None  # the group, DH where it has no name; None: plain RSA
    key_exchange_bits: int | None = None  # of finite-field DH, also where the handshake failed
    key_exchange_hash: str | None = None  # that the server signed with in TLS 1.2, such as "sha256"
    encrypt_then_mac: bool | None = None  # RFC 7366, up to TLS 1.2; None: not seen
    extended_master_secret: bool | None = None  # RFC 7627, up to TLS 1.2; None: not seen
    secure_renegotiation: bool | None = None  # RFC 5746, up to TLS 1.2; None: not seen
    client_certificate_requested: bool | None = None
    alert: str | None = None  # the fatal alert received, by its name in RFC 8446 §6
    chain: tuple[bytes, ...] = ()
    path: tuple[int, ...] = ()
    verify_errors: tuple[VerifyError, ...] = ()
    anomalies: tuple[Anomaly, ...] = ()
    failure: Failure | None = None  # what ended the session early
    without_sni: WithoutSni | None = None  # None: not asked
    deep: DeepFacts | None = None  # None: not asked
    attempts: tuple[Attempt, ...] = ()
    transcript: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsaRecord:
    """One TLSA record as published. RFC 6698 §2.1."""

    usage: int
    selector: int
    matching_type: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MxHost:
    """One MX host and its addresses. ``failure`` if a look-up failed or was not made."""

    name: str
    preference: int
    addresses: tuple[str, ...] = ()
    alias_of: str | None = None  # the canonical name, where the MX host is a CNAME
    dnssec: Dnssec = Dnssec.INDETERMINATE  # of its addresses
    tlsa: tuple[TlsaRecord, ...] = ()
    tlsa_base: str | None = None  # where it was found or denied; None: not looked up
    tlsa_dnssec: Dnssec | None = None  # of the answer, also where that is a denial
    tlsa_failure: Failure | None = None  # then a sender that does DANE defers
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenServer:
    """A server that is tested as if it were the domain's only MX host (``--server``)."""

    name: str
    address: str | None = None  # None: those that DNS has


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where DNS sends the mail of the domain. ``reason`` and ``detail`` if the look-up failed."""

    status: RouteStatus
    dnssec: Dnssec = Dnssec.INDETERMINATE
    reason: Reason | None = None
    detail: str | None = None
    anomalies: tuple[Anomaly, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TxtFacts:
    """The TXT records at one name, the strings of each joined; none if DNS says there are none."""

    records: tuple[str, ...] = ()
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFetch:
    """One fetch of an MTA-STS policy file. RFC 8461 §3.3. ``failure`` if there is none."""

    url: str
    http_status: int | None = None
    content_type: str | None = None
    body: str | None = None  # at most 64 KB, undecodable bytes escaped
    certificate_trusted: bool | None = None  # for the policy host's name; None: no TLS was had
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StsFacts:
    """What a domain publishes for MTA-STS. ``fetch`` is None if no policy was fetched."""

    txt: TxtFacts
    fetch: PolicyFetch | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustStore:
    """The anchors that certificates were verified against. None loaded: trust is not tested."""

    source: str | None
    certificates: int
    sha256: str | None  # of the file as it was


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What the facts were observed with."""

    version: str
    ehlo_name: str
    resolver: tuple[str, ...]
    trust_store: TrustStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofReply:
    """One DNS response in a proof: the RRsets of the proof in its two sections."""

    name: str  # absolute, with the trailing dot
    type: str
    rcode: str
    observed_at: datetime  # when it came: signatures are judged by this time
    answer: tuple[int, ...]
    authority: tuple[int, ...]  # the denials


@dataclass(frozen=True, slots=True, kw_only=True)
class DnssecProof:
    """The signatures behind secure answers, up to the root. RFC 9102 §2.2."""

    rrsets: tuple[bytes, ...]  # each with its signatures, as uncompressed records
    replies: tuple[ProofReply, ...]  # the answers first, then DNSKEY and DS up to the root


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainFacts:
    """All that was observed of one domain. ``error`` if the input is not a domain."""

    input: str
    domain: str | None  # A-labels, lower case, no trailing dot
    columns: dict[str, str] = field(default_factory=dict)  # of a CSV list, but that of the domain
    server: GivenServer | None = None  # then ``mx_hosts`` has it, and not what DNS says
    checked_at: datetime
    elapsed_ms: int
    run: Run
    error: str | None = None
    route: Route | None = None
    mx_hosts: tuple[MxHost, ...] = ()
    endpoints: tuple[EndpointFacts, ...] = ()
    sts: StsFacts | None = None  # None: not looked up
    tls_rpt_txt: TxtFacts | None = None
    proof: DnssecProof | None = None  # of its secure answers, where proofs are kept
