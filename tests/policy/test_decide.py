"""What a policy map says of a domain: never below the live line, never on thin evidence."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.policy.decide import (
    Change,
    Effect,
    Evidence,
    Patience,
    Policy,
    PolicyLevel,
    assess,
    decide,
)
from prober.records import (
    Dane,
    Dnssec,
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
    VerifyError,
)
from prober.rules.senders import SECURE_MATCH
from prober.rules.verdict import judge_domain
from tests.rules.certificates import issue
from tests.support.builders import (
    MX,
    NOW,
    completed,
    confirmed,
    domain,
    not_offered,
    untested,
)

DANE_ONLY = Policy(level=PolicyLevel.DANE_ONLY)
SECURE = Policy(level=PolicyLevel.SECURE, match=SECURE_MATCH)
BY_STS = Policy(level=PolicyLevel.SECURE, match=(".example.com",))
PINNED = Policy(level=PolicyLevel.SECURE, match=("mx.elsewhere.example",))
VERIFY = Policy(level=PolicyLevel.VERIFY)
ENCRYPT = Policy(level=PolicyLevel.ENCRYPT)
LOSES, DELIVERS = Effect.LOSES, Effect.DELIVERS

CA = issue("ca.example")
GOOD = issue(MX, by=CA).der
HOSTED = "mx.hoster.example"
OF_HOSTER = issue(HOSTED, san=(HOSTED,), by=CA).der
SELF_SIGNED = VerifyError(depth=0, code=18, text="self signed")
TLSA = TlsaRecord(usage=3, selector=1, matching_type=1, data=bytes(32))
DEEP = issue("w", san=("a.mx.hoster.example",), by=CA).der
OF_HOSTERS = MtaSts(status=StsStatus.ENFORCE, mx=("*.hoster.example",))
ENFORCE = MtaSts(status=StsStatus.ENFORCE, mx=("*.example.com",))


def good(certificate: bytes = GOOD, **fields: Any) -> EndpointFacts:
    return completed(**({"chain": (certificate,), "path": (0,)} | fields))


def report(*endpoints: EndpointFacts, **changes: Any) -> DomainReport:
    return replace(judge_domain(domain(*endpoints)), **changes)


def signed(dane: Dane, tlsa: tuple[TlsaRecord, ...] = (TLSA,), **fields: Any) -> DomainReport:
    judged = report(good(**fields))
    secure = Dnssec.SECURE
    host = MxHost(
        name=MX,
        preference=10,
        addresses=("192.0.2.1",),
        dnssec=secure,
        tlsa=tlsa,
        tlsa_dnssec=secure,
    )
    return replace(
        judged,
        route=Route(status=RouteStatus.MX, dnssec=secure),
        mx_hosts=(host,),
        endpoints=tuple(replace(each, dane=dane) for each in judged.endpoints),
    )


NO_TLS = confirmed(not_offered())
HAS_HOST = signed(Dane.NONE, ())
TLSA_FAILED = replace(
    HAS_HOST,
    mx_hosts=(
        replace(
            HAS_HOST.mx_hosts[0],
            tlsa_dnssec=None,
            tlsa_failure=Failure(step=Step.RESOLVE, reason=Reason.SERVFAIL, detail="TLSA"),
        ),
    ),
    endpoints=tuple(replace(each, dane=Dane.NOT_TESTED) for each in HAS_HOST.endpoints),
)
UNLISTED = MxHost(name="mx.elsewhere.example", preference=20)
IN_STS_FORM = replace(BY_STS, sts=True)
OFFERS = {
    "no-tls": (report(NO_TLS), ()),
    "not-tested": (report(untested()), ()),
    "one-of-two": (report(good(), confirmed(not_offered(mx_host="mx2.example.com"))), ()),
    "backup-not-seen": (report(good(), untested(mx_host="mx2.example.com")), ()),
    "tls-1.0": (report(good(tls_version="TLSv1")), ()),
    "null-mx": (report(route=Route(status=RouteStatus.NULL_MX)), ()),
    "self-signed": (report(good(verify_errors=(SELF_SIGNED,))), (ENCRYPT,)),
    "hosted": (report(good(OF_HOSTER, mx_host=HOSTED)), (VERIFY, ENCRYPT)),
    "own-name": (report(good()), (SECURE, VERIFY, ENCRYPT)),
    "sts-testing": (
        report(good(), mta_sts=MtaSts(status=StsStatus.TESTING, mx=(MX,))),
        (SECURE, VERIFY, ENCRYPT),
    ),
    "sts-enforce": (report(good(), mta_sts=ENFORCE), (BY_STS, SECURE, VERIFY, ENCRYPT)),
    # RFC 8461 §4.1: each host has to be listed, and to prove its own name
    "sts-proves-another-host": (
        report(good(OF_HOSTER, mx_host="mx2.hoster.example"), mta_sts=OF_HOSTERS),
        (ENCRYPT,),
    ),
    "sts-unlisted": (
        report(
            good(DEEP, mx_host="a.mx.hoster.example"),
            mta_sts=replace(OF_HOSTERS, uncovered=("a.mx.hoster.example",)),
        ),
        (VERIFY, ENCRYPT),
    ),
    "sts-of-hoster": (
        report(good(OF_HOSTER, mx_host=HOSTED), mta_sts=OF_HOSTERS),
        (Policy(level=PolicyLevel.SECURE, match=(".hoster.example",)), VERIFY, ENCRYPT),
    ),
    "sts-senders-differ": (
        report(good(), mta_sts=replace(ENFORCE, senders_differ="x")),
        (SECURE, VERIFY, ENCRYPT),
    ),
    # whoever writes the policy file writes nothing else into our map
    "sts-hostile": (
        report(good(), mta_sts=replace(ENFORCE, mx=(MX, "mx.example.com ciphers=export"))),
        (SECURE, VERIFY, ENCRYPT),
    ),
    # postconf(5): hostname and nexthop in match= are no names
    "sts-words-of-postfix": (
        report(good(), mta_sts=replace(ENFORCE, mx=("*.example.com", "hostname"))),
        (SECURE, VERIFY, ENCRYPT),
    ),
    # RFC 7672 §2.1.2: a DANE sender defers; nobody knows whether a line would replace DANE
    "tlsa-look-up-failed": (TLSA_FAILED, ()),
    # RFC 7672 §2.2: no certificate of a CA makes up for a mismatch
    "dane-mismatch": (signed(Dane.MISMATCH), ()),
    "dane-unusable": (signed(Dane.UNUSABLE), (SECURE, VERIFY, ENCRYPT)),
    "dane-match-no-tlsa-any-more": (signed(Dane.MATCH, ()), (SECURE, VERIFY, ENCRYPT)),
    "dane": (signed(Dane.MATCH), (DANE_ONLY, SECURE, VERIFY, ENCRYPT)),
}


@pytest.mark.parametrize(("seen", "offers"), OFFERS.values(), ids=OFFERS)
def test_what_a_run_offers(seen: DomainReport, offers: tuple[Policy, ...]) -> None:
    assert assess(seen).offers == offers


WEAK_DH = report(good(key_exchange="DH", key_exchange_bits=1024, tls_version="TLSv1.2"))


def test_a_sender_that_may_refuse_weak_dh_gets_no_line_for_it() -> None:
    """Debian's OpenSMTPD holds such mail back where a line requires TLS."""
    assert assess(WEAK_DH).offers != ()
    assert assess(WEAK_DH, weak_dh=False).offers == ()
    assert assess(report(good()), weak_dh=False).offers == (SECURE, VERIFY, ENCRYPT)
    kept = assess(WEAK_DH, ENCRYPT, weak_dh=False)
    assert (kept.live, kept.losing) == (Effect.UNKNOWN, frozenset())
    assert assess(report(NO_TLS), ENCRYPT, weak_dh=False).live is Effect.LOSES


