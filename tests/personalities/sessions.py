"""Servers that treat one session otherwise than the next."""

import itertools
from dataclasses import dataclass

from prober.lab.peer import Peer
from prober.lab.personalities.ehlo import NoStarttls
from prober.lab.personalities.scripted import Personality, Scripted


class LosesStarttls(Personality):
    """Offers STARTTLS in the first session, but in no later one."""

    async def converse(self, peer: Peer) -> None:
        first = peer.session.number == 1
        await (Scripted() if first else NoStarttls()).converse(peer)


@dataclass(frozen=True)
class Throttle(Scripted):
    """Answers 421 to more than *most* sessions within *window* seconds."""

    most: int = 2
    window: float = 60.0

    async def greet(self, peer: Peer) -> None:
        if self._recent(peer) > self.most:
            await self.say_and_close(peer, 421, "4.7.0 Too many connections from your address")
        else:
            await super().greet(peer)

    def _recent(self, peer: Peer) -> int:
        since = peer.session.started - self.window
        sessions = itertools.islice(reversed(peer.sessions), self.most + 1)
        return sum(session.started >= since for session in sessions)


class EhloUnknownOnce(Scripted):
    """Knows only HELO in the first session, but EHLO in all later ones."""

    async def on_ehlo(self, peer: Peer) -> None:
        if peer.session.number == 1:
            await self.say(peer, 502, "5.5.1 Command not implemented")
        else:
            await super().on_ehlo(peer)


class NoStarttlsThenDefers(Personality):
    """Does not offer STARTTLS in the first session, and greets all later ones with 450."""

    async def converse(self, peer: Peer) -> None:
        if peer.session.number > 1:
            peer.send(b"450 4.7.1 Try again later\r\n")
            peer.close()
        else:
            await NoStarttls().converse(peer)


class HandshakeResetsOnce(Scripted):
    """Resets after the ClientHello in the first session, but in no later one."""

    async def handshake(self, peer: Peer) -> None:
        if peer.session.number == 1:
            await peer.hello()
            peer.reset()
        else:
            await super().handshake(peer)
