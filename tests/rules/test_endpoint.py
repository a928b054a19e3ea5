"""Outcome, confirmation and findings of an endpoint. RFC 3207 §4, docs/verdict.md."""

import itertools
from dataclasses import replace

import pytest

from prober.records import (
    Anomaly,
    AnomalyKind,
    Answer,
    Code,
    Confirmed,
    EndpointFacts,
    Failure,
    Hello,
    Reason,
    StartTls,
    Step,
)
from prober.rules.endpoint import (
    Outcome,
    merge_sessions,
    offers_requiretls,
    outcome,
    proven,
    session_findings,
    was_refused_twice,
)
from tests.support.builders import (
    completed,
    confirmed,
    endpoint,
    handshake_failed,
    not_offered,
    untested,
)

REFUSED = endpoint(
    starttls=StartTls.REFUSED,
    failure=Failure(step=Step.STARTTLS, reason=Reason.BAD_REPLY, reply_code=454),
)


HELO_ONLY = Anomaly(kind=AnomalyKind.HELO_ONLY, detail="502 no")


def codes(facts: EndpointFacts) -> list[Code]:
    return [code for code, _ in session_findings(facts)]


@pytest.mark.parametrize(
    "step", [Step.RESOLVE, Step.CONNECT, Step.GREETING, Step.EHLO, Step.STARTTLS, Step.HANDSHAKE]
)
@pytest.mark.parametrize("reason", list(Reason))
def test_a_session_that_could_not_look_is_no_negative(step: Step, reason: Reason) -> None:
    facts = untested(step, reason)

    assert outcome(facts) is Outcome.NOT_TESTED
    assert outcome(confirmed(facts)) is Outcome.NOT_TESTED


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(not_offered(), Outcome.NEGATIVE, id="not-offered"),
        pytest.param(REFUSED, Outcome.NEGATIVE, id="refused"),
        pytest.param(handshake_failed(), Outcome.NEGATIVE, id="handshake-failed"),
        pytest.param(completed(), Outcome.COMPLETED, id="completed"),
        pytest.param(
            completed(failure=Failure(step=Step.POST_TLS, reason=Reason.RESET)),
            Outcome.COMPLETED,
            id="failed-after-tls",
        ),
    ],
)
def test_outcome(facts: EndpointFacts, expected: Outcome) -> None:
    assert outcome(facts) is expected


def test_a_negative_counts_once_confirmed() -> None:
    assert proven(not_offered()) is Outcome.NOT_TESTED
    assert proven(not_offered(confirmed=Confirmed.NO)) is Outcome.NOT_TESTED
    assert proven(confirmed(not_offered())) is Outcome.NEGATIVE


@pytest.mark.parametrize(
    ("first", "second", "is_confirmed", "expected"),
    [
        pytest.param(
            not_offered(), not_offered(), Confirmed.YES, Outcome.NEGATIVE, id="both-negative"
        ),
        pytest.param(
            not_offered(), REFUSED, Confirmed.YES, Outcome.NEGATIVE, id="negative-otherwise"
        ),
        pytest.param(
            not_offered(), untested(), Confirmed.NO, Outcome.NOT_TESTED, id="second-could-not-look"
        ),
        pytest.param(
            not_offered(), completed(), Confirmed.NOT_NEEDED, Outcome.COMPLETED, id="intermittent"
        ),
        pytest.param(
            untested(reason=Reason.REFUSED),
            untested(reason=Reason.REFUSED),
            Confirmed.YES,
            Outcome.NOT_TESTED,
            id="refused-twice",
        ),
        pytest.param(
            untested(reason=Reason.REFUSED),
            untested(reason=Reason.TIMED_OUT),
            Confirmed.NO,
            Outcome.NOT_TESTED,
            id="refused-then-timeout",
        ),
        pytest.param(
            untested(reason=Reason.REFUSED),
            not_offered(),
            Confirmed.NO,
            Outcome.NOT_TESTED,
            id="refused-then-negative-once",
        ),
        pytest.param(
            untested(reason=Reason.REFUSED),
            completed(),
            Confirmed.NOT_NEEDED,
            Outcome.COMPLETED,
            id="refused-then-completed",
        ),
        pytest.param(
            completed(Hello.SMALL),
            handshake_failed(),
            Confirmed.NOT_NEEDED,
            Outcome.COMPLETED,
            id="completed-then-failed",
        ),
    ],
)
def test_two_sessions(
    first: EndpointFacts, second: EndpointFacts, is_confirmed: Confirmed, expected: Outcome
) -> None:
    merged = merge_sessions(first, second)

    assert merged.confirmed is is_confirmed
    assert proven(merged) is expected
    assert merged.attempts == first.attempts + second.attempts


