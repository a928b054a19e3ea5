"""Lines of logs: every form of syslog, years that are not written, files in any order."""

import bz2
import gzip
import io
import lzma
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.errors import InputError
from prober.logs.lines import MAX_LINE_BYTES, LineParser, Log, in_order

REFERENCE = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
AT = datetime(2026, 2, 28, 23, 59, 58, tzinfo=UTC)


@pytest.mark.parametrize(
    ("raw", "host", "program", "pid"),
    [
        # RFC 3164 §4.1
        ("Feb 28 23:59:58 mx1 postfix/smtp[123]: text", "mx1", "postfix/smtp", "123"),
        ("<22>Feb 28 23:59:58 mx1 postfix/smtp[123]: text", "mx1", "postfix/smtp", "123"),
        ("<22>Feb 28 23:59:58 postfix/smtp[123]: text", "", "postfix/smtp", "123"),
        ("Feb 28 23:59:58 2001:db8::1 postfix/smtp[5]: text", "2001:db8::1", "postfix/smtp", "5"),
        ("Feb 28 23:59:58 mx1 postfix/smtp[123]: [ID 197553 mail.info] text", "mx1", "postfix/smtp",
         "123"),
        ("Feb 28 23:59:58 mx1 kernel: text", "mx1", "kernel", ""),
        # RFC 3339 stamps, as rsyslog and journalctl -o short-iso write them
        ("2026-02-28T23:59:58+00:00 mx1 exim[9]: text", "mx1", "exim", "9"),
        ("2026-03-01T00:59:58.000000+01:00 mx1 exim[9]: text", "mx1", "exim", "9"),
        ("2026-02-28T18:59:58-0500 mx1 exim[9]: text", "mx1", "exim", "9"),
        # RFC 5424 §6
        ("<22>1 2026-02-28T23:59:58Z mx1 postfix/smtp 123 - - text", "mx1", "postfix/smtp", "123"),
        (r'<22>1 2026-02-28T23:59:58.0Z mx1 sm-mta - ID4 [a@1 b="\"]"][c d="e"] text', "mx1",
         "sm-mta", ""),
        ("<22>1 2026-02-28T23:59:58Z mx1 exim 5 - - \ufefftext", "mx1", "exim", "5"),
        # rsyslog and syslog-ng with a template of the administrator's
        ("2026-02-28 23:59:58 mx1 postfix/smtp[123]: text", "mx1", "postfix/smtp", "123"),
        ("2026-02-28 23:59:58.000 +0000 mx1.us.test postfix/smtp[123]: text", "mx1.us.test",
         "postfix/smtp", "123"),
        # journalctl -o json
        ('{"__REALTIME_TIMESTAMP":"1772323198000000","MESSAGE":"text","_HOSTNAME":"mx1",'
         '"SYSLOG_IDENTIFIER":"postfix/smtp","_PID":"5"}', "mx1", "postfix/smtp", "5"),
        ('{"__REALTIME_TIMESTAMP":"1772323198000000","MESSAGE":[116,101,120,116],"_COMM":"smtpd",'
         '"SYSLOG_PID":"6"}', "", "smtpd", "6"),
    ],
)  # fmt: skip
def test_every_form_of_line(raw: str, host: str, program: str, pid: str) -> None:
    line = LineParser(REFERENCE, UTC).parse(raw)
    assert line == (AT, host, program, pid, "text")


@pytest.mark.parametrize(
    "text",
    [
        # Exim's main log, spec.txt chapter 53
        "1xXNIG-00000J-0N => a@example.com",
        "1xXNIG-000000005YB-0N Completed",
        "Start queue run: pid=77",
        "exim 4.96 daemon started: pid=77, -q30m",
        "H=c.test (a postfix/smtp[7]: x) [192.0.2.1] rejected EHLO",
        "SMTP connection from [192.0.2.1] postfix/smtp[7]: closed",
    ],
)
def test_a_line_of_exim_s_own_log(text: str) -> None:
    for stamp, pid in (("", ""), (" +0000 [77]", "77"), (".000 [77]", "77"), (".000 +0000", "")):
        line = LineParser(REFERENCE, UTC).parse(f"2026-02-28 23:59:58{stamp} {text}")
        assert line == (AT, "", "exim", pid, text)


