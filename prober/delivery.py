"""Hands the reports of a scan on: as they come, or in the order of the list."""

import contextlib
import pickle
import tempfile
from collections.abc import Callable
from types import TracebackType
from typing import IO, Final, Self

from prober.progress import Progress
from prober.records import DomainReport
from prober.report.sinks import unwritable

_IN_MEMORY: Final = 1000  # reports held for a slow one before them; further ones wait on the disk


class Delivery:
    """Takes reports with their positions and hands each to *report*; a context manager.

    Where order is kept, those that come too early wait: the first in memory, the rest in a
    temporary file, so that one slow domain at the top neither stops the scan nor fills the memory.
    """

    def __init__(
        self, report: Callable[[DomainReport], None], progress: Progress, *, ordered: bool
    ) -> None:
        self._report = report
        self._progress = progress
        self._ordered = ordered
        self._held: dict[int, DomainReport | _Spooled] = {}
        self._spool: _Spool | None = None
        self._next = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._spool is not None:
            self._spool.close()

    def take(self, position: int, report: DomainReport) -> None:
        """Hand on the report at *position*, or hold it."""
        if not self._ordered:
            self._hand_on(position, report)
            return
        self._skip_reported()
        if position != self._next:
            self._hold(position, report)
            return
        self._hand_on(position, report)
        self._skip_reported()
        while (held := self._held.pop(self._next, None)) is not None:
            self._hand_on(self._next, held if isinstance(held, DomainReport) else held.read())
            self._skip_reported()

    def _skip_reported(self) -> None:
        """What was handed on, in this run or an earlier one, is waited for no more."""
        while self._next in self._progress.reported:
            self._next += 1

    def _hold(self, position: int, report: DomainReport) -> None:
        if len(self._held) < _IN_MEMORY:
            self._held[position] = report
            return
        try:
            self._spool = self._spool or _Spool()
            self._held[position] = self._spool.put(report)
        except OSError as error:
            raise unwritable("the temporary folder", error, "what waits for its turn") from error

    def _hand_on(self, position: int, report: DomainReport) -> None:
        self._report(report)
        self._progress.done += 1
        self._progress.reported.add(position)


class _Spooled:
    """A report on the disk."""

    __slots__ = ("_offset", "_spool")

    def __init__(self, spool: "_Spool", offset: int) -> None:
        self._spool = spool
        self._offset = offset

    def read(self) -> DomainReport:
        return self._spool.get(self._offset)


class _Spool:
    """A temporary file of reports, without a name: nobody else can write to it."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()

    def put(self, report: DomainReport) -> _Spooled:
        offset = self._file.seek(0, 2)
        pickle.dump(report, self._file, protocol=pickle.HIGHEST_PROTOCOL)
        self._file.flush()  # a full disk is to show here
        return _Spooled(self, offset)

    def get(self, offset: int) -> DomainReport:
        self._file.seek(offset)
        report: DomainReport = pickle.load(self._file)  # noqa: S301 - we alone wrote it
        return report

    def close(self) -> None:
        with contextlib.suppress(OSError):  # what a full disk did not take is wanted no more
            self._file.close()
