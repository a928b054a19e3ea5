"""Files on disk: safe creation, atomic writes, bounded reads, and errors with advice for the user.

In a folder that others can write to, a file of ours may be replaced by something else: a FIFO that
blocks, a link to another file, or a file whose owner changes it later. So a file that this program
makes beside a report is opened only if it is a regular file of this user. "Ours" means that.
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

_SAFE_FLAGS: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PRIVATE: Final = 0o600
_PRIVATE_FOLDER: Final = 0o700
_WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH
_MAX_LINKS: Final = 40  # the limit of Linux
_PIECE_BYTES: Final = 1 << 20
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

_TO_READ: Final = MappingProxyType(
    {
        errno.ENOENT: "check the path",
        errno.ENOTDIR: "check the path",
        errno.EISDIR: "name the files in it",
        errno.EACCES: "run this as a user who may read it",
        errno.EPERM: "run this as a user who may read it",
    }
)


class ForeignFileError(OSError):
    """The file or folder at a path may have been put there by another user."""

    def __init__(self, why: str) -> None:
        super().__init__(0, why)


def create_ours(path: Path, flags: int, mode: int = _PRIVATE) -> int:
    """Create *path*, and return its descriptor. Raises FileExistsError, also for a link."""
    return os.open(path, flags | _SAFE_FLAGS | os.O_CREAT | os.O_EXCL, mode)


def open_ours(path: Path, flags: int) -> int:
    """Open *path*, and return its descriptor. Raises ForeignFileError if the file is not ours."""
    descriptor = os.open(path, flags | _SAFE_FLAGS)
    try:
        _require_ours(os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def require_ours(path: Path) -> None:
    """Raise ForeignFileError if *path* exists and is not a regular file of this user."""
    with contextlib.suppress(FileNotFoundError):
        _require_ours(path.lstat())


def _require_ours(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ForeignFileError("it is not a regular file: remove it, or write elsewhere")
    if status.st_uid != os.geteuid():
        raise ForeignFileError("the file belongs to another user: write elsewhere")
    if status.st_nlink > 1:  # 0 is allowed: the file was removed after it was opened
        raise ForeignFileError("the file has several names: remove it, or write elsewhere")


def require_trusted_links(path: Path) -> None:
    """Raise ForeignFileError if *path* is a link that another user made in a shared folder.

    This is the rule of Linux's fs.protected_symlinks, for a program that resolves links itself.
    Parent folders of *path* are not checked.
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
    """Make the folder *path* for this user only, or take an existing one of this user.

    Raises ForeignFileError if it belongs to another user, or if *is_begun* and others could have
    changed the files in it.
    """
    require_trusted_links(path)
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=_PRIVATE_FOLDER, parents=True)
        return  # not checked: on NFS, a new folder of root may belong to another user
    status = path.stat()
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if status.st_uid != os.geteuid():
        raise ForeignFileError("the folder belongs to another user: choose another folder")
    if is_begun and status.st_mode & _WRITABLE_BY_OTHERS:
        raise ForeignFileError("others can write to the folder: remove it, and start again")
    path.chmod(_PRIVATE_FOLDER)


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield the path of a draft, which replaces *path* if the block succeeds.

    Only this user can read the file.
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
    """Yield a stream that becomes the file *path* if the block succeeds. Raises OSError."""
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
    """Whether *name* is the name of a draft, of the file *of* or of any file."""
    return re.fullmatch(rf"{re.escape(of) if of else '.+'}\.[0-9a-f]{{32}}\.tmp", name) is not None


def remove_drafts(path: Path) -> None:
    """Remove drafts of *path* that killed runs left. Only safe if no other run writes *path*."""
    with contextlib.suppress(OSError):
        for left in path.parent.iterdir():
            if not is_draft(left.name, path.name):
                continue
            if stat.S_ISDIR(left.lstat().st_mode):
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def read_whole(path: Path, most: int) -> bytes:
    """The contents of *path*. Raises OSError, and InputError if it has more than *most* bytes."""
    content = bytearray()
    with open(path, "rb") as stream:
        while piece := stream.read(_PIECE_BYTES):
            content += piece
            if len(content) > most:
                name = printable(str(path))
                raise InputError(f"{name} has more than {most} bytes: too much to read")
    return bytes(content)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a file was written: the number of bytes, and their CRC-32."""

    size: int
    crc32: int


NOTHING: Final = Mark(0, 0)


@dataclass(frozen=True, slots=True)
class ResumeFrom:
    """Continue after *mark*, if *is_current* returns True: no other run has continued there."""

    mark: Mark
    is_current: Callable[[], bool] = lambda: True


def partial_of(path: Path) -> Path:
    """The path of the report *path* until it is finished."""
    real = Path(os.path.realpath(path))
    return real.with_name(f"{real.name}.partial")


def not_tested_of(partial: Path) -> Path:
    """The path for the rows in *partial*, if this machine turns out to be unable to probe.

    There is one, so that retries do not fill the folder: the next such run replaces it.
    """
    return partial.with_name(f"{partial.name}.not-tested")


def why_unreadable(error: OSError) -> str:
    """Why a file or folder cannot be read, and what to do."""
    why = error.strerror or str(error)
    advice = _TO_READ.get(error.errno or 0)
    return f"{why}: {advice}" if advice else why


def unwritable(name: str, exc: OSError, what: str = "the report") -> ReportError:
    """The error for *exc*, raised while writing *what* to the file *name*, with advice."""
    advice = _ADVICE.get(exc.errno or 0, exc.strerror or str(exc))
    return ReportError(f"{printable(name)}: cannot write {what}: {advice}")


def is_stream(path: Path) -> bool:
    """Whether to write directly to *path*, because it cannot or should not be replaced by a rename.

    A redirected /dev/stdout may be a regular file, but it is not ours to replace.
    """
    if str(path) in _STANDARD or path.is_relative_to("/dev/fd") or path.is_relative_to("/proc"):
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
