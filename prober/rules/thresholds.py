"""Thresholds and lists for the rules, each with its source."""

from types import MappingProxyType
from typing import Final

# RFC 9325 §3.1.1 (BCP 195): TLS 1.2 at least; RFC 8996 makes 1.0 and 1.1 historic.
ACCEPTABLE_TLS_VERSIONS: Final = frozenset({"TLSv1.2", "TLSv1.3"})

# NIST SP 800-57 part 1 r5 table 2: the sizes of 112-bit strength.
MIN_KEY_BITS: Final = MappingProxyType({"RSA": 2048, "DSA": 2048, "EC": 224})
# NIST SP 800-131A r2 §9: digests that are not allowed for signatures.
WEAK_SIGNATURE_DIGESTS: Final = frozenset({"md2", "md4", "md5", "sha1"})
MIN_CIPHER_BITS: Final = 112  # NIST SP 800-131A r2 §2
# RFC 9325 §4.5: REQUIRED, and the size of 112-bit strength. 1024 bits and less have one severity:
# states can break 1024 bits (weakdh.org), and OpenSSL at security level 2, the default of Debian
# and Ubuntu, stops the handshake. Below 1024 bits every OpenSSL stops it.
MIN_DH_BITS: Final = 2048

# For short-lived certificates: the renewal has failed if less than a third of the lifetime is left.
EXPIRES_SOON_SHARE: Final = 3
EXPIRES_SOON_DAYS: Final = (
    14  # our choice: renewal starts at 30 days, so with 14 days left it has failed
)

# RFC 8461 §3.2 expects "weeks or greater", against attacks during a refresh. §3.3 suggests a
# refresh once a day, so a policy with a shorter lifetime expires before its refresh.
SHORT_MAX_AGE_S: Final = 86_400

# Our choice: how many names at an address must get the same leaf, TLS version, suite and DH size
# before other names share the result. An address with more different results is never shared.
MIN_AGREEING_NAMES: Final = 3
MAX_FINGERPRINTS: Final = 8
