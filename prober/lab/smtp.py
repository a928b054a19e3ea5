"""An SMTP server on loopback that behaves as its personality says, and records its sessions."""

import asyncio
import contextlib
import hashlib
from typing import Self

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL import SSL

from prober.lab.certificates import CertificateKind, LabCa
from prober.lab.listener import Listener, bind
from prober.lab.peer import Peer, Session
from prober.lab.personalities.scripted import Personality, Scripted
from prober.lab.tls import Keyring

SESSION_S = 600.0  # our clients stay shorter; RFC 5321 §4.5.3.2.7 lets a server wait 300 s


class LabSmtpServer:
    """One MX host: a personality at one or more addresses, all with one port.

    ``count`` is the number of sessions so far. ``sessions`` records them: all, or with *kept* at
    least the last *kept*. ``open`` is the number of open sessions, ``max_open`` its maximum.
    Everything that the server sends arrives *latency_s* late, as over a network.
    """

    def __init__(
        self,
        personality: Personality,
        *addresses: str,
        port: int = 0,
        name: str = "mx.lab.test",
        ca: LabCa | None = None,
        latency_s: float = 0.0,
        kept: int | None = None,
    ) -> None:
        self.personality = personality
        self.addresses = addresses or ("127.0.0.1",)
        self.port = port  # the actual port, after start
        self.name = name
        self.sessions: list[Session] = []
        self.count = 0
        self.open = 0
        self.max_open = 0
        self._latency_s = latency_s
        self._kept = kept
        self._keyring = Keyring(name, ca or LabCa())
        self._listener = Listener(self.serve)

    @property
    def address(self) -> str:
        """The first address."""
        return self.addresses[0]

    def tlsa(self, kind: CertificateKind = CertificateKind.GOOD) -> str:
        """The TLSA record ``3 1 1`` of its key: DANE-EE, SPKI, SHA-256. RFC 7672 §3.1.1."""
        key = self._keyring.certificate(kind).leaf.public_key()
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return f"3 1 1 {hashlib.sha256(spki).hexdigest()}"

    async def start(self) -> None:
        """Listen. Raises OSError if the port is taken at one of the addresses."""
        personality = self.personality
        if isinstance(personality, Scripted) and personality.tls.second_certificate is not None:
            # an RSA key takes long to make, and nobody is to wait for that in a session
            self._keyring.context(personality.certificate, personality.tls)
        try:
            for address in self.addresses:
                self._listen(address)
        except OSError:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """End every session and free the port."""
        await self._listener.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _listen(self, address: str) -> None:
        # A listening port may be in TIME_WAIT from an earlier run. A refusing port must not be
        # shared.
        sock = bind(address, self.port, reuse=self.personality.listens)
        self.port = sock.getsockname()[1]
        if self.personality.listens:
            self._listener.listen(sock)
        else:
            self._listener.hold(sock)

    def _new_session(self) -> Session:
        now = asyncio.get_running_loop().time()
        self.count += 1
        session = Session(number=self.count, started=now)
        self.sessions.append(session)
        if self._kept is not None and len(self.sessions) > 2 * self._kept:
            del self.sessions[: -self._kept]
        self.open += 1
        self.max_open = max(self.max_open, self.open)
        return session

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Run the session of one connection. The caller closes the connection."""
        session = self._new_session()
        peer = Peer(
            reader,
            writer,
            name=self.name,
            keyring=self._keyring,
            sessions=self.sessions,
            latency_s=self._latency_s,
        )
        try:
            # a client that leaves, or a failed handshake, ends only this session
            with contextlib.suppress(EOFError, OSError, SSL.Error):
                async with asyncio.timeout(SESSION_S):
                    await peer.connected()
                    await self.personality.converse(peer)
            await peer.linger()
        finally:
            self.open -= 1
            session.ended = asyncio.get_running_loop().time()
