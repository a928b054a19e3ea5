"""No command writes over what it reads, nor two outputs over each other; nothing is touched."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from prober.cli.distinct_files import Read, Written, require_distinct
from prober.report.json_ import encode_report
from tests.cli.commands import OFFLINE, Probe, invoke
from tests.report import samples

MESSAGE = b"Received: from a.test by b.test; Thu, 1 Jan 2026 00:00:00 +0000\nFrom: a@a.test\n\nx\n"
MBOX = b"From a@a.test Thu Jan  1 00:00:00 2026\n" + MESSAGE
CONTENTS = {
    "list.txt": b"a.test\n",
    "m.eml": MESSAGE,
    "inbox.mbox": MBOX,
    "r.jsonl": encode_report(samples.passes()) + b"\n",
    "map": b"a.test encrypt\n",
    "habits.json": b'{"schema":1,"habits":[]}',
    "mail/1.eml": MESSAGE,
    "mail/r.csv.partial": MESSAGE,
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, content in CONTENTS.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def plain(name: str) -> str:
    return name


def with_dot(name: str) -> str:
    return f"./{name}"


def absolute(name: str) -> str:
    return os.path.abspath(name)


def by_symbolic_link(name: str) -> str:
    Path("link").symlink_to(Path(name).resolve())
    return "link"


def by_hard_link(name: str) -> str:
    Path("link").hardlink_to(name)
    return "link"


def in_linked_folder(name: str) -> str:
    Path("folder").symlink_to(".")
    return f"folder/{name}"


SPELLINGS = [plain, with_dot, absolute, by_symbolic_link, by_hard_link, in_linked_folder]
SCAN = ("scan", *OFFLINE)
HEADERS = ("headers",)
REPORT = ("report",)
POLICY = ("policy", "--for", "postfix")
CHECK = ("check", *OFFLINE, "a.test")


@pytest.mark.parametrize("spelt", SPELLINGS)
@pytest.mark.parametrize(
    ("command", "name"),
    [
        pytest.param((*SCAN, "list.txt", "-f", "csv", "-o"), "list.txt", id="scan-list"),
        pytest.param((*SCAN, "list.txt", "--log-file"), "list.txt", id="scan-log"),
        pytest.param((*SCAN, "list.txt", "--ca-file", "map", "-f", "csv", "-o"), "map", id="ca"),
        pytest.param((*CHECK, "--ca-file", "map", "-f", "csv", "-o"), "map", id="check-ca"),
        pytest.param((*CHECK, "--ca-file", "map", "--log-file"), "map", id="check-log"),
        pytest.param((*HEADERS, "inbox.mbox", "-f", "csv", "-o"), "inbox.mbox", id="mailbox"),
        pytest.param((*HEADERS, "m.eml", "-f", "csv", "-o"), "m.eml", id="message"),
        pytest.param((*HEADERS, "mail", "-f", "csv", "-o"), "mail/1.eml", id="in-a-folder"),
        pytest.param((*HEADERS, "m.eml", "--ca-file", "map", "-f", "csv", "-o"), "map", id="h-ca"),
        pytest.param(
            (*HEADERS, "m.eml", "--habits", "habits.json", "-f", "csv", "-o"),
            "habits.json",
            id="habits",
        ),
        pytest.param((*HEADERS, "m.eml", "--habits"), "m.eml", id="habits-over-message"),
        pytest.param((*POLICY, "r.jsonl", "-o"), "r.jsonl", id="results"),
        pytest.param((*REPORT, "r.jsonl", "-f", "csv", "-o"), "r.jsonl", id="results-again"),
        pytest.param((*REPORT, "map", "r.jsonl", "-f", "csv", "-o"), "map", id="results-again-2"),
        pytest.param((*POLICY, "map", "r.jsonl", "--current", "map", "-o"), "map", id="results-2"),
    ],
)
def test_no_input_is_overwritten(
    folder: Path, command: tuple[str, ...], name: str, spelt: Callable[[str], str]
) -> None:
    if spelt is by_hard_link and name == "mail/1.eml":
        pytest.skip("to replace one of two names leaves the other as it is")
    output = spelt(name)
    before = names(folder)
    ended = invoke(*command, output)

    assert ended.status == 2
    assert str(Path(output)) in ended.err
    assert "would overwrite it: write elsewhere" in ended.err
    assert {name: (folder / name).read_bytes() for name in CONTENTS} == CONTENTS
    assert names(folder) == before


@pytest.mark.parametrize(
    ("command", "told"),
    [
        pytest.param((*SCAN, "x.csv.partial", "-o", "x.csv"), "the partial file", id="partial"),
        pytest.param((*SCAN, "x.csv.resume", "-o", "x.csv"), "the checkpoint", id="resume"),
        pytest.param((*SCAN, "x.csv.work/list", "-o", "x.csv"), "the work folder", id="work"),
        pytest.param(
            (*SCAN, "x.csv.work/list", "-o", "y.csv", "--work-folder", "./x.csv.work"),
            "the work folder",
            id="named-work-folder",
        ),
        pytest.param((*POLICY, "x.csv.partial", "-o", "x.csv"), "the partial file", id="policy"),
        pytest.param((*REPORT, "x.csv.partial", "-o", "x.csv"), "the partial file", id="report"),
        pytest.param((*HEADERS, "x.csv.partial", "-o", "x.csv"), "the partial file", id="headers"),
        pytest.param((*HEADERS, "mail", "-o", "mail/r.csv"), "the partial file", id="in-a-folder"),
        pytest.param(
            (*HEADERS, "h.partial", "--habits", "h"), "the partial file of the habits", id="habits"
        ),
        pytest.param(
            (*POLICY, "r.jsonl", "--current", "x.csv.partial", "-o", "x.csv"),
            "the partial file",
            id="current",
        ),
    ],
)
def test_no_input_is_what_a_report_is_called_on_its_way(
    folder: Path, command: tuple[str, ...], told: str
) -> None:
    for name in ("x.csv.partial", "x.csv.resume", "x.csv.work/list", "h.partial"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(MESSAGE)
    before = names(folder)
    ended = invoke(*command)

    assert ended.status == 2
    assert told in ended.err
    assert names(folder) == before
    assert (folder / "x.csv.partial").read_bytes() == MESSAGE


@pytest.mark.parametrize(
    "command",
    [
        pytest.param((*SCAN, "list.txt", "-o", "x.csv", "-o", "./x.csv"), id="reports"),
        pytest.param((*SCAN, "list.txt", "-o", "x.csv", "--log-file", "./x.csv"), id="log"),
        pytest.param(
            (*SCAN, "list.txt", "-o", "x.csv", "--log-file", "x.csv.resume"), id="checkpoint"
        ),
        pytest.param(
            (*SCAN, "list.txt", "-f", "csv", "-o", "x.csv", "-o", "x.csv.partial"), id="partial"
        ),
        pytest.param((*CHECK, "-o", "x.csv", "-o", "./x.csv"), id="check"),
        pytest.param((*CHECK, "-o", "x.csv", "--log-file", "x.csv"), id="check-log"),
        pytest.param((*REPORT, "r.jsonl", "-o", "x.csv", "-o", "./x.csv"), id="results"),
        pytest.param(("demo", "-o", "x.csv", "-o", "./x.csv"), id="demo"),
        pytest.param((*HEADERS, "m.eml", "-o", "x.csv", "-o", "./x.csv"), id="headers"),
        pytest.param(
            (*HEADERS, "m.eml", "-o", "x.json", "--habits", "./x.json"), id="report-and-habits"
        ),
    ],
)
def test_two_outputs_are_two_files(folder: Path, command: tuple[str, ...]) -> None:
    before = names(folder)
    ended = invoke(*command)

    assert ended.status == 2
    assert "twice" in ended.err or "elsewhere" in ended.err
    assert names(folder) == before


@pytest.mark.parametrize("spelt", [plain, with_dot, by_symbolic_link])
def test_a_live_map_is_updated_in_place(folder: Path, spelt: Callable[[str], str]) -> None:
    ended = invoke(*POLICY, "r.jsonl", "--current", "map", "-o", spelt("map"))

    assert ended.status == 0
    assert b"a.test encrypt" in (folder / "map").read_bytes().splitlines()


def test_habits_are_updated_in_place_and_on_the_disk(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    ended = invoke("headers", "mail/1.eml", "--habits", "habits.json", "--summary")

    assert ended.status != 2
    assert synced
    assert (folder / "habits.json").read_bytes() != CONTENTS["habits.json"]


def test_what_it_writes_is_no_message_of_the_folder_that_it_reads(folder: Path) -> None:
    """A second run finds the report, the habits and what was put aside of the first."""
    (folder / "mail" / "r.csv.partial").unlink()
    (folder / "mail" / "h").write_bytes(CONTENTS["habits.json"])
    (folder / "mail" / "r.jsonl.partial").write_bytes(b'{"rows": "of a run that was killed"}\n')
    args = ("headers", "mail", "-o", "mail/r.csv", "-o", "mail/r.jsonl", "-o", "mail/r.txt")
    for run in range(2):
        ended = invoke(*args, "--habits", "mail/h")
        assert ended.status == 3, ended.err
        rows = (folder / "mail" / "r.csv").read_text().splitlines()
        assert [row.split(",")[0] for row in rows[1:]] == ["mail/1.eml"], run
    assert (folder / "mail" / "r.jsonl.partial.1").exists()


def test_a_device_stands_for_several_uses() -> None:
    null = "/dev/null"
    require_distinct(
        [Read(null, "the list")], [Written(null, "the report"), Written(null, "the log")]
    )


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("command", "in_bash", "name"),
    [
        pytest.param((*SCAN, "list.txt"), '"$@" >>list.txt', "list.txt", id="stdout"),
        pytest.param(
            (*SCAN, "list.txt", "-f", "csv", "-o", "/dev/stdout"),
            '"$@" >>list.txt',
            "list.txt",
            id="dev-stdout",
        ),
        pytest.param(
            (*HEADERS, "-", "-f", "csv", "-o", "inbox.mbox"),
            '"$@" <inbox.mbox',
            "inbox.mbox",
            id="stdin",
        ),
        pytest.param(
            (*POLICY, "/dev/stdin", "-o", "r.jsonl"), '"$@" <r.jsonl', "r.jsonl", id="dev-stdin"
        ),
    ],
)
async def test_what_the_shell_opened_is_an_input_or_output_too(
    probe: Probe, folder: Path, command: tuple[str, ...], in_bash: str, name: str
) -> None:
    ended = await probe.run(*command, in_bash=f"cd {folder} && {in_bash}")

    assert ended.status == 2
    assert "would overwrite it: write elsewhere" in ended.err
    assert (folder / name).read_bytes() == CONTENTS[name]
