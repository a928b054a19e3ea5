"""``probe history DOMAIN…`` and ``--runs``: what the record says was seen when."""

import enum
import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from prober.cli.log_setup import configure_logging
from prober.cli.options import option
from prober.cli.recording import db_option, opened
from prober.cli.running import exit_statuses
from prober.domains import parse_domain
from prober.errors import InputError, SettingsError
from prober.escape import printable, utc
from prober.records import Standing
from prober.records.changes import Change
from prober.records.sent import SentWeek
from prober.report.answer import LABELS
from prober.report.changes import describe
from prober.report.output import STDOUT, ReportFormat, open_report, plain

if TYPE_CHECKING:
    import sqlalchemy as sa

    from prober.store.reader import Observation, RunRow

_PANEL: Final = "History"


class HistoryFormat(enum.StrEnum):
    """The formats of a history."""

    TEXT = "text"
    JSON = "json"


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
        HistoryFormat,
        option(
            "--format",
            "-f",
            help="Format; JSON is one object per line: a run, a domain in a run, or what was sent "
            "to a domain in a week.",
            env="HISTORY_FORMAT",
            panel=_PANEL,
            show_default=True,
        ),
    ] = HistoryFormat.TEXT,
) -> None:
    """Show what was seen of domains and what was sent to them, or list the runs.

    Exit status: 0 shown; 2 usage, or a domain that is not in the record; 5 the record cannot be
    read.
    """
    configure_logging(verbose=False)
    with exit_statuses():
        if db is None:
            raise SettingsError("name the record with --db")
        if bool(domains) is runs:
            raise SettingsError("name domains, or give --runs")
        with opened(db) as store, store.reading() as connection:
            if runs:
                lines = _runs(connection, format_)
            else:
                names = [parse_domain(each) for each in domains or ()]
                lines = (line for name in names for line in _domain(connection, name, format_))
            format_of = ReportFormat.JSONL if format_ is HistoryFormat.JSON else ReportFormat.TEXT
            with open_report(STDOUT, plain(str), None, format_of) as writer:
                for line in lines:
                    writer.write(line)


def _runs(connection: "sa.Connection", format_: HistoryFormat) -> Iterator[object]:
    from prober.store.reader import runs

    found = runs(connection)
    if format_ is HistoryFormat.JSON:
        return iter(found)
    return map(_run_line, found)


def _run_line(run: "RunRow") -> str:
    end = "unfinished          " if run.finished_at is None else utc(run.finished_at)
    of = f"{run.observations} domains of {run.list}"
    return printable(f"{run.id:>6}  {utc(run.started_at)}  {end}  {of}, required {run.requirement}")


def _domain(connection: "sa.Connection", name: str, format_: HistoryFormat) -> Iterator[object]:
    from prober.store.asking import domain_changes, history
    from prober.store.sent import sent_weeks

    seen = history(connection, name)[::-1]
    weeks = sent_weeks(connection, name)
    if not seen and not weeks:
        raise InputError(f"{name} is not in the record")
    changes: dict[int, list[Change]] = {}
    for run_id, change in domain_changes(connection, name):
        changes.setdefault(run_id, []).append(change)
    if format_ is HistoryFormat.JSON:
        runs = (_row(name, each, changes.get(each.run_id, [])) for each in seen)
        return itertools.chain(runs, (_week_row(name, each) for each in weeks))
    return itertools.chain(_text(name, seen, changes), map(_week_line, weeks))


def _week_row(name: str, sent: SentWeek) -> dict[str, object]:
    counts = {"messages": sent.counts.messages, **sent.counts._asdict()}
    return {"domain": name, "week": sent.week, **counts}


def _week_line(sent: SentWeek) -> str:
    counts = sent.counts
    parts = [f"{counts.encrypted} encrypted", f"{counts.clear} in clear"]
    parts += [f"{counts.held_back} held back"] * bool(counts.held_back)
    parts += [f"{counts.unknown} unknown"] * bool(counts.unknown)
    noun = "message" if counts.messages == 1 else "messages"
    return f"  week of {sent.week}: sent {counts.messages} {noun}: {', '.join(parts)}"


def _row(name: str, seen: "Observation", changes: Sequence[Change]) -> dict[str, object]:
    return {
        "domain": name,
        "run": seen.run_id,
        "checked_at": seen.checked_at,
        "level": seen.level,
        "standing": seen.standing,
        "changes": changes,
    }


def _text(
    name: str, seen: Sequence["Observation"], changes: dict[int, list[Change]]
) -> Iterator[str]:
    """One line per series of runs with the same result; below it, what changed then."""
    yield printable(name)
    stretches: list[list[Observation]] = []
    for each in seen:
        is_same = stretches and _same(stretches[-1][0], each) and each.run_id not in changes
        if is_same:
            stretches[-1].append(each)
        else:
            stretches.append([each])
    for stretch in stretches:
        first, last = stretch[0], stretch[-1]
        until = f" to {utc(last.checked_at)}" if len(stretch) > 1 else ""
        noun = "run" if len(stretch) == 1 else "runs"
        yield (
            f"  {utc(first.checked_at)}{until}, {len(stretch)} {noun}: "
            f"{first.level}, {LABELS[Standing(first.standing)]}"
        )
        for change in changes.get(first.run_id, []):
            yield f"    {change.direction}: {describe(change)}"


def _same(one: "Observation", other: "Observation") -> bool:
    return (one.level, one.standing) == (other.level, other.standing)
