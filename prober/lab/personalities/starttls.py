"""Servers that offer STARTTLS and then do not, or not well, do TLS."""

from dataclasses import dataclass

from prober.lab.peer import Peer
from prober.lab.personalities.scripted import Scripted

HANDSHAKE_FAILURE = bytes.fromhex("15 0303 0002 02 28")  # a fatal alert. RFC 8446 §6


class StarttlsDeferred(Scripted):
    """454: TLS not available for the moment. RFC 3207 §4."""

    async def on_starttls(self, peer: Peer) -> None:
        await self.say(peer, 454, "4.7.0 TLS not available due to temporary reason")


class HandshakeAlert(Scripted):
    """handshake_failure for an answer to the ClientHello."""

    async def handshake(self, peer: Peer) -> None:
        await peer.hello()
        peer.send(HANDSHAKE_FAILURE)
        peer.close()


@dataclass(frozen=True)
class LargeHelloIntolerant(Scripted):
    """Resets when the ClientHello is large, as one with a post-quantum key share is."""

    most: int = 1000  # bytes of the record

    async def handshake(self, peer: Peer) -> None:
        if len(await peer.hello()) > self.most:
            peer.reset()
        else:
            await super().handshake(peer)
