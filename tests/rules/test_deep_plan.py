"""Which questions --deep asks, in which order, and what one answer says about others."""

from dataclasses import replace
from typing import Any

import pytest

from prober.records import Answer, DeepAnswer, DeepQuestion, Failure, Reason, Step
from prober.rules.deep_plan import MAX_CONNECTIONS, Plan, Way, certificate_answer, stops
from tests.support.builders import NOW, completed, handshake_failed

YES, NO, NOT_TESTED = Answer.YES, Answer.NO, Answer.NOT_TESTED
Q = DeepQuestion
CHAIN = (b"leaf", b"issuer")
MAIN = completed(chain=CHAIN, path=(0, 1))
CLOSED = Failure(step=Step.HANDSHAKE, reason=Reason.CLOSED)
BUSY = Failure(step=Step.GREETING, reason=Reason.BAD_REPLY, reply_code=421)


def answer(question: DeepQuestion, accepted: Answer, **fields: Any) -> DeepAnswer:
    return DeepAnswer(question=question, observed_at=NOW, accepted=accepted, **fields)


def refused(question: DeepQuestion, alert: str = "handshake_failure") -> DeepAnswer:
    return answer(question, NO, alert=alert)


def ask_all(plan: Plan, *given: DeepAnswer) -> list[tuple[DeepQuestion, Way]]:
    """What is asked of a server that answers as *given*, and refuses all else."""
    by_question = {each.question: each for each in given}
    asked: list[tuple[DeepQuestion, Way]] = []
    answers: tuple[DeepAnswer, ...] = ()
    while (following := plan.next_question(answers)) is not None:
        asked.append(following)
        question, _ = following
        answers = plan.conclude(answers, by_question.get(question, refused(question)))
    assert sorted(each.question for each in answers) == sorted(plan.questions)
    return asked


def questions(asked: list[tuple[DeepQuestion, Way]]) -> list[DeepQuestion]:
    return [question for question, _ in asked]


@pytest.mark.parametrize("kind", ["RSA", "EC", "Ed25519", None])
@pytest.mark.parametrize("groups", [(), ("secp256r1",)])
@pytest.mark.parametrize("main", [MAIN, completed(tls_version="TLSv1.2"), handshake_failed()])
def test_no_server_gets_more_connections_than_promised(
    main: Any, kind: str | None, groups: tuple[str, ...]
) -> None:
    plan = Plan(main=main, leaf_kind=kind, norm_groups=groups)
    asked = questions(ask_all(plan))

    assert len(asked) <= len(plan.questions) <= MAX_CONNECTIONS
    assert len(set(asked)) == len(asked)
    assert (Q.NORM_GROUPS in asked) is bool(groups)


@pytest.mark.parametrize(
    ("kind", "first", "other"),
    [
        ("RSA", Q.RSA_CERTIFICATE, Q.ECDSA_CERTIFICATE),
        ("EC", Q.ECDSA_CERTIFICATE, Q.RSA_CERTIFICATE),
        ("Ed25519", Q.RSA_CERTIFICATE, Q.ECDSA_CERTIFICATE),
    ],
)
def test_the_certificate_that_was_seen_is_asked_first(
    kind: str, first: DeepQuestion, other: DeepQuestion
) -> None:
    asked = questions(ask_all(Plan(main=MAIN, leaf_kind=kind)))

    assert asked[0] is first
    assert asked.index(other) > 0


@pytest.mark.parametrize(
    ("main", "other", "accepted"),
    [
        pytest.param(handshake_failed(), refused(Q.ECDSA_CERTIFICATE), NOT_TESTED, id="no-session"),
        pytest.param(
            handshake_failed(),
            answer(Q.ECDSA_CERTIFICATE, YES, tls_version="TLSv1.2", chain=CHAIN),
            NO,
            id="the-other-certificate-was-sent",
        ),
        pytest.param(MAIN, refused(Q.ECDSA_CERTIFICATE), NO, id="anonymous-session"),
    ],
)
def test_a_refusal_says_nothing_of_certificates_where_no_hello_gets_any(
    main: Any, other: DeepAnswer, accepted: Answer
) -> None:
    """A server of TLS 1.3 with groups that we do not have, for instance: RFC 8446 §4.2.7."""
    plan = Plan(main=main)
    answers = plan.conclude((), refused(Q.RSA_CERTIFICATE, "protocol_version"))
    answers = plan.conclude(answers, other)

    found = {each.question: each for each in answers}
    assert found[Q.RSA_CERTIFICATE].accepted is accepted
    assert (found[Q.RSA_CERTIFICATE].failure is not None) is (accepted is NOT_TESTED)
    assert found[Q.ECDSA_CERTIFICATE].accepted is (other.accepted if accepted is NO else NOT_TESTED)


