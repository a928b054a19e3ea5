"""What a run waits for at this moment, and what it knows by now.

Only a run that somebody watches has a ``Watch``; any other notes nothing.
"""

import enum
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from time import monotonic

from prober.records import DomainReport, EndpointFacts, Failure


class Awaited(enum.StrEnum):
    """What is waited for, in words that a name follows. The steps of a session are named as such.

    ``RESOLVE``: the bound is that of one question, and there are several.
    """

    RESOLVE = "DNS answers about"
    POLICY = "the MTA-STS policy of"
    TURN = "a turn to connect to"
    CONNECT = "a connection to"
    GREETING = "the greeting of"
    EHLO = "the reply to EHLO from"
    STARTTLS = "the reply to STARTTLS from"
    HANDSHAKE = "the TLS handshake with"
    POST_TLS = "the reply to EHLO over TLS from"
    NEXT_SESSION = "the next session with"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One wait: for what, on which host, and since when (seconds of the monotonic clock).

    ``at_most_s``: after so many seconds it ends; None where nobody knows. ``after`` is the failure
    of the session before, if there was one.
    """

    awaited: Awaited
    host: str
    at_most_s: float | None = None
    after: Failure | None = None
    since: float = field(default_factory=monotonic)


@dataclass(frozen=True, slots=True, kw_only=True)
class InHand:
    """A domain that was begun; ``so_far`` gives the report on what is known of it by now."""

    so_far: Callable[[], DomainReport]
    since: float = field(default_factory=monotonic)


@dataclass(frozen=True, slots=True)
class Watch:
    """What is waited for, what is known of endpoints, and the domains that were begun.

    A place is whatever causes one wait at a time, such as an endpoint. What is cancelled stays, so
    that it can be looked at afterwards.
    """

    waits: dict[Hashable, Wait] = field(default_factory=dict)
    known: dict[Hashable, EndpointFacts] = field(default_factory=dict)
    begun: dict[int, InHand] = field(default_factory=dict)  # by the position in the list
