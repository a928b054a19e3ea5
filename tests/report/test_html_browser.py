"""The HTML report in Chromium: its script, its accessibility, and that it asks nobody."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from prober.records import DomainReport, Standing
from prober.report.html import letter_page
from prober.report.letter import write_letter
from prober.rules.delivery import judge_delivery
from prober.rules.views import views_of
from tests.report import samples
from tests.report.pages import arranged
from tests.report.test_html import SCRIPT, hostile

pytestmark = pytest.mark.external
STANDINGS = (Standing.FALLS_SHORT, Standing.UNDECIDED, Standing.MEETS, Standing.NEUTRAL)
COLUMNS = ("owner",)
OWNERS = ("Alice", "Bob", "Carol", "Zoe", "Erin", "Frank", "Grace")


def with_delivery(report: DomainReport) -> DomainReport:
    return replace(report, delivery=judge_delivery(report, views_of(report.endpoints)))


def domains() -> list[DomainReport]:
    """300, each of another kind in turn, and some that are hostile."""
    kinds = [
        replace(with_delivery(each), standing=each.standing or Standing.MEETS)
        for each in samples.all_samples()
        if each.domain is not None
    ]
    found = [
        replace(
            kinds[number % len(kinds)],
            domain=f"d{number}.example",
            standing=STANDINGS[number % 4],
            columns={"owner": OWNERS[number % 7]},
        )
        for number in range(297)
    ]
    return [*found, *(replace(hostile(text), standing=Standing.MEETS) for text in TEXTS)]


TEXTS = (SCRIPT, samples.HOSTILE, "x" * 1_000_000)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("html") / "report.html"
    file.write_bytes(arranged(*domains(), columns=COLUMNS))
    return file.as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def told() -> list[str]:
    """What the page asked for, said or did beyond showing itself."""
    return []


@pytest.fixture
def page(browser: Browser, address: str, told: list[str]) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    yield opened(context, address, told)
    context.close()


def opened(context: BrowserContext, address: str, told: list[str]) -> Page:
    page = context.new_page()
    page.set_default_timeout(20_000)  # of a busy machine
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("dialog", lambda dialog: told.append(dialog.message))
    page.on("request", lambda request: told.append(request.url))
    page.goto(address)
    assert told == [address]
    told.clear()
    return page


def shown(page: Page) -> int:
    return page.locator("#list > li:visible").count()


def names(page: Page) -> list[str]:
    return page.locator("#list > li:visible .name").all_inner_texts()


def test_it_says_nothing_to_anybody_and_runs_no_script_but_ours(
    page: Page, told: list[str]
) -> None:
    assert shown(page) == 300
    page.locator("#unfold").click()
    page.locator("#fold").click()
    assert page.locator("script").count() == 1
    assert page.locator("img").count() == 0
    assert told == []


def test_it_is_filtered_sorted_and_unfolded_by_keyboard_alone(page: Page, told: list[str]) -> None:
    page.locator("#search").focus()
    page.keyboard.type("zoe owner")
    assert shown(page) == 42
    assert page.locator("#count").inner_text() == "42 of 300 shown"
    page.keyboard.press("Tab")
    page.keyboard.type("FAIL")
    assert 0 < shown(page) < 42
    assert set(page.locator("#list > li:visible .badge").all_inner_texts()) == {"FAIL"}
    page.keyboard.press("Tab")
    page.keyboard.type("domain")
    in_order = names(page)
    assert in_order == sorted(in_order, key=lambda name: int(re.sub(r"\D", "", name)))
    for _ in range(3):  # over the two buttons, to the first domain
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator("#list > li:visible .section:visible").count() == 1
    assert told == []


def test_a_link_of_the_summary_unfolds_the_domain(page: Page) -> None:
    link = page.locator(".noted a").first
    name = link.inner_text()
    link.click()
    page.wait_for_function("location.hash && document.querySelector('#list details[open]')")
    unfolded = page.locator("#list > li > details[open]")
    assert unfolded.count() == 1
    assert unfolded.locator(".name").inner_text().strip().endswith(name)


def test_the_message_can_be_copied(page: Page) -> None:
    item = page.locator("#list > li:has(.letter)").first
    item.locator("summary").first.click()
    item.locator(".letter > summary").click()
    button = item.locator(".copier").first
    button.click()
    assert button.inner_text() in ("Copied", "Selected: press Ctrl+C")
    assert page.evaluate("getSelection().toString()").startswith("Subject: Encryption of mail to ")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, tmp_path: Path, scheme: str) -> None:
    file = tmp_path / "report.html"
    file.write_bytes(arranged(*domains()[:20], columns=COLUMNS))
    context = browser.new_context(color_scheme="dark" if scheme == "dark" else "light")
    page = opened(context, file.as_uri(), [])
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    found = Axe().run(
        page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
    )
    serious = [
        (each["id"], each["nodes"][0]["html"][:200], each["nodes"][0]["failureSummary"])
        for each in found.response["violations"]
        if each["impact"] in ("serious", "critical")
    ]
    context.close()
    assert serious == []


def test_nothing_is_wider_than_a_phone(browser: Browser, address: str, told: list[str]) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 640})
    page = opened(context, address, told)
    page.locator("#unfold").click()
    page.evaluate("document.querySelectorAll('.sub').forEach(each => each.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    context.close()


def test_without_its_script_it_is_readable(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert page.locator("#list > li:visible").count() == 300
    assert page.locator("#tools:visible").count() == 0
    page.locator("#list > li > details > summary").first.click()
    assert page.locator("#list .section:visible").count() == 1
    context.close()


LETTERS = [
    *(pytest.param(samples.fails(), number, id=f"{number}-problems") for number in (1, 2, 3)),
    *(pytest.param(each(), 2, id=each.__name__) for each in (samples.warns, samples.partly)),
]


@pytest.mark.parametrize(("report", "problems"), LETTERS)
def test_a_letter_prints_on_one_page(
    browser: Browser, tmp_path: Path, told: list[str], report: DomainReport, problems: int
) -> None:
    report = replace(with_delivery(report), findings=report.findings[:problems])
    file = tmp_path / "letter.html"
    file.write_bytes(letter_page(write_letter(report)))
    page = opened(browser.new_context(), file.as_uri(), told)
    for paper in ("A4", "Letter"):
        printed = page.pdf(format=paper)
        assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
    page.context.close()
    assert told == []


def test_it_prints(page: Page) -> None:
    assert page.pdf(format="A4").startswith(b"%PDF")
