"""The answer for a person: first in words, then endpoint by endpoint, then what to do.

Everything a peer sent is escaped before rich sees it, and goes in as ``Text``, never as markup.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from prober.escape import printable, utc
from prober.records import (
    Code,
    DomainReport,
    Endpoint,
    Finding,
    Level,
    MxHost,
    RouteStatus,
    Severity,
    StartTls,
)
from prober.records.delivery import DeliveryOutcome
from prober.report.advice import ADVICE
from prober.report.delivery_words import explain_delivery
from prober.report.interface import Formatter
from prober.report.page import Page, Paper
from prober.report.rows import severity_order
from prober.report.words import (
    failure_words,
    list_words,
    name_of,
    outcome_words,
    published_lines,
    server_words,
    starttls_words,
    tls_words,
    trouble,
)
from prober.rules.exit_status import Totals
from prober.rules.hellos import tls_depends_on_sender

_LEVELS: Final[Mapping[Level, str]] = MappingProxyType(
    {
        Level.PARTIAL: (
            "mail may go in clear or be held back, only some of the servers complete TLS"
        ),
        Level.OPPORTUNISTIC: "mail can be encrypted, but not every server can be proved",
        Level.AUTHENTICATED: "mail can be encrypted and the servers proved",
        Level.ENFORCED: (
            "mail can be encrypted and the servers proved, and senders are told to insist"
        ),
    }
)
_ENCRYPTED: Final = (Level.OPPORTUNISTIC, Level.AUTHENTICATED, Level.ENFORCED)
_NO_TLS: Final[Mapping[DeliveryOutcome, str]] = MappingProxyType(
    {
        DeliveryOutcome.CLEAR: "mail would go in clear, no server completes TLS",
        DeliveryOutcome.DEFERRED: "mail is held back, no server completes TLS",
    }
)
_NO_MAIL: Final[Mapping[RouteStatus | None, str]] = MappingProxyType(
    {
        RouteStatus.NULL_MX: "receives no mail, by its null MX",
        RouteStatus.NXDOMAIN: "receives no mail, the domain does not exist",
        RouteStatus.NO_MAIL_HOST: "receives no mail, it has no mail host with an address",
    }
)
LEVEL_STYLES: Final[Mapping[Level, str]] = MappingProxyType(
    {
        Level.INVALID: "bold red",
        Level.NO_MAIL: "bold cyan",
        Level.UNKNOWN: "bold magenta",
        Level.NONE: "bold red",
        Level.PARTIAL: "bold red",
        Level.OPPORTUNISTIC: "bold yellow",
        Level.AUTHENTICATED: "bold green",
        Level.ENFORCED: "bold green",
    }
)
_SEVERITY_STYLES: Final = MappingProxyType(
    {Severity.HIGH: "red", Severity.MEDIUM: "yellow", Severity.LOW: "cyan", Severity.INFO: "dim"}
)
_STARTTLS_STYLES: Final = MappingProxyType(
    {
        StartTls.NOT_TESTED: "magenta",
        StartTls.NOT_OFFERED: "red",
        StartTls.OFFERED: "",
        StartTls.REFUSED: "red",
    }
)
_PEERS: Final = MappingProxyType({"server": "S:", "client": "C:"})
_ADDRESS_WIDTH = 24  # leaves room for TLS version, cipher and group at 80 columns
_INDENT = (0, 0, 0, 2)
_PLACES = 4  # of one finding, before "and N more"


class TextReport(Formatter):
    """The whole answer, domain by domain; with *transcripts*, what was said too."""

    def __init__(self, paper: Paper, *, transcripts: bool = False) -> None:
        self._page = Page(paper)
        self._transcripts = transcripts
        self._separator = b""

    def body(self, report: DomainReport) -> bytes:
        style = LEVEL_STYLES[report.verdict.level]
        pieces = [self._separator, self._page.draw_line(Text(headline(report), style=style))]
        if tested := server_words(report):
            pieces.append(self._page.draw("", Text(tested)))
        for block in _blocks(report):
            pieces.append(self._page.draw("", block))
        if self._transcripts:
            pieces.extend(self._transcript(seen) for seen in report.endpoints if seen.transcript)
        pieces.append(self._page.draw("", Text(_gathered(report), style="dim")))
        self._separator = b"\n"
        return b"".join(pieces)

    def _transcript(self, seen: Endpoint) -> bytes:
        asked = f" (asked as {seen.observed_as})" if seen.observed_as else ""
        where = f"{seen.mx_host} {seen.address} port {seen.port}{asked}"
        title = f"transcript of {where}, {utc(seen.observed_at)}"
        lines = [self._page.draw("", Text(printable(title), style="bold"))]
        for said in seen.transcript:
            peer = _PEERS.get(said.peer, "--")
            text = Text(f"{said.ms:>7} ms {peer} {printable(said.line)}")
            lines.append(self._page.draw_line(text))
        return b"".join(lines)


def headline(report: DomainReport) -> str:
    """The verdict in one sentence, never without the number of endpoints that it rests on."""
    level = report.verdict.level
    name = printable(name_of(report))
    if level is Level.INVALID:
        return f"{name}: INVALID, this is no mail domain: {trouble(report)}"
    if level is Level.UNKNOWN:
        why = trouble(report)
        counted = counts(report) + (f" ({why})" if why else "")
        return f"{name}: UNKNOWN whether mail would be encrypted: {counted}"
    seen = "" if report.verdict.complete else "as far as could be seen: "
    if level is Level.NO_MAIL:
        status = report.route.status if report.route else None
        return f"{name}: {seen}{_NO_MAIL.get(status, 'receives no mail')} ({level})"
    return f"{name}: {seen}{_answer(report)} ({level}), {counts(report)}"


def _answer(report: DomainReport) -> str:
    """What the level means for mail. Where TLS depends on the sender, that comes first."""
    level = report.verdict.level
    if level is Level.NONE:
        met = report.delivery.opportunistic.now if report.delivery else DeliveryOutcome.UNKNOWN
        return _NO_TLS.get(met, "mail goes in clear or is held back, no server completes TLS")
    if level in _ENCRYPTED and any(map(tls_depends_on_sender, report.endpoints)):
        return "some senders encrypt mail and others do not, as the problems below tell"
    return _LEVELS[level]


def counts(report: DomainReport) -> str:
    """Such as "3 of 4 endpoints tested"."""
    total = report.verdict.endpoints
    noun = "endpoint" if total == 1 else "endpoints"
    return f"{report.verdict.endpoints_tested} of {total} {noun} tested"


def _blocks(report: DomainReport) -> Iterator[RenderableType]:
    if report.mx_hosts or report.endpoints:
        yield _hosts_block(report)
    published = [printable(line) for line in published_lines(report)]
    if published:
        yield Group(*map(Text, published))
    if report.delivery is not None and report.endpoints:
        yield Text(" ".join(explain_delivery(report.delivery)))
    groups: dict[Code, list[Finding]] = {}
    for finding in sorted(report.findings, key=severity_order):
        groups.setdefault(finding.code, []).append(finding)
    for findings in groups.values():
        yield _finding_block(findings)


def _hosts_block(report: DomainReport) -> Group:
    """Each MX host on a line of its own, which may be long; its endpoints below, in columns."""
    lengths = [len(printable(seen.address)) for seen in report.endpoints]
    width = max((length for length in lengths if length <= _ADDRESS_WIDTH), default=0)
    parts: list[RenderableType] = []
    for host in _hosts(report):
        why = f": {failure_words(host.failure)}" if host.failure else ""
        parts.append(Text(f"MX {host.preference} {printable(host.name)}{why}", style="bold"))
        seen = (endpoint for endpoint in report.endpoints if endpoint.mx_host == host.name)
        for endpoint in seen:
            parts.extend(_endpoint_lines(endpoint, width))
    return Group(*parts)


def _hosts(report: DomainReport) -> list[MxHost]:
    """The MX hosts by preference, those too that are known by an endpoint only."""
    hosts = {host.name: host for host in report.mx_hosts}
    for endpoint in report.endpoints:
        hosts.setdefault(endpoint.mx_host, MxHost(name=endpoint.mx_host, preference=0))
    return sorted(hosts.values(), key=lambda host: (host.preference, host.name))


def _endpoint_lines(seen: Endpoint, address_width: int) -> Iterator[RenderableType]:
    """A row of columns; an address that is wider than its column goes on a line before."""
    address = printable(seen.address)
    if len(address) > address_width:
        yield Padding(Text(address), _INDENT)
        address = ""
    row = Table.grid(padding=(0, 2, 0, 0))
    row.add_column(width=address_width)
    row.add_column(width=len("not offered"), overflow="fold")
    row.add_column(overflow="fold")
    row.add_row(
        Text(address),
        Text(starttls_words(seen), style=_STARTTLS_STYLES[seen.starttls]),
        Text("\n".join(part for part in (tls_words(seen), outcome_words(seen)) if part)),
    )
    yield Padding(row, _INDENT)


def _finding_block(findings: list[Finding]) -> Table:
    first = findings[0]
    block = Table.grid(padding=(0, 2, 0, 0))
    block.add_column(min_width=len(Severity.MEDIUM))
    block.add_column(overflow="fold")
    severity = Text(first.severity.upper(), style=_SEVERITY_STYLES[first.severity])
    block.add_row(severity, Text(first.code, style="bold"))
    block.add_row("", Text(ADVICE[first.code]))
    for line in _places(findings):
        block.add_row("", Padding(Text(line, style="dim"), _INDENT))
    return block


def _places(findings: list[Finding]) -> Iterator[str]:
    """Where it was found, one line for all places that share a detail."""
    by_detail: dict[str | None, list[str]] = {}
    for finding in findings:
        named = (finding.mx_host, finding.address)
        place = " ".join(part for part in named if part is not None)
        by_detail.setdefault(finding.detail, []).append(place)
    for detail, places in by_detail.items():
        known = list(dict.fromkeys(place for place in places if place))
        more = f" and {len(known) - _PLACES} more" if len(known) > _PLACES else ""
        parts = [", ".join(known[:_PLACES]) + more, detail or ""]
        line = ": ".join(part for part in parts if part)
        if line:
            yield printable(line)


def _gathered(report: DomainReport) -> str:
    """When, from where and with what it was seen."""
    run, route = report.run, report.route
    parts = [f"checked {utc(report.checked_at)} in {report.elapsed_ms / 1000:.1f} s"]
    if route is not None:
        parts.append(f"route {route.status}, DNSSEC {route.dnssec}")
    parts.append(f"EHLO {run.ehlo_name}, resolver {', '.join(run.resolver) or 'none'}")
    parts.append(f"{run.trust_store.certificates} trust anchors, version {run.version}")
    return printable("; ".join(parts))


_LEVEL_WIDTH = max(map(len, Level))


class ScanText(Formatter):
    """One line a domain, and a summary that only a finished run has."""

    def __init__(self, paper: Paper) -> None:
        self._page = Page(paper)

    def body(self, report: DomainReport) -> bytes:
        verdict = report.verdict
        line = Text(f"{verdict.level:<{_LEVEL_WIDTH}}", style=LEVEL_STYLES[verdict.level])
        name = printable(name_of(report))
        line.append(f"  {_tested(report):<13}  {name}", style="default")
        if note := _note(report):
            line.append(f"  {note}", style="dim")
        if told := list_words(report):
            line.append(f"  ({told})", style="default")
        return self._page.draw_line(line)

    def foot(self, totals: Totals) -> bytes:
        levels = [
            f"{totals.levels[level]} {level}" for level in reversed(Level) if level in totals.levels
        ]
        parts = [
            f"{totals.domains} domain{'' if totals.domains == 1 else 's'}",
            ", ".join(levels),
            f"{totals.incomplete} incomplete",
            f"{totals.endpoints_tested} of {totals.endpoints} endpoints tested",
        ]
        return self._page.draw("", Text("; ".join(part for part in parts if part), style="bold"))


def _tested(report: DomainReport) -> str:
    return f"{report.verdict.endpoints_tested} of {report.verdict.endpoints} tested"


def _note(report: DomainReport) -> str:
    """The codes of the worst findings, and what is not known and why."""
    if report.verdict.level is Level.INVALID:
        return trouble(report)
    worst = sorted(report.findings, key=severity_order)
    codes = dict.fromkeys(one.code for one in worst if one.severity is Severity.HIGH)
    parts = [", ".join(codes)]
    if not report.verdict.complete:
        parts.append(": ".join(part for part in ("incomplete", trouble(report)) if part))
    return "; ".join(part for part in parts if part)
