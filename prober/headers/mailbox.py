"""Reads messages for `probe headers`: .eml files, mailboxes, Maildirs, folders, stdin.

RFC 5322 §2.2. Bodies are skipped, so memory use depends on the header only.
"""

import email.utils
import logging
import re
from collections.abc import Callable, Iterator
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from prober.domains import parse_domain
from prober.errors import InputError
from prober.escape import as_text
from prober.files import why_unreadable
from prober.headers.records import MessageHeaders
from prober.headers.tables import MAX_LINES
from prober.mailbox import MAX_LINE_BYTES, Lines, files_below

T = TypeVar("T")
_log: Final = logging.getLogger(__name__)

STDIN: Final = "-"
INTERNAL_FAULT: Final = "internal fault: this message could not be read; -v shows the cause"
MAX_HEADER_BYTES: Final = 1 << 20  # real headers have 5 to 50 kB
_MAX_MESSAGE_ID: Final = 998
_FIELD: Final = re.compile(rb"[!-9;-~]+[ \t]*:")
_SPACE_BEFORE_COLON: Final = re.compile(rb"\A([!-9;-~]+)[ \t]+:")  # RFC 5322 §4.5, obsolete
_RECEIVED_FIELD: Final = re.compile(rb"received[ \t]*:", re.IGNORECASE)
_RECEIVED: Final = "received"
_DELIVERED: Final = frozenset({"delivered-to", "x-original-to", "envelope-to", "x-delivered-to"})
_RESULTS: Final = frozenset({"authentication-results", "arc-authentication-results"})
_MESSAGE_FIELDS: Final = frozenset(
    "received from to cc date subject message-id return-path delivered-to reply-to sender "
    "mime-version content-type x-original-to envelope-to dkim-signature".split()
)
_ARC_INSTANCE: Final = re.compile(r"\s*i=\d{1,4}\s*;")
_MAX_ADDRESSES: Final = 4096  # characters of an address field; RFC 5321 §4.5.3.1: a path has 256
_MAX_COMMENTS: Final = 50  # open parentheses or colons; email.utils recurses for each
_MAX_RESULTS: Final = 1000  # characters of Authentication-Results that are read


def read_messages(
    source: str, stdin: BinaryIO, left_out: Callable[[Path], bool] = lambda _path: False
) -> Iterator[MessageHeaders]:
    """Yield the messages of *source*: a file, a mailbox, a folder, or ``-`` for *stdin*.

    Messages come in file order. Files of a folder come in order of name, without those for which
    *left_out* returns True. Raises ``InputError`` where *source* cannot be read or is no message. A
    bad file in a folder gives a message with ``error`` instead.
    """
    if source == STDIN:
        yield from _require_message(read_stream(stdin, "stdin"), "stdin")
        return
    path = Path(source)
    if path.is_dir():
        why = f"{source} holds no message: no file is in it"
        for each in _not_empty(files_below(path, left_out), why):
            yield from _read_one_of_many(each)
        return
    yield from _require_message(_read_file(path), source)


def read_stream(stream: BinaryIO, name: str) -> Iterator[MessageHeaders]:
    """Yield the messages of one stream. It is a mailbox if it begins with a From line."""
    lines = Lines(stream)
    if not lines.at_from_line:
        header, left_out = _read_header(lines)
        if header:
            yield _parse_or_fault(header, name, 1, left_out)
        return
    position = 0
    while lines.peek():
        lines.take()  # the From line
        position += 1
        header, left_out = _read_header(lines)
        yield _parse_or_fault(header, name, position, left_out)
        for _ in lines.rest_of_message():
            pass  # the body


def is_message(path: Path) -> bool:
    """Whether the file *path* is a mailbox, or begins with a field that messages have.

    A line with a colon is not enough: reports of this program contain such lines too.
    """
    with path.open("rb") as stream:
        lines = Lines(stream)
        if lines.at_from_line:
            return True
        header, _ = _read_header(lines)
    return any(name.lower() in _MESSAGE_FIELDS for name in BytesHeaderParser().parsebytes(header))


def _require_message(messages: Iterator[MessageHeaders], name: str) -> Iterator[MessageHeaders]:
    return _not_empty(messages, f"{name} holds no message: no line of it is a header field")


def _not_empty(items: Iterator[T], why: str) -> Iterator[T]:
    """*items*. Raises InputError with *why* where there is none."""
    first = next(items, None)
    if first is None:
        raise InputError(why)
    yield first
    yield from items


