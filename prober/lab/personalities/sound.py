"""Servers that follow the RFCs, with different TLS versions and certificates."""

from prober.lab.certificates import CertificateKind
from prober.lab.personalities.scripted import Scripted
from prober.lab.tls import (
    TLS10_ONLY,
    TLS12_ONLY,
)


class WellConfigured(Scripted):
    """TLS 1.2 and 1.3, and a correct certificate."""


class Tls12Only(Scripted):
    """Only TLS 1.2."""

    tls = TLS12_ONLY


class Tls10Only(Scripted):
    """Only TLS 1.0, historic since RFC 8996."""

    tls = TLS10_ONLY


class SelfSigned(Scripted):
    """A self-signed certificate."""

    certificate = CertificateKind.SELF_SIGNED


class Expired(Scripted):
    """An expired certificate."""

    certificate = CertificateKind.EXPIRED


class WrongName(Scripted):
    """A certificate for another host."""

    certificate = CertificateKind.WRONG_NAME


class CnOnly(Scripted):
    """A certificate with the name in the subject only, which does not count. RFC 9525 §2."""

    certificate = CertificateKind.CN_ONLY


class Wildcard(Scripted):
    """A wildcard certificate, which is valid. RFC 9525 §6.3."""

    certificate = CertificateKind.WILDCARD


class MissingIntermediate(Scripted):
    """Sends the leaf only. Browsers would fetch the intermediate, mail servers do not."""

    certificate = CertificateKind.MISSING_INTERMEDIATE


class WeakKey(Scripted):
    """An RSA key of 1024 bits."""

    certificate = CertificateKind.WEAK_KEY
