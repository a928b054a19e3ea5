"""A TCP listener that ends all its sessions when it is closed."""

import asyncio
import functools
import socket
from collections.abc import Awaitable, Callable, Iterable

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

BACKLOG = 4096  # benchmarks open thousands of sessions at once
ACCEPT_RETRY_S = 0.05  # wait before accept() again when this process has no file descriptor left


def bind(
    address: str,
    port: int,
    kind: socket.SocketKind = socket.SOCK_STREAM,
    *,
    reuse: bool = False,
) -> socket.socket:
    """A socket bound to *address*; port 0 takes a free port. Raises OSError if the port is taken.

    With *reuse*, connections in TIME_WAIT from an earlier run do not block the port.
    """
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    return sock


class Listener:
    """Accepts on any number of sockets, and runs ``serve`` once per connection.

    The connection is aborted after ``serve`` returns, so ``serve`` must flush what must arrive. An
    OSError means that the client has gone, and only ends the session. Any other exception is a
    defect of the lab, and ``aclose`` raises it.
    """

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._sockets: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._sessions: set[asyncio.Task[None]] = set()
        self._defects: list[Exception] = []

    def listen(self, sock: socket.socket) -> None:
        """Accept connections on *sock*, which is bound. Raises OSError if the port is taken."""
        self.hold(sock)
        sock.listen(BACKLOG)
        self._accepting.append(asyncio.create_task(self._accept(sock)))

    def hold(self, sock: socket.socket) -> None:
        """Keep *sock* bound without listening: its port refuses connections."""
        self._sockets.append(sock)

    async def aclose(self) -> None:
        """Stop accepting, cancel all sessions, and wait for them. Raises the defects of the lab."""
        await _cancel(self._accepting)
        for sock in self._sockets:
            sock.close()
        await _cancel(self._sessions)
        await asyncio.sleep(0)  # aborted transports close their sockets one turn later
        if self._defects:
            raise ExceptionGroup("defects of the lab", self._defects)

    async def _accept(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(sock)
            except OSError:
                await asyncio.sleep(ACCEPT_RETRY_S)
                continue
            session = loop.create_task(self._session(connection))
            self._sessions.add(session)
            session.add_done_callback(self._sessions.discard)
            # a session that is cancelled before its first step does not close its connection
            session.add_done_callback(functools.partial(_close, connection))

    async def _session(self, connection: socket.socket) -> None:
        try:
            reader, writer = await asyncio.open_connection(sock=connection)
            try:
                await self._serve(reader, writer)
            finally:
                writer.transport.abort()
        except OSError:
            pass
        except Exception as exc:
            self._defects.append(exc)


def _close(connection: socket.socket, _: asyncio.Task[None]) -> None:
    connection.close()


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    pending = list(tasks)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
