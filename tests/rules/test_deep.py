"""What is made of the answers of --deep; test_rating_deep.py has what profiles make of them."""

from dataclasses import replace
from typing import Any, Final

import pytest

from prober.records import (
    Answer,
    Code,
    Dane,
    DeepAnswer,
    DeepFacts,
    DeepQuestion,
    Dnssec,
    DomainReport,
    EndpointFacts,
    Enumeration,
    Level,
    MxHost,
    Reason,
    Route,
    RouteStatus,
    Standing,
    TlsaRecord,
    VerifyError,
)
from prober.records.delivery import DeliveryOutcome
from prober.rules.certificate_fields import read_certificate
from prober.rules.ciphers import is_anonymous, is_broken, is_static
from prober.rules.deep import deep_findings, other_chains, post_quantum, weak_dh
from prober.rules.standing import assess
from prober.rules.verdict import judge_domain
from tests.rules.certificates import Issued, ec_key, issue
from tests.support.builders import ADDRESS, MX, NO_TRUST, completed, domain, run
from tests.support.deep import all_said, asked, no, not_tested, said, yes

Q = DeepQuestion
YES, NO, NOT_TESTED = Answer.YES, Answer.NO, Answer.NOT_TESTED
OLD_DH: Final = {"cipher": "TLS_DHE_RSA_WITH_AES_128_CBC_SHA", "key_exchange": "DH"}
ANONYMOUS: Final = "TLS_DH_anon_WITH_AES_256_GCM_SHA384"
RC4: Final = "TLS_RSA_WITH_RC4_128_SHA"
PLAIN_RSA: Final = "TLS_RSA_WITH_AES_128_GCM_SHA256"
NO_ANCHOR = VerifyError(depth=1, code=19, text="unknown CA")

CA = issue("ca.example")
FIRST = issue(MX, by=CA, key=ec_key("first"))
SECOND = issue(MX, by=CA, key=ec_key("second"))
ELSEWHERE = issue("elsewhere", by=CA, san=("elsewhere.example",))
EXPIRED = issue(MX, by=CA, key=ec_key("third"), lives=(-90, -2))
ENDS_SOON = issue(MX, by=CA, key=ec_key("fourth"), lives=(-87, 3))


def with_deep(deep: DeepFacts | None, **fields: Any) -> EndpointFacts:
    return completed(**({"chain": (FIRST.der,), "path": (0,), "deep": deep} | fields))


def shows(certificate: Issued, question: DeepQuestion = Q.ECDSA_CERTIFICATE, **fields: Any) -> Any:
    chain = {"chain": (certificate.der,), "path": (0,), "tls_version": "TLSv1.2"}
    return yes(question, **(chain | fields))


def codes(facts: EndpointFacts) -> dict[Code, str | None]:
    return dict(deep_findings(facts))


@pytest.mark.parametrize(
    ("suite", "broken", "anonymous", "static"),
    [
        ("TLS_AES_256_GCM_SHA384", False, False, False),
        ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", False, False, False),
        ("TLS_DHE_DSS_WITH_AES_128_CBC_SHA256", False, False, False),
        (PLAIN_RSA, False, False, True),
        ("TLS_DH_RSA_WITH_AES_128_GCM_SHA256", False, False, True),
        ("TLS_ECDH_ECDSA_WITH_AES_128_GCM_SHA256", False, False, True),
        (ANONYMOUS, False, True, False),
        ("TLS_ECDH_anon_WITH_RC4_128_SHA", True, True, False),
        (RC4, True, False, True),
        ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", True, False, True),
        ("TLS_DHE_RSA_WITH_DES_CBC_SHA", True, False, False),
        ("TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5", True, False, True),
        ("TLS_RSA_EXPORT_WITH_DES40_CBC_SHA", True, False, True),
        ("TLS_ECDHE_RSA_WITH_NULL_SHA", True, False, False),
        ("TLS_NULL_WITH_NULL_NULL", True, False, False),
        ("TLS_RSA_WITH_NULL_MD5", True, False, True),
    ],
)
def test_kinds_of_suites(suite: str, broken: bool, anonymous: bool, static: bool) -> None:
    kinds = (is_broken(suite), is_anonymous(suite), is_static(suite))
    assert kinds == (broken, anonymous, static)


