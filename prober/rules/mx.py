"""Selects the hosts that receive a domain's mail. RFC 5321 §5.1, RFC 7505, RFC 2181 §10.3."""

import ipaddress
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from prober.records import (
    Anomaly,
    AnomalyKind,
    Code,
    DomainFacts,
    Failure,
    Finding,
    MxHost,
    Reason,
    Route,
    RouteStatus,
    Step,
    finding,
)

ROOT: Final = "."
_HOST_LABEL: Final = re.compile(
    r"[a-z0-9_-]{1,63}"
)  # includes unusual names: DNS shows whether they work


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One MX record: lower case, no trailing dot; ``.`` is the root."""

    preference: int
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The MX hosts in the order in which a sender tries them. Empty if the domain takes no mail."""

    status: RouteStatus
    hosts: tuple[MxHost, ...] = ()
    anomalies: tuple[Anomaly, ...] = ()


def select_exchanges(records: Iterable[Exchange], *, most: int) -> Selection:
    """The hosts of an MX RRset, lowest preference first. RFC 5321 §5.1.

    The first *most* hosts are contacted. Up to *most* more, and names that cannot be a host, get a
    failure. All others are only counted. Senders shuffle hosts of equal preference; here they are
    sorted by name.
    """
    ordered = sorted(records, key=lambda record: (record.preference, record.host))
    hosts = [record for record in ordered if record.host != ROOT]
    if not hosts:
        return Selection(status=RouteStatus.NULL_MX, anomalies=tuple(_null_anomalies(ordered)))
    unique = {record.host: record for record in reversed(hosts)}  # keeps the lowest preference
    anomalies = [*_repeated(hosts)]
    if len(hosts) < len(ordered):  # RFC 7505 §3: no other MX beside a null MX
        detail = "'.' beside other MX hosts is ignored"
        anomalies.append(Anomaly(kind=AnomalyKind.NULL_MX_IGNORED, detail=detail))
    if len(unique) > 2 * most:
        detail = f"{len(unique) - 2 * most} more MX hosts are not listed"
        anomalies.append(Anomaly(kind=AnomalyKind.MX_LEFT_OUT, detail=detail))
    selected = [_host(record) for record in hosts if unique.pop(record.host, None) is not None]
    return Selection(
        status=RouteStatus.MX,
        hosts=tuple(_apply_limit(selected[: 2 * most], most)),
        anomalies=tuple(anomalies),
    )


def _null_anomalies(records: list[Exchange]) -> Iterator[Anomaly]:
    """A null MX must have preference 0. RFC 7505 §3."""
    if any(record.preference for record in records):
        detail = f"preference {records[-1].preference} instead of 0"
        yield Anomaly(kind=AnomalyKind.NULL_MX_PREFERENCE, detail=detail)


def _repeated(hosts: list[Exchange]) -> Iterator[Anomaly]:
    counts = Counter(record.host for record in hosts)
    for name in sorted(name for name, count in counts.items() if count > 1):
        yield Anomaly(kind=AnomalyKind.MX_DUPLICATE, detail=name)


def _host(record: Exchange) -> MxHost:
    reason = why_no_host(record.host)
    failure = reason and Failure(step=Step.RESOLVE, reason=Reason.INVALID_NAME, detail=reason)
    return MxHost(name=record.host, preference=record.preference, failure=failure or None)


def _apply_limit(hosts: list[MxHost], most: int) -> Iterator[MxHost]:
    detail = f"more than {most} MX hosts"
    cut_off = Failure(step=Step.RESOLVE, reason=Reason.LIMIT, detail=detail)
    for position, host in enumerate(hosts):
        over = position >= most and host.failure is None
        yield replace(host, failure=cut_off) if over else host


def why_no_host(name: str) -> str | None:
    """Why no sender can reach an MX host with this *name*; None if one can."""
    if is_ip_literal(name):
        return "an IP address; an MX record holds a host name (RFC 1035 §3.3.9)"
    if is_localhost(name):
        return "localhost is the sender itself (RFC 6761 §6.3)"
    if not all(_HOST_LABEL.fullmatch(label) for label in name.split(".")):
        return "not a host name"
    return None


def cannot_be_host(host: MxHost) -> bool:
    """Whether no sender can reach *host*, because of its name: see ``why_no_host``."""
    return host.failure is not None and host.failure.reason is Reason.INVALID_NAME


