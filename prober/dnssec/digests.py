"""Reads DNS messages whose records hold digests of any length. RFC 6698 §2.1, RFC 8162 §2.

SOA records in the authority section and their signatures are not parsed, since only their presence
matters here. They are half of a signed denial.
"""

from typing import Final

import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.rdata import GenericRdata
from dns.rdatatype import RdataType

_HEADER: Final = 12  # octets; RFC 1035 §4.1.1
# Since 2.9 dnspython rejects a whole response if one digest in it has the wrong length. To a sender
# only that record is unusable, and the others decide (RFC 6698 §4.1). So these records get a type
# that dnspython does not know, and that no server can send: RFC 6895 §3.1.
_WITH_DIGESTS: Final = frozenset({dns.rdatatype.TLSA, dns.rdatatype.SMIMEA})
_UNKNOWN_TYPE: Final = RdataType(65_535)
_SOA: Final = dns.rdatatype.SOA.to_bytes(2)
_SIGNATURE_OF_SOA: Final = dns.rdatatype.RRSIG.to_bytes(2), _SOA
_HEADER_OF_DIGEST: Final = 3  # octets before the digest; RFC 6698 §2.1


def from_wire(wire: bytes, rdtype: RdataType) -> dns.message.Message:
    """The message in *wire*. Its TLSA or SMIMEA records of *rdtype* are GenericRdata.

    An RRset of SOA in its authority section has no records. Raises a DNSException or ValueError if
    *wire* is not a message, Truncated if it is cut off.
    """
    changed, soa = _as_unknown_type(wire, rdtype if rdtype in _WITH_DIGESTS else None)
    message = dns.message.from_wire(changed, raise_on_truncation=True)
    if rdtype in _WITH_DIGESTS:
        message.answer[:] = [_with_own_type(each, rdtype) for each in message.answer]
    authority = message.authority
    authority[:] = [each for each in authority if each.rdtype != _UNKNOWN_TYPE]
    if soa:
        authority.append(dns.rrset.RRset(dns.name.root, dns.rdataclass.IN, dns.rdatatype.SOA))
    return message


def _as_unknown_type(wire: bytes, with_digest: RdataType | None) -> tuple[bytes, bool]:
    """*wire* with another type in each record that must not be parsed, and whether it has a SOA.

    Those are records of the type *with_digest*, except ones that are too short, which are faults;
    and SOA records in the authority section with their signatures. RFC 1035 §4.1.3. If *wire* is
    not a message, neither is the result.
    """
    questions, answers, authorities, others = (
        int.from_bytes(wire[at : at + 2]) for at in range(4, _HEADER, 2)
    )
    changed, soa, offset = bytearray(wire), False, _HEADER
    unknown, digest = _UNKNOWN_TYPE.to_bytes(2), with_digest and with_digest.to_bytes(2)
    for _ in range(questions):
        offset = _after_name(wire, offset) + 4
    for number in range(answers + authorities + others):
        offset = _after_name(wire, offset)
        rdtype, length = wire[offset : offset + 2], int.from_bytes(wire[offset + 8 : offset + 10])
        if rdtype == digest and length >= _HEADER_OF_DIGEST:
            changed[offset : offset + 2] = unknown
        elif answers <= number < answers + authorities:
            if rdtype == _SOA:
                soa = True
            if rdtype == _SOA or (rdtype, wire[offset + 10 : offset + 12]) == _SIGNATURE_OF_SOA:
                changed[offset : offset + 2] = unknown
        offset += 10 + length
    return bytes(changed), soa


def _with_own_type(rrset: dns.rrset.RRset, rdtype: RdataType) -> dns.rrset.RRset:
    """*rrset*, with its own type *rdtype* again if ``_as_unknown_type`` changed that."""
    if rrset.rdtype != _UNKNOWN_TYPE:
        return rrset
    records = [each.data for each in rrset if isinstance(each, GenericRdata)]
    if any(len(each) < _HEADER_OF_DIGEST for each in records):  # one that came with that type
        raise ValueError("a record of a reserved type")
    restored = (GenericRdata(rrset.rdclass, rdtype, each) for each in records)
    return dns.rrset.from_rdata_list(rrset.name, rrset.ttl, tuple(restored))


def _after_name(wire: bytes, offset: int) -> int:
    """Where the name at *offset* ends: after the root, or after a pointer. RFC 1035 §4.1.4."""
    while offset < len(wire) and 0 < wire[offset] < 0xC0:
        offset += 1 + wire[offset]
    return offset + (1 if wire[offset : offset + 1] == b"\0" else 2)
