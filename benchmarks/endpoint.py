"""1. CPU per endpoint, as a multiple of the bare handshake.

Measured: the CPU time of this process while it observes endpoints through a vantage (pacing, TCP,
SMTP, TLS, EHLO over TLS, QUIT, transcript) and judges each certificate; no DNS. Every endpoint is
another host with another certificate, on the other side of loopback in another process. All of them
are called once before, by a vantage of its own: a host that has yet to make its certificate takes
longer than we do, and a process that waits for each packet costs more than one that is busy. So 400
sessions at once, of the 500 that a scan may hold. What it costs to wait is measured too: 40 at once
with hosts that are new. Rounds of bare handshakes stand between the rounds of endpoints; the
figures are the medians of the ratios. All that with one session per endpoint (``--sni-only``), and
once more with the session without SNI, which an address costs once a run.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median
from time import process_time
from typing import Final

from benchmarks.bare import BareHandshake
from benchmarks.figures import Figure, Scale
from benchmarks.internet import Internet, run, running
from benchmarks.plan import Plan, Spread
from benchmarks.targets import target_of
from prober.rules.certificate import judge_certificate
from prober.vantage import Vantage

IN_A_ROUND: Final = 400
FEW_AT_ONCE: Final = 40
TARGET: Final = 2.0  # bare handshakes
UNIT: Final = "bare handshakes"


def measure(scale: Scale) -> Iterator[Figure]:
    """The bare handshake, the endpoint, and their ratio."""
    rounds, size = scale.of(9, 2), scale.of(IN_A_ROUND, FEW_AT_ONCE)
    with running(Plan(domains=(rounds + 1) * size, spread=Spread.UNIQUE)) as internet:
        new = run(_rounds(internet, rounds, size, at_once=FEW_AT_ONCE))
        before = internet.mail_load()
        known = run(_rounds(internet, rounds, size, at_once=size))
        after = internet.mail_load()
        both = run(_rounds(internet, rounds, size, at_once=size, sni_only=False))
    bare, endpoint = (median(column) * 1000 for column in zip(*known, strict=True))
    server = (after.cpu_s - before.cpu_s) / (after.served - before.served) * 1000
    yield Figure(what="bare handshake, the client's half", value=bare, unit="ms CPU")
    yield Figure(what="endpoint: SMTP, TLS, certificate facts", value=endpoint, unit="ms CPU")
    yield Figure(what="endpoint : bare handshake", value=_ratio(known), unit=UNIT, most=TARGET)
    yield Figure(what="the same, with a session without SNI", value=_ratio(both), unit=UNIT)
    yield Figure(what="the same, waiting for hosts", value=_ratio(new), unit=UNIT)
    yield Figure(what="the simulated MX host's side", value=server, unit="ms CPU a session")


def _ratio(pairs: Sequence[tuple[float, float]]) -> float:
    return median(endpoint_s / bare_s for bare_s, endpoint_s in pairs)


async def _rounds(
    internet: Internet, rounds: int, size: int, *, at_once: int, sni_only: bool = True
) -> list[tuple[float, float]]:
    """CPU seconds of one bare handshake and of one endpoint, by round; the first warms up."""
    bare = BareHandshake()
    async with Vantage(replace(internet.settings, sni_only=sni_only)) as vantage:
        pairs = []
        for number in range(rounds + 1):
            domains = iter(range(number * size, (number + 1) * size))
            bare_s = bare.cpu_s(size)
            started = process_time()
            async with asyncio.TaskGroup() as group:
                for _ in range(at_once):
                    group.create_task(_observe(domains, internet, vantage))
            pairs.append((bare_s, (process_time() - started) / size))
    return pairs[1:]


async def _observe(domains: Iterator[int], internet: Internet, vantage: Vantage) -> None:
    trust, reader = vantage.run.trust_store, vantage.reader
    for domain in domains:
        facts = await vantage.endpoint(target_of(domain, internet))
        if facts.tls_version is None:
            raise RuntimeError(f"the simulated Internet failed: {facts.failure}")
        leaf = reader.read(facts.chain[0])
        judge_certificate(facts, leaf, now=facts.observed_at, trust=trust)
