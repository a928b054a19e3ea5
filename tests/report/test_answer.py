"""The answer in sentences: what the words promise is what the outcomes hold."""

from dataclasses import fields, replace
from itertools import product
from typing import Any, Final

import pytest

from prober.records import (
    Answer,
    Code,
    DomainReport,
    Gap,
    Level,
    Severity,
    Standing,
    StartTls,
    finding,
)
from prober.records.delivery import Delivery, DeliveryOutcome, SenderKind, SenderOutcomes
from prober.report.answer import (
    GAPS,
    OUTCOMES,
    SENDERS,
    answer,
    effects,
    headline,
    kinds_differ,
    reasons,
    warning_of,
)
from tests.report import samples

AUTHENTICATED = DeliveryOutcome.AUTHENTICATED
CLEAR = DeliveryOutcome.CLEAR
DEFERRED = DeliveryOutcome.DEFERRED
ENCRYPTED = DeliveryOutcome.ENCRYPTED
INTERCEPTED = DeliveryOutcome.INTERCEPTED
NOT_APPLICABLE = DeliveryOutcome.NOT_APPLICABLE
UNKNOWN = DeliveryOutcome.UNKNOWN


def out(
    now: DeliveryOutcome,
    fallback: DeliveryOutcome | None = None,
    attacked: DeliveryOutcome = DEFERRED,
) -> SenderOutcomes:
    return SenderOutcomes(now=now, fallback=fallback or now, attacked=attacked)


# encrypted with a certificate that proves nothing, and nothing published: most of the Internet
PLAIN: Final = Delivery(
    opportunistic=out(ENCRYPTED, attacked=CLEAR),
    mandatory=out(ENCRYPTED, attacked=INTERCEPTED),
    trusted_ca=out(DEFERRED, attacked=INTERCEPTED),
    verified=out(DEFERRED, attacked=INTERCEPTED),
    domain_verified=out(DEFERRED),
    dane=out(ENCRYPTED, attacked=CLEAR),
    mta_sts=out(ENCRYPTED, attacked=CLEAR),
)


def report(level: Level = Level.OPPORTUNISTIC, **changes: SenderOutcomes) -> DomainReport:
    return replace(samples.make_report(level), delivery=replace(PLAIN, **changes))


def said(**changes: SenderOutcomes) -> str:
    return " ".join(effects(replace(report(), delivery=replace(PLAIN, **changes))))


def test_the_usual_domain() -> None:
    assert said() == (
        "You can require TLS for this domain without losing mail. That stops eavesdropping, but "
        "not an attacker who can redirect traffic."
    )


def test_a_domain_without_mail_has_no_effects() -> None:
    nothing = out(NOT_APPLICABLE, attacked=NOT_APPLICABLE)
    delivery = Delivery(**{field.name: nothing for field in fields(Delivery)})
    assert effects(replace(report(), delivery=delivery)) == ()


