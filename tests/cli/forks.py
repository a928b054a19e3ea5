"""Runs ``python -m prober`` in forks of one process that has imported it: a run starts in no time.

A fork is a process with its own streams, signals and exit status, as any other.
"""

import asyncio
import contextlib
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Self

_MAX_REQUEST: Final = 1 << 16
_IMPORTED: Final = (
    *(f"prober.cli.{name}" for name in ("check", "doctor", "headers", "recipient", "report")),
    *("prober.cli.scan", "prober.lab.demo", "prober.net.guarded", "prober.store.writer"),
    *("prober.store.asking", "rich.live", "rich.progress", "uvloop", "xlsxwriter"),
)


class Forked:
    """A process like ``asyncio.subprocess.Process``, of which the tests use a part."""

    def __init__(self, pid: int, link: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._link = link
        self._ended = asyncio.create_task(self._end())
        self._stdin: int | None = None
        self._transports: list[asyncio.ReadTransport] = []
        self.stdout: asyncio.StreamReader | None = None
        self.stderr: asyncio.StreamReader | None = None

    async def connect(self, stdin: int | None, stdout: int | None, stderr: int | None) -> None:
        """Take over our ends of its pipes."""
        self._stdin = stdin
        if stdout is not None:
            self.stdout = await self._reader(stdout)
        if stderr is not None:
            self.stderr = await self._reader(stderr)

    async def _reader(self, descriptor: int) -> asyncio.StreamReader:
        reader = asyncio.StreamReader()
        pipe = os.fdopen(descriptor, "rb", 0)
        protocol = asyncio.StreamReaderProtocol(reader)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(lambda: protocol, pipe)
        self._transports.append(transport)
        return reader

    def close(self) -> None:
        """Close our ends of its pipes."""
        for transport in self._transports:
            transport.close()

    async def _end(self) -> int:
        told = await asyncio.get_running_loop().sock_recv(self._link, 16)
        self._link.close()
        self.returncode = int(told)
        return self.returncode

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    async def communicate(self, data: bytes | None = None) -> tuple[bytes | None, bytes | None]:
        _, out, err, _ = await asyncio.gather(
            asyncio.to_thread(_write, self._stdin, data or b""),
            _all_of(self.stdout),
            _all_of(self.stderr),
            self.wait(),
        )
        self._stdin = None
        return out, err

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _write(descriptor: int | None, data: bytes) -> None:
    if descriptor is None:
        return
    with contextlib.suppress(BrokenPipeError), open(descriptor, "wb", buffering=0) as pipe:
        pipe.write(data)


async def _all_of(reader: asyncio.StreamReader | None) -> bytes | None:
    return None if reader is None else await reader.read()


class ForkServer:
    """The process whose forks run the command."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._folder = TemporaryDirectory(prefix="probe-forks-")
        self._address = str(Path(self._folder.name) / "socket")
        command = [sys.executable, "-m", "tests.cli.forks", self._address]
        self._process = subprocess.Popen(
            command, env=dict(environment), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        assert self._process.stdout.read(1) == b"!"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # it ends when its stdin does
        self._folder.cleanup()

    async def start(
        self, args: Sequence[str], env: Mapping[str, str], streams: Sequence[int | None]
    ) -> Forked:
        """``probe ARGS``. *streams*: descriptors, or ``None`` for pipes to read or write here."""
        with contextlib.ExitStack() as stack:
            ours: list[int | None] = []
            theirs: list[int] = []
            for number, given in enumerate(streams):
                if given is not None:
                    ours.append(None)
                    theirs.append(given)
                    continue
                reading, writing = os.pipe()
                own, other = (writing, reading) if number == 0 else (reading, writing)
                stack.callback(os.close, other)
                ours.append(own)
                theirs.append(other)
            link = socket.socket(socket.AF_UNIX)
            link.connect(self._address)
            socket.send_fds(link, [json.dumps([list(args), dict(env)]).encode()], theirs)
            pid = int(link.recv(16))
        link.setblocking(False)
        process = Forked(pid, link)
        await process.connect(*ours)
        return process


@dataclass(frozen=True, slots=True)
class _Job:
    args: list[str]
    env: dict[str, str]
    streams: list[int]

    def run(self) -> None:
        """Become ``python -m prober ARGS``."""
        for number, descriptor in enumerate(self.streams):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.environ.clear()
        os.environ.update(self.env)
        sys.stdin = open(0, closefd=False)
        sys.stdout = open(1, "w", closefd=False)
        sys.stderr = open(2, "w", 1, errors="backslashreplace", closefd=False)
        sys.argv = ["prober", *self.args]
        runpy.run_module("prober", run_name="__main__", alter_sys=True)


def _jobs(listener: socket.socket) -> Iterator[socket.socket]:
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        yield listener.accept()[0]


def _serve(address: str) -> _Job | None:
    """The job to become, in a fork; ``None`` in the server, once the tests have ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the keepers
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        os.write(1, b"!")
        for link in _jobs(listener):
            with link:
                if os.fork() == 0:
                    listener.close()
                    return _keep(link)
    return None


def _keep(link: socket.socket) -> _Job:
    """Fork again, tell the process id and, in the end, the status. Returns in the fork only."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    request, streams, _, _ = socket.recv_fds(link, _MAX_REQUEST, 3)
    pid = os.fork()
    if pid == 0:
        link.close()
        args, env = json.loads(request)
        return _Job(args, env, streams)
    for descriptor in (0, 1, 2, *streams):
        os.close(descriptor)
    link.sendall(str(pid).encode())
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(BrokenPipeError):
        link.sendall(str(status).encode())
    os._exit(0)


if __name__ == "__main__":
    for _name in _IMPORTED:
        import_module(_name)
    gc.freeze()
    _job = _serve(sys.argv[1])
    if _job is not None:
        _job.run()
