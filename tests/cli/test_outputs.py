"""Which reports are written where, and what becomes of them. Offline: every domain is unknown."""

import csv
import json
import re
from pathlib import Path

import pytest

from tests.cli.commands import CANNOT_SEE, scan_offline, unknown_offline

OLD = "an older report\n"
NOT_WRITTEN = 5


@pytest.fixture
def list_(tmp_path: Path) -> str:
    path = tmp_path / "list.txt"
    path.write_text("a.test\n*.test\nb.test\n")
    return str(path)


def levels_in(path: Path) -> list[str]:
    """The levels of a report, whatever its format, in order of the domains."""
    text = path.read_text()
    match path.suffix:
        case ".csv":
            return [row["level"] for row in csv.DictReader(text.splitlines())]
        case ".jsonl":
            return [json.loads(line)["verdict"]["level"] for line in text.splitlines()]
        case ".json":  # an object a domain, one behind the other
            return re.findall(r'"level": "([a-z-]+)"', text)
    return [line.split()[1] for line in text.split("\n\n")[0].splitlines()]


def test_several_outputs_at_once_all_have_every_row(tmp_path: Path, list_: str) -> None:
    names = ("r.csv", "r.jsonl", "r.json", "r.txt")
    outputs = [part for name in names for part in ("-o", str(tmp_path / name))]
    ended = scan_offline(list_, "--ordered", *outputs)

    written = ", ".join(str(tmp_path / name) for name in names)
    assert ended.out == ""
    assert re.sub(r"in \d+ s$", "in 1 s", ended.err, flags=re.MULTILINE) == (
        "probe: 3 domains: 2 UNKNOWN, 1 INVALID\n"
        "probe: Levels: 2 unknown, 1 invalid. 0 of 0 endpoints tested.\n"
        "probe: Worst:\n"
        "probe:   *.test: INVALID. This is not a mail domain: line 2: a wildcard, not a domain.\n"
        f"{unknown_offline('a.test', 'b.test', indent='  ')}"
        f"probe: {written} written in 1 s\n"
        f"{CANNOT_SEE}"
    )
    for name in names:
        assert levels_in(tmp_path / name) == ["unknown", "invalid", "unknown"]
    assert {path.name for path in tmp_path.iterdir()} == {"list.txt", *names}


def test_a_dash_is_stdout_beside_files(tmp_path: Path, list_: str) -> None:
    ended = scan_offline(list_, "--ordered", "-o", "-", "-o", str(tmp_path / "r.csv"))

    assert ended.out.startswith("UNKNOWN  unknown        a.test  Could not test: no nameserver")
    assert "\nWorst:\n" in ended.out
    assert "Worst" not in ended.err  # the report on stdout has it
    assert levels_in(tmp_path / "r.csv") == ["unknown", "invalid", "unknown"]


@pytest.mark.parametrize(
    ("options", "profile"),
    [
        pytest.param((), None, id="a-level"),
        pytest.param(("--require", "profile"), "default", id="the-default"),
        pytest.param(("--profile", "ncsc-nl-2025"), "ncsc-nl-2025", id="a-profile"),
    ],
)
def test_json_tells_the_ratings_of_a_profile(
    list_: str, options: tuple[str, ...], profile: str | None
) -> None:
    ended = scan_offline(list_, "--ordered", "-f", "jsonl", "-o", "-", *options)

    rated = [json.loads(line)["profile_ratings"] for line in ended.out.splitlines()]
    assert [each and each["profile"] for each in rated] == [profile] * 3
    assert all(each is None or each["ratings"] == [] for each in rated)  # nothing was seen


def test_format_beats_the_extension_of_every_output(tmp_path: Path, list_: str) -> None:
    output = tmp_path / "r.csv"
    ended = scan_offline(list_, "-f", "jsonl", "-o", str(output), "-o", "-")

    assert output.read_text() == ended.out
    assert all(json.loads(line) for line in ended.out.splitlines())


@pytest.mark.parametrize("name", ["r.ods", "r"])
def test_an_unknown_extension_is_usage(tmp_path: Path, list_: str, name: str) -> None:
    ended = scan_offline(list_, "-o", str(tmp_path / name))

    assert ended.status == 2
    assert (
        "use .txt .json .jsonl .ndjson .csv .html .xlsx, or choose one of text, json" in ended.err
    )
    assert not (tmp_path / name).exists()


def test_the_same_output_twice_is_usage(tmp_path: Path, list_: str) -> None:
    output = str(tmp_path / "r.csv")
    ended = scan_offline(list_, "-o", output, "-o", output)
    assert (ended.status, ended.err) == (2, "probe: --output names the same file twice\n")


def test_per_endpoint_is_about_csv(list_: str) -> None:
    ended = scan_offline(list_, "--per-endpoint", "-f", "csv")
    assert "tls_version," in ended.out.splitlines()[0]


