"""The list of domains that a scan reads: a text file or stdin, one domain per line."""

import contextlib
import errno
import hashlib
import itertools
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO, Final, Self

from prober.domains import Entry, parse_entry
from prober.errors import InputError

MAX_LINE: Final = 4096  # bytes; a quoted local part and a domain have 320 characters
STDIN: Final = "-"
_SHOWN: Final = 80
_LOOKED_AT: Final = 8192  # bytes of a file, to tell whether it is text
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


class TextFile:
    """A text file of the user's, or stdin where *file* is ``-``, open for reading."""

    contents = "it must be UTF-8 text"  # said of a file that is not

    def __init__(self, file: str, stream: BinaryIO) -> None:
        self.name = _name(file)
        self.stream = stream

    @classmethod
    @contextlib.contextmanager
    def open(cls, file: str) -> Iterator[Self]:
        """With *file* open. Raises InputError where it cannot be read or is plainly no text.

        A pipe is read to its end first: a slow writer must not hold up the sessions of a scan.
        """
        with contextlib.ExitStack() as stack:
            with _reading(_name(file)):
                given = stack.enter_context(_open(file))
                stream = stack.enter_context(_rewindable(given))
                cls._require_text(stream, _name(file))
            yield cls(file, stream)

    def reading(self) -> AbstractContextManager[None]:
        """While it is read: an OSError becomes an InputError that names it."""
        return _reading(self.name)

    @classmethod
    def _require_text(cls, stream: BinaryIO, name: str) -> None:
        start = stream.read(_LOOKED_AT)
        stream.seek(-len(start), os.SEEK_CUR)
        what = next((w for magic, w in _BINARY_STARTS.items() if start.startswith(magic)), None)
        if what is None and start.count(0) * 10 > len(start):
            what = "binary data"
        if what is not None:
            raise InputError(f"{name} is {what}; {cls.contents}")


class DomainList(TextFile):
    """A list of domains, one per line."""

    contents = "a list is UTF-8 text, one domain per line"

    def digest(self) -> str:
        """The SHA-256 of all that is left to read, which is read and rewound."""
        digest = hashlib.sha256()
        with self.reading():
            start = self.stream.tell()
            while part := self.stream.read(1 << 20):
                digest.update(part)
            self.stream.seek(start)
        return digest.hexdigest()

    def some_entries(self) -> Iterator[Entry]:
        """The entries, the first one read now. Raises InputError where there is none."""
        entries = self.entries()
        first = next(entries, None)
        if first is None:
            raise InputError(f"{self.name} names no domain: write one per line")
        return itertools.chain([first], entries)

    def entries(self) -> Iterator[Entry]:
        """The entries, lazily.

        ``#`` after a blank starts a comment. UTF-8 BOMs (of each file in a concatenation), CRLF and
        blank lines are allowed. A line that is too long, or not UTF-8, becomes an entry with its
        error, so that no line is lost.
        """
        for number in itertools.count(1):
            with self.reading():
                raw = self.stream.readline(MAX_LINE + 1)
                too_long = len(raw) > MAX_LINE and not raw.endswith(b"\n")
                if too_long:
                    _skip_line(self.stream)
            if not raw:
                return
            entry = _parse_line(raw.removeprefix(_UTF8_BOM), number, too_long=too_long)
            if entry is not None:
                yield entry


def _name(file: str) -> str:
    return "stdin" if file == STDIN else file


@contextlib.contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror or error}") from error


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
