"""Runs the command: in this process where that is enough, else in one of its own."""

import asyncio
import os
import shlex
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from typer.testing import CliRunner

from prober.cli import app
from prober.lab.internet import EHLO_NAME, Lab
from tests.cli.forks import Forked, ForkServer
from tests.support.json_schemas import require_valid_json_of

PATIENCE_S = 120.0  # a run that takes this long hangs
NO_NAMESERVER = "255.255.255.255"  # the kernel refuses it: nothing is sent, nothing waited for
CANNOT_SEE = (
    "probe: no nameserver answers: this says nothing about the domains; run `probe doctor`\n"
)
OFFLINE = ("--resolver", NO_NAMESERVER, "--ehlo-name", EHLO_NAME)


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that is over."""

    status: int
    out: str
    err: str
    command: str = field(default="probe", compare=False)  # as one would type it


def invoke(*args: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Ended:
    """``probe ARGS`` in this process, on a page of 80 columns. JSON is as its schema says."""
    page = {"COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1", **(env or {})}
    result = CliRunner().invoke(app, list(args), input=stdin, env=page, prog_name="probe")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    require_valid_json_of(args, result.exit_code, result.stdout)
    return Ended(result.exit_code, result.stdout, result.stderr)


def unknown_offline(*domains: str, indent: str = "") -> str:
    """What a scan offline says of *domains* at its end: a line for each, and why."""
    why = f"no nameserver answered while looking up the name (none of {NO_NAMESERVER} answers)"
    return "".join(
        f"probe: {indent}{domain}: UNKNOWN. Could not test: {why}.\n" for domain in domains
    )


def scan_offline(*args: str, stdin: bytes = b"") -> Ended:
    """``probe scan ARGS`` in this process, where every domain is unknown and none is asked."""
    return invoke("scan", *OFFLINE, *args, stdin=stdin)


class Running:
    """``probe ARGS`` in a process of its own, with what came out of it once it has ended."""

    def __init__(self, process: asyncio.subprocess.Process | Forked, args: Sequence[str]) -> None:
        self.process = process
        self._command = shlex.join(["python", "-m", "prober", *args])

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self, stdin: bytes | None = None) -> Ended:
        out, err = await self.process.communicate(stdin)
        assert self.process.returncode is not None
        status = self.process.returncode
        return Ended(status, (out or b"").decode(), (err or b"").decode(), self._command)


Stream = int | IO[bytes]
_NEW_PROCESSES = {"--workers", "--scheduler"}  # what these options start imports the main module


@dataclass(frozen=True, slots=True)
class Probe:
    """The command in processes of its own, looking at *lab* only.

    Every warning is an error there, and shows on stderr: a task that nobody awaits, a socket that
    nobody closes.
    """

    lab: Lab
    forks: ForkServer

    @property
    def sight(self) -> tuple[str, ...]:
        """The options with which it sees the lab."""
        lab = self.lab
        return (
            *("--resolver", lab.resolver, "--port", str(lab.port), "--ca-file", str(lab.ca_file)),
            *("--allow-private", "--ehlo-name", EHLO_NAME),
        )

    @property
    def look(self) -> tuple[str, ...]:
        """Those, and what keeps a test short."""
        return (*self.sight, "--confirm-delay", "0.1", "--pace", "0", "--stop-grace", "0.2")

    async def check(self, *args: str) -> Ended:
        return await self.run("check", *self.look, *args)

    async def scan(self, *args: str, stdin: bytes | None = None) -> Ended:
        return await self.run("scan", *self.look, *args, stdin=stdin)

    async def run(
        self,
        *args: str,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        in_bash: str | None = None,
    ) -> Ended:
        """What comes of ``probe ARGS``, or of the bash command in which that is ``"$@"``."""
        pipe = asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE
        async with self.running(*args, env=env, stdin=pipe, in_bash=in_bash) as running:
            return await running.ended(stdin)

    @asynccontextmanager
    async def running(
        self,
        *args: str,
        env: Mapping[str, str] | None = None,
        stdin: Stream = asyncio.subprocess.DEVNULL,
        stdout: Stream = asyncio.subprocess.PIPE,
        stderr: Stream = asyncio.subprocess.PIPE,
        in_bash: str | None = None,
    ) -> AsyncIterator[Running]:
        """The process, which does not outlive this context."""
        process: asyncio.subprocess.Process | Forked
        if (
            in_bash
            or _NEW_PROCESSES.intersection(args)
            or any("PYTHON" in name for name in env or ())
        ):
            process = await asyncio.create_subprocess_exec(
                *(("bash", "-c", in_bash, "bash") if in_bash else ()),
                *(sys.executable, "-m", "prober", *args),
                env=environment(env),
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
            )
        else:
            process = await self._forked(args, environment(env), (stdin, stdout, stderr))
        try:
            async with asyncio.timeout(PATIENCE_S):
                yield Running(process, args)
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            if isinstance(process, Forked):
                process.close()

    async def _forked(
        self, args: Sequence[str], env: Mapping[str, str], streams: Sequence[Stream]
    ) -> Forked:
        """A fork, which starts in a tenth of the time and is else as good as a new process."""
        with open(os.devnull, "r+b") as nothing:  # noqa: ASYNC230
            descriptors = []
            for stream in streams:
                given = stream if isinstance(stream, int) else stream.fileno()
                here = {asyncio.subprocess.PIPE: None, asyncio.subprocess.DEVNULL: nothing.fileno()}
                descriptors.append(here.get(given, given))
            return await self.forks.start(args, env, descriptors)


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a process of ours finds: nothing that would change what it does, but *changes*."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    ours = {"PYTHONWARNINGS": "error", "PYTHONPATH": str(Path(__file__).parents[2])}
    return {**kept, **ours, "LC_ALL": "C.UTF-8", "COLUMNS": "80", **(changes or {})}
