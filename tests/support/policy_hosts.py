"""Policy hosts that differ in one thing from what RFC 8461 §3.3 asks of them."""

import gzip
from dataclasses import dataclass

from prober.lab.certificates import CertificateKind
from prober.lab.peer import Peer
from prober.lab.policy_host import RECORD_BYTES, PolicyHost
from prober.lab.tls import NEEDS_CLIENT, TLS11_ONLY

DRIP_S = 0.02


class NotFound(PolicyHost):
    """Answers 404."""

    status = "404 Not Found"


class Broken(PolicyHost):
    """Answers 500."""

    status = "500 Internal Server Error"


@dataclass(frozen=True)
class Redirects(PolicyHost):
    """Redirects with 301 to *location*."""

    location: str = ""
    status = "301 Moved Permanently"

    def begin(self, peer: Peer, *headers: str) -> None:
        super().begin(peer, f"Location: {self.location}", *headers)


class SetsCookie(PolicyHost):
    """Sends a cookie with the policy."""

    headers = (*PolicyHost.headers, "Set-Cookie: track=1; Path=/")


class Html(PolicyHost):
    """Sends the policy as HTML."""

    headers = ("Content-Type: text/html",)


class NoMediaType(PolicyHost):
    """Sends the policy without a Content-Type."""

    headers = ()


class Gzip(PolicyHost):
    """Sends gzip that was not requested: 2 kB that unpack to 2 MB."""

    headers = (*PolicyHost.headers, "Content-Encoding: gzip")

    def body(self) -> bytes:
        return gzip.compress(bytes(2_000_000))


class TooLong(PolicyHost):
    """Sends a body of 64 KiB plus one byte, with its Content-Length."""

    def body(self) -> bytes:
        return b"x" * 65_537


class Longest(PolicyHost):
    """Sends a policy of exactly 64 KiB, filled with an unknown field."""

    def body(self) -> bytes:
        policy = super().body()
        return policy + b"filler: " + b"x" * (65_536 - len(policy) - len(b"filler: "))


class Endless(PolicyHost):
    """Sends a body without an end, as fast as it can."""

    async def reply(self, peer: Peer) -> None:
        self.begin(peer)
        while True:
            peer.send(b"x" * RECORD_BYTES)
            await peer.drain()


class EndlessHeaders(PolicyHost):
    """Sends headers without an end."""

    async def reply(self, peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            peer.send(b"X-Filler: x\r\n" * 100)
            await peer.drain()


@dataclass(frozen=True)
class Repeats(PolicyHost):
    """Sends *piece* without an end in place of a status line."""

    piece: bytes = b"\r\n"

    async def reply(self, peer: Peer) -> None:
        while True:
            peer.send(self.piece * (RECORD_BYTES // len(self.piece)))
            await peer.drain()


class ChunkExtensions(PolicyHost):
    """Sends chunks of one byte with 1 kB of extension, without an end. RFC 9112 §7.1.1."""

    async def reply(self, peer: Peer) -> None:
        self.begin(peer, "Transfer-Encoding: chunked")
        while True:
            peer.send((b"1;" + b"x" * 1024 + b"\r\nx\r\n") * 15)
            await peer.drain()


class EncodedTwice(PolicyHost):
    """Sends two Content-Encoding headers; the first says `identity`."""

    headers = (*PolicyHost.headers, "Content-Encoding: identity", "Content-Encoding: gzip")


class Drips(PolicyHost):
    """Sends the body one byte at a time, slowly."""

    async def reply(self, peer: Peer) -> None:
        self.begin(peer, "Content-Length: 60000")
        while True:
            peer.send(b"x")
            await peer.pause(DRIP_S)


class Truncated(PolicyHost):
    """Sends half of the body, then closes."""

    async def reply(self, peer: Peer) -> None:
        self.begin(peer, "Content-Length: 1000")
        peer.send(b"version: STSv1\n")


class Garbage(PolicyHost):
    """Sends something that is not HTTP."""

    async def reply(self, peer: Peer) -> None:
        peer.send(b"220 mail ESMTP\r\n")


class HangsUp(PolicyHost):
    """Closes after the request."""

    async def reply(self, peer: Peer) -> None:
        peer.close()


class Resets(PolicyHost):
    """Resets after the request."""

    async def reply(self, peer: Peer) -> None:
        peer.reset()


class Mute(PolicyHost):
    """Does not answer the request."""

    async def reply(self, peer: Peer) -> None:
        await peer.silence()


class MuteAtHandshake(PolicyHost):
    """Does not answer the ClientHello."""

    async def converse(self, peer: Peer) -> None:
        await peer.silence()


class InClear(PolicyHost):
    """Serves HTTP without TLS."""

    async def converse(self, peer: Peer) -> None:
        await self.reply(peer)


class NotListening(PolicyHost):
    """Refuses TCP connections."""

    listens = False


class OldTls(PolicyHost):
    """Supports nothing newer than TLS 1.1. RFC 8461 §7.2."""

    tls = TLS11_ONLY


class RequiresClientCertificate(PolicyHost):
    """Wants a client certificate."""

    tls = NEEDS_CLIENT


class WrongName(PolicyHost):
    """Has a certificate for another host."""

    certificate = CertificateKind.WRONG_NAME


class Wildcard(PolicyHost):
    """Has a wildcard certificate, which is valid. RFC 8461 §3.3."""

    certificate = CertificateKind.WILDCARD


class CnOnly(PolicyHost):
    """Has a certificate with the name in the subject only."""

    certificate = CertificateKind.CN_ONLY


class Expired(PolicyHost):
    """Has an expired certificate."""

    certificate = CertificateKind.EXPIRED


class SelfSigned(PolicyHost):
    """Has a self-signed certificate."""

    certificate = CertificateKind.SELF_SIGNED


def policy_text(*mx: str, mode: str = "enforce", max_age: int = 604_800, eol: str = "\n") -> str:
    """The text of a policy file with these fields. RFC 8461 §3.2."""
    lines = ("version: STSv1", f"mode: {mode}", *(f"mx: {each}" for each in mx))
    return eol.join((*lines, f"max_age: {max_age}", ""))
