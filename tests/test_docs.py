"""The documentation holds what the code does: codes, severities, options, commands."""

import re
from pathlib import Path

import pytest

from prober.records import Code, Level
from prober.report.advice import ADVICE
from prober.rules import exit_status
from prober.rules.baseline import SEVERITY

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_findings_md_lists_every_code_with_its_severity_and_advice() -> None:
    rows = re.findall(
        r"^\| `([a-z0-9-]+)` \| (\w+) \| (.+?) \| .+ \|$",
        (ROOT / "docs/findings.md").read_text(),
        re.MULTILINE,
    )
    assert rows == [(code, SEVERITY[code], ADVICE[code]) for code in Code]


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


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
