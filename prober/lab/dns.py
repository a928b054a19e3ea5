"""A DNS resolver on loopback, over UDP and TCP. It answers from its own data, or misbehaves.

It validates nothing: answers from ``signed`` zones get AD, as if they were validated. With ``keys``
the zones that have one, and the root, are signed, and the server returns their signatures. Replies
are cached until the data, a fault or a delay changes. A cached reply takes a few microseconds
instead of a third of a millisecond.
"""

import asyncio
import contextlib
import errno
import socket
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from prober.lab.faults import ByName, Fault
from prober.lab.listener import Listener, bind
from prober.lab.signed_zones import Key, SignedZones
from prober.lab.zone import Found, LabZone, Records, parse_record, with_parents

ATTEMPTS = 20  # attempts to find a port that is free for UDP and TCP
MESSAGE_BYTES = 65535
PAYLOAD = 1232  # DNS flag day 2020
MAX_CACHED_REPLIES = 50_000  # 100 to 200 bytes each
MAX_CACHED_QUERY_BYTES = 512  # a question with EDNS has at most 282
RECEIVE_BYTES = 4 << 20  # receive buffer for thousands of questions at once

_RCODES = {
    Fault.SERVFAIL: dns.rcode.SERVFAIL,
    Fault.REFUSED: dns.rcode.REFUSED,
    Fault.NOTIMP: dns.rcode.NOTIMP,
    Fault.BOGUS: dns.rcode.SERVFAIL,
}


@dataclass(frozen=True, slots=True)
class _Reply:
    """The reply to a query, without its id."""

    wire: bytes | None  # None: no reply is sent
    delay: float = 0.0  # seconds
    question: tuple[str, str] | None = None  # the key in ``queries``


