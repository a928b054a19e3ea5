"""Which lines of a message can be believed: those above the first that a sender could have forged.

RFC 5321 §7.6: a receiver can vouch for its own line only. So trust goes from line to line, down
from the top, as long as each trusted line shows that its peer is one of ours too.
"""

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from prober.records.headers import Peer, Received, Trust
from prober.rules.received.peer import (
    is_internal_address,
    is_loopback,
    parse_address,
    parse_host,
)
from prober.rules.received.tables import (
    HANDS_ON_WITHOUT_PEER,
    HAS_OWN_NETWORK,
    KEYWORDS_AUTHENTICATED,
    KEYWORDS_INTERNAL,
    OWN_NETWORK_IPV6,
    SAME_NETWORK_IPV4,
    SAME_NETWORK_IPV6,
    Internal,
)

OperatorOf: TypeAlias = Callable[[str], str]
"""Names who runs a host: its registered domain by the public suffix list."""
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

# Kinds of internal hops behind which a sender may stand all the same: who wrote by web, and the
# neighbour in a network that a hoster lets to anybody.
_ENDS_TRUST: Final = frozenset({Internal.WEB, Internal.SAME_NETWORK})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedBy:
    """Whose lines are trusted: hosts and domains, and the addresses they may come from."""

    names: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.names or self.networks)

    def covers_name(self, name: str | None) -> bool:
        """Whether *name* is one of the names, or below one."""
        return name is not None and any(
            name == trusted or name.endswith(f".{trusted}") for trusted in self.names
        )

    def covers_address(self, text: str | None) -> bool:
        """Whether *text* is an address in one of the networks."""
        if text is None:
            return False
        address = ipaddress.ip_address(text)
        return any(address in network for network in self.networks)


def parse_trusted_by(texts: Sequence[str]) -> TrustedBy:
    """Names, addresses and networks as given. Raises ValueError for what is none of them."""
    names, networks = [], []
    for text in texts:
        try:
            networks.append(ipaddress.ip_network(text.strip("[]"), strict=False))
            continue
        except ValueError:
            name = parse_host(text.removeprefix("."))
        if name is None:
            raise ValueError(f"{text!r} is neither a host or domain, nor an address or network")
        names.append(name)
    return TrustedBy(names=tuple(names), networks=tuple(networks))


@dataclass(frozen=True, slots=True)
class Standing:
    """Of one line: whether it is trusted, and whether mail came in there from another operator."""

    trust: Trust
    border: bool


def judge_trust(
    lines: Sequence[Received], internals: Sequence[Internal | None], trusted_by: TrustedBy
) -> tuple[Standing, ...]:
    """How far the lines can be believed, the topmost first; *internals* by ``judge_internals``.

    Without *trusted_by* the topmost line is believed, and each next one until a line whose peer is
    not of the same provider: the border. With it, a line must also be by one of those named, and
    the peer of the line above it too, by the name that server looked up or by its address; what a
    client says of itself (HELO) never counts.
    """
    standings = []
    inside = True
    for line, internal in zip(lines, internals, strict=True):
        trusted = inside and (not trusted_by or _is_by(line, internal, trusted_by))
        stays = internal is not None and internal not in _ENDS_TRUST
        border = trusted and not stays
        standings.append(Standing(Trust.TRUSTED if trusted else Trust.CLAIMED, border))
        if trusted_by and internal is Internal.SAME_PROVIDER:  # named ones only
            stays = False
        inside = trusted and (stays or _is_from(line.peer, trusted_by))
    return tuple(standings)


def _is_by(line: Received, internal: Internal | None, trusted_by: TrustedBy) -> bool:
    if line.by is None:  # qmail's own lines name no host
        return internal is not None
    return trusted_by.covers_name(line.by) or trusted_by.covers_address(line.by_address)


def _is_from(peer: Peer | None, trusted_by: TrustedBy) -> bool:
    if peer is None:
        return False
    return trusted_by.covers_name(_confirmed(peer)) or trusted_by.covers_address(peer.address)


