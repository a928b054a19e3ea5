"""Files whose names are not UTF-8, or would steer a terminal: read, written, gone on with."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from prober.errors import SettingsError
from prober.records import Route, RouteStatus
from prober.report.json_ import encode_report
from tests.cli.commands import invoke, scan_offline
from tests.report import samples

ODD = os.fsdecode(b"\xff\xe9")
MESSAGE = b"Received: from a.test by b.test; Thu, 1 Jan 2026 00:00:00 +0000\nFrom: a@a.test\n\nx\n"


async def null_mx(*_: Any) -> tuple[Route, tuple[()]]:
    return Route(status=RouteStatus.NULL_MX), ()


def test_a_scan_goes_on_under_such_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stop(domain: str, *_: Any) -> tuple[Route, tuple[()]]:
        if domain == "b.test":
            raise SettingsError("stopped")
        return await null_mx()

    list_ = tmp_path / f"{ODD}.lst"
    list_.write_text("a.test\nb.test\n")
    outputs = [tmp_path / f"{ODD}{suffix}" for suffix in (".csv", ".jsonl", ".txt")]
    named = [part for output in outputs for part in ("-o", str(output))]
    args = (str(list_), "--ordered", "--concurrency", "1", *named)
    monkeypatch.setattr("prober.probe.resolve_route", stop)
    assert scan_offline(*args).status == 2
    assert Path(f"{outputs[0]}.resume").exists()

    monkeypatch.setattr("prober.probe.resolve_route", null_mx)
    ended = scan_offline(*args, "--resume")

    assert ended.status == 0
    assert ended.err.startswith("probe: 2 domains: 2 NO MAIL\n")
    assert f"{tmp_path}/\\udcff\\udce9.csv, " in ended.err
    assert len(outputs[1].read_text().splitlines()) == 2


def test_messages_are_read_from_files_with_such_names(tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    folder.mkdir()
    (folder / f"{ODD}.eml").write_bytes(MESSAGE)
    (folder / f"{ODD}.bin").write_bytes(b"\0")
    outputs = [str(tmp_path / f"r.{suffix}") for suffix in ("csv", "jsonl", "json", "txt")]
    named = [part for output in outputs for part in ("-o", output)]
    ended = invoke("headers", str(folder), *named)

    assert ended.status in (2, 3)
    rows = [json.loads(line) for line in Path(outputs[1]).read_text().splitlines()]
    assert [row["file"].rpartition("/")[2] for row in rows[:2]] == [
        "\\udcff\\udce9.bin",
        "\\udcff\\udce9.eml",
    ]


def test_a_map_is_made_from_and_to_files_with_such_names(tmp_path: Path) -> None:
    results, target = tmp_path / f"{ODD}.jsonl", tmp_path / f"{ODD}.map"
    results.write_bytes(encode_report(samples.passes()) + b"\n")
    args = ("policy", str(results), "--for", "postfix", "-o", str(target))
    assert invoke(*args).status == 0
    assert invoke(*args, "--current", str(target)).status == 0
    assert target.exists()


def test_a_name_cannot_steer_the_terminal(tmp_path: Path) -> None:
    ended = invoke("headers", str(tmp_path / "\x1b[31mred"))
    assert ended.status == 2
    assert "\x1b" not in ended.err
    assert r"\x1b[31mred" in ended.err
