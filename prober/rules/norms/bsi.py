"""BSI TR-02102-2. Tables and paragraphs as BSI's own TaSK has them: edition 2023-01."""

from typing import Final

from prober.records import ProfileName, RatedFact
from prober.rules.norms import Profile, Value, suites, table
from prober.rules.norms.names import (
    BRAINPOOL,
    BRAINPOOL_GROUPS,
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

_IN_NO_TABLE: Final = (
    "It stands in no table that was read (edition 2023-01); what the edition of 2026 says of it is "
    "not known."
)
_UNTIL_2031: Final = (
    "TLS 1.2 is recommended until the end of 2031, by a summary of edition 2026-01."
)
_UNTIL_2029: Final = "DHE and DSA are recommended until the end of 2029, by a summary of 2026-01."
_ENDED: Final = (
    "The recommendation has ended; public CAs go on to issue so, which the server cannot change "
    "in the certificates above its own."
)
_RECOMMENDED_ONLY: Final = "It is recommended and not required, so its absence does not decide."
BSI: Final = Profile(
    name=ProfileName.BSI,
    norm="BSI TR-02102-2, version 2026-01",
    protocols=table(
        (Value(GOOD, "§3.2"), ["TLSv1.3"]),
        (Value(SUFFICIENT, "§3.2", _UNTIL_2031), ["TLSv1.2"]),
        (Value(INSUFFICIENT, "§3.2, not recommended"), ["TLSv1.1", "TLSv1", "SSLv3"]),
    ),
    suites=table(
        (Value(GOOD, "§3.4.4, table 12"), TLS13),
        (
            Value(SUFFICIENT, "§3.3.1.1, table 1", _UNTIL_2031),
            [*suites(ECDHE, [*GCM, *CBC_SHA2]), *suites(["ECDHE_ECDSA"], CCM)],
        ),
        (
            Value(PHASE_OUT, "§3.3.1.1, table 1", _UNTIL_2029),
            [
                *suites(["DHE_RSA"], [*GCM, *CCM, *CBC_SHA256]),
                *suites(["DHE_DSS"], [*GCM, *CBC_SHA256]),
            ],
        ),
        (
            Value(PHASE_OUT, "§3.3.1.2, table 2, until the end of 2026"),
            [
                *suites(STATIC_ECDH, [*GCM, *CBC_SHA2]),
                *suites(STATIC_DH, [*GCM, *CBC_SHA256]),
            ],
        ),
    ),
    groups=table(
        (
            Value(SUFFICIENT, "§3.3.2, table 5; §3.4.2, table 9", _UNTIL_2031),
            [*NIST_CURVES, *BRAINPOOL_GROUPS],
        ),
        (
            Value(PHASE_OUT, "§3.3.2, table 5; §3.4.2, table 9", _UNTIL_2029),
            ["ffdhe3072", "ffdhe4096"],
        ),
        (Value(INSUFFICIENT, "§3.3.2, table 5, until the end of 2022"), ["ffdhe2048"]),
        (Value(INSUFFICIENT, "§3.6.1, table 13, 250 bits"), ["secp192r1", "secp224r1"]),
        (
            Value(NOT_NAMED, "§3.3.2, table 5; §3.4.2, table 9", _IN_NO_TABLE),
            [*MONTGOMERY, *HYBRID_NIST, HYBRID_X25519, "ffdhe6144", "ffdhe8192"],
        ),
    ),
    dh_bits=(
        (3000, Value(PHASE_OUT, "§3.6.1, table 13", _UNTIL_2029)),
        (0, Value(INSUFFICIENT, "§3.6.1, table 13, 3000 bits since 2023")),
    ),
    key_exchange_hashes=table((Value(GOOD, "§3.3.3, table 6"), SHA2)),
    keys=table(
        (Value(GOOD, "§3.6.2"), [*BRAINPOOL, *NIST_CURVES]),
        (Value(INSUFFICIENT, "§3.6.1, table 13, 250 bits"), ["secp192r1", "secp224r1"]),
        (Value(NOT_NAMED, "§3.3.3, §3.4.3", _IN_NO_TABLE), [*EDWARDS, *ML_DSA]),
    ),
    key_bits={
        "RSA": (
            (3000, Value(GOOD, "§3.6.1, table 13")),
            (2000, Value(PHASE_OUT, "§3.6.1, table 13, until the end of 2023", _ENDED)),
            (0, Value(INSUFFICIENT, "§3.6.1, table 13")),
        ),
        "DSA": (
            (3000, Value(PHASE_OUT, "§3.6.1, table 13", _UNTIL_2029)),
            (0, Value(INSUFFICIENT, "§3.6.1, table 13, 3000 bits since 2023")),
        ),
    },
    signatures=table(
        (Value(GOOD, "§3.3.3, table 6; §3.4.3, table 11"), ["ecdsa"]),
        (Value(GOOD, "§3.4.3, table 11"), ["rsa-pss"]),
        (
            Value(PHASE_OUT, "§3.3.3, table 6; §3.4.3, table 11, until the end of 2025", _ENDED),
            ["rsa"],  # PKCS #1 v1.5
        ),
        (Value(PHASE_OUT, "§3.3.3, table 6", _UNTIL_2029), ["dsa"]),
        (Value(NOT_NAMED, "§3.3.3, §3.4.3", _IN_NO_TABLE), ["ed25519", "ed448", "ml-dsa"]),
    ),
    digests=table((Value(GOOD, "§3.3.3, table 6; §3.4.3, table 11"), SHA2)),
    features={
        EMS: wanted("§3.3.4.7", PHASE_OUT, _RECOMMENDED_ONLY),
        RENEGOTIATION: wanted("§3.3.4.1", PHASE_OUT, _RECOMMENDED_ONLY),
        RatedFact.COMPRESSION: unwanted("§3.3.4.3"),
        RatedFact.EARLY_DATA: unwanted("§3.4, not recommended"),
    },
    longest_validity_days=None,
    others={
        RatedFact.PROTOCOL: Value(INSUFFICIENT, "§3.2"),
        RatedFact.SUITE: Value(INSUFFICIENT, "§3.3.1, §3.4.4"),
        RatedFact.KEY_EXCHANGE: Value(NOT_NAMED, "§3.3.2, table 5; §3.4.2, table 9", _IN_NO_TABLE),
        RatedFact.KEY_EXCHANGE_HASH: Value(INSUFFICIENT, "§3.3.3, table 6"),
        RatedFact.KEY: Value(NOT_NAMED, "§3.6", _IN_NO_TABLE),
        RatedFact.SIGNATURE: Value(INSUFFICIENT, "§3.3.3, table 6; §3.4.3, table 11"),
    },
    floor=PHASE_OUT,
    authenticated=False,
    ours=(
        "BSI recommends until a year; the four words are ours: good has no end, sufficient ends "
        "after 2030, phase-out ends sooner or has ended.",
        "RSA keys of 2000 to 2999 bits and signatures by PKCS #1 v1.5 still meet the requirement: "
        "nearly all public CAs have them in their own certificates.",
        "Tables and paragraphs are numbered as in edition 2023-01, which BSI's test tool TaSK "
        "follows; those of 2026-01 were not read, and its years come from summaries.",
        "No certificate is asked for: that is the matter of TR-03108.",
    ),
)
