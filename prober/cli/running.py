"""Runs a command: the event loop, the signals, and what each fault means for the exit status."""

import asyncio
import contextlib
import logging
import resource
import shlex
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, Final, TypeVar

import typer

from prober.cli import ARGUMENTS
from prober.domain_list import STDIN
from prober.errors import ProbeError, ReportError
from prober.escape import printable
from prober.report.output import STDOUT, open_target
from prober.report.sinks import StreamSink
from prober.rules.exit_status import FAULT_OF_OURS, INTERRUPTED, PIPE_CLOSED, TERMINATED
from prober.runtime import loop_factory
from prober.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")


class Terminated(BaseException):
    """SIGTERM was received. A BaseException, like KeyboardInterrupt."""


_REASONS: Final[dict[int, type[BaseException]]] = {
    signal.SIGINT: KeyboardInterrupt,
    signal.SIGTERM: Terminated,
}


def run(main: Coroutine[Any, Any, T], *, wind_down: Callable[[], None] | None = None) -> T:
    """Run *main*; SIGINT raises KeyboardInterrupt, SIGTERM Terminated, after *main* cleaned up.

    With *wind_down*, SIGTERM calls that, for *main* to end by itself soon; a second signal does
    not wait for it.
    """
    _raise_file_limit()
    before = {number: signal.getsignal(number) for number in _REASONS}
    stop = _Stop(wind_down)
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            result = runner.run(stop.ends(main))
        if not stop.is_winding_down:
            return result
    except asyncio.CancelledError:
        if stop.reason is None:
            raise
    finally:
        for number, action in before.items():  # there may be much to write yet
            signal.signal(number, action)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # what is left to do takes no time
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise stop.reason or Terminated


class _Stop:
    """The first signal, as the exception to raise. Later signals are ignored.

    Signals are caught from the start, since an event loop handles none before it runs.
    """

    def __init__(self, wind_down: Callable[[], None] | None) -> None:
        self.reason: BaseException | None = None
        self.is_winding_down = False
        self._wind_down = wind_down
        for number in _REASONS:
            signal.signal(number, lambda number, _frame: self._note(number))

    def _note(self, number: int) -> None:
        self.reason = self.reason or _REASONS[number]()

    async def ends(self, main: Coroutine[Any, Any, T]) -> T:
        """Await *main*. A signal cancels it once, so that it can clean up."""
        task = asyncio.ensure_future(main)
        for number in _REASONS:
            asyncio.get_running_loop().add_signal_handler(number, self._hear, number, task)
        if self.reason is not None:
            task.cancel()
        return await task

    def _hear(self, number: int, task: asyncio.Task[Any]) -> None:
        if self.reason is None:
            self._note(number)
            if number == signal.SIGTERM and self._wind_down is not None:
                self.is_winding_down = True
                self._wind_down()
            else:
                task.cancel()
        elif self.is_winding_down:
            self.is_winding_down = False
            task.cancel()


def _raise_file_limit() -> None:
    """Raise the limit of open files: 100 domains at once can need more than 1,024."""
    with contextlib.suppress(OSError, ValueError):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def command_line(context: typer.Context, *, add: str) -> str:
    """The command line of *context*, with the option *add*."""
    program = shlex.split(context.find_root().info_name or "probe")  # or: python -m prober
    words = [*program, *context.meta[ARGUMENTS]]
    return shlex.join(words if add in words else [*words, add])


def tell(text: str) -> None:
    """Write *text* to stderr, escaped. A closed stderr does not stop the run."""
    if sys.stderr is not None:  # print() would take stdout
        tell_bytes(f"probe: {printable(text)}\n".encode(sys.stderr.encoding, "backslashreplace"))


def tell_if_typed(files: Sequence[str]) -> None:
    """Say that stdin, if it is one of *files*, is the terminal, and how to end the input."""
    if STDIN in files and sys.stdin is not None and sys.stdin.isatty():
        tell("reading from the terminal: end the input with Ctrl-D")


def tell_cost(settings: Settings, *, quiet: bool) -> None:
    """Say before a run what it asks of the servers, if that is much."""
    if settings.deep_full and not quiet:
        tell(
            "--deep-full makes about 40 further connections per endpoint, "
            f"at most {settings.deep_connections}, and at most {settings.pace.deep_budget} in all "
            "(--deep-budget)"
        )


def tell_bytes(text: bytes) -> None:
    """Write *text*, which is already safe to show, to stderr."""
    if sys.stderr is None:
        return
    with contextlib.suppress(ReportError, BrokenPipeError):
        StreamSink(sys.stderr.buffer, "stderr").write(text)


def show(line: str) -> None:
    """Print *line* on stdout. Raises the same errors as the report writers."""
    sink = open_target(STDOUT, what="the answer")
    sink.write(f"{line}\n".encode(sys.stdout.encoding, "backslashreplace"))


@contextlib.contextmanager
def exit_statuses() -> Iterator[None]:
    """Turn errors and signals into a message on stderr and the exit status in the README."""
    before = _raise_signals()
    try:
        yield
    except ProbeError as error:
        log.warning("ended with exit status %d: %s", error.exit_status, error)
        tell(str(error))
        raise typer.Exit(error.exit_status) from error
    except (typer.Exit, typer.BadParameter):
        raise
    except BrokenPipeError as error:
        raise typer.Exit(PIPE_CLOSED) from error
    except KeyboardInterrupt as error:
        log.warning("interrupted")
        tell("interrupted")
        raise typer.Exit(INTERRUPTED) from error
    except Terminated as error:
        log.warning("terminated")
        tell("terminated")
        raise typer.Exit(TERMINATED) from error
    except Exception as error:
        traceback.print_exc()
        tell("this is a fault of the program: please report it, with the lines above")
        raise typer.Exit(FAULT_OF_OURS) from error
    finally:
        for number, action in before.items():
            if signal.getsignal(number) is not signal.SIG_IGN:  # it came: ignore more of them
                signal.signal(number, action)


def _raise_signals() -> dict[int, Any]:
    """Let SIGTERM raise Terminated from now on, and SIGINT KeyboardInterrupt.

    So code outside the event loop cleans up, too. Returns their handlers before; none where
    those stay, outside the main thread. An ignored SIGINT stays ignored.
    """

    def end(_number: int, _frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # one is enough: nothing disturbs the end
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        return {}
    before: dict[int, Any] = {signal.SIGTERM: signal.signal(signal.SIGTERM, end)}
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    return before