def test_the_facts_of_a_confirmed_negative_are_those_of_the_first_session() -> None:
    merged = merge_sessions(not_offered(greeting="220 one"), not_offered(greeting="220 two"))
    assert merged.greeting == "220 one"


def test_anomalies_of_both_sessions_are_kept_once() -> None:
    bare_lf = Anomaly(kind=AnomalyKind.BARE_LF)
    merged = merge_sessions(not_offered(anomalies=(bare_lf,)), not_offered(anomalies=(bare_lf,)))
    assert merged.anomalies == (bare_lf,)


def test_only_a_connection_refused_twice_is_not_listening() -> None:
    refused = untested(reason=Reason.REFUSED)

    assert was_refused_twice(confirmed(refused))
    assert not was_refused_twice(refused)
    assert not was_refused_twice(confirmed(untested(reason=Reason.RESET)))
    assert not was_refused_twice(confirmed(not_offered()))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(completed(), [], id="completed"),
        pytest.param(untested(), [Code.NOT_TESTED], id="timed-out"),
        pytest.param(confirmed(not_offered()), [Code.STARTTLS_NOT_SUPPORTED], id="not-offered"),
        pytest.param(
            not_offered(confirmed=Confirmed.NO), [Code.UNCONFIRMED], id="not-offered-once"
        ),
        pytest.param(
            not_offered(confirmed=Confirmed.NO, anomalies=(HELO_ONLY,)),
            [Code.UNCONFIRMED],
            id="helo-only-once",
        ),
        pytest.param(
            confirmed(not_offered(anomalies=(HELO_ONLY,))),
            [Code.STARTTLS_NOT_SUPPORTED, Code.EHLO_NOT_SUPPORTED],
            id="rfc5321-3.2-helo-only",
        ),
        pytest.param(completed(anomalies=(HELO_ONLY,)), [], id="helo-in-another-session"),
        pytest.param(untested(anomalies=(HELO_ONLY,)), [Code.NOT_TESTED], id="helo-refused-too"),
        pytest.param(
            replace(REFUSED, confirmed=Confirmed.NO), [Code.UNCONFIRMED], id="refused-once"
        ),
        pytest.param(
            handshake_failed(confirmed=Confirmed.NO), [Code.UNCONFIRMED], id="tls-failed-once"
        ),
        pytest.param(confirmed(REFUSED), [Code.STARTTLS_REFUSED], id="refused"),
        pytest.param(confirmed(handshake_failed()), [Code.TLS_FAILED], id="tls-failed"),
        pytest.param(
            completed(failure=Failure(step=Step.POST_TLS, reason=Reason.CLOSED)),
            [Code.SESSION_FAILED_AFTER_TLS],
            id="failed-after-tls",
        ),
        pytest.param(completed(tls_version="TLSv1.1"), [Code.TLS_VERSION_OBSOLETE], id="rfc8996"),
        pytest.param(
            completed(tls_version="TLSv1.2", secure_renegotiation=False),
            [Code.RENEGOTIATION_INSECURE],
            id="rfc5746-3.4",
        ),
        pytest.param(completed(tls_version="TLSv1.2", secure_renegotiation=True), [], id="rfc5746"),
        pytest.param(completed(cipher_bits=56), [Code.CIPHER_WEAK], id="cipher"),
        # RFC 9325 §4.5: 2048 bits are REQUIRED
        pytest.param(completed(key_exchange_bits=2047), [Code.DH_WEAK], id="dh-2047"),
        pytest.param(completed(key_exchange_bits=2048), [], id="dh-2048"),
        pytest.param(
            confirmed(handshake_failed(Reason.TLS_ERROR, key_exchange_bits=512)),
            [Code.TLS_FAILED, Code.DH_WEAK],
            id="dh-512-fails",
        ),
        pytest.param(completed(cipher_bits=112), [], id="cipher-of-112-bits"),
        pytest.param(completed(cipher_bits=None), [], id="cipher-bits-not-known"),
        pytest.param(
            completed(client_certificate_requested=True),
            [Code.CLIENT_CERTIFICATE_REQUESTED],
            id="client-certificate",
        ),
        pytest.param(
            completed(ehlo_keywords_tls=("SIZE 1", "STARTTLS")),
            [Code.STARTTLS_AFTER_TLS],
            id="rfc3207-4.2",
        ),
        pytest.param(
            merge_sessions(untested(reason=Reason.REFUSED), completed()),
            [],
            id="connection-refused-once",
        ),
    ],
)
def test_session_findings(facts: EndpointFacts, expected: list[Code]) -> None:
    assert codes(facts) == expected


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (AnomalyKind.BARE_LF, Code.BARE_LF),
        (AnomalyKind.UNSOLICITED, Code.UNSOLICITED_DATA),
        (AnomalyKind.STARTTLS_RESPONSE_INJECTION, Code.STARTTLS_RESPONSE_INJECTION),
        (AnomalyKind.MASKED, Code.MASKED_BY_MIDDLEBOX),
        (AnomalyKind.CHAIN_TRUNCATED, Code.CHAIN_TRUNCATED),
    ],
)
def test_anomalies_of_a_session_are_findings(kind: AnomalyKind, code: Code) -> None:
    assert codes(completed(anomalies=(Anomaly(kind=kind, detail="x"),))) == [code]


