"""Which endpoints count: now, at the backup hosts, under attack. RFC 5321 §5.1."""

from dataclasses import replace
from typing import Any

import pytest

from prober.records import (
    Dane,
    Dnssec,
    DomainFacts,
    DomainReport,
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
)
from prober.records.delivery import Delivery, DeliveryOutcome, SenderKind
from prober.rules.delivery import ForcedTls, forced_tls, judge_delivery, judge_secure
from prober.rules.endpoint import merge_sessions
from prober.rules.senders import SECURE_MATCH
from prober.rules.verdict import judge_domain
from prober.rules.views import views_of
from tests.rules.certificates import issue
from tests.support.builders import (
    NO_TRUST,
    completed,
    confirmed,
    domain,
    handshake_failed,
    not_offered,
    run,
    untested,
)

AUTHENTICATED = DeliveryOutcome.AUTHENTICATED
CLEAR = DeliveryOutcome.CLEAR
DEFERRED = DeliveryOutcome.DEFERRED
ENCRYPTED = DeliveryOutcome.ENCRYPTED
INTERCEPTED = DeliveryOutcome.INTERCEPTED
NOT_APPLICABLE = DeliveryOutcome.NOT_APPLICABLE
UNKNOWN = DeliveryOutcome.UNKNOWN

MX1 = "mx.example.com"
MX2 = "mx2.example.com"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(domain(route=None), ForcedTls.UNKNOWN, id="invalid"),
        pytest.param(
            domain(route=Route(status=RouteStatus.NULL_MX)), ForcedTls.UNKNOWN, id="null-mx"
        ),
        pytest.param(domain(untested()), ForcedTls.UNKNOWN, id="not-tested"),
        pytest.param(domain(not_offered()), ForcedTls.UNKNOWN, id="unconfirmed"),
        pytest.param(
            domain(completed(), untested(mx_host=MX2)), ForcedTls.UNKNOWN, id="half-tested"
        ),
        pytest.param(domain(confirmed(not_offered())), ForcedTls.NO, id="clear"),
        pytest.param(
            domain(completed(), confirmed(handshake_failed(mx_host=MX2))), ForcedTls.NO, id="mixed"
        ),
        pytest.param(domain(completed(tls_version="TLSv1")), ForcedTls.NO, id="tls-1.0"),
        # a sender without the luck, or the small hello, of our second session does not deliver
        pytest.param(
            domain(merge_sessions(not_offered(), completed())), ForcedTls.UNKNOWN, id="by-mood"
        ),
        pytest.param(domain(completed()), ForcedTls.YES, id="any-certificate"),
        pytest.param(
            domain(completed(), run=run(NO_TRUST)), ForcedTls.YES, id="trust-does-not-matter"
        ),
        pytest.param(
            domain(completed(), confirmed(untested(reason=Reason.REFUSED, mx_host=MX2))),
            ForcedTls.YES,
            id="nolisting",
        ),
    ],
)
def test_forced_tls(facts: DomainFacts, expected: ForcedTls) -> None:
    assert forced_tls(judge_domain(facts)) is expected


def refused(**fields: Any) -> EndpointFacts:
    return confirmed(untested(reason=Reason.REFUSED, **fields))


def no_tls(**fields: Any) -> EndpointFacts:
    return confirmed(not_offered(**fields))


def at(*preferences: int, **fields: Any) -> tuple[MxHost, ...]:
    """The hosts mx, mx2, mx3 … at these preferences."""
    names = (MX1, MX2, "mx3.example.com")
    return tuple(
        MxHost(name=name, preference=preference, addresses=("192.0.2.1",), **fields)
        for name, preference in zip(names, preferences, strict=False)
    )


def lost(reason: Reason, name: str = MX2, preference: int = 20) -> MxHost:
    failure = Failure(step=Step.RESOLVE, reason=reason)
    return MxHost(name=name, preference=preference, failure=failure)


def with_host(facts: DomainFacts, **changes: Any) -> DomainFacts:
    """*facts* with *changes* to its MX hosts."""
    return replace(facts, mx_hosts=tuple(replace(host, **changes) for host in facts.mx_hosts))


