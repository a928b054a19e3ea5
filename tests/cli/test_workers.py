"""``probe scan`` with workers: the same reports, clean ends, and what it refuses and warns of."""

import asyncio
import csv
import os
import signal
import sys
from pathlib import Path

import pytest
import trustme

from prober.cli.cluster import check_scheduler
from prober.errors import SettingsError
from prober.sharded.folder import Job, WorkFolder
from tests.cli.commands import OFFLINE, Ended, Probe, environment, scan_offline
from tests.support import workbooks
from tests.support.comparing import timeless
from tests.support.dask_processes import cluster
from tests.support.waiting import until
from tests.support.workbooks import read_sheets, read_summary

LINES = ("good.test", "also-good.test", "self-signed.test", "clear.test", "no domain", "good.test")
LIST = "".join(f"{line}\n" for line in (*LINES, "null.test", "busy.test", "refuses.test"))
OF_TIME = ("checked_at", "elapsed_ms", "days_to_expiry")  # the days from the one to the other

in_module_loop = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "list.txt"
    path.write_text(LIST)
    return path


def csv_rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return [
            {name: cell for name, cell in row.items() if name not in OF_TIME}
            for row in csv.DictReader(file)
        ]


def files_in(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def write(path: Path, text: str) -> None:
    path.write_text(text)


def append(path: Path, text: str) -> None:
    write(path, path.read_text() + text)


def sum_up(err: str) -> list[str]:
    """The end of a scan on stderr, without its last line: the names of the files and the time."""
    *lines, written = err.splitlines()
    assert " written in " in written
    return lines


def json_rows(path: Path) -> list[object]:
    return timeless(path.read_bytes().splitlines())


async def scan(probe: Probe, path: Path, name: str, *args: str) -> Ended:
    outputs = [
        option
        for kind in ("csv", "jsonl", "txt", "xlsx")
        for option in ("-o", f"{path.parent}/{name}.{kind}")
    ]
    return await probe.scan(str(path), *outputs, *args)


@in_module_loop
async def test_two_processes_report_what_one_does(probe: Probe, path: Path) -> None:
    one = await scan(probe, path, "one", "--ordered")
    two = await scan(probe, path, "two", "--workers", "2", "--shard-size", "3")

    folder = path.parent
    assert (two.status, two.out) == (one.status, one.out)
    assert sum_up(two.err) == sum_up(one.err)
    assert csv_rows(folder / "two.csv") == csv_rows(folder / "one.csv")
    assert json_rows(folder / "two.jsonl") == json_rows(folder / "one.jsonl")
    assert (folder / "two.txt").read_text() == (folder / "one.txt").read_text()
    assert files_in(folder) == {"list.txt"} | {
        f"{name}.{kind}" for name in ("one", "two") for kind in ("csv", "jsonl", "txt", "xlsx")
    }
    domains = read_sheets(folder / "two.xlsx")["domains"]
    assert domains == workbooks.csv_rows((folder / "two.csv").read_text())
    assert read_summary(folder / "two.xlsx") == read_summary(folder / "one.xlsx")


@in_module_loop
async def test_workers_carry_the_columns_of_a_table(probe: Probe, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    rows = ["owner,domain", "Ann,good.test", "Bob,good.test", "Eve,no domain", "Dan,clear.test"]
    write(path, "\n".join(rows))
    one = await scan(probe, path, "one", "--column", "domain", "--ordered")
    two = await scan(probe, path, "two", "--column", "domain", "--workers", "2")

    folder = path.parent
    assert two.status == one.status
    assert csv_rows(folder / "two.csv") == csv_rows(folder / "one.csv")
    owners = [row["list_owner"] for row in csv_rows(folder / "two.csv")]
    assert owners == ["Ann", "Bob", "Eve", "Dan"]
    assert (folder / "two.txt").read_text() == (folder / "one.txt").read_text()


@in_module_loop
@pytest.mark.parametrize(
    ("number", "status", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
async def test_a_signal_ends_the_workers_and_keeps_what_was_done(
    probe: Probe, tmp_path: Path, number: signal.Signals, status: int, word: str
) -> None:
    """To each process of the group, as a terminal sends Ctrl-C."""
    path, report = tmp_path / "list.txt", tmp_path / "r.csv"
    path.write_text("good.test\nsilent.test\n")
    sessions = probe.lab.servers["mx1.silent.test"].sessions
    before = len(sessions)
    args = ("scan", *probe.look, str(path), "-o", str(report), "--workers", "1")
    async with probe.running(*args, in_bash='exec setsid "$@"') as running:
        group = running.process.pid
        await until(lambda: len(sessions) > before)
        os.killpg(group, number)
        ended = await running.ended()

    assert (ended.status, ended.out) == (status, "")
    assert ended.err.splitlines() == [
        f"probe: not finished; what was done is in {report}.work",
        f"probe: continue with: {ended.command} --resume",
        f"probe: {word}",
    ]
    assert files_in(tmp_path) == {"list.txt", "r.csv.work"}
    await until(lambda: not is_there(group))


@in_module_loop
@pytest.mark.parametrize(
    ("count", "left"),
    [(1, {"r.csv.partial.not-tested"}), (50, set())],
    ids=["told at the end", "at once"],
)
async def test_what_blind_workers_saw_is_asked_again_later(
    probe: Probe, tmp_path: Path, count: int, left: set[str]
) -> None:
    path, report = tmp_path / "list.txt", tmp_path / "r.csv"
    path.write_text("".join(f"a{number}.test\n" for number in range(count)))
    report.write_text("last week's\n")
    blind = await probe.run("scan", *OFFLINE, str(path), "-o", str(report), "--workers", "1")
    assert blind.status == 4
    assert report.read_text() == "last week's\n"
    assert files_in(tmp_path) == {"list.txt", "r.csv"} | left
    assert "--resume" not in blind.err


@in_module_loop
async def test_a_reader_that_leaves_is_no_fault_of_the_work_folder(
    probe: Probe, tmp_path: Path
) -> None:
    path, work = tmp_path / "list.txt", tmp_path / "work"
    path.write_text("good.test\n")
    args = ("scan", *probe.look, str(path), "--workers", "1", "--work-folder", str(work))
    reading, writing = os.pipe()
    os.close(reading)
    try:
        async with probe.running(*args, stdout=writing) as running:
            ended = await running.ended()
    finally:
        os.close(writing)
    assert ended.status == 141
    assert ended.err.splitlines() == [
        f"probe: not finished; what was done is in {work}",
        f"probe: continue with: {ended.command} --resume",
    ]


def is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@in_module_loop
async def test_a_killed_run_is_gone_on_with(probe: Probe, path: Path) -> None:
    """The shards that were done are not done again."""
    folder = path.parent
    one = await scan(probe, path, "one", "--ordered")
    append(path, "silent.test\n")
    lab = probe.lab
    sessions = lab.servers["mx1.silent.test"].sessions
    before = len(sessions)
    report = folder / "killed.jsonl"
    args = ("scan", *probe.look, str(path), "-o", str(report), "--shard-size", "3")

    async with cluster(folder, 1) as address:
        args = (*args, "--timeout", "6", "--scheduler", address)
        async with probe.running(*args) as running:
            await until(lambda: len(sessions) > before)
            running.send(signal.SIGKILL)
            assert (await running.ended()).status == -signal.SIGKILL
        asked = lab.dns.queries["good.test", "MX"]
        refused = await probe.run(*args, "--no-share", "--resume")
        ended = await probe.run(*args, "--resume")

    assert refused.status == 2
    assert "share (--no-share) was True and is False" in refused.err
    assert (one.status, ended.status) == (1, 1)
    assert lab.dns.queries["good.test", "MX"] == asked
    assert json_rows(report)[:-1] == json_rows(folder / "one.jsonl")
    assert not WorkFolder(folder / "killed.jsonl.work").path.exists()


@in_module_loop
async def test_a_cluster_may_speak_tls(probe: Probe, path: Path) -> None:
    """By dask's own settings; nothing but its certificates lets anybody in."""
    folder = path.parent
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    issued = ca.issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(folder / "own.pem")
    files = {"--tls-ca-file": "ca.pem", "--tls-cert": "own.pem", "--tls-key": "own.pem"}
    tls = [part for option, name in files.items() for part in (option, str(folder / name))]
    variables = {
        "DASK_DISTRIBUTED__COMM__TLS__CA_FILE": f"{folder}/ca.pem",
        "DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT": f"{folder}/own.pem",
        "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY": f"{folder}/own.pem",
    }
    args = ("scan", *probe.look, str(path), "-o", str(folder / "r.jsonl"))
    async with cluster(folder, 1, *tls) as address:
        assert address.startswith("tls://")
        ended = await probe.run(*args, "--scheduler", address, env=variables)

    assert ended.status == 1
    assert ended.err.startswith(
        "probe: 8 domains: 3 PASS, 1 FAIL, 2 UNKNOWN, 1 NO MAIL, 1 INVALID; "
        "1 repeated line left out\n"
        "probe: Levels: 2 authenticated, 1 opportunistic, 1 none, 2 unknown, 1 no-mail, 1 invalid. "
    )
    assert f"probe: {folder}/r.jsonl written in " in ended.err


WITHOUT_DASK = "import sys; sys.modules['distributed'] = None; from prober.cli import main; main()"


async def test_without_the_extra_it_says_what_to_install(path: Path) -> None:
    report = path.with_name("r.csv")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WITHOUT_DASK, "scan", str(path), "-o", str(report)),
        *("--workers", "2"),
        env=environment(),
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await process.communicate()

    assert process.returncode == 2
    assert err.decode() == (
        "probe: --workers and --scheduler need dask.distributed: "
        "pip install 'smtp-tls-prober[cluster]'\n"
    )
    assert files_in(path.parent) == {"list.txt"}


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (
            ["--workers", "2", "--scheduler", "tcp://127.0.0.1:1"],
            "--workers and --scheduler exclude each other",
        ),
        (["--workers", "2"], "without a report in a file, say where to work: --work-folder DIR"),
        (["--scheduler", "tls://127.0.0.1:1", "-o", "-", "-f", "csv"], "say where to work"),
        (["--workers", "2", "-o", "a.nosuch"], "no format has this extension"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_begun(
    path: Path, args: list[str], complaint: str
) -> None:
    ended = scan_offline(str(path), *args)
    assert (ended.status, ended.out) == (2, "")
    assert complaint in ended.err


def test_a_folder_of_a_run_that_did_not_finish_is_not_touched(path: Path) -> None:
    report = path.with_name("r.csv")
    WorkFolder(path.with_name("r.csv.work")).claim(Job({}, 1, 1), resume=False)
    ended = scan_offline(str(path), "-o", str(report), "--workers", "1")

    assert ended.status == 2
    assert ended.err == (
        f"probe: {report}.work holds a run that did not finish: "
        "continue it with --resume, or remove the folder\n"
    )
    assert not report.exists()


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8786", "tcp://127.0.0.1", "http://127.0.0.1:1", "tcp://:1", "tcp://a:b"]
)
def test_what_is_no_scheduler_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match=f"--scheduler {url}: "):
        check_scheduler(url)


@pytest.mark.parametrize(
    ("url", "warns"),
    [
        ("tcp://192.0.2.1:8786", True),
        ("tcp://scheduler.example:8786", True),
        ("tcp://[2001:db8::1]:8786", True),
        ("tcp://127.0.0.1:8786", False),
        ("tcp://[::1]:8786", False),
        ("tcp://localhost:8786", False),
        ("tls://192.0.2.1:8786", False),
    ],
)
def test_a_scheduler_that_anybody_can_use_is_warned_of(
    url: str, warns: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    check_scheduler(url)
    told = capfd.readouterr().err
    assert told.startswith(f"probe: {url}: a Dask scheduler") if warns else told == ""


AS_A_SCRIPT = "if __name__ == '__main__':\n    from prober.cli import main\n    main()\n"
PLANTED = "import pathlib\npathlib.Path({marker!r}).touch()\nraise SystemExit(99)\n"


def plant(folder: Path, marker: Path) -> None:
    """Modules that a worker imports early, which tell when somebody runs them."""
    folder.mkdir()
    folder.chmod(0o777)
    for name in ("multiprocessing", "distributed", "prober", "uuid"):
        (folder / f"{name}.py").write_text(PLANTED.format(marker=str(marker)))


@in_module_loop
async def test_workers_trust_no_shared_folder(probe: Probe, tmp_path: Path) -> None:
    """Another user can make both folders first, in a temporary folder that all users share."""
    shared, here, marker, victim = (tmp_path / name for name in ("tmp", "cwd", "ran", "victim"))
    shared.mkdir()
    plant(shared / "dask-scratch-space", marker)
    plant(here, marker)
    victim.write_text("precious\n")
    for lock in ("global.lock", "purge.lock"):
        (shared / "dask-scratch-space" / lock).symlink_to(victim)
    before = files_in(shared / "dask-scratch-space")
    script, path, report = tmp_path / "script.py", tmp_path / "list.txt", tmp_path / "r.csv"
    script.write_text(AS_A_SCRIPT)
    path.write_text("good.test\n")

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(script), "scan", *probe.look, str(path), "-o", str(report)),
        *("--workers", "1"),
        cwd=here,
        env=environment({"TMPDIR": str(shared)}),
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await process.communicate()

    assert not marker.exists(), "a module out of a shared folder was run"
    assert victim.read_text() == "precious\n"
    assert process.returncode == 0, err.decode()
    assert files_in(shared) == {"dask-scratch-space"}, "what we made there is left behind"
    assert files_in(shared / "dask-scratch-space") == before
