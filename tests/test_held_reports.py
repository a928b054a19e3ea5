"""Reports that wait in a file for a run that goes on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from prober.errors import ResumeError
from prober.held_reports import read_held, write_held
from prober.rules.verdict import judge_domain
from tests.support.builders import completed, domain

IDENTITY = {"list": "sha256 of it"}
HELD = [
    (at, judge_domain(domain(completed(), input=f"{at}.test", domain=f"{at}.test")))
    for at in (2, 7)
]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "r.csv.held"
    write_held(path, IDENTITY, HELD)
    assert list(read_held(path, IDENTITY)) == HELD
    write_held(path, IDENTITY, [])
    assert not path.exists()


def test_a_file_that_is_not_there_or_of_another_run_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "r.csv.held"
    assert list(read_held(path, IDENTITY)) == []
    write_held(path, {"list": "another"}, HELD)
    assert list(read_held(path, IDENTITY)) == []


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda whole: whole[:-40], id="cut-off"),
        pytest.param(lambda whole: whole + b"x {}\n", id="no-position"),
        pytest.param(lambda whole: whole + b"9 {}\n", id="no-report"),
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda _: b"\xff\x00\n", id="no-text"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "r.csv.held"
    write_held(path, IDENTITY, HELD)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(ResumeError, match=r"r\.csv\.held is damaged"):
        list(read_held(path, IDENTITY))


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    write_held(tmp_path / "other", IDENTITY, HELD)
    (tmp_path / "r.csv.held").symlink_to(tmp_path / "other")
    with pytest.raises(ResumeError, match="cannot read"):
        list(read_held(tmp_path / "r.csv.held", IDENTITY))
