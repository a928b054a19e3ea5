"""A cache that asks each question once, also when several tasks need the answer at once."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from itertools import islice
from math import inf
from time import monotonic
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """Asks each key once, and shares the answer with all tasks that need it, also while in flight.

    *ask* must not raise for anything that a peer does. *lifetime_s* returns how long an answer is
    kept (None: for the whole run). At most *size* answers are kept; the least recently used is
    dropped. A cancelled waiter does not cancel the question. ``aclose`` cancels all questions in
    flight.
    """

    def __init__(
        self,
        ask: Callable[[K], Awaitable[V]],
        *,
        size: int,
        lifetime_s: Callable[[V], float | None] = lambda _run: None,
    ) -> None:
        self._ask = ask
        self._size = size
        self._lifetime_s = lifetime_s
        self._tasks: OrderedDict[K, asyncio.Task[V]] = OrderedDict()
        self._expiry: dict[K, float] = {}

    async def get(self, key: K) -> V:
        """The answer for *key*, from the cache or from *ask*."""
        task = self.begin(key)
        return task.result() if task.done() else await asyncio.shield(task)

    def begin(self, key: K) -> asyncio.Task[V]:
        """Ask *key* if its answer is not known, without waiting for the answer."""
        if self._expiry and self._expiry.get(key, inf) < monotonic():
            self.forget(key)
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(self._run(key))
            self._evict()
        self._tasks.move_to_end(key)
        return task

    async def _run(self, key: K) -> V:
        try:
            answer = await self._ask(key)
        except BaseException:
            self._tasks.pop(key, None)  # an internal fault is not cached
            raise
        lifetime_s = self._lifetime_s(answer)
        if lifetime_s is not None:
            self._expiry[key] = monotonic() + lifetime_s
        return answer

    def forget(self, key: K, answer: V | None = None) -> None:
        """Drop the answer for *key*, so that it is asked again.

        With *answer*, drop it only if it is that answer.

        A question in flight is not dropped.
        """
        task = self._tasks.get(key)
        if task is not None and task.done() and (answer is None or task.result() is answer):
            del self._tasks[key]
            self._expiry.pop(key, None)

    def _evict(self) -> None:
        """Drop the least recently used answers.

        Questions in flight stay, so *size* may be exceeded.
        """
        surplus = len(self._tasks) - self._size
        if surplus > 0:
            for key in list(islice(self._tasks, surplus)):
                self.forget(key)

    async def aclose(self) -> None:
        """Cancel the questions in flight, and wait until they have ended."""
        while tasks := [task for task in self._tasks.values() if not task.done()]:
            for (
                task
            ) in tasks:  # again each round: before Python 3.12 wait_for can lose a cancellation
                task.cancel()
            await asyncio.wait(tasks, timeout=0.1)
        self._tasks.clear()
        self._expiry.clear()
