"""``probe schema [NAME]``: the JSON Schema of what the commands write as JSON."""

import inspect
from collections.abc import Mapping
from types import MappingProxyType, UnionType
from typing import Annotated, Any, Final, get_args

import msgspec
import typer

from prober.cli.log_setup import configure_logging
from prober.cli.running import exit_statuses
from prober.errors import InputError
from prober.escape import quoted
from prober.headers import objects as headers
from prober.logs import objects as logs
from prober.recipient import RecipientReport
from prober.records import DomainReport
from prober.records.changes import DomainChanges
from prober.records.history import DomainInRun, RecordedRun
from prober.records.sent import SentWeek
from prober.report.output import STDOUT, open_report, plain
from prober.rules.operator_advice import Explanation

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_DOMAIN: Final = ("one domain: scan, demo and report write the same", DomainReport)

WRITTEN: Final[Mapping[str, tuple[str, Any]]] = MappingProxyType(
    {
        "check": _DOMAIN,
        "diff": ("what changed of one domain", DomainChanges),
        "explain": ("all findings that were asked for, in an array", tuple[Explanation, ...]),
        "headers": ("one message", headers.MessageObject),
        "headers-summary": ("the counts of all messages (--summary)", headers.SummaryObject),
        "history": (
            "one domain in one run of the record, or what was sent to it in one week",
            DomainInRun | SentWeek,
        ),
        "history-runs": ("one run of the record (--runs)", RecordedRun),
        "logs": ("one attempt to deliver a message", logs.AttemptObject),
        "logs-summary": ("the counts of a run (--summary)", logs.SummaryObject),
        "logs-tls-report": ("what a TLS report says of a policy (--tls-report)", logs.ClaimObject),
        "recipient": ("one recipient", RecipientReport),
    }
)
"""Each JSON output: its description and type, by command and option."""
SAME: Final = MappingProxyType(dict.fromkeys(("scan", "demo", "report"), "check"))


def schema(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="COMMAND",
            help="A command, such as scan, or a name from the list. The list, if not given.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show the JSON Schema of what a command writes as JSON.

    The schema is of one JSON value; with `--format jsonl`, that is one line. Contacts nobody. Exit
    status: 0 shown; 2 usage, or the command writes no JSON.
    """
    configure_logging(verbose=False)
    with exit_statuses():
        text = "\n".join(_lines()) if name is None else render(name)
        with open_report(STDOUT, plain(str), None) as writer:
            writer.write(text)


def render(name: str) -> str:
    """The schema of *name* as JSON. Raises InputError for an unknown name."""
    found = WRITTEN.get(SAME.get(name, name))
    if found is None:
        names = ", ".join(sorted((*WRITTEN, *SAME)))
        raise InputError(
            f"no command writes JSON under the name {quoted(name)}: use one of {names}"
        )
    return msgspec.json.format(msgspec.json.encode(schema_of(found[1])), indent=2).decode()


def schema_of(type_: Any) -> dict[str, object]:
    """The JSON Schema of a record of *type_* as msgspec encodes it.

    Every field is required: a record is written with all of them, also those with a default.
    """
    types = get_args(type_) if isinstance(type_, UnionType) else (type_,)
    values, definitions = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    made = {"anyOf": list(values)} if len(types) > 1 else values[0]
    for definition in definitions.values():
        if "description" in definition:  # Python 3.13 takes the indentation out by itself
            definition["description"] = inspect.cleandoc(definition["description"])
        if "properties" in definition:
            definition["required"] = list(definition["properties"])
            for each in definition["properties"].values():
                each.pop("default", None)
    return {"$schema": _DIALECT, **made, "$defs": definitions}


def _lines() -> list[str]:
    width = max(map(len, WRITTEN))
    return [f"{name:<{width}}  {about}" for name, (about, _) in WRITTEN.items()]
