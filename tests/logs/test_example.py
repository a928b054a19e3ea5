"""The example log of the demo: one message in clear, and the sentence that follows."""

from dataclasses import replace
from pathlib import Path

from prober.lab.demo import MAIL_LOG as EXAMPLE
from prober.report.json_ import encode_report
from tests.cli.commands import invoke
from tests.report.samples import passes
from tests.support.workbooks import csv_rows, read_sheets, read_summary


def test_the_example_has_one_message_in_clear(tmp_path: Path) -> None:
    results = tmp_path / "demo.jsonl"
    results.write_bytes(encode_report(replace(passes(), domain="well-configured.test")))
    ended = invoke("logs", str(EXAMPLE), "--results", str(results))
    assert ended.out.startswith(
        "1 of 2 messages left in clear, without encryption. 1 more was held back."
    )
    assert "well-configured.test: offered TLS 1.3 on every server" in ended.out
    assert "jane" not in ended.out
    assert "not understood" not in ended.out
    assert ended.status == 1


def test_a_workbook_has_what_csv_has(tmp_path: Path) -> None:
    book, table, weeks = tmp_path / "r.xlsx", tmp_path / "r.csv", tmp_path / "weeks.csv"
    invoke("logs", str(EXAMPLE), "-o", str(book), "-o", str(table))
    invoke("logs", str(EXAMPLE), "--summary", "-o", str(weeks))

    sheets, rows = read_sheets(book), csv_rows(table.read_text())
    assert list(sheets) == ["in clear", "report", "weeks", "advice"]
    assert sheets["report"] == rows
    assert sheets["in clear"] == [row for row in rows if row["tls"] == "clear"]
    assert sheets["weeks"] == csv_rows(weeks.read_text())
    summary = read_summary(book)
    assert summary["answer"] == "1 of 2 messages left in clear, without encryption. 1 more was "\
        "held back."  # fmt: skip
    assert (summary["messages"], summary["clear"], summary["encrypted"]) == (3, 1, 1)


def test_a_workbook_of_the_counts_has_what_csv_has(tmp_path: Path) -> None:
    book, table = tmp_path / "report.xlsx", tmp_path / "report.csv"
    invoke("logs", str(EXAMPLE), "--summary", "-o", str(book), "-o", str(table))

    assert read_sheets(book) == {"weeks": csv_rows(table.read_text()), "advice": []}
