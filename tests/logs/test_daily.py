"""Daily totals: however often and in which pieces a log is read, nothing is counted twice."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.logs.daily import Daily
from prober.logs.records import (
    Content,
    Delivery,
    Direction,
    Identity,
    Scope,
    Session,
    Tls,
)
from prober.records.sent import Covered, SentCounts, SentDay
from tests.logs.reading import SENT

BEGIN = datetime(2026, 3, 10, 22, tzinfo=UTC)
HOUR = timedelta(hours=1)
VERIFIED = Session(tls=Tls.ENCRYPTED, identity=Identity.VERIFIED)


class Kept:
    """What a record keeps, in memory."""

    def __init__(self) -> None:
        self.covered: dict[SentDay, Covered] = {}
        self.counts: dict[tuple[SentDay, str], Counter[str]] = {}

    def of(self, server: str, software: str) -> Mapping[date, Covered]:
        return {
            each.day: covered
            for each, covered in self.covered.items()
            if (each.server, each.software) == (server, software)
        }

    def read(self, deliveries: Sequence[Delivery], scope: Scope = Scope.OUTSIDE) -> Daily:
        """Read a log, and keep what it has."""
        daily = Daily(self.of)
        for each in deliveries:
            daily.add(each, scope)
        for totals in daily.totals():
            assert self.covered.get(totals.of) == totals.before
            self.covered[totals.of] = totals.covered
            if totals.replaces:
                self.counts = {key: each for key, each in self.counts.items()
                               if key[0] != totals.of}  # fmt: skip
            for domain, counts in totals.domains.items():
                own = self.counts.setdefault((totals.of, domain), Counter())
                own.update(counts._asdict())
        return daily

    def total(self, name: str = "encrypted") -> int:
        return sum(each[name] for each in self.counts.values())


def sent(hours: float, **fields: object) -> Delivery:
    whole = replace(SENT, time=BEGIN + hours * HOUR, queue_id=f"Q{hours}")
    return replace(whole, **fields)  # type: ignore[arg-type]


NIGHT = [sent(at / 4) for at in range(16)]  # four hours, two on each day


@pytest.mark.parametrize(
    ("readings", "total"),
    [
        pytest.param([NIGHT], 16, id="once"),
        pytest.param([NIGHT, NIGHT], 16, id="twice"),
        pytest.param([NIGHT[:5], NIGHT[5:]], 16, id="rotated-within-a-day"),
        pytest.param([NIGHT[5:], NIGHT[:5]], 16, id="the-newer-part-first"),
        pytest.param([NIGHT[:9], NIGHT[5:]], 16, id="overlapping"),
        pytest.param([NIGHT[5:12], NIGHT[:9], NIGHT], 16, id="then-the-whole"),
        pytest.param([NIGHT[:5], NIGHT[:7], NIGHT[:7]], 7, id="a-log-that-grows"),
        pytest.param([NIGHT[::2], NIGHT], 16, id="a-part-of-the-lines-first"),
        pytest.param([NIGHT, NIGHT[::2]], 16, id="a-part-of-the-lines-later"),
        pytest.param([NIGHT, []], 16, id="nothing"),
        pytest.param([NIGHT[:3], NIGHT[5:8]], 6, id="a-gap"),
        pytest.param([NIGHT[:3], NIGHT[5:8], NIGHT[3:5]], 6, id="a-gap-read-later-is-left-out"),
        pytest.param([NIGHT[:3], NIGHT[5:8], NIGHT[:8]], 8, id="and-comes-with-the-whole"),
    ],
)
def test_what_is_read_twice_counts_once(readings: list[list[Delivery]], total: int) -> None:
    kept = Kept()
    for each in readings:
        kept.read(each)
    assert kept.total() == total


def test_what_was_not_added_is_known() -> None:
    kept = Kept()
    assert kept.read(NIGHT).repeated == 0
    assert kept.read(NIGHT).repeated == 0  # the same again replaces it
    assert kept.read(NIGHT[3:6]).repeated == 3


def test_servers_and_their_software_are_apart() -> None:
    kept = Kept()
    kept.read([sent(0)])
    kept.read([sent(0, server="mx2")])
    kept.read([sent(0, software="exim")])
    assert kept.total() == 3


def test_each_count() -> None:
    kept = Kept()
    kept.read(
        [
            sent(0, session=VERIFIED),
            sent(0.1, session=Session(tls=Tls.ENCRYPTED, identity=Identity.TRUSTED)),
            sent(0.2, session=Session(tls=Tls.CLEAR)),
            sent(0.3, session=Session(why="unknown")),
            sent(0.4, content=Content.HELD),
            sent(0.5, direction=Direction.IN),
        ]
    )
    ((_, counts),) = kept.counts.items()
    assert counts == SentCounts(
        encrypted=2, verified=1, below_verified=2, clear=1, held_back=1, unknown=1
    )._asdict()  # fmt: skip


def test_a_message_that_leaves_the_day_after_was_not_held_back() -> None:
    kept = Kept()
    held, left = sent(1, content=Content.HELD, queue_id="A"), sent(3, queue_id="A")
    kept.read([held])
    assert kept.total("held_back") == 1
    kept.read([held, left])
    assert (kept.total("held_back"), kept.total()) == (0, 1)


def test_what_stays_inside_is_no_part_of_the_totals() -> None:
    kept = Kept()
    kept.read(NIGHT)
    kept.read(NIGHT, Scope.INTERNAL)
    assert kept.total() == 0


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("b\u00fccher.test", "xn--bcher-kva.test"),
        ("", "(none)"),
        ("[192.0.2.1]", "(none)"),
        ("x" * 300 + ".test", "(none)"),
        ("a\nb", "(none)"),
    ],
)
def test_domains_are_spelt_as_in_the_record(domain: str, expected: str) -> None:
    kept = Kept()
    kept.read([sent(0, domain=domain)])
    assert [name for _, name in kept.counts] == [expected]


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prober.logs.daily.MAX_DAYS", 2)
    monkeypatch.setattr("prober.logs.daily.MAX_GROUPS", 3)
    kept = Kept()
    daily = kept.read([sent(0, server=f"mx{number}" * 200) for number in range(5)])
    assert (kept.total(), daily.dropped) == (2, 3)
    assert all(len(each.server) <= 255 for each in kept.covered)

    kept.read([sent(0, domain=f"d{number}.test", server="x") for number in range(5)])
    names = [name for day, name in kept.counts if day.server == "x"]
    assert sorted(names) == ["(others)", "d0.test", "d1.test", "d2.test"]


pieces = st.tuples(st.integers(0, 16), st.integers(0, 16)).map(sorted)


@given(st.lists(pieces, max_size=6))
def test_pieces_of_any_kind_never_count_more_than_the_whole(parts: list[list[int]]) -> None:
    kept = Kept()
    for first, last in parts:
        before = kept.total()
        kept.read(NIGHT[first:last])
        assert before <= kept.total() <= len({at for one, two in parts for at in range(one, two)})
    kept.read(NIGHT)
    assert kept.total() == len(NIGHT)


@given(st.lists(st.integers(0, 16), max_size=4))
def test_the_parts_of_a_rotated_log_make_up_the_whole(cuts: list[int]) -> None:
    kept, ends = Kept(), sorted({0, *cuts, 16})
    for first, last in itertools.pairwise(ends):
        kept.read(NIGHT[first:last])
    assert kept.total() == len(NIGHT)
