"""Input: domain names in any spelling, and lists of them. RFC 1035 §2.3.4, RFC 5890, UTS 46.

Parsed once, here: behind this module a domain is A-labels, lower case, without the trailing dot.
"""

import contextlib
import errno
import functools
import hashlib
import ipaddress
import itertools
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO, Final

import idna
from publicsuffixlist import PublicSuffixList

from prober.errors import InputError

MAX_NAME: Final = 253  # characters: 255 octets on the wire, RFC 1035 §2.3.4
MAX_LABEL: Final = 63
MAX_LINE: Final = 4096  # bytes; a quoted local part and a domain have 320 characters
STDIN: Final = "-"
_SHOWN: Final = 80
_LOOKED_AT: Final = 8192  # bytes of a list, to tell whether it is text

# RFC 5321 §4.1.2, sub-domain, and the underscore: some domains with one receive mail, and senders
# deliver there
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")
_DOTS: Final = re.compile(r"[.\u3002\uff0e\uff61]")  # UTS 46 §2.3, separators of labels
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_BINARY_STARTS: Final = {
    b"\x1f\x8b": "gzip data",
    b"BZh91AY&SY": "bzip2 data",
    b"PK\x03\x04": "a ZIP archive, or a spreadsheet",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"\xd0\xcf\x11\xe0": "an old Office document",
    b"%PDF": "a PDF document",
    b"\x7fELF": "a program",
}
_UTF8_BOM: Final = b"\xef\xbb\xbf"
_COMMENT: Final = re.compile(rb"(?:^|(?<=\s))#")  # not in a#b@example.com


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of the input: a domain, or why it is none. ``line`` counts from 1."""

    text: str  # as written, capped
    domain: str | None = None
    error: str | None = None
    line: int | None = None


def parse_domain(text: str) -> str:
    """The domain that *text* names, as A-labels.

    Takes U-labels or A-labels, any case, one trailing dot, and ``user@domain``. Raises InputError
    for all else, saying what it is; an ASCII label is taken as it stands, since asking DNS is
    surer than a rule about what could be registered.
    """
    name = text.strip()
    if _URL.match(name):
        raise InputError("a URL, not a domain")
    name = name.rpartition("@")[2]  # of user@domain; a local part may hold anything
    _refuse_lookalikes(name)
    name = _to_ascii(name).lower().removesuffix(".")
    if len(name) > MAX_NAME:
        raise InputError(f"{len(name)} characters; a domain name has at most {MAX_NAME}")
    labels = name.split(".")
    for label in labels:
        _require_label(label)
    if labels[-1].isdigit():  # RFC 3696 §2: no top-level domain is all numeric
        raise InputError("its last label is a number, as in an IP address")
    return name


def _refuse_lookalikes(name: str) -> None:
    if not name:
        raise InputError("empty")
    if "/" in name:
        raise InputError("a path or a network, not a domain")
    if _is_address(name):
        raise InputError("an IP address, not a domain")


def _is_address(name: str) -> bool:
    bare = name.removeprefix("[").removesuffix("]")
    try:
        ipaddress.ip_address(bare.removeprefix("IPv6:"))
    except ValueError:
        return False
    return True


def literal_address(text: str) -> str | None:
    """The address in the address literal *text*, or None. RFC 5321 §4.1.3.

    ``[192.0.2.1]``, or ``[IPv6:2001:db8::1]`` with its tag; a zone has no place in one.
    """
    if not (text.startswith("[") and text.endswith("]")) or "%" in text:
        return None
    tag, _, after_tag = text[1:-1].partition(":")
    try:
        if tag.lower() == "ipv6":
            return str(ipaddress.IPv6Address(after_tag))
        return str(ipaddress.IPv4Address(text[1:-1]))
    except ValueError:
        return None


def _to_ascii(name: str) -> str:
    if name.isascii():
        return name
    # IDNA knows no underscore, so it is not asked about the labels that are ASCII already
    labels = _DOTS.split(name) if "_" in name else [name]
    try:
        return ".".join(
            label
            if label.isascii()
            else idna.encode(label, uts46=True, std3_rules=True).decode("ascii")
            for label in labels
        )
    except (idna.IDNAError, UnicodeError) as error:
        raise InputError(f"no internationalised domain name: {error}") from error


def _require_label(label: str) -> None:
    if not label:
        raise InputError("an empty label: two dots in a row, or a dot in front")
    if len(label) > MAX_LABEL:
        raise InputError(f"a label of {len(label)} characters; DNS allows {MAX_LABEL}")
    if label == "*":
        raise InputError("a wildcard, not a domain")
    if not _LABEL.fullmatch(label):
        raise InputError(f"{label[:_SHOWN]!r} is no host name label: letters, digits and hyphens")


def parse_entry(text: str, line: int | None = None) -> Entry:
    """*text* as an entry; what is no domain is kept, with the reason."""
    shown = text.strip()[:MAX_NAME]
    try:
        return Entry(text=shown, domain=parse_domain(text), line=line)
    except InputError as error:
        where = f"line {line}: " if line is not None else ""
        return Entry(text=shown, error=f"{where}{error}", line=line)


def list_name(file: str) -> str:
    """What to call the list *file* in a message."""
    return "stdin" if file == STDIN else file


@contextlib.contextmanager
def open_list(file: str) -> Iterator[BinaryIO]:
    """The list *file*, or stdin where that is ``-``, open for reading.

    A pipe is read to its end first: whoever waits for its writer in the middle of a scan holds up
    every session. Raises InputError where the list cannot be read or is plainly no text.
    """
    with contextlib.ExitStack() as stack:
        with reading(file):
            given = stack.enter_context(_open(file))
            stream = stack.enter_context(_rewindable(given))
            _require_text(stream, list_name(file))
        yield stream


@contextlib.contextmanager
def reading(file: str) -> Iterator[None]:
    """While the list *file* is read: an OSError becomes an InputError that names it."""
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot read {list_name(file)}: {error.strerror or error}") from error


def list_digest(stream: BinaryIO, file: str) -> str:
    """The SHA-256 of all that is left of *stream*, the list *file*, which is read and rewound."""
    digest = hashlib.sha256()
    with reading(file):
        start = stream.tell()
        while part := stream.read(1 << 20):
            digest.update(part)
        stream.seek(start)
    return digest.hexdigest()


def _open(file: str) -> AbstractContextManager[BinaryIO]:
    if file != STDIN:
        return open(file, "rb")
    if sys.stdin is None:  # started with it closed: <&-
        raise OSError(errno.EBADF, "it is closed")
    return contextlib.nullcontext(sys.stdin.buffer)


@contextlib.contextmanager
def _rewindable(stream: BinaryIO) -> Iterator[BinaryIO]:
    if stream.seekable():
        yield stream
        return
    with tempfile.TemporaryFile() as whole:
        shutil.copyfileobj(stream, whole)
        whole.seek(0)
        yield whole


def _require_text(stream: BinaryIO, name: str) -> None:
    start = stream.read(_LOOKED_AT)
    stream.seek(-len(start), os.SEEK_CUR)
    what = next((w for magic, w in _BINARY_STARTS.items() if start.startswith(magic)), None)
    if what is None and start.count(0) * 10 > len(start):
        what = "binary data"
    if what is not None:
        raise InputError(f"{name} is {what}; a list is UTF-8 text, one domain a line")


def read_entries(stream: BinaryIO, file: str) -> Iterator[Entry]:
    """The entries of the list *file*, lazily: one domain a line.

    ``#`` after a blank starts a comment. A UTF-8 BOM (of each file in a concatenation), CRLF and
    blank lines are taken in stride. A line that is too long, or no UTF-8, becomes an entry with its
    error, so that no line is lost.
    """
    for number in itertools.count(1):
        with reading(file):
            raw = stream.readline(MAX_LINE + 1)
            too_long = len(raw) > MAX_LINE and not raw.endswith(b"\n")
            if too_long:
                _skip_line(stream)
        if not raw:
            return
        entry = _parse_line(raw.removeprefix(_UTF8_BOM), number, too_long=too_long)
        if entry is not None:
            yield entry


def _skip_line(stream: BinaryIO) -> None:
    while (rest := stream.readline(65536)) and not rest.endswith(b"\n"):
        pass


def _parse_line(raw: bytes, number: int, *, too_long: bool) -> Entry | None:
    """The entry on a line, or None where it has only blanks or a comment."""
    written, *comment = _COMMENT.split(raw, maxsplit=1)
    if too_long and not comment:
        reason = f"line {number}: longer than {MAX_LINE} bytes"
        return Entry(text=_shown(written), error=reason, line=number)
    try:
        text = written.decode().strip()
    except UnicodeDecodeError as error:
        reason = f"line {number}: not UTF-8 at byte {error.start + 1}; save the list as UTF-8"
        return Entry(text=_shown(written), error=reason, line=number)
    return parse_entry(text, number) if text else None


def _shown(written: bytes) -> str:
    return written[:_SHOWN].decode("utf-8", "backslashreplace").strip()


@functools.cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()  # 10,000 rules, 50 ms: read only once a host is asked about


@functools.lru_cache(maxsize=4096)  # one host comes in many rows; a look-up takes 20 µs
def operator_of(host: str) -> str:
    """The registered domain of *host*; itself where it has none, as a public suffix."""
    return _suffixes().privatesuffix(host) or host
