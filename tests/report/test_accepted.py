"""Accepted exceptions in reports: every format names the same ones, and none calls them PASS."""

import csv
import io
import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from prober.records import AcceptedException, DomainReport, Level, Standing
from prober.report.json_ import read_reports
from prober.report.letter import write_letter
from prober.report.output import ReportFormat, ReportStyle
from prober.report.rejudged import Rejudged
from prober.report.summary import counts_line, summary_lines, uncovered_lines
from prober.report.words import accepted_words
from prober.rules.accepted import ExceptionState
from prober.rules.totals import Totals
from tests.report import samples
from tests.report.pages import arranged, read_page
from tests.support.reports import formatter, open_report
from tests.support.workbooks import read_sheets, read_summary

WORDS = "level none until 2027-03-31, by J. Doe, privacy officer: New server in March (ticket 4711)"
REPORTS = samples.all_samples()


def accepted(what: str = "none", **changes: object) -> DomainReport:
    """A report with an exception, of which *changes* names the fields."""
    report = samples.accepted()
    assert report.accepted is not None
    exception = replace(report.accepted, what=Level(what), **changes)  # type: ignore[arg-type]
    return samples.assessed(replace(report, accepted=exception))


def test_what_is_accepted_in_words() -> None:
    exception = samples.accepted().accepted
    assert exception is not None
    assert accepted_words(exception) == WORDS


@pytest.mark.parametrize(
    "style",
    [ReportStyle(), ReportStyle(scan=True), ReportStyle(transcripts=True)],
    ids=["answer", "scan", "verbose"],
)
def test_text_says_who_accepts_it(tmp_path: Path, style: ReportStyle) -> None:
    report = samples.assessed(samples.accepted())
    path = tmp_path / "report.txt"
    with open_report(path, style=style, totals=samples.totals_of(report)) as writer:
        writer.write(report)

    text = " ".join(path.read_text().split())
    assert "FAIL" in text
    assert "PASS" not in text
    assert f"ccepted: {WORDS}" in text


def test_a_text_report_without_an_exception_does_not_speak_of_any() -> None:
    body = formatter(ReportFormat.TEXT).body(samples.assessed(samples.fails()))
    assert b"ccepted" not in body


def write(folder: Path, *reports: DomainReport) -> dict[str, Path]:
    paths = {kind: folder / f"report.{kind}" for kind in ("csv", "json", "jsonl", "html", "xlsx")}
    totals = samples.totals_of(*reports)
    for path in paths.values():
        with open_report(path, totals=totals) as writer:
            for report in reports:
                writer.write(samples.assessed(report))
    return paths


def test_all_formats_agree_on_what_is_accepted(tmp_path: Path) -> None:
    paths = write(tmp_path, *REPORTS)
    expected = {"accepted.example": WORDS}

    rows = list(csv.DictReader(paths["csv"].read_text().splitlines()))
    assert {row["domain"]: row["accepted"] for row in rows if row["accepted"]} == expected
    for kind in ("json", "jsonl"):
        found = list(read_reports(io.BytesIO(paths[kind].read_bytes())))
        words = {each.domain: accepted_words(each.accepted) for each in found if each.accepted}
        assert words == expected
        assert {each.standing for each in found if each.accepted} == {Standing.FALLS_SHORT}
    sheets = read_sheets(paths["xlsx"])
    of_domains = {row["domain"]: row["accepted"] for row in sheets["domains"] if row["accepted"]}
    of_findings = {row["domain"]: row["accepted"] for row in sheets["findings"] if row["accepted"]}
    assert of_domains == of_findings == expected
    page = read_page(paths["html"].read_bytes()).text
    assert page.count(WORDS) == 2  # in the summary, and in the section of the domain


def test_json_has_every_field_of_the_exception() -> None:
    line = formatter(ReportFormat.JSONL).body(samples.assessed(samples.accepted()))
    assert json.loads(line)["accepted"] == {
        "domain": "accepted.example",
        "what": "none",
        "why": "New server in March (ticket 4711)",
        "by": "J. Doe, privacy officer",
        "until": "2027-03-31",
    }
    line = formatter(ReportFormat.JSONL).body(samples.assessed(samples.fails()))
    assert json.loads(line)["accepted"] is None


