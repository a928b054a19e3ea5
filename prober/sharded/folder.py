"""The work folder of a scan in shards: where each file stands, whose it is, who may go on with it.

``FILE.work`` or ``--work-folder``; on a cluster it is on a path that all machines share. A shard's
stage is done exactly if its last file exists, so a run goes on where another was killed.
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
    """What the files of a work folder belong to. A run that goes on with them keeps to it."""

    identity: dict[str, str]  # what decides the answers: the list, the settings, the report
    shard_size: int  # domains
    partitions: int  # of the addresses


@dataclass(frozen=True, slots=True)
class Plan:
    """What the list came to, once it was read to its end."""

    shards: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """The paths in a work folder."""

    path: Path

    def entries(self, shard: int) -> Path:
        """The shard's piece of the list: Entry a line."""
        return self._of("entries", shard, "jsonl")

    def facts(self, shard: int) -> Path:
        """What was seen of its domains, but for endpoints: DomainFacts a line, as in the list."""
        return self._of("resolved", shard, "jsonl")

    def targets(self, shard: int) -> Path:
        """Its endpoints: a section a partition, by address."""
        return self._of("resolved", shard, "targets")

    def operators(self, shard: int) -> Path:
        """Who holds addresses in which partitions: a section a partition, by operator."""
        return self._of("resolved", shard, "operators")

    def resolved(self, shard: int) -> Path:
        """The last file of the shard's first stage."""
        return self._of("resolved", shard, "json")

    def shared(self, partition: int) -> Path:
        """The operators of this partition that have addresses in several, and in how many."""
        return self._of("operators", partition, "shared")

    def counted(self, partition: int) -> Path:
        """The last file of the counting: how many those are."""
        return self._of("operators", partition, "json")

    def store(self, partition: int) -> Path:
        """The facts of the partition's endpoints."""
        return self._of("endpoints", partition, "sqlite3")

    def probed(self, partition: int) -> Path:
        """The last file of the partition's probing."""
        return self._of("endpoints", partition, "json")

    def rows(self, shard: int, report: int) -> Path:
        """The shard's rows in one of the reports."""
        return self._of("judged", shard, f"{report}.rows")

    def judged(self, shard: int) -> Path:
        """The last file of all that a shard needs: its totals."""
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
        """Begin *job* here, or with *resume* go on with one; gives the job whose layout stands.

        Raises ResumeError where there is a job already and it is not to be resumed, or is another;
        ReportError where the folder cannot be written.
        """
        try:
            claim_folder(self.path, is_begun=self.is_begun)
            if self.is_begun:
                return self._continue(job, resume=resume)
            if not (self._finished.exists() or self._holds_leftovers_only()):
                raise ResumeError(
                    f"{self.path} is not empty: name a folder of its own for the work"
                )
            self._clear()
            for name in _FOLDERS:
                (self.path / name).mkdir(mode=0o700)
            write_record(self._job, job)
        except OSError as error:
            raise unwritable(str(self.path), error, "the work folder") from error
        return job

    def _holds_leftovers_only(self) -> bool:
        """Whether nothing is in it but what a run leaves that is killed before it has begun."""
        return all(
            not any(each.iterdir()) if each.name in _FOLDERS else is_draft(each.name)
            for each in self.path.iterdir()
        )

    def _continue(self, job: Job, *, resume: bool) -> Job:
        if not resume:
            raise ResumeError(
                f"{self.path} holds a run that did not finish: "
                "go on with it by --resume, or remove it"
            )
        try:
            begun = read_record(self._job, Job)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ResumeError(
                f"{self._job} is no file of a run: {error}; remove the folder to begin anew"
            ) from error
        differing = differences(begun.identity, job.identity)
        if differing:
            raise ResumeError(f"{self.path} is of another run: {'; '.join(differing)}")
        return begun

    def take_over(self) -> str:
        """A token for the tasks of this run; those of an earlier one see that they are nobody's.

        A coordinator that was killed leaves its tasks running on a cluster.
        """
        token = uuid.uuid4().hex
        write_record(self._owner, token)
        return token

    def stop(self, token: str) -> None:
        """Let the tasks with this token end. Never raises: the folder may be gone."""
        with contextlib.suppress(OSError):
            if self.is_owned_by(token):
                self._owner.unlink(missing_ok=True)

    def is_owned_by(self, token: str) -> bool:
        """Whether the run that gave its tasks this token still goes on.

        Raises OSError where there is no such folder here: then its path is not shared.
        """
        try:
            return read_record(self._owner, str) == token
        except FileNotFoundError:
            self.path.stat()
            return False

    @property
    def is_begun(self) -> bool:
        """Whether a run began here, and has not finished."""
        return self._job.exists()

    @property
    def is_planned(self) -> bool:
        """Whether the list has been read to its end."""
        return self._plan.exists()

    @property
    def plan(self) -> Plan:
        """What the list came to. Raises OSError where it has not been read to its end."""
        return read_record(self._plan, Plan)

    def write_plan(self, plan: Plan) -> None:
        """Note that the list has ended."""
        write_record(self._plan, plan)

    def write_shard(self, shard: int, entries: Iterable[Entry], size: int) -> bool:
        """Write the next *size* of *entries* as a shard; False where there are none left."""
        piece = list(islice(entries, size))
        if piece and not self.entries(shard).exists():
            write_lines(self.entries(shard), piece)
        return bool(piece)

    @contextlib.contextmanager
    def faults_named(self) -> Iterator[None]:
        """Turn what a full disk does, or a path that is not shared, here or on a worker.

        Raises ReportError, naming the file; a reader that has left is no such fault. Raises
        ResumeError where a file is not what a worker wrote.
        """
        try:
            yield
        except BrokenPipeError:  # of who reads the report: nobody does any more
            raise
        except OSError as error:
            raise unwritable(error.filename or str(self.path), error) from error
        except sqlite3.Error as error:
            raise ReportError(f"{self.path}: cannot keep what was seen there: {error}") from error
        except (msgspec.DecodeError, struct.error) as error:
            raise ResumeError(
                f"{self.path}: a file in it is damaged: {error}; remove the folder to begin anew"
            ) from error

    def remove(self) -> None:
        """The run finished. What is not ours in the folder stays, and then the folder does.

        From the first step on there is nothing to go on with. Raises ReportError where a file
        cannot be removed.
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
        drafts = [each for each in self.path.iterdir() if is_draft(each.name)]
        for file in (self._owner, self._plan, self._finished, *drafts):
            file.unlink(missing_ok=True)
