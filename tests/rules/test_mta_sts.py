"""Judging MTA-STS: status, findings, enforcement. RFC 8461 §3 to §7."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.records import (
    Answer,
    Certificate,
    Code,
    Endpoint,
    EndpointFacts,
    Failure,
    MtaSts,
    MxHost,
    PolicyFetch,
    Reason,
    Step,
    StsFacts,
    StsStatus,
    TxtFacts,
)
from prober.rules.certificate_fields import CertificateReader
from prober.rules.mta_sts import (
    covers_every_mx,
    judge_sts,
    sts_enforces,
    sts_findings,
    sts_refusals,
)
from prober.rules.verdict import judge_endpoint
from tests.rules.certificates import issue
from tests.support.builders import (
    MX,
    NO_TRUST,
    NOW,
    TRUST,
    completed,
    confirmed,
    not_offered,
    untested,
)

TXT = TxtFacts(records=("v=STSv1; id=1",))
URL = "https://mta-sts.example.com/.well-known/mta-sts.txt"
HOSTS = (MxHost(name=MX, preference=10, addresses=("192.0.2.1",)),)
OTHER = MxHost(name="mx.other.example", preference=20)
LITERAL = MxHost(
    name="192.0.2.1",
    preference=30,
    failure=Failure(step=Step.RESOLVE, reason=Reason.INVALID_NAME),
)
BEYOND = MxHost(
    name="mx.other.example",
    preference=20,
    failure=Failure(step=Step.RESOLVE, reason=Reason.LIMIT),
)


def policy(mode: str = "enforce", *mx: str, max_age: int = 604_800) -> str:
    lines = [f"mx: {pattern}" for pattern in mx or (MX,)]
    return "\n".join(["version: STSv1", f"mode: {mode}", *lines, f"max_age: {max_age}"])


def fetched(body: str = policy(), content_type: str | None = "text/plain") -> PolicyFetch:
    return PolicyFetch(
        url=URL,
        http_status=200,
        content_type=content_type,
        body=body,
        certificate_trusted=True,
    )


def not_fetched(reason: Reason, step: Step = Step.POST_TLS, **fields: Any) -> PolicyFetch:
    return PolicyFetch(url=URL, failure=Failure(step=step, reason=reason), **fields)


def facts(fetch: PolicyFetch | None = None, txt: TxtFacts = TXT) -> StsFacts:
    return StsFacts(txt=txt, fetch=fetch)


def judged(sts: StsFacts, hosts: Sequence[MxHost] = HOSTS) -> MtaSts:
    result = judge_sts(sts, hosts)
    assert result is not None
    return result


NO_TXT = TxtFacts(failure=Failure(step=Step.RESOLVE, reason=Reason.SERVFAIL))


@pytest.mark.parametrize(
    ("sts", "status", "says"),
    [
        pytest.param(facts(txt=NO_TXT), StsStatus.TEMPFAIL, "servfail", id="§3.1-look-up-failed"),
        pytest.param(facts(txt=TxtFacts()), StsStatus.ABSENT, None, id="§3.1-absent"),
        pytest.param(
            facts(fetched(), txt=TxtFacts()), StsStatus.ABSENT, None, id="§3.1-policy-without-txt"
        ),
        pytest.param(
            facts(txt=TxtFacts(records=("v=STSv1; id=",))),
            StsStatus.TXT_INVALID,
            "the id",
            id="§3.1-invalid",
        ),
        pytest.param(facts(), StsStatus.FETCH_FAILED, "not requested", id="not-asked"),
        pytest.param(
            facts(not_fetched(Reason.TIMED_OUT)),
            StsStatus.FETCH_FAILED,
            "timed-out at post-tls",
            id="§3.3-timed-out",
        ),
        pytest.param(
            facts(PolicyFetch(url=URL)), StsStatus.FETCH_FAILED, None, id="a-fetch-without-a-body"
        ),
        pytest.param(
            facts(fetched("")), StsStatus.POLICY_INVALID, "no version", id="§3.2-empty-policy"
        ),
        pytest.param(
            facts(fetched(content_type="text/html")),
            StsStatus.POLICY_INVALID,
            "'text/html'",
            id="§3.2-media-type",
        ),
        pytest.param(
            facts(fetched(content_type=None)),
            StsStatus.POLICY_INVALID,
            "no media type",
            id="§3.2-no-media-type",
        ),
        pytest.param(
            facts(fetched(content_type="TEXT/Plain ; charset=x")),
            StsStatus.ENFORCE,
            None,
            id="§3.2-media-type-parameters-ignored",
        ),
        pytest.param(facts(fetched(policy("testing"))), StsStatus.TESTING, None, id="§3.2-testing"),
        pytest.param(facts(fetched(policy("none"))), StsStatus.NONE, None, id="§3.2-none"),
        pytest.param(
            facts(fetched("\n" + policy())), StsStatus.ENFORCE, "line 1 is empty", id="remark"
        ),
    ],
)
def test_status(sts: StsFacts, status: StsStatus, says: str | None) -> None:
    result = judged(sts)
    assert result.status is status
    assert (says in (result.detail or "")) if says else (result.detail is None)


def test_what_was_not_looked_up_is_not_judged() -> None:
    assert judge_sts(None, HOSTS) is None
    assert sts_enforces(None, HOSTS) is Answer.NOT_TESTED
    assert sts_findings(None, None, ()) == ()
    assert sts_findings(facts(), None, ()) == ()


def test_a_judgement() -> None:
    result = judged(facts(fetched(policy("enforce", MX, "*.example.net"))), (*HOSTS, OTHER))
    assert result == MtaSts(
        status=StsStatus.ENFORCE,
        id="1",
        max_age=604_800,
        mx=(MX, "*.example.net"),
        uncovered=("mx.other.example",),
    )


@pytest.mark.parametrize(
    ("mode", "hosts", "uncovered"),
    [
        pytest.param("enforce", (OTHER,), ("mx.other.example",), id="§4.1-enforce"),
        pytest.param("testing", (OTHER,), ("mx.other.example",), id="§4.1-testing"),
        pytest.param("none", (OTHER,), (), id="§3.2-none-applies-to-nothing"),
        pytest.param("enforce", (BEYOND,), ("mx.other.example",), id="not-contacted-yet-listed"),
        pytest.param("enforce", (LITERAL,), (), id="no-host-at-all"),
        pytest.param("enforce", HOSTS, (), id="§4.1-covered"),
    ],
)
def test_uncovered_hosts(mode: str, hosts: Sequence[MxHost], uncovered: tuple[str, ...]) -> None:
    assert judged(facts(fetched(policy(mode))), hosts).uncovered == uncovered


@pytest.mark.parametrize(
    ("sts", "hosts", "answer"),
    [
        pytest.param(facts(txt=NO_TXT), HOSTS, Answer.NOT_TESTED, id="§5.1-tempfail"),
        pytest.param(
            facts(not_fetched(Reason.REFUSED)), HOSTS, Answer.NOT_TESTED, id="§5.1-fetch-failed"
        ),
        pytest.param(facts(txt=TxtFacts()), HOSTS, Answer.NO, id="absent"),
        pytest.param(
            facts(txt=TxtFacts(records=("v=STSv1",))), HOSTS, Answer.NO, id="§3.1-txt-invalid"
        ),
        pytest.param(facts(fetched("")), HOSTS, Answer.NO, id="policy-invalid"),
        pytest.param(facts(fetched(policy("testing"))), HOSTS, Answer.NO, id="§5-testing"),
        pytest.param(facts(fetched(policy("none"))), HOSTS, Answer.NO, id="§5-none"),
        pytest.param(facts(fetched()), (*HOSTS, OTHER), Answer.NO, id="§4.1-one-not-covered"),
        pytest.param(facts(fetched()), (), Answer.NO, id="no-host-to-cover"),
        pytest.param(facts(fetched()), HOSTS, Answer.YES, id="§5-enforce"),
        pytest.param(facts(fetched()), (*HOSTS, LITERAL), Answer.YES, id="§5-and-no-host"),
    ],
)
def test_enforcement(sts: StsFacts, hosts: Sequence[MxHost], answer: Answer) -> None:
    assert sts_enforces(judged(sts, hosts), hosts) is answer


RESOLVER = "postfix-mta-sts-resolver"
TLSPOL = "postfix-tlspol"
STRICT = "strict readers"
ALL = (STRICT, RESOLVER, TLSPOL)


def rewritten(old: str, new: str, **served: Any) -> StsFacts:
    """A valid policy with *old* replaced by *new*."""
    body = policy() + "\n"
    assert old in body
    return facts(fetched(body.replace(old, new), **served))


def announced_by(*records: str) -> StsFacts:
    return facts(fetched(), txt=TxtFacts(records=records))


@pytest.mark.parametrize(
    ("sts", "enforcing"),
    [
        # nobody enforces it
        pytest.param(announced_by("v=STSv2; id=1"), (), id="§3.1-later-version"),
        pytest.param(announced_by("V=STSv1; id=1"), (), id="§3.1-upper-case"),
        pytest.param(announced_by(" v=STSv1; id=1"), (), id="§3.1-leading-blank"),
        pytest.param(rewritten("mode: enforce", "mode: Enforce"), (), id="§3.2-case-of-mode"),
        pytest.param(rewritten("mode", "MODE"), (), id="§3.2-case-of-name"),
        pytest.param(rewritten("mx:", "MX:"), (), id="§3.2-case-of-mx"),
        pytest.param(rewritten("STSv1", "STSv2"), (), id="§3.2-version"),
        pytest.param(rewritten("version", "\ufeffversion"), (), id="§3.2-bom"),
        pytest.param(
            rewritten("version", "\ufeffversion", content_type="text/plain; charset=utf-8"),
            (),
            id="§3.2-bom-and-charset",
        ),
        pytest.param(rewritten("604800", "-1"), (), id="§3.2-negative-max-age"),
        pytest.param(rewritten(MX, "mail.bücher.example"), (), id="§3.2-u-label-no-charset"),
        pytest.param(rewritten("enforce", "testing\nmx: 192.0.2.1"), (), id="§3.2-testing"),
        pytest.param(facts(fetched("<html>")), (), id="§3.2-html"),
        # senders differ
        pytest.param(announced_by("v=STSv1"), (TLSPOL,), id="§3.1-no-field"),
        pytest.param(announced_by("v=STSv10; id=1"), (TLSPOL,), id="§3.1-version-as-prefix"),
        pytest.param(announced_by("v=STSv1; id="), (RESOLVER, TLSPOL), id="§3.1-empty-id"),
        pytest.param(announced_by("v=STSv1; id=2-1"), (RESOLVER, TLSPOL), id="§3.1-hyphen-in-id"),
        pytest.param(announced_by("v=STSv1;; id=1"), (RESOLVER, TLSPOL), id="§3.1-empty-field"),
        pytest.param(announced_by("v=STSv1; ID=1"), (TLSPOL,), id="§3.1-case-of-id"),
        pytest.param(announced_by("v=STSv1; id=1", "v=STSv1; id=2"), (TLSPOL,), id="§3.1-two"),
        pytest.param(
            announced_by("v=STSv1; id=1", "v=STSv1 ; id=2"),
            (STRICT, TLSPOL),
            id="§3.1-two-and-one-discarded",
        ),
        pytest.param(
            announced_by("v=spf1 -all", "v=STSv1 ; id=1"),
            (RESOLVER, TLSPOL),
            id="§3.1-blank-before-semicolon-among-several",
        ),
        pytest.param(rewritten(MX, "192.0.2.1"), (RESOLVER,), id="§3.2-ip-address"),
        pytest.param(
            rewritten("mx:", "mx: 192.0.2.1\nmx:"), (RESOLVER,), id="§3.2-ip-address-beside-a-name"
        ),
        pytest.param(rewritten("604800", "31557601"), (TLSPOL,), id="§3.2-max-age-over-limit"),
        pytest.param(rewritten("604800", "00000604800"), (RESOLVER, TLSPOL), id="§3.2-11-digits"),
        pytest.param(rewritten("604800", "604_800"), (RESOLVER,), id="§3.2-underscore-in-number"),
        pytest.param(rewritten("mode:", "mode :"), (TLSPOL,), id="§3.2-blank-before-colon"),
        pytest.param(rewritten("mode:", " mode:"), (TLSPOL,), id="§3.2-leading-blank"),
        pytest.param(rewritten("version", "\nversion"), (RESOLVER, TLSPOL), id="§3.2-blank-line"),
        pytest.param(
            rewritten("604800\n", "604800\n\n"), (RESOLVER, TLSPOL), id="§3.2-blank-line-at-the-end"
        ),
        pytest.param(rewritten("\n", "\r"), (RESOLVER,), id="§3.2-cr-alone"),
        pytest.param(rewritten("\n", "\r\r\n"), (RESOLVER, TLSPOL), id="§3.2-cr-cr-lf"),
        pytest.param(
            rewritten("enforce", "enforce\nmode: none"), (STRICT, TLSPOL), id="§3.2-two-modes"
        ),
        pytest.param(
            rewritten("enforce", "none\nmode: enforce"), (RESOLVER,), id="§3.2-two-modes-none-first"
        ),
        pytest.param(rewritten(MX, f"{MX}."), (RESOLVER, TLSPOL), id="§3.2-trailing-dot"),
        pytest.param(rewritten(MX, "mail.*.example"), (RESOLVER,), id="§3.2-wildcard-inside"),
        pytest.param(rewritten(MX, "*"), (RESOLVER,), id="§3.2-wildcard-alone"),
        pytest.param(rewritten(MX, "mx_1.example"), (STRICT, RESOLVER), id="rfc5321-underscore"),
        pytest.param(rewritten(MX, f"{MX} "), ALL, id="§3.2-blank-at-the-end"),
        pytest.param(
            rewritten(MX, "mail.bücher.example", content_type="text/plain; charset=utf-8"),
            (RESOLVER,),
            id="§3.2-u-label",
        ),
        pytest.param(rewritten("mode", "x: é\nmode"), (STRICT, TLSPOL), id="§3.2-utf8-no-charset"),
        pytest.param(rewritten("mode", "{x}\nmode"), (RESOLVER, TLSPOL), id="§3.2-braces"),
        pytest.param(facts(fetched(content_type="text/html")), (TLSPOL,), id="§3.2-media-type"),
        pytest.param(facts(fetched(content_type=None)), (TLSPOL,), id="§3.2-no-media-type"),
        pytest.param(
            facts(fetched(content_type="text/plain; charset=x")),
            (STRICT, TLSPOL),
            id="§3.2-unknown-charset",
        ),
        # all enforce it
        pytest.param(facts(fetched()), ALL, id="valid"),
        pytest.param(announced_by("v=STSv1 ; id=1"), ALL, id="§3.1-blank-before-semicolon"),
        pytest.param(announced_by("v=spf1 -all", "v=STSv1;id=1;"), ALL, id="§3.1-others-discarded"),
        pytest.param(rewritten("\n", "\r\n"), ALL, id="§3.2-crlf"),
        pytest.param(rewritten("enforce\n", "enforce\r\n"), ALL, id="§3.2-mixed-line-ends"),
        pytest.param(rewritten(MX, MX.upper()), ALL, id="§3.2-upper-case-mx"),
        pytest.param(rewritten(MX, "*.com"), ALL, id="§4.1-wildcard-over-one-label"),
        pytest.param(rewritten(": ", ":"), ALL, id="§3.2-no-blank"),
        pytest.param(rewritten(": ", ":\t "), ALL, id="§3.2-blanks"),
        pytest.param(rewritten("604800", "604800\nmax_age: 1"), ALL, id="§3.2-two-max-ages"),
        pytest.param(
            rewritten(MX, f"{MX}\nmx: *.example\nmx: {MX}"), ALL, id="§3.2-several-mx-and-wildcard"
        ),
        pytest.param(
            facts(fetched(content_type='TEXT/Plain ; Charset="UTF-8"')), ALL, id="§3.2-parameters"
        ),
        pytest.param(
            facts(fetched(content_type="text/plain; x=1; charset=windows-1252")),
            ALL,
            id="§3.2-charset-with-ascii-within",
        ),
        pytest.param(
            rewritten("mode", "x: é\nmode", content_type="text/plain; charset=utf-8"),
            ALL,
            id="§3.2-utf8-extension",
        ),
    ],
)
def test_where_senders_differ(sts: StsFacts, enforcing: tuple[str, ...]) -> None:
    result = judged(sts)
    if enforcing in ((), ALL):
        assert result.senders_differ is None
        expected = Answer.YES if enforcing and not result.uncovered else Answer.NO
        assert sts_enforces(result, HOSTS) is expected
        return
    others = [name for name in ALL if name not in enforcing]
    assert result.senders_differ == (
        f"enforced by {' and '.join(enforcing)}, and not by {' and '.join(others)}"
    )
    assert sts_enforces(result, HOSTS) is Answer.NOT_TESTED
    findings = {found.code for found in sts_findings(sts, result, ())}
    assert Code.STS_SENDERS_DIFFER in findings
    assert Code.STS_WITHOUT_TXT not in findings


def test_senders_that_enforce_it_for_different_hosts() -> None:
    """One implementation reads a line separator inside a value as the end of a line."""
    sts = rewritten(
        "mode", "x: a\u2028mx: b.example\nmode", content_type="text/plain; charset=utf-8"
    )
    expected = " and ".join(ALL) + " enforce it for different MX hosts"
    assert judged(sts).senders_differ == expected


@pytest.mark.parametrize(
    "fetch",
    [
        pytest.param(None, id="not-asked-for"),
        pytest.param(not_fetched(Reason.REFUSED), id="refused"),
    ],
)
def test_senders_do_not_differ_on_a_policy_that_nobody_has(fetch: PolicyFetch | None) -> None:
    assert judged(facts(fetch, txt=TxtFacts(records=("v=STSv1",)))).senders_differ is None


@given(st.text() | st.text(alphabet="version:modemxSTSv1enforce {}.*\n\r\t_-0159é"), st.text())
def test_comparing_readers_never_raises(text: str, content_type: str) -> None:
    for body in (text, policy() + "\n" + text, text + "\n" + policy()):
        judged(facts(fetched(body, content_type=content_type or None)))
    judged(announced_by(text, f"v=STSv1{text}"))


def test_hosts_are_covered_by_what_was_judged() -> None:
    assert covers_every_mx(judged(facts(fetched())), HOSTS)
    assert not covers_every_mx(judged(facts(fetched())), (*HOSTS, OTHER))


GOOD = completed(chain=(issue(MX, san=(MX,), by=issue("ca.example")).der,), path=(0,))


def certificate(**answers: Answer) -> Certificate:
    fine = {"trusted": Answer.YES, "name_matches": Answer.YES, "in_date": Answer.YES}
    plain: dict[str, Any] = dict.fromkeys(
        ("subject", "issuer", "serial", "not_before", "not_after", "key", "signature")
    )
    known = {"san": (MX,), "sha256": "00", "spki_sha256": None}
    return Certificate(**(plain | known | fine | answers))


def endpoint(seen: EndpointFacts = GOOD, **answers: Answer) -> Endpoint:
    judged_one = judge_endpoint(seen, TRUST, CertificateReader())
    if not answers:
        return judged_one
    fields = {name: getattr(judged_one, name) for name in EndpointFacts.__dataclass_fields__}
    return Endpoint(**fields, certificate=certificate(**answers))


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        pytest.param(endpoint(confirmed(not_offered())), ("no TLS",), id="§4-no-starttls"),
        pytest.param(endpoint(completed(tls_version="TLSv1.1")), 2, id="§7.2-tls-1.1"),
        pytest.param(endpoint(completed(chain=())), ("no certificate",), id="§4-anonymous"),
        pytest.param(
            endpoint(trusted=Answer.NO), ("a certificate that is not trusted",), id="§4.2-trust"
        ),
        pytest.param(
            endpoint(in_date=Answer.NO), ("a certificate out of date",), id="§4.2-expired"
        ),
        pytest.param(
            endpoint(name_matches=Answer.NO), ("a certificate for another name",), id="§4.2-dns-id"
        ),
        pytest.param(endpoint(trusted=Answer.NO, in_date=Answer.NO), 2, id="§4.2-both"),
        pytest.param(endpoint(not_offered()), (), id="unconfirmed-is-not-proven"),
        pytest.param(endpoint(untested()), (), id="not-tested-is-no-fault"),
        pytest.param(endpoint(trusted=Answer.NOT_TESTED), (), id="trust-not-tested-is-no-fault"),
        pytest.param(judge_endpoint(GOOD, NO_TRUST, CertificateReader()), (), id="no-trust-store"),
        pytest.param(endpoint(), (), id="§4.2-good"),
    ],
)
def test_what_a_sender_refuses(seen: Endpoint, says: tuple[str, ...] | int) -> None:
    refusals = sts_refusals(seen)
    assert len(refusals) == says if isinstance(says, int) else refusals == says


def codes(sts: StsFacts, *endpoints: Endpoint, hosts: Sequence[MxHost] = HOSTS) -> list[Code]:
    return [found.code for found in sts_findings(sts, judged(sts, hosts), endpoints)]


BAD = endpoint(trusted=Answer.NO)


@pytest.mark.parametrize(
    ("sts", "expected"),
    [
        pytest.param(facts(txt=TxtFacts()), [], id="absent"),
        pytest.param(facts(txt=NO_TXT), [Code.STS_NOT_TESTED], id="§3.1-tempfail"),
        pytest.param(
            facts(txt=TxtFacts(records=("v=STSv1",))), [Code.STS_TXT_INVALID], id="§3.1-invalid"
        ),
        pytest.param(
            facts(fetched(), txt=TxtFacts()), [Code.STS_WITHOUT_TXT], id="§3.1-without-txt"
        ),
        pytest.param(
            facts(fetched(), txt=TxtFacts(records=("v=STSv1",))),
            [Code.STS_TXT_INVALID, Code.STS_SENDERS_DIFFER],
            id="§3.1-invalid-and-a-policy",
        ),
        pytest.param(
            facts(fetched(), txt=TxtFacts(records=("v = STSv1; id=1",))),
            [Code.STS_TXT_INVALID, Code.STS_WITHOUT_TXT],
            id="§3.1-invalid-for-every-sender-and-a-policy",
        ),
        pytest.param(
            facts(fetched(policy("enforce", MX, "192.0.2.1"))),
            [Code.STS_POLICY_INVALID, Code.STS_SENDERS_DIFFER],
            id="§3.2-ip-address",
        ),
        pytest.param(
            facts(fetched("<html>"), txt=TxtFacts()), [], id="a-web-server-that-answers-anything"
        ),
        pytest.param(
            facts(not_fetched(Reason.REFUSED), txt=TxtFacts()), [], id="no-txt-and-no-policy"
        ),
        pytest.param(facts(), [Code.STS_NOT_TESTED], id="not-asked"),
        *(
            pytest.param(facts(not_fetched(reason)), [Code.STS_NOT_TESTED], id=f"here-{reason}")
            for reason in (
                Reason.LOCAL,
                Reason.NO_IPV4_HERE,
                Reason.NO_IPV6_HERE,
                Reason.NO_NAMESERVER,
                Reason.PRIVATE_ADDRESS,
            )
        ),
        pytest.param(
            facts(not_fetched(Reason.BAD_REPLY, http_status=301, certificate_trusted=True)),
            [Code.STS_POLICY_FETCH_ERROR],
            id="§3.3-redirect",
        ),
        pytest.param(
            facts(not_fetched(Reason.TLS_ERROR, certificate_trusted=None)),
            [Code.STS_POLICY_FETCH_ERROR],
            id="§3.3-no-tls",
        ),
        pytest.param(
            facts(not_fetched(Reason.TLS_ERROR, certificate_trusted=False)),
            [Code.STS_WEBPKI_INVALID],
            id="rfc8460-§4.3.2.2-webpki",
        ),
        pytest.param(facts(fetched("")), [Code.STS_POLICY_INVALID], id="rfc8460-§4.3.2.2-policy"),
        pytest.param(facts(fetched(policy("none"))), [Code.STS_NOT_ENFORCED], id="§5-none"),
        pytest.param(
            facts(fetched(policy("none", max_age=60))), [Code.STS_NOT_ENFORCED], id="none-and-short"
        ),
        pytest.param(
            facts(fetched(policy("testing"))),
            [Code.STS_MX_FAILS, Code.STS_NOT_ENFORCED],
            id="§5-testing",
        ),
        pytest.param(facts(fetched()), [Code.STS_MX_FAILS], id="§5-enforce"),
        pytest.param(
            facts(fetched(policy("enforce", max_age=86_399))),
            [Code.STS_MX_FAILS, Code.STS_MAX_AGE_SHORT],
            id="§3.2-less-than-a-day",
        ),
        pytest.param(
            facts(fetched(policy("enforce", max_age=86_400))), [Code.STS_MX_FAILS], id="a-day"
        ),
        pytest.param(
            facts(fetched(policy("enforce", "mx.other.example"))),
            [Code.STS_MX_NOT_LISTED],
            id="§4.1-not-listed-is-not-asked-for-more",
        ),
    ],
)
def test_findings(sts: StsFacts, expected: list[Code]) -> None:
    assert codes(sts, BAD) == expected


def test_a_good_domain_has_no_findings() -> None:
    assert codes(facts(fetched()), endpoint(), endpoint(untested())) == []


def test_findings_say_where_and_what() -> None:
    patterns = [f"mx{number}.other.example" for number in range(7)]
    sts = facts(fetched(policy("enforce", MX, *patterns)))
    result = judged(sts, (*HOSTS, OTHER))
    not_listed, fails = sts_findings(sts, result, [BAD])
    assert not_listed.mx_host == "mx.other.example"
    assert not_listed.detail == (
        "the policy lists mx.example.com, mx0.other.example, mx1.other.example, "
        "mx2.other.example, mx3.other.example and 3 more"
    )
    assert (fails.mx_host, fails.address) == (MX, "192.0.2.1")
    assert fails.detail == "a certificate that is not trusted"


REASONS = st.sampled_from(Reason)
FETCHES = st.none() | st.builds(
    PolicyFetch,
    url=st.just(URL),
    http_status=st.none() | st.integers(),
    content_type=st.none() | st.text() | st.just("text/plain"),
    body=st.none() | st.text() | st.just(policy()) | st.just(policy("testing")),
    certificate_trusted=st.none() | st.booleans(),
    failure=st.none() | REASONS.map(lambda reason: Failure(step=Step.CONNECT, reason=reason)),
)
TXTS = st.builds(
    TxtFacts,
    records=st.lists(st.text() | st.just("v=STSv1; id=1")).map(tuple),
    failure=st.none() | REASONS.map(lambda reason: Failure(step=Step.RESOLVE, reason=reason)),
)


@given(st.builds(StsFacts, txt=TXTS, fetch=FETCHES))
def test_any_facts_can_be_judged(sts: StsFacts) -> None:
    result = judged(sts)
    findings = sts_findings(sts, result, [BAD])
    if sts_enforces(result, HOSTS) is Answer.YES:
        assert sts.txt.failure is None
        assert sts.fetch is not None
        assert sts.fetch.failure is None
        assert Code.STS_NOT_TESTED not in [finding.code for finding in findings]
    if sts.txt.failure is not None:
        assert [finding.code for finding in findings] == [Code.STS_NOT_TESTED]


def test_the_dates_of_these_tests_are_right() -> None:
    assert endpoint().certificate is not None
    assert endpoint().observed_at == NOW
