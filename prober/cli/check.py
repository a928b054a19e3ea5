"""``probe check DOMAIN…`` and ``probe DOMAIN…``: a readable answer for a few domains."""

import difflib
import os
import shlex
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Annotated, Final

import typer

from prober.cli import COMMANDS, SHORT
from prober.cli.distinct_files import require_distinct
from prober.cli.log_setup import LogOptions, configure_logging
from prober.cli.options import (
    LookOptions,
    ReportOptions,
    for_profile,
    option,
    parser_of,
    with_options,
)
from prober.cli.recording import RecordOptions, recording
from prober.cli.reporting import Reporting
from prober.cli.running import exit_statuses, run, tell_cost
from prober.domain_list import STDIN
from prober.domains import is_known_domain, parse_entry, parse_server
from prober.errors import InputError
from prober.escape import printable
from prober.records import GivenServer
from prober.scan import scan

_MEANT: Final = MappingProxyType(
    {**{name: name for name in COMMANDS}, "help": "--help", "version": "--version"}
)
_DOTS_AND_MORE: Final = frozenset(".\u3002\uff0e\uff61@/:*[")  # what no command's name has


@with_options
def check(
    context: typer.Context,
    domains: Annotated[
        list[str],
        typer.Argument(
            metavar="DOMAIN",
            help="Domains: example.com, bücher.example, or user@example.com.",
            show_default=False,
        ),
    ],
    look: LookOptions,
    report: ReportOptions,
    log: LogOptions,
    record: RecordOptions,
    server: Annotated[
        GivenServer | None,
        option(
            "--server",
            parser=parser_of(parse_server),
            metavar="NAME[@ADDRESS]",
            help="Test this server as if it were the only MX host of each domain, for instance "
            "before it goes live. The result is not kept in the record.",
            panel="How to look",
        ),
    ] = None,
) -> None:
    """Probe domains and show what was found, with the evidence.

    Exit status: 0 all domains meet --require; 1 some fall short; 2 wrong usage, or not a domain;
    3 some are undecided; 4 this machine cannot reach mail servers or DNS; 5 the report could not
    be written; 70 a fault of the program; 130 interrupted; 141 the reader of stdout has gone;
    143 terminated.
    """
    with exit_statuses():
        require_distinct(
            [*look.read, *record.read], [*report.written, *log.written, *record.written]
        )
        configure_logging(verbose=report.verbose, log=log)
        for text in domains:
            _require_meant(text, is_short=context.meta[SHORT])
        entries = [replace(parse_entry(text), server=server) for text in domains]
        settings = for_profile(look.settings(), report.required)
        tell_cost(settings, quiet=report.quiet)
        if server is not None:  # it is not what the domain has
            record = replace(record, db=None)
        with (
            recording(record, report, "check", {"list": "check"}) as recorded,
            Reporting.open(
                report,
                report.style(),
                count=lambda: len(entries),
                waits=settings,
                record=recorded.writer,
                exceptions=recorded.exceptions,
            ) as reporting,
        ):
            probing = partial(
                scan,
                entries,
                settings,
                reporting.add,
                progress=reporting.progress,
                ordered=True,
                reader=reporting.reader,
                watch=reporting.watch,
            )
            run(reporting.watched(probing))
        reporting.tell_blindness()
        if not report.quiet:
            reporting.tell_uncovered()
        raise typer.Exit(reporting.status)


def _require_meant(text: str, *, is_short: bool) -> None:
    """Raise InputError for the name of a file or, if *is_short*, a misspelt command.

    A file named like a domain under a known suffix does not count, nor a name with a final dot.
    """
    if text == STDIN or (_is_file(text) and not is_known_domain(text)):
        what = "stdin" if text == STDIN else f"{text!r} is a file, and it"
        raise InputError(f"{what} is not a domain; did you mean: probe scan {shlex.quote(text)}")
    if not is_short or not text or _DOTS_AND_MORE & set(text):
        return
    if text in COMMANDS:
        raise InputError(f"the command comes first: probe {text} …")
    close = difflib.get_close_matches(text.casefold(), _MEANT, n=1)
    hint = f"; did you mean {_MEANT[close[0]]}?" if close else ""
    name = printable(text)
    raise InputError(
        f"no such command: {name}{hint} (to probe a domain without a dot: probe check {name})"
    )


def _is_file(text: str) -> bool:
    return os.path.exists(text) and not os.path.isdir(text)
