"""A workbook for spreadsheet programs: a summary, then a sheet for each kind of row.

A zip cannot be written row by row, so the rows are kept as JSON lines until the run is finished:
the number of a sheet, then the cells. XlsxWriter is imported only then. docs/spreadsheet.md.
"""

import contextlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Final

import msgspec

from prober.errors import SettingsError
from prober.escape import printable
from prober.report.interface import Cell, Kind, MadeAtEnd, Paper, R, Row, Sheet, T

MAX_ROWS: Final = 1_048_575  # of one sheet, below the names of the columns
MAX_UNITS: Final = 32_767  # of a cell, in UTF-16
_CUT: Final = " [cut]"
_FIRST_YEAR: Final = 1901  # Excel counts days from 1900, and takes that for a leap year
_TIME: Final = {"num_format": 'yyyy-mm-dd hh:mm:ss "UTC"'}
_TEXT: Final = {"num_format": "@"}  # stays text also where somebody edits the cell
_GREEN: Final = {"bg_color": "#C6EFCE", "font_color": "#006100"}
_RED: Final = {"bg_color": "#FFC7CE", "font_color": "#9C0006"}
_YELLOW: Final = {"bg_color": "#FFEB9C", "font_color": "#7F4F00"}
_GREY: Final = {"bg_color": "#D9D9D9", "font_color": "#333333"}
_COLOURS: Final[Mapping[str, Mapping[str, Mapping[str, str]]]] = MappingProxyType(
    {
        "standing": {
            "meets": _GREEN,
            "falls-short": _RED,
            "undecided": _YELLOW,
            "neutral": _GREY,
            "invalid": _RED,
        },
        "direction": {
            "worse": _RED,
            "lost-sight": _YELLOW,
            "other": _GREY,
            "better": _GREEN,
        },
    }
)
"""The colours of some columns, by the word in the cell."""
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Cell]).decode


class Xlsx(MadeAtEnd[R, T]):
    """The sheet ``summary``, then those of the kind of report."""

    def __init__(self, kind: Kind[R, T], _paper: Paper) -> None:
        table: Sheet[R] = Sheet(name="report", columns=kind.columns, rows=kind.rows)
        self._sheets = kind.sheets or (table,)
        self._overview = kind.overview

    def body(self, record: R) -> bytes:
        return self._lines(lambda sheet: sheet.rows(record))

    def foot(self, _totals: T) -> bytes:
        return self._lines(lambda sheet: sheet.last())

    def _lines(self, rows: Callable[[Sheet[R]], Iterable[Row]]) -> bytes:
        return b"".join(
            _encode((number, *map(shown, row))) + b"\n"
            for number, sheet in enumerate(self._sheets)
            for row in rows(sheet)
        )

    def require_installed(self) -> None:
        if importlib.util.find_spec("xlsxwriter") is None:
            raise SettingsError(
                "a report in xlsx needs an extra: pip install 'smtp-tls-prober[report]'"
            )

    def make(self, rows: BinaryIO, path: Path, totals: T) -> None:
        overview = () if self._overview is None else self._overview(totals)
        book = _Book(path, self._sheets)
        try:
            for line in rows:
                number, *cells = _decode(line)
                if isinstance(number, int):
                    book.sheets[number].add(cells)
            book.finish(overview)
        finally:
            book.close_temporary_files()


