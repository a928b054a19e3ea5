"""What each norm makes of what was negotiated; test_profiles.py has each value with its source."""

from dataclasses import replace
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, mldsa, rsa

from prober.records import (
    DomainFacts,
    EndpointFacts,
    FactRating,
    ProfileName,
    RatedFact,
    Rating,
    Reason,
    Route,
    RouteStatus,
    Standing,
    VerifyError,
)
from prober.rules.certificate_fields import CertificateReader
from prober.rules.norms import Profile
from prober.rules.profiles import PROFILES
from prober.rules.rating import below_profile, rate, rate_report
from prober.rules.standing import judge_standing
from prober.rules.verdict import judge_domain, judge_endpoint
from prober.rules.views import View
from tests.rules.certificates import (
    SHA1_RSA,
    Issued,
    dsa_spki,
    forge,
    issue,
    rsa_1024,
    rsa_spki,
    spki,
)
from tests.support.builders import (
    MX,
    NO_TRUST,
    TRUST,
    completed,
    confirmed,
    domain,
    not_offered,
    run,
    untested,
)

DEFAULT, NIST, NCSC, BSI, HIPAA = (PROFILES[name] for name in ProfileName)
GOOD, SUFFICIENT = Rating.GOOD, Rating.SUFFICIENT
PHASE_OUT, INSUFFICIENT = Rating.PHASE_OUT, Rating.INSUFFICIENT
NOT_NAMED, NOT_TESTED = Rating.NOT_NAMED, Rating.NOT_TESTED

EC_CA = issue("ca.example")
RSA_CA = issue("rsa.example", key=rsa.generate_private_key(65537, 2048))
P256 = issue(MX, by=EC_CA)
SELF_SIGNED = VerifyError(depth=0, code=18, text="self signed")

# algorithm identifiers for certificates that no library signs here
PSS = bytes.fromhex("300b06092a864886f70d01010a")  # without parameters
ML_DSA = bytes.fromhex("300b0609608648016503040311")
DSA_SHA1 = bytes.fromhex("300906072a8648ce380403")
SHA224_RSA = bytes.fromhex("300d06092a864886f70d01010e0500")
UNKNOWN_ALGORITHM = bytes.fromhex("300506032a0304")
ED25519 = bytes.fromhex("300506032b6570")


def seen(certificate: Issued | bytes | None = P256, **fields: Any) -> EndpointFacts:
    if certificate is None:
        return completed(**fields)
    der = certificate if isinstance(certificate, bytes) else certificate.der
    return completed(**({"chain": (der,), "path": (0,)} | fields))


def judged(facts: EndpointFacts) -> View:
    reader = CertificateReader()
    return View(judge_endpoint(facts, TRUST, reader), reader)


def rated(view: View, fact: RatedFact, profile: Profile) -> list[Rating]:
    return [each.rating for each in rate(view, profile) if each.fact is fact]


def by_profile(facts: EndpointFacts, fact: RatedFact) -> list[Rating]:
    """The one rating of *fact* under each profile, in their order."""
    ratings = [rated(judged(facts), fact, profile) for profile in PROFILES.values()]
    assert all(len(each) == 1 for each in ratings)
    return [each[0] for each in ratings]


@pytest.mark.parametrize(
    ("version", "default", "nist", "ncsc", "bsi"),
    [
        # RFC 8996; SP 800-52r2 §3.1; NCSC-NL 2025 §3.3.1; TR-02102-2 §3.2
        ("SSLv3", INSUFFICIENT, INSUFFICIENT, INSUFFICIENT, INSUFFICIENT),
        ("TLSv1", INSUFFICIENT, PHASE_OUT, INSUFFICIENT, INSUFFICIENT),
        ("TLSv1.1", INSUFFICIENT, PHASE_OUT, INSUFFICIENT, INSUFFICIENT),
        ("TLSv1.2", SUFFICIENT, SUFFICIENT, SUFFICIENT, SUFFICIENT),
        ("TLSv1.3", GOOD, GOOD, GOOD, GOOD),
    ],
)
def test_protocols(version: str, default: Rating, nist: Rating, ncsc: Rating, bsi: Rating) -> None:
    ratings = by_profile(seen(tls_version=version), RatedFact.PROTOCOL)
    assert ratings == [default, nist, ncsc, bsi, nist]


