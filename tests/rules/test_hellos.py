"""How endpoints answer each ClientHello, and the findings, delivery and standing from that."""

import functools
from dataclasses import replace
from typing import Any

import pytest

from prober.records import (
    Anomaly,
    AnomalyKind,
    Answer,
    Code,
    Confirmed,
    Dane,
    Dnssec,
    EndpointFacts,
    Hello,
    Level,
    MtaSts,
    ProfileName,
    Reason,
    Standing,
    StsStatus,
    VerifyError,
    finding,
)
from prober.records.delivery import DeliveryOutcome, SenderKind
from prober.rules.certificate_fields import CertificateReader
from prober.rules.endpoint import Outcome, add_without_sni, merge_sessions, outcome, proven
from prober.rules.hellos import (
    completes,
    hello_findings,
    sni_makes_no_difference,
    with_sni,
    without_sni,
)
from prober.rules.profiles import PROFILES
from prober.rules.senders import DELIVERY, Destination
from prober.rules.standing import assess, judge_standing
from prober.rules.verdict import judge_domain, judge_endpoint
from prober.rules.views import Views
from tests.rules.certificates import extension, forge, issue, san_extension
from tests.support.builders import (
    MX,
    TRUST,
    completed,
    confirmed,
    domain,
    handshake_failed,
    not_offered,
    untested,
)

CA = issue("ca.example")
GOOD = issue(MX, san=(MX,), by=CA).der
OTHER = issue("default.example", san=("default.example",), by=CA).der
SELF_SIGNED = VerifyError(depth=0, code=18, text="self signed")

KEY_ENCIPHERMENT = bytes.fromhex("03020520")  # RFC 5280 §4.2.1.3
NO_SIGNING = forge(
    san_extension(MX.encode()), extension(bytes.fromhex("0603551d0f"), KEY_ENCIPHERMENT)
)

YES, NO, NOT_TESTED = Answer.YES, Answer.NO, Answer.NOT_TESTED
AUTHENTICATED = DeliveryOutcome.AUTHENTICATED
CLEAR, DEFERRED = DeliveryOutcome.CLEAR, DeliveryOutcome.DEFERRED
ENCRYPTED, UNKNOWN = DeliveryOutcome.ENCRYPTED, DeliveryOutcome.UNKNOWN


def works(hello: Hello = Hello.DEFAULT, **fields: Any) -> EndpointFacts:
    return completed(hello, **({"chain": (GOOD,), "path": (0,), "without_sni": None} | fields))


def fails(hello: Hello = Hello.DEFAULT, reason: Reason = Reason.ALERT) -> EndpointFacts:
    return handshake_failed(reason, hello)


def seen(*sessions: EndpointFacts, plain: tuple[EndpointFacts, ...] = ()) -> EndpointFacts:
    """The facts after *sessions*, including sessions without SNI."""
    facts = functools.reduce(merge_sessions, sessions)
    return add_without_sni(facts, functools.reduce(merge_sessions, plain)) if plain else facts


PLAIN, PLAIN_LARGE = works(Hello.NO_SNI), works(Hello.NO_SNI_LARGE)
NO_PLAIN = (fails(Hello.NO_SNI), fails(Hello.NO_SNI_LARGE))

