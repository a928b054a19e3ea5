"""Workbooks, read back: the same as CSV, harmless, whole, and refused where they cannot be."""

import importlib.util
import json
import os
import re
import resource
import signal
import stat
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.errors import ReportError, ResumeError, SettingsError
from prober.files import Mark, ResumeFrom
from prober.records import DomainReport, Standing
from prober.report import xlsx
from prober.report.output import ReportFormat, ReportStyle
from prober.report.rows import COLUMNS, ENDPOINT_COLUMNS, FINDING_COLUMNS
from prober.report.xlsx import MAX_UNITS, shown
from tests.report import samples
from tests.support.reports import DomainWriter, formatter, open_report
from tests.support.workbooks import csv_rows, read_sheets, read_summary


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "report.xlsx"


def write(target: Path, *reports: DomainReport, style: ReportStyle | None = None) -> None:
    totals = samples.totals_of(*reports)
    with open_report(target, style=style, totals=totals) as writer:
        for report in map(samples.assessed, reports):
            writer.write(report)


def with_text(text: str) -> DomainReport:
    return samples.make_report(endpoints=(samples.make_endpoint(greeting=text),))


def greeting_of(target: Path) -> str:
    [row] = read_sheets(target)["endpoints"]
    return row["greeting"]


def xml_of(target: Path) -> str:
    """All sheets, and what they refer to, as they are in the file."""
    with zipfile.ZipFile(target) as book:
        names = [name for name in book.namelist() if "/worksheets/" in name]
        return "".join(book.read(name).decode() for name in names)


@pytest.mark.parametrize("per_endpoint", [False, True], ids=["domains", "endpoints"])
def test_the_sheets_have_what_csv_has(target: Path, per_endpoint: bool) -> None:
    write(target, *samples.all_samples())

    written = formatter(ReportFormat.CSV, per_endpoint=per_endpoint)
    body = b"".join(map(written.body, samples.all_samples()))
    expected = csv_rows((written.head() + body).decode())
    assert read_sheets(target)["endpoints" if per_endpoint else "domains"] == expected


def test_the_sheets_agree_with_the_records_on_standing_level_and_reasons(target: Path) -> None:
    write(target, *samples.all_samples())

    sheets = read_sheets(target)
    found = [(row["standing"], row["level"], row["reasons"].split()) for row in sheets["domains"]]
    assert found == [
        (report.standing, report.verdict.level, list(report.reasons))
        for report in samples.all_samples()
    ]
    findings = [found.code for report in samples.all_samples() for found in report.findings]
    assert sorted(row["code"] for row in sheets["findings"]) == sorted(findings)
    assert {row["standing"] for row in sheets["findings"]} <= {str(each) for each in Standing}


def test_the_summary_counts_what_the_sheets_hold(target: Path) -> None:
    write(target, *samples.all_samples())

    summary, sheets = read_summary(target), read_sheets(target)
    meets = sum(row["standing"] == "meets" for row in sheets["domains"])
    assert summary["domains"] == len(sheets["domains"])
    assert summary["PASS (meets)"] == meets
    assert summary["level none"] == sum(row["level"] == "none" for row in sheets["domains"])
    for name, rows in sheets.items():
        assert summary[f"rows in sheet {name}"] == len(rows)


def test_a_run_without_a_report_gives_a_workbook_without_rows(target: Path) -> None:
    write(target)

    book = openpyxl.load_workbook(target)
    columns = {"domains": COLUMNS, "endpoints": ENDPOINT_COLUMNS, "findings": FINDING_COLUMNS}
    assert book.sheetnames == ["summary", *columns]
    for name, expected in columns.items():
        assert list(book[name].values) == [expected]
    assert read_summary(target)["domains"] == 0


def test_each_sheet_has_filters_a_fixed_header_and_colours(target: Path) -> None:
    write(target, *samples.all_samples())

    book = openpyxl.load_workbook(target)
    for name in ("domains", "endpoints", "findings"):
        sheet = book[name]
        assert sheet.freeze_panes == "B2"
        assert sheet.auto_filter.ref == sheet.dimensions
    coloured = {
        (rule.formula[0].strip('"'), rule.dxf.fill.bgColor.rgb)
        for rules in book["domains"].conditional_formatting
        for rule in rules.rules
    }
    assert {word for word, _ in coloured} == {str(each) for each in Standing}
    assert len({colour for _, colour in coloured}) == 4


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("checked_at", datetime(2026, 1, 2, 3, 4, 5)),  # noqa: DTZ001 # Excel has no zones
        ("certificate_expires", datetime(2026, 3, 3, 4, 4, 5)),  # noqa: DTZ001
    ],
)
def test_times_are_dates_and_say_that_they_are_utc(
    target: Path, column: str, expected: datetime
) -> None:
    write(target, samples.passes())

    sheet = openpyxl.load_workbook(target)["domains"]
    cell = sheet.cell(2, COLUMNS.index(column) + 1)
    assert cell.value == expected
    assert "UTC" in cell.number_format


