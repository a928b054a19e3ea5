"""Judges what happens to mail for a domain, per kind of sender: now, at backup hosts, under attack.

senders.py judges one sender at one endpoint. This module decides which endpoints count. RFC 5321
§5.1 gives the order of the hosts. Not modelled: a sender whose policy fails at one host, and which
then delivers to the next. The worst host counts, because a sender may use that one.
"""

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from prober.records import DomainReport, MxHost, RouteStatus
from prober.records.delivery import Delivery, DeliveryOutcome, SenderKind, SenderOutcomes
from prober.rules.completeness import NO_MAIL, hides_addresses, is_excused
from prober.rules.endpoint import Outcome, proven
from prober.rules.senders import DELIVERY, UNDER_ATTACK, Destination, secure_delivery, worst
from prober.rules.views import Views

DeliveryRule: TypeAlias = Callable[[Views, Destination], DeliveryOutcome]
_AttackRule: TypeAlias = Callable[[DomainReport, Destination], DeliveryOutcome]
_Judge: TypeAlias = Callable[[DeliveryRule, _AttackRule], SenderOutcomes]


class ForcedTls(enum.StrEnum):
    """Whether a sender that requires TLS 1.2 or newer, with any certificate, can deliver."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Host:
    """An MX host that a sender may use. ``unseen``: it may have addresses that we do not know."""

    preference: int
    endpoints: tuple[Views, ...]
    unseen: bool


def judge_delivery(report: DomainReport, views: Sequence[Views]) -> Delivery:
    """What happens to mail for the domain of *report*, for every kind of sender.

    *views* are those of its endpoints. Of the report only ``route``, ``mx_hosts`` and ``mta_sts``
    are used. If ``mta_sts`` is None it was not looked up, and what an MTA-STS sender does is
    unknown. For a domain without mail all outcomes are "not applicable".
    """
    judge = _judge_of(report, views)

    def outcomes(sender: SenderKind) -> SenderOutcomes:
        return judge(DELIVERY[sender], UNDER_ATTACK[sender])

    return Delivery(
        opportunistic=outcomes(SenderKind.OPPORTUNISTIC),
        mandatory=outcomes(SenderKind.MANDATORY),
        trusted_ca=outcomes(SenderKind.TRUSTED_CA),
        verified=outcomes(SenderKind.VERIFIED),
        domain_verified=outcomes(SenderKind.DOMAIN_VERIFIED),
        dane=outcomes(SenderKind.DANE),
        mta_sts=outcomes(SenderKind.MTA_STS),
    )


def judge_secure(
    report: DomainReport, views: Sequence[Views], match: Sequence[str]
) -> SenderOutcomes:
    """The same for Postfix ``secure`` with the attribute ``match=``, as words and names."""
    judge, attacked = _judge_of(report, views), UNDER_ATTACK[SenderKind.DOMAIN_VERIFIED]
    return judge(lambda views, to: secure_delivery(views, to, match), attacked)


def forced_tls(report: DomainReport) -> ForcedTls:
    """Whether forced TLS loses no mail at any host: the ``fallback`` of the ``mandatory`` sender.

    Unknown for a domain without mail, and for what is not a domain.
    """
    match report.delivery and report.delivery.mandatory.fallback:
        case DeliveryOutcome.ENCRYPTED:
            return ForcedTls.YES
        case DeliveryOutcome.DEFERRED:
            return ForcedTls.NO
        case _:
            return ForcedTls.UNKNOWN


def _judge_of(report: DomainReport, views: Sequence[Views]) -> _Judge:
    """A function that judges one kind of sender. What all kinds share is worked out once."""
    route = report.route
    if route is None or report.domain is None or route.status in NO_MAIL:
        return lambda *_rules: _same_outcome(DeliveryOutcome.NOT_APPLICABLE)
    if route.status is RouteStatus.DNS_ERROR:
        return lambda *_rules: _same_outcome(DeliveryOutcome.UNKNOWN)
    to = Destination(domain=report.domain, mx_dnssec=route.dnssec, mta_sts=report.mta_sts)
    hosts = tuple(_hosts(report, views))
    first = sum(host.preference == hosts[0].preference for host in hosts)
    known = _any_tested(hosts[:first])

    def judge(deliver: DeliveryRule, deliver_attacked: _AttackRule) -> SenderOutcomes:
        by_host = [worst(_outcomes(host, deliver, to)) for host in hosts]
        return SenderOutcomes(
            now=worst(by_host[:first]) if known else DeliveryOutcome.UNKNOWN,
            fallback=worst(by_host),
            attacked=deliver_attacked(report, to),
        )

    return judge


def _same_outcome(outcome: DeliveryOutcome) -> SenderOutcomes:
    return SenderOutcomes(now=outcome, fallback=outcome, attacked=outcome)


def _hosts(report: DomainReport, views: Sequence[Views]) -> Iterator[_Host]:
    """The hosts that count, in order of preference.

    Hosts that answer no sender are left out: a name that cannot be a host, a host without an
    address, and a host that refuses TCP while another answers (nolisting). A host that was not seen
    stays. If it is tried first, ``now`` is unknown.
    """
    known = {host.name: host for host in report.mx_hosts}
    for endpoint in report.endpoints:  # its host may be missing, if that look-up failed later
        known.setdefault(endpoint.mx_host, MxHost(name=endpoint.mx_host, preference=0))
    for host in sorted(known.values(), key=lambda host: host.preference):
        endpoints = tuple(
            each
            for each in views
            if each.seen.endpoint.mx_host == host.name
            and not is_excused(each.seen.endpoint, report.endpoints)
        )
        unseen = hides_addresses(host, report.endpoints)
        if endpoints or unseen:
            yield _Host(preference=host.preference, endpoints=endpoints, unseen=unseen)


def _any_tested(hosts: Sequence[_Host]) -> bool:
    return any(
        proven(each.seen.endpoint) is not Outcome.NOT_TESTED
        for host in hosts
        for each in host.endpoints
    )


def _outcomes(host: _Host, deliver: DeliveryRule, to: Destination) -> list[DeliveryOutcome]:
    """The outcome at each endpoint of *host*, and "unknown" if it may have more addresses."""
    outcomes = [deliver(endpoint, to) for endpoint in host.endpoints]
    return [*outcomes, DeliveryOutcome.UNKNOWN] if host.unseen else outcomes
