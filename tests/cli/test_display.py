"""What is shown while a run goes on."""

import asyncio
import errno
import io
from collections.abc import Callable
from time import monotonic

import pytest

from prober.cli.display import Display, Stage, long_waits, repeatedly, wait_words
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


class Screen(io.StringIO):
    """A terminal; once it is ``gone``, nobody can write to it."""

    gone = False

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self.gone:
            raise OSError(errno.EIO, "it is gone")
        return super().write(text)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Screen]:
    """Makes stderr a terminal. To be called in the test: pytest sets stderr once it begins."""

    def make() -> Screen:
        screen = Screen()
        monkeypatch.setattr("sys.stderr", screen)
        return screen

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    return make


def waits_on(hosts: int) -> Watch:
    """A wait of a day on each of so many hosts."""
    since = monotonic() - 86_400
    waits = [
        Wait(awaited=Awaited.EHLO, host=f"mx{number}.test", since=since + number)
        for number in range(hosts)
    ]
    return Watch(waits=dict(enumerate(waits)))


def test_of_many_waits_the_longest_are_shown(terminal: Callable[[], Screen]) -> None:
    screen = terminal()
    display = Display(None, waits_on(6))
    display.refresh()
    shown = screen.getvalue()
    assert [f"from mx{number}.test" in shown for number in range(6)] == 4 * [True] + 2 * [False]
    assert "and 2 more" in shown


def test_what_did_not_change_is_not_drawn_again(terminal: Callable[[], Screen]) -> None:
    screen = terminal()
    display = Display(Stage("probing", total=10, began=monotonic() + 1e6), None)
    display.refresh()
    drawn = screen.getvalue()
    display.refresh()
    assert screen.getvalue() == drawn
    display.hide()
    display.refresh()
    assert screen.getvalue().count("probing") > drawn.count("probing")


def test_a_terminal_that_goes_away_disturbs_nothing(terminal: Callable[[], Screen]) -> None:
    screen = terminal()
    display = Display(Stage("probing", total=10, began=monotonic()), waits_on(1))
    display.refresh()
    screen.gone = True
    assert display.watch is not None
    display.watch.waits.clear()
    display.refresh()
    display.hide()
    display.refresh()


async def test_a_fault_of_the_display_is_logged_and_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refresh() -> None:
        raise ValueError("broken")

    async with repeatedly(refresh):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert "what the terminal shows failed" in caplog.text
