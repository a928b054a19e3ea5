"""Servers that differ in how they greet, and those that never come to it."""

from dataclasses import dataclass

from prober.lab.certificates import HOSTILE_TEXT, CertificateKind
from prober.lab.peer import Peer
from prober.lab.personalities.greeting import STARS
from prober.lab.personalities.scripted import Personality, Scripted, format_reply

NOT_UTF8 = "\udcff"  # the byte 0xFF, once it is sent


class NoService(Scripted):
    """Greets with 554: no SMTP service here. RFC 5321 §3.1."""

    async def greet(self, peer: Peer) -> None:
        await self.say(peer, 554, "5.7.1 No SMTP service here")

    async def on_ehlo(self, peer: Peer) -> None:
        await self.say(peer, 503, "5.5.1 No SMTP service here")

    on_helo = on_starttls = on_ehlo


class ClosesAtOnce(Personality):
    """Accepts the connection, and closes it."""

    async def converse(self, peer: Peer) -> None:
        peer.close()


class ResetsAtOnce(Personality):
    """Accepts the connection, and resets it."""

    async def converse(self, peer: Peer) -> None:
        peer.reset()


class ClosesAfterGreeting(Scripted):
    """Greets, then closes."""

    async def greet(self, peer: Peer) -> None:
        await super().greet(peer)
        peer.close()


@dataclass(frozen=True)
class Tarpit(Scripted):
    """Sends one byte at a time. The greeting never ends, or has *lines* lines."""

    interval: float = 0.01  # seconds
    lines: int | None = None

    async def greet(self, peer: Peer) -> None:
        sent = 0
        while self.lines is None or sent < self.lines:
            await self._drip(peer, b"220-please wait\r\n")
            sent += 1
        await super().greet(peer)

    async def say(self, peer: Peer, code: int, *lines: str) -> None:
        await self._drip(peer, format_reply(code, *lines))

    async def _drip(self, peer: Peer, data: bytes) -> None:
        for byte in data:
            peer.send(bytes([byte]))
            await peer.drain()
            await peer.pause(self.interval)


class NotSmtp(Personality):
    """Speaks another protocol."""

    async def converse(self, peer: Peer) -> None:
        peer.send(b"SSH-2.0-OpenSSH_9.9\r\n")
        await peer.silence()


class MultilineGreeting(Scripted):
    """Sends a greeting of several lines, which is allowed. RFC 5321 §4.2."""

    greeting = ("{name} ESMTP lab", "No unsolicited mail", "Have a nice day")


class MaskedGreeting(Scripted):
    """A middlebox hides the greeting but not STARTTLS."""

    greeting = (STARS,)


class HostileText(Scripted):
    """Sends control characters, escape codes and a spreadsheet formula in every text."""

    certificate = CertificateKind.HOSTILE_SUBJECT
    greeting = (HOSTILE_TEXT + NOT_UTF8,)
    keywords = (*Scripted.keywords, HOSTILE_TEXT)
    keywords_tls = (*Scripted.keywords_tls, HOSTILE_TEXT)
