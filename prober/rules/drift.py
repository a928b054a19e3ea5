"""What changed between the observations of a domain, and in which direction. docs/record.md.

An aspect that could not be looked at is carried over as it was last seen: that is *lost sight*,
never a change. What differs between the members of a pool behind one name is known once each of
them was seen, and does not come up again.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from prober.records import Answer, DomainReport, Level, Standing
from prober.records.changes import Change, ChangeCode, Direction
from prober.rules.aspects import (
    StsPolicyValue,
    Value,
    blind_spots,
    operators_reader,
    read_dnssec,
    read_level,
    read_mx_hosts,
    read_route,
    read_standing,
    read_sts_mode,
    read_sts_policy,
    read_tls_rpt,
)
from prober.rules.endpoint import Outcome, proven
from prober.rules.history import History, direction_of, found
from prober.rules.server_drift import endpoint_changes, host_changes
from prober.rules.verdict import authenticated, judge_requirable
from prober.rules.views import view_of

KNOWN_RUNS: Final = 8  # so many earlier runs are compared with, where there are so many


def compare(
    now: DomainReport,
    earlier: Sequence[DomainReport],
    *,
    operator_of: Callable[[str], str],
    patience: int = 1,
) -> tuple[Change, ...]:
    """How *now* differs from *earlier*, newest first, all assessed; the worst change first.

    Lost sight is reported after *patience* runs in a row. Where there are no *earlier*
    ones, nothing is known to have changed. All that is in them is known of a pool: see KNOWN_RUNS.
    """
    if not earlier or now.domain is None:
        return ()
    history = History(now, earlier)
    changes = [
        *_on_domain(history, operator_of),
        *host_changes(history),
        *endpoint_changes(history),
    ]
    changes += _on_verdict(history, changes)
    order = list(Direction)
    merged = [_with_patience(change, patience) for change in _merged(changes)]
    return tuple(sorted(merged, key=lambda change: order.index(change.direction)))


def _with_patience(change: Change, patience: int) -> Change:
    if change.direction is not Direction.LOST_SIGHT:
        return change
    return replace(change, told=change.told and change.runs == patience)


def _on_domain(history: History, operator_of: Callable[[str], str]) -> Iterator[Change]:
    route = history.changed(ChangeCode.ROUTE, read_route)
    yield from found(route)
    if read_route(history.report) is None:  # all others depend on it
        return
    if read_mx_hosts(history.report) is not None:
        yield from found(history.changed(ChangeCode.DNSSEC, read_dnssec))
        operators = history.changed(ChangeCode.OPERATOR, operators_reader(operator_of))
        hosts = history.changed(ChangeCode.MX_HOSTS, read_mx_hosts, told=False)
        yield from found(operators, hosts)
    yield from found(history.changed(ChangeCode.MTA_STS, read_sts_mode))
    yield from _on_sts_policy(history)
    yield from found(_on_tls_rpt(history))


def _on_tls_rpt(history: History) -> Change | None:
    """Mail is as safe without reports, so a domain that no longer wants them is not worse."""
    change = history.changed(ChangeCode.TLS_RPT, read_tls_rpt)
    if change is not None and change.direction is Direction.WORSE:
        return replace(change, direction=Direction.OTHER)
    if change is not None and change.direction is Direction.OTHER:
        return replace(change, told=False)
    return change


def _on_sts_policy(history: History) -> Iterator[Change]:
    """A policy that changes must have a new id, or senders do not fetch it. RFC 8461 §3.1, §3.3."""
    after = read_sts_policy(history.report)
    reads = ((seen, read_sts_policy(seen)) for seen in history.earlier)
    seen, before = next(((seen, value) for seen, value in reads if value), (None, None))
    if after is None or before is None or seen is None or after == before:
        return
    code, told = ChangeCode.MTA_STS_POLICY, True
    texts = (_show_policy(before), _show_policy(after))
    if replace(before, id=after.id) == after:
        code, told = ChangeCode.MTA_STS_ID, False
        texts = (before.id or "", f"{after.id}, and the policy is as before")
    elif before.id == after.id:
        texts = (texts[0], f"{texts[1]}; the id is as before, so senders keep the old policy")
    elif before.mx == after.mx:
        told = False  # another mode is reported separately
    yield Change(
        code=code,
        direction=Direction.OTHER,
        before=texts[0],
        after=texts[1],
        last_seen=seen.checked_at,
        since=history.at,
        told=told,
    )


def _show_policy(policy: StsPolicyValue) -> str:
    return f"{policy.mode}, max_age {policy.max_age}, mx {', '.join(sorted(policy.mx)) or 'none'}"


def _on_verdict(history: History, others: Sequence[Change]) -> Iterator[Change]:
    """Level and standing; no change where only another server of a known pool answered."""
    for change in found(_on_level(history), _on_standing(history)):
        if change.direction is Direction.WORSE and _is_by_pool(history, change, others):
            continue
        yield change


def _is_by_pool(history: History, change: Change, others: Sequence[Change]) -> bool:
    """Whether TLS completes everywhere, nothing else got worse, and it was so in a known run."""
    if any(each.direction is Direction.WORSE for each in others):
        return False
    if any(proven(each) is Outcome.NEGATIVE for each in history.report.endpoints):
        return False
    level = change.code is ChangeCode.LEVEL
    values = (read_level(seen) if level else read_standing(seen) for seen in history.earlier)
    return any(value is not None and value.text == change.after for value in values)


def _on_level(history: History) -> Change | None:
    base = _last_comparable(history.earlier, _level_counts)
    if base is None or not _level_counts(history.report, base):
        return None
    before, after = read_level(base), read_level(history.report)
    return _verdict_change(history, ChangeCode.LEVEL, base, before, after)


def _on_standing(history: History) -> Change | None:
    base = _last_comparable(
        history.earlier,
        lambda seen, _base: (
            read_standing(seen) is not None and _rates_same_facts(seen, history.report)
        ),
    )
    if base is None:
        return None
    before, after = read_standing(base), read_standing(history.report)
    if after is None and base.standing is Standing.MEETS:
        unseen = _leading(history.earlier, lambda seen: read_standing(seen) is None)
        return Change(
            code=ChangeCode.STANDING,
            direction=Direction.LOST_SIGHT,
            before=base.standing,
            after=history.report.standing,
            last_seen=base.checked_at,
            since=(unseen[-1] if unseen else history.report).checked_at,
            runs=len(unseen) + 1,
        )
    return _verdict_change(history, ChangeCode.STANDING, base, before, after)


def _rates_same_facts(seen: DomainReport, report: DomainReport) -> bool:
    """Whether both runs rated the same facts under a profile: --deep adds some."""
    profiles = [(each.requirement or "").startswith("profile:") for each in (seen, report)]
    asked = [
        {each.deep is not None for each in of.endpoints if each.tls_version is not None}
        for of in (seen, report)
    ]
    return not any(profiles) or not all(asked) or asked[0] == asked[1]


def _leading(
    seen: Sequence[DomainReport], test: Callable[[DomainReport], bool]
) -> Sequence[DomainReport]:
    until = next((at for at, each in enumerate(seen) if not test(each)), len(seen))
    return seen[:until]


def _last_comparable(
    earlier: Sequence[DomainReport], counts: Callable[[DomainReport, DomainReport | None], bool]
) -> DomainReport | None:
    """The newest earlier report that *counts*, which is also given the last one that counted."""
    base: DomainReport | None = None
    for seen in reversed(earlier):
        if counts(seen, base):
            base = seen
    return base


def _level_counts(seen: DomainReport, base: DomainReport | None) -> bool:
    """Whether the level of *seen* can be compared with that of *base*.

    It can if as much was seen, or if what was seen proves that the level is lower.
    """
    after = read_level(seen)
    if after is None:
        return False
    if base is None or blind_spots(seen) <= blind_spots(base):
        return True
    before = read_level(base)
    drops = before is not None and direction_of(before, after) is Direction.WORSE
    return drops and _is_proven(seen, base)


def _is_proven(report: DomainReport, base: DomainReport) -> bool:
    """Whether confirmed facts alone keep *report* below the level of *base*."""
    match report.verdict.level:
        case Level.NONE | Level.PARTIAL:
            return base.verdict.level not in (Level.NONE, Level.PARTIAL)
        case Level.OPPORTUNISTIC:
            return any(
                each.tls_version is not None and authenticated(view_of(each)) is Answer.NO
                for each in report.endpoints
            )
        case Level.AUTHENTICATED if report.route is not None:
            insists = judge_requirable(report.route, report.mx_hosts, report.mta_sts)
            return insists is Answer.NO
        case _:
            return False


def _verdict_change(
    history: History,
    code: ChangeCode,
    base: DomainReport,
    before: Value | None,
    after: Value | None,
) -> Change | None:
    if before is None or after is None or before.key == after.key:
        return None
    return Change(
        code=code,
        direction=direction_of(before, after),
        before=before.text,
        after=after.text,
        last_seen=base.checked_at,
        since=history.at,
    )


def _merged(changes: Iterable[Change]) -> Iterator[Change]:
    """What is the same at several addresses of a host becomes one change."""
    groups: dict[Change, list[str]] = {}
    for change in changes:
        groups.setdefault(replace(change, addresses=()), []).extend(change.addresses)
    for change, addresses in groups.items():
        yield replace(change, addresses=tuple(addresses))
