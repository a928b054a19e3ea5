"""Servers that speak SMTP and TLS as the RFCs ask, and differ in TLS version or certificate."""

from prober.lab.certificates import CertificateKind
from prober.lab.personalities.scripted import Scripted
from prober.lab.tls import (
    TLS10_ONLY,
    TLS12_ONLY,
)


class WellConfigured(Scripted):
    """TLS 1.2 and 1.3, a certificate that is right in every respect."""


class Tls12Only(Scripted):
    """TLS 1.2 and nothing newer."""

    tls = TLS12_ONLY


class Tls10Only(Scripted):
    """TLS 1.0, historic since RFC 8996."""

    tls = TLS10_ONLY


class SelfSigned(Scripted):
    """A certificate that signs itself."""

    certificate = CertificateKind.SELF_SIGNED


class Expired(Scripted):
    """A certificate whose time is over."""

    certificate = CertificateKind.EXPIRED


class WrongName(Scripted):
    """A certificate for another host."""

    certificate = CertificateKind.WRONG_NAME


class CnOnly(Scripted):
    """A name in the subject only, which counts for nothing. RFC 9525 §2."""

    certificate = CertificateKind.CN_ONLY


class Wildcard(Scripted):
    """A name by wildcard, which is valid. RFC 9525 §6.3."""

    certificate = CertificateKind.WILDCARD


class MissingIntermediate(Scripted):
    """The leaf alone: browsers would fetch the rest, mail servers do not."""

    certificate = CertificateKind.MISSING_INTERMEDIATE


class WeakKey(Scripted):
    """An RSA key of 1024 bits."""

    certificate = CertificateKind.WEAK_KEY
