"""Servers with an unusual first reply over TLS."""

from prober.lab.peer import Peer
from prober.lab.personalities.scripted import Scripted


class TlsSilent(Scripted):
    """Does not answer EHLO over TLS."""

    async def on_ehlo_tls(self, peer: Peer) -> None:
        await peer.silence()
