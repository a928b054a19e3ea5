"""Each kind of certificate has exactly its own fault."""

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtensionOID, NameOID, SignatureAlgorithmOID
from OpenSSL import SSL, crypto

from prober.lab.certificates import HOSTILE_TEXT, CertificateKind, LabCa
from prober.lab.tls import MODERN, Keyring

NAME = "mx.example.test"
LONGEST = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])

# X509_V_ERR_…
EXPIRED, NOT_YET_VALID, NO_ISSUER, SELF_SIGNED = 10, 9, 20, 18


def verify(ca: LabCa, kind: CertificateKind, name: str = NAME) -> int:
    """OpenSSL's verification error for the chain as sent; 0 is good. Names are not checked."""
    store = crypto.X509Store()
    store.add_cert(crypto.X509.from_cryptography(ca.root))
    leaf, *others = (crypto.X509.from_cryptography(c) for c in ca.issue(kind, name).chain)
    try:
        crypto.X509StoreContext(store, leaf, others).verify_certificate()
    except crypto.X509StoreContextError as exc:
        return int(exc.errors[0])
    return 0


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (CertificateKind.GOOD, 0),
        (CertificateKind.RSA, 0),
        (CertificateKind.EXPIRED, EXPIRED),
        (CertificateKind.NOT_YET_VALID, NOT_YET_VALID),
        (CertificateKind.WRONG_NAME, 0),
        (CertificateKind.WILDCARD, 0),
        (CertificateKind.SELF_SIGNED, SELF_SIGNED),
        (CertificateKind.CN_ONLY, 0),
        (CertificateKind.WEAK_KEY, 0),
        (CertificateKind.WEAK_SIGNATURE, 0),
        (CertificateKind.NO_SIGNING, 0),
        (CertificateKind.MALFORMED_SAN, 0),
        (CertificateKind.HOSTILE_SUBJECT, 0),
        (CertificateKind.MISSING_INTERMEDIATE, NO_ISSUER),
        (CertificateKind.MISORDERED, 0),
    ],
)
def test_path(ca: LabCa, kind: CertificateKind, error: int) -> None:
    assert verify(ca, kind) == error


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (CertificateKind.GOOD, [NAME]),
        (CertificateKind.SELF_SIGNED, [NAME]),
        (CertificateKind.WRONG_NAME, ["another-host.invalid"]),
        (CertificateKind.WILDCARD, ["*.example.test"]),
    ],
)
def test_names(ca: LabCa, kind: CertificateKind, names: list[str]) -> None:
    san = ca.issue(kind, NAME).leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert san.value.get_values_for_type(x509.DNSName) == names


def test_a_common_name_alone(ca: LabCa) -> None:
    leaf = ca.issue(CertificateKind.CN_ONLY, NAME).leaf
    assert common_name(leaf) == NAME
    assert len(leaf.extensions) == 0


def test_a_malformed_name_makes_the_extension_unreadable(ca: LabCa) -> None:
    leaf = ca.issue(CertificateKind.MALFORMED_SAN, NAME).leaf
    assert NAME.encode() in leaf.tbs_certificate_bytes
    with pytest.raises(ValueError, match="IPv4 or IPv6"):
        leaf.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)


def test_a_hostile_subject(ca: LabCa) -> None:
    subject = common_name(ca.issue(CertificateKind.HOSTILE_SUBJECT, NAME).leaf)
    assert subject == HOSTILE_TEXT + "\r\n"


def test_weaknesses(ca: LabCa) -> None:
    weak_key = ca.issue(CertificateKind.WEAK_KEY, NAME)
    assert isinstance(weak_key.key, rsa.RSAPrivateKey)
    assert weak_key.key.key_size == 1024
    weak_signature = ca.issue(CertificateKind.WEAK_SIGNATURE, NAME).leaf
    assert weak_signature.signature_algorithm_oid == SignatureAlgorithmOID.RSA_WITH_SHA1


def test_chains(ca: LabCa) -> None:
    good = ca.issue(CertificateKind.GOOD, NAME)
    assert good.chain == (good.leaf, ca.intermediate)
    assert isinstance(good.key, ec.EllipticCurvePrivateKey)
    misordered = ca.issue(CertificateKind.MISORDERED, NAME)
    assert misordered.chain == (misordered.leaf, ca.root, ca.intermediate)
    assert len(ca.issue(CertificateKind.MISSING_INTERMEDIATE, NAME).chain) == 1
    assert len(ca.issue(CertificateKind.SELF_SIGNED, NAME).chain) == 1


@pytest.mark.parametrize("kind", CertificateKind)
def test_a_certificate_is_made_once(ca: LabCa, kind: CertificateKind) -> None:
    assert ca.issue(kind, NAME) is ca.issue(kind, NAME)
    assert ca.issue(kind, NAME) is not ca.issue(kind, "other.example.test")


@pytest.mark.parametrize("kind", CertificateKind)
def test_every_certificate_can_be_served(ca: LabCa, kind: CertificateKind) -> None:
    keyring = Keyring(LONGEST, ca)
    context = keyring.context(kind, MODERN)
    assert isinstance(context, SSL.Context)
    assert keyring.context(kind, MODERN) is context


def test_the_root_is_written_as_a_ca_file(ca: LabCa, tmp_path: Path) -> None:
    ca.write_pem(tmp_path / "ca.pem")
    assert x509.load_pem_x509_certificates((tmp_path / "ca.pem").read_bytes()) == [ca.root]
    assert ca.root.not_valid_after_utc > datetime.datetime.now(datetime.UTC)


def common_name(certificate: x509.Certificate) -> str:
    (attribute,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(attribute.value)
