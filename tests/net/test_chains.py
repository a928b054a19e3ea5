"""Chains that a sender must refuse, and odd ones that it must accept. RFC 5280 §6.1.

Each is judged twice: as a handshake of OpenSSL's sees it, and by ``ChainVerifier``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL

from prober import clock
from prober.net.tls import TlsClient
from prober.records import EndpointFacts, Hello
from tests.net.test_trust import shake_hands

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
NAME: Final = "mx.lab.test"
LIVES, DEAD = (-400, 400), (-400, -10)  # days from today


@dataclass(frozen=True)
class Issued:
    certificate: x509.Certificate
    key: Key


def ec_key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def issue(
    subject: str,
    *more: x509.ExtensionType,
    by: Issued | None = None,
    key: Key | None = None,
    ca: bool = True,
    length: int | None = None,
    lives: tuple[int, int] = LIVES,
    pss: bool = False,
) -> Issued:
    """A certificate signed *by* another, or by itself."""
    key = key or ec_key()
    issuer = by.certificate.subject if by else _named(subject)
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(issuer, _named(subject), key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=lives[0]))
        .not_valid_after(now + timedelta(days=lives[1]))
        .add_extension(x509.BasicConstraints(ca, length), critical=True)
    )
    for extension in more:
        builder = builder.add_extension(extension, critical=False)
    signer = by.key if by else key
    if isinstance(signer, rsa.RSAPrivateKey) and pss:
        scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        return Issued(builder.sign(signer, hashes.SHA256(), rsa_padding=scheme), key)
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return Issued(builder.sign(signer, algorithm), key)


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def permitted(*names: str) -> x509.NameConstraints:
    return x509.NameConstraints([x509.DNSName(name) for name in names], None)


SAN: Final = x509.SubjectAlternativeName([x509.DNSName(NAME)])
ROOT: Final = issue("Root")
OTHER_ROOT: Final = issue("Unknown Root")
MIDDLE: Final = issue("Middle", by=ROOT)
MIDDLE_DEAD: Final = issue("Middle", by=ROOT, key=MIDDLE.key, lives=DEAD)
CROSS: Final = issue("Root", by=OTHER_ROOT, key=ROOT.key)
CROSS_DEAD: Final = issue("Root", by=OTHER_ROOT, key=ROOT.key, lives=DEAD)
RSA_MIDDLE: Final = issue("RSA", by=ROOT, key=rsa.generate_private_key(65537, 2048))
NO_CA: Final = issue("No CA", by=ROOT, ca=False)
SHORT: Final = issue("Short", by=ROOT, length=0)
BELOW_SHORT: Final = issue("Below", by=SHORT)
ELSEWHERE: Final = issue("Elsewhere", permitted("example.com"), by=ROOT)
HERE: Final = issue("Here", permitted("lab.test"), by=ROOT)
BANNED: Final = issue("Banned", x509.NameConstraints(None, [x509.DNSName("lab.test")]), by=ROOT)


def leaf(
    *more: x509.ExtensionType, by: Issued = MIDDLE, key: Key | None = None, pss: bool = False
) -> Issued:
    return issue(NAME, SAN, *more, by=by, key=key, ca=False, pss=pss)


def purpose(*oids: x509.ObjectIdentifier) -> x509.ExtendedKeyUsage:
    return x509.ExtendedKeyUsage(oids)


UNKNOWN_EXTENSION: Final = x509.UnrecognizedExtension(
    x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00"
)
LOOPBACK: Final = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> TlsClient:
    path: Path = tmp_path_factory.mktemp("chains") / "ca.pem"
    path.write_bytes(ROOT.certificate.public_bytes(Encoding.PEM))
    return TlsClient(path, chain_certificates=16)


def codes_of(client: TlsClient, first: Issued, above: Sequence[Issued]) -> set[int]:
    """OpenSSL's complaints in a handshake with a server that sends *first* and *above*."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate(first.certificate)
    context.use_privatekey(first.key)
    for each in above:
        context.add_extra_chain_cert(each.certificate)
    server = SSL.Connection(context, None)
    server.set_accept_state()
    connection = client.connection(NAME, Hello.DEFAULT)
    shake_hands(connection, server)
    blank = EndpointFacts(mx_host=NAME, address="127.0.0.1", port=25, observed_at=clock.now())
    facts = client.observe(blank, connection, completed=True)
    path, errors = client.verifier.verify(facts.chain)
    assert facts.tls_version is not None  # whatever the certificate: trouble is no "no TLS"
    assert (bool(errors), path) == (bool(facts.verify_errors), facts.path)
    return {each.code for each in facts.verify_errors}