@pytest.mark.parametrize(
    ("cipher", "default", "nist", "ncsc", "bsi"),
    [
        (None, NOT_TESTED, NOT_TESTED, NOT_TESTED, NOT_TESTED),
        ("SOMETHING-NEW", NOT_TESTED, NOT_TESTED, NOT_TESTED, NOT_TESTED),
        ("NULL-SHA256", INSUFFICIENT, INSUFFICIENT, INSUFFICIENT, INSUFFICIENT),
        ("ADH-AES256-GCM-SHA384", INSUFFICIENT, INSUFFICIENT, INSUFFICIENT, INSUFFICIENT),
        ("DES-CBC3-SHA", INSUFFICIENT, INSUFFICIENT, INSUFFICIENT, INSUFFICIENT),
        # plain RSA: RFC 9325 §4.1 SHOULD NOT; SP 800-131A r2 §6; no norm else names it
        ("AES256-GCM-SHA384", PHASE_OUT, INSUFFICIENT, INSUFFICIENT, INSUFFICIENT),
        ("AES128-SHA", PHASE_OUT, INSUFFICIENT, INSUFFICIENT, INSUFFICIENT),
        ("DHE-RSA-AES256-GCM-SHA384", SUFFICIENT, SUFFICIENT, PHASE_OUT, PHASE_OUT),
        ("DHE-RSA-AES128-SHA", PHASE_OUT, SUFFICIENT, INSUFFICIENT, INSUFFICIENT),
        ("ECDHE-RSA-AES128-SHA", SUFFICIENT, SUFFICIENT, INSUFFICIENT, INSUFFICIENT),
        ("ECDHE-RSA-AES256-SHA384", SUFFICIENT, SUFFICIENT, PHASE_OUT, SUFFICIENT),
        ("ECDHE-ECDSA-CAMELLIA256-SHA384", INSUFFICIENT, INSUFFICIENT, PHASE_OUT, INSUFFICIENT),
        ("ECDHE-RSA-CHACHA20-POLY1305", GOOD, INSUFFICIENT, SUFFICIENT, INSUFFICIENT),
        ("ECDHE-ECDSA-AES128-CCM", GOOD, GOOD, SUFFICIENT, SUFFICIENT),
        ("ECDHE-RSA-AES128-GCM-SHA256", GOOD, GOOD, SUFFICIENT, SUFFICIENT),
        ("TLS_CHACHA20_POLY1305_SHA256", GOOD, INSUFFICIENT, GOOD, INSUFFICIENT),
        ("TLS_AES_128_GCM_SHA256", GOOD, GOOD, SUFFICIENT, GOOD),
        ("TLS_AES_256_GCM_SHA384", GOOD, GOOD, GOOD, GOOD),
    ],
)
def test_suites(
    cipher: str | None, default: Rating, nist: Rating, ncsc: Rating, bsi: Rating
) -> None:
    assert by_profile(seen(cipher=cipher), RatedFact.SUITE) == [default, nist, ncsc, bsi, nist]


