"""One question to one nameserver, over UDP or TCP. RFC 1035 §4.2, RFC 7766.

Each question has its own socket, and so a random port and id (RFC 5452 §9). The UDP socket is
connected: the kernel reports a closed port at once, and drops packets from other addresses. Plain
sockets are used because they are closed on cancellation; uvloop's datagram endpoints are not.
"""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final, TypeAlias

import dns.rcode
from dns.rcode import Rcode

from prober.net.dns_message import (
    MalformedError,
    Query,
    Response,
    TooLargeError,
    read_response,
)

LARGEST: Final = 65_535  # octets of a message
STRAY_MESSAGES: Final = (
    100  # packets that are not the response; more is a flood, and ends the question
)
_BACKOFF_S: Final = 0.1  # between two rounds of all nameservers, twice as long each time
_MAX_BACKOFF_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """An error code in a response, with its extended error (RFC 8914)."""

    rcode: Rcode
    extended: str = ""

    def __str__(self) -> str:
        name = dns.rcode.to_text(self.rcode)
        return f"{name} ({self.extended})" if self.extended else name


Fault: TypeAlias = OSError | MalformedError | TooLargeError | ErrorCode
"""Why a nameserver is not asked again: a network error, or the error code that it answered."""


class NoneLeftError(Exception):
    """All nameservers failed; ``faults`` says how."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(", ".join(map(str, faults)))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Nameserver:
    """The address of a nameserver. As text: ADDR, or ADDR:PORT where the port is not 53."""

    address: str
    port: int = 53

    def __str__(self) -> str:
        if self.port == 53:
            return self.address
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{address}:{self.port}"

    def socket(self, kind: socket.SocketKind) -> socket.socket:
        """A new socket of the nameserver's address family."""
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        return socket.socket(family, kind | socket.SOCK_NONBLOCK)

    async def ask(self, query: Query, *, tcp: bool, timeout_s: float) -> Response:
        """The response to *query*.

        Raises OSError (also TimeoutError) if no response comes, and MalformedError if TCP brings
        something else. Over UDP such packets are ignored, since anybody can send them; after
        STRAY_MESSAGES of them the question counts as timed out.
        """
        message_id = secrets.randbits(16)
        wire = query.to_wire(message_id)
        async with asyncio.timeout(timeout_s):
            if tcp:
                return read_response(await self._over_tcp(wire), query, message_id)
            return await self._over_udp(wire, query, message_id)

    async def _over_udp(self, wire: bytes, query: Query, message_id: int) -> Response:
        loop = asyncio.get_running_loop()
        with self.socket(socket.SOCK_DGRAM) as udp:
            udp.connect((self.address, self.port))
            with contextlib.suppress(BlockingIOError):  # treated as a lost packet
                udp.send(wire)
            for _ in range(STRAY_MESSAGES):
                with contextlib.suppress(MalformedError):
                    return read_response(await loop.sock_recv(udp, LARGEST), query, message_id)
            raise TimeoutError

    async def _over_tcp(self, wire: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        with self.socket(socket.SOCK_STREAM) as tcp:
            await loop.sock_connect(tcp, (self.address, self.port))
            await loop.sock_sendall(tcp, len(wire).to_bytes(2) + wire)
            length = int.from_bytes(await _read_exactly(tcp, 2))
            return await _read_exactly(tcp, length)


async def _read_exactly(tcp: socket.socket, count: int) -> bytes:
    loop = asyncio.get_running_loop()
    read = bytearray()
    while len(read) < count:
        part = await loop.sock_recv(tcp, count - len(read))
        if not part:
            raise ConnectionResetError("closed within the response")
        read += part
    return bytes(read)


async def ask_in_turn(
    nameservers: Sequence[Nameserver], query: Query, *, tcp: bool, try_s: float, lifetime_s: float
) -> Response:
    """The first response that answers *query*: with records, or with a denial.

    A nameserver that times out after *try_s* is asked again after the others; one that fails is
    not. Raises NoneLeftError where all failed, and TimeoutError after *lifetime_s*.
    """
    deadline = monotonic() + lifetime_s
    left = list(nameservers)
    faults: list[Fault] = []
    backoff_s = _BACKOFF_S
    while left:
        for nameserver in tuple(left):
            time_s = deadline - monotonic()
            if time_s <= 0:
                raise TimeoutError
            result = await _try(nameserver, query, tcp=tcp, timeout_s=min(try_s, time_s))
            if isinstance(result, Response):
                return result
            if result is not None:
                left.remove(nameserver)
                faults.append(result)
        if left:
            await asyncio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, _MAX_BACKOFF_S)
    raise NoneLeftError(faults)


async def _try(
    nameserver: Nameserver, query: Query, *, tcp: bool, timeout_s: float
) -> Response | Fault | None:
    """The response of *nameserver*, or its fault; None after a time-out."""
    try:
        response = await nameserver.ask(query, tcp=tcp, timeout_s=timeout_s)
        if response.truncated and not tcp:  # RFC 7766 §5
            response = await nameserver.ask(query, tcp=True, timeout_s=timeout_s)
    except TimeoutError:
        return None
    except (OSError, MalformedError, TooLargeError) as error:
        return error
    if response.truncated:  # then the rest cannot be had
        return MalformedError("truncated over TCP")
    if is_answer(response):
        return response
    return ErrorCode(response.rcode, response.extended_error)


def is_answer(response: Response) -> bool:
    """Whether *response* has records, or denies that there are any."""
    if response.contradicts_itself:
        return False
    return response.rcode in (Rcode.NOERROR, Rcode.NXDOMAIN)
