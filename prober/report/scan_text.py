"""Text for a scan: a line a domain, the level first, and a count of levels at the end."""

from rich.text import Text

from prober.records import DomainReport, Level, Severity
from prober.report.escape import printable
from prober.report.formatter import Formatter
from prober.report.page import Page, Paper
from prober.report.rows import severity_order
from prober.report.text import LEVEL_STYLES
from prober.report.words import name_of, trouble
from prober.rules.exit_status import Totals

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
