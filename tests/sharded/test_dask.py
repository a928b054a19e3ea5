"""Scans on dask: on local processes and on a cluster, with workers and coordinators that die."""

import asyncio
import contextlib
import copy
import multiprocessing
import os
import signal
import stat
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import dask
import distributed
import psutil  # type: ignore[import-untyped] # dask needs it, so it is there; no stubs
import pytest
import pytest_asyncio

from prober.errors import BlindError, ReportError, ResumeError, SettingsError
from prober.lab.internet import Lab
from prober.records import Run, TrustStore
from prober.rules.deep_plan import is_cut_by_budget
from prober.sharded.dask import ClusterError, local_workers, running_scheduler, scan_in_shards
from prober.sharded.files import write_record
from prober.sharded.folder import Job, WorkFolder
from prober.sharded.owner import for_each
from prober.sharded.stages import ShardedScan
from prober.version import __version__
from tests.cli.commands import NO_NAMESERVER
from tests.support.comparing import timeless
from tests.support.dask_processes import cluster, worker
from tests.support.sharded import (
    CSV,
    DOMAINS,
    JSONL,
    MANY,
    NAMES,
    Rows,
    a_scan,
    entries,
    scanned_by_one,
)
from tests.support.waiting import until, until_async

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab() -> AsyncIterator[Lab]:
    async with Lab((*DOMAINS, *MANY)) as lab:
        yield lab


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def expected(lab: Lab) -> list[object]:
    """The reports of a scan in one process, without times."""
    return timeless(await scanned_by_one(lab, entries()))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client() -> AsyncIterator[distributed.Client]:
    async with local_workers(2) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of a dask scheduler with two workers."""
    async with cluster(tmp_path_factory.mktemp("dask"), 2) as address:
        yield address


async def run(
    job: ShardedScan, client: distributed.Client, rows: Rows, names: Sequence[str] = NAMES
) -> None:
    await scan_in_shards(
        entries(names), job, contextlib.nullcontext(client), rows.take, progress=rows.progress
    )


async def workers_of(client: distributed.Client, number: int) -> dict[str, int]:
    """The process ids of the workers by address. Waits until there are *number* of them."""
    pids: dict[str, int] = {}

    async def are_there() -> bool:
        pids.clear()
        pids.update(await client.run(os.getpid, on_error="ignore"))  # as it dies
        return len(pids) >= number

    await until_async(are_there)
    return pids


async def test_partitions_use_a_small_budget_of_deep_and_no_more(
    lab: Lab, client: distributed.Client, tmp_path: Path
) -> None:
    """An equal share of each of the eight partitions would be too small for one server."""
    job = a_scan(tmp_path / "work", lab, JSONL)
    pace = replace(job.settings.pace, deep_budget=24)
    rows = Rows()
    await run(replace(job, settings=replace(job.settings, deep=True, pace=pace)), client, rows)
    asked: dict[tuple[str, object], int] = {}
    cut = 0
    for endpoint in (each for report in rows.reports for each in report.endpoints):
        if endpoint.deep is not None:
            asked[endpoint.address, endpoint.deep.observed_at] = endpoint.deep.connections
            cut += is_cut_by_budget([endpoint])
    assert 24 - 2 * 8 < sum(asked.values()) <= 24
    assert cut


async def test_two_processes_report_the_same_as_one(
    lab: Lab, client: distributed.Client, expected: list[object], tmp_path: Path
) -> None:
    rows = Rows(2)
    shown: list[tuple[str, int, int | None]] = []
    totals = await scan_in_shards(
        entries(),
        a_scan(tmp_path / "work", lab, JSONL, CSV),
        contextlib.nullcontext(client),
        rows.take,
        progress=rows.progress,
        show=lambda *step: shown.append(step),
    )

    assert timeless(rows.reports) == expected
    assert rows.texts[1].count(b"\n") == totals.domains == len(expected)
    assert rows.progress.duplicates == len(entries()) - len(expected)
    assert list(dict.fromkeys(stage for stage, _, _ in shown)) == [
        "resolving",
        "counting",
        "probing",
        "judging",
    ]
    shards = -(-len(expected) // 7)
    assert shown[-1] == ("judging", shards, shards)
    folder = WorkFolder(tmp_path / "work")
    assert folder.is_begun  # until the reports are finished there is something to go on with
    folder.remove()
    assert not folder.path.exists()


async def test_after_a_killed_worker_only_its_task_is_repeated(
    lab: Lab, client: distributed.Client, expected: list[object], tmp_path: Path
) -> None:
    rows = Rows()
    victims: list[int] = []
    work = WorkFolder(tmp_path / "work")

    async def kill_one() -> None:
        await until(lambda: any((work.path / "endpoints").glob("*.tmp")))
        (victim, *_) = (child.pid for child in multiprocessing.active_children() if child.pid)
        os.kill(victim, signal.SIGKILL)
        victims.append(victim)

    async with asyncio.TaskGroup() as group:
        group.create_task(kill_one())
        group.create_task(run(a_scan(work.path, lab), client, rows))
    assert victims
    assert timeless(rows.reports) == expected
    assert victims[0] not in (await workers_of(client, 2)).values()


async def test_a_stopped_run_ends_its_tasks_and_can_be_resumed(
    lab: Lab, client: distributed.Client, expected: list[object], tmp_path: Path
) -> None:
    silent = lab.servers["mx1.silent.test"]
    names = (*NAMES, "silent.test")
    work = WorkFolder(tmp_path / "work")
    stopped = asyncio.create_task(run(a_scan(work.path, lab), client, Rows(), names))
    await until(lambda: silent.open > 0)
    stopped.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopped
    await until(lambda: silent.open == 0)
    resolved = work.facts(0).stat().st_mtime_ns

    with pytest.raises(ResumeError, match="continue it with --resume, or remove the folder"):
        await run(a_scan(work.path, lab), client, Rows())
    rows = Rows()

    def show(stage: str, _done: int, _total: int | None) -> None:
        if stage == "judging":
            assert work.facts(0).stat().st_mtime_ns == resolved

    await scan_in_shards(
        iter(()),  # the list was read to its end before
        a_scan(work.path, lab, resume=True),
        contextlib.nullcontext(client),
        rows.take,
        progress=rows.progress,
        show=show,
    )
    assert timeless(rows.reports[:-1]) == expected
    assert rows.reports[-1].domain == "silent.test"
    assert rows.progress.duplicates == len(NAMES) - len(expected)
    work.remove()
    assert not work.path.exists()


async def test_a_stop_while_results_are_fetched_leaves_the_client_usable(
    lab: Lab, client: distributed.Client, expected: list[object], tmp_path: Path
) -> None:
    """Distributed keeps a shared fetch that is cancelled before it starts, and all later ones fail.

    The test cancels the tasks that wait for results in the step of the event loop that creates the
    fetch.
    """
    fetch = client._gather_remote

    def stop_and_fetch(direct: bool, local_worker: bool) -> object:
        for task in asyncio.all_tasks():
            if getattr(task.get_coro(), "__qualname__", "").startswith(for_each.__name__):
                task.cancel()
        return fetch(direct, local_worker)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "_gather_remote", stop_and_fetch)
        with pytest.raises(asyncio.CancelledError):
            await run(a_scan(tmp_path / "stopped", lab), client, Rows())

    rows = Rows()
    await run(a_scan(tmp_path / "work", lab), client, rows)
    assert timeless(rows.reports) == expected


async def test_a_task_that_dask_cancels_ends_the_run(lab: Lab, tmp_path: Path) -> None:
    async def cancelled(*_arguments: object) -> None:
        raise asyncio.CancelledError

    async with local_workers(1) as client:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(client, "_gather_remote", cancelled)
            with pytest.raises(ClusterError, match=r"resolve_shard \d+: dask cancelled it"):
                await run(a_scan(tmp_path / "work", lab), client, Rows())


async def test_cancelled_work_is_never_taken_for_done() -> None:
    async def cancelled(_item: int) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await for_each(range(3), cancelled, at_once=2)


def resolved_elsewhere(folder: Path, lab: Lab, run: Run) -> ShardedScan:
    """A scan to resume. Another machine has resolved its first shard with *run*."""
    job = a_scan(folder, lab, resume=True)
    WorkFolder(folder).claim(Job(dict(job.identity), job.shard_size, 4), resume=False)
    write_record(WorkFolder(folder).resolved(0), run)
    return job


async def test_workers_with_different_trust_stores_are_refused(
    lab: Lab, client: distributed.Client, tmp_path: Path
) -> None:
    store = TrustStore(source="/elsewhere.pem", certificates=1, sha256="5ec0")
    other = Run(version=__version__, ehlo_name="a.test", resolver=(), trust_store=store)
    job = resolved_elsewhere(tmp_path / "work", lab, other)

    with pytest.raises(SettingsError) as caught:
        await run(job, client, Rows())
    assert f"{lab.ca_file} (SHA-256 " in str(caught.value)
    assert "/elsewhere.pem (SHA-256 5ec0)" in str(caught.value)


async def test_workers_of_another_version_are_refused(
    lab: Lab, client: distributed.Client, tmp_path: Path
) -> None:
    store = TrustStore(source=None, certificates=0, sha256=None)
    other = Run(version="0.0.1", ehlo_name="a.test", resolver=(), trust_store=store)
    job = resolved_elsewhere(tmp_path / "work", lab, other)

    with pytest.raises(SettingsError, match=r"different versions, .*0\.0\.1"):
        await run(job, client, Rows())


async def test_workers_without_a_nameserver_end_the_run_and_leave_no_files(
    lab: Lab, client: distributed.Client, tmp_path: Path
) -> None:
    """The coordinator gets the worker's own exception, which dask had to pickle."""
    job = a_scan(tmp_path / "work", lab)
    blind = replace(job, shard_size=50, settings=replace(job.settings, resolvers=(NO_NAMESERVER,)))
    names = [f"gone{number}.test" for number in range(60)]
    with pytest.raises(BlindError, match="no nameserver answers"):
        await run(blind, client, Rows(), names)


