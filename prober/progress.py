"""How far a scan is: what was reported already, so that it can go on where it stopped."""

from collections.abc import Iterable
from dataclasses import dataclass, field


class Positions:
    """A set of positions in a list, nearly all of them in one run from the beginning.

    So it takes as much memory as there are entries in hand, not as there are in the list.
    """

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._low = 0  # all below are in the set
        self._beyond: set[int] = set()
        for first, last in ranges:
            if first == self._low:
                self._low = last + 1
            else:
                self._beyond.update(range(first, last + 1))

    def add(self, position: int) -> None:
        """Add *position*, which counts from 0."""
        if position < self._low:
            return
        self._beyond.add(position)
        while self._low in self._beyond:
            self._beyond.discard(self._low)
            self._low += 1

    def __contains__(self, position: int) -> bool:
        return position < self._low or position in self._beyond

    def __len__(self) -> int:
        return self._low + len(self._beyond)

    def ranges(self) -> list[tuple[int, int]]:
        """The same as pairs of first and last, in order."""
        ranges = [(0, self._low - 1)] if self._low else []
        for position in sorted(self._beyond):
            if ranges and position == ranges[-1][1] + 1:
                ranges[-1] = (ranges[-1][0], position)
            else:
                ranges.append((position, position))
        return ranges


@dataclass(slots=True)
class Progress:
    """How far a scan is. ``reported`` are positions in the list, each domain counted once."""

    done: int = 0
    duplicates: int = 0
    reported: Positions = field(default_factory=Positions)