@pytest.mark.parametrize(
    ("facts", "now", "fallback"),
    [
        pytest.param(domain(no_tls(), completed(mx_host=MX2)), DEFERRED, DEFERRED, id="first"),
        pytest.param(domain(completed(), no_tls(mx_host=MX2)), ENCRYPTED, DEFERRED, id="backup"),
        pytest.param(
            domain(completed(), untested(mx_host=MX2)), ENCRYPTED, UNKNOWN, id="backup-not-seen"
        ),
        # what was not seen may be what answers, so that the next host says nothing of now
        pytest.param(
            domain(untested(), no_tls(mx_host=MX2)), UNKNOWN, DEFERRED, id="first-not-seen"
        ),
        pytest.param(
            domain(untested(), completed(mx_host=MX2)), UNKNOWN, UNKNOWN, id="only-backup-seen"
        ),
        pytest.param(
            domain(completed(), no_tls(address="192.0.2.2")), DEFERRED, DEFERRED, id="one-address"
        ),
        pytest.param(
            domain(completed(), no_tls(mx_host=MX2), mx_hosts=at(10, 10)),
            DEFERRED,
            DEFERRED,
            id="rfc5321-5.1-equal-preferences",
        ),
        pytest.param(
            domain(untested(), no_tls(mx_host=MX2), mx_hosts=at(10, 10)),
            DEFERRED,
            DEFERRED,
            id="equal-and-one-seen",
        ),
        pytest.param(
            domain(untested(), completed(mx_host=MX2), mx_hosts=at(10, 10)),
            UNKNOWN,
            UNKNOWN,
            id="equal-and-one-not-seen",
        ),
        pytest.param(
            domain(refused(), completed(mx_host=MX2)), ENCRYPTED, ENCRYPTED, id="nolisting"
        ),
        pytest.param(
            domain(refused(), no_tls(mx_host=MX2)), DEFERRED, DEFERRED, id="nolisting-in-clear"
        ),
        pytest.param(domain(refused()), UNKNOWN, UNKNOWN, id="refused-and-nobody-else"),
        pytest.param(
            domain(completed(), refused(address="2001:db8::1")),
            ENCRYPTED,
            ENCRYPTED,
            id="one-address-refuses",
        ),
        pytest.param(
            with_host(domain(completed()), failure=lost(Reason.SERVFAIL).failure),
            ENCRYPTED,
            ENCRYPTED,
            id="aaaa-servfail-beside-a-good-a",
        ),
        pytest.param(
            with_host(domain(untested()), failure=lost(Reason.SERVFAIL).failure),
            UNKNOWN,
            UNKNOWN,
            id="aaaa-servfail-beside-an-untested-a",
        ),
        pytest.param(
            with_host(domain(completed()), failure=lost(Reason.TIMED_OUT).failure),
            UNKNOWN,
            UNKNOWN,
            id="a-time-out-may-be-ours-alone",
        ),
        pytest.param(
            with_host(domain(completed()), failure=lost(Reason.LIMIT).failure),
            UNKNOWN,
            UNKNOWN,
            id="more-addresses-than-we-list",
        ),
        pytest.param(
            domain(completed(), mx_hosts=(*at(10), lost(Reason.SERVFAIL))),
            ENCRYPTED,
            UNKNOWN,
            id="backup-not-looked-up",
        ),
        pytest.param(
            domain(completed(), mx_hosts=(*at(10), lost(Reason.SERVFAIL, preference=5))),
            UNKNOWN,
            UNKNOWN,
            id="first-not-looked-up",
        ),
        pytest.param(
            domain(completed(), mx_hosts=(*at(10), lost(Reason.INVALID_NAME, preference=5))),
            ENCRYPTED,
            ENCRYPTED,
            id="no-host-name",
        ),
        pytest.param(
            domain(completed(), mx_hosts=(*at(10), MxHost(name=MX2, preference=5))),
            ENCRYPTED,
            ENCRYPTED,
            id="rfc5321-5.1-no-address",
        ),
        pytest.param(
            domain(completed(), untested(reason=Reason.NO_IPV6_HERE, address="2001:db8::1")),
            ENCRYPTED,
            ENCRYPTED,
            id="no-ipv6-here",
        ),
        pytest.param(domain(), UNKNOWN, UNKNOWN, id="nothing-at-all"),
        pytest.param(domain(completed(), mx_hosts=()), ENCRYPTED, ENCRYPTED, id="unlisted-host"),
    ],
)
def test_which_hosts_count(
    facts: DomainFacts, now: DeliveryOutcome, fallback: DeliveryOutcome
) -> None:
    """Judged for a sender that requires TLS."""
    mandatory = delivery_of(judge_domain(facts)).mandatory
    assert (mandatory.now, mandatory.fallback) == (now, fallback)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(domain(route=None, domain=None), NOT_APPLICABLE, id="no-domain"),
        pytest.param(
            domain(route=Route(status=RouteStatus.NULL_MX)), NOT_APPLICABLE, id="rfc7505-null-mx"
        ),
        pytest.param(
            domain(route=Route(status=RouteStatus.NXDOMAIN)), NOT_APPLICABLE, id="nxdomain"
        ),
        pytest.param(
            domain(route=Route(status=RouteStatus.NO_MAIL_HOST)), NOT_APPLICABLE, id="no-mail-host"
        ),
        pytest.param(
            domain(route=Route(status=RouteStatus.DNS_ERROR, reason=Reason.SERVFAIL)),
            UNKNOWN,
            id="dns-error",
        ),
    ],
)
def test_without_a_route_all_senders_get_the_same_outcome(
    facts: DomainFacts, expected: DeliveryOutcome
) -> None:
    delivery = delivery_of(judge_domain(facts))
    for sender in SenderKind:
        outcomes = delivery.of(sender)
        assert {outcomes.now, outcomes.fallback, outcomes.attacked} == {expected}


