"""Every test of the record runs on SQLite and on a real PostgreSQL server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from prober.store.database import Store, open_store
from tests.store import postgres


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    with postgres.running() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.external)])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What ``--db`` would be: a record that is not there yet."""
    if request.param == "sqlite":
        return str(tmp_path / "probe.db")
    server: postgres.Server = request.getfixturevalue("server")
    return server.new_database()


@pytest.fixture
def store(where: str) -> Iterator[Store]:
    store = open_store(where)
    yield store
    store.close()
