"""What a server accepts beyond what it chose, in words: the part "Also accepts" of a report.

All of it is printable. docs/deep.md.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from prober.escape import printable
from prober.records import (
    Answer,
    Dane,
    DeepAnswer,
    DeepQuestion,
    DomainReport,
    Endpoint,
    Enumeration,
)
from prober.report.problems import joined
from prober.report.words import certificate_words, counted, failure_words, shown_version
from prober.rules.deep import CERTIFICATE_QUESTIONS, post_quantum

QUESTIONS: Final[Mapping[DeepQuestion, str]] = MappingProxyType(
    {
        DeepQuestion.POST_QUANTUM: "post-quantum key exchange",
        DeepQuestion.LEGACY_VERSION: "TLS versions below 1.2",
        DeepQuestion.BROKEN_SUITES: "broken or anonymous cipher suites",
        DeepQuestion.STATIC_KEY_EXCHANGE: "key exchange without forward secrecy",
        DeepQuestion.FINITE_FIELD_DH: "finite-field Diffie-Hellman",
        DeepQuestion.RSA_CERTIFICATE: "RSA certificate",
        DeepQuestion.ECDSA_CERTIFICATE: "ECDSA certificate",
        DeepQuestion.NORM_GROUPS: "key-exchange groups of the norm",
    }
)
_WORDS: Final = MappingProxyType(
    {Answer.YES: "yes", Answer.NO: "no", Answer.NOT_TESTED: "not tested"}
)
_EXTENSIONS: Final = MappingProxyType(
    {
        "extended_master_secret": "extended master secret",
        "encrypt_then_mac": "encrypt-then-MAC",
        "secure_renegotiation": "secure renegotiation",
        "compression": "compression",
        "session_ticket": "session ticket",
        "ocsp_staple": "OCSP staple",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What some endpoints of a domain accept, the same at all of them, in lines."""

    places: str
    lines: tuple[str, ...]


