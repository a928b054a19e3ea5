"""What a run leaves in the record, when it is stopped, and when the record cannot be written."""

import contextlib
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import pytest
import sqlalchemy as sa

from prober.progress import Positions
from prober.records import DomainFacts, DomainReport, Level, Line
from prober.report.json_ import read_reports
from prober.resume import Checkpoint
from prober.rules.verdict import facts_of
from prober.store import schema
from prober.store.asking import history, reports_of, run_changes
from prober.store.batch import Transcripts
from prober.store.database import Store, StoreError, open_store
from prober.store.facts import without_judgement
from prober.store.reader import runs
from prober.store.writer import RunWriter
from tests.report.samples import HOSTILE, all_samples
from tests.store.builders import good, plan, record, record_days, report
from tests.support.builders import confirmed, not_offered, untested

SAID = (Line(ms=1, peer="server", line="220 mx ESMTP"),)
NEGATIVE = confirmed(not_offered(transcript=SAID))


def rows(store: Store, table: sa.Table) -> int:
    with store.reading() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def told(store: Store, writer: RunWriter) -> set[str]:
    with store.reading() as connection:
        found = list(run_changes(connection, writer.run_id))
    return {f"{one.direction} {one.code}" for each in found for one in each.changes}


def with_evidence(store: Store) -> list[bool]:
    """Of each run of example.com, the oldest first, whether it kept what was said."""
    with store.reading() as connection:
        found = history(connection, "example.com")
    return [each.evidence_id is not None for each in found][::-1]


def test_reports_come_out_as_they_went_in(store: Store) -> None:
    samples = {each.domain or each.input: each for each in all_samples()}
    writer = record(store, samples.values())

    with store.reading() as connection:
        found = list(reports_of(connection, writer.run_id))
    assert _by_name(found) == _by_name(samples.values())


def _by_name(reports: Iterable[DomainReport]) -> dict[str, DomainFacts]:
    return {each.domain or each.input: without_judgement(facts_of(each)) for each in reports}


def test_facts_are_stored_once(store: Store) -> None:
    record_days(store, [good()] * 3)
    facts = rows(store, schema.fact)
    record_days(store, [good()] * 3)

    assert rows(store, schema.fact) == facts
    assert rows(store, schema.observation) == 6


def test_an_endpoint_of_many_domains_is_stored_once(store: Store) -> None:
    record(store, [report(good(), name=f"customer{n}.example") for n in range(5)])

    with store.reading() as connection:
        query = sa.select(schema.fact.c.kind, sa.func.count()).group_by(schema.fact.c.kind)
        counts = {row[0]: row[1] for row in connection.execute(query)}
    assert counts == {"certificate": 1, "domain": 5, "endpoint": 1, "evidence": 5, "vantage": 1}


def test_changes_are_found_while_it_writes(store: Store) -> None:
    writers = record_days(store, [good(), good(), NEGATIVE, NEGATIVE, good()])

    assert [told(store, writer) for writer in writers] == [
        set(),
        set(),
        {"worse level", "worse standing", "worse starttls"},
        set(),
        {"better level", "better standing", "better starttls"},
    ]
    assert writers[0].counts.only_now == 1
    assert writers[1].counts.unchanged == 1


def test_lost_sight_is_told_in_the_third_run_in_a_row(store: Store) -> None:
    writers = record_days(store, [good(), untested(), untested(), untested(), untested(), good()])

    with store.reading() as connection:
        found = [list(run_changes(connection, writer.run_id)) for writer in writers]
    told_of = [[one.told for each in run for one in each.changes] for run in found]
    assert told_of == [[], [False, False], [False, False], [True, True], [False, False], []]


def test_what_was_seen_long_ago_is_still_compared(store: Store) -> None:
    writers = record_days(store, [good(), *[untested()] * 12, NEGATIVE])

    assert "worse starttls" in told(store, writers[-1])


def test_a_certificate_that_ends_changes_what_its_facts_mean(store: Store) -> None:
    record(store, [report(good(), day=0)])
    writer = record(store, [report(good(), day=95)])

    assert told(store, writer) == {"worse level", "worse certificate-proof"}


@pytest.mark.parametrize(
    ("keeps", "expected"),
    [
        (Transcripts.ALL, [True, True, True, True]),
        (Transcripts.CHANGED, [True, False, True, True]),
        (Transcripts.NONE, [True, False, True, True]),
    ],
)
def test_evidence_is_kept_of_changes_and_negatives(
    store: Store, keeps: Transcripts, expected: list[bool]
) -> None:
    seen = good(transcript=SAID)
    for day, each in enumerate([seen, seen, NEGATIVE, NEGATIVE]):
        record(store, [report(each, day=day)], transcripts=keeps)

    assert with_evidence(store) == expected
    with store.reading() as connection:
        [first] = reports_of(connection, 1)
    assert bool(first.endpoints[0].transcript) is (keeps is not Transcripts.NONE)


