"""The answer in sentences: PASS or FAIL, what becomes of mail today, and why a domain falls short.

The most serious thing comes first. All text is printable.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from prober.escape import printable
from prober.records import (
    Answer,
    Code,
    Dane,
    DomainReport,
    Endpoint,
    Gap,
    Level,
    RouteStatus,
    Severity,
    Standing,
    StartTls,
)
from prober.records.delivery import Delivery, DeliveryOutcome, SenderKind, SenderOutcomes
from prober.report.rows import severity_order
from prober.report.words import name_of, short_trouble, trouble
from prober.rules.certificate_fields import CertificateReader
from prober.rules.completeness import is_tested
from prober.rules.endpoint import Outcome, proven
from prober.rules.thresholds import ACCEPTABLE_TLS_VERSIONS
from prober.rules.verdict import authenticated_by_each
from prober.rules.views import View, views_of

LABELS: Final[Mapping[Standing, str]] = MappingProxyType(
    {
        Standing.MEETS: "PASS",
        Standing.FALLS_SHORT: "FAIL",
        Standing.UNDECIDED: "UNKNOWN",
        Standing.NEUTRAL: "NO MAIL",
        Standing.INVALID: "INVALID",
    }
)
GAPS: Final[Mapping[Gap, str]] = MappingProxyType(
    {
        Gap.NO_DOMAIN: "This is not a mail domain.",
        Gap.FAULT: "Probe itself failed on this domain.",
        Gap.TLS_NOT_REQUIRED: "The domain does not require senders to use TLS (DANE, MTA-STS).",
        Gap.NOT_AUTHENTICATED: "A server's identity cannot be verified.",
        Gap.BELOW_PROFILE: "A server is below what the profile asks for.",
        Gap.NOT_SEEN: "Not everything that matters could be tested.",
    }
)
_REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {str(gap): words for gap, words in GAPS.items()} | {str(code): code.meaning for code in Code}
)
SENDERS: Final[Mapping[SenderKind, str]] = MappingProxyType(
    {
        SenderKind.OPPORTUNISTIC: "does not require TLS",
        SenderKind.MANDATORY: "requires TLS",
        SenderKind.TRUSTED_CA: "requires a trusted CA",
        SenderKind.VERIFIED: "requires the server's name",
        SenderKind.DOMAIN_VERIFIED: "requires the domain's name",
        SenderKind.DANE: "checks DANE",
        SenderKind.MTA_STS: "checks MTA-STS",
    }
)
OUTCOMES: Final[Mapping[DeliveryOutcome, str]] = MappingProxyType(
    {
        DeliveryOutcome.AUTHENTICATED: "verified",
        DeliveryOutcome.ENCRYPTED: "encrypted",
        DeliveryOutcome.CLEAR: "unencrypted",
        DeliveryOutcome.INTERCEPTED: "attacker reads it",
        DeliveryOutcome.DEFERRED: "held back",
        DeliveryOutcome.UNKNOWN: "unknown",
        DeliveryOutcome.NOT_APPLICABLE: "no mail",
    }
)
_NO_MAIL: Final[Mapping[RouteStatus | None, str]] = MappingProxyType(
    {
        RouteStatus.NULL_MX: "The domain states that it receives no mail (null MX)",
        RouteStatus.NXDOMAIN: "The domain does not exist, so it receives no mail",
        RouteStatus.NO_MAIL_HOST: "The domain has no mail server with an address",
    }
)
_IDENTITY: Final = "Mail is encrypted, and every server's identity is verified"
_SENDERS_DIFFER: Final = "Some senders encrypt mail to this domain and others do not"
ENCRYPTED: Final = (Level.OPPORTUNISTIC, Level.AUTHENTICATED, Level.ENFORCED)
DELIVERED: Final = (DeliveryOutcome.ENCRYPTED, DeliveryOutcome.AUTHENTICATED)


def headline(report: DomainReport) -> str:
    """The domain, how it stands to the requirement, and the answer in a sentence."""
    name = printable(name_of(report))
    sentence = answer(report)
    if report.standing is None:
        return f"{name}: {sentence}."
    warning = warning_of(report)
    if report.standing is Standing.MEETS and warning is not None:
        return f"{name}: PASS, but {warning}."
    return f"{name}: {LABELS[report.standing]}. {sentence}."


def answer(report: DomainReport, reader: CertificateReader | None = None) -> str:
    """What becomes of mail to the domain, in a sentence without its full stop.

    *reader* remembers certificates from one report to the next.
    """
    level = report.verdict.level
    if level is Level.INVALID:
        return f"This is not a mail domain: {trouble(report)}"
    if level is Level.NO_MAIL:
        status = report.route.status if report.route else None
        return _NO_MAIL.get(status, "The domain receives no mail")
    if level is Level.UNKNOWN:
        gap = next(_gaps(report), None)
        untested = f"Could not test: {short_trouble(report) or 'no server answered'}"
        return f"{gap}. {untested}" if gap else untested
    sentence = "; ".join([_on_level(report, reader), *map(_uncapitalised, _gaps(report))])
    if report.standing is not Standing.UNDECIDED:
        return sentence
    if not report.verdict.complete:
        why = short_trouble(report)
        return f"{sentence}, as far as could be tested" + (
            f". Could not test: {why}" if why else ""
        )
    if sentence == _SENDERS_DIFFER:
        return sentence
    doubt = next(iter(reasons(report)), None)
    return f"{sentence} in this test" + (f", but {_in_a_sentence(doubt)}" if doubt else "")


def warning_of(report: DomainReport) -> str | None:
    """The most serious fault of a domain that may pass all the same; None: it has none."""
    delivery = report.delivery
    if delivery is not None:
        held_back = [name for name, outcomes in _checks(delivery) if _defers(outcomes)]
        if held_back:
            return f"senders that check {' or '.join(held_back)} hold mail back today"
    if any(each.code is Code.STARTTLS_INTERMITTENT for each in report.findings):
        return "TLS worked in one session and not in another"
    high = [each for each in report.findings if each.severity is Severity.HIGH]
    if not high:
        return None
    return _in_a_sentence(min(high, key=severity_order).code.meaning)


def effects(report: DomainReport) -> tuple[str, ...]:
    """What happens to mail for the domain today: held back, readable by others, or neither."""
    if report.delivery is None or not report.endpoints:
        return ()
    if report.delivery.mandatory.now is DeliveryOutcome.NOT_APPLICABLE:
        return ()
    return tuple(_effects(report.delivery, report.verdict.level))


def reasons(report: DomainReport) -> tuple[str, ...]:
    """Why the domain does not meet the requirement, a sentence for each reason."""
    return tuple(_REASONS.get(reason) or printable(reason) for reason in report.reasons)


def by_sender(delivery: Delivery) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Each kind of sender, and what becomes of its mail: today, at backup hosts, under attack."""
    for kind in SenderKind:
        met = delivery.of(kind)
        yield SENDERS[kind], (OUTCOMES[met.now], OUTCOMES[met.fallback], OUTCOMES[met.attacked])


