"""``probe logs --db``: advice by what probing saw over time, and daily totals in the record."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from prober.logs.report import COLUMNS
from prober.report.json_ import encode_report
from prober.store.database import open_store
from tests.cli.commands import Ended, invoke
from tests.store.builders import good, record, record_days, report
from tests.support.builders import NOW, confirmed, not_offered
from tests.support.workbooks import read_sheets

NEGATIVE = confirmed(not_offered())
CLEAR = "example.com"


@pytest.fixture
def db(tmp_path: Path) -> str:
    return str(tmp_path / "probe.db")


def line(queue_id: str, domain: str, at: str = "10:00:02", *, tls: bool = False) -> str:
    """What Postfix 3.11 logs of a delivery, on the day of the first run and two years after."""
    how = "tls=may" if tls else "tls=may:none"
    return (
        f"{NOW.year + 2}-03-09T{at}+00:00 mx1 postfix/smtp[7]: {queue_id}: to=<jane@{domain}>, "
        f"relay=mx.{domain}[192.0.2.1]:25, delay=1, delays=0/0/0/1, {how}, dsn=2.0.0, "
        "status=sent (250 ok)\n"
    )


LOG = line("AAAAAA", CLEAR) + line("BBBBBB", "good.test", "10:00:03", tls=True)


def logs(db: str, text: str, *options: str) -> Ended:
    return invoke("logs", "-", "--db", db, *options, stdin=text.encode())


def recorded(db: str, *days: object) -> None:
    store = open_store(db)
    record_days(store, days)  # type: ignore[arg-type]
    store.close()


def advice(ended: Ended) -> list[tuple[str, str]]:
    return [(each["domain"], each["code"]) for each in json.loads(ended.out)["advice"]]


def test_the_record_says_what_to_do(db: str) -> None:
    recorded(db, good(), good(), good())
    out = " ".join(logs(db, LOG).out.split())
    first, last = NOW.date(), NOW.date().replace(day=NOW.day + 2)
    assert (
        f"example.com: offers TLS 1.3 on every server since {first} (last tested on {last}): "
        "require TLS, and this cannot happen again"
    ) in out


@pytest.mark.parametrize(
    ("days", "code"),
    [
        pytest.param([good(), good()], "offers-all", id="offers"),
        pytest.param([good(), NEGATIVE], "offers-none", id="offers-none"),
        pytest.param([], "not-probed", id="not-in-the-record"),
    ],
)
def test_the_decision_table(db: str, days: list[object], code: str) -> None:
    recorded(db, *days)
    assert advice(logs(db, LOG, "--summary", "-f", "json")) == [(CLEAR, code)]


def test_it_offered_none_on_that_day_and_does_now(db: str) -> None:
    store = open_store(db)
    record(store, [report(NEGATIVE)])
    later = (datetime(NOW.year + 3, 1, 1, tzinfo=UTC) - NOW).days
    record(store, [report(good(chain=(), path=()), day=later)])
    store.close()
    assert advice(logs(db, LOG, "--summary", "-f", "json")) == [(CLEAR, "offers-now")]


def test_results_and_the_record_count_together(db: str, tmp_path: Path) -> None:
    recorded(db, good())
    results = tmp_path / "later.jsonl"
    with_results = ("--results", str(results), "--summary", "-f", "json")
    saved = replace(report(NEGATIVE, day=9), domain=CLEAR)
    results.write_bytes(encode_report(saved) + b"\n")
    assert advice(logs(db, LOG, *with_results)) == [(CLEAR, "offers-none")]


def history(db: str, domain: str = CLEAR) -> list[str]:
    return invoke("history", domain, "--db", db).out.splitlines()


def test_history_shows_what_was_sent(db: str) -> None:
    recorded(db, good())
    logs(db, LOG)
    assert history(db)[2:] == [
        f"  week of {NOW.year + 2}-03-06: sent 1 message: 0 encrypted, 1 in clear"
    ]
    assert history(db, "good.test") == [
        "good.test",
        f"  week of {NOW.year + 2}-03-06: sent 1 message: 1 encrypted, 0 in clear",
    ]
    rows = invoke("history", CLEAR, "--db", db, "-f", "json").out.splitlines()
    assert json.loads(rows[1]) == {
        "domain": CLEAR,
        "week": f"{NOW.year + 2}-03-06",
        "messages": 1,
        "encrypted": 0,
        "verified": 0,
        "below_verified": 1,
        "clear": 1,
        "held_back": 0,
        "unknown": 0,
    }


@pytest.mark.parametrize("extension", ["html", "xlsx", "txt", "csv"])
def test_history_in_other_formats(db: str, tmp_path: Path, extension: str) -> None:
    recorded(db, good())
    logs(db, LOG)
    target = tmp_path / f"history.{extension}"
    assert invoke("history", CLEAR, "--db", db, "-o", str(target)).status == 0
    if extension == "xlsx":
        (row,) = read_sheets(target)["sent"]
        assert (row["week"], row["messages"], row["clear"]) == (f"{NOW.year + 2}-03-06", "1", "1")
    elif extension != "csv":
        assert f"week of {NOW.year + 2}-03-06: " in target.read_text()
    else:  # one row per run
        assert len(target.read_text().splitlines()) == 2


def test_the_same_log_twice_and_rotated_logs_that_overlap(db: str) -> None:
    lines = [line(f"A{at:05}", CLEAR, f"10:00:{at:02}") for at in range(10)]
    open_store(db).close()
    repeated = [bool(logs(db, "".join(part)).err) for part in (lines[:5], lines[:5], lines[3:])]
    assert repeated == [False, False, True]
    logs(db, "".join(lines))
    assert "sent 10 messages: 0 encrypted, 10 in clear" in history(db)[1]


def test_what_is_not_added_is_told(db: str) -> None:
    logs(db, LOG)
    ended = logs(db, LOG.splitlines(keepends=True)[0])
    assert ended.err == (
        "probe: delivery attempts that were not added to the record, since it has totals of that "
        "time: 1\n"
    )


@pytest.mark.parametrize(
    "option", ["--domain=good.test", "--since=2020-01-01", "--until=2099-01-01"]
)
def test_a_part_of_the_deliveries_makes_no_totals(db: str, option: str) -> None:
    ended = logs(db, LOG, option)
    assert "no totals are added to the record" in ended.err
    assert invoke("history", CLEAR, "--db", db).status == 2


def test_the_story_of_one_message_needs_no_record(db: str) -> None:
    ended = logs(db, LOG, "--queue-id", "AAAAAA")
    assert (ended.status, ended.err) == (1, "")
    assert not Path(db).exists()


def test_nothing_but_domains_is_in_the_record(db: str) -> None:
    logs(db, LOG, "--addresses", "keep")
    files = [path.read_bytes() for path in Path(db).parent.iterdir()]
    assert any(b"good.test" in each for each in files)
    assert not any(word in each for each in files for word in (b"jane", b"AAAAAA", b"192.0.2.1"))


def test_the_record_is_no_log_and_no_report(db: str, tmp_path: Path) -> None:
    recorded(db, good())
    assert invoke("logs", db, "--db", db).status == 2
    log = tmp_path / "log"
    log.write_text(LOG)
    assert invoke("logs", str(log), "--db", db, "-f", "csv", "-o", db).status == 2
    assert invoke("logs", str(log), "--db", str(log)).status == 2
    assert log.read_text() == LOG


def test_reports_are_the_same_with_a_record(db: str) -> None:
    with_record = logs(db, LOG, "-f", "csv").out
    assert with_record == invoke("logs", "-", "-f", "csv", stdin=LOG.encode()).out
    assert with_record.startswith(",".join(COLUMNS))


def test_old_totals_are_pruned(db: str) -> None:
    old = LOG.replace(f"{NOW.year + 2}-", "2011-")
    logs(db, old)
    ended = invoke("prune", "--db", db, "--keep", "6y", "--yes")
    assert ended.out == ("deleted 0 observations and 0 runs, and 2 daily totals of sent mail\n")
    assert invoke("history", CLEAR, "--db", db).status == 2


def test_a_new_record_is_told(db: str, tmp_path: Path) -> None:
    """The path may be mistyped, and then nothing of the record was read."""
    told = f"probe: there was no record at {db}: a new one was made"
    assert told in logs(db, LOG).err.splitlines()
    assert told not in logs(db, LOG).err.splitlines()
    pointer = tmp_path / "pointer"
    pointer.write_text(f"{tmp_path / 'other.db'}\n")
    err = logs(f"@{pointer}", LOG).err
    assert f"there was no record at {tmp_path / 'other.db'}: a new one was made" in err
