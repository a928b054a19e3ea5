"""Writes the tables of docs/findings.md from the catalogue: ``poe findings``."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from prober.records import Code
from prober.rules.operator_advice import OPERATORS

PAGE: Final = Path(__file__).parents[2] / "docs/findings.md"
_TABLE: Final = re.compile(r"(<!-- (findings|operators): made by `poe findings` -->\n)[^<]*")


def render(page: str) -> str:
    """*page* with its tables made anew; all other text stays."""
    rows = {"findings": _findings(), "operators": _operators()}
    return _TABLE.sub(lambda found: "\n".join([found[1], *rows[found[2]], "", ""]), page)


def _findings() -> Iterator[str]:
    yield from _head("code", "severity", "what it means for mail", "what to do", "norm")
    for code in Code:
        yield _row(f"`{code}`", code.severity, code.meaning, code.advice, code.norm)


def _operators() -> Iterator[str]:
    yield from _head("MX host under", "what to do")
    for operator, advice in OPERATORS.items():
        yield _row(f"`{operator}`", advice)


def _head(*cells: str) -> Iterator[str]:
    yield _row(*cells)
    yield f"|{'---|' * len(cells)}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text()))
