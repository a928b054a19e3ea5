"""What the administrator of a domain can publish in DNS, ready to copy.

Made from what was seen, and only where every name in it is a plain host name.
"""

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from prober.domains import operator_of
from prober.escape import utc
from prober.records import Dane, Dnssec, DomainReport, MxHost, StsStatus, TlsRptStatus
from prober.rules.mx import may_receive
from prober.rules.operator_advice import OPERATORS

_PLAIN: Final = re.compile(
    r"(?=.{1,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}"
)
_MAX_HOSTS: Final = 50
_MAX_AGE_S: Final = 604_800  # a week, to begin with; weeks or more later: RFC 8461 §3.2
_WITHOUT_STS: Final = (
    StsStatus.ABSENT,
    StsStatus.TXT_INVALID,
    StsStatus.FETCH_FAILED,
    StsStatus.POLICY_INVALID,
)
_WITHOUT_DANE: Final = (Dane.NONE, Dane.MISMATCH, Dane.UNUSABLE)
YOUR_KEY: Final = (
    "openssl x509 -in CERTIFICATE.pem -noout -pubkey | openssl pkey -pubin -outform DER "
    "| openssl sha256"
)
NEXT_KEY: Final = "openssl pkey -in NEXT-KEY.pem -pubout -outform DER | openssl sha256"


class Topic(enum.Enum):
    """What it belongs to."""

    MTA_STS = enum.auto()
    TLS_RPT = enum.auto()
    DANE = enum.auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """Lines for a zone or a file, where they go, and what to know before."""

    topic: Topic
    title: str
    where: str
    lines: tuple[str, ...]
    notes: tuple[str, ...] = ()


def is_plain(name: str) -> bool:
    """Whether *name* is safe to put in a zone file, a policy or a command."""
    return _PLAIN.fullmatch(name) is not None


def publications(report: DomainReport) -> Iterator[Publication]:
    """What is missing or wrong at the domain; nothing for what could not be looked up.

    Nothing either where no server completes TLS, since neither a policy nor a TLSA record helps
    before that.
    """
    domain = report.domain
    if domain is None or not is_plain(domain) or report.server is not None:
        return
    if all(seen.tls_version is None for seen in report.endpoints):
        return
    yield from _mta_sts(report, domain)
    yield from _tls_rpt(report, domain)
    yield from _tlsa(report)


def _mta_sts(report: DomainReport, domain: str) -> Iterator[Publication]:
    """RFC 8461 §3.1 (the record), §3.2 (the policy)."""
    sts = report.mta_sts
    hosts = [host.name for host in report.mx_hosts if may_receive(host)][: _MAX_HOSTS + 1]
    if sts is None or not hosts or len(hosts) > _MAX_HOSTS or not all(map(is_plain, hosts)):
        return
    enforced = sts.status is StsStatus.ENFORCE and bool(sts.uncovered)
    if not enforced and sts.status not in _WITHOUT_STS:
        return
    yield Publication(
        topic=Topic.MTA_STS,
        title="MTA-STS policy file",
        where=f"https://mta-sts.{domain}/.well-known/mta-sts.txt",
        lines=(
            "version: STSv1",
            f"mode: {'enforce' if enforced else 'testing'}",
            *(f"mx: {host}" for host in hosts),
            f"max_age: {_MAX_AGE_S}",
        ),
        notes=(
            "These are the MX hosts that we saw. Each needs TLS 1.2 or newer and a certificate of "
            "a public CA with its name.",
            *(
                ()
                if enforced
                else ("Change the mode to enforce once TLS reports show no failures.",)
            ),
        ),
    )
    yield Publication(
        topic=Topic.MTA_STS,
        title="MTA-STS record",
        where="DNS",
        lines=(f'_mta-sts.{domain}. IN TXT "v=STSv1; id={report.checked_at:%Y%m%d%H%M%S}"',),
        notes=("Publish the policy file first. Change the id with each change of the policy.",),
    )


def _tls_rpt(report: DomainReport, domain: str) -> Iterator[Publication]:
    """RFC 8460 §3."""
    wanted = (TlsRptStatus.ABSENT, TlsRptStatus.INVALID)
    if report.tls_rpt is not None and report.tls_rpt.status in wanted:
        yield Publication(
            topic=Topic.TLS_RPT,
            title="TLS reporting record (TLS-RPT)",
            where="DNS",
            lines=(f'_smtp._tls.{domain}. IN TXT "v=TLSRPTv1; rua=mailto:tls-reports@{domain}"',),
            notes=("Senders then mail a daily report on TLS. Choose an address that you read.",),
        )


def _tlsa(report: DomainReport) -> Iterator[Publication]:
    """TLSA 3 1 1 of the keys seen, where the MX records and the host are signed.

    RFC 7672 §2.2.1 (the MX records), §2.2.2 (the addresses), §3.1.1 (DANE-EE).
    """
    if report.route is None or report.route.dnssec is not Dnssec.SECURE:
        return
    for host in report.mx_hosts:
        keys = _keys(report, host)
        if keys and _takes_tlsa(host):
            yield Publication(
                topic=Topic.DANE,
                title=f"TLSA for {host.name}",
                where=f"DNS, the zone of {operator_of(host.name)}",
                lines=tuple(f"_25._tcp.{host.name}. IN TLSA 3 1 1 {key}" for key in keys),
                notes=(
                    f"This is the key that we saw at {utc(report.checked_at)}. Compare it with "
                    f"your own key before you publish it: {YOUR_KEY}",
                    "Before you change the key, publish the record of the next one beside it: "
                    f"{NEXT_KEY}",
                ),
            )


def _takes_tlsa(host: MxHost) -> bool:
    signed = host.dnssec is Dnssec.SECURE and host.tlsa_dnssec is Dnssec.SECURE
    return signed and is_plain(host.name) and operator_of(host.name) not in OPERATORS


def _keys(report: DomainReport, host: MxHost) -> list[str]:
    """The keys at *host* that no TLSA record matches, as SHA-256 of the public key."""
    seen = [
        each.certificate.spki_sha256
        for each in report.endpoints
        if each.mx_host == host.name and each.dane in _WITHOUT_DANE and each.certificate is not None
    ]
    return sorted({key for key in seen if key and re.fullmatch(r"[0-9a-f]{64}", key)})
