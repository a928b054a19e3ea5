"""Servers with an unusual greeting, or without one."""

from dataclasses import dataclass

from prober.lab.certificates import HOSTILE_TEXT, CertificateKind
from prober.lab.peer import Peer
from prober.lab.personalities.scripted import Personality, Scripted, format_reply

STARS = "*" * 40
NOT_UTF8 = "\udcff"  # is sent as the byte 0xFF


class Busy(Scripted):
    """Greets with 421: try again later. This says nothing about TLS."""

    async def greet(self, peer: Peer) -> None:
        await self.say_and_close(peer, 421, f"4.3.2 {peer.name} too busy, try again later")


class NoService(Scripted):
    """Greets with 554: no SMTP service here. RFC 5321 §3.1."""

    async def greet(self, peer: Peer) -> None:
        await self.say(peer, 554, "5.7.1 No SMTP service here")

    async def on_ehlo(self, peer: Peer) -> None:
        await self.say(peer, 503, "5.5.1 No SMTP service here")

    on_helo = on_starttls = on_ehlo


class Silent(Personality):
    """Accepts the connection, and sends nothing."""

    async def converse(self, peer: Peer) -> None:
        await peer.silence()


class Refuses(Silent):
    """Refuses TCP connections."""

    listens = False


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
class Slow(Scripted):
    """Greets after a delay, as a defence against impatient clients. Otherwise correct."""

    delay: float = 0.3  # seconds

    async def greet(self, peer: Peer) -> None:
        await peer.pause(self.delay)
        await super().greet(peer)


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


class MaskedKeywords(Scripted):
    """A middlebox overwrites the STARTTLS keyword, and refuses the command."""

    keywords = ("PIPELINING", "SIZE 10240000", "XXXXXXXA", "8BITMIME")

    async def on_starttls(self, peer: Peer) -> None:
        await self.say(peer, 500, "5.5.1 Command unrecognized: XXXXXXXX")


class Masked(MaskedKeywords):
    """A middlebox hides the greeting and the keywords, as a Cisco PIX or ASA does."""

    greeting = (STARS,)


class HostileText(Scripted):
    """Sends control characters, escape codes and a spreadsheet formula in every text."""

    certificate = CertificateKind.HOSTILE_SUBJECT
    greeting = (HOSTILE_TEXT + NOT_UTF8,)
    keywords = (*Scripted.keywords, HOSTILE_TEXT)
    keywords_tls = (*Scripted.keywords_tls, HOSTILE_TEXT)
