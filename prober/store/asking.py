"""Queries of the record: what changed in a run or between two runs, and what was seen when."""

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import sqlalchemy as sa

from prober.records import AcceptedException, DomainFacts, DomainReport, Level, Standing
from prober.records.changes import (
    Change,
    ChangeCode,
    ChangeCounts,
    Direction,
    DomainChanges,
    in_one_only,
)
from prober.records.history import DomainHistory, DomainInRun, RecordedRun, RunNews
from prober.report.changes import badness
from prober.report.mail import Open
from prober.rules.accepted import covers
from prober.rules.certificate_fields import CertificateReader
from prober.rules.drift import compare
from prober.rules.verdict import judge_domain
from prober.store import schema
from prober.store.keeping import stored_exceptions
from prober.store.past import Past
from prober.store.reader import (
    FactReader,
    Observation,
    batched,
    observations,
    observed,
    run_rows,
    runs,
)
from prober.store.sent import sent_weeks

MAX_CHANGED: Final = 50_000  # domains whose changes a report has: 100 MB
_OPEN = (Standing.FALLS_SHORT.value, Standing.INVALID.value, Standing.UNDECIDED.value)


def run_changes(connection: sa.Connection, run_id: int) -> Iterator[DomainChanges]:
    """The changes that a run found, by domain."""
    table = schema.change
    query = (
        sa.select(schema.domain.c.name, table)
        .join(schema.domain, schema.domain.c.id == table.c.domain_id)
        .where(table.c.run_id == run_id)
        .order_by(schema.domain.c.name, table.c.position)
    )
    rows = connection.execute(query.execution_options(yield_per=1_000))
    for name, group in groupby(rows, key=lambda row: row.name):
        yield DomainChanges(name, tuple(map(_change, group)))


def domain_changes(connection: sa.Connection, name: str) -> list[tuple[int, Change]]:
    """All changes of the domain *name*, each with its run, the newest first."""
    table = schema.change
    query = (
        sa.select(table)
        .join(schema.domain, schema.domain.c.id == table.c.domain_id)
        .where(schema.domain.c.name == name)
        .order_by(table.c.run_id.desc(), table.c.position)
    )
    return [(row.run_id, _change(row)) for row in connection.execute(query)]


def _change(row: sa.Row[tuple[object, ...]]) -> Change:
    return Change(
        code=ChangeCode(row.code),
        direction=Direction(row.direction),
        mx_host=row.mx_host,
        addresses=tuple(row.addresses.split()),
        before=row.before,
        after=row.after,
        last_seen=row.last_seen,
        since=row.since,
        runs=row.runs,
        told=row.told,
    )


def shortfalls(connection: sa.Connection, run_id: int, patience: int) -> list[Open]:
    """The entries of a run that fall short, are undecided, or are not a domain.

    Without those that met the requirement when they were last seen, fewer than *patience* runs ago.
    """
    table, change = schema.observation, schema.change
    earlier = table.alias()
    is_old = (
        sa.exists().where(earlier.c.domain_id == table.c.domain_id).where(earlier.c.run_id < run_id)
    )
    is_told = (
        sa.exists()
        .where(change.c.domain_id == table.c.domain_id)
        .where(change.c.run_id == run_id)
        .where(change.c.told)
    )
    query = (
        sa.select(
            schema.domain.c.name,
            table.c.standing,
            table.c.level,
            table.c.checked_at,
            is_old.label("is_old"),
            is_told.label("is_told"),
        )
        .join(schema.domain, schema.domain.c.id == table.c.domain_id)
        .where(table.c.run_id == run_id)
        .where(table.c.standing.in_(_OPEN), ~_is_awaited(run_id, patience))
        .order_by(table.c.standing, schema.domain.c.name)
    )
    return [
        Open(
            domain=row.name,
            standing=Standing(row.standing),
            level=Level(row.level),
            checked_at=row.checked_at,
            is_new=not row.is_old,
            is_told=bool(row.is_told),
        )
        for row in connection.execute(query)
    ]


