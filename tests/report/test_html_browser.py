"""The HTML report in Chromium: its script, its accessibility, and that it asks nobody."""

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from prober.lab.internet import Lab
from prober.records import DomainReport, Level, ProfileName, Standing
from prober.report.html import letter_page
from prober.report.letter import write_letter
from prober.rules.delivery import judge_delivery
from prober.rules.profiles import PROFILES
from prober.rules.standing import assess
from prober.rules.views import views_of
from tests.personalities import EVERY, every_domain, scan_every
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
    """Each kind in turn, made up to 300 by the lab's, and some that are hostile."""
    kinds = [
        replace(with_delivery(each), standing=each.standing or Standing.MEETS)
        for each in samples.all_samples()
        if each.domain is not None
    ]
    return [
        replace(
            kinds[number % len(kinds)],
            domain=f"d{number}.example",
            standing=STANDINGS[number % 4],
            columns={"owner": OWNERS[number % 7]},
        )
        for number in range(300 - len(EVERY) - len(TEXTS))
    ] + [replace(hostile(text), standing=Standing.MEETS) for text in TEXTS]


def lab_domains() -> list[DomainReport]:
    """Every server of the lab, the hostile ones too, as a scan reports it."""

    async def scan_lab() -> list[DomainReport]:
        async with Lab(every_domain()) as lab:
            return list((await scan_every(lab)).values())

    with ThreadPoolExecutor(1) as apart:  # the loop of Playwright runs in this thread
        found = apart.submit(lambda: asyncio.run(scan_lab())).result()
    return [
        replace(samples.assessed(each, Level.AUTHENTICATED), columns={"owner": "Lab"})
        for each in found
    ]


TEXTS = (SCRIPT, samples.HOSTILE, "x" * 1_000_000)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("html") / "report.html"
    file.write_bytes(arranged(*domains(), *lab_domains(), columns=COLUMNS))
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
    return page.locator("#list > ul > li:visible").count()


def names(page: Page) -> list[str]:
    return page.locator("#list > ul > li:visible .name").all_inner_texts()


def test_it_says_nothing_to_anybody_and_runs_no_script_but_ours(
    page: Page, told: list[str]
) -> None:
    assert shown(page) == 300
    page.locator("#unfold").click()
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    page.mouse.wheel(0, 5_000)
    assert page.locator("script").count() == 1
    assert page.locator("img").count() == 0
    assert told == []


def test_300_domains_with_those_of_the_lab_take_less_than_2_mb(address: str) -> None:
    assert Path(address.removeprefix("file://")).stat().st_size < 2_000_000


def test_all_are_unfolded_and_folded(page: Page) -> None:
    unfolded = page.locator("#list > ul > li > details[open]")
    page.locator("#unfold").click()
    assert unfolded.count() == 300
    page.locator("#fold").click()
    assert unfolded.count() == 0


def test_it_is_filtered_sorted_and_unfolded_by_keyboard_alone(page: Page, told: list[str]) -> None:
    page.locator("#search").focus()
    page.keyboard.type("zoe owner")
    found = shown(page)
    assert 0 < found < 300
    assert page.locator("#count").inner_text() == f"{found} of 300 shown"
    page.keyboard.press("Tab")
    page.keyboard.type("FAIL")
    assert 0 < shown(page) < found
    assert set(page.locator("#list > ul > li:visible .badge").all_inner_texts()) == {"FAIL"}
    page.keyboard.press("Tab")
    page.keyboard.type("domain")
    in_order = names(page)
    assert in_order == sorted(in_order, key=lambda name: int(re.sub(r"\D", "", name)))
    for _ in range(3):  # over the two buttons, to the first domain
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator("#list > ul > li:visible .section:visible").count() == 1
    assert told == []


def test_a_filter_that_is_emptied_shows_all_in_the_same_order(page: Page) -> None:
    before = names(page)
    page.locator("#search").fill("no such domain")
    assert shown(page) == 0
    page.locator("#search").fill("")
    assert names(page) == before


@pytest.mark.parametrize(
    ("by", "where"), [("owner", ".own .value"), ("level", ".level .value"), ("domain", ".name")]
)
def test_it_is_sorted(page: Page, by: str, where: str) -> None:
    page.locator("#sort").select_option(label=by)
    values = page.locator(f"#list > ul > li {where}").all_inner_texts()
    places = [values.index(value) for value in values]  # equal ones stand together
    assert len(values) == 300
    assert places == sorted(places)
    page.locator("#sort").select_option(label="worst first")
    assert page.locator("#list > ul > li .badge").first.inner_text() == "FAIL"


def test_a_link_of_the_summary_unfolds_the_domain(page: Page) -> None:
    link = page.locator(".noted a").first
    name = link.inner_text()
    link.click()
    page.wait_for_function("location.hash && document.querySelector('#list details[open]')")
    unfolded = page.locator("#list > ul > li > details[open]")
    assert unfolded.count() == 1
    assert unfolded.locator(".name").inner_text().strip().endswith(name)


def test_the_message_can_be_copied(page: Page) -> None:
    item = page.locator("#list > ul > li:has(.letter)").first
    item.locator("summary").first.click()
    item.locator(".letter > summary").click()
    button = item.locator(".copier").first
    button.click()
    assert button.inner_text() in ("Copied", "Selected: press Ctrl+C")
    assert page.evaluate("getSelection().toString()").startswith("Subject: Encryption of mail to ")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, tmp_path: Path, scheme: str) -> None:
    file = tmp_path / "report.html"
    below = assess(samples.warns(), PROFILES[ProfileName.HIPAA])
    file.write_bytes(arranged(below, *domains()[:20], columns=COLUMNS))
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone(
    browser: Browser, address: str, told: list[str], scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": 360, "height": 640},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = opened(context, address, told)
    page.locator("#unfold").click()
    page.evaluate("document.querySelectorAll('.sub').forEach(each => each.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    context.close()


def test_without_its_script_it_is_readable(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert page.locator("#list > ul > li:visible").count() == 300
    assert page.locator("#tools:visible").count() == 0
    page.locator("#list > ul > li > details > summary").first.click()
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


def test_it_prints_every_domain_and_no_buttons(page: Page) -> None:
    page.emulate_media(media="print")
    assert page.locator("#tools:visible, .copier:visible").count() == 0
    assert page.evaluate(
        "[...document.querySelectorAll('.list')]"
        ".every(each => getComputedStyle(each).contentVisibility === 'visible')"
    )
    printed = page.pdf(format="A4")
    assert printed.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) >= 300 // 40  # rows of a sheet
