"""Servers that differ in their replies to EHLO, or in how any reply looks on the wire."""

from prober.lab.peer import Peer
from prober.lab.personalities.scripted import Scripted


class NoStarttls(Scripted):
    """Clear text only."""

    keywords = Scripted.keywords_tls

    async def on_starttls(self, peer: Peer) -> None:
        await self.say(peer, 502, "5.5.1 Command not implemented")
