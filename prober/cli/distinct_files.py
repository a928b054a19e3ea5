"""Refuses to overwrite an input: compares what a command reads with what it writes.

Files are compared by device and inode, so links and different spellings of a path do not matter.
For a report that includes its temporary names: FILE.partial, FILE.resume, FILE.held and FILE.work.
"""

import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import UnsupportedOperation
from itertools import combinations
from pathlib import Path
from typing import Final, TypeAlias

from prober.errors import SettingsError
from prober.escape import printable
from prober.files import is_stream, not_tested_of, partial_of
from prober.held_reports import held_path
from prober.resume import checkpoint_path

REPORT: Final = "the report"
_STANDARD: Final = "-"  # stdin or stdout

Identity: TypeAlias = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Read:
    """A path that is read, or ``-``, and its description, such as "the list".

    *becomes*: the output that may replace it, if that is documented.
    """

    path: str
    what: str
    becomes: str | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """A path that is written, or ``-``, and its description. *folder*: its files may be removed."""

    path: str
    what: str
    folder: bool = False


def staged(path: str, what: str = REPORT) -> Iterator[Written]:
    """The files written for a report: the report itself, and its partial files."""
    yield Written(path, what)
    if path == _STANDARD or is_stream(Path(path)):
        return
    partial = partial_of(Path(path))
    yield Written(str(partial), f"the partial file of {what}")
    yield Written(str(not_tested_of(partial)), f"the partial file of {what}")
    checkpoint = checkpoint_path(partial)
    yield Written(str(checkpoint), f"the checkpoint of {what}")
    yield Written(str(held_path(checkpoint)), f"the held reports of {what}")
    yield Written(f"{path}.work", f"the work folder of {what}", folder=True)


def require_distinct(
    read: Iterable[Read],
    written: Iterable[Written],
    *,
    is_input: Callable[[Path], bool] = lambda _path: False,
) -> None:
    """Raise SettingsError if an output would overwrite an input or another output.

    Call this before anything is opened for writing. *is_input* says for a file in a folder that is
    read whether it is one of the inputs.
    """
    outputs = list(written)
    for source in read:
        for output in outputs:
            if source.becomes != output.what and _is_over(source, output, is_input):
                name = printable(output.path)
                raise SettingsError(
                    f"{name} is {source.what}, and {output.what} would overwrite it: "
                    "write elsewhere"
                )
    for one, other in combinations(outputs, 2):
        if _is_same_output(one, other):
            raise SettingsError(_twice(one, other))


class OwnFiles:
    """The files that a command writes, so that it can skip them in a folder that it reads."""

    def __init__(self, written: Iterable[Written]) -> None:
        paths = (os.path.realpath(each.path) for each in written if each.path != _STANDARD)
        self._names = {os.path.split(path) for path in paths}

    def have(self, path: Path) -> bool:
        """Whether *path* is one of them, or an earlier run's FILE.partial.1 and so on."""
        folder, name = os.path.realpath(path.parent), path.name
        aside, _, number = name.rpartition(".")
        names = (name, aside) if number.isdigit() and aside.endswith(".partial") else (name,)
        return any((folder, each) in self._names for each in names)


def _is_over(source: Read, output: Written, is_input: Callable[[Path], bool]) -> bool:
    """Whether writing *output* would change the input *source*."""
    read = _identity(source.path, 0)
    written = _identity(output.path, 1)
    if read is None or written is None:
        return False
    if read == written:
        return True
    if output.folder and source.path != _STANDARD:
        return written in _folders_of(source.path)
    if output.path == _STANDARD or not os.path.isfile(output.path):
        return False
    return read in _folders_of(output.path) and is_input(Path(output.path))


def _is_same_output(one: Written, other: Written) -> bool:
    """Whether several outputs may share *path*: a device, a pipe, or redirected stdout."""
    if (one.path, one.what) == (other.path, other.what):
        return True
    if any(each.path == _STANDARD or is_stream(Path(each.path)) for each in (one, other)):
        return False
    return _identity(one.path, 1) == _identity(other.path, 1)


def _twice(one: Written, other: Written) -> str:
    if one.what == other.what:
        return "--output names the same file twice"
    name = printable(other.path)
    return f"{name} would be {one.what} and also {other.what}: write one of them elsewhere"


def _identity(path: str, standard: int) -> Identity | None:
    """An identity that all paths of one file share; None for a device, a pipe or a socket.

    A file that does not exist yet is identified by its folder and its name. *standard* is the
    descriptor that ``-`` stands for.
    """
    try:
        status = _status_of(standard) if path == _STANDARD else Path(path).stat()
    except UnsupportedOperation:  # stdin or stdout that is no file at all
        return None
    except (OSError, ValueError):
        return None if path == _STANDARD else _identity_of_new(os.path.realpath(path))
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return None
    return status.st_dev, status.st_ino


def _status_of(standard: int) -> os.stat_result:
    stream = (sys.stdin, sys.stdout)[standard]
    if stream is None:  # started with it closed
        raise UnsupportedOperation
    return os.fstat(stream.fileno())


def _identity_of_new(path: str) -> Identity:
    folder, name = os.path.split(path)
    try:
        status = Path(folder).stat()
    except OSError:
        return (path,)
    return status.st_dev, status.st_ino, name


def _folders_of(path: str) -> Iterator[Identity | None]:
    """The folders above *path*, the nearest first."""
    return (_identity(str(folder), 0) for folder in Path(os.path.realpath(path)).parents)
