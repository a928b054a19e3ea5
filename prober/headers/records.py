"""Records of Received header fields: what a line says, and how it was judged.

RFC 5321 §4.4 defines the field, RFC 3848 and RFC 6531 §4.3 its protocol keywords. A line is what
one server wrote about one transfer. Nothing in these records was observed by this program, except
in ``HopProbe``.
"""

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Final

HEADERS_SCHEMA: Final = 1  # version of the JSON format of `probe headers`


class TlsStatement(enum.StrEnum):
    """What a line says about TLS. A line that does not mention TLS does not deny it."""

    STATED = "stated"
    NOT_STATED = "not-stated"
    DENIED = "denied"  # it says that TLS was not used


class Trust(enum.StrEnum):
    """Whether a line was written inside the trust boundary."""

    TRUSTED = "trusted"
    CLAIMED = "claimed"  # the sender may have forged it


class Judgement(enum.StrEnum):
    """Whether a hop was encrypted."""

    ENCRYPTED = "encrypted"
    NOT_ENCRYPTED = "not-encrypted"
    INTERNAL = "internal"  # within one host or one provider
    UNKNOWN = "unknown"


class Basis(enum.StrEnum):
    """What a judgement rests on, the most certain first."""

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
    """What the exit status of `probe headers` requires."""

    BORDER = "border"  # the hops inside the trust boundary only
    AS_CLAIMED = "as-claimed"  # the whole path; claimed lines are believed
    ENCRYPTED = "encrypted"  # the whole path; only trusted lines count


class ClientCertificate(enum.StrEnum):
    """What a line says about the *client's* certificate. It does not show how good the TLS was."""

    NOT_REQUESTED = "not-requested"
    NOT_PRESENTED = "not-presented"
    NOT_VERIFIED = "not-verified"
    VERIFIED = "verified"
    UNKNOWN = "unknown"  # stated in unknown words


class RemarkKind(enum.StrEnum):
    """Something unusual in a path. A remark never changes a judgement."""

    DOES_NOT_CHAIN = "does-not-chain"  # the line below was not written by this line's peer
    DATE_BACKWARDS = "date-backwards"  # dated before the line below it
    NO_DATE = "no-date"
    TRUNCATED = "truncated"  # the line was longer than our limit
    TOO_MANY_LINES = "too-many-lines"


class Offer(enum.StrEnum):
    """Whether a receiving server offers TLS when it is probed now."""

    OFFERS = "offers"  # every tested endpoint completed TLS
    PARTLY = "partly"  # some tested endpoints completed TLS
    NOTHING = "nothing"  # no endpoint offers TLS, and that is confirmed
    NOT_TESTED = "not-tested"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The client, as the ``from`` clause of a line describes it. RFC 5321 §4.4, From-domain."""

    helo: str | None = None  # chosen by the client, so it proves nothing
    name: str | None = None  # the reverse name that the receiving server looked up
    name_confirmed: bool = False  # the server also checked that the name has this address
    address: str | None = None  # the last one that the server wrote
    ambiguous: bool = False  # a private address beside another one: the client may have written it


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFacts:
    """What a line says about its TLS. ``protocol`` is None where no single version is stated."""

    protocol: str | None = None  # OpenSSL's name, such as "TLSv1.3"
    protocol_as_written: str | None = None
    cipher: str | None = None  # as written
    cipher_iana: str | None = None
    bits: int | None = None
    key_exchange: str | None = None
    client_certificate: ClientCertificate | None = None
    shape: str | None = None  # the form that was recognised; None for a keyword only
    span: tuple[int, int] | None = None  # position in ``Received.text``


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One parsed Received field. None means that the line does not say it."""

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
    local: bool = False  # the line says that the message was submitted on this host
    tls: TlsStatement = TlsStatement.NOT_STATED
    tls_facts: TlsFacts | None = None
    tls_unread: str | None = None  # a text about TLS that could not be parsed
    protocols: tuple[str, ...] = ()  # the words of with and via that the client did not choose
    ambiguous: bool = False  # the server's own text may begin at two places
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One unusual thing in the path, with the detail that shows it."""

    kind: RemarkKind
    hop: int | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One line with its judgement. Index 0 is the topmost Received field."""

    index: int
    received: Received
    trust: Trust
    border: bool = False  # the peer belongs to another operator
    judgement: Judgement
    basis: Basis
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageHeaders:
    """What was read from one message. ``error`` says why it could not be read as a message."""

    file: str
    position: int = 1  # in a mailbox, counted from 1
    message_id: str | None = None
    sender_domain: str | None = None  # of the From field, as claimed
    delivered_to: str | None = None  # from above all Received, so the sender did not write it
    received: tuple[str, ...] = ()
    received_left_out: int = 0  # how many were over our limit
    x_received: int = 0  # how many X-Received fields; these are not hops
    authentication_results: tuple[str, ...] = ()  # who wrote some, also in ARC; never judged
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HopProbe:
    """What a receiving server offers now, compared with what a line says."""

    hop: int | None  # None for the recipient's domain as a whole
    host: str
    offer: Offer
    tls_versions: tuple[str, ...] = ()
    detail: str | None = None
    conclusion: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReport:
    """One message: its hops, its verdict, and what a probe of its receivers shows."""

    schema: int = HEADERS_SCHEMA
    message: MessageHeaders
    verdict: MessageVerdict
    at_hop: int | None = None  # the hop that decides the verdict
    as_claimed: bool = False  # the verdict rests on claimed lines
    basis: Basis = Basis.NONE
    reason: str
    hops: tuple[Hop, ...] = ()
    remarks: tuple[Remark, ...] = ()
    probe: tuple[HopProbe, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """How many lines of one server in one year stated TLS, and how many were silent.

    Claimed lines are counted separately, because they judge claimed lines only.
    """

    server: str
    software: str | None = None
    year: int | None = None  # None in files of older versions; such counts are not used
    stated: int = 0
    silent: int = 0
    claimed_stated: int = 0
    claimed_silent: int = 0
