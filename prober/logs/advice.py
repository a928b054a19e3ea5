"""What to do about each domain: what left, beside what probing saw and what a policy map says.

The decision table is in docs/logs.md. Pure: the caller reads the results and the map.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from prober.logs.objects import AdviceObject
from prober.logs.records import Direction, name_of
from prober.logs.summary import NO_DOMAIN, OTHERS, Counts, Summary, messages
from prober.records import DomainReport, Level

MAX_SEEN: Final = 1_000  # reports of one domain that are kept, the newest
_EVERY_SERVER: Final = (Level.OPPORTUNISTIC, Level.AUTHENTICATED, Level.ENFORCED)
_VERSIONS: Final = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_OLD: Final = _VERSIONS[:2]  # RFC 8996
_REQUIRE: Final = "require TLS, and this cannot happen again"


class Seen(NamedTuple):
    """What one run of probing saw. ``complete``: nothing was left unseen.

    ``tls`` is the lowest version that a server chose, such as "TLSv1.2"; empty if not known.
    """

    checked_at: datetime
    level: Level
    complete: bool
    tls: str = ""

    @property
    def every_server(self) -> bool:
        """Whether every server was seen, and offers TLS."""
        return self.complete and self.level in _EVERY_SERVER

    @property
    def nothing(self) -> bool:
        """Whether it tells nothing against TLS on every server, and does not prove it."""
        return not self.every_server and self.level in (*_EVERY_SERVER, Level.UNKNOWN)


def seen_of(report: DomainReport) -> Seen:
    """What *report* says, for ``Known.seen``."""
    versions = [each.tls_version for each in report.endpoints if each.tls_version is not None]
    lowest = min(versions, key=_rank, default="")
    verdict = report.verdict
    return Seen(report.checked_at, verdict.level, verdict.complete, lowest)


def _rank(version: str) -> int:
    return _VERSIONS.index(version) if version in _VERSIONS else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known besides the logs. ``None``: nothing was given."""

    seen: Mapping[str, Sequence[Seen]] | None = None  # by domain
    required: frozenset[str] | None = None  # domains for which the policy map requires TLS
    listed: frozenset[str] = field(default_factory=frozenset)  # all domains of the map


def advise(summary: Summary, known: Known) -> Iterator[AdviceObject]:
    """Advice for each domain, the most messages in clear first."""
    domains = by_domain(summary).items()
    for domain, counts in sorted(domains, key=lambda item: (-item[1].clear, item[0])):
        if known.seen is not None and counts.clear:
            seen = known.seen.get(name_of(domain) or domain, ())
            yield AdviceObject(domain, *_of_probing(seen, counts.last_clear))
        if known.required is not None:
            required, listed = domain in known.required, domain in known.listed
            for found in _of_map(counts, required=required, listed=listed):
                yield AdviceObject(domain, *found)


def by_domain(summary: Summary) -> dict[str, Counts]:
    """What was sent to each domain, over all weeks."""
    domains: dict[str, Counts] = {}
    for (direction, domain, _), counts in summary.groups.items():
        if direction is Direction.OUT and domain not in (OTHERS, NO_DOMAIN):
            domains.setdefault(domain, Counts()).add(counts)
    return domains


def _of_probing(seen: Sequence[Seen], left: datetime | None) -> tuple[str, str]:
    """Code and text for a domain that got mail in clear, last at *left*."""
    if not seen:
        return "not-probed", "it was not probed: probe it to see what it offers"
    ordered = sorted(seen)
    now = ordered[-1]
    when = f"on {now.checked_at.date()}"
    if now.level is Level.NONE:
        return "offers-none", f"no server offered TLS {when}: use a portal, or ask them for TLS"
    if now.level is Level.PARTIAL:
        return "offers-partly", f"only some servers offered TLS {when}: ask them for TLS on all"
    if not now.every_server:
        return "not-seen", f"what its servers offer could not be seen {when}: probe it again"
    if now.tls in _OLD:
        text = f"a server offered only {_words(now.tls)} {when}: ask them for TLS 1.2 or newer"
        return "offers-old", text
    since = _since(ordered).checked_at.date()
    is_longer = since != now.checked_at.date()
    if is_longer:
        when = f"since {since} (last tested {when})"
    before = [each for each in ordered if left and each.checked_at <= left and not each.nothing]
    if before and before[-1].level in (Level.NONE, Level.PARTIAL):
        who = "no server" if before[-1].level is Level.NONE else "only some servers"
        then = f"{who} offered TLS on {before[-1].checked_at.date()}"
        text = f"{then}; now {_words(now.tls)} on every server {when}: {_REQUIRE}"
        return "offers-now", text
    verb = "offers" if is_longer else "offered"
    return "offers-all", f"{verb} {_words(now.tls)} on every server {when}: {_REQUIRE}"


def _since(ordered: Sequence[Seen]) -> Seen:
    """The first of the reports that all say what the last one says, as far as they could see."""
    first = now = ordered[-1]
    for each in reversed(ordered):
        if each.nothing:
            continue
        if not each.every_server or _rank(each.tls) < _rank(now.tls):
            break
        first = each
    return first


def _words(version: str) -> str:
    """Such as "TLS 1.3"; "TLS" where the version is not known."""
    return {"TLSv1": "TLS 1.0"}.get(version, version.replace("TLSv", "TLS ")) or "TLS"


def _of_map(counts: Counts, *, required: bool, listed: bool) -> Iterator[tuple[str, str]]:
    """Codes and texts for a domain: whether the policy map requires TLS for it, or lists it."""
    if required and counts.clear:
        text = (
            f"the map requires TLS, and {messages(counts.clear)} left in clear: check that "
            "Postfix uses it (smtp_tls_policy_maps, postfix reload), and since when"
        )
        yield "map-not-obeyed", text
    if required and counts.held_back:
        held = messages(counts.held_back)
        text = f"the map requires TLS. Held back: {held}."
        yield "map-holds-back", f"{text} See why in the column reply of -o FILE.csv"
    if not listed and counts.encrypted and not counts.clear and not counts.unknown:
        text = (
            f"all mail was encrypted ({messages(counts.encrypted)}): `probe policy` tells whether"
        )
        yield "can-tighten", f"{text} TLS can be required"
