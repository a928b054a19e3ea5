"""What counts as a change, and in which direction. docs/record.md.

A row is the runs of a domain, oldest first, and the changes that the last one shows:
``direction code``, with ``~`` where no mail is sent for it. Rows without any change come first.
"""

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from prober.records import (
    DeepAnswer,
    DeepQuestion,
    Dnssec,
    DomainFacts,
    DomainReport,
    EndpointFacts,
    Failure,
    Hello,
    Level,
    Line,
    MxHost,
    PolicyFetch,
    ProfileName,
    Reason,
    Route,
    RouteStatus,
    Step,
    StsFacts,
    TlsaRecord,
    TxtFacts,
    VerifyError,
)
from prober.records.changes import Change, ChangeCode, Direction
from prober.rules.drift import compare
from prober.rules.norms import Profile
from prober.rules.profiles import PROFILES
from prober.rules.standing import assess
from prober.rules.verdict import judge_domain
from tests.rules.certificates import Issued, ec_key, issue, spki
from tests.support.builders import (
    MX,
    NO_TRUST,
    NOW,
    completed,
    confirmed,
    domain,
    handshake_failed,
    not_offered,
    run,
    untested,
)
from tests.support.deep import asked, no, not_tested, yes

MX2 = "mx2.example.com"
A2, A3 = "192.0.2.2", "192.0.2.3"
CA = issue("ca.example")
OTHER_CA = issue("other-ca.example")
NAMES = (MX, MX2)


@functools.cache
def leaf(
    by: Issued = CA, *, key: str = "one", names: tuple[str, ...] = NAMES, lives: tuple[int, int]
) -> bytes:
    return issue(MX, by=by, san=names, lives=lives, key=ec_key(key)).der


LEAF = leaf(lives=(-40, 50))
RENEWED = leaf(lives=(20, 110))  # with 30 of 90 days left
RENEWED_KEY = leaf(lives=(20, 110), key="two")
EARLY = leaf(lives=(-30, 60))  # with 80 of 90 days left
EARLY_2 = leaf(lives=(-20, 70))
EARLY_3 = leaf(lives=(-10, 80))
REISSUED = leaf(OTHER_CA, lives=(20, 110))
FEWER = leaf(lives=(20, 110), names=(MX,))
MORE = leaf(lives=(20, 110), names=(*NAMES, "mail.example.com"))
SHORT = leaf(lives=(-30, 5))  # ends before the second run
WRONG = leaf(lives=(20, 110), names=("other.example.net",))
POOL_LEAF = leaf(OTHER_CA, lives=(-50, 300), key="pool")
SELF_SIGNED = VerifyError(depth=0, code=18, text="self signed")
RSA: dict[str, Any] = {"key_exchange": None}


def good(chain: bytes = LEAF, **fields: Any) -> EndpointFacts:
    return completed(**({"chain": (chain,), "path": (0,)} | fields))


def unproven(**fields: Any) -> EndpointFacts:
    return good(**({"verify_errors": (SELF_SIGNED,), "path": ()} | fields))


def noisy(number: int) -> EndpointFacts:
    """The same server, with what changes by itself."""
    return good(
        greeting=f"220 mx ESMTP id-{number}",
        observed_as=f"mx{number}.example.net",
        transcript=(Line(ms=number, peer="server", line=f"250 session {number}"),),
    )


NEGATIVE = confirmed(not_offered())
BROKEN = confirmed(handshake_failed())
REFUSED = confirmed(untested(reason=Reason.REFUSED))
SILENT = untested(step=Step.GREETING)
THROTTLED = untested(step=Step.GREETING, reason=Reason.BAD_REPLY)


Q = DeepQuestion


def plain(**fields: Any) -> EndpointFacts:
    """With a group that a server may have chosen although it accepts better."""
    return good(**({"key_exchange": "x25519"} | fields))


def deep(*answers: DeepAnswer) -> DomainFacts:
    return domain(plain(deep=asked(*answers)))