@pytest.mark.parametrize(
    ("group", "answer", "expected"),
    [
        # that another group was chosen proves nothing
        pytest.param("x25519", None, NOT_TESTED, id="not-asked"),
        pytest.param("x25519", not_tested(Q.POST_QUANTUM), NOT_TESTED, id="not-tested"),
        pytest.param("x25519", no(Q.POST_QUANTUM), NO, id="refused"),
        pytest.param("x25519", yes(Q.POST_QUANTUM), YES, id="accepted"),
        pytest.param("X25519MLKEM768", None, YES, id="chosen"),
        pytest.param("SecP256r1MLKEM768", not_tested(Q.POST_QUANTUM), YES, id="chosen-hybrid"),
        pytest.param("X25519MLKEM768", no(Q.POST_QUANTUM), YES, id="chosen-whatever-else"),
        pytest.param(None, None, NOT_TESTED, id="plain-rsa"),
    ],
)
def test_post_quantum(group: str | None, answer: DeepAnswer | None, expected: Answer) -> None:
    deep = None if answer is None else asked(answer)
    assert post_quantum(with_deep(deep, key_exchange=group)) is expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(None, NOT_TESTED, id="not-asked"),
        pytest.param(not_tested(Q.FINITE_FIELD_DH), NOT_TESTED, id="not-tested"),
        pytest.param(yes(Q.FINITE_FIELD_DH, **OLD_DH), NOT_TESTED, id="size-not-seen"),
        pytest.param(no(Q.FINITE_FIELD_DH), NO, id="refused"),
        pytest.param(yes(Q.FINITE_FIELD_DH, **OLD_DH, key_exchange_bits=2048), NO, id="2048"),
        pytest.param(yes(Q.FINITE_FIELD_DH, **OLD_DH, key_exchange_bits=2047), YES, id="2047"),
    ],
)
def test_weak_dh(answer: DeepAnswer | None, expected: Answer) -> None:
    assert weak_dh(with_deep(None if answer is None else asked(answer))) is expected


@pytest.mark.parametrize(
    ("deep", "expected"),
    [
        pytest.param(None, {}, id="not-asked"),
        pytest.param(all_said(NO), {}, id="all-refused"),
        pytest.param(
            asked(yes(Q.LEGACY_VERSION, tls_version="TLSv1")),
            {Code.LEGACY_VERSION_ACCEPTED: "TLSv1"},
            id="legacy",
        ),
        pytest.param(
            asked(
                yes(Q.LEGACY_VERSION, tls_version="TLSv1.1"),
                enumeration=Enumeration(versions=("SSLv3", "TLSv1.1", "TLSv1.2")),
            ),
            {Code.LEGACY_VERSION_ACCEPTED: "SSLv3, TLSv1.1"},
            id="legacy-in-full",
        ),
        pytest.param(
            asked(yes(Q.BROKEN_SUITES, cipher=RC4)), {Code.BROKEN_SUITE_ACCEPTED: RC4}, id="rc4"
        ),
        pytest.param(
            asked(yes(Q.BROKEN_SUITES)), {Code.BROKEN_SUITE_ACCEPTED: None}, id="suite-not-seen"
        ),
        # Postfix accepts these by default, and who checks certificates does not offer them
        pytest.param(
            asked(yes(Q.BROKEN_SUITES, cipher=ANONYMOUS)),
            {Code.ANONYMOUS_SUITE_ACCEPTED: ANONYMOUS},
            id="anonymous",
        ),
        pytest.param(
            asked(yes(Q.BROKEN_SUITES, cipher=ANONYMOUS), enumeration=Enumeration(suites=(RC4,))),
            {Code.ANONYMOUS_SUITE_ACCEPTED: ANONYMOUS, Code.BROKEN_SUITE_ACCEPTED: RC4},
            id="anonymous-and-rc4",
        ),
        pytest.param(
            asked(yes(Q.STATIC_KEY_EXCHANGE, cipher=PLAIN_RSA)),
            {Code.STATIC_KEY_EXCHANGE_ACCEPTED: PLAIN_RSA},
            id="static",
        ),
        pytest.param(
            asked(yes(Q.FINITE_FIELD_DH, **OLD_DH, key_exchange_bits=1024)),
            {Code.DH_WEAK_ACCEPTED: "DH 1024"},
            id="dh-1024",
        ),
        pytest.param(
            asked(yes(Q.FINITE_FIELD_DH, key_exchange="ffdhe2048", key_exchange_bits=2048)),
            {},
            id="dh-2048",
        ),
        pytest.param(
            asked(yes(Q.STATIC_KEY_EXCHANGE, cipher=RC4, compression=True)),
            {Code.STATIC_KEY_EXCHANGE_ACCEPTED: None}
            | {Code.COMPRESSION_ACCEPTED: None, Code.BROKEN_SUITE_ACCEPTED: RC4},
            id="compression",
        ),
        pytest.param(
            asked(yes(Q.RSA_CERTIFICATE, tls_version="TLSv1.2", secure_renegotiation=False)),
            {Code.RENEGOTIATION_INSECURE: None},
            id="renegotiation",
        ),
        # SSLv3 has no extensions, so it shows nothing
        pytest.param(
            asked(yes(Q.RSA_CERTIFICATE, tls_version="SSLv3", secure_renegotiation=False)),
            {},
            id="renegotiation-in-sslv3",
        ),
        pytest.param(
            asked(
                not_tested(Q.LEGACY_VERSION),
                not_tested(Q.RSA_CERTIFICATE),
                said(Q.BROKEN_SUITES, NOT_TESTED, failure=None),
            ),
            {
                Code.DEEP_NOT_TESTED: "broken-suites: no reason known; "
                "legacy-version, rsa-certificate: timed-out at greeting"
            },
            id="not-tested",
        ),
    ],
)
def test_findings(deep: DeepFacts | None, expected: dict[Code, str | None]) -> None:
    assert codes(with_deep(deep)) == expected


