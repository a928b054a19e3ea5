"""``probe schema``: the schemas are those in the docs, and all JSON is as they say."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import ValidationError

from prober.cli import COMMANDS
from prober.cli.schema import SAME, WRITTEN
from prober.lab.demo import MAIL_LOG as EXAMPLE
from prober.recipient import KeySource, RecipientKey, RecipientReport, Way
from prober.records import Answer, Dnssec
from prober.report.json_ import encode_report
from tests.cli.commands import invoke
from tests.logs.test_tls_report import RAW
from tests.report import samples
from tests.support.json_schemas import FOLDER, files, require_valid

TESTS = Path(__file__).parents[1]
REPORTS, HEADERS = TESTS / "report/golden", TESTS / "headers/golden"
ONE = encode_report(samples.passes()).decode()


def test_the_files_in_the_docs_are_made_from_the_records() -> None:
    written = {path.name: path.read_text() for path in FOLDER.iterdir()}
    assert written == files(), "run `poe schemas`"


@pytest.mark.parametrize("name", WRITTEN)
def test_a_schema_is_shown_as_in_the_docs(name: str) -> None:
    shown = invoke("schema", name)
    assert (shown.status, shown.out) == (0, (FOLDER / f"{name}.json").read_text())


@pytest.mark.parametrize("command", ["scan", "demo", "report"])
def test_commands_that_write_the_same_have_the_same_schema(command: str) -> None:
    assert invoke("schema", command).out == invoke("schema", "check").out


def test_the_list_names_all_and_is_in_the_docs() -> None:
    ended = invoke("schema")
    page = (FOLDER.parent / "json.md").read_text()

    assert ended.status == 0
    assert [line.split()[0] for line in ended.out.splitlines()] == list(WRITTEN)
    assert [name for name in WRITTEN if f"(schema/{name}.json)" not in page] == []


def test_a_command_without_json_is_refused_with_the_names() -> None:
    ended = invoke("schema", "policy")
    assert (ended.status, ended.out) == (2, "")
    assert "'policy': use one of check, demo, diff, explain, " in ended.err
    assert set(SAME) < set(ended.err.replace(",", "").split())


def test_every_command_with_the_format_json_has_a_schema() -> None:
    with_json = {name for name in COMMANDS if "json" in invoke(name, "--help").out.lower()}
    named = {name.partition("-")[0] for name in WRITTEN} | {"scan", "demo", "report", "schema"}
    assert with_json - {"policy"} == named  # policy reads JSON


@pytest.mark.parametrize(
    ("path", "name"),
    [
        *((path, "check") for path in sorted(REPORTS.glob("*.json*"))),
        *(
            (path, "headers-summary" if path.stem == "summary" else "headers")
            for path in sorted(HEADERS.glob("*.json*"))
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else "",
)
def test_golden_files_are_valid(path: Path, name: str) -> None:
    assert require_valid(name, path.read_text()) > 0


@pytest.mark.parametrize(
    ("name", "args", "stdin"),
    [
        ("explain", ("explain", "-f", "json"), b""),
        ("logs", ("logs", str(EXAMPLE), "-f", "jsonl"), b""),
        ("logs", ("logs", str(EXAMPLE), "-f", "json", "--inbound"), b""),
        ("logs-summary", ("logs", str(EXAMPLE), "-f", "json", "--summary"), b""),
        ("logs-tls-report", ("logs", "-", "-f", "jsonl", "--tls-report"), RAW),
    ],
)
def test_what_a_command_writes_is_valid(name: str, args: tuple[str, ...], stdin: bytes) -> None:
    assert require_valid(name, invoke(*args, stdin=stdin).out) > 0


def test_advice_in_the_summary_of_logs_is_valid(tmp_path: Path) -> None:
    results = tmp_path / "demo.jsonl"
    results.write_bytes(encode_report(replace(samples.passes(), domain="well-configured.test")))
    options = ("--results", str(results), "--summary", "-f", "json")
    written = invoke("logs", str(EXAMPLE), *options).out

    assert json.loads(written)["advice"]
    require_valid("logs-summary", written)


def test_a_recipient_is_valid() -> None:
    keys = (
        RecipientKey(
            source=KeySource.SMIMEA, found=Answer.YES, where="a.test", dnssec=Dnssec.SECURE
        ),
        RecipientKey(source=KeySource.WKD, found=Answer.NO, where="https://a.test/", detail="404"),
    )
    report = RecipientReport(
        recipient="me@a.test", keys=keys, way=Way.PGP, reason="a key", domain=samples.passes()
    )
    require_valid("recipient", encode_report(report).decode())


@pytest.mark.parametrize(
    "change",
    [
        {"elapsed_ms": "812"},
        {"checked_at": None},
        {"verdict": {}},
        {"standing": "unheard-of"},
        {"findings": [{"code": "unheard-of"}]},
        {"nothing_of_ours": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_is_no_report_is_not_valid(change: dict[str, Any]) -> None:
    require_valid("check", ONE)
    with pytest.raises(ValidationError):
        require_valid("check", json.dumps(json.loads(ONE) | change))


def test_every_field_is_required() -> None:
    whole = json.loads(ONE)
    for name in whole:
        rest = {field: value for field, value in whole.items() if field != name}
        with pytest.raises(ValidationError):
            require_valid("check", json.dumps(rest))
