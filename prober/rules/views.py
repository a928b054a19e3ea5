"""An endpoint as senders meet it, and what becomes of mail there, worked out once.

Senders with SNI and senders without it may meet different servers: hellos.py. Each kind of sender
in senders.py asks the same of what they meet, and more of its certificates than the report keeps.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Final, assert_never

from prober.records import Answer, Attempt, Endpoint, Failure, Reason, StartTls
from prober.records.delivery import DeliveryOutcome
from prober.rules.certificate import gnutls_refuses, judge_authenticity, judge_path_strength
from prober.rules.certificate_fields import CertificateReader, ReadCertificate
from prober.rules.deep import answer_to, with_chain
from prober.rules.endpoint import (
    Outcome,
    chose_weak_cipher,
    openssl_refuses,
    outcome,
    proven,
)
from prober.rules.hellos import (
    is_read_differently,
    sni_makes_no_difference,
    tls_depends_on_sender,
    with_sni,
    without_sni,
)
from prober.rules.thresholds import ACCEPTABLE_TLS_VERSIONS

_ENCRYPTED: Final = DeliveryOutcome.ENCRYPTED
_CLEAR: Final = DeliveryOutcome.CLEAR
_DEFERRED: Final = DeliveryOutcome.DEFERRED
_UNKNOWN: Final = DeliveryOutcome.UNKNOWN


class View:
    """*endpoint* as some sender meets it, its certificates read by *reader*."""

    def __init__(self, endpoint: Endpoint, reader: CertificateReader) -> None:
        self.endpoint = endpoint
        self._reader = reader

    @cached_property
    def chain(self) -> tuple[ReadCertificate, ...]:
        """The certificates as sent, the leaf first."""
        return tuple(map(self._reader.read, self.endpoint.chain))

    @property
    def leaf(self) -> ReadCertificate | None:
        """The server's own certificate; None where none was sent."""
        return self.chain[0] if self.chain else None

    @cached_property
    def others(self) -> tuple["View", ...]:
        """The same endpoint, once for each other certificate that it is known to show."""
        found = []
        for other in self.endpoint.other_certificates:
            answer = answer_to(self.endpoint, other.question)
            if answer is not None and self.endpoint.tls_version is not None:
                shown = replace(
                    with_chain(self.endpoint, answer),
                    certificate=other.certificate,
                    dane=other.dane,
                    other_certificates=(),
                )
                found.append(View(shown, self._reader))
        return tuple(found)

    @cached_property
    def path_strength(self) -> Answer:
        """Whether no key and no signature on the path of the certificate is weak."""
        return judge_path_strength(self.endpoint, self.chain)

    @cached_property
    def proves_host(self) -> Answer:
        """Whether the certificate proves the MX host to a sender that insists."""
        endpoint = self.endpoint
        return judge_authenticity(endpoint, endpoint.certificate, self.path_strength)

    @cached_property
    def opportunistic(self) -> DeliveryOutcome:
        """What becomes of mail where TLS is used if it is there. RFC 7435 §3."""
        delivery = _opportunistic(self.endpoint)
        return _UNKNOWN if delivery is _ENCRYPTED and self.libraries_differ else delivery

    @property
    def libraries_differ(self) -> bool:
        """Whether the TLS library of some senders ends the handshake that ours completed."""
        return self.gnutls_refuses or openssl_refuses(self.endpoint)

    @cached_property
    def gnutls_refuses(self) -> bool:
        """Whether senders with GnuTLS end the handshake that we completed."""
        return gnutls_refuses(self.endpoint, self.leaf)

    @cached_property
    def mandatory(self) -> DeliveryOutcome:
        """What becomes of mail where TLS 1.2 or better is a must, whatever the certificate."""
        return _mandatory(self.endpoint, self.opportunistic)


class Views:
    """An endpoint as it was seen, and as senders with SNI and without it meet it."""

    def __init__(self, endpoint: Endpoint, reader: CertificateReader) -> None:
        self.seen = View(endpoint, reader)
        self._reader = reader
        self.sni_makes_no_difference = sni_makes_no_difference(endpoint)

    @cached_property
    def with_sni(self) -> View:
        """The endpoint as a sender with SNI meets it."""
        return self._of(with_sni(self.seen.endpoint))

    @cached_property
    def without_sni(self) -> View | None:
        """The same without SNI; None where that was not looked at."""
        endpoint = without_sni(self.seen.endpoint)
        return None if endpoint is None else self._of(endpoint)

    @cached_property
    def tls_depends_on_sender(self) -> bool:
        """Whether TLS completes for some common senders and not for others."""
        plain = None if self.sni_makes_no_difference else self.without_sni
        met = [view for view in (self.seen, plain) if view is not None]
        return tls_depends_on_sender(self.seen.endpoint) or any(
            shown.libraries_differ for view in met for shown in (view, *view.others)
        )

    def _of(self, endpoint: Endpoint) -> View:
        return self.seen if endpoint is self.seen.endpoint else View(endpoint, self._reader)


