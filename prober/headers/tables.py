"""Every list and number that reading and judging Received fields needs, with its source."""

import enum
import ipaddress
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

MAX_CHARACTERS: Final = 8192  # of one line: RFC 5322 §2.1.1 allows 998 each, real ones have 2,000
MAX_DATES: Final = 8  # parts between semicolons in which one is looked for
MAX_NAME: Final = 253  # RFC 1035 §2.3.4
MAX_LINES: Final = 200  # of one message: RFC 5321 §6.3 takes 100 for a loop
MAX_SERVERS: Final = 100_000  # whose habits are kept: about 300 bytes each
OPERATOR_STATEMENTS: Final = 3  # by other servers of an operator, before they speak for this one
MAX_PROBED: Final = 200  # names in one run: a mailbox has a handful of receivers
CLOCK_TOLERANCE_S: Final = 60  # clocks of mail servers differ by seconds; queues only delay
SAME_NETWORK_IPV4: Final = 24  # two addresses in one such network are of one operator
SAME_NETWORK_IPV6: Final = 64  # RFC 4291 §2.5.4: one link; hosters let parts of all above
OWN_NETWORK_IPV6: Final = 32  # RFC 6177 §2: what a registry allots to one provider
MIN_KEY_BITS: Final = 40  # export ciphers; what is less is GnuTLS's count of bytes
STRONGEST_BYTES: Final = 32

# RFC 3848 §1, RFC 6531 §4.3: TLS, by the S. The others are spelt like that in the wild.
KEYWORDS_TLS: Final = frozenset(
    {
        *("esmtps", "esmtpsa", "lmtps", "lmtpsa"),
        *("utf8smtps", "utf8smtpsa", "utf8lmtps", "utf8lmtpsa"),
        *("smtps", "smtpsa"),  # Yahoo, Google, Zoho
        *("utf8esmtps", "utf8esmtpsa"),  # Exim
        *("local-esmtps", "local-esmtpsa"),  # Exim
    }
)


# A word that says SMTP, of whatever kind: "ESMTPA", "asmtp" (Exim before 4.50), "SMTPSVC".
SMTP_KEYWORD: Final = re.compile(r"\b(?:utf8)?[ae]?smtp(?:svc)?s?a?\b", re.IGNORECASE | re.ASCII)

# RFC 3848 §1, RFC 6531 §4.3: the client gave a password, so it is somebody's, not the provider's.
KEYWORDS_AUTHENTICATED: Final = frozenset(
    {"esmtpa", "esmtpsa", "smtpsa", "utf8smtpa", "utf8smtpsa", "utf8esmtpa", "utf8esmtpsa"}
)


class Internal(enum.StrEnum):
    """Why a hop needs no encryption of its own to be seen: it crosses no foreign network."""

    SAME_HOST = "the message stayed on one host"
    PRIVATE_ADDRESS = "the peer's address is private"
    LOCAL_SUBMISSION = "it was handed in on the host itself"
    LMTP = "LMTP delivers within a provider"
    MAPI = "MAPI moves mail within Exchange"
    WEB = "it was written by web or API, no transfer between mail servers"
    SAME_PROVIDER = "both servers are of one provider"
    SAME_NETWORK = "both addresses are of one network"
    HANDED_ON = "one of the provider's own systems handed it on"
    NOTE = "it is a note of a program on the same host, not a transfer"


# Words of the with clause: RFC 5321 §4.4, RFC 3848, and those that real lines have.
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
                "spool",  # LISTSERV takes it from its own queue
            ),
            Internal.HANDED_ON,
        ),
    }
)

# Comments, and words before the first keyword, of a message that did not come over a network.
LOCAL_COMMENTS: Final = re.compile(
    r"(?:Postfix, from userid \d+|from \S+@localhost|qmail \d+ invoked (?:by|for|from) .*"
    r"|CommuniGate Pro (?:PIPE|LIST|RULE|GROUP|ACCOUNT|AUTO|MAPI|XIMSS|AIRSYNC|EWS)\b.*"
    r"|sSMTP sendmail emulation|nullmailer.*|\d[\w.+/-]*/Submit(?:_local)?|uid \d+)\Z",
    re.IGNORECASE | re.DOTALL,
)
LOCAL_PEERS: Final = re.compile(r"\[(?:local|unix socket|unix: localhost)\]{0,2}\Z", re.IGNORECASE)
LOCAL_PHRASES: Final = ("mail pickup service",)  # Microsoft SMTPSVC
HIDDEN_PEERS: Final = ("authenticated user",)  # written in place of the client, for its privacy

