"""Servers whose first reply over TLS differs."""

from prober.lab.peer import Peer
from prober.lab.personalities.scripted import Scripted


class TlsCloses(Scripted):
    """Closes after EHLO over TLS."""

    async def on_ehlo_tls(self, peer: Peer) -> None:
        peer.close()


class TlsResets(Scripted):
    """Resets after EHLO over TLS."""

    async def on_ehlo_tls(self, peer: Peer) -> None:
        peer.reset()


class TlsEhloRefused(Scripted):
    """Answers 550 to EHLO over TLS."""

    async def on_ehlo_tls(self, peer: Peer) -> None:
        await self.say(peer, 550, "5.7.1 Access denied")


class TlsBusy(Scripted):
    """Answers 421 to EHLO over TLS."""

    async def on_ehlo_tls(self, peer: Peer) -> None:
        await self.say_and_close(peer, 421, "4.7.0 Try again later")


class TlsOffersStarttlsAgain(Scripted):
    """Offers STARTTLS again over TLS, which RFC 3207 §4.2 forbids."""

    keywords_tls = Scripted.keywords


class TlsMoreKeywords(Scripted):
    """Offers some keywords over TLS only."""

    keywords_tls = (*Scripted.keywords_tls, "AUTH PLAIN LOGIN", "REQUIRETLS")