def test_totals_say_how_many_of_those_that_fall_short_are_accepted(tmp_path: Path) -> None:
    reports = (samples.accepted(), samples.fails(), samples.passes())
    paths, totals = write(tmp_path, *reports), samples.totals_of(*reports)

    assert counts_line(totals) == "3 domains: 1 PASS, 2 FAIL (1 accepted)"
    lines = summary_lines(totals)
    assert lines[lines.index("Accepted exceptions:") + 1] == (
        f"  accepted.example: ACCEPTED. L{WORDS[1:]}."
    )
    assert not any("accepted.example" in line for line in noted(lines))
    summary = read_summary(paths["xlsx"])
    assert (summary["FAIL (falls-short)"], summary["FAIL, accepted"]) == (2, 1)
    assert summary["accepted exception"] == f"accepted.example: ACCEPTED. L{WORDS[1:]}."
    page = " ".join(read_page(paths["html"].read_bytes()).text.split())
    assert "2 FAIL 1 of them accepted" in page


def noted(lines: tuple[str, ...]) -> tuple[str, ...]:
    """The lines on the worst domains."""
    begin = lines.index("Worst:") + 1
    return lines[begin : begin + 1]


def test_html_lists_what_is_accepted_apart_and_marks_the_row() -> None:
    page = arranged(samples.assessed(samples.accepted()), samples.assessed(samples.fails()))
    text = " ".join(read_page(page).text.split())

    assert "Accepted exceptions" in text
    worst, _, rest = text.partition("Accepted exceptions")
    assert "fails.example" in worst
    assert "accepted.example" not in worst
    assert "Accepted until 2027-03-31" in rest
    assert rest.index("fails.example") < rest.rindex("accepted.example")  # after what is not


def test_html_without_an_exception_has_no_such_part() -> None:
    page = read_page(arranged(samples.assessed(samples.fails()))).text
    assert "Accepted" not in page
    assert "accepted" not in page


def test_the_letter_to_a_partner_says_nothing_of_the_exception() -> None:
    report = samples.assessed(samples.accepted())
    assert "4711" not in write_letter(report).text
    style = ReportStyle(letter=True)
    assert b"4711" not in formatter(ReportFormat.HTML, style=style).body(report)


HOSTILE = samples.HOSTILE


@pytest.mark.parametrize("format_", list(ReportFormat))
def test_hostile_text_of_an_exception_is_harmless(format_: ReportFormat) -> None:
    report = accepted(why=HOSTILE, by=f"<b>{HOSTILE}")
    written = formatter(format_).body(report).decode()

    assert all(each.isprintable() for each in written.replace("\n", ""))
    assert "<b>" not in written or format_ is not ReportFormat.HTML


STATES = {
    "a.example": ExceptionState.APPLIES,
    "b.example": ExceptionState.ENDED,
    "c.example": ExceptionState.EXCEEDED,
    "d.example": ExceptionState.NOT_NEEDED,
}
GIVEN = {
    name: AcceptedException(
        domain=name, what=Level.PARTIAL, why="why", by="J. Doe", until=date(2026, 1, 1)
    )
    for name in (*STATES, "nowhere.example")
}


def test_an_exception_that_does_not_cover_its_domain_is_named() -> None:
    assert list(uncovered_lines(GIVEN, Totals(exceptions=STATES))) == [
        "b.example: NOT ACCEPTED. The exception by J. Doe ended on 2026-01-01.",
        "c.example: NOT ACCEPTED. The exception by J. Doe accepts level partial, which "
        "does not cover the level that was found.",
    ]


def test_an_exception_that_the_judgement_of_today_is_worse_than_is_named() -> None:
    now, rejudged = accepted(), Rejudged()
    then = replace(now, verdict=replace(now.verdict, level=Level.PARTIAL))
    rejudged.note(then, replace(now, accepted=None))
    assert "the exception by J. Doe, privacy officer no longer covers it" in "".join(
        rejudged.lines()
    )
