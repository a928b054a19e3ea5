"""What every format of every kind of report gives to the file that it is written to."""

import abc
from typing import Generic, TypeAlias, TypeVar

R = TypeVar("R")  # the record: a domain, a message
T = TypeVar("T")  # what the records of a run are counted in

Cell: TypeAlias = str | int | None
"""Text of whatever origin, a number of our own, or nothing."""
Row: TypeAlias = tuple[Cell, ...]


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


class TotalsOnly(Formatter[R, T]):
    """Leaves the records out: the totals are the one record that *formatter* writes."""

    def __init__(self, formatter: Formatter[T, T]) -> None:
        self._formatter = formatter

    def head(self) -> bytes:
        return self._formatter.head()

    def body(self, record: R) -> bytes:
        return b""

    def foot(self, totals: T) -> bytes:
        return self._formatter.body(totals)
