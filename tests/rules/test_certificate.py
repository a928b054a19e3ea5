"""What is made of the certificates of an endpoint, on certificates good, odd and broken."""

import hashlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given
from hypothesis import strategies as st

from prober.records import Answer, Certificate, Code, Severity, TrustStore
from prober.rules.certificate_fields import CertificateReader, read_certificate
from tests.rules.certificates import (
    HOST,
    NO_TRUST,
    NOW,
    SAN_OID,
    SHA1_RSA,
    TRUST,
    Issued,
    dns,
    dsa_spki,
    ec_key,
    endpoint_of,
    extension,
    facts_of,
    findings_on,
    forge,
    is_authentic,
    issue,
    judge_leaf,
    rdn,
    rsa_1024,
    rsa_spki,
    san_extension,
    spki,
    tlv,
)

YES, NO, NOT_TESTED = Answer.YES, Answer.NO, Answer.NOT_TESTED
GOOD_SAN = san_extension(HOST.encode())

ROOT = issue("Root", san=None)
MIDDLE = issue("Middle", san=None, by=ROOT)
LEAF = issue(by=MIDDLE)
CROSS = issue("Middle", san=None, by=issue("Other Root", san=None))
SELF_SIGNED = issue()

MD5_RSA = bytes.fromhex("300d06092a864886f70d0101040500")
MD2_RSA = bytes.fromhex("300d06092a864886f70d0101020500")
SHA1_EC = bytes.fromhex("300906072a8648ce3d0401")
PSS_WITH_DEFAULTS = bytes.fromhex("300d06092a864886f70d01010a3000")  # SHA-1, RFC 4055 §3.1
PSS_WITHOUT_PARAMETERS = bytes.fromhex("300b06092a864886f70d01010a")
UNKNOWN_SIGNATURE = bytes.fromhex("30050603551d7f")
UNKNOWN_KEY = tlv(0x30, bytes.fromhex("30050603551d7f"), tlv(0x03, b"\0key"))
# sect233k1 with all its parameters written out: openssl ecparam -param_enc explicit
EXPLICIT_CURVE = bytes.fromhex(
    "308201153081d206072a8648ce3d02013081c6020101301d06072a8648ce3d01023012020200e906092a8648"
    "ce3d0102030202014a3040041e00000000000000000000000000000000000000000000000000000000000004"
    "1e000000000000000000000000000000000000000000000000000000000001043d04017232ba853a7e731af1"
    "29f22ff4149563a419c26bf50a4c9d6eefad612601db537dece819b7f70f555a67c427a8cd9bf18aeb9b56e0"
    "c11056fae6a3021e008000000000000000000000000000069d5bb915bcd46efb1ad5f173abdf020104033e00"
    "0400ce432aa5a2d73ec0bd26d251e623b480bdde0d06e5a21e75b98a92f9ee009d4587f694b59ddc188f2b51"
    "9b32854db7d5566ee6b95fbddaaabae2cb"
)
UNKNOWN_CURVE = spki(ec_key()).replace(
    bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d030177")
)
BAD_POINT = spki(ec_key())[:-1] + bytes([spki(ec_key())[-1] ^ 1])


def judge(
    *chain: bytes | Issued,
    errors: Iterable[tuple[int, int]] = (),
    now: datetime = NOW,
    trust: TrustStore = TRUST,
    mx_host: str = HOST,
) -> Certificate:
    facts = facts_of(*chain, errors=errors, mx_host=mx_host)
    certificate = judge_leaf(facts, now=now, trust=trust)
    assert certificate is not None
    return certificate


def codes(
    *chain: bytes | Issued,
    errors: Iterable[tuple[int, int]] = (),
    path: tuple[int, ...] = (),
    now: datetime = NOW,
    trust: TrustStore = TRUST,
    truncated: bool = False,
    mx_host: str = HOST,
) -> set[Code]:
    facts = facts_of(*chain, errors=errors, path=path, truncated=truncated, mx_host=mx_host)
    return {each.code for each in findings_on(endpoint_of(facts, trust=trust, now=now), now=now)}


def details(
    *chain: bytes | Issued, errors: Iterable[tuple[int, int]] = (), now: datetime = NOW
) -> list[str]:
    findings = findings_on(endpoint_of(facts_of(*chain, errors=errors), now=now), now=now)
    return [str(finding.detail) for finding in findings]


def test_no_chain_gives_no_certificate_and_no_findings() -> None:
    facts = facts_of()

    assert findings_on(endpoint_of(facts), now=NOW) == ()


@pytest.mark.parametrize(
    ("errors", "trust", "trusted"),
    [
        pytest.param([(0, 18)], TRUST, NO, id="self-signed"),
        pytest.param([(1, 19)], TRUST, NO, id="self-signed-in-chain"),
        pytest.param([(0, 20), (0, 21)], TRUST, NO, id="no-issuer"),
        pytest.param([(1, 10)], TRUST, NO, id="issuer-expired"),
        pytest.param([(1, 9)], TRUST, NO, id="issuer-not-yet-valid"),
        pytest.param([(0, 10), (0, 26)], TRUST, NO, id="expired-hides-no-other-error"),
        pytest.param([], NO_TRUST, NOT_TESTED, id="no-trust-store"),
        pytest.param([(0, 20)], NO_TRUST, NOT_TESTED, id="no-trust-store-and-so-no-issuer"),
        pytest.param([], TRUST, YES, id="no-error"),
        pytest.param([(0, 10)], TRUST, YES, id="leaf-expired-is-in-date-not-trust"),
        pytest.param([(0, 9)], TRUST, YES, id="leaf-not-yet-valid-is-in-date-not-trust"),
    ],
)
def test_trusted(errors: list[tuple[int, int]], trust: TrustStore, trusted: Answer) -> None:
    assert judge(LEAF, errors=errors, trust=trust).trusted is trusted


