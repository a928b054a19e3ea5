"""What this process has cost so far, read from /proc, and a fresh process to measure in."""

import multiprocessing
import os
import resource
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure, Scale
from prober.runtime import collect_garbage_rarely

_STATUS: Final = Path("/proc/self/status")
_STAT: Final = Path("/proc/stat")
KB: Final = 1024  # bytes; /proc says kB and means KiB

Measure = Callable[[Scale], Iterable[Figure]]


def resident_kb() -> int:
    """KiB of memory that this process has in use."""
    return _status("VmRSS")


def peak_resident_kb() -> int:
    """The most KiB that this process had in use; unlike ``ru_maxrss`` not its parent's."""
    return _status("VmHWM")


def _status(field: str) -> int:
    for line in _STATUS.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0])
    raise RuntimeError(f"{_STATUS} has no {field}")


def children_cpu_s() -> float:
    """CPU seconds of the processes that this one started and waited for, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def machine_cpu_s() -> float:
    """CPU seconds that all processes together have used since the machine started."""
    fields = _STAT.read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq, *_ = map(int, fields)
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def in_own_process(measure: Measure, scale: Scale) -> list[Figure]:
    """What *measure* finds in a process that has done nothing before, set up as the command's."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        return pool.submit(_listed, measure, scale).result()


def _listed(measure: Measure, scale: Scale) -> list[Figure]:
    collect_garbage_rarely()
    return list(measure(scale))
