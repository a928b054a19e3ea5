"""What all formats of a policy map share. docs/policy.md."""

import abc
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import ClassVar

import idna

from prober.domains import parse_domain
from prober.errors import InputError
from prober.escape import printable, utc
from prober.policy.decide import Decision, Policy, PolicyLevel


@dataclass(frozen=True, kw_only=True)
class LiveMap:
    """A map that is in use. ``foreign``: lines that this program does not write, unchanged."""

    policies: Mapping[str, Policy] = field(default_factory=dict)  # by domain
    foreign: tuple[str, ...] = ()

    @cached_property
    def by_hand(self) -> frozenset[str]:
        """The domains in the foreign lines. No other line is written for them."""
        return _domains(self._keys)

    @cached_property
    def _parents(self) -> frozenset[str]:
        """The domains whose subdomains the foreign lines are for. ``.parent``: postconf(5)."""
        keys = (key.removeprefix("*") for key in self._keys)
        return _domains(key[1:] for key in keys if key.startswith("."))

    @property
    def _keys(self) -> Iterator[str]:
        return (line.split(maxsplit=1)[0].rstrip(":") for line in self.foreign)

    def covers(self, domain: str) -> bool:
        """Whether a foreign line applies to *domain*: no new line may replace it."""
        if domain in self.by_hand:
            return True
        return domain not in self.policies and any(
            parent in self._parents for parent in _parents_of(domain)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """The origin of a map."""

    version: str
    files: int
    first: datetime | None  # when the first and the last domain in the results were checked
    last: datetime | None
    trust_stores: tuple[str, ...]  # what their certificates were verified against


class MapFormat(abc.ABC):
    """Writes a map for one kind of MTA, and reads it back. Does no I/O."""

    levels: ClassVar[Collection[PolicyLevel]]  # that the MTA can be told to require
    weak_dh: ClassVar[bool] = True  # every build accepts DH groups below 2048 bits
    asks_behind_alias: ClassVar[bool] = (
        False  # by SNI for the target of an MX host that is an alias
    )

    @abc.abstractmethod
    def parse(self, text: str) -> LiveMap:
        """The map in *text*. Raises ``InputError`` with the line that cannot be read."""

    def lines_of(self, text: str) -> frozenset[str]:
        """The domains and the foreign lines in *text*; all its lines if it is not such a map."""
        try:
            live = self.parse(text)
        except InputError:
            return frozenset(line for _, line in meaningful_lines(text))
        return frozenset(live.policies) | frozenset(live.foreign)

    @abc.abstractmethod
    def render(self, decisions: Sequence[Decision], live: LiveMap, provenance: Provenance) -> str:
        """The new map: a line for each of *decisions* that has one, and the foreign lines."""


def standing(decisions: Iterable[Decision]) -> Iterator[tuple[str, Policy]]:
    """The lines of the new map, in the order of the domains."""
    for decision in sorted(decisions, key=lambda each: each.domain):
        if decision.after is not None:
            yield decision.domain, decision.after


def told(provenance: Provenance) -> Iterator[str]:
    """The origin of a map, as lines for its head."""
    files = f"{provenance.files} file{'' if provenance.files == 1 else 's'} of results"
    when = ""
    if provenance.first is not None and provenance.last is not None:
        when = f", checked {utc(provenance.first)} to {utc(provenance.last)}"
    yield f"Written by probe {provenance.version} from {files}{when}."
    if provenance.trust_stores:
        stores = ", ".join(printable(store) for store in provenance.trust_stores)
        yield f"Certificates were verified against {stores}."


def commented(lines: Iterable[str]) -> str:
    """*lines* as comments in the syntax of Postfix, Exim and OpenSMTPD."""
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)


def meaningful_lines(text: str) -> Iterator[tuple[int, str]]:
    """The logical lines of a table, and where each begins: postconf(5), exim's lsearch.

    Comments and blank lines are left out. A line that begins with white space continues the last
    one.
    """
    begun, pieces = 0, list[str]()
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if pieces and not line[0].isspace():
            yield begun, " ".join(pieces)
            pieces = []
        begun = begun if pieces else number
        pieces.append(line.strip())
    if pieces:
        yield begun, " ".join(pieces)


def spellings(domain: str) -> Iterator[str]:
    """The A-labels of *domain* and, if they differ, its U-labels.

    Postfix and Exim look a domain up in the spelling of the address: SMTPUTF8_README, "no
    conversion"; the Exim specification, chapter 60.
    """
    yield domain
    try:
        unicode = idna.decode(domain)
    except (idna.IDNAError, UnicodeError):
        return
    if unicode != domain and " " not in unicode:
        yield unicode


def _domains(keys: Iterable[str]) -> frozenset[str]:
    return frozenset(domain for domain in map(domain_of, keys) if domain is not None)


def _parents_of(domain: str) -> Iterator[str]:
    while domain:
        domain = domain.partition(".")[2]
        yield domain


def domain_of(key: str) -> str | None:
    """The domain in a key of a live map; ``None`` for ``.parent``, ``[host]`` and the like."""
    try:
        return parse_domain(key) if "@" not in key else None
    except InputError:
        return None
