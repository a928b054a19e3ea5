"""Builders of facts and certificates: good ones with `cryptography`, odd ones byte by byte."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import NameOID

from prober.records import (
    Anomaly,
    AnomalyKind,
    Answer,
    Certificate,
    Endpoint,
    EndpointFacts,
    Finding,
    TrustStore,
    VerifyError,
)
from prober.rules.certificate import (
    certificate_findings,
    judge_authenticity,
    judge_certificate,
    judge_path_strength,
)
from prober.rules.certificate_fields import ReadCertificate, read_certificate
from prober.rules.identity import SanNames

HOST = "mx.example.com"
NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
TRUST = TrustStore(source="test", certificates=1, sha256=None)
NO_TRUST = TrustStore(source=None, certificates=0, sha256=None)

SAN_OID = bytes.fromhex("0603551d11")
SHA1_RSA = bytes.fromhex("300d06092a864886f70d0101050500")
SHA256_RSA = bytes.fromhex("300d06092a864886f70d01010b0500")


@dataclass(frozen=True)
class Issued:
    certificate: x509.Certificate
    key: CertificateIssuerPrivateKeyTypes

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)


@functools.cache
def ec_key(label: str = "leaf") -> ec.EllipticCurvePrivateKey:
    """A key, the same for the same *label*."""
    return ec.generate_private_key(ec.SECP256R1())


@functools.cache
def rsa_1024() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)  # noqa: S505  # the weak key that tests ask for


def common_name(value: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, value)])


def issue(
    name: str = HOST,
    *,
    by: Issued | None = None,
    issuer: str | None = None,
    san: Iterable[str] | None = (HOST,),
    lives: tuple[int, int] = (-30, 60),
    key: CertificateIssuerPrivateKeyTypes | None = None,
) -> Issued:
    """A certificate signed *by* another or by itself, living from and until days around NOW."""
    key = key or ec_key(name)
    signer = by or Issued(None, key)  # type: ignore[arg-type]  # it signs before it exists
    if issuer is None:
        issuer_name = by.certificate.subject if by else common_name(name)
    else:
        issuer_name = common_name(issuer)
    builder = (
        x509.CertificateBuilder()
        .subject_name(common_name(name))
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(0xABC)
        .not_valid_before(NOW + timedelta(days=lives[0]))
        .not_valid_after(NOW + timedelta(days=lives[1]))
    )
    if san is not None:
        names = [x509.DNSName(each) for each in san]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    digest = None if _has_own_digest(signer.key) else hashes.SHA256()
    return Issued(builder.sign(signer.key, digest), key)


def _has_own_digest(key: CertificateIssuerPrivateKeyTypes) -> bool:
    return not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)


def tlv(tag: int, *content: bytes) -> bytes:
    """DER: tag, length and what is inside."""
    body = b"".join(content)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + body


def dns(*names: bytes) -> bytes:
    """GeneralNames of nothing but dNSNames."""
    return tlv(0x30, *(tlv(0x82, name) for name in names))


def extension(oid: bytes, value: bytes, *, critical: bytes = b"") -> bytes:
    return tlv(0x30, oid, critical, tlv(0x04, value))


def san_extension(*names: bytes) -> bytes:
    return extension(SAN_OID, dns(*names))


def rdn(value: bytes, *, tag: int = 0x0C) -> bytes:
    """A distinguished name of one common name."""
    return tlv(0x30, tlv(0x31, tlv(0x30, bytes.fromhex("0603550403"), tlv(tag, value))))


def spki(key: CertificateIssuerPrivateKeyTypes) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def rsa_spki(bits: int) -> bytes:
    """An RSA public key of a size that nobody generates any more; its modulus is no product."""
    modulus = tlv(0x02, b"\0", ((1 << (bits - 1)) | 1).to_bytes(bits // 8))
    numbers = tlv(0x30, modulus, tlv(0x02, b"\1\0\1"))
    algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
    return tlv(0x30, algorithm, tlv(0x03, b"\0", numbers))


def dsa_spki(bits: int) -> bytes:
    """A DSA public key of any size; its numbers are not of the form that DSA asks for."""
    p, q = ((1 << (size - 1)) | 1 for size in (bits, 160))
    numbers = [tlv(0x02, b"\0", each.to_bytes((each.bit_length() + 7) // 8)) for each in (p, q)]
    parameters = tlv(0x30, *numbers, tlv(0x02, b"\2"))
    algorithm = tlv(0x30, bytes.fromhex("06072a8648ce380401"), parameters)
    return tlv(0x30, algorithm, tlv(0x03, b"\0", tlv(0x02, b"\3")))


def forge(
    *extensions: bytes,
    subject: bytes | None = None,
    issuer: bytes | None = None,
    public_key: bytes | None = None,
    algorithm: bytes = SHA256_RSA,
    serial: bytes = b"\x01",
    not_before: bytes = b"251201000000Z",
    not_after: bytes = b"260301000000Z",
    version: bytes = bytes.fromhex("a003020102"),
    validity: bytes | None = None,
) -> bytes:
    """A certificate in DER with whatever is asked for, and a signature of nothing."""
    signed = tlv(
        0x30,
        version,
        tlv(0x02, serial),
        algorithm,
        issuer if issuer is not None else rdn(b"Test CA"),
        validity
        if validity is not None
        else tlv(0x30, tlv(0x17, not_before), tlv(0x17, not_after)),
        subject if subject is not None else rdn(HOST.encode()),
        public_key if public_key is not None else spki(ec_key()),
        tlv(0xA3, tlv(0x30, *extensions)) if extensions else b"",
    )
    return tlv(0x30, signed, algorithm, tlv(0x03, b"\0\0"))


def facts_of(
    *chain: bytes | Issued,
    errors: Iterable[tuple[int, int]] = (),
    path: tuple[int, ...] = (),
    mx_host: str = HOST,
    tls_version: str | None = "TLSv1.3",
    truncated: bool = False,
) -> EndpointFacts:
    """Facts of an endpoint that sent *chain*; *errors* are pairs of depth and X509_V_ERR code."""
    cut = Anomaly(kind=AnomalyKind.CHAIN_TRUNCATED)
    return EndpointFacts(
        mx_host=mx_host,
        address="192.0.2.1",
        port=25,
        observed_at=NOW,
        tls_version=tls_version,
        chain=tuple(each if isinstance(each, bytes) else each.der for each in chain),
        path=path,
        verify_errors=tuple(
            VerifyError(depth=depth, code=code, text=f"error {code}") for depth, code in errors
        ),
        anomalies=(cut,) if truncated else (),
    )


def read_san(certificate: bytes) -> SanNames | None:
    return read_certificate(certificate).san


def read_chain(facts: EndpointFacts) -> tuple[ReadCertificate, ...]:
    return tuple(map(read_certificate, facts.chain))


def judge_leaf(
    facts: EndpointFacts, *, now: datetime = NOW, trust: TrustStore = TRUST
) -> Certificate | None:
    chain = read_chain(facts)
    return judge_certificate(facts, chain[0], now=now, trust=trust) if chain else None


def is_authentic(facts: EndpointFacts, certificate: Certificate | None) -> Answer:
    strength = judge_path_strength(facts, read_chain(facts))
    return judge_authenticity(facts, certificate, strength)


def findings_on(endpoint: Endpoint, *, now: datetime = NOW) -> tuple[Finding, ...]:
    return certificate_findings(endpoint, read_chain(endpoint), now=now)


def endpoint_of(
    facts: EndpointFacts, *, trust: TrustStore = TRUST, now: datetime = NOW
) -> Endpoint:
    """The endpoint that *facts* become once their certificate is judged."""
    return Endpoint(
        mx_host=facts.mx_host,
        address=facts.address,
        port=facts.port,
        observed_at=facts.observed_at,
        tls_version=facts.tls_version,
        chain=facts.chain,
        path=facts.path,
        verify_errors=facts.verify_errors,
        anomalies=facts.anomalies,
        certificate=judge_leaf(facts, now=now, trust=trust),
    )
