"""Opening a record: what is made, what is refused, and what is never shown."""

import contextlib
import errno
import os
import sqlite3
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from prober.errors import InputError
from prober.store import schema
from prober.store.asking import history
from prober.store.database import (
    Store,
    StoreError,
    open_store,
    shown,
    translated_errors,
    where_from,
)
from tests.store.builders import good, record, report

FOLDER = Path(__file__).parent
VERSIONS: dict[str, tuple[Sequence[sa.Table], Mapping[str, str]]] = {
    "0001": (schema.FIRST, schema.VIEWS),
    "0003": (schema.PROOFS, {}),
    "0004": (schema.SENT, schema.SENT_VIEWS),
}


def test_the_file_is_for_this_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "probe.db"
    store = open_store(str(path))
    record(store, [report(good())])

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with store.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in tmp_path.iterdir())
    store.close()


def test_a_record_is_opened_again(where: str) -> None:
    first = open_store(where)
    record(first, [report(good())])
    first.close()
    second = open_store(where)

    record(second, [report(good(), day=1)])
    second.close()


def test_an_empty_file_becomes_a_record(tmp_path: Path) -> None:
    path = tmp_path / "probe.db"
    path.touch()

    open_store(str(path)).close()


@pytest.mark.parametrize("content", [b"example.com\n", b"SQLite format 3\0" + b"x" * 5000])
def test_what_is_no_database_is_refused_and_left(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(content)

    with pytest.raises((InputError, StoreError), match=r"database|damaged"):
        open_store(str(path))
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with contextlib.closing(sqlite3.connect(path)) as other, other:
        other.execute("CREATE TABLE domain (name TEXT)")

    with pytest.raises(InputError, match="of another program"):
        open_store(str(path))


def test_a_newer_schema_is_refused(where: str) -> None:
    store = open_store(where)
    with store.writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()

    with pytest.raises(InputError, match="newer version of this program"):
        open_store(where)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="its folder does not exist"):
        open_store(str(tmp_path / "nowhere" / "probe.db"))


def test_a_folder_is_no_record(tmp_path: Path) -> None:
    with pytest.raises((InputError, StoreError)):
        open_store(str(tmp_path))


def test_a_locked_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prober.store.database._BUSY_MS", 50)
    path = tmp_path / "probe.db"
    store = open_store(str(path))
    with contextlib.closing(sqlite3.connect(path)) as other, other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another program holds a lock"), store.writing():
            pass
        other.rollback()
    store.close()


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (errno.EACCES, "permission denied: run this as the user that owns it"),
        (errno.ENOENT, "its folder does not exist: make it, or name another file"),
        (errno.ENOSPC, "no space is left: free some"),
    ],
)
def test_what_the_system_refuses_is_told_with_what_to_do(error: int, advice: str) -> None:
    with pytest.raises(StoreError, match=f"^probe.db: {advice}"), translated_errors("probe.db"):
        raise OSError(error, os.strerror(error), "probe.db")


def test_a_read_only_file(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write to any file")
    path = tmp_path / "probe.db"
    open_store(str(path)).close()
    path.chmod(0o400)
    store = open_store(str(path))
    with pytest.raises(StoreError, match="read-only"), store.writing():
        pass
    store.close()


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("probe.db", "probe.db"),
        ("@/etc/probe/db", "@/etc/probe/db"),
        ("postgresql://u:secret@host/db", "postgresql://u:***@host/db"),
        ("postgresql://host/db?user=u&password=secret", "postgresql://host/db"),
        ("postgresql://u:sec@ret@host/db", "the URL of --db"),
        ("postgresql://u:secret@host:port/db", "the URL of --db"),
    ],
)
def test_a_password_is_never_shown(where: str, expected: str) -> None:
    assert shown(where) == expected


def test_a_url_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql://u:secret@host/db\n")

    assert where_from(f"@{file}") == "postgresql://u:secret@host/db"
    file.write_text("\n")
    with pytest.raises(InputError, match="is empty"):
        where_from(f"@{file}")
    with pytest.raises(InputError, match="cannot read"):
        where_from("@/nowhere/at/all")


@pytest.mark.parametrize(
    "url", ["mysql://host/db", "http://host", "postgresql://host:port/db", "://x"]
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(InputError):
        open_store(url)


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(StoreError) as raised:
        open_store("postgresql://u:secret@127.0.0.1:1/db?connect_timeout=5")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_migration_stays_as_it_is(version: str) -> None:
    """A later version of the schema gets a migration of its own: records of this one are out."""
    text, golden = ddl(*VERSIONS[version]), FOLDER / f"schema_{version}.sql"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()


def ddl(tables: Sequence[sa.Table], views: Mapping[str, str]) -> str:
    parts = []
    for dialect in (sqlite.dialect(), postgresql.dialect()):  # type: ignore[no-untyped-call]
        for table in tables:
            create = sa.schema.CreateTable(table).compile(dialect=dialect)
            parts.append(str(create).strip().replace("\t", "    "))
    parts += [f"CREATE VIEW {name} AS {query}" for name, query in views.items()]
    lines = "\n\n".join(parts).splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


@pytest.mark.parametrize("version", ["0001", "0003"])
def test_an_older_record_is_brought_up(where: str, version: str) -> None:
    store = open_store(where)
    record(store, [report(good())])
    later = [VERSIONS[each] for each in VERSIONS if each > version]
    with store.writing() as connection:
        for tables, views in reversed(later):
            for name in views:
                connection.execute(sa.text(f"DROP VIEW {name}"))
            for table in reversed(tables):
                table.drop(connection)
        mark = sa.text("UPDATE alembic_version SET version_num = :version")
        connection.execute(mark, {"version": version})
    store.close()

    store = open_store(where)
    with store.reading() as connection:
        for tables, views in later:
            for name in (*(table.name for table in tables), *views):
                query = sa.select(sa.func.count()).select_from(sa.table(name))
                assert connection.execute(query).scalar_one() == 0
        assert len(history(connection, "example.com")) == 1
    store.close()


def test_foreign_keys_hold(store: Store) -> None:
    with pytest.raises(StoreError), store.writing() as connection:
        connection.execute(sa.insert(schema.part).values(whole_id=1, position=0, part_id=2))


def test_a_record_that_cannot_be_made_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk. A file that was there stays, even if it is empty."""

    def full(_store: Store) -> None:
        raise StoreError("no space is left")

    monkeypatch.setattr("prober.store.database._bring_up", full)
    there = tmp_path / "there.db"
    there.touch()
    for path in (tmp_path / "new.db", there):
        with pytest.raises(StoreError):
            open_store(str(path))
    assert list(tmp_path.iterdir()) == [there]


def test_a_reader_that_leaves_is_no_fault_of_the_record() -> None:
    with pytest.raises(BrokenPipeError), translated_errors("the record"):
        raise BrokenPipeError
