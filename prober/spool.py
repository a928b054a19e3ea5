"""Keeps reports and other records in a temporary file without a name, while they wait."""

import contextlib
import pickle
import tempfile
from typing import IO, Any, Generic, TypeVar

from prober.files import unwritable

R = TypeVar("R")


class Spooled(Generic[R]):
    """A record on the disk."""

    __slots__ = ("_offset", "_spool")

    def __init__(self, spool: "Spool", offset: int) -> None:
        self._spool = spool
        self._offset = offset

    def read(self) -> R:
        record: R = self._spool.get(self._offset)
        return record


class Spool:
    """A temporary file of records, without a name: nobody else can write to it."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()

    def put(self, record: R) -> Spooled[R]:
        offset = self._file.seek(0, 2)
        pickle.dump(record, self._file, protocol=pickle.HIGHEST_PROTOCOL)
        self._file.flush()  # so that a full disk is reported here
        return Spooled(self, offset)

    def get(self, offset: int) -> Any:
        self._file.seek(offset)
        return pickle.load(self._file)  # noqa: S301 - we alone wrote it

    def close(self) -> None:
        with contextlib.suppress(OSError):  # what a full disk did not take is not needed
            self._file.close()


def keep(spool: Spool, record: R) -> Spooled[R]:
    """Put *record* into *spool*. Raises ReportError if the disk is full."""
    try:
        return spool.put(record)
    except OSError as error:
        raise unwritable("the temporary folder", error, "what is read") from error