async def test_hosts_that_nobody_can_connect_to_are_not_reported(
    lab: Lab, client: distributed.Client, tmp_path: Path
) -> None:
    """One partition has too few hosts to decide this; all partitions together have enough."""
    names = [f"op{number}.test" for number in range(40)]
    for number, name in enumerate(names):
        lab.dns.add(name, "MX", f"10 mx.{name}")
        lab.dns.add(f"mx.{name}", "A", f"127.77.201.{number + 1}")
    rows = Rows()
    job = a_scan(tmp_path / "work", lab)
    with pytest.raises(BlindError, match="none could be connected to"):
        await run(job, client, rows, names)
    assert rows.texts == [b""]
    assert not job.folder.exists()


async def test_a_folder_that_workers_cannot_write_is_reported(
    lab: Lab, client: distributed.Client, tmp_path: Path
) -> None:
    """If the path is not shared, the coordinator or the worker finds no files."""
    work = WorkFolder(tmp_path / "work")

    def show(stage: str, _done: int, _total: int | None) -> None:
        if stage == "counting":
            work.targets(0).unlink(missing_ok=True)

    with pytest.raises(ReportError, match=r"work.*: cannot write the report"):
        await scan_in_shards(
            entries(),
            a_scan(work.path, lab),
            contextlib.nullcontext(client),
            Rows().take,
            progress=Rows().progress,
            show=show,
        )
    assert work.path.exists()


