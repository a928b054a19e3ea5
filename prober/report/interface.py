"""What a kind of report gives to each format, and each format to the file that it is written to."""

import abc
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Generic, TypeAlias, TypeVar

R = TypeVar("R")  # the record: a domain, a message
T = TypeVar("T")  # what the records of a run are counted in

Cell: TypeAlias = str | int | None
"""Text of whatever origin, a number of our own, or nothing."""
Row: TypeAlias = tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """What the text is drawn on. Colours on a terminal only; ``width`` None asks it."""

    terminal: bool = False
    colour: bool = True
    width: int | None = None
    encoding: str = "utf-8"


class Formatter(abc.ABC, Generic[R, T]):
    """Bytes before the first record, for each record, and after the last. Does no I/O.

    It keeps no count of its own, so that what several runs or workers formatted can be joined.
    """

    def head(self) -> bytes:
        return b""

    @abc.abstractmethod
    def body(self, record: R) -> bytes: ...

    def foot(self, totals: T) -> bytes:
        return b""

    def arranged(self, _written: BinaryIO) -> Iterator[bytes] | None:
        """A finished file in another order, made of what was written; None: as it was written.

        A stream is never arranged, so what is written must be a whole document, too.
        """
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[R, T]):
    """A kind of report: what the formats are to make of its records."""

    text: Callable[[Paper], Formatter[R, T]]
    encode: Callable[[R], bytes]  # a record as one line of JSON
    columns: Row  # of a table
    rows: Callable[[R], Iterable[Row]]
    page: Callable[[], Formatter[R, T]] | None = None  # HTML; None: there is none