START, END = NOW - timedelta(days=30), NOW + timedelta(days=60)
SECOND = timedelta(seconds=1)
UNDATED = forge(GOOD_SAN, not_before=b"xx1201000000Z")


@pytest.mark.parametrize(
    ("certificate", "now", "errors", "in_date"),
    [
        pytest.param(LEAF, END + SECOND, [], NO, id="after-the-end"),
        pytest.param(LEAF, START - SECOND, [], NO, id="before-the-start"),
        pytest.param(UNDATED, NOW, [(0, 10)], NO, id="unreadable-but-openssl-says-expired"),
        pytest.param(UNDATED, NOW, [(0, 9)], NO, id="unreadable-but-openssl-says-too-early"),
        pytest.param(UNDATED, NOW, [], NOT_TESTED, id="unreadable"),
        pytest.param(UNDATED, NOW, [(1, 10)], NOT_TESTED, id="unreadable-and-another-expired"),
        pytest.param(LEAF, NOW, [], YES, id="within"),
        pytest.param(LEAF, START, [], YES, id="5280-4.1.2.5-first-second"),
        pytest.param(LEAF, END, [], YES, id="5280-4.1.2.5-last-second"),
        pytest.param(LEAF, NOW, [(0, 10)], YES, id="judged-for-another-time-than-seen"),
    ],
)
def test_in_date(
    certificate: bytes | Issued, now: datetime, errors: list[tuple[int, int]], in_date: Answer
) -> None:
    assert judge(certificate, now=now, errors=errors).in_date is in_date


@pytest.mark.parametrize(
    ("certificate", "name_matches"),
    [
        pytest.param(issue(san=None), NO, id="9525-2-common-name-only"),
        pytest.param(issue(san=["mx2.example.com"]), NO, id="another-name"),
        pytest.param(issue(san=[]), NO, id="empty-san"),
        pytest.param(forge(san_extension(b"mx.example.com.")), NO, id="malformed-only"),
        pytest.param(forge(extension(SAN_OID, b"junk")), NOT_TESTED, id="unreadable-san"),
        pytest.param(b"junk", NOT_TESTED, id="unreadable-certificate"),
        pytest.param(issue(san=["*.example.com"]), YES, id="9525-6.3-wildcard"),
        pytest.param(issue(san=["other.example", HOST]), YES, id="second-name"),
        pytest.param(
            issue(san=[f"mx{n}.example.net" for n in range(200)] + [HOST]), YES, id="beyond-the-cap"
        ),
        pytest.param(
            forge(san_extension(b"\xff", HOST.encode())), YES, id="malformed-hides-no-good-one"
        ),
    ],
)
def test_name_matches(certificate: bytes | Issued, name_matches: Answer) -> None:
    assert judge(certificate).name_matches is name_matches


def test_a_good_certificate_is_read_in_full() -> None:
    certificate = judge(LEAF)

    assert certificate == Certificate(
        subject=f"CN={HOST}",
        issuer="CN=Middle",
        san=(HOST,),
        serial="abc",
        not_before=START,
        not_after=END,
        key="EC secp256r1",
        signature="ecdsa-with-SHA256",
        sha256=hashlib.sha256(LEAF.der).hexdigest(),
        spki_sha256=hashlib.sha256(spki(LEAF.key)).hexdigest(),
        trusted=YES,
        name_matches=YES,
        in_date=YES,
        errors=(),
    )
    assert certificate.not_after is not None
    assert certificate.not_after.tzinfo is UTC


@pytest.mark.parametrize(
    ("der", "key"),
    [
        pytest.param(forge(public_key=UNKNOWN_CURVE), None, id="unknown-curve"),
        pytest.param(forge(public_key=EXPLICIT_CURVE), None, id="explicit-curve"),
        pytest.param(forge(public_key=BAD_POINT), None, id="point-off-the-curve"),
        pytest.param(forge(public_key=UNKNOWN_KEY), "2.5.29.127", id="unknown-kind"),
        pytest.param(forge(public_key=rsa_spki(512)), "RSA 512", id="rsa-512"),
        pytest.param(forge(public_key=rsa_spki(16_384)), "RSA 16384", id="rsa-16384"),
        pytest.param(forge(public_key=rsa_spki(700_000)), "RSA 700000", id="rsa-700000"),
        pytest.param(forge(public_key=dsa_spki(1024)), "DSA 1024", id="dsa-1024"),
        pytest.param(issue(key=rsa_1024()).der, "RSA 1024", id="rsa-1024"),
        pytest.param(issue(key=ed25519.Ed25519PrivateKey.generate()).der, "Ed25519", id="ed25519"),
    ],
)
def test_key(der: bytes, key: str | None) -> None:
    assert judge(der).key == key


@pytest.mark.parametrize(
    ("algorithm", "signature"),
    [
        pytest.param(PSS_WITHOUT_PARAMETERS, None, id="pss-without-parameters"),
        pytest.param(UNKNOWN_SIGNATURE, "2.5.29.127", id="unknown"),
        pytest.param(MD2_RSA, "md2WithRSAEncryption", id="unknown-to-cryptography"),
        pytest.param(SHA1_EC, "ecdsa-with-SHA1", id="ecdsa-sha1"),
        pytest.param(PSS_WITH_DEFAULTS, "rsassaPss", id="pss"),
    ],
)
def test_signature(algorithm: bytes, signature: str | None) -> None:
    assert judge(forge(algorithm=algorithm)).signature == signature


