"""What the sessions with one endpoint prove: outcome, confirmation, findings. docs/verdict.md.

RFC 3207 §4 for STARTTLS; RFC 8460 §4.3 for the words.
"""

import enum
from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Final, assert_never

from prober.records import (
    Anomaly,
    AnomalyKind,
    Answer,
    Attempt,
    Code,
    Confirmed,
    EndpointFacts,
    Failure,
    Finding,
    Hello,
    Reason,
    StartTls,
    Step,
    WithoutSni,
    finding,
)
from prober.rules.thresholds import (
    ACCEPTABLE_TLS_VERSIONS,
    MIN_CIPHER_BITS,
    MIN_DH_BITS,
)


class Outcome(enum.StrEnum):
    """The main question to one endpoint: does a session end up encrypted?"""

    COMPLETED = "completed"
    NEGATIVE = "negative"
    NOT_TESTED = "not-tested"


def outcome(facts: EndpointFacts | Attempt | WithoutSni) -> Outcome:
    """What was seen, confirmed or not."""
    if facts.tls_version is not None:
        return Outcome.COMPLETED
    match facts.starttls:
        case StartTls.NOT_TESTED:
            return Outcome.NOT_TESTED
        case StartTls.NOT_OFFERED | StartTls.REFUSED | StartTls.OFFERED:
            return Outcome.NEGATIVE  # offered without TLS: the handshake failed
        case _:
            assert_never(facts.starttls)


def failed_in_handshake(seen: EndpointFacts | Attempt | WithoutSni) -> bool:
    """Whether STARTTLS was granted and the handshake failed, maybe because of the ClientHello."""
    return seen.starttls is StartTls.OFFERED and seen.tls_version is None


def uses_sni(hello: Hello) -> bool:
    """Whether *hello* names the server (RFC 6066 §3)."""
    return hello not in (Hello.NO_SNI, Hello.NO_SNI_LARGE)


def depends_on_hello(facts: EndpointFacts) -> bool:
    """Whether a session came as far as a ClientHello, so that other hellos may fare differently."""
    return any(
        attempt.tls_version is not None or failed_in_handshake(attempt)
        for attempt in facts.attempts
    )


def proven(facts: EndpointFacts) -> Outcome:
    """The outcome that counts: a negative one only if a second session confirmed it."""
    seen = outcome(facts)
    if seen is Outcome.NEGATIVE and facts.confirmed is not Confirmed.YES:
        return Outcome.NOT_TESTED
    return seen


def was_refused_twice(facts: EndpointFacts) -> bool:
    """TCP refused in both sessions: nothing listens there."""
    return (
        facts.failure is not None
        and (facts.failure.step, facts.failure.reason) == (Step.CONNECT, Reason.REFUSED)
        and facts.confirmed is Confirmed.YES
    )


def merge_sessions(first: EndpointFacts, second: EndpointFacts) -> EndpointFacts:
    """The facts of both: of the one that completed TLS, else of one with a negative outcome."""
    merged = replace(
        _that_counts(first, second),
        attempts=first.attempts + second.attempts,
        transcript=first.transcript + second.transcript,
        anomalies=tuple(dict.fromkeys(first.anomalies + second.anomalies)),
    )
    return replace(merged, confirmed=_confirmation(first, second))


def _that_counts(first: EndpointFacts, second: EndpointFacts) -> EndpointFacts:
    if outcome(second) is Outcome.COMPLETED:
        return second
    if outcome(first) is Outcome.NOT_TESTED and outcome(second) is Outcome.NEGATIVE:
        return second
    return first


def _confirmation(first: EndpointFacts, second: EndpointFacts) -> Confirmed:
    match outcome(first), outcome(second):
        case (_, Outcome.COMPLETED) | (Outcome.COMPLETED, _):
            return Confirmed.NOT_NEEDED
        case Outcome.NEGATIVE, Outcome.NEGATIVE:
            return _confirmed_negative(first, second)
        case Outcome.NOT_TESTED, Outcome.NOT_TESTED:
            agree = _where(first.failure) == _where(second.failure)
            return Confirmed.YES if agree else Confirmed.NO
        case _:
            return Confirmed.NO


