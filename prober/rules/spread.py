"""How the facts of a run are spread: counts for the tables of a summary, bounded in number.

Endpoints are counted by TLS version, key exchange and post-quantum, domains by everything else.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from prober.records import Answer, Code, DomainReport
from prober.rules.deep import post_quantum
from prober.rules.views import first_expiry

MAX_NAMES: Final = 2_000
"""The first so many operators (and other names) are counted each on their own."""
OTHERS: Final = "others"
_PLAIN_RSA: Final = "RSA"  # TLS completed without a key-exchange group
EXPIRED: Final = "expired"
_WEEKS: Final = (1, 2, 4, 8, 13, 26)
LATER: Final = "later"
EXPIRY_NAMES: Final = (
    EXPIRED,
    *(f"within {weeks} week{'' if weeks == 1 else 's'}" for weeks in _WEEKS),
    LATER,
)
"""When the first certificate of a domain ends, soonest first; each excludes the ones before it."""


@dataclass(slots=True)
class Spread:
    """Plain counts, to be saved and added up."""

    first: datetime | None = None  # when the first domain was checked
    last: datetime | None = None
    tls_versions: dict[str, int] = field(default_factory=dict)
    key_exchanges: dict[str, int] = field(default_factory=dict)
    post_quantum: dict[Answer, int] = field(default_factory=dict)  # whether one is accepted
    expiry: dict[str, int] = field(default_factory=dict)
    operators: dict[str, int] = field(default_factory=dict)
    findings: dict[Code, int] = field(default_factory=dict)

    def add(self, report: DomainReport, operator_of: Callable[[str], str]) -> None:
        """Count *report*. *operator_of* gives who runs an MX host."""
        self._note_time(report.checked_at, report.checked_at)
        for seen in report.endpoints:
            if seen.tls_version is not None:
                _count(self.tls_versions, seen.tls_version)
                _count(self.key_exchanges, seen.key_exchange or _PLAIN_RSA)
                answer = post_quantum(seen)
                self.post_quantum[answer] = self.post_quantum.get(answer, 0) + 1
        expires = first_expiry(report.endpoints)
        if expires is not None:
            _count(self.expiry, _expiry_name(expires - report.checked_at))
        for operator in {operator_of(host.name) for host in report.mx_hosts}:
            _count(self.operators, operator)
        for code in {found.code for found in report.findings}:
            self.findings[code] = self.findings.get(code, 0) + 1

    def merge(self, other: "Spread") -> None:
        """Count what *other* counted, too."""
        if other.first is not None and other.last is not None:
            self._note_time(other.first, other.last)
        for mine, theirs in (
            (self.tls_versions, other.tls_versions),
            (self.key_exchanges, other.key_exchanges),
            (self.expiry, other.expiry),
            (self.operators, other.operators),
        ):
            for name, count in theirs.items():
                _count(mine, name, count)
        for answer, count in other.post_quantum.items():
            self.post_quantum[answer] = self.post_quantum.get(answer, 0) + count
        for code, count in other.findings.items():
            self.findings[code] = self.findings.get(code, 0) + count

    def _note_time(self, first: datetime, last: datetime) -> None:
        self.first = first if self.first is None else min(first, self.first)
        self.last = last if self.last is None else max(last, self.last)


def _count(counts: dict[str, int], name: str, by: int = 1) -> None:
    if name not in counts and len(counts) >= MAX_NAMES:
        name = OTHERS
    counts[name] = counts.get(name, 0) + by


def _expiry_name(left: timedelta) -> str:
    if left < timedelta(0):
        return EXPIRED
    limits = zip(_WEEKS, EXPIRY_NAMES[1:], strict=False)
    return next((name for weeks, name in limits if left <= timedelta(weeks=weeks)), LATER)
