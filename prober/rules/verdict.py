"""From facts to a verdict: level, completeness, standing against a requirement. docs/verdict.md."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from itertools import chain
from typing import Final, assert_never

from prober.records import (
    AnomalyKind,
    Answer,
    Certificate,
    Code,
    Dane,
    DeepAnswer,
    DomainFacts,
    DomainReport,
    Encrypted,
    Endpoint,
    EndpointFacts,
    Finding,
    Level,
    MtaSts,
    MxHost,
    OtherCertificate,
    Reason,
    Route,
    Severity,
    TlsRpt,
    TrustStore,
    Verdict,
    all_of,
    any_of,
    finding,
)
from prober.rules.certificate import certificate_findings, judge_certificate
from prober.rules.certificate_fields import CertificateReader
from prober.rules.completeness import (
    NO_MAIL,
    is_excused,
    is_tested,
    saw_every_endpoint,
)
from prober.rules.dane import TlsaJudgement, dane_findings, is_dane_usable, judge_dane
from prober.rules.deep import deep_findings, kind_of, other_chains, with_chain
from prober.rules.delivery import judge_delivery
from prober.rules.endpoint import (
    Found,
    Outcome,
    findings_at,
    proven,
    session_findings,
    tls_findings,
    was_refused_twice,
)
from prober.rules.hellos import hello_findings
from prober.rules.mta_sts import judge_sts, sts_enforces, sts_findings
from prober.rules.mx import may_receive, route_findings
from prober.rules.thresholds import ACCEPTABLE_TLS_VERSIONS
from prober.rules.tls_rpt import judge_tls_rpt, tls_rpt_findings
from prober.rules.views import View, Views, views_of

RANK: Final = {
    Level.NONE: 0,
    Level.PARTIAL: 1,
    Level.OPPORTUNISTIC: 2,
    Level.AUTHENTICATED: 3,
    Level.ENFORCED: 4,
}
_DOMAIN_FACTS: Final = tuple(field.name for field in fields(DomainFacts))
_ENDPOINT_FACTS: Final = tuple(field.name for field in fields(EndpointFacts))
REQUIRABLE: Final = (Level.OPPORTUNISTIC, Level.AUTHENTICATED, Level.ENFORCED)


def judge_domain(facts: DomainFacts, reader: CertificateReader | None = None) -> DomainReport:
    """The report on *facts*: each certificate judged at the time it was seen, then the domain.

    Where this program failed while it observed them, the level is unknown, whatever was seen.
    *reader* remembers certificates from one domain to the next.
    """
    reader = reader or CertificateReader()
    error = facts.error or _fault_of(facts.endpoints)
    tlsa = tuple(_judge_tlsa(facts, reader))
    endpoints = tuple(
        judge_endpoint(
            seen,
            facts.run.trust_store,
            reader,
            dane=judged[0].dane,
            others=tuple(other.dane for other in judged[1:]),
        )
        for seen, judged in zip(facts.endpoints, tlsa, strict=True)
    )
    views = views_of(endpoints, reader)
    mta_sts = judge_sts(facts.sts, facts.mx_hosts)
    tls_rpt = judge_tls_rpt(facts.tls_rpt_txt)
    verdict = Verdict(
        level=(level := _judge_level(facts, error, views, mta_sts)),
        encrypted=summarize_encrypted(level),
        complete=_is_complete(facts, views) and error is None,
        endpoints=len(endpoints),
        endpoints_tested=sum(is_tested(endpoint) for endpoint in endpoints),
    )
    observed = {name: getattr(facts, name) for name in _DOMAIN_FACTS}
    report = DomainReport(
        **(observed | {"error": error, "endpoints": endpoints}),
        verdict=verdict,
        mta_sts=mta_sts,
        tls_rpt=tls_rpt,
        findings=_findings(facts, views, tuple(chain.from_iterable(tlsa)), mta_sts, tls_rpt),
    )
    delivery = None if facts.route is None else judge_delivery(report, views)
    return replace(report, delivery=delivery)


def report_fault(facts: DomainFacts, error: str) -> DomainReport:
    """The report on a domain that a rule failed on: *error*, and nothing of what *facts* hold."""
    verdict = Verdict(
        level=Level.UNKNOWN,
        encrypted=Encrypted.UNKNOWN,
        complete=False,
        endpoints=0,
        endpoints_tested=0,
    )
    return DomainReport(
        input=facts.input,
        domain=facts.domain,
        columns=facts.columns,
        server=facts.server,
        checked_at=facts.checked_at,
        elapsed_ms=facts.elapsed_ms,
        run=facts.run,
        error=error,
        verdict=verdict,
    )


def is_fault(report: DomainReport) -> bool:
    """Whether this program failed on the domain. An input that is not a domain is ``invalid``."""
    return report.error is not None and report.verdict.level is Level.UNKNOWN


def _fault_of(endpoints: Sequence[EndpointFacts]) -> str | None:
    """What this program failed on when it asked one of them."""
    for seen in endpoints:
        if seen.failure is not None and seen.failure.reason is Reason.FAULT:
            return f"{seen.mx_host} {seen.address}: {seen.failure.detail}"
    return None


def facts_of(report: DomainReport) -> DomainFacts:
    """The facts in a report, for judging them again."""
    return DomainFacts(**{name: getattr(report, name) for name in _DOMAIN_FACTS})


def judge_endpoint(
    facts: EndpointFacts,
    trust: TrustStore,
    reader: CertificateReader,
    *,
    dane: Dane = Dane.NOT_TESTED,
    others: Sequence[Dane] = (),
) -> Endpoint:
    """*facts* with their certificates judged by PKIX, at the time they were observed.

    *dane* is of the session's chain, *others* of ``other_chains`` in their order.
    """
    observed = {name: getattr(facts, name) for name in _ENDPOINT_FACTS}
    return Endpoint(
        **observed,
        certificate=_judge_leaf(facts, trust, reader) if facts.chain else None,
        certificate_without_sni=_certificate_without_sni(facts, trust, reader),
        dane=dane,
        other_certificates=tuple(
            OtherCertificate(
                question=answer.question,
                certificate=_other_certificate(facts, answer, trust, reader),
                dane=others[position] if position < len(others) else Dane.NOT_TESTED,
            )
            for position, answer in enumerate(other_chains(facts))
        ),
    )


def _other_certificate(
    facts: EndpointFacts, answer: DeepAnswer, trust: TrustStore, reader: CertificateReader
) -> Certificate:
    """The leaf of *answer*. Neither a path nor an error: nobody verified it, so not tested."""
    certificate = _judge_leaf(with_chain(facts, answer), trust, reader)
    if answer.path or answer.verify_errors:
        return certificate
    return replace(certificate, trusted=Answer.NOT_TESTED)


def _certificate_without_sni(
    facts: EndpointFacts, trust: TrustStore, reader: CertificateReader
) -> Certificate | None:
    """The certificate that senders without SNI are shown, where it comes with another chain."""
    seen = facts.without_sni
    if seen is None or not seen.chain:
        return None
    shown = replace(
        facts,
        observed_at=seen.observed_at,
        tls_version=seen.tls_version,
        chain=seen.chain,
        path=seen.path,
        verify_errors=seen.verify_errors,
    )
    return _judge_leaf(shown, trust, reader)


def _judge_leaf(facts: EndpointFacts, trust: TrustStore, reader: CertificateReader) -> Certificate:
    leaf = reader.read(facts.chain[0])
    return judge_certificate(facts, leaf, now=facts.observed_at, trust=trust)


def _judge_tlsa(
    facts: DomainFacts, reader: CertificateReader
) -> Iterator[tuple[TlsaJudgement, ...]]:
    """The endpoints of *facts*, each chain held against the TLSA records: the session's first."""
    hosts = {host.name: host for host in facts.mx_hosts}
    for seen in facts.endpoints:
        host = hosts.get(seen.mx_host)
        if host is None or facts.domain is None:
            yield (TlsaJudgement(seen=seen, dane=Dane.NOT_TESTED),)
            continue
        yield (
            judge_dane(seen, host, reader, domain=facts.domain, now=seen.observed_at),
            *(
                _judge_other_tlsa(with_chain(seen, answer), host, reader, facts.domain, answer)
                for answer in other_chains(seen)
            ),
        )


