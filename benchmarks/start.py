"""Start-up: what the command and the package cost before they do anything.

Measured: the CPU time of whole processes, the interpreter's own start included; the median of
several.
"""

import statistics
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.figures import Figure, Scale
from benchmarks.process import children_cpu_s


def measure(scale: Scale) -> Iterator[Figure]:
    """CPU seconds of ``probe --version``, ``probe --help`` and ``import prober``."""
    times = scale.of(15, 1)
    yield Figure(what="python -c pass", value=_cpu_s(times, "-c", "pass"), unit="s CPU")
    package = _cpu_s(times, "-c", "import prober")
    yield Figure(what="import prober", value=package, unit="s CPU", most=0.05)
    for option in ("--version", "--help"):
        value = _cpu_s(times, "-m", "prober", option)
        yield Figure(what=f"probe {option}", value=value, unit="s CPU", most=0.2)


def _cpu_s(times: int, *args: str) -> float:
    seconds = []
    for _ in range(times):
        before = children_cpu_s()
        subprocess.run([sys.executable, *args], stdout=subprocess.DEVNULL, check=True)
        seconds.append(children_cpu_s() - before)
    return statistics.median(seconds)
