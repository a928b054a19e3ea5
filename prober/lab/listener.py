"""A TCP listener whose sessions end with it, whatever their clients are doing."""

import asyncio
import functools
import socket
from collections.abc import Awaitable, Callable, Iterable

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

BACKLOG = 4096  # benchmarks open thousands of sessions at once
OUT_OF_FILES_S = 0.05  # how long accept() rests when this process has no file left


def bind(
    address: str,
    port: int,
    kind: socket.SocketKind = socket.SOCK_STREAM,
    *,
    reuse: bool = False,
) -> socket.socket:
    """A socket on *address*; port 0 takes a free one. Raises OSError when the port is taken.

    With ``reuse``, connections that linger from an earlier run do not count.
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
    """Accepts on any number of sockets and runs ``serve`` once for each connection.

    The connection is aborted after ``serve``, which flushes what must arrive before it returns.
    That a client has gone (OSError) ends its session; anything else that ``serve`` raises is a
    defect of ours, which ``aclose`` brings to light.
    """

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._sockets: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._sessions: set[asyncio.Task[None]] = set()
        self._defects: list[Exception] = []

    def listen(self, sock: socket.socket) -> None:
        """Begin to accept on *sock*, which is bound already. Raises OSError when it is taken."""
        self.hold(sock)
        sock.listen(BACKLOG)
        self._accepting.append(asyncio.create_task(self._accept(sock)))

    def hold(self, sock: socket.socket) -> None:
        """Keep *sock* without listening: its port refuses connections and is nobody else's."""
        self._sockets.append(sock)

    async def aclose(self) -> None:
        """Accept no more, cancel every session, wait for its end. Raises what went wrong."""
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
                await asyncio.sleep(OUT_OF_FILES_S)
                continue
            session = loop.create_task(self._session(connection))
            self._sessions.add(session)
            session.add_done_callback(self._sessions.discard)
            # cancelled before its first step, a session would leave its connection open
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
