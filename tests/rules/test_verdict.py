"""Level, completeness and standing. docs/verdict.md states each rule that a row is about."""

import functools
import gc
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.records import (
    Anomaly,
    AnomalyKind,
    Code,
    Confirmed,
    Dnssec,
    DomainFacts,
    DomainReport,
    Encrypted,
    EndpointFacts,
    Failure,
    Level,
    MxHost,
    PolicyFetch,
    ProfileName,
    Reason,
    Route,
    RouteStatus,
    Severity,
    Standing,
    Step,
    StsFacts,
    TlsaRecord,
    TxtFacts,
    VerifyError,
)
from prober.records.delivery import DeliveryOutcome
from prober.report.answer import LABELS, answer, effects, headline
from prober.rules.certificate_fields import CertificateReader, ReadCertificate, read_certificate
from prober.rules.norms import Profile
from prober.rules.profiles import PROFILES
from prober.rules.standing import assess, judge_standing
from prober.rules.verdict import REQUIRABLE, facts_of, judge_domain, summarize_encrypted
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

MX1, MX2 = "mx.example.com", "mx2.example.com"
OPPORTUNISTIC, AUTHENTICATED, ENFORCED = REQUIRABLE
CERTIFICATE = issue(MX1, san=(MX1, MX2), by=issue("ca.example")).der
SELF_SIGNED = VerifyError(depth=0, code=18, text="self signed")


def good(**fields: Any) -> EndpointFacts:
    return completed(**({"chain": (CERTIFICATE,), "path": (0,)} | fields))


def unauthenticated(**fields: Any) -> EndpointFacts:
    return good(**({"verify_errors": (SELF_SIGNED,), "path": ()} | fields))


def refused(**fields: Any) -> EndpointFacts:
    return confirmed(untested(reason=Reason.REFUSED, **fields))


NEGATIVE = confirmed(not_offered())
DELIVERED = {DeliveryOutcome.ENCRYPTED, DeliveryOutcome.AUTHENTICATED}


def level(facts: DomainFacts) -> tuple[Level, bool]:
    verdict = judge_domain(facts).verdict
    return verdict.level, verdict.complete


