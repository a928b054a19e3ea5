"""DNS messages: writes one question and reads one response, with dnspython. RFC 1035 §4, RFC 6891.

Of a response it reads the records of the type asked for, behind CNAMEs, the error code, AD and TC,
and whether it is a referral. The answer and authority sections are kept for validation.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from prober.dnssec.digests import from_wire
from prober.escape import printable

_HEADER: Final = 12  # octets; RFC 1035 §4.1.1
_FLAGS: Final = int(dns.flags.RD | dns.flags.AD)
MAX_CHAIN: Final = 16  # aliases; resolvers stop at 8 to 16
_PAYLOAD: Final = 1232  # bytes of UDP that pass everywhere unfragmented; DNS flag day 2020
# Error codes that may come without the question: the server did not read that far.
_UNREAD: Final = (dns.rcode.FORMERR, dns.rcode.SERVFAIL, dns.rcode.NOTIMP, dns.rcode.REFUSED)


MAX_ENTRIES: Final = 1024  # 90 ms to parse; RRsets that mail uses have tens at most
LARGEST: Final = 16_384  # octets: 60,000 of TXT take 0.8 s
_MAX_EXTENDED_ERROR: Final = 120  # characters of its text
_WITH_KEYS: Final = frozenset(  # of these a record may be a certificate, or a key with signatures
    {dns.rdatatype.TLSA, dns.rdatatype.SMIMEA, dns.rdatatype.OPENPGPKEY}
)


class MalformedError(Exception):
    """The message is not a response to the query."""


class TooLargeError(Exception):
    """The response is larger than a limit."""


@functools.cache
def _around_the_name(rdtype: dns.rdatatype.RdataType, flags: int) -> tuple[bytes, bytes]:
    """The bytes before and after the name in a query, as dnspython writes them.

    To join these takes an eighth of the time of a new dnspython message per question.
    """
    message = dns.message.make_query(
        dns.name.root, rdtype, use_edns=0, payload=_PAYLOAD, want_dnssec=True
    )
    message.flags = dns.flags.Flag(flags)
    wire = message.to_wire()
    return wire[2:_HEADER], wire[_HEADER + 1 :]  # the root is one octet


@dataclass(frozen=True, slots=True)
class Query:
    """One question, with EDNS, DO and AD. RFC 6840 §5.7; with CD, §5.9."""

    name: dns.name.Name
    rdtype: dns.rdatatype.RdataType
    checking_disabled: bool

    @classmethod
    def of(cls, name: str, rdtype: str, *, checking_disabled: bool = False) -> Self:
        """The question for *name*, absolute and as text, and *rdtype*, such as ``MX``.

        Raises DNSException where *name* is not a domain name.
        """
        return cls(dns.name.from_text(name), dns.rdatatype.from_text(rdtype), checking_disabled)

    def to_wire(self, message_id: int) -> bytes:
        """The message, with *message_id* (16 bits). RFC 1035 §4.1.1."""
        flags = _FLAGS | dns.flags.CD if self.checking_disabled else _FLAGS
        head, tail = _around_the_name(self.rdtype, flags)
        return message_id.to_bytes(2) + head + self.name.to_digestable() + tail

    def is_asked_by(self, question: Sequence[dns.rrset.RRset]) -> bool:
        """Whether *question*, a section of a message, holds exactly this question."""
        if len(question) != 1:
            return False
        (asked,) = question
        of_type = (asked.rdtype, asked.rdclass) == (self.rdtype, dns.rdataclass.IN)
        return of_type and asked.name == self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What a nameserver answered. ``records`` are those of the type asked for, without duplicates.

    TLSA and SMIMEA records are GenericRdata: three octets, and the data of any length.
    ``canonical_name`` is the name at the end of the aliases; None where there are none.
    """

    rcode: dns.rcode.Rcode
    truncated: bool = False  # then nothing else was read
    authenticated: bool = False  # the AD bit
    canonical_name: dns.name.Name | None = None
    records: tuple[dns.rdata.Rdata, ...] = ()
    is_referral: bool = False
    contradicts_itself: bool = False  # NXDOMAIN with records of that name
    answer: tuple[dns.rrset.RRset, ...] = ()
    authority: tuple[dns.rrset.RRset, ...] = ()
    knows_dnssec: bool = False  # the DO bit: RFC 3225 §3
    extended_error: str = ""  # RFC 8914: its code and text, printable


