"""Runs a scan in shards on dask.distributed: on processes of this machine, or on a running cluster.

The only module that imports dask. It submits the tasks of ``stages``, one stage after the other, as
many tasks at once as there are workers. Then it passes on the rows in the order of the list.
"""

import asyncio
import contextlib
import logging
import os
import signal
import stat
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from pathlib import Path
from time import monotonic
from typing import Any, Final, NoReturn, TypeAlias, TypeVar

import dask
import distributed
from distributed.comm.addressing import get_address_host
from distributed.comm.core import CommClosedError

from prober.domains import Entry
from prober.errors import ProbeError, SettingsError, blind
from prober.progress import Progress
from prober.records import Run
from prober.rules.deep_plan import MAX_CONNECTIONS
from prober.rules.totals import Totals
from prober.scan import unique
from prober.sharded.deep_shares import DeepShares
from prober.sharded.files import read_pieces, read_record
from prober.sharded.folder import Job, Plan, WorkFolder
from prober.sharded.owner import Owner, for_each, race
from prober.sharded.stages import (
    Probed,
    ShardedScan,
    Work,
    count_operators,
    judge_shard,
    probe_partition,
    require_same,
    resolve_shard,
    worker_share,
)

log = logging.getLogger(__name__)

T = TypeVar("T")
_CONNECT_S: Final = 10.0
_FIRST_WORKER_S: Final = 60.0
_NO_WORKER_S: Final = 60.0  # dask restarts a killed worker within a few seconds
_POLL_S: Final = 2.0
_ROOT: Final = 0
_SAFE_PATH: Final = "PYTHONSAFEPATH"
_PARTITIONS_PER_WORKER: Final = 4  # a lost worker loses at most a quarter of its work


class ClusterError(ProbeError):
    """The workers cannot finish, so the report cannot be written."""

    exit_status = 5


Take: TypeAlias = Callable[[Sequence[Iterable[bytes]]], None]  # receives the rows of each report
Show: TypeAlias = Callable[[str, int, int | None], None]  # stage, number done, total or None


@contextlib.asynccontextmanager
async def local_workers(number: int) -> AsyncIterator[distributed.Client]:
    """Start *number* worker processes on this machine.

    They use TLS with keys made for this run: a scheduler runs any code that a client sends, and
    every user of the machine can connect to loopback. Raises SettingsError if the temporary folder
    is open to other users, and ClusterError if they do not start.
    """
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(_private_settings())
        with block_sigint():
            try:
                client = await _finish_start(_start_workers(number, stack))
            except (RuntimeError, OSError) as error:
                raise ClusterError(
                    f"the workers on this machine did not start: {error}; they need 127.0.0.1"
                ) from error
        yield client


async def _start_workers(number: int, stack: contextlib.AsyncExitStack) -> distributed.Client:
    cluster = distributed.LocalCluster(
        n_workers=number,
        threads_per_worker=1,
        processes=True,
        security=True,
        dashboard_address=None,
        scheduler_kwargs={
            "dashboard_address": "127.0.0.1:0"
        },  # it always listens; the default port is 8787
        memory_limit=0,  # each stage limits its own memory; dask must not pause workers
        silence_logs=logging.CRITICAL,
        asynchronous=True,
    )
    await stack.enter_async_context(cluster)
    client: distributed.Client = await distributed.Client(cluster, asynchronous=True)
    stack.push_async_callback(client.close)
    return client


@contextlib.contextmanager
def _private_settings() -> Iterator[None]:
    """Settings that keep dask's processes from using folders that another user can write to.

    By default scheduler, nannies and workers put ``dask-scratch-space`` of the shared temporary
    folder on ``sys.path``, even if another user made it, and lock files there. Their HTTP servers
    need no password and cannot be switched off, so they get no routes. Python started with ``-c``,
    as multiprocessing does, imports from the current folder first, so ``PYTHONSAFEPATH`` is set.
    """
    with contextlib.ExitStack() as stack:
        settings = {
            "temporary-directory": str(stack.enter_context(_private_folder())),
            "distributed.scheduler.http.routes": [],
            "distributed.worker.http.routes": [],
        }
        stack.enter_context(dask.config.set(settings))
        before = os.environ.get(_SAFE_PATH)
        os.environ[_SAFE_PATH] = "1"
        try:
            yield
        finally:
            os.environ.pop(_SAFE_PATH)
            if before is not None:
                os.environ[_SAFE_PATH] = before


@contextlib.contextmanager
def _private_folder() -> Iterator[Path]:
    """Make a temporary folder that only this user can enter, and remove it at the end.

    Raises SettingsError if the file system does not keep other users out.
    """
    try:
        made = tempfile.TemporaryDirectory(prefix="probe-workers-", ignore_cleanup_errors=True)
    except OSError as error:
        raise SettingsError(
            f"cannot make a temporary folder for the workers: {error}; choose one with TMPDIR"
        ) from error
    with made as name:
        folder = Path(name)
        fault = _find_access_by_others(folder)
        if fault is not None:
            raise SettingsError(f"{fault}: choose another temporary folder with TMPDIR")
        yield folder


