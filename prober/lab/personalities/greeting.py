"""Servers that differ in how they greet, and those that never come to it."""

from dataclasses import dataclass

from prober.lab.certificates import HOSTILE_TEXT, CertificateKind
from prober.lab.peer import Peer
from prober.lab.personalities.scripted import Personality, Scripted, format_reply

STARS = "*" * 40
NOT_UTF8 = "\udcff"  # the byte 0xFF, once it is sent


class Busy(Scripted):
    """421 for a greeting: come back later. It says nothing about TLS."""

    async def greet(self, peer: Peer) -> None:
        await self.say_and_close(peer, 421, f"4.3.2 {peer.name} too busy, try again later")


class NoService(Scripted):
    """554 for a greeting: no SMTP service here. RFC 5321 §3.1."""

    async def greet(self, peer: Peer) -> None:
        await self.say(peer, 554, "5.7.1 No SMTP service here")

    async def on_ehlo(self, peer: Peer) -> None:
        await self.say(peer, 503, "5.5.1 No SMTP service here")

    on_helo = on_starttls = on_ehlo


class Silent(Personality):
    """Accepts, and says nothing."""

    async def converse(self, peer: Peer) -> None:
        await peer.silence()


class Refuses(Silent):
    """Nothing listens at its address."""

    listens = False


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
class Slow(Scripted):
    """Greets late, against clients that will not wait; then all is well."""

    delay: float = 0.3  # seconds

    async def greet(self, peer: Peer) -> None:
        await peer.pause(self.delay)
        await super().greet(peer)


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


class MaskedKeywords(Scripted):
    """A middlebox overwrites STARTTLS among the keywords, and refuses the command."""

    keywords = ("PIPELINING", "SIZE 10240000", "XXXXXXXA", "8BITMIME")

    async def on_starttls(self, peer: Peer) -> None:
        await self.say(peer, 500, "5.5.1 Command unrecognized: XXXXXXXX")


class Masked(MaskedKeywords):
    """A middlebox hides the greeting and the keywords: SMTP inspection of a Cisco PIX or ASA."""

    greeting = (STARS,)


class HostileText(Scripted):
    """Control characters, escape codes and a spreadsheet formula wherever text can stand."""

    certificate = CertificateKind.HOSTILE_SUBJECT
    greeting = (HOSTILE_TEXT + NOT_UTF8,)
    keywords = (*Scripted.keywords, HOSTILE_TEXT)
    keywords_tls = (*Scripted.keywords_tls, HOSTILE_TEXT)