ALL_ALIKE = seen(works(), plain=(PLAIN,))
SNI_ONLY_ASKED = seen(works())
LARGE_INTOLERANT = seen(fails(), works(Hello.SMALL), fails(), plain=(PLAIN,))
LARGE_FAILED_ONCE = seen(fails(), works(Hello.SMALL), works(), plain=(PLAIN,))
LARGE_UNCONFIRMED = seen(fails(), works(Hello.SMALL), untested(), plain=(PLAIN,))
SNI_REFUSED = seen(fails(), fails(Hello.SMALL), PLAIN, plain=(PLAIN,))
SNI_REQUIRED = seen(works(), plain=NO_PLAIN)
NO_TLS = seen(fails(), fails(Hello.SMALL), seen(*NO_PLAIN), fails(Hello.ANONYMOUS), plain=NO_PLAIN)
ANONYMOUS = seen(
    fails(),
    fails(Hello.SMALL),
    seen(*NO_PLAIN),
    works(Hello.ANONYMOUS, chain=(), path=(), cipher="ADH-AES128-SHA"),
    plain=NO_PLAIN,
)
CAPPED = seen(fails(), fails(Hello.SMALL), seen(*NO_PLAIN), works(Hello.TLS12), plain=NO_PLAIN)
PLAIN_NOT_SEEN = seen(works(), plain=(untested(),))
PLAIN_ONCE = seen(works(), plain=(fails(Hello.NO_SNI), untested()))
PLAIN_BY_LARGE = seen(works(), plain=(fails(Hello.NO_SNI), PLAIN_LARGE))
MOODY = seen(not_offered(), works(), plain=(PLAIN,))
GNUTLS_REFUSES = seen(works(chain=(NO_SIGNING,)), plain=(works(Hello.NO_SNI, chain=(NO_SIGNING,)),))
OLD_RENEGOTIATION: dict[str, Any] = {"tls_version": "TLSv1.2", "secure_renegotiation": False}
OPENSSL_REFUSES = seen(
    works(**OLD_RENEGOTIATION), plain=(works(Hello.NO_SNI, **OLD_RENEGOTIATION),)
)
OLD_RESULTS = seen(fails(reason=Reason.RESET), works(Hello.TLS12))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(NO_TLS, (NO, NO, NO, NO), id="none"),
        pytest.param(ALL_ALIKE, (YES, YES, YES, YES), id="all"),
        pytest.param(SNI_ONLY_ASKED, (YES, YES, NOT_TESTED, NOT_TESTED), id="sni-only"),
        pytest.param(PLAIN_NOT_SEEN, (YES, YES, NOT_TESTED, NOT_TESTED), id="not-seen-without"),
        pytest.param(LARGE_INTOLERANT, (NO, YES, YES, NO), id="large-hello-intolerant"),
        pytest.param(LARGE_FAILED_ONCE, (YES, YES, YES, YES), id="large-hello-failed-once"),
        pytest.param(
            LARGE_UNCONFIRMED,
            (NOT_TESTED, YES, YES, NOT_TESTED),
            id="large-hello-failed-once-and-not-confirmed",
        ),
        pytest.param(SNI_REFUSED, (NO, NO, YES, NOT_TESTED), id="sni-refused"),
        pytest.param(SNI_REQUIRED, (YES, YES, NO, NO), id="sni-required"),
        pytest.param(PLAIN_BY_LARGE, (YES, YES, NO, YES), id="without-sni-at-times"),
        pytest.param(CAPPED, (NO, NO, NO, NO), id="tls-1.2-only-where-1.3-is-not-offered"),
        pytest.param(not_offered(), (NOT_TESTED,) * 4, id="no-hello-at-all"),
    ],
)
def test_which_hellos_complete(facts: EndpointFacts, expected: tuple[Answer, ...]) -> None:
    assert tuple(completes(facts).values()) == expected


@pytest.mark.parametrize(
    ("facts", "codes"),
    [
        pytest.param(ALL_ALIKE, [], id="all"),
        pytest.param(SNI_ONLY_ASKED, [], id="sni-only"),
        pytest.param(PLAIN_NOT_SEEN, [], id="not-seen-without"),
        pytest.param(PLAIN_ONCE, [], id="without-sni-seen-once"),
        pytest.param(NO_TLS, [], id="none"),
        pytest.param(confirmed(not_offered()), [], id="not-offered"),
        pytest.param(LARGE_INTOLERANT, [Code.LARGE_HELLO_INTOLERANT], id="large-hello-intolerant"),
        pytest.param(LARGE_FAILED_ONCE, [Code.STARTTLS_INTERMITTENT], id="large-hello-failed-once"),
        pytest.param(
            LARGE_UNCONFIRMED, [Code.STARTTLS_INTERMITTENT], id="large-hello-not-confirmed"
        ),
        pytest.param(SNI_REFUSED, [Code.SNI_REFUSED], id="sni-refused"),
        pytest.param(SNI_REQUIRED, [Code.SNI_REQUIRED], id="sni-required"),
        pytest.param(ANONYMOUS, [Code.ANONYMOUS_ONLY], id="anonymous-only"),
        pytest.param(CAPPED, [Code.TLS13_INTOLERANT], id="tls13-intolerant"),
        pytest.param(PLAIN_BY_LARGE, [Code.STARTTLS_INTERMITTENT], id="without-sni-at-times"),
        pytest.param(MOODY, [Code.STARTTLS_INTERMITTENT], id="moody"),
        pytest.param(OLD_RESULTS, [Code.LARGE_HELLO_INTOLERANT], id="old-results"),
        pytest.param(seen(untested(reason=Reason.REFUSED), works()), [], id="refused-once"),
    ],
)
def test_hello_findings(facts: EndpointFacts, codes: list[Code]) -> None:
    assert [code for code, _ in hello_findings(facts)] == codes


