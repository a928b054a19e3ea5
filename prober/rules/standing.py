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
    all_of,
)
from prober.rules.accepted import NO_EXCEPTIONS, covering
from prober.rules.certificate_fields import CertificateReader
from prober.rules.completeness import covers_every_endpoint
from prober.rules.endpoint import Outcome, proven
from prober.rules.norms import Profile
from prober.rules.rating import meets_profile, rate_report
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
    requirement, ratings = str(require), None
    if isinstance(require, Profile):
        requirement, ratings = f"profile:{require.name}", rate_report(report, require, views)
    standing = judge_standing(report, require, views)
    return replace(
        report,
        requirement=requirement,
        standing=standing,
        reasons=tuple(dict.fromkeys(_reasons(report, views, standing, require))),
        profile_ratings=ratings,
        accepted=covering(report, standing, exceptions),
    )


def judge_standing(
    report: DomainReport, require: Level | Profile, views: Sequence[Views] | None = None
) -> Standing:
    """How *report* stands to *require*: a level of REQUIRABLE, or a profile.

    It falls short when one confirmed fact alone keeps an endpoint below: no TLS, the proof of the
    MX host that is asked for, or an aspect rated below the floor of the profile. It meets when what
    is asked for was seen at every endpoint that senders use. It is undecided where that depends on
    the sender. A domain that does not exist is undecided. *views* are those of its endpoints, where
    they are known.
    """
    if is_fault(report):
        return Standing.UNDECIDED
    if report.route is None:
        return Standing.INVALID
    if report.route.status is RouteStatus.NULL_MX:
        return Standing.NEUTRAL
    views = views_of(report.endpoints) if views is None else views
    answers = {each: _meets(each.seen, require) for each in views}
    if Answer.NO in answers.values() or _lacks_policy(report, require):
        return Standing.FALLS_SHORT
    asks_for_proof = _asks_for_proof(require)
    if any(depends_on_sender(each, asks_for_proof=asks_for_proof) for each in views):
        return Standing.UNDECIDED
    completed = [each for each in views if proven(each.seen.endpoint) is Outcome.COMPLETED]
    is_met = all_of(answers[each] for each in completed) is Answer.YES
    if is_met and _reaches(report, require, views) and covers_every_endpoint(report):
        return Standing.MEETS
    return Standing.UNDECIDED


def _meets(view: View, require: Level | Profile) -> Answer:
    """Whether the endpoint is as *require* asks; no only by a confirmed fact."""
    if isinstance(require, Profile):
        return meets_profile(view, require)
    match proven(view.endpoint):
        case Outcome.NEGATIVE:
            return Answer.NO
        case Outcome.NOT_TESTED:
            return Answer.NOT_TESTED
        case Outcome.COMPLETED if not _asks_for_proof(require):
            return Answer.YES
        case Outcome.COMPLETED if authenticated(view) is Answer.NO:
            return Answer.NO
        case Outcome.COMPLETED:
            return Answer.NOT_TESTED if is_proof_open(view) else Answer.YES
        case never:
            assert_never(never)


def _reaches(report: DomainReport, require: Level | Profile, views: Sequence[Views]) -> bool:
    """Whether the level suffices; for a profile, whether senders without SNI get no less."""
    if not isinstance(require, Profile):
        return RANK.get(report.verdict.level, -1) >= RANK[require]
    plain = [each.without_sni for each in views if each.without_sni is not None]
    return not any(meets_profile(view, require) is Answer.NO for view in plain)


def _lacks_policy(report: DomainReport, require: Level | Profile) -> bool:
    """Whether senders have to be told to require TLS, and are not."""
    if require is not Level.ENFORCED or report.route is None or not report.endpoints:
        return False
    return judge_requirable(report.route, report.mx_hosts, report.mta_sts) is Answer.NO


def _asks_for_proof(require: Level | Profile) -> bool:
    if isinstance(require, Profile):
        return require.authenticated
    return RANK[require] >= RANK[Level.AUTHENTICATED]


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
            yield from _open_questions(report, views, require)
        case _:
            assert_never(standing)


def _shortfalls(
    report: DomainReport, views: Sequence[Views], require: Level | Profile
) -> Iterator[Code | Gap]:
    """What keeps the endpoints below *require*; each confirmed."""
    for view in (each.seen for each in views):
        if _meets(view, require) is not Answer.NO:
            continue
        if isinstance(require, Profile) and not _fails_without_profile(view, require):
            yield Gap.BELOW_PROFILE
        else:
            yield from _worst_of(report, view.endpoint)
    if _lacks_policy(report, require):
        yield Gap.TLS_NOT_REQUIRED


def _fails_without_profile(view: View, profile: Profile) -> bool:
    """Whether the endpoint lacks TLS, or the proof that *profile* asks for."""
    lacks_proof = profile.authenticated and authenticated(view) is Answer.NO
    return proven(view.endpoint) is not Outcome.COMPLETED or lacks_proof


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
    report: DomainReport, views: Sequence[Views], require: Level | Profile
) -> Iterator[Code | Gap]:
    if is_fault(report):
        yield Gap.FAULT
        return
    relevant = _OPEN | _PROOF_OPEN if _asks_for_proof(require) else _OPEN
    if isinstance(require, Profile):
        relevant |= {Code.DEEP_NOT_TESTED}
    if not any(each.tls_depends_on_sender for each in views):  # --deep found it, below TLS 1.3
        relevant -= {Code.RENEGOTIATION_INSECURE}
    codes = [each.code for each in report.findings if each.code in relevant]
    yield from codes or (Gap.NOT_SEEN,)
