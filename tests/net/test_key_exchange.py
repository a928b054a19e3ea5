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
from prober.lab.dhe import PRIME_1024, DheConnection
from prober.lab.tls import RSA_KEY_EXCHANGE, TLS12_ONLY, TLS13_ONLY, Keyring, TlsProfile
from prober.net.key_exchange import DhGroup, ServerKeyExchange
from prober.net.tls import TlsClient
from prober.records import EndpointFacts, Hello
from tests.support.builders import untested

# RFC 7919 appendix A.1
FFDHE2048: Final = bytes.fromhex(
    "FFFFFFFFFFFFFFFFADF85458A2BB4A9AAFDC5620273D3CF1D8B9C583CE2D3695A9E13641146433FBCC939DCE249B3EF9"
    "7D2FE363630C75D8F681B202AEC4617AD3DF1ED5D5FD65612433F51F5F066ED0856365553DED1AF3B557135E7F57C935"
    "984F0C70E0E68B77E2A689DAF3EFE8721DF158A136ADE73530ACCA4F483A797ABC0AB182B324FB61D108A94BB2C8E3FB"
    "B96ADAB760D7F4681D4F42A3DE394DF4AE56EDE76372BB190B07A7C8EE0A6D709E02FCE1CDF7E2ECC03404CD28342F61"
    "9172FE9CE98583FF8E4F1232EEF28183C3FE3B1B4C6FAD733BB5FCBC2EC22005C58EF1837D1683B2C6F34A26C1B2EFFA"
    "886B423861285C97FFFFFFFFFFFFFFFF"
)
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


DHE_ONLY = TlsProfile(highest=SSL.TLS1_2_VERSION, ciphers=b"kDHE:@SECLEVEL=0")


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
