"""Runs for the record, as a scan writes them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from prober.domains import operator_of
from prober.records import DomainFacts, DomainReport, EndpointFacts, Level
from prober.report.answer import answer
from prober.rules.totals import Tally
from prober.rules.verdict import judge_domain
from prober.store import schema
from prober.store.batch import RunPlan
from prober.store.database import Store
from prober.store.writer import RunWriter
from tests.rules.certificates import issue
from tests.support.builders import MX, NOW, completed, domain

CERTIFICATE = issue(MX, by=issue("ca.example"), lives=(-30, 90)).der
TALLY = Tally(require=Level.OPPORTUNISTIC, operator_of=operator_of, describe=answer)


def good(**fields: Any) -> EndpointFacts:
    return completed(**({"chain": (CERTIFICATE,), "path": (0,)} | fields))


def report(
    *endpoints: EndpointFacts, name: str = "example.com", day: int = 0, **fields: Any
) -> DomainReport:
    return TALLY.assess(judge_domain(dated(domain(*endpoints, **fields), day, name)))


def dated(facts: DomainFacts, day: int, name: str = "example.com") -> DomainFacts:
    at = NOW + timedelta(days=day)
    endpoints = tuple(replace(each, observed_at=at) for each in facts.endpoints)
    return replace(facts, checked_at=at, endpoints=endpoints, domain=name, input=name)


def plan(**fields: Any) -> RunPlan:
    defaults: dict[str, Any] = {
        "list": "list.txt",
        "identity": {"list": "sha256 00"},
        "requirement": "opportunistic",
        "operator_of": operator_of,
        "judge": TALLY.judge,
    }
    return RunPlan(**(defaults | fields))


def record(store: Store, reports: Iterable[DomainReport], **fields: Any) -> RunWriter:
    """A finished run that saw *reports*."""
    writer = RunWriter(store, plan(**fields))
    for each in reports:
        writer.add(TALLY.assess(each))
    writer.finish()
    return writer


def record_days(store: Store, days: Sequence[EndpointFacts]) -> list[RunWriter]:
    """A run a day of example.com."""
    return [record(store, [report(each, day=day)]) for day, each in enumerate(days)]


def started(store: Store, run_id: int, years_ago: int) -> None:
    """Make a run look as if it had begun so long ago."""
    with store.writing() as connection:
        at = NOW - timedelta(days=366 * years_ago)
        where = schema.run.c.id == run_id
        connection.execute(sa.update(schema.run).where(where).values(started_at=at))
