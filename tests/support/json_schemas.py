"""The JSON Schemas in docs/schema, made from the records (``poe schemas``), and their use."""

import itertools
import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from jsonschema import Draft202012Validator

from prober.cli import COMMANDS
from prober.cli.schema import SAME, WRITTEN, render

FOLDER: Final = Path(__file__).parents[2] / "docs/schema"


def files() -> dict[str, str]:
    """The name of each file, and what is to be in it."""
    return {f"{name}.json": f"{render(name)}\n" for name in WRITTEN}


def values_in(written: str) -> Iterator[object]:
    """The JSON values in *written*: one per line, or each over many lines."""
    decoder, rest = json.JSONDecoder(), written.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        yield value
        rest = rest[end:].lstrip()


def require_valid(name: str, written: str) -> int:
    """Raise ValidationError unless all JSON in *written* is as the schema *name* says.

    An unknown field is refused, too. Gives the number of values.
    """
    count = 0
    for value in values_in(written):
        _validator(name).validate(value)
        count += 1
    return count


_BY_OPTION: Final = {
    ("headers", "--summary"): "headers-summary",
    ("history", "--runs"): "history-runs",
    ("logs", "--summary"): "logs-summary",
    ("logs", "--tls-report"): "logs-tls-report",
}
_FORMATS: Final = ("json", "jsonl")
_ANSWERED: Final = (0, 1, 3)  # exit statuses of runs that wrote what was asked for


def require_valid_json_of(args: Sequence[str], status: int, out: str) -> None:
    """Raise ValidationError where ``probe ARGS`` wrote JSON that is not as its schema says."""
    command = args[0] if args and args[0] in COMMANDS else "check"
    optional = [name for (of, flag), name in _BY_OPTION.items() if of == command and flag in args]
    name = SAME.get(command, optional[0] if optional else command)
    if name not in WRITTEN or status not in _ANSWERED:
        return
    format_ = next(_values(args, "-f", "--format"), None)
    outputs = list(_values(args, "-o", "--output"))
    if format_ in _FORMATS and (not outputs or "-" in outputs):
        require_valid(name, out)
    for path in map(Path, outputs):
        if (format_ or path.suffix[1:]) in _FORMATS and path.is_file():
            require_valid(name, path.read_text())


def _values(args: Sequence[str], *flags: str) -> Iterator[str]:
    return (value for flag, value in itertools.pairwise(args) if flag in flags)


@cache
def _validator(name: str) -> Draft202012Validator:
    schema = json.loads(render(name))
    Draft202012Validator.check_schema(schema)
    for definition in schema["$defs"].values():
        if "properties" in definition:
            definition["additionalProperties"] = False
    return Draft202012Validator(schema)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text)