@pytest.mark.parametrize(
    ("changes", "begin"),
    [
        pytest.param(
            {"mandatory": out(DEFERRED)}, "A sender that requires TLS holds mail", id="no"
        ),
        pytest.param({"mandatory": out(UNKNOWN)}, "It is not known whether", id="unknown"),
        pytest.param(
            {"mandatory": out(UNKNOWN, DEFERRED)},
            "If you require TLS for this domain, at least one server holds mail back.",
            id="unknown-but-not-at-all",
        ),
        pytest.param(
            {"mandatory": out(ENCRYPTED, UNKNOWN)},
            "You can require TLS for this domain; a backup server could not be tested.",
            id="backup-unknown",
        ),
        pytest.param(
            {"mandatory": out(ENCRYPTED, DEFERRED)},
            "You can require TLS for this domain, but mail waits while its first servers",
            id="backup-no",
        ),
        pytest.param(
            {"mta_sts": out(DEFERRED)}, "Senders that check MTA-STS hold mail back", id="sts-broken"
        ),
        pytest.param(
            {"dane": out(DEFERRED)},
            "Senders that check DANE hold mail back today",
            id="dane-broken",
        ),
        pytest.param(
            {"opportunistic": out(CLEAR, attacked=CLEAR)},
            "Mail from senders that do not require TLS can be read by others",
            id="clear",
        ),
        pytest.param(
            {"opportunistic": out(CLEAR), "mandatory": out(DEFERRED)},
            "A sender that requires TLS holds mail back today. Mail from senders that do not",
            id="held-back-before-readable",
        ),
        pytest.param(
            {"opportunistic": out(DEFERRED), "mandatory": out(DEFERRED)},
            "Senders hold mail back today, whether they require TLS or not.",
            id="held-back-by-all",
        ),
        pytest.param(
            {"opportunistic": out(ENCRYPTED, CLEAR, CLEAR)},
            "When the first servers are down, mail goes to a backup server unencrypted.",
            id="clear-at-a-backup",
        ),
    ],
)
def test_the_most_serious_effect_comes_first(
    changes: dict[str, SenderOutcomes], begin: str
) -> None:
    assert said(**changes).startswith(begin)


@pytest.mark.parametrize(
    ("changes", "end"),
    [
        pytest.param(
            {"dane": out(UNKNOWN, attacked=UNKNOWN)}, "redirect traffic is not known.", id="unknown"
        ),
        pytest.param(
            {"domain_verified": out(AUTHENTICATED)},
            "mail is delivered and an active attacker is kept out.",
            id="domain-verified",
        ),
        pytest.param({"dane": out(AUTHENTICATED)}, "senders that check DANE.", id="dane"),
        pytest.param(
            {"dane": out(AUTHENTICATED), "mta_sts": out(AUTHENTICATED)},
            "senders that check DANE or MTA-STS.",
            id="both",
        ),
        pytest.param(  # it holds all mail back: that is not what anybody wants
            {"dane": out(DEFERRED)}, "not an attacker who can redirect traffic.", id="dane-broken"
        ),
    ],
)
def test_what_requiring_tls_stops(changes: dict[str, SenderOutcomes], end: str) -> None:
    assert said(**changes).endswith(end)


def test_nothing_is_promised_that_is_not_known() -> None:
    for now, fallback in product(DeliveryOutcome, repeat=2):
        words = said(mandatory=out(now, fallback))
        works = {now, fallback} <= {ENCRYPTED, AUTHENTICATED}
        assert ("without losing mail. That" in words) == works


@pytest.mark.parametrize(
    ("level", "opportunistic", "sentence"),
    [
        (Level.NONE, out(CLEAR), "Mail is sent unencrypted: no server completes TLS"),
        (Level.NONE, out(DEFERRED), "Mail is held back: no server completes TLS"),
        (Level.NONE, out(UNKNOWN), "Mail is sent unencrypted or is held back: no server"),
        (Level.PARTIAL, out(CLEAR), "Mail is sent unencrypted to at least one server"),
        (Level.PARTIAL, out(DEFERRED), "Mail is held back at a server that does not complete TLS"),
        (Level.PARTIAL, out(ENCRYPTED, CLEAR), "Mail is encrypted, but would be sent unencrypted"),
        (Level.PARTIAL, out(ENCRYPTED, DEFERRED), "Mail is encrypted, but would be held back"),
        (Level.PARTIAL, out(UNKNOWN), "Mail is encrypted at some servers only"),
    ],
)
def test_clear_or_held_back_is_what_delivery_says(
    level: Level, opportunistic: SenderOutcomes, sentence: str
) -> None:
    assert answer(report(level, opportunistic=opportunistic)).startswith(sentence)


