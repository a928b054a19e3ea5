"""The end of a run in lines: how many domains pass, which do not and why, what ends soon."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, assert_never

from prober.escape import printable
from prober.records import AcceptedException, Level, Standing
from prober.report.answer import LABELS
from prober.report.words import accepted_words, counted
from prober.rules.accepted import ExceptionState
from prober.rules.totals import MAX_NOTED, NotedCertificate, NotedDomain, Totals

_WORST: Final = 10
_SOONEST: Final = 10
_NONE: Final[Mapping[Standing, int]] = MappingProxyType({})
_NOTED: Final = (Standing.FALLS_SHORT, Standing.INVALID, Standing.UNDECIDED)


def summary_lines(totals: Totals) -> tuple[str, ...]:
    """Counts by standing and level, the worst domains, exceptions, and certificates that end."""
    return (
        f"{counts_line(totals)}.",
        f"Levels: {_levels(totals) or 'none'}. "
        f"{totals.endpoints_tested} of {totals.endpoints} endpoints tested.",
        *_listed("Worst", noted_lines(totals, _WORST)),
        *_listed("Accepted exceptions", accepted_lines(totals, _WORST)),
        *_listed("Certificates that end soon", _expiring(totals)),
    )


def overview(totals: Totals) -> Iterator[tuple[str, int | str]]:
    """The same as rows of a label and a value."""
    yield "domains", totals.domains
    for standing in Standing:
        yield f"{LABELS[standing]} ({standing})", totals.standings.get(standing, 0)
        if standing in totals.accepted:
            yield f"{LABELS[standing]}, accepted", totals.accepted[standing]
    for level in reversed(Level):
        yield f"level {level}", totals.levels.get(level, 0)
    yield "endpoints", totals.endpoints
    yield "endpoints tested", totals.endpoints_tested
    for title, lines in (
        ("worst", noted_lines(totals, _WORST)),
        ("accepted exception", accepted_lines(totals, _WORST)),
        ("certificate ends soon", _expiring(totals)),
    ):
        yield from ((title, line) for line in lines)


def counts_line(totals: Totals) -> str:
    """Such as "12 domains: 9 PASS, 2 FAIL (1 accepted), 1 UNKNOWN"."""
    domains = counted(totals.domains, "domain")
    return f"{domains}: {by_standing(totals.standings, totals.accepted) or 'none'}"


def by_standing(standings: Mapping[Standing, int], accepted: Mapping[Standing, int] = _NONE) -> str:
    """Such as "9 PASS, 2 FAIL (1 accepted)"; *accepted*: how many of them an exception covers."""
    notes = {each: f" ({count} accepted)" for each, count in accepted.items()}
    return ", ".join(
        f"{standings[each]} {LABELS[each]}{notes.get(each, '')}"
        for each in Standing
        if each in standings
    )


def noted_lines(totals: Totals, at_most: int = MAX_NOTED) -> Iterator[str]:
    """The domains that do not pass, the worst first, a line each; then how many more there are.

    Without those that an exception covers.
    """
    noted = sorted(totals.noted, key=lambda domain: domain.rank)
    lines = (noted_line(domain) for domain in noted if domain.accepted is None)
    number = sum(totals.not_accepted.get(standing, 0) for standing in _NOTED)
    return capped(lines, at_most, number)


def accepted_lines(totals: Totals, at_most: int = MAX_NOTED) -> Iterator[str]:
    """The exceptions that cover a domain, the worst first, a line each; then how many more."""
    noted = sorted(totals.noted, key=lambda domain: domain.rank)
    lines = (accepted_line(domain.accepted) for domain in noted if domain.accepted is not None)
    return capped(lines, at_most, sum(totals.accepted.values()))


def accepted_line(exception: AcceptedException) -> str:
    """What is accepted of a domain, until when, by whom and why."""
    words = accepted_words(exception)
    return domain_line(exception.domain, "ACCEPTED", f"{words[:1].upper()}{words[1:]}")


def uncovered_lines(
    exceptions: Mapping[str, AcceptedException], totals: Totals, at_most: int = MAX_NOTED
) -> Iterator[str]:
    """Those of *exceptions* whose domain does not pass and is not covered: why, a line each."""
    lines = []
    for domain, state in totals.exceptions.items():
        if domain in exceptions and (why := _why_not_covered(exceptions[domain], state)):
            lines.append(domain_line(domain, "NOT ACCEPTED", why))
    return capped(lines, at_most, len(lines))


def _why_not_covered(exception: AcceptedException, state: ExceptionState) -> str | None:
    match state:
        case ExceptionState.APPLIES | ExceptionState.NOT_NEEDED:
            return None
        case ExceptionState.ENDED:
            return f"The exception by {exception.by} ended on {exception.until}"
        case ExceptionState.EXCEEDED:
            return (
                f"The exception by {exception.by} accepts level {exception.what}, which does not "
                "cover the level that was found"
            )
        case _:
            assert_never(state)


def noted_line(domain: NotedDomain) -> str:
    """The answer on *domain* in a line."""
    return domain_line(domain.name, LABELS[domain.standing], domain.answer)


def domain_line(name: str, label: str, sentence: str) -> str:
    """What every summary and mail says of a domain; safe to show."""
    return printable(f"{name}: {label}. {sentence}.")


def capped(lines: Iterable[str], at_most: int, number: int) -> Iterator[str]:
    """The first of *lines*, then how many more there are of *number* in all."""
    shown = 0
    for line in itertools.islice(lines, at_most):
        shown += 1
        yield line
    if shown < number:
        yield f"and {number - shown} more"


def _levels(totals: Totals) -> str:
    levels = (level for level in reversed(Level) if level in totals.levels)
    return ", ".join(f"{totals.levels[level]} {level}" for level in levels)


def _expiring(totals: Totals) -> Iterator[str]:
    soonest = sorted(totals.expiring.values(), key=lambda each: (each.not_after, each.mx_host))
    return capped(map(_expiring_line, soonest), _SOONEST, len(soonest))


def _expiring_line(each: NotedCertificate) -> str:
    domains = counted(each.domains, "domain")
    return printable(f"{each.not_after:%Y-%m-%d} {each.mx_host} ({domains})")


def _listed(title: str, lines: Iterator[str]) -> Iterator[str]:
    """*lines* below their title; nothing where there is none."""
    for number, line in enumerate(lines):
        if number == 0:
            yield f"{title}:"
        yield f"  {line}"
