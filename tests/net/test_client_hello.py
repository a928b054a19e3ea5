"""Our ClientHellos, and the reader of what servers answer: RFC 5246 §7.4, RFC 8446 §4.1, §4.2."""

import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.net.client_hello import (
    MAX_SUITES,
    OFFERS,
    Offer,
    norm_groups,
)
from prober.net.server_flight import MAX_RECORDS, ServerFlight
from prober.net.tls_names import SSL3, SUITES, TLS1, TLS1_2
from prober.records import Answer, DeepAnswer, DeepQuestion, Reason
from tests.net.test_key_exchange import (
    CHANGE_CIPHER_SPEC,
    FFDHE2048,
    cut,
    dh_params,
    message,
    record,
    vector,
)
from tests.test_fuzz import INPUTS, changed

NOW: Final = datetime(2026, 11, 28, tzinfo=UTC)
SESSION_ID: Final = bytes(range(32))
RETRY: Final = bytes.fromhex("CF21AD74E59A6111BE1D8C021E65B891C2A211167ABB8C5E079E09E2C8A8339C")
RSA_AES: Final = 0x002F  # TLS_RSA_WITH_AES_128_CBC_SHA
DHE_AES: Final = 0x0033
ECDHE_RSA: Final = 0xC02F
ECDHE_CBC: Final = 0xC013
RC4: Final = 0x0005
ANON: Final = 0x0034
EXPORT: Final = 0x0003
TLS13_SUITE: Final = 0x1302

CERTIFICATES: Final = (b"leaf" * 30, b"issuer" * 20)
DONE: Final = message(14)
REFUSALS: Final = (
    "handshake_failure",
    "protocol_version",
    "insufficient_security",
    "export_restriction",
)
REFUSED: Final = bytes.fromhex("15 0303 0002 02 28")  # fatal, handshake_failure


def extensions(*found: tuple[int, bytes]) -> bytes:
    return vector(b"".join(kind.to_bytes(2) + vector(content) for kind, content in found))


def hello(
    suite: int,
    *found: tuple[int, bytes],
    version: int = TLS1_2,
    chance: bytes = bytes(32),
    session_id: bytes = b"",
    compression: int = 0,
) -> bytes:
    body = version.to_bytes(2) + chance + bytes([len(session_id)]) + session_id
    body += suite.to_bytes(2) + bytes([compression])
    return message(2, body + (extensions(*found) if found else b""))


def retry(group: int = 0x11EC, *found: tuple[int, bytes], session_id: bytes = SESSION_ID) -> bytes:
    return hello(
        TLS13_SUITE,
        (43, b"\3\4"),
        (51, group.to_bytes(2)),
        *found,
        chance=RETRY,
        session_id=session_id,
    )


def certificate(*certificates: bytes) -> bytes:
    body = b"".join(len(der).to_bytes(3) + der for der in certificates)
    return message(11, len(body).to_bytes(3) + body)


def curve(number: int, kind: int = 3) -> bytes:
    return message(12, bytes([kind]) + number.to_bytes(2) + b"\x04abcd" + b"\4\3" + vector(b"sig"))


def status(response: bytes = b"response") -> bytes:
    return message(22, b"\1" + len(response).to_bytes(3) + response)


def flight(question: DeepQuestion | Offer, **bounds: int) -> ServerFlight:
    offer = question if isinstance(question, Offer) else OFFERS[question]
    limits = {"most_bytes": 262_144, "most_certificates": 16} | bounds
    return ServerFlight(offer, session_id=SESSION_ID, **limits)


def read(question: DeepQuestion | Offer, *pieces: bytes, **bounds: int) -> DeepAnswer:
    reader = flight(question, **bounds)
    for piece in pieces:
        reader.feed(piece)
    asked = question if isinstance(question, DeepQuestion) else DeepQuestion.NORM_GROUPS
    return reader.answer(asked, NOW)


