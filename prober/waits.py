"""What a run waits for at this moment, and what it knows so far.

Only a run whose caller shows it has a ``Watch``.
"""

import enum
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from time import monotonic

from prober.records import DomainReport, EndpointFacts, Failure


class Awaited(enum.StrEnum):
    """What a run waits for, in words that a name follows. Steps of a session have the step's name.

    For ``RESOLVE`` the bound is that of one question, and there are several.
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
    """One wait: for what, for which host, and since when (seconds of the monotonic clock).

    ``at_most_s`` is the longest it can take, in seconds, or None if that is not known. ``after`` is
    the failure of the session before, if there was one.
    """

    awaited: Awaited
    host: str
    at_most_s: float | None = None
    after: Failure | None = None
    since: float = field(default_factory=monotonic)


@dataclass(frozen=True, slots=True, kw_only=True)
class InHand:
    """A domain that was started. ``so_far`` returns the report on what is known of it now."""

    so_far: Callable[[], DomainReport]
    since: float = field(default_factory=monotonic)


@dataclass(frozen=True, slots=True)
class Watch:
    """What the run waits for, what is known of endpoints, and the domains that were started.

    The key of a wait is whatever waits for one thing at a time, such as an endpoint. Entries of
    cancelled tasks stay, so that the caller can show them.
    """

    waits: dict[Hashable, Wait] = field(default_factory=dict)
    known: dict[Hashable, EndpointFacts] = field(default_factory=dict)
    begun: dict[int, InHand] = field(default_factory=dict)  # by the position in the list
