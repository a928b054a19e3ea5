"""An event loop whose clock jumps to the next timer, so that no test waits and none is late."""

import asyncio
import selectors


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """For code that waits for timers only: it does not wait for sockets or threads.

    While a task runs, no time passes. So a test can compare times for equality.
    """

    def __init__(self) -> None:
        super().__init__(_Jumping(self))
        self.now_s = 0.0

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self.now_s


class _Jumping(selectors.SelectSelector):
    """Instead of waiting for *timeout* seconds, puts the clock of *loop* forward by them."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("nothing will ever happen: every task waits for another")
            self._loop.now_s += timeout
        return ready