def routed(status: RouteStatus, **fields: Any) -> DomainFacts:
    return domain(route=Route(status=status, **fields))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(
            domain(domain=None, route=None, error="no"), (Level.INVALID, False), id="invalid"
        ),
        pytest.param(domain(route=None, error="ours"), (Level.UNKNOWN, False), id="fault-first"),
        pytest.param(domain(good(), error="ours"), (Level.UNKNOWN, False), id="fault-later"),
        pytest.param(
            domain(good(), untested(reason=Reason.FAULT, address="192.0.2.2")),
            (Level.UNKNOWN, False),
            id="fault-at-an-endpoint",
        ),
        pytest.param(routed(RouteStatus.NULL_MX), (Level.NO_MAIL, True), id="rfc7505"),
        pytest.param(routed(RouteStatus.NXDOMAIN), (Level.NO_MAIL, True), id="nxdomain"),
        pytest.param(routed(RouteStatus.NO_MAIL_HOST), (Level.NO_MAIL, True), id="no-mail-host"),
        pytest.param(
            routed(RouteStatus.DNS_ERROR, reason=Reason.SERVFAIL),
            (Level.UNKNOWN, False),
            id="dns-error",
        ),
        pytest.param(domain(), (Level.UNKNOWN, False), id="no-endpoints-at-all"),
        pytest.param(domain(untested()), (Level.UNKNOWN, False), id="nothing-tested"),
        pytest.param(domain(not_offered()), (Level.UNKNOWN, False), id="unconfirmed"),
        pytest.param(domain(NEGATIVE), (Level.NONE, True), id="confirmed-negative"),
        pytest.param(
            domain(NEGATIVE, untested(mx_host=MX2)), (Level.NONE, False), id="negative-and-unknown"
        ),
        pytest.param(domain(NEGATIVE, good(mx_host=MX2)), (Level.PARTIAL, True), id="mixed"),
        pytest.param(domain(unauthenticated()), (Level.OPPORTUNISTIC, True), id="self-signed"),
        pytest.param(
            domain(good(tls_version="TLSv1.1")), (Level.OPPORTUNISTIC, True), id="tls-1.1"
        ),
        pytest.param(domain(good(chain=(), path=())), (Level.OPPORTUNISTIC, True), id="anonymous"),
        pytest.param(
            domain(good(mx_host="other.example.net")), (Level.OPPORTUNISTIC, True), id="wrong-name"
        ),
        pytest.param(
            domain(good(), run=run(NO_TRUST)), (Level.OPPORTUNISTIC, False), id="no-trust-store"
        ),
        pytest.param(
            domain(good(), unauthenticated(mx_host=MX2)), (Level.OPPORTUNISTIC, True), id="one-of-2"
        ),
        pytest.param(domain(good()), (Level.AUTHENTICATED, True), id="good"),
        pytest.param(
            domain(good(), untested(mx_host=MX2)), (Level.AUTHENTICATED, False), id="good-so-far"
        ),
        pytest.param(
            domain(good(), refused(mx_host=MX2)), (Level.AUTHENTICATED, True), id="nolisting"
        ),
        pytest.param(
            domain(good(), refused(address="192.0.2.2")),
            (Level.AUTHENTICATED, True),
            id="refused-by-the-same-host",
        ),
        pytest.param(
            domain(good(), untested(reason=Reason.REFUSED, mx_host=MX2)),
            (Level.AUTHENTICATED, False),
            id="refused-once",
        ),
        pytest.param(domain(refused()), (Level.UNKNOWN, False), id="refused-alone"),
        pytest.param(
            domain(good(), untested(reason=Reason.NO_IPV6_HERE, address="2001:db8::1")),
            (Level.AUTHENTICATED, True),
            id="no-ipv6-here",
        ),
        pytest.param(
            domain(good(), untested(reason=Reason.NO_IPV6_HERE, mx_host=MX2)),
            (Level.AUTHENTICATED, False),
            id="no-ipv6-here-and-ipv6-only-host",
        ),
        pytest.param(
            domain(good(), untested(reason=Reason.LIMIT, address="192.0.2.9")),
            (Level.AUTHENTICATED, False),
            id="cut-off",
        ),
    ],
)
def test_level_and_completeness(facts: DomainFacts, expected: tuple[Level, bool]) -> None:
    assert level(facts) == expected


KEY = TlsaRecord(usage=3, selector=0, matching_type=1, data=hashlib.sha256(CERTIFICATE).digest())
OTHER_KEY = replace(KEY, data=bytes(32))
OLD_KIND = replace(KEY, usage=1)
POLICY = "version: STSv1\nmode: {}\nmx: {}\nmax_age: 604800\n"


def with_tlsa(
    facts: DomainFacts, *records: TlsaRecord, mx: Dnssec = Dnssec.SECURE, **fields: Any
) -> DomainFacts:
    """*facts* where every MX host has these TLSA records, and DNSSEC vouches for them."""
    changes: dict[str, Any] = {
        "dnssec": Dnssec.SECURE,
        "tlsa": records,
        "tlsa_base": MX1,
        "tlsa_dnssec": Dnssec.SECURE,
    }
    hosts = tuple(replace(host, **(changes | fields)) for host in facts.mx_hosts)
    return replace(facts, mx_hosts=hosts, route=Route(status=RouteStatus.MX, dnssec=mx))


def with_sts(facts: DomainFacts, mode: str = "enforce", mx: str = MX1) -> DomainFacts:
    """*facts* where the domain publishes an MTA-STS policy."""
    fetch = PolicyFetch(
        url="https://mta-sts.example.com/.well-known/mta-sts.txt",
        http_status=200,
        content_type="text/plain",
        body=POLICY.format(mode, mx),
        certificate_trusted=True,
    )
    return replace(facts, sts=StsFacts(txt=TxtFacts(records=("v=STSv1; id=1;",)), fetch=fetch))