@pytest.mark.parametrize("year", [1, 1850, 1900, 1901, 9999])
def test_a_time_that_excel_cannot_show_is_text(target: Path, year: int) -> None:
    ends = datetime(year, 1, 2, 3, 4, 5, tzinfo=UTC)
    certificate = samples.make_certificate(not_after=ends)
    write(target, samples.make_report(endpoints=(samples.make_endpoint(certificate=certificate),)))

    [row] = read_sheets(target)["domains"]
    assert row["certificate_expires"] == f"{year:04}-01-02T03:04:05Z"


HOSTILE = {
    "formula": "=cmd|' /C calc'!A0",
    "plus": "+1+1",
    "at": "@SUM(1)",
    "array": "{=1+1}",
    "url": "https://evil.example/",
    "mailto": "mailto:a@evil.example",
    "local": "internal:domains!A1",
    "number": "1e5",
    "markup": "</t></is></c><c r='A9'><f>1+1</f></c>&amp;<![CDATA[",
    "escape": "_x202E_ _x0000_",
    "spaces": "  two  ",
    "wide": "\U0001f600 \u00e9",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_text_of_a_peer_stays_text(target: Path, text: str) -> None:
    write(target, with_text(text))

    assert "<f>" not in xml_of(target)
    assert "hyperlink" not in xml_of(target)
    assert greeting_of(target) in (text, text.replace("_x", "_x005F_x"))  # as openpyxl leaves it
    cell = openpyxl.load_workbook(target)["endpoints"].cell(
        2, ENDPOINT_COLUMNS.index("greeting") + 1
    )
    assert (cell.data_type, cell.hyperlink, cell.number_format) == ("s", None, "@")


@pytest.mark.parametrize(
    "text",
    [
        "<r><t>x</t></r>",
        '<r></r></is></c></row><row r="9"><c r="A9"><f>1+1</f></c></row><row r="10"><c><is><r></r>',
    ],
)
def test_markup_of_rich_text_is_not_written_as_such(target: Path, text: str) -> None:
    write(target, with_text(text))

    assert "<f>" not in xml_of(target)
    assert greeting_of(target) == f"\\x3c{text[1:]}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x00\x1b[2J\x9b", "\\x00\\x1b[2J\\x9b"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\ud800", "\\ud800"),
        ("\ufffe\uffff", "\\ufffe\\uffff"),
        ("a\r\nb\u2028", "a\\x0d\\x0ab\\u2028"),
    ],
)
def test_what_does_not_print_is_escaped(target: Path, text: str, expected: str) -> None:
    write(target, with_text(text))

    assert greeting_of(target) == expected


@pytest.mark.parametrize("letter", ["x", "\u00e9", "\U0001f600", "\u202e"])
def test_what_is_too_long_for_a_cell_is_cut_with_a_mark(target: Path, letter: str) -> None:
    report = replace(with_text(letter * 1_000_000), domain=None, input=letter * 1_000_000)
    write(target, report)

    for text in (greeting_of(target), read_sheets(target)["domains"][0]["domain"]):
        assert text.endswith(" [cut]")
        assert MAX_UNITS - 8 < len(text.encode("utf-16-le")) // 2 <= MAX_UNITS


@pytest.mark.parametrize("length", [MAX_UNITS - 1, MAX_UNITS])
def test_what_just_fits_is_not_cut(length: int) -> None:
    assert shown("x" * length) == "x" * length


@given(text=st.text(st.characters(codec=None)) | st.text("<r>/_x0\U0001f600\x00="))
def test_any_text_fits_in_a_cell(text: str) -> None:
    cell = shown(text)

    assert isinstance(cell, str)
    assert cell.isprintable()
    assert len(cell.encode("utf-16-le")) <= 2 * MAX_UNITS
    assert not (cell.startswith("<r>") and cell.endswith("</r>"))


def test_a_sheet_that_is_full_leaves_rows_out_and_says_so(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xlsx, "MAX_ROWS", 10)
    write(target, *samples.all_samples())

    sheets, summary = read_sheets(target), read_summary(target)
    assert {name: len(rows) for name, rows in sheets.items()} == dict.fromkeys(sheets, 10)
    assert summary["NOT in sheet domains"] == (
        "5 rows: a sheet holds 10 rows; CSV and JSON reports have all"
    )
    assert str(summary["NOT in sheet endpoints"]).startswith("24 rows")
    assert summary["domains"] == 15
    assert summary["rows in sheet domains"] == 10
    assert next(iter(summary)).startswith("NOT in sheet")


