"""What each sender makes of one endpoint, and what becomes of it under attack."""

from dataclasses import replace
from typing import Any

import pytest

from prober.records import (
    Dane,
    Dnssec,
    EndpointFacts,
    Failure,
    MtaSts,
    MxHost,
    Reason,
    Route,
    RouteStatus,
    Step,
    StsStatus,
    TlsaRecord,
    TrustStore,
    VerifyError,
)
from prober.records.delivery import DeliveryOutcome, SenderKind
from prober.rules.certificate_fields import CertificateReader
from prober.rules.endpoint import merge_sessions
from prober.rules.senders import (
    DELIVERY,
    SECURE_MATCH,
    UNDER_ATTACK,
    Destination,
    secure_delivery,
    worst,
)
from prober.rules.verdict import judge_domain, judge_endpoint
from prober.rules.views import Views
from tests.rules.certificates import issue, rsa_1024
from tests.support.builders import (
    MX,
    NO_TRUST,
    TRUST,
    completed,
    confirmed,
    domain,
    handshake_failed,
    not_offered,
    untested,
)

AUTHENTICATED = DeliveryOutcome.AUTHENTICATED
CLEAR = DeliveryOutcome.CLEAR
DEFERRED = DeliveryOutcome.DEFERRED
ENCRYPTED = DeliveryOutcome.ENCRYPTED
INTERCEPTED = DeliveryOutcome.INTERCEPTED
UNKNOWN = DeliveryOutcome.UNKNOWN

CA = issue("ca.example")
GOOD = issue(MX, by=CA).der
WITH_DOMAIN = issue(MX, san=(MX, "example.com"), by=CA).der
TWO_NAMES = issue(MX, san=(MX, "mx2.example.com"), by=CA).der
OTHER_NAME = issue("elsewhere.example.net", san=("elsewhere.example.net",), by=CA).der
NAME_IN_SUBJECT = issue(MX, san=None, by=CA).der
NOBODY_IN_SUBJECT = issue("nobody", san=None, by=CA).der
WEAK_KEY = issue(MX, by=CA, key=rsa_1024()).der
EXPIRED = issue(MX, by=CA, lives=(-90, -30)).der
SAN_UNREADABLE = b"\x30\x03\x02\x01\x05"  # DER, and no certificate

SELF_SIGNED = VerifyError(depth=0, code=18, text="self signed")
BROKE = Failure(step=Step.POST_TLS, reason=Reason.CLOSED)
NO_TLS = confirmed(not_offered())


def with_chain(certificate: bytes = GOOD, **fields: Any) -> EndpointFacts:
    return completed(**({"chain": (certificate,), "path": (0,)} | fields))


def twice(first: EndpointFacts, second: EndpointFacts) -> EndpointFacts:
    return merge_sessions(first, second)


def judged(facts: EndpointFacts, trust: TrustStore = TRUST, **changes: Any) -> Views:
    reader = CertificateReader()
    return Views(replace(judge_endpoint(facts, trust, reader), **changes), reader)


def to(dnssec: Dnssec = Dnssec.INSECURE, sts: MtaSts | None = None) -> Destination:
    return Destination(domain="example.com", mx_dnssec=dnssec, mta_sts=sts)


def opportunistic(outcome: DeliveryOutcome) -> dict[SenderKind, DeliveryOutcome]:
    """Every sender's outcome where the domain publishes neither DANE nor MTA-STS."""
    insists = DEFERRED if outcome is CLEAR else outcome
    return dict.fromkeys(SenderKind, insists) | {
        SenderKind.OPPORTUNISTIC: outcome,
        SenderKind.DANE: outcome,
        SenderKind.MTA_STS: outcome,
    }


def certified(
    trusted_ca: DeliveryOutcome, verified: DeliveryOutcome, domain_verified: DeliveryOutcome
) -> dict[SenderKind, DeliveryOutcome]:
    return opportunistic(ENCRYPTED) | {
        SenderKind.TRUSTED_CA: trusted_ca,
        SenderKind.VERIFIED: verified,
        SenderKind.DOMAIN_VERIFIED: domain_verified,
    }


