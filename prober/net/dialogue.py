"""The lines of an SMTP session: commands out, replies in, and the transcript of both.

RFC 5321 §4.2, over aiosmtplib's command loop, in clear and over TLS alike.
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

_OF_SENDERS: Final = ("EHLO", "HELO", "STARTTLS")  # every sender must read the replies to these


class Transcript:
    """The lines of a session, with the milliseconds since it began; bounded."""

    def __init__(self, settings: Settings) -> None:
        self._start = monotonic()
        self._max_lines = settings.transcript_lines
        self._max_chars = settings.transcript_chars
        self._lines: list[Line] = []

    def note(self, peer: str, line: str) -> None:
        """Add *line* of ``server``, ``client`` or ``probe``, cut to what the settings allow."""
        if len(self._lines) > self._max_lines:
            return
        if len(self._lines) == self._max_lines:
            peer, line = "probe", "the transcript ends here; the session went on"
        ms = round((monotonic() - self._start) * 1000)
        self._lines.append(Line(ms=ms, peer=peer, line=line[: self._max_chars]))

    def lines(self) -> tuple[Line, ...]:
        """What was noted, one more than the bound where something was cut off."""
        return tuple(self._lines)


class Dialogue(SMTPProtocol):
    """aiosmtplib's command loop with our own reply parser and a transcript.

    Its own parser takes ``220-a / 250 b`` for 250 and ``2200`` for 220, and drops what comes
    unasked; here every byte that comes is read, or kept as an anomaly.
    """

    def __init__(self, transcript: Transcript, *, stray_s: float) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self._transcript = transcript
        self._stray_s = stray_s  # how long to wait for a greeting behind a line that is none
        self._is_judged = True  # what the reply is to, senders read as well
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
                self.close()  # nobody asked for this much
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
        """End the wait for a reply where all that came were lines without a code."""
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
        """aiosmtplib's, whose ``wait_for`` can lose a cancellation before Python 3.12.

        The time-out ends the wait like any other error: no task has to be cancelled for it.
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
        """Keep an anomaly: the first of its kind."""
        if all(anomaly.kind is not kind for anomaly in self.anomalies):
            self.anomalies.append(Anomaly(kind=kind, detail=detail and detail[:200]))

    def take_surplus(self) -> bytes:
        """What came that is no whole reply, or that stands behind one; a reply begun is dropped."""
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

        A 421 that came unasked is its answer (RFC 5321 §3.8), raised as UnwantedReplyError; other
        unasked bytes are dropped, and kept as an anomaly.
        """
        surplus = self.take_surplus()
        if surplus:
            require_open(surplus)
            self.remark(AnomalyKind.UNSOLICITED, as_ascii(surplus))
        self._is_judged = words[0] in _OF_SENDERS
        line = " ".join(words)
        self._transcript.note("client", line)
        # not execute_command: its lock and checks are for many tasks and for words of others
        self._response_pending = True
        self.write(f"{line}\r\n".encode("ascii"))
        await self.read_response(timeout=timeout_s)
        return self._last_reply()

    def _last_reply(self) -> Reply:
        if self._reply is None:
            raise aiosmtplib.SMTPServerDisconnected("closed")
        return self._reply

    def close(self) -> None:
        """Close at once and without waiting, so that it also runs while being cancelled."""
        if self.wire is not None:
            self.wire.abort()

    def run_over(self, link: TlsLink) -> None:
        """Speak over TLS from now on."""
        self.transport = self.wire = link


def require_open(unasked: bytes) -> None:
    """Raise where what came unasked is a 421: the server closes its service."""
    try:
        parsed = parse_reply(unasked)
    except BadReplyError:
        return
    if parsed is not None and parsed[0].code == SERVICE_CLOSING:
        raise UnwantedReplyError(parsed[0])