def _confirmed(peer: Peer) -> str | None:
    """The peer's name, where it is more than what the peer's own reverse zone says."""
    return peer.name if peer.name_confirmed else None


def judge_internals(
    lines: Sequence[Received], operator_of: OperatorOf
) -> tuple[Internal | None, ...]:
    """Why each hop stays within one host or provider, None where nothing shows that.

    Where a line does not tell its server's own address, the line above may: as its peer's.
    """
    above = (None, *(line.peer.address if line.peer else None for line in lines))
    return tuple(
        _judge_internal(line, line.by_address or seen, operator_of)
        for line, seen in zip(lines, above, strict=False)
    )


def _judge_internal(
    line: Received, own_address: str | None, operator_of: OperatorOf
) -> Internal | None:
    """A client's own word is no evidence: spam often greets with the receiver's own name."""
    if line.local:
        return Internal.LOCAL_SUBMISSION
    keyword = _internal_keyword(line)
    if keyword is not None:
        return keyword
    peer = line.peer or Peer()
    if is_loopback(peer.address) or _is_same_host(peer, line):
        return Internal.SAME_HOST
    if is_internal_address(peer.address):
        return Internal.PRIVATE_ADDRESS
    if _is_same_provider(peer, line, own_address, operator_of):
        return Internal.SAME_PROVIDER
    if _are_neighbours(peer, line, own_address, operator_of):
        return Internal.SAME_NETWORK
    if line.peer is None and _hands_on(line, operator_of):
        return Internal.HANDED_ON
    return None


def _internal_keyword(line: Received) -> Internal | None:
    words = (line.with_ or "").lower().split()
    return next((KEYWORDS_INTERNAL[word] for word in words if word in KEYWORDS_INTERNAL), None)


def _is_same_host(peer: Peer, line: Received) -> bool:
    if peer.address is not None and peer.address == line.by_address:
        return True
    return peer.name_confirmed and peer.name == line.by


def _is_same_provider(
    peer: Peer, line: Received, own_address: str | None, operator_of: OperatorOf
) -> bool:
    """By the name that the server looked up; or by HELO, in a network of one provider alone.

    Who gave a password is a customer, whatever its name is.
    """
    if line.by is None or "." not in line.by or parse_address(line.by) is not None:
        return False
    if any(word in KEYWORDS_AUTHENTICATED for word in (line.with_ or "").lower().split()):
        return False
    operator = operator_of(line.by)
    owns_network = operator in HAS_OWN_NETWORK and _share_network(
        peer.address, own_address, OWN_NETWORK_IPV6
    )
    name = _confirmed(peer) or (parse_host(peer.helo or "") if owns_network else None)
    return name is not None and operator_of(name) == operator


def _are_neighbours(
    peer: Peer, line: Received, own_address: str | None, operator_of: OperatorOf
) -> bool:
    """By their addresses, unless their names show two operators: hosters let single addresses."""
    name = peer.name or parse_host(peer.helo or "")
    both_named = "." in (name or "") and "." in (line.by or "")
    if both_named and operator_of(name or "") != operator_of(line.by or ""):
        return False
    return _share_network(peer.address, own_address, SAME_NETWORK_IPV6)


def _share_network(one: str | None, other: str | None, bits_ipv6: int) -> bool:
    if one is None or other is None or (":" in one) != (":" in other):
        return False
    bits = bits_ipv6 if ":" in one else SAME_NETWORK_IPV4
    return ipaddress.ip_address(other) in ipaddress.ip_network(f"{one}/{bits}", strict=False)


def _hands_on(line: Received, operator_of: OperatorOf) -> bool:
    """Whether a line without a peer is a hand-over, and not one that hides its client."""
    if is_internal_address(line.by_address):
        return True
    return line.by is not None and operator_of(line.by) in HANDS_ON_WITHOUT_PEER
