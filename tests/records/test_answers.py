"""The combination of several answers. Not tested is never a pass and never a fault."""

import pytest

from prober.records import Answer, all_of, any_of

YES, NO, OPEN = Answer.YES, Answer.NO, Answer.NOT_TESTED


@pytest.mark.parametrize(
    ("answers", "all_are", "any_is"),
    [
        pytest.param([], OPEN, NO, id="none"),
        pytest.param([OPEN], OPEN, OPEN, id="not-tested"),
        pytest.param([NO, OPEN], NO, OPEN, id="a-no-and-one-not-tested"),
        pytest.param([YES, OPEN], OPEN, YES, id="a-yes-and-one-not-tested"),
        pytest.param([YES, NO], NO, YES, id="a-yes-and-a-no"),
        pytest.param([OPEN, NO, YES], NO, YES, id="all-three"),
        pytest.param([NO, NO], NO, NO, id="no"),
        pytest.param([YES, YES], YES, YES, id="yes"),
    ],
)
def test_several_answers(answers: list[Answer], all_are: Answer, any_is: Answer) -> None:
    assert (all_of(answers), any_of(answers)) == (all_are, any_is)
