"""Patterns for the parts in which servers write about TLS: version, suite, bits, key exchange.

The parts of a comment may come in any order, with other words between them. Every pattern takes
linear time: no repetition can match the same text in two ways, and each has an upper bound.
"""

import re
from typing import Final

from prober.headers.records import ClientCertificate

_FLAGS: Final = re.IGNORECASE | re.ASCII
_ALGORITHM = r"(?:AES|DES|RC[24]|ARCFOUR|CHACHA|CAMELLIA|ARIA|SEED|IDEA|NULL|GOST|SM4)"

# "TLSv1.3", "TLS1_3", "TLS-1.0", "TLS 1.2", "Tls12", "TLSv1/SSLv3", "SSLv23"; also "TLS" alone.
_NUMBER = r"(?:[_-]?v?\d{1,2}(?:[._]\d{1,2}){0,2}| \d\.\d)"
VERSION: Final = re.compile(
    rf"(?:(?<![\w.@/+-])|(?<=TLS/)|(?<=SMTP/))(?P<protocol>(?:TLS|SSL){_NUMBER}(?:/SSLv\d)?)"
    r"(?![\w@-]|\.\w|/SSL)",
    _FLAGS,
)
NO_VERSION: Final = re.compile(r"(?<![\w.@/+-])(?P<protocol>TLS|SSL)(?![\w/@-]|\.\w)", _FLAGS)

# The name of a suite, not of a version. The longest registered name has 57 characters.
_NAME = r"(?!(?:TLS|SSL)v?\d)[A-Z0-9][\w+-]{0,63}(?![\w+-]|\.\w)"
# A suite after its key: "cipher=X", "tls_cipher X", "with cipher X". An empty value is no suite.
KEYED_SUITE: Final = re.compile(
    r"\b(?:tls[_-]?)?cipher(?:[ _-]?suite)?(?: ?[=:] ?| )(?!\w{1,64}[=:]|bits?\b|with\b)"
    rf"(?P<cipher>{_NAME})",
    _FLAGS,
)
# A suite of any name directly after the version: "TLS1.2:RSA_ARCFOUR_MD5:128:NO".
COLON_SUITE: Final = re.compile(
    rf":(?P<cipher>(?!\d{{1,4}}\b){_NAME})(?::(?P<bits>\d{{1,4}}))?(?::(?P<verify>[A-Z]{{2,12}}))?(?!\w)",
    _FLAGS,
)
# A suite anywhere in the text: a name of several parts, one of which is an algorithm.
LONE_SUITE: Final = re.compile(
    rf"(?<![\w.@=+-])(?=[\w+-]{{0,60}}?{_ALGORITHM})(?=[A-Z0-9]{{2,32}}[_-])"
    r"(?P<cipher>[A-Z0-9][\w+-]{3,63})(?![\w@+-]|\.\w)",
    _FLAGS,
)
UNKNOWN_SUITE: Final = re.compile(r"[A-Z0-9]{2,16}(?:[_+-][A-Z0-9]{1,16}){1,8}", _FLAGS)
ALGORITHM: Final = re.compile(_ALGORITHM, _FLAGS)
BITS: Final = re.compile(
    r"\bbits? ?[=:] ?(?P<keyed>\d{1,4})(?!\d)"
    r"|(?<![\w./])(?P<lone>\d{1,4})(?:/\d{1,4})? ?bits?\b"
    r"|(?<![\w./])(?P<pair>\d{2,4})(?:/\d{2,4}(?![\w./])|:(?=[A-Z]))",
    _FLAGS,
)
# Bits after one of these belong to the key exchange or signature, not to the suite.
KEY_EXCHANGE: Final = re.compile(
    r"\b(?:key[ _-]exchange|group|kex)[ =:]+(?P<key_exchange>[^\s(),;]{1,64}(?: \([^()]{1,64}\))?)",
    _FLAGS,
)
SIGNATURES: Final = re.compile(r"\b(?:server|client)-(?:signature|digest)\b", _FLAGS)
VERIFY: Final = re.compile(r"\bverif(?:y|ied)[ =:]+\(?(?P<verify>\w{1,16})", _FLAGS)
# .NET's form; the last part is the key exchange: "Tls12, Aes256, Sha384, DiffieHellman".
DOTNET: Final = re.compile(
    r"(?P<protocol>(?:Tls|Ssl)\d{1,2}), \w{1,32}, \w{1,32}, (?P<key_exchange>\w{1,64})", _FLAGS
)

# TLS named without a version. Must match a whole comment, or all words of a clause.
BARE: Final = re.compile(
    r"(?:(?:using|over|via|with) )?(?P<protocol>SSL/TLS|TLS/SSL|TLS|SSL|STARTTLS)"
    r"(?:[ -](?:encrypted|encryption|secured|connection))?",
    _FLAGS,
)
BARE_WORDS: Final = re.compile(
    r"(?:.{0,60} )?over (?:TLS|SSL) secured channel"  # Microsoft SMTPSVC
    r"|(?:.{0,60} )?E?SMTP[ /-](?:TLS|SSL|STARTTLS)(?:/(?P<cipher>[A-Z0-9][\w+-]{2,63}))?"
    r"|(?:E?SMTP )?(?:over |via |with )?(?:TLS|SSL)",
    _FLAGS,
)
AFTER_RECEIVER_NAME: Final = re.compile(r"(?:over|using|via|with) ", _FLAGS)
FIREWALL: Final = re.compile(r"Cellopoint [^()]{0,80} with (?P<protocol>TLS)", _FLAGS)

