import os
import stat
import sys
from pathlib import Path

import pytest

from prober.errors import ReportError, SettingsError
from prober.report.json_ import decode_report
from prober.report.output import ReportFormat, ReportStyle, choose_format
from tests.report import samples
from tests.support.reports import formatter, open_report

CSV = formatter(ReportFormat.CSV)
ROW = CSV.body(samples.passes()).decode()
WHOLE = CSV.head().decode() + ROW


@pytest.mark.parametrize(
    ("target", "format_"),
    [
        ("-", ReportFormat.TEXT),
        ("a/report.csv", ReportFormat.CSV),
        ("report.CSV", ReportFormat.CSV),
        ("report.json", ReportFormat.JSON),
        ("report.jsonl", ReportFormat.JSONL),
        ("report.2026.ndjson", ReportFormat.JSONL),
        ("report.txt", ReportFormat.TEXT),
        ("report.xlsx", ReportFormat.XLSX),
    ],
)
def test_the_extension_says_the_format(target: str, format_: ReportFormat) -> None:
    assert choose_format(target) is format_


@pytest.mark.parametrize("target", ["report.ods", "report", ".csv", "csv", "/dev/full", "a\x1b"])
def test_no_known_extension_is_an_error_that_names_the_choices(target: str) -> None:
    with pytest.raises(SettingsError) as caught:
        open_report(target)

    assert ".txt .json .jsonl .ndjson .csv" in str(caught.value)
    assert "text, json, jsonl, csv" in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_format_that_is_given_beats_the_extension(tmp_path: Path) -> None:
    target = tmp_path / "report.csv"
    with open_report(target, ReportFormat.JSONL) as writer:
        writer.write(samples.passes())

    assert decode_report(target.read_bytes()) == samples.passes()


def test_the_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    target, partial = tmp_path / "report.csv", tmp_path / "report.csv.partial"
    writer = open_report(target)
    assert writer.partial == partial
    assert writer.left is None
    assert partial.read_text() == ""  # claimed before the scan begins

    writer.write(samples.passes())
    assert partial.read_text() == WHOLE  # out at once
    assert writer.left == partial
    assert not target.exists()

    writer.finish()
    assert target.read_text() == WHOLE
    assert not partial.exists()


def test_a_scan_of_nothing_still_has_its_columns(tmp_path: Path) -> None:
    open_report(tmp_path / "report.csv").finish()

    assert (tmp_path / "report.csv").read_bytes() == CSV.head()


def test_a_run_that_fails_leaves_the_old_report_and_its_own_rows(tmp_path: Path) -> None:
    target = tmp_path / "report.csv"
    target.write_text("old")

    def run() -> None:
        with open_report(target) as writer:
            writer.write(samples.passes())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()

    assert target.read_text() == "old"
    assert (tmp_path / "report.csv.partial").read_text() == WHOLE


def test_what_is_left_is_a_file_that_is_there(tmp_path: Path) -> None:
    finished, empty = open_report(tmp_path / "a.csv"), open_report(tmp_path / "b.jsonl")
    finished.write(samples.passes())
    finished.finish()
    empty.write_rows(b"")
    empty.abandon()

    assert (finished.left, empty.left) == (None, None)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_run_that_saw_nothing_leaves_nothing(tmp_path: Path) -> None:
    open_report(tmp_path / "report.csv").abandon()

    assert list(tmp_path.iterdir()) == []


def test_rows_of_an_earlier_run_are_put_aside_not_destroyed(tmp_path: Path) -> None:
    target, partial = tmp_path / "report.csv", tmp_path / "report.csv.partial"
    for number in (1, 2):
        partial.write_text(f"rows of run {number}")
        writer = open_report(target)
        writer.write(samples.passes())
        writer.finish()
        assert writer.kept == tmp_path / f"report.csv.partial.{number}"

    assert target.read_text() == WHOLE
    assert (tmp_path / "report.csv.partial.1").read_text() == "rows of run 1"
    assert (tmp_path / "report.csv.partial.2").read_text() == "rows of run 2"


def test_an_empty_partial_file_is_nothing_to_keep(tmp_path: Path) -> None:
    (tmp_path / "report.csv.partial").touch()

    with open_report(tmp_path / "report.csv") as writer:
        assert writer.kept is None

    assert [path.name for path in tmp_path.iterdir()] == ["report.csv"]


