"""Writes some observations in one transaction: facts by content, then the observations."""

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from prober.escape import printable
from prober.records import DomainFacts, DomainReport, Level
from prober.records.changes import Change, ChangeCounts, Direction, DomainChanges
from prober.rules.drift import compare
from prober.rules.verdict import facts_of
from prober.store import schema
from prober.store.facts import (
    Fact,
    certificate_fact,
    domain_fact,
    evidence_fact,
    proof_fact,
    vantage_fact,
)
from prober.store.past import Past
from prober.store.reader import Observation, batched, observations, observed

MAX_TEXT: Final = 1_000  # characters of a text column
_MAX_CACHED: Final = 200_000  # digests of facts that are known to be stored: 30 MB
_NEGATIVE: Final = (Level.NONE, Level.PARTIAL)


class Transcripts(enum.StrEnum):
    """Which observations keep the transcripts of their sessions."""

    ALL = "all"
    CHANGED = "changed"  # those that changed, and those whose level is none or partial
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """The parameters of a run, and what is kept of it."""

    list: str
    identity: Mapping[str, str]
    requirement: str
    operator_of: Callable[[str], str]
    judge: Callable[[DomainFacts], DomainReport]
    transcripts: Transcripts = Transcripts.CHANGED
    patience: int = 3


def stored_name(report: DomainReport) -> str:
    """The name of the domain in the record; the input, if it is not a domain."""
    return column(report.domain or report.input)


def column(text: str) -> str:
    """*text* in a form that every database accepts: no NUL, no lone surrogate, not too long."""
    return printable(text)[:MAX_TEXT]


_Seen = tuple[DomainReport, int, Observation | None, int]  # with domain, newest before, and facts


