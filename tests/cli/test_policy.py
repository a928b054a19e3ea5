"""``probe policy``: from files of results to a map, what it shows, and how it ends."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from prober.domains import parse_domain
from prober.records import DomainReport, EndpointFacts, MtaSts, StsStatus, VerifyError
from prober.report.json_ import encode_report
from prober.rules.verdict import judge_domain
from prober.store.database import open_store
from tests.cli.commands import invoke
from tests.rules.certificates import issue
from tests.store.builders import record
from tests.support.builders import MX, NOW, completed, confirmed, domain, not_offered, untested

CERTIFICATE = issue(MX, by=issue("ca.example")).der
SELF_SIGNED = VerifyError(depth=0, code=18, text="self signed")
WEEK = timedelta(days=7)
NEGATIVE = confirmed(not_offered())


def good(**fields: Any) -> EndpointFacts:
    return completed(**({"chain": (CERTIFICATE,), "path": (0,)} | fields))


def self_signed() -> EndpointFacts:
    return good(verify_errors=(SELF_SIGNED,), path=())


def report(endpoint: EndpointFacts, week: int = 0, name: str = "example.com") -> DomainReport:
    facts = domain(endpoint, domain=name, input=name, checked_at=NOW + week * WEEK)
    return judge_domain(facts)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A file of one run, on a domain whose certificate proves it."""
    return saved(tmp_path / "run.jsonl", report(good()))


def saved(path: Path, *reports: DomainReport) -> Path:
    path.write_bytes(b"".join(encode_report(each) + b"\n" for each in reports))
    return path


def lines_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_a_map_on_stdout_and_the_changes_on_stderr(results: Path) -> None:
    ended = invoke("policy", str(results), "--for", "postfix")

    assert ended.status == 0
    assert lines_of(ended.out) == ["example.com secure match=nexthop:dot-nexthop"]
    assert ended.err == (
        "probe: + example.com: secure match=nexthop:dot-nexthop (1 run delivered)\n"
        "probe: 0 as before, 0 without a line\n"
    )


def test_quiet(results: Path) -> None:
    assert invoke("policy", str(results), "--for", "csv", "-q").err == ""


def test_a_unicode_domain_is_written_in_utf_8_whatever_the_terminal_has(tmp_path: Path) -> None:
    results = saved(tmp_path / "run.jsonl", report(self_signed(), name="xn--bcher-kva.test"))
    ended = invoke("policy", str(results), "--for", "postfix", env={"PYTHONIOENCODING": "ascii"})
    assert lines_of(ended.out) == ["xn--bcher-kva.test encrypt", "bücher.test encrypt"]


def test_results_from_stdin(results: Path) -> None:
    ended = invoke("policy", "-", "--for", "exim", stdin=results.read_bytes())
    assert lines_of(ended.out) == ["example.com: verify"]


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        ("postfix", ["example.com encrypt"]),
        ("exim", ["example.com: encrypt"]),
        (
            "opensmtpd",
            [
                "table tls_verify { \\",
                '    "nobody.invalid" }',
                "table tls_encrypt { \\",
                '    "example.com" }',
            ],
        ),
        (
            "csv",
            [
                "domain,policy,match,before,change,reason,loses",
                "example.com,encrypt,,,new,1 run delivered,no",
            ],
        ),
    ],
)
def test_every_kind_of_map(kind: str, lines: list[str], tmp_path: Path) -> None:
    results = saved(tmp_path / "run.jsonl", report(self_signed()))
    assert lines_of(invoke("policy", str(results), "--for", kind).out) == lines


def test_the_live_map_is_written_over_in_one_step(results: Path, tmp_path: Path) -> None:
    live = tmp_path / "tls_policy"
    live.write_text("example.com encrypt\n[relay.test] secure\n")

    arguments = ("--for", "postfix", "--current", str(live), "-o", str(live))
    ended = invoke("policy", str(results), *arguments)

    assert ended.status == 0
    assert lines_of(live.read_text()) == [
        "[relay.test] secure",
        "example.com secure match=nexthop:dot-nexthop",
    ]
    assert "^ example.com: encrypt -> secure" in ended.err
    assert {path.name for path in tmp_path.iterdir()} == {"run.jsonl", "tls_policy"}


NO_TLS = confirmed(not_offered())


def test_a_line_that_loses_mail_is_kept_and_told(tmp_path: Path) -> None:
    results = saved(tmp_path / "run.jsonl", report(NO_TLS))
    live = tmp_path / "live"
    live.write_text("example.com encrypt\n")

    ended = invoke("policy", str(results), "--for", "postfix", "--current", str(live))

    assert ended.status == 1
    assert lines_of(ended.out) == ["example.com encrypt"]
    assert "! example.com: encrypt (it holds mail back today (1 run))" in ended.err


