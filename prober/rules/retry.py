"""Whether to ask an endpoint again, with which hello, and how soon. docs/verdict.md.

A negative wants a second look; a server that could not be asked wants another chance. What is said
here of one session also tells whoever sets the pace that a server feels pressed.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from prober.records import Attempt, EndpointFacts, Failure, Hello, Reason, Step
from prober.rules.endpoint import Outcome, failed_in_handshake, outcome, uses_sni

SERVICE_CLOSING: Final = 421  # RFC 5321 §3.8: at any time, and no answer to what was asked


class Lane(enum.StrEnum):
    """Where a further session queues."""

    SECOND_LOOK = "second-look"  # after a moment
    BUSY = "busy"  # after longer each time: the server said that it is busy
    SLOW = "slow"  # beside the rest, with the patience that RFC 5321 asks of senders


@dataclass(frozen=True, slots=True, kw_only=True)
class NextSession:
    """One further session. ``doublings``: how often the wait before it doubles."""

    hello: Hello
    lane: Lane
    doublings: int = 0


FIRST: Final = NextSession(hello=Hello.DEFAULT, lane=Lane.SECOND_LOOK)
FIRST_WITHOUT_SNI: Final = NextSession(hello=Hello.NO_SNI, lane=Lane.SECOND_LOOK)


def next_session(
    facts: EndpointFacts, *, busy_tries: int, slow_lane: bool, sni_only: bool = False
) -> NextSession | None:
    """The session to make after those in *facts*, or None where they tell all there is to learn.

    A negative is looked at twice; a failed handshake by each hello that common senders use, and
    without SNI unless *sni_only*. What could not be asked for a passing reason is asked once more;
    a 421 is obeyed, *busy_tries* sessions in all. With *slow_lane*, a server that did not greet in
    time is asked with more patience.
    """
    if outcome(facts) is Outcome.COMPLETED or not facts.attempts:
        return None
    first, last = facts.attempts[0], facts.attempts[-1]
    seen = outcome(last)
    if seen is not Outcome.NEGATIVE and uses_sni(first.hello) and not uses_sni(last.hello):
        # the address was asked without SNI as often as it takes
        return NextSession(hello=_capped(facts.attempts), lane=Lane.SECOND_LOOK)
    busy = sum(map(is_busy, facts.attempts))
    if is_busy(last):
        again = NextSession(hello=last.hello, lane=Lane.BUSY, doublings=busy - 1)
        return again if busy < busy_tries else None
    looks = [attempt for attempt in facts.attempts if outcome(attempt) is Outcome.NEGATIVE]
    troubles = len(facts.attempts) - busy - len(looks)
    if troubles >= 2:
        return None
    if seen is Outcome.NEGATIVE:
        hello = _next_hello(looks, sni_only=sni_only)
        return None if hello is None else NextSession(hello=hello, lane=Lane.SECOND_LOOK)
    return None if looks else _after_trouble(last, slow_lane=slow_lane)


def _next_hello(looks: Sequence[Attempt], *, sni_only: bool) -> Hello | None:
    """The ClientHello that shows more after *looks*, all of them negative; None: none does.

    A server, or a middlebox before it, may refuse a large hello, an SNI that it does not know, or
    TLS 1.3. An alert may also mean that it has only suites without a certificate.
    """
    last = looks[-1]
    if not failed_in_handshake(last):
        return last.hello if len(looks) < 2 else None
    if not uses_sni(looks[0].hello):
        hellos: tuple[Hello, ...] = (Hello.NO_SNI_LARGE,)
    else:
        capped = _capped(looks)
        hellos = (Hello.SMALL, capped) if sni_only else (Hello.SMALL, Hello.NO_SNI, capped)
    tried = {look.hello for look in looks}
    if tried & {Hello.ANONYMOUS, Hello.TLS12}:
        return None
    return next((hello for hello in hellos if hello not in tried), None)


def _capped(attempts: Sequence[Attempt]) -> Hello:
    """The last ClientHello to try: TLS 1.2 at most, and after an alert without a certificate."""
    failures = [attempt.failure for attempt in attempts if attempt.failure is not None]
    alerted = any(failure.reason is Reason.ALERT for failure in failures)
    return Hello.ANONYMOUS if alerted else Hello.TLS12


_PASSING: Final = frozenset(
    {Reason.TIMED_OUT, Reason.REFUSED, Reason.RESET, Reason.CLOSED, Reason.LOCAL}
)


def _after_trouble(last: Attempt, *, slow_lane: bool) -> NextSession | None:
    failure = last.failure
    if failure is None or not (failure.reason in _PASSING or _is_transient(failure)):
        return None
    did_not_greet = (failure.step, failure.reason) == (Step.GREETING, Reason.TIMED_OUT)
    lane = Lane.SLOW if did_not_greet and slow_lane else Lane.SECOND_LOOK
    return NextSession(hello=last.hello, lane=lane)


def _is_transient(failure: Failure) -> bool:
    """RFC 5321 §4.2.1: 4yz asks to come back."""
    return failure.reply_code is not None and 400 <= failure.reply_code < 500


def is_busy(attempt: Attempt) -> bool:
    """Whether the session was ended by a 421 before it could tell anything."""
    failure = attempt.failure
    said_so = failure is not None and failure.reply_code == SERVICE_CLOSING
    return said_so and outcome(attempt) is Outcome.NOT_TESTED


_SLOWING_REASONS: Final = frozenset({Reason.TIMED_OUT, Reason.REFUSED, Reason.RESET, Reason.CLOSED})
_BEFORE_STARTTLS: Final = frozenset({Step.CONNECT, Step.GREETING, Step.EHLO})


def asks_to_slow_down(facts: EndpointFacts) -> bool:
    """Whether one session ended in a way that servers end them to be left in peace.

    A 421 at any step, a 4yz before STARTTLS, and what rate limiters and firewalls do without a
    word: to refuse, to say nothing, to hang up. RFC 5321 §3.8 has only the 421.
    """
    failure = facts.failure
    if failure is None:
        return False
    if failure.reply_code == SERVICE_CLOSING:
        return True
    early = failure.step in _BEFORE_STARTTLS
    return early and (failure.reason in _SLOWING_REASONS or _is_transient(failure))
