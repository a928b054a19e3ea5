"""One SMTP session as its server sees it: lines in, bytes out, and TLS in between."""

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

LINE_BYTES = 8192  # a prober's commands have far less
COMMANDS = 1000  # in one session; a prober sends five
READ_BYTES = 65536
RECORD_BYTES = 16_384  # of clear text at most: RFC 8446 §5.1
OUTGOING_BYTES = 4096  # a server's flight has 2 kB
LINGER_S = 1.0  # a close with bytes unread becomes a reset, which can overtake what was sent
_RST_ON_CLOSE = struct.pack("ii", 1, 0)  # struct linger: on, 0 s


@dataclass(slots=True)
class Session:
    """What one client did; for tests to look at."""

    number: int  # 1 for the first that the server had
    started: float  # loop.time()
    ended: float | None = None
    commands: list[str] = field(default_factory=list)  # all, as received
    commands_tls: list[str] = field(default_factory=list)  # those that came over TLS
    pipelined: bool = False  # the client spoke out of turn
    hello_bytes: int | None = None  # of the first TLS record, which holds the ClientHello
    sni: str | None = None
    tls_version: str | None = None  # where the handshake completed
    cipher: str | None = None
    group: str | None = None


class Peer:
    """The client of a session. Its methods raise EOFError or OSError once it is gone."""

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
        self.name = name  # of the host it talks to
        self.sessions = sessions  # of the server so far; the last is this one
        self.session = sessions[-1]
        self._keyring = keyring
        self._latency_s = latency_s
        self._reader = reader
        self._writer = writer
        self._buffer = bytearray()  # received, not yet taken; in clear once TLS runs
        self._tls: SSL.Connection | DheConnection | None = None
        self._closed = False

    @property
    def secure(self) -> bool:
        """Whether TLS has been negotiated."""
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
        self._note(line)
        return line

    def send(self, data: bytes) -> None:
        """Send *data* as it is: over TLS once that runs."""
        if self._closed:
            raise EOFError("the session is over")
        if self._tls is not None:
            self._tls.send(data)
            data = _outgoing(self._tls)
        self._write(data)

    async def drain(self) -> None:
        """Let the other tasks run, and wait while the client does not read."""
        await asyncio.sleep(0)
        await self._writer.drain()

    async def pause(self, seconds: float) -> None:
        """Say nothing for so long, and note whether the client speaks."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while len(self._buffer) < READ_BYTES:
                    await self._fill()
                    self.session.pipelined = True

    async def silence(self) -> None:
        """Say nothing until the client has gone; raises EOFError then."""
        while True:
            await self._fill()
            self._buffer.clear()

    async def hello(self) -> bytes:
        """The first record of the client's handshake, which stays there for ``start_tls``."""
        while len(self._buffer) < 5 or len(self._buffer) < self._record_bytes():
            await self._fill()
        return bytes(self._buffer[: self._record_bytes()])

    def context(self, kind: CertificateKind, profile: TlsProfile) -> SSL.Context:
        """The TLS context of this host for ``start_tls``."""
        return self._keyring.context(kind, profile)

    def certificate(self, kind: CertificateKind) -> ServerCertificate:
        """The certificate of this host, of that kind."""
        return self._keyring.certificate(kind)

    async def start_tls(self, context: SSL.Context) -> None:
        """Do the handshake. Raises ``SSL.Error``, the alert being sent already."""
        tls = SSL.Connection(context, None)
        tls.set_accept_state()
        await self.run_tls(tls)

    async def run_tls(self, tls: SSL.Connection | DheConnection) -> None:
        """Do the handshake of *tls*, as ``start_tls`` does."""
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
        """Say that nothing more comes: close_notify where TLS runs, then FIN."""
        if self._closed:
            return
        self._end()
        if self._tls is not None:
            with contextlib.suppress(SSL.Error):
                self._tls.shutdown()
            self._write(_outgoing(self._tls))
        self._later(self._deliver_eof)

    def reset(self) -> None:
        """Tear the connection down with RST."""
        self._end()
        sock = self._writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
        self._writer.transport.abort()

    async def linger(self) -> None:
        """Close, and give the client a moment to take what was sent and go."""
        self.close()
        with contextlib.suppress(OSError):  # TimeoutError is one
            async with asyncio.timeout(LINGER_S):
                while await self._reader.read(READ_BYTES):
                    pass

    def _write(self, data: bytes) -> None:
        if data:
            self._later(self._deliver, data)

    def _later(self, act: Callable[..., None], *args: bytes) -> None:
        """*act* once the latency is over; what was sent first also arrives first."""
        if self._latency_s:
            asyncio.get_running_loop().call_later(self._latency_s, act, *args)
        else:
            act(*args)

    def _deliver(self, data: bytes) -> None:
        if not self._writer.is_closing():  # uvloop raises where asyncio drops it
            self._writer.write(data)

    def _deliver_eof(self) -> None:
        if not self._writer.is_closing():
            self._writer.write_eof()

    def _end(self) -> None:
        self._closed = True
        self._buffer.clear()  # what came before is not answered any more

    def _record_bytes(self) -> int:
        return 5 + int.from_bytes(self._buffer[3:5], "big")

    async def _handshake(self, tls: SSL.Connection | DheConnection) -> None:
        while True:
            try:
                return tls.do_handshake()
            except SSL.WantReadError:
                self._write(_outgoing(tls))
                tls.bio_write(await self._read())

    def _note(self, line: str) -> None:
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
    """All that OpenSSL wants to send. Its buffer is made anew each time, so it is a small one."""
    pieces = bytearray()
    with contextlib.suppress(SSL.WantReadError):
        while True:
            pieces += tls.bio_read(OUTGOING_BYTES)
    return bytes(pieces)


def _decrypted(tls: SSL.Connection | DheConnection) -> bytes:
    """One record's worth of clear text, or nothing yet."""
    try:
        return tls.recv(RECORD_BYTES)
    except SSL.WantReadError:
        return b""
    except SSL.ZeroReturnError as exc:
        raise EOFError("close_notify") from exc
