"""Sends the commands of an SMTP session, reads the replies, and keeps the transcript.

RFC 5321 §4.2, on aiosmtplib's protocol, in clear and over TLS.
"""

import asyncio
from time import monotonic
from typing import Final

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol

from prober.escape import as_ascii
from prober.net.failures import UnwantedReplyError
from prober.net.reply import (
    MAX_LINE,
    MAX_REPLY,
    BadReplyError,
    Reply,
    ReplyReader,
    not_a_reply,
    parse_reply,
    why_senders_differ,
)
from prober.net.tls import TlsLink, Wire, is_wire
from prober.records import Anomaly, AnomalyKind, Line
from prober.rules.retry import SERVICE_CLOSING
from prober.settings import Settings

_OF_SENDERS: Final = ("EHLO", "HELO", "STARTTLS")  # senders read the replies to these


class Transcript:
    """The lines of a session, with the milliseconds since its start. Bounded."""

    def __init__(self, settings: Settings) -> None:
        self._start = monotonic()
        self._max_lines = settings.transcript_lines
        self._max_chars = settings.transcript_chars
        self._lines: list[Line] = []

    def note(self, peer: str, line: str) -> None:
        """Add *line* of ``server``, ``client`` or ``probe``, cut to the length in the settings."""
        if len(self._lines) > self._max_lines:
            return
        if len(self._lines) == self._max_lines:
            peer, line = "probe", "the transcript ends here; the session went on"
        ms = round((monotonic() - self._start) * 1000)
        self._lines.append(Line(ms=ms, peer=peer, line=line[: self._max_chars]))

    def lines(self) -> tuple[Line, ...]:
        """The lines noted. Where lines were cut off, the last one says so."""
        return tuple(self._lines)


