"""One HTML file that needs nothing else: no request to anywhere, readable without its script.

What is written is a whole document in the order of the answers, the summary last (CSS shows it
first). ``arranged`` makes the finished file of it: the summary first, then the worst domains first,
and full sections for the first of them only. docs/report.md.
"""

import base64
import hashlib
import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from prober.escape import minute, printable, utc
from prober.records import (
    Answer,
    Code,
    DomainReport,
    Endpoint,
    Level,
    Severity,
    Standing,
)
from prober.records.changes import Direction
from prober.records.history import RunNews
from prober.report.answer import LABELS, answer, by_sender, effects, is_well, reasons, warning_of
from prober.report.chains import chains_of
from prober.report.changes import DIRECTION_LABELS, NO_NEWS, news_summary, what_changed
from prober.report.deep import accepted
from prober.report.interface import MAX_SECTIONS, Formatter
from prober.report.letter import OURS, Letter, write_letter
from prober.report.problems import Problem, joined, problems_of, profile_gaps
from prober.report.publish import publications
from prober.report.trend import trend_of
from prober.report.words import (
    accepted_words,
    basis,
    failure_words,
    hosts_of,
    name_of,
    outcome_words,
    published_lines,
    rating_cells,
    server_words,
    session_cells,
    shown_version,
    transcript_line,
    vantage,
)
from prober.rules.certificate_fields import CertificateReader
from prober.rules.clauses import CLAUSES
from prober.rules.spread import EXPIRY_NAMES
from prober.rules.totals import Totals

MAX_ROWS: Final = 20_000  # domains with a row: what a browser shows in seconds
ROWS_OF_LIST: Final = 100  # of one <ul>; a browser lays out only those near the screen
NEXT_LIST: Final = b'</ul>\n<ul class="list far">\n'
_MAX_CHARACTERS: Final = 4_000  # of one text of a peer
_MAX_TRANSCRIPTS: Final = 250_000  # bytes of all transcripts in a file
_MAX_BARS: Final = 12  # rows of a table of the summary
_MAX_NOTED: Final = 10
_MAX_ACCEPTED: Final = 100  # exceptions in the summary: rows without details have only their day
_FOLDER: Final = Path(__file__).with_name("templates")
_LIST, _SUMMARY, _END = b"<!-- list -->\n", b"<!-- summary -->\n", b"<!-- end -->\n"
_WARNED: Final = b"<!-- warned -->"  # where the finished file says how many pass with a warning
_ITEM: Final = b'<li data-rank="'
_ID: Final = b' id="'
_SECTION: Final = b"<!-- section -->"
_TRANSCRIPTS, _TRANSCRIPTS_END = b"<!-- transcripts -->", b"<!-- transcripts end -->"
_FAILING: Final = (Standing.FALLS_SHORT, Standing.INVALID, Standing.UNDECIDED)
CLASSES: Final[Mapping[Standing | None, str]] = {
    Standing.MEETS: "pass",
    Standing.FALLS_SHORT: "fail",
    Standing.UNDECIDED: "unknown",
    Standing.NEUTRAL: "none",
    Standing.INVALID: "fail",
    None: "unknown",
}
DIRECTION_CSS: Final[Mapping[Direction | None, str]] = {
    Direction.WORSE: "fail",
    Direction.LOST_SIGHT: "unknown",
    Direction.OTHER: "warn",
    Direction.BETTER: "pass",
    None: "none",
}
_RANKS: Final[Mapping[Standing | None, int]] = {
    Standing.FALLS_SHORT: 0,
    Standing.INVALID: 1,
    Standing.UNDECIDED: 2,
    None: 3,
    Standing.MEETS: 5,
    Standing.NEUTRAL: 6,
}
_RANK_OF_ACCEPTED: Final = 3
_RANK_OF_WARNED: Final = b"4"
_REQUIRED: Final[Mapping[str, str]] = {
    Level.OPPORTUNISTIC: "all its mail servers encrypt mail",
    Level.AUTHENTICATED: "all its mail servers encrypt mail and prove their identity",
    Level.ENFORCED: (
        "all its mail servers encrypt mail and prove their identity, and it requires senders to "
        "use TLS"
    ),
}
_MARKS: Final[Mapping[Answer, tuple[str, str]]] = {
    Answer.YES: ("pass", "good"),
    Answer.NO: ("fail", "not good"),
    Answer.NOT_TESTED: ("unknown", "not tested"),
}


