"""Certificates for the lab: good ones, and one for each fault that a prober must recognise.

trustme makes those that a CA would sign, ``cryptography`` the others. Keys are EC P-256, which is
fast, unless the kind needs another key.
"""

import enum
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtensionOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

# a spreadsheet formula, a colour, a bell, a tab, and right-to-left text
HOSTILE_TEXT = "=cmd|' /C calc'!A0\x1b[31m\x07\t\N{RIGHT-TO-LEFT OVERRIDE}"

_VALID_DAYS = (-30, 60)  # first and last day, relative to today
_EXPIRED_DAYS = (-400, -10)
_KEY_ENCIPHERMENT = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=True,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
MAX_ISSUED = 4096  # more than any test needs; benchmarks have many more hosts

_SHA256_WITH_RSA = bytes.fromhex("2a864886f70d01010b")
_SHA1_WITH_RSA = bytes.fromhex(
    "2a864886f70d010105"
)  # the same length, so no surrounding length changes


class CertificateKind(enum.StrEnum):
    """What is right or wrong with a certificate, or with the chain that the server sends."""

    GOOD = "good"
    RSA = "rsa"  # good, with a key of 2048 bits
    EXPIRED = "expired"
    EXPIRED_RSA = "expired-rsa"
    NOT_YET_VALID = "not-yet-valid"
    WRONG_NAME = "wrong-name"
    WILDCARD = "wildcard"
    PARTIAL_WILDCARD = "partial-wildcard"  # a wildcard that is part of a label
    SELF_SIGNED = "self-signed"
    CN_ONLY = "cn-only"  # without subjectAltName
    WEAK_KEY = "weak-key"  # RSA 1024
    WEAK_SIGNATURE = "weak-signature"  # sha1WithRSAEncryption on the leaf
    NO_SIGNING = "no-signing"  # RSA, with a key usage of keyEncipherment only
    MALFORMED_SAN = "malformed-san"  # an iPAddress of five bytes beside the right name
    HOSTILE_SUBJECT = "hostile-subject"
    MISSING_INTERMEDIATE = "missing-intermediate"
    MISORDERED = "misordered"  # leaf, root, intermediate


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """A private key, and the chain to send, leaf first."""

    key: Key
    chain: tuple[x509.Certificate, ...]

    @property
    def leaf(self) -> x509.Certificate:
        """The server's own certificate."""
        return self.chain[0]


