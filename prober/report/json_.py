"""JSON: a record as it is, one object each, and domains back again. docs/json.md.

``json`` writes each object over many lines, ``jsonl`` on one. Both are a plain sequence of
objects, however many records there are: ``jq`` reads it as it comes, and what a killed run has
written so far is whole. An array would be neither.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import BinaryIO, Final

import msgspec

from prober.errors import InputError
from prober.records import SCHEMA, DomainReport
from prober.report.interface import Formatter, Kind, Paper, R, T


@dataclass(frozen=True, slots=True)
class _Header:
    schema: int


@dataclass(frozen=True, slots=True)
class _Columns:
    columns: dict[str, str] = field(default_factory=dict)


_MAX_BYTES: Final = 128 << 20  # of one report; 160 endpoints with large chains come to 30 MB

_encoder = msgspec.json.Encoder()
_header_decoder = msgspec.json.Decoder(_Header)
_columns_decoder = msgspec.json.Decoder(_Columns)
_decoder = msgspec.json.Decoder(DomainReport)


def encode_report(report: object) -> bytes:
    """A *report* of any kind as one line of JSON, without its line end, safe to show on a terminal.

    A lone surrogate, which no JSON in UTF-8 can hold, becomes a backslash escape.
    """
    return visible(encode(report))


def encode(value: object) -> bytes:
    """Any record as one line of JSON; a lone surrogate becomes a backslash escape."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        return _encoder.encode(_without_surrogates(msgspec.to_builtins(value)))


def decode_report(line: bytes) -> DomainReport:
    """The record in *line*.

    Raises ``InputError``, naming the path of the fault, for what is no JSON or no such record.
    """
    try:
        if not line.lstrip().startswith(b"{"):
            raise InputError("not a report: this is not a JSON object")
        schema = _header_decoder.decode(line).schema
        if schema != SCHEMA:
            raise InputError(f"schema {schema} was written by another version; this reads {SCHEMA}")
        report = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise InputError(f"not a report: {exc}") from exc
    for path, time in _times(report):
        _require_utc(time, path)
    return report


def _require_utc(time: datetime, path: str) -> None:
    """Raise InputError for a time that cannot be told in UTC: without a zone, or out of range."""
    if time.utcoffset() is None:
        raise InputError(f"not a report: Expected a time with its zone - at `{path}`")
    try:
        time.astimezone(UTC)
    except OverflowError as exc:  # in UTC it would be before the year 1, or after 9999
        raise InputError(f"not a report: the time is out of range - at `{path}`") from exc


def read_reports(file: BinaryIO) -> Iterator[DomainReport]:
    """The records in *file*, written as ``json`` or ``jsonl``; blank lines are passed over.

    Raises ``InputError`` with the number of the line where the faulty object begins; also for one
    that is larger than any report.
    """
    for number, piece in _objects(file):
        try:
            yield decode_report(piece)
        except InputError as exc:
            raise InputError(f"line {number}: {exc}") from exc


def read_columns(file: BinaryIO) -> Iterator[str]:
    """The names of the list's columns in each record in *file*, as far as there are records."""
    with contextlib.suppress(InputError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        for _, piece in _objects(file):
            yield from _columns_decoder.decode(piece).columns


class JsonLines(Formatter[R, T]):
    """The ``jsonl`` format: one object a line."""

    def __init__(self, kind: Kind[R, T], _paper: Paper) -> None:
        self._encode = kind.encode

    def body(self, record: R) -> bytes:
        return self._encode(record) + b"\n"


class PrettyJson(JsonLines[R, T]):
    """The ``json`` format: one object over many lines, for people."""

    def body(self, record: R) -> bytes:
        return msgspec.json.format(self._encode(record), indent=2) + b"\n"


def _objects(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Each object, and the line it begins at: one line, or all from a lone { to a lone }."""
    pieces: list[bytes] = []
    begin = size = 0
    for number, line in enumerate(_lines(file), start=1):
        bare = line.rstrip()
        if not pieces:
            begin, size = number, 0
            if bare and bare != b"{":
                yield begin, _bounded(bare, len(bare), begin)
                continue
        if pieces or bare:
            pieces.append(_bounded(line, size := size + len(line), begin))
        if bare == b"}":
            yield begin, b"".join(pieces)
            pieces = []
    if pieces:
        yield begin, b"".join(pieces)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of *file*; one that is too long comes in pieces, and ``_bounded`` refuses it."""
    return iter(lambda: file.readline(_MAX_BYTES + 1), b"")


def _bounded(line: bytes, size: int, number: int) -> bytes:
    """*line*, unless the object it belongs to has come to more than the bound."""
    if size > _MAX_BYTES:
        raise InputError(f"line {number}: longer than {_MAX_BYTES} bytes: no report is that large")
    return line


def _times(report: DomainReport) -> Iterator[tuple[str, datetime]]:
    yield "$.checked_at", report.checked_at
    for i, endpoint in enumerate(report.endpoints):
        yield f"$.endpoints[{i}].observed_at", endpoint.observed_at
        for j, attempt in enumerate(endpoint.attempts):
            yield f"$.endpoints[{i}].attempts[{j}].observed_at", attempt.observed_at
        if endpoint.certificate is not None:
            for name in ("not_before", "not_after"):
                time: datetime | None = getattr(endpoint.certificate, name)
                if time is not None:
                    yield f"$.endpoints[{i}].certificate.{name}", time


def visible(line: bytes) -> bytes:
    """The same JSON, with an escape for each character that a terminal would obey or hide.

    msgspec escapes C0 only; DEL, C1 and bidi characters come raw. All stand inside strings.
    """
    if line.isascii() and b"\x7f" not in line:
        return line
    text = line.decode()
    if text.isprintable():
        return line
    return "".join(char if char.isprintable() else _escaped(char) for char in text).encode()


def _escaped(char: str) -> str:
    units = char.encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _without_surrogates(value: object) -> object:
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case dict():
            names = map(_without_surrogates, value)
            return dict(zip(names, map(_without_surrogates, value.values()), strict=True))
        case list() | tuple():
            return [_without_surrogates(item) for item in value]
        case _:
            return value
