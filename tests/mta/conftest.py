"""Fixtures that start real mail servers, each at its first use and once a session."""

import contextlib
import functools
from collections.abc import Callable, Iterator

import pytest

from tests.mta.certificates import MtaCa, make_mta_ca
from tests.mta.servers import CASES, SERVERS, RunningMta, Tls, require, running


@pytest.fixture(scope="session")
def mta_ca(tmp_path_factory: pytest.TempPathFactory) -> MtaCa:
    """The CA that issues the servers' certificates."""
    return make_mta_ca(tmp_path_factory.mktemp("mta-ca"))


@pytest.fixture(scope="session")
def start_mta(
    mta_ca: MtaCa, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str, Tls], RunningMta]]:
    """Starts a server by name and variant; it then runs until the session ends."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def start(name: str, tls: Tls) -> RunningMta:
            server = SERVERS[name]
            require(server)
            folder = tmp_path_factory.mktemp(f"{name}-{tls}")
            return stack.enter_context(running(server, tls, mta_ca, folder))

        yield start


@pytest.fixture(params=CASES, ids="-".join)
def mta(request: pytest.FixtureRequest, start_mta: Callable[[str, Tls], RunningMta]) -> RunningMta:
    """Every server in every variant. Parametrise it indirectly with some of CASES for fewer."""
    name, tls = request.param
    return start_mta(name, tls)
