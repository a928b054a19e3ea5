"""Opens a report: picks its format, and writes record by record to a file or to stdout.

The formats are the rows of ``ReportFormat``. A wing that has records of its own describes them as a
``Kind`` and gives that to ``open_report``.
"""

import enum
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Generic, Protocol, Self, TypeAlias

from prober.errors import BlindError, ReportError, SettingsError
from prober.escape import printable
from prober.files import Mark, ResumeFrom, is_stream, not_tested_of
from prober.records import DomainReport
from prober.records.history import RunNews
from prober.report.changes import COLUMNS as CHANGE_COLUMNS
from prober.report.changes import NO_NEWS, change_rows, news_summary
from prober.report.changes import SHEET as CHANGES
from prober.report.changes import TIMES as CHANGE_TIMES
from prober.report.csv_ import Csv
from prober.report.interface import (
    MAX_SECTIONS,
    Formatter,
    Kind,
    MadeAtEnd,
    Paper,
    R,
    Row,
    Sheet,
    T,
    require_html,
)
from prober.report.json_ import JsonLines, PrettyJson, encode_report
from prober.report.rows import (
    COLUMNS,
    ENDPOINT_COLUMNS,
    FINDING_COLUMNS,
    TIMES,
    list_cells,
    list_names,
    to_endpoint_rows,
    to_finding_rows,
    to_row,
)
from prober.report.sinks import FileSink, Sink, StreamSink, open_sink
from prober.report.summary import overview
from prober.report.text import ScanText, TextReport
from prober.report.xlsx import Xlsx
from prober.rules.totals import Totals

News: TypeAlias = Callable[[], RunNews | None]
"""What the run that is reported changed; None where the record cannot be read or written."""

STDOUT: Final = "-"
NO_PAGE: Final = "this report cannot be written as HTML: choose another format"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportStyle:
    """How much a report shows. Each format looks at what concerns it."""

    per_endpoint: bool = False  # csv: one row an endpoint
    transcripts: bool = False  # text: what was said, line by line
    scan: bool = False  # text: one line a domain and a summary, in place of whole answers
    notes: Mapping[str, str] = field(default_factory=dict)  # text of a scan: by domain
    columns: tuple[str, ...] = ()  # csv: of the list that was read, at the end of each row
    detail: int = MAX_SECTIONS  # html: how many domains have all details
    letter: bool = False  # html: a letter to the administrators of the one domain


def domains(style: ReportStyle, news: News | None = None) -> Kind[DomainReport, Totals]:
    """Reports on domains, in *style*; with *news*, also what the record says has changed."""
    text = (
        partial(ScanText, notes=style.notes)
        if style.scan
        else partial(TextReport, verbose=style.transcripts)
    )
    names = list_names(style.columns)

    def sheet(name: str, columns: tuple[str, ...], rows: _Rows) -> Sheet[DomainReport]:
        def with_list(report: DomainReport) -> Iterator[Row]:
            cells = list_cells(report, style.columns)
            yield from ((*row, *cells) for row in rows(report))

        return Sheet(name=name, columns=(*columns, *names), rows=with_list, times=TIMES)

    by_domain = sheet("domains", COLUMNS, lambda report: (to_row(report),))
    by_endpoint = sheet("endpoints", ENDPOINT_COLUMNS, to_endpoint_rows)
    findings = sheet("findings", FINDING_COLUMNS, to_finding_rows)
    table = by_endpoint if style.per_endpoint else by_domain
    return Kind(
        text=text,
        encode=encode_report,
        columns=table.columns,
        rows=table.rows,
        sheets=(by_domain, by_endpoint, findings, *(() if news is None else (_changes(news),))),
        overview=overview if news is None else partial(_overview, news),
        page=partial(_page, style, news),
    )


_Rows: TypeAlias = Callable[[DomainReport], Iterable[Row]]


def _changes(news: News) -> Sheet[DomainReport]:
    """Of what the record says: no rows of a record, all of them at the end."""

    def rows() -> Iterator[Row]:
        found = news()
        for each in found.changes if found is not None else ():
            yield from change_rows(each)

    return Sheet(
        name=CHANGES, columns=CHANGE_COLUMNS, rows=lambda _report: (), times=CHANGE_TIMES, last=rows
    )