def _judge_other_tlsa(
    seen: EndpointFacts, host: MxHost, reader: CertificateReader, domain: str, answer: DeepAnswer
) -> TlsaJudgement:
    judged = judge_dane(seen, host, reader, domain=domain, now=answer.observed_at)
    return replace(judged, other=answer.question)


def _judge_level(
    facts: DomainFacts, error: str | None, views: Sequence[Views], mta_sts: MtaSts | None
) -> Level:
    """The level that the tested endpoints prove; how many those are, the verdict says beside it."""
    if facts.domain is None:
        return Level.INVALID
    if facts.route is None or error is not None:  # a fault of this program
        return Level.UNKNOWN
    if facts.route.status in NO_MAIL:
        return Level.NO_MAIL
    tested = [each.seen for each in views if is_tested(each.seen.endpoint)]
    if not tested:  # DNS failed, or nobody answered: all() over nothing proves nothing
        return Level.UNKNOWN
    completed = [view for view in tested if proven(view.endpoint) is Outcome.COMPLETED]
    if not completed:
        return Level.NONE
    if len(completed) < len(tested):
        return Level.PARTIAL
    if not all(authenticated_by_each(view) is Answer.YES for view in completed):
        return Level.OPPORTUNISTIC
    insists = judge_requirable(facts.route, facts.mx_hosts, mta_sts)
    return Level.ENFORCED if insists is Answer.YES else Level.AUTHENTICATED


