"""Counts: per domain and week, in total, and what was not understood. docs/logs.md."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final, Generic, TypeVar

from prober.logs.base import NO_TLS, Bounded
from prober.logs.objects import AdviceObject
from prober.logs.records import (
    Content,
    Delivery,
    Direction,
    Level,
    Scope,
    Session,
    Tls,
    falls_short,
)
from prober.records.sent import SentCounts

MAX_GROUPS: Final = 100_000  # domains times weeks; what comes later is counted together
MAX_HELD: Final = 200_000  # recipients whose last attempt failed, until one succeeds
PERHAPS_LEFT: Final = "the attempt failed, and the log does not say whether after the message"
UNREAD: Final = "a line of the mail server was not understood"
OTHERS: Final = "(others)"
NO_DOMAIN: Final = "(none)"

Key = tuple[Direction, str, date]
K = TypeVar("K")


def messages(count: int) -> str:
    """*count* with its noun."""
    return f"{count} message{'' if count == 1 else 's'}"


@dataclass(slots=True)
class Counts:
    """Messages, each counted once for each recipient it was for.

    A message that a server took in and then refused has left, and counts as such; so does each
    later attempt that sends it again.
    """

    encrypted: int = 0
    verified: int = 0  # of the encrypted ones
    clear: int = 0
    held_back: int = 0
    unknown: int = 0
    below_verified: int = 0  # in clear, or encrypted and not verified
    versions: Counter[str] = field(default_factory=Counter)
    last_clear: datetime | None = None

    @property
    def messages(self) -> int:
        """All of them."""
        return self.encrypted + self.clear + self.held_back + self.unknown

    def add(self, other: "Counts") -> None:
        """Count what *other* counted, too."""
        for name in SentCounts._fields:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.last_clear = max(filter(None, (self.last_clear, other.last_clear)), default=None)
        self.versions.update(other.versions)

    def left(self, session: Session, time: datetime) -> None:
        """Count one message that left at *time*."""
        is_below = falls_short(session, Level.VERIFIED)
        self.below_verified += is_below is True
        if session.tls is Tls.ENCRYPTED:
            self.encrypted += 1
            self.verified += is_below is False
            self.versions[session.version or "TLS"] += 1
        elif session.tls is Tls.CLEAR:
            self.clear += 1
            self.last_clear = max(filter(None, (self.last_clear, time)))
        else:
            self.unknown += 1


@dataclass(slots=True)
class Groups(Generic[K]):
    """Counts by a key. A message that is held back counts as such until one attempt succeeds."""

    counts: dict[K, Counts] = field(default_factory=dict)
    _held: Bounded[bytes, K] = field(default_factory=lambda: Bounded(MAX_HELD))

    def add(self, key: K, delivery: Delivery) -> None:
        """Count one attempt."""
        counts = self.counts.setdefault(key, Counts())
        recipient = _digest(delivery)
        if delivery.content is not Content.LEFT:
            if self._held.get(recipient) is None:
                self._held.put(recipient, key)
                counts.held_back += 1
            return
        before = self._held.pop(recipient)
        if before is not None:
            self.counts[before].held_back -= 1
        counts.left(delivery.session, delivery.time)


@dataclass(slots=True)
class Summary:
    """What one run has seen so far."""

    at_least: Level = Level.ENCRYPTED
    one_message: bool = False  # is asked for
    reasons: Counter[str] = field(default_factory=Counter)  # why TLS is unknown, outside only
    internal: int = 0
    local: int = 0
    below: int = 0  # left below --at-least, outside
    undecided: int = 0  # left, and it is not known how
    first: datetime | None = None
    last: datetime | None = None
    lines: int = 0
    server_lines: int = 0  # of mail servers
    other_lines: int = 0  # of other programs
    unread: int = 0
    dropped: int = 0  # entries that were forgotten because of a bound
    faults: int = 0  # of this program; such lines are not understood
    advice: tuple[AdviceObject, ...] = ()
    _groups: Groups[Key] = field(default_factory=Groups)

    @property
    def groups(self) -> dict[Key, Counts]:
        """The counts by direction, domain and week."""
        return self._groups.counts

    def add(self, delivery: Delivery, scope: Scope) -> None:
        """Count one attempt."""
        if self.first is None or delivery.time < self.first:
            self.first = delivery.time
        if self.last is None or delivery.time > self.last:
            self.last = delivery.time
        if scope is not Scope.OUTSIDE:
            self.internal += scope is Scope.INTERNAL
            self.local += scope is Scope.LOCAL
            return
        self._groups.add(self._key(delivery), delivery)
        if delivery.content is Content.LEFT:
            self._left(delivery)
        elif delivery.content is Content.UNKNOWN:
            self._perhaps_left(delivery)

    def _left(self, delivery: Delivery) -> None:
        session = delivery.session
        if delivery.direction is Direction.OUT:
            is_below = falls_short(session, self.at_least)
            self.below += is_below is True
            self.undecided += is_below is None
        if session.tls is Tls.UNKNOWN:
            self.reasons[session.why or NO_TLS] += 1

    def _perhaps_left(self, delivery: Delivery) -> None:
        """A failed attempt of which the log does not say how far it came."""
        is_below = falls_short(delivery.session, self.at_least)
        if is_below is not False and delivery.direction is Direction.OUT:
            self.undecide(PERHAPS_LEFT)

    def undecide(self, why: str) -> None:
        """Count a message that may have left, and may have left in clear."""
        self.undecided += 1
        self.reasons[why] += 1

    def _key(self, delivery: Delivery) -> Key:
        day = delivery.time.date()
        week = day - timedelta(days=day.weekday())
        key = (delivery.direction, delivery.domain or NO_DOMAIN, week)
        if key not in self.groups and len(self.groups) >= MAX_GROUPS:
            return (delivery.direction, OTHERS, week)
        return key

    def total(self, direction: Direction = Direction.OUT) -> Counts:
        """Everything outside, in one."""
        total = Counts()
        for (way, _, _), counts in self.groups.items():
            if way is direction:
                total.add(counts)
        return total

    def rows(self) -> Iterator[tuple[Key, Counts]]:
        """Each domain and week: most in clear first, then most unknown, then most messages."""

        def order(item: tuple[Key, Counts]) -> tuple[int, int, int, Key]:
            return (-item[1].clear, -item[1].unknown, -item[1].messages, item[0])

        yield from sorted(((k, c) for k, c in self.groups.items() if c.messages), key=order)


def _digest(delivery: Delivery) -> bytes:
    """Stands for one message to one recipient: 16 bytes in place of three texts."""
    parts = (delivery.server, delivery.queue_id, delivery.recipient or "")
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=16).digest()
