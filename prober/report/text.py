"""The answer for a person: what becomes of mail, then each endpoint, then each problem.

Everything a peer sent is escaped before rich sees it, and goes in as ``Text``, never as markup.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from prober.escape import printable, utc
from prober.records import (
    DomainReport,
    Endpoint,
    Level,
    Line,
    MxHost,
    Severity,
    Standing,
)
from prober.records.delivery import Delivery
from prober.report.answer import (
    LABELS,
    answer,
    by_sender,
    effects,
    headline,
    is_well,
    kinds_differ,
    warning_of,
)
from prober.report.deep import accepted
from prober.report.interface import Formatter, Paper
from prober.report.page import MARK_STYLES, Page
from prober.report.problems import Problem, joined, problems_of, profile_gaps
from prober.report.rows import severity_order
from prober.report.summary import summary_lines
from prober.report.words import (
    accepted_words,
    basis,
    counted,
    failure_words,
    hosts_of,
    list_words,
    name_of,
    outcome_words,
    published_lines,
    rating_words,
    server_words,
    session_cells,
    transcript_line,
    vantage,
)
from prober.rules.totals import Totals

STANDING_STYLES: Final[Mapping[Standing, str]] = MappingProxyType(
    {
        Standing.MEETS: "bold green",
        Standing.FALLS_SHORT: "bold red",
        Standing.UNDECIDED: "bold magenta",
        Standing.NEUTRAL: "bold cyan",
        Standing.INVALID: "bold red",
    }
)
_WARNING_STYLE: Final = "bold yellow"
_SEVERITY_STYLES: Final = MappingProxyType(
    {Severity.HIGH: "red", Severity.MEDIUM: "yellow", Severity.LOW: "cyan", Severity.INFO: "dim"}
)
_IN_FULL: Final = (Severity.HIGH, Severity.MEDIUM)  # the others take a line together
_GAP: Final = 2  # between columns
_MIN_LAST: Final = 24  # what the last column of the endpoints needs, before they are laid out anew


class TextReport(Formatter[DomainReport, Totals]):
    """The whole answer, domain by domain; *verbose* adds details and transcripts."""

    def __init__(self, paper: Paper, *, verbose: bool = False) -> None:
        self._page = Page(paper)
        self._verbose = verbose
        self._separator = b""

    def body(self, report: DomainReport) -> bytes:
        pieces = [self._separator, self._page.draw_line(_headline(report))]
        for line in (_exception(report), server_words(report), " ".join(effects(report))):
            if line:
                pieces.append(self._page.draw(Text(line)))
        for block in self._blocks(report):
            pieces.append(self._page.draw("", *block))
        if self._verbose:
            pieces.extend(map(self._transcript, report.endpoints))
        pieces.append(self._page.draw("", Text(basis(report), style="dim")))
        if self._verbose:
            pieces.append(self._page.draw(Text(vantage(report), style="dim")))
        self._separator = b"\n"
        return b"".join(pieces)

    def _blocks(self, report: DomainReport) -> Iterator[Sequence[RenderableType]]:
        published = [Text(printable(line)) for line in published_lines(report)]
        endpoints = list(_endpoints(report, self._page, suites=self._verbose))
        if endpoints or published:
            yield [*endpoints, *published]
        yield from _accepted(report, verbose=self._verbose)
        delivery = report.delivery
        if delivery and report.endpoints and (self._verbose or kinds_differ(delivery)):
            yield [_senders(delivery)]
        below = list(_below_profile(report, verbose=self._verbose))
        if below:
            yield below
        yield from _problems(report, verbose=self._verbose)

    def _transcript(self, seen: Endpoint) -> bytes:
        asked = f" (asked as {seen.observed_as})" if seen.observed_as else ""
        where = f"{seen.mx_host} {seen.address} port {seen.port}{asked}"
        pieces = self._spoken(f"transcript of {where}", seen.observed_at, seen.transcript)
        if seen.deep is not None:
            name, deep = f"transcript of --deep, {where}", seen.deep
            pieces += self._spoken(name, deep.observed_at, deep.transcript)
        return b"".join(pieces)

    def _spoken(self, name: str, at: datetime, said: Sequence[Line]) -> list[bytes]:
        if not said:
            return []
        title = Text(printable(f"{name}, {utc(at)}"), style="bold")
        lines = [self._page.draw("", title)]
        for line in said:
            lines.append(self._page.draw_line(Text(printable(transcript_line(line)))))
        return lines


def _headline(report: DomainReport) -> Text:
    """The headline, what comes up to the first full stop coloured by the standing."""
    words = headline(report)
    if report.standing is None:
        return Text(words, style="bold")
    text = Text(words)
    start = len(printable(name_of(report))) + 2
    end = start + len(LABELS[report.standing])
    text.stylize("bold", 0, start)
    text.stylize(_style(report), start, end)
    return text


def _exception(report: DomainReport) -> str | None:
    """Who accepts that the domain does not pass; None: nobody."""
    return None if report.accepted is None else f"Accepted: {accepted_words(report.accepted)}."


def _style(report: DomainReport) -> str:
    """Of its standing; one that passes with a HIGH finding is never green."""
    if report.standing is Standing.MEETS and warning_of(report) is not None:
        return _WARNING_STYLE
    return STANDING_STYLES[report.standing] if report.standing else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One endpoint in words. ``cells``: the columns between its sign and its last one."""

    mark: str
    host: str
    cells: tuple[str, ...]  # address, TLS, key exchange, cipher suite
    rest: str


