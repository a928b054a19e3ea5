"""How partitions share the budget of ``--deep``."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.sharded.deep_shares import DeepShares


@pytest.mark.parametrize(
    ("budget", "endpoints", "shares"),
    [
        pytest.param(20_000, {0: 5, 1: 0, 2: 1}, [40, 0, 8], id="all-that-it-may-need"),
        pytest.param(24, {0: 5, 1: 5, 2: 5, 3: 5}, [8, 8, 8, 0], id="enough-for-one-endpoint"),
        pytest.param(100, {0: 30, 1: 10}, [75, 25], id="by-endpoints"),
        pytest.param(3, {0: 1, 1: 1}, [3, 0], id="never-above-the-budget"),
        pytest.param(24, {}, [0], id="of-no-endpoints"),
    ],
)
def test_a_share_is_by_endpoints(
    budget: int, endpoints: Mapping[int, int], shares: list[int]
) -> None:
    divided = DeepShares(budget, endpoints, 8)
    assert [divided.take(partition) for partition in range(len(shares))] == shares


def test_what_a_partition_leaves_is_for_those_that_wait() -> None:
    divided = DeepShares(16, {0: 1, 1: 1, 2: 1}, 8)
    assert [divided.take(0), divided.take(1)] == [8, 8]
    divided.settle(0, 3)
    divided.settle(1, 5)
    assert divided.take(2) == 8


@given(
    budget=st.integers(1, 300),
    endpoints=st.lists(st.integers(0, 9), min_size=1, max_size=12),
    spent=st.lists(st.integers(0, 8), min_size=12, max_size=12),
    at_once=st.integers(1, 4),
)
def test_no_run_exceeds_its_budget(
    budget: int, endpoints: list[int], spent: list[int], at_once: int
) -> None:
    """Each endpoint takes 8 connections if there are so many, and gives back what is left."""
    divided = DeepShares(budget, dict(enumerate(endpoints)), 8)
    total, cut, running = 0, 0, list[tuple[int, int]]()
    for partition, number in enumerate(endpoints):
        share = divided.take(partition)
        used = 0
        for _ in range(number):
            if share - used < 8:
                cut += 1
            else:
                used += spent[partition]
        total += used
        running.append((partition, used))
        if len(running) == at_once:
            divided.settle(*running.pop(0))
    assert total <= budget
    if budget >= 8 * sum(endpoints):
        assert cut == 0
