"""UDP for dnspython on plain sockets, in place of its own datagram endpoints.

A connected socket costs less than an endpoint, hears at once where nobody listens, takes answers
only from whom it asked, and is closed wherever it is cancelled: an endpoint of uvloop is not.
"""

import asyncio
import socket
from typing import Any

import dns.asyncbackend
import dns.exception


class _ConnectedSocket(
    dns.asyncbackend.DatagramSocket  # type: ignore[name-defined,misc] # re-exported untyped
):
    """One UDP socket, connected to *destination*."""

    def __init__(self, family: int, source: Any, destination: Any) -> None:
        super().__init__(family, socket.SOCK_DGRAM)
        self._destination = destination
        self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            if source is not None:
                self._socket.bind(source)
            self._socket.connect(destination)
        except OSError:
            self._socket.close()
            raise

    async def sendto(self, what: bytes, _destination: Any, _timeout: float | None) -> int:
        """Send; a UDP send that would block is a lost packet, and is asked again as one."""
        try:
            return self._socket.send(what)
        except BlockingIOError:
            return len(what)

    async def recvfrom(self, size: int, timeout: float | None) -> tuple[bytes, Any]:
        """The next datagram; raises dns.exception.Timeout after *timeout* seconds."""
        try:
            async with asyncio.timeout(timeout):
                data = await asyncio.get_running_loop().sock_recv(self._socket, size)
        except TimeoutError as error:
            raise dns.exception.Timeout from error
        return data, self._destination

    async def close(self) -> None:
        """Close at once."""
        self._socket.close()

    async def getpeername(self) -> Any:
        """Whom it is connected to."""
        return self._destination

    async def getsockname(self) -> Any:
        """Its own address and port."""
        return self._socket.getsockname()


class Backend(dns.asyncbackend.Backend):  # type: ignore[name-defined,misc] # the same
    """dnspython's asyncio backend, but for UDP."""

    def __init__(self) -> None:
        self._asyncio = dns.asyncbackend.get_backend("asyncio")

    def name(self) -> str:
        """The library below."""
        return "asyncio"

    def datagram_connection_required(self) -> bool:
        """So that ``make_socket`` is told the destination."""
        return True

    async def make_socket(
        self,
        af: int,
        socktype: int,
        proto: int = 0,
        source: Any = None,
        destination: Any = None,
        timeout: float | None = None,
        ssl_context: Any = None,
        server_hostname: str | None = None,
    ) -> Any:
        """A UDP socket of ours, or a TCP one of dnspython's."""
        if socktype == socket.SOCK_DGRAM:
            return _ConnectedSocket(af, source, destination)
        return await self._asyncio.make_socket(  # type: ignore[no-untyped-call] # the same
            af, socktype, proto, source, destination, timeout, ssl_context, server_hostname
        )

    async def sleep(self, interval: float) -> None:
        """Between two tries."""
        await asyncio.sleep(interval)