CHAIN: Final = certificate(*CERTIFICATES)
FLIGHTS: Final = {
    DeepQuestion.POST_QUANTUM: record(retry()),
    DeepQuestion.LEGACY_VERSION: record(
        hello(ECDHE_CBC, (0xFF01, b"\0"), (23, b""), (22, b""), version=TLS1)
    )
    + record(CHAIN + curve(23) + DONE),
    DeepQuestion.BROKEN_SUITES: record(hello(RC4, (35, b""))) + record(CHAIN) + record(DONE),
    DeepQuestion.STATIC_KEY_EXCHANGE: record(
        hello(RSA_AES, (5, b""), compression=1) + CHAIN + status() + message(13, b"abc") + DONE
    ),
    DeepQuestion.FINITE_FIELD_DH: record(hello(DHE_AES) + CHAIN + message(12, dh_params()) + DONE),
}
Q: Final = DeepQuestion


# -- what is sent --


def offers() -> list[Any]:
    found = [pytest.param(offer, id=question) for question, offer in OFFERS.items()]
    norm = norm_groups(("secp256r1", "secp384r1", "brainpoolP256r1"))
    legacy = OFFERS[Q.LEGACY_VERSION].without_extensions()
    return [
        *found,
        pytest.param(norm, id="norm-groups"),
        pytest.param(legacy, id="no-extensions"),
        pytest.param(replace(legacy, versions=(SSL3,)).with_name("mx.test"), id="ssl3"),
    ]


@pytest.mark.parametrize("offer", offers())
def test_an_offer_asks_for_nothing_else(offer: Offer) -> None:
    """No fallback signal (RFC 7507), early data or pre-shared key (RFC 8446 §4.2.10, §4.2.11)."""
    assert len(offer.suites) <= MAX_SUITES
    assert 0x5600 not in offer.suites
    assert not {41, 42, 45} & set(offer.extensions())
    last = list(offer.extensions().values())[-1:]
    assert last != [b""]


@pytest.mark.parametrize(
    ("question", "has", "has_not"),
    [
        pytest.param(
            Q.BROKEN_SUITES,
            "RSA_WITH_RC4_128_MD5 RSA_WITH_RC4_128_SHA ECDHE_RSA_WITH_RC4_128_SHA "
            "RSA_WITH_3DES_EDE_CBC_SHA DHE_RSA_WITH_DES_CBC_SHA RSA_EXPORT_WITH_RC4_40_MD5 "
            "RSA_WITH_NULL_SHA256 DH_anon_WITH_AES_256_GCM_SHA384 ECDH_anon_WITH_AES_128_CBC_SHA",
            "RSA_WITH_AES_128_CBC_SHA DHE_RSA_WITH_AES_128_CBC_SHA ECDHE_RSA_WITH_AES_128_CBC_SHA",
            id="broken-suites",
        ),
        pytest.param(
            Q.STATIC_KEY_EXCHANGE,
            "RSA_WITH_AES_128_CBC_SHA RSA_WITH_AES_256_GCM_SHA384 DH_RSA_WITH_AES_128_CBC_SHA "
            "ECDH_ECDSA_WITH_AES_128_CBC_SHA RSA_WITH_3DES_EDE_CBC_SHA RSA_WITH_RC4_128_MD5",
            "DHE_RSA_WITH_AES_128_CBC_SHA ECDHE_RSA_WITH_AES_128_CBC_SHA "
            "DH_anon_WITH_AES_128_CBC_SHA",
            id="static-key-exchange",
        ),
        pytest.param(
            Q.FINITE_FIELD_DH,
            "DHE_RSA_WITH_AES_128_CBC_SHA DHE_DSS_WITH_AES_128_CBC_SHA "
            "DHE_RSA_WITH_CHACHA20_POLY1305_SHA256 DHE_RSA_WITH_3DES_EDE_CBC_SHA",
            "RSA_WITH_AES_128_CBC_SHA ECDHE_RSA_WITH_AES_128_CBC_SHA DH_anon_WITH_AES_128_CBC_SHA",
            id="finite-field-dh",
        ),
        pytest.param(
            Q.LEGACY_VERSION,
            "ECDHE_RSA_WITH_AES_128_CBC_SHA ECDHE_ECDSA_WITH_AES_128_CBC_SHA "
            "DHE_RSA_WITH_AES_128_CBC_SHA RSA_WITH_AES_128_CBC_SHA RSA_WITH_3DES_EDE_CBC_SHA "
            "RSA_WITH_RC4_128_MD5 RSA_WITH_DES_CBC_SHA RSA_EXPORT_WITH_RC4_40_MD5",
            "RSA_WITH_AES_128_CBC_SHA256 RSA_WITH_AES_128_GCM_SHA256",
            id="legacy-version",
        ),
        pytest.param(
            Q.RSA_CERTIFICATE,
            "ECDHE_RSA_WITH_AES_128_GCM_SHA256 DHE_RSA_WITH_AES_128_CBC_SHA "
            "RSA_WITH_AES_128_CBC_SHA",
            "ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 ECDH_anon_WITH_AES_128_CBC_SHA",
            id="rsa-certificate",
        ),
        pytest.param(
            Q.ECDSA_CERTIFICATE,
            "ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 ECDHE_ECDSA_WITH_AES_128_CBC_SHA "
            "ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            "ECDHE_RSA_WITH_AES_128_GCM_SHA256 RSA_WITH_AES_128_CBC_SHA",
            id="ecdsa-certificate",
        ),
    ],
)
def test_an_offer_has_the_suites_of_its_question(
    question: DeepQuestion, has: str, has_not: str
) -> None:
    names = {SUITES[suite].removeprefix("TLS_") for suite in OFFERS[question].suites}
    assert names.issuperset(has.split())
    assert names.isdisjoint(has_not.split())


