"""The reader of ServerKeyExchange: RFC 5246 §6.2.1, §7.4, §7.4.3; and what a handshake tells."""

from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL

from prober.lab.certificates import CertificateKind, LabCa
from prober.lab.dhe import PRIME_1024, PRIME_2048, DheConnection
from prober.lab.tls import RSA_KEY_EXCHANGE, TLS12_ONLY, TLS13_ONLY, Keyring, TlsProfile
from prober.net.key_exchange import DhGroup, ServerKeyExchange
from prober.net.tls import TlsClient
from prober.records import EndpointFacts, Hello
from tests.support.builders import untested

FFDHE2048: Final = PRIME_2048.to_bytes(256)
PRIME: Final = b"\x80" + bytes(126) + b"\x01"
OF_1024: Final = DhGroup(name=None, bits=1024)

ALERT: Final = bytes.fromhex("15 0303 0002 01 70")  # a warning: unrecognized_name
CHANGE_CIPHER_SPEC: Final = bytes.fromhex("14 0303 0001 01")
SERVER_HELLO: Final = 2
CERTIFICATE: Final = 11
SERVER_KEY_EXCHANGE: Final = 12
SERVER_HELLO_DONE: Final = 14


def vector(content: bytes) -> bytes:
    return len(content).to_bytes(2) + content


def dh_params(prime: bytes = PRIME) -> bytes:
    return vector(prime) + vector(b"\x02") + vector(prime[1:]) + b"signature"


def message(kind: int, body: bytes = b"") -> bytes:
    return bytes([kind]) + len(body).to_bytes(3) + body


def record(fragment: bytes, content_type: int = 22) -> bytes:
    return bytes([content_type, 3, 3]) + vector(fragment)


def hello(suite: str = "009e", session_id: bytes = bytes(32)) -> bytes:
    body = b"\x03\x03" + bytes(32) + bytes([len(session_id)]) + session_id
    return message(SERVER_HELLO, body + bytes.fromhex(suite) + b"\0" + vector(b""))


HELLO: Final = hello()  # with TLS_DHE_RSA_WITH_AES_128_GCM_SHA256
FLIGHT: Final = (
    HELLO
    + message(CERTIFICATE, bytes(900))
    + message(SERVER_KEY_EXCHANGE, dh_params())
    + message(SERVER_HELLO_DONE)
)


