"""``probe scan FILE``: a list of domains, from a file or stdin, into a report."""

import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Annotated

import typer

from prober.cli.apart import Read, require_apart
from prober.cli.cluster import ClusterOptions
from prober.cli.log_setup import LogOptions, configure_logging
from prober.cli.options import SET_BY, LookOptions, ReportOptions, option, with_options
from prober.cli.recording import Recording, RecordOptions, recording, without_password
from prober.cli.reporting import Reporting
from prober.cli.resuming import Resumable
from prober.cli.running import command_line, exit_statuses, run, show, tell
from prober.domains import Entry, list_digest, list_name, open_list, read_entries
from prober.errors import InputError
from prober.records import Level
from prober.report.output import STDOUT, ReportStyle, choose_format
from prober.resume import identity_of
from prober.rules.profiles import ProfileName
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
            help="One domain a line, UTF-8; # starts a comment. '-' is stdin.",
            show_default=False,
        ),
    ],
    look: LookOptions,
    report: ReportOptions,
    log: LogOptions,
    cluster: ClusterOptions,
    record: RecordOptions,
    ordered: Annotated[
        bool,
        option(
            "--ordered",
            help="Report in the order of the list, not as answers come.",
            env="ORDERED",
            panel="Report",
        ),
    ] = False,
    resume: Annotated[
        bool,
        option(
            "--resume",
            help="Go on where a run with the same list and options was stopped, if one was.",
            env="RESUME",
            panel="Report",
        ),
    ] = False,
) -> None:
    """Probe every domain in a list and write one report.

    Every line of the list appears in the report, also one that is no domain; a domain that
    comes again is probed and reported once. What comes through a pipe is read to its end first.
    A run that was stopped, however, goes on with `--resume`. With `--db` and `--quiet` it prints
    what changed since the runs before. Exit status as for `probe check`.
    """
    style = ReportStyle(per_endpoint=report.per_endpoint, scan=True)
    with exit_statuses(), open_list(file) as list_:
        require_apart(
            [Read(file, "the list"), *look.read, *record.read],
            [*report.written, *log.written, *cluster.written, *record.written],
        )
        configure_logging(verbose=report.verbose, log=log)
        settings = look.settings()
        options = _options_of(report, ordered=ordered)
        identity = identity_of(list_digest(list_, file), settings, options, SET_BY)
        resumable = Resumable(
            identity=identity,
            command=without_password(command_line(context, add="--resume"), record.db),
            resume=resume,
        )
        logger.info("probe %s begins to scan %s", __version__, list_name(file))
        entries = _at_least_one(read_entries(list_, file), file)
        with recording(record, report, list_name(file), identity, resume=resume) as recorded:
            job = None
            if cluster.is_wanted:
                job = cluster.job(
                    settings, report, style, resumable, reports=recorded.wants_reports
                )
            opened = partial(
                Reporting.open, report, style, record=recorded.writer, accepts=recorded.accepts
            )
            if job is None:
                with opened(resumable=resumable) as reporting:
                    _scan_here(entries, settings, reporting, ordered=ordered)
            else:
                with cluster.clearing(job), opened() as reporting:
                    cluster.scan(entries, job, reporting, resumable.command)
            news = recorded.mail(reporting.summary())
        logger.info("finished with exit status %d; %s", reporting.status, reporting.summary())
        _sum_up(report, reporting, recorded, news)
        raise typer.Exit(reporting.status)


def _scan_here(
    entries: Iterable[Entry], settings: Settings, reporting: Reporting, *, ordered: bool
) -> None:
    """In this process."""
    ending = Ending()
    probing = scan_entries(
        entries,
        settings,
        reporting.add,
        progress=reporting.progress,
        ordered=ordered,
        ending=ending,
    )
    run(probing, wind_down=ending.request)


def _sum_up(
    report: ReportOptions, reporting: Reporting, recorded: Recording, news: Sequence[str] | None
) -> None:
    """Tell the counts, or with a record and ``--quiet`` the *news*."""
    if news is not None and report.quiet:
        for line in news:
            (tell if STDOUT in report.output else show)(line)
    elif not report.quiet or reporting.status:
        tell(reporting.summary())
        for line in recorded.accepted():
            tell(line)


def _options_of(report: ReportOptions, *, ordered: bool) -> dict[str, object]:
    """What of the options decides what the report files hold, and how they are judged."""
    required = report.required
    profile = None if isinstance(required, Level) else required.name
    outputs = (f"{target}:{report.format_ or choose_format(target)}" for target in report.output)
    return {
        "--output": " ".join(outputs),
        "--require": required if profile is None else "profile",
        "--profile": profile or ProfileName.DEFAULT,
        "--per-endpoint": report.per_endpoint,
        "--ordered": ordered,
    }


def _at_least_one(entries: Iterator[Entry], file: str) -> Iterator[Entry]:
    """*entries*, the first of them read now, so that a bad list fails before a report is begun."""
    first = next(entries, None)
    if first is None:
        raise InputError(f"{list_name(file)} names no domain: write one a line")
    return itertools.chain([first], entries)
