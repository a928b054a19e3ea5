"""Counts and writes the reports of a run: the one way that every command goes."""

import contextlib
import io
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar

from prober.cli.options import ReportOptions
from prober.cli.resuming import (
    Resumable,
    checkpoint_beside,
    starting_point,
    told_how_to_go_on,
    ways_on,
)
from prober.cli.running import tell
from prober.domains import operator_of
from prober.errors import BlindError, blind
from prober.escape import as_text
from prober.faults import formatted
from prober.files import remove_drafts
from prober.progress import Positions, Progress
from prober.records import DomainReport
from prober.report.json_ import read_reports
from prober.report.output import STDOUT, ReportStyle, ReportWriter, open_report
from prober.report.sinks import GoOn, Mark
from prober.resume import Checkpoint, CheckpointKeeper, checkpoint_path
from prober.rules.exit_status import Tally, Totals, exit_status
from prober.rules.verdict import Standing


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


Accepts = Callable[[DomainReport, Standing], bool]  # whether a standing is accepted as it is


class Record(Protocol):
    """Keeps the reports of a run elsewhere than in a report file.

    ``start`` is where a run stopped that this one goes on with.
    """

    start: Checkpoint | None

    @property
    def is_due(self) -> bool: ...

    def add(self, report: DomainReport, standing: Standing) -> None: ...

    def flush(self, checkpoint: Checkpoint | None = None) -> None: ...

    def finish(self) -> None: ...

    def abandon(self, checkpoint: Checkpoint | None, *, blind: bool = False) -> None: ...