def test_an_offer_that_was_missing_once_is_told_in_words() -> None:
    ((_, detail),) = hello_findings(MOODY)
    assert detail == "another session saw: STARTTLS not offered"


def test_a_handshake_that_failed_counts_once_it_failed_without_sni_too() -> None:
    with_name = seen(fails(), fails(Hello.SMALL), fails(Hello.ANONYMOUS))
    assert (with_name.confirmed, proven(with_name)) == (Confirmed.NO, Outcome.NOT_TESTED)
    assert (NO_TLS.confirmed, proven(NO_TLS)) == (Confirmed.YES, Outcome.NEGATIVE)


@pytest.mark.parametrize(
    "sessions",
    [
        pytest.param((seen(*NO_PLAIN),), id="tls-1.2-not-tried"),
        pytest.param(
            (seen(fails(Hello.NO_SNI), untested(reason=Reason.REFUSED)),),
            id="without-sni-once-and-tls-1.2-not-tried",
        ),
        pytest.param((seen(*NO_PLAIN), untested()), id="tls-1.2-could-not-look"),
    ],
)
def test_a_handshake_that_failed_is_open_until_every_hello_was_tried(
    sessions: tuple[EndpointFacts, ...],
) -> None:
    facts = seen(fails(), fails(Hello.SMALL), *sessions)
    assert (facts.confirmed, proven(facts)) == (Confirmed.NO, Outcome.NOT_TESTED)


def test_the_facts_are_those_of_the_session_that_completed() -> None:
    assert (SNI_REFUSED.tls_version, SNI_REFUSED.chain) == ("TLSv1.3", (GOOD,))
    assert [attempt.hello for attempt in SNI_REFUSED.attempts] == [
        Hello.DEFAULT,
        Hello.SMALL,
        Hello.NO_SNI,
    ]
    assert outcome(with_sni(SNI_REFUSED)) is Outcome.NEGATIVE
    assert with_sni(SNI_REFUSED).chain == ()


def test_the_session_without_sni_is_among_the_attempts_once() -> None:
    hellos = [attempt.hello for attempt in ALL_ALIKE.attempts]
    assert hellos == [Hello.DEFAULT, Hello.NO_SNI]
    assert ALL_ALIKE.without_sni is not None
    assert ALL_ALIKE.without_sni.chain is None  # the same


def outcomes(facts: EndpointFacts, **fields: Any) -> list[DeliveryOutcome]:
    """The outcome for each kind of sender, at a domain with *fields*."""
    reader = CertificateReader()
    judged = judge_endpoint(facts, TRUST, reader, dane=fields.get("dane", Dane.NONE))
    views = Views(judged, reader)
    sts = MtaSts(status=fields.get("sts", StsStatus.ABSENT), mx=(MX,))
    to = Destination(domain=MX, mx_dnssec=fields.get("dnssec", Dnssec.INSECURE), mta_sts=sts)
    return [DELIVERY[sender](views, to) for sender in SenderKind]


