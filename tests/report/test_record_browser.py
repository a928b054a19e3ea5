"""Pages on changes, histories, runs and the letter in Chromium, as test_html_browser.py has it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from prober.records import Standing
from prober.records.changes import DomainChanges
from prober.report.html import letter_page
from prober.report.letter import write_letter
from tests.report import samples
from tests.report.record_samples import changes
from tests.report.test_html import SCRIPT, hostile
from tests.report.test_html_browser import opened, with_delivery
from tests.report.test_record_pages import PAGES, changes_page

pytestmark = pytest.mark.external
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def letter(text: str) -> bytes:
    report = samples.fails() if text == PLAIN else hostile(text)
    return letter_page(write_letter(with_delivery(replace(report, standing=Standing.FALLS_SHORT))))


PLAIN = "TLS completes"
ALL: dict[str, Callable[[str], bytes]] = {**PAGES, "letter": letter}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        yield browser
        browser.close()


Open = Callable[..., tuple[Page, list[str]]]


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens a page; gives it and what it asked for, said or did beyond showing itself."""
    contexts = []

    def show(content: bytes, **how: Any) -> tuple[Page, list[str]]:
        file = tmp_path / "page.html"
        file.write_bytes(content)
        contexts.append(browser.new_context(**how))
        told: list[str] = []
        return opened(contexts[-1], file.as_uri(), told), told

    yield show
    for context in contexts:
        context.close()


def unfold(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ALL)
def test_axe_finds_nothing_serious(show: Open, name: str, scheme: str) -> None:
    page, told = show(ALL[name](PLAIN), color_scheme=scheme)
    unfold(page)
    found = Axe().run(page, options={"runOnly": WCAG}).response["violations"]
    serious = [
        (each["id"], each["nodes"][0]["html"][:200], each["nodes"][0]["failureSummary"])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
    assert serious == []
    assert told == []


@pytest.mark.parametrize(
    "text", [PLAIN, SCRIPT, samples.HOSTILE, "x" * 10_000], ids=["plain", "tags", "hostile", "long"]
)
@pytest.mark.parametrize("name", ALL)
def test_it_fits_a_phone_and_runs_nothing_of_others(show: Open, name: str, text: str) -> None:
    page, told = show(ALL[name](text), viewport={"width": 360, "height": 640})
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.locator("script").count() == (name != "letter")
    assert page.locator("img").count() == 0
    assert told == []


@pytest.mark.parametrize("name", ALL)
def test_it_prints_and_is_readable_without_its_script(show: Open, name: str) -> None:
    page, _ = show(ALL[name](PLAIN), java_script_enabled=False)
    assert page.locator("h1").is_visible()
    assert page.locator("#tools:visible").count() == 0
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_changes_are_filtered_sorted_and_searched_by_keyboard(show: Open) -> None:
    one = changes()[0].changes
    more = [DomainChanges(f"z{number}.example", one) for number in range(3)]
    page, told = show(changes_page(*more[::-1], *changes()))
    names = page.locator("#list > ul > li:visible .name")
    assert page.locator("#count").inner_text() == "8 of 8 shown"
    page.locator("#search").focus()
    page.keyboard.type("z")
    page.keyboard.press("Tab")
    page.keyboard.type("WORSE")
    assert names.count() == 3
    page.keyboard.press("Tab")
    page.keyboard.type("domain")
    assert names.all_text_contents() == ["z0.example", "z1.example", "z2.example"]
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator("#list .section:visible").count() == 1
    assert told == []


def test_where_nothing_changed_there_is_nothing_to_search(show: Open) -> None:
    page, told = show(changes_page())
    assert page.locator("#tools:visible").count() == 0
    words = page.evaluate("getComputedStyle(document.querySelector('.list'), '::after').content")
    assert words == '"None."'
    assert told == []


def test_the_line_of_a_report_is_drawn_beside_its_figures(show: Open) -> None:
    page, _ = show(PAGES["report"](PLAIN))
    assert page.locator(".lines polyline").count() == 2
    assert page.locator(".trend tbody tr:visible").count() == 3
    box = page.locator(".lines").bounding_box()
    assert box is not None
    assert box["height"] > 50
