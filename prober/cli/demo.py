"""``probe demo``: a small Internet on loopback, scanned. Needs no network and no root."""

import contextlib
import importlib.util

import typer

from prober.cli.distinct_files import require_distinct
from prober.cli.log_setup import configure_logging
from prober.cli.options import ReportOptions, with_options
from prober.cli.reporting import Reporting
from prober.cli.running import exit_statuses, run, tell
from prober.domains import parse_entry
from prober.errors import SettingsError
from prober.report.output import STDOUT
from prober.scan import scan


@with_options
def demo(report: ReportOptions) -> None:
    """Start a small Internet on this machine and probe it: what each kind of answer looks like.

    Its servers listen on loopback addresses only. Exit status as for `probe check`: 1, since some
    of its domains fall short.
    """
    configure_logging(verbose=False)
    with exit_statuses():
        require_distinct([], report.written)
        if importlib.util.find_spec("trustme") is None:
            raise SettingsError("the demo needs an extra: pip install 'smtp-tls-prober[demo]'")
        status = _demonstrate(report)
        if not report.quiet and STDOUT in (report.output or [STDOUT]):
            tell("for a report to look at, run `probe demo -o demo.html` and open demo.html")
        raise typer.Exit(status)


def _demonstrate(options: ReportOptions) -> int:
    from prober.lab.demo import DEMO, DEMO_DEADLINES
    from prober.lab.internet import Lab

    async def scan_the_lab(reporting: Reporting) -> None:
        async with contextlib.AsyncExitStack() as stack:
            try:
                lab = await stack.enter_async_context(Lab(DEMO, validating=False))
            except OSError as error:  # ports that others hold, no file left, no IPv6
                why = error.strerror or error
                raise SettingsError(
                    f"the demo cannot start its servers on loopback: {why}"
                ) from error
            settings = lab.settings(**DEMO_DEADLINES)
            entries = [parse_entry(domain.name) for domain in lab.domains]
            progress = reporting.progress
            await scan(entries, settings, reporting.add, progress=progress, ordered=True)

    with Reporting.open(options, options.style(), total=len(DEMO)) as reporting:
        run(scan_the_lab(reporting))
    return reporting.status
