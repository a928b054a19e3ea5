"""Daily totals of sent mail in the record."""

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from prober.records.sent import Covered, SentCounts, SentDay, SentTotals, SentWeek
from prober.store.database import Store, StoreError
from prober.store.keeping import plan_pruning, prune, set_hold
from prober.store.sent import covered_days, keep_totals, sent_weeks

MONDAY = date(2026, 3, 9)
NOON = datetime(2026, 3, 9, 12, 0, 0, 250_000, tzinfo=UTC)
DAY = timedelta(days=1)
ONE = SentCounts(encrypted=3, verified=1, below_verified=2, clear=1, held_back=2, unknown=4)


def totals(
    *, day: int = 0, before: Covered | None = None, attempts: int = 5, server: str = "mx1",
    replaces: bool = True, domain: str = "example.com", counts: SentCounts = ONE,
) -> SentTotals:  # fmt: skip
    return SentTotals(
        of=SentDay(server, "postfix", MONDAY + day * DAY),
        before=before,
        covered=Covered(NOON + day * DAY, NOON + day * DAY, attempts),
        replaces=replaces,
        domains={domain: counts},
    )


def week(monday: date = MONDAY, *, times: int = 1, domain: str = "example.com") -> SentWeek:
    counts = SentCounts(*(times * each for each in ONE))
    return SentWeek(domain=domain, week=monday, messages=counts.messages, **counts._asdict())


def weeks(store: Store, domain: str = "example.com") -> list[SentWeek]:
    with store.reading() as connection:
        return sent_weeks(connection, domain)


def test_what_was_covered_is_read_back(store: Store) -> None:
    keep_totals(store, [totals(), totals(server="mx2", attempts=9)])

    assert covered_days(store, "mx1", "postfix") == {MONDAY: Covered(NOON, NOON, 5)}
    assert covered_days(store, "mx2", "postfix") == {MONDAY: Covered(NOON, NOON, 9)}
    assert covered_days(store, "mx1", "exim") == {}


def test_weeks_add_up_over_days_and_servers(store: Store) -> None:
    keep_totals(store, [totals(), totals(day=6), totals(day=7), totals(server="mx2")])

    assert weeks(store) == [week(times=3), week(MONDAY + 7 * DAY)]
    assert weeks(store)[0].messages == 30
    assert weeks(store, "other.example") == []


@pytest.mark.parametrize(("replaces", "times"), [(True, 1), (False, 2)])
def test_totals_replace_or_are_added(store: Store, replaces: bool, times: int) -> None:
    keep_totals(store, [totals(domain="other.example"), totals(day=1)])
    before = Covered(NOON + DAY, NOON + DAY, 5)
    keep_totals(store, [totals(day=1, before=before, attempts=7, replaces=replaces)])

    assert weeks(store) == [week(times=times)]
    assert weeks(store, "other.example") == [week(domain="other.example")]
    assert covered_days(store, "mx1", "postfix")[MONDAY + DAY].attempts == 7


def test_a_domain_that_is_in_no_new_totals_goes_with_the_old(store: Store) -> None:
    keep_totals(store, [totals()])
    new = totals(before=Covered(NOON, NOON, 5), domain="other.example")
    keep_totals(store, [new])

    assert weeks(store) == []


def test_two_programs_that_read_the_same_log_do_not_count_it_twice(store: Store) -> None:
    keep_totals(store, [totals()])
    with pytest.raises(StoreError, match="another program has added totals of 2026-03-09"):
        keep_totals(store, [totals(day=1), totals(replaces=False)])

    assert weeks(store) == [week()]


def test_a_view_for_other_programs(store: Store) -> None:
    keep_totals(store, [totals()])
    query = sa.text("SELECT domain, server, messages, clear FROM sent_mail")
    with store.reading() as connection:
        assert connection.execute(query).all() == [("example.com", "mx1", 10, 1)]


def test_pruning_deletes_old_totals_but_of_domains_on_hold(store: Store) -> None:
    keep_totals(store, [totals(), totals(day=1), totals(day=2)])
    keep_totals(store, [totals(server="mx2", domain="held.example")])
    set_hold(store, "held.example", "in dispute", NOON)
    before = NOON + 2 * DAY
    with store.reading() as connection:
        planned = plan_pruning(connection, before)

    done = prune(store, before, NOON)
    assert done == planned
    assert (done.runs, done.observations, done.sent) == (0, 0, 2)
    assert weeks(store) == [week()]
    assert weeks(store, "held.example") == [week(domain="held.example")]
    assert list(covered_days(store, "mx1", "postfix")) == [MONDAY + 2 * DAY]
    assert list(covered_days(store, "mx2", "postfix")) == [MONDAY]
