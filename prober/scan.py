"""Many domains: read lazily, probed concurrently, reported as they finish or in list order."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Final, Self

from prober.domains import Entry, parse_domain
from prober.files import unwritable
from prober.held_reports import Held
from prober.probe import Probing, probe_entry
from prober.progress import Positions, Progress
from prober.records import DomainReport
from prober.rules.certificate_fields import CertificateReader
from prober.rules.deep_plan import is_cut_by_budget
from prober.runtime import first_error
from prober.settings import Settings
from prober.spool import Spool, Spooled
from prober.vantage import Vantage
from prober.waits import InHand, Watch

_IN_MEMORY: Final = 1000  # reports that wait for a slower one; further ones wait on the disk


class OrderedReports:
    """Takes reports with their positions, and passes each to *report*; a context manager.

    With *ordered*, reports that come too early wait: some in memory, the rest in a temporary file.
    So one slow domain at the top neither stops the scan nor fills the memory.

    With *holds_cut*, reports that the budget of ``--deep`` has cut wait until ``release``: a run
    that goes on probes their domains again. Where order is kept, all behind the first of them wait.
    """

    def __init__(
        self,
        report: Callable[[DomainReport], None],
        progress: Progress,
        *,
        ordered: bool,
        holds_cut: bool = False,
    ) -> None:
        self._report = report
        self._progress = progress
        self._ordered = ordered
        self._holds_cut = holds_cut
        self._held: dict[int, DomainReport | Spooled[DomainReport]] = {}
        self._cut: dict[int, DomainReport | Spooled[DomainReport]] = {}
        self._spool: Spool | None = None
        self._next = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._spool is not None:
            self._spool.close()

    def take(self, position: int, report: DomainReport) -> None:
        """Pass on the report at *position*, or hold it."""
        if self._holds_cut and is_cut_by_budget(report.endpoints):
            self._hold(position, report, self._cut)
            return
        if not self._ordered:
            self._hand_on(position, report)
            return
        self._skip_reported()
        if position != self._next:
            self._hold(position, report, self._held)
            return
        self._hand_on(position, report)
        self._skip_reported()
        while (held := self._held.pop(self._next, None)) is not None:
            self._hand_on(self._next, _read(held))
            self._skip_reported()

    def release(self, before: Callable[[Iterator[Held]], None]) -> None:
        """Hand on what waits because of the budget, if the budget has cut anything.

        First call *before*, with the reports that only waited for those that were cut.
        """
        if not self._cut:
            return
        before((position, _read(self._held[position])) for position in sorted(self._held))
        left = {**self._held, **self._cut}
        self._held, self._cut = {}, {}
        for position in sorted(left):
            self._hand_on(position, _read(left[position]))

    def _skip_reported(self) -> None:
        """Do not wait for reports that were passed on, in this run or in an earlier one."""
        while self._next in self._progress.reported:
            self._next += 1

    def _hold(
        self,
        position: int,
        report: DomainReport,
        held: dict[int, DomainReport | Spooled[DomainReport]],
    ) -> None:
        if len(held) < _IN_MEMORY:
            held[position] = report
            return
        try:
            self._spool = self._spool or Spool()
            held[position] = self._spool.put(report)
        except OSError as error:
            raise unwritable("the temporary folder", error, "what waits for its turn") from error

    def _hand_on(self, position: int, report: DomainReport) -> None:
        self._report(report)
        self._progress.done += 1
        self._progress.reported.add(position)


def _read(held: DomainReport | Spooled[DomainReport]) -> DomainReport:
    return held if isinstance(held, DomainReport) else held.read()


log = logging.getLogger(__name__)


async def scan(
    entries: Iterable[Entry],
    settings: Settings,
    report: Callable[[DomainReport], None],
    *,
    progress: Progress | None = None,
    ordered: bool = False,
    ending: "Ending | None" = None,
    reader: CertificateReader | None = None,
    watch: Watch | None = None,
    before_cut: Callable[[Iterator[Held]], None] | None = None,
    held: Iterable[Held] = (),
) -> None:
    """Probe all entries, and pass each report to *report* as it finishes, or in input order.

    A duplicate is counted in *progress*, and neither probed nor reported. Entries that *progress*
    has as reported are skipped. An exception of *report* ends the scan, and is raised unchanged.
    Cancellation is clean. *ending* lets the caller end the scan early. *reader* may be one that the
    caller uses, too. *watch* lets the caller see what the scan waits for. With *before_cut*, the
    reports that the budget of ``--deep`` has cut come last, and it is called before the first of
    them, with the reports that only waited for those; not if the scan ends early. *held* are such
    reports of an earlier run: their domains are not probed again.
    """
    progress, ending = progress or Progress(), ending or Ending()
    known = Positions()
    pending = (
        (position, entry)
        for position, entry in enumerate(unique(entries, progress))
        if position not in progress.reported and position not in known
    )
    holds_cut = before_cut is not None
    with OrderedReports(report, progress, ordered=ordered, holds_cut=holds_cut) as delivery:
        for position, earlier in held:
            if position not in progress.reported:
                known.add(position)
                delivery.take(position, earlier)
        async with Vantage(settings, reader=reader, watch=watch) as vantage:
            running = _Running(vantage, delivery)
            try:
                async with asyncio.TaskGroup() as group:
                    feeding = group.create_task(running.feed(pending, group))
                    ending.attach(feeding, running.tasks, settings.pace.stop_grace_s)
            except ExceptionGroup as errors:
                raise first_error(errors) from None
            finally:
                ending.detach()
        if before_cut is not None and not ending.is_requested:
            delivery.release(before_cut)


class _Running:
    """The domains in progress: some are being looked up, the others wait for servers."""

    def __init__(self, vantage: Vantage, delivery: OrderedReports) -> None:
        self._vantage = vantage
        self._delivery = delivery
        self._looking_up = asyncio.Semaphore(vantage.settings.pace.concurrency)
        self._in_hand = asyncio.Semaphore(vantage.settings.pace.in_hand)
        self.tasks: set[asyncio.Task[None]] = set()

    async def feed(self, pending: Iterator[tuple[int, Entry]], group: asyncio.TaskGroup) -> None:
        """Start one entry after the other, each when there is room. So the list is read lazily."""
        while True:
            await self._in_hand.acquire()
            await self._looking_up.acquire()
            position, entry = next(pending, (None, None))
            if position is None or entry is None:
                return
            task = group.create_task(self._probe(position, entry))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _probe(self, position: int, entry: Entry) -> None:
        probing = Probing(entry, self._vantage)
        if self._vantage.watch is not None:
            self._vantage.watch.begun[position] = InHand(so_far=probing.so_far)
        try:
            try:
                await probing.look_up()
            finally:
                self._looking_up.release()
            report = await probing.report()
            _log_verdict(report)
            self._delivery.take(position, report)
        finally:
            self._in_hand.release()


class Ending:
    """Ends a scan early: no domain is started, and those in progress get some time to finish.

    Those that do not finish in that time are not reported, as if they had not been started.
    """

    def __init__(self) -> None:
        self._requested = False
        self._feeding: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._grace_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_requested(self) -> bool:
        """Whether the scan was asked to end early."""
        return self._requested

    def request(self) -> None:
        """End the scan. Call this in its event loop, or before that runs."""
        self._requested = True
        if self._feeding is not None and self._timer is None:
            self._feeding.cancel()
            loop = self._feeding.get_loop()
            self._timer = loop.call_later(self._grace_s, self._cancel_the_rest)

    def attach(
        self, feeding: asyncio.Task[None], tasks: set[asyncio.Task[None]], grace_s: float
    ) -> None:
        """Set what to end: *feeding* at once, *tasks* after *grace_s* seconds."""
        self._feeding, self._tasks, self._grace_s = feeding, tasks, grace_s
        if self._requested:
            self.request()

    def detach(self) -> None:
        """The scan is over."""
        self._feeding = None
        if self._timer is not None:
            self._timer.cancel()

    def _cancel_the_rest(self) -> None:
        for task in list(self._tasks):
            task.cancel()


def _log_verdict(report: DomainReport) -> None:
    verdict = report.verdict
    log.info(
        "%r: %s, %d of %d endpoints tested, %d ms",
        report.domain or report.input,
        verdict.level,
        verdict.endpoints_tested,
        verdict.endpoints,
        report.elapsed_ms,
    )


def unique(entries: Iterable[Entry], progress: Progress) -> Iterator[Entry]:
    """Each domain once per set of its other columns. Entries with an error are never duplicates."""
    seen: set[bytes] = set()
    for entry in entries:
        if entry.domain is not None:
            # 8 bytes per domain: among 10 million, a false duplicate has a chance of 1 in 370,000
            whole = "\0".join((entry.domain, *entry.columns.values()))
            digest = hashlib.blake2b(whole.encode(), digest_size=8).digest()
            if digest in seen:
                progress.duplicates += 1
                continue
            seen.add(digest)
        yield entry


async def probe_domain(name: str, settings: Settings | None = None) -> DomainReport:
    """Probe one domain, in any spelling. Raises InputError if *name* is not a domain."""
    entry = Entry(text=name, domain=parse_domain(name))
    async with Vantage(settings or Settings()) as vantage:
        return await probe_entry(entry, vantage)
