"""Whether to ask an endpoint again, with which hello, and how soon. docs/verdict.md.

A negative wants a second look; a server that could not be asked wants another chance. What is said
here of one session also tells whoever sets the pace that a server feels pressed.
"""

import enum
from dataclasses import dataclass
from typing import Final

from prober.records import Attempt, EndpointFacts, Failure, Hello, Reason, Step
from prober.rules.endpoint import Outcome, outcome

SERVICE_CLOSING: Final = 421  # RFC 5321 §3.8: at any time, and no answer to what was asked


class Lane(enum.StrEnum):
    """Where a further session queues."""

    SECOND_LOOK = "second-look"  # after a moment
    BUSY = "busy"  # after longer each time: the server said that it is busy
    SLOW = "slow"  # beside the rest, with the patience that RFC 5321 asks of senders


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """One further session. ``doublings``: how often the wait before it doubles."""

    hello: Hello
    lane: Lane
    doublings: int = 0


FIRST: Final = Again(hello=Hello.DEFAULT, lane=Lane.SECOND_LOOK)


def next_session(facts: EndpointFacts, *, busy_tries: int, slow_lane: bool) -> Again | None:
    """The session to make after those in *facts*, or None where they tell all there is to learn.

    A negative is looked at twice; what could not be asked for a passing reason is asked once more;
    a 421 is obeyed, *busy_tries* sessions in all. With *slow_lane*, who did not greet in time is
    asked with more patience.
    """
    if outcome(facts) is Outcome.COMPLETED or not facts.attempts:
        return None
    last = facts.attempts[-1]
    busy = sum(map(is_busy, facts.attempts))
    if is_busy(last):
        again = Again(hello=last.hello, lane=Lane.BUSY, doublings=busy - 1)
        return again if busy < busy_tries else None
    looks = sum(outcome(attempt) is Outcome.NEGATIVE for attempt in facts.attempts)
    troubles = len(facts.attempts) - busy - looks
    if looks >= 2 or troubles >= 2:
        return None
    if outcome(last) is Outcome.NEGATIVE:
        return Again(hello=_hello_after(last.failure), lane=Lane.SECOND_LOOK)
    return None if looks else _after_trouble(last, slow_lane=slow_lane)


_TOO_LARGE_LOOKS_LIKE: Final = frozenset({Reason.RESET, Reason.CLOSED, Reason.TIMED_OUT})


def _hello_after(failure: Failure | None) -> Hello:
    """A ClientHello that tells why a negative is one.

    A ClientHello with ML-KEM is more than one packet, and some middleboxes drop or reset it: ask
    again with a small one. An alert may mean that the server has only suites without certificate.
    """
    if failure is None or failure.step is not Step.HANDSHAKE:
        return Hello.DEFAULT
    if failure.reason in _TOO_LARGE_LOOKS_LIKE:
        return Hello.TLS12
    return Hello.ANONYMOUS if failure.reason is Reason.ALERT else Hello.DEFAULT


_PASSING: Final = frozenset(
    {Reason.TIMED_OUT, Reason.REFUSED, Reason.RESET, Reason.CLOSED, Reason.LOCAL}
)


def _after_trouble(last: Attempt, *, slow_lane: bool) -> Again | None:
    failure = last.failure
    if failure is None or not (failure.reason in _PASSING or _is_transient(failure)):
        return None
    did_not_greet = (failure.step, failure.reason) == (Step.GREETING, Reason.TIMED_OUT)
    lane = Lane.SLOW if did_not_greet and slow_lane else Lane.SECOND_LOOK
    return Again(hello=last.hello, lane=lane)


def _is_transient(failure: Failure) -> bool:
    """RFC 5321 §4.2.1: 4yz asks to come back."""
    return failure.reply_code is not None and 400 <= failure.reply_code < 500


def is_busy(attempt: Attempt) -> bool:
    """Whether the session was ended by a 421 before it could tell anything."""
    failure = attempt.failure
    said_so = failure is not None and failure.reply_code == SERVICE_CLOSING
    return said_so and outcome(attempt) is Outcome.NOT_TESTED


_PRESSED: Final = frozenset({Reason.TIMED_OUT, Reason.REFUSED, Reason.RESET, Reason.CLOSED})
_BEFORE_STARTTLS: Final = frozenset({Step.CONNECT, Step.GREETING, Step.EHLO})


def feels_pressed(facts: EndpointFacts) -> bool:
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
    return early and (failure.reason in _PRESSED or _is_transient(failure))
