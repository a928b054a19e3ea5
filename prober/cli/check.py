"""``probe check DOMAIN…``, and ``probe DOMAIN…``: a readable answer in seconds."""

from typing import Annotated

import typer

from prober.cli.apart import require_apart
from prober.cli.log_setup import LogOptions, configure_logging
from prober.cli.options import LookOptions, ReportOptions, with_options
from prober.cli.recording import RecordOptions, recording
from prober.cli.reporting import Reporting
from prober.cli.running import exit_statuses, run, tell
from prober.domains import parse_entry
from prober.report.output import ReportStyle
from prober.scan import scan


@with_options
def check(
    domains: Annotated[
        list[str],
        typer.Argument(
            metavar="DOMAIN",
            help="Domains in any spelling: U-labels, A-labels, user@domain.",
            show_default=False,
        ),
    ],
    look: LookOptions,
    report: ReportOptions,
    log: LogOptions,
    record: RecordOptions,
) -> None:
    """Probe domains and show what was found, with the evidence.

    Exit status: 0 all meet --require; 1 some fall short; 2 usage, or no domain; 3 some are
    undecided; 4 this machine cannot see; 5 the report could not be written; 70 a fault of the
    program; 130 interrupted; 141 nobody reads stdout any more; 143 terminated.
    """
    style = ReportStyle(per_endpoint=report.per_endpoint, transcripts=report.verbose)
    with exit_statuses():
        require_apart([*look.read, *record.read], [*report.written, *log.written, *record.written])
        configure_logging(verbose=report.verbose, log=log, explain_waits=not report.quiet)
        entries = [parse_entry(text) for text in domains]
        settings = look.settings()
        with (
            recording(record, report, "check", {"list": "check"}) as recorded,
            Reporting.open(
                report,
                style,
                total=len(entries),
                record=recorded.writer,
                accepts=recorded.accepts,
            ) as reporting,
        ):
            probing = scan(
                entries, settings, reporting.add, progress=reporting.progress, ordered=True
            )
            run(probing)
        if not report.quiet:
            for line in recorded.accepted():
                tell(line)
        raise typer.Exit(reporting.status)
