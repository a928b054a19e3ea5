"""The one data model: frozen records and enums that every stage fills and every report renders.

Plain values only (certificates as DER, times in UTC), so a record pickles to a worker and writes
as JSON without a second model. Field names are the keys of the JSON report (docs/json.md).
Facts come first; what the rules made of them stands in ``DomainReport``, ``Endpoint``,
``Certificate``, ``Verdict`` and ``Finding``.
"""

import enum
from dataclasses import dataclass
from datetime import datetime

SCHEMA = 1  # of the JSON report; goes up when a field changes its meaning or goes away


class Answer(enum.StrEnum):
    """Every question has three answers. ``NOT_TESTED`` is neither a pass nor a fault."""

    YES = "yes"
    NO = "no"
    NOT_TESTED = "not-tested"


class Level(enum.StrEnum):
    """How well a domain receives mail encrypted. docs/verdict.md."""

    INVALID = "invalid"  # the input is no domain
    NO_MAIL = "no-mail"
    UNKNOWN = "unknown"
    NONE = "none"
    PARTIAL = "partial"
    OPPORTUNISTIC = "opportunistic"
    AUTHENTICATED = "authenticated"
    ENFORCED = "enforced"


class Encrypted(enum.StrEnum):
    """The level in one word, for a reader who asks only that."""

    YES = "yes"
    PARTIAL = "partial"
    NO = "no"
    UNKNOWN = "unknown"
    NO_MAIL = "no-mail"


class Dnssec(enum.StrEnum):
    """What DNSSEC says of an answer. RFC 4035 §4.3."""

    SECURE = "secure"
    INSECURE = "insecure"
    BOGUS = "bogus"
    INDETERMINATE = "indeterminate"  # no resolver here whose word counts


class RouteStatus(enum.StrEnum):
    """Where mail for a domain goes. RFC 5321 §5.1, RFC 7505."""

    MX = "mx"
    IMPLICIT_MX = "implicit-mx"
    NULL_MX = "null-mx"
    NXDOMAIN = "nxdomain"
    NO_MAIL_HOST = "no-mail-host"  # nothing it names has an address
    DNS_ERROR = "dns-error"


class Step(enum.StrEnum):
    """The step of a session, or of the look-up before it, at which something failed."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    GREETING = "greeting"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    HANDSHAKE = "handshake"
    POST_TLS = "post-tls"


class Reason(enum.StrEnum):
    """Why a step failed."""

    # the peer, or the path to it
    TIMED_OUT = "timed-out"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    RESET = "reset"
    CLOSED = "closed"
    BAD_REPLY = "bad-reply"  # a code that stops the session, or no SMTP reply at all
    MASKED = "masked"  # a middlebox overwrote the greeting or the EHLO keywords
    ALERT = "alert"
    TLS_ERROR = "tls-error"  # not TLS, or TLS that OpenSSL will not accept
    # the resolver
    SERVFAIL = "servfail"
    DNS_REFUSED = "dns-refused"  # REFUSED, NOTIMP and every other error code
    BOGUS = "bogus"
    NO_NAMESERVER = "no-nameserver"
    # what we chose not to contact
    PRIVATE_ADDRESS = "private-address"
    INVALID_NAME = "invalid-name"  # no host can have it; never looked up
    LIMIT = "limit"  # a bound of ours cut it off
    # this machine, never the host
    NO_IPV6_HERE = "no-ipv6-here"
    NO_IPV4_HERE = "no-ipv4-here"
    LOCAL = "local"  # out of files, ports or memory, or a firewall of our own


class StartTls(enum.StrEnum):
    """What a host says of STARTTLS. RFC 3207 §4."""

    NOT_TESTED = "not-tested"  # no clean EHLO reply, or a 421
    NOT_OFFERED = "not-offered"
    OFFERED = "offered"
    REFUSED = "refused"  # offered, then not granted


class Confirmed(enum.StrEnum):
    """Whether a second session agrees with a negative."""

    YES = "yes"
    NO = "no"
    NOT_NEEDED = "not-needed"


class Hello(enum.StrEnum):
    """The ClientHello of a session. A second session changes it to learn why the first failed."""

    DEFAULT = "default"
    TLS12 = "tls1.2"  # at most TLS 1.2: small enough for what cannot take a large one
    ANONYMOUS = "anonymous"  # suites without a certificate allowed


class AnomalyKind(enum.StrEnum):
    """Something a peer did that is not an answer, but that its admin will want to know."""

    BARE_LF = "bare-lf"
    HELO_ONLY = "helo-only"
    UNSOLICITED = "unsolicited"
    STARTTLS_RESPONSE_INJECTION = "starttls-response-injection"
    MASKED = "masked"
    CHAIN_TRUNCATED = "chain-truncated"
    MX_DUPLICATE = "mx-duplicate"
    NULL_MX_IGNORED = "null-mx-ignored"
    NULL_MX_PREFERENCE = "null-mx-preference"


class Dane(enum.StrEnum):
    """How an endpoint stands to the TLSA records of its host. RFC 7672 §2.2."""

    MATCH = "match"
    MISMATCH = "mismatch"
    UNUSABLE = "unusable"
    NONE = "none"
    NO_TLS = "no-tls"
    NOT_TESTED = "not-tested"


class Severity(enum.StrEnum):
    """How much a finding matters. Only ``rules/baseline.py`` assigns it."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