def lookup_failed(host: MxHost) -> bool:
    """Whether *host* may have addresses that we do not know."""
    return host.failure is not None and not cannot_be_host(host)


def may_receive(host: MxHost) -> bool:
    """Whether *host* has an address, or may have one because a look-up failed."""
    return bool(host.addresses) or lookup_failed(host)


def is_ip_literal(name: str) -> bool:
    """Whether the name in an MX record is an IP address."""
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def is_localhost(name: str) -> bool:
    """Whether *name* is ``localhost`` or below it. RFC 6761 §6.3."""
    return name == "localhost" or name.endswith(".localhost")


_ROUTE_FINDINGS: Final = {
    RouteStatus.NULL_MX: (Code.NULL_MX, "the domain says that it receives no mail"),
    RouteStatus.NXDOMAIN: (Code.DOMAIN_NOT_FOUND, "the domain does not exist"),
    RouteStatus.NO_MAIL_HOST: (Code.NO_MAIL_HOST, "nothing that receives mail has an address"),
    RouteStatus.IMPLICIT_MX: (Code.IMPLICIT_MX, "no MX record: mail goes to the domain's address"),
}
_ANOMALY_FINDINGS: Final = {
    AnomalyKind.NULL_MX_IGNORED: Code.NULL_MX_IGNORED,
    AnomalyKind.NULL_MX_PREFERENCE: Code.NULL_MX_PREFERENCE,
    AnomalyKind.MX_DUPLICATE: Code.MX_DUPLICATE,
    AnomalyKind.MX_LEFT_OUT: Code.LIMIT_REACHED,
}
ROUTE_ANOMALIES: Final = frozenset(_ANOMALY_FINDINGS)


def route_findings(facts: DomainFacts) -> tuple[Finding, ...]:
    """Findings on the MX RRset and on the names in it."""
    if facts.route is None:
        return ()
    return (
        *_findings_on_domain(facts.domain),
        *_findings_on_route(facts.route),
        *(finding for host in facts.mx_hosts for finding in _findings_on_host(host)),
    )


def _findings_on_domain(domain: str | None) -> Iterator[Finding]:
    if domain is not None and "_" in domain:  # RFC 5321 §4.1.2, sub-domain
        yield finding(Code.NAME_WITH_UNDERSCORE, detail="the domain itself")


def _findings_on_route(route: Route) -> Iterator[Finding]:
    if route.status is RouteStatus.DNS_ERROR and route.reason is not Reason.UNFINISHED:
        code = Code.DNSSEC_INVALID if route.reason is Reason.BOGUS else Code.DNS_ERROR
        yield finding(code, detail=route.detail or route.reason)
    elif route.status in _ROUTE_FINDINGS:
        code, detail = _ROUTE_FINDINGS[route.status]
        yield finding(code, detail=detail)
    for anomaly in route.anomalies:
        yield finding(_ANOMALY_FINDINGS[anomaly.kind], detail=anomaly.detail)


def _findings_on_host(host: MxHost) -> Iterator[Finding]:
    if host.alias_of is not None:  # RFC 2181 §10.3
        yield finding(Code.MX_IS_CNAME, mx_host=host.name, detail=f"an alias of {host.alias_of}")
    if "_" in host.name and why_no_host(host.name) is None:  # RFC 1123 §2.1
        yield finding(Code.NAME_WITH_UNDERSCORE, mx_host=host.name)
    if host.failure is None:
        if not host.addresses:
            yield finding(Code.MX_NO_ADDRESS, mx_host=host.name)
        return
    yield finding(
        _code_of_host_failure(host), mx_host=host.name, detail=host.failure.detail or None
    )


def _code_of_host_failure(host: MxHost) -> Code:
    match host.failure and host.failure.reason:
        case Reason.INVALID_NAME if is_ip_literal(host.name):
            return Code.MX_IP_LITERAL
        case Reason.INVALID_NAME if is_localhost(host.name):
            return Code.MX_LOCALHOST
        case Reason.INVALID_NAME:
            return Code.MX_INVALID_NAME
        case Reason.LIMIT:
            return Code.LIMIT_REACHED
        case Reason.BOGUS:
            return Code.DNSSEC_INVALID
        case _:
            return Code.DNS_ERROR