class LabDns:
    """The server. ``queries`` counts the questions by (name, type), both as text."""

    def __init__(
        self,
        records: Records = MappingProxyType({}),
        *,
        signed: Iterable[str] = (),
        keys: Mapping[dns.name.Name, Key] = MappingProxyType({}),
        address: str = "127.0.0.1",
    ) -> None:
        self.address = address
        self.port = 0  # the actual port, after start
        self.queries: Counter[tuple[str, str]] = Counter()
        self.queries_tcp = 0
        self._zone = LabZone(records)
        self._signed = {dns.name.from_text(name) for name in signed}
        self._keys = keys
        self._signed_zones: SignedZones | None = None  # made when they are asked for
        self._faults = ByName[Fault]()
        self._delays = ByName[float]()
        self._replies: dict[tuple[bytes, bool], _Reply] = {}  # by query without its id, and tcp
        self._listener = Listener(self._serve_tcp)
        self._udp: asyncio.DatagramTransport | None = None

    @property
    def resolver(self) -> str:
        """``ADDR:PORT``, as ``--resolver`` takes it."""
        return f"{self.address}:{self.port}"

    def add(self, name: str, rdtype: str, *texts: str) -> None:
        """Add records. Works while the server runs."""
        self._zone.add(parse_record(name, rdtype, *texts))
        self._signed_zones = None
        self._replies.clear()

    def sign(self, zone: str) -> None:
        """Set AD on answers from *zone* and below, if the query has AD or DO."""
        self._signed.add(dns.name.from_text(zone))
        self._replies.clear()

    def fail(self, name: str, fault: Fault | None, rdtype: str | None = None) -> None:
        """Answer *name* with *fault* for *rdtype*, or for all types. None removes the fault."""
        self._faults.put(name, rdtype, fault)
        self._replies.clear()

    def delay(self, name: str, seconds: float | None, rdtype: str | None = None) -> None:
        """Answer *name* after *seconds* from now on, for *rdtype* or all types. None removes it."""
        self._delays.put(name, rdtype, seconds)
        self._replies.clear()

    async def start(self) -> None:
        """Listen at a port that is free for UDP and TCP."""
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as on_failure:
            tcp, udp = _bind_both(self.address)
            on_failure.callback(tcp.close)
            self._udp, _ = await loop.create_datagram_endpoint(lambda: _Udp(self), sock=udp)
            on_failure.pop_all()
        self.port = tcp.getsockname()[1]
        self._listener.listen(tcp)

    async def aclose(self) -> None:
        """Stop, and free the port."""
        if self._udp is not None:
            self._udp.abort()
        await self._listener.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def answer(self, wire: bytes, *, tcp: bool) -> tuple[bytes | None, float]:
        """The response to a query, and the delay in seconds. None means no response."""
        key = (wire[2:], tcp)
        reply = self._replies.get(key)
        if reply is None:
            reply = self._compute_reply(wire, tcp=tcp)
            self._cache_reply(key, reply)
        if reply.question is not None:
            self.queries[reply.question] += 1
            self.queries_tcp += tcp
        return reply.wire and wire[:2] + reply.wire[2:], reply.delay

    def _cache_reply(self, key: tuple[bytes, bool], reply: _Reply) -> None:
        if len(self._replies) >= MAX_CACHED_REPLIES:
            self._replies.clear()
        if len(key[0]) <= MAX_CACHED_QUERY_BYTES:
            self._replies[key] = reply

    def _compute_reply(self, wire: bytes, *, tcp: bool) -> _Reply:
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return _Reply(None)
        response = dns.message.make_response(query, recursion_available=True, our_payload=PAYLOAD)
        if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
            response.set_rcode(dns.rcode.NOTIMP)
            return _Reply(response.to_wire())
        asked = query.question[0]
        question = (
            asked.name.to_text(omit_final_dot=True).lower(),
            dns.rdatatype.to_text(asked.rdtype),
        )
        found = self._zone.find(asked.name, asked.rdtype)
        fault = self._faults.first(found.names, asked.rdtype)
        if fault is Fault.TIMEOUT:
            return _Reply(None, question=question)
        self._fill(response, query, found, None if tcp and fault is Fault.TRUNCATE else fault)
        most = MESSAGE_BYTES if tcp else max(query.payload, 512)
        answer = response.to_wire(max_size=most, prefer_truncation=True)
        return _Reply(answer, self._delays.first(found.names, asked.rdtype) or 0.0, question)

    def _fill(
        self,
        response: dns.message.Message,
        query: dns.message.Message,
        found: Found,
        fault: Fault | None,
    ) -> None:
        checking_disabled = query.flags & dns.flags.CD
        response.flags |= checking_disabled
        if fault is Fault.TRUNCATE:
            response.flags |= dns.flags.TC
        elif fault in _RCODES and not (fault is Fault.BOGUS and checking_disabled):
            response.set_rcode(_RCODES[fault])
        else:
            response.set_rcode(found.rcode)
            response.answer = found.answer
            response.authority = found.authority
            if self._keys and query.ednsflags & dns.flags.DO:
                self._add_signatures(response, found, query.question[0].rdtype)
            asks = query.flags & dns.flags.AD or query.ednsflags & dns.flags.DO
            if asks and not checking_disabled and all(map(self._is_signed, found.names)):
                response.flags |= dns.flags.AD

    def _add_signatures(
        self, response: dns.message.Message, found: Found, rdtype: dns.rdatatype.RdataType
    ) -> None:
        """RFC 4035 §3.1. Types that only signed zones have are found here, too."""
        if self._signed_zones is None:
            self._signed_zones = SignedZones(self._zone, self._keys)
        zones = self._signed_zones
        response.want_dnssec()  # so that DO is set in it
        owner = found.names[-1]
        own = zones.own(owner, rdtype)
        if own is not None:
            response.set_rcode(dns.rcode.NOERROR)
            response.answer, response.authority = [*found.answer, own], []
        elif not found.answer or found.authority:
            if zones.is_signed(owner, rdtype):
                response.authority = list(zones.deny(owner, rdtype))
        response.answer = list(zones.sign(response.answer))

    def _is_signed(self, name: dns.name.Name) -> bool:
        """Whether *name* is signed: the root, like the real one, and zones in ``signed``."""
        return name == dns.name.root or not self._signed.isdisjoint(with_parents(name))

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(EOFError, OSError):  # the client has gone
            while True:
                length = int.from_bytes(await reader.readexactly(2), "big")
                wire, delay = self.answer(await reader.readexactly(length), tcp=True)
                await asyncio.sleep(delay)
                if wire is not None:
                    writer.write(len(wire).to_bytes(2, "big") + wire)
                    await writer.drain()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: LabDns) -> None:
        self._server = server

    # typeshed says BaseTransport, but a datagram endpoint gets a DatagramTransport
    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        wire, delay = self._server.answer(data, tcp=False)
        if wire is None:
            return
        if delay:
            asyncio.get_running_loop().call_later(delay, self._send, wire, addr)
        else:
            self._send(wire, addr)

    def _send(self, wire: bytes, addr: tuple[str, int]) -> None:
        if not self._transport.is_closing():
            self._transport.sendto(wire, addr)


def _bind_both(address: str) -> tuple[socket.socket, socket.socket]:
    for _ in range(ATTEMPTS):
        tcp = bind(address, 0)
        try:
            udp = bind(address, tcp.getsockname()[1], socket.SOCK_DGRAM)
        except OSError:
            tcp.close()
        else:
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
            return tcp, udp
    raise OSError(errno.EADDRINUSE, f"no port of {address} is free for UDP and TCP")
