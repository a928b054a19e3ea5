"""What is counted over the reports of a run, and what of them is kept for its summary.

Reports are counted one at a time, and none is kept.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from prober.records import (
    AcceptedException,
    DomainFacts,
    DomainReport,
    EndpointFacts,
    Level,
    Reason,
    Route,
    RouteStatus,
    Standing,
    Step,
)
from prober.rules.accepted import ExceptionState, exception_state
from prober.rules.certificate_fields import CertificateReader
from prober.rules.norms import Profile
from prober.rules.spread import Spread
from prober.rules.standing import assess
from prober.rules.verdict import is_fault, judge_domain
from prober.rules.views import as_shown

# A run that never connects says more of this machine than of so many hosts of so many operators.
BLIND_ENDPOINTS: Final = 20
BLIND_OPERATORS: Final = 5
EXPIRY_NOTICE_DAYS: Final = 30  # renewers start then


MAX_NOTED: Final = 1_000  # domains, and certificates, that a summary can name
_RANK_OF_STANDING: Final = {
    Standing.FALLS_SHORT: 0,
    Standing.INVALID: 1,
    Standing.UNDECIDED: 2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NotedDomain:
    """A domain that falls short, is undecided or invalid, with the answer in a sentence.

    ``accepted``: the exception that covers it.
    """

    standing: Standing
    level: Level
    name: str
    answer: str
    accepted: AcceptedException | None = None

    @property
    def rank(self) -> tuple[bool, int, int, str]:
        """Sorts the worst first, and what is accepted last."""
        rank = _RANK_OF_STANDING[self.standing]
        return self.accepted is not None, rank, list(Level).index(self.level), self.name


def noted_domain(report: DomainReport, describe: Callable[[DomainReport], str]) -> NotedDomain:
    """What is kept of *report*, which was assessed, for a summary."""
    if report.standing is None:
        raise ValueError("a report is assessed before it is noted")
    return NotedDomain(
        standing=report.standing,
        level=report.verdict.level,
        name=report.domain if report.domain is not None else report.input,
        answer=describe(report),
        accepted=report.accepted,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NotedCertificate:
    """A certificate that ends soon, and one MX host that shows it."""

    not_after: datetime
    mx_host: str
    domains: int  # for how many domains it was seen


@dataclass(slots=True)
class Totals:
    """What is counted over the reports of a run: plain values, to be saved and added up."""

    levels: dict[Level, int] = field(default_factory=dict)
    standings: dict[Standing, int] = field(default_factory=dict)
    incomplete: int = 0
    endpoints: int = 0
    endpoints_tested: int = 0
    tried: set[tuple[str, str]] = field(default_factory=set)  # MX host, address: some of them
    operators: set[str] = field(default_factory=set)  # some of them
    has_connected: bool = False
    dns_answered: bool = False
    dns_silent: bool = False
    faults: int = 0  # of this program
    accepted: dict[Standing, int] = field(default_factory=dict)  # of the domains in ``standings``
    exceptions: dict[str, ExceptionState] = field(default_factory=dict)  # by domain, of those given
    noted: list[NotedDomain] = field(default_factory=list)  # the worst MAX_NOTED
    expiring: dict[str, NotedCertificate] = field(default_factory=dict)  # by SHA-256; the soonest
    spread: Spread = field(default_factory=Spread)
    requirement: str | None = None  # what the domains were held against, as in their reports

    @property
    def domains(self) -> int:
        """How many reports were counted."""
        return sum(self.levels.values())

    @property
    def not_accepted(self) -> dict[Standing, int]:
        """How many domains have each standing, without those that an exception covers."""
        left = {each: self.standings[each] - self.accepted.get(each, 0) for each in self.standings}
        return {standing: count for standing, count in left.items() if count}

    def merge(self, other: "Totals") -> None:
        """Count what *other* counted, too."""
        for level, count in other.levels.items():
            self.levels[level] = self.levels.get(level, 0) + count
        for standing, count in other.standings.items():
            self.standings[standing] = self.standings.get(standing, 0) + count
        for standing, count in other.accepted.items():
            self.accepted[standing] = self.accepted.get(standing, 0) + count
        self.exceptions |= other.exceptions
        self.incomplete += other.incomplete
        self.endpoints += other.endpoints
        self.endpoints_tested += other.endpoints_tested
        self.has_connected |= other.has_connected
        if len(self.tried) < BLIND_ENDPOINTS:  # more of them say no more
            self.tried |= other.tried
        if len(self.operators) < BLIND_OPERATORS:
            self.operators |= other.operators
        self.dns_answered |= other.dns_answered
        self.dns_silent |= other.dns_silent
        self.faults += other.faults
        self.noted.extend(other.noted)
        self._keep_worst(MAX_NOTED)
        for digest, certificate in other.expiring.items():
            self.note_certificate(digest, certificate)
        self.spread.merge(other.spread)
        self.requirement = self.requirement or other.requirement

    def note_domain(self, domain: NotedDomain) -> None:
        """Keep *domain*, unless MAX_NOTED others are worse."""
        self.noted.append(domain)
        self._keep_worst(2 * MAX_NOTED)

    def note_certificate(self, digest: str, certificate: NotedCertificate) -> None:
        """Keep *certificate*, unless MAX_NOTED others end sooner."""
        known = self.expiring.get(digest)
        if known is not None:
            certificate = replace(known, domains=known.domains + certificate.domains)
        self.expiring[digest] = certificate
        if len(self.expiring) > MAX_NOTED:
            last = max(self.expiring, key=lambda each: self.expiring[each].not_after)
            del self.expiring[last]

    def _keep_worst(self, at_most: int) -> None:
        if len(self.noted) > at_most:
            self.noted.sort(key=lambda domain: domain.rank)
            del self.noted[MAX_NOTED:]

    @property
    def why_blind(self) -> str | None:
        """Why this machine cannot see: no nameserver answers, or no host at all connects."""
        if self.dns_silent and not self.dns_answered:
            return "no nameserver answers"
        many = len(self.tried) >= BLIND_ENDPOINTS and len(self.operators) >= BLIND_OPERATORS
        if many and not self.has_connected:
            return (
                f"of {BLIND_ENDPOINTS} endpoints of {BLIND_OPERATORS} operators none could be "
                "connected to"
            )
        return None

    @property
    def is_hopeless(self) -> bool:
        """Whether to go on would only give more reports of this machine's own trouble."""
        return self.why_blind is not None and self.domains >= BLIND_ENDPOINTS


