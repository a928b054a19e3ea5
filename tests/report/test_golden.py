"""Whole reports, as a reader gets them. After a change on purpose:

UPDATE_GOLDEN=1 pytest tests/report/test_golden.py && git diff tests/report/golden
"""

import os
import re
from pathlib import Path

import pytest

from prober.report.output import ReportFormat, ReportStyle
from tests.report import samples
from tests.support.reports import open_report

GOLDEN = Path(__file__).parent / "golden"
REPORTS = {
    "answers.txt": ReportStyle(),
    "transcripts.txt": ReportStyle(transcripts=True),
    "scan.txt": ReportStyle(scan=True),
    "report.csv": ReportStyle(),
    "endpoints.csv": ReportStyle(per_endpoint=True),
    "report.jsonl": ReportStyle(),
    "report.json": ReportStyle(),
}
FORCED_TLS = re.compile("(?<=,not-tested,not-tested,)(yes|no|unknown)(?=,)")


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_is_as_it_was(tmp_path: Path, name: str) -> None:
    totals = samples.totals_of(*samples.all_samples())
    with open_report(tmp_path / name, style=REPORTS[name], totals=totals) as writer:
        for report in samples.all_samples():
            writer.write(report)

    written = (tmp_path / name).read_bytes().decode()
    if name == "report.csv":  # what that column says is for tests/rules
        written = FORCED_TLS.sub("*", written)
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / name).write_bytes(written.encode())
    assert written == (GOLDEN / name).read_bytes().decode()


def test_every_golden_file_is_tested() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(REPORTS)


def test_every_format_has_a_golden_file() -> None:
    assert {Path(name).suffix for name in REPORTS} == {".txt", ".csv", ".jsonl", ".json"}
    others = {"html", "xlsx"}  # test_html.py, test_xlsx.py
    assert set(ReportFormat) == {"text", "csv", "jsonl", "json"} | others
