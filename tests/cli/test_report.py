"""``probe report``: saved results, judged again by today's rules, in every format."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prober.domain_list import STDIN
from prober.records import (
    Answer,
    Code,
    DomainReport,
    Level,
    Reason,
    Route,
    RouteStatus,
    Standing,
    finding,
)
from prober.report.json_ import encode_report
from prober.rules.profiles import PROFILES
from prober.rules.standing import assess
from prober.rules.verdict import judge_domain
from prober.version import __version__
from tests.cli.commands import Probe, invoke
from tests.rules.certificates import issue
from tests.support.builders import MX, completed, confirmed, domain, not_offered

CHAIN = (issue(MX, by=issue("ca.example")).der,)
AGAIN = f"of probe 0 judged again by probe {__version__}"


def good(name: str = "good.test", **fields: Any) -> DomainReport:
    seen = completed(chain=CHAIN, path=(0,))
    return saved(judge_domain(domain(seen, domain=name, input=name, **fields)))


def clear(name: str = "clear.test", **fields: Any) -> DomainReport:
    facts = domain(confirmed(not_offered()), domain=name, input=name, **fields)
    return saved(judge_domain(facts))


def saved(report: DomainReport) -> DomainReport:
    """*report* as a scan without ``--require`` writes it."""
    return assess(report, Level.OPPORTUNISTIC)


def otherwise(report: DomainReport) -> DomainReport:
    """*report* as other rules judged it: a lower level, another finding, and it fell short."""
    return replace(
        report,
        verdict=replace(report.verdict, level=Level.PARTIAL),
        standing=Standing.FALLS_SHORT,
        findings=(finding(Code.BARE_LF, mx_host=MX),),
    )


def write(path: Path, *reports: DomainReport) -> str:
    path.write_bytes(b"".join(encode_report(each) + b"\n" for each in reports))
    return str(path)


@pytest.fixture
def results(tmp_path: Path) -> str:
    """A file of one run: one domain that passes, and one that does not."""
    return write(tmp_path / "run.jsonl", good(), clear())


def test_one_result_is_shown_in_full(tmp_path: Path) -> None:
    ended = invoke("report", write(tmp_path / "run.jsonl", good()))

    assert ended.status == 0
    assert ended.out.startswith("good.test: PASS")
    assert "mx.example.com" in ended.out
    assert ended.err.splitlines()[0] == f"probe: 1 result {AGAIN}: nothing differs"


def test_several_results_are_a_list_with_a_summary(results: str) -> None:
    ended = invoke("report", results)

    lines = ended.out.splitlines()
    assert ended.status == 1
    assert [line.split()[:3] for line in lines[:2]] == [
        ["PASS", "authenticated", "good.test"],
        ["FAIL", "none", "clear.test"],
    ]
    assert "2 domains: 1 PASS, 1 FAIL." in lines
    assert ended.err.splitlines() == [
        f"probe: 2 results {AGAIN}: nothing differs",
        "probe: 2 domains: 1 PASS, 1 FAIL",
    ]


def test_verbose_shows_each_of_several_in_full(results: str) -> None:
    out = invoke("report", results, "--verbose").out
    assert "\ngood.test: PASS" in f"\n{out}"
    assert "\nclear.test: FAIL" in out


def test_every_format_has_every_result(results: str, tmp_path: Path) -> None:
    names = ("r.csv", "r.jsonl", "r.json", "r.txt")
    outputs = [part for name in names for part in ("-o", str(tmp_path / name))]
    ended = invoke("report", results, *outputs)

    assert (ended.status, ended.out) == (1, "")
    for name in names:
        text = (tmp_path / name).read_text()
        assert text.index("good.test") < text.index("clear.test")


def test_details_are_for_as_many_as_asked_for(results: str, tmp_path: Path) -> None:
    target = tmp_path / "r.html"
    invoke("report", results, "-o", str(target), "--detail", "1")
    assert target.read_bytes().count(b'<div class="section">') == 1
    assert invoke("report", results, "-o", str(target), "--detail", "-1").status == 2


def test_a_result_in_json_is_the_record_that_was_saved(results: str) -> None:
    ended = invoke("report", results, "-f", "jsonl")
    assert ended.out == Path(results).read_text()
    assert invoke("report", STDIN, "-f", "jsonl", stdin=ended.out.encode()).out == ended.out


def test_pretty_json_is_read_too(results: str, tmp_path: Path) -> None:
    pretty = tmp_path / "run.json"
    invoke("report", results, "-o", str(pretty))
    assert invoke("report", str(pretty), "-f", "jsonl").out == Path(results).read_text()


def test_a_row_per_endpoint(results: str) -> None:
    ended = invoke("report", results, "-f", "csv", "--per-endpoint")
    rows = list(csv.DictReader(ended.out.splitlines()))
    assert [(row["domain"], row["mx_host"]) for row in rows] == [
        ("good.test", MX),
        ("clear.test", MX),
    ]


def test_results_are_judged_again_and_what_differs_is_told(tmp_path: Path) -> None:
    file = write(tmp_path / "run.jsonl", otherwise(good()), good("same.test"))
    ended = invoke("report", file, "-f", "jsonl")

    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert [row["verdict"]["level"] for row in rows] == ["authenticated", "authenticated"]
    assert [row["standing"] for row in rows] == ["meets", "meets"]
    assert ended.err.splitlines()[:2] == [
        f"probe: 2 results {AGAIN}: level or standing differs for 1",
        "probe: good.test: was partial, FAIL; is authenticated, PASS; no longer: bare-lf",
    ]


def test_quiet_tells_only_who_does_not_pass(tmp_path: Path, results: str) -> None:
    well = write(tmp_path / "well.jsonl", otherwise(good()))

    assert invoke("report", well, "-q").err == ""
    told = invoke("report", results, "-q").err.splitlines()
    assert told[0] == "probe: 2 domains: 1 PASS, 1 FAIL"
    assert told[1].startswith("probe: clear.test: FAIL.")
    assert len(told) == 2


@pytest.mark.parametrize(
    ("options", "status", "requirement", "standing"),
    [
        ((), 0, "opportunistic", "meets"),
        (("--require", "enforced"), 3, "enforced", "undecided"),
        (("--profile", "hipaa"), 0, "profile:hipaa", "meets"),
    ],
)
def test_results_are_held_to_what_is_required_now(
    tmp_path: Path, options: tuple[str, ...], status: int, requirement: str, standing: str
) -> None:
    seen = completed(chain=CHAIN, path=(0,), key_exchange="secp256r1")
    report = saved(judge_domain(domain(seen)))
    ended = invoke("report", write(tmp_path / "run.jsonl", report), "-f", "jsonl", *options)

    row = json.loads(ended.out)
    assert (ended.status, row["requirement"], row["standing"]) == (status, requirement, standing)
    assert (row["profile_ratings"] is not None) is ("--profile" in options)
    other = "nothing differs; 1 had another requirement or none: its standing was not compared"
    told = "nothing differs" if not options else other
    assert ended.err.splitlines()[0] == f"probe: 1 result {AGAIN}: {told}"


def test_several_files_are_read_in_order_and_each_record_is_reported(
    tmp_path: Path, results: str
) -> None:
    later = write(tmp_path / "later.jsonl", clear("good.test"), good("new.test"))
    ended = invoke("report", results, later, "-f", "csv")

    rows = list(csv.DictReader(ended.out.splitlines()))
    assert [(row["domain"], row["level"]) for row in rows] == [
        ("good.test", "authenticated"),
        ("clear.test", "none"),
        ("good.test", "none"),
        ("new.test", "authenticated"),
    ]


def test_the_columns_of_the_lists_and_the_given_server_are_kept(tmp_path: Path) -> None:
    first = write(tmp_path / "1.jsonl", saved(judge_domain(domain())), good(columns={"owner": "A"}))
    later = write(tmp_path / "2.jsonl", good("b.test", columns={"owner": "B", "=state": "CA"}))
    ended = invoke("report", first, later, "-f", "csv")

    rows = list(csv.DictReader(ended.out.splitlines()))
    assert [(row["list_owner"], row["list_=state"]) for row in rows] == [
        ("", ""),
        ("A", ""),
        ("B", "CA"),
    ]
    assert "(owner: A)" in invoke("report", first, later).out


def test_columns_from_stdin(tmp_path: Path) -> None:
    stdin = encode_report(good(columns={"owner": "A"}))
    out = invoke("report", "-", "-f", "csv", stdin=stdin).out
    assert [row["list_owner"] for row in csv.DictReader(out.splitlines())] == ["A"]


def test_too_many_columns_are_refused(tmp_path: Path) -> None:
    columns = {f"c{number}": "" for number in range(1_001)}
    ended = invoke("report", write(tmp_path / "r.jsonl", good(columns=columns)), "-f", "csv")
    assert (ended.status, ended.out) == (2, "")
    assert "more than 1000 columns" in ended.err


def test_fields_that_an_older_version_did_not_write_may_be_missing(results: str) -> None:
    rows = [json.loads(line) for line in Path(results).read_text().splitlines()]
    for row in rows:
        for name in ("columns", "server", "delivery", "requirement", "standing", "reasons"):
            del row[name]
    old = "".join(f"{json.dumps(row)}\n" for row in rows).encode()

    ended = invoke("report", "-", "-f", "jsonl", stdin=old)
    assert ended.out == Path(results).read_text()
    assert "2 had another requirement or none: their standing was not compared" in ended.err


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"", "it holds no report", id="empty"),
        pytest.param(
            b"example.com\nexample.org\n",
            "line 1: not a report: this is not a JSON object; results are JSON",
            id="a-list",
        ),
        pytest.param(
            b"domain,level\na.test,none\n",
            "reports in other formats cannot be read again",
            id="a-csv-report",
        ),
        pytest.param(b'{"domain": "a.test"}\n', "line 1: not a report", id="other-json"),
        pytest.param(b'{"schema": 99}\n', "line 1: schema 99 was written by another", id="schema"),
        pytest.param(b"\x1f\x8b\x08\x00" * 9, "is gzip data; results are JSON lines", id="gzip"),
    ],
)
@pytest.mark.parametrize("format_", ["text", "csv"])
def test_a_file_that_holds_no_results_is_refused(
    tmp_path: Path, content: bytes, why: str, format_: str
) -> None:
    file, output = tmp_path / "file", tmp_path / "out.txt"
    file.write_bytes(content)
    output.write_text("an older report")
    ended = invoke("report", str(file), "-o", str(output), "-f", format_)

    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith(f"probe: {file}")
    assert why in ended.err
    assert ended.err.count("\n") == 1
    assert output.read_text() == "an older report"


def test_a_fault_in_the_middle_names_its_line_and_leaves_the_older_report(
    tmp_path: Path, results: str
) -> None:
    with open(results, "ab") as file:
        file.write(b'{"schema": 1, "inp\n')
    output = tmp_path / "r.csv"
    output.write_text("an older report")
    ended = invoke("report", results, "-o", str(output))

    assert ended.status == 2
    assert f"{results}: line 3: not a report" in ended.err
    assert output.read_text() == "an older report"


@pytest.mark.parametrize("file", ["none.jsonl", "."])
def test_a_file_that_cannot_be_read_is_usage(tmp_path: Path, file: str) -> None:
    ended = invoke("report", str(tmp_path / file))
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith(f"probe: cannot read {tmp_path / file}")


def test_stdin_can_be_read_once() -> None:
    assert invoke("report", "-", "-") == invoke("report", "-", "-", stdin=b"{}")
    assert "stdin can be read only once" in invoke("report", "-", "-").err


@pytest.mark.parametrize("output", ["run.jsonl", "link.jsonl"])
def test_no_file_of_results_is_overwritten(tmp_path: Path, results: str, output: str) -> None:
    (tmp_path / "link.jsonl").symlink_to(results)
    before = Path(results).read_bytes()
    ended = invoke("report", results, "-o", str(tmp_path / output))

    assert ended.status == 2
    assert "is a file of results, and the report would overwrite it" in ended.err
    assert Path(results).read_bytes() == before


def test_results_of_a_machine_that_saw_nothing_do_not_hide_the_others(tmp_path: Path) -> None:
    nothing = Route(status=RouteStatus.DNS_ERROR, reason=Reason.NO_NAMESERVER)
    blind = [
        saved(judge_domain(domain(domain=f"d{number}.test", route=nothing))) for number in range(30)
    ]
    ended = invoke("report", write(tmp_path / "run.jsonl", *blind, good()), "-f", "csv")

    assert ended.status == 3
    assert len(ended.out.splitlines()) == 32


def test_certificates_that_end_soon_are_listed(tmp_path: Path) -> None:
    file = write(tmp_path / "run.jsonl", good(), good("b.test"))
    title = "Certificates that end soon:"
    assert title not in invoke("report", file, "--expires-soon", "0").out
    assert title in invoke("report", file, "--expires-soon", "36500").out


def test_a_result_that_a_rule_fails_on_costs_that_domain_only(
    monkeypatch: pytest.MonkeyPatch, results: str
) -> None:
    def judge(facts: Any, reader: Any) -> DomainReport:
        if facts.domain == "good.test":
            raise ValueError("a fault of a rule")
        return judge_domain(facts, reader)

    monkeypatch.setattr("prober.faults.judge_domain", judge)
    ended = invoke("report", results, "-f", "csv")

    assert ended.status == 70
    levels = {row["domain"]: row["level"] for row in csv.DictReader(ended.out.splitlines())}
    assert levels == {"good.test": "unknown", "clear.test": "none"}


def test_every_profile_can_be_asked_for(results: str) -> None:
    for name in PROFILES:
        rows = invoke("report", results, "--profile", name, "-f", "jsonl").out.splitlines()
        assert [json.loads(row)["requirement"] for row in rows] == [f"profile:{name}"] * 2


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("options", [(), ("--profile", "hipaa")], ids=["a-level", "a-profile"])
async def test_what_a_scan_has_just_written_is_judged_the_same(
    probe: Probe, tmp_path: Path, options: tuple[str, ...]
) -> None:
    outputs = {name: tmp_path / name for name in ("r.jsonl", "r.csv", "r.txt", "again.txt")}
    table = "owner,domain\nAnn,good.test\nBob,no domain\nEve,clear.test\nDan,self-signed.test\n"
    args = ("-", "--column", "domain", "--ordered", *options)
    args += (
        "-o",
        str(outputs["r.jsonl"]),
        "-o",
        str(outputs["r.csv"]),
        "-o",
        str(outputs["r.txt"]),
    )
    scanned = await probe.scan(*args, stdin=table.encode())

    results = str(outputs["r.jsonl"])
    again = await probe.run("report", results, *options, "-o", str(outputs["again.txt"]))
    assert again.status == scanned.status
    assert f"4 results of probe {__version__} judged again by" in again.err
    assert ": nothing differs\n" in again.err
    assert outputs["again.txt"].read_text() == outputs["r.txt"].read_text()
    for format_ in ("jsonl", "csv"):
        shown = await probe.run("report", results, *options, "-f", format_)
        assert shown.out == outputs[f"r.{format_}"].read_text()


def test_the_answers_of_the_samples_are_proven() -> None:
    (endpoint,) = good().endpoints
    assert endpoint.certificate is not None
    assert endpoint.certificate.trusted is Answer.YES


def test_one_result_of_a_machine_that_saw_nothing_is_explained(tmp_path: Path) -> None:
    nothing = Route(status=RouteStatus.DNS_ERROR, reason=Reason.NO_NAMESERVER)
    file = write(tmp_path / "run.jsonl", saved(judge_domain(domain(route=nothing))))
    ended = invoke("report", file, "-q", "-f", "jsonl")

    assert ended.status == 4
    assert "no nameserver answers: this says nothing about the domains" in ended.err


EXCEPTION = """
[[exception]]
domain = "{domain}"
what = "none"
why = "New server in March"
by = "J. Doe"
until = {until}
"""


def exceptions(path: Path, domain: str = "clear.test", until: str = "2099-12-31") -> str:
    path.write_text(EXCEPTION.format(domain=domain, until=until))
    return str(path)


def test_exceptions_are_given_to_saved_results(results: str, tmp_path: Path) -> None:
    target, file = tmp_path / "r.jsonl", exceptions(tmp_path / "exceptions.toml")
    ended = invoke("report", results, "--exceptions", file, "-o", str(target))

    assert ended.status == 0
    assert "2 domains: 1 PASS, 1 FAIL (1 accepted)" in ended.err
    found = [json.loads(line) for line in target.read_text().splitlines()]
    assert [each["accepted"] and each["accepted"]["by"] for each in found] == [None, "J. Doe"]
    assert found[1]["standing"] == "falls-short"


def test_results_keep_the_exceptions_that_they_were_saved_with(
    results: str, tmp_path: Path
) -> None:
    """They are judged again; a file of exceptions counts before them."""
    target, file = str(tmp_path / "r.jsonl"), tmp_path / "exceptions.toml"
    invoke("report", results, "--exceptions", exceptions(file), "-o", target)

    kept = invoke("report", target)
    assert kept.status == 0
    assert "accepted: level none until 2099-12-31, by J. Doe: New server in March" in kept.out
    ended = invoke("report", target, "--exceptions", exceptions(file, until="2020-01-01"))
    assert ended.status == 1
    assert "clear.test: NOT ACCEPTED. The exception by J. Doe ended on 2020-01-01." in ended.err


def test_exceptions_on_no_domain_of_the_results_are_named(results: str, tmp_path: Path) -> None:
    file = exceptions(tmp_path / "exceptions.toml", domain="cleer.test")
    said = "exceptions on domains that are not in the results: cleer.test"
    assert said in invoke("report", results, "--exceptions", file).err
    some = invoke("report", results, "--exceptions", file, "--domain", "good.test")
    assert "cleer.test" not in some.err


def test_a_file_of_exceptions_is_not_overwritten(results: str, tmp_path: Path) -> None:
    file = exceptions(tmp_path / "exceptions.toml")
    ended = invoke("report", results, "--exceptions", file, "-o", file)
    assert ended.status == 2
    assert "the file of exceptions" in ended.err
