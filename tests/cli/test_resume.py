"""A scan that is stopped, however, and goes on: nothing lost, nothing twice."""

import asyncio
import csv
import functools
import json
import os
import random
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from prober.progress import Positions
from prober.records import Route, RouteStatus
from prober.resume import Checkpoint
from tests.cli.commands import CANNOT_SEE, Probe, scan_offline, unknown_offline
from tests.support.waiting import until
from tests.support.workbooks import csv_rows, read_sheets

in_one_loop = pytest.mark.asyncio(loop_scope="module")

OF_THE_MOMENT = {"checked_at", "days_to_expiry", "observed_at", "elapsed_ms", "ms", "observed_as"}
GOOD = [f"good{number}.test" for number in range(150)]
DOMAINS = [*GOOD, "*.test", "self-signed.test", "clear.test", "null.test", "*.test", "nowhere.test"]


@pytest.fixture
def list_(tmp_path: Path, probe: Probe) -> Path:
    """Domains on an MX host of many, and of each other kind one; some come twice."""
    for name in GOOD:
        probe.lab.dns.add(name, "MX", "10 mx1.good.test.")
    path = tmp_path / "list.txt"
    path.write_text("\n".join([*DOMAINS, "GOOD1.test.", ""]))
    return path


def timeless(value: Any) -> Any:
    """*value* without what two runs cannot have in common."""
    match value:
        case dict():
            return {k: timeless(v) for k, v in value.items() if k not in OF_THE_MOMENT}
        case list():
            return [timeless(item) for item in value]
        case _:
            return value


def rows(path: Path) -> list[Any]:
    """The rows of a report, in an order of their own."""
    text = path.read_text()
    if path.suffix == ".csv":
        found: list[Any] = [timeless(row) for row in csv.DictReader(text.splitlines())]
    else:
        found = [timeless(json.loads(line)) for line in text.splitlines()]
    return sorted(found, key=lambda row: json.dumps(row, sort_keys=True))


def folders(tmp_path: Path) -> tuple[Path, Path]:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    return whole, killed


def outputs(folder: Path) -> tuple[str, ...]:
    files = ("r.csv", "r.jsonl", "r.txt", "r.xlsx")
    return tuple(part for name in files for part in ("-o", str(folder / name)))


@pytest.mark.parametrize(
    ("kills", "options"),
    [pytest.param(10, (), id="as-they-come"), pytest.param(3, ("--ordered",), id="ordered")],
)
@in_one_loop
async def test_killed_at_random_moments_it_ends_up_the_same(
    probe: Probe, tmp_path: Path, list_: Path, kills: int, options: tuple[str, ...]
) -> None:
    whole, killed = folders(tmp_path)
    expected = await probe.scan(str(list_), *outputs(whole), *options)
    args = ("scan", *probe.look, str(list_), *outputs(killed), "--resume", *options)
    slow_down(probe, 0.4)  # so that there is something to kill at any moment
    reported: list[int] = []
    moments = random.Random(20)  # noqa: S311 - the same ones each time
    checkpoint = killed / "r.csv.resume"
    for number in range(kills):
        before = reported_in(checkpoint)
        async with probe.running(*args, "--concurrency", "4") as running:
            if number % 2:  # every other one once it has something to go on from
                await until(functools.partial(has_more, checkpoint, before))
            await asyncio.sleep(moments.uniform(0.0, 1.2))
            running.process.kill()
            assert (await running.ended()).status == -signal.SIGKILL
        reported.append(reported_in(checkpoint))
    slow_down(probe, None)
    assert reported == sorted(reported)
    assert reported[-1] > 0

    last = await probe.run(*args)
    assert (last.status, last.out) == (expected.status, "")
    for name in ("r.csv", "r.jsonl"):
        assert rows(killed / name) == rows(whole / name)
    assert summary(killed / "r.txt") == summary(whole / "r.txt")
    domains = read_sheets(killed / "r.xlsx")["domains"]
    assert domains == csv_rows((killed / "r.csv").read_text())
    assert not options or names(killed / "r.csv") == DOMAINS
    assert set(os.listdir(killed)) == {"r.csv", "r.jsonl", "r.txt", "r.xlsx"}


