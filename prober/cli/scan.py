"""``probe scan FILE``: probes a list of domains from a file or stdin."""

import logging
import os
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Annotated

import typer

from prober.cli.cluster import ClusterOptions
from prober.cli.distinct_files import Read, require_distinct
from prober.cli.log_setup import LogOptions, configure_logging
from prober.cli.options import (
    LookOptions,
    ManyReportOptions,
    for_profile,
    option,
    with_options,
)
from prober.cli.recording import Recording, RecordOptions, recording, without_password
from prober.cli.reporting import Reporting
from prober.cli.resuming import Resumable
from prober.cli.running import (
    command_line,
    exit_statuses,
    run,
    show,
    tell,
    tell_cost,
    tell_if_typed,
)
from prober.csv_list import CsvList
from prober.domain_list import DomainList
from prober.domains import Entry, is_known_domain
from prober.errors import InputError
from prober.records import Level, ProfileName
from prober.report.mail import MAX_LINES
from prober.report.output import STDOUT, choose_format
from prober.resume import identity_of
from prober.scan import Ending
from prober.scan import scan as scan_entries
from prober.settings import Settings
from prober.version import __version__

logger = logging.getLogger(__name__)


@with_options
def scan(
    context: typer.Context,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="The list: UTF-8 text, one domain per line. # starts a comment. '-' is stdin.",
            show_default=False,
        ),
    ],
    look: LookOptions,
    report: ManyReportOptions,
    log: LogOptions,
    cluster: ClusterOptions,
    record: RecordOptions,
    column: Annotated[
        str | None,
        option(
            "--column",
            metavar="NAME|N",
            help="The list is CSV, and this column has the domain. The report has the other "
            "columns, too.",
            panel="Report",
        ),
    ] = None,
    ordered: Annotated[
        bool,
        option(
            "--ordered",
            help="Report in the order of the list, not in the order of the answers.",
            panel="Report",
        ),
    ] = False,
    resume: Annotated[
        bool,
        option(
            "--resume",
            help="Continue a stopped run of the same list and options, if there is one.",
            panel="Report",
        ),
    ] = False,
) -> None:
    """Probe every domain in a list and write one report.

    Every line of the list appears in the report, also a line that is not a domain. A domain that
    is listed twice is probed and reported once. A pipe is read to its end first. A stopped run is
    continued with `--resume`. With `--db` and `--quiet` it prints what changed since the runs
    before. Exit status as for `probe check`.
    """
    with exit_statuses(), _open_list(file, column) as list_:
        style = report.style(scan=True, columns=list_.columns)
        require_distinct(
            [Read(file, "the list"), *look.read, *record.read],
            [*report.written, *log.written, *cluster.written, *record.written],
        )
        configure_logging(verbose=report.verbose, log=log)
        settings = for_profile(look.settings(), report.required)
        tell_cost(settings, quiet=report.quiet)
        options = _options_of(report, ordered=ordered, column=column)
        identity = identity_of(list_.digest(), settings, options)
        command = without_password(command_line(context, add="--resume"), record.db)
        logger.info("probe %s begins to scan %s", __version__, list_.name)
        entries = list_.some_entries()
        with recording(record, report, list_.name, identity, resume=resume) as recorded:
            resumable = Resumable(identity=recorded.identity, command=command, resume=resume)
            exceptions = recorded.exceptions
            job = None
            if cluster.is_wanted:
                with_reports = recorded.writer is not None
                job = cluster.job(
                    settings, report, style, resumable, exceptions, reports=with_reports
                )
            opened = partial(
                Reporting.open,
                report,
                style,
                count=list_.count,
                record=recorded.writer,
                exceptions=exceptions,
                news=recorded.news,
                expires_soon_days=report.expires_soon,
            )
            if job is None:
                with opened(resumable=resumable) as reporting:
                    _scan_here(entries, settings, reporting, ordered=ordered)
            else:
                with cluster.clearing(job), opened() as reporting:
                    cluster.scan(entries, job, reporting, resumable.command)
            news = recorded.mail(reporting.summary(), reporting.exception_lines(MAX_LINES))
            changes = None if report.quiet else recorded.changes()
        logger.info("finished with exit status %d; %s", reporting.status, reporting.summary())
        _sum_up(report, reporting, recorded, news)
        if changes is not None:
            tell(changes)
        raise typer.Exit(reporting.status)


def _open_list(file: str, column: str | None) -> AbstractContextManager[DomainList]:
    if not os.path.exists(file) and is_known_domain(file):
        raise InputError(f"there is no file {file!r}; to probe that domain: probe {file}")
    tell_if_typed([file])
    return DomainList.open(file) if column is None else CsvList.open_column(file, column)


def _scan_here(
    entries: Iterable[Entry], settings: Settings, reporting: Reporting, *, ordered: bool
) -> None:
    """Scan in this process."""
    ending = Ending()
    probing = partial(
        scan_entries,
        entries,
        settings,
        reporting.add,
        progress=reporting.progress,
        ordered=ordered,
        ending=ending,
        reader=reporting.reader,
        held=reporting.held,
        before_cut=reporting.leave_open if reporting.can_leave_open else None,
    )
    run(reporting.watched(probing), wind_down=ending.request)


def _sum_up(
    report: ManyReportOptions, reporting: Reporting, recorded: Recording, news: Sequence[str] | None
) -> None:
    """Show the summary; with a record and ``--quiet``, show the *news* instead."""
    if report.quiet and news is not None:
        for line in news:
            (tell if STDOUT in report.output else show)(line)
        reporting.tell_blindness()
        return
    reporting.tell_summary(quiet=report.quiet)
    if not report.quiet:
        reporting.tell_unmatched(recorded.given, "the list")


def _options_of(
    report: ManyReportOptions, *, ordered: bool, column: str | None
) -> dict[str, object]:
    """The options that decide the content of the report files, for a resumed run to compare."""
    required = report.required
    profile = None if isinstance(required, Level) else required.name
    outputs = (f"{target}:{report.format_ or choose_format(target)}" for target in report.output)
    return {
        "--output": " ".join(outputs),
        "--require": required if profile is None else "profile",
        "--profile": profile or ProfileName.DEFAULT,
        "--per-endpoint": report.per_endpoint,
        "--ordered": ordered,
        "--expires-soon": report.expires_soon,
        **({} if column is None else {"--column": column}),
    }
