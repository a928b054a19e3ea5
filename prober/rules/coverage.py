"""Whether everything that a verdict needs was looked at. docs/verdict.md, "complete"."""

from collections.abc import Sequence
from typing import Final

from prober.records import (
    DomainFacts,
    DomainReport,
    Endpoint,
    MxHost,
    Reason,
    RouteStatus,
)
from prober.rules.endpoint import Outcome, proven, was_refused_twice

NO_MAIL: Final = (RouteStatus.NULL_MX, RouteStatus.NXDOMAIN, RouteStatus.NO_MAIL_HOST)
_NO_WAY_FROM_HERE: Final = (Reason.NO_IPV6_HERE, Reason.NO_IPV4_HERE)


def covers_every_endpoint(facts: DomainFacts | DomainReport, endpoints: Sequence[Endpoint]) -> bool:
    """Whether DNS named every endpoint, and each was tested or is excused.

    Excused: no route here to that address family while another address of the host was tested;
    TCP refused twice while another MX host answers, which some do on purpose (nolisting).
    """
    if facts.route is None or facts.route.status is RouteStatus.DNS_ERROR:
        return False
    if not endpoints and facts.route.status not in NO_MAIL:
        return False
    return not any(_hides_addresses(host) for host in facts.mx_hosts) and all(
        is_tested(endpoint) or is_excused(endpoint, endpoints) for endpoint in endpoints
    )


def _hides_addresses(host: MxHost) -> bool:
    """Whether the host may have addresses that we do not know."""
    return host.failure is not None and host.failure.reason is not Reason.INVALID_NAME


def is_tested(endpoint: Endpoint) -> bool:
    """Whether it gave an answer that counts."""
    return proven(endpoint) is not Outcome.NOT_TESTED


def is_excused(endpoint: Endpoint, endpoints: Sequence[Endpoint]) -> bool:
    """Whether another tested endpoint makes up for this one, which was not."""
    tested_hosts = {other.mx_host for other in endpoints if is_tested(other)}
    if endpoint.failure is not None and endpoint.failure.reason in _NO_WAY_FROM_HERE:
        return endpoint.mx_host in tested_hosts
    return was_refused_twice(endpoint) and bool(tested_hosts - {endpoint.mx_host})
