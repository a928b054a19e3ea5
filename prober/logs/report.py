"""What `probe logs` gives to each format: the columns, the rows, the JSON. docs/logs.md."""

from collections.abc import Iterator
from functools import partial
from operator import attrgetter
from typing import Final

import msgspec

from prober.escape import utc
from prober.logs.html import ClaimsPage, LogsPage, StoryPage
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
)
from prober.logs.tls_report import (
    CLAIM_COLUMNS,
    DAYS_HEAD,
    FAILURES_HEAD,
    Claim,
    ClaimCounts,
    Claims,
    ClaimsText,
    about_claims,
    to_object,
    to_rows,
)
from prober.report.interface import Kind, Row, Sheet
from prober.report.json_ import encode_report
from prober.report.words import version_counts

COLUMNS: Final = AttemptObject.__struct_fields__[1:]  # all but the schema
# Where an attempt has what is not in the delivery itself
_ELSEWHERE: Final = {
    "scope": "scope",
    "tls": "delivery.session.tls",
    "why": "delivery.session.why",
    "tls_version": "delivery.session.version",
    "cipher": "delivery.session.cipher",
    "key_exchange": "delivery.session.key_exchange",
    "identity": "delivery.session.identity",
}
_but_time: Final = attrgetter(*(_ELSEWHERE.get(name, f"delivery.{name}") for name in COLUMNS[1:]))
COUNTS: Final = TotalObject.__struct_fields__
SUMMARY_COLUMNS: Final = GroupObject.__struct_fields__


def to_row(attempt: Attempt) -> Row:
    """One attempt, in the order of ``COLUMNS``."""
    return (utc(attempt.delivery.time), *_but_time(attempt))


def _groups(summary: Summary) -> Iterator[GroupObject]:
    for (direction, domain, week), counts in summary.rows():
        yield GroupObject(
            direction=direction,
            domain=domain,
            week=week.isoformat(),
            **_numbers(counts),
            tls_versions=counts.versions,
        )


def to_summary_rows(summary: Summary) -> Iterator[Row]:
    """One row per direction, domain and week, in the order of ``SUMMARY_COLUMNS``."""
    for *cells, versions in map(msgspec.structs.astuple, _groups(summary)):
        yield (*cells, version_counts(versions))


def _numbers(counts: Counts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in COUNTS}


def encode_attempt(attempt: Attempt) -> bytes:
    """One attempt as one line of JSON."""
    row = dict(zip(COLUMNS, to_row(attempt), strict=True))
    return encode_report({"schema": LOGS_SCHEMA, **row})


def encode_summary(summary: Summary) -> bytes:
    """The counts of a run as one line of JSON."""
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
            groups=tuple(_groups(summary)),
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


_TIMES: Final = frozenset({"time", "start", "end"})


def attempts(summary: Summary, *, story: bool) -> Kind[Attempt, Summary]:
    """Reports on attempts; as text the answer for all of them, or each in full in a *story*.

    *summary* is what they are counted in.
    """
    return Kind(
        text=StoryText if story else LogsText,
        encode=encode_attempt,
        columns=COLUMNS,
        rows=lambda attempt: (to_row(attempt),),
        page=StoryPage if story else LogsPage,
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
    page=LogsPage,
    sheets=(
        Sheet(name="weeks", columns=SUMMARY_COLUMNS, rows=to_summary_rows),
        Sheet(name="advice", columns=AdviceObject.__struct_fields__, rows=_advice_rows),
    ),
    overview=_overview,
)
"""The one report on all attempts, their counts."""


def claims_kind(claims: Claims) -> Kind[Claim, Claims]:
    """Reports on what others claim."""
    return Kind(
        text=ClaimsText,
        encode=lambda claim: encode_report(to_object(claim)),
        columns=CLAIM_COLUMNS,
        rows=to_rows,
        page=ClaimsPage,
        sheets=(
            Sheet(name="report", columns=CLAIM_COLUMNS, rows=to_rows, times=_TIMES),
            Sheet(
                name="failures", columns=FAILURES_HEAD, last=lambda: ClaimCounts(claims).failures
            ),
            Sheet(name="days", columns=DAYS_HEAD, last=lambda: ClaimCounts(claims).days),
        ),
        overview=_claims_overview,
    )


def _claims_overview(claims: Claims) -> Iterator[Row]:
    counts = ClaimCounts(claims)
    yield "answer", counts.headline
    yield "sessions", counts.total
    yield "failed", counts.failed
    yield from (("about", line) for line in about_claims(claims))