def test_no_post_quantum_group_is_a_finding_where_it_was_refused() -> None:
    refused = asked(no(Q.POST_QUANTUM))
    assert codes(with_deep(refused, key_exchange="x25519")) == {Code.POST_QUANTUM_MISSING: None}
    assert codes(with_deep(refused)) == {}  # the session chose one
    assert codes(with_deep(asked(), key_exchange="x25519")) == {}


def test_what_the_session_chose_is_not_told_twice() -> None:
    deep = asked(
        yes(Q.LEGACY_VERSION, tls_version="TLSv1"),
        yes(Q.FINITE_FIELD_DH, **OLD_DH, key_exchange_bits=1024),
    )
    facts = with_deep(deep, tls_version="TLSv1", key_exchange="DH", key_exchange_bits=1024)
    assert codes(facts) == {}
    without_tls = replace(facts, tls_version=None)
    assert codes(without_tls)[Code.LEGACY_VERSION_ACCEPTED] == "TLSv1"


def test_a_finding_of_the_session_is_not_repeated() -> None:
    asked_12 = asked(yes(Q.RSA_CERTIFICATE, tls_version="TLSv1.2", secure_renegotiation=False))
    facts = with_deep(asked_12, tls_version="TLSv1.2", secure_renegotiation=False)
    assert codes(facts) == {}


@pytest.mark.parametrize(
    ("answers", "count"),
    [
        pytest.param((), 0, id="not-asked"),
        pytest.param((no(Q.ECDSA_CERTIFICATE),), 0, id="refused"),
        pytest.param((shows(FIRST),), 0, id="the-same"),
        pytest.param((shows(SECOND),), 1, id="another"),
        pytest.param((shows(SECOND), shows(FIRST, Q.RSA_CERTIFICATE)), 1, id="both"),
        pytest.param((shows(SECOND), shows(SECOND, Q.RSA_CERTIFICATE)), 1, id="twice-another"),
        pytest.param((shows(SECOND, Q.POST_QUANTUM),), 0, id="not-a-question-about-it"),
    ],
)
def test_other_chains(answers: tuple[DeepAnswer, ...], count: int) -> None:
    assert len(other_chains(with_deep(asked(*answers)))) == count
    assert other_chains(with_deep(asked(*answers), tls_version=None)) == ()


