"""Compares what Received lines say with what a probe of the same server shows now.

The comparison is a decision table, which docs/headers.md shows too. A probe never changes a
judgement: the server may have changed since, and a sender does not always use what is offered.
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
            "The message came encrypted, and {host} offers {versions} today.",
        ),
        (Judgement.ENCRYPTED, Offer.PARTLY): (
            "receiver-varies",
            "The message came encrypted. Today only some servers of {host} offer TLS ({versions}).",
        ),
        (Judgement.ENCRYPTED, Offer.NOTHING): (
            "receiver-changed",
            "The message came encrypted, but {host} offers no TLS today. Either it has changed, or "
            "something between here and the server removes the offer.",
        ),
        (Judgement.ENCRYPTED, Offer.NOT_TESTED): (
            "not-tested",
            "The message came encrypted. {host} could not be tested now.",
        ),
        (Judgement.NOT_ENCRYPTED, Offer.OFFERS): (
            "sender-did-not-use-tls",
            "{host} offers {versions} today and states TLS when it is used. The message {came} "
            "in clear, so the sender did not use TLS.",
        ),
        (Judgement.NOT_ENCRYPTED, Offer.PARTLY): (
            "receiver-varies",
            "The message {came} in clear, and today only some servers of {host} offer TLS "
            "({versions}). The sender may have reached one that does not.",
        ),
        (Judgement.NOT_ENCRYPTED, Offer.NOTHING): (
            "receiver-offers-none",
            "{host} offers no TLS today, and the message {came} in clear. The sender could not "
            "have used TLS.",
        ),
        (Judgement.NOT_ENCRYPTED, Offer.NOT_TESTED): (
            "not-tested",
            "The message {came} in clear. {host} could not be tested now, so it is not known "
            "which side did not use TLS.",
        ),
        (Judgement.UNKNOWN, Offer.OFFERS): (
            "tls-was-possible",
            "{host} does not state whether TLS was used. It offers {versions} today, so TLS was "
            "probably used, but this is no proof.",
        ),
        (Judgement.UNKNOWN, Offer.PARTLY): (
            "receiver-varies",
            "{host} does not state whether TLS was used, and today only some of its servers offer "
            "TLS ({versions}). Whether TLS was used is not known.",
        ),
        (Judgement.UNKNOWN, Offer.NOTHING): (
            "probably-clear",
            "{host} does not state whether TLS was used, and offers no TLS today. If it offered "
            "none then either, the message came in clear.",
        ),
        (Judgement.UNKNOWN, Offer.NOT_TESTED): (
            "not-tested",
            "{host} does not state whether TLS was used, and could not be tested now.",
        ),
    }
)


def receiving_hops(report: MessageReport) -> tuple[Hop, ...]:
    """The hops whose servers may be probed: trusted, at the border, and with a name.

    Servers of claimed lines are never probed. A forged line could point the probe at any host.
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
    """What *endpoints* together offer. An endpoint that could not be tested does not count."""
    outcomes = {proven(endpoint) for endpoint in endpoints}
    if Outcome.COMPLETED in outcomes:
        return Offer.PARTLY if Outcome.NEGATIVE in outcomes else Offer.OFFERS
    return Offer.NOTHING if Outcome.NEGATIVE in outcomes else Offer.NOT_TESTED


def join(
    hop: Hop | None, host: str, endpoints: Sequence[EndpointFacts], detail: str | None = None
) -> HopProbe:
    """Compare what *hop* says with what *endpoints* of *host* show now.

    *hop* is None if no line says anything, as for the recipient's domain.
    """
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
