"""Servers that offer STARTTLS and then do not, or not well, do TLS."""

from prober.lab.certificates import CertificateKind
from prober.lab.peer import Peer
from prober.lab.personalities.scripted import Scripted
from prober.lab.tls import ANONYMOUS, NEEDS_CLIENT

INTERNAL_ERROR = bytes.fromhex("15 0303 0002 02 50")


class StarttlsRefused(Scripted):
    """554 to the STARTTLS that was offered."""

    async def on_starttls(self, peer: Peer) -> None:
        await self.say(peer, 554, "5.7.3 Unable to initialize security subsystem")


class StarttlsBusy(Scripted):
    """421 to STARTTLS."""

    async def on_starttls(self, peer: Peer) -> None:
        await self.say_and_close(peer, 421, "4.7.0 Try again later")


class StarttlsSilent(Scripted):
    """No answer to STARTTLS."""

    async def on_starttls(self, peer: Peer) -> None:
        await peer.silence()


class StarttlsCloses(Scripted):
    """EOF for an answer to STARTTLS."""

    async def on_starttls(self, peer: Peer) -> None:
        peer.close()


class StarttlsResets(Scripted):
    """RST for an answer to STARTTLS."""

    async def on_starttls(self, peer: Peer) -> None:
        peer.reset()


class StarttlsInjection(Scripted):
    """Clear text right behind the 220, in the same segment; then a handshake as it should be."""

    async def on_starttls(self, peer: Peer) -> None:
        peer.send(b"220 2.0.0 Ready to start TLS\r\n250 X-INJECTED\r\n")
        await self.handshake(peer)


class HandshakeGarbage(Scripted):
    """220, and then no TLS."""

    async def handshake(self, peer: Peer) -> None:
        await peer.hello()
        peer.send(b"500 5.5.2 Syntax error, command unrecognized\r\n")
        peer.close()


class HandshakeCloses(Scripted):
    """220, and then EOF."""

    async def handshake(self, peer: Peer) -> None:
        peer.close()


class HandshakeResets(Scripted):
    """RST for an answer to the ClientHello."""

    async def handshake(self, peer: Peer) -> None:
        await peer.hello()
        peer.reset()


class HandshakeSilent(Scripted):
    """No answer to the ClientHello."""

    async def handshake(self, peer: Peer) -> None:
        await peer.silence()


class LateAlert(Scripted):
    """certificate_required once a TLS 1.3 client thinks all is well. RFC 8446 §4.4.2.4."""

    tls = NEEDS_CLIENT


class AnonymousOnly(Scripted):
    """TLS without any certificate: AECDH. RFC 4492 §2.5."""

    tls = ANONYMOUS


class StarttlsRefusedAndCloses(Scripted):
    """454 to STARTTLS, and then the end of the session: no sender can go on in clear."""

    async def on_starttls(self, peer: Peer) -> None:
        await self.say_and_close(peer, 454, "4.7.0 TLS not available")


class StarttlsUnreadable(Scripted):
    """A line without a reply code for an answer to STARTTLS."""

    async def on_starttls(self, peer: Peer) -> None:
        peer.send(b"ready to start TLS\r\n")


class EmptyLineBeforeReply(Scripted):
    """An empty line before the 220 to STARTTLS. Postfix skips it, Exim does not."""

    async def on_starttls(self, peer: Peer) -> None:
        peer.send(b"\r\n")
        await super().on_starttls(peer)


class SniRefused(Scripted):
    """An alert to a ClientHello that names this host; TLS as it should be without SNI."""

    async def handshake(self, peer: Peer) -> None:
        if _names_host(await peer.hello(), peer):
            peer.send(INTERNAL_ERROR)
            peer.close()
        else:
            await super().handshake(peer)


class SniRequired(Scripted):
    """An alert to a ClientHello without SNI."""

    async def handshake(self, peer: Peer) -> None:
        if _names_host(await peer.hello(), peer):
            await super().handshake(peer)
        else:
            peer.send(INTERNAL_ERROR)
            peer.close()


class OtherCertificateWithoutSni(Scripted):
    """The right certificate to a ClientHello with SNI, a self-signed one to all others."""

    async def handshake(self, peer: Peer) -> None:
        named = _names_host(await peer.hello(), peer)
        kind = self.certificate if named else CertificateKind.SELF_SIGNED
        await peer.start_tls(peer.context(kind, self.tls))


def _names_host(hello: bytes, peer: Peer) -> bool:
    """Whether *hello* has the host's name in it: only the SNI can. RFC 6066 §3."""
    return peer.name.encode() in hello