async def test_a_running_cluster_reports_the_same_as_one_process(
    lab: Lab, address: str, tmp_path: Path
) -> None:
    """Hundreds of domains, scheduler and workers in separate processes."""
    names = (*NAMES, *(domain.name for domain in MANY))
    rows = Rows()
    job = replace(a_scan(tmp_path / "work", lab), shard_size=20)
    there = running_scheduler(address)
    await scan_in_shards(entries(names), job, there, rows.take, progress=rows.progress)
    assert timeless(rows.reports) == timeless(await scanned_by_one(lab, entries(names)))


async def test_after_a_killed_worker_of_a_cluster_only_its_task_is_repeated(
    lab: Lab, address: str, expected: list[object], tmp_path: Path
) -> None:
    """It is not restarted: other workers repeat its task."""
    async with worker(address, tmp_path) as victim:
        await _kill_while_it_probes(address, victim.pid, lab, tmp_path / "work", expected)
        assert await victim.wait() == -signal.SIGKILL


async def _kill_while_it_probes(
    address: str, victim: int, lab: Lab, folder: Path, expected: list[object]
) -> None:
    async with running_scheduler(address) as client:
        pids = await workers_of(client, 3)
        name = next(name for name, pid in pids.items() if pid == victim)
        rows = Rows()
        running = asyncio.create_task(run(a_scan(folder, lab), client, rows))
        await _until_it_probes(client, name)
        os.kill(victim, signal.SIGKILL)
        await running
        assert timeless(rows.reports) == expected


async def _until_it_probes(client: distributed.Client, name: str) -> None:
    async def probes() -> bool:
        keys = (await client.processing())[name]
        return any("probe_partition" in str(key) for key in keys)

    await until_async(probes)


async def test_a_shard_that_kills_each_worker_ends_the_run(lab: Lab, tmp_path: Path) -> None:
    silent = lab.servers["mx1.silent.test"]
    job = a_scan(tmp_path / "work", lab)
    async with local_workers(1) as client:
        assert client.cluster is not None
        client.cluster.scheduler.allowed_failures = 0
        (pid,) = (await workers_of(client, 1)).values()
        running = asyncio.create_task(run(job, client, Rows(), ["silent.test"]))
        await until(lambda: silent.open > 0)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(
            ClusterError, match=r"probe_partition \d+: 1 workers died while running it"
        ):
            await running
    assert job.folder.exists()


