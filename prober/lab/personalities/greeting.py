"""Servers that differ in how they greet, and those that never come to it."""

from dataclasses import dataclass

from prober.lab.peer import Peer
from prober.lab.personalities.scripted import Personality, Scripted

STARS = "*" * 40


class Busy(Scripted):
    """421 for a greeting: come back later. It says nothing about TLS."""

    async def greet(self, peer: Peer) -> None:
        await self.say_and_close(peer, 421, f"4.3.2 {peer.name} too busy, try again later")


class Silent(Personality):
    """Accepts, and says nothing."""

    async def converse(self, peer: Peer) -> None:
        await peer.silence()


class Refuses(Silent):
    """Nothing listens at its address."""

    listens = False


@dataclass(frozen=True)
class Slow(Scripted):
    """Greets late, against clients that will not wait; then all is well."""

    delay: float = 0.3  # seconds

    async def greet(self, peer: Peer) -> None:
        await peer.pause(self.delay)
        await super().greet(peer)


class MaskedKeywords(Scripted):
    """A middlebox overwrites STARTTLS among the keywords, and refuses the command."""

    keywords = ("PIPELINING", "SIZE 10240000", "XXXXXXXA", "8BITMIME")

    async def on_starttls(self, peer: Peer) -> None:
        await self.say(peer, 500, "5.5.1 Command unrecognized: XXXXXXXX")


class Masked(MaskedKeywords):
    """A middlebox hides the greeting and the keywords: SMTP inspection of a Cisco PIX or ASA."""

    greeting = (STARS,)
