"""The example log beside the README: one message in clear, and the sentence that follows."""

from dataclasses import replace
from pathlib import Path

import pytest

from prober.report.json_ import encode_report
from tests.cli.commands import invoke
from tests.logs.test_tls_report import RAW
from tests.report.samples import passes

EXAMPLE = Path(__file__).parents[2] / "mail.example.log"


def test_the_example_has_one_message_in_clear(tmp_path: Path) -> None:
    results = tmp_path / "demo.jsonl"
    results.write_bytes(encode_report(replace(passes(), domain="well-configured.test")))
    ended = invoke("logs", str(EXAMPLE), "--results", str(results))
    assert ended.out.startswith("1 of 2 messages left in clear. 1 was held back.")
    assert "well-configured.test: offered TLS on every server" in ended.out
    assert "jane" not in ended.out
    assert "not understood" not in ended.out
    assert ended.status == 1


@pytest.mark.parametrize("options", [(), ("--summary",), ("--tls-report",)])
def test_it_writes_no_workbook(tmp_path: Path, options: tuple[str, ...]) -> None:
    log = tmp_path / "log.json"
    log.write_bytes(RAW)
    ended = invoke("logs", str(log), "-o", str(tmp_path / "report.xlsx"), *options)

    complaint = "probe: probe logs writes no xlsx: use csv, which spreadsheet programs read, too\n"
    assert (ended.status, ended.err) == (2, complaint)
    assert [path.name for path in tmp_path.iterdir()] == ["log.json"]