def authenticated(view: View) -> Answer:
    """Whether TLS 1.2 or better completed with a certificate that proves the MX host.

    Usable secure TLSA decides alone: a mismatch is not authenticated, however valid by PKIX
    (RFC 7672 §2.2). Where there is none, or what there is was not tested, PKIX decides.
    """
    if view.endpoint.tls_version not in ACCEPTABLE_TLS_VERSIONS:  # RFC 9325 §3.1.1
        return Answer.NO
    match view.endpoint.dane:
        case Dane.MATCH:
            return Answer.YES
        case Dane.MISMATCH:
            return Answer.NO
        case Dane.UNUSABLE | Dane.NONE | Dane.NO_TLS | Dane.NOT_TESTED:
            return view.proves_host
        case _:
            assert_never(view.endpoint.dane)


def authenticated_by_each(view: View) -> Answer:
    """The same of every certificate that the endpoint is known to show: which one a sender gets
    depends on what it offers. RFC 5246 §7.4.2.
    """
    return all_of(map(authenticated, (view, *view.others)))


def proof_depends_on_certificate(view: View) -> bool:
    """Whether one certificate of the endpoint proves the MX host and another does not."""
    return {Answer.YES, Answer.NO} <= set(map(authenticated, (view, *view.others)))


def judge_requirable(route: Route, mx_hosts: Sequence[MxHost], mta_sts: MtaSts | None) -> Answer:
    """Whether the domain tells senders to insist: MTA-STS at every MX host, or DANE at each.

    A host that could not be looked up counts among them, and so do those beyond our bound; one that
    surely has no address does not.
    """
    by_dane = all_of(is_dane_usable(host, route) for host in mx_hosts if may_receive(host))
    by_sts = sts_enforces(mta_sts, mx_hosts)
    if by_sts is Answer.YES and any(
        anomaly.kind is AnomalyKind.MX_LEFT_OUT for anomaly in route.anomalies
    ):
        by_sts = Answer.NOT_TESTED
    return any_of((by_dane, by_sts))


def summarize_encrypted(level: Level) -> Encrypted:
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


def _is_complete(facts: DomainFacts, views: Sequence[Views]) -> bool:
    """Whether nothing that could change the level was left unseen."""
    is_open = any(is_proof_open(each.seen) for each in views)
    return saw_every_endpoint(facts) and not is_open


def is_proof_open(view: View) -> bool:
    """Whether trust or TLSA, not tested, could make another answer of the one that stands."""
    if view.endpoint.tls_version is None:
        return False
    return any(
        each.endpoint.dane is Dane.NOT_TESTED or authenticated(each) is Answer.NOT_TESTED
        for each in (view, *view.others)
    )


def depends_on_sender(views: Views, *, asks_for_proof: bool) -> bool:
    """Whether common senders differ in what they meet: TLS, or with *asks_for_proof* its proof."""
    if views.tls_depends_on_sender:
        return True
    return asks_for_proof and (
        _proof_depends_on_sni(views) or proof_depends_on_certificate(views.seen)
    )


def _proof_depends_on_sni(views: Views) -> bool:
    """Whether only senders with SNI are shown a certificate that proves the MX host."""
    if views.sni_makes_no_difference:
        return False
    seen, plain = views.seen, views.without_sni
    if plain is None or plain.endpoint.tls_version is None or seen.endpoint.dane is Dane.MATCH:
        return False
    return (authenticated(seen), authenticated(plain)) == (Answer.YES, Answer.NO)


