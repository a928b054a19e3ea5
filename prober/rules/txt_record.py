"""Parses TXT records of the form ``v=NAME; field=value; …``. RFC 8461 §3.1, RFC 8460 §3.

MTA-STS and TLS-RPT share this grammar, except for the version and their fields. ``mta_sts`` and
``tls_rpt`` interpret the fields.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from prober.escape import quoted

_WSP: Final = " \t"
_FIELD: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})=(.*)", re.DOTALL)
_EXTENSION_VALUE: Final = re.compile(r"[\x21-\x3a\x3c\x3e-\x7e]+")  # no "=", ";", blank, control


@dataclass(frozen=True, slots=True)
class Invalid:
    """A published text that senders must not use, with the reason."""

    reason: str


Fields = tuple[tuple[str, str], ...]


def read_fields(records: Sequence[str], version: str) -> Fields | Invalid | None:
    """The fields after *version* (such as ``v=STSv1``) in the one record that has it.

    None if no record looks like one. A single record follows the grammar, which allows blanks
    before ``;``. Of several records, those that do not begin with the version and ``;`` are
    discarded, and exactly one must remain: RFC 8461 §3.1, RFC 8460 §3. If only misspelt records
    remain, the result is Invalid: for senders the domain has no record, but its owner believes that
    it has.
    """
    begin = f"{version};"
    if len(records) == 1:
        version_is_right = re.match(rf"{re.escape(version)}[{_WSP}]*;", records[0])
        chosen = [records[0][version_is_right.end() :]] if version_is_right else []
    else:
        chosen = [record.removeprefix(begin) for record in records if record.startswith(begin)]
    if len(chosen) > 1:
        return Invalid(f"{len(chosen)} records begin with {begin!r}, and there must be one")
    if chosen:
        return _split(chosen[0])
    misspelt = _misspelling(version)
    for record in records:
        if misspelt.match(record):
            among = ", as it must among several records" if len(records) > 1 else ""
            return Invalid(f"{quoted(record)} does not begin with {begin!r}{among}")
    return None


def is_extension_value(value: str) -> bool:
    """Whether *value* is allowed in an unknown field. Such fields are ignored."""
    return _EXTENSION_VALUE.fullmatch(value) is not None


def _misspelling(version: str) -> re.Pattern[str]:
    """Matches another case, blanks around, quotation marks, or no ``;``. Not ``v=STSv10``."""
    name = version.removeprefix("v=")
    return re.compile(rf"[\s\"']*v\s*=\s*{name}(?![0-9])", re.IGNORECASE)


def _split(text: str) -> Fields | Invalid:
    """Split by the grammar ``1*(delim field) [delim]``, where a delimiter is ``*WSP ";" *WSP``."""
    fields = []
    for piece in _pieces(text):
        field = _FIELD.fullmatch(piece)
        if field is None:
            return Invalid(f"{quoted(piece)} is not name=value" if piece else "a field is empty")
        fields.append((field[1], field[2]))
    return tuple(fields)


def _pieces(text: str) -> Iterator[str]:
    *others, last = text.split(";")
    for piece in others:
        yield piece.strip(_WSP)
    last = last.lstrip(_WSP)  # blanks at the end are not part of a delimiter
    if last:
        yield last
