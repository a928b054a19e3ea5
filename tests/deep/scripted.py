"""A server that has one cipher suite only, as far as its first flight: no library has them all."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from prober.net.tls_names import SUITES
from tests.net.test_client_hello import REFUSED, certificate, hello
from tests.net.test_key_exchange import dh_params, message, record

_SUITES: Final = {name: number for number, name in SUITES.items()}
_RANDOM_END: Final = 5 + 4 + 2 + 32  # of a record with a ClientHello: RFC 5246 §7.4.1.2
_DONE: Final = message(14)


def _offered(raw: bytes) -> tuple[int, set[int], bool]:
    """The version and the suites of a ClientHello, and whether extensions follow."""
    suites = _RANDOM_END + 1 + raw[_RANDOM_END]
    end = suites + 2 + int.from_bytes(raw[suites : suites + 2])
    numbers = {int.from_bytes(raw[at : at + 2]) for at in range(suites + 2, end, 2)}
    return int.from_bytes(raw[9:11]), numbers, end + 1 + raw[end] < len(raw)


@contextlib.asynccontextmanager
async def scripted(
    suite: str, version: int, der: bytes, *, takes_extensions: bool = True
) -> AsyncIterator[int]:
    """Serve with the suite *suite* in *version*; gives the port. Refuses all else by an alert."""
    number = _SUITES[suite]
    flight = hello(number, version=version)
    if "_anon_" not in suite:
        flight += certificate(der)
    if suite.startswith(("TLS_DHE_", "TLS_DH_anon_")):
        flight += message(12, dh_params())
    answer = record(flight + _DONE)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            header = await reader.readexactly(5)
            raw = header + await reader.readexactly(int.from_bytes(header[3:]))
            highest, suites, has_extensions = _offered(raw)
            accepts = highest >= version and number in suites
            accepts = accepts and (takes_extensions or not has_extensions)
            writer.write(answer if accepts else REFUSED)
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