def test_a_line_of_another_log_with_such_a_stamp_is_not_exim_s() -> None:
    line = LineParser(REFERENCE, UTC).parse("2026-02-28 23:59:58 install exim4:amd64 4.96")
    assert line == (AT, "", "", "", "install exim4:amd64 4.96")


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "words",
        "-- Journal begins at Sat 2026-02-28 --",
        "Feb 30 23:59:58 mx1 x[1]: text",
        "Xyz 28 23:59:58 mx1 x[1]: text",
        "2026-13-28T23:59:58Z mx1 x[1]: text",
        "0001-01-01T00:00:00+23:00 mx1 x[1]: text",
        "{}",
        '{"__REALTIME_TIMESTAMP":"x","MESSAGE":"text"}',
        '{"__REALTIME_TIMESTAMP":"1","MESSAGE":[999]}',
        '{"__REALTIME_TIMESTAMP":"1","MESSAGE":null}',
        '{"__REALTIME_TIMESTAMP":"99999999999999999999999","MESSAGE":"text"}',
        "[1]",
    ],
)
def test_what_is_no_line(raw: str) -> None:
    assert LineParser(REFERENCE, UTC).parse(raw) is None


def years(reference: datetime, *stamps: str) -> list[int]:
    parser = LineParser(reference, UTC)
    lines = [parser.parse(f"{stamp} 10:00:00 mx1 x[1]: text") for stamp in stamps]
    return [line.time.year for line in lines if line is not None]


@pytest.mark.parametrize(
    ("reference", "stamps", "expected"),
    [
        (REFERENCE, ("Feb 28", "Mar  1"), [2026, 2026]),
        (REFERENCE, ("Dec 31", "Jan  1", "Feb 28"), [2025, 2026, 2026]),
        (REFERENCE, ("Mar  3", "Mar  4"), [2025, 2025]),  # after the file was last written
        (REFERENCE, ("Mar  2",), [2026]),  # a clock that is a little ahead
        (REFERENCE, ("Jan  1", "Dec 31", "Jan  1"), [2026, 2025, 2026]),  # a clock that steps back
        (datetime(2024, 3, 1, tzinfo=UTC), ("Feb 29", "Mar  1"), [2024, 2024]),
        (datetime(2025, 3, 1, tzinfo=UTC), ("Feb 29", "Mar  1"), [2024, 2024]),
    ],
)
def test_the_year_is_told_by_the_file_and_the_line_before(
    reference: datetime, stamps: tuple[str, ...], expected: list[int]
) -> None:
    assert years(reference, *stamps) == expected


def test_a_stamp_without_a_zone_is_in_this_machines() -> None:
    parser = LineParser(REFERENCE, timezone(timedelta(hours=2)))
    line = parser.parse("Mar  1 01:59:58 mx1 x[1]: text")
    assert line is not None
    assert line.time == AT


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_no_text_raises(raw: str) -> None:
    parser = LineParser(REFERENCE, UTC)
    for start in (
        "",
        "Feb 28 23:59:58 ",
        "<22>1 2026-02-28T23:59:58Z ",
        "{",
        "2026-02-28 10:00:00 ",
    ):
        parser.parse(start + raw)


NOW = datetime(2026, 11, 28, 18, 0, tzinfo=UTC)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_packed_files_are_read(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "log"
    path.write_bytes(pack(b"one\ntwo\r\n\xff three"))
    assert list(Log(str(path), io.BytesIO(), NOW).lines()) == ["one", "two", "\\xff three"]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(b"line\n" * 9)[:-12])
    with pytest.raises(InputError, match=r"log\.gz: damaged"):
        list(Log(str(path), io.BytesIO(), NOW).lines())


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match="cannot read /no/log: No such file"):
        in_order(["/no/log"], io.BytesIO(), NOW)


def test_the_end_of_a_long_line_is_dropped() -> None:
    log = Log("-", io.BytesIO(b"a" * 3 * MAX_LINE_BYTES + b"\nb\n"), NOW)
    assert [len(line) for line in log.lines()] == [MAX_LINE_BYTES, 1]


def test_a_rotated_set_is_put_in_order(tmp_path: Path) -> None:
    names = []
    for day, name in ((3, "log"), (1, "log.2.gz"), (2, "log.1")):
        path = tmp_path / name
        text = f"words\nNov  {day} 10:00:00 mx1 x[1]: text\n".encode()
        path.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
        os.utime(path, (NOW.timestamp(), NOW.timestamp()))
        names.append(str(path))
    logs = in_order(names, io.BytesIO(), NOW)
    assert [Path(log.name).name for log in logs] == ["log.2.gz", "log.1", "log"]


def test_a_fifo_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"one\ntwo\n",))
    (log,) = in_order([str(path)], io.BytesIO(), NOW)
    writer.start()
    assert list(log.lines()) == ["one", "two"]
    writer.join()


def test_a_folder_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Is a directory"):
        in_order([str(tmp_path)], io.BytesIO(), NOW)
