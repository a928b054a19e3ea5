"""What `probe logs` gives to each format: the columns, the rows, the JSON. docs/logs.md."""

from collections.abc import Iterator
from functools import partial
from operator import attrgetter
from typing import Final

import msgspec

from prober.escape import utc
from prober.logs.objects import (
    AdviceObject,
    AttemptObject,
    GroupObject,
    SummaryObject,
    TotalObject,
)
from prober.logs.records import LOGS_SCHEMA, Attempt
from prober.logs.summary import Counts, Summary
from prober.logs.text import (
    LogsText,
    StoryText,
    about_lines,
    headline,
    is_clear,
    next_steps,
    versions_of,
)
from prober.report.interface import Formatter, Kind, R, Row, Sheet
from prober.report.json_ import encode_report

COLUMNS: Final = AttemptObject.__struct_fields__[1:]  # all but the schema
_WHICH: Final = attrgetter(*COLUMNS[1:10])  # of a delivery
_SESSION: Final = attrgetter("tls", "why", "version", *COLUMNS[14:17])
_END: Final = attrgetter(*COLUMNS[17:])
COUNTS: Final = TotalObject.__struct_fields__
SUMMARY_COLUMNS: Final = GroupObject.__struct_fields__


def to_row(attempt: Attempt) -> Row:
    """One attempt, in the order of ``COLUMNS``."""
    delivery, scope = attempt
    which, session, end = _WHICH(delivery), _SESSION(delivery.session), _END(delivery)
    return (utc(delivery.time), *which, scope, *session, *end)


def to_summary_rows(summary: Summary) -> Iterator[Row]:
    """One row per direction, domain and week, in the order of ``SUMMARY_COLUMNS``."""
    for (direction, domain, week), counts in summary.rows():
        numbers = _numbers(counts).values()
        yield (direction, domain, week.isoformat(), *numbers, versions_of(counts))


def _numbers(counts: Counts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in COUNTS}


def encode_attempt(attempt: Attempt) -> bytes:
    """One attempt as one line of JSON."""
    row = dict(zip(COLUMNS, to_row(attempt), strict=True))
    return encode_report({"schema": LOGS_SCHEMA, **row})


def encode_summary(summary: Summary) -> bytes:
    """The counts of a run as one line of JSON."""
    groups = (
        GroupObject(
            direction=direction,
            domain=domain,
            week=week.isoformat(),
            **_numbers(counts),
            tls_versions=counts.versions,
        )
        for (direction, domain, week), counts in summary.rows()
    )
    return encode_report(
        SummaryObject(
            first=None if summary.first is None else utc(summary.first),
            last=None if summary.last is None else utc(summary.last),
            total=TotalObject(**_numbers(summary.total())),
            below=summary.below,
            undecided=summary.undecided,
            internal=summary.internal,
            local=summary.local,
            unknown_because=dict(summary.reasons.most_common()),
            lines=summary.lines,
            lines_of_other_programs=summary.other_lines,
            lines_not_understood=summary.unread,
            joins_dropped=summary.dropped,
            advice=summary.advice,
            groups=tuple(groups),
        )
    )


def _clear_rows(attempt: Attempt) -> Iterator[Row]:
    if is_clear(attempt):
        yield to_row(attempt)


def _advice_rows(summary: Summary) -> Iterator[Row]:
    yield from map(msgspec.structs.astuple, summary.advice)


def _overview(summary: Summary) -> Iterator[Row]:
    yield "answer", headline(summary, summary.total())
    yield from _numbers(summary.total()).items()
    yield from (("what to do next", step) for step in next_steps(summary))
    yield from ((f"unknown: {why}", count) for why, count in summary.reasons.most_common())
    yield from (("about", line) for line in about_lines(summary))


_TIMES: Final = frozenset({"time"})


def _page() -> Formatter[R, Summary]:
    """Imported only where HTML is asked for. Raises SettingsError without its extra."""
    from prober.logs.html import LogsPage

    return LogsPage()


def _story_page() -> Formatter[Attempt, Summary]:
    from prober.logs.html import StoryPage

    return StoryPage()


def attempts(summary: Summary, *, story: bool) -> Kind[Attempt, Summary]:
    """Reports on attempts; as text the answer for all of them, or each in full in a *story*.

    *summary* is what they are counted in.
    """
    return Kind(
        text=StoryText if story else LogsText,
        encode=encode_attempt,
        columns=COLUMNS,
        rows=lambda attempt: (to_row(attempt),),
        page=_story_page if story else _page,
        sheets=(
            Sheet(name="in clear", columns=COLUMNS, rows=_clear_rows, times=_TIMES),
            Sheet(
                name="report",
                columns=COLUMNS,
                rows=lambda attempt: (to_row(attempt),),
                times=_TIMES,
            ),
            Sheet(name="weeks", columns=SUMMARY_COLUMNS, last=partial(to_summary_rows, summary)),
            Sheet(
                name="advice",
                columns=AdviceObject.__struct_fields__,
                last=partial(_advice_rows, summary),
            ),
        ),
        overview=_overview,
    )


COUNTED: Final[Kind[Summary, Summary]] = Kind(
    text=LogsText,
    encode=encode_summary,
    columns=SUMMARY_COLUMNS,
    rows=to_summary_rows,
    page=_page,
    sheets=(
        Sheet(name="weeks", columns=SUMMARY_COLUMNS, rows=to_summary_rows),
        Sheet(name="advice", columns=AdviceObject.__struct_fields__, rows=_advice_rows),
    ),
    overview=_overview,
)
"""The one report on all attempts, their counts."""
