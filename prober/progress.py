"""The progress of a scan: which positions of the list are reported, so that it can be resumed."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field


class Positions:
    """A set of positions in a list, stored as ranges.

    Memory depends on the number of gaps, which is at most the number of domains in progress.
    """

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in ranges:
            self._firsts.append(first)
            self._lasts.append(last)

    def add(self, position: int) -> None:
        """Add *position*, which counts from 0."""
        at = bisect_right(self._firsts, position)
        if at and position <= self._lasts[at - 1]:
            return
        continues = at > 0 and self._lasts[at - 1] == position - 1
        leads_to_next = at < len(self._firsts) and self._firsts[at] == position + 1
        if continues and leads_to_next:
            del self._firsts[at]
            del self._lasts[at - 1]
        elif continues:
            self._lasts[at - 1] = position
        elif leads_to_next:
            self._firsts[at] = position
        else:
            self._firsts.insert(at, position)
            self._lasts.insert(at, position)

    def __contains__(self, position: int) -> bool:
        at = bisect_right(self._firsts, position)
        return at > 0 and position <= self._lasts[at - 1]

    def __bool__(self) -> bool:
        return bool(self._firsts)

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges())

    def ranges(self) -> list[tuple[int, int]]:
        """The ranges as pairs of first and last position, in order."""
        return list(zip(self._firsts, self._lasts, strict=True))


@dataclass(slots=True)
class Progress:
    """The progress of a scan. ``reported`` are positions in the list; each domain counts once."""

    done: int = 0
    duplicates: int = 0
    reported: Positions = field(default_factory=Positions)
