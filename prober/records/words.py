"""The enums: the words of the reports that a program may compare."""

import enum
from collections.abc import Iterable


class Answer(enum.StrEnum):
    """Yes, no, or not tested. ``NOT_TESTED`` is neither good nor bad."""

    YES = "yes"
    NO = "no"
    NOT_TESTED = "not-tested"


def all_of(answers: Iterable[Answer]) -> Answer:
    """Yes if there are some and all are yes; no as soon as one is no."""
    found = set(answers)
    if Answer.NO in found:
        return Answer.NO
    return Answer.YES if found == {Answer.YES} else Answer.NOT_TESTED


def any_of(answers: Iterable[Answer]) -> Answer:
    """Yes as soon as one is yes; no if all are no, or there is none."""
    found = set(answers)
    if Answer.YES in found:
        return Answer.YES
    return Answer.NOT_TESTED if Answer.NOT_TESTED in found else Answer.NO


class Level(enum.StrEnum):
    """How well a domain receives mail encrypted. docs/verdict.md."""

    INVALID = "invalid"  # the input is not a domain
    NO_MAIL = "no-mail"
    UNKNOWN = "unknown"
    NONE = "none"
    PARTIAL = "partial"
    OPPORTUNISTIC = "opportunistic"
    AUTHENTICATED = "authenticated"
    ENFORCED = "enforced"


class Standing(enum.StrEnum):
    """Whether a domain meets what is required."""

    MEETS = "meets"
    FALLS_SHORT = "falls-short"
    UNDECIDED = "undecided"
    NEUTRAL = "neutral"  # it says that it receives no mail
    INVALID = "invalid"


class Gap(enum.StrEnum):
    """Why a domain does not meet the requirement, if no finding says it."""

    NO_DOMAIN = "not-a-domain"
    FAULT = "internal-fault"  # of this program
    TLS_NOT_REQUIRED = "tls-not-required"  # neither DANE nor MTA-STS tells senders to use TLS
    NOT_AUTHENTICATED = "not-authenticated"
    BELOW_PROFILE = "below-profile"
    NOT_SEEN = "not-seen"  # something was not seen, and no finding names it


class Encrypted(enum.StrEnum):
    """The level in one word, for readers who ask only whether mail is encrypted."""

    YES = "yes"
    PARTIAL = "partial"
    NO = "no"
    UNKNOWN = "unknown"
    NO_MAIL = "no-mail"


class Dnssec(enum.StrEnum):
    """The DNSSEC state of an answer. RFC 4035 §4.3."""

    SECURE = "secure"
    INSECURE = "insecure"
    BOGUS = "bogus"
    INDETERMINATE = "indeterminate"  # no resolver here whose word counts


class RouteStatus(enum.StrEnum):
    """Where mail for a domain goes. RFC 5321 §5.1, RFC 7505."""

    MX = "mx"
    IMPLICIT_MX = "implicit-mx"
    NULL_MX = "null-mx"
    NXDOMAIN = "nxdomain"
    NO_MAIL_HOST = "no-mail-host"  # nothing it names has an address
    DNS_ERROR = "dns-error"


