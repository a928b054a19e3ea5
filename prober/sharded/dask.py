"""A scan in shards on dask.distributed: on this machine's cores, or on a cluster that runs.

The only importer of dask. What a task does, sharded/stages.py says; this hands them out, a stage
after the other, so many at once as there are workers, and puts the rows together in the order of
the list.
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
from dataclasses import dataclass
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
from prober.rules.totals import Totals
from prober.scan import unique
from prober.sharded.files import read_pieces, read_record
from prober.sharded.folder import Job, Plan, WorkFolder
from prober.sharded.owner import Owner, each, race
from prober.sharded.stages import (
    ShardedScan,
    Work,
    count_operators,
    judge_shard,
    probe_partition,
    require_same,
    resolve_shard,
    share,
)

log = logging.getLogger(__name__)

T = TypeVar("T")
_CONNECT_S: Final = 10.0
_FIRST_WORKER_S: Final = 60.0
_DESERTED_S: Final = 60.0  # a worker that was killed is back within a few
_LOOK_S: Final = 2.0
_ROOT: Final = 0
_SAFE_PATH: Final = "PYTHONSAFEPATH"
_PARTITIONS_A_WORKER: Final = 4  # what a lost worker costs is a quarter of its share


class ClusterError(ProbeError):
    """The workers cannot finish the work: the report cannot be written."""

    exit_status = 5


Take: TypeAlias = Callable[[Sequence[Iterable[bytes]]], None]  # the rows for each report
Show: TypeAlias = Callable[[str, int, int | None], None]  # the stage, how many done, of how many


@contextlib.asynccontextmanager
async def local_workers(number: int) -> AsyncIterator[distributed.Client]:
    """So many processes on this machine.

    They speak TLS with keys made for the run: a scheduler runs whatever connects to it, and on
    loopback every user of the machine could. Raises SettingsError where the temporary folder does
    not keep other users out.
    """
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(_private_settings())
        with block_sigint():
            client = await _whole(_start_workers(number, stack))
        yield client


async def _start_workers(number: int, stack: contextlib.AsyncExitStack) -> distributed.Client:
    cluster = distributed.LocalCluster(
        n_workers=number,
        threads_per_worker=1,
        processes=True,
        security=True,
        dashboard_address=None,
        scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # it listens anyway: else at 8787
        memory_limit=0,  # each stage bounds what it holds; a paused worker would help nobody
        silence_logs=logging.CRITICAL,
        asynchronous=True,
    )
    await stack.enter_async_context(cluster)
    client: distributed.Client = await distributed.Client(cluster, asynchronous=True)
    stack.push_async_callback(client.close)
    return client


@contextlib.contextmanager
def _private_settings() -> Iterator[None]:
    """Settings with which dask's processes trust no folder that another user may write to.

    By default scheduler, nannies and workers put ``dask-scratch-space`` of the shared temporary
    folder on ``sys.path`` and lock files there, whoever made it. Their HTTP servers need no
    password and cannot be switched off; without routes they tell nothing. And Python started
    with ``-c``, as multiprocessing starts it, imports from the current folder first.
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
    """A new temporary folder that only this user can enter; removed at the end.

    Raises SettingsError where the file system does not keep others out.
    """
    try:
        made = tempfile.TemporaryDirectory(prefix="probe-workers-", ignore_cleanup_errors=True)
    except OSError as error:
        raise SettingsError(
            f"no temporary folder for the workers: {error}; name another one by TMPDIR"
        ) from error
    with made as name:
        folder = Path(name)
        fault = _open_to_others(folder)
        if fault is not None:
            raise SettingsError(f"{fault}: name another temporary folder by TMPDIR")
        yield folder


def _open_to_others(folder: Path) -> str | None:
    """How another user could put files into *folder*, a new one of ours, or replace it."""
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


async def _whole(starting: Coroutine[Any, Any, T]) -> T:
    """What *starting* gives. Cancellation waits for it: dask loses processes in mid-start."""
    task = asyncio.create_task(starting)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


@contextlib.contextmanager
def block_sigint() -> Iterator[None]:
    """Processes that are started meanwhile do not hear Ctrl-C, which reaches all of a terminal.

    The coordinator hears it once they are there, and ends them.
    """
    resource_tracker.ensure_running()  # it would let them hear again when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.asynccontextmanager
