"""Finds what a Received field states about TLS: by the patterns in ``shapes``, or by its keyword.

The keyword states TLS by its S, as in ESMTPS (RFC 3848). Nothing is inferred here. Where the
server wrote something about TLS that cannot be parsed, the result contains that text, so that the
line is not treated as silent.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from prober.headers.peer import has_peer_address
from prober.headers.records import ClientCertificate, TlsFacts, TlsStatement
from prober.headers.shapes import (
    AFTER_RECEIVER_NAME,
    ALGORITHM,
    BARE,
    BARE_WORDS,
    BITS,
    CLIENT_CERTIFICATE_COMMENTS,
    CLIENT_COMMENT,
    CLIENT_TEXT,
    COLON_SUITE,
    COURIER_LOGIN,
    DENIALS,
    DENIED_CLAUSE,
    DOTNET,
    FIREWALL,
    FORMS,
    HINTS,
    KEY_EXCHANGE,
    KEYED_SUITE,
    LINE_HINTS,
    LONE_SUITE,
    NEGATION,
    NO_VERSION,
    SIGNATURES,
    TLS_WORD,
    UNKNOWN_SUITE,
    VERIFY,
    VERIFY_WORDS,
    VERSION,
)
from prober.headers.tables import KEYWORDS_TLS, MIN_KEY_BITS, STRONGEST_BYTES
from prober.headers.tokens import TAIL, TLS_CLAUSE, Clause, Clauses, Token
from prober.rules.ciphers import iana_name

_NUMBERS: Final = re.compile(r"\d+")
# In OpenSSL "TLSv1/SSLv3" names a family of suites, and "SSLv23" means any version.
_NO_SINGLE_VERSION: Final = frozenset({"SSLV23", "SSLV2/V3"})
# Clauses in whose words a server may state TLS, and the first word to read. Words about TLS after
# the name in `by` or after the recipient do not state TLS, but the line is not silent either.
_WORDS: Final = (("with", 0), ("via", 0), ("id", 1), (TLS_CLAUSE, 0))
_OTHER_WORDS: Final = (("by", 1), ("for", 1))
# In comments of these clauses a version without a suite states TLS. Elsewhere it needs a suite or
# "using", because the reverse name of a client may look like a version.
_TAIL: Final = frozenset({TAIL})
_SERVER_CLAUSES: Final = frozenset({"by", "with", "via", "id", TLS_CLAUSE, TAIL})


@dataclass(frozen=True, slots=True)
class TlsReading:
    """What a line states about TLS. *unread* is text about TLS that could not be parsed."""

    statement: TlsStatement
    facts: TlsFacts | None = None
    unread: str | None = None


@dataclass(slots=True)
class _Parts:
    """The parts found in one comment, or in the words of one clause."""

    form: str
    span: tuple[int, int]
    groups: dict[str, str] = field(default_factory=dict)


def normalised_protocol(written: str) -> str | None:
    """OpenSSL's name for a version, such as "TLSv1.3"; None where no single version is meant."""
    upper = written.upper()
    if "/" in upper or upper in _NO_SINGLE_VERSION:
        return None
    numbers = _NUMBERS.findall(upper)
    if not numbers:
        return None
    family = "SSLv" if upper.startswith("SSL") else "TLSv"
    if len(numbers) == 1 and len(numbers[0]) == 2:  # .NET's Tls12
        numbers = list(numbers[0])
    minor = [number for number in numbers[1:] if number != "0"]
    return family + ".".join([numbers[0], *minor])


def find_tls(text: str, clauses: Clauses) -> TlsReading:
    """What the line *text* states. A denial counts before parts, and parts before the keyword."""
    if not _contains_any(LINE_HINTS, text) and TLS_CLAUSE not in clauses.by_name:
        return _by_keyword(clauses, None)
    comments = list(_comments(clauses))
    if any(DENIALS.fullmatch(comment.text) for comment, _ in comments) or _is_denied(clauses):
        return TlsReading(TlsStatement.DENIED)
    found, unread = _read_all(clauses, comments)
    if found:
        client = _client_certificate([comment for comment, _ in comments])
        return TlsReading(TlsStatement.STATED, _merge(found, client))
    return _by_keyword(clauses, unread or _unread_comment(comments))


def _contains_any(hints: tuple[str, ...], text: str) -> bool:
    return any(map(text.lower().__contains__, hints))


def _by_keyword(clauses: Clauses, unread: str | None) -> TlsReading:
    if states_by_keyword(clauses.get("with")):
        return TlsReading(TlsStatement.STATED)
    return TlsReading(TlsStatement.NOT_STATED, unread=unread)