SHA1_DH: dict[str, Any] = {"cipher": "TLS_DHE_RSA_WITH_AES_128_CBC_SHA", "key_exchange": "DH"}
DEEP = {
    "post-quantum": (yes(Q.POST_QUANTUM), no(Q.POST_QUANTUM)),
    "legacy-versions": (no(Q.LEGACY_VERSION), yes(Q.LEGACY_VERSION, tls_version="TLSv1")),
    "broken-suites": (no(Q.BROKEN_SUITES), yes(Q.BROKEN_SUITES)),
    "static-key-exchange": (no(Q.STATIC_KEY_EXCHANGE), yes(Q.STATIC_KEY_EXCHANGE)),
    "weak-dh": (
        yes(Q.FINITE_FIELD_DH, **SHA1_DH, key_exchange_bits=2048),
        yes(Q.FINITE_FIELD_DH, **SHA1_DH, key_exchange_bits=1024),
    ),
}
"""What is well and what is not, by the code of the change."""
NO_CERTIFICATE = (no(Q.RSA_CERTIFICATE), yes(Q.ECDSA_CERTIFICATE))
GOOD_SECOND = leaf(lives=(-30, 90), key="rsa")
BAD_SECOND = leaf(lives=(-30, 90), key="rsa", names=("elsewhere.example",))


def shown(second: bytes) -> DomainFacts:
    answer = yes(Q.RSA_CERTIFICATE, chain=(second,), path=(0,), tls_version="TLSv1.2")
    return deep(answer, yes(Q.ECDSA_CERTIFICATE, chain=(LEAF,), path=(0,)))


def routed(status: RouteStatus, **fields: Any) -> DomainFacts:
    return domain(route=Route(status=status, **fields))


DNS_DOWN = routed(RouteStatus.DNS_ERROR, reason=Reason.SERVFAIL)


def txt(*records: str, failure: Reason | None = None) -> TxtFacts:
    failed = None if failure is None else Failure(step=Step.RESOLVE, reason=failure)
    return TxtFacts(records=records, failure=failed)


def sts(
    mode: str = "enforce",
    identifier: str = "1",
    mx: Sequence[str] = (MX,),
    max_age: int = 604800,
    **fetched: Any,
) -> StsFacts:
    lines = ["version: STSv1", f"mode: {mode}", f"max_age: {max_age}", *(f"mx: {m}" for m in mx)]
    fetch: dict[str, Any] = {
        "url": "https://mta-sts.example.com/.well-known/mta-sts.txt",
        "http_status": 200,
        "content_type": "text/plain",
        "body": "\n".join(lines) + "\n",
        "certificate_trusted": True,
    }
    return StsFacts(txt=txt(f"v=STSv1; id={identifier}"), fetch=PolicyFetch(**(fetch | fetched)))


def unfetched(**fetched: Any) -> StsFacts:
    failure = Failure(step=Step.CONNECT, reason=Reason.TIMED_OUT)
    nothing: dict[str, Any] = {
        "http_status": None,
        "content_type": None,
        "body": None,
        "certificate_trusted": None,
        "failure": failure,
    }
    return sts(**(nothing | fetched))


NO_STS = StsFacts(txt=txt())


def with_sts(policy: StsFacts) -> DomainFacts:
    return domain(good(), sts=policy)


def rpt(*records: str, failure: Reason | None = None) -> DomainFacts:
    return domain(good(), tls_rpt_txt=txt(*records, failure=failure))


REPORTS = "v=TLSRPTv1; rua=mailto:tls@example.com"
OTHER_REPORTS = "v=TLSRPTv1; rua=mailto:other@example.com"


def tlsa(key: str) -> TlsaRecord:
    digest = hashlib.sha256(spki(ec_key(key))).digest()
    return TlsaRecord(usage=3, selector=1, matching_type=1, data=digest)


def signed(
    *keys: str, chain: bytes = LEAF, endpoint: EndpointFacts | None = None, **host: Any
) -> DomainFacts:
    """Behind signed DNS, with TLSA records of *keys*."""
    facts = domain(
        endpoint or good(chain), route=Route(status=RouteStatus.MX, dnssec=Dnssec.SECURE)
    )
    fields: dict[str, Any] = {
        "dnssec": Dnssec.SECURE,
        "tlsa": tuple(map(tlsa, keys)),
        "tlsa_base": MX,
        "tlsa_dnssec": Dnssec.SECURE,
    }
    return replace(facts, mx_hosts=(replace(facts.mx_hosts[0], **(fields | host)),))


TLSA_DOWN: dict[str, Any] = {
    "tlsa": (),
    "tlsa_dnssec": None,
    "tlsa_failure": Failure(step=Step.RESOLVE, reason=Reason.SERVFAIL),
}


def dnssec(state: Dnssec) -> DomainFacts:
    return domain(good(), route=Route(status=RouteStatus.MX, dnssec=state))