def test_after_so_many_runs_a_line_is_loosened_where_that_is_wished(tmp_path: Path) -> None:
    files = [str(saved(tmp_path / f"{week}.jsonl", report(NO_TLS, week))) for week in range(3)]
    live = tmp_path / "live"
    live.write_text("example.com encrypt\n")
    arguments = ("--for", "postfix", "--current", str(live), "--loosen-runs", "3")

    early = invoke("policy", *files[:2], *arguments)
    late = invoke("policy", *reversed(files), *arguments)

    assert lines_of(early.out) == ["example.com encrypt"]
    assert early.status == 1
    assert lines_of(late.out) == []
    assert late.status == 0
    assert "- example.com: encrypt -> no line (3 runs lost mail)" in late.err


def test_after_so_many_runs_a_line_is_written(tmp_path: Path) -> None:
    weeks = [report(self_signed(), 0), report(self_signed(), 1), report(good(), 2)]
    files = [str(saved(tmp_path / f"{i}.jsonl", each)) for i, each in enumerate(weeks)]
    arguments = ("--for", "postfix", "--require-runs", "3")

    assert lines_of(invoke("policy", *files[:2], *arguments).out) == []
    assert lines_of(invoke("policy", *files, *arguments).out) == ["example.com encrypt"]


def test_unknown_loosens_nothing(tmp_path: Path) -> None:
    results = saved(tmp_path / "run.jsonl", report(untested()))
    live = tmp_path / "live"
    live.write_text("example.com encrypt\nnot-in-the-list.test verify\n")

    arguments = ("--for", "postfix", "--current", str(live), "--loosen-runs", "1")
    ended = invoke("policy", str(results), *arguments)

    assert lines_of(ended.out) == ["example.com encrypt", "not-in-the-list.test verify"]
    assert ended.status == 0


def test_lines_of_others_are_theirs(results: Path, tmp_path: Path) -> None:
    live = tmp_path / "live"
    live.write_text("example.com may\n")
    ended = invoke("policy", str(results), "--for", "postfix", "--current", str(live))
    assert lines_of(ended.out) == ["example.com may"]


def test_no_line_replaces_one_of_others_for_all_that_is_below_a_domain(tmp_path: Path) -> None:
    """postconf(5): Postfix looks for the domain itself first, and then for .parent."""
    names = ("a.parent.test", "b.parent.test", "parent.test")
    results = saved(tmp_path / "run.jsonl", *(report(self_signed(), name=name) for name in names))
    live = tmp_path / "live"
    live.write_text(".parent.test secure match=.hoster.test ciphers=high\nb.parent.test encrypt\n")
    ended = invoke("policy", str(results), "--for", "postfix", "--current", str(live))
    assert lines_of(ended.out) == [
        ".parent.test secure match=.hoster.test ciphers=high",
        "b.parent.test encrypt",
        "parent.test encrypt",
    ]


def test_a_result_that_names_no_domain_writes_no_line(tmp_path: Path) -> None:
    """Result files may come from anywhere; a map may not hold what anybody likes."""
    hostile = replace(report(good()), domain="example.com may\n*")
    nothing = replace(report(good()), domain=None)
    results = saved(tmp_path / "run.jsonl", hostile, nothing)
    assert lines_of(invoke("policy", str(results), "--for", "postfix").out) == []


@pytest.mark.parametrize("no_dane", [False, True])
def test_the_levels_of_the_map_can_do_without_dane(no_dane: bool, results: Path) -> None:
    options = ("--no-dane",) if no_dane else ()
    ended = invoke("policy", str(results), "--for", "postfix", *options)
    assert lines_of(ended.out) == ["example.com secure match=nexthop:dot-nexthop"]