BER_BOOLEAN = forge(extension(SAN_OID, dns(HOST.encode()), critical=b"\x01\x01\x01"))
BAD_VERSION = bytes.fromhex("a003020109")


def refused(not_before: bytes, not_after: bytes) -> bytes:
    """A certificate that cryptography refuses in whole, with these elements as its dates."""
    san = extension(SAN_OID, dns(HOST.encode()), critical=b"\x01\x01\x01")
    return forge(san, validity=tlv(0x30, not_before, not_after))


UTC_DATE = tlv(0x17, b"251201000000Z")


@pytest.mark.parametrize(
    ("der", "dates"),
    [
        pytest.param(refused(tlv(0x17, b"xx1201000000Z"), UTC_DATE), None, id="no-digits"),
        pytest.param(refused(UTC_DATE, tlv(0x17, b"261301000000Z")), None, id="month-13"),
        pytest.param(refused(UTC_DATE, tlv(0x17, b"260301000060Z")), None, id="second-60"),
        pytest.param(refused(UTC_DATE, tlv(0x17, b"2603010000Z")), None, id="5280-no-seconds"),
        pytest.param(refused(UTC_DATE, tlv(0x17, b"260301000000+0100")), None, id="5280-offset"),
        pytest.param(refused(UTC_DATE, tlv(0x17, b"260301000000")), None, id="5280-no-z"),
        pytest.param(refused(UTC_DATE, tlv(0x18, b"20260301000000.5Z")), None, id="5280-fraction"),
        pytest.param(refused(UTC_DATE, tlv(0x04, b"260301000000Z")), None, id="no-time"),
        pytest.param(refused(UTC_DATE, b""), None, id="one-date"),
        pytest.param(BER_BOOLEAN, ("2025-12-01", "2026-03-01"), id="utc-times"),
        pytest.param(
            refused(tlv(0x17, b"500101000000Z"), tlv(0x18, b"20500101000000Z")),
            ("1950-01-01", "2050-01-01"),
            id="5280-4.1.2.5-year-50-and-generalized-time",
        ),
    ],
)
def test_dates_of_a_certificate_that_cannot_be_read_otherwise(
    der: bytes, dates: tuple[str, str] | None
) -> None:
    certificate = judge(der)
    assert certificate.subject is None
    seen = (certificate.not_before, certificate.not_after)
    assert tuple(each and str(each.date()) for each in seen) == (dates or (None, None))
    assert (certificate.in_date is NOT_TESTED) is (dates is None)


def test_an_unreadable_certificate_that_expired_is_told() -> None:
    late = datetime(2026, 3, 2, tzinfo=UTC)
    assert Code.CERTIFICATE_EXPIRED in codes(BER_BOOLEAN, now=late)


@given(st.binary() | st.binary(max_size=40).map(lambda text: refused(text, text)))
def test_reading_dates_never_raises(der: bytes) -> None:
    read_certificate(der)


@pytest.mark.parametrize(
    ("der", "lost", "error"),
    [
        pytest.param(
            b"",
            {"subject", "issuer", "serial", "not_before", "not_after", "key", "signature"}
            | {"spki_sha256"},
            "certificate: ",
            id="nothing",
        ),
        pytest.param(
            BER_BOOLEAN,
            {"subject", "issuer", "serial", "key", "signature"},
            "Extension::critical",
            id="ber-boolean-costs-all-but-the-san-and-the-dates",
        ),
        pytest.param(
            forge(GOOD_SAN, version=BAD_VERSION),
            {"subject", "issuer", "serial", "key", "signature"},
            "certificate: ",
            id="5280-4.1.2.1-unknown-version-costs-not-the-dates",
        ),
        pytest.param(forge(GOOD_SAN, subject=rdn(b"\xff")), {"subject"}, "subject: ", id="subject"),
        pytest.param(forge(GOOD_SAN, issuer=rdn(b"\xff")), {"issuer"}, "issuer: ", id="issuer"),
        pytest.param(
            forge(GOOD_SAN, public_key=BAD_POINT), {"key"}, "public key: ", id="public-key"
        ),
        pytest.param(
            forge(GOOD_SAN, algorithm=PSS_WITHOUT_PARAMETERS),
            {"signature"},
            "signature algorithm: ",
            id="signature-algorithm",
        ),
        pytest.param(forge(GOOD_SAN, GOOD_SAN), set(), None, id="5280-4.2-same-extension-twice"),
        pytest.param(
            forge(GOOD_SAN, serial=b"\xff"), set(), "serial number", id="5280-4.1.2.2-negative"
        ),
        pytest.param(forge(GOOD_SAN, serial=b"\0"), set(), "serial number", id="serial-zero"),
        pytest.param(
            forge(san_extension(b"\xff", HOST.encode())),
            set(),
            r"subjectAltName: '\xff' is not ASCII",
            id="malformed-san",
        ),
    ],
)
def test_one_bad_field_costs_only_itself(der: bytes, lost: set[str], error: str | None) -> None:
    certificate = judge(der)

    fields = set(certificate.__slots__)
    assert {name for name in fields if getattr(certificate, name) is None} == lost
    assert certificate.sha256 == hashlib.sha256(der).hexdigest()
    if error is None:
        assert certificate.errors == ()
    else:
        assert any(error in each for each in certificate.errors)
    assert (Code.CERTIFICATE_UNREADABLE in codes(der)) is bool(lost)


