"""DNS messages, pure: one question out, one response in. RFC 1035 §4, RFC 6891.

Read is what a stub resolver asks for: the records of one type behind their aliases, the error code,
AD and TC, and whether the answer is a referral. dnspython parses those records, and no others.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import dns.exception
import dns.flags
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype

_PAYLOAD: Final = 1232  # bytes of UDP that pass everywhere unfragmented; DNS flag day 2020
# RFC 6891 §6.1.2: the root's name, type, payload, no extended code, version 0, flags, no options
_OPT: Final = b"".join(
    (b"\0", dns.rdatatype.OPT.to_bytes(2), _PAYLOAD.to_bytes(2), b"\0\0\x80\0", b"\0\0")
)
_IN: Final = dns.rdataclass.IN
_HEADER: Final = struct.Struct("!6H")  # id, flags, and how many records each section has
_RECORD: Final = struct.Struct("!HHIH")  # type, class, TTL, and the length of the data
_FLAGS: Final = int(dns.flags.RD | dns.flags.AD)
_CHECKING_DISABLED: Final = int(dns.flags.RD | dns.flags.AD | dns.flags.CD)
_LONGEST_NAME: Final = 255  # octets; RFC 1035 §2.3.4
# what dnspython's parser, made for zone files, is not needed for; its work is twenty times as long
_PLAIN: Final = re.compile(r"(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}")
_LONGEST_CHAIN: Final = 16  # aliases; resolvers stop at 8 to 16
_POINTER: Final = 0xC0
_RESPONSE: Final = dns.flags.QR
_OPCODE: Final = 0x7800  # 0 is QUERY
# What may come without a question: the server did not get as far as to read it.
_UNREAD: Final = (dns.rcode.FORMERR, dns.rcode.SERVFAIL, dns.rcode.NOTIMP, dns.rcode.REFUSED)


class MalformedError(Exception):
    """What came is no response to the query."""


@dataclass(frozen=True, slots=True)
class Query:
    """One question, with EDNS, DO and AD. RFC 6840 §5.7; ``checking_disabled``: §5.9."""

    rdtype: dns.rdatatype.RdataType
    question: bytes  # as on the wire, in lower case
    checking_disabled: bool

    @classmethod
    def of(cls, name: str, rdtype: str, *, checking_disabled: bool = False) -> Self:
        """The question for *name*, absolute and as text, and *rdtype*, such as ``MX``.

        Raises DNSException where *name* is no domain name.
        """
        number = dns.rdatatype.from_text(rdtype)
        question = _encoded(name) + number.to_bytes(2) + _IN.to_bytes(2)
        return cls(number, question, checking_disabled)

    def to_wire(self, message_id: int) -> bytes:
        """The message, by the *message_id* of 16 bits. RFC 1035 §4.1.1."""
        flags = _CHECKING_DISABLED if self.checking_disabled else _FLAGS
        return _HEADER.pack(message_id, flags, 1, 0, 0, 1) + self.question + _OPT


def _encoded(name: str) -> bytes:
    if _PLAIN.fullmatch(name) and len(name) < _LONGEST_NAME - 1:
        labels = name.lower().encode("ascii").split(b".")
        return b"".join(len(label).to_bytes() + label for label in labels) + b"\0"
    return dns.name.from_text(name).to_digestable()


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What a nameserver answered. ``records`` are those of the type asked for, each once.

    ``canonical_name`` is the name at the end of the aliases; None where there are none.
    """

    rcode: dns.rcode.Rcode
    truncated: bool = False  # then nothing else was read
    authenticated: bool = False  # the AD bit
    canonical_name: dns.name.Name | None = None
    records: tuple[dns.rdata.Rdata, ...] = ()
    is_referral: bool = False


class _Record(NamedTuple):
    """One resource record; ``start`` and ``end`` are those of its data in the message."""

    owner: bytes
    rdtype: int
    rdclass: int
    ttl: int
    start: int
    end: int


def read_response(wire: bytes, query: Query, message_id: int) -> Response:
    """The response to *query* that *wire* is.

    Raises MalformedError where it is none: another id or question (RFC 5452 §9.1), no response, or
    not to be parsed to its end. Records that were not asked for are skipped unread.
    """
    try:
        return _read(wire, query, message_id)
    except (IndexError, struct.error, dns.exception.DNSException) as error:
        raise MalformedError(f"{type(error).__name__}: {error}") from error


