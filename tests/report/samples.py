"""Whole records with defaults, and the one set of reports that every golden file is made of."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from prober.records import (
    AcceptedException,
    Anomaly,
    AnomalyKind,
    Answer,
    Attempt,
    Certificate,
    Code,
    Confirmed,
    Dane,
    DeepFacts,
    DeepQuestion,
    Dnssec,
    DomainReport,
    Encrypted,
    Endpoint,
    Enumeration,
    Failure,
    Hello,
    Level,
    Line,
    MxHost,
    OtherCertificate,
    Reason,
    Route,
    RouteStatus,
    Run,
    StartTls,
    Step,
    TlsaRecord,
    TrustStore,
    Verdict,
    VerifyError,
    finding,
)
from prober.report.answer import answer
from prober.rules.standing import assess
from prober.rules.totals import Tally, Totals
from tests.support.deep import all_said, asked, no, not_tested, yes

NOW: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def totals_of(*reports: DomainReport) -> Totals:
    """What a run that gave *reports* has counted."""
    tally = Tally(require=Level.OPPORTUNISTIC, operator_of=str, describe=answer)
    for report in reports:
        tally.add(tally.assess(report))
    return tally.totals


# Every trick at once: formula, ESC sequence, C1 CSI, bidi override, line separator, rich markup.
HOSTILE: Final = "=cmd|' /C calc'!A0\x1b[2J\x9b31m\u202egnp.exe\u2028[red],\"x\"\r\n\t\x00:smile:"

_ENCRYPTED: Final = {
    Level.INVALID: Encrypted.UNKNOWN,
    Level.UNKNOWN: Encrypted.UNKNOWN,
    Level.NO_MAIL: Encrypted.NO_MAIL,
    Level.NONE: Encrypted.NO,
    Level.PARTIAL: Encrypted.PARTIAL,
}


def make_run() -> Run:
    store = TrustStore(source="/etc/ssl/certs/ca.pem", certificates=144, sha256="ab" * 32)
    return Run(
        version="0.1.0", ehlo_name="probe.example", resolver=("127.0.0.1:53",), trust_store=store
    )


def make_certificate(**changes: object) -> Certificate:
    certificate = Certificate(
        subject="CN=mx1.example.com",
        issuer="CN=R11,O=Let's Encrypt,C=US",
        san=("mx1.example.com",),
        serial="04a1",
        not_before=NOW - timedelta(days=30),
        not_after=NOW + timedelta(days=60, hours=1),
        key="RSA 2048",
        signature="sha256WithRSAEncryption",
        sha256="cd" * 32,
        spki_sha256="ef" * 32,
        trusted=Answer.YES,
        name_matches=Answer.YES,
        in_date=Answer.YES,
    )
    return replace(certificate, **changes)  # type: ignore[arg-type]  # the test names the fields


def make_endpoint(
    mx_host: str = "mx1.example.com", address: str = "192.0.2.1", **changes: object
) -> Endpoint:
    """An endpoint that passes: TLS 1.3 with a valid certificate."""
    endpoint = Endpoint(
        mx_host=mx_host,
        address=address,
        port=25,
        observed_at=NOW + timedelta(milliseconds=250),
        greeting=f"220 {mx_host} ESMTP",
        ehlo_keywords=("STARTTLS", "SIZE 1000"),
        ehlo_keywords_tls=("SIZE 1000",),
        starttls=StartTls.OFFERED,
        tls_version="TLSv1.3",
        cipher="TLS_AES_256_GCM_SHA384",
        cipher_bits=256,
        key_exchange="X25519MLKEM768",
        client_certificate_requested=False,
        chain=(b"\x30leaf", b"\x30intermediate"),
        path=(0, 1),
        certificate=make_certificate(),
        dane=Dane.NONE,
    )
    return replace(endpoint, **changes)  # type: ignore[arg-type]  # the test names the fields


def make_failed_endpoint(
    mx_host: str = "mx1.example.com", address: str = "192.0.2.1", **changes: object
) -> Endpoint:
    """An endpoint that was not tested: it timed out before the greeting."""
    endpoint = Endpoint(
        mx_host=mx_host,
        address=address,
        port=25,
        observed_at=NOW,
        failure=Failure(step=Step.GREETING, reason=Reason.TIMED_OUT),
    )
    return replace(endpoint, **changes)  # type: ignore[arg-type]  # the test names the fields


def make_report(
    level: Level = Level.AUTHENTICATED,
    endpoints: tuple[Endpoint, ...] | None = None,
    *,
    complete: bool = True,
    **changes: object,
) -> DomainReport:
    """A report whose verdict and MX hosts fit *endpoints*; one that passes, if there are none."""
    endpoints = (make_endpoint(),) if endpoints is None else endpoints
    addresses: dict[str, tuple[str, ...]] = {}
    for seen in endpoints:
        addresses[seen.mx_host] = (*addresses.get(seen.mx_host, ()), seen.address)
    hosts = enumerate(addresses.items(), start=1)
    report = DomainReport(
        input="example.com",
        domain="example.com",
        checked_at=NOW,
        elapsed_ms=812,
        run=make_run(),
        verdict=Verdict(
            level=level,
            encrypted=_ENCRYPTED.get(level, Encrypted.YES),
            complete=complete,
            endpoints=len(endpoints),
            endpoints_tested=sum(seen.starttls is not StartTls.NOT_TESTED for seen in endpoints),
        ),
        route=Route(status=RouteStatus.MX, dnssec=Dnssec.INSECURE),
        mx_hosts=tuple(
            MxHost(name=name, preference=10 * rank, addresses=known, dnssec=Dnssec.INSECURE)
            for rank, (name, known) in hosts
        ),
        endpoints=endpoints,
    )
    return replace(report, **changes)  # type: ignore[arg-type]  # the test names the fields


def passes() -> DomainReport:
    transcript = (
        Line(ms=12, peer="server", line="220 mx1.example.com ESMTP"),
        Line(ms=12, peer="client", line="EHLO probe.example"),
        Line(ms=48, peer="probe", line="TLSv1.3, TLS_AES_256_GCM_SHA384"),
    )
    attempt = Attempt(
        observed_at=NOW,
        hello=Hello.DEFAULT,
        starttls=StartTls.OFFERED,
        tls_version="TLSv1.3",
        cipher="TLS_AES_256_GCM_SHA384",
        failure=None,
    )
    return make_report(
        endpoints=(
            make_endpoint(transcript=transcript, attempts=(attempt,)),
            make_endpoint(address="2001:db8::1"),
            make_endpoint("mx2.example.com", "192.0.2.2", observed_as="mx.shared.example"),
        )
    )


def enforced() -> DomainReport:
    host = MxHost(
        name="mx1.enforced.example",
        preference=0,
        addresses=("192.0.2.3",),
        dnssec=Dnssec.SECURE,
        tlsa=(TlsaRecord(usage=3, selector=1, matching_type=1, data=b"\x01" * 32),),
    )
    return make_report(
        Level.ENFORCED,
        (make_endpoint("mx1.enforced.example", "192.0.2.3", dane=Dane.MATCH),),
        input="Enforced.Example.",
        domain="enforced.example",
        route=Route(status=RouteStatus.MX, dnssec=Dnssec.SECURE),
        mx_hosts=(host,),
    )


def warns() -> DomainReport:
    """Encrypted, but an expired certificate here and a self-signed one there."""
    name = "warns-example-net.mail.protection.example"
    expired = make_certificate(not_after=NOW - timedelta(days=3), in_date=Answer.NO)
    own = make_certificate(
        subject="CN=localhost",
        issuer="CN=localhost",
        trusted=Answer.NO,
        name_matches=Answer.NO,
        errors=("self-signed certificate",),
    )
    endpoints = (
        make_endpoint(name, "192.0.2.4", certificate=expired),
        make_endpoint(name, "2001:db8:85a3:1234:5678:8a2e:370:7334", certificate=expired),
        make_endpoint(
            "mx2.warns.example",
            "192.0.2.5",
            tls_version="TLSv1.2",
            cipher="ECDHE-RSA-AES256-GCM-SHA384",
            key_exchange=None,
            certificate=own,
            chain=(b"\x30own",),
            path=(),
            verify_errors=(VerifyError(depth=0, code=18, text="self-signed certificate"),),
        ),
    )
    findings = [
        finding(Code.CERTIFICATE_SELF_SIGNED, mx_host="mx2.warns.example", address="192.0.2.5"),
        *(
            finding(
                Code.CERTIFICATE_EXPIRED,
                mx_host=seen.mx_host,
                address=seen.address,
                detail="not after 2025-12-30T03:04:05Z",
            )
            for seen in endpoints[:2]
        ),
    ]
    return make_report(
        Level.OPPORTUNISTIC, endpoints, domain="warns.example", findings=tuple(findings)
    )


def fails() -> DomainReport:
    """No STARTTLS, seen twice; and one handshake that ends in an alert."""
    refused = Failure(step=Step.HANDSHAKE, reason=Reason.ALERT, detail="handshake_failure")
    bare = make_failed_endpoint(
        "mx1.fails.example",
        starttls=StartTls.NOT_OFFERED,
        confirmed=Confirmed.YES,
        ehlo_keywords=("SIZE 1000",),
        failure=None,
    )
    alert = make_failed_endpoint(
        "mx1.fails.example",
        "192.0.2.9",
        starttls=StartTls.OFFERED,
        confirmed=Confirmed.YES,
        alert="handshake_failure",
        failure=refused,
    )
    findings = (
        finding(Code.STARTTLS_NOT_SUPPORTED, mx_host="mx1.fails.example", address="192.0.2.1"),
        finding(Code.TLS_FAILED, mx_host="mx1.fails.example", address="192.0.2.9"),
    )
    return make_report(Level.NONE, (bare, alert), domain="fails.example", findings=findings)


def accepted() -> DomainReport:
    """It fails, and somebody answers for that."""
    exception = AcceptedException(
        domain="accepted.example",
        what=Level.NONE,
        why="New server in March (ticket 4711)",
        by="J. Doe, privacy officer",
        until=date(2027, 3, 31),
    )
    return replace(fails(), input=exception.domain, domain=exception.domain, accepted=exception)


def partly() -> DomainReport:
    """One endpoint encrypts, one is known not to, one was throttled, one host has no address."""
    throttled = Failure(
        step=Step.EHLO, reason=Reason.BAD_REPLY, reply_code=421, detail="421 4.7.0 slow down"
    )
    endpoints = (
        make_endpoint("mx1.partly.example", certificate=make_certificate(trusted=Answer.NO)),
        make_failed_endpoint(
            "mx2.partly.example",
            starttls=StartTls.REFUSED,
            confirmed=Confirmed.YES,
            failure=Failure(step=Step.STARTTLS, reason=Reason.BAD_REPLY, reply_code=454),
        ),
        make_failed_endpoint("mx3.partly.example", "192.0.2.6", failure=throttled),
    )
    report = make_report(Level.PARTIAL, endpoints, complete=False, domain="partly.example")
    lost = MxHost(
        name="mx4.partly.example",
        preference=40,
        failure=Failure(step=Step.RESOLVE, reason=Reason.SERVFAIL),
    )
    findings = (
        finding(Code.NOT_TESTED, mx_host="mx3.partly.example", address="192.0.2.6"),
        finding(Code.STARTTLS_REFUSED, mx_host="mx2.partly.example", address="192.0.2.1"),
        finding(Code.DNS_ERROR, mx_host="mx4.partly.example", detail="SERVFAIL"),
    )
    return replace(report, mx_hosts=(*report.mx_hosts, lost), findings=findings)


def unknown() -> DomainReport:
    return make_report(
        Level.UNKNOWN, (make_failed_endpoint(),), complete=False, domain="unknown.example"
    )


def dns_error() -> DomainReport:
    route = Route(status=RouteStatus.DNS_ERROR, reason=Reason.SERVFAIL, detail="MX")
    return make_report(
        Level.UNKNOWN,
        (),
        complete=False,
        domain="dns-error.example",
        route=route,
        findings=(finding(Code.DNS_ERROR),),
    )


def null_mx() -> DomainReport:
    route = Route(
        status=RouteStatus.NULL_MX,
        dnssec=Dnssec.INSECURE,
        anomalies=(Anomaly(kind=AnomalyKind.NULL_MX_PREFERENCE, detail="10"),),
    )
    return make_report(
        Level.NO_MAIL,
        (),
        domain="null.example",
        route=route,
        findings=(finding(Code.NULL_MX), finding(Code.NULL_MX_PREFERENCE, detail="10")),
    )


def nowhere() -> DomainReport:
    return make_report(
        Level.NO_MAIL,
        (),
        domain="typo.example",
        route=Route(status=RouteStatus.NXDOMAIN),
        findings=(finding(Code.DOMAIN_NOT_FOUND),),
    )


def invalid() -> DomainReport:
    return make_report(
        Level.INVALID,
        (),
        complete=False,
        input="https://example.com/",
        domain=None,
        error="line 7: a URL, not a domain",
        route=None,
        elapsed_ms=0,
    )


def hostile() -> DomainReport:
    """A peer that puts what it can into everything it can."""
    host = f"{HOSTILE}.example"
    certificate = make_certificate(
        subject=HOSTILE, issuer=HOSTILE, san=(HOSTILE,), key=HOSTILE, errors=(HOSTILE,)
    )
    seen = make_endpoint(
        host,
        greeting=HOSTILE,
        ehlo_keywords=(HOSTILE,),
        cipher=HOSTILE,
        tls_version="[bold]TLSv1.3",
        certificate=certificate,
        anomalies=(Anomaly(kind=AnomalyKind.UNSOLICITED, detail=HOSTILE),),
        failure=Failure(step=Step.POST_TLS, reason=Reason.BAD_REPLY, detail=HOSTILE),
        transcript=(Line(ms=1, peer="server", line=HOSTILE),),
        deep=_hostile_answers(),
    )
    return make_report(
        Level.OPPORTUNISTIC,
        (seen,),
        input=HOSTILE,
        domain="hostile.example",
        findings=(finding(Code.UNSOLICITED_DATA, mx_host=host, detail=HOSTILE),),
    )


def _hostile_answers() -> DeepFacts:
    words: dict[str, Any] = {"tls_version": HOSTILE, "cipher": HOSTILE, "key_exchange": HOSTILE}
    failure = Failure(step=Step.HANDSHAKE, reason=Reason.TLS_ERROR, detail=HOSTILE)
    refused = asked(
        not_tested(DeepQuestion.FINITE_FIELD_DH, failure=failure),
        *(yes(each, **words, alert=HOSTILE) for each in DeepQuestion),
        enumeration=Enumeration(versions=(HOSTILE,), suites=(HOSTILE,), groups=(HOSTILE,)),
    )
    return replace(refused, transcript=(Line(ms=1, peer="server", line=HOSTILE),))


def deep() -> DomainReport:
    """Asked by --deep: a server that accepts too much, one that refuses, one that fell silent."""
    own = make_certificate(subject="CN=old", trusted=Answer.NO, key="EC secp256r1")
    ecdsa = yes(DeepQuestion.ECDSA_CERTIFICATE, tls_version="TLSv1.2", chain=(b"\x30other",))
    much = all_said(
        Answer.YES,
        no(DeepQuestion.POST_QUANTUM),
        yes(DeepQuestion.LEGACY_VERSION, tls_version="TLSv1", session_ticket=False),
        yes(DeepQuestion.BROKEN_SUITES, cipher="TLS_RSA_WITH_3DES_EDE_CBC_SHA"),
        no(DeepQuestion.STATIC_KEY_EXCHANGE, inferred_from=DeepQuestion.FINITE_FIELD_DH),
        yes(DeepQuestion.FINITE_FIELD_DH, key_exchange="DH", key_exchange_bits=1024),
        yes(DeepQuestion.RSA_CERTIFICATE, chain=make_endpoint().chain),
        ecdsa,
        not_tested(DeepQuestion.NORM_GROUPS),
    )
    lists = Enumeration(versions=("TLSv1", "TLSv1.3"), suites=("TLS_AES_256_GCM_SHA384",))
    other = OtherCertificate(question=ecdsa.question, certificate=own, dane=Dane.NONE)
    said = (Line(ms=7, peer="probe", line="alert handshake_failure"),)
    endpoints = (
        make_endpoint(
            "mx1.deep.example",
            "192.0.2.21",
            key_exchange="x25519",
            deep=replace(much, enumeration=lists, transcript=said),
            other_certificates=(other,),
        ),
        make_endpoint("mx2.deep.example", "192.0.2.22", deep=all_said(Answer.NO)),
        make_endpoint(
            "mx3.deep.example",
            "192.0.2.23",
            key_exchange="x25519",
            deep=all_said(Answer.NOT_TESTED),
        ),
    )
    findings = (
        finding(
            Code.BROKEN_SUITE_ACCEPTED,
            mx_host="mx1.deep.example",
            address="192.0.2.21",
            detail="TLS_RSA_WITH_3DES_EDE_CBC_SHA",
        ),
        finding(Code.POST_QUANTUM_MISSING, mx_host="mx1.deep.example", address="192.0.2.21"),
    )
    return make_report(Level.OPPORTUNISTIC, endpoints, domain="deep.example", findings=findings)


def hostile_input() -> DomainReport:
    return replace(invalid(), input=HOSTILE, error=f"no domain: {HOSTILE}")


def large() -> DomainReport:
    """Many endpoints with the same fault."""
    wrong = make_certificate(name_matches=Answer.NO)
    endpoints = tuple(
        make_endpoint(f"mx{host}.large.example", f"192.0.2.{10 * host + i}", certificate=wrong)
        for host in range(1, 4)
        for i in range(3)
    )
    findings = tuple(
        finding(Code.CERTIFICATE_HOST_MISMATCH, mx_host=seen.mx_host, address=seen.address)
        for seen in endpoints
    )
    return make_report(Level.OPPORTUNISTIC, endpoints, domain="large.example", findings=findings)


def assessed(report: DomainReport, require: Level = Level.OPPORTUNISTIC) -> DomainReport:
    """*report* as a run writes it, with its standing against *require*."""
    return assess(report, require)


def all_samples() -> tuple[DomainReport, ...]:
    """One of each kind, in the order of the golden files, each with its standing."""
    samples = (
        passes(),
        enforced(),
        warns(),
        fails(),
        partly(),
        unknown(),
        dns_error(),
        null_mx(),
        nowhere(),
        invalid(),
        hostile(),
        hostile_input(),
        large(),
        deep(),
        accepted(),
    )
    return tuple(map(assessed, samples))
