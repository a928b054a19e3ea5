"""One delivery attempt as a mail server logged it, and the words for it. docs/logs.md."""

import enum
import functools
import ipaddress
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from prober.domains import parse_domain
from prober.errors import InputError

LOGS_SCHEMA: Final = 1  # of the JSON of `probe logs`


class Tls(enum.StrEnum):
    """Whether the connection was encrypted."""

    ENCRYPTED = "encrypted"
    CLEAR = "clear"
    UNKNOWN = "unknown"


class Identity(enum.StrEnum):
    """What the sending server checked of the other server's certificate, the least first."""

    UNKNOWN = "unknown"
    NONE = "none"  # any certificate was good enough
    TRUSTED = "trusted"  # issued by a trusted CA; its name was not compared
    VERIFIED = "verified"  # trusted, or pinned, and for the expected name
    DANE = "dane"  # by TLSA records, RFC 7672


class Status(enum.StrEnum):
    """What became of one recipient in one attempt."""

    SENT = "sent"
    DEFERRED = "deferred"
    BOUNCED = "bounced"


class Content(enum.StrEnum):
    """Whether the message itself went over the connection.

    A server that refuses at the end of DATA has the message already, so LEFT is not only SENT.
    """

    LEFT = "left"
    HELD = "held"
    UNKNOWN = "unknown"


class Scope(enum.StrEnum):
    """Where a delivery went. Only OUTSIDE counts for the answer and the exit status."""

    OUTSIDE = "outside"
    INTERNAL = "internal"  # as --internal says
    LOCAL = "local"  # to a mailbox, a program or a filter on the same machine


class Direction(enum.StrEnum):
    """Seen from the server that wrote the log."""

    OUT = "out"
    IN = "in"


class Level(enum.StrEnum):
    """The values of --at-least."""

    ENCRYPTED = "encrypted"
    VERIFIED = "verified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a log says of the TLS of one connection."""

    tls: Tls = Tls.UNKNOWN
    why: str | None = None  # why ``tls`` is unknown, or what else must be said of it
    version: str | None = None  # OpenSSL's name, such as "TLSv1.3"
    cipher: str | None = None
    key_exchange: str | None = None
    identity: Identity = Identity.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One attempt to hand one message to one recipient. ``None``: the log does not say."""

    time: datetime  # UTC
    server: str  # whose log it is
    software: str
    direction: Direction = Direction.OUT
    queue_id: str
    message_id: str | None = None
    domain: str = ""  # of the recipient; of the sender of a message that came in
    recipient: str | None = None  # the whole address, as logged
    relay: str | None = None  # name of the other server
    address: str | None = None
    status: Status
    content: Content
    session: Session = Session()
    local: bool = False  # to this machine; see Scope.LOCAL
    reply: str | None = None  # the other server's words, or the reason


class Attempt(NamedTuple):
    """A delivery, and where it went: the record of reports."""

    delivery: Delivery
    scope: Scope


def domain_of(address: str) -> str:
    """The domain of an address, lower case; empty for a bounce's sender or a local name."""
    return address.rpartition("@")[2].lower().rstrip(".") if "@" in address else ""


@functools.lru_cache(maxsize=10_000)
def name_of(domain: str) -> str | None:
    """*domain* of a log, as results and the record spell it. None: it is not a domain."""
    try:
        return parse_domain(domain)
    except InputError:
        return None


@dataclass(frozen=True, slots=True)
class Internal:
    """The networks and domains of --internal.

    A domain is compared with the recipient's, never with the name of the relay: that comes from
    DNS, where the owner of any domain can name an MX host of ours.
    """

    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    domains: tuple[str, ...] = ()

    def scope(self, delivery: Delivery) -> Scope:
        """Where *delivery* went."""
        if delivery.local or _is_loopback(delivery.address):
            return Scope.LOCAL
        if self.domains and _is_below(delivery.domain, self.domains):
            return Scope.INTERNAL
        if self.networks and delivery.address is not None:
            address = ip_address(delivery.address)
            if address is not None and any(address in network for network in self.networks):
                return Scope.INTERNAL
        return Scope.OUTSIDE


@functools.lru_cache(maxsize=10_000)  # a few relays take most of the mail
def ip_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """*text* as an address, without a zone and without the prefix of an address literal."""
    try:
        address = ipaddress.ip_address(text.removeprefix("IPv6:").partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_loopback(text: str | None) -> bool:
    if text is None or not text.startswith(("127.", "::1", "::ffff:127.", "IPv6:::")):
        return False
    address = ip_address(text)
    return address is not None and address.is_loopback


def _is_below(name: str, domains: tuple[str, ...]) -> bool:
    return any(name == domain or name.endswith(f".{domain}") for domain in domains)


def falls_short(session: Session, level: Level) -> bool | None:
    """Whether a message left below *level*; None where the log does not tell."""
    match session.tls:
        case Tls.CLEAR:
            return True
        case Tls.UNKNOWN:
            return None
        case Tls.ENCRYPTED:
            if level is Level.ENCRYPTED or session.identity in (Identity.VERIFIED, Identity.DANE):
                return False
            return None if session.identity is Identity.UNKNOWN else True
