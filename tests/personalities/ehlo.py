"""Servers that differ in their replies to EHLO, or in how any reply looks on the wire."""

from dataclasses import dataclass

from prober.lab.peer import Peer
from prober.lab.personalities.ehlo import NoStarttls
from prober.lab.personalities.scripted import Scripted, format_reply

ENDLESS_LINE_BYTES = 8 << 20


class EhloRefused(Scripted):
    """Answers 550 to EHLO and HELO. This is a policy, and says nothing about TLS."""

    async def on_ehlo(self, peer: Peer) -> None:
        await self.say(peer, 550, "5.7.1 Access denied")

    async def on_starttls(self, peer: Peer) -> None:
        await self.say(peer, 503, "5.5.1 EHLO first")

    on_helo = on_ehlo


class EhloBusy(Scripted):
    """Answers 421 to EHLO."""

    async def on_ehlo(self, peer: Peer) -> None:
        await self.say_and_close(peer, 421, "4.7.0 Try again later")


class EhloSilent(Scripted):
    """Does not answer EHLO."""

    async def on_ehlo(self, peer: Peer) -> None:
        await peer.silence()


class HeloOnly(NoStarttls):
    """An old server: 502 to EHLO, 250 to HELO, so without extensions. RFC 5321 §4.1.1.1."""

    async def on_ehlo(self, peer: Peer) -> None:
        await self.say(peer, 502, "Command not implemented")


class HeloRefused(HeloOnly):
    """502 to EHLO and 550 to HELO, so whether it has extensions is not known."""

    async def on_helo(self, peer: Peer) -> None:
        await self.say(peer, 550, "5.7.1 Access denied")


class LowerCaseKeywords(Scripted):
    """Sends keywords in lower case, which is allowed. RFC 5321 §4.1.1.1."""

    keywords = tuple(keyword.lower() for keyword in Scripted.keywords)


class LookalikeKeywords(NoStarttls):
    """Has STARTTLS in the greeting, in other keywords and as a parameter, but not as a keyword."""

    greeting = ("{name} ESMTP STARTTLS",)
    keywords = ("SIZE 10240000", "XSTARTTLS", "STARTTLSX", "X-OFFERS STARTTLS", "8BITMIME")


class CodeChanges(Scripted):
    """Sends a reply whose lines have different codes, which RFC 5321 §4.2.1 forbids."""

    async def on_ehlo(self, peer: Peer) -> None:
        peer.send(f"250-{peer.name}\r\n220-SIZE 10240000\r\n250 STARTTLS\r\n".encode())


class BareLf(Scripted):
    """Ends lines with LF only."""

    async def say(self, peer: Peer, code: int, *lines: str) -> None:
        peer.send(format_reply(code, *lines).replace(b"\r\n", b"\n"))


class ByteByByte(Scripted):
    """Sends each byte of a reply in its own segment."""

    async def say(self, peer: Peer, code: int, *lines: str) -> None:
        for byte in format_reply(code, *lines):
            peer.send(bytes([byte]))
            await peer.drain()


@dataclass(frozen=True)
class EndlessReply(Scripted):
    """Sends an EHLO reply that has no last line."""

    at_once: int = 100  # lines in one segment

    async def on_ehlo(self, peer: Peer) -> None:
        while True:
            peer.send(b"250-X-KEYWORD\r\n" * self.at_once)
            await peer.drain()


class EndlessLine(Scripted):
    """Sends an EHLO reply of one line with megabytes."""

    async def on_ehlo(self, peer: Peer) -> None:
        peer.send(b"250-")
        for _ in range(ENDLESS_LINE_BYTES >> 10):
            peer.send(b"X" * 1024)
            await peer.drain()
        await peer.silence()
