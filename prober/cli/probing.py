"""Counts and writes the reports of a run: the one way that every command goes."""

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar

from prober.cli.options import ReportOptions
from prober.cli.running import tell
from prober.errors import SettingsError
from prober.operators import operator_of
from prober.records import DomainReport
from prober.report.output import STDOUT, ReportStyle, ReportWriter, open_report
from prober.rules.exit_status import Tally, Totals, exit_status
from prober.scan import Progress


class Reporting:
    """Takes the reports of a run: to every output, to the tally, to the progress bar."""

    def __init__(self, writers: Sequence[ReportWriter], tally: Tally, bar: "_Bar") -> None:
        self.progress = Progress()
        self.show = bar.show
        self._writers = writers
        self._tally = tally
        self._bar = bar

    @classmethod
    @contextlib.contextmanager
    def open(
        cls, options: ReportOptions, style: ReportStyle, total: int | None = None
    ) -> Iterator[Self]:
        """With all outputs of *options* open; finished at the end, or left as partial files.

        *total* is how many reports will come, for the progress bar; None where nobody knows.
        """
        tally = Tally(require=options.required, operator_of=operator_of)
        with (
            _open_reports(options, style, tally.totals) as writers,
            _progress_bar(writers, total, quiet=options.quiet) as bar,
        ):
            yield cls(writers, tally, bar)

    def add(self, report: DomainReport) -> None:
        """Count and write one report."""
        self._tally.add(report)
        for writer in self._writers:
            writer.write(report)
        self._bar.advance()

    def add_rows(self, rows: Sequence[Iterable[bytes]]) -> None:
        """Write what workers have formatted: for each output its rows, in pieces."""
        for writer, pieces in zip(self._writers, rows, strict=True):
            for piece in pieces:
                writer.write_rows(piece)

    def add_totals(self, totals: Totals) -> None:
        """Count what workers have counted."""
        self._tally.totals.merge(totals)

    @property
    def status(self) -> int:
        """The exit status, of all that was added."""
        return exit_status(self._tally.totals)

    def summary(self) -> str:
        """One line: how many domains, and how many of each level."""
        totals = self._tally.totals
        levels = sorted(totals.levels.items())
        counts = ", ".join(f"{count} {level}" for level, count in levels)
        repeated = self.progress.duplicates
        note = f"; {_counted(repeated, 'repeated line')} left out" if repeated else ""
        return f"{_counted(totals.domains, 'domain')}: {counts or 'none'}{note}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


@contextlib.contextmanager
def _open_reports(
    options: ReportOptions, style: ReportStyle, totals: Totals
) -> Iterator[Sequence[ReportWriter]]:
    with contextlib.ExitStack() as stack:
        writers: list[ReportWriter] = []
        targets = options.output or [STDOUT]
        if len(set(targets)) < len(targets):
            raise SettingsError("--output names the same file twice")
        for target in targets:
            writer = stack.enter_context(open_report(target, options.format_, style, totals))
            if writer.kept is not None:
                tell(f"{target}: rows of an earlier run that did not finish are in {writer.kept}")
            writers.append(writer)
        try:
            yield writers
        except BaseException:
            for left in filter(None, (writer.left for writer in writers)):
                tell(f"not finished; what was seen is in {left}")
            raise


class _Bar:
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
def _progress_bar(
    writers: Sequence[ReportWriter], total: int | None, *, quiet: bool
) -> Iterator[_Bar]:
    """A bar on stderr where that is a terminal and the reports go to files."""
    to_files = all(writer.partial is not None for writer in writers)
    if quiet or sys.stderr is None or not sys.stderr.isatty() or not to_files:
        yield _Bar()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with ProgressBar(*columns, console=Console(stderr=True), transient=True) as bar:
        yield _Bar(bar, total)
