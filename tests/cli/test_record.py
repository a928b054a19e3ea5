"""``--db``: runs in a record, what cron mails of them, exceptions, and going on."""

import io
import signal
import sys
from pathlib import Path

import pytest

from prober.report.json_ import read_reports
from prober.rules.deep_plan import is_cut_by_budget
from prober.store.asking import reports_of
from prober.store.database import open_store
from prober.store.reader import RunRow, runs
from tests.cli.commands import Probe, scan_offline
from tests.support.waiting import until
from tests.support.workbooks import read_sheets

in_module_loop = pytest.mark.asyncio(loop_scope="module")

NAMES = ("good.test", "self-signed.test", "clear.test", "null.test")


def write(path: Path, text: str) -> None:
    path.write_text(text)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "list.txt"
    write(path, "".join(f"{name}\n" for name in NAMES))
    return path


@pytest.fixture
def db(tmp_path: Path) -> str:
    return str(tmp_path / "probe.db")


def runs_in(db: str) -> list[RunRow]:
    store = open_store(db)
    with store.reading() as connection:
        found = runs(connection)
    store.close()
    return found


def domains_in(db: str, run_id: int) -> set[str | None]:
    store = open_store(db)
    with store.reading() as connection:
        found = {each.domain for each in reports_of(connection, run_id)}
    store.close()
    return found


@in_module_loop
async def test_the_first_mail_names_the_domains_and_the_next_counts_them(
    probe: Probe, path: Path, db: str
) -> None:
    first = await probe.scan(str(path), "--db", db, "-q")
    second = await probe.scan(str(path), "--db", db, "-q")

    summary = "4 domains: 2 PASS, 1 FAIL, 1 NO MAIL"
    assert (first.status, first.err) == (second.status, second.err) == (1, "")
    assert first.out.splitlines() == [
        summary,
        "clear.test: FAIL. Mail is sent unencrypted: no server offers TLS.",
    ]
    assert second.out.splitlines() == [summary, "As before: 1 FAIL."]
    assert [run.observations for run in runs_in(db)] == [4, 4]


@in_module_loop
async def test_nothing_is_said_where_all_meet(probe: Probe, path: Path, db: str) -> None:
    write(path, "good.test\nnull.test\n")
    for _ in range(2):
        ended = await probe.scan(str(path), "--db", db, "-q")
        assert (ended.status, ended.out, ended.err) == (0, "", "")


@in_module_loop
async def test_the_exit_status_and_the_report_do_not_depend_on_the_record(
    probe: Probe, path: Path, db: str, tmp_path: Path
) -> None:
    await probe.scan(str(path), "--db", db)
    with_db = await probe.scan(str(path), "--ordered", "--db", db)
    without = await probe.scan(str(path), "--ordered")

    assert (with_db.status, with_db.out, with_db.err) == (without.status, without.out, without.err)


@in_module_loop
async def test_a_check_is_recorded_too(probe: Probe, db: str) -> None:
    ended = await probe.check("good.test", "clear.test", "--db", db)

    [run] = runs_in(db)
    assert ended.status == 1
    assert (run.list, run.observations, run.finished_at is None) == ("check", 2, False)


@in_module_loop
async def test_workers_write_through_the_coordinator(
    probe: Probe, path: Path, db: str, tmp_path: Path
) -> None:
    work = str(tmp_path / "work")
    ended = await probe.scan(
        str(path), "--db", db, "-q", "--workers", "2", "--work-folder", work, "--shard-size", "2"
    )

    assert ended.status == 1
    assert ended.out.splitlines()[1:] == [
        "clear.test: FAIL. Mail is sent unencrypted: no server offers TLS."
    ]
    assert domains_in(db, 1) == set(NAMES)


ACCEPTED = """
[[exception]]
domain = "clear.test"
what = "none"
why = "They get a new server (ticket 4711)"
by = "J. Doe, privacy officer"
until = {until}
"""
NO_LONGER = (
    "clear.test: NOT ACCEPTED. The exception by J. Doe, privacy officer ended on 2020-12-31."
)


@in_module_loop
@pytest.mark.parametrize("args", [(), ("--workers", "1", "--work-folder", "work")], ids=len)
async def test_an_accepted_exception_does_not_turn_the_exit_status(
    probe: Probe, path: Path, db: str, tmp_path: Path, args: tuple[str, ...]
) -> None:
    file = tmp_path / "exceptions.toml"
    args = tuple(str(tmp_path / "work") if each == "work" else each for each in args)
    accept = ("--exceptions", str(file), *args)
    write(file, ACCEPTED.format(until="2099-12-31"))
    ended = await probe.scan(str(path), "--db", db, "-q", *accept)
    assert (ended.status, ended.out) == (0, "")

    write(file, ACCEPTED.format(until="2020-12-31"))
    ended = await probe.scan(str(path), "--db", db, "-q", *accept)
    assert (ended.status, ended.out.splitlines()[1:]) == (
        1,
        [
            "As before: 1 FAIL.",
            NO_LONGER,
        ],
    )