def test_a_finished_report_takes_no_more(tmp_path: Path) -> None:
    writer = open_report(tmp_path / "report.csv")
    writer.finish()
    writer.finish()
    writer.abandon()

    with pytest.raises(ValueError, match="finished or abandoned"):
        writer.write(samples.passes())
    assert (tmp_path / "report.csv").exists()


def test_a_report_that_cannot_be_ended_is_abandoned(tmp_path: Path) -> None:
    target = tmp_path / "report.csv"
    writer = open_report(target)
    writer.write(samples.passes())
    target.mkdir()

    with pytest.raises(ReportError, match="is a folder"):
        writer.finish()

    assert (tmp_path / "report.csv.partial").read_text() == WHOLE


def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    target, link = tmp_path / "store" / "report.csv", tmp_path / "latest.csv"
    target.write_text("old")
    link.symlink_to(target)

    with open_report(link) as writer:
        writer.write(samples.passes())

    assert link.is_symlink()
    assert target.read_text() == WHOLE


def test_the_new_report_has_the_permissions_of_the_old(tmp_path: Path) -> None:
    target = tmp_path / "report.csv"
    target.touch()
    target.chmod(0o640)

    open_report(target).finish()

    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_stdout_streams_text_by_default(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    writer = open_report("-")
    assert (writer.partial, writer.kept) == (None, None)

    writer.write(samples.null_mx())
    assert capsysbinary.readouterr().out.startswith(b"null.example: The domain states that")

    writer.write(samples.nowhere())
    writer.finish()
    assert capsysbinary.readouterr().out.startswith(b"\ntypo.example: ")


@pytest.mark.parametrize(
    ("format_", "style", "begin"),
    [
        (ReportFormat.CSV, ReportStyle(), b"domain,checked_at,encrypted,"),
        (ReportFormat.CSV, ReportStyle(per_endpoint=True), b"domain,checked_at,level,mx_host,"),
        (ReportFormat.JSON, ReportStyle(), b'{\n  "schema": 1,\n'),
        (ReportFormat.JSONL, ReportStyle(), b'{"schema":1,'),
        (ReportFormat.TEXT, ReportStyle(scan=True), b"NO MAIL  no-mail        null.example"),
    ],
)
def test_stdout_in_every_format(
    capsysbinary: pytest.CaptureFixture[bytes],
    format_: ReportFormat,
    style: ReportStyle,
    begin: bytes,
) -> None:
    with open_report("-", format_, style) as writer:
        writer.write(samples.assessed(samples.null_mx()))

    assert capsysbinary.readouterr().out.startswith(begin)


def test_what_was_printed_before_stays_before(capfd: pytest.CaptureFixture[str]) -> None:
    print("first")
    with open_report("-") as writer:
        writer.write(samples.null_mx())

    assert capfd.readouterr().out.startswith("first\nnull.example: ")


def test_stdout_that_is_closed_is_a_report_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)

    with pytest.raises(ReportError, match="it is closed"):
        open_report("-")


def test_a_redirected_dev_stdout_is_appended_to_not_replaced(
    capfd: pytest.CaptureFixture[str],
) -> None:
    os.write(1, b"first\n")
    with open_report("/dev/stdout", ReportFormat.CSV) as writer:
        writer.write(samples.passes())
        assert writer.partial is None

    assert capfd.readouterr().out == f"first\n{WHOLE}"


def test_a_fifo_is_written_straight(tmp_path: Path) -> None:
    fifo = tmp_path / "report.csv"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with open_report(fifo) as writer:
            writer.write(samples.passes())
            assert os.read(reader, 100_000).decode() == WHOLE
    finally:
        os.close(reader)
    assert [path.name for path in tmp_path.iterdir()] == ["report.csv"]


def test_a_full_device_is_a_report_error() -> None:
    writer = open_report("/dev/full", ReportFormat.CSV)

    with pytest.raises(ReportError, match=r"/dev/full: .*no space is left"):
        writer.write(samples.passes())
    writer.abandon()


def test_a_full_device_shows_at_the_end_too() -> None:
    with pytest.raises(ReportError, match="no space"), open_report("/dev/full", ReportFormat.CSV):
        pass