def is_well(endpoint: Endpoint, reader: CertificateReader | None = None) -> Answer:
    """Yes: TLS and identity are as they should be. No: one of them is not.

    *reader* remembers certificates from one endpoint to the next.
    """
    if not is_tested(endpoint):
        return Answer.NOT_TESTED
    if proven(endpoint) is not Outcome.COMPLETED:
        return Answer.NO
    return authenticated_by_each(View(endpoint, reader or CertificateReader()))


def kinds_differ(delivery: Delivery) -> bool:
    """Whether what a sender checks decides what becomes of its mail today.

    A certificate for the domain's own name is left out: few have one, and only senders that were
    configured for this domain ask for it.
    """
    kinds = [kind for kind in SenderKind if kind is not SenderKind.DOMAIN_VERIFIED]
    outcomes = [delivery.of(kind).now for kind in kinds]
    return len({"encrypted" if each in DELIVERED else each for each in outcomes}) > 1


def _gaps(report: DomainReport) -> Iterator[str]:
    """What keeps the domain below the requirement, where its level does not say it."""
    for gap in (Gap.TLS_NOT_REQUIRED, Gap.BELOW_PROFILE):
        if gap in report.reasons:
            yield GAPS[gap].removesuffix(".")


def _in_a_sentence(meaning: str) -> str:
    """What a finding means, as part of a sentence that does not name the server."""
    return _uncapitalised(meaning.replace("this server", "a server").removesuffix("."))


