"""The earlier observations of a domain, judged again by the rules of today."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import sqlalchemy as sa

from prober.records import DomainFacts, DomainReport, Level
from prober.rules.drift import KNOWN_RUNS
from prober.store import schema
from prober.store.reader import FactReader, Observation, batched, observations, observed


class Past:
    """Loads the earlier observations of a domain. Each distinct state is judged once per domain."""

    def __init__(
        self, connection: sa.Connection, judge: Callable[[DomainFacts], DomainReport]
    ) -> None:
        self._connection = connection
        self._judge = judge
        self._reader = FactReader(connection)

    def before(
        self, domain_ids: Sequence[int], run_id: int, patience: int = 1
    ) -> dict[int, list[DomainReport]]:
        """The observations of each domain before the run *run_id*, newest first.

        As many as are compared. If none of those could look, the newest one that could comes last.
        """
        most = max(KNOWN_RUNS, patience)
        rows = [row for some in batched(domain_ids) for row in self._newest(some, run_id, most)]
        by_domain: dict[int, list[Observation]] = {each: [] for each in domain_ids}
        for row in rows:
            by_domain[row.domain_id].append(row)
        for domain_id, own in by_domain.items():
            if own and all(row.level == Level.UNKNOWN for row in own):
                own += self._newest_seen(domain_id, run_id)
        judged = self.judged([row for own in by_domain.values() for row in own])
        return {
            each: [judged[row.domain_id, row.run_id] for row in own]
            for each, own in by_domain.items()
        }

    def _newest(self, domain_ids: Sequence[int], run_id: int, most: int) -> list[Observation]:
        table = schema.observation
        rank = sa.func.row_number().over(
            partition_by=table.c.domain_id, order_by=table.c.run_id.desc()
        )
        ranked = (
            observed()
            .add_columns(rank.label("rank"))
            .where(table.c.domain_id.in_(domain_ids))
            .where(table.c.run_id < run_id)
            .subquery()
        )
        columns = [each for each in ranked.c if each.name != "rank"]
        query = sa.select(*columns).where(ranked.c.rank <= most)
        return observations(self._connection, query.order_by(ranked.c.run_id.desc()))

    def _newest_seen(self, domain_id: int, run_id: int) -> list[Observation]:
        table = schema.observation
        query = (
            observed()
            .where(table.c.domain_id == domain_id)
            .where(table.c.run_id < run_id)
            .where(table.c.level != Level.UNKNOWN.value)
            .order_by(table.c.run_id.desc())
            .limit(1)
        )
        return observations(self._connection, query)

    def judged(self, rows: Sequence[Observation]) -> dict[tuple[int, int], DomainReport]:
        """*rows* as judged by the rules of today, by domain and run."""
        first = {_state(row): row for row in rows}
        known = {
            _state(row): self._judge(facts)
            for row, facts in self._reader.load(list(first.values()))
        }
        return {
            (row.domain_id, row.run_id): replace(known[_state(row)], checked_at=row.checked_at)
            for row in rows
        }


def _state(row: Observation) -> tuple[int, str]:
    """What decides the report: the facts, and the level, which changes when certificates expire."""
    return row.facts_id, row.level
