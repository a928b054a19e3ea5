"""The formats of `probe headers`, the files it writes, and its exit status."""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from prober.cli.headers import headers, status_of
from prober.errors import ReportError
from prober.headers import summary as summary_module
from prober.headers.join import DECISIONS
from prober.headers.records import (
    Basis,
    HopProbe,
    Judgement,
    MessageReport,
    MessageVerdict,
    Offer,
    RemarkKind,
    Requirement,
    TlsStatement,
)
from prober.headers.rows import (
    HOP_COLUMNS,
    MESSAGE_COLUMNS,
    SUMMARY_COLUMNS,
    encode_message,
    to_object,
)
from prober.headers.summary import OTHERS, Summary
from prober.headers.tables import SHIPPED_HABITS
from prober.headers.text import (
    HeadersText,
    messages,
    next_steps,
    verdict_words,
)
from prober.records import Standing
from prober.report.interface import Paper
from prober.report.output import open_report
from prober.rules.exit_status import (
    INTERRUPTED,
    MEETS_ALL,
    SOME_FALL_SHORT,
    SOME_INVALID,
    SOME_UNDECIDED,
)
from tests.headers.builders import TLS, judge, line, message
from tests.headers.test_judge import ANOTHER_BY_PROOFPOINT, LUXSCI

DOCS = Path(__file__).parents[2] / "docs" / "headers.md"
app = typer.Typer(pretty_exceptions_enable=False)
app.command()(headers)

ENCRYPTED = line("out.example.net", tls=TLS)
CLEAR = line(software="(Postfix)")
BELOW = line("pc.example.org", "198.51.100.7", by="out.example.net", software="(Postfix)")
SILENT = line(by="silent.example.org")
HOSTILE = line("=cmd\x1b[2J\u202e", by="mx.example.com", tls=TLS)


def eml(*received: str, name: str = "1@example.net") -> bytes:
    fields = "".join(f"Received: {text}\n" for text in received)
    return f"{fields}From: a@example.net\nMessage-ID: <{name}>\n\nbody\n".encode()


def invoke(*args: str, stdin: bytes = b"") -> tuple[int, str, str]:
    env = {"COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"}
    result = CliRunner().invoke(app, list(args), input=stdin, env=env)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def mbox(*messages: bytes) -> bytes:
    return b"".join(b"From a@b 12:00\n" + one + b"\n" for one in messages)


@pytest.mark.parametrize(
    ("lines", "require", "status"),
    [
        ([ENCRYPTED], None, MEETS_ALL),
        ([CLEAR], None, SOME_FALL_SHORT),
        ([SILENT], None, SOME_UNDECIDED),
        ([ENCRYPTED, BELOW], "border", MEETS_ALL),
        ([ENCRYPTED, BELOW], "as-claimed", SOME_FALL_SHORT),
        ([ENCRYPTED, line("x.example.org", by="out.example.net", tls=TLS)], None, MEETS_ALL),
        (
            [ENCRYPTED, line("x.example.org", by="out.example.net", tls=TLS)],
            *("encrypted", SOME_UNDECIDED),
        ),
    ],
)
def test_the_exit_status(lines: list[str], require: str | None, status: int) -> None:
    options = ["--require", require] if require else []

    assert invoke("-", *options, stdin=eml(*lines))[0] == status


@pytest.mark.parametrize(
    ("standings", "status"),
    [
        (set(), MEETS_ALL),
        ({Standing.MEETS}, MEETS_ALL),
        (set(Standing), SOME_FALL_SHORT),
        (set(Standing) - {Standing.FALLS_SHORT}, SOME_INVALID),
        ({Standing.MEETS, Standing.UNDECIDED}, SOME_UNDECIDED),
    ],
)
def test_the_first_status_that_applies(standings: set[Standing], status: int) -> None:
    assert status_of(standings) == status


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["/no/such/file"], "cannot read"),
        (["--trusted-by", "*", "-"], "--trusted-by"),
        (["--probe", "--recipient", "not a domain", "-"], "--recipient"),
        (["-o", "out.unknown", "-"], "no format"),
    ],
)
def test_what_cannot_work_is_said_on_stderr(args: list[str], message: str) -> None:
    status, out, err = invoke(*args, stdin=eml(ENCRYPTED))

    assert (status, out) == (2, "")
    assert message in err


def test_a_lone_message_is_shown_hop_by_hop() -> None:
    status, out, _ = invoke("-", stdin=eml(line("localhost", "127.0.0.1"), ENCRYPTED, BELOW))

    assert status == SOME_FALL_SHORT
    assert out.startswith("probably not encrypted at hop 2, as claimed\n")
    for words in ("out.example.net [192.0.2.1] -> mx.example.com", "on one host", "TLSv1.3"):
        assert words in out
    assert "messages:" not in out


