"""The pages on CSV and JSON describe what is written: each column, field and word, in order."""

import enum
import re
import types
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path

import pytest

from prober.records import Code, DomainReport
from prober.report.rows import COLUMNS, ENDPOINT_COLUMNS, FINDING_COLUMNS

DOCS = Path(__file__).parents[2] / "docs"
_WORDS = {str: "string", int: "integer", bool: "boolean", datetime: "time", bytes: "base64"}


def rows_below(page: str, heading: str) -> list[list[str]]:
    """The cells of the one table below *heading*, its own head left out."""
    section = re.split(rf"^#+ {re.escape(heading)}$", (DOCS / page).read_text(), flags=re.M)[1]
    table = re.split(r"^#", section, flags=re.M)[0]
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def named(rows: list[list[str]]) -> list[str]:
    return [row[0].strip("`") for row in rows]


@pytest.mark.parametrize(
    ("page", "heading", "columns"),
    [
        ("csv.md", "One row a domain", COLUMNS),
        ("csv.md", "One row an endpoint", ENDPOINT_COLUMNS),
        ("spreadsheet.md", "Findings", FINDING_COLUMNS),
    ],
)
def test_each_column_is_described(page: str, heading: str, columns: tuple[str, ...]) -> None:
    rows = rows_below(page, heading)

    assert tuple(named(rows)) == columns
    assert all(len(row) == 2 and row[1] for row in rows)


def leaves(hint: object) -> Iterator[type]:
    args = typing.get_args(hint)
    for arg in args:
        yield from leaves(arg)
    if not args and isinstance(hint, type):
        yield hint


def types_below(cls: type, seen: dict[type, None]) -> dict[type, None]:
    """*cls* and every record and enum that its fields lead to."""
    if cls not in seen and (is_dataclass(cls) or issubclass(cls, enum.Enum)):
        seen[cls] = None
        for hint in typing.get_type_hints(cls).values() if is_dataclass(cls) else ():
            for leaf in leaves(hint):
                types_below(leaf, seen)
    return seen


ALL_TYPES = list(types_below(DomainReport, {}))
RECORDS = [cls for cls in ALL_TYPES if is_dataclass(cls)]
ENUMS = [cls for cls in ALL_TYPES if issubclass(cls, enum.Enum) and cls is not Code]


def in_words(hint: object) -> str:
    args = typing.get_args(hint)
    if isinstance(hint, types.UnionType):
        return " or ".join("null" if arg is types.NoneType else in_words(arg) for arg in args)
    if typing.get_origin(hint) is dict:
        return f"object of {in_words(args[1])}"
    if typing.get_origin(hint) is tuple:
        return f"array of {in_words(args[0])}"
    assert isinstance(hint, type)
    return _WORDS.get(hint, hint.__name__)


@pytest.mark.parametrize("record", RECORDS, ids=lambda cls: cls.__name__)
def test_each_field_is_described_with_its_type(record: type) -> None:
    assert is_dataclass(record)
    hints = typing.get_type_hints(record)
    rows = rows_below("json.md", record.__name__)

    assert [(row[0], row[1]) for row in rows] == [
        (f"`{field.name}`", in_words(hints[field.name])) for field in fields(record)
    ]
    assert all(len(row) == 3 and row[2] for row in rows)


@pytest.mark.parametrize("words", ENUMS, ids=lambda cls: cls.__name__)
def test_each_word_is_described(words: type[enum.Enum]) -> None:
    rows = rows_below("json.md", words.__name__)

    assert named(rows) == [word.value for word in words]
    assert all(len(row) == 2 and row[1] for row in rows)


def test_nothing_is_described_that_is_not_there() -> None:
    headings = re.findall(r"^### (\w+)$", (DOCS / "json.md").read_text(), flags=re.M)

    assert sorted(headings) == sorted(cls.__name__ for cls in [*RECORDS, *ENUMS])
