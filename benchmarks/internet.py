"""The simulated Internet in two processes of its own: its DNS, and its MX hosts."""

import asyncio
import contextlib
import multiprocessing
import resource
import socket
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from time import process_time
from typing import Any, Final, TypeVar

import uvloop

from benchmarks.mail import MailHosts
from benchmarks.nameserver import Names, NameserverProtocol
from benchmarks.plan import Plan
from prober.lab.dns import RECEIVE_BYTES
from prober.lab.internet import EHLO_NAME
from prober.lab.listener import bind
from prober.settings import Settings

T = TypeVar("T")
Serve = Callable[[Plan, Connection], Coroutine[Any, Any, None]]
END_S: Final = 10.0  # that a process may take to end


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one of the processes has done since it started."""

    served: int  # questions, or sessions begun
    open: int = 0  # sessions
    cpu_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where one of the processes is to be found."""

    port: int
    ca_pem: bytes = b""


class Internet:
    """The running Internet of a plan, as those who probe it see it."""

    def __init__(self, plan: Plan, names: Connection, mail: Connection, ca_file: Path) -> None:
        self._names, self._mail = names, mail
        nameserver: Place = names.recv()
        mail_hosts: Place = mail.recv()
        ca_file.write_bytes(mail_hosts.ca_pem)
        self.plan = plan
        self.settings = Settings(
            resolvers=(f"127.0.0.1:{nameserver.port}",),
            port=mail_hosts.port,
            ca_file=ca_file,
            allow_private=True,
            ehlo_name=EHLO_NAME,
        )

    def dns_load(self) -> Load:
        """What the DNS has done so far."""
        return _ask_load(self._names)

    def mail_load(self) -> Load:
        """What the MX hosts have done so far."""
        return _ask_load(self._mail)


@contextlib.contextmanager
def running(plan: Plan) -> Iterator[Internet]:
    """The Internet of *plan*; its processes end with the context."""
    with (
        _process(_serve_names, plan) as names,
        _process(_serve_mail, plan) as mail,
        tempfile.TemporaryDirectory(prefix="probe-benchmark-") as folder,
    ):
        yield Internet(plan, names, mail, Path(folder) / "ca.pem")


def raise_file_limit() -> None:
    """As many open files as this process may have: each session is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run *main* as the command line runs a scan: under uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


@contextlib.contextmanager
def _process(serve: Serve, plan: Plan) -> Iterator[Connection]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run_server, args=(serve, plan, theirs), daemon=True)
    process.start()
    theirs.close()  # else its end would not be heard
    try:
        yield ours
    finally:
        ours.close()
        process.join(END_S)
        process.kill()


def _run_server(serve: Serve, plan: Plan, pipe: Connection) -> None:
    raise_file_limit()
    run(serve(plan, pipe))


async def _serve_names(plan: Plan, pipe: Connection) -> None:
    names = Names(plan)
    sock = bind("127.0.0.1", 0, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    pipe.send(Place(sock.getsockname()[1]))
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: NameserverProtocol(names.answer, plan.round_trip_s), sock=sock
    )
    await _tell(pipe, lambda: Load(served=names.questions, cpu_s=process_time()))
    transport.abort()


async def _serve_mail(plan: Plan, pipe: Connection) -> None:
    hosts = MailHosts(plan)
    await hosts.start()
    pipe.send(Place(hosts.port, hosts.ca_pem))
    await _tell(pipe, lambda: Load(served=hosts.sessions, open=hosts.open, cpu_s=process_time()))
    await hosts.aclose()


async def _tell(pipe: Connection, load: Callable[[], Load]) -> None:
    """Say *load* whenever the other end asks, until it closes."""
    loop = asyncio.get_running_loop()
    closed = loop.create_future()

    def asked() -> None:
        try:
            pipe.recv()
            pipe.send(load())
        except (EOFError, OSError):
            loop.remove_reader(pipe.fileno())
            closed.set_result(None)

    loop.add_reader(pipe.fileno(), asked)
    await closed


def _ask_load(pipe: Connection) -> Load:
    pipe.send(None)
    load: Load = pipe.recv()
    return load
