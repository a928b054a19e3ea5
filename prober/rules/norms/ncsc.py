"""NCSC-NL 2025-05, as Internet.nl works by it: checks/tasks/tls/tls_constants.py."""

from typing import Final

from prober.records import ProfileName, RatedFact
from prober.rules.norms import Profile, Value, suites, table
from prober.rules.norms.names import (
    BRAINPOOL,
    BRAINPOOL_GROUPS,
    CAMELLIA_ARIA,
    CBC_SHA2,
    CBC_SHA256,
    CCM,
    CHACHA,
    CHACHA13,
    ECDHE,
    EDWARDS,
    EMS,
    FFDHE_LARGE,
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
    SUFFICIENT,
    unwanted,
    wanted,
)

_INTERNET_NL: Final = "Internet.nl takes it so; the norm itself was not read."
NCSC: Final = Profile(
    name=ProfileName.NCSC_NL,
    norm="NCSC-NL, IT Security Guidelines for TLS (2025-05)",
    protocols=table(
        (Value(GOOD, "§3.3.1"), ["TLSv1.3"]),
        (Value(SUFFICIENT, "§3.3.1"), ["TLSv1.2"]),
        (Value(INSUFFICIENT, "§3.3.1"), ["TLSv1.1", "TLSv1", "SSLv3"]),
    ),
    suites=table(
        (Value(GOOD, "appendix B; §3.3.3, §3.3.4"), ["TLS_AES_256_GCM_SHA384", CHACHA13]),
        (
            Value(SUFFICIENT, "appendix B; §3.3.3, §3.3.4"),
            [
                *("TLS_AES_128_GCM_SHA256", "TLS_AES_128_CCM_SHA256"),
                *suites(ECDHE, [*GCM, CHACHA]),
                *suites(["ECDHE_ECDSA"], CCM),
            ],
        ),
        (
            Value(PHASE_OUT, "appendix B; §3.3.3, §3.3.4"),
            [
                *suites(ECDHE, [*CBC_SHA2, *CAMELLIA_ARIA, "CAMELLIA_256_CBC_SHA384"]),
                *suites(["DHE_RSA"], [*GCM, *CCM, *CBC_SHA256, CHACHA]),
                *suites(["DHE_RSA"], [*CAMELLIA_ARIA, "CAMELLIA_256_CBC_SHA256"]),
            ],
        ),
    ),
    groups=table(
        (Value(GOOD, "§3.3.3"), [*HYBRID_NIST, HYBRID_X25519]),
        (Value(SUFFICIENT, "§3.3.3"), [*NIST_CURVES, *MONTGOMERY, *BRAINPOOL_GROUPS]),
        (Value(PHASE_OUT, "§3.3.3"), ["secp224r1", *FFDHE_LARGE]),
        (Value(INSUFFICIENT, "§3.3.3"), ["ffdhe2048"]),
    ),
    dh_bits=((0, Value(INSUFFICIENT, "§3.3.3, groups of RFC 7919 only")),),
    key_exchange_hashes=table(
        (Value(GOOD, "§3.3.5"), SHA2),
        (Value(PHASE_OUT, "§3.3.5"), ["sha224"]),
        (Value(INSUFFICIENT, "§3.3.5"), ["sha1", "md5"]),
    ),
    keys=table(
        (Value(SUFFICIENT, "§3.3.2"), [*NIST_CURVES, *BRAINPOOL, *EDWARDS]),
        (Value(PHASE_OUT, "§3.3.2"), ["secp224r1"]),
        (Value(NOT_NAMED, "§3.3.2"), ML_DSA),
    ),
    key_bits={
        "RSA": (
            (3072, Value(SUFFICIENT, "§3.3.2")),
            (2048, Value(PHASE_OUT, "§3.3.2")),
            (0, Value(INSUFFICIENT, "§3.3.2")),
        ),
    },
    signatures=table(
        (Value(SUFFICIENT, "§3.3.2, §3.3.5"), ["rsa", "ecdsa", "ed25519", "ed448"]),
        (
            Value(
                SUFFICIENT,
                "§3.3.2",
                "Internet.nl's list of certificate signatures has no RSASSA-PSS; it is RSA, which "
                "the norm takes, with the newer padding.",
            ),
            ["rsa-pss"],
        ),
        (Value(NOT_NAMED, "§3.3.2"), ["ml-dsa"]),
    ),
    digests=table(
        (Value(GOOD, "§3.3.5"), SHA2),
        (
            Value(
                PHASE_OUT,
                "§3.3.5",
                "The paragraph rates SHA-224 so for key exchange; that it holds for certificates, "
                "too, is our reading.",
            ),
            ["sha224"],
        ),
    ),
    features={
        EMS: wanted("§4.1", ours=_INTERNET_NL),
        RENEGOTIATION: wanted("§3.4.2", ours=_INTERNET_NL),
        RatedFact.COMPRESSION: unwanted("§3.4.1", ours=_INTERNET_NL),
        RatedFact.EARLY_DATA: unwanted("§3.4.4", ours=_INTERNET_NL),
    },
    longest_validity_days=None,
    others={
        RatedFact.PROTOCOL: Value(INSUFFICIENT, "§3.3.1"),
        RatedFact.SUITE: Value(INSUFFICIENT, "appendix B; §3.3.3, §3.3.4"),
        RatedFact.KEY_EXCHANGE: Value(INSUFFICIENT, "§3.3.3, other curves"),
        RatedFact.KEY_EXCHANGE_HASH: Value(INSUFFICIENT, "§3.3.5"),
        RatedFact.KEY: Value(INSUFFICIENT, "§3.3.2"),
        RatedFact.SIGNATURE: Value(INSUFFICIENT, "§3.3.2, §3.3.5"),
    },
    floor=PHASE_OUT,
    authenticated=False,
    ours=(
        "The lists are those that Internet.nl works by (checks/tasks/tls/tls_constants.py); the "
        "norm itself was not read.",
        "What is to be phased out still meets the requirement, as at Internet.nl; RSA keys of 2048 "
        "bits are among it.",
        "No certificate is asked for: without DANE or MTA-STS no sender checks it.",
    ),
)
