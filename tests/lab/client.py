"""A raw SMTP client that describes what a server did in one line."""

import asyncio
import contextlib
from typing import Self

from OpenSSL import SSL

FLOOD_BYTES = 100_000
SILENCE_S = 4.0  # in one step; who answers at all answers long before


def client_context(highest: int = SSL.TLS1_3_VERSION, ciphers: bytes = b"ALL") -> SSL.Context:
    """A context that accepts everything; ALL includes aNULL."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_VERSION)
    context.set_max_proto_version(highest)
    context.set_cipher_list(ciphers + b":@SECLEVEL=0")
    return context


class RawClient:
    """Sends lines and reads replies, in clear or over TLS."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.received = b""  # all of it, in clear
        self.tls: SSL.Connection | None = None
        self._taken = 0

    @classmethod
    async def connect(cls, address: str, port: int) -> Self:
        return cls(*await asyncio.open_connection(address, port))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    async def ask(self, command: str) -> bytes:
        self.send(command.encode() + b"\r\n")
        return await self.reply()

    def send(self, data: bytes) -> None:
        if self.tls is not None:
            self.tls.send(data)
            data = outgoing(self.tls)
        self.writer.write(data)

    async def reply(self) -> bytes:
        """The next reply, raw. Raises EOFError, OSError, and OverflowError for too much data."""
        start = self._taken
        async with asyncio.timeout(SILENCE_S):
            while (await self._line())[3:4] == b"-":
                pass
        return self.received[start : self._taken]

    async def start_tls(self, context: SSL.Context, name: str = "mx.lab.test") -> None:
        tls = SSL.Connection(context, None)
        tls.set_connect_state()
        tls.set_tlsext_host_name(name.encode())
        async with asyncio.timeout(SILENCE_S):
            await self._handshake(tls)
        self.writer.write(outgoing(tls))
        self.tls = tls

    async def _handshake(self, tls: SSL.Connection) -> None:
        while True:
            try:
                return tls.do_handshake()
            except SSL.WantReadError:
                self.writer.write(outgoing(tls))
                tls.bio_write(await self._read())

    async def _line(self) -> bytes:
        while (end := self.received.find(b"\n", self._taken)) < 0:
            self.received += await self._clear()
            if len(self.received) > FLOOD_BYTES:
                raise OverflowError
        line = self.received[self._taken : end + 1]
        self._taken = end + 1
        return line

    async def _clear(self) -> bytes:
        while self.tls is not None:
            try:
                return self.tls.recv(65536)
            except SSL.WantReadError:
                self.tls.bio_write(await self._read())
            except SSL.ZeroReturnError as exc:
                raise EOFError from exc
        return await self._read()

    async def _read(self) -> bytes:
        data = await self.reader.read(65536)
        if not data:
            raise EOFError
        return data


def outgoing(tls: SSL.Connection) -> bytes:
    with contextlib.suppress(SSL.WantReadError):
        return tls.bio_read(1 << 20)
    return b""


async def look(address: str, port: int, context: SSL.Context) -> str:
    """A description of one session: reply codes (``+`` if STARTTLS is offered), and its end."""
    seen: list[str] = []
    try:
        async with await RawClient.connect(address, port) as client:
            await _converse(client, context, seen)
    except ConnectionRefusedError:
        seen.append("refused")
    return " ".join(seen)


async def _converse(client: RawClient, context: SSL.Context, seen: list[str]) -> None:
    try:
        seen.append(_code(await client.reply()))
        seen.append(_code(await client.ask("EHLO probe.lab.test")))
        seen.append(_code(await client.ask("STARTTLS")))
        if seen[-1] == "220":
            await client.start_tls(context)
            assert client.tls is not None
            seen.append(client.tls.get_protocol_version_name())
            seen.append(_code(await client.ask("EHLO probe.lab.test")))
        seen.append(_code(await client.ask("QUIT")))
    except TimeoutError:
        seen.append("silence")
    except EOFError:
        seen.append("closed")
    except ConnectionResetError:
        seen.append("reset")
    except OverflowError:
        seen.append("flood")
    except SSL.Error as exc:
        seen.append(str(exc.args[0][0][2]))


def _code(reply: bytes) -> str:
    keywords = [line[4:].strip().upper() for line in reply.splitlines()[1:]]
    return reply[:3].decode() + "+" * (b"STARTTLS" in keywords)
