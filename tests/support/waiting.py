"""Waits for what no event of ours tells: files, other processes, servers of the lab."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from prober.net.resolver import Resolver

PATIENCE_S = 120.0  # what takes this long hangs
PATIENT: Final[Mapping[str, float]] = MappingProxyType(
    {
        **dict.fromkeys(("connect_s", "greeting_s", "command_s", "handshake_s"), 60.0),
        **dict.fromkeys(("quit_s", "sts_s", "dns_s"), 60.0),
        "session_s": 300.0,
        "dns_try_s": 20.0,
        "confirm_delay_s": 0.2,
    }
)
"""Settings where every server answers, however busy the machine is."""


def hurry(resolver: Resolver) -> None:
    """Let *resolver* give up soon: for a server that is silent on purpose."""
    resolver._settings = replace(resolver._settings, dns_s=0.6, dns_try_s=0.2)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for *condition*."""

    async def check() -> bool:
        return condition()

    await until_async(check)


async def until_async(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for *condition*, which has to be asked of others."""
    async with asyncio.timeout(PATIENCE_S):
        while not await condition():  # noqa: ASYNC110 # no event of ours tells
            await asyncio.sleep(0.01)