def _uncapitalised(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _on_level(report: DomainReport, reader: CertificateReader | None) -> str:
    level = report.verdict.level
    if level is Level.NONE:
        return _without_tls(report)
    if level is Level.PARTIAL:
        return _partly_without_tls(report)
    if level in ENCRYPTED and any(
        each.tls_depends_on_sender for each in views_of(report.endpoints, reader)
    ):
        return _SENDERS_DIFFER
    if level is Level.AUTHENTICATED:
        return _IDENTITY
    if level is Level.ENFORCED:
        return (
            "Mail is encrypted, every server's identity is verified, and the domain requires "
            "senders to use TLS"
        )
    return _unverified(report, reader)


def _unverified(report: DomainReport, reader: CertificateReader | None) -> str:
    if any(endpoint.dane is Dane.MISMATCH for endpoint in report.endpoints):
        return (
            "Mail is encrypted, but at least one server's certificate does not match the domain's "
            "TLSA records (DANE)"
        )
    tested = views_of(filter(is_tested, report.endpoints), reader)
    unproven = [each.seen for each in tested if authenticated_by_each(each.seen) is Answer.NO]
    if unproven and all(_is_obsolete(view.endpoint) for view in unproven):
        return "Mail is encrypted, but at least one server has an obsolete TLS version only"
    if unproven:
        return "Mail is encrypted, but at least one server's certificate cannot be verified"
    return "Mail is encrypted; whether every server's identity can be verified is not known"


def _is_obsolete(endpoint: Endpoint) -> bool:
    """RFC 8996. A server chooses the best version that it has in common with the client."""
    return endpoint.tls_version not in ACCEPTABLE_TLS_VERSIONS


def _without_tls(report: DomainReport) -> str:
    offered = any(
        each.starttls in (StartTls.OFFERED, StartTls.REFUSED) for each in report.endpoints
    )
    why = "no server completes TLS" if offered else "no server offers TLS"
    match _opportunistic(report).now:
        case DeliveryOutcome.CLEAR:
            return f"Mail is sent unencrypted: {why}"
        case DeliveryOutcome.DEFERRED:
            return "Mail is held back: no server completes TLS"
        case _:
            return f"Mail is sent unencrypted or is held back: {why}"


def _partly_without_tls(report: DomainReport) -> str:
    outcomes = _opportunistic(report)
    match outcomes.now, outcomes.fallback:
        case DeliveryOutcome.CLEAR, _:
            return "Mail is sent unencrypted to at least one server: not all complete TLS"
        case DeliveryOutcome.DEFERRED, _:
            return "Mail is held back at a server that does not complete TLS"
        case now, DeliveryOutcome.CLEAR if now in DELIVERED:
            return "Mail is encrypted, but would be sent unencrypted to a backup server"
        case now, DeliveryOutcome.DEFERRED if now in DELIVERED:
            return "Mail is encrypted, but would be held back at a backup server"
        case _:
            return "Mail is encrypted at some servers only: not all complete TLS"


def _opportunistic(report: DomainReport) -> SenderOutcomes:
    if report.delivery is None:
        unknown = DeliveryOutcome.UNKNOWN
        return SenderOutcomes(now=unknown, fallback=unknown, attacked=unknown)
    return report.delivery.opportunistic


def _checks(delivery: Delivery) -> tuple[tuple[str, SenderOutcomes], ...]:
    return (("DANE", delivery.dane), ("MTA-STS", delivery.mta_sts))


def _defers(outcomes: SenderOutcomes) -> bool:
    return outcomes.now is DeliveryOutcome.DEFERRED


def _effects(delivery: Delivery, level: Level) -> Iterator[str]:
    if _defers(delivery.opportunistic):
        yield "Senders hold mail back today, whether they require TLS or not."
        return
    yield from _held_back(delivery)
    yield from _readable(delivery, level)
    yield from _requiring_tls(delivery)


def _held_back(delivery: Delivery) -> Iterator[str]:
    causes = {
        "DANE": "a server does not match its TLSA records",
        "MTA-STS": "a server does not meet the domain's policy",
    }
    if _defers(delivery.mandatory):
        yield "A sender that requires TLS holds mail back today."
        return
    for name, outcomes in _checks(delivery):
        if _defers(outcomes):
            yield f"Senders that check {name} hold mail back today: {causes[name]}."


def _readable(delivery: Delivery, level: Level) -> Iterator[str]:
    outcomes = delivery.opportunistic
    if outcomes.now is DeliveryOutcome.CLEAR:
        yield "Mail from senders that do not require TLS can be read by others on its way."
    elif outcomes.fallback is DeliveryOutcome.CLEAR and level is not Level.PARTIAL:
        yield "When the first servers are down, mail goes to a backup server unencrypted."


def _requiring_tls(delivery: Delivery) -> Iterator[str]:
    """Whether TLS can be required, and what that stops."""
    match delivery.mandatory.now, delivery.mandatory.fallback:
        case DeliveryOutcome.DEFERRED, _:
            return
        case now, fallback if now in DELIVERED and fallback in DELIVERED:
            yield "You can require TLS for this domain without losing mail."
        case now, DeliveryOutcome.DEFERRED if now in DELIVERED:
            yield (
                "You can require TLS for this domain, but mail waits while its first servers are "
                "down: a backup server does not complete TLS."
            )
        case now, _ if now in DELIVERED:
            yield "You can require TLS for this domain; a backup server could not be tested."
        case _, DeliveryOutcome.DEFERRED:
            yield "If you require TLS for this domain, at least one server holds mail back."
            return
        case _:
            yield "It is not known whether you can require TLS for this domain without losing mail."
            return
    yield _on_attackers(delivery)


def _on_attackers(delivery: Delivery) -> str:
    checks = _checks(delivery)
    kept = [
        name
        for name, outcomes in checks
        if outcomes.now in DELIVERED and outcomes.attacked is DeliveryOutcome.DEFERRED
    ]
    if kept:
        return (
            "That stops eavesdropping; an attacker who can redirect traffic is kept out by "
            f"senders that check {' or '.join(kept)}."
        )
    by_name = delivery.domain_verified
    if DeliveryOutcome.AUTHENTICATED is by_name.now is by_name.fallback:
        return (
            "That stops eavesdropping. If you configure your server to require a certificate for "
            "the domain itself, mail is delivered and an active attacker is kept out."
        )
    if DeliveryOutcome.UNKNOWN in [outcomes.attacked for _, outcomes in checks]:
        return (
            "That stops eavesdropping; whether it also stops an attacker who can redirect "
            "traffic is not known."
        )
    return "That stops eavesdropping, but not an attacker who can redirect traffic."
