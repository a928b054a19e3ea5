"""Every finding has its row in the table of clauses, and every clause the form of its norm."""

import re
from pathlib import Path

import pytest

from prober.records import Code, Severity
from prober.rules.clauses import CLAUSES, Norm

FORMS = {
    Norm.NIST: r"§[34](\.\d){1,3}(, §[34](\.\d){1,3})*",
    Norm.NIST_MAIL: r"§5\.2",
    Norm.NCSC_NL: r"(appendix B|§3\.3\.[1-5]|§3\.4\.[12])([;,] §3\.3\.[1-5])*",
    Norm.BSI_MAIL: r"§4\.1\.\d{1,2}(, §4\.1\.\d{1,2})*",  # its functional requirements
    Norm.HIPAA: r"\(e\)\(1\), \(e\)\(2\)\(ii\)",
    Norm.BOD: r"II\.1\.a\.ii?",
}
NOT_LOOKED_AT = (
    Code.NOT_TESTED,
    Code.UNCONFIRMED,
    Code.TRUST_NOT_TESTED,
    Code.TLSA_NOT_TESTED,
    Code.STS_NOT_TESTED,
    Code.LIMIT_REACHED,
    Code.DNS_ERROR,
    Code.DEEP_NOT_TESTED,
)


def test_every_code_has_a_row_in_the_order_of_the_codes() -> None:
    assert list(CLAUSES) == list(Code)


@pytest.mark.parametrize("code", Code)
def test_every_clause_has_the_form_of_its_norm(code: Code) -> None:
    for norm, clause in CLAUSES[code].items():
        assert re.fullmatch(FORMS[norm], clause), (norm, clause)


@pytest.mark.parametrize("code", NOT_LOOKED_AT)
def test_what_could_not_be_looked_at_is_evidence_on_no_clause(code: Code) -> None:
    assert not CLAUSES[code]


def test_every_high_finding_touches_a_clause() -> None:
    high = {code for code in Code if code.severity is Severity.HIGH}
    assert {code for code in high if not CLAUSES[code]} == set()


@pytest.mark.parametrize(
    ("code", "norm", "clause"),
    [
        # TR-03108 v2.0: 03-M inbound encryption, 05-M DANE, 07-R MTA-STS, 10-M TLS-RPT, 12-R CA
        (Code.STARTTLS_NOT_SUPPORTED, Norm.BSI_MAIL, "§4.1.3"),
        (Code.TLSA_INVALID, Norm.BSI_MAIL, "§4.1.5"),
        (Code.STS_POLICY_INVALID, Norm.BSI_MAIL, "§4.1.7"),
        (Code.TLS_RPT_INVALID, Norm.BSI_MAIL, "§4.1.10"),
        (Code.CERTIFICATE_SELF_SIGNED, Norm.BSI_MAIL, "§4.1.12"),
        # BOD 18-01: all mail servers offer STARTTLS; no SSL, RC4 and 3DES
        (Code.STARTTLS_NOT_SUPPORTED, Norm.BOD, "II.1.a.i"),
        (Code.BROKEN_SUITE_ACCEPTED, Norm.BOD, "II.1.a.ii"),
        (Code.TLS_FAILED, Norm.BOD, None),
        (Code.CIPHER_WEAK, Norm.BOD, None),
        (Code.TLS_VERSION_OBSOLETE, Norm.BOD, None),
        # 45 CFR 164.312(e): transmission security; a certificate is asked for nowhere
        (Code.TLS_FAILED, Norm.HIPAA, "(e)(1), (e)(2)(ii)"),
        (Code.CERTIFICATE_HOST_MISMATCH, Norm.HIPAA, None),
        (Code.TLS_VERSION_OBSOLETE, Norm.NIST, "§3.1"),
        (Code.CERTIFICATE_KEY_WEAK, Norm.NCSC_NL, "§3.3.2"),
    ],
)
def test_the_clauses_of_some_findings(code: Code, norm: Norm, clause: str | None) -> None:
    assert CLAUSES[code].get(norm) == clause


def test_the_page_on_findings_has_the_same_table() -> None:
    page = (Path(__file__).parents[2] / "docs/clauses.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith("|")]
    assert lines[0] == f"| code | {' | '.join(Norm)} |"
    assert lines[2:] == [
        f"| `{code}` | {' | '.join(clauses.get(norm, '') for norm in Norm)} |"
        for code, clauses in CLAUSES.items()
        if clauses
    ]