_TITLES: Final = _Row(
    mark="",
    host="MX host",
    cells=("address", "TLS", "key exchange", "cipher suite"),
    rest="certificate",
)


def _endpoints(report: DomainReport, page: Page, *, suites: bool) -> Iterator[Text]:
    """A line per endpoint; where that is too wide, each MX host has a line of its own."""
    hosts = [(host, list(_rows(report, host, page, suites=suites))) for host in hosts_of(report)]
    rows = [row for _, found in hosts for row in found]
    shown = [
        number for number in range(len(_TITLES.cells)) if any(row.cells[number] for row in rows)
    ]
    with_host = [_with_host(row, shown) for row in (_TITLES, *rows)]
    width = sum(_GAP + each for each in _widths(with_host))
    if rows and page.width - width >= _MIN_LAST:
        yield from _lines(with_host, page.width)
        yield from (_host_line(host) for host, found in hosts if not found)
        return
    widths = _widths([(row.mark, *(row.cells[number] for number in shown), "") for row in rows])
    for host, found in hosts:
        yield _host_line(host)
        lines = [(row.mark, *(row.cells[number] for number in shown), row.rest) for row in found]
        yield from _lines(lines, page.width, widths=widths, indent=_GAP)


def _with_host(row: _Row, shown: Sequence[int]) -> tuple[str, ...]:
    rest = row.rest.removeprefix("certificate ")
    return (row.mark, row.host, *(row.cells[number] for number in shown), rest)


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    """Of all columns but the last."""
    return [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]


def _lines(
    rows: Sequence[Sequence[str]],
    width: int,
    *,
    widths: Sequence[int] = (),
    indent: int = 0,
) -> Iterator[Text]:
    """*rows* in columns, the last column folded to *width*."""
    widths = widths or _widths(rows)
    for mark, *cells, last in rows:
        padded = [cell.ljust(room) for cell, room in zip((mark, *cells), widths, strict=True)]
        head = " " * indent + "".join(f"{cell}{' ' * _GAP}" for cell in padded)
        if width - len(head) >= _MIN_LAST:
            folded = textwrap.wrap(last, width - len(head)) or [""]
            text = Text(head + f"\n{' ' * len(head)}".join(folded))
        else:
            inset = " " * (indent + _GAP + widths[0])
            text = Text(
                head
                + "".join(f"\n{inset}{line}" for line in textwrap.wrap(last, width - len(inset)))
            )
        if mark:
            text.stylize(MARK_STYLES[mark], indent, indent + len(mark))
        else:
            text.stylize("dim")
        yield text


def _host_line(host: MxHost) -> Text:
    why = f": {failure_words(host.failure)}" if host.failure else ""
    return Text(f"MX {host.preference} {printable(host.name)}{why}")


def _rows(report: DomainReport, host: MxHost, page: Page, *, suites: bool) -> Iterator[_Row]:
    for seen in report.endpoints:
        if seen.mx_host == host.name:
            session, exchange, suite = session_cells(seen)
            yield _Row(
                mark=page.mark(is_well(seen)),
                host=f"{host.preference} {printable(host.name)}",
                cells=(
                    printable(seen.address),
                    session,
                    exchange,
                    suite if suites else "",
                ),
                rest=outcome_words(seen),
            )


def _accepted(report: DomainReport, *, verbose: bool) -> Iterator[Sequence[RenderableType]]:
    """What the servers accept beyond what they chose; nothing where that was not asked."""
    for number, found in enumerate(accepted(report, verbose=verbose)):
        head = [Text("Also accepts, asked by --deep:", style="dim")] if number == 0 else []
        lines = [Padding(Text(line), (0, 0, 0, _GAP)) for line in found.lines]
        yield [*head, Text(found.places), *lines]