def at_addresses(*addresses: str) -> DomainFacts:
    return domain(*(good(address=address) for address in addresses))


def hosts(*names: str) -> DomainFacts:
    chain = leaf(lives=(-40, 50), names=(MX, MX2, "mx.example.net"))
    return domain(*(good(chain, mx_host=name) for name in names))


def beside(**host: Any) -> DomainFacts:
    """A good host, and another one without an address."""
    defaults: dict[str, Any] = {"name": MX2, "preference": 20, "dnssec": Dnssec.INSECURE}
    facts = domain(good())
    return replace(facts, mx_hosts=(*facts.mx_hosts, MxHost(**(defaults | host))))


NO_HOST_NAME: dict[str, Any] = {
    "name": "no host.example.com",
    "dnssec": Dnssec.INDETERMINATE,
    "failure": Failure(step=Step.RESOLVE, reason=Reason.INVALID_NAME),
}


GOOD = domain(good())
TWO = domain(good(), good(mx_host=MX2))
ONE_UNSEEN = domain(good(), untested(mx_host=MX2))
PQ_LOST = domain(good(key_exchange="x25519"))
SMALL_HELLO = domain(good(hello=Hello.SMALL, key_exchange="x25519"))
OLD_TLS = domain(good(tls_version="TLSv1.2"))
OBSOLETE = domain(good(tls_version="TLSv1"))
SERVFAIL = Failure(step=Step.RESOLVE, reason=Reason.SERVFAIL)
SELF_SIGNED_DOMAIN = domain(unproven())
NO_CERTIFICATE_STORE = domain(good(path=()), run=run(NO_TRUST))

Row = tuple[Sequence[DomainFacts], set[str]]

NOTHING: dict[str, Sequence[DomainFacts]] = {
    "first-run": [GOOD],
    "same": [GOOD, GOOD],
    "greetings-times-ids": [domain(noisy(1)), domain(noisy(2))],
    "still-negative": [domain(NEGATIVE), domain(NEGATIVE)],
    "still-unseen": [domain(SILENT), domain(SILENT)],
    "never-seen-then-seen": [domain(SILENT), GOOD],
    "sight-regained": [GOOD, domain(SILENT), GOOD],
    "sight-regained-after-two": [GOOD, domain(SILENT), domain(THROTTLED), GOOD],
    "sight-regained-of-a-negative": [domain(NEGATIVE), domain(SILENT), domain(NEGATIVE)],
    "dns-regained": [GOOD, DNS_DOWN, GOOD],
    "unconfirmed-negative-then-good": [GOOD, domain(not_offered()), GOOD],
    "one-of-two-unseen-and-back": [TWO, ONE_UNSEEN, TWO],
    "partial-the-negative-unseen-and-back": [
        domain(good(), confirmed(not_offered(mx_host=MX2))),
        domain(good(), untested(mx_host=MX2)),
        domain(good(), confirmed(not_offered(mx_host=MX2))),
    ],
    "refused-ipv6-like-endpoint": [
        domain(good(), replace(REFUSED, address=A2)),
        domain(good(), replace(REFUSED, address=A2)),
    ],
    "no-route-stays": [
        domain(good(), untested(reason=Reason.NO_IPV6_HERE, address="2001:db8::1")),
        domain(good(), untested(reason=Reason.NO_IPV6_HERE, address="2001:db8::1")),
    ],
    "order-of-addresses": [at_addresses("192.0.2.1", A2), at_addresses(A2, "192.0.2.1")],
    "addresses-in-turn": [at_addresses(A2), at_addresses(A3), at_addresses(A2)],
    "dnssec-not-known": [
        dnssec(Dnssec.SECURE),
        dnssec(Dnssec.INDETERMINATE),
        dnssec(Dnssec.SECURE),
    ],
    "dnssec-never-known": [dnssec(Dnssec.INDETERMINATE), dnssec(Dnssec.INDETERMINATE)],
    "dnssec-known-at-last": [dnssec(Dnssec.INDETERMINATE), dnssec(Dnssec.INSECURE)],
    "small-hello": [GOOD, SMALL_HELLO],
    "small-hello-and-back": [GOOD, SMALL_HELLO, GOOD],
    "pool-of-two-leaves": [
        GOOD,
        domain(good(POOL_LEAF)),
        GOOD,
    ],
    "pool-of-two-leaves-the-other": [
        domain(good(POOL_LEAF)),
        GOOD,
        GOOD,
        domain(good(POOL_LEAF)),
    ],
    "pool-of-two-versions": [GOOD, OLD_TLS, GOOD, OLD_TLS],
    "pool-of-two-versions-up": [OLD_TLS, GOOD, OLD_TLS, GOOD, OLD_TLS, GOOD],
    "pool-of-two-groups": [GOOD, PQ_LOST, GOOD, PQ_LOST],
    "pool-one-unproven": [GOOD, SELF_SIGNED_DOMAIN, GOOD, SELF_SIGNED_DOMAIN],
    "pool-at-two-addresses": [
        domain(good(), good(POOL_LEAF, address=A2)),
        domain(good(POOL_LEAF), good(address=A2)),
    ],
    "new-address-same-server": [
        at_addresses("192.0.2.1", A2, A3),
        at_addresses("192.0.2.1", A2, A3),
    ],
    "sts-same": [with_sts(sts()), with_sts(sts())],
    "sts-unfetched-and-back": [with_sts(sts()), with_sts(unfetched()), with_sts(sts())],
    "sts-txt-unseen-and-back": [
        with_sts(sts()),
        with_sts(StsFacts(txt=txt(failure=Reason.SERVFAIL))),
        with_sts(sts()),
    ],
    "sts-not-looked-up": [with_sts(sts()), with_sts(sts()), with_sts(sts())],
    "rpt-same": [rpt(REPORTS), rpt(REPORTS)],
    "rpt-unseen-and-back": [rpt(REPORTS), rpt(failure=Reason.SERVFAIL), rpt(REPORTS)],
    "tlsa-same": [signed("one"), signed("one")],
    "tlsa-order": [signed("one", "two"), signed("two", "one")],
    "tlsa-unseen-and-back": [signed("one"), signed("one", **TLSA_DOWN), signed("one")],
    "null-mx-stays": [routed(RouteStatus.NULL_MX), routed(RouteStatus.NULL_MX)],
    "nxdomain-stays": [routed(RouteStatus.NXDOMAIN), routed(RouteStatus.NXDOMAIN)],
    "no-trust-store-and-back": [GOOD, NO_CERTIFICATE_STORE, GOOD],
    "trust-never-tested": [NO_CERTIFICATE_STORE, NO_CERTIFICATE_STORE],
    "host-look-up-fails-and-back": [
        beside(addresses=()),
        beside(failure=SERVFAIL),
        beside(addresses=()),
    ],
    "invalid": [domain(domain=None, route=None, error="no"), domain(domain=None, error="no")],
    "fault-of-ours-and-back": [GOOD, domain(good(), error="internal fault: x"), GOOD],
}

