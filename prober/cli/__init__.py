"""The command line: one module per command, which parses, calls, writes and sets the exit status.

A command's module is imported when the command is used, so that ``--help`` and ``--version`` need
nothing of what probes.
"""

import gc
import logging
import os
from copy import copy
from importlib import import_module
from types import MappingProxyType
from typing import Annotated, Any, Final, NoReturn

import typer
import typer.main
from typer.core import TyperArgument, TyperCommand, TyperGroup

from prober.version import __version__

COMMANDS: Final = MappingProxyType(
    {
        "check": "Probe domains and show what was found, with the evidence.",
        "scan": "Probe every domain in a list and write one report.",
        "accept": "Accept that a domain falls short; without a domain, list what is accepted.",
        "demo": "Start a small Internet on this machine and probe it: what each kind of answer "
        "looks like.",
        "diff": "Show what changed between two runs: worse, better, other, or lost from sight.",
        "doctor": "Check what a probe needs: DNS, port 25, IPv6, trust store, EHLO name.",
        "explain": "Explain a finding: what it means for mail, what to do about it, and the norm "
        "behind it.",
        "headers": "Read Received headers: was each message encrypted in transit, hop by hop?",
        "history": "Show what was seen of domains and what was sent to them, or list the runs.",
        "hold": "Keep everything in the record about a domain; without a domain, list the holds.",
        "logs": "Read mail server logs: was each message that was sent encrypted?",
        "policy": "Write a policy map: for each domain the strictest policy that loses no mail.",
        "prune": "Delete old runs and totals from the record, except those of domains on hold.",
        "recipient": "Find the best way to send confidential mail to one person: TLS, PGP, S/MIME "
        "or a portal.",
        "report": "Write reports of saved results, judged again by today's rules.",
        "schema": "Show the JSON Schema of what a command writes as JSON.",
    }
)
"""Each command with the first paragraph of its help. Its module has the same name."""

ARGUMENTS: Final = "prober.arguments"  # where the context keeps the command line
SHORT: Final = "prober.short"  # and whether it is ``probe DOMAIN``, without a command
_STDERR: Final = 2
_NUMBERS: Final = {"int range": "whole number", "float range": "number"}
"""What errors call the types of numbers, in place of their names in typer."""


class _Commands(TyperGroup):
    """The commands. Only the one used is imported. ``probe DOMAIN`` means ``probe check``."""

    def parse_args(  # type: ignore[override] # typer keeps the base class of its Context private
        self, ctx: typer.Context, args: list[str]
    ) -> list[str]:
        """Put ``check`` before arguments that start with neither a command nor a known option."""
        ctx.meta[ARGUMENTS] = list(args)
        ctx.meta[SHORT] = False
        own = {name for parameter in self.get_params(ctx) for name in parameter.opts}
        if args and args[0] not in self.commands and args[0] not in own:
            args = ["check", *args]
            ctx.meta[SHORT] = True
        return super().parse_args(ctx, args)

    def resolve_command(  # type: ignore[override] # the same
        self, ctx: typer.Context, args: list[str]
    ) -> tuple[str | None, TyperCommand | None, list[str]]:
        """Import the command that *args* name; return it and the rest of *args*."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, None if found is None or name is None else import_command(name), rest


def import_command(name: str) -> TyperCommand:
    """The command *name*, with its options."""
    alone = typer.Typer(add_completion=False, rich_markup_mode="markdown")
    alone.command(name)(getattr(import_module(f"{__name__}.{name}"), name))
    command = typer.main.get_command(alone)
    if not isinstance(command, TyperCommand):
        raise TypeError(f"{name} is a group of commands")
    for parameter in command.params:
        if parameter.type.name in _NUMBERS:
            parameter.type.name = _NUMBERS[parameter.type.name]
            _describe_range(parameter.type)
        if isinstance(parameter, TyperArgument):  # help shows its name; `<str>` says no more
            parameter.type = copy(parameter.type)
            parameter.type.get_metavar = lambda **_: ""  # type: ignore[method-assign]
    return command


def _describe_range(type_: Any) -> None:
    """Let help and errors of a number say its range in words, and not as ``1<=x<=20``."""
    parts = (("from", type_.min), ("to", type_.max))
    words = " ".join(f"{word} {bound:.15g}" for word, bound in parts if bound is not None)
    convert = type_.convert

    def converted(value: Any, param: Any, ctx: Any) -> Any:
        try:
            return convert(value, param, ctx)
        except typer.BadParameter as error:
            number, found, _ = error.message.partition(" is not in the range ")
            if found:
                error.message = f"must be {words}, not {number}"
            raise

    type_.convert = converted
    type_._describe_range = lambda: words  # for the help; there is no public way


app = typer.Typer(
    name="probe",
    cls=_Commands,
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
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Tells whether a mail domain can receive mail encrypted, and proves it.

    `probe example.com` is short for `probe check example.com`. Examples:

    - `probe example.com` shows one domain; `-v` adds what the servers said.

    - `probe new.example --server mx1.new.example@192.0.2.1` tests a server before it goes live.

    - `probe scan domains.txt -o report.csv -o report.jsonl` probes a list.

    - `probe scan partners.csv --column domain -q -o report.csv` reads a CSV table; for cron.

    - `probe report report.jsonl --profile hipaa -o new.csv` judges saved results again.

    - `probe policy report.jsonl --for postfix -o tls_policy` makes a policy map from results.

    - `probe headers message.eml` reads how a message came.

    - `probe doctor` checks whether this machine can probe; `probe demo` needs no network.

    `probe COMMAND --help` shows the options of a command.
    """
    if context.obj is not None:
        context.obj()


def _listed() -> None:
    """A command in the list of commands that is not imported yet."""


for _name, _summary in COMMANDS.items():
    app.command(_name, help=_summary)(_listed)


def main() -> None:
    """The command ``probe``."""
    gc.disable()  # 5 % of --help: until the command runs, there is no garbage
    _hold_standard_descriptors()
    logging.getLogger("prober").addHandler(logging.NullHandler())  # until it is configured
    try:
        app(obj=_collect_garbage_rarely)
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # rich and typer make it status 1
            _end_closed_pipe(end.__context__)
        raise
    except OSError as error:  # of the help itself; a command has its own way
        _end_closed_pipe(error)


def _end_closed_pipe(error: OSError) -> NoReturn:
    """End at once: what is left in the buffers cannot be written either.

    A complaint about wrong usage that nobody reads leaves the status at that of wrong usage.
    """
    from prober.cli.running import tell
    from prober.files import unwritable
    from prober.rules.exit_status import NOT_WRITTEN, PIPE_CLOSED

    wrong_usage = getattr(error.__context__, "exit_code", None)
    if wrong_usage is not None:
        os._exit(wrong_usage)
    if isinstance(error, BrokenPipeError):
        os._exit(PIPE_CLOSED)
    tell(str(unwritable("stdout", error, "the help")))
    os._exit(NOT_WRITTEN)


def _collect_garbage_rarely() -> None:
    """Turn garbage collection on, without the imported modules. Called once they are imported."""
    from prober.runtime import collect_garbage_rarely

    collect_garbage_rarely()
    gc.enable()


def _hold_standard_descriptors() -> None:
    """Open the null device in place of a closed stdin, stdout or stderr.

    Else an opened file gets that number: libuv aborts when it closes one of these, and a report
    would contain what other code prints.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(descriptor)
