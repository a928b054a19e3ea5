"""Scans in shards to be tested, and the lab that they look at."""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from prober.domains import Entry, parse_entry
from prober.lab.demo import DEMO
from prober.lab.internet import Lab, LabDomain, LabHost
from prober.lab.personalities.sound import WellConfigured
from prober.progress import Progress
from prober.records import DomainReport, Level
from prober.report.interface import Paper
from prober.report.json_ import read_reports
from prober.report.output import Layout, ReportFormat, ReportStyle
from prober.rules.standing import assess
from prober.scan import scan
from prober.settings import Settings
from prober.sharded.stages import Judging, ShardedScan
from tests.support.waiting import PATIENT

SHARED = LabHost(name="mx.shared.test", personality=WellConfigured(), addresses=2)
CUSTOMERS = tuple(LabDomain(name=f"customer{n}.test", mx=((10, SHARED),)) for n in range(20))
MANY = tuple(LabDomain(name=f"one-of-many{n}.test", mx=((10, SHARED),)) for n in range(200))
DOMAINS = (*DEMO, *CUSTOMERS)
_LEFT_OUT = (
    "moody.test",  # changes its mind: the second scan sees another server
    "silent.test",  # these two take more than a second, which the tests that need it can have
    "dns-broken.test",
)
NAMES = (
    *(domain.name for domain in DOMAINS if domain.name not in _LEFT_OUT),
    *("no domain", "customer3.test", "nowhere.test", "*"),
)
REQUIRE = Level.OPPORTUNISTIC
JSONL = Layout(format_=ReportFormat.JSONL, style=ReportStyle(scan=True), paper=Paper())
CSV = Layout(format_=ReportFormat.CSV, style=ReportStyle(scan=True), paper=Paper())


def entries(names: Iterable[str] = NAMES) -> list[Entry]:
    return [parse_entry(name, line) for line, name in enumerate(names, start=1)]


def settings(lab: Lab) -> Settings:
    return lab.settings(**{**PATIENT, "greeting_s": 5.0})  # one server never greets


def a_scan(folder: Path, lab: Lab, *layouts: Layout, resume: bool = False) -> ShardedScan:
    return ShardedScan(
        folder=folder,
        settings=settings(lab),
        judging=Judging(layouts=layouts or (JSONL,), require=REQUIRE),
        identity={"list": "of the test"},
        resume=resume,
        shard_size=7,
    )


async def scanned_by_one(lab: Lab, given: Sequence[Entry]) -> list[DomainReport]:
    """What a scan in one process reports, in the order of the list, each with its standing."""
    reports: list[DomainReport] = []
    await scan(given, settings(lab), reports.append, ordered=True)
    return [assess(report, REQUIRE) for report in reports]


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
