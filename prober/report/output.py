"""Opens a report: picks its format, and writes record by record to a file or to stdout."""

import enum
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import BinaryIO, Final, Self, assert_never

from prober.errors import ReportError, SettingsError
from prober.escape import printable
from prober.records import DomainReport
from prober.report.csv_ import DomainCsv, EndpointCsv
from prober.report.interface import Formatter
from prober.report.json_ import JsonLines, PrettyJson
from prober.report.page import Paper
from prober.report.sinks import FileSink, GoOn, Mark, Sink, StreamSink, open_sink
from prober.report.text import ScanText, TextReport
from prober.rules.exit_status import Totals

STDOUT: Final = "-"


class ReportFormat(enum.StrEnum):
    """The formats, by the names that the command line gives them."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


_BY_SUFFIX: Final = MappingProxyType(
    {
        ".txt": ReportFormat.TEXT,
        ".json": ReportFormat.JSON,
        ".jsonl": ReportFormat.JSONL,
        ".ndjson": ReportFormat.JSONL,
        ".csv": ReportFormat.CSV,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportStyle:
    """How much a report shows. Each format looks at what concerns it."""

    per_endpoint: bool = False  # csv: one row an endpoint
    transcripts: bool = False  # text: what was said, line by line
    scan: bool = False  # text: one line a domain and a summary, in place of whole answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """All that decides how a report's rows look: plain values, for a worker to format them by."""

    format_: ReportFormat
    style: ReportStyle
    paper: Paper

    def formatter(self) -> Formatter:
        """A formatter of this layout."""
        return make_formatter(self.format_, self.style, self.paper)


class ReportWriter:
    """Writes reports as they come, each out at once.

    As a context it finishes, or abandons when left by an exception. ``partial`` is the file that
    is written until then, None for a stream; ``kept`` is where the rows of an earlier run went
    that never finished.
    """

    def __init__(self, target: str, formatter: Formatter, sink: Sink, totals: Totals) -> None:
        self.target = target
        self.formatter = formatter
        self._totals = totals
        self._sink = sink
        self._closed = False
        self.partial = sink.partial if isinstance(sink, FileSink) else None
        self.kept = sink.kept if isinstance(sink, FileSink) else None
        self._begun = self.mark is not None and self.mark.size > 0

    def write(self, report: DomainReport) -> None:
        """Raises ``ReportError`` if it cannot, ``BrokenPipeError`` if nobody reads any more."""
        self.write_rows(self.formatter.body(report))

    def write_rows(self, rows: bytes) -> None:
        """Write what a formatter of the same layout has made of some reports. Raises likewise."""
        if self._closed:
            raise ValueError("this report is finished or abandoned")
        self._write(rows)

    @property
    def mark(self) -> Mark | None:
        """How far the partial file is written; None for a stream."""
        return self._sink.mark if isinstance(self._sink, FileSink) else None

    def sync(self) -> None:
        """What was written is on the disk, where it goes to a file. Raises OSError."""
        if isinstance(self._sink, FileSink) and not self._closed:
            self._sink.sync()

    @property
    def left(self) -> Path | None:
        """The partial file, if abandoning leaves it: it goes where nothing was written to it."""
        return self.partial if self._begun else None

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
    go_on: GoOn | None = None,
) -> ReportWriter:
    """A writer for the file *target*, or for stdout where that is ``-``.

    *totals* is what the caller counts the reports in, for formats that end with a summary. With
    *go_on*, a file that an earlier run left goes on where that stopped.

    Without *format_* the file's extension says it, and stdout is text. Raises ``SettingsError``
    where neither does, ``ReportError`` where the file cannot be written; so open it before a scan.
    """
    name = os.fspath(target)
    layout = layout_of(name, format_, style)
    totals = totals if totals is not None else Totals()
    sink = StreamSink(open_stdout(), "stdout") if name == STDOUT else open_sink(Path(name), go_on)
    return ReportWriter(name, layout.formatter(), sink, totals)


def layout_of(
    target: str, format_: ReportFormat | None = None, style: ReportStyle | None = None
) -> Layout:
    """How the report *target* is to look: as ``open_report`` decides, and raising likewise."""
    paper = Paper()
    if target == STDOUT:
        paper = Paper(terminal=open_stdout().isatty(), encoding=sys.stdout.encoding)
    return Layout(
        format_=format_ or choose_format(target), style=style or ReportStyle(), paper=paper
    )


def open_stdout() -> BinaryIO:
    """Stdout as a stream of bytes. Raises ReportError where it is closed."""
    if sys.stdout is None:  # started with it closed: >&-
        raise ReportError("stdout: cannot write the report: it is closed")
    sys.stdout.flush()
    return sys.stdout.buffer


def choose_format(target: str) -> ReportFormat:
    """The format that *target* asks for by its extension. Raises ``SettingsError`` if none."""
    if target == STDOUT:
        return ReportFormat.TEXT
    chosen = _BY_SUFFIX.get(Path(target).suffix.lower())
    if chosen is None:
        raise SettingsError(
            f"{printable(target)}: no format has this extension: use {' '.join(_BY_SUFFIX)}, "
            f"or choose one of {', '.join(ReportFormat)} with --format"
        )
    return chosen


def make_formatter(format_: ReportFormat, style: ReportStyle, paper: Paper) -> Formatter:
    """The formatter of *format_* in *style*, drawing on *paper* where it draws at all."""
    match format_:
        case ReportFormat.CSV:
            return EndpointCsv() if style.per_endpoint else DomainCsv()
        case ReportFormat.JSON:
            return PrettyJson()
        case ReportFormat.JSONL:
            return JsonLines()
        case ReportFormat.TEXT if style.scan:
            return ScanText(paper)
        case ReportFormat.TEXT:
            return TextReport(paper, transcripts=style.transcripts)
        case _:
            assert_never(format_)
