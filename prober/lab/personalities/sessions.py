"""Servers that treat one session otherwise than the next."""

from prober.lab.peer import Peer
from prober.lab.personalities.ehlo import NoStarttls
from prober.lab.personalities.scripted import Personality, Scripted


class GainsStarttls(Personality):
    """No STARTTLS in the first session, STARTTLS from the second on."""

    async def converse(self, peer: Peer) -> None:
        first = peer.session.number == 1
        await (NoStarttls() if first else Scripted()).converse(peer)
