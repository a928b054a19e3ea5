"""Rich, tamed: turns what it draws into bytes, with nothing of a peer's read as markup."""

import io
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console, RenderableType

from prober.report.interface import Formatter, R, T

WIDTH = 80  # where there is no terminal to ask


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """What the text is drawn on. Colours on a terminal only; ``width`` None asks it."""

    terminal: bool = False
    width: int | None = None
    encoding: str = "utf-8"


class PlainText(Formatter[R, T]):
    """The lines that *render* gives for each record, without colours."""

    def __init__(self, render: Callable[[R], str], paper: Paper) -> None:
        self._render = render
        self._encoding = paper.encoding

    def body(self, record: R) -> bytes:
        return f"{self._render(record)}\n".encode(self._encoding, "backslashreplace")


class Page:
    """Draws on *paper*. Tables have no rules, so that no character is needed beyond ASCII."""

    def __init__(self, paper: Paper) -> None:
        self._paper = paper
        self._console = Console(
            file=io.StringIO(),
            force_terminal=paper.terminal,
            width=paper.width or (None if paper.terminal else WIDTH),
            markup=False,
            emoji=False,
            highlight=False,
            legacy_windows=False,
        )

    def draw(self, *parts: RenderableType) -> bytes:
        """*parts* one below the other, folded to the width; no white space ends a line."""
        with self._console.capture() as captured:
            for part in parts:
                self._console.print(part)
        return self._encoded(captured.get())

    def draw_line(self, line: RenderableType) -> bytes:
        """*line* unfolded, for who reads lines; on a terminal folded between words."""
        with self._console.capture() as captured:
            self._console.print(line, soft_wrap=not self._paper.terminal)
        return self._encoded(captured.get())

    def _encoded(self, text: str) -> bytes:
        lines = "".join(f"{line.rstrip()}\n" for line in text.splitlines())
        return lines.encode(self._paper.encoding, "backslashreplace")
