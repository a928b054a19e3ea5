"""The columns of the CSV report, once: one row a domain, or one an endpoint. docs/csv.md.

Cells are as the records have them; ``csv_.py`` makes them harmless. Columns are only ever added
at the end.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from prober.domains import operator_of
from prober.escape import utc
from prober.records import (
    Answer,
    Certificate,
    Dane,
    DeepQuestion,
    DomainReport,
    Endpoint,
    Failure,
    Finding,
    Severity,
    Step,
    all_of,
    any_of,
)
from prober.report.interface import Row
from prober.report.words import accepted_words, certificate_valid, name_of, trouble
from prober.rules.deep import CERTIFICATE_QUESTIONS, accepts, post_quantum, weak_dh
from prober.rules.delivery import forced_tls
from prober.rules.operator_advice import advice_for
from prober.rules.views import as_shown, first_expiry

COLUMNS: Final = (
    "domain",
    "checked_at",
    "encrypted",
    "level",
    "complete",
    "mx_status",
    "mx_hosts",
    "endpoints",
    "endpoints_tested",
    "endpoints_tls",
    "tls_versions",
    "ciphers",
    "key_exchanges",
    "certificates_valid",
    "certificate_expires",
    "days_to_expiry",
    "dnssec",
    "dane",
    "mta_sts",
    "tls_rpt",
    "forced_tls",
    "findings",
    "error",
    "elapsed_ms",
    "requirement",
    "standing",
    "reasons",
    "post_quantum",
    "legacy_versions",
    "broken_suites",
    "static_key_exchange",
    "weak_dh",
    "accepted",
)

ENDPOINT_COLUMNS: Final = (
    "domain",
    "checked_at",
    "level",
    "mx_host",
    "preference",
    "address",
    "port",
    "observed_at",
    "starttls",
    "confirmed",
    "tls_version",
    "cipher",
    "cipher_bits",
    "key_exchange",
    "certificate_subject",
    "certificate_issuer",
    "certificate_expires",
    "days_to_expiry",
    "certificate_key",
    "certificate_signature",
    "certificate_sha256",
    "certificate_trusted",
    "certificate_name_matches",
    "certificate_in_date",
    "dane",
    "failure_step",
    "failure_reason",
    "reply_code",
    "detail",
    "greeting",
    "key_exchange_bits",
    "post_quantum",
    "legacy_versions",
    "broken_suites",
    "static_key_exchange",
    "weak_dh",
    "rsa_certificate",
    "ecdsa_certificate",
)

FINDING_COLUMNS: Final = (
    "domain",
    "standing",
    "severity",
    "code",
    "mx_host",
    "address",
    "detail",
    "meaning",
    "advice",
    "norm",
    "accepted",
)

TIMES: Final = frozenset({"checked_at", "observed_at", "certificate_expires"})
"""The columns whose cells are times."""

LIST_COLUMN: Final = "list_"
"""Before the name of a column of the list that was read, so that it is none of ours."""

NO_GROUP: Final = "none"  # TLS completed without a key-exchange group: plain RSA
_NOT_TESTED: Final = "not-tested"
_SEVERITIES: Final = {severity: rank for rank, severity in enumerate(Severity)}
_WORST_DANE_FIRST: Final = (
    Dane.MISMATCH,
    Dane.NO_TLS,
    Dane.UNUSABLE,
    Dane.NOT_TESTED,
    Dane.NONE,
    Dane.MATCH,
)


def severity_order(finding: Finding) -> tuple[int, str]:
    """Sorts findings most severe first, then by code."""
    return _SEVERITIES[finding.severity], finding.code


def list_names(columns: Sequence[str]) -> tuple[str, ...]:
    """The names, in a report, of *columns* of the list that was read."""
    return tuple(f"{LIST_COLUMN}{name}" for name in columns)


def list_cells(report: DomainReport, columns: Sequence[str]) -> Row:
    """What the row of the list has in *columns*; nothing where the row could not be read."""
    return tuple(report.columns.get(name) for name in columns)


def to_row(report: DomainReport) -> Row:
    """One row a domain, in the order of ``COLUMNS``."""
    verdict, route = report.verdict, report.route
    encrypted = [seen for seen in report.endpoints if seen.tls_version is not None]
    expires = first_expiry(report.endpoints)
    hosts = sorted(report.mx_hosts, key=lambda host: (host.preference, host.name))
    dane = {seen.dane for seen in report.endpoints}
    return (
        name_of(report),
        utc(report.checked_at),
        verdict.encrypted,
        verdict.level,
        "yes" if verdict.complete else "no",
        route.status if route else None,
        _joined(host.name for host in hosts),
        verdict.endpoints,
        verdict.endpoints_tested,
        len(encrypted),
        _joined(sorted(seen.tls_version or "" for seen in encrypted)),
        _joined(sorted(seen.cipher or "" for seen in encrypted)),
        _joined(sorted(seen.key_exchange or NO_GROUP for seen in encrypted)),
        all_of(certificate_valid(each) for seen in encrypted for each in as_shown(seen)),
        utc(expires) if expires else None,
        (expires - report.checked_at).days if expires else None,
        route.dnssec if route else None,
        _joined(word for word in _WORST_DANE_FIRST if word in dane),
        report.mta_sts.status if report.mta_sts else _NOT_TESTED,
        report.tls_rpt.status if report.tls_rpt else _NOT_TESTED,
        forced_tls(report),
        _joined(finding.code for finding in sorted(report.findings, key=severity_order)),
        trouble(report),
        report.elapsed_ms,
        report.requirement,
        report.standing,
        _joined(report.reasons),
        all_of(map(post_quantum, encrypted)),
        *_weaknesses_of(encrypted),
        _accepted(report),
    )


def to_endpoint_rows(report: DomainReport) -> Iterator[Row]:
    """One row an endpoint, in the order of ``ENDPOINT_COLUMNS``.

    An MX host without an endpoint, or whose look-up failed, has a row of its own; so has a domain
    without any.
    """
    preferences = {host.name: host.preference for host in report.mx_hosts}
    for seen in report.endpoints:
        yield _endpoint_row(report, seen, preferences.get(seen.mx_host))
    contacted = {seen.mx_host for seen in report.endpoints}
    for host in report.mx_hosts:
        if host.failure is not None or host.name not in contacted:
            yield _bare_row(report, host.name, host.preference, host.failure)
    if not contacted and not report.mx_hosts:
        why = trouble(report) or (report.route.status if report.route else None)
        yield _bare_row(report, None, None, _route_failure(report), why)


def to_finding_rows(report: DomainReport) -> Iterator[Row]:
    """One row a finding, in the order of ``FINDING_COLUMNS``."""
    for found in sorted(report.findings, key=severity_order):
        yield (
            name_of(report),
            report.standing,
            found.severity,
            found.code,
            found.mx_host,
            found.address,
            found.detail,
            found.code.meaning,
            advice_for(found, operator_of),
            found.code.norm,
            _accepted(report),
        )


def _accepted(report: DomainReport) -> str | None:
    return None if report.accepted is None else accepted_words(report.accepted)


def _endpoint_row(report: DomainReport, seen: Endpoint, preference: int | None) -> Row:
    group = seen.key_exchange or (NO_GROUP if seen.tls_version else None)
    return (
        name_of(report),
        utc(report.checked_at),
        report.verdict.level,
        seen.mx_host,
        preference,
        seen.address,
        seen.port,
        utc(seen.observed_at),
        seen.starttls,
        seen.confirmed,
        seen.tls_version,
        seen.cipher,
        seen.cipher_bits,
        group,
        *_certificate_cells(seen.certificate, report.checked_at),
        seen.dane,
        *_failure_cells(seen.failure),
        seen.greeting,
        seen.key_exchange_bits,
        *_deep_cells(seen),
    )


def _deep_cells(seen: Endpoint) -> Row:
    """What it accepts beyond what it chose; empty where TLS did not complete."""
    if seen.tls_version is None:
        return (None,) * (1 + _WEAKNESSES + len(CERTIFICATE_QUESTIONS))
    shown = (accepts(seen, question) for question in CERTIFICATE_QUESTIONS)
    return (post_quantum(seen), *_weaknesses(seen), *shown)


_WEAKNESSES: Final = 4


def _weaknesses(seen: Endpoint) -> tuple[Answer, ...]:
    return (
        accepts(seen, DeepQuestion.LEGACY_VERSION),
        accepts(seen, DeepQuestion.BROKEN_SUITES),
        accepts(seen, DeepQuestion.STATIC_KEY_EXCHANGE),
        weak_dh(seen),
    )


def _weaknesses_of(endpoints: Sequence[Endpoint]) -> Row:
    """The same over all of them; not tested where there is none."""
    columns = zip(*map(_weaknesses, endpoints), strict=True)
    return tuple(map(any_of, columns)) or (_NOT_TESTED,) * _WEAKNESSES


def _bare_row(
    report: DomainReport,
    mx_host: str | None,
    preference: int | None,
    failure: Failure | None,
    detail: str | None = None,
) -> Row:
    """The row of a host, or of a domain, without an endpoint, with the reason."""
    known = {
        "domain": name_of(report),
        "checked_at": utc(report.checked_at),
        "level": report.verdict.level,
        "mx_host": mx_host,
        "preference": preference,
    }
    names = ("failure_step", "failure_reason", "reply_code", "detail")
    known.update(zip(names, _failure_cells(failure), strict=True))
    known["detail"] = known["detail"] or detail
    return tuple(known.get(column) for column in ENDPOINT_COLUMNS)


def _certificate_cells(certificate: Certificate | None, now: datetime) -> Row:
    if certificate is None:
        return (None,) * 10
    expires = certificate.not_after
    return (
        certificate.subject,
        certificate.issuer,
        utc(expires) if expires else None,
        (expires - now).days if expires else None,
        certificate.key,
        certificate.signature,
        certificate.sha256,
        certificate.trusted,
        certificate.name_matches,
        certificate.in_date,
    )


def _failure_cells(failure: Failure | None) -> Row:
    if failure is None:
        return (None,) * 4
    return failure.step, failure.reason, failure.reply_code, failure.detail


def _route_failure(report: DomainReport) -> Failure | None:
    route = report.route
    if route is None or route.reason is None:
        return None
    return Failure(step=Step.RESOLVE, reason=route.reason, detail=route.detail)


def _joined(values: Iterable[str]) -> str:
    """Each value once, a space between: a space inside one is escaped, so that they stay apart."""
    return " ".join(value.replace(" ", "\\x20") for value in dict.fromkeys(values) if value)
