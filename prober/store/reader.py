"""Reads a record: runs, and the observations of domains as facts that can be judged again."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, TypeVar

import sqlalchemy as sa

from prober.errors import InputError
from prober.escape import printable
from prober.records import DnssecProof, DomainFacts, Run
from prober.store import schema
from prober.store.facts import unpack_domain, unpack_evidence, unpack_proof, unpack_vantage

CHECK: Final = "check"  # the list of a run of `probe check`
_AT_ONCE: Final = 500  # rows or parameters of one query


T = TypeVar("T")


def batched(items: Sequence[T], size: int = _AT_ONCE) -> Iterator[Sequence[T]]:
    """*items* in batches, each small enough for one query."""
    return (items[at : at + size] for at in range(0, len(items), size))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """One run. ``finished_at`` is None if it was stopped, and can be continued."""

    id: int
    list: str
    requirement: str
    version: str
    started_at: datetime
    finished_at: datetime | None
    observations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a run found about a domain, and where its facts are."""

    domain_id: int
    run_id: int
    facts_id: int
    vantage_id: int
    evidence_id: int | None
    checked_at: datetime
    elapsed_ms: int
    level: str
    standing: str
    lost_sight: bool


_OBSERVED: Final = tuple(schema.observation.c[name] for name in Observation.__dataclass_fields__)


def observations(
    connection: sa.Connection, query: sa.Select[tuple[object, ...]]
) -> list[Observation]:
    """The rows of *query*, which selects the columns of ``observed()``."""
    return [Observation(**row._mapping) for row in connection.execute(query)]


def observed() -> sa.Select[tuple[object, ...]]:
    """A query for observations; the caller adds conditions."""
    return sa.select(*_OBSERVED)


def run_rows() -> sa.Select[tuple[object, ...]]:
    """A query for runs, newest first; the caller adds conditions."""
    counted = (
        sa.select(sa.func.count())
        .select_from(schema.observation)
        .where(schema.observation.c.run_id == schema.run.c.id)
        .scalar_subquery()
        .label("observations")
    )
    columns = [schema.run.c[name] for name in RunRow.__dataclass_fields__ if name != "observations"]
    return sa.select(*columns, counted).order_by(schema.run.c.id.desc())


def runs(
    connection: sa.Connection,
    query: sa.Select[tuple[object, ...]] | None = None,
    *,
    newest: int | None = None,
) -> list[RunRow]:
    """The runs of *query*, or all, newest first."""
    rows = connection.execute((run_rows() if query is None else query).limit(newest))
    return [RunRow(**row._mapping) for row in rows]


def find_run(
    connection: sa.Connection, wanted: str, *, before: int | None = None, list_: str | None = None
) -> RunRow:
    """The finished run that *wanted* names: an id, a day, ``last``, or ``previous``.

    ``last`` is the newest scan. ``previous`` is the newest one before the run *before*, of the same
    list or of *list_*. A day means the newest run that began on that day or before. Raises
    InputError.
    """
    finished = [each for each in runs(connection) if each.finished_at is not None]
    scans = [each for each in finished if each.list != CHECK]
    found: Sequence[RunRow]
    if wanted == "last":
        found = scans or finished
    elif wanted == "previous":
        earlier = [each for each in scans if before is None or each.id < before]
        found = [each for each in earlier if each.list == list_] or earlier
        found = found if before is not None else found[1:]
    elif wanted.isdecimal() and len(wanted) < 19:
        found = [each for each in finished if each.id == int(wanted)]
    else:
        until = _end_of(wanted)
        found = [each for each in scans if each.started_at < until]
    if not found:
        raise InputError(f"no finished run {printable(wanted)}: `probe history --runs` lists them")
    return found[0]


def _end_of(day: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(day), time(tzinfo=UTC)) + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"{printable(day)} is not a run: give an id, a day such as 2026-01-31, last or previous"
        ) from error


class FactReader:
    """Loads the facts of observations, each stored fact once; DNSSEC proofs if *proofs*."""

    def __init__(self, connection: sa.Connection, *, proofs: bool = False) -> None:
        self._connection = connection
        self._loads_proofs = proofs
        self._runs: dict[int, Run] = {}

    def load(self, rows: Sequence[Observation]) -> Iterator[tuple[Observation, DomainFacts]]:
        """Each of *rows* with its facts."""
        for some in batched(rows, _AT_ONCE // 2):
            yield from self._load_some(some)

    def _load_some(self, rows: Sequence[Observation]) -> Iterator[tuple[Observation, DomainFacts]]:
        wholes = {row.evidence_id or row.facts_id for row in rows}
        bodies = self._bodies(wholes | {row.vantage_id for row in rows})
        parts = self._parts(wholes)
        endpoints = self._parts({each for each, _, _ in parts})
        by_digest = {digest: body for _, digest, body in (*parts, *endpoints)}
        proofs = self._proofs(rows) if self._loads_proofs else {}
        for row in rows:
            run = self._run(row.vantage_id, bodies)
            if row.evidence_id is not None:
                facts = unpack_evidence(bodies[row.evidence_id], run, by_digest)
            else:
                facts = unpack_domain(
                    bodies[row.facts_id], run, by_digest, at=row.checked_at, ms=row.elapsed_ms
                )
            proof = proofs.get((row.domain_id, row.run_id))
            yield row, facts if proof is None else replace(facts, proof=proof)

    def _proofs(self, rows: Sequence[Observation]) -> dict[tuple[int, int], DnssecProof]:
        """The proofs by domain and run."""
        table, part, fact = schema.proof, schema.part, schema.fact
        query = sa.select(table).where(
            table.c.domain_id.in_({row.domain_id for row in rows}),
            table.c.run_id.in_({row.run_id for row in rows}),
        )
        ids = {(row.domain_id, row.run_id): row.fact_id for row in self._connection.execute(query)}
        bodies = self._bodies(set(ids.values()))
        rrsets: dict[int, list[bytes]] = {each: [] for each in bodies}
        for some in batched(sorted(bodies)):
            in_order = (
                sa.select(part.c.whole_id, fact.c.body)
                .join(fact, fact.c.id == part.c.part_id)
                .where(part.c.whole_id.in_(some))
                .order_by(part.c.whole_id, part.c.position)
            )
            for row in self._connection.execute(in_order):
                rrsets[row.whole_id].append(row.body)
        return {key: unpack_proof(bodies[each], rrsets[each]) for key, each in ids.items()}

    def _run(self, vantage_id: int, bodies: dict[int, bytes]) -> Run:
        if vantage_id not in self._runs:
            self._runs[vantage_id] = unpack_vantage(bodies[vantage_id])
        return self._runs[vantage_id]

    def _bodies(self, ids: Iterable[int]) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        columns = (schema.fact.c.id, schema.fact.c.body)
        for some in batched(sorted(ids)):
            query = sa.select(*columns).where(schema.fact.c.id.in_(some))
            found.update({row.id: row.body for row in self._connection.execute(query)})
        return found

    def _parts(self, wholes: Iterable[int]) -> list[tuple[int, bytes, bytes]]:
        """Id, digest and body of the parts of *wholes*."""
        found = []
        columns = (schema.fact.c.id, schema.fact.c.digest, schema.fact.c.body)
        for some in batched(sorted(wholes)):
            ids = sa.select(schema.part.c.part_id).where(schema.part.c.whole_id.in_(some))
            query = sa.select(*columns).where(schema.fact.c.id.in_(ids))
            found += [(row.id, row.digest, row.body) for row in self._connection.execute(query)]
        return found
