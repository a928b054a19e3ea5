"""The observations of a domain in order, and how one aspect changed over them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from prober.records import DomainReport
from prober.records.changes import Change, ChangeCode, Direction
from prober.rules.aspects import Value


@dataclass(frozen=True, slots=True)
class Last:
    """What an aspect was when it was last seen, and in how many runs it was not seen since."""

    value: Value
    at: datetime
    unseen_since: datetime | None = None
    unseen_runs: int = 0


@dataclass(frozen=True, slots=True)
class History:
    """The observation to judge, and those before it, newest first."""

    report: DomainReport
    earlier: Sequence[DomainReport]

    @property
    def at(self) -> datetime:
        return self.report.checked_at

    def last(self, read: Callable[[DomainReport], Value | None]) -> Last | None:
        """The newest earlier value of *read*."""
        unseen: list[datetime] = []
        for seen in self.earlier:
            value = read(seen)
            if value is not None:
                since = unseen[-1] if unseen else None
                return Last(value, seen.checked_at, since, len(unseen))
            unseen.append(seen.checked_at)
        return None

    def changed(
        self,
        code: ChangeCode,
        read: Callable[[DomainReport], Value | None],
        known: Sequence[Value] = (),
        *,
        told: bool = True,
        mx_host: str | None = None,
        address: str | None = None,
    ) -> Change | None:
        """The change of what *read* reads; None where there is none. *known*: as a pool shows it.

        Whatever was not seen before is no change either.
        """
        last = self.last(read)
        if last is None:
            return None
        after = read(self.report)
        change = Change(
            code=code,
            direction=Direction.LOST_SIGHT,
            mx_host=mx_host,
            addresses=(address,) if address else (),
            before=last.value.text,
            after=None,
            last_seen=last.at,
            since=last.unseen_since or self.at,
            runs=last.unseen_runs + 1,
        )
        if after is None:
            return change
        if after.key == last.value.key or _is_known(last.value, after, known):
            return None
        direction = direction_of(last.value, after)
        return replace(
            change, direction=direction, after=after.text, since=self.at, runs=1, told=told
        )


def direction_of(before: Value, after: Value) -> Direction:
    if before.rank == after.rank:
        return Direction.OTHER
    if before.rank is None or after.rank is None:
        gone = after.rank == 0
        come = before.rank == 0
        return Direction.WORSE if gone else Direction.BETTER if come else Direction.OTHER
    return Direction.WORSE if after.rank < before.rank else Direction.BETTER


def _is_known(before: Value, after: Value, known: Sequence[Value]) -> bool:
    """Whether a pool explains the change: *known* are its values, newest first.

    A change for the better is explained only once the worse value has come and gone before.
    """
    if all(value.key != after.key for value in known):
        return False
    if direction_of(before, after) is not Direction.BETTER:
        return True
    return _spells([value.key for value in known], before.key) > 1


def _spells(keys: Sequence[object], key: object) -> int:
    return sum(each == key and (at == 0 or keys[at - 1] != key) for at, each in enumerate(keys))


def found(*changes: Change | None) -> Iterator[Change]:
    return (change for change in changes if change is not None)
