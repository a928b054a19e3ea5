"""Decides when several MX host names at one address can share the result of one session.

Large providers give each customer its own MX host name, and answer all of them alike. Everything
before the ClientHello belongs to the address, since the server has not seen a name yet. A result
after it is shared with another name only after several names got the same result, and only if it
confirms good TLS. docs/scale.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from prober.records import Attempt, EndpointFacts, Reason, StartTls, Step
from prober.rules.certificate_fields import CertificateReader
from prober.rules.endpoint import Outcome, proven, was_refused_twice
from prober.rules.identity import matches
from prober.rules.thresholds import MAX_FINGERPRINTS, MIN_AGREEING_NAMES

TlsFingerprint: TypeAlias = tuple[bytes, str | None, str | None, int | None]
"""Leaf certificate, TLS version, suite and Diffie-Hellman size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedTls:
    """One TLS result of an address, and the names that got it.

    ``depends_on_sni``: a name that this leaf covers got another leaf, so the server chooses by SNI.
    """

    facts: EndpointFacts
    covers: tuple[str, ...]  # the dNSNames of the leaf
    names: tuple[str, ...]  # MX hosts that got it, up to MIN_AGREEING_NAMES
    depends_on_sni: bool = False

    @property
    def fingerprint(self) -> TlsFingerprint:
        """What must be equal for two names to agree."""
        return _fingerprint(self.facts)


def add_result(
    seen: tuple[SharedTls, ...], facts: EndpointFacts, reader: CertificateReader
) -> tuple[SharedTls, ...]:
    """Add *facts* to *seen*. Only sessions without any problem count."""
    if not _is_flawless(facts):
        return seen
    fingerprint = _fingerprint(facts)
    known = any(entry.fingerprint == fingerprint for entry in seen)
    updated = [
        _updated(entry, facts.mx_host, agrees=entry.fingerprint == fingerprint) for entry in seen
    ]
    if not known and len(seen) < MAX_FINGERPRINTS:
        updated.append(_new_entry(facts, reader, others=seen))
    return tuple(updated)


def reusable(seen: Sequence[SharedTls], mx_host: str) -> EndpointFacts | None:
    """The facts that *mx_host* can share without a session of its own; None if there are none."""
    for entry in seen:
        agreed = len(entry.names) >= MIN_AGREEING_NAMES and not entry.depends_on_sni
        if agreed and _covers(entry.covers, mx_host):
            return entry.facts
    return None


def sessions_needed(seen: Sequence[SharedTls]) -> int:
    """How many more names need a session before others can share. 0: no session will help."""
    if len(seen) >= MAX_FINGERPRINTS or (seen and all(entry.depends_on_sni for entry in seen)):
        return 0
    agreeing = (len(entry.names) for entry in seen if not entry.depends_on_sni)
    return max(0, MIN_AGREEING_NAMES - max(agreeing, default=0))


def copy_for_host(mx_host: str, facts: EndpointFacts) -> EndpointFacts:
    """*facts* for the name *mx_host*. ``observed_as`` is the name of the session."""
    return replace(facts, mx_host=mx_host, observed_as=facts.observed_as or facts.mx_host)


_STEPS_BEFORE_SNI = frozenset({Step.CONNECT, Step.GREETING, Step.EHLO, Step.STARTTLS})
_LOCAL_REASONS = frozenset(
    {
        Reason.LOCAL,
        Reason.FAULT,
        Reason.LIMIT,
        Reason.PRIVATE_ADDRESS,
        Reason.NO_IPV4_HERE,
        Reason.NO_IPV6_HERE,
    }
)


def ended_before_sni(facts: EndpointFacts) -> bool:
    """Whether every session ended before a ClientHello sent the name. SNI: RFC 6066 §3."""
    return bool(facts.attempts) and all(map(_ended_before_sni, facts.attempts))


def _ended_before_sni(attempt: Attempt) -> bool:
    if attempt.tls_version is not None:
        return False
    failure = attempt.failure
    if failure is None:
        return attempt.starttls is StartTls.NOT_OFFERED
    return failure.step in _STEPS_BEFORE_SNI and failure.reason not in _LOCAL_REASONS


def completed_tls(facts: EndpointFacts) -> bool:
    """Whether a session completed TLS.

    Then a failure of another session says nothing about the address.
    """
    return any(attempt.tls_version is not None for attempt in facts.attempts)


def is_confirmed(facts: EndpointFacts) -> bool:
    """Whether *facts* of an address hold for the whole run: two sessions gave the same answer.

    Silence, a 421 and the like may be temporary.
    """
    return proven(facts) is Outcome.NEGATIVE or was_refused_twice(facts)


def _is_flawless(facts: EndpointFacts) -> bool:
    """Whether TLS completed in the first session, the leaf verifies, and there was no anomaly."""
    return (
        facts.tls_version is not None
        and len(facts.attempts) == 1
        and facts.failure is None
        and bool(facts.chain)
        and not facts.verify_errors
        and not facts.anomalies
    )


def _fingerprint(facts: EndpointFacts) -> TlsFingerprint:
    return facts.chain[0], facts.tls_version, facts.cipher, facts.key_exchange_bits


def _new_entry(
    facts: EndpointFacts, reader: CertificateReader, *, others: Sequence[SharedTls]
) -> SharedTls:
    san = reader.read(facts.chain[0]).san
    covers = san.names if san is not None else ()
    shown_to_others = (name for other in others for name in other.names)
    depends_on_sni = any(_covers(covers, name) for name in shown_to_others)
    return SharedTls(
        facts=facts, covers=covers, names=(facts.mx_host,), depends_on_sni=depends_on_sni
    )


def _updated(entry: SharedTls, mx_host: str, *, agrees: bool) -> SharedTls:
    if not agrees:
        depends_on_sni = entry.depends_on_sni or _covers(entry.covers, mx_host)
        return replace(entry, depends_on_sni=depends_on_sni)
    if mx_host in entry.names or len(entry.names) >= MIN_AGREEING_NAMES:
        return entry
    return replace(entry, names=(*entry.names, mx_host))


def _covers(patterns: Sequence[str], mx_host: str) -> bool:
    return any(matches(pattern, mx_host) for pattern in patterns)
