"""What changed about a domain between two observations."""

import enum
from dataclasses import dataclass, field
from datetime import datetime


class Direction(enum.StrEnum):
    """What a change means for mail. The worst first."""

    WORSE = "worse"
    LOST_SIGHT = "lost-sight"  # could not be looked at
    OTHER = "other"
    BETTER = "better"


class ChangeCode(enum.StrEnum):
    """What changed."""

    LEVEL = "level"
    STANDING = "standing"
    ROUTE = "route"
    DNSSEC = "dnssec"
    MX_HOSTS = "mx-hosts"
    OPERATOR = "operator"
    ADDRESSES = "addresses"
    STARTTLS = "starttls"
    TLS_VERSION = "tls-version"
    KEY_EXCHANGE = "key-exchange"
    POST_QUANTUM = "post-quantum"  # from here to the next: only with --deep
    LEGACY_VERSIONS = "legacy-versions"
    BROKEN_SUITES = "broken-suites"
    STATIC_KEY_EXCHANGE = "static-key-exchange"
    WEAK_DH = "weak-dh"
    OTHER_CERTIFICATE = "other-certificate"
    PROOF = "certificate-proof"
    CERTIFICATE = "certificate"
    ISSUER = "certificate-issuer"
    NAMES = "certificate-names"
    DANE = "dane"
    TLSA = "tlsa"
    TLSA_NEXT_KEY = "tlsa-next-key"
    MTA_STS = "mta-sts"
    MTA_STS_ID = "mta-sts-id"
    MTA_STS_POLICY = "mta-sts-policy"
    TLS_RPT = "tls-rpt"
    LOOKED_AT = "looked-at"  # the domain is in one of two runs only


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of a domain. ``last_seen``: when ``before`` was last seen.

    ``told``: whether it is worth a mail; a routine change is not. ``runs``: for lost sight, in how
    many runs in a row. ``addresses``: those of ``mx_host``; none if the change concerns them all.
    """

    code: ChangeCode
    direction: Direction
    mx_host: str | None = None
    addresses: tuple[str, ...] = ()
    before: str | None
    after: str | None
    last_seen: datetime
    since: datetime
    runs: int = 1
    told: bool = True


@dataclass(frozen=True, slots=True)
class DomainChanges:
    """The changes of one domain, the worst first; none if nothing changed."""

    domain: str
    changes: tuple[Change, ...]

    @property
    def worst(self) -> Direction | None:
        """The worst direction of the changes worth a mail; None if there are none."""
        return next((change.direction for change in self.changes if change.told), None)

    @property
    def is_in_one_only(self) -> bool:
        """Whether the domain was looked at in one of the two runs only."""
        return any(change.code is ChangeCode.LOOKED_AT for change in self.changes)


def in_one_only(domain: str, checked_at: datetime, *, before: bool) -> DomainChanges:
    """The change for a *domain* that was looked at in one run only, at *checked_at*."""
    change = Change(
        code=ChangeCode.LOOKED_AT,
        direction=Direction.OTHER,
        before="yes" if before else "no",
        after="no" if before else "yes",
        last_seen=checked_at,
        since=checked_at,
    )
    return DomainChanges(domain, (change,))


@dataclass(slots=True)
class ChangeCounts:
    """How many domains changed, each counted by its worst change."""

    compared: int = 0
    by_worst: dict[Direction, int] = field(default_factory=dict)
    routine: int = 0  # nothing but changes that are not worth telling
    only_before: int = 0
    only_now: int = 0

    def add(self, found: DomainChanges) -> None:
        """Count one domain."""
        for change in found.changes:
            if change.code is ChangeCode.LOOKED_AT:
                self.only_before += change.before == "yes"
                self.only_now += change.before == "no"
                return
        self.compared += 1
        if found.worst is not None:
            self.by_worst[found.worst] = self.by_worst.get(found.worst, 0) + 1
        else:
            self.routine += bool(found.changes)

    @property
    def unchanged(self) -> int:
        """The number of domains without changes other than routine ones."""
        return self.compared - sum(self.by_worst.values()) - self.routine
