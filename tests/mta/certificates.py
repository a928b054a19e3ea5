"""Certificates for the mail servers under test: good ones, and ones with a single named fault.

RFC 5280 for dates and issuers, RFC 9525 for names. Revocation is left out.
"""

import datetime as dt
import enum
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

OTHER_HOST_NAME = "mx.somebody-else.test"


class CertificateFault(enum.StrEnum):
    """The one thing that is wrong with a bad certificate."""

    EXPIRED = "expired"  # ended yesterday; issuer and name are right
    SELF_SIGNED = "self-signed"  # dates and name are right
    WRONG_NAME = "wrong-name"  # names OTHER_HOST_NAME only; dates and issuer are right


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCertificate:
    """A chain as a server is to send it, without the root, and the key of its leaf."""

    chain_pem: bytes  # leaf first
    key_pem: bytes

    @property
    def chain_der(self) -> tuple[bytes, ...]:
        """The chain as DER, leaf first."""
        return tuple(
            certificate.public_bytes(serialization.Encoding.DER)
            for certificate in x509.load_pem_x509_certificates(self.chain_pem)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MtaCa:
    """A root that only these tests trust, and an intermediate that issues every leaf."""

    pem: Path  # the root alone
    intermediate: trustme.CA

    def issue(
        self, host_name: str, *, fault: CertificateFault | None, key_type: trustme.KeyType
    ) -> IssuedCertificate:
        """Issue a certificate for *host_name* with that fault; ``None`` is a good one."""
        if fault is CertificateFault.SELF_SIGNED:
            return _self_sign(host_name)
        yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
        leaf = self.intermediate.issue_cert(
            OTHER_HOST_NAME if fault is CertificateFault.WRONG_NAME else host_name,
            not_after=yesterday if fault is CertificateFault.EXPIRED else None,
            key_type=key_type,
        )
        return IssuedCertificate(
            chain_pem=b"".join(blob.bytes() for blob in leaf.cert_chain_pems),
            key_pem=leaf.private_key_pem.bytes(),
        )


def make_mta_ca(folder: Path) -> MtaCa:
    """Make a root and an intermediate, and write the root to *folder*."""
    root = trustme.CA()
    pem = folder / "ca.pem"
    root.cert_pem.write_to_path(str(pem))
    return MtaCa(pem=pem, intermediate=root.create_child_ca())


def _self_sign(host_name: str) -> IssuedCertificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host_name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host_name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return IssuedCertificate(
        chain_pem=certificate.public_bytes(serialization.Encoding.PEM),
        key_pem=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
