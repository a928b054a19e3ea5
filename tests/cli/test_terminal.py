"""What a person at a terminal sees, and what a file or a pipe is spared."""

import asyncio
import codecs
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

from tests.cli.commands import Ended, Probe
from tests.cli.conftest import HELD
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

COLOUR, HIDE_CURSOR, SHOW_CURSOR = "\x1b[1;32m", "\x1b[?25l", "\x1b[?25h"
XTERM = {"TERM": "xterm"}
LONG = ("--patient", "--timeout", "3600")  # no server is given up while a test runs
GREETING = "Waiting for the greeting of mx1.silent.test (up to 300 s)"
IMPATIENT = 'exec "$1" -m tests.cli.impatient "${@:4}"'  # in place of: python -m prober


class Terminal:
    """A terminal: ``slave`` is for a process to write to; ``shown`` is all that was."""

    def __init__(self, columns: int) -> None:
        self._master, self.slave = pty.openpty()
        self.columns = columns
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.shown = ""

    @property
    def env(self) -> dict[str, str]:
        """The environment of a process on it."""
        return {**XTERM, "COLUMNS": str(self.columns)}

    @property
    def lines(self) -> list[str]:
        """All lines that were ever shown, without what moves the cursor and colours."""
        return re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.shown))

    @property
    def words(self) -> str:
        """The same as one line, for what may be folded."""
        return " ".join(" ".join(self.lines).split())

    def type(self, keys: bytes) -> None:
        """What a person types."""
        os.write(self._master, keys)

    def read(self) -> None:
        """Take what is shown until nobody has the terminal open any more."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        with contextlib.suppress(OSError):  # EIO: that is the end
            while data := os.read(self._master, 4096):
                self.shown += decoder.decode(data)
        os.close(self._master)


@asynccontextmanager
async def terminal(columns: int = 80) -> AsyncIterator[Terminal]:
    """A terminal; all that was shown is there once this is left."""
    screen = Terminal(columns)
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
    args = ("check", *probe.look, "-o", str(tmp_path / "r.csv"), "silent.test", "null.test")
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

    assert ended.status == 0
    assert "probing" not in screen.shown


@pytest.mark.parametrize("columns", [40, 80, 160])
async def test_what_is_waited_for_is_shown_and_ctrl_c_shows_what_is_known(
    probe: Probe, columns: int
) -> None:
    args = ("check", *probe.look, *LONG, "silent.test")
    async with (
        terminal(columns) as screen,
        probe.running(*args, env=screen.env, stderr=screen.slave) as run,
    ):
        await until(lambda: GREETING in screen.words)
        run.send(signal.SIGINT)
        ended = await run.ended()

    assert (ended.status, ended.out) == (130, "")
    assert all(len(line) <= columns for line in screen.lines if line.startswith("Waiting"))
    _, _, known = screen.words.partition("known so far of silent.test (not finished):")
    assert "silent.test: UNKNOWN. Could not test: mx1.silent.test: still waiting" in known
    assert known.rstrip().endswith("probe: interrupted")
    assert screen.shown.rindex(SHOW_CURSOR) > screen.shown.rindex(HIDE_CURSOR)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("recipient", "me@silent.test"), id="recipient"),
        pytest.param(("doctor", "--control", "silent.test"), id="doctor"),
    ],
)
async def test_other_commands_show_what_they_wait_for(
    probe: Probe, command: tuple[str, ...]
) -> None:
    name, *args = command
    options = probe.sight
    async with (
        terminal() as screen,
        probe.running(name, *options, *args, env=screen.env, stderr=screen.slave) as run,
    ):
        await until(lambda: "Waiting for the greeting of mx1.silent.test (up to" in screen.words)
        run.send(signal.SIGINT)
        ended = await run.ended()

    assert ended.status == 130
    assert screen.words.rstrip().endswith("probe: interrupted")


async def test_what_is_known_is_shown_after_a_silence_and_the_answer_is_that_of_a_scan(
    probe: Probe,
) -> None:
    HELD.clear()
    args = ("check", *probe.look, "held.test")
    async with (
        terminal() as screen,
        probe.running(*args, env=screen.env, stderr=screen.slave, in_bash=IMPATIENT) as run,
    ):
        await until(lambda: "known so far of held.test (the sessions go on" in screen.words)
        await until(lambda: "greeting of mx1.held.test (up to 300 s)" in screen.words)
        HELD.set()
        ended = await run.ended()

    assert ended.status == 0
    assert ended.out.startswith("held.test: PASS.")
    assert screen.words.count("known so far") == 1


async def test_what_is_known_of_a_domain_behind_a_slow_one_is_shown_at_ctrl_c(
    probe: Probe,
) -> None:
    """Answers come in the order of the command line, so that of null.test is held back."""
    args = ("check", *probe.look, *LONG, "silent.test", "null.test")
    async with terminal() as screen, probe.running(*args, env=XTERM, stderr=screen.slave) as run:
        await until(lambda: GREETING in screen.words)
        run.send(signal.SIGINT)
        ended = await run.ended()

    assert (ended.status, ended.out) == (130, "")
    assert "null.test: NO MAIL." in screen.words


async def test_the_wait_before_a_further_session_says_why(probe: Probe) -> None:
    options = ("--confirm-delay", "3600", "busy.test")
    async with (
        terminal() as screen,
        probe.running("check", *probe.look, *options, env=XTERM, stderr=screen.slave) as run,
    ):
        await until(
            lambda: "next session with mx1.busy.test (up to 3600 s; reply 421" in screen.words
        )
        run.send(signal.SIGINT)
        await run.ended()


@pytest.mark.parametrize(
    ("options", "env"),
    [
        pytest.param([], {"TERM": "dumb"}, id="TERM=dumb"),
        pytest.param(["-v"], XTERM, id="beside the log"),
    ],
)
async def test_where_the_cursor_cannot_move_each_wait_is_one_line(
    probe: Probe, options: list[str], env: dict[str, str]
) -> None:
    args = ("check", *probe.look, *LONG, *options, "silent.test")
    async with terminal() as screen, probe.running(*args, env=env, stderr=screen.slave) as run:
        await until(lambda: f"probe: {GREETING}" in screen.lines)
        run.send(signal.SIGINT)
        ended = await run.ended()

    assert ended.status == 130
    assert screen.lines.count(f"probe: {GREETING}") == 1
    assert HIDE_CURSOR not in screen.shown
    if env != XTERM:
        assert "\x1b" not in screen.shown


async def test_without_colour_the_waits_are_shown_without_colour(probe: Probe) -> None:
    args = ("check", *probe.look, *LONG, "silent.test")
    env = {**XTERM, "NO_COLOR": "1"}
    async with terminal() as screen, probe.running(*args, env=env, stderr=screen.slave) as run:
        await until(lambda: GREETING in screen.words)
        run.send(signal.SIGINT)
        await run.ended()

    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", screen.shown)


@pytest.mark.parametrize("options", [["-q"], []], ids=["quiet", "pipe"])
async def test_quiet_or_without_a_terminal_nothing_is_shown(
    probe: Probe, options: list[str]
) -> None:
    HELD.clear()
    args = ("check", *probe.look, *options, "held.test")
    async with contextlib.AsyncExitStack() as stack:
        screen = await stack.enter_async_context(terminal())
        to = {"stderr": screen.slave} if options else {}
        sessions = probe.lab.servers["mx1.held.test"].sessions
        before = len(sessions)
        run = await stack.enter_async_context(
            probe.running(*args, env=XTERM, in_bash=IMPATIENT, **to)
        )
        await until(lambda: len(sessions) > before + 1)  # the second one: after the silence
        HELD.set()
        ended = await run.ended()

    assert (ended.status, ended.err, screen.shown) == (0, "", "")


async def scan_until(
    probe: Probe, screen: Terminal, shown: str, *options: str, stdout: int | None = None
) -> Ended:
    """A scan that is interrupted once *shown* is on the terminal."""
    args = ("scan", *probe.look, *LONG, *options)
    out = asyncio.subprocess.PIPE if stdout is None else stdout
    async with probe.running(*args, env=screen.env, stdout=out, stderr=screen.slave) as run:
        await until(lambda: shown in screen.words)
        run.send(signal.SIGINT)
        return await run.ended()


@pytest.mark.parametrize("columns", [40, 160])
async def test_a_scan_shows_its_total_its_eta_and_counts_by_standing(
    probe: Probe, tmp_path: Path, columns: int
) -> None:
    path = tmp_path / "list.txt"
    path.write_text("# partners\n\nsilent.test\nnull.test\n*\nclear.test\nnull.test\n")
    counts = "1 FAIL, 1 NO MAIL, 1 INVALID"
    async with terminal(columns) as screen:
        options = ("-o", str(tmp_path / "r.csv"), str(path))
        ended = await scan_until(probe, screen, counts, *options)

    assert ended.status == 130
    assert re.search(rf"probing 4/5, \d:\d\d:\d\d, ETA \d:\d\d:\d\d, {counts}", screen.words)
    assert f"so far 3 domains: {counts}; 1 repeated line left out" in screen.words


async def test_a_scan_to_the_terminal_shows_rows_above_its_progress(
    probe: Probe, tmp_path: Path
) -> None:
    path = tmp_path / "list.txt"
    path.write_text("silent.test\nclear.test\n")
    async with terminal(160) as screen:
        await scan_until(probe, screen, "ETA 0:", str(path), stdout=screen.slave)

    row = next(line for line in screen.lines if line.startswith("FAIL"))
    assert "clear.test" in row
    assert "probing" not in row


async def test_a_terminal_shows_the_counts_once(probe: Probe, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("good.test\nclear.test\n")
    async with terminal() as screen:
        args = ("scan", *probe.look, str(path))
        end = screen.slave
        async with probe.running(*args, env=screen.env, stdout=end, stderr=end) as run:
            await run.ended()

    assert screen.words.count("2 domains: 1 PASS, 1 FAIL") == 1


async def test_a_pipe_gets_no_progress_beside_it(probe: Probe, tmp_path: Path) -> None:
    """It may lead to a pager, which uses the whole terminal."""
    path = tmp_path / "list.txt"
    path.write_text("good.test\nclear.test\n")
    async with terminal() as screen:
        args = ("scan", *probe.look, str(path))
        async with probe.running(*args, env=screen.env, stderr=screen.slave) as run:
            await run.ended()

    assert "probing" not in screen.shown


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


@pytest.mark.parametrize(
    "args",
    [
        ("scan", "-"),
        ("report", "-"),
        ("diff", "-", "/dev/null"),
        ("policy", "-", "--for", "csv"),
        ("headers", "-"),
        ("logs", "-"),
    ],
    ids=lambda args: args[0],
)
async def test_who_must_type_the_input_is_told_how_to_end_it(
    probe: Probe, args: tuple[str, ...]
) -> None:
    async with terminal() as screen, probe.running(*args, stdin=screen.slave) as run:
        screen.type(b"\x04")
        ended = await run.ended()
    told = "probe: reading from the terminal: end the input with Ctrl-D"
    assert ended.err.splitlines()[0] == told
