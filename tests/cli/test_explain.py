"""``probe explain``: a finding is explained without asking anybody."""

import json

import pytest

from prober.records import Code, Severity
from prober.rules.clauses import CLAUSES
from prober.rules.operator_advice import OPERATORS
from tests.cli.commands import invoke


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("code", Code)
def test_a_code_is_explained(code: Code) -> None:
    ended = invoke("explain", code)

    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith(f"{code} ({code.severity})\n")
    assert ended.out.isascii()  # shown on any terminal
    assert max(map(len, ended.out.splitlines())) <= 80
    assert code.meaning in words(ended.out)
    assert f"What to do: {code.advice}" in words(ended.out)
    assert f"Norm: {code.norm.replace('§', 'section ')}" in words(ended.out)


@pytest.mark.parametrize("code", Code)
def test_the_clauses_of_norms_are_told(code: Code) -> None:
    out = words(invoke("explain", code).out)
    told = out.partition(" Clauses it is evidence on: ")[2]
    named = [f"{norm} {where}".replace("§", "section ") for norm, where in CLAUSES[code].items()]
    assert told == "; ".join(named)


def test_several_codes_are_explained_in_the_order_given() -> None:
    out = invoke("explain", "null-mx", "bare-lf").out
    assert out.index("null-mx (info)") < out.index("\n\nbare-lf (low)")


@pytest.mark.parametrize("typed", ["NULL-MX", "null_mx", " null-mx ", "NULL_MX"])
def test_a_code_may_be_typed_in_any_case_and_with_underscores(typed: str) -> None:
    assert invoke("explain", typed) == invoke("explain", "null-mx")


def test_advice_that_depends_on_the_operator_is_told() -> None:
    out = words(invoke("explain", "tlsa-insecure").out)
    assert f"If the MX host is under google.com or googlemail.com: {OPERATORS['google.com']}" in out
    assert f"If the MX host is under mx.microsoft: {OPERATORS['mx.microsoft']}" in out
    assert "google" not in invoke("explain", "null-mx").out


def test_without_a_code_all_are_listed_most_severe_first() -> None:
    ended = invoke("explain")
    rows = [line.split(maxsplit=2) for line in ended.out.splitlines()]

    assert (ended.status, ended.err) == (0, "")
    assert {code: (severity, meaning) for severity, code, meaning in rows} == {
        str(code): (str(code.severity), code.meaning) for code in Code
    }
    ranks = [list(Severity).index(Severity(severity)) for severity, *_ in rows]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("starttls-not-suported", "starttls-not-supported"),
        ("mx-cname", "mx-is-cname"),
        ("tlsa", "tlsa-"),
        ("certificate", "certificate-"),
        ("expired", "certificate-expired"),
    ],
)
def test_an_unknown_code_is_refused_with_the_nearest(typed: str, nearest: str) -> None:
    ended = invoke("explain", "null-mx", typed)

    assert (ended.status, ended.out) == (2, "")
    assert f"no finding has the code '{typed}'" in ended.err
    assert nearest in ended.err


def test_what_is_like_no_code_is_refused_with_the_way_to_the_list() -> None:
    ended = invoke("explain", "zzz\x1b[2J" + "q" * 500)

    assert (ended.status, ended.out) == (2, "")
    assert "`probe explain` lists all" in ended.err
    assert "\x1b" not in ended.err
    assert len(ended.err) < 250


def test_json_has_the_whole_rows() -> None:
    [row] = json.loads(invoke("explain", "-f", "json", "tlsa-insecure").out)
    assert row == {
        "code": "tlsa-insecure",
        "severity": "low",
        "meaning": Code.TLSA_INSECURE.meaning,
        "advice": Code.TLSA_INSECURE.advice,
        "norm": Code.TLSA_INSECURE.norm,
        "advice_by_operator": dict(OPERATORS),
        "clauses": {"NIST SP 800-177r1": "§5.2", "BSI TR-03108 v2.0": "§4.1.5"},
    }
    rows = json.loads(invoke("explain", "-f", "json").out)
    assert {row["code"] for row in rows} == set(Code)
    assert [row["code"] for row in rows if row["advice_by_operator"]] != list(Code)
