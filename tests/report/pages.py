"""Reads a page as a browser does: what text is in it, and in which attributes and elements."""

import io
from dataclasses import dataclass, field
from html.parser import HTMLParser

from prober.records import DomainReport
from prober.report.html import Html
from prober.rules.totals import Totals
from tests.report import samples

VOID = {"meta", "input", "rect", "br", "link", "img"}


@dataclass
class Page(HTMLParser):
    """The elements of a page. ``open_`` are those not closed yet."""

    attributes: list[tuple[str, str, str]] = field(default_factory=list)  # element, name, value
    texts: list[tuple[str, str]] = field(default_factory=list)  # the innermost element, text
    open_: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open_.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open_.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open_[-1] if self.open_ else "", data))

    @property
    def text(self) -> str:
        return "".join(text for element, text in self.texts if element not in ("script", "style"))

    def values(self, name: str) -> list[str]:
        return [value for _, each, value in self.attributes if each == name]

    def inside(self, element: str) -> list[str]:
        return [text for each, text in self.texts if each == element]


def read_page(page: bytes) -> Page:
    parsed = Page()
    parsed.feed(page.decode())
    parsed.close()
    assert parsed.open_ == []
    return parsed


def written(*reports: DomainReport, columns: tuple[str, ...] = ()) -> bytes:
    """As it goes to a stream."""
    page, totals = Html(columns), samples.totals_of(*reports) if reports else Totals()
    return page.head() + b"".join(map(page.body, reports)) + page.foot(totals)


def arranged(
    *reports: DomainReport, columns: tuple[str, ...] = (), detail: int | None = None
) -> bytes:
    """As it goes to a file."""
    page = io.BytesIO(written(*reports, columns=columns))
    return b"".join(Html(columns, detail).arranged(page))
