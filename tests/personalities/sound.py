"""Servers that speak SMTP and TLS as the RFCs ask, and differ in TLS version or certificate."""

from prober.lab.certificates import CertificateKind
from prober.lab.dhe import PRIME_1024, PRIME_2048, DheConnection
from prober.lab.peer import Peer
from prober.lab.personalities.scripted import Scripted
from prober.lab.tls import (
    ASKS_CLIENT,
    RSA_KEY_EXCHANGE,
    TLS11_ONLY,
    TLS13_ONLY,
)


class Tls13Only(Scripted):
    """Only TLS 1.3."""

    tls = TLS13_ONLY


class Tls11Only(Scripted):
    """Only TLS 1.1, historic since RFC 8996."""

    tls = TLS11_ONLY


class RsaKeyExchange(Scripted):
    """TLS 1.2 without forward secrecy: no key-exchange group. RFC 9325 §4.1."""

    certificate = CertificateKind.RSA
    tls = RSA_KEY_EXCHANGE


class WeakDh(Scripted):
    """TLS 1.2 with a Diffie-Hellman group of 1024 bits. RFC 9325 §4.5."""

    certificate = CertificateKind.RSA

    async def handshake(self, peer: Peer) -> None:
        await peer.run_tls(DheConnection(peer.certificate(self.certificate), PRIME_1024))


class NoSecureRenegotiation(Scripted):
    """TLS 1.2 without the extension of RFC 5746, which OpenSSL 3 requires."""

    certificate = CertificateKind.RSA

    async def handshake(self, peer: Peer) -> None:
        certificate = peer.certificate(self.certificate)
        await peer.run_tls(DheConnection(certificate, PRIME_2048, renegotiation_info=False))


class AsksClientCertificate(Scripted):
    """Requests a client certificate, and accepts a client without one, as many MTAs do."""

    tls = ASKS_CLIENT


class NoSigning(Scripted):
    """A key usage without digitalSignature, which GnuTLS refuses. RFC 8446 §4.4.2.2."""

    certificate = CertificateKind.NO_SIGNING


class NotYetValid(Scripted):
    """A certificate that is not valid yet."""

    certificate = CertificateKind.NOT_YET_VALID


class PartialWildcard(Scripted):
    """A wildcard inside a label. RFC 9525 §6.3 forbids it, but some senders accept it."""

    certificate = CertificateKind.PARTIAL_WILDCARD


class MisorderedChain(Scripted):
    """The right certificates in the wrong order."""

    certificate = CertificateKind.MISORDERED


class WeakSignature(Scripted):
    """A leaf signed with SHA-1."""

    certificate = CertificateKind.WEAK_SIGNATURE


class MalformedSan(Scripted):
    """A subjectAltName with the right name, and an entry that cannot be parsed."""

    certificate = CertificateKind.MALFORMED_SAN
