"""Chains against TLSA records, with what a DANE sender makes of each; negative cases first.

Pure rules are tested by them (test_dane.py), and so is their referee, OpenSSL (tests/dnssec).
"""

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID as Purpose

from prober.records import Dane, TlsaRecord
from tests.rules.certificates import HOST, Issued
from tests.rules.dane_builders import (
    CA,
    CA_OF_LEAVES,
    MAY_NOT_SIGN,
    MAY_SIGN,
    NO_CA,
    authority,
    certify,
    leaf,
    purposes,
    record,
    tlsa,
    version_1_root,
)

MATCH, MISMATCH, UNUSABLE = Dane.MATCH, Dane.MISMATCH, Dane.UNUSABLE


@dataclass(frozen=True)
class Case:
    """A chain as sent, what is published, and what comes of it."""

    id: str  # the section of the RFC first: 6698, 7671 or 7672, or 5280
    expected: Dane
    chain: tuple[Issued, ...]
    records: tuple[TlsaRecord, ...]
    base: str = HOST


def case(
    name: str,
    expected: Dane,
    chain: tuple[Issued, ...],
    *records: TlsaRecord,
    base: str = HOST,
) -> Case:
    return Case(name, expected, chain, records, base)


RSA_KEY = rsa.generate_private_key(65537, 2048)
ROOT = authority("Root")
OTHER_ROOT = authority("Other Root")
MIDDLE = authority("Middle", by=ROOT)
LEAF = leaf(MIDDLE)
CHAIN = (LEAF, MIDDLE, ROOT)
OTHER = leaf(OTHER_ROOT, key=RSA_KEY)
SELF_SIGNED = leaf()
SELF_SIGNED_CA = leaf(None, CA)
EXPIRED = leaf(MIDDLE, lives=(-60, -1))
EARLY = leaf(MIDDLE, lives=(1, 60))
EXPIRED_ROOT = authority("Expired Root", lives=(-60, -1))
EXPIRED_MIDDLE = authority("Expired Middle", by=ROOT, lives=(-60, -1))
RENEWED_ROOT = authority("Expired Root")  # the same name and key
TWICE_EXPIRED_ROOT = authority("Expired Root", lives=(-90, -60))
NOT_CA = certify("Not CA", by=ROOT)
NO_CA_ROOT = certify("No CA Root", NO_CA)
NO_SIGN = certify("No Sign", CA, MAY_NOT_SIGN, by=ROOT)
SHORT = certify("Short", CA_OF_LEAVES, MAY_SIGN, by=ROOT)
BELOW_SHORT = authority("Below Short", by=SHORT)
SHORT_KEY_ROLLED = certify("Short", CA, MAY_SIGN, by=SHORT, key=RSA_KEY)  # self-issued
CLIENTS = authority("Clients", purposes(Purpose.CLIENT_AUTH), by=ROOT)
IMPOSTOR = authority("Middle", by=OTHER_ROOT, key=RSA_KEY)  # the name of another's CA
CROSS = certify("Root", CA, MAY_SIGN, by=OTHER_ROOT)  # the same key and name, by another CA
VERSION_1_ROOT = version_1_root("Version 1 Root")
RSA_ROOT = authority("RSA Root", key=RSA_KEY)
ED25519_ROOT = authority("Ed25519 Root", key=ed25519.Ed25519PrivateKey.generate())
ED448_ROOT = authority("Ed448 Root", key=ed448.Ed448PrivateKey.generate())


def below(issuer: Issued) -> tuple[Issued, Issued]:
    """A leaf that *issuer* signed, and *issuer*."""
    return leaf(issuer), issuer