async def test_a_run_without_workers_ends(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask would wait for ever."""
    monkeypatch.setattr("prober.sharded.dask._NO_WORKER_S", 1.0)
    monkeypatch.setattr("prober.sharded.dask._POLL_S", 0.1)
    silent = lab.servers["mx1.silent.test"]
    async with cluster(tmp_path, 0) as address, worker(address, tmp_path) as only:
        async with running_scheduler(address) as client:
            running = asyncio.create_task(
                run(a_scan(tmp_path / "work", lab), client, Rows(), ["silent.test"])
            )
            await until(lambda: silent.open > 0)
            only.kill()
            with pytest.raises(ClusterError, match="no worker for 1 s"):
                await running


async def test_a_lost_scheduler_ends_the_run(lab: Lab, tmp_path: Path) -> None:
    silent = lab.servers["mx1.silent.test"]
    async with AsyncExitStack() as stack:
        async with cluster(tmp_path, 1) as address:
            client = await stack.enter_async_context(running_scheduler(address))
            job = a_scan(tmp_path / "work", lab)
            running = asyncio.create_task(run(job, client, Rows(), ["silent.test"]))
            await until(lambda: silent.open > 0)
        with pytest.raises(ClusterError, match="the connection to the scheduler was lost"):
            await running

    with pytest.raises(SettingsError, match=f"no scheduler answers at {address}"):
        async with running_scheduler(address, connect_s=0.5):
            pass


def _of_a_worker() -> tuple[list[str], str]:
    """The folders from which a worker imports modules, and its temporary folder."""
    return sys.path, distributed.get_worker().local_directory


async def test_local_workers_have_a_private_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not ``dask-scratch-space`` in the shared temporary folder, the default of distributed."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before, settings, environ = list(sys.path), copy.deepcopy(dask.config.config), dict(os.environ)
    async with local_workers(1) as client:
        (private,) = map(tmp_path.joinpath, os.listdir(tmp_path))
        found = private.lstat()
        sources, own = await client.submit(_of_a_worker)
        assert client.cluster is not None
        folders = [*sys.path, *sources, own, client.cluster.scheduler.local_directory]

    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (os.geteuid(), 0o700)
    ours = [folder for folder in folders if folder not in before]
    assert ours
    assert all(Path(folder).is_relative_to(private) for folder in ours)
    assert os.listdir(tmp_path) == []
    assert dask.config.config == settings
    assert os.environ.get("PYTHONSAFEPATH") == environ.get("PYTHONSAFEPATH")


@pytest.mark.parametrize(
    ("mode", "umask", "fault"),
    [(0o777, 0o022, "is not sticky"), (0o1777, 0o022, None), (0o700, 0o277, "mode cannot be set")],
)
async def test_a_temporary_folder_open_to_others_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, umask: int, fault: str | None
) -> None:
    """An unusual umask has the same effect as a file system without modes."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(mode)
    monkeypatch.setattr(tempfile, "tempdir", str(shared))
    before = os.umask(umask)
    try:
        with pytest.raises(SettingsError, match=fault) if fault else contextlib.nullcontext():
            async with local_workers(1):
                assert fault is None
    finally:
        os.umask(before)
    assert list(shared.iterdir()) == []


async def test_a_temporary_folder_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner can rename files in it, even with the sticky bit. The test runs as another user."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    as_it_is = Path.stat

    def of_another(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        found = as_it_is(path, follow_symlinks=follow_symlinks)
        owner = found.st_uid + (path == tmp_path)
        return os.stat_result((*found[:4], owner, *found[5:]))

    monkeypatch.setattr(Path, "stat", of_another)
    with pytest.raises(SettingsError, match="another user may replace"):
        async with local_workers(1):
            pass
    assert os.listdir(tmp_path) == []


def _listening() -> set[int]:
    """The TCP ports on which this process and its children listen."""
    here = psutil.Process()
    return {
        link.laddr.port
        for process in (here, *here.children(recursive=True))
        for link in process.net_connections(kind="tcp")
        if link.status == psutil.CONN_LISTEN
    }


async def _answer(port: int, path: str) -> bytes:
    """The HTTP response at *port* to a client without certificate; empty if the port is TLS."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    try:
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


NO_SUCH_PAGE = b"HTTP/1.1 404 Not Found"


async def test_local_workers_serve_no_http_pages() -> None:
    before = _listening()
    async with local_workers(1):
        paths = ("/", "/info/main/workers.html", "/health", "/metrics", "/json/counts.json")
        told = {
            (port, path): await _answer(port, path)
            for port in _listening() - before
            for path in (*paths, "/statics/css/base.css")
        }
    assert told
    assert {answer.partition(b"\r\n")[0] for answer in told.values()} <= {b"", NO_SUCH_PAGE}


async def test_workers_that_cannot_start_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where 127.0.0.1 cannot be reached."""

    async def fail(_number: int, _stack: AsyncExitStack) -> distributed.Client:
        raise RuntimeError("Cluster failed to start: timed out")

    monkeypatch.setattr("prober.sharded.dask._start_workers", fail)
    with pytest.raises(ClusterError, match=r"did not start: Cluster failed .* need 127\.0\.0\.1"):
        async with local_workers(1):
            pass