@pytest.mark.parametrize(
    ("usage", "forbids"),
    [
        pytest.param("03020520", True, id="5280-4.2.1.3-key-encipherment"),
        pytest.param("03020308", True, id="5280-4.2.1.3-key-agreement"),
        pytest.param("0303070080", True, id="5280-4.2.1.3-decipher-only"),
        pytest.param("03020780", False, id="5280-4.2.1.3-digital-signature"),
        pytest.param("030205a0", False, id="5280-4.2.1.3-both"),
        pytest.param("03020700", False, id="no-bit"),
        pytest.param("030100", False, id="no-octet"),
        pytest.param("", False, id="empty"),
        pytest.param("0500", False, id="null"),
    ],
)
def test_what_the_key_may_be_used_for(usage: str, *, forbids: bool) -> None:
    key_usage = extension(bytes.fromhex("0603551d0f"), bytes.fromhex(usage))
    assert read_certificate(forge(GOOD_SAN, key_usage)).forbids_signing is forbids


def test_without_a_key_usage_the_key_may_sign() -> None:
    assert not read_certificate(forge(GOOD_SAN)).forbids_signing


def test_verification_errors_come_first_with_their_depth() -> None:
    bad = forge(GOOD_SAN, subject=rdn(b"\xff"))

    errors = judge(bad, errors=[(0, 20), (1, 10)]).errors

    assert errors[:2] == (
        "its issuer is not a trust anchor and was not sent (X509 error 20 at depth 0)",
        "an issuer's certificate has expired (X509 error 10 at depth 1)",
    )
    assert errors[2].startswith("subject: ")


@pytest.mark.parametrize(
    ("depth", "code", "words"),
    [
        (1, 9, "an issuer's certificate is not valid yet"),
        (0, 18, "it is self-signed"),
        (1, 19, "its chain ends in a self-signed certificate that is not a trust anchor"),
        (1, 24, "an issuer has no public key"),
        (2, 25, "the chain is longer than an issuer allows"),
        (0, 26, "it is not for TLS servers (extended key usage)"),
        (1, 26, "an issuer's certificate is not for TLS servers (extended key usage)"),
        (0, 34, "a critical extension is unknown"),
        (0, 47, "its CA may not issue for this name (name constraints)"),
        (0, 48, "its CA may not issue for this name (name constraints)"),
        (1, 79, "an issuer is not a CA"),
        (0, 9999, "error 9999"),
    ],
)
def test_verification_errors_are_in_plain_words(depth: int, code: int, words: str) -> None:
    (error, *_) = judge(LEAF, errors=[(depth, code)]).errors
    assert error == f"{words} (X509 error {code} at depth {depth})"


def test_texts_and_lists_are_capped() -> None:
    names = [b"%d.example" % number for number in range(300)]
    malformed = [b"x" * 300] * 300
    hostile = forge(
        san_extension(*names, *malformed),
        subject=rdn(b"s" * 5000),
        issuer=rdn(b"i" * 5000),
        serial=b"\xff",
    )

    certificate = judge(hostile, errors=[(0, 20)])

    assert len(certificate.subject or "") == len(certificate.issuer or "") == 512
    assert len(certificate.san) == 100
    assert len(certificate.errors) == 50
    assert max(map(len, certificate.errors)) <= 220
    assert max(map(len, details(hostile, errors=[(0, 20)]))) <= 1000


@pytest.mark.parametrize(
    ("judged", "answer"),
    [
        pytest.param(lambda: judge(LEAF, errors=[(0, 18)]), NO, id="not-trusted"),
        pytest.param(lambda: judge(LEAF, now=END + SECOND), NO, id="expired"),
        pytest.param(lambda: judge(LEAF, mx_host="mx2.example.com"), NO, id="another-host"),
        pytest.param(
            lambda: judge(LEAF, trust=NO_TRUST, now=END + SECOND), NO, id="one-no-decides"
        ),
        pytest.param(lambda: judge(LEAF, trust=NO_TRUST), NOT_TESTED, id="trust-not-tested"),
        pytest.param(lambda: judge(LEAF), YES, id="all-yes"),
    ],
)
def test_authentic_by_what_the_certificate_says(
    judged: Callable[[], Certificate], answer: Answer
) -> None:
    assert is_authentic(facts_of(LEAF), judged()) is answer


GOOD = forge(GOOD_SAN)


