"""BSI TR-02102-2, version 2026-01. Compared with edition 2023-01 as BSI's test tool TaSK has it."""

from typing import Final

from prober.records import ProfileName, RatedFact, Rating
from prober.rules.norms import NeededGroups, Profile, Value, suites, table
from prober.rules.norms.names import (
    BRAINPOOL,
    BRAINPOOL_GROUPS,
    BRAINPOOL_TLS13,
    CBC_SHA2,
    CBC_SHA256,
    CCM,
    ECDHE,
    EDWARDS,
    EMS,
    GCM,
    GOOD,
    HYBRID_NIST,
    HYBRID_X25519,
    INSUFFICIENT,
    ML_DSA,
    MONTGOMERY,
    NIST_CURVES,
    NOT_NAMED,
    PHASE_OUT,
    RENEGOTIATION,
    SHA2,
    STATIC_DH,
    STATIC_ECDH,
    SUFFICIENT,
    TLS13,
    unwanted,
    wanted,
)

_UNLISTED: Final = (
    "What is not listed is not necessarily insecure (§1), and not recommended either."
)
_PLANNED: Final = "BSI intends to recommend it once its RFC is out; version 2026-01 does not yet."
_RECOMMENDED_ONLY: Final = "It is recommended and not required, so its absence does not decide."
_ENDED: Final = (
    "The recommendation has ended; public CAs go on to issue so, which the server cannot change "
    "in the certificates above its own."
)
_NO_LISTED_GROUP: Final = (
    "What is not listed is not necessarily insecure (§1); that a server has to have one of the "
    "recommended groups is our choice."
)
_GROUPS: Final = "§3.3.2, table 6; §3.4.2, table 10"
_SIGNATURES: Final = "§3.3.3, table 7; §3.4.3, table 12"
BSI: Final = Profile(
    name=ProfileName.BSI,
    norm="BSI TR-02102-2, version 2026-01",
    protocols=table(
        (Value(GOOD, "§3.2, table 2"), ["TLSv1.3"]),
        (Value(SUFFICIENT, "§3.2, table 2, until the end of 2031"), ["TLSv1.2"]),
        (Value(INSUFFICIENT, "§3.2, not recommended"), ["TLSv1.1", "TLSv1", "SSLv3"]),
    ),
    suites=table(
        (Value(GOOD, "§3.4.4, table 13"), TLS13),
        (
            Value(SUFFICIENT, "§3.3.1.1, table 3, until the end of 2031"),
            [*suites(ECDHE, [*GCM, *CBC_SHA2]), *suites(["ECDHE_ECDSA"], CCM)],
        ),
        (
            Value(PHASE_OUT, "§3.3.1.1, table 3, until the end of 2029"),
            [
                *suites(["DHE_RSA"], [*GCM, *CCM, *CBC_SHA256]),
                *suites(["DHE_DSS"], [*GCM, *CBC_SHA256]),
            ],
        ),
        (
            Value(PHASE_OUT, "§3.3.1.2, table 4, until the end of 2026"),
            [
                *suites(STATIC_ECDH, [*GCM, *CBC_SHA2]),
                *suites(STATIC_DH, [*GCM, *CBC_SHA256]),
            ],
        ),
    ),
    groups=table(
        (
            Value(SUFFICIENT, f"{_GROUPS}, until the end of 2031"),
            [*NIST_CURVES, *BRAINPOOL_GROUPS],
        ),
        (
            Value(
                PHASE_OUT,
                f"{_GROUPS}, until the end of 2029",
                "In TLS 1.3 until the end of 2031; the earlier year counts.",
            ),
            ["ffdhe3072", "ffdhe4096"],
        ),
        (Value(INSUFFICIENT, "§3.6.1, table 14, DH 3000 bits since 2023"), ["ffdhe2048"]),
        (Value(INSUFFICIENT, "§3.6.1, table 14, ECDH 250 bits"), ["secp192r1", "secp224r1"]),
        (Value(NOT_NAMED, "§3.4.2", _PLANNED), HYBRID_NIST),
        (
            Value(NOT_NAMED, _GROUPS, _UNLISTED),
            [*MONTGOMERY, HYBRID_X25519, "ffdhe6144", "ffdhe8192"],
        ),
    ),
    dh_bits=(
        (
            3000,
            Value(
                PHASE_OUT,
                "§3.6.1, table 14; §3.3.1.1, table 3, until the end of 2029",
                "Groups without a name stand in no table; their size is what the norm asks for.",
            ),
        ),
        (0, Value(INSUFFICIENT, "§3.6.1, table 14, DH 3000 bits since 2023")),
    ),
    key_exchange_hashes=table((Value(GOOD, "§3.3.3, table 8"), SHA2)),
    keys=table(
        (Value(GOOD, "§3.6.2"), [*BRAINPOOL, *NIST_CURVES]),
        (Value(INSUFFICIENT, "§3.6.1, table 14, ECDSA 250 bits"), ["secp192r1", "secp224r1"]),
        (Value(NOT_NAMED, _SIGNATURES, _UNLISTED), [*EDWARDS, *ML_DSA]),
    ),
    key_bits={
        "RSA": (
            (3000, Value(GOOD, "§3.6.1, table 14")),
            (2000, Value(PHASE_OUT, "§3.6.1, table 14, 3000 bits since 2023", _ENDED)),
            (0, Value(INSUFFICIENT, "§3.6.1, table 14, 3000 bits since 2023")),
        ),
        "DSA": (
            (3000, Value(PHASE_OUT, "§3.6.1, table 14, until the end of 2029")),
            (0, Value(INSUFFICIENT, "§3.6.1, table 14, 3000 bits since 2023")),
        ),
    },
    signatures=table(
        (Value(GOOD, _SIGNATURES), ["ecdsa"]),
        (Value(GOOD, "§3.4.3, table 12"), ["rsa-pss"]),
        # PKCS #1 v1.5
        (Value(PHASE_OUT, f"{_SIGNATURES}, until the end of 2025", _ENDED), ["rsa"]),
        (Value(PHASE_OUT, "§3.3.3, table 7, until the end of 2029"), ["dsa"]),
        (Value(NOT_NAMED, _SIGNATURES, _UNLISTED), ["ed25519", "ed448", "ml-dsa"]),
    ),
    digests=table((Value(GOOD, "§3.3.3, table 8; §3.4.3, table 12"), SHA2)),
    features={
        # CBC is recommended only together with it
        RatedFact.ENCRYPT_THEN_MAC: wanted("§3.3.1.1, §3.3.4.5"),
        EMS: wanted("§3.3.4.7", PHASE_OUT, _RECOMMENDED_ONLY),
        RENEGOTIATION: wanted("§3.3.4.1", PHASE_OUT, _RECOMMENDED_ONLY),
        RatedFact.COMPRESSION: unwanted("§3.3.4.3"),
        RatedFact.EARLY_DATA: unwanted("§3.4.1, not recommended"),
    },
    longest_validity_days=None,
    others={
        RatedFact.PROTOCOL: Value(INSUFFICIENT, "§3.2, table 2"),
        RatedFact.SUITE: Value(
            INSUFFICIENT,
            "§3.3.1, §3.4.4",
            "What is not listed is not necessarily insecure (§1); that a suite which is not "
            "recommended does not meet the profile is our choice.",
        ),
        RatedFact.KEY_EXCHANGE: Value(NOT_NAMED, _GROUPS, _UNLISTED),
        RatedFact.KEY_EXCHANGE_HASH: Value(INSUFFICIENT, "§3.3.3, table 8"),
        RatedFact.KEY: Value(NOT_NAMED, "§3.6", _UNLISTED),
        RatedFact.SIGNATURE: Value(INSUFFICIENT, "§3.3.3, table 8; §3.4.3, table 12"),
    },
    floor=Rating.PHASE_OUT,
    authenticated=False,
    ours=(
        "BSI recommends until a year; the four words are ours: good has no end, sufficient ends "
        "after 2030, phase-out ends sooner or has ended.",
        "RSA keys of 2000 to 2999 bits and signatures by PKCS #1 v1.5 still meet the requirement: "
        "nearly all public CAs have them in their own certificates.",
        "X25519, X448 and the hybrid groups are not named, and a group that is not named does not "
        "decide.",
        "No certificate is asked for: that is the matter of TR-03108.",
    ),
    needed_groups=NeededGroups(
        names=(*NIST_CURVES, *BRAINPOOL_TLS13, "ffdhe3072", "ffdhe4096"),
        absent=Value(INSUFFICIENT, "§3.4.2, table 10", _NO_LISTED_GROUP),
    ),
)
