"""Parses one Received field into a record. Any text gives a record, never an exception."""

import email.utils
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from prober.headers.peer import parse_peer, parse_receiver, server_comments
from prober.headers.records import Peer, Received
from prober.headers.tables import (
    KEYWORDS_INTERNAL,
    LOCAL_COMMENTS,
    LOCAL_PEERS,
    LOCAL_PHRASES,
    MAX_CHARACTERS,
    MAX_DATES,
    NAMES_UNCHECKED,
    SMTP_KEYWORD,
    SOFTWARE,
    Internal,
)
from prober.headers.tls import find_tls
from prober.headers.tokens import (
    TLS_CLAUSE,
    Clause,
    Clauses,
    Token,
    collapse,
    split_clauses,
)


def _alternatives(patterns: list[str | None]) -> re.Pattern[str]:
    """Combine *patterns* into one; each is a group named after its number. The first match wins."""
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
    """The name of the server's software: the first row of the table that matches, or None.

    Only *comments* are searched if they are given, else all comments of the line.
    """
    if comments is None:
        comments = [one for clause in clauses.by_name.values() for one in clause.comments]
    number = min(_numbers(clauses, by, comments), default=None)
    return None if number is None else SOFTWARE[number].name


def _numbers(clauses: Clauses, by: str | None, comments: Sequence[Token]) -> Iterator[int]:
    matches = [_COMMENT.match(comment.text) for comment in comments]
    matches.append(_PROTOCOL.match(clauses.get("with").phrase))
    for found in matches:
        if found is not None and found.lastgroup is not None:
            yield int(found.lastgroup.removeprefix("n"))
    labels = by.split(".") if by is not None else []
    for cut in range(len(labels)):
        host = ".".join(labels[cut:])
        if host in _HOSTS:
            yield _HOSTS[host]


_EXIM: Final = "Exim"
_SENDMAIL: Final = "Sendmail"
_OWN_NOTICE: Final = ["localhost", "localhost"]  # Sendmail's own notices, which have no address
_DATE_CHARACTERS: Final = 100  # RFC 5322 §3.3: a date with its comment has about 40
_DIGIT: Final = re.compile(r"\d")
_FRACTION: Final = re.compile(r"(?<=:\d\d)\.\d{1,9}")  # of a second: SendGrid
_COMMENT_BEFORE: Final = re.compile(r"\s*(?:\([^()]{0,500}\)\s*)*")
_ZONE_NAME: Final = re.compile(r"(?<=[+-]\d{4})\(.*")  # no space before it: "+0900(KST)"
# A date somewhere in a line: RFC 5322 §3.3's, or Go's "2026-03-17 12:59:19 +0000 UTC".
_DATE: Final = re.compile(
    r"(?<!\d)\d{1,2}[ -](?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}[ -]\d{4}"
    r" \d{1,2}:\d\d(?::\d\d)?(?:\.\d{1,9})?(?: (?:[+-]\d{4}|GMT|UTC|[ECMP][SD]T))?",
    re.IGNORECASE | re.ASCII,
)
_ISO_DATE: Final = re.compile(
    r"(?<!\d)(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.\d{1,9})? ?([+-]\d\d:?\d\d|Z)?", re.ASCII
)
# The client chooses the text of these clauses, so what follows them may not be the server's.
_CLIENT_CLAUSES: Final = frozenset({"id", "for"})
_BY: Final = frozenset({"by"})
_LOCAL_CLAUSES: Final = frozenset({"head", "by", "via", "with", TLS_CLAUSE})
_VIA: Final = re.compile(r"(?:via|with) (\w{1,20})", re.IGNORECASE)
_ENVELOPE: Final = re.compile(r"envelope|mail ?from", re.IGNORECASE)


def parse_received(text: str) -> Received:
    """Parse a field body, folded or not.

    A field of the record is None if the text does not say it.
    """
    unfolded = collapse(text[:MAX_CHARACTERS])
    clauses = split_clauses(unfolded)
    by, by_address = parse_receiver(clauses.get("by"))
    own = _server_comments(clauses)
    protocols = _protocols(clauses, own)
    software = find_software(clauses, by)
    reading = find_tls(unfolded, clauses)
    peer = parse_peer(
        clauses.get("from"),
        first_is_verified=software == _EXIM and find_software(clauses, by, own) == _EXIM,
        names_are_checked=software not in NAMES_UNCHECKED,
    )
    if clauses.ambiguous and peer is not None:
        peer = Peer(helo=peer.helo, ambiguous=True)
    return Received(
        text=unfolded,
        peer=peer,
        by=by,
        by_address=by_address,
        via=clauses.get("via").phrase or None,
        with_=clauses.get("with").phrase.rstrip(",") or None,
        id=_unbracketed(clauses.get("id")),
        for_=_unbracketed(clauses.get("for")),
        date=parse_date(unfolded, clauses.tails),
        software=software,
        local=_is_local(clauses, peer, own, software, protocols),
        tls=reading.statement,
        tls_facts=reading.facts,
        tls_unread=reading.unread,
        protocols=protocols,
        ambiguous=clauses.ambiguous,
        truncated=len(text) > MAX_CHARACTERS,
    )


