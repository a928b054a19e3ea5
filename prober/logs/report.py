"""Text, CSV, JSON and JSON lines of `probe logs`. docs/logs.md has the columns."""

import csv
import io
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self, assert_never

import msgspec
from rich.table import Table
from rich.text import Text

from prober.errors import ReportError, SettingsError
from prober.escape import printable, utc
from prober.logs.base import BEGINS, FORGOTTEN, NO_TLS
from prober.logs.objects import (
    AdviceObject,
    AttemptObject,
    GroupObject,
    SummaryObject,
    TotalObject,
)
from prober.logs.records import Content, Delivery, Direction, Scope, Tls
from prober.logs.summary import Counts, Summary
from prober.report.csv_ import neutralised
from prober.report.interface import Paper, Row
from prober.report.output import STDOUT, ReportFormat, choose_format
from prober.report.page import Page
from prober.report.sinks import FileSink, Sink, StreamSink, open_sink

COLUMNS: Final = AttemptObject.__struct_fields__[1:]  # all but the schema
SUMMARY_COLUMNS: Final = GroupObject.__struct_fields__
NO_WORKBOOK: Final = "probe logs writes no xlsx: use csv, which spreadsheet programs read, too"
MOST_SHOWN: Final = 50  # rows of each table in the text; the other formats have all
ADVICE: Final = {
    NO_TLS: "let the server log TLS: smtp_tls_loglevel = 1 (Postfix), log_selector = "
    "+tls_cipher +tls_certificate_verified (Exim), LogLevel 9 (Sendmail); if it did all "
    "the time, add --tls-logged",
    BEGINS: "name the log before this one, too",
    FORGOTTEN: "read fewer servers' logs in one run",
}


def to_object(delivery: Delivery, scope: Scope) -> AttemptObject:
    """One attempt, as JSON has it."""
    session = delivery.session
    return AttemptObject(
        time=utc(delivery.time),
        direction=delivery.direction,
        server=delivery.server,
        software=delivery.software,
        queue_id=delivery.queue_id,
        message_id=delivery.message_id,
        domain=delivery.domain,
        recipient=delivery.recipient,
        relay=delivery.relay,
        address=delivery.address,
        scope=scope,
        tls=session.tls,
        why=session.why,
        tls_version=session.version,
        cipher=session.cipher,
        key_exchange=session.key_exchange,
        identity=session.identity,
        status=delivery.status,
        content=delivery.content,
        reply=delivery.reply,
    )


def to_row(delivery: Delivery, scope: Scope) -> Row:
    """One attempt, in the order of ``COLUMNS``."""
    return msgspec.structs.astuple(to_object(delivery, scope))[1:]


def to_summary_rows(summary: Summary) -> Iterable[Row]:
    """One row per direction, domain and week, in the order of ``SUMMARY_COLUMNS``."""
    for (direction, domain, week), counts in summary.rows():
        yield (direction.value, domain, week.isoformat(), *_numbers(counts), _versions(counts))


def _numbers(counts: Counts) -> tuple[int, ...]:
    return msgspec.structs.astuple(_total(counts))


def _total(counts: Counts) -> TotalObject:
    return TotalObject(
        messages=counts.messages,
        encrypted=counts.encrypted,
        verified=counts.verified,
        clear=counts.clear,
        held_back=counts.held_back,
        unknown=counts.unknown,
    )


def summary_object(summary: Summary) -> SummaryObject:
    """The counts of a run, as JSON has them."""
    groups = (
        GroupObject(
            direction=direction,
            domain=domain,
            week=week.isoformat(),
            **msgspec.structs.asdict(_total(counts)),
            tls_versions=counts.versions,
        )
        for (direction, domain, week), counts in summary.rows()
    )
    return SummaryObject(
        first=None if summary.first is None else utc(summary.first),
        last=None if summary.last is None else utc(summary.last),
        total=_total(summary.total()),
        below=summary.below,
        undecided=summary.undecided,
        internal=summary.internal,
        local=summary.local,
        unknown_because=dict(summary.reasons.most_common()),
        lines=summary.lines,
        lines_of_other_programs=summary.other_lines,
        lines_not_understood=summary.unread,
        joins_dropped=summary.dropped,
        advice=tuple(AdviceObject(**each._asdict()) for each in summary.advice),
        groups=tuple(groups),
    )


def _versions(counts: Counts) -> str:
    order = sorted(counts.versions.items(), key=lambda item: (-item[1], item[0]))
    return " ".join(f"{version}={count}" for version, count in order)


class LogsFormatter:
    """Bytes before the first attempt, for each, and after the last. Does no I/O."""

    def head(self) -> bytes:
        return b""

    def body(self, delivery: Delivery, scope: Scope) -> bytes:
        return b""

    def foot(self, summary: Summary) -> bytes:
        return b""


class LogsCsv(LogsFormatter):
    """One row an attempt."""

    def head(self) -> bytes:
        return csv_bytes([COLUMNS])

    def body(self, delivery: Delivery, scope: Scope) -> bytes:
        return csv_bytes([to_row(delivery, scope)])