def aliased(seen: DomainReport, tlsa_base: str | None = None) -> DomainReport:
    """*seen*, whose MX host is an alias."""
    hosts = (replace(each, alias_of="real.example", tlsa_base=tlsa_base) for each in seen.mx_hosts)
    return replace(seen, mx_hosts=tuple(hosts))


@pytest.mark.parametrize(
    ("seen", "offers"),
    [
        pytest.param(HAS_HOST, (SECURE, VERIFY, ENCRYPT), id="no-alias"),
        pytest.param(aliased(HAS_HOST), (ENCRYPT,), id="alias"),
        pytest.param(
            aliased(signed(Dane.MATCH), "real.example"), (DANE_ONLY, ENCRYPT), id="tlsa-behind-it"
        ),
        pytest.param(aliased(signed(Dane.MATCH), MX), (ENCRYPT,), id="tlsa-at-the-alias"),
    ],
)
def test_what_a_sender_that_asks_for_the_name_behind_an_alias_proves(
    seen: DomainReport, offers: tuple[Policy, ...]
) -> None:
    """Exim sends that name as SNI, verifies the alias, and looks TLSA up behind it only."""
    assert assess(seen, asks_behind_alias=True).offers == offers
    for live in (VERIFY, DANE_ONLY, ENCRYPT):
        before = assess(seen, live).live
        kept = assess(seen, live, asks_behind_alias=True).live
        unknown = before is DELIVERS and live not in offers
        assert kept is (Effect.UNKNOWN if unknown else before)