def judged(*answers: DeepAnswer, **fields: Any) -> DomainReport:
    return judge_domain(domain(with_deep(asked(*answers), **fields)))


def told(report: DomainReport) -> dict[Code, str | None]:
    return {each.code: each.detail for each in report.findings}


def standings(report: DomainReport) -> tuple[Standing | None, ...]:
    levels = (Level.OPPORTUNISTIC, Level.AUTHENTICATED)
    return tuple(assess(report, level).standing for level in levels)


def test_two_certificates_that_both_prove_the_host() -> None:
    report = judged(shows(SECOND))
    assert report.verdict.level is Level.AUTHENTICATED
    assert report.verdict.complete
    assert standings(report) == (Standing.MEETS, Standing.MEETS)
    [other] = report.endpoints[0].other_certificates
    assert (other.question, other.dane) == (Q.ECDSA_CERTIFICATE, Dane.NONE)
    assert other.certificate.sha256 == read_certificate(SECOND.der).sha256
    assert told(report) == {}


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        pytest.param(
            shows(SECOND, path=(), verify_errors=(NO_ANCHOR,)),
            "its chain ends in a self-signed certificate that is not a trust anchor "
            "(X509 error 19 at depth 1)",
            id="not-trusted",
        ),
        pytest.param(shows(EXPIRED), "expired on 2025-12-30, 2 days ago", id="expired"),
        pytest.param(shows(ELSEWHERE), f"not for {MX}, but for elsewhere.example", id="name"),
    ],
)
def test_a_second_certificate_that_proves_nothing(answer: DeepAnswer, detail: str) -> None:
    """Which certificate a sender gets depends on its offer, so the level is not authenticated."""
    report = judged(answer)
    assert report.verdict.level is Level.OPPORTUNISTIC
    assert standings(report) == (Standing.MEETS, Standing.UNDECIDED)
    assert assess(report, Level.AUTHENTICATED).reasons == (Code.CERTIFICATES_DIFFER,)
    assert told(report) == {Code.CERTIFICATES_DIFFER: f"ECDSA certificate: {detail}"}
    assert report.delivery is not None
    assert report.delivery.verified.now is DeliveryOutcome.UNKNOWN
    assert report.delivery.mandatory.now is DeliveryOutcome.ENCRYPTED
    assert report.delivery.opportunistic.now is DeliveryOutcome.ENCRYPTED


def test_a_first_certificate_that_proves_nothing_falls_short_whatever_the_second_is() -> None:
    report = judged(shows(SECOND), chain=(EXPIRED.der,))
    assert report.verdict.level is Level.OPPORTUNISTIC
    assert standings(report) == (Standing.MEETS, Standing.FALLS_SHORT)
    detail = "only the ECDSA certificate proves the MX host"
    assert told(report)[Code.CERTIFICATES_DIFFER] == detail
    assert report.delivery is not None
    assert report.delivery.verified.now is DeliveryOutcome.UNKNOWN


def test_two_certificates_that_prove_nothing_are_told_each() -> None:
    report = judged(shows(ELSEWHERE), chain=(EXPIRED.der,))
    found = told(report)
    assert Code.CERTIFICATES_DIFFER not in found
    assert {Code.CERTIFICATE_EXPIRED, Code.CERTIFICATE_HOST_MISMATCH} <= set(found)
    assert report.delivery is not None
    assert report.delivery.verified.now is DeliveryOutcome.DEFERRED


@pytest.mark.parametrize(
    ("answer", "fields"),
    [
        # neither a path nor an error: nobody verified it
        pytest.param(shows(SECOND, path=()), {}, id="not-verified"),
        pytest.param(shows(SECOND), {"run": run(NO_TRUST)}, id="no-trust-store"),
    ],
)
def test_a_second_certificate_that_could_not_be_tested(
    answer: DeepAnswer, fields: dict[str, Any]
) -> None:
    report = judge_domain(domain(with_deep(asked(answer)), **fields))
    assert report.verdict.level is Level.OPPORTUNISTIC
    assert not report.verdict.complete
    assert standings(report)[1] is Standing.UNDECIDED
    assert Code.CERTIFICATES_DIFFER not in told(report)


