"""Opens a report of `probe headers` and writes message by message; files as ``report.sinks`` has.

A file appears only when it is whole: until then the rows are in ``FILE.partial``.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, assert_never

from prober.errors import ReportError
from prober.records.headers import MessageReport
from prober.report.headers.formats import (
    HeadersCsv,
    HeadersFormatter,
    HeadersJson,
    SummaryCsv,
    SummaryJson,
)
from prober.report.headers.summary import Summary
from prober.report.headers.text import HeadersText
from prober.report.output import STDOUT, ReportFormat, choose_format
from prober.report.page import Paper
from prober.report.sinks import FileSink, Sink, StreamSink, open_sink


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
