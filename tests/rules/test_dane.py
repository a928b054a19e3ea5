"""DANE by RFC 7672; the cases of chains against records are dane_cases.py's."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from prober.records import (
    Answer,
    Code,
    Confirmed,
    Dane,
    Dnssec,
    EndpointFacts,
    Failure,
    MxHost,
    Reason,
    Route,
    RouteStatus,
    Step,
    TlsaRecord,
)
from prober.rules import dane_path
from prober.rules.certificate_fields import CertificateReader
from prober.rules.dane import (
    TlsaJudgement,
    authenticates,
    dane_findings,
    has_secure_tlsa,
    is_dane_usable,
    judge_dane,
    server_name,
)
from prober.rules.tlsa import show, why_unusable
from tests.rules import dane_cases as cases
from tests.rules.certificates import (
    HOST,
    NOW,
    SAN_OID,
    Issued,
    ec_key,
    extension,
    facts_of,
    forge,
    rdn,
    rsa_spki,
    san_extension,
    tlv,
)
from tests.rules.dane_builders import (
    CA,
    DOMAIN,
    MAY_SIGN,
    authority,
    certify,
    host,
    leaf,
    record,
    tlsa,
)
from tests.rules.dane_cases import CHAIN, LEAF, MIDDLE, OTHER, ROOT, Case
from tests.support.builders import confirmed, domain, handshake_failed, not_offered, untested

YES, NO, NOT_TESTED = Answer.YES, Answer.NO, Answer.NOT_TESTED
SECURE, INSECURE = Dnssec.SECURE, Dnssec.INSECURE
BOGUS, INDETERMINATE = Dnssec.BOGUS, Dnssec.INDETERMINATE
GOOD = tlsa(3, 1, 1, LEAF)
BAD = tlsa(3, 1, 1, OTHER)
PKIX = tlsa(1, 1, 1, LEAF)
FAILED = Failure(step=Step.RESOLVE, reason=Reason.SERVFAIL, detail="TLSA: SERVFAIL")
NOT_LOOKED_UP: dict[str, Any] = {"tlsa_base": None, "tlsa_dnssec": None}

BER_TRUE = bytes.fromhex("010101")  # a boolean as BER may have it and DER may not
BY_MIDDLE = rdn(b"Middle")
UNREADABLE_LEAF = forge(extension(SAN_OID, b"", critical=BER_TRUE), issuer=BY_MIDDLE)
NO_CERTIFICATE = b"no certificate"


def judge(
    chain: Iterable[Issued | bytes],
    *records: TlsaRecord,
    truncated: bool = False,
    to: str = DOMAIN,
    now: Any = NOW,
    **fields: Any,
) -> Dane:
    facts = facts_of(*chain, truncated=truncated)
    return judged(facts, host(*records, **fields), to=to, now=now).dane


def judged(
    facts: EndpointFacts, mx_host: MxHost, *, to: str = DOMAIN, now: Any = NOW
) -> TlsaJudgement:
    return judge_dane(facts, mx_host, CertificateReader(), domain=to, now=now)


def route(dnssec: Dnssec = SECURE, status: RouteStatus = RouteStatus.MX) -> Route:
    return Route(status=status, dnssec=dnssec)


@pytest.mark.parametrize("each", cases.CASES, ids=lambda each: each.id)
def test_a_chain_against_records(each: Case) -> None:
    assert judge(each.chain, *each.records, tlsa_base=each.base) is each.expected


class TestWhetherDaneApplies:
    """RFC 7672 §2.1 and §2.2: what binds a sender, and what does not."""

    @pytest.mark.parametrize(
        ("fields", "answer"),
        [
            pytest.param({"tlsa_failure": FAILED}, NOT_TESTED, id="rule-4-7672-2.1.2-failure"),
            pytest.param(
                {"tlsa_failure": FAILED, "tlsa": (GOOD,)},
                NOT_TESTED,
                id="rule-4-failure-and-records",
            ),
            pytest.param({"tlsa_dnssec": BOGUS}, NOT_TESTED, id="rule-4-7672-2.1.1-bogus"),
            pytest.param({"tlsa_dnssec": INDETERMINATE}, NOT_TESTED, id="rule-10-7672-2.1.1"),
            pytest.param(
                NOT_LOOKED_UP | {"dnssec": INDETERMINATE},
                NOT_TESTED,
                id="rule-10-no-trusted-resolver",
            ),
            pytest.param(
                NOT_LOOKED_UP | {"dnssec": BOGUS}, NOT_TESTED, id="rule-2-bogus-addresses"
            ),
            pytest.param(NOT_LOOKED_UP, NOT_TESTED, id="no-address-so-not-asked"),
            pytest.param(NOT_LOOKED_UP | {"dnssec": INSECURE}, NO, id="rule-2-7672-2.2.2"),
            pytest.param({"tlsa": (GOOD,), "tlsa_dnssec": INSECURE}, NO, id="7672-2.1.1-insecure"),
            pytest.param({"tlsa_dnssec": INSECURE}, NO, id="rule-4-insecure-denial-is-normal"),
            pytest.param({}, NO, id="rule-4-secure-denial-is-normal"),
            pytest.param({"tlsa": (PKIX,)}, YES, id="rule-5-unusable-and-secure"),
            pytest.param({"tlsa": (GOOD,)}, YES, id="rule-5-usable-and-secure"),
        ],
    )
    def test_secure_tlsa(self, fields: dict[str, Any], answer: Answer) -> None:
        assert has_secure_tlsa(host(**fields)) is answer
        expected = {NOT_TESTED: Dane.NOT_TESTED, NO: Dane.NONE}.get(answer)
        assert expected in (
            None,
            judged(facts_of(LEAF), host(**fields)).dane,
        )

    @pytest.mark.parametrize(
        ("mx_host", "mx", "answer"),
        [
            pytest.param(host(GOOD), INSECURE, NO, id="rule-1-7672-2.2.1-unsigned-mx"),
            pytest.param(host(tlsa_failure=FAILED), INSECURE, NO, id="rule-1-whatever-the-rest"),
            pytest.param(host(PKIX), SECURE, NO, id="rule-5-7672-2.2-all-unusable"),
            pytest.param(host(), SECURE, NO, id="none"),
            pytest.param(host(GOOD, tlsa_dnssec=INSECURE), SECURE, NO, id="insecure-tlsa"),
            pytest.param(host(GOOD), BOGUS, NOT_TESTED, id="7672-2.1.1-bogus-mx"),
            pytest.param(host(GOOD), INDETERMINATE, NOT_TESTED, id="rule-10-7672-2.1.1"),
            pytest.param(host(GOOD, tlsa_failure=FAILED), SECURE, NOT_TESTED, id="rule-4"),
            pytest.param(host(GOOD), SECURE, YES, id="rule-1-7672-2.2.1"),
            pytest.param(host(PKIX, GOOD), SECURE, YES, id="rule-5-one-usable-suffices"),
        ],
    )
    @pytest.mark.parametrize("status", [RouteStatus.MX, RouteStatus.IMPLICIT_MX])  # rule 8
    def test_dane_as_a_promise_of_the_domain(
        self, mx_host: MxHost, mx: Dnssec, answer: Answer, status: RouteStatus
    ) -> None:
        assert is_dane_usable(mx_host, route(mx, status)) is answer

    @pytest.mark.parametrize(
        ("mx_host", "answer", "name"),
        [
            pytest.param(host(tlsa_failure=FAILED), NOT_TESTED, HOST, id="not-tested"),
            pytest.param(host(), NO, HOST, id="none"),
            pytest.param(host(PKIX, tlsa_base="base.test"), NO, HOST, id="7672-2.2-unusable"),
            pytest.param(
                host(GOOD, tlsa_base="base.test", tlsa_dnssec=INSECURE), NO, HOST, id="insecure"
            ),
            pytest.param(host(GOOD, tlsa_base="base.test"), YES, "base.test", id="rule-7-7672-8.1"),
        ],
    )
    def test_the_name_for_sni(self, mx_host: MxHost, answer: Answer, name: str) -> None:
        assert authenticates(mx_host) is answer
        assert server_name(mx_host) == name


class TestTheEndpoint:
    @pytest.mark.parametrize(
        ("facts", "expected"),
        [
            pytest.param(untested(), Dane.NOT_TESTED, id="not-reached"),
            pytest.param(not_offered(), Dane.NOT_TESTED, id="unconfirmed"),
            pytest.param(
                replace(not_offered(), confirmed=Confirmed.NO), Dane.NOT_TESTED, id="second-blind"
            ),
            pytest.param(confirmed(not_offered()), Dane.NO_TLS, id="7672-2.2-no-starttls"),
            pytest.param(
                confirmed(handshake_failed(chain=(LEAF.der,))), Dane.NO_TLS, id="7672-2.2-failed"
            ),
        ],
    )
    @pytest.mark.parametrize("published", [GOOD, PKIX])
    def test_without_tls(self, facts: EndpointFacts, expected: Dane, published: TlsaRecord) -> None:
        """7672 §2.2: TLS is mandatory even where all records are unusable."""
        assert judged(facts, host(published)).dane is expected
        assert judged(facts, host()).dane is Dane.NONE

    def test_tls_without_a_certificate_matches_nothing(self) -> None:
        assert judge((), GOOD) is Dane.MISMATCH
        assert judge((), PKIX) is Dane.UNUSABLE

    def test_rule_9_each_endpoint_answers_for_the_certificate_it_shows(self) -> None:
        ecdsa, rsa = tlsa(3, 1, 1, LEAF), tlsa(3, 1, 1, OTHER)
        assert [judge((each,), ecdsa) for each in (LEAF, OTHER)] == [Dane.MATCH, Dane.MISMATCH]
        assert [judge((each,), ecdsa, rsa) for each in (LEAF, OTHER)] == [Dane.MATCH, Dane.MATCH]

    @pytest.mark.parametrize(
        ("names", "expected"),
        [
            pytest.param(("other.test",), Dane.MISMATCH, id="rule-6-another-name"),
            pytest.param((HOST,), Dane.MISMATCH, id="rule-6-the-alias-is-not-the-base"),
            pytest.param(("www.example.com",), Dane.MISMATCH, id="rule-6-below-the-next-hop"),
            pytest.param(("base.test",), Dane.MATCH, id="rule-6-7672-3.2-tlsa-base"),
            pytest.param((DOMAIN,), Dane.MATCH, id="rule-6-7672-3.2-next-hop"),
            pytest.param(("other.test", "base.test"), Dane.MATCH, id="rule-6-one-of-several"),
        ],
    )
    def test_dane_ta_needs_a_name(self, names: tuple[str, ...], expected: Dane) -> None:
        chain = (leaf(MIDDLE, names=names), MIDDLE)
        assert judge(chain, tlsa(2, 0, 1, MIDDLE), tlsa_base="base.test") is expected
        assert judge(chain, tlsa(3, 1, 1, LEAF), tlsa_base="base.test") is Dane.MATCH

    @pytest.mark.parametrize(("days", "expected"), [(-31, 0), (-30, 1), (60, 1), (61, 0)])
    def test_dates_are_those_of_the_time_of_the_session(self, days: int, expected: int) -> None:
        now = NOW + timedelta(days=days)
        answer = (Dane.MISMATCH, Dane.MATCH)[expected]
        assert judge(CHAIN, tlsa(2, 0, 1, MIDDLE), now=now) is answer
        assert judge(CHAIN, GOOD, now=now) is Dane.MATCH


def forged(*extensions: bytes, **fields: Any) -> bytes:
    """A leaf that names Middle as its issuer; its signature is none."""
    return forge(*extensions, issuer=BY_MIDDLE, **fields)


def unverifiable(name: str = "Odd Root", **fields: Any) -> tuple[bytes, bytes]:
    """A leaf whose issuer has a key that signs nothing we can verify, and the issuer."""
    subject = rdn(name.encode())
    issuer = forge(
        extension(bytes.fromhex("0603551d13"), tlv(0x30, b"\1\1\xff")),
        subject=subject,
        issuer=subject,
        **fields,
    )
    return forge(san_extension(HOST.encode()), issuer=subject), issuer


UNKNOWN_KEY = tlv(0x30, bytes.fromhex("30050603551d7f"), tlv(0x03, b"\0key"))
UNKNOWN_DIGEST = bytes.fromhex("30050603551d7f")
X25519 = tlv(0x30, bytes.fromhex("300506032b656e"), tlv(0x03, b"\0", bytes(31), b"\1"))


class TestWhatCannotBeRead:
    """Not tested rather than a mismatch, where matching needs what cannot be read."""

    @pytest.mark.parametrize(
        ("chain", "published", "expected"),
        [
            pytest.param(
                (NO_CERTIFICATE,), GOOD, Dane.NOT_TESTED, id="key-of-what-is-no-certificate"
            ),
            pytest.param((NO_CERTIFICATE,), tlsa(3, 0, 1, LEAF), Dane.MISMATCH, id="bytes-suffice"),
            pytest.param(
                (NO_CERTIFICATE,), tlsa(3, 0, 1, NO_CERTIFICATE), Dane.MATCH, id="they-do"
            ),
            pytest.param((UNREADABLE_LEAF,), GOOD, Dane.MISMATCH, id="ber-key-differs"),
            pytest.param(
                (UNREADABLE_LEAF,), tlsa(3, 1, 1, UNREADABLE_LEAF), Dane.MATCH, id="ber-key-matches"
            ),
            pytest.param(
                (UNREADABLE_LEAF, MIDDLE), tlsa(2, 0, 1, ROOT), Dane.MISMATCH, id="ber-and-no-ta"
            ),
            pytest.param(
                (UNREADABLE_LEAF, MIDDLE), tlsa(2, 0, 1, MIDDLE), Dane.NOT_TESTED, id="ber-and-ta"
            ),
            pytest.param(
                (LEAF, NO_CERTIFICATE), tlsa(2, 0, 1, ROOT), Dane.NOT_TESTED, id="an-issuer-unread"
            ),
            pytest.param(
                (NO_CERTIFICATE,), tlsa(2, 1, 0, MIDDLE), Dane.NOT_TESTED, id="bare-key-and-no-leaf"
            ),
            pytest.param(
                (forged(san_extension(HOST.encode())), MIDDLE),
                tlsa(2, 0, 1, MIDDLE),
                Dane.MISMATCH,
                id="signature-of-nothing",
            ),
            pytest.param(
                unverifiable(public_key=UNKNOWN_KEY),
                tlsa(2, 0, 1, unverifiable(public_key=UNKNOWN_KEY)[1]),
                Dane.NOT_TESTED,
                id="unknown-kind-of-key",
            ),
            pytest.param(
                unverifiable(public_key=X25519),
                tlsa(2, 0, 1, unverifiable(public_key=X25519)[1]),
                Dane.NOT_TESTED,
                id="a-key-that-cannot-sign",
            ),
            pytest.param(
                unverifiable(public_key=rsa_spki(2048)),
                tlsa(2, 0, 1, unverifiable(public_key=rsa_spki(2048))[1]),
                Dane.MISMATCH,
                id="rsa-that-did-not-sign",
            ),
            pytest.param(
                (forged(san_extension(HOST.encode()), algorithm=UNKNOWN_DIGEST), MIDDLE),
                tlsa(2, 0, 1, MIDDLE),
                Dane.NOT_TESTED,
                id="unknown-signature",
            ),
        ],
    )
    def test_certificates(
        self, chain: tuple[bytes | Issued, ...], published: TlsaRecord, expected: Dane
    ) -> None:
        assert judge(chain, published) is expected

    def test_a_chain_cut_short_may_have_had_the_anchor(self) -> None:
        assert judge((LEAF, MIDDLE), tlsa(2, 0, 1, ROOT), truncated=True) is Dane.NOT_TESTED
        assert judge((LEAF, MIDDLE), BAD, truncated=True) is Dane.MISMATCH
        assert judge((LEAF, MIDDLE), tlsa(2, 0, 1, MIDDLE), truncated=True) is Dane.MATCH

    def test_name_constraints_are_not_judged(self) -> None:
        """RFC 5280 §4.2.1.10."""
        none_but = x509.NameConstraints([x509.DNSName("elsewhere.test")], None)
        limited = certify("Limited", CA, MAY_SIGN, none_but, by=ROOT)
        chain = (leaf(limited), limited, ROOT)
        assert judge(chain, tlsa(2, 0, 1, ROOT)) is Dane.NOT_TESTED
        expired = leaf(limited, lives=(-3, -2))
        assert judge((expired, limited, ROOT), tlsa(2, 0, 1, ROOT)) is Dane.MISMATCH

    def test_one_doubtful_record_hides_no_match_and_is_no_mismatch(self) -> None:
        doubtful = tlsa(2, 0, 1, MIDDLE)
        ber_key = tlsa(3, 1, 1, UNREADABLE_LEAF)
        assert judge((UNREADABLE_LEAF, MIDDLE), doubtful, BAD) is Dane.NOT_TESTED
        assert judge((UNREADABLE_LEAF, MIDDLE), doubtful, ber_key) is Dane.MATCH


class TestBounds:
    """The work for a chain of one name, which has very many ways through it, stays bounded."""

    def namesakes(self, count: int) -> tuple[Issued, ...]:
        """Certificates of one name and one key: each may have issued each."""
        return tuple(authority("Same") for _ in range(count))

    def test_steps(self) -> None:
        many = self.namesakes(15)
        chain = (leaf(many[0]), *many)
        assert judge(chain, tlsa(2, 0, 1, ROOT)) is Dane.NOT_TESTED
        assert judge(chain, tlsa(2, 0, 1, many[7])) is Dane.MATCH

    def test_signatures(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(dane_path, "MAX_SIGNATURES", 1)
        assert judge(CHAIN, tlsa(2, 0, 1, MIDDLE)) is Dane.MATCH
        assert judge(CHAIN, tlsa(2, 0, 1, ROOT)) is Dane.NOT_TESTED

    def test_each_signature_is_verified_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        verified = []

        def counted(certificate: x509.Certificate | None, key: bytes) -> Answer:
            verified.append(key)
            return verify(certificate, key)

        verify = dane_path._verify
        monkeypatch.setattr(dane_path, "_verify", counted)
        records = [tlsa(2, 0, kind, ROOT) for kind in (1, 2)] + [tlsa(2, 1, 1, MIDDLE)]
        assert judge(CHAIN, *records) is Dane.MATCH
        assert len(verified) == 2

    def test_what_is_beyond_the_bound_of_a_chain_is_not_looked_at(self) -> None:
        chain = (LEAF, *[OTHER] * 15, MIDDLE)
        assert judge(chain, tlsa(2, 0, 1, MIDDLE)) is Dane.MISMATCH

    @given(st.binary(max_size=200), st.integers(0, 5), st.integers(0, 2), st.integers(0, 3))
    def test_any_record_is_judged(self, data: bytes, usage: int, selector: int, kind: int) -> None:
        odd = record(usage, selector, kind, data)
        answer = judge(CHAIN, odd)
        assert answer in (Dane.MISMATCH, Dane.UNUSABLE)
        assert (answer is Dane.UNUSABLE) is (why_unusable(odd) is not None)
        assert show(odd).startswith(f"{usage} {selector} {kind}")

    @given(st.lists(st.binary(max_size=60), min_size=1, max_size=4))
    def test_any_chain_is_judged(self, chain: list[bytes]) -> None:
        for published in (GOOD, tlsa(2, 0, 1, ROOT), tlsa(2, 1, 0, ROOT)):
            assert judge(chain, published) in (Dane.MISMATCH, Dane.NOT_TESTED)


def codes_of(
    mx_host: MxHost, *endpoints: EndpointFacts, mx: Dnssec = SECURE, name: str | None = DOMAIN
) -> dict[Code, str]:
    facts = domain(*endpoints, mx_hosts=(mx_host,), route=route(mx), domain=name)
    found = dane_findings(facts, [judged(each, mx_host) for each in endpoints])
    assert len({finding.code for finding in found}) == len(found)
    return {finding.code: finding.detail or "" for finding in found}


def showing(*chain: Issued | bytes, **fields: Any) -> EndpointFacts:
    return replace(facts_of(*chain), **fields)


class TestFindings:
    @pytest.mark.parametrize(
        ("mx_host", "endpoint", "codes"),
        [
            pytest.param(host(GOOD), showing(LEAF), set(), id="match"),
            pytest.param(host(), showing(LEAF), set(), id="none"),
            pytest.param(
                host(dnssec=INSECURE, **NOT_LOOKED_UP), showing(LEAF), set(), id="insecure-host"
            ),
            pytest.param(host(tlsa_dnssec=INSECURE), showing(LEAF), set(), id="insecure-denial"),
            pytest.param(host(GOOD), untested(), set(), id="not-reached"),
            pytest.param(
                host(dnssec=INDETERMINATE, addresses=(), **NOT_LOOKED_UP),
                showing(LEAF),
                set(),
                id="indeterminate-and-no-address",
            ),
            pytest.param(
                host(failure=FAILED, dnssec=INDETERMINATE, **NOT_LOOKED_UP),
                showing(LEAF),
                set(),
                id="addresses-failed-which-the-route-tells",
            ),
            pytest.param(
                host(dnssec=INDETERMINATE, **NOT_LOOKED_UP),
                showing(LEAF),
                {Code.TLSA_NOT_TESTED},
                id="rule-10-indeterminate",
            ),
            pytest.param(
                host(tlsa_failure=FAILED),
                showing(LEAF),
                {Code.TLSA_NOT_TESTED},
                id="rule-4-failure",
            ),
            pytest.param(
                host(GOOD, tlsa_dnssec=INSECURE), showing(LEAF), {Code.TLSA_INSECURE}, id="insecure"
            ),
            pytest.param(host(BAD), showing(LEAF), {Code.TLSA_INVALID}, id="mismatch"),
            pytest.param(host(GOOD), showing(), {Code.TLSA_INVALID}, id="no-certificate"),
            pytest.param(
                host(tlsa(2, 0, 1, MIDDLE)),
                showing(UNREADABLE_LEAF, MIDDLE),
                {Code.TLSA_NOT_TESTED},
                id="unreadable",
            ),
            pytest.param(host(PKIX), showing(LEAF), {Code.TLSA_UNUSABLE}, id="rule-5-unusable"),
            pytest.param(host(PKIX, GOOD), showing(LEAF), {Code.TLSA_UNUSABLE}, id="rule-5-mixed"),
            pytest.param(
                host(PKIX, BAD),
                showing(LEAF),
                {Code.TLSA_UNUSABLE, Code.TLSA_INVALID},
                id="rule-5-mixed-mismatch",
            ),
            pytest.param(
                host(GOOD, tlsa(3, 1, 1, bytes(9))),
                showing(LEAF),
                {Code.TLSA_SPARE},
                id="7671-8.1-next-key",
            ),
            pytest.param(
                host(GOOD, tlsa(3, 1, 1, OTHER)),
                showing(LEAF),
                {Code.TLSA_SPARE},
                id="7671-8-rsa-and-ecdsa",
            ),
            pytest.param(
                host(GOOD, tlsa(2, 1, 1, ROOT)),
                showing(LEAF, MIDDLE),
                {Code.TLSA_SPARE},
                id="7671-8.4-ee-and-its-ca",
            ),
            pytest.param(
                host(GOOD, tlsa(2, 1, 1, MIDDLE)), showing(LEAF, MIDDLE), set(), id="ee-and-issuer"
            ),
            pytest.param(
                host(tlsa(2, 1, 1, MIDDLE), tlsa(2, 1, 1, cases.OTHER_ROOT)),
                showing(LEAF, MIDDLE),
                {Code.TLSA_SPARE},
                id="7671-8.4-spare-intermediate",
            ),
            pytest.param(
                host(tlsa(3, 1, 2, LEAF), BAD), showing(LEAF), {Code.TLSA_SPARE}, id="weaker-spare"
            ),
            pytest.param(
                host(tlsa(3, 1, 2, OTHER), GOOD),
                showing(LEAF),
                {Code.TLSA_INVALID},
                id="7671-9-stronger-stale",
            ),
            pytest.param(
                host(GOOD), confirmed(not_offered()), {Code.DANE_NO_TLS}, id="7672-2.2-no-tls"
            ),
            pytest.param(
                host(PKIX),
                confirmed(handshake_failed()),
                {Code.DANE_NO_TLS, Code.TLSA_UNUSABLE},
                id="7672-2.2-unusable-and-no-tls",
            ),
        ],
    )
    def test_codes(self, mx_host: MxHost, endpoint: EndpointFacts, codes: set[Code]) -> None:
        assert set(codes_of(mx_host, endpoint)) == codes

    @pytest.mark.parametrize(
        ("reason", "keeps"),
        [(Reason.SERVFAIL, True), (Reason.TIMED_OUT, True), (Reason.LIMIT, False)],
    )
    def test_rule_4_what_a_failed_look_up_does_to_mail(self, reason: Reason, keeps: bool) -> None:
        failure = Failure(step=Step.RESOLVE, reason=reason)
        found = codes_of(host(tlsa_failure=failure), showing(LEAF))[Code.TLSA_NOT_TESTED]
        assert found.startswith(reason)
        assert ("keeps the mail" in found) is keeps

    def test_rule_1_an_unsigned_mx_rrset_is_told_beside_the_rest(self) -> None:
        assert set(codes_of(host(GOOD), showing(LEAF), mx=INSECURE)) == {Code.TLSA_MX_INSECURE}
        assert set(codes_of(host(BAD), showing(LEAF), mx=INSECURE)) == {
            Code.TLSA_MX_INSECURE,
            Code.TLSA_INVALID,
        }
        assert not codes_of(host(), showing(LEAF), mx=INSECURE)

    def test_what_is_no_domain_has_none(self) -> None:
        assert not dane_findings(domain(route=None, domain=None), ())

    def test_a_mismatch_says_why_record_by_record(self) -> None:
        early = Issued(leaf(MIDDLE, lives=(1, 9)).certificate, ec_key())
        records = (BAD, tlsa(2, 0, 1, MIDDLE), tlsa(2, 0, 1, ROOT), tlsa(3, 0, 1, LEAF))
        found = codes_of(host(*records), showing(early, MIDDLE))[Code.TLSA_INVALID]
        assert "not the server's key" in found
        assert "not the server's certificate" in found
        assert "the leaf certificate is valid from 2026-01-02" in found
        assert "no path from the leaf certificate leads to it" in found
        wrong = codes_of(
            host(tlsa(2, 0, 1, MIDDLE)), showing(leaf(MIDDLE, names=("a.test",)), MIDDLE)
        )
        assert f"not for {HOST} or {DOMAIN}" in wrong[Code.TLSA_INVALID]

    def test_a_weaker_digest_that_matches_is_explained(self) -> None:
        found = codes_of(host(tlsa(3, 1, 2, OTHER), GOOD), showing(LEAF))[Code.TLSA_INVALID]
        assert "matches, but a stronger digest stands beside it" in found

    def test_what_some_unusable_records_leave_to_senders(self) -> None:
        alone = codes_of(host(PKIX), showing(LEAF))[Code.TLSA_UNUSABLE]
        assert alone.endswith("senders encrypt, and cannot authenticate")
        beside = codes_of(host(PKIX, GOOD), showing(LEAF))[Code.TLSA_UNUSABLE]
        assert beside.endswith("the other records decide")
        assert "some or all" in Code.TLSA_UNUSABLE.meaning

    def test_no_record_is_called_old_by_one_handshake(self) -> None:
        seen = codes_of(host(BAD, GOOD), showing(LEAF))
        assert set(seen) == {Code.TLSA_SPARE}
        assert "emove" not in Code.TLSA_SPARE.advice

    def test_a_record_of_another_endpoint_of_the_host_is_not_spare(self) -> None:
        both = (showing(LEAF), showing(OTHER, address="192.0.2.2"))
        assert not codes_of(host(BAD, GOOD), *both)

    def test_a_record_that_could_not_be_compared_with_the_chain_is_not_spare(self) -> None:
        records = (tlsa(2, 0, 1, MIDDLE), tlsa(3, 1, 1, UNREADABLE_LEAF))
        assert not codes_of(host(*records), showing(UNREADABLE_LEAF, MIDDLE))

    def test_many_records_are_cut_short_in_the_text(self) -> None:
        many = [
            TlsaRecord(usage=3, selector=1, matching_type=1, data=bytes([n] * 32)) for n in range(9)
        ]
        assert codes_of(host(*many), showing(LEAF))[Code.TLSA_INVALID].endswith("; and 4 more")

    def test_without_a_believable_resolver_it_is_told_once_a_domain(self) -> None:
        unknown = host(dnssec=INDETERMINATE, **NOT_LOOKED_UP)
        facts = domain(mx_hosts=(unknown, replace(unknown, name="mx2.example.com")))
        assert [finding.code for finding in dane_findings(facts, ())] == [Code.TLSA_NOT_TESTED]


def test_reasons_are_kept_by_record() -> None:
    found = judged(facts_of(*CHAIN), host(PKIX, BAD, GOOD)).matches
    assert [(each.record, each.answer) for each in found] == [(BAD, NO), (GOOD, YES)]
