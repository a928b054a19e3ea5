"""A server of SMTP that hands each connection to a TLS server once it has granted STARTTLS.

TLS servers that speak no SMTP can so be asked by a client that does. RFC 5321 §3.1, RFC 3207 §4.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

_EHLO: Final = b"250-mx.example.test\r\n250 STARTTLS\r\n"
_READ_SIZE: Final = 65_536
_RECORD_HEADER: Final = 5  # type, version, length: RFC 8446 §5.1
_APPLICATION_DATA: Final = 23


class Front:
    """Counts the connections it gets. Where *speaks_smtp*, it passes all on as it comes."""

    def __init__(self, address: str, port: int, *, speaks_smtp: bool) -> None:
        self._backend = address, port
        self._speaks_smtp = speaks_smtp
        self.port = 0
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if self._speaks_smtp or await self._greet(reader, writer):
                await self._relay(reader, writer)
        writer.close()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"220 mx.example.test ESMTP\r\n")
        while line := await reader.readline():
            match line.split()[0].upper() if line.strip() else b"":
                case b"EHLO":
                    writer.write(_EHLO)
                case b"STARTTLS":
                    writer.write(b"220 2.0.0 go ahead\r\n")
                    return True
                case b"QUIT":
                    writer.write(b"221 2.0.0 bye\r\n")
                    return False
                case _:
                    writer.write(b"502 5.5.1 not here\r\n")
        return False

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until either side closes, or the client says something over TLS: nobody answers that."""
        theirs = await asyncio.open_connection(*self._backend)
        pass_theirs = _pass_on if self._speaks_smtp else _pass_records
        ways = [
            asyncio.create_task(pass_theirs(reader, theirs[1])),
            asyncio.create_task(_pass_on(theirs[0], writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            theirs[1].close()


async def _pass_records(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass TLS records on, up to the first with application data. RFC 8446 §5.1."""
    while True:
        header = await reader.readexactly(_RECORD_HEADER)
        writer.write(header + await reader.readexactly(int.from_bytes(header[3:])))
        if header[0] == _APPLICATION_DATA:
            return


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_READ_SIZE):
        writer.write(data)
        await writer.drain()


@contextlib.asynccontextmanager
async def front(address: str, port: int, *, speaks_smtp: bool) -> AsyncIterator[Front]:
    """A front on loopback for the server at *address* and *port*."""
    found = Front(address, port, speaks_smtp=speaks_smtp)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
