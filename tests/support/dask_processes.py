"""A real ``dask scheduler`` and ``dask worker`` processes on loopback."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.cli.commands import environment
from tests.support.waiting import until

_DASK = Path(sys.executable).with_name("dask")
_GRACE_S = 1.0


@asynccontextmanager
async def dask(folder: Path, *args: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """``dask ARGS`` with *folder* for its files, which does not outlive this context."""
    process = await asyncio.create_subprocess_exec(
        _DASK,
        *args,
        env=environment(
            {
                "PYTHONWARNINGS": "default",  # dask's own are not ours to mend
                "DASK_TEMPORARY_DIRECTORY": str(folder),  # not one that all users share
            }
        ),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """By force where it does not end by itself: dask may wait for a connection that is gone."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_GRACE_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


@asynccontextmanager
async def cluster(folder: Path, workers: int, *tls: str) -> AsyncIterator[str]:
    """A scheduler with so many workers; yields its address. *tls*: dask's options for that."""
    file = folder / "scheduler.json"
    listen = ("--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0")
    protocol = ("--protocol", "tls") if tls else ()
    async with AsyncExitStack() as stack:
        scheduler = ("scheduler", *listen, *protocol, *tls, "--scheduler-file", str(file))
        await stack.enter_async_context(dask(folder, *scheduler))
        await until(lambda: _is_whole(file))
        address: str = json.loads(file.read_bytes())["address"]
        for _ in range(workers):
            await stack.enter_async_context(worker(address, folder, *tls))
        yield address


def _is_whole(file: Path) -> bool:
    """Whether dask has written it to its end: it appears before that."""
    try:
        return bool(json.loads(file.read_bytes()))
    except (FileNotFoundError, ValueError):
        return False


def worker(
    address: str, folder: Path, *tls: str
) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    """A worker of one thread, which nobody starts again."""
    return dask(
        folder,
        *("worker", address, *tls, "--nthreads", "1", "--no-nanny", "--memory-limit", "0"),
        *("--host", "127.0.0.1", "--no-dashboard"),
    )