def test_many_messages_are_a_line_each_and_a_summary() -> None:
    data = mbox(*(eml(text, name=str(n)) for n, text in enumerate([ENCRYPTED, CLEAR, SILENT])))

    _, out, _ = invoke("-", stdin=data)

    lines = out.splitlines()
    assert lines[0] == "encrypted  <0>"
    assert lines[1].startswith("probably not encrypted at hop 0  <1>  ")
    assert lines[2].startswith("unknown at hop 0  <2>  ")
    assert lines[4] == "3 messages: 1 encrypted, 1 not-encrypted, 1 unknown"
    assert "TLSv1.3=1" in out


def test_hops_of_every_message_and_the_summary_alone() -> None:
    data = mbox(eml(ENCRYPTED), eml(CLEAR))

    assert invoke("-", "--per-hop", stdin=data)[1].count("->") == 2
    undated = line("out.example.net", tls=TLS, date="yesterday")
    assert "note: no-date at hop 0" in invoke("-", stdin=eml(undated))[1]
    cut = judge(ENCRYPTED, received_left_out=1)
    page = HeadersText(Paper(), per_hop=True)
    assert b"note: too-many-lines: 1 lines" in page.body(cut)
    assert invoke("-", "--summary", stdin=data)[1].lstrip().startswith("2 messages:")
    assert "\nmx.example.com" not in invoke("-", "--summary", stdin=data)[1]


def test_json_has_the_fields_of_the_issue() -> None:
    _, out, _ = invoke(
        "-",
        "-f",
        "jsonl",
        stdin=eml(ENCRYPTED, line("x.example.org", "198.51.100.7", by="out.example.net")),
    )
    message = json.loads(out)

    assert {key: message[key] for key in ("schema", "message_id", "file", "verdict")} == {
        "schema": 1,
        "message_id": "<1@example.net>",
        "file": "stdin",
        "verdict": "unknown",
    }
    hop = message["hops"][0]
    assert hop | {"index": 0} == hop
    wanted = "index by from with id date tls protocol protocol_as_written cipher cipher_iana bits"
    wanted += " key_exchange software trust judgement basis reason"
    assert set(wanted.split()) <= set(hop)
    assert set(hop["from"]) == {"helo", "name", "address"}
    assert (hop["tls"], hop["protocol"], hop["date"]) == (
        "stated",
        "TLSv1.3",
        "2024-01-01T00:00:00Z",
    )
    assert message["hops"][1]["protocol"] is None


def test_pretty_json_is_the_same() -> None:
    data = eml(ENCRYPTED)

    pretty = invoke("-", "-f", "json", stdin=data)[1]

    assert json.loads(pretty) == json.loads(invoke("-", "-f", "jsonl", stdin=data)[1])
    assert pretty.count("\n") > 10


def rows(*args: str, stdin: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(invoke("-", "-f", "csv", *args, stdin=stdin)[1])))


def test_csv_has_a_row_a_message_or_a_hop_or_a_group() -> None:
    data = mbox(eml(ENCRYPTED, BELOW), eml(name="none"))

    of_messages = rows(stdin=data)
    of_hops = rows("--per-hop", stdin=data)
    of_groups = rows("--summary", stdin=data)

    assert tuple(of_messages[0]) == MESSAGE_COLUMNS
    assert [row["verdict"] for row in of_messages] == ["not-encrypted", "unknown"]
    assert (of_messages[0]["at_hop"], of_messages[0]["as_claimed"]) == ("1", "yes")
    assert tuple(of_hops[0]) == HOP_COLUMNS
    assert [(row["hop"], row["judgement"]) for row in of_hops] == [
        ("0", "encrypted"),
        ("1", "not-encrypted"),
        ("", ""),
    ]
    assert of_hops[2]["reason"] == "the message has no Received field"
    assert tuple(of_groups[0]) == SUMMARY_COLUMNS
    assert of_groups[0]["name"] == "example.net"
    kinds = ["sending-domain", "receiving-server", "receiving-server"]
    assert [row["kind"] for row in of_groups] == kinds


def test_a_summary_in_json() -> None:
    out = invoke("-", "-f", "json", "--summary", stdin=mbox(eml(ENCRYPTED), eml(CLEAR)))[1]
    counted = json.loads(out)

    assert counted["messages"] == 2
    assert counted["verdicts"] == {"encrypted": 1, "not-encrypted": 1}
    server = counted["groups"][1]
    assert (server["name"], server["share_encrypted"]) == ("mx.example.com", 0.5)
    assert server["tls_versions"] == {"TLSv1.3": 1}


