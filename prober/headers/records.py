"""Records of Received header fields: what a line says, and what the rules make of it.

RFC 5321 §4.4 for the field, RFC 3848 and RFC 6531 §4.3 for its protocol keywords. A line is what
one server chose to write about one transfer; nothing here was observed by ourselves.
"""

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Final

HEADERS_SCHEMA: Final = 1  # of the JSON of `probe headers`


class TlsStatement(enum.StrEnum):
    """What a line says of TLS. Silence is not a denial."""

    STATED = "stated"
    NOT_STATED = "not-stated"
    DENIED = "denied"  # it says that TLS was not used


class Trust(enum.StrEnum):
    """Whether a line was written inside the trust boundary."""

    TRUSTED = "trusted"
    CLAIMED = "claimed"  # the sender may have forged it


class Judgement(enum.StrEnum):
    """How a hop was made."""

    ENCRYPTED = "encrypted"
    NOT_ENCRYPTED = "not-encrypted"
    INTERNAL = "internal"  # within one host or one provider
    UNKNOWN = "unknown"


class Basis(enum.StrEnum):
    """What a judgement rests on, the surest first."""

    STATED = "stated"  # a clause or comment about TLS
    KEYWORD = "keyword"  # the S of ESMTPS, RFC 3848
    HABIT = "habit"  # silence of a server that is known to state TLS: probably
    NONE = "none"


class MessageVerdict(enum.StrEnum):
    """The answer for one message."""

    ENCRYPTED = "encrypted"
    ENCRYPTED_EXCEPT_INTERNAL = "encrypted-except-internal"
    NOT_ENCRYPTED = "not-encrypted"
    UNKNOWN = "unknown"


class Requirement(enum.StrEnum):
    """What is good enough for the exit status of `probe headers`."""

    BORDER = "border"  # the hops inside the trust boundary; what is below it does not count
    AS_CLAIMED = "as-claimed"  # the whole path, claimed lines believed
    ENCRYPTED = "encrypted"  # the whole path, by trusted lines alone


class ClientCertificate(enum.StrEnum):
    """What became of the *client's* certificate. It says nothing of how strong the TLS was."""

    NOT_REQUESTED = "not-requested"
    NOT_PRESENTED = "not-presented"
    NOT_VERIFIED = "not-verified"
    VERIFIED = "verified"
    UNKNOWN = "unknown"  # stated in words that are not known


class RemarkKind(enum.StrEnum):
    """An oddity of a path. None changes a judgement."""

    DOES_NOT_CHAIN = "does-not-chain"  # the next line below was written by another than the peer
    DATE_BACKWARDS = "date-backwards"  # dated before the line below it
    NO_DATE = "no-date"
    TRUNCATED = "truncated"  # a bound of ours cut the line
    TOO_MANY_LINES = "too-many-lines"


class Offer(enum.StrEnum):
    """What a receiving server shows when it is probed now."""

    OFFERS = "offers"  # TLS completed at every endpoint that was tested
    PARTLY = "partly"  # at some of them
    NOTHING = "nothing"  # at none: a confirmed negative
    NOT_TESTED = "not-tested"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The client as the line's ``from`` clause gives it. RFC 5321 §4.4, From-domain."""

    helo: str | None = None  # its own word, whatever it likes
    name: str | None = None  # the reverse name that the receiving server looked up
    name_confirmed: bool = False  # by its form: that server looks whether it leads back, too
    address: str | None = None  # the last one that the server wrote
    doubtful: bool = False  # a private address beside another one: perhaps the client's own word


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFacts:
    """What a line says of its TLS. ``protocol`` is None where no single version is stated."""

    protocol: str | None = None  # OpenSSL's name, such as "TLSv1.3"
    protocol_as_written: str | None = None
    cipher: str | None = None  # as written
    cipher_iana: str | None = None
    bits: int | None = None
    key_exchange: str | None = None
    client_certificate: ClientCertificate | None = None
    shape: str | None = None  # which form it was read by; None for a keyword alone
    span: tuple[int, int] | None = None  # where in ``Received.text``


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One Received field, parsed. ``None`` is what the line does not say."""

    text: str  # unfolded, capped
    peer: Peer | None = None
    by: str | None = None  # lower case, no trailing dot
    by_address: str | None = None
    via: str | None = None
    with_: str | None = None  # the words of the clause, as written
    id: str | None = None
    for_: str | None = None
    date: datetime | None = None  # in UTC
    software: str | None = None  # by its common name
    local: bool = False  # the line says that it came from this host, not over a network
    tls: TlsStatement = TlsStatement.NOT_STATED
    tls_facts: TlsFacts | None = None
    tls_unread: str | None = None  # what the server says of TLS in words that could not be read
    protocols: tuple[str, ...] = ()  # words of with and via, none behind a client's text
    doubtful: bool = False  # two places could be where the server began to write
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One oddity, with what shows it."""

    kind: RemarkKind
    hop: int | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One line with its judgement. Index 0 is the topmost Received field."""

    index: int
    received: Received
    trust: Trust
    border: bool = False  # the peer is of another operator: here mail came in
    judgement: Judgement
    basis: Basis
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageHeaders:
    """What was read of one message. ``error`` where it could not be read as one."""

    file: str
    position: int = 1  # in a mailbox, counted from 1
    message_id: str | None = None
    sender_domain: str | None = None  # of the From field, as claimed
    delivered_to: str | None = None  # of fields above the topmost Received, so not the sender's
    received: tuple[str, ...] = ()
    received_left_out: int = 0  # beyond a bound of ours
    x_received: int = 0  # context: no hops
    authentication_results: tuple[str, ...] = ()  # context: who wrote some, also in ARC sets
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HopProbe:
    """What a receiving server offers now, beside what a line says of then."""

    hop: int | None  # None for the recipient's domain as a whole
    host: str
    offer: Offer
    tls_versions: tuple[str, ...] = ()
    detail: str | None = None
    conclusion: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReport:
    """One message: its hops, its verdict, and what a probe of its receivers adds."""

    schema: int = HEADERS_SCHEMA
    message: MessageHeaders
    verdict: MessageVerdict
    at_hop: int | None = None  # where it was not encrypted, or is not known to be
    as_claimed: bool = False  # the verdict believes lines from outside the trust boundary
    basis: Basis = Basis.NONE
    reason: str
    hops: tuple[Hop, ...] = ()
    remarks: tuple[Remark, ...] = ()
    probe: tuple[HopProbe, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """How often lines of one server in one year stated TLS, and how often they were silent.

    Counts of claimed lines stand apart: they judge claimed lines only.
    """

    server: str
    software: str | None = None
    year: int | None = None  # None in files of older versions: such counts judge nothing
    stated: int = 0
    silent: int = 0
    claimed_stated: int = 0
    claimed_silent: int = 0