def test_quiet_counts_and_names_the_domains_where_not_all_is_well(
    tmp_path: Path, list_: str
) -> None:
    assert scan_offline(list_, "--quiet").err == (
        "probe: 3 domains: 2 UNKNOWN, 1 INVALID\n"
        "probe: *.test: INVALID. This is not a mail domain: line 2: a wildcard, not a domain.\n"
        f"{unknown_offline('a.test', 'b.test')}"
        f"{CANNOT_SEE}"
    )
    assert scan_offline(str(tmp_path / "none"), "--quiet").err != ""


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ("none/r.csv", "its folder does not exist: create that first"),
        ("list.txt/r.csv", "its folder is a file: write elsewhere"),
        ("folder.csv", "is a folder: name a file in it"),
        (f"{'x' * 300}.csv", "the name is too long: give a shorter one"),
    ],
)
def test_an_output_that_cannot_be_is_told_before_the_scan(
    tmp_path: Path, list_: str, output: str, why: str
) -> None:
    (tmp_path / "folder.csv").mkdir()
    ended = scan_offline(list_, "-o", str(tmp_path / output))

    complaint = f"probe: {tmp_path / output}: cannot write the report: {why}\n"
    assert (ended.status, ended.out, ended.err) == (NOT_WRITTEN, "", complaint)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.csv", "list.txt"]


def test_a_full_disk_ends_the_scan_and_keeps_the_other_outputs(tmp_path: Path, list_: str) -> None:
    kept = tmp_path / "r.csv"
    kept.write_text(OLD)
    ended = scan_offline(list_, "-o", str(kept), "-o", "/dev/full", "-f", "csv")

    assert (ended.status, ended.out) == (NOT_WRITTEN, "")
    assert ended.err.splitlines() == [
        f"probe: not finished; what was seen is in {kept}.partial",
        "probe: /dev/full: cannot write the report: no space is left: "
        "free some, or write elsewhere",
    ]
    assert kept.read_text() == OLD
    assert (tmp_path / "r.csv.partial").read_text().startswith("domain,")


def test_what_an_earlier_run_left_is_put_aside_and_named(tmp_path: Path, list_: str) -> None:
    output = tmp_path / "r.csv"
    (tmp_path / "r.csv.partial").write_text(OLD)
    ended = scan_offline(list_, "-o", str(output))

    assert f"rows of an earlier run that did not finish are in {output}.partial.1\n" in ended.err
    assert (tmp_path / "r.csv.partial.1").read_text() == OLD


def test_settings_that_cannot_work_leave_no_file(tmp_path: Path, list_: str) -> None:
    output = tmp_path / "r.csv"
    output.write_text(OLD)
    ended = scan_offline(list_, "-o", str(output), "--ca-file", str(tmp_path / "none.pem"))

    assert ended.status == 2
    assert output.read_text() == OLD
    assert not (tmp_path / "r.csv.partial").exists()


def test_a_machine_that_cannot_see_replaces_no_older_report(tmp_path: Path, list_: str) -> None:
    """A list of partners is short, and one bad Monday must not cost last week's evidence."""
    output = tmp_path / "r.csv"
    output.write_text(OLD)
    ended = scan_offline(list_, "-o", str(output))
    assert ended.status == 4
    assert "this machine cannot probe" in ended.err
    assert output.read_text() == OLD
    assert f"what was seen is in {output}.partial.not-tested\n" in ended.err
    assert (tmp_path / "r.csv.partial.not-tested").read_text().count("\n") == 4


def test_retries_of_a_machine_that_cannot_see_leave_one_file(tmp_path: Path, list_: str) -> None:
    """What another run left is none of theirs: it is put aside, and stays."""
    output = tmp_path / "r.csv"
    output.write_text(OLD)
    (tmp_path / "r.csv.partial").write_text("rows of another run\n")
    for _ in range(3):
        assert scan_offline(list_, "-o", str(output)).status == 4
    names = {"r.csv", "r.csv.partial.1", "r.csv.partial.not-tested", Path(list_).name}
    assert {path.name for path in tmp_path.iterdir()} == names

    output.unlink()  # now there is no older report to keep, so the file is written
    scan_offline(list_, "-o", str(output))
    names.remove("r.csv.partial.not-tested")
    assert {path.name for path in tmp_path.iterdir()} == names
    assert (tmp_path / "r.csv.partial.1").read_text() == "rows of another run\n"


def test_one_file_by_two_names_is_the_same_output(tmp_path: Path, list_: str) -> None:
    output = str(tmp_path / "r.csv")
    ended = scan_offline(list_, "-o", output, "-o", f"{tmp_path}/./r.csv")
    assert (ended.status, ended.err) == (2, "probe: --output names the same file twice\n")


@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["one process", "workers"])
def test_html_and_csv_of_a_run_agree(tmp_path: Path, workers: tuple[str, ...]) -> None:
    table, page = tmp_path / "r.csv", tmp_path / "r.html"
    list_ = tmp_path / "list.csv"
    list_.write_text("domain,owner\n" + "".join(f"d{n}.example,Ann {n}\n" for n in range(5)))
    scan_offline(
        str(list_), "--column", "domain", *workers, "-o", str(table), "-o", str(page), "-q"
    )

    rows = {row["domain"]: row for row in csv.DictReader(table.read_text().splitlines())}
    items = page.read_text().split("<li data-rank=")[1:]
    assert len(items) == len(rows) == 5
    for item in items:
        name = re.search('<span class="name">([^<]*)</span>', item)
        assert name is not None
        row = rows.pop(name[1])
        assert f'<span class="value">{row["level"]}</span>' in item
        assert f'<span class="value">{row["list_owner"]}</span>' in item
        assert '<span class="badge">UNKNOWN</span>' in item
        assert row["standing"] == "undecided"
    assert "<p>5 domains, checked " in page.read_text()
