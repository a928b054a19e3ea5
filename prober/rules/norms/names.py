"""Names and short forms that the tables of several norms are written with."""

from typing import Final

from prober.records import RatedFact, Rating
from prober.rules.norms import Feature, Value

GOOD: Final = Rating.GOOD
SUFFICIENT: Final = Rating.SUFFICIENT
PHASE_OUT: Final = Rating.PHASE_OUT
INSUFFICIENT: Final = Rating.INSUFFICIENT
NOT_NAMED: Final = Rating.NOT_NAMED

# names of IANA: https://www.iana.org/assignments/tls-parameters/. CCM is registered with RSA,
# DHE_RSA and ECDHE_ECDSA, and not with ECDHE_RSA: RFC 6655 §3, RFC 7251 §2
TLS13: Final = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_AES_128_CCM_SHA256")
CHACHA13: Final = "TLS_CHACHA20_POLY1305_SHA256"
ECDHE: Final = ("ECDHE_ECDSA", "ECDHE_RSA")
STATIC_DH: Final = ("DH_RSA", "DH_DSS")
STATIC_ECDH: Final = ("ECDH_RSA", "ECDH_ECDSA")
GCM: Final = ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384")
CCM: Final = ("AES_128_CCM", "AES_256_CCM")
CCM_8: Final = ("AES_128_CCM_8", "AES_256_CCM_8")
CHACHA: Final = "CHACHA20_POLY1305_SHA256"
CBC_SHA2: Final = ("AES_128_CBC_SHA256", "AES_256_CBC_SHA384")  # with elliptic curves
CBC_SHA256: Final = ("AES_128_CBC_SHA256", "AES_256_CBC_SHA256")  # without
CBC_SHA1: Final = ("AES_128_CBC_SHA", "AES_256_CBC_SHA")
CAMELLIA_ARIA: Final = (  # of each key exchange
    "CAMELLIA_128_GCM_SHA256",
    "CAMELLIA_256_GCM_SHA384",
    "CAMELLIA_128_CBC_SHA256",
    "ARIA_128_GCM_SHA256",
    "ARIA_256_GCM_SHA384",
    "ARIA_128_CBC_SHA256",
    "ARIA_256_CBC_SHA384",
)

NIST_CURVES: Final = ("secp256r1", "secp384r1", "secp521r1")
BRAINPOOL: Final = ("brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1")
EDWARDS: Final = ("Ed25519", "Ed448")
ML_DSA: Final = ("MLDSA44", "MLDSA65", "MLDSA87")
SHA2: Final = ("sha256", "sha384", "sha512")

BRAINPOOL_GROUPS: Final = (  # RFC 7027, and RFC 8734 for TLS 1.3
    *("brainpoolp256r1", "brainpoolp384r1", "brainpoolp512r1"),
    *("brainpoolp256r1tls13", "brainpoolp384r1tls13", "brainpoolp512r1tls13"),
)
BRAINPOOL_TLS13: Final = tuple(f"brainpoolP{bits}r1tls13" for bits in (256, 384, 512))
BINARY_GROUPS: Final = tuple(
    f"sect{name}" for name in "233k1 233r1 283k1 283r1 409k1 409r1 571k1 571r1".split()
)
MONTGOMERY: Final = ("x25519", "x448")
HYBRID_NIST: Final = ("secp256r1mlkem768", "secp384r1mlkem1024")
HYBRID_X25519: Final = "x25519mlkem768"
FFDHE_LARGE: Final = ("ffdhe3072", "ffdhe4096", "ffdhe6144", "ffdhe8192")

LATER: Final = "ML-KEM and ML-DSA are approved (FIPS 203, FIPS 204); the norm is older."
WORDS_OF_RFC: Final = "RFC 9325 does not rate it in one of the four words: the rating is ours."
EMS: Final = RatedFact.EXTENDED_MASTER_SECRET
RENEGOTIATION: Final = RatedFact.SECURE_RENEGOTIATION


def wanted(source: str, without: Rating = INSUFFICIENT, ours: str | None = None) -> Feature:
    return Feature(present=Value(GOOD, source), absent=Value(without, source, ours))


def unwanted(source: str, with_it: Rating = INSUFFICIENT, ours: str | None = None) -> Feature:
    return Feature(present=Value(with_it, source, ours), absent=Value(GOOD, source))
