"""Escapes text from a peer for display: control, bidi and other invisible characters."""

import itertools
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final

MAX_QUOTED: Final = 80  # characters of a peer's text in a sentence
_MAX_LISTED: Final = 5  # texts in a sentence


def printable(text: str) -> str:
    r"""*text* on one line, with ``\x1b`` or ``\u202e`` for each character that does not print.

    These are C0 and C1 controls, line ends, bidi and zero-width characters, lone surrogates, and
    all spaces except U+0020. Printable text is returned unchanged; a backslash is not doubled.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(ord(char)) for char in text)


def quoted(text: str) -> str:
    """A peer's *text* for a sentence: in quotes, in ASCII, and cut to 80 characters."""
    return ascii(text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}...")


def as_ascii(raw: bytes) -> str:
    r"""*raw* as text, with ``\xNN`` for bytes beyond ASCII. Controls stay: see ``printable``."""
    return raw.decode("ascii", "backslashreplace")


def listed(texts: Collection[str], at_most: int = _MAX_LISTED) -> str:
    """The first *at_most* of *texts*, and how many more there are."""
    more = len(texts) - at_most
    first = ", ".join(itertools.islice(texts, at_most))
    return f"{first} and {more} more" if more > 0 else first


def as_text(name: str) -> str:
    r"""A file name as text that UTF-8 can encode: ``\udcff`` for a byte that is not UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode()


def _escaped(code: int) -> str:
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def utc(time: datetime) -> str:
    """RFC 3339, in UTC, to the second."""
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def minute(time: datetime) -> str:
    """In UTC, such as "2026-01-02 03:04"."""
    return utc(time)[:16].replace("T", " ")
