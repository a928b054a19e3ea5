"""One Received field, from text to a record. Total: any text gives one, and never an exception."""

import email.utils
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from prober.headers.peer import parse_peer, parse_receiver, server_words
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


_EXIM: Final = "Exim"
_SENDMAIL: Final = "Sendmail"
_ITSELF: Final = ["localhost", "localhost"]  # Sendmail of its own notices: no address
_DATE_CHARACTERS: Final = 100  # RFC 5322 §3.3: a date with its comment has about 40
_DIGIT: Final = re.compile(r"\d")
_FRACTION: Final = re.compile(r"(?<=:\d\d)\.\d{1,9}")  # of a second: SendGrid
_COMMENT_BEFORE: Final = re.compile(r"\s*(?:\([^()]{0,500}\)\s*)*")
_ZONE_NAME: Final = re.compile(r"(?<=[+-]\d{4})\(.*")  # glued: "+0900(KST)"
# A date somewhere in a line: RFC 5322 §3.3's, or Go's "2026-03-17 12:59:19 +0000 UTC".
_DATE: Final = re.compile(
    r"(?<!\d)\d{1,2}[ -](?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}[ -]\d{4}"
    r" \d{1,2}:\d\d(?::\d\d)?(?:\.\d{1,9})?(?: (?:[+-]\d{4}|GMT|UTC|[ECMP][SD]T))?",
    re.IGNORECASE | re.ASCII,
)
_ISO_DATE: Final = re.compile(
    r"(?<!\d)(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.\d{1,9})? ?([+-]\d\d:?\d\d|Z)?", re.ASCII
)
# Clauses whose text the client chooses: what follows them proves nothing about the server.
_CLIENTS_CLAUSES: Final = frozenset({"id", "for"})
_BY: Final = frozenset({"by"})
_LOCAL_CLAUSES: Final = frozenset({"head", "by", "via", "with", TLS_CLAUSE})
_VIA: Final = re.compile(r"(?:via|with) (\w{1,20})", re.IGNORECASE)
_ENVELOPE: Final = re.compile(r"envelope|mail ?from", re.IGNORECASE)


def parse_received(text: str) -> Received:
    """What the field body *text* says, folded or not. What it does not say is None."""
    unfolded = collapse(text[:MAX_CHARACTERS])
    clauses = split_clauses(unfolded)
    by, by_address = parse_receiver(clauses.get("by"))
    own = _own_comments(clauses)
    protocols = _protocols(clauses, own)
    software = find_software(clauses, by)
    reading = find_tls(unfolded, clauses)
    peer = parse_peer(
        clauses.get("from"),
        first_is_verified=software == _EXIM and find_software(clauses, by, own) == _EXIM,
        names_are_checked=software not in NAMES_UNCHECKED,
    )
    if clauses.doubtful and peer is not None:
        peer = Peer(helo=peer.helo, doubtful=True)
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
        doubtful=clauses.doubtful,
        truncated=len(text) > MAX_CHARACTERS,
    )


def parse_date(text: str, tails: Sequence[int]) -> datetime | None:
    """The date behind the last semicolon that has one, else any in the line, in UTC.

    RFC 5322 §3.3, §4.3. A date without a zone is taken for UTC, as RFC 5322 §3.3 has it for -0000.
    """
    for tail in reversed(tails[-MAX_DATES:]):
        comment = _COMMENT_BEFORE.match(text, tail)
        start = comment.end() if comment else tail
        date = _ZONE_NAME.sub("", _FRACTION.sub("", text[start : start + _DATE_CHARACTERS]))
        if behind := _as_date(date.strip()):
            return behind
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
        return None  # email.utils: none of its faults is more than "no date"


def _as_iso_date(found: re.Match[str]) -> datetime | None:
    try:
        return _in_utc(datetime.fromisoformat(f"{found[1]}T{found[2]}{found[3] or ''}"))
    except (ValueError, OverflowError):
        return None


def _in_utc(date: datetime) -> datetime:
    zoned = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
    return zoned.astimezone(UTC).replace(microsecond=0)


def _unbracketed(clause: Clause) -> str | None:
    """The first word without angle brackets, and without a comma that follows it."""
    if not clause.words:
        return None
    return clause.words[0].text.rstrip(",").removeprefix("<").removesuffix(">") or None


def _own_comments(clauses: Clauses) -> list[Token]:
    """The comments in which a server tells of itself: none behind a client's words."""
    own: list[Token] = []
    if clauses.doubtful:
        return own
    for name, clause in clauses.by_name.items():
        if name in _CLIENTS_CLAUSES:
            break
        for comment in clause.comments if name in _LOCAL_CLAUSES else ():
            if _ENVELOPE.match(comment.text):
                return own
            own.append(comment)
    return own


def _protocols(clauses: Clauses, own: list[Token]) -> tuple[str, ...]:
    """The words of with and via in lower case, also of a comment such as "(via HTTP)".

    None from behind an id or a recipient, and none between the client and the server.
    """
    words = [
        word.text
        for name in ("with", "via")
        if clauses.stands_before(name, _CLIENTS_CLAUSES)
        if "from" not in clauses.by_name or not clauses.stands_before(name, _BY)
        for word in _before_envelope(clauses.get(name))
    ]
    words += [found[1] for one in own if (found := _VIA.fullmatch(one.text))]
    return tuple(word.lower().strip(",;:()") for word in words)


def _before_envelope(clause: Clause) -> list[Token]:
    """The words in front of the sender's address: it may hold any words of its own."""
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
    """Whether the line says that the message was handed in on its own host, or is no hop."""
    if clauses.doubtful:
        return False
    sender = clauses.get("from")
    if any(KEYWORDS_INTERNAL.get(word) is Internal.LOCAL_SUBMISSION for word in words):
        return True
    if peer is not None and (peer.address is not None or peer.doubtful):
        return False
    if sender.phrase in LOCAL_PHRASES and not sender.comments:
        return True
    if any(LOCAL_PEERS.search(said) for said in server_words(sender.comments)[0]):
        return True
    if software == _SENDMAIL and [sender.phrase, *(one.text for one in sender.comments)] == _ITSELF:
        return True
    if any(LOCAL_COMMENTS.fullmatch(comment.text) for comment in own):
        return True
    return software == _EXIM and _names_a_user(sender) and _is_no_transfer(words)


def _names_a_user(sender: Clause) -> bool:
    """Whether the ``from`` clause is one word without a dot, such as "mail"."""
    return len(sender.words) == 1 and not sender.comments and "." not in sender.words[0].text


def _is_no_transfer(protocol: tuple[str, ...]) -> bool:
    """Whether the ``with`` clause is there and has no keyword of SMTP: "spam-scanned"."""
    return bool(protocol) and not SMTP_KEYWORD.search(" ".join(protocol))
