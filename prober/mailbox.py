"""Mailboxes: folders of messages, Maildirs, mbox files, line by line. RFC 4155.

The caller parses the messages. Nothing is ever written to a mailbox.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from prober.errors import InputError
from prober.files import why_unreadable

MAX_LINE_BYTES: Final = 1 << 16  # RFC 5322 §2.1.1 allows 998; longer lines come in pieces
_BOM: Final = b"\xef\xbb\xbf"
# "From " starts a message only if a time follows: a line of unquoted text may start with it, too.
_FROM_LINE: Final = re.compile(rb"From .*\d\d:\d\d|From (?=\S+@\S)\S++\s*+$|From - ")
_MAILDIR: Final = ("cur", "new")


class Lines:
    """The lines of a stream, with a look ahead at the next. A line that is too long is cut up."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.continues = False  # the next line is the next piece of a long one
        self._ahead = stream.readline(MAX_LINE_BYTES).removeprefix(_BOM)
        while self._ahead.strip() == b"" and self._ahead:
            self.take()  # pasted text often begins with blank lines

    def peek(self) -> bytes:
        """The next line without taking it; empty at the end."""
        return self._ahead

    def take(self) -> bytes:
        """Return the next line, and move on to the one after it."""
        line = self._ahead
        self.continues = not line.endswith(b"\n")
        self._ahead = self._stream.readline(MAX_LINE_BYTES)
        return line

    @property
    def at_from_line(self) -> bool:
        """Whether the next line is the From line of an mbox file."""
        return not self.continues and _FROM_LINE.match(self._ahead) is not None

    def rest_of_message(self) -> Iterator[bytes]:
        """The lines up to the next From line after an empty one, or up to the end."""
        after_empty = True
        while line := self._ahead:
            if after_empty and self.at_from_line:
                return
            after_empty = not self.continues and not line.strip(b"\r\n")
            yield self.take()


def files_below(
    folder: Path, left_out: Callable[[Path], bool] = lambda _path: False
) -> Iterator[Path]:
    """The files with messages below *folder*, by name, without those for which *left_out* is true.

    Links to folders are not followed, since they may form a loop. Raises InputError if a folder
    cannot be read.
    """
    for parent, folders, files in os.walk(folder, onerror=_unreadable):
        folders.sort()
        is_maildir = all(name in folders for name in _MAILDIR)
        if is_maildir and "tmp" in folders:
            folders.remove("tmp")  # half-delivered messages
        for name in sorted(files):
            path = Path(parent, name)
            if name.startswith(".") or is_maildir or not path.is_file() or left_out(path):
                continue
            yield path


def _unreadable(error: OSError) -> None:
    raise InputError(f"cannot read {error.filename}: {why_unreadable(error)}") from error