@pytest.mark.parametrize(
    ("group", "bits", "default", "nist", "ncsc", "bsi"),
    [
        # RFC 9325 §4.5; SP 800-131A r2 §5; NCSC-NL 2025 §3.3.3.1; TR-02102-2 on DHE
        ("DH", None, NOT_TESTED, NOT_TESTED, NOT_TESTED, NOT_TESTED),
        ("DH", 1024, INSUFFICIENT, INSUFFICIENT, INSUFFICIENT, INSUFFICIENT),
        ("DH", 1999, INSUFFICIENT, INSUFFICIENT, INSUFFICIENT, INSUFFICIENT),
        ("DH", 2048, SUFFICIENT, SUFFICIENT, INSUFFICIENT, INSUFFICIENT),
        ("DH", 2999, SUFFICIENT, SUFFICIENT, INSUFFICIENT, INSUFFICIENT),
        ("DH", 3000, SUFFICIENT, SUFFICIENT, INSUFFICIENT, PHASE_OUT),
        ("DH", 3072, GOOD, SUFFICIENT, INSUFFICIENT, PHASE_OUT),
        ("ffdhe2048", 2048, SUFFICIENT, SUFFICIENT, INSUFFICIENT, INSUFFICIENT),
        ("ffdhe3072", 3072, GOOD, SUFFICIENT, PHASE_OUT, PHASE_OUT),
        ("ffdhe8192", 8192, GOOD, SUFFICIENT, PHASE_OUT, NOT_NAMED),
        ("ECDH", None, NOT_TESTED, NOT_TESTED, NOT_TESTED, NOT_TESTED),
        ("secp192r1", None, INSUFFICIENT, INSUFFICIENT, INSUFFICIENT, INSUFFICIENT),
        ("secp224r1", None, PHASE_OUT, SUFFICIENT, PHASE_OUT, INSUFFICIENT),
        ("secp256r1", None, GOOD, GOOD, SUFFICIENT, SUFFICIENT),
        ("brainpoolP256r1", None, GOOD, NOT_NAMED, SUFFICIENT, SUFFICIENT),
        ("brainpoolP384r1tls13", None, GOOD, NOT_NAMED, SUFFICIENT, SUFFICIENT),
        ("x25519", None, GOOD, NOT_NAMED, SUFFICIENT, NOT_NAMED),
        ("X25519MLKEM768", None, GOOD, SUFFICIENT, GOOD, NOT_NAMED),
        ("SecP256r1MLKEM768", None, GOOD, GOOD, GOOD, NOT_NAMED),
        ("secp256k1", None, NOT_NAMED, NOT_NAMED, INSUFFICIENT, NOT_NAMED),
    ],
)
def test_key_exchanges(
    group: str, bits: int | None, default: Rating, nist: Rating, ncsc: Rating, bsi: Rating
) -> None:
    facts = seen(key_exchange=group, key_exchange_bits=bits)
    assert by_profile(facts, RatedFact.KEY_EXCHANGE) == [default, nist, ncsc, bsi, nist]


def test_plain_rsa_has_no_group_to_rate() -> None:
    """Nor a signature of its own: RFC 5246 §7.4.3."""
    endpoint = judged(seen(key_exchange=None, cipher="AES256-GCM-SHA384"))
    assert not rated(endpoint, RatedFact.KEY_EXCHANGE, DEFAULT)
    assert not rated(endpoint, RatedFact.KEY_EXCHANGE_HASH, DEFAULT)


@pytest.mark.parametrize(
    ("hash_", "default", "nist", "ncsc", "bsi"),
    [
        (None, NOT_TESTED, NOT_TESTED, NOT_TESTED, NOT_TESTED),
        ("sha1", INSUFFICIENT, INSUFFICIENT, INSUFFICIENT, INSUFFICIENT),
        ("sha224", PHASE_OUT, SUFFICIENT, PHASE_OUT, INSUFFICIENT),
        ("sha256", GOOD, GOOD, GOOD, GOOD),
    ],
)
def test_key_exchange_hashes(
    hash_: str | None, default: Rating, nist: Rating, ncsc: Rating, bsi: Rating
) -> None:
    ratings = by_profile(seen(key_exchange_hash=hash_), RatedFact.KEY_EXCHANGE_HASH)
    assert ratings == [default, nist, ncsc, bsi, nist]


@pytest.mark.parametrize(
    ("certificate", "default", "nist", "ncsc", "bsi"),
    [
        pytest.param(b"\x30\x00", NOT_TESTED, NOT_TESTED, NOT_TESTED, NOT_TESTED, id="unreadable"),
        pytest.param(
            forge(public_key=bytes.fromhex("300b300506032a0304030200ff")),
            NOT_TESTED,
            NOT_TESTED,
            NOT_TESTED,
            NOT_TESTED,
            id="unknown-kind",
        ),
        pytest.param(
            issue(MX, key=rsa_1024()),
            INSUFFICIENT,
            INSUFFICIENT,
            INSUFFICIENT,
            INSUFFICIENT,
            id="rsa-1024",
        ),
        pytest.param(
            forge(public_key=dsa_spki(2048)),
            INSUFFICIENT,
            INSUFFICIENT,
            INSUFFICIENT,
            INSUFFICIENT,
            id="dsa-2048",
        ),
        pytest.param(
            forge(public_key=dsa_spki(3072)),
            INSUFFICIENT,
            INSUFFICIENT,
            INSUFFICIENT,
            PHASE_OUT,
            id="dsa-3072",
        ),
        pytest.param(
            issue(MX, key=ec.generate_private_key(ec.SECP192R1())),
            INSUFFICIENT,
            INSUFFICIENT,
            INSUFFICIENT,
            INSUFFICIENT,
            id="p-192",
        ),
        pytest.param(
            issue(MX, key=ec.generate_private_key(ec.SECP224R1())),
            PHASE_OUT,
            SUFFICIENT,
            PHASE_OUT,
            INSUFFICIENT,
            id="p-224",
        ),
        pytest.param(
            forge(public_key=rsa_spki(2048)),
            SUFFICIENT,
            SUFFICIENT,
            PHASE_OUT,
            PHASE_OUT,
            id="rsa-2048",
        ),
        pytest.param(forge(public_key=rsa_spki(3072)), GOOD, GOOD, SUFFICIENT, GOOD, id="rsa-3072"),
        pytest.param(
            issue(MX, key=ec.generate_private_key(ec.BrainpoolP256R1())),
            GOOD,
            NOT_NAMED,
            SUFFICIENT,
            GOOD,
            id="brainpool",
        ),
        pytest.param(
            forge(public_key=spki(ed448.Ed448PrivateKey.generate())),
            GOOD,
            SUFFICIENT,
            SUFFICIENT,
            NOT_NAMED,
            id="ed448",
        ),
        pytest.param(
            forge(public_key=spki(mldsa.MLDSA65PrivateKey.generate())),
            GOOD,
            SUFFICIENT,
            NOT_NAMED,
            NOT_NAMED,
            id="ml-dsa",
        ),
        pytest.param(P256, GOOD, GOOD, SUFFICIENT, GOOD, id="p-256"),
    ],
)
def test_keys(
    certificate: Issued | bytes, default: Rating, nist: Rating, ncsc: Rating, bsi: Rating
) -> None:
    assert by_profile(seen(certificate), RatedFact.KEY) == [default, nist, ncsc, bsi, nist]


