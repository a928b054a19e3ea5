"""The trust store: which certificates are in it, however odd the file; and paths to it."""

from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL

from prober import clock
from prober.lab.certificates import CertificateKind, LabCa
from prober.lab.tls import MODERN, Keyring, TlsProfile
from prober.net.tls import TlsClient
from prober.net.trust import pem_blocks
from prober.records import DeepQuestion, EndpointFacts, Hello

BEGIN = b"-----BEGIN CERTIFICATE-----"
END = b"-----END CERTIFICATE-----"
ONE = BEGIN + b"\nMQ==\n" + END
TWO = BEGIN + b"\nMg==\n" + END


@pytest.mark.parametrize(
    ("pem", "blocks"),
    [
        pytest.param(b"", [], id="empty"),
        pytest.param(BEGIN, [], id="no-end"),
        pytest.param(END + BEGIN, [], id="end-first"),
        pytest.param(BEGIN + END, [BEGIN + END], id="nothing-in-it"),
        pytest.param(b"# of ours\r\n" + ONE + b"\n\n" + TWO, [ONE, TWO], id="two"),
        pytest.param(ONE + TWO + BEGIN + b"\nMw==", [ONE, TWO], id="the-last-is-torn"),
    ],
)
def test_certificates_are_found(pem: bytes, blocks: list[bytes]) -> None:
    assert list(pem_blocks(pem)) == blocks


class _Counted(bytes):
    """Counts the bytes that are searched."""

    searched = 0

    def find(self, *args: Any) -> int:
        found = super().find(*args)
        self.searched += (found if found >= 0 else len(self)) - int(args[1])
        return found


@pytest.mark.parametrize("piece", [BEGIN + b"\n", ONE + b"\n", END + b"\n"])
def test_each_byte_is_searched_once(piece: bytes) -> None:
    pem = _Counted(piece * 1000)
    list(pem_blocks(pem))

    assert 0 < pem.searched <= 2 * len(pem)


NAME = "mx.lab.test"
CA = LabCa()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> TlsClient:
    path: Path = tmp_path_factory.mktemp("trust") / "ca.pem"
    CA.write_pem(path)
    return TlsClient(path, chain_certificates=16)


def shake_hands(client: SSL.Connection, server: SSL.Connection) -> None:
    """A handshake in memory."""
    for _ in range(10):
        for one, other in ((client, server), (server, client)):
            try:
                one.do_handshake()
            except SSL.WantReadError:
                pass
            try:
                other.bio_write(one.bio_read(65536))
            except SSL.WantReadError:
                pass


def observed(client: TlsClient, kind: CertificateKind) -> EndpointFacts:
    """What a handshake of OpenSSL's sees of a certificate of *kind*."""
    connection = client.connection(NAME, Hello.DEFAULT)
    server = SSL.Connection(Keyring(NAME, CA).context(kind, MODERN), None)
    server.set_accept_state()
    shake_hands(connection, server)
    facts = EndpointFacts(mx_host=NAME, address="127.0.0.1", port=25, observed_at=clock.now())
    return client.observe(facts, connection, completed=True)


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind) for kind in CertificateKind])
def test_a_chain_that_no_handshake_saw_is_verified_as_in_a_handshake(
    client: TlsClient, kind: CertificateKind
) -> None:
    facts = observed(client, kind)
    path, errors = client.verifier.verify(facts.chain)

    assert path == facts.path
    assert bool(errors) == bool(facts.verify_errors)
    assert set(errors) <= set(facts.verify_errors)
    assert errors[:1] == facts.verify_errors[:1]


@pytest.mark.parametrize("chain", [(), (b"",), (b"\x30\x00", b"x")])
def test_what_is_no_chain_has_no_path(client: TlsClient, chain: tuple[bytes, ...]) -> None:
    path, errors = client.verifier.verify(chain)

    assert path == ()
    assert bool(errors) == bool(chain)


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        (DeepQuestion.RSA_CERTIFICATE, CertificateKind.RSA),
        (DeepQuestion.ECDSA_CERTIFICATE, CertificateKind.GOOD),
    ],
)
def test_one_kind_of_signature_gets_one_kind_of_certificate(
    client: TlsClient, question: DeepQuestion, kind: CertificateKind
) -> None:
    keyring = Keyring(NAME, CA)
    profile = TlsProfile(second_certificate=CertificateKind.RSA)
    server = SSL.Connection(keyring.context(CertificateKind.GOOD, profile), None)
    server.set_accept_state()
    connection = client.connection(NAME, Hello.DEFAULT, question)
    shake_hands(connection, server)
    leaf = connection.get_peer_certificate(as_cryptography=True)

    assert connection.get_protocol_version_name() == "TLSv1.3"
    assert leaf == keyring.certificate(kind).leaf
