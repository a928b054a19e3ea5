"""Which policy a sender may set for a domain: the strictest that loses no mail. docs/policy.md.

Users rely on a live map. So no line requires less than the one before, except with --loosen-runs
and after several runs which prove that it loses mail. An unknown result loosens no line, and an
incomplete one tightens none.
"""

import enum
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, assert_never

from prober.records import DomainReport, MtaSts, StsStatus
from prober.records.delivery import Delivery, DeliveryOutcome, SenderOutcomes
from prober.rules.certificate_fields import CertificateReader
from prober.rules.completeness import covers_every_endpoint
from prober.rules.delivery import judge_delivery, judge_secure
from prober.rules.endpoint import chose_weak_dh
from prober.rules.identity import name_fault
from prober.rules.senders import SECURE_MATCH
from prober.rules.sts_policy import is_covered
from prober.rules.views import Views, views_of


class PolicyLevel(enum.StrEnum):
    """What a sender requires, as Postfix names it, the strictest first. TLS_README."""

    DANE_ONLY = "dane-only"  # by TLSA only: RFC 7672
    SECURE = "secure"  # a certificate for a name that does not come from DNS
    VERIFY = "verify"  # a certificate for the MX host
    ENCRYPT = "encrypt"  # TLS 1.2 or better, any certificate


