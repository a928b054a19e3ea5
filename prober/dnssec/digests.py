"""Reads DNS messages whose records hold digests of any length. RFC 6698 §2.1, RFC 8162 §2."""

from typing import Final

import dns.message
import dns.rdatatype
import dns.rrset
from dns.rdata import GenericRdata
from dns.rdatatype import RdataType

_HEADER: Final = 12  # octets; RFC 1035 §4.1.1
# From 2.9 on dnspython throws a whole response away for one digest of the wrong length in it. To a
# sender such a record is unusable, and the others decide (RFC 6698 §4.1). So it is to take these
# records for ones of a type that it does not know, and which no server can send: RFC 6895 §3.1.
_WITH_DIGESTS: Final = frozenset({dns.rdatatype.TLSA, dns.rdatatype.SMIMEA})
_UNKNOWN_TYPE: Final = RdataType(65_535)
_HEADER_OF_DIGEST: Final = 3  # octets before the digest; RFC 6698 §2.1


def from_wire(wire: bytes, rdtype: RdataType) -> dns.message.Message:
    """The message that *wire* is; in it, TLSA or SMIMEA records of *rdtype* are GenericRdata.

    Raises a DNSException or ValueError where it is none, Truncated for one that is cut off.
    """
    if rdtype not in _WITH_DIGESTS:
        return dns.message.from_wire(wire, raise_on_truncation=True)
    message = dns.message.from_wire(_as_unknown_type(wire, rdtype), raise_on_truncation=True)
    for section in (message.answer, message.authority):
        section[:] = [_with_own_type(each, rdtype) for each in section]
    return message


def _as_unknown_type(wire: bytes, rdtype: RdataType) -> bytes:
    """*wire* with another type at each record of *rdtype*; those too short for one stay, as faults.

    RFC 1035 §4.1.3. Of what is no message something is given back that is none, either.
    """
    counts = [int.from_bytes(wire[at : at + 2]) for at in range(4, _HEADER, 2)]
    changed = bytearray(wire)
    offset = _HEADER
    for _ in range(counts[0]):
        offset = _after_name(wire, offset) + 4
    for _ in range(sum(counts[1:])):
        offset = _after_name(wire, offset)
        length = int.from_bytes(wire[offset + 8 : offset + 10])
        if wire[offset : offset + 2] == rdtype.to_bytes(2) and length >= _HEADER_OF_DIGEST:
            changed[offset : offset + 2] = _UNKNOWN_TYPE.to_bytes(2)
        offset += 10 + length
    return bytes(changed)


def _with_own_type(rrset: dns.rrset.RRset, rdtype: RdataType) -> dns.rrset.RRset:
    """*rrset*; where ``_as_unknown_type`` changed it, of *rdtype* again: signatures cover that."""
    if rrset.rdtype != _UNKNOWN_TYPE:
        return rrset
    records = [each.data for each in rrset if isinstance(each, GenericRdata)]
    if any(len(each) < _HEADER_OF_DIGEST for each in records):  # one that came with that type
        raise ValueError("a record of a reserved type")
    restored = (GenericRdata(rrset.rdclass, rdtype, each) for each in records)
    return dns.rrset.from_rdata_list(rrset.name, rrset.ttl, tuple(restored))


def _after_name(wire: bytes, offset: int) -> int:
    """Where the name at *offset* ends: with the root, or with a pointer. RFC 1035 §4.1.4."""
    while offset < len(wire) and 0 < wire[offset] < 0xC0:
        offset += 1 + wire[offset]
    return offset + (1 if wire[offset : offset + 1] == b"\0" else 2)
