"""All lists and limits for parsing and judging Received fields, each with its source."""

import enum
import ipaddress
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

MAX_CHARACTERS: Final = 8192  # per field; RFC 5322 §2.1.1: 998 per line; real fields: 2,000
MAX_DATES: Final = 8  # how many parts between semicolons are searched for a date
MAX_NAME: Final = 253  # RFC 1035 §2.3.4
MAX_LINES: Final = 200  # per message; RFC 5321 §6.3 calls 100 a loop
MAX_SERVERS: Final = 100_000  # whose habits are kept; about 300 bytes each
OPERATOR_STATEMENTS: Final = 3  # how many lines of an operator's other servers count as a habit
MAX_PROBED: Final = 200  # names per run; a mailbox usually has fewer than ten receivers
CLOCK_TOLERANCE_S: Final = 60  # seconds by which clocks of mail servers may differ
SAME_NETWORK_IPV4: Final = 24  # prefix length; two addresses in one such network have one operator
SAME_NETWORK_IPV6: Final = 64  # RFC 4291 §2.5.4: one link; parts of larger ones are rented out
OWN_NETWORK_IPV6: Final = 32  # RFC 6177 §2: a registry allocates this much to one provider
MIN_KEY_BITS: Final = 40  # export ciphers; a smaller number is a number of bytes, from GnuTLS
STRONGEST_BYTES: Final = 32

# RFC 3848 §1, RFC 6531 §4.3: the S means TLS. The rows below are spellings found in real mail.
KEYWORDS_TLS: Final = frozenset(
    {
        *("esmtps", "esmtpsa", "lmtps", "lmtpsa"),
        *("utf8smtps", "utf8smtpsa", "utf8lmtps", "utf8lmtpsa"),
        *("smtps", "smtpsa"),  # Yahoo, Google, Zoho
        *("utf8esmtps", "utf8esmtpsa"),  # Exim
        *("local-esmtps", "local-esmtpsa"),  # Exim
    }
)


# A word for any kind of SMTP: "ESMTPA", "asmtp" (Exim before 4.50), "SMTPSVC".
SMTP_KEYWORD: Final = re.compile(r"\b(?:utf8)?[ae]?smtp(?:svc)?s?a?\b", re.IGNORECASE | re.ASCII)

# RFC 3848 §1, RFC 6531 §4.3: the client gave a password, so it is a customer's host.
KEYWORDS_AUTHENTICATED: Final = frozenset(
    {"esmtpa", "esmtpsa", "smtpsa", "utf8smtpa", "utf8smtpsa", "utf8esmtpa", "utf8esmtpsa"}
)


class Internal(enum.StrEnum):
    """Why a hop does not need encryption: it crosses no foreign network."""

    SAME_HOST = "the message stayed on one host"
    PRIVATE_ADDRESS = "the peer's address is private"
    LOCAL_SUBMISSION = "the message was submitted on the host itself"
    LMTP = "LMTP delivers within a provider"
    MAPI = "MAPI moves mail within Exchange"
    WEB = "the message was submitted by web or API, not by another mail server"
    SAME_PROVIDER = "both servers belong to one provider"
    SAME_NETWORK = "both addresses are in one network"
    INTERNAL_RELAY = "one of the provider's own systems relayed the message"
    NOTE = "the line is a note of a program on the same host, not a transfer"


# Words of the with clause: RFC 5321 §4.4, RFC 3848, and words found in real lines.
KEYWORDS_INTERNAL: Final = MappingProxyType(
    {
        **dict.fromkeys(("lmtp", "lmtpa", "utf8lmtp", "utf8lmtpa"), Internal.LMTP),
        "mapi": Internal.MAPI,
        **dict.fromkeys(("http", "https", "httprest", "httpu", "httpd"), Internal.WEB),
        **dict.fromkeys(
            (
                *("local", "local-esmtp", "local-smtp", "local-bsmtp"),  # Exim
                *("local-esmtps", "local-esmtpsa", "local-esmtpa"),
                *("stdin", "pipe"),
            ),
            Internal.LOCAL_SUBMISSION,
        ),
        **dict.fromkeys(
            (
                *("nnfmp", "ecstream", "thrift", "novell_groupwise", "dmap"),
                "spool",  # LISTSERV reads its own queue
            ),
            Internal.INTERNAL_RELAY,
        ),
    }
)

