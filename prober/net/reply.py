"""SMTP replies and EHLO keywords, pure: bytes in, records out. RFC 5321 §4.2, §4.1.1.1."""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from prober.escape import as_ascii, quoted

MAX_LINE: Final = 8192  # RFC 5321 §4.5.3.1.5 allows 512; some servers send 4 kB of legal text
MAX_REPLY: Final = 4 * MAX_LINE  # the longest EHLO replies seen are 2 kB
_POSTFIX_LINE: Final = 2048  # postconf(5), line_length_limit
_EXIM_REPLY: Final = 4096  # the buffer of Exim's SMTP client
_EHLO_OK: Final = 250

# RFC 5321 §4.2: three digits, then a space, a hyphen or the end of the line. Postfix and Exim read
# any three digits as a code, and neither takes a tab for the space.
_REPLY_LINE: Final = re.compile(rb"([0-9]{3})(?:([ -])(.*))?", re.DOTALL)
_NUL: Final = "\0"

# What Cisco's SMTP inspection leaves: asterisks for the banner, X for each letter of a keyword.
# The look-ahead keeps both linear: a hostile banner of 8 kB must not hold the loop.
_MASKED_BANNER: Final = re.compile(r"(?=.*\*{4})[*0-9 ]+", re.DOTALL)
_MASKED_KEYWORD: Final = re.compile(r"X{4,}[A-Z]?(?: .*)?", re.IGNORECASE)
_KEYWORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")  # RFC 5321 §4.1.1.1, ehlo-keyword


class BadReplyError(Exception):
    """The peer sent something that is not an SMTP reply, or a reply that is too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One complete reply: its code and the text of its lines.

    RFC 5321 §4.2.1 requires the same code on all lines. Where codes differ, the last one counts
    here, as in Postfix; Exim uses the first. ``strays`` are lines without a code: Postfix skips
    them, Exim gives up.
    """

    code: int
    lines: tuple[str, ...]
    codes: tuple[int, ...] = ()  # one per line; empty: the same on all
    strays: tuple[str, ...] = ()
    bare_lf: bool = False  # RFC 5321 §2.3.8: lines end with CRLF
    size: int = field(default=0, compare=False)  # bytes, line ends included
    longest: int = field(default=0, compare=False)  # bytes of its longest line

    @property
    def text(self) -> str:
        """As on the wire, on one line."""
        return f"{self.code} {' / '.join(self.lines)}"

    def coded(self) -> list[tuple[int, str]]:
        """Each line with its code."""
        codes = self.codes or (self.code,) * len(self.lines)
        return list(zip(codes, self.lines, strict=True))


class ReplyReader:
    """Reads one reply from a buffer, line by line as it arrives. RFC 5321 §4.2.1.

    Each byte is read once, so a reply sent byte by byte costs no more than one sent at once.
    """

    def __init__(self) -> None:
        self._codes: list[int] = []
        self._bare_lf = False
        self._size = 0
        self._longest = 0
        self.lines: list[str] = []  # the text of those taken so far
        self.strays: list[str] = []  # lines without a code

    def feed(self, buffer: bytearray) -> Reply | None:
        """Take complete lines from the front of *buffer*. Returns the reply after its last line.

        Bytes after the reply stay in the buffer. Lines without a code are kept as strays. Raises
        BadReplyError where a line or the reply passes its bound.
        """
        while (end := buffer.find(b"\n")) >= 0:
            line = bytes(buffer[:end])
            self._require_bounds(len(line))
            is_last = self._take(line)
            del buffer[: end + 1]
            if is_last:
                return self._whole()
        self._require_bounds(len(buffer))
        return None

    def _whole(self) -> Reply:
        codes = tuple(self._codes)
        return Reply(
            code=codes[-1],
            lines=tuple(self.lines),
            codes=codes if len(set(codes)) > 1 else (),
            strays=tuple(self.strays),
            bare_lf=self._bare_lf,
            size=self._size,
            longest=self._longest,
        )

    def _require_bounds(self, length: int) -> None:
        if length > MAX_LINE:
            raise BadReplyError(f"a reply line is longer than {MAX_LINE} bytes")
        if self._size + length > MAX_REPLY:
            raise BadReplyError(f"the reply is longer than {MAX_REPLY} bytes")

    def _take(self, line: bytes) -> bool:
        """Keep one line. Returns whether it is the last of the reply."""
        self._size += len(line) + 1
        match = _REPLY_LINE.fullmatch(line.removesuffix(b"\r"))
        if match is None:
            self.strays.append(as_ascii(line.removesuffix(b"\r")))
            return False
        code, separator, text = match.groups(default=b"")
        self._codes.append(int(code))
        self._bare_lf |= not line.endswith(b"\r")
        self._longest = max(self._longest, len(line))
        self.lines.append(as_ascii(text))
        return bool(separator != b"-")


