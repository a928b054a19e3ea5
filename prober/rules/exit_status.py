"""The exit status: a function of the reports, counted one at a time so that none is kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from prober.records import DomainReport, EndpointFacts, Level, Reason, Route, RouteStatus, Step
from prober.records.changes import ChangeCounts, Direction
from prober.rules.profiles import Profile
from prober.rules.rating import judge_profile
from prober.rules.verdict import Standing, is_fault, judge_standing

MEETS_ALL: Final = 0
SOME_FALL_SHORT: Final = 1
SOME_INVALID: Final = 2
SOME_UNDECIDED: Final = 3
CANNOT_SEE: Final = 4
NOT_WRITTEN: Final = 5
FAULT_OF_OURS: Final = 70  # EX_SOFTWARE: 1 would say that a domain falls short
INTERRUPTED: Final = 130  # 128 + SIGINT
PIPE_CLOSED: Final = 141  # 128 + SIGPIPE
TERMINATED: Final = 143  # 128 + SIGTERM

# A run that never connects says more of this machine than of so many hosts of so many operators.
BLIND_ENDPOINTS: Final = 20
BLIND_OPERATORS: Final = 5


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

    @property
    def domains(self) -> int:
        """How many reports were counted."""
        return sum(self.levels.values())

    def merge(self, other: "Totals") -> None:
        """Count what *other* counted, too."""
        for level, count in other.levels.items():
            self.levels[level] = self.levels.get(level, 0) + count
        for standing, count in other.standings.items():
            self.standings[standing] = self.standings.get(standing, 0) + count
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

    def move(self, counts: Mapping[Standing, int], to: Standing) -> None:
        """Count as *to* what was counted otherwise."""
        for standing, count in counts.items():
            left = self.standings.get(standing, 0) - count
            self.standings[to] = self.standings.get(to, 0) + count
            self.standings[standing] = left
            if left <= 0:
                del self.standings[standing]

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

    *operator_of* names who runs an MX host: its registered domain.
    """

    require: Level | Profile
    operator_of: Callable[[str], str]
    totals: Totals = field(default_factory=Totals)

    def add(self, report: DomainReport, standing: Standing | None = None) -> None:
        """Count one report; with its *standing*, where that is known."""
        totals, verdict = self.totals, report.verdict
        standing = standing or self.standing_of(report)
        totals.faults += is_fault(report)
        totals.levels[verdict.level] = totals.levels.get(verdict.level, 0) + 1
        totals.standings[standing] = totals.standings.get(standing, 0) + 1
        totals.incomplete += not verdict.complete and verdict.level is not Level.INVALID
        totals.endpoints += verdict.endpoints
        totals.endpoints_tested += verdict.endpoints_tested
        self.note_route(report.route)
        for endpoint in report.endpoints:
            self.note_endpoint(endpoint)

    def note_route(self, route: Route | None) -> None:
        """Note whether a nameserver answered; None: it was not looked up."""
        if route is not None:
            silent = _no_nameserver(route)
            self.totals.dns_silent |= silent
            self.totals.dns_answered |= not silent

    def note_endpoint(self, facts: EndpointFacts) -> None:
        """Note whether a connection was tried, and had."""
        if was_tried(facts):
            self.totals.has_connected |= _connected(facts)
            self._note_tried(facts)

    def standing_of(self, report: DomainReport) -> Standing:
        """How *report* stands to what is required."""
        if isinstance(self.require, Profile):
            return judge_profile(report, self.require)
        return judge_standing(report, self.require)

    def _note_tried(self, endpoint: EndpointFacts) -> None:
        """Keep distinct endpoints and operators, as far as it matters."""
        totals = self.totals
        if len(totals.tried) < BLIND_ENDPOINTS:
            totals.tried.add((endpoint.mx_host, endpoint.address))
        if len(totals.operators) < BLIND_OPERATORS:
            totals.operators.add(self.operator_of(endpoint.mx_host))


def exit_status(totals: Totals) -> int:
    """The first that applies of: cannot see, a fault of ours, falls short, invalid, undecided."""
    if totals.why_blind is not None:
        return CANNOT_SEE
    if totals.faults:
        return FAULT_OF_OURS
    if Standing.FALLS_SHORT in totals.standings:
        return SOME_FALL_SHORT
    if Standing.INVALID in totals.standings:
        return SOME_INVALID
    if Standing.UNDECIDED in totals.standings:
        return SOME_UNDECIDED
    return MEETS_ALL


def _no_nameserver(route: Route) -> bool:
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


def diff_status(counts: ChangeCounts) -> int:
    """Of a comparison: something is worse, only sight was lost, or neither."""
    if Direction.WORSE in counts.by_worst:
        return SOME_FALL_SHORT
    return SOME_UNDECIDED if Direction.LOST_SIGHT in counts.by_worst else MEETS_ALL