NO_LOOKUP = Failure(step=Step.RESOLVE, reason=Reason.SERVFAIL)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(
            with_tlsa(domain(good()), OTHER_KEY),
            (Level.OPPORTUNISTIC, True),
            id="mismatch-however-valid-rfc7672-2.2",
        ),
        pytest.param(
            with_tlsa(domain(unauthenticated()), OLD_KIND),
            (Level.OPPORTUNISTIC, True),
            id="all-unusable-pkix-decides",
        ),
        pytest.param(
            with_tlsa(domain(good()), OLD_KIND),
            (Level.AUTHENTICATED, True),
            id="all-unusable-enforces-nothing",
        ),
        pytest.param(
            with_tlsa(domain(good()), tlsa_failure=NO_LOOKUP),
            (Level.AUTHENTICATED, False),
            id="tlsa-servfail-is-not-absent",
        ),
        pytest.param(
            with_tlsa(domain(good()), KEY, mx=Dnssec.INSECURE),
            (Level.AUTHENTICATED, True),
            id="mx-insecure-never-enforces-rfc7672-2.2.1",
        ),
        pytest.param(
            with_tlsa(domain(good(tls_version="TLSv1.1")), KEY),
            (Level.OPPORTUNISTIC, True),
            id="old-tls-with-matching-tlsa",
        ),
        pytest.param(
            with_tlsa(domain(good()), dnssec=Dnssec.INDETERMINATE, tlsa_dnssec=None),
            (Level.AUTHENTICATED, False),
            id="resolver-without-word",
        ),
        pytest.param(
            with_tlsa(domain(good())), (Level.AUTHENTICATED, True), id="secure-denial-is-normal"
        ),
        pytest.param(
            with_tlsa(domain(unauthenticated()), KEY),
            (Level.ENFORCED, True),
            id="dane-ee-needs-no-ca",
        ),
        pytest.param(with_tlsa(domain(good()), KEY), (Level.ENFORCED, True), id="dane"),
        pytest.param(with_sts(domain(good())), (Level.ENFORCED, True), id="mta-sts"),
        pytest.param(
            with_sts(domain(good()), mode="testing"), (Level.AUTHENTICATED, True), id="sts-testing"
        ),
        pytest.param(
            with_sts(domain(good()), mx="*.other.example"),
            (Level.AUTHENTICATED, True),
            id="sts-does-not-cover",
        ),
        pytest.param(
            with_sts(domain(unauthenticated())), (Level.OPPORTUNISTIC, True), id="sts-unkept"
        ),
        pytest.param(
            with_tlsa(with_sts(domain(good())), OTHER_KEY),
            (Level.OPPORTUNISTIC, True),
            id="sts-never-overrides-a-failing-dane",
        ),
    ],
)
def test_what_a_domain_publishes(facts: DomainFacts, expected: tuple[Level, bool]) -> None:
    assert level(facts) == expected


@pytest.mark.parametrize(
    ("facts", "standing"),
    [
        pytest.param(domain(good()), Standing.UNDECIDED, id="not-looked-up"),
        pytest.param(
            replace(domain(good()), sts=StsFacts(txt=TxtFacts())), Standing.FALLS_SHORT, id="absent"
        ),
        pytest.param(
            replace(domain(good()), sts=StsFacts(txt=TxtFacts(failure=NO_LOOKUP))),
            Standing.UNDECIDED,
            id="lookup-failed",
        ),
        pytest.param(with_sts(domain(good())), Standing.MEETS, id="mta-sts"),
        pytest.param(
            with_sts(domain(good()), mx="192.0.2.1"),
            Standing.UNDECIDED,
            id="senders-differ-on-an-ip-address-among-the-mx-lines",
        ),
        pytest.param(with_tlsa(domain(good()), KEY), Standing.MEETS, id="dane"),
    ],
)
def test_standing_against_enforced(facts: DomainFacts, standing: Standing) -> None:
    assert judge_standing(judge_domain(facts), ENFORCED) is standing