@pytest.mark.parametrize(
    ("certificate", "default", "nist", "ncsc", "bsi"),
    [
        pytest.param(b"\x30\x00", NOT_TESTED, NOT_TESTED, NOT_TESTED, NOT_TESTED, id="unreadable"),
        pytest.param(
            forge(algorithm=UNKNOWN_ALGORITHM),
            NOT_TESTED,
            NOT_TESTED,
            NOT_TESTED,
            NOT_TESTED,
            id="unknown",
        ),
        pytest.param(
            forge(algorithm=PSS), NOT_TESTED, NOT_TESTED, NOT_TESTED, NOT_TESTED, id="pss-unread"
        ),
        pytest.param(
            forge(algorithm=SHA1_RSA),
            INSUFFICIENT,
            INSUFFICIENT,
            INSUFFICIENT,
            INSUFFICIENT,
            id="sha1",
        ),
        pytest.param(
            forge(algorithm=DSA_SHA1),
            INSUFFICIENT,
            INSUFFICIENT,
            INSUFFICIENT,
            INSUFFICIENT,
            id="dsa",
        ),
        pytest.param(
            forge(algorithm=SHA224_RSA), PHASE_OUT, SUFFICIENT, PHASE_OUT, INSUFFICIENT, id="sha224"
        ),
        pytest.param(
            issue(MX, by=RSA_CA), SUFFICIENT, GOOD, SUFFICIENT, PHASE_OUT, id="pkcs1-sha256"
        ),
        pytest.param(
            forge(algorithm=ED25519), GOOD, SUFFICIENT, SUFFICIENT, NOT_NAMED, id="ed25519"
        ),
        pytest.param(forge(algorithm=ML_DSA), GOOD, SUFFICIENT, NOT_NAMED, NOT_NAMED, id="ml-dsa"),
        pytest.param(P256, GOOD, GOOD, SUFFICIENT, GOOD, id="ecdsa-sha256"),
    ],
)
def test_signatures(
    certificate: Issued | bytes, default: Rating, nist: Rating, ncsc: Rating, bsi: Rating
) -> None:
    assert by_profile(seen(certificate), RatedFact.SIGNATURE) == [default, nist, ncsc, bsi, nist]


def test_each_certificate_of_the_path_is_rated_and_none_beside_it() -> None:
    weak, stray = issue(MX, by=EC_CA, key=rsa_1024()).der, forge(algorithm=SHA1_RSA)
    endpoint = judged(seen(chain=(P256.der, stray, weak), path=(0, 2)))

    assert rated(endpoint, RatedFact.KEY, DEFAULT) == [GOOD, INSUFFICIENT]
    assert rated(endpoint, RatedFact.SIGNATURE, DEFAULT) == [GOOD, GOOD]


