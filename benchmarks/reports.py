"""HTML and workbooks: size, time and memory for 300, 10,000 and 1,000,000 domains.

Written by the command's own writer from 500 reports that are made once and then only given other
names, so that writing is measured and neither scanning nor judging. Two domains in ten have a
fault. Of the million, only the first 10,000 are formatted; the others are their rows with other
names, since formatting takes the same time and memory for each. The file is written to a temporary
folder, which needs 8 GB for a million domains. Where Chromium and Playwright are installed, the
page is opened there: it is usable when its script has run and a frame has been drawn, and the
search ends when the frame with its result has been drawn.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic, process_time
from typing import Final

from benchmarks.figures import Figure, Scale
from benchmarks.process import KB, in_own_process, peak_resident_kb
from benchmarks.record import World, with_changes
from prober.domains import operator_of
from prober.records import DomainReport, Level, StartTls, VerifyError
from prober.report.answer import answer
from prober.report.output import ReportStyle, domains, open_report
from prober.rules.totals import Tally
from prober.rules.verdict import judge_domain

SAMPLES: Final = 500
SIZES: Final = {300: 2.0, 10_000: 15.0, 1_000_000: None}  # domains, the most MB of the page
FORMATTED: Final = 10_000
MEMORY_MB: Final = 500.0
USABLE_S: Final = 3.0
CHROMIUM: Final = Path("/usr/bin/chromium")
_NO_TLS: Final = {"starttls": StartTls.NOT_OFFERED, "tls_version": None, "chain": (), "path": ()}
_UNTRUSTED: Final = (VerifyError(depth=0, code=20, text="unable to get issuer cert locally"),)
_DRAWN: Final = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
_SEARCH: Final = f"""() => {{
  const search = document.getElementById("search");
  search.value = "d77";
  search.dispatchEvent(new Event("input"));
  return {_DRAWN};
}}"""


def measure(scale: Scale) -> Iterator[Figure]:
    """Each file in a process of its own."""
    for whole, most_mb in SIZES.items():
        count = min(whole, scale.of(1_000_000, 1_000))
        for extension in ("html", "xlsx"):
            limit = most_mb if extension == "html" else None
            yield from in_own_process(partial(_measure, count, extension, limit), scale)
        if count != whole:
            return  # quick: the larger ones are no other


def _measure(count: int, extension: str, most_mb: float | None, _scale: Scale) -> Iterator[Figure]:
    what = f"{count:,} domains, {extension}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"report.{extension}"
        tally = Tally(require=Level.AUTHENTICATED, operator_of=operator_of, describe=answer)
        samples = [tally.assess(each) for each in _samples()]
        begin = process_time()
        partial_mb, written = _write(path, count, samples, tally)
        end = process_time()
        size_mb = path.stat().st_size / 1e6
        note = f"from {partial_mb:,.0f} MB of rows" if partial_mb > 10 else ""
        yield Figure(what=f"{what}: file", value=size_mb, unit="MB", most=most_mb, note=note)
        if count <= FORMATTED:
            each_ms = (written - begin) / count * 1000
            yield Figure(what=f"{what}: writing a domain", value=each_ms, unit="ms CPU")
        yield Figure(what=f"{what}: finishing the file", value=end - written, unit="s CPU")
        memory_mb = peak_resident_kb() * KB / 1e6
        most = MEMORY_MB if count == max(SIZES) else None
        yield Figure(what=f"{what}: memory at the peak", value=memory_mb, unit="MB", most=most)
        if extension == "html":
            yield from _in_chromium(path, what, USABLE_S if count == 10_000 else None)


def _write(
    path: Path, count: int, samples: Sequence[DomainReport], tally: Tally
) -> tuple[float, float]:
    """Write the file. Gives the MB of its rows, and when the last one was written."""
    with open_report(str(path), domains(ReportStyle()), tally.totals) as writer:
        rows: list[bytes] = []
        for number in range(count):
            name = f"d{number:07}.example"
            report = replace(samples[number % SAMPLES], input=name, domain=name)
            tally.add(report)
            if number < FORMATTED:
                row = writer.formatter.body(report)
                if number < SAMPLES:
                    rows.append(row)
            else:
                old = f"d{number % SAMPLES:07}.example".encode()
                row = rows[number % SAMPLES].replace(old, name.encode())
            writer.write_rows(row)
        written = process_time()
        rows_mb = writer.partial.stat().st_size / 1e6 if writer.partial else 0.0
    return rows_mb, written


def _samples() -> Iterator[DomainReport]:
    """Domains as in the benchmark of the record; some have no STARTTLS, some no trusted chain."""
    world = World(SAMPLES)
    for number in range(SAMPLES):
        facts = world.facts(number, 0)
        if number % 10 == 0:
            facts = with_changes(facts, **_NO_TLS)
        elif number % 10 == 1:
            facts = with_changes(facts, verify_errors=_UNTRUSTED, path=())
        yield judge_domain(facts)


def _in_chromium(path: Path, what: str, most: float | None) -> Iterator[Figure]:
    times = _times_in_chromium(path)
    note = "" if times else "no Chromium with Playwright here"
    usable, search = times or (None, None)
    yield Figure(what=f"{what}: usable in Chromium", value=usable, unit="s", most=most, note=note)
    yield Figure(what=f"{what}: search", value=search, unit="s", note=note)


def _times_in_chromium(path: Path) -> tuple[float, float] | None:
    """Seconds until the page is usable, and until a search is drawn; the best of three."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    if not CHROMIUM.exists():
        return None
    found = []
    with sync_playwright() as playwright:
        for _ in range(3):
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1200, "height": 900})
            begin = monotonic()
            page.goto(path.as_uri(), timeout=120_000)
            page.evaluate(_DRAWN)
            usable = monotonic()
            page.evaluate(_SEARCH)
            found.append((usable - begin, monotonic() - usable))
            browser.close()
    return min(found)
