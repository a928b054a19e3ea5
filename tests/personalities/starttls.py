"""Servers that offer STARTTLS and then do not, or not well, do TLS."""

from prober.lab.certificates import CertificateKind
from prober.lab.peer import Peer
from prober.lab.personalities.scripted import Scripted
from prober.lab.tls import ANONYMOUS, NEEDS_CLIENT

INTERNAL_ERROR = bytes.fromhex("15 0303 0002 02 50")


class StarttlsRefused(Scripted):
    """Answers 554 to STARTTLS, although it offered it."""

    async def on_starttls(self, peer: Peer) -> None:
        await self.say(peer, 554, "5.7.3 Unable to initialize security subsystem")


class StarttlsBusy(Scripted):
    """Answers 421 to STARTTLS."""

    async def on_starttls(self, peer: Peer) -> None:
        await self.say_and_close(peer, 421, "4.7.0 Try again later")


class StarttlsSilent(Scripted):
    """Does not answer STARTTLS."""

    async def on_starttls(self, peer: Peer) -> None:
        await peer.silence()


class StarttlsCloses(Scripted):
    """Closes after STARTTLS."""

    async def on_starttls(self, peer: Peer) -> None:
        peer.close()


class StarttlsResets(Scripted):
    """Resets after STARTTLS."""

    async def on_starttls(self, peer: Peer) -> None:
        peer.reset()


class StarttlsInjection(Scripted):
    """Sends clear text after the 220, in the same segment; then a correct handshake."""

    async def on_starttls(self, peer: Peer) -> None:
        peer.send(b"220 2.0.0 Ready to start TLS\r\n250 X-INJECTED\r\n")
        await self.handshake(peer)


class HandshakeGarbage(Scripted):
    """Answers 220, then sends something that is not TLS."""

    async def handshake(self, peer: Peer) -> None:
        await peer.hello()
        peer.send(b"500 5.5.2 Syntax error, command unrecognized\r\n")
        peer.close()


class HandshakeCloses(Scripted):
    """Answers 220, then closes."""

    async def handshake(self, peer: Peer) -> None:
        peer.close()


class HandshakeResets(Scripted):
    """Resets after the ClientHello."""

    async def handshake(self, peer: Peer) -> None:
        await peer.hello()
        peer.reset()


class HandshakeSilent(Scripted):
    """Does not answer the ClientHello."""

    async def handshake(self, peer: Peer) -> None:
        await peer.silence()


class LateAlert(Scripted):
    """Sends certificate_required after a completed TLS 1.3 handshake. RFC 8446 §4.4.2.4."""

    tls = NEEDS_CLIENT


class AnonymousOnly(Scripted):
    """TLS without a certificate: AECDH. RFC 4492 §2.5."""

    tls = ANONYMOUS


class StarttlsRefusedAndCloses(Scripted):
    """Answers 454 to STARTTLS and closes, so no sender can continue in clear."""

    async def on_starttls(self, peer: Peer) -> None:
        await self.say_and_close(peer, 454, "4.7.0 TLS not available")


class StarttlsUnreadable(Scripted):
    """Answers STARTTLS with a line without a reply code."""

    async def on_starttls(self, peer: Peer) -> None:
        peer.send(b"ready to start TLS\r\n")


class EmptyLineBeforeReply(Scripted):
    """Sends an empty line before the 220 to STARTTLS. Postfix skips it, Exim does not."""

    async def on_starttls(self, peer: Peer) -> None:
        peer.send(b"\r\n")
        await super().on_starttls(peer)


class SniRefused(Scripted):
    """Sends an alert to a ClientHello with this host's name. Without SNI, TLS is correct."""

    async def handshake(self, peer: Peer) -> None:
        if _names_host(await peer.hello(), peer):
            peer.send(INTERNAL_ERROR)
            peer.close()
        else:
            await super().handshake(peer)


class SniRequired(Scripted):
    """Sends an alert to a ClientHello without SNI."""

    async def handshake(self, peer: Peer) -> None:
        if _names_host(await peer.hello(), peer):
            await super().handshake(peer)
        else:
            peer.send(INTERNAL_ERROR)
            peer.close()


class OtherCertificateWithoutSni(Scripted):
    """Shows a self-signed certificate to a ClientHello without SNI, the right one otherwise."""

    async def handshake(self, peer: Peer) -> None:
        named = _names_host(await peer.hello(), peer)
        kind = self.certificate if named else CertificateKind.SELF_SIGNED
        await peer.start_tls(peer.context(kind, self.tls))


def _names_host(hello: bytes, peer: Peer) -> bool:
    """Whether *hello* contains the host's name. Only SNI can contain it. RFC 6066 §3."""
    return peer.name.encode() in hello
