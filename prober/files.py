"""Files on disk: which are ours, written as a whole or not at all, read as a whole or refused.

Also what is told of one: how far it was written, and why it cannot be.

In a folder that others can write to, anything may lie at a name of ours: a FIFO that blocks who
opens it, a link to another file, a file that its owner changes while we write to it. So a file
that this program makes beside a report is opened only where it is a regular file of this user.
"""

import contextlib
import errno
import os
import re
import shutil
import stat
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Final

from prober.errors import InputError, ReportError
from prober.escape import printable

_SAFELY: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PRIVATE: Final = 0o600
_PRIVATE_FOLDER: Final = 0o700
_WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH
_MAX_LINKS: Final = 40  # as Linux follows
_PIECE: Final = 1 << 20
_STANDARD: Final = frozenset({"/dev/stdout", "/dev/stderr"})
_ADVICE: Final = MappingProxyType(
    {
        errno.ENOSPC: "no space is left: free some, or write elsewhere",
        errno.EFBIG: "the file would be larger than is allowed here: raise the limit (ulimit -f)",
        errno.EDQUOT: "the disk quota is used up: free some space, or write elsewhere",
        errno.EACCES: "permission denied: make its folder writable, or write elsewhere",
        errno.EPERM: "not permitted: make its folder writable, or write elsewhere",
        errno.EROFS: "the file system is read-only: write elsewhere",
        errno.EISDIR: "is a folder: name a file in it",
        errno.ENOENT: "its folder does not exist: create that first",
        errno.ENOTDIR: "its folder is a file: write elsewhere",
        errno.ENAMETOOLONG: "the name is too long: give a shorter one",
    }
)


class ForeignFileError(OSError):
    """What lies at a path is not a file or folder that this user alone can have put there."""

    def __init__(self, why: str) -> None:
        super().__init__(0, why)


def create_ours(path: Path, flags: int, mode: int = _PRIVATE) -> int:
    """A descriptor of a new file at *path*. Raises FileExistsError, also for a link."""
    return os.open(path, flags | _SAFELY | os.O_CREAT | os.O_EXCL, mode)


def open_ours(path: Path, flags: int) -> int:
    """A descriptor of the file at *path*. Raises ForeignFileError where it is not ours."""
    descriptor = os.open(path, flags | _SAFELY)
    try:
        _require_ours(os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def require_ours(path: Path) -> None:
    """Raise ForeignFileError where anything but a regular file of ours lies at *path*."""
    with contextlib.suppress(FileNotFoundError):
        _require_ours(path.lstat())


def _require_ours(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ForeignFileError("what lies there is no regular file: remove it, or write elsewhere")
    if status.st_uid != os.geteuid():
        raise ForeignFileError("the file belongs to another user: write elsewhere")
    if status.st_nlink > 1:  # it may be 0: then it was removed since it was opened
        raise ForeignFileError("the file has several names: remove it, or write elsewhere")


def require_trusted_links(path: Path) -> None:
    """Raise ForeignFileError where *path* is a link that another user put in a shared folder.

    The rule of Linux's fs.protected_symlinks, for a program that resolves links itself. Folders on
    the way to *path* are not checked.
    """
    for _ in range(_MAX_LINKS):
        try:
            link, folder = path.lstat(), path.parent.stat()
        except OSError:
            return
        if not stat.S_ISLNK(link.st_mode):
            return
        trusted = (0, os.geteuid(), folder.st_uid)
        if folder.st_mode & stat.S_IWOTH and link.st_uid not in trusted:
            raise ForeignFileError("a link that another user made: write elsewhere")
        path = path.parent / path.readlink()


def claim_folder(path: Path, *, is_begun: bool) -> None:
    """Make the folder *path* for this user alone, or check and close one that is there.

    Raises ForeignFileError where it is another user's, or where others could have written what
    *is_begun* says is to be gone on with.
    """
    require_trusted_links(path)
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=_PRIVATE_FOLDER, parents=True)
        return  # on NFS, a new folder of root's may belong to another user
    status = path.stat()
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if status.st_uid != os.geteuid():
        raise ForeignFileError("the folder belongs to another user: name another")
    if is_begun and status.st_mode & _WRITABLE_BY_OTHERS:
        raise ForeignFileError("others can write to the folder: remove it, and begin anew")
    path.chmod(_PRIVATE_FOLDER)


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """An empty file to write *path* under; it is at *path* once the context ends well.

    Readable by this user only.
    """
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    os.close(create_ours(draft, os.O_WRONLY))
    try:
        yield draft
        with open(draft, "rb") as written:
            os.fsync(written.fileno())
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """A stream into *path*, which appears once the context ends well. Raises OSError."""
    with new_file(path) as draft, open(draft, "wb") as stream:
        yield stream
        stream.flush()


@contextlib.contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """An empty folder to make the file *path* in, for this user only; removed in the end."""
    folder = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    folder.mkdir(mode=_PRIVATE_FOLDER)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def is_draft(name: str, of: str = "") -> bool:
    """Whether *name* is that of a draft, of the file *of* or of any."""
    return re.fullmatch(rf"{re.escape(of) if of else '.+'}\.[0-9a-f]{{32}}\.tmp", name) is not None


def remove_drafts(path: Path) -> None:
    """Remove what runs that were killed left of *path*. Only where no other run writes it."""
    with contextlib.suppress(OSError):
        for left in path.parent.iterdir():
            if not is_draft(left.name, path.name):
                continue
            if stat.S_ISDIR(left.lstat().st_mode):
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def read_whole(path: Path, most: int) -> bytes:
    """All of *path*. Raises OSError; InputError where it has more than *most* bytes."""
    content = bytearray()
    with open(path, "rb") as stream:
        while piece := stream.read(_PIECE):
            content += piece
            if len(content) > most:
                name = printable(str(path))
                raise InputError(f"{name} has more than {most} bytes: too much to read")
    return bytes(content)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a file was written: its bytes up to there, and their CRC-32."""

    size: int
    crc32: int


NOTHING: Final = Mark(0, 0)


@dataclass(frozen=True, slots=True)
class ResumeFrom:
    """To go on behind *mark*, as long as *is_current* says that nobody else has done so since."""

    mark: Mark
    is_current: Callable[[], bool] = lambda: True


def partial_of(path: Path) -> Path:
    """What the report *path* is called until it is finished."""
    real = Path(os.path.realpath(path))
    return real.with_name(f"{real.name}.partial")


def unwritable(name: str, exc: OSError, what: str = "the report") -> ReportError:
    """The fault *exc* of writing *what* to the file *name*, with what to do about it."""
    advice = _ADVICE.get(exc.errno or 0, exc.strerror or str(exc))
    return ReportError(f"{printable(name)}: cannot write {what}: {advice}")


def is_stream(path: Path) -> bool:
    """Whether to write straight to *path*: nothing there can be renamed over, or should be.

    That a redirected /dev/stdout is a regular file does not make it ours to replace.
    """
    if str(path) in _STANDARD or path.is_relative_to("/dev/fd") or path.is_relative_to("/proc"):
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
