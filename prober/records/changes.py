"""What changed of a domain between two observations of it."""

import enum
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of a domain. ``last_seen``: when ``before`` was seen for the last time.

    ``told``: whether it is worth a mail; a routine change is not. ``runs``: for lost sight, in how
    many runs in a row. ``addresses``: of ``mx_host``; none where it concerns them all.
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
