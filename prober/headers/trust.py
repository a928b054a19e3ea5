"""Which lines of a message can be believed: those above the first that a sender could have forged.

RFC 5321 §7.6: a receiver can vouch for its own line only. So trust goes from line to line, down
from the top, as long as each trusted line shows that its peer is one of ours too.
"""

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from prober.headers.peer import (
    is_internal_address,
    is_loopback,
    parse_address,
    parse_host,
)
from prober.headers.records import Peer, Received, Trust
from prober.headers.tables import (
    HANDS_ON,
    HANDS_ON_LATER,
    HANDS_ON_WITHOUT_ADDRESS,
    HANDS_ON_WITHOUT_PEER,
    HAS_OWN_NETWORK,
    KEYWORDS_AUTHENTICATED,
    KEYWORDS_INTERNAL,
    LONE_NAMES,
    OWN_NETWORK_IPV6,
    OWN_NETWORKS,
    PRIVATE_SUFFIXES,
    SAME_NETWORK_IPV4,
    SAME_NETWORK_IPV6,
    SAME_OPERATOR,
    WRITES_NOTICES,
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
class LineTrust:
    """Of one line: whether it is trusted, and whether mail came in there from another operator."""

    trust: Trust
    border: bool


def judge_trust(
    lines: Sequence[Received], internals: Sequence[Internal | None], trusted_by: TrustedBy
) -> tuple[LineTrust, ...]:
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
        standings.append(LineTrust(Trust.TRUSTED if trusted else Trust.CLAIMED, border))
        if trusted_by and internal is Internal.SAME_PROVIDER:  # named ones only
            stays = False
        inside = trusted and (stays or (not line.doubtful and _is_from(line.peer, trusted_by)))
    return tuple(standings)


def _is_by(line: Received, internal: Internal | None, trusted_by: TrustedBy) -> bool:
    if line.by is None:  # qmail's own lines name no host
        return internal is not None
    return trusted_by.covers_name(line.by) or trusted_by.covers_address(line.by_address)


def _is_from(peer: Peer | None, trusted_by: TrustedBy) -> bool:
    if peer is None or peer.doubtful:
        return False
    return trusted_by.covers_name(_confirmed(peer)) or trusted_by.covers_address(peer.address)


def _confirmed(peer: Peer) -> str | None:
    """The peer's name, where it is more than what the peer's own reverse zone says."""
    return peer.name if peer.name_confirmed else None


def _is_named_alone(peer: Peer, operator: str, operator_of: OperatorOf) -> bool:
    """Whether *operator*, which names every stranger's address, names only a host of its own."""
    if operator not in HANDS_ON_WITHOUT_ADDRESS or peer.address is not None:
        return False
    return _operator(parse_host(peer.helo or ""), operator_of) == operator


def tells_helo(line: Received) -> bool:
    """Whether the line has a word of the client's own: it spoke SMTP."""
    return line.peer is not None and line.peer.helo is not None


_NUMERIC: Final = frozenset("0123456789.:abcdef")


def is_public_name(name: str | None) -> bool:
    """Whether *name* is a host in the public DNS: no address, no lone label, no inside name."""
    if name is None or "." not in name or (name[-1].isdigit() and set(name) <= _NUMERIC):
        return False
    return name.rpartition(".")[2] not in PRIVATE_SUFFIXES


def judge_internals(
    lines: Sequence[Received], operator_of: OperatorOf
) -> tuple[Internal | None, ...]:
    """Why each hop stays within one host or provider, None where nothing shows that.

    Where a line does not tell its server's own address, the line above may: as its peer's.
    """
    above = (None, *(line.peer.address if line.peer else None for line in lines))
    found = []
    for index, (line, seen) in enumerate(zip(lines, above, strict=False)):
        internal = _judge_internal(line, line.by_address or seen, operator_of)
        if internal is Internal.PRIVATE_ADDRESS and _hidden_peer(lines, index, operator_of):
            internal = None
        found.append(internal)
    return tuple(found)


def hidden_peers(lines: Sequence[Received], operator_of: OperatorOf) -> tuple[str | None, ...]:
    """For each hop from a private address the name of another operator that stands beside it.

    A container gateway or load balancer in front of a server puts its own address in place of the
    client's; the name may then be all that is left of the client.
    """
    return tuple(_hidden_peer(lines, index, operator_of) for index in range(len(lines)))


def _hidden_peer(lines: Sequence[Received], index: int, operator_of: OperatorOf) -> str | None:
    line = lines[index]
    peer = line.peer
    if peer is None or is_loopback(peer.address) or not is_internal_address(peer.address):
        return None
    operators = _writers(lines, index, operator_of)
    for name in (peer.name, peer.helo):
        if name is None:
            continue
        literal = parse_address(name)
        if literal is not None and not is_internal_address(literal):
            return name
        host = parse_host(name)
        if is_public_name(host) and not _is_ours(host or "", line, operators, operator_of):
            return host
    return None


def _writers(lines: Sequence[Received], index: int, operator_of: OperatorOf) -> frozenset[str]:
    """The operators that may have written a line: those of the lines down to it.

    Where its server has a private name, also whom the line above took it from.
    """
    names = [line.by for line in lines[: index + 1]]
    if index and not is_public_name(lines[index].by):
        peer = lines[index - 1].peer or Peer()
        names += [peer.name, parse_host(peer.helo or "")]
    return frozenset(_operator(name, operator_of) for name in names if is_public_name(name))


def _operator(name: str | None, operator_of: OperatorOf) -> str:
    """One name for an operator, whichever of its domains *name* is in."""
    if name is None or "." not in name:
        lone = (operator for pattern, operator in LONE_NAMES if pattern.fullmatch(name or ""))
        return next(lone, name or "")
    operator = operator_of(name)
    return SAME_OPERATOR.get(operator, operator)


def _judge_internal(
    line: Received, own_address: str | None, operator_of: OperatorOf
) -> Internal | None:
    """A client's own word is no evidence: spam often greets with the receiver's own name.

    An address is better evidence than a keyword: "with HTTPS" between two hosts of one provider
    is no message written by web. RFC 5321 §4.4.
    """
    if line.doubtful:
        return None
    if line.local:
        return Internal.LOCAL_SUBMISSION
    if line.peer is None and line.by is None and line.with_ is None and not line.truncated:
        return Internal.NOTE if line.text.startswith("(") else None
    peer = line.peer or Peer()
    if peer.doubtful:
        return None
    if is_loopback(peer.address) or _is_same_host(peer, line):
        return Internal.SAME_HOST
    if _is_same_provider(peer, line, own_address, operator_of):
        return Internal.SAME_PROVIDER
    keyword = _internal_keyword(line)
    if keyword is not None:
        return keyword
    if is_internal_address(peer.address):
        return Internal.PRIVATE_ADDRESS
    if _are_neighbours(peer, line, own_address, operator_of):
        return Internal.SAME_NETWORK
    return Internal.HANDED_ON if _hands_on(line, operator_of) else None


def _internal_keyword(line: Received) -> Internal | None:
    words = (word for word in line.protocols if word in KEYWORDS_INTERNAL)
    return next((KEYWORDS_INTERNAL[word] for word in words), None)


def _is_ours(host: str, line: Received, operators: frozenset[str], operator_of: OperatorOf) -> bool:
    """Whether *host* is of who wrote the line; also by a private name such as mx1.example.local."""
    operator = _operator(host, operator_of)
    labels = (line.by or "").split(".")
    return operator in operators or (
        not is_public_name(line.by) and operator.partition(".")[0] in labels
    )


def _is_same_host(peer: Peer, line: Received) -> bool:
    if peer.address is not None and peer.address == line.by_address:
        return True
    return peer.name_confirmed and peer.name == line.by


def _is_same_provider(
    peer: Peer, line: Received, own_address: str | None, operator_of: OperatorOf
) -> bool:
    """By the name that the server looked up; or by the address, in a network of one provider.

    Who gave a password is a customer, whatever its name is.
    """
    operator = _operator(line.by, operator_of)
    if not is_public_name(line.by) and operator not in OWN_NETWORKS:
        return False
    words = (line.with_ or "").lower().split()
    if any(word in KEYWORDS_AUTHENTICATED for word in words):
        return False
    name = _confirmed(peer)
    if name is not None and _operator(name, operator_of) == operator:
        return True
    helo = parse_host(peer.helo or "")
    names_another = is_public_name(helo) and _operator(helo, operator_of) != operator
    if names_another or peer.address is None:
        return False
    if operator in OWN_NETWORKS:
        return ipaddress.ip_address(peer.address) in OWN_NETWORKS[operator]
    if operator not in HAS_OWN_NETWORK:
        return False
    is_delivery = "https" in words and is_public_name(helo)  # to a mailbox: no client says HELO
    is_own = ":" in peer.address and _share_network(peer.address, own_address, OWN_NETWORK_IPV6)
    return is_delivery or is_own


def _are_neighbours(
    peer: Peer, line: Received, own_address: str | None, operator_of: OperatorOf
) -> bool:
    """By their addresses, unless their names show two operators: hosters let single addresses."""
    name = peer.name or parse_host(peer.helo or "")
    both_named = "." in (name or "") and "." in (line.by or "")
    if both_named and _operator(name, operator_of) != _operator(line.by, operator_of):
        return False
    return _share_network(peer.address, own_address, SAME_NETWORK_IPV6)


def _share_network(one: str | None, other: str | None, bits_ipv6: int) -> bool:
    if one is None or other is None or (":" in one) != (":" in other):
        return False
    bits = bits_ipv6 if ":" in one else SAME_NETWORK_IPV4
    return ipaddress.ip_address(other) in ipaddress.ip_network(f"{one}/{bits}", strict=False)


def _hands_on(line: Received, operator_of: OperatorOf) -> bool:
    """Whether the line is a hand-over within a provider, and not one that hides its client."""
    if line.with_ is None and not tells_helo(line) and HANDS_ON_LATER.fullmatch(line.by or ""):
        return True
    if line.peer is not None:
        return _is_named_alone(line.peer, _operator(line.by, operator_of), operator_of)
    if HANDS_ON.fullmatch(line.by or ""):
        return True
    if line.with_ is None and line.software in WRITES_NOTICES:
        return True
    if is_internal_address(line.by_address):
        return True
    return line.by is not None and _operator(line.by, operator_of) in HANDS_ON_WITHOUT_PEER
