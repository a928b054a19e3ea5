"""Decides whether to retry an endpoint, with which ClientHello, and how soon. docs/verdict.md.

A negative result is confirmed by a second session. An endpoint that could not be tested for a
temporary reason is tried once more. ``is_busy`` and ``asks_to_slow_down`` also serve the rate
limit.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from prober.records import Attempt, EndpointFacts, Failure, Hello, Reason, Step
from prober.rules.endpoint import Outcome, failed_in_handshake, outcome, uses_sni

SERVICE_CLOSING: Final = 421  # RFC 5321 §3.8: may come at any time, and does not answer the command


class Lane(enum.StrEnum):
    """How a further session waits."""

    RETRY = "retry"  # after a short wait
    BUSY = "busy"  # the server is busy; the wait doubles each time
    SLOW = "slow"  # with the long time-outs that RFC 5321 requires of senders


@dataclass(frozen=True, slots=True, kw_only=True)
class NextSession:
    """One further session. ``doublings`` says how often the wait before it is doubled."""

    hello: Hello
    lane: Lane
    doublings: int = 0


FIRST: Final = NextSession(hello=Hello.DEFAULT, lane=Lane.RETRY)
FIRST_WITHOUT_SNI: Final = NextSession(hello=Hello.NO_SNI, lane=Lane.RETRY)


def next_session(
    facts: EndpointFacts, *, busy_tries: int, slow_lane: bool, sni_only: bool = False
) -> NextSession | None:
    """The session to make after those in *facts*, or None where no further session would help.

    - A negative result is tried twice.
    - A failed handshake is tried with each hello that common senders use. *sni_only* leaves out
      those without SNI. Where the small hello completes, the first one is tried once more, to tell
      its size from chance.
    - A temporary failure is tried once more.
    - A 421 is tried again later, up to *busy_tries* sessions in total.
    - With *slow_lane*, a server that did not greet in time is tried with a longer time-out.
    """
    if not facts.attempts:
        return None
    if outcome(facts) is Outcome.COMPLETED:
        return FIRST if facts.attempts[-1].hello is Hello.SMALL else None
    first, last = facts.attempts[0], facts.attempts[-1]
    seen = outcome(last)
    if seen is not Outcome.NEGATIVE and uses_sni(first.hello) and not uses_sni(last.hello):
        # the sessions without SNI are done
        return NextSession(hello=_last_hello(facts.attempts), lane=Lane.RETRY)
    busy = sum(map(is_busy, facts.attempts))
    if is_busy(last):
        retry = NextSession(hello=last.hello, lane=Lane.BUSY, doublings=busy - 1)
        return retry if busy < busy_tries else None
    negatives = [attempt for attempt in facts.attempts if outcome(attempt) is Outcome.NEGATIVE]
    untested = len(facts.attempts) - busy - len(negatives)
    if untested >= 2:
        return None
    if seen is Outcome.NEGATIVE:
        hello = _next_hello(negatives, sni_only=sni_only)
        return None if hello is None else NextSession(hello=hello, lane=Lane.RETRY)
    return None if negatives else _retry_untested(last, slow_lane=slow_lane)


def _next_hello(negatives: Sequence[Attempt], *, sni_only: bool) -> Hello | None:
    """The ClientHello to try after *negatives*, which are all negative; None if none would help.

    A server, or a middlebox before it, may refuse a large hello, an unknown SNI, or TLS 1.3. An
    alert may also mean that the server has only suites without a certificate.
    """
    last = negatives[-1]
    if not failed_in_handshake(last):
        return last.hello if len(negatives) < 2 else None
    if not uses_sni(negatives[0].hello):
        hellos: tuple[Hello, ...] = (Hello.NO_SNI_LARGE,)
    else:
        last_hello = _last_hello(negatives)
        hellos = (Hello.SMALL, last_hello) if sni_only else (Hello.SMALL, Hello.NO_SNI, last_hello)
    tried = {attempt.hello for attempt in negatives}
    if tried & {Hello.ANONYMOUS, Hello.TLS12}:
        return None
    return next((hello for hello in hellos if hello not in tried), None)


def _last_hello(attempts: Sequence[Attempt]) -> Hello:
    """The last ClientHello to try: only TLS 1.2, or after an alert one without a certificate."""
    failures = [attempt.failure for attempt in attempts if attempt.failure is not None]
    alerted = any(failure.reason is Reason.ALERT for failure in failures)
    return Hello.ANONYMOUS if alerted else Hello.TLS12


_TEMPORARY_REASONS: Final = frozenset(
    {Reason.TIMED_OUT, Reason.REFUSED, Reason.RESET, Reason.CLOSED, Reason.LOCAL}
)


def _retry_untested(last: Attempt, *, slow_lane: bool) -> NextSession | None:
    failure = last.failure
    if failure is None or not (failure.reason in _TEMPORARY_REASONS or _is_transient(failure)):
        return None
    did_not_greet = (failure.step, failure.reason) == (Step.GREETING, Reason.TIMED_OUT)
    lane = Lane.SLOW if did_not_greet and slow_lane else Lane.RETRY
    return NextSession(hello=last.hello, lane=lane)


def _is_transient(failure: Failure) -> bool:
    """Whether the reply was 4yz: try again later. RFC 5321 §4.2.1."""
    return failure.reply_code is not None and 400 <= failure.reply_code < 500


def is_busy(attempt: Attempt) -> bool:
    """Whether a 421 ended the session before it showed anything."""
    failure = attempt.failure
    said_so = failure is not None and failure.reply_code == SERVICE_CLOSING
    return said_so and outcome(attempt) is Outcome.NOT_TESTED


_SLOWING_REASONS: Final = frozenset({Reason.TIMED_OUT, Reason.REFUSED, Reason.RESET, Reason.CLOSED})
_BEFORE_STARTTLS: Final = frozenset({Step.CONNECT, Step.GREETING, Step.EHLO})


def asks_to_slow_down(facts: EndpointFacts) -> bool:
    """Whether the session ended as servers end sessions of clients that connect too often.

    That is a 421 at any step, a 4yz before STARTTLS, or what rate limiters and firewalls do:
    refuse, stay silent, or close. RFC 5321 §3.8 defines only the 421.
    """
    failure = facts.failure
    if failure is None:
        return False
    if failure.reply_code == SERVICE_CLOSING:
        return True
    early = failure.step in _BEFORE_STARTTLS
    return early and (failure.reason in _SLOWING_REASONS or _is_transient(failure))
