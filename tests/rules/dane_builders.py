"""Chains, TLSA records and hosts for tests of DANE; a CA here has the extensions it needs."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import ObjectIdentifier

from prober.records import Dnssec, MxHost, TlsaRecord
from prober.rules.der import read_outline, split
from tests.rules.certificates import HOST, NOW, Issued, common_name, ec_key, forge, rdn, spki, tlv

DOMAIN = "example.com"
ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
CA = x509.BasicConstraints(ca=True, path_length=None)
CA_OF_LEAVES = x509.BasicConstraints(ca=True, path_length=0)
NO_CA = x509.BasicConstraints(ca=False, path_length=None)
MAY_SIGN = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
MAY_NOT_SIGN = x509.KeyUsage(True, False, False, False, False, False, False, False, False)


def purposes(*oids: ObjectIdentifier) -> x509.ExtendedKeyUsage:
    return x509.ExtendedKeyUsage(oids)


def certify(
    subject: str,
    *extensions: x509.ExtensionType,
    by: Issued | None = None,
    lives: tuple[int, int] = (-30, 60),
    key: CertificateIssuerPrivateKeyTypes | None = None,
) -> Issued:
    """A certificate signed *by* another or by itself, living from and until days around NOW."""
    key = key or ec_key(subject)
    builder = (
        x509.CertificateBuilder()
        .subject_name(common_name(subject))
        .issuer_name(by.certificate.subject if by else common_name(subject))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=lives[0]))
        .not_valid_after(NOW + timedelta(days=lives[1]))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=isinstance(extension, type(CA)))
    signer = by.key if by else key
    has_digest = isinstance(signer, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    return Issued(builder.sign(signer, hashes.SHA256() if has_digest else None), key)


def authority(subject: str, *extensions: x509.ExtensionType, **options: Any) -> Issued:
    """A CA."""
    return certify(subject, CA, MAY_SIGN, *extensions, **options)


def version_1_root(name: str) -> Issued:
    """A root without extensions, of which cryptography makes none: written and signed by hand."""
    key = ec_key(name)
    draft = forge(
        version=b"",
        subject=rdn(name.encode()),
        issuer=rdn(name.encode()),
        public_key=spki(key),
        algorithm=ECDSA_SHA256,
    )
    signed = split(split(draft)[0][0].content)[0][0].encoded
    signature = key.sign(signed, ec.ECDSA(hashes.SHA256()))
    der = tlv(0x30, signed, ECDSA_SHA256, tlv(0x03, b"\0", signature))
    return Issued(x509.load_der_x509_certificate(der), key)


def leaf(
    by: Issued | None = None,
    *extensions: x509.ExtensionType,
    names: tuple[str, ...] = (HOST,),
    **options: Any,
) -> Issued:
    """A server's certificate for *names*."""
    san = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    extensions = (san, *extensions) if names else extensions
    return certify("leaf", *extensions, by=by, **options)


def tlsa(usage: int, selector: int, matching_type: int, of: Issued | bytes) -> TlsaRecord:
    """The record of these numbers for a certificate; what a number does not mean is in full."""
    data = of if isinstance(of, bytes) else of.der
    if selector == 1 and (outline := read_outline(data)) is not None:
        data = outline.spki
    digest = {1: hashlib.sha256, 2: hashlib.sha512}.get(matching_type)
    if digest is not None:
        data = digest(data).digest()
    return record(usage, selector, matching_type, data)


def record(usage: int, selector: int, matching_type: int, data: bytes) -> TlsaRecord:
    """A record with whatever data is asked for."""
    return TlsaRecord(usage=usage, selector=selector, matching_type=matching_type, data=data)


def host(*records: TlsaRecord, **fields: Any) -> MxHost:
    """An MX host with secure addresses and, unless *fields* say else, secure TLSA *records*."""
    secure = MxHost(
        name=HOST,
        preference=10,
        addresses=("192.0.2.1",),
        dnssec=Dnssec.SECURE,
        tlsa=records,
        tlsa_base=HOST,
        tlsa_dnssec=Dnssec.SECURE,
    )
    return replace(secure, **fields)
