"""What is shown while a run goes on, in words."""

import pytest

from prober.cli.display import Stage, long_waits, wait_words
from prober.records import Failure, Reason, Step
from prober.waits import Awaited, Wait, Watch

MX = "mx1.example.com"
BUSY = Failure(step=Step.GREETING, reason=Reason.BAD_REPLY, reply_code=421, detail="go\x1b[2J")


@pytest.mark.parametrize(
    ("wait", "words"),
    [
        pytest.param(
            Wait(awaited=Awaited.GREETING, host=MX, at_most_s=60.0),
            "Waiting for the greeting of mx1.example.com (up to 60 s)",
            id="greeting",
        ),
        pytest.param(
            Wait(awaited=Awaited.TURN, host=MX),
            "Waiting for a turn to connect to mx1.example.com",
            id="no bound is known",
        ),
        pytest.param(
            Wait(awaited=Awaited.RESOLVE, host="example.com", at_most_s=12.0),
            "Waiting for DNS answers about example.com (up to 12 s per question)",
            id="dns",
        ),
        pytest.param(
            Wait(awaited=Awaited.NEXT_SESSION, host=MX, at_most_s=5.0, after=BUSY),
            "Waiting for the next session with mx1.example.com "
            "(up to 5 s; reply 421 while waiting for the greeting)",
            id="busy",
        ),
        pytest.param(
            Wait(awaited=Awaited.CONNECT, host="mx\x1b[2J", at_most_s=15.0),
            "Waiting for a connection to mx\\x1b[2J (up to 15 s)",
            id="hostile name",
        ),
    ],
)
def test_a_wait_says_for_what_on_which_host_and_how_long(wait: Wait, words: str) -> None:
    assert wait_words(wait) == words


@pytest.mark.parametrize("step", Step)
def test_every_step_of_a_session_can_be_waited_for(step: Step) -> None:
    assert Awaited[step.name]


def test_a_short_wait_is_not_shown_and_addresses_of_one_host_are_shown_once() -> None:
    greeting = [Wait(awaited=Awaited.GREETING, host=MX, at_most_s=60.0, since=s) for s in (2.0, 1)]
    short = Wait(awaited=Awaited.EHLO, host=MX, at_most_s=30.0, since=9.5)
    watch = Watch(waits=dict(enumerate([*greeting, short])))
    assert long_waits(watch, 10.0) == {wait_words(greeting[0]): 1.0}


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        pytest.param(
            Stage("probing", total=10, began=100.0),
            "probing 0/10, 0:00:06, ETA -:--:--",
            id="nothing done: no ETA",
        ),
        pytest.param(
            Stage("probing", total=10, done=3, counts="2 PASS, 1 FAIL", began=100.0),
            "probing 3/10, 0:00:06, ETA 0:00:14, 2 PASS, 1 FAIL",
            id="counts and ETA",
        ),
        pytest.param(
            Stage("probing", total=1000, done=903, done_before=900, began=100.0),
            "probing 903/1000, 0:00:06, ETA 0:03:14",
            id="resumed: the pace is that of this run",
        ),
        pytest.param(
            Stage("probing", total=2, done=3, began=100.0),
            "probing 3/2, 0:00:06, ETA 0:00:00",
            id="more than were counted",
        ),
        pytest.param(Stage("looking up", done=3, began=100.0), "looking up 3, 0:00:06", id="open"),
    ],
)
def test_a_stage_says_how_far_it_is_and_when_it_ends(stage: Stage, words: str) -> None:
    assert stage.words(106.0) == words
