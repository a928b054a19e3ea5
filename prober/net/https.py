"""Fetches one file over HTTPS with aiohttp, through our own resolver and address check.

aiohttp takes 0.1 s to import, so this module is imported only where a file is fetched.
"""

import asyncio
import logging
import ssl
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Final

import aiohttp

from prober.escape import as_ascii, quoted
from prober.net.failures import classify
from prober.net.guarded import BoundedConnector, Bounds, GuardedResolver, StopError, stop
from prober.net.resolver import Resolver
from prober.records import Failure, PolicyFetch, Reason, Step
from prober.rules.identity import name_fault
from prober.settings import Settings
from prober.version import __version__

log = logging.getLogger(__name__)

_SHOWN: Final = 200  # characters of a header
_HEADERS: Final = {
    "Accept": "text/plain, */*;q=0.5",
    "Accept-Encoding": "identity",  # a small compressed body may unpack to a huge one
    "User-Agent": f"smtp-tls-prober/{__version__}",
}


@dataclass(slots=True)
class _Attempt:
    """What one fetch has seen so far, and its current step."""

    host: str
    url: str
    bounds: Bounds
    step: Step = Step.RESOLVE
    http_status: int | None = None
    content_type: str | None = None
    body: str | None = None
    certificate_trusted: bool | None = None

    def facts(self, failure: Failure | None = None) -> PolicyFetch:
        return PolicyFetch(
            url=self.url,
            http_status=self.http_status,
            content_type=self.content_type,
            body=self.body,
            certificate_trusted=self.certificate_trusted,
            failure=failure,
        )


class HttpsClient:
    """Fetches files, each over its own connection: there is nothing to close."""

    def __init__(
        self, settings: Settings, resolver: Resolver, context: ssl.SSLContext | None
    ) -> None:
        self._settings = settings
        self._resolver = resolver
        self._context = context

    async def fetch_from(self, host: str, path: str) -> PolicyFetch:
        """The file at *path* of *host*; ``failure`` says why there is none."""
        port = self._settings.sts_port
        where = host if port == 443 else f"{host}:{port}"
        bounds = Bounds(self._settings)
        attempt = _Attempt(host=host, url=f"https://{where}{path}", bounds=bounds)
        guard = GuardedResolver(self._resolver, self._settings)
        try:
            context = self._require_askable(host)
            await guard.learn(
                host
            )  # before the deadline begins: waiting for a DNS turn is not the host's fault
            async with asyncio.timeout(self._settings.sts_s):
                await self._get(attempt, BoundedConnector(bounds, context, guard))
        except (aiohttp.ClientError, OSError) as error:
            failure = _explain(attempt, error)
            log.debug("no policy from %s: %r", host, failure)
            return attempt.facts(failure)
        return attempt.facts()

    def _require_askable(self, host: str) -> ssl.SSLContext:
        fault = name_fault(host)
        if fault is not None:  # also an address literal: aiohttp connects to it unchecked
            raise stop(Step.RESOLVE, Reason.INVALID_NAME, f"{quoted(host)} {fault}")
        if self._context is None:
            raise stop(Step.HANDSHAKE, Reason.LOCAL, "no trust store to verify the host with")
        return self._context

    async def _get(self, attempt: _Attempt, connector: BoundedConnector) -> None:
        async with self._session(attempt, connector) as session:
            response = await session.get(attempt.url, headers=_HEADERS, allow_redirects=False)
            try:
                await self._take(attempt, response)
            finally:
                response.close()

    def _session(self, attempt: _Attempt, connector: BoundedConnector) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            response_class=_Response,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=None
            ),  # asyncio.timeout bounds the whole fetch
            auto_decompress=False,
            trust_env=False,
            # more than we read, so that aiohttp never pauses reading: uvloop loses paused data
            # once the peer has closed
            read_bufsize=self._settings.sts_policy_bytes,
            trace_configs=[_trace(attempt)],
        )

    async def _take(self, attempt: _Attempt, response: aiohttp.ClientResponse) -> None:
        attempt.http_status = response.status
        attempt.content_type = _header(response, "Content-Type")
        if response.status != 200:  # RFC 8461 §3.3: nothing else is valid
            remark = ": a redirect is not followed" if 300 <= response.status < 400 else ""
            raise stop(Step.POST_TLS, Reason.BAD_REPLY, f"HTTP {response.status}{remark}")
        encoding = _header(response, "Content-Encoding")
        if encoding is not None and {*encoding.lower().split(", ")} != {"identity"}:
            raise stop(
                Step.POST_TLS, Reason.BAD_REPLY, f"Content-Encoding {quoted(encoding)}, unasked"
            )
        body = await self._read(response)
        attempt.body = body.decode("utf-8", "backslashreplace")

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        most = self._settings.sts_policy_bytes
        body = bytearray()
        too_long = (response.content_length or 0) > most
        while not too_long and (part := await response.content.read(most + 1 - len(body))):
            body += part
            too_long = len(body) > most
        if too_long:
            raise stop(Step.POST_TLS, Reason.LIMIT, f"longer than {most} bytes")
        return bytes(body)