SHOWN = (
    "clear.test: ACCEPTED. Level none until 2099-12-31, by J. Doe, privacy officer: "
    "They get a new server (ticket 4711)."
)
WORKERS = ("--workers", "1", "--shard-size", "2")


@in_module_loop
@pytest.mark.parametrize("args", [(), WORKERS], ids=["here", "workers"])
async def test_every_report_file_names_the_exception(
    probe: Probe, path: Path, tmp_path: Path, args: tuple[str, ...]
) -> None:
    file, paths = tmp_path / "exceptions.toml", [tmp_path / f"r.{kind}" for kind in KINDS]
    write(file, ACCEPTED.format(until="2099-12-31"))
    outputs = [each for target in paths for each in ("-o", str(target))]
    ended = await probe.scan(str(path), "--exceptions", str(file), *outputs, *args)

    assert ended.status == 0
    assert ended.err.startswith("probe: 4 domains: 2 PASS, 1 FAIL (1 accepted), 1 NO MAIL\n")
    assert f"probe:   {SHOWN}\n" in ended.err
    for target in paths[:-1]:
        assert "They get a new server (ticket 4711)" in target.read_text()
    found = read_reports(io.BytesIO((tmp_path / "r.jsonl").read_bytes()))
    assert [each.domain for each in found if each.accepted] == ["clear.test"]
    sheets = read_sheets(tmp_path / "r.xlsx")
    assert [row["domain"] for row in sheets["domains"] if row["accepted"]] == ["clear.test"]


KINDS = ("txt", "csv", "json", "jsonl", "html", "xlsx")


@in_module_loop
async def test_an_exception_is_shown_with_its_reason(
    probe: Probe, path: Path, tmp_path: Path
) -> None:
    file = tmp_path / "exceptions.toml"
    write(file, ACCEPTED.format(until="2099-12-31"))
    ended = await probe.scan(str(path), "--exceptions", str(file))

    assert ended.status == 0
    assert f"  {SHOWN}" in ended.out.splitlines()
    assert ended.err == "probe: 4 domains: 2 PASS, 1 FAIL (1 accepted), 1 NO MAIL\n"
    quiet = await probe.scan(str(path), "--exceptions", str(file), "-q")
    assert (quiet.status, quiet.err) == (0, "")


@in_module_loop
async def test_an_exception_that_covers_nothing_is_named(
    probe: Probe, path: Path, tmp_path: Path
) -> None:
    file, accepted = tmp_path / "exceptions.toml", ACCEPTED.format(until="2020-12-31")
    write(file, accepted + accepted.replace("clear.test", "cleer.test"))
    scanned = await probe.scan(str(path), "--exceptions", str(file))

    assert scanned.status == 1
    assert scanned.err.splitlines()[1:] == [
        f"probe: {NO_LONGER}",
        "probe: exceptions on domains that are not in the list: cleer.test",
    ]
    checked = await probe.check("clear.test", "--exceptions", str(file))
    assert (checked.status, checked.err) == (1, f"probe: {NO_LONGER}\n")
    quiet = await probe.scan(str(path), "--exceptions", str(file), "-q")
    assert quiet.err.splitlines()[-1] == f"probe: {NO_LONGER}"