CHANGES: dict[str, Row] = {
    # lost sight
    "silent": ([GOOD, domain(SILENT)], {"lost-sight starttls", "lost-sight standing"}),
    "throttled": ([GOOD, domain(THROTTLED)], {"lost-sight starttls", "lost-sight standing"}),
    "unconfirmed-negative": (
        [GOOD, domain(not_offered())],
        {"lost-sight starttls", "lost-sight standing"},
    ),
    "negative-unseen": ([domain(NEGATIVE), domain(SILENT)], {"lost-sight starttls"}),
    "one-of-two-unseen": ([TWO, ONE_UNSEEN], {"lost-sight starttls", "lost-sight standing"}),
    "dns-down": ([GOOD, DNS_DOWN], {"lost-sight route", "lost-sight standing"}),
    "fault-of-ours": (
        [GOOD, domain(good(), error="internal fault: x")],
        {"lost-sight route", "lost-sight standing"},
    ),
    "dnssec-lost-sight": (
        [dnssec(Dnssec.SECURE), dnssec(Dnssec.INDETERMINATE)],
        {"lost-sight dnssec"},
    ),
    "sts-unfetched": ([with_sts(sts()), with_sts(unfetched())], {"lost-sight mta-sts"}),
    "sts-server-error": (
        [with_sts(sts()), with_sts(unfetched(http_status=503, certificate_trusted=True))],
        {"lost-sight mta-sts"},
    ),
    "rpt-unseen": ([rpt(REPORTS), rpt(failure=Reason.SERVFAIL)], {"lost-sight tls-rpt"}),
    "tlsa-unseen": (
        [signed("one"), signed("one", **TLSA_DOWN)],
        {"lost-sight tlsa", "lost-sight dane"},
    ),
    "trust-store-gone": ([GOOD, NO_CERTIFICATE_STORE], {"lost-sight certificate-proof"}),
    "host-look-up-fails": (
        [beside(addresses=()), beside(failure=SERVFAIL)],
        {"lost-sight addresses", "lost-sight standing"},
    ),
    # worse
    "starttls-lost": (
        [GOOD, domain(NEGATIVE)],
        {"worse level", "worse standing", "worse starttls"},
    ),
    "starttls-lost-after-silence": (
        [GOOD, domain(SILENT), domain(NEGATIVE)],
        {"worse level", "worse standing", "worse starttls"},
    ),
    "starttls-lost-again": (
        [GOOD, domain(NEGATIVE), GOOD, domain(NEGATIVE)],
        {"worse level", "worse standing", "worse starttls"},
    ),
    "handshake-fails": (
        [GOOD, domain(BROKEN)],
        {"worse level", "worse standing", "worse starttls"},
    ),
    "one-of-two-lost": (
        [TWO, domain(good(), confirmed(not_offered(mx_host=MX2)))],
        {"worse level", "worse standing", "worse starttls"},
    ),
    "one-lost-the-other-unseen": (
        [TWO, domain(NEGATIVE, untested(mx_host=MX2))],
        {"worse level", "worse standing", "worse starttls", "lost-sight starttls"},
    ),
    "partial-to-none": (
        [
            domain(good(), confirmed(not_offered(mx_host=MX2))),
            domain(NEGATIVE, confirmed(not_offered(mx_host=MX2))),
        ],
        {"worse level", "worse starttls"},
    ),
    "partial-the-good-one-unseen": (
        [
            domain(good(), confirmed(not_offered(mx_host=MX2))),
            domain(SILENT, confirmed(not_offered(mx_host=MX2))),
        ],
        {"lost-sight starttls"},
    ),
    "tls-1.2": ([GOOD, OLD_TLS], {"worse tls-version"}),
    "tls-1.0": ([GOOD, OBSOLETE], {"worse tls-version", "worse level", "worse certificate-proof"}),
    "post-quantum-lost": ([GOOD, PQ_LOST], {"worse key-exchange"}),
    "plain-rsa": ([GOOD, domain(good(**RSA))], {"worse key-exchange"}),
    "certificate-expired": (
        [domain(good(SHORT)), domain(good(SHORT))],
        {"worse certificate-proof", "worse level"},
    ),
    "certificate-not-trusted": (
        [GOOD, SELF_SIGNED_DOMAIN],
        {"worse certificate-proof", "worse level"},
    ),
    "certificate-of-another-name": (
        [GOOD, domain(good(WRONG))],
        {"worse certificate-proof", "worse level", "other certificate-names"},
    ),
    "tlsa-mismatch": (
        [signed("one"), signed("one", chain=RENEWED_KEY)],
        {"worse dane", "worse certificate-proof", "worse level", "other certificate~"},
    ),
    "tlsa-withdrawn": ([signed("one"), signed()], {"worse dane", "worse level"}),
    "dnssec-lost": ([dnssec(Dnssec.SECURE), dnssec(Dnssec.INSECURE)], {"worse dnssec"}),
    "dnssec-bogus": ([dnssec(Dnssec.SECURE), dnssec(Dnssec.BOGUS)], {"worse dnssec"}),
    "enforce-to-testing": (
        [with_sts(sts()), with_sts(sts("testing", "2"))],
        {"worse mta-sts", "worse level", "other mta-sts-policy~"},
    ),
    "enforce-to-none": (
        [with_sts(sts()), with_sts(sts("none", "2", mx=()))],
        {"worse mta-sts", "worse level", "other mta-sts-policy"},
    ),
    "sts-gone": ([with_sts(sts()), with_sts(NO_STS)], {"worse mta-sts", "worse level"}),
    "sts-not-found": (
        [with_sts(sts()), with_sts(unfetched(http_status=404, certificate_trusted=True))],
        {"worse mta-sts", "worse level"},
    ),
    "sts-certificate": (
        [with_sts(sts()), with_sts(unfetched(certificate_trusted=False))],
        {"worse mta-sts", "worse level"},
    ),
    "nxdomain": (
        [GOOD, routed(RouteStatus.NXDOMAIN)],
        {"worse route", "other level", "worse standing"},
    ),
    "no-address-left": (
        [domain(good(), good(mx_host=MX2)), beside()],
        {"worse addresses"},
    ),
    "worse-while-another-loses-sight": (
        [with_sts(sts()), domain(good(tls_version="TLSv1.2"), sts=unfetched())],
        {"worse tls-version", "lost-sight mta-sts"},
    ),
    # other
    "renewal": ([GOOD, domain(good(RENEWED))], {"other certificate~"}),
    "renewal-with-a-new-key": ([GOOD, domain(good(RENEWED_KEY))], {"other certificate~"}),
    "renewal-unseen-between": (
        [GOOD, domain(SILENT), domain(good(RENEWED))],
        {"other certificate~"},
    ),
    "early-renewal": ([GOOD, domain(good(EARLY))], {"other certificate"}),
    "renewal-as-early-as-before": (
        [GOOD, domain(good(EARLY)), domain(good(EARLY_2)), domain(good(EARLY_3))],
        {"other certificate~"},
    ),
    "new-issuer": ([GOOD, domain(good(REISSUED))], {"other certificate-issuer"}),
    "lost-name": ([GOOD, domain(good(FEWER))], {"other certificate-names"}),
    "new-issuer-and-lost-name": (
        [GOOD, domain(good(leaf(OTHER_CA, lives=(20, 110), names=(MX,))))],
        {"other certificate-issuer", "other certificate-names"},
    ),
    "gained-name": ([GOOD, domain(good(MORE))], {"other certificate~"}),
    "pool-first-sight-of-the-other": (
        [GOOD, domain(good(POOL_LEAF))],
        {"other certificate-issuer"},
    ),
    "group-of-the-same-kind": (
        [PQ_LOST, domain(good(key_exchange="secp256r1"))],
        {"other key-exchange~"},
    ),
    "pq-group-of-the-same-kind": (
        [GOOD, domain(good(key_exchange="SecP256r1MLKEM768"))],
        {"other key-exchange~"},
    ),
    "prepared-rollover": ([signed("one"), signed("one", "two")], {"other tlsa~"}),
    "rollover-done": (
        [signed("one", "two"), signed("two", chain=RENEWED_KEY)],
        {"other tlsa~", "other certificate~", "other tlsa-next-key"},
    ),
    "rollover-with-the-next": (
        [signed("one", "two"), signed("two", "three", chain=RENEWED_KEY)],
        {"other tlsa~", "other certificate~"},
    ),
    "tlsa-renewal-of-the-same-key": (
        [signed("one"), signed("one", chain=RENEWED)],
        {"other certificate~"},
    ),
    "sts-id-alone": (
        [with_sts(sts()), with_sts(sts(identifier="2"))],
        {"other mta-sts-id~"},
    ),
    "sts-policy-without-id": (
        [with_sts(sts()), with_sts(sts(max_age=86400))],
        {"other mta-sts-policy"},
    ),
    "sts-policy-and-id": (
        [with_sts(sts()), with_sts(sts(identifier="2", max_age=86400))],
        {"other mta-sts-policy~"},
    ),
    "sts-more-mx": (
        [with_sts(sts()), with_sts(sts(identifier="2", mx=(MX, MX2)))],
        {"other mta-sts-policy"},
    ),
    "sts-absent-to-none": (
        [with_sts(NO_STS), with_sts(sts("none", mx=()))],
        {"other mta-sts"},
    ),
    "rpt-gone": ([rpt(REPORTS), rpt()], {"other tls-rpt"}),
    "rpt-elsewhere": ([rpt(REPORTS), rpt(OTHER_REPORTS)], {"other tls-rpt~"}),
    "mx-host-added": (
        [hosts(MX), hosts(MX, MX2)],
        {"other mx-hosts~"},
    ),
    "operator": (
        [hosts(MX), hosts("mx.example.net")],
        {"other mx-hosts~", "other operator"},
    ),
    "address-added": ([at_addresses(A2), at_addresses(A2, A3)], {"other addresses~"}),
    "address-moved": ([at_addresses(A2), at_addresses(A3)], {"other addresses~"}),
    "implicit-mx": (
        [GOOD, domain(good(), route=Route(status=RouteStatus.IMPLICIT_MX, dnssec=Dnssec.INSECURE))],
        {"other route"},
    ),
    "null-mx": (
        [GOOD, routed(RouteStatus.NULL_MX)],
        {"other route", "other level", "other standing"},
    ),
    "negative-of-another-kind": ([domain(NEGATIVE), domain(BROKEN)], {"other starttls"}),
    "key-and-tlsa-at-once": (
        [signed("one"), signed("two", chain=RENEWED_KEY)],
        {"other tlsa~", "other certificate~", "other tlsa-next-key"},
    ),
    # what --deep sees
    **{
        f"{code}-worse": ([deep(good_), deep(bad_)], {f"worse {code}"})
        for code, (good_, bad_) in DEEP.items()
    },
    **{
        f"{code}-better": ([deep(bad_), deep(good_)], {f"better {code}"})
        for code, (good_, bad_) in DEEP.items()
    },
    **{
        f"{code}-lost": ([deep(good_), deep(not_tested(bad_.question))], {f"lost-sight {code}"})
        for code, (good_, bad_) in DEEP.items()
    },
    "deep-not-asked": (
        [deep(*(good_ for good_, _ in DEEP.values())), domain(plain())],
        {f"lost-sight {code}~" for code in DEEP},
    ),
    "deep-not-asked-in-between": (
        [deep(no(Q.LEGACY_VERSION)), domain(plain()), deep(yes(Q.LEGACY_VERSION))],
        {"worse legacy-versions"},
    ),
    "other-certificate-expires": (
        [shown(GOOD_SECOND), shown(BAD_SECOND)],
        {"worse other-certificate"},
    ),
    "other-certificate-renewed": (
        [shown(BAD_SECOND), shown(GOOD_SECOND)],
        {"better other-certificate"},
    ),
    "other-certificate-that-fails-is-new": (
        [deep(*NO_CERTIFICATE), shown(BAD_SECOND)],
        {"worse other-certificate"},
    ),
    "other-certificate-lost": (
        [shown(BAD_SECOND), deep(not_tested(Q.RSA_CERTIFICATE))],
        {"lost-sight other-certificate"},
    ),
    "other-certificate-not-asked": (
        [shown(BAD_SECOND), domain(plain())],
        {"lost-sight other-certificate~"},
    ),
    # better
    "starttls-gained": (
        [domain(NEGATIVE), GOOD],
        {"better level", "better standing", "better starttls"},
    ),
    "repaired-after-one-bad-run": (
        [GOOD, domain(NEGATIVE), GOOD],
        {"better level", "better standing", "better starttls"},
    ),
    "repaired-version": ([GOOD, GOOD, OLD_TLS, GOOD], {"better tls-version"}),
    "tls-1.3": ([OLD_TLS, GOOD], {"better tls-version"}),
    "post-quantum-gained": ([PQ_LOST, GOOD], {"better key-exchange"}),
    "certificate-trusted": (
        [SELF_SIGNED_DOMAIN, domain(good(REISSUED))],
        {"better level", "better certificate-proof", "other certificate-issuer"},
    ),
    "certificate-trusted-beside-a-name-that-is-no-host": (
        [SELF_SIGNED_DOMAIN, beside(**NO_HOST_NAME)],
        {"better level", "better certificate-proof", "other mx-hosts~"},
    ),
    "certificate-trusted-beside-a-host-without-an-address": (
        [SELF_SIGNED_DOMAIN, beside(dnssec=Dnssec.SECURE)],
        {"better level", "better certificate-proof", "other mx-hosts~"},
    ),
    "certificate-trusted-beside-a-host-that-is-not-seen": (
        [SELF_SIGNED_DOMAIN, beside(failure=SERVFAIL)],
        {"better certificate-proof", "lost-sight standing", "other mx-hosts~"},
    ),
    "tlsa-gained": ([signed(), signed("one")], {"better dane", "better level"}),
    "dnssec-gained": ([dnssec(Dnssec.INSECURE), dnssec(Dnssec.SECURE)], {"better dnssec"}),
    "sts-gained": ([with_sts(NO_STS), with_sts(sts())], {"better mta-sts", "better level"}),
    "testing-to-enforce": (
        [with_sts(sts("testing")), with_sts(sts(identifier="2"))],
        {"better mta-sts", "better level", "other mta-sts-policy~"},
    ),
    "rpt-gained": ([rpt(), rpt(REPORTS)], {"better tls-rpt"}),
    "nxdomain-no-more": (
        [routed(RouteStatus.NXDOMAIN), GOOD],
        {"better route", "other level", "better standing"},
    ),
}


