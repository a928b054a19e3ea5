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
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO, ClassVar, Final, Self

from prober.domains import Entry, parse_entry
from prober.errors import InputError
from prober.escape import printable
from prober.files import why_unreadable

MAX_LINE: Final = 4096  # bytes; a quoted local part and a domain have 320 characters
STDIN: Final = "-"
_SHOWN: Final = 80
_LOOKED_AT_LINES: Final = 10  # to tell whether it is CSV
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
    """A text file of the user, or stdin if *file* is ``-``, open for reading."""

    contents = "it must be UTF-8 text"  # the advice in the error for other files

    def __init__(self, file: str, stream: BinaryIO) -> None:
        self.name = _name(file)
        self.stream = stream
        self._start = stream.tell()

    @classmethod
    @contextlib.contextmanager
    def open(cls, file: str) -> Iterator[Self]:
        """Open *file*. Raises InputError if it cannot be read, or is clearly not text.

        A pipe is read to its end first, so that a slow writer does not delay sessions of a scan.
        """
        with contextlib.ExitStack() as stack:
            with _reading(_name(file)):
                given = stack.enter_context(_open(file))
                stream = stack.enter_context(_rewindable(given))
                cls._require_text(stream, _name(file))
            yield cls(file, stream)

    def reading(self) -> AbstractContextManager[None]:
        """Turn an OSError in the block into an InputError that names the file."""
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
    longest: ClassVar[int] = MAX_LINE  # bytes
    columns: tuple[str, ...] = ()  # the names of the other columns

    def digest(self) -> str:
        """The SHA-256 of the rest of the file. The position in the file does not change."""
        digest = hashlib.sha256()
        with self.reading():
            start = self.stream.tell()
            while part := self.stream.read(1 << 20):
                digest.update(part)
            self.stream.seek(start)
        return digest.hexdigest()

    def count(self) -> int:
        """The number of entries. Most lines are not parsed."""
        with self.reading():
            here = self.stream.tell()
            self.stream.seek(self._start)
            lines = iter(lambda: self.read_line(self.longest), b"")
            count = sum(map(self._holds_entry, lines))
            self.stream.seek(here)
        return count

    def _holds_entry(self, line: bytes) -> bool:
        """Whether *line* is neither blank nor a comment."""
        if b"!" <= line[:1] <= b"~":
            return line[:1] != b"#"
        return _parse_line(line, 1) is not None

    def some_entries(self) -> Iterator[Entry]:
        """The entries. The first ones are read now. Raises InputError if there is no entry."""
        entries = self.entries()
        first = list(itertools.islice(entries, _LOOKED_AT_LINES))
        if not first:
            raise InputError(f"{self.name} has no domain in it: write one per line")
        self._require_list(first)
        return itertools.chain(first, entries)

    def _require_list(self, first: Sequence[Entry]) -> None:
        """Raise InputError if the *first* lines look like a CSV table."""
        bad = [entry.text for entry in first if entry.error is not None]
        for mark in ",;\t":
            if 2 * sum(mark in text for text in bad) > len(first) and mark in bad[0]:
                names = bad[0].replace(mark, ", ")
                raise InputError(
                    f"{self.name} looks like CSV: name the column of the domains, with "
                    f"--column NAME or --column N. Its first row is: {printable(names)}"
                )

    def entries(self) -> Iterator[Entry]:
        """The entries, lazily.

        ``#`` at the start or after white space starts a comment. UTF-8 BOMs (of each file in a
        concatenation), CRLF and blank lines are allowed. A line that is too long, or not UTF-8,
        becomes an entry with the error, so that no line is lost.
        """
        for number in itertools.count(1):
            with self.reading():
                raw = self.read_line(MAX_LINE)
            if not raw:
                return
            entry = _parse_line(raw, number)
            if entry is not None:
                yield entry

    def read_line(self, most: int) -> bytes:
        """The next line without a BOM; empty at the end of the file.

        Of a line with more than *most* bytes it returns the first *most* + 1, and skips the rest.
        """
        raw = self.stream.readline(most + 1)
        if len(raw) > most and not raw.endswith(b"\n"):
            while (rest := self.stream.readline(65536)) and not rest.endswith(b"\n"):
                pass
            return raw
        return raw.removeprefix(_UTF8_BOM)


def _name(file: str) -> str:
    return "stdin" if file == STDIN else file


@contextlib.contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot read {name}: {why_unreadable(error)}") from error


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


def _parse_line(raw: bytes, number: int) -> Entry | None:
    """The entry on a line, or None if the line has only white space or a comment."""
    written, *comment = _COMMENT.split(raw, maxsplit=1)
    try:
        if len(raw) > MAX_LINE and not raw.endswith(b"\n") and not comment:
            raise InputError(f"longer than {MAX_LINE} bytes")
        text = decoded(written).strip()
    except InputError as error:
        return Entry(text=shown(written), error=f"line {number}: {error}", line=number)
    return parse_entry(text, number) if text else None


def decoded(written: bytes) -> str:
    """*written* as text. Raises InputError if it is not UTF-8."""
    try:
        return written.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 at byte {error.start + 1}; save the list as UTF-8") from error


def shown(written: bytes) -> str:
    """The start of *written* as text, in any encoding."""
    return written[:_SHOWN].decode("utf-8", "backslashreplace").strip()