@pytest.mark.parametrize(
    ("version", "line"),
    [
        (None, "example.com secure match=.example.com"),
        ("3.10.4", "example.com secure match=.example.com"),
        (
            "3.10.5",
            "example.com secure match=.example.com policy_type=sts policy_domain=example.com"
            " mx_host_pattern=*.example.com",
        ),
    ],
)
def test_the_map_is_for_the_version_of_postfix(
    version: str | None, line: str, tmp_path: Path
) -> None:
    sts = MtaSts(status=StsStatus.ENFORCE, mx=("*.example.com",))
    results = saved(tmp_path / "run.jsonl", replace(report(good()), mta_sts=sts))
    options = ("--postfix-version", version) if version is not None else ()
    ended = invoke("policy", str(results), "--for", "postfix", *options)
    assert (ended.status, lines_of(ended.out)) == (0, [line])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            ("{results}", "--for", "exim", "--postfix-version", "3.10.5"),
            "--postfix-version is for --for postfix only",
            id="version-of-another",
        ),
        pytest.param(
            ("{results}", "--for", "postfix", "--postfix-version", "new"),
            "'new' is not a version of Postfix",
            id="no-version",
        ),
        pytest.param(("missing.jsonl", "--for", "postfix"), "cannot read missing.jsonl", id="none"),
        pytest.param(("-", "-", "--for", "postfix"), "'-' twice", id="stdin-twice"),
        pytest.param(("{junk}", "--for", "postfix"), "junk: line 1: not a report", id="no-results"),
        pytest.param(
            ("{results}", "--for", "postfix", "--current", "missing"),
            "cannot read missing",
            id="no-live-map",
        ),
        pytest.param(
            ("{results}", "--for", "opensmtpd", "--current", "{junk}"), "junk: ", id="no-map"
        ),
        pytest.param(
            ("{results}", "--for", "postfix", "--current", "{bytes}"), "is not UTF-8", id="bytes"
        ),
    ],
)
def test_usage(arguments: tuple[str, ...], message: str, results: Path, tmp_path: Path) -> None:
    (tmp_path / "junk").write_text("junk\n")
    (tmp_path / "bytes").write_bytes(b"\xff")
    paths = {name: str(tmp_path / name) for name in ("junk", "bytes")} | {"results": str(results)}

    ended = invoke("policy", *(each.format(**paths) for each in arguments))

    assert ended.status == 2
    assert message in ended.err


@pytest.mark.parametrize("target", ["nowhere/map", "/dev/full"])
def test_a_map_that_cannot_be_written(target: str, results: Path, tmp_path: Path) -> None:
    ended = invoke("policy", str(results), "--for", "postfix", "-o", str(tmp_path / target))
    assert ended.status == 5
    assert "cannot write" in ended.err


@pytest.mark.parametrize("content", [b"", b"\n\n"])
@pytest.mark.parametrize("others", [(), ("run.jsonl",)], ids=["alone", "beside-others"])
def test_results_without_a_report_touch_no_map(
    results: Path, tmp_path: Path, content: bytes, others: tuple[str, ...]
) -> None:
    empty, live = tmp_path / "empty.jsonl", tmp_path / "live-map"
    empty.write_bytes(content)
    live.write_text("a.test encrypt\n")
    files = [str(tmp_path / name) for name in others]
    ended = invoke("policy", *files, str(empty), "--for", "postfix", "-o", str(live), "--yes")

    assert ended.status == 2
    assert ended.err == f"probe: {empty}: it holds no report\n"
    assert live.read_text() == "a.test encrypt\n"


LINES = "a.test encrypt\nb.test may\nexample.com verify\n"


@pytest.mark.parametrize(
    ("mta", "live", "dropped", "lines"),
    [
        pytest.param("postfix", LINES, 2, 3, id="most"),
        pytest.param("postfix", "# ours\na.test encrypt\n", 1, 1, id="all"),
        pytest.param("exim", "a.test: encrypt\nb.test: may\n", 2, 2, id="exim"),
        pytest.param("csv", "domain,policy\na.test,verify\nb.test,\n", 1, 1, id="csv"),
        pytest.param("opensmtpd", 'table tls_verify { "a.test" }\n', 1, 1, id="opensmtpd"),
        pytest.param("opensmtpd", "root:x:0\nbin:x:1\n", 2, 2, id="no-map"),
    ],
)
def test_a_map_that_drops_most_lines_is_not_written_without_yes(
    results: Path, tmp_path: Path, mta: str, live: str, dropped: int, lines: int
) -> None:
    path = tmp_path / "map"
    path.write_text(live)
    args = ("policy", str(results), "--for", mta, "-o", str(path))
    ended = invoke(*args)

    assert ended.status == 2
    assert f"{path} has {lines} lines, and the new map would drop {dropped} of them" in ended.err
    assert path.read_text() == live
    assert sorted(each.name for each in tmp_path.iterdir()) == ["map", "run.jsonl"]

    assert invoke(*args, "--yes").status == 0
    assert path.read_text() != live


@pytest.mark.parametrize("live", ["", "# nothing\n", "a.test encrypt\nexample.com verify\n"])
def test_a_map_that_keeps_half_is_written(results: Path, tmp_path: Path, live: str) -> None:
    path = tmp_path / "map"
    path.write_text(live)
    assert invoke("policy", str(results), "--for", "postfix", "-o", str(path)).status == 0


