"""Accepted exceptions: whether one covers that a domain falls short. 45 CFR 164.306(d)(3).

An exception ends with its last day, and where the domain is worse than what was accepted.
"""

import enum
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from prober.records import AcceptedException, DomainReport, Level, Standing

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
NO_EXCEPTIONS: Final[Mapping[str, AcceptedException]] = MappingProxyType({})


class ExceptionState(enum.StrEnum):
    """What an exception does for a report on its domain."""

    APPLIES = "applies"
    NOT_NEEDED = "not-needed"  # the domain meets the requirement, has no mail, or with --server
    ENDED = "ended"  # its last day was before the check
    EXCEEDED = "exceeded"  # the level is worse than the one that was accepted


def exception_state(
    exception: AcceptedException, standing: Standing, level: Level, checked_at: datetime
) -> ExceptionState:
    """What *exception* does for a domain that had *standing* and *level* at *checked_at*.

    The day is that of the check, so that a report that is written later says the same.
    """
    if standing not in (Standing.FALLS_SHORT, Standing.UNDECIDED):
        return ExceptionState.NOT_NEEDED
    if checked_at.astimezone(UTC).date() > exception.until:
        return ExceptionState.ENDED
    if level is exception.what or _is_no_worse(level, exception.what):
        return ExceptionState.APPLIES
    return ExceptionState.EXCEEDED


def _is_no_worse(level: Level, what: Level) -> bool:
    least = what if what in _ORDER else Level.OPPORTUNISTIC
    return level in _ORDER and _ORDER.index(level) >= _ORDER.index(least)


def covering(
    report: DomainReport,
    standing: Standing,
    exceptions: Mapping[str, AcceptedException],
) -> AcceptedException | None:
    """The exception that covers *report*, which has *standing*; None: it is not accepted.

    If *exceptions* has none for the domain, the one that the report was saved with counts. None
    covers a test of another server than the domain's own (``--server``).
    """
    found = exceptions.get(report.domain or "") or report.accepted
    if found is None or found.domain != report.domain or report.server is not None:
        return None
    return found if covers(found, standing, report.verdict.level, report.checked_at) else None


def covers(
    exception: AcceptedException, standing: Standing, level: Level, checked_at: datetime
) -> bool:
    """Whether *exception* covers a domain that had *standing* and *level* at *checked_at*."""
    return exception_state(exception, standing, level, checked_at) is ExceptionState.APPLIES