@pytest.mark.parametrize("answer", [not_tested(Q.ECDSA_CERTIFICATE), no(Q.ECDSA_CERTIFICATE)])
def test_a_certificate_that_was_not_seen_changes_nothing(answer: DeepAnswer) -> None:
    report = judged(answer)
    assert report.verdict.level is Level.AUTHENTICATED
    assert standings(report) == (Standing.MEETS, Standing.MEETS)


def test_a_second_certificate_that_ends_soon_is_told() -> None:
    report = judged(shows(ENDS_SOON))
    assert report.verdict.level is Level.AUTHENTICATED
    assert (told(report)[Code.CERTIFICATE_EXPIRES_SOON] or "").startswith("ECDSA certificate: ")


def key_of(certificate: Issued) -> TlsaRecord:
    digest = read_certificate(certificate.der).spki_sha256
    assert digest is not None
    return TlsaRecord(usage=3, selector=1, matching_type=1, data=bytes.fromhex(digest))


def with_dane(*records: TlsaRecord, answer: DeepAnswer, **fields: Any) -> DomainReport:
    host = MxHost(
        name=MX,
        preference=10,
        addresses=(ADDRESS,),
        dnssec=Dnssec.SECURE,
        tlsa=records,
        tlsa_base=MX,
        tlsa_dnssec=Dnssec.SECURE,
    )
    route = Route(status=RouteStatus.MX, dnssec=Dnssec.SECURE)
    facts = with_deep(asked(answer), **fields)
    return judge_domain(domain(facts, route=route, mx_hosts=(host,)))


def test_tlsa_for_both_keys() -> None:
    """RFC 7671 §8.1: then none of the records is spare."""
    report = with_dane(key_of(FIRST), key_of(SECOND), answer=shows(SECOND))
    assert report.endpoints[0].other_certificates[0].dane is Dane.MATCH
    assert report.verdict.level is Level.ENFORCED
    assert told(report) == {}
    assert report.delivery is not None
    assert report.delivery.dane.now is DeliveryOutcome.AUTHENTICATED


def test_tlsa_vouches_for_a_second_certificate_that_no_ca_does() -> None:
    unknown_ca = shows(SECOND, path=(), verify_errors=(NO_ANCHOR,))
    report = with_dane(key_of(FIRST), key_of(SECOND), answer=unknown_ca)
    assert report.verdict.level is Level.ENFORCED
    assert told(report) == {}


def test_tlsa_for_the_first_key_only() -> None:
    """Senders that are shown the other certificate hold mail back. RFC 7671 §8, RFC 7672 §2.2."""
    report = with_dane(key_of(FIRST), answer=shows(SECOND))
    endpoint = report.endpoints[0]
    assert (endpoint.dane, endpoint.other_certificates[0].dane) == (Dane.MATCH, Dane.MISMATCH)
    assert report.verdict.level is Level.OPPORTUNISTIC
    assert standings(report) == (Standing.MEETS, Standing.UNDECIDED)
    detail = "ECDSA certificate: matches no usable TLSA record"
    assert told(report) == {Code.CERTIFICATES_DIFFER: detail}
    assert report.delivery is not None
    assert report.delivery.dane.now is DeliveryOutcome.UNKNOWN


def test_tlsa_for_the_second_key_only() -> None:
    report = with_dane(key_of(SECOND), answer=shows(SECOND))
    assert {Code.TLSA_INVALID, Code.CERTIFICATES_DIFFER} == set(told(report))
    assert standings(report) == (Standing.MEETS, Standing.FALLS_SHORT)
    assert report.delivery is not None
    assert report.delivery.dane.now is DeliveryOutcome.UNKNOWN


def test_a_limit_of_ours_is_named() -> None:
    failure = replace(not_tested(Q.POST_QUANTUM).failure, reason=Reason.LIMIT)  # type: ignore[type-var]
    deep = asked(not_tested(Q.POST_QUANTUM, failure=failure))
    assert codes(with_deep(deep)) == {Code.DEEP_NOT_TESTED: "post-quantum: limit at greeting"}
