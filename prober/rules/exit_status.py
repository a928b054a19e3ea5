"""The exit status of a run: a function of what was counted. README has the table."""

from typing import Final

from prober.records import Standing
from prober.records.changes import ChangeCounts, Direction
from prober.rules.totals import Totals

MEETS_ALL: Final = 0
SOME_FALL_SHORT: Final = 1
SOME_INVALID: Final = 2
SOME_UNDECIDED: Final = 3
CANNOT_SEE: Final = 4
NOT_WRITTEN: Final = 5
FAULT_OF_OURS: Final = 70  # EX_SOFTWARE: 1 would say that a domain falls short
INTERRUPTED: Final = 130  # 128 + SIGINT
PIPE_CLOSED: Final = 141  # 128 + SIGPIPE
TERMINATED: Final = 143  # 128 + SIGTERM


def exit_status(totals: Totals) -> int:
    """The first that applies of: cannot see, a fault of ours, falls short, invalid, undecided.

    A domain that an exception covers counts neither as falling short nor as undecided.
    """
    if totals.why_blind is not None:
        return CANNOT_SEE
    if totals.faults:
        return FAULT_OF_OURS
    standings = totals.not_accepted
    if Standing.FALLS_SHORT in standings:
        return SOME_FALL_SHORT
    if Standing.INVALID in standings:
        return SOME_INVALID
    if Standing.UNDECIDED in standings:
        return SOME_UNDECIDED
    return MEETS_ALL


def diff_status(counts: ChangeCounts) -> int:
    """Of a comparison: something is worse, or something could not be seen, or neither."""
    if Direction.WORSE in counts.by_worst:
        return SOME_FALL_SHORT
    return SOME_UNDECIDED if Direction.LOST_SIGHT in counts.by_worst else MEETS_ALL
