"""How many domains do not pass, over runs: a line to draw, and the figures for the table beside it.

It looks at no network and no database; HTML reports show it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from prober.escape import minute
from prober.records import Standing
from prober.records.history import RecordedRun
from prober.report.answer import LABELS

MAX_RUNS: Final = 26  # half a year of weekly runs
_LEFT, _RIGHT, _TOP, _BOTTOM = 24, 312, 8, 92  # of the drawing, in units of its view box
_LINES: Final[Mapping[str, tuple[Standing, ...]]] = MappingProxyType(
    {
        "fail": (Standing.FALLS_SHORT, Standing.INVALID),
        "unknown": (Standing.UNDECIDED,),
    }
)
_NAMES: Final = MappingProxyType({"fail": "FAIL and INVALID", "unknown": "UNKNOWN"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One line of the drawing. ``points`` as SVG has them, from the oldest run to the newest."""

    css: str
    name: str
    points: tuple[tuple[str, str], ...]

    @property
    def path(self) -> str:
        return " ".join(",".join(point) for point in self.points)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One row of the table: a run, and its domains by the labels of ``Trend``."""

    run: int
    when: str
    requirement: str
    domains: int
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """Runs of one list. ``most``: the number at the top of the drawing."""

    of: str
    most: int
    lines: tuple[Curve, ...]
    labels: tuple[str, ...]
    rows: tuple[Figures, ...]  # the newest first


def trend_of(runs: Sequence[RecordedRun]) -> Trend | None:
    """The trend over *runs* of one list, the newest first; None where there are fewer than two."""
    shown = runs[:MAX_RUNS]
    if len(shown) < 2:
        return None
    standings = [each for each in Standing if any(run.standings.get(each) for run in shown)]
    oldest_first = shown[::-1]
    counts = {css: [_count(run, of) for run in oldest_first] for css, of in _LINES.items()}
    most = max(1, *(number for line in counts.values() for number in line))
    return Trend(
        of=shown[0].list,
        most=most,
        lines=tuple(
            Curve(css=css, name=_NAMES[css], points=tuple(_points(line, most)))
            for css, line in counts.items()
        ),
        labels=tuple(LABELS[each] for each in standings),
        rows=tuple(
            Figures(
                run=run.id,
                when=minute(run.started_at),
                requirement=run.requirement,
                domains=run.observations,
                counts=tuple(run.standings.get(each, 0) for each in standings),
            )
            for run in shown
        ),
    )


def _count(run: RecordedRun, standings: Sequence[Standing]) -> int:
    return sum(run.standings.get(each, 0) for each in standings)


def _points(counts: Sequence[int], most: int) -> Iterator[tuple[str, str]]:
    step = (_RIGHT - _LEFT) / (len(counts) - 1)
    for number, count in enumerate(counts):
        y = _BOTTOM - (_BOTTOM - _TOP) * count / most
        yield f"{_LEFT + number * step:.1f}", f"{y:.1f}"
