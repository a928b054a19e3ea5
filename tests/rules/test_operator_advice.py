"""Advice on DANE is advice that the owner of the domain can follow."""

import pytest

from prober.domains import operator_of
from prober.records import Code, finding
from prober.rules.operator_advice import ABOUT_TLSA, OPERATORS, advice_for


@pytest.mark.parametrize("code", sorted(ABOUT_TLSA))
@pytest.mark.parametrize(
    ("mx_host", "said"),
    [
        ("aspmx.l.google.com", "MTA-STS"),
        ("smtp.google.com", "MTA-STS"),
        ("aspmx2.googlemail.com", "MTA-STS"),
        ("example-com.mail.protection.outlook.com", "Enable-DnssecForVerifiedDomain"),
        ("example-com.v-v1.mx.microsoft", "Report the fault to Microsoft"),
    ],
)
def test_at_an_operator_nobody_is_told_to_change_records_of_others(
    code: Code, mx_host: str, said: str
) -> None:
    advice = advice_for(finding(code, mx_host=mx_host), operator_of)
    assert said in advice
    assert code.advice not in advice


@pytest.mark.parametrize(
    ("code", "mx_host"),
    [
        pytest.param(Code.TLSA_INSECURE, "mx.example.com", id="own-host"),
        pytest.param(Code.TLSA_INSECURE, "google.com.example.net", id="not-google"),
        pytest.param(Code.TLSA_INSECURE, "notgoogle.com", id="not-google-either"),
        pytest.param(Code.TLSA_NOT_TESTED, None, id="no-host"),
        pytest.param(Code.TLSA_INVALID, None, id="about-tlsa-without-a-host"),
        pytest.param(Code.TLSA_MX_INSECURE, "a.v-v1.mx.microsoft", id="own-zone"),
        pytest.param(Code.CERTIFICATE_EXPIRED, "smtp.google.com", id="not-dane"),
    ],
)
def test_all_others_get_the_advice_of_the_catalogue(code: Code, mx_host: str | None) -> None:
    assert advice_for(finding(code, mx_host=mx_host), operator_of) == code.advice


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_operator_is_named_by_its_registered_domain(operator: str) -> None:
    assert operator_of(f"mx.{operator}") == operator
    assert OPERATORS[operator].isascii()
