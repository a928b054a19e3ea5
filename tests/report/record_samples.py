"""What a record says, as plain records: changes, histories and runs, some of them hostile."""

from collections import Counter
from datetime import date, timedelta

from prober.records import Level, Standing
from prober.records.changes import Change, ChangeCode, ChangeCounts, Direction, DomainChanges
from prober.records.history import DomainHistory, DomainInRun, RecordedRun, RunList, RunNews
from prober.records.sent import SentWeek
from tests.support.builders import NOW

WEEK = timedelta(days=7)


def change(
    direction: Direction = Direction.WORSE,
    code: ChangeCode = ChangeCode.STARTTLS,
    *,
    text: str = "TLS completes",
    told: bool = True,
) -> Change:
    return Change(
        code=code,
        direction=direction,
        mx_host=f"mx.{text}",
        addresses=(text,),
        before=text,
        after=None if direction is Direction.LOST_SIGHT else text,
        last_seen=NOW,
        since=NOW + WEEK,
        told=told,
    )


def changes(text: str = "TLS completes") -> tuple[DomainChanges, ...]:
    """A domain of each direction, the worst first, then one with routine changes only."""
    found = [
        DomainChanges(f"{each.value}.example", (change(each, text=text),)) for each in Direction
    ]
    routine = change(Direction.OTHER, ChangeCode.CERTIFICATE, text=text, told=False)
    return (*found, DomainChanges("routine.example", (routine,)))


def counts_of(*found: DomainChanges, unchanged: int = 0) -> ChangeCounts:
    counts = ChangeCounts(compared=unchanged)
    for each in found:
        counts.add(each)
    return counts


def history_of(domain: str, *standings: Standing, text: str = "TLS completes") -> DomainHistory:
    """A run a week; where the standing is another, something changed."""
    seen = []
    for week, standing in enumerate(standings):
        differs = week > 0 and standing is not standings[week - 1]
        seen.append(
            DomainInRun(
                domain=domain,
                run=week + 1,
                checked_at=NOW + week * WEEK,
                level=Level.AUTHENTICATED if standing is Standing.MEETS else Level.NONE,
                standing=standing,
                changes=(change(text=text),) if differs else (),
            )
        )
    return DomainHistory(domain, tuple(seen), tuple(sent(clear) for clear in (0, 1, 0)))


def sent(clear: int, *, unknown: int = 1) -> SentWeek:
    return SentWeek(
        domain="example.com",
        week=date(2026, 3, 9),
        messages=3 + clear + unknown,
        encrypted=2,
        verified=1,
        below_verified=1 + clear,
        clear=clear,
        held_back=1,
        unknown=unknown,
    )


def run(
    number: int, *, list_: str = "list.txt", fails: int = 1, finished: bool = True
) -> RecordedRun:
    at = NOW + number * WEEK
    return RecordedRun(
        id=number,
        list=list_,
        requirement="opportunistic",
        version="0",
        started_at=at,
        finished_at=at if finished else None,
        observations=10,
        standings={Standing.MEETS: 10 - fails, Standing.FALLS_SHORT: fails},
    )


def run_list(text: str = "list.txt") -> RunList:
    """Three runs of one list, the newest not finished, and one of another."""
    other = run(1, list_="other.txt")
    return RunList(
        (run(4, list_=text, finished=False), run(3, list_=text), run(2, list_=text), other)
    )


def news(text: str = "TLS completes", weeks: int = 3) -> RunNews:
    runs = tuple(run(week, fails=week) for week in range(weeks, 0, -1))
    return news_of(changes(text) if weeks > 1 else (), runs)


def news_of(found: tuple[DomainChanges, ...], runs: tuple[RecordedRun, ...]) -> RunNews:
    return RunNews(changes=found, counts=dict(Counter(each.worst for each in found)), runs=runs)
