"""Waits for what no event of ours tells: files, other processes, servers of the lab."""

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE_S = 120.0  # what takes this long hangs


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
