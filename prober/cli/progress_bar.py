"""The progress bar on a terminal."""

import contextlib
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar


class Bar:
    """A progress bar, or none."""

    def __init__(self, bar: ProgressBar | None = None, total: int | None = None) -> None:
        self._bar = bar
        self._task = bar.add_task("probing", total=total) if bar is not None else TaskID(0)

    def advance(self) -> None:
        """One more is done."""
        if self._bar is not None:
            self._bar.advance(self._task)

    def show(self, stage: str, done: int, total: int | None) -> None:
        """So many of *total* are done in *stage*; None: nobody knows yet of how many."""
        if self._bar is not None:
            self._bar.update(self._task, description=stage, completed=done, total=total)


@contextlib.contextmanager
def progress_bar(total: int | None, *, is_wanted: bool) -> Iterator[Bar]:
    """A bar on stderr where it *is_wanted* and that is a terminal; else one that shows nothing."""
    if not is_wanted or sys.stderr is None or not sys.stderr.isatty():
        yield Bar()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with ProgressBar(*columns, console=Console(stderr=True), transient=True) as bar:
        yield Bar(bar, total)