@pytest.mark.parametrize(
    ("chain", "path", "truncated", "answer"),
    [
        pytest.param([forge(GOOD_SAN, algorithm=SHA1_RSA)], (0,), False, NO, id="sha1"),
        pytest.param([forge(GOOD_SAN, algorithm=SHA1_RSA)], (), False, NO, id="sha1-no-path"),
        pytest.param([forge(GOOD_SAN, algorithm=SHA1_EC)], (0,), False, NO, id="ecdsa-sha1"),
        pytest.param([forge(GOOD_SAN, algorithm=MD5_RSA)], (0,), False, NO, id="md5"),
        pytest.param([forge(GOOD_SAN, algorithm=MD2_RSA)], (0,), False, NO, id="md2"),
        pytest.param(
            [forge(GOOD_SAN, algorithm=PSS_WITH_DEFAULTS)], (0,), False, NO, id="pss-sha1"
        ),
        pytest.param([forge(GOOD_SAN, public_key=rsa_spki(512))], (0,), False, NO, id="rsa-512"),
        pytest.param([forge(GOOD_SAN, public_key=rsa_spki(2040))], (0,), False, NO, id="rsa-2040"),
        pytest.param([forge(GOOD_SAN, public_key=dsa_spki(1024))], (0,), False, NO, id="dsa-1024"),
        pytest.param([GOOD, forge(algorithm=SHA1_RSA)], (0, 1), False, NO, id="issuer-sha1"),
        pytest.param([GOOD, forge(public_key=rsa_spki(1024))], (0, 1), False, NO, id="issuer-rsa"),
        pytest.param(
            [forge(GOOD_SAN, public_key=UNKNOWN_CURVE), forge(algorithm=SHA1_RSA)],
            (0, 1),
            False,
            NO,
            id="no-beats-unreadable",
        ),
        pytest.param(
            [forge(GOOD_SAN, public_key=UNKNOWN_CURVE)], (0,), False, NOT_TESTED, id="unknown-curve"
        ),
        pytest.param(
            [forge(GOOD_SAN, algorithm=PSS_WITHOUT_PARAMETERS)],
            (0,),
            False,
            NOT_TESTED,
            id="signature-unreadable",
        ),
        pytest.param([GOOD, b"junk"], (0, 1), False, NOT_TESTED, id="issuer-unreadable"),
        pytest.param([GOOD], (0,), True, NOT_TESTED, id="chain-truncated"),
        pytest.param([GOOD], (0,), False, YES, id="strong"),
        pytest.param([forge(GOOD_SAN, public_key=rsa_spki(2048))], (0,), False, YES, id="rsa-2048"),
        pytest.param([forge(GOOD_SAN, public_key=UNKNOWN_KEY)], (0,), False, YES, id="unknown-key"),
        pytest.param(
            [forge(GOOD_SAN, algorithm=UNKNOWN_SIGNATURE)], (0,), False, YES, id="unknown-signature"
        ),
        pytest.param([GOOD, forge(algorithm=SHA1_RSA)], (0,), False, YES, id="root-sha1"),
        pytest.param([GOOD, forge(algorithm=SHA1_RSA)], (), False, YES, id="no-path-leaf-only"),
        pytest.param(
            [forge(GOOD_SAN, issuer=rdn(HOST.encode()), algorithm=SHA1_RSA)],
            (0,),
            False,
            YES,
            id="leaf-that-is-the-anchor-sha1",
        ),
    ],
)
def test_authentic_by_strength(
    chain: list[bytes], path: tuple[int, ...], truncated: bool, answer: Answer
) -> None:
    facts = facts_of(*chain, path=path, truncated=truncated)

    assert is_authentic(facts, judge_leaf(facts)) is answer


@pytest.mark.parametrize(
    ("tls_version", "answer"),
    [
        pytest.param("TLSv1.2", NO, id="anonymous-suite"),
        pytest.param(None, NOT_TESTED, id="no-handshake"),
    ],
)
def test_authentic_without_a_certificate(tls_version: str | None, answer: Answer) -> None:
    assert is_authentic(facts_of(tls_version=tls_version), None) is answer


