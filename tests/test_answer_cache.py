"""The single-flight cache: shared questions, expiry, size limit, cancellation."""

import asyncio
from collections import Counter

import pytest

from prober.answer_cache import SingleFlight


class Oracle:
    """Counts what it is asked; answers when told to."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def ask(self, key: str) -> str:
        self.asked[key] += 1
        await self.may_answer.wait()
        return f"{key}{self.asked[key]}"


async def test_a_key_is_asked_once_also_while_in_flight() -> None:
    oracle = Oracle()
    once = SingleFlight(oracle.ask, size=10)
    answers = await asyncio.gather(*(once.get("a") for _ in range(5)))
    assert [*answers, await once.get("a")] == ["a1"] * 6


async def test_an_answer_expires_only_where_it_has_a_lifetime() -> None:
    oracle = Oracle()
    once = SingleFlight(
        oracle.ask, size=10, lifetime_s=lambda answer: 0.01 if answer.startswith("b") else None
    )
    await asyncio.gather(once.get("a"), once.get("b"))
    await asyncio.sleep(0.02)
    assert [await once.get("a"), await once.get("b")] == ["a1", "b2"]


async def test_the_least_recently_used_answers_are_dropped_first() -> None:
    oracle = Oracle()
    once = SingleFlight(oracle.ask, size=2)
    for key in ("a", "b", "a", "c"):
        await once.get(key)
    await once.get("a")
    await once.get("b")
    assert oracle.asked == {"a": 1, "b": 2, "c": 1}


async def test_questions_in_flight_are_neither_forgotten_nor_evicted() -> None:
    oracle = Oracle()
    once = SingleFlight(oracle.ask, size=1)
    oracle.may_answer.clear()
    waiting = [asyncio.create_task(once.get(key)) for key in ("a", "b", "a")]
    await asyncio.sleep(0)
    once.forget("a")
    oracle.may_answer.set()
    assert await asyncio.gather(*waiting) == ["a1", "b1", "a1"]


async def test_a_cancelled_waiter_does_not_cancel_the_question() -> None:
    oracle = Oracle()
    once = SingleFlight(oracle.ask, size=10)
    oracle.may_answer.clear()
    first, second = (asyncio.create_task(once.get("a")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    oracle.may_answer.set()
    assert await second == "a1"


async def test_closing_cancels_questions_in_flight() -> None:
    oracle = Oracle()
    once = SingleFlight(oracle.ask, size=10)
    oracle.may_answer.clear()
    waiting = asyncio.create_task(once.get("a"))
    await asyncio.sleep(0)
    await once.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_forget_drops_only_the_given_answer() -> None:
    oracle = Oracle()
    once = SingleFlight(oracle.ask, size=10)
    old = await once.get("a")
    once.forget("a", old)
    assert await once.get("a") == "a2"
    once.forget("a", old)
    assert await once.get("a") == "a2"


async def test_an_internal_fault_is_not_cached() -> None:
    faults = [ValueError("ours")]

    async def ask(key: str) -> str:
        if faults:
            raise faults.pop()
        return key

    once = SingleFlight(ask, size=10)
    with pytest.raises(ValueError, match="ours"):
        await once.get("a")
    assert await once.get("a") == "a"
