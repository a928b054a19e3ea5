"""The text that ``probe scan --db -q`` prints, for cron to mail: what changed, and what to do."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from prober.escape import printable
from prober.records.changes import Direction, DomainChanges
from prober.report.changes import text_line, worst_first
from prober.rules.accepted import AcceptedException

_MOST_LINES: Final = 500  # of one kind: a mail of more is not read


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A domain that falls short or is undecided. ``is_new``: looked at for the first time."""

    domain: str
    level: str
    standing: str
    is_new: bool
    is_told: bool


def compose(
    summary: str,
    changes: Iterable[DomainChanges],
    still_open: Sequence[Open],
    accepted: Iterable[AcceptedException],
) -> list[str]:
    """The lines of the mail; none where all meet and nothing that matters changed."""
    told = [each for each in worst_first(changes) if each.worst is not None]
    news = [each for each in told if each.worst is not Direction.BETTER]
    if not news and not still_open:
        return []
    lines = [summary]
    lines += _at_most(map(text_line, told))
    lines += _at_most(map(_first_line, (each for each in still_open if each.is_new)))
    lines += filter(None, [_as_before(still_open)])
    lines += _at_most(map(accepted_line, accepted))
    return lines


def _first_line(each: Open) -> str:
    return f"{each.standing:<11}  {printable(each.domain)}: {each.level}"


def _as_before(still_open: Iterable[Open]) -> str | None:
    old = [each.standing for each in still_open if not each.is_new and not each.is_told]
    if not old:
        return None
    short, invalid = old.count("falls-short"), old.count("invalid")
    verb = "falls" if short == 1 else "fall"
    also = f", {invalid} no domain" if invalid else ""
    return f"{short} {verb} short, {old.count('undecided')} undecided{also}, as before"


def accepted_line(exception: AcceptedException) -> str:
    """What is accepted of a domain, why, by whom, and until when."""
    text = f"{exception.domain}: {exception.what}, until {exception.until} by {exception.by}"
    return f"accepted     {printable(f'{text}: {exception.why}')}"


def _at_most(lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        if number == _MOST_LINES:
            yield "... and more: see the report"
            return
        yield line
