"""Facts in English, for the cells and lines that a person reads. All of it is printable."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from prober.escape import listed, printable, utc
from prober.records import (
    AcceptedException,
    Answer,
    Certificate,
    Confirmed,
    Dane,
    DeepQuestion,
    Dnssec,
    DomainReport,
    Endpoint,
    FactRating,
    Failure,
    Level,
    Line,
    MtaSts,
    MxHost,
    RatedFact,
    Rating,
    Reason,
    StartTls,
    Step,
    StsStatus,
    TlsRptStatus,
    all_of,
)
from prober.rules.completeness import NO_LOCAL_ROUTE
from prober.rules.deep import CERTIFICATE_QUESTIONS
from prober.rules.endpoint import offers_requiretls
from prober.rules.retry import SERVICE_CLOSING
from prober.rules.thresholds import ACCEPTABLE_TLS_VERSIONS

_DOING: Final = MappingProxyType(
    {
        Step.RESOLVE: "looking up the name",
        Step.CONNECT: "connecting",
        Step.GREETING: "waiting for the greeting",
        Step.EHLO: "waiting for the answer to EHLO",
        Step.STARTTLS: "waiting for the answer to STARTTLS",
        Step.HANDSHAKE: "negotiating TLS",
        Step.POST_TLS: "talking over TLS",
    }
)
_REASONS: Final = MappingProxyType(
    {
        Reason.TIMED_OUT: "timed out {doing}",
        Reason.REFUSED: "connection refused",
        Reason.UNREACHABLE: "unreachable",
        Reason.RESET: "connection reset while {doing}",
        Reason.CLOSED: "connection closed while {doing}",
        Reason.BAD_REPLY: "no usable reply while {doing}",
        Reason.MASKED: "a device on the path overwrote the reply while {doing}",
        Reason.ALERT: "TLS alert while {doing}",
        Reason.TLS_ERROR: "TLS error while {doing}",
        Reason.SERVFAIL: "DNS error SERVFAIL while {doing}",
        Reason.DNS_REFUSED: "the nameserver would not answer while {doing}",
        Reason.BOGUS: "DNSSEC validation failed while {doing}",
        Reason.NO_NAMESERVER: "no nameserver answered while {doing}",
        Reason.PRIVATE_ADDRESS: "not contacted: the address is not public",
        Reason.INVALID_NAME: "not looked up: no host can have this name",
        Reason.LIMIT: "left out: a limit of this program was reached",
        Reason.NO_IPV6_HERE: "no IPv6 on this machine",
        Reason.NO_IPV4_HERE: "no IPv4 on this machine",
        Reason.LOCAL: "a problem on this machine while {doing}",
        Reason.FAULT: "this program failed",
        Reason.UNFINISHED: "still {doing}",
    }
)
_PEERS: Final = MappingProxyType({"server": "S:", "client": "C:"})


def reason_words(reason: Reason, step: Step, reply_code: int | None = None) -> str:
    """Why *step* failed, such as "timed out waiting for the greeting"."""
    if reply_code is not None and reason is Reason.BAD_REPLY:
        return f"reply {reply_code} while {_DOING[step]}"
    if reason is Reason.LIMIT and step not in (Step.RESOLVE, Step.CONNECT):
        return f"ended by a limit of this program while {_DOING[step]}"
    words = _REASONS[reason].format(doing=_DOING[step])
    return words if reply_code is None else f"{words}, reply {reply_code}"


def failure_words(failure: Failure) -> str:
    """The same of a whole failure, its detail in brackets."""
    words = reason_words(failure.reason, failure.step, failure.reply_code)
    detail = printable(failure.detail or "").removeprefix(f"{failure.reply_code} ")
    return f"{words} ({detail})" if detail and detail.lower() not in words.lower() else words


RATED: Final = MappingProxyType(
    {
        RatedFact.PROTOCOL: "TLS version",
        RatedFact.SUITE: "cipher suite",
        RatedFact.KEY_EXCHANGE: "key-exchange group",
        RatedFact.KEY_EXCHANGE_HASH: "hash of the key exchange",
        RatedFact.KEY: "certificate key",
        RatedFact.SIGNATURE: "certificate signature",
        RatedFact.VALIDITY: "a certificate lifetime within the norm's limit",
        RatedFact.ENCRYPT_THEN_MAC: "encrypt-then-MAC",
        RatedFact.EXTENDED_MASTER_SECRET: "extended master secret",
        RatedFact.SECURE_RENEGOTIATION: "secure renegotiation",
        RatedFact.SERVER_NAME_INDICATION: "server name indication",
        RatedFact.COMPRESSION: "TLS compression",
        RatedFact.EARLY_DATA: "early data (0-RTT)",
        RatedFact.RAW_PUBLIC_KEY: "raw public keys",
    }
)
_ACCEPTED: Final = frozenset(DeepQuestion) - frozenset(CERTIFICATE_QUESTIONS)
_FEATURES: Final = MappingProxyType({"yes": "is in use", "no": "is missing"})
_RATINGS: Final = MappingProxyType({Rating.PHASE_OUT: "should be phased out"})


def rating_words(rating: FactRating, *, verbose: bool = False) -> str:
    """How a norm rates a fact, with the paragraph; *verbose*: and why, where that is our choice."""
    value = rating.value or ""
    verb = _RATINGS.get(rating.rating, f"is {rating.rating}")
    if rating.question is DeepQuestion.NORM_GROUPS and value == "no":
        rated = f"no key-exchange group of the norm is accepted, which {verb}"
    elif rating.question in _ACCEPTED:
        rated = f"{RATED[rating.fact]} {value} is accepted, which {verb}"
    elif rating.question is not None:
        rated = f"{RATED[rating.fact]} {value} of another certificate {verb}"
    elif value in _FEATURES:
        rated = f"{RATED[rating.fact]} {_FEATURES[value]}, which {verb}"
    else:
        rated = f"{RATED[rating.fact]} {value} {verb}"
    source = rating.source
    if rating.ours is not None:
        source += f"; our reading: {rating.ours.removesuffix('.')}" if verbose else "; our reading"
    return printable(f"{rated} ({source})")


def rating_cells(rating: FactRating) -> tuple[str, str, str, str]:
    """The same as cells of a table: the fact, its value, the rating, the paragraph."""
    value = _FEATURES.get(rating.value or "", rating.value or "not tested").removeprefix("is ")
    word = "to be phased out" if rating.rating is Rating.PHASE_OUT else str(rating.rating)
    ours = f"; our reading: {rating.ours.removesuffix('.')}" if rating.ours is not None else ""
    return RATED[rating.fact], value, word.replace("-", " "), f"{rating.source}{ours}"


def counted(number: int, noun: str) -> str:
    """Such as "1 domain" or "2 domains"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def accepted_words(exception: AcceptedException) -> str:
    """What is accepted, until when, by whom and why."""
    words = f"level {exception.what} until {exception.until}, by {exception.by}: {exception.why}"
    return printable(words.removesuffix("."))


