"""What each norm makes of what was negotiated; the source of each value stands in profiles.py."""

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa

from prober.records import (
    DomainFacts,
    EndpointFacts,
    Reason,
    Route,
    RouteStatus,
    VerifyError,
)
from prober.rules.certificate_fields import CertificateReader
from prober.rules.profiles import PROFILES, Profile, ProfileName, Rating
from prober.rules.rating import Ratings, judge_profile, rate
from prober.rules.verdict import Standing, judge_domain, judge_endpoint
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
NOT_TESTED = Rating.NOT_TESTED

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
    endpoint = judged(seen(tls_version=version))
    ratings = [rate(endpoint, profile).protocol for profile in PROFILES.values()]
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
    endpoint = judged(seen(cipher=cipher))
    ratings = [rate(endpoint, profile).suite for profile in PROFILES.values()]
    assert ratings == [default, nist, ncsc, bsi, nist]


@pytest.mark.parametrize(
    ("group", "bits", "default", "nist", "ncsc", "bsi"),
    [
        # RFC 9325 §4.5; SP 800-131A r2 §5; NCSC-NL 2025 §3.3.3.1; TR-02102-2 on DHE
        ("DH", None, NOT_TESTED, NOT_TESTED, NOT_TESTED, NOT_TESTED),
        ("DH", 1024, INSUFFICIENT, INSUFFICIENT, INSUFFICIENT, INSUFFICIENT),
        ("DH", 1999, INSUFFICIENT, INSUFFICIENT, INSUFFICIENT, INSUFFICIENT),
        ("DH", 2047, INSUFFICIENT, INSUFFICIENT, INSUFFICIENT, PHASE_OUT),
        ("DH", 2048, SUFFICIENT, SUFFICIENT, INSUFFICIENT, PHASE_OUT),
        ("DH", 3072, GOOD, SUFFICIENT, INSUFFICIENT, PHASE_OUT),
        ("ffdhe2048", 2048, SUFFICIENT, SUFFICIENT, INSUFFICIENT, PHASE_OUT),
        ("ffdhe3072", 3072, GOOD, SUFFICIENT, PHASE_OUT, PHASE_OUT),
        ("ECDH", None, NOT_TESTED, NOT_TESTED, NOT_TESTED, NOT_TESTED),
        ("secp192r1", None, INSUFFICIENT, INSUFFICIENT, INSUFFICIENT, INSUFFICIENT),
        ("secp224r1", None, PHASE_OUT, PHASE_OUT, PHASE_OUT, INSUFFICIENT),
        ("secp256r1", None, GOOD, GOOD, GOOD, SUFFICIENT),
        ("brainpoolP256r1", None, GOOD, INSUFFICIENT, GOOD, SUFFICIENT),
        ("x25519", None, GOOD, SUFFICIENT, GOOD, SUFFICIENT),
        ("X25519MLKEM768", None, GOOD, SUFFICIENT, GOOD, GOOD),
        ("SecP256r1MLKEM768", None, GOOD, GOOD, GOOD, GOOD),
    ],
)
def test_key_exchanges(
    group: str, bits: int | None, default: Rating, nist: Rating, ncsc: Rating, bsi: Rating
) -> None:
    endpoint = judged(seen(key_exchange=group, key_exchange_bits=bits))
    ratings = [rate(endpoint, profile).key_exchange for profile in PROFILES.values()]
    assert ratings == [default, nist, ncsc, bsi, nist]


def test_plain_rsa_has_no_group_to_rate() -> None:
    endpoint = judged(seen(key_exchange=None, cipher="AES256-GCM-SHA384"))
    assert rate(endpoint, DEFAULT).key_exchange is None


