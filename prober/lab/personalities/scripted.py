"""The base classes of all personalities: a coroutine, and a script with replaceable steps."""

import abc
import re
from typing import ClassVar

from prober.lab.certificates import CertificateKind
from prober.lab.peer import Peer
from prober.lab.tls import MODERN, TlsProfile


class Personality(abc.ABC):
    """How an SMTP server behaves. It has no state, so many hosts may share one."""

    id: ClassVar[str]  # the name of the class in kebab case
    listens: ClassVar[bool] = True

    def __init_subclass__(cls) -> None:
        cls.id = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()

    @abc.abstractmethod
    async def converse(self, peer: Peer) -> None:
        """Run one session with *peer*. Returning closes the session."""


class Scripted(Personality):
    """A correct server. RFC 5321, RFC 3207. Each subclass changes one thing."""

    certificate: ClassVar[CertificateKind] = CertificateKind.GOOD
    tls: ClassVar[TlsProfile] = MODERN
    greeting: ClassVar[tuple[str, ...]] = ("{name} ESMTP lab",)
    keywords: ClassVar[tuple[str, ...]] = ("PIPELINING", "SIZE 10240000", "STARTTLS", "8BITMIME")
    keywords_tls: ClassVar[tuple[str, ...]] = ("PIPELINING", "SIZE 10240000", "8BITMIME")

    async def converse(self, peer: Peer) -> None:
        await self.greet(peer)
        while True:
            await self.obey(peer, await peer.line())

    async def obey(self, peer: Peer, line: str) -> None:
        """Answer one command."""
        match line.upper().split(maxsplit=1)[:1]:
            case ["EHLO"]:
                await (self.on_ehlo_tls if peer.secure else self.on_ehlo)(peer)
            case ["HELO"]:
                await self.on_helo(peer)
            case ["STARTTLS"] if not peer.secure:
                await self.on_starttls(peer)
            case ["QUIT"]:
                await self.say(peer, 221, "2.0.0 Bye")
                peer.close()
            case _:
                await self.say(peer, 502, "5.5.1 Command not implemented")

    async def greet(self, peer: Peer) -> None:
        """Send the greeting."""
        await self.say(peer, 220, *(line.format(name=peer.name) for line in self.greeting))

    async def on_ehlo(self, peer: Peer) -> None:
        """Answer EHLO before TLS."""
        await self.say(peer, 250, peer.name, *self.keywords)

    async def on_helo(self, peer: Peer) -> None:
        """Answer HELO."""
        await self.say(peer, 250, peer.name)

    async def on_starttls(self, peer: Peer) -> None:
        """Answer STARTTLS with 220, then do the handshake."""
        await self.say(peer, 220, "2.0.0 Ready to start TLS")
        await self.handshake(peer)

    async def handshake(self, peer: Peer) -> None:
        """Do the TLS handshake."""
        await peer.start_tls(peer.context(self.certificate, self.tls))

    async def on_ehlo_tls(self, peer: Peer) -> None:
        """Answer EHLO over TLS."""
        await self.say(peer, 250, peer.name, *self.keywords_tls)

    async def say(self, peer: Peer, code: int, *lines: str) -> None:
        """Send one reply."""
        peer.send(format_reply(code, *lines))

    async def say_and_close(self, peer: Peer, code: int, *lines: str) -> None:
        """Send the last reply of a session, then close."""
        await self.say(peer, code, *lines)
        peer.close()


def format_reply(code: int, *lines: str) -> bytes:
    """A reply of one or more lines. RFC 5321 §4.2.1."""
    last = len(lines) - 1
    text = (f"{code}{' ' if i == last else '-'}{line}\r\n" for i, line in enumerate(lines))
    return "".join(text).encode(errors="surrogateescape")