# Networks of the host itself or of a private network, in canonical text: by the first number of
# an IPv4 address which second numbers, and how an IPv6 address begins.
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

# Where a name stands in a line and no name is meant.
NO_NAMES: Final = frozenset({"unknown", "unverified", "softdnserr", "verified", "no", "mail"})

# The same of a receiver: a host may bear any other name.
NO_RECEIVERS: Final = frozenset({"unknown", "unverified"})

# Software that writes a reverse name as it is, without looking whether it leads back: Haraka
# connection.js (remote.info), OpenSMTPD smtp_session.c (rdns, fcrdns apart), hMailServer (PTR).
NAMES_UNCHECKED: Final = frozenset({"Haraka", "OpenSMTPD", "hMailServer"})

# One operator under several registered domains: the name that stands for all of them.
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

# Who lets no host in its IPv6 network to anybody.
HAS_OWN_NETWORK: Final = frozenset({"outlook.com"})
# Whole networks of one operator, in which no stranger has an address.
OWN_NETWORKS: Final = MappingProxyType({"icloud.com": ipaddress.ip_network("17.0.0.0/8")})
# Lone names under which an operator's servers write.
LONE_NAMES: Final = ((re.compile(r"p\d\d-icloudmta-[\w-]{1,80}"), "icloud.com"),)

# Whose lines without a peer are hand-overs within, not a peer left out for privacy.
HANDS_ON_WITHOUT_PEER: Final = frozenset(
    {"google.com", "icloud.com", "sendgrid.net", "mailgun.net", "mailgun.org", "mandrillapp.com"}
)
# Who names the address of every peer but its own.
HANDS_ON_WITHOUT_ADDRESS: Final = frozenset({"icloud.com"})
# Servers of a provider that hand on what another of them took in: without a peer, and (second)
# with an address but neither a protocol nor a client's word.
HANDS_ON: Final = re.compile(r"(?:recvd|filter|geopod|ismtpd)[\w-]{0,80}(?:\.sendgrid\.net)?")
HANDS_ON_LATER: Final = re.compile(
    r"[\w-]{1,63}\.bemta[\w.-]{0,80}\.(?:messagelabs\.com|symcld\.net)"
)
# Software whose line without a client and without a protocol is of a notice of its own, or of a
# message that a list or an alias sends on.
WRITES_NOTICES: Final = frozenset({"Postfix", "Sendmail", "Exim", "PowerMTA", "Zimbra"})

# Labels at the end of names that mean something only inside: RFC 6761, RFC 6762 appendix G.
PRIVATE_SUFFIXES: Final = frozenset(
    {
        *("local", "localhost", "localdomain", "internal", "intranet", "private", "corp", "home"),
        *("lan", "arpa", "invalid", "docker", "cluster", "workgroup", "onion"),
    }
)


@dataclass(frozen=True, slots=True)
class Software:
    """A family of servers by what it writes: in a comment, in the with clause, or as by name.

    The patterns match at the beginning of a comment, and anywhere in the with clause.
    """

    name: str
    comment: str | None = None
    protocol: str | None = None
    host: tuple[str, ...] = ()


# The first that fits: services before the software they run.
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
        "qmail",  # s/qmail too; TLS is its patch's
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

# Software whose own documentation or source has it state TLS whenever TLS was used, as installed.
# An operator may configure another text, hence "probably". docs/headers.md names the sources.
SHIPPED_HABITS: Final = MappingProxyType(
    {
        "Postfix": "Postfix writes ESMTPS where TLS was used, since version 2.5 of 2008",
        "Exim": "Exim names TLS beside its protocol, since version 4 of 2002",
        "Sendmail": "Sendmail writes version and cipher where TLS was used, since 8.11 of 2000",
        "OpenSMTPD": "OpenSMTPD writes ESMTPS where TLS was used, since its first release of 2013",
    }
)
SHIPPED_SINCE: Final = MappingProxyType(  # the first whole year
    {"Postfix": 2008, "Exim": 2002, "Sendmail": 2001, "OpenSMTPD": 2013}
)
FIRST_YEAR: Final = 1982  # RFC 822; what is dated before or after is no date
LAST_YEAR: Final = 2100
