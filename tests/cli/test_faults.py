"""A fault of this program: one domain is unknown for it, all others are judged, status 70."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prober.errors import SettingsError
from prober.records import Route, RouteStatus
from prober.report.interface import Row
from prober.report.rows import to_row
from tests.cli.commands import invoke, scan_offline

BAD = "bad.test"
Breaking = Callable[[pytest.MonkeyPatch], None]


async def null_mx(*_: Any) -> tuple[Route, tuple[()]]:
    return Route(status=RouteStatus.NULL_MX), ()


def failing_on_bad(patch: pytest.MonkeyPatch, target: str, function: Callable[..., Any]) -> None:
    """*target* is *function*, but it raises where any argument is about ``bad.test``."""

    def fail(*args: Any, **named: Any) -> Any:
        if any(BAD in (arg, getattr(arg, "domain", None)) for arg in args):
            raise ZeroDivisionError("ours")
        return function(*args, **named)

    patch.setattr(target, fail)


def break_look_up(patch: pytest.MonkeyPatch) -> None:
    failing_on_bad(patch, "prober.probe.resolve_route", null_mx)


def break_rules(patch: pytest.MonkeyPatch) -> None:
    from prober.rules.verdict import judge_domain

    failing_on_bad(patch, "prober.faults.judge_domain", judge_domain)


def break_delivery(patch: pytest.MonkeyPatch) -> None:
    from prober.rules.delivery import judge_delivery

    failing_on_bad(patch, "prober.rules.verdict.judge_delivery", judge_delivery)


def break_formats(patch: pytest.MonkeyPatch) -> None:
    def fail(report: Any) -> Row:
        if report.domain == BAD and report.error is None:
            raise ZeroDivisionError("ours")
        return to_row(report)

    patch.setattr("prober.report.output.to_row", fail)


STAGES = [break_look_up, break_rules, break_delivery, break_formats]


@pytest.fixture
def list_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("prober.probe.resolve_route", null_mx)
    path = tmp_path / "list.txt"
    path.write_text(f"a.test\n{BAD}\n*.test\nb.test\n")
    return path


@pytest.mark.parametrize("break_stage", STAGES)
@pytest.mark.parametrize("profile", [(), ("--require", "profile")], ids=["level", "profile"])
def test_a_fault_costs_one_domain(
    tmp_path: Path,
    list_: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    break_stage: Breaking,
    profile: tuple[str, ...],
) -> None:
    break_stage(monkeypatch)
    names = ("r.csv", "r.jsonl", "r.json", "r.txt")
    outputs = [part for name in names for part in ("-o", str(tmp_path / name))]
    ended = scan_offline(str(list_), "--ordered", *outputs, *profile)

    assert ended.status == 70
    assert (
        "4 domains: 1 UNKNOWN, 2 NO MAIL, 1 INVALID; 1 internal fault: please report it"
        in ended.err
    )
    rows = list(csv.DictReader((tmp_path / "r.csv").read_text().splitlines()))
    assert [row["level"] for row in rows] == ["no-mail", "unknown", "invalid", "no-mail"]
    assert rows[1]["error"].startswith("internal fault: ZeroDivisionError('ours')")
    report = json.loads((tmp_path / "r.jsonl").read_text().splitlines()[1])
    assert report["domain"] == BAD
    assert report["error"].startswith("internal fault: ")
    assert report["verdict"]["level"] == "unknown"
    assert not report["verdict"]["complete"]
    assert "internal fault" in (tmp_path / "r.txt").read_text()
    assert "Traceback" in caplog.text


def test_check_tells_the_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    break_look_up(monkeypatch)
    ended = invoke("check", BAD, "a.test", "-v")

    assert ended.status == 70
    assert "internal fault: ZeroDivisionError('ours')" in ended.out
    assert "a.test" in ended.out


def test_a_resumed_run_does_not_meet_it_again(
    tmp_path: Path, list_: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stop(domain: str, *_: Any) -> tuple[Route, tuple[()]]:
        if domain == BAD:
            raise ZeroDivisionError("ours")
        if domain == "b.test":
            raise SettingsError("stopped")
        return await null_mx()

    monkeypatch.setattr("prober.probe.resolve_route", stop)
    args = (str(list_), "--ordered", "-o", str(tmp_path / "r.csv"), "--concurrency", "1")
    assert scan_offline(*args).status == 2
    asked: list[str] = []

    async def note(domain: str, *_: Any) -> tuple[Route, tuple[()]]:
        asked.append(domain)
        return await null_mx()

    monkeypatch.setattr("prober.probe.resolve_route", note)
    ended = scan_offline(*args, "--resume")

    assert asked == ["b.test"]
    assert ended.status == 70
    assert "1 internal fault" in ended.err


def test_no_line_of_a_map_rests_on_a_fault(
    tmp_path: Path, list_: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_rules(monkeypatch)
    results, live = tmp_path / "r.jsonl", tmp_path / "map"
    scan_offline(str(list_), "-o", str(results))
    live.write_text(f"{BAD} verify\n")
    ended = invoke(
        "policy", str(results), "--for", "postfix", "--current", str(live), "--loosen-runs", "1"
    )

    assert ended.status == 0
    assert f"{BAD} verify" in ended.out.splitlines()


def test_headers_a_message_with_a_fault_costs_its_row_and_the_run_ends_with_70(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: Any) -> Any:
        raise RecursionError

    message = tmp_path / "message.eml"
    message.write_text("Received: from a.test by b.test; Mon, 1 Jan 2024 00:00:00 +0000\n\n")
    monkeypatch.setattr("prober.headers.judge.parse_received", fail)

    ended = invoke("headers", str(message))

    assert ended.status == 70
    assert "internal fault" in ended.out
