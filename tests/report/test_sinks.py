import errno
import fcntl
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from prober.errors import ReportError
from prober.files import unwritable
from prober.report.sinks import FileSink, StreamSink, open_sink


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """As on a full disk: Python ignores SIGXFSZ, so that the write fails with EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_fills_leaves_whole_rows(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "report.csv")
    sink.write(b"a whole row\n")

    with largest_file(20), pytest.raises(ReportError, match="larger than is allowed"):
        sink.write(b"a row that does not fit\n")
    sink.abandon()

    assert sink.partial.read_bytes() == b"a whole row\n"


def test_a_disk_that_is_full_leaves_no_empty_file(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "report.csv")

    with largest_file(5), pytest.raises(ReportError):
        sink.write(b"a row that does not fit\n")
    sink.abandon()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.ENOSPC, "no space is left: free some, or write elsewhere"),
        (errno.EACCES, "permission denied: make its folder writable, or write elsewhere"),
        (errno.EROFS, "the file system is read-only: write elsewhere"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_a_fault_says_what_to_do(code: int, advice: str) -> None:
    error = unwritable("a\x1b.csv", OSError(code, os.strerror(code)))

    assert str(error) == f"a\\x1b.csv: cannot write the report: {advice}"
    assert error.exit_status == 5


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        pytest.param("missing/report.csv", "its folder does not exist", id="ENOENT"),
        pytest.param("file/report.csv", "its folder is a file", id="ENOTDIR"),
        pytest.param("folder", "is a folder", id="EISDIR"),
        pytest.param("n" * 250, "the name is too long", id="ENAMETOOLONG"),
        pytest.param("loop", "cannot write", id="ELOOP"),
    ],
)
def test_a_path_that_cannot_be_is_known_at_once(tmp_path: Path, name: str, advice: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop.partial").symlink_to(tmp_path / "file")  # never followed

    with pytest.raises(ReportError, match=advice):
        open_sink(tmp_path / name)

    assert (tmp_path / "file").read_bytes() == b""


def test_a_read_only_report_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "report.csv"
    target.touch()
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anything

    with pytest.raises(ReportError, match="permission denied"):
        open_sink(target)


def test_a_stream_that_cannot_be_opened_is_known_at_once() -> None:
    with pytest.raises(ReportError, match="/proc/none: cannot write"):
        open_sink(Path("/proc/none"))


def test_two_runs_do_not_write_the_same_report(tmp_path: Path) -> None:
    first = FileSink(tmp_path / "report.csv")
    first.write(b"row\n")

    with pytest.raises(ReportError, match="another run is writing it"):
        FileSink(tmp_path / "report.csv")

    first.finish()
    second = FileSink(tmp_path / "report.csv")
    assert second.kept is None
    second.abandon()


def test_a_report_finished_between_open_and_lock_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = FileSink(tmp_path / "report.csv")
    other.write(b"row\n")
    lock = fcntl.flock

    def finish_first(fd: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        other.finish()
        lock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", finish_first)
    sink = FileSink(tmp_path / "report.csv")
    sink.abandon()

    assert sink.kept is None
    assert (tmp_path / "report.csv").read_bytes() == b"row\n"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOTSUP])
def test_a_file_system_without_locks_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def no_locks(fd: int, operation: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    FileSink(tmp_path / "report.csv").finish()

    assert (tmp_path / "report.csv").exists()


def test_a_lock_that_fails_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(fd: int, operation: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", broken)

    with pytest.raises(ReportError, match="Input/output error"):
        FileSink(tmp_path / "report.csv")


def test_a_pipe_that_nobody_reads_is_for_the_caller() -> None:
    reader, writer = os.pipe()
    os.close(reader)

    with open(writer, "wb") as stream:  # closing it does not fail a second time
        sink = StreamSink(stream, "stdout")
        with pytest.raises(BrokenPipeError):
            sink.write(b"row\n")
        sink.abandon()
        assert not stream.closed  # not ours


def test_a_stream_that_is_full_fails_once() -> None:
    with open("/dev/full", "wb") as stream, pytest.raises(ReportError, match=r"stdout: .*no space"):
        StreamSink(stream, "stdout").write(b"row\n")