def has_more(checkpoint: Path, before: int) -> bool:
    return reported_in(checkpoint) > before


def reported_in(checkpoint: Path) -> int:
    """How many entries it has as reported; none where a run was killed before its first one."""
    if not checkpoint.exists():
        return 0
    return len(Positions(msgspec.json.decode(checkpoint.read_bytes(), type=Checkpoint).reported))


def slow_down(probe: Probe, seconds: float | None) -> None:
    for name in GOOD:
        probe.lab.dns.delay(name, seconds, "MX")


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def write(path: Path, listed: list[str]) -> None:
    path.write_text("\n".join(listed))


def summary(path: Path) -> str:
    return path.read_text().split("\n\n")[1]


def names(path: Path) -> list[str]:
    """The first cell of each row of a CSV report."""
    return [row.split(",")[0] for row in path.read_text().splitlines()[1:]]


@in_one_loop
async def test_a_table_is_gone_on_with_and_only_by_the_same_column(
    probe: Probe, tmp_path: Path
) -> None:
    report, partial = tmp_path / "r.csv", tmp_path / "r.csv.partial"
    table = tmp_path / "table.csv"
    write(table, ["owner,domain", "Ann,good.test", "Bob,good.test", "Eve,also-good.test"])
    args = ("scan", *probe.look, "-o", str(report), str(table), "--column", "domain")
    probe.lab.dns.delay("also-good.test", 60.0, "MX")
    async with probe.running(*args) as running:
        await until(lambda: partial.exists() and len(names(partial)) == 2)
        running.send(signal.SIGINT)
        assert (await running.ended()).status == 130
    other = await probe.run(*args[:-1], "1", "--resume")
    assert other.status == 2
    assert "--column was domain and is 1" in other.err

    probe.lab.dns.delay("also-good.test", None, "MX")
    last = await probe.run(*args, "--resume")
    assert "starting a new one" not in last.err
    written = list(csv.DictReader(report.read_text().splitlines()))
    assert sorted(row["list_owner"] for row in written) == ["Ann", "Bob", "Eve"]


@in_one_loop
async def test_after_ctrl_c_the_command_that_it_tells_goes_on(probe: Probe, tmp_path: Path) -> None:
    report, partial = tmp_path / "r.csv", tmp_path / "r.csv.partial"
    short = tmp_path / "short.txt"
    write(short, ["good.test", "self-signed.test", "silent.test"])
    args = ("scan", *probe.look, "-o", str(report), str(short))
    async with probe.running(*args) as running:
        await until(lambda: partial.exists() and len(names(partial)) == 2)
        running.send(signal.SIGINT)
        ended = await running.ended()
    assert ended.status == 130
    assert f"probe: continue with: {ended.command} --resume" in ended.err.splitlines()
    before = partial.read_text()

    last = await probe.run(*args, "--resume", "--timeout", "0.5")
    assert last.status == 2
    assert "session_s (--timeout, --patient) was 150.0 and is 0.5" in last.err
    assert partial.read_text() == before

    sessions = probe.lab.servers["mx1.silent.test"].sessions
    seen = len(sessions)
    async with probe.running(*args, "--resume") as running:
        await until(lambda: len(sessions) > seen)
        running.send(signal.SIGTERM)
        again = await running.ended()
    assert again.status == 143
    assert partial.read_text() == before


BUDGETED = ["good.test", "clear.test", "self-signed.test", "also-good.test"]


def untested(path: Path) -> list[str]:
    """The domains of a report in JSON lines that the budget of --deep has cut."""
    reports = [json.loads(line) for line in lines(path)]
    return [report["domain"] for report in reports if "--deep-budget" in json.dumps(report)]


