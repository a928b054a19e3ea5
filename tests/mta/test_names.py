"""OpenSSL and GnuTLS are the judges of which names senders take: Postfix and Exim verify by them.

Postfix sets OpenSSL to take no wildcard within a label; test_policy.py has Postfix itself.
"""

import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtensionOID, NameOID

from prober.records import Answer
from prober.rules.identity import acceptance
from tests.rules.certificates import dns

NAMES = (
    ("mx.example.com", "mx.example.com"),
    ("MX.Example.COM", "mx.example.com"),
    ("mx_1.example.com", "mx_1.example.com"),
    ("mx.e_x.example", "mx.e_x.example"),
    ("*.example.com", "mx.example.com"),
    ("*.EXAMPLE.com", "mx.example.com"),
    ("*.example.com", "1-2.example.com"),
    ("*.example.com", "xn--bcher-kva.example.com"),
    ("*.xn--bcher-kva.example", "mx.xn--bcher-kva.example"),
    ("*.co.uk", "mx.co.uk"),
    ("*.example.com", "mx_1.example.com"),
    ("*.example.com", "_mx.example.com"),
    ("*.e_x.example", "mx.e_x.example"),
    ("*.-e.example", "mx.-e.example"),
    ("*.e-.example", "mx.e-.example"),
    ("f*.example.com", "foo.example.com"),
    ("*o.example.com", "foo.example.com"),
    ("xn--*.example.com", "xn--bcher-kva.example.com"),
    ("bücher.example", "xn--bcher-kva.example"),
    ("*.example", "mx.example"),
    ("*", "mx"),
    ("*", "mx.example.com"),
    ("*.example.com", "a.mx.example.com"),
    ("*.example.com", "example.com"),
    ("mx.*.com", "mx.example.com"),
    ("*.*.com", "mx.example.com"),
    ("mx.example.com.", "mx.example.com"),
    ("*.example.com.", "mx.example.com"),
    (".example.com", "mx.example.com"),
    ("mx.example.com\0", "mx.example.com"),
    ("mx.example.com\0.evil.test", "mx.example.com"),
    ("mx.example.com ", "mx.example.com"),
    ("", "mx.example.com"),
    ("my.example.com", "mx.example.com"),
)


@pytest.mark.parametrize(("presented", "reference"), NAMES)
def test_openssl_and_gnutls_agree_with_us(presented: str, reference: str, tmp_path: Path) -> None:
    """What we call known, both do; where they differ, we say that it is not known."""
    if shutil.which("certtool") is None:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up("no certtool: tests/mta/install installs it")
    ca, leaf = tmp_path / "ca.pem", tmp_path / "leaf.pem"
    issue(presented.encode("utf-8"), ca, leaf)
    openssl = ["openssl", "verify", "-verify_hostname", reference, "-CAfile", str(ca), str(leaf)]
    gnutls = ["certtool", "--verify", "--verify-hostname", reference]
    gnutls += ["--load-ca-certificate", str(ca), "--infile", str(leaf)]
    takes = {
        "openssl": subprocess.run(openssl, capture_output=True, check=False).returncode == 0,
        "gnutls": subprocess.run(gnutls, capture_output=True, check=False).returncode == 0,
    }

    answer = acceptance(presented, reference)
    if answer is not Answer.NOT_TESTED:
        assert set(takes.values()) == {answer is Answer.YES}, takes


def issue(name: bytes, ca_file: Path, leaf_file: Path) -> None:
    """Write a CA and a certificate of its own that has *name* as it is for its only dNSName."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(ca_file))
    issuer = x509.load_pem_x509_certificate(ca.cert_pem.bytes())
    issuer_key = load_pem_private_key(ca.private_key_pem.bytes(), None)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
    now = datetime.now(UTC)
    leaf = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "a test")]))
        .issuer_name(issuer.subject)
        .public_key(ec.generate_private_key(ec.SECP256R1()).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(
            x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, dns(name)),
            critical=False,
        )
        .sign(issuer_key, hashes.SHA256())
    )
    leaf_file.write_bytes(leaf.public_bytes(Encoding.PEM))
