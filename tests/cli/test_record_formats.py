"""``probe diff`` and ``history`` in each format, and what a report says of a record beside."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from prober.files import partial_of
from prober.records import Standing
from prober.report.changes import COLUMNS
from prober.report.history import HISTORY_COLUMNS, RUN_COLUMNS
from prober.report.json_ import encode_report
from prober.store.database import open_store
from tests.cli.commands import invoke, scan_offline
from tests.report.pages import read_page
from tests.report.samples import HOSTILE
from tests.store.builders import good, record, report
from tests.support.builders import confirmed, not_offered, untested
from tests.support.json_schemas import require_valid
from tests.support.workbooks import cells_of

FORMATS = ("txt", "json", "jsonl", "csv", "html", "xlsx")
NEGATIVE = confirmed(not_offered())


@pytest.fixture
def db(tmp_path: Path) -> str:
    """Three runs: example.com fails from the second on; other.example is not seen in the last."""
    path = str(tmp_path / "probe.db")
    store = open_store(path, create=True)
    for day, (one, other) in enumerate(
        [(good(), good()), (NEGATIVE, good()), (NEGATIVE, untested())]
    ):
        record(store, [report(one, day=day), report(other, name="other.example", day=day)])
    store.close()
    return path


def text_of(path: Path) -> str:
    """All that a reader sees in the file, on one line."""
    match path.suffix:
        case ".html":
            text = read_page(path.read_bytes()).text
        case ".xlsx":
            text = " ".join(
                str(cell) for rows in cells_of(path).values() for row in rows for cell in row
            )
        case _:
            text = path.read_text()
    return " ".join(text.split())


@pytest.mark.parametrize("extension", FORMATS)
def test_a_comparison_in_each_format(db: str, tmp_path: Path, extension: str) -> None:
    target = tmp_path / f"changes.{extension}"
    ended = invoke("diff", "--db", db, "--from", "1", "-o", str(target))

    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("probe: 2 domains compared: 1 worse, 1 not seen")
    text = text_of(target)
    assert text.index("example.com") < text.index("other.example")
    assert "STARTTLS not offered" in text
    assert not partial_of(target).exists()


@pytest.mark.parametrize("extension", FORMATS)
def test_a_history_in_each_format(db: str, tmp_path: Path, extension: str) -> None:
    target = tmp_path / f"history.{extension}"
    ended = invoke("history", "example.com", "OTHER.example", "--db", db, "-o", str(target))

    assert (ended.status, ended.out, ended.err) == (0, "", "")
    text = text_of(target)
    assert text.index("example.com") < text.index("other.example")
    assert "STARTTLS not offered" in text
    assert "authenticated" in text


@pytest.mark.parametrize("extension", FORMATS)
def test_the_runs_in_each_format(db: str, tmp_path: Path, extension: str) -> None:
    target = tmp_path / f"runs.{extension}"
    ended = invoke("history", "--runs", "--db", db, "-o", str(target))

    assert (ended.status, ended.out, ended.err) == (0, "", "")
    assert text_of(target).count("list.txt") >= 3


@pytest.mark.parametrize("command", ["diff", "history example.com", "history --runs"])
@pytest.mark.parametrize("extension", ["json", "jsonl", "csv", "html", "xlsx"])
def test_a_file_that_cannot_be_written_is_told(
    db: str, tmp_path: Path, command: str, extension: str
) -> None:
    target = tmp_path / "nowhere" / f"r.{extension}"
    ended = invoke(*command.split(), "--db", db, "-o", str(target))
    assert ended.status == 5
    assert "cannot write the report" in ended.err


@pytest.mark.parametrize("command", ["diff", "history example.com", "history --runs"])
def test_formats_that_cannot_be(db: str, command: str) -> None:
    words = (*command.split(), "--db", db)
    assert invoke(*words, "-o", "r.ods").status == 2
    ended = invoke(*words, "-f", "xlsx")
    assert (ended.status, ended.out) == (2, "")
    assert "xlsx can only be written to a file" in ended.err


@pytest.mark.parametrize("command", ["diff", "history example.com", "history --runs"])
@pytest.mark.parametrize("name", ["probe.db", "probe.db-wal"])
def test_the_record_is_not_overwritten(db: str, command: str, name: str) -> None:
    target = str(Path(db).with_name(name))
    ended = invoke(*command.split(), "--db", db, "-f", "csv", "-o", target)
    assert ended.status == 2
    assert "would overwrite it" in ended.err
    assert invoke("history", "--runs", "--db", db).status == 0


def test_rows_have_their_columns(db: str) -> None:
    for command, columns, rows in (
        ("diff --from 1", COLUMNS, 5),
        ("history example.com", HISTORY_COLUMNS, 3),
        ("history --runs", RUN_COLUMNS, 3),
    ):
        out = invoke(*command.split(), "--db", db, "-f", "csv").out
        head, *found = csv.reader(out.splitlines())
        assert tuple(head) == columns
        assert len(found) >= rows


def test_json_is_as_the_schemas_say(db: str) -> None:
    assert require_valid("diff", invoke("diff", "--db", db, "-f", "json", "-q").out) == 1
    history = invoke("history", "example.com", "--db", db, "-f", "json").out
    assert require_valid("history", history) == len(history.splitlines()) == 3
    runs = invoke("history", "--runs", "--db", db, "-f", "jsonl").out
    assert require_valid("history-runs", runs) == 3
    newest = json.loads(runs.splitlines()[0])
    assert newest["standings"] == {"falls-short": 1, "undecided": 1}


def test_hostile_text_shows_as_text_in_every_format(tmp_path: Path) -> None:
    files = []
    for week, said in enumerate(("TLSv1.3", HOSTILE)):
        seen = report(good(), day=7 * week)
        seen = replace(seen, endpoints=(replace(seen.endpoints[0], tls_version=said),))
        files.append(tmp_path / f"{week}.jsonl")
        files[-1].write_bytes(encode_report(seen) + b"\n")
    for extension in FORMATS:
        target = tmp_path / f"changes.{extension}"
        invoke("diff", *map(str, files), "-o", str(target), "-q")
        assert all(char.isprintable() for char in text_of(target)), extension


@pytest.mark.parametrize("run", ["1", "2", "last"])
def test_a_report_of_a_run_says_what_that_run_changed(db: str, tmp_path: Path, run: str) -> None:
    page, book = tmp_path / "r.html", tmp_path / "r.xlsx"
    invoke("report", "--db", db, "--run", run, "-o", str(page), "-o", str(book), "-q")

    said = {
        "1": "This is the first run of this list in the record.",
        "2": "Since run 1 of ",
        "last": "Since run 2 of ",
    }[run]
    assert said in text_of(page)
    sheets = cells_of(book)
    assert list(sheets) == ["summary", "domains", "endpoints", "findings", "changes"]
    assert tuple(sheets["changes"][0]) == COLUMNS
    assert any(row[0] == "changes" and said in str(row[1]) for row in sheets["summary"])
    found = {row[0] for row in sheets["changes"][1:]}
    assert found == {"1": set(), "2": {"example.com"}, "last": {"other.example"}}[run]


def test_a_report_of_results_has_no_sheet_of_changes(tmp_path: Path) -> None:
    results, book = tmp_path / "r.jsonl", tmp_path / "r.xlsx"
    results.write_bytes(encode_report(report(good())) + b"\n")
    invoke("report", str(results), "-o", str(book))
    assert "changes" not in cells_of(book)


def test_a_report_of_some_domains_has_nothing_of_others(db: str, tmp_path: Path) -> None:
    page, book = tmp_path / "r.html", tmp_path / "r.xlsx"
    outputs = ("-o", str(page), "-o", str(book), "-q")
    invoke("report", "--db", db, "--domain", "example.com", *outputs)
    assert "other.example" not in page.read_text()
    assert "What changed since the run before" not in page.read_text()
    assert "changes" not in cells_of(book)


def test_a_scan_with_a_record_says_what_changed(tmp_path: Path) -> None:
    db, page, book = (tmp_path / name for name in ("probe.db", "r.html", "r.xlsx"))
    outputs = ("--db", str(db), "-o", str(page), "-o", str(book))
    words = ("-", *outputs, "-q")
    scan_offline(*words, stdin=b"a.example\n")
    assert "This is the first run of this list in the record." in text_of(page)
    for each in (page, book):
        each.unlink()  # a machine that cannot see replaces no report
    scan_offline(*words, stdin=b"a.example\n")

    assert "Since run 1 of " in text_of(page)
    assert "The last 2 runs of this list" in text_of(page)
    assert "changes" in cells_of(book)


def test_a_report_without_a_readable_record_says_so(
    db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prober.store import asking
    from prober.store.database import StoreError

    def fails(*_args: object) -> None:
        raise StoreError("the disk failed")

    monkeypatch.setattr(asking, "run_news", fails)
    page, book = tmp_path / "r.html", tmp_path / "r.xlsx"
    ended = invoke("report", "--db", db, "-o", str(page), "-o", str(book), "-q")
    assert ended.status == 1
    assert "Unknown: the record could not be read or written." in text_of(page)
    assert ["changes", "Unknown: the record could not be read or written."] in [
        list(row[:2]) for row in cells_of(book)["summary"]
    ]


def test_a_report_has_the_worst_of_many_changes_and_counts_the_others(
    db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prober.store import asking

    monkeypatch.setattr(asking, "MAX_CHANGED", 1)
    store = open_store(db)
    record(store, [report(good(), day=3), report(NEGATIVE, name="other.example", day=3)])
    store.close()
    page, book = tmp_path / "r.html", tmp_path / "r.xlsx"
    invoke("report", "--db", db, "-o", str(page), "-o", str(book), "-q")
    assert "2 domains changed: 1 worse, 1 better." in text_of(page)
    assert "and 1 more: probe diff shows all." in text_of(page)
    sheets = cells_of(book)
    assert {row[0] for row in sheets["changes"][1:]} == {"other.example"}
    left_out = ("NOT in sheet changes", "domains whose changes are left out: 1")
    assert left_out in sheets["summary"]


def test_every_standing_is_a_column_of_the_runs() -> None:
    assert set(RUN_COLUMNS) >= {each.value.replace("-", "_") for each in Standing}


@pytest.mark.parametrize("extension", FORMATS)
def test_a_history_names_the_exception_that_covered_a_run(
    db: str, tmp_path: Path, extension: str
) -> None:
    """It ends with the second run: the first one passes, the third one came later."""
    accept = ("--what", "none", "--by", "J. Doe", "--why", "New server", "--until", "2026-01-03")
    assert invoke("accept", "example.com", "--db", db, *accept).status == 0
    target = tmp_path / f"history.{extension}"
    assert invoke("history", "example.com", "--db", db, "-o", str(target)).status == 0

    if extension in ("json", "jsonl"):
        found = [json.loads(line)["accepted"] for line in target.read_text().splitlines()]
        assert [each and each["by"] for each in found] == [None, "J. Doe", None]
        return
    text = text_of(target)
    assert text.count("level none until 2026-01-03, by J. Doe: New server") == 1
