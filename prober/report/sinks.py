"""Where a report goes: a file that appears only when it is whole, or a stream.

A file is written as ``FILE.partial``, a row at a time, locked, and renamed to FILE by a run that
finished. So FILE is always one whole report, and what a stopped run has seen is not lost.
"""

import abc
import contextlib
import errno
import fcntl
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from prober.errors import ReportError, ResumeError
from prober.escape import printable
from prober.files import (
    NOTHING,
    Mark,
    ResumeFrom,
    create_ours,
    is_stream,
    new_file,
    not_tested_of,
    open_ours,
    partial_of,
    remove_drafts,
    require_trusted_links,
    scratch_folder,
    unwritable,
)

_FLAGS: Final = os.O_RDWR | os.O_APPEND
_PART: Final = 1 << 20  # bytes that are read at once
Arrange: TypeAlias = Callable[[BinaryIO], Iterator[bytes] | None]
"""Gives a finished file in another order, or None: see ``Formatter.arranged``."""


def _as_written(_written: BinaryIO) -> None:
    return None


class Sink(abc.ABC):
    """Takes bytes and gets them out at once. Raises ``ReportError`` if it cannot.

    ``partial`` is the file that is written until it is finished, ``mark`` how far it is written,
    and ``kept`` where the rows of an earlier run went that never finished: None for a stream.
    """

    partial: Path | None = None
    mark: Mark | None = None
    kept: Path | None = None

    @abc.abstractmethod
    def write(self, text: bytes) -> None: ...

    @abc.abstractmethod
    def finish(self, arrange: Arrange = _as_written, *, keep_rows: bool = False) -> None: ...

    @abc.abstractmethod
    def abandon(self, *, blind: bool = False) -> None: ...

    @abc.abstractmethod
    def sync(self) -> None: ...

    def clear(self, *, keep_rows: bool = False) -> None:  # noqa: B027 # most have no rows left
        """Remove the rows that a finished report was made of; or let go of them."""


def open_sink(path: Path, resume_from: ResumeFrom | None = None, what: str = "the report") -> Sink:
    """A file, or what else stands at *path*: a device, a FIFO or ``/dev/stdout`` as it is.

    Everything that can be wrong with the path shows here, before there is anything to write. With
    *resume_from*, a file is continued after that mark; ResumeError if it was changed since.
    """
    if is_stream(path):
        try:
            return StreamSink(open(path, "ab"), str(path), ours=True)
        except OSError as exc:
            raise unwritable(str(path), exc, what) from exc
    return FileSink(path, resume_from, what)


class StreamSink(Sink):
    """Stdout, a device or a FIFO; *ours* to close. A closed pipe is a ``BrokenPipeError``."""

    def __init__(self, stream: BinaryIO, name: str, *, ours: bool = False) -> None:
        self._stream = stream
        self._name = name
        self._ours = ours

    def write(self, text: bytes) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError as exc:
            self._discard()
            if isinstance(exc, BrokenPipeError):
                raise
            raise unwritable(self._name, exc) from exc

    def finish(self, arrange: Arrange = _as_written, *, keep_rows: bool = False) -> None:
        """What was written is out already, as it is."""
        self.abandon()

    def abandon(self, *, blind: bool = False) -> None:
        """What was written cannot be taken back."""
        if self._ours:
            self._stream.close()

    def sync(self) -> None:
        """Nothing to do: what a stream leads to is not ours."""

    def _discard(self) -> None:
        """Point a failed stream at /dev/null: Python flushes what it still holds at exit."""
        with contextlib.suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)


