"""Decides which lines of a message can be believed: those above the first possible forgery.

RFC 5321 §7.6: a receiver can only vouch for the line that it wrote. So trust starts at the top
line, and goes down one line as long as the trusted line shows that its peer is trusted too.
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
    INTERNAL_RELAYS,
    INTERNAL_RELAYS_WITH_ADDRESS,
    KEYWORDS_AUTHENTICATED,
    KEYWORDS_INTERNAL,
    LONE_NAMES,
    OMITS_INTERNAL_ADDRESSES,
    OMITS_INTERNAL_PEERS,
    OWN_IPV6_NETWORK,
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
"""Returns the operator of a host: its registered domain by the public suffix list."""
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

# Internal hops that may still come from an untrusted sender: a message submitted by web, and a
# neighbour in the network of a hosting company.
_ENDS_TRUST: Final = frozenset({Internal.WEB, Internal.SAME_NETWORK})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedBy:
    """The hosts, domains and networks whose lines the user trusts."""

    names: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.names or self.networks)

    def covers_name(self, name: str | None) -> bool:
        """Whether *name* is one of the names, or a subdomain of one."""
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
    """Parse names, addresses and networks. Raises ValueError for anything else."""
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
    """Whether a line is trusted, and whether its mail came from another operator (the border)."""

    trust: Trust
    border: bool


def judge_trust(
    lines: Sequence[Received], internals: Sequence[Internal | None], trusted_by: TrustedBy
) -> tuple[LineTrust, ...]:
    """Decide how far the lines can be believed, the topmost first.

    *internals* is the result of ``judge_internals``. Without *trusted_by*, lines are trusted from
    the top down to the first whose peer belongs to another provider: the border. With *trusted_by*,
    a trusted host must have written the line, and the line above must show that its peer is
    trusted: by the name that its server looked up, or by the address. The HELO name of a client
    never counts.
    """
    trusts = []
    inside = True
    for line, internal in zip(lines, internals, strict=True):
        trusted = inside and (not trusted_by or _writer_is_trusted(line, internal, trusted_by))
        stays = internal is not None and internal not in _ENDS_TRUST
        border = trusted and not stays
        trusts.append(LineTrust(Trust.TRUSTED if trusted else Trust.CLAIMED, border))
        if trusted_by and internal is Internal.SAME_PROVIDER:  # only named hosts count
            stays = False
        inside = trusted and (
            stays or (not line.ambiguous and _peer_is_trusted(line.peer, trusted_by))
        )
    return tuple(trusts)


def _writer_is_trusted(line: Received, internal: Internal | None, trusted_by: TrustedBy) -> bool:
    if line.by is None:  # lines that qmail writes about itself name no host
        return internal is not None
    return trusted_by.covers_name(line.by) or trusted_by.covers_address(line.by_address)


def _peer_is_trusted(peer: Peer | None, trusted_by: TrustedBy) -> bool:
    if peer is None or peer.ambiguous:
        return False
    return trusted_by.covers_name(_confirmed_name(peer)) or trusted_by.covers_address(peer.address)


def _confirmed_name(peer: Peer) -> str | None:
    """The peer's name, only where the server checked that it resolves to the peer's address."""
    return peer.name if peer.name_confirmed else None


def _is_own_peer_without_address(peer: Peer, operator: str, operator_of: OperatorOf) -> bool:
    """Whether the peer is a host of *operator* that *operator* writes without its address.

    Such an operator writes the address of every foreign host.
    """
    if operator not in OMITS_INTERNAL_ADDRESSES or peer.address is not None:
        return False
    return _operator(parse_host(peer.helo or ""), operator_of) == operator


def has_helo(line: Received) -> bool:
    """Whether the line has a HELO name, which shows that the client spoke SMTP."""
    return line.peer is not None and line.peer.helo is not None


_NUMERIC: Final = frozenset("0123456789.:abcdef")


def is_public_name(name: str | None) -> bool:
    """Whether *name* can be a host in the public DNS: with a dot, not internal, no address."""
    if name is None or "." not in name or (name[-1].isdigit() and set(name) <= _NUMERIC):
        return False
    return name.rpartition(".")[2] not in PRIVATE_SUFFIXES


def judge_internals(
    lines: Sequence[Received], operator_of: OperatorOf
) -> tuple[Internal | None, ...]:
    """Why each hop stays within one host or provider; None where nothing shows that it does.

    Where a line does not state its server's address, the peer address of the line above is used.
    """
    above = (None, *(line.peer.address if line.peer else None for line in lines))
    found = []
    for index, (line, seen) in enumerate(zip(lines, above, strict=False)):
        internal = _judge_internal(line, line.by_address or seen, operator_of)
        if internal is Internal.PRIVATE_ADDRESS and _hidden_operator_name(
            lines, index, operator_of
        ):
            internal = None
        found.append(internal)
    return tuple(found)


def hidden_operator_names(
    lines: Sequence[Received], operator_of: OperatorOf
) -> tuple[str | None, ...]:
    """For each hop from a private address: the name of another operator in the same line, or None.

    A gateway or load balancer in front of a server may replace the client's address by its own. The
    name may then be the only trace of the client.
    """
    return tuple(_hidden_operator_name(lines, index, operator_of) for index in range(len(lines)))


def _hidden_operator_name(
    lines: Sequence[Received], index: int, operator_of: OperatorOf
) -> str | None:
    line = lines[index]
    peer = line.peer
    if peer is None or is_loopback(peer.address) or not is_internal_address(peer.address):
        return None
    operators = _possible_operators(lines, index, operator_of)
    for name in (peer.name, peer.helo):
        if name is None:
            continue
        literal = parse_address(name)
        if literal is not None and not is_internal_address(literal):
            return name
        host = parse_host(name)
        if is_public_name(host) and not _is_same_operator(host or "", line, operators, operator_of):
            return host
    return None


def _possible_operators(
    lines: Sequence[Received], index: int, operator_of: OperatorOf
) -> frozenset[str]:
    """The operators that may have written the line: those of all lines down to it.

    Where the server of the line has a private name, the peer of the line above counts too.
    """
    names = [line.by for line in lines[: index + 1]]
    if index and not is_public_name(lines[index].by):
        peer = lines[index - 1].peer or Peer()
        names += [peer.name, parse_host(peer.helo or "")]
    return frozenset(_operator(name, operator_of) for name in names if is_public_name(name))


def _operator(name: str | None, operator_of: OperatorOf) -> str:
    """The operator of *name*: one name for all domains of the same operator."""
    if name is None or "." not in name:
        lone = (operator for pattern, operator in LONE_NAMES if pattern.fullmatch(name or ""))
        return next(lone, name or "")
    operator = operator_of(name)
    return SAME_OPERATOR.get(operator, operator)


def _judge_internal(
    line: Received, own_address: str | None, operator_of: OperatorOf
) -> Internal | None:
    """Why the hop is internal, or None. HELO is no evidence: spammers send the receiver's own name.

    Addresses are tested before keywords, because "with HTTPS" between two hosts of one provider
    does not mean that the message was submitted by web. RFC 5321 §4.4.
    """
    if line.ambiguous:
        return None
    if line.local:
        return Internal.LOCAL_SUBMISSION
    if line.peer is None and line.by is None and line.with_ is None and not line.truncated:
        return Internal.NOTE if line.text.startswith("(") else None
    peer = line.peer or Peer()
    if peer.ambiguous:
        return None
    if is_loopback(peer.address) or _is_same_host(peer, line):
        return Internal.SAME_HOST
    if _is_same_provider(peer, line, own_address, operator_of):
        return Internal.SAME_PROVIDER
    keyword = next(filter(None, map(KEYWORDS_INTERNAL.get, line.protocols)), None)
    if keyword is not None:
        return keyword
    if is_internal_address(peer.address):
        return Internal.PRIVATE_ADDRESS
    if _are_neighbours(peer, line, own_address, operator_of):
        return Internal.SAME_NETWORK
    return Internal.INTERNAL_RELAY if _is_internal_relay(line, operator_of) else None


def _is_same_operator(
    host: str, line: Received, operators: frozenset[str], operator_of: OperatorOf
) -> bool:
    """Whether the operator of *host* may have written the line.

    Also true where the operator's name is part of a private name, such as mx1.example.local.
    """
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
    """Whether the peer and the server have one operator, by the looked-up name or by the network.

    Never true for a client that gave a password: it is a customer, whatever its name.
    """
    operator = _operator(line.by, operator_of)
    if not is_public_name(line.by) and operator not in OWN_NETWORKS:
        return False
    words = (line.with_ or "").lower().split()
    if any(word in KEYWORDS_AUTHENTICATED for word in words):
        return False
    name = _confirmed_name(peer)
    if name is not None and _operator(name, operator_of) == operator:
        return True
    helo = parse_host(peer.helo or "")
    names_another = is_public_name(helo) and _operator(helo, operator_of) != operator
    if names_another or peer.address is None:
        return False
    if operator in OWN_NETWORKS:
        return ipaddress.ip_address(peer.address) in OWN_NETWORKS[operator]
    if operator not in OWN_IPV6_NETWORK:
        return False
    # Delivery to a mailbox: no SMTP client sends HELO here.
    is_delivery = "https" in words and is_public_name(helo)
    is_own = ":" in peer.address and _share_network(peer.address, own_address, OWN_NETWORK_IPV6)
    return is_delivery or is_own


def _are_neighbours(
    peer: Peer, line: Received, own_address: str | None, operator_of: OperatorOf
) -> bool:
    """Whether both addresses are in one small network.

    Not where the names show two operators: hosting companies rent out single addresses.
    """
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


def _is_internal_relay(line: Received, operator_of: OperatorOf) -> bool:
    """Whether the line records a relay inside a provider. Other lines without a client hide it."""
    if (
        line.with_ is None
        and not has_helo(line)
        and INTERNAL_RELAYS_WITH_ADDRESS.fullmatch(line.by or "")
    ):
        return True
    if line.peer is not None:
        return _is_own_peer_without_address(line.peer, _operator(line.by, operator_of), operator_of)
    if INTERNAL_RELAYS.fullmatch(line.by or ""):
        return True
    if line.with_ is None and line.software in WRITES_NOTICES:
        return True
    if is_internal_address(line.by_address):
        return True
    return line.by is not None and _operator(line.by, operator_of) in OMITS_INTERNAL_PEERS
