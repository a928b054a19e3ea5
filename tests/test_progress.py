from hypothesis import given
from hypothesis import strategies as st

from prober.progress import Positions

positions = st.lists(st.integers(min_value=0, max_value=60))


@given(positions)
def test_positions_behave_as_a_set(added: list[int]) -> None:
    kept = Positions()
    for position in added:
        kept.add(position)
    assert len(kept) == len(set(added))
    assert [position for position in range(70) if position in kept] == sorted(set(added))


@given(positions, positions)
def test_ranges_and_back(added: list[int], more: list[int]) -> None:
    kept = Positions()
    for position in added:
        kept.add(position)
    again = Positions(kept.ranges())
    for position in more:
        kept.add(position)
        again.add(position)
    assert again.ranges() == kept.ranges()
    assert len(again) == len(kept)


def test_consecutive_positions_take_one_range_in_any_order() -> None:
    kept = Positions()
    for position in (3, 1, 0, 2, 9, 7, 8, 5):
        kept.add(position)
    assert kept.ranges() == [(0, 3), (5, 5), (7, 9)]


def test_a_late_position_costs_one_gap() -> None:
    kept = Positions()
    for position in range(1, 10_000):
        kept.add(position)
    assert kept.ranges() == [(1, 9_999)]
    kept.add(0)
    assert kept.ranges() == [(0, 9_999)]
    assert kept
    assert not Positions()