@dataclass(slots=True)
class Tally:
    """Counts reports, each held against what is required.

    *operator_of* names who runs an MX host: its registered domain. *describe* gives the answer of
    a report in a sentence. *exceptions*, by domain, are accepted. A certificate is noted when it
    ends within *expires_soon_days*. *reader* remembers certificates.
    """

    require: Level | Profile
    operator_of: Callable[[str], str]
    describe: Callable[[DomainReport, CertificateReader], str]
    exceptions: Mapping[str, AcceptedException] = field(default_factory=dict)
    expires_soon_days: int = EXPIRY_NOTICE_DAYS
    totals: Totals = field(default_factory=Totals)
    reader: CertificateReader = field(default_factory=CertificateReader)

    def assess(self, report: DomainReport) -> DomainReport:
        """*report* with its standing against what is required, and the reasons."""
        return assess(report, self.require, self.reader, self.exceptions)

    def judge(self, facts: DomainFacts) -> DomainReport:
        """The report on *facts*, assessed."""
        return self.assess(judge_domain(facts, self.reader))

    def add(self, report: DomainReport) -> None:
        """Count one report, as ``assess`` returned it."""
        totals, verdict, standing = self.totals, report.verdict, report.standing
        if standing is None:
            raise ValueError("a report is assessed before it is counted")
        totals.requirement = report.requirement
        totals.faults += is_fault(report)
        totals.levels[verdict.level] = totals.levels.get(verdict.level, 0) + 1
        self._note_standing(report, standing)
        totals.incomplete += not verdict.complete and verdict.level is not Level.INVALID
        totals.endpoints += verdict.endpoints
        totals.endpoints_tested += verdict.endpoints_tested
        totals.spread.add(report, self.operator_of)
        self.note_route(report.route)
        for endpoint in report.endpoints:
            self.note_endpoint(endpoint)
        self._note_certificates(report)

    def _note_standing(self, report: DomainReport, standing: Standing) -> None:
        totals = self.totals
        totals.standings[standing] = totals.standings.get(standing, 0) + 1
        if report.accepted is not None:
            totals.accepted[standing] = totals.accepted.get(standing, 0) + 1
        given = self.exceptions.get(report.domain or "")
        if given is not None:
            level, at = report.verdict.level, report.checked_at
            state = exception_state(given, standing, level, at)
            is_of_domain = report.server is None
            totals.exceptions[given.domain] = state if is_of_domain else ExceptionState.NOT_NEEDED
        if standing in _RANK_OF_STANDING:
            totals.note_domain(noted_domain(report, lambda each: self.describe(each, self.reader)))

    def _note_certificates(self, report: DomainReport) -> None:
        """Those of its endpoints that end soon, each once."""
        seen = {
            shown.certificate.sha256: (shown, shown.certificate.not_after)
            for endpoint in report.endpoints
            for shown in as_shown(endpoint)
            if shown.certificate is not None
        }
        for digest, (endpoint, not_after) in seen.items():
            if not_after is None or not_after < endpoint.observed_at:
                continue  # one that has ended is a finding
            if not_after - endpoint.observed_at <= timedelta(days=self.expires_soon_days):
                self.totals.note_certificate(
                    digest,
                    NotedCertificate(not_after=not_after, mx_host=endpoint.mx_host, domains=1),
                )

    def note_route(self, route: Route | None) -> None:
        """Note whether a nameserver answered; None: it was not looked up."""
        if route is not None:
            silent = no_nameserver_answered(route)
            self.totals.dns_silent |= silent
            self.totals.dns_answered |= not silent

    def note_endpoint(self, facts: EndpointFacts) -> None:
        """Note whether a connection was tried, and had."""
        if was_tried(facts):
            self.totals.has_connected |= _connected(facts)
            self._note_tried(facts)

    def _note_tried(self, endpoint: EndpointFacts) -> None:
        """Keep distinct endpoints and operators, as far as it matters."""
        totals = self.totals
        if len(totals.tried) < BLIND_ENDPOINTS:
            totals.tried.add((endpoint.mx_host, endpoint.address))
        if len(totals.operators) < BLIND_OPERATORS:
            totals.operators.add(self.operator_of(endpoint.mx_host))


def no_nameserver_answered(route: Route) -> bool:
    """Whether the route is unknown because of this machine's DNS, and not of the domain's."""
    return route.status is RouteStatus.DNS_ERROR and route.reason is Reason.NO_NAMESERVER


_NEVER_CONTACTED: Final = (
    Reason.PRIVATE_ADDRESS,
    Reason.LIMIT,
    Reason.NO_IPV6_HERE,
    Reason.NO_IPV4_HERE,
    Reason.FAULT,
)


def was_tried(endpoint: EndpointFacts) -> bool:
    """Whether a connection was attempted."""
    failure = endpoint.failure
    if failure is None or failure.step is not Step.CONNECT:
        return True  # a bound may also end a session: Reason.LIMIT at a later step
    return failure.reason not in _NEVER_CONTACTED


def _connected(endpoint: EndpointFacts) -> bool:
    return endpoint.failure is None or endpoint.failure.step is not Step.CONNECT
