"""Many domains: read lazily, probed side by side, reported as they complete."""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from prober.domains import Entry
from prober.probe import probe_entry
from prober.records import DomainReport
from prober.settings import Settings
from prober.vantage import Vantage


@dataclass(slots=True)
class Progress:
    """How far a scan is."""

    done: int = 0
    duplicates: int = 0


async def scan(
    entries: Iterable[Entry],
    settings: Settings,
    report: Callable[[DomainReport], None],
    progress: Progress | None = None,
) -> None:
    """Probe every entry and hand each report to *report* as it completes.

    A domain that comes again is neither probed nor reported again, but counted in *progress*.
    What *report* raises ends the scan and leaves as it is; so does cancellation, cleanly.
    """
    progress = progress or Progress()
    pending = _unique(entries, progress)
    async with Vantage(settings) as vantage:

        async def work() -> None:
            for entry in pending:  # shared: each worker takes the next one
                report(await probe_entry(entry, vantage))
                progress.done += 1

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(settings.concurrency):
                    group.create_task(work())
        except ExceptionGroup as errors:
            raise _first(errors) from None


def _first(errors: ExceptionGroup[Exception]) -> Exception:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, ExceptionGroup) else error


def _unique(entries: Iterable[Entry], progress: Progress) -> Iterator[Entry]:
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
    from prober.domains import parse_domain

    entry = Entry(text=name, domain=parse_domain(name))
    async with Vantage(settings or Settings()) as vantage:
        return await probe_entry(entry, vantage)