@in_one_loop
async def test_a_scan_that_cannot_go_on_says_that_the_budget_is_used_up(probe: Probe) -> None:
    list_ = "\n".join(BUDGETED).encode()
    ended = await probe.scan("-", "--deep", "--deep-budget", "3", stdin=list_)
    assert "probe: --deep-budget is used up: 3 domains not fully tested\n" in ended.err


@in_one_loop
async def test_what_the_budget_has_cut_is_tested_by_a_run_that_goes_on(
    probe: Probe, tmp_path: Path
) -> None:
    whole, cut = folders(tmp_path)
    list_ = tmp_path / "list.txt"
    write(list_, BUDGETED)
    expected = await probe.scan(str(list_), *outputs(whole), "--deep")
    args = ("scan", *probe.look, str(list_), *outputs(cut), "--deep", "--deep-budget", "14")
    first = await probe.run(*args)
    assert "--deep-budget is used up" in first.err
    left = [untested(cut / "r.jsonl")]
    while left[-1]:
        assert sorted(names(cut / "r.csv")) == sorted(BUDGETED)
        assert (cut / "r.csv.resume").exists()
        last = await probe.run(*args, "--resume")
        left.append(untested(cut / "r.jsonl"))
        assert len(left[-1]) < len(left[-2])

    assert (last.status, "--deep-budget" in last.err) == (expected.status, False)
    for name in ("r.csv", "r.jsonl"):
        assert rows(cut / name) == rows(whole / name)
    assert summary(cut / "r.txt") == summary(whole / "r.txt")
    assert read_sheets(cut / "r.xlsx")["domains"] == csv_rows((cut / "r.csv").read_text())
    assert set(os.listdir(cut)) == {"r.csv", "r.jsonl", "r.txt", "r.xlsx"}


@in_one_loop
async def test_ordered_only_what_the_budget_has_cut_is_probed_again(
    probe: Probe, tmp_path: Path
) -> None:
    whole, cut = folders(tmp_path)
    list_ = tmp_path / "list.txt"
    write(list_, BUDGETED)
    expected = await probe.scan(str(list_), *outputs(whole), "--deep", "--ordered")
    args = ("scan", *probe.look, str(list_), *outputs(cut), "--ordered", "--deep")
    await probe.run(*args, "--deep-budget", "1")
    assert untested(cut / "r.jsonl") == ["good.test", "self-signed.test", "also-good.test"]
    assert names(cut / "r.csv") == BUDGETED
    in_clear = probe.lab.servers["mx1.clear.test"]
    seen = in_clear.count
    last = await probe.run(*args, "--resume")

    assert (last.status, in_clear.count) == (expected.status, seen)
    assert untested(cut / "r.jsonl") == []
    assert names(cut / "r.csv") == BUDGETED
    for name in ("r.csv", "r.jsonl"):
        assert rows(cut / name) == rows(whole / name)
    assert summary(cut / "r.txt") == summary(whole / "r.txt")
    assert set(os.listdir(cut)) == {"r.csv", "r.jsonl", "r.txt", "r.xlsx"}


@in_one_loop
async def test_reports_that_wait_outlive_a_run_that_is_stopped_before_its_first_report(
    probe: Probe, tmp_path: Path
) -> None:
    report, list_ = tmp_path / "r.csv", tmp_path / "list.txt"
    write(list_, ["good.test", "clear.test"])
    args = ("scan", *probe.look, str(list_), "-o", str(report), "--ordered", "--deep")
    await probe.run(*args, "--deep-budget", "1")
    good, in_clear = (probe.lab.servers[f"mx1.{name}"] for name in ("good.test", "clear.test"))
    seen, seen_in_clear = good.count, in_clear.count
    probe.lab.dns.delay("_mta-sts.good.test", 60.0, "TXT")
    async with probe.running(*args, "--resume") as running:
        await until(lambda: good.count > seen)
        running.send(signal.SIGINT)
        stopped = await running.ended()
    probe.lab.dns.delay("_mta-sts.good.test", None, "TXT")
    assert "probe: continue with: " in stopped.err
    last = await probe.run(*args, "--resume")

    assert (last.status, in_clear.count) == (1, seen_in_clear)
    assert names(report) == ["good.test", "clear.test"]
    assert os.listdir(tmp_path) == ["list.txt", "r.csv"]


