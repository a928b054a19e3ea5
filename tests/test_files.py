"""Files in a folder that others can write to: only own regular files are opened."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from prober.cli.log_setup import LogOptions, configure_logging
from prober.domains import Entry
from prober.errors import InputError, ReportError, ResumeError
from prober.files import (
    ForeignFileError,
    Mark,
    ResumeFrom,
    is_draft,
    read_whole,
    remove_drafts,
    require_trusted_links,
    writing,
)
from prober.report.sinks import FileSink, open_sink
from prober.resume import Checkpoint, CheckpointKeeper, load_checkpoint
from prober.sharded.folder import Job, WorkFolder

SOMEBODY = 54321  # no user of ours


def fifo(path: Path) -> None:
    os.mkfifo(path)


def hard_link(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"theirs\n")
    path.hardlink_to(other)


def symbolic_link(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"theirs\n")
    path.symlink_to(other)


def folder(path: Path) -> None:
    path.mkdir()


PLANTED = [fifo, hard_link, symbolic_link, folder]


@pytest.fixture
def as_another_user(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Pretend that all existing files belong to another user."""
    return lambda: monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY)


@pytest.mark.parametrize("plant", PLANTED)
def test_a_file_of_another_kind_does_not_become_the_report(
    tmp_path: Path, plant: Callable[[Path], None]
) -> None:
    plant(tmp_path / "r.csv.partial")
    before = sorted(tmp_path.iterdir())

    with pytest.raises(ReportError, match=r"r\.csv: cannot write the report"):
        open_sink(tmp_path / "r.csv")

    assert sorted(tmp_path.iterdir()) == before
    assert plant not in (hard_link, symbolic_link) or (
        (tmp_path / "other").read_bytes() == b"theirs\n"
    )


def test_a_partial_file_of_another_user_does_not_become_the_report(
    tmp_path: Path, as_another_user: Callable[[], None]
) -> None:
    partial = tmp_path / "r.csv.partial"
    partial.touch(mode=0o666)
    as_another_user()

    with pytest.raises(ReportError, match="belongs to another user"):
        open_sink(tmp_path / "r.csv")
    with pytest.raises(ReportError, match="belongs to another user"):
        FileSink(tmp_path / "r.csv", ResumeFrom(Mark(0, 0)))


@pytest.mark.parametrize(
    ("found", "replaced", "finished"),
    [
        pytest.param(0o666, None, 0o640, id="partial-file-open-to-all"),
        pytest.param(0o600, None, 0o640, id="partial-file-closed"),
        pytest.param(None, 0o666, 0o640, id="report-open-to-all"),
        pytest.param(None, 0o600, 0o600, id="report-closed-by-its-owner"),
        pytest.param(0o666, 0o666, 0o640, id="both-open-to-all"),
    ],
)
def test_a_report_has_the_mode_that_the_umask_gives(
    tmp_path: Path, found: int | None, replaced: int | None, finished: int
) -> None:
    path = tmp_path / "r.csv"
    for file, mode in ((path.with_name("r.csv.partial"), found), (path, replaced)):
        if mode is not None:
            file.touch()
            file.chmod(mode)
    umask = os.umask(0o027)
    try:
        FileSink(path).finish()
    finally:
        os.umask(umask)

    assert stat.S_IMODE(path.stat().st_mode) == finished


@pytest.mark.parametrize("plant", PLANTED)
def test_a_file_of_another_kind_is_not_used_as_checkpoint(
    tmp_path: Path, plant: Callable[[Path], None]
) -> None:
    plant(tmp_path / "r.csv.resume")
    with pytest.raises(ResumeError, match="cannot read"):
        load_checkpoint(tmp_path / "r.csv.resume", {})


def test_a_checkpoint_of_another_user_is_not_used(
    tmp_path: Path, as_another_user: Callable[[], None]
) -> None:
    path = tmp_path / "r.csv.resume"
    CheckpointKeeper(path, lambda: None).close(Checkpoint(identity={}))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    as_another_user()

    with pytest.raises(ResumeError, match="belongs to another user"):
        load_checkpoint(path, {})


