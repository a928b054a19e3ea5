"""The simulated Internet as numbers: which host receives for which domain, and how it behaves.

How concentrated mail is. The shares of the largest operators are those that were measured: Google
28.5 % and Microsoft 10.8 % of popular domains in June 2021 (Liu et al., "Who's Got Your Mail?",
IMC 2021), the next fifteen as counted among the MX records of the Tranco top million (J. Schaumann,
netmeister.org, "Who reads your email?", 2023, and its follow-up: 4.1 % down to 0.6 %). That is
62.6 %; by the second count alone it would be 84 %. The rest is an assumption: 22.4 % of the domains
at hosters, one for every fifty domains, whose shares fall as one over their rank, and 15 % with a
host of their own. Microsoft gives each customer an MX name of its own at shared addresses, and so
does operator 1 here.

Left out: several MX hosts a domain, IPv6, DNSSEC, MTA-STS, DNS that fails.
"""

import bisect
import enum
import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

OPERATOR_SHARES: Final = (
    *(0.285, 0.108),
    *(0.041, 0.033, 0.027, 0.020, 0.019, 0.016, 0.012, 0.011, 0.010, 0.009, 0.008),
    *(0.007, 0.007, 0.007, 0.006),
)
OPERATORS: Final = len(OPERATOR_SHARES)
HOSTED_SHARE: Final = 0.224
DOMAINS_PER_HOSTER: Final = 50
OF_CUSTOMERS: Final = 1  # the operator with an MX name for each customer
CUSTOMER_ADDRESSES: Final = 8  # of that operator

_MIX_DOMAIN: Final = 0x9E3779B97F4A7C15  # odd, near 2**64 over the golden ratio: spreads evenly
_MIX_HOST: Final = 0xC2B2AE3D27D4EB4F
_FIRST_ADDRESS: Final = 0x7F010000  # 127.1.0.0
_FIRST_CUSTOMER_ADDRESS: Final = 0x7F000100  # 127.0.1.0


class Spread(enum.Enum):
    """How domains are spread over hosts."""

    CONCENTRATED = enum.auto()  # as above
    UNIQUE = enum.auto()  # each domain has a host of its own
    EVEN = enum.auto()  # ``hosts`` hosts, each as many domains as the next


class Behaviour(enum.Enum):
    """How a host behaves."""

    WELL = enum.auto()
    SLOW = enum.auto()  # greets late
    THROTTLING = enum.auto()  # 421 to the first session
    CLEAR = enum.auto()  # no STARTTLS: wants confirming
    DEAD = enum.auto()  # accepts, and never greets
    SILENT_OVER_TLS = enum.auto()  # says nothing once TLS runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """The shares of hosts, the large operators apart, that do not behave well."""

    slow: float = 0.0
    throttling: float = 0.0
    clear: float = 0.0
    dead: float = 0.0
    silent_over_tls: float = 0.0

    def behaviour(self, position: float) -> Behaviour:
        """What the host at *position* in [0, 1) does."""
        for share, behaviour in (
            (self.slow, Behaviour.SLOW),
            (self.throttling, Behaviour.THROTTLING),
            (self.clear, Behaviour.CLEAR),
            (self.dead, Behaviour.DEAD),
            (self.silent_over_tls, Behaviour.SILENT_OVER_TLS),
        ):
            if position < share:
                return behaviour
            position -= share
        return Behaviour.WELL


REALISTIC_TROUBLE: Final = Trouble(slow=0.02, throttling=0.02, clear=0.03, dead=0.02)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How many domains there are, over which hosts, and how far away these are.

    Domain *n* is ``dn.test``; host *k* is ``mx.hk.test``, an operator by itself. Nothing is
    stored for a domain: all is computed from its number.
    """

    domains: int
    spread: Spread = Spread.CONCENTRATED
    hosts: int = 40  # where the spread is even
    round_trip_s: float = 0.0  # of each reply of a server and each answer of the DNS
    trouble: Trouble = Trouble()
    slow_s: float = 2.0  # how late a slow host greets

    def names(self) -> Iterator[str]:
        """The domains."""
        return (f"d{number}.test" for number in range(self.domains))

    def host(self, domain: int) -> int:
        """The number of the host that receives for *domain*."""
        match self.spread:
            case Spread.UNIQUE:
                return domain
            case Spread.EVEN:
                return domain % self.hosts
        position = _position(domain, _MIX_DOMAIN)
        if position < self._operator_bounds[-1]:
            return bisect.bisect(self._operator_bounds, position)
        position = (position - self._operator_bounds[-1]) / HOSTED_SHARE
        if position < 1:
            return OPERATORS + bisect.bisect(self._hoster_bounds, position)
        return OPERATORS + self.hosters + domain

    @property
    def hosters(self) -> int:
        """How many hosts receive for several domains, the large operators apart."""
        return max(1, self.domains // DOMAINS_PER_HOSTER)

    def behaviour(self, host: int) -> Behaviour:
        """How *host* behaves: large operators well, the others by the shares of trouble."""
        if self.spread is Spread.CONCENTRATED and host < OPERATORS:
            return Behaviour.WELL
        return self.trouble.behaviour(_position(host, _MIX_HOST))

    def mx_host(self, domain: int) -> str:
        """The name of the MX host of *domain*."""
        host = self.host(domain)
        if self.has_customer_names(host):
            return f"c{domain}.h{host}.test"
        return f"mx.h{host}.test"

    def has_customer_names(self, host: int) -> bool:
        """Whether each domain at *host* has an MX name of its own there."""
        return self.spread is Spread.CONCENTRATED and host == OF_CUSTOMERS

    def address(self, domain: int) -> int:
        """The IPv4 address of the MX host of *domain*, as a number."""
        host = self.host(domain)
        if self.has_customer_names(host):
            return customer_address(domain)
        return host_address(host)

    @functools.cached_property
    def _operator_bounds(self) -> tuple[float, ...]:
        return tuple(itertools.accumulate(OPERATOR_SHARES))

    @functools.cached_property
    def _hoster_bounds(self) -> tuple[float, ...]:
        """Zipf's law: where the share of one hoster ends and the next begins."""
        weights = list(itertools.accumulate(1 / rank for rank in range(1, self.hosters + 1)))
        return tuple(weight / weights[-1] for weight in weights[:-1])


def host_address(host: int) -> int:
    """The IPv4 address of *host*, as a number."""
    return _FIRST_ADDRESS + host


def customer_address(domain: int) -> int:
    """The IPv4 address of the MX name that the operator of customers has for *domain*."""
    return _FIRST_CUSTOMER_ADDRESS + domain % CUSTOMER_ADDRESSES


def host_at(address: int) -> int:
    """The host at *address*."""
    return OF_CUSTOMERS if address < _FIRST_ADDRESS else address - _FIRST_ADDRESS


def _position(number: int, mix: int) -> float:
    """A number in [0, 1), spread evenly over consecutive *number*, always the same."""
    return (number * mix & (1 << 64) - 1) / (1 << 64)
