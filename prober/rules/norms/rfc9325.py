"""The profile ``default``: RFC 9325 (BCP 195), with the key sizes of NIST SP 800-57 part 1 r5."""

from typing import Final

from prober.records import ProfileName, RatedFact
from prober.rules.norms import Profile, Value, suites, table
from prober.rules.norms.names import (
    BRAINPOOL,
    BRAINPOOL_GROUPS,
    CBC_SHA1,
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
    LATER,
    ML_DSA,
    MONTGOMERY,
    NIST_CURVES,
    NOT_NAMED,
    PHASE_OUT,
    RENEGOTIATION,
    SHA2,
    SUFFICIENT,
    TLS13,
    WORDS_OF_RFC,
    unwanted,
    wanted,
)

DEFAULT: Final = Profile(
    name=ProfileName.DEFAULT,
    norm="RFC 9325 (BCP 195), NIST SP 800-57 part 1 r5",
    protocols=table(
        (Value(GOOD, "RFC 9325 §3.1.1, SHOULD"), ["TLSv1.3"]),
        (Value(SUFFICIENT, "RFC 9325 §3.1.1, MUST support"), ["TLSv1.2"]),
        (
            Value(INSUFFICIENT, "RFC 9325 §3.1.1, MUST NOT negotiate"),
            ["TLSv1.1", "TLSv1", "SSLv3"],
        ),
    ),
    suites=table(
        (Value(GOOD, "RFC 8446 §9.1"), [*TLS13, CHACHA13]),
        (
            Value(GOOD, "RFC 9325 §4.2"),
            [*suites(ECDHE, [*GCM, CHACHA]), *suites(["ECDHE_ECDSA"], CCM)],
        ),
        (
            Value(SUFFICIENT, "RFC 9325 §4.1, §4.2", WORDS_OF_RFC),
            [
                *suites(ECDHE, [*CBC_SHA2, *CBC_SHA1]),
                *suites(["DHE_RSA"], [*GCM, *CCM, CHACHA]),
            ],
        ),
        (
            Value(PHASE_OUT, "RFC 9325 §4.1, §4.2", WORDS_OF_RFC),
            suites(["DHE_RSA"], [*CBC_SHA256, *CBC_SHA1]),
        ),
        (
            Value(PHASE_OUT, "RFC 9325 §4.1, SHOULD NOT negotiate static RSA"),
            suites(["RSA"], [*GCM, *CCM, *CBC_SHA256, *CBC_SHA1]),
        ),
    ),
    groups=table(
        (
            Value(GOOD, "RFC 9325 §4.5"),
            [*MONTGOMERY, *NIST_CURVES, *BRAINPOOL_GROUPS, *FFDHE_LARGE],
        ),
        (Value(GOOD, "FIPS 203", LATER), [*HYBRID_NIST, HYBRID_X25519]),
        (Value(SUFFICIENT, "RFC 9325 §4.5"), ["ffdhe2048"]),
        (Value(PHASE_OUT, "RFC 9325 §4.5", WORDS_OF_RFC), ["secp224r1"]),
        (Value(INSUFFICIENT, "RFC 9325 §4.5, MUST NOT use less than 224 bits"), ["secp192r1"]),
    ),
    dh_bits=(
        (3072, Value(GOOD, "RFC 9325 §4.5")),
        (2048, Value(SUFFICIENT, "RFC 9325 §4.5")),
        (0, Value(INSUFFICIENT, "RFC 9325 §4.5, 2048 bits are REQUIRED")),
    ),
    key_exchange_hashes=table(
        (Value(GOOD, "RFC 9325 §4.5"), SHA2),
        (Value(PHASE_OUT, "RFC 9325 §4.5", WORDS_OF_RFC), ["sha224"]),
        (Value(INSUFFICIENT, "RFC 9155 §2, §3"), ["sha1", "md5"]),
    ),
    keys=table(
        (Value(GOOD, "SP 800-57 part 1 r5 table 2"), [*NIST_CURVES, *BRAINPOOL, *EDWARDS]),
        (Value(GOOD, "FIPS 204", LATER), ML_DSA),
        (Value(PHASE_OUT, "SP 800-57 part 1 r5 table 2", WORDS_OF_RFC), ["secp224r1"]),
        (Value(INSUFFICIENT, "SP 800-57 part 1 r5 table 2"), ["secp192r1"]),
    ),
    key_bits={
        "RSA": (
            (3072, Value(GOOD, "RFC 9325 §4.5; SP 800-57 part 1 r5 table 2")),
            (2048, Value(SUFFICIENT, "RFC 9325 §4.5")),
            (0, Value(INSUFFICIENT, "RFC 9325 §4.5")),
        ),
    },
    signatures=table(
        (Value(GOOD, "RFC 9325 §4.5"), ["rsa-pss", "ecdsa", "ed25519", "ed448"]),
        (Value(GOOD, "FIPS 204", LATER), ["ml-dsa"]),
        (Value(SUFFICIENT, "RFC 9325 §4.5", WORDS_OF_RFC), ["rsa"]),
    ),
    digests=table(
        (Value(GOOD, "RFC 9325 §4.5"), SHA2),
        (Value(PHASE_OUT, "RFC 9325 §4.5", WORDS_OF_RFC), ["sha224"]),
    ),
    features={
        EMS: wanted("RFC 9325 §3.5, MUST support"),
        RENEGOTIATION: wanted("RFC 9325 §3.5, MUST support"),
        RatedFact.COMPRESSION: unwanted("RFC 9325 §3.3, SHOULD NOT", PHASE_OUT),
        RatedFact.EARLY_DATA: unwanted("RFC 9325 §3.10", PHASE_OUT, WORDS_OF_RFC),
    },
    longest_validity_days=None,
    others={
        RatedFact.PROTOCOL: Value(INSUFFICIENT, "RFC 9325 §3.1.1"),
        RatedFact.SUITE: Value(INSUFFICIENT, "RFC 9325 §4.1, §4.2"),
        RatedFact.KEY_EXCHANGE: Value(NOT_NAMED, "RFC 9325 §4.5"),
        RatedFact.KEY_EXCHANGE_HASH: Value(NOT_NAMED, "RFC 9325 §4.5"),
        RatedFact.KEY: Value(INSUFFICIENT, "RFC 9325 §4.5"),
        RatedFact.SIGNATURE: Value(INSUFFICIENT, "RFC 9325 §4.5"),
    },
    floor=PHASE_OUT,
    authenticated=False,
    ours=(
        "RFC 9325 knows MUST and SHOULD; the four words are ours.",
        "What may be phased out still meets the requirement, and no certificate is asked for: "
        "encrypted mail is better than clear text (RFC 7435).",
    ),
)
