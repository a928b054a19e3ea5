"""Rich, tamed: turns what it draws into bytes, with nothing of a peer's read as markup."""

import io

from rich.console import Console, RenderableType

from prober.report.interface import Paper

WIDTH = 80  # where there is no terminal to ask


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