def test_what_there_is_not_is_not_rated() -> None:
    """RFC 5280 §6.1: a certificate's signature on itself proves nothing."""
    self_signed = judged(seen(issue(MX, key=rsa_1024())))
    of_certificates = {RatedFact.KEY, RatedFact.SIGNATURE}
    assert rate(judged(not_offered()), DEFAULT) == ()
    assert not {each.fact for each in rate(judged(seen(None)), DEFAULT)} & of_certificates
    assert not rated(self_signed, RatedFact.SIGNATURE, DEFAULT)


OF_TLS12: Final[dict[str, Any]] = {
    "tls_version": "TLSv1.2",
    "cipher": "ECDHE-RSA-AES256-GCM-SHA384",
}


@pytest.mark.parametrize(
    ("fact", "field"),
    [
        pytest.param(RatedFact.EXTENDED_MASTER_SECRET, "extended_master_secret", id="ems"),
        pytest.param(RatedFact.SECURE_RENEGOTIATION, "secure_renegotiation", id="renegotiation"),
    ],
)
def test_features_of_tls12(fact: RatedFact, field: str) -> None:
    """RFC 9325 §3.5; SP 800-52r2 §3.4.1; NCSC-NL §4.1, §3.4.2; TR-02102-2 §3.3.4: recommended."""
    expected = {
        None: [NOT_TESTED] * 5,
        True: [GOOD] * 5,
        False: [INSUFFICIENT, INSUFFICIENT, INSUFFICIENT, PHASE_OUT, INSUFFICIENT],
    }
    for value, ratings in expected.items():
        given: dict[str, Any] = OF_TLS12 | {field: value}
        assert by_profile(seen(**given), fact) == ratings


@pytest.mark.parametrize(
    ("cipher", "seen_", "expected"),
    [
        # RFC 7366 §3: only with a CBC suite does the server take it
        pytest.param("ECDHE-RSA-AES256-GCM-SHA384", False, NOT_TESTED, id="not-cbc"),
        pytest.param("SOMETHING-NEW", False, NOT_TESTED, id="not-known"),
        pytest.param(None, False, NOT_TESTED, id="not-seen"),
        pytest.param("ECDHE-RSA-AES256-SHA384", None, NOT_TESTED, id="cbc-not-seen"),
        pytest.param("ECDHE-RSA-AES256-SHA384", False, INSUFFICIENT, id="cbc-without"),
        pytest.param("ECDHE-RSA-AES256-SHA384", True, GOOD, id="cbc-with"),
    ],
)
def test_encrypt_then_mac(cipher: str | None, seen_: bool | None, expected: Rating) -> None:
    """SP 800-52r2 §3.4.2; TR-02102-2 §3.3.1.1, §3.3.4.5."""
    endpoint = judged(seen(**(OF_TLS12 | {"cipher": cipher, "encrypt_then_mac": seen_})))
    for profile in (NIST, BSI):
        assert rated(endpoint, RatedFact.ENCRYPT_THEN_MAC, profile) == [expected]


@pytest.mark.parametrize(
    "fact",
    [
        RatedFact.SERVER_NAME_INDICATION,
        RatedFact.COMPRESSION,
        RatedFact.EARLY_DATA,
        RatedFact.RAW_PUBLIC_KEY,
    ],
)
def test_what_our_client_cannot_see_is_not_tested(fact: RatedFact) -> None:
    [row] = [each for each in rate(judged(seen()), NIST) if each.fact is fact]
    assert (row.value, row.rating) == (None, NOT_TESTED)
    assert row.source == NIST.features[fact].absent.source


@pytest.mark.parametrize(
    ("certificate", "expected"),
    [
        pytest.param(None, NOT_TESTED, id="no-certificate"),
        pytest.param(b"\x30\x00", NOT_TESTED, id="unreadable"),
        pytest.param(issue(MX, by=EC_CA, lives=(0, 1096)), GOOD, id="three-years"),
        pytest.param(issue(MX, by=EC_CA, lives=(0, 1097)), SUFFICIENT, id="longer"),
    ],
)
def test_the_validity_of_the_leaf(certificate: Issued | bytes | None, expected: Rating) -> None:
    """SP 800-52r2 §3.2.1: should be three years or less."""
    assert rated(judged(seen(certificate)), RatedFact.VALIDITY, NIST) == [expected]


