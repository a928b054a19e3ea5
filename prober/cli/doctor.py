"""``probe doctor``: can this machine probe mail servers?"""

import textwrap
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from prober.cli.display import waits_shown
from prober.cli.log_setup import configure_logging
from prober.cli.options import LookOptions, option, parser_of, with_options
from prober.cli.running import exit_statuses, run
from prober.doctor import CONTROL_DOMAINS, Check, examine
from prober.domains import parse_domain
from prober.escape import printable
from prober.records import Answer
from prober.report.output import STDOUT, open_report, plain
from prober.report.page import WIDTH
from prober.rules.exit_status import CANNOT_SEE, MEETS_ALL, SOME_UNDECIDED
from prober.settings import Settings
from prober.vantage import Vantage

_WORDS: Final = {Answer.YES: "OK", Answer.NO: "FAIL", Answer.NOT_TESTED: "UNKNOWN"}


class DoctorOptions(LookOptions):
    """The options on how to look that change what is checked here."""

    flags = (
        "--resolver",
        "--trust-ad",
        "--dnssec",
        "--dnssec-probe",
        "--trust-anchor",
        "--ca-file",
        "--ehlo-name",
        "--ipv4-only",
        "--ipv6-only",
        "--allow-private",
        "--port",
        "--timeout",
    )


@with_options
def doctor(
    look: DoctorOptions,
    control: Annotated[
        list[str] | None,
        option(
            "--control",
            metavar="DOMAIN",
            parser=parser_of(parse_domain),
            help="A domain that certainly receives mail, to test the port with; repeatable. "
            f"If not given: {', '.join(CONTROL_DOMAINS)}.",
            panel="How to look",
        ),
    ] = None,
) -> None:
    """Check what a probe needs: DNS, port 25, IPv6, trust store, EHLO name.

    Each line says OK, FAIL or UNKNOWN, and what to do. Exit status: 0 DNS and the port work;
    3 this is not known; 4 one of them does not.
    """
    configure_logging(verbose=False)
    with exit_statuses():
        checks = run(_show(look.settings(), control or CONTROL_DOMAINS))
        raise typer.Exit(status_of(checks))


async def _show(settings: Settings, controls: Sequence[str]) -> Sequence[Check]:
    checks = []
    with open_report(STDOUT, plain(render), None) as writer:
        async with waits_shown() as display, Vantage(settings, watch=display.watch) as vantage:
            async for check in examine(vantage, controls):
                display.hide()
                writer.write(check)
                checks.append(check)
    return checks


def render(check: Check) -> str:
    """One check in columns, with advice on the line below."""
    head = f"{_WORDS[check.answer]:<8}{check.topic:<12}"
    parts = [(head, printable(check.what)), (" " * len(head), check.advice or "")]
    return "\n".join(
        textwrap.fill(
            text,
            width=WIDTH,
            initial_indent=indent,
            subsequent_indent=" " * len(head),
            break_long_words=False,
            break_on_hyphens=False,
        )
        for indent, text in parts
        if text
    )


def status_of(checks: Sequence[Check]) -> int:
    """The exit status, decided by the checks without which nothing can be probed."""
    answers = {check.answer for check in checks if check.essential}
    if Answer.NO in answers:
        return CANNOT_SEE
    return SOME_UNDECIDED if Answer.NOT_TESTED in answers else MEETS_ALL