def _find_access_by_others(folder: Path) -> str | None:
    """How another user could write to or replace the new *folder*; None if they cannot."""
    found = folder.lstat()
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) != stat.S_IRWXU:
        return f"other users may enter {folder}, whose owner and mode cannot be set"
    for parent in folder.resolve().parents:
        found = parent.stat()
        if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
            return f"other users may replace {folder}: {parent} is not sticky"
        if found.st_uid not in (_ROOT, os.geteuid()):
            return f"another user may replace {folder}: {parent} belongs to that user"
    return None


async def _finish_start(starting: Coroutine[Any, Any, T]) -> T:
    """Await *starting*, even if cancelled: dask loses processes if its start is interrupted."""
    task = asyncio.create_task(starting)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


@contextlib.contextmanager
def block_sigint() -> Iterator[None]:
    """Block SIGINT in processes that are started in this block. Ctrl-C reaches all of a terminal.

    Only the coordinator reacts to Ctrl-C: it stops the workers.
    """
    resource_tracker.ensure_running()  # its start unblocks SIGINT, so start it before
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.asynccontextmanager
async def running_scheduler(
    address: str, *, connect_s: float = _CONNECT_S
) -> AsyncIterator[distributed.Client]:
    """Connect to the scheduler at *address*.

    For ``tls://`` the certificates come from dask's settings.

    Raises SettingsError if no scheduler answers, or if it has no worker.
    """
    try:
        client = await distributed.Client(address, asynchronous=True, timeout=connect_s)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise SettingsError(f"no scheduler answers at {address}: {error}") from error
    async with client:
        try:
            await client.wait_for_workers(1, timeout=_FIRST_WORKER_S)
        except TimeoutError as error:
            raise SettingsError(f"the scheduler at {address} has no worker: start one") from error
        yield client


async def scan_in_shards(
    entries: Iterable[Entry],
    job: ShardedScan,
    cluster: contextlib.AbstractAsyncContextManager[distributed.Client],
    take: Take,
    *,
    progress: Progress,
    show: Show = lambda _stage, _done, _total: None,
) -> Totals:
    """Scan *entries* on *cluster*, pass the rows to *take* in list order, and return totals.

    The work folder stays. Remove it when the reports are finished; until then a run with ``resume``
    continues it. Raises ResumeError if the folder belongs to another run, SettingsError for a
    cluster that does not fit, ClusterError if workers die. Cancellation stops the tasks within
    about a second.
    """
    folder = WorkFolder(job.folder.absolute())
    async with cluster as client:
        partitions = _PARTITIONS_PER_WORKER * (await _measure_capacity(client)).at_once
        begun = Job(dict(job.identity), job.shard_size, partitions)
        begun = folder.claim(begun, resume=job.resume)
        owner = Owner(folder, folder.take_over())
        coordinator = _Coordinator(client, owner, begun, job, show)
        try:
            with folder.translate_errors():
                await race(_fail_without_workers(client), coordinator.run_stages(entries, progress))
                _raise_if_blind(coordinator.totals, folder)
                await _write_rows(folder, len(job.judging.layouts), take)
        finally:
            folder.stop(owner.token)
    return coordinator.totals


def _raise_if_blind(totals: Totals, folder: WorkFolder) -> None:
    """Raise BlindError if no result says anything, because the workers have no network or DNS."""
    if totals.is_hopeless and totals.why_blind is not None:
        folder.remove()  # nothing here is worth resuming
        raise blind(totals.why_blind)


async def _fail_without_workers(client: distributed.Client) -> NoReturn:
    """Raise ClusterError when there has been no worker for ``_NO_WORKER_S``.

    Dask would wait for ever, for example for local workers that cannot start.
    """
    seen = monotonic()
    while monotonic() - seen < _NO_WORKER_S:
        await asyncio.sleep(_POLL_S)
        with contextlib.suppress(OSError):  # if the scheduler is gone, a task reports it
            if await client.nthreads():
                seen = monotonic()
    raise ClusterError(
        f"no worker for {_NO_WORKER_S:g} s: workers stop or cannot start; see their logs"
    )


@dataclass(frozen=True, slots=True)
class _Capacity:
    """How many tasks run at once: in total, and on the machine with the most workers."""

    at_once: int
    on_machine: int


async def _measure_capacity(client: distributed.Client) -> _Capacity:
    threads: dict[str, int] = await client.nthreads()
    machines: Counter[str] = Counter()
    for address, number in threads.items():
        machines[get_address_host(address)] += number
    return _Capacity(max(1, machines.total()), max(machines.values(), default=1))


