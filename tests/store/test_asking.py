"""What the record answers, by the same tests on both databases."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from prober.domains import operator_of
from prober.errors import InputError
from prober.records import AcceptedException, DnssecProof, DomainReport, Level, ProofReply, Standing
from prober.records.changes import ChangeCounts, Direction
from prober.resume import Checkpoint
from prober.store import asking, schema
from prober.store.asking import (
    Comparing,
    changes_between,
    history,
    recorded_runs,
    reports_of,
    run_news,
)
from prober.store.database import Store
from prober.store.keeping import (
    drop_exception,
    holds,
    lift_hold,
    plan_pruning,
    prune,
    set_hold,
    store_exception,
    stored_exceptions,
)
from prober.store.reader import find_run
from prober.store.writer import RunWriter
from tests.store.builders import TALLY, good, plan, record, report, started
from tests.support.builders import NOW, confirmed, not_offered, untested

NEGATIVE = confirmed(not_offered())
HOW = Comparing(operator_of=operator_of, judge=TALLY.judge)


def between(store: Store, old: int, new: int) -> tuple[dict[str, Direction | None], ChangeCounts]:
    counts = ChangeCounts()
    with store.reading() as connection:
        found = list(changes_between(connection, old, new, HOW, counts))
    return {each.domain: each.worst for each in found if each.changes}, counts


def test_two_runs_are_compared(store: Store) -> None:
    names = [f"{letter}.example" for letter in "abcd"]
    record(store, [report(good(), name=name) for name in names])
    record(
        store,
        [
            report(good(), name="a.example", day=7),
            report(NEGATIVE, name="b.example", day=7),
            report(untested(), name="c.example", day=7),
            report(good(), name="e.example", day=7),
        ],
    )

    changed, counts = between(store, 1, 2)
    assert changed == {
        "b.example": Direction.WORSE,
        "c.example": Direction.LOST_SIGHT,
        "d.example": Direction.OTHER,  # in one run only
        "e.example": Direction.OTHER,
    }
    assert (counts.compared, counts.unchanged) == (3, 1)
    assert (counts.only_before, counts.only_now) == (1, 1)


def test_runs_that_are_not_neighbours_are_compared(store: Store) -> None:
    for day, each in enumerate([good(), NEGATIVE, good()]):
        record(store, [report(each, day=day)])

    assert between(store, 1, 3)[0] == {}
    assert between(store, 1, 2)[0] == {"example.com": Direction.WORSE}


def test_a_run_is_found_by_what_names_it(store: Store) -> None:
    for name in ("a", "b", "a", "check"):
        record(store, [report(good())], list=name)
    RunWriter(store, plan(list="a"))  # unfinished

    with store.reading() as connection:
        last = find_run(connection, "last")
        assert last.id == 3
        assert find_run(connection, "previous", before=3, list_="a").id == 1
        assert find_run(connection, "previous", before=3, list_="other").id == 2
        assert find_run(connection, "2").id == 2
        assert find_run(connection, last.started_at.strftime("%Y-%m-%d")).id == 3
        for wanted in ("9", "5", "2001-01-01", "yesterday", "9" * 30, "9999-12-31x", ""):
            with pytest.raises(InputError):
                find_run(connection, wanted)


def test_pruning_deletes_what_is_old_and_nothing_else(store: Store) -> None:
    names = ("old.example", "held.example")
    record(store, [report(good(tls_version="TLSv1.2"), name=name) for name in names])
    record(store, [report(good(), name=name, day=7) for name in names])
    started(store, 1, years_ago=7)
    set_hold(store, "held.example", "in dispute", NOW)
    before = NOW - timedelta(days=6 * 366)
    with store.reading() as connection:
        planned = plan_pruning(connection, before)

    done = prune(store, before, NOW)
    assert done == planned
    assert (done.runs, done.observations) == (0, 1)
    with store.reading() as connection:
        assert len(history(connection, "old.example")) == 1
        assert len(history(connection, "held.example")) == 2
        assert [each.domain for each in reports_of(connection, 1)] == ["held.example"]

    assert lift_hold(store, "held.example")
    assert not lift_hold(store, "held.example")
    assert holds(store) == []
    done = prune(store, before, NOW)
    assert (done.runs, done.observations) == (1, 1)
    with store.reading() as connection:
        assert {each.domain for each in reports_of(connection, 2)} == set(names)
        counted = sa.select(schema.fact.c.kind, sa.func.count()).group_by(schema.fact.c.kind)
        counts = {row[0]: row[1] for row in connection.execute(counted)}
        assert (
            connection.execute(sa.select(sa.func.count()).select_from(schema.pruned)).scalar() == 2
        )
    assert counts == {"certificate": 1, "domain": 2, "endpoint": 1, "evidence": 2, "vantage": 1}


def test_proofs_are_kept_of_every_run_and_each_rrset_once(store: Store) -> None:
    for day in range(3):
        record(store, [proved("a.example", day), proved("b.example", day), report(good(), day=day)])

    with store.reading() as connection:
        for day in range(3):
            saved = {each.domain: each.proof for each in reports_of(connection, day + 1)}
            assert saved == {
                "a.example": proved("a.example", day).proof,
                "b.example": proved("b.example", day).proof,
                "example.com": None,
            }
        [one] = reports_of(connection, 2, ["b.example"])
        assert one.proof == proved("b.example", 1).proof
    assert kinds(store)["proof"] == 6
    assert kinds(store)["rrset"] == 1 + 2 + 3  # of the root, of the two domains, of each day


def test_rrsets_that_no_proof_refers_to_are_pruned(store: Store) -> None:
    record(store, [proved("a.example", 0), proved("b.example", 0)])
    record(store, [proved("a.example", 1)])
    started(store, 1, years_ago=7)
    prune(store, NOW - timedelta(days=6 * 366), NOW)

    with store.reading() as connection:
        [left] = reports_of(connection, 2)
    assert left.proof == proved("a.example", 1).proof
    assert kinds(store)["proof"] == 1
    assert kinds(store)["rrset"] == 3


def test_what_comes_again_in_a_resumed_run_has_its_own_proof(store: Store) -> None:
    writer = RunWriter(store, plan())
    writer.add(proved("a.example", 0))
    writer.add(proved("b.example", 0))
    writer.abandon(Checkpoint(identity={"list": "sha256 00"}))
    again = RunWriter(store, plan(), resume=True)
    again.add(proved("a.example", 1))
    again.add(report(good(), name="b.example"))
    again.finish()

    with store.reading() as connection:
        saved = {each.domain: each.proof for each in reports_of(connection, 1)}
    assert saved == {"a.example": proved("a.example", 1).proof, "b.example": None}


def proved(name: str, day: int) -> DomainReport:
    """A report with a proof: of what all share, of what the domain has, and what the day brings."""
    reply = ProofReply(
        name=f"{name}.",
        type="MX",
        rcode="NOERROR",
        observed_at=NOW + timedelta(days=day),
        answer=(2, 0),
        authority=(1,),
    )
    rrsets = (b"the root", name.encode(), f"day {day}".encode())
    proof = DnssecProof(rrsets=rrsets, replies=(reply,))
    return replace(report(good(), name=name, day=day), proof=proof)


def kinds(store: Store) -> dict[str, int]:
    with store.reading() as connection:
        counted = sa.select(schema.fact.c.kind, sa.func.count()).group_by(schema.fact.c.kind)
        return {row[0]: row[1] for row in connection.execute(counted)}


def test_a_run_goes_on_while_facts_are_pruned(store: Store) -> None:
    record(store, [report(good())])
    started(store, 1, years_ago=7)
    writer = RunWriter(store, plan())
    first = report(good(), name="a.example")
    writer.add(first)
    writer.flush()
    prune(store, NOW + timedelta(days=1), NOW)
    with store.reading() as connection:
        assert connection.execute(sa.select(schema.run.c.id)).scalars().all() == [2]


def test_exceptions_are_kept(store: Store) -> None:
    exception = AcceptedException(
        domain="a.example", what=Level.NONE, why="why", by="who", until=NOW.date()
    )
    store_exception(store, exception)
    store_exception(store, exception)

    with store.reading() as connection:
        assert stored_exceptions(connection) == {"a.example": exception}
    assert drop_exception(store, "a.example")
    assert not drop_exception(store, "a.example")


def test_runs_of_one_list_up_to_a_run_with_their_standings(store: Store) -> None:
    first = record(store, [report(good()), report(NEGATIVE, name="a.example")], list="one.txt")
    record(store, [report(good())], list="two.txt")
    RunWriter(store, plan(list="one.txt"))  # never finished
    last = record(store, [report(good(), day=1)], list="one.txt")
    record(store, [report(good(), day=2)], list="one.txt")
    with store.reading() as connection:
        found = recorded_runs(connection, of_list=last.run_id)
        newest = recorded_runs(connection, newest=1)
        everything = recorded_runs(connection)

    assert [each.id for each in found] == [last.run_id, first.run_id]
    assert found[1].standings == {Standing.MEETS: 1, Standing.FALLS_SHORT: 1}
    assert (len(newest), len(everything)) == (1, 5)
    assert everything[2].finished_at is None
    assert everything[2].standings == {}


def test_news_of_a_run_have_the_worst_first_and_count_all(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(store, [report(good()), report(NEGATIVE, name="a.example")])
    last = record(store, [report(NEGATIVE, day=1), report(good(), name="a.example", day=1)])
    with store.reading() as connection:
        found = run_news(connection, last.run_id, 5)
        monkeypatch.setattr(asking, "MAX_CHANGED", 1)
        short = run_news(connection, last.run_id, 5)

    assert [each.domain for each in found.changes] == ["example.com", "a.example"]
    assert found.counts == short.counts == {Direction.WORSE: 1, Direction.BETTER: 1}
    assert (found.left_out, short.left_out) == (0, 1)
    assert not found.is_first
