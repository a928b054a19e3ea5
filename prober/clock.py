"""The current time for records, and detection of times in which this process could not run."""

import asyncio
from collections import deque
from datetime import UTC, datetime
from math import inf
from time import monotonic
from typing import Final

_INTERVAL_S: Final = 0.1
_STALL_SHARE: Final = 0.25
_STALL_S: Final = 0.1  # a delay of the loop that counts as a stall


def now() -> datetime:
    """The current time in UTC, in whole seconds.

    A fraction of a second would be noise when reports are compared.
    """
    return datetime.now(UTC).replace(microsecond=0)


class Heartbeat:
    """Detects when this process could not run. A time-out then says nothing about the peer.

    On a loaded machine, in a suspended process or with a blocked event loop, a deadline can pass
    while the answer is already in the socket.
    """

    def __init__(self) -> None:
        self._last = inf  # no stall is measured before the first beat
        self._stalls: deque[tuple[float, float]] = deque(maxlen=256)  # (end, length) of each stall

    async def beat(self) -> None:
        """Measure until cancelled."""
        self._last = monotonic()
        while True:
            await asyncio.sleep(_INTERVAL_S)
            late_s = self._late_s()
            if late_s > _STALL_S:
                self._stalls.append((monotonic(), late_s))
            self._last = monotonic()

    def _late_s(self) -> float:
        return monotonic() - self._last - _INTERVAL_S

    def stalled_s(self, since: float) -> float | None:
        """How many seconds the process did not run since the monotonic time *since*.

        None if it is less than a quarter of the time since then: the peer had enough time to
        answer.
        """
        current = self._late_s()
        stalled = sum(length for ended, length in self._stalls if ended > since)
        stalled += current if current > _STALL_S else 0.0
        return stalled if stalled > _STALL_SHARE * (monotonic() - since) else None
