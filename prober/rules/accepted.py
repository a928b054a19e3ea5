"""Accepted exceptions: a domain that falls short, and that somebody answers for. 45 CFR 164.306(d).

An exception ends with its date, and where the domain gets worse than what was accepted.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

from prober.records import DomainReport, Level, Standing

ACCEPTABLE: Final = (
    Level.UNKNOWN,
    Level.NO_MAIL,
    Level.NONE,
    Level.PARTIAL,
    Level.OPPORTUNISTIC,
    Level.AUTHENTICATED,
)
_ORDER: Final = (
    Level.NONE,
    Level.PARTIAL,
    Level.OPPORTUNISTIC,
    Level.AUTHENTICATED,
    Level.ENFORCED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedException:
    """What is accepted of a domain: ``what`` is the lowest level; ``until`` is its last day."""

    domain: str
    what: Level
    why: str
    by: str
    until: date


def is_accepted(exception: AcceptedException, report: DomainReport, today: date) -> bool:
    """Whether *exception* covers that *report* does not meet what is required."""
    open_ = report.standing in (Standing.FALLS_SHORT, Standing.UNDECIDED)
    if not open_ or today > exception.until:
        return False
    level = report.verdict.level
    if level is exception.what:
        return True
    least = Level.OPPORTUNISTIC if exception.what not in _ORDER else exception.what
    return level in _ORDER and _ORDER.index(level) >= _ORDER.index(least)