# Comments of a message that did not come over a network.
LOCAL_COMMENTS: Final = re.compile(
    r"(?:Postfix, from userid \d+|from \S+@localhost|qmail \d+ invoked (?:by|for|from) .*"
    r"|CommuniGate Pro (?:PIPE|LIST|RULE|GROUP|ACCOUNT|AUTO|MAPI|XIMSS|AIRSYNC|EWS)\b.*"
    r"|sSMTP sendmail emulation|nullmailer.*|\d[\w.+/-]*/Submit(?:_local)?|uid \d+)\Z",
    re.IGNORECASE | re.DOTALL,
)
LOCAL_PEERS: Final = re.compile(r"\[(?:local|unix socket|unix: localhost)\]{0,2}\Z", re.IGNORECASE)
LOCAL_PHRASES: Final = ("mail pickup service",)  # Microsoft SMTPSVC
HIDDEN_PEERS: Final = ("authenticated user",)  # replaces the client, to protect its privacy

# Loopback, private and link-local networks. IPv4: the first number of the address, and the range of
# the second number. IPv6: how the canonical text begins.
INTERNAL_IPV4: Final = MappingProxyType(
    {
        127: range(256),  # RFC 1122 §3.2.1.3
        10: range(256),  # RFC 1918
        172: range(16, 32),
        192: range(168, 169),
        100: range(64, 128),  # RFC 6598
        169: range(254, 255),  # RFC 3927
    }
)
INTERNAL_IPV6: Final = re.compile(
    r"::1\Z"  # RFC 4291 §2.5.3
    r"|f[cd][0-9a-f]{2}:"  # RFC 4193: fc00::/7
    r"|fe[89ab][0-9a-f]:"  # RFC 4291 §2.5.6: fe80::/10
    r"|2002:a[0-9a-f]{2}:"  # RFC 3056 around 10/8: Google's internal addresses
)

# Words in place of a name that mean: no name.
NO_NAMES: Final = frozenset({"unknown", "unverified", "softdnserr", "verified", "no", "mail"})

# The same for a receiver. Any other word may be the name of a host.
NO_RECEIVERS: Final = frozenset({"unknown", "unverified"})

# Software that writes a reverse name without checking that it resolves to the address: Haraka
# connection.js (remote.info), OpenSMTPD smtp_session.c (rdns, fcrdns apart), hMailServer (PTR).
NAMES_UNCHECKED: Final = frozenset({"Haraka", "OpenSMTPD", "hMailServer"})

# Operators with several registered domains: each domain, and the one name used for all of them.
SAME_OPERATOR: Final = MappingProxyType(
    {
        **dict.fromkeys(("googlemail.com", "gmail.com"), "google.com"),
        **dict.fromkeys(("office365.com", "exchangelabs.com", "hotmail.com"), "outlook.com"),
        **dict.fromkeys(("me.com", "mac.com", "apple.com"), "icloud.com"),
        **dict.fromkeys(("yahoodns.net", "aol.com"), "yahoo.com"),
        **dict.fromkeys(("gmx.net", "gmx.com", "web.de", "kundenserver.de"), "gmx.net"),
        "symcld.net": "messagelabs.com",
    }
)

# Operators that rent out no host in their IPv6 network.
OWN_IPV6_NETWORK: Final = frozenset({"outlook.com"})
# Networks in which only this operator has addresses.
OWN_NETWORKS: Final = MappingProxyType({"icloud.com": ipaddress.ip_network("17.0.0.0/8")})
# Host names without a dot that an operator's servers use.
LONE_NAMES: Final = ((re.compile(r"p\d\d-icloudmta-[\w-]{1,80}"), "icloud.com"),)

# Operators whose lines without a peer are internal relays. Others omit the peer for privacy.
OMITS_INTERNAL_PEERS: Final = frozenset(
    {"google.com", "icloud.com", "sendgrid.net", "mailgun.net", "mailgun.org", "mandrillapp.com"}
)
# Operators that write the address of every peer, except of their own hosts.
OMITS_INTERNAL_ADDRESSES: Final = frozenset({"icloud.com"})
# Servers of a provider that relay mail from its other servers. The first kind writes no peer; the
# second writes an address, but no protocol and no HELO.
INTERNAL_RELAYS: Final = re.compile(
    r"(?:recvd|filter|geopod|ismtpd)[\w-]{0,80}(?:\.sendgrid\.net)?"
)
INTERNAL_RELAYS_WITH_ADDRESS: Final = re.compile(
    r"[\w-]{1,63}\.bemta[\w.-]{0,80}\.(?:messagelabs\.com|symcld\.net)"
)
# Software that writes a line without client and protocol for its own notices, and for messages from
# a list or an alias.
WRITES_NOTICES: Final = frozenset({"Postfix", "Sendmail", "Exim", "PowerMTA", "Zimbra"})

# Last labels of names that exist only inside a network: RFC 6761, RFC 6762 appendix G.
PRIVATE_SUFFIXES: Final = frozenset(
    {
        *("local", "localhost", "localdomain", "internal", "intranet", "private", "corp", "home"),
        *("lan", "arpa", "invalid", "docker", "cluster", "workgroup", "onion"),
    }
)


