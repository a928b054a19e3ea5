"""MTA-STS policy hosts on loopback: HTTPS servers, correct and faulty. RFC 8461 §3.3.

Each is a personality like those of SMTP servers, so a policy host is a normal host of the lab:
``LabSmtpServer`` runs it, with TLS from the first byte and HTTP over it.
"""

from dataclasses import dataclass
from typing import ClassVar

from prober.lab.certificates import CertificateKind
from prober.lab.peer import Peer
from prober.lab.personalities.scripted import Personality
from prober.lab.tls import MODERN, TlsProfile

TXT = "v=STSv1; id=20260102T030405Z;"
RECORD_BYTES = 16_384  # a TLS record, which is what one ``send`` sends of longer data


@dataclass(frozen=True)
class PolicyHost(Personality):
    """Serves *policy* as RFC 8461 requires. Each subclass changes one thing."""

    policy: str = ""
    certificate: ClassVar[CertificateKind] = CertificateKind.GOOD
    tls: ClassVar[TlsProfile] = MODERN
    status: ClassVar[str] = "200 OK"
    headers: ClassVar[tuple[str, ...]] = ("Content-Type: text/plain; charset=utf-8",)

    async def converse(self, peer: Peer) -> None:
        await peer.start_tls(peer.context(self.certificate, self.tls))
        while await peer.line():
            pass
        await self.reply(peer)

    async def reply(self, peer: Peer) -> None:
        """Answer any request."""
        body = self.body()
        self.begin(peer, f"Content-Length: {len(body)}")
        for start in range(0, len(body), RECORD_BYTES):
            peer.send(body[start : start + RECORD_BYTES])

    def begin(self, peer: Peer, *headers: str) -> None:
        """Send the status line and the headers; *headers* come last."""
        lines = (f"HTTP/1.1 {self.status}", *self.headers, "Connection: close", *headers)
        peer.send("".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1"))

    def body(self) -> bytes:
        """The body to send."""
        return self.policy.encode("utf-8", "surrogateescape")