@pytest.mark.parametrize(("main", "accepted"), [(MAIN, NO), (handshake_failed(), NOT_TESTED)])
def test_an_internal_error_refuses_old_versions_only_where_newer_ones_work(
    main: Any, accepted: Answer
) -> None:
    """Else it may be a fault of the server that has nothing to do with versions."""
    [found] = Plan(main=main).conclude((), refused(Q.LEGACY_VERSION, "internal_error"))

    assert found.accepted is accepted
    assert (found.failure is not None) is (accepted is NOT_TESTED)


UP_TO_TLS12 = {Q.LEGACY_VERSION, Q.BROKEN_SUITES, Q.STATIC_KEY_EXCHANGE, Q.FINITE_FIELD_DH}


@pytest.mark.parametrize(
    ("newest", "decides"),
    [
        pytest.param(refused(Q.RSA_CERTIFICATE), set(), id="another-alert"),
        pytest.param(answer(Q.RSA_CERTIFICATE, NOT_TESTED, failure=CLOSED), set(), id="no-answer"),
        pytest.param(refused(Q.LEGACY_VERSION, "protocol_version"), set(), id="tls-1.1"),
        pytest.param(refused(Q.POST_QUANTUM, "protocol_version"), set(), id="tls-1.3"),
        pytest.param(refused(Q.NORM_GROUPS, "protocol_version"), set(), id="tls-1.3-and-1.2"),
        pytest.param(refused(Q.RSA_CERTIFICATE, "protocol_version"), UP_TO_TLS12, id="tls-1.2"),
        pytest.param(
            refused(Q.BROKEN_SUITES, "protocol_version"),
            UP_TO_TLS12 - {Q.BROKEN_SUITES},
            id="tls-1.2-and-broken-suites",
        ),
    ],
)
def test_a_server_that_refuses_tls_1_2_has_nothing_older(
    newest: DeepAnswer, decides: set[DeepQuestion]
) -> None:
    answers = Plan(main=MAIN, leaf_kind="EC").conclude((), newest)
    inferred = [each for each in answers if each.inferred_from is not None]

    assert {each.question for each in inferred} == decides
    assert all((each.accepted, each.inferred_from) == (NO, newest.question) for each in inferred)


@pytest.mark.parametrize(
    "main",
    [
        pytest.param(completed(tls_version="TLSv1.2"), id="it-had-tls-1.2-before"),
        pytest.param(handshake_failed(), id="it-may-not-understand-the-version"),
    ],
)
def test_nothing_is_inferred_of_a_server_without_tls_1_3(main: Any) -> None:
    """Some old servers refuse a version above theirs, against RFC 5246 §E.1."""
    answers = Plan(main=main).conclude((), refused(Q.BROKEN_SUITES, "protocol_version"))

    assert [each.question for each in answers] == [Q.BROKEN_SUITES]


def test_what_is_answered_is_not_inferred_again() -> None:
    legacy = answer(Q.LEGACY_VERSION, YES, tls_version="TLSv1")
    newest = refused(Q.BROKEN_SUITES, "protocol_version")
    answers = Plan(main=MAIN, leaf_kind="EC").conclude((legacy,), newest)

    assert [each.question for each in answers].count(Q.LEGACY_VERSION) == 1


@pytest.mark.parametrize("alert", ["handshake_failure", "protocol_version", None])
def test_the_certificate_of_the_main_session_stands_where_tls_1_2_is_refused(
    alert: str | None,
) -> None:
    newest = (
        answer(Q.ECDSA_CERTIFICATE, NOT_TESTED, failure=CLOSED)
        if alert is None
        else refused(Q.ECDSA_CERTIFICATE, alert)
    )
    known, *_ = Plan(main=MAIN, leaf_kind="EC").conclude((), newest)

    assert (known.accepted, known.alert, known.failure) == (YES, alert, None)
    assert (known.tls_version, known.cipher) == ("TLSv1.3", "TLS_AES_256_GCM_SHA384")
    assert (known.chain, known.path) == (CHAIN, (0, 1))


CLEAR, HANDSHAKE = Way.CLEAR, Way.HANDSHAKE