def parse_reply(raw: bytes) -> tuple[Reply, int] | None:
    """The reply at the start of *raw*, and its length in bytes; None while it is not complete.

    Raises BadReplyError for a line without a code, and as ``ReplyReader.feed`` does.
    """
    reader, buffer = ReplyReader(), bytearray(raw)
    reply = reader.feed(buffer)
    if reader.strays:
        raise not_a_reply(reader.strays[0])
    return None if reply is None else (reply, len(raw) - len(buffer))


def not_a_reply(line: str) -> BadReplyError:
    """The error for *line*, which has no reply code."""
    return BadReplyError(f"not an SMTP reply: {quoted(line)}")


def ehlo_keywords(reply: Reply) -> tuple[str, ...]:
    """The keywords of an EHLO reply, upper case, with their parameters as sent.

    RFC 5321 §4.1.1.1: one on each line after the first, which names the server; their case does
    not matter. Lines that hold no keyword are left out.
    """
    return tuple(_keywords(reply.lines[1:]))


def _keywords(lines: Iterable[str]) -> Iterable[str]:
    for line in lines:
        keyword, *parameters = line.split(_NUL, 1)[0].split() or [""]
        if _KEYWORD.fullmatch(keyword.split("=", 1)[0]):
            # most servers send the same few lines: share one string for each
            yield sys.intern(" ".join([keyword.upper(), *parameters]))


def offers(keywords: Iterable[str], keyword: str) -> bool:
    """Whether *keyword* is one of *keywords*. A part of another word does not count."""
    return any(re.split("[ =]", line, maxsplit=1)[0] == keyword for line in keywords)


def odd_offer(greeting: Reply, ehlo: Reply) -> str | None:
    """Why some senders do not see the STARTTLS in *ehlo*; None if all see it.

    Measured: Exim 4.96 requires ``250`` and upper case, and stops at a NUL. Postfix 3.7 does not
    accept a tab after the keyword, and reads the first word of the reply as the server's name.
    """
    plain = any(
        code == _EHLO_OK and (line == "STARTTLS" or line.startswith("STARTTLS "))
        for code, line in ehlo.coded()[1:]
    )
    if not plain:
        offer = (line for line in ehlo.lines[1:] if "STARTTLS" in line.upper())
        return f"STARTTLS is written in a way that not all senders read: {quoted(next(offer, ''))}"
    if any(_NUL in line for line in ehlo.lines):
        return "the EHLO reply has a NUL in it"
    if not ehlo.lines[0].strip() or not any(line.strip() for line in greeting.lines):
        return "the greeting or the first line of the EHLO reply is empty"
    return None


def why_senders_differ(reply: Reply) -> str | None:
    """Why some senders cannot read *reply*, or read another code; None where all agree.

    Measured: Postfix 3.7 skips lines without a code and cuts a line at 2,048 bytes. Exim 4.96 gives
    up on a line without a code, and on a reply of more than 4,096 bytes. With several codes Postfix
    uses the last one, Exim the first digit of the first one.
    """
    if reply.strays:
        return f"a line without a reply code: {quoted(reply.strays[0])}"
    if len({code // 100 for code in reply.codes}) > 1:
        return f"several reply codes: {quoted(reply.text)}"
    loses_a_line = reply.longest > _POSTFIX_LINE and len(reply.lines) > 1
    if loses_a_line or reply.size > _EXIM_REPLY:
        return f"{reply.size} bytes in a reply, {reply.longest} in one line"
    return None


def masked_by(greeting: Reply, ehlo: Reply | None) -> str | None:
    """The text that a middlebox overwrote with asterisks or X, or None.

    That is a banner of asterisks, digits and spaces only, or a keyword of X only: firewalls with
    SMTP inspection turn ``STARTTLS`` into ``XXXXXXXA``. The real reply is then unknown.
    """
    for line in greeting.lines:
        if _MASKED_BANNER.fullmatch(line):
            return line
    for line in ehlo.lines[1:] if ehlo else ():
        if _MASKED_KEYWORD.fullmatch(line):
            return line
    return None