def accepted(report: DomainReport, *, verbose: bool = False) -> tuple[Accepted, ...]:
    """The endpoints that were asked, those that answered alike together."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for seen in report.endpoints:
        if seen.deep is not None:
            lines = _details(seen) if verbose else _summary(seen)
            place = printable(f"{seen.mx_host} {seen.address}")
            groups.setdefault(tuple(map(printable, lines)), []).append(place)
    return tuple(Accepted(places=joined(places), lines=lines) for lines, places in groups.items())


def post_quantum_words(endpoint: Endpoint) -> str:
    """Such as "Post-quantum: yes (X25519MLKEM768)"."""
    answer = post_quantum(endpoint)
    said = _answers(endpoint).get(DeepQuestion.POST_QUANTUM)
    detail = None
    if answer is Answer.YES:
        chosen = said.key_exchange if said is not None and said.key_exchange else None
        detail = chosen or endpoint.key_exchange
    elif answer is Answer.NOT_TESTED and said is not None:
        detail = _reason(said)
    return f"Post-quantum: {_WORDS[answer]}" + (f" ({detail})" if detail else "")


def _summary(endpoint: Endpoint) -> Iterator[str]:
    """One line for each of the three answers; before them post-quantum, and the certificates."""
    yield post_quantum_words(endpoint)
    answers = _answers(endpoint)
    certificates = [answers[each] for each in CERTIFICATE_QUESTIONS if each in answers]
    certificates.sort(key=lambda each: each.accepted is not Answer.YES)
    shown = [_certificate_words(each, endpoint) for each in certificates]
    if any(shown):
        yield f"Certificates: {'; '.join(filter(None, shown))}"
    others = [
        each for question, each in answers.items() if question is not DeepQuestion.POST_QUANTUM
    ]
    rest = [each for each in others if each not in certificates]
    found = [_found(each) for each in rest if each.accepted is Answer.YES]
    if found:
        yield f"Also accepts: {'; '.join(found)}"
    refused = [QUESTIONS[each.question] for each in rest if each.accepted is Answer.NO]
    if refused:
        yield f"Refuses: {'; '.join(refused)}"
    unknown: dict[str, list[str]] = {}
    for each in others:
        if each.accepted is Answer.NOT_TESTED:
            unknown.setdefault(_reason(each), []).append(QUESTIONS[each.question])
    for reason, questions in unknown.items():
        yield f"Not tested: {'; '.join(questions)} ({reason})"


def _details(endpoint: Endpoint) -> Iterator[str]:
    """One line per question, then all that was enumerated, and the cost."""
    yield post_quantum_words(endpoint)
    for question, answer in _answers(endpoint).items():
        if question is not DeepQuestion.POST_QUANTUM:
            parts = [_WORDS[answer.accepted], *_detail(answer, endpoint)]
            yield f"{_capitalised(QUESTIONS[question])}: {', '.join(parts)}"
    deep = endpoint.deep
    if deep is None:
        return
    if deep.enumeration is not None:
        yield from _enumerated(deep.enumeration)
    count = deep.connections + (deep.enumeration.connections if deep.enumeration else 0)
    yield f"Asked by {counted(count, 'connection')}"


def _answers(endpoint: Endpoint) -> dict[DeepQuestion, DeepAnswer]:
    """In the order of the questions, the first where one was answered twice."""
    answers = endpoint.deep.answers if endpoint.deep is not None else ()
    first = {each.question: each for each in reversed(answers)}
    return {question: first[question] for question in DeepQuestion if question in first}


def _reason(answer: DeepAnswer) -> str:
    return failure_words(answer.failure) if answer.failure is not None else "no reason known"


def _certificate_words(answer: DeepAnswer, endpoint: Endpoint) -> str:
    """Such as "ECDSA (valid for 60 days)" or "no RSA"; empty where it was not tested."""
    kind = QUESTIONS[answer.question].removesuffix(" certificate")
    words = {
        Answer.YES: f"{kind} ({_certificate(answer, endpoint)})",
        Answer.NO: f"no {kind}",
    }
    return words.get(answer.accepted, "")


def _found(answer: DeepAnswer) -> str:
    """What the server accepted, in brackets what it is an example of."""
    chosen = {
        DeepQuestion.LEGACY_VERSION: shown_version(answer.tls_version or ""),
        DeepQuestion.BROKEN_SUITES: answer.cipher,
        DeepQuestion.STATIC_KEY_EXCHANGE: answer.cipher,
        DeepQuestion.FINITE_FIELD_DH: _dh(answer),
        DeepQuestion.NORM_GROUPS: answer.key_exchange,
    }.get(answer.question)
    name = QUESTIONS[answer.question]
    return f"{name} ({chosen})" if chosen else name


def _dh(answer: DeepAnswer) -> str | None:
    bits = f"{answer.key_exchange_bits} bits" if answer.key_exchange_bits is not None else None
    name = answer.key_exchange if answer.key_exchange != "DH" else None
    return ", ".join(filter(None, (name, bits))) or None


def _certificate(answer: DeepAnswer, endpoint: Endpoint) -> str:
    """How it was judged: that of the session, or one of the others."""
    for other in endpoint.other_certificates:
        chain = _answers(endpoint).get(other.question)
        if chain is not None and chain.chain == answer.chain:
            shown = replace(endpoint, certificate=other.certificate, observed_at=answer.observed_at)
            words = certificate_words(shown).removeprefix("certificate ")
            compared = other.dane in (Dane.MATCH, Dane.MISMATCH)
            return f"{words}; DANE {other.dane}" if compared else words
    return "that of the session" if answer.chain == endpoint.chain else "not read"


def _detail(answer: DeepAnswer, endpoint: Endpoint) -> Iterator[str]:
    if answer.accepted is Answer.NOT_TESTED:
        yield _reason(answer)
    if answer.inferred_from is not None:
        yield f"inferred from {QUESTIONS[answer.inferred_from]}"
    if answer.alert is not None:
        yield f"alert {answer.alert}"
    if answer.accepted is not Answer.YES:
        return
    if answer.question in CERTIFICATE_QUESTIONS:
        yield _certificate(answer, endpoint)
    for value in (shown_version(answer.tls_version or ""), answer.cipher):
        if value:
            yield value
    exchange = _dh(answer) if answer.key_exchange_bits is not None else answer.key_exchange
    if exchange:
        yield exchange
    for field, name in _EXTENSIONS.items():
        if getattr(answer, field) is not None:
            yield f"{name} {'yes' if getattr(answer, field) else 'no'}"


def _enumerated(found: Enumeration) -> Iterator[str]:
    lists = {
        "TLS versions": map(shown_version, found.versions),
        "cipher suites": iter(found.suites),
        "key-exchange groups": iter(found.groups),
    }
    for name, values in lists.items():
        yield f"All {name}: {_listed(values)}"
    if found.failure is not None:
        yield f"These lists are not complete: {failure_words(found.failure)}"


def _listed(values: Iterable[str]) -> str:
    return ", ".join(values) or "none"


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