def read(*pieces: bytes) -> DhGroup | None:
    reader = ServerKeyExchange()
    for piece in pieces:
        reader.feed(piece)
    return reader.dh_group()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"", None, id="nothing"),
        pytest.param(b"500 5.5.2 Syntax error\r\n", None, id="no-tls"),
        pytest.param(record(message(SERVER_HELLO_DONE)), None, id="plain-rsa"),
        pytest.param(
            record(message(SERVER_HELLO_DONE) + FLIGHT), None, id="after-the-servers-last-message"
        ),
        pytest.param(CHANGE_CIPHER_SPEC + record(FLIGHT), None, id="after-change-cipher-spec"),
        pytest.param(record(FLIGHT, content_type=23), None, id="in-application-data"),
        pytest.param(record(FLIGHT).replace(b"\x16\x03", b"\x16\x02"), None, id="no-tls-version"),
        pytest.param(record(FLIGHT)[:1100], None, id="cut-short"),
        pytest.param(
            record(HELLO + message(SERVER_KEY_EXCHANGE, vector(PRIME)[:-1])),
            None,
            id="prime-longer-than-its-message",
        ),
        pytest.param(record(HELLO + message(SERVER_KEY_EXCHANGE)), None, id="empty-message"),
        pytest.param(
            record(HELLO + message(SERVER_KEY_EXCHANGE, vector(bytes(8)))),
            None,
            id="prime-of-zeros",
        ),
        pytest.param(
            record(hello(suite="c02f") + message(SERVER_KEY_EXCHANGE, dh_params())),
            None,
            id="a-suite-with-elliptic-curves",
        ),
        pytest.param(
            record(message(SERVER_KEY_EXCHANGE, dh_params())), None, id="without-server-hello"
        ),
        pytest.param(record(FLIGHT), OF_1024, id="one-record"),
        pytest.param(
            record(hello(session_id=b"") + message(SERVER_KEY_EXCHANGE, dh_params())),
            OF_1024,
            id="no-session-id",
        ),
        pytest.param(ALERT + record(b"") + record(FLIGHT), OF_1024, id="warning-and-empty-record"),
        pytest.param(
            b"".join(ALERT + record(FLIGHT[at : at + 1]) for at in range(len(FLIGHT))),
            OF_1024,
            id="a-byte-a-record-alerts-between",
        ),
        pytest.param(
            record(HELLO + message(SERVER_KEY_EXCHANGE, dh_params(b"\0\0" + PRIME))),
            OF_1024,
            id="leading-zeros",
        ),
        pytest.param(
            record(HELLO + message(SERVER_KEY_EXCHANGE, dh_params(b"\x01" + PRIME[1:]))),
            DhGroup(name=None, bits=1017),
            id="a-size-that-is-no-multiple-of-8",
        ),
        pytest.param(
            record(HELLO + message(SERVER_KEY_EXCHANGE, dh_params(FFDHE2048))),
            DhGroup(name="ffdhe2048", bits=2048),
            id="rfc-7919",
        ),
        pytest.param(
            record(HELLO + message(SERVER_KEY_EXCHANGE, dh_params(b"\xff" * 2048))),
            DhGroup(name=None, bits=16_384),
            id="the-longest-that-is-kept",
        ),
        pytest.param(
            record(HELLO + message(SERVER_KEY_EXCHANGE, dh_params(b"\xff" * 2049))),
            None,
            id="longer",
        ),
    ],
)
def test_the_group_is_read(data: bytes, expected: DhGroup | None) -> None:
    assert read(data) == expected


@given(
    places=st.lists(st.integers(min_value=0), max_size=8), cuts=st.lists(st.integers(0), max_size=8)
)
def test_records_and_packets_may_be_split_anywhere(places: list[int], cuts: list[int]) -> None:
    data = b"".join(map(record, cut(FLIGHT, places)))
    assert read(*cut(data, cuts)) == OF_1024


