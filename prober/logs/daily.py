"""Daily totals for the record, so that no log that is read twice is counted twice. docs/logs.md.

The record keeps for each day of each server which time was read. Attempts outside that time are
added. A reading that covers that time, with at least as many attempts in it, replaces all of it.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from prober.escape import printable
from prober.logs.records import Delivery, Direction, Scope, name_of
from prober.logs.summary import MAX_GROUPS, NO_DOMAIN, OTHERS, Counts, Groups
from prober.records.sent import Covered, SentCounts, SentDay, SentTotals

MAX_DAYS: Final = 100_000  # servers times days; attempts of further ones are not counted
_MAX_NAME: Final = 255  # characters of a server's name


@dataclass(slots=True)
class _Reading:
    """What this reading has of one day. ``inside``: attempts in the time that was read before."""

    before: Covered | None
    first: datetime
    last: datetime
    inside: int = 0
    outside: int = 0

    def add(self, time: datetime) -> bool:
        """Count an attempt; whether the record has its time."""
        self.first, self.last = min(self.first, time), max(self.last, time)
        is_inside = self.before is not None and self.before.first <= time <= self.before.last
        self.inside += is_inside
        self.outside += not is_inside
        return is_inside

    @property
    def replaces(self) -> bool:
        """Whether it has at least all that was read before."""
        before = self.before
        return before is None or (
            self.first <= before.first
            and self.last >= before.last
            and self.inside >= before.attempts
        )

    @property
    def covered(self) -> Covered:
        """What will have been read of the day then."""
        if self.before is None or self.replaces:
            return Covered(self.first, self.last, self.inside + self.outside)
        first, last = min(self.first, self.before.first), max(self.last, self.before.last)
        return Covered(first, last, self.before.attempts + self.outside)


class Daily:
    """Counts what was sent by day, server and domain. Its keys also say what was read before.

    *covered* tells of a server and its software which times of which days the record has.
    """

    def __init__(self, covered: Callable[[str, str], Mapping[date, Covered]]) -> None:
        self._covered = functools.lru_cache(maxsize=MAX_DAYS)(covered)
        self._days: dict[SentDay, _Reading] = {}
        self._groups: Groups[tuple[SentDay, str, bool]] = Groups()
        self.dropped = 0  # attempts that were not counted because of a bound

    def add(self, delivery: Delivery, scope: Scope) -> None:
        """Count one attempt. One that stays inside only tells which time was read."""
        if delivery.direction is not Direction.OUT:
            return
        server = printable(delivery.server)[:_MAX_NAME]
        day = SentDay(server, delivery.software, delivery.time.date())
        reading = self._reading(day, delivery.time)
        if reading is None:
            self.dropped += 1
            return
        is_inside = reading.add(delivery.time)
        if scope is Scope.OUTSIDE:
            key = (day, name_of(delivery.domain) or NO_DOMAIN, is_inside)
            if key not in self._groups.counts and len(self._groups.counts) >= MAX_GROUPS:
                key = (day, OTHERS, is_inside)
            self._groups.add(key, delivery)

    def _reading(self, day: SentDay, time: datetime) -> _Reading | None:
        found = self._days.get(day)
        if found is None and len(self._days) < MAX_DAYS:
            before = self._covered(day.server, day.software).get(day.day)
            found = self._days[day] = _Reading(before, time, time)
        return found

    @property
    def repeated(self) -> int:
        """Attempts that are not counted, since the record has their time and knows no less."""
        return sum(each.inside for each in self._days.values() if not each.replaces)

    def totals(self) -> Iterator[SentTotals]:
        """What is new, or better known than before."""
        counts: dict[SentDay, dict[str, Counts]] = {}
        for (day, domain, is_inside), each in self._groups.counts.items():
            if not is_inside or self._days[day].replaces:
                counts.setdefault(day, {}).setdefault(domain, Counts()).add(each)
        for day, reading in self._days.items():
            if reading.replaces or reading.outside:
                yield SentTotals(
                    of=day,
                    before=reading.before,
                    covered=reading.covered,
                    replaces=reading.replaces,
                    domains={name: _plain(each) for name, each in counts.get(day, {}).items()},
                )


def _plain(counts: Counts) -> SentCounts:
    return SentCounts(*(getattr(counts, name) for name in SentCounts._fields))