def test_the_groups_of_a_norm() -> None:
    """RFC 8734 §2: the curves of Brainpool have another number in TLS 1.3."""
    assert norm_groups(("secp384r1", "brainpoolp256r1")).groups == (24, 26, 31)
    with pytest.raises(ValueError, match="sect999"):
        norm_groups(("secp384r1", "sect999"))
    with pytest.raises(ValueError, match="none given"):
        norm_groups(())


# -- what is read --


@pytest.mark.parametrize(
    ("question", "pieces", "expected"),
    [
        pytest.param(
            Q.POST_QUANTUM,
            record(retry(0x0201, (44, b"\0\1c"))),
            {
                "tls_version": "TLSv1.3",
                "cipher": "TLS_AES_256_GCM_SHA384",
                "key_exchange": "MLKEM768",
            },
            id="hello-retry-request",
        ),
        pytest.param(
            Q.LEGACY_VERSION,
            FLIGHTS[Q.LEGACY_VERSION],
            {
                "tls_version": "TLSv1",
                "cipher": "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
                "key_exchange": "secp256r1",
                "chain": CERTIFICATES,
                "extended_master_secret": True,
                "encrypt_then_mac": True,
                "secure_renegotiation": True,
                "compression": False,
                "session_ticket": False,
                "ocsp_staple": False,
            },
            id="tls-1.0",
        ),
        pytest.param(
            Q.BROKEN_SUITES,
            FLIGHTS[Q.BROKEN_SUITES],
            {
                "tls_version": "TLSv1.2",
                "cipher": "TLS_RSA_WITH_RC4_128_SHA",
                "chain": CERTIFICATES,
                "extended_master_secret": False,
                "secure_renegotiation": False,
                "compression": False,
                "session_ticket": True,
                "ocsp_staple": False,
            },
            id="rc4-has-no-encrypt-then-mac",
        ),
        pytest.param(
            Q.STATIC_KEY_EXCHANGE,
            FLIGHTS[Q.STATIC_KEY_EXCHANGE],
            {
                "tls_version": "TLSv1.2",
                "cipher": "TLS_RSA_WITH_AES_128_CBC_SHA",
                "chain": CERTIFICATES,
                "extended_master_secret": False,
                "encrypt_then_mac": False,
                "secure_renegotiation": False,
                "compression": True,
                "session_ticket": False,
                "ocsp_staple": True,
            },
            id="compression-and-staple",
        ),
        pytest.param(
            Q.FINITE_FIELD_DH,
            FLIGHTS[Q.FINITE_FIELD_DH],
            {
                "tls_version": "TLSv1.2",
                "cipher": "TLS_DHE_RSA_WITH_AES_128_CBC_SHA",
                "key_exchange": "DH",
                "key_exchange_bits": 1024,
                "chain": CERTIFICATES,
                "extended_master_secret": False,
                "encrypt_then_mac": False,
                "secure_renegotiation": False,
                "compression": False,
                "session_ticket": False,
                "ocsp_staple": False,
            },
            id="dh-without-a-name",
        ),
        pytest.param(
            Q.BROKEN_SUITES,
            record(hello(ANON) + message(12, dh_params(FFDHE2048)) + DONE),
            {
                "tls_version": "TLSv1.2",
                "cipher": "TLS_DH_anon_WITH_AES_128_CBC_SHA",
                "key_exchange": "ffdhe2048",
                "key_exchange_bits": 2048,
                "extended_master_secret": False,
                "encrypt_then_mac": False,
                "secure_renegotiation": False,
                "compression": False,
                "session_ticket": False,
            },
            id="anonymous-has-no-staple",
        ),
        pytest.param(
            OFFERS[Q.LEGACY_VERSION].without_extensions(),
            record(hello(RC4, (0xFF01, b"\0"), version=SSL3) + CHAIN + DONE),
            {
                "tls_version": "SSLv3",
                "cipher": "TLS_RSA_WITH_RC4_128_SHA",
                "chain": CERTIFICATES,
                "secure_renegotiation": True,
                "compression": False,
            },
            id="ssl-3.0",
        ),
        pytest.param(
            Q.BROKEN_SUITES,
            record(hello(EXPORT) + CHAIN + message(12, dh_params()) + DONE),
            {
                "tls_version": "TLSv1.2",
                "cipher": "TLS_RSA_EXPORT_WITH_RC4_40_MD5",
                "chain": CERTIFICATES,
                "extended_master_secret": False,
                "secure_renegotiation": False,
                "compression": False,
                "session_ticket": False,
                "ocsp_staple": False,
            },
            id="export-with-a-short-key",
        ),
        pytest.param(
            norm_groups(("secp384r1",)),
            record(hello(ECDHE_RSA, session_id=b"new") + CHAIN + curve(24) + DONE),
            {
                "tls_version": "TLSv1.2",
                "cipher": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
                "key_exchange": "secp384r1",
                "chain": CERTIFICATES,
                "extended_master_secret": False,
                "secure_renegotiation": False,
                "session_ticket": False,
                "ocsp_staple": False,
            },
            id="a-norm's-curve-in-tls-1.2",
        ),
    ],
)
def test_an_answer_that_accepts(
    question: DeepQuestion | Offer, pieces: bytes, expected: dict[str, Any]
) -> None:
    answer = read(question, pieces)
    asked = question if isinstance(question, DeepQuestion) else Q.NORM_GROUPS
    assert answer == DeepAnswer(question=asked, observed_at=NOW, accepted=Answer.YES, **expected)


