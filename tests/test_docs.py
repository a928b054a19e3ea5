"""The documentation holds what the code does: codes, severities, options, commands."""

import re
from pathlib import Path

import pytest

from prober.dnssec import chain, validator
from prober.logs import base, lines, summary, tls_report
from prober.net import dns_message, guarded, nameserver, reply, tls
from prober.records import Code, Level
from prober.rules import dane_path, der, exit_status
from prober.settings import Settings
from tests.personalities import EVERY
from tests.support import findings_page

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_findings_md_is_made_from_the_catalogue() -> None:
    page = findings_page.PAGE.read_text()
    assert page == findings_page.render(page), "run `poe findings`"
    assert [code for code in Code if page.count(f"\n| `{code}` |") != 1] == []


def test_the_examples_in_contributing_md_are_in_the_code() -> None:
    page = (ROOT / "docs/contributing.md").read_text()
    examples = re.findall(r"```diff\n(.*?)```", page, re.DOTALL)
    assert examples
    for example in examples:
        for name, *added in (part.splitlines() for part in example.split("+++ ")[1:]):
            lines = [line.strip().removeprefix("+") for line in added if line.strip()]
            assert "\n".join(lines) in (ROOT / name).read_text()


def test_traps_md_names_tests_servers_and_findings_that_exist() -> None:
    page = (ROOT / "docs/traps.md").read_text()
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| ")]
    assert {len(row) for row in rows} == {5}
    for _, _, says, tests, _ in rows:
        named = re.findall(r"`([^`]+)`", tests)
        paths = [each for each in named if each.startswith("tests/")]
        assert [each for each in paths if not (ROOT / each).exists()] == []
        assert set(named) - set(paths) <= set(EVERY)
        codes = [each for each in re.findall(r"`([a-z-]+)`", says) if "-" in each]
        assert set(codes) <= set(Code)


def test_verdict_md_explains_every_level() -> None:
    text = (ROOT / "docs/verdict.md").read_text()
    assert [level for level in Level if f"| `{level}` |" not in text] == []


@pytest.mark.parametrize(
    "status",
    [
        value
        for name, value in vars(exit_status).items()
        if name.isupper() and not name.startswith(("BLIND", "_"))
    ],
)
def test_the_readme_explains_every_exit_status(status: int) -> None:
    assert f"| {status} |" in README


def test_security_md_has_the_bounds_of_the_settings() -> None:
    text = (ROOT / "docs/security.md").read_text()
    told = re.findall(r"`(\w+)` = ([0-9.]+)", text)
    assert {name: float(value) for name, value in told} == {
        name: float(getattr(Settings(), name)) for name, _ in told
    }
    assert len(told) > 10


@pytest.mark.parametrize(
    ("bound", "value"),
    [
        ("8,192 bytes; 32,768 bytes (`net/reply.py`)", (reply.MAX_LINE, reply.MAX_REPLY)),
        ("5,000 (`rules/der.py`)", (der.MAX_ELEMENTS,)),
        (
            "64 per chain, 100 steps (`rules/dane_path.py`)",
            (dane_path.MAX_SIGNATURES, dane_path.MAX_STEPS),
        ),
        ("1,024 (`net/dns_message.py`)", (dns_message.MAX_ENTRIES,)),
        ("16,384; 65,535 for TLSA", (dns_message.LARGEST, nameserver.LARGEST)),
        ("16 (`net/dns_message.py`)", (dns_message.MAX_CHAIN,)),
        ("40 (`dnssec/validator.py`)", (validator.MAX_LABELS,)),
        ("16 (`dnssec/chain.py`)", (chain.MAX_DENIALS,)),
        ("100 per question (`net/nameserver.py`)", (nameserver.STRAY_MESSAGES,)),
        ("16,384 bytes; 4,096 bytes (`net/guarded.py`)", (guarded.READ_SIZE, guarded.PIECE_SIZE)),
        ("4,096 bytes (`net/tls.py`)", (tls.PIECE_SIZE,)),
        ("16,384 bytes (`logs/lines.py`)", (lines.MAX_LINE_BYTES,)),
        (
            "200,000; 20,000; 20,000 (`logs/base.py`)",
            (base.MAX_MESSAGES, base.MAX_PROCESSES, base.MAX_WAITING),
        ),
        ("100,000 (`logs/summary.py`)", (summary.MAX_GROUPS,)),
        (
            "67,108,864; 33,554,432 bytes (`logs/tls_report.py`)",
            (tls_report.MAX_FILE_BYTES, tls_report.MAX_REPORT_BYTES),
        ),
    ],
)
def test_security_md_has_the_other_bounds(bound: str, value: tuple[int, ...]) -> None:
    assert f"| {bound}" in (ROOT / "docs/security.md").read_text()
    assert (
        tuple(int(text.replace(",", "")) for text in re.findall(r"[0-9][0-9,]*\b", bound)) == value
    )


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
