"""What is counted for the tables of a summary."""

from dataclasses import replace
from datetime import timedelta

import pytest

from prober.records import Answer, Code, DeepQuestion, finding
from prober.rules import spread
from prober.rules.deep import is_post_quantum
from prober.rules.spread import EXPIRY_NAMES, Spread
from tests.report import samples
from tests.support.deep import asked, no, not_tested, yes

Q = DeepQuestion.POST_QUANTUM


def operator_of(host: str) -> str:
    return host.partition(".")[2]


def spread_of(*reports: object) -> Spread:
    counted = Spread()
    for report in reports:
        counted.add(report, operator_of)  # type: ignore[arg-type]
    return counted


def test_endpoints_are_counted_by_tls_and_domains_by_the_rest() -> None:
    counted = spread_of(samples.passes(), samples.fails())
    assert counted.tls_versions == {"TLSv1.3": 3}
    assert counted.key_exchanges == {"X25519MLKEM768": 3}
    assert counted.operators == {"example.com": 1, "fails.example": 1}
    assert counted.findings == {Code.STARTTLS_NOT_SUPPORTED: 1, Code.TLS_FAILED: 1}
    assert counted.expiry == {"within 13 weeks": 1}
    assert counted.first == counted.last == samples.NOW


def test_post_quantum_is_counted_by_what_deep_found() -> None:
    """A server may prefer another group and accept one all the same."""
    answers = (None, asked(yes(Q)), asked(no(Q)), asked(not_tested(Q)))
    endpoints = tuple(samples.make_endpoint(key_exchange="x25519", deep=deep) for deep in answers)
    report = samples.make_report(endpoints=(*endpoints, samples.make_endpoint()))
    counted = spread_of(report)
    assert counted.post_quantum == {Answer.YES: 2, Answer.NO: 1, Answer.NOT_TESTED: 2}
    assert counted.key_exchanges == {"x25519": 4, "X25519MLKEM768": 1}


def test_a_finding_of_several_servers_counts_once_for_the_domain() -> None:
    found = tuple(finding(Code.BARE_LF, mx_host=f"mx{number}.example") for number in range(3))
    assert spread_of(samples.make_report(findings=found)).findings == {Code.BARE_LF: 1}


@pytest.mark.parametrize(
    ("left", "name"),
    [
        (timedelta(seconds=-1), "expired"),
        (timedelta(0), "within 1 week"),
        (timedelta(weeks=1), "within 1 week"),
        (timedelta(weeks=1, seconds=1), "within 2 weeks"),
        (timedelta(weeks=26), "within 26 weeks"),
        (timedelta(weeks=27), "later"),
    ],
)
def test_a_domain_counts_by_its_first_certificate_to_expire(left: timedelta, name: str) -> None:
    late = samples.make_certificate(not_after=samples.NOW + timedelta(weeks=60))
    first = samples.make_certificate(not_after=samples.NOW + left)
    endpoints = tuple(samples.make_endpoint(certificate=each) for each in (late, first))
    assert spread_of(samples.make_report(endpoints=endpoints)).expiry == {name: 1}
    assert name in EXPIRY_NAMES


def test_what_two_runs_counted_adds_up() -> None:
    reports = [*samples.all_samples(), replace(samples.passes(), checked_at=samples.NOW)]
    merged = spread_of(*reports[:5])
    merged.merge(spread_of(*reports[5:]))
    merged.merge(Spread())
    assert merged == spread_of(*reports)


def test_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread, "MAX_NAMES", 2)
    reports = [
        samples.make_report(endpoints=(samples.make_endpoint(f"mx.{number}.example"),))
        for number in range(5)
    ]
    assert spread_of(*reports).operators == {"0.example": 1, "1.example": 1, "others": 3}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("X25519MLKEM768", True), ("SecP256r1MLKEM768", True), ("x25519", False), ("RSA", False)],
)
def test_post_quantum(name: str, expected: bool) -> None:
    assert is_post_quantum(name) is expected
