"""Judges what happens to mail for a domain, per kind of sender: now, at backup hosts, under attack.

senders.py judges one sender at one endpoint. This module decides which endpoints count. RFC 5321
§5.1 gives the order of the hosts. Not modelled: a sender whose policy fails at one host, and which
then delivers to the next. The worst host counts, because a sender may use that one.
"""

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from prober.records import DomainReport, Endpoint, MxHost, Route, RouteStatus
from prober.records.delivery import Delivery, DeliveryOutcome, SenderKind, SenderOutcomes
from prober.rules.completeness import NO_MAIL, hides_addresses, is_excused
from prober.rules.endpoint import Outcome, proven
from prober.rules.senders import DELIVERY, UNDER_ATTACK, Destination, secure_delivery, worst

DeliveryRule: TypeAlias = Callable[[Endpoint, Destination], DeliveryOutcome]


class ForcedTls(enum.StrEnum):
    """Whether a sender that requires TLS 1.2 or newer, with any certificate, can deliver."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Host:
    """An MX host that a sender may use. ``unseen``: it may have addresses that we do not know."""

    preference: int
    endpoints: tuple[Endpoint, ...]
    unseen: bool


def judge_delivery(report: DomainReport) -> Delivery:
    """What happens to mail for the domain of *report*, for every kind of sender.

    Uses only the facts and judged endpoints in *report*: ``route``, ``mx_hosts`` and ``mta_sts``.
    If ``mta_sts`` is None it was not looked up, and what an MTA-STS sender does is unknown. For a
    domain without mail all outcomes are "not applicable".
    """
    hosts = tuple(_hosts(report))

    def outcomes(sender: SenderKind) -> SenderOutcomes:
        return _judge(report, hosts, DELIVERY[sender], UNDER_ATTACK[sender])

    return Delivery(
        opportunistic=outcomes(SenderKind.OPPORTUNISTIC),
        mandatory=outcomes(SenderKind.MANDATORY),
        trusted_ca=outcomes(SenderKind.TRUSTED_CA),
        verified=outcomes(SenderKind.VERIFIED),
        domain_verified=outcomes(SenderKind.DOMAIN_VERIFIED),
        dane=outcomes(SenderKind.DANE),
        mta_sts=outcomes(SenderKind.MTA_STS),
    )


def judge_secure(report: DomainReport, match: Sequence[str]) -> SenderOutcomes:
    """The same for Postfix ``secure`` with the attribute ``match=``, as words and names."""
    hosts, attacked = tuple(_hosts(report)), UNDER_ATTACK[SenderKind.DOMAIN_VERIFIED]
    return _judge(
        report, hosts, lambda endpoint, to: secure_delivery(endpoint, to, match), attacked
    )


def forced_tls(report: DomainReport) -> ForcedTls:
    """Whether forced TLS loses no mail at any host: the ``fallback`` of the ``mandatory`` sender.

    Unknown for a domain without mail.
    """
    hosts, sender = tuple(_hosts(report)), SenderKind.MANDATORY
    match _judge(report, hosts, DELIVERY[sender], UNDER_ATTACK[sender]).fallback:
        case DeliveryOutcome.ENCRYPTED:
            return ForcedTls.YES
        case DeliveryOutcome.DEFERRED:
            return ForcedTls.NO
        case _:
            return ForcedTls.UNKNOWN


def _judge(
    report: DomainReport,
    hosts: Sequence[_Host],
    deliver: DeliveryRule,
    deliver_attacked: Callable[[DomainReport, Destination], DeliveryOutcome],
) -> SenderOutcomes:
    route = report.route
    if route is None or report.domain is None or route.status in NO_MAIL:
        return _same_outcome(DeliveryOutcome.NOT_APPLICABLE)
    if route.status is RouteStatus.DNS_ERROR:
        return _same_outcome(DeliveryOutcome.UNKNOWN)
    to = _destination(report, route, report.domain)
    fallback = _worst_outcome(hosts, deliver, to)
    return SenderOutcomes(
        now=_now(hosts, deliver, to, fallback),
        fallback=fallback,
        attacked=deliver_attacked(report, to),
    )


def _now(
    hosts: Sequence[_Host], deliver: DeliveryRule, to: Destination, fallback: DeliveryOutcome
) -> DeliveryOutcome:
    """The outcome at the hosts that are tried first. *fallback* is the outcome over all hosts."""
    first = tuple(host for host in hosts if host.preference == hosts[0].preference)
    if not _any_tested(first):
        return DeliveryOutcome.UNKNOWN
    return fallback if len(first) == len(hosts) else _worst_outcome(first, deliver, to)


def _same_outcome(outcome: DeliveryOutcome) -> SenderOutcomes:
    return SenderOutcomes(now=outcome, fallback=outcome, attacked=outcome)


def _destination(report: DomainReport, route: Route, domain: str) -> Destination:
    return Destination(domain=domain, mx_dnssec=route.dnssec, mta_sts=report.mta_sts)


def _hosts(report: DomainReport) -> Iterator[_Host]:
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
            endpoint
            for endpoint in report.endpoints
            if endpoint.mx_host == host.name and not is_excused(endpoint, report.endpoints)
        )
        unseen = hides_addresses(host, report.endpoints)
        if endpoints or unseen:
            yield _Host(preference=host.preference, endpoints=endpoints, unseen=unseen)


def _any_tested(hosts: Sequence[_Host]) -> bool:
    return any(
        proven(endpoint) is not Outcome.NOT_TESTED for host in hosts for endpoint in host.endpoints
    )


def _worst_outcome(
    hosts: Sequence[_Host], deliver: DeliveryRule, to: Destination
) -> DeliveryOutcome:
    outcomes = [deliver(endpoint, to) for host in hosts for endpoint in host.endpoints]
    if any(host.unseen for host in hosts):
        outcomes.append(DeliveryOutcome.UNKNOWN)
    return worst(outcomes)