class SummaryCsv(LogsFormatter):
    """One row per domain and week."""

    def head(self) -> bytes:
        return csv_bytes([SUMMARY_COLUMNS])

    def foot(self, summary: Summary) -> bytes:
        return csv_bytes(to_summary_rows(summary))


@dataclass(slots=True)
class LogsJson(LogsFormatter):
    """One object an attempt; on one line each, or *pretty* over many."""

    pretty: bool

    def body(self, delivery: Delivery, scope: Scope) -> bytes:
        return json_bytes(to_object(delivery, scope), pretty=self.pretty)


@dataclass(slots=True)
class SummaryJson(LogsFormatter):
    """One object for the whole run."""

    pretty: bool

    def foot(self, summary: Summary) -> bytes:
        return json_bytes(summary_object(summary), pretty=self.pretty)


class LogsText(LogsFormatter):
    """What left in clear, then counts. With *story* each attempt in full, and no counts."""

    def __init__(self, paper: Paper, *, story: bool) -> None:
        self._page = Page(paper)
        self._story = story
        self._clear: list[str] = []  # two lines each

    def body(self, delivery: Delivery, scope: Scope) -> bytes:
        if self._story:
            return self._whole(delivery, scope)
        left = scope is Scope.OUTSIDE and delivery.content is Content.LEFT
        is_clear = left and delivery.session.tls is Tls.CLEAR
        if is_clear and delivery.direction is Direction.OUT and len(self._clear) < 2 * MOST_SHOWN:
            where = f"{delivery.relay or ''}[{delivery.address or '?'}]"
            message = f", message {delivery.message_id}" if delivery.message_id else ""
            self._clear += (
                printable(f"  {utc(delivery.time)}  {delivery.domain}"),
                printable(f"    by {where}, queue id {delivery.queue_id}{message}"),
            )
        return b""

    def foot(self, summary: Summary) -> bytes:
        if self._story:
            return b"" if summary.first else self._page.draw("No such message is in the log.")
        total = summary.total()
        parts: list[Text | Table] = [Text(headline(total), _style(total))]
        if self._clear:
            parts += [Text("\nIn clear:"), *map(Text, self._clear)]
            if (more := total.clear - len(self._clear) // 2) > 0:
                parts.append(Text(f"  and {more} more (see -o FILE.csv)"))
        parts += [Text(f"\nUnknown for {n}: {printable(why)}") for why, n in _unknown(summary)]
        if versions := _versions(total):
            parts.append(Text(f"\nTLS versions: {versions.replace(' ', ', ').replace('=', ': ')}"))
        rows = [tuple(_cell(cell) for cell in row[1:-1]) for row in to_summary_rows(summary)]
        if rows:
            parts += [Text(""), table(("", *SUMMARY_HEAD), rows[:MOST_SHOWN])]
            if len(rows) > MOST_SHOWN:
                parts.append(Text(f"  and {len(rows) - MOST_SHOWN} more rows (see -o FILE.csv)"))
        if summary.advice:
            parts.append(Text("\nNext:"))
            texts = (f"  {each.domain}: {each.text}" for each in summary.advice[:MOST_SHOWN])
            parts += [Text(printable(text)) for text in texts]
        if len(summary.advice) > MOST_SHOWN:
            parts.append(Text(f"  and {len(summary.advice) - MOST_SHOWN} more (see --summary)"))
        parts += [Text(f"\n{line}", "dim") for line in _about_lines(summary)]
        return self._page.draw(*parts)

    def _whole(self, delivery: Delivery, scope: Scope) -> bytes:
        session = delivery.session
        tls = (session.version, session.cipher, session.key_exchange)
        details = " ".join(part for part in tls if part)
        way = "from" if delivery.direction is Direction.IN else "to"
        relay = f"{delivery.relay or ''}[{delivery.address or '?'}]"
        lines = [
            f"{utc(delivery.time)}  {delivery.status}  {session.tls}"
            + (f" ({details}; identity: {session.identity})" if details else "")
            + (f": {session.why}" if session.why else ""),
            f"  message {delivery.message_id or '(id not logged)'}, queue id {delivery.queue_id}, "
            f"on {delivery.server or 'this server'} ({delivery.software})",
            f"  {way} {delivery.recipient or delivery.domain} ({scope}), "
            f"{'no relay' if delivery.address is None else relay}",
            f"  the message {CONTENT_WORDS[delivery.content]}",
        ]
        if delivery.reply:
            lines.append(f"  said: {delivery.reply}")
        return b"".join(self._page.draw_line(Text(printable(line))) for line in lines)


SUMMARY_HEAD: Final = tuple(
    "domain,week of,messages,encrypted,verified,clear,held,unknown".split(",")
)
CONTENT_WORDS: Final = {
    Content.LEFT: "went over this connection",
    Content.HELD: "did not leave in this attempt",
    Content.UNKNOWN: "may have left: the line is cut off",
}


def headline(total: Counts) -> str:
    """The answer in one sentence."""
    left = total.messages - total.held_back
    if not total.messages:
        return "No message to outside is in the log."
    if total.clear:
        head = f"{total.clear} of {left} messages left in clear."
    elif total.unknown:
        head = f"No message is known to have left in clear; for {total.unknown} it is not known."
    elif left:
        head = f"All {left} messages that left were encrypted."
    else:
        head = "No message left."
    were = "was" if total.held_back == 1 else "were"
    return head + (f" {total.held_back} {were} held back." if total.held_back else "")


def _style(total: Counts) -> str:
    return "bold red" if total.clear else "bold yellow" if total.unknown else "bold green"


def _unknown(summary: Summary) -> Iterable[tuple[str, int]]:
    for why, count in summary.reasons.most_common(MOST_SHOWN):
        advice = ADVICE.get(why)
        yield (f"{why}. Next: {advice}" if advice else why), count


def _about_lines(summary: Summary) -> Iterable[str]:
    when = (
        f", {utc(summary.first)} to {utc(summary.last)}" if summary.first and summary.last else ""
    )
    yield f"{summary.lines} lines read{when}; {summary.other_lines} of other programs."
    if summary.internal or summary.local:
        yield f"Not counted above: {summary.internal} internal, {summary.local} local deliveries."
    if summary.unread:
        yield f"{summary.unread} lines were not understood: --unread shows them."
    if summary.dropped:
        yield f"{summary.dropped} open connections or messages were forgotten for want of room."


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    """Numbers are never folded; the first column, of names, and ids are."""
    table = Table.grid(padding=(0, 1))
    for title in head:
        table.add_column(no_wrap=title in SUMMARY_HEAD[1:], overflow="fold")
    table.add_row(*head)
    for row in rows:
        table.add_row("", *(Text(printable(cell)) for cell in row))
    return table


def _cell(cell: object) -> str:
    return "" if cell is None else str(cell)


def csv_bytes(rows: Iterable[Row]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([neutralised(cell) for cell in row] for row in rows)
    return buffer.getvalue().encode("utf-8", "backslashreplace")


def json_bytes(value: msgspec.Struct, *, pretty: bool) -> bytes:
    """ASCII JSON: no control or bidi character, and no lone surrogate, gets out."""
    text = json.dumps(msgspec.to_builtins(value), ensure_ascii=True, indent=2 if pretty else None)
    return text.replace("\x7f", "\\u007f").encode() + b"\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogsStyle:
    """How much a report shows."""

    summary: bool = False  # the counts alone
    story: bool = False  # text: each attempt in full


def make_formatter(format_: ReportFormat, style: LogsStyle, paper: Paper) -> LogsFormatter:
    """The formatter of *format_*."""
    match format_:
        case ReportFormat.CSV:
            return SummaryCsv() if style.summary else LogsCsv()
        case ReportFormat.JSON | ReportFormat.JSONL:
            pretty = format_ is ReportFormat.JSON
            return SummaryJson(pretty) if style.summary else LogsJson(pretty)
        case ReportFormat.TEXT:
            return LogsText(paper, story=style.story)
        case ReportFormat.XLSX:
            raise SettingsError(NO_WORKBOOK)
        case _:
            assert_never(format_)


class LogsWriter:
    """Writes to a file or to stdout. As a context it finishes, or abandons when left by a fault."""

    def __init__(self, target: str, format_: ReportFormat | None, style: LogsStyle) -> None:
        self.format = format_ or choose_format(target)
        if self.format is ReportFormat.XLSX:
            raise SettingsError(NO_WORKBOOK)
        self._sink: Sink
        if target != STDOUT:
            self.paper, self._sink = Paper(), open_sink(Path(target))
        elif sys.stdout is None:  # started with it closed: >&-
            raise ReportError("stdout: cannot write the report: it is closed")
        else:
            sys.stdout.flush()
            stream = sys.stdout.buffer
            self.paper = Paper(terminal=stream.isatty(), encoding=sys.stdout.encoding)
            self._sink = StreamSink(stream, "stdout")
        self._formatter = make_formatter(self.format, style, self.paper)
        self._begun = False

    def write(self, delivery: Delivery, scope: Scope) -> None:
        """Raises ``ReportError`` if it cannot, ``BrokenPipeError`` if nobody reads any more."""
        if rows := self._formatter.body(delivery, scope):
            self._write(rows)

    @property
    def kept(self) -> Path | None:
        """Where the rows of an earlier run went that never finished."""
        return self._sink.kept if isinstance(self._sink, FileSink) else None

    @property
    def left(self) -> Path | None:
        """The partial file, if abandoning leaves it."""
        return self._sink.partial if self._begun and isinstance(self._sink, FileSink) else None

    def finish(self, summary: Summary) -> None:
        """The last bytes; the file is there once the context is left."""
        self._write(self._formatter.foot(summary))

    def write_whole(self, report: bytes) -> None:
        """The whole report, in ``format`` and drawn on ``paper``, in place of attempts."""
        self._begun = True
        self._sink.write(report)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._sink.finish()
        else:
            self._sink.abandon()

    def _write(self, text: bytes) -> None:
        head = b"" if self._begun else self._formatter.head()
        self._begun = True
        self._sink.write(head + text)
