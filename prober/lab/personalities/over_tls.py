"""Servers whose first reply over TLS differs."""

from prober.lab.peer import Peer
from prober.lab.personalities.scripted import Scripted


class TlsSilent(Scripted):
    """No answer to EHLO over TLS."""

    async def on_ehlo_tls(self, peer: Peer) -> None:
        await peer.silence()
