"""Splits a Received field into clauses of words and comments. RFC 5322 §3.2.2, RFC 5321 §4.4.

Takes linear time and accepts any text. Brackets and quotes without an end are ordinary characters.
"""

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

# A quoted string at the start of a word. RFC 5321 §4.5.3.1.1: a local part has 64 octets.
_QUOTED = r'(?<![^\s<(=:,])"(?:[^"\\]|\\.){0,128}"'
# A word: a quoted string, an address in brackets, or a run of other characters. A bracket or quote
# without its end is a word by itself.
_PIECE: Final = re.compile(
    rf"""\s*(?:(?P<mark>[();])
    |(?P<word>{_QUOTED}|<(?:"(?:[^"\\]|\\.){{0,128}}")?[^<>\s"]*>|\[[^\[\]]{{0,48}}\]|[^\s;()<"\[]+|\S))""",
    re.VERBOSE | re.DOTALL,
)
# Parentheses in a quoted string do not count, also inside a comment: Exim writes (envelope-from
# <"a)"@example>).
_PARENTHESIS: Final = re.compile(rf"{_QUOTED}|\\.|[()]", re.DOTALL)

CLAUSES: Final = frozenset({"from", "by", "via", "with", "id", "for"})
TLS_CLAUSE: Final = "tls"  # RFC 8314 §4.3; Exim writes it
_KEYWORDS: Final = CLAUSES | {TLS_CLAUSE}
TAIL: Final = "tail"  # the text after a semicolon, which belongs to no clause
# May occur twice in a row: Mimecast writes "with ESMTP with STARTTLS", "from NAME from [ADDRESS]".
_REPEATABLE: Final = frozenset({"with", "from"})
# Not accepted after "for": the sender chooses that address, and a bad quote could end it early.
_NEVER_BEHIND_FOR: Final = frozenset({"with", "tls"})
_BEFORE_TLS: Final = frozenset({"with", "id"})  # the clauses that a tls clause may follow


class Token(NamedTuple):
    """A word, or the text inside a comment, and its position in the line."""

    text: str
    start: int
    end: int


@dataclass(slots=True)
class Clause:
    """The words and comments after one keyword."""

    words: list[Token] = field(default_factory=list)
    comments: list[Token] = field(default_factory=list)

    @property
    def phrase(self) -> str:
        """The words, separated by spaces."""
        return " ".join(word.text for word in self.words)


@dataclass(slots=True)
class Clauses:
    """A line: each clause by its keyword. ``head`` is the text before the first keyword."""

    by_name: dict[str, Clause]  # in the order of the line
    tails: list[int]  # where the text after each semicolon begins, in order
    ambiguous: bool = False  # the server's "by" may begin at two places

    def precedes(self, name: str, others: frozenset[str]) -> bool:
        """Whether the clause *name* exists, and none of *others* comes before it."""
        for known in self.by_name:
            if known == name:
                return True
            if known in others:
                return False
        return False

    def get(self, name: str) -> Clause:
        """The clause *name*, empty where the line does not have it."""
        return self.by_name.get(name) or Clause()


def collapse(text: str) -> str:
    """*text* with each run of white space replaced by one space."""
    return " ".join(text.split())


def split_clauses(text: str) -> Clauses:
    """Split *text* into clauses, with comments separate from words."""
    current = Clause()
    clauses = Clauses(by_name={"head": current}, tails=[])
    closing = _closing_parentheses(text)
    at = 0
    while piece := _PIECE.match(text, at):
        kind = piece.lastgroup or ""
        start, at = piece.span(kind)
        if kind == "word":
            current = _add_word(Token(piece[kind], start, at), current, clauses)
        elif start in closing:
            at = closing[start] + 1
            comment = text[start + 1 : at - 1].strip()
            current.comments.append(Token(comment, start, at))
            if " by " in comment and _HIDDEN_BY.search(comment):
                clauses.ambiguous = True
        elif text[start] == "(":  # without a closing parenthesis
            clauses.ambiguous |= current is clauses.by_name.get("from")
        elif text[start] == ";":
            clauses.tails.append(at)
            current = clauses.by_name.setdefault(TAIL, Clause())  # a keyword may still follow
    return clauses


_OPENING: Final = frozenset('"[')
_SINGLE: Final = frozenset({"by", "with"})  # except "with ... with" in a row, see _REPEATABLE
_NOT_BEFORE_BY: Final = frozenset({"via", "with", "id", "for"})
# A bracket or quote that a client opened may hide text of the server.
_HIDDEN_BY: Final = re.compile(r"[)\]] by ", re.IGNORECASE)


def _add_word(word: Token, current: Clause, clauses: Clauses) -> Clause:
    """Add *word* to the current clause, or start the clause that it names.

    Returns the clause that is then current.
    """
    name = word.text.lower()
    if name not in _KEYWORDS or not _starts_clause(name, current, clauses):
        current.words.append(word)
        if name[0] in _OPENING and _HIDDEN_BY.search(name):
            clauses.ambiguous = True
        return current
    known = clauses.by_name.get(name)
    if known is not None and name in _REPEATABLE and current is known:
        return known
    clauses.ambiguous |= name in _SINGLE and (known is not None or _may_be_helo(clauses, name))
    clauses.ambiguous |= known is not None and "by" not in clauses.by_name
    if known is not None or (name in _NEVER_BEHIND_FOR and "for" in clauses.by_name):
        return Clause()  # only the first clause of each name counts
    clauses.by_name[name] = Clause()
    return clauses.by_name[name]


def _starts_clause(name: str, current: Clause, clauses: Clauses) -> bool:
    """Whether the keyword *name* starts a clause here, and is not a word of the current clause."""
    if name == TLS_CLAUSE:
        before = any(current is clauses.by_name.get(one) for one in _BEFORE_TLS)
        return before and _has_value(current)
    # The HELO name of a client may be "id".
    is_helo = current is clauses.by_name.get("from") and not _has_value(current)
    return name == "by" or not is_helo


def _has_value(clause: Clause) -> bool:
    return bool(clause.words or clause.comments)


def _may_be_helo(clauses: Clauses, name: str) -> bool:
    """Whether a client with spaces in its HELO may have written what is before this ``by``."""
    if name != "by" or "from" not in clauses.by_name:
        return False
    if TAIL in clauses.by_name:
        return True
    written = [one for key, one in clauses.by_name.items() if key in _NOT_BEFORE_BY]
    return any(one.comments or any("[" in word.text for word in one.words) for one in written)


def _closing_parentheses(text: str) -> dict[int, int]:
    """The position of each closing parenthesis, by the position of its opening one."""
    closing: dict[int, int] = {}
    opened: list[int] = []
    for found in _PARENTHESIS.finditer(text):
        if found[0] == "(":
            opened.append(found.start())
        elif found[0] == ")" and opened:
            closing[opened.pop()] = found.start()
    return closing