TOO_OLD = opportunistic(ENCRYPTED) | dict.fromkeys(
    (
        SenderKind.MANDATORY,
        SenderKind.TRUSTED_CA,
        SenderKind.VERIFIED,
        SenderKind.DOMAIN_VERIFIED,
    ),
    DEFERRED,
)
WEAK_SUITE = TOO_OLD | {
    sender: UNKNOWN for sender, outcome in TOO_OLD.items() if outcome is DEFERRED
}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        # RFC 3207 §4: no offer, a refusal, a handshake that fails; and what was not seen
        pytest.param(NO_TLS, opportunistic(CLEAR), id="rfc3207-not-offered"),
        pytest.param(
            confirmed(handshake_failed()), opportunistic(CLEAR), id="rfc3207-handshake-failed"
        ),
        pytest.param(not_offered(), opportunistic(UNKNOWN), id="not-confirmed"),
        pytest.param(untested(), opportunistic(UNKNOWN), id="not-tested"),
        pytest.param(
            twice(not_offered(), with_chain()), opportunistic(UNKNOWN), id="offered-by-mood"
        ),
        pytest.param(
            twice(handshake_failed(Reason.RESET), with_chain()),
            opportunistic(UNKNOWN),
            id="fails-on-a-large-hello",
        ),
        pytest.param(
            twice(handshake_failed(), completed()), opportunistic(UNKNOWN), id="anonymous-only"
        ),
        pytest.param(with_chain(failure=BROKE), opportunistic(UNKNOWN), id="broke-once-tls-was-up"),
        pytest.param(with_chain(tls_version="TLSv1"), TOO_OLD, id="rfc9325-3.1.1-tls-1.0"),
        pytest.param(with_chain(tls_version="TLSv1.1"), TOO_OLD, id="rfc9325-3.1.1-tls-1.1"),
        pytest.param(with_chain(cipher_bits=56), WEAK_SUITE, id="a-suite-some-refuse"),
        # RFC 5280 §6: the chain
        pytest.param(
            with_chain(verify_errors=(SELF_SIGNED,), path=()),
            certified(DEFERRED, DEFERRED, DEFERRED),
            id="rfc5280-not-trusted",
        ),
        pytest.param(
            with_chain(EXPIRED), certified(DEFERRED, DEFERRED, DEFERRED), id="rfc5280-expired"
        ),
        pytest.param(completed(), certified(DEFERRED, DEFERRED, DEFERRED), id="no-certificate"),
        pytest.param(
            with_chain(WEAK_KEY), certified(UNKNOWN, UNKNOWN, UNKNOWN), id="rsa-1024-some-refuse"
        ),
        pytest.param(
            with_chain(SAN_UNREADABLE),
            certified(UNKNOWN, UNKNOWN, UNKNOWN),
            id="certificate-unreadable",
        ),
        # RFC 9525 §6: the name
        pytest.param(
            with_chain(OTHER_NAME), certified(ENCRYPTED, DEFERRED, DEFERRED), id="rfc9525-another"
        ),
        pytest.param(
            with_chain(NAME_IN_SUBJECT),
            certified(ENCRYPTED, UNKNOWN, UNKNOWN),
            id="rfc9525-2-common-name-some-take",
        ),
        # OpenSSL, GnuTLS and Go differ on these: tests/mta/test_names.py
        pytest.param(
            with_chain(
                issue("w", san=("*.hoster.example",), by=CA).der, mx_host="mx_1.hoster.example"
            ),
            certified(ENCRYPTED, UNKNOWN, DEFERRED),
            id="wildcard-for-an-underscore",
        ),
        pytest.param(
            with_chain(
                issue("w", san=("mx_1.hoster.example",), by=CA).der, mx_host="mx_1.hoster.example"
            ),
            certified(ENCRYPTED, AUTHENTICATED, DEFERRED),
            id="underscore-in-full",
        ),
        pytest.param(
            with_chain(issue("w", san=("m*.example.com",), by=CA).der),
            certified(ENCRYPTED, UNKNOWN, UNKNOWN),
            id="rfc9525-6.3-wildcard-in-a-label",
        ),
        pytest.param(
            with_chain(issue("w", san=("*.example",), by=CA).der, mx_host="mx.example"),
            certified(ENCRYPTED, UNKNOWN, DEFERRED),
            id="rfc9525-7.1-wildcard-over-one-label",
        ),
        pytest.param(
            with_chain(issue("*.example.com", san=None, by=CA).der, mx_host="mx_1.example.com"),
            certified(ENCRYPTED, UNKNOWN, UNKNOWN),
            id="common-name-with-a-wildcard-for-an-underscore",
        ),
        pytest.param(
            with_chain(issue("mx.example.com", san=("",), by=CA).der),
            certified(ENCRYPTED, DEFERRED, DEFERRED),
            id="a-dns-name-that-matches-nothing-hides-the-common-name",
        ),
        pytest.param(
            with_chain(NOBODY_IN_SUBJECT),
            certified(ENCRYPTED, DEFERRED, DEFERRED),
            id="no-name-at-all",
        ),
        pytest.param(
            with_chain(mx_host="mx.example.net"),
            certified(ENCRYPTED, DEFERRED, AUTHENTICATED),
            id="rfc9525-names-the-domain-not-the-host",
        ),
        pytest.param(
            with_chain(
                issue("mx.example.net", san=("mx.example.net",), by=CA).der,
                mx_host="mx.example.net",
            ),
            certified(ENCRYPTED, AUTHENTICATED, DEFERRED),
            id="hosted-elsewhere",
        ),
        pytest.param(with_chain(), certified(ENCRYPTED, AUTHENTICATED, AUTHENTICATED), id="good"),
    ],
)
def test_in_peace(facts: EndpointFacts, expected: dict[SenderKind, DeliveryOutcome]) -> None:
    """At a domain that publishes nothing."""
    endpoint = judged(facts, dane=Dane.NONE)
    sts = MtaSts(status=StsStatus.ABSENT)

    assert {sender: DELIVERY[sender](endpoint, to(sts=sts)) for sender in SenderKind} == expected