def test_the_columns_of_a_list_are_in_every_sheet(target: Path) -> None:
    report = replace(samples.fails(), columns={"=owner": "=Ann"})
    write(target, report, style=ReportStyle(columns=("=owner",)))

    for rows in read_sheets(target).values():
        assert rows
        assert {row["list_=owner"] for row in rows} == {"=Ann"}


def test_the_file_appears_when_it_is_whole_and_nothing_else_is_left(target: Path) -> None:
    target.write_text("old")
    target.chmod(0o640)
    with open_report(target) as writer:
        writer.write(samples.passes())
        assert target.read_text() == "old"

    assert os.listdir(target.parent) == [target.name]
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert len(read_sheets(target)["domains"]) == 1


def test_a_stopped_run_leaves_its_rows_as_json_lines(target: Path) -> None:
    mark = stopped_after_a_row(target)

    partial = target.with_name("report.xlsx.partial")
    rows = [json.loads(line) for line in partial.read_text().splitlines()]
    assert rows[0][:2] == [0, "example.com"]
    assert os.listdir(target.parent) == [partial.name]
    assert mark.size == partial.stat().st_size


def stopped_after_a_row(target: Path) -> Mark:
    writer = open_report(target)
    writer.write(samples.passes())
    mark = marked(writer)
    writer.abandon()
    return mark


def marked(writer: DomainWriter) -> Mark:
    assert writer.mark is not None
    return writer.mark


def test_a_stopped_run_is_gone_on_with(target: Path) -> None:
    mark = stopped_after_a_row(target)
    with open_report(target, resume_from=ResumeFrom(mark)) as writer:
        writer.write(samples.fails())

    domains = [row["domain"] for row in read_sheets(target)["domains"]]
    assert domains == ["example.com", "fails.example"]
    assert os.listdir(target.parent) == [target.name]


def test_a_run_killed_when_the_workbook_was_just_made_is_gone_on_with(target: Path) -> None:
    writer = open_report(target)
    writer.write(samples.passes())
    mark = marked(writer)
    writer.finish()  # and the checkpoint is not removed yet
    with pytest.raises(ReportError, match="another run is writing it"):
        open_report(target, resume_from=ResumeFrom(mark))
    writer.abandon()  # by the end of the process

    with open_report(target, resume_from=ResumeFrom(mark)):
        pass
    assert len(read_sheets(target)["domains"]) == 1
    assert os.listdir(target.parent) == [target.name]


def test_rows_that_were_changed_are_not_gone_on_with(target: Path) -> None:
    mark = stopped_after_a_row(target)
    target.with_name("report.xlsx.partial").write_bytes(b"x" * mark.size)

    with pytest.raises(ResumeError, match="is not as the run left it"):
        open_report(target, resume_from=ResumeFrom(mark))


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """A file that grows beyond *size* is an error, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_where_the_disk_is_full_the_old_report_and_the_rows_stay(target: Path) -> None:
    target.write_text("old")
    writer = open_report(target)
    for _ in range(50):
        writer.write(samples.passes())
    with files_no_larger_than(1000), pytest.raises(ReportError, match="raise the limit"):
        writer.finish()

    assert target.read_text() == "old"
    assert sorted(os.listdir(target.parent)) == ["report.xlsx", "report.xlsx.partial"]
    assert writer.left == writer.partial


def test_what_a_killed_run_left_half_made_is_removed(target: Path) -> None:
    left = target.with_name(f"report.xlsx.{'0' * 32}.tmp")
    left.mkdir()
    (left / "draft").touch()
    other = target.with_name(f"other.xlsx.{'0' * 32}.tmp")
    other.mkdir()
    write(target, samples.passes())

    assert sorted(os.listdir(target.parent)) == sorted([target.name, other.name])


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/null"])
def test_a_workbook_goes_to_a_file_only(name: str) -> None:
    where = "stdout" if name == "-" else name
    message = f"{where}: xlsx can only be written to a file: --output FILE.xlsx"
    with pytest.raises(SettingsError, match=re.escape(message)):
        open_report(name, ReportFormat.XLSX)


def test_without_the_extra_it_says_what_to_install(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    message = "a report in xlsx needs an extra: pip install 'smtp-tls-prober[report]'"
    with pytest.raises(SettingsError, match=re.escape(message)):
        open_report(target)
    assert os.listdir(target.parent) == []


def test_rows_are_formatted_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers on other machines need not have it."""
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    assert formatter(ReportFormat.XLSX).body(samples.passes()).startswith(b'[0,"example.com",')
