"""Reports that wait on the disk, in a temporary file without a name."""

import contextlib
import pickle
import tempfile
from typing import IO

from prober.files import unwritable
from prober.records import DomainReport


class Spooled:
    """A report on the disk."""

    __slots__ = ("_offset", "_spool")

    def __init__(self, spool: "Spool", offset: int) -> None:
        self._spool = spool
        self._offset = offset

    def read(self) -> DomainReport:
        return self._spool.get(self._offset)


class Spool:
    """A temporary file of reports, without a name: nobody else can write to it."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()

    def put(self, report: DomainReport) -> Spooled:
        offset = self._file.seek(0, 2)
        pickle.dump(report, self._file, protocol=pickle.HIGHEST_PROTOCOL)
        self._file.flush()  # a full disk is to show here
        return Spooled(self, offset)

    def get(self, offset: int) -> DomainReport:
        self._file.seek(offset)
        report: DomainReport = pickle.load(self._file)  # noqa: S301 - we alone wrote it
        return report

    def close(self) -> None:
        with contextlib.suppress(OSError):  # what a full disk did not take is wanted no more
            self._file.close()


def keep(spool: Spool, report: DomainReport) -> Spooled:
    """*report* in *spool*. Raises ReportError where the disk does not take it."""
    try:
        return spool.put(report)
    except OSError as error:
        raise unwritable("the temporary folder", error, "the reports that are read") from error
