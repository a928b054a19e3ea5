"""cryptoparser as referee: it reads our ClientHellos, and our reader its messages."""

from types import SimpleNamespace
from typing import Any

import pytest

from prober.net.client_hello import OFFERS, Offer, build
from prober.net.tls_names import TLS1_2, TLS1_3
from prober.records import Answer, DeepQuestion
from tests.net.test_client_hello import SESSION_ID, curve, offers, read

CHAIN = (b"leaf" * 30, b"issuer" * 20)


@pytest.fixture(scope="module")
def cryptoparser() -> SimpleNamespace:
    """Imported late: that takes it 7 seconds of CPU."""
    from cryptoparser.tls import algorithm, ciphersuite, extension, record, subprotocol, version

    found: dict[str, Any] = {}
    for module in (algorithm, ciphersuite, extension, record, subprotocol, version):
        found |= vars(module)
    return SimpleNamespace(**found)


def codes(items: Any) -> list[int]:
    return [item.value.code for item in items]


@pytest.mark.parametrize("offer", offers())
def test_what_was_offered_is_read(offer: Offer, cryptoparser: SimpleNamespace) -> None:
    if offer.extensions():
        offer = offer.with_name("mx.example.test")
    raw = build(offer, random=bytes(range(32)), session_id=SESSION_ID)

    record = cryptoparser.TlsRecord.parse_exact_size(raw)
    hello = cryptoparser.TlsHandshakeClientHello.parse_exact_size(record.fragment)

    found = {item.extension_type.value.code: item for item in hello.extensions}
    assert codes(hello.cipher_suites) == list(offer.suites)
    assert hello.empty_renegotiation_info_scsv is not bool(found)
    assert codes(hello.compression_methods) == list(offer.compressions)
    assert set(found) == set(offer.extensions())
    assert hello.protocol_version.version.value.code == min(offer.versions[0], TLS1_2)
    assert bytes(hello.session_id) == (SESSION_ID if TLS1_3 in offer.versions else b"")
    if found:
        assert found[0].host_name == "mx.example.test"
    if 10 in found:
        assert codes(found[10].elliptic_curves) == list(offer.groups)
    if 13 in found:
        assert codes(found[13].hash_and_signature_algorithms) == list(offer.signatures)
    if TLS1_3 in offer.versions:
        assert codes(item.version for item in found[43].supported_versions) == list(offer.versions)
        assert list(found[51].key_share_entries) == []


def test_its_messages_are_read(cryptoparser: SimpleNamespace) -> None:
    c = cryptoparser
    version = c.TlsProtocolVersion(c.TlsVersion.TLS1_1)
    messages = (
        c.TlsHandshakeServerHello(
            protocol_version=version,
            cipher_suite=c.TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
            extensions=c.TlsExtensionsServer(
                [c.TlsExtensionExtendedMasterSecret(), c.TlsExtensionEncryptThenMAC()]
            ),
        ),
        c.TlsHandshakeServerCertificate(
            c.TlsCertificates([c.TlsCertificate(certificate) for certificate in CHAIN])
        ),
        c.TlsHandshakeServerKeyExchange(curve(24)[4:]),
        c.TlsHandshakeServerHelloDone(),
    )
    data = b"".join(
        bytes(c.TlsRecord(bytes(message.compose()), version).compose()) for message in messages
    )

    answer = read(DeepQuestion.LEGACY_VERSION, data)

    assert (answer.accepted, answer.tls_version) == (Answer.YES, "TLSv1.1")
    assert (answer.cipher, answer.key_exchange) == (
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        "secp384r1",
    )
    assert answer.chain == CHAIN
    assert (answer.extended_master_secret, answer.encrypt_then_mac) == (True, True)
    assert answer.secure_renegotiation is False


def test_its_hello_retry_request_is_read(cryptoparser: SimpleNamespace) -> None:
    c = cryptoparser
    group = next(group for group in c.TlsNamedCurve if group.value.code == 0x11EC)
    retry = c.TlsHandshakeHelloRetryRequest(
        cipher_suite=c.TlsCipherSuite.TLS_AES_128_GCM_SHA256,
        protocol_version=c.TlsProtocolVersion(c.TlsVersion.TLS1_2),
        session_id=c.TlsSessionIdVector(SESSION_ID),
        extensions=c.TlsExtensionsServer(
            [
                c.TlsExtensionSupportedVersionsServer(c.TlsProtocolVersion(c.TlsVersion.TLS1_3)),
                c.TlsExtensionKeyShareClientHelloRetry(group),
            ]
        ),
    )
    version = c.TlsProtocolVersion(c.TlsVersion.TLS1_2)
    # it has the type of drafts; RFC 8446 §4.1.4 sends a ServerHello
    message = b"\x02" + bytes(retry.compose())[1:]

    answer = read(DeepQuestion.POST_QUANTUM, bytes(c.TlsRecord(message, version).compose()))

    assert (answer.accepted, answer.key_exchange) == (Answer.YES, "X25519MLKEM768")
    assert set(OFFERS) == set(DeepQuestion) - {DeepQuestion.NORM_GROUPS}


@pytest.mark.parametrize(
    ("level", "name", "accepted"),
    [
        pytest.param("FATAL", "HANDSHAKE_FAILURE", Answer.NO, id="refusal"),
        pytest.param("FATAL", "PROTOCOL_VERSION", Answer.NO, id="version"),
        pytest.param("FATAL", "INTERNAL_ERROR", Answer.NOT_TESTED, id="error"),
        pytest.param("WARNING", "UNRECOGNIZED_NAME", Answer.NOT_TESTED, id="warning"),
    ],
)
def test_its_alerts_are_read(
    level: str, name: str, accepted: Answer, cryptoparser: SimpleNamespace
) -> None:
    c = cryptoparser
    alert = c.TlsAlertMessage(c.TlsAlertLevel[level], c.TlsAlertDescription[name])
    record = c.TlsRecord(
        bytes(alert.compose()),
        c.TlsProtocolVersion(c.TlsVersion.TLS1_2),
        c.TlsContentType.ALERT,
    )
    answer = read(DeepQuestion.BROKEN_SUITES, bytes(record.compose()))
    assert answer.accepted is accepted
    assert answer.alert == (None if level == "WARNING" else name.lower())
