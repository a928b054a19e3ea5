"""The catalogue of findings: every row is whole, and its text can be shown anywhere."""

import pickle
import re

import msgspec
import pytest

from prober.records import Code, Finding, Severity, finding


@pytest.mark.parametrize("code", Code)
def test_each_row_says_what_it_means_and_what_to_do(code: Code) -> None:
    for text in (code.meaning, code.advice):
        assert text.isascii()  # shown on any terminal
        assert text.isprintable()
        assert text[0].isupper() or text.startswith("https:")
        assert text.endswith(".")
        assert "  " not in text
        assert "|" not in text  # a cell of docs/findings.md
    assert ". " not in code.meaning  # one sentence
    assert len(code.meaning) < 200
    assert len(code.advice) < 200


@pytest.mark.parametrize("code", Code)
def test_each_row_has_a_norm_with_its_section(code: Code) -> None:
    whole = {"RFC 7505", "RFC 8996", "CVE-2011-0411", "ours", "ours (nolisting)"}
    norms = re.split(r", (?!§)", code.norm)
    assert [norm for norm in norms if norm not in whole and not re.search(r"§|table", norm)] == []


@pytest.mark.parametrize("code", Code)
def test_a_code_is_its_name_in_lower_case(code: Code) -> None:
    assert code.value == str(code) == code.name.lower().replace("_", "-")


@pytest.mark.parametrize("code", Code)
def test_a_finding_has_the_severity_of_its_code(code: Code) -> None:
    found = finding(code, mx_host="mx.example.com", address="192.0.2.1", detail="why")
    expected = Finding(
        code=code,
        severity=code.severity,
        mx_host="mx.example.com",
        address="192.0.2.1",
        detail="why",
    )
    assert found == expected
    assert found.severity in Severity


@pytest.mark.parametrize("code", Code)
def test_a_code_is_written_as_its_value_and_read_back(code: Code) -> None:
    assert msgspec.json.encode(code) == f'"{code.value}"'.encode()
    assert msgspec.json.decode(msgspec.json.encode(code), type=Code) is code
    assert pickle.loads(pickle.dumps(code)) is code  # noqa: S301 # our own
