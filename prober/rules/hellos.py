"""How an endpoint answers the ClientHellos of common senders, and where those answers differ.

A server, or a middlebox before it, sees no more of a sender than its ClientHello. It may answer one
and refuse another. The table was measured, and read in the senders' sources:

| sender | SNI (RFC 6066 §3) | size |
|---|---|---|
| Postfix, with OpenSSL before 3.5; Exim | no, unless DANE or configuration asks | one packet |
| Postfix, with OpenSSL 3.5 or newer | no, unless DANE or configuration asks | large: ML-KEM |
| senders that check DANE or MTA-STS (RFC 7672 §8.1, RFC 8461 §4.1) | yes | either |
| Exchange Online, Gmail | yes | either |

Not covered: senders with fewer TLS versions or suites than OpenSSL and GnuTLS have by default.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from operator import attrgetter
from types import MappingProxyType
from typing import Final, TypeVar

from prober.records import (
    AnomalyKind,
    Answer,
    Attempt,
    Code,
    Confirmed,
    Endpoint,
    EndpointFacts,
    Hello,
    StartTls,
    WithoutSni,
)
from prober.rules.endpoint import (
    Found,
    Outcome,
    depends_on_hello,
    describe_failure,
    failed_in_handshake,
    has_anomaly,
    outcome,
    uses_sni,
)

ANOTHER_SAW: Final = "another session saw: "  # begins the detail of starttls-intermittent

F = TypeVar("F", bound=EndpointFacts)

_READ_DIFFERENTLY: Final = (
    AnomalyKind.REPLY_MALFORMED,
    AnomalyKind.STARTTLS_OFFER_MALFORMED,
    AnomalyKind.STARTTLS_RESPONSE_INJECTION,  # Postfix continues with TLS, Exim in clear
    AnomalyKind.UNSOLICITED,  # replies no longer match commands, so mail bounces or waits
)


def is_read_differently(facts: EndpointFacts) -> bool:
    """Whether some senders cannot read replies that others, and we, can read."""
    return has_anomaly(facts, *_READ_DIFFERENTLY)


def with_sni(facts: F) -> F:
    """*facts* as a sender with SNI gets them. No TLS, if only a hello without SNI gets TLS.

    The sessions without SNI are left out of its attempts, unless every session completed TLS.
    """
    if _all_completed(facts):
        return facts
    sessions = tuple(attempt for attempt in facts.attempts if uses_sni(attempt.hello))
    if len(sessions) == len(facts.attempts):
        return facts
    if any(attempt.tls_version is not None for attempt in sessions):
        return replace(facts, attempts=sessions)
    failed = [attempt for attempt in sessions if failed_in_handshake(attempt)]
    if facts.tls_version is None or not failed:
        return replace(facts, attempts=sessions)
    return replace(
        facts,
        starttls=StartTls.OFFERED,
        confirmed=Confirmed.YES if len(failed) > 1 else Confirmed.NO,
        tls_version=None,
        cipher=None,
        cipher_bits=None,
        key_exchange=None,
        key_exchange_bits=None,
        key_exchange_hash=None,
        encrypt_then_mac=None,
        extended_master_secret=None,
        secure_renegotiation=None,
        chain=(),
        path=(),
        verify_errors=(),
        failure=failed[0].failure,
        attempts=sessions,
    )


def without_sni(endpoint: Endpoint) -> Endpoint | None:
    """*endpoint* as a sender without SNI gets it; None if that was not tested."""
    if not depends_on_hello(endpoint):
        return endpoint
    seen = endpoint.without_sni
    if seen is None:
        return None
    observed = {field.name: getattr(seen, field.name) for field in fields(seen)}
    if seen.chain is None:  # the chain of the endpoint
        observed |= {name: getattr(endpoint, name) for name in ("chain", "path", "verify_errors")}
    else:
        observed["certificate"] = endpoint.certificate_without_sni
    sessions = tuple(attempt for attempt in endpoint.attempts if not uses_sni(attempt.hello))
    return replace(endpoint, **observed, attempts=sessions)


_ONLY_RATED: Final = frozenset(  # by norms: neither delivery nor proof depends on their values
    {
        "key_exchange",  # only whether there is one: see gnutls_refuses
        "key_exchange_hash",
        "encrypt_then_mac",
        "extended_master_secret",
    }
)
_ELSEWHERE: Final = frozenset({"observed_at", "alert", "chain", "path", "verify_errors"})
_RESULT: Final = attrgetter(
    *(
        field.name
        for field in fields(WithoutSni)
        if field.name not in _ONLY_RATED and field.name not in _ELSEWHERE
    )
)


def sni_makes_no_difference(endpoint: EndpointFacts) -> bool:
    """Whether delivery and proof are the same with SNI and without it, as at most servers.

    Every session completed TLS, and those without SNI saw the same chain, TLS version and cipher
    suite. The key-exchange group may differ: the first hello without SNI has no ML-KEM.
    """
    plain = endpoint.without_sni
    return (
        plain is not None
        and plain.chain is None
        and bool(_RESULT(plain) == _RESULT(endpoint))
        and (plain.key_exchange is None) is (endpoint.key_exchange is None)
        and _all_completed(endpoint)
    )


def _all_completed(facts: EndpointFacts) -> bool:
    """Whether every session completed TLS, and one of them with the first hello."""
    attempts = facts.attempts
    return all(attempt.tls_version is not None for attempt in attempts) and any(
        attempt.hello is Hello.DEFAULT for attempt in attempts
    )


def completes(facts: EndpointFacts) -> Mapping[Hello, Answer]:
    """Whether TLS completes for each hello that common senders use.

    Hellos that were not tried are inferred: if TLS completes with a large hello with SNI and with a
    small hello without SNI, it also completes with the other two.
    """
    large, small = _result(facts, Hello.DEFAULT), _result(facts, Hello.SMALL)
    plain, plain_large = _result(facts, Hello.NO_SNI), _result(facts, Hello.NO_SNI_LARGE)
    if small is Answer.NOT_TESTED and large is Answer.YES:
        small = Answer.YES
    # a single session is not proof
    if large is Answer.NO and small is Answer.YES and _failures(facts, Hello.DEFAULT) < 2:
        large = Answer.NOT_TESTED
    if plain is Answer.NO and plain_large is Answer.NOT_TESTED:
        plain = Answer.NOT_TESTED
    if plain_large is Answer.NOT_TESTED and plain is Answer.YES and small is Answer.YES:
        plain_large = large
    return MappingProxyType(
        {
            Hello.DEFAULT: large,
            Hello.SMALL: small,
            Hello.NO_SNI: plain,
            Hello.NO_SNI_LARGE: plain_large,
        }
    )


def _result(facts: EndpointFacts, hello: Hello) -> Answer:
    sessions = [attempt for attempt in facts.attempts if attempt.hello is hello]
    if any(outcome(attempt) is Outcome.COMPLETED for attempt in sessions):
        return Answer.YES
    return Answer.NO if any(map(failed_in_handshake, sessions)) else Answer.NOT_TESTED


def _failures(facts: EndpointFacts, hello: Hello) -> int:
    return sum(failed_in_handshake(each) for each in facts.attempts if each.hello is hello)


def hello_findings(facts: EndpointFacts) -> Found:
    """Findings on why TLS completes in some sessions with *facts* and not in others."""
    if outcome(facts) is not Outcome.COMPLETED or _all_completed(facts):
        return
    results = completes(facts)
    with_name = (results[Hello.DEFAULT], results[Hello.SMALL])
    plain = results[Hello.NO_SNI]
    if results[Hello.DEFAULT] is Answer.NO and results[Hello.SMALL] is Answer.YES:
        yield Code.LARGE_HELLO_INTOLERANT, _describe_failed(facts, Hello.DEFAULT)
    if Answer.YES in with_name and plain is Answer.NO:
        if results[Hello.NO_SNI_LARGE] is Answer.YES:
            yield _intermittent(_describe_failed(facts, Hello.NO_SNI))
        else:
            yield Code.SNI_REQUIRED, _describe_failed(facts, Hello.NO_SNI)
    if Answer.YES not in with_name:
        yield from _on_unusual_hello(facts, plain)
    else:
        large_fails = results[Hello.DEFAULT] is Answer.NO
        unexplained = (each for each in facts.attempts if _saw_no_tls(each, large_fails))
        if first := next(unexplained, None):
            yield _intermittent(_describe(first))


def _on_unusual_hello(facts: EndpointFacts, plain: Answer) -> Found:
    """Why TLS failed with SNI and TLS 1.3, but completed with another hello."""
    tried = {attempt.hello for attempt in facts.attempts}
    if plain is Answer.YES:
        yield Code.SNI_REFUSED, _describe_failed(facts, Hello.DEFAULT)
    elif tried & {Hello.TLS12, Hello.ANONYMOUS}:
        if not facts.chain:
            yield Code.ANONYMOUS_ONLY, facts.cipher or ""
        elif Hello.SMALL in tried:
            yield Code.TLS13_INTOLERANT, _describe_failed(facts, Hello.SMALL)
        else:  # old results without the small hello: either the size or the version
            yield Code.LARGE_HELLO_INTOLERANT, _describe_failed(facts, Hello.DEFAULT)


def _intermittent(description: str) -> tuple[Code, str]:
    return Code.STARTTLS_INTERMITTENT, f"{ANOTHER_SAW}{description}"


def _saw_no_tls(attempt: Attempt, large_fails: bool) -> bool:
    """Whether a session had no TLS for a reason that its hello does not explain.

    *large_fails*: TLS always fails with the first, large hello.
    """
    if not failed_in_handshake(attempt):
        return outcome(attempt) is Outcome.NEGATIVE
    return attempt.hello is Hello.DEFAULT and not large_fails


def _describe_failed(facts: EndpointFacts, hello: Hello) -> str:
    failed = (a for a in facts.attempts if a.hello is hello and failed_in_handshake(a))
    first = next(failed, None)
    return _describe(first) if first is not None else ""


def _describe(attempt: Attempt) -> str:
    return describe_failure(attempt.failure) or f"STARTTLS {attempt.starttls.replace('-', ' ')}"


def tls_depends_on_sender(facts: EndpointFacts) -> bool:
    """Whether TLS completes for some common senders and not for others.

    A server that sometimes fails for every sender does not count.
    """
    codes = {code for code, _ in hello_findings(facts)} - {Code.STARTTLS_INTERMITTENT}
    return bool(codes) or is_read_differently(facts)
