"""Retries: whether, with which hello and how soon; and which servers ask to slow down."""

import functools
from dataclasses import replace

import pytest

from prober.records import EndpointFacts, Failure, Hello, Reason, StartTls, Step
from prober.rules.endpoint import merge_sessions
from prober.rules.retry import FIRST, Lane, NextSession, asks_to_slow_down, next_session
from tests.support.builders import completed, endpoint, handshake_failed, not_offered, untested

REFUSED = endpoint(
    starttls=StartTls.REFUSED,
    failure=Failure(step=Step.STARTTLS, reason=Reason.BAD_REPLY, reply_code=454),
)
NO_ANSWER = untested()
DID_NOT_GREET = untested(Step.GREETING, Reason.TIMED_OUT)


def replied(code: int, step: Step = Step.GREETING, hello: Hello = Hello.DEFAULT) -> EndpointFacts:
    failure = Failure(step=step, reason=Reason.BAD_REPLY, reply_code=code)
    return endpoint(hello, failure=failure)


BUSY = replied(421)
FAILED = handshake_failed(Reason.RESET)
FAILED_SMALL = handshake_failed(Reason.RESET, Hello.SMALL)
FAILED_NO_SNI = handshake_failed(Reason.RESET, Hello.NO_SNI)
FAILED_CAPPED = handshake_failed(Reason.RESET, Hello.TLS12)


def after(*sessions: EndpointFacts, slow_lane: bool = True) -> NextSession | None:
    facts = functools.reduce(merge_sessions, sessions)
    return next_session(facts, busy_tries=3, slow_lane=slow_lane)


def look(hello: Hello = Hello.DEFAULT) -> NextSession:
    return NextSession(hello=hello, lane=Lane.RETRY)


@pytest.mark.parametrize(
    "sessions",
    [
        pytest.param([completed()], id="completed"),
        pytest.param([BUSY, completed()], id="completed-after-421"),
        pytest.param([untested(Step.EHLO, Reason.MASKED)], id="masked"),
        pytest.param([replied(554)], id="554-is-for-good"),
        pytest.param([replied(550, Step.EHLO)], id="550-is-for-good"),
        pytest.param([untested(reason=Reason.UNREACHABLE)], id="unreachable"),
        pytest.param([untested(reason=Reason.NO_IPV6_HERE)], id="no-way-there"),
        pytest.param([not_offered(), not_offered()], id="confirmed"),
        pytest.param([not_offered(), NO_ANSWER], id="not-confirmed"),
        pytest.param([NO_ANSWER, NO_ANSWER], id="asked-twice-in-vain"),
        pytest.param([NO_ANSWER, not_offered(), NO_ANSWER], id="seen-once-in-three"),
        pytest.param([BUSY, BUSY, BUSY], id="busy-as-often-as-we-try"),
        pytest.param([not_offered(), BUSY, BUSY, BUSY], id="busy-when-to-confirm"),
        pytest.param([FAILED, FAILED_SMALL, FAILED_NO_SNI, FAILED_CAPPED], id="by-every-hello"),
        pytest.param(
            [FAILED, completed(Hello.SMALL), FAILED], id="large-hello-failed-twice-and-small-not"
        ),
        pytest.param(
            [FAILED, completed(Hello.SMALL), completed()], id="large-hello-failed-only-once"
        ),
        pytest.param([FAILED, completed(Hello.SMALL), NO_ANSWER], id="large-hello-not-confirmed"),
        pytest.param([FAILED, not_offered()], id="then-not-offered"),
        pytest.param([replied(521)], id="521-takes-no-mail-rfc7504"),
        pytest.param(
            [FAILED_NO_SNI, handshake_failed(hello=Hello.NO_SNI_LARGE)], id="without-sni-twice"
        ),
    ],
)
def test_no_further_session(sessions: list[EndpointFacts]) -> None:
    assert after(*sessions) is None


def test_an_endpoint_that_was_not_contacted_is_not_retried() -> None:
    never = replace(untested(reason=Reason.PRIVATE_ADDRESS), attempts=())
    assert next_session(never, busy_tries=3, slow_lane=True) is None