def test_a_row_has_the_fact_its_value_and_the_paragraph() -> None:
    report = judge_domain(domain(seen(key_exchange="x25519")))
    ratings = rate_report(report, BSI)

    assert (ratings.profile, ratings.norm) == (ProfileName.BSI, BSI.norm)
    assert all(row.sni for row in ratings.ratings)
    assert ratings.ratings[0] == FactRating(
        mx_host=MX,
        address="192.0.2.1",
        sni=True,
        fact=RatedFact.PROTOCOL,
        value="TLSv1.3",
        rating=GOOD,
        source="§3.2, table 2",
    )
    assert all(row.source for row in ratings.ratings)
    [group] = [row for row in ratings.ratings if row.fact is RatedFact.KEY_EXCHANGE]
    assert (group.value, group.rating) == ("x25519", NOT_NAMED)
    assert group.source == "§3.3.2, table 6; §3.4.2, table 10"
    assert group.ours is not None
    assert "not recommended either" in group.ours


def test_the_facts_below_a_profile_are_those_that_decide_against_it() -> None:
    facts = seen(
        issue(MX, by=RSA_CA, key=rsa_1024()),
        tls_version="TLSv1.2",
        cipher="ECDHE-RSA-CHACHA20-POLY1305",
        key_exchange="x25519",
        extended_master_secret=False,
        secure_renegotiation=None,
    )
    report = judge_domain(domain(facts))

    def below(profile: Profile) -> list[RatedFact]:
        found = below_profile(rate_report(report, profile), profile)
        return [row.fact for row in found if row.sni]

    suite_key_ems = [RatedFact.SUITE, RatedFact.KEY, RatedFact.EXTENDED_MASTER_SECRET]
    assert below(NIST) == suite_key_ems  # x25519 is not approved, which does not decide
    assert below(HIPAA) == suite_key_ems
    assert below(DEFAULT) == suite_key_ems[1:]


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_nothing_is_below_a_profile_that_is_met(profile: Profile) -> None:
    report = judge_domain(domain(seen(P256, key_exchange="secp256r1")))
    assert below_profile(rate_report(report, profile), profile) == ()


def test_what_senders_without_sni_meet_is_rated_where_it_differs() -> None:
    facts = seen()
    assert facts.without_sni is not None
    other = replace(facts, without_sni=replace(facts.without_sni, key_exchange="x25519"))
    rows = rate_report(judge_domain(domain(other)), NCSC).ratings
    groups = [(row.sni, row.value) for row in rows if row.fact is RatedFact.KEY_EXCHANGE]
    assert groups == [(True, "X25519MLKEM768"), (False, "x25519")]


def test_a_domain_without_tls_has_no_ratings() -> None:
    assert rate_report(judge_domain(domain(not_offered())), NIST).ratings == ()
    assert rate_report(judge_domain(domain(route=None)), NIST).ratings == ()


MX2 = "mx2.example.com"
P256_2 = issue(MX2, san=(MX2,), by=EC_CA)
ED = issue(MX, by=EC_CA, key=ed448.Ed448PrivateKey.generate())
RSA_2048 = issue(MX, by=RSA_CA, key=rsa.generate_private_key(65537, 2048))
NULL_MX = domain(route=Route(status=RouteStatus.NULL_MX))


