"""The end of a run in lines: how many domains pass, which do not and why, what ends soon."""

from collections.abc import Iterator
from typing import Final

from prober.escape import printable
from prober.records import Level, Standing
from prober.report.answer import LABELS
from prober.rules.totals import MAX_NOTED, Totals

_WORST: Final = 10
_SOONEST: Final = 10
_NOTED: Final = (Standing.FALLS_SHORT, Standing.INVALID, Standing.UNDECIDED)


def summary_lines(totals: Totals) -> tuple[str, ...]:
    """Counts by standing and level, the worst domains, and the certificates that end soon."""
    return (
        f"{counts_line(totals)}.",
        f"Levels: {_levels(totals) or 'none'}. "
        f"{totals.endpoints_tested} of {totals.endpoints} endpoints tested.",
        *_listed("Worst", noted_lines(totals, _WORST)),
        *_listed("Certificates that end soon", _expiring(totals)),
    )


def overview(totals: Totals) -> Iterator[tuple[str, int | str]]:
    """The same as rows of a label and a value."""
    yield "domains", totals.domains
    for standing in Standing:
        yield f"{LABELS[standing]} ({standing})", totals.standings.get(standing, 0)
    for level in reversed(Level):
        yield f"level {level}", totals.levels.get(level, 0)
    yield "endpoints", totals.endpoints
    yield "endpoints tested", totals.endpoints_tested
    for title, lines in (
        ("worst", noted_lines(totals, _WORST)),
        ("certificate ends soon", _expiring(totals)),
    ):
        yield from ((title, line) for line in lines)


def counts_line(totals: Totals) -> str:
    """Such as "12 domains: 9 PASS, 2 FAIL, 1 UNKNOWN"."""
    counted = [
        f"{totals.standings[standing]} {LABELS[standing]}"
        for standing in Standing
        if standing in totals.standings
    ]
    noun = "domain" if totals.domains == 1 else "domains"
    return f"{totals.domains} {noun}: {', '.join(counted) or 'none'}"


def noted_lines(totals: Totals, at_most: int = MAX_NOTED) -> Iterator[str]:
    """The domains that do not pass, the worst first, a line each; then how many more there are."""
    noted = sorted(totals.noted, key=lambda domain: domain.rank)[:at_most]
    for domain in noted:
        yield printable(f"{domain.name}: {LABELS[domain.standing]}. {domain.answer}.")
    rest = sum(totals.standings.get(standing, 0) for standing in _NOTED) - len(noted)
    if rest > 0:
        yield f"and {rest} more"


def _levels(totals: Totals) -> str:
    levels = (level for level in reversed(Level) if level in totals.levels)
    return ", ".join(f"{totals.levels[level]} {level}" for level in levels)


def _expiring(totals: Totals) -> Iterator[str]:
    soonest = sorted(totals.expiring.values(), key=lambda each: (each.not_after, each.mx_host))
    for each in soonest[:_SOONEST]:
        noun = "domain" if each.domains == 1 else "domains"
        yield printable(f"{each.not_after:%Y-%m-%d} {each.mx_host} ({each.domains} {noun})")
    if len(soonest) > _SOONEST:
        yield f"and {len(soonest) - _SOONEST} more"


def _listed(title: str, lines: Iterator[str]) -> Iterator[str]:
    """*lines* below their title; nothing where there is none."""
    for number, line in enumerate(lines):
        if number == 0:
            yield f"{title}:"
        yield f"  {line}"