SHORT_LIVED = issue(by=MIDDLE, lives=(-3, 3))
TRUSTED_SHA1 = forge(GOOD_SAN, issuer=rdn(HOST.encode()), algorithm=SHA1_RSA)
UNTRUSTED = {Code.CERTIFICATE_NOT_TRUSTED}
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(lambda: codes(LEAF, now=END + DAY), {Code.CERTIFICATE_EXPIRED}, id="expired"),
        pytest.param(
            lambda: codes(LEAF, now=END + DAY, errors=[(0, 10)]),
            {Code.CERTIFICATE_EXPIRED},
            id="only-expired",
        ),
        pytest.param(
            lambda: codes(LEAF, now=END + DAY, errors=[(0, 10), (1, 10)]),
            {Code.CERTIFICATE_EXPIRED, *UNTRUSTED},
            id="expired-and-so-is-its-issuer",
        ),
        pytest.param(
            lambda: codes(LEAF, now=START - DAY, errors=[(0, 9)]),
            {Code.CERTIFICATE_NOT_YET_VALID},
            id="not-yet-valid",
        ),
        pytest.param(
            lambda: codes(issue(by=MIDDLE, lives=(-1, 5)), now=START),
            {Code.CERTIFICATE_NOT_YET_VALID},
            id="not-yet-valid-is-not-soon-over",
        ),
        pytest.param(
            lambda: codes(UNDATED, errors=[(0, 10)]),
            {Code.CERTIFICATE_EXPIRED, Code.CERTIFICATE_UNREADABLE},
            id="unreadable-date-and-expired",
        ),
        pytest.param(
            lambda: codes(LEAF, now=END - 14 * DAY),
            {Code.CERTIFICATE_EXPIRES_SOON},
            id="14-days-left",
        ),
        pytest.param(
            lambda: codes(LEAF, now=END), {Code.CERTIFICATE_EXPIRES_SOON}, id="last-second"
        ),
        pytest.param(
            lambda: codes(LEAF, now=END - 14 * DAY - SECOND), set(), id="more-than-14-days-left"
        ),
        pytest.param(lambda: codes(SHORT_LIVED), set(), id="half-of-six-days-left"),
        pytest.param(
            lambda: codes(SHORT_LIVED, now=NOW + DAY),
            {Code.CERTIFICATE_EXPIRES_SOON},
            id="2-of-6-days-left",
        ),
        pytest.param(
            lambda: codes(SELF_SIGNED, errors=[(0, 18)]),
            {Code.CERTIFICATE_SELF_SIGNED, *UNTRUSTED},
            id="self-signed",
        ),
        pytest.param(
            lambda: codes(SELF_SIGNED, trust=NO_TRUST),
            {Code.CERTIFICATE_SELF_SIGNED},
            id="no-trust-store",
        ),
        pytest.param(lambda: codes(SELF_SIGNED, path=(0,)), set(), id="self-signed-and-trusted"),
        pytest.param(
            lambda: codes(BER_BOOLEAN, errors=[(0, 18)]),
            {Code.CERTIFICATE_SELF_SIGNED, Code.CERTIFICATE_UNREADABLE, *UNTRUSTED},
            id="self-signed-by-openssl's-word",
        ),
        pytest.param(
            lambda: codes(issue(by=ROOT, issuer=HOST), errors=[(0, 7)]),
            UNTRUSTED,
            id="own-issuer-by-name-only",
        ),
        pytest.param(
            lambda: codes(TRUSTED_SHA1, errors=[(0, 18)]),
            {Code.CERTIFICATE_SELF_SIGNED, *UNTRUSTED},
            id="self-signed-sha1-is-no-weak-signature",
        ),
        pytest.param(
            lambda: codes(LEAF, MIDDLE, ROOT, errors=[(2, 19)]), UNTRUSTED, id="private-root-sent"
        ),
        pytest.param(
            lambda: codes(issue(by=MIDDLE, san=["other.example"])),
            {Code.CERTIFICATE_HOST_MISMATCH},
            id="another-name",
        ),
        pytest.param(
            lambda: codes(issue(by=MIDDLE, san=["*.example.com"]), mx_host="mx_1.example.com"),
            {Code.CERTIFICATE_NAME_DISPUTED},
            id="wildcard-for-an-underscore",
        ),
        pytest.param(
            lambda: codes(
                issue(by=MIDDLE, san=["*.example.com", "mx_1.example.com"]),
                mx_host="mx_1.example.com",
            ),
            set(),
            id="underscore-in-full",
        ),
        pytest.param(
            lambda: codes(issue(by=MIDDLE, san=["m*.example.com"])),
            {
                Code.CERTIFICATE_HOST_MISMATCH,
                Code.CERTIFICATE_NAME_DISPUTED,
                Code.CERTIFICATE_SAN_MALFORMED,
            },
            id="wildcard-in-a-label",
        ),
        pytest.param(
            lambda: codes(issue(by=MIDDLE, san=None)),
            {Code.CERTIFICATE_HOST_MISMATCH, Code.CERTIFICATE_COMMON_NAME_ONLY},
            id="common-name-only",
        ),
        pytest.param(
            lambda: codes(issue("other.example", by=MIDDLE, san=None)),
            {Code.CERTIFICATE_HOST_MISMATCH},
            id="another-common-name-only",
        ),
        pytest.param(
            lambda: codes(forge(san_extension(b"mx.example.com."))),
            {Code.CERTIFICATE_HOST_MISMATCH, Code.CERTIFICATE_SAN_MALFORMED},
            id="malformed-san-and-common-name",
        ),
        pytest.param(
            lambda: codes(forge(san_extension(b"\xff", HOST.encode()))),
            {Code.CERTIFICATE_SAN_MALFORMED},
            id="malformed-san-beside-a-good-one",
        ),
        pytest.param(
            lambda: codes(forge(GOOD_SAN, public_key=rsa_spki(1024))),
            {Code.CERTIFICATE_KEY_WEAK},
            id="key",
        ),
        pytest.param(
            lambda: codes(forge(GOOD_SAN, algorithm=SHA1_RSA)),
            {Code.CERTIFICATE_SIGNATURE_WEAK},
            id="signature",
        ),
        pytest.param(
            lambda: codes(forge(GOOD_SAN, serial=b"\0")), set(), id="a-remark-is-no-finding"
        ),
        pytest.param(
            lambda: codes(LEAF, b"junk", path=(0, 1)),
            {Code.CERTIFICATE_UNREADABLE},
            id="unreadable-on-the-path",
        ),
        pytest.param(
            lambda: codes(LEAF, MIDDLE, b"junk", path=(0, 1)),
            set(),
            id="unreadable-beside-the-path",
        ),
        pytest.param(lambda: codes(LEAF, MIDDLE, path=(0, 1)), set(), id="good"),
    ],
)
def test_findings(found: Callable[[], set[Code]], expected: set[Code]) -> None:
    assert found() == expected


UNRELATED = issue("Unrelated", san=None)
NO_ISSUER = [(0, 20), (0, 21)]


