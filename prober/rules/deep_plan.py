"""Decides which questions of ``--deep`` a server is asked, and what one answer says about others.

At most MAX_CONNECTIONS, and no question twice. docs/deep.md.
"""

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from prober.records import (
    Answer,
    DeepAnswer,
    DeepFacts,
    DeepQuestion,
    EndpointFacts,
    Failure,
    Reason,
    Step,
)
from prober.rules.ciphers import iana_name

MAX_CONNECTIONS: Final = 8

_CERTIFICATES: Final = {"RSA": DeepQuestion.RSA_CERTIFICATE, "EC": DeepQuestion.ECDSA_CERTIFICATE}
_OLD_SUITES: Final = (
    DeepQuestion.BROKEN_SUITES,
    DeepQuestion.STATIC_KEY_EXCHANGE,
    DeepQuestion.FINITE_FIELD_DH,
)
# the hellos for TLS 1.2 and older, and what their refusal by protocol_version decides
_UP_TO_TLS12: Final = (*_OLD_SUITES, *_CERTIFICATES.values())
_DECIDED_BY_VERSION: Final = (*_OLD_SUITES, DeepQuestion.LEGACY_VERSION)


class Way(enum.StrEnum):
    """How a question is asked."""

    CLEAR = "clear"  # one ClientHello, and what the server answers in clear
    HANDSHAKE = "handshake"  # a handshake in TLS 1.3, which encrypts the certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The questions to one server.

    *main* are the facts of its main sessions, *leaf_kind* is the kind of key of their leaf
    certificate as `ReadCertificate` has it, *norm_groups* are the groups to ask for.
    """

    main: EndpointFacts
    leaf_kind: str | None = None
    norm_groups: tuple[str, ...] = ()

    @property
    def questions(self) -> tuple[DeepQuestion, ...]:
        """All of them in order; first the certificate that the main sessions saw."""
        seen = self._seen or DeepQuestion.RSA_CERTIFICATE
        other = next(each for each in _CERTIFICATES.values() if each is not seen)
        asks_groups = (DeepQuestion.NORM_GROUPS,) if self.norm_groups else ()
        return (
            seen,
            DeepQuestion.POST_QUANTUM,
            DeepQuestion.LEGACY_VERSION,
            DeepQuestion.BROKEN_SUITES,
            other,
            DeepQuestion.STATIC_KEY_EXCHANGE,
            DeepQuestion.FINITE_FIELD_DH,
            *asks_groups,
        )

    def next_question(self, answers: Sequence[DeepAnswer]) -> tuple[DeepQuestion, Way] | None:
        """What to ask after *answers*; None where all is answered."""
        answered = {answer.question for answer in answers}
        for question in self.questions:
            if question not in answered:
                return question, self._way(question, answers)
        return None

    def conclude(self, answers: Sequence[DeepAnswer], newest: DeepAnswer) -> tuple[DeepAnswer, ...]:
        """*answers* with *newest*, and with what that decides of the other questions."""
        if newest.alert == "internal_error" and self.main.tls_version is None:
            newest = _undecided(newest)  # it may fail at any hello
        known = newest
        if newest.question is self._seen and newest.accepted is not Answer.YES:
            known = self._from_main(newest)
        found = (*answers, self._with_groups(known), *self._inferred(answers, newest))
        return self._without_unseen(found)

    def not_tested(
        self, answers: Sequence[DeepAnswer], failure: Failure, at: datetime
    ) -> tuple[DeepAnswer, ...]:
        """*answers*, and those to all other questions: not tested, because of *failure*."""
        answered = {answer.question for answer in answers}
        left = (question for question in self.questions if question not in answered)
        cut = (_not_tested(question, failure, at) for question in left)
        return (*answers, *map(self._with_groups, cut))

    def _with_groups(self, answer: DeepAnswer) -> DeepAnswer:
        """*answer* with what was offered, where that is not the same for each profile."""
        if answer.question is not DeepQuestion.NORM_GROUPS:
            return answer
        return replace(answer, offered_groups=self.norm_groups)

    def _without_unseen(self, answers: tuple[DeepAnswer, ...]) -> tuple[DeepAnswer, ...]:
        """*answers*; a refusal says nothing of certificates if no session was shown any."""
        asked = [answer for answer in answers if answer.question in _CERTIFICATES.values()]
        refusals = [answer for answer in asked if answer.accepted is Answer.NO]
        if self.main.tls_version is not None or len(refusals) < len(_CERTIFICATES):
            return answers
        return tuple(_undecided(answer) if answer in refusals else answer for answer in answers)

    @property
    def _seen(self) -> DeepQuestion | None:
        return _CERTIFICATES.get(self.leaf_kind or "")

    def _way(self, question: DeepQuestion, answers: Sequence[DeepAnswer]) -> Way:
        """A server that has TLS 1.3, and perhaps nothing older, shows its certificates in that."""
        is_13 = self.main.tls_version == "TLSv1.3"
        if not is_13 or question not in _CERTIFICATES.values() or question is self._seen:
            return Way.CLEAR
        has_older = any(
            answer.question is self._seen and answer.tls_version != "TLSv1.3" for answer in answers
        )
        return Way.CLEAR if has_older else Way.HANDSHAKE

    def _from_main(self, refused: DeepAnswer) -> DeepAnswer:
        """The certificate of the main session, where the hello for TLS 1.2 did not get it.

        ``alert`` is what that hello was answered.
        """
        main = self.main
        return DeepAnswer(
            question=refused.question,
            observed_at=main.observed_at,
            accepted=Answer.YES,
            alert=refused.alert,
            tls_version=main.tls_version,
            cipher=main.cipher and iana_name(main.cipher),
            key_exchange=main.key_exchange,
            key_exchange_bits=main.key_exchange_bits,
            chain=main.chain,
            path=main.path,
            verify_errors=main.verify_errors,
        )

    def _inferred(
        self, answers: Sequence[DeepAnswer], newest: DeepAnswer
    ) -> tuple[DeepAnswer, ...]:
        """What a refusal of TLS 1.2 and all that is older decides: RFC 5246 §E.1.

        Only of a server with TLS 1.3. Another one contradicts itself, or refuses a version that is
        only higher than its own.
        """
        refused = newest.accepted is Answer.NO and newest.alert == "protocol_version"
        is_13 = self.main.tls_version == "TLSv1.3"
        if not refused or not is_13 or newest.question not in _UP_TO_TLS12:
            return ()
        answered = {newest.question, *(answer.question for answer in answers)}
        return tuple(
            DeepAnswer(
                question=question,
                observed_at=newest.observed_at,
                accepted=Answer.NO,
                inferred_from=newest.question,
            )
            for question in self.questions
            if question in _DECIDED_BY_VERSION and question not in answered
        )


_OF_THIS_HELLO: Final = frozenset({Reason.ALERT, Reason.TLS_ERROR, Reason.CLOSED, Reason.RESET})


def stops(failure: Failure) -> bool:
    """Whether nothing more is to be asked after *failure*.

    Only what happens in the handshake, and takes no time, may be about this one ClientHello: some
    servers close where others send an alert.
    """
    in_handshake = failure.step in (Step.HANDSHAKE, Step.POST_TLS)
    return not in_handshake or failure.reason not in _OF_THIS_HELLO


def budget_spent(budget: int) -> Failure:
    """Why a question was not asked, where the run has made *budget* connections."""
    detail = f"--deep-budget of {budget} connections"
    return Failure(step=Step.CONNECT, reason=Reason.LIMIT, detail=detail)


def is_cut_by_budget(endpoints: Iterable[EndpointFacts]) -> bool:
    """Whether the budget of the run left questions to *endpoints* unasked."""
    return any(
        (failure.step, failure.reason) == (Step.CONNECT, Reason.LIMIT)
        for endpoint in endpoints
        for failure in _failures(endpoint.deep)
    )


def _failures(deep: DeepFacts | None) -> Iterator[Failure]:
    if deep is None:
        return
    for answer in deep.answers:
        if answer.failure is not None:
            yield answer.failure
    if deep.enumeration is not None and deep.enumeration.failure is not None:
        yield deep.enumeration.failure


def certificate_answer(
    question: DeepQuestion, facts: EndpointFacts, leaf_kind: str | None
) -> DeepAnswer:
    """The answer of a handshake in TLS 1.3 that offers the signatures of one kind of key.

    A server without such a certificate may send another all the same: RFC 8446 §4.4.2.2.
    """
    answer = DeepAnswer(
        question=question,
        observed_at=facts.observed_at,
        accepted=Answer.NOT_TESTED,
        failure=facts.failure or _UNREADABLE,
        alert=facts.alert,
    )
    if facts.chain and _CERTIFICATES.get(leaf_kind or "") is question:
        return replace(
            answer,
            accepted=Answer.YES,
            failure=None,
            tls_version="TLSv1.3",
            cipher=facts.cipher and iana_name(facts.cipher),
            key_exchange=facts.key_exchange,
            chain=facts.chain,
            path=facts.path,
            verify_errors=facts.verify_errors,
        )
    if (facts.chain and leaf_kind is not None) or facts.alert in _NO_SUCH_CERTIFICATE:
        return replace(answer, accepted=Answer.NO, failure=None)
    return answer


_UNREADABLE: Final = Failure(
    step=Step.HANDSHAKE, reason=Reason.TLS_ERROR, detail="the certificate cannot be read"
)
# RFC 8446 §4.4.2.2; some servers speak of the algorithms as of parameters
_NO_SUCH_CERTIFICATE: Final = frozenset(
    {"handshake_failure", "illegal_parameter", "insufficient_security", "unsupported_certificate"}
)


def _undecided(answer: DeepAnswer) -> DeepAnswer:
    """*answer*, whose alert proves nothing."""
    failure = Failure(step=Step.HANDSHAKE, reason=Reason.ALERT, detail=answer.alert)
    return replace(answer, accepted=Answer.NOT_TESTED, failure=failure)


def _not_tested(question: DeepQuestion, failure: Failure, at: datetime) -> DeepAnswer:
    return DeepAnswer(
        question=question, observed_at=at, accepted=Answer.NOT_TESTED, failure=failure
    )
