"""The JSON Schemas in docs/schema, made from the records (``poe schemas``), and their use."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from jsonschema import Draft202012Validator

from prober.cli.schema import WRITTEN, render

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
