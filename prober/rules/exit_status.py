"""The exit status: a function of the reports, counted one at a time so that none is kept."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from prober.records import DomainReport, Endpoint, EndpointFacts, Level, Reason, RouteStatus, Step
from prober.rules.profiles import Profile
from prober.rules.rating import judge_profile
from prober.rules.verdict import Standing, judge_standing

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
class Tally:
    """What the exit status needs to know of the reports so far.

    *operator_of* names who runs an MX host: its registered domain.
    """

    require: Level | Profile
    operator_of: Callable[[str], str]
    levels: Counter[Level] = field(default_factory=Counter)
    standings: Counter[Standing] = field(default_factory=Counter)
    _tried: set[tuple[str, str]] = field(default_factory=set)
    _has_connected: bool = False
    _operators: set[str] = field(default_factory=set)
    _dns_answered: bool = False
    _dns_silent: bool = False

    def add(self, report: DomainReport) -> None:
        """Count one report."""
        self.levels[report.verdict.level] += 1
        self.standings[self._standing(report)] += 1
        if report.route is not None:
            silent = _no_nameserver(report)
            self._dns_silent |= silent
            self._dns_answered |= not silent
        for endpoint in report.endpoints:
            if was_tried(endpoint):
                self._has_connected |= _connected(endpoint)
                self._count(endpoint)

    def _standing(self, report: DomainReport) -> Standing:
        if isinstance(self.require, Profile):
            return judge_profile(report, self.require)
        return judge_standing(report, self.require)

    def _count(self, endpoint: Endpoint) -> None:
        """Count distinct endpoints and operators, as far as it matters."""
        if len(self._tried) < BLIND_ENDPOINTS:
            self._tried.add((endpoint.mx_host, endpoint.address))
        if len(self._operators) < BLIND_OPERATORS:
            self._operators.add(self.operator_of(endpoint.mx_host))

    @property
    def is_blind(self) -> bool:
        """Whether this machine cannot see: no nameserver answers, or no host at all connects."""
        no_dns = self._dns_silent and not self._dns_answered
        many = len(self._tried) >= BLIND_ENDPOINTS and len(self._operators) >= BLIND_OPERATORS
        return no_dns or (many and not self._has_connected)


def exit_status(tally: Tally) -> int:
    """The first that applies of: cannot see, falls short, invalid, undecided, all meet."""
    if tally.is_blind:
        return CANNOT_SEE
    if tally.standings[Standing.FALLS_SHORT]:
        return SOME_FALL_SHORT
    if tally.standings[Standing.INVALID]:
        return SOME_INVALID
    if tally.standings[Standing.UNDECIDED]:
        return SOME_UNDECIDED
    return MEETS_ALL


def _no_nameserver(report: DomainReport) -> bool:
    route = report.route
    return (
        route is not None
        and route.status is RouteStatus.DNS_ERROR
        and route.reason is Reason.NO_NAMESERVER
    )


_NEVER_CONTACTED: Final = (
    Reason.PRIVATE_ADDRESS,
    Reason.LIMIT,
    Reason.NO_IPV6_HERE,
    Reason.NO_IPV4_HERE,
)


def was_tried(endpoint: EndpointFacts) -> bool:
    """Whether a connection was attempted."""
    return endpoint.failure is None or endpoint.failure.reason not in _NEVER_CONTACTED


def _connected(endpoint: Endpoint) -> bool:
    return endpoint.failure is None or endpoint.failure.step is not Step.CONNECT
