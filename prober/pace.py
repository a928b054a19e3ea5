"""Rate limits: how many sessions an address and an operator get at once, and how often.

Both rates adapt as TCP does (AIMD). When a server shows that it is overloaded, the rate is halved.
Each session that goes well raises the rate by a constant. DNS questions have a fixed rate.
"""

import asyncio
import contextlib
import itertools
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from math import inf
from time import monotonic
from typing import Final

from prober.settings import Pace

_MAX_LIMITERS: Final = 20_000  # less than 1 kB each
_BATCH_S: Final = 0.05  # questions that are due within this time start together
_MAX_CATCH_UP_S: Final = 2 * _BATCH_S  # a longer delay of the process is not made up for
_LOW_PRIORITY_EVERY: Final = 4  # one turn in four, while high-priority questions wait too
_MIN_DOUBLED_S: Final = 0.01  # an interval below this is doubled from this value


class AdaptiveRate:
    """The interval between the starts of two sessions. It adapts to the server.

    All times are in seconds.
    """

    def __init__(self, interval_s: float, *, max_interval_s: float) -> None:
        self._normal_s = interval_s
        self._max_interval_s = max(max_interval_s, interval_s)
        self._step = 0.0  # increase in sessions per second for each session that goes well
        self._next_start = -inf
        self._last_start = -inf  # start of the last session
        self._last_back_off = -inf  # time of the last back-off
        self.interval_s = interval_s

    def reserve(self, now: float) -> float:
        """Reserve the next start, and return the wait until then."""
        start = max(now, self._next_start)
        self._next_start = start + self.interval_s
        return start - now

    def remaining_wait(self, now: float) -> float:
        """The wait from *now* until the next start is allowed, by the actual last start.

        It may be longer than ``reserve`` said: earlier sessions may have started late, or the
        interval has grown.
        """
        return max(0.0, self._last_start + self.interval_s - now)

    def try_start(self, now: float) -> float:
        """Start a session if it is allowed now, and return 0. Otherwise return the wait."""
        wait_s = self.remaining_wait(now)
        if not wait_s:
            self._last_start = now
        return wait_s

    def back_off(self, started: float, now: float) -> None:
        """Double the interval, because the session that started at *started* overloaded the server.

        Ignored if that session started before the last back-off: it says nothing about the new
        rate.
        """
        if started < self._last_back_off:
            return
        self._last_back_off = now
        self.interval_s = min(2 * max(self.interval_s, _MIN_DOUBLED_S), self._max_interval_s)
        self._step = 0.5 / self.interval_s
        self._next_start = max(self._next_start, now + self.interval_s)

    def recover(self) -> None:
        """Shorten the interval a little, because a session went well."""
        if self.interval_s > self._normal_s:
            faster_s = 1 / (1 / self.interval_s + self._step)
            is_recovered = faster_s <= max(self._normal_s, _MIN_DOUBLED_S)
            self.interval_s = self._normal_s if is_recovered else faster_s

    def is_normal(self, now: float) -> bool:
        """Whether the rate has its normal interval, and nothing is reserved."""
        return self.interval_s == self._normal_s and self._next_start <= now


class _Limiter:
    """The limits of one address or one operator: concurrent sessions, and a rate.

    An ``async with`` block holds one slot.
    """

    def __init__(self, at_once: int, rate: AdaptiveRate) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._rate = rate
        self._users = 0  # holding or waiting for a slot

    async def __aenter__(self) -> AdaptiveRate:
        self._users += 1
        try:
            await self._slots.acquire()
        except BaseException:
            self._users -= 1
            raise
        return self._rate

    async def __aexit__(self, *_exc_info: object) -> None:
        self._slots.release()
        self._users -= 1

    def can_be_dropped(self, now: float) -> bool:
        """Whether nobody uses it, and a new limiter would behave the same."""
        return not self._users and self._rate.is_normal(now)


class _Limiters:
    """The limiters that are in use, and those whose rate is not normal."""

    def __init__(self, make: Callable[[str], _Limiter]) -> None:
        self._make = make
        self._limiters: OrderedDict[str, _Limiter] = OrderedDict()

    def get(self, key: str) -> _Limiter:
        """The limiter of *key*. Enter it before any other await, or it may be dropped."""
        limiter = self._limiters.get(key)
        if limiter is None:
            limiter = self._limiters[key] = self._make(key)
            self._drop_idle()
        self._limiters.move_to_end(key)
        return limiter

    def _drop_idle(self) -> None:
        """Drop the least recently used limiters over the limit, up to the first that is needed."""
        while len(self._limiters) > _MAX_LIMITERS:
            key, limiter = next(iter(self._limiters.items()))
            if not limiter.can_be_dropped(monotonic()):
                self._limiters.move_to_end(key)
                return
            del self._limiters[key]


