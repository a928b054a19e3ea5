"""NIST SP 800-52 Rev. 2. Its lists were compared with the guideline file of TLS-Scanner."""

from typing import Final

from prober.records import ProfileName, RatedFact
from prober.rules.norms import NeededGroups, Profile, Value, suites, table
from prober.rules.norms.names import (
    BINARY_GROUPS,
    CBC_SHA1,
    CBC_SHA2,
    CBC_SHA256,
    CCM,
    CCM_8,
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

_NEED: Final = (
    "Nobody outside sees whether TLS 1.0 or 1.1 is needed: beside TLS 1.2 it leaves the profile "
    "undecided."
)
_NOT_OFFERED_BY_US: Final = (
    "The norm lists it; we leave it out: it has no forward secrecy, and TLS libraries of today "
    "have no static Diffie-Hellman any more."
)
_RSA_TRANSPORT: Final = (
    "Appendix D lists it; we leave it out: RSA key transport is disallowed since 2024 "
    "(SP 800-131A r2 §6)."
)
_NOT_APPROVED: Final = (
    "It is not an approved algorithm. It does not decide the profile: the norm asks that P-256 or "
    "P-384 are supported, and one session does not show whether the server has them for others."
)
_STRENGTH: Final = (
    "The norm asks for 112 bits of security and no more; good and sufficient are ours."
)
_EDDSA: Final = "The norm names RSA and ECDSA; FIPS 186-5 and 204, which are later, approve it too."
_DSA_WITHDRAWN: Final = "The norm lists DSA; FIPS 186-5 (2023) withdrew it for new signatures."
NIST: Final = Profile(
    name=ProfileName.NIST,
    norm="NIST SP 800-52 Rev. 2 (August 2019)",
    protocols=table(
        (Value(GOOD, "§3.1, shall be supported by 2024-01-01"), ["TLSv1.3"]),
        (Value(SUFFICIENT, "§3.1, shall be supported"), ["TLSv1.2"]),
        (
            Value(PHASE_OUT, "§3.1, only where citizens or businesses need it", _NEED),
            ["TLSv1.1", "TLSv1"],
        ),
        (Value(INSUFFICIENT, "§3.1, shall not"), ["SSLv3"]),
    ),
    suites=table(
        (Value(GOOD, "§3.3.1.2"), TLS13),
        (
            Value(GOOD, "§3.3.1.1"),
            [*suites(ECDHE, GCM), *suites(["ECDHE_ECDSA"], CCM)],
        ),
        (Value(SUFFICIENT, "§3.3.1.2; §3.3.1, CCM before CCM_8"), ["TLS_AES_128_CCM_8_SHA256"]),
        (Value(SUFFICIENT, "§3.3.1.1; §3.3.1, CCM before CCM_8"), suites(["ECDHE_ECDSA"], CCM_8)),
        (
            Value(SUFFICIENT, "§3.3.1.1", "ECDHE before DHE is our order."),
            [
                *suites(["DHE_RSA"], [*GCM, *CCM, *CCM_8]),
                *suites(["DHE_DSS"], GCM),
            ],
        ),
        (
            Value(SUFFICIENT, "§3.3.1.1; §3.3.1, GCM and CCM before CBC"),
            [
                *suites(ECDHE, [*CBC_SHA2, *CBC_SHA1]),
                *suites(["DHE_RSA", "DHE_DSS"], [*CBC_SHA256, *CBC_SHA1]),
            ],
        ),
        (
            Value(INSUFFICIENT, "§3.3.1.1", _NOT_OFFERED_BY_US),
            [
                *suites(STATIC_DH, [*GCM, *CBC_SHA256, *CBC_SHA1]),
                *suites(STATIC_ECDH, [*GCM, *CBC_SHA2, *CBC_SHA1]),
            ],
        ),
        (
            Value(INSUFFICIENT, "appendix D; SP 800-131A r2 §6", _RSA_TRANSPORT),
            suites(["RSA"], [*GCM, *CCM, *CCM_8, *CBC_SHA256, *CBC_SHA1]),
        ),
    ),
    groups=table(
        (Value(GOOD, "§3.4.2, one of them shall be supported"), ["secp256r1", "secp384r1"]),
        (Value(GOOD, "§3.4.2; SP 800-56A r3 appendix D"), ["secp521r1"]),
        (Value(SUFFICIENT, "§3.4.2; SP 800-56A r3 appendix D", _STRENGTH), ["secp224r1"]),
        (
            Value(SUFFICIENT, "§3.4.2; SP 800-56A r3 appendix D", "ECDHE before DHE is our order."),
            ["ffdhe2048", *FFDHE_LARGE],
        ),
        (
            Value(PHASE_OUT, "SP 800-56A r3 appendix D; SP 800-186 §3.3, deprecated"),
            BINARY_GROUPS,
        ),
        (Value(GOOD, "FIPS 203; SP 800-56A r3; SP 800-56C r2 §2", LATER), HYBRID_NIST),
        (
            Value(
                SUFFICIENT,
                "FIPS 203; SP 800-56C r2 §2",
                "Allowed because ML-KEM, the approved part, comes first.",
            ),
            [HYBRID_X25519],
        ),
        (Value(NOT_NAMED, "§3.4.2; SP 800-56A r3 appendix D", _NOT_APPROVED), MONTGOMERY),
        (Value(INSUFFICIENT, "SP 800-131A r2 §5, less than 112 bits"), ["secp192r1"]),
    ),
    dh_bits=(
        (2048, Value(SUFFICIENT, "SP 800-131A r2 §5")),
        (0, Value(INSUFFICIENT, "SP 800-131A r2 §5, less is disallowed")),
    ),
    key_exchange_hashes=table(
        (Value(GOOD, "§3.2.1"), SHA2),
        (Value(SUFFICIENT, "§3.2.1, SHA-224 or stronger", _STRENGTH), ["sha224"]),
        (Value(INSUFFICIENT, "SP 800-131A r2 §9"), ["sha1", "md5"]),
    ),
    keys=table(
        (Value(GOOD, "§3.2.1, should be P-256 or P-384"), ["secp256r1", "secp384r1"]),
        (Value(GOOD, "§3.2.1; FIPS 186-5 §6"), ["secp521r1"]),
        (Value(SUFFICIENT, "§3.2.1, 112 bits of security", _STRENGTH), ["secp224r1"]),
        (Value(SUFFICIENT, "FIPS 186-5 §7", _EDDSA), EDWARDS),
        (Value(SUFFICIENT, "FIPS 204", _EDDSA), ML_DSA),
        (Value(INSUFFICIENT, "§3.2.1, 112 bits of security"), ["secp192r1"]),
        (Value(INSUFFICIENT, "§3.2.1; FIPS 186-5 §4", _DSA_WITHDRAWN), ["DSA"]),
    ),
    key_bits={
        "RSA": (
            (3072, Value(GOOD, "§3.2.1; SP 800-57 part 1 r5 table 2", _STRENGTH)),
            (2048, Value(SUFFICIENT, "§3.2.1, 112 bits of security", _STRENGTH)),
            (0, Value(INSUFFICIENT, "§3.2.1, 112 bits of security")),
        ),
    },
    signatures=table(
        (Value(GOOD, "§3.2.1"), ["rsa", "rsa-pss", "ecdsa"]),
        (Value(SUFFICIENT, "FIPS 186-5 §7", _EDDSA), ["ed25519", "ed448"]),
        (Value(SUFFICIENT, "FIPS 204", _EDDSA), ["ml-dsa"]),
        (Value(INSUFFICIENT, "§3.2.1; FIPS 186-5 §4", _DSA_WITHDRAWN), ["dsa"]),
    ),
    digests=table(
        (Value(GOOD, "§3.2.1"), SHA2),
        (Value(SUFFICIENT, "§3.2.1, SHA-224 or stronger", _STRENGTH), ["sha224"]),
    ),
    features={
        RatedFact.ENCRYPT_THEN_MAC: wanted("§3.4.2, shall with CBC suites"),
        EMS: wanted("§3.4.1, shall"),
        RENEGOTIATION: wanted("§3.4.1, shall"),
        RatedFact.SERVER_NAME_INDICATION: wanted("§3.4.1, shall"),
        RatedFact.COMPRESSION: unwanted("§3.7, shall not"),
        RatedFact.RAW_PUBLIC_KEY: unwanted("§3.4.3, shall not"),
        RatedFact.EARLY_DATA: unwanted("§3.4.3, §3.6, should not", SUFFICIENT),
        RatedFact.VALIDITY: wanted("§3.2.1, should be 3 years or less", SUFFICIENT),
    },
    longest_validity_days=3 * 365 + 1,
    others={
        RatedFact.PROTOCOL: Value(INSUFFICIENT, "§3.1"),
        RatedFact.SUITE: Value(INSUFFICIENT, "§3.3.1, shall only use those that are listed"),
        RatedFact.KEY_EXCHANGE: Value(NOT_NAMED, "§3.4.2; SP 800-56A r3 appendix D"),
        RatedFact.KEY_EXCHANGE_HASH: Value(NOT_NAMED, "§3.2.1"),
        RatedFact.KEY: Value(NOT_NAMED, "§3.2.1"),
        RatedFact.SIGNATURE: Value(INSUFFICIENT, "§3.2.1, SHA-224 or stronger"),
    },
    floor=SUFFICIENT,
    authenticated=True,  # §4.5: clients shall validate the certificate and its name
    ours=(
        "NIST knows shall, should and approved; the four words are ours.",
        "The norm is about TLS at large; that §4.5 holds between mail servers, too, is ours.",
        "24 suites with static DH or ECDH and 10 with RSA key transport, which the norm lists, are "
        "rated insufficient.",
        "X25519 and X448 are not approved, and do not decide: the norm asks that P-256 or P-384 "
        "are supported, and only `--deep` tests whether they are.",
    ),
    needed_groups=NeededGroups(
        names=("secp256r1", "secp384r1"),
        absent=Value(INSUFFICIENT, "§3.4.2, one of them shall be supported"),
    ),
)
