"""SMTP replies and EHLO keywords, pure: bytes in, records out. RFC 5321 §4.2, §4.1.1.1."""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

MAX_LINE: Final = 8192  # RFC 5321 §4.5.3.1.5 allows 512; some servers send 4 kB of legal text
MAX_REPLY: Final = 4 * MAX_LINE  # the longest EHLO replies seen are 2 kB

# RFC 5321 §4.2: a first digit of 2 to 5; a space or a hyphen, or nothing at all, behind the code.
_REPLY_LINE: Final = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
_TAB_AFTER_CODE: Final = re.compile(rb"[2-5][0-9][0-9]\t")

# What Cisco's SMTP inspection leaves: asterisks for the banner, X for each letter of a keyword.
# The look-ahead keeps both linear: a hostile banner of 8 kB must not hold the loop.
_MASKED_BANNER: Final = re.compile(r"(?=.*\*{4})[*0-9 ]+", re.DOTALL)
_MASKED_KEYWORD: Final = re.compile(r"X{4,}[A-Z]?(?: .*)?", re.IGNORECASE)
_KEYWORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")  # RFC 5321 §4.1.1.1, ehlo-keyword


class BadReplyError(Exception):
    """What came is no SMTP reply, or is longer than we read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One whole reply: its code and the text of its lines."""

    code: int
    lines: tuple[str, ...]
    bare_lf: bool = False  # RFC 5321 §2.3.8: lines end with CRLF; tolerated, and told

    @property
    def text(self) -> str:
        """As on the wire, on one line."""
        return f"{self.code} {' / '.join(self.lines)}"


def printable_ascii(raw: bytes) -> str:
    r"""Text of *raw*, every byte beyond ASCII as ``\xNN``: lossless, and always encodable."""
    return raw.decode("ascii", "backslashreplace")


class ReplyReader:
    """Takes the lines of one reply from a buffer as they come. RFC 5321 §4.2.1.

    Each byte is looked at once, however the peer cuts its segments: a reply sent byte by byte
    costs no more than one sent at once.
    """

    def __init__(self) -> None:
        self._code: bytes | None = None
        self._bare_lf = False
        self._size = 0
        self.lines: list[str] = []  # the text of those taken so far

    def feed(self, buffer: bytearray) -> Reply | None:
        """Take whole lines off the front of *buffer*; the reply, once its last line is there.

        What stands behind the reply stays. Raises BadReplyError for what can never become one: no
        code of three digits, a line whose code differs from the first, a line or a reply beyond
        our bounds.
        """
        while (end := buffer.find(b"\n")) >= 0:
            line = bytes(buffer[:end])
            self._require_bounds(len(line))
            is_last = self._take(line)
            del buffer[: end + 1]
            if is_last and self._code is not None:
                lines = tuple(self.lines)
                return Reply(code=int(self._code), lines=lines, bare_lf=self._bare_lf)
        self._require_bounds(len(buffer))
        return None

    def _require_bounds(self, length: int) -> None:
        if length > MAX_LINE:
            raise BadReplyError(f"a reply line is longer than {MAX_LINE} bytes")
        if self._size + length > MAX_REPLY:
            raise BadReplyError(f"the reply is longer than {MAX_REPLY} bytes")

    def _take(self, line: bytes) -> bool:
        code, is_last, text = _parse_line(line.removesuffix(b"\r"))
        if self._code is not None and code != self._code:
            raise BadReplyError(f"the code changes within a reply: {_shown(line)}")
        self._code = code
        self._bare_lf |= not line.endswith(b"\r")
        self._size += len(line) + 1
        self.lines.append(printable_ascii(text))
        return is_last


def parse_reply(raw: bytes) -> tuple[Reply, int] | None:
    """The reply at the start of *raw* and its length in bytes; None while it is not whole.

    Raises BadReplyError as ``ReplyReader.feed`` does.
    """
    buffer = bytearray(raw)
    reply = ReplyReader().feed(buffer)
    return None if reply is None else (reply, len(raw) - len(buffer))


def _parse_line(line: bytes) -> tuple[bytes, bool, bytes]:
    match = _REPLY_LINE.fullmatch(line)
    if match is None:
        if _TAB_AFTER_CODE.match(line):  # seen in the wild; every MTA takes it for a space
            return line[:3], True, line[4:]
        raise BadReplyError(f"not an SMTP reply: {_shown(line)}")
    code, separator, text = match.groups(default=b"")
    return code, separator != b"-", text


def _shown(line: bytes) -> str:
    return repr(printable_ascii(line[:80]))


def ehlo_keywords(reply: Reply) -> tuple[str, ...]:
    """The keywords of an EHLO reply, upper case, with their parameters as sent.

    RFC 5321 §4.1.1.1: one a line, behind the first line, which only names the server; keywords
    are the same in any case. Lines that are no keyword are left out.
    """
    return tuple(_keywords(reply.lines[1:]))


def _keywords(lines: Iterable[str]) -> Iterable[str]:
    for line in lines:
        keyword, *parameters = line.split() or [""]
        if _KEYWORD.fullmatch(keyword):
            # most servers have the same few lines: one object stands for each
            yield sys.intern(" ".join([keyword.upper(), *parameters]))


def offers(keywords: Iterable[str], keyword: str) -> bool:
    """Whether *keyword* itself is among *keywords*: never a part of another word."""
    return any(line.split(" ", 1)[0] == keyword for line in keywords)


def masked_by(greeting: Reply, ehlo: Reply | None) -> str | None:
    """The text that a middlebox overwrote with asterisks or X, or None.

    A banner of nothing but asterisks, digits and spaces, or a keyword of nothing but X: what SMTP
    inspection in firewalls makes of ``STARTTLS`` is ``XXXXXXXA``. The real reply is not known then.
    """
    for line in greeting.lines:
        if _MASKED_BANNER.fullmatch(line):
            return line
    for line in ehlo.lines[1:] if ehlo else ():
        if _MASKED_KEYWORD.fullmatch(line):
            return line
    return None
