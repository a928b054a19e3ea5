"""The command line. One module a command: parse, call, write, exit status; no logic."""

import logging
import os
from typing import Annotated

import typer
from typer.core import TyperGroup

from prober.cli import check, demo, doctor, headers, policy, recipient, scan
from prober.cli.running import ARGUMENTS, hold_standard_descriptors
from prober.loop import collect_garbage_rarely
from prober.rules.exit_status import NOT_WRITTEN, PIPE_CLOSED
from prober.version import __version__


class _ProbeByDefault(TyperGroup):
    """``probe DOMAIN`` is ``probe check DOMAIN``."""

    def parse_args(  # type: ignore[override] # typer keeps the base class of its Context private
        self, ctx: typer.Context, args: list[str]
    ) -> list[str]:
        """Put ``check`` in front of anything that is neither a command nor an option of ours."""
        ctx.meta[ARGUMENTS] = list(args)
        own = {name for parameter in self.get_params(ctx) for name in parameter.opts}
        if args and args[0] not in self.commands and args[0] not in own:
            args = ["check", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="probe",
    cls=_ProbeByDefault,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"probe {__version__}")
        raise typer.Exit


@app.callback()
def probe(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Tells whether a mail domain can receive mail encrypted, and proves it.

    `probe example.com` is short for `probe check example.com`.
    """


app.command()(check.check)
app.command()(scan.scan)
app.command()(demo.demo)
app.command()(doctor.doctor)
app.command()(headers.headers)
app.command()(policy.policy)
app.command()(recipient.recipient)


def main() -> None:
    """The command ``probe``."""
    hold_standard_descriptors()
    collect_garbage_rarely()
    logging.getLogger("prober").addHandler(logging.NullHandler())  # until it is configured
    try:
        app()
    except BrokenPipeError:  # of the help itself; a command has its own way
        os._exit(PIPE_CLOSED)
    except OSError:
        os._exit(NOT_WRITTEN)