@dataclass(frozen=True, slots=True)
class Software:
    """A family of servers, recognised by a comment, a ``with`` clause, or the host name in ``by``.

    Patterns match at the start of a comment, and anywhere in the ``with`` clause.
    """

    name: str
    comment: str | None = None
    protocol: str | None = None
    host: tuple[str, ...] = ()


# The first match counts, so services come before the software that they run.
SOFTWARE: Final = (
    Software("Proofpoint Essentials", r"PPE Hosted ESMTP", host=("ppe-hosted.com",)),
    Software("Google", host=("google.com", "gmail.com", "googlemail.com")),
    Software("Mimecast", host=("mimecast.com",)),
    Software("MessageLabs", host=("messagelabs.com",)),
    Software("Amazon SES", host=("amazonaws.com", "amazonses.com")),
    Software("Yahoo", r".*Hermes SMTP Server", r"NNFMP", ("yahoo.com", "aol.com")),
    Software("IronPort", protocol=r"E?SMTP/TLS", host=("iphmx.com",)),
    Software("Postini", host=("postini.com",)),
    Software("Barracuda", r"Barracuda", host=("barracudanetworks.com", "cudasvc.com")),
    Software("Zimbra", r"Zimbra"),
    Software("Postfix", r"Postfix\b"),
    Software("Exim", r"Exim \d|tls_cipher |connectmail/exim"),
    Software("Sendmail", r"8\.\d[\w.+-]*/[\w.+/~-]*\Z|Sendmail"),
    Software("OpenSMTPD", r"OpenSMTPD\Z"),
    Software("Haraka", r"Haraka"),
    Software("Stalwart", r"Stalwart"),
    Software("qpsmtpd", r"qpsmtpd"),
    Software(
        "qmail",  # s/qmail too; the TLS patch writes this
        r"qmail \d+ invoked|[a-z0-9][\w+-]{4,63} encrypted(?:, authenticated)?\Z",
        r"qmail|encrypted SMTP",
    ),
    Software("CommuniGate Pro", r"CommuniGate"),
    Software("Momentum", r"ecelerity|Momentum"),
    Software("Cellopoint", r"Cellopoint"),
    Software("Halon", r"Halon"),
    Software("MDaemon", r"MDaemon"),
    Software("hMailServer", r"hMailServer"),
    Software("Kerio Connect", r"Kerio"),
    Software("Trustwave SEG", r"using TLS:|Trustwave|MailMarshal", r"Trustwave|MailMarshal"),
    Software("Oracle Messaging Server", r"(?:Oracle|Sun|iPlanet).* Messaging|PMDF"),
    Software("PowerMTA", r"PowerMTA"),
    Software("amavis", r"amavis"),
    Software("Cyrus", r"Cyrus"),
    Software("Dovecot", r"Dovecot"),
    Software("Nemesis", r"Nemesis"),
    Software("InterMail", r"InterMail|Openwave"),
    Software("Lotus Domino", r".*Domino"),
    Software("IceWarp", r"IceWarp|Merak"),
    Software("Axigen", r"Axigen"),
    Software("Scalix", r"Scalix"),
    Software("Clearswift", r"Clearswift"),
    Software("Symantec Messaging Gateway", r"Symantec"),
    Software("Sophos", r"Sophos"),
    Software("fetchmail", r"fetchmail"),
    Software("ZMailer", r"ORCPT <"),
    Software("Courier", r"courier|AUTH: |TLS: "),
    Software("XMail", protocol=r"XMail"),
    Software("MailEnable", protocol=r"MailEnable"),
    Software("Exchange", protocol=r"Microsoft SMTP Server|\bmapi\b"),
    Software("Microsoft SMTPSVC", protocol=r"Microsoft SMTPSVC"),
    Software("GroupWise", protocol=r"Novell_GroupWise"),
)

# Software that states TLS whenever it was used, by default, as its documentation or source shows.
# An operator may configure another text, so the judgement says "probably". Sources:
# docs/headers.md.
SHIPPED_HABITS: Final = MappingProxyType(
    {
        "Postfix": "Postfix writes ESMTPS where TLS was used, since version 2.5 of 2008",
        "Exim": "Exim names TLS beside its protocol, since version 4 of 2002",
        "Sendmail": "Sendmail writes version and cipher where TLS was used, since 8.11 of 2000",
        "OpenSMTPD": "OpenSMTPD writes ESMTPS where TLS was used, since its first release of 2013",
    }
)
SHIPPED_SINCE: Final = MappingProxyType(  # the first full year
    {"Postfix": 2008, "Exim": 2002, "Sendmail": 2001, "OpenSMTPD": 2013}
)
FIRST_YEAR: Final = 1982  # RFC 822; dates outside these years are ignored
LAST_YEAR: Final = 2100
