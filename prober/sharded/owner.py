"""Runs the tasks of a run only as long as that run goes on."""

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
_LOOK_S: Final = 1.0  # between two looks whether the run still goes on


class StoppedError(ProbeError):
    """The run that this task belongs to has ended."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The run whose tasks work in a folder, until another takes over or it is stopped."""

    folder: WorkFolder
    token: str

    def watch(self) -> "Watch":
        """A look-out for the end of the run."""
        return Watch(self)

    def run(self, stage: Coroutine[Any, Any, T]) -> T:
        """Run *stage* on a loop of its own. Raises StoppedError where the run ends before it."""
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(self._while_going_on(stage))

    async def _while_going_on(self, stage: Coroutine[Any, Any, T]) -> T:
        return await race(self.watch().until_ended(), stage)


class Watch:
    """Looks whether the run still goes on, once a second at the most."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._looked = -inf

    def require_owned(self) -> None:
        """Raises StoppedError where it does not."""
        if monotonic() - self._looked < _LOOK_S:
            return
        self._looked = monotonic()
        if not self._owner.folder.is_owned_by(self._owner.token):
            raise StoppedError("the run has ended")

    async def until_ended(self) -> NoReturn:
        """Wait for its end; raises StoppedError then."""
        while True:
            self.require_owned()
            await asyncio.sleep(_LOOK_S)


async def race(watch: Coroutine[Any, Any, NoReturn], work: Coroutine[Any, Any, T]) -> T:
    """What *work* gives, unless *watch* raises before it is done; then that."""
    watching, working = asyncio.create_task(watch), asyncio.create_task(work)
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else watching.result()
    finally:
        for task in (working, watching):
            task.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


async def each(items: Iterable[T], do: Callable[[T], Awaitable[None]], *, at_once: int) -> None:
    """Do something with each item; *items* is gone through lazily. Raises what *do* raises."""
    pending = iter(items)

    async def work() -> None:
        for item in pending:
            await do(item)

    fault: Exception | None = None
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(work())
    except ExceptionGroup as errors:
        fault = first_error(errors)
    if fault is not None:  # raised out here, it does not refer to the group that refers to it:
        raise fault  # a cycle, which no engine can send to another process
