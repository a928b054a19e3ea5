"""Answers of ``--deep`` with defaults: a test names only what it is about."""

from typing import Any

from prober.records import (
    Answer,
    DeepAnswer,
    DeepFacts,
    DeepQuestion,
    Enumeration,
    Failure,
    Reason,
    Step,
)
from tests.support.builders import NOW


def said(question: DeepQuestion, accepted: Answer, **fields: Any) -> DeepAnswer:
    """The answer to *question*; where it was not tested, the greeting timed out."""
    if accepted is Answer.NOT_TESTED:
        fields.setdefault("failure", Failure(step=Step.GREETING, reason=Reason.TIMED_OUT))
    if accepted is Answer.NO:
        fields.setdefault("alert", "handshake_failure")
    return DeepAnswer(question=question, observed_at=NOW, accepted=accepted, **fields)


def yes(question: DeepQuestion, **fields: Any) -> DeepAnswer:
    return said(question, Answer.YES, **fields)


def no(question: DeepQuestion, **fields: Any) -> DeepAnswer:
    return said(question, Answer.NO, **fields)


def not_tested(question: DeepQuestion, **fields: Any) -> DeepAnswer:
    return said(question, Answer.NOT_TESTED, **fields)


def asked(*answers: DeepAnswer, enumeration: Enumeration | None = None) -> DeepFacts:
    return DeepFacts(
        observed_at=NOW, connections=len(answers), answers=answers, enumeration=enumeration
    )


def all_said(accepted: Answer, *answers: DeepAnswer) -> DeepFacts:
    """*answers*, and *accepted* to every other question."""
    given = {each.question: each for each in answers}
    return asked(*(given.get(each, said(each, accepted)) for each in DeepQuestion))
