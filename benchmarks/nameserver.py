"""The DNS of the simulated Internet: one question after another answered from its name alone.

As the lab's resolver would answer from data, byte for byte of meaning (a test compares them), but
without data and without dnspython: a question costs microseconds. UDP only.
"""

import asyncio
import random
import re
from collections.abc import Callable
from typing import Final

from benchmarks.plan import OF_CUSTOMERS, Plan, customer_address, host_address
from prober.lab.internet import PROBE_NAME
from prober.lab.zone import TTL

_A, _SOA, _MX = 1, 6, 15  # RFC 1035 §3.2.2
_NOERROR, _SERVFAIL, _NXDOMAIN = 0, 2, 3
_ANSWER, _AD, _CD = 0x8180, 0x0020, 0x0010  # QR, RD and RA; RFC 4035 §3.2
_OPT: Final = bytes.fromhex("00002904d0000000000000")  # payload 1232, no DO
_DO: Final = b"\x80"  # where it stands in a query's OPT without options
_TO_QUESTION: Final = b"\xc0\x0c"  # a pointer: RFC 1035 §4.1.4

_DOMAIN: Final = re.compile(rb"[\x02-\x0a]d(\d+)\x04test")
_MX_HOST: Final = re.compile(rb"\x02mx[\x02-\x0a]h(\d+)\x04test")
_CUSTOMER: Final = re.compile(rb"[\x02-\x0a]c(\d+)\x02h%d\x04test" % OF_CUSTOMERS)
_PARENT: Final = re.compile(rb"(?:[\x02-\x0a]h\d+)?\x04test")


def _record(owner: bytes, rdtype: int, rdata: bytes) -> bytes:
    fixed = rdtype.to_bytes(2, "big") + b"\0\1" + TTL.to_bytes(4, "big")
    return owner + fixed + len(rdata).to_bytes(2, "big") + rdata


def _name(*labels: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


_DENIAL: Final = _record(
    b"\0",
    _SOA,
    _name("ns", "lab")
    + _name("admin", "lab")
    + b"".join(number.to_bytes(4, "big") for number in (1, 3600, 600, 86400, 60)),
)
_PROBE_ADDRESS: Final = 0xC0000201  # 192.0.2.1
_PROBE_NAME: Final = _name(*PROBE_NAME.split("."))[:-1]

Found = tuple[int, bytes]  # the response code, and the answer record or nothing


class Names:
    """Answers for all names of a plan; ``questions`` counts them."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.questions = 0

    def answer(self, query: bytes) -> bytes:
        """The response to *query*; nothing where that is no question."""
        end = query.find(0, 12)  # none of our labels holds a zero
        if end < 0 or len(query) < end + 5:
            return b""
        self.questions += 1
        owner, rdtype = query[12:end].lower(), query[end + 1] << 8 | query[end + 2]
        unchecked = query[3] & _CD
        rcode, record = self._find(owner, rdtype, unchecked=bool(unchecked))
        wants_ad = query[3] & _AD or query[-4:-3] == _DO
        ad = _AD if wants_ad and not owner and not unchecked else 0  # the root is signed
        denied = not record and rcode != _SERVFAIL
        return b"".join(
            (
                query[:2],
                (_ANSWER | rcode | unchecked | ad).to_bytes(2, "big"),
                b"\0\1\0\1" if record else b"\0\1\0\0",
                b"\0\1" if denied else b"\0\0",
                b"\0\1" if query[11] else b"\0\0",
                query[12 : end + 5],
                record or (_DENIAL if denied else b""),
                _OPT if query[11] else b"",
            )
        )

    def _find(self, owner: bytes, rdtype: int, *, unchecked: bool) -> Found:
        if (match := _DOMAIN.fullmatch(owner)) and int(match[1]) < self._plan.domains:
            return _NOERROR, self._mx(int(match[1])) if rdtype == _MX else b""
        if match := _MX_HOST.fullmatch(owner):
            address = host_address(int(match[1]))
            return _NOERROR, self._address(address) if rdtype == _A else b""
        if match := _CUSTOMER.fullmatch(owner):
            address = customer_address(int(match[1]))
            return _NOERROR, self._address(address) if rdtype == _A else b""
        if owner == _PROBE_NAME:  # bogus by intent: only who does not check has it
            record = self._address(_PROBE_ADDRESS) if rdtype == _A and unchecked else b""
            return _NOERROR if unchecked else _SERVFAIL, record
        exists = not owner or _PARENT.fullmatch(owner)
        return (_NOERROR if exists else _NXDOMAIN), b""

    def _mx(self, domain: int) -> bytes:
        host = _name(*self._plan.mx_host(domain).split("."))
        return _record(_TO_QUESTION, _MX, b"\0\x0a" + host)

    def _address(self, address: int) -> bytes:
        return _record(_TO_QUESTION, _A, address.to_bytes(4, "big"))


class NameserverProtocol(asyncio.DatagramProtocol):
    """Answers each datagram about *delay_s* later.

    Between half of it and one and a half, as on a network: if all took as long, the answers would
    come in the bursts in which a paced client asks, which costs it less than if they come by ones.
    """

    def __init__(self, answer: Callable[[bytes], bytes], delay_s: float) -> None:
        self._answer = answer
        self._delay_s = delay_s
        self._random = random.Random(0)  # noqa: S311 - no secret
        self._loop = asyncio.get_running_loop()

    # typeshed has BaseTransport here; a datagram endpoint is given a DatagramTransport
    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        """Keep the transport."""
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer now, or when the round trip is over."""
        if not self._delay_s:
            self._send(data, addr)
            return
        delay_s = self._delay_s * self._random.uniform(0.5, 1.5)
        self._loop.call_later(delay_s, self._send, data, addr)

    def _send(self, data: bytes, addr: tuple[str, int]) -> None:
        response = self._answer(data)
        if response and not self._transport.is_closing():
            self._transport.sendto(response, addr)
