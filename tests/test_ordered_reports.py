"""Reports handed on as they come, or in order, however many have to wait."""

import importlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.errors import ReportError
from prober.held_reports import Held
from prober.progress import Positions, Progress
from prober.records import Answer, DeepQuestion, DomainReport
from prober.rules.deep_plan import budget_spent
from prober.rules.verdict import judge_domain
from prober.scan import OrderedReports
from tests.support.builders import completed, deep, domain

MODULE = importlib.import_module("prober.scan")  # prober.scan itself is the function
REPORTS = [
    judge_domain(domain(completed(), input=f"{n}.test", domain=f"{n}.test")) for n in range(12)
]


def deliver(order: list[int], *, ordered: bool, progress: Progress | None = None) -> list[str]:
    handed_on: list[DomainReport] = []
    with OrderedReports(handed_on.append, progress or Progress(), ordered=ordered) as taken:
        for position in order:
            taken.take(position, REPORTS[position])
    return [report.input for report in handed_on]


def names(positions: list[int]) -> list[str]:
    return [f"{position}.test" for position in positions]


def test_as_they_come() -> None:
    assert deliver([3, 0, 2, 1], ordered=False) == names([3, 0, 2, 1])


@given(order=st.permutations(range(12)))
def test_in_order(order: list[int]) -> None:
    assert deliver(order, ordered=True) == names(list(range(12)))


@given(order=st.permutations(range(12)))
def test_in_order_from_the_disk(order: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MODULE, "_IN_MEMORY", 2)
        assert deliver(order, ordered=True) == names(list(range(12)))


def test_a_report_from_the_disk_is_the_one_that_was_put_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(MODULE, "_IN_MEMORY", 0)
    handed_on: list[DomainReport] = []
    with OrderedReports(handed_on.append, Progress(), ordered=True) as taken:
        for position in (2, 1, 0):
            taken.take(position, REPORTS[position])
    assert handed_on == REPORTS[:3]


def test_what_an_earlier_run_reported_is_not_waited_for() -> None:
    progress = Progress(reported=Positions([(0, 1), (4, 4), (7, 7)]))
    order = [position for position in range(10) if position not in progress.reported]
    shown = deliver(order[::-1], ordered=True, progress=progress)
    assert shown == names([2, 3, 5, 6, 8, 9])


def test_a_report_that_could_not_be_written_does_not_count_as_reported() -> None:
    def fail_at_the_third(report: DomainReport) -> None:
        if report == REPORTS[2]:
            raise ReportError("full")

    progress = Progress()
    with OrderedReports(fail_at_the_third, progress, ordered=True) as taken:
        taken.take(1, REPORTS[1])
        taken.take(0, REPORTS[0])
        with pytest.raises(ReportError, match="full"):
            taken.take(2, REPORTS[2])
    assert progress.reported.ranges() == [(0, 1)]
    assert progress.done == 2


def test_a_full_disk_under_what_waits_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODULE, "_IN_MEMORY", 0)
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: open("/dev/full", "w+b"))
    taken = OrderedReports(lambda _report: None, Progress(), ordered=True)
    with pytest.raises(ReportError, match="cannot write what waits for its turn"), taken:
        taken.take(1, REPORTS[1])


def test_no_folder_for_what_waits_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(MODULE, "_IN_MEMORY", 0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "not-there"))
    taken = OrderedReports(lambda _report: None, Progress(), ordered=True)
    with pytest.raises(ReportError, match="cannot write what waits for its turn"), taken:
        taken.take(1, REPORTS[1])


CUT = judge_domain(
    domain(
        completed(
            deep=deep(
                DeepQuestion.POST_QUANTUM, accepted=Answer.NOT_TESTED, failure=budget_spent(8)
            )
        ),
        input="cut.test",
        domain="cut.test",
    )
)


@given(order=st.permutations(range(12)), cut=st.sets(st.integers(0, 11)), ordered=st.booleans())
def test_what_the_budget_has_cut_comes_last(order: list[int], cut: set[int], ordered: bool) -> None:
    """Where order is kept, so does all behind the first of it."""
    handed_on: list[str] = []
    progress = Progress()

    kept: list[str] = []

    def note(held: Iterator[Held]) -> None:
        handed_on.append("release")
        kept.extend(each.input for _, each in held)

    def report(each: DomainReport) -> None:
        handed_on.append(each.input)

    with OrderedReports(report, progress, ordered=ordered, holds_cut=True) as taken:
        for position in order:
            taken.take(position, CUT if position in cut else REPORTS[position])
        taken.release(note)
    all_in_order = ["cut.test" if n in cut else f"{n}.test" for n in range(12)]
    first_cut = min(cut, default=12)
    if ordered:
        expected = [*all_in_order[:first_cut], "release", *all_in_order[first_cut:]]
        assert kept == [name for name in all_in_order[first_cut:] if name != "cut.test" and cut]
    else:
        whole = [f"{n}.test" for n in order if n not in cut]
        expected = [*whole, "release", *(["cut.test"] * len(cut))]
    assert handed_on == (expected if cut else expected[:-1])
    assert progress.done == 12