def test_a_policy_knows_that_its_names_are_those_of_mta_sts() -> None:
    offers = assess(OFFERS["sts-enforce"][0]).offers
    assert [policy for policy in offers if policy.sts] == [BY_STS]


@pytest.mark.parametrize(
    ("seen", "live", "effect"),
    [
        pytest.param(report(NO_TLS), ENCRYPT, Effect.LOSES, id="encrypt-loses"),
        pytest.param(report(untested()), ENCRYPT, Effect.UNKNOWN, id="encrypt-unknown"),
        pytest.param(report(good()), ENCRYPT, Effect.DELIVERS, id="encrypt"),
        # only where mail is lost today is a line to blame: backup hosts do not count
        pytest.param(OFFERS["one-of-two"][0], ENCRYPT, Effect.UNKNOWN, id="backup-loses"),
        pytest.param(OFFERS["self-signed"][0], VERIFY, Effect.LOSES, id="verify-loses"),
        pytest.param(report(good()), VERIFY, Effect.DELIVERS, id="verify"),
        pytest.param(report(good()), PINNED, Effect.LOSES, id="secure-loses"),
        pytest.param(report(good()), BY_STS, Effect.DELIVERS, id="secure"),
        pytest.param(
            report(good()), replace(SECURE, match=()), Effect.DELIVERS, id="secure-by-default"
        ),
        # Postfix 3.10.5: the MX host has to be listed, and to prove its own name
        pytest.param(HAS_HOST, IN_STS_FORM, Effect.DELIVERS, id="sts"),
        pytest.param(HAS_HOST, replace(PINNED, sts=True), Effect.LOSES, id="sts-lists-no-mx-host"),
        pytest.param(
            replace(HAS_HOST, mx_hosts=(*HAS_HOST.mx_hosts, UNLISTED)),
            IN_STS_FORM,
            Effect.UNKNOWN,
            id="sts-lists-one-of-two",
        ),
        pytest.param(
            signed(Dane.NONE, (), verify_errors=(SELF_SIGNED,)),
            IN_STS_FORM,
            Effect.LOSES,
            id="sts-loses",
        ),
        pytest.param(report(mta_sts=ENFORCE), IN_STS_FORM, Effect.UNKNOWN, id="sts-nothing-seen"),
        # a domain that gave DANE up: a dane-only sender finds no TLSA
        pytest.param(signed(Dane.NONE, ()), DANE_ONLY, Effect.LOSES, id="dane-gone"),
        pytest.param(signed(Dane.UNUSABLE), DANE_ONLY, Effect.LOSES, id="dane-unusable"),
        pytest.param(signed(Dane.MISMATCH), DANE_ONLY, Effect.LOSES, id="dane-mismatch"),
        pytest.param(signed(Dane.NOT_TESTED), DANE_ONLY, Effect.UNKNOWN, id="dane-not-tested"),
        pytest.param(signed(Dane.MATCH), DANE_ONLY, Effect.DELIVERS, id="dane"),
    ],
)
def test_what_a_run_says_of_the_live_line(seen: DomainReport, live: Policy, effect: Effect) -> None:
    assert assess(seen, live).live is effect


