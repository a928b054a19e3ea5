"""Stdin, stdout and stderr of a process: pipes, full disks, closed descriptors."""

import asyncio
import csv
import json
import os
from pathlib import Path

import pytest

from tests.cli.commands import OFFLINE, Probe

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOT_WRITTEN, PIPE_CLOSED = 5, 141


async def test_stdout_has_the_results_and_nothing_else(probe: Probe) -> None:
    ended = await probe.scan("-f", "jsonl", "-v", "-", stdin=b"good.test\nclear.test\n*\n")

    levels = {json.loads(line)["verdict"]["level"] for line in ended.out.splitlines()}
    assert levels == {"authenticated", "none", "invalid"}
    assert "probe: 3 domains: 1 authenticated, 1 invalid, 1 none\n" in ended.err


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


@pytest.mark.parametrize("args", [("check", "a.test"), ("doctor",)])
async def test_a_full_disk_behind_stdout(probe: Probe, args: tuple[str, ...]) -> None:
    ended = await probe.run(*args, *OFFLINE, in_bash='exec "$@" >/dev/full')

    complaint = "probe: stdout: cannot write the report: no space is left: "
    assert ended.status == NOT_WRITTEN
    assert ended.err.startswith(complaint)
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    "args", [("check", "a.test", "b.test"), ("check", "-f", "json", "a.test"), ("doctor",)]
)
async def test_a_reader_that_has_gone_ends_it_quietly(probe: Probe, args: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    async with probe.running(*args, *OFFLINE, stdout=writer) as running:
        os.close(writer)
        ended = await running.ended()

    assert (ended.status, ended.err) == (PIPE_CLOSED, "")


async def test_head_takes_one_line_and_the_rest_is_quiet(probe: Probe, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("".join(f"nowhere{number}.test\n" for number in range(5000)))
    pipeline = 'set -o pipefail; "$@" | head -n 1'
    ended = await probe.run("scan", *probe.look, str(path), in_bash=pipeline)

    assert (ended.status, ended.err) == (PIPE_CLOSED, "")
    assert ended.out.startswith("no-mail")
    assert ended.out.count("\n") == 1


@pytest.mark.parametrize(
    ("redirection", "args", "status", "out"),
    [
        ("<&-", ("-",), 2, ""),
        ("<&-", ("list.txt",), 4, "domain,"),
        (">&-", ("list.txt",), 5, ""),
        (">&- 2>&-", ("list.txt", "-o", "r.csv"), 4, ""),
        ("2>&-", ("list.txt",), 4, "domain,"),
        ("2>/dev/full", ("list.txt",), 4, "domain,"),
        ("2>/dev/full", ("none.txt",), 2, ""),
    ],
)
async def test_closed_and_full_streams_are_no_crash(
    probe: Probe, tmp_path: Path, redirection: str, args: tuple[str, ...], status: int, out: str
) -> None:
    (tmp_path / "list.txt").write_text("a.test\n")
    in_bash = f'cd {tmp_path} && exec "$@" {redirection}'
    ended = await probe.run("scan", *OFFLINE, "-f", "csv", *args, in_bash=in_bash)

    assert ended.status == status
    assert ended.out[:7] == out
    assert "Traceback" not in ended.err
