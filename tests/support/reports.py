"""Reports on domains, opened as the tests want them."""

import os

from prober.files import ResumeFrom
from prober.records import DomainReport
from prober.report.interface import Formatter, Paper
from prober.report.output import ReportFormat, ReportStyle, ReportWriter, domains
from prober.report.output import open_report as open_any
from prober.rules.totals import Totals

DomainFormatter = Formatter[DomainReport, Totals]
DomainWriter = ReportWriter[DomainReport, Totals]


def open_report(
    target: str | os.PathLike[str],
    format_: ReportFormat | None = None,
    style: ReportStyle | None = None,
    totals: Totals | None = None,
    resume_from: ResumeFrom | None = None,
) -> DomainWriter:
    kind = domains(style or ReportStyle())
    return open_any(os.fspath(target), kind, totals or Totals(), format_, resume_from)


def formatter(
    format_: ReportFormat, *, per_endpoint: bool = False, style: ReportStyle | None = None
) -> DomainFormatter:
    style = style or ReportStyle(per_endpoint=per_endpoint)
    return format_.formatter(domains(style), Paper())
