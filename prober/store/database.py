"""Opens a record: a path is SQLite, a URL PostgreSQL. Errors say what to do.

A SQLite file is readable by this user only (mode 0600) and in WAL mode, so that readers never wait
for a writer. Passwords are never shown: not in messages, and not in commands that are suggested.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from prober.errors import InputError, ReportError
from prober.escape import printable
from prober.files import create_ours, require_trusted_links
from prober.store.schema import VERSION

_MAGIC: Final = b"SQLite format 3\0"
_APPLICATION_ID: Final = 0x70726F62  # "prob": tells our databases from those of others
_BUSY_MS: Final = 30_000  # how long to wait for another writer
_KNOWN: Final = frozenset({"0001", "0003", VERSION})  # versions that this program can bring up
_LOCK: Final = 0x70726F62  # of PostgreSQL: one at a time brings the schema up
_MAX_TEXT: Final = 300  # characters of a driver's message

_ADVICE: Final = (
    ("locked", "another program holds a lock on it: end that, and try again"),
    ("permission denied", "permission denied: run this as the user that owns it"),
    ("no such file", "its folder does not exist: make it, or name another file"),
    ("no space", "no space is left: free some, and run it again (a scan with --resume)"),
    ("full", "no space is left: free some, and run it again (a scan with --resume)"),
    ("read-only", "it is read-only: make the file and its folder writable"),
    ("readonly", "it is read-only: make the file and its folder writable"),
    ("unable to open", "cannot open it: check that its folder exists and is writable"),
    ("not a database", "it is not a database, or it is damaged: restore it from a backup"),
    ("malformed", "it is damaged: restore it from a backup"),
    ("disk i/o", "the disk failed or is full: check it, and run it again (a scan with --resume)"),
)


class StoreError(ReportError):
    """The record could not be read or written."""


@dataclass(frozen=True, slots=True)
class Store:
    """An open record. ``name`` can be shown."""

    engine: sa.Engine
    name: str

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection for reading. Raises StoreError."""
        with translated_errors(self.name), self.engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A connection with a transaction, which is committed if the block succeeds."""
        with translated_errors(self.name), self.engine.connect() as connection:
            connection = connection.execution_options(probe_writes=True)
            with connection.begin():
                yield connection

    @property
    def path(self) -> Path | None:
        """The file; None for PostgreSQL."""
        database = self.engine.url.database
        return Path(database) if self.engine.dialect.name == "sqlite" and database else None


@contextlib.contextmanager
def translated_errors(name: str) -> Iterator[None]:
    """Turn errors of the database into a StoreError that says what to do.

    A broken pipe is raised unchanged: it comes from the reader of a report.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except DBAPIError as error:
        raise StoreError(f"{name}: {_in_words(error.orig)}") from error
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise StoreError(f"{name}: {_in_words(error)}") from error


def _in_words(error: BaseException | None) -> str:
    text = str(error).strip().partition("\n")[0]
    found = next((advice for part, advice in _ADVICE if part in text.lower()), None)
    return found or f"the database failed: {printable(text)[:_MAX_TEXT]}"


def where_from(where: str) -> str:
    """*where*; for ``@FILE``, the first line of that file, which no list of processes shows."""
    if not where.startswith("@"):
        return where
    try:
        lines = Path(where[1:]).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {printable(where[1:])}, which --db names") from error
    if not lines or not lines[0].strip():
        raise InputError(f"{printable(where[1:])} is empty: its first line is to name the record")
    return lines[0].strip()


def shown(where: str) -> str:
    """*where* without a password, to be shown."""
    if where.startswith("@") or "://" not in where:
        return printable(where)
    try:
        url = make_url(where)
    except (ArgumentError, ValueError):
        return "the URL of --db"
    if "@" in (url.host or ""):  # a password with an @ in it that is not escaped
        return "the URL of --db"
    return printable(url.set(query={}).render_as_string(hide_password=True))


