"""The MX hosts of the simulated Internet: every one of them behind one listening socket.

A socket on 0.0.0.0 hears all of 127.0.0.0/8, so a host costs nothing until somebody connects to its
address. What it is then, its certificate too, is made from its number.
"""

import asyncio
import socket
from collections import OrderedDict
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding

from benchmarks.plan import Behaviour, Plan, host_at
from prober.lab.certificates import LabCa
from prober.lab.listener import Listener, bind
from prober.lab.peer import Peer
from prober.lab.personalities.ehlo import NoStarttls
from prober.lab.personalities.greeting import Busy, Silent, Slow
from prober.lab.personalities.over_tls import TlsSilent
from prober.lab.personalities.scripted import Personality, Scripted
from prober.lab.personalities.sound import Tls12Only, WellConfigured, Wildcard
from prober.lab.smtp import LabSmtpServer

REMEMBERED: Final = 4096  # hosts, at about 150 kB of OpenSSL's each
SESSIONS_KEPT: Final = 2  # of each host
OLD_EVERY: Final = 8  # one host in so many knows TLS 1.2 and nothing newer


class BusyAtFirst(Personality):
    """421 to the first session, and all well after it: a host that limits how often one comes."""

    async def converse(self, peer: Peer) -> None:
        await (Busy() if peer.session.number == 1 else Scripted()).converse(peer)


class MailHosts:
    """All hosts of a plan; ``sessions`` counts what they held, ``open`` what they hold."""

    def __init__(self, plan: Plan) -> None:
        self._ca = LabCa()
        self.port = 0
        self.sessions = 0
        self.open = 0
        self._plan = plan
        self._servers: OrderedDict[int, LabSmtpServer] = OrderedDict()
        self._listener = Listener(self._serve)

    async def start(self) -> None:
        """Listen at every address of loopback."""
        sock = bind("0.0.0.0", 0, reuse=True)  # noqa: S104 - all of 127.0.0.0/8
        self.port = sock.getsockname()[1]
        self._listener.listen(sock)

    async def aclose(self) -> None:
        """End every session and free the port."""
        await self._listener.aclose()

    @property
    def ca_pem(self) -> bytes:
        """The root that the certificates of all hosts chain to."""
        return self._ca.root.public_bytes(Encoding.PEM)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = writer.get_extra_info("sockname")[0]
        host = host_at(int.from_bytes(socket.inet_aton(address), "big"))
        self.sessions += 1
        self.open += 1
        try:
            await self._server(host).serve(reader, writer)
        finally:
            self.open -= 1

    def _server(self, host: int) -> LabSmtpServer:
        server = self._servers.get(host)
        if server is None:
            server = self._servers[host] = self._make(host)
            if len(self._servers) > REMEMBERED:
                self._servers.popitem(last=False)
        self._servers.move_to_end(host)
        return server

    def _make(self, host: int) -> LabSmtpServer:
        return LabSmtpServer(
            self._personality(host),
            name=f"mx.h{host}.test",
            ca=self._ca,
            latency_s=self._plan.round_trip_s,
            kept=SESSIONS_KEPT,
        )

    def _personality(self, host: int) -> Personality:
        match self._plan.behaviour(host):
            case Behaviour.SLOW:
                return Slow(delay=self._plan.slow_s)
            case Behaviour.THROTTLING:
                return BusyAtFirst()
            case Behaviour.CLEAR:
                return NoStarttls()
            case Behaviour.DEAD:
                return Silent()
            case Behaviour.SILENT_OVER_TLS:
                return TlsSilent()
        if self._plan.has_customer_names(host):
            return Wildcard()
        return Tls12Only() if host % OLD_EVERY == OLD_EVERY - 1 else WellConfigured()
