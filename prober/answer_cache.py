"""Answers that are asked once a run, however many want them."""

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
    """Asks each key once and shares the answer, also while the question is still in flight.

    *ask* must not raise for what a peer does. *lifetime_s* says how long an answer is kept
    (None: for the run); at most *size* answers are, the least used going first. A waiter that is
    cancelled leaves the question to the others; ``aclose`` cancels what is in flight.
    """

    def __init__(
        self,
        ask: Callable[[K], Awaitable[V]],
        *,
        size: int,
        lifetime_s: Callable[[V], float | None] = lambda _answer: None,
    ) -> None:
        self._ask = ask
        self._size = size
        self._lifetime_s = lifetime_s
        self._tasks: OrderedDict[K, asyncio.Task[V]] = OrderedDict()
        self._expiry: dict[K, float] = {}

    async def get(self, key: K) -> V:
        """The answer for *key*, asked now where it is not known."""
        task = self.begin(key)
        return task.result() if task.done() else await asyncio.shield(task)

    def begin(self, key: K) -> asyncio.Task[V]:
        """Ask *key* where its answer is not known, without waiting for it."""
        if self._expiry and self._expiry.get(key, inf) < monotonic():
            self.forget(key)
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(self._answer(key))
            self._evict()
        self._tasks.move_to_end(key)
        return task

    async def _answer(self, key: K) -> V:
        try:
            answer = await self._ask(key)
        except BaseException:
            self._tasks.pop(key, None)  # a fault of ours is no answer to keep
            raise
        lifetime_s = self._lifetime_s(answer)
        if lifetime_s is not None:
            self._expiry[key] = monotonic() + lifetime_s
        return answer

    def forget(self, key: K, answer: V | None = None) -> None:
        """Ask *key* anew the next time; where *answer* is given, only if it still is the answer.

        A question still in flight stays shared.
        """
        task = self._tasks.get(key)
        if task is not None and task.done() and (answer is None or task.result() is answer):
            del self._tasks[key]
            self._expiry.pop(key, None)

    def _evict(self) -> None:
        """The least used answers go; what is in flight stays, so that the bound is a soft one."""
        surplus = len(self._tasks) - self._size
        if surplus > 0:
            for key in list(islice(self._tasks, surplus)):
                self.forget(key)

    async def aclose(self) -> None:
        """Cancel the questions in flight and wait for them to end."""
        while tasks := [task for task in self._tasks.values() if not task.done()]:
            for task in tasks:  # again where one got lost: before Python 3.12 wait_for can lose it
                task.cancel()
            await asyncio.wait(tasks, timeout=0.1)
        self._tasks.clear()
        self._expiry.clear()
