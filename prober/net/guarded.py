"""Connects aiohttp through our resolver and address check, and bounds what the server may send.

aiohttp asks no resolver for an address literal, so callers must refuse literals first.
"""

import asyncio
import functools
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader

from prober.net.failures import NoRouteError, classify
from prober.net.resolver import Resolver
from prober.net.route import require_route
from prober.records import Failure, Reason, Step
from prober.rules.address import may_contact
from prober.settings import Settings

PIECE_SIZE: Final = 4096  # parsed at once: 160 messages `100 Continue`
READ_SIZE: Final = 16_384  # decrypted at once, so that other tasks can run


class StopError(OSError):  # aiohttp expects an OSError from a resolver
    """The fetch stops here; *failure* says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


def stop(step: Step, reason: Reason, detail: str | None) -> StopError:
    """The error that has this failure."""
    return StopError(Failure(step=step, reason=reason, detail=detail))


class GuardedResolver(AbstractResolver):
    """Gives aiohttp only those addresses of a host that may be contacted.

    A host given to ``learn`` is not looked up again.
    """

    def __init__(self, resolver: Resolver, settings: Settings) -> None:
        self._resolver = resolver
        self._settings = settings
        self._found: dict[str, list[str]] = {}

    async def learn(self, host: str) -> None:
        """Look *host* up. Raises ``StopError`` where it has no address."""
        self._found[host] = await self._look_up(host)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses to try. Raises ``StopError`` where there is none."""
        found = self._found.get(host) or await self._look_up(host)
        allowed = [each for each in found if self._may_contact(each)][: self._settings.addresses]
        if not allowed:
            detail = f"{host} is at {', '.join(found[:3])}; --allow-private contacts it"
            raise stop(Step.CONNECT, Reason.PRIVATE_ADDRESS, detail)
        no_route = {each: error for each in allowed if (error := _no_route(each, port))}
        if len(no_route) == len(allowed):
            raise StopError(classify(Step.CONNECT, no_route[allowed[0]]))
        return [_result(host, each, port) for each in allowed if each not in no_route]

    async def close(self) -> None:
        """Nothing to close: the run owns the resolver."""

    def _may_contact(self, address: str) -> bool:
        return may_contact(address, allow_private=self._settings.allow_private)

    async def _look_up(self, host: str) -> list[str]:
        """The addresses of both families. A family whose look-up fails does not hide the other."""
        ipv4, ipv6 = await asyncio.gather(
            self._resolver.query(host, "A"), self._resolver.query(host, "AAAA")
        )
        answers = [ipv4] * self._settings.use_ipv4 + [ipv6] * self._settings.use_ipv6
        found = [record.to_text() for answer in answers for record in answer.records]
        if found:
            return found
        for answer in answers:
            if answer.reason is not None:
                raise stop(Step.RESOLVE, answer.reason, answer.detail)
        if ipv4.records:
            raise stop(Step.CONNECT, Reason.NO_IPV4_HERE, "--ipv6-only")
        if ipv6.records:
            raise stop(Step.CONNECT, Reason.NO_IPV6_HERE, "--ipv4-only")
        raise stop(Step.RESOLVE, Reason.UNREACHABLE, f"{host} has no address")


def _no_route(address: str, port: int) -> NoRouteError | None:
    """Why this machine has no route to *address*. Other errors show when connecting."""
    try:
        require_route(address, port)
    except NoRouteError as error:
        return error
    except OSError:
        return None
    return None


def _result(host: str, address: str, port: int) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=socket.AF_INET6 if ":" in address else socket.AF_INET,
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_NUMERICHOST,
    )


class Bounds:
    """How much one fetch may read. *passed* is the limit that ended it."""

    def __init__(self, settings: Settings) -> None:
        self.header_bytes = settings.sts_header_bytes
        self.fetch_bytes = settings.sts_fetch_bytes
        self.passed: Failure | None = None


def _passed(step: Step, detail: str) -> Failure:
    return Failure(step=step, reason=Reason.LIMIT, detail=detail)


