"""Killed, full, lost: the record stays whole, and what it could not take is in a file."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from prober.report.json_ import read_reports
from prober.store.asking import reports_of
from prober.store.database import Store, StoreError, open_store
from prober.store.reader import runs
from prober.store.writer import RunWriter
from tests.cli.commands import environment
from tests.store import postgres
from tests.store.builders import good, plan, record, report
from tests.store.killed import DOMAINS

KILLS = 10
ROOT = Path(__file__).parents[2]


def start(where: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.store.killed", where]
    return subprocess.Popen(command, env=environment(), cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_a_run_that_is_killed_again_and_again_loses_nothing(where: str) -> None:
    for kill in range(KILLS):
        with start(where) as process:
            assert process.stdout is not None
            for _ in range(2 + kill % 3):
                assert process.stdout.readline()
            process.kill()
        with closing(open_store(where)) as store, store.reading() as connection:
            if connection.dialect.name == "sqlite":
                check = connection.exec_driver_sql("PRAGMA integrity_check").scalar()
                assert check == "ok"
                assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
            assert [run.finished_at for run in runs(connection)] == [None]
    with start(where) as process:
        process.communicate()
    assert process.returncode == 0

    with closing(open_store(where)) as store, store.reading() as connection:
        [run] = runs(connection)
        names = {each.domain for each in reports_of(connection, run.id)}
    assert run.finished_at is not None
    assert names == {f"d{n}.example" for n in range(DOMAINS)}


def fill(store: Store) -> None:
    """Let the database take no page more."""

    def no_more(connection: object, _record: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]  # type: ignore[attr-defined]
        connection.execute(f"PRAGMA max_page_count={pages}")  # type: ignore[attr-defined]

    store.engine.dispose()
    sa.event.listen(store.engine, "connect", no_more)


def write_many(writer: RunWriter, numbers: range) -> None:
    for n in numbers:
        each = report(good(greeting=f"220 {n} " + "x" * 400), name=f"d{n}.example")
        writer.add(each)
    writer.flush()


def test_a_full_disk(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "probe.db"))
    writer = RunWriter(store, plan())
    write_many(writer, range(20))
    fill(store)
    write_many(writer, range(20, 400))
    write_many(writer, range(400, 410))
    with pytest.raises(StoreError, match="no space is left") as raised:
        writer.finish()
    assert str(writer.spilt) in str(raised.value)

    with open(tmp_path / "probe.db.run-1.jsonl", "rb") as file:
        spilt = {each.domain for each in read_reports(file)}
    with store.reading() as connection:
        stored = {each.domain for each in reports_of(connection, 1)}
        [run] = runs(connection)
    assert spilt | stored == {f"d{n}.example" for n in range(410)}
    assert run.finished_at is None
    store.close()


def test_neither_the_record_nor_a_file_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(str(tmp_path / "probe.db"))
    writer = RunWriter(store, plan())
    (tmp_path / "probe.db.run-1.jsonl").mkdir()
    fill(store)
    with pytest.raises(StoreError, match="no space is left"):
        write_many(writer, range(400))
    store.close()


@pytest.mark.external
def test_a_lost_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with postgres.running() as server:
        url = server.new_database()
        store = open_store(url)
        writer = RunWriter(store, plan())
        write_many(writer, range(10))
        server.stop()
        write_many(writer, range(10, 20))
        with pytest.raises(StoreError, match=r"postgresql://postgres:\*\*\*@/probe1"):
            writer.finish()
        store.close()
        with open(tmp_path / "record.run-1.jsonl", "rb") as file:
            assert {each.domain for each in read_reports(file)} == {
                f"d{n}.example" for n in range(10, 20)
            }
        server.start()
        with closing(open_store(url)) as again:
            record(again, [report(good())])
