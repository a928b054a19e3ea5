"""Joins what lines say of then with what a probe shows of now: a decision table, as data.

docs/headers.md shows the same table. A probe never changes a judgement: servers change, and what
is offered was not always used.
"""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from prober.headers.records import Basis, Hop, HopProbe, Judgement, MessageReport, Offer, Trust
from prober.records import EndpointFacts
from prober.rules.endpoint import Outcome, proven

DECISIONS: Final = MappingProxyType(
    {
        (Judgement.ENCRYPTED, Offer.OFFERS): (
            "consistent",
            "It came encrypted, and {host} offers {versions} today.",
        ),
        (Judgement.ENCRYPTED, Offer.PARTLY): (
            "receiver-varies",
            "It came encrypted; today only a part of {host} offers TLS ({versions}).",
        ),
        (Judgement.ENCRYPTED, Offer.NOTHING): (
            "receiver-changed",
            "It came encrypted, and {host} offers no TLS today: it has changed, or something on "
            "the way from here takes the offer out.",
        ),
        (Judgement.ENCRYPTED, Offer.NOT_TESTED): (
            "not-tested",
            "It came encrypted; {host} could not be looked at now.",
        ),
        (Judgement.NOT_ENCRYPTED, Offer.OFFERS): (
            "sender-did-not-use-tls",
            "{host} offers {versions} today and states TLS when it is used; the message {came} "
            "in clear: the sender's side did not use it.",
        ),
        (Judgement.NOT_ENCRYPTED, Offer.PARTLY): (
            "receiver-varies",
            "The message {came} in clear, and today only a part of {host} offers TLS ({versions}): "
            "the sender may have met the part that does not.",
        ),
        (Judgement.NOT_ENCRYPTED, Offer.NOTHING): (
            "receiver-offers-none",
            "{host} offers no TLS today, and the message {came} in clear: the receiver's side gave "
            "the sender no choice.",
        ),
        (Judgement.NOT_ENCRYPTED, Offer.NOT_TESTED): (
            "not-tested",
            "The message {came} in clear; {host} could not be looked at now, so that which side "
            "left TLS out is not known.",
        ),
        (Judgement.UNKNOWN, Offer.OFFERS): (
            "tls-was-possible",
            "{host} does not write whether TLS was used. It offers {versions} today: a sender "
            "that takes what is offered had TLS, which is likely and no proof.",
        ),
        (Judgement.UNKNOWN, Offer.PARTLY): (
            "receiver-varies",
            "{host} does not write whether TLS was used, and a part of it offers TLS today "
            "({versions}): not known.",
        ),
        (Judgement.UNKNOWN, Offer.NOTHING): (
            "probably-clear",
            "{host} does not write whether TLS was used. It offers none today: if it did not "
            "then, the message came in clear.",
        ),
        (Judgement.UNKNOWN, Offer.NOT_TESTED): (
            "not-tested",
            "{host} does not write whether TLS was used, and could not be looked at now.",
        ),
    }
)


def receiving_hops(report: MessageReport) -> tuple[Hop, ...]:
    """The hops whose servers may be probed: trusted, at the border, and with a name.

    Nothing below: a forged line would aim the probe at whom it likes.
    """
    return tuple(
        hop
        for hop in report.hops
        if hop.border
        and hop.trust is Trust.TRUSTED
        and hop.judgement is not Judgement.INTERNAL
        and hop.received.by is not None
    )


def judge_offer(endpoints: Sequence[EndpointFacts]) -> Offer:
    """What *endpoints* offer together. One that could not be tested decides nothing."""
    outcomes = {proven(endpoint) for endpoint in endpoints}
    if Outcome.COMPLETED in outcomes:
        return Offer.PARTLY if Outcome.NEGATIVE in outcomes else Offer.OFFERS
    return Offer.NOTHING if Outcome.NEGATIVE in outcomes else Offer.NOT_TESTED


def join(
    hop: Hop | None, host: str, endpoints: Sequence[EndpointFacts], detail: str | None = None
) -> HopProbe:
    """What *endpoints* of *host* show now beside what *hop* says; None: no line to go by."""
    offer = judge_offer(endpoints)
    judgement = Judgement.UNKNOWN if hop is None else hop.judgement
    versions = tuple(sorted({seen.tls_version for seen in endpoints if seen.tls_version}))
    came = "probably came" if hop is not None and hop.basis is Basis.HABIT else "came"
    conclusion, text = DECISIONS[judgement, offer]
    return HopProbe(
        hop=None if hop is None else hop.index,
        host=host,
        offer=offer,
        tls_versions=versions,
        detail=detail,
        conclusion=conclusion,
        text=text.format(host=host, versions=" and ".join(versions), came=came),
    )
