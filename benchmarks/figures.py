"""A figure with its target, and the tables that show them."""

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from OpenSSL import SSL
from rich.table import Table

_CPUINFO: Final = Path("/proc/cpuinfo")
HEADS: Final = ("benchmark", "what", "figure", "target", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much to measure. Quick figures show that all works, and are not to be quoted."""

    quick: bool = False
    memory_domains: int | None = None  # in place of the default

    def of(self, whole: int, quick: int) -> int:
        """*whole*, or *quick* where there is little time."""
        return quick if self.quick else whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured value. ``value`` is None where it could not be had; ``note`` says why."""

    what: str
    value: float | None
    unit: str = ""
    most: float | None = None  # the target, either way
    least: float | None = None
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None where there is none, or no value."""
        if self.value is None or (self.most is None and self.least is None):
            return None
        too_much = self.most is not None and self.value > self.most
        too_little = self.least is not None and self.value < self.least
        return not (too_much or too_little)

    @property
    def shown(self) -> str:
        """The value with its unit and note."""
        if self.value is None:
            return f"not available: {self.note}"
        note = f" ({self.note})" if self.note else ""
        return f"{_number(self.value)} {self.unit}".rstrip() + note

    @property
    def target(self) -> str:
        """The target in words."""
        if self.most is not None:
            return f"≤ {_number(self.most)}"
        return f"≥ {_number(self.least)}" if self.least is not None else ""

    def cells(self, benchmark: str) -> tuple[str, ...]:
        """A row under HEADS."""
        verdict = {True: "met", False: "missed", None: ""}[self.is_met]
        return (benchmark, self.what, self.shown, self.target, verdict)


def _number(value: float) -> str:
    """Three digits that mean something, and no more."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def machine() -> str:
    """The machine in one line: what absolute figures depend on."""
    cores = len(os.sched_getaffinity(0))
    openssl = SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode().split(" ", 2)
    return ", ".join(
        (
            f"{cores} cores, {_cpu_model()}",
            f"Linux {platform.release().split('-')[0]}",
            f"{platform.python_implementation()} {platform.python_version()}",
            f"{openssl[0]} {openssl[1]} (in the cryptography wheel)",
            f"uvloop {version('uvloop')}",
            f"load {os.getloadavg()[0]:.1f} at the start",
        )
    )


def _cpu_model() -> str:
    for line in _CPUINFO.read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


Rows = Sequence[tuple[str, ...]]


def to_table(rows: Rows) -> Table:
    """For a terminal."""
    table = Table(*HEADS)
    styles = {"met": "green", "missed": "red"}
    for row in rows:
        table.add_row(*row, style=styles.get(row[-1]))
    return table


def to_markdown(rows: Rows) -> str:
    """For docs/performance.md."""
    return "\n".join(map(_line, (HEADS, ["---"] * len(HEADS), *rows)))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