@in_module_loop
async def test_a_check_names_the_exception_in_the_record(probe: Probe, db: str) -> None:
    await probe.check("clear.test", "--db", db)
    until = ("--until", "2099-12-31", "--by", "J. Doe", "--why", "New server")
    accepted = await probe.run("accept", "clear.test", "--db", db, "--what", "none", *until)
    assert accepted.status == 0
    ended = await probe.check("clear.test", "--db", db)

    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("clear.test: FAIL. ")
    line = "Accepted: level none until 2099-12-31, by J. Doe: New server."
    assert line in ended.out.splitlines()
    again = await probe.run("report", "--db", db, "--run", "1")
    assert again.status == 0
    assert line in again.out.splitlines()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("exception = 1", "only tables [[exception]]"),
        ("[other]", "only tables [[exception]]"),
        ("not toml", "is not TOML"),
        ('[[exception]]\ndomain = "a.example"', "exception 1: what is missing"),
        (ACCEPTED.format(until='"2099-12-31"'), "exception 1: until must be a day"),
        (ACCEPTED.format(until="2099-12-31").replace("none", "fine"), "what: 'fine' is not one of"),
        (ACCEPTED.format(until="2099-12-31") * 2, "exception 2: clear.test comes twice"),
        (ACCEPTED.format(until="2099-12-31") + "more = 1", "more is none of domain"),
    ],
)
def test_a_bad_file_of_exceptions(path: Path, tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "exceptions.toml"
    write(file, text)
    ended = scan_offline(str(path), "--exceptions", str(file))

    assert ended.status == 2
    assert f"{file}" in ended.err
    assert complaint in ended.err


@in_module_loop
@pytest.mark.parametrize("with_report", [True, False], ids=["report-file", "record-alone"])
async def test_a_stopped_scan_is_gone_on_with(
    probe: Probe, tmp_path: Path, db: str, with_report: bool
) -> None:
    path = tmp_path / "list.txt"
    write(path, "good.test\nclear.test\nsilent.test\n")
    output = ["-o", str(tmp_path / "report.jsonl")] if with_report else []
    args = (*probe.look, "--timeout", "4", str(path), "--db", db, *output)
    partial = tmp_path / "report.jsonl.partial"

    async with probe.running("scan", *args) as running:
        if with_report:
            await until(lambda: partial.exists() and partial.read_bytes().count(b"\n") == 2)
        else:
            assert running.process.stdout is not None
            for _ in range(2):
                await running.process.stdout.readline()
        running.send(signal.SIGINT)
        stopped = await running.ended()
    assert stopped.status == 130
    assert "continue with: " in stopped.err
    assert [(run.finished_at, run.observations) for run in runs_in(db)] == [(None, 2)]

    ended = await probe.run("scan", *args, "--resume")
    assert ended.status == 1
    assert ended.err.startswith("probe: 3 domains: 1 PASS, 1 FAIL, 1 UNKNOWN")
    [run] = runs_in(db)
    assert (run.finished_at is None, run.observations) == (False, 3)


@in_module_loop
async def test_a_run_is_not_gone_on_with_under_other_exceptions(
    probe: Probe, tmp_path: Path
) -> None:
    """Its rows name them."""
    path, file = tmp_path / "list.txt", tmp_path / "exceptions.toml"
    write(path, "good.test\nclear.test\nsilent.test\n")
    write(file, ACCEPTED.format(until="2099-12-31"))
    report = tmp_path / "report.jsonl"
    partial = tmp_path / "report.jsonl.partial"
    args = (*probe.look, "--timeout", "4", str(path), "--exceptions", str(file), "-o", str(report))

    async with probe.running("scan", *args) as running:
        await until(lambda: partial.exists() and partial.read_bytes().count(b"\n") == 2)
        running.send(signal.SIGINT)
        assert (await running.ended()).status == 130
    write(file, ACCEPTED.format(until="2098-12-31"))
    refused = await probe.run("scan", *args, "--resume")
    assert refused.status == 2
    assert "accepted exceptions was sha256 " in refused.err

    write(file, ACCEPTED.format(until="2099-12-31"))
    ended = await probe.run("scan", *args, "--resume")
    assert ended.status == 3
    assert f"probe:   {SHOWN}\n" in ended.err  # of a domain that the stopped run had reported
    assert report.read_bytes().count(b'"until":"2099-12-31"') == 1


@pytest.mark.parametrize("with_report", [True, False], ids=["report-file", "record-alone"])
@in_module_loop
async def test_what_the_budget_of_deep_has_cut_is_tested_later(
    probe: Probe, tmp_path: Path, db: str, with_report: bool
) -> None:
    path = tmp_path / "list.txt"
    write(path, "also-good.test\nself-signed.test\nclear.test\n")
    output = ["-o", str(tmp_path / "report.jsonl")] if with_report else []
    args = (str(path), "--db", db, *output, "--deep", "--deep-budget", "7")

    first = await probe.scan(*args)
    assert "--deep-budget is used up; continue with: " in first.err
    assert len(cut_in(db)) == 1
    second = await probe.scan(*args, "--resume")
    assert "--deep-budget" not in second.err
    assert cut_in(db) == []
    [run] = runs_in(db)
    assert (run.finished_at is None, run.observations) == (False, 3)
    await probe.scan(*args, "--resume")
    assert len(runs_in(db)) == 2


def cut_in(db: str) -> list[str | None]:
    """The domains of the last run that the budget of --deep has cut."""
    store = open_store(db)
    with store.reading() as connection:
        found = list(reports_of(connection, runs(connection)[0].id))
    store.close()
    return [each.domain for each in found if is_cut_by_budget(each.endpoints)]


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, path: Path, db: str
) -> None:
    monkeypatch.setattr("prober.cli.recording.find_spec", lambda _name: None)
    for name in [name for name in sys.modules if name.startswith("prober.store")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)  # importing it raises ImportError
    ended = scan_offline(str(path), "--db", db)

    assert (ended.status, ended.out) == (2, "")
    assert ended.err == (
        "probe: a record needs the extra `record`: install it with "
        "`pip install 'smtp-tls-prober[record]'`\n"
    )


def test_a_machine_that_cannot_see_leaves_no_run(path: Path, db: str) -> None:
    ended = scan_offline(str(path), "--db", db)

    assert ended.status == 4


def test_the_list_is_not_overwritten(path: Path) -> None:
    ended = scan_offline(str(path), "--db", str(path))

    assert ended.status == 2
    assert "would overwrite it" in ended.err


def test_a_password_is_not_in_the_message(path: Path) -> None:
    ended = scan_offline(str(path), "--db", "postgresql://u:secret@127.0.0.1:1/db")

    assert ended.status == 5
    assert "secret" not in ended.err


def test_a_new_record_is_told_unless_quiet(tmp_path: Path) -> None:
    for quiet, name in ((False, "a.db"), (True, "b.db")):
        options = ("-q",) if quiet else ()
        ended = scan_offline("-", "--db", str(tmp_path / name), *options, stdin=b"a.test\n")
        told = f"there was no record at {tmp_path / name}: a new one was made" in ended.err
        assert told is not quiet
