"""From facts to a verdict: level, completeness, standing against a requirement. docs/verdict.md."""

import enum
from collections.abc import Sequence
from dataclasses import fields
from typing import Final, assert_never

from prober.records import (
    Answer,
    Code,
    DomainFacts,
    DomainReport,
    Encrypted,
    Endpoint,
    EndpointFacts,
    Finding,
    Level,
    MxHost,
    Reason,
    RouteStatus,
    Severity,
    TrustStore,
    Verdict,
)
from prober.rules.baseline import ACCEPTABLE_TLS_VERSIONS, found
from prober.rules.certificate import certificate_findings, judge_authenticity, judge_certificate
from prober.rules.endpoint import (
    Outcome,
    proven,
    session_findings,
    was_refused_twice,
)
from prober.rules.mx import route_findings

_NO_MAIL: Final = (RouteStatus.NULL_MX, RouteStatus.NXDOMAIN, RouteStatus.NO_MAIL_HOST)
_NO_WAY_FROM_HERE: Final = (Reason.NO_IPV6_HERE, Reason.NO_IPV4_HERE)
_RANK: Final = {
    Level.NONE: 0,
    Level.PARTIAL: 1,
    Level.OPPORTUNISTIC: 2,
    Level.AUTHENTICATED: 3,
    Level.ENFORCED: 4,
}
REQUIRABLE: Final = (Level.OPPORTUNISTIC, Level.AUTHENTICATED, Level.ENFORCED)


def judge_domain(facts: DomainFacts) -> DomainReport:
    """The report on *facts*: each certificate judged at the time it was seen, then the domain."""
    endpoints = tuple(
        judge_endpoint(endpoint, facts.run.trust_store) for endpoint in facts.endpoints
    )
    verdict = Verdict(
        level=(level := judge_level(facts, endpoints)),
        encrypted=encrypted_in_a_word(level),
        complete=is_complete(facts, endpoints),
        endpoints=len(endpoints),
        endpoints_tested=sum(_is_tested(endpoint) for endpoint in endpoints),
    )
    return DomainReport(
        input=facts.input,
        domain=facts.domain,
        checked_at=facts.checked_at,
        elapsed_ms=facts.elapsed_ms,
        run=facts.run,
        error=facts.error,
        verdict=verdict,
        route=facts.route,
        mx_hosts=facts.mx_hosts,
        endpoints=endpoints,
        findings=_findings(facts, endpoints),
    )


def facts_of(report: DomainReport) -> DomainFacts:
    """The facts in a report, for judging them again."""
    names = (field.name for field in fields(DomainFacts))
    return DomainFacts(**{name: getattr(report, name) for name in names})


def judge_endpoint(facts: EndpointFacts, trust: TrustStore) -> Endpoint:
    """*facts* with their certificate judged, at the time they were observed."""
    names = (field.name for field in fields(EndpointFacts))
    certificate = judge_certificate(facts, now=facts.observed_at, trust=trust)
    return Endpoint(**{name: getattr(facts, name) for name in names}, certificate=certificate)


def judge_level(facts: DomainFacts, endpoints: Sequence[Endpoint]) -> Level:
    """The level that the tested endpoints prove; how many those are, the verdict says beside it."""
    if facts.route is None:
        return Level.INVALID
    if facts.route.status in _NO_MAIL:
        return Level.NO_MAIL
    tested = [endpoint for endpoint in endpoints if _is_tested(endpoint)]
    if not tested:  # DNS failed, or nobody answered: all() over nothing proves nothing
        return Level.UNKNOWN
    completed = [endpoint for endpoint in tested if proven(endpoint) is Outcome.COMPLETED]
    if not completed:
        return Level.NONE
    if len(completed) < len(tested):
        return Level.PARTIAL
    if all(authenticated(endpoint) is Answer.YES for endpoint in completed):
        return Level.AUTHENTICATED
    return Level.OPPORTUNISTIC


def authenticated(endpoint: Endpoint) -> Answer:
    """Whether TLS 1.2 or better completed with a certificate that proves the MX host."""
    if endpoint.tls_version not in ACCEPTABLE_TLS_VERSIONS:  # RFC 9325 §3.1.1
        return Answer.NO
    return judge_authenticity(endpoint, endpoint.certificate)


def encrypted_in_a_word(level: Level) -> Encrypted:
    """The level as an answer to: does mail arrive encrypted?"""
    match level:
        case Level.OPPORTUNISTIC | Level.AUTHENTICATED | Level.ENFORCED:
            return Encrypted.YES
        case Level.PARTIAL:
            return Encrypted.PARTIAL
        case Level.NONE:
            return Encrypted.NO
        case Level.NO_MAIL:
            return Encrypted.NO_MAIL
        case Level.UNKNOWN | Level.INVALID:
            return Encrypted.UNKNOWN
        case _:
            assert_never(level)


