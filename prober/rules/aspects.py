"""What of a report is compared between runs: one reader per aspect, each value or None.

None means that the aspect was not seen in that run: it could not be looked at, or there was nothing
to look at. It is never taken for a change. Texts that change by themselves (greetings, times,
session ids) are not read at all.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from prober.records import (
    Answer,
    Certificate,
    Dane,
    DeepQuestion,
    Dnssec,
    DomainReport,
    Endpoint,
    Hello,
    Level,
    MxHost,
    RouteStatus,
    Standing,
    StartTls,
    StsStatus,
    TlsaRecord,
    TlsRptStatus,
)
from prober.rules.completeness import covers_every_endpoint, is_excused
from prober.rules.dane import has_secure_tlsa
from prober.rules.deep import (
    CERTIFICATE_QUESTIONS,
    accepts,
    answer_to,
    is_post_quantum,
    kind_of,
    post_quantum,
    weak_dh,
)
from prober.rules.endpoint import Outcome, proven
from prober.rules.mx import lookup_failed, may_receive
from prober.rules.tlsa import show
from prober.rules.verdict import (
    RANK,
    authenticated,
    depends_on_sender,
    is_fault,
    proof_depends_on_certificate,
)
from prober.rules.views import view_of, views_of

_RECEIVES: Final = (RouteStatus.MX, RouteStatus.IMPLICIT_MX)
_WITHOUT_HOST: Final = (RouteStatus.NXDOMAIN, RouteStatus.NO_MAIL_HOST)


@dataclass(frozen=True, slots=True)
class Value:
    """What was seen: compared by ``key``, ordered by ``rank`` where both have one, shown as text.

    Two values with equal keys are the same.
    """

    key: object
    text: str
    rank: int | None = None


def read_route(report: DomainReport) -> Value | None:
    """Where mail goes, in a word. RFC 5321 §5.1."""
    route = report.route
    if route is None or route.status is RouteStatus.DNS_ERROR or is_fault(report):
        return None
    return Value(route.status, route.status, 0 if route.status in _WITHOUT_HOST else None)


def read_dnssec(report: DomainReport) -> Value | None:
    """Whether the MX records are signed. RFC 4035 §4.3."""
    ranks = {Dnssec.BOGUS: 0, Dnssec.INSECURE: 1, Dnssec.SECURE: 2}
    if read_route(report) is None or report.route is None or report.route.dnssec not in ranks:
        return None
    return Value(report.route.dnssec, report.route.dnssec, ranks[report.route.dnssec])


def read_mx_hosts(report: DomainReport) -> Value | None:
    """The names of the MX hosts, where the domain receives mail."""
    if read_route(report) is None or report.route is None or report.route.status not in _RECEIVES:
        return None
    names = sorted(host.name for host in report.mx_hosts)
    return Value(frozenset(names), ", ".join(names))


def operators_reader(operator_of: Callable[[str], str]) -> Callable[[DomainReport], Value | None]:
    """A reader of who runs the MX hosts, by their registered domains."""

    def read(report: DomainReport) -> Value | None:
        if read_mx_hosts(report) is None:
            return None
        names = sorted({operator_of(host.name) for host in report.mx_hosts})
        return Value(frozenset(names), ", ".join(names))

    return read


def read_sts_mode(report: DomainReport) -> Value | None:
    """What MTA-STS tells senders. None where that could not be fetched. RFC 8461 §3."""
    sts = report.mta_sts
    if sts is None or sts.status is StsStatus.TEMPFAIL:
        return None
    if sts.status is StsStatus.FETCH_FAILED and not _is_lasting(report):
        return None
    rank = {StsStatus.ENFORCE: 2, StsStatus.TESTING: 1}.get(sts.status, 0)
    return Value(sts.status, sts.status, rank)


def _is_lasting(report: DomainReport) -> bool:
    """Whether the fetch failed by an answer of the policy host that a later look would get, too."""
    fetch = report.sts.fetch if report.sts is not None else None
    if fetch is None:
        return False
    refused = fetch.http_status is not None and fetch.http_status < 500
    return refused or fetch.certificate_trusted is False


@dataclass(frozen=True, slots=True)
class StsPolicyValue:
    """The id of the TXT record, and the policy that was fetched."""

    id: str | None
    mode: StsStatus
    max_age: int | None
    mx: frozenset[str]


def read_sts_policy(report: DomainReport) -> StsPolicyValue | None:
    """The policy in force, or None where there is none."""
    sts = report.mta_sts
    if sts is None or sts.status not in (StsStatus.ENFORCE, StsStatus.TESTING, StsStatus.NONE):
        return None
    return StsPolicyValue(sts.id, sts.status, sts.max_age, frozenset(sts.mx))


def read_tls_rpt(report: DomainReport) -> Value | None:
    """Where reports are wanted. RFC 8460 §3."""
    found = report.tls_rpt
    if found is None or found.status is TlsRptStatus.NOT_TESTED:
        return None
    is_valid = found.status is TlsRptStatus.VALID
    text = ", ".join(found.rua) if is_valid else found.status
    return Value((found.status, frozenset(found.rua)), text, 1 if is_valid else 0)


def read_addresses(host: MxHost) -> frozenset[str] | None:
    """The addresses of *host*; None where a look-up failed."""
    return None if lookup_failed(host) else frozenset(host.addresses)


def read_tlsa(host: MxHost) -> frozenset[TlsaRecord] | None:
    """The TLSA records that DNSSEC vouches for; None where that is not known. RFC 7672 §2.1.1."""
    answer = has_secure_tlsa(host)
    if answer is Answer.NOT_TESTED:
        return None
    return frozenset(host.tlsa) if answer is Answer.YES else frozenset()


def show_tlsa(records: frozenset[TlsaRecord]) -> str:
    """*records* in a fixed order, shortened."""
    return ", ".join(sorted(map(show, records))) or "none"


def read_outcome(endpoint: Endpoint) -> Value | None:
    """Whether TLS completes: a negative only where a second session confirmed it."""
    match proven(endpoint):
        case Outcome.NOT_TESTED:
            return None
        case Outcome.COMPLETED:
            return Value(Outcome.COMPLETED, "TLS completes", 1)
        case Outcome.NEGATIVE:
            text = (
                "TLS fails"
                if endpoint.starttls is StartTls.OFFERED
                else f"STARTTLS {_negative(endpoint)}"
            )
            return Value(text, text, 0)


def _negative(endpoint: Endpoint) -> str:
    return endpoint.starttls.replace("-", " ")


_VERSIONS: Final = ("SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")


def read_tls_version(endpoint: Endpoint) -> Value | None:
    """The version that was negotiated."""
    version = endpoint.tls_version
    if version is None:
        return None
    return Value(version, version, _VERSIONS.index(version) if version in _VERSIONS else None)


def read_key_exchange(endpoint: Endpoint) -> Value | None:
    """The group, ranked by whether it is post-quantum.

    None where the session that counts offered no such group: that would be our doing.
    """
    if endpoint.tls_version is None:
        return None
    hellos = [each.hello for each in endpoint.attempts if each.tls_version is not None]
    if hellos and hellos[0] is not Hello.DEFAULT:
        return None
    group = endpoint.key_exchange or "plain RSA"
    return Value(group, group, int(is_post_quantum(group)))


def read_post_quantum(endpoint: Endpoint) -> Value | None:
    """Whether a post-quantum group is accepted; None where that was not asked."""
    if endpoint.deep is None:
        return None
    return _accepted(post_quantum(endpoint), DeepQuestion.POST_QUANTUM, endpoint, good=True)


def accepted_reader(question: DeepQuestion) -> Callable[[Endpoint], Value | None]:
    """A reader of whether the server accepts what *question* offers, which it should not."""

    def read(endpoint: Endpoint) -> Value | None:
        return _accepted(accepts(endpoint, question), question, endpoint)

    return read


def read_weak_dh(endpoint: Endpoint) -> Value | None:
    """Whether a finite-field group of fewer than 2048 bits is accepted."""
    return _accepted(weak_dh(endpoint), DeepQuestion.FINITE_FIELD_DH, endpoint)


def _accepted(
    answer: Answer, question: DeepQuestion, endpoint: Endpoint, *, good: bool = False
) -> Value | None:
    """None where it was not tested. Which version or suite it is, is shown and not compared."""
    if answer is Answer.NOT_TESTED:
        return None
    yes = answer is Answer.YES
    said = answer_to(endpoint, question)
    detail = None
    if said is not None and question is DeepQuestion.LEGACY_VERSION:
        detail = said.tls_version
    elif said is not None and question is not DeepQuestion.POST_QUANTUM:
        detail = said.cipher
    text = f"accepted ({detail})" if yes and detail else "accepted" if yes else "not accepted"
    return Value(answer, text, int(yes is good))


def read_other_certificate(endpoint: Endpoint) -> Value | None:
    """Whether the other certificate of the server proves the MX host, where it has one.

    None where one of the two questions was not answered, or the proof was not tested.
    """
    if any(accepts(endpoint, each) is Answer.NOT_TESTED for each in CERTIFICATE_QUESTIONS):
        return None
    others = view_of(endpoint).others
    answers = [authenticated(each) for each in others]
    names = [kind_of(other.question) for other in endpoint.other_certificates]
    failing = [name for name, answer in zip(names, answers, strict=False) if answer is Answer.NO]
    if failing:
        return Value(False, f"{failing[0]} does not prove the MX host", 0)
    if Answer.NOT_TESTED in answers:
        return None
    return Value(True, "proves the MX host" if others else "none", 1)


def read_proof(endpoint: Endpoint) -> Value | None:
    """Whether the server proves that it is the MX host, by this certificate."""
    answer = authenticated(view_of(endpoint))
    if endpoint.tls_version is None or answer is Answer.NOT_TESTED:
        return None
    certificate = endpoint.certificate
    leaf = certificate.sha256 if certificate is not None else None
    if answer is Answer.YES:
        return Value((answer, leaf), "proves the MX host", 1)
    return Value((answer, leaf), _why_unproven(endpoint), 0)


def _why_unproven(endpoint: Endpoint) -> str:
    certificate = endpoint.certificate
    if endpoint.dane is Dane.MISMATCH:
        return "matches no TLSA record"
    if certificate is None:
        return "no certificate"
    faults = {
        "not trusted": certificate.trusted,
        "not in date": certificate.in_date,
        "for another name": certificate.name_matches,
    }
    named = [text for text, answer in faults.items() if answer is Answer.NO]
    return ", ".join(named) or "TLS version, key or signature too weak"


def read_dane(endpoint: Endpoint) -> Value | None:
    """How the endpoint stands to TLSA. RFC 7672 §2.2."""
    if endpoint.dane in (Dane.NOT_TESTED, Dane.NO_TLS):
        return None
    rank = {Dane.MATCH: 2, Dane.MISMATCH: 0}.get(endpoint.dane, 1)
    return Value(endpoint.dane, endpoint.dane, rank)


def read_certificate(endpoint: Endpoint) -> Certificate | None:
    """The leaf certificate, where TLS completed."""
    return endpoint.certificate if endpoint.tls_version is not None else None


_ORGANISATION: Final = re.compile(r"(?:^|[,+])O=((?:\\.|[^,+\\])*)")


def issuer_of(certificate: Certificate) -> str:
    """Who issued *certificate*: the organisation, or else the whole name.

    A CA issues from several intermediate certificates in turn; their common names differ.
    """
    issuer = certificate.issuer or "unreadable"
    found = _ORGANISATION.search(issuer)
    return found[1] if found else issuer


def read_level(report: DomainReport) -> Value | None:
    """The level; None where the evidence does not decide.

    None also where only another certificate keeps it low: not every run looks for one, and
    ``other-certificate`` is the change that reports it.
    """
    level = report.verdict.level
    if level is Level.UNKNOWN:
        return None
    if level is Level.OPPORTUNISTIC and _is_low_by_other_certificate(report):
        return None
    return Value(level, level, RANK.get(level))


def _is_low_by_other_certificate(report: DomainReport) -> bool:
    shown = [view_of(each) for each in report.endpoints if each.tls_version is not None]
    return any(view.others for view in shown) and all(
        authenticated(view) is Answer.YES for view in shown
    )


_STANDINGS: Final = {Standing.FALLS_SHORT: 0, Standing.UNDECIDED: 1, Standing.MEETS: 2}


def read_standing(report: DomainReport) -> Value | None:
    """The standing; *undecided* only where senders differ or the domain has no host."""
    standing = report.standing
    if standing is None or (standing is Standing.UNDECIDED and not _is_undecided_by_facts(report)):
        return None
    return Value(standing, standing, _STANDINGS.get(standing))


def _is_undecided_by_facts(report: DomainReport) -> bool:
    """Whether *undecided* is what was seen: senders differ, or there is no host to test."""
    if is_fault(report) or not covers_every_endpoint(report):
        return False
    if report.route is not None and report.route.status in _WITHOUT_HOST:
        return True
    return any(
        depends_on_sender(each, asks_for_proof=True) and not proof_depends_on_certificate(each.seen)
        for each in views_of(report.endpoints)
    )


def blind_spots(report: DomainReport) -> frozenset[tuple[str, str]]:
    """What was not seen, of all that decides the level."""
    return frozenset(_blind_spots(report))


def _blind_spots(report: DomainReport) -> Iterator[tuple[str, str]]:
    if read_route(report) is None:
        yield "route", ""
    for host in filter(may_receive, report.mx_hosts):  # no other host decides the level
        if lookup_failed(host):
            yield "addresses", host.name
        if host.tlsa_failure is not None:
            yield "tlsa", host.name
        elif has_secure_tlsa(host) is Answer.NOT_TESTED:
            yield "tlsa", ""  # no resolver here that validates
    for endpoint in report.endpoints:
        if read_outcome(endpoint) is None and not is_excused(endpoint, report.endpoints):
            yield "starttls", endpoint.mx_host
        elif (
            endpoint.tls_version is not None
            and authenticated(view_of(endpoint)) is Answer.NOT_TESTED
        ):
            yield "proof", endpoint.mx_host
    if read_sts_mode(report) is None:
        yield "mta-sts", ""