EE_CASES = (
    case("7672-3.1.1-another-key", MISMATCH, CHAIN, tlsa(3, 1, 1, OTHER)),
    case("7672-3.1.1-another-certificate", MISMATCH, CHAIN, tlsa(3, 0, 1, OTHER)),
    case("7672-3.1.1-not-of-the-issuer", MISMATCH, CHAIN, tlsa(3, 0, 1, MIDDLE)),
    case(
        "6698-2.1.1-key-of-an-older-certificate-by-certificate",
        MISMATCH,
        CHAIN,
        tlsa(3, 0, 1, leaf(MIDDLE)),
    ),
    case("6698-2.1.3-full-of-another", MISMATCH, CHAIN, tlsa(3, 0, 0, OTHER)),
    case(
        "7671-9-a-stronger-digest-beside-it-counts",
        MISMATCH,
        CHAIN,
        tlsa(3, 1, 1, LEAF),
        tlsa(3, 1, 2, OTHER),
    ),
    case("7672-3.1.1-3-0-0", MATCH, CHAIN, tlsa(3, 0, 0, LEAF)),
    case("7672-3.1.1-3-0-1", MATCH, CHAIN, tlsa(3, 0, 1, LEAF)),
    case("7672-3.1.1-3-0-2", MATCH, CHAIN, tlsa(3, 0, 2, LEAF)),
    case("7672-3.1.1-3-1-0", MATCH, CHAIN, tlsa(3, 1, 0, LEAF)),
    case("7672-3.1.1-3-1-1", MATCH, CHAIN, tlsa(3, 1, 1, LEAF)),
    case("7672-3.1.1-3-1-2", MATCH, CHAIN, tlsa(3, 1, 2, LEAF)),
    case("7671-5.1-key-kept-in-a-new-certificate", MATCH, CHAIN, tlsa(3, 1, 1, leaf(MIDDLE))),
    case("7672-3.1.1-any-name", MATCH, CHAIN, tlsa(3, 1, 1, LEAF), base="elsewhere.test"),
    case("7672-3.1.1-expired", MATCH, (EXPIRED, MIDDLE), tlsa(3, 1, 1, EXPIRED)),
    case("7672-3.1.1-not-yet-valid", MATCH, (EARLY, MIDDLE), tlsa(3, 0, 1, EARLY)),
    case("7672-3.1.1-self-signed", MATCH, (SELF_SIGNED,), tlsa(3, 1, 1, SELF_SIGNED)),
    case("7672-3.1.1-issuer-not-sent", MATCH, (LEAF,), tlsa(3, 1, 1, LEAF)),
    case("7671-8.1-stale-and-fresh", MATCH, CHAIN, tlsa(3, 1, 1, OTHER), tlsa(3, 1, 1, LEAF)),
    case(
        "7671-9-digests-of-another-selector-apart",
        MATCH,
        CHAIN,
        tlsa(3, 1, 1, LEAF),
        tlsa(3, 0, 2, OTHER),
    ),
    case(
        "7671-9-digests-of-another-usage-apart",
        MATCH,
        CHAIN,
        tlsa(3, 1, 1, LEAF),
        tlsa(2, 1, 2, OTHER),
    ),
    case("7671-9-full-always-counts", MATCH, CHAIN, tlsa(3, 1, 0, LEAF), tlsa(3, 1, 2, OTHER)),
)