def test_without_trust_anchors_only_what_needs_them_is_unknown() -> None:
    endpoint = judged(with_chain(), NO_TRUST)

    assert DELIVERY[SenderKind.MANDATORY](endpoint, to()) is ENCRYPTED
    for sender in (SenderKind.TRUSTED_CA, SenderKind.VERIFIED, SenderKind.DOMAIN_VERIFIED):
        assert DELIVERY[sender](endpoint, to()) is UNKNOWN


def test_a_chain_without_a_judged_certificate_is_not_tested() -> None:
    endpoint = judged(with_chain(), certificate=None, tls_version="TLSv1.3")
    assert DELIVERY[SenderKind.TRUSTED_CA](endpoint, to()) is DEFERRED


@pytest.mark.parametrize(
    ("certificate", "match", "expected"),
    [
        # postconf(5) smtp_tls_secure_cert_match, smtp_tls_policy_maps
        pytest.param(GOOD, ("mx.example.net",), DEFERRED, id="another-host"),
        pytest.param(GOOD, (".mx.example.com",), DEFERRED, id="below-is-not-itself"),
        pytest.param(GOOD, (".ample.com",), DEFERRED, id="not-a-suffix-of-text"),
        pytest.param(GOOD, ("nexthop",), DEFERRED, id="nexthop-alone"),
        pytest.param(SAN_UNREADABLE, ("nexthop",), UNKNOWN, id="unreadable"),
        pytest.param(GOOD, ("hostname",), AUTHENTICATED, id="hostname"),
        pytest.param(GOOD, ("mx.example.com",), AUTHENTICATED, id="exact"),
        pytest.param(GOOD, (".com",), AUTHENTICATED, id="however-deep"),
        pytest.param(GOOD, SECURE_MATCH, AUTHENTICATED, id="dot-nexthop"),
        pytest.param(WITH_DOMAIN, ("nexthop",), AUTHENTICATED, id="nexthop"),
        pytest.param(
            issue("w", san=("*.example.com",), by=CA).der,
            (".example.com",),
            AUTHENTICATED,
            id="wildcard-below",
        ),
        pytest.param(
            issue("w", san=("*.example.com",), by=CA).der,
            ("mx_1.example.com",),
            UNKNOWN,
            id="wildcard-for-an-underscore",
        ),
        pytest.param(
            issue("w", san=("a_b.example.com",), by=CA).der,
            (".example.com",),
            AUTHENTICATED,
            id="underscore-below",
        ),
        # Postfix 3.7 delivers: it compares the ends of the texts
        pytest.param(
            issue("w", san=("f*.example.com",), by=CA).der,
            (".example.com",),
            UNKNOWN,
            id="no-host-name-below",
        ),
    ],
)
def test_secure_with_a_match(
    certificate: bytes, match: tuple[str, ...], expected: DeliveryOutcome
) -> None:
    assert secure_delivery(judged(with_chain(certificate)), to(), match) is expected