@pytest.mark.parametrize(
    ("alerts", "accepted", "reason", "alert"),
    [
        pytest.param("15 0301 0002 02 28", Answer.NO, None, "handshake_failure", id="40"),
        pytest.param("15 0300 0002 02 46", Answer.NO, None, "protocol_version", id="70"),
        pytest.param("15 0303 0002 02 47", Answer.NO, None, "insufficient_security", id="71"),
        pytest.param("15 0303 0002 01 28", Answer.NO, None, "handshake_failure", id="as-a-warning"),
        pytest.param(
            "15 0303 0001 02 15 0303 0001 28", Answer.NO, None, "handshake_failure", id="in-pieces"
        ),
        pytest.param(
            "15 0303 0004 01 70 02 28", Answer.NO, None, "handshake_failure", id="after-a-warning"
        ),
        pytest.param(
            "15 0303 0002 02 50", Answer.NOT_TESTED, Reason.ALERT, "internal_error", id="80"
        ),
        pytest.param(
            "15 0303 0002 02 70", Answer.NOT_TESTED, Reason.ALERT, "unrecognized_name", id="112"
        ),
        pytest.param(
            "15 0303 0002 02 32", Answer.NOT_TESTED, Reason.ALERT, "decode_error", id="50"
        ),
        pytest.param("15 0303 0002 01 00", Answer.NOT_TESTED, Reason.CLOSED, None, id="closed"),
        pytest.param("15 0303 0002 01 70", Answer.NOT_TESTED, None, None, id="only-a-warning"),
    ],
)
def test_an_alert(alerts: str, accepted: Answer, reason: Reason | None, alert: str | None) -> None:
    answer = read(Q.BROKEN_SUITES, bytes.fromhex(alerts))
    found = answer.failure.reason if answer.failure is not None else None
    assert (answer.accepted, found, answer.alert) == (accepted, reason, alert)


