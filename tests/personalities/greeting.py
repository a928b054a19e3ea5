"""Servers that differ in how they greet, and those that never come to it."""

from dataclasses import dataclass

from prober.lab.certificates import HOSTILE_TEXT, CertificateKind
from prober.lab.peer import Peer
from prober.lab.personalities.greeting import STARS
from prober.lab.personalities.scripted import Personality, Scripted, format_reply

NOT_UTF8 = "\udcff"  # the byte 0xFF, once it is sent


class NoService(Scripted):
    """554 for a greeting: no SMTP service here. RFC 5321 §3.1."""

    async def greet(self, peer: Peer) -> None:
        await self.say(peer, 554, "5.7.1 No SMTP service here")

    async def on_ehlo(self, peer: Peer) -> None:
        await self.say(peer, 503, "5.5.1 No SMTP service here")

    on_helo = on_starttls = on_ehlo


class ClosesAtOnce(Personality):
    """Accepts, and closes."""

    async def converse(self, peer: Peer) -> None:
        peer.close()


class ResetsAtOnce(Personality):
    """Accepts, and resets."""

    async def converse(self, peer: Peer) -> None:
        peer.reset()


class ClosesAfterGreeting(Scripted):
    """Greets, and closes."""

    async def greet(self, peer: Peer) -> None:
        await super().greet(peer)
        peer.close()


@dataclass(frozen=True)
class Tarpit(Scripted):
    """Sends a byte at a time: each soon enough, all of them never, or after ``lines`` lines."""

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
    """Another protocol."""

    async def converse(self, peer: Peer) -> None:
        peer.send(b"SSH-2.0-OpenSSH_9.9\r\n")
        await peer.silence()


class MultilineGreeting(Scripted):
    """A greeting of several lines, which is allowed. RFC 5321 §4.2."""

    greeting = ("{name} ESMTP lab", "No unsolicited mail", "Have a nice day")


class MaskedGreeting(Scripted):
    """A middlebox hides the greeting and lets STARTTLS through."""

    greeting = (STARS,)


class HostileText(Scripted):
    """Control characters, escape codes and a spreadsheet formula wherever text can stand."""

    certificate = CertificateKind.HOSTILE_SUBJECT
    greeting = (HOSTILE_TEXT + NOT_UTF8,)
    keywords = (*Scripted.keywords, HOSTILE_TEXT)
    keywords_tls = (*Scripted.keywords_tls, HOSTILE_TEXT)