def _shown(value: object) -> object:
    """Text on one line with nothing that does not print, and not too long. Markup is ours."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    if len(value) > _MAX_CHARACTERS:
        value = f"{value[:_MAX_CHARACTERS]}… ({len(value)} characters)"
    return printable(value)


def _hash_of(text: str) -> str:
    """As a source of a Content-Security-Policy. CSP 3 §2.3.1."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _lines(lines: Sequence[str]) -> Markup:
    """For ``<pre>``; the line ends are references, since a domain is one line of the file."""
    return Markup("&#10;").join(escape(_shown(line)) for line in lines)


def environment(*folders: Path) -> Environment:
    """Of all templates, also those in *folders*: text is escaped, style and script are ours."""
    environment = Environment(
        loader=FileSystemLoader((*folders, _FOLDER)),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (_FOLDER / "style.css").read_text(encoding="utf-8")
    script = (_FOLDER / "script.js").read_text(encoding="utf-8")
    environment.filters["lines"] = _lines
    environment.globals.update(
        style=Markup(style),  # noqa: S704 (both are files of ours)
        script=Markup(script),  # noqa: S704
        policy=Markup(  # noqa: S704
            f"default-src 'none'; style-src {_hash_of(style)}; script-src {_hash_of(script)}; "
            "base-uri 'none'; form-action 'none'"
        ),
        labels=LABELS,
        utc=utc,
        minute=minute,
        title="Can these domains receive mail encrypted?",
        legend="PASS: the domain meets what was required. FAIL: it does not. UNKNOWN: it could not "
        "be tested, which says nothing against the domain. NO MAIL: it receives none. INVALID: the "
        "input is not a domain name.",
    )
    return environment


class Html(Formatter[DomainReport, Totals]):
    """A page on domains. *columns*: those of the list that was read.

    *detail*: how many domains have all details, the worst first. *news*: what changed, by the
    record that is kept; it gives None where that cannot be read.
    """

    def __init__(
        self,
        columns: Sequence[str] = (),
        detail: int | None = None,
        news: Callable[[], RunNews | None] | None = None,
    ) -> None:
        self._news = news
        self._columns = columns
        self._detail = MAX_SECTIONS if detail is None else detail
        self._environment = environment()
        self._domain = self._environment.get_template("domain.html")
        self._reader = CertificateReader()

    def head(self) -> bytes:
        return self._render("head.html") + _LIST + self._render("list.html", columns=self._columns)

    def body(self, report: DomainReport) -> bytes:
        """One line: the rank, the row, and all details of the domain."""
        page = self._domain.render(
            r=report,
            **_row(report, self._columns, self._reader),
            **_section(report, self._reader),
        )
        return _ITEM + _rank(report) + b" ".join(page.encode(errors="replace").split(b"\n")) + b"\n"

    def foot(self, totals: Totals) -> bytes:
        news = self._news() if self._news is not None else None
        summary = self._render(
            "summary.html",
            **_summary(totals),
            has_record=self._news is not None,
            no_news=NO_NEWS,
            news=_news(news) if news is not None else None,
        )
        return (
            b"</ul>\n</div>\n</section>\n" + _SUMMARY + summary + _END + self._render("foot.html")
        )

    def arranged(self, written: BinaryIO) -> Iterator[bytes]:
        return _arranged(written, self._detail)

    def _render(self, name: str, **values: object) -> bytes:
        return render(self._environment, name, **values)


def render(environment: Environment, template: str, **values: object) -> bytes:
    """What *template* makes of *values*, in lines."""
    text = environment.get_template(template).render(**values)
    return f"{text.rstrip()}\n".encode(errors="replace")


def render_page(folder: Path, template: str, **values: object) -> bytes:
    """A page of a wing: its *template* in its *folder*, which extends page.html."""
    return render(environment(folder), template, **values)


def letter_page(letter: Letter) -> bytes:
    """*letter* as a page of its own, to be printed or sent."""
    template = environment().get_template("letter.html")
    return template.render(letter=letter).encode(errors="replace")


class LetterPage(Formatter[DomainReport, Totals]):
    """The letter on one domain; it is to be given one report."""

    def body(self, report: DomainReport) -> bytes:
        return letter_page(write_letter(report))


def _arranged(written: BinaryIO, detail: int) -> Iterator[bytes]:
    """The summary, then the domains, the worst first. Keeps places in the file, and no domains."""
    head = list(iter(written.readline, _LIST))
    top: list[bytes] = []
    while not (line := written.readline()).startswith((_ITEM, b"</ul>")):
        top.append(line)
    places: list[tuple[bytes, int]] = []
    count, warned, at = 0, 0, written.tell() - len(line)
    while line.startswith(_ITEM):
        rank = line[len(_ITEM) :][:4]
        count += 1
        warned += rank.startswith(_RANK_OF_WARNED)
        places.append((rank, at))
        if len(places) >= 2 * MAX_ROWS:
            places = heapq.nsmallest(MAX_ROWS, places)
        at += len(line)
        line = written.readline()
    foot = written.read().partition(_END)
    yield b"".join(head)
    yield foot[0].partition(_SUMMARY)[2].replace(_WARNED, _on_warned(warned))
    yield b"".join(top)
    anchors: set[bytes] = set()
    transcripts = without = 0
    for number, (_, place) in enumerate(heapq.nsmallest(MAX_ROWS, places)):
        written.seek(place)
        line = _without_known_id(written.readline(), anchors)
        if number < detail:
            transcripts += _size_of_transcripts(line)
            if transcripts > _MAX_TRANSCRIPTS:
                line, without = _without_transcripts(line), without + 1
        if number and number % ROWS_OF_LIST == 0:
            yield NEXT_LIST
        yield line if number < detail else _without_section(line)
    yield b"</ul>\n</div>\n" + _left_out(count, detail, without) + b"</section>\n" + foot[2]


def _without_section(line: bytes) -> bytes:
    row = line.partition(_SECTION)[0]
    return row.replace(b"<details><summary>", b'<div class="row">', 1).removesuffix(
        b"</summary>"
    ) + (b"</div></li>\n")


def _size_of_transcripts(line: bytes) -> int:
    return len(line.partition(_TRANSCRIPTS)[2].partition(_TRANSCRIPTS_END)[0])


def _without_transcripts(line: bytes) -> bytes:
    before, _, rest = line.partition(_TRANSCRIPTS)
    return before + rest.partition(_TRANSCRIPTS_END)[2]


def _on_warned(count: int) -> bytes:
    if not count:
        return b""
    noun = "domain passes" if count == 1 else "domains pass"
    return f"<p>{count} {noun} with a warning: see the list.</p>".encode()


def not_listed(count: int) -> str:
    """How many domains of a list are left out, in a sentence."""
    which = "1 more domain is" if count == 1 else f"{count} more domains are"
    return f"{which} counted above and not listed here."


def _left_out(count: int, detail: int, without: int) -> bytes:
    """What is left out: *count* domains were written, *without* of them lost their transcripts."""
    notes = []
    if without:
        which = "1 domain is" if without == 1 else f"{without} domains are"
        notes.append(f"{which} shown without transcripts: a JSON report has them.")
    if count > MAX_ROWS:
        notes.append(not_listed(count - MAX_ROWS))
    if count > detail:
        which = "The first domain has" if detail == 1 else f"The first {detail} domains have"
        notes.append(
            f"{f'{which} all details. For the others' if detail else 'For all details'}, run probe "
            "check with the name of the domain, give a greater number with --detail, or write a "
            "JSON report."
        )
    return "".join(f'<p class="note">{note}</p>\n' for note in notes).encode()


def _without_known_id(line: bytes, known: set[bytes]) -> bytes:
    """*line*; without its id where one of *known* has the same: a domain may come twice."""
    before, _, rest = line.partition(_ID)
    anchor, _, rest_of_line = rest.partition(b'"')
    if anchor in known:
        return before + rest_of_line
    known.add(anchor)
    return line


def _rank(report: DomainReport) -> bytes:
    """Four digits that sort the worst first."""
    rank = _RANKS[report.standing] if report.accepted is None else _RANK_OF_ACCEPTED
    if report.standing is Standing.MEETS and warning_of(report) is not None:
        rank = int(_RANK_OF_WARNED)
    high = sum(each.severity is Severity.HIGH for each in report.findings)
    return f"{rank}{list(Level).index(report.verdict.level)}{max(0, 99 - high):02}".encode()


def _row(report: DomainReport, columns: Sequence[str], reader: CertificateReader) -> dict[str, Any]:
    warning = warning_of(report) if report.standing is Standing.MEETS else None
    shown = list(dict.fromkeys((*columns, *report.columns)))
    name = name_of(report)
    return {
        "anchor": anchor_of(name),
        "name": name,
        "css": "warn" if warning else CLASSES[report.standing],
        "label": LABELS[report.standing] if report.standing else "NOT JUDGED",
        "why": f"but {warning}" if warning else answer(report, reader),
        "until": report.accepted and report.accepted.until.isoformat(),
        "own": [(column, report.columns.get(column, "")) for column in shown],
    }


def anchor_of(name: str) -> str:
    """The id of a domain's section: made of a digest, since no text of others may be an id."""
    digest = hashlib.sha256(name.encode(errors="backslashreplace")).hexdigest()
    return f"d-{digest[:16]}"


def _section(report: DomainReport, reader: CertificateReader) -> dict[str, Any]:
    problems, gaps = list(problems_of(report)), profile_gaps(report)
    main = [p for p in problems if p.code.severity in (Severity.HIGH, Severity.MEDIUM)]
    main += [p for p in problems if p not in main and p.code in report.reasons]
    has_faults = any(problem.code not in OURS for problem in main)
    wants_letter = bool(report.endpoints) and (report.standing in _FAILING or has_faults)
    return {
        "exception": report.accepted and accepted_words(report.accepted),
        "server": server_words(report),
        "effects": effects(report),
        "reasons": _other_reasons(report, problems),
        "problems": main,
        "lesser": [problem for problem in problems if problem not in main],
        "clauses": _clauses,
        "below": [(joined(found), rating_cells(row)) for row, found in gaps.items()],
        "matrix": list(_matrix(report, reader)),
        "published": list(published_lines(report)),
        "chains": list(chains_of(report, reader)),
        "accepted": accepted(report),
        "senders": list(_senders(report)),
        "publications": list(publications(report)),
        "letter": write_letter(report).text.splitlines() if wants_letter else [],
        "transcripts": [(seen, lines) for seen in report.endpoints if (lines := _transcript(seen))],
        "basis": basis(report),
        "vantage": vantage(report),
    }


def _other_reasons(report: DomainReport, problems: Sequence[Problem]) -> list[str]:
    """The reasons that no finding below says."""
    said = {problem.code.meaning for problem in problems}
    return [reason for reason in reasons(report) if reason not in said]


def _clauses(code: Code) -> str:
    return "; ".join(f"{norm} {clause}" for norm, clause in CLAUSES[code].items())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    """A row of the table of servers."""

    preference: int
    host: str
    address: str
    mark: tuple[str, str]
    cells: tuple[str, str, str]  # TLS, or the answer to STARTTLS; key exchange, cipher suite
    outcome: str


def _matrix(report: DomainReport, reader: CertificateReader) -> Iterator[_Server]:
    for host in hosts_of(report):
        seen = [endpoint for endpoint in report.endpoints if endpoint.mx_host == host.name]
        for endpoint in seen:
            yield _Server(
                preference=host.preference,
                host=host.name,
                address=endpoint.address,
                mark=_MARKS[is_well(endpoint, reader)],
                cells=session_cells(endpoint),
                outcome=outcome_words(endpoint),
            )
        if not seen:
            yield _Server(
                preference=host.preference,
                host=host.name,
                address="",
                mark=_MARKS[Answer.NOT_TESTED],
                cells=("", "", ""),
                outcome=failure_words(host.failure) if host.failure else "not contacted",
            )


def _senders(report: DomainReport) -> Iterator[tuple[str, tuple[str, ...]]]:
    """A row for all kinds of sender whose mail meets the same."""
    if report.delivery is None or not report.endpoints:
        return
    rows: dict[tuple[str, ...], list[str]] = {}
    for sender, outcomes in by_sender(report.delivery):
        rows.setdefault(outcomes, []).append(sender)
    yield from (("; ".join(kinds), outcomes) for outcomes, kinds in rows.items())


def _transcript(seen: Endpoint) -> list[str]:
    """Of its sessions, those of --deep last."""
    lines = (*seen.transcript, *(seen.deep.transcript if seen.deep is not None else ()))
    return list(map(transcript_line, lines))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bar:
    label: str
    count: int
    percent: float
    css: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chart:
    title: str
    unit: str
    bars: tuple[_Bar, ...]
    note: str = ""
    broad: bool = False


def _summary(totals: Totals) -> dict[str, Any]:
    noted = sorted(totals.noted, key=lambda domain: domain.rank)
    worst = [each for each in noted if each.accepted is None][:_MAX_NOTED]
    exceptions = [each for each in noted if each.accepted is not None][:_MAX_ACCEPTED]
    expiring = sorted(totals.expiring.values(), key=lambda each: (each.not_after, each.mx_host))
    failing = sum(totals.not_accepted.get(standing, 0) for standing in _FAILING)
    return {
        "totals": totals,
        "when": _when(totals),
        "required": _required(totals.requirement),
        "more_noted": failing - len(worst),
        "tiles": [
            (
                CLASSES[standing],
                LABELS[standing],
                totals.standings.get(standing, 0),
                totals.accepted.get(standing, 0),
            )
            for standing in Standing
        ],
        "noted": [(anchor_of(each.name), CLASSES[each.standing], each) for each in worst],
        "exceptions": [
            (anchor_of(each.name), CLASSES[each.standing], each, accepted_words(each.accepted))
            for each in exceptions
            if each.accepted is not None
        ],
        "more_accepted": sum(totals.accepted.values()) - len(exceptions),
        "expiring": expiring[:_MAX_NOTED],
        "charts": [chart for chart in _charts(totals) if chart.bars],
    }


def _required(requirement: str | None) -> str:
    """When a domain passes, in a sentence; empty where nothing was counted."""
    if requirement is None:
        return ""
    profile = requirement.partition(":")[2]
    if profile:
        return f"A domain passes when what its mail servers negotiate meets the profile {profile}."
    return f"A domain passes when {_REQUIRED[requirement]} (level {requirement})."


def _news(news: RunNews) -> dict[str, Any]:
    """What changed since the run before, and how many domains pass over runs."""
    told = [each for each in news.changes if each.worst is not None][:_MAX_NOTED]
    return {
        "summary": news_summary(news),
        "told": [
            (
                DIRECTION_CSS[each.worst],
                DIRECTION_LABELS[each.worst],
                anchor_of(each.domain),
                each.domain,
                what_changed(each),
            )
            for each in told
        ],
        "more": sum(news.counts.values()) - news.counts.get(None, 0) - len(told),
        "trend": trend_of(news.runs),
    }


def _when(totals: Totals) -> str:
    """Such as "2026-01-02 03:04 to 03:09 UTC"; empty where nothing was counted."""
    first, last = totals.spread.first, totals.spread.last
    if first is None or last is None:
        return ""
    begin, end = minute(first), minute(last)
    if begin == end:
        return f"{begin} UTC"
    return f"{begin} to {end[11:] if begin[:10] == end[:10] else end} UTC"


def _charts(totals: Totals) -> Iterator[_Chart]:
    spread = totals.spread
    levels = {str(level): totals.levels.get(level, 0) for level in reversed(Level)}
    yield _Chart(title="Levels", unit="domains", bars=_bars(levels, ordered=True))
    versions = {shown_version(name): count for name, count in spread.tls_versions.items()}
    yield _Chart(title="TLS versions", unit="endpoints", bars=_bars(versions))
    yield _Chart(
        title="Key exchange",
        unit="endpoints",
        bars=_bars(spread.key_exchanges),
        note=_post_quantum(spread.post_quantum),
    )
    expiry = {name: spread.expiry.get(name, 0) for name in EXPIRY_NAMES}
    yield _Chart(
        title="First certificate to expire",
        unit="domains",
        bars=_bars(expiry, ordered=True) if spread.expiry else (),
    )
    yield _Chart(title="Operators of MX hosts", unit="domains", bars=_bars(spread.operators))
    findings = {str(code): count for code, count in spread.findings.items()}
    yield _Chart(
        title="Findings by frequency",
        unit="domains",
        bars=_bars(findings, notes={str(code): code.meaning for code in spread.findings}),
        broad=True,
    )


def _post_quantum(counts: Mapping[Answer, int]) -> str:
    """The share of endpoints that accept a post-quantum group, chosen or found by --deep."""
    yes, no = counts.get(Answer.YES, 0), counts.get(Answer.NO, 0)
    total = sum(counts.values())
    if not total:
        return ""
    rest = f"; no at {no}, not tested at {total - yes - no}" if total > yes else ""
    return f"Post-quantum: {yes} of {total} ({100 * yes / total:.0f} %){rest}."


def _bars(
    counts: Mapping[str, int], *, ordered: bool = False, notes: Mapping[str, str] | None = None
) -> tuple[_Bar, ...]:
    """The most frequent first, or all of them in their order; what is left is one row."""
    rows = list(counts.items())
    if not ordered:
        rows.sort(key=lambda row: (-row[1], row[0]))
    total, most = sum(counts.values()), max(counts.values(), default=0)
    shown = rows if ordered else rows[:_MAX_BARS]
    bars = [
        _Bar(
            label=label,
            count=count,
            percent=100 * count / most if most else 0,
            note=(notes or {}).get(label, ""),
        )
        for label, count in shown
        if count or (ordered and total)
    ]
    rest = total - sum(bar.count for bar in bars)
    if rest > 0:
        more = len(rows) - len(shown)
        bars.append(_Bar(label=f"{more} more", count=rest, percent=100 * min(1, rest / most)))
    return tuple(bars)
