"""Probes entries and writes the reports: the one way that every command goes."""

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

from publicsuffixlist import PublicSuffixList
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from prober.cli.options import ReportOptions
from prober.cli.running import run
from prober.domains import Entry
from prober.records import DomainReport
from prober.report.output import STDOUT, ReportStyle, ReportWriter, open_report
from prober.rules.exit_status import Tally, exit_status
from prober.scan import Progress as ScanProgress
from prober.scan import scan
from prober.settings import Settings


def probe_and_report(
    entries: Iterable[Entry],
    settings: Settings,
    options: ReportOptions,
    *,
    style: ReportStyle,
    total: int | None = None,
) -> int:
    """Probe *entries*, write every report to every output, and return the exit status.

    *total* is how many entries there are, for the progress bar; None where that is not known.
    """
    tally = Tally(require=options.require, operator_of=operator_of())
    progress = ScanProgress()
    with (
        _open_reports(options, style) as writers,
        _progress_bar(options, writers, total) as advance,
    ):

        def report(domain: DomainReport) -> None:
            tally.add(domain)
            for writer in writers:
                writer.write(domain)
            advance(tally)

        run(scan(entries, settings, report, progress))
    if style.scan and not options.quiet:
        print(summary(tally, progress.duplicates), file=sys.stderr)
    return exit_status(tally)


def operator_of() -> Callable[[str], str]:
    """Names the operator of an MX host: its registered domain by the public suffix list."""
    suffixes = PublicSuffixList()
    return lambda host: suffixes.privatesuffix(host) or host


@contextlib.contextmanager
def _open_reports(options: ReportOptions, style: ReportStyle) -> Iterator[Sequence[ReportWriter]]:
    """All outputs; each finished where the run finished, else left as a partial file."""
    with contextlib.ExitStack() as stack:
        writers = []
        for target in options.output or [STDOUT]:
            writer = stack.enter_context(open_report(target, options.format_, style))
            if writer.kept is not None:
                _note(f"{target}: rows of an earlier run that did not finish are in {writer.kept}")
            writers.append(writer)
        try:
            yield writers
        except BaseException:
            for partial in filter(None, (writer.partial for writer in writers)):
                _note(f"not finished; what was seen is in {partial}")
            raise


def _note(text: str) -> None:
    print(f"probe: {text}", file=sys.stderr)


@contextlib.contextmanager
def _progress_bar(
    options: ReportOptions, writers: Sequence[ReportWriter], total: int | None
) -> Iterator[Callable[[Tally], None]]:
    """A bar on stderr where that is a terminal and the reports go elsewhere."""
    to_files = all(writer.partial is not None for writer in writers)
    if options.quiet or not sys.stderr.isatty() or not to_files:
        yield lambda _tally: None
        return
    columns = (TextColumn("probing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("probing", total=total)
        yield lambda _tally: bar.advance(task)


def summary(tally: Tally, duplicates: int) -> str:
    """One line: how many domains, and how many of each level."""
    levels = ", ".join(f"{count} {level}" for level, count in sorted(tally.levels.items()))
    repeated = f"; {duplicates} repeated left out" if duplicates else ""
    return f"probe: {sum(tally.levels.values())} domains: {levels or 'none'}{repeated}"