def parse_date(text: str, tails: Sequence[int]) -> datetime | None:
    """The date after the last semicolon that has one, else any date in the line, in UTC.

    RFC 5322 §3.3, §4.3. A date without a zone is read as UTC, as RFC 5322 §3.3 says of -0000.
    """
    for tail in reversed(tails[-MAX_DATES:]):
        comment = _COMMENT_BEFORE.match(text, tail)
        start = comment.end() if comment else tail
        date = _ZONE_NAME.sub("", _FRACTION.sub("", text[start : start + _DATE_CHARACTERS]))
        if parsed := _as_date(date.strip()):
            return parsed
    if found := _DATE.search(text):
        return _as_date(_FRACTION.sub("", found[0]))
    if found := _ISO_DATE.search(text):
        return _as_iso_date(found)
    return None


def _as_date(date: str) -> datetime | None:
    if not _DIGIT.search(date):
        return None
    try:
        return _in_utc(email.utils.parsedate_to_datetime(date))
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return None  # every error of email.utils means: no date


def _as_iso_date(found: re.Match[str]) -> datetime | None:
    try:
        return _in_utc(datetime.fromisoformat(f"{found[1]}T{found[2]}{found[3] or ''}"))
    except (ValueError, OverflowError):
        return None


def _in_utc(date: datetime) -> datetime:
    zoned = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
    return zoned.astimezone(UTC).replace(microsecond=0)


def _unbracketed(clause: Clause) -> str | None:
    """The first word of the clause, without angle brackets and without a comma at its end."""
    if not clause.words:
        return None
    return clause.words[0].text.rstrip(",").removeprefix("<").removesuffix(">") or None


def _server_comments(clauses: Clauses) -> list[Token]:
    """The comments in which a server describes itself, up to the first text that a client chose."""
    own: list[Token] = []
    if clauses.ambiguous:
        return own
    for name, clause in clauses.by_name.items():
        if name in _CLIENT_CLAUSES:
            break
        for comment in clause.comments if name in _LOCAL_CLAUSES else ():
            if _ENVELOPE.match(comment.text):
                return own
            own.append(comment)
    return own


def _protocols(clauses: Clauses, own: list[Token]) -> tuple[str, ...]:
    """The words of ``with`` and ``via`` in lower case, also from a comment such as "(via HTTP)".

    Words after an id or a recipient are left out, and words between ``from`` and ``by``: a client
    may have written those.
    """
    words = [
        word.text
        for name in ("with", "via")
        if clauses.precedes(name, _CLIENT_CLAUSES)
        if "from" not in clauses.by_name or not clauses.precedes(name, _BY)
        for word in _before_envelope(clauses.get(name))
    ]
    words += [found[1] for one in own if (found := _VIA.fullmatch(one.text))]
    return tuple(word.lower().strip(",;:()") for word in words)


def _before_envelope(clause: Clause) -> list[Token]:
    """The words before the sender's address. The address may contain any words."""
    tokens = (*clause.words, *clause.comments)
    starts = [one.start for one in tokens if one.text[:1] in "eEmM" and _ENVELOPE.match(one.text)]
    if not starts:
        return clause.words
    end = min(starts)
    return [word for word in clause.words if word.start < end]


def _is_local(
    clauses: Clauses,
    peer: Peer | None,
    own: list[Token],
    software: str | None,
    words: tuple[str, ...],
) -> bool:
    """Whether the line says that the message was submitted on its own host, or is no transfer."""
    if clauses.ambiguous:
        return False
    sender = clauses.get("from")
    if any(KEYWORDS_INTERNAL.get(word) is Internal.LOCAL_SUBMISSION for word in words):
        return True
    if peer is not None and (peer.address is not None or peer.ambiguous):
        return False
    if sender.phrase in LOCAL_PHRASES and not sender.comments:
        return True
    if any(LOCAL_PEERS.search(said) for said in server_comments(sender.comments)):
        return True
    if (
        software == _SENDMAIL
        and [sender.phrase, *(one.text for one in sender.comments)] == _OWN_NOTICE
    ):
        return True
    if any(LOCAL_COMMENTS.fullmatch(comment.text) for comment in own):
        return True
    return software == _EXIM and _names_a_user(sender) and _is_not_smtp(words)


def _names_a_user(sender: Clause) -> bool:
    """Whether the ``from`` clause is one word without a dot, such as "mail"."""
    return len(sender.words) == 1 and not sender.comments and "." not in sender.words[0].text


def _is_not_smtp(protocol: tuple[str, ...]) -> bool:
    """Whether there is a ``with`` clause without an SMTP keyword, such as "spam-scanned"."""
    return bool(protocol) and not SMTP_KEYWORD.search(" ".join(protocol))
