"""The stages of a sharded scan, one after the other, against the lab."""

import asyncio
import dataclasses
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import prober.faults
import prober.probe
import prober.sharded.stages
from prober.errors import BlindError, SettingsError
from prober.lab.internet import Lab
from prober.progress import Progress
from prober.records import DomainFacts, DomainReport
from prober.rules.certificate_fields import CertificateReader
from prober.rules.exit_status import exit_status
from prober.rules.totals import Totals
from prober.rules.verdict import judge_domain
from prober.scan import unique
from prober.settings import Pace, Settings
from prober.sharded.files import read_record, read_section
from prober.sharded.folder import Job, Plan, WorkFolder
from prober.sharded.owner import Owner, StoppedError
from prober.sharded.stages import (
    Work,
    count_operators,
    judge_shard,
    probe_partition,
    resolve_shard,
    worker_share,
)
from tests.cli.commands import NO_NAMESERVER
from tests.support.comparing import timeless
from tests.support.sharded import (
    CSV,
    DOMAINS,
    JSONL,
    NAMES,
    SHARED,
    a_scan,
    entries,
    scanned_by_one,
)
from tests.support.waiting import until

PARTITIONS = 3


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with Lab(DOMAINS) as lab:
        yield lab


def begin(folder: Path, lab: Lab, *, shard_size: int = 25, names: Sequence[str] = NAMES) -> Work:
    """Split the list into shards, and return the work on them."""
    job = a_scan(folder, lab, CSV, JSONL)
    work_folder = WorkFolder(folder)
    work_folder.claim(Job(dict(job.identity), shard_size, PARTITIONS), resume=False)
    rest, shards = unique(entries(names), Progress()), 0
    while work_folder.write_shard(shards, rest, shard_size):
        shards += 1
    work_folder.write_plan(Plan(shards, 0))
    return Work(
        owner=Owner(work_folder, work_folder.take_over()),
        partitions=PARTITIONS,
        at_once=2,
        settings=job.settings,
        judging=job.judging,
    )


async def do_all(work: Work) -> Totals:
    totals = Totals()
    shards = range(work.folder.plan.shards)
    for number in shards:
        await asyncio.to_thread(resolve_shard, work, number)
    for number in range(PARTITIONS):
        await asyncio.to_thread(count_operators, work, number)
    for number in range(PARTITIONS):
        await asyncio.to_thread(probe_partition, work, number)
    for number in shards:
        totals.merge(await asyncio.to_thread(judge_shard, work, number))
    return totals


def rows(work: Work, report: int) -> bytes:
    shards = range(work.folder.plan.shards)
    return b"".join(work.folder.rows(shard, report).read_bytes() for shard in shards)


async def test_stages_report_what_a_scan_reports(lab: Lab, tmp_path: Path) -> None:
    work = begin(tmp_path / "work", lab)
    totals = await do_all(work)
    of_one = await scanned_by_one(lab, entries())

    assert timeless(rows(work, 1).splitlines()) == timeless(of_one)
    assert totals.domains == len(of_one)
    assert rows(work, 0).count(b"\n") == len(of_one)


async def test_an_address_is_in_one_partition_and_probed_only_there(
    lab: Lab, tmp_path: Path
) -> None:
    """20 domains in several shards, on one host of two addresses."""
    work = begin(tmp_path / "work", lab, shard_size=4)
    server = lab.servers[SHARED.name]
    await do_all(work)
    assert len(server.sessions) == 2 * len(server.addresses)  # with SNI, and without


async def test_an_operator_with_addresses_in_several_partitions_is_counted(
    lab: Lab, tmp_path: Path
) -> None:
    lab.dns.add("wide.test", "MX", "10 mx.wide-operator.test.")
    for number in range(1, 30):
        lab.dns.add("mx.wide-operator.test", "A", f"127.99.0.{number}")
    work = begin(
        tmp_path / "work", lab, shard_size=2, names=["implicit.test", "a.test", "wide.test"]
    )
    for number in range(work.folder.plan.shards):
        await asyncio.to_thread(resolve_shard, work, number)

    shared: dict[str, int] = {}
    for number in range(PARTITIONS):
        assert count_operators(work, number) == read_record(work.folder.counted(number), int)
        shared |= read_record(work.folder.shared(number), dict[str, int])
    # a registered domain below .test: the one with many addresses, not those with one
    assert shared["wide-operator.test"] == PARTITIONS
    assert "implicit.test" not in shared


async def test_each_target_is_in_the_section_of_its_address(lab: Lab, tmp_path: Path) -> None:
    work = begin(tmp_path / "work", lab, shard_size=100)
    await asyncio.to_thread(resolve_shard, work, 0)
    path = work.folder.targets(0)
    addresses = [
        {json.loads(line)["address"] for line in read_section(path, number)}
        for number in range(PARTITIONS)
    ]
    assert all(addresses)
    assert sum(map(len, addresses)) == len(set.union(*addresses))


async def test_a_stage_ends_with_its_run(lab: Lab, tmp_path: Path) -> None:
    work = begin(tmp_path / "work", lab, names=["silent.test"])
    work = dataclasses.replace(
        work, settings=dataclasses.replace(work.settings, greeting_s=30.0, session_s=30.0)
    )
    await asyncio.to_thread(resolve_shard, work, 0)
    for number in range(PARTITIONS):
        count_operators(work, number)
    silent = lab.servers["mx1.silent.test"]
    tasks = [asyncio.to_thread(probe_partition, work, number) for number in range(PARTITIONS)]
    running = asyncio.gather(*tasks, return_exceptions=True)
    await until(lambda: silent.open > 0)
    work.folder.stop(work.owner.token)
    ended = await running

    faults = [result for result in ended if isinstance(result, BaseException)]
    assert faults
    assert all(isinstance(fault, StoppedError) for fault in faults)
    assert not list((tmp_path / "work" / "endpoints").glob("*.tmp"))
    await until(lambda: silent.open == 0)


