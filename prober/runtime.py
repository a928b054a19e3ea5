"""What runs on an event loop runs on: which loop, what ends a group of tasks, when garbage goes."""

import asyncio
import gc
from collections.abc import Callable


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's loops where there is uvloop, at 15 % less CPU; None: asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def collect_garbage_rarely() -> None:
    """For a process that only scans: sessions and domains leave no cycles to be found.

    A library must not do this to the program that uses it.
    """
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def first_error(errors: ExceptionGroup[Exception]) -> Exception:
    """What ended a group of tasks; the others were cancelled for it."""
    error = errors.exceptions[0]
    return first_error(error) if isinstance(error, ExceptionGroup) else error
