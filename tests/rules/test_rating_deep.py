"""What each profile makes of the answers of --deep: the negative cases of each norm."""

from dataclasses import replace
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from prober.records import (
    Answer,
    Code,
    DeepAnswer,
    DeepFacts,
    DeepQuestion,
    DomainReport,
    FactRating,
    Level,
    ProfileName,
    RatedFact,
    Rating,
    Standing,
    VerifyError,
)
from prober.rules.norms import Profile, norm_groups
from prober.rules.profiles import PROFILES
from prober.rules.rating import rate_report
from prober.rules.standing import assess, judge_standing
from prober.rules.verdict import judge_domain
from tests.rules.certificates import Issued, issue, rsa_1024
from tests.support.builders import MX, completed, domain
from tests.support.deep import asked, no, not_tested, said, yes

Q = DeepQuestion
DEFAULT, NIST, NCSC, BSI, HIPAA = (PROFILES[name] for name in ProfileName)
MEETS, SHORT, OPEN = Standing.MEETS, Standing.FALLS_SHORT, Standing.UNDECIDED

CA = issue("ca.example")
P256 = issue(MX, by=CA)
RSA_CA = issue("rsa.example", key=rsa.generate_private_key(65537, 3072))
RSA_3072 = issue(MX, by=RSA_CA, key=rsa.generate_private_key(65537, 3072))
RSA_1024 = issue(MX, by=RSA_CA, key=rsa_1024())
SELF_SIGNED = VerifyError(depth=0, code=18, text="self-signed certificate")


def report(deep: DeepFacts | None, **fields: Any) -> DomainReport:
    defaults = {"chain": (P256.der,), "path": (0,), "key_exchange": "secp256r1", "deep": deep}
    return judge_domain(domain(completed(**(defaults | fields))))


def by_profile(deep: DeepFacts | None, **fields: Any) -> list[Standing]:
    """The standing under each profile, in their order."""
    judged = report(deep, **fields)
    return [judge_standing(judged, profile) for profile in PROFILES.values()]


def shows(certificate: Issued, question: DeepQuestion = Q.RSA_CERTIFICATE, **more: Any) -> Any:
    fields = {"chain": (certificate.der,), "path": (0,), "tls_version": "TLSv1.2"}
    return yes(question, **(fields | more))


def suite(question: DeepQuestion, cipher: str, **more: Any) -> DeepAnswer:
    return yes(question, tls_version="TLSv1.2", cipher=cipher, **more)


def dhe(group: str, bits: int, cipher: str = "AES_256_GCM_SHA384") -> DeepAnswer:
    name = f"TLS_DHE_RSA_WITH_{cipher}"
    return suite(Q.FINITE_FIELD_DH, name, key_exchange=group, key_exchange_bits=bits)


ALL_MEET: Final = [MEETS] * 5
ALL_SHORT: Final = [SHORT] * 5


