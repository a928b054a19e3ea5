"""Which software wrote a Received field: by its comments, its protocol words, or its host name."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from prober.rules.received.tables import SOFTWARE
from prober.rules.received.tokens import Clauses, Token


def _alternatives(patterns: list[str | None]) -> re.Pattern[str]:
    """One pattern of many, each in a group that bears its number; the first that fits wins."""
    groups = (f"(?P<n{number}>{text})" for number, text in enumerate(patterns) if text)
    return re.compile("|".join(groups), re.IGNORECASE)


_COMMENT: Final = _alternatives([family.comment for family in SOFTWARE])
_PROTOCOL: Final = _alternatives(
    [family.protocol and rf".*?(?:{family.protocol})" for family in SOFTWARE]
)
_HOSTS: Final = {host: number for number, family in enumerate(SOFTWARE) for host in family.host}


def find_software(
    clauses: Clauses, by: str | None, comments: Sequence[Token] | None = None
) -> str | None:
    """The common name of the software, the first in the table that fits; None if none does.

    Of *comments* alone where they are given, else of all.
    """
    if comments is None:
        comments = [one for clause in clauses.by_name.values() for one in clause.comments]
    number = min(_numbers(clauses, by, comments), default=None)
    return None if number is None else SOFTWARE[number].name


def _numbers(clauses: Clauses, by: str | None, comments: Sequence[Token]) -> Iterator[int]:
    for comment in comments:
        yield from _number(_COMMENT.match(comment.text))
    yield from _number(_PROTOCOL.match(clauses.get("with").phrase))
    labels = by.split(".") if by is not None else []
    for cut in range(len(labels)):
        host = ".".join(labels[cut:])
        if host in _HOSTS:
            yield _HOSTS[host]


def _number(found: re.Match[str] | None) -> Iterator[int]:
    if found is not None and found.lastgroup is not None:
        yield int(found.lastgroup.removeprefix("n"))
