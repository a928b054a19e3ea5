"""Retention: deleting old runs, domains on hold; and the exceptions that are kept here."""

from datetime import datetime

import sqlalchemy as sa

from prober.records import Level
from prober.rules.accepted import AcceptedException
from prober.store import schema
from prober.store.database import Store


def stored_exceptions(store: Store) -> dict[str, AcceptedException]:
    """The accepted exceptions in the record, by domain."""
    table = schema.exception
    with store.reading() as connection:
        rows = connection.execute(sa.select(table)).all()
    return {
        row.domain: AcceptedException(
            domain=row.domain, what=Level(row.what), why=row.why, by=row.by, until=row.until
        )
        for row in rows
    }


def store_exception(store: Store, exception: AcceptedException) -> None:
    """Keep *exception*, in place of an earlier one on the same domain."""
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
    """Forget the exception on *domain*; whether there was one."""
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
    """Lift the hold on *domain*; whether there was one."""
    table = schema.hold
    with store.writing() as connection:
        return connection.execute(sa.delete(table).where(table.c.domain == domain)).rowcount > 0


def holds(store: Store) -> list[tuple[str, str, datetime]]:
    """Domain, reason and time of each hold."""
    table = schema.hold
    query = sa.select(table.c.domain, table.c.why, table.c.since).order_by(table.c.domain)
    with store.reading() as connection:
        return [(row.domain, row.why, row.since) for row in connection.execute(query)]
