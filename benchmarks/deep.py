"""What ``--deep`` costs: connections and CPU per endpoint, as a multiple of the main session.

Measured: the CPU time of this process while it observes 1,000 hosts through a vantage, as in the
benchmark of the endpoint (``--sni-only``, 400 at once, every host called before), first without
``--deep`` and then with it, in rounds; without a wait between the sessions with one address, which
takes time and no CPU. The hosts have TLS 1.2 and 1.3 and an ECDSA certificate, so every question
but that of a profile's groups is asked. The figures are medians.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from statistics import median
from time import process_time
from typing import Final

from benchmarks.figures import Figure, Scale
from benchmarks.internet import Internet, run, running
from benchmarks.plan import Plan, Spread
from benchmarks.targets import target_of
from prober.settings import Pace
from prober.vantage import Vantage

HOSTS: Final = 1_000
AT_ONCE: Final = 400
UNIT: Final = "main sessions"


def measure(scale: Scale) -> Iterator[Figure]:
    """Connections and CPU of the further questions, beside those of the main session."""
    hosts, rounds = scale.of(HOSTS, 50), scale.of(3, 1)
    mains, deeps, connections = [], [], 0.0
    with running(Plan(domains=hosts, spread=Spread.UNIQUE)) as internet:
        run(_observe_all(internet, hosts, deep=False))  # makes the certificates
        for _ in range(rounds):
            mains.append(run(_observe_all(internet, hosts, deep=False)) / hosts)
            before = internet.mail_load().served
            deeps.append(run(_observe_all(internet, hosts, deep=True)) / hosts)
            connections = (internet.mail_load().served - before) / hosts - 1
    ratios = [(deep - main) / main for main, deep in zip(mains, deeps, strict=True)]
    yield Figure(what="endpoint, the main session", value=median(mains) * 1000, unit="ms CPU")
    yield Figure(what="endpoint, --deep", value=median(deeps) * 1000, unit="ms CPU")
    yield Figure(what="further connections of --deep", value=connections, most=8)
    yield Figure(what="their CPU : main session", value=median(ratios), unit=UNIT)
    each = median(ratios) / connections
    yield Figure(what="one of them : main session", value=each, unit=UNIT)


async def _observe_all(internet: Internet, hosts: int, *, deep: bool) -> float:
    """CPU seconds of all hosts."""
    pace = Pace(address_interval_s=0.0, operator_interval_s=0.0, deep_budget=8 * hosts)
    settings = replace(internet.settings, sni_only=True, deep=deep, pace=pace)
    numbers = iter(range(hosts))
    async with Vantage(settings) as vantage:
        started = process_time()
        async with asyncio.TaskGroup() as group:
            for _ in range(min(AT_ONCE, hosts)):
                group.create_task(_observe(numbers, internet, vantage))
        return process_time() - started


async def _observe(numbers: Iterator[int], internet: Internet, vantage: Vantage) -> None:
    for number in numbers:
        facts = await vantage.endpoint(target_of(number, internet))
        failed = [each for each in facts.deep.answers if each.failure] if facts.deep else []
        if facts.tls_version is None or failed:
            raise RuntimeError(f"the simulated Internet failed: {facts.failure or failed[0]}")
