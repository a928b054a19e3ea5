"""The pictures in docs/report.md, of the demo's report in Debian's Chromium:

probe demo -o /tmp/demo.html; python -m tests.support.pictures /tmp/demo.html docs/pictures
"""

import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

PICTURES = {  # name: width, height, colours, what to show
    "summary.png": (1000, 720, "light", "scrollTo(0, 0)"),
    "domain.png": (1000, 820, "light", "open_(4)"),
    "phone-dark.png": (360, 720, "dark", "document.getElementById('domains').scrollIntoView()"),
}
OPEN = """const open_ = (at) => {
  const item = document.querySelectorAll('#list > ul > li')[at - 1];
  item.querySelector('details').open = true;
  item.querySelector('.letter').open = true;
  item.scrollIntoView();
}; """


def take(browser: Browser, address: str, folder: Path) -> None:
    for name, (width, height, colours, show) in PICTURES.items():
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if colours == "dark" else "light",
        )
        page = context.new_page()
        page.goto(address)
        page.evaluate(f"() => {{ {OPEN}{show}; }}")
        page.screenshot(path=folder / name)
        context.close()


def main() -> None:
    report, folder = map(Path, sys.argv[1:])
    folder.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        take(browser, report.absolute().as_uri(), folder)
        browser.close()


if __name__ == "__main__":
    main()