def views_of(
    endpoints: Iterable[Endpoint], reader: CertificateReader | None = None
) -> tuple[Views, ...]:
    """The views of each of *endpoints*. *reader* remembers certificates between two calls."""
    reader = reader or CertificateReader()
    return tuple(Views(endpoint, reader) for endpoint in endpoints)


def as_shown(endpoint: Endpoint) -> tuple[Endpoint, ...]:
    """*endpoint*, once for each certificate that it is known to show: that of the session first."""
    if not endpoint.other_certificates:  # seen by --deep only
        return (endpoint,)
    view = view_of(endpoint)
    return tuple(each.endpoint for each in (view, *view.others))


def first_expiry(endpoints: Iterable[Endpoint]) -> datetime | None:
    """When the first certificate that *endpoints* are known to show ends."""
    shown = (each for seen in endpoints for each in as_shown(seen))
    leaves = [each.certificate for each in shown if each.certificate is not None]
    return min((leaf.not_after for leaf in leaves if leaf.not_after is not None), default=None)


def view_of(endpoint: Endpoint) -> View:
    """One endpoint as it was seen, for a rule that looks at it once."""
    return View(endpoint, CertificateReader())


def _opportunistic(endpoint: Endpoint) -> DeliveryOutcome:
    match proven(endpoint):
        case Outcome.NOT_TESTED:
            return _UNKNOWN
        case Outcome.NEGATIVE:
            return _without_tls(endpoint)
        case Outcome.COMPLETED:
            return _UNKNOWN if _senders_differ(endpoint) else _ENCRYPTED
        case never:
            assert_never(never)


def _without_tls(endpoint: Endpoint) -> DeliveryOutcome:
    """What becomes of mail where no session completes TLS; unknown where the sessions differ."""
    sessions: list[Attempt | Endpoint] = [
        each for each in endpoint.attempts if outcome(each) is Outcome.NEGATIVE
    ]
    steps = {_without_tls_at(each.starttls, each.failure) for each in sessions or [endpoint]}
    if len(steps) > 1 or is_read_differently(endpoint):
        return _UNKNOWN
    return steps.pop()


def _without_tls_at(starttls: StartTls, failure: Failure | None) -> DeliveryOutcome:
    """In clear or held back, by the step at which TLS ended; measured after all retries.

    Postfix 3.7 and Exim 4.96, three attempts or more: no offer, a readable refusal (any code but
    2yz) and a handshake that fails are followed by mail in clear, in Postfix once the message is
    older than minimal_backoff_time. A STARTTLS that is answered by silence, a close, a reset or a
    line without a code makes both defer, and so does a refusal after which nothing more comes.
    """
    if starttls is not StartTls.REFUSED or failure is None:
        return _CLEAR
    answered = failure.reason is Reason.BAD_REPLY and failure.reply_code is not None
    return _CLEAR if answered else _DEFERRED


def _mandatory(endpoint: Endpoint, opportunistic: DeliveryOutcome) -> DeliveryOutcome:
    """The server chose the highest version that it has, so one below TLS 1.2 is proof.

    It also chose the suite: whether it has a stronger one for a sender that refuses a weak one was
    not seen.
    """
    if proven(endpoint) is Outcome.NEGATIVE:
        return _DEFERRED
    if endpoint.tls_version is not None and endpoint.tls_version not in ACCEPTABLE_TLS_VERSIONS:
        return _DEFERRED
    return _UNKNOWN if chose_weak_cipher(endpoint) else opportunistic


def _senders_differ(endpoint: Endpoint) -> bool:
    """Whether TLS depends on who asks, on luck, or is not all that it takes.

    An earlier session saw no TLS: because of its large hello, of suites without a certificate that
    few senders offer, or of the server's mood. Or the server's replies are not read alike by all.
    Or the session broke once TLS was up.
    """
    earlier = any(outcome(attempt) is Outcome.NEGATIVE for attempt in endpoint.attempts)
    return earlier or is_read_differently(endpoint) or endpoint.failure is not None