class BoundedConnector(aiohttp.TCPConnector):
    """Connects so that *bounds* hold for everything that the server sends.

    aiohttp has no limit for interim responses before the final one (RFC 9110 §15.2), blank lines
    and chunk extensions; OpenSSL has none for key updates and session tickets.
    """

    def __init__(self, bounds: Bounds, context: ssl.SSLContext, resolver: GuardedResolver) -> None:
        super().__init__(ssl=context, resolver=resolver, use_dns_cache=False, force_close=True)
        self._bounds = bounds
        self._context = context
        # aiohttp has no public way to bound what its parser takes
        self._factory = functools.partial(_bounded, bounds, loop=self._loop)

    async def _wrap_create_connection(
        self,
        *args: Callable[[], ResponseHandler],
        req: aiohttp.ClientRequest,
        server_hostname: str | None = None,
        **how: Any,
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        """As in aiohttp, with a byte counter between TCP and TLS, for which aiohttp has no hook."""
        if self._bounds.passed is not None:  # aiohttp retries where a connection was closed
            raise StopError(self._bounds.passed)
        handler = args[0]()
        how["ssl"] = None
        wire, _ = await super()._wrap_create_connection(asyncio.Protocol, req=req, **how)
        try:
            transport = await self._start_tls(wire, handler, server_hostname)
        except ssl.CertificateError as error:
            raise aiohttp.ClientConnectorCertificateError(req.connection_key, error) from error
        except ssl.SSLError as error:
            raise aiohttp.ClientConnectorSSLError(req.connection_key, error) from error
        except OSError as error:
            raise aiohttp.ClientConnectorError(req.connection_key, error) from error
        handler.connection_made(transport)
        return transport, handler

    async def _start_tls(
        self, wire: asyncio.Transport, handler: ResponseHandler, name: str | None
    ) -> asyncio.Transport:
        """Do the TLS handshake over *wire*. Close it if that fails."""
        shaking = asyncio.ensure_future(
            self._loop.start_tls(wire, handler, self._context, server_hostname=name)
        )
        transport = None
        try:
            await asyncio.sleep(0)  # by then the TLS protocol is in place
            wire.set_protocol(_Meter(wire, handler, self._bounds))
            transport = await shaking
        finally:
            shaking.cancel()
            if transport is None:
                wire.abort()
        if transport is None:
            raise ConnectionResetError("closed in the handshake")
        return transport


class _Meter(asyncio.BufferedProtocol):
    """Counts the bytes on their way to a TLS protocol; aborts the connection at the bound."""

    def __init__(self, wire: asyncio.Transport, handler: ResponseHandler, bounds: Bounds) -> None:
        self._wire = wire
        self._handler = handler
        self._bounds = bounds
        self._left = bounds.fetch_bytes
        self._tls: Any = wire.get_protocol()  # asyncio's or uvloop's; they share no class

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(self._tls.get_buffer(sizehint))[:READ_SIZE]

    def buffer_updated(self, nbytes: int) -> None:
        self._left -= nbytes
        if self._left >= 0:
            self._tls.buffer_updated(nbytes)
            return
        step = Step.HANDSHAKE if self._handler.transport is None else Step.POST_TLS
        self._bounds.passed = _passed(step, f"more than {self._bounds.fetch_bytes} bytes in all")
        self._wire.abort()

    def eof_received(self) -> bool | None:
        keep_open: bool | None = self._tls.eof_received()
        return keep_open

    def connection_lost(self, exc: Exception | None) -> None:
        self._tls.connection_lost(exc)

    def pause_writing(self) -> None:
        self._tls.pause_writing()

    def resume_writing(self) -> None:
        self._tls.resume_writing()


def _bounded(bounds: Bounds, loop: asyncio.AbstractEventLoop) -> ResponseHandler:
    return _BoundedHandler(bounds, loop)


class _BoundedHandler(ResponseHandler):
    """aiohttp's protocol, with a bound on the bytes before the end of the final header."""

    def __init__(self, bounds: Bounds, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._bounds = bounds
        self._left: int | None = bounds.header_bytes  # None: the final header is there

    def data_received(self, data: bytes) -> None:
        start = 0
        while self._left is not None and start < len(data):
            piece = data[start : start + PIECE_SIZE]
            start += len(piece)
            self._left -= len(piece)
            super().data_received(piece)
            if self._left is not None and self._left < 0:
                most = self._bounds.header_bytes
                self._bounds.passed = _passed(Step.POST_TLS, f"more than {most} bytes of headers")
                self.abort()
                return
        if start < len(data):
            super().data_received(data[start:])

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        code = data[0].code
        if not 100 <= code < 200 or code == 101:  # 101: no interim response, RFC 9110 §15.2.2
            self._left = None
        super().feed_data(data, size)