def run(day: int = 0, **fields: Any) -> Evidence:
    defaults: dict[str, Any] = {
        "checked_at": NOW + timedelta(days=day),
        "complete": True,
        "offers": (),
        "losing": frozenset(),
        "live": Effect.UNKNOWN,
    }
    return Evidence(**(defaults | fields))


BOTH_LOSE = frozenset({PolicyLevel.VERIFY, PolicyLevel.ENCRYPT})
VERIFY_LOSES = frozenset({PolicyLevel.VERIFY})
LEVELS = tuple(PolicyLevel)


def runs(count: int, **fields: Any) -> tuple[Evidence, ...]:
    return tuple(run(day, **fields) for day in range(count))


@pytest.mark.parametrize(
    ("evidence", "live", "patience", "after", "change"),
    [
        # nothing is tightened on thin evidence
        pytest.param((), None, Patience(), None, Change.NONE, id="nothing-seen"),
        pytest.param(runs(1), None, Patience(), None, Change.NONE, id="nothing-delivers"),
        pytest.param(
            runs(1, offers=(ENCRYPT,), complete=False),
            None,
            Patience(),
            None,
            Change.NONE,
            id="not-complete",
        ),
        pytest.param(
            runs(1, offers=(VERIFY, ENCRYPT), complete=False, live=DELIVERS),
            ENCRYPT,
            Patience(),
            ENCRYPT,
            Change.KEPT,
            id="incomplete-never-tightens",
        ),
        pytest.param(
            runs(2, offers=(ENCRYPT,)),
            None,
            Patience(require_runs=3),
            None,
            Change.NONE,
            id="too-few-runs",
        ),
        pytest.param(
            (run(0, offers=(ENCRYPT,)), run(1), run(2, offers=(ENCRYPT,))),
            None,
            Patience(require_runs=3),
            None,
            Change.NONE,
            id="not-in-a-row",
        ),
        pytest.param(
            (run(0, offers=(ENCRYPT,), complete=False), run(1, offers=(ENCRYPT,))),
            None,
            Patience(require_runs=2),
            None,
            Change.NONE,
            id="one-of-two-not-complete",
        ),
        pytest.param(
            (run(0, offers=(ENCRYPT,)), run(0, offers=(ENCRYPT,))),
            None,
            Patience(require_runs=2),
            None,
            Change.NONE,
            id="the-same-run-twice",
        ),
        # nothing is loosened unless asked for, and by what is unknown never
        pytest.param((), VERIFY, Patience(loosen_runs=1), VERIFY, Change.KEPT, id="gone-from-list"),
        pytest.param(
            runs(9, live=LOSES, losing=BOTH_LOSE),
            VERIFY,
            Patience(),
            VERIFY,
            Change.KEPT,
            id="never-by-default",
        ),
        pytest.param(
            runs(9), VERIFY, Patience(loosen_runs=1), VERIFY, Change.KEPT, id="unknown-nine-times"
        ),
        pytest.param(
            runs(2, live=LOSES),
            VERIFY,
            Patience(loosen_runs=3),
            VERIFY,
            Change.KEPT,
            id="too-few-losses",
        ),
        pytest.param(
            (*runs(2, live=LOSES), run(2), run(3, live=LOSES)),
            VERIFY,
            Patience(loosen_runs=2),
            VERIFY,
            Change.KEPT,
            id="losses-not-in-a-row",
        ),
        pytest.param(
            runs(1, offers=(VERIFY, ENCRYPT), live=DELIVERS),
            DANE_ONLY,
            Patience(loosen_runs=1),
            DANE_ONLY,
            Change.KEPT,
            id="never-below-what-delivers",
        ),
        # as strict, other names
        pytest.param(
            runs(1, offers=(BY_STS,), live=DELIVERS),
            SECURE,
            Patience(),
            SECURE,
            Change.KEPT,
            id="other-names-without-need",
        ),
        pytest.param(
            (run(0, offers=(BY_STS,)), run(1, offers=(BY_STS,), live=LOSES)),
            PINNED,
            Patience(require_runs=2),
            PINNED,
            Change.KEPT,
            id="other-names-too-early",
        ),
        pytest.param(
            runs(2, offers=(BY_STS,), live=LOSES),
            PINNED,
            Patience(require_runs=2),
            BY_STS,
            Change.MOVED,
            id="moved-to-other-names",
        ),
        # loosened no further than must be
        pytest.param(
            runs(2, live=LOSES, losing=VERIFY_LOSES),
            DANE_ONLY,
            Patience(loosen_runs=2),
            ENCRYPT,
            Change.LOOSENED,
            id="one-step-more-than-verify",
        ),
        pytest.param(
            runs(2, live=LOSES, offers=(SECURE, VERIFY, ENCRYPT)),
            DANE_ONLY,
            Patience(loosen_runs=2),
            SECURE,
            Change.LOOSENED,
            id="to-secure",
        ),
        pytest.param(
            (run(0, live=LOSES), run(1, live=LOSES, offers=(SECURE,))),
            DANE_ONLY,
            Patience(loosen_runs=2),
            VERIFY,
            Change.LOOSENED,
            id="to-secure-only-if-every-run-has-it",
        ),
        pytest.param(
            (run(0, live=LOSES, losing=VERIFY_LOSES), run(1, live=LOSES)),
            SECURE,
            Patience(loosen_runs=2),
            ENCRYPT,
            Change.LOOSENED,
            id="past-what-lost-once",
        ),
        pytest.param(
            runs(2, live=LOSES, losing=BOTH_LOSE),
            VERIFY,
            Patience(loosen_runs=2),
            None,
            Change.REMOVED,
            id="nothing-left",
        ),
        # tightened
        pytest.param(
            runs(1, offers=(VERIFY, ENCRYPT), live=DELIVERS),
            ENCRYPT,
            Patience(),
            VERIFY,
            Change.TIGHTENED,
            id="tightened",
        ),
        pytest.param(
            (
                run(2, offers=(DANE_ONLY, VERIFY, ENCRYPT)),
                run(0, offers=()),
                run(1, offers=(VERIFY, ENCRYPT)),
            ),
            None,
            Patience(require_runs=2),
            VERIFY,
            Change.NEW,
            id="what-all-of-the-last-have-in-any-order",
        ),
        pytest.param(runs(1, offers=(ENCRYPT,)), None, Patience(), ENCRYPT, Change.NEW, id="new"),
    ],
)
def test_decide(
    evidence: tuple[Evidence, ...],
    live: Policy | None,
    patience: Patience,
    after: Policy | None,
    change: Change,
) -> None:
    decision = decide("example.com", evidence, live, levels=LEVELS, patience=patience)
    assert (decision.after, decision.change) == (after, change)
    assert decision.before == live


