"""``probe diff --db``, ``history``, ``prune``, ``hold`` and ``accept``."""

import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from prober.records import EndpointFacts
from prober.rules.verdict import judge_domain
from prober.store import schema
from prober.store.database import open_store
from tests.cli.commands import invoke
from tests.store.builders import good, record, report, started
from tests.support.builders import MX, confirmed, domain, not_offered, untested

NEGATIVE = confirmed(not_offered())


@pytest.fixture
def db(tmp_path: Path) -> str:
    return str(tmp_path / "probe.db")


def recorded(db: str, *days: EndpointFacts) -> str:
    store = open_store(db)
    for day, each in enumerate(days):
        record(store, [report(each, day=day), report(good(), name="other.example", day=day)])
    store.close()
    return db


@pytest.mark.parametrize(
    ("days", "status"),
    [
        ([good(), NEGATIVE], 1),
        ([good(), untested()], 3),
        ([good(), good()], 0),
        ([NEGATIVE, good()], 0),
        ([good(), NEGATIVE, NEGATIVE], 0),
        ([good(), untested(), untested()], 0),
    ],
    ids=["worse", "lost-sight", "same", "better", "still-worse", "still-unseen"],
)
def test_the_last_two_runs_are_compared(db: str, days: list[EndpointFacts], status: int) -> None:
    ended = invoke("diff", "--db", recorded(db, *days))

    assert (ended.status, ended.err) == (status, "")
    assert ended.out.startswith("2 domains compared: ")


def test_domains_in_one_run_only_are_named_and_no_invalid_input(db: str) -> None:
    """As two files with the same reports are compared."""
    store = open_store(db)
    invalid = judge_domain(domain(domain=None, input="no domain", error="no domain"))
    more = judge_domain(domain(domain=None, input="neither", error="no domain"))
    record(store, [report(good()), report(good(), name="gone.example"), invalid])
    record(store, [report(good(), day=1), report(good(), name="new.example", day=1), invalid, more])
    store.close()
    ended = invoke("diff", "--db", db)
    counts, left_out, new = ended.out.splitlines()
    assert counts.startswith("1 domain compared: ")
    assert counts.endswith(", 1 as before; 1 no longer looked at; 1 looked at for the first time")
    assert new == "new.example: NEW. looked at for the first time."
    assert left_out.startswith("gone.example: LEFT OUT. no longer looked at, last seen ")


def test_other_runs_are_compared(db: str) -> None:
    recorded(db, good(), NEGATIVE, NEGATIVE)

    assert invoke("diff", "--db", db, "--from", "1").status == 1
    assert invoke("diff", "--db", db, "--from", "2", "--to", "3").status == 0
    assert invoke("diff", "--db", db, "--from", "3", "--to", "1").status == 2
    assert invoke("diff", "--db", db, "--from", "7").status == 2


def test_one_run_is_not_enough(db: str) -> None:
    ended = invoke("diff", "--db", recorded(db, good()))

    assert ended.status == 2
    assert "no finished run previous" in ended.err


def test_a_history_is_a_line_for_each_stretch(db: str) -> None:
    ended = invoke("history", "Example.COM", "--db", recorded(db, good(), good(), NEGATIVE))

    assert ended.status == 0
    assert ended.out.splitlines() == [
        "example.com",
        "  2026-01-02T03:04:05Z to 2026-01-03T03:04:05Z, 2 runs: authenticated, PASS",
        "  2026-01-04T03:04:05Z, 1 run: none, FAIL",
        f"    worse: STARTTLS at {MX} 192.0.2.1 was TLS completes, is STARTTLS not offered",
        "    worse: level was authenticated, is none",
        "    worse: result was PASS, is FAIL",
    ]


def test_a_history_as_json(db: str) -> None:
    ended = invoke("history", "example.com", "--db", recorded(db, good(), NEGATIVE), "-f", "json")

    first, second = map(json.loads, ended.out.splitlines())
    assert (first["run"], first["level"], first["changes"]) == (1, "authenticated", [])
    assert second["checked_at"] == "2026-01-03T03:04:05Z"
    assert {each["code"] for each in second["changes"]} == {"level", "standing", "starttls"}