def test_an_alert_after_the_server_hello_refuses_only_what_was_chosen() -> None:
    answer = read(Q.FINITE_FIELD_DH, record(hello(DHE_AES)) + record(CHAIN) + REFUSED)
    assert (answer.accepted, answer.alert) == (Answer.NOT_TESTED, "handshake_failure")
    assert answer.failure is not None
    assert (answer.failure.reason, answer.chain) == (Reason.ALERT, ())


def test_an_internal_error_refuses_old_versions_only_before_a_server_hello() -> None:
    """OpenSSL 3 says so where its security level allows no signature of TLS 1.1."""
    alert = bytes.fromhex("15 0302 0002 02 50")
    refused = read(Q.LEGACY_VERSION, alert)
    assert (refused.accepted, refused.alert) == (Answer.NO, "internal_error")
    begun = record(hello(ECDHE_CBC, version=TLS1) + CHAIN)
    assert read(Q.LEGACY_VERSION, begun + alert).accepted is Answer.NOT_TESTED


SHD: Final = CHAIN + DONE


@pytest.mark.parametrize(
    ("question", "data", "reason"),
    [
        pytest.param(Q.BROKEN_SUITES, b"", None, id="silence"),
        pytest.param(Q.BROKEN_SUITES, FLIGHTS[Q.BROKEN_SUITES][:-1], None, id="cut-short"),
        pytest.param(
            Q.BROKEN_SUITES, b"454 4.7.0 TLS not available\r\n", Reason.TLS_ERROR, id="smtp"
        ),
        pytest.param(
            Q.LEGACY_VERSION,
            bytes.fromhex("800b 04 00 01 0002 0000 0000"),
            Reason.TLS_ERROR,
            id="ssl-2.0",
        ),
        pytest.param(Q.BROKEN_SUITES, b"\xff" * 9, Reason.TLS_ERROR, id="garbage"),
        pytest.param(Q.BROKEN_SUITES, b"\x16\x02\x00\x00\x01\x02", Reason.TLS_ERROR, id="major-2"),
        pytest.param(
            Q.BROKEN_SUITES, b"\x16\x03\x03\x40\x01", Reason.TLS_ERROR, id="a-long-record"
        ),
        pytest.param(
            Q.BROKEN_SUITES,
            record(hello(RC4) + CHAIN) + CHANGE_CIPHER_SPEC,
            Reason.TLS_ERROR,
            id="a-resumed-session",
        ),
        pytest.param(
            Q.BROKEN_SUITES, record(b"") * (MAX_RECORDS + 1), Reason.LIMIT, id="empty-records"
        ),
        pytest.param(Q.BROKEN_SUITES, record(DONE), Reason.TLS_ERROR, id="no-server-hello"),
        pytest.param(
            Q.BROKEN_SUITES, record(hello(RC4) * 2 + SHD), Reason.TLS_ERROR, id="two-server-hellos"
        ),
        pytest.param(
            Q.BROKEN_SUITES, record(hello(RC4) + DONE), Reason.TLS_ERROR, id="no-certificate"
        ),
        pytest.param(
            Q.BROKEN_SUITES,
            record(hello(RC4) + certificate() + DONE),
            Reason.TLS_ERROR,
            id="an-empty-chain",
        ),
        pytest.param(
            Q.BROKEN_SUITES,
            record(hello(ANON) + CHAIN + message(12, dh_params()) + DONE),
            Reason.TLS_ERROR,
            id="anonymous-with-a-certificate",
        ),
        pytest.param(
            Q.BROKEN_SUITES,
            record(hello(RC4) + CHAIN + status() + DONE),
            Reason.TLS_ERROR,
            id="a-staple-without-extension",
        ),
        pytest.param(
            Q.BROKEN_SUITES,
            record(hello(RC4) + CHAIN + message(12, dh_params()) + DONE),
            Reason.TLS_ERROR,
            id="a-key-exchange-with-rsa",
        ),
        pytest.param(
            Q.FINITE_FIELD_DH, record(hello(DHE_AES) + SHD), Reason.TLS_ERROR, id="no-key-exchange"
        ),
        pytest.param(
            Q.FINITE_FIELD_DH,
            record(hello(DHE_AES) + CHAIN + message(12, dh_params(b"\xff" * 2049)) + DONE),
            Reason.TLS_ERROR,
            id="a-prime-longer-than-is-kept",
        ),
        pytest.param(
            Q.RSA_CERTIFICATE,
            record(hello(ECDHE_RSA) + CHAIN + curve(1) + DONE),
            Reason.TLS_ERROR,
            id="curve-not-offered",
        ),
        pytest.param(
            Q.RSA_CERTIFICATE,
            record(hello(ECDHE_RSA) + CHAIN + curve(23, kind=1) + DONE),
            Reason.TLS_ERROR,
            id="explicit-curve",
        ),
        pytest.param(
            Q.BROKEN_SUITES, record(hello(RSA_AES) + SHD), Reason.TLS_ERROR, id="suite-not-offered"
        ),
        pytest.param(
            Q.BROKEN_SUITES,
            record(hello(0x003B, version=TLS1) + SHD),
            Reason.TLS_ERROR,
            id="suite-of-tls-1.2-in-1.0",
        ),
        pytest.param(
            Q.LEGACY_VERSION, record(hello(RSA_AES) + SHD), Reason.TLS_ERROR, id="version-too-high"
        ),
        pytest.param(
            Q.BROKEN_SUITES,
            record(hello(RC4, version=0x0305) + SHD),
            Reason.TLS_ERROR,
            id="version-unknown",
        ),
        pytest.param(
            Q.BROKEN_SUITES,
            record(hello(RC4, (43, b"\3\4")) + SHD),
            Reason.TLS_ERROR,
            id="tls-1.3-not-offered",
        ),
        pytest.param(
            norm_groups(("secp384r1",)),
            record(hello(ECDHE_RSA, (43, b"\3\3")) + CHAIN + curve(24) + DONE),
            Reason.TLS_ERROR,
            id="tls-1.2-by-supported-versions",
        ),
        pytest.param(
            norm_groups(("secp384r1",)),
            record(hello(ECDHE_RSA, chance=bytes(24) + b"DOWNGRD\1") + CHAIN + curve(24) + DONE),
            Reason.TLS_ERROR,
            id="downgraded",
        ),
        pytest.param(
            Q.BROKEN_SUITES,
            record(hello(RC4, compression=64) + SHD),
            Reason.TLS_ERROR,
            id="compression-not-offered",
        ),
        pytest.param(
            Q.BROKEN_SUITES,
            record(hello(RC4, (16, b"\0\3\2h2")) + SHD),
            Reason.TLS_ERROR,
            id="extension-not-offered",
        ),
        pytest.param(
            Q.BROKEN_SUITES,
            record(hello(RC4, (23, b""), (23, b"")) + SHD),
            Reason.TLS_ERROR,
            id="extension-twice",
        ),
        pytest.param(Q.POST_QUANTUM, record(retry(29)), Reason.TLS_ERROR, id="group-not-offered"),
        pytest.param(
            Q.POST_QUANTUM,
            record(retry(session_id=bytes(32))),
            Reason.TLS_ERROR,
            id="another-session-id",
        ),
        pytest.param(
            Q.POST_QUANTUM,
            record(hello(TLS13_SUITE, (43, b"\3\4"), chance=RETRY, session_id=SESSION_ID)),
            Reason.TLS_ERROR,
            id="retry-without-group",
        ),
        pytest.param(
            Q.POST_QUANTUM,
            record(
                hello(
                    TLS13_SUITE,
                    (43, b"\3\4"),
                    (51, b"\x11\xec" + vector(b"key")),
                    session_id=SESSION_ID,
                )
            ),
            Reason.TLS_ERROR,
            id="a-key-that-nobody-asked-for",
        ),
        pytest.param(
            Q.POST_QUANTUM,
            record(
                hello(
                    TLS13_SUITE,
                    (51, b"\x11\xec"),
                    version=0x0304,
                    chance=RETRY,
                    session_id=SESSION_ID,
                )
            ),
            Reason.TLS_ERROR,
            id="tls-1.3-without-supported-versions",
        ),
        pytest.param(
            Q.POST_QUANTUM, record(hello(ECDHE_RSA)), Reason.TLS_ERROR, id="tls-1.2-instead-of-1.3"
        ),
        pytest.param(
            Q.BROKEN_SUITES,
            b"\x16\x03\x03\x00\x04\x02\xff\xff\xff" + record(bytes(16_000)) * 20,
            Reason.LIMIT,
            id="a-message-without-end",
        ),
    ],
)
def test_what_decides_nothing(
    question: DeepQuestion | Offer, data: bytes, reason: Reason | None
) -> None:
    answer = read(question, data)
    assert answer.accepted is Answer.NOT_TESTED
    assert (answer.failure.reason if answer.failure is not None else None) is reason
    assert (answer.cipher, answer.chain) == (None, ())


