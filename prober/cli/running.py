"""Runs a command: the event loop, the signals, and what each fault means for the exit status."""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import typer

from prober.errors import ProbeError
from prober.rules.exit_status import INTERRUPTED, PIPE_CLOSED, TERMINATED

T = TypeVar("T")


class Terminated(BaseException):
    """SIGTERM came. Like KeyboardInterrupt, no fault that anybody should handle as one."""


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run *main*; SIGINT raises KeyboardInterrupt, SIGTERM Terminated, after *main* cleaned up."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_until_terminated(main))


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


@contextlib.contextmanager
def exit_statuses() -> Iterator[None]:
    """Turn faults and signals into a message on stderr and the exit status of DESIGN's table."""
    try:
        yield
    except ProbeError as error:
        typer.echo(f"probe: {error}", err=True)
        raise typer.Exit(error.exit_status) from error
    except BrokenPipeError as error:
        raise typer.Exit(PIPE_CLOSED) from error
    except KeyboardInterrupt as error:
        typer.echo("probe: interrupted", err=True)
        raise typer.Exit(INTERRUPTED) from error
    except Terminated as error:
        typer.echo("probe: terminated", err=True)
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
