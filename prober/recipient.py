"""One recipient: which keys are published, and the best way to send confidential mail.

RFC 7929 §3, RFC 8162 §3, draft-koch-openpgp-webkey-service §3.1. Keys are not parsed.
"""

import asyncio
import enum
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from prober.domains import Entry, parse_domain
from prober.errors import InputError
from prober.net.resolver import DnsStatus
from prober.probe import probe_entry
from prober.records import Answer, Dnssec, DomainReport, Level, PolicyFetch, Reason, RouteStatus
from prober.rules.delivery import ForcedTls, forced_tls
from prober.vantage import Vantage


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
    dnssec: Dnssec | None = None  # None for the Web Key Directory, which HTTPS protects
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientReport:
    """One recipient: the keys, the domain, and the best way with its reason."""

    recipient: str
    keys: tuple[RecipientKey, ...]
    way: Way
    reason: str
    domain: DomainReport


_DIGEST_OCTETS: Final = (
    28  # RFC 7929 §3: the start of SHA-256, so that its hexadecimal fits into a label
)
_ZBASE32: Final = "ybndrfg8ejkmcpqxot1uwisza345h769"
_LABELS: Final = {KeySource.OPENPGPKEY: "_openpgpkey", KeySource.SMIMEA: "_smimecert"}
_NO_MAIL: Final[Mapping[RouteStatus | None, str]] = MappingProxyType(
    {
        RouteStatus.NULL_MX: "its domain says so, by a null MX (RFC 7505)",
        RouteStatus.NXDOMAIN: "its domain does not exist",
        RouteStatus.NO_MAIL_HOST: "its domain has no mail server with an address",
    }
)
_PROVEN: Final = (Level.AUTHENTICATED, Level.ENFORCED)


def owner_name(local_part: str, domain: str, source: KeySource) -> str:
    """The DNS name of a key. RFC 7929 §3, RFC 8162 §3: the case of the local part counts."""
    digest = hashlib.sha256(_unquoted(local_part).encode()).digest()[:_DIGEST_OCTETS]
    return f"{digest.hex()}.{_LABELS[source]}.{domain}"


def wkd_path(local_part: str, domain: str | None) -> str:
    """The path in a Web Key Directory; with *domain*, of the advanced method, §3.1."""
    lower = _unquoted(local_part).lower()
    digest = hashlib.sha1(lower.encode(), usedforsecurity=False).digest()
    middle = f"{domain}/" if domain else ""
    return f"/.well-known/openpgpkey/{middle}hu/{_zbase32(digest)}"


def _unquoted(local_part: str) -> str:
    """RFC 7929 §3: without the quotes of a quoted string."""
    if len(local_part) > 1 and local_part.startswith('"') and local_part.endswith('"'):
        return local_part[1:-1].replace("\\", "")
    return local_part


def _zbase32(octets: bytes) -> str:
    """Five bits per character. RFC 6189 §5.1.6."""
    bits = "".join(f"{octet:08b}" for octet in octets)
    return "".join(_ZBASE32[int(bits[i : i + 5].ljust(5, "0"), 2)] for i in range(0, len(bits), 5))


def choose_way(report: DomainReport, keys: Sequence[RecipientKey]) -> tuple[Way, str]:
    """The best way to send confidential mail, and why.

    Required TLS to verified servers comes first, then a key, then required TLS to any server, then
    a portal. A key in DNS counts only if DNSSEC protects it: else an attacker could replace it.
    """
    if report.verdict.level is Level.NO_MAIL:
        return Way.NONE, f"this address cannot receive mail: {_why_no_mail(report)}"
    tls = forced_tls(report)
    if tls is ForcedTls.YES and report.verdict.level in _PROVEN:
        return (
            Way.FORCED_TLS,
            "mail that requires TLS is delivered, and the identity of every server can be verified",
        )
    by_key = _by_key(keys)
    if by_key is not None:
        return by_key
    if tls is ForcedTls.YES:
        reason = "mail that requires TLS is delivered, but an active attacker could read it"
        return Way.FORCED_TLS, f"{reason}; {_why_no_key(keys)}"
    if tls is ForcedTls.NO:
        why = "mail that requires TLS would not be delivered"
    else:
        why = "whether the servers offer TLS is not known"
    return Way.PORTAL, f"{why}, and {_why_no_key(keys)}"


def _why_no_mail(report: DomainReport) -> str:
    status = report.route.status if report.route is not None else None
    return _NO_MAIL.get(status, "its domain names no mail server")


