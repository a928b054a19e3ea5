"""``probe diff OLD NEW``: what changed between two runs."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from typing import TYPE_CHECKING, Annotated

import typer

from prober.cli.distinct_files import Read, require_distinct, staged
from prober.cli.log_setup import configure_logging
from prober.cli.options import RequireOptions, option, quiet_option, with_options
from prober.cli.recording import db_option, opened, record_files
from prober.cli.running import exit_statuses, tell, tell_if_typed
from prober.domain_list import STDIN
from prober.domains import operator_of
from prober.errors import SettingsError
from prober.escape import minute, printable
from prober.records import DomainReport
from prober.records.changes import ChangeCounts, DomainChanges, in_one_only
from prober.report.answer import answer
from prober.report.changes import badness, comparison, summary
from prober.report.output import STDOUT, ReportFormat, choose_format, open_report
from prober.results import ResultsFile
from prober.rules.drift import compare
from prober.rules.exit_status import diff_status
from prober.rules.totals import Tally
from prober.spool import Spool, Spooled, keep

if TYPE_CHECKING:
    from prober.store.reader import RunRow

_PANEL = "Comparison"
_FILE = "a file of results"


@with_options
def diff(
    require: RequireOptions,
    results: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[OLD NEW]",
            help="Two files written by `probe scan -o results.jsonl`. '-' is stdin.",
            show_default=False,
        ),
    ] = None,
    db: Annotated[str | None, db_option(_PANEL)] = None,
    from_: Annotated[
        str,
        option(
            "--from",
            metavar="RUN",
            help="The earlier run of the record: an id, a day, last or previous.",
            env="DIFF_FROM",
            panel=_PANEL,
            show_default=True,
        ),
    ] = "previous",
    to: Annotated[
        str,
        option(
            "--to",
            metavar="RUN",
            help="The later run of the record.",
            env="DIFF_TO",
            panel=_PANEL,
            show_default=True,
        ),
    ] = "last",
    format_: Annotated[
        ReportFormat | None,
        option(
            "--format",
            "-f",
            help="Format: JSON has one object per domain, CSV one row per change. If not given: by "
            "the file's extension, or text on stdout.",
            env="DIFF_FORMAT",
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
            env="DIFF_OUTPUT",
            panel=_PANEL,
        ),
    ] = STDOUT,
    quiet: Annotated[bool, quiet_option(_PANEL)] = False,
) -> None:
    """Show what changed between two runs: worse, better, other, or lost from sight.

    Exit status: 0 nothing is worse; 1 something is worse; 3 only sight was lost; 2 usage, or a
    file that cannot be read; 5 the comparison could not be written.
    """
    configure_logging(verbose=False)
    with exit_statuses(), contextlib.closing(Spool()) as spool:
        counts = ChangeCounts()
        chosen = format_ or choose_format(output)
        tally = Tally(require=require.required, operator_of=operator_of, describe=answer)
        if results or db is None:
            old, new = _two(results or [])
            require_distinct([Read(old, _FILE), Read(new, _FILE)], staged(output))
            tell_if_typed([old, new])
            found = _worst_first(_compare_files(old, new, tally, counts, spool), spool)
            between = f"From {printable(old)} to {printable(new)}."
        else:
            records = [Read(each.path, each.what) for each in record_files(db)]
            require_distinct(records, staged(output))
            between, found = _compare_runs(db, from_, to, tally, counts, spool)
        with open_report(output, comparison(counts, between), counts, chosen) as writer:
            for each in found:
                writer.write(each)
        if not quiet and (chosen is not ReportFormat.TEXT or output != STDOUT):
            tell(summary(counts))
        raise typer.Exit(diff_status(counts))


def _two(results: list[str]) -> tuple[str, str]:
    if len(results) != 2:
        raise SettingsError(
            f"name two files of results, not {len(results)}: `probe diff OLD NEW`; "
            "or compare the last two runs of a record: `probe diff --db DB`"
        )
    if results == [STDIN, STDIN]:
        raise SettingsError("'-' twice: stdin can be read only once")
    return results[0], results[1]


def _worst_first(found: Iterable[DomainChanges], spool: Spool) -> Iterator[DomainChanges]:
    """The records with a change, the worst first. They wait in *spool* until all are read."""
    kept = [(badness(each), keep(spool, each)) for each in found if each.changes]
    kept.sort(key=itemgetter(0))
    return (spooled.read() for _, spooled in kept)


def _compare_runs(
    db: str, from_: str, to: str, tally: Tally, counts: ChangeCounts, spool: Spool
) -> tuple[str, Iterator[DomainChanges]]:
    """Which runs are compared, and the changes of their domains, the worst first."""
    with opened(db) as store, store.reading() as connection:
        from prober.store.asking import Comparing, changes_between
        from prober.store.reader import find_run

        new = find_run(connection, to)
        old = find_run(connection, from_, before=new.id, list_=new.list)
        if old.id >= new.id:
            raise SettingsError(f"--from is run {old.id}, which is not before run {new.id}")
        how = Comparing(operator_of=operator_of, judge=tally.judge)
        changes = changes_between(connection, old.id, new.id, how, counts)
        found = _worst_first(changes, spool)
    return f"From {_named(old)} to {_named(new)}.", found


def _named(run: "RunRow") -> str:
    return f"run {run.id} of {printable(run.list)} ({minute(run.started_at)} UTC)"


def _compare_files(
    old: str, new: str, tally: Tally, counts: ChangeCounts, spool: Spool
) -> Iterator[DomainChanges]:
    """The changes of each domain of the two files. The last report of a domain counts."""
    before, now = _spooled(spool, old), _spooled(spool, new)
    yield from _in_one_only(before, now, counts)
    for domain in before.keys() & now.keys():
        old_report, report = (tally.assess(each[domain].read()) for each in (before, now))
        changes = compare(report, [old_report], operator_of=operator_of)
        found = DomainChanges(domain, changes)
        counts.add(found)
        yield found


def _in_one_only(
    before: Mapping[str, Spooled[DomainReport]],
    now: Mapping[str, Spooled[DomainReport]],
    counts: ChangeCounts,
) -> Iterator[DomainChanges]:
    """The domains that are in one of the two files only."""
    for domain in before.keys() ^ now.keys():
        report = (before if domain in before else now)[domain].read()
        found = in_one_only(domain, report.checked_at, before=domain in before)
        counts.add(found)
        yield found


def _spooled(spool: Spool, file: str) -> dict[str, Spooled[DomainReport]]:
    """The reports of *file* by domain, without invalid inputs."""
    found: dict[str, Spooled[DomainReport]] = {}
    with ResultsFile.open(file) as saved:
        for report in saved.reports():
            if report.domain is not None:
                found[report.domain] = keep(spool, report)
    return found
