"""Manners: how many sessions an address and an operator see at once, and how soon after another.

Both are adaptive, as TCP is: where a server shows that it feels pressed the rate is halved, and
each session that goes well raises it by a constant again (AIMD). Questions to the DNS have a pace
of their own, which is fixed.
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

_KEPT_GATES: Final = 20_000  # under 1 kB each
_TOGETHER_S: Final = 0.05  # turns of DNS questions that are given out at once
_MADE_UP_S: Final = 2 * _TOGETHER_S  # how late they may be, lest a busy process ask too few
_PATIENT_ONE_IN: Final = 4  # turns, where urgent questions wait as well
_LEAST_UNIT_S: Final = 0.01  # what an interval of nothing is doubled from


class Rate:
    """The interval between the beginnings of two sessions, and how it changes. All in seconds."""

    def __init__(self, interval_s: float, *, slowest_s: float) -> None:
        self._least_s = interval_s
        self._slowest_s = max(slowest_s, interval_s)
        self._step = 0.0  # sessions a second more, for each that goes well
        self._next = -inf
        self._began = -inf  # the last session
        self._cut = -inf  # the last time that the rate was halved
        self.interval_s = interval_s

    def reserve(self, now: float) -> float:
        """How long the next session has to wait; whoever asks has its place in the row."""
        begins = max(now, self._next)
        self._next = begins + self.interval_s
        return begins - now

    def gap(self, now: float) -> float:
        """How long it still has to wait, whatever its place in the row.

        Other queues may have held up those with earlier places, or the interval has grown.
        """
        return max(0.0, self._began + self.interval_s - now)

    def begin(self, now: float) -> float:
        """The same; where that is 0, it counts as begun. Ask until it is 0."""
        wait_s = self.gap(now)
        if not wait_s:
            self._began = now
        return wait_s

    def slow_down(self, began: float, now: float) -> None:
        """The session that began at *began* was too much; what began before a cut says no more."""
        if began < self._cut:
            return
        self._cut = now
        self.interval_s = min(2 * max(self.interval_s, _LEAST_UNIT_S), self._slowest_s)
        self._step = 0.5 / self.interval_s
        self._next = max(self._next, now + self.interval_s)

    def speed_up(self) -> None:
        """A session went well."""
        if self.interval_s > self._least_s:
            faster_s = 1 / (1 / self.interval_s + self._step)
            is_normal = faster_s <= max(self._least_s, _LEAST_UNIT_S)
            self.interval_s = self._least_s if is_normal else faster_s

    def is_at_rest(self, now: float) -> bool:
        """Whether a new one in its place would do the same."""
        return self.interval_s == self._least_s and self._next <= now


class _Gate:
    """One address or one operator: so many at once, and no faster than its rate.

    Entered, it holds a place until it is left.
    """

    def __init__(self, at_once: int, rate: Rate) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._rate = rate
        self._users = 0  # with a place, or waiting for one

    async def __aenter__(self) -> Rate:
        self._users += 1
        try:
            await self._places.acquire()
        except BaseException:
            self._users -= 1
            raise
        return self._rate

    async def __aexit__(self, *_exc_info: object) -> None:
        self._places.release()
        self._users -= 1

    def is_forgettable(self, now: float) -> bool:
        """Whether a new one in its place would do the same."""
        return not self._users and self._rate.is_at_rest(now)


class _Gates:
    """The gates in use, and those whose rate is remembered."""

    def __init__(self, make: Callable[[str], _Gate]) -> None:
        self._make = make
        self._gates: OrderedDict[str, _Gate] = OrderedDict()

    def at(self, key: str) -> _Gate:
        """The gate of *key*, to be entered before anything else is waited for."""
        gate = self._gates.get(key)
        if gate is None:
            gate = self._gates[key] = self._make(key)
            self._forget_the_idle()
        self._gates.move_to_end(key)
        return gate

    def _forget_the_idle(self) -> None:
        """The gates that were passed least lately go, as long as they have nothing to remember."""
        while len(self._gates) > _KEPT_GATES:
            key, gate = next(iter(self._gates.items()))
            if not gate.is_forgettable(monotonic()):
                self._gates.move_to_end(key)
                return
            del self._gates[key]


class QuestionPacer:
    """Lets questions begin: so many at once, so many a second, and most turns to the urgent.

    Turns that fall due within a twentieth of a second are given out together: a process that is
    woken for each by itself takes a tenth more CPU. No more than a tenth of a second is made up
    for, be it of rest or of being late.
    """

    def __init__(self, at_once: int, per_s: float) -> None:
        self._free = at_once
        self._interval_s = 1 / per_s
        self._due = -inf  # when the next turn is
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._patient: deque[asyncio.Future[None]] = deque()
        self._turns = itertools.count(1)
        self._timer: asyncio.TimerHandle | None = None

    @contextlib.asynccontextmanager
    async def turn(self, *, can_wait: bool = False) -> AsyncIterator[None]:
        """Wait for a turn and hold its place. Who *can_wait* lets most others go first."""
        waiting = asyncio.get_running_loop().create_future()
        (self._patient if can_wait else self._urgent).append(waiting)
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
        """Let in all whose turn it is; a timer sees to the next ones."""
        if self._timer is not None:
            return
        now = monotonic()
        self._due = max(self._due, now - _MADE_UP_S)
        while self._free and self._due <= now:
            first = self._first()
            if first is None:
                return
            first.set_result(None)
            self._free -= 1
            self._due += self._interval_s
        if self._free and (self._urgent or self._patient):
            wait_s = max(self._due - now, _TOGETHER_S)
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._admit()

    def _first(self) -> asyncio.Future[None] | None:
        """The first of the row whose turn it is; of the other one, where nobody waits there."""
        is_for_the_patient = next(self._turns) % _PATIENT_ONE_IN == 0
        rows = (self._urgent, self._patient)
        for row in reversed(rows) if is_for_the_patient else rows:
            while row:
                waiting = row.popleft()
                if not waiting.done():
                    return waiting
        return None


class Turn:
    """One session that may begin now; say how it went."""

    def __init__(self, rates: tuple[Rate, ...]) -> None:
        self._rates = rates
        self._began = monotonic()

    def went(self, *, pressed: bool) -> None:
        """Whether the server felt pressed: then the next sessions there take longer to come."""
        now = monotonic()
        for rate in self._rates:
            if pressed:
                rate.slow_down(self._began, now)
            else:
                rate.speed_up()


class Pacer:
    """Lets sessions begin when address and operator allow.

    *operator_of* names who runs an MX host. *operator_shards* says among how many scanners the
    budget of an operator is divided; those not named have one.
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
        self._addresses = _Gates(self._address_gate)
        self._operators = _Gates(self._operator_gate)
        self._sessions = asyncio.Semaphore(pace.sessions)
        self._slow_sessions = asyncio.Semaphore(pace.slow_sessions)

    def _address_gate(self, _address: str) -> _Gate:
        pace = self._pace
        rate = Rate(pace.address_interval_s, slowest_s=pace.slowest_interval_s)
        return _Gate(pace.per_address, rate)

    def _operator_gate(self, operator: str) -> _Gate:
        pace, shards = self._pace, self._operator_shards.get(operator, 1)
        slowest_s = pace.operator_slowest_s * shards
        rate = Rate(pace.operator_interval_s * shards, slowest_s=slowest_s)
        return _Gate(max(1, pace.per_operator // shards), rate)

    @contextlib.asynccontextmanager
    async def turn(self, address: str, mx_host: str) -> AsyncIterator[Turn]:
        """Wait for a turn at *address*, with the operator of *mx_host*, and among all sessions.

        In this order, so that who waits for a slow address holds no place that others could use.
        """
        async with self._addresses.at(address) as of_address:
            await _until_left_alone(of_address)
            async with self._operators.at(self._operator_of(mx_host)) as of_operator:
                await _sleep(of_operator.reserve(monotonic()))
                async with self._sessions:
                    await _begin(of_address)
                    yield Turn((of_address, of_operator))

    @contextlib.asynccontextmanager
    async def slow_turn(self, address: str, mx_host: str) -> AsyncIterator[Turn]:
        """The same for a session that will mostly wait: it takes no place but at its address."""
        async with self._addresses.at(address) as of_address:
            await _until_left_alone(of_address)
            async with self._operators.at(self._operator_of(mx_host)) as of_operator:
                await _sleep(of_operator.reserve(monotonic()))
            async with self._slow_sessions:
                await _begin(of_address)
                yield Turn((of_address, of_operator))


async def _until_left_alone(rate: Rate) -> None:
    """Until it is one's turn, and the last session began long enough ago."""
    await _sleep(rate.reserve(monotonic()))
    await _sleep(rate.gap(monotonic()))


async def _begin(rate: Rate) -> None:
    while wait_s := rate.begin(monotonic()):  # noqa: ASYNC110 - a timer
        await asyncio.sleep(wait_s)


async def _sleep(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)