@pytest.mark.parametrize(
    ("sessions", "again"),
    [
        pytest.param([not_offered()], look(), id="not-offered"),
        pytest.param([REFUSED], look(), id="starttls-refused"),
        pytest.param([handshake_failed(Reason.TLS_ERROR)], look(Hello.SMALL), id="garbage"),
        pytest.param([handshake_failed(Reason.RESET)], look(Hello.SMALL), id="reset"),
        pytest.param([handshake_failed(Reason.ALERT)], look(Hello.SMALL), id="alert"),
        pytest.param([FAILED, FAILED_SMALL], look(Hello.NO_SNI), id="then-without-sni"),
        pytest.param(
            [FAILED, FAILED_SMALL, FAILED_NO_SNI], look(Hello.TLS12), id="then-tls-1.2-at-most"
        ),
        pytest.param(
            [handshake_failed(Reason.ALERT), FAILED_SMALL, FAILED_NO_SNI],
            look(Hello.ANONYMOUS),
            id="then-without-a-certificate",
        ),
        pytest.param([FAILED_NO_SNI], look(Hello.NO_SNI_LARGE), id="without-sni-then-a-large-one"),
        pytest.param(
            [FAILED, FAILED_SMALL, replied(421, hello=Hello.NO_SNI)],
            look(Hello.TLS12),
            id="address-busy-without-sni",
        ),
        pytest.param([FAILED, completed(Hello.SMALL)], look(), id="large-hello-once-more"),
        pytest.param(
            [NO_ANSWER, FAILED, completed(Hello.SMALL)], look(), id="large-hello-after-a-time-out"
        ),
        pytest.param([NO_ANSWER, not_offered()], look(), id="seen-at-last-to-be-confirmed"),
        pytest.param([BUSY, not_offered()], look(), id="seen-after-421-to-be-confirmed"),
    ],
)
def test_a_negative_is_retried(sessions: list[EndpointFacts], again: NextSession) -> None:
    assert after(*sessions) == again


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(untested(reason=Reason.REFUSED), id="tcp-refused"),
        pytest.param(NO_ANSWER, id="connect-timed-out"),
        pytest.param(untested(Step.GREETING, Reason.CLOSED), id="closed"),
        pytest.param(untested(Step.EHLO, Reason.RESET), id="reset"),
        pytest.param(untested(Step.EHLO, Reason.TIMED_OUT), id="ehlo-timed-out"),
        pytest.param(untested(Step.GREETING, Reason.LOCAL), id="this-machine-was-busy"),
        pytest.param(replied(450), id="450"),
        pytest.param(replied(451, Step.EHLO), id="451-to-ehlo"),
    ],
)
def test_a_temporary_failure_is_retried_once(
    facts: EndpointFacts,
) -> None:
    assert after(facts) == look()


def test_a_missing_greeting_is_retried_with_a_longer_timeout_in_the_slow_lane() -> None:
    assert after(DID_NOT_GREET) == NextSession(hello=Hello.DEFAULT, lane=Lane.SLOW)
    assert after(DID_NOT_GREET, slow_lane=False) == look()
    assert after(DID_NOT_GREET, DID_NOT_GREET) is None


def test_the_wait_doubles_after_each_421() -> None:
    first, second = after(BUSY), after(BUSY, BUSY)
    assert first == NextSession(hello=Hello.DEFAULT, lane=Lane.BUSY, doublings=0)
    assert second == NextSession(hello=Hello.DEFAULT, lane=Lane.BUSY, doublings=1)


def test_a_421_in_a_retry_keeps_its_hello() -> None:
    busy = replied(421, hello=Hello.TLS12)
    again = after(handshake_failed(Reason.RESET), busy)
    assert again == NextSession(hello=Hello.TLS12, lane=Lane.BUSY, doublings=0)


def test_no_retry_without_sni_under_sni_only() -> None:
    facts = functools.reduce(merge_sessions, [FAILED, FAILED_SMALL])
    again = next_session(facts, busy_tries=3, slow_lane=True, sni_only=True)
    assert again == look(Hello.TLS12)


def test_a_421_to_starttls_is_busy_and_not_negative() -> None:
    again = after(replied(421, Step.STARTTLS))
    assert again is not None
    assert again.lane is Lane.BUSY


def test_the_first_session_is_the_ordinary_one() -> None:
    assert look() == FIRST


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(completed(), False, id="completed"),
        pytest.param(not_offered(), False, id="not-offered"),
        pytest.param(REFUSED, False, id="454-to-starttls"),
        pytest.param(replied(554), False, id="554"),
        pytest.param(handshake_failed(Reason.RESET), False, id="reset-in-the-handshake"),
        pytest.param(untested(Step.GREETING, Reason.LOCAL), False, id="this-machine"),
        pytest.param(untested(reason=Reason.UNREACHABLE), False, id="unreachable"),
        pytest.param(BUSY, True, id="421"),
        pytest.param(replied(421, Step.STARTTLS), True, id="421-to-starttls"),
        pytest.param(
            completed(failure=Failure(step=Step.POST_TLS, reason=Reason.BAD_REPLY, reply_code=421)),
            True,
            id="421-over-tls",
        ),
        pytest.param(replied(450), True, id="450-greeting"),
        pytest.param(untested(reason=Reason.REFUSED), True, id="refused"),
        pytest.param(NO_ANSWER, True, id="timed-out"),
        pytest.param(untested(Step.GREETING, Reason.CLOSED), True, id="hung-up"),
        pytest.param(untested(Step.EHLO, Reason.RESET), True, id="reset"),
    ],
)
def test_asks_to_slow_down(facts: EndpointFacts, expected: bool) -> None:
    assert asks_to_slow_down(facts) is expected