@given(st.lists(st.binary(max_size=40) | st.just(record(FLIGHT)), max_size=5))
def test_any_bytes_are_read_and_splitting_changes_nothing(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    assert read(*pieces) == read(data) == read(*(bytes([byte]) for byte in data))


def openssl(profile: TlsProfile) -> Callable[[Keyring], SSL.Connection]:
    def make(keyring: Keyring) -> SSL.Connection:
        connection = SSL.Connection(keyring.context(CertificateKind.RSA, profile), None)
        connection.set_accept_state()
        return connection

    return make


def dhe(keyring: Keyring) -> DheConnection:
    return DheConnection(keyring.certificate(CertificateKind.RSA), PRIME_1024)


def shake_hands(server: SSL.Connection | DheConnection, tls: TlsClient) -> EndpointFacts:
    """A handshake with our client over memory, without a ``TlsLink``."""
    client = tls.connection("mx.test", Hello.DEFAULT)
    reader = client.get_app_data().server_key_exchange
    for _ in range(3):
        with suppress(SSL.WantReadError):
            client.do_handshake()
        with suppress(SSL.WantReadError):
            server.bio_write(client.bio_read(1 << 16))
        with suppress(SSL.WantReadError):
            server.do_handshake()
        with suppress(SSL.WantReadError):
            sent = server.bio_read(1 << 16)
            reader.feed(sent)
            client.bio_write(sent)
    return tls.observe(untested(), client, completed=True)


def server_hello(extensions: bytes | None, session_id: bytes = b"") -> bytes:
    body = b"\x03\x03" + bytes(32) + bytes([len(session_id)]) + session_id
    body += bytes.fromhex("c02f") + b"\0"
    return message(SERVER_HELLO, body if extensions is None else body + vector(extensions))


EMS: Final = bytes.fromhex("0017 0000")
RENEGOTIATION: Final = bytes.fromhex("ff01 0001 00")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"", None, id="nothing"),
        pytest.param(message(SERVER_HELLO, b"\x03\x03" + bytes(32)), None, id="no-session-id"),
        pytest.param(server_hello(EMS)[:-1], None, id="cut-short"),
        pytest.param(server_hello(EMS + b"\0"), None, id="half-an-extension"),
        pytest.param(server_hello(EMS[:2] + b"\xff\xff"), None, id="longer-than-its-message"),
        pytest.param(server_hello(b"\0\x10" + vector(bytes(2000)) + EMS), None, id="very-long"),
        pytest.param(server_hello(EMS) * 2, None, id="two-messages"),  # as after a retry request
        # RFC 5246 §7.4.1.3: no extensions at all
        pytest.param(server_hello(None), frozenset(), id="none"),
        pytest.param(server_hello(b""), frozenset(), id="none-in-a-list"),
        pytest.param(server_hello(EMS), {23}, id="extended-master-secret"),
        pytest.param(server_hello(RENEGOTIATION + EMS, bytes(32)), {23, 0xFF01}, id="both"),
        pytest.param(server_hello(EMS) + message(CERTIFICATE, b"x" * 9), {23}, id="more-follows"),
    ],
)
def test_the_extensions_of_the_server_hello(data: bytes, expected: set[int] | None) -> None:
    reader = ServerKeyExchange()
    for start in range(0, len(data), 1000):
        reader.feed(record(data[start : start + 1000]))
    assert reader.extensions() == expected


POINT: Final = bytes.fromhex("03 001d 04 01020304")


@pytest.mark.parametrize(
    ("params", "elliptic", "expected"),
    [
        pytest.param(b"", True, None, id="nothing"),
        pytest.param(b"", False, None, id="nothing-of-dh"),
        pytest.param(b"\x01" + POINT[1:] + b"\x02\x01", True, None, id="a-curve-without-a-name"),
        pytest.param(POINT + b"\x02", True, None, id="cut-short"),
        pytest.param(POINT + b"\x08\x07", True, None, id="ed25519"),
        pytest.param(POINT + b"\x00\x01", True, None, id="no-hash"),
        pytest.param(POINT + b"\x02\x01", True, "sha1", id="sha1"),
        pytest.param(POINT + b"\x03\x03", True, "sha224", id="sha224"),
        pytest.param(POINT + b"\x06\x03", True, "sha512", id="sha512"),
        pytest.param(POINT + b"\x08\x05", True, "sha384", id="pss"),
        pytest.param(dh_params()[:-9] + b"\x04\x01", False, "sha256", id="dhe"),
        pytest.param(vector(bytes(2048)) * 3 + b"\x01\x01", False, "md5", id="the-largest"),
    ],
)
def test_the_hash_of_the_signature(params: bytes, elliptic: bool, expected: str | None) -> None:
    reader = ServerKeyExchange()
    reader.feed(record(message(SERVER_KEY_EXCHANGE, params)))
    assert reader.signature_hash(elliptic=elliptic) == expected


DHE_ONLY = TlsProfile(highest=SSL.TLS1_2_VERSION, ciphers=b"kDHE:@SECLEVEL=0")
CBC_ONLY = TlsProfile(highest=SSL.TLS1_2_VERSION, ciphers=b"ECDHE-RSA-AES128-SHA256")
NO_EMS: Final = 1  # SSL_OP_NO_EXTENDED_MASTER_SECRET, for which pyOpenSSL has no name


def without_ems(keyring: Keyring) -> SSL.Connection:
    server = openssl(TLS12_ONLY)(keyring)
    server.set_options(NO_EMS)
    return server