TA_CASES = (
    case("7672-3.1.2-ta-not-sent", MISMATCH, (LEAF, MIDDLE), tlsa(2, 0, 1, ROOT)),
    case("7672-3.1.2-ta-key-not-sent", MISMATCH, (LEAF, MIDDLE), tlsa(2, 1, 1, ROOT)),
    case("7672-3.1.2-sent-but-issued-nothing", MISMATCH, (*CHAIN, OTHER), tlsa(2, 0, 1, OTHER)),
    case("7672-3.1.2-gap", MISMATCH, (LEAF, ROOT), tlsa(2, 0, 1, ROOT)),
    case("7671-5.2-leaf-is-no-anchor", MISMATCH, CHAIN, tlsa(2, 0, 1, LEAF)),
    case("7671-5.2-self-signed-leaf", MISMATCH, (SELF_SIGNED,), tlsa(2, 0, 1, SELF_SIGNED)),
    case("7671-5.2-self-signed-leaf-full", MISMATCH, (SELF_SIGNED,), tlsa(2, 0, 0, SELF_SIGNED)),
    case(
        "7671-5.2-self-signed-ca-sent-twice",
        MISMATCH,
        (SELF_SIGNED_CA, SELF_SIGNED_CA),
        tlsa(2, 0, 1, SELF_SIGNED_CA),
    ),
    case(
        "7672-3.2-neither-base-nor-next-hop",
        MISMATCH,
        (leaf(MIDDLE, names=("other.test",)), MIDDLE),
        tlsa(2, 0, 1, MIDDLE),
    ),
    case(
        "7672-3.2.3-common-name-beside-a-dns-id",
        MISMATCH,
        (certify(HOST, x509.SubjectAlternativeName([x509.DNSName("a.test")]), by=MIDDLE), MIDDLE),
        tlsa(2, 0, 1, MIDDLE),
    ),
    case("5280-6.1.3-expired-leaf", MISMATCH, (EXPIRED, MIDDLE), tlsa(2, 0, 1, MIDDLE)),
    case("5280-6.1.3-early-leaf", MISMATCH, (EARLY, MIDDLE), tlsa(2, 0, 1, MIDDLE)),
    case(
        "5280-6.1.3-expired-intermediate",
        MISMATCH,
        (*below(EXPIRED_MIDDLE), ROOT),
        tlsa(2, 0, 1, ROOT),
    ),
    case("openssl-expired-root", MISMATCH, below(EXPIRED_ROOT), tlsa(2, 0, 1, EXPIRED_ROOT)),
    case(
        "openssl-expired-root-published",
        MISMATCH,
        below(EXPIRED_ROOT)[:1],
        tlsa(2, 0, 0, EXPIRED_ROOT),
    ),
    case(
        "openssl-expired-root-and-older-one",
        MISMATCH,
        (*below(EXPIRED_ROOT), TWICE_EXPIRED_ROOT),
        tlsa(2, 1, 1, EXPIRED_ROOT),
    ),
    case("5280-6.1.4-k-no-ca", MISMATCH, (*below(NOT_CA), ROOT), tlsa(2, 0, 1, ROOT)),
    case("openssl-no-ca-as-ta", MISMATCH, below(NOT_CA), tlsa(2, 0, 1, NOT_CA)),
    case("openssl-ca-false-as-ta", MISMATCH, below(NO_CA_ROOT), tlsa(2, 0, 1, NO_CA_ROOT)),
    case("5280-6.1.4-n-key-usage", MISMATCH, (*below(NO_SIGN), ROOT), tlsa(2, 0, 1, ROOT)),
    case(
        "5280-6.1.4-m-path-length",
        MISMATCH,
        (*below(BELOW_SHORT), SHORT, ROOT),
        tlsa(2, 0, 1, ROOT),
    ),
    case(
        "5280-4.2.1.12-leaf-for-clients",
        MISMATCH,
        (leaf(MIDDLE, purposes(Purpose.CLIENT_AUTH)), MIDDLE),
        tlsa(2, 0, 1, MIDDLE),
    ),
    case(
        "openssl-leaf-for-any-purpose",
        MISMATCH,
        (leaf(MIDDLE, purposes(Purpose.ANY_EXTENDED_KEY_USAGE)), MIDDLE),
        tlsa(2, 0, 1, MIDDLE),
    ),
    case("openssl-ca-for-clients", MISMATCH, (*below(CLIENTS), ROOT), tlsa(2, 0, 1, ROOT)),
    case(
        "5280-6.1.3-a-1-signed-by-another-key", MISMATCH, (LEAF, IMPOSTOR), tlsa(2, 0, 1, IMPOSTOR)
    ),
    case("7671-5.2.2-bare-key-of-another", MISMATCH, CHAIN, tlsa(2, 1, 0, OTHER_ROOT)),
    case(
        "7671-9-stronger-digest-of-ta-counts",
        MISMATCH,
        CHAIN,
        tlsa(2, 0, 1, ROOT),
        tlsa(2, 0, 2, OTHER_ROOT),
    ),
    case("7672-3.1.2-root-sent-2-0-1", MATCH, CHAIN, tlsa(2, 0, 1, ROOT)),
    case("7672-3.1.2-root-sent-2-0-2", MATCH, CHAIN, tlsa(2, 0, 2, ROOT)),
    case("7672-3.1.2-root-sent-2-1-1", MATCH, CHAIN, tlsa(2, 1, 1, ROOT)),
    case("7672-3.1.2-intermediate-sent", MATCH, (LEAF, MIDDLE), tlsa(2, 1, 2, MIDDLE)),
    case("7672-3.1.2-misordered", MATCH, (LEAF, ROOT, MIDDLE), tlsa(2, 0, 1, ROOT)),
    case("7671-5.2.2-certificate-published", MATCH, (LEAF, MIDDLE), tlsa(2, 0, 0, ROOT)),
    case("7671-5.2.2-certificate-published-and-sent", MATCH, CHAIN, tlsa(2, 0, 0, ROOT)),
    case("7671-5.2.2-issuer-of-leaf-published", MATCH, (LEAF,), tlsa(2, 0, 0, MIDDLE)),
    case("7671-5.2.2-bare-key-published", MATCH, (LEAF, MIDDLE), tlsa(2, 1, 0, ROOT)),
    case("7671-5.2.2-bare-key-published-and-sent", MATCH, CHAIN, tlsa(2, 1, 0, ROOT)),
    case(
        "7671-5.2.2-bare-key-of-expired-root",
        MATCH,
        below(EXPIRED_ROOT)[:1],
        tlsa(2, 1, 0, EXPIRED_ROOT),
    ),
    case("7671-5.2.2-bare-key-of-itself", MATCH, (SELF_SIGNED,), tlsa(2, 1, 0, SELF_SIGNED)),
    case(
        "7672-3.2.3-wildcard",
        MATCH,
        (leaf(MIDDLE, names=("*.example.com",)), MIDDLE),
        tlsa(2, 0, 1, MIDDLE),
    ),
    case(
        "7672-3.2.3-common-name-alone",
        MATCH,
        (certify(HOST, by=MIDDLE), MIDDLE),
        tlsa(2, 0, 1, MIDDLE),
    ),
    case(
        "openssl-expired-intermediate-as-ta",
        MATCH,
        below(EXPIRED_MIDDLE),
        tlsa(2, 0, 1, EXPIRED_MIDDLE),
    ),
    case(
        "5280-6.1.4-l-self-issued-is-not-counted",
        MATCH,
        (leaf(SHORT_KEY_ROLLED), SHORT_KEY_ROLLED, SHORT),
        tlsa(2, 0, 1, SHORT),
    ),
    case(
        "5280-4.2.1.12-for-servers",
        MATCH,
        (leaf(MIDDLE, purposes(Purpose.SERVER_AUTH)), MIDDLE),
        tlsa(2, 0, 1, MIDDLE),
    ),
    case(
        "7671-5.2-cross-signed", MATCH, (LEAF, MIDDLE, CROSS, OTHER_ROOT), tlsa(2, 0, 1, OTHER_ROOT)
    ),
    case(
        "7671-5.2-expired-root-and-renewed-one",
        MATCH,
        (*below(EXPIRED_ROOT), RENEWED_ROOT),
        tlsa(2, 1, 1, RENEWED_ROOT),
    ),
    case("7671-5.2-namesake-first", MATCH, (LEAF, IMPOSTOR, MIDDLE), tlsa(2, 0, 1, MIDDLE)),
    case("7671-5.2-rsa", MATCH, below(RSA_ROOT), tlsa(2, 0, 1, RSA_ROOT)),
    case(
        "5280-6.1.4-k-root-of-version-1",
        MATCH,
        below(VERSION_1_ROOT),
        tlsa(2, 0, 1, VERSION_1_ROOT),
    ),
    case("7671-5.2-ed25519", MATCH, below(ED25519_ROOT), tlsa(2, 0, 1, ED25519_ROOT)),
    case("7671-5.2-ed448", MATCH, below(ED448_ROOT), tlsa(2, 0, 1, ED448_ROOT)),
    case(
        "7671-8.1-stale-and-fresh-ta", MATCH, CHAIN, tlsa(2, 0, 1, OTHER_ROOT), tlsa(2, 0, 1, ROOT)
    ),
    case(
        "7671-8.1-stale-ee-and-fresh-ta", MATCH, CHAIN, tlsa(3, 1, 1, OTHER), tlsa(2, 1, 1, MIDDLE)
    ),
)