def test_a_domain_that_passes_with_something_serious_says_so() -> None:
    broken = samples.assessed(report(dane=out(DEFERRED)))
    assert headline(broken).endswith(": PASS, but senders that check DANE hold mail back today.")
    moody = replace(report(), findings=(finding(Code.STARTTLS_INTERMITTENT),))
    assert warning_of(moody) == "TLS worked in one session and not in another"
    expired = replace(report(), findings=(finding(Code.CERTIFICATE_EXPIRED),))
    assert finding(Code.CERTIFICATE_EXPIRED).severity is Severity.HIGH
    assert warning_of(expired) is not None
    assert warning_of(report()) is None


def test_kinds_differ_where_what_is_checked_decides() -> None:
    every = {kind.value.replace("-", "_"): out(ENCRYPTED) for kind in SenderKind}
    alike = Delivery(**{**every, "verified": out(AUTHENTICATED), "domain_verified": out(DEFERRED)})
    assert not kinds_differ(alike)
    assert kinds_differ(replace(alike, dane=out(DEFERRED)))


def test_everything_that_is_shown_has_words() -> None:
    assert set(GAPS) == set(Gap)
    assert set(SENDERS) == set(SenderKind)
    assert set(OUTCOMES) == set(DeliveryOutcome)


def test_each_reason_is_a_sentence() -> None:
    short = replace(report(), reasons=("tls-failed", "tls-not-required"))
    assert reasons(short) == (Code.TLS_FAILED.meaning, GAPS[Gap.TLS_NOT_REQUIRED])


def test_a_domain_that_falls_short_untested_says_what_it_lacks() -> None:
    """Without DANE and MTA-STS no test can bring it to *enforced*."""
    short = replace(samples.unknown(), standing=Standing.FALLS_SHORT, reasons=("tls-not-required",))
    assert headline(short).startswith(
        "unknown.example: FAIL. The domain does not require senders to use TLS (DANE, MTA-STS). "
        "Could not test: "
    )


@pytest.mark.parametrize("reason", [Code.STARTTLS_INTERMITTENT, "starttls-intermittent"])
def test_a_domain_that_stays_undecided_says_why_also_where_all_was_tested(reason: str) -> None:
    moody = replace(
        samples.make_report(Level.AUTHENTICATED), standing=Standing.UNDECIDED, reasons=(reason,)
    )
    moody = replace(moody, verdict=replace(moody.verdict, complete=True))
    assert headline(moody).endswith(
        " in this test, but some mail may travel in clear text, because TLS worked in one session "
        "and not in another."
    )


def test_an_unknown_reason_in_a_saved_report_is_shown_printable() -> None:
    report = replace(samples.unknown(), reasons=("\x1b[2J",))

    assert reasons(report) == ("\\x1b[2J",)


@pytest.mark.parametrize(
    ("starttls", "why"),
    [
        (StartTls.NOT_OFFERED, "no server offers TLS"),
        (StartTls.REFUSED, "no server completes TLS"),
        (StartTls.OFFERED, "no server completes TLS"),
    ],
)
def test_an_offer_that_is_refused_is_an_offer(starttls: StartTls, why: str) -> None:
    seen = samples.make_failed_endpoint(starttls=starttls)
    clear = replace(report(Level.NONE, opportunistic=out(CLEAR)), endpoints=(seen,))
    assert answer(clear) == f"Mail is sent unencrypted: {why}"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param(
            {"tls_version": "TLSv1"},
            "Mail is encrypted, but at least one server has an obsolete TLS version only",
            id="RFC-8996",
        ),
        pytest.param(
            {"certificate": samples.make_certificate(trusted=Answer.NO), "path": ()},
            "Mail is encrypted, but at least one server's certificate cannot be verified",
            id="not-trusted",
        ),
    ],
)
def test_an_obsolete_version_is_not_told_as_a_fault_of_the_certificate(
    changes: dict[str, Any], sentence: str
) -> None:
    report = samples.make_report(Level.OPPORTUNISTIC, (samples.make_endpoint(**changes),))
    assert answer(report) == sentence