@pytest.mark.parametrize(
    ("server", "hash_", "encrypt_then_mac", "extended_master_secret", "secure_renegotiation"),
    [
        pytest.param(without_ems, "sha256", False, False, True, id="no-extended-master-secret"),
        pytest.param(dhe, "sha256", False, False, True, id="dhe-1024"),
        pytest.param(openssl(RSA_KEY_EXCHANGE), None, False, True, True, id="rsa"),
        pytest.param(openssl(DHE_ONLY), "sha256", False, True, True, id="dhe"),
        pytest.param(openssl(TLS12_ONLY), "sha256", False, True, True, id="ecdhe"),
        pytest.param(openssl(CBC_ONLY), "sha256", True, True, True, id="cbc"),
        pytest.param(openssl(TLS13_ONLY), None, None, None, None, id="tls13"),
    ],
)
def test_what_else_a_handshake_tells(
    server: Callable[[Keyring], SSL.Connection | DheConnection],
    hash_: str | None,
    encrypt_then_mac: bool | None,
    extended_master_secret: bool | None,
    secure_renegotiation: bool | None,
    tmp_path: Path,
) -> None:
    """RFC 7627 §5.1, RFC 5746 §3.4, RFC 5246 §7.4.3; RFC 7366 §3; TLS 1.3 has none in clear."""
    ca = LabCa()
    ca.write_pem(tmp_path / "ca.pem")
    facts = shake_hands(
        server(Keyring("mx.test", ca)), TlsClient(tmp_path / "ca.pem", chain_certificates=16)
    )
    assert facts.key_exchange_hash == hash_
    assert facts.encrypt_then_mac is encrypt_then_mac
    assert facts.extended_master_secret is extended_master_secret
    assert facts.secure_renegotiation is secure_renegotiation


@pytest.mark.parametrize(
    ("server", "key_exchange", "bits"),
    [
        pytest.param(dhe, "DH", 1024, id="dhe-1024"),
        pytest.param(openssl(DHE_ONLY), "ffdhe2048", 2048, id="dhe-rfc-7919"),
        pytest.param(openssl(RSA_KEY_EXCHANGE), None, None, id="plain-rsa"),
        pytest.param(openssl(TLS12_ONLY), "x25519", None, id="ecdhe"),
        pytest.param(openssl(TLS13_ONLY), "X25519MLKEM768", None, id="tls13"),
    ],
)
def test_the_size_in_a_whole_handshake(
    server: Callable[[Keyring], SSL.Connection | DheConnection],
    key_exchange: str | None,
    bits: int | None,
    tmp_path: Path,
) -> None:
    ca = LabCa()
    ca.write_pem(tmp_path / "ca.pem")
    tls = TlsClient(tmp_path / "ca.pem", chain_certificates=16)

    facts = shake_hands(server(Keyring("mx.test", ca)), tls)
    assert facts.tls_version is not None
    assert not facts.verify_errors
    assert (facts.key_exchange, facts.key_exchange_bits) == (key_exchange, bits)


def test_the_size_is_kept_where_the_handshake_fails_for_it(tmp_path: Path) -> None:
    """OpenSSL refuses less than 1024 bits at every security level."""
    LabCa().write_pem(tmp_path / "ca.pem")
    tls = TlsClient(tmp_path / "ca.pem", chain_certificates=16)
    client = tls.connection("mx.test", Hello.ANONYMOUS)
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    prime = b"\x80" + bytes(62) + b"\x01"
    key_exchange = vector(prime) + vector(b"\x02") + vector(b"\x07" * 64)
    chosen = hello(suite="006c", session_id=b"")  # TLS_DH_anon_WITH_AES_128_CBC_SHA256
    flight = record(chosen + message(SERVER_KEY_EXCHANGE, key_exchange))
    client.get_app_data().server_key_exchange.feed(flight)
    client.bio_write(flight)
    with pytest.raises(SSL.Error, match="dh key too small"):
        client.do_handshake()

    facts = tls.observe(untested(), client, completed=False)
    assert (facts.key_exchange, facts.key_exchange_bits) == (None, 512)