class _Book:
    """A workbook that keeps one row of each sheet in memory, the others in files beside it."""

    def __init__(self, path: Path, sheets: Iterable[Sheet[Any]]) -> None:
        import xlsxwriter

        options = {
            "constant_memory": True,
            "tmpdir": str(path.parent),
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        }
        self._book = xlsxwriter.Workbook(str(path), options)
        self._book.use_zip64()
        self._formats = {
            "time": self._book.add_format(_TIME),
            "text": self._book.add_format(_TEXT),
            "bold": self._book.add_format({"bold": True}),
        }
        self._summary = self._book.add_worksheet("summary")
        self.sheets = [
            _Table(self._book.add_worksheet(sheet.name), sheet, self._formats) for sheet in sheets
        ]

    def finish(self, overview: Iterable[Row]) -> None:
        """Write the summary and the file. Raises OSError."""
        from xlsxwriter.exceptions import XlsxWriterException

        for table in self.sheets:
            table.finish(self._book)
        sheet = self._summary
        sheet.set_column(0, 0, 30)
        sheet.set_column(1, 1, 80)
        for number, row in enumerate((*self._left_out(), *overview, *self._counts())):
            for column, cell in enumerate(row):
                _write(sheet, number, column, shown(cell), self._formats["text"])
        try:
            self._book.close()
        except XlsxWriterException as error:
            cause = error.args[0] if error.args else None
            raise (cause if isinstance(cause, OSError) else OSError(str(error))) from error

    def _left_out(self) -> Iterator[Row]:
        for table in self.sheets:
            if table.left_out:
                text = f"a sheet holds {MAX_ROWS:,} rows; CSV and JSON reports have all"
                yield f"NOT in sheet {table.name}", f"{table.left_out:,} rows: {text}"

    def _counts(self) -> Iterator[Row]:
        for table in self.sheets:
            yield f"rows in sheet {table.name}", table.written

    def close_temporary_files(self) -> None:
        """Also where the workbook could not be finished."""
        for sheet in self._book.worksheets():
            with contextlib.suppress(OSError):
                sheet.row_data_fh.close()


class _Table:
    """One sheet with the names of its columns on top."""

    def __init__(self, sheet: Any, about: Sheet[Any], formats: Mapping[str, Any]) -> None:
        self.name = about.name
        self.written = self.left_out = 0
        self._sheet = sheet
        self._columns = about.columns
        self._formats = formats
        self._times = [name in about.times for name in about.columns]
        for column, name in enumerate(about.columns):
            sheet.set_column(column, column, _width(name))
            _write(sheet, 0, column, shown(name), formats["bold"])

    def add(self, cells: Iterable[Cell]) -> None:
        """Write one row, unless the sheet is full."""
        if self.written == MAX_ROWS:
            self.left_out += 1
            return
        self.written += 1
        for column, (cell, is_time) in enumerate(zip(cells, self._times, strict=True)):
            time = _parse_time(cell) if is_time else None
            if time is None:
                _write(self._sheet, self.written, column, cell, self._formats["text"])
            else:
                self._sheet.write_datetime(self.written, column, time, self._formats["time"])

    def finish(self, book: Any) -> None:
        """Set what the reader works with: filters, the header that stays, colours."""
        last = max(self.written, 1)
        self._sheet.freeze_panes(1, 1)
        self._sheet.autofilter(0, 0, last, len(self._columns) - 1)
        for column, name in enumerate(self._columns):
            for word, colours in _COLOURS.get(name, {}).items():
                rule = {
                    "type": "cell",
                    "criteria": "==",
                    "value": f'"{word}"',
                    "format": book.add_format(colours),
                }
                self._sheet.conditional_format(1, column, last, column, rule)


def shown(cell: Cell) -> Cell:
    """*cell* as it can stand in a workbook: one line, no character that hides, not too long."""
    if cell is None or isinstance(cell, int):
        return cell
    text = printable(cell)
    # XlsxWriter copies such text into the file as XML: a peer could write formulas.
    if text.startswith("<r>") and text.endswith("</r>"):
        text = f"\\x3c{text[1:]}"
    units = text.encode("utf-16-le")
    if len(units) <= 2 * MAX_UNITS:
        return text
    return units[: 2 * (MAX_UNITS - len(_CUT))].decode("utf-16-le", "ignore") + _CUT


def _write(sheet: Any, row: int, column: int, cell: Cell, text_format: Any) -> None:
    if isinstance(cell, int):
        sheet.write_number(row, column, cell)
    elif cell:
        sheet.write_string(row, column, cell, text_format)


def _parse_time(cell: Cell) -> datetime | None:
    """The time in *cell*, without its zone, for which Excel has no place; None if that fails."""
    if not isinstance(cell, str):
        return None
    time = datetime.fromisoformat(cell).replace(tzinfo=None)
    return time if time.year >= _FIRST_YEAR else None


def _width(name: str) -> int:
    """Of a column, in characters."""
    return max(24 if name in _WIDE else 12, len(name) + 3)


_WIDE: Final = frozenset(
    {
        *("domain", "checked_at", "observed_at", "certificate_expires", "mx_hosts", "mx_host"),
        *("address", "findings", "reasons", "error", "code", "detail", "meaning", "advice", "norm"),
        "accepted",
    }
)