PROVES = [AUTHENTICATED, AUTHENTICATED]  # verified, domain-verified
ANOTHER_PLAIN = works(Hello.NO_SNI, chain=(OTHER,), verify_errors=(SELF_SIGNED,), path=())


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(
            ALL_ALIKE,
            [ENCRYPTED, ENCRYPTED, ENCRYPTED, *PROVES, ENCRYPTED, ENCRYPTED],
            id="all",
        ),
        pytest.param(
            NO_TLS, [CLEAR, DEFERRED, DEFERRED, DEFERRED, DEFERRED, CLEAR, CLEAR], id="none"
        ),
        pytest.param(SNI_ONLY_ASKED, [UNKNOWN] * 7, id="sni-only"),
        pytest.param(PLAIN_NOT_SEEN, [UNKNOWN] * 7, id="not-seen-without"),
        pytest.param(SNI_REFUSED, [UNKNOWN] * 7, id="sni-refused"),
        pytest.param(SNI_REQUIRED, [UNKNOWN] * 7, id="sni-required"),
        pytest.param(LARGE_INTOLERANT, [UNKNOWN] * 7, id="large-hello-intolerant"),
        pytest.param(OPENSSL_REFUSES, [UNKNOWN] * 7, id="5746-3.4-no-secure-renegotiation"),
        pytest.param(
            seen(works(), plain=(works(Hello.NO_SNI, **OLD_RENEGOTIATION),)),
            [UNKNOWN] * 7,
            id="no-secure-renegotiation-without-sni",
        ),
        pytest.param(GNUTLS_REFUSES, [UNKNOWN] * 7, id="8446-4.4.2.2-key-may-not-sign"),
        pytest.param(
            seen(works(), plain=(works(Hello.NO_SNI, chain=(NO_SIGNING,)),)),
            [UNKNOWN] * 7,
            id="key-may-not-sign-without-sni",
        ),
        pytest.param(
            seen(works(), plain=(ANOTHER_PLAIN,)),
            [ENCRYPTED, ENCRYPTED, UNKNOWN, UNKNOWN, UNKNOWN, ENCRYPTED, ENCRYPTED],
            id="another-certificate-without-sni",
        ),
    ],
)
def test_delivery(facts: EndpointFacts, expected: list[DeliveryOutcome]) -> None:
    assert outcomes(facts) == expected


@pytest.mark.parametrize(
    ("facts", "dane", "sts"),
    [
        pytest.param(SNI_ONLY_ASKED, AUTHENTICATED, AUTHENTICATED, id="sni-only"),
        pytest.param(SNI_REQUIRED, AUTHENTICATED, AUTHENTICATED, id="sni-required"),
        pytest.param(SNI_REFUSED, DEFERRED, DEFERRED, id="sni-refused"),
    ],
)
def test_senders_that_check_dane_or_mta_sts_send_sni(
    facts: EndpointFacts, dane: DeliveryOutcome, sts: DeliveryOutcome
) -> None:
    """RFC 7672 §8.1, RFC 8461 §4.1."""
    by_dane = outcomes(facts, dane=Dane.MATCH, dnssec=Dnssec.SECURE)[
        list(SenderKind).index(SenderKind.DANE)
    ]
    by_sts = outcomes(facts, sts=StsStatus.ENFORCE)[list(SenderKind).index(SenderKind.MTA_STS)]
    assert (by_dane, by_sts) == (dane, sts)


def noted(kind: AnomalyKind) -> EndpointFacts:
    return replace(ALL_ALIKE, anomalies=(Anomaly(kind=kind, detail="seen"),))