def _read_all(
    clauses: Clauses, comments: list[tuple[Token, bool]]
) -> tuple[list[_Parts], str | None]:
    """All parts that were parsed, and the first text about TLS that could not be parsed."""
    found = []
    unread = None
    for token, version_suffices in (*comments, *_clause_words(clauses)):
        if not _contains_any(HINTS, token.text):
            continue
        parts = _read(token, version_suffices=version_suffices)
        if parts is not None:
            found.append(parts)
        elif unread is None and _mentions_tls(token.text):
            unread = token.text
    for name, first in _OTHER_WORDS:
        for token in _phrase(clauses.get(name).words[first:]):
            if unread is None and _mentions_tls(token.text):
                unread = token.text
    clause = clauses.get(TLS_CLAUSE)
    if clause.words and not found:
        found += _tls_clause(clause.words)
        unread = unread or f"{TLS_CLAUSE} {clause.phrase}"
    return found, unread


def states_by_keyword(clause: Clause) -> bool:
    """Whether a word of the ``with`` clause is a keyword with the S of RFC 3848."""
    return any(word.text.lower().strip(",:.") in KEYWORDS_TLS for word in clause.words)


def _comments(clauses: Clauses) -> Iterator[tuple[Token, bool]]:
    """Each comment in which a server may state TLS, and whether a version suffices there.

    In a ``from`` clause only comments after the client's name and address are read: a client may
    choose any name, even one with parentheses. Comments after a semicolon are read only if the
    server is named before it.
    """
    for name, clause in clauses.by_name.items():
        if name == TAIL and (clauses.ambiguous or not clauses.precedes("by", _TAIL)):
            continue
        first, version_suffices = (
            _end_of_peer(clause) if name == "from" else (-1, name in _SERVER_CLAUSES)
        )
        for comment in clause.comments:
            if comment.start > first:
                yield comment, version_suffices


def _end_of_peer(clause: Clause) -> tuple[float, bool]:
    """The position after the client's name and address, and whether a comment has the address.

    If no comment has it, the next comment may be the client's reverse name.
    """
    last = max((one.start for one in clause.comments if has_peer_address(one.text)), default=-1)
    if not clause.words:
        return (last, True) if last >= 0 else (math.inf, False)
    return max(clause.words[0].start, last), last >= 0


def _clause_words(clauses: Clauses) -> Iterator[tuple[Token, bool]]:
    """For each clause that may state TLS: its words as one token, and True."""
    for name, first in _WORDS:
        for token in _phrase(clauses.get(name).words[first:]):
            yield token, True
    for token in _phrase(clauses.get("by").words[1:]):
        if AFTER_RECEIVER_NAME.match(token.text):
            yield token, True


def _phrase(words: list[Token]) -> list[Token]:
    """The words joined to one token, in a list; empty where there are no words."""
    if not words:
        return []
    return [Token(" ".join(word.text for word in words), words[0].start, words[-1].end)]


def _tls_clause(words: list[Token]) -> list[_Parts]:
    """The parts of a ``tls`` clause with an unknown suite. Exim, RFC 8314 §4.3."""
    name = words[0].text
    if UNKNOWN_SUITE.fullmatch(name) is None:
        return []
    return [_Parts("tls-clause", (words[0].start, words[0].end), {"cipher": name})]


def _is_denied(clauses: Clauses) -> bool:
    words = clauses.get(TLS_CLAUSE).words
    return bool(words) and words[0].text.lower() in DENIED_CLAUSE


def _mentions_tls(text: str) -> bool:
    """Whether the server mentions TLS in *text*. Text of the client and host names do not count."""
    if CLIENT_COMMENT.match(text):
        return False
    return TLS_WORD.search(CLIENT_TEXT.sub(" ", text)) is not None


def _unread_comment(comments: list[tuple[Token, bool]]) -> str | None:
    """A comment about the client's certificate, which servers write only for TLS sessions."""
    return next(
        (token.text for token, _ in comments if _client_certificate([token]) is not None), None
    )


def _read(token: Token, *, version_suffices: bool) -> _Parts | None:
    """The parts of a comment, or of a clause's words; None where they do not state TLS."""
    text = COURIER_LOGIN.sub("", token.text, count=1)
    if CLIENT_COMMENT.match(text):
        return None
    parts = _Parts(_form_of(text), (token.start, token.end))
    text = CLIENT_TEXT.sub(_blank, text)
    if (without_version := _without_version(text, version_suffices=version_suffices)) is not None:
        parts.groups |= without_version
        return parts
    version, suite = _version_and_suite(text, parts)
    if not _is_statement(text, version, suite, version_suffices=version_suffices):
        return None
    if NEGATION.search(_remaining_text(text, version, suite)):
        return None
    _add_details(text, parts)
    return parts


