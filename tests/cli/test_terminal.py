"""What a person at a terminal sees, and what a file or a pipe is spared."""

import asyncio
import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.cli.commands import Probe

pytestmark = pytest.mark.asyncio(loop_scope="module")

COLOUR, HIDE_CURSOR, SHOW_CURSOR = "\x1b[1;32m", "\x1b[?25l", "\x1b[?25h"
XTERM = {"TERM": "xterm"}


class Terminal:
    """80 columns. ``slave`` is for a process to write to; ``shown`` is all that was."""

    def __init__(self) -> None:
        self._master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.shown = ""

    def read(self) -> None:
        """Take what is shown until nobody has the terminal open any more."""
        with contextlib.suppress(OSError):  # EIO: that is the end
            while data := os.read(self._master, 4096):
                self.shown += data.decode()
        os.close(self._master)


@asynccontextmanager
async def terminal() -> AsyncIterator[Terminal]:
    """A terminal; all that was shown is there once this is left."""
    screen = Terminal()
    reading = asyncio.create_task(asyncio.to_thread(screen.read))
    try:
        yield screen
    finally:
        os.close(screen.slave)
        await reading


async def test_progress_is_shown_while_reports_go_to_files(probe: Probe, tmp_path: Path) -> None:
    args = ("check", *probe.look, "-o", str(tmp_path / "r.csv"), "good.test", "*")
    async with terminal() as screen, probe.running(*args, env=XTERM, stderr=screen.slave) as run:
        ended = await run.ended()

    assert (ended.status, ended.out) == (2, "")
    assert "2/2" in screen.shown
    assert screen.shown.rindex(SHOW_CURSOR) > screen.shown.rindex(HIDE_CURSOR)


async def test_an_interrupted_bar_gives_the_cursor_back(probe: Probe, tmp_path: Path) -> None:
    args = ("check", *probe.look, "-o", str(tmp_path / "r.csv"), "silent.test")
    async with terminal() as screen, probe.running(*args, env=XTERM, stderr=screen.slave) as run:
        while not probe.lab.servers["mx1.silent.test"].open:  # noqa: ASYNC110 # it tells nobody
            await asyncio.sleep(0.02)
        run.send(signal.SIGINT)
        ended = await run.ended()

    assert ended.status == 130
    assert screen.shown.rindex(SHOW_CURSOR) > screen.shown.rindex(HIDE_CURSOR)
    assert screen.shown.endswith("probe: interrupted\r\n")


@pytest.mark.parametrize(
    "options", [pytest.param(["-q", "-o", "r.csv"], id="quiet"), pytest.param([], id="to stdout")]
)
async def test_there_is_no_bar(probe: Probe, tmp_path: Path, options: list[str]) -> None:
    args = ("check", *probe.look, *options, "good.test")
    enter = f'cd {tmp_path} && exec "$@"'
    async with (
        terminal() as screen,
        probe.running(*args, env=XTERM, stderr=screen.slave, in_bash=enter) as run,
    ):
        ended = await run.ended()

    assert (ended.status, screen.shown) == (0, "")


@pytest.mark.parametrize(("options", "told"), [([], True), (["-q"], False)])
async def test_why_an_answer_takes_long_is_told(
    probe: Probe, options: list[str], told: bool
) -> None:
    args = ("check", *probe.look, *options, "busy.test")
    async with terminal() as screen, probe.running(*args, env=XTERM, stderr=screen.slave) as run:
        ended = await run.ended()

    assert ended.status == 3
    assert screen.shown.count("asking again in") == (4 if told else 0)
    assert screen.shown.startswith("probe: mx1.busy.test 127.77.") is told


async def test_text_is_coloured_and_folded_on_a_terminal_only(probe: Probe) -> None:
    args = ("check", *probe.look, "good.test", "clear.test")
    async with terminal() as screen, probe.running(*args, env=XTERM, stdout=screen.slave) as run:
        await run.ended()
    piped = await probe.run(*args, env=XTERM)

    assert COLOUR in screen.shown
    assert "\x1b" not in piped.out


@pytest.mark.parametrize(
    "variables", [{"NO_COLOR": "1", **XTERM}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"]
)
async def test_a_terminal_without_colours_gets_none(
    probe: Probe, variables: dict[str, str]
) -> None:
    args = ("check", *probe.look, "good.test")
    async with terminal() as screen, probe.running(*args, env=variables, stdout=screen.slave) as it:
        await it.ended()

    assert screen.shown.startswith("good.test: PASS. ")
    assert "\x1b" not in screen.shown


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
async def test_signs_are_plain_where_stdout_has_no_other(probe: Probe, encoding: str) -> None:
    look = ("check", *probe.look)
    variables = {"PYTHONIOENCODING": encoding}
    plain = await probe.run(*look, "good.test", "clear.test", "busy.test", env=variables)

    assert plain.out.isascii()
    assert "\\u" not in plain.out
    signs = re.findall(r"^ *(ok|x|\?)  ", plain.out, re.MULTILINE)
    assert signs == ["ok", "ok", "x", "?"]


async def test_a_healthy_domain_takes_twelve_lines(probe: Probe) -> None:
    async with (
        terminal() as screen,
        probe.running("check", *probe.look, "good.test", env=XTERM, stdout=screen.slave) as run,
    ):
        await run.ended()
    lines = re.sub(r"\x1b\[[\d;]*m", "", screen.shown).splitlines()

    assert sum("✔" in line for line in lines) == 2
    assert len(lines) <= 12
    assert max(map(len, lines)) <= 80


async def test_what_passes_with_a_serious_finding_is_not_green(probe: Probe) -> None:
    shown = []
    for command in ("check", "scan"):
        args = (command, *probe.look, "-" if command == "scan" else "self-signed.test")
        async with (
            terminal() as screen,
            probe.running(
                *args, env=XTERM, stdin=asyncio.subprocess.PIPE, stdout=screen.slave
            ) as run,
        ):
            await run.ended(b"self-signed.test\n")
        shown.append(screen.shown)
    check, scan = shown

    assert "PASS, but senders" in " ".join(re.sub(r"\x1b\[[\d;]*m", "", check).split())
    assert re.search(r"\x1b\[1;33mPASS\b", check)
    assert re.search(r"\x1b\[1;33mPASS\b", scan)
    assert not re.search(r"\x1b\[[\d;]*32m", check + scan)