async def test_a_stage_of_a_run_that_has_ended_does_not_begin(lab: Lab, tmp_path: Path) -> None:
    work = begin(tmp_path / "work", lab)
    work.folder.take_over()
    for stage in (resolve_shard, count_operators, probe_partition):
        with pytest.raises(StoppedError):
            await asyncio.to_thread(stage, work, 0)
    assert not any(server.sessions for server in lab.servers.values())


async def test_without_a_nameserver_a_shard_is_not_resolved(lab: Lab, tmp_path: Path) -> None:
    work = begin(tmp_path / "work", lab, names=[f"a{number}.test" for number in range(25)])
    blind = dataclasses.replace(
        work, settings=dataclasses.replace(work.settings, resolvers=(NO_NAMESERVER,))
    )
    with pytest.raises(BlindError, match="no nameserver answers"):
        await asyncio.to_thread(resolve_shard, blind, 0)
    assert not work.folder.resolved(0).exists()


async def test_a_partition_without_any_connection_ends_the_run(lab: Lab, tmp_path: Path) -> None:
    """Nothing listens there, which looks like a firewall on this machine."""
    names = [f"op{number}.test" for number in range(240)]
    for number, name in enumerate(names):
        lab.dns.add(name, "MX", f"10 mx.{name}")
        lab.dns.add(f"mx.{name}", "A", f"127.77.200.{number + 1}")
    work = begin(tmp_path / "work", lab, shard_size=240, names=names)
    work = dataclasses.replace(
        work, settings=dataclasses.replace(work.settings, confirm_delay_s=0.01)
    )
    await asyncio.to_thread(resolve_shard, work, 0)
    for number in range(PARTITIONS):
        await asyncio.to_thread(count_operators, work, number)
    with pytest.raises(BlindError, match="none could be connected to"):
        await asyncio.to_thread(probe_partition, work, 0)
    assert not work.folder.store(0).exists()


async def test_an_error_in_the_settings_is_raised_unchanged(lab: Lab, tmp_path: Path) -> None:
    work = begin(tmp_path / "work", lab)
    work = dataclasses.replace(
        work, settings=dataclasses.replace(work.settings, resolvers=("nonsense",))
    )
    with pytest.raises(SettingsError, match="not a nameserver"):
        await asyncio.to_thread(resolve_shard, work, 0)


@pytest.mark.parametrize(
    ("resolvers", "dns_per_s"),
    [
        pytest.param((), 450.0, id="of-each-machine"),
        pytest.param(("127.0.0.1",), 450.0, id="on-each-machine"),
        pytest.param(("127.0.0.1:5353",), 450.0, id="on-each-machine-by-port"),
        pytest.param(("[::1]:5353",), 450.0, id="on-each-machine-ipv6"),
        pytest.param(("192.0.2.1",), 112.5, id="one-of-all-machines"),
        pytest.param(("192.0.2.1:53",), 112.5, id="one-of-all-machines-by-port"),
        pytest.param(("::1", "2001:db8::1"), 112.5, id="any-of-them-elsewhere"),
    ],
)
def test_workers_share_the_limits_of_a_machine_and_a_resolver(
    resolvers: tuple[str, ...], dns_per_s: float
) -> None:
    whole = Pace(dns_per_s=900.0, sessions=501, per_address=2)
    part = worker_share(Settings(resolvers=resolvers, pace=whole), on_machine=2, at_once=8).pace
    assert (part.dns_per_s, part.sessions, part.dns_concurrency) == (dns_per_s, 250, 100)
    assert (part.per_address, part.per_operator) == (whole.per_address, whole.per_operator)


def test_a_share_is_never_zero() -> None:
    settings = Settings(pace=Pace(sessions=3))
    assert worker_share(settings, on_machine=8, at_once=8).pace.sessions == 1


@pytest.mark.parametrize("stage", ["resolve_route", "observe_sts", "targets_of"])
async def test_an_internal_fault_affects_one_domain_and_not_its_shard(
    tmp_path: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    bad = "customer3.test"
    module = prober.sharded.stages if stage == "targets_of" else prober.probe
    function = getattr(module, stage)
    calls = itertools.count()

    def fail(what: Any, *args: Any, **named: Any) -> Any:
        is_bad = what == bad if stage != "targets_of" else next(calls) == 0
        if is_bad:
            raise ZeroDivisionError("ours")
        return function(what, *args, **named)

    monkeypatch.setattr(module, stage, fail)
    names = [f"customer{number}.test" for number in range(5)]
    work = begin(tmp_path / "work", lab, names=names)
    totals = await do_all(work)

    assert (totals.faults, totals.domains) == (1, 5)
    assert exit_status(totals) == 70
    rows = [json.loads(row) for row in work.folder.rows(0, 1).read_bytes().splitlines()]
    faults = [row for row in rows if row["error"] is not None]
    assert [row["verdict"]["level"] for row in faults] == ["unknown"]
    assert faults[0]["error"].startswith("internal fault: ZeroDivisionError")


async def test_a_fault_of_a_rule_affects_one_domain_and_not_its_shard(
    tmp_path: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(facts: DomainFacts, reader: CertificateReader) -> DomainReport:
        if facts.domain == "customer3.test":
            raise ZeroDivisionError("ours")
        return judge_domain(facts, reader)

    monkeypatch.setattr(prober.faults, "judge_domain", fail)
    work = begin(tmp_path / "work", lab, names=[f"customer{number}.test" for number in range(5)])
    totals = await do_all(work)

    assert (totals.faults, totals.domains) == (1, 5)
    assert exit_status(totals) == 70
