"""What a Received field says of TLS: by a form of ``shapes``, or by its keyword's S. RFC 3848.

Nothing is inferred here: a line without such a form and without such a keyword states nothing.
"""

import math
import re
from collections.abc import Iterator
from typing import Final, assert_never

from prober.records.headers import ClientCertificate, TlsFacts, TlsStatement
from prober.rules.received.ciphers import iana_name
from prober.rules.received.peer import holds_address
from prober.rules.received.shapes import (
    CLIENT_COMMENTS,
    DENIALS,
    HINT,
    SHAPES,
    VERIFY_WORDS,
    Place,
    Shape,
)
from prober.rules.received.tables import KEYWORDS_TLS, MIN_KEY_BITS, STRONGEST_BYTES
from prober.rules.received.tokens import TLS_CLAUSE, Clause, Clauses, Token

_NUMBERS: Final = re.compile(r"\d+")
# "TLSv1/SSLv3" is OpenSSL's label of a suite's family, "SSLv23" its name of "any version".
_NO_SINGLE_VERSION: Final = frozenset({"SSLV23", "SSLV2/V3"})


def normalised_protocol(written: str) -> str | None:
    """OpenSSL's name of a version, such as "TLSv1.3"; None where no single one is meant."""
    upper = written.upper()
    if "/" in upper or upper in _NO_SINGLE_VERSION:
        return None
    numbers = _NUMBERS.findall(upper)
    if not numbers:
        return None
    family = "SSLv" if upper.startswith("SSL") else "TLSv"
    minor = [number for number in numbers[1:] if number != "0"]
    return family + ".".join([numbers[0], *minor])


def find_tls(clauses: Clauses) -> tuple[TlsStatement, TlsFacts | None]:
    """What the line states. A denial beats all else, a form beats the keyword."""
    comments = list(_comments(clauses))
    if any(DENIALS.match(comment.text) for comment in comments):
        return TlsStatement.DENIED, None
    found = list(_found(clauses, comments))
    if found:
        return TlsStatement.STATED, _merged(found, _client_certificate(comments))
    if states_by_keyword(clauses.get("with")):
        return TlsStatement.STATED, None
    return TlsStatement.NOT_STATED, None


def states_by_keyword(clause: Clause) -> bool:
    """Whether a word of the ``with`` clause is a keyword with the S of RFC 3848."""
    return any(word.text.lower() in KEYWORDS_TLS for word in clause.words)


def _comments(clauses: Clauses) -> Iterator[Token]:
    """Every comment in which a server may write of TLS.

    In a ``from`` clause only behind the client's name and its address: a client may call itself
    anything, also something in parentheses.
    """
    for name, clause in clauses.by_name.items():
        first = _end_of_peer(clause) if name == "from" else -1
        yield from (comment for comment in clause.comments if comment.start > first)


def _end_of_peer(clause: Clause) -> float:
    if not clause.words:
        return math.inf
    addresses = (comment.start for comment in clause.comments if holds_address(comment.text))
    return max((clause.words[0].start, *addresses))


def _found(
    clauses: Clauses, comments: list[Token]
) -> Iterator[tuple[Shape, re.Match[str], tuple[int, int]]]:
    candidates = {place: list(_candidates(place, clauses, comments)) for place in Place}
    for shape in SHAPES:
        for text, span in candidates[shape.place]:
            if matched := shape.pattern.match(text):
                yield shape, matched, span


def _candidates(
    place: Place, clauses: Clauses, comments: list[Token]
) -> Iterator[tuple[str, tuple[int, int]]]:
    """The texts at *place* that may say something of TLS, and where they stand."""
    match place:
        case Place.COMMENT:
            tokens = comments
        case Place.WITH_COMMENT:
            tokens = clauses.get("with").comments
        case Place.WITH:
            tokens = _phrase(clauses.get("with").words)
        case Place.BY:
            tokens = _phrase(clauses.get("by").words[1:])
        case Place.TLS:
            tokens = _phrase(clauses.get(TLS_CLAUSE).words)
        case _:
            assert_never(place)
    for token in tokens:
        if HINT.search(token.text):
            yield token.text, (token.start, token.end)


def _phrase(words: list[Token]) -> list[Token]:
    """Words as one token."""
    if not words:
        return []
    return [Token(" ".join(word.text for word in words), words[0].start, words[-1].end)]


def _merged(
    found: list[tuple[Shape, re.Match[str], tuple[int, int]]], client: ClientCertificate | None
) -> TlsFacts:
    """One record of all forms that matched: Exim has the version in one, the suite in another."""
    groups: dict[str, str] = {}
    for _, matched, _ in found:
        for key, value in matched.groupdict().items():
            if value is not None:
                groups.setdefault(key, value)
    protocol = normalised_protocol(groups.get("protocol", ""))
    cipher = groups.get("cipher")
    spans = [span for _, _, span in found]
    return TlsFacts(
        protocol=protocol,
        protocol_as_written=groups.get("protocol"),
        cipher=cipher,
        cipher_iana=iana_name(cipher, protocol) if cipher else None,
        bits=_bits(groups.get("bits"), cipher),
        key_exchange=groups.get("key_exchange"),
        client_certificate=client or _by_verify(groups.get("verify")),
        shape=found[0][0].name,
        span=(min(start for start, _ in spans), max(end for _, end in spans)),
    )


def _bits(text: str | None, cipher: str | None) -> int | None:
    """The number of bits; old GnuTLS, whose suites are spelt with underscores, counts bytes."""
    if text is None:
        return None
    number = int(text)
    counts_bytes = number < MIN_KEY_BITS and number <= STRONGEST_BYTES and "_" in (cipher or "")
    return number * 8 if counts_bytes else number


def _client_certificate(comments: list[Token]) -> ClientCertificate | None:
    for comment in comments:
        for pattern, state in CLIENT_COMMENTS:
            if pattern.match(comment.text):
                return state
    return None


def _by_verify(word: str | None) -> ClientCertificate | None:
    if word is None:
        return None
    return VERIFY_WORDS.get(word.upper(), ClientCertificate.UNKNOWN)
