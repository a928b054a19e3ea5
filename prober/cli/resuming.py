"""Resumes a scan that was stopped: reads the checkpoint, and names the command to type."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from prober.cli.running import tell
from prober.errors import BlindError, ResumeError, SettingsError
from prober.escape import as_text, printable
from prober.files import NOTHING, ForeignFileError, ResumeFrom, is_stream, partial_of, require_ours
from prober.progress import Progress
from prober.report.output import STDOUT
from prober.resume import Checkpoint, checkpoint_path, is_current, load_checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumable:
    """A run that can be resumed.

    *command* is what to type for that; with *resume*, this run goes on where another stopped.
    """

    identity: dict[str, str]
    command: str
    resume: bool = False


def checkpoint_beside(targets: Sequence[str]) -> Path | None:
    """The path of the checkpoint, beside the first report that is a file; else None."""
    files = (Path(target) for target in targets if target != STDOUT)
    first = next((path for path in files if not is_stream(path)), None)
    return None if first is None else checkpoint_path(partial_of(first))


def starting_point(path: Path | None, resumable: Resumable | None, *, quiet: bool) -> Checkpoint:
    """Where an earlier run stopped, if this run resumes it; else the beginning."""
    beginning = Checkpoint(identity={})
    if path is not None:
        _require_ours(path)
    if resumable is None or not resumable.resume:
        return beginning
    if path is None:
        raise SettingsError("--resume goes on with a report in a file: name it with --output")
    found = load_checkpoint(path, resumable.identity)
    if found is None and not quiet:
        tell(f"there is no run to continue ({path} is not there): starting a new one")
        work = path.with_suffix(".work")
        if work.exists():
            tell(f"{work} holds a run of several workers: add --workers to continue it")
    return found or beginning


def _require_ours(path: Path) -> None:
    """Raise ResumeError where the checkpoint cannot be replaced, or is not valid."""
    try:
        require_ours(path)
    except ForeignFileError as error:
        raise ResumeError(f"{printable(str(path))}: {error.strerror}") from error
    except OSError:  # then the report beside it cannot be written either, and that is reported
        return


@dataclass(slots=True)
class ResumeHint:
    """Whether a stopped run can be resumed: only once its reports are open.

    *goes_on*: it continues an earlier run, whose reports may wait in FILE.held.
    """

    armed: bool = False
    goes_on: bool = False


@contextlib.contextmanager
def suggest_resume(progress: Progress, resumable: Resumable | None) -> Iterator[ResumeHint]:
    """When the run is stopped, say which command resumes it."""
    hint = ResumeHint()
    try:
        yield hint
    except BaseException as error:
        is_possible = hint.armed and not isinstance(error, BlindError)
        if is_possible and resumable is not None and (progress.reported or hint.goes_on):
            tell(f"continue with: {resumable.command}")
        raise


def resume_points(
    targets: Sequence[str], path: Path | None, start: Checkpoint
) -> dict[str, ResumeFrom | None]:
    """Where each report continues; None for a new report, for which an old file is put aside."""
    if path is None or not start.identity:
        return dict.fromkeys(targets)

    def unchanged() -> bool:
        return is_current(path, start)

    return {
        target: ResumeFrom(start.marks.get(as_text(target), NOTHING), unchanged)
        for target in targets
    }
