"""The work folder of a scan in shards: its paths, its owner, and whether it may be resumed.

It is ``FILE.work`` or ``--work-folder``. On a cluster it must be on a path that all machines share.
A task is done if its last file exists, so a run can resume where another was killed.
"""

import contextlib
import shutil
import sqlite3
import struct
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from prober.domains import Entry
from prober.errors import ReportError, ResumeError
from prober.files import claim_folder, is_draft, unwritable
from prober.resume import differences
from prober.sharded.files import read_record, write_lines, write_record

_FOLDERS: Final = ("entries", "resolved", "operators", "endpoints", "judged")


@dataclass(frozen=True, slots=True)
class Job:
    """What a work folder belongs to.

    A resumed run must have the same identity, and keeps the sizes.
    """

    identity: dict[str, str]  # all that changes the answers: list, settings, reports
    shard_size: int  # domains per shard
    partitions: int  # number of partitions of the addresses


@dataclass(frozen=True, slots=True)
class Plan:
    """The number of shards and of duplicates, known when the whole list was read."""

    shards: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """The paths in a work folder, and the state of its run."""

    path: Path

    def entries(self, shard: int) -> Path:
        """The shard's part of the list: one Entry per line."""
        return self._of("entries", shard, "jsonl")

    def facts(self, shard: int) -> Path:
        """What was found for the shard's domains, without endpoints: one DomainFacts per line."""
        return self._of("resolved", shard, "jsonl")

    def targets(self, shard: int) -> Path:
        """The shard's endpoints to probe: one section per partition, by address."""
        return self._of("resolved", shard, "targets")

    def operators(self, shard: int) -> Path:
        """Which operator has addresses in which partition: a section per partition, by operator."""
        return self._of("resolved", shard, "operators")

    def resolved(self, shard: int) -> Path:
        """The last file of the resolve stage of the shard."""
        return self._of("resolved", shard, "json")

    def shared(self, partition: int) -> Path:
        """The partition's operators with addresses in several partitions, and in how many."""
        return self._of("operators", partition, "shared")

    def counted(self, partition: int) -> Path:
        """The last file of the count stage: the number of endpoints to probe with ``--deep``."""
        return self._of("operators", partition, "json")

    def store(self, partition: int) -> Path:
        """The facts of the partition's endpoints."""
        return self._of("endpoints", partition, "sqlite3")

    def probed(self, partition: int) -> Path:
        """The last file of the probe stage of the partition."""
        return self._of("endpoints", partition, "json")

    def rows(self, shard: int, report: int) -> Path:
        """The shard's rows in one of the reports."""
        return self._of("judged", shard, f"{report}.rows")

    def judged(self, shard: int) -> Path:
        """The last file of the judge stage of the shard: its totals."""
        return self._of("judged", shard, "json")

    def _of(self, folder: str, number: int, suffix: str) -> Path:
        return self.path / folder / f"{number:06}.{suffix}"

    @property
    def _job(self) -> Path:
        return self.path / "job.json"

    @property
    def _finished(self) -> Path:
        return self.path / "finished.json"

    @property
    def _plan(self) -> Path:
        return self.path / "planned.json"

    @property
    def _owner(self) -> Path:
        return self.path / "run"

    def claim(self, job: Job, *, resume: bool) -> Job:
        """Start *job* in this folder, or with *resume* continue the job that is there.

        Returns the job to run: a continued job keeps its own sizes. Raises ResumeError if there is
        a job but *resume* is False, or if it is a different job. Raises ReportError if the folder
        cannot be written.
        """
        try:
            claim_folder(self.path, is_begun=self.is_begun)
            if self.is_begun:
                return self._continue(job, resume=resume)
            if not (self._finished.exists() or self._has_leftovers_only()):
                raise ResumeError(f"{self.path} is not empty: choose an empty or new folder")
            self._begin(job)
        except OSError as error:
            raise unwritable(str(self.path), error, "the work folder") from error
        return job

    def _begin(self, job: Job) -> None:
        self._clear()
        try:
            for name in _FOLDERS:
                (self.path / name).mkdir(mode=0o700)
            write_record(self._job, job)
        except OSError:
            with contextlib.suppress(OSError):
                self._clear()
                self.path.rmdir()
            raise

    def _has_leftovers_only(self) -> bool:
        """Whether the folder holds only what a run leaves that was killed before it started."""
        return all(
            not any(path.iterdir()) if path.name in _FOLDERS else is_draft(path.name)
            for path in self.path.iterdir()
        )

    def _continue(self, job: Job, *, resume: bool) -> Job:
        if not resume:
            raise ResumeError(
                f"{self.path} holds a run that did not finish: "
                "continue it with --resume, or remove the folder"
            )
        try:
            begun = read_record(self._job, Job)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ResumeError(
                f"{self._job} is damaged: {error}; remove the folder to start again"
            ) from error
        differing = differences(begun.identity, job.identity)
        if differing:
            raise ResumeError(f"{self.path} belongs to another run: {'; '.join(differing)}")
        return begun

    def take_over(self) -> str:
        """Make this run the owner, and return the token for its tasks.

        Tasks of an earlier run then stop. They may still run: a killed coordinator cannot stop
        them.
        """
        token = uuid.uuid4().hex
        write_record(self._owner, token)
        return token

    def stop(self, token: str) -> None:
        """Stop the tasks with this token. Never raises: the folder may be gone."""
        with contextlib.suppress(OSError):
            if self.is_owned_by(token):
                self._owner.unlink(missing_ok=True)

    def is_owned_by(self, token: str) -> bool:
        """Whether the run with this token still owns the folder.

        Raises OSError if the folder does not exist on this machine, so its path is not shared.
        """
        try:
            return read_record(self._owner, str) == token
        except FileNotFoundError:
            self.path.stat()
            return False

    @property
    def is_begun(self) -> bool:
        """Whether a run started here and has not finished."""
        return self._job.exists()

    @property
    def is_planned(self) -> bool:
        """Whether the whole list was read."""
        return self._plan.exists()

    @property
    def plan(self) -> Plan:
        """The plan. Raises OSError if the list was not read to its end."""
        return read_record(self._plan, Plan)

    def write_plan(self, plan: Plan) -> None:
        """Store the plan, when the whole list was read."""
        write_record(self._plan, plan)

    def write_shard(self, shard: int, entries: Iterable[Entry], size: int) -> bool:
        """Write the next *size* of *entries* as a shard. False if no entry is left."""
        piece = list(islice(entries, size))
        if piece and not self.entries(shard).exists():
            write_lines(self.entries(shard), piece)
        return bool(piece)

    @contextlib.contextmanager
    def translate_errors(self) -> Iterator[None]:
        """Turn errors of files in the folder, as on a full disk, into errors for the user.

        Raises ReportError with the name of the file, and ResumeError where a file is damaged. A
        broken pipe is raised unchanged: it comes from the reader of the report, not from the
        folder.
        """
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            raise unwritable(error.filename or str(self.path), error) from error
        except sqlite3.Error as error:
            raise ReportError(f"{self.path}: cannot store results there: {error}") from error
        except (msgspec.DecodeError, struct.error) as error:
            raise ResumeError(
                f"{self.path}: a file in it is damaged: {error}; remove the folder to start again"
            ) from error

    def remove(self) -> None:
        """Remove the folder after the run has finished.

        Files that are not ours stay, and then the folder stays.

        After the first step the run cannot be resumed. Raises ReportError if a file cannot be
        removed.
        """
        try:
            self._job.rename(self._finished)
            self._clear()
            if not any(self.path.iterdir()):
                self.path.rmdir()
        except OSError as error:
            raise ReportError(f"{self.path}: cannot remove it: {error.strerror}") from error

    def _clear(self) -> None:
        for name in _FOLDERS:
            if (self.path / name).exists():
                shutil.rmtree(self.path / name)
        drafts = [path for path in self.path.iterdir() if is_draft(path.name)]
        for file in (self._owner, self._plan, self._finished, *drafts):
            file.unlink(missing_ok=True)
