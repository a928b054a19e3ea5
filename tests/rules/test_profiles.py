"""Each value of each norm, with its source: written out here, so that no short form hides one.

Compared value by value with Internet.nl's checks/tasks/tls/tls_constants.py (NCSC-NL 2025-05), the
guideline files of TLS-Scanner (NIST SP 800-52r2) and TR-02102-2, version 2026-01, itself.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping

import pytest

from prober.records import ProfileName, RatedFact, Rating
from prober.rules.ciphers import iana_name
from prober.rules.norms import Profile, Steps, Value, norm_groups, table
from prober.rules.profiles import PROFILES

Rows = Mapping[str, tuple[Rating, str]]

DEFAULT, NIST, NCSC, BSI, HIPAA = (PROFILES[name] for name in ProfileName)
GOOD, SUFFICIENT = Rating.GOOD, Rating.SUFFICIENT
PHASE_OUT, INSUFFICIENT = Rating.PHASE_OUT, Rating.INSUFFICIENT
NOT_NAMED = Rating.NOT_NAMED


def rows(*of: tuple[Rating, str, str]) -> Rows:
    return {name: (rating, source) for rating, source, names in of for name in names.split()}


def plain(values: Mapping[str, Value]) -> Rows:
    return {name: (value.rating, value.source) for name, value in values.items()}


def steps(*of: tuple[int, Rating, str]) -> tuple[tuple[int, Rating, str], ...]:
    return of


def plain_steps(values: Steps) -> tuple[tuple[int, Rating, str], ...]:
    return tuple((least, value.rating, value.source) for least, value in values)


SUITES = {
    ProfileName.DEFAULT: rows(
        (
            GOOD,
            "RFC 8446 §9.1",
            """TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_AES_128_CCM_SHA256
            TLS_CHACHA20_POLY1305_SHA256""",
        ),
        (
            GOOD,
            "RFC 9325 §4.2",
            """TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
            TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 TLS_ECDHE_ECDSA_WITH_AES_128_CCM
            TLS_ECDHE_ECDSA_WITH_AES_256_CCM
            TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
            TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256""",
        ),
        (
            SUFFICIENT,
            "RFC 9325 §4.1, §4.2",
            """TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256 TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384
            TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA
            TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384
            TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA
            TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 TLS_DHE_RSA_WITH_AES_256_GCM_SHA384
            TLS_DHE_RSA_WITH_AES_128_CCM TLS_DHE_RSA_WITH_AES_256_CCM
            TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256""",
        ),
        (
            PHASE_OUT,
            "RFC 9325 §4.1, §4.2",
            """TLS_DHE_RSA_WITH_AES_128_CBC_SHA256 TLS_DHE_RSA_WITH_AES_256_CBC_SHA256
            TLS_DHE_RSA_WITH_AES_128_CBC_SHA TLS_DHE_RSA_WITH_AES_256_CBC_SHA""",
        ),
        (
            PHASE_OUT,
            "RFC 9325 §4.1, SHOULD NOT negotiate static RSA",
            """TLS_RSA_WITH_AES_128_GCM_SHA256 TLS_RSA_WITH_AES_256_GCM_SHA384
            TLS_RSA_WITH_AES_128_CCM TLS_RSA_WITH_AES_256_CCM
            TLS_RSA_WITH_AES_128_CBC_SHA256 TLS_RSA_WITH_AES_256_CBC_SHA256
            TLS_RSA_WITH_AES_128_CBC_SHA TLS_RSA_WITH_AES_256_CBC_SHA""",
        ),
    ),
    ProfileName.NIST: rows(
        # the 36 of the norm
        (
            GOOD,
            "§3.3.1.2",
            "TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_AES_128_CCM_SHA256",
        ),
        (SUFFICIENT, "§3.3.1.2; §3.3.1, CCM before CCM_8", "TLS_AES_128_CCM_8_SHA256"),
        (
            GOOD,
            "§3.3.1.1",
            """TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
            TLS_ECDHE_ECDSA_WITH_AES_128_CCM TLS_ECDHE_ECDSA_WITH_AES_256_CCM
            TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384""",
        ),
        (
            SUFFICIENT,
            "§3.3.1.1; §3.3.1, CCM before CCM_8",
            "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8 TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8",
        ),
        (
            SUFFICIENT,
            "§3.3.1.1",
            """TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 TLS_DHE_RSA_WITH_AES_256_GCM_SHA384
            TLS_DHE_RSA_WITH_AES_128_CCM TLS_DHE_RSA_WITH_AES_256_CCM
            TLS_DHE_RSA_WITH_AES_128_CCM_8 TLS_DHE_RSA_WITH_AES_256_CCM_8
            TLS_DHE_DSS_WITH_AES_128_GCM_SHA256 TLS_DHE_DSS_WITH_AES_256_GCM_SHA384""",
        ),
        (
            SUFFICIENT,
            "§3.3.1.1; §3.3.1, GCM and CCM before CBC",
            """TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256 TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384
            TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA
            TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384
            TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA
            TLS_DHE_RSA_WITH_AES_128_CBC_SHA256 TLS_DHE_RSA_WITH_AES_256_CBC_SHA256
            TLS_DHE_RSA_WITH_AES_128_CBC_SHA TLS_DHE_RSA_WITH_AES_256_CBC_SHA
            TLS_DHE_DSS_WITH_AES_128_CBC_SHA256 TLS_DHE_DSS_WITH_AES_256_CBC_SHA256
            TLS_DHE_DSS_WITH_AES_128_CBC_SHA TLS_DHE_DSS_WITH_AES_256_CBC_SHA""",
        ),
        # 24 with static Diffie-Hellman and 10 with RSA key transport, left out by our choice
        (
            INSUFFICIENT,
            "§3.3.1.1",
            """TLS_DH_DSS_WITH_AES_128_GCM_SHA256 TLS_DH_DSS_WITH_AES_256_GCM_SHA384
            TLS_DH_DSS_WITH_AES_128_CBC_SHA256 TLS_DH_DSS_WITH_AES_256_CBC_SHA256
            TLS_DH_DSS_WITH_AES_128_CBC_SHA TLS_DH_DSS_WITH_AES_256_CBC_SHA
            TLS_DH_RSA_WITH_AES_128_GCM_SHA256 TLS_DH_RSA_WITH_AES_256_GCM_SHA384
            TLS_DH_RSA_WITH_AES_128_CBC_SHA256 TLS_DH_RSA_WITH_AES_256_CBC_SHA256
            TLS_DH_RSA_WITH_AES_128_CBC_SHA TLS_DH_RSA_WITH_AES_256_CBC_SHA
            TLS_ECDH_ECDSA_WITH_AES_128_GCM_SHA256 TLS_ECDH_ECDSA_WITH_AES_256_GCM_SHA384
            TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA256 TLS_ECDH_ECDSA_WITH_AES_256_CBC_SHA384
            TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA TLS_ECDH_ECDSA_WITH_AES_256_CBC_SHA
            TLS_ECDH_RSA_WITH_AES_128_GCM_SHA256 TLS_ECDH_RSA_WITH_AES_256_GCM_SHA384
            TLS_ECDH_RSA_WITH_AES_128_CBC_SHA256 TLS_ECDH_RSA_WITH_AES_256_CBC_SHA384
            TLS_ECDH_RSA_WITH_AES_128_CBC_SHA TLS_ECDH_RSA_WITH_AES_256_CBC_SHA""",
        ),
        (
            INSUFFICIENT,
            "appendix D; SP 800-131A r2 §6",
            """TLS_RSA_WITH_AES_128_GCM_SHA256 TLS_RSA_WITH_AES_256_GCM_SHA384
            TLS_RSA_WITH_AES_128_CCM TLS_RSA_WITH_AES_256_CCM
            TLS_RSA_WITH_AES_128_CCM_8 TLS_RSA_WITH_AES_256_CCM_8
            TLS_RSA_WITH_AES_128_CBC_SHA256 TLS_RSA_WITH_AES_256_CBC_SHA256
            TLS_RSA_WITH_AES_128_CBC_SHA TLS_RSA_WITH_AES_256_CBC_SHA""",
        ),
    ),
    ProfileName.NCSC_NL: rows(
        (
            GOOD,
            "appendix B; §3.3.3, §3.3.4",
            "TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256",
        ),
        (
            SUFFICIENT,
            "appendix B; §3.3.3, §3.3.4",
            """TLS_AES_128_GCM_SHA256 TLS_AES_128_CCM_SHA256
            TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
            TLS_ECDHE_ECDSA_WITH_AES_256_CCM TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            TLS_ECDHE_ECDSA_WITH_AES_128_CCM
            TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
            TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256""",
        ),
        (
            PHASE_OUT,
            "appendix B; §3.3.3, §3.3.4",
            """TLS_ECDHE_ECDSA_WITH_CAMELLIA_256_GCM_SHA384
            TLS_ECDHE_ECDSA_WITH_CAMELLIA_256_CBC_SHA384
            TLS_ECDHE_ECDSA_WITH_CAMELLIA_128_GCM_SHA256
            TLS_ECDHE_ECDSA_WITH_CAMELLIA_128_CBC_SHA256
            TLS_ECDHE_ECDSA_WITH_ARIA_256_GCM_SHA384 TLS_ECDHE_ECDSA_WITH_ARIA_256_CBC_SHA384
            TLS_ECDHE_ECDSA_WITH_ARIA_128_GCM_SHA256 TLS_ECDHE_ECDSA_WITH_ARIA_128_CBC_SHA256
            TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384 TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256
            TLS_ECDHE_RSA_WITH_CAMELLIA_256_GCM_SHA384 TLS_ECDHE_RSA_WITH_CAMELLIA_256_CBC_SHA384
            TLS_ECDHE_RSA_WITH_CAMELLIA_128_GCM_SHA256 TLS_ECDHE_RSA_WITH_CAMELLIA_128_CBC_SHA256
            TLS_ECDHE_RSA_WITH_ARIA_256_GCM_SHA384 TLS_ECDHE_RSA_WITH_ARIA_256_CBC_SHA384
            TLS_ECDHE_RSA_WITH_ARIA_128_GCM_SHA256 TLS_ECDHE_RSA_WITH_ARIA_128_CBC_SHA256
            TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384 TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256
            TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256
            TLS_DHE_RSA_WITH_CAMELLIA_256_GCM_SHA384 TLS_DHE_RSA_WITH_CAMELLIA_256_CBC_SHA256
            TLS_DHE_RSA_WITH_CAMELLIA_128_GCM_SHA256 TLS_DHE_RSA_WITH_CAMELLIA_128_CBC_SHA256
            TLS_DHE_RSA_WITH_ARIA_256_GCM_SHA384 TLS_DHE_RSA_WITH_ARIA_256_CBC_SHA384
            TLS_DHE_RSA_WITH_ARIA_128_GCM_SHA256 TLS_DHE_RSA_WITH_ARIA_128_CBC_SHA256
            TLS_DHE_RSA_WITH_AES_256_GCM_SHA384 TLS_DHE_RSA_WITH_AES_256_CCM
            TLS_DHE_RSA_WITH_AES_256_CBC_SHA256 TLS_DHE_RSA_WITH_AES_128_GCM_SHA256
            TLS_DHE_RSA_WITH_AES_128_CCM TLS_DHE_RSA_WITH_AES_128_CBC_SHA256""",
        ),
    ),
    ProfileName.BSI: rows(
        (
            GOOD,
            "§3.4.4, table 13",
            "TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_AES_128_CCM_SHA256",
        ),
        (
            SUFFICIENT,
            "§3.3.1.1, table 3, until the end of 2031",
            """TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256 TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384
            TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
            TLS_ECDHE_ECDSA_WITH_AES_128_CCM TLS_ECDHE_ECDSA_WITH_AES_256_CCM
            TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384
            TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384""",
        ),
        (
            PHASE_OUT,
            "§3.3.1.1, table 3, until the end of 2029",
            """TLS_DHE_DSS_WITH_AES_128_CBC_SHA256 TLS_DHE_DSS_WITH_AES_256_CBC_SHA256
            TLS_DHE_DSS_WITH_AES_128_GCM_SHA256 TLS_DHE_DSS_WITH_AES_256_GCM_SHA384
            TLS_DHE_RSA_WITH_AES_128_CBC_SHA256 TLS_DHE_RSA_WITH_AES_256_CBC_SHA256
            TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 TLS_DHE_RSA_WITH_AES_256_GCM_SHA384
            TLS_DHE_RSA_WITH_AES_128_CCM TLS_DHE_RSA_WITH_AES_256_CCM""",
        ),
        (
            PHASE_OUT,
            "§3.3.1.2, table 4, until the end of 2026",
            """TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA256 TLS_ECDH_ECDSA_WITH_AES_256_CBC_SHA384
            TLS_ECDH_ECDSA_WITH_AES_128_GCM_SHA256 TLS_ECDH_ECDSA_WITH_AES_256_GCM_SHA384
            TLS_ECDH_RSA_WITH_AES_128_CBC_SHA256 TLS_ECDH_RSA_WITH_AES_256_CBC_SHA384
            TLS_ECDH_RSA_WITH_AES_128_GCM_SHA256 TLS_ECDH_RSA_WITH_AES_256_GCM_SHA384
            TLS_DH_DSS_WITH_AES_128_CBC_SHA256 TLS_DH_DSS_WITH_AES_256_CBC_SHA256
            TLS_DH_DSS_WITH_AES_128_GCM_SHA256 TLS_DH_DSS_WITH_AES_256_GCM_SHA384
            TLS_DH_RSA_WITH_AES_128_CBC_SHA256 TLS_DH_RSA_WITH_AES_256_CBC_SHA256
            TLS_DH_RSA_WITH_AES_128_GCM_SHA256 TLS_DH_RSA_WITH_AES_256_GCM_SHA384""",
        ),
    ),
}
PROTOCOLS = {
    ProfileName.DEFAULT: rows(
        (GOOD, "RFC 9325 §3.1.1, SHOULD", "TLSv1.3"),
        (SUFFICIENT, "RFC 9325 §3.1.1, MUST support", "TLSv1.2"),
        (INSUFFICIENT, "RFC 9325 §3.1.1, MUST NOT negotiate", "TLSv1.1 TLSv1 SSLv3"),
    ),
    ProfileName.NIST: rows(
        (GOOD, "§3.1, shall be supported by 2024-01-01", "TLSv1.3"),
        (SUFFICIENT, "§3.1, shall be supported", "TLSv1.2"),
        (PHASE_OUT, "§3.1, only where citizens or businesses need it", "TLSv1.1 TLSv1"),
        (INSUFFICIENT, "§3.1, shall not", "SSLv3"),
    ),
    ProfileName.NCSC_NL: rows(
        (GOOD, "§3.3.1", "TLSv1.3"),
        (SUFFICIENT, "§3.3.1", "TLSv1.2"),
        (INSUFFICIENT, "§3.3.1", "TLSv1.1 TLSv1 SSLv3"),
    ),
    ProfileName.BSI: rows(
        (GOOD, "§3.2, table 2", "TLSv1.3"),
        (SUFFICIENT, "§3.2, table 2, until the end of 2031", "TLSv1.2"),
        (INSUFFICIENT, "§3.2, not recommended", "TLSv1.1 TLSv1 SSLv3"),
    ),
}
_56A = "§3.4.2; SP 800-56A r3 appendix D"
_TABLES_6_10 = "§3.3.2, table 6; §3.4.2, table 10"
_BRAINPOOL = """brainpoolp256r1 brainpoolp384r1 brainpoolp512r1
    brainpoolp256r1tls13 brainpoolp384r1tls13 brainpoolp512r1tls13"""
GROUPS = {
    ProfileName.DEFAULT: rows(
        (GOOD, "RFC 9325 §4.5", "x25519 x448 secp256r1 secp384r1 secp521r1" + " " + _BRAINPOOL),
        (GOOD, "RFC 9325 §4.5", "ffdhe3072 ffdhe4096 ffdhe6144 ffdhe8192"),
        (GOOD, "FIPS 203", "x25519mlkem768 secp256r1mlkem768 secp384r1mlkem1024"),
        (SUFFICIENT, "RFC 9325 §4.5", "ffdhe2048"),
        (PHASE_OUT, "RFC 9325 §4.5", "secp224r1"),
        (INSUFFICIENT, "RFC 9325 §4.5, MUST NOT use less than 224 bits", "secp192r1"),
    ),
    ProfileName.NIST: rows(
        (GOOD, "§3.4.2, one of them shall be supported", "secp256r1 secp384r1"),
        (GOOD, _56A, "secp521r1"),
        (SUFFICIENT, _56A, "secp224r1 ffdhe2048 ffdhe3072 ffdhe4096 ffdhe6144 ffdhe8192"),
        (
            PHASE_OUT,
            "SP 800-56A r3 appendix D; SP 800-186 §3.3, deprecated",
            """sect233k1 sect233r1 sect283k1 sect283r1 sect409k1 sect409r1 sect571k1 sect571r1""",
        ),
        (
            GOOD,
            "FIPS 203; SP 800-56A r3; SP 800-56C r2 §2",
            "secp256r1mlkem768 secp384r1mlkem1024",
        ),
        (SUFFICIENT, "FIPS 203; SP 800-56C r2 §2", "x25519mlkem768"),
        (NOT_NAMED, _56A, "x25519 x448"),
        (INSUFFICIENT, "SP 800-131A r2 §5, less than 112 bits", "secp192r1"),
    ),
    ProfileName.NCSC_NL: rows(
        (GOOD, "§3.3.3", "x25519mlkem768 secp256r1mlkem768 secp384r1mlkem1024"),
        (SUFFICIENT, "§3.3.3", "secp521r1 secp384r1 secp256r1 x448 x25519 " + _BRAINPOOL),
        (PHASE_OUT, "§3.3.3", "secp224r1 ffdhe3072 ffdhe4096 ffdhe6144 ffdhe8192"),
        (INSUFFICIENT, "§3.3.3", "ffdhe2048"),
    ),
    ProfileName.BSI: rows(
        (
            SUFFICIENT,
            _TABLES_6_10 + ", until the end of 2031",
            "secp256r1 secp384r1 secp521r1 " + _BRAINPOOL,
        ),
        (PHASE_OUT, _TABLES_6_10 + ", until the end of 2029", "ffdhe3072 ffdhe4096"),
        (INSUFFICIENT, "§3.6.1, table 14, DH 3000 bits since 2023", "ffdhe2048"),
        (INSUFFICIENT, "§3.6.1, table 14, ECDH 250 bits", "secp192r1 secp224r1"),
        (NOT_NAMED, "§3.4.2", "secp256r1mlkem768 secp384r1mlkem1024"),
        (NOT_NAMED, _TABLES_6_10, "x25519 x448 x25519mlkem768 ffdhe6144 ffdhe8192"),
    ),
}
DH_BITS = {
    ProfileName.DEFAULT: steps(
        (3072, GOOD, "RFC 9325 §4.5"),
        (2048, SUFFICIENT, "RFC 9325 §4.5"),
        (0, INSUFFICIENT, "RFC 9325 §4.5, 2048 bits are REQUIRED"),
    ),
    ProfileName.NIST: steps(
        (2048, SUFFICIENT, "SP 800-131A r2 §5"),
        (0, INSUFFICIENT, "SP 800-131A r2 §5, less is disallowed"),
    ),
    ProfileName.NCSC_NL: steps((0, INSUFFICIENT, "§3.3.3, groups of RFC 7919 only")),
    ProfileName.BSI: steps(
        (3000, PHASE_OUT, "§3.6.1, table 14; §3.3.1.1, table 3, until the end of 2029"),
        (0, INSUFFICIENT, "§3.6.1, table 14, DH 3000 bits since 2023"),
    ),
}
KEY_EXCHANGE_HASHES = {
    ProfileName.DEFAULT: rows(
        (GOOD, "RFC 9325 §4.5", "sha256 sha384 sha512"),
        (PHASE_OUT, "RFC 9325 §4.5", "sha224"),
        (INSUFFICIENT, "RFC 9155 §2, §3", "sha1 md5"),
    ),
    ProfileName.NIST: rows(
        (GOOD, "§3.2.1", "sha256 sha384 sha512"),
        (SUFFICIENT, "§3.2.1, SHA-224 or stronger", "sha224"),
        (INSUFFICIENT, "SP 800-131A r2 §9", "sha1 md5"),
    ),
    ProfileName.NCSC_NL: rows(
        (GOOD, "§3.3.5", "sha256 sha384 sha512"),
        (PHASE_OUT, "§3.3.5", "sha224"),
        (INSUFFICIENT, "§3.3.5", "sha1 md5"),
    ),
    ProfileName.BSI: rows((GOOD, "§3.3.3, table 8", "sha256 sha384 sha512")),
}
KEYS = {
    ProfileName.DEFAULT: rows(
        (GOOD, "SP 800-57 part 1 r5 table 2", "secp256r1 secp384r1 secp521r1 Ed25519 Ed448"),
        (
            GOOD,
            "SP 800-57 part 1 r5 table 2",
            "brainpoolP256r1 brainpoolP384r1 brainpoolP512r1",
        ),
        (GOOD, "FIPS 204", "MLDSA44 MLDSA65 MLDSA87"),
        (PHASE_OUT, "SP 800-57 part 1 r5 table 2", "secp224r1"),
        (INSUFFICIENT, "SP 800-57 part 1 r5 table 2", "secp192r1"),
    ),
    ProfileName.NIST: rows(
        (GOOD, "§3.2.1, should be P-256 or P-384", "secp256r1 secp384r1"),
        (GOOD, "§3.2.1; FIPS 186-5 §6", "secp521r1"),
        (SUFFICIENT, "§3.2.1, 112 bits of security", "secp224r1"),
        (SUFFICIENT, "FIPS 186-5 §7", "Ed25519 Ed448"),
        (SUFFICIENT, "FIPS 204", "MLDSA44 MLDSA65 MLDSA87"),
        (INSUFFICIENT, "§3.2.1, 112 bits of security", "secp192r1"),
        (INSUFFICIENT, "§3.2.1; FIPS 186-5 §4", "DSA"),
    ),
    ProfileName.NCSC_NL: rows(
        (SUFFICIENT, "§3.3.2", "secp256r1 secp384r1 secp521r1 Ed25519 Ed448"),
        (SUFFICIENT, "§3.3.2", "brainpoolP256r1 brainpoolP384r1 brainpoolP512r1"),
        (PHASE_OUT, "§3.3.2", "secp224r1"),
        (NOT_NAMED, "§3.3.2", "MLDSA44 MLDSA65 MLDSA87"),
    ),
    ProfileName.BSI: rows(
        (GOOD, "§3.6.2", "brainpoolP256r1 brainpoolP384r1 brainpoolP512r1"),
        (GOOD, "§3.6.2", "secp256r1 secp384r1 secp521r1"),
        (INSUFFICIENT, "§3.6.1, table 14, ECDSA 250 bits", "secp192r1 secp224r1"),
        (NOT_NAMED, "§3.3.3, table 7; §3.4.3, table 12", "Ed25519 Ed448 MLDSA44 MLDSA65 MLDSA87"),
    ),
}
KEY_BITS = {
    ProfileName.DEFAULT: {
        "RSA": steps(
            (3072, GOOD, "RFC 9325 §4.5; SP 800-57 part 1 r5 table 2"),
            (2048, SUFFICIENT, "RFC 9325 §4.5"),
            (0, INSUFFICIENT, "RFC 9325 §4.5"),
        )
    },
    ProfileName.NIST: {
        "RSA": steps(
            (3072, GOOD, "§3.2.1; SP 800-57 part 1 r5 table 2"),
            (2048, SUFFICIENT, "§3.2.1, 112 bits of security"),
            (0, INSUFFICIENT, "§3.2.1, 112 bits of security"),
        )
    },
    ProfileName.NCSC_NL: {
        "RSA": steps(
            (3072, SUFFICIENT, "§3.3.2"), (2048, PHASE_OUT, "§3.3.2"), (0, INSUFFICIENT, "§3.3.2")
        )
    },
    ProfileName.BSI: {
        "RSA": steps(
            (3000, GOOD, "§3.6.1, table 14"),
            (2000, PHASE_OUT, "§3.6.1, table 14, 3000 bits since 2023"),
            (0, INSUFFICIENT, "§3.6.1, table 14, 3000 bits since 2023"),
        ),
        "DSA": steps(
            (3000, PHASE_OUT, "§3.6.1, table 14, until the end of 2029"),
            (0, INSUFFICIENT, "§3.6.1, table 14, 3000 bits since 2023"),
        ),
    },
}
_TABLES_7_12 = "§3.3.3, table 7; §3.4.3, table 12"
_TABLES_8_12 = "§3.3.3, table 8; §3.4.3, table 12"
SIGNATURES = {
    ProfileName.DEFAULT: rows(
        (GOOD, "RFC 9325 §4.5", "rsa-pss ecdsa ed25519 ed448"),
        (GOOD, "FIPS 204", "ml-dsa"),
        (SUFFICIENT, "RFC 9325 §4.5", "rsa"),
    ),
    ProfileName.NIST: rows(
        (GOOD, "§3.2.1", "rsa rsa-pss ecdsa"),
        (SUFFICIENT, "FIPS 186-5 §7", "ed25519 ed448"),
        (SUFFICIENT, "FIPS 204", "ml-dsa"),
        (INSUFFICIENT, "§3.2.1; FIPS 186-5 §4", "dsa"),
    ),
    ProfileName.NCSC_NL: rows(
        (SUFFICIENT, "§3.3.2, §3.3.5", "rsa ecdsa ed25519 ed448"),
        (SUFFICIENT, "§3.3.2", "rsa-pss"),
        (NOT_NAMED, "§3.3.2", "ml-dsa"),
    ),
    ProfileName.BSI: rows(
        (GOOD, _TABLES_7_12, "ecdsa"),
        (GOOD, "§3.4.3, table 12", "rsa-pss"),
        (PHASE_OUT, _TABLES_7_12 + ", until the end of 2025", "rsa"),
        (PHASE_OUT, "§3.3.3, table 7, until the end of 2029", "dsa"),
        (NOT_NAMED, _TABLES_7_12, "ed25519 ed448 ml-dsa"),
    ),
}
DIGESTS = {
    ProfileName.DEFAULT: rows(
        (GOOD, "RFC 9325 §4.5", "sha256 sha384 sha512"), (PHASE_OUT, "RFC 9325 §4.5", "sha224")
    ),
    ProfileName.NIST: rows(
        (GOOD, "§3.2.1", "sha256 sha384 sha512"),
        (SUFFICIENT, "§3.2.1, SHA-224 or stronger", "sha224"),
    ),
    ProfileName.NCSC_NL: rows(
        (GOOD, "§3.3.5", "sha256 sha384 sha512"), (PHASE_OUT, "§3.3.5", "sha224")
    ),
    ProfileName.BSI: rows((GOOD, _TABLES_8_12, "sha256 sha384 sha512")),
}
EMS, RENEGOTIATION = RatedFact.EXTENDED_MASTER_SECRET, RatedFact.SECURE_RENEGOTIATION
ETM = RatedFact.ENCRYPT_THEN_MAC
COMPRESSION, EARLY_DATA = RatedFact.COMPRESSION, RatedFact.EARLY_DATA
# each with what it is rated where the server has it, and where it has it not
FEATURES = {
    ProfileName.DEFAULT: {
        EMS: (GOOD, INSUFFICIENT, "RFC 9325 §3.5, MUST support"),
        RENEGOTIATION: (GOOD, INSUFFICIENT, "RFC 9325 §3.5, MUST support"),
        COMPRESSION: (PHASE_OUT, GOOD, "RFC 9325 §3.3, SHOULD NOT"),
        EARLY_DATA: (PHASE_OUT, GOOD, "RFC 9325 §3.10"),
    },
    ProfileName.NIST: {
        ETM: (GOOD, INSUFFICIENT, "§3.4.2, shall with CBC suites"),
        EMS: (GOOD, INSUFFICIENT, "§3.4.1, shall"),
        RENEGOTIATION: (GOOD, INSUFFICIENT, "§3.4.1, shall"),
        RatedFact.SERVER_NAME_INDICATION: (GOOD, INSUFFICIENT, "§3.4.1, shall"),
        COMPRESSION: (INSUFFICIENT, GOOD, "§3.7, shall not"),
        RatedFact.RAW_PUBLIC_KEY: (INSUFFICIENT, GOOD, "§3.4.3, shall not"),
        EARLY_DATA: (SUFFICIENT, GOOD, "§3.4.3, §3.6, should not"),
        RatedFact.VALIDITY: (GOOD, SUFFICIENT, "§3.2.1, should be 3 years or less"),
    },
    ProfileName.NCSC_NL: {
        EMS: (GOOD, INSUFFICIENT, "§4.1"),
        RENEGOTIATION: (GOOD, INSUFFICIENT, "§3.4.2"),
        COMPRESSION: (INSUFFICIENT, GOOD, "§3.4.1"),
        EARLY_DATA: (INSUFFICIENT, GOOD, "§3.4.4"),
    },
    ProfileName.BSI: {
        ETM: (GOOD, INSUFFICIENT, "§3.3.1.1, §3.3.4.5"),
        EMS: (GOOD, PHASE_OUT, "§3.3.4.7"),
        RENEGOTIATION: (GOOD, PHASE_OUT, "§3.3.4.1"),
        COMPRESSION: (INSUFFICIENT, GOOD, "§3.3.4.3"),
        EARLY_DATA: (INSUFFICIENT, GOOD, "§3.4.1, not recommended"),
    },
}
OTHERS = {
    ProfileName.DEFAULT: (
        (INSUFFICIENT, "RFC 9325 §3.1.1"),
        (INSUFFICIENT, "RFC 9325 §4.1, §4.2"),
        (NOT_NAMED, "RFC 9325 §4.5"),
        (NOT_NAMED, "RFC 9325 §4.5"),
        (INSUFFICIENT, "RFC 9325 §4.5"),
        (INSUFFICIENT, "RFC 9325 §4.5"),
    ),
    ProfileName.NIST: (
        (INSUFFICIENT, "§3.1"),
        (INSUFFICIENT, "§3.3.1, shall only use those that are listed"),
        (NOT_NAMED, _56A),
        (NOT_NAMED, "§3.2.1"),
        (NOT_NAMED, "§3.2.1"),
        (INSUFFICIENT, "§3.2.1, SHA-224 or stronger"),
    ),
    ProfileName.NCSC_NL: (
        (INSUFFICIENT, "§3.3.1"),
        (INSUFFICIENT, "appendix B; §3.3.3, §3.3.4"),
        (INSUFFICIENT, "§3.3.3, other curves"),
        (INSUFFICIENT, "§3.3.5"),
        (INSUFFICIENT, "§3.3.2"),
        (INSUFFICIENT, "§3.3.2, §3.3.5"),
    ),
    ProfileName.BSI: (
        (INSUFFICIENT, "§3.2, table 2"),
        (INSUFFICIENT, "§3.3.1, §3.4.4"),
        (NOT_NAMED, _TABLES_6_10),
        (INSUFFICIENT, "§3.3.3, table 8"),
        (NOT_NAMED, "§3.6"),
        (INSUFFICIENT, _TABLES_8_12),
    ),
}
NORMS = [pytest.param(name, id=name) for name in SUITES]


@pytest.mark.parametrize("name", NORMS)
def test_each_value_has_its_source(name: ProfileName) -> None:
    profile = PROFILES[name]
    assert plain(profile.suites) == SUITES[name]
    assert plain(profile.protocols) == PROTOCOLS[name]
    assert plain(profile.groups) == GROUPS[name]
    assert plain_steps(profile.dh_bits) == DH_BITS[name]
    assert plain(profile.key_exchange_hashes) == KEY_EXCHANGE_HASHES[name]
    assert plain(profile.keys) == KEYS[name]
    bits = {kind: plain_steps(values) for kind, values in profile.key_bits.items()}
    assert bits == KEY_BITS[name]
    assert plain(profile.signatures) == SIGNATURES[name]
    assert plain(profile.digests) == DIGESTS[name]


@pytest.mark.parametrize("name", NORMS)
def test_each_feature_and_what_stands_in_no_table_has_its_source(name: ProfileName) -> None:
    profile = PROFILES[name]
    features = {
        fact: (feature.present.rating, feature.absent.rating, feature.present.source)
        for fact, feature in profile.features.items()
    }
    assert features == FEATURES[name]
    assert all(each.present.source == each.absent.source for each in profile.features.values())
    assert list(profile.others) == [
        *(RatedFact.PROTOCOL, RatedFact.SUITE, RatedFact.KEY_EXCHANGE),
        *(RatedFact.KEY_EXCHANGE_HASH, RatedFact.KEY, RatedFact.SIGNATURE),
    ]
    others = tuple((value.rating, value.source) for value in profile.others.values())
    assert others == OTHERS[name]


def values(profile: Profile) -> Iterator[Value]:
    tables = (profile.protocols, profile.suites, profile.groups, profile.key_exchange_hashes)
    for each in (*tables, profile.keys, profile.signatures, profile.digests, profile.others):
        yield from each.values()
    for steps_ in (profile.dh_bits, *profile.key_bits.values()):
        yield from (value for _, value in steps_)
    for feature in profile.features.values():
        yield from (feature.present, feature.absent)
    if profile.needed_groups is not None:
        yield profile.needed_groups.absent


def test_the_counts_of_the_norms() -> None:
    """36 suites of NIST and the 34 that are left out; 20 and 16 of BSI, and 3 of TLS 1.3."""
    of_nist = [value.rating for value in NIST.suites.values()]
    assert len(of_nist) - of_nist.count(INSUFFICIENT) == 36
    assert of_nist.count(INSUFFICIENT) == 24 + 10
    assert len(BSI.suites) == 3 + 20 + 16
    assert len(NCSC.suites) == 2 + 10 + 35


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_every_value_names_a_paragraph(profile: Profile) -> None:
    for value in values(profile):
        assert any(mark in value.source for mark in ("§", "table", "appendix", "FIPS"))
        assert value.rating is not Rating.NOT_TESTED
        assert value.ours is None or value.ours.endswith(".")


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_every_suite_is_one_that_is_registered(profile: Profile) -> None:
    """RFC 6655 §3, RFC 7251 §2: CCM is not registered with ECDHE_RSA."""
    assert [name for name in profile.suites if iana_name(name) != name] == []
    assert [name for name in profile.suites if "ECDHE_RSA" in name and "CCM" in name] == []


def test_openssl_has_each_suite_that_it_could_have_under_the_same_name() -> None:
    if shutil.which("openssl") is None:
        assert not os.environ.get("CI"), "CI installs openssl"
        pytest.skip("no openssl here")
    command = ["openssl", "ciphers", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    known = {line.split()[0] for line in listed.splitlines()}
    # OpenSSL has neither static Diffie-Hellman nor these two ciphers in these modes
    absent = ("_DH_RSA_", "_DH_DSS_", "_ECDH_", "CAMELLIA_128_GCM", "CAMELLIA_256_GCM")
    for profile in PROFILES.values():
        for name in (each for each in profile.suites if "_WITH_" in each):
            is_absent = any(part in name for part in absent)
            is_absent |= "ARIA" in name and "CBC" in name
            assert (name in known) is not is_absent, name


def test_hipaa_inherits_every_value_of_nist() -> None:
    assert [*values(HIPAA)] == [*values(NIST)]
    assert (HIPAA.floor, HIPAA.longest_validity_days) == (NIST.floor, NIST.longest_validity_days)


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        (ProfileName.DEFAULT, ""),  # RFC 9325 §4.5 takes any group of 224 bits or more
        (ProfileName.NIST, "secp256r1 secp384r1"),  # SP 800-52r2 §3.4.2
        (ProfileName.NCSC_NL, ""),  # §3.3.3 names what every hello offers
        (  # TR-02102-2 §3.4.2, table 10
            ProfileName.BSI,
            "secp256r1 secp384r1 secp521r1 brainpoolP256r1tls13 brainpoolP384r1tls13 "
            "brainpoolP512r1tls13 ffdhe3072 ffdhe4096",
        ),
        (ProfileName.HIPAA, "secp256r1 secp384r1"),
    ],
)
def test_the_groups_that_a_norm_needs(name: ProfileName, groups: str) -> None:
    """Each is one that the norm's own table takes, under its name in lower case."""
    profile = PROFILES[name]
    assert norm_groups(profile) == tuple(groups.split())
    for group in norm_groups(profile):
        assert profile.groups[group.lower()].rating in (GOOD, SUFFICIENT, PHASE_OUT)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_who_takes_an_insufficient_group_was_offered_better(profile: Profile) -> None:
    """Every hello of ours offers these; so an insufficient group may decide a profile."""
    offered = ("x25519", "secp256r1", "x448", "secp384r1", "secp521r1", "x25519mlkem768")
    rated = [profile.groups[name].rating for name in offered]
    assert INSUFFICIENT not in rated
    assert {GOOD, SUFFICIENT} & set(rated)


def test_the_last_step_takes_any_size() -> None:
    for profile in PROFILES.values():
        for each in (profile.dh_bits, *profile.key_bits.values()):
            assert [least for least, _ in each] == sorted((n for n, _ in each), reverse=True)
            assert each[-1][0] == 0


def test_a_name_has_one_row() -> None:
    with pytest.raises(ValueError, match="secp256r1 has two rows"):
        table((Value(GOOD, "§1"), ["secp256r1"]), (Value(SUFFICIENT, "§2"), ["secp256r1"]))


def test_every_profile_says_what_is_ours() -> None:
    assert list(PROFILES) == list(ProfileName)
    for profile in PROFILES.values():
        assert profile.ours
        assert profile.norm