class Batch:
    """A transaction of the run *run_id*. *known* has the ids of facts by digest.

    *may_repeat*: an earlier part of the run may have written some of the domains.
    """

    def __init__(
        self,
        connection: sa.Connection,
        run_id: int,
        plan: RunPlan,
        known: dict[bytes, int],
        counts: ChangeCounts,
        *,
        may_repeat: bool,
    ) -> None:
        self._connection = connection
        self._run_id = run_id
        self._plan = plan
        self._known = known
        self._counts = counts
        self._may_repeat = may_repeat
        self._past = Past(connection, plan.judge)
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        self._insert = dialect.insert

    def write(self, pending: Sequence[DomainReport]) -> None:
        """Write *pending*, assessed reports, in which no domain comes twice."""
        if not pending:
            return
        domains = self._domain_ids([stored_name(each) for each in pending])
        ids = [domains[stored_name(each)] for each in pending]
        before = self._newest_before(ids)
        facts = [domain_fact(each) for each in pending]
        vantages = {each.run: vantage_fact(each.run) for each in pending}
        proofs = {
            domain_id: proof_fact(each.proof)
            for each, domain_id in zip(pending, ids, strict=True)
            if each.proof is not None
        }
        self._store([*facts, *vantages.values(), *proofs.values()], pending)
        seen = [
            (each, domain_id, before.get(domain_id), self._known[compared.digest])
            for each, domain_id, compared in zip(pending, ids, facts, strict=True)
        ]
        changes = self._changes(seen)
        rows = [
            {
                **_verdict_row(each),
                "run_id": self._run_id,
                "domain_id": domain_id,
                "facts_id": facts_id,
                "vantage_id": self._known[vantages[each.run].digest],
                "evidence_id": self._evidence(each, last, facts_id),
                "lost_sight": any(
                    one.direction is Direction.LOST_SIGHT for one in changes.get(domain_id, ())
                ),
            }
            for each, domain_id, last, facts_id in seen
        ]
        if self._may_repeat or any(each.domain is None for each in pending):
            self._delete(ids)
        self._replace(schema.observation, rows)
        self._replace(
            schema.proof,
            [
                # each proof comes once, so that its digest need not be remembered
                {"domain_id": each, "run_id": self._run_id, "fact_id": self._known.pop(own.digest)}
                for each, own in proofs.items()
            ],
        )
        found = [
            _change_row(self._run_id, domain_id, position, change)
            for domain_id, own in changes.items()
            for position, change in enumerate(own)
        ]
        self._replace(schema.change, found)

    def _domain_ids(self, names: Sequence[str]) -> dict[str, int]:
        rows = [{"name": name} for name in sorted(names)]
        new = self._insert(schema.domain).on_conflict_do_nothing()
        table, found = schema.domain, {}
        for some in batched(names):
            query = sa.select(table.c.name, table.c.id).where(table.c.name.in_(some))
            found.update({row.name: row.id for row in self._connection.execute(query)})
        missing = [row for row in rows if row["name"] not in found]
        if not missing:
            return found
        self._connection.execute(new, missing)
        return self._domain_ids(names)

    def _newest_before(self, ids: Sequence[int]) -> dict[int, Observation]:
        """The newest observation of each domain in earlier runs."""
        table = schema.observation
        other = table.alias()
        newest = (
            sa.select(sa.func.max(other.c.run_id))
            .where(other.c.domain_id == table.c.domain_id)
            .where(other.c.run_id < self._run_id)
            .scalar_subquery()
        )
        found: dict[int, Observation] = {}
        for some in batched(ids):
            query = observed().where(table.c.domain_id.in_(some)).where(table.c.run_id == newest)
            found |= {row.domain_id: row for row in observations(self._connection, query)}
        return found

    def _store(self, facts: Sequence[Fact], pending: Sequence[DomainReport] = ()) -> None:
        """Store the facts that are new, parts first, and remember their ids."""
        if len(self._known) > _MAX_CACHED:
            self._known.clear()
        new = {each.digest: each for each in _with_parts(facts) if each.digest not in self._known}
        rows = [
            {"kind": each.kind, "digest": each.digest, "body": each.body}
            for each in sorted(new.values(), key=lambda each: each.digest)
        ]
        if not rows:
            return
        self._connection.execute(self._insert(schema.fact).on_conflict_do_nothing(), rows)
        table = schema.fact
        for some in batched([row["digest"] for row in rows]):
            query = sa.select(table.c.digest, table.c.id).where(table.c.digest.in_(some))
            self._known.update({row.digest: row.id for row in self._connection.execute(query)})
        self._store_parts(new.values())
        self._store_certificates(new, pending)

    def _store_parts(self, facts: Iterable[Fact]) -> None:
        rows = [
            {
                "whole_id": self._known[each.digest],
                "position": position,
                "part_id": self._known[part.digest],
            }
            for each in facts
            for position, part in enumerate(each.parts)
        ]
        if rows:
            self._connection.execute(self._insert(schema.part).on_conflict_do_nothing(), rows)

    def _store_certificates(
        self, new: Mapping[bytes, Fact], pending: Sequence[DomainReport]
    ) -> None:
        """Store the readable fields of each new leaf certificate."""
        rows: dict[int, dict[str, object]] = {}
        for endpoint in (one for each in pending for one in each.endpoints):
            read = endpoint.certificate
            leaf = certificate_fact(endpoint.chain[0]).digest if endpoint.chain else b""
            if leaf in new and read is not None:
                rows[self._known[leaf]] = {
                    "fact_id": self._known[leaf],
                    "subject": None if read.subject is None else column(read.subject),
                    "issuer": None if read.issuer is None else column(read.issuer),
                    "not_after": read.not_after,
                }
        if rows:
            statement = self._insert(schema.certificate).on_conflict_do_nothing()
            self._connection.execute(statement, list(rows.values()))

    def _evidence(
        self, each: DomainReport, before: Observation | None, facts_id: int
    ) -> int | None:
        """The id of the evidence, if it is kept."""
        changed = before is None or before.facts_id != facts_id
        keeps = self._plan.transcripts
        negative = each.verdict.level in _NEGATIVE
        if not (changed or negative or keeps is Transcripts.ALL):
            return None
        transcripts = keeps is not Transcripts.NONE
        found = evidence_fact(facts_of(each), transcripts=transcripts)
        self._store([found])
        return self._known[found.digest]

    def _changes(self, seen: Sequence[_Seen]) -> dict[int, tuple[Change, ...]]:
        """The changes of each domain whose facts differ."""
        candidates = {
            domain_id
            for each, domain_id, before, facts_id in seen
            if before is not None and _may_differ(each, before, facts_id)
        }
        earlier = self._past.before(sorted(candidates), self._run_id, self._plan.patience)
        found: dict[int, tuple[Change, ...]] = {}
        for each, domain_id, before, _ in seen:
            if before is None:
                self._counts.only_now += 1
                continue
            if domain_id in candidates:
                found[domain_id] = compare(
                    each,
                    earlier[domain_id],
                    operator_of=self._plan.operator_of,
                    patience=self._plan.patience,
                )
            changes = found.get(domain_id, ())
            self._counts.add(DomainChanges(stored_name(each), changes))
        return found

    def _replace(self, table: sa.Table, rows: list[dict[str, object]]) -> None:
        """Insert *rows*. Each replaces one with the same key."""
        if rows:
            insert = self._insert(table)
            values = {each.name: insert.excluded[each.name] for each in table.c}
            keys = list(table.primary_key)
            self._connection.execute(
                insert.on_conflict_do_update(index_elements=keys, set_=values), rows
            )

    def _delete(self, domain_ids: Sequence[int]) -> None:
        """Delete what an earlier part of the run wrote about the same domains."""
        for table in (schema.change, schema.proof, schema.observation):
            for some in batched(domain_ids):
                old = sa.delete(table).where(table.c.domain_id.in_(some))
                self._connection.execute(old.where(table.c.run_id == self._run_id))


def _may_differ(each: DomainReport, before: Observation, facts_id: int) -> bool:
    now = (facts_id, each.verdict.level, each.standing)
    return before.lost_sight or now != (before.facts_id, before.level, before.standing)


def _with_parts(facts: Iterable[Fact]) -> Iterable[Fact]:
    for each in facts:
        yield from _with_parts(each.parts)
        yield each


def _verdict_row(each: DomainReport) -> dict[str, object]:
    verdict = each.verdict
    return {
        "checked_at": each.checked_at,
        "elapsed_ms": each.elapsed_ms,
        "level": verdict.level.value,
        "standing": each.standing,
        "complete": verdict.complete,
        "endpoints": verdict.endpoints,
        "endpoints_tested": verdict.endpoints_tested,
    }


def _change_row(run_id: int, domain_id: int, position: int, change: Change) -> dict[str, object]:
    return {
        "run_id": run_id,
        "domain_id": domain_id,
        "position": position,
        "direction": change.direction.value,
        "code": change.code.value,
        "mx_host": None if change.mx_host is None else column(change.mx_host),
        "addresses": column(" ".join(change.addresses)),
        "before": None if change.before is None else column(change.before),
        "after": None if change.after is None else column(change.after),
        "last_seen": change.last_seen,
        "since": change.since,
        "runs": change.runs,
        "told": change.told,
    }