def _read(wire: bytes, query: Query, message_id: int) -> Response:
    received_id, flags, questions, *counts = _HEADER.unpack_from(wire)
    rcode = flags & 0xF
    if received_id != message_id or flags & (_RESPONSE | _OPCODE) != _RESPONSE:
        raise MalformedError("no response to what was asked")
    offset = _HEADER.size
    if questions or rcode not in _UNREAD:
        offset = _after_question(wire, questions, query.question)
    if flags & dns.flags.TC:
        code = dns.rcode.Rcode.make(rcode)
        return Response(rcode=code, truncated=True)
    answer, authority, additional = _sections(wire, offset, counts)
    answer = [record for record in answer if record.rdclass == _IN]
    code = dns.rcode.from_flags(flags, _extended_flags(additional))
    owner, records = _follow(wire, answer, query)
    types = {record.rdtype for record in authority}
    return Response(
        rcode=code,
        authenticated=bool(flags & dns.flags.AD),
        canonical_name=None if owner is None else dns.name.from_wire(owner, 0)[0],
        records=_parse(wire, query.rdtype, records),
        # RFC 2308 §2.2: an empty answer that names other servers, and no SOA, denies nothing
        is_referral=dns.rdatatype.NS in types and dns.rdatatype.SOA not in types,
    )


def _after_question(wire: bytes, questions: int, expected: bytes) -> int:
    name, offset = _name_at(wire, _HEADER.size)
    if questions != 1 or name + wire[offset : offset + 4] != expected:
        raise MalformedError("another question")
    return offset + 4


def _sections(wire: bytes, offset: int, counts: Sequence[int]) -> Iterator[list[_Record]]:
    """The answer, authority and additional sections: behind them nothing may stand."""
    for count in counts:
        records = []
        for _ in range(count):
            record = _record_at(wire, offset)
            records.append(record)
            offset = record.end
        yield records
    if offset != len(wire):
        raise MalformedError("the message has another length")


def _record_at(wire: bytes, offset: int) -> _Record:
    owner, offset = _name_at(wire, offset)
    rdtype, rdclass, ttl, length = _RECORD.unpack_from(wire, offset)
    start = offset + _RECORD.size
    return _Record(owner, rdtype, rdclass, ttl, start, start + length)


def _name_at(wire: bytes, offset: int) -> tuple[bytes, int]:
    """The name at *offset*, uncompressed and in lower case, and where it ends. RFC 1035 §4.1.4.

    Each pointer must lead to before the name that it continues, so that none leads in circles.
    """
    labels: list[bytes] = []
    end, earliest = 0, offset
    for _ in range(_LONGEST_NAME):  # labels and pointers, of which a name can have no more
        length = wire[offset]
        if length >= _POINTER:
            end = end or offset + 2
            offset = (length & 0x3F) << 8 | wire[offset + 1]
            if offset >= earliest:
                break
            earliest = offset
        elif length >= 0x40:  # RFC 6891 §5: label types that nobody has
            break
        else:
            labels.append(wire[offset : offset + 1 + length])
            offset += 1 + length
            if length == 0:
                # the octets that say a length are below 64, and no letters
                name = b"".join(labels).lower()
                return _short_enough(name), end or offset
    raise MalformedError("no name")


def _short_enough(name: bytes) -> bytes:
    if len(name) > _LONGEST_NAME:
        raise MalformedError("the name is too long")
    return name


def _extended_flags(additional: Sequence[_Record]) -> int:
    """RFC 6891 §6.1.3: the upper bits of the error code stand in the OPT record's TTL."""
    return next((each.ttl for each in additional if each.rdtype == dns.rdatatype.OPT), 0)


def _follow(
    wire: bytes, answer: Sequence[_Record], query: Query
) -> tuple[bytes | None, list[_Record]]:
    """The records of the type asked for at the end of the aliases. RFC 1034 §3.6.2.

    Beside them whose they are; None where that is the name that was asked for.
    """
    asked = owner = query.question[:-4]
    aliases = {each.owner: each for each in answer if each.rdtype == dns.rdatatype.CNAME}
    for _ in range(_LONGEST_CHAIN):
        records = [each for each in answer if each.owner == owner and each.rdtype == query.rdtype]
        alias = aliases.get(owner)
        if records or alias is None:
            return None if owner == asked else owner, records
        owner, end = _name_at(wire, alias.start)
        if end != alias.end:
            raise MalformedError("an alias of another length")
    raise MalformedError("too many aliases")


def _parse(
    wire: bytes, rdtype: dns.rdatatype.RdataType, records: Sequence[_Record]
) -> tuple[dns.rdata.Rdata, ...]:
    parsed = [
        dns.rdata.from_wire(_IN, rdtype, wire, each.start, each.end - each.start)
        for each in records
    ]
    return tuple(dict.fromkeys(parsed)) if len(parsed) > 1 else tuple(parsed)
