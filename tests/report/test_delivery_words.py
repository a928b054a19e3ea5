"""Delivery in sentences: the promise of the words is what the outcomes hold."""

from dataclasses import fields, replace
from itertools import product
from typing import Final

import pytest

from prober.records.delivery import Delivery, DeliveryOutcome, SenderOutcomes
from prober.report.delivery_words import explain_delivery

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
VERIFIED: Final = replace(PLAIN, verified=out(AUTHENTICATED, attacked=INTERCEPTED))


def said(**changes: SenderOutcomes) -> str:
    return " ".join(explain_delivery(replace(VERIFIED, **changes)))


def test_the_usual_domain_in_the_words_of_the_issue() -> None:
    assert " ".join(explain_delivery(PLAIN)).startswith(
        "Forced TLS will deliver today. It stops a listener; an active attacker can still read "
        "the mail, because nothing this domain publishes lets a sender check whom it talks to."
    )


def test_a_domain_without_mail() -> None:
    nothing = out(NOT_APPLICABLE, attacked=NOT_APPLICABLE)
    delivery = Delivery(**{field.name: nothing for field in fields(Delivery)})
    assert explain_delivery(delivery) == (
        "This domain receives no mail, so there is nothing to deliver.",
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param(
            {"mandatory": out(DEFERRED)}, "Forced TLS would hold mail back today: a server", id="no"
        ),
        pytest.param(
            {"mandatory": out(UNKNOWN)},
            "Whether forced TLS will deliver today is not known.",
            id="unknown",
        ),
        pytest.param(
            {"mandatory": out(UNKNOWN, DEFERRED)},
            "is not known; through one of the servers",
            id="unknown-but-not-at-all",
        ),
        pytest.param(
            {"mandatory": out(ENCRYPTED, UNKNOWN)},
            "through every backup host is not known",
            id="backup-unknown",
        ),
        pytest.param(
            {"mandatory": out(ENCRYPTED, DEFERRED)},
            "but not through every backup host",
            id="backup-no",
        ),
        pytest.param(
            {"dane": out(UNKNOWN, attacked=UNKNOWN)}, "was not fully seen", id="dane-unknown"
        ),
        pytest.param(
            {"mta_sts": out(UNKNOWN, attacked=UNKNOWN)}, "was not fully seen", id="sts-unknown"
        ),
        pytest.param(
            {"mta_sts": out(DEFERRED, attacked=DEFERRED)},
            "Senders that obey MTA-STS hold mail",
            id="sts-broken",
        ),
        pytest.param(
            {"dane": out(DEFERRED, attacked=DEFERRED)},
            "Senders that check DANE hold mail back",
            id="dane-broken",
        ),
        pytest.param(
            {"opportunistic": out(CLEAR, attacked=CLEAR)},
            "delivers in clear text today",
            id="clear",
        ),
        pytest.param(
            {"opportunistic": out(ENCRYPTED, CLEAR, CLEAR)},
            "clear text when it is given a backup",
            id="clear-at-a-backup",
        ),
        pytest.param(
            {"verified": out(DEFERRED, attacked=INTERCEPTED)},
            "would hold mail back today.",
            id="verified-no",
        ),
        pytest.param({}, "forges the unsigned MX record", id="verified-unsigned"),
        pytest.param(
            {"verified": out(AUTHENTICATED)}, "since the MX record is signed", id="verified-signed"
        ),
        pytest.param(
            {"domain_verified": out(AUTHENTICATED)}, "the domain's own name", id="domain-verified"
        ),
        pytest.param(
            {"dane": out(AUTHENTICATED, attacked=DEFERRED)},
            "a sender that also checks DANE stops an active attacker",
            id="dane",
        ),
        pytest.param(
            {"dane": out(AUTHENTICATED), "mta_sts": out(AUTHENTICATED)},
            "checks DANE or MTA-STS",
            id="both",
        ),
    ],
)
def test_a_sentence_for_each_case(changes: dict[str, SenderOutcomes], sentence: str) -> None:
    assert sentence in said(**changes)


def test_nothing_is_promised_that_is_not_known() -> None:
    """Whatever the outcomes, "will deliver" needs one that delivers."""
    for now, fallback in product(DeliveryOutcome, repeat=2):
        words = explain_delivery(replace(PLAIN, mandatory=out(now, fallback)))
        assert ("Forced TLS will deliver" in words[0]) == (now is ENCRYPTED)
