"""The grammar of MTA-STS, RFC 8461 §3.1 and §3.2, and the match of §4.1: negative rows first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.records import StsStatus
from prober.rules.sts_policy import (
    StsPolicy,
    StsRecord,
    is_covered,
    parse_policy,
    parse_sts_txt,
)
from prober.rules.txt_record import Invalid

VALID = "version: STSv1\nmode: enforce\nmx: mail.example.com\nmax_age: 604800\n"


@pytest.mark.parametrize(
    ("records", "says"),
    [
        pytest.param(["v=STSv1; id=1", "v=STSv1; id=1"], "2 records", id="§3.1-not-one"),
        pytest.param(["v=STSv1"], "does not begin", id="§3.1-no-field"),
        pytest.param(["v=STSv1 "], "does not begin", id="§3.1-blank-and-no-field"),
        pytest.param(["v=STSv1 id=1"], "does not begin", id="§3.1-blank-for-a-semicolon"),
        pytest.param(["v=STSv1\n; id=1"], "does not begin", id="§3.1-line-end-before-semicolon"),
        pytest.param(["v=STSv1 ;; id=1"], "a field is empty", id="§3.1-empty-field-after-blank"),
        pytest.param(["v=STSv1 ;"], "no id", id="§3.1-only-a-delimiter-with-a-blank"),
        pytest.param(
            ["v=spf1 -all", "v=STSv1 ; id=1"],
            "among several records",
            id="§3.1-blank-before-semicolon-among-several",
        ),
        pytest.param(
            ["v=STSv1 ; id=1", "v=STSv1 ; id=1"],
            "among several records",
            id="§3.1-blank-before-semicolon-twice",
        ),
        pytest.param(["V=STSv1; id=1"], "does not begin", id="§3.1-case-of-v"),
        pytest.param(["v=stsv1; id=1"], "does not begin", id="§3.1-case-of-version"),
        pytest.param([" v=STSv1; id=1"], "does not begin", id="§3.1-leading-blank"),
        pytest.param(['"v=STSv1; id=1"'], "does not begin", id="§3.1-quotation-marks"),
        pytest.param(["v=STSv1;"], "no id", id="§3.1-only-a-delimiter"),
        pytest.param(["v=STSv1; "], "no id", id="§3.1-only-a-delimiter-and-a-blank"),
        pytest.param(["v=STSv1; x=1"], "no id", id="§3.1-id-is-required"),
        pytest.param(["v=STSv1; ID=1"], "no id", id="§3.1-case-of-id"),
        pytest.param(["v=STSv1; id="], "letters and digits", id="§3.1-empty-id"),
        pytest.param(["v=STSv1; id=" + "1" * 33], "letters and digits", id="§3.1-33-characters"),
        pytest.param(["v=STSv1; id=2026-01-02"], "letters and digits", id="§3.1-hyphen-in-id"),
        pytest.param(["v=STSv1; id=²"], "letters and digits", id="§3.1-no-ascii-digit"),
        pytest.param(["v=STSv1; id=1 "], "letters and digits", id="§3.1-blank-at-the-end"),
        pytest.param(["v=STSv1; id=1\n"], "letters and digits", id="§3.1-line-end"),
        pytest.param(["v=STSv1; id=a!; id=1"], "letters and digits", id="§3.2-first-id-counts"),
        pytest.param(["v=STSv1;; id=1"], "a field is empty", id="§3.1-empty-field"),
        pytest.param(["v=STSv1; id=1;;"], "a field is empty", id="§3.1-two-at-the-end"),
        pytest.param(["v=STSv1; id 1"], "not name=value", id="§3.1-no-equals"),
        pytest.param(["v=STSv1; id =1"], "not name=value", id="§3.1-blank-in-name"),
        pytest.param(["v=STSv1; id=1, x=2"], "letters and digits", id="§3.1-comma"),
        pytest.param(["v=STSv1; id=1; -x=2"], "not name=value", id="§3.1-name-begins-with-hyphen"),
        pytest.param(["v=STSv1; id=1; x="], "may not be", id="§3.1-empty-value"),
        pytest.param(["v=STSv1; id=1; x=a=b"], "may not be", id="§3.1-equals-in-value"),
        pytest.param(["v=STSv1; id=1; x=a b"], "may not be", id="§3.1-blank-in-value"),
        pytest.param(["v=STSv1; id=1; " + "x" * 33 + "=1"], "not name=value", id="§3.1-name-of-33"),
    ],
)
def test_txt_records_that_senders_must_not_use(records: list[str], says: str) -> None:
    result = parse_sts_txt(records)
    assert isinstance(result, Invalid)
    assert says in result.reason


@pytest.mark.parametrize(
    "records",
    [
        pytest.param([], id="§3.1-none"),
        pytest.param(["v=spf1 -all", "google-site-verification=x"], id="§3.1-others-discarded"),
        pytest.param(["v=STSv10; id=1"], id="§3.1-another-version"),
        pytest.param(["v=STSv2; id=1"], id="§3.1-a-later-version"),
        pytest.param(["x v=STSv1; id=1"], id="§3.1-not-at-the-beginning"),
    ],
)
def test_txt_records_of_something_else(records: list[str]) -> None:
    assert parse_sts_txt(records) is None


@pytest.mark.parametrize(
    ("records", "identifier"),
    [
        pytest.param(["v=STSv1; id=20160831085700Z;"], "20160831085700Z", id="§3.1-example"),
        pytest.param(["v=STSv1;id=1"], "1", id="§3.1-no-blank"),
        pytest.param(["v=STSv1;\t id=1 \t;\t"], "1", id="§3.1-blanks-around-delimiters"),
        pytest.param(["v=STSv1 ; id=1"], "1", id="§3.1-blank-before-semicolon"),
        pytest.param(["v=STSv1 \t;id=1"], "1", id="§3.1-blanks-before-semicolon"),
        pytest.param(["v=STSv1; id=" + "a" * 32], "a" * 32, id="§3.1-32-characters"),
        pytest.param(["v=STSv1; x.y-z_1=a:b; id=1"], "1", id="§3.1-any-order-and-extensions"),
        pytest.param(["v=STSv1; id=1; id=not-one"], "1", id="§3.2-first-id-counts"),
        pytest.param(["v=spf1 -all", "v=STSv1; id=1"], "1", id="§3.1-others-discarded"),
        pytest.param(["v=STSv1 ; id=2", "v=STSv1; id=1"], "1", id="§3.1-misspelt-discarded"),
    ],
)
def test_txt_records_that_are_valid(records: list[str], identifier: str) -> None:
    assert parse_sts_txt(records) == StsRecord(identifier)


def policy(**changes: str | None) -> str:
    """A valid policy, but for *changes*; None leaves a field out."""
    fields: dict[str, str | None] = {
        "version": "STSv1",
        "mode": "enforce",
        "mx": "mail.example.com",
        "max_age": "604800",
    }
    lines = (f"{name}: {value}\n" for name, value in (fields | changes).items() if value)
    return "".join(lines)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param("", "no version, no mode, no max_age", id="§3.2-empty"),
        pytest.param("<html>", "line 1", id="§3.2-html"),
        pytest.param('{"version": "STSv1"}', "line 1", id="§3.2-json"),
        pytest.param("\ufeff" + VALID, "line 1", id="§3.2-byte-order-mark"),
        pytest.param(policy(version=None), "no version", id="§3.2-no-version"),
        pytest.param(policy(mode=None), "no mode", id="§3.2-no-mode"),
        pytest.param(policy(max_age=None), "no max_age", id="§3.2-no-max-age"),
        pytest.param(policy(mx=None), "no mx", id="§3.2-no-mx"),
        pytest.param(policy(mx=None, mode="testing"), "no mx", id="§3.2-no-mx-testing"),
        pytest.param(policy(version="STSv2"), "version", id="§3.2-version"),
        pytest.param(policy(version="stsv1"), "version", id="§3.2-case-of-version"),
        pytest.param(policy(mode="report"), "mode", id="§3.2-mode-of-a-draft"),
        pytest.param(policy(mode="Enforce"), "mode", id="§3.2-case-of-mode"),
        pytest.param(policy(mode="absent"), "mode", id="§3.2-a-status-is-no-mode"),
        pytest.param(policy(max_age="31557601"), "max_age", id="§3.2-max-age-too-long"),
        pytest.param(policy(max_age="00000000001"), "max_age", id="§3.2-11-digits"),
        pytest.param(policy(max_age="-1"), "max_age", id="§3.2-negative"),
        pytest.param(policy(max_age="1e5"), "max_age", id="§3.2-no-digits"),
        pytest.param(policy(max_age="٣٠٠"), "max_age", id="§3.2-no-ascii-digits"),
        pytest.param(policy(max_age="1_000"), "max_age", id="§3.2-underscore"),
        pytest.param(policy(mx="mail.*.example.com"), "wildcard", id="§3.2-wildcard-inside"),
        pytest.param(policy(mx="*mail.example.com"), "wildcard", id="§4.1-part-of-a-label"),
        pytest.param(policy(mx="*.*.example.com"), "wildcard", id="§4.1-two-wildcards"),
        pytest.param(policy(mx="*"), "wildcard", id="§3.2-wildcard-alone"),
        pytest.param(policy(mx="*."), "is empty", id="§3.2-wildcard-and-dot"),
        pytest.param(policy(mx=".example.com"), "empty label", id="§3.2-suffix-of-a-draft"),
        pytest.param(policy(mx="mail.example.com."), "empty label", id="§3.2-trailing-dot"),
        pytest.param(policy(mx="mail.bücher.example"), "not ASCII", id="§3.2-u-label"),
        pytest.param(policy(mx="192.0.2.1"), "IP address", id="§3.2-ip-address"),
        pytest.param(policy(mx="a.example, b.example"), "not a host name", id="§3.2-list"),
        pytest.param(policy(mx="a.example b.example"), "not a host name", id="§3.2-blank-in-mx"),
        pytest.param(VALID + "mx:\n", "line 5", id="§3.2-mx-without-a-value"),
        pytest.param(VALID + "x\n", "line 5", id="§3.2-no-colon"),
        pytest.param(VALID + "x : y\n", "line 5", id="§3.2-blank-before-colon"),
        pytest.param(" " + VALID, "line 1", id="§3.2-leading-blank"),
        pytest.param(VALID + "x: a\tb\n", "line 5", id="§3.2-tab-in-value"),
        pytest.param(VALID + "x: a\x00\n", "line 5", id="§3.2-nul"),
        pytest.param(VALID + "x" * 33 + ": y\n", "line 5", id="§3.2-name-of-33"),
        pytest.param(VALID.replace("\n", "\r"), "line 1", id="§3.2-cr-alone"),
        pytest.param(VALID.replace("\n", "\r\r\n"), "line 1", id="§3.2-cr-cr-lf"),
        pytest.param(VALID.replace("\n", "\x0b"), "line 1", id="§3.2-vertical-tab"),
        pytest.param(
            policy(mode="none", mx="*.*.example.com"), "wildcard", id="§3.2-none-and-a-bad-mx"
        ),
    ],
)
def test_policies_that_are_invalid(body: str, says: str) -> None:
    result = parse_policy(body)
    assert isinstance(result, Invalid)
    assert says in result.reason
    assert result.reason.isascii()


ENFORCE = StsPolicy(mode=StsStatus.ENFORCE, max_age=604_800, mx=("mail.example.com",))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(VALID, ENFORCE, id="§3.2-lf"),
        pytest.param(VALID.replace("\n", "\r\n"), ENFORCE, id="§3.2-crlf"),
        pytest.param(VALID.replace("\n", "\r\n", 2), ENFORCE, id="§3.2-both"),
        pytest.param(VALID.removesuffix("\n"), ENFORCE, id="§3.2-no-last-line-end"),
        pytest.param(VALID.replace(": ", ":"), ENFORCE, id="§3.2-no-blank"),
        pytest.param(VALID.replace(": ", ": \t"), ENFORCE, id="§3.2-blanks-before-value"),
        pytest.param(VALID.replace("\n", " \t\n"), ENFORCE, id="§3.2-blanks-at-the-end"),
        pytest.param("\n".join(reversed(VALID.split())), None, id="not-a-permutation-of-words"),
        pytest.param(
            "max_age: 604800\nmx: mail.example.com\nmode: enforce\nversion: STSv1",
            ENFORCE,
            id="§3.2-any-order",
        ),
        pytest.param(VALID + "x.y_z-1: any thing: é\n", ENFORCE, id="§3.2-unknown-ignored"),
        pytest.param("policy: 1\n" + VALID, ENFORCE, id="§3.2-unknown-first"),
        pytest.param(VALID + "mode: none\n", ENFORCE, id="§3.2-first-mode-counts"),
        pytest.param(VALID + "mode: nonsense\n", ENFORCE, id="§3.2-what-is-ignored-may-be-wrong"),
        pytest.param(VALID + "max_age: 1\n", ENFORCE, id="§3.2-first-max-age-counts"),
        pytest.param(VALID + "version: STSv2\n", ENFORCE, id="§3.2-first-version-counts"),
        pytest.param(VALID + "mx: MAIL.example.com\n", ENFORCE, id="§3.2-mx-twice"),
        pytest.param(
            policy(mode="testing", mx="*.example.com", max_age="0"),
            StsPolicy(mode=StsStatus.TESTING, max_age=0, mx=("*.example.com",)),
            id="§3.2-testing-wildcard-zero",
        ),
        pytest.param(
            policy(mode="none", mx=None, max_age="31557600"),
            StsPolicy(mode=StsStatus.NONE, max_age=31_557_600),
            id="§3.2-none-needs-no-mx",
        ),
        pytest.param(
            VALID + "mx: xn--bcher-kva.example\nmx: localhost\n",
            StsPolicy(
                mode=StsStatus.ENFORCE,
                max_age=604_800,
                mx=("mail.example.com", "xn--bcher-kva.example", "localhost"),
            ),
            id="§3.2-several-mx-a-label-single-label",
        ),
    ],
)
def test_policies_that_are_valid(body: str, expected: StsPolicy | None) -> None:
    result = parse_policy(body)
    assert result == expected if expected is not None else isinstance(result, Invalid)


@pytest.mark.parametrize("body", [VALID + "\n", VALID.replace("\n", "\n \n", 1), "\r\n" + VALID])
def test_an_empty_line_is_skipped_with_a_remark(body: str) -> None:
    result = parse_policy(body)
    assert isinstance(result, StsPolicy)
    assert result.mode is StsStatus.ENFORCE
    assert "is empty" in result.remarks[0]


@pytest.mark.parametrize(
    ("pattern", "mx_host", "expected"),
    [
        pytest.param("*.example.com", "example.com", False, id="§4.1-not-the-domain-itself"),
        pytest.param("*.example.com", "foo.bar.example.com", False, id="§4.1-one-label-only"),
        pytest.param("*.example.com", "mail.notexample.com", False, id="not-a-suffix-of-text"),
        pytest.param("*.example.com", "mail.example.com.evil.test", False, id="anchored"),
        pytest.param("example.com", "mail.example.com", False, id="§4.1-no-sub-domain"),
        pytest.param("mail.example.com", "mail.example.co", False, id="shorter"),
        pytest.param("*.com", "example.com", False, id="wildcard-over-a-top-level-domain"),
        pytest.param("*.example.com", "*.example.com", False, id="no-host-name"),
        pytest.param("*.0.2.1", "192.0.2.1", False, id="ip-address"),
        pytest.param("*.example.com", "mail.example.com", True, id="§4.1-example"),
        pytest.param("mail.example.com", "mail.example.com", True, id="§4.1-equal"),
        pytest.param("*.example.com", "xn--bcher-kva.example.com", True, id="a-label"),
    ],
)
def test_which_mx_hosts_a_policy_lists(pattern: str, mx_host: str, *, expected: bool) -> None:
    assert is_covered(mx_host, ("other.example.net", pattern)) is expected


# text that comes close to the grammar finds more than text at large
NEAR = st.lists(
    st.sampled_from(
        [
            "v=STSv1",
            "version",
            "STSv1",
            "mode",
            "enforce",
            "none",
            "mx",
            "*.",
            "a.example",
            "max_age",
            "604800",
            "id",
            "=",
            ";",
            ":",
            " ",
            "\t",
            "\n",
            "\r\n",
            "\x00",
            "é",
        ]
    )
).map("".join)


@given(st.lists(st.text() | NEAR | NEAR.map("v=STSv1;".__add__)))
def test_reading_txt_records_never_raises(records: list[str]) -> None:
    result = parse_sts_txt(records)
    if isinstance(result, StsRecord):
        assert 1 <= len(result.id) <= 32


@given(st.text() | NEAR | NEAR.map(VALID.__add__) | NEAR.map(lambda text: text + VALID))
def test_reading_policies_never_raises(body: str) -> None:
    result = parse_policy(body)
    if isinstance(result, StsPolicy):
        assert 0 <= result.max_age <= 31_557_600
        assert result.mx or result.mode is StsStatus.NONE


@given(st.text(), st.lists(st.text() | NEAR))
def test_matching_never_raises(mx_host: str, patterns: list[str]) -> None:
    assert is_covered(mx_host, patterns) in (True, False)


def test_a_policy_with_thousands_of_patterns_takes_no_time() -> None:
    patterns = "".join(f"mx: {number}.test\n" for number in range(4_000))
    result = parse_policy(VALID + patterns)
    assert isinstance(result, StsPolicy)
    assert is_covered("3999.test", result.mx)
