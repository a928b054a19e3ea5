"""The exit status, in its order of precedence. README has the table."""

import itertools

import pytest

from prober.records import DomainFacts, Level, ProfileName, Reason, Route, RouteStatus, Step
from prober.report.answer import answer
from prober.report.json_ import decode_report, encode_report
from prober.rules.exit_status import (
    CANNOT_SEE,
    MEETS_ALL,
    SOME_FALL_SHORT,
    SOME_INVALID,
    SOME_UNDECIDED,
    exit_status,
)
from prober.rules.norms import Profile
from prober.rules.profiles import PROFILES
from prober.rules.totals import Tally
from prober.rules.verdict import judge_domain
from tests.support.builders import completed, confirmed, domain, not_offered, untested

MEETS = domain(completed())
SHORT = domain(confirmed(not_offered()))
UNDECIDED = domain(untested())
INVALID = domain(route=None, domain=None, error="no domain")
NEUTRAL = domain(route=Route(status=RouteStatus.NULL_MX))
NO_DNS = domain(route=Route(status=RouteStatus.DNS_ERROR, reason=Reason.NO_NAMESERVER))
SERVFAIL = domain(route=Route(status=RouteStatus.DNS_ERROR, reason=Reason.SERVFAIL))


def tally(*reports: DomainFacts, require: Level | Profile = Level.OPPORTUNISTIC) -> Tally:
    counted = Tally(
        require=require, operator_of=lambda host: host.split(".", 1)[1], describe=answer
    )
    for facts in reports:
        counted.add(counted.assess(judge_domain(facts)))
    return counted


@pytest.mark.parametrize(
    ("reports", "status"),
    [
        pytest.param([], MEETS_ALL, id="nothing"),
        pytest.param([MEETS], MEETS_ALL, id="meets"),
        pytest.param([NEUTRAL], MEETS_ALL, id="null-mx-is-neutral"),
        pytest.param([MEETS, UNDECIDED], SOME_UNDECIDED, id="undecided"),
        pytest.param([SERVFAIL], SOME_UNDECIDED, id="a-nameserver-did-answer"),
        pytest.param([UNDECIDED, INVALID], SOME_INVALID, id="invalid-before-undecided"),
        pytest.param([INVALID, SHORT, UNDECIDED], SOME_FALL_SHORT, id="short-before-all-else"),
        pytest.param([NO_DNS, INVALID], CANNOT_SEE, id="no-nameserver"),
        pytest.param([NO_DNS, MEETS], SOME_UNDECIDED, id="one-zone-without-answer"),
        pytest.param([NO_DNS, SERVFAIL], SOME_UNDECIDED, id="a-nameserver-answered-another"),
    ],
)
def test_exit_status(reports: list[DomainFacts], status: int) -> None:
    assert exit_status(tally(*reports).totals) == status


def _unconnected(endpoints: int, operators: int, reason: Reason) -> list[DomainFacts]:
    names = itertools.cycle(f"mx.op{number}.example" for number in range(operators))
    return [
        domain(untested(reason=reason, mx_host=next(names), address=f"192.0.2.{number}"))
        for number in range(endpoints)
    ]


@pytest.mark.parametrize(
    ("endpoints", "operators", "reason", "blind"),
    [
        pytest.param(20, 5, Reason.TIMED_OUT, True, id="blocked"),
        pytest.param(20, 5, Reason.REFUSED, True, id="refused-everywhere"),
        pytest.param(19, 5, Reason.TIMED_OUT, False, id="too-few-endpoints"),
        pytest.param(20, 4, Reason.TIMED_OUT, False, id="too-few-operators"),
        pytest.param(20, 5, Reason.PRIVATE_ADDRESS, False, id="never-contacted"),
        pytest.param(20, 5, Reason.NO_IPV6_HERE, False, id="no-way-there"),
    ],
)
def test_a_run_that_never_connects_is_blind(
    endpoints: int, operators: int, reason: Reason, blind: bool
) -> None:
    counted = tally(*_unconnected(endpoints, operators, reason)).totals

    assert (counted.why_blind is not None) is blind
    assert counted.is_hopeless is blind
    assert exit_status(counted) == (CANNOT_SEE if blind else SOME_UNDECIDED)


@pytest.mark.parametrize(
    "one_that_connects", [MEETS, SHORT, domain(untested(Step.GREETING, Reason.TIMED_OUT))]
)
def test_one_connection_shows_that_this_machine_sees(one_that_connects: DomainFacts) -> None:
    counted = tally(*_unconnected(30, 6, Reason.TIMED_OUT), one_that_connects)
    assert counted.totals.why_blind is None


def test_one_dead_endpoint_of_many_domains_is_one_endpoint() -> None:
    counted = tally(*_unconnected(5, 5, Reason.TIMED_OUT) * 10)
    assert counted.totals.why_blind is None


def test_a_profile_can_be_required() -> None:
    nist = PROFILES[ProfileName.NIST]
    assert exit_status(tally(domain(completed(tls_version="TLSv1.1")), require=nist).totals) == 1
    assert exit_status(tally(UNDECIDED, require=nist).totals) == SOME_UNDECIDED
    assert exit_status(tally(NEUTRAL, require=nist).totals) == MEETS_ALL


def test_totals_of_shards_add_up_to_those_of_the_whole() -> None:
    reports = [MEETS, SHORT, UNDECIDED, INVALID, *_unconnected(3, 3, Reason.REFUSED), NO_DNS]
    whole = tally(*reports).totals
    parts = tally(*reports[:3]).totals
    parts.merge(tally(*reports[3:]).totals)
    assert parts == whole


def test_a_few_domains_without_a_nameserver_are_no_reason_to_stop() -> None:
    assert not tally(*[NO_DNS] * 19).totals.is_hopeless
    assert tally(*[NO_DNS] * 20).totals.is_hopeless


def test_a_report_carries_the_ratings_of_the_required_profile_and_no_others() -> None:
    report = judge_domain(MEETS)
    by_nist = tally(require=PROFILES[ProfileName.NIST]).assess(report)
    by_ncsc = tally(require=PROFILES[ProfileName.NCSC_NL]).assess(by_nist)

    assert by_nist.profile_ratings is not None
    assert by_ncsc.profile_ratings is not None
    assert by_nist.profile_ratings.profile is ProfileName.NIST
    assert by_ncsc.profile_ratings.profile is ProfileName.NCSC_NL
    assert by_ncsc.profile_ratings.ratings
    assert tally().assess(by_ncsc) == tally().assess(report)
    assert decode_report(encode_report(by_ncsc)) == by_ncsc