def _confirmed_negative(first: EndpointFacts, second: EndpointFacts) -> Confirmed:
    """Two sessions agree; a failed handshake is confirmed if each kind of hello failed."""
    attempts = first.attempts + second.attempts
    failed = {attempt.hello for attempt in attempts if failed_in_handshake(attempt)}
    if not failed:
        return Confirmed.YES
    if not any(map(uses_sni, failed)):  # the sessions of an address, without SNI
        return Confirmed.YES if failed == {Hello.NO_SNI, Hello.NO_SNI_LARGE} else Confirmed.NO
    is_tried = Hello.NO_SNI in failed and failed & {Hello.TLS12, Hello.ANONYMOUS}
    return Confirmed.YES if is_tried else Confirmed.NO


def add_without_sni(facts: EndpointFacts, plain: EndpointFacts) -> EndpointFacts:
    """*facts* of an MX host with *plain*, what its address answers to a hello without SNI."""
    known = any(not uses_sni(attempt.hello) for attempt in facts.attempts)
    observed = {field.name: getattr(plain, field.name) for field in fields(WithoutSni)}
    if plain.chain == facts.chain:
        observed |= {"chain": None, "path": (), "verify_errors": ()}
    without_sni = WithoutSni(**observed)
    if known:
        return replace(facts, without_sni=without_sni)
    return replace(
        facts,
        without_sni=without_sni,
        attempts=facts.attempts + plain.attempts,
        transcript=facts.transcript + plain.transcript,
        anomalies=tuple(dict.fromkeys(facts.anomalies + plain.anomalies)),
    )


def _where(failure: Failure | None) -> tuple[Step, Reason] | None:
    return (failure.step, failure.reason) if failure else None


_ANOMALY_FINDINGS: Final = {
    AnomalyKind.BARE_LF: Code.BARE_LF,
    AnomalyKind.HELO_ONLY: Code.EHLO_NOT_SUPPORTED,
    AnomalyKind.UNSOLICITED: Code.UNSOLICITED_DATA,
    AnomalyKind.STARTTLS_RESPONSE_INJECTION: Code.STARTTLS_RESPONSE_INJECTION,
    AnomalyKind.MASKED: Code.MASKED_BY_MIDDLEBOX,
    AnomalyKind.REPLY_MALFORMED: Code.REPLY_MALFORMED,
    AnomalyKind.STARTTLS_OFFER_MALFORMED: Code.STARTTLS_OFFER_MALFORMED,
    AnomalyKind.CHAIN_TRUNCATED: Code.CHAIN_TRUNCATED,
}


Found = Iterable[tuple[Code, str | None]]
"""Findings on an endpoint: each code, and the detail."""


def findings_at(facts: EndpointFacts, found: Found) -> tuple[Finding, ...]:
    """*found* as findings that name the endpoint of *facts*."""
    return tuple(
        finding(code, mx_host=facts.mx_host, address=facts.address, detail=detail)
        for code, detail in found
    )


def session_findings(facts: EndpointFacts) -> Found:
    """Findings on the SMTP and TLS sessions; those on certificates are another module's."""
    yield from _on_outcome(facts)
    yield from tls_findings(facts)
    for anomaly in facts.anomalies:
        if anomaly.kind in _ANOMALY_FINDINGS and _is_proven(anomaly, facts):
            yield _ANOMALY_FINDINGS[anomaly.kind], anomaly.detail


def _is_proven(anomaly: Anomaly, facts: EndpointFacts) -> bool:
    """Whether *anomaly* counts. HELO alone shows no STARTTLS: it must be confirmed like that."""
    if anomaly.kind is not AnomalyKind.HELO_ONLY:
        return True
    return facts.starttls is StartTls.NOT_OFFERED and proven(facts) is Outcome.NEGATIVE


