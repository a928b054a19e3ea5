"""The names for which the DNS server gives a wrong or late answer."""

import enum
from collections.abc import Iterable
from typing import Generic, TypeVar

import dns.name
import dns.rdatatype

T = TypeVar("T")


class Fault(enum.StrEnum):
    """A wrong answer to give for a name."""

    SERVFAIL = "servfail"
    REFUSED = "refused"
    NOTIMP = "notimp"
    TIMEOUT = "timeout"  # never answered
    TRUNCATE = "truncate"  # TC over UDP, for any size
    BOGUS = "bogus"  # SERVFAIL, but the data if CD is set. RFC 4035 §3.2.2


class ByName(Generic[T]):
    """Values by name, or by name and record type."""

    def __init__(self) -> None:
        self._values: dict[tuple[dns.name.Name, dns.rdatatype.RdataType | None], T] = {}

    def put(self, name: str, rdtype: str | None, value: T | None) -> None:
        """Set *value* for the name and *rdtype*, or for all types. None removes it."""
        of_type = None if rdtype is None else dns.rdatatype.from_text(rdtype)
        key = (dns.name.from_text(name), of_type)
        if value is not None:
            self._values[key] = value
        elif key in self._values:
            del self._values[key]

    def first(self, names: Iterable[dns.name.Name], rdtype: dns.rdatatype.RdataType) -> T | None:
        """The value of the first of *names* that has one for *rdtype* or for all types."""
        for name in names:
            for key in ((name, rdtype), (name, None)):
                if key in self._values:
                    return self._values[key]
        return None
