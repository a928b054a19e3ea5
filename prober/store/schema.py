"""The tables and views of a record. docs/record.md describes them for other readers."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from prober.records.sent import SentCounts

VERSION: Final = "0004"  # of the newest migration


class UtcTime(sa.TypeDecorator[datetime]):
    """A time in UTC. SQLite has no time zones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_Id: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_metadata: Final = sa.MetaData()

run: Final = sa.Table(
    "run",
    _metadata,
    sa.Column("id", _Id, sa.Identity(), primary_key=True),
    sa.Column("list", sa.Text, nullable=False),  # the file that named the domains, or "check"
    sa.Column("identity", sa.LargeBinary(32), nullable=False),
    sa.Column("requirement", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("started_at", UtcTime, nullable=False),
    sa.Column("finished_at", UtcTime),  # NULL: unfinished
    sa.Column("checkpoint", sa.LargeBinary),  # where an unfinished run goes on
)
domain: Final = sa.Table(
    "domain",
    _metadata,
    sa.Column("id", _Id, sa.Identity(), primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
)
fact: Final = sa.Table(
    "fact",
    _metadata,
    sa.Column("id", _Id, sa.Identity(), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("digest", sa.LargeBinary(32), nullable=False, unique=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
part: Final = sa.Table(
    "part",  # which facts make up another: endpoints of a domain, certificates of an endpoint
    _metadata,
    sa.Column("whole_id", _Id, sa.ForeignKey("fact.id"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("part_id", _Id, sa.ForeignKey("fact.id"), nullable=False, index=True),
    sqlite_with_rowid=False,
)
certificate: Final = sa.Table(
    "certificate",
    _metadata,
    sa.Column("fact_id", _Id, sa.ForeignKey("fact.id"), primary_key=True),
    sa.Column("subject", sa.Text),
    sa.Column("issuer", sa.Text),
    sa.Column("not_after", UtcTime),
)
observation: Final = sa.Table(
    "observation",
    _metadata,
    sa.Column("domain_id", _Id, sa.ForeignKey("domain.id"), primary_key=True),
    sa.Column("run_id", _Id, sa.ForeignKey("run.id"), primary_key=True, index=True),
    # these refer to fact.id; a constraint would need an index of each, as large as the row
    sa.Column("facts_id", _Id, nullable=False),
    sa.Column("vantage_id", _Id, nullable=False),
    sa.Column("evidence_id", _Id),  # with times and texts; NULL: nothing new
    sa.Column("checked_at", UtcTime, nullable=False),
    sa.Column("elapsed_ms", sa.Integer, nullable=False),
    sa.Column("level", sa.String(16), nullable=False),
    sa.Column("standing", sa.String(16), nullable=False),
    sa.Column("complete", sa.Boolean, nullable=False),
    sa.Column("endpoints", sa.Integer, nullable=False),
    sa.Column("endpoints_tested", sa.Integer, nullable=False),
    sa.Column("lost_sight", sa.Boolean, nullable=False),  # of something that was seen before
    sqlite_with_rowid=False,
)
change: Final = sa.Table(
    "change",
    _metadata,
    sa.Column("domain_id", _Id, sa.ForeignKey("domain.id"), primary_key=True),
    sa.Column("run_id", _Id, sa.ForeignKey("run.id"), primary_key=True, index=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("direction", sa.String(16), nullable=False),
    sa.Column("code", sa.String(32), nullable=False),
    sa.Column("mx_host", sa.Text),
    sa.Column("addresses", sa.Text, nullable=False),  # separated by spaces
    sa.Column("before", sa.Text),
    sa.Column("after", sa.Text),
    sa.Column("last_seen", UtcTime, nullable=False),
    sa.Column("since", UtcTime, nullable=False),
    sa.Column("runs", sa.Integer, nullable=False),
    sa.Column("told", sa.Boolean, nullable=False),
    sqlite_with_rowid=False,
)
exception: Final = sa.Table(
    "exception",  # what the organisation has accepted
    _metadata,
    sa.Column("id", _Id, sa.Identity(), primary_key=True),
    sa.Column("domain", sa.Text, nullable=False, unique=True),
    sa.Column("what", sa.String(16), nullable=False),  # the lowest level that is accepted
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("until", sa.Date, nullable=False),
)
hold: Final = sa.Table(
    "hold",  # domains whose observations are never pruned
    _metadata,
    sa.Column("domain", sa.Text, primary_key=True),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("since", UtcTime, nullable=False),
)
pruned: Final = sa.Table(
    "pruned",  # each time that something was deleted
    _metadata,
    sa.Column("id", _Id, sa.Identity(), primary_key=True),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("older_than", UtcTime, nullable=False),
    sa.Column("runs", sa.Integer, nullable=False),
    sa.Column("observations", sa.Integer, nullable=False),
)
FIRST: Final = tuple(_metadata.sorted_tables)  # of version 0001, in which a new table has no part

proof: Final = sa.Table(
    "proof",  # of the secure DNS answers of an observation: a fact, whose parts are RRsets
    _metadata,
    sa.Column("domain_id", _Id, sa.ForeignKey("domain.id"), primary_key=True),
    sa.Column("run_id", _Id, sa.ForeignKey("run.id"), primary_key=True, index=True),
    sa.Column("fact_id", _Id, sa.ForeignKey("fact.id"), nullable=False, index=True),
    sqlite_with_rowid=False,
)
PROOFS: Final = (proof,)  # of version 0003
sent_day: Final = sa.Table(
    "sent_day",  # which part of a day's log of a mail server was read
    _metadata,
    sa.Column("id", _Id, sa.Identity(), primary_key=True),
    sa.Column("server", sa.Text, nullable=False),
    sa.Column("software", sa.String(16), nullable=False),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("first", UtcTime, nullable=False),
    sa.Column("last", UtcTime, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.UniqueConstraint("server", "software", "day"),
)
sent: Final = sa.Table(
    "sent",  # messages to a domain on such a day
    _metadata,
    sa.Column("domain", sa.Text, primary_key=True),
    sa.Column("day_id", _Id, sa.ForeignKey("sent_day.id"), primary_key=True, index=True),
    *(sa.Column(name, _Id, nullable=False) for name in SentCounts._fields),
    sqlite_with_rowid=False,
)
SENT: Final = (sent_day, sent)  # of version 0004
VIEWS: Final = {
    "latest": (
        "SELECT domain.name AS domain, observation.run_id, observation.checked_at, "
        "observation.level, observation.standing, observation.complete, "
        "observation.endpoints, observation.endpoints_tested, observation.facts_id "
        "FROM domain JOIN observation ON observation.domain_id = domain.id "
        "WHERE observation.run_id = (SELECT max(o.run_id) FROM observation AS o "
        "JOIN run ON run.id = o.run_id "
        "WHERE o.domain_id = domain.id AND run.finished_at IS NOT NULL)"
    ),
    "changes": (
        "SELECT domain.name AS domain, change.run_id, change.direction, change.code, "
        "change.mx_host, change.addresses, change.before, change.after, change.last_seen, "
        "change.since, change.runs, change.told "
        "FROM change JOIN domain ON domain.id = change.domain_id"
    ),
    "expiring": (
        "SELECT DISTINCT latest.domain, certificate.subject, certificate.issuer, "
        "certificate.not_after FROM latest "
        "JOIN part AS endpoint ON endpoint.whole_id = latest.facts_id "
        "JOIN part AS leaf ON leaf.whole_id = endpoint.part_id AND leaf.position = 0 "
        "JOIN certificate ON certificate.fact_id = leaf.part_id"
    ),
}
SENT_VIEWS: Final = {
    "sent_mail": (
        "SELECT sent.domain, sent_day.day, sent_day.server, sent_day.software, "
        "sent.encrypted + sent.clear + sent.held_back + sent.unknown AS messages, "
        "sent.encrypted, sent.verified, sent.below_verified, sent.clear, sent.held_back, "
        "sent.unknown FROM sent JOIN sent_day ON sent_day.id = sent.day_id"
    ),
}


def create(connection: sa.Connection, tables: Sequence[sa.Table], views: Mapping[str, str]) -> None:
    """Create *tables* and *views*, those of one version."""
    _metadata.create_all(connection, tables=tables)
    for name, query in views.items():
        connection.execute(sa.text(f"CREATE VIEW {name} AS {query}"))  # text of ours alone
