"""Counts and writes the reports of a run. Every command that probes uses it."""

import asyncio
import contextlib
import functools
import io
import os
import stat
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, Final, Protocol, Self

import msgspec

from prober.cli.display import Display, Stage, can_show, repeatedly
from prober.cli.options import ReportOptions
from prober.cli.resuming import (
    Resumable,
    checkpoint_beside,
    resume_points,
    starting_point,
    suggest_resume,
)
from prober.cli.running import tell, tell_bytes
from prober.domains import operator_of
from prober.errors import BlindError, blind
from prober.escape import as_text, listed
from prober.faults import formatted
from prober.files import Mark, ResumeFrom, remove_drafts
from prober.held_reports import Held, held_path, read_held
from prober.progress import Positions, Progress
from prober.records import AcceptedException, DomainReport
from prober.report.answer import answer
from prober.report.interface import Kind, Paper, R, T
from prober.report.json_ import read_reports
from prober.report.output import (
    STDOUT,
    News,
    ReportFormat,
    ReportStyle,
    ReportWriter,
    domains,
    open_report,
)
from prober.report.summary import (
    accepted_lines,
    by_standing,
    counts_line,
    noted_lines,
    summary_lines,
    uncovered_lines,
)
from prober.report.text import TextReport
from prober.report.words import counted, name_of
from prober.resume import Checkpoint, CheckpointKeeper, checkpoint_path
from prober.rules.accepted import NO_EXCEPTIONS
from prober.rules.deep_plan import is_cut_by_budget
from prober.rules.exit_status import exit_status
from prober.rules.totals import EXPIRY_NOTICE_DAYS, MAX_NOTED, Tally, Totals
from prober.settings import Settings
from prober.waits import InHand, Watch

_SILENCE_S: Final = 60.0  # after which a person wants to see what is known
_MAX_SHOWN: Final = 10  # domains, of those that did not finish


class Record(Protocol):
    """Keeps the reports of a run elsewhere than in a report file.

    ``start`` is the point from which this run continues an earlier one.
    """

    start: Checkpoint | None

    @property
    def is_due(self) -> bool: ...

    def add(self, report: DomainReport) -> None: ...

    def flush(self, checkpoint: Checkpoint | None = None) -> None: ...

    def finish(self, left_open: Checkpoint | None = None) -> None: ...

    def abandon(self, checkpoint: Checkpoint | None, *, blind: bool = False) -> None: ...


