"""Latency: how soon one domain is answered, and how near that is to the critical path.

Measured: the wall time from the name to the report, each domain by a run of its own as ``probe
check`` has it, with every reply and every DNS answer a round trip of 100 ms away and nothing else
to do. The critical path is what has to come one after the other: two DNS questions, and in each
session connection, greeting, EHLO, STARTTLS, TLS 1.3 and the EHLO behind it. What is done once a
process, such as loading the public suffix list, is done before. The figure is the median.
"""

from collections.abc import Iterator
from dataclasses import replace
from statistics import median
from time import perf_counter
from typing import Final

from benchmarks.figures import Figure, Scale
from benchmarks.internet import Internet, run, running
from benchmarks.plan import Plan, Spread
from prober.scan import probe_domain

ROUND_TRIP_S: Final = 0.1
DNS_ROUND_TRIPS: Final = 2
SESSION_ROUND_TRIPS: Final = 6  # without QUIT, which answers nothing
NEAR: Final = 1.15  # times the critical path


def measure(scale: Scale) -> Iterator[Figure]:
    """Wall time and its ratio to the critical path, with the session without SNI and without it."""
    plan = Plan(domains=scale.of(14, 3), spread=Spread.UNIQUE, round_trip_s=ROUND_TRIP_S)
    with running(plan) as internet:
        for sessions, kind in ((2, ""), (1, ", --sni-only")):
            wall_s = _median_wall_s(internet, sni_only=sessions == 1)
            path_s = (DNS_ROUND_TRIPS + sessions * SESSION_ROUND_TRIPS) * ROUND_TRIP_S
            yield Figure(what=f"one domain{kind}", value=wall_s, unit="s")
            yield Figure(what=f"one domain : critical path{kind}", value=wall_s / path_s, most=NEAR)


def _median_wall_s(internet: Internet, *, sni_only: bool) -> float:
    """Of the domains whose host has TLS 1.3 and, as the first has shown, its certificate made."""
    settings = replace(internet.settings, sni_only=sni_only)
    walls = []
    for name in internet.plan.names():
        run(probe_domain(name, settings))
        started = perf_counter()
        report = run(probe_domain(name, settings))
        if report.endpoints[0].tls_version == "TLSv1.3":
            walls.append(perf_counter() - started)
    return median(walls)