def is_complete(facts: DomainFacts, endpoints: Sequence[Endpoint]) -> bool:
    """Whether nothing that could change the level was left unseen."""
    return covers_every_endpoint(facts, endpoints) and not any(
        endpoint.tls_version is not None and authenticated(endpoint) is Answer.NOT_TESTED
        for endpoint in endpoints
    )


def covers_every_endpoint(facts: DomainFacts | DomainReport, endpoints: Sequence[Endpoint]) -> bool:
    """Whether DNS named every endpoint, and each was tested or is excused.

    Excused: no route here to that address family while another address of the host was tested;
    TCP refused twice while another MX host answers, which some do on purpose (nolisting).
    """
    if facts.route is None or facts.route.status is RouteStatus.DNS_ERROR:
        return False
    if not endpoints and facts.route.status not in _NO_MAIL:
        return False
    return not any(_hides_addresses(host) for host in facts.mx_hosts) and all(
        _is_tested(endpoint) or is_excused(endpoint, endpoints) for endpoint in endpoints
    )


def _hides_addresses(host: MxHost) -> bool:
    """Whether the host may have addresses that we do not know."""
    return host.failure is not None and host.failure.reason is not Reason.INVALID_NAME


def _is_tested(endpoint: Endpoint) -> bool:
    return proven(endpoint) is not Outcome.NOT_TESTED


def is_excused(endpoint: Endpoint, endpoints: Sequence[Endpoint]) -> bool:
    """Whether another tested endpoint makes up for this one, which was not."""
    tested_hosts = {other.mx_host for other in endpoints if _is_tested(other)}
    if endpoint.failure is not None and endpoint.failure.reason in _NO_WAY_FROM_HERE:
        return endpoint.mx_host in tested_hosts
    return was_refused_twice(endpoint) and bool(tested_hosts - {endpoint.mx_host})


class Standing(enum.StrEnum):
    """How a domain stands to what is required."""

    MEETS = "meets"
    FALLS_SHORT = "falls-short"
    UNDECIDED = "undecided"
    NEUTRAL = "neutral"  # it says that it receives no mail
    INVALID = "invalid"


def judge_standing(report: DomainReport, require: Level) -> Standing:
    """How *report* stands to the level *require*, one of REQUIRABLE.

    It falls short when one confirmed fact alone keeps it below; it meets when the level suffices
    and is complete. A domain that does not exist is undecided: a typo must not pass.
    """
    if report.route is None:
        return Standing.INVALID
    if report.route.status is RouteStatus.NULL_MX:
        return Standing.NEUTRAL
    if any(_keeps_below(endpoint, require) for endpoint in report.endpoints):
        return Standing.FALLS_SHORT
    level = report.verdict.level
    if level in _RANK and _RANK[level] >= _RANK[require] and report.verdict.complete:
        return Standing.MEETS
    return Standing.UNDECIDED


def _keeps_below(endpoint: Endpoint, require: Level) -> bool:
    match proven(endpoint):
        case Outcome.NEGATIVE:
            return True
        case Outcome.NOT_TESTED:
            return False
        case Outcome.COMPLETED:
            asks_for_proof = _RANK[require] >= _RANK[Level.AUTHENTICATED]
            return asks_for_proof and authenticated(endpoint) is Answer.NO
        case never:
            assert_never(never)


_SEVERITY_ORDER: Final = tuple(Severity)


def _findings(facts: DomainFacts, endpoints: Sequence[Endpoint]) -> tuple[Finding, ...]:
    """All findings, the most severe first."""
    findings = [*route_findings(facts)]
    for endpoint in endpoints:
        findings += _excused_or_not(endpoint, endpoints)
        findings += certificate_findings(endpoint, now=endpoint.observed_at)
    if facts.run.trust_store.certificates == 0 and any(e.chain for e in endpoints):
        findings.append(found(Code.TRUST_NOT_TESTED, detail="no trust store was found"))
    return tuple(sorted(findings, key=lambda item: _SEVERITY_ORDER.index(item.severity)))


def _excused_or_not(endpoint: Endpoint, endpoints: Sequence[Endpoint]) -> tuple[Finding, ...]:
    if was_refused_twice(endpoint) and is_excused(endpoint, endpoints):
        where = (endpoint.mx_host, endpoint.address)
        detail = "TCP refused twice, another MX host answers"
        return (found(Code.MX_NOT_LISTENING, mx_host=where[0], address=where[1], detail=detail),)
    return session_findings(endpoint)
