"""Runs a command: the event loop, the signals, and what each fault means for the exit status."""

import asyncio
import contextlib
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final, TypeVar

import typer

from prober.errors import ProbeError, ReportError
from prober.report.sinks import StreamSink
from prober.rules.exit_status import INTERRUPTED, PIPE_CLOSED, TERMINATED

T = TypeVar("T")
_STDERR: Final = 2


class Terminated(BaseException):
    """SIGTERM came. Like KeyboardInterrupt, no fault that anybody should handle as one."""


def hold_standard_descriptors() -> None:
    """Let nothing that is opened take the place of a closed stdin, stdout or stderr.

    libuv aborts when it is to close one of these, and a report there would get what others print.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(descriptor)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run *main*; SIGINT raises KeyboardInterrupt, SIGTERM Terminated, after *main* cleaned up."""
    _raise_file_limit()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_until_terminated(main))


def _raise_file_limit() -> None:
    """As many open files as we may have: 100 domains at once can want more than the usual 1024."""
    with contextlib.suppress(OSError, ValueError):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _until_terminated(main: Coroutine[Any, Any, T]) -> T:
    task = asyncio.ensure_future(main)
    terminated = False

    def terminate() -> None:
        nonlocal terminated
        terminated = True
        task.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)
    try:
        return await task
    except asyncio.CancelledError:
        if terminated:
            raise Terminated from None
        raise


def show(line: str) -> None:
    """Print *line* on stdout. Raises as the writers of reports do where it cannot."""
    if sys.stdout is None:  # started with it closed: >&-
        raise ReportError("stdout: cannot write: it is closed")
    text = f"{line}\n".encode(sys.stdout.encoding, "backslashreplace")
    StreamSink(sys.stdout.buffer, "stdout").write(text)


def tell(text: str) -> None:
    """Say *text* on stderr; that nobody can hear it is no fault of the run."""
    if sys.stderr is None:  # print() would take stdout
        return
    line = f"probe: {text}\n".encode(sys.stderr.encoding, "backslashreplace")
    with contextlib.suppress(ReportError, BrokenPipeError):
        StreamSink(sys.stderr.buffer, "stderr").write(line)


@contextlib.contextmanager
def exit_statuses() -> Iterator[None]:
    """Turn faults and signals into a message on stderr and the exit status of DESIGN's table."""
    try:
        yield
    except ProbeError as error:
        tell(str(error))
        raise typer.Exit(error.exit_status) from error
    except BrokenPipeError as error:
        raise typer.Exit(PIPE_CLOSED) from error
    except KeyboardInterrupt as error:
        tell("interrupted")
        raise typer.Exit(INTERRUPTED) from error
    except Terminated as error:
        tell("terminated")
        raise typer.Exit(TERMINATED) from error


def configure_logging(*, verbose: bool) -> None:
    """Log to stderr: warnings, or with *verbose* each step of each session."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if verbose else logging.ERROR,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    for noisy in ("asyncio", "aiosmtplib"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
