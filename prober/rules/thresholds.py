"""Every threshold and list that the rules need, as data, with its source beside it."""

from types import MappingProxyType
from typing import Final

# RFC 9325 §3.1.1 (BCP 195): TLS 1.2 at least; RFC 8996 makes 1.0 and 1.1 historic.
ACCEPTABLE_TLS_VERSIONS: Final = frozenset({"TLSv1.2", "TLSv1.3"})

# NIST SP 800-57 part 1 r5 table 2: the sizes of 112-bit strength.
MIN_KEY_BITS: Final = MappingProxyType({"RSA": 2048, "DSA": 2048, "EC": 224})
# NIST SP 800-131A r2 §9: digests that do not make a signature any more.
WEAK_SIGNATURE_DIGESTS: Final = frozenset({"md2", "md4", "md5", "sha1"})
MIN_CIPHER_BITS: Final = 112  # NIST SP 800-131A r2 §2
# RFC 9325 §4.5: REQUIRED, and the size of 112-bit strength. One severity for 1024 bits and for
# less: 1024 is in reach of states (weakdh.org), and senders whose OpenSSL is at security level 2,
# the default of Debian and Ubuntu, break the handshake off; below 1024 every OpenSSL does.
MIN_DH_BITS: Final = 2048

# A certificate that lives for a week is renewed with half of it left: a third left says the same.
EXPIRES_SOON_SHARE: Final = 3
EXPIRES_SOON_DAYS: Final = 14  # ours: renewers start at 30 days, so 14 left says that one failed

# RFC 8461 §3.2 expects "weeks or greater", against attacks at the time of a refresh; §3.3 suggests
# a refresh once a day, so that a policy with a shorter life is gone before it.
SHORT_MAX_AGE_S: Final = 86_400

# Ours: how many names at an address must have shown the same leaf, TLS version, suite and DH size
# before further ones are taken to show it; and how many looks an address may have before we give
# that up.
NAMES_THAT_AGREE: Final = 3
LEAVES_AT_ONE_ADDRESS: Final = 8
