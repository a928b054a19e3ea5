"""Text of `probe headers`: a lone message hop by hop, many a line each and a summary at the end."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Final, Self, assert_never

from rich.table import Table
from rich.text import Text

from prober.errors import ReportError
from prober.escape import printable
from prober.headers.records import (
    Basis,
    Hop,
    Judgement,
    MessageReport,
    MessageVerdict,
    Peer,
    Trust,
)
from prober.headers.rows import (
    HeadersCsv,
    HeadersFormatter,
    HeadersJson,
    SummaryCsv,
    SummaryJson,
    versions_words,
)
from prober.headers.summary import SENDERS, Counts, Summary
from prober.report.output import STDOUT, ReportFormat, choose_format
from prober.report.page import Page, Paper
from prober.report.sinks import FileSink, Sink, StreamSink, open_sink

_MAX_GROUPS: Final = 20  # of each kind in the text; the other formats have all
_STYLES: Final = {
    MessageVerdict.ENCRYPTED: "green",
    MessageVerdict.ENCRYPTED_EXCEPT_INTERNAL: "green",
    MessageVerdict.NOT_ENCRYPTED: "red",
    MessageVerdict.UNKNOWN: "yellow",
}
_HOP_STYLES: Final = {
    Judgement.ENCRYPTED: "green",
    Judgement.NOT_ENCRYPTED: "red",
    Judgement.INTERNAL: "dim",
    Judgement.UNKNOWN: "yellow",
}


class HeadersText(HeadersFormatter):
    """*per_hop* shows the hops of every message, *summary_only* none of them."""

    def __init__(self, paper: Paper, *, per_hop: bool, summary_only: bool) -> None:
        self._page = Page(paper)
        self._per_hop = per_hop
        self._summary_only = summary_only
        self._waiting: MessageReport | None = None  # the first: alone, or one of many?
        self._begun = False

    def body(self, report: MessageReport) -> bytes:
        if self._summary_only:
            return b""
        if self._per_hop:
            return self._whole(report)
        if not self._begun:
            self._begun, self._waiting = True, report
            return b""
        first, self._waiting = self._waiting, None
        return (self._line(first) if first else b"") + self._line(report)

    def foot(self, summary: Summary) -> bytes:
        alone = self._whole(self._waiting) if self._waiting is not None else b""
        if summary.messages < 2 and not self._summary_only:
            return alone
        return alone + self._summary(summary)

    def _line(self, report: MessageReport) -> bytes:
        line = Text(verdict_words(report), style=_STYLES[report.verdict])
        name = printable(report.message.message_id or report.message.file)
        line.append(f"  {name}", style="default")
        if report.verdict not in (
            MessageVerdict.ENCRYPTED,
            MessageVerdict.ENCRYPTED_EXCEPT_INTERNAL,
        ):
            line.append(f"  {printable(report.reason)}", style="dim")
        probes = [self._page.draw_line(text) for text in _probe_lines(report)]
        return self._page.draw_line(line) + b"".join(probes)

    def _whole(self, report: MessageReport) -> bytes:
        message = report.message
        head = Text(verdict_words(report), style=f"bold {_STYLES[report.verdict]}")
        about = [message.message_id, message.sender_domain and f"from {message.sender_domain}"]
        where = f"{message.file} message {message.position}"
        parts: list[Text | Table] = [
            head,
            Text(f"  {printable(report.reason)}"),
            Text("  " + "  ".join(printable(text) for text in (*about, where) if text), "dim"),
        ]
        if report.hops:
            parts.append(Text("  hops, numbered from the recipient: 0 is the newest", "dim"))
            parts.append(_hops(report))
        for remark in report.remarks:
            at = "" if remark.hop is None else f" at hop {remark.hop}"
            detail = f": {printable(remark.detail)}" if remark.detail else ""
            parts.append(Text(f"  note: {remark.kind}{at}{detail}"))
        parts += _probe_lines(report)
        parts += [Text(f"  next: {printable(step)}") for step in next_steps(report)]
        parts += [Text(f"  {words}", "dim") for words in _legend(report)]
        return self._page.draw(*parts, "")

    def _summary(self, summary: Summary) -> bytes:
        verdicts = [f"{summary.verdicts[word]} {word}" for word in MessageVerdict]
        counted = ", ".join(words for words in verdicts if not words.startswith("0 "))
        head = f"{summary.messages} messages: {counted}"
        table = Table.grid(padding=(0, 2))
        groups = list(summary.groups())
        for wanted, title in ((SENDERS, "sending domain"), (None, "receiving server")):
            rows = [group for group in groups if (group[0] == SENDERS) == (wanted == SENDERS)]
            table.add_row(title, "total", "encrypted", "not", "unknown", "share", "versions")
            for _, name, counts in islice(rows, _MAX_GROUPS):
                table.add_row(*(Text(cell) for cell in _cells(name, counts)))
            if len(rows) > _MAX_GROUPS:
                table.add_row(f"and {len(rows) - _MAX_GROUPS} more")
        return self._page.draw("", Text(head, style="bold"), table)


def verdict_words(report: MessageReport) -> str:
    """Such as "probably not encrypted at hop 4, as claimed"."""
    words = report.verdict.value.replace("encrypted-except-internal", "encrypted except internal")
    words = words.replace("not-encrypted", "not encrypted")
    if report.verdict is MessageVerdict.NOT_ENCRYPTED and report.basis is Basis.HABIT:
        words = f"probably {words}"
    if report.at_hop is not None:
        words += f" at hop {report.at_hop}"
    return f"{words}, as claimed" if report.as_claimed else words


def _hops(report: MessageReport) -> Table:
    table = Table.grid(padding=(0, 2))
    for hop in report.hops:
        style = _HOP_STYLES[hop.judgement]
        table.add_row(
            Text(f"{'*' if hop.border else ' '}{hop.index:>3}"),
            Text(hop.judgement.value, style=style),
            Text(_way(hop)),
        )
        claimed = "claimed: " if hop.trust is Trust.CLAIMED else ""
        table.add_row("", "", Text(f"{claimed}{printable(hop.reason)}", style="dim"))
    return table


def _probe_lines(report: MessageReport) -> list[Text]:
    lines = []
    for seen in report.probe:
        detail = f" ({printable(seen.detail)})" if seen.detail else ""
        lines.append(Text(f"  probe: {printable(seen.text)}{detail}"))
    return lines


def next_steps(report: MessageReport) -> Iterator[str]:
    """What the reader can do to learn more, with the names filled in."""
    hop = report.hops[report.at_hop] if report.at_hop is not None else None
    if hop is not None and hop.judgement is Judgement.UNKNOWN and hop.received.by is not None:
        yield (
            f"read more mail that {hop.received.by} received (a whole mailbox, or --habits FILE): "
            "one line of it that states TLS, from that year or before, gives its silence a meaning"
        )
    names = _names_to_trust(report) if report.as_claimed else ()
    if names:
        options = " ".join(f"--trusted-by {name}" for name in names)
        yield f"if {names[-1]} is yours or a partner's, add {options}"
    open_hop = hop is not None and hop.judgement is not Judgement.ENCRYPTED
    if open_hop and not report.probe and any(one.border for one in report.hops):
        yield "add --probe to see whether the receiving server offers TLS today"


def _names_to_trust(report: MessageReport) -> tuple[str, ...]:
    """What --trusted-by needs for the first claimed line to be believed, its server last.

    All servers down to it, and its address where the line above did not look its name up.
    """
    names: list[str] = []
    above: Peer | None = None
    for hop in report.hops:
        if hop.received.by is None:
            above = hop.received.peer
            continue
        if hop.trust is Trust.CLAIMED:
            is_named = above is not None and above.name_confirmed and above.name == hop.received.by
            if above is not None and above.address is not None and not is_named:
                names.append(above.address)
            return (*dict.fromkeys(names), hop.received.by)
        names.append(hop.received.by)
        above = hop.received.peer
    return ()


def _legend(report: MessageReport) -> Iterator[str]:
    """The words of this page that need one."""
    if any(hop.border for hop in report.hops):
        yield "* the message crossed from one organisation to another: the hop that matters most"
    if any(hop.trust is Trust.CLAIMED for hop in report.hops):
        yield "claimed: written outside your provider; the sender's side could have forged it"
    if report.hops:
        yield "not in headers: how the sender handed the message in, how the recipient fetched it"


def _way(hop: Hop) -> str:
    """From whom to whom, topmost last."""
    peer = hop.received.peer or Peer()
    name = peer.name or peer.helo
    address = f"[{peer.address}]" if peer.address else None
    sender = " ".join(part for part in (name, address) if part) or "this host"
    software = f" ({hop.received.software})" if hop.received.software else ""
    return printable(f"{sender} -> {hop.received.by or 'this host'}{software}")


def _cells(name: str, counts: Counts) -> tuple[str, ...]:
    share = "" if counts.share is None else f"{counts.share:.0%}"
    numbers = (counts.total, counts.encrypted, counts.not_encrypted, counts.unknown)
    return (f"  {printable(name)}", *map(str, numbers), share, versions_words(counts))


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadersStyle:
    """How much a report shows."""

    per_hop: bool = False  # csv: one row a hop; text: the hops of every message
    summary: bool = False  # the summary alone


class HeadersWriter:
    """Writes reports as they come. As a context it finishes, or abandons when left by a fault."""

    def __init__(self, formatter: HeadersFormatter, sink: Sink) -> None:
        self._formatter = formatter
        self._sink = sink
        self._begun = False
        self.kept = sink.kept if isinstance(sink, FileSink) else None

    def write(self, report: MessageReport) -> None:
        """Raises ``ReportError`` if it cannot, ``BrokenPipeError`` if nobody reads any more."""
        self._write(self._formatter.body(report))

    @property
    def left(self) -> Path | None:
        """The partial file, if abandoning leaves it: it goes where nothing was written to it."""
        return self._sink.partial if self._begun and isinstance(self._sink, FileSink) else None

    def finish(self, summary: Summary) -> None:
        """The last bytes; the file is there once the context is left."""
        self._write(self._formatter.foot(summary))

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
        self._sink.write(head + text)
        self._begun = True


def open_headers_report(
    target: str, format_: ReportFormat | None, style: HeadersStyle
) -> HeadersWriter:
    """A writer for the file *target*, or for stdout where that is ``-``; see ``open_report``."""
    name = os.fspath(target)
    format_ = format_ or choose_format(name)
    if name != STDOUT:
        return HeadersWriter(_formatter(format_, style, Paper()), open_sink(Path(name)))
    if sys.stdout is None:  # started with it closed: >&-
        raise ReportError("stdout: cannot write the report: it is closed")
    sys.stdout.flush()
    stream = sys.stdout.buffer
    paper = Paper(terminal=stream.isatty(), encoding=sys.stdout.encoding)
    return HeadersWriter(_formatter(format_, style, paper), StreamSink(stream, "stdout"))


def _formatter(format_: ReportFormat, style: HeadersStyle, paper: Paper) -> HeadersFormatter:
    match format_:
        case ReportFormat.CSV:
            return SummaryCsv() if style.summary else HeadersCsv(per_hop=style.per_hop)
        case ReportFormat.JSON | ReportFormat.JSONL:
            pretty = format_ is ReportFormat.JSON
            return SummaryJson(pretty=pretty) if style.summary else HeadersJson(pretty=pretty)
        case ReportFormat.TEXT:
            return HeadersText(paper, per_hop=style.per_hop, summary_only=style.summary)
        case _:
            assert_never(format_)
