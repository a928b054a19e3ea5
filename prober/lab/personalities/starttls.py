"""Servers that offer STARTTLS, but fail at STARTTLS or in the handshake."""

from dataclasses import dataclass

from prober.lab.peer import Peer
from prober.lab.personalities.scripted import Scripted

HANDSHAKE_FAILURE = bytes.fromhex("15 0303 0002 02 28")  # a fatal alert. RFC 8446 §6


class StarttlsDeferred(Scripted):
    """Answers 454 to STARTTLS: TLS not available now. RFC 3207 §4."""

    async def on_starttls(self, peer: Peer) -> None:
        await self.say(peer, 454, "4.7.0 TLS not available due to temporary reason")


class HandshakeAlert(Scripted):
    """Answers the ClientHello with the alert handshake_failure."""

    async def handshake(self, peer: Peer) -> None:
        await peer.hello()
        peer.send(HANDSHAKE_FAILURE)
        peer.close()


@dataclass(frozen=True)
class LargeHelloIntolerant(Scripted):
    """Resets if the ClientHello is large, as it is with a post-quantum key share."""

    most: int = 1000  # bytes of the record

    async def handshake(self, peer: Peer) -> None:
        if len(await peer.hello()) > self.most:
            peer.reset()
        else:
            await super().handshake(peer)