@pytest.mark.parametrize(
    ("facts", "profile", "expected"),
    [
        pytest.param(domain(route=None), DEFAULT, Standing.INVALID, id="no-domain"),
        pytest.param(NULL_MX, DEFAULT, Standing.NEUTRAL, id="null-mx"),
        pytest.param(
            domain(route=Route(status=RouteStatus.NXDOMAIN)),
            DEFAULT,
            Standing.UNDECIDED,
            id="nxdomain",
        ),
        pytest.param(domain(confirmed(not_offered())), DEFAULT, Standing.FALLS_SHORT, id="clear"),
        pytest.param(domain(not_offered()), DEFAULT, Standing.UNDECIDED, id="unconfirmed"),
        pytest.param(domain(untested()), DEFAULT, Standing.UNDECIDED, id="not-tested"),
        pytest.param(
            domain(seen(), untested(mx_host=MX2)), DEFAULT, Standing.UNDECIDED, id="half-tested"
        ),
        pytest.param(domain(seen(cipher=None)), DEFAULT, Standing.UNDECIDED, id="suite-not-known"),
        # what is not known hides no proven fault, and a proven fault not what is not known
        pytest.param(
            domain(seen(cipher=None, tls_version="TLSv1")),
            DEFAULT,
            Standing.FALLS_SHORT,
            id="fault-and-unknown",
        ),
        pytest.param(
            domain(seen(cipher=None, chain=(RSA_2048.der,))),
            NCSC,
            Standing.UNDECIDED,
            id="just-enough-and-unknown",
        ),
        pytest.param(
            domain(seen(), seen(P256_2, mx_host=MX2, tls_version="TLSv1.1")),
            DEFAULT,
            Standing.FALLS_SHORT,
            id="one-of-two",
        ),
        pytest.param(
            domain(seen(key_exchange="DH", key_exchange_bits=1024)),
            DEFAULT,
            Standing.FALLS_SHORT,
            id="dh-1024",
        ),
        pytest.param(
            domain(seen(key_exchange="DH", key_exchange_bits=None)),
            DEFAULT,
            Standing.UNDECIDED,
            id="dh-size-not-known",
        ),
        pytest.param(domain(seen(key_exchange=None)), DEFAULT, Standing.MEETS, id="plain-rsa"),
        # a group decides only where the norm itself rates it insufficient
        pytest.param(
            domain(seen(key_exchange="x25519")), NIST, Standing.MEETS, id="a-group-not-approved"
        ),
        pytest.param(domain(seen()), BSI, Standing.MEETS, id="a-group-not-named"),
        pytest.param(
            domain(seen(key_exchange="sect283k1")), NIST, Standing.MEETS, id="a-group-phased-out"
        ),
        pytest.param(
            domain(seen(key_exchange="ffdhe2048", key_exchange_bits=2048)),
            NCSC,
            Standing.FALLS_SHORT,
            id="a-group-insufficient",
        ),
        # what the norm does not say of a key is neither a pass nor a fault
        pytest.param(domain(seen(ED)), BSI, Standing.UNDECIDED, id="a-key-not-named"),
        pytest.param(
            domain(seen(**OF_TLS12, extended_master_secret=False)),
            NIST,
            Standing.FALLS_SHORT,
            id="no-extended-master-secret",
        ),
        pytest.param(
            domain(seen(**OF_TLS12, extended_master_secret=False)),
            BSI,
            Standing.MEETS,
            id="extended-master-secret-recommended",
        ),
        pytest.param(
            domain(seen(**OF_TLS12, key_exchange_hash="sha1")),
            NCSC,
            Standing.FALLS_SHORT,
            id="key-exchange-signed-with-sha1",
        ),
        pytest.param(
            domain(
                seen(**(OF_TLS12 | {"cipher": "ECDHE-RSA-AES256-SHA384"}), encrypt_then_mac=False)
            ),
            BSI,
            Standing.FALLS_SHORT,
            id="cbc-without-encrypt-then-mac",
        ),
        pytest.param(domain(seen(**OF_TLS12)), NIST, Standing.MEETS, id="features-not-tested"),
        pytest.param(
            domain(seen(tls_version="TLSv1.1")), NIST, Standing.FALLS_SHORT, id="below-the-floor"
        ),
        pytest.param(
            domain(seen(verify_errors=(SELF_SIGNED,))),
            NIST,
            Standing.FALLS_SHORT,
            id="nist-asks-for-a-certificate",
        ),
        pytest.param(
            domain(seen(), run=run(NO_TRUST)), NIST, Standing.UNDECIDED, id="trust-not-tested"
        ),
        pytest.param(domain(seen(RSA_2048)), NCSC, Standing.MEETS, id="phase-out-meets-ncsc"),
        pytest.param(
            domain(seen(verify_errors=(SELF_SIGNED,))), HIPAA, Standing.MEETS, id="hipaa-does-not"
        ),
        pytest.param(
            domain(seen(), confirmed(untested(reason=Reason.REFUSED, mx_host=MX2))),
            DEFAULT,
            Standing.MEETS,
            id="nolisting",
        ),
        pytest.param(
            domain(seen(), seen(P256_2, mx_host=MX2)), NIST, Standing.MEETS, id="all-good"
        ),
    ],
)
def test_standing(facts: DomainFacts, profile: Profile, expected: Standing) -> None:
    assert judge_standing(judge_domain(facts), profile) is expected


def test_whether_hipaa_asks_for_a_certificate_is_the_users_choice() -> None:
    strict = replace(HIPAA, authenticated=True)
    report = judge_domain(domain(seen(verify_errors=(SELF_SIGNED,))))
    assert judge_standing(report, strict) is Standing.FALLS_SHORT
