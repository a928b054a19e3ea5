"""Stops a task when the run that it belongs to has ended."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Any, Final, NoReturn, TypeVar

from prober.errors import ProbeError
from prober.runtime import first_error, loop_factory
from prober.sharded.folder import WorkFolder

T = TypeVar("T")
_CHECK_S: Final = 1.0  # seconds between two checks


class StoppedError(ProbeError):
    """The run that this task belongs to has ended."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The work folder and the token of one run. The run ends when the folder's token changes."""

    folder: WorkFolder
    token: str

    def check(self) -> "RunCheck":
        """A new check whether the run has ended."""
        return RunCheck(self)

    def run(self, stage: Coroutine[Any, Any, T]) -> T:
        """Run *stage* on a new event loop. Raises StoppedError if the run ends first."""
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(self._run_until_ended(stage))

    async def _run_until_ended(self, stage: Coroutine[Any, Any, T]) -> T:
        return await race(self.check().until_ended(), stage)


class RunCheck:
    """Checks whether the run still continues, at most once per second."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._checked = -inf

    def require_owned(self) -> None:
        """Raise StoppedError if the run has ended."""
        if monotonic() - self._checked < _CHECK_S:
            return
        self._checked = monotonic()
        if not self._owner.folder.is_owned_by(self._owner.token):
            raise StoppedError("the run has ended")

    async def until_ended(self) -> NoReturn:
        """Wait until the run ends, then raise StoppedError."""
        while True:
            self.require_owned()
            await asyncio.sleep(_CHECK_S)


async def race(watch: Coroutine[Any, Any, NoReturn], work: Coroutine[Any, Any, T]) -> T:
    """Return the result of *work*, or raise what *watch* raises if that happens first."""
    watching, working = asyncio.create_task(watch), asyncio.create_task(work)
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else watching.result()
    finally:
        for task in (working, watching):
            task.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


async def for_each(items: Iterable[T], do: Callable[[T], Awaitable[None]], *, at_once: int) -> None:
    """Call *do* for each item, *at_once* at a time. Reads *items* lazily.

    Raises errors of *do*. If *do* raises CancelledError that is raised, too: a task group alone
    would return as if all items were done.
    """
    pending = iter(items)

    async def work() -> None:
        for item in pending:
            await do(item)

    fault: Exception | None = None
    tasks: list[asyncio.Task[None]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks.extend(group.create_task(work()) for _ in range(at_once))
    except ExceptionGroup as errors:
        fault = first_error(errors)
    if fault is not None:
        # Raised here, the error does not refer to the group that contains it. Such a cycle cannot
        # be pickled, so dask could not send it to another process.
        raise fault
    for task in tasks:
        task.result()
