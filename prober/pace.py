"""Manners: how many sessions an address sees at once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass


@dataclass(slots=True)
class _Gate:
    semaphore: asyncio.Semaphore
    users: int = 0


class PerAddress:
    """At most *most* at once on each address; keeps only the addresses in use."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._gates: dict[str, _Gate] = {}

    @contextlib.asynccontextmanager
    async def slot(self, address: str) -> AsyncIterator[None]:
        """Wait for a place at *address*, and hold it."""
        gate = self._gates.setdefault(address, _Gate(asyncio.Semaphore(self._most)))
        gate.users += 1
        try:
            async with gate.semaphore:
                yield
        finally:
            gate.users -= 1
            if not gate.users:
                del self._gates[address]