class Dialogue(SMTPProtocol):
    """aiosmtplib's protocol with our own reply parser and a transcript.

    Its parser reads ``220-a / 250 b`` as 250 and ``2200`` as 220, and drops unsolicited bytes. Here
    every byte is read, or kept as an anomaly.
    """

    def __init__(self, transcript: Transcript, *, stray_s: float) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self._transcript = transcript
        self._stray_s = stray_s  # how long to wait for a reply after a line without a code
        self._is_judged = True  # whether senders read the reply to this command, too
        self._stray_timer: asyncio.TimerHandle | None = None
        self._reader = ReplyReader()
        self._reply: Reply | None = None
        self.wire: Wire | None = None
        self.anomalies: list[Anomaly] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.wire = transport if is_wire(transport) else None

    def data_received(self, data: bytes) -> None:
        self._buffer.extend(data)
        waiter = self._response_waiter
        if waiter is None or waiter.done() or not self._response_pending:
            if len(self._buffer) > MAX_REPLY:
                self.close()  # more than any reply, unsolicited
            return
        if b"\n" not in data and len(self._buffer) <= MAX_LINE:
            return
        try:
            reply = self._reader.feed(self._buffer)
        except BadReplyError as error:
            self.take_surplus()
            self.fail(error)
        else:
            if reply is not None:
                self._take(waiter, reply)
            elif self._reader.strays and self._reply is None and self._stray_timer is None:
                self._stray_timer = self._loop.call_later(self._stray_s, self._give_up_on_strays)

    def _give_up_on_strays(self) -> None:
        """End the wait for a reply where only lines without a code arrived."""
        if self._reader.strays:
            error = not_a_reply(self._reader.strays[0])
            self.take_surplus()
            self.fail(error)

    def eof_received(self) -> bool:
        self._give_up_on_strays()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._give_up_on_strays()
        super().connection_lost(exc)
        self.wire = None  # and with it the link above: they refer to each other

    async def read_response(self, timeout: float | None = None) -> aiosmtplib.SMTPResponse:
        """Wait for a reply. aiosmtplib's ``wait_for`` can lose a cancellation before Python 3.12.

        Here a time-out ends the wait like any other error, without cancelling a task.
        """
        waiter = self._response_waiter
        if waiter is None:
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        self._response_pending = True
        timer = None if timeout is None else self._loop.call_later(timeout, self._time_out)
        try:
            return await waiter
        finally:
            for each in (timer, self._stray_timer):
                if each is not None:
                    each.cancel()
            self._stray_timer = None
            self._response_pending = False
            self._response_waiter = self._loop.create_future() if self.transport else None

    def _time_out(self) -> None:
        self._give_up_on_strays()
        self.fail(aiosmtplib.SMTPReadTimeoutError("no reply in time"))

    def _take(self, waiter: asyncio.Future[aiosmtplib.SMTPResponse], reply: Reply) -> None:
        self._reply = reply
        self._reader = ReplyReader()
        for line in reply.strays:
            self._transcript.note("server", line)
        *head, (code, last) = reply.coded()
        for head_code, line in head:
            self._transcript.note("server", f"{head_code}-{line}")
        self._transcript.note("server", f"{code} {last}".rstrip())
        if reply.bare_lf:
            self.remark(AnomalyKind.BARE_LF, reply.text)
        differs = why_senders_differ(reply)
        if differs is not None and self._is_judged:
            self.remark(AnomalyKind.REPLY_MALFORMED, differs)
        waiter.set_result(aiosmtplib.SMTPResponse(reply.code, "\n".join(reply.lines)))

    def fail(self, error: Exception) -> None:
        """End the wait for a reply with *error*."""
        waiter = self._response_waiter
        if waiter is not None and not waiter.done():
            self._set_response_exception(waiter, error)

    def remark(self, kind: AnomalyKind, detail: str | None = None) -> None:
        """Keep an anomaly, unless there is one of its kind."""
        if all(anomaly.kind is not kind for anomaly in self.anomalies):
            self.anomalies.append(Anomaly(kind=kind, detail=detail and detail[:200]))

    def take_surplus(self) -> bytes:
        """Remove and return the bytes that are not part of a complete reply."""
        begun = [*self._reader.strays, *self._reader.lines]
        if not self._buffer and not begun:
            return b""
        surplus = bytes(self._buffer)
        self._reader = ReplyReader()
        self._buffer.clear()
        for line in [*begun, *([as_ascii(surplus)] if surplus else [])]:
            self._transcript.note("server", line)
        return surplus

    async def greeting(self, timeout_s: float) -> Reply:
        """Wait for the greeting."""
        await self.read_response(timeout=timeout_s)
        return self._last_reply()

    async def command(self, *words: str, timeout_s: float) -> Reply:
        """Send one command and wait for its reply.

        Raises UnwantedReplyError where an unsolicited 421 is waiting (RFC 5321 §3.8). Other
        unsolicited bytes are dropped, and kept as an anomaly.
        """
        surplus = self.take_surplus()
        if surplus:
            require_open(surplus)
            self.remark(AnomalyKind.UNSOLICITED, as_ascii(surplus))
        self._is_judged = words[0] in _OF_SENDERS
        line = " ".join(words)
        self._transcript.note("client", line)
        # not execute_command: one task uses this connection, and our words need no checks
        self._response_pending = True
        self.write(f"{line}\r\n".encode("ascii"))
        await self.read_response(timeout=timeout_s)
        return self._last_reply()

    def _last_reply(self) -> Reply:
        if self._reply is None:
            raise aiosmtplib.SMTPServerDisconnected("closed")
        return self._reply

    def close(self) -> None:
        """Close at once, without waiting, so that this works during cancellation."""
        if self.wire is not None:
            self.wire.abort()

    def run_over(self, link: TlsLink) -> None:
        """Use TLS from now on."""
        self.transport = self.wire = link


def require_open(unasked: bytes) -> None:
    """Raise UnwantedReplyError where *unasked* is a 421: the server closes the session."""
    try:
        parsed = parse_reply(unasked)
    except BadReplyError:
        return
    if parsed is not None and parsed[0].code == SERVICE_CLOSING:
        raise UnwantedReplyError(parsed[0])