SECURE, INSECURE = Dnssec.SECURE, Dnssec.INSECURE


@pytest.mark.parametrize(
    ("facts", "dane", "mx_dnssec", "expected"),
    [
        # RFC 7672 §2.2: TLSA decides, TLS is mandatory
        pytest.param(with_chain(), Dane.MISMATCH, SECURE, DEFERRED, id="rfc7672-2.2-mismatch"),
        pytest.param(NO_TLS, Dane.NO_TLS, SECURE, DEFERRED, id="rfc7672-2.2-no-tls"),
        pytest.param(NO_TLS, Dane.UNUSABLE, SECURE, DEFERRED, id="rfc7672-2.2-unusable-no-tls"),
        pytest.param(
            with_chain(tls_version="TLSv1"), Dane.MATCH, SECURE, DEFERRED, id="match-over-tls-1.0"
        ),
        pytest.param(untested(), Dane.NOT_TESTED, SECURE, UNKNOWN, id="not-tested"),
        # §2.2.1: behind an unsigned MX RRset senders differ
        pytest.param(with_chain(), Dane.MISMATCH, INSECURE, UNKNOWN, id="rfc7672-2.2.1-mismatch"),
        pytest.param(NO_TLS, Dane.NO_TLS, INSECURE, UNKNOWN, id="rfc7672-2.2.1-no-tls"),
        pytest.param(with_chain(), Dane.UNUSABLE, INSECURE, UNKNOWN, id="rfc7672-2.2.1-unusable"),
        pytest.param(
            with_chain(tls_version="TLSv1"),
            Dane.MATCH,
            INSECURE,
            UNKNOWN,
            id="rfc7672-2.2.1-match-over-tls-1.0",
        ),
        pytest.param(with_chain(), Dane.MATCH, INSECURE, ENCRYPTED, id="rfc7672-2.2.1-match"),
        pytest.param(NO_TLS, Dane.NONE, SECURE, CLEAR, id="none-and-no-tls"),
        pytest.param(with_chain(), Dane.NONE, SECURE, ENCRYPTED, id="none"),
        pytest.param(with_chain(), Dane.UNUSABLE, SECURE, ENCRYPTED, id="rfc7672-2.2-unusable"),
        pytest.param(
            with_chain(verify_errors=(SELF_SIGNED,)),
            Dane.MATCH,
            SECURE,
            AUTHENTICATED,
            id="rfc7672-3.1.1-whatever-a-ca-says",
        ),
    ],
)
def test_dane(
    facts: EndpointFacts, dane: Dane, mx_dnssec: Dnssec, expected: DeliveryOutcome
) -> None:
    assert DELIVERY[SenderKind.DANE](judged(facts, dane=dane), to(mx_dnssec)) is expected


ENFORCE = MtaSts(status=StsStatus.ENFORCE, mx=(MX,))


