import pytest

from prober.records import Code
from prober.report.advice import ADVICE


@pytest.mark.parametrize("code", Code)
def test_each_code_says_what_it_means_and_what_to_do(code: Code) -> None:
    text = ADVICE[code]

    assert text.isascii()  # shown on any terminal
    assert text.isprintable()
    assert text.endswith(".")
    assert text.count(". ") + text.count("; ") >= 1
    assert "  " not in text
    assert len(text) < 200


def test_nothing_else_has_advice() -> None:
    assert list(ADVICE) == list(Code)
