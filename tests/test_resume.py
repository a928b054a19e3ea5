"""Checkpoints: their contents, the runs that may use them, and that saving is atomic."""

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prober.errors import ResumeError
from prober.files import Mark
from prober.net.trust import trust_store_digest
from prober.records import Level, Standing
from prober.resume import (
    Checkpoint,
    CheckpointKeeper,
    differences,
    identity_of,
    is_current,
    load_checkpoint,
)
from prober.rules.totals import Totals
from prober.settings import Pace, Settings

IDENTITY = {"list": "sha256 00", "port": "25"}
TOTALS = Totals(
    levels={Level.NONE: 2},
    standings={Standing.FALLS_SHORT: 2},
    endpoints=3,
    tried={("mx.example.com", "192.0.2.1")},
    operators={"example.com"},
    has_connected=True,
)
CHECKPOINT = Checkpoint(
    identity=IDENTITY,
    reported=((0, 3), (7, 7)),
    marks={"r.csv": Mark(100, 200), "r.jsonl": Mark(0, 0)},
    totals=TOTALS,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "r.csv.resume"


def save(path: Path, checkpoint: Checkpoint) -> None:
    keeper = CheckpointKeeper(path, lambda: None)
    keeper.close(checkpoint)


def test_a_saved_checkpoint_loads_unchanged(path: Path) -> None:
    save(path, CHECKPOINT)
    assert load_checkpoint(path, IDENTITY) == CHECKPOINT
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_checkpoint_that_another_run_replaced_or_removed_is_not_current(path: Path) -> None:
    save(path, CHECKPOINT)
    assert is_current(path, CHECKPOINT)
    save(path, replace(CHECKPOINT, reported=((0, 9),)))
    assert not is_current(path, CHECKPOINT)
    path.unlink()
    assert not is_current(path, CHECKPOINT)
    path.write_bytes(b"{")
    assert not is_current(path, CHECKPOINT)


def test_a_missing_checkpoint_loads_as_none(path: Path) -> None:
    assert load_checkpoint(path, IDENTITY) is None


def test_the_error_for_another_run_names_every_difference(path: Path) -> None:
    save(path, CHECKPOINT)
    with pytest.raises(ResumeError) as refused:
        load_checkpoint(path, {"list": "sha256 11", "share": "True"})
    told = str(refused.value)
    assert "list was sha256 00 and is sha256 11" in told
    assert "port was 25 and is not there" in told
    assert "share was not there and is True" in told
    assert "start again without --resume" in told


def test_values_that_differ_are_harmless_to_show() -> None:
    (told,) = differences({"ehlo_name": "a"}, {"ehlo_name": "\x1b[31m" + "x" * 1000})
    assert told.isprintable()
    assert len(told) < 200


@pytest.mark.parametrize("written", [b"", b"{", b"[]", b"\xff", b'{"schema": 1}', b"\0" * 512])
def test_a_file_that_is_not_a_checkpoint_is_refused(path: Path, written: bytes) -> None:
    path.write_bytes(written)
    with pytest.raises(ResumeError, match=r"r\.csv\.resume is not a checkpoint"):
        load_checkpoint(path, IDENTITY)


def test_an_unreadable_checkpoint_is_refused(path: Path) -> None:
    path.mkdir()
    with pytest.raises(ResumeError, match="cannot read"):
        load_checkpoint(path, IDENTITY)


def test_rows_are_on_the_disk_before_their_checkpoint(path: Path) -> None:
    found: list[bool] = []
    keeper = CheckpointKeeper(path, lambda: found.append(path.exists()))
    keeper.save_if_due(lambda: CHECKPOINT)
    keeper.close()
    assert found == [False]
    assert path.exists()


def test_checkpoints_are_saved_at_intervals_without_blocking(path: Path) -> None:
    taken: list[Checkpoint] = []
    go_on = threading.Event()

    def take() -> Checkpoint:
        taken.append(CHECKPOINT)
        return CHECKPOINT

    def slow_disk() -> None:
        go_on.wait(10)

    keeper = CheckpointKeeper(path, slow_disk)
    for _ in range(1000):
        keeper.save_if_due(take)
    assert len(taken) == 1
    go_on.set()
    keeper.close()
    keeper.discard()
    assert not path.exists()


def test_a_failed_save_keeps_the_previous_checkpoint(path: Path) -> None:
    keeper = CheckpointKeeper(path.with_name("none") / path.name, lambda: None)
    save(path, CHECKPOINT)
    keeper.close(Checkpoint(identity={}))
    assert load_checkpoint(path, IDENTITY) == CHECKPOINT


def test_a_failed_sync_keeps_the_previous_checkpoint(path: Path) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    save(path, CHECKPOINT)
    CheckpointKeeper(path, full).close(Checkpoint(identity={}))
    assert load_checkpoint(path, IDENTITY) == CHECKPOINT


CHANGES: list[dict[str, Any]] = [
    {"port": 26},
    {"ehlo_name": "a.test"},
    {"greeting_s": 1.0},
    {"share": False},
    {"busy_tries": 1},
    {"allow_private": True},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_a_setting_that_changes_answers_makes_another_run(change: dict[str, Any]) -> None:
    before = identity_of("00", Settings(), {})
    assert len(differences(before, identity_of("00", Settings(**change), {}))) == 1


def test_the_pace_does_not_make_another_run() -> None:
    pace = Pace(concurrency=1, sessions=1, address_interval_s=9, dns_per_s=1, in_hand=1)
    slow = Settings(pace=pace)
    before = identity_of("00", Settings(), {"ordered": True})
    assert differences(before, identity_of("00", slow, {"ordered": True})) == []


def test_the_list_the_trust_store_and_the_options_make_another_run(tmp_path: Path) -> None:
    store = tmp_path / "ca.pem"
    store.write_text("one")
    settings = Settings(ca_file=store)
    before = identity_of("00", settings, {"ordered": True})
    store.write_text("two")
    after = identity_of("11", settings, {"ordered": False})
    assert [told.split(" was")[0] for told in differences(before, after)] == [
        "list",
        "trust store",
        "ordered",
    ]
    assert after["trust store"] == f"sha256 {trust_store_digest(store)}"


def test_an_identity_is_text_that_json_keeps() -> None:
    identity = identity_of("00", Settings(), {})
    assert json.loads(json.dumps(identity)) == identity