def test_hello_requests_are_ignored() -> None:
    """RFC 5246 §7.4.1.1."""
    answer = read(Q.BROKEN_SUITES, record(message(0) + hello(RC4) + message(0) + SHD))
    assert answer.accepted is Answer.YES


def test_certificates_beyond_the_bound_are_not_kept() -> None:
    answer = read(Q.BROKEN_SUITES, FLIGHTS[Q.BROKEN_SUITES], most_certificates=1)
    assert answer.chain == CERTIFICATES[:1]


def test_bytes_beyond_the_bound_are_not_read() -> None:
    size = len(FLIGHTS[Q.BROKEN_SUITES])
    assert read(Q.BROKEN_SUITES, FLIGHTS[Q.BROKEN_SUITES], most_bytes=size).cipher is not None
    answer = read(Q.BROKEN_SUITES, FLIGHTS[Q.BROKEN_SUITES], most_bytes=size - 1)
    assert answer.failure is not None
    assert answer.failure.reason is Reason.LIMIT


def test_what_comes_after_the_answer_is_not_read() -> None:
    for question, data in FLIGHTS.items():
        assert read(question, data + b"\xff" * 400_000) == read(question, data)


# -- in whatever pieces --


@pytest.mark.parametrize("question", FLIGHTS)
def test_an_answer_cut_at_every_byte_is_the_same(question: DeepQuestion) -> None:
    data = FLIGHTS[question]
    whole = read(question, data)
    assert whole.accepted is Answer.YES
    for at in range(len(data)):
        assert read(question, data[:at], data[at:]) == whole
    assert read(question, *(data[at : at + 1] for at in range(len(data)))) == whole


