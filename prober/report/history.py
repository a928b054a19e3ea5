"""What the record says of domains over runs, and which runs there are, in every format."""

from collections.abc import Callable, Iterator
from dataclasses import astuple, replace
from typing import Final, TypeVar

from prober.escape import printable, utc
from prober.records import AcceptedException, Level, Standing
from prober.records.history import DomainHistory, DomainInRun, RecordedRun, RunList
from prober.records.sent import SentWeek
from prober.report.answer import LABELS
from prober.report.changes import describe
from prober.report.interface import Formatter, Kind, Row, Sheet
from prober.report.json_ import encode_report
from prober.report.output import plain
from prober.report.words import accepted_words, counted

R = TypeVar("R")

HISTORY_COLUMNS: Final = ("domain", "run", "checked_at", "level", "standing", "changes", "accepted")
SENT_COLUMNS: Final = tuple(SentWeek.__dataclass_fields__)
RUN_COLUMNS: Final = (
    *("run", "list", "requirement", "version", "started_at", "finished_at", "domains"),
    *(each.value.replace("-", "_") for each in Standing),
)


def histories() -> Kind[DomainHistory, None]:
    """Reports on the history of domains; in JSON, a line per domain and run, then per week."""
    kind = _kind(
        "history",
        plain(history_text),
        lambda found: b"\n".join(map(encode_report, (*found.seen, *found.sent))),
        HISTORY_COLUMNS,
        _history_rows,
        _history_page,
    )
    sent = Sheet(name="sent", columns=SENT_COLUMNS, rows=_sent_rows)
    return replace(kind, sheets=(*kind.sheets, sent))


def run_lists() -> Kind[RunList, None]:
    """Reports on the runs of a record; in JSON, one line per run."""
    return _kind(
        "runs",
        plain(runs_text),
        lambda found: b"\n".join(map(encode_report, found.runs)),
        RUN_COLUMNS,
        _run_rows,
        _runs_page,
    )


def _kind(
    name: str,
    text: Kind[R, None],
    encode: Callable[[R], bytes],
    columns: tuple[str, ...],
    rows: Callable[[R], Iterator[Row]],
    page: Callable[[], Formatter[R, None]],
) -> Kind[R, None]:
    times = frozenset({"checked_at", "started_at", "finished_at"})
    sheet = Sheet(name=name, columns=columns, rows=rows, times=times)
    return replace(text, encode=encode, columns=columns, rows=rows, page=page, sheets=(sheet,))


def _history_page() -> Formatter[DomainHistory, None]:
    from prober.report.record_pages import HistoryPage

    return HistoryPage()


def _runs_page() -> Formatter[RunList, None]:
    from prober.report.record_pages import RunsPage

    return RunsPage()


def _history_rows(found: DomainHistory) -> Iterator[Row]:
    for seen in found.seen:
        changes = "; ".join(f"{each.direction}: {describe(each)}" for each in seen.changes)
        at = utc(seen.checked_at)
        accepted = None if seen.accepted is None else accepted_words(seen.accepted)
        yield found.domain, seen.run, at, seen.level, seen.standing, changes, accepted


def _sent_rows(found: DomainHistory) -> Iterator[Row]:
    for each in found.sent:
        domain, week, *counts = astuple(each)
        yield domain, week.isoformat(), *counts


def _run_rows(found: RunList) -> Iterator[Row]:
    for run in found.runs:
        end = None if run.finished_at is None else utc(run.finished_at)
        yield (
            *(run.id, run.list, run.requirement, run.version, utc(run.started_at), end),
            *(run.observations, *(run.standings.get(each, 0) for each in Standing)),
        )


def stretches(found: DomainHistory) -> list[list[DomainInRun]]:
    """The runs in a row that saw the same; one that found a change begins a new stretch."""
    made: list[list[DomainInRun]] = []
    for seen in found.seen:
        if made and not seen.changes and _what(made[-1][0]) == _what(seen):
            made[-1].append(seen)
        else:
            made.append([seen])
    return made


def _what(seen: DomainInRun) -> tuple[Level, Standing, AcceptedException | None]:
    return seen.level, seen.standing, seen.accepted


def history_text(found: DomainHistory) -> str:
    """One line per series of runs with the same result, with what changed; then one per week."""
    lines = (printable(found.domain), *_history_lines(found), *map(_week_line, found.sent))
    return "\n".join(lines)


def _week_line(sent: SentWeek) -> str:
    messages = counted(sent.messages, "message")
    return f"  week of {sent.week}: sent {messages}: {how_sent(sent)}"


def how_sent(sent: SentWeek) -> str:
    """Such as "3 encrypted, 1 in clear"."""
    parts = [f"{sent.encrypted} encrypted", f"{sent.clear} in clear"]
    parts += [f"{sent.held_back} held back"] * bool(sent.held_back)
    parts += [f"{sent.unknown} unknown"] * bool(sent.unknown)
    return ", ".join(parts)


def _history_lines(found: DomainHistory) -> Iterator[str]:
    for stretch in stretches(found):
        first, last = stretch[0], stretch[-1]
        until = f" to {utc(last.checked_at)}" if len(stretch) > 1 else ""
        runs = counted(len(stretch), "run")
        what = f"{first.level}, {LABELS[first.standing]}"
        yield f"  {utc(first.checked_at)}{until}, {runs}: {what}"
        if first.accepted is not None:
            yield f"    accepted: {accepted_words(first.accepted)}"
        for change in first.changes:
            yield f"    {change.direction}: {describe(change)}"


def runs_text(found: RunList) -> str:
    """A line for each run."""
    return "\n".join(map(_run_line, found.runs))


def _run_line(run: RecordedRun) -> str:
    end = "unfinished          " if run.finished_at is None else utc(run.finished_at)
    of = f"{run.observations} domains of {run.list}"
    return printable(f"{run.id:>6}  {utc(run.started_at)}  {end}  {of}, required {run.requirement}")