_RANK: Final = {level: rank for rank, level in enumerate(reversed(PolicyLevel), start=1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What to require. ``match``: the names that ``secure`` accepts, in Postfix's spelling.

    ``sts``: the MTA-STS policy of the domain lists these names. Policies are compared without it,
    since the format of the map and the version of Postfix decide whether it is written.
    """

    level: PolicyLevel
    match: tuple[str, ...] = ()
    sts: bool = field(default=False, compare=False)


class Effect(enum.StrEnum):
    """What a policy does to mail today."""

    DELIVERS = "delivers"
    LOSES = "loses"  # a server that senders try first does not meet it: mail is held back
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one run found about a domain, for a map."""

    checked_at: datetime
    complete: bool  # every endpoint was seen; other gaps make single policies unknown
    offers: tuple[Policy, ...]  # those that deliver now and in fallback, the strictest first
    losing: frozenset[PolicyLevel]  # of verify and encrypt, those that hold mail back now
    live: Effect  # of the line that the live map has; unknown where it has none
    claimed: "Evidence | None" = None  # what it would be if its DNSSEC proof were valid

    def within(self, claimed: "Evidence") -> "Evidence":
        """This evidence, limited by *claimed*: what the results say without regard to their proof.

        No line may rest on DNSSEC that is not proved. Nor is a line added because TLSA records that
        forbid it are not proved.
        """
        offers = tuple(policy for policy in self.offers if policy in claimed.offers)
        return replace(self, offers=offers, claimed=claimed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How many runs in a row a change needs. ``loosen_runs`` None: no line is loosened."""

    require_runs: int = 1
    loosen_runs: int | None = None


class Change(enum.StrEnum):
    """How the line of a domain changes."""

    NONE = "none"  # no line, before or after
    NEW = "new"
    TIGHTENED = "tightened"
    MOVED = "moved"  # as strict as before, for other names
    KEPT = "kept"
    LOOSENED = "loosened"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The line for a domain, and why. ``loses``: it is kept although it holds mail back today.

    ``unproved``: the stricter line that it would have if its DNSSEC proofs were valid.
    """

    domain: str
    before: Policy | None
    after: Policy | None
    change: Change
    reason: str
    loses: bool = False
    unproved: Policy | None = None


def assess(
    report: DomainReport,
    live: Policy | None = None,
    reader: CertificateReader | None = None,
    *,
    weak_dh: bool = True,
    asks_behind_alias: bool = False,
) -> Evidence:
    """What *report* says about each policy, and about the *live* one.

    *reader* remembers certificates from one report to the next. *weak_dh*: whether every build of
    the sender accepts Diffie-Hellman groups below 2048 bits. If not, no policy is known to deliver
    to a server that chooses such a group. *asks_behind_alias*: if an MX host is an alias, the
    sender sends SNI for the name behind it, verifies the alias, and looks up TLSA behind it only.
    """
    views = views_of(report.endpoints, reader)
    delivery = judge_delivery(report, views)
    effects = {
        PolicyLevel.VERIFY: _effect(delivery.verified, DeliveryOutcome.AUTHENTICATED),
        PolicyLevel.ENCRYPT: _effect(delivery.mandatory, DeliveryOutcome.ENCRYPTED),
    }
    effect = Effect.UNKNOWN if live is None else _judge_live(report, views, delivery, live)
    refused = not weak_dh and any(map(chose_weak_dh, report.endpoints))
    unknown = _unknown_behind_alias(report) if asks_behind_alias else frozenset()
    if effect is Effect.DELIVERS and live is not None:
        effect = Effect.UNKNOWN if refused or live.level in unknown else effect
    offers = () if refused else tuple(_offers(report, views, delivery))
    return Evidence(
        checked_at=report.checked_at,
        complete=covers_every_endpoint(report),
        offers=tuple(each for each in offers if each.level not in unknown),
        losing=frozenset(level for level, effect in effects.items() if effect is Effect.LOSES),
        live=effect,
    )


def _unknown_behind_alias(report: DomainReport) -> frozenset[PolicyLevel]:
    """The policies that are unknown for a sender which asks for the name behind an alias.

    RFC 7672 §2.2.2.
    """
    aliases = [host for host in report.mx_hosts if host.alias_of is not None]
    unknown = {PolicyLevel.SECURE, PolicyLevel.VERIFY} if aliases else set[PolicyLevel]()
    if any(host.tlsa_base != host.alias_of for host in aliases):
        unknown.add(PolicyLevel.DANE_ONLY)
    return frozenset(unknown)


def decide(
    domain: str,
    runs: Collection[Evidence],
    live: Policy | None,
    *,
    levels: Collection[PolicyLevel],
    patience: Patience,
) -> Decision:
    """The line for *domain* after *runs*, in any order; one of *levels*, or none.

    A run that is given twice counts once.
    """
    ordered = sorted({run.checked_at: run for run in runs}.values(), key=lambda run: run.checked_at)
    decision = _decide(domain, ordered, live, levels, patience)
    if all(run.claimed is None for run in ordered):
        return decision
    claimed = [run.claimed or run for run in ordered]
    other = _decide(domain, claimed, live, levels, patience).after
    return replace(decision, unproved=other) if _rank(other) > _rank(decision.after) else decision


def _rank(policy: Policy | None) -> int:
    return 0 if policy is None else _RANK[policy.level]


def _decide(
    domain: str,
    ordered: Sequence[Evidence],
    live: Policy | None,
    levels: Collection[PolicyLevel],
    patience: Patience,
) -> Decision:
    proven = _strictest(ordered, levels, patience.require_runs)
    if _rank(proven) > _rank(live):
        change = Change.NEW if live is None else Change.TIGHTENED
        why = f"{_runs(patience.require_runs)} delivered"
        return Decision(domain=domain, before=live, after=proven, change=change, reason=why)
    if live is None:
        reason = _why_nothing(ordered, levels, patience)
        return Decision(domain=domain, before=None, after=None, change=Change.NONE, reason=reason)
    return _decide_live(domain, ordered, live, proven, levels, patience)


def _decide_live(
    domain: str,
    runs: Sequence[Evidence],
    live: Policy,
    proven: Policy | None,
    levels: Collection[PolicyLevel],
    patience: Patience,
) -> Decision:
    """A line that is not tightened: it gets other names, is loosened if allowed, or stays."""
    lost = _count_losses(runs)
    moves = proven is not None and proven.level is live.level and proven != live
    if moves and lost >= patience.require_runs:
        reason = f"{_runs(lost)} lost mail by the old names, and delivered by the new ones"
        return Decision(
            domain=domain, before=live, after=proven, change=Change.MOVED, reason=reason
        )
    if patience.loosen_runs is not None and lost >= patience.loosen_runs:
        after = _step_down(runs[-patience.loosen_runs :], live, levels)
        change = Change.REMOVED if after is None else Change.LOOSENED
        reason = f"{_runs(lost)} lost mail"
        return Decision(domain=domain, before=live, after=after, change=change, reason=reason)
    return Decision(
        domain=domain,
        before=live,
        after=proven if proven == live else live,  # which knows whether the names are by MTA-STS
        change=Change.KEPT,
        reason=_why_kept(runs, lost, patience),
        loses=lost > 0,
    )


def _offers(report: DomainReport, views: Sequence[Views], delivery: Delivery) -> Iterator[Policy]:
    """The policies that deliver now and in fallback, the strictest first.

    None if the TLSA records do not match the servers, or could not be looked up at a host with
    secure addresses: a line replaces DANE at a sender that checks it, and would deliver mail that
    RFC 7672 §2.1.2 and §2.2 say to hold back.
    """
    dane = delivery.dane
    if DeliveryOutcome.DEFERRED in (dane.now, dane.fallback):
        return
    if any(host.tlsa_failure is not None for host in report.mx_hosts):
        return
    if _delivers(dane, DeliveryOutcome.AUTHENTICATED) and dane.attacked is DeliveryOutcome.DEFERRED:
        yield Policy(level=PolicyLevel.DANE_ONLY)
    for policy in _secure_policies(report.mta_sts):
        # by MTA-STS the names are those of MX hosts, and each has to prove its own: RFC 8461 §4.1
        obeyed = not policy.sts or _delivers(delivery.mta_sts, DeliveryOutcome.AUTHENTICATED)
        named = judge_secure(report, views, policy.match)
        if obeyed and _delivers(named, DeliveryOutcome.AUTHENTICATED):
            yield policy
    if _delivers(delivery.verified, DeliveryOutcome.AUTHENTICATED):
        yield Policy(level=PolicyLevel.VERIFY)
    if _delivers(delivery.mandatory, DeliveryOutcome.ENCRYPTED):
        yield Policy(level=PolicyLevel.ENCRYPT)


def _secure_policies(sts: MtaSts | None) -> Iterator[Policy]:
    """Names that do not come from DNS: those in the MTA-STS policy, and the domain itself.

    The names of the present MX hosts are not used, because they may change without notice.
    """
    agreed = sts is not None and sts.senders_differ is None
    if agreed and sts is not None and sts.status is StsStatus.ENFORCE and sts.mx:
        names = tuple(sorted(dict.fromkeys(pattern.lower() for pattern in sts.mx)))
        # the domain owner wrote the policy: nothing but names may get from it into a map, and no
        # "hostname", which postconf(5) has as the name of whatever MX host DNS gives
        if all(name_fault(name) is None and "." in name for name in names):
            match = tuple(name.removeprefix("*") for name in names)
            yield Policy(level=PolicyLevel.SECURE, match=match, sts=True)
    yield Policy(level=PolicyLevel.SECURE, match=SECURE_MATCH)


def _judge_live(
    report: DomainReport, views: Sequence[Views], delivery: Delivery, live: Policy
) -> Effect:
    match live.level:
        case PolicyLevel.DANE_ONLY:
            return _judge_dane_only(delivery.dane)
        case PolicyLevel.SECURE if live.sts:
            return _judge_sts_line(report, delivery, live)
        case PolicyLevel.SECURE:
            outcomes = judge_secure(report, views, live.match or SECURE_MATCH)
            return _effect(outcomes, DeliveryOutcome.AUTHENTICATED)
        case PolicyLevel.VERIFY:
            return _effect(delivery.verified, DeliveryOutcome.AUTHENTICATED)
        case PolicyLevel.ENCRYPT:
            return _effect(delivery.mandatory, DeliveryOutcome.ENCRYPTED)
        case _:
            assert_never(live.level)


def mx_patterns(match: Iterable[str]) -> tuple[str, ...]:
    """The names of a policy in the spelling of MTA-STS: ``*.example.com`` for ``.example.com``."""
    return tuple(f"*{name}" if name.startswith(".") else name for name in match)


def _judge_sts_line(report: DomainReport, delivery: Delivery, live: Policy) -> Effect:
    """Postfix uses only the MX hosts in the line, and each must prove its own name."""
    patterns = mx_patterns(live.match)
    listed = [is_covered(host.name, patterns) for host in report.mx_hosts]
    if listed and not any(listed):
        return Effect.LOSES
    if not listed or not all(listed):  # a host that Postfix leaves out may be the one that fails
        return Effect.UNKNOWN
    return _effect(delivery.verified, DeliveryOutcome.AUTHENTICATED)


def _judge_dane_only(dane: SenderOutcomes) -> Effect:
    """If a DANE sender delivers without TLSA, or with unusable TLSA, dane-only does not deliver."""
    if dane.now in (DeliveryOutcome.CLEAR, DeliveryOutcome.ENCRYPTED):
        return Effect.LOSES
    return _effect(dane, DeliveryOutcome.AUTHENTICATED)


def _effect(outcomes: SenderOutcomes, delivered: DeliveryOutcome) -> Effect:
    if outcomes.now is DeliveryOutcome.DEFERRED:
        return Effect.LOSES
    return Effect.DELIVERS if _delivers(outcomes, delivered) else Effect.UNKNOWN


def _delivers(outcomes: SenderOutcomes, delivered: DeliveryOutcome) -> bool:
    return outcomes.now is delivered and outcomes.fallback is delivered


def _strictest(
    runs: Sequence[Evidence], levels: Collection[PolicyLevel], wanted: int
) -> Policy | None:
    """The strictest policy that each of the last *wanted* runs allows, all of them complete."""
    last = runs[-wanted:]
    if len(last) < wanted or not all(run.complete for run in last):
        return None
    common = (
        policy
        for policy in last[-1].offers
        if policy.level in levels and all(policy in run.offers for run in last)
    )
    return next(common, None)


def _count_losses(runs: Sequence[Evidence]) -> int:
    """How many runs in a row, up to the last, prove that the live line loses mail."""
    count = 0
    for run in reversed(runs):
        if run.live is not Effect.LOSES:
            break
        count += 1
    return count


def _step_down(
    runs: Sequence[Evidence], live: Policy, levels: Collection[PolicyLevel]
) -> Policy | None:
    """The strictest policy below the live one that no run proves to lose mail."""
    secure = [
        policy
        for policy in runs[-1].offers
        if policy.level is PolicyLevel.SECURE and all(policy in run.offers for run in runs)
    ]
    lost = frozenset[PolicyLevel]().union(*(run.losing for run in runs))
    others = [Policy(level=level) for level in (PolicyLevel.VERIFY, PolicyLevel.ENCRYPT)]
    below = (
        policy
        for policy in (*secure, *others)
        if _RANK[policy.level] < _RANK[live.level]
        and policy.level in levels
        and policy.level not in lost
    )
    return next(below, None)


def _why_nothing(
    runs: Sequence[Evidence], levels: Collection[PolicyLevel], patience: Patience
) -> str:
    if len(runs) < patience.require_runs:
        return f"seen in {_runs(len(runs))} of {patience.require_runs}"
    if not all(run.complete for run in runs[-patience.require_runs :]):
        return "not seen completely"
    some = any(policy.level in levels for policy in runs[-1].offers)
    return "not in every run" if some else "no policy is known to deliver to every host"


def _why_kept(runs: Sequence[Evidence], lost: int, patience: Patience) -> str:
    if not runs:
        return "not in the results"
    if lost:
        of = f" of {patience.loosen_runs}" if patience.loosen_runs is not None else ""
        return f"it holds mail back today ({_runs(lost)}{of})"
    if runs[-1].live is Effect.DELIVERS:
        return "it delivers"
    return "not seen well enough to say"


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"
