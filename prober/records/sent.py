"""Daily totals of sent mail, as logs count them and a record keeps them: no messages, no people."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple


class SentDay(NamedTuple):
    """One day (UTC) in the log of one mail server."""

    server: str  # as its log names it; empty where it does not
    software: str
    day: date


class Covered(NamedTuple):
    """Which part of a day was read: the first and the last attempt, and their number."""

    first: datetime
    last: datetime
    attempts: int


class SentCounts(NamedTuple):
    """Messages to one domain, each counted once for each recipient. docs/logs.md.

    ``below_verified``: what left in clear, or without the server's certificate verified.
    """

    encrypted: int = 0
    verified: int = 0  # of the encrypted ones
    below_verified: int = 0
    clear: int = 0
    held_back: int = 0
    unknown: int = 0

    @property
    def messages(self) -> int:
        """All of them."""
        return self.encrypted + self.clear + self.held_back + self.unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class SentTotals:
    """The totals of one day in one reading. ``before``: what the record had of that day."""

    of: SentDay
    before: Covered | None
    covered: Covered  # with what the record had
    replaces: bool  # all that the record had; else it is added to that
    domains: Mapping[str, SentCounts]


@dataclass(frozen=True, slots=True, kw_only=True)
class SentWeek:
    """What was sent to one domain in one week, over all servers; see ``SentCounts``."""

    domain: str
    week: date  # its Monday
    messages: int
    encrypted: int
    verified: int
    below_verified: int
    clear: int
    held_back: int
    unknown: int
