"""The text of `probe logs`: what left in clear, what to do next, then the counts."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from prober.domains import is_domain
from prober.escape import printable, utc
from prober.logs.base import BEGINS, FORGOTTEN, NO_TLS
from prober.logs.records import Attempt, Content, Delivery, Direction, Identity, Level, Scope, Tls
from prober.logs.summary import UNREAD, Counts, Key, Summary, messages
from prober.records import Answer
from prober.report.interface import Formatter, Paper, R, Row
from prober.report.page import Page
from prober.report.words import version_counts

MAX_SHOWN: Final = 20  # rows of each table; the other formats have all
Part = Text | Table | Padding

_ADVICE: Final = {
    NO_TLS: "switch on the logging of TLS in the mail server: smtp_tls_loglevel = 1, and for what "
    "comes in smtpd_tls_loglevel = 1 (Postfix), log_selector = +tls_cipher "
    "+tls_certificate_verified (Exim), LogLevel 9 (Sendmail). If it was on all the time, add "
    "--tls-logged",
    BEGINS: "name the log file before this one, too",
    FORGOTTEN: "read the logs of fewer servers in one run",
}
HEAD: Final = "domain,week of,messages,encrypted,verified,clear,held,unknown".split(",")
LEGEND: Final = (
    "verified: encrypted, and the server's certificate was checked, with its name or by DANE. "
    "held: the message did not leave."
)
STYLES: Final = MappingProxyType(
    {Answer.NO: "bold red", Answer.YES: "bold green", Answer.NOT_TESTED: "bold yellow"}
)
_CONTENT: Final = {
    Content.LEFT: "the message went over this connection",
    Content.HELD: "the message did not leave in this attempt",
    Content.UNKNOWN: "the message may have left: the log does not say when the attempt failed",
}


class LogsText(Formatter[R, Summary]):
    """The answer for all attempts; of the counts alone, where those are the records."""

    def __init__(self, paper: Paper) -> None:
        self._page = Page(paper)
        self._clear: list[Attempt] = []

    def body(self, record: R) -> bytes:
        if len(self._clear) < MAX_SHOWN and isinstance(record, Attempt) and is_clear(record):
            self._clear.append(record)
        return b""

    def foot(self, summary: Summary) -> bytes:
        return self._page.draw(*_answer(summary, self._clear))


class StoryText(Formatter[Attempt, Summary]):
    """Each attempt in full, for the story of one message."""

    def __init__(self, paper: Paper) -> None:
        self._page = Page(paper)

    def body(self, attempt: Attempt) -> bytes:
        lines = story(attempt)
        return b"".join(self._page.draw_line(Text(printable(line))) for line in lines)

    def foot(self, summary: Summary) -> bytes:
        return b"" if summary.first else self._page.draw("No such message is in the log.")


def is_clear(attempt: Attempt) -> bool:
    """Whether a message left in clear by it, to another organisation."""
    delivery, scope = attempt
    return (
        delivery.session.tls is Tls.CLEAR
        and delivery.content is Content.LEFT
        and delivery.direction is Direction.OUT
        and scope is Scope.OUTSIDE
    )


def story(attempt: Attempt) -> list[str]:
    """All that is known of one attempt, in lines."""
    delivery, scope = attempt
    session = delivery.session
    details = [session.version, session.cipher, session.key_exchange]
    if session.identity is not Identity.UNKNOWN:
        details.append(f"identity: {session.identity}")
    way = "from" if delivery.direction is Direction.IN else "to"
    lines = [
        f"{time_words(delivery.time)}  {delivery.status}, {session.tls}"
        + (f" ({', '.join(filter(None, details))})" if any(details) else "")
        + (f": {session.why}" if session.why else ""),
        f"  message {delivery.message_id or '(id not logged)'}, queue id {delivery.queue_id}, "
        f"on {delivery.server or 'this server'} ({delivery.software})",
        f"  {way} {delivery.recipient or delivery.domain} ({scope}), server {peer(delivery)}",
        f"  {_CONTENT[delivery.content]}",
    ]
    if delivery.reply:
        lines.append(f"  reply: {delivery.reply}")
    return lines


def time_words(time: datetime) -> str:
    """Such as "2026-03-09 10:00:02 UTC"."""
    return utc(time).replace("T", " ").replace("Z", " UTC")


def peer(delivery: Delivery) -> str:
    """The other server, by name and address."""
    if delivery.address is None:
        return delivery.relay or "none"
    return f"{delivery.relay or ''} [{delivery.address}]".lstrip()


def _indented(text: str, by: int = 2) -> Padding:
    return Padding(Text(printable(text)), (0, 0, 0, by))


def _answer(summary: Summary, clear: Sequence[Attempt]) -> Iterator[Part]:
    total = summary.total()
    yield Text(headline(summary, total), STYLES[answer(summary)])
    yield from map(Text, below_verified(summary))
    if clear:
        yield Text("\nSent in clear, without encryption:")
        for delivery, _ in clear:
            yield _indented(f"{time_words(delivery.time)}  to {delivery.domain}")
            yield _indented(f"server {peer(delivery)}, queue id {delivery.queue_id}", 4)
            if delivery.message_id:
                yield _indented(f"message-id {delivery.message_id}", 4)
        yield from _rest(total.clear - len(clear), "messages")
    if steps := list(next_steps(summary)):
        yield Text("\nWhat to do next:")
        yield from (_indented(step) for step in steps[:MAX_SHOWN])
        yield from _rest(len(steps) - MAX_SHOWN, "domains", "--summary -f json")
    if summary.reasons:
        yield Text("\nWhy it is not known for some messages:")
        reasons = summary.reasons.most_common(MAX_SHOWN)
        yield from (_indented(f"{why}: {messages(count)}") for why, count in reasons)
    yield from _counts_table(summary, total)
    yield Text("")
    yield from (Text(line, "dim") for line in about_lines(summary))


def headline(summary: Summary, total: Counts) -> str:
    """The answer in one to three sentences."""
    if not summary.server_lines:
        return "No line of a mail server is in the log: nothing is known."
    if not (unread := summary.reasons[UNREAD]):
        return _on_messages(total)
    lines = (
        "1 line of the mail server was"
        if unread == 1
        else f"{unread} lines of the mail server were"
    )
    return f"{_on_messages(total)} But {lines} not understood."


def _on_messages(total: Counts) -> str:
    left = total.messages - total.held_back
    if not total.messages:
        return "No message to other organisations is in the log."
    if total.clear:
        head = f"{total.clear} of {messages(left)} left in clear, without encryption."
    elif total.unknown:
        head = "No message is known to have left in clear, but for "
        head += f"{total.unknown} of {left} it is not known whether it was encrypted."
    elif left:
        head = f"All {messages(left)} that left were encrypted."
        head = head if left > 1 else "The 1 message that left was encrypted."
    else:
        head = "No message left."
    were = "was" if total.held_back == 1 else "were"
    return head + (f" {total.held_back} more {were} held back." if total.held_back else "")


def below_verified(summary: Summary) -> Iterator[str]:
    """What left below --at-least verified, where that was asked for."""
    if summary.at_least is Level.VERIFIED:
        yield (
            f"Below --at-least verified: {messages(summary.below)}, not known: "
            f"{summary.undecided}. The column identity of -o FILE.csv has each."
        )


def answer(summary: Summary) -> Answer:
    """Whether all that left was good enough."""
    total = summary.total()
    if total.clear or summary.below:
        return Answer.NO
    is_known = summary.server_lines and not total.unknown and not summary.undecided
    return Answer.YES if is_known else Answer.NOT_TESTED


def _rest(more: int, what: str, where: str = "-o FILE.csv") -> Iterator[Part]:
    if more > 0:
        yield _indented(f"and {more} more {what}: see {where}")


def next_steps(summary: Summary) -> Iterator[str]:
    """What to do, a sentence each."""
    for why in summary.reasons:
        if why in _ADVICE:
            yield f"{_ADVICE[why]}."
    yield from (f"{each.domain}: {each.text}." for each in summary.advice)
    if summary.advice:
        return
    for (way, domain, _), counts in summary.rows():
        if way is Direction.OUT and counts.clear and is_domain(domain):
            yield f"see what TLS the domain offers today: probe check {domain}"
            yield "or for all domains: probe scan a list of them, and add --results or --db here"
            return


def _counts_table(summary: Summary, total: Counts) -> Iterator[Part]:
    rows = list(summary.rows())
    if not rows:
        return
    cells = (week_cells(key, each) for key, each in rows[:MAX_SHOWN])
    yield Text("")
    yield table(HEAD, cells, folded=1, numbers=6)
    yield from _rest(len(rows) - MAX_SHOWN, "rows")
    yield Text(LEGEND, "dim")
    if versions := version_counts(total.versions):
        yield Text(f"\nTLS versions: {versions.replace(' ', ', ').replace('=', ': ')}")


def week_cells(key: Key, counts: Counts) -> Row:
    """The cells below ``HEAD``."""
    direction, domain, week = key
    name = f"{domain} (in)" if direction is Direction.IN else domain
    numbers = (counts.messages, counts.encrypted, counts.verified)
    return (name, week.isoformat(), *numbers, counts.clear, counts.held_back, counts.unknown)


def about_lines(summary: Summary) -> Iterator[str]:
    """What was read, and what was not."""
    if summary.internal or summary.local:
        yield f"Not counted above: internal deliveries {summary.internal}, local {summary.local}."
    if summary.first is not None and summary.last is not None:
        yield f"First delivery: {time_words(summary.first)}; last: {time_words(summary.last)}."
    yield f"Lines read: {summary.lines}; of other programs: {summary.other_lines}."
    if summary.unread:
        yield f"Lines that were not understood: {summary.unread}. --unread shows them."
    if summary.dropped:
        yield (
            f"{summary.dropped} connections or messages were forgotten, since too many were open "
            "at once. What belongs to them is unknown."
        )


def table(head: Sequence[str], rows: Iterable[Row], *, folded: int, numbers: int) -> Table:
    """The first *folded* columns may be folded, the last *numbers* are aligned to the right."""
    table = Table.grid(padding=(0, 1))
    for at in range(len(head)):
        is_number = at >= len(head) - numbers
        table.add_column(
            no_wrap=at >= folded, overflow="fold", justify="right" if is_number else "left"
        )
    table.add_row(*head, style="bold")
    for row in rows:
        table.add_row(*(Text(printable(str(cell))) for cell in row))
    return table
