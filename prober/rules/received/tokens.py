"""Splits a Received field into clauses of words and comments. RFC 5322 §3.2.2, RFC 5321 §4.4.

Linear in the text, and total: brackets and quotes that do not close are ordinary characters.
"""

import re
from dataclasses import dataclass, field
from typing import Final

# A quoted string, an address in angle or square brackets, or a run of other characters; a bracket
# or quote that never closes is a word of its own. RFC 3696 §3: an address has 320 characters.
_PIECE: Final = re.compile(
    r"""(?P<space>\s+)|(?P<mark>[();])
    |(?P<word>"(?:[^"\\]|\\.){0,320}"|<[^<>\s]*>|\[[^\[\]]*\]|[^\s;()<"\[]+|.)""",
    re.VERBOSE | re.DOTALL,
)
_PARENTHESIS: Final = re.compile(r"\\.|[()]", re.DOTALL)
_SPACE: Final = re.compile(r"\s+")

CLAUSES: Final = frozenset({"from", "by", "via", "with", "id", "for"})
TLS_CLAUSE: Final = "tls"  # RFC 8314 §4.3; Exim writes it
_REPEATABLE: Final = "with"  # at once: Mimecast's "with ESMTP with STARTTLS"
# Behind "for" a sender has its say: a quoted local part holds anything. RFC 5321 §4.1.2
_NEVER_BEHIND_FOR: Final = frozenset({"with", "tls"})


@dataclass(frozen=True, slots=True)
class Token:
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

    by_name: dict[str, Clause]
    tails: list[str]  # what stands behind each semicolon, the last one last

    def get(self, name: str) -> Clause:
        """The clause, empty where the line has none."""
        return self.by_name.get(name) or Clause()


def collapse(text: str) -> str:
    """*text* with each run of white space as one space."""
    return _SPACE.sub(" ", text).strip()


def split_clauses(text: str) -> Clauses:
    """The clauses of *text*, comments kept apart from words, and what follows semicolons."""
    current = Clause()
    clauses = Clauses(by_name={"head": current}, tails=[])
    closing = _closing_parentheses(text)
    at = 0
    while piece := _PIECE.match(text, at):
        start, at = piece.span()
        if piece.lastgroup == "word":
            current = _place(Token(piece[0], start, at), current, clauses)
        elif start in closing:
            at = closing[start] + 1
            current.comments.append(Token(collapse(text[start + 1 : at - 1]), start, at))
        elif piece[0] == ";":
            clauses.tails.append(text[at:])
            current = Clause()  # a date is no part of a clause; a keyword may still follow
    return clauses


def _place(word: Token, current: Clause, clauses: Clauses) -> Clause:
    """Add *word* to the current clause, or begin the clause that it names."""
    name = word.text.lower()
    begins = name in CLAUSES or (name == TLS_CLAUSE and current is clauses.by_name.get("with"))
    if not begins:
        current.words.append(word)
        return current
    known = clauses.by_name.get(name)
    if known is not None and name == _REPEATABLE and current is known:
        return known
    if known is not None or (name in _NEVER_BEHIND_FOR and "for" in clauses.by_name):
        return Clause()  # the first of each counts; what a second one says is dropped
    clauses.by_name[name] = Clause()
    return clauses.by_name[name]


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