def test_a_live_map_is_read_to_its_end_or_refused(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = tmp_path / "map"
    live.write_text("".join(f"a{number}.test verify\n" for number in range(1000)))
    args = ("policy", str(results), "--for", "postfix", "--current", str(live))
    assert "a999.test verify" in lines_of(invoke(*args).out)

    monkeypatch.setattr("prober.cli.policy._MAX_BYTES", 1000)
    ended = invoke(*args, "-o", str(live))
    assert ended.status == 2
    assert f"{live} has more than 1000 bytes" in ended.err
    assert len(lines_of(live.read_text())) == 1000


def test_lines_written_by_hand_are_parsed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def parse(text: str) -> str:
        calls.append(text)
        return parse_domain(text)

    monkeypatch.setattr("prober.policy.base.parse_domain", parse)
    live = tmp_path / "map"
    live.write_text("".join(f"hand{number}.test may\n" for number in range(50)))
    counts = []
    for reports in (1, 20):
        names = [f"d{number}.test" for number in range(reports)]
        results = saved(tmp_path / "run.jsonl", *(report(good(), name=name) for name in names))
        calls.clear()
        invoke("policy", str(results), "--for", "postfix", "--current", str(live))
        counts.append(len(calls))

    assert counts[0] == counts[1]


def recorded(db: str, *endpoints: EndpointFacts) -> str:
    """A record with a run a week."""
    store = open_store(db)
    for week, each in enumerate(endpoints):
        record(store, [report(each, week)])
    store.close()
    return db


def test_the_record_gives_the_runs_in_a_row(tmp_path: Path) -> None:
    db = recorded(str(tmp_path / "probe.db"), good(), good(), good())

    enough = invoke("policy", "--db", db, "--for", "postfix", "--require-runs", "3")
    assert lines_of(enough.out) == ["example.com secure match=nexthop:dot-nexthop"]
    more = invoke("policy", "--db", db, "--for", "postfix", "--require-runs", "4")
    assert lines_of(more.out) == []
    assert "written by" in enough.out.lower()


@pytest.mark.parametrize(
    ("runs", "lines"),
    [
        pytest.param([good(), untested(), untested()], 1, id="could-not-look"),
        pytest.param([NEGATIVE, untested()], 1, id="lost-once-then-could-not-look"),
        pytest.param([NEGATIVE, NEGATIVE], 0, id="lost-twice"),
    ],
)
def test_a_run_that_could_not_look_loosens_nothing(
    tmp_path: Path, runs: list[EndpointFacts], lines: int
) -> None:
    db = recorded(str(tmp_path / "probe.db"), *runs)
    live = tmp_path / "map"
    live.write_text("example.com encrypt\n")
    loosen = ("--current", str(live), "--loosen-runs", "2")

    ended = invoke("policy", "--db", db, "--for", "postfix", *loosen)
    assert len(lines_of(ended.out)) == lines


@pytest.mark.parametrize("source", ["file", "record"])
@pytest.mark.parametrize(
    ("options", "lines", "left_out"),
    [
        pytest.param((), ["new.test encrypt", "old.test encrypt"], 0, id="all"),
        pytest.param(("--max-age", "30"), ["live.test encrypt", "new.test encrypt"], 2, id="new"),
        pytest.param(("--max-age", "900"), ["new.test encrypt", "old.test encrypt"], 0, id="long"),
    ],
)
def test_results_that_are_too_old_do_not_count(
    source: str, options: tuple[str, ...], lines: list[str], left_out: int, tmp_path: Path
) -> None:
    """They write no line, and loosen none."""
    now = datetime.now(UTC).replace(microsecond=0)
    ages = {"new.test": (1, self_signed()), "old.test": (400, self_signed())}
    ages["live.test"] = (400, NEGATIVE)
    reports = [
        replace(report(endpoint, name=name), checked_at=now - timedelta(days=days))
        for name, (days, endpoint) in ages.items()
    ]
    db = str(tmp_path / "probe.db")
    store = open_store(db)
    record(store, reports)
    store.close()
    file = saved(tmp_path / "run.jsonl", *reports)
    read = ["--db", db] if source == "record" else [str(file)]
    live = tmp_path / "live"
    live.write_text("live.test encrypt\n")
    arguments = ("--for", "postfix", "--current", str(live), "--loosen-runs", "1")
    ended = invoke("policy", *read, *arguments, *options)
    assert lines_of(ended.out) == lines
    assert (f"probe: {left_out} results are from before " in ended.err) == bool(left_out)


def test_neither_results_nor_a_record() -> None:
    ended = invoke("policy", "--for", "postfix")

    assert ended.status == 2
    assert "name files of results, or a record with --db" in ended.err


def test_a_record_without_a_run(tmp_path: Path) -> None:
    db = str(tmp_path / "probe.db")
    ended = invoke("policy", "--for", "postfix", "--db", db)
    assert (ended.status, "there is no record at" in ended.err) == (2, True)

    ended = invoke("policy", "--for", "postfix", "--db", recorded(db))
    assert (ended.status, "no finished run is in it" in ended.err) == (2, True)