def open_store(where: str, *, create: bool = True) -> Store:
    """The record at *where*, its schema brought up to date.

    With *create*, a new record is made if there is no file. Raises StoreError or InputError.
    """
    where = where_from(where)
    name = shown(where)
    is_url = "://" in where
    is_new = not is_url and not Path(where).exists()
    engine = _postgres(where, name) if is_url else _sqlite(Path(where), name, create=create)
    store = Store(engine, name)
    try:
        _bring_up(store)
    except BaseException:
        store.close()
        if is_new:
            _remove_empty(Path(where))
        raise
    return store


def _remove_empty(path: Path) -> None:
    """Remove the file of a record that could not be made, unless another program writes to it."""
    with contextlib.suppress(OSError):
        if path.stat().st_size == 0 and not path.with_name(f"{path.name}-wal").exists():
            path.unlink()


def _postgres(where: str, name: str) -> sa.Engine:
    try:
        url = make_url(where)
    except (ArgumentError, ValueError) as error:
        raise InputError("--db: this is not a URL; PostgreSQL is postgresql://HOST/NAME") from error
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise InputError(f"{name}: only SQLite (a path) and PostgreSQL (a URL) are supported")
    try:
        return sa.create_engine(url.set(drivername="postgresql+psycopg"))
    except ImportError as error:
        raise InputError(MISSING) from error


MISSING: Final = (
    "a record needs the extra `record`: install it with `pip install 'smtp-tls-prober[record]'`"
)


def _sqlite(path: Path, name: str, *, create: bool) -> sa.Engine:
    with translated_errors(name):
        if not create and not path.exists():
            raise InputError(f"there is no record at {name}: `probe scan --db` makes one")
        require_trusted_links(path)
        with contextlib.suppress(FileExistsError):
            os.close(create_ours(path, os.O_RDWR))
        if not path.is_file():
            raise InputError(f"{name} is not a file: --db takes a path or a postgresql:// URL")
        with open(path, "rb") as file:
            head = file.read(len(_MAGIC))
    if head not in (b"", _MAGIC):
        raise InputError(f"{name} is not a database: name another file with --db")
    url = URL.create("sqlite", database=str(path))
    engine = sa.create_engine(url, connect_args={"timeout": _BUSY_MS / 1000})
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    """SQLAlchemy begins transactions, not the driver."""
    connection.isolation_level = None
    for setting in ("synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {setting}")


def _begin(connection: sa.Connection) -> None:
    """Take the write lock at the start: a reader that becomes a writer later cannot wait for it."""
    writes = connection.get_execution_options().get("probe_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _bring_up(store: Store) -> None:
    with store.reading() as connection:
        version = _version(connection, store.name)
    if version == VERSION:
        return
    if version is not None and version not in _KNOWN:
        raise InputError(
            f"{store.name} was written by a newer version of this program (schema {version}, "
            f"this one has {VERSION}): update the program"
        )
    if store.path is not None:
        with (
            translated_errors(store.name),
            contextlib.closing(sqlite3.connect(store.path)) as connection,
        ):
            connection.execute("PRAGMA journal_mode=WAL")
    with store.writing() as connection:
        _lock(connection)
        if _version(connection, store.name) != VERSION:  # another process may have been quicker
            _migrate(connection)


def _version(connection: sa.Connection, name: str) -> str | None:
    """The version of the schema; None if there is none. InputError if it is not a record."""
    tables = sa.inspect(connection).get_table_names()
    if "alembic_version" not in tables:
        if connection.dialect.name == "sqlite" and tables:
            raise InputError(f"{name} is a database of another program: name another file")
        return None
    if connection.dialect.name == "sqlite":
        mark = connection.exec_driver_sql("PRAGMA application_id").scalar()
        if mark != _APPLICATION_ID:
            raise InputError(f"{name} is a database of another program: name another file")
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def _lock(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def _migrate(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA application_id={_APPLICATION_ID}")