@pytest.mark.parametrize("format_", ["text", "json", "jsonl", "csv"])
@pytest.mark.parametrize("option", [None, "--per-hop"])
def test_hostile_text_does_no_harm(format_: str, option: str | None) -> None:
    data = eml(HOSTILE, name="=1+1\x1b[31m\u202e")

    _, out, _ = invoke("-", "-f", format_, *([option] if option else []), stdin=data)

    assert "\x1b" not in out
    assert "\u202e" not in out
    assert not re.search(r"(?m)(^|,)[=+@]", out)


def test_a_lone_surrogate_is_escaped() -> None:
    report = judge(line("caf\udce9", tls=TLS), message_id="\udce9\x7f")

    assert encode_message(report).isascii()
    assert json.loads(encode_message(report))["message_id"] == "\udce9\x7f"


def test_a_file_appears_whole_and_beside_others(tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.jsonl"

    status, out, _ = invoke("-", "-o", str(first), "-o", str(second), stdin=eml(ENCRYPTED))

    assert (status, out) == (0, "")
    assert first.read_text().startswith("file,")
    assert json.loads(second.read_text())["verdict"] == "encrypted"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.jsonl"]


def test_a_run_that_fails_leaves_the_older_report(tmp_path: Path) -> None:
    report = tmp_path / "a.csv"
    report.write_text("older")

    writer = open_report(str(report), messages(per_hop=False), Summary())
    writer.__enter__()
    writer.write(judge(ENCRYPTED))
    writer.__exit__(RuntimeError, RuntimeError(), None)

    assert report.read_text() == "older"
    assert (tmp_path / "a.csv.partial").read_text().startswith("file,")


def test_an_interrupted_run_says_where_its_rows_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> Iterator[MessageReport]:
        yield judge(ENCRYPTED)
        raise KeyboardInterrupt

    report = tmp_path / "a.csv"
    (tmp_path / "a.csv.partial").write_text("older\n")
    monkeypatch.setattr("prober.cli.headers.infer", interrupted)

    status, _, err = invoke("-", "-o", str(report), stdin=eml(ENCRYPTED))

    assert status == INTERRUPTED
    assert f"rows of an earlier run that did not finish are in {report}.partial.1" in err
    assert f"not finished; what was seen is in {report}.partial" in err
    assert not report.exists()


def test_a_closed_stdout_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)

    with pytest.raises(ReportError, match="closed"):
        open_report("-", messages(per_hop=False), Summary())


def test_habits_are_kept_between_runs(tmp_path: Path) -> None:
    habits = str(tmp_path / "habits.json")
    other = line(by="silent.example.org", tls=TLS)

    assert invoke("-", "--habits", habits, stdin=eml(SILENT))[0] == SOME_UNDECIDED
    assert invoke("-", "--habits", habits, stdin=eml(other))[0] == MEETS_ALL
    assert invoke("-", "--habits", habits, stdin=eml(SILENT))[0] == SOME_FALL_SHORT


def test_trusted_by_moves_the_boundary() -> None:
    below = line("x.example.org", by="out.example.net", tls=TLS)
    options = ["--trusted-by", "example.com", "--trusted-by", "out.example.net"]

    out = invoke("-", "-f", "jsonl", *options, stdin=eml(ENCRYPTED, below))[1]

    assert [hop["trust"] for hop in json.loads(out)["hops"]] == ["trusted", "trusted"]
    assert json.loads(out)["as_claimed"] is False


def test_probing_asks_nobody_but_the_resolver_given() -> None:
    options = ["--probe", "--resolver", "255.255.255.255", "--ehlo-name", "probe.test"]

    status, out, _ = invoke("-", *options, stdin=eml(ENCRYPTED))

    assert status == MEETS_ALL
    assert "could not be tested now" in " ".join(out.split())


def test_many_names_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary_module, "MAX_NAMES", 1)
    summary = Summary()

    for number in range(3):
        summary.add(judge(ENCRYPTED, sender_domain=f"d{number}.example"))

    assert {name: counts.total for name, counts in summary.senders.items()} == {
        "d0.example": 1,
        OTHERS: 2,
    }


def test_many_groups_are_cut_in_the_text() -> None:
    messages = [
        eml(ENCRYPTED).replace(b"From: a@example.net", f"From: a@d{number}.example".encode())
        for number in range(30)
    ]

    assert "and 10 more" in invoke("-", stdin=mbox(*messages))[1]


