"""The time as records hold it, and whether this process got to run in it."""

import asyncio
from collections import deque
from datetime import UTC, datetime
from math import inf
from time import monotonic
from typing import Final

_BEAT_S: Final = 0.1
_EXCUSING_SHARE: Final = 0.25
_STALL_S: Final = 0.1  # late by this much, something held the loop or the machine


def now() -> datetime:
    """Now, in UTC; the fraction of a second would be noise in a report that is compared."""
    return datetime.now(UTC).replace(microsecond=0)


class Heartbeat:
    """Notices when this process could not run: a time-out then says nothing of the peer.

    A loaded machine, a suspended process or a blocked loop lets a deadline pass with the answer
    already in the socket.
    """

    def __init__(self) -> None:
        self._last = inf  # until it beats, it knows of no stall
        self._stalls: deque[tuple[float, float]] = deque(maxlen=256)  # when it ended, how long

    async def beat(self) -> None:
        """Beat until cancelled."""
        self._last = monotonic()
        while True:
            await asyncio.sleep(_BEAT_S)
            late_s = self._late_s()
            if late_s > _STALL_S:
                self._stalls.append((monotonic(), late_s))
            self._last = monotonic()

    def _late_s(self) -> float:
        return monotonic() - self._last - _BEAT_S

    def excuses(self, since: float) -> float | None:
        """Seconds that the process did not run since the monotonic time *since*, if many.

        None where they are less than a quarter of the time since: then the peer had its chance.
        """
        going_on = self._late_s()
        stalled = sum(length for ended, length in self._stalls if ended > since)
        stalled += going_on if going_on > _STALL_S else 0.0
        return stalled if stalled > _EXCUSING_SHARE * (monotonic() - since) else None