def test_a_run_is_reported_in_any_format(db: str) -> None:
    recorded(db, good(), NEGATIVE)
    last = invoke("report", "--db", db, "-f", "jsonl", "--quiet")
    first = invoke("report", "--db", db, "--run", "1", "-f", "csv")

    found = {each["domain"]: each["standing"] for each in map(json.loads, last.out.splitlines())}
    assert (last.status, found) == (
        1,
        {"example.com": "falls-short", "other.example": "meets"},
    )
    assert (first.status, len(first.out.splitlines())) == (0, 3)
    assert first.err.startswith("probe: run 1 of list.txt, begun ")
    assert invoke("report", "--db", db, "--run", "7").status == 2


def test_the_runs_are_listed(db: str) -> None:
    recorded(db, good(), good())
    text = invoke("history", "--runs", "--db", db).out.splitlines()
    found = [
        json.loads(line)
        for line in invoke("history", "--runs", "--db", db, "-f", "json").out.splitlines()
    ]

    assert [line.split()[0] for line in text] == ["2", "1"]
    assert all(line.endswith("2 domains of list.txt, required opportunistic") for line in text)
    assert [each["id"] for each in found] == [2, 1]


@pytest.mark.parametrize(
    "args",
    [
        ("history", "example.com"),
        ("history", "--db", "DB"),
        ("history", "example.com", "--runs", "--db", "DB"),
        ("history", "unknown.example", "--db", "DB"),
        ("prune", "--keep", "6y"),
        ("prune", "--keep", "5y", "--db", "DB"),
        ("prune", "--keep", "6w", "--db", "DB"),
        ("prune", "--keep", "9999y", "--db", "DB"),
        ("hold", "example.com"),
        ("hold", "example.com", "--db", "DB"),
        ("hold", "example.com", "--lift", "--db", "DB"),
        ("accept", "example.com", "--db", "DB"),
        ("accept", "example.com", "--lift", "--db", "DB"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_done(db: str, args: tuple[str, ...]) -> None:
    recorded(db, good())
    ended = invoke(*(db if each == "DB" else each for each in args))

    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("probe: ")


def test_what_is_old_is_deleted_but_for_holds(db: str) -> None:
    recorded(db, good(), good())
    store = open_store(db)
    started(store, 1, years_ago=7)
    assert invoke("hold", "example.com", "--why", "in dispute", "--db", db).status == 0
    held = invoke("hold", "--db", db).out
    assert held.startswith("example.com  since ")
    assert held.endswith(": in dispute\n")

    ended = invoke("prune", "--keep", "6y", "--db", db)
    assert ended.status == 2
    assert "without a terminal, give --yes" in ended.err
    ended = invoke("prune", "--keep", "6y", "--db", db, "--yes")
    assert (ended.status, ended.out) == (0, "deleted 1 observations and 0 runs\n")
    assert invoke("hold", "example.com", "--lift", "--db", db).status == 0
    ended = invoke("prune", "--keep", "6y", "--db", db, "--yes")
    assert ended.out == "deleted 1 observations and 1 runs\n"
    ended = invoke("prune", "--keep", "6y", "--db", db, "--yes")
    assert ended.out.startswith("nothing is older than ")
    with store.reading() as connection:
        assert connection.execute(sa.select(schema.pruned.c.observations)).scalars().all() == [1, 1]
    store.close()


@pytest.mark.parametrize("command", ["diff", "history --runs", "hold", "accept", "prune --keep 6y"])
def test_a_record_that_is_not_there_is_not_made(db: str, command: str) -> None:
    ended = invoke(*command.split(), "--db", db)

    assert (ended.status, ended.out) == (2, "")
    assert ended.err == f"probe: there is no record at {db}: `probe scan --db` makes one\n"
    assert not Path(db).exists()


def test_an_exception_in_the_record(db: str) -> None:
    recorded(db, good())
    given = (
        "--what",
        "none",
        "--why",
        "new server soon",
        "--by",
        "J. Doe",
        "--until",
        "2099-12-31",
    )
    assert invoke("accept", "Example.com", *given, "--db", db).status == 0
    ended = invoke("accept", "--db", db)
    assert ended.out == (
        "example.com: ACCEPTED. Level none until 2099-12-31, by J. Doe: new server soon.\n"
    )
    assert invoke("accept", "example.com", "--lift", "--db", db).status == 0
    assert invoke("accept", "--db", db).out == ""
