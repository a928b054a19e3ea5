"""The judgements of the rules, and the report that has facts and judgements."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from prober.records.deep import DeepQuestion
from prober.records.delivery import Delivery
from prober.records.facts import (
    DnssecProof,
    EndpointFacts,
    GivenServer,
    MxHost,
    Route,
    Run,
    StsFacts,
    TxtFacts,
)
from prober.records.findings import Finding
from prober.records.words import (
    Answer,
    Dane,
    Encrypted,
    Level,
    ProfileName,
    RatedFact,
    Rating,
    Standing,
    StsStatus,
    TlsRptStatus,
)

SCHEMA: Final = 1  # of the JSON report; goes up when a field changes its meaning or goes away


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The leaf certificate, parsed and judged. A field that could not be read is ``None``."""

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
class OtherCertificate:
    """A certificate that the endpoint shows to some senders, with another chain than the session.

    Its chain is in the answer to ``question``.
    """

    question: DeepQuestion
    certificate: Certificate
    dane: Dane


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(EndpointFacts):
    """The facts of an endpoint, and the judgement of its certificate."""

    certificate: Certificate | None = None
    certificate_without_sni: Certificate | None = None  # where another chain is sent without SNI
    dane: Dane = Dane.NOT_TESTED
    other_certificates: tuple[OtherCertificate, ...] = ()  # seen by --deep


@dataclass(frozen=True, slots=True, kw_only=True)
class MtaSts:
    """What senders with MTA-STS do for the domain. RFC 8461. ``uncovered``: MX hosts not listed.

    ``senders_differ``: which senders enforce the policy and which do not; ``None`` if all do the
    same.
    """

    status: StsStatus
    id: str | None = None
    max_age: int | None = None  # seconds
    mx: tuple[str, ...] = ()
    uncovered: tuple[str, ...] = ()
    detail: str | None = None
    senders_differ: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsRpt:
    """Where a domain wants reports about TLS to be sent. RFC 8460 §3."""

    status: TlsRptStatus
    rua: tuple[str, ...] = ()
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
class FactRating:
    """How a norm rates one fact at one endpoint. ``sni``: whether the client sent SNI.

    ``question``: the fact is from the answer to it, and not from the session.
    """

    mx_host: str
    address: str
    sni: bool
    fact: RatedFact
    value: str | None  # None: not tested
    rating: Rating
    source: str  # the paragraph
    ours: str | None = None  # why, where the rating is our choice or our reading
    question: DeepQuestion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRatings:
    """How a norm rates what was seen of the domain, fact by fact."""

    profile: ProfileName
    norm: str
    ratings: tuple[FactRating, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedException:
    """Somebody accepts that a domain does not meet what is required. 45 CFR 164.306(d)(3).

    ``what`` is the lowest level that is accepted; ``until`` is the last day, in UTC.
    """

    domain: str
    what: Level
    why: str
    by: str
    until: date


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainReport:
    """One domain: the facts, and the verdict and findings that follow from them."""

    schema: int = SCHEMA
    input: str
    domain: str | None
    columns: dict[str, str] = field(default_factory=dict)
    server: GivenServer | None = None
    checked_at: datetime
    elapsed_ms: int
    run: Run
    error: str | None = None
    verdict: Verdict
    route: Route | None = None
    mx_hosts: tuple[MxHost, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    sts: StsFacts | None = None
    tls_rpt_txt: TxtFacts | None = None
    mta_sts: MtaSts | None = None  # None: not looked up
    tls_rpt: TlsRpt | None = None
    delivery: Delivery | None = None  # None: the input is not a domain
    findings: tuple[Finding, ...] = ()
    requirement: str | None = None  # a level, or "profile:" and its name; None: none was set
    standing: Standing | None = None
    reasons: tuple[str, ...] = ()  # why it does not meet the requirement: a Code or a Gap each
    profile_ratings: ProfileRatings | None = None  # None: no profile was asked for
    proof: DnssecProof | None = None
    accepted: AcceptedException | None = None  # that it does not meet the requirement