def without_address(reason: Reason | None, **fields: Any) -> MxHost:
    failure = reason and Failure(step=Step.RESOLVE, reason=reason)
    return MxHost(name=MX2, preference=20, failure=failure or None, **fields)


WITHOUT_TLSA = MxHost(name=MX2, preference=20, addresses=("192.0.2.9",), dnssec=Dnssec.INSECURE)


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        pytest.param(without_address(Reason.SERVFAIL), (Level.AUTHENTICATED, False), id="servfail"),
        pytest.param(
            without_address(Reason.SERVFAIL, dnssec=Dnssec.INSECURE),
            (Level.AUTHENTICATED, False),
            id="servfail-in-an-unsigned-zone",
        ),
        pytest.param(
            without_address(Reason.TIMED_OUT, dnssec=Dnssec.SECURE),
            (Level.AUTHENTICATED, False),
            id="timed-out",
        ),
        pytest.param(without_address(Reason.BOGUS), (Level.AUTHENTICATED, False), id="bogus"),
        pytest.param(
            without_address(Reason.LIMIT), (Level.AUTHENTICATED, False), id="beyond-bound"
        ),
        pytest.param(WITHOUT_TLSA, (Level.AUTHENTICATED, True), id="no-tlsa"),
        pytest.param(
            without_address(None, dnssec=Dnssec.SECURE), (Level.ENFORCED, True), id="no-address"
        ),
        pytest.param(
            without_address(Reason.INVALID_NAME), (Level.ENFORCED, True), id="no-host-name"
        ),
    ],
)
def test_dane_at_every_mx_host(second: MxHost, expected: tuple[Level, bool]) -> None:
    """An MX host that could not be looked up is unknown, and counts among "every"."""
    facts = with_tlsa(domain(good()), KEY)
    report = judge_domain(replace(facts, mx_hosts=(*facts.mx_hosts, second)))
    assert (report.verdict.level, report.verdict.complete) == expected
    standing = judge_standing(report, ENFORCED)
    if expected[0] is Level.ENFORCED:
        assert standing is Standing.MEETS
    elif second is not WITHOUT_TLSA:
        assert standing is Standing.UNDECIDED


def test_mx_hosts_that_are_not_listed_count_among_every() -> None:
    facts = with_sts(domain(good()))
    left_out = Anomaly(kind=AnomalyKind.MX_LEFT_OUT, detail="1 more MX host")
    route = Route(status=RouteStatus.MX, anomalies=(left_out,))
    assert judge_domain(replace(facts, route=route)).verdict.level is Level.AUTHENTICATED


def test_opportunistic_does_not_wait_for_trust_or_tlsa() -> None:
    facts = with_tlsa(domain(good(), run=run(NO_TRUST)), tlsa_failure=NO_LOOKUP)
    report = judge_domain(facts)
    assert not report.verdict.complete
    assert judge_standing(report, OPPORTUNISTIC) is Standing.MEETS


def test_that_no_ca_vouches_is_no_fault_where_tlsa_does() -> None:
    report = judge_domain(with_tlsa(domain(unauthenticated()), KEY))
    assert [finding.code for finding in report.findings] == []


@pytest.mark.parametrize(
    ("reason", "complete"),
    [
        (Reason.SERVFAIL, False),
        (Reason.TIMED_OUT, False),
        (Reason.BOGUS, False),
        (Reason.LIMIT, False),
        (Reason.INVALID_NAME, True),  # no sender can go there either
    ],
)
def test_a_host_that_may_have_unknown_addresses_leaves_the_verdict_open(
    reason: Reason, complete: bool
) -> None:
    facts = domain(good())
    lame = MxHost(name="x", preference=9, failure=Failure(step=Step.RESOLVE, reason=reason))

    assert level(replace(facts, mx_hosts=(*facts.mx_hosts, lame)))[1] is complete


