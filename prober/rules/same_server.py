"""What the names at one address have in common, so that it need be asked only once.

Large providers give each customer an MX name of its own and answer to all of them alike. What was
seen before a ClientHello bore a name is the address's; what came after may be taken for another
name's too once several names have shown the same, but only to confirm: docs/scale.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from prober.records import EndpointFacts, Reason, StartTls, Step
from prober.rules.certificate_fields import CertificateReader
from prober.rules.endpoint import Outcome, proven, was_refused_twice
from prober.rules.identity import matches
from prober.rules.thresholds import LEAVES_AT_ONE_ADDRESS, NAMES_THAT_AGREE

Look: TypeAlias = tuple[bytes, str | None, str | None, int | None]  # leaf, version, suite, DH size


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One look that an address has shown, to some of its names.

    ``contradicted``: a name that the leaf covers was shown another, so the server goes by SNI.
    """

    facts: EndpointFacts
    covers: tuple[str, ...]  # the patterns in the leaf
    names: tuple[str, ...]  # MX hosts that were shown it: as many as matter
    contradicted: bool = False

    @property
    def look(self) -> Look:
        """What must be the same for names to agree."""
        return _look(self.facts)


def note(
    seen: tuple[Shown, ...], facts: EndpointFacts, reader: CertificateReader
) -> tuple[Shown, ...]:
    """*seen*, and what *facts* add to it; only sessions that went well in every respect count."""
    if not _is_sound(facts):
        return seen
    look = _look(facts)
    known = any(shown.look == look for shown in seen)
    noted = [_with_name(shown, facts.mx_host, agrees=shown.look == look) for shown in seen]
    if not known and len(seen) < LEAVES_AT_ONE_ADDRESS:
        noted.append(_first(facts, reader, others=seen))
    return tuple(noted)


def reusable(seen: Sequence[Shown], mx_host: str) -> EndpointFacts | None:
    """The facts that *mx_host*, not asked, may be taken to show: see the module."""
    for shown in seen:
        agreed = len(shown.names) >= NAMES_THAT_AGREE and not shown.contradicted
        if agreed and _covers(shown.covers, mx_host):
            return shown.facts
    return None


def answers_wanted(seen: Sequence[Shown]) -> int:
    """How many more names have to be asked before others may do without; 0: no asking helps."""
    if len(seen) >= LEAVES_AT_ONE_ADDRESS or (seen and all(each.contradicted for each in seen)):
        return 0
    agreeing = (len(shown.names) for shown in seen if not shown.contradicted)
    return max(0, NAMES_THAT_AGREE - max(agreeing, default=0))


def as_seen_by(mx_host: str, facts: EndpointFacts) -> EndpointFacts:
    """*facts* under the name *mx_host*, which says whom they were got from."""
    return replace(facts, mx_host=mx_host, observed_as=facts.observed_as or facts.mx_host)


_BEFORE_A_NAME = frozenset({Step.CONNECT, Step.GREETING, Step.EHLO, Step.STARTTLS})
_NOT_THE_SERVERS = frozenset(
    {
        Reason.LOCAL,
        Reason.FAULT,
        Reason.LIMIT,
        Reason.PRIVATE_ADDRESS,
        Reason.NO_IPV4_HERE,
        Reason.NO_IPV6_HERE,
    }
)


def is_of_the_address(facts: EndpointFacts) -> bool:
    """Whether every session ended before a ClientHello told the name (SNI, RFC 6066 §3)."""
    return bool(facts.attempts) and all(
        attempt.tls_version is None
        and (attempt.starttls is StartTls.NOT_OFFERED or attempt.failure is not None)
        and (
            attempt.failure is None
            or (
                attempt.failure.step in _BEFORE_A_NAME
                and attempt.failure.reason not in _NOT_THE_SERVERS
            )
        )
        for attempt in facts.attempts
    )


def shows_tls(facts: EndpointFacts) -> bool:
    """Whether a session completed TLS: what another ended in before is then not the address's."""
    return any(attempt.tls_version is not None for attempt in facts.attempts)


def is_settled(facts: EndpointFacts) -> bool:
    """Whether *facts* of an address hold for a run: two sessions agree on an answer.

    Silence, a 421 and the like may pass: they are known of a moment.
    """
    return proven(facts) is Outcome.NEGATIVE or was_refused_twice(facts)


def _is_sound(facts: EndpointFacts) -> bool:
    """TLS in the first session, a leaf that verifies, nothing odd: a look that can only confirm."""
    return (
        facts.tls_version is not None
        and len(facts.attempts) == 1
        and facts.failure is None
        and bool(facts.chain)
        and not facts.verify_errors
        and not facts.anomalies
    )


def _look(facts: EndpointFacts) -> Look:
    return facts.chain[0], facts.tls_version, facts.cipher, facts.key_exchange_bits


def _first(facts: EndpointFacts, reader: CertificateReader, *, others: Sequence[Shown]) -> Shown:
    san = reader.read(facts.chain[0]).san
    covers = san.names if san is not None else ()
    shown_to_others = (name for other in others for name in other.names)
    contradicted = any(_covers(covers, name) for name in shown_to_others)
    return Shown(facts=facts, covers=covers, names=(facts.mx_host,), contradicted=contradicted)


def _with_name(shown: Shown, mx_host: str, *, agrees: bool) -> Shown:
    if not agrees:
        contradicted = shown.contradicted or _covers(shown.covers, mx_host)
        return replace(shown, contradicted=contradicted)
    if mx_host in shown.names or len(shown.names) >= NAMES_THAT_AGREE:
        return shown
    return replace(shown, names=(*shown.names, mx_host))


def _covers(patterns: Sequence[str], mx_host: str) -> bool:
    return any(matches(pattern, mx_host) for pattern in patterns)
