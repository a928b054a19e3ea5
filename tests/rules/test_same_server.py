"""What names at one address have in common: shared only to confirm. docs/scale.md."""

from dataclasses import replace
from typing import Any

import pytest

from prober.records import (
    Anomaly,
    AnomalyKind,
    EndpointFacts,
    Failure,
    Reason,
    StartTls,
    Step,
    VerifyError,
)
from prober.rules.certificate_fields import CertificateReader
from prober.rules.endpoint import merge_sessions
from prober.rules.same_server import (
    Shown,
    answers_wanted,
    as_seen_by,
    is_of_the_address,
    note,
    reusable,
)
from prober.rules.thresholds import LEAVES_AT_ONE_ADDRESS
from tests.rules.certificates import issue
from tests.support.builders import (
    completed,
    confirmed,
    endpoint,
    handshake_failed,
    not_offered,
    untested,
)


def leaf_for(*names: str) -> bytes:
    return issue(san=names).der


HOSTER = leaf_for("*.mx.example", "mx.other.example")
OTHER = leaf_for("*.mx.example")
NAMES = tuple(f"{letter}.mx.example" for letter in "abcdefgh")


def shown_to(name: str, leaf: bytes = HOSTER, **fields: Any) -> EndpointFacts:
    return completed(mx_host=name, chain=(leaf,), **fields)


def seen(*facts: EndpointFacts) -> tuple[Shown, ...]:
    reader = CertificateReader()
    shown: tuple[Shown, ...] = ()
    for each in facts:
        shown = note(shown, each, reader)
    return shown


AGREED = seen(*(shown_to(name) for name in NAMES[:3]))


def test_three_names_that_agree_speak_for_a_fourth_that_the_leaf_covers() -> None:
    facts = reusable(AGREED, NAMES[3])
    assert facts is not None
    assert facts.mx_host == NAMES[0]
    assert as_seen_by(NAMES[3], facts).mx_host == NAMES[3]
    assert as_seen_by(NAMES[3], facts).observed_as == NAMES[0]


def test_who_was_asked_first_is_remembered_through_every_sharing() -> None:
    twice = as_seen_by("c.mx.example", as_seen_by("b.mx.example", shown_to("a.mx.example")))
    assert (twice.mx_host, twice.observed_as) == ("c.mx.example", "a.mx.example")


@pytest.mark.parametrize(
    ("what", "name"),
    [
        pytest.param(seen(*(shown_to(name) for name in NAMES[:2])), NAMES[3], id="two-names"),
        pytest.param(seen(*[shown_to(NAMES[0])] * 5), NAMES[3], id="one-name-five-times"),
        pytest.param(AGREED, "d.example", id="not-covered"),
        pytest.param(AGREED, "x.d.mx.example", id="wildcard-is-one-label"),
        pytest.param(
            seen(*(shown_to(n, cipher=n) for n in NAMES[:3])), NAMES[3], id="suites-differ"
        ),
        pytest.param(
            seen(*(shown_to(n, tls_version=n) for n in NAMES[:3])), NAMES[3], id="versions-differ"
        ),
        pytest.param(
            seen(*(shown_to(n) for n in NAMES[:3]), shown_to(NAMES[4], OTHER)),
            NAMES[3],
            id="a-covered-name-was-shown-another",
        ),
        pytest.param(
            seen(shown_to(NAMES[4], OTHER), *(shown_to(n) for n in NAMES[:3])),
            NAMES[3],
            id="a-covered-name-was-shown-another-before",
        ),
    ],
)
def test_nothing_speaks_for_a_further_name(what: tuple[Shown, ...], name: str) -> None:
    assert reusable(what, name) is None


def test_a_name_of_its_own_certificate_contradicts_nobody() -> None:
    with_own = note(
        AGREED,
        shown_to("mail.customer.example", leaf_for("mail.customer.example")),
        CertificateReader(),
    )
    assert reusable(with_own, NAMES[3]) is not None


def test_names_that_saw_dh_groups_of_different_size_do_not_agree() -> None:
    sizes = dict(zip(NAMES[:3], (2048, 2048, 1024), strict=True))
    facts = [replace(shown_to(name), key_exchange_bits=sizes[name]) for name in sizes]
    assert reusable(seen(*facts), NAMES[3]) is None


UNTRUSTED = VerifyError(depth=0, code=20, text="unable to get local issuer certificate")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"verify_errors": (UNTRUSTED,)}, id="not-trusted"),
        pytest.param({"anomalies": (Anomaly(kind=AnomalyKind.BARE_LF),)}, id="an-oddity"),
        pytest.param({"failure": Failure(step=Step.POST_TLS, reason=Reason.RESET)}, id="reset"),
        pytest.param({"chain": ()}, id="no-certificate"),
        pytest.param({"tls_version": None}, id="no-tls"),
    ],
)
def test_what_is_not_sound_is_not_shared(change: dict[str, Any]) -> None:
    facts = [completed(**({"mx_host": name, "chain": (HOSTER,)} | change)) for name in NAMES[:3]]
    assert seen(*facts) == ()


def test_tls_at_the_second_try_is_not_shared() -> None:
    assert seen(merge_sessions(not_offered(), shown_to(NAMES[0]))) == ()


def test_how_many_more_names_have_to_be_asked() -> None:
    assert answers_wanted(()) == 3
    assert answers_wanted(seen(shown_to(NAMES[0]))) == 2
    assert answers_wanted(seen(shown_to(NAMES[0]), shown_to(NAMES[1]))) == 1
    assert answers_wanted(AGREED) == 0
    own = [shown_to(f"mail.c{n}.example", leaf_for(f"mail.c{n}.example")) for n in range(9)]
    assert answers_wanted(seen(*own[:2])) == 2
    assert answers_wanted(seen(*own)) == 0
    assert len(seen(*own)) == LEAVES_AT_ONE_ADDRESS
    contradicted = seen(shown_to(NAMES[0]), shown_to(NAMES[1], OTHER))
    assert answers_wanted(contradicted) == 0


OFFERED_AND_454 = endpoint(
    starttls=StartTls.REFUSED,
    failure=Failure(step=Step.STARTTLS, reason=Reason.BAD_REPLY, reply_code=454),
)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(untested(), True, id="timed-out"),
        pytest.param(untested(reason=Reason.REFUSED), True, id="refused"),
        pytest.param(untested(Step.EHLO, Reason.CLOSED), True, id="closed-at-ehlo"),
        pytest.param(confirmed(not_offered()), True, id="not-offered"),
        pytest.param(OFFERED_AND_454, True, id="starttls-refused"),
        pytest.param(merge_sessions(untested(), not_offered()), True, id="two-such"),
        pytest.param(completed(), False, id="completed"),
        pytest.param(handshake_failed(), False, id="the-name-was-told"),
        pytest.param(merge_sessions(not_offered(), completed()), False, id="completed-at-last"),
        pytest.param(merge_sessions(not_offered(), handshake_failed()), False, id="once-told"),
        pytest.param(untested(reason=Reason.LOCAL), False, id="this-machine"),
        pytest.param(untested(reason=Reason.NO_IPV6_HERE), False, id="no-way-there"),
    ],
)
def test_what_was_seen_before_a_name_was_told_is_the_addresss(
    facts: EndpointFacts, expected: bool
) -> None:
    assert is_of_the_address(facts) is expected