@pytest.mark.parametrize(
    ("chain", "fault"),
    [
        pytest.param(
            [LEAF, ROOT, MIDDLE], "certificate 2 comes before the one it issued", id="swap"
        ),
        pytest.param([LEAF, LEAF, MIDDLE], "certificate 2 was sent before", id="leaf-twice"),
        pytest.param([LEAF, MIDDLE, MIDDLE], "certificate 3 was sent before", id="issuer-twice"),
        pytest.param(
            [LEAF, MIDDLE, UNRELATED],
            "certificate 3 issued none of the others",
            id="unrelated-last",
        ),
        pytest.param(
            [LEAF, UNRELATED, MIDDLE],
            "certificate 2 issued none of the others",
            id="unrelated-inside",
        ),
        pytest.param([LEAF, UNRELATED], "certificate 2 issued none of the others", id="unrelated"),
        pytest.param([LEAF, b"junk", UNRELATED], None, id="unreadable-so-not-told"),
        pytest.param([LEAF], None, id="leaf-alone"),
        pytest.param([LEAF, MIDDLE], None, id="in-order"),
        pytest.param([LEAF, MIDDLE, ROOT], None, id="with-its-root"),
        pytest.param([LEAF, MIDDLE, CROSS, ROOT], None, id="8446-4.4.2-cross-signed-issuer-too"),
        pytest.param([SELF_SIGNED], None, id="self-signed"),
    ],
)
def test_order_of_the_chain(chain: list[bytes | Issued], fault: str | None) -> None:
    findings = findings_on(endpoint_of(facts_of(*chain)), now=NOW)

    faults = [each.detail for each in findings if each.code is Code.CHAIN_MISORDERED]
    assert faults == ([] if fault is None else [fault])


def other_spelling(name: bytes) -> bytes:
    return rdn(name, tag=0x13)


@pytest.mark.parametrize(
    ("chain", "issuer"),
    [
        pytest.param(
            [LEAF], "leaf certificate (CN=mx.example.com): its issuer CN=Middle", id="leaf"
        ),
        pytest.param([LEAF, MIDDLE], "certificate 2 (CN=Middle): its issuer CN=Root", id="middle"),
        pytest.param(
            [LEAF, UNRELATED],
            "leaf certificate (CN=mx.example.com): its issuer CN=Middle",
            id="unrelated-instead",
        ),
        pytest.param(
            [
                forge(issuer=rdn(b"A")),
                forge(subject=rdn(b"A"), issuer=rdn(b"B")),
                forge(subject=rdn(b"B"), issuer=rdn(b"A")),
            ],
            "certificate 3 (CN=B): its issuer CN=A",
            id="a-loop",
        ),
        pytest.param(
            [forge(issuer=rdn(b"\xff"))],
            "leaf certificate (CN=mx.example.com): its issuer name unreadable",
            id="issuer-unreadable",
        ),
        pytest.param(
            [forge(issuer=tlv(0x30))],
            "leaf certificate (CN=mx.example.com): its issuer no name",
            id="issuer-empty",
        ),
        pytest.param(
            [forge(issuer=rdn(b"Root CA")), forge(subject=rdn(b"\xff"), issuer=rdn(b"\xff"))],
            "leaf certificate (CN=mx.example.com): its issuer CN=Root CA",
            id="unreadable-name-is-no-issuer",
        ),
        pytest.param([SELF_SIGNED], None, id="self-signed"),
        pytest.param([LEAF, MIDDLE, ROOT], None, id="root-sent"),
        pytest.param([b"junk"], None, id="unreadable"),
        pytest.param(
            [
                forge(issuer=rdn(b"Root CA")),
                forge(subject=other_spelling(b"root  ca"), issuer=other_spelling(b"ROOT CA")),
            ],
            None,
            id="5280-7.1-names-compare-without-case-and-spaces",
        ),
        pytest.param(
            [forge(issuer=rdn(b"\xff")), forge(subject=rdn(b"\xff"), issuer=rdn(b"\xff"))],
            None,
            id="unreadable-names-compare-by-bytes",
        ),
    ],
)
def test_missing_issuer(chain: list[bytes | Issued], issuer: str | None) -> None:
    findings = findings_on(endpoint_of(facts_of(*chain, errors=NO_ISSUER)), now=NOW)

    missing = [each.detail for each in findings if each.code is Code.CHAIN_INCOMPLETE]
    told = f"{issuer} was not sent and is not a trust anchor"
    assert missing == ([] if issuer is None else [told])


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(lambda: codes(LEAF), id="trusted"),
        pytest.param(lambda: codes(LEAF, errors=[(0, 26)]), id="another-error"),
        pytest.param(lambda: codes(LEAF, errors=NO_ISSUER, trust=NO_TRUST), id="no-trust-store"),
        pytest.param(lambda: codes(LEAF, errors=NO_ISSUER, truncated=True), id="cut-short-by-us"),
    ],
)
def test_no_issuer_is_missed_without_reason(found: Callable[[], set[Code]]) -> None:
    assert Code.CHAIN_INCOMPLETE not in found()


