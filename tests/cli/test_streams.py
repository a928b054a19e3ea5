"""Stdin, stdout and stderr of a process: pipes, full disks, closed descriptors."""

import asyncio
import csv
import json
import os
import signal
from pathlib import Path

import pytest

from tests.cli.commands import OFFLINE, Ended, Probe
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOT_WRITTEN, PIPE_CLOSED = 5, 141


async def test_stdout_has_the_results_and_nothing_else(probe: Probe) -> None:
    ended = await probe.scan("-f", "jsonl", "-v", "-", stdin=b"good.test\nclear.test\n*\n")

    levels = {json.loads(line)["verdict"]["level"] for line in ended.out.splitlines()}
    assert levels == {"authenticated", "none", "invalid"}
    assert "probe: 3 domains: 1 PASS, 1 FAIL, 1 INVALID\n" in ended.err


async def test_with_text_on_stdout_stderr_has_the_counts_only(probe: Probe) -> None:
    ended = await probe.scan("--ordered", "-", stdin=b"good.test\nclear.test\n")

    assert ended.err == "probe: 2 domains: 1 PASS, 1 FAIL\n"
    assert ended.out.splitlines() == [
        "PASS     authenticated  good.test",
        "FAIL     none           clear.test  Mail is sent unencrypted: no server offers TLS; "
        "starttls-not-supported",
        "",
        "2 domains: 1 PASS, 1 FAIL.",
        "Levels: 1 authenticated, 1 none. 3 of 3 endpoints tested.",
        "Worst:",
        "  clear.test: FAIL. Mail is sent unencrypted: no server offers TLS.",
    ]


async def test_a_mail_by_cron_tells_who_fails_and_why(probe: Probe, tmp_path: Path) -> None:
    list_ = b"good.test\nnull.test\nclear.test\nself-signed.test\nbusy.test\nnowhere.test\n*\n"
    args = ("-q", "--require", "authenticated", "-o", str(tmp_path / "r.csv"), "-")
    ended = await probe.scan(*args, stdin=list_)

    assert (ended.status, ended.out) == (1, "")
    assert ended.err.splitlines() == [
        "probe: 7 domains: 1 PASS, 2 FAIL, 2 UNKNOWN, 1 NO MAIL, 1 INVALID",
        "probe: clear.test: FAIL. Mail is sent unencrypted: no server offers TLS.",
        "probe: self-signed.test: FAIL. Mail is encrypted, but at least one server's certificate "
        "cannot be verified.",
        "probe: *: INVALID. This is not a mail domain: line 7: a wildcard, not a domain.",
        "probe: nowhere.test: UNKNOWN. The domain does not exist, so it receives no mail.",
        "probe: busy.test: UNKNOWN. Could not test: mx1.busy.test replied 421 (too busy).",
    ]


async def test_a_cron_mail_is_empty_where_all_meet(probe: Probe, tmp_path: Path) -> None:
    args = ("-q", "--require", "authenticated", "-o", str(tmp_path / "r.csv"), "-")
    ended = await probe.scan(*args, stdin=b"good.test\nalso-good.test\nnull.test\n")
    assert ended == Ended(status=0, out="", err="")


async def test_a_row_an_endpoint(probe: Probe) -> None:
    ended = await probe.check("--per-endpoint", "-f", "csv", "good.test", "*")

    rows = list(csv.DictReader(ended.out.splitlines()))
    assert [row["mx_host"] for row in rows] == ["mx1.good.test", "mx2.good.test", ""]


async def test_transcripts_are_shown_when_asked_for(probe: Probe) -> None:
    plain, verbose = await asyncio.gather(
        probe.check("clear.test"), probe.check("-v", "clear.test")
    )
    assert "250-" not in plain.out
    assert "S: 250-mx1.clear.test" in verbose.out
    assert "C: QUIT" in verbose.out


async def test_a_full_disk_behind_stdout(probe: Probe) -> None:
    commands = (("check", "a.test"), ("doctor",))
    runs = (probe.run(*args, *OFFLINE, in_bash='exec "$@" >/dev/full') for args in commands)

    complaint = "probe: stdout: cannot write the report: no space is left: free some, or write"
    for ended in await asyncio.gather(*runs):
        assert ended == Ended(status=NOT_WRITTEN, out="", err=f"{complaint} elsewhere\n")


async def test_a_reader_that_has_gone_ends_it_quietly(probe: Probe) -> None:
    commands = (("check", "a.test", "b.test"), ("check", "-f", "json", "a.test"), ("doctor",))
    for ended in await asyncio.gather(*(to_nobody(probe, *args, *OFFLINE) for args in commands)):
        assert ended == Ended(status=PIPE_CLOSED, out="", err="")


