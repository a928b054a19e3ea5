"""CSV for spreadsheets and scripts: one row a domain, or one an endpoint. docs/csv.md.

UTF-8, comma, lines end in LF: every spreadsheet reads that, and so do ``grep``, ``cut`` and
``diff``, which RFC 4180's CR LF troubles. A row is one line, whatever a peer sent.
"""

import csv
import io
from collections.abc import Iterable, Sequence

from prober.escape import printable
from prober.records import DomainReport
from prober.report.interface import Formatter
from prober.report.rows import (
    COLUMNS,
    ENDPOINT_COLUMNS,
    Cell,
    Row,
    list_cells,
    list_names,
    to_endpoint_rows,
    to_row,
)

# What a spreadsheet may take for a formula: OWASP, "CSV Injection", the full-width forms too.
_FORMULA_STARTS = frozenset("=+-@\t\r\uff1d\uff0b\uff0d\uff20")


class DomainCsv(Formatter):
    """One row per domain, with the *columns* of the list that was read at its end."""

    def __init__(self, columns: Sequence[str] = ()) -> None:
        self._columns = columns

    def head(self) -> bytes:
        return _encoded([(*COLUMNS, *list_names(self._columns))])

    def body(self, report: DomainReport) -> bytes:
        return _encoded([(*to_row(report), *list_cells(report, self._columns))])


class EndpointCsv(Formatter):
    """One row per endpoint; a domain without one has a row, too. *columns* as above."""

    def __init__(self, columns: Sequence[str] = ()) -> None:
        self._columns = columns

    def head(self) -> bytes:
        return _encoded([(*ENDPOINT_COLUMNS, *list_names(self._columns))])

    def body(self, report: DomainReport) -> bytes:
        cells = list_cells(report, self._columns)
        return _encoded((*row, *cells) for row in to_endpoint_rows(report))


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


def _encoded(rows: Iterable[Row]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([neutralised(cell) for cell in row] for row in rows)
    return buffer.getvalue().encode()
