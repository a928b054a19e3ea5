"""Rate limits for sessions and DNS questions, and how they adapt."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from prober.pace import _BATCH_S, _MAX_CATCH_UP_S, AdaptiveRate, Pacer, QuestionLimiter
from prober.settings import Pace

pytestmark = pytest.mark.virtual_time
ROUNDING_S = 1e-6  # what sums of floats may be off


@pytest.fixture(autouse=True)
def _clock_of_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prober.pace.monotonic", clock)


def clock() -> float:
    return asyncio.get_running_loop().time()


def rate(interval_s: float = 1.0, max_interval_s: float = 60.0) -> AdaptiveRate:
    return AdaptiveRate(interval_s, max_interval_s=max_interval_s)


def test_sessions_start_one_interval_apart() -> None:
    asked = rate()
    assert [asked.reserve(now) for now in (100.0, 100.0, 100.5, 105.0)] == [0, 1, 1.5, 0]


def test_a_delayed_session_does_not_shorten_the_next_interval() -> None:
    asked = rate()
    assert asked.try_start(100.0) == 0
    assert asked.try_start(100.25) == 0.75
    assert asked.try_start(101.0) == 0


def test_back_off_halves_the_rate_down_to_a_minimum() -> None:
    slowed = rate()
    for number, interval_s in enumerate((2, 4, 8, 16, 32, 60, 60)):
        slowed.back_off(started=1000.0 * number + 1, now=1000.0 * number + 2)
        assert slowed.interval_s == interval_s


def test_back_off_delays_the_next_session_immediately() -> None:
    slowed = rate()
    slowed.reserve(100.0)
    slowed.back_off(started=100.0, now=100.5)
    assert slowed.reserve(100.5) == 2.0


def test_sessions_that_started_before_a_back_off_do_not_back_off_again() -> None:
    slowed = rate()
    slowed.back_off(started=1.0, now=2.0)
    slowed.back_off(started=1.5, now=2.5)
    assert slowed.interval_s == 2.0


def test_success_raises_the_rate_by_a_constant_up_to_the_normal() -> None:
    slowed = rate()
    for number in range(1, 4):
        slowed.back_off(started=10.0 * number, now=10.0 * number + 1)
    rates = []
    while slowed.interval_s > 1.0:
        slowed.recover()
        rates.append(1 / slowed.interval_s)
    steps = [after - before for before, after in itertools.pairwise(rates)]
    assert steps == pytest.approx([1 / 16] * len(steps))
    assert len(rates) == 14  # from 1/8 to 1 in steps of 1/16
    assert slowed.interval_s == 1.0


def test_an_interval_of_zero_recovers_too() -> None:
    slowed = rate(0.0)
    slowed.back_off(started=1.0, now=2.0)
    assert slowed.interval_s > 0
    for _ in range(5):
        slowed.recover()
    assert slowed.interval_s == 0.0


def test_only_a_rate_without_history_is_normal() -> None:
    fresh = rate()
    assert fresh.is_normal(0.0)
    fresh.reserve(0.0)
    assert not fresh.is_normal(0.5)
    assert fresh.is_normal(1.0)
    fresh.back_off(started=2.0, now=3.0)
    assert not fresh.is_normal(1e6)


def pace(**changes: Any) -> Pace:
    quick = {"address_interval_s": 0.0, "operator_interval_s": 0.0}
    return Pace(**(quick | changes))


class Counting:
    """Takes turns, and counts how many are held at the same time."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.started: list[float] = []

    async def turn(self, address: str, mx_host: str = "mx.a.test", **report: bool) -> None:
        async with self._pacer.turn(address, mx_host) as turn:
            self.started.append(clock())
            operator = mx_host.split(".", 1)[1]
            for key in (address, operator, "all"):
                self.now[key] += 1
                self.most[key] = max(self.most[key], self.now[key])
            await asyncio.sleep(0.001)
            for key in (address, operator, "all"):
                self.now[key] -= 1
            turn.report(**({"overloaded": False} | report))


