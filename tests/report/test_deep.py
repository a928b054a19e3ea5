"""The part "Also accepts": text, HTML, CSV and JSON say the same, and not tested is never a no."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.records import (
    Answer,
    Dane,
    DeepAnswer,
    DeepQuestion,
    DomainReport,
    Endpoint,
    Enumeration,
    Failure,
    OtherCertificate,
    Reason,
    Step,
)
from prober.report.chains import chains_of
from prober.report.deep import QUESTIONS, accepted
from prober.report.json_ import decode_report, encode_report
from prober.report.output import ReportFormat
from prober.report.rows import COLUMNS, ENDPOINT_COLUMNS, to_endpoint_rows, to_row
from prober.rules.certificate_fields import CertificateReader
from prober.rules.deep import CERTIFICATE_QUESTIONS
from tests.report import samples
from tests.report.samples import make_endpoint, make_failed_endpoint, make_report
from tests.support.deep import all_said, asked, no, not_tested, said, yes
from tests.support.reports import formatter

Q = DeepQuestion
YES, NO, NOT_TESTED = Answer.YES, Answer.NO, Answer.NOT_TESTED
COLUMN_OF = {
    Q.LEGACY_VERSION: "legacy_versions",
    Q.BROKEN_SUITES: "broken_suites",
    Q.STATIC_KEY_EXCHANGE: "static_key_exchange",
    Q.RSA_CERTIFICATE: "rsa_certificate",
    Q.ECDSA_CERTIFICATE: "ecdsa_certificate",
}


def endpoint(*answers: DeepAnswer, **fields: Any) -> Endpoint:
    defaults: dict[str, Any] = {"key_exchange": "x25519", "deep": asked(*answers)}
    return make_endpoint(**(defaults | fields))


def lines_of(seen: Endpoint, *, verbose: bool = False) -> tuple[str, ...]:
    [found] = accepted(make_report(endpoints=(seen,)), verbose=verbose)
    return found.lines


def cells_of(report: DomainReport) -> dict[str, object]:
    [row] = to_endpoint_rows(report)
    return dict(zip(ENDPOINT_COLUMNS, row, strict=True))


def domain_cells(*endpoints: Endpoint) -> dict[str, object]:
    return dict(zip(COLUMNS, to_row(make_report(endpoints=endpoints)), strict=True))


def test_without_deep_there_is_no_such_part() -> None:
    report = make_report()
    assert accepted(report) == accepted(report, verbose=True) == ()
    for format_ in (ReportFormat.TEXT, ReportFormat.HTML):
        assert b"Also accepts" not in formatter(format_).body(report)
        assert b"Also accepts" in formatter(format_).body(samples.deep())


@pytest.mark.parametrize(
    ("seen", "line"),
    [
        pytest.param(endpoint(no(Q.POST_QUANTUM)), "Post-quantum: no", id="no"),
        pytest.param(
            endpoint(not_tested(Q.POST_QUANTUM)),
            "Post-quantum: not tested (timed out waiting for the greeting)",
            id="not-tested",
        ),
        pytest.param(endpoint(), "Post-quantum: not tested", id="not-asked"),
        pytest.param(
            endpoint(yes(Q.POST_QUANTUM, key_exchange="SecP256r1MLKEM768")),
            "Post-quantum: yes (SecP256r1MLKEM768)",
            id="yes",
        ),
        pytest.param(
            endpoint(key_exchange="X25519MLKEM768"),
            "Post-quantum: yes (X25519MLKEM768)",
            id="chosen",
        ),
    ],
)
def test_post_quantum(seen: Endpoint, line: str) -> None:
    assert lines_of(seen)[0] == lines_of(seen, verbose=True)[0] == line


LIMIT = Failure(step=Step.CONNECT, reason=Reason.LIMIT)


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (yes(Q.LEGACY_VERSION), "Also accepts: TLS versions below 1.2"),
        (
            yes(Q.LEGACY_VERSION, tls_version="TLSv1"),
            "Also accepts: TLS versions below 1.2 (TLS 1.0)",
        ),
        (
            yes(Q.BROKEN_SUITES, cipher="TLS_RSA_WITH_RC4_128_SHA"),
            "Also accepts: broken or anonymous cipher suites (TLS_RSA_WITH_RC4_128_SHA)",
        ),
        (
            yes(Q.FINITE_FIELD_DH, key_exchange="DH", key_exchange_bits=1024),
            "Also accepts: finite-field Diffie-Hellman (1024 bits)",
        ),
        (
            yes(Q.FINITE_FIELD_DH, key_exchange="ffdhe2048", key_exchange_bits=2048),
            "Also accepts: finite-field Diffie-Hellman (ffdhe2048, 2048 bits)",
        ),
        (
            yes(Q.NORM_GROUPS, key_exchange="secp384r1"),
            "Also accepts: key-exchange groups of the norm (secp384r1)",
        ),
        (no(Q.STATIC_KEY_EXCHANGE), "Refuses: key exchange without forward secrecy"),
        (no(Q.ECDSA_CERTIFICATE), "Certificates: no ECDSA"),
        (
            yes(Q.RSA_CERTIFICATE, chain=make_endpoint().chain),
            "Certificates: RSA (that of the session)",
        ),
        (yes(Q.RSA_CERTIFICATE), "Certificates: RSA (not read)"),
        (
            not_tested(Q.RSA_CERTIFICATE, failure=LIMIT),
            "Not tested: RSA certificate (left out: a limit of this program was reached)",
        ),
        (
            said(Q.BROKEN_SUITES, NOT_TESTED, failure=None),
            "Not tested: broken or anonymous cipher suites (no reason known)",
        ),
    ],
)
def test_an_answer(answer: DeepAnswer, line: str) -> None:
    assert lines_of(endpoint(answer)) == ("Post-quantum: not tested", line)


def test_the_certificates_are_one_line_those_that_it_has_first() -> None:
    answers = (no(Q.RSA_CERTIFICATE), yes(Q.ECDSA_CERTIFICATE, chain=make_endpoint().chain))
    lines = lines_of(endpoint(*answers))
    assert lines[1:] == ("Certificates: ECDSA (that of the session); no RSA",)


def test_the_summary_counts_what_deep_found() -> None:
    totals = samples.totals_of(samples.deep(), samples.warns())
    foot = formatter(ReportFormat.HTML).foot(totals).decode()
    assert "Post-quantum: 3 of 6 (50 %); no at 1, not tested at 2." in foot


def test_what_was_not_tested_is_told_once_for_each_reason() -> None:
    other = not_tested(Q.NORM_GROUPS, failure=LIMIT)
    lines = lines_of(make_endpoint(deep=all_said(NOT_TESTED, other)))[1:]
    assert [line.rpartition(" (")[2] for line in lines] == [
        "timed out waiting for the greeting)",
        "left out: a limit of this program was reached)",
    ]


def test_endpoints_that_answer_alike_are_told_once() -> None:
    alike = all_said(NO)
    endpoints = (
        make_endpoint(deep=alike),
        make_endpoint(address="2001:db8::1", deep=alike),
        make_endpoint("mx2.example.com", deep=all_said(YES)),
        make_endpoint("mx3.example.com"),
    )
    places = [each.places for each in accepted(make_report(endpoints=endpoints))]
    assert places == [
        "mx1.example.com 192.0.2.1, mx1.example.com 2001:db8::1",
        "mx2.example.com 192.0.2.1",
    ]


def test_verbose_tells_what_was_enumerated_and_at_what_cost() -> None:
    full = replace(
        asked(no(Q.POST_QUANTUM)),
        enumeration=Enumeration(versions=("TLSv1.2",), connections=40, failure=LIMIT),
    )
    lines = lines_of(make_endpoint(key_exchange="x25519", deep=full), verbose=True)
    assert lines == (
        "Post-quantum: no",
        "All TLS versions: TLS 1.2",
        "All cipher suites: none",
        "All key-exchange groups: none",
        "These lists are not complete: left out: a limit of this program was reached",
        "Asked by 41 connections",
    )


@pytest.mark.parametrize("verbose", [False, True])
def test_whatever_a_peer_says_is_printable(verbose: bool) -> None:
    for found in accepted(samples.hostile(), verbose=verbose):
        assert all(line.isprintable() for line in (found.places, *found.lines))


def test_the_other_certificate_counts_wherever_certificates_are_shown() -> None:
    """The first to expire, whether all are valid, and the chains of the HTML report."""
    soon = samples.make_certificate(
        not_after=samples.NOW + timedelta(days=3), trusted=NO, sha256="12" * 32
    )
    answer = yes(Q.RSA_CERTIFICATE, chain=(b"\x30other",), tls_version="TLSv1.2")
    other = OtherCertificate(question=answer.question, certificate=soon, dane=Dane.NONE)
    seen = endpoint(answer, other_certificates=(other,))
    alone, both = domain_cells(endpoint(answer)), domain_cells(seen)
    assert (alone["certificates_valid"], both["certificates_valid"]) == (YES, NO)
    assert (alone["days_to_expiry"], both["days_to_expiry"]) == (60, 3)
    report = make_report(endpoints=(seen,))
    totals = samples.totals_of(report)
    assert list(totals.expiring) == [soon.sha256]
    assert totals.spread.expiry == {"within 1 week": 1}
    hosts = [chain.hosts for chain in chains_of(report, CertificateReader())]
    assert hosts == ["mx1.example.com", "mx1.example.com (RSA certificate)"]


_NAMES = st.none() | st.text(max_size=20)
_BITS = st.none() | st.integers(0, 8192)


@st.composite
def answers(draw: st.DrawFn) -> DeepAnswer:
    question, accepted_ = draw(st.sampled_from(list(Q))), draw(st.sampled_from(list(Answer)))
    words = {"tls_version": draw(_NAMES), "cipher": draw(_NAMES), "key_exchange": draw(_NAMES)}
    return said(question, accepted_, **words, key_exchange_bits=draw(_BITS))


@given(st.lists(answers(), unique_by=lambda each: each.question, max_size=8))
def test_every_format_says_the_same(given_: list[DeepAnswer]) -> None:
    report = make_report(endpoints=(endpoint(*given_),))
    cells = cells_of(report)
    [found] = accepted(report)
    for each in given_:
        if each.question in COLUMN_OF:
            assert cells[COLUMN_OF[each.question]] == each.accepted
        name = QUESTIONS[each.question]
        if each.question is Q.POST_QUANTUM:
            words = each.accepted.replace("-", " ")
            assert found.lines[0].startswith(f"Post-quantum: {words}")
            assert cells["post_quantum"] == each.accepted
        else:
            begins = {YES: "Also accepts", NO: "Refuses", NOT_TESTED: "Not tested"}
            begin = begins[each.accepted]
            if each.question in CERTIFICATE_QUESTIONS and each.accepted is not NOT_TESTED:
                begin, kind = "Certificates", name.removesuffix(" certificate")
                name = f"no {kind}" if each.accepted is NO else f"{kind} ("
            [_line] = [line for line in found.lines if line.startswith(begin) and name in line]
    missing = {*COLUMN_OF} - {each.question for each in given_}
    assert {cells[COLUMN_OF[each]] for each in missing} <= {NOT_TESTED}
    assert decode_report(encode_report(report)) == report


@given(st.lists(st.sampled_from(list(Answer)), min_size=1, max_size=4))
def test_the_row_of_a_domain_says_the_worst(given_: list[Answer]) -> None:
    endpoints = tuple(
        make_endpoint(address=f"192.0.2.{i}", key_exchange="x25519", deep=all_said(answer))
        for i, answer in enumerate(given_)
    )
    cells = domain_cells(*endpoints, make_failed_endpoint(address="192.0.2.9"))
    worst = YES if YES in given_ else NOT_TESTED if NOT_TESTED in given_ else NO
    assert {cells[name] for name in ("legacy_versions", "broken_suites")} == {worst}
    best = NO if NO in given_ else NOT_TESTED if NOT_TESTED in given_ else YES
    assert cells["post_quantum"] == best


def test_the_row_of_a_domain_without_tls_says_not_tested() -> None:
    names = COLUMNS[COLUMNS.index("post_quantum") : COLUMNS.index("weak_dh") + 1]
    cells = domain_cells(make_failed_endpoint())
    assert {cells[name] for name in names} == {NOT_TESTED}
    row = cells_of(make_report(endpoints=(make_failed_endpoint(),)))
    assert {row[name] for name in names} == {None}
