"""Whether a domain meets what is required, and for what reasons. docs/verdict.md."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, assert_never

from prober.records import (
    AcceptedException,
    Answer,
    Code,
    DomainReport,
    Endpoint,
    Gap,
    Level,
    RouteStatus,
    Severity,
    Standing,
)
from prober.rules.accepted import NO_EXCEPTIONS, covering
from prober.rules.certificate_fields import CertificateReader
from prober.rules.completeness import covers_every_endpoint
from prober.rules.endpoint import Outcome, proven
from prober.rules.norms import Profile
from prober.rules.rating import judge_profile, meets_profile, rate_report
from prober.rules.verdict import (
    RANK,
    authenticated,
    depends_on_sender,
    is_fault,
    is_proof_open,
    judge_requirable,
)
from prober.rules.views import View, Views, views_of


def assess(
    report: DomainReport,
    require: Level | Profile,
    reader: CertificateReader | None = None,
    exceptions: Mapping[str, AcceptedException] = NO_EXCEPTIONS,
) -> DomainReport:
    """*report* with the requirement, its standing and the reasons for it.

    There is at least one reason unless the domain meets the requirement. *reader* remembers
    certificates from one report to the next. *exceptions*, by domain, are accepted; one changes no
    standing.
    """
    views = views_of(report.endpoints, reader)
    ratings = None
    if isinstance(require, Profile):
        requirement, standing = f"profile:{require.name}", judge_profile(report, require, views)
        ratings = rate_report(report, require, views)
    else:
        requirement, standing = str(require), judge_standing(report, require, views)
    reasons = tuple(dict.fromkeys(_reasons(report, views, standing, require)))
    return replace(
        report,
        requirement=requirement,
        standing=standing,
        reasons=reasons,
        profile_ratings=ratings,
        accepted=covering(report, standing, exceptions),
    )


def judge_standing(
    report: DomainReport, require: Level, views: Sequence[Views] | None = None
) -> Standing:
    """How *report* stands to the level *require*, one of REQUIRABLE.

    It falls short when one confirmed fact alone keeps it below; it meets when the level suffices,
    every endpoint that senders use was tested and, where more than opportunistic is required, trust
    and TLSA were, too. It is undecided where that depends on the sender. A domain that does not
    exist is undecided. *views* are those of its endpoints, where they are known.
    """
    if is_fault(report):
        return Standing.UNDECIDED
    if report.route is None:
        return Standing.INVALID
    if report.route.status is RouteStatus.NULL_MX:
        return Standing.NEUTRAL
    views = views_of(report.endpoints) if views is None else views
    if any(_keeps_below(each.seen, require) for each in views):
        return Standing.FALLS_SHORT
    if require is Level.ENFORCED and report.endpoints:
        insists = judge_requirable(report.route, report.mx_hosts, report.mta_sts)
        if insists is Answer.NO:
            return Standing.FALLS_SHORT
    asks_for_proof = RANK[require] >= RANK[Level.AUTHENTICATED]
    if any(depends_on_sender(each, asks_for_proof=asks_for_proof) for each in views):
        return Standing.UNDECIDED
    is_open = asks_for_proof and any(is_proof_open(each.seen) for each in views)
    complete = covers_every_endpoint(report, report.endpoints) and not is_open
    level = report.verdict.level
    if level in RANK and RANK[level] >= RANK[require] and complete:
        return Standing.MEETS
    return Standing.UNDECIDED


def _keeps_below(view: View, require: Level) -> bool:
    match proven(view.endpoint):
        case Outcome.NEGATIVE:
            return True
        case Outcome.NOT_TESTED:
            return False
        case Outcome.COMPLETED:
            asks_for_proof = RANK[require] >= RANK[Level.AUTHENTICATED]
            return asks_for_proof and authenticated(view) is Answer.NO
        case never:
            assert_never(never)


def _reasons(
    report: DomainReport, views: Sequence[Views], standing: Standing, require: Level | Profile
) -> Iterator[Code | Gap]:
    match standing:
        case Standing.MEETS:
            return
        case Standing.NEUTRAL:
            yield Code.NULL_MX
        case Standing.INVALID:
            yield Gap.NO_DOMAIN
        case Standing.FALLS_SHORT:
            yield from _shortfalls(report, views, require)
        case Standing.UNDECIDED:
            proof, by_profile = _asks_for_proof(require), isinstance(require, Profile)
            yield from _open_questions(report, views, asks_for_proof=proof, by_profile=by_profile)
        case _:
            assert_never(standing)


def _asks_for_proof(require: Level | Profile) -> bool:
    if isinstance(require, Profile):
        return require.authenticated
    return RANK[require] >= RANK[Level.AUTHENTICATED]


def _shortfalls(
    report: DomainReport, views: Sequence[Views], require: Level | Profile
) -> Iterator[Code | Gap]:
    """What keeps the endpoints below *require*; each confirmed."""
    for view in (each.seen for each in views):
        if isinstance(require, Profile):
            if meets_profile(view, require) is not Answer.NO:
                continue
            proof = authenticated(view) is Answer.NO and require.authenticated
            if proven(view.endpoint) is Outcome.COMPLETED and not proof:
                yield Gap.BELOW_PROFILE
                continue
        elif not _keeps_below(view, require):
            continue
        yield from _worst_of(report, view.endpoint)
    if require is Level.ENFORCED and report.endpoints and report.route is not None:
        insists = judge_requirable(report.route, report.mx_hosts, report.mta_sts)
        if insists is Answer.NO:
            yield Gap.TLS_NOT_REQUIRED


def _worst_of(report: DomainReport, endpoint: Endpoint) -> Iterator[Code | Gap]:
    """The most severe findings on *endpoint*: of HIGH ones all, else of MEDIUM ones all."""
    place = (endpoint.mx_host, endpoint.address)
    found = [each for each in report.findings if (each.mx_host, each.address) == place]
    for severity in (Severity.HIGH, Severity.MEDIUM):
        codes = [each.code for each in found if each.severity is severity]
        if codes:
            yield from codes
            return
    yield Gap.NOT_AUTHENTICATED


# Findings that say what was not seen, or that senders meet different things.
_OPEN: Final = frozenset(
    {
        Code.NOT_TESTED,
        Code.UNCONFIRMED,
        Code.LIMIT_REACHED,
        Code.DNS_ERROR,
        Code.DNSSEC_INVALID,
        Code.DOMAIN_NOT_FOUND,
        Code.NO_MAIL_HOST,
        Code.NULL_MX_IGNORED,
        Code.MX_NO_ADDRESS,
        Code.MX_IP_LITERAL,
        Code.MX_LOCALHOST,
        Code.MX_INVALID_NAME,
        Code.MX_NOT_LISTENING,
        Code.MASKED_BY_MIDDLEBOX,
        Code.SNI_REQUIRED,
        Code.SNI_REFUSED,
        Code.TLS13_INTOLERANT,
        Code.LARGE_HELLO_INTOLERANT,
        Code.ANONYMOUS_ONLY,
        Code.CERTIFICATE_KEY_USAGE,
        Code.RENEGOTIATION_INSECURE,
        Code.STARTTLS_INTERMITTENT,
        Code.STARTTLS_OFFER_MALFORMED,
        Code.STARTTLS_RESPONSE_INJECTION,
        Code.REPLY_MALFORMED,
        Code.UNSOLICITED_DATA,
    }
)
_PROOF_OPEN: Final = frozenset(
    {
        Code.TLSA_NOT_TESTED,
        Code.DNSSEC_PROOF_INVALID,
        Code.TRUST_NOT_TESTED,
        Code.CERTIFICATE_UNREADABLE,
        Code.CERTIFICATE_NAME_DISPUTED,
        Code.CERTIFICATES_DIFFER,
        Code.CHAIN_TRUNCATED,
        Code.STS_NOT_TESTED,
        Code.STS_POLICY_FETCH_ERROR,
        Code.STS_SENDERS_DIFFER,
    }
)


def _open_questions(
    report: DomainReport, views: Sequence[Views], *, asks_for_proof: bool, by_profile: bool
) -> Iterator[Code | Gap]:
    if is_fault(report):
        yield Gap.FAULT
        return
    relevant = _OPEN | _PROOF_OPEN if asks_for_proof else _OPEN
    if by_profile:
        relevant |= {Code.DEEP_NOT_TESTED}
    if not any(each.tls_depends_on_sender for each in views):  # --deep found it, below TLS 1.3
        relevant -= {Code.RENEGOTIATION_INSECURE}
    codes = [each.code for each in report.findings if each.code in relevant]
    yield from codes or (Gap.NOT_SEEN,)
