"""Retention: deletes old runs, except domains on hold. Also keeps the accepted exceptions."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from prober.records import AcceptedException, Level
from prober.store import schema
from prober.store.database import Store
from prober.store.facts import CERTIFICATE, DOMAIN, ENDPOINT, EVIDENCE, PROOF, RRSET, VANTAGE
from prober.store.reader import batched


def stored_exceptions(connection: sa.Connection) -> dict[str, AcceptedException]:
    """The accepted exceptions in the record, by domain."""
    rows = connection.execute(sa.select(schema.exception)).all()
    return {
        row.domain: AcceptedException(
            domain=row.domain, what=Level(row.what), why=row.why, by=row.by, until=row.until
        )
        for row in rows
    }


def store_exception(store: Store, exception: AcceptedException) -> None:
    """Store *exception*. It replaces an earlier one for the same domain."""
    table = schema.exception
    with store.writing() as connection:
        connection.execute(sa.delete(table).where(table.c.domain == exception.domain))
        values = {
            "domain": exception.domain,
            "what": exception.what.value,
            "why": exception.why,
            "by": exception.by,
            "until": exception.until,
        }
        connection.execute(sa.insert(table).values(values))


def drop_exception(store: Store, domain: str) -> bool:
    """Delete the exception for *domain*. Returns whether there was one."""
    table = schema.exception
    with store.writing() as connection:
        return connection.execute(sa.delete(table).where(table.c.domain == domain)).rowcount > 0


def set_hold(store: Store, domain: str, why: str, now: datetime) -> None:
    """Keep all observations of *domain* until the hold is lifted."""
    table = schema.hold
    with store.writing() as connection:
        connection.execute(sa.delete(table).where(table.c.domain == domain))
        connection.execute(sa.insert(table).values(domain=domain, why=why, since=now))


def lift_hold(store: Store, domain: str) -> bool:
    """Lift the hold on *domain*. Returns whether there was one."""
    table = schema.hold
    with store.writing() as connection:
        return connection.execute(sa.delete(table).where(table.c.domain == domain)).rowcount > 0


def holds(store: Store) -> list[tuple[str, str, datetime]]:
    """Domain, reason and time of each hold."""
    table = schema.hold
    query = sa.select(table.c.domain, table.c.why, table.c.since).order_by(table.c.domain)
    with store.reading() as connection:
        return [(row.domain, row.why, row.since) for row in connection.execute(query)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """What is deleted: the observations of old runs, and the runs that are empty then.

    ``sent``: totals of sent mail per domain and day.
    """

    older_than: datetime
    runs: int
    observations: int
    sent: int


def plan_pruning(connection: sa.Connection, older_than: datetime) -> Pruning:
    """What pruning would delete. The observations of domains on hold stay."""
    old, count = _old(older_than), sa.func.count()
    kept = sa.select(schema.observation.c.run_id).where(_is_held())
    runs = sa.select(count).select_from(schema.run).where(schema.run.c.started_at < older_than)
    doomed = sa.select(count).select_from(schema.observation).where(old, ~_is_held())
    sent = sa.select(count).select_from(schema.sent).where(_old_totals(older_than))
    return Pruning(
        older_than=older_than,
        runs=connection.execute(runs.where(schema.run.c.id.not_in(kept))).scalar_one(),
        observations=connection.execute(doomed).scalar_one(),
        sent=connection.execute(sent).scalar_one(),
    )


def prune(store: Store, older_than: datetime, now: datetime) -> Pruning:
    """Delete what ``plan_pruning`` counts, and the facts that nothing refers to then; log it."""
    with store.writing() as connection:
        done = plan_pruning(connection, older_than)
        for table in (schema.change, schema.proof, schema.observation):
            old = table.c.run_id.in_(_old_runs(older_than))
            connection.execute(sa.delete(table).where(old, ~_is_held(table)))
        used = sa.select(schema.observation.c.run_id)
        run = schema.run.c
        connection.execute(
            sa.delete(schema.run).where(run.started_at < older_than, run.id.not_in(used))
        )
        known = sa.select(schema.observation.c.domain_id)
        connection.execute(sa.delete(schema.domain).where(schema.domain.c.id.not_in(known)))
        _drop_unused(connection)
        _drop_totals(connection, older_than)
        row = sa.insert(schema.pruned).values(
            at=now, older_than=older_than, runs=done.runs, observations=done.observations
        )
        connection.execute(row)
    return done


def _old_runs(older_than: datetime) -> sa.Select[int]:
    return sa.select(schema.run.c.id).where(schema.run.c.started_at < older_than)


def _old(older_than: datetime) -> sa.ColumnElement[bool]:
    return schema.observation.c.run_id.in_(_old_runs(older_than))


def _old_days(older_than: datetime) -> sa.ColumnElement[bool]:
    return schema.sent_day.c.day < older_than.date()


def _old_totals(older_than: datetime) -> sa.ColumnElement[bool]:
    days = sa.select(schema.sent_day.c.id).where(_old_days(older_than))
    is_held = schema.sent.c.domain.in_(sa.select(schema.hold.c.domain))
    return sa.and_(schema.sent.c.day_id.in_(days), ~is_held)


def _drop_totals(connection: sa.Connection, older_than: datetime) -> None:
    connection.execute(sa.delete(schema.sent).where(_old_totals(older_than)))
    used = schema.sent_day.c.id.in_(sa.select(schema.sent.c.day_id))
    connection.execute(sa.delete(schema.sent_day).where(_old_days(older_than), ~used))


def _is_held(table: sa.Table = schema.observation) -> sa.ColumnElement[bool]:
    held = sa.select(schema.domain.c.id).join(
        schema.hold, schema.hold.c.domain == schema.domain.c.name
    )
    return table.c.domain_id.in_(held)


def _drop_unused(connection: sa.Connection) -> None:
    """Delete the facts that nothing refers to, each before its parts."""
    fact, part, seen = schema.fact, schema.part, schema.observation
    columns = {
        DOMAIN: seen.c.facts_id,
        VANTAGE: seen.c.vantage_id,
        EVIDENCE: seen.c.evidence_id,
        PROOF: schema.proof.c.fact_id,
    }
    for kind in (*columns, ENDPOINT, CERTIFICATE, RRSET):
        column = columns.get(kind, part.c.part_id)
        used = sa.select(column).where(column.is_not(None))
        unused = sa.select(fact.c.id).where(fact.c.kind == kind, fact.c.id.not_in(used))
        ids = sa.select(unused.subquery().c.id)
        if kind == CERTIFICATE:
            table = schema.certificate
            connection.execute(sa.delete(table).where(table.c.fact_id.in_(ids)))
        doomed = list(connection.execute(ids).scalars())
        for some in batched(doomed):
            connection.execute(sa.delete(part).where(part.c.whole_id.in_(some)))
            connection.execute(sa.delete(fact).where(fact.c.id.in_(some)))


def prunings(connection: sa.Connection) -> int:
    """How often something was deleted. After that, facts with known ids may be gone."""
    return connection.execute(sa.select(sa.func.count()).select_from(schema.pruned)).scalar_one()