def _is_awaited(run_id: int, patience: int) -> sa.ColumnElement[bool]:
    """Whether the domain met the requirement when last seen, fewer than *patience* runs ago."""
    change = schema.change
    return (
        sa.exists()
        .where(change.c.domain_id == schema.observation.c.domain_id)
        .where(change.c.run_id == run_id)
        .where(change.c.code == ChangeCode.STANDING.value)
        .where(change.c.direction == Direction.LOST_SIGHT.value)
        .where(change.c.runs < patience)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparing:
    """How two runs are compared."""

    operator_of: Callable[[str], str]
    judge: Callable[[DomainFacts], DomainReport]
    patience: int = 1


def changes_between(
    connection: sa.Connection, old: int, new: int, how: Comparing, counts: ChangeCounts
) -> Iterator[DomainChanges]:
    """What changed of each domain of the two runs, judged by the rules of today.

    Inputs that are no domains are left out.
    """
    for run_id, other in ((old, new), (new, old)):
        for found in _in_one_only(connection, run_id, other):
            counts.add(found)
            yield found
    before, after = schema.observation.alias("before"), schema.observation.alias("after")
    both = before.join(after, before.c.domain_id == after.c.domain_id)
    is_domain = (before.c.level != Level.INVALID.value) & (after.c.level != Level.INVALID.value)
    in_both = (before.c.run_id == old) & (after.c.run_id == new) & is_domain
    counts.compared = _count(
        connection, sa.select(sa.func.count()).select_from(both).where(in_both)
    )
    differs = sa.or_(
        after.c.lost_sight,
        before.c.facts_id != after.c.facts_id,
        before.c.level != after.c.level,
        before.c.standing != after.c.standing,
    )
    ids = sa.select(after.c.domain_id).select_from(both).where(in_both).where(differs)
    candidates = list(connection.execute(ids).scalars())
    for some in batched(candidates):
        yield from _compared(connection, some, old, new, how, counts)


def _compared(
    connection: sa.Connection,
    domain_ids: Sequence[int],
    old: int,
    new: int,
    how: Comparing,
    counts: ChangeCounts,
) -> Iterator[DomainChanges]:
    past = Past(connection, how.judge)
    names = _names(connection, domain_ids)
    table = schema.observation
    query = observed().where(table.c.run_id == new).where(table.c.domain_id.in_(domain_ids))
    earlier = past.before(domain_ids, old + 1, how.patience)
    for (domain_id, _), now in past.judged(observations(connection, query)).items():
        changes = compare(
            now, earlier[domain_id], operator_of=how.operator_of, patience=how.patience
        )
        found = DomainChanges(names[domain_id], changes)
        counts.compared -= 1
        counts.add(found)
        yield found


def _names(connection: sa.Connection, ids: Sequence[int]) -> dict[int, str]:
    table = schema.domain
    query = sa.select(table.c.id, table.c.name).where(table.c.id.in_(ids))
    return {row.id: row.name for row in connection.execute(query)}


def _in_one_only(connection: sa.Connection, run_id: int, other: int) -> Iterator[DomainChanges]:
    """The domains of the run *run_id* that are not in the run *other*."""
    table = schema.observation
    in_other = sa.select(table.c.domain_id).where(table.c.run_id == other)
    query = (
        sa.select(schema.domain.c.name, table.c.checked_at)
        .join(schema.domain, schema.domain.c.id == table.c.domain_id)
        .where(table.c.run_id == run_id, table.c.level != Level.INVALID.value)
        .where(table.c.domain_id.not_in(in_other))
    )
    for row in connection.execute(query.execution_options(yield_per=1_000)):
        yield in_one_only(row.name, row.checked_at, before=run_id < other)


def _count(connection: sa.Connection, query: sa.Select[int]) -> int:
    return connection.execute(query).scalar_one()


def history(connection: sa.Connection, name: str) -> list[Observation]:
    """What each run found about the domain *name*, newest first."""
    table = schema.observation
    query = (
        observed()
        .join(schema.domain, schema.domain.c.id == table.c.domain_id)
        .where(schema.domain.c.name == name)
        .order_by(table.c.run_id.desc())
    )
    return observations(connection, query)


def past_reports(connection: sa.Connection, names: Sequence[str]) -> Iterator[DomainReport]:
    """What each run found about each of the domains *names*, judged by the rules of today."""
    reader = CertificateReader()
    past = Past(connection, lambda facts: judge_domain(facts, reader))
    for name in names:
        yield from past.judged(history(connection, name)).values()


def domain_history(connection: sa.Connection, name: str) -> DomainHistory:
    """What each run saw of the domain *name*, and which changes it found, the oldest first."""
    changes: dict[int, list[Change]] = {}
    for run_id, change in domain_changes(connection, name):
        changes.setdefault(run_id, []).append(change)
    exception = stored_exceptions(connection).get(name)
    seen = (
        DomainInRun(
            domain=name,
            run=each.run_id,
            checked_at=each.checked_at,
            level=Level(each.level),
            standing=Standing(each.standing),
            changes=tuple(changes.get(each.run_id, ())),
            accepted=exception if exception and _covers(exception, each) else None,
        )
        for each in history(connection, name)[::-1]
    )
    return DomainHistory(name, tuple(seen), tuple(sent_weeks(connection, name)))


def _covers(exception: AcceptedException, seen: Observation) -> bool:
    return covers(exception, Standing(seen.standing), Level(seen.level), seen.checked_at)


def recorded_runs(
    connection: sa.Connection, *, of_list: int | None = None, newest: int | None = None
) -> tuple[RecordedRun, ...]:
    """The runs, newest first, with the number of domains per standing.

    With *of_list*, only that run and the finished ones before it of the same list.
    """
    run = schema.run.c
    query = run_rows()
    if of_list is not None:
        its_list = sa.select(run.list).where(run.id == of_list).scalar_subquery()
        is_whole = run.finished_at.is_not(None) | (run.id == of_list)
        query = query.where(run.id <= of_list, run.list == its_list, is_whole)
    found = runs(connection, query, newest=newest)
    standings = _standings(connection, [each.id for each in found])
    return tuple(
        RecordedRun(
            **{name: getattr(each, name) for name in type(each).__dataclass_fields__},
            standings=standings.get(each.id, {}),
        )
        for each in found
    )


def _standings(connection: sa.Connection, ids: Sequence[int]) -> dict[int, dict[Standing, int]]:
    table = schema.observation
    found: dict[int, dict[Standing, int]] = {}
    for some in batched(ids):
        query = (
            sa.select(table.c.run_id, table.c.standing, sa.func.count().label("number"))
            .where(table.c.run_id.in_(some))
            .group_by(table.c.run_id, table.c.standing)
        )
        for row in connection.execute(query):
            found.setdefault(row.run_id, {})[Standing(row.standing)] = row.number
    return found


def run_news(connection: sa.Connection, run_id: int, newest: int) -> RunNews:
    """The changes that the run found; at most *newest* runs of its list."""
    counts: Counter[Direction | None] = Counter()

    def counted() -> Iterator[DomainChanges]:
        for each in run_changes(connection, run_id):
            counts[each.worst] += 1
            yield each

    changes = heapq.nsmallest(MAX_CHANGED, counted(), key=badness)
    compared = recorded_runs(connection, of_list=run_id, newest=newest)
    return RunNews(changes=tuple(changes), counts=dict(counts), runs=compared)


def reports_of(
    connection: sa.Connection, run_id: int, names: Sequence[str] | None = None
) -> Iterator[DomainReport]:
    """All reports of a run, or those on the domains *names*, judged by the rules of today.

    With their proofs of DNSSEC.
    """
    table = schema.observation
    query = observed().where(table.c.run_id == run_id).order_by(table.c.domain_id)
    if names is None:
        return (report for _, report in _judged(connection, query, proofs=True))
    query = query.join(schema.domain, schema.domain.c.id == table.c.domain_id)
    return (
        report
        for some in batched(names)
        for _, report in _judged(
            connection, query.where(schema.domain.c.name.in_(some)), proofs=True
        )
    )


def newest_reports(connection: sa.Connection, most: int) -> Iterator[tuple[int, DomainReport]]:
    """The newest reports of each domain from finished runs, each with its run; at most so many.

    With their proofs of DNSSEC.
    """
    table = schema.observation
    newest = table.c.run_id.desc()
    rank = sa.func.row_number().over(partition_by=table.c.domain_id, order_by=newest)
    ranked = (
        sa.select(table.c.domain_id, table.c.run_id, rank.label("rank"))
        .join(schema.run, schema.run.c.id == table.c.run_id)
        .where(schema.run.c.finished_at.is_not(None))
        .subquery()
    )
    query = (
        observed()
        .join(
            ranked,
            (ranked.c.domain_id == table.c.domain_id) & (ranked.c.run_id == table.c.run_id),
        )
        .where(ranked.c.rank <= most)
        .order_by(table.c.domain_id, table.c.run_id)
    )
    return _judged(connection, query, proofs=True)


def _judged(
    connection: sa.Connection, query: sa.Select[tuple[object, ...]], *, proofs: bool = False
) -> Iterator[tuple[int, DomainReport]]:
    rows = observations(connection, query)
    reader = CertificateReader()
    for row, facts in FactReader(connection, proofs=proofs).load(rows):
        yield row.run_id, judge_domain(facts, reader)