def test_every_group_that_our_hello_offers_is_known_to_every_profile() -> None:
    offered = ("X25519MLKEM768", "x25519", "secp256r1", "x448", "secp384r1", "secp521r1")
    for profile in PROFILES.values():
        assert {name.lower() for name in offered} <= profile.groups.keys()


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
            PHASE_OUT,
            id="dsa",
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
            PHASE_OUT,
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
        pytest.param(forge(public_key=rsa_spki(3072)), GOOD, GOOD, GOOD, GOOD, id="rsa-3072"),
        pytest.param(
            issue(MX, key=ec.generate_private_key(ec.BrainpoolP256R1())),
            GOOD,
            INSUFFICIENT,
            GOOD,
            GOOD,
            id="brainpool",
        ),
        pytest.param(
            forge(public_key=spki(ed448.Ed448PrivateKey.generate())),
            GOOD,
            SUFFICIENT,
            GOOD,
            SUFFICIENT,
            id="ed448",
        ),
        pytest.param(P256, GOOD, GOOD, GOOD, GOOD, id="p-256"),
    ],
)
def test_keys(
    certificate: Issued | bytes, default: Rating, nist: Rating, ncsc: Rating, bsi: Rating
) -> None:
    endpoint = judged(seen(certificate))
    ratings = [rate(endpoint, profile).key for profile in PROFILES.values()]
    assert ratings == [default, nist, ncsc, bsi, nist]


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
            forge(algorithm=SHA224_RSA), PHASE_OUT, PHASE_OUT, PHASE_OUT, INSUFFICIENT, id="sha224"
        ),
        pytest.param(
            issue(MX, by=RSA_CA), SUFFICIENT, SUFFICIENT, SUFFICIENT, PHASE_OUT, id="pkcs1-sha256"
        ),
        pytest.param(
            forge(algorithm=ED25519), GOOD, SUFFICIENT, SUFFICIENT, SUFFICIENT, id="ed25519"
        ),
        pytest.param(forge(algorithm=ML_DSA), GOOD, SUFFICIENT, GOOD, GOOD, id="ml-dsa"),
        pytest.param(P256, GOOD, GOOD, SUFFICIENT, GOOD, id="ecdsa-sha256"),
    ],
)
def test_signatures(
    certificate: Issued | bytes, default: Rating, nist: Rating, ncsc: Rating, bsi: Rating
) -> None:
    endpoint = judged(seen(certificate))
    ratings = [rate(endpoint, profile).signature for profile in PROFILES.values()]
    assert ratings == [default, nist, ncsc, bsi, nist]


def test_the_worst_certificate_of_the_path_counts_and_none_beside_it() -> None:
    weak, stray = issue(MX, by=EC_CA, key=rsa_1024()).der, forge(algorithm=SHA1_RSA)
    facts = seen(chain=(P256.der, stray, weak), path=(0, 2))

    assert rate(judged(facts), DEFAULT) == Ratings(
        protocol=GOOD, suite=GOOD, key_exchange=GOOD, key=INSUFFICIENT, signature=GOOD
    )


def test_what_there_is_not_is_not_rated() -> None:
    """RFC 5280 §6.1: a certificate's signature on itself proves nothing."""
    self_signed = issue(MX, key=rsa_1024())
    assert rate(judged(not_offered()), DEFAULT) == Ratings()
    assert rate(judged(seen(None)), DEFAULT) == Ratings(
        protocol=GOOD, suite=GOOD, key_exchange=GOOD
    )
    assert rate(judged(seen(self_signed)), DEFAULT).signature is None


MX2 = "mx2.example.com"
P256_2 = issue(MX2, san=(MX2,), by=EC_CA)
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
    assert judge_profile(judge_domain(facts), profile) is expected


def test_whether_hipaa_asks_for_a_certificate_is_the_users_choice() -> None:
    strict = replace(HIPAA, authenticated=True)
    report = judge_domain(domain(seen(verify_errors=(SELF_SIGNED,))))
    assert judge_profile(report, strict) is Standing.FALLS_SHORT


def test_every_profile_says_what_is_ours() -> None:
    assert list(PROFILES) == list(ProfileName)
    for profile in PROFILES.values():
        assert profile.ours
        assert profile.norm
