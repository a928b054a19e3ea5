"""Accepted exceptions: which report one covers, and what is counted of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from prober.records import (
    AcceptedException,
    DomainFacts,
    DomainReport,
    GivenServer,
    Level,
    Standing,
)
from prober.report.answer import answer
from prober.report.json_ import decode_report, encode_report
from prober.rules.accepted import ExceptionState, exception_state
from prober.rules.exit_status import MEETS_ALL, SOME_FALL_SHORT, SOME_UNDECIDED, exit_status
from prober.rules.standing import assess
from prober.rules.totals import MAX_NOTED, Tally, Totals
from prober.rules.verdict import judge_domain
from tests.support.builders import NOW, completed, confirmed, domain, not_offered, untested

LAST_DAY = date(2026, 3, 31)
SHORT, OPEN, MEETS = confirmed(not_offered()), untested(), completed()
APPLIES, NOT_NEEDED = ExceptionState.APPLIES, ExceptionState.NOT_NEEDED
ENDED, EXCEEDED = ExceptionState.ENDED, ExceptionState.EXCEEDED
FALLS_SHORT, UNDECIDED = Standing.FALLS_SHORT, Standing.UNDECIDED


def accepts(
    what: Level = Level.NONE, domain: str = "example.com", until: date = LAST_DAY
) -> AcceptedException:
    return AcceptedException(domain=domain, what=what, why="why", by="J. Doe", until=until)


@pytest.mark.parametrize(
    ("standing", "level", "what", "expected"),
    [
        (FALLS_SHORT, Level.NONE, Level.PARTIAL, EXCEEDED),
        (FALLS_SHORT, Level.PARTIAL, Level.UNKNOWN, EXCEEDED),
        (FALLS_SHORT, Level.NONE, Level.NO_MAIL, EXCEEDED),
        (UNDECIDED, Level.UNKNOWN, Level.NONE, EXCEEDED),
        (FALLS_SHORT, Level.NONE, Level.NONE, APPLIES),
        (FALLS_SHORT, Level.OPPORTUNISTIC, Level.PARTIAL, APPLIES),
        (UNDECIDED, Level.UNKNOWN, Level.UNKNOWN, APPLIES),
        (UNDECIDED, Level.OPPORTUNISTIC, Level.UNKNOWN, APPLIES),
        (Standing.MEETS, Level.OPPORTUNISTIC, Level.NONE, NOT_NEEDED),
        (Standing.NEUTRAL, Level.NO_MAIL, Level.NO_MAIL, NOT_NEEDED),
        (Standing.INVALID, Level.INVALID, Level.NONE, NOT_NEEDED),
    ],
)
def test_an_exception_covers_its_level_and_better_ones(
    standing: Standing, level: Level, what: Level, expected: ExceptionState
) -> None:
    assert exception_state(accepts(what), standing, level, NOW) is expected


AHEAD = timezone(timedelta(hours=14))


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(2026, 4, 1, tzinfo=UTC), ENDED),
        (datetime(2026, 3, 31, 23, 59, tzinfo=UTC), APPLIES),
        (datetime(2026, 4, 1, 13, 59, tzinfo=AHEAD), APPLIES),
        (datetime(2026, 4, 1, 14, 0, tzinfo=AHEAD), ENDED),
    ],
)
def test_the_day_of_the_check_counts_in_utc(at: datetime, expected: ExceptionState) -> None:
    assert exception_state(accepts(), FALLS_SHORT, Level.NONE, at) is expected


def report_on(name: str, *endpoints: object, checked_at: datetime = NOW) -> DomainReport:
    facts: DomainFacts = domain(*endpoints, domain=name, input=name, checked_at=checked_at)  # type: ignore[arg-type]  # of the builders
    return judge_domain(facts)


LATE = datetime(2099, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("report", "exception", "is_accepted"),
    [
        pytest.param(report_on("example.com", SHORT), None, False, id="none-is-given"),
        pytest.param(
            report_on("example.com", SHORT), accepts(domain="a.example"), False, id="other-domain"
        ),
        pytest.param(
            report_on("example.com", SHORT, checked_at=LATE), accepts(), False, id="ended"
        ),
        pytest.param(report_on("example.com", MEETS), accepts(), False, id="it-meets"),
        pytest.param(
            replace(report_on("example.com", SHORT), server=GivenServer(name="new.example.com")),
            accepts(),
            False,
            id="another-server-was-tested",
        ),
        pytest.param(report_on("example.com", SHORT), accepts(), True, id="accepted"),
    ],
)
def test_a_report_names_the_exception_that_covers_it(
    report: DomainReport, exception: AcceptedException | None, is_accepted: bool
) -> None:
    given = {} if exception is None else {exception.domain: exception}
    plain, judged = (
        assess(report, Level.OPPORTUNISTIC),
        assess(report, Level.OPPORTUNISTIC, exceptions=given),
    )

    assert judged.accepted == (exception if is_accepted else None)
    assert replace(judged, accepted=None) == plain
    assert decode_report(encode_report(judged)) == judged


def test_a_saved_exception_is_kept_only_as_long_as_it_covers_the_report() -> None:
    saved = replace(report_on("example.com", SHORT), accepted=accepts())
    other = replace(saved, accepted=accepts(domain="a.example"))
    newer = {"example.com": accepts(until=date(2027, 1, 1))}

    assert assess(saved, Level.OPPORTUNISTIC).accepted == accepts()
    assert assess(other, Level.OPPORTUNISTIC).accepted is None
    assert assess(saved, Level.OPPORTUNISTIC, exceptions=newer).accepted == newer["example.com"]
    meets = replace(report_on("example.com", MEETS), accepted=accepts())
    assert assess(meets, Level.OPPORTUNISTIC).accepted is None


def totals_of(exceptions: Mapping[str, AcceptedException], *reports: DomainReport) -> Totals:
    tally = Tally(
        require=Level.OPPORTUNISTIC, operator_of=str, describe=answer, exceptions=exceptions
    )
    for report in reports:
        tally.add(tally.assess(report))
    return tally.totals


GIVEN = {
    each.domain: each
    for each in (
        accepts(domain="a.example"),
        accepts(domain="b.example", until=date(2020, 1, 1)),
        accepts(Level.PARTIAL, domain="c.example"),
        accepts(domain="d.example"),
        accepts(domain="nowhere.example"),
    )
}


def test_an_exception_is_not_needed_for_a_test_of_another_server() -> None:
    report = replace(report_on("b.example", SHORT), server=GivenServer(name="new.b.example"))
    assert totals_of(GIVEN, report).exceptions == {"b.example": NOT_NEEDED}


def test_an_accepted_domain_is_counted_by_its_standing_and_apart() -> None:
    reports = [report_on(f"{letter}.example", SHORT) for letter in "abcz"]
    counted = totals_of(GIVEN, *reports, report_on("d.example", MEETS))

    assert counted.standings == {Standing.FALLS_SHORT: 4, Standing.MEETS: 1}
    assert counted.accepted == {Standing.FALLS_SHORT: 1}
    assert counted.not_accepted == {Standing.FALLS_SHORT: 3, Standing.MEETS: 1}
    assert counted.exceptions == {
        "a.example": APPLIES,
        "b.example": ENDED,
        "c.example": EXCEEDED,
        "d.example": NOT_NEEDED,
    }
    noted = sorted(counted.noted, key=lambda each: each.rank)
    assert [each.name for each in noted] == ["b.example", "c.example", "z.example", "a.example"]
    assert [each.accepted for each in noted] == [None, None, None, GIVEN["a.example"]]


@pytest.mark.parametrize(
    ("reports", "status"),
    [
        ([report_on("a.example", SHORT)], MEETS_ALL),
        ([report_on("a.example", SHORT), report_on("z.example", OPEN)], SOME_UNDECIDED),
        ([report_on("a.example", SHORT), report_on("b.example", SHORT)], SOME_FALL_SHORT),
    ],
)
def test_the_exit_status_leaves_out_what_is_accepted(
    reports: list[DomainReport], status: int
) -> None:
    assert exit_status(totals_of(GIVEN, *reports)) == status


def test_what_is_accepted_adds_up_over_shards() -> None:
    reports = [report_on(f"{letter}.example", SHORT) for letter in "abcz"]
    parts = totals_of(GIVEN, *reports[:2])
    parts.merge(totals_of(GIVEN, *reports[2:]))

    assert parts == totals_of(GIVEN, *reports)


def test_the_worst_are_kept_before_those_that_are_accepted() -> None:
    names = [f"d{number}.example" for number in range(MAX_NOTED + 5)]
    exceptions = {name: accepts(domain=name) for name in names}
    accepted = [report_on(name, SHORT) for name in names]
    counted = totals_of(exceptions, *accepted, report_on("z.example", OPEN))
    counted.merge(Totals())

    assert len(counted.noted) == MAX_NOTED
    assert counted.noted[0].name == "z.example"
    assert counted.accepted == {Standing.FALLS_SHORT: MAX_NOTED + 5}
