"""Servers that behave differently from one session to the next."""

from prober.lab.peer import Peer
from prober.lab.personalities.ehlo import NoStarttls
from prober.lab.personalities.scripted import Personality, Scripted


class GainsStarttls(Personality):
    """Offers no STARTTLS in the first session, but in all later ones."""

    async def converse(self, peer: Peer) -> None:
        first = peer.session.number == 1
        await (NoStarttls() if first else Scripted()).converse(peer)
