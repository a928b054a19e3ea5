import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prober.records import DomainReport
from prober.report.csv_ import neutralised
from prober.report.interface import Cell
from prober.report.output import ReportFormat
from prober.report.rows import COLUMNS, ENDPOINT_COLUMNS
from prober.rules.totals import Totals
from tests.report.strategies import reports
from tests.support.reports import DomainFormatter, formatter

FORMULA_STARTS = tuple("=+-@\t\r")


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        pytest.param("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0", id="equals"),
        pytest.param("+1", "'+1", id="plus"),
        pytest.param("-1", "'-1", id="minus"),
        pytest.param("@SUM(A1)", "'@SUM(A1)", id="at"),
        pytest.param("\t=1", "'\\x09=1", id="tab"),
        pytest.param("\r=1", "'\\x0d=1", id="cr"),
        pytest.param("  =1", "'  =1", id="behind-spaces"),
        pytest.param("\uff1d1", "'\uff1d1", id="full-width"),
        pytest.param("a\x00\r\nb", "a\\x00\\x0d\\x0ab", id="control"),
        pytest.param("a=b", "a=b", id="harmless"),
        pytest.param("", "", id="empty"),
        pytest.param(None, "", id="nothing"),
        pytest.param(-3, "-3", id="a-number-of-our-own"),
    ],
)
def test_no_cell_is_a_formula(cell: Cell, shown: str) -> None:
    assert neutralised(cell) == shown


@given(st.text(st.characters()))
def test_no_text_whatever_is_a_formula(text: str) -> None:
    shown = neutralised(text)

    assert not shown.lstrip().startswith(FORMULA_STARTS)
    assert shown.isprintable()


@pytest.mark.parametrize(
    ("csv_", "columns"),
    [
        (formatter(ReportFormat.CSV), COLUMNS),
        (formatter(ReportFormat.CSV, per_endpoint=True), ENDPOINT_COLUMNS),
    ],
    ids=["domains", "endpoints"],
)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(report=reports())
def test_any_report_is_whole_rows_of_harmless_cells(
    csv_: DomainFormatter, columns: tuple[str, ...], report: DomainReport
) -> None:
    text = (csv_.head() + csv_.body(report) + csv_.foot(Totals())).decode()
    rows = list(csv.reader(io.StringIO(text, newline="")))

    assert tuple(rows[0]) == columns
    assert len(rows) == text.count("\n")  # a row is a line
    assert len(rows) > 1
    for row in rows[1:]:
        assert len(row) == len(columns)
        for cell in row:
            assert cell.isprintable()
            assert not cell.startswith(FORMULA_STARTS) or cell.removeprefix("-").isdecimal()
