"""What a domain publishes for senders to insist on, in a line each: DANE, MTA-STS, TLS-RPT."""

from collections.abc import Iterator

from prober.records import Dane, Dnssec, DomainReport, MtaSts, StsStatus, TlsRptStatus
from prober.rules.txt_record import listed

_DAY_S = 86_400
_UNCOMPARED = {Dane.NONE, Dane.NOT_TESTED}


def published_lines(report: DomainReport) -> Iterator[str]:
    """One line for each that is there, or that could not be learnt; nothing for what is absent."""
    dane = _on_dane(report)
    if dane is not None:
        yield f"DANE: {dane}"
    if report.mta_sts is not None and report.mta_sts.status is not StsStatus.ABSENT:
        yield f"MTA-STS: {_on_mta_sts(report.mta_sts)}"
    if report.tls_rpt is not None and report.tls_rpt.status is not TlsRptStatus.ABSENT:
        whom = ", ".join(report.tls_rpt.rua) or report.tls_rpt.detail or ""
        yield f"TLS-RPT: {report.tls_rpt.status} {whom}".rstrip()
    if any("REQUIRETLS" in (seen.ehlo_keywords_tls or ()) for seen in report.endpoints):
        yield "REQUIRETLS: offered over TLS (RFC 8689)"


def _on_dane(report: DomainReport) -> str | None:
    """What the TLSA records came to at the servers, then where there was no server to compare."""
    words: list[str] = sorted({seen.dane for seen in report.endpoints} - _UNCOMPARED)
    compared = {seen.mx_host for seen in report.endpoints if seen.dane not in _UNCOMPARED}
    left = [host for host in report.mx_hosts if host.name not in compared]
    published = [host.name for host in left if host.tlsa and host.tlsa_dnssec is Dnssec.SECURE]
    failed = [host.name for host in left if host.tlsa_failure is not None and not host.tlsa]
    if published:
        words.append(f"TLSA records for {listed(published)}, not compared with a certificate")
    if failed:
        words.append(f"TLSA records for {listed(failed)} could not be looked up")
    if not words:
        return None
    return f"{', '.join(words)}, DNSSEC of the MX record {report.route and report.route.dnssec}"


def _on_mta_sts(mta_sts: MtaSts) -> str:
    parts = [str(mta_sts.status)]
    if mta_sts.max_age is not None:
        parts.append(f"for {mta_sts.max_age / _DAY_S:.3g} days")
    if mta_sts.mx:
        missing = ", ".join(mta_sts.uncovered)
        parts.append(f"without {missing}" if missing else "covering every MX host")
    if mta_sts.detail:
        parts.append(f"({mta_sts.detail})")
    if mta_sts.senders_differ:
        parts.append(f"(senders differ: {mta_sts.senders_differ})")
    return " ".join(parts)