class Reporting:
    """Takes the reports of a run: to every output, to the tally, to the progress bar."""

    def __init__(
        self,
        writers: Sequence[ReportWriter],
        tally: Tally,
        progress: Progress,
        bar: Bar,
        record: Record | None = None,
        accepts: Accepts | None = None,
    ) -> None:
        self.progress = progress
        self.show = bar.show
        self._writers = writers
        self._formatters = [writer.formatter for writer in writers]
        self._tally = tally
        self._bar = bar
        self._marks = self._marks_now()
        self._keeper: CheckpointKeeper | None = None
        self._identity: dict[str, str] = {}
        self._record = record
        self._accepts = accepts
        self._moved: Counter[Standing] = Counter()  # what workers count, and is accepted

    @classmethod
    @contextlib.contextmanager
    def open(
        cls,
        options: ReportOptions,
        style: ReportStyle,
        *,
        total: int | None = None,
        resumable: Resumable | None = None,
        record: Record | None = None,
        accepts: Accepts | None = None,
    ) -> Iterator[Self]:
        """With all outputs of *options* open; finished at the end, or left as partial files.

        *total* is how many reports will come, for the progress bar; None where nobody knows. With
        *resumable*, a checkpoint is kept. With *record*, that takes every report, too, and can say
        where to go on. What *accepts* accepts is counted as neutral.
        """
        targets = options.output or ([] if record is not None and options.quiet else [STDOUT])
        path = checkpoint_beside(targets) if resumable is not None else None
        if path is None and record is not None and resumable is not None:
            start = record.start or Checkpoint(identity={})
        else:
            start = starting_point(path, resumable, quiet=options.quiet)
        tally = Tally(require=options.required, operator_of=operator_of, totals=start.totals)
        progress = Progress(reported=Positions(start.reported))
        go_on = ways_on(targets, path, start)
        with (
            told_how_to_go_on(progress, resumable if path or record else None) as hint,
            _open_reports(options, style, tally.totals, go_on) as writers,
            progress_bar(total, is_wanted=not options.quiet and _all_to_files(writers)) as bar,
        ):
            hint.arm()
            reporting = cls(writers, tally, progress, bar, record, accepts)
            with reporting._recording(resumable):
                if resumable is None or path is None:
                    yield reporting
                    reporting._keep_what_is_better(targets)
                else:
                    with reporting._keeping(path, resumable):
                        yield reporting
        if record is not None:  # the report files are whole by now
            record.finish()

    def add(self, report: DomainReport) -> None:
        """Count and write one report. Raises BlindError where this machine turns out blind."""
        if self._keeper is not None and self.progress.reported:
            self._keeper.tick(self._checkpoint)
        if self._record is not None and self._record.is_due:
            self._checkpoint()
        report, standing, rows = formatted(report, self._tally, self._formatters)
        for writer, row in zip(self._writers, rows, strict=True):
            writer.write_rows(row)
        if self._record is not None:
            self._record.add(report, standing)
        accepted = self._accepts is not None and self._accepts(report, standing)
        self._tally.add(report, Standing.NEUTRAL if accepted else standing)
        self._marks = self._marks_now()
        self._bar.advance()
        totals = self._tally.totals
        if totals.is_hopeless and totals.why_blind is not None:
            raise blind(totals.why_blind)

    def add_rows(self, rows: Sequence[Iterable[bytes]]) -> None:
        """Write what workers have formatted: for each output its rows, in pieces.

        Where the reports are wanted, too, these are the last, as JSON lines.
        """
        for writer, pieces in zip(self._writers, rows, strict=not self.wants_reports):
            for piece in pieces:
                writer.write_rows(piece)
        if self.wants_reports:
            for piece in rows[-1]:
                for report in read_reports(io.BytesIO(piece)):
                    self._note(report)

    @property
    def wants_reports(self) -> bool:
        """Whether the reports themselves are wanted of workers, and not only their rows."""
        return self._record is not None or self._accepts is not None

    def _note(self, report: DomainReport) -> None:
        standing = self._tally.standing_of(report)
        if self._record is not None:
            self._record.add(report, standing)
            if self._record.is_due:
                self._record.flush()
        if self._accepts is not None and self._accepts(report, standing):
            self._moved[standing] += 1

    def add_totals(self, totals: Totals) -> None:
        """Count what workers have counted."""
        self._tally.totals.merge(totals)
        self._tally.totals.move(self._moved, Standing.NEUTRAL)
        self._moved.clear()

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
        if totals.faults:
            note += f"; {_counted(totals.faults, 'internal fault')}: please report it, with the log"
        return f"{_counted(totals.domains, 'domain')}: {counts or 'none'}{note}"

    @contextlib.contextmanager
    def _keeping(self, path: Path, resumable: Resumable) -> Iterator[None]:
        """Keep a checkpoint at *path*; none is left where all is done."""
        self._identity = resumable.identity
        self._keeper = keeper = CheckpointKeeper(path, self._sync)
        keeper.save(self._checkpoint())  # so that rows of a run killed soon are gone on with, too
        try:
            yield
            self._keep_what_is_better([writer.target for writer in self._writers])
        except BaseException as error:
            # of a machine that cannot see, all is to be asked again
            if not self.progress.reported or isinstance(error, BlindError):
                keeper.close()
                keeper.discard()
            else:
                keeper.close(self._checkpoint())
            raise
        keeper.close(self._checkpoint())
        for writer in self._writers:
            writer.finish()
        keeper.discard()

    def _keep_what_is_better(self, targets: Sequence[str]) -> None:
        """Raise BlindError where reports of a machine that cannot see would replace older ones."""
        why = self._tally.totals.why_blind
        if why is not None and any(os.path.isfile(target) for target in targets):
            raise blind(why)

    def _checkpoint(self) -> Checkpoint:
        """What is reported for certain: all but what is being written right now.

        The record has all that the checkpoint speaks of.
        """
        checkpoint = Checkpoint(
            identity=self._identity,
            reported=tuple(self.progress.reported.ranges()),
            marks=self._marks,
            totals=self._tally.totals,
        )
        if self._record is not None:
            self._record.flush(checkpoint)
        return checkpoint

    @contextlib.contextmanager
    def _recording(self, resumable: Resumable | None) -> Iterator[None]:
        """Where the run is stopped, the record is left so that another can go on with it."""
        if self._record is None:
            yield
            return
        if resumable is not None:
            self._identity = resumable.identity
        try:
            yield
        except BaseException as error:
            blind = isinstance(error, BlindError)
            self._record.abandon(None if blind else self._checkpoint(), blind=blind)
            raise

    def _marks_now(self) -> dict[str, Mark]:
        return {
            as_text(writer.target): writer.mark
            for writer in self._writers
            if writer.mark is not None
        }

    def _sync(self) -> None:
        for writer in self._writers:
            writer.sync()


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


@contextlib.contextmanager
def _open_reports(
    options: ReportOptions, style: ReportStyle, totals: Totals, go_on: Mapping[str, GoOn | None]
) -> Iterator[Sequence[ReportWriter]]:
    with contextlib.ExitStack() as stack:
        writers: list[ReportWriter] = []
        for target, way in go_on.items():
            writer = open_report(target, options.format_, style, totals, way)
            stack.enter_context(writer)
            if writer.partial is not None:
                checkpoint = checkpoint_path(writer.partial)
                remove_drafts(checkpoint)  # nobody else writes it: the partial file is locked
                if way is None:  # it was of rows that were put aside
                    with contextlib.suppress(OSError):
                        checkpoint.unlink(missing_ok=True)
            if writer.kept is not None and not options.quiet:
                tell(f"{target}: rows of an earlier run that did not finish are in {writer.kept}")
            writers.append(writer)
        try:
            yield writers
        except BaseException:
            for left in filter(None, (writer.left for writer in writers)):
                tell(f"not finished; what was seen is in {left}")
            raise


def _all_to_files(writers: Sequence[ReportWriter]) -> bool:
    return all(writer.partial is not None for writer in writers)
