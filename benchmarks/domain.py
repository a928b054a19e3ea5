"""2. CPU per domain end to end, as a multiple of the bare handshake.

Measured: the CPU time of this process in a scan, from the parsing of a line to the CSV row on disk:
MX, A and AAAA look-ups, TXT for MTA-STS and TLS-RPT, the endpoint, the verdict. Once with an MX
host for each domain, once with the realistic concentration (benchmarks/plan.py), each with and
without the session without SNI. Without latency,
trouble, and a limit on DNS questions a second: they cost time and no CPU. Bare handshakes are
measured before and after each scan; the figure is the median of the ratios. A first, short scan
warms up.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from statistics import median
from time import process_time
from typing import Final

from benchmarks.bare import BareHandshake
from benchmarks.figures import Figure, Scale
from benchmarks.internet import Internet, run, running
from benchmarks.plan import Plan, Spread
from benchmarks.targets import entries
from prober.report.output import ReportStyle, domains, open_report
from prober.rules.totals import Totals
from prober.scan import scan
from prober.settings import Pace

TARGETS: Final = {Spread.UNIQUE: 8.0, Spread.CONCENTRATED: 4.0}  # bare handshakes
WARM_UP: Final = 100  # domains
NO_LIMIT: Final = 1e6  # DNS questions a second


def measure(scale: Scale) -> Iterator[Figure]:
    """For each spread the CPU of a domain, its ratio, and the sessions it took."""
    for spread, target in TARGETS.items():
        plan = Plan(domains=scale.of(2000, 200), spread=spread)
        yield from _measure(scale, plan, target, sni_only=False)
        yield from _measure(scale, plan, None, sni_only=True)


def _measure(scale: Scale, plan: Plan, target: float | None, *, sni_only: bool) -> Iterator[Figure]:
    bare = BareHandshake()
    ratios, times = [], []
    with running(plan) as internet:
        scan_cpu_s(internet, replace(plan, domains=WARM_UP), sni_only=sni_only)
        sessions = internet.mail_load().served
        rounds = scale.of(5, 1)
        for _ in range(rounds):
            before_s = bare.cpu_s()
            domain_s = scan_cpu_s(internet, plan, sni_only=sni_only) / plan.domains
            bare_s = (before_s + bare.cpu_s()) / 2
            times.append(domain_s)
            ratios.append(domain_s / bare_s)
        sessions = internet.mail_load().served - sessions
    kind = f"{plan.spread.name.lower()} hosts" + (", --sni-only" if sni_only else "")
    yield Figure(what=f"domain, {kind}", value=median(times) * 1000, unit="ms CPU")
    yield Figure(
        what=f"domain : bare handshake, {kind}",
        value=median(ratios),
        unit="bare handshakes",
        most=target,
    )
    yield Figure(what=f"sessions : domains, {kind}", value=sessions / rounds / plan.domains)


def scan_cpu_s(internet: Internet, plan: Plan, *, sni_only: bool) -> float:
    """CPU seconds of a scan of the domains of *plan* into a CSV file."""
    with (
        tempfile.TemporaryDirectory(prefix="probe-benchmark-") as folder,
        open_report(f"{folder}/report.csv", domains(ReportStyle()), Totals()) as writer,
    ):
        settings = replace(internet.settings, pace=Pace(dns_per_s=NO_LIMIT), sni_only=sni_only)
        started = process_time()
        run(scan(entries(plan), settings, writer.write))
        return process_time() - started