def section(heading: str) -> str:
    pages: list[str] = re.split(r"^## ", DOCS.read_text(), flags=re.M)
    [found] = [page for page in pages if page.startswith(heading + "\n")]
    return found


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("What each verdict means", [str(word) for word in MessageVerdict]),
        ("What each verdict means", [str(word) for word in (*Judgement, *Basis)]),
        ("JSON", [str(word) for word in (*TlsStatement, *RemarkKind)]),
        ("CSV", [*MESSAGE_COLUMNS, *HOP_COLUMNS, *SUMMARY_COLUMNS]),
        ("Habits", list(SHIPPED_HABITS)),
        ("Exit status", [str(word) for word in Requirement]),
        ("What a probe adds", [code for code, _ in DECISIONS.values()]),
    ],
)
def test_the_page_describes_every_word(heading: str, words: list[str]) -> None:
    text = section(heading)

    assert [word for word in words if f"`{word}`" not in text] == []


def keys(value: Any) -> set[str]:
    match value:
        case dict():
            return set(value) | {key for item in value.values() for key in keys(item)}
        case list():
            return {key for item in value for key in keys(item)}
        case _:
            return set()


def test_the_page_describes_every_key_of_the_json() -> None:
    report = judge(ENCRYPTED, line("x.example.org", by="other.example"))

    text = section("JSON")

    assert [
        key
        for key in sorted(keys(msgspec.to_builtins(to_object(report))))
        if f"`{key}`" not in text
    ] == []


def test_the_page_shows_the_decision_table() -> None:
    text = section("What a probe adds")

    for (judgement, offer), (code, _) in DECISIONS.items():
        assert re.search(rf"(?m)^\| {judgement} \| {offer} \| `{code}` \|", text)


def test_the_worked_example_of_the_page_ends_as_documented() -> None:
    page = DOCS.read_text()
    [block] = re.findall(r"(?s)```\n(Received: from abc.*?)```", page)
    lines = [" ".join(text.split()) for text in block.split("Received: ")[1:]]
    table = re.findall(r"(?m)^\| (\d) \| `([a-z-]+)` \|", page)

    report = judge(*lines, learnt_from=(message(ANOTHER_BY_PROOFPOINT),))

    assert lines == [" ".join(text.split()) for text in LUXSCI]
    assert [(str(hop.index), hop.judgement.value) for hop in report.hops] == table
    assert verdict_words(report) == "probably not encrypted at hop 4, as claimed"
    assert f"*{verdict_words(report)}*" in page
    trusted = re.findall(r"--trusted-by (\S+?)`? ", page.partition("is *unknown*")[2])[:3]
    named = judge(*lines, learnt_from=(message(ANOTHER_BY_PROOFPOINT),), trusted_by=tuple(trusted))
    assert verdict_words(named) == "probably not encrypted at hop 4"


def test_the_text_tells_how_hops_are_numbered_and_which_one_crosses_a_border() -> None:
    out = " ".join(invoke("-", stdin=eml(ENCRYPTED, BELOW))[1].split())

    assert "numbered from the recipient: 0 is the newest" in out
    assert "* 0 encrypted" in out
    assert "* marks a hop from one organisation to another" in out
    assert "claimed: written outside your provider" in out
    assert "headers never show how the sender submitted the message" in out


@pytest.mark.parametrize(
    ("lines", "step"),
    [
        ([SILENT], "read more mail that silent.example.org received"),
        ([SILENT], "add --probe"),
        ([ENCRYPTED, BELOW], "--trusted-by mx.example.com --trusted-by out.example.net"),
        ([line("gw", "198.51.100.9", tls=TLS), BELOW], "--trusted-by 198.51.100.9"),
    ],
)
def test_the_text_tells_what_to_do_next(lines: list[str], step: str) -> None:
    assert step in " ".join(invoke("-", stdin=eml(*lines))[1].split())


@pytest.mark.parametrize(
    "lines", [(ENCRYPTED, BELOW), (line("gw", "198.51.100.9", tls=TLS), BELOW)]
)
def test_who_follows_the_advice_has_one_more_trusted_line(lines: tuple[str, ...]) -> None:
    report = judge(*lines)
    [advice] = [step for step in next_steps(report) if "--trusted-by" in step]

    names = tuple(re.findall(r"--trusted-by (\S+)", advice))
    again = judge(*lines, trusted_by=names)

    assert sum(hop.trust == "trusted" for hop in again.hops) > sum(
        hop.trust == "trusted" for hop in report.hops
    )


def test_a_line_of_many_messages_has_what_the_probe_concludes() -> None:
    seen = HopProbe(
        hop=0,
        host="mx.example.com",
        offer=Offer.OFFERS,
        conclusion="consistent",
        text="It came so.",
    )
    page = HeadersText(Paper(), per_hop=False)
    page.body(replace(judge(ENCRYPTED), probe=(seen,)))

    assert b"probe: It came so." in page.body(judge(CLEAR))
