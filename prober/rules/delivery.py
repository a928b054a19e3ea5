"""What becomes of mail to a domain, by kind of sender: now, at the backup hosts, under attack.

senders.py says what one sender makes of one endpoint; here stands which endpoints count. RFC 5321
§5.1 for the order of the hosts. What is not modelled: a sender that, refused by its policy at one
host, finds mercy at the next; the worst host counts, since a sender may be handed that one.
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
    """Whether mail arrives at a sender that insists on TLS 1.2 or better, with any certificate."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Host:
    """An MX host that a sender may be handed. ``unseen``: it may have addresses unknown to us."""

    preference: int
    endpoints: tuple[Endpoint, ...]
    unseen: bool


def judge_delivery(report: DomainReport) -> Delivery:
    """What becomes of mail to the domain of *report*, for every kind of sender.

    Of its verdict nothing is used but the facts and judged endpoints below it, ``route``,
    ``mx_hosts`` and ``mta_sts``; where that last is None it was not looked up, and what an MTA-STS
    sender does is unknown. A domain without mail is not applicable to all of them.
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
    """The same for Postfix ``secure`` with the attribute ``match=``; as words and names."""
    hosts, attacked = tuple(_hosts(report)), UNDER_ATTACK[SenderKind.DOMAIN_VERIFIED]
    return _judge(
        report, hosts, lambda endpoint, to: secure_delivery(endpoint, to, match), attacked
    )


def forced_tls(report: DomainReport) -> ForcedTls:
    """Whether forced TLS loses no mail at any host: the ``mandatory`` sender's ``fallback``.

    A domain without mail is not known.
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
    meet: DeliveryRule,
    suffer: Callable[[DomainReport, Destination], DeliveryOutcome],
) -> SenderOutcomes:
    route = report.route
    if route is None or report.domain is None or route.status in NO_MAIL:
        return _always(DeliveryOutcome.NOT_APPLICABLE)
    if route.status is RouteStatus.DNS_ERROR:
        return _always(DeliveryOutcome.UNKNOWN)
    to = _destination(report, route, report.domain)
    fallback = _over(hosts, meet, to)
    return SenderOutcomes(
        now=_now(hosts, meet, to, fallback),
        fallback=fallback,
        attacked=suffer(report, to),
    )


def _now(
    hosts: Sequence[_Host], meet: DeliveryRule, to: Destination, fallback: DeliveryOutcome
) -> DeliveryOutcome:
    """What the hosts that are asked first make of it; *fallback* is what all of them do."""
    first = tuple(host for host in hosts if host.preference == hosts[0].preference)
    if not _any_answers(first):
        return DeliveryOutcome.UNKNOWN
    return fallback if len(first) == len(hosts) else _over(first, meet, to)


def _always(outcome: DeliveryOutcome) -> SenderOutcomes:
    return SenderOutcomes(now=outcome, fallback=outcome, attacked=outcome)


def _destination(report: DomainReport, route: Route, domain: str) -> Destination:
    return Destination(domain=domain, mx_dnssec=route.dnssec, mta_sts=report.mta_sts)


def _hosts(report: DomainReport) -> Iterator[_Host]:
    """The hosts that count, those asked first in front.

    Left out is what answers no sender: a name that no host can have, a host without an address,
    one that refuses TCP while another answers (nolisting). So the ones that were not seen stay in,
    and where they are asked first, nothing is known of ``now``.
    """
    known = {host.name: host for host in report.mx_hosts}
    for endpoint in report.endpoints:  # the look-up of its host may have failed after the fact
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


def _any_answers(hosts: Sequence[_Host]) -> bool:
    return any(
        proven(endpoint) is not Outcome.NOT_TESTED for host in hosts for endpoint in host.endpoints
    )


def _over(hosts: Sequence[_Host], meet: DeliveryRule, to: Destination) -> DeliveryOutcome:
    outcomes = [meet(endpoint, to) for host in hosts for endpoint in host.endpoints]
    if any(host.unseen for host in hosts):
        outcomes.append(DeliveryOutcome.UNKNOWN)
    return worst(outcomes)
