"""What to look at in the simulated Internet: endpoints by number, domains as a list has them."""

import ipaddress
from collections.abc import Iterator

from benchmarks.internet import Internet
from benchmarks.plan import Plan
from prober.domains import Entry, parse_entry
from prober.net.smtp import Target


def target_of(domain: int, internet: Internet) -> Target:
    """The endpoint of *domain*, without asking DNS for it."""
    return Target(
        mx_host=internet.plan.mx_host(domain),
        address=str(ipaddress.IPv4Address(internet.plan.address(domain))),
        port=internet.settings.port,
    )


def entries(plan: Plan) -> Iterator[Entry]:
    """The domains of *plan*, read lazily as from a list."""
    return (parse_entry(name, number) for number, name in enumerate(plan.names(), start=1))
