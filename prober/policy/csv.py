"""A policy map as CSV, for people and for MTAs without a format here."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Final

from prober.errors import InputError
from prober.policy.base import LiveMap, MapFormat, Provenance, domain_of
from prober.policy.decide import Decision, Policy, PolicyLevel
from prober.report.csv_ import to_csv

COLUMNS: Final = ("domain", "policy", "match", "before", "change", "reason", "loses")


class CsvMap(MapFormat):
    """One row per domain that was decided on, also for those without a policy."""

    levels = tuple(PolicyLevel)

    def parse(self, text: str) -> LiveMap:
        """Read the first three columns of what ``render`` writes; the others may be missing."""
        rows = csv.DictReader(io.StringIO(text, newline=None))
        try:
            policies = dict(_policies(rows))
        except csv.Error as error:
            raise InputError(f"line {rows.line_num}: {error}") from error
        return LiveMap(policies=policies)

    def render(self, decisions: Sequence[Decision], live: LiveMap, provenance: Provenance) -> str:
        ordered = sorted(decisions, key=lambda each: each.domain)
        return to_csv([COLUMNS, *map(_row, ordered)]).decode()


def _policies(rows: "csv.DictReader[str]") -> Iterator[tuple[str, Policy]]:
    if not {"domain", "policy"} <= set(rows.fieldnames or ()):
        raise InputError("it has no columns domain and policy")
    for row in rows:
        domain, word = domain_of(row["domain"] or ""), row["policy"] or ""
        if domain is None:
            raise InputError(f"line {rows.line_num}: no domain")
        if word and word not in tuple(PolicyLevel):
            raise InputError(f"line {rows.line_num}: no policy: {word!a}")
        if word:
            match = tuple((row.get("match") or "").split())
            yield domain, Policy(level=PolicyLevel(word), match=match)


def _row(decision: Decision) -> tuple[str, ...]:
    after, before = decision.after, decision.before
    return (
        decision.domain,
        after.level if after else "",
        " ".join(after.match) if after else "",
        before.level if before else "",
        decision.change,
        decision.reason,
        "yes" if decision.loses else "no",
    )
