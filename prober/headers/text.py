"""Text of `probe headers`: one message hop by hop, or one line per message and a summary."""

from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Final

from rich.table import Table
from rich.text import Text

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
    HOP_COLUMNS,
    MESSAGE_COLUMNS,
    SUMMARY_COLUMNS,
    encode_message,
    encode_summary,
    to_hop_rows,
    to_message_rows,
    to_summary_rows,
)
from prober.headers.summary import ENCRYPTED, RECEIVERS, SENDERS, Counts, Summary
from prober.report.interface import Formatter, Kind, Paper
from prober.report.page import Page
from prober.report.words import version_counts

_MAX_GROUPS: Final = 20  # per kind; other formats show all of them
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


class HeadersText(Formatter[MessageReport, Summary]):
    """Text for messages. One message is shown in full, several as one line each.

    *per_hop* shows the hops of every message.
    """

    def __init__(self, paper: Paper, *, per_hop: bool) -> None:
        self._page = Page(paper)
        self._per_hop = per_hop
        self._first: MessageReport | None = None  # kept until it is known whether more follow
        self._started = False

    def body(self, report: MessageReport) -> bytes:
        if self._per_hop:
            return self._full_report(report)
        if not self._started:
            self._started, self._first = True, report
            return b""
        first, self._first = self._first, None
        return (self._one_line(first) if first else b"") + self._one_line(report)

    def foot(self, summary: Summary) -> bytes:
        alone = self._full_report(self._first) if self._first is not None else b""
        return alone if summary.messages < 2 else alone + _draw_summary(self._page, summary)

    def _one_line(self, report: MessageReport) -> bytes:
        line = Text(verdict_words(report), style=_STYLES[report.verdict])
        name = printable(report.message.message_id or report.message.file)
        line.append(f"  {name}", style="default")
        if report.verdict not in ENCRYPTED:
            line.append(f"  {printable(report.reason)}", style="dim")
        return b"".join(map(self._page.draw_line, (line, *_probe_lines(report))))

    def _full_report(self, report: MessageReport) -> bytes:
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


class SummaryText(Formatter[Summary, Summary]):
    """Text with the counts only."""

    def __init__(self, paper: Paper) -> None:
        self._page = Page(paper)

    def body(self, record: Summary) -> bytes:
        return _draw_summary(self._page, record)


def _draw_summary(page: Page, summary: Summary) -> bytes:
    verdicts = [f"{summary.verdicts[word]} {word}" for word in MessageVerdict]
    counted = ", ".join(words for words in verdicts if not words.startswith("0 "))
    head = f"{summary.messages} messages: {counted}"
    table = Table.grid(padding=(0, 2))
    groups = list(summary.groups())
    for kind, title in ((SENDERS, "sending domain"), (RECEIVERS, "receiving server")):
        rows = [group for group in groups if group[0] == kind]
        table.add_row(title, "total", "encrypted", "not", "unknown", "share", "versions")
        for _, name, counts in islice(rows, _MAX_GROUPS):
            table.add_row(*(Text(cell) for cell in _cells(name, counts)))
        if len(rows) > _MAX_GROUPS:
            table.add_row(f"and {len(rows) - _MAX_GROUPS} more")
    return page.draw("", Text(head, style="bold"), table)


def verdict_words(report: MessageReport) -> str:
    """The verdict in words, such as "probably not encrypted at hop 4, as claimed"."""
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
            Text(_route(hop)),
        )
        claimed = "claimed: " if hop.trust is Trust.CLAIMED else ""
        table.add_row("", "", Text(f"{claimed}{printable(hop.reason)}", style="dim"))
    return table


def _probe_lines(report: MessageReport) -> Iterator[Text]:
    for seen in report.probe:
        detail = f" ({printable(seen.detail)})" if seen.detail else ""
        yield Text(f"  probe: {printable(seen.text)}{detail}")


def next_steps(report: MessageReport) -> Iterator[str]:
    """What the user can do to learn more, with the names filled in."""
    hop = report.hops[report.at_hop] if report.at_hop is not None else None
    if hop is not None and hop.judgement is Judgement.UNKNOWN and hop.received.by is not None:
        yield (
            f"read more mail that {hop.received.by} received (a whole mailbox, or --habits FILE): "
            "if one of its lines from that year or earlier states TLS, this hop was probably clear"
        )
    names = _names_to_trust(report) if report.as_claimed else ()
    if names:
        options = " ".join(f"--trusted-by {name}" for name in names)
        yield f"if {names[-1]} is your server or a partner's, add {options}"
    open_hop = hop is not None and hop.judgement is not Judgement.ENCRYPTED
    if open_hop and not report.probe and any(one.border for one in report.hops):
        yield "add --probe to see whether the receiving server offers TLS today"


def _names_to_trust(report: MessageReport) -> tuple[str, ...]:
    """The values for --trusted-by with which the first claimed line is trusted; its server is last.

    These are all servers down to that line. If the line above did not look up the server's name,
    its address is needed too.
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
    """Explains the words that this page uses."""
    if any(hop.border for hop in report.hops):
        yield "* marks a hop from one organisation to another: these hops matter most"
    if any(hop.trust is Trust.CLAIMED for hop in report.hops):
        yield "claimed: written outside your provider, so the sender could have forged it"
    if report.hops:
        yield "headers never show how the sender submitted the message or how the recipient read it"


def _route(hop: Hop) -> str:
    """The sender and the receiver of a hop, such as "a.example [192.0.2.1] -> b.example"."""
    peer = hop.received.peer or Peer()
    name = peer.name or peer.helo
    address = f"[{peer.address}]" if peer.address else None
    sender = " ".join(part for part in (name, address) if part) or "this host"
    software = f" ({hop.received.software})" if hop.received.software else ""
    return printable(f"{sender} -> {hop.received.by or 'this host'}{software}")


def _cells(name: str, counts: Counts) -> tuple[str, ...]:
    share = "" if counts.share is None else f"{counts.share:.0%}"
    numbers = (counts.total, counts.encrypted, counts.not_encrypted, counts.unknown)
    return (f"  {printable(name)}", *map(str, numbers), share, version_counts(counts.versions))


def messages(*, per_hop: bool) -> Kind[MessageReport, Summary]:
    """How to format reports on messages; *per_hop* adds the hops of each message."""
    return Kind(
        text=partial(HeadersText, per_hop=per_hop),
        encode=encode_message,
        columns=HOP_COLUMNS if per_hop else MESSAGE_COLUMNS,
        rows=to_hop_rows if per_hop else to_message_rows,
    )


SUMMARY: Final[Kind[Summary, Summary]] = Kind(
    text=SummaryText,
    encode=encode_summary,
    columns=SUMMARY_COLUMNS,
    rows=to_summary_rows,
)
"""How to format the counts over all messages."""
