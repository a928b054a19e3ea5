"""Which clauses of a norm a finding touches: one table, code by code, for reports and audits.

A clause is named where the finding is evidence on it, whether the norm says shall or should. That a
code has none says that no clause of these norms asks for it, as for most faults of DNS or SMTP.
"""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from prober.records import Code


class Norm(enum.StrEnum):
    """The documents of the table."""

    NIST = "NIST SP 800-52r2"
    NIST_MAIL = "NIST SP 800-177r1"
    NCSC_NL = "NCSC-NL 2025-05"
    BSI_MAIL = "BSI TR-03108 v2.0"
    HIPAA = "45 CFR 164.312"
    BOD = "BOD 18-01"


Clauses = Mapping[Norm, str]

_NONE: Final[Clauses] = MappingProxyType({})
_MAIL_IS_CLEAR: Final[Clauses] = MappingProxyType(
    {
        Norm.NIST_MAIL: "§5.2",
        Norm.BSI_MAIL: "§4.1.3",
        Norm.HIPAA: "(e)(1), (e)(2)(ii)",
    }
)
# BOD 18-01 asks that STARTTLS is offered. It forbids SSL, RC4 and 3DES besides: our OpenSSL has
# none of them, so only a finding of --deep is evidence on that.
_NOT_OFFERED: Final[Clauses] = MappingProxyType(dict(_MAIL_IS_CLEAR) | {Norm.BOD: "II.1.a.i"})
_TLS_IS_WEAK: Final[Clauses] = MappingProxyType(
    {Norm.BSI_MAIL: "§4.1.3", Norm.HIPAA: "(e)(1), (e)(2)(ii)"}
)


def _weak_tls(clauses: Clauses) -> Clauses:
    """*clauses* on one weakness of TLS, and those that ask for strong TLS."""
    return MappingProxyType(dict(clauses) | dict(_TLS_IS_WEAK))


_IDENTITY: Final[Clauses] = MappingProxyType(
    {Norm.NIST: "§3.2.1, §4.5", Norm.NIST_MAIL: "§5.2", Norm.BSI_MAIL: "§4.1.12"}
)
_NOT_ONE_OF_A_CA: Final[Clauses] = MappingProxyType({Norm.NIST: "§3.2.1", Norm.BSI_MAIL: "§4.1.12"})
_DANE: Final[Clauses] = MappingProxyType({Norm.NIST_MAIL: "§5.2", Norm.BSI_MAIL: "§4.1.5"})
_MTA_STS: Final[Clauses] = MappingProxyType({Norm.NIST_MAIL: "§5.2", Norm.BSI_MAIL: "§4.1.7"})