@in_one_loop
async def test_a_run_that_goes_on_leaves_the_report_until_its_own_is_whole(
    probe: Probe, tmp_path: Path
) -> None:
    report, list_ = tmp_path / "r.csv", tmp_path / "list.txt"
    write(list_, ["self-signed.test", "also-good.test"])
    args = ("scan", *probe.look, str(list_), "-o", str(report), "--deep", "--deep-budget", "1")
    await probe.run(*args)
    before = report.read_bytes()
    server = probe.lab.servers["mx1.self-signed.test"]
    seen = server.count
    probe.lab.dns.delay("also-good.test", 60.0, "MX")
    async with probe.running(*args, "--resume") as running:
        await until(lambda: server.count > seen)
        running.send(signal.SIGINT)
        assert (await running.ended()).status == 130
    probe.lab.dns.delay("also-good.test", None, "MX")

    assert report.read_bytes() == before


def test_another_list_is_refused(tmp_path: Path) -> None:
    list_, report = tmp_path / "list.txt", tmp_path / "r.csv"
    list_.write_text("a.test\n")
    (tmp_path / "r.csv.partial").touch()
    other = Checkpoint(identity={"list": "sha256 of another"})
    (tmp_path / "r.csv.resume").write_bytes(msgspec.json.encode(other))
    refused = scan_offline(str(list_), "-o", str(report), "--resume")
    assert refused.status == 2
    assert "list was sha256" in refused.err
    assert (tmp_path / "r.csv.partial").exists()


@in_one_loop
async def test_a_full_disk_costs_the_row_that_did_not_fit(tmp_path: Path, probe: Probe) -> None:
    """The first report got the row, the second did not: after --resume both have it once."""
    list_ = tmp_path / "list.txt"
    listed = ["null.test", "nowhere.test", "good.test", "self-signed.test"]
    write(list_, listed)
    files = [str(tmp_path / name) for name in ("r.csv", "r.jsonl")]
    args = ("scan", *probe.look, str(list_), "--ordered", "-o", files[0], "-o", files[1])
    # Python, too, would be cut short in what it writes: the bytecode of modules it compiles
    env = {"PYTHONDONTWRITEBYTECODE": "1"}
    stopped = await probe.run(*args, env=env, in_bash='ulimit -f 8; exec "$@"')
    assert stopped.status == 5
    assert "the file would be larger than is allowed here" in stopped.err

    ended = await probe.run(*args, "--resume")
    assert ended.status == 3
    assert names(Path(files[0])) == listed
    assert [json.loads(row)["domain"] for row in lines(Path(files[1]))] == listed


def test_a_report_on_stdout_cannot_be_gone_on_with(tmp_path: Path) -> None:
    list_ = tmp_path / "list.txt"
    list_.write_text("a.test\n")
    ended = scan_offline(str(list_), "--resume")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == "probe: --resume goes on with a report in a file: name it with --output\n"


def test_where_there_is_nothing_to_go_on_from_it_begins_anew(tmp_path: Path) -> None:
    list_, report = tmp_path / "list.txt", tmp_path / "r.csv"
    list_.write_text("a.test\n")
    ended = scan_offline(str(list_), "-o", str(report), "--resume")
    assert ended.err.startswith("probe: there is no run to continue (")
    assert len(report.read_text().splitlines()) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["list.txt", "r.csv"]
    quiet = scan_offline(str(list_), "-o", str(tmp_path / "q.csv"), "--resume", "--quiet")
    assert quiet.err == "probe: 1 domain: 1 UNKNOWN\n" + unknown_offline("a.test") + CANNOT_SEE


