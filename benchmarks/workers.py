"""5. Two workers against one: what the second core of a machine is worth.

Measured: the wall time of ``probe scan LIST -o FILE --workers N`` as a user would start it, from
its start to its end. Without latency and without limits on DNS questions a second, so that it is
the CPU that takes the time; on 40 hosts, so that the simulated Internet, which shares the cores,
has little to do. How much of them it took is the last figure: what it takes, two workers lack.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Final

from benchmarks.figures import Figure, Scale
from benchmarks.internet import Internet, running
from benchmarks.plan import Plan, Spread

TARGET: Final = 1.7  # times as fast
HOSTS: Final = 40
MOST_S: Final = 1800.0  # a scan may take
PROBE: Final = (sys.executable, "-m", "prober")
WITHOUT_LIMITS: Final = {"--dns-rate": "1000000", "--pace": "0"}  # where there are such options


class UnavailableError(Exception):
    """The scan cannot be run with workers here; says why."""


def measure(scale: Scale) -> Iterator[Figure]:
    """Both wall times and their ratio."""
    plan = Plan(domains=scale.of(20_000, 1_000), spread=Spread.EVEN, hosts=HOSTS)
    try:
        with running(plan) as internet:
            one_s = _scan_s(internet, workers=1)
            before_s = _cpu_s(internet)
            two_s = _scan_s(internet, workers=2)
            internet_s = _cpu_s(internet) - before_s
    except UnavailableError as error:
        yield Figure(what="two workers : one", value=None, least=TARGET, note=str(error))
        return
    yield Figure(what="one worker", value=plan.domains / one_s, unit="domains a second")
    yield Figure(what="two workers", value=plan.domains / two_s, unit="domains a second")
    yield Figure(what="two workers : one", value=one_s / two_s, unit="times", least=TARGET)
    yield Figure(
        what="the simulated Internet meanwhile", value=100 * internet_s / two_s, unit="% of a core"
    )


def _cpu_s(internet: Internet) -> float:
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
            timeout=MOST_S,
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