def name_of(report: DomainReport) -> str:
    """The domain, or the input as it came where that is none."""
    return report.domain if report.domain is not None else report.input


def server_words(report: DomainReport) -> str:
    """That another server than those of the MX records was tested; empty if not."""
    if report.server is None:
        return ""
    at = f" at {report.server.address}" if report.server.address else ""
    return printable(
        f"Tested as if {report.server.name}{at} were the only MX host of {name_of(report)}. "
        "The MX records in DNS were not used."
    )


def list_words(report: DomainReport) -> str:
    """The other columns of the list: "owner: Ann; partner: ACME"."""
    pairs = (f"{name}: {value}" for name, value in report.columns.items() if value)
    return printable("; ".join(pairs))


def trouble(report: DomainReport) -> str:
    """The first thing that went wrong, in words; empty if nothing did.

    The input, else the route, else the first failure of an MX host or endpoint. That this
    machine has no IPv6 is left out where the answer is complete without it.
    """
    if report.error is not None:
        return printable(report.error)
    route = report.route
    if route is not None and route.reason is not None:
        return failure_words(Failure(step=Step.RESOLVE, reason=route.reason, detail=route.detail))
    if route is not None and route.detail is not None:
        return printable(route.detail)
    return next(_failures(report), "") or next(_seen_once(report, with_address=True), "")


def short_trouble(report: DomainReport) -> str:
    """The same in fewer words, without what the server wrote."""
    for name, failure in _failed(report):
        host = printable(name.split(" ")[0])
        code = failure.reply_code
        if code is None or failure.reason is not Reason.BAD_REPLY:
            return f"{host}: {reason_words(failure.reason, failure.step, code)}"
        return f"{host} replied {code}{_code_words(code)}"
    return next(_seen_once(report), "") or trouble(report)