@pytest.mark.parametrize(
    ("answer", "expected"),  # default, NIST, NCSC-NL, BSI, HIPAA
    [
        # RFC 8996, RFC 9325 §3.1.1; SP 800-52r2 §3.1; NCSC-NL §3.3.1; TR-02102-2 §3.2
        pytest.param(yes(Q.LEGACY_VERSION, tls_version="SSLv3"), ALL_SHORT, id="sslv3"),
        # SP 800-52r2 §3.1: they may be configured where citizens or businesses need them
        *(
            pytest.param(
                yes(Q.LEGACY_VERSION, tls_version=version),
                [SHORT, OPEN, SHORT, SHORT, OPEN],
                id=version,
            )
            for version in ("TLSv1", "TLSv1.1")
        ),
        pytest.param(yes(Q.LEGACY_VERSION), [OPEN] * 5, id="version-not-seen"),
        pytest.param(no(Q.LEGACY_VERSION), ALL_MEET, id="no-legacy"),
        # RFC 9325 §4.1; SP 800-52r2 §3.3.1; NCSC-NL appendix B; TR-02102-2 §3.3.1
        *(
            pytest.param(suite(Q.BROKEN_SUITES, name), ALL_SHORT, id=name)
            for name in (
                "TLS_RSA_WITH_RC4_128_SHA",
                "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA",
                "TLS_DHE_RSA_WITH_DES_CBC_SHA",
                "TLS_RSA_EXPORT_WITH_RC4_40_MD5",
                "TLS_RSA_EXPORT1024_WITH_DES_CBC_SHA",
                "TLS_ECDHE_RSA_WITH_NULL_SHA",
                "TLS_DH_anon_WITH_AES_256_GCM_SHA384",
                "TLS_RSA_WITH_NULL_MD5",
            )
        ),
        pytest.param(yes(Q.BROKEN_SUITES), [OPEN] * 5, id="suite-not-seen"),
        pytest.param(no(Q.BROKEN_SUITES), ALL_MEET, id="no-broken-suite"),
        # RFC 9325 §4.1 SHOULD NOT; SP 800-131A r2 §6; no other norm lists it
        pytest.param(
            suite(Q.STATIC_KEY_EXCHANGE, "TLS_RSA_WITH_AES_256_GCM_SHA384"),
            [MEETS, SHORT, SHORT, SHORT, SHORT],
            id="static-rsa",
        ),
        # TR-02102-2 §3.3.1.2, table 4: until the end of 2026
        pytest.param(
            suite(Q.STATIC_KEY_EXCHANGE, "TLS_ECDH_RSA_WITH_AES_256_GCM_SHA384"),
            [SHORT, SHORT, SHORT, MEETS, SHORT],
            id="static-ecdh",
        ),
        pytest.param(no(Q.STATIC_KEY_EXCHANGE), ALL_MEET, id="no-static"),
        # RFC 9325 §4.5; SP 800-131A r2 §5; NCSC-NL §3.3.3; TR-02102-2 §3.6.1, table 14
        pytest.param(dhe("DH", 1024), ALL_SHORT, id="dh-1024"),
        pytest.param(dhe("DH", 2048), [MEETS, MEETS, SHORT, SHORT, MEETS], id="dh-2048"),
        pytest.param(dhe("ffdhe2048", 2048), [MEETS, MEETS, SHORT, SHORT, MEETS], id="ffdhe2048"),
        pytest.param(dhe("ffdhe3072", 3072), ALL_MEET, id="ffdhe3072"),
        pytest.param(
            dhe("ffdhe3072", 3072, "AES_128_CBC_SHA"),
            [MEETS, MEETS, SHORT, SHORT, MEETS],
            id="dhe-with-sha-1",
        ),
        pytest.param(
            suite(Q.FINITE_FIELD_DH, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384"),
            [OPEN] * 5,
            id="dh-size-not-seen",
        ),
        pytest.param(no(Q.FINITE_FIELD_DH), ALL_MEET, id="no-dh"),
        # keys: SP 800-57 part 1 r5 table 2; NCSC-NL §3.3.2; TR-02102-2 §3.6.1, table 14
        pytest.param(shows(RSA_3072), ALL_MEET, id="second-certificate"),
        pytest.param(shows(RSA_1024), ALL_SHORT, id="second-certificate-with-a-weak-key"),
        # §4.5 of NIST asks for a certificate that verifies: which one a sender gets differs
        pytest.param(
            shows(RSA_3072, path=(), verify_errors=(SELF_SIGNED,)),
            [MEETS, OPEN, MEETS, MEETS, MEETS],
            id="second-certificate-not-trusted",
        ),
        pytest.param(
            shows(RSA_3072, path=()),
            [MEETS, OPEN, MEETS, MEETS, MEETS],
            id="second-certificate-not-verified",
        ),
        pytest.param(no(Q.RSA_CERTIFICATE), ALL_MEET, id="no-second-certificate"),
        # RFC 9325 §3.3 SHOULD NOT; SP 800-52r2 §3.7; NCSC-NL §3.4.1; TR-02102-2 §3.3.4.3
        pytest.param(
            shows(P256, Q.ECDSA_CERTIFICATE, compression=True),
            [MEETS, SHORT, SHORT, SHORT, SHORT],
            id="compression",
        ),
        pytest.param(
            shows(P256, Q.ECDSA_CERTIFICATE, compression=False), ALL_MEET, id="no-compression"
        ),
        # RFC 9325 §3.5; SP 800-52r2 §3.4.1; NCSC-NL §4.1, §3.4.2; TR-02102-2 recommends only
        pytest.param(
            shows(P256, Q.ECDSA_CERTIFICATE, extended_master_secret=False),
            [SHORT, SHORT, SHORT, MEETS, SHORT],
            id="no-extended-master-secret",
        ),
        pytest.param(
            shows(P256, Q.ECDSA_CERTIFICATE, secure_renegotiation=False),
            [SHORT, SHORT, SHORT, MEETS, SHORT],
            id="no-secure-renegotiation",
        ),
        # SP 800-52r2 §3.4.2; TR-02102-2 §3.3.1.1
        pytest.param(dhe("ffdhe3072", 3072, "AES_128_CBC_SHA256"), ALL_MEET, id="cbc-not-seen-how"),
        pytest.param(
            suite(
                Q.FINITE_FIELD_DH,
                "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256",
                key_exchange="ffdhe3072",
                key_exchange_bits=3072,
                encrypt_then_mac=False,
            ),
            [MEETS, SHORT, MEETS, SHORT, SHORT],
            id="cbc-without-encrypt-then-mac",
        ),
        # a server takes it with a CBC suite only: RFC 7366 §3
        pytest.param(
            suite(
                Q.FINITE_FIELD_DH,
                "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
                key_exchange="ffdhe3072",
                key_exchange_bits=3072,
                encrypt_then_mac=False,
            ),
            ALL_MEET,
            id="gcm-without-encrypt-then-mac",
        ),
        pytest.param(no(Q.POST_QUANTUM), ALL_MEET, id="no-norm-asks-for-post-quantum"),
    ],
)
def test_what_else_is_accepted_decides(answer: DeepAnswer, expected: list[Standing]) -> None:
    assert by_profile(None) == ALL_MEET
    assert by_profile(asked(answer)) == expected


def offered(profile: Profile) -> dict[str, Any]:
    return {"offered_groups": norm_groups(profile)}


@pytest.mark.parametrize(
    ("group", "answer", "expected"),
    [
        pytest.param("x25519", None, ALL_MEET, id="not-asked"),
        # SP 800-52r2 §3.4.2, one of them shall be supported. A no to two groups says nothing of
        # the others that BSI recommends
        pytest.param(
            "x25519",
            no(Q.NORM_GROUPS, **offered(NIST)),
            [MEETS, SHORT, MEETS, MEETS, SHORT],
            id="no-to-nist",
        ),
        # TR-02102-2 §3.4.2, table 10; NIST's groups are among BSI's
        pytest.param(
            "x25519",
            no(Q.NORM_GROUPS, **offered(BSI)),
            [MEETS, SHORT, MEETS, SHORT, SHORT],
            id="no-to-bsi",
        ),
        pytest.param("x25519", no(Q.NORM_GROUPS), ALL_MEET, id="no-to-what-is-not-known"),
        pytest.param(
            "x25519",
            yes(Q.NORM_GROUPS, **offered(NIST), key_exchange="secp384r1"),
            ALL_MEET,
            id="yes",
        ),
        pytest.param(
            "x25519",
            yes(Q.NORM_GROUPS, **offered(BSI), key_exchange="brainpoolP256r1tls13"),
            ALL_MEET,
            id="yes-to-bsi-says-nothing-of-nist",
        ),
        pytest.param(
            "x25519",
            not_tested(Q.NORM_GROUPS, **offered(NIST)),
            [MEETS, OPEN, MEETS, OPEN, OPEN],
            id="not-tested",
        ),
        # the session chose such a group itself
        pytest.param("secp256r1", no(Q.NORM_GROUPS, **offered(BSI)), ALL_MEET, id="chosen"),
        pytest.param("secp256r1", not_tested(Q.NORM_GROUPS), ALL_MEET, id="chosen-not-tested"),
    ],
)
def test_the_absence_of_a_norms_group(
    group: str, answer: DeepAnswer | None, expected: list[Standing]
) -> None:
    deep = None if answer is None else asked(answer)
    assert by_profile(deep, key_exchange=group) == expected


OLD: Final = {"tls_version": "TLSv1.2", "cipher": "ECDHE-ECDSA-AES256-GCM-SHA384"}


@pytest.mark.parametrize(
    ("fields", "answer", "expected"),
    [
        # the hello is one of TLS 1.2, too, with elliptic curves
        pytest.param(
            {"key_exchange": "x25519"},
            no(Q.NORM_GROUPS, **offered(NIST)),
            [MEETS, SHORT, MEETS, MEETS, SHORT],
            id="no-to-nist",
        ),
        # DHE with ffdhe3072 was not offered there
        pytest.param(
            {"key_exchange": "x25519"},
            no(Q.NORM_GROUPS, **offered(BSI)),
            [MEETS, SHORT, MEETS, MEETS, SHORT],
            id="no-to-bsi",
        ),
        # the norm asks it of servers with elliptic curves
        pytest.param(
            {"key_exchange": "ffdhe3072", "cipher": "DHE-RSA-AES256-GCM-SHA384"},
            no(Q.NORM_GROUPS, **offered(NIST)),
            ALL_MEET,
            id="no-curve-at-all",
        ),
        pytest.param(
            {"key_exchange": None}, no(Q.NORM_GROUPS, **offered(NIST)), ALL_MEET, id="plain-rsa"
        ),
        pytest.param(
            {"key_exchange": "x25519"},
            yes(Q.NORM_GROUPS, **offered(BSI), key_exchange="brainpoolP256r1"),
            ALL_MEET,
            id="the-old-number-of-a-curve",
        ),
    ],
)
def test_the_absence_of_a_norms_group_in_tls_12(
    fields: dict[str, Any], answer: DeepAnswer, expected: list[Standing]
) -> None:
    assert by_profile(None, **(OLD | fields)) == ALL_MEET
    assert by_profile(asked(answer), **(OLD | fields)) == expected


@pytest.mark.parametrize("question", sorted({*Q} - {Q.POST_QUANTUM, Q.NORM_GROUPS}))
def test_a_question_without_an_answer_leaves_the_profile_open(question: DeepQuestion) -> None:
    deep = asked(not_tested(question))
    assert by_profile(deep) == [OPEN] * 5
    for profile in PROFILES.values():
        assert assess(report(deep), profile).reasons == (Code.DEEP_NOT_TESTED,)
    assert by_profile(deep, tls_version="TLSv1") == ALL_SHORT  # and hides no fault
    assert assess(report(deep), Level.AUTHENTICATED).standing is MEETS  # which is no profile


@given(st.lists(st.sampled_from(sorted(Q)), unique=True), st.sampled_from(list(PROFILES.values())))
def test_not_tested_never_decides(questions: list[DeepQuestion], profile: Profile) -> None:
    """Not for and not against: a pass becomes open at the most, and so does a fault never."""
    deep = asked(*(said(question, Answer.NOT_TESTED) for question in questions))
    assert judge_standing(report(deep), profile) in (MEETS, OPEN)
    assert judge_standing(report(deep, cipher="DES-CBC3-SHA"), profile) is SHORT


def test_rows_say_what_they_are_about() -> None:
    deep = asked(
        yes(Q.LEGACY_VERSION, tls_version="TLSv1"),
        not_tested(Q.BROKEN_SUITES),
        no(Q.NORM_GROUPS, **offered(NIST)),
        no(Q.STATIC_KEY_EXCHANGE),
        shows(RSA_3072),
    )
    rows = rate_report(report(deep, key_exchange="x25519"), NIST).ratings
    assert all(row.sni for row in rows)
    told = [(row.question, row.fact, row.value, row.rating) for row in rows if row.question]
    assert told == [
        (Q.LEGACY_VERSION, RatedFact.PROTOCOL, "TLSv1", Rating.PHASE_OUT),
        (Q.BROKEN_SUITES, RatedFact.SUITE, None, Rating.NOT_TESTED),
        (Q.NORM_GROUPS, RatedFact.KEY_EXCHANGE, "no", Rating.INSUFFICIENT),
        (Q.RSA_CERTIFICATE, RatedFact.KEY, "RSA 3072", Rating.GOOD),
        (Q.RSA_CERTIFICATE, RatedFact.SIGNATURE, "sha256WithRSAEncryption", Rating.GOOD),
    ]
    [absent] = [row for row in rows if row.value == "no" and row.question is Q.NORM_GROUPS]
    assert isinstance(absent, FactRating)
    assert absent.source == "§3.4.2, one of them shall be supported"


def test_what_deep_found_is_told_once_where_senders_without_sni_meet_another_group() -> None:
    facts = completed(
        chain=(P256.der,), path=(0,), deep=asked(yes(Q.LEGACY_VERSION, tls_version="TLSv1"))
    )
    assert facts.without_sni is not None
    other = replace(facts, without_sni=replace(facts.without_sni, key_exchange="x25519"))
    rows = rate_report(judge_domain(domain(other)), NCSC).ratings
    assert [row.sni for row in rows if row.fact is RatedFact.KEY_EXCHANGE] == [True, False]
    assert [row.sni for row in rows if row.question is not None] == [True]


def test_without_deep_no_row_is_of_a_question() -> None:
    for profile in PROFILES.values():
        assert all(row.question is None for row in rate_report(report(None), profile).ratings)
