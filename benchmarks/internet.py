"""A simulated Internet in a process of its own: MX hosts with a realistic share of domains.

How concentrated mail is: Liu et al., "Who's Got Your Mail?" (IMC 2021, §5), found the ten largest
providers to receive for about half of the domains, and a long tail of hosts with one domain each.
Here a host's share falls with its rank as in Zipf's law, which gives such a head and tail.
"""

import asyncio
import contextlib
import itertools
import multiprocessing
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import uvloop

from prober.lab.demo import mail_domain
from prober.lab.internet import Lab, LabDomain, LabHost
from prober.lab.personalities.greeting import Silent, Slow
from prober.lab.personalities.scripted import Personality
from prober.lab.personalities.sessions import Throttle
from prober.lab.personalities.sound import Tls12Only, WellConfigured
from prober.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many domains there are, over how many hosts, and how those behave."""

    domains: int
    hosts: int
    concentrated: bool = True  # else each host has as many domains as the next
    latency_s: float = 0.0  # before each greeting
    slow: float = 0.0  # shares of the hosts
    throttling: float = 0.0
    silent: float = 0.0

    def names(self) -> Iterator[str]:
        """The domains."""
        return (f"d{number}.test" for number in range(self.domains))


def plan_domains(plan: Plan) -> list[LabDomain]:
    """The domains of *plan*, each with one MX host; the first hosts have the most domains."""
    hosts = [
        LabHost(name=f"mx.h{number}.test", personality=_personality(plan, number))
        for number in range(plan.hosts)
    ]
    return [
        LabDomain(name=name, mx=((10, hosts[rank]),))
        for name, rank in zip(plan.names(), _ranks(plan), strict=True)
    ]


def _ranks(plan: Plan) -> list[int]:
    """The host of each domain: every host has one, the rest go by Zipf's law."""
    ranks = list(range(min(plan.hosts, plan.domains)))
    rest = plan.domains - len(ranks)
    if not plan.concentrated:
        return ranks + [number % plan.hosts for number in range(rest)]
    weights = [1 / (rank + 1) for rank in range(plan.hosts)]
    total = sum(weights)
    shares = [round(rest * weight / total) for weight in weights]
    spread = itertools.chain.from_iterable([rank] * share for rank, share in enumerate(shares))
    return ranks + list(itertools.islice(itertools.chain(spread, itertools.repeat(0)), rest))


def _personality(plan: Plan, number: int) -> Personality:
    """Troubled hosts stand in the tail: who receives for many answers well."""
    position = 1 - number / plan.hosts
    if position < plan.silent:
        return Silent()
    if position < plan.silent + plan.throttling:
        return Throttle(most=20, window=60.0)
    if position < plan.silent + plan.throttling + plan.slow:
        return Slow(delay=2.0)
    if plan.latency_s:
        return Slow(delay=plan.latency_s)
    return Tls12Only() if number % 4 == 0 else WellConfigured()


@dataclass(frozen=True, slots=True)
class Address:
    """Where the simulated Internet is to be found."""

    settings: Settings
    ca_pem: bytes


@contextlib.contextmanager
def running(plan: Plan) -> Iterator[Settings]:
    """The Internet of *plan*, in its own process; yields settings that see it."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(plan, theirs), daemon=True
    )
    process.start()
    try:
        address: Address = ours.recv()
        with tempfile.NamedTemporaryFile(suffix=".pem") as ca_file:
            Path(ca_file.name).write_bytes(address.ca_pem)
            settings = address.settings
            yield Settings(
                resolvers=settings.resolvers,
                port=settings.port,
                ca_file=Path(ca_file.name),
                allow_private=True,
                ehlo_name=settings.ehlo_name,
            )
    finally:
        ours.close()
        process.join(10)
        process.kill()


def _serve(plan: Plan, pipe: Connection) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve_until_closed(plan, pipe))


async def _serve_until_closed(plan: Plan, pipe: Connection) -> None:
    async with Lab(plan_domains(plan)) as lab:
        pipe.send(Address(lab.settings(), lab.ca_file.read_bytes()))
        with contextlib.suppress(EOFError):
            await asyncio.to_thread(pipe.recv)


__all__ = ["Plan", "mail_domain", "plan_domains", "running"]
