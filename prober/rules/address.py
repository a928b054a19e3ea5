"""Decides which addresses may be contacted: only globally reachable ones, by the IANA registries.

The table is our own, because ``ipaddress.is_global`` differs between Python versions, accepts
multicast and site-local addresses, and does not check an IPv4 address inside an IPv6 address.
"""

import ipaddress
from typing import Final

_NOT_GLOBAL_IPV4: Final = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # RFC 791 §3.2, this network
        "10.0.0.0/8",  # RFC 1918
        "100.64.0.0/10",  # RFC 6598, carrier-grade NAT
        "127.0.0.0/8",  # RFC 1122 §3.2.1.3
        "169.254.0.0/16",  # RFC 3927; clouds keep credentials at .169.254
        "172.16.0.0/12",  # RFC 1918
        "192.0.0.0/24",  # RFC 6890 §2.1; its two global anycast addresses receive no mail
        "192.0.2.0/24",  # RFC 5737, documentation
        "192.88.99.0/24",  # RFC 7526, 6to4 anycast, deprecated
        "192.168.0.0/16",  # RFC 1918
        "198.18.0.0/15",  # RFC 2544, benchmarks
        "198.51.100.0/24",  # RFC 5737
        "203.0.113.0/24",  # RFC 5737
        "224.0.0.0/4",  # RFC 5771, multicast
        "240.0.0.0/4",  # RFC 1112 §4, and broadcast
    )
)
_GLOBAL_IPV6: Final = ipaddress.IPv6Network(
    "2000::/3"
)  # RFC 4291 §2.4; no other range is allocated
_NOT_GLOBAL_IPV6: Final = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # RFC 2928: Teredo, ORCHID, benchmarks; none of them receives mail
        "2001:db8::/32",  # RFC 3849, documentation
        "3fff::/20",  # RFC 9637, documentation
    )
)
_EMBEDDING_AT_END: Final = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "::/96",  # RFC 4291 §2.5.5.1, compatible
        "::ffff:0:0/96",  # RFC 4291 §2.5.5.2, mapped
        "64:ff9b::/96",  # RFC 6052 §2.1, the well-known prefix of NAT64
    )
)
_LOCAL_NAT64: Final = ipaddress.IPv6Network("64:ff9b:1::/48")  # RFC 8215
_6TO4: Final = ipaddress.IPv6Network("2002::/16")  # RFC 3056 §2


def may_contact(text: str, *, allow_private: bool = False) -> bool:
    """Whether a session to the address *text* is allowed.

    Only globally reachable unicast addresses are. An IPv4 address inside an IPv6 address must be
    one too. *allow_private* allows all but the unspecified addresses. Text that is no address never
    is.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    embedded = _embedded_ipv4(address) if isinstance(address, ipaddress.IPv6Address) else None
    if not int(address) or (embedded is not None and not int(embedded)):
        return False
    return allow_private or _is_global(address)


def _is_global(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _NOT_GLOBAL_IPV4)
    if address.scope_id is not None:  # a zone belongs to one link: RFC 4007 §11
        return False
    embedded = _embedded_ipv4(address)
    if embedded is not None:
        return _is_global(embedded)
    return address in _GLOBAL_IPV6 and not any(address in network for network in _NOT_GLOBAL_IPV6)


def _embedded_ipv4(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    packed = address.packed
    if any(address in network for network in _EMBEDDING_AT_END):
        return ipaddress.IPv4Address(packed[12:])
    if address in _6TO4:
        return ipaddress.IPv4Address(packed[2:6])
    if address in _LOCAL_NAT64:  # a /48 prefix: RFC 6052 §2.2 skips the octet of bits 64 to 71
        return ipaddress.IPv4Address(packed[6:8] + packed[9:11])
    return None
