"""Which results the names at one address share. docs/scale.md."""

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
    SharedTls,
    add_result,
    copy_for_host,
    ended_before_sni,
    reusable,
    sessions_needed,
)
from prober.rules.thresholds import MAX_FINGERPRINTS
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


def seen(*facts: EndpointFacts) -> tuple[SharedTls, ...]:
    reader = CertificateReader()
    entries: tuple[SharedTls, ...] = ()
    for each in facts:
        entries = add_result(entries, each, reader)
    return entries


AGREED = seen(*(shown_to(name) for name in NAMES[:3]))


def test_three_names_that_agree_share_with_a_fourth_that_the_leaf_covers() -> None:
    facts = reusable(AGREED, NAMES[3])
    assert facts is not None
    assert facts.mx_host == NAMES[0]
    assert copy_for_host(NAMES[3], facts).mx_host == NAMES[3]
    assert copy_for_host(NAMES[3], facts).observed_as == NAMES[0]


def test_observed_as_keeps_the_name_that_was_probed() -> None:
    twice = copy_for_host("c.mx.example", copy_for_host("b.mx.example", shown_to("a.mx.example")))
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
def test_cases_without_sharing(what: tuple[SharedTls, ...], name: str) -> None:
    assert reusable(what, name) is None


def test_a_name_with_its_own_certificate_does_not_stop_sharing() -> None:
    with_own = add_result(
        AGREED,
        shown_to("mail.customer.example", leaf_for("mail.customer.example")),
        CertificateReader(),
    )
    assert reusable(with_own, NAMES[3]) is not None


def test_names_with_dh_groups_of_different_size_do_not_agree() -> None:
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
def test_a_result_with_any_problem_is_not_shared(change: dict[str, Any]) -> None:
    facts = [completed(**({"mx_host": name, "chain": (HOSTER,)} | change)) for name in NAMES[:3]]
    assert seen(*facts) == ()


def test_tls_in_the_second_session_is_not_shared() -> None:
    assert seen(merge_sessions(not_offered(), shown_to(NAMES[0]))) == ()


def test_sessions_needed() -> None:
    assert sessions_needed(()) == 3
    assert sessions_needed(seen(shown_to(NAMES[0]))) == 2
    assert sessions_needed(seen(shown_to(NAMES[0]), shown_to(NAMES[1]))) == 1
    assert sessions_needed(AGREED) == 0
    own = [shown_to(f"mail.c{n}.example", leaf_for(f"mail.c{n}.example")) for n in range(9)]
    assert sessions_needed(seen(*own[:2])) == 2
    assert sessions_needed(seen(*own)) == 0
    assert len(seen(*own)) == MAX_FINGERPRINTS
    depends_on_sni = seen(shown_to(NAMES[0]), shown_to(NAMES[1], OTHER))
    assert sessions_needed(depends_on_sni) == 0


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
def test_a_result_before_sni_belongs_to_the_address(facts: EndpointFacts, expected: bool) -> None:
    assert ended_before_sni(facts) is expected
