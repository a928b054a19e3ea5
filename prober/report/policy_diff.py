"""What a new policy map changes, one line a domain, for the person who has to answer for it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from types import MappingProxyType
from typing import Final

from prober.report.policy_postfix import show_policy
from prober.rules.policy_map import Change, Decision, Policy

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
    """Each change, each line that is kept although it loses mail, and how many are as they were."""
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


def _shown(policy: Policy | None) -> str:
    return show_policy(policy) if policy is not None else "no line"