def read_response(wire: bytes, query: Query, message_id: int) -> Response:
    """Read *wire* as the response to *query*.

    Raises MalformedError where it is none: another id or question (RFC 5452 §9.1), no response, or
    not to be parsed to its end; TooLargeError, before it is parsed, for one that takes too long.
    """
    if len(wire) < _HEADER or int.from_bytes(wire[:2]) != message_id:
        raise MalformedError("no response to what was asked")
    _require_parsable(wire, query)
    try:
        message = from_wire(wire, query.rdtype)
    except dns.message.Truncated as error:
        message = error.message()  # type: ignore[no-untyped-call] # dnspython types it nowhere
        _require_response(message, query, message_id)
        return Response(rcode=message.rcode(), truncated=True)
    except (dns.exception.DNSException, ValueError) as error:
        raise MalformedError(f"{type(error).__name__}: {error}") from error
    _require_response(message, query, message_id)
    return _read(message, query)


def _require_parsable(wire: bytes, query: Query) -> None:
    """Check the size of *wire* and the counts in its header. Raises TooLargeError."""
    entries = sum(int.from_bytes(wire[at : at + 2]) for at in range(4, _HEADER, 2))
    if entries > MAX_ENTRIES:  # questions and records: RFC 1035 §4.1.1
        raise TooLargeError(f"{entries} entries in the response, more than {MAX_ENTRIES}")
    if len(wire) > LARGEST and query.rdtype not in _WITH_KEYS:
        raise TooLargeError(f"{len(wire)} bytes in the response, more than {LARGEST}")


def _require_response(message: dns.message.Message, query: Query, message_id: int) -> None:
    is_response = message.flags & dns.flags.QR and message.opcode() == dns.opcode.QUERY
    if not is_response:
        raise MalformedError("no response to what was asked")
    is_unread = not message.question and message.rcode() in _UNREAD
    if not query.is_asked_by(message.question) and not is_unread:
        raise MalformedError("another question")


def _read(message: dns.message.Message, query: Query) -> Response:
    if not isinstance(message, dns.message.QueryMessage) or not message.question:
        return Response(rcode=message.rcode(), extended_error=_extended_error(message))
    owner, records = _follow(message.answer, query)
    types = {each.rdtype for each in message.authority}
    return Response(
        rcode=message.rcode(),
        authenticated=bool(message.flags & dns.flags.AD),
        canonical_name=None if owner == query.name else owner,
        records=records,
        contradicts_itself=bool(records) and message.rcode() == dns.rcode.NXDOMAIN,
        # RFC 2308 §2.2: an empty answer that names other servers, and no SOA, denies nothing
        is_referral=dns.rdatatype.NS in types and dns.rdatatype.SOA not in types,
        answer=tuple(message.answer),
        authority=tuple(message.authority),
        knows_dnssec=bool(message.ednsflags & dns.flags.DO),
        extended_error=_extended_error(message),
    )


def _extended_error(message: dns.message.Message) -> str:
    """The first extended error of *message*; further ones add little."""
    for option in message.extended_errors()[:1]:
        try:
            code = dns.edns.EDECode(option.code).name.lower().replace("_", " ")
        except ValueError:
            code = f"extended error {int(option.code)}"
        text = printable(option.text or "")[:_MAX_EXTENDED_ERROR]
        return f"{code}: {text}" if text else code
    return ""


def _follow(
    answer: Sequence[dns.rrset.RRset], query: Query
) -> tuple[dns.name.Name, tuple[dns.rdata.Rdata, ...]]:
    """The records behind all CNAMEs, and the name that has them. RFC 1034 §3.6.2.

    dnspython's own function also needs the SOA of a denial, for a TTL that is not used here.
    """
    owner = query.name
    for _ in range(MAX_CHAIN):
        found = {
            rrset.rdtype: rrset
            for rrset in answer
            if rrset.name == owner and rrset.rdclass == dns.rdataclass.IN
        }
        if query.rdtype in found:
            return owner, tuple(found[query.rdtype])
        if dns.rdatatype.CNAME not in found:
            return owner, ()
        owner = found[dns.rdatatype.CNAME][0].target
    raise MalformedError("too many aliases")
