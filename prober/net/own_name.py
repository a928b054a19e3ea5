"""The name this machine greets with. RFC 5321 §4.1.1.1: its FQDN, where it has one."""

import socket
import threading
from typing import Final

from prober.domains import parse_domain
from prober.errors import InputError

_LOOKUP_S: Final = 2.0  # /etc/hosts answers at once; a dead resolver would hold us for 30 s
_NOT_GLOBAL: Final = ("localdomain", "localhost", "local", "internal", "lan", "home", "arpa")


def own_fqdn() -> str | None:
    """This machine's fully qualified name, or None where it has none that others could know.

    A name with an underscore is none to greet with (RFC 5321 §4.1.2): some servers refuse it.
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
    """What ``hostname -f`` says. Looked up in a thread, since the C library cannot be stopped."""
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
