"""One Received field, from text to a record. Total: any text gives one, and never an exception."""

import email.utils
import re
from datetime import UTC, datetime
from typing import Final

from prober.records.headers import Received
from prober.rules.received.peer import parse_peer, parse_receiver
from prober.rules.received.software import find_software
from prober.rules.received.tables import (
    KEYWORDS_INTERNAL,
    LOCAL_COMMENTS,
    LOCAL_PEERS,
    LOCAL_PHRASES,
    MOST_CHARACTERS,
    MOST_DATES,
    NAMES_UNCHECKED,
    Internal,
)
from prober.rules.received.tls import find_tls
from prober.rules.received.tokens import Clause, Clauses, collapse, split_clauses

_EXIM: Final = "Exim"
_SENDMAIL: Final = "Sendmail"
_ITSELF: Final = ["localhost", "localhost"]  # Sendmail of its own notices: no address
_DATE_CHARACTERS: Final = 100  # RFC 5322 §3.3: a date with its comment has about 40
_DIGIT: Final = re.compile(r"\d")
_FRACTION: Final = re.compile(r"(?<=:\d\d)\.\d+")  # of a second: SendGrid


def parse_received(text: str) -> Received:
    """What the field body *text* says, folded or not. What it does not say is None."""
    unfolded = collapse(text[:MOST_CHARACTERS])
    clauses = split_clauses(unfolded)
    by, by_address = parse_receiver(clauses.get("by"))
    software = find_software(clauses, by)
    statement, facts = find_tls(clauses)
    protocol = clauses.get("with")
    return Received(
        text=unfolded,
        peer=parse_peer(
            clauses.get("from"),
            first_is_verified=software == _EXIM,
            names_are_checked=software not in NAMES_UNCHECKED,
        ),
        by=by,
        by_address=by_address,
        via=clauses.get("via").phrase or None,
        with_=protocol.phrase or None,
        id=_unbracketed(clauses.get("id")),
        for_=_unbracketed(clauses.get("for")),
        date=parse_date(clauses.tails),
        software=software,
        local=_is_local(clauses, software),
        tls=statement,
        tls_facts=facts,
        truncated=len(text) > MOST_CHARACTERS,
    )


def parse_date(tails: list[str]) -> datetime | None:
    """The date behind the last semicolon that has one, in UTC. RFC 5322 §3.3, §4.3.

    A date without a zone is taken for UTC, as RFC 5322 §3.3 has it for -0000.
    """
    for tail in reversed(tails[-MOST_DATES:]):
        date = _FRACTION.sub("", tail.strip()[:_DATE_CHARACTERS])
        if not _DIGIT.search(date):
            continue
        try:
            parsed = email.utils.parsedate_to_datetime(date)
            zoned = parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
            return zoned.astimezone(UTC).replace(microsecond=0)
        except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
            continue  # email.utils: none of its faults is more than "no date"
    return None


def _unbracketed(clause: Clause) -> str | None:
    """The first word without angle brackets, and without a comma that follows it."""
    if not clause.words:
        return None
    return clause.words[0].text.rstrip(",").removeprefix("<").removesuffix(">") or None


def _is_local(clauses: Clauses, software: str | None) -> bool:
    """Whether the line says that the message was handed in on its own host."""
    protocol = clauses.get("with")
    words = [word.text.lower() for word in protocol.words]
    if any(KEYWORDS_INTERNAL.get(word) is Internal.LOCAL_SUBMISSION for word in words):
        return True
    if clauses.get("from").phrase in LOCAL_PHRASES:
        return True
    peer = clauses.get("from")
    if any(LOCAL_PEERS.match(comment.text) for comment in peer.comments):
        return True
    if software == _SENDMAIL and [peer.phrase, *(one.text for one in peer.comments)] == _ITSELF:
        return True
    return any(
        LOCAL_COMMENTS.match(comment.text)
        for name, clause in clauses.by_name.items()
        if name != "from"  # there the client's names stand
        for comment in clause.comments
    )
