"""Servers with an unusual reply to EHLO, or with unusual line formats."""

from prober.lab.peer import Peer
from prober.lab.personalities.scripted import Scripted


class NoStarttls(Scripted):
    """Does not offer STARTTLS."""

    keywords = Scripted.keywords_tls

    async def on_starttls(self, peer: Peer) -> None:
        await self.say(peer, 502, "5.5.1 Command not implemented")
