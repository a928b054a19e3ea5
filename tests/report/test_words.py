from dataclasses import replace
from datetime import timedelta

import pytest

from prober.records import (
    Answer,
    Certificate,
    Confirmed,
    Dane,
    DomainReport,
    Endpoint,
    Failure,
    Level,
    Reason,
    Route,
    RouteStatus,
    StartTls,
    Step,
)
from prober.report.words import (
    certificate_words,
    failure_words,
    outcome_words,
    reason_words,
    session_cells,
    short_trouble,
    trouble,
)
from tests.report import samples
from tests.report.samples import NOW, make_certificate, make_endpoint, make_failed_endpoint

DAY = timedelta(days=1)
SEEN = make_endpoint().observed_at


@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_words_at_each_step(reason: Reason, step: Step) -> None:
    words = reason_words(reason, step)

    assert words
    assert "{" not in words


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (
            Failure(step=Step.GREETING, reason=Reason.TIMED_OUT),
            "timed out waiting for the greeting",
        ),
        (Failure(step=Step.CONNECT, reason=Reason.REFUSED), "connection refused"),
        (
            Failure(step=Step.EHLO, reason=Reason.BAD_REPLY, reply_code=421, detail="slow\x1b"),
            "reply 421 while waiting for the answer to EHLO (slow\\x1b)",
        ),
        (
            Failure(step=Step.EHLO, reason=Reason.CLOSED, reply_code=421),
            "connection closed while waiting for the answer to EHLO, reply 421",
        ),
    ],
)
def test_a_failure_in_words(failure: Failure, words: str) -> None:
    assert failure_words(failure) == words


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        (make_certificate(), "valid for 60 days"),
        (make_certificate(not_after=SEEN + DAY), "valid for 1 day"),
        (make_certificate(not_after=SEEN), "valid for less than a day"),
        (make_certificate(not_after=None), "valid"),
        (make_certificate(trusted=Answer.NOT_TESTED), "not checked"),
        (make_certificate(trusted=Answer.NO), "not trusted"),
        (make_certificate(trusted=Answer.NO, subject="CN=a", issuer="CN=a"), "self-signed"),
        (make_certificate(trusted=Answer.NO, subject=None, issuer=None), "not trusted"),
        (make_certificate(name_matches=Answer.NO), "for another name"),
        (make_certificate(in_date=Answer.NO, not_after=SEEN - 3 * DAY), "expired 3 days ago"),
        (
            make_certificate(in_date=Answer.NO, not_after=SEEN - DAY / 2),
            "expired less than a day ago",
        ),
        (
            make_certificate(in_date=Answer.NO, not_before=NOW + DAY),
            "not valid before 2026-01-03T03:04:05Z",
        ),
        (make_certificate(in_date=Answer.NO, not_after=None, not_before=None), "not in date"),
        (
            make_certificate(
                trusted=Answer.NO, in_date=Answer.NO, not_after=SEEN - DAY, name_matches=Answer.NO
            ),
            "not trusted, expired 1 day ago, for another name",
        ),
    ],
)
def test_a_certificate_in_a_word_or_two(certificate: Certificate, words: str) -> None:
    assert certificate_words(make_endpoint(certificate=certificate)) == f"certificate {words}"


def test_no_certificate_is_not_one_that_was_not_read() -> None:
    assert certificate_words(make_endpoint(certificate=None, chain=())) == "no certificate"
    assert certificate_words(make_endpoint(certificate=None)) == "certificate not read"


