"""``probe diff``: two files of results, what it shows in each format, and how it ends."""

import csv
import errno
import io
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from prober.records import DomainReport, EndpointFacts
from prober.records.changes import ChangeCode, DomainChanges
from prober.report.changes import COLUMNS, NAMES
from prober.report.json_ import encode_report
from prober.rules.exit_status import NOT_WRITTEN
from prober.rules.verdict import judge_domain
from prober.spool import Spool
from tests.cli.commands import invoke
from tests.report.samples import HOSTILE
from tests.rules.certificates import issue
from tests.support.builders import MX, NOW, completed, confirmed, domain, not_offered, untested

CERTIFICATE = issue(MX, by=issue("ca.example")).der
WEEK = timedelta(days=7)


def good(**fields: Any) -> EndpointFacts:
    return completed(**({"chain": (CERTIFICATE,), "path": (0,)} | fields))


def report(endpoint: EndpointFacts, week: int = 0, name: str = "example.com") -> DomainReport:
    facts = domain(endpoint, domain=name, input=name, checked_at=NOW + week * WEEK)
    return judge_domain(facts)


def saved(path: Path, *reports: DomainReport) -> str:
    path.write_bytes(b"".join(encode_report(each) + b"\n" for each in reports))
    return str(path)


@pytest.fixture
def old(tmp_path: Path) -> str:
    names = ("a.example", "b.example", "c.example", "gone.example")
    return saved(tmp_path / "old.jsonl", *(report(good(), name=name) for name in names))


@pytest.fixture
def new(tmp_path: Path) -> str:
    return saved(
        tmp_path / "new.jsonl",
        report(good(), 1, "a.example"),
        report(untested(), 1, "b.example"),
        report(confirmed(not_offered()), 1, "c.example"),
        report(good(), 1, "first.example"),
    )


def test_counts_then_a_line_per_domain_the_worst_first(old: str, new: str) -> None:
    ended = invoke("diff", old, new)

    assert (ended.status, ended.err) == (1, "")
    first, worse, lost, new_, left_out = ended.out.splitlines()
    assert first == (
        "3 domains compared: 1 worse, 1 not seen this time, 0 changed otherwise, 0 better, "
        "0 with routine changes only, 1 as before; 1 no longer looked at; "
        "1 looked at for the first time"
    )
    assert worse.startswith(
        f"c.example: WORSE. STARTTLS at {MX} 192.0.2.1 was working, is not offered; "
    )
    assert worse.endswith(
        ". To do: ask the operator to offer TLS again; until then use another way."
    )
    assert lost.startswith(f"b.example: NOT SEEN. STARTTLS at {MX} 192.0.2.1 could not be seen")
    assert new_ == "first.example: NEW. looked at for the first time."
    assert left_out == (
        "gone.example: LEFT OUT. no longer looked at, last seen 2026-01-02T03:04:05Z."
    )


@pytest.mark.parametrize(
    ("endpoint", "status"),
    [
        pytest.param(confirmed(not_offered()), 1, id="worse"),
        pytest.param(untested(), 3, id="lost-sight"),
        pytest.param(good(), 0, id="as-before"),
    ],
)
def test_the_exit_status(tmp_path: Path, endpoint: EndpointFacts, status: int) -> None:
    before = saved(tmp_path / "old.jsonl", report(good()))
    now = saved(tmp_path / "new.jsonl", report(endpoint, 1))

    assert invoke("diff", before, now).status == status


def test_what_got_better_is_no_fault(tmp_path: Path) -> None:
    before = saved(tmp_path / "old.jsonl", report(confirmed(not_offered())))
    now = saved(tmp_path / "new.jsonl", report(good(), 1))

    assert invoke("diff", before, now).status == 0


def test_json_is_one_object_per_domain(old: str, new: str) -> None:
    ended = invoke("diff", old, new, "--format", "jsonl", "--quiet")

    found = [json.loads(line) for line in ended.out.splitlines()]
    in_one_only = {"first.example": ("no", "yes"), "gone.example": ("yes", "no")}
    assert [each["domain"] for each in found] == ["c.example", "b.example", *in_one_only]
    for each in found[2:]:
        (change,) = each["changes"]
        assert (change["code"], change["direction"]) == ("looked-at", "other")
        assert (change["before"], change["after"]) == in_one_only[each["domain"]]
    change = next(each for each in found[0]["changes"] if each["code"] == "starttls")
    assert change == {
        "code": "starttls",
        "direction": "worse",
        "mx_host": MX,
        "addresses": ["192.0.2.1"],
        "before": "TLS completes",
        "after": "STARTTLS not offered",
        "last_seen": "2026-01-02T03:04:05Z",
        "since": "2026-01-09T03:04:05Z",
        "runs": 1,
        "told": True,
    }


