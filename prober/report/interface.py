"""What a kind of report gives to each format, and each format to the file that it is written to."""

import abc
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Generic, TypeAlias, TypeVar

from prober.errors import SettingsError

R = TypeVar("R")  # the record: a domain, a message
T = TypeVar("T")  # what the records of a run are counted in

MAX_SECTIONS: Final = 300  # domains with all details in HTML, unless --detail says otherwise


def require_html() -> None:
    """Raise SettingsError where what HTML needs is not installed."""
    if importlib.util.find_spec("jinja2") is None:
        raise SettingsError("HTML reports need an extra: pip install 'smtp-tls-prober[report]'")


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


class MadeAtEnd(Formatter[R, T]):
    """A format whose file cannot be written record by record, but is made when all are there.

    Until then the rows that ``body`` gives are in the partial file. So a run is stopped, resumed
    and joined from workers as with any other format.
    """

    @abc.abstractmethod
    def require_installed(self) -> None:
        """Raise SettingsError where what ``make`` needs is not installed."""

    @abc.abstractmethod
    def make(self, rows: BinaryIO, path: Path, totals: T) -> None:
        """Write the file at *path* from all *rows*; its folder is for that. Raises OSError."""


def no_rows(_record: object) -> Iterable[Row]:
    """Of a sheet that has rows of the run only."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet(Generic[R]):
    """One sheet of a workbook. ``times``: the columns whose cells are times, as ``utc`` gives.

    ``last``: the rows that stand behind those of all records.
    """

    name: str
    columns: tuple[str, ...]
    rows: Callable[[R], Iterable[Row]] = no_rows
    times: frozenset[str] = frozenset()
    last: Callable[[], Iterable[Row]] = tuple


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[R, T]):
    """A kind of report: what the formats are to make of its records."""

    text: Callable[[Paper], Formatter[R, T]]
    encode: Callable[[R], bytes]  # a record as one line of JSON
    columns: tuple[str, ...]  # of a table
    rows: Callable[[R], Iterable[Row]]
    page: Callable[[], Formatter[R, T]] | None = None  # HTML, if its extra is there; None: none
    sheets: tuple[Sheet[R], ...] = ()  # of a workbook; one with the table, if none are given
    overview: Callable[[T], Iterable[Row]] | None = None  # of the run: rows of a label and a value
