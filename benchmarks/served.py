"""The simulated Internet itself: what it can serve, so that nobody measures it by mistake.

Measured: a client on a plain socket keeps 64 questions on their way for some seconds; the figures
are answers a second and the CPU that the DNS process spent on each. The MX hosts' CPU a session is
among the figures of the endpoint.
"""

import socket
from collections.abc import Iterator
from time import perf_counter
from typing import Final

from benchmarks.figures import Figure, Scale
from benchmarks.internet import running
from benchmarks.plan import Plan

ON_THEIR_WAY: Final = 64  # that a socket's buffer has room for
WAIT_S: Final = 1.0  # for an answer; on loopback none should be lost
ENOUGH: Final = 20_000.0  # questions a second: ten times what a prober asks


def measure(scale: Scale) -> Iterator[Figure]:
    """Answers a second, and their price."""
    questions = scale.of(200_000, 20_000)
    with running(Plan(domains=questions)) as internet:
        address, _, port = internet.settings.resolvers[0].partition(":")
        before = internet.dns_load()
        started = perf_counter()
        _ask(address, int(port), questions)
        wall_s = perf_counter() - started
        after = internet.dns_load()
    cpu_s = (after.cpu_s - before.cpu_s) / (after.served - before.served)
    yield Figure(what="DNS answers a second, at the most", value=1 / cpu_s, least=ENOUGH)
    yield Figure(what="DNS answers a second, this client", value=questions / wall_s)
    yield Figure(what="a DNS answer", value=cpu_s * 1e6, unit="µs CPU")


def _ask(address: str, port: int, questions: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((address, port))
        sock.settimeout(WAIT_S)
        for number in range(questions + ON_THEIR_WAY):
            if number < questions:
                sock.send(_query(number))
            if number >= ON_THEIR_WAY:
                sock.recv(512)


def _query(domain: int) -> bytes:
    """An MX question as the prober asks it: RD and AD, EDNS with DO."""
    label = f"d{domain}".encode()
    name = bytes([len(label)]) + label + b"\x04test\0"
    head = (domain & 0xFFFF).to_bytes(2, "big") + bytes.fromhex("01200001000000000001")
    return head + name + bytes.fromhex("000f000100002904d0000080000000")