# Every part contains one of these strings, in lower case. Used as a quick test before the patterns.
HINTS: Final = (
    *("tls", "ssl", "cipher", "encrypt", "aes", "des", "rc2", "rc4", "arcfour", "chacha"),
    *("camellia", "aria", "seed", "idea", "null", "gost", "sm4"),
)
# The same test for a whole line. It adds comments on the client's certificate, and chasquid's
# denial.
LINE_HINTS: Final = (*HINTS, "certificate", "plain")

# A word about TLS that is not part of a host name or of an address.
TLS_WORD: Final = re.compile(
    r"(?<![\w.@-])(?:START)?(?:TLS|SSL|cipher|encrypt)(?![\w-]{0,63}(?:@|\.[a-z]{2}))"
    r"|client certificate",
    _FLAGS,
)
# A sentence about TLS with one of these words does not state that TLS was used.
NEGATION: Final = re.compile(
    r"\b(?:not?|non|none|without|never|fail\w*|unable|disabled|off|refused|rejected|declined|requires?"
    r"|required|must|should|policy|if|only|supports?|supported|offer\w*|available|wanted|optional"
    r"|unencrypted|plain\w*|clear\w*|instead|before|until|will|can)\b",
    _FLAGS,
)
DENIALS: Final = re.compile(
    r"not encrypted|unencrypted|no encryption|(?:not using|without|no) (?:TLS|SSL|encryption)"
    r"|(?:TLS|SSL) (?:was )?not used|(?:TLS|SSL)[ :=]{1,3}(?:no|none|off)"
    r"|(?:version|tls|tlsversion|cipher)=(?:none|no|off)\b.*"
    r"|over [\w+]{1,32}, plain text!?(?:,.*)?",  # chasquid
    _FLAGS,
)
DENIED_CLAUSE: Final = frozenset({"no", "none", "off"})  # after "tls"

# Comments that begin like this hold text of the client, and no statement of the server.
CLIENT_COMMENT: Final = re.compile(
    r"(?:Client |No client|auth\w*(?: sender| user| as|[:=])|sender|envelope|account |mail ?from"
    r"|HELO|EHLO|LHLO|helo=|ident=|ORCPT|uid |for )",
    _FLAGS,
)
# Text of the client inside a comment: quoted text, addresses, and all after an envelope word.
CLIENT_TEXT: Final = re.compile(
    r"\"[^\"]*\"|<[^<>]*>|(?<![^\s(,=])[^\s@(,=]{0,320}@\S*|\b(?:envelope|helo|ident)[ =-].*",
    _FLAGS,
)
COURIER_LOGIN: Final = re.compile(r"AUTH: .*, (?=(?:TLS|SSL):)", _FLAGS)  # contains the user's name

# The name of a form in a report, chosen by how the comment begins.
FORMS: Final = (
    ("using-colon", re.compile(r"using TLS:", _FLAGS)),
    ("using", re.compile(r"using ", _FLAGS)),
    ("version", re.compile(r"(?:tls)?version=", _FLAGS)),
    ("cipher", re.compile(r"cipher=", _FLAGS)),
    ("courier", re.compile(r"(?:TLS|SSL): ?", _FLAGS)),
    ("firewall", re.compile(r"Cellopoint", _FLAGS)),
    ("protocol", re.compile(r"(?:TLS|SSL)[\w./-]{0,16}\Z", _FLAGS)),
    ("encrypted-smtp", re.compile(r"[\w+-]{4,64} encrypted E?SMTP", _FLAGS)),
    ("encrypted", re.compile(r"[\w+-]{4,64} encrypted\b", _FLAGS)),
    ("slashes", re.compile(r"E?SMTP/(?:TLS|SSL)", _FLAGS)),
    ("hyphen", re.compile(r"E?SMTP-(?:TLS|SSL)", _FLAGS)),
    ("starttls", re.compile(r"E?SMTP STARTTLS", _FLAGS)),
    ("secured-channel", re.compile(r"over TLS secured channel", _FLAGS)),
)

# Comments on the client's certificate: Postfix src/smtpd/smtpd.c, Sendmail op.me on ${verify}.
CLIENT_CERTIFICATE_COMMENTS: Final = (
    (re.compile(r"no client certificate requested", _FLAGS), ClientCertificate.NOT_REQUESTED),
    (
        re.compile(r"client (?:did not present a certificate|certificate not present)", _FLAGS),
        ClientCertificate.NOT_PRESENTED,
    ),
    (re.compile(r"client (?:CN|RPK).*\(verified OK\)\Z", _FLAGS), ClientCertificate.VERIFIED),
    (re.compile(r"client (?:CN|RPK).*\(not verified\)\Z", _FLAGS), ClientCertificate.NOT_VERIFIED),
)
VERIFY_WORDS: Final = {
    "OK": ClientCertificate.VERIFIED,
    "TRUSTED": ClientCertificate.VERIFIED,
    "YES": ClientCertificate.VERIFIED,
    "FAIL": ClientCertificate.NOT_VERIFIED,
    "NO": ClientCertificate.NOT_PRESENTED,
    "NOT": ClientCertificate.NOT_REQUESTED,
}
