"""Daily totals of sent mail: which part of which log was read, and what went to each domain."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from prober.records.sent import Covered, SentCounts, SentTotals, SentWeek
from prober.store import schema
from prober.store.database import Store, StoreError

_AT_ONCE = 1_000  # rows of one statement


def covered_days(store: Store, server: str, software: str) -> dict[date, Covered]:
    """Which part of each day was read of the log of *server*."""
    table = schema.sent_day
    columns = (table.c.day, table.c.first, table.c.last, table.c.attempts)
    query = sa.select(*columns).where(table.c.server == server, table.c.software == software)
    with store.reading() as connection:
        return {row.day: Covered(row.first, row.last, row.attempts)
                for row in connection.execute(query)}  # fmt: skip


def keep_totals(store: Store, totals: Iterable[SentTotals]) -> None:
    """Add *totals* to the record, all of them or none.

    Raises StoreError, also if another program has added to one of the days since ``before`` was
    read: then it is not known which part of *totals* is new.
    """
    with store.writing() as connection:
        if connection.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
            connection.execute(sa.text("LOCK TABLE sent_day IN SHARE ROW EXCLUSIVE MODE"))
        for each in totals:
            day_id = _day_id(connection, each, store.name)
            if each.replaces:
                old = schema.sent.c.day_id == day_id
                connection.execute(sa.delete(schema.sent).where(old))
            _add(connection, day_id, each)


def _day_id(connection: sa.Connection, totals: SentTotals, name: str) -> int:
    """The row of the day, updated with the part that was read."""
    table, covered = schema.sent_day, totals.covered._asdict()
    where = sa.and_(*(table.c[key] == value for key, value in totals.of._asdict().items()))
    found = connection.execute(sa.select(table).where(where)).first()
    now = None if found is None else Covered(found.first, found.last, found.attempts)
    if now != totals.before:
        raise StoreError(
            f"{name}: another program has added totals of {totals.of.day} in the meantime: "
            "read the log again"
        )
    if found is None:
        insert = sa.insert(table).values(**totals.of._asdict(), **covered)
        return int(connection.execute(insert.returning(table.c.id)).scalar_one())
    connection.execute(sa.update(table).where(table.c.id == found.id).values(**covered))
    return int(found.id)


def _add(connection: sa.Connection, day_id: int, totals: SentTotals) -> None:
    table = schema.sent
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(table)
    add = insert.on_conflict_do_update(
        index_elements=[table.c.domain, table.c.day_id],
        set_={name: table.c[name] + insert.excluded[name] for name in SentCounts._fields},
    )
    rows = [
        {"domain": domain, "day_id": day_id, **counts._asdict()}
        for domain, counts in totals.domains.items()
    ]
    for at in range(0, len(rows), _AT_ONCE):
        connection.execute(add, rows[at : at + _AT_ONCE])


def sent_weeks(connection: sa.Connection, domain: str) -> list[SentWeek]:
    """The mail sent to *domain*, by week, the oldest first."""
    table, day = schema.sent, schema.sent_day
    columns = [sa.func.sum(table.c[name]).label(name) for name in SentCounts._fields]
    query = (
        sa.select(day.c.day, *columns)
        .join(day, day.c.id == table.c.day_id)
        .where(table.c.domain == domain)
        .group_by(day.c.day)
        .order_by(day.c.day)
    )
    weeks: dict[date, Sequence[int]] = {}
    for when, *numbers in connection.execute(query):
        week = when - timedelta(days=when.weekday())
        before = weeks.get(week, (0,) * len(numbers))
        weeks[week] = [int(one) + int(more) for one, more in zip(before, numbers, strict=True)]
    counts = {week: SentCounts(*numbers) for week, numbers in weeks.items() if any(numbers)}
    return [SentWeek(domain=domain, week=week, messages=each.messages, **each._asdict())
            for week, each in counts.items()]  # fmt: skip
