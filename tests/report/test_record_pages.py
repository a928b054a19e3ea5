"""HTML on changes, histories and runs, and what a report of a record says beside its domains."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from prober.records import Standing
from prober.records.changes import ChangeCounts, Direction, DomainChanges
from prober.records.history import RunNews
from prober.report import record_pages
from prober.report.changes import DIRECTION_LABELS, describe, summary, to_do, what_changed
from prober.report.history import history_text, runs_text
from prober.report.html import DIRECTION_CSS, Html
from prober.report.interface import Formatter
from prober.report.record_pages import ChangesPage, HistoryPage, RunsPage
from prober.report.trend import MAX_RUNS, trend_of
from tests.report import samples
from tests.report.pages import read_page
from tests.report.record_samples import (
    changes,
    counts_of,
    history_of,
    news,
    news_of,
    run,
    run_list,
)
from tests.report.test_html import SCRIPT, require_harmless, texts_of


def only(*found: DomainChanges) -> RunNews:
    return news_of(found, news().runs)


MEETS, FAILS = Standing.MEETS, Standing.FALLS_SHORT


def page_of(page: Formatter[Any, Any], *records: object, totals: object = None) -> bytes:
    """As it goes to a file."""
    written = page.head() + b"".join(map(page.body, records)) + page.foot(totals)
    arranged = page.arranged(io.BytesIO(written))
    return written if arranged is None else b"".join(arranged)


def changes_page(*found: DomainChanges, between: str = "") -> bytes:
    counts = counts_of(*found, unchanged=3)
    return page_of(ChangesPage(counts, between), *found, totals=counts)


def history_page(text: str = "TLS completes") -> bytes:
    return page_of(HistoryPage(), history_of("a.example", MEETS, MEETS, FAILS, text=text))


def runs_page(text: str = "list.txt") -> bytes:
    return page_of(RunsPage(), run_list(text))


def report_page(text: str = "TLS completes") -> bytes:
    return with_news(lambda: news(text))


def with_news(news: Callable[[], RunNews | None] | None) -> bytes:
    report = replace(samples.fails(), standing=FAILS)
    return page_of(Html(news=news), report, totals=samples.totals_of(report))


PAGES = {
    "changes": lambda text: changes_page(*changes(text), between=text),
    "history": history_page,
    "runs": runs_page,
    "report": report_page,
}


@pytest.mark.parametrize(
    "text", [SCRIPT, samples.HOSTILE, "x" * 100_000], ids=["tags", "all", "long"]
)
@pytest.mark.parametrize("name", PAGES)
def test_text_of_others_is_shown_and_does_nothing(name: str, text: str) -> None:
    page = PAGES[name](text)
    require_harmless(page)
    shown = read_page(page).text
    assert text[:20].partition("\x1b")[0] in shown
    assert all(char.isprintable() or char == "\n" for char in shown)
    assert len(page) < 500_000


def test_changes_have_the_words_of_the_text_and_the_worst_come_first() -> None:
    found = changes()
    page = texts_of(changes_page(*found, between="From run 1 to run 2."))
    assert "From run 1 to run 2." in page
    assert f"{summary(counts_of(*found, unchanged=3))}." in page
    for each in found:
        assert what_changed(each) in page
        assert all(describe(change) in page for change in each.changes)
        assert all(to_do(change) or "" in page for change in each.changes)
    labels = [*DIRECTION_LABELS.values(), "ROUTINE"]
    places = [
        page.index(f"{label} {each.domain}") for label, each in zip(labels, found, strict=True)
    ]
    assert places == sorted(places)


def test_routine_changes_alone_are_called_so() -> None:
    page = texts_of(changes_page(changes()[-1]))
    assert "ROUTINE routine.example only routine changes." in page


def test_more_changes_than_a_browser_shows_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_pages, "MAX_ROWS", 2)
    page = changes_page(*changes())
    assert page.count(b"<li data-rank=") == 2
    assert "3 more domains are counted above and not listed here." in texts_of(page)
    require_harmless(page)


def test_a_long_list_of_changes_has_parts_as_that_of_domains_has() -> None:
    one = changes()[0].changes
    page = changes_page(*(DomainChanges(f"d{number}.example", one) for number in range(250)))
    assert page.count(b'<ul class="list far">') == 2
    assert page.count(b"<li data-rank=") == 250
    require_harmless(page)


def test_without_changes_there_is_a_page() -> None:
    page = page_of(ChangesPage(ChangeCounts(compared=2)), totals=ChangeCounts(compared=2))
    assert "2 domains compared: 0 worse" in texts_of(page)
    require_harmless(page)


def test_a_history_has_a_part_for_each_stretch_of_the_text() -> None:
    found = history_of("a.example", MEETS, MEETS, FAILS)
    page = texts_of(page_of(HistoryPage(), found, history_of("b.example", MEETS)))
    assert "PASS 2026-01-02 03:04 to 2026-01-09 03:04 UTC level authenticated, 2 runs" in page
    assert "FAIL 2026-01-16 03:04 UTC level none, 1 run" in page
    assert describe(found.seen[-1].changes[0]) in page
    assert page.index("a.example") < page.index("b.example")
    words = "5 messages: 2 encrypted, 1 in clear, 1 held back, 1 unknown"
    assert f"week of 2026-03-09: {words}" in page
    lines = history_text(found).splitlines()
    assert len(lines) == 7
    assert lines[5] == f"  week of 2026-03-09: sent {words}"


def test_runs_are_listed_with_a_line_for_each_list_of_several() -> None:
    page = runs_page()
    assert b'<th scope="row">4</th><td class="when">2026-01-30 03:04</td>' in page
    assert page.count(b">unfinished</td>") == 1
    assert page.count(b"<svg") == 1
    assert len(runs_text(run_list()).splitlines()) == 4


def test_a_line_of_runs_goes_from_the_oldest_to_the_newest() -> None:
    trend = trend_of([run(3, fails=4), run(2, fails=0), run(1, fails=2)])
    assert trend is not None
    fails, unknown = trend.lines
    assert trend.most == 4
    assert fails.path == "24.0,50.0 168.0,92.0 312.0,8.0"
    assert {y for _, y in unknown.points} == {"92.0"}
    assert [row.run for row in trend.rows] == [3, 2, 1]
    assert trend.labels == ("PASS", "FAIL")
    assert trend.rows[0].counts == (6, 4)


@pytest.mark.parametrize("number", [0, 1])
def test_one_run_makes_no_line(number: int) -> None:
    assert trend_of([run(1)] * number) is None


def test_a_line_has_so_many_runs_and_no_more() -> None:
    trend = trend_of([run(number) for number in range(90, 0, -1)])
    assert trend is not None
    assert (len(trend.rows), trend.rows[0].run) == (MAX_RUNS, 90)


def test_no_failure_in_any_run_is_a_flat_line() -> None:
    trend = trend_of([run(2, fails=0), run(1, fails=0)])
    assert trend is not None
    assert {y for line in trend.lines for _, y in line.points} == {"92.0"}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (news(), "Since run 2 of 2026-01-16, 4 domains changed: 1 worse, 1 not seen this time"),
        (only(), "Since run 2 of 2026-01-16: no change to report."),
        (
            only(*changes()[-1:]),
            "Since run 2 of 2026-01-16: no change to report.",
        ),
        (news(weeks=1), "This is the first run of this list in the record."),
        (None, "Unknown: the record could not be read or written."),
    ],
    ids=["changes", "none", "routine", "first", "unreadable"],
)
def test_a_report_of_a_record_says_what_changed(found: RunNews | None, said: str) -> None:
    page = texts_of(with_news(lambda: found))
    assert "What changed since the run before" in page
    assert said in page


def test_a_report_without_a_record_says_nothing_of_changes() -> None:
    page = with_news(None)
    assert "What changed" not in texts_of(page)
    assert b"polyline points" not in page


def test_a_report_links_what_changed_to_its_domains() -> None:
    found = only(DomainChanges("fails.example", changes()[0].changes))
    page = read_page(with_news(lambda: found))
    assert set(page.values("href")) <= {f"#{each}" for each in page.values("id")}


def test_of_many_changes_a_report_shows_the_worst() -> None:
    many = tuple(DomainChanges(f"d{each}.example", changes()[0].changes) for each in range(25))
    page = texts_of(with_news(lambda: only(*many)))
    assert "d9.example" in page
    assert "d10.example" not in page
    assert "and 15 more: probe diff shows all." in page


def test_every_direction_has_its_colour_and_label() -> None:
    assert set(DIRECTION_LABELS) == set(Direction)
    assert set(DIRECTION_CSS) == {*Direction, None}