@given(st.sampled_from(list(FLIGHTS)), st.lists(st.integers(0, 5000)), st.data())
def test_pieces_and_records_do_not_matter(
    question: DeepQuestion, places: list[int], more: st.DataObject
) -> None:
    """RFC 5246 §6.2.1: a message may span records, and a record hold several."""
    messages = b"".join(_fragments(FLIGHTS[question]))
    fragments = cut(messages, more.draw(st.lists(st.integers(0, 5000), max_size=50)))
    data = b"".join(record(fragment) for fragment in fragments)
    assert read(question, *cut(data, places)) == read(question, FLIGHTS[question])


def _fragments(records: bytes) -> list[bytes]:
    found = []
    while records:
        end = 5 + int.from_bytes(records[3:5])
        found.append(records[5:end])
        records = records[end:]
    return found


@given(st.sampled_from(Q), st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=8))
def test_any_bytes_give_an_answer(question: DeepQuestion, data: bytes, places: list[int]) -> None:
    offer = OFFERS.get(question, norm_groups(("secp256r1",)))
    assert read(offer, *cut(data, places)) == read(offer, data)


@pytest.mark.timeout(0)  # a million takes minutes
@pytest.mark.parametrize("question", FLIGHTS)
def test_a_changed_answer_is_read_or_decides_nothing(question: DeepQuestion) -> None:
    """FUZZ_INPUTS is how often, in all; docs/contributing.md."""
    offered = {SUITES[suite] for suite in OFFERS[question].suites}
    for number in range(INPUTS // len(FLIGHTS)):
        rng = random.Random(f"{question} {number}")  # noqa: S311 - the same inputs each time
        data = changed(FLIGHTS[question], rng)
        answer = read(question, *cut(data, [rng.randrange(len(data) + 1)]))
        is_yes, is_no = answer.accepted is Answer.YES, answer.accepted is Answer.NO
        assert (answer.cipher in offered) is is_yes
        assert not is_no or answer.alert in (*REFUSALS, "internal_error")
        assert answer.failure is None or not (is_yes or is_no)
