"""Builders for lines and messages, with defaults for everything that a test is not about."""

from typing import Any

from prober.headers.habits import Habits
from prober.headers.judge import judge_lines, learn_lines, parse_lines
from prober.headers.records import Habit, MessageHeaders, MessageReport
from prober.headers.trust import TrustedBy, parse_trusted_by

DATE = "Mon, 1 Jan 2024 00:00:00 +0000"
TLS = "(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))"


def operator_of(host: str) -> str:
    """The last two labels, which is enough for the tests."""
    return ".".join(host.split(".")[-2:])


def line(
    peer: str | None = "mail.example.net",
    address: str = "192.0.2.1",
    *,
    by: str = "mx.example.com",
    software: str = "(TestMTA)",
    protocol: str = "ESMTP",
    tls: str = "",
    date: str = DATE,
) -> str:
    """A line in Postfix's form. Without *peer* it names no client."""
    sender = f"from {peer} ({peer} [{address}]) {tls}" if peer else ""
    return f"{sender} by {by} {software} with {protocol} id 1; {date}".strip().replace("  ", " ")


def message(*lines: str, **fields: Any) -> MessageHeaders:
    return MessageHeaders(**({"file": "m.eml", "received": lines} | fields))


def habits(*known: Habit) -> Habits:
    learnt = Habits(operator_of)
    learnt.load(known)
    return learnt


def judge_message(
    message: MessageHeaders, habits: Habits, trusted_by: TrustedBy | None = None
) -> MessageReport:
    """The report on one message; *habits* judge its silent hops."""
    return judge_lines(message, parse_lines(message), habits, trusted_by)


def learn(message: MessageHeaders, habits: Habits, trusted_by: TrustedBy | None = None) -> None:
    """Learn habits from the lines of *message*."""
    learn_lines(parse_lines(message), habits, trusted_by)


def judge(
    *lines: str,
    trusted_by: tuple[str, ...] = (),
    learnt_from: tuple[MessageHeaders, ...] = (),
    **fields: Any,
) -> MessageReport:
    """The report on a message of *lines*, the topmost first."""
    book = habits()
    trusted = parse_trusted_by(trusted_by) if trusted_by else TrustedBy()
    for seen in learnt_from:
        learn(seen, book, trusted)
    return judge_message(message(*lines, **fields), book, trusted)
