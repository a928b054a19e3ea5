"""A list of domains in a CSV table: one column holds the domain, the others go into the report.

RFC 4180, and what spreadsheets write: commas, semicolons or tabs; quoted fields with line ends.
"""

import contextlib
import csv
import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

from prober.domain_list import DomainList, decoded, shown
from prober.domains import Entry, parse_entry
from prober.errors import InputError
from prober.escape import printable

MAX_ROW: Final = 65_536  # bytes; a field of notes may be long
MAX_COLUMNS: Final = 100
_MAX_NAME: Final = 100  # characters of the name of a column
_DELIMITERS: Final = ",;\t"
_QUOTED: Final = re.compile(r'"[^"]*"?')
_NAMES_SHOWN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A row, with the number of its first line. *error* says why it is not CSV."""

    line: int
    raw: bytes
    fields: tuple[str, ...] = ()
    error: str | None = None


class CsvList(DomainList):
    """A list of domains in one column of a CSV table: *column* is its name, or its number from 1.

    The first row has the names of the columns. If *column* is a number, that row may be missing:
    the first row is data if its field in that column has a dot, as a domain has.
    """

    longest = MAX_ROW

    def __init__(self, plain: DomainList, column: str) -> None:
        super().__init__(plain.name, plain.stream)
        with self.reading():
            self._delimiter = self._find_delimiter()
            first = next(self._rows(), None)
        if first is None or first.error is not None:
            why = first.error if first is not None else "it has no row"
            raise InputError(f"{self.name}: {why}")
        self._width = len(first.fields)
        if self._width > MAX_COLUMNS:
            raise InputError(f"{self.name} has {self._width} columns; at most {MAX_COLUMNS} work")
        self._index = self._find_column(column, first.fields)
        self._has_names = "." not in first.fields[self._index]
        names = _distinct(first.fields if self._has_names else [""] * self._width)
        self._column = names[self._index]
        self._others = {at: name for at, name in enumerate(names) if at != self._index}
        self.columns = tuple(self._others.values())

    @classmethod
    @contextlib.contextmanager
    def open_column(cls, file: str, column: str) -> Iterator[Self]:
        """Open *file*. Raises InputError as ``open`` does, and if it has no such column."""
        with DomainList.open(file) as plain:
            yield cls(plain, column)

    def _require_list(self, first: Sequence[Entry]) -> None:
        """Nothing to check: any row may come first."""

    def count(self) -> int:
        """The number of entries; too high if quoted fields have line ends, or rows are empty."""
        return super().count() - self._has_names

    def _holds_entry(self, line: bytes) -> bool:
        """Whether *line* is not blank. A table has no comments."""
        return bool(line.strip())

    def entries(self) -> Iterator[Entry]:
        """The entries, lazily, each with the other columns of its row.

        A row that is not CSV, not UTF-8, too long, or without a domain becomes an entry with the
        error, so that no row is lost. Blank rows are left out.
        """
        rows = self._rows()
        if self._has_names:
            next(rows, None)
        for row in rows:
            yield self._entry(row)

    def _entry(self, row: _Row) -> Entry:
        why, columns = row.error, dict[str, str]()
        if any(row.fields[self._width :]):
            count, mark = len(row.fields), self._delimiter
            why = f"{count} fields, the first row has {self._width}; quote a field with {mark!r}"
        fields = (*row.fields, *[""] * self._width)  # a spreadsheet may leave the last ones out
        if why is None:
            columns = {name: " ".join(fields[at].split()) for at, name in self._others.items()}
            if fields[self._index].strip():
                return replace(parse_entry(fields[self._index], row.line), columns=columns)
            why = f"no domain in the column {self._column!r}"
        error = f"line {row.line}: {why}"
        return Entry(text=shown(row.raw), error=error, line=row.line, columns=columns)

    def _find_delimiter(self) -> str:
        """The most frequent delimiter of the first line outside quotes; a comma if it has none."""
        lines = iter(lambda: self.read_line(MAX_ROW), b"")
        raw = next((line for line in lines if line.strip()), b"")
        bare = _QUOTED.sub("", raw.decode("utf-8", "replace"))
        return max(_DELIMITERS, key=bare.count)

    def _find_column(self, column: str, names: Sequence[str]) -> int:
        """The index of *column* in the first row. Raises InputError if it is not there."""
        wanted, given = column.strip().casefold(), [name.strip().casefold() for name in names]
        if given.count(wanted) > 1:
            raise InputError(f"{self.name} has several columns {column!r}: give a number")
        if wanted in given:
            return given.index(wanted)
        if wanted.isascii() and wanted.isdigit():
            if 1 <= int(wanted[:9]) <= len(names):
                return int(wanted) - 1
            raise InputError(f"{self.name} has {len(names)} columns, and --column is {column}")
        close = difflib.get_close_matches(wanted, given, n=1)
        hint = f"; did you mean {names[given.index(close[0])].strip()!r}?" if close else "."
        shown_names = ", ".join(printable(name.strip()) for name in names[:_NAMES_SHOWN])
        raise InputError(
            f"{self.name} has no column {column!r}{hint} Its first row is: {shown_names}"
        )

    def _rows(self) -> Iterator[_Row]:
        """The rows from the start, without blank ones."""
        self.stream.seek(self._start)
        line = 1
        while True:
            with self.reading():
                row, lines = self._next_row(line)
            if row is None:
                return
            line += lines
            if row.error is not None or any(field.strip() for field in row.fields):
                yield row

    def _next_row(self, line: int) -> tuple[_Row | None, int]:
        """The row that begins at *line*, and its number of lines. None at the end of the file."""
        first = self.read_line(MAX_ROW)
        if not first:
            return None, 0
        if len(first) > MAX_ROW:
            return _Row(line=line, raw=first, error=f"longer than {MAX_ROW} bytes"), 1
        after_first, taken = self.stream.tell(), [first]
        try:
            fields = next(csv.reader(self._texts(taken), delimiter=self._delimiter, strict=True))
        except (csv.Error, InputError) as error:
            self.stream.seek(after_first)  # the next line may be a good row
            return _Row(line=line, raw=first, error=str(error)), 1
        return _Row(line=line, raw=first, fields=tuple(fields)), len(taken)

    def _texts(self, taken: list[bytes]) -> Iterator[str]:
        """The line in *taken* as text, and as many more, taken too, as its row needs."""
        yield decoded(taken[0])
        size = len(taken[0])
        while raw := self.read_line(MAX_ROW):
            taken.append(raw)
            size += len(raw)
            if size > MAX_ROW:
                raise InputError(f"a quoted field does not end within {MAX_ROW} bytes")
            yield decoded(raw)
        raise InputError("a quoted field does not end")


def _distinct(names: Sequence[str]) -> list[str]:
    """*names*, none twice and none empty: "column 3" for an empty one, "owner 2" for a second."""
    distinct: list[str] = []
    for number, name in enumerate(names, 1):
        plain = printable(" ".join(name.split()))[:_MAX_NAME] or f"column {number}"
        free, again = plain, 2
        while free in distinct:
            free, again = f"{plain} {again}", again + 1
        distinct.append(free)
    return distinct
