"""Checkpoints: what they hold, whom they fit, and that one is always whole."""

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


def test_a_checkpoint_comes_back_as_it_was_saved(path: Path) -> None:
    save(path, CHECKPOINT)
    assert load_checkpoint(path, IDENTITY) == CHECKPOINT
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_one_that_another_run_replaced_or_removed_is_not_current(path: Path) -> None:
    save(path, CHECKPOINT)
    assert is_current(path, CHECKPOINT)
    save(path, replace(CHECKPOINT, reported=((0, 9),)))
    assert not is_current(path, CHECKPOINT)
    path.unlink()
    assert not is_current(path, CHECKPOINT)
    path.write_bytes(b"{")
    assert not is_current(path, CHECKPOINT)


def test_where_there_is_none_there_is_none(path: Path) -> None:
    assert load_checkpoint(path, IDENTITY) is None


def test_another_run_is_told_by_all_that_differs(path: Path) -> None:
    save(path, CHECKPOINT)
    with pytest.raises(ResumeError) as refused:
        load_checkpoint(path, {"list": "sha256 11", "share": "True"})
    told = str(refused.value)
    assert "list was sha256 00 and is sha256 11" in told
    assert "port was 25 and is not there" in told
    assert "share was not there and is True" in told
    assert "leave --resume out to begin anew" in told


def test_values_that_differ_are_harmless_to_show() -> None:
    (told,) = differences({"ehlo_name": "a"}, {"ehlo_name": "\x1b[31m" + "x" * 1000})
    assert told.isprintable()
    assert len(told) < 200


@pytest.mark.parametrize("written", [b"", b"{", b"[]", b"\xff", b'{"schema": 1}', b"\0" * 512])
def test_what_is_no_checkpoint_is_told(path: Path, written: bytes) -> None:
    path.write_bytes(written)
    with pytest.raises(ResumeError, match=r"r\.csv\.resume is no checkpoint"):
        load_checkpoint(path, IDENTITY)


def test_a_checkpoint_that_cannot_be_read_is_told(path: Path) -> None:
    path.mkdir()
    with pytest.raises(ResumeError, match="cannot read"):
        load_checkpoint(path, IDENTITY)


def test_rows_are_on_the_disk_before_the_checkpoint_that_speaks_of_them(path: Path) -> None:
    found: list[bool] = []
    keeper = CheckpointKeeper(path, lambda: found.append(path.exists()))
    keeper.tick(lambda: CHECKPOINT)
    keeper.close()
    assert found == [False]
    assert path.exists()


def test_a_checkpoint_is_taken_once_in_a_while_and_never_waited_for(path: Path) -> None:
    taken: list[Checkpoint] = []
    go_on = threading.Event()

    def take() -> Checkpoint:
        taken.append(CHECKPOINT)
        return CHECKPOINT

    def slow_disk() -> None:
        go_on.wait(10)

    keeper = CheckpointKeeper(path, slow_disk)
    for _ in range(1000):
        keeper.tick(take)
    assert len(taken) == 1
    go_on.set()
    keeper.close()
    keeper.discard()
    assert not path.exists()


def test_one_that_cannot_be_saved_leaves_the_one_before(path: Path) -> None:
    keeper = CheckpointKeeper(path.with_name("none") / path.name, lambda: None)
    save(path, CHECKPOINT)
    keeper.close(Checkpoint(identity={}))
    assert load_checkpoint(path, IDENTITY) == CHECKPOINT


def test_rows_that_cannot_be_brought_to_the_disk_leave_the_one_before(path: Path) -> None:
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
def test_what_bears_on_answers_makes_another_run(change: dict[str, Any]) -> None:
    before = identity_of("00", Settings(), {})
    assert len(differences(before, identity_of("00", Settings(**change), {}))) == 1


def test_the_pace_does_not() -> None:
    pace = Pace(concurrency=1, sessions=1, address_interval_s=9, dns_per_s=1, in_hand=1)
    slow = Settings(pace=pace)
    before = identity_of("00", Settings(), {"ordered": True})
    assert differences(before, identity_of("00", slow, {"ordered": True})) == []


def test_the_list_the_trust_store_and_the_options_do(tmp_path: Path) -> None:
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
