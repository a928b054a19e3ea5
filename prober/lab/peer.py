"""One SMTP session from the server's side: reads lines, sends bytes, and can start TLS."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from OpenSSL import SSL

from prober.lab.certificates import CertificateKind, ServerCertificate
from prober.lab.dhe import DheConnection
from prober.lab.tls import Keyring, TlsProfile

LINE_BYTES = 8192  # our commands are far shorter
COMMANDS = 1000  # per session; a prober sends five
READ_BYTES = 65536
RECORD_BYTES = 16_384  # maximum clear text of a record: RFC 8446 §5.1
OUTGOING_BYTES = 4096  # a server's flight has 2 kB
LINGER_S = 1.0  # closing with unread bytes sends a reset, which can overtake sent data
_RST_ON_CLOSE = struct.pack("ii", 1, 0)  # struct linger: on, 0 s


@dataclass(slots=True)
class Session:
    """A record of what one client did, for tests."""

    number: int  # 1 for the first session of the server
    started: float  # loop.time()
    ended: float | None = None
    commands: list[str] = field(default_factory=list)  # all commands, as received
    commands_tls: list[str] = field(default_factory=list)  # the commands that came over TLS
    pipelined: bool = False  # the client sent data before the server's reply
    hello_bytes: int | None = None  # size of the first TLS record, which holds the ClientHello
    sni: str | None = None
    tls_version: str | None = None  # None if the handshake did not complete
    cipher: str | None = None
    group: str | None = None


class Peer:
    """The client of a session. All methods raise EOFError or OSError after it has gone."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        name: str,
        keyring: Keyring,
        sessions: list[Session],
        latency_s: float = 0.0,
    ) -> None:
        self.name = name  # of the host that the client connected to
        self.sessions = sessions  # all sessions of the server; this one is the last
        self.session = sessions[-1]
        self._keyring = keyring
        self._latency_s = latency_s
        self._reader = reader
        self._writer = writer
        self._buffer = bytearray()  # received and not yet read; decrypted if TLS is active
        self._tls: SSL.Connection | DheConnection | None = None
        self._closed = False

    @property
    def secure(self) -> bool:
        """Whether TLS is active."""
        return self._tls is not None

    async def connected(self) -> None:
        """Wait for the round trip of the connection, which loopback does not have."""
        if self._latency_s:
            await asyncio.sleep(self._latency_s)

    async def line(self) -> str:
        """The next command, without its line end."""
        while b"\n" not in self._buffer:
            if len(self._buffer) > LINE_BYTES:
                raise ConnectionError("line too long")
            await self._fill()
        raw, _, rest = self._buffer.partition(b"\n")
        self._buffer = rest
        line = raw.rstrip(b"\r").decode("latin-1")
        self._record_command(line)
        return line

    def send(self, data: bytes) -> None:
        """Send *data* unchanged, over TLS if it is active."""
        if self._closed:
            raise EOFError("the session is over")
        if self._tls is not None:
            self._tls.send(data)
            data = _outgoing(self._tls)
        self._write(data)

    async def drain(self) -> None:
        """Let other tasks run, and wait while the send buffer is full."""
        await asyncio.sleep(0)
        await self._writer.drain()

    async def pause(self, seconds: float) -> None:
        """Send nothing for *seconds*, and record whether the client sends something."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while len(self._buffer) < READ_BYTES:
                    await self._fill()
                    self.session.pipelined = True

    async def silence(self) -> None:
        """Send nothing until the client has gone, then raise EOFError."""
        while True:
            await self._fill()
            self._buffer.clear()

    async def hello(self) -> bytes:
        """The first record of the client's handshake. It stays in the buffer for ``start_tls``."""
        while len(self._buffer) < 5 or len(self._buffer) < self._record_bytes():
            await self._fill()
        return bytes(self._buffer[: self._record_bytes()])

    def context(self, kind: CertificateKind, profile: TlsProfile) -> SSL.Context:
        """The TLS context of this host for ``start_tls``."""
        return self._keyring.context(kind, profile)

    def certificate(self, kind: CertificateKind) -> ServerCertificate:
        """This host's certificate of *kind*."""
        return self._keyring.certificate(kind)

    async def start_tls(self, context: SSL.Context) -> None:
        """Do the handshake. Raises ``SSL.Error`` after the alert was sent."""
        tls = SSL.Connection(context, None)
        tls.set_accept_state()
        await self.run_tls(tls)

    async def run_tls(self, tls: SSL.Connection | DheConnection) -> None:
        """Do the handshake with the connection *tls*, as ``start_tls`` does."""
        self.session.hello_bytes = len(await self.hello())
        tls.bio_write(bytes(self._buffer))
        self._buffer.clear()
        try:
            await self._handshake(tls)
        finally:
            self._write(_outgoing(tls))
            self.session.sni = (tls.get_servername() or b"").decode("latin-1") or None
        self._tls = tls
        self.session.tls_version = tls.get_protocol_version_name()
        self.session.cipher = tls.get_cipher_name()
        self.session.group = tls.get_group_name()

    def close(self) -> None:
        """Send close_notify if TLS is active, then FIN."""
        if self._closed:
            return
        self._end()
        if self._tls is not None:
            with contextlib.suppress(SSL.Error):
                self._tls.shutdown()
            self._write(_outgoing(self._tls))
        self._after_latency(self._write_eof_now)

    def reset(self) -> None:
        """Reset the connection with RST."""
        self._end()
        sock = self._writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
        self._writer.transport.abort()

    async def linger(self) -> None:
        """Close, and give the client a moment to read what was sent and to close its side."""
        self.close()
        with contextlib.suppress(OSError):  # TimeoutError is one
            async with asyncio.timeout(LINGER_S):
                while await self._reader.read(READ_BYTES):
                    pass

    def _write(self, data: bytes) -> None:
        if data:
            self._after_latency(self._write_now, data)

    def _after_latency(self, act: Callable[..., None], *args: bytes) -> None:
        """Call *act* after the latency. Calls run in their order."""
        if self._latency_s:
            asyncio.get_running_loop().call_later(self._latency_s, act, *args)
        else:
            act(*args)

    def _write_now(self, data: bytes) -> None:
        if not self._writer.is_closing():  # uvloop raises here, asyncio drops the data
            self._writer.write(data)

    def _write_eof_now(self) -> None:
        if not self._writer.is_closing():
            self._writer.write_eof()

    def _end(self) -> None:
        self._closed = True
        self._buffer.clear()  # earlier commands get no reply now

    def _record_bytes(self) -> int:
        return 5 + int.from_bytes(self._buffer[3:5], "big")

    async def _handshake(self, tls: SSL.Connection | DheConnection) -> None:
        while True:
            try:
                return tls.do_handshake()
            except SSL.WantReadError:
                self._write(_outgoing(tls))
                tls.bio_write(await self._read())

    def _record_command(self, line: str) -> None:
        if len(self.session.commands) >= COMMANDS:
            raise ConnectionError("too many commands")
        self.session.commands.append(line)
        if self.secure:
            self.session.commands_tls.append(line)
        if self._buffer:
            self.session.pipelined = True

    async def _fill(self) -> None:
        """Wait until the buffer has grown."""
        if self._tls is None:
            self._buffer += await self._read()
            return
        while not (clear := _decrypted(self._tls)):
            self._tls.bio_write(await self._read())
        self._buffer += clear

    async def _read(self) -> bytes:
        data = b"" if self._closed else await self._reader.read(READ_BYTES)
        if not data:
            raise EOFError("the session is over")
        return data


def _outgoing(tls: SSL.Connection | DheConnection) -> bytes:
    """All bytes that OpenSSL wants to send.

    Read in small pieces, because each read allocates its whole size.
    """
    pieces = bytearray()
    with contextlib.suppress(SSL.WantReadError):
        while True:
            pieces += tls.bio_read(OUTGOING_BYTES)
    return bytes(pieces)


def _decrypted(tls: SSL.Connection | DheConnection) -> bytes:
    """The clear text of at most one record; empty if there is none yet."""
    try:
        return tls.recv(RECORD_BYTES)
    except SSL.WantReadError:
        return b""
    except SSL.ZeroReturnError as exc:
        raise EOFError("close_notify") from exc
