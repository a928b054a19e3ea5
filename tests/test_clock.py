"""The heartbeat, on a clock that the test moves."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from prober.clock import Heartbeat
from tests.support.virtual_time import VirtualTimeLoop

pytestmark = pytest.mark.virtual_time


@pytest_asyncio.fixture
async def heartbeat(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Heartbeat]:
    monkeypatch.setattr("prober.clock.monotonic", asyncio.get_running_loop().time)
    monkeypatch.setattr("prober.clock._STALL_S", 0.1)
    heartbeat = Heartbeat()
    beating = asyncio.create_task(heartbeat.beat())
    await asyncio.sleep(0)
    yield heartbeat
    beating.cancel()


def block(seconds: float) -> None:
    """Advance the clock without running the loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    loop.now_s += seconds


async def test_without_a_stall_nothing_is_reported(heartbeat: Heartbeat) -> None:
    await asyncio.sleep(10.0)
    assert heartbeat.stalled_s(0.0) is None


async def test_a_stall_is_reported_while_it_lasts_and_afterwards(heartbeat: Heartbeat) -> None:
    await asyncio.sleep(1.0)
    block(0.6)
    assert heartbeat.stalled_s(1.0) == pytest.approx(0.5, abs=0.11)  # it beats every 0.1 s
    await asyncio.sleep(0.2)
    assert heartbeat.stalled_s(1.0) == pytest.approx(0.5, abs=0.11)


async def test_a_stall_that_was_a_small_part_of_the_time_is_not_reported(
    heartbeat: Heartbeat,
) -> None:
    await asyncio.sleep(1.0)
    block(0.6)
    await asyncio.sleep(10.0)
    assert heartbeat.stalled_s(1.0) is None


async def test_a_stall_before_that_time_is_not_reported(heartbeat: Heartbeat) -> None:
    block(0.6)
    await asyncio.sleep(1.0)
    assert heartbeat.stalled_s(1.2) is None
