"""TLS-RPT records, RFC 8460 §3: negative rows first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.records import Code, Failure, Reason, Step, TlsRpt, TlsRptStatus, TxtFacts
from prober.rules.tls_rpt import TlsRptRecord, judge_tls_rpt, parse_tls_rpt, tls_rpt_findings
from prober.rules.txt_record import Invalid

MAIL = "mailto:reports@example.com"
WEB = "https://reporting.example.com/v1/tlsrpt"


@pytest.mark.parametrize(
    ("records", "says"),
    [
        pytest.param([f"v=TLSRPTv1; rua={MAIL}"] * 2, "2 records", id="§3-not-one"),
        pytest.param(["v=TLSRPTv1"], "does not begin", id="§3-no-field"),
        pytest.param(
            [f"v=TLSRPTv1 ; rua={MAIL}", "v=spf1 -all"],
            "among several records",
            id="§3-blank-before-semicolon-among-several",
        ),
        pytest.param([f"v=TLSRPTv1 rua={MAIL}"], "does not begin", id="§3-no-semicolon"),
        pytest.param([f"v=tlsrptv1; rua={MAIL}"], "does not begin", id="§3-case"),
        pytest.param(["v=TLSRPTv1;"], "no rua", id="§3-nothing"),
        pytest.param(["v=TLSRPTv1; x=1"], "no rua", id="§3-rua-is-required"),
        pytest.param([f"v=TLSRPTv1; RUA={MAIL}"], "no rua", id="§3-case-of-rua"),
        pytest.param(["v=TLSRPTv1; rua="], "no scheme", id="§3-empty"),
        pytest.param(["v=TLSRPTv1; rua=reports@example.com"], "no scheme", id="§3-no-scheme"),
        pytest.param(["v=TLSRPTv1; rua=mailto:"], "not a URI", id="§3-nothing-after-the-scheme"),
        pytest.param(["v=TLSRPTv1; rua=mailto:reports"], "no mailbox", id="§3-no-mailbox"),
        pytest.param(["v=TLSRPTv1; rua=mailto:@example.com"], "no mailbox", id="§3-no-local-part"),
        pytest.param(["v=TLSRPTv1; rua=https:///v1"], "no host", id="§3-no-host"),
        pytest.param(["v=TLSRPTv1; rua=https:example.com"], "no host", id="§3-no-slashes"),
        pytest.param([f"v=TLSRPTv1; rua={MAIL}!10m"], "not a URI", id="§3-exclamation-mark"),
        pytest.param([f"v=TLSRPTv1; rua={MAIL},"], "no scheme", id="§3-comma-at-the-end"),
        pytest.param([f"v=TLSRPTv1; rua={MAIL} {WEB}"], "not a URI", id="§3-blank-between"),
        pytest.param([f"v=TLSRPTv1; rua = {MAIL}"], "not name=value", id="§3-blank-in-name"),
        pytest.param(["v=TLSRPTv1; rua=mailto:é@example.com"], "not a URI", id="rfc3986-ascii"),
        pytest.param(["v=TLSRPTv1; rua=http://example.com"], "neither", id="§3-scheme"),
        pytest.param([f"v=TLSRPTv1; rua={MAIL}; x=a=b"], "may not be", id="§3-extension-value"),
        pytest.param([f"v=TLSRPTv1;; rua={MAIL}"], "a field is empty", id="§3-empty-field"),
    ],
)
def test_records_that_are_invalid(records: list[str], says: str) -> None:
    result = parse_tls_rpt(records)
    assert isinstance(result, Invalid)
    assert says in result.reason


@pytest.mark.parametrize(
    "records",
    [
        pytest.param([], id="§3-none"),
        pytest.param(["v=spf1 -all"], id="§3-others-discarded"),
        pytest.param([f"v=TLSRPTv2; rua={MAIL}"], id="§3-another-version"),
        pytest.param([f"v=TLSRPTv10; rua={MAIL}"], id="§3-another-version-still"),
    ],
)
def test_records_of_something_else(records: list[str]) -> None:
    assert parse_tls_rpt(records) is None


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        pytest.param([f"v=TLSRPTv1;rua={MAIL}"], TlsRptRecord((MAIL,)), id="§3-example-mailto"),
        pytest.param([f"v=TLSRPTv1; rua={WEB}"], TlsRptRecord((WEB,)), id="§3-example-https"),
        pytest.param(
            [f"v=TLSRPTv1 \t; rua={MAIL}"], TlsRptRecord((MAIL,)), id="§3-blank-before-semicolon"
        ),
        pytest.param(
            [f"v=TLSRPTv1; rua={MAIL} , {WEB} ; "], TlsRptRecord((MAIL, WEB)), id="§3-two-uris"
        ),
        pytest.param(
            [f"v=TLSRPTv1; rua={MAIL}; rua={WEB}"], TlsRptRecord((MAIL, WEB)), id="§3-two-ruas"
        ),
        pytest.param(
            ["v=TLSRPTv1; rua=https://h.example/?a=b&c=%2C"],
            TlsRptRecord(("https://h.example/?a=b&c=%2C",)),
            id="§3-equals-in-a-uri",
        ),
        pytest.param(
            ["v=TLSRPTv1; rua=MAILTO:a@h.example?subject=x"],
            TlsRptRecord(("MAILTO:a@h.example?subject=x",)),
            id="rfc3986-scheme-in-any-case",
        ),
        pytest.param(
            [f"v=TLSRPTv1; x=1; rua={MAIL}; y.z=2", "v=spf1 -all"],
            TlsRptRecord((MAIL,)),
            id="§3-unknown-ignored",
        ),
        pytest.param(
            [f"v=TLSRPTv1; rua=ftp://h.example,{MAIL}"],
            TlsRptRecord((MAIL,), ("ftp://h.example",)),
            id="§3-another-scheme-beside",
        ),
    ],
)
def test_records_that_are_valid(records: list[str], expected: TlsRptRecord) -> None:
    assert parse_tls_rpt(records) == expected


FAILED = TxtFacts(failure=Failure(step=Step.RESOLVE, reason=Reason.TIMED_OUT))


@pytest.mark.parametrize(
    ("txt", "expected", "codes"),
    [
        pytest.param(None, None, [], id="not-looked-up"),
        pytest.param(
            FAILED,
            TlsRpt(status=TlsRptStatus.NOT_TESTED, detail="timed-out at resolve"),
            [],
            id="a-failure-is-not-absence",
        ),
        pytest.param(TxtFacts(), TlsRpt(status=TlsRptStatus.ABSENT), [], id="absent"),
        pytest.param(
            TxtFacts(records=("v=TLSRPTv1;",)),
            TlsRpt(status=TlsRptStatus.INVALID, detail="there is no rua"),
            [Code.TLS_RPT_INVALID],
            id="invalid",
        ),
        pytest.param(
            TxtFacts(records=(f"v=TLSRPTv1; rua={MAIL}",)),
            TlsRpt(status=TlsRptStatus.VALID, rua=(MAIL,)),
            [],
            id="valid",
        ),
        pytest.param(
            TxtFacts(records=(f"v=TLSRPTv1; rua={MAIL},ftp://h.example",)),
            TlsRpt(status=TlsRptStatus.VALID, rua=(MAIL,), detail="ignored: 'ftp://h.example'"),
            [],
            id="valid-in-part",
        ),
    ],
)
def test_judgement(txt: TxtFacts | None, expected: TlsRpt | None, codes: list[Code]) -> None:
    judged = judge_tls_rpt(txt)
    assert judged == expected
    assert [finding.code for finding in tls_rpt_findings(judged)] == codes


NEAR = st.lists(
    st.sampled_from(["rua", "=", ";", ",", "mailto:", "https://", "a@b", "!", " ", "\n", "é"])
).map("".join)


@given(st.lists(st.text() | NEAR.map("v=TLSRPTv1;".__add__)))
def test_reading_never_raises(records: list[str]) -> None:
    result = parse_tls_rpt(records)
    if isinstance(result, TlsRptRecord):
        assert result.rua
