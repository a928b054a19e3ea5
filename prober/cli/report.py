"""``probe report RESULTS…``: saved results, or a run of the record, judged again and written."""

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Annotated, Final

import typer

from prober.cli.distinct_files import Read, require_distinct
from prober.cli.log_setup import configure_logging
from prober.cli.options import ManyReportOptions, option, with_options
from prober.cli.recording import db_option, opened, record_files
from prober.cli.reporting import Reporting
from prober.cli.running import exit_statuses, tell
from prober.domain_list import STDIN
from prober.errors import InputError, SettingsError
from prober.escape import utc
from prober.faults import judged
from prober.records import DomainReport
from prober.report.output import ReportFormat
from prober.report.rejudged import Rejudged
from prober.results import ResultsFile
from prober.rules.exit_status import CANNOT_SEE
from prober.rules.verdict import facts_of

_WITH_COLUMNS: Final = frozenset({ReportFormat.CSV, ReportFormat.HTML, ReportFormat.XLSX})
_MAX_COLUMNS: Final = 1_000  # of the lists of all files together; one list has at most 100


@with_options
def report(
    options: ManyReportOptions,
    results: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RESULTS",
            help="Files written by `probe scan -o results.jsonl`. '-' is stdin.",
            show_default=False,
        ),
    ] = None,
    db: Annotated[str | None, db_option()] = None,
    run: Annotated[
        str,
        option(
            "--run",
            metavar="RUN",
            help="The run of the record to report, where no RESULTS are given: an id, a day, last "
            "or previous.",
            env="REPORT_RUN",
            panel="Record",
            show_default=True,
        ),
    ] = "last",
) -> None:
    """Write reports of saved results, judged again by today's rules.

    Contacts nobody. Each record is reported, in the order of the files. Which version wrote them,
    and what is judged differently today, is shown on stderr. Text has one line per record, or the
    whole answer where there is only one record or with `--verbose`. Exit status as for `probe
    check`; 2 also where a file holds no results.
    """
    configure_logging(verbose=options.verbose)
    with exit_statuses(), contextlib.ExitStack() as stack:
        names = results or []
        if names.count(STDIN) > 1:
            raise SettingsError("'-' twice: stdin can be read only once")
        if not names and db is None:
            raise SettingsError("name files of results, or a record with --db")
        read = [Read(file, "a file of results") for file in names]
        read += [Read(each.path, each.what) for each in record_files(db)]
        require_distinct(read, options.written)
        if not names and db is not None:
            raise typer.Exit(_report_run(db, run, options))
        files = [stack.enter_context(ResultsFile.open(file)) for file in names]
        columns = _columns_of(files) if _WITH_COLUMNS & set(options.formats()) else ()
        records = itertools.chain.from_iterable(file.reports() for file in files)
        raise typer.Exit(_report(records, options, columns, Rejudged()))


def _report_run(db: str, wanted: str, options: ManyReportOptions) -> int:
    with opened(db) as store, store.reading() as connection:
        from prober.store.asking import reports_of
        from prober.store.reader import find_run

        run = find_run(connection, wanted)
        if not options.quiet:
            tell(f"run {run.id} of {run.list}, begun {utc(run.started_at)}, by today's rules")
        return _report(reports_of(connection, run.id), options)


def _report(
    records: Iterator[DomainReport],
    options: ManyReportOptions,
    columns: tuple[str, ...] = (),
    rejudged: Rejudged | None = None,
) -> int:
    """Write *records*; with *rejudged*, judge them again, and show what differs."""
    first = list(itertools.islice(records, 2))
    is_list = len(first) > 1
    style = options.style(scan=is_list and not options.verbose, columns=columns)
    with Reporting.open(options, style, expires_soon_days=options.expires_soon) as reporting:
        for then in itertools.chain(first, records):
            if rejudged is None:
                reporting.add_saved(then)
            else:
                now = judged(facts_of(then), reporting.reader)
                rejudged.note(then, reporting.add_saved(now))
    if rejudged is not None and not options.quiet:
        for line in rejudged.lines():
            tell(line)
    if is_list or reporting.status == CANNOT_SEE:
        reporting.tell_summary(quiet=options.quiet)
    return reporting.status


def _columns_of(files: Sequence[ResultsFile]) -> tuple[str, ...]:
    """The columns of the scanned lists, in the order of the reports."""
    columns: dict[str, None] = {}
    for name in itertools.chain.from_iterable(file.columns() for file in files):
        columns[name] = None
        if len(columns) > _MAX_COLUMNS:
            raise InputError(f"the records have more than {_MAX_COLUMNS} columns of lists")
    return tuple(columns)
