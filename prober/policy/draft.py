"""Makes a policy map from the results of one or more runs. It keeps little of each result."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Final

from prober.domains import is_domain
from prober.errors import InputError
from prober.escape import utc
from prober.policy.base import LiveMap, Provenance
from prober.policy.decide import (
    Change,
    Decision,
    Evidence,
    Patience,
    Policy,
    PolicyLevel,
    assess,
    decide,
)
from prober.policy.postfix import show_policy
from prober.records import DomainReport
from prober.rules.certificate_fields import CertificateReader
from prober.version import __version__


class Draft:
    """A policy map in progress. *levels* are those that may be written.

    Results from before *oldest* do not count.
    """

    def __init__(
        self,
        live: LiveMap,
        levels: Collection[PolicyLevel],
        patience: Patience,
        *,
        weak_dh: bool = True,
        asks_behind_alias: bool = False,
        oldest: datetime | None = None,
    ) -> None:
        self._live = live
        self._oldest = oldest
        self._too_old = 0
        self._levels = levels
        self._patience = patience
        self.reader = CertificateReader()
        self._assess = partial(
            assess, weak_dh=weak_dh, asks_behind_alias=asks_behind_alias, reader=self.reader
        )
        self._runs: dict[str, list[Evidence]] = defaultdict(list)
        self._trust_stores: dict[str, None] = {}
        self._first: datetime | None = None
        self._last: datetime | None = None

    def add(self, report: DomainReport, proved: DomainReport | None = None) -> None:
        """Note what *report* says about its domain. A report without a domain is skipped.

        *proved*: the report without what its DNSSEC proof does not support. If it differs, only
        lines that both allow are written.
        """
        if report.server is not None:
            raise InputError(
                f"{report.input} was tested with --server {report.server.name}, which says nothing "
                "of its MX hosts: a map needs results without --server"
            )
        domain = report.domain
        if domain is None or not is_domain(domain) or self._live.covers(domain):
            return
        if self._oldest is not None and report.checked_at < self._oldest:
            self._too_old += 1
            return
        live = self._live.policies.get(domain)
        evidence = self._assess(report, live)
        if proved is not None and proved is not report:
            left = self._assess(proved, live)
            evidence = left.within(evidence)
        self._runs[domain].append(evidence)
        store = report.run.trust_store
        anchors = "anchor" if store.certificates == 1 else "anchors"
        self._trust_stores[f"{store.certificates} {anchors} of {store.source}"] = None
        self._first = min(filter(None, (self._first, report.checked_at)))
        self._last = max(filter(None, (self._last, report.checked_at)))

    def show_too_old(self) -> Iterator[str]:
        """How many results are left out because of their age, in a line."""
        if self._too_old and self._oldest is not None:
            noun = "result is" if self._too_old == 1 else "results are"
            yield f"{self._too_old} {noun} from before {utc(self._oldest)} and left out"

    def decisions(self) -> tuple[Decision, ...]:
        """A decision for every domain in the results or in the live map."""
        domains = sorted(self._runs.keys() | self._live.policies.keys())
        return tuple(
            decide(
                domain,
                self._runs.get(domain, ()),
                self._live.policies.get(domain),
                levels=self._levels,
                patience=self._patience,
            )
            for domain in domains
        )

    def provenance(self, files: int) -> Provenance:
        """The origin of the map: *files* files, and what was in them."""
        return Provenance(
            version=__version__,
            files=files,
            first=self._first,
            last=self._last,
            trust_stores=tuple(self._trust_stores),
        )


_MARKS: Final = MappingProxyType(
    {
        Change.NEW: "+",
        Change.TIGHTENED: "^",
        Change.MOVED: "~",
        Change.LOOSENED: "v",
        Change.REMOVED: "-",
        Change.KEPT: "!",
    }
)


def show_changes(decisions: Iterable[Decision]) -> Iterator[str]:
    """Each change, each kept line that loses mail, and how many lines are unchanged."""
    unchanged: Counter[Change] = Counter()
    for decision in sorted(decisions, key=lambda each: each.domain):
        if decision.change is Change.NONE or (
            decision.change is Change.KEPT and not decision.loses
        ):
            unchanged[decision.change] += 1
            continue
        what = _shown(decision.after)
        if decision.before is not None and decision.before != decision.after:
            what = f"{_shown(decision.before)} -> {what}"
        yield f"{_MARKS[decision.change]} {decision.domain}: {what} ({decision.reason})"
    yield f"{unchanged[Change.KEPT]} as before, {unchanged[Change.NONE]} without a line"


def show_unproved(decisions: Iterable[Decision]) -> Iterator[str]:
    """How many lines are weaker because a DNSSEC proof is not valid, and which."""
    weaker = [each for each in decisions if each.unproved is not None]
    if len(weaker) == 1:
        yield "1 domain has a weaker line or none: its DNSSEC proof is not valid"
    elif weaker:
        yield f"{len(weaker)} domains have a weaker line or none: their DNSSEC proofs are not valid"
    for each in sorted(weaker, key=lambda decision: decision.domain):
        yield f"{each.domain}: {_shown(each.after)} instead of {_shown(each.unproved)}"


def _shown(policy: Policy | None) -> str:
    return show_policy(policy) if policy is not None else "no line"