class QuestionLimiter:
    """Limits DNS questions: how many at once, and how many per second. Two priorities.

    Questions that are due within 50 ms start together: waking the process for each question takes a
    tenth more CPU. A delay or pause of up to 100 ms is made up for, and no more.
    """

    def __init__(self, at_once: int, per_s: float) -> None:
        self._free = at_once
        self._interval_s = 1 / per_s
        self._due = -inf  # time of the next turn
        self._high_priority: deque[asyncio.Future[None]] = deque()
        self._low_priority: deque[asyncio.Future[None]] = deque()
        self._turns = itertools.count(1)
        self._timer: asyncio.TimerHandle | None = None

    @contextlib.asynccontextmanager
    async def turn(self, *, low_priority: bool = False) -> AsyncIterator[None]:
        """Wait until the question may start. With *low_priority*, most other questions go first."""
        waiting = asyncio.get_running_loop().create_future()
        (self._low_priority if low_priority else self._high_priority).append(waiting)
        self._admit()
        try:
            if not waiting.done():
                await waiting
            yield
        finally:
            if waiting.done() and not waiting.cancelled():
                self._free += 1
                self._admit()

    def _admit(self) -> None:
        """Start all waiting questions that are due, and set a timer for the next."""
        if self._timer is not None:
            return
        now = monotonic()
        self._due = max(self._due, now - _MAX_CATCH_UP_S)
        while self._free and self._due <= now:
            first = self._next_waiting()
            if first is None:
                return
            first.set_result(None)
            self._free -= 1
            self._due += self._interval_s
        if self._free and (self._high_priority or self._low_priority):
            wait_s = max(self._due - now, _BATCH_S)
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._admit()

    def _next_waiting(self) -> asyncio.Future[None] | None:
        """The next waiting question: from the queue whose turn it is, else from the other."""
        is_low_priority_turn = next(self._turns) % _LOW_PRIORITY_EVERY == 0
        queues = (self._high_priority, self._low_priority)
        for queue in reversed(queues) if is_low_priority_turn else queues:
            while queue:
                waiting = queue.popleft()
                if not waiting.done():
                    return waiting
        return None


class Turn:
    """Permission for one session. Call ``report`` when it has ended."""

    def __init__(self, rates: tuple[AdaptiveRate, ...]) -> None:
        self._rates = rates
        self._started = monotonic()

    def report(self, *, overloaded: bool) -> None:
        """Adapt the rates: back off if the server was *overloaded*, else recover."""
        now = monotonic()
        for rate in self._rates:
            if overloaded:
                rate.back_off(self._started, now)
            else:
                rate.recover()


class Pacer:
    """Lets a session start when the limits of its address and its operator allow it.

    *operator_of* returns the operator of an MX host. *operator_shards* says among how many scanners
    an operator's limits are divided; the default is one.
    """

    def __init__(
        self,
        pace: Pace,
        operator_of: Callable[[str], str],
        operator_shards: Mapping[str, int],
    ) -> None:
        self._pace = pace
        self._operator_of = operator_of
        self._operator_shards = operator_shards
        self._addresses = _Limiters(self._address_limiter)
        self._operators = _Limiters(self._operator_limiter)
        self._sessions = asyncio.Semaphore(pace.sessions)
        self._slow_sessions = asyncio.Semaphore(pace.slow_sessions)

    def _address_limiter(self, _address: str) -> _Limiter:
        pace = self._pace
        rate = AdaptiveRate(pace.address_interval_s, max_interval_s=pace.slowest_interval_s)
        return _Limiter(pace.per_address, rate)

    def _operator_limiter(self, operator: str) -> _Limiter:
        pace, shards = self._pace, self._operator_shards.get(operator, 1)
        max_interval_s = pace.operator_slowest_s * shards
        rate = AdaptiveRate(pace.operator_interval_s * shards, max_interval_s=max_interval_s)
        return _Limiter(max(1, pace.per_operator // shards), rate)

    @contextlib.asynccontextmanager
    async def turn(self, address: str, mx_host: str) -> AsyncIterator[Turn]:
        """Wait for the address, then for the operator of *mx_host*, then for a free session.

        In this order, a session that waits for a slow address holds no slot that others could use.
        """
        async with self._addresses.get(address) as of_address:
            await _wait_for_address(of_address)
            async with self._operators.get(self._operator_of(mx_host)) as of_operator:
                await _sleep(of_operator.reserve(monotonic()))
                async with self._sessions:
                    await _begin(of_address)
                    yield Turn((of_address, of_operator))

    @contextlib.asynccontextmanager
    async def slow_turn(self, address: str, mx_host: str) -> AsyncIterator[Turn]:
        """The same for a session that will mostly wait.

        It holds a slot of its address and of the slow sessions only.
        """
        async with self._addresses.get(address) as of_address:
            await _wait_for_address(of_address)
            async with self._operators.get(self._operator_of(mx_host)) as of_operator:
                await _sleep(of_operator.reserve(monotonic()))
            async with self._slow_sessions:
                await _begin(of_address)
                yield Turn((of_address, of_operator))


async def _wait_for_address(rate: AdaptiveRate) -> None:
    """Wait for the reserved start, and until the last session started long enough ago."""
    await _sleep(rate.reserve(monotonic()))
    await _sleep(rate.remaining_wait(monotonic()))


async def _begin(rate: AdaptiveRate) -> None:
    while wait_s := rate.try_start(monotonic()):  # noqa: ASYNC110 - waits for a time
        await asyncio.sleep(wait_s)


async def _sleep(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)
