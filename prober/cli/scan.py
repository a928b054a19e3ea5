"""``probe scan FILE``: a list of domains, from a file or stdin, into a report."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from prober.cli.cluster import ClusterOptions
from prober.cli.options import LookOptions, ReportOptions, option, with_options
from prober.cli.probing import Reporting
from prober.cli.running import configure_logging, exit_statuses, run, tell
from prober.domains import STDIN, Entry, list_name, open_list, read_entries
from prober.errors import InputError, SettingsError
from prober.report.output import ReportStyle
from prober.scan import scan as scan_entries


@with_options
def scan(
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
    cluster: ClusterOptions,
    ordered: Annotated[
        bool,
        option(
            "--ordered",
            help="Report in the order of the list, not as answers come.",
            env="ORDERED",
            panel="Report",
        ),
    ] = False,
) -> None:
    """Probe every domain in a list and write one report.

    Every line of the list appears in the report, also one that is no domain; a domain that
    comes again is probed and reported once. What comes through a pipe is read to its end first.
    Exit status as for `probe check`.
    """
    configure_logging(verbose=report.verbose)
    style = ReportStyle(per_endpoint=report.per_endpoint, scan=True)
    with exit_statuses():
        _keep_apart(file, report.output)
        entries = _at_least_one(_entries(file), file)
        job = cluster.job(file, look.settings(), report, style) if cluster.is_wanted else None
        with Reporting.open(report, style) as reporting:
            if job is not None:
                cluster.scan(entries, job, reporting)
            else:
                probing = scan_entries(
                    entries,
                    look.settings(),
                    reporting.add,
                    progress=reporting.progress,
                    ordered=ordered,
                )
                run(probing)
        if not report.quiet:
            tell(reporting.summary())
        raise typer.Exit(reporting.status)


def _keep_apart(file: str, outputs: Sequence[str]) -> None:
    """Raise SettingsError where a report would replace the list."""
    for output in outputs:
        with contextlib.suppress(OSError):
            if file != STDIN and Path(output).samefile(file):
                raise SettingsError(f"{output} is the list itself: write the report elsewhere")


def _entries(file: str) -> Iterator[Entry]:
    with open_list(file) as stream:
        yield from read_entries(stream)


def _at_least_one(entries: Iterator[Entry], file: str) -> Iterator[Entry]:
    """*entries*, the first of them read now, so that a bad list fails before a report is begun."""
    first = next(entries, None)
    if first is None:
        raise InputError(f"{list_name(file)} names no domain: write one a line")
    return _chain(first, entries)


def _chain(first: Entry, rest: Iterator[Entry]) -> Iterator[Entry]:
    yield first
    yield from rest