class _Response(aiohttp.ClientResponse):
    """A response that aborts its connection when it is closed.

    Otherwise the event loop waits up to 30 s for the peer's close_notify, with the socket open.
    ``start`` is where aiohttp passes the connection.
    """

    _wire: asyncio.Transport | None = None

    async def start(self, connection: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        """Begin to read; remember the transport."""
        self._wire = connection.transport
        return await super().start(connection)

    def close(self) -> None:
        """Close the response and abort the connection."""
        super().close()
        if self._wire is not None:
            self._wire.abort()


def _trace(attempt: _Attempt) -> aiohttp.TraceConfig:
    """Records in *attempt* how far aiohttp got, since its time-outs do not say."""

    async def resolved(
        _session: aiohttp.ClientSession,
        _context: SimpleNamespace,
        _params: aiohttp.TraceDnsResolveHostEndParams,
    ) -> None:
        attempt.step = Step.CONNECT

    async def connected(
        _session: aiohttp.ClientSession,
        _context: SimpleNamespace,
        _params: aiohttp.TraceConnectionCreateEndParams,
    ) -> None:
        attempt.step = Step.POST_TLS
        attempt.certificate_trusted = True

    trace = aiohttp.TraceConfig()
    trace.on_dns_resolvehost_end.append(resolved)
    trace.on_connection_create_end.append(connected)
    return trace


def _header(response: aiohttp.ClientResponse, name: str) -> str | None:
    """The value of a header; several of one name are joined (RFC 9110 §5.3)."""
    value = ", ".join(response.headers.getall(name, ()))
    return as_ascii(value.encode("utf-8", "surrogateescape"))[:_SHOWN] if value else None


def _explain(attempt: _Attempt, error: aiohttp.ClientError | OSError) -> Failure:
    """The failure behind *error*. aiohttp wraps network errors in its own."""
    if attempt.bounds.passed is not None:
        return attempt.bounds.passed
    match error:
        case StopError(failure=failure):
            return failure
        case aiohttp.ClientConnectorCertificateError(certificate_error=cause):
            attempt.certificate_trusted = False
            detail = getattr(cause, "verify_message", None) or str(cause)
            return Failure(step=Step.HANDSHAKE, reason=Reason.TLS_ERROR, detail=detail[:_SHOWN])
        case aiohttp.ClientConnectorError(os_error=StopError(failure=failure)):
            return failure
        case aiohttp.ClientConnectorError(os_error=cause):
            return _on_wire(attempt.step, cause)
        case aiohttp.ServerDisconnectedError():
            return Failure(step=attempt.step, reason=Reason.CLOSED)
        case OSError():
            return _on_wire(attempt.step, error)
        case _:  # ClientResponseError, ClientPayloadError: their texts quote the peer
            detail = "the body broke off" if attempt.http_status else "no HTTP reply"
            return Failure(step=attempt.step, reason=Reason.BAD_REPLY, detail=detail)


def _on_wire(step: Step, error: OSError) -> Failure:
    cause = error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error
    if isinstance(cause, ssl.SSLError):
        text = (cause.reason or "").replace("_", " ").lower() or None
        step = Step.HANDSHAKE if step is Step.CONNECT else step
        return Failure(step=step, reason=Reason.TLS_ERROR, detail=text)
    if cause.errno is None and not isinstance(cause, TimeoutError):
        reason = Reason.RESET if isinstance(cause, ConnectionError) else Reason.UNREACHABLE
        return Failure(step=step, reason=reason, detail=str(cause)[:_SHOWN] or None)
    return classify(step, cause)
