"""Which event loop a test runs on, which worker runs it, and which tests need other programs."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from math import inf

import pytest
import uvloop
from hypothesis import HealthCheck, settings

from tests.support.virtual_time import VirtualTimeLoop

_ON_BOTH = (
    "test_mta_sts.py",
    "test_personalities.py",
    "test_resolver.py",
    "test_scan.py",
    "test_smtp.py",
)
_EXTERNAL = ("mta", "dnssec", "deep")  # folders whose tests need servers that are not Python
_EACH_ALONE = ("test_bulk.py", "test_resume.py")  # slow tests that share no slow fixture
_LONG = (  # folders and files, the longest first
    *("mta", "deep", "dnssec", "test_dask.py", "test_workers.py", "test_record.py"),
    *("test_personalities.py", "test_html_browser.py", "test_terminal.py", "test_faults.py"),
    *("test_imports.py", "test_streams.py", *_EACH_ALONE, "test_benchmarks.py"),
)

settings.register_profile(
    "timeless",  # how long an example takes says how busy the machine is
    settings.get_profile("ci" if "CI" in os.environ else "default"),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("timeless")


def pytest_sessionstart() -> None:
    """A test run in the background ignores SIGINT, and so would all processes that it starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """uvloop is what the command runs on; asyncio's own what a library user has."""
    if item.get_closest_marker("virtual_time"):
        return {"virtual": VirtualTimeLoop}
    if "lab" in item.path.parts:  # uvloop leaks a datagram endpoint that is cancelled half made
        return {"asyncio": asyncio.new_event_loop}
    if item.path.name in _ON_BOTH and not item.get_closest_marker("any_loop"):
        return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {"uvloop": uvloop.new_event_loop}


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two workers a core: many tests wait for a deadline or for another process."""
    return 2 * len(os.sched_getaffinity(0))


@pytest.fixture(scope="session", autouse=True)
def _no_stalls() -> Iterator[None]:
    """Time-outs are never excused by a busy machine: a silent server of the lab is silent."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("prober.clock._STALL_S", inf)
        yield


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what needs other programs, and name the group that one worker runs.

    Tests of one group run one after another in one worker, so that a fixture with a server starts
    it once: those of one file, and those of a folder with servers.
    """
    folder, name = item.path.parent.name, item.path.name
    if folder in _EXTERNAL:
        item.add_marker("external")
        item.add_marker(pytest.mark.xdist_group(folder))
    elif name not in _EACH_ALONE:
        item.add_marker(pytest.mark.xdist_group(f"{folder}-{name}"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first, so that no worker is left with it at the end."""
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    names = {item.path.parent.name, item.path.name}
    return next((rank for rank, name in enumerate(_LONG) if name in names), len(_LONG))
