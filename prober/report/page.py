"""Draws with rich, and returns bytes. Nothing that a peer sent is read as markup."""

import io
from types import MappingProxyType
from typing import Final

from rich.console import Console, RenderableType

from prober.records import Answer
from prober.report.interface import Paper

WIDTH = 80  # where there is no terminal to ask

_MARKS: Final = MappingProxyType({Answer.YES: "✔", Answer.NO: "✘", Answer.NOT_TESTED: "?"})
_ASCII_MARKS: Final = MappingProxyType({Answer.YES: "ok", Answer.NO: "x", Answer.NOT_TESTED: "?"})
MARK_STYLES: Final = MappingProxyType(
    {"✔": "green", "ok": "green", "✘": "red", "x": "red", "?": "magenta"}
)


class Page:
    """Draws on *paper*. Tables have no rules, so that no character is needed beyond ASCII."""

    def __init__(self, paper: Paper) -> None:
        self._paper = paper
        self._console = Console(
            file=io.StringIO(),
            force_terminal=paper.terminal,
            color_system="auto" if paper.colour else None,
            width=paper.width or (None if paper.terminal else WIDTH),
            markup=False,
            emoji=False,
            highlight=False,
            legacy_windows=False,
        )

    @property
    def width(self) -> int:
        """Columns."""
        return self._console.width

    def mark(self, answer: Answer) -> str:
        """A sign for *answer*; plain words where the encoding has no such sign."""
        return (_MARKS if self._paper.encoding.lower().startswith("utf") else _ASCII_MARKS)[answer]

    def draw(self, *parts: RenderableType) -> bytes:
        """*parts* one below the other, folded to the width; no white space ends a line."""
        with self._console.capture() as captured:
            for part in parts:
                self._console.print(part)
        return self._encoded(captured.get())

    def draw_line(self, line: RenderableType) -> bytes:
        """*line* on one line, for programs that read lines; on a terminal folded at words."""
        with self._console.capture() as captured:
            self._console.print(line, soft_wrap=not self._paper.terminal)
        return self._encoded(captured.get())

    def _encoded(self, text: str) -> bytes:
        lines = "".join(f"{line.rstrip()}\n" for line in text.splitlines())
        return lines.encode(self._paper.encoding, "backslashreplace")