class Reporting:
    """Passes the reports of a run to the outputs and the tally, and shows the progress.

    ``watch`` is for the run to note its waits in; None where nobody watches.
    """

    def __init__(
        self,
        writers: Sequence[ReportWriter[DomainReport, Totals]],
        tally: Tally,
        progress: Progress,
        record: Record | None = None,
    ) -> None:
        self.progress = progress
        self.reader = tally.reader
        self.watch: Watch | None = None
        self._display: Display | None = None
        self._stage: Stage | None = None
        self._is_counted_here = True
        self._silence_s = _SILENCE_S
        self._shown: set[int] = set()
        self._writers = writers
        self._formatters = [writer.formatter for writer in writers]
        self._tally = tally
        self._began = monotonic()
        self._marks = self._marks_now()
        self._keeper: CheckpointKeeper | None = None
        self._identity: dict[str, str] = {}
        self._record = record
        self._left_open: Checkpoint | None = None
        self._cut = 0  # domains that --deep-budget has cut
        self._goes_on = False  # with an earlier run
        self.held: Iterable[Held] = ()  # reports of that run

    @classmethod
    @contextlib.contextmanager
    def open(
        cls,
        options: ReportOptions,
        style: ReportStyle,
        *,
        count: Callable[[], int] | None = None,
        waits: Settings | None = None,
        resumable: Resumable | None = None,
        record: Record | None = None,
        exceptions: Mapping[str, AcceptedException] = NO_EXCEPTIONS,
        news: News | None = None,
        expires_soon_days: int = EXPIRY_NOTICE_DAYS,
    ) -> Iterator[Self]:
        """Open all outputs of *options*; finish them at the end, or leave partial files.

        *count* says how many entries there are, for the terminal; with *waits*, the settings of the
        run, that also shows what is waited for. With *resumable*, a checkpoint is kept. *record*
        takes every report, too, and can say where to go on. *exceptions*, by domain, are accepted.
        *news* is asked for what changed once all reports are added.
        """
        targets = options.output or ([] if record is not None and options.quiet else [STDOUT])
        path = checkpoint_beside(targets) if resumable is not None else None
        if path is None and record is not None and resumable is not None:
            start = record.start or Checkpoint(identity={})
        else:
            start = starting_point(path, resumable, quiet=options.quiet)
        tally = Tally(
            require=options.required,
            operator_of=operator_of,
            describe=answer,
            exceptions=exceptions,
            expires_soon_days=expires_soon_days,
            totals=start.totals,
        )
        progress = Progress(reported=Positions(start.reported))
        resume_from = resume_points(targets, path, start)
        with (
            suggest_resume(progress, resumable if path or record else None) as hint,
            open_reports(
                resume_from,
                options.format_,
                domains(style, news and functools.cache(news)),
                tally.totals,
                quiet=options.quiet,
            ) as writers,
        ):
            hint.armed, hint.goes_on = True, bool(start.identity)
            reporting = cls(writers, tally, progress, record)
            if path is not None and start.identity:
                reporting._goes_on = True
                reporting.held = read_held(held_path(path), start.identity)
            if not options.quiet and can_show():
                reporting._show_on_terminal(count, waits, in_lines=options.verbose)
            with reporting._recording(resumable):
                if resumable is None or path is None:
                    yield reporting
                    reporting._keep_what_is_better(targets)
                else:
                    with reporting._keeping(path, resumable):
                        yield reporting
        if record is not None:  # the report files are whole by now
            record.finish(reporting._left_open)
        if reporting._left_open is not None and resumable is not None and not options.quiet:
            tell(f"--deep-budget is used up; continue with: {resumable.command}")
        elif reporting._cut and not options.quiet:
            tell(f"--deep-budget is used up: {counted(reporting._cut, 'domain')} not fully tested")

    def leave_open(self, held: Iterable[Held]) -> None:
        """Mark what is added from now on as cut: a resumed run probes these domains again.

        *held* are the reports among them that it uses unchanged.
        """
        if self._keeper is not None:
            self._keeper.hold(self._identity, held)
        checkpoint = msgspec.json.encode(self._checkpoint())  # the totals go on to change
        self._left_open = msgspec.json.decode(checkpoint, type=Checkpoint)

    @property
    def can_leave_open(self) -> bool:
        """Whether another run can continue this one: it has a checkpoint."""
        return self._keeper is not None or self._record is not None

    def add(self, report: DomainReport) -> None:
        """Count and write one report. Raises BlindError where this machine turns out blind."""
        self.add_saved(report)
        self._cut += is_cut_by_budget(report.endpoints)
        totals = self._tally.totals
        if totals.is_hopeless and totals.why_blind is not None:
            raise blind(totals.why_blind)

    def add_saved(self, report: DomainReport) -> DomainReport:
        """Count and write one report, perhaps from another machine.

        Gives it with its standing.
        """
        if self._keeper is not None and self.progress.reported:
            self._keeper.save_if_due(self._checkpoint)
        if self._record is not None and self._record.is_due:
            self._checkpoint()
        report, rows = formatted(report, self._tally, self._formatters)
        self._make_room()
        for writer, row in zip(self._writers, rows, strict=True):
            writer.write_rows(row)
        if self._record is not None:
            self._record.add(report)
        self._tally.add(report)
        self._marks = self._marks_now()
        return report

    def add_rows(self, rows: Sequence[Iterable[bytes]]) -> None:
        """Write the rows that workers formatted, in pieces per output.

        Where the reports are wanted, too, these are the last, as JSON lines.
        """
        self._make_room()
        for writer, pieces in zip(self._writers, rows, strict=not self.wants_reports):
            for piece in pieces:
                writer.write_rows(piece)
        if self.wants_reports:
            for piece in rows[-1]:
                for report in read_reports(io.BytesIO(piece)):
                    self._note(report)

    @property
    def wants_reports(self) -> bool:
        """Whether workers must return the reports, and not only the rows."""
        return self._record is not None

    def _note(self, report: DomainReport) -> None:
        if self._record is not None:
            self._record.add(report)
            if self._record.is_due:
                self._record.flush()

    def add_totals(self, totals: Totals) -> None:
        """Add the counts of a worker."""
        self._tally.totals.merge(totals)

    async def watched(self, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run *main*, and show on the terminal the progress and what it waits for.

        When it is cancelled, what is known by then is shown.
        """
        if self._display is None:
            return await main()
        display = self._display
        async with repeatedly(partial(self._tick, display)):
            try:
                result = await main()
                self._refresh(display)
            except asyncio.CancelledError:
                display.hide()
                self._tell_what_is_known()
                raise
            finally:
                display.hide()
        return result

    def show(self, stage: str, done: int, total: int | None) -> None:
        """Show the progress of *stage*; *total* is None where it is not known yet."""
        self._is_counted_here = False
        if self._stage is None:
            return
        if self._stage.name != stage:
            self._stage.name, self._stage.began = stage, monotonic()
            self._stage.done_before = done
        self._stage.done, self._stage.total = done, total

    def _show_on_terminal(
        self, count: Callable[[], int] | None, waits: Settings | None, *, in_lines: bool
    ) -> None:
        total = count() if count is not None and all(map(_leaves_room, self._writers)) else None
        if total is not None and total > 1:
            done = self._done
            self._stage = Stage("probing", total, done, done_before=done, began=monotonic())
        if waits is not None:
            self.watch = Watch()
            self._silence_s = min(_SILENCE_S, waits.greeting_s)
        self._display = Display(self._stage, self.watch, in_lines=in_lines)

    @property
    def _done(self) -> int:
        """Count entries that need no more work."""
        return self._tally.totals.domains + self.progress.duplicates

    def _tick(self, display: Display) -> None:
        self._refresh(display)
        for position, domain in self._unfinished():
            if monotonic() - domain.since >= self._silence_s and position not in self._shown:
                self._shown.add(position)
                display.hide()
                self._tell_known(domain, "the sessions go on; Ctrl-C ends them")

    def _refresh(self, display: Display) -> None:
        if self._stage is not None and self._is_counted_here:
            self._stage.done = self._done
            totals = self._tally.totals
            self._stage.counts = by_standing(totals.standings, totals.accepted)
        display.refresh()

    def _make_room(self) -> None:
        """Hide the display while a report is written to the terminal."""
        if self._display is not None and any(each.partial is None for each in self._writers):
            self._display.hide()

    def _unfinished(self) -> list[tuple[int, InHand]]:
        """The domains started and not reported yet, with their positions."""
        begun = self.watch.begun if self.watch is not None else {}
        return [each for each in begun.items() if each[0] not in self.progress.reported]

    def _tell_what_is_known(self) -> None:
        """Show the domains in progress, at the end of a stopped run."""
        if self.watch is None and self._tally.totals.domains:
            tell(f"so far {self.summary()}")
        unfinished = self._unfinished()
        for _, domain in unfinished[:_MAX_SHOWN]:
            self._tell_known(domain, "not finished")
        if len(unfinished) > _MAX_SHOWN:
            tell(f"and {len(unfinished) - _MAX_SHOWN} more domains did not finish")

    def _tell_known(self, domain: InHand, note: str) -> None:
        """Show what is known of *domain*, on the terminal only. No report has it."""
        page = TextReport(Paper(terminal=True, encoding=sys.stderr.encoding))
        report, (text,) = formatted(domain.so_far(), self._tally, [page])
        tell(f"known so far of {name_of(report)} ({note}):")
        tell_bytes(text)

    @property
    def status(self) -> int:
        """The exit status of all reports added."""
        return exit_status(self._tally.totals)

    def summary(self) -> str:
        """One line: how many domains, and how many of them pass, fail and so on."""
        totals = self._tally.totals
        repeated = self.progress.duplicates
        note = f"; {counted(repeated, 'repeated line')} left out" if repeated else ""
        if totals.faults:
            note += f"; {counted(totals.faults, 'internal fault')}: please report it, with the log"
        return f"{counts_line(totals)}{note}"

    def tell_summary(self, *, quiet: bool) -> None:
        """The end of the run on stderr; *quiet*: only what does not pass, and nothing if all does.

        A text report on stdout ends with the same lines, so they are not repeated beside it.
        """
        totals = self._tally.totals
        shows_summary = any(writer.shows_summary for writer in self._writers)
        lines = [self.summary()]
        if shows_summary and lines == [counts_line(totals)] and _on_one_terminal():
            lines = []
        if quiet:
            lines = [self.summary(), *noted_lines(totals)] if self.status else []
            lines += self.exception_lines(MAX_NOTED) if self.status else []
        else:
            if not shows_summary:
                lines += summary_lines(totals)[1:]
            lines += self._uncovered()
            lines += self._written()
        for line in lines:
            tell(line)
        self.tell_blindness()

    def exception_lines(self, at_most: int) -> list[str]:
        """Lines on the exceptions that cover a domain, and on those that no longer do."""
        return [*accepted_lines(self._tally.totals, at_most), *self._uncovered(at_most)]

    def _uncovered(self, at_most: int = MAX_NOTED) -> Iterator[str]:
        return uncovered_lines(self._tally.exceptions, self._tally.totals, at_most)

    def tell_uncovered(self) -> None:
        """Say on stderr which exceptions do not cover their domain, although it does not pass."""
        for line in self._uncovered():
            tell(line)

    def tell_unmatched(self, given: Iterable[str], where: str) -> None:
        """Say on stderr which of the domains *given*, which have exceptions, were not reported.

        *where* is what they are not in.
        """
        names = [domain for domain in given if domain not in self._tally.totals.exceptions]
        if names:
            tell(f"exceptions on domains that are not in {where}: {listed(names)}")

    def tell_blindness(self) -> None:
        """Say on stderr why this machine cannot probe (exit status 4), if it cannot."""
        why = self._tally.totals.why_blind
        if why is not None:
            tell(f"{why}: this says nothing about the domains; run `probe doctor`")

    def _written(self) -> Iterator[str]:
        """Say which files were written, and how long the run took."""
        files = ", ".join(writer.target for writer in self._writers if writer.partial is not None)
        minutes, seconds = divmod(round(monotonic() - self._began), 60)
        took = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
        if files:
            yield f"{files} written in {took}"

    @contextlib.contextmanager
    def _keeping(self, path: Path, resumable: Resumable) -> Iterator[None]:
        """Keep a checkpoint at *path*. It is removed when the run is complete."""
        self._identity = resumable.identity
        self._keeper = keeper = CheckpointKeeper(path, self._sync)
        keeper.save(self._checkpoint())  # so that rows of a run killed soon are gone on with, too
        try:
            yield
            self._keep_what_is_better([writer.target for writer in self._writers])
        except BaseException as error:
            # if this machine cannot probe, a later run must start from the beginning
            is_empty = not (self.progress.reported or self._goes_on)
            if is_empty or isinstance(error, BlindError):
                keeper.close()
                keeper.discard()
            else:
                keeper.close(self._checkpoint())
            raise
        keeper.close(self._checkpoint())
        for writer in self._writers:
            writer.finish(keep_rows=self._left_open is not None)
        if self._left_open is None:
            keeper.discard()

    def _keep_what_is_better(self, targets: Sequence[str]) -> None:
        """Raise BlindError rather than replace older reports if this machine cannot probe."""
        why = self._tally.totals.why_blind
        if why is not None and any(os.path.isfile(target) for target in targets):
            raise blind(why)

    def _checkpoint(self) -> Checkpoint:
        """What is certainly reported: everything except the reports that are being written.

        The record has everything that the checkpoint names.
        """
        checkpoint = self._left_open or Checkpoint(
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
        """Where the run is stopped, leave the record so that a resumed run can continue it."""
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


def _on_one_terminal() -> bool:
    return sys.stdout.isatty() and sys.stderr.isatty()


@contextlib.contextmanager
def open_reports(
    targets: Mapping[str, ResumeFrom | None],
    format_: ReportFormat | None,
    kind: Kind[R, T],
    totals: T,
    *,
    quiet: bool = False,
) -> Iterator[Sequence[ReportWriter[R, T]]]:
    """Writers of *targets* for a *kind* of report; each continues at its own position.

    They are finished at the end, or left as partial files, which are named on stderr.
    """
    with contextlib.ExitStack() as stack:
        writers: list[ReportWriter[R, T]] = []
        for target, resume_from in targets.items():
            writer = open_report(target, kind, totals, format_, resume_from)
            writers.append(stack.enter_context(writer))
            _clear_away(writer, resume_from)
            if writer.kept is not None and not quiet:
                tell(f"{target}: rows of an earlier run that did not finish are in {writer.kept}")
        try:
            yield writers
            for writer in writers:
                writer.finish()
        except BaseException as error:
            blind = isinstance(error, BlindError)
            paths = (writer.left_blind if blind else writer.left for writer in writers)
            for left in filter(None, paths):
                tell(f"not finished; what was seen is in {left}")
            raise


def _clear_away(writer: ReportWriter[R, T], resume_from: ResumeFrom | None) -> None:
    """Remove the temporary files of killed runs beside the partial file, which is locked."""
    if writer.partial is None:
        return
    checkpoint = checkpoint_path(writer.partial)
    held = held_path(checkpoint)
    remove_drafts(checkpoint)
    remove_drafts(held)
    if resume_from is None:  # it was of rows that were put aside
        with contextlib.suppress(OSError):
            checkpoint.unlink(missing_ok=True)
            held.unlink(missing_ok=True)


def _leaves_room(writer: ReportWriter[R, T]) -> bool:
    """Whether the terminal can show progress beside it: a pipe may lead to a pager."""
    if writer.partial is not None:
        return True
    if writer.target != STDOUT:
        return False
    return sys.stdout.isatty() or stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)
