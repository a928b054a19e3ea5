"""The work folder: started once, resumed by the same scan only, removed without files of others."""

import errno
from pathlib import Path

import pytest

from prober.domains import Entry
from prober.errors import ReportError, ResumeError
from prober.sharded.files import read_lines, read_section
from prober.sharded.folder import Job, Plan, WorkFolder

JOB = Job({"list": "aa", "--port": "25", "--trust-ad": "no"}, 10, 4)


@pytest.fixture
def folder(tmp_path: Path) -> WorkFolder:
    return WorkFolder(tmp_path / "report.csv.work")


def test_a_job_is_started_once(folder: WorkFolder) -> None:
    assert folder.claim(JOB, resume=False) == JOB
    with pytest.raises(ResumeError, match=r"report\.csv\.work holds a run that did not finish.*"):
        folder.claim(JOB, resume=False)


def test_resume_without_an_earlier_run_starts_one(folder: WorkFolder) -> None:
    assert folder.claim(JOB, resume=True) == JOB


def test_a_resumed_job_keeps_its_layout(folder: WorkFolder) -> None:
    folder.claim(JOB, resume=False)
    assert folder.claim(Job(JOB.identity, 999, 99), resume=True) == JOB


def test_another_job_is_refused_with_every_difference(folder: WorkFolder) -> None:
    folder.claim(JOB, resume=False)
    other = Job({"list": "bb", "--port": "25", "--patient": "yes"}, 10, 4)
    with pytest.raises(ResumeError) as caught:
        folder.claim(other, resume=True)
    assert str(caught.value).endswith(
        ".work belongs to another run: list was aa and is bb; --trust-ad was no and is not there; "
        "--patient was not there and is yes"
    )


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(
        ReportError, match=r"file/work: cannot write the work folder: its folder is a"
    ):
        WorkFolder(file / "work").claim(JOB, resume=False)


def test_a_run_that_cannot_begin_leaves_no_folder(
    folder: WorkFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path, _record: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("prober.sharded.folder.write_record", full)
    with pytest.raises(ReportError, match="no space is left"):
        folder.claim(JOB, resume=False)
    assert not folder.path.exists()


def test_the_tasks_of_a_run_see_that_another_took_over(folder: WorkFolder) -> None:
    folder.claim(JOB, resume=False)
    first = folder.take_over()
    assert folder.is_owned_by(first)
    second = folder.take_over()
    assert not folder.is_owned_by(first)
    assert folder.is_owned_by(second)
    folder.stop(first)
    assert folder.is_owned_by(second)
    folder.stop(second)
    assert not folder.is_owned_by(second)


def test_a_list_is_cut_into_shards_lazily(folder: WorkFolder) -> None:
    folder.claim(JOB, resume=False)
    entries = iter([Entry(text=f"d{n}.test", domain=f"d{n}.test") for n in range(5)])

    assert folder.write_shard(0, entries, 2)
    assert next(entries).text == "d2.test"
    assert folder.write_shard(1, entries, 2)
    assert not folder.write_shard(2, entries, 2)
    texts = [entry.text for n in (0, 1) for entry in read_lines(folder.entries(n), Entry)]
    assert texts == ["d0.test", "d1.test", "d3.test", "d4.test"]
    assert not folder.entries(2).exists()


def test_the_plan_exists_when_the_whole_list_was_read(folder: WorkFolder) -> None:
    folder.claim(JOB, resume=False)
    assert not folder.is_planned
    folder.write_plan(Plan(3, 1))
    assert folder.is_planned
    assert folder.plan == Plan(3, 1)


def test_files_of_others_stay_when_the_run_has_finished(folder: WorkFolder) -> None:
    folder.claim(JOB, resume=False)
    folder.take_over()
    folder.write_plan(Plan(0, 0))
    own = folder.path / "diary.txt"
    own.touch()
    folder.remove()
    assert list(folder.path.iterdir()) == [own]


def test_nothing_is_left_when_the_run_has_finished(folder: WorkFolder) -> None:
    folder.claim(JOB, resume=False)
    folder.write_plan(Plan(0, 0))
    folder.remove()
    assert not folder.path.exists()


def test_an_interrupted_removal_leaves_nothing_to_resume(folder: WorkFolder) -> None:
    """The first step marks the run as finished. The next run in the folder removes the rest."""
    folder.claim(JOB, resume=False)
    folder.entries(0).write_text("{}")
    (folder.path / "job.json").rename(folder.path / "finished.json")

    assert not folder.is_begun
    folder.claim(JOB, resume=True)
    assert folder.is_begun
    assert not folder.entries(0).exists()
    folder.remove()
    assert not folder.path.exists()


def test_a_missing_folder_does_not_count_as_an_ended_run(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        WorkFolder(tmp_path / "not-shared").is_owned_by("token")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_a_damaged_file_is_reported_as_a_user_error(folder: WorkFolder, content: bytes) -> None:
    folder.claim(JOB, resume=False)
    folder.write_plan(Plan(1, 0))
    (folder.path / "planned.json").write_bytes(content)
    with pytest.raises(ResumeError, match="is damaged"), folder.translate_errors():
        assert folder.plan.shards


def test_a_truncated_section_is_reported(folder: WorkFolder) -> None:
    folder.claim(JOB, resume=False)
    folder.targets(0).write_bytes(b"\0")
    with pytest.raises(ResumeError, match="is damaged"), folder.translate_errors():
        read_section(folder.targets(0), 0)
