"""Whether this machine has a route to an address, and its own name. Sends no packet."""

import errno
import socket
import threading
from dataclasses import replace
from typing import Final

from prober.domains import parse_domain
from prober.errors import InputError
from prober.net.failures import NoRouteError
from prober.records import Failure, Reason, Step
from prober.rules.address import may_contact

_NO_ROUTE_ERRNOS: Final = (
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.EADDRNOTAVAIL,
    errno.EAFNOSUPPORT,
    errno.ENETDOWN,
)


def require_route(address: str, port: int) -> None:
    """Raise NoRouteError where this machine has no route to *address*.

    Connecting a UDP socket sends nothing: it asks the kernel's routing table.
    """
    _source_towards(address, port)


def _source_towards(address: str, port: int) -> str:
    """The address that packets to *address* would come from."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as udp:
            udp.connect((address, port))
            return str(udp.getsockname()[0])
    except OSError as error:
        if error.errno not in _NO_ROUTE_ERRNOS:
            raise
        detail = f"no {'IPv6' if family == socket.AF_INET6 else 'IPv4'} route here"
        raise NoRouteError(family, detail) from error


def blame_missing_ipv6(failure: Failure, address: str) -> Failure:
    """*failure*; or ``NO_IPV6_HERE`` where this machine connected from a local IPv6 address.

    A unique local address (RFC 4193) reaches the Internet only through a translator. So it is
    tried; where that fails, the fault may be on this side.
    """
    unreached = failure.step is Step.CONNECT and failure.reason in (
        Reason.TIMED_OUT,
        Reason.UNREACHABLE,
    )
    if not unreached or ":" not in address or not may_contact(address):
        return failure
    source = _source_towards(address, 25)
    if may_contact(source):
        return failure
    detail = f"nothing came back to {source}, which is not globally reachable"
    return replace(failure, reason=Reason.NO_IPV6_HERE, detail=detail)


_LOOKUP_S: Final = 2.0  # /etc/hosts answers at once; a dead resolver would take 30 s
_NOT_GLOBAL: Final = ("localdomain", "localhost", "local", "internal", "lan", "home", "arpa")


def own_fqdn() -> str | None:
    """This machine's fully qualified name; None where it has no public one.

    A name with an underscore does not count (RFC 5321 §4.1.2): some servers refuse it in EHLO.
    """
    for name in (socket.gethostname(), _canonical_name()):
        if name is not None and _is_global(name):
            return name.lower().removesuffix(".")
    return None


def _is_global(name: str) -> bool:
    try:
        labels = parse_domain(name).split(".")
    except InputError:
        return False
    return len(labels) > 1 and labels[-1] not in _NOT_GLOBAL and "_" not in name


def _canonical_name() -> str | None:
    """The name that ``hostname -f`` prints. A thread, since a C look-up cannot be cancelled."""
    names: list[str] = []

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(socket.gethostname(), None, flags=socket.AI_CANONNAME)
            names.extend(entry[3] for entry in found if entry[3])
        except OSError:
            pass

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(_LOOKUP_S)
    return names[0] if names else None
