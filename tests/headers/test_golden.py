"""Whole reports of `probe headers`, as a reader gets them. After a change on purpose:

UPDATE_GOLDEN=1 pytest tests/headers/test_golden.py && git diff tests/headers/golden
"""

import os
from pathlib import Path

import pytest

from prober.report.output import ReportFormat
from tests.headers.builders import TLS, line
from tests.headers.test_output import BELOW, CLEAR, ENCRYPTED, HOSTILE, SILENT, eml, invoke, mbox
from tests.support.workbooks import csv_rows, read_sheets

GOLDEN = Path(__file__).parent / "golden"
CLAIMED = line("x.example.org", "198.51.100.7", by="out.example.net", tls=TLS)
MESSAGES = mbox(
    eml(ENCRYPTED),
    eml(CLEAR, name="2@example.net"),
    eml(SILENT, name="3@example.net"),
    eml(ENCRYPTED, BELOW, name="4@example.net"),
    eml(ENCRYPTED, CLAIMED, name="5@example.net"),
    eml(HOSTILE, name="=1+1\x1b[31m\u202e\u00e9\U0001f600"),
    eml(name="6@example.net"),
)
NO_TEXT = {ReportFormat.HTML, ReportFormat.XLSX}  # messages have no page; a zip has dates
FORMATS = [each for each in ReportFormat if each not in NO_TEXT]
REPORTS = {
    "messages": ((), MESSAGES),
    "hops": (("--per-hop",), MESSAGES),
    "summary": (("--summary",), MESSAGES),
    "alone": ((), eml(ENCRYPTED, BELOW)),
}


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("name", REPORTS)
def test_a_report_is_as_it_was(name: str, format_: ReportFormat) -> None:
    options, messages = REPORTS[name]
    written = invoke("-", *options, "--format", format_, stdin=messages)[1]

    golden = GOLDEN / f"{name}.{format_}"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_bytes(written.encode())
    assert written == golden.read_bytes().decode()


@pytest.mark.parametrize("name", REPORTS)
def test_a_workbook_has_what_csv_has(name: str, tmp_path: Path) -> None:
    options, messages = REPORTS[name]
    target = tmp_path / "report.xlsx"
    invoke("-", *options, "-o", str(target), stdin=messages)

    expected = csv_rows((GOLDEN / f"{name}.csv").read_bytes().decode())
    assert read_sheets(target) == {"report": expected}


def test_every_golden_file_is_tested() -> None:
    names = {f"{name}.{format_}" for name in REPORTS for format_ in FORMATS}
    assert {path.name for path in GOLDEN.iterdir()} == names
