"""Servers with an unusual greeting, or without one."""

from dataclasses import dataclass

from prober.lab.peer import Peer
from prober.lab.personalities.scripted import Personality, Scripted

STARS = "*" * 40


class Busy(Scripted):
    """Greets with 421: try again later. This says nothing about TLS."""

    async def greet(self, peer: Peer) -> None:
        await self.say_and_close(peer, 421, f"4.3.2 {peer.name} too busy, try again later")


class Silent(Personality):
    """Accepts the connection, and sends nothing."""

    async def converse(self, peer: Peer) -> None:
        await peer.silence()


class Refuses(Silent):
    """Refuses TCP connections."""

    listens = False


@dataclass(frozen=True)
class Slow(Scripted):
    """Greets after a delay, as a defence against impatient clients. Otherwise correct."""

    delay: float = 0.3  # seconds

    async def greet(self, peer: Peer) -> None:
        await peer.pause(self.delay)
        await super().greet(peer)


class MaskedKeywords(Scripted):
    """A middlebox overwrites the STARTTLS keyword, and refuses the command."""

    keywords = ("PIPELINING", "SIZE 10240000", "XXXXXXXA", "8BITMIME")

    async def on_starttls(self, peer: Peer) -> None:
        await self.say(peer, 500, "5.5.1 Command unrecognized: XXXXXXXX")


class Masked(MaskedKeywords):
    """A middlebox hides the greeting and the keywords, as a Cisco PIX or ASA does."""

    greeting = (STARS,)
