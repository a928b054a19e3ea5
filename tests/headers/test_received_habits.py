"""Habits: silence counts only where the server is known to state TLS."""

import pytest

from prober.headers import habits as module
from prober.headers import tables
from prober.headers.habits import HabitEvidence, Habits, HabitScope
from prober.headers.parse import parse_received
from prober.headers.records import Habit, Trust
from prober.headers.tables import SHIPPED_HABITS, SOFTWARE
from tests.headers.builders import TLS, habits, learn, line, message, operator_of

SILENT = parse_received(line(software="(Halon)"))
TRUSTED, CLAIMED = Trust.TRUSTED, Trust.CLAIMED


YEAR = 2024  # the year of SILENT


def known(
    server: str = "mx.example.com",
    software: str | None = "Halon",
    year: int | None = YEAR,
    **counts: int,
) -> Habit:
    return Habit(server=server, software=software, year=year, **counts)


def shown(scope: HabitScope, *, stated: int, silent: int = 0, since: int = YEAR) -> HabitEvidence:
    return HabitEvidence(scope=scope, stated=stated, silent=silent, years=(since, YEAR))


@pytest.mark.parametrize(
    ("habit", "trust", "evidence"),
    [
        pytest.param(known(silent=9), TRUSTED, None, id="never-stated"),
        pytest.param(known(claimed_stated=9), TRUSTED, None, id="claims-teach-nothing-of-trusted"),
        pytest.param(
            known(software="Postfix", stated=1),
            TRUSTED,
            None,
            id="other-software",
        ),
        pytest.param(
            known("mx2.example.com", stated=2),
            TRUSTED,
            None,
            id="too-little-of-the-operator",
        ),
        pytest.param(known("mx.example.net", stated=9), TRUSTED, None, id="operator"),
        pytest.param(known(stated=9, year=2025), TRUSTED, None, id="stated-only-later"),
        pytest.param(known(stated=9, year=None), TRUSTED, None, id="nobody-knows-when"),
        pytest.param(
            known("mx2.example.com", stated=9, year=2025), TRUSTED, None, id="operator-only-later"
        ),
        pytest.param(
            known(stated=1, silent=4),
            TRUSTED,
            shown(HabitScope.SERVER, stated=1, silent=3),
            id="this-server",
        ),
        pytest.param(
            known(stated=1, claimed_stated=2, claimed_silent=3),
            CLAIMED,
            shown(HabitScope.SERVER, stated=3, silent=2),
            id="claims-teach-of-claims",
        ),
        pytest.param(
            known(software=None, stated=1),
            TRUSTED,
            shown(HabitScope.SERVER, stated=1),
            id="software-not-named",
        ),
        pytest.param(
            known("mx2.example.com", stated=3),
            TRUSTED,
            shown(HabitScope.OPERATOR, stated=3),
            id="other-servers-of-the-operator",
        ),
        pytest.param(
            known("mx2.example.com", claimed_stated=3),
            CLAIMED,
            shown(HabitScope.OPERATOR, stated=3),
            id="other-servers-claimed",
        ),
    ],
)
def test_evidence(habit: Habit, trust: Trust, evidence: HabitEvidence | None) -> None:
    assert habits(habit).evidence(SILENT, trust, YEAR) == evidence


@pytest.mark.parametrize("software", SHIPPED_HABITS)
def test_shipped_habits_have_a_source_and_are_of_known_software(software: str) -> None:
    assert software in {family.name for family in SOFTWARE}
    assert len(SHIPPED_HABITS[software]) > 20


def test_a_shipped_habit_applies_to_a_server_that_was_never_seen() -> None:
    silent = parse_received(line(software="(Postfix)"))

    evidence = habits().evidence(silent, TRUSTED, YEAR)

    assert evidence == HabitEvidence(scope=HabitScope.SOFTWARE, citation=SHIPPED_HABITS["Postfix"])


def test_a_line_without_server_or_known_software_has_no_evidence() -> None:
    book = habits(known(stated=9))

    assert book.evidence(parse_received("from x with SMTP"), TRUSTED, YEAR) is None
    assert book.evidence(parse_received(line(by="mx3.example.com")), TRUSTED, YEAR) is None


def test_learning_counts_statements_denials_and_silence_between_providers() -> None:
    book = habits()
    lines = (
        line(tls=TLS),
        line("x.example.org", by="a.example.net", software="(NOT encrypted)"),
        line("x.example.org", "198.51.100.1", by="b.example.net"),
        line("localhost", "127.0.0.1", by="c.example.net"),  # internal and silent, so not counted
        line("localhost", "127.0.0.1", by="d.example.net", protocol="ESMTPS"),
        "from x with SMTP",
    )
    for text in lines:
        learn(message(text), book)
    far = line("x.example.org", "198.51.100.1", by="z.example.net")
    learn(message(line(tls=TLS), far), book)

    assert list(book) == [
        known("a.example.net", None, stated=1),
        known("b.example.net", None, silent=1),
        known("d.example.net", None, stated=1),
        known(software=None, stated=2),
        known("z.example.net", None, claimed_silent=1),
    ]


def test_habits_are_the_same_after_saving_and_loading() -> None:
    first = habits(known(stated=1, silent=2), Habit(server="192.0.2.1", software="Exim", stated=1))
    again = habits(*first, *first)

    assert list(again) == [
        Habit(server="192.0.2.1", software="Exim", stated=2),
        known(stated=2, silent=4),
    ]


def test_the_number_of_servers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SERVERS", 1)
    book = Habits(operator_of)

    book.load([Habit(server=name, stated=1) for name in ("a.example", "b.example", "a.example")])

    assert list(book) == [Habit(server="a.example", stated=2)]
    assert tables.MAX_SERVERS > 1000
