"""Servers that do well with modern senders, and accept more than that. Only ``--deep`` sees it."""

from OpenSSL import SSL

from prober.lab.certificates import CertificateKind
from prober.lab.personalities.scripted import Scripted
from prober.lab.tls import TlsProfile


class OldTlsToo(Scripted):
    """TLS 1.3, and everything older down to TLS 1.0."""

    tls = TlsProfile(lowest=SSL.TLS1_VERSION)


class NullSuitesToo(Scripted):
    """Good cipher suites, and in TLS 1.2 also those that do not encrypt. RFC 9325 §4.1."""

    tls = TlsProfile(ciphers=b"HIGH:eNULL:!aNULL:!PSK:@SECLEVEL=0")


class ExpiredRsaToo(Scripted):
    """A good ECDSA certificate, and an RSA certificate that has expired."""

    tls = TlsProfile(second_certificate=CertificateKind.EXPIRED_RSA)
