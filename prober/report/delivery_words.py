"""The outcomes of delivery in sentences: what a sender may insist on, and what that is worth."""

from collections.abc import Iterator
from typing import Final

from prober.records.delivery import Delivery, DeliveryOutcome, SenderOutcomes

_AUTHENTICATED: Final = DeliveryOutcome.AUTHENTICATED
_CLEAR: Final = DeliveryOutcome.CLEAR
_DEFERRED: Final = DeliveryOutcome.DEFERRED
_ENCRYPTED: Final = DeliveryOutcome.ENCRYPTED
_INTERCEPTED: Final = DeliveryOutcome.INTERCEPTED
_UNKNOWN: Final = DeliveryOutcome.UNKNOWN

_DELIVERED: Final = (_ENCRYPTED, _AUTHENTICATED)


def explain_delivery(delivery: Delivery) -> tuple[str, ...]:
    """What senders meet, one thought a sentence; the most wanted answer, forced TLS, first."""
    if delivery.mandatory.now is DeliveryOutcome.NOT_APPLICABLE:
        return ("This domain receives no mail, so there is nothing to deliver.",)
    return tuple(_sentences(delivery))


def _sentences(delivery: Delivery) -> Iterator[str]:
    yield _on_forced_tls(delivery.mandatory)
    if delivery.mandatory.now is _ENCRYPTED:
        yield _on_attackers(delivery)
    yield from _on_clear_text(delivery)
    yield from _on_certificates(delivery)
    yield from _on_promises(delivery)


def _on_forced_tls(mandatory: SenderOutcomes) -> str:
    match mandatory.now, mandatory.fallback:
        case DeliveryOutcome.ENCRYPTED, DeliveryOutcome.ENCRYPTED:
            return "Forced TLS will deliver today."
        case DeliveryOutcome.ENCRYPTED, DeliveryOutcome.DEFERRED:
            return (
                "Forced TLS will deliver today, but not through every backup host: "
                "while the first ones are down, mail may wait."
            )
        case DeliveryOutcome.ENCRYPTED, _:
            return (
                "Forced TLS will deliver today; whether it would through every backup host "
                "is not known."
            )
        case DeliveryOutcome.DEFERRED, _:
            return (
                "Forced TLS would hold mail back today: a server that is asked first does not "
                "complete TLS 1.2 or better."
            )
        case _, DeliveryOutcome.DEFERRED:
            return (
                "Whether forced TLS will deliver today is not known; through one of the servers "
                "it would not."
            )
        case _:
            return "Whether forced TLS will deliver today is not known."


def _on_attackers(delivery: Delivery) -> str:
    """What stands in the way of somebody who does more than listen."""
    kept = [
        name
        for name, outcomes in (("DANE", delivery.dane), ("MTA-STS", delivery.mta_sts))
        if outcomes.attacked is _DEFERRED
    ]
    if kept:
        return (
            "By itself it stops a listener only; a sender that also checks "
            f"{' or '.join(kept)} stops an active attacker, who can then delay mail but not read "
            "it."
        )
    if _UNKNOWN in (delivery.dane.attacked, delivery.mta_sts.attacked):
        return (
            "It stops a listener; whether a sender can keep an active attacker out is not known, "
            "because what the domain publishes for that (DANE, MTA-STS) was not fully seen."
        )
    return (
        "It stops a listener; an active attacker can still read the mail, because nothing this "
        "domain publishes lets a sender check whom it talks to."
    )


def _on_clear_text(delivery: Delivery) -> Iterator[str]:
    opportunistic = delivery.opportunistic
    if opportunistic.now is _CLEAR:
        yield "A sender that does not insist delivers in clear text today."
    elif opportunistic.now is _DEFERRED:
        yield "A sender that does not insist holds mail back, too: a server breaks off at STARTTLS."
    elif opportunistic.fallback is _CLEAR:
        yield "A sender that does not insist delivers in clear text when it is given a backup host."


def _on_certificates(delivery: Delivery) -> Iterator[str]:
    """What the certificates are good for; nothing is said of what could not be seen."""
    domain, host = delivery.domain_verified, delivery.verified
    if _works(domain):
        yield (
            "A sender that is told by hand to look for the domain's own name in the certificate "
            "will deliver, and keeps an active attacker out."
        )
    if _works(host) and host.attacked is _INTERCEPTED:
        yield (
            "A sender that looks for the MX host's name in the certificate will deliver, but an "
            "attacker who forges the unsigned MX record names a host of his own."
        )
    elif _works(host) and host.attacked is _DEFERRED:
        yield (
            "A sender that looks for the MX host's name in the certificate will deliver, and "
            "keeps an active attacker out, since the MX record is signed."
        )
    elif host.now is _DEFERRED and delivery.mandatory.now in _DELIVERED:
        yield (
            "A sender that looks for the MX host's name in the certificate would hold mail back "
            "today."
        )


def _on_promises(delivery: Delivery) -> Iterator[str]:
    """Where what the domain publishes and what its servers do differ, mail is lost."""
    if delivery.dane.now is _DEFERRED:
        yield (
            "Senders that check DANE hold mail back today: a server does not do what its TLSA "
            "record says."
        )
    if delivery.mta_sts.now is _DEFERRED:
        yield (
            "Senders that obey MTA-STS hold mail back today: a server does not do what the "
            "domain's policy says."
        )


def _works(outcomes: SenderOutcomes) -> bool:
    return outcomes.now is _AUTHENTICATED and outcomes.fallback is _AUTHENTICATED
