"""Generates any record whatever, from its type hints alone: a new field is covered at once."""

import enum
import types
import typing
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime

from hypothesis import strategies as st

from prober.records import SCHEMA, DomainReport

Record = typing.TypeVar("Record")
_PLAIN: dict[object, st.SearchStrategy[object]] = {
    str: st.text(max_size=20),
    int: st.integers(-(2**53), 2**53),
    bool: st.booleans(),
    bytes: st.binary(max_size=20),
    datetime: st.datetimes(timezones=st.just(UTC)),
    date: st.dates(),
}


def reports() -> st.SearchStrategy[DomainReport]:
    """Any report, however unlikely; of this schema."""
    return _records(DomainReport, schema=st.just(SCHEMA))


def _records(cls: type[Record], **given: st.SearchStrategy[object]) -> st.SearchStrategy[Record]:
    assert is_dataclass(cls)
    hints = typing.get_type_hints(cls)
    generated = {field.name: _values(hints[field.name]) for field in fields(cls)}
    return st.builds(cls, **{**generated, **given})


def _values(hint: object) -> st.SearchStrategy[object]:
    if hint in _PLAIN:
        return _PLAIN[hint]
    args = typing.get_args(hint)
    if isinstance(hint, types.UnionType):
        return st.one_of(*map(_values, args))
    if hint is types.NoneType:
        return st.none()
    if typing.get_origin(hint) is dict:
        return st.dictionaries(*map(_values, args), max_size=2)
    if typing.get_origin(hint) is tuple:
        return st.lists(_values(args[0]), max_size=2).map(tuple)
    assert isinstance(hint, type)
    return st.sampled_from(hint) if issubclass(hint, enum.Enum) else _records(hint)