@pytest.mark.parametrize(
    "numbers",
    [
        '"reported": [[3, 1]]',
        '"reported": [[-5, 1]]',
        '"reported": [[0, 5], [4, 9]]',
        '"marks": {"r.csv": {"size": -1, "crc32": 0}}',
        '"totals": {"levels": {"none": -1}}',
        '"reported": [[0, 1e400]]',
        '"marks": ' + "[" * 100_000,
    ],
    ids=lambda numbers: numbers[:40],
)
def test_a_checkpoint_with_impossible_numbers_is_refused(tmp_path: Path, numbers: str) -> None:
    path = tmp_path / "r.csv.resume"
    path.write_text(f'{{"identity": {{}}, {numbers}}}')
    with pytest.raises(ResumeError, match="is not a checkpoint"):
        load_checkpoint(path, {})


JOB = Job({"list": "aa"}, 10, 4)


def test_a_work_folder_is_closed_to_others(tmp_path: Path) -> None:
    folder = WorkFolder(tmp_path / "r.csv.work")
    folder.claim(JOB, resume=False)
    folder.write_shard(0, iter([Entry(text="a.test", domain="a.test")]), 10)

    for path in (folder.path, *folder.path.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_an_empty_folder_is_closed_before_it_is_used(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    WorkFolder(tmp_path).claim(JOB, resume=False)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_a_work_folder_of_another_user_is_refused(
    tmp_path: Path, as_another_user: Callable[[], None]
) -> None:
    as_another_user()
    with pytest.raises(ReportError, match="belongs to another user"):
        WorkFolder(tmp_path).claim(JOB, resume=False)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_others_could_have_changed_is_not_resumed(tmp_path: Path) -> None:
    WorkFolder(tmp_path).claim(JOB, resume=False)
    tmp_path.chmod(0o777)
    with pytest.raises(ReportError, match="others can write to the folder"):
        WorkFolder(tmp_path).claim(JOB, resume=True)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_work_folder_with_an_unreadable_job_is_refused(tmp_path: Path, content: bytes) -> None:
    WorkFolder(tmp_path).claim(JOB, resume=False)
    (tmp_path / "job.json").write_bytes(content)
    with pytest.raises(ResumeError, match="is damaged"):
        WorkFolder(tmp_path).claim(JOB, resume=True)


def test_leftovers_of_a_run_killed_before_it_started_do_not_block_the_next(
    tmp_path: Path,
) -> None:
    (tmp_path / "entries").mkdir()
    (tmp_path / f"job.json.{'0' * 32}.tmp").touch()

    WorkFolder(tmp_path).claim(JOB, resume=False)
    (tmp_path / f"planned.json.{'1' * 32}.tmp").touch()
    WorkFolder(tmp_path).remove()

    assert not tmp_path.exists()


def test_a_link_of_another_user_in_a_shared_folder_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, mine = tmp_path / "shared", tmp_path / "mine.csv"
    shared.mkdir()
    mine.write_text("mine\n")
    link = shared / "r.csv"
    link.symlink_to(mine)
    require_trusted_links(link)  # of this user's making
    shared.chmod(0o1777)
    lstat = Path.lstat

    def owned_by_somebody(path: Path) -> os.stat_result:
        values = list(lstat(path))
        values[stat.ST_UID] = SOMEBODY
        return os.stat_result(values)

    monkeypatch.setattr(Path, "lstat", owned_by_somebody)
    with pytest.raises(ForeignFileError):
        require_trusted_links(link)
    with pytest.raises(ReportError, match="a link that another user made"):
        open_sink(link)
    with pytest.raises(ReportError, match="cannot write the log: a link that another user made"):
        configure_logging(verbose=False, log=LogOptions(log_file=str(link)))
    assert mine.read_text() == "mine\n"


def test_drafts_of_killed_runs_are_removed_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "r.csv.resume"
    with writing(path) as stream:
        stream.write(b"{}")
    (tmp_path / f"r.csv.resume.{'a' * 32}.tmp").touch()
    others = [f"x.resume.{'a' * 32}.tmp", "r.csv.resume.1.tmp", "r.csv.resume.tmp"]
    for name in others:
        (tmp_path / name).touch()

    remove_drafts(path)

    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([path.name, *others])
    assert [is_draft(name) for name in others] == [True, False, False]


def test_a_file_is_read_completely_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "map"
    path.write_bytes(b"12345")
    assert read_whole(path, 5) == b"12345"
    with pytest.raises(InputError, match="map has more than 4 bytes"):
        read_whole(path, 4)