def test_csv_is_one_row_per_change(old: str, new: str, tmp_path: Path) -> None:
    target = tmp_path / "changes.csv"
    ended = invoke("diff", old, new, "--format", "csv", "--output", str(target))

    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("probe: 3 domains compared: ")
    head, *rows = csv.reader(io.StringIO(target.read_text()))
    assert tuple(head) == COLUMNS
    assert {row[0] for row in rows} == {
        "b.example",
        "c.example",
        "first.example",
        "gone.example",
    }


def test_a_page_names_those_in_one_file_only(old: str, new: str, tmp_path: Path) -> None:
    target = tmp_path / "changes.html"
    invoke("diff", old, new, "--output", str(target))
    text = target.read_text()
    assert "no longer looked at, last seen" in text
    assert "LEFT OUT" in text
    assert "looked at for the first time" in text


def test_an_input_that_is_no_domain_is_not_counted(tmp_path: Path) -> None:
    invalid = judge_domain(domain(domain=None, input="no domain", error="no domain"))
    before = saved(tmp_path / "old.jsonl", report(good()), invalid)
    now = saved(tmp_path / "new.jsonl", report(good(), 1), invalid)
    ended = invoke("diff", before, now)
    assert ended.out.startswith("1 domain compared: ")
    assert ended.out.endswith(", 1 as before\n")


def test_the_requirement_decides_the_standing(tmp_path: Path) -> None:
    before = saved(tmp_path / "old.jsonl", report(good()))
    now = saved(tmp_path / "new.jsonl", report(good(tls_version="TLSv1.1"), 1))

    lenient = invoke("diff", before, now, "--format", "csv", "--quiet").out
    strict = invoke("diff", before, now, "--format", "csv", "--quiet", "--require", "authenticated")
    assert "worse,standing" not in lenient
    assert "worse,standing" in strict.out


def test_what_a_peer_sent_is_escaped(tmp_path: Path) -> None:
    before = saved(tmp_path / "old.jsonl", report(good()))
    hostile = replace(report(good(), 1), mx_hosts=())
    endpoint = replace(hostile.endpoints[0], tls_version=HOSTILE)
    now = saved(tmp_path / "new.jsonl", replace(hostile, endpoints=(endpoint,)))

    for format_ in ("text", "json", "jsonl", "csv"):
        out = invoke("diff", before, now, "--format", format_).out
        assert all(line.isprintable() for line in out.splitlines())


@pytest.mark.parametrize("files", [[], ["one"], ["one", "two", "three"]])
def test_two_files_are_needed(files: list[str]) -> None:
    ended = invoke("diff", *files)

    assert ended.status == 2
    assert ended.err == (
        f"probe: name two files of results, not {len(files)}: `probe diff OLD NEW`; "
        "or compare the last two runs of a record: `probe diff --db DB`\n"
    )


def test_a_file_that_is_no_results_file(old: str, tmp_path: Path) -> None:
    other = tmp_path / "list.txt"
    other.write_text("example.com\n")
    ended = invoke("diff", old, str(other))

    assert ended.status == 2
    assert f"{other}: line 1: not a report" in ended.err


def test_no_input_is_overwritten(old: str, new: str) -> None:
    ended = invoke("diff", old, new, "--output", old)

    assert ended.status == 2
    assert "would overwrite it" in ended.err


def test_every_change_has_a_name() -> None:
    assert set(NAMES) == set(ChangeCode)


def test_the_changes_wait_on_the_disk(
    old: str, new: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of large files: a disk that takes no more ends the comparison."""
    put = Spool.put

    def full(spool: Spool, record: object) -> object:
        if isinstance(record, DomainChanges):
            raise OSError(errno.ENOSPC, "No space left on device")
        return put(spool, record)

    monkeypatch.setattr(Spool, "put", full)
    target = tmp_path / "changes.html"
    ended = invoke("diff", old, new, "-o", str(target))
    assert ended.status == NOT_WRITTEN
    assert "the temporary folder: cannot write what is read: " in ended.err
    assert not target.exists()
