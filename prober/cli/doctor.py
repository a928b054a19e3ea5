"""``probe doctor``: can this machine see?"""

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from prober.cli.options import LookOptions, option, with_options
from prober.cli.running import configure_logging, exit_statuses, run
from prober.doctor import CONTROL_DOMAINS, Check, examine
from prober.domains import parse_domain
from prober.records import Answer
from prober.report.escape import printable
from prober.rules.exit_status import CANNOT_SEE, MEETS_ALL, SOME_UNDECIDED
from prober.settings import Settings
from prober.vantage import Vantage

_WORDS: Final = {Answer.YES: "ok", Answer.NO: "not", Answer.NOT_TESTED: "unknown"}


@with_options
def doctor(
    look: LookOptions,
    control: Annotated[
        list[str] | None,
        option(
            "--control",
            metavar="DOMAIN",
            help="A domain that surely receives mail, to try the port with; repeatable.",
            env="CONTROL",
            panel="How to look",
        ),
    ] = None,
) -> None:
    """Check what a probe needs: DNS, port 25, IPv6, trust store, EHLO name.

    Each line says ok, not or unknown, and what to do. Exit status: 0 what is needed is there;
    3 that is not known; 4 it is not.
    """
    configure_logging(verbose=False)
    with exit_statuses():
        controls = [parse_domain(name) for name in control or CONTROL_DOMAINS]
        checks = run(_show(look.settings(), controls))
        raise typer.Exit(status_of(checks))


async def _show(settings: Settings, controls: Sequence[str]) -> Sequence[Check]:
    checks = []
    async with Vantage(settings) as vantage:
        async for check in examine(vantage, controls):
            typer.echo(render(check))
            checks.append(check)
    return checks


def render(check: Check) -> str:
    """One check as a line, and what to do as another below it."""
    line = f"{_WORDS[check.answer]:<8}{check.topic:<12}{printable(check.what)}"
    return f"{line}\n{'':20}{check.advice}" if check.advice else line


def status_of(checks: Sequence[Check]) -> int:
    """The exit status: what nothing can be seen without decides."""
    answers = {check.answer for check in checks if check.essential}
    if Answer.NO in answers:
        return CANNOT_SEE
    return SOME_UNDECIDED if Answer.NOT_TESTED in answers else MEETS_ALL
