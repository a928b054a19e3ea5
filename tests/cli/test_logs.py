"""The log file of a run: text or JSON, appended to, rotated, harmless."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import CANNOT_SEE, OFFLINE, Ended, environment, unknown_offline


def scan(*args: str) -> Ended:
    """In a process of its own: logging is configured once in the life of one."""
    command = (sys.executable, "-m", "prober", "scan", *OFFLINE, *args)
    ended = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    return Ended(ended.returncode, ended.stdout, ended.stderr)


@pytest.fixture
def list_(tmp_path: Path) -> str:
    path = tmp_path / "list.txt"
    path.write_text("a.test\n\x1b[31m\n")
    return str(path)


def test_each_domain_has_its_line_and_so_have_beginning_and_end(tmp_path: Path, list_: str) -> None:
    log = tmp_path / "probe.log"
    ended = scan(list_, "-o", str(tmp_path / "r.csv"), "-q", "--log-file", str(log))

    assert ended.status == 4
    lines = log.read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO prober\.", x) for x in lines)
    assert f"begins to scan {list_}" in lines[0]
    assert any("'a.test': unknown, 0 of 0 endpoints tested" in line for line in lines)
    assert "finished with exit status 4; 2 domains: 1 UNKNOWN, 1 INVALID" in lines[-1]
    assert log.read_text().replace("\n", "").isprintable()


def test_json_has_an_object_a_line(tmp_path: Path, list_: str) -> None:
    log = tmp_path / "probe.log"
    scan(list_, "-o", str(tmp_path / "r.csv"), "--log-file", str(log), "--log-format=json")

    objects = [json.loads(line) for line in log.read_text().splitlines()]
    assert {tuple(each) for each in objects} == {("time", "level", "logger", "message")}
    assert {each["level"] for each in objects} == {"info"}


def test_it_is_appended_to(tmp_path: Path, list_: str) -> None:
    log = tmp_path / "probe.log"
    log.write_text("before\n")
    scan(list_, "-o", str(tmp_path / "r.csv"), "--log-file", str(log))
    assert log.read_text().startswith("before\n")
    assert log.read_text().count("\n") > 2


def test_a_log_that_cannot_be_written_is_told_before_anything_is_probed(
    tmp_path: Path, list_: str
) -> None:
    ended = scan(list_, "--log-file", str(tmp_path / "none" / "probe.log"))
    assert (ended.status, ended.out) == (5, "")
    assert "probe.log: cannot write the log" in ended.err
    assert "its folder does not exist" in ended.err


def test_a_log_on_a_full_disk_does_not_stop_the_scan(tmp_path: Path, list_: str) -> None:
    report = tmp_path / "r.csv"
    ended = scan(list_, "-o", str(report), "-q", "--log-file", "/dev/full")
    assert ended.err == (
        "probe: /dev/full: the log cannot be written any more; the scan goes on\n"
        "probe: 2 domains: 1 UNKNOWN, 1 INVALID\n"
        "probe: \\x1b[31m: INVALID. This is not a mail domain: line 2: '\\x1b[31m' is not a label "
        "of a host name: letters, digits and hyphens.\n"
        f"{unknown_offline('a.test')}"
        f"{CANNOT_SEE}"
    )
    assert len(report.read_text().splitlines()) == 3


def test_without_a_name_there_is_no_log(tmp_path: Path, list_: str) -> None:
    scan(list_, "-o", str(tmp_path / "r.csv"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["list.txt", "r.csv"]


@pytest.mark.parametrize("name", ["list.txt", "r.csv", "./r.csv"])
def test_the_log_is_kept_apart_from_the_list_and_the_reports(
    tmp_path: Path, list_: str, name: str
) -> None:
    before = (tmp_path / "list.txt").read_text()
    ended = scan(list_, "-o", str(tmp_path / "r.csv"), "--log-file", f"{tmp_path}/{name}")
    assert ended.status == 2
    assert "the log" in ended.err
    assert "elsewhere" in ended.err
    assert (tmp_path / "list.txt").read_text() == before


def test_the_log_tells_how_the_run_ended(tmp_path: Path, list_: str) -> None:
    log = tmp_path / "probe.log"
    scan(list_, "-o", "/dev/full", "-f", "csv", "--log-file", str(log))
    assert "WARNING prober.cli.running: ended with exit status 5: /dev/full" in log.read_text()