def _form_of(text: str) -> str:
    return next((name for name, pattern in FORMS if pattern.match(text)), "parts")


def _blank(found: re.Match[str]) -> str:
    return " " * len(found[0])


def _without_version(text: str, *, version_suffices: bool) -> dict[str, str] | None:
    """The parts where the whole text only names TLS, without a version; None otherwise."""
    found = BARE.fullmatch(text) or FIREWALL.fullmatch(text)
    if found is None and version_suffices:
        found = BARE_WORDS.fullmatch(text)
    if found is None or (not version_suffices and " " not in text):
        return None
    return {key: value for key, value in found.groupdict().items() if value}


def _version_and_suite(
    text: str, parts: _Parts
) -> tuple[re.Match[str] | None, re.Match[str] | None]:
    version = VERSION.search(text) or NO_VERSION.search(text)
    suite = None
    if version is not None:
        parts.groups["protocol"] = version["protocol"]
        suite = COLON_SUITE.match(text, version.end())
        if suite is not None:
            parts.form = "colon"
    suite = suite or KEYED_SUITE.search(text) or LONE_SUITE.search(text)
    if suite is not None:
        parts.groups |= {key: value for key, value in suite.groupdict().items() if value}
    return version, suite


def _is_statement(
    text: str, version: re.Match[str] | None, suite: re.Match[str] | None, *, version_suffices: bool
) -> bool:
    """Whether the parts state TLS: a version with its number, or the name of a suite that encrypts.

    The word "TLS" is not enough: servers also use it to describe their rules.
    """
    if suite is not None and (version is not None or ALGORITHM.search(suite["cipher"])):
        return True
    if version is None or version.re is NO_VERSION:
        return False
    return version_suffices or text.startswith(("using ", "Using ", "version="))


def _remaining_text(text: str, *found: re.Match[str] | None) -> str:
    """*text* without the parts that were parsed."""
    for one in found:
        if one is not None:
            text = text[: one.start()] + " " * len(one[0]) + text[one.end() :]
    text = VERIFY.sub(" ", text)
    for pattern, _ in CLIENT_CERTIFICATE_COMMENTS:
        text = pattern.sub(" ", text)
    return text.replace("(not verified)", " ")


def _add_details(text: str, parts: _Parts) -> None:
    """Add bits, key exchange and the client's certificate, if the text states them."""
    exchange = KEY_EXCHANGE.search(text) or DOTNET.fullmatch(text)
    if exchange is not None:
        parts.groups["key_exchange"] = exchange["key_exchange"]
    ends = [found.start() for found in (exchange, SIGNATURES.search(text)) if found is not None]
    if bits := BITS.search(text, 0, min(ends, default=len(text)) or len(text)):
        parts.groups.setdefault("bits", bits["keyed"] or bits["lone"] or bits["pair"])
    if verify := VERIFY.search(text):
        parts.groups.setdefault("verify", verify["verify"])


def _merge(found: list[_Parts], client: ClientCertificate | None) -> TlsFacts:
    """Merge all parts into one record: Exim writes version and suite in different places."""
    groups: dict[str, str] = {}
    for parts in found:
        for key, value in parts.groups.items():
            groups.setdefault(key, value)
    protocol = normalised_protocol(groups.get("protocol", ""))
    cipher = groups.get("cipher")
    return TlsFacts(
        protocol=protocol,
        protocol_as_written=groups.get("protocol"),
        cipher=cipher,
        cipher_iana=iana_name(cipher, protocol) if cipher else None,
        bits=_bits(groups.get("bits"), cipher),
        key_exchange=groups.get("key_exchange"),
        client_certificate=client or _certificate_by_verify(groups.get("verify")),
        shape=found[0].form,
        span=(min(one.span[0] for one in found), max(one.span[1] for one in found)),
    )


def _bits(text: str | None, cipher: str | None) -> int | None:
    """The number of bits. Old GnuTLS, whose suite names have underscores, counts bytes."""
    if text is None:
        return None
    number = int(text)
    counts_bytes = number < MIN_KEY_BITS and number <= STRONGEST_BYTES and "_" in (cipher or "")
    return number * 8 if counts_bytes else number


def _client_certificate(comments: list[Token]) -> ClientCertificate | None:
    for comment in comments:
        for pattern, state in CLIENT_CERTIFICATE_COMMENTS:
            if pattern.match(comment.text):
                return state
    return None


def _certificate_by_verify(word: str | None) -> ClientCertificate | None:
    if word is None:
        return None
    return VERIFY_WORDS.get(word.upper(), ClientCertificate.UNKNOWN)