@pytest.mark.parametrize("require", REQUIRABLE[:2])
def test_senders_use_the_address_that_answers(require: Level) -> None:
    """Of one MX host as of two: an address that refuses, and a look-up that fails, cost nothing."""
    refusing = domain(good(), refused(address="2001:db8::1"))
    two_names = domain(good(), refused(mx_host=MX2))
    failure = Failure(step=Step.RESOLVE, reason=Reason.SERVFAIL, detail="AAAA: SERVFAIL")
    facts = domain(good())
    half = replace(facts, mx_hosts=tuple(replace(each, failure=failure) for each in facts.mx_hosts))
    for each in (facts, refusing, two_names, half):
        each = replace(each, sts=StsFacts(txt=TxtFacts()))
        each = with_tlsa(each)
        assert judge_standing(judge_domain(each), require) is Standing.MEETS


def test_a_failed_look_up_leaves_the_verdict_incomplete() -> None:
    failure = Failure(step=Step.RESOLVE, reason=Reason.SERVFAIL, detail="AAAA: SERVFAIL")
    facts = domain(good())
    half = replace(facts, mx_hosts=tuple(replace(each, failure=failure) for each in facts.mx_hosts))
    report = judge_domain(half)

    assert not report.verdict.complete
    (found,) = (each for each in report.findings if each.code is Code.DNS_ERROR)
    assert found.detail is not None
    assert "AAAA: SERVFAIL" in found.detail


def test_the_count_of_endpoints_stands_beside_the_level() -> None:
    verdict = judge_domain(domain(good(), untested(mx_host=MX2), not_offered(mx_host=MX2))).verdict
    assert (verdict.endpoints, verdict.endpoints_tested) == (3, 1)


@pytest.mark.parametrize(
    ("level", "word"),
    [
        (Level.INVALID, Encrypted.UNKNOWN),
        (Level.NO_MAIL, Encrypted.NO_MAIL),
        (Level.UNKNOWN, Encrypted.UNKNOWN),
        (Level.NONE, Encrypted.NO),
        (Level.PARTIAL, Encrypted.PARTIAL),
        (Level.OPPORTUNISTIC, Encrypted.YES),
        (Level.AUTHENTICATED, Encrypted.YES),
        (Level.ENFORCED, Encrypted.YES),
    ],
)
def test_encrypted_in_a_word(level: Level, word: Encrypted) -> None:
    assert summarize_encrypted(level) is word


@pytest.mark.parametrize(
    ("facts", "require", "standing"),
    [
        pytest.param(
            domain(domain=None, route=None, error="no"),
            OPPORTUNISTIC,
            Standing.INVALID,
            id="invalid",
        ),
        pytest.param(domain(error="ours"), OPPORTUNISTIC, Standing.UNDECIDED, id="fault"),
        pytest.param(
            domain(confirmed(not_offered()), error="ours"),
            OPPORTUNISTIC,
            Standing.UNDECIDED,
            id="fault-beside-a-proven-negative",
        ),
        pytest.param(routed(RouteStatus.NULL_MX), OPPORTUNISTIC, Standing.NEUTRAL, id="null-mx"),
        pytest.param(
            routed(RouteStatus.NXDOMAIN), OPPORTUNISTIC, Standing.UNDECIDED, id="typo-never-passes"
        ),
        pytest.param(
            routed(RouteStatus.NO_MAIL_HOST), OPPORTUNISTIC, Standing.UNDECIDED, id="no-mail-host"
        ),
        pytest.param(
            routed(RouteStatus.DNS_ERROR), OPPORTUNISTIC, Standing.UNDECIDED, id="dns-error"
        ),
        pytest.param(domain(untested()), OPPORTUNISTIC, Standing.UNDECIDED, id="not-tested"),
        pytest.param(domain(not_offered()), OPPORTUNISTIC, Standing.UNDECIDED, id="unconfirmed"),
        pytest.param(domain(NEGATIVE), OPPORTUNISTIC, Standing.FALLS_SHORT, id="clear"),
        pytest.param(
            domain(NEGATIVE, untested(mx_host=MX2)),
            OPPORTUNISTIC,
            Standing.FALLS_SHORT,
            id="one-confirmed-fact-suffices",
        ),
        pytest.param(domain(unauthenticated()), OPPORTUNISTIC, Standing.MEETS, id="encrypted"),
        pytest.param(
            domain(unauthenticated(), untested(mx_host=MX2)),
            OPPORTUNISTIC,
            Standing.UNDECIDED,
            id="encrypted-so-far",
        ),
        pytest.param(
            domain(unauthenticated()), AUTHENTICATED, Standing.FALLS_SHORT, id="self-signed"
        ),
        pytest.param(
            domain(good(), run=run(NO_TRUST)), AUTHENTICATED, Standing.UNDECIDED, id="trust-unknown"
        ),
        pytest.param(domain(good()), AUTHENTICATED, Standing.MEETS, id="authenticated"),
        pytest.param(domain(good()), ENFORCED, Standing.UNDECIDED, id="policy-not-looked-at"),
        pytest.param(domain(unauthenticated()), ENFORCED, Standing.FALLS_SHORT, id="never"),
    ],
)
def test_standing(facts: DomainFacts, require: Level, standing: Standing) -> None:
    assert judge_standing(judge_domain(facts), require) is standing