class Code(enum.StrEnum):
    """Finding codes: RFC 8460 §4.3 where one fits, ours elsewhere. docs/findings.md lists them."""

    # RFC 8460 §4.3
    STARTTLS_NOT_SUPPORTED = "starttls-not-supported"
    CERTIFICATE_HOST_MISMATCH = "certificate-host-mismatch"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CERTIFICATE_NOT_TRUSTED = "certificate-not-trusted"
    VALIDATION_FAILURE = "validation-failure"
    DNSSEC_INVALID = "dnssec-invalid"
    # DNS
    DNS_ERROR = "dns-error"
    DOMAIN_NOT_FOUND = "domain-not-found"
    NO_MAIL_HOST = "no-mail-host"
    NULL_MX = "null-mx"
    NULL_MX_IGNORED = "null-mx-ignored"
    NULL_MX_PREFERENCE = "null-mx-preference"
    IMPLICIT_MX = "implicit-mx"
    MX_IS_CNAME = "mx-is-cname"
    MX_IP_LITERAL = "mx-ip-literal"
    MX_LOCALHOST = "mx-localhost"
    MX_INVALID_NAME = "mx-invalid-name"
    MX_NO_ADDRESS = "mx-no-address"
    MX_DUPLICATE = "mx-duplicate"
    MX_NOT_LISTENING = "mx-not-listening"
    LIMIT_REACHED = "limit-reached"
    # the session
    NOT_TESTED = "not-tested"
    UNCONFIRMED = "unconfirmed"
    STARTTLS_REFUSED = "starttls-refused"
    STARTTLS_INTERMITTENT = "starttls-intermittent"
    STARTTLS_RESPONSE_INJECTION = "starttls-response-injection"
    STARTTLS_AFTER_TLS = "starttls-after-tls"
    TLS_FAILED = "tls-failed"
    LARGE_HELLO_INTOLERANT = "large-hello-intolerant"
    ANONYMOUS_ONLY = "anonymous-only"
    SESSION_FAILED_AFTER_TLS = "session-failed-after-tls"
    MASKED_BY_MIDDLEBOX = "masked-by-middlebox"
    EHLO_NOT_SUPPORTED = "ehlo-not-supported"
    BARE_LF = "bare-lf"
    UNSOLICITED_DATA = "unsolicited-data"
    CLIENT_CERTIFICATE_REQUESTED = "client-certificate-requested"
    # TLS and certificates
    TLS_VERSION_OBSOLETE = "tls-version-obsolete"
    CIPHER_WEAK = "cipher-weak"
    CERTIFICATE_NOT_YET_VALID = "certificate-not-yet-valid"
    CERTIFICATE_EXPIRES_SOON = "certificate-expires-soon"
    CERTIFICATE_SELF_SIGNED = "certificate-self-signed"
    CERTIFICATE_COMMON_NAME_ONLY = "certificate-common-name-only"
    CERTIFICATE_SAN_MALFORMED = "certificate-san-malformed"
    CERTIFICATE_UNREADABLE = "certificate-unreadable"
    CERTIFICATE_KEY_WEAK = "certificate-key-weak"
    CERTIFICATE_SIGNATURE_WEAK = "certificate-signature-weak"
    CHAIN_INCOMPLETE = "chain-incomplete"
    CHAIN_MISORDERED = "chain-misordered"
    CHAIN_TRUNCATED = "chain-truncated"
    TRUST_NOT_TESTED = "trust-not-tested"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The step at which something stopped, and why. A fact, never a verdict."""

    step: Step
    reason: Reason
    reply_code: int | None = None  # of SMTP, where a reply stopped the session
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """One oddity, with the text that shows it."""

    kind: AnomalyKind
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a transcript: ``server``, ``client``, or a remark of our own as ``probe``."""

    ms: int  # since the session began
    peer: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyError:
    """One complaint of OpenSSL's path verification; ``depth`` 0 is the leaf certificate."""

    depth: int
    code: int  # X509_V_ERR_…
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One session in short. The first that saw TLS, or else the first, gives the facts."""

    observed_at: datetime
    hello: Hello
    starttls: StartTls
    tls_version: str | None
    cipher: str | None
    failure: Failure | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFacts:
    """What one MX host showed at one address and port: facts, no judgement.

    ``tls_version`` is set exactly when TLS completed. ``chain`` is as sent, leaf first, also
    where the handshake failed after it; ``path`` are the positions in it of the verified path's
    certificates below the trust anchor.
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
    key_exchange: str | None = None  # the group; None for plain RSA key exchange
    client_certificate_requested: bool | None = None
    alert: str | None = None  # the fatal alert received, by its name in RFC 8446 §6
    chain: tuple[bytes, ...] = ()
    path: tuple[int, ...] = ()
    verify_errors: tuple[VerifyError, ...] = ()
    anomalies: tuple[Anomaly, ...] = ()
    failure: Failure | None = None  # what ended the session early
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
    """One MX host and its addresses. ``failure`` where a look-up failed or was not made."""

    name: str
    preference: int
    addresses: tuple[str, ...] = ()
    alias_of: str | None = None  # the canonical name, where the MX host is a CNAME
    dnssec: Dnssec = Dnssec.INDETERMINATE  # of its addresses
    tlsa: tuple[TlsaRecord, ...] = ()
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where DNS sends the domain's mail. ``reason`` and ``detail`` where the look-up failed."""

    status: RouteStatus
    dnssec: Dnssec = Dnssec.INDETERMINATE
    reason: Reason | None = None
    detail: str | None = None
    anomalies: tuple[Anomaly, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustStore:
    """The anchors that certificates were verified against. None loaded: trust is not tested."""

    source: str | None
    certificates: int
    sha256: str | None  # of the file as it was


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """With what the facts were gathered."""

    version: str
    ehlo_name: str
    resolver: tuple[str, ...]
    trust_store: TrustStore


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainFacts:
    """All that was observed of one domain. ``error`` where the input is no domain."""

    input: str
    domain: str | None  # A-labels, lower case, no trailing dot
    checked_at: datetime
    elapsed_ms: int
    run: Run
    error: str | None = None
    route: Route | None = None
    mx_hosts: tuple[MxHost, ...] = ()
    endpoints: tuple[EndpointFacts, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The leaf certificate, read and judged. ``None`` is a field that could not be read."""

    subject: str | None
    issuer: str | None
    san: tuple[str, ...]
    serial: str | None  # hexadecimal
    not_before: datetime | None
    not_after: datetime | None
    key: str | None  # such as "RSA 2048" or "EC secp256r1"
    signature: str | None
    sha256: str
    spki_sha256: str | None
    trusted: Answer
    name_matches: Answer
    in_date: Answer
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(EndpointFacts):
    """The facts of an endpoint, and what the rules make of its certificate."""

    certificate: Certificate | None = None
    dane: Dane = Dane.NOT_TESTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing worth knowing, by a stable code. The wording of ``detail`` may change."""

    code: Code
    severity: Severity
    mx_host: str | None = None
    address: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The judgement of a domain; a level is never shown without its count of endpoints."""

    level: Level
    encrypted: Encrypted
    complete: bool
    endpoints: int
    endpoints_tested: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainReport:
    """One domain: the facts, and the verdict and findings drawn from them."""

    schema: int = SCHEMA
    input: str
    domain: str | None
    checked_at: datetime
    elapsed_ms: int
    run: Run
    error: str | None = None
    verdict: Verdict
    route: Route | None = None
    mx_hosts: tuple[MxHost, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    findings: tuple[Finding, ...] = ()