@pytest.mark.parametrize(
    ("facts", "level", "standing"),
    [
        pytest.param(ALL_ALIKE, Level.AUTHENTICATED, Standing.MEETS, id="all"),
        pytest.param(SNI_ONLY_ASKED, Level.AUTHENTICATED, Standing.MEETS, id="sni-only"),
        pytest.param(NO_TLS, Level.NONE, Standing.FALLS_SHORT, id="none"),
        pytest.param(SNI_REFUSED, Level.AUTHENTICATED, Standing.UNDECIDED, id="sni-refused"),
        pytest.param(SNI_REQUIRED, Level.AUTHENTICATED, Standing.UNDECIDED, id="sni-required"),
        pytest.param(LARGE_INTOLERANT, Level.AUTHENTICATED, Standing.UNDECIDED, id="large-hello"),
        pytest.param(CAPPED, Level.AUTHENTICATED, Standing.UNDECIDED, id="tls-1.3"),
        pytest.param(ANONYMOUS, Level.OPPORTUNISTIC, Standing.UNDECIDED, id="anonymous"),
        pytest.param(OPENSSL_REFUSES, Level.AUTHENTICATED, Standing.UNDECIDED, id="renegotiation"),
        pytest.param(
            seen(works(), plain=(works(Hello.NO_SNI, **OLD_RENEGOTIATION),)),
            Level.AUTHENTICATED,
            Standing.UNDECIDED,
            id="renegotiation-without-sni",
        ),
        pytest.param(GNUTLS_REFUSES, Level.AUTHENTICATED, Standing.UNDECIDED, id="key-usage"),
        pytest.param(
            seen(works(), plain=(works(Hello.NO_SNI, chain=(NO_SIGNING,)),)),
            Level.AUTHENTICATED,
            Standing.UNDECIDED,
            id="key-usage-without-sni",
        ),
        pytest.param(MOODY, Level.AUTHENTICATED, Standing.MEETS, id="moody"),
        pytest.param(
            noted(AnomalyKind.STARTTLS_OFFER_MALFORMED),
            Level.AUTHENTICATED,
            Standing.UNDECIDED,
            id="odd-offer",
        ),
        pytest.param(
            noted(AnomalyKind.REPLY_MALFORMED),
            Level.AUTHENTICATED,
            Standing.UNDECIDED,
            id="odd-reply",
        ),
    ],
)
def test_the_level_counts_tls_of_some_and_the_standing_tls_of_all(
    facts: EndpointFacts, level: Level, standing: Standing
) -> None:
    report = judge_domain(domain(facts))
    assert report.verdict.level is level
    assert judge_standing(report, Level.OPPORTUNISTIC) is standing


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        pytest.param({}, [Code.CERTIFICATE_KEY_USAGE], id="8446-4.4.2.2-tls-1.3"),
        pytest.param(
            {"tls_version": "TLSv1.2", "key_exchange": "x25519"},
            [Code.CERTIFICATE_KEY_USAGE],
            id="5246-7.4.2-ecdhe",
        ),
        pytest.param(
            {"tls_version": "TLSv1.2", "key_exchange": None}, [], id="5246-7.4.2-static-rsa"
        ),
        pytest.param(
            {"chain": (GOOD,)}, [Code.CERTIFICATE_KEY_USAGE], id="8446-4.4.2.2-without-sni-only"
        ),
    ],
)
def test_a_key_that_may_not_sign_is_found_where_the_handshake_needs_a_signature(
    changes: dict[str, Any], codes: list[Code]
) -> None:
    session = {"chain": (NO_SIGNING,)} | changes
    plain = session | {"chain": (NO_SIGNING,)}
    facts = seen(works(**session), plain=(works(Hello.NO_SNI, **plain),))
    report = assess(judge_domain(domain(facts)), Level.OPPORTUNISTIC)
    assert [found.code for found in report.findings] == codes
    assert list(report.reasons) == codes


def test_a_server_that_openssl_refuses_is_told_so() -> None:
    report = assess(judge_domain(domain(OPENSSL_REFUSES)), Level.OPPORTUNISTIC)
    assert [found.code for found in report.findings] == [Code.RENEGOTIATION_INSECURE]
    assert list(report.reasons) == [Code.RENEGOTIATION_INSECURE]


def test_a_server_that_openssl_refuses_without_sni_only_is_undecided() -> None:
    session = works(**OLD_RENEGOTIATION | {"secure_renegotiation": True})
    facts = seen(session, plain=(works(Hello.NO_SNI, **OLD_RENEGOTIATION),))
    report = assess(judge_domain(domain(facts)), Level.OPPORTUNISTIC)
    assert report.delivery is not None
    assert report.delivery.opportunistic.now is DeliveryOutcome.UNKNOWN
    assert report.standing is Standing.UNDECIDED
    assert list(report.reasons) == [Code.RENEGOTIATION_INSECURE]


def test_secure_renegotiation_missing_below_the_chosen_version_leaves_nothing_open() -> None:
    """--deep found it with TLS 1.2. Common senders have TLS 1.3, as the session had."""
    found = finding(Code.RENEGOTIATION_INSECURE)
    report = judge_domain(domain(ALL_ALIKE, replace(untested(), address="192.0.2.9")))
    report = replace(report, findings=(*report.findings, found))
    assert list(assess(report, Level.OPPORTUNISTIC).reasons) == [Code.NOT_TESTED]


def test_a_certificate_shown_only_with_sni_is_undecided_for_authenticated() -> None:
    report = judge_domain(domain(seen(works(), plain=(ANOTHER_PLAIN,))))
    assert Code.SNI_REQUIRED in [finding.code for finding in report.findings]
    assert report.endpoints[0].certificate_without_sni is not None
    assert judge_standing(report, Level.OPPORTUNISTIC) is Standing.MEETS
    assert judge_standing(report, Level.AUTHENTICATED) is Standing.UNDECIDED


