"""Decides whether everything that a verdict needs was tested. docs/verdict.md, "complete"."""

from collections.abc import Sequence
from typing import Final

from prober.records import (
    DomainFacts,
    DomainReport,
    EndpointFacts,
    MxHost,
    Reason,
    RouteStatus,
)
from prober.rules.endpoint import Outcome, proven, was_refused_twice
from prober.rules.mx import lookup_failed

NO_MAIL: Final = (RouteStatus.NULL_MX, RouteStatus.NXDOMAIN, RouteStatus.NO_MAIL_HOST)
# Senders get these answers from the domain's nameservers too. A time-out may be local.
_SAME_FOR_ALL_SENDERS: Final = (Reason.SERVFAIL, Reason.DNS_REFUSED, Reason.BOGUS)
NO_LOCAL_ROUTE: Final = (Reason.NO_IPV6_HERE, Reason.NO_IPV4_HERE)


def covers_every_endpoint(facts: DomainFacts | DomainReport) -> bool:
    """Whether DNS gave every endpoint that a sender would use, and each was tested or excused.

    Excused, if another endpoint was tested: an address family without a route from here, and an
    endpoint that refused TCP twice. For a host with one failed look-up, see ``hides_addresses``.
    """
    if facts.route is None or facts.route.status is RouteStatus.DNS_ERROR:
        return False
    endpoints = facts.endpoints
    if not endpoints and facts.route.status not in NO_MAIL:
        return False
    return not any(hides_addresses(host, endpoints) for host in facts.mx_hosts) and all(
        is_tested(endpoint) or is_excused(endpoint, endpoints) for endpoint in endpoints
    )


def saw_every_endpoint(facts: DomainFacts | DomainReport) -> bool:
    """The same, and no look-up of addresses failed."""
    return covers_every_endpoint(facts) and not any(map(lookup_failed, facts.mx_hosts))


def hides_addresses(host: MxHost, endpoints: Sequence[EndpointFacts]) -> bool:
    """Whether *host* may have addresses that senders use and that we do not know.

    Not if the nameserver answers AAAA with an error and an address from A was tested, or the other
    way round: Postfix and Exim get the same answers, and deliver to the address that they have.
    """
    if not lookup_failed(host):
        return False
    same_for_all = host.failure is not None and host.failure.reason in _SAME_FOR_ALL_SENDERS
    return not same_for_all or not any(
        endpoint.mx_host == host.name and is_tested(endpoint) for endpoint in endpoints
    )


def is_tested(endpoint: EndpointFacts) -> bool:
    """Whether the endpoint gave an answer that counts."""
    return proven(endpoint) is not Outcome.NOT_TESTED


def is_excused(endpoint: EndpointFacts, endpoints: Sequence[EndpointFacts]) -> bool:
    """Whether another tested endpoint replaces this one, which was not tested."""
    if endpoint.failure is None:
        return False
    if endpoint.failure.reason in NO_LOCAL_ROUTE:
        return any(other.mx_host == endpoint.mx_host and is_tested(other) for other in endpoints)
    return was_refused_twice(endpoint) and any(map(is_tested, endpoints))
