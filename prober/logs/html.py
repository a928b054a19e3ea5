"""The pages of `probe logs`: the same as the text, with more rows. docs/logs.md."""

from pathlib import Path
from types import MappingProxyType
from typing import Final

from prober.logs.records import Attempt
from prober.logs.summary import Summary
from prober.logs.text import (
    HEAD,
    LEGEND,
    about_lines,
    answer,
    below_verified,
    headline,
    is_clear,
    next_steps,
    peer,
    story,
    time_words,
    week_cells,
)
from prober.logs.tls_report import (
    DAYS_HEAD,
    FAILURES_HEAD,
    Claim,
    ClaimCounts,
    Claims,
    about_claims,
)
from prober.records import Answer
from prober.report.interface import Formatter, R, Row

MAX_ROWS: Final = 2_000  # of each table: a browser shows them in seconds; other formats have all
_TITLE: Final = "Was the mail that was sent encrypted?"
_CLEAR_HEAD: Final = ("time", "to", "server", "queue id", "message-id")
_CSS: Final = MappingProxyType(
    {Answer.NO: "fail", Answer.YES: "pass", Answer.NOT_TESTED: "unknown"}
)


class LogsPage(Formatter[R, Summary]):
    """As ``LogsText``. Keeps the attempts in clear, as many as it shows."""

    def __init__(self) -> None:
        self._clear: list[Row] = []

    def body(self, record: R) -> bytes:
        if len(self._clear) < MAX_ROWS and isinstance(record, Attempt) and is_clear(record):
            self._clear.append(_clear_row(record))
        return b""

    def foot(self, summary: Summary) -> bytes:
        return _answer(summary, self._clear)


class StoryPage(Formatter[Attempt, Summary]):
    """Each attempt in full, for the story of one message."""

    def __init__(self) -> None:
        self._attempts: list[list[str]] = []
        self._more = 0

    def body(self, attempt: Attempt) -> bytes:
        if len(self._attempts) < MAX_ROWS:
            self._attempts.append(story(attempt))
        else:
            self._more += 1
        return b""

    def foot(self, summary: Summary) -> bytes:
        title = "Was this message encrypted?"
        values = {"attempts": self._attempts, "more": self._more}
        return _rendered("story.html", title=title, legend="", **values)


class ClaimsPage(Formatter[Claim, Claims]):
    """What others met when they sent to us."""

    def body(self, claim: Claim) -> bytes:
        return b""

    def foot(self, claims: Claims) -> bytes:
        counts = ClaimCounts(claims)
        return _rendered(
            "claims.html",
            title="Was TLS used by those who sent mail to us?",
            css=_CSS[counts.answer],
            headline=counts.headline,
            counts=(("none", "sessions", counts.total), ("fail", "failed", counts.failed)),
            failures_head=FAILURES_HEAD,
            failures=counts.failures[:MAX_ROWS],
            more_failures=len(counts.failures) - MAX_ROWS,
            days_head=DAYS_HEAD,
            days=counts.days[-MAX_ROWS:],
            more_days=len(counts.days) - MAX_ROWS,
            legend=" ".join(about_claims(claims)),
        )


def _clear_row(attempt: Attempt) -> Row:
    delivery, _ = attempt
    to = delivery.domain + (f" ({delivery.recipient})" if delivery.recipient else "")
    which = (delivery.queue_id, delivery.message_id or "")
    return (time_words(delivery.time), to, peer(delivery), *which)


def _answer(summary: Summary, clear: list[Row]) -> bytes:
    total = summary.total()
    steps, weeks = list(next_steps(summary)), list(summary.rows())
    return _rendered(
        "logs.html",
        title=_TITLE,
        headline=headline(summary, total),
        css=_CSS[answer(summary)],
        below=below_verified(summary),
        counts=(
            ("none", "messages", total.messages),
            ("fail", "in clear", total.clear),
            ("pass", "encrypted", total.encrypted),
            ("pass", "verified", total.verified),
            ("warn", "held back", total.held_back),
            ("unknown", "unknown", total.unknown),
        ),
        clear_head=_CLEAR_HEAD,
        clear=clear,
        more_clear=total.clear - len(clear),
        steps=steps[:MAX_ROWS],
        more_steps=len(steps) - MAX_ROWS,
        reasons=summary.reasons.most_common(MAX_ROWS),
        weeks_head=HEAD,
        weeks=[week_cells(key, counts) for key, counts in weeks[:MAX_ROWS]],
        more_weeks=len(weeks) - MAX_ROWS,
        words=LEGEND,
        versions=total.versions.most_common(MAX_ROWS),
        legend=" ".join(about_lines(summary)),
    )


def _rendered(template: str, **values: object) -> bytes:
    """The page of *template*. What HTML needs is imported only where it is asked for."""
    from prober.report.html import render_page

    return render_page(Path(__file__).with_name("templates"), template, **values)
