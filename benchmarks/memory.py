"""4. Memory: of a session in flight, and of a long list.

Measured: resident memory as /proc has it. For sessions, 5,000 of them at once with as many hosts,
once waiting for a greeting that does not come and once over TLS, waiting for the second EHLO reply;
what this process had before them is subtracted. For the list, the most that a process had in use
while it scanned 200,000 domains of the realistic concentration into a CSV file, its code and all;
without latency, and without a limit on DNS questions a second, which only make it take longer.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from time import process_time
from typing import Final

from benchmarks.domain import scan_cpu_s
from benchmarks.figures import Figure, Scale
from benchmarks.internet import Internet, raise_file_limit, run, running
from benchmarks.plan import Plan, Spread, Trouble
from benchmarks.process import KB, in_own_process, peak_resident_kb, resident_kb
from benchmarks.targets import target_of
from prober.settings import Pace, Settings
from prober.vantage import Vantage

A_SESSION: Final = 100.0  # kB
A_LIST: Final = 500.0  # MB
LONG_S: Final = 900.0  # nothing times out meanwhile
IDLE: Final = 0.05  # of a CPU: then nothing more happens
LOOK_S: Final = 1.0
STATES: Final = {
    "waiting for a greeting": Trouble(dead=1.0),
    "over TLS": Trouble(silent_over_tls=1.0),
}


def measure(scale: Scale) -> Iterator[Figure]:
    """The sessions in both states, then the list; each in a process of its own."""
    for part in (_measure_greeting, _measure_tls, _measure_list):
        yield from in_own_process(part, scale)


def _measure_greeting(scale: Scale) -> Iterator[Figure]:
    yield _sessions_figure("waiting for a greeting", scale)


def _measure_tls(scale: Scale) -> Iterator[Figure]:
    yield _sessions_figure("over TLS", scale)


def _measure_list(scale: Scale) -> Iterator[Figure]:
    domains = scale.memory_domains or scale.of(200_000, 3_000)
    plan = Plan(domains=domains)
    with running(plan) as internet:
        cpu_s = scan_cpu_s(internet, plan, sni_only=False)
        sessions = internet.mail_load().served
    yield Figure(
        what=f"{domains:,} domains, at the peak",
        value=peak_resident_kb() * KB / 1e6,
        unit="MB",
        most=A_LIST,
    )
    yield Figure(what="the same", value=domains / cpu_s, unit="domains a CPU second")
    yield Figure(what="sessions : domains", value=sessions / domains)


def _sessions_figure(state: str, scale: Scale) -> Figure:
    sessions = scale.of(5_000, 300)
    plan = Plan(domains=sessions + 1, spread=Spread.UNIQUE, trouble=STATES[state])
    raise_file_limit()
    with running(plan) as internet:
        grown_kb = run(_grown_kb(internet, sessions))
    return Figure(
        what=f"a session {state}, of {sessions:,} at once",
        value=grown_kb * KB / sessions / 1000,
        unit="kB",
        most=A_SESSION,
    )


def _settings(internet: Internet, sessions: int) -> Settings:
    """So many sessions at once, and all the time in the world for each."""
    return replace(
        internet.settings,
        pace=Pace(sessions=sessions + 1),
        connect_s=LONG_S,
        greeting_s=LONG_S,
        command_s=LONG_S,
        handshake_s=LONG_S,
        session_s=LONG_S,
    )


async def _grown_kb(internet: Internet, sessions: int) -> int:
    """KiB by which this process grows with so many sessions in flight."""
    async with Vantage(_settings(internet, sessions)) as vantage:
        first = asyncio.create_task(vantage.endpoint(target_of(sessions, internet)))
        await _in_flight(internet, 1)  # contexts and trust store are there, once
        idle_kb = resident_kb()
        tasks = [
            asyncio.create_task(vantage.endpoint(target_of(number, internet)))
            for number in range(sessions)
        ]
        await _in_flight(internet, sessions + 1)
        grown_kb = resident_kb() - idle_kb
        for task in (first, *tasks):
            task.cancel()
        await asyncio.gather(first, *tasks, return_exceptions=True)
    return grown_kb


async def _in_flight(internet: Internet, sessions: int) -> None:
    """Wait until so many sessions are open and have come as far as they will."""
    while True:
        before = process_time(), internet.mail_load().cpu_s
        await asyncio.sleep(LOOK_S)
        load = internet.mail_load()
        used_s = process_time() - before[0] + load.cpu_s - before[1]
        if load.open >= sessions and used_s < IDLE * LOOK_S:
            return