def test_what_was_seen_once_is_in_the_detail() -> None:
    ((_, detail),) = session_findings(not_offered(confirmed=Confirmed.NO))
    assert detail == "STARTTLS was not offered, in one session"
    ((_, detail),) = session_findings(replace(REFUSED, confirmed=Confirmed.NO))
    assert detail == "bad-reply at starttls"


def test_merging_never_turns_a_failure_to_look_into_a_counted_negative() -> None:
    sessions = [completed(), not_offered(), REFUSED, handshake_failed(), untested()]
    for first, second in itertools.product(sessions, repeat=2):
        if proven(merge_sessions(first, second)) is Outcome.NEGATIVE:
            assert outcome(first) is outcome(second) is Outcome.NEGATIVE


@pytest.mark.parametrize(
    ("keywords", "answer"),
    [
        pytest.param(None, Answer.NOT_TESTED, id="no-ehlo-over-tls"),
        pytest.param((), Answer.NO, id="none"),
        pytest.param(("REQUIRETLSX", "X REQUIRETLS"), Answer.NO, id="substring"),
        pytest.param(("SIZE 1", "REQUIRETLS"), Answer.YES, id="rfc8689-2"),
    ],
)
def test_requiretls(keywords: tuple[str, ...] | None, answer: Answer) -> None:
    assert offers_requiretls(completed(ehlo_keywords_tls=keywords)) is answer


def test_requiretls_in_clear_is_no_promise() -> None:  # RFC 8689 §2: advertised after STARTTLS
    facts = completed(ehlo_keywords=("STARTTLS", "REQUIRETLS"), ehlo_keywords_tls=("SIZE 1",))
    assert offers_requiretls(facts) is Answer.NO