def test_a_host_that_does_not_listen_is_a_finding_of_its_own() -> None:
    report = judge_domain(domain(good(), refused(mx_host=MX2)))
    assert [finding.code for finding in report.findings] == [Code.MX_NOT_LISTENING]


def test_an_empty_trust_store_is_a_finding_once() -> None:
    report = judge_domain(domain(good(), good(mx_host=MX2), run=run(NO_TRUST)))
    assert [finding.code for finding in report.findings] == [Code.TRUST_NOT_TESTED]


def test_findings_stand_the_most_severe_first() -> None:
    report = judge_domain(domain(untested(mx_host=MX2), NEGATIVE, unauthenticated(mx_host=MX2)))
    severities = [finding.severity for finding in report.findings]
    assert severities == sorted(severities, key=["high", "medium", "low", "info"].index)


_hosts = st.sampled_from([MX1, MX2, "mx3.example.com"])
_addresses = st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1"])
_sessions = st.sampled_from(
    [
        good(),
        unauthenticated(),
        good(tls_version="TLSv1.1"),
        good(chain=(), path=()),
        NEGATIVE,
        not_offered(confirmed=Confirmed.NO),
        confirmed(handshake_failed()),
        untested(),
        untested(reason=Reason.REFUSED),
        refused(),
        untested(reason=Reason.NO_IPV6_HERE),
        untested(Step.GREETING, Reason.BAD_REPLY),
    ]
)
_endpoints = st.builds(
    lambda facts, host, address: replace(facts, mx_host=host, address=address),
    _sessions,
    _hosts,
    _addresses,
)
_domains = st.builds(
    lambda endpoints, trusted: domain(*endpoints, **({} if trusted else {"run": run(NO_TRUST)})),
    st.lists(_endpoints, max_size=5),
    st.booleans(),
)


def _replaced(facts: DomainFacts, position: int, fault: EndpointFacts) -> DomainFacts:
    """*facts* where the endpoint at *position* turned out as *fault*."""
    old = facts.endpoints[position]
    new = replace(fault, mx_host=old.mx_host, address=old.address)
    endpoints = (*facts.endpoints[:position], new, *facts.endpoints[position + 1 :])
    return replace(facts, endpoints=endpoints)


def _with_faults(facts: DomainFacts, further: EndpointFacts) -> Sequence[DomainFacts]:
    """*facts* with one fault more, in every way that a fault can come.

    A tested endpoint that refuses TCP instead is not among them: it is out of the way by
    the rule on nolisting, as a mail server that was switched off is.
    """
    lame = MxHost(
        name="lame", preference=5, failure=Failure(step=Step.RESOLVE, reason=Reason.SERVFAIL)
    )
    faults = [
        replace(facts, mx_hosts=(*facts.mx_hosts, lame)),
        replace(facts, run=run(NO_TRUST)),
        replace(facts, route=Route(status=RouteStatus.DNS_ERROR), endpoints=()),
        replace(facts, route=None, endpoints=()),
    ]
    if further.tls_version is None:
        faults.append(replace(facts, endpoints=(*facts.endpoints, further)))
    for position in range(len(facts.endpoints)):
        for fault in (NEGATIVE, confirmed(handshake_failed()), untested(), not_offered()):
            faults.append(_replaced(facts, position, fault))
        if facts.endpoints[position].tls_version is not None:
            faults.append(_replaced(facts, position, unauthenticated()))
    return faults