def _overview(news: News, totals: Totals) -> Iterator[Row]:
    yield from overview(totals)
    found = news()
    yield CHANGES, NO_NEWS if found is None else news_summary(found)
    if found is not None and found.left_out:
        yield f"NOT in sheet {CHANGES}", f"domains whose changes are left out: {found.left_out:,}"


def _page(style: ReportStyle, news: News | None) -> Formatter[DomainReport, Totals]:
    """Imported only where HTML is asked for."""
    from prober.report.html import Html, LetterPage

    return LetterPage() if style.letter else Html(style.columns, style.detail, news)


def plain(render: Callable[[R], str]) -> Kind[R, None]:
    """Reports in the words of *render*, or as JSON; without colours or a table."""
    return Kind(
        text=partial(_PlainText, render), encode=encode_report, columns=(), rows=lambda _record: ()
    )


class _PlainText(Formatter[R, T]):
    def __init__(self, render: Callable[[R], str], paper: Paper) -> None:
        self._render = render
        self._encoding = paper.encoding

    def body(self, record: R) -> bytes:
        return f"{self._render(record)}\n".encode(self._encoding, "backslashreplace")


class _Maker(Protocol):
    def __call__(self, kind: Kind[R, T], paper: Paper, /) -> Formatter[R, T]: ...


def _text(kind: Kind[R, T], paper: Paper) -> Formatter[R, T]:
    return kind.text(paper)


def _html(kind: Kind[R, T], _paper: Paper) -> Formatter[R, T]:
    if kind.page is None:
        raise SettingsError(NO_PAGE)
    require_html()
    return kind.page()


class ReportFormat(enum.StrEnum):
    """The formats: name on the command line, extensions of files, and what makes a formatter."""

    extensions: tuple[str, ...]
    formatter: _Maker

    TEXT = "text", (".txt",), _text
    JSON = "json", (".json",), PrettyJson
    JSONL = "jsonl", (".jsonl", ".ndjson"), JsonLines
    CSV = "csv", (".csv",), Csv
    HTML = "html", (".html",), _html
    XLSX = "xlsx", (".xlsx",), Xlsx

    def __new__(cls, name: str, extensions: tuple[str, ...], formatter: _Maker) -> Self:
        member = str.__new__(cls, name)
        member._value_ = name
        member.extensions = extensions
        member.formatter = formatter
        return member


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """All that decides how a report's rows look: plain values, for a worker to format them by."""

    format_: ReportFormat
    style: ReportStyle
    paper: Paper

    def formatter(self) -> Formatter[DomainReport, Totals]:
        """A formatter of this layout."""
        return self.format_.formatter(domains(self.style), self.paper)


class ReportWriter(Generic[R, T]):
    """Writes records as they come, each out at once.

    As a context it finishes, or abandons when left by an exception. ``partial`` is the file that
    is written until then, None for a stream; ``kept`` is where the rows of an earlier run went
    that never finished.
    """

    def __init__(self, target: str, formatter: Formatter[R, T], sink: Sink, totals: T) -> None:
        self.target = target
        self.formatter = formatter
        self._totals = totals
        self._sink = sink
        self._closed = False
        self._finished = False
        self._keeps_rows = False
        self.partial = sink.partial
        self.kept = sink.kept
        self._begun = self._holds_rows

    def write(self, record: R) -> None:
        """Raises ``ReportError`` if it cannot, ``BrokenPipeError`` if nobody reads any more."""
        self.write_rows(self.formatter.body(record))

    def write_rows(self, rows: bytes) -> None:
        """Write what a formatter of the same layout has made of some records. Raises likewise."""
        if self._closed:
            raise ValueError("this report is finished or abandoned")
        self._write(rows)

    @property
    def shows_summary(self) -> bool:
        """Whether it goes to stdout and ends with the summary of the run."""
        return self.target == STDOUT and isinstance(self.formatter, ScanText)

    @property
    def mark(self) -> Mark | None:
        """How far the partial file is written; None for a stream."""
        return self._sink.mark

    def sync(self) -> None:
        """What was written is on the disk, where it goes to a file. Raises OSError."""
        if not self._closed:
            self._sink.sync()

    @property
    def left(self) -> Path | None:
        """The partial file, if abandoning leaves it: not if it is empty, or finished already."""
        return self.partial if self._holds_rows and not self._finished else None

    @property
    def left_blind(self) -> Path | None:
        """The same where this machine turns out to be unable to probe."""
        return not_tested_of(self.left) if self.left is not None else None

    @property
    def _holds_rows(self) -> bool:
        return self.mark is not None and self.mark.size > 0

    def finish(self, *, keep_rows: bool = False) -> None:
        """The report is whole. Raises as ``write`` does, and is then abandoned.

        With *keep_rows*, another run can continue it.
        """
        if self._closed:
            return
        self._keeps_rows = keep_rows
        try:
            self._write(self.formatter.foot(self._totals))
            self._make()
        except BaseException:
            self.abandon()
            raise
        self._closed = True
        self._sink.finish(self.formatter.arranged, keep_rows=keep_rows)
        self._finished = True

    def _make(self) -> None:
        """Make the file of its rows, where the format asks for that."""
        formatter, sink = self.formatter, self._sink
        if isinstance(formatter, MadeAtEnd) and isinstance(sink, FileSink):
            sink.make(lambda rows, path: formatter.make(rows, path, self._totals))

    def abandon(self, *, blind: bool = False) -> None:
        """The run did not finish: no older report is touched. Never raises."""
        if self._closed:
            self._sink.clear(keep_rows=True)
            return
        self._closed = True
        self._sink.abandon(blind=blind)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.finish()
            self._sink.clear(keep_rows=self._keeps_rows)
        else:
            self.abandon(blind=isinstance(exc, BlindError))

    def _write(self, text: bytes) -> None:
        """The head goes out with the first report: a file with anything in it has a row in it."""
        if not self._begun:
            text = self.formatter.head() + text
        if text:  # a formatter that only counts has nothing to write for a record
            self._sink.write(text)
            self._begun = True