class FileSink(Sink):
    """FILE by way of ``FILE.partial``; with *resume_from*, after the rows of an earlier run."""

    partial: Path
    mark: Mark

    def __init__(
        self, path: Path, resume_from: ResumeFrom | None = None, what: str = "the report"
    ) -> None:
        self._name = str(path)
        self._what = what
        self._path = Path(os.path.realpath(path))  # a link stays one; its target is replaced
        self.partial = partial_of(path)
        self._made = False
        self.mark = resume_from.mark if resume_from is not None else NOTHING
        try:
            require_trusted_links(path)
            _check_replaceable(self._path)
            self._fd = self._claim() if resume_from is None else self._reclaim(resume_from)
        except OSError as exc:
            raise unwritable(self._name, exc, self._what) from exc

    def write(self, text: bytes) -> None:
        rest = memoryview(text)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as exc:
            self._drop_torn_row()
            raise unwritable(self._name, exc, self._what) from exc
        self.mark = Mark(self.mark.size + len(text), zlib.crc32(text, self.mark.crc32))

    def sync(self) -> None:
        """What was written is on the disk. Raises OSError."""
        os.fsync(self._fd)

    def make(self, make: Callable[[BinaryIO, Path], None]) -> None:
        """Write FILE with *make*, from the rows so far, whole and on the disk.

        The partial file keeps the rows, and stays locked, until ``clear``: a run that is stopped
        before all its reports are finished needs them to go on.
        """
        try:
            remove_drafts(self._path)
            with scratch_folder(self._path) as folder, open(self.partial, "rb") as rows:
                draft = folder / "draft"
                make(rows, draft)
                draft.chmod(stat.S_IMODE(os.fstat(self._fd).st_mode))
                with open(draft, "rb") as whole:
                    os.fsync(whole.fileno())
                os.replace(draft, self._path)
            _sync_folder(self._path.parent)
        except OSError as exc:
            raise unwritable(self._name, exc, self._what) from exc
        self._made = True
        self._remove_not_tested()

    def clear(self, *, keep_rows: bool = False) -> None:
        """Remove the rows that FILE was made of; or leave them to a run that goes on."""
        if not self._made:
            return
        self._made = False
        if not keep_rows:
            with contextlib.suppress(OSError):
                self.partial.unlink()
        os.close(self._fd)

    def finish(self, arrange: Arrange = _as_written, *, keep_rows: bool = False) -> None:
        """FILE is there, whole and on the disk; until then the old one is.

        With *keep_rows*, what FILE was made of stays where it cannot be read from FILE.
        """
        if self._made:
            return
        try:
            os.fsync(self._fd)
            with open(self.partial, "rb") as written:
                pieces = arrange(written)
                if pieces is None:
                    os.replace(self.partial, self._path)
                else:
                    self._replace_with(pieces, keep_rows=keep_rows)
            self._remove_not_tested()
            _sync_folder(self._path.parent)
        except OSError as exc:
            raise unwritable(self._name, exc, self._what) from exc
        finally:
            os.close(self._fd)

    def _replace_with(self, pieces: Iterator[bytes], *, keep_rows: bool) -> None:
        """The partial file stays until FILE is whole, so that --resume can continue it."""
        with new_file(self._path) as draft, open(draft, "wb") as stream:
            stream.writelines(pieces)
            os.fchmod(stream.fileno(), stat.S_IMODE(os.fstat(self._fd).st_mode))
        if not keep_rows:
            self.partial.unlink()

    def abandon(self, *, blind: bool = False) -> None:
        """FILE is as it was; the partial file stays if it holds anything.

        If this machine is *blind*, its rows replace those of the last run that was.
        """
        self._drop_torn_row()
        with contextlib.suppress(OSError):
            if self.mark.size == 0:
                self.partial.unlink()
            else:
                os.fsync(self._fd)
                if blind:
                    os.replace(self.partial, not_tested_of(self.partial))
        os.close(self._fd)

    def _remove_not_tested(self) -> None:
        """FILE replaces the rows of an earlier run on a machine that could not probe."""
        with contextlib.suppress(OSError):
            not_tested_of(self.partial).unlink(missing_ok=True)

    def _drop_torn_row(self) -> None:
        """Half a row may be left by a full disk, or by a signal in the middle of a write."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, self.mark.size)

    def _claim(self) -> int:
        """The partial file, empty and locked; one with rows in it is put aside first."""
        while True:
            fd = _open(self.partial)
            try:
                self._lock(fd)
                if _is_at(fd, self.partial):
                    if os.fstat(fd).st_size == 0:
                        _close_as(self._path, fd)
                        return fd
                    self.kept = _put_aside(self.partial)
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)

    def _reclaim(self, resume_from: ResumeFrom) -> int:
        """The partial file as it was at the mark, locked.

        Where a run has finished, or was stopped while it did, the partial file is the report by
        now: its rows are copied, and it stays until the new one is whole.
        """
        mark = resume_from.mark
        finished = not self.partial.exists() and self._path.exists() and mark.size > 0
        path = self._path if finished else self.partial
        if mark.size and not path.exists():
            raise ResumeError(
                f"{printable(str(path))} is gone: leave --resume out to start a new run"
            )
        fd = _open(path)
        try:
            self._lock(fd)
            if not (_is_at(fd, path) and resume_from.is_current()):
                name = printable(self._name)
                raise ResumeError(f"{name}: another run has gone on with it meanwhile: try again")
            self._require(fd, mark, path)
            if finished:
                fd = self._copied(fd, mark.size)
            os.ftruncate(fd, mark.size)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _copied(self, fd: int, size: int) -> int:
        """A partial file with the first *size* bytes of the report *fd*, which is closed."""
        with new_file(self.partial) as draft, open(draft, "wb") as stream:
            for start in range(0, size, _PART):
                stream.write(os.pread(fd, min(_PART, size - start), start))
        partial = _open(self.partial)
        os.close(fd)
        self._lock(partial)
        return partial

    def _require(self, fd: int, mark: Mark, path: Path) -> None:
        if _mark_of(fd, mark.size) != mark:
            raise ResumeError(
                f"{printable(str(path))} is not as the run left it: "
                "leave --resume out to start a new run; the old rows are kept under another name"
            )

    def _lock(self, fd: int) -> None:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            name = printable(self._name)
            raise ReportError(
                f"{name}: another run is writing it: wait for that, or write elsewhere"
            ) from exc
        except OSError as exc:
            if exc.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise
            # a file system without locks: two runs at once are then the caller's to avoid


def write_whole(sink: Sink, content: bytes) -> None:
    """Write *content*, to a file whole or not at all, and on the disk. Raises ReportError."""
    try:
        sink.write(content)
    except BaseException:
        sink.abandon()
        raise
    sink.finish()


def _check_replaceable(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _open(path: Path) -> int:
    """The file *path*, made where it is not there. It has the mode of a new file in any case."""
    while True:
        with contextlib.suppress(FileExistsError):
            return create_ours(path, _FLAGS, 0o666)
        with contextlib.suppress(FileNotFoundError):  # another run has just renamed or removed it
            fd = open_ours(path, _FLAGS)
            break
    with contextlib.suppress(OSError):  # a file system that has no modes
        os.fchmod(fd, 0o666 & ~_umask())
    return fd


def _close_as(path: Path, fd: int) -> None:
    """Give nobody more than the report at *path* gave, if it is ours; never more than the umask."""
    with contextlib.suppress(OSError):
        old, new = path.stat(), os.fstat(fd)
        if old.st_uid == os.geteuid() and old.st_mode & new.st_mode != new.st_mode:
            os.fchmod(fd, stat.S_IMODE(old.st_mode & new.st_mode))


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _mark_of(fd: int, size: int) -> Mark:
    """The mark of the first *size* bytes, or of all where there are fewer."""
    found = NOTHING
    while part := os.pread(fd, min(_PART, size - found.size), found.size):
        found = Mark(found.size + len(part), zlib.crc32(part, found.crc32))
    return found


def _is_at(fd: int, path: Path) -> bool:
    """False if another run has renamed or removed the file between our open and our lock."""
    try:
        return os.path.samestat(os.fstat(fd), path.lstat())
    except FileNotFoundError:
        return False


def _put_aside(partial: Path) -> Path:
    """Rename *partial* to the first free of ``FILE.partial.1``, ``.2`` …"""
    number = 1
    while True:
        aside = partial.with_name(f"{partial.name}.{number}")
        try:
            os.close(create_ours(aside, os.O_WRONLY))  # the name is ours
        except FileExistsError:
            number += 1
            continue
        os.replace(partial, aside)
        return aside


def _sync_folder(folder: Path) -> None:
    """Make the rename last through a power cut, where the file system can."""
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
