"""3. Throughput: how fast a list is answered, and how near that is to what manners allow.

Measured: one process, 4,000 domains of the realistic concentration, every reply and every DNS
answer 100 ms away, hosts that are slow, throttling, dead or without STARTTLS among them
(benchmarks/plan.py). Settings are those that users have, but for the patience with dead hosts: 5
and 20 s for a greeting instead of 60 and 300, since otherwise only these would be measured.
Capacity is domains by CPU seconds of this process. The bound is that of benchmarks/bound.py.
An answer is right if the level is the one that the behaviour of the host calls for.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from time import perf_counter, process_time
from typing import Final

from benchmarks.bound import bound
from benchmarks.figures import Figure, Scale
from benchmarks.internet import Internet, run, running
from benchmarks.plan import REALISTIC_TROUBLE, Behaviour, Plan
from benchmarks.targets import entries
from prober.records import DomainReport, Level
from prober.report.output import ReportStyle, ReportWriter, domains, open_report
from prober.rules.totals import Totals
from prober.scan import scan
from prober.settings import Settings

DOMAINS: Final = 4_000  # they take two minutes, also while others use the machine
CAPACITY: Final = 400.0  # domains a CPU second
NEAR: Final = 1.5  # times the bound
ROUND_TRIP_S: Final = 0.1


def measure(scale: Scale) -> Iterator[Figure]:
    """Wall and CPU time, the bound, the sessions, and whether the answers are right."""
    plan = Plan(
        domains=scale.of(DOMAINS, 300),
        round_trip_s=ROUND_TRIP_S,
        trouble=REALISTIC_TROUBLE,
        slow_s=scale.of(2, 1),
    )
    with running(plan) as internet:
        settings = replace(
            internet.settings, greeting_s=scale.of(5, 2), slow_greeting_s=scale.of(20, 4)
        )
        started, cpu_started = perf_counter(), process_time()
        answers = _scan(internet, settings)
        wall_s, cpu_s = perf_counter() - started, process_time() - cpu_started
        sessions, questions = internet.mail_load().served, internet.dns_load().served
    slowest = bound(plan, settings)
    yield Figure(what="domains a second", value=plan.domains / wall_s)
    yield Figure(what="domains a CPU second", value=plan.domains / cpu_s, least=CAPACITY)
    yield Figure(what="wall time", value=wall_s, unit="s")
    yield Figure(what="bound", value=slowest.seconds, unit="s", note=slowest.what)
    yield Figure(what="wall time : bound", value=wall_s / slowest.seconds, most=NEAR)
    yield Figure(what="sessions : domains", value=sessions / plan.domains)
    yield Figure(what="DNS questions : domains", value=questions / plan.domains)
    yield Figure(
        what="right answers",
        value=100 * answers[True] / plan.domains,
        unit="%",
        least=100.0,
    )


def _scan(internet: Internet, settings: Settings) -> Counter[bool]:
    """How many answers were right and wrong."""
    answers: Counter[bool] = Counter()
    expected = {
        name: expected_level(internet.plan, domain)
        for domain, name in enumerate(internet.plan.names())
    }

    def report(found: DomainReport, writer: ReportWriter[DomainReport, Totals]) -> None:
        writer.write(found)
        answers[found.verdict.level is expected[found.domain or ""]] += 1

    with (
        tempfile.TemporaryDirectory(prefix="probe-benchmark-") as folder,
        open_report(f"{folder}/report.csv", domains(ReportStyle()), Totals()) as writer,
    ):
        run(scan(entries(internet.plan), settings, lambda found: report(found, writer)))
    return answers


def expected_level(plan: Plan, domain: int) -> Level:
    """What the behaviour of the host of *domain* should come to."""
    match plan.behaviour(plan.host(domain)):
        case Behaviour.CLEAR:
            return Level.NONE
        case Behaviour.DEAD:
            return Level.UNKNOWN
        case _:
            return Level.AUTHENTICATED