@pytest.mark.parametrize(
    ("evidence", "live", "sts"),
    [
        pytest.param(runs(2, offers=(IN_STS_FORM,)), BY_STS, True, id="learnt"),
        pytest.param(runs(1, offers=(IN_STS_FORM,)), BY_STS, False, id="too-early"),
        pytest.param(runs(2, offers=(VERIFY,)), BY_STS, False, id="not-by-mta-sts"),
        pytest.param(runs(2, offers=(VERIFY,)), IN_STS_FORM, True, id="kept"),
        pytest.param((), IN_STS_FORM, True, id="kept-without-results"),
    ],
)
def test_a_kept_line_learns_that_its_names_are_those_of_mta_sts(
    evidence: tuple[Evidence, ...], live: Policy, sts: bool
) -> None:
    patience = Patience(require_runs=2)
    decision = decide("example.com", evidence, live, levels=LEVELS, patience=patience)
    assert (decision.after, decision.change) == (live, Change.KEPT)
    assert decision.after is not None
    assert decision.after.sts is sts


def test_only_levels_that_the_mta_has_are_written() -> None:
    offers = (DANE_ONLY, SECURE, VERIFY, ENCRYPT)
    levels = (PolicyLevel.VERIFY, PolicyLevel.ENCRYPT)

    new = decide("d.test", runs(1, offers=offers), None, levels=levels, patience=Patience())
    losing = runs(1, offers=offers, live=LOSES, losing=VERIFY_LOSES)
    only_verify = (PolicyLevel.DANE_ONLY, PolicyLevel.VERIFY)
    left = decide("d.test", losing, DANE_ONLY, levels=only_verify, patience=Patience(loosen_runs=1))

    assert new.after == VERIFY
    assert left.after is None


