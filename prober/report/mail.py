"""The text that ``probe scan --db -q`` prints, for cron to mail: what changed, and what to do."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from prober.records import Level, Standing
from prober.records.changes import Direction
from prober.records.history import RunNews
from prober.report.changes import text_line
from prober.report.summary import by_standing, capped, noted_line
from prober.rules.totals import NotedDomain

MAX_LINES: Final = 500  # of one kind: a mail of more is not read


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A domain that falls short or is undecided. ``is_new``: looked at for the first time."""

    domain: str
    standing: Standing
    level: Level
    checked_at: datetime
    is_new: bool
    is_told: bool


def compose(
    summary: str,
    news: RunNews,
    still_open: Sequence[Open],
    noted: Sequence[NotedDomain],
    exceptions: Iterable[str],
) -> list[str]:
    """The lines of the mail; none where all meet and nothing that matters changed.

    *noted* are the answers on MAX_LINES of those *still_open* that are new; *exceptions* the lines
    on accepted exceptions.
    """
    told = {direction: count for direction, count in news.counts.items() if direction is not None}
    if not still_open and told.keys() <= {Direction.BETTER}:
        return []
    worst_changes = (text_line(each) for each in news.changes if each.worst is not None)
    new = sum(each.is_new for each in still_open)
    worst = sorted(noted, key=lambda each: each.rank)
    return [
        summary,
        *capped(worst_changes, MAX_LINES, sum(told.values())),
        *capped(map(noted_line, worst), MAX_LINES, new),
        *_as_before(still_open),
        *exceptions,
    ]


def _as_before(still_open: Iterable[Open]) -> Iterator[str]:
    old = [each.standing for each in still_open if not each.is_new and not each.is_told]
    if old:
        yield f"As before: {by_standing({each: old.count(each) for each in old})}."