def _senders(delivery: Delivery) -> Table:
    table = Table.grid(padding=(0, _GAP, 0, 0))
    for _ in range(4):
        table.add_column(overflow="fold")
    titles = ("a sender that", "today", "backup", "under attack")
    table.add_row(*(Text(title, style="dim") for title in titles))
    for sender, outcomes in by_sender(delivery):
        table.add_row(Text(sender), *map(Text, outcomes))
    return table


def _below_profile(report: DomainReport, *, verbose: bool) -> Iterator[RenderableType]:
    """The facts that keep endpoints below the required profile, a line for all places of each."""
    ratings, gaps = report.profile_ratings, profile_gaps(report)
    if ratings is not None and gaps:
        yield Text(printable(f"Below profile {ratings.profile}. Its norm is {ratings.norm}."))
    for row, found in gaps.items():
        line = Text(f"{printable(joined(found))}: {rating_words(row, verbose=verbose)}")
        yield Padding(line, (0, 0, 0, _GAP))


def _problems(report: DomainReport, *, verbose: bool) -> Iterator[Sequence[RenderableType]]:
    """Each problem with what to do; the lesser ones by their codes only, unless *verbose*."""
    is_neutral = report.standing is Standing.NEUTRAL
    explained = () if is_neutral else report.reasons
    lesser = []
    for problem in problems_of(report):
        code = problem.code
        if verbose or code.severity in _IN_FULL or code in explained:
            yield [_problem_block(problem)]
        elif not (is_neutral and code in report.reasons):  # then the headline says it
            lesser.append(code)
    if lesser:
        yield [
            Text(f"Also noted: {', '.join(lesser)} (see `probe explain CODE`, or -v)", style="dim")
        ]


def _problem_block(problem: Problem) -> Table:
    code = problem.code
    block = Table.grid(padding=(0, _GAP, 0, 0))
    block.add_column(min_width=len(Severity.MEDIUM))
    block.add_column(overflow="fold")
    severity = Text(code.severity.upper(), style=_SEVERITY_STYLES[code.severity])
    block.add_row(severity, Text(code, style="bold"))
    for line in (code.meaning, *problem.places, problem.advice):
        block.add_row("", Text(line))
    return block


_NO_NOTES: Final[Mapping[str, str]] = MappingProxyType({})
_LABEL_WIDTH: Final = max(map(len, LABELS.values()))
_LEVEL_WIDTH: Final = max(map(len, Level))
_NOTE_INDENT: Final = _LABEL_WIDTH + _GAP


class ScanText(Formatter[DomainReport, Totals]):
    """One line per domain, and a summary at the end of a finished run.

    *notes*: what to say below the lines of some domains.
    """

    def __init__(self, paper: Paper, notes: Mapping[str, str] = _NO_NOTES) -> None:
        self._page = Page(paper)
        self._notes = notes

    def body(self, report: DomainReport) -> bytes:
        line = Text(f"{_label(report):<{_LABEL_WIDTH}}", style=_style(report))
        name = printable(name_of(report))
        line.append(f"  {report.verdict.level:<{_LEVEL_WIDTH}}  {name}", style="default")
        if note := _note(report):
            line.append(f"  {note}", style="dim")
        if told := list_words(report):
            line.append(f"  ({told})", style="default")
        drawn = self._page.draw_line(line)
        if name in self._notes:
            drawn += self._page.draw(Padding(Text(self._notes[name]), (0, 0, 0, _NOTE_INDENT)))
        return drawn

    def foot(self, totals: Totals) -> bytes:
        lines = summary_lines(totals)
        drawn = [self._page.draw(""), *(self._page.draw_line(Text(line)) for line in lines)]
        return b"".join(drawn)


def _label(report: DomainReport) -> str:
    return LABELS[report.standing] if report.standing is not None else ""


def _note(report: DomainReport) -> str:
    """Why the domain does not pass, and what was found: the lesser findings by their number."""
    parts = []
    warning = warning_of(report)
    if report.standing in (Standing.FALLS_SHORT, Standing.UNDECIDED, Standing.INVALID):
        parts.append(answer(report))
    elif report.standing is Standing.MEETS and warning is not None:
        parts.append(f"but {warning}")
    found = sorted(report.findings, key=severity_order)
    codes = dict.fromkeys(one.code for one in found if one.severity in _IN_FULL)
    lesser = len({one.code for one in found} - set(codes))
    named = [*codes, *([counted(lesser, "lesser finding")] if lesser else [])]
    if named:
        parts.append(", ".join(named))
    if report.accepted is not None:
        parts.append(f"accepted: {accepted_words(report.accepted)}")
    return "; ".join(parts)
