"""Shows the progress of a run, and what it waits for, at the bottom of the terminal."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from prober.cli.running import tell
from prober.escape import printable
from prober.report.words import reason_words
from prober.waits import Awaited, Wait, Watch

log = logging.getLogger(__name__)

_TICK_S: Final = 0.25
_SHOWN_AFTER_S: Final = 1.0  # a shorter wait is over before it is read
_MAX_WAITS: Final = 4
_BAR: Final = 30  # columns at most
_LEAST_BAR: Final = 10


@dataclass(slots=True)
class Stage:
    """How far a run is: *done* of *total* (None if not known).

    ``counts`` says how many domains passed, failed and so on. ``began`` and ``done_before``: the
    time when this stage began, and what was done by then.
    """

    name: str
    total: int | None = None
    done: int = 0
    counts: str = ""
    done_before: int = 0
    began: float = 0.0

    def words(self, now: float) -> str:
        """Such as "probing 3/10, 0:00:06, ETA 0:00:14, 2 PASS, 1 FAIL"."""
        elapsed_s = now - self.began
        parts = [f"{self.name} {self.done}", str(timedelta(seconds=round(elapsed_s)))]
        if self.total is not None:
            parts[0] += f"/{self.total}"
            fresh = self.done - self.done_before
            left_s = elapsed_s * (self.total - self.done) / fresh if fresh > 0 else None
            eta = "-:--:--" if left_s is None else timedelta(seconds=round(max(0.0, left_s)))
            parts.append(f"ETA {eta}")
        return ", ".join([*parts, *([self.counts] if self.counts else [])])


def wait_words(wait: Wait) -> str:
    """Such as "Waiting for the greeting of mx1.example.com (up to 60 s)"."""
    notes = []
    if wait.at_most_s is not None:
        each = " per question" if wait.awaited is Awaited.RESOLVE else ""
        notes.append(f"up to {wait.at_most_s:.0f} s{each}")
    if wait.after is not None:
        notes.append(reason_words(wait.after.reason, wait.after.step, wait.after.reply_code))
    note = f" ({'; '.join(notes)})" if notes else ""
    return f"Waiting for {wait.awaited} {printable(wait.host)}{note}"


def long_waits(watch: Watch, now: float) -> dict[str, float]:
    """The waits of a second or more: each text, and when it began."""
    waits: dict[str, float] = {}
    for wait in list(watch.waits.values()):
        if now - wait.since >= _SHOWN_AFTER_S:
            words = wait_words(wait)
            waits[words] = min(wait.since, waits.get(words, now))
    return waits


class Display:
    """Shows a *stage* and the waits of a *watch* at the bottom of the terminal on stderr.

    Whatever else writes to the terminal hides it first; ``refresh`` shows it again. Where the
    terminal cannot move its cursor, or *in_lines*, each wait is shown once, and no stage. Without a
    stage and a watch it shows nothing.
    """

    def __init__(self, stage: Stage | None, watch: Watch | None, *, in_lines: bool = False) -> None:
        self._console = Console(file=sys.stderr, markup=False, emoji=False, highlight=False)
        self._in_lines = in_lines or self._console.is_dumb_terminal
        self._stage = stage
        self.watch = watch
        self._live: Live | None = None
        self._drawn: list[str] = []
        self._told: set[tuple[str, float]] = set()

    def refresh(self) -> None:
        """Draw the current state."""
        if self._in_lines:
            self._tell_waits()
            return
        lines = list(self._lines(monotonic()))
        if not lines:
            self.hide()
        elif lines != self._drawn:
            self._draw(lines)

    def _draw(self, lines: list[str]) -> None:
        self._drawn = lines
        with self._while_there_is_a_terminal():
            if self._live is None:
                self._live = self._new_live()
                self._live.start()
            head, *rest = map(Text, lines)
            self._live.update(Group(self._with_bar(head), *rest), refresh=True)

    def hide(self) -> None:
        """Remove everything that was shown."""
        self._drawn = []
        live, self._live = self._live, None
        if live is not None:
            with self._while_there_is_a_terminal():
                live.stop()

    def _new_live(self) -> Live:
        return Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    @contextlib.contextmanager
    def _while_there_is_a_terminal(self) -> Iterator[None]:
        """A terminal that was closed does not stop the run."""
        try:
            yield
        except OSError:
            self._stage, self.watch = None, None

    def _tell_waits(self) -> None:
        waits = long_waits(self.watch, monotonic()) if self.watch is not None else {}
        for words, since in waits.items():
            if (words, since) not in self._told:
                self._told.add((words, since))
                tell(words)

    def _lines(self, now: float) -> Iterator[str]:
        if self._stage is not None:
            yield self._stage.words(now)
        if self.watch is not None:
            yield from _wait_lines(long_waits(self.watch, now), now)

    def _with_bar(self, line: Text) -> RenderableType:
        """The first *line*, with a progress bar before it where there is room."""
        room = self._console.width - len(line) - 2
        if self._stage is None or not self._stage.total or room < _LEAST_BAR:
            return line
        row = Table.grid(padding=(0, 1, 0, 0))
        stage, width = self._stage, min(room, _BAR)
        row.add_row(ProgressBar(total=stage.total, completed=stage.done, width=width), line)
        return row


def _wait_lines(waits: Mapping[str, float], now: float) -> Iterator[str]:
    """The longest waits first."""
    ordered = sorted(waits.items(), key=lambda each: each[1])
    for words, since in ordered[:_MAX_WAITS]:
        yield f"{words}: {now - since:.0f} s"
    if len(ordered) > _MAX_WAITS:
        yield f"and {len(ordered) - _MAX_WAITS} more"


def can_show() -> bool:
    """Whether a person sees stderr."""
    return sys.stderr is not None and sys.stderr.isatty()


@contextlib.asynccontextmanager
async def repeatedly(refresh: Callable[[], None]) -> AsyncIterator[None]:
    """Call *refresh* now and then four times per second while inside."""

    async def tick() -> None:
        while True:
            refresh()
            await asyncio.sleep(_TICK_S)

    ticking = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticking.cancel()
        (failure,) = await asyncio.gather(ticking, return_exceptions=True)
        if isinstance(failure, Exception):
            log.error("what the terminal shows failed; the run did not", exc_info=failure)


@contextlib.asynccontextmanager
async def waits_shown() -> AsyncIterator[Display]:
    """A display of the waits in the run's ``watch``, where stderr is a terminal."""
    display = Display(None, Watch() if can_show() else None)
    async with repeatedly(display.refresh):
        try:
            yield display
        finally:
            display.hide()
