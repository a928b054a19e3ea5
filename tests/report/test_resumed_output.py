"""A report that goes on behind a mark: cut there, checked, and the same as one written at once."""

import fcntl
from pathlib import Path

import pytest

from prober.errors import ReportError, ResumeError
from prober.files import NOTHING, Mark, ResumeFrom
from prober.report.output import ReportFormat
from tests.report import samples
from tests.support.reports import DomainWriter, formatter, open_report

CSV = formatter(ReportFormat.CSV)
ROW = CSV.body(samples.passes())
HEAD = CSV.head()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "report.csv"


def stopped_after_a_row(target: Path) -> Mark:
    writer = open_report(target)
    writer.write(samples.passes())
    mark = marked(writer)
    writer.abandon()
    return mark


def marked(writer: DomainWriter) -> Mark:
    assert writer.mark is not None
    return writer.mark


def partial_of(target: Path) -> Path:
    return target.with_name("report.csv.partial")


@pytest.mark.parametrize("torn", [b"", b"half a ro", ROW, b"\0" * 5000])
def test_it_goes_on_behind_the_mark(target: Path, torn: bytes) -> None:
    mark = stopped_after_a_row(target)
    with partial_of(target).open("ab") as file:
        file.write(torn)

    with open_report(target, resume_from=ResumeFrom(mark)) as writer:
        assert marked(writer) == mark
        writer.write(samples.passes())

    assert target.read_bytes() == HEAD + ROW + ROW
    assert [path.name for path in target.parent.iterdir()] == ["report.csv"]


def test_where_nothing_was_written_yet_it_begins_with_its_head(target: Path) -> None:
    for leftover in (None, b"rows that no checkpoint knows"):
        if leftover is not None:
            partial_of(target).write_bytes(leftover)
        with open_report(target, resume_from=ResumeFrom(NOTHING)) as writer:
            writer.write(samples.passes())
        assert target.read_bytes() == HEAD + ROW


@pytest.mark.parametrize(
    "left", [pytest.param(HEAD, id="shorter"), pytest.param(HEAD + ROW.upper(), id="other-rows")]
)
def test_what_is_not_as_the_run_left_it_is_refused(target: Path, left: bytes) -> None:
    mark = stopped_after_a_row(target)
    partial_of(target).write_bytes(left)
    with pytest.raises(ResumeError, match=r"report\.csv\.partial is not as the run left it"):
        open_report(target, resume_from=ResumeFrom(mark))
    assert partial_of(target).read_bytes() == left


def test_a_partial_file_that_is_gone_is_told(target: Path) -> None:
    mark = stopped_after_a_row(target)
    partial_of(target).unlink()
    with pytest.raises(ResumeError, match=r"report\.csv\.partial is gone"):
        open_report(target, resume_from=ResumeFrom(mark))


def test_a_run_that_was_stopped_while_it_finished_goes_on_too(target: Path) -> None:
    """Of several reports one may have its name already, and the others not."""
    mark = stopped_after_a_row(target)
    partial_of(target).rename(target)

    with open_report(target, resume_from=ResumeFrom(mark)) as writer:
        writer.write(samples.passes())
    assert target.read_bytes() == HEAD + ROW + ROW


def test_an_older_report_is_not_taken_for_the_partial_one(target: Path) -> None:
    mark = stopped_after_a_row(target)
    partial_of(target).unlink()
    target.write_bytes(HEAD + ROW.upper())
    with pytest.raises(ResumeError, match=r"report\.csv is not as the run left it"):
        open_report(target, resume_from=ResumeFrom(mark))
    assert target.read_bytes() == HEAD + ROW.upper()


def test_two_runs_do_not_go_on_with_the_same_report(target: Path) -> None:
    mark = stopped_after_a_row(target)
    with partial_of(target).open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ReportError, match="another run is writing it"):
            open_report(target, resume_from=ResumeFrom(mark))


def test_a_report_that_another_run_went_on_with_is_left_alone(target: Path) -> None:
    """That run may have finished since the checkpoint was read."""
    mark = stopped_after_a_row(target)
    partial_of(target).rename(target)
    with pytest.raises(ResumeError, match="another run has gone on with it meanwhile"):
        open_report(target, resume_from=ResumeFrom(mark, is_current=lambda: False))
    assert target.read_bytes() == HEAD + ROW
    assert not partial_of(target).exists()


def test_a_report_that_is_just_being_finished_is_left_alone(target: Path) -> None:
    mark = stopped_after_a_row(target)
    partial_of(target).rename(target)
    with target.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ReportError, match="another run is writing it"):
            open_report(target, resume_from=ResumeFrom(mark))
    assert target.read_bytes() == HEAD + ROW