def seen(
    history: Sequence[DomainFacts], require: Level | Profile = Level.OPPORTUNISTIC
) -> list[DomainReport]:
    """The runs, newest first: a day apart, the last one after three weeks."""
    found = []
    for day, facts in enumerate(history):
        at = NOW + timedelta(days=21 if 0 < day == len(history) - 1 else day)
        endpoints = tuple(replace(each, observed_at=at) for each in facts.endpoints)
        report = judge_domain(replace(facts, checked_at=at, endpoints=endpoints))
        found.append(assess(report, require))
    return found[::-1]


def drift(history: Sequence[DomainFacts], *, patience: int = 1) -> tuple[Change, ...]:
    newest, *earlier = seen(history)
    return compare(newest, earlier, operator_of=_operator, patience=patience)


def _operator(host: str) -> str:
    return ".".join(host.split(".")[-2:])


def in_words(changes: Sequence[Change]) -> set[str]:
    return {f"{each.direction} {each.code}{'' if each.told else '~'}" for each in changes}


@pytest.mark.parametrize("history", NOTHING.values(), ids=NOTHING)
def test_nothing_changed(history: Sequence[DomainFacts]) -> None:
    assert in_words(drift(history)) == set()


@pytest.mark.parametrize(("history", "expected"), CHANGES.values(), ids=CHANGES)
def test_a_change(history: Sequence[DomainFacts], expected: set[str]) -> None:
    assert in_words(drift(history)) == expected


