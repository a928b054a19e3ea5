"""What DNSSEC validated here costs for each domain, compared with ``--dnssec off``.

Measured: the questions, and the CPU time of this process, of the resolver alone, for all that a
domain with one MX host is asked for: MX, A, AAAA, the two TXT names, and TLSA if its zone is
signed. The lab's resolver answers, in a process of its own, from zones with one ECDSA P-256 key
each and NSEC; unsigned domains are below an unsigned delegation of the root. Each run has a new
resolver, so that keys are asked for and verified as in a scan; the figures are the medians of
alternating runs. A first run warms up.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from time import process_time
from typing import Final

import dns.name

from benchmarks.figures import Figure, Scale
from benchmarks.internet import run
from prober.lab.dns import LabDns
from prober.lab.signed_zones import Key
from prober.net.resolver import Resolver
from prober.settings import Pace, Settings, Validation

AT_ONCE: Final = 20  # domains
KINDS: Final = {"unsigned": 1.0, "signed": 3.0}  # and the most ms of CPU more for one
NO_LIMIT: Final = 1e6  # DNS questions a second
_TLSA: Final = f"3 1 1 {'ab' * 32}"


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one run, for each domain."""

    cpu_ms: float
    questions: float


def measure(scale: Scale) -> Iterator[Figure]:
    """For unsigned and for signed domains: questions and CPU, without and with validation."""
    domains = scale.of(300, 20)
    with _serving(domains) as (settings, pipe):
        for kind, most in KINDS.items():
            yield from _measure(kind, most, _Runs(settings, pipe, kind, domains), scale.of(9, 1))


def _measure(kind: str, most: float, runs: "_Runs", rounds: int) -> Iterator[Figure]:
    runs.cost(Validation.OFF)
    runs.cost(Validation.LOCAL)
    pairs = [(runs.cost(Validation.OFF), runs.cost(Validation.LOCAL)) for _ in range(rounds)]
    off, local = pairs[0]
    yield Figure(what=f"{kind}: questions, off", value=off.questions)
    yield Figure(what=f"{kind}: questions, local", value=local.questions)
    off_ms = median(off.cpu_ms for off, _ in pairs)
    yield Figure(what=f"{kind}: off", value=off_ms, unit="ms CPU")
    yield Figure(
        what=f"{kind}: local, more than off",
        value=median(local.cpu_ms - off.cpu_ms for off, local in pairs),
        unit="ms CPU",
        most=most,
    )
    ratio = median(local.cpu_ms / off.cpu_ms for off, local in pairs)
    yield Figure(what=f"{kind}: local : off", value=ratio)


@dataclass(frozen=True, slots=True)
class _Runs:
    settings: Settings
    pipe: Connection
    kind: str
    domains: int

    def cost(self, who: Validation) -> Cost:
        """The cost of a run of all domains of the kind."""
        settings = replace(self.settings, dnssec=who)
        before = _questions(self.pipe)
        started = process_time()
        run(_ask_all(settings, self.kind, self.domains))
        cpu_s = process_time() - started
        asked = _questions(self.pipe) - before
        return Cost(cpu_s * 1000 / self.domains, asked / self.domains)


async def _ask_all(settings: Settings, kind: str, domains: int) -> None:
    turns = asyncio.Semaphore(AT_ONCE)
    resolver = Resolver(settings)

    async def ask(number: int) -> None:
        async with turns:
            with resolver.for_domain(resolver.new_domain()):
                await _ask_domain(resolver, f"{kind}{number}.test", is_signed=kind == "signed")

    async with contextlib.aclosing(resolver), asyncio.TaskGroup() as group:
        for number in range(domains):
            group.create_task(ask(number))


async def _ask_domain(resolver: Resolver, name: str, *, is_signed: bool) -> None:
    texts = [resolver.query(f"{each}.{name}.", "TXT") for each in ("_mta-sts", "_smtp._tls")]
    await resolver.query(f"{name}.", "MX")
    hosts = [resolver.query(f"mx.{name}.", each) for each in ("A", "AAAA")]
    await asyncio.gather(*texts, *hosts)
    if is_signed:
        await resolver.query(f"_25._tcp.mx.{name}.", "TLSA")


@contextlib.contextmanager
def _serving(domains: int) -> Iterator[tuple[Settings, Connection]]:
    """A resolver that has so many domains of each kind: settings for it, and a way to ask it."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(domains, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        port, anchor = ours.recv()
        with tempfile.TemporaryDirectory(prefix="probe-benchmark-") as folder:
            file = Path(folder) / "root.ds"
            file.write_text(anchor)
            yield (
                Settings(
                    resolvers=(f"127.0.0.1:{port}",),
                    trust_anchor=file,
                    pace=Pace(dns_per_s=NO_LIMIT),
                ),
                ours,
            )
    finally:
        ours.close()
        process.join(10)
        process.kill()


def _questions(pipe: Connection) -> int:
    pipe.send(None)
    count: int = pipe.recv()
    return count


def _serve(domains: int, pipe: Connection) -> None:
    asyncio.run(_serve_until_closed(domains, pipe))


async def _serve_until_closed(domains: int, pipe: Connection) -> None:
    signed = [dns.name.from_text(f"signed{number}.test.") for number in range(domains)]
    keys = {name: Key.new() for name in (dns.name.root, *signed)}
    async with LabDns(keys=keys) as server:
        for kind in KINDS:
            for number in range(domains):
                name = f"{kind}{number}.test"
                server.add(name, "MX", f"10 mx.{name}.")
                server.add(f"mx.{name}", "A", "192.0.2.1")
                if kind == "signed":
                    server.add(f"_25._tcp.mx.{name}", "TLSA", _TLSA)
        pipe.send((server.port, f". IN DS {keys[dns.name.root].ds(dns.name.root)}\n"))
        loop = asyncio.get_running_loop()
        with contextlib.suppress(EOFError, OSError):
            while True:
                await loop.run_in_executor(None, pipe.recv)
                pipe.send(server.queries.total())
