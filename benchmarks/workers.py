"""5. Two workers against one: what the second core of a machine is worth.

Measured: the wall time of ``probe scan LIST -o FILE --workers N`` as a user would start it, from
its start to its end. Without latency and without limits on DNS questions a second, so that it is
the CPU that takes the time; on 40 hosts, so that the simulated Internet, which shares the cores,
has little to do. What it takes of the cores, and what anything else on the machine takes, two
workers lack: both are shown, and so is the CPU that the scans took.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

from benchmarks.figures import Figure, Scale
from benchmarks.internet import Internet, running
from benchmarks.plan import Plan, Spread
from benchmarks.process import children_cpu_s, machine_cpu_s

TARGET: Final = 1.7  # times as fast
HOSTS: Final = 40
MAX_S: Final = 1800.0  # a scan may take
PROBE: Final = (sys.executable, "-m", "prober")
WITHOUT_LIMITS: Final = {"--dns-rate": "1000000", "--pace": "0"}  # where there are such options


class UnavailableError(Exception):
    """The scan cannot be run with workers here; says why."""


def measure(scale: Scale) -> Iterator[Figure]:
    """Both wall times and their ratio."""
    plan = Plan(domains=scale.of(40_000, 1_000), spread=Spread.EVEN, hosts=HOSTS)
    try:
        with running(plan) as internet:
            one = _measure_scan(internet, workers=1)
            two = _measure_scan(internet, workers=2)
    except UnavailableError as error:
        yield Figure(what="two workers : one", value=None, least=TARGET, note=str(error))
        return
    yield Figure(what="one worker", value=plan.domains / one.wall_s, unit="domains a second")
    yield Figure(what="two workers", value=plan.domains / two.wall_s, unit="domains a second")
    yield Figure(what="two workers : one", value=one.wall_s / two.wall_s, least=TARGET)
    yield Figure(what="CPU of two workers : of one", value=two.scan_cpu_s / one.scan_cpu_s)
    for name, spent_s in (
        ("the simulated Internet", two.internet_cpu_s),
        ("anything else on the machine", two.other_cpu_s),
    ):
        share = 100 * spent_s / two.wall_s
        yield Figure(what=f"{name}, beside two workers", value=share, unit="% of a core")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Seconds of wall time, and of CPU by whom."""

    wall_s: float
    scan_cpu_s: float
    internet_cpu_s: float
    other_cpu_s: float


def _measure_scan(internet: Internet, *, workers: int) -> Spent:
    before = machine_cpu_s(), children_cpu_s(), _internet_cpu_s(internet)
    wall_s = _scan_s(internet, workers=workers)
    after = machine_cpu_s(), children_cpu_s(), _internet_cpu_s(internet)
    machine, scan, simulated = (b - a for a, b in zip(before, after, strict=True))
    return Spent(
        wall_s=wall_s,
        scan_cpu_s=scan,
        internet_cpu_s=simulated,
        other_cpu_s=max(0.0, machine - scan - simulated),
    )


def _internet_cpu_s(internet: Internet) -> float:
    return internet.dns_load().cpu_s + internet.mail_load().cpu_s


def _scan_s(internet: Internet, *, workers: int) -> float:
    """Wall seconds of a scan of all domains. Raises UnavailableError where it does not run."""
    with tempfile.TemporaryDirectory(prefix="probe-benchmark-") as folder:
        names, report = Path(folder) / "domains.txt", Path(folder) / "report.csv"
        names.write_text("".join(f"{name}\n" for name in internet.plan.names()))
        command = [*PROBE, "scan", str(names), "-o", str(report), *_options(internet)]
        started = perf_counter()
        done = subprocess.run(
            [*command, "--workers", str(workers)],
            capture_output=True,
            text=True,
            timeout=MAX_S,
            check=False,
        )
        spent_s = perf_counter() - started
        if not report.exists():
            raise UnavailableError((done.stderr.strip().splitlines() or ["no report"])[-1])
        rows = report.read_bytes().count(b"\n") - 1
        if rows != internet.plan.domains:
            raise UnavailableError(f"{rows} rows for {internet.plan.domains} domains")
    return spent_s


def _options(internet: Internet) -> Iterator[str]:
    """The common options with which a scan sees the simulated Internet."""
    settings = internet.settings
    known = _help()
    if "--workers" not in known:
        raise UnavailableError("this version of probe scan has no --workers")
    for resolver in settings.resolvers:
        yield from ("--resolver", resolver)
    yield from ("--port", str(settings.port))
    yield from ("--ca-file", str(settings.ca_file))
    yield from ("--ehlo-name", str(settings.ehlo_name))
    yield from ("--allow-private", "--quiet")
    for option, value in WITHOUT_LIMITS.items():
        if option in known:
            yield from (option, value)


def _help() -> str:
    return subprocess.run(
        [*PROBE, "scan", "--help"], capture_output=True, text=True, check=True
    ).stdout
