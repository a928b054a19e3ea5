"""``probe demo``: a small Internet on loopback, scanned. Needs no network and no root."""

import contextlib
import importlib.util
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Annotated, Final

import typer

from prober.cli.distinct_files import require_distinct
from prober.cli.log_setup import configure_logging
from prober.cli.options import ReportOptions, option, with_options
from prober.cli.reporting import Reporting
from prober.cli.running import exit_statuses, run, tell
from prober.domains import parse_entry
from prober.errors import SettingsError
from prober.escape import printable
from prober.logs.advice import Known, Seen, advise, by_domain, seen_of
from prober.logs.lines import in_order
from prober.logs.reading import Reading, Wanted
from prober.logs.records import Internal
from prober.logs.summary import Summary, messages
from prober.logs.text import headline
from prober.records import DomainReport
from prober.report.output import ReportFormat
from prober.scan import scan

_NEXT: Final = (
    "What to try next:",
    "  `probe demo --full` shows the whole answer for each of these domains",
    "  `probe explain CODE` explains a finding, such as tlsa-invalid",
    "  `probe example.com` tests a real domain; with `--deep`, more of it",
    "  `probe demo -o demo.html` writes a report to open in a browser",
)


@with_options
def demo(
    report: ReportOptions,
    full: Annotated[
        bool,
        option("--full", help="Show the whole answer for each domain.", panel="Report"),
    ] = False,
) -> None:
    """Start a small Internet on this machine and probe it: what each kind of answer looks like.

    For each domain it shows the answer in one line, and what there is to learn from it; with
    `--full` or `--verbose` the whole answer. It probes as `--deep` does. Its servers listen on
    loopback addresses only. Exit status as for `probe check`: 1, since some of its domains fall
    short.
    """
    configure_logging(verbose=False)
    with exit_statuses():
        require_distinct([], report.written)
        if importlib.util.find_spec("trustme") is None:
            raise SettingsError("the demo needs an extra: pip install 'smtp-tls-prober[demo]'")
        raise typer.Exit(_demonstrate(report, full=full or report.verbose))


def _demonstrate(options: ReportOptions, *, full: bool) -> int:
    from prober.lab.demo import DEMO, DEMO_DEADLINES, MAIL_LOG
    from prober.lab.internet import Lab

    seen: dict[str, list[Seen]] = {}

    async def scan_the_lab(reporting: Reporting) -> None:
        async with contextlib.AsyncExitStack() as stack:
            try:
                lab = await stack.enter_async_context(Lab(DEMO, validating=False))
            except OSError as error:  # ports that others hold, no file left, no IPv6
                why = error.strerror or error
                raise SettingsError(
                    f"the demo cannot start its servers on loopback: {why}"
                ) from error
            settings = lab.settings(**DEMO_DEADLINES, deep=True)

            def add(report: DomainReport) -> None:
                seen[report.domain or ""] = [seen_of(report)]
                reporting.add(report)

            entries = [parse_entry(domain.name) for domain in lab.domains]
            progress = reporting.progress
            await scan(entries, settings, add, progress=progress, ordered=True)

    style = options.style(scan=not full)
    style = replace(style, notes={domain.name: domain.shows for domain in DEMO})
    with Reporting.open(options, style, count=lambda: len(DEMO)) as reporting:
        run(reporting.watched(partial(scan_the_lab, reporting)))
    if not (full or options.quiet):
        reporting.tell_summary(quiet=False)
        next_ = _NEXT[:-1] if ReportFormat.HTML in options.formats() else _NEXT
        for line in (*_log_lines(MAIL_LOG, seen), *next_):
            tell(line)
    return reporting.status


def _log_lines(log: Path, seen: Mapping[str, Sequence[Seen]]) -> Iterator[str]:
    """What the example log says about mail to the domains of the demo, and what to do about it."""
    summary = Summary()
    reading = Reading(lambda *_: None, wanted=Wanted(), internal=Internal(), summary=summary)
    reading.read(in_order([str(log)], BytesIO(), datetime.now(UTC)))
    yield "A log of a mail server that sent to these domains says:"
    yield f"  {headline(summary, summary.total())}"
    for advice in advise(summary, Known(seen=seen)):
        counts = by_domain(summary)[advice.domain]
        left = f"{messages(counts.clear)} left in clear on {counts.last_clear:%Y-%m-%d}"
        yield f"  {advice.domain}: {left}; {advice.text}"
    yield f"  `probe logs {printable(shlex.quote(str(log)))}` shows the whole answer"
