"""CSV for spreadsheets and scripts, of any rows. docs/csv.md.

UTF-8, comma, lines end in LF: every spreadsheet reads that, and so do ``grep``, ``cut`` and
``diff``, which RFC 4180's CR LF troubles. A row is one line, whatever a peer sent.
"""

import csv
import io
from collections.abc import Iterable

from prober.escape import printable
from prober.report.interface import Cell, Formatter, Kind, Paper, R, Row, T

# What a spreadsheet may take for a formula: OWASP, "CSV Injection", the full-width forms too.
_FORMULA_STARTS = frozenset("=+-@\t\r\uff1d\uff0b\uff0d\uff20")


class Csv(Formatter[R, T]):
    """The names of the columns, then the rows of each record."""

    def __init__(self, kind: Kind[R, T], _paper: Paper) -> None:
        self._kind = kind

    def head(self) -> bytes:
        return to_csv([self._kind.columns])

    def body(self, record: R) -> bytes:
        return to_csv(self._kind.rows(record))


def to_csv(rows: Iterable[Row]) -> bytes:
    """*rows* as CSV, each on one line, each cell harmless."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([neutralised(cell) for cell in row] for row in rows)
    return buffer.getvalue().encode()


def neutralised(cell: Cell) -> str:
    """*cell* as text that no spreadsheet evaluates and no terminal obeys.

    An apostrophe stands before what looks like a formula, also behind spaces. A number is our
    own and stays one: ``-3`` days.
    """
    if cell is None:
        return ""
    if isinstance(cell, int):
        return str(cell)
    text = printable(cell)
    return f"'{text}" if cell.lstrip(" ")[:1] in _FORMULA_STARTS else text