def operator_of(mx_host: str) -> str:
    return mx_host.split(".", 1)[1]


async def test_concurrent_sessions_per_address_per_operator_and_in_total_are_limited() -> None:
    pacer = Pacer(pace(per_address=2, per_operator=3, sessions=5), operator_of, {})
    counting = Counting(pacer)
    turns = [
        counting.turn(f"192.0.2.{number % 8}", f"mx{number}.{'ab'[number % 2]}.test")
        for number in range(64)
    ]
    await asyncio.gather(*turns)
    assert max(counting.most[f"192.0.2.{number}"] for number in range(8)) <= 2
    assert (counting.most["a.test"], counting.most["b.test"]) == (3, 3)
    assert counting.most["all"] == 5


async def test_the_limits_of_an_operator_are_divided_among_shards() -> None:
    pacer = Pacer(pace(per_operator=8), operator_of, {"a.test": 4, "b.test": 100})
    counting = Counting(pacer)
    turns = [
        counting.turn(f"192.0.2.{number}", f"mx.{'abc'[number % 3]}.test") for number in range(60)
    ]
    await asyncio.gather(*turns)
    most = [counting.most[f"{letter}.test"] for letter in "abc"]
    assert most == [2, 1, 8]


async def test_two_sessions_on_an_address_start_at_least_one_interval_apart() -> None:
    pacer = Pacer(pace(address_interval_s=0.05, sessions=1), operator_of, {})
    counting = Counting(pacer)
    others = [counting.turn(f"192.0.2.{number}") for number in range(10, 30)]
    await asyncio.gather(*others)
    counting.started.clear()
    await asyncio.gather(*(counting.turn("192.0.2.1") for _ in range(5)))
    gaps = [b - a for a, b in itertools.pairwise(counting.started)]
    assert gaps == pytest.approx([0.05] * 4)


async def test_a_session_that_waits_for_a_slow_address_does_not_block_others() -> None:
    slow = pace(address_interval_s=3600.0, per_operator=1, sessions=1)
    counting = Counting(Pacer(slow, operator_of, {}))
    await counting.turn("192.0.2.1")
    waiting = [asyncio.create_task(counting.turn("192.0.2.1")) for _ in range(5)]
    await asyncio.sleep(0)
    for number in range(10, 20):
        await counting.turn(f"192.0.2.{number}")
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert len(counting.started) == 11


async def test_a_slow_session_uses_only_a_slot_of_its_address() -> None:
    pacer = Pacer(pace(per_operator=1, sessions=1, per_address=1), operator_of, {})
    counting = Counting(pacer)
    async with pacer.slow_turn("192.0.2.1", "mx.a.test"):
        await asyncio.gather(*(counting.turn(f"192.0.2.{number}") for number in range(2, 6)))
        behind_it = asyncio.create_task(counting.turn("192.0.2.1"))
        await asyncio.sleep(0.01)
        assert len(counting.started) == 4
    await behind_it


async def test_the_rate_of_an_overloaded_address_is_kept_without_waiting_sessions() -> None:
    pacer = Pacer(pace(address_interval_s=0.01), operator_of, {})
    counting = Counting(pacer)
    await counting.turn("192.0.2.1", overloaded=True)
    counting.started.clear()
    await counting.turn("192.0.2.1")
    await counting.turn("192.0.2.1")
    assert counting.started[1] - counting.started[0] >= 0.01 - ROUNDING_S


async def test_idle_limiters_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prober.pace._MAX_LIMITERS", 3)
    pacer = Pacer(pace(), operator_of, {})
    counting = Counting(pacer)
    await counting.turn("192.0.2.1", overloaded=True)
    for number in range(2, 40):
        await counting.turn(f"192.0.2.{number}")
    kept = pacer._addresses._limiters
    assert "192.0.2.1" in kept
    assert len(kept) <= 5


