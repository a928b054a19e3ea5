"""The pages of `probe logs` in Chromium: accessible, narrow, silent."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

from tests.logs.test_html import PAGES
from tests.report.samples import HOSTILE
from tests.report.test_html import SCRIPT
from tests.report.test_html_browser import opened

pytestmark = pytest.mark.external


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_serious(
    chromium: Browser, tmp_path: Path, name: str, scheme: str
) -> None:
    file = tmp_path / "report.html"
    file.write_bytes(PAGES[name]("mx1.partner.example"))
    context = chromium.new_context(color_scheme="dark" if scheme == "dark" else "light")
    page = opened(context, file.as_uri(), [])
    found = Axe().run(
        page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
    )
    context.close()
    serious = [
        (each["id"], each["nodes"][0]["html"][:200], each["nodes"][0]["failureSummary"])
        for each in found.response["violations"]
        if each["impact"] in ("serious", "critical")
    ]
    assert serious == []


@pytest.mark.parametrize("text", [SCRIPT, HOSTILE, "x" * 100_000], ids=["script", "mix", "long"])
@pytest.mark.parametrize("name", PAGES)
def test_hostile_text_does_nothing_on_a_phone(
    chromium: Browser, tmp_path: Path, name: str, text: str
) -> None:
    file = tmp_path / "report.html"
    file.write_bytes(PAGES[name](text))
    told: list[str] = []
    context = chromium.new_context(viewport={"width": 360, "height": 640})
    page = opened(context, file.as_uri(), told)
    assert page.locator("script").count() == 1  # ours
    assert page.locator("img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert told == []
    context.close()
