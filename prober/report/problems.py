"""The findings of a domain in words, one for each code, the most severe first."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from prober.domains import operator_of
from prober.escape import listed, printable
from prober.records import Code, DomainReport, FactRating, Failure, Finding, Standing
from prober.report.rows import severity_order
from prober.report.words import failure_words
from prober.rules.endpoint import describe_failure
from prober.rules.hellos import ANOTHER_SAW
from prober.rules.operator_advice import advice_for
from prober.rules.profiles import PROFILES
from prober.rules.rating import below_profile

_SAID_BY_MEANING: Final = (  # their details say the same in other words
    Code.NULL_MX,
    Code.DOMAIN_NOT_FOUND,
    Code.NO_MAIL_HOST,
    Code.IMPLICIT_MX,
)
_PLACES: Final = 4  # of one finding, before "and N more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A finding, where it was found, and what to do. All of it is printable."""

    code: Code
    places: tuple[str, ...]
    advice: str

    @property
    def norm(self) -> str:
        """The paragraph that it rests on; empty where that is our own judgement."""
        return "" if self.code.norm.startswith("ours") else self.code.norm


def problems_of(report: DomainReport) -> Iterator[Problem]:
    """Each code once, with all its places."""
    groups: dict[Code, list[Finding]] = {}
    for finding in sorted(report.findings, key=severity_order):
        groups.setdefault(finding.code, []).append(finding)
    failures = [each.failure for seen in report.endpoints for each in seen.attempts]
    failures += [seen.failure for seen in report.endpoints]
    said = {describe_failure(each): each for each in failures}
    for code, findings in groups.items():
        advice = dict.fromkeys(advice_for(found, operator_of) for found in findings)
        yield Problem(
            code=code, places=tuple(_places(findings, said)), advice=printable(" ".join(advice))
        )


def _places(findings: list[Finding], said: Mapping[str | None, Failure | None]) -> Iterator[str]:
    """Where it was found, one line for all places that share a detail.

    A detail that describes a failure of a session is in the words of the endpoint's own line;
    *said* finds it.
    """
    by_detail: dict[str | None, list[str]] = {}
    for finding in findings:
        named = (finding.mx_host, finding.address)
        place = " ".join(part for part in named if part is not None)
        detail = None if finding.code in _SAID_BY_MEANING else finding.detail
        by_detail.setdefault(detail, []).append(place)
    for detail, places in by_detail.items():
        lead = ANOTHER_SAW if detail is not None and detail.startswith(ANOTHER_SAW) else ""
        failure = said.get(detail and detail.removeprefix(lead))
        words = lead + failure_words(failure) if failure is not None else detail
        parts = [joined(place for place in places if place), words or ""]
        line = ": ".join(part for part in parts if part)
        if line:
            yield printable(line)


def profile_gaps(report: DomainReport) -> dict[FactRating, list[str]]:
    """The facts that keep endpoints below the required profile, each with its places."""
    ratings, gaps = report.profile_ratings, dict[FactRating, list[str]]()
    if ratings is None or report.standing is Standing.MEETS:
        return gaps
    for row in below_profile(ratings, PROFILES[ratings.profile]):
        place = f"{row.mx_host} {row.address}{'' if row.sni else ' without SNI'}"
        gaps.setdefault(replace(row, mx_host="", address="", sni=True), []).append(place)
    return gaps


def joined(places: Iterable[str]) -> str:
    """The first few of *places*, each once, and how many more there are."""
    return listed(dict.fromkeys(places), _PLACES)