@pytest.mark.parametrize(
    ("facts", "sts", "expected"),
    [
        pytest.param(with_chain(), None, UNKNOWN, id="not-looked-up"),
        pytest.param(NO_TLS, MtaSts(status=StsStatus.TEMPFAIL), UNKNOWN, id="rfc8461-3.1-tempfail"),
        pytest.param(
            NO_TLS, MtaSts(status=StsStatus.FETCH_FAILED), UNKNOWN, id="rfc8461-3.3-fetch-failed"
        ),
        pytest.param(NO_TLS, MtaSts(status=StsStatus.ABSENT), CLEAR, id="absent"),
        pytest.param(NO_TLS, MtaSts(status=StsStatus.TXT_INVALID), CLEAR, id="rfc8461-3.1-invalid"),
        pytest.param(NO_TLS, MtaSts(status=StsStatus.POLICY_INVALID), CLEAR, id="policy-invalid"),
        pytest.param(NO_TLS, MtaSts(status=StsStatus.TESTING), CLEAR, id="rfc8461-5-testing"),
        pytest.param(NO_TLS, MtaSts(status=StsStatus.NONE), CLEAR, id="rfc8461-5-none"),
        pytest.param(
            with_chain(),
            replace(ENFORCE, mx=("mx.example.net",), uncovered=(MX,)),
            DEFERRED,
            id="rfc8461-4.1-not-listed",
        ),
        pytest.param(
            with_chain(TWO_NAMES),
            replace(ENFORCE, mx=("mx2.example.com",), uncovered=(MX,)),
            UNKNOWN,
            id="postfix-3.7-not-listed-but-the-certificate-names-a-listed-host",
        ),
        pytest.param(
            with_chain(),
            replace(ENFORCE, mx=("*.com",), uncovered=(MX,)),
            UNKNOWN,
            id="postfix-3.7-a-wildcard-of-any-depth",
        ),
        pytest.param(
            with_chain(OTHER_NAME),
            replace(ENFORCE, mx=(MX, "elsewhere.example.net")),
            UNKNOWN,
            id="postfix-3.7-the-certificate-names-another-listed-host",
        ),
        pytest.param(
            with_chain(), replace(ENFORCE, senders_differ="x"), UNKNOWN, id="senders-differ"
        ),
        pytest.param(
            NO_TLS,
            MtaSts(status=StsStatus.POLICY_INVALID, senders_differ="x"),
            UNKNOWN,
            id="senders-differ-on-an-invalid-policy",
        ),
        pytest.param(
            with_chain(WITH_DOMAIN),
            replace(ENFORCE, mx=("*.example.com",)),
            AUTHENTICATED,
            id="rfc8461-4.1-wildcard",
        ),
        pytest.param(NO_TLS, ENFORCE, DEFERRED, id="rfc8461-4.2-no-tls"),
        pytest.param(with_chain(OTHER_NAME), ENFORCE, DEFERRED, id="rfc8461-4.1-another-name"),
        pytest.param(untested(), ENFORCE, UNKNOWN, id="not-tested"),
        pytest.param(with_chain(), ENFORCE, AUTHENTICATED, id="enforce"),
    ],
)
def test_mta_sts(facts: EndpointFacts, sts: MtaSts | None, expected: DeliveryOutcome) -> None:
    assert DELIVERY[SenderKind.MTA_STS](judged(facts), to(sts=sts)) is expected


TLSA = TlsaRecord(usage=3, selector=1, matching_type=1, data=bytes(32))
UNUSABLE = TlsaRecord(usage=1, selector=1, matching_type=1, data=bytes(32))


def host(**fields: Any) -> MxHost:
    defaults: dict[str, Any] = {
        "name": MX,
        "preference": 10,
        "addresses": ("192.0.2.1",),
        "dnssec": SECURE,
        "tlsa": (TLSA,),
        "tlsa_dnssec": SECURE,
    }
    return MxHost(**(defaults | fields))


def failed(reason: Reason) -> Failure:
    return Failure(step=Step.RESOLVE, reason=reason)


@pytest.mark.parametrize(
    ("mx_dnssec", "hosts", "expected"),
    [
        # RFC 7672 §2.2.1: an unsigned MX RRset lets the attacker name a host of his own
        pytest.param(INSECURE, (host(),), CLEAR, id="rfc7672-2.2.1-unsigned-mx"),
        pytest.param(Dnssec.INDETERMINATE, (host(),), UNKNOWN, id="indeterminate"),
        pytest.param(Dnssec.BOGUS, (host(),), UNKNOWN, id="bogus"),
        pytest.param(SECURE, (host(), host(tlsa=())), CLEAR, id="one-host-without"),
        pytest.param(
            SECURE, (host(tlsa_dnssec=INSECURE),), CLEAR, id="rfc7672-2.1.1-insecure-tlsa"
        ),
        pytest.param(
            SECURE,
            (host(dnssec=INSECURE, tlsa=(), tlsa_dnssec=None),),
            CLEAR,
            id="rfc7672-2.2.2-insecure-addresses",
        ),
        pytest.param(
            SECURE,
            (host(tlsa=(), tlsa_dnssec=None, tlsa_failure=failed(Reason.SERVFAIL)),),
            UNKNOWN,
            id="rfc7672-2.1.2-servfail",
        ),
        pytest.param(SECURE, (host(tlsa=(UNUSABLE,)),), INTERCEPTED, id="rfc7672-2.2-all-unusable"),
        pytest.param(
            SECURE,
            (
                host(),
                host(
                    addresses=(),
                    failure=failed(Reason.SERVFAIL),
                    dnssec=Dnssec.BOGUS,
                    tlsa=(),
                    tlsa_dnssec=None,
                ),
            ),
            UNKNOWN,
            id="one-host-not-looked-up",
        ),
        pytest.param(
            SECURE,
            (host(), host(addresses=(), dnssec=INSECURE, tlsa=(), tlsa_dnssec=None)),
            CLEAR,
            id="an-address-can-be-forged",
        ),
        pytest.param(
            SECURE,
            (host(), host(addresses=(), tlsa=(), tlsa_dnssec=None)),
            DEFERRED,
            id="surely-no-address",
        ),
        pytest.param(
            SECURE,
            (host(), host(addresses=(), failure=failed(Reason.INVALID_NAME), tlsa=())),
            DEFERRED,
            id="no-host-name",
        ),
        pytest.param(SECURE, (host(tlsa=(UNUSABLE, TLSA)),), DEFERRED, id="rfc7672-mixed"),
        pytest.param(SECURE, (host(),), DEFERRED, id="rfc7672-2.2-secure"),
    ],
)
def test_dane_under_attack(
    mx_dnssec: Dnssec, hosts: tuple[MxHost, ...], expected: DeliveryOutcome
) -> None:
    report = judge_domain(domain(mx_hosts=hosts))
    assert UNDER_ATTACK[SenderKind.DANE](report, to(mx_dnssec)) is expected


