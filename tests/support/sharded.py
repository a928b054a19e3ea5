"""Scans in shards to be tested, and the lab that they look at."""

import asyncio
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from prober.domains import Entry, parse_entry
from prober.lab.demo import DEMO, DEMO_DEADLINES
from prober.lab.internet import Lab, LabDomain, LabHost
from prober.lab.personalities.sessions import GainsStarttls
from prober.lab.personalities.sound import WellConfigured
from prober.records import DomainReport, Level
from prober.report.json_ import read_reports
from prober.report.output import Layout, ReportFormat, ReportStyle
from prober.report.page import Paper
from prober.scan import Progress, scan
from prober.settings import Settings
from prober.stages import Judging, ShardedScan

SHARED = LabHost(name="mx.shared.test", personality=WellConfigured(), addresses=2)
# a server that changes its mind answers the second scan otherwise
STEADY = tuple(
    domain
    for domain in DEMO
    if not any(isinstance(host.personality, GainsStarttls) for host in domain.all_hosts)
)
DOMAINS = (
    *STEADY,
    *(LabDomain(name=f"customer{n}.test", mx=((10, SHARED),)) for n in range(20)),
)
NAMES = (*(domain.name for domain in DOMAINS), "no domain", "customer3.test", "nowhere.test", "*")
JSONL = Layout(format_=ReportFormat.JSONL, style=ReportStyle(scan=True), paper=Paper())
CSV = Layout(format_=ReportFormat.CSV, style=ReportStyle(scan=True), paper=Paper())


def entries(names: Iterable[str] = NAMES) -> list[Entry]:
    return [parse_entry(name, line) for line, name in enumerate(names, start=1)]


def settings(lab: Lab) -> Settings:
    return lab.settings(**DEMO_DEADLINES)


def a_scan(folder: Path, lab: Lab, *layouts: Layout, resume: bool = False) -> ShardedScan:
    return ShardedScan(
        folder=folder,
        settings=settings(lab),
        judging=Judging(layouts=layouts or (JSONL,), require=Level.OPPORTUNISTIC),
        identity={"list": "of the test"},
        resume=resume,
        shard_size=7,
    )


async def scanned_by_one(lab: Lab, given: Sequence[Entry]) -> list[DomainReport]:
    """What a scan in one process reports, in the order of the list."""
    reports: list[DomainReport] = []
    await scan(given, settings(lab), reports.append, ordered=True)
    return reports


async def until(condition: Callable[[], bool]) -> None:
    """Wait for *condition*, which is about files or other processes."""
    for _ in range(3000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it never came to that")


class Rows:
    """Takes what a scan in shards hands over."""

    def __init__(self, reports: int = 1) -> None:
        self.texts = [b""] * reports
        self.progress = Progress()

    def take(self, rows: Sequence[Iterable[bytes]]) -> None:
        for number, pieces in enumerate(rows):
            self.texts[number] += b"".join(pieces)

    @property
    def reports(self) -> list[DomainReport]:
        """The first report's records: it has to be JSON lines."""
        return list(read_reports(io.BytesIO(self.texts[0])))
