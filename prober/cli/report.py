"""``probe report RESULTS…``: saved results, judged again and written in any format."""

import contextlib
import itertools
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from prober.cli.distinct_files import Read, require_distinct
from prober.cli.log_setup import configure_logging
from prober.cli.options import ManyReportOptions, with_options
from prober.cli.reporting import Reporting
from prober.cli.running import exit_statuses, tell
from prober.domain_list import STDIN
from prober.errors import InputError, SettingsError
from prober.faults import judged
from prober.report.output import ReportFormat
from prober.report.rejudged import Rejudged
from prober.results import ResultsFile
from prober.rules.exit_status import CANNOT_SEE
from prober.rules.verdict import facts_of

_MAX_COLUMNS: Final = 1_000  # of the lists of all files together; one list has at most 100


@with_options
def report(
    results: Annotated[
        list[str],
        typer.Argument(
            metavar="RESULTS",
            help="Files written by `probe scan -o results.jsonl`. '-' is stdin.",
            show_default=False,
        ),
    ],
    options: ManyReportOptions,
) -> None:
    """Write reports of saved results, judged again by today's rules.

    Contacts nobody. Each record is reported, in the order of the files. Which version wrote them,
    and what is judged differently today, is shown on stderr. Text has one line per record, or the
    whole answer where there is only one record or with `--verbose`. Exit status as for `probe
    check`; 2 also where a file holds no results.
    """
    configure_logging(verbose=options.verbose)
    with exit_statuses(), contextlib.ExitStack() as stack:
        if results.count(STDIN) > 1:
            raise SettingsError("'-' twice: stdin can be read only once")
        require_distinct([Read(file, "a file of results") for file in results], options.written)
        files = [stack.enter_context(ResultsFile.open(file)) for file in results]
        raise typer.Exit(_report(files, options))


def _report(files: Sequence[ResultsFile], options: ManyReportOptions) -> int:
    columns = _columns_of(files) if ReportFormat.CSV in options.formats() else ()
    records = itertools.chain.from_iterable(file.reports() for file in files)
    first = list(itertools.islice(records, 2))
    is_list = len(first) > 1
    style = options.style(scan=is_list and not options.verbose, columns=columns)
    rejudged = Rejudged()
    with Reporting.open(options, style, expires_soon_days=options.expires_soon) as reporting:
        for then in itertools.chain(first, records):
            rejudged.note(then, reporting.add_saved(judged(facts_of(then), reporting.reader)))
    if not options.quiet:
        for line in rejudged.lines():
            tell(line)
    if is_list or reporting.status == CANNOT_SEE:
        reporting.tell_summary(quiet=options.quiet)
    return reporting.status


def _columns_of(files: Sequence[ResultsFile]) -> tuple[str, ...]:
    """The columns of the lists that were scanned, in the order in which records have them."""
    columns: dict[str, None] = {}
    for name in itertools.chain.from_iterable(file.columns() for file in files):
        columns[name] = None
        if len(columns) > _MAX_COLUMNS:
            raise InputError(f"the records have more than {_MAX_COLUMNS} columns of lists")
    return tuple(columns)