def delivery_of(report: DomainReport) -> Delivery:
    return judge_delivery(report, views_of(report.endpoints))


CERTIFICATE = issue(MX1, by=issue("ca.example")).der


def protected(**changes: Any) -> DomainReport:
    """A domain with DANE, MTA-STS and a CA's certificate, with *changes*."""
    secure = Dnssec.SECURE
    tlsa = TlsaRecord(usage=3, selector=1, matching_type=1, data=bytes(32))
    facts = domain(
        completed(chain=(CERTIFICATE,), path=(0,)),
        route=Route(status=RouteStatus.MX, dnssec=secure),
        mx_hosts=at(10, dnssec=secure, tlsa=(tlsa,), tlsa_dnssec=secure),
    )
    report = judge_domain(facts)
    return replace(
        report,
        **{
            "endpoints": tuple(replace(each, dane=Dane.MATCH) for each in report.endpoints),
            "mta_sts": MtaSts(status=StsStatus.ENFORCE, mx=(MX1,)),
            **changes,
        },
    )


def test_each_sender_at_a_domain_with_dane_mta_sts_and_a_trusted_certificate() -> None:
    delivery = delivery_of(protected())
    in_peace = {sender: delivery.of(sender).now for sender in SenderKind}
    assert in_peace == {
        SenderKind.OPPORTUNISTIC: ENCRYPTED,
        SenderKind.MANDATORY: ENCRYPTED,
        SenderKind.TRUSTED_CA: ENCRYPTED,
        SenderKind.VERIFIED: AUTHENTICATED,
        SenderKind.DOMAIN_VERIFIED: AUTHENTICATED,
        SenderKind.DANE: AUTHENTICATED,
        SenderKind.MTA_STS: AUTHENTICATED,
    }
    assert {sender: delivery.of(sender).attacked for sender in SenderKind} == {
        SenderKind.OPPORTUNISTIC: CLEAR,
        SenderKind.MANDATORY: INTERCEPTED,
        SenderKind.TRUSTED_CA: INTERCEPTED,
        SenderKind.VERIFIED: DEFERRED,
        SenderKind.DOMAIN_VERIFIED: DEFERRED,
        SenderKind.DANE: DEFERRED,
        SenderKind.MTA_STS: DEFERRED,
    }


def test_mta_sts_that_was_not_looked_up_is_unknown() -> None:
    sts = delivery_of(protected(mta_sts=None)).mta_sts
    assert {sts.now, sts.fallback, sts.attacked} == {UNKNOWN}


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        pytest.param(("elsewhere.example.net",), DEFERRED, id="another-name"),
        pytest.param((MX1,), AUTHENTICATED, id="the-host"),
        pytest.param(SECURE_MATCH, AUTHENTICATED, id="by-default"),
    ],
)
def test_secure_with_a_match(match: tuple[str, ...], expected: DeliveryOutcome) -> None:
    report = protected()
    outcomes = judge_secure(report, views_of(report.endpoints), match)
    assert (outcomes.now, outcomes.fallback) == (expected, expected)
    assert outcomes.attacked is DEFERRED