def test_hostile_text_is_stored_and_cut(store: Store) -> None:
    record(store, [report(good(tls_version=HOSTILE * 100))])
    writer = record(store, [report(good(), day=1)])

    with store.reading() as connection:
        [found] = run_changes(connection, writer.run_id)
    texts = [one.before or "" for one in found.changes]
    assert all(text.isprintable() and len(text) <= 1000 for text in texts)
    assert any("x1b" in text for text in texts)


def test_a_domain_that_comes_again_in_a_run_counts_once(store: Store) -> None:
    writer = RunWriter(store, plan())
    for each in (report(good()), report(NEGATIVE), report(untested())):
        writer.add(each)
        writer.flush()
    writer.finish()

    assert rows(store, schema.observation) == 1


def test_a_stopped_run_is_gone_on_with(store: Store) -> None:
    writer = RunWriter(store, plan())
    seen = report(good(), name="a.example")
    writer.add(seen)
    reported = Positions([(0, 0)])
    checkpoint = Checkpoint(identity={"list": "sha256 00"}, reported=tuple(reported.ranges()))
    writer.abandon(checkpoint)

    with store.reading() as connection:
        [stopped] = runs(connection)
    assert (stopped.finished_at, stopped.observations) == (None, 1)

    other = RunWriter(store, plan(identity={"list": "sha256 01"}), resume=True)
    assert (other.run_id, other.start) == (2, None)
    again = RunWriter(store, plan(), resume=True)
    assert (again.run_id, again.start) == (1, checkpoint)
    later = report(good(), name="b.example")
    again.add(later)
    again.finish()
    with store.reading() as connection:
        assert {each.domain for each in reports_of(connection, 1)} == {"a.example", "b.example"}


def test_a_finished_run_that_was_left_open_is_gone_on_with(store: Store) -> None:
    checkpoint = Checkpoint(identity={"list": "sha256 00"}, reported=((1, 1),))
    writer = RunWriter(store, plan())
    writer.add(report(good(), name="a.example"))
    writer.add(report(good(), name="b.example"))
    writer.finish(checkpoint)
    again = RunWriter(store, plan(), resume=True)
    assert (again.run_id, again.start) == (1, checkpoint)
    other = report(good(tls_version="TLSv1.2"), name="a.example")
    again.add(other)
    again.finish()

    with store.reading() as connection:
        found = {each.domain: each for each in reports_of(connection, 1)}
        [run] = runs(connection)
    assert (set(found), run.observations) == ({"a.example", "b.example"}, 2)
    assert found["a.example"].endpoints[0].tls_version == "TLSv1.2"
    assert RunWriter(store, plan(), resume=True).run_id == 2


def test_a_run_that_was_left_for_good_is_not_gone_on_with(store: Store) -> None:
    RunWriter(store, plan()).abandon(Checkpoint(identity={}))
    record(store, [report(good())])

    assert RunWriter(store, plan(), resume=True).run_id == 3


def test_nothing_is_kept_of_a_machine_that_cannot_see(store: Store) -> None:
    writer = RunWriter(store, plan())
    writer.add(report(untested()))
    writer.flush()
    writer.abandon(None, blind=True)

    assert rows(store, schema.run) == rows(store, schema.observation) == 0


def test_two_runs_at_once(where: str) -> None:
    stores = [open_store(where), open_store(where)]
    writers = [RunWriter(store, plan()) for store in stores]
    for n in range(10):
        for writer in writers:
            each = report(good(), name=f"customer{n}.example")
            writer.add(each)
            writer.flush()
    for writer in writers:
        writer.finish()

    assert rows(stores[0], schema.observation) == 20
    for store in stores:
        store.close()


def test_what_the_record_cannot_take_goes_to_a_results_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "probe.db"
    store = open_store(str(path))
    writer = RunWriter(store, plan())
    names = [f"customer{n}.example" for n in range(3)]
    for name in names[:2]:
        each = report(good(), name=name)
        writer.add(each)
    with contextlib.closing(sqlite3.connect(path)) as other, other:
        other.execute("PRAGMA max_page_count = 1")
    with contextlib.closing(sqlite3.connect(path)) as damage, damage:
        damage.execute("DROP TABLE part")
    writer.flush()
    each = report(good(), name=names[2])
    writer.add(each)
    with pytest.raises(StoreError, match=r"the results from there on are in .*run-1\.jsonl"):
        writer.finish()

    with open(tmp_path / "probe.db.run-1.jsonl", "rb") as file:
        assert [each.domain for each in read_reports(file)] == names
    assert rows(store, schema.observation) == 0
    store.close()


def test_views_for_other_readers(store: Store) -> None:
    record_days(store, [good(), good(tls_version="TLSv1.2")])

    with store.reading() as connection:
        [latest] = connection.execute(sa.text("SELECT * FROM latest")).all()
        [change] = connection.execute(sa.text("SELECT * FROM changes WHERE told")).all()[:1]
        [expiring] = connection.execute(sa.text("SELECT * FROM expiring")).all()
    assert (latest.domain, latest.run_id, latest.level) == ("example.com", 2, Level.AUTHENTICATED)
    assert (change.domain, change.run_id) == ("example.com", 2)
    assert expiring.subject == "CN=mx.example.com"