@pytest.mark.parametrize("args", [["--help"], ["--version"], [], ["check", "-h"]], ids=" ".join)
async def test_help_that_nobody_reads_is_no_fault(probe: Probe, args: list[str]) -> None:
    assert await to_nobody(probe, *args) == Ended(status=PIPE_CLOSED, out="", err="")


async def test_help_on_a_full_disk(probe: Probe) -> None:
    for args in (["--help"], ["scan", "-h"], ["--version"], []):
        ended = await probe.run(*args, in_bash='exec "$@" >/dev/full')
        complaint = "probe: stdout: cannot write the help: no space is left: free some, or write"
        assert ended == Ended(status=NOT_WRITTEN, out="", err=f"{complaint} elsewhere\n")


async def test_a_wrong_option_is_status_2_also_where_nobody_reads_the_complaint(
    probe: Probe,
) -> None:
    assert (await to_nobody(probe, "check", "--nosuch", stderr=True)).status == 2


async def to_nobody(probe: Probe, *args: str, stderr: bool = False) -> Ended:
    """``probe ARGS`` into a pipe without a reader; with *stderr*, that too."""
    reader, writer = os.pipe()
    os.close(reader)
    errors = writer if stderr else asyncio.subprocess.PIPE
    async with probe.running(*args, stdout=writer, stderr=errors) as running:
        os.close(writer)
        return await running.ended()


async def test_head_takes_one_line_and_the_rest_is_quiet(probe: Probe, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("".join(f"nowhere{number}.test\n" for number in range(5000)))
    pipeline = 'set -o pipefail; "$@" | head -n 1'
    ended = await probe.run("scan", *probe.look, str(path), in_bash=pipeline)

    assert (ended.status, ended.err) == (PIPE_CLOSED, "")
    assert ended.out.startswith("UNKNOWN  no-mail        nowhere")
    assert ended.out.count("\n") == 1


async def test_closed_and_full_streams_are_no_crash(probe: Probe, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.test\n")
    expected = {
        "- <&-": (2, ""),
        "list.txt <&-": (4, "domain,"),
        "list.txt >&-": (5, ""),
        "list.txt 2>&-": (4, "domain,"),
        "list.txt -o r.csv >&- 2>&-": (4, ""),
        "list.txt 2>/dev/full": (4, "domain,"),
        "none.txt 2>/dev/full": (2, ""),
    }
    run = f'cd {tmp_path} && exec "$@" -f csv'
    runs = [probe.run("scan", *OFFLINE, in_bash=f"{run} {args}") for args in expected]
    seen = dict(zip(expected, await asyncio.gather(*runs), strict=True))

    assert {args: (ended.status, ended.out[:7]) for args, ended in seen.items()} == expected
    assert "Traceback" not in "".join(ended.err for ended in seen.values())


async def test_messages_are_read_without_a_stdin(probe: Probe, tmp_path: Path) -> None:
    message = tmp_path / "message.eml"
    message.write_text("Received: from a.test by b.test with ESMTPS; 1 Jan 2026 00:00:00 +0000\n\n")
    ended = await probe.run("headers", str(message), in_bash='exec "$@" <&-')

    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("encrypted")


async def test_a_long_list_is_read_only_as_far_as_it_is_probed(
    probe: Probe, tmp_path: Path
) -> None:
    """A million lines: rows come while nearly all of them are unread."""
    path, report = a_million_lines(tmp_path), tmp_path / "r.csv"
    partial = tmp_path / "r.csv.partial"
    async with probe.running("scan", *probe.look, "-q", "-o", str(report), str(path)) as running:
        await until(lambda: partial.exists() and partial.stat().st_size > 1000)
        position = read_so_far(running.process.pid, path)
        running.send(signal.SIGINT)
        await running.ended()
    assert 0 < position < 1_000_000  # of 19 million bytes


def a_million_lines(folder: Path) -> Path:
    path = folder / "list.txt"
    with path.open("w") as file:
        file.writelines(f"gone{number}.test\n" for number in range(1_000_000))
    return path


def read_so_far(pid: int, path: Path) -> int:
    """How far the process has read *path*, which it has open."""
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        if descriptor.readlink() == path:
            info = Path(f"/proc/{pid}/fdinfo/{descriptor.name}").read_text()
            return int(info.split()[1])
    raise AssertionError(f"{path} is not open")