UNKNOWN_FIELDS = (
    ("7672-3.1.3-pkix-ta", tlsa(0, 0, 1, ROOT)),
    ("7672-3.1.3-pkix-ee", tlsa(1, 1, 1, LEAF)),
    ("6698-2.1.1-usage-4", tlsa(4, 1, 1, LEAF)),
    ("6698-2.1.1-usage-255", tlsa(255, 1, 1, LEAF)),
    ("6698-2.1.2-selector-2", record(3, 2, 1, bytes(32))),
    ("6698-2.1.3-matching-type-3", tlsa(3, 1, 3, LEAF)),
    ("6698-2.1.3-sha256-short", record(3, 1, 1, bytes(31))),
    ("6698-2.1.3-sha256-long", record(3, 1, 1, bytes(64))),
    ("6698-2.1.3-sha512-short", record(2, 0, 2, bytes(32))),
    ("6698-2.1.3-no-data", record(3, 1, 1, b"")),
    ("6698-2.1.3-full-no-data", record(3, 1, 0, b"")),
    ("6698-2.1.3-full-no-key", record(3, 1, 0, b"\2\1\0")),
    ("6698-2.1.3-full-key-and-more", record(3, 1, 0, tlsa(3, 1, 0, LEAF).data + b"\0")),
    ("6698-2.1.3-full-no-certificate", record(2, 0, 0, tlsa(2, 1, 0, ROOT).data)),
    ("6698-2.1.3-full-certificate-and-more", record(2, 0, 0, ROOT.der + b"\0")),
)

UNUSABLE_CASES = tuple(case(name, UNUSABLE, CHAIN, unusable) for name, unusable in UNKNOWN_FIELDS)
MIXED_CASES = (
    *(
        case(f"{name}-beside-a-mismatch", MISMATCH, CHAIN, unusable, tlsa(3, 1, 1, OTHER))
        for name, unusable in UNKNOWN_FIELDS
    ),
    *(
        case(f"{name}-beside-a-match", MATCH, CHAIN, unusable, tlsa(3, 1, 1, LEAF))
        for name, unusable in UNKNOWN_FIELDS
    ),
    case(
        "7671-9-a-stronger-digest-that-is-malformed-does-not-count",
        MATCH,
        CHAIN,
        tlsa(3, 1, 1, LEAF),
        record(3, 1, 2, b"\0"),
    ),
)

CASES = (*EE_CASES, *TA_CASES, *UNUSABLE_CASES, *MIXED_CASES)