class Step(enum.StrEnum):
    """The step of a session, or of the look-up before it, at which something failed."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    GREETING = "greeting"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    HANDSHAKE = "handshake"
    POST_TLS = "post-tls"


class Reason(enum.StrEnum):
    """Why a step failed."""

    # the peer, or the path to it
    TIMED_OUT = "timed-out"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    RESET = "reset"
    CLOSED = "closed"
    BAD_REPLY = "bad-reply"  # a code that stops the session, or no SMTP reply at all
    MASKED = "masked"  # a middlebox overwrote the greeting or the EHLO keywords
    ALERT = "alert"
    TLS_ERROR = "tls-error"  # not TLS, or TLS that OpenSSL will not accept
    # the resolver
    SERVFAIL = "servfail"
    DNS_REFUSED = "dns-refused"  # REFUSED, NOTIMP and every other error code
    BOGUS = "bogus"
    NO_NAMESERVER = "no-nameserver"
    # what we chose not to contact
    PRIVATE_ADDRESS = "private-address"
    INVALID_NAME = "invalid-name"  # no host can have it; never looked up
    LIMIT = "limit"  # a bound of ours cut it off
    # this machine, never the host
    NO_IPV6_HERE = "no-ipv6-here"
    NO_IPV4_HERE = "no-ipv4-here"
    LOCAL = "local"  # out of files, ports or memory, or a firewall of our own
    FAULT = "internal-fault"  # an error in this program
    UNFINISHED = "unfinished"  # still being asked: in no report, only shown while a run goes on


class StartTls(enum.StrEnum):
    """Whether a host offers STARTTLS. RFC 3207 §4."""

    NOT_TESTED = "not-tested"  # no clean EHLO reply, or a 421
    NOT_OFFERED = "not-offered"
    OFFERED = "offered"
    REFUSED = "refused"  # offered, then not granted


class Confirmed(enum.StrEnum):
    """Whether a second session confirmed a negative result."""

    YES = "yes"
    NO = "no"
    NOT_NEEDED = "not-needed"


class Hello(enum.StrEnum):
    """The ClientHello of a session. A server may answer each kind differently.

    A large one has a post-quantum key share and takes more than one packet.
    """

    DEFAULT = "default"  # SNI, large: OpenSSL 3.5 or newer and most large operators
    SMALL = "small"  # SNI, without post-quantum groups: one packet
    NO_SNI = "no-sni"  # the same without SNI: Postfix and Exim, unless DANE or configuration asks
    NO_SNI_LARGE = "no-sni-large"  # large, without SNI: Postfix on OpenSSL 3.5 or newer
    TLS12 = "tls1.2"  # SNI, at most TLS 1.2
    ANONYMOUS = "anonymous"  # the same, and suites without a certificate


class AnomalyKind(enum.StrEnum):
    """Something unusual that a peer did, which its administrators will want to know."""

    BARE_LF = "bare-lf"
    HELO_ONLY = "helo-only"
    UNSOLICITED = "unsolicited"
    STARTTLS_RESPONSE_INJECTION = "starttls-response-injection"
    MASKED = "masked"
    REPLY_MALFORMED = "reply-malformed"  # senders read it differently, or not at all
    STARTTLS_OFFER_MALFORMED = "starttls-offer-malformed"  # not all senders see the offer
    CHAIN_TRUNCATED = "chain-truncated"
    MX_DUPLICATE = "mx-duplicate"
    MX_LEFT_OUT = "mx-left-out"
    NULL_MX_IGNORED = "null-mx-ignored"
    NULL_MX_PREFERENCE = "null-mx-preference"


class Dane(enum.StrEnum):
    """Whether an endpoint matches the TLSA records of its host. RFC 7672 §2.2."""

    MATCH = "match"
    MISMATCH = "mismatch"
    UNUSABLE = "unusable"
    NONE = "none"
    NO_TLS = "no-tls"
    NOT_TESTED = "not-tested"


class StsStatus(enum.StrEnum):
    """The state of MTA-STS for a domain. RFC 8461 §3; the last three are modes of a policy."""

    ABSENT = "absent"  # cleanly no TXT record
    TXT_INVALID = "txt-invalid"  # senders act as if there were none: RFC 8461 §3.1
    TEMPFAIL = "tempfail"  # the TXT record could not be looked up
    FETCH_FAILED = "fetch-failed"
    POLICY_INVALID = "policy-invalid"
    ENFORCE = "enforce"
    TESTING = "testing"
    NONE = "none"


class TlsRptStatus(enum.StrEnum):
    """Whether a domain asks for reports about TLS. RFC 8460 §3."""

    ABSENT = "absent"
    VALID = "valid"
    INVALID = "invalid"
    NOT_TESTED = "not-tested"


class Severity(enum.StrEnum):
    """How much a finding matters. Each row of the catalogue, ``findings.Code``, has one."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


class ProfileName(enum.StrEnum):
    """What ``--profile`` takes."""

    DEFAULT = "default"
    NIST = "nist-800-52r2"
    NCSC_NL = "ncsc-nl-2025"
    BSI = "bsi-tr-02102-2"
    HIPAA = "hipaa"


class Rating(enum.StrEnum):
    """How a norm rates a fact: NCSC-NL's four words, and two if the norm gives no answer."""

    GOOD = "good"
    SUFFICIENT = "sufficient"
    PHASE_OUT = "phase-out"  # allowed for some time yet
    INSUFFICIENT = "insufficient"
    NOT_NAMED = "not-named"  # in no list of the norm, and by no rule of the norm excluded
    NOT_TESTED = "not-tested"


class RatedFact(enum.StrEnum):
    """What a profile rates at an endpoint."""

    PROTOCOL = "protocol"
    SUITE = "suite"
    KEY_EXCHANGE = "key-exchange"
    KEY_EXCHANGE_HASH = "key-exchange-hash"
    KEY = "key"
    SIGNATURE = "signature"
    VALIDITY = "validity"
    ENCRYPT_THEN_MAC = "encrypt-then-mac"
    EXTENDED_MASTER_SECRET = "extended-master-secret"  # noqa: S105 (an extension of TLS)
    SECURE_RENEGOTIATION = "secure-renegotiation"
    SERVER_NAME_INDICATION = "server-name-indication"
    COMPRESSION = "compression"
    EARLY_DATA = "early-data"
    RAW_PUBLIC_KEY = "raw-public-key"