def open_report(
    target: str,
    kind: Kind[R, T],
    totals: T,
    format_: ReportFormat | None = None,
    resume_from: ResumeFrom | None = None,
) -> ReportWriter[R, T]:
    """A writer for the file *target*, or for stdout where that is ``-``, of reports of one *kind*.

    *totals* is what the caller counts the records in, for formats that end with a summary. With
    *resume_from*, the file of an earlier run is continued where that stopped.

    Without *format_* the file's extension says it, and stdout is text. Raises ``SettingsError``
    where neither does, ``ReportError`` where the file cannot be written; so open it before a scan.
    """
    chosen = format_ or choose_format(target)
    formatter = chosen.formatter(kind, _paper(target))
    if isinstance(formatter, MadeAtEnd):
        if target == STDOUT or is_stream(Path(target)):
            name = "stdout" if target == STDOUT else printable(target)
            raise SettingsError(
                f"{name}: {chosen} can only be written to a file: --output FILE.{chosen}"
            )
        formatter.require_installed()
    return ReportWriter(target, formatter, open_target(target, resume_from), totals)


def open_target(
    target: str, resume_from: ResumeFrom | None = None, what: str = "the report"
) -> Sink:
    """The file *target*, or stdout where that is ``-``; see ``open_sink``."""
    if target == STDOUT:
        return StreamSink(_stdout(what), "stdout")
    return open_sink(Path(target), resume_from, what)


def layout_of(target: str, format_: ReportFormat | None, style: ReportStyle) -> Layout:
    """How the report *target* is to look: as ``open_report`` decides, and raising likewise."""
    return Layout(format_=format_ or choose_format(target), style=style, paper=_paper(target))


def choose_format(target: str) -> ReportFormat:
    """The format that *target* asks for by its extension. Raises ``SettingsError`` if none."""
    if target == STDOUT:
        return ReportFormat.TEXT
    by_extension = {extension: each for each in ReportFormat for extension in each.extensions}
    chosen = by_extension.get(Path(target).suffix.lower())
    if chosen is None:
        raise SettingsError(
            f"{printable(target)}: no format has this extension: use {' '.join(by_extension)}, "
            f"or choose one of {', '.join(ReportFormat)} with --format"
        )
    return chosen


def _paper(target: str) -> Paper:
    if target != STDOUT:
        return Paper()
    return Paper(
        terminal=_stdout().isatty(),
        colour=not os.environ.get("NO_COLOR"),  # no-color.org
        encoding=sys.stdout.encoding,
    )


def _stdout(what: str = "the report") -> BinaryIO:
    if sys.stdout is None:  # started with it closed: >&-
        raise ReportError(f"stdout: cannot write {what}: it is closed")
    sys.stdout.flush()
    return sys.stdout.buffer