async def running_scheduler(
    address: str, *, connect_s: float = _CONNECT_S
) -> AsyncIterator[distributed.Client]:
    """The cluster whose scheduler is at *address*; certificates for ``tls://`` by dask's settings.

    Raises SettingsError where none answers there, or no worker joins it.
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
    """Scan *entries* on *cluster*, hand the rows to *take* in the order of the list, count them.

    The work folder stays: remove it once the reports are finished; until then a run with
    ``resume`` goes on with it. Raises ResumeError where it is of another run, SettingsError for a
    cluster that does not fit, ClusterError where its workers die of the work. Cancellation ends
    the tasks within about a second, and leaves as it is.
    """
    folder = WorkFolder(job.folder.absolute())
    async with cluster as client:
        partitions = _PARTITIONS_A_WORKER * (await _fleet(client)).at_once
        begun = Job(dict(job.identity), job.shard_size, partitions)
        begun = folder.claim(begun, resume=job.resume)
        owner = Owner(folder, folder.take_over())
        coordinator = _Coordinator(client, owner, begun, job, show)
        try:
            with folder.faults_named():
                await race(_deserted(client), coordinator.run_stages(entries, progress))
                _require_sight(coordinator.totals, folder)
                await _hand_over(folder, len(job.judging.layouts), take)
        finally:
            folder.stop(owner.token)
    return coordinator.totals


def _require_sight(totals: Totals, folder: WorkFolder) -> None:
    """Raise BlindError where all of it is of the workers' own trouble: nobody wants such rows."""
    if totals.is_hopeless and totals.why_blind is not None:
        folder.remove()  # there is nothing to go on from: all is to be asked again
        raise blind(totals.why_blind)


async def _deserted(client: distributed.Client) -> NoReturn:
    """Wait until there has been no worker for a while. Raises ClusterError then.

    Dask waits for ever: workers of this machine that cannot start would have nobody look for them.
    """
    seen = monotonic()
    while monotonic() - seen < _DESERTED_S:
        await asyncio.sleep(_LOOK_S)
        with contextlib.suppress(OSError):  # a scheduler that is gone, its tasks tell of
            if await client.nthreads():
                seen = monotonic()
    raise ClusterError(
        f"no worker for {_DESERTED_S:g} s: they end, or cannot begin; see their logs"
    )


@dataclass(frozen=True, slots=True)
class _Fleet:
    """How many tasks run at once: in all, and on the machine that has the most of them."""

    at_once: int
    on_machine: int


async def _fleet(client: distributed.Client) -> _Fleet:
    threads: dict[str, int] = await client.nthreads()
    machines: Counter[str] = Counter()
    for address, number in threads.items():
        machines[get_address_host(address)] += number
    return _Fleet(max(1, machines.total()), max(machines.values(), default=1))


class _Coordinator:
    """Hands out the tasks, a stage after the other. Keeps nothing per domain but a digest."""

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

    async def run_stages(self, entries: Iterable[Entry], progress: Progress) -> None:
        """All stages. What has its last file is done, by this run or an earlier one."""
        folder = self._owner.folder
        partitions = range(self._begun.partitions)
        shards: Iterable[int] = self._plan(entries, progress)
        await self._stage("resolving", shards, resolve_shard, folder.resolved, Run)
        shards = range(folder.plan.shards)
        progress.duplicates = folder.plan.duplicates
        await self._stage("counting", partitions, count_operators, folder.counted, int)
        await self._stage("probing", partitions, probe_partition, folder.probed, Run)
        await self._stage("judging", shards, judge_shard, folder.judged, Totals)

    def _plan(self, entries: Iterable[Entry], progress: Progress) -> Iterator[int]:
        """The numbers of the shards; each is cut off the list when it is wanted."""
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
        """Have *task* done for each of *numbers*, as many at once as there are workers.

        No more than that, so that as many share a budget as it was divided among.
        """
        work = await self._work()
        done = 0

        async def finish(number: int) -> None:
            nonlocal done
            path = last_file(number)
            is_done = path.exists()
            self._take(read_record(path, type_) if is_done else await self._ask(task, work, number))
            done += 1
            self._show(name, done, len(numbers) if isinstance(numbers, range) else None)

        await each(numbers, finish, at_once=work.at_once)
        log.info("%s: %d shards or partitions done", name, done)

    async def _work(self) -> Work:
        fleet = await _fleet(self._client)
        settings = self._job.settings
        return Work(
            owner=self._owner,
            partitions=self._begun.partitions,
            at_once=fleet.at_once,
            settings=share(settings, on_machine=fleet.on_machine, at_once=fleet.at_once),
            judging=self._job.judging,
        )

    async def _ask(self, task: Callable[[Work, int], T], work: Work, number: int) -> T:
        """What *task* gives, on whatever worker. Dask has it done again where a worker dies."""
        key = f"{task.__name__}-{number}-{self._owner.token}"
        future = self._client.submit(task, work, number, key=key, pure=False)
        try:
            result: T = await future
        except distributed.KilledWorker as error:
            workers = error.allowed_failures + 1
            raise ClusterError(
                f"{task.__name__} {number}: {workers} workers died of it, one after the other; "
                "they may have too little memory: take a smaller --shard-size"
            ) from error
        except (distributed.CancelledError, CommClosedError) as error:
            raise ClusterError("the scheduler went away") from error
        finally:
            future.release()
        return result

    def _take(self, result: object) -> None:
        if isinstance(result, Totals):
            self.totals.merge(result)
        if isinstance(result, Run):
            self._run = self._run or result
            require_same(self._run, result)


async def _hand_over(folder: WorkFolder, reports: int, take: Take) -> None:
    for shard in range(folder.plan.shards):
        take([read_pieces(folder.rows(shard, report)) for report in range(reports)])
        await asyncio.sleep(0)  # a signal is heard between two shards
