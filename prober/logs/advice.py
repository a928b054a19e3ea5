"""What to do about each domain: what left, beside what probing saw and what a policy map says.

The decision table is in docs/logs.md. Pure: the caller reads the results and the map.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from prober.logs.records import Direction
from prober.logs.summary import NO_DOMAIN, OTHERS, Advice, Counts, Summary, messages
from prober.records import Level

MAX_SEEN: Final = 100  # reports of one domain that are kept
_EVERY_SERVER: Final = (Level.OPPORTUNISTIC, Level.AUTHENTICATED, Level.ENFORCED)
_REQUIRE: Final = "require TLS, and this cannot happen again"


class Seen(NamedTuple):
    """What one run of probing saw. ``complete``: nothing was left unseen."""

    checked_at: datetime
    level: Level
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known besides the logs. ``None``: nothing was given."""

    seen: Mapping[str, Sequence[Seen]] | None = None  # by domain
    required: frozenset[str] | None = None  # domains for which the policy map requires TLS
    listed: frozenset[str] = field(default_factory=frozenset)  # all domains of the map


def advise(summary: Summary, known: Known) -> Iterator[Advice]:
    """Advice for each domain, the most messages in clear first."""
    domains: dict[str, Counts] = {}
    for (direction, domain, _), counts in summary.groups.items():
        if direction is Direction.OUT and domain not in (OTHERS, NO_DOMAIN):
            domains.setdefault(domain, Counts()).add(counts)
    for domain, counts in sorted(domains.items(), key=lambda item: (-item[1].clear, item[0])):
        if known.seen is not None and counts.clear:
            yield Advice(domain, *_of_probing(known.seen.get(domain, ()), counts.last_clear))
        if known.required is not None:
            yield from _of_map(domain, counts, known.required, known.listed)


def _of_probing(seen: Sequence[Seen], left: datetime | None) -> tuple[str, str]:
    """Code and text for a domain that got mail in clear, last at *left*."""
    if not seen:
        return "not-probed", "not in the results: probe it to see what it offers"
    ordered = sorted(seen)
    now = ordered[-1]
    when = f"on {now.checked_at.date()}"
    if now.level is Level.NONE:
        return "offers-none", f"no server offered TLS {when}: use a portal, or ask them for TLS"
    if now.level is Level.PARTIAL:
        return "offers-partly", f"only some servers offered TLS {when}: ask them for TLS on all"
    if now.level not in _EVERY_SERVER or not now.complete:
        return "not-seen", f"what its servers offer could not be seen {when}: probe it again"
    before = [each for each in ordered if left is not None and each.checked_at <= left]
    if before and before[-1].level is Level.NONE:
        then = before[-1].checked_at.date()
        return "offers-now", f"offered none on {then}, and TLS on every server {when}: {_REQUIRE}"
    return "offers-all", f"offered TLS on every server {when}: {_REQUIRE}"


def _of_map(
    domain: str, counts: Counts, required: frozenset[str], listed: frozenset[str]
) -> Iterator[Advice]:
    if domain in required and counts.clear:
        yield Advice(
            domain,
            "map-not-obeyed",
            f"the map requires TLS, and {messages(counts.clear)} left in clear: check that "
            "Postfix uses it (smtp_tls_policy_maps, postfix reload), and since when",
        )
    if domain in required and counts.held_back:
        held = messages(counts.held_back)
        text = (
            f"the map requires TLS. Held back: {held}. See why in the column reply of -o FILE.csv"
        )
        yield Advice(domain, "map-holds-back", text)
    left_well = counts.encrypted and not counts.clear and not counts.unknown
    if domain not in listed and left_well:
        yield Advice(
            domain,
            "can-tighten",
            f"all mail was encrypted ({messages(counts.encrypted)}): `probe policy` tells whether "
            "TLS can be required",
        )
