"""HTML on what changed between runs, on the history of domains, and on the runs of a record.

The words are those of the text reports, in ``changes`` and ``history``; the page around them and
its safety are those of ``html``. docs/report.md.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from typing import BinaryIO, Final

from prober.records import Standing
from prober.records.changes import Change, ChangeCounts, Direction, DomainChanges
from prober.records.history import DomainHistory, RecordedRun, RunList
from prober.report.answer import LABELS
from prober.report.changes import (
    DIRECTION_LABELS,
    badness,
    describe,
    label,
    summary,
    what_changed,
)
from prober.report.history import how_sent, stretches
from prober.report.html import (
    CLASSES,
    DIRECTION_CSS,
    MAX_ROWS,
    NEXT_LIST,
    ROWS_OF_LIST,
    anchor_of,
    environment,
    not_listed,
    render,
)
from prober.report.interface import Formatter
from prober.report.trend import Trend, trend_of
from prober.report.words import accepted_words

_ITEM: Final = b"<li data-rank="


def _renderer(title: str) -> Callable[..., bytes]:
    """``render`` for a page with this *title*."""
    templates = environment()
    templates.globals.update(title=title)
    return partial(render, templates)


class ChangesPage(Formatter[DomainChanges, ChangeCounts]):
    """What changed of each domain, as they are written: the worst first.

    *counts* are complete before it begins. *between* says which runs are compared.
    """

    def __init__(self, counts: ChangeCounts, between: str = "") -> None:
        self._counts = counts
        self._between = between
        self._render = _renderer("What changed for mail to these domains")

    def head(self) -> bytes:
        tiles = [
            (DIRECTION_CSS[each], self._counts.by_worst.get(each, 0), DIRECTION_LABELS[each])
            for each in Direction
        ]
        return self._render("head.html") + self._render(
            "changes_head.html",
            between=self._between,
            summary=summary(self._counts),
            tiles=[tile for tile in tiles if tile[1]],
        )

    def body(self, record: DomainChanges) -> bytes:
        """One line of the file."""
        page = self._render(
            "changes_domain.html",
            rank=badness(record)[0],
            anchor=anchor_of(record.domain),
            name=record.domain,
            css=DIRECTION_CSS[record.worst],
            label=label(record),
            what=what_changed(record) or "only routine changes",
            told=[_shown(change) for change in record.changes if change.told],
            routine=[_shown(change) for change in record.changes if not change.told],
        )
        return b" ".join(page.rstrip().split(b"\n")) + b"\n"

    def foot(self, _totals: ChangeCounts) -> bytes:
        legend = (
            "WORSE: mail is protected less well than before. NOT SEEN: what was seen before could "
            "not be tested this time, which proves nothing. CHANGED: different, and neither better "
            "nor worse in itself. BETTER: the contrary of WORSE. ROUTINE: expected changes only. "
            "LEFT OUT: looked at in the earlier run only. NEW: looked at in the later run only."
        )
        return b"</ul>\n</div>\n</section>\n" + self._render("foot.html", legend=legend)

    def arranged(self, written: BinaryIO) -> Iterator[bytes] | None:
        """The same with no more rows than a browser shows in seconds."""
        return _shortened(written)


def _shortened(written: BinaryIO) -> Iterator[bytes]:
    rows = 0
    for line in written:
        is_row = line.startswith(_ITEM)
        if is_row and 0 < rows < MAX_ROWS and rows % ROWS_OF_LIST == 0:
            yield NEXT_LIST
        rows += is_row
        if not is_row or rows <= MAX_ROWS:
            yield line
        if line == b"</div>\n" and rows > MAX_ROWS:
            yield f'<p class="note">{not_listed(rows - MAX_ROWS)}</p>\n'.encode()


def _shown(change: Change) -> tuple[str, str, str]:
    """How it is coloured, its direction, and the change in words."""
    return DIRECTION_CSS[change.direction], DIRECTION_LABELS[change.direction], describe(change)


class HistoryPage(Formatter[DomainHistory, None]):
    """What the runs saw of each domain, a row for each stretch of runs that saw the same."""

    def __init__(self) -> None:
        self._render = _renderer("What was seen of these domains, and when")

    def head(self) -> bytes:
        return self._render("head.html")

    def body(self, record: DomainHistory) -> bytes:
        rows = [
            (
                stretch[0],
                stretch[-1],
                len(stretch),
                CLASSES[stretch[0].standing],
                stretch[0].accepted and accepted_words(stretch[0].accepted),
            )
            for stretch in stretches(record)
        ]
        return self._render(
            "history.html",
            name=record.domain,
            anchor=anchor_of(record.domain),
            rows=[(*row, [_shown(change) for change in row[0].changes]) for row in rows],
            sent=[(each, how_sent(each)) for each in record.sent],
        )

    def foot(self, _totals: None) -> bytes:
        return self._render("foot.html")


class RunsPage(Formatter[RunList, None]):
    """The runs of a record, and for each list a line over its runs."""

    def __init__(self) -> None:
        self._render = _renderer("Runs of the record")

    def head(self) -> bytes:
        return self._render("head.html")

    def body(self, record: RunList) -> bytes:
        found = [each for each in Standing if any(run.standings.get(each) for run in record.runs)]
        return self._render(
            "runs.html",
            rows=[(run, [run.standings.get(each, 0) for each in found]) for run in record.runs],
            labels=[LABELS[each] for each in found],
            trends=list(_trends(record.runs)),
        )

    def foot(self, _totals: None) -> bytes:
        return self._render("foot.html")


def _trends(runs: tuple[RecordedRun, ...]) -> Iterator[Trend]:
    """Of each list with several whole runs."""
    whole = sorted((run for run in runs if run.finished_at), key=lambda run: (run.list, -run.id))
    for _, of_list in groupby(whole, lambda run: run.list):
        if trend := trend_of(list(of_list)):
            yield trend