def test_the_table_is_long_enough() -> None:
    assert len(NOTHING) + len(CHANGES) >= 80


def test_the_worst_comes_first() -> None:
    changes = drift([TWO, domain(NEGATIVE, good(RENEWED, mx_host=MX2))])
    order = [Direction.WORSE, Direction.LOST_SIGHT, Direction.OTHER, Direction.BETTER]
    directions = [change.direction for change in changes]
    assert directions == sorted(directions, key=order.index)
    assert directions[0] is Direction.WORSE


def test_lost_sight_is_told_once_patience_ends() -> None:
    for runs in range(1, 6):
        changes = drift([GOOD, *[domain(SILENT)] * runs], patience=3)
        [lost] = [change for change in changes if change.code is ChangeCode.STARTTLS]
        assert (lost.direction, lost.runs, lost.told) == (Direction.LOST_SIGHT, runs, runs == 3)


def test_a_change_says_since_when() -> None:
    [change] = [
        each
        for each in drift([GOOD, domain(SILENT), domain(SILENT)])
        if each.code is ChangeCode.STARTTLS
    ]
    assert change.last_seen == NOW
    assert change.since == NOW + timedelta(days=1)


def test_the_same_at_several_addresses_is_one_change() -> None:
    bad = tuple(confirmed(not_offered(address=address)) for address in (A2, A3))
    [change] = [
        each
        for each in drift([at_addresses(A2, A3), domain(*bad)])
        if each.code is ChangeCode.STARTTLS
    ]
    assert (change.mx_host, change.addresses) == (MX, (A2, A3))


