"""Judging a domain and writing its report, as a multiple of the bare handshake.

Measured: the CPU time from the facts of a domain to its line of JSON and its row of CSV, when none
of its certificates was read before. The domain has two MX hosts, asked with and without SNI, each
with a chain of two P-256 certificates of the same issuer. Once without TLSA records, and once with
a signed zone and one record a host. The facts come from sessions with the lab's servers. Bare
handshakes are measured before and after each round; the figure is the median of the ratios.
"""

from collections.abc import Iterator
from dataclasses import replace
from statistics import median
from time import process_time
from typing import Final

from benchmarks.bare import BareHandshake
from benchmarks.figures import Figure, Scale
from benchmarks.internet import run
from prober.faults import formatted, judged
from prober.lab.demo import mail_domain
from prober.lab.internet import Lab, LabTlsa
from prober.lab.personalities.sound import WellConfigured
from prober.records import DomainFacts, Level
from prober.report.answer import answer
from prober.report.interface import Paper
from prober.report.output import Layout, ReportFormat, ReportStyle
from prober.rules.totals import Tally
from prober.rules.verdict import facts_of
from prober.runtime import collect_garbage_rarely
from prober.scan import probe_domain

TARGET: Final = 0.75  # bare handshakes
IN_A_ROUND: Final = 200
HOSTS: Final = (WellConfigured(), WellConfigured())
DOMAINS: Final = (
    mail_domain("plain.test", *HOSTS),
    replace(mail_domain("dane.test", *HOSTS), tlsa=LabTlsa.OF_GOOD, signed=True),
)


def measure(scale: Scale) -> Iterator[Figure]:
    """The CPU of a report, and its ratio; then the ratio for the domain with TLSA records."""
    plain, dane = run(_observe())
    bare = BareHandshake()
    collect_garbage_rarely()
    rounds, size = scale.of(15, 2), scale.of(IN_A_ROUND, 20)
    ratios: dict[str, list[float]] = {"plain": [], "dane": []}
    times = []
    for _ in range(rounds):
        for kind, facts in (("plain", plain), ("dane", dane)):
            before_s = bare.cpu_s(size)
            report_s = _report_cpu_s(facts, size)
            ratios[kind].append(2 * report_s / (before_s + bare.cpu_s(size)))
            times.append(report_s)
    what = "two MX hosts, judged and written"
    yield Figure(what=what, value=median(times) * 1000, unit="ms CPU")
    yield Figure(
        what=f"{what} : bare handshake",
        value=median(ratios["plain"]),
        unit="bare handshakes",
        most=TARGET,
    )
    yield Figure(what="the same, with DANE", value=median(ratios["dane"]), unit="bare handshakes")


async def _observe() -> list[DomainFacts]:
    async with Lab(DOMAINS) as lab:
        return [facts_of(await probe_domain(each.name, lab.settings())) for each in DOMAINS]


def _report_cpu_s(facts: DomainFacts, times: int) -> float:
    """CPU seconds of one report, each by a run of its own."""
    formatters = [
        Layout(format_=format_, style=ReportStyle(), paper=Paper()).formatter()
        for format_ in (ReportFormat.JSONL, ReportFormat.CSV)
    ]
    started = process_time()
    for _ in range(times):
        tally = Tally(require=Level.OPPORTUNISTIC, operator_of=str, describe=answer)
        formatted(judged(facts, tally.reader), tally, formatters)
    return (process_time() - started) / times
