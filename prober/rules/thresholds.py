"""Every severity, threshold and list that the rules need, as data, with its source beside it."""

from types import MappingProxyType
from typing import Final

from prober.records import Code, Finding, Severity

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

_SEVERITIES: Final = {
    Severity.HIGH: (
        Code.STARTTLS_NOT_SUPPORTED,
        Code.STARTTLS_REFUSED,
        Code.STARTTLS_RESPONSE_INJECTION,
        Code.TLS_FAILED,
        Code.STARTTLS_OFFER_MALFORMED,
        Code.SNI_REQUIRED,
        Code.ANONYMOUS_ONLY,
        Code.CERTIFICATE_EXPIRED,
        Code.CERTIFICATE_NOT_YET_VALID,
        Code.CERTIFICATE_NOT_TRUSTED,
        Code.CERTIFICATE_HOST_MISMATCH,
        Code.CERTIFICATE_KEY_WEAK,
        Code.CERTIFICATE_SIGNATURE_WEAK,
        Code.TLS_VERSION_OBSOLETE,
        Code.CIPHER_WEAK,
        Code.DH_WEAK,
        Code.DNSSEC_INVALID,
        Code.TLSA_INVALID,
        Code.DANE_NO_TLS,
        Code.STS_MX_FAILS,
    ),
    Severity.MEDIUM: (
        Code.STARTTLS_INTERMITTENT,
        Code.LARGE_HELLO_INTOLERANT,
        Code.SNI_REFUSED,
        Code.TLS13_INTOLERANT,
        Code.REPLY_MALFORMED,
        Code.MASKED_BY_MIDDLEBOX,
        Code.EHLO_NOT_SUPPORTED,
        Code.SESSION_FAILED_AFTER_TLS,
        Code.CERTIFICATE_EXPIRES_SOON,
        Code.CERTIFICATE_SELF_SIGNED,
        Code.CERTIFICATE_NAME_DISPUTED,
        Code.CERTIFICATE_COMMON_NAME_ONLY,
        Code.CERTIFICATE_UNREADABLE,
        Code.CHAIN_INCOMPLETE,
        Code.MX_IP_LITERAL,
        Code.MX_LOCALHOST,
        Code.MX_INVALID_NAME,
        Code.MX_NO_ADDRESS,
        Code.NULL_MX_IGNORED,
        Code.DNS_ERROR,
        Code.DOMAIN_NOT_FOUND,
        Code.NO_MAIL_HOST,
        Code.UNCONFIRMED,
        Code.TLSA_UNUSABLE,
        Code.STS_POLICY_FETCH_ERROR,
        Code.STS_POLICY_INVALID,
        Code.STS_WEBPKI_INVALID,
        Code.STS_TXT_INVALID,
        Code.STS_MX_NOT_LISTED,
        Code.STS_WITHOUT_TXT,
        Code.STS_SENDERS_DIFFER,
    ),
    Severity.LOW: (
        Code.NOT_TESTED,
        Code.LIMIT_REACHED,
        Code.MX_IS_CNAME,
        Code.NAME_WITH_UNDERSCORE,
        Code.MX_NOT_LISTENING,
        Code.NULL_MX_PREFERENCE,
        Code.STARTTLS_AFTER_TLS,
        Code.BARE_LF,
        Code.UNSOLICITED_DATA,
        Code.CERTIFICATE_SAN_MALFORMED,
        Code.CHAIN_MISORDERED,
        Code.CHAIN_TRUNCATED,
        Code.TRUST_NOT_TESTED,
        Code.TLSA_NOT_TESTED,
        Code.TLSA_INSECURE,
        Code.STS_NOT_TESTED,
        Code.STS_MAX_AGE_SHORT,
        Code.TLS_RPT_INVALID,
    ),
    Severity.INFO: (
        Code.NULL_MX,
        Code.IMPLICIT_MX,
        Code.MX_DUPLICATE,
        Code.CLIENT_CERTIFICATE_REQUESTED,
        Code.TLSA_STALE,
        Code.TLSA_SPARE,
        Code.TLSA_MX_INSECURE,
        Code.STS_NOT_ENFORCED,
    ),
}
SEVERITY: Final = MappingProxyType(
    {code: severity for severity, codes in _SEVERITIES.items() for code in codes}
)


def finding(
    code: Code,
    *,
    mx_host: str | None = None,
    address: str | None = None,
    detail: str | None = None,
) -> Finding:
    """A finding with the severity of its code."""
    return Finding(
        code=code, severity=SEVERITY[code], mx_host=mx_host, address=address, detail=detail
    )