class _Coordinator:
    """Submits the tasks, one stage after the other. Keeps only a digest per domain in memory."""

    def __init__(
        self, client: distributed.Client, owner: Owner, begun: Job, job: ShardedScan, show: Show
    ) -> None:
        self.totals = Totals()
        self._client = client
        self._owner = owner
        self._begun = begun
        self._job = job
        self._show = show
        self._run: Run | None = None
        self._endpoints: dict[int, int] = {}  # by partition, as the count stage returned them
        self._shares: DeepShares | None = None  # from the probe stage on, with --deep

    async def run_stages(self, entries: Iterable[Entry], progress: Progress) -> None:
        """Run all stages. A task whose last file exists is skipped."""
        folder = self._owner.folder
        partitions = range(self._begun.partitions)
        shards: Iterable[int] = self._plan(entries, progress)
        await self._stage("resolving", shards, resolve_shard, folder.resolved, Run)
        shards = range(folder.plan.shards)
        progress.duplicates = folder.plan.duplicates
        await self._stage("counting", partitions, count_operators, folder.counted, int)
        self._shares = self._deep_shares()
        await self._stage("probing", partitions, probe_partition, folder.probed, Probed)
        self._shares = None
        await self._stage("judging", shards, judge_shard, folder.judged, Totals)

    def _deep_shares(self) -> DeepShares | None:
        """How to divide the budget of ``--deep``. Partitions that were probed before get none."""
        settings, folder = self._job.settings, self._owner.folder
        if not settings.deep:
            return None
        left = {
            partition: number
            for partition, number in self._endpoints.items()
            if not folder.probed(partition).exists()
        }
        most = MAX_CONNECTIONS + (settings.deep_connections if settings.deep_full else 0)
        return DeepShares(settings.pace.deep_budget, left, most)

    def _plan(self, entries: Iterable[Entry], progress: Progress) -> Iterator[int]:
        """Yield the numbers of the shards. Each shard is written when its number is needed."""
        folder = self._owner.folder
        if folder.is_planned:
            yield from range(folder.plan.shards)
            return
        rest = unique(entries, progress)
        shards = 0
        while folder.write_shard(shards, rest, self._begun.shard_size):
            yield shards
            shards += 1
        folder.write_plan(Plan(shards, progress.duplicates))

    async def _stage(
        self,
        name: str,
        numbers: Iterable[int],
        task: Callable[[Work, int], T],
        last_file: Callable[[int], Path],
        type_: type[T],
    ) -> None:
        """Run *task* for each of *numbers*, with as many tasks at once as there are workers.

        More would be wrong: the limits are divided by the number of workers.
        """
        work = await self._work()
        done = 0

        async def finish(number: int) -> None:
            nonlocal done
            path = last_file(number)
            is_done = path.exists()
            self._add_result(
                number,
                read_record(path, type_) if is_done else await self._submit(task, work, number),
            )
            done += 1
            self._show(name, done, len(numbers) if isinstance(numbers, range) else None)

        await for_each(numbers, finish, at_once=work.at_once)
        log.info("%s: %d shards or partitions done", name, done)

    async def _work(self) -> Work:
        capacity = await _measure_capacity(self._client)
        settings = self._job.settings
        return Work(
            owner=self._owner,
            partitions=self._begun.partitions,
            at_once=capacity.at_once,
            settings=worker_share(
                settings, on_machine=capacity.on_machine, at_once=capacity.at_once
            ),
            judging=self._job.judging,
        )

    async def _submit(self, task: Callable[[Work, int], T], work: Work, number: int) -> T:
        """Run *task* on a worker, and return its result. Dask repeats it if the worker dies."""
        key = f"{task.__name__}-{number}-{self._owner.token}"
        if self._shares is not None:
            work = replace(work, deep_share=self._shares.take(number))
        future = self._client.submit(task, work, number, key=key, pure=False)
        # Shielded, since distributed shares one fetch of results among all who wait. A waiting task
        # that is cancelled before the fetch starts breaks each later one of this client.
        fetching = asyncio.ensure_future(future)
        fetching.add_done_callback(_mark_retrieved)
        try:
            result: T = await asyncio.shield(fetching)
        except distributed.KilledWorker as error:
            workers = error.allowed_failures + 1
            raise ClusterError(
                f"{task.__name__} {number}: {workers} workers died while running it, one after the "
                "other. They may have too little memory: try a smaller --shard-size"
            ) from error
        except (distributed.CancelledError, CommClosedError) as error:
            raise ClusterError("the connection to the scheduler was lost") from error
        except asyncio.CancelledError as error:
            if fetching.cancelled():  # by dask, not by us
                raise ClusterError(f"{task.__name__} {number}: dask cancelled it") from error
            raise
        finally:
            future.release()
        return result

    def _add_result(self, number: int, result: object) -> None:
        match result:
            case Totals():
                self.totals.merge(result)
            case Run():
                self._run = self._run or result
                require_same(self._run, result)
            case Probed(run=run, deep_spent=spent):
                self._add_result(number, run)
                if self._shares is not None:
                    self._shares.settle(number, spent)
            case int():
                self._endpoints[number] = result


def _mark_retrieved(fetching: "asyncio.Future[object]") -> None:
    """Keep asyncio from logging the error of a fetch that nobody waits for any more."""
    if not fetching.cancelled():
        fetching.exception()


async def _write_rows(folder: WorkFolder, reports: int, take: Take) -> None:
    for shard in range(folder.plan.shards):
        take([read_pieces(folder.rows(shard, report)) for report in range(reports)])
        await asyncio.sleep(0)  # lets a signal interrupt between two shards
