"""One recipient: which keys are published for him, and how to write to him in secret."""

import asyncio
from typing import Final

from prober.domains import Entry, parse_domain
from prober.errors import InputError
from prober.net.resolver import DnsStatus
from prober.probe import probe_entry
from prober.records import Answer, PolicyFetch, Reason
from prober.records.recipient import KeySource, RecipientKey, RecipientReport
from prober.rules.recipient import choose_way, owner_name, wkd_path
from prober.vantage import Vantage

_LONGEST_LOCAL_PART: Final = 64  # octets: RFC 5321 §4.5.3.1.1
_NOT_FOUND: Final = (404, 410)


def parse_recipient(text: str) -> tuple[str, str]:
    """The local part and the domain of ``user@domain``. Raises InputError for anything else."""
    local_part, at, domain = text.strip().rpartition("@")
    if not at or not local_part or len(local_part.encode()) > _LONGEST_LOCAL_PART:
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
    """By the advanced method, and by the direct one only where the advanced host has no name."""
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
