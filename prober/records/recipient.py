"""What one recipient publishes to be written to in secret, and the best way to send."""

import enum
from dataclasses import dataclass

from prober.records.judged import DomainReport
from prober.records.words import Answer, Dnssec


class KeySource(enum.StrEnum):
    """Where a recipient's key may be found."""

    OPENPGPKEY = "openpgpkey"  # RFC 7929
    SMIMEA = "smimea"  # RFC 8162
    WKD = "wkd"  # draft-koch-openpgp-webkey-service


class Way(enum.StrEnum):
    """How to send to a recipient."""

    FORCED_TLS = "forced-tls"
    PGP = "pgp"
    SMIME = "s/mime"
    PORTAL = "portal"
    NONE = "none"  # the recipient's domain cannot receive mail


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientKey:
    """Whether a key is published at one source. ``where`` is the name or URL that was asked."""

    source: KeySource
    found: Answer
    where: str
    dnssec: Dnssec | None = None  # None for the Web Key Directory, which HTTPS vouches for
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientReport:
    """One recipient: the keys, the domain, and the best way with its reason."""

    recipient: str
    keys: tuple[RecipientKey, ...]
    way: Way
    reason: str
    domain: DomainReport
