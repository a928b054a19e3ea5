"""What a run leaves behind to go on from, whenever it is stopped: a checkpoint beside its report.

A checkpoint says which entries of which list are reported, how far each report file is written, and
what was counted; and with what list and settings, since with others the answers would be others'.
It is replaced as a whole about twice a second, after the rows that it speaks of are on the disk. So
what is not in the last one was not reported: its rows are cut off, and it is probed again.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Final

import msgspec

from prober.errors import ResumeError
from prober.escape import as_text, printable
from prober.files import Mark, open_ours, writing
from prober.net.trust import trust_store_digest
from prober.rules.totals import Totals
from prober.settings import Settings
from prober.version import __version__

log = logging.getLogger(__name__)

_SCHEMA: Final = 1
_EVERY_S: Final = 0.5  # what was reported since is probed again, as is what was in hand
_SHOWN: Final = 60  # characters of a value that differs


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Where a run stopped. ``reported`` are ranges of positions in its list."""

    schema: int = _SCHEMA
    identity: dict[str, str]
    reported: tuple[tuple[int, int], ...] = ()
    marks: dict[str, Mark] = field(default_factory=dict)  # by the name of the report, as text
    totals: Totals = field(default_factory=Totals)

    @property
    def is_sound(self) -> bool:
        """Whether a run can have saved this: a file may hold any numbers."""
        ends = [-2, *(end for pair in self.reported for end in pair)]
        totals = (*self.totals.levels.values(), *self.totals.standings.values())
        return (
            all(first <= last for first, last in self.reported)
            and all(last + 1 < first for last, first in zip(ends[::2], ends[1::2], strict=False))
            and all(mark.size >= 0 and mark.crc32 >= 0 for mark in self.marks.values())
            and all(count >= 0 for count in totals)
        )


def identity_of(
    list_sha256: str,
    settings: Settings,
    options: Mapping[str, object],
) -> dict[str, str]:
    """All on which the answers of a run depend: program, list, trust store, settings, *options*."""
    return {
        "version": __version__,
        "list": f"sha256 {list_sha256}",
        "trust store": f"sha256 {trust_store_digest(settings.ca_file)}",
        **{name: as_text(value) for name, value in settings.identity().items()},
        **{name: as_text(str(value)) for name, value in options.items()},
    }


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What differs between two identities, in words."""
    names = dict.fromkeys((*before, *now))
    return [
        f"{name} was {_shown(before.get(name))} and is {_shown(now.get(name))}"
        for name in names
        if before.get(name) != now.get(name)
    ]


def _shown(value: str | None) -> str:
    return "not there" if value is None else printable(value[:_SHOWN])


def checkpoint_path(partial: Path) -> Path:
    """Where the checkpoint of the report with the partial file *partial* lies."""
    return partial.with_name(f"{partial.name.removesuffix('.partial')}.resume")


def load_checkpoint(path: Path, identity: Mapping[str, str]) -> Checkpoint | None:
    """The checkpoint at *path*; None where there is none.

    Raises ResumeError where it cannot be read, or is of a run with another identity.
    """
    name = printable(str(path))
    try:
        with open(open_ours(path, os.O_RDONLY), "rb") as file:
            written = file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ResumeError(f"cannot read {name}: {error.strerror}") from error
    try:
        checkpoint = msgspec.json.decode(written, type=Checkpoint)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ResumeError(f"{name} is no checkpoint: {error}; remove it to begin anew") from error
    if not checkpoint.is_sound:
        raise ResumeError(f"{name} is no checkpoint: impossible counts; remove it to begin anew")
    differing = differences(checkpoint.identity, identity)
    if differing:
        raise ResumeError(
            f"{name} is of another run: {'; '.join(differing)}. "
            "Go on with the same, or leave --resume out to begin anew (what is there is put aside)"
        )
    return checkpoint


def is_current(path: Path, checkpoint: Checkpoint) -> bool:
    """Whether *checkpoint* is still what lies at *path*: else another run went on from there."""
    try:
        return load_checkpoint(path, checkpoint.identity) == checkpoint
    except ResumeError:
        return False


class CheckpointKeeper:
    """Saves checkpoints to *path*, each once what *sync* says is on the disk.

    That takes a moment of the disk's, so it is done in a thread beside the scan.
    """

    def __init__(self, path: Path, sync: Callable[[], None]) -> None:
        self.path = path
        self._sync = sync
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._saving: Future[None] | None = None
        self._due = 0.0

    def tick(self, take: Callable[[], Checkpoint]) -> None:
        """Save what *take* gives, where the last one is old enough; costs nothing else."""
        if monotonic() < self._due or (self._saving is not None and not self._saving.done()):
            return
        self._due = monotonic() + _EVERY_S
        self._saving = self._thread.submit(self._save, msgspec.json.encode(take()))

    def save(self, checkpoint: Checkpoint) -> None:
        """Save *checkpoint* now, and wait for that."""
        self._save(msgspec.json.encode(checkpoint))

    def close(self, last: Checkpoint | None = None) -> None:
        """Let the thread end, and save *last*."""
        self._thread.shutdown(wait=True)
        if last is not None:
            self.save(last)

    def discard(self) -> None:
        """Nothing is left to go on with."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _save(self, checkpoint: bytes) -> None:
        """Where it cannot be saved the one before stands: it is still true."""
        try:
            self._sync()
            with writing(self.path) as file:
                file.write(checkpoint)
        except OSError as error:
            log.warning("cannot save the checkpoint %s: %s", self.path, error)