@pytest.mark.parametrize(
    ("first", "above", "code"),
    [
        pytest.param(leaf(purpose(ExtendedKeyUsageOID.CLIENT_AUTH)), [MIDDLE], 26, id="clients"),
        pytest.param(leaf(purpose(ExtendedKeyUsageOID.EMAIL_PROTECTION)), [MIDDLE], 26, id="mail"),
        pytest.param(
            leaf(purpose(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)),
            [MIDDLE],
            26,
            id="any-purpose",
        ),
        pytest.param(leaf(by=ELSEWHERE), [ELSEWHERE], 47, id="4.2.1.10-not-permitted"),
        pytest.param(leaf(by=BANNED), [BANNED], 48, id="4.2.1.10-excluded"),
        pytest.param(leaf(by=NO_CA), [NO_CA], 79, id="4.2.1.9-issuer-is-no-ca"),
        pytest.param(leaf(by=BELOW_SHORT), [BELOW_SHORT, SHORT], 25, id="4.2.1.9-path-length"),
        pytest.param(leaf(), [MIDDLE_DEAD], 10, id="6.1.3-expired-issuer-only"),
        pytest.param(leaf(), [], 20, id="issuer-not-sent"),
        pytest.param(
            leaf(by=Issued(MIDDLE.certificate, ec_key())), [MIDDLE], 7, id="6.1.3-wrong-signature"
        ),
    ],
)
def test_a_chain_that_senders_refuse(
    client: TlsClient, first: Issued, above: list[Issued], code: int
) -> None:
    assert code in codes_of(client, first, above)


@pytest.mark.parametrize(
    ("first", "above"),
    [
        pytest.param(leaf(), [MIDDLE], id="ordinary"),
        pytest.param(leaf(purpose(ExtendedKeyUsageOID.SERVER_AUTH)), [MIDDLE], id="servers"),
        pytest.param(issue(NAME, SAN, by=MIDDLE, ca=True), [MIDDLE], id="leaf-is-a-ca"),
        pytest.param(leaf(by=HERE), [HERE], id="4.2.1.10-permitted"),
        pytest.param(leaf(), [MIDDLE_DEAD, MIDDLE], id="expired-issuer-before-its-successor"),
        pytest.param(leaf(), [MIDDLE, MIDDLE_DEAD], id="expired-issuer-behind-its-successor"),
        pytest.param(leaf(), [MIDDLE, CROSS_DEAD], id="expired-cross-signed-root"),
        pytest.param(leaf(), [MIDDLE, CROSS], id="root-cross-signed-by-one-unknown"),
        pytest.param(leaf(), [MIDDLE, ROOT], id="root-sent-too"),
        pytest.param(leaf(key=ed25519.Ed25519PrivateKey.generate()), [MIDDLE], id="ed25519"),
        pytest.param(leaf(by=RSA_MIDDLE, pss=True), [RSA_MIDDLE], id="rsa-pss"),
        pytest.param(issue(NAME, LOOPBACK, by=MIDDLE, ca=False), [MIDDLE], id="address-only"),
        pytest.param(leaf(UNKNOWN_EXTENSION), [MIDDLE], id="unknown-extension"),
    ],
)
def test_a_chain_that_senders_accept(client: TlsClient, first: Issued, above: list[Issued]) -> None:
    assert codes_of(client, first, above) == set()