@pytest.mark.parametrize(
    ("main", "kind", "given", "ways"),
    [
        pytest.param(
            *(MAIN, "EC", [answer(Q.ECDSA_CERTIFICATE, YES, tls_version="TLSv1.2")]),
            {Q.ECDSA_CERTIFICATE: CLEAR, Q.RSA_CERTIFICATE: CLEAR},
            id="tls-1.2-and-1.3",
        ),
        pytest.param(
            *(MAIN, "EC", []),
            {Q.ECDSA_CERTIFICATE: CLEAR, Q.RSA_CERTIFICATE: HANDSHAKE},
            id="tls-1.3-only",
        ),
        pytest.param(
            *(MAIN, "Ed25519", []),
            {Q.ECDSA_CERTIFICATE: HANDSHAKE, Q.RSA_CERTIFICATE: HANDSHAKE},
            id="tls-1.3-with-a-key-of-another-kind",
        ),
        pytest.param(
            *(completed(tls_version="TLSv1.2"), "EC", []),
            {Q.ECDSA_CERTIFICATE: CLEAR, Q.RSA_CERTIFICATE: CLEAR},
            id="tls-1.2-only",
        ),
        pytest.param(
            *(handshake_failed(), None, []),
            {Q.ECDSA_CERTIFICATE: CLEAR, Q.RSA_CERTIFICATE: CLEAR},
            id="no-tls-for-us",
        ),
    ],
)
def test_certificates_that_tls_1_3_encrypts_are_asked_for_by_a_handshake(
    main: Any, kind: str | None, given: list[DeepAnswer], ways: dict[DeepQuestion, Way]
) -> None:
    asked = dict(ask_all(Plan(main=main, leaf_kind=kind), *given))

    assert {question: asked[question] for question in ways} == ways
    assert all(way is CLEAR for question, way in asked.items() if question not in ways)


@pytest.mark.parametrize(
    ("step", "reason", "expected"),
    [
        (Step.HANDSHAKE, Reason.CLOSED, False),  # servers that send no alert
        (Step.HANDSHAKE, Reason.RESET, False),
        (Step.HANDSHAKE, Reason.ALERT, False),
        (Step.HANDSHAKE, Reason.TLS_ERROR, False),
        (Step.POST_TLS, Reason.CLOSED, False),
        (Step.HANDSHAKE, Reason.TIMED_OUT, True),
        (Step.HANDSHAKE, Reason.BAD_REPLY, True),
        (Step.HANDSHAKE, Reason.LIMIT, True),
        (Step.POST_TLS, Reason.BAD_REPLY, True),
        *((step, Reason.BAD_REPLY, True) for step in (Step.GREETING, Step.EHLO, Step.STARTTLS)),
        *((step, Reason.CLOSED, True) for step in (Step.GREETING, Step.EHLO, Step.STARTTLS)),
        (Step.CONNECT, Reason.REFUSED, True),
        (Step.CONNECT, Reason.TIMED_OUT, True),
        (Step.CONNECT, Reason.LOCAL, True),
    ],
)
def test_a_server_that_stops_the_sessions_is_asked_no_more(
    step: Step, reason: Reason, expected: bool
) -> None:
    assert stops(Failure(step=step, reason=reason)) is expected


def test_what_was_not_asked_is_not_tested_and_says_why() -> None:
    plan = Plan(main=MAIN, leaf_kind="EC", norm_groups=("secp256r1",))
    seen = answer(Q.ECDSA_CERTIFICATE, YES)
    answers = plan.not_tested((seen,), BUSY, NOW)

    assert [each.question for each in answers] == list(plan.questions)
    assert answers[0] is seen
    assert {(each.accepted, each.failure) for each in answers[1:]} == {(NOT_TESTED, BUSY)}
    assert answers[-1].offered_groups == ("secp256r1",)


@pytest.mark.parametrize(
    ("fields", "kind", "expected"),
    [
        pytest.param({"chain": CHAIN}, "RSA", YES, id="it-has-one"),
        pytest.param({"chain": CHAIN, "failure": BUSY}, "RSA", YES, id="trouble-after-it"),
        pytest.param({"chain": CHAIN}, "EC", NO, id="another-all-the-same"),  # RFC 8446 §4.4.2.2
        pytest.param({"chain": CHAIN}, None, NOT_TESTED, id="unreadable"),
        pytest.param({"alert": "handshake_failure", "failure": CLOSED}, None, NO, id="refused"),
        pytest.param({"alert": "internal_error", "failure": CLOSED}, None, NOT_TESTED, id="alert"),
        pytest.param({"failure": CLOSED}, None, NOT_TESTED, id="closed"),
        pytest.param({"failure": BUSY}, None, NOT_TESTED, id="busy"),
    ],
)
def test_a_handshake_for_one_kind_of_certificate(
    fields: dict[str, Any], kind: str | None, expected: Answer
) -> None:
    facts = replace(MAIN, **({"chain": (), "tls_version": None} | fields))
    found = certificate_answer(Q.RSA_CERTIFICATE, facts, kind)

    assert found.accepted is expected
    assert (found.failure is None) is (expected is not NOT_TESTED)
    assert bool(found.chain) is (expected is YES)
