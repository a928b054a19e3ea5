"""Runs one program in the root folder that tests/mta/install made for it.

The program gets private mount and PID namespaces, so it finds its files at the paths compiled into
it, touches nothing of the machine's, and leaves no process behind. The network is the machine's:
servers listen on loopback. The commands that do it are in the shell script ``enter``.
"""

import contextlib
import functools
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

FOLDER = "/srv"  # where the program finds the folder it was given
MACHINE = Path("/")  # the root of a program that is not Debian's

_ENTER = Path(__file__).with_name("enter")
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
_SYSLOG_LINE_LIMIT = 8192  # bytes; servers cut their lines at 1 or 2 KiB
STOP_TIMEOUT_S = 5.0  # the slowest takes 0.1 s


def roots_folder() -> Path:
    """The folder of roots: where tests/mta/install puts them."""
    chosen = os.environ.get("PROBE_MTA_ROOTS")
    return Path(chosen) if chosen else Path.home() / ".cache" / "probe-mta"


def is_root() -> bool:
    """Whether namespaces may be tried at all."""
    return os.geteuid() == 0


@functools.cache
def why_no_namespaces() -> str | None:
    """What keeps this machine from making namespaces; ``None`` if nothing does."""
    if shutil.which("unshare") is None:
        return "there is no unshare (util-linux)"
    trial = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "mount", "-t", "proc", "proc", "/proc"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return trial.stderr.strip() or "unshare fails" if trial.returncode else None


@contextlib.contextmanager
def sandboxed(
    root: Path,
    folder: Path,
    command: Sequence[str],
    *,
    log: Path,
    stop_timeout_s: float = STOP_TIMEOUT_S,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run *command* until the block is left. *log* gets its output and what it tells syslog.

    It is asked to stop by SIGTERM; if it has not after *stop_timeout_s*, its whole PID namespace
    is killed. Either way every process it started is gone when the block has been left.
    """
    with (
        log.open("ab", buffering=0) as output,
        _syslog(folder, output),
        subprocess.Popen(
            _argv(root, folder, command),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_ENVIRONMENT,
        ) as process,
    ):
        try:
            yield process
        finally:
            _stop(process, stop_timeout_s)


def run_sandboxed(
    root: Path,
    folder: Path,
    command: Sequence[str],
    *,
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run *command* to its end and return what it wrote, on both its outputs.

    The exit status is not looked at. Raises ``subprocess.TimeoutExpired`` after *timeout_s*.
    """
    kept_open, closes_it = os.pipe()
    try:
        return subprocess.run(
            _argv(root, folder, command),
            stdin=kept_open,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_ENVIRONMENT | dict(environment or {}),
            timeout=timeout_s,
            check=False,
            encoding="utf-8",
            errors="replace",
        ).stdout
    finally:
        os.close(closes_it)
        os.close(kept_open)


def _argv(root: Path, folder: Path, command: Sequence[str]) -> list[str]:
    unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    return [*unshare, str(_ENTER), str(root), str(folder), *command]


@contextlib.contextmanager
def _syslog(folder: Path, output: BinaryIO) -> Iterator[None]:
    """Copy to *output* what comes to the socket that `enter` shows as /dev/log."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
        inbox.bind(str(folder / "syslog"))
        (folder / "syslog").chmod(0o666)
        reader = threading.Thread(target=_copy_datagrams, args=(inbox, output))
        reader.start()
        try:
            yield
        finally:
            inbox.shutdown(socket.SHUT_RD)  # once all is read, recv() then returns nothing
            reader.join()


def _copy_datagrams(inbox: socket.socket, output: BinaryIO) -> None:
    while datagram := inbox.recv(_SYSLOG_LINE_LIMIT):
        output.write(datagram + b"\n")


def _stop(process: subprocess.Popen[bytes], timeout_s: float) -> None:
    assert process.stdin is not None
    process.stdin.close()  # `enter` then sends SIGTERM
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        _kill_namespace(process)
        process.wait()


def _kill_namespace(process: subprocess.Popen[bytes]) -> None:
    """Kill process 1 of the namespace: the kernel kills the others before `unshare` sees it end."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    for child in children.split():
        os.kill(int(child), signal.SIGKILL)
