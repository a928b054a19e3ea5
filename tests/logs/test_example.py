"""The example log beside the README: one message in clear, and the sentence that follows."""

from dataclasses import replace
from pathlib import Path

import pytest

from prober.report.json_ import encode_report
from tests.cli.commands import invoke
from tests.report.samples import passes
from tests.support.workbooks import csv_rows, read_sheets

EXAMPLE = Path(__file__).parents[2] / "mail.example.log"


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


@pytest.mark.parametrize("options", [(), ("--summary",)])
def test_a_workbook_has_what_csv_has(tmp_path: Path, options: tuple[str, ...]) -> None:
    book, table = tmp_path / "report.xlsx", tmp_path / "report.csv"
    invoke("logs", str(EXAMPLE), *options, "-o", str(book), "-o", str(table))

    assert read_sheets(book) == {"report": csv_rows(table.read_text())}
