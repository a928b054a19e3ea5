"""Which event loop a test runs on: the network stages on both, since their transports differ."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

_ON_BOTH = (
    "test_mta_sts.py",
    "test_personalities.py",
    "test_resolver.py",
    "test_scan.py",
    "test_smtp.py",
)


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """uvloop is what the command runs on; asyncio's own what a library user has."""
    if "lab" in item.path.parts:  # uvloop leaks a datagram endpoint that is cancelled half made
        return {"asyncio": asyncio.new_event_loop}
    if item.path.name in _ON_BOTH:
        return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {"uvloop": uvloop.new_event_loop}