def _by_key(keys: Sequence[RecipientKey]) -> tuple[Way, str] | None:
    usable = {key.source for key in keys if key.found is Answer.YES and _is_protected(key)}
    if KeySource.SMIMEA in usable:
        return Way.SMIME, "an S/MIME certificate is published in signed DNS (RFC 8162)"
    if KeySource.OPENPGPKEY in usable:
        return Way.PGP, "an OpenPGP key is published in signed DNS (RFC 7929)"
    if KeySource.WKD in usable:
        return (
            Way.PGP,
            "an OpenPGP key is published in the Web Key Directory of the domain, over HTTPS",
        )
    return None


def _is_protected(key: RecipientKey) -> bool:
    return key.source is KeySource.WKD or key.dnssec is Dnssec.SECURE


def _why_no_key(keys: Sequence[RecipientKey]) -> str:
    if any(key.found is Answer.YES for key in keys):
        return "the key that was found is in DNS without DNSSEC, so it may be an attacker's"
    if any(key.found is Answer.NOT_TESTED for key in keys):
        return "not all places for a key could be looked at"
    return "no key is published"


_MAX_LOCAL_PART: Final = 64  # octets: RFC 5321 §4.5.3.1.1
_NOT_FOUND: Final = (404, 410)


def parse_recipient(text: str) -> tuple[str, str]:
    """The local part and the domain of ``user@domain``. Raises InputError for anything else."""
    local_part, at, domain = text.strip().rpartition("@")
    if not at or not local_part or len(local_part.encode()) > _MAX_LOCAL_PART:
        raise InputError(f"not an address: {text[:80]!r}; write user@domain")
    if not local_part.isprintable():
        raise InputError(f"not an address: {text[:80]!r} has characters that do not print")
    try:
        return local_part, parse_domain(domain)
    except InputError as error:
        raise InputError(f"not an address: {text[:80]!r}: {error}") from error


async def probe_recipient(text: str, vantage: Vantage) -> RecipientReport:
    """Probe the domain of *text* and look for keys of the recipient. Raises InputError."""
    local_part, domain = parse_recipient(text)
    report, openpgpkey, smimea, wkd = await asyncio.gather(
        probe_entry(Entry(text=text.strip(), domain=domain), vantage),
        _in_dns(local_part, domain, KeySource.OPENPGPKEY, vantage),
        _in_dns(local_part, domain, KeySource.SMIMEA, vantage),
        _in_directory(local_part, domain, vantage),
    )
    keys = (openpgpkey, smimea, wkd)
    way, reason = choose_way(report, keys)
    recipient = f"{local_part}@{domain}"
    return RecipientReport(recipient=recipient, keys=keys, way=way, reason=reason, domain=report)


async def _in_dns(
    local_part: str, domain: str, source: KeySource, vantage: Vantage
) -> RecipientKey:
    name = owner_name(local_part, domain, source)
    answer = await vantage.resolver.query(name, source.upper())
    if answer.status is DnsStatus.FAILED:
        found = Answer.NOT_TESTED
    else:
        found = Answer.YES if answer.status is DnsStatus.FOUND else Answer.NO
    return RecipientKey(
        source=source,
        found=found,
        where=name,
        dnssec=answer.dnssec,
        detail=answer.detail or answer.reason,
    )


async def _in_directory(local_part: str, domain: str, vantage: Vantage) -> RecipientKey:
    """By the advanced method. By the direct one if the host of the advanced one has no address."""
    advanced = f"openpgpkey.{domain}"
    has_name = await vantage.resolver.query(advanced, "A")
    has_name6 = await vantage.resolver.query(advanced, "AAAA")
    if has_name.status is DnsStatus.NXDOMAIN and has_name6.status is DnsStatus.NXDOMAIN:
        fetch = await vantage.policies.fetch_from(domain, wkd_path(local_part, None))
    else:
        fetch = await vantage.policies.fetch_from(advanced, wkd_path(local_part, domain))
    failure = fetch.failure
    return RecipientKey(
        source=KeySource.WKD,
        found=_answer(fetch),
        where=fetch.url,
        detail=None if failure is None else failure.detail or failure.reason,
    )


def _answer(fetch: PolicyFetch) -> Answer:
    if fetch.http_status in _NOT_FOUND or (fetch.http_status == 200 and fetch.body == ""):
        return Answer.NO
    if fetch.failure is None:
        return Answer.YES
    cannot_be = fetch.failure.reason is Reason.INVALID_NAME
    return Answer.NO if cannot_be else Answer.NOT_TESTED