@pytest.mark.parametrize(
    ("sender", "mx_dnssec", "sts", "expected"),
    [
        pytest.param(SenderKind.OPPORTUNISTIC, SECURE, ENFORCE, CLEAR, id="rfc3207-6-stripped"),
        pytest.param(SenderKind.MANDATORY, SECURE, ENFORCE, INTERCEPTED, id="his-certificate"),
        pytest.param(SenderKind.TRUSTED_CA, SECURE, ENFORCE, INTERCEPTED, id="of-a-public-ca"),
        pytest.param(SenderKind.VERIFIED, INSECURE, ENFORCE, INTERCEPTED, id="forged-mx"),
        pytest.param(SenderKind.VERIFIED, Dnssec.INDETERMINATE, None, UNKNOWN, id="not-known"),
        pytest.param(SenderKind.VERIFIED, Dnssec.BOGUS, None, UNKNOWN, id="bogus"),
        pytest.param(SenderKind.VERIFIED, SECURE, None, DEFERRED, id="signed-mx"),
        pytest.param(SenderKind.DOMAIN_VERIFIED, INSECURE, None, DEFERRED, id="name-not-from-dns"),
        pytest.param(SenderKind.MTA_STS, INSECURE, None, UNKNOWN, id="sts-not-looked-up"),
        pytest.param(
            SenderKind.MTA_STS,
            INSECURE,
            MtaSts(status=StsStatus.FETCH_FAILED),
            UNKNOWN,
            id="sts-fetch-failed",
        ),
        pytest.param(
            SenderKind.MTA_STS,
            INSECURE,
            MtaSts(status=StsStatus.TESTING),
            CLEAR,
            id="rfc8461-5-testing",
        ),
        pytest.param(
            SenderKind.MTA_STS,
            INSECURE,
            replace(ENFORCE, senders_differ="x"),
            UNKNOWN,
            id="senders-differ",
        ),
        pytest.param(SenderKind.MTA_STS, INSECURE, ENFORCE, DEFERRED, id="rfc8461-10.2-enforce"),
    ],
)
def test_under_attack(
    sender: SenderKind, mx_dnssec: Dnssec, sts: MtaSts | None, expected: DeliveryOutcome
) -> None:
    report = judge_domain(domain(route=Route(status=RouteStatus.MX, dnssec=mx_dnssec)))
    assert UNDER_ATTACK[sender](report, to(mx_dnssec, sts)) is expected


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        pytest.param((), UNKNOWN, id="nothing-seen"),
        pytest.param((ENCRYPTED, UNKNOWN, CLEAR), CLEAR, id="a-proven-fault-outweighs-unknown"),
        pytest.param((UNKNOWN, DEFERRED), DEFERRED, id="a-proven-loss-too"),
        pytest.param((AUTHENTICATED, UNKNOWN), UNKNOWN, id="unknown-is-never-a-yes"),
        pytest.param((AUTHENTICATED, ENCRYPTED), ENCRYPTED, id="the-weaker-one"),
        pytest.param((AUTHENTICATED,), AUTHENTICATED, id="one"),
    ],
)
def test_the_worst(outcomes: tuple[DeliveryOutcome, ...], expected: DeliveryOutcome) -> None:
    assert worst(outcomes) is expected


def test_every_sender_is_in_both_tables() -> None:
    assert set(DELIVERY) == set(UNDER_ATTACK) == set(SenderKind)