def _read_file(path: Path) -> Iterator[MessageHeaders]:
    try:
        with path.open("rb") as stream:
            yield from read_stream(stream, as_text(str(path)))
    except OSError as error:
        raise InputError(f"cannot read {path}: {why_unreadable(error)}") from error


def _read_one_of_many(path: Path) -> Iterator[MessageHeaders]:
    try:
        yield from _require_message(_read_file(path), str(path))
    except InputError as error:
        yield MessageHeaders(file=as_text(str(path)), error=as_text(str(error)))


def _read_header(lines: Lines) -> tuple[bytes, int]:
    """The header block, up to the empty line or the first line that is no field.

    Text over a limit is dropped. The second value is the number of dropped Received fields.
    """
    block: list[bytes] = []
    size = size_of_field = left_out = 0
    keep = False
    while (line := lines.peek()) and (lines.continues or line.strip(b"\r\n")):
        is_continuation = lines.continues or line[:1] in b" \t"
        if not is_continuation:
            if not _FIELD.match(line):
                break
            keep, size_of_field = size <= MAX_HEADER_BYTES, 0
            left_out += not keep and _RECEIVED_FIELD.match(line) is not None
            if block and not block[-1].endswith(b"\n"):
                block.append(b"\n")  # the field was cut
            line = _SPACE_BEFORE_COLON.sub(rb"\1:", line)
        lines.take()
        size_of_field += len(line)
        if keep and size_of_field <= 2 * MAX_LINE_BYTES:
            size += len(line)
            block.append(line)
    return b"".join(block), left_out


def _parse_or_fault(block: bytes, name: str, position: int, left_out: int) -> MessageHeaders:
    """Parse one message. An internal fault affects this message only."""
    try:
        return parse_header(block, name, position, left_out)
    except Exception:
        _log.exception("%s message %d: internal fault", name, position)
        return MessageHeaders(file=name, position=position, error=INTERNAL_FAULT)


def parse_header(block: bytes, name: str, position: int, left_out: int = 0) -> MessageHeaders:
    """The fields of one header *block* that describe the message and its path.

    *left_out* is the number of Received fields that are not in *block*.
    """
    fields = [
        (field.strip().lower(), value)
        for field, value in BytesHeaderParser().parsebytes(block).raw_items()
    ]
    received = [_decoded(value) for field, value in fields if field == _RECEIVED]
    return MessageHeaders(
        file=name,
        position=position,
        message_id=_first(fields, "message-id"),
        sender_domain=_domain(_first(fields, "from")),
        delivered_to=_delivered_to(fields),
        received=tuple(received[:MAX_LINES]),
        received_left_out=max(len(received) - MAX_LINES, 0) + left_out,
        x_received=sum(field == "x-received" for field, _ in fields),
        authentication_results=tuple(dict.fromkeys(_authserv_ids(fields))),
    )


def _decoded(value: object) -> str:
    """The text of a field: UTF-8 (RFC 6532), else Latin-1.

    Encoded words (RFC 2047) are not decoded: that could create a clause that no server wrote.
    """
    raw = str(value).encode("utf-8", "surrogateescape")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _first(fields: list[tuple[str, str]], wanted: str) -> str | None:
    text = next((_decoded(value) for field, value in fields if field == wanted), None)
    return " ".join(text.split())[:_MAX_MESSAGE_ID] or None if text is not None else None


def _domain(address: str | None) -> str | None:
    """The domain of the first address in a field, None where there is no domain."""
    if address is None:
        return None
    address = address[:_MAX_ADDRESSES]
    if address.count("(") > _MAX_COMMENTS or address.count(":") > _MAX_COMMENTS:
        return None
    spec = next((spec for _, spec in email.utils.getaddresses([address]) if "@" in spec), "")
    try:
        return parse_domain(spec)
    except InputError:
        return None


def _delivered_to(fields: list[tuple[str, str]]) -> str | None:
    """The recipient's domain, from a field above all Received: the sender cannot write there."""
    for field, value in fields:
        if field == _RECEIVED:
            return None
        if field in _DELIVERED:
            return _domain(_decoded(value))
    return None


def _authserv_ids(fields: list[tuple[str, str]]) -> Iterator[str]:
    """The authserv-id of each Authentication-Results, also in ARC sets. RFC 8601 §2.2."""
    for field, value in fields:
        if field in _RESULTS:
            text = _decoded(value)[:_MAX_RESULTS]
            instance = _ARC_INSTANCE.match(text)
            words = text[instance.end() if instance else 0 :].replace(";", " ").split()
            if words:
                yield words[0]
