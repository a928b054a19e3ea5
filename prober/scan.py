"""Many domains: read lazily, probed side by side, reported as they complete or in their order."""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from prober.domains import Entry, parse_domain
from prober.probe import probe_entry
from prober.records import DomainReport
from prober.settings import Settings
from prober.vantage import Vantage

_HELD: Final = 1000  # reports that may wait for a slow one before them, where order is kept


@dataclass(slots=True)
class Progress:
    """How far a scan is."""

    done: int = 0
    duplicates: int = 0


async def scan(
    entries: Iterable[Entry],
    settings: Settings,
    report: Callable[[DomainReport], None],
    *,
    progress: Progress | None = None,
    ordered: bool = False,
) -> None:
    """Probe every entry and hand each report to *report* as it completes, or in input order.

    A domain that comes again is neither probed nor reported again, but counted in *progress*.
    What *report* raises ends the scan and leaves as it is; so does cancellation, cleanly.
    """
    progress = progress or Progress()
    pending = enumerate(unique(entries, progress))
    async with Vantage(settings) as vantage:
        delivery = _Delivery(report, progress, ordered=ordered)

        async def work() -> None:
            while True:
                await delivery.has_room()
                position, entry = next(pending, (None, None))
                if position is None or entry is None:
                    return
                delivery.take(position, await probe_entry(entry, vantage))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(settings.concurrency):
                    group.create_task(work())
        except ExceptionGroup as errors:
            raise _first(errors) from None


class _Delivery:
    """Hands reports on: at once, or held until those before them have come."""

    def __init__(
        self, report: Callable[[DomainReport], None], progress: Progress, *, ordered: bool
    ) -> None:
        self._report = report
        self._progress = progress
        self._ordered = ordered
        self._held: dict[int, DomainReport] = {}
        self._next = 0
        self._room = asyncio.Event()
        self._room.set()

    async def has_room(self) -> None:
        """Wait while too many reports are held."""
        await self._room.wait()

    def take(self, position: int, report: DomainReport) -> None:
        """Hand on the report at *position*, or hold it."""
        self._progress.done += 1
        if not self._ordered:
            self._report(report)
            return
        self._held[position] = report
        while self._next in self._held:
            self._report(self._held.pop(self._next))
            self._next += 1
        if len(self._held) < _HELD:
            self._room.set()
        else:
            self._room.clear()


def _first(errors: ExceptionGroup[Exception]) -> Exception:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, ExceptionGroup) else error


def unique(entries: Iterable[Entry], progress: Progress) -> Iterator[Entry]:
    """Each domain once; what is no domain every time, since each such line wants its row."""
    seen: set[bytes] = set()
    for entry in entries:
        if entry.domain is not None:
            # 8 bytes a domain: among 10 million the chance of a false duplicate is 1 in 370,000
            digest = hashlib.blake2b(entry.domain.encode(), digest_size=8).digest()
            if digest in seen:
                progress.duplicates += 1
                continue
            seen.add(digest)
        yield entry


async def probe_domain(name: str, settings: Settings | None = None) -> DomainReport:
    """Probe one domain, in any spelling. Raises InputError where *name* is no domain."""
    entry = Entry(text=name, domain=parse_domain(name))
    async with Vantage(settings or Settings()) as vantage:
        return await probe_entry(entry, vantage)
