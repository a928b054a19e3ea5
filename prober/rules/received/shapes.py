"""The forms in which servers state TLS in a Received field, as one table.

Each form is anchored at both ends of one comment, or of the words of one clause: a word like TLS
inside a host name, an id or a queue name therefore never counts. Named groups carry the facts.
"""

import enum
import re
from dataclasses import dataclass
from typing import Final

from prober.records.headers import ClientCertificate


class Place(enum.Enum):
    """Where in a line a form may stand."""

    COMMENT = "any comment"
    WITH_COMMENT = "a comment of the with clause"
    WITH = "the words of the with clause"
    BY = "the words of the by clause behind the name"
    TLS = "the tls clause"


@dataclass(frozen=True, slots=True)
class Shape:
    """One form: its name, where it may stand, how it reads, who writes it."""

    name: str
    place: Place
    pattern: re.Pattern[str]
    writers: str


# "TLSv1.3", "TLS1_3", "TLS-1.0", "TLS", "TLSv1/SSLv3", "SSLv23"
_PROTOCOL = r"(?P<protocol>(?:TLS|SSL)(?:[_-]?v?\d+(?:[._]\d+)*)?(?:/SSLv\d)?)(?![\w./-])"
_ALGORITHM = r"(?:AES|DES|RC[24]|CHACHA|CAMELLIA|ARIA|SEED|IDEA|NULL|GOST|SM4)"
_CIPHER = rf"(?P<cipher>(?=[\w+-]*{_ALGORITHM})[A-Z0-9][\w+-]*)"
_ANY_CIPHER = r"(?P<cipher>[\w+-]+)"  # behind "cipher": also Google's OTHER
_BITS = r"(?P<bits>\d{1,4})(?:/\d{1,4})?"
_SMTP = r"(?:E?SMTP)"
_VERIFY = r"(?:,? verify=(?P<verify>\w+))?"
_REST = r"(?:,? [\w.-]+=(?:\"[^\"]*\"|[^\s\"]+))*"


def _shape(name: str, place: Place, pattern: str, writers: str) -> Shape:
    return Shape(name, place, re.compile(rf"(?:{pattern})\Z", re.IGNORECASE | re.ASCII), writers)


SHAPES: Final = (
    _shape(
        "using",
        Place.COMMENT,
        rf"using {_PROTOCOL}(?: with cipher {_ANY_CIPHER}(?: \({_BITS} bits\))?)?"
        r"(?: key-exchange (?P<key_exchange>[^\s()]+(?: \([^()]*\))?))?"
        r"(?: (?:server|client)-(?:signature|digest)\b.*)?",
        "Postfix, Proofpoint, Stalwart, Kerio, Mimecast, Postini, Sophos",
    ),
    _shape(
        "using-colon",
        Place.COMMENT,
        rf"using TLS: ?{_PROTOCOL}(?:, ?{_CIPHER})?",
        "Trustwave SEG, MailMarshal",
    ),
    _shape(
        "version",
        Place.COMMENT,
        rf"version={_PROTOCOL},? cipher={_ANY_CIPHER}(?:,? bits={_BITS})?{_VERIFY}{_REST}",
        "Sendmail, Proofpoint, Google, Exchange, Yahoo, Mimecast, Barracuda, hMailServer, Haraka",
    ),
    _shape(
        "cipher",
        Place.COMMENT,
        rf"cipher={_CIPHER}(?:,? bits={_BITS})?{_VERIFY}{_REST}",
        "Momentum (Ecelerity), old Haraka",
    ),
    _shape(
        "colon",
        Place.COMMENT,
        rf"(?:(?:tls_cipher|Cipher) )?{_PROTOCOL}:{_CIPHER}"
        r"(?::(?P<bits>\d{1,4}))?(?::(?P<verify>[A-Z]+))?(?: encrypted)?",
        "Exim with GnuTLS or before 4.94, OpenSMTPD, T-Online",
    ),
    _shape(
        "courier",
        Place.COMMENT,
        rf"(?:AUTH: .*, )?TLS: ?{_PROTOCOL}, ?(?P<bits>\d{{1,4}}) ?bits, ?{_CIPHER}",
        "Courier",
    ),
    _shape(
        "firewall",
        Place.COMMENT,
        rf"Cellopoint E-mail Firewall v[\w. ]+ with {_PROTOCOL}(?: {_CIPHER} {_BITS})?",
        "Cellopoint",
    ),
    _shape("protocol", Place.WITH_COMMENT, _PROTOCOL, "Exim since 4.94, Exchange before 2016"),
    _shape(
        "encrypted",
        Place.WITH_COMMENT,
        rf"{_CIPHER} encrypted(?:, authenticated)?",
        "s/qmail, qmail with its TLS patch, qpsmtpd",
    ),
    _shape(
        "encrypted-smtp",
        Place.WITH,
        rf"{_CIPHER} encrypted {_SMTP}\w*",
        "qmail with its TLS patch, MessageLabs",
    ),
    _shape("slashes", Place.WITH, rf"{_SMTP}/TLS(?:/{_CIPHER})?", "IronPort (Cisco)"),
    _shape("hyphen", Place.WITH, rf"{_SMTP}-TLS", "CommuniGate Pro before 5"),
    _shape("starttls", Place.WITH, rf"{_SMTP} STARTTLS", "Mimecast"),
    _shape("secured-channel", Place.BY, r"over TLS secured channel", "Microsoft SMTPSVC"),
    _shape("tls-clause", Place.TLS, _CIPHER, "Exim since 4.94; RFC 8314 §4.3"),
)

# Every form has one of these words or algorithms in it: a quick look before a long one.
HINT: Final = re.compile(rf"TLS|SSL|cipher|encrypted|{_ALGORITHM}", re.IGNORECASE)

DENIALS: Final = re.compile(
    r"(?:not encrypted|unencrypted|no encryption|(?:not using|without|no) (?:TLS|encryption)"
    r"|TLS not used|(?:version|tls|cipher)=(?:none|no|off)\b.*)\Z",
    re.IGNORECASE,
)

# Words about the client's certificate; Postfix src/smtpd/smtpd.c, Sendmail op.me on ${verify}.
CLIENT_COMMENTS: Final = (
    (re.compile(r"No client certificate requested\Z"), ClientCertificate.NOT_REQUESTED),
    (re.compile(r"Client did not present a certificate\Z"), ClientCertificate.NOT_PRESENTED),
    (re.compile(r"Client (?:CN|RPK).*\(verified OK\)\Z"), ClientCertificate.VERIFIED),
    (re.compile(r"Client (?:CN|RPK).*\(not verified\)\Z"), ClientCertificate.NOT_VERIFIED),
)
VERIFY_WORDS: Final = {
    "OK": ClientCertificate.VERIFIED,
    "TRUSTED": ClientCertificate.VERIFIED,
    "YES": ClientCertificate.VERIFIED,
    "FAIL": ClientCertificate.NOT_VERIFIED,
    "NO": ClientCertificate.NOT_PRESENTED,
    "NOT": ClientCertificate.NOT_REQUESTED,
}
