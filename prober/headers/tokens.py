"""Splits a Received field into clauses of words and comments. RFC 5322 §3.2.2, RFC 5321 §4.4.

Linear in the text, and total: brackets and quotes that do not close are ordinary characters.
"""

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

# A quoted string; it begins a word. RFC 5321 §4.5.3.1.1: a local part has 64 octets.
_QUOTED = r'(?<![^\s<(=:,])"(?:[^"\\]|\\.){0,128}"'
# A quoted string, an address in angle or square brackets, or a run of other characters; a bracket
# or quote that never closes is a word of its own.
_PIECE: Final = re.compile(
    rf"""\s*(?:(?P<mark>[();])
    |(?P<word>{_QUOTED}|<(?:"(?:[^"\\]|\\.){{0,128}}")?[^<>\s"]*>|\[[^\[\]]{{0,48}}\]|[^\s;()<"\[]+|\S))""",
    re.VERBOSE | re.DOTALL,
)
# A quoted string hides parentheses, also in a comment: Exim writes (envelope-from <"a)"@example>).
_PARENTHESIS: Final = re.compile(rf"{_QUOTED}|\\.|[()]", re.DOTALL)

CLAUSES: Final = frozenset({"from", "by", "via", "with", "id", "for"})
TLS_CLAUSE: Final = "tls"  # RFC 8314 §4.3; Exim writes it
_KEYWORDS: Final = CLAUSES | {TLS_CLAUSE}
TAIL: Final = "tail"  # the text after a semicolon, which belongs to no clause
# At once: Mimecast's "with ESMTP with STARTTLS", "from NAME from [ADDRESS]".
_REPEATABLE: Final = frozenset({"with", "from"})
# A sender chooses the address behind "for", and a bad quote could end it early.
_NEVER_BEHIND_FOR: Final = frozenset({"with", "tls"})
_BEFORE_TLS: Final = frozenset({"with", "id"})  # the clauses that a tls clause may follow


class Token(NamedTuple):
    """A word, or the inside of a comment, and where it stands."""

    text: str
    start: int
    end: int


@dataclass(slots=True)
class Clause:
    """The words and comments behind one keyword."""

    words: list[Token] = field(default_factory=list)
    comments: list[Token] = field(default_factory=list)

    @property
    def phrase(self) -> str:
        """The words, a space between."""
        return " ".join(word.text for word in self.words)


@dataclass(slots=True)
class Clauses:
    """A line: each clause by its keyword, ``head`` for what stands before the first one."""

    by_name: dict[str, Clause]  # in the order they stand in
    tails: list[int]  # where each part behind a semicolon begins, the last one last
    doubtful: bool = False  # two places could be where the server began its "by"

    def stands_before(self, name: str, others: frozenset[str]) -> bool:
        """Whether the clause is there, and none of *others* stands before it."""
        for known in self.by_name:
            if known == name:
                return True
            if known in others:
                return False
        return False

    def get(self, name: str) -> Clause:
        """The clause, empty where the line has none."""
        return self.by_name.get(name) or Clause()


def collapse(text: str) -> str:
    """*text* with each run of white space as one space."""
    return " ".join(text.split())


def split_clauses(text: str) -> Clauses:
    """The clauses of *text*, comments kept apart from words, and what follows semicolons."""
    current = Clause()
    clauses = Clauses(by_name={"head": current}, tails=[])
    closing = _closing_parentheses(text)
    at = 0
    while piece := _PIECE.match(text, at):
        kind = piece.lastgroup or ""
        start, at = piece.span(kind)
        if kind == "word":
            current = _place(Token(piece[kind], start, at), current, clauses)
        elif start in closing:
            at = closing[start] + 1
            comment = text[start + 1 : at - 1].strip()
            current.comments.append(Token(comment, start, at))
            if " by " in comment and _HIDDEN_BY.search(comment):
                clauses.doubtful = True
        elif text[start] == "(":  # it does not close
            clauses.doubtful |= current is clauses.by_name.get("from")
        elif text[start] == ";":
            clauses.tails.append(at)
            current = clauses.by_name.setdefault(TAIL, Clause())  # a keyword may still follow
    return clauses


_OPENING: Final = frozenset('"[')
_ONCE: Final = frozenset({"by", "with"})  # but with "with with", at once
_NOT_BEFORE_BY: Final = frozenset({"via", "with", "id", "for"})
# A bracket or quote that a client opened may have swallowed what the server wrote.
_HIDDEN_BY: Final = re.compile(r"[)\]] by ", re.IGNORECASE)


def _place(word: Token, current: Clause, clauses: Clauses) -> Clause:
    """Add *word* to the current clause, or begin the clause that it names."""
    name = word.text.lower()
    if name not in _KEYWORDS or not _begins(name, current, clauses):
        current.words.append(word)
        if name[0] in _OPENING and _HIDDEN_BY.search(name):
            clauses.doubtful = True
        return current
    known = clauses.by_name.get(name)
    if known is not None and name in _REPEATABLE and current is known:
        return known
    clauses.doubtful |= name in _ONCE and (known is not None or _may_be_helo(clauses, name))
    clauses.doubtful |= known is not None and "by" not in clauses.by_name
    if known is not None or (name in _NEVER_BEHIND_FOR and "for" in clauses.by_name):
        return Clause()  # the first of each counts; what a second one says is dropped
    clauses.by_name[name] = Clause()
    return clauses.by_name[name]


def _begins(name: str, current: Clause, clauses: Clauses) -> bool:
    """Whether the keyword *name* begins a clause here, and is no word of the current one."""
    if name == TLS_CLAUSE:
        before = any(current is clauses.by_name.get(one) for one in _BEFORE_TLS)
        return before and _has_value(current)
    # A client may call itself "id".
    is_helo = current is clauses.by_name.get("from") and not _has_value(current)
    return name == "by" or not is_helo


def _has_value(clause: Clause) -> bool:
    return bool(clause.words or clause.comments)


def _may_be_helo(clauses: Clauses, name: str) -> bool:
    """Whether a client with spaces in its HELO may have written the clause before this ``by``."""
    if name != "by" or "from" not in clauses.by_name:
        return False
    if TAIL in clauses.by_name:
        return True
    written = [one for key, one in clauses.by_name.items() if key in _NOT_BEFORE_BY]
    return any(one.comments or any("[" in word.text for word in one.words) for one in written)


def _closing_parentheses(text: str) -> dict[int, int]:
    """Where each parenthesis that closes does so, by where it opens."""
    closing: dict[int, int] = {}
    opened: list[int] = []
    for found in _PARENTHESIS.finditer(text):
        if found[0] == "(":
            opened.append(found.start())
        elif found[0] == ")" and opened:
            closing[opened.pop()] = found.start()
    return closing
