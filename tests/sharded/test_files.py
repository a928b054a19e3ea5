"""Files between workers: atomic, with the same partitions everywhere, readable in parts."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.files import new_file, writing
from prober.net.smtp import Target
from prober.records import Failure, Reason, Step
from prober.sharded.files import (
    Stores,
    StoreWriter,
    partition_of,
    read_lines,
    read_record,
    read_section,
    write_lines,
    write_record,
    write_sections,
)
from tests.support.builders import endpoint


class PowerCutError(Exception):
    pass


@pytest.mark.parametrize(
    ("address", "partition"),
    [("192.0.2.1", 1), ("192.0.2.2", 1), ("2001:db8::1", 6)],
)
def test_a_partition_is_the_same_on_every_machine(address: str, partition: int) -> None:
    assert partition_of(address, 8) == partition


def test_partitions_have_about_the_same_size() -> None:
    sizes = Counter(partition_of(f"192.0.{n // 256}.{n % 256}", 8) for n in range(8000))
    assert sorted(sizes) == list(range(8))
    assert min(sizes.values()) > 800


def test_a_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "shard.json"
    with writing(path) as stream:
        stream.write(b"half")
        stream.flush()
        assert not path.exists()
    assert path.read_bytes() == b"half"


def test_an_interrupted_write_keeps_the_old_file_and_leaves_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "shard.json"
    write_record(path, "old")

    def torn() -> Iterator[str]:
        yield "new"
        raise PowerCutError

    with pytest.raises(PowerCutError):
        write_lines(path, torn())
    assert read_record(path, str) == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_draft_that_a_killed_worker_left_is_no_shard(tmp_path: Path) -> None:
    path = tmp_path / "shard.json"
    with new_file(path) as draft:
        draft.write_bytes(b'"whole"')
    draft.write_bytes(b'"ha')

    assert read_record(path, str) == "whole"
    write_record(path, "again")
    assert read_record(path, str) == "again"


def test_lines_are_read_lazily(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b'"first"\nno JSON\n')
    assert next(read_lines(path, str)) == "first"


@given(st.lists(st.lists(st.text('abc {}":').map(str.encode)), min_size=1))
def test_each_section_can_be_read_without_the_others(
    tmp_path_factory: pytest.TempPathFactory, sections: list[list[bytes]]
) -> None:
    path = tmp_path_factory.mktemp("sections") / "file"
    write_sections(path, sections)
    assert [read_section(path, number) for number in range(len(sections))] == sections


def test_facts_are_found_by_the_whole_target(tmp_path: Path) -> None:
    """One shard may find TLSA for a host and another none: two targets, two facts."""
    partitions = 200  # more stores than are kept open
    left_out = Failure(step=Step.CONNECT, reason=Reason.LIMIT)
    asked = {
        Target(mx_host="mx.test", address=f"192.0.2.{n}", port=25, left_out=why): failure
        for n in range(120)
        for why, failure in ((None, None), ("more than 8 addresses", left_out))
    }
    for partition in range(partitions):
        with StoreWriter.open(tmp_path / f"{partition}") as store:
            for target, failure in asked.items():
                if partition_of(target.address, partitions) == partition:
                    store.add(target, endpoint(address=target.address, failure=failure))

    with Stores(lambda partition: tmp_path / f"{partition}", partitions) as stores:
        for target, failure in asked.items():
            facts = stores.facts(target)
            assert (facts.address, facts.failure) == (target.address, failure)
        with pytest.raises(LookupError, match=r"no facts of .*192\.0\.2\.250"):
            stores.facts(Target(mx_host="mx.test", address="192.0.2.250", port=25))


def test_an_interrupted_store_does_not_appear(tmp_path: Path) -> None:
    path = tmp_path / "store"

    def torn() -> None:
        with StoreWriter.open(path) as store:
            store.add(Target(mx_host="mx.test", address="192.0.2.1", port=25), endpoint())
            raise PowerCutError

    with pytest.raises(PowerCutError):
        torn()
    assert list(tmp_path.iterdir()) == []