@pytest.mark.parametrize(
    ("endpoint", "cells", "outcome"),
    [
        pytest.param(
            make_endpoint(dane=Dane.MISMATCH),
            ("TLS 1.3", "X25519MLKEM768", "TLS_AES_256_GCM_SHA384"),
            "certificate valid for 60 days; DANE mismatch",
            id="completed",
        ),
        pytest.param(
            make_endpoint(certificate=make_certificate(name_matches=Answer.NOT_TESTED)),
            ("TLS 1.3", "X25519MLKEM768", "TLS_AES_256_GCM_SHA384"),
            "certificate trusted for 60 days, its name uncertain",
            id="name-that-senders-differ-on",
        ),
        pytest.param(
            make_endpoint(key_exchange="DH", key_exchange_bits=1024),
            ("TLS 1.3", "DH 1024", "TLS_AES_256_GCM_SHA384"),
            "certificate valid for 60 days",
            id="dh",
        ),
        pytest.param(
            make_endpoint(key_exchange="ffdhe2048", key_exchange_bits=2048),
            ("TLS 1.3", "ffdhe2048", "TLS_AES_256_GCM_SHA384"),
            "certificate valid for 60 days",
            id="dh-with-a-name",
        ),
        pytest.param(
            make_failed_endpoint(),
            ("not tested", "", ""),
            "timed out waiting for the greeting",
            id="not-tested",
        ),
        pytest.param(
            make_failed_endpoint(
                starttls=StartTls.NOT_OFFERED, confirmed=Confirmed.YES, failure=None
            ),
            ("not offered", "", ""),
            "confirmed by a second attempt",
            id="confirmed",
        ),
        pytest.param(
            make_failed_endpoint(
                starttls=StartTls.NOT_OFFERED, confirmed=Confirmed.NO, failure=None
            ),
            ("not offered, unconfirmed", "", ""),
            "",
            id="unconfirmed",
        ),
    ],
)
def test_an_endpoint_in_words(endpoint: Endpoint, cells: tuple[str, ...], outcome: str) -> None:
    assert session_cells(endpoint) == cells
    assert outcome_words(endpoint) == outcome


SEEN_ONCE = make_failed_endpoint(
    starttls=StartTls.NOT_OFFERED, confirmed=Confirmed.NO, failure=None
)
NO_IPV6 = make_failed_endpoint(failure=Failure(step=Step.CONNECT, reason=Reason.NO_IPV6_HERE))


@pytest.mark.parametrize(
    ("report", "words"),
    [
        pytest.param(samples.passes(), "", id="nothing"),
        pytest.param(samples.invalid(), "line 7: a URL, not a domain", id="input"),
        pytest.param(
            samples.dns_error(), "DNS error SERVFAIL while looking up the name (MX)", id="route"
        ),
        pytest.param(
            replace(samples.nowhere(), route=Route(status=RouteStatus.NXDOMAIN, detail="a\x00")),
            "a\\x00",
            id="detail-of-the-route",
        ),
        pytest.param(
            samples.partly(),
            "mx4.partly.example: DNS error SERVFAIL while looking up the name",
            id="host",
        ),
        pytest.param(
            samples.unknown(),
            "mx1.example.com 192.0.2.1: timed out waiting for the greeting",
            id="endpoint",
        ),
        pytest.param(
            samples.make_report(endpoints=(NO_IPV6, make_endpoint())),
            "",
            id="complete-without-ipv6",
        ),
        pytest.param(
            samples.make_report(Level.UNKNOWN, (NO_IPV6,), complete=False),
            "mx1.example.com 192.0.2.1: no IPv6 on this machine",
            id="nothing-but-ipv6",
        ),
        pytest.param(
            samples.make_report(Level.UNKNOWN, (SEEN_ONCE,), complete=False),
            "mx1.example.com 192.0.2.1: STARTTLS was not offered in one session, and no second "
            "attempt could confirm that",
            id="not-offered-once",
        ),
    ],
)
def test_the_first_trouble(report: DomainReport, words: str) -> None:
    assert trouble(report) == words


@pytest.mark.parametrize(
    ("step", "code", "words"),
    [
        (Step.GREETING, 421, "mx1.example.com replied 421 (too busy)"),
        (Step.GREETING, 450, "mx1.example.com replied 450 (try again later)"),
        (Step.STARTTLS, 454, "mx1.example.com replied 454 (try again later)"),
        (Step.EHLO, 550, "mx1.example.com replied 550 (it refused us)"),
        (Step.EHLO, 220, "mx1.example.com replied 220"),
    ],
)
def test_a_reply_code_is_explained(step: Step, code: int, words: str) -> None:
    failure = Failure(step=step, reason=Reason.BAD_REPLY, reply_code=code)
    report = samples.make_report(
        Level.UNKNOWN, (make_failed_endpoint(failure=failure),), complete=False
    )
    assert short_trouble(report) == words


def test_one_session_without_an_offer_is_told_as_such() -> None:
    report = samples.make_report(Level.UNKNOWN, (SEEN_ONCE,), complete=False)
    assert short_trouble(report) == (
        "mx1.example.com: STARTTLS was not offered in one session, and no second attempt could "
        "confirm that"
    )