def _on_outcome(facts: EndpointFacts) -> Found:
    why = describe_failure(facts.failure)
    match outcome(facts):
        case Outcome.NOT_TESTED:
            if facts.failure is None or facts.failure.reason is not Reason.UNFINISHED:
                yield Code.NOT_TESTED, why
        case Outcome.COMPLETED:
            if facts.failure is not None:
                yield Code.SESSION_FAILED_AFTER_TLS, why
        case Outcome.NEGATIVE if facts.confirmed is not Confirmed.YES:
            yield Code.UNCONFIRMED, why or "STARTTLS was not offered, in one session"
        case Outcome.NEGATIVE:
            yield _negative_code(facts), why
        case never:
            assert_never(never)


def _negative_code(facts: EndpointFacts) -> Code:
    match facts.starttls:
        case StartTls.NOT_OFFERED:
            return Code.STARTTLS_NOT_SUPPORTED  # RFC 8460 §4.3.1
        case StartTls.REFUSED:
            return Code.STARTTLS_REFUSED
        case _:
            return Code.TLS_FAILED


def tls_findings(facts: EndpointFacts) -> Found:
    """What is worth knowing of the TLS that was negotiated."""
    if chose_weak_dh(facts):  # may be why the handshake failed
        yield Code.DH_WEAK, f"DH {facts.key_exchange_bits}"
    if facts.tls_version is None:
        return
    if facts.tls_version not in ACCEPTABLE_TLS_VERSIONS:
        yield Code.TLS_VERSION_OBSOLETE, facts.tls_version
    if chose_weak_cipher(facts):
        yield Code.CIPHER_WEAK, f"{facts.cipher}, {facts.cipher_bits} bits"
    if openssl_refuses(facts):
        yield Code.RENEGOTIATION_INSECURE, facts.tls_version
    if facts.client_certificate_requested:
        yield Code.CLIENT_CERTIFICATE_REQUESTED, None
    if _has_keyword("STARTTLS", facts.ehlo_keywords_tls or ()):
        yield Code.STARTTLS_AFTER_TLS, None  # RFC 3207 §4.2


def openssl_refuses(facts: EndpointFacts) -> bool:
    """Whether senders with OpenSSL 3 end the handshake, which we completed. RFC 5746 §3.4.

    Measured: OpenSSL 3.0 (Postfix 3.7) ends it, GnuTLS 3.7 (Exim 4.96) does not.
    """
    return facts.tls_version is not None and facts.secure_renegotiation is False


def chose_weak_dh(facts: EndpointFacts) -> bool:
    """Whether the server chose a Diffie-Hellman group that is too small. RFC 9325 §4.5."""
    return facts.key_exchange_bits is not None and facts.key_exchange_bits < MIN_DH_BITS


def chose_weak_cipher(facts: EndpointFacts) -> bool:
    """Whether the server chose a cipher of fewer than 112 bits. NIST SP 800-131A r2 §2."""
    return facts.cipher_bits is not None and facts.cipher_bits < MIN_CIPHER_BITS


def has_anomaly(facts: EndpointFacts, *kinds: AnomalyKind) -> bool:
    """Whether one of *kinds* was seen."""
    return any(anomaly.kind in kinds for anomaly in facts.anomalies)


def offers_requiretls(facts: EndpointFacts) -> Answer:
    """Whether the host passes mail on over TLS only, where a sender asks for that. RFC 8689 §2."""
    if facts.ehlo_keywords_tls is None:
        return Answer.NOT_TESTED
    return Answer.YES if _has_keyword("REQUIRETLS", facts.ehlo_keywords_tls) else Answer.NO


def _has_keyword(keyword: str, lines: Iterable[str]) -> bool:
    return any(line.split(" ")[0] == keyword for line in lines)


def describe_failure(failure: Failure | None) -> str | None:
    """A failure in a few words: step, reason, and what the peer said."""
    if failure is None:
        return None
    said = f": {failure.detail}" if failure.detail else ""
    return f"{failure.reason} at {failure.step}{said}"
