"""What norms make of TLS versions, suites, groups, keys and signatures: data, sources beside it.

``[ours]`` marks what a norm leaves open and we chose; ``[our reading]`` what we took from a summary
or from memory of the norm, and would like corrected. docs/policy.md shows both to the user.
"""

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from types import MappingProxyType
from typing import Final


class Rating(enum.StrEnum):
    """NCSC-NL's four words, which other norms are put into; and that nothing could be said."""

    GOOD = "good"
    SUFFICIENT = "sufficient"
    PHASE_OUT = "phase-out"  # allowed for a while yet
    INSUFFICIENT = "insufficient"
    NOT_TESTED = "not-tested"


class ProfileName(enum.StrEnum):
    """What ``--profile`` takes."""

    DEFAULT = "default"
    NIST = "nist-800-52r2"
    NCSC_NL = "ncsc-nl-2025"
    BSI = "bsi-tr-02102-2"
    HIPAA = "hipaa"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What one norm says. What it does not name is insufficient: each is a list of what will do.

    ``floor`` and ``authenticated`` are what ``--require profile`` asks for: the least rating, and
    whether the certificate has to prove the MX host.
    """

    name: ProfileName
    norm: str
    protocols: Mapping[str, Rating]  # by OpenSSL's names
    suites: Mapping[str, Rating]  # by IANA's names
    rsa_bits: tuple[tuple[int, Rating], ...]  # at least so many bits, the most first
    curves: Mapping[str, Rating]  # of keys: EC by its curve, the others by their kind
    signatures: Mapping[str, Rating]  # by family, as rating.py tells them apart
    digests: Mapping[str, Rating]  # of signatures that have one
    groups: Mapping[str, Rating]  # of key exchanges, by IANA's names in lower case
    dh_bits: tuple[tuple[int, Rating], ...]  # of finite-field groups without a name
    floor: Rating
    authenticated: bool
    ours: tuple[str, ...]  # our choices and readings, in a sentence each


def _suites(exchanges: Iterable[str], ciphers: Iterable[str]) -> Iterator[str]:
    for exchange, cipher in product(exchanges, ciphers):
        yield f"TLS_{exchange}_WITH_{cipher}"


def _rated(*rated: tuple[Rating, Iterable[str]]) -> Mapping[str, Rating]:
    return MappingProxyType({name: rating for rating, names in rated for name in names})


_GOOD: Final = Rating.GOOD
_SUFFICIENT: Final = Rating.SUFFICIENT
_PHASE_OUT: Final = Rating.PHASE_OUT

_TLS13: Final = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_AES_128_CCM_SHA256")
_CHACHA13: Final = "TLS_CHACHA20_POLY1305_SHA256"
_ECDHE: Final = ("ECDHE_ECDSA", "ECDHE_RSA")
_GCM: Final = ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384")
_CCM: Final = ("AES_128_CCM", "AES_256_CCM")
_CCM_8: Final = ("AES_128_CCM_8", "AES_256_CCM_8")
_CHACHA: Final = "CHACHA20_POLY1305_SHA256"
_CBC_SHA2: Final = ("AES_128_CBC_SHA256", "AES_256_CBC_SHA384")
_CBC_SHA2_DHE: Final = ("AES_128_CBC_SHA256", "AES_256_CBC_SHA256")
_CBC_SHA1: Final = ("AES_128_CBC_SHA", "AES_256_CBC_SHA")

_NIST_CURVES: Final = ("secp256r1", "secp384r1", "secp521r1")
_BRAINPOOL: Final = ("brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1")
_EDWARDS: Final = ("Ed25519", "Ed448")
_SHA2: Final = ("sha256", "sha384", "sha512")

# https://www.iana.org/assignments/tls-parameters/, supported groups
_NIST_GROUPS: Final = ("secp256r1", "secp384r1", "secp521r1")
_BRAINPOOL_GROUPS: Final = ("brainpoolp256r1", "brainpoolp384r1", "brainpoolp512r1")
_MONTGOMERY: Final = ("x25519", "x448")
_HYBRID_NIST: Final = ("secp256r1mlkem768", "secp384r1mlkem1024")
_HYBRID: Final = (*_HYBRID_NIST, "x25519mlkem768")
_FFDHE_LARGE: Final = ("ffdhe3072", "ffdhe4096", "ffdhe6144", "ffdhe8192")

_DEFAULT: Final = Profile(
    name=ProfileName.DEFAULT,
    norm="RFC 9325 (BCP 195), NIST SP 800-57 part 1 r5",
    protocols=_rated(
        (_GOOD, ["TLSv1.3"]),  # RFC 9325 §3.1.1: SHOULD
        (_SUFFICIENT, ["TLSv1.2"]),  # §3.1.1: MUST support; 1.0 and 1.1: MUST NOT negotiate
    ),
    suites=_rated(
        # RFC 9325 §4.2, RFC 8446 §9.1
        (_GOOD, [*_TLS13, _CHACHA13, *_suites(_ECDHE, [*_GCM, *_CCM, _CHACHA])]),
        # §4.1: forward secrecy, but neither AEAD nor recommended
        (_SUFFICIENT, _suites(_ECDHE, [*_CBC_SHA2, *_CBC_SHA1])),
        (_SUFFICIENT, _suites(["DHE_RSA"], [*_GCM, *_CCM, _CHACHA])),  # RFC 9325 §4.1 [ours]
        (_PHASE_OUT, _suites(["DHE_RSA"], [*_CBC_SHA2_DHE, *_CBC_SHA1])),  # [ours]
        # §4.1: "SHOULD NOT negotiate … static RSA"
        (_PHASE_OUT, _suites(["RSA"], [*_GCM, *_CCM, *_CBC_SHA2_DHE, *_CBC_SHA1])),
    ),
    rsa_bits=((3072, _GOOD), (2048, _SUFFICIENT)),  # RFC 9325 §4.5; SP 800-57 table 2
    curves=_rated(
        (_GOOD, [*_NIST_CURVES, *_BRAINPOOL, *_EDWARDS]),
        (_PHASE_OUT, ["secp224r1"]),  # 112 bits, and no TLS library offers it [ours]
    ),
    signatures=_rated(
        (_GOOD, ["rsa-pss", "ecdsa", "ed25519", "ed448", "ml-dsa"]), (_SUFFICIENT, ["rsa"])
    ),
    digests=_rated((_GOOD, _SHA2), (_PHASE_OUT, ["sha224"])),  # RFC 9325 §4.5: SHA-256 at least
    groups=_rated(
        (_GOOD, [*_MONTGOMERY, *_NIST_GROUPS, *_BRAINPOOL_GROUPS, *_HYBRID, *_FFDHE_LARGE]),
        (_SUFFICIENT, ["ffdhe2048"]),
        (_PHASE_OUT, ["secp224r1"]),  # §4.5: fewer than 224 bits MUST NOT be used
    ),
    dh_bits=((3072, _GOOD), (2048, _SUFFICIENT)),  # §4.5: at least 2048 bits are REQUIRED
    floor=_PHASE_OUT,
    authenticated=False,
    ours=(
        "RFC 9325 knows MUST and SHOULD; the four words are ours.",
        "What may be phased out still meets the requirement, and no certificate is asked for: "
        "encrypted mail is better than clear text (RFC 7435).",
    ),
)

_X25519_AND_NIST: Final = (
    "X25519 and X448 are not on NIST's list for key agreement, and are rated sufficient: a server "
    "that negotiates one of them with a client that offers all may well have P-256 for others."
)

_NIST: Final = Profile(
    name=ProfileName.NIST,
    norm="NIST SP 800-52 Rev. 2 (August 2019)",
    protocols=_rated(
        (_GOOD, ["TLSv1.3"]),  # §3.1: shall be supported by 2024-01-01
        (_SUFFICIENT, ["TLSv1.2"]),  # §3.1: shall be supported
        (_PHASE_OUT, ["TLSv1.1", "TLSv1"]),  # §3.1: only where citizens or businesses need it
    ),
    suites=_rated(
        (_GOOD, [*_TLS13, *_suites(_ECDHE, _GCM)]),  # §3.3.1.2; §3.3.1.1
        (_GOOD, _suites(["ECDHE_ECDSA"], _CCM)),
        (_SUFFICIENT, ["TLS_AES_128_CCM_8_SHA256", *_suites(["ECDHE_ECDSA"], _CCM_8)]),
        (_SUFFICIENT, _suites(["DHE_RSA"], [*_GCM, *_CCM, *_CCM_8])),  # (EC)DHE is preferred
        (_SUFFICIENT, _suites(["DHE_DSS"], _GCM)),
        (_SUFFICIENT, _suites(_ECDHE, [*_CBC_SHA2, *_CBC_SHA1])),  # GCM and CCM are preferred
        (_SUFFICIENT, _suites(["DHE_RSA", "DHE_DSS"], [*_CBC_SHA2_DHE, *_CBC_SHA1])),
        # ChaCha20 is not approved; RSA key transport is disallowed: SP 800-131A r2 §6
    ),
    rsa_bits=((3072, _GOOD), (2048, _SUFFICIENT)),  # §3.2.1; SP 800-57 part 1 r5 table 2
    curves=_rated(
        (_GOOD, _NIST_CURVES),  # §3.2.1: P-256 or P-384; FIPS 186-5 has P-521 as well
        (_SUFFICIENT, _EDWARDS),  # FIPS 186-5 (2023), after the norm [our reading]
        (_PHASE_OUT, ["secp224r1"]),  # 112 bits [our reading]
    ),
    signatures=_rated(
        (_GOOD, ["rsa-pss", "ecdsa"]),  # §3.2.1
        (_SUFFICIENT, ["rsa", "ed25519", "ed448", "ml-dsa"]),  # FIPS 186-5, 204 [our reading]
    ),
    digests=_rated((_GOOD, _SHA2), (_PHASE_OUT, ["sha224"])),  # §3.2.1; SP 800-131A r2 §9
    groups=_rated(
        (
            _GOOD,
            [*_NIST_GROUPS, *_HYBRID_NIST],
        ),  # SP 800-56A r3 appendix D; SP 800-227 [our reading]
        (_SUFFICIENT, [*_FFDHE_LARGE, "ffdhe2048"]),  # SP 800-56A r3 appendix D; ECDHE is preferred
        (_SUFFICIENT, [*_MONTGOMERY, "x25519mlkem768"]),  # see ours
        (_PHASE_OUT, ["secp224r1"]),  # 112 bits [our reading]
    ),
    dh_bits=((2048, _SUFFICIENT),),  # SP 800-131A r2 §5: less is disallowed
    floor=_SUFFICIENT,
    authenticated=True,  # §4.5: clients shall validate the certificate and its name
    ours=(
        "NIST knows shall, should and approved; the four words are ours.",
        "The suites are listed from memory of §3.3.1 [our reading].",
        "The norm is about TLS at large; that §4.5 holds between mail servers, too, is ours.",
        _X25519_AND_NIST,
    ),
)

_NCSC: Final = Profile(
    name=ProfileName.NCSC_NL,
    norm="NCSC-NL, IT Security Guidelines for TLS (2025-05)",
    protocols=_rated((_GOOD, ["TLSv1.3"]), (_SUFFICIENT, ["TLSv1.2"])),  # §3.3.1
    suites=_rated(
        (_GOOD, ["TLS_AES_256_GCM_SHA384", _CHACHA13]),  # appendix B, of §3.3.3 and §3.3.4
        (_SUFFICIENT, ["TLS_AES_128_GCM_SHA256", "TLS_AES_128_CCM_SHA256"]),
        (_SUFFICIENT, _suites(_ECDHE, [*_GCM, *_CCM, _CHACHA])),
        (_PHASE_OUT, _suites(_ECDHE, _CBC_SHA2)),
        (_PHASE_OUT, _suites(["DHE_RSA"], [*_GCM, *_CCM, *_CBC_SHA2_DHE, _CHACHA])),
        (
            _PHASE_OUT,
            _suites(
                _ECDHE,
                [
                    "CAMELLIA_128_CBC_SHA256",
                    "CAMELLIA_256_CBC_SHA384",
                    "ARIA_128_GCM_SHA256",
                    "ARIA_256_GCM_SHA384",
                ],
            ),
        ),
        (
            _PHASE_OUT,
            _suites(
                ["DHE_RSA"],
                [
                    "CAMELLIA_128_CBC_SHA256",
                    "CAMELLIA_256_CBC_SHA256",
                    "ARIA_128_GCM_SHA256",
                    "ARIA_256_GCM_SHA384",
                ],
            ),
        ),
    ),
    rsa_bits=((3072, _GOOD), (2048, _PHASE_OUT)),  # §3.3.2.1
    curves=_rated(
        (_GOOD, [*_NIST_CURVES, *_BRAINPOOL, *_EDWARDS]),  # §3.3.2.1
        (_PHASE_OUT, ["secp224r1"]),
    ),
    signatures=_rated(
        (_SUFFICIENT, ["rsa", "rsa-pss", "ecdsa", "ed25519", "ed448"]),  # §3.3.2, §3.3.5
        (_GOOD, ["ml-dsa"]),  # [our reading]
    ),
    digests=_rated((_GOOD, _SHA2), (_PHASE_OUT, ["sha224"])),  # §3.3.5
    groups=_rated(
        (_GOOD, [*_NIST_GROUPS, *_BRAINPOOL_GROUPS, *_MONTGOMERY]),  # §3.3.2.1
        (_GOOD, _HYBRID),  # [our reading]
        (_PHASE_OUT, [*_FFDHE_LARGE, "secp224r1"]),  # §3.3.3.1, §3.3.2.1
    ),
    dh_bits=(),  # §3.3.3.1 names groups of RFC 7919 and no others
    floor=_PHASE_OUT,
    authenticated=False,
    ours=(
        "The lists are those that Internet.nl works by (checks/tasks/tls/tls_constants.py), not "
        "read in the norm itself [our reading].",
        "What is to be phased out still meets the requirement, as at Internet.nl; RSA keys of 2048 "
        "bits are among it.",
        "No certificate is asked for: without DANE or MTA-STS no sender checks it.",
    ),
)

_BSI: Final = Profile(
    name=ProfileName.BSI,
    norm="BSI TR-02102-2, version 2026-01",
    protocols=_rated(
        (_GOOD, ["TLSv1.3"]),  # §3.2
        (_SUFFICIENT, ["TLSv1.2"]),  # §3.2: until the end of 2031
    ),
    suites=_rated(
        (_GOOD, [*_TLS13]),  # table 13
        (_SUFFICIENT, _suites(_ECDHE, _GCM)),  # table 3; as long as TLS 1.2
        (_SUFFICIENT, _suites(["ECDHE_ECDSA"], _CCM)),
        (_SUFFICIENT, _suites(_ECDHE, _CBC_SHA2)),  # with encrypt-then-MAC [our reading]
        # DHE until the end of 2029
        (_PHASE_OUT, _suites(["DHE_RSA"], [*_GCM, *_CCM, *_CBC_SHA2_DHE])),
        (_PHASE_OUT, _suites(["DHE_DSS"], [*_GCM, *_CBC_SHA2_DHE])),
    ),
    # TR-02102-1: 3000 bits since 2024 [our reading]; CAs issue 2048 and 3072
    rsa_bits=((3000, _GOOD), (2048, _PHASE_OUT)),
    curves=_rated(
        (_GOOD, [*_BRAINPOOL, *_NIST_CURVES]),  # at least 250 bits
        (_SUFFICIENT, _EDWARDS),  # not in the tables of TLS 1.2 [our reading]
        (_PHASE_OUT, ["DSA"]),  # until the end of 2029; whatever its size [our reading]
    ),
    signatures=_rated(
        (_GOOD, ["ecdsa", "rsa-pss", "ml-dsa"]),
        (_SUFFICIENT, ["ed25519", "ed448"]),  # [our reading]
        (_PHASE_OUT, ["rsa", "dsa"]),  # PKCS #1 v1.5 is deprecated; DSA until the end of 2029
    ),
    digests=_rated((_GOOD, _SHA2)),
    groups=_rated(
        (_GOOD, _HYBRID),  # [our reading]
        # classical key exchange: until the end of 2031
        (_SUFFICIENT, [*_BRAINPOOL_GROUPS, *_NIST_GROUPS]),
        (_SUFFICIENT, _MONTGOMERY),  # not in the table [our reading]
        (_PHASE_OUT, [*_FFDHE_LARGE, "ffdhe2048"]),  # DHE until the end of 2029; 2048: see below
    ),
    # 3000 bits since 2023; 2000 bits were recommended until the end of 2022 [our reading]
    dh_bits=((2000, _PHASE_OUT),),
    floor=_PHASE_OUT,
    authenticated=False,
    ours=(
        "BSI recommends until a year; the four words are ours: good has no end, sufficient ends "
        "after 2030, phase-out ends sooner or has ended.",
        "What the recommendation has ended for, or ends for soon, still meets the requirement: "
        "nearly all public CAs sign with PKCS #1 v1.5.",
        "The tables are in part from the edition before and from summaries [our reading].",
        "No certificate is asked for: that is the matter of TR-03108.",
    ),
)

_HIPAA: Final = replace(
    _NIST,
    name=ProfileName.HIPAA,
    # HHS guidance, 74 FR 19006 (2009): in motion, encryption that complies with SP 800-52
    norm="45 CFR 164.312(e), 74 FR 19006, by way of NIST SP 800-52 Rev. 2",
    authenticated=False,
    ours=(
        "The rule names no version, suite or key: encryption is addressable (45 CFR "
        "164.312(e)(2)(ii), 164.306(d)(3)), and NIST's lists are what HHS points to.",
        "No text was found that asks for a certificate that matches; whether you ask for one is "
        "yours to decide and to document.",
        "The suites are listed from memory of SP 800-52 Rev. 2 §3.3.1 [our reading].",
        _X25519_AND_NIST,
    ),
)

PROFILES: Final[Mapping[ProfileName, Profile]] = MappingProxyType(
    {profile.name: profile for profile in (_DEFAULT, _NIST, _NCSC, _BSI, _HIPAA)}
)