_SEVERITY_ORDER: Final = tuple(Severity)


def _findings(
    facts: DomainFacts,
    views: Sequence[Views],
    tlsa: Sequence[TlsaJudgement],
    mta_sts: MtaSts | None,
    tls_rpt: TlsRpt | None,
) -> tuple[Finding, ...]:
    """All findings, the most severe first."""
    endpoints = tuple(each.seen.endpoint for each in views)
    findings = [
        *route_findings(facts),
        *dane_findings(facts, tlsa),
        *sts_findings(facts.sts, mta_sts, endpoints),
        *tls_rpt_findings(tls_rpt),
    ]
    for each in views:
        findings += _excused_or_not(each, endpoints)
        findings += _certificate_findings(each.seen)
    if facts.run.trust_store.certificates == 0 and any(e.chain for e in endpoints):
        findings.append(finding(Code.TRUST_NOT_TESTED, detail="no trust store was found"))
    return tuple(sorted(findings, key=lambda item: _SEVERITY_ORDER.index(item.severity)))


_MOOT_WITH_DANE: Final = (Code.CERTIFICATE_NOT_TRUSTED, Code.CERTIFICATE_SELF_SIGNED)


def _certificate_findings(view: View) -> Iterator[Finding]:
    """Those on its certificates; that no CA vouches for one is no fault where TLSA does."""
    endpoint = view.endpoint
    for each in certificate_findings(endpoint, view.chain, now=endpoint.observed_at):
        if endpoint.dane is not Dane.MATCH or each.code not in _MOOT_WITH_DANE:
            yield each
    names = [kind_of(other.question) for other in endpoint.other_certificates]
    failing, proving = [], []
    for name, shown in zip(names, view.others, strict=False):
        found = tuple(_certificate_findings(shown))
        if (authenticated(view), authenticated(shown)) == (Answer.YES, Answer.NO):
            failing.append(f"{name}: {_faults(shown, found)}")
        else:
            proving += [name] if authenticated(shown) is Answer.YES else []
            yield from (replace(each, detail=f"{name}: {each.detail}") for each in found)
    if proof_depends_on_certificate(view):
        detail = "; ".join(failing) or f"only the {' and the '.join(proving)} proves the MX host"
        yield from findings_at(endpoint, [(Code.CERTIFICATES_DIFFER, detail)])


def _faults(shown: View, found: Sequence[Finding]) -> str:
    """Why a certificate proves nothing, where the one that most senders get does."""
    if shown.endpoint.dane is Dane.MISMATCH:
        return "matches no usable TLSA record"
    return "; ".join(each.detail or each.code for each in found) or "does not prove the MX host"


def _excused_or_not(views: Views, endpoints: Sequence[Endpoint]) -> tuple[Finding, ...]:
    endpoint = views.seen.endpoint
    if was_refused_twice(endpoint) and is_excused(endpoint, endpoints):
        detail = "TCP refused twice, another endpoint answers"
        return findings_at(endpoint, [(Code.MX_NOT_LISTENING, detail)])
    found = (*session_findings(endpoint), *_on_hellos(views), *deep_findings(endpoint))
    return findings_at(endpoint, found)


def _on_hellos(views: Views) -> Found:
    """Where TLS, or the proof of a name, depends on the sender's ClientHello."""
    endpoint = views.seen.endpoint
    if views.sni_makes_no_difference:
        return
    yield from hello_findings(endpoint)
    plain = views.without_sni
    shown = plain.endpoint if plain is not None else None
    if shown is not None:
        usual = set(tls_findings(endpoint))
        others = (pair for pair in tls_findings(shown) if pair not in usual)
        yield from ((code, f"without SNI: {detail or code}") for code, detail in others)
    if plain is not None and plain.gnutls_refuses and not views.seen.gnutls_refuses:
        why = "without SNI: no digitalSignature in the key usage of the certificate"
        yield Code.CERTIFICATE_KEY_USAGE, why
    if _proof_depends_on_sni(views):
        errors = shown.certificate.errors if shown and shown.certificate else ()
        why = "; ".join(errors) or "it does not prove the MX host"
        yield Code.SNI_REQUIRED, f"without SNI another certificate is sent: {why}"