def test_old_tls_without_sni_is_reported_and_leaves_a_profile_undecided() -> None:
    """Postfix and Exim send no SNI by default, so what they negotiate is rated too."""
    old = works(Hello.NO_SNI, tls_version="TLSv1", cipher="AES128-SHA", cipher_bits=128)
    report = judge_domain(domain(seen(works(), plain=(old,))))

    (found,) = (each for each in report.findings if each.code is Code.TLS_VERSION_OBSOLETE)
    assert found.detail == "without SNI: TLSv1"
    assert judge_standing(report, PROFILES[ProfileName.DEFAULT]) is Standing.UNDECIDED


def test_a_view_without_sni_has_its_own_certificate() -> None:
    endpoint = judge_endpoint(seen(works(), plain=(ANOTHER_PLAIN,)), TRUST, CertificateReader())
    view = without_sni(endpoint)
    assert view is not None
    assert (view.chain, view.certificate) == ((OTHER,), endpoint.certificate_without_sni)


_SAME = seen(works(cipher_bits=256), plain=(works(Hello.NO_SNI, cipher_bits=256),))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(_SAME, True, id="the-same-without-sni"),
        pytest.param(
            seen(works(key_exchange="X25519MLKEM768"), plain=(works(Hello.NO_SNI),)),
            True,
            id="another-group",
        ),
        pytest.param(  # senders with GnuTLS may refuse one of them, and not the other
            seen(works(key_exchange="x25519"), plain=(works(Hello.NO_SNI, key_exchange=None),)),
            False,
            id="plain-rsa-without-sni",
        ),
        pytest.param(  # senders with OpenSSL refuse one of them: RFC 5746 §3.4
            seen(
                works(secure_renegotiation=True),
                plain=(works(Hello.NO_SNI, secure_renegotiation=False),),
            ),
            False,
            id="insecure-renegotiation-without-sni",
        ),
        pytest.param(seen(works()), False, id="without-sni-not-tested"),
        pytest.param(seen(works(), plain=(ANOTHER_PLAIN,)), False, id="another-chain"),
        pytest.param(seen(works(), plain=NO_PLAIN), False, id="no-tls-without-sni"),
        pytest.param(seen(fails(), works(Hello.SMALL), plain=(PLAIN,)), False, id="large-fails"),
        pytest.param(seen(not_offered(), works(), plain=(PLAIN,)), False, id="by-mood"),
        *(
            pytest.param(
                seen(works(), plain=(works(Hello.NO_SNI, **{field: value}),)), False, id=field
            )
            for field, value in (
                ("tls_version", "TLSv1.2"),
                ("cipher", "TLS_CHACHA20_POLY1305_SHA256"),
                ("cipher_bits", 112),
                ("key_exchange_bits", 1024),
                ("secure_renegotiation", False),
                ("failure", untested().failure),
            )
        ),
    ],
)
def test_whether_sni_makes_a_difference(facts: EndpointFacts, expected: bool) -> None:
    assert sni_makes_no_difference(facts) is expected


@pytest.mark.parametrize("kind", SenderKind)
def test_where_sni_makes_no_difference_all_senders_meet_what_was_seen(kind: SenderKind) -> None:
    endpoint = judge_endpoint(_SAME, TRUST, CertificateReader(), dane=Dane.MATCH)
    plain = without_sni(endpoint)
    assert plain is not None
    to = Destination(domain="example.com", mx_dnssec=Dnssec.SECURE, mta_sts=None)
    met = {
        DELIVERY[kind](Views(replace(each, without_sni=None), CertificateReader()), to)
        for each in (replace(endpoint, attempts=()), replace(plain, attempts=()))
    }
    assert met == {DELIVERY[kind](Views(endpoint, CertificateReader()), to)}


def test_the_list_of_attempts_is_cut_only_where_a_session_had_no_tls() -> None:
    assert with_sni(_SAME) is _SAME
    mixed = seen(works(), plain=(fails(Hello.NO_SNI), PLAIN_LARGE))
    assert [each.hello for each in with_sni(mixed).attempts] == [Hello.DEFAULT]
