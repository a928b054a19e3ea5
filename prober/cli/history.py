"""``probe history DOMAIN…`` and ``--runs``: what was seen when, from the record."""

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from prober.cli.distinct_files import Read, require_distinct, staged
from prober.cli.log_setup import configure_logging
from prober.cli.options import named_domain, option
from prober.cli.recording import db_option, opened, record_files
from prober.cli.running import exit_statuses
from prober.errors import InputError, SettingsError
from prober.records.history import RunList
from prober.report.history import histories, run_lists
from prober.report.output import STDOUT, ReportFormat, choose_format, open_report

_PANEL: Final = "History"


def history(
    domains: Annotated[
        list[str] | None,
        typer.Argument(metavar="DOMAIN", help="Domains in any spelling.", show_default=False),
    ] = None,
    db: Annotated[str | None, db_option(_PANEL)] = None,
    runs: Annotated[
        bool, option("--runs", help="List the runs instead.", env="HISTORY_RUNS", panel=_PANEL)
    ] = False,
    format_: Annotated[
        ReportFormat | None,
        option(
            "--format",
            "-f",
            help="Format: JSON and CSV have one object or row per run, or per domain and run; JSON "
            "also one per domain and week of sent mail, each on one line. If not given: by the "
            "file's extension, or text on stdout.",
            env="HISTORY_FORMAT",
            panel=_PANEL,
            case_sensitive=False,
        ),
    ] = None,
    output: Annotated[
        str,
        option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write to FILE instead of stdout.",
            env="HISTORY_OUTPUT",
            panel=_PANEL,
        ),
    ] = STDOUT,
) -> None:
    """Show what was seen of domains and what was sent to them, or list the runs.

    Exit status: 0 shown; 2 usage, or a domain that is not in the record; 5 the record cannot be
    read, or the output cannot be written.
    """
    configure_logging(verbose=False)
    with exit_statuses():
        if db is None:
            raise SettingsError("name the record with --db")
        if bool(domains) is runs:
            raise SettingsError("name domains, or give --runs")
        chosen = format_ or choose_format(output)
        if chosen is ReportFormat.JSON:  # one object is one line here
            chosen = ReportFormat.JSONL
        names = [named_domain(each) for each in domains or ()]
        require_distinct([Read(each.path, each.what) for each in record_files(db)], staged(output))
        if runs:
            _write_runs(db, output, chosen)
        else:
            _write_histories(db, names, output, chosen)


def _write_runs(db: str, output: str, format_: ReportFormat) -> None:
    with opened(db) as store, store.reading() as connection:
        from prober.store.asking import recorded_runs

        found = recorded_runs(connection)
    with open_report(output, run_lists(), None, format_) as writer:
        if found:
            writer.write(RunList(found))


def _write_histories(db: str, names: Sequence[str], output: str, format_: ReportFormat) -> None:
    with opened(db) as store, store.reading() as connection:
        from prober.store.asking import domain_history

        found = [domain_history(connection, name) for name in dict.fromkeys(names)]
    for each in found:
        if not (each.seen or each.sent):
            raise InputError(f"{each.domain} is not in the record")
    with open_report(output, histories(), None, format_) as writer:
        for each in found:
            writer.write(each)