@given(_domains, _endpoints, st.sampled_from(REQUIRABLE))
def test_a_fault_more_never_makes_a_domain_meet(
    facts: DomainFacts, further: EndpointFacts, require: Level
) -> None:
    if judge_standing(judge_domain(facts), require) is Standing.MEETS:
        return
    for faulty in _with_faults(facts, further):
        assert judge_standing(judge_domain(faulty), require) is not Standing.MEETS


@given(_domains)
def test_facts_judged_again_give_the_same_report(facts: DomainFacts) -> None:
    report: DomainReport = judge_domain(facts)
    assert judge_domain(facts_of(report)) == report


@given(_domains)
def test_no_level_without_evidence(facts: DomainFacts) -> None:
    verdict = judge_domain(facts).verdict
    if not verdict.endpoints_tested:
        assert verdict.level is Level.UNKNOWN


class _CountingReader(CertificateReader):
    """Counts how often each certificate is read anew."""

    def __init__(self) -> None:
        super().__init__()
        self.readings: Counter[bytes] = Counter()
        self._read = functools.lru_cache(self._count)

    def _count(self, der: bytes) -> ReadCertificate:
        self.readings[der] += 1
        return read_certificate(der)


def test_a_run_reads_a_certificate_once() -> None:
    """However many rules, standings and domains ask for it."""
    reader = _CountingReader()
    facts = with_tlsa(domain(good(), good(mx_host=MX2)), KEY)
    for name in ("one.example", "two.example"):
        report = judge_domain(replace(facts, domain=name), reader)
        for require in (ENFORCED, PROFILES[ProfileName.NIST]):
            answer(assess(report, require, reader), reader)
    assert reader.readings == {CERTIFICATE: 1}


def test_judging_leaves_no_cycles_for_the_garbage_collector() -> None:
    """The command lets it run rarely: cycles would fill the memory."""
    facts = domain(good(), unauthenticated(mx_host=MX2))
    judge_standing(judge_domain(facts), ENFORCED)
    gc.collect()
    gc.disable()
    try:
        judge_standing(judge_domain(facts), ENFORCED)
        assert gc.collect() == 0
    finally:
        gc.enable()


@given(_domains, st.sampled_from([*REQUIRABLE, *PROFILES.values()]))
def test_whatever_does_not_meet_has_a_reason(facts: DomainFacts, require: Level | Profile) -> None:
    report = assess(judge_domain(facts), require)
    assert (report.standing is Standing.MEETS) == (not report.reasons)


@given(_domains, st.sampled_from([*REQUIRABLE, *PROFILES.values()]))
def test_the_headline_never_contradicts_standing_delivery_or_findings(
    facts: DomainFacts, require: Level | Profile
) -> None:
    report = assess(judge_domain(facts), require)
    words = headline(report)
    assert report.standing is not None
    assert words.startswith(f"example.com: {LABELS[report.standing]}")
    if report.standing is Standing.MEETS:
        assert "unencrypted" not in words
        assert "Could not test" not in words
        high = any(each.severity is Severity.HIGH for each in report.findings)
        assert not high or "PASS, but " in words
    assert report.delivery is not None
    now = report.delivery.opportunistic.now
    if "Mail is sent unencrypted" in words and " or " not in words:
        assert now is DeliveryOutcome.CLEAR
    if "Mail is held back" in words:
        assert now is DeliveryOutcome.DEFERRED
    text = " ".join(effects(report))
    mandatory = report.delivery.mandatory
    if "You can require TLS for this domain without losing mail" in text:
        assert {mandatory.now, mandatory.fallback} <= DELIVERED
    if mandatory.now is DeliveryOutcome.DEFERRED:
        assert "You can require TLS" not in text
