"""Policy hosts that differ in one thing from what RFC 8461 §3.3 asks of them."""

import gzip
from dataclasses import dataclass

from prober.lab.certificates import CertificateKind
from prober.lab.peer import Peer
from prober.lab.policy_host import RECORD_BYTES, PolicyHost
from prober.lab.tls import NEEDS_CLIENT, TLS11_ONLY

DRIP_S = 0.02


class NotFound(PolicyHost):
    """404."""

    status = "404 Not Found"


class Broken(PolicyHost):
    """500."""

    status = "500 Internal Server Error"


@dataclass(frozen=True)
class Redirects(PolicyHost):
    """301 to *location*, where a policy may well be."""

    location: str = ""
    status = "301 Moved Permanently"

    def begin(self, peer: Peer, *headers: str) -> None:
        super().begin(peer, f"Location: {self.location}", *headers)


class SetsCookie(PolicyHost):
    """A cookie beside the policy."""

    headers = (*PolicyHost.headers, "Set-Cookie: track=1; Path=/")


class Html(PolicyHost):
    """The policy, as HTML."""

    headers = ("Content-Type: text/html",)


class NoMediaType(PolicyHost):
    """The policy, as nothing in particular."""

    headers = ()


class Gzip(PolicyHost):
    """Compressed, though nobody asked for that: 2 kB that unpack to 2 MB."""

    headers = (*PolicyHost.headers, "Content-Encoding: gzip")

    def body(self) -> bytes:
        return gzip.compress(bytes(2_000_000))


class TooLong(PolicyHost):
    """One byte more than 64 KB, and says so."""

    def body(self) -> bytes:
        return b"x" * 65_537


class Longest(PolicyHost):
    """The policy in 64 KB sharp, filled up with a field that nobody knows."""

    def body(self) -> bytes:
        policy = super().body()
        return policy + b"filler: " + b"x" * (65_536 - len(policy) - len(b"filler: "))


class Endless(PolicyHost):
    """A body without an end, as fast as it goes."""

    async def reply(self, peer: Peer) -> None:
        self.begin(peer)
        while True:
            peer.send(b"x" * RECORD_BYTES)
            await peer.drain()


class EndlessHeaders(PolicyHost):
    """Headers without an end."""

    async def reply(self, peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            peer.send(b"X-Filler: x\r\n" * 100)
            await peer.drain()


@dataclass(frozen=True)
class Repeats(PolicyHost):
    """*piece* without an end, before a status line."""

    piece: bytes = b"\r\n"

    async def reply(self, peer: Peer) -> None:
        while True:
            peer.send(self.piece * (RECORD_BYTES // len(self.piece)))
            await peer.drain()


class ChunkExtensions(PolicyHost):
    """Chunks of one byte, each with 1 kB of extension, without an end. RFC 9112 §7.1.1."""

    async def reply(self, peer: Peer) -> None:
        self.begin(peer, "Transfer-Encoding: chunked")
        while True:
            peer.send((b"1;" + b"x" * 1024 + b"\r\nx\r\n") * 15)
            await peer.drain()


class EncodedTwice(PolicyHost):
    """Two Content-Encoding headers, of which the first says that nothing is encoded."""

    headers = (*PolicyHost.headers, "Content-Encoding: identity", "Content-Encoding: gzip")


class Drips(PolicyHost):
    """A byte of the body now and then."""

    async def reply(self, peer: Peer) -> None:
        self.begin(peer, "Content-Length: 60000")
        while True:
            peer.send(b"x")
            await peer.pause(DRIP_S)


class Truncated(PolicyHost):
    """Half of the body, then the end."""

    async def reply(self, peer: Peer) -> None:
        self.begin(peer, "Content-Length: 1000")
        peer.send(b"version: STSv1\n")


class Garbage(PolicyHost):
    """No HTTP."""

    async def reply(self, peer: Peer) -> None:
        peer.send(b"220 mail ESMTP\r\n")


class HangsUp(PolicyHost):
    """The end in answer to the request."""

    async def reply(self, peer: Peer) -> None:
        peer.close()


class Resets(PolicyHost):
    """RST in answer to the request."""

    async def reply(self, peer: Peer) -> None:
        peer.reset()


class Mute(PolicyHost):
    """No answer to the request."""

    async def reply(self, peer: Peer) -> None:
        await peer.silence()


class MuteAtHandshake(PolicyHost):
    """No answer to the ClientHello."""

    async def converse(self, peer: Peer) -> None:
        await peer.silence()


class InClear(PolicyHost):
    """HTTP without TLS."""

    async def converse(self, peer: Peer) -> None:
        await self.reply(peer)


class NotListening(PolicyHost):
    """TCP is refused."""

    listens = False


class OldTls(PolicyHost):
    """Nothing newer than TLS 1.1. RFC 8461 §7.2."""

    tls = TLS11_ONLY


class AsksWhoYouAre(PolicyHost):
    """Wants a client certificate."""

    tls = NEEDS_CLIENT


class WrongName(PolicyHost):
    """A certificate for another host."""

    certificate = CertificateKind.WRONG_NAME


class Wildcard(PolicyHost):
    """A certificate by wildcard, which is valid. RFC 8461 §3.3."""

    certificate = CertificateKind.WILDCARD


class CnOnly(PolicyHost):
    """The name in the subject only."""

    certificate = CertificateKind.CN_ONLY


class Expired(PolicyHost):
    """A certificate whose time is over."""

    certificate = CertificateKind.EXPIRED


class SelfSigned(PolicyHost):
    """A certificate that signs itself."""

    certificate = CertificateKind.SELF_SIGNED


def policy_text(*mx: str, mode: str = "enforce", max_age: int = 604_800, eol: str = "\n") -> str:
    """A policy file with these fields. RFC 8461 §3.2."""
    lines = ("version: STSv1", f"mode: {mode}", *(f"mx: {each}" for each in mx))
    return eol.join((*lines, f"max_age: {max_age}", ""))