@pytest.mark.parametrize(
    ("told", "detail"),
    [
        pytest.param(
            lambda: details(LEAF, now=END + SECOND),
            "expired on 2026-03-02, less than a day ago",
            id="expired-today",
        ),
        pytest.param(
            lambda: details(LEAF, now=END + DAY), "expired on 2026-03-02, 1 day ago", id="yesterday"
        ),
        pytest.param(
            lambda: details(LEAF, now=START - 2 * DAY),
            "valid from 2025-12-02, in 2 days",
            id="not-yet-valid",
        ),
        pytest.param(
            lambda: details(LEAF, now=END - 3 * DAY), "expires on 2026-03-02, in 3 days", id="soon"
        ),
        pytest.param(
            lambda: details(UNDATED, errors=[(0, 10)]),
            "by OpenSSL's verification; the date itself cannot be read",
            id="date-unreadable",
        ),
        pytest.param(
            lambda: details(LEAF, errors=[(0, 10), (0, 20), (1, 7)]),
            "its issuer is not a trust anchor and was not sent (X509 error 20 at depth 0), "
            "a signature is wrong (X509 error 7 at depth 1)",
            id="not-trusted",
        ),
        pytest.param(
            lambda: details(SELF_SIGNED, errors=[(0, 18)]),
            "issued by itself: CN=mx.example.com",
            id="self-signed",
        ),
        pytest.param(
            lambda: details(issue(by=MIDDLE, san=[f"mx{n}.example.net" for n in range(7)])),
            "not for mx.example.com, but for mx0.example.net, mx1.example.net, mx2.example.net, "
            "mx3.example.net, mx4.example.net and 2 more",
            id="host-mismatch",
        ),
        pytest.param(
            lambda: details(issue(by=MIDDLE, san=None)),
            "not for mx.example.com, but for no host",
            id="no-san",
        ),
        pytest.param(
            lambda: details(issue("*.example.com", by=MIDDLE, san=None)),
            "only the common name *.example.com is the host's, and that is no proof",
            id="common-name-only",
        ),
        pytest.param(
            lambda: details(forge(GOOD_SAN, public_key=rsa_spki(1024))),
            "leaf certificate (CN=mx.example.com): RSA 1024",
            id="key-weak",
        ),
        pytest.param(
            lambda: details(forge(GOOD_SAN, algorithm=SHA1_RSA)),
            "leaf certificate (CN=mx.example.com): sha1WithRSAEncryption",
            id="signature-weak",
        ),
    ],
)
def test_details(told: Callable[[], list[str]], detail: str) -> None:
    assert detail in told()


def test_weak_issuers_are_told_one_by_one_and_only_on_the_path() -> None:
    weak = forge(subject=rdn(b"Weak"), public_key=rsa_spki(1024), algorithm=SHA1_RSA)
    beside = forge(subject=rdn(b"Beside"), public_key=rsa_spki(512), algorithm=MD5_RSA)
    facts = facts_of(forge(GOOD_SAN, issuer=rdn(b"Weak")), beside, weak, path=(0, 2))

    findings = findings_on(endpoint_of(facts), now=NOW)

    assert [(each.code, each.detail) for each in findings if each.severity is Severity.HIGH] == [
        (Code.CERTIFICATE_KEY_WEAK, "certificate 3 (CN=Weak): RSA 1024"),
        (Code.CERTIFICATE_SIGNATURE_WEAK, "certificate 3 (CN=Weak): sha1WithRSAEncryption"),
    ]


def test_findings_name_the_endpoint() -> None:
    (finding,) = findings_on(endpoint_of(facts_of(LEAF)), now=END + DAY)

    assert (finding.mx_host, finding.address) == (HOST, "192.0.2.1")


def test_a_self_signature_that_cannot_be_checked_is_not_refuted() -> None:
    assert read_certificate(TRUSTED_SHA1).self_signed
    assert read_certificate(SELF_SIGNED.der).self_signed
    assert not read_certificate(issue(by=ROOT, issuer=HOST).der).self_signed


def test_what_is_odd_in_the_name_of_an_issuer_is_remarked_of_each_that_it_signed() -> None:
    """Whichever of them was read before, by whichever worker."""
    odd = rdn(b"A" * 80)
    first, second = (
        read_certificate(forge(GOOD_SAN, issuer=odd, serial=serial)) for serial in (b"\1", b"\2")
    )
    assert first.remarks
    assert first.remarks == second.remarks


def test_a_reader_reads_a_certificate_once() -> None:
    reader = CertificateReader()
    assert reader.read(bytes(bytearray(LEAF.der))) is reader.read(LEAF.der)
    assert reader.read(LEAF.der) == read_certificate(LEAF.der)


def test_readers_share_nothing() -> None:
    assert CertificateReader().read(LEAF.der) is not CertificateReader().read(LEAF.der)


def test_what_a_reader_remembers_is_bounded() -> None:
    """In number and in size: both are a stranger's to choose."""
    reader = CertificateReader()
    large = issue(san=tuple(f"{n}.{HOST}" for n in range(400))).der
    first = reader.read(large)
    assert reader.read(bytes(bytearray(large))) is first
    for number in range(200):
        reader.read(bytes(8193) + number.to_bytes(2))
    assert reader.read(large) is not first
    assert reader.read(large) == first

    first = reader.read(LEAF.der)
    for number in range(2000):
        reader.read(number.to_bytes(2))
    assert reader.read(LEAF.der) is not first
    assert reader.read(LEAF.der) == first


@given(st.data())
def test_no_bytes_make_the_judgement_raise(data: st.DataObject) -> None:
    good = data.draw(st.sampled_from([LEAF.der, SELF_SIGNED.der, GOOD]))
    at = data.draw(st.integers(min_value=0, max_value=len(good) - 1))
    patch = data.draw(st.binary(min_size=1, max_size=3))
    patched = good[:at] + patch + good[at + len(patch) :]
    facts = facts_of(patched, patched, MIDDLE, errors=NO_ISSUER, path=(0, 1))

    endpoint = endpoint_of(facts)
    findings_on(endpoint, now=NOW)

    assert endpoint.certificate is not None
    assert endpoint.certificate.sha256 == hashlib.sha256(patched).hexdigest()
    assert is_authentic(facts, endpoint.certificate) is NO


@given(st.binary(max_size=40))
def test_junk_is_not_tested_and_never_good(junk: bytes) -> None:
    certificate = judge(junk)

    assert (certificate.name_matches, certificate.in_date) == (NOT_TESTED, NOT_TESTED)
    assert is_authentic(facts_of(junk), certificate) is NOT_TESTED