def test_standing_against_a_higher_requirement() -> None:
    newest, *earlier = seen([GOOD, SELF_SIGNED_DOMAIN], Level.AUTHENTICATED)
    changes = compare(newest, earlier, operator_of=_operator)
    assert "worse standing" in in_words(changes)


def test_the_other_certificate_does_not_lower_the_standing_unseen() -> None:
    """Runs with --deep and without are of the same server: no change is made of the difference."""
    for runs in ([domain(plain()), shown(BAD_SECOND)], [shown(BAD_SECOND), domain(plain())]):
        newest, *earlier = seen(runs, Level.AUTHENTICATED)
        told = in_words(compare(newest, earlier, operator_of=_operator))
        assert not {each for each in told if each.startswith(("worse", "better"))}


@pytest.mark.parametrize("profile", [PROFILES[ProfileName.NIST]])
def test_a_profile_is_compared_between_runs_that_asked_as_much(profile: Profile) -> None:
    bad, fine = deep(yes(Q.LEGACY_VERSION, tls_version="SSLv3")), deep(no(Q.LEGACY_VERSION))
    not_asked = domain(plain())
    for runs, expected in (
        ([not_asked, bad], set()),
        ([bad, not_asked], set()),
        ([fine, not_asked, bad], {"worse standing"}),
        ([fine, bad], {"worse standing"}),
        ([bad, fine], {"better standing"}),
    ):
        newest, *earlier = seen(runs, profile)
        told = in_words(compare(newest, earlier, operator_of=_operator))
        assert {each for each in told if each.endswith("standing")} == expected
