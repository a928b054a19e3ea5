"""Server-side TLS settings, and the pyOpenSSL contexts made from them.

pyOpenSSL uses the OpenSSL in the ``cryptography`` wheel. At security level 0 it supports TLS 1.0
to 1.3, whatever the distribution allows.
"""

from dataclasses import dataclass

from OpenSSL import SSL

from prober.lab.certificates import CertificateKind, LabCa, ServerCertificate


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsProfile:
    """What a server accepts in a handshake."""

    lowest: int = SSL.TLS1_2_VERSION
    highest: int = SSL.TLS1_3_VERSION
    ciphers: bytes = b"DEFAULT:@SECLEVEL=0"  # for TLS 1.2 and older
    client_certificate: int = SSL.VERIFY_NONE  # VERIFY_PEER requests one
    second_certificate: CertificateKind | None = None  # with a key of another kind


def only(version: int) -> TlsProfile:
    """A profile with one TLS version."""
    return TlsProfile(lowest=version, highest=version)


MODERN = TlsProfile()
TLS13_ONLY = only(SSL.TLS1_3_VERSION)
TLS12_ONLY = only(SSL.TLS1_2_VERSION)
TLS11_ONLY = only(SSL.TLS1_1_VERSION)
TLS10_ONLY = only(SSL.TLS1_VERSION)
RSA_KEY_EXCHANGE = TlsProfile(highest=SSL.TLS1_2_VERSION, ciphers=b"kRSA:@SECLEVEL=0")
ANONYMOUS = TlsProfile(highest=SSL.TLS1_2_VERSION, ciphers=b"aNULL:@SECLEVEL=0")
ASKS_CLIENT = TlsProfile(client_certificate=SSL.VERIFY_PEER)
NEEDS_CLIENT = TlsProfile(
    lowest=SSL.TLS1_3_VERSION,
    client_certificate=SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT,
)


class Keyring:
    """The TLS contexts of one host. Each is made once, so a session makes no key and no context."""

    def __init__(self, name: str, ca: LabCa) -> None:
        self._name = name
        self._ca = ca
        self._contexts: dict[tuple[CertificateKind, TlsProfile], SSL.Context] = {}
        self._certificates: dict[CertificateKind, ServerCertificate] = {}

    def certificate(self, kind: CertificateKind) -> ServerCertificate:
        """The host's certificate of *kind*; the same one each time."""
        if kind not in self._certificates:
            self._certificates[kind] = self._ca.issue(kind, self._name)
        return self._certificates[kind]

    def context(self, kind: CertificateKind, profile: TlsProfile) -> SSL.Context:
        """The context that uses a certificate of *kind* under *profile*."""
        if (kind, profile) not in self._contexts:
            self._contexts[kind, profile] = self._make(kind, profile)
        return self._contexts[kind, profile]

    def _make(self, kind: CertificateKind, profile: TlsProfile) -> SSL.Context:
        certificates = [self.certificate(kind)]
        if profile.second_certificate is not None:
            certificates.append(self.certificate(profile.second_certificate))
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(profile.lowest)
        context.set_max_proto_version(profile.highest)
        context.set_cipher_list(profile.ciphers)
        context.set_verify(profile.client_certificate, _accept_any)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        for certificate in certificates:
            context.use_certificate(certificate.leaf)
            context.use_privatekey(certificate.key)
        for issuer in certificates[0].chain[1:]:  # of both
            context.add_extra_chain_cert(issuer)
        return context


def _accept_any(*_: object) -> bool:
    return True
