"""What a server accepts beyond what it chose: the answers of ``--deep``, judged. docs/deep.md.

An answer that is missing or not tested is neither yes nor no, here and for every caller.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import groupby
from typing import Final, TypeVar

from prober.records import (
    Answer,
    Code,
    DeepAnswer,
    DeepQuestion,
    EndpointFacts,
)
from prober.rules.ciphers import is_anonymous, is_broken, is_static
from prober.rules.endpoint import Found, chose_weak_dh, describe_failure, openssl_refuses
from prober.rules.thresholds import ACCEPTABLE_TLS_VERSIONS, MIN_DH_BITS

F = TypeVar("F", bound=EndpointFacts)

CERTIFICATE_QUESTIONS: Final = (DeepQuestion.RSA_CERTIFICATE, DeepQuestion.ECDSA_CERTIFICATE)
# TLS 1.3 has neither renegotiation nor these extensions, and SSLv3 no extensions (RFC 6101 §5.6.1)
_WITH_EXTENSIONS: Final = ("TLSv1", "TLSv1.1", "TLSv1.2")


def is_post_quantum(key_exchange: str) -> bool:
    """Whether the group has ML-KEM in it (or the draft of it), by its name."""
    name = key_exchange.upper().replace("-", "")
    return "MLKEM" in name or "KYBER" in name


def answer_to(facts: EndpointFacts, question: DeepQuestion) -> DeepAnswer | None:
    """The answer to *question*; None where it was not asked."""
    return next((each for each in _answers(facts) if each.question is question), None)


def accepts(facts: EndpointFacts, question: DeepQuestion) -> Answer:
    """Whether the server accepts what *question* offers."""
    answer = answer_to(facts, question)
    return Answer.NOT_TESTED if answer is None else answer.accepted


def post_quantum(facts: EndpointFacts) -> Answer:
    """Whether the server accepts a post-quantum group: what it chose, else what it was asked.

    That a session used another group proves nothing: the server may prefer that one.
    """
    if facts.tls_version is not None and is_post_quantum(facts.key_exchange or ""):
        return Answer.YES
    return accepts(facts, DeepQuestion.POST_QUANTUM)


def weak_dh(facts: EndpointFacts) -> Answer:
    """Whether the server accepts a finite-field group of fewer than 2048 bits. RFC 9325 §4.5."""
    answer = answer_to(facts, DeepQuestion.FINITE_FIELD_DH)
    if answer is None or answer.accepted is not Answer.YES:
        return Answer.NOT_TESTED if answer is None else answer.accepted
    if answer.key_exchange_bits is None:
        return Answer.NOT_TESTED
    return Answer.YES if answer.key_exchange_bits < MIN_DH_BITS else Answer.NO


def accepted_answers(facts: EndpointFacts) -> tuple[DeepAnswer, ...]:
    """Those in which the server accepted the hello."""
    return tuple(each for each in _answers(facts) if each.accepted is Answer.YES)


def _answers(facts: EndpointFacts) -> tuple[DeepAnswer, ...]:
    return facts.deep.answers if facts.deep is not None else ()


def shown_by_extension(
    facts: EndpointFacts, read: Callable[[DeepAnswer], bool | None]
) -> bool | None:
    """What *read* reads of the ServerHellos from TLS 1.0 to 1.2: no as soon as one lacks it.

    None where no such ServerHello was seen.
    """
    answers = (a for a in accepted_answers(facts) if a.tls_version in _WITH_EXTENSIONS)
    seen = {value for answer in answers if (value := read(answer)) is not None}
    return None if not seen else False not in seen


def compresses(facts: EndpointFacts) -> bool | None:
    """Whether a ServerHello chose compression; None where none was seen. RFC 3749."""
    values = [each.compression for each in accepted_answers(facts)]
    seen = {value for value in values if value is not None}
    return None if not seen else True in seen


def other_chains(facts: EndpointFacts) -> tuple[DeepAnswer, ...]:
    """The answers that show another chain than the session with TLS, each chain once."""
    if facts.tls_version is None:
        return ()
    found: dict[tuple[bytes, ...], DeepAnswer] = {}
    for question in CERTIFICATE_QUESTIONS:
        answer = answer_to(facts, question)
        if answer is not None and answer.chain and answer.chain != facts.chain:
            found.setdefault(answer.chain, answer)
    return tuple(found.values())


def with_chain(facts: F, answer: DeepAnswer) -> F:
    """*facts* as a sender meets them that is shown the chain of *answer*."""
    return replace(
        facts,
        observed_at=answer.observed_at,
        chain=answer.chain,
        path=answer.path,
        verify_errors=answer.verify_errors,
        deep=None,
    )


def kind_of(question: DeepQuestion) -> str:
    """Such as "ECDSA certificate"."""
    kind = "RSA" if question is DeepQuestion.RSA_CERTIFICATE else "ECDSA"
    return f"{kind} certificate"


def deep_findings(facts: EndpointFacts) -> Found:
    """What is worth knowing of the answers, certificates left out."""
    if facts.deep is None:
        return
    yield from _on_versions(facts)
    yield from _on_suites(facts)
    if weak_dh(facts) is Answer.YES and not chose_weak_dh(facts):
        answer = answer_to(facts, DeepQuestion.FINITE_FIELD_DH)
        yield Code.DH_WEAK_ACCEPTED, f"DH {answer.key_exchange_bits}" if answer else None
    if post_quantum(facts) is Answer.NO:
        yield Code.POST_QUANTUM_MISSING, None
    if compresses(facts):
        yield Code.COMPRESSION_ACCEPTED, None
    if shown_by_extension(facts, _secure_renegotiation) is False and not openssl_refuses(facts):
        yield Code.RENEGOTIATION_INSECURE, None
    yield from _on_not_tested(facts.deep.answers)


def _secure_renegotiation(answer: DeepAnswer) -> bool | None:
    return answer.secure_renegotiation


def _on_versions(facts: EndpointFacts) -> Found:
    is_told = facts.tls_version not in (None, *ACCEPTABLE_TLS_VERSIONS)  # chose an old one
    if accepts(facts, DeepQuestion.LEGACY_VERSION) is Answer.YES and not is_told:
        answer = answer_to(facts, DeepQuestion.LEGACY_VERSION)
        listed = facts.deep.enumeration.versions if facts.deep and facts.deep.enumeration else ()
        older = [each for each in listed if each not in ACCEPTABLE_TLS_VERSIONS]
        chosen = answer.tls_version if answer is not None else None
        yield Code.LEGACY_VERSION_ACCEPTED, ", ".join(older) or chosen


def _on_suites(facts: EndpointFacts) -> Found:
    """Which suites: all that were enumerated, else the one that the server chose."""
    suites = _known_suites(facts)
    broken = [name for name in suites if is_broken(name)]
    anonymous = [name for name in suites if is_anonymous(name) and not is_broken(name)]
    accepted = accepts(facts, DeepQuestion.BROKEN_SUITES) is Answer.YES
    if broken or (accepted and not anonymous):
        yield Code.BROKEN_SUITE_ACCEPTED, ", ".join(broken) or None
    if anonymous:
        yield Code.ANONYMOUS_SUITE_ACCEPTED, ", ".join(anonymous)
    if accepts(facts, DeepQuestion.STATIC_KEY_EXCHANGE) is Answer.YES:
        static = [name for name in suites if is_static(name) and not is_broken(name)]
        yield Code.STATIC_KEY_EXCHANGE_ACCEPTED, ", ".join(static) or None


def _known_suites(facts: EndpointFacts) -> tuple[str, ...]:
    answers = (
        answer_to(facts, question)
        for question in (DeepQuestion.BROKEN_SUITES, DeepQuestion.STATIC_KEY_EXCHANGE)
    )
    chosen = [each.cipher for each in answers if each is not None and each.accepted is Answer.YES]
    listed = facts.deep.enumeration.suites if facts.deep and facts.deep.enumeration else ()
    return tuple(dict.fromkeys((*(name for name in chosen if name is not None), *listed)))


def _on_not_tested(answers: Iterable[DeepAnswer]) -> Found:
    """Once an endpoint: the questions, by what stopped them."""
    stopped = [
        (describe_failure(each.failure) or "no reason known", str(each.question))
        for each in answers
        if each.accepted is Answer.NOT_TESTED
    ]
    parts = [
        f"{', '.join(question for _, question in group)}: {why}"
        for why, group in groupby(sorted(stopped), key=lambda pair: pair[0])
    ]
    if parts:
        yield Code.DEEP_NOT_TESTED, "; ".join(parts)
