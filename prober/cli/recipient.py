"""``probe recipient user@domain``: how to write to one recipient confidentially."""

import enum
from typing import Annotated

import typer

from prober.cli.display import waits_shown
from prober.cli.log_setup import configure_logging
from prober.cli.options import ShallowOptions, option, with_options
from prober.cli.running import exit_statuses, run, tell
from prober.escape import printable
from prober.recipient import RecipientReport, Way, parse_recipient, probe_recipient
from prober.report.answer import headline
from prober.report.output import STDOUT, ReportFormat, open_report, plain
from prober.rules.exit_status import CANNOT_SEE, FAULT_OF_OURS, MEETS_ALL, SOME_FALL_SHORT
from prober.rules.totals import no_nameserver_answered
from prober.rules.verdict import is_fault
from prober.settings import Settings
from prober.vantage import Vantage


class RecipientFormat(enum.StrEnum):
    """How to show the answer."""

    TEXT = "text"
    JSON = "json"  # on one line


@with_options
def recipient(
    address: Annotated[
        str,
        typer.Argument(metavar="USER@DOMAIN", help="The recipient.", show_default=False),
    ],
    look: ShallowOptions,
    format_: Annotated[
        RecipientFormat,
        option("--format", "-f", help="text or json.", env="RECIPIENT_FORMAT", panel="Report"),
    ] = RecipientFormat.TEXT,
) -> None:
    """Find the best way to send confidential mail to one person: TLS, PGP, S/MIME or a portal.

    Looks for an OpenPGP key and an S/MIME certificate in DNS and in the Web Key Directory. Exit
    status: 0 there is a way by mail; 1 only a portal is left, or the address cannot receive mail;
    2 usage, or not an address; 4 no nameserver answers.
    """
    configure_logging(verbose=False)
    with exit_statuses():
        parse_recipient(address)
        format_of = ReportFormat.TEXT if format_ is RecipientFormat.TEXT else ReportFormat.JSONL
        with open_report(STDOUT, plain(render), None, format_of) as writer:
            report = run(_probe(address, look.settings()))
            writer.write(report)
        if is_fault(report.domain):
            raise typer.Exit(FAULT_OF_OURS)
        route = report.domain.route
        if route is not None and no_nameserver_answered(route):
            tell("no nameserver answers: this says nothing about the recipient; run `probe doctor`")
            raise typer.Exit(CANNOT_SEE)
        by_mail = report.way not in (Way.PORTAL, Way.NONE)
        raise typer.Exit(MEETS_ALL if by_mail else SOME_FALL_SHORT)


async def _probe(address: str, settings: Settings) -> RecipientReport:
    async with waits_shown() as display, Vantage(settings, watch=display.watch) as vantage:
        return await probe_recipient(address, vantage)


def render(report: RecipientReport) -> str:
    """The answer, then the evidence for it."""
    way = "" if report.way is Way.NONE else f"send by {report.way}: "
    lines = [f"{report.recipient}: {way}{report.reason}", ""]
    for key in report.keys:
        dnssec = f"DNSSEC {key.dnssec}" if key.dnssec is not None else ""
        lines.append(f"  {key.source:<11} {key.found:<11}{dnssec:<21}{key.where}")
    lines += ["", headline(report.domain)]
    return "\n".join(printable(line) for line in lines)