def _code_words(code: int) -> str:
    """What a reply code that is no success means, in brackets. RFC 5321 §3.8, §4.2.1."""
    if code == SERVICE_CLOSING:
        return " (too busy)"
    return {4: " (try again later)", 5: " (it refused us)"}.get(code // 100, "")


def _seen_once(report: DomainReport, *, with_address: bool = False) -> Iterator[str]:
    """The endpoints where one session saw no offer of STARTTLS, and no other could confirm that."""
    for seen in report.endpoints:
        if seen.starttls is StartTls.NOT_OFFERED and seen.confirmed is not Confirmed.YES:
            place = f"{seen.mx_host} {seen.address}" if with_address else seen.mx_host
            yield printable(
                f"{place}: STARTTLS was not offered in one session, and no second attempt could "
                "confirm that"
            )


def _failures(report: DomainReport) -> Iterator[str]:
    for name, failure in _failed(report):
        yield f"{printable(name)}: {failure_words(failure)}"


def _failed(report: DomainReport) -> Iterator[tuple[str, Failure]]:
    named = [(host.name, host.failure) for host in report.mx_hosts]
    named += [(f"{seen.mx_host} {seen.address}", seen.failure) for seen in report.endpoints]
    for name, failure in named:
        if failure is None or (report.verdict.complete and failure.reason in NO_LOCAL_ROUTE):
            continue
        yield name, failure


def hosts_of(report: DomainReport) -> list[MxHost]:
    """The MX hosts by preference, those too that are known by an endpoint only."""
    hosts = {host.name: host for host in report.mx_hosts}
    for endpoint in report.endpoints:
        hosts.setdefault(endpoint.mx_host, MxHost(name=endpoint.mx_host, preference=0))
    return sorted(hosts.values(), key=lambda host: (host.preference, host.name))


def basis(report: DomainReport) -> str:
    """What the answer rests on: the requirement, what was tested, and when."""
    parts = []
    if report.requirement is not None:
        parts.append(f"Required: {report.requirement}.")
    if report.verdict.level is not Level.INVALID:
        parts.append(f"Level: {report.verdict.level}, {counts(report)}.")
    parts.append(f"Checked {utc(report.checked_at)} in {report.elapsed_ms / 1000:.1f} s.")
    return printable(" ".join(parts))


def counts(report: DomainReport) -> str:
    """Such as "3 of 4 endpoints tested"."""
    total = counted(report.verdict.endpoints, "endpoint")
    return f"{report.verdict.endpoints_tested} of {total} tested"


def vantage(report: DomainReport) -> str:
    """From where and with what it was seen."""
    run, route = report.run, report.route
    parts = [f"EHLO {run.ehlo_name}", f"resolver {', '.join(run.resolver) or 'none'}"]
    if route is not None:
        parts.append(f"MX lookup: {route.status}, DNSSEC {route.dnssec}")
    parts.append(counted(run.trust_store.certificates, "trust anchor"))
    return printable(f"{'; '.join(parts)}; probe {run.version}.")


def starttls_words(endpoint: Endpoint) -> str:
    """The STARTTLS answer, and whether a second session agreed with a negative one."""
    if endpoint.starttls is StartTls.NOT_TESTED:
        return "not tested"
    words = endpoint.starttls.value.replace("-", " ")
    return f"{words}, unconfirmed" if endpoint.confirmed is Confirmed.NO else words


def version_words(endpoint: Endpoint) -> str:
    """The TLS version, such as "TLS 1.3"; empty where there is none."""
    return printable(shown_version(endpoint.tls_version or ""))


def shown_version(version: str) -> str:
    """Such as "TLS 1.3" for OpenSSL's "TLSv1.3"."""
    return version.replace("TLSv1.", "TLS 1.").replace("TLSv1", "TLS 1.0")


def exchange_words(endpoint: Endpoint) -> str:
    """The key-exchange group, with its size where its name does not say it."""
    exchange, bits = endpoint.key_exchange, endpoint.key_exchange_bits
    if exchange == "DH" and bits is not None:
        exchange = f"DH {bits}"
    return printable(exchange or "RSA")


def session_cells(endpoint: Endpoint) -> tuple[str, str, str]:
    """TLS version, key-exchange group and cipher suite; else the answer to STARTTLS alone."""
    if endpoint.tls_version is None:
        return starttls_words(endpoint), "", ""
    return version_words(endpoint), exchange_words(endpoint), printable(endpoint.cipher or "")


def transcript_line(line: Line) -> str:
    """A line of a transcript, as it was said: not yet printable."""
    return f"{line.ms:>7} ms {_PEERS.get(line.peer, '--')} {line.line}"


def outcome_words(endpoint: Endpoint) -> str:
    """What the session proved beyond TLS itself, and what stopped it."""
    parts = []
    if endpoint.tls_version is not None:
        if endpoint.tls_version not in ACCEPTABLE_TLS_VERSIONS:
            parts.append("obsolete TLS version")
        parts.append(certificate_words(endpoint))
    if endpoint.dane not in (Dane.NOT_TESTED, Dane.NONE, Dane.NO_TLS):
        parts.append(f"DANE {endpoint.dane}")
    if endpoint.failure is not None:
        parts.append(failure_words(endpoint.failure))
    if endpoint.confirmed is Confirmed.YES:
        parts.append("confirmed by a second attempt")
    return "; ".join(parts)


def certificate_words(endpoint: Endpoint) -> str:
    """The leaf certificate in a word or two: valid, or everything that is wrong with it.

    Days count from when it was observed, which is when its dates were judged.
    """
    certificate, now = endpoint.certificate, endpoint.observed_at
    if certificate is None:
        return "certificate not read" if endpoint.chain else "no certificate"
    faults = list(_faults(certificate, now))
    if faults:
        return f"certificate {', '.join(faults)}"
    match _answers(certificate):
        case Answer.YES, Answer.NOT_TESTED, Answer.YES:
            return f"certificate trusted{_days_left(certificate, now)}, its name uncertain"
        case answers if Answer.NOT_TESTED in answers:
            return "certificate not checked"
        case _:
            return f"certificate valid{_days_left(certificate, now)}"


def certificate_valid(endpoint: Endpoint) -> Answer:
    """Whether the leaf certificate is trusted, in date and names the MX host; worst answer wins.

    A session without a certificate proves nothing: no. One that was not read: not tested.
    """
    if endpoint.certificate is None:
        return Answer.NOT_TESTED if endpoint.chain else Answer.NO
    return all_of(_answers(endpoint.certificate))


def _answers(certificate: Certificate) -> tuple[Answer, ...]:
    return certificate.trusted, certificate.name_matches, certificate.in_date


def _faults(certificate: Certificate, now: datetime) -> Iterator[str]:
    if certificate.trusted is Answer.NO:
        own = certificate.subject and certificate.subject == certificate.issuer
        yield "self-signed" if own else "not trusted"
    if certificate.in_date is Answer.NO:
        yield _date_fault(certificate, now)
    if certificate.name_matches is Answer.NO:
        yield "for another name"


def _date_fault(certificate: Certificate, now: datetime) -> str:
    if certificate.not_after is not None and certificate.not_after < now:
        return f"expired {_days((now - certificate.not_after).days)} ago"
    if certificate.not_before is not None and certificate.not_before > now:
        return f"not valid before {utc(certificate.not_before)}"
    return "not in date"


def _days_left(certificate: Certificate, now: datetime) -> str:
    if certificate.not_after is None:
        return ""
    return f" for {_days((certificate.not_after - now).days)}"


def _days(count: int) -> str:
    return {0: "less than a day", 1: "1 day"}.get(count, f"{count} days")


_DAY_S = 86_400
_UNCOMPARED = {Dane.NONE, Dane.NOT_TESTED}


def published_lines(report: DomainReport) -> Iterator[str]:
    """A line for each of DANE, MTA-STS, TLS-RPT and REQUIRETLS that is published or not tested."""
    dane = _on_dane(report)
    if dane is not None:
        yield f"DANE: {dane}"
    if report.mta_sts is not None and report.mta_sts.status is not StsStatus.ABSENT:
        yield f"MTA-STS: {_on_mta_sts(report.mta_sts)}"
    if report.tls_rpt is not None and report.tls_rpt.status is not TlsRptStatus.ABSENT:
        whom = ", ".join(report.tls_rpt.rua) or report.tls_rpt.detail or ""
        yield f"TLS-RPT: {report.tls_rpt.status} {whom}".rstrip()
    if any(offers_requiretls(seen) is Answer.YES for seen in report.endpoints):
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


def version_counts(counts: Mapping[str, int]) -> str:
    """How many went by each TLS version, such as ``TLSv1.3=12 TLSv1.2=3``, the most first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return " ".join(f"{version}={count}" for version, count in ordered)
