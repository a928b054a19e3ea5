"""Servers that differ in their replies to EHLO, or in how any reply looks on the wire."""

from dataclasses import dataclass

from prober.lab.peer import Peer
from prober.lab.personalities.ehlo import NoStarttls
from prober.lab.personalities.scripted import Scripted, format_reply

ENDLESS_LINE_BYTES = 8 << 20


class EhloRefused(Scripted):
    """550 to EHLO and to HELO: a policy, which says nothing about TLS."""

    async def on_ehlo(self, peer: Peer) -> None:
        await self.say(peer, 550, "5.7.1 Access denied")

    async def on_starttls(self, peer: Peer) -> None:
        await self.say(peer, 503, "5.5.1 EHLO first")

    on_helo = on_ehlo


class EhloBusy(Scripted):
    """421 to EHLO."""

    async def on_ehlo(self, peer: Peer) -> None:
        await self.say_and_close(peer, 421, "4.7.0 Try again later")


class EhloSilent(Scripted):
    """No answer to EHLO."""

    async def on_ehlo(self, peer: Peer) -> None:
        await peer.silence()


class HeloOnly(NoStarttls):
    """An old server: 502 to EHLO, 250 to HELO, so it can have no extension. RFC 5321 §4.1.1.1."""

    async def on_ehlo(self, peer: Peer) -> None:
        await self.say(peer, 502, "Command not implemented")


class LowerCaseKeywords(Scripted):
    """Keywords in lower case, which is allowed. RFC 5321 §4.1.1.1."""

    keywords = tuple(keyword.lower() for keyword in Scripted.keywords)


class LookalikeKeywords(NoStarttls):
    """STARTTLS in the greeting, inside other keywords and as a parameter, but not as a keyword."""

    greeting = ("{name} ESMTP STARTTLS",)
    keywords = ("SIZE 10240000", "XSTARTTLS", "STARTTLSX", "X-OFFERS STARTTLS", "8BITMIME")


class CodeChanges(Scripted):
    """A reply whose lines bear different codes, which RFC 5321 §4.2.1 forbids."""

    async def on_ehlo(self, peer: Peer) -> None:
        peer.send(f"250-{peer.name}\r\n220-SIZE 10240000\r\n250 STARTTLS\r\n".encode())


class BareLf(Scripted):
    """Lines that end in LF alone."""

    async def say(self, peer: Peer, code: int, *lines: str) -> None:
        peer.send(format_reply(code, *lines).replace(b"\r\n", b"\n"))


class ByteByByte(Scripted):
    """Each byte of a reply in a segment of its own."""

    async def say(self, peer: Peer, code: int, *lines: str) -> None:
        for byte in format_reply(code, *lines):
            peer.send(bytes([byte]))
            await peer.drain()


@dataclass(frozen=True)
class EndlessReply(Scripted):
    """An EHLO reply that never comes to its last line."""

    at_once: int = 100  # lines in one segment

    async def on_ehlo(self, peer: Peer) -> None:
        while True:
            peer.send(b"250-X-KEYWORD\r\n" * self.at_once)
            await peer.drain()


class EndlessLine(Scripted):
    """An EHLO reply of one line, and of megabytes."""

    async def on_ehlo(self, peer: Peer) -> None:
        peer.send(b"250-")
        for _ in range(ENDLESS_LINE_BYTES >> 10):
            peer.send(b"X" * 1024)
            await peer.drain()
        await peer.silence()