CLAUSES: Final[Mapping[Code, Clauses]] = MappingProxyType(
    {
        # RFC 8460 §4.3
        Code.STARTTLS_NOT_SUPPORTED: _NOT_OFFERED,
        Code.CERTIFICATE_HOST_MISMATCH: _IDENTITY,
        Code.CERTIFICATE_EXPIRED: _IDENTITY,
        Code.CERTIFICATE_NOT_TRUSTED: _IDENTITY,
        Code.DNSSEC_INVALID: _DANE,
        Code.TLSA_INVALID: _DANE,
        Code.STS_POLICY_FETCH_ERROR: _MTA_STS,
        Code.STS_POLICY_INVALID: _MTA_STS,
        Code.STS_WEBPKI_INVALID: _MTA_STS,
        # DNS
        Code.DNS_ERROR: _NONE,
        Code.DOMAIN_NOT_FOUND: _NONE,
        Code.NO_MAIL_HOST: _NONE,
        Code.NULL_MX: _NONE,
        Code.NULL_MX_IGNORED: _NONE,
        Code.NULL_MX_PREFERENCE: _NONE,
        Code.IMPLICIT_MX: _NONE,
        Code.MX_IS_CNAME: _NONE,
        Code.MX_IP_LITERAL: _NONE,
        Code.MX_LOCALHOST: _NONE,
        Code.MX_INVALID_NAME: _NONE,
        Code.NAME_WITH_UNDERSCORE: _NONE,
        Code.MX_NO_ADDRESS: _NONE,
        Code.MX_DUPLICATE: _NONE,
        Code.MX_NOT_LISTENING: _NONE,
        Code.LIMIT_REACHED: _NONE,
        # the session
        Code.NOT_TESTED: _NONE,
        Code.UNCONFIRMED: _NONE,
        Code.STARTTLS_REFUSED: _MAIL_IS_CLEAR,
        Code.STARTTLS_INTERMITTENT: _NOT_OFFERED,
        Code.STARTTLS_RESPONSE_INJECTION: _TLS_IS_WEAK,
        Code.STARTTLS_AFTER_TLS: _NONE,
        Code.TLS_FAILED: _MAIL_IS_CLEAR,
        Code.REPLY_MALFORMED: _NONE,
        Code.STARTTLS_OFFER_MALFORMED: _NOT_OFFERED,
        Code.LARGE_HELLO_INTOLERANT: _TLS_IS_WEAK,
        # SP 800-52r2: the server shall process and answer SNI
        Code.SNI_REFUSED: _weak_tls({Norm.NIST: "§3.4.1"}),
        Code.SNI_REQUIRED: _TLS_IS_WEAK,
        Code.TLS13_INTOLERANT: _weak_tls({Norm.NIST: "§3.1"}),
        Code.ANONYMOUS_ONLY: _weak_tls({Norm.NIST: "§3.2, §3.3.1", Norm.NCSC_NL: "appendix B"}),
        Code.SESSION_FAILED_AFTER_TLS: _NONE,
        Code.MASKED_BY_MIDDLEBOX: _NOT_OFFERED,
        Code.EHLO_NOT_SUPPORTED: _NOT_OFFERED,
        Code.BARE_LF: _NONE,
        Code.UNSOLICITED_DATA: _NONE,
        Code.CLIENT_CERTIFICATE_REQUESTED: _NONE,
        # TLS and certificates
        Code.TLS_VERSION_OBSOLETE: _weak_tls({Norm.NIST: "§3.1", Norm.NCSC_NL: "§3.3.1"}),
        Code.CIPHER_WEAK: _weak_tls(
            {Norm.NIST: "§3.3.1", Norm.NCSC_NL: "appendix B; §3.3.3, §3.3.4"}
        ),
        Code.DH_WEAK: _weak_tls({Norm.NIST: "§3.4.2", Norm.NCSC_NL: "§3.3.3"}),
        Code.CERTIFICATE_NOT_YET_VALID: _IDENTITY,
        Code.CERTIFICATE_EXPIRES_SOON: _NONE,
        Code.CERTIFICATE_SELF_SIGNED: _NOT_ONE_OF_A_CA,
        Code.CERTIFICATE_NAME_DISPUTED: _IDENTITY,
        Code.CERTIFICATE_COMMON_NAME_ONLY: _IDENTITY,
        Code.CERTIFICATE_KEY_USAGE: MappingProxyType({Norm.NIST: "§3.2.1"} | dict(_TLS_IS_WEAK)),
        Code.CERTIFICATE_SAN_MALFORMED: _IDENTITY,
        Code.CERTIFICATE_UNREADABLE: _IDENTITY,
        Code.CERTIFICATE_KEY_WEAK: _weak_tls({Norm.NIST: "§3.2.1", Norm.NCSC_NL: "§3.3.2"}),
        Code.CERTIFICATE_SIGNATURE_WEAK: _weak_tls({Norm.NIST: "§3.2.1", Norm.NCSC_NL: "§3.3.5"}),
        Code.CHAIN_INCOMPLETE: _IDENTITY,
        Code.CHAIN_MISORDERED: _NONE,
        Code.CHAIN_TRUNCATED: _NONE,
        Code.TRUST_NOT_TESTED: _NONE,
        # what else the server accepts
        Code.LEGACY_VERSION_ACCEPTED: _weak_tls({Norm.NIST: "§3.1", Norm.NCSC_NL: "§3.3.1"}),
        Code.BROKEN_SUITE_ACCEPTED: _weak_tls(
            {Norm.NIST: "§3.3.1", Norm.NCSC_NL: "appendix B; §3.3.3, §3.3.4", Norm.BOD: "II.1.a.ii"}
        ),
        Code.ANONYMOUS_SUITE_ACCEPTED: _weak_tls(
            {Norm.NIST: "§3.2, §3.3.1", Norm.NCSC_NL: "appendix B"}
        ),
        Code.STATIC_KEY_EXCHANGE_ACCEPTED: _weak_tls(
            {Norm.NIST: "§3.3.1", Norm.NCSC_NL: "appendix B; §3.3.3"}
        ),
        Code.DH_WEAK_ACCEPTED: _weak_tls({Norm.NIST: "§3.4.2", Norm.NCSC_NL: "§3.3.3"}),
        Code.POST_QUANTUM_MISSING: _NONE,
        Code.CERTIFICATES_DIFFER: _IDENTITY,
        Code.COMPRESSION_ACCEPTED: _weak_tls({Norm.NIST: "§3.7", Norm.NCSC_NL: "§3.4.1"}),
        Code.RENEGOTIATION_INSECURE: _weak_tls({Norm.NIST: "§3.4.1", Norm.NCSC_NL: "§3.4.2"}),
        Code.DEEP_NOT_TESTED: _NONE,
        # DANE
        Code.TLSA_NOT_TESTED: _NONE,
        Code.DNSSEC_PROOF_INVALID: _NONE,
        Code.TLSA_UNUSABLE: _DANE,
        Code.TLSA_STALE: _NONE,
        Code.TLSA_SPARE: _NONE,
        Code.TLSA_INSECURE: _DANE,
        Code.TLSA_MX_INSECURE: _DANE,
        Code.DANE_NO_TLS: MappingProxyType(
            dict(_MAIL_IS_CLEAR) | {Norm.BSI_MAIL: "§4.1.3, §4.1.5"}
        ),
        # MTA-STS and TLS-RPT
        Code.STS_TXT_INVALID: _MTA_STS,
        Code.STS_NOT_TESTED: _NONE,
        Code.STS_MX_NOT_LISTED: _MTA_STS,
        Code.STS_MX_FAILS: _MTA_STS,
        Code.STS_MAX_AGE_SHORT: _MTA_STS,
        Code.STS_NOT_ENFORCED: _MTA_STS,
        Code.STS_WITHOUT_TXT: _MTA_STS,
        Code.STS_SENDERS_DIFFER: _MTA_STS,
        Code.TLS_RPT_INVALID: MappingProxyType({Norm.NIST_MAIL: "§5.2", Norm.BSI_MAIL: "§4.1.10"}),
    }
)
