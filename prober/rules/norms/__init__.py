"""What a profile is: for each fact the rating that a norm gives it, and the paragraph that says so.

Beside this stand the tables of each norm. Pure data: nothing here looks at a report.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType

from prober.records import ProfileName, RatedFact, Rating


@dataclass(frozen=True, slots=True)
class Value:
    """A rating and its source: a paragraph of the norm, unless another document is named.

    ``ours`` is the reason where the rating is our choice, or our reading of what the norm leaves
    open. ``None``: the norm says it.
    """

    rating: Rating
    source: str
    ours: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """How a norm rates a server with a feature of TLS, and one without it."""

    present: Value
    absent: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class NeededGroups:
    """Key-exchange groups of which a server has to accept one.

    ``names`` are IANA's, as TLS 1.3 uses them; ``absent`` is the rating of a server with none.
    """

    names: tuple[str, ...]
    absent: Value


Steps = tuple[tuple[int, Value], ...]  # at least so many bits, the most first; the last has 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What one norm says. ``others`` rates what is in no table of a fact.

    ``floor`` and ``authenticated`` are what ``--require profile`` asks for: the least rating, and
    whether the certificate has to prove the MX host.
    """

    name: ProfileName
    norm: str
    protocols: Mapping[str, Value]  # by OpenSSL's names
    suites: Mapping[str, Value]  # by IANA's names
    groups: Mapping[str, Value]  # of key exchanges, by IANA's names in lower case
    dh_bits: Steps  # of finite-field groups without a name
    key_exchange_hashes: Mapping[str, Value]  # of the server's signature in TLS 1.2
    keys: Mapping[str, Value]  # EC by its curve, the others by their kind
    key_bits: Mapping[str, Steps]  # by kind, where ``keys`` has no row
    signatures: Mapping[str, Value]  # of certificates, by family
    digests: Mapping[str, Value]  # of signatures that have one
    features: Mapping[RatedFact, Feature]  # those that the norm speaks of
    longest_validity_days: int | None  # of a certificate, for RatedFact.VALIDITY
    others: Mapping[RatedFact, Value]
    floor: Rating
    authenticated: bool
    ours: tuple[str, ...]  # our choices on the whole norm, in a sentence each
    needed_groups: NeededGroups | None = None  # None: the norm asks for no group in particular


def norm_groups(profile: Profile) -> tuple[str, ...]:
    """The groups that a ClientHello has to offer, and no others, to test *profile*.

    By IANA's names. None where the norm asks for no group in particular: then nothing is to test.
    """
    return () if profile.needed_groups is None else profile.needed_groups.names


def table(*rows: tuple[Value, Iterable[str]]) -> Mapping[str, Value]:
    """One table of a norm. Raises ValueError where a name has two rows."""
    found: dict[str, Value] = {}
    for value, names in rows:
        for name in names:
            if name in found:
                raise ValueError(f"{name} has two rows")
            found[name] = value
    return MappingProxyType(found)


def suites(exchanges: Iterable[str], ciphers: Iterable[str]) -> Iterator[str]:
    """The IANA names of each key exchange with each cipher."""
    for exchange, cipher in product(exchanges, ciphers):
        yield f"TLS_{exchange}_WITH_{cipher}"


def at_least(bits: int, steps: Steps) -> Value:
    """The value of the first step that *bits* reaches."""
    return next(value for least, value in steps if bits >= least)
