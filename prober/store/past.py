"""The earlier observations of a domain, judged again by the rules of today."""

from collections.abc import Callable
from dataclasses import replace

import sqlalchemy as sa

from prober.records import DomainReport, Level
from prober.rules.aspects import Seen
from prober.rules.drift import KNOWN_RUNS
from prober.rules.verdict import Standing, judge_domain
from prober.store import schema
from prober.store.reader import FactReader, Observation, observations, observed


class Past:
    """Loads what was seen of a domain before; each distinct state is judged once per domain."""

    def __init__(
        self, connection: sa.Connection, standing_of: Callable[[DomainReport], Standing]
    ) -> None:
        self._connection = connection
        self._standing_of = standing_of
        self._reader = FactReader(connection)

    def before(self, domain_id: int, run_id: int, patience: int = 1) -> list[Seen]:
        """The observations of the domain before the run *run_id*, newest first, as far as needed.

        Where all of those could not look, the newest one that could is the last.
        """
        table = schema.observation
        query = (
            observed()
            .where(table.c.domain_id == domain_id)
            .where(table.c.run_id < run_id)
            .order_by(table.c.run_id.desc())
        )
        rows = observations(self._connection, query.limit(max(KNOWN_RUNS, patience)))
        if all(row.level == Level.UNKNOWN for row in rows):
            could = query.where(table.c.level != Level.UNKNOWN.value).limit(1)
            rows += observations(self._connection, could)
        return self.judged(rows)

    def judged(self, rows: list[Observation]) -> list[Seen]:
        """*rows* as they are judged today."""
        first = {_state(row): row for row in reversed(rows)}
        known = {
            _state(row): judge_domain(facts)
            for row, facts in self._reader.load(list(first.values()))
        }
        found = []
        for row in rows:
            report = replace(known[_state(row)], checked_at=row.checked_at)
            found.append(Seen(report, self._standing_of(report)))
        return found


def _state(row: Observation) -> tuple[int, str]:
    """What decides the report: the facts, and the level, which dates of certificates move."""
    return row.facts_id, row.level
