"""Opens a report: picks its format, and writes record by record to a file or to stdout.

The formats of domain reports are the rows of ``ReportFormat``. A wing with records of its own gives
``open_writer`` a formatter for each format that it has.
"""

import enum
import os
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Generic, Self, TypeAlias

from prober.errors import ReportError, SettingsError
from prober.escape import printable
from prober.records import DomainReport
from prober.report.csv_ import Csv
from prober.report.interface import Formatter, R, T
from prober.report.json_ import JsonLines, PrettyJson
from prober.report.page import Paper
from prober.report.rows import COLUMNS, ENDPOINT_COLUMNS, to_endpoint_rows, to_row
from prober.report.sinks import Mark, ResumeFrom, Sink, StreamSink, open_sink
from prober.report.text import ScanText, TextReport
from prober.rules.exit_status import Totals

STDOUT: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportStyle:
    """How much a report shows. Each format looks at what concerns it."""

    per_endpoint: bool = False  # csv: one row an endpoint
    transcripts: bool = False  # text: what was said, line by line
    scan: bool = False  # text: one line a domain and a summary, in place of whole answers


DomainFormatter: TypeAlias = Formatter[DomainReport, Totals]


def _text(style: ReportStyle, paper: Paper) -> DomainFormatter:
    return ScanText(paper) if style.scan else TextReport(paper, transcripts=style.transcripts)


def _json(_style: ReportStyle, _paper: Paper) -> DomainFormatter:
    return PrettyJson()


def _jsonl(_style: ReportStyle, _paper: Paper) -> DomainFormatter:
    return JsonLines()


def _csv(style: ReportStyle, _paper: Paper) -> DomainFormatter:
    if style.per_endpoint:
        return Csv(ENDPOINT_COLUMNS, to_endpoint_rows)
    return Csv(COLUMNS, lambda report: [to_row(report)])


class ReportFormat(enum.StrEnum):
    """The formats: name on the command line, extensions of files, formatter of domain reports."""

    extensions: tuple[str, ...]
    formatter: Callable[[ReportStyle, Paper], DomainFormatter]

    TEXT = "text", (".txt",), _text
    JSON = "json", (".json",), _json
    JSONL = "jsonl", (".jsonl", ".ndjson"), _jsonl
    CSV = "csv", (".csv",), _csv

    def __new__(
        cls,
        name: str,
        extensions: tuple[str, ...],
        formatter: Callable[[ReportStyle, Paper], DomainFormatter],
    ) -> Self:
        member = str.__new__(cls, name)
        member._value_ = name
        member.extensions = extensions
        member.formatter = formatter
        return member


Formats: TypeAlias = Mapping[ReportFormat, Callable[[Paper], Formatter[R, T]]]
"""The formats that a kind of report has, and what makes their formatters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """All that decides how a report's rows look: plain values, for a worker to format them by."""

    format_: ReportFormat
    style: ReportStyle
    paper: Paper

    def formatter(self) -> DomainFormatter:
        """A formatter of this layout."""
        return self.format_.formatter(self.style, self.paper)


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
    def _holds_rows(self) -> bool:
        return self.mark is not None and self.mark.size > 0

    def finish(self) -> None:
        """The report is whole. Raises as ``write`` does, and is then abandoned."""
        if self._closed:
            return
        try:
            self._write(self.formatter.foot(self._totals))
        except BaseException:
            self.abandon()
            raise
        self._closed = True
        self._sink.finish()
        self._finished = True

    def abandon(self) -> None:
        """The run did not finish: no older report is touched. Never raises."""
        if not self._closed:
            self._closed = True
            self._sink.abandon()

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
        else:
            self.abandon()

    def _write(self, text: bytes) -> None:
        """The head goes out with the first report: a file with anything in it has a row in it."""
        head = b"" if self._begun else self.formatter.head()
        self._sink.write(head + text)
        self._begun = True


def open_report(
    target: str | os.PathLike[str],
    format_: ReportFormat | None = None,
    style: ReportStyle | None = None,
    totals: Totals | None = None,
    go_on: ResumeFrom | None = None,
) -> ReportWriter[DomainReport, Totals]:
    """A writer of domain reports; see ``open_writer``. *totals* counts them, for a summary."""
    totals = totals if totals is not None else Totals()
    formats = domain_formats(style or ReportStyle())
    return open_writer(os.fspath(target), format_, formats, totals, go_on)


def domain_formats(style: ReportStyle) -> Formats[DomainReport, Totals]:
    """Every format, for domain reports in *style*."""
    return {format_: partial(format_.formatter, style) for format_ in ReportFormat}


def open_writer(
    target: str,
    format_: ReportFormat | None,
    formats: Formats[R, T],
    totals: T,
    go_on: ResumeFrom | None = None,
) -> ReportWriter[R, T]:
    """A writer for the file *target*, or for stdout where that is ``-``, in one of *formats*.

    *totals* is what the caller counts the records in, for formats that end with a summary. With
    *go_on*, a file that an earlier run left goes on where that stopped.

    Without *format_* the file's extension says it, and stdout is text. Raises ``SettingsError``
    where neither does, ``ReportError`` where the file cannot be written; so open it before a scan.
    """
    make = formats[choose_format(target, format_, formats)]
    formatter = make(_paper(target))
    return ReportWriter(target, formatter, open_target(target, go_on), totals)


def open_target(target: str, go_on: ResumeFrom | None = None, what: str = "the report") -> Sink:
    """The file *target*, or stdout where that is ``-``; see ``open_sink``."""
    if target == STDOUT:
        return StreamSink(_stdout(what), "stdout")
    return open_sink(Path(target), go_on, what)


def layout_of(target: str, format_: ReportFormat | None, style: ReportStyle) -> Layout:
    """How the report *target* is to look: as ``open_report`` decides, and raising likewise."""
    return Layout(format_=choose_format(target, format_), style=style, paper=_paper(target))


def choose_format(
    target: str,
    format_: ReportFormat | None = None,
    formats: Collection[ReportFormat] = tuple(ReportFormat),
) -> ReportFormat:
    """The one of *formats* that is given, or else that the extension of *target* asks for.

    Raises ``SettingsError`` if none.
    """
    names = ", ".join(formats)
    if format_ is not None:
        if format_ not in formats:
            raise SettingsError(f"this report is not written as {format_}: choose one of {names}")
        return format_
    if target == STDOUT:
        return ReportFormat.TEXT
    by_extension = {extension: each for each in formats for extension in each.extensions}
    chosen = by_extension.get(Path(target).suffix.lower())
    if chosen is None:
        raise SettingsError(
            f"{printable(target)}: no format has this extension: use {' '.join(by_extension)}, "
            f"or choose one of {names} with --format"
        )
    return chosen


def _paper(target: str) -> Paper:
    if target != STDOUT:
        return Paper()
    return Paper(terminal=_stdout().isatty(), encoding=sys.stdout.encoding)


def _stdout(what: str = "the report") -> BinaryIO:
    if sys.stdout is None:  # started with it closed: >&-
        raise ReportError(f"stdout: cannot write {what}: it is closed")
    sys.stdout.flush()
    return sys.stdout.buffer