class LabCa:
    """A root CA and an intermediate. It issues one certificate per kind and name.

    The last MAX_ISSUED certificates are cached.
    """

    def __init__(self) -> None:
        self._root = trustme.CA(organization_name="Lab Root CA")
        self._intermediate = self._root.create_child_ca()
        self._issued: dict[tuple[CertificateKind, str], ServerCertificate] = {}

    @property
    def root(self) -> x509.Certificate:
        """The trust anchor."""
        return _certificate(self._root.cert_pem)

    @property
    def intermediate(self) -> x509.Certificate:
        """The CA certificate that signs the leaves."""
        return _certificate(self._intermediate.cert_pem)

    def write_pem(self, path: Path) -> None:
        """Write the root certificate to a file for ``--ca-file``."""
        self._root.cert_pem.write_to_path(str(path))

    def issue(self, kind: CertificateKind, name: str) -> ServerCertificate:
        """The certificate of *kind* for the MX host *name*."""
        if (kind, name) not in self._issued:
            if len(self._issued) >= MAX_ISSUED:
                del self._issued[next(iter(self._issued))]
            self._issued[kind, name] = self._make(kind, name)
        return self._issued[kind, name]

    def _make(self, kind: CertificateKind, name: str) -> ServerCertificate:
        match kind:
            case CertificateKind.GOOD if "_" in name:  # trustme refuses a name with an underscore
                return self._crafted(_ec_key(), name, _san(name))
            case CertificateKind.GOOD:
                return self._ordinary(name)
            case CertificateKind.RSA:
                key = rsa.generate_private_key(65537, 2048)
                return self._crafted(key, name, _san(name))
            case CertificateKind.EXPIRED:
                return self._ordinary(name, days=_EXPIRED_DAYS)
            case CertificateKind.EXPIRED_RSA:
                key = rsa.generate_private_key(65537, 2048)
                return self._crafted(key, name, _san(name), _EXPIRED_DAYS)
            case CertificateKind.NOT_YET_VALID:
                return self._ordinary(name, days=(10, 400))
            case CertificateKind.WRONG_NAME:
                return self._ordinary("another-host.invalid")
            case CertificateKind.WILDCARD:
                return self._ordinary("*." + name.partition(".")[2])
            case CertificateKind.PARTIAL_WILDCARD:
                return self._crafted(_ec_key(), "partial wildcard", _san("*" + name[1:]))
            case CertificateKind.SELF_SIGNED:
                return _self_signed(name)
            case CertificateKind.CN_ONLY:
                return self._crafted(_ec_key(), name, None)
            case CertificateKind.WEAK_KEY:
                key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - weak by intent
                return self._crafted(key, name, _san(name))
            case CertificateKind.WEAK_SIGNATURE:
                return self._signed_with_sha1(name)
            case CertificateKind.NO_SIGNING:
                key = rsa.generate_private_key(65537, 2048)
                return self._crafted(key, name, _san(name), more=(_KEY_ENCIPHERMENT,))
            case CertificateKind.MALFORMED_SAN:
                return self._crafted(_ec_key(), name, _malformed_san(name))
            case CertificateKind.HOSTILE_SUBJECT:
                return self._crafted(_ec_key(), HOSTILE_TEXT + "\r\n", _san(name))
            case CertificateKind.MISSING_INTERMEDIATE:
                good = self._ordinary(name)
                return ServerCertificate(good.key, good.chain[:1])
            case CertificateKind.MISORDERED:
                good = self._ordinary(name)
                return ServerCertificate(good.key, (good.leaf, self.root, *good.chain[1:]))

    def _ordinary(self, name: str, days: tuple[int, int] = _VALID_DAYS) -> ServerCertificate:
        if "_" in name:  # trustme refuses such a name
            return self._crafted(_ec_key(), "underscore", _san(name), days)
        not_before, not_after = _dates(*days)
        issued = self._intermediate.issue_cert(name, not_before=not_before, not_after=not_after)
        chain = tuple(_certificate(pem) for pem in issued.cert_chain_pems)
        return ServerCertificate(_private_key(issued.private_key_pem), chain)

    def _crafted(
        self,
        key: Key,
        subject: str,
        san: x509.ExtensionType | None,
        days: tuple[int, int] = _VALID_DAYS,
        more: tuple[x509.ExtensionType, ...] = (),
    ) -> ServerCertificate:
        builder = _leaf(key, subject, san, days).issuer_name(self.intermediate.subject)
        for extension in more:
            builder = builder.add_extension(extension, critical=True)
        leaf = builder.sign(_private_key(self._intermediate.private_key_pem), hashes.SHA256())
        return ServerCertificate(key, (leaf, self.intermediate))

    def _signed_with_sha1(self, name: str) -> ServerCertificate:
        """``cryptography`` refuses SHA-1, so sign with SHA-256 and replace the signature."""
        issuer = self._root.create_child_ca(key_type=trustme.KeyType.RSA)
        issuer_key = load_pem_private_key(issuer.private_key_pem.bytes(), None)
        if not isinstance(issuer_key, rsa.RSAPrivateKey):
            raise TypeError("trustme made no RSA key")
        issuer_certificate = _certificate(issuer.cert_pem)
        key = _ec_key()
        builder = _leaf(key, name, _san(name)).issuer_name(issuer_certificate.subject)
        forged = _as_sha1(builder.sign(issuer_key, hashes.SHA256()), issuer_key)
        return ServerCertificate(key, (forged, issuer_certificate))


def _as_sha1(certificate: x509.Certificate, issuer_key: rsa.RSAPrivateKey) -> x509.Certificate:
    signed = certificate.tbs_certificate_bytes.replace(_SHA256_WITH_RSA, _SHA1_WITH_RSA)
    signature = issuer_key.sign(signed, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303
    der = certificate.public_bytes(Encoding.DER).replace(_SHA256_WITH_RSA, _SHA1_WITH_RSA)
    return x509.load_der_x509_certificate(der.replace(certificate.signature, signature))


def _leaf(
    key: Key, subject: str, san: x509.ExtensionType | None, days: tuple[int, int] = _VALID_DAYS
) -> x509.CertificateBuilder:
    not_before, not_after = _dates(*days)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_common_name(subject))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
    return builder if san is None else builder.add_extension(san, critical=False)


def _self_signed(name: str) -> ServerCertificate:
    key = _ec_key()
    builder = _leaf(key, name, _san(name)).issuer_name(_common_name(name))
    return ServerCertificate(key, (builder.sign(key, hashes.SHA256()),))


def _common_name(text: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, text[:64])]
    )  # maximum of a CN: RFC 5280 ub-common-name


def _san(name: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.DNSName(name)])


def _malformed_san(name: str) -> x509.UnrecognizedExtension:
    good = b"\x82" + _der_length(len(name)) + name.encode()
    bad = b"\x87\x05\x7f\x00\x00\x01\x00"  # an iPAddress has 4 or 16 bytes: RFC 5280 §4.2.1.6
    body = good + bad
    return x509.UnrecognizedExtension(
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"\x30" + _der_length(len(body)) + body
    )


def _der_length(length: int) -> bytes:
    if length < 128:
        return bytes([length])
    body = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(body)]) + body


def _dates(first: int, last: int) -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    return now + timedelta(days=first), now + timedelta(days=last)


def _ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _certificate(pem: trustme.Blob) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.bytes())


def _private_key(pem: trustme.Blob) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(pem.bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("trustme made no EC key")
    return key
