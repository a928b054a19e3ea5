"""Ctrl-C and SIGTERM in the middle of a scan: an end at once, and nothing lost."""

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
import termios
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.cli.commands import OFFLINE, Ended, Probe, Running
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG = ("--patient", "--timeout", "3600")  # no server is given up while a test runs
OLD = "an older report\n"

both_signals = pytest.mark.parametrize(
    ("number", "status", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)


async def ended_by(number: signal.Signals, running: Running) -> Ended:
    """What came of it. A run that waits for its servers instead of ending hangs."""
    running.send(number)
    return await running.ended()


@contextlib.asynccontextmanager
async def waiting_for_silent_test(probe: Probe, *args: str) -> AsyncIterator[Running]:
    """``probe ARGS`` once it has a session with the server that says nothing."""
    sessions = probe.lab.servers["mx1.silent.test"].sessions
    before = len(sessions)
    look = probe.sight if args[0] == "doctor" else (*probe.look, *LONG)
    async with probe.running(args[0], *look, *args[1:]) as running:
        await until(lambda: len(sessions) > before)
        yield running


@both_signals
async def test_a_scan_that_is_stopped_keeps_what_it_saw(
    probe: Probe, tmp_path: Path, number: signal.Signals, status: int, word: str
) -> None:
    path, report, lines = (tmp_path / name for name in ("list.txt", "r.csv", "r.jsonl"))
    path.write_text("silent.test\ngood.test\n")
    report.write_text(OLD)
    outputs = ("-o", str(report), "-o", str(lines))
    partial = tmp_path / "r.jsonl.partial"
    async with waiting_for_silent_test(probe, "scan", *outputs, str(path)) as running:
        await until(lambda: partial.stat().st_size > 0)
        ended = await ended_by(number, running)

    assert (ended.status, ended.out) == (status, "")
    assert ended.err.splitlines() == [
        f"probe: not finished; what was seen is in {report}.partial",
        f"probe: not finished; what was seen is in {lines}.partial",
        f"probe: continue with: {ended.command} --resume",
        f"probe: {word}",
    ]
    assert report.read_text() == OLD
    assert not lines.exists()
    head, row = report.with_name("r.csv.partial").read_text().splitlines()
    assert head.startswith("domain,")
    assert row.startswith("good.test,")


@both_signals
async def test_a_scan_that_is_stopped_before_the_first_row_leaves_no_file(
    probe: Probe, tmp_path: Path, number: signal.Signals, status: int, word: str
) -> None:
    args = ("check", "-o", str(tmp_path / "r.csv"), "silent.test")
    async with waiting_for_silent_test(probe, *args) as running:
        ended = await ended_by(number, running)

    assert (ended.status, ended.err) == (status, f"probe: {word}\n")
    assert os.listdir(tmp_path) == []


async def test_more_ctrl_c_disturbs_nothing(probe: Probe) -> None:
    async with waiting_for_silent_test(probe, "check", "silent.test") as running:
        ending = asyncio.create_task(ended_by(signal.SIGINT, running))
        for _ in range(4):
            await asyncio.sleep(0.005)
            with contextlib.suppress(ProcessLookupError):  # a fast one has ended by now
                running.send(signal.SIGINT)
        ended = await ending

    assert (ended.status, ended.err) == (130, "probe: interrupted\n")


@both_signals
async def test_doctor_can_be_stopped(
    probe: Probe, number: signal.Signals, status: int, word: str
) -> None:
    args = ("doctor", "--control", "silent.test")
    async with waiting_for_silent_test(probe, *args) as running:
        ended = await ended_by(number, running)

    assert (ended.status, ended.err) == (status, f"probe: {word}\n")
    assert ended.out.startswith("OK      resolver")


async def test_ctrl_c_while_the_list_is_still_being_written(probe: Probe) -> None:
    """A slow writer may not hold up sessions, so nothing is probed until the list has ended."""
    reader, writer = os.pipe()
    os.write(writer, b"a.test\n")
    async with probe.running("scan", *OFFLINE, "-", stdin=reader) as running:
        await until(lambda: unread(reader) == 0)
        ended = await ended_by(signal.SIGINT, running)
    os.close(reader)
    os.close(writer)

    assert (ended.status, ended.out, ended.err) == (130, "", "probe: interrupted\n")


def unread(descriptor: int) -> int:
    """Bytes that wait in a pipe."""
    size = fcntl.ioctl(descriptor, termios.FIONREAD, b"\0\0\0\0")
    return int.from_bytes(size, sys.byteorder)


@both_signals
@pytest.mark.parametrize("command", ["headers", "scan"])
async def test_what_reads_a_pipe_can_be_stopped_and_leaves_no_file(
    probe: Probe, tmp_path: Path, command: str, number: signal.Signals, status: int, word: str
) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"From a@a.test Thu Jan  1 00:00:00 2026\nFrom: a@a.test\n")
    async with probe.running(command, "-", "-o", str(tmp_path / "r.csv"), stdin=reader) as running:
        await until(lambda: unread(reader) == 0)
        ended = await ended_by(number, running)
    os.close(reader)
    os.close(writer)

    assert (ended.status, ended.out, ended.err) == (status, "", f"probe: {word}\n")
    assert os.listdir(tmp_path) == []


@both_signals
async def test_a_signal_during_the_start_ends_it_without_a_traceback(
    tmp_path: Path, number: signal.Signals, status: int, word: str
) -> None:
    """The import of the command line waits here, for as long as the test wants."""
    (tmp_path / "typer.py").write_text(
        "import time\nprint('importing', flush=True)\ntime.sleep(60)\n"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "prober", "explain"),
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    await process.stdout.readline()
    process.send_signal(number)
    _, err = await process.communicate()
    assert (process.returncode, err.decode()) == (status, f"probe: {word}\n")
