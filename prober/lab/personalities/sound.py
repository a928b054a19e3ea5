"""Servers that follow the RFCs, with different TLS versions and certificates."""

from prober.lab.certificates import CertificateKind
from prober.lab.dhe import PRIME_1024, DheConnection
from prober.lab.peer import Peer
from prober.lab.personalities.scripted import Scripted
from prober.lab.tls import (
    ASKS_CLIENT,
    RSA_KEY_EXCHANGE,
    TLS10_ONLY,
    TLS11_ONLY,
    TLS12_ONLY,
    TLS13_ONLY,
)


class WellConfigured(Scripted):
    """TLS 1.2 and 1.3, and a correct certificate."""


class Tls13Only(Scripted):
    """Only TLS 1.3."""

    tls = TLS13_ONLY


class Tls12Only(Scripted):
    """Only TLS 1.2."""

    tls = TLS12_ONLY


class Tls11Only(Scripted):
    """Only TLS 1.1, historic since RFC 8996."""

    tls = TLS11_ONLY


class Tls10Only(Scripted):
    """Only TLS 1.0, historic since RFC 8996."""

    tls = TLS10_ONLY


class RsaKeyExchange(Scripted):
    """TLS 1.2 without forward secrecy: no key-exchange group. RFC 9325 §4.1."""

    certificate = CertificateKind.RSA
    tls = RSA_KEY_EXCHANGE


class WeakDh(Scripted):
    """TLS 1.2 with a Diffie-Hellman group of 1024 bits. RFC 9325 §4.5."""

    certificate = CertificateKind.RSA

    async def handshake(self, peer: Peer) -> None:
        await peer.run_tls(DheConnection(peer.certificate(self.certificate), PRIME_1024))


class AsksClientCertificate(Scripted):
    """Requests a client certificate, and accepts a client without one, as many MTAs do."""

    tls = ASKS_CLIENT


class SelfSigned(Scripted):
    """A self-signed certificate."""

    certificate = CertificateKind.SELF_SIGNED


class Expired(Scripted):
    """An expired certificate."""

    certificate = CertificateKind.EXPIRED


class NotYetValid(Scripted):
    """A certificate that is not valid yet."""

    certificate = CertificateKind.NOT_YET_VALID


class WrongName(Scripted):
    """A certificate for another host."""

    certificate = CertificateKind.WRONG_NAME


class CnOnly(Scripted):
    """A certificate with the name in the subject only, which does not count. RFC 9525 §2."""

    certificate = CertificateKind.CN_ONLY


class Wildcard(Scripted):
    """A wildcard certificate, which is valid. RFC 9525 §6.3."""

    certificate = CertificateKind.WILDCARD


class PartialWildcard(Scripted):
    """A wildcard inside a label. RFC 9525 §6.3 forbids it, but some senders accept it."""

    certificate = CertificateKind.PARTIAL_WILDCARD


class MissingIntermediate(Scripted):
    """Sends the leaf only. Browsers would fetch the intermediate, mail servers do not."""

    certificate = CertificateKind.MISSING_INTERMEDIATE


class MisorderedChain(Scripted):
    """The right certificates in the wrong order."""

    certificate = CertificateKind.MISORDERED


class WeakSignature(Scripted):
    """A leaf signed with SHA-1."""

    certificate = CertificateKind.WEAK_SIGNATURE


class WeakKey(Scripted):
    """An RSA key of 1024 bits."""

    certificate = CertificateKind.WEAK_KEY


class MalformedSan(Scripted):
    """A subjectAltName with the right name, and an entry that cannot be parsed."""

    certificate = CertificateKind.MALFORMED_SAN