@pytest.mark.parametrize(
    ("evidence", "live", "patience", "reason", "loses"),
    [
        pytest.param(
            runs(1), None, Patience(require_runs=3), "seen in 1 run of 3", False, id="few"
        ),
        pytest.param(
            runs(1, complete=False), None, Patience(), "not seen completely", False, id="incomplete"
        ),
        pytest.param(
            runs(1),
            None,
            Patience(),
            "no policy is known to deliver to every host",
            False,
            id="none",
        ),
        pytest.param(
            (run(0), run(1, offers=(ENCRYPT,))),
            None,
            Patience(require_runs=2),
            "not in every run",
            False,
            id="moody",
        ),
        pytest.param((), ENCRYPT, Patience(), "not in the results", False, id="absent"),
        pytest.param(runs(1), ENCRYPT, Patience(), "not seen well enough to say", False, id="dark"),
        pytest.param(runs(1, live=DELIVERS), ENCRYPT, Patience(), "it delivers", False, id="well"),
        pytest.param(
            runs(2, live=LOSES),
            ENCRYPT,
            Patience(),
            "it holds mail back today (2 runs)",
            True,
            id="loses",
        ),
        pytest.param(
            runs(2, live=LOSES),
            ENCRYPT,
            Patience(loosen_runs=3),
            "it holds mail back today (2 runs of 3)",
            True,
            id="loses-not-yet-loosened",
        ),
    ],
)
def test_the_reason_is_told(
    evidence: tuple[Evidence, ...],
    live: Policy | None,
    patience: Patience,
    reason: str,
    loses: bool,
) -> None:
    decision = decide("example.com", evidence, live, levels=LEVELS, patience=patience)
    assert (decision.reason, decision.loses) == (reason, loses)


RANKS = {level: rank for rank, level in enumerate(reversed(PolicyLevel))}
policies = st.sampled_from([DANE_ONLY, SECURE, BY_STS, VERIFY, ENCRYPT])
evidences = st.builds(
    run,
    day=st.integers(0, 9),
    complete=st.booleans(),
    offers=st.lists(policies, unique=True).map(tuple),
    losing=st.frozensets(st.sampled_from([PolicyLevel.VERIFY, PolicyLevel.ENCRYPT])),
    live=st.sampled_from(Effect),
)


@given(evidence=st.lists(evidences, max_size=5), live=policies, require_runs=st.integers(1, 3))
def test_without_the_express_wish_no_line_gets_weaker(
    evidence: list[Evidence], live: Policy, require_runs: int
) -> None:
    patience = Patience(require_runs=require_runs)
    after = decide("d.test", evidence, live, levels=LEVELS, patience=patience).after
    assert after is not None
    assert RANKS[after.level] >= RANKS[live.level]


@given(evidence=st.lists(evidences, max_size=5), live=policies)
def test_whatever_the_wish_unknown_loosens_nothing(evidence: list[Evidence], live: Policy) -> None:
    dark = [replace(each, live=Effect.UNKNOWN) for each in evidence]
    after = decide("d.test", dark, live, levels=LEVELS, patience=Patience(loosen_runs=1)).after
    assert after is not None
    assert RANKS[after.level] >= RANKS[live.level]


def test_what_a_run_says_is_lost() -> None:
    for seen, _ in OFFERS.values():
        evidence = assess(seen)
        assert not evidence.losing & {policy.level for policy in evidence.offers}
    assert assess(OFFERS["self-signed"][0]).losing == VERIFY_LOSES
    assert assess(report(NO_TLS)).losing == BOTH_LOSE
    assert {assess(seen).live for seen, _ in OFFERS.values()} == {Effect.UNKNOWN}