async def beginnings(pacer: QuestionLimiter, count: int) -> list[float]:
    """The start times of questions that arrive together, every second one with low priority."""
    started = []

    async def ask(number: int) -> None:
        async with pacer.turn(low_priority=number % 2 == 0):
            started.append(clock())

    await asyncio.gather(*map(ask, range(count)))
    return started


async def test_questions_per_second_are_limited_for_both_priorities() -> None:
    started = await beginnings(QuestionLimiter(1_000, per_s=200.0), 61)
    for apart in (40, 50, 60):
        least_s = apart / 200 - _MAX_CATCH_UP_S - ROUNDING_S
        assert all(b - a >= least_s for a, b in zip(started, started[apart:], strict=False))
    assert started[-1] <= 60 / 200 + _BATCH_S + ROUNDING_S


async def test_a_pause_is_not_made_up_for() -> None:
    pacer = QuestionLimiter(1_000, per_s=100.0)
    await beginnings(pacer, 1)
    await asyncio.sleep(0.5)
    started = await beginnings(pacer, 31)
    assert started[-1] - started[0] >= 30 / 100 - _MAX_CATCH_UP_S - ROUNDING_S


async def test_a_busy_process_reaches_the_same_question_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a busy event loop, for example during TLS, timers are late."""
    now, rate, late_s = 0.0, 1000.0, 0.03
    timers: list[asyncio.TimerHandle] = []
    loop = asyncio.get_running_loop()

    def call_later(wait_s: float, fire: Callable[[], None]) -> asyncio.TimerHandle:
        timers.append(asyncio.TimerHandle(now + wait_s + late_s, fire, (), loop))
        return timers[-1]

    monkeypatch.setattr("prober.pace.monotonic", lambda: now)
    monkeypatch.setattr(loop, "call_later", call_later)
    pacer = QuestionLimiter(10_000, per_s=rate)
    asking = [loop.create_task(pacer.turn().__aenter__()) for _ in range(2_000)]
    await asyncio.sleep(0)
    while now < 1.0:
        timer = timers.pop()
        now = timer.when()
        timer._run()
        await asyncio.sleep(0)
    begun = sum(task.done() for task in asking)
    for task in asking:
        task.cancel()
    await asyncio.wait(asking)
    assert rate * now <= begun <= 1 + rate * (now + _MAX_CATCH_UP_S)


async def test_low_priority_questions_get_one_turn_in_four_while_others_wait() -> None:
    pacer, order = QuestionLimiter(1, per_s=1e6), []

    async def ask(name: str) -> None:
        async with pacer.turn(low_priority=name == "patient"):
            order.append(name)
            await asyncio.sleep(0.001)

    await asyncio.gather(*map(ask, 4 * ["patient"] + 7 * ["urgent"]))
    first_come = ["patient"]
    three_to_one = [*2 * ["urgent"], "patient", *3 * ["urgent"], "patient", *2 * ["urgent"]]
    assert order == [*first_come, *three_to_one, "patient"]


async def test_questions_at_once_are_limited() -> None:
    pacer, asking, most = QuestionLimiter(5, per_s=1e6), 0, 0

    async def ask() -> None:
        nonlocal asking, most
        async with pacer.turn():
            asking += 1
            most = max(most, asking)
            await asyncio.sleep(0.001)
            asking -= 1

    await asyncio.gather(*(ask() for _ in range(50)))
    assert most == 5


@pytest.mark.parametrize("has_its_turn", [False, True])
async def test_a_cancelled_question_frees_its_slot(has_its_turn: bool) -> None:
    pacer = QuestionLimiter(1, per_s=1e6)

    async def ask() -> None:
        async with pacer.turn():
            await asyncio.sleep(0)

    async with pacer.turn():
        waiting = asyncio.create_task(ask())
        await asyncio.sleep(0)
        if not has_its_turn:
            waiting.cancel()
            await asyncio.sleep(0)
    waiting.cancel()  # with a turn: given, but not yet heard of
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    async with asyncio.timeout(1):
        await ask()
    assert pacer._free == 1  # and no place that it never had
