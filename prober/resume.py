"""Checkpoints: a file beside the report, from which a stopped scan can be resumed.

A checkpoint holds the positions that are reported, how far each report file is written, the totals,
and the identity of the run: list, settings and version, which decide the answers. It is replaced
about twice per second, after its rows are on the disk. Rows after the last checkpoint are cut off
on resume, and their domains are probed again.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Final

import msgspec

from prober.errors import ResumeError
from prober.escape import as_text, printable
from prober.files import Mark, open_ours, why_unreadable, writing
from prober.held_reports import Held, held_path, write_held
from prober.net.trust import trust_store_digest
from prober.rules.totals import Totals
from prober.settings import Settings
from prober.version import __version__

log = logging.getLogger(__name__)

_SCHEMA: Final = 1
_SAVE_INTERVAL_S: Final = 0.5  # domains reported after the last checkpoint are probed again
_MAX_SHOWN: Final = 60  # characters of a differing value


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The state of a stopped run. ``reported`` are ranges of positions in its list."""

    schema: int = _SCHEMA
    identity: dict[str, str]
    reported: tuple[tuple[int, int], ...] = ()
    marks: dict[str, Mark] = field(default_factory=dict)  # by the name of the report, as text
    totals: Totals = field(default_factory=Totals)

    @property
    def is_valid(self) -> bool:
        """Whether a run can have saved these values. A damaged file may hold any numbers."""
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
    """Everything that the answers depend on: version, list, trust store, settings and *options*."""
    return {
        "version": __version__,
        "list": f"sha256 {list_sha256}",
        "trust store": f"sha256 {trust_store_digest(settings.ca_file)}",
        **{name: as_text(value) for name, value in settings.identity().items()},
        **{name: as_text(str(value)) for name, value in options.items()},
    }


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The differences between two identities, in words."""
    names = dict.fromkeys((*before, *now))
    return [
        f"{name} was {_show_value(before.get(name))} and is {_show_value(now.get(name))}"
        for name in names
        if before.get(name) != now.get(name)
    ]


def _show_value(value: str | None) -> str:
    return "not there" if value is None else printable(value[:_MAX_SHOWN])


def checkpoint_path(partial: Path) -> Path:
    """The path of the checkpoint for the report whose partial file is *partial*."""
    return partial.with_name(f"{partial.name.removesuffix('.partial')}.resume")


def load_checkpoint(path: Path, identity: Mapping[str, str]) -> Checkpoint | None:
    """The checkpoint at *path*; None if there is none.

    Raises ResumeError if it cannot be read, or belongs to a run with another identity.
    """
    name = printable(str(path))
    try:
        with open(open_ours(path, os.O_RDONLY), "rb") as file:
            written = file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ResumeError(f"cannot read {name}: {why_unreadable(error)}") from error
    try:
        checkpoint = msgspec.json.decode(written, type=Checkpoint)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ResumeError(
            f"{name} is not a checkpoint: {error}; remove it to start again"
        ) from error
    if not checkpoint.is_valid:
        raise ResumeError(
            f"{name} is not a checkpoint: impossible counts; remove it to start again"
        )
    differing = differences(checkpoint.identity, identity)
    if differing:
        raise ResumeError(
            f"{name} belongs to another run: {'; '.join(differing)}. "
            "Use the same list and options, or start again without --resume (old files are kept)"
        )
    return checkpoint


def is_current(path: Path, checkpoint: Checkpoint) -> bool:
    """Whether *checkpoint* is still the one at *path*. If not, another run has resumed it."""
    try:
        return load_checkpoint(path, checkpoint.identity) == checkpoint
    except ResumeError:
        return False


class CheckpointKeeper:
    """Saves checkpoints to *path*. Before each, *sync* must write the reports to the disk.

    Saving waits for the disk, so it runs in a thread.
    """

    def __init__(self, path: Path, sync: Callable[[], None]) -> None:
        self.path = path
        self._sync = sync
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._saving: Future[None] | None = None
        self._due = 0.0

    def save_if_due(self, make: Callable[[], Checkpoint]) -> None:
        """Save the result of *make*, if the last checkpoint is old enough."""
        if monotonic() < self._due or (self._saving is not None and not self._saving.done()):
            return
        self._due = monotonic() + _SAVE_INTERVAL_S
        self._saving = self._thread.submit(self._save, msgspec.json.encode(make()))

    def save(self, checkpoint: Checkpoint) -> None:
        """Save *checkpoint* now, and wait until it is saved."""
        self._save(msgspec.json.encode(checkpoint))

    def close(self, last: Checkpoint | None = None) -> None:
        """End the thread, and save *last*."""
        self._thread.shutdown(wait=True)
        if last is not None:
            self.save(last)

    def hold(self, identity: Mapping[str, str], held: Iterable[Held]) -> None:
        """Save reports that a resumed run uses unchanged. After an error it probes them again."""
        path = held_path(self.path)
        try:
            write_held(path, identity, held)
        except OSError as error:
            log.warning("cannot save %s: %s; --resume probes its domains again", path, error)

    def discard(self) -> None:
        """Remove the checkpoint: there is nothing to resume."""
        for path in (self.path, held_path(self.path)):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def _save(self, checkpoint: bytes) -> None:
        """Save a checkpoint. On an error the previous checkpoint stays, which is still correct."""
        try:
            self._sync()
            with writing(self.path) as file:
                file.write(checkpoint)
        except OSError as error:
            log.warning("cannot save the checkpoint %s: %s", self.path, error)