def test_a_machine_that_cannot_see_ends_early_and_asks_all_again_later(tmp_path: Path) -> None:
    list_, report = tmp_path / "list.txt", tmp_path / "r.csv"
    list_.write_text("".join(f"a{number}.test\n" for number in range(500)))
    blind = scan_offline(str(list_), "-o", str(report), "--concurrency", "2")
    assert blind.status == 4
    assert "this machine cannot probe, so the run ends here: no nameserver answers" in blind.err
    assert 20 <= len((tmp_path / "r.csv.partial.not-tested").read_text().splitlines()) < 100
    assert not report.exists()
    assert not (
        tmp_path / "r.csv.resume"
    ).exists()  # nothing was seen, so there is nothing to continue
    assert "--resume" not in blind.err


def test_what_a_blind_machine_saw_of_a_short_list_is_asked_again_later(tmp_path: Path) -> None:
    """It is known to be blind only at the end: the report of last week stays, and no checkpoint."""
    list_, report = tmp_path / "list.txt", tmp_path / "r.csv"
    list_.write_text("a.test\n")
    report.write_text("last week's\n")
    blind = scan_offline(str(list_), "-o", str(report))
    assert blind.status == 4
    assert report.read_text() == "last week's\n"
    assert (tmp_path / "r.csv.partial.not-tested").exists()
    assert not (tmp_path / "r.csv.resume").exists()


def test_what_a_killed_run_left_half_written_is_removed(tmp_path: Path) -> None:
    """A checkpoint is written under another name first; kill -9 may leave that."""
    list_, report = tmp_path / "list.txt", tmp_path / "r.csv"
    list_.write_text("a.test\n")
    (tmp_path / f"r.csv.resume.{'0' * 32}.tmp").write_bytes(b"{")
    (tmp_path / f"q.csv.resume.{'0' * 32}.tmp").write_bytes(b"{")
    scan_offline(str(list_), "-o", str(report))

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "list.txt",
        f"q.csv.resume.{'0' * 32}.tmp",
        "r.csv",
    ]


@pytest.mark.parametrize("name", ["r.csv.partial", "r.csv.resume"])
@pytest.mark.parametrize("options", [(), ("--resume",)], ids=["anew", "resume"])
def test_a_fifo_at_a_name_of_ours_is_refused_and_not_waited_for(
    tmp_path: Path, name: str, options: tuple[str, ...]
) -> None:
    list_ = tmp_path / "list.txt"
    list_.write_text("a.test\n")
    os.mkfifo(tmp_path / name)
    ended = scan_offline(str(list_), "-o", str(tmp_path / "r.csv"), *options)

    assert ended.status == (5 if name == "r.csv.partial" else 2)
    assert "not a regular file" in ended.err
    assert sorted(os.listdir(tmp_path)) == ["list.txt", name]


def test_a_run_killed_before_its_first_row_counts_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the start there is a checkpoint, so that rows behind it are cut off, not put aside."""
    list_, report = tmp_path / "list.txt", tmp_path / "r.csv"
    list_.write_text("a.test\n")
    at_first: list[bytes] = []

    async def look(*_: Any) -> tuple[Route, tuple[()]]:
        at_first.append((tmp_path / "r.csv.resume").read_bytes())
        return Route(status=RouteStatus.NULL_MX), ()

    monkeypatch.setattr("prober.probe.resolve_route", look)
    args = (str(list_), "-o", str(report), "--resume")
    assert scan_offline(*args).status == 0
    whole = names(report)

    report.unlink()
    (tmp_path / "r.csv.partial").write_text("half a ro")
    (tmp_path / "r.csv.resume").write_bytes(at_first[0])
    assert scan_offline(*args).err.startswith("probe: 1 domain: 1 NO MAIL\n")
    assert names(report) == whole
    assert sorted(os.listdir(tmp_path)) == ["list.txt", "r.csv"]
