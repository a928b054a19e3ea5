"""Reads many messages in two passes: learn habits from all of them, then judge each.

Between the passes the parsed messages are in a temporary file, so that stdin works and memory does
not grow with the mailbox. ``Receivers`` probes the receiving servers.
"""

import logging
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from prober.answer_cache import SingleFlight
from prober.domains import Entry, parse_domain
from prober.errors import InputError
from prober.faults import internal_fault
from prober.files import read_whole, why_unreadable
from prober.headers.habits import Habits
from prober.headers.join import join, receiving_hops
from prober.headers.judge import judge_lines, learn_lines, parse_lines
from prober.headers.mailbox import INTERNAL_FAULT
from prober.headers.records import (
    HEADERS_SCHEMA,
    Habit,
    HopProbe,
    MessageHeaders,
    MessageReport,
    Received,
)
from prober.headers.tables import MAX_PROBED
from prober.headers.trust import TrustedBy
from prober.probe import probe_entry, probe_hosts, resolve_addresses
from prober.records import EndpointFacts, MxHost
from prober.report.sinks import open_sink, write_whole
from prober.rules.verdict import is_fault
from prober.vantage import Vantage

_log: Final = logging.getLogger(__name__)
_KEPT_ANSWERS: Final = 1000
_MAX_BYTES: Final = 1 << 30  # size limit of a habits file: several million servers


def infer(
    messages: Iterable[MessageHeaders], habits: Habits, trusted_by: TrustedBy
) -> Iterator[MessageReport]:
    """Yield the report on each message in order, after learning habits from all of them."""
    encoder, decoder = msgspec.json.Encoder(), msgspec.json.Decoder(_Parsed)
    with tempfile.TemporaryFile(prefix="probe-headers-") as spool:
        for message in messages:
            spool.write(encoder.encode(_parse_and_learn(message, habits, trusted_by)) + b"\n")
        spool.seek(0)
        for line in spool:
            yield _judge(decoder.decode(line), habits, trusted_by)


def _parse_and_learn(message: MessageHeaders, habits: Habits, trusted_by: TrustedBy) -> "_Parsed":
    """Parse one message. An internal fault affects this message only, not the run."""
    try:
        lines = parse_lines(message)
        learn_lines(lines, habits, trusted_by)
        return _Parsed(replace(message, received=()), lines)
    except Exception:
        return _Parsed(_faulty(message), ())


def _judge(parsed: "_Parsed", habits: Habits, trusted_by: TrustedBy) -> MessageReport:
    try:
        return judge_lines(parsed.message, parsed.lines, habits, trusted_by)
    except Exception:
        return judge_lines(_faulty(parsed.message), (), habits, trusted_by)


def _faulty(message: MessageHeaders) -> MessageHeaders:
    _log.exception("%s message %d: internal fault", message.file, message.position)
    return replace(message, received=(), error=INTERNAL_FAULT)


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A message with its parsed lines. ``message.received`` is empty: the lines hold the texts."""

    message: MessageHeaders
    lines: tuple[Received, ...]


@dataclass(frozen=True, slots=True)
class _HabitsFile:
    schema: int
    habits: tuple[Habit, ...]


def load_habits(path: Path, habits: Habits) -> None:
    """Add the habits in file *path* to *habits*. A missing file counts as empty.

    Raises ``InputError`` if the file cannot be read, or is not a habits file of this version.
    """
    try:
        loaded = msgspec.json.decode(read_whole(path, _MAX_BYTES), type=_HabitsFile)
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"cannot read {path}: {why_unreadable(error)}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path} is not a habits file: {error}") from error
    if loaded.schema != HEADERS_SCHEMA:
        raise InputError(f"{path} was written by another version: schema {loaded.schema}")
    habits.load(loaded.habits)


def save_habits(path: Path, habits: Habits) -> None:
    """Write *habits* to *path*, completely or not at all. Raises ``ReportError`` if it cannot."""
    body = msgspec.json.encode(_HabitsFile(HEADERS_SCHEMA, tuple(habits)))
    sink = open_sink(path, what="the habits")
    write_whole(sink, msgspec.json.format(body, indent=2) + b"\n")


class Receivers:
    """Probes the receiving servers of messages. Each server is probed once per run."""

    def __init__(self, vantage: Vantage, recipient: str | None = None) -> None:
        self._vantage = vantage
        self._recipient = recipient
        self._results: SingleFlight[tuple[str, bool], _ProbeResult] = SingleFlight(
            self._probe, size=_KEPT_ANSWERS
        )
        self._probed = 0
        self.faults = 0  # internal faults of this program

    async def add_to(self, report: MessageReport) -> MessageReport:
        """*report* with what its receivers offer now."""
        hops = receiving_hops(report)
        probes: list[HopProbe] = []
        for hop in hops:
            host = hop.received.by or ""
            result = await self._results.get((host, False))
            probes.append(join(hop, host, result.endpoints, result.detail))
        domain = self._recipient or _recipient_domain(report)
        if domain is not None:
            result = await self._results.get((domain, True))
            hop_of_domain = hops[0] if hops else None
            joined = join(hop_of_domain, domain, result.endpoints, result.detail)
            probes.append(replace(joined, hop=None))
        return replace(report, probe=tuple(probes))

    async def aclose(self) -> None:
        """Cancel running probes."""
        await self._results.aclose()

    async def _probe(self, what: tuple[str, bool]) -> "_ProbeResult":
        name, is_domain = what
        self._probed += 1
        if self._probed > MAX_PROBED:
            return _ProbeResult(detail=f"not contacted: more than {MAX_PROBED} names in one run")
        try:
            return await (self._probe_domain(name) if is_domain else self._probe_host(name))
        except Exception as error:
            self.faults += 1
            return _ProbeResult(detail=internal_fault(error, name))

    async def _probe_domain(self, name: str) -> "_ProbeResult":
        report = await probe_entry(Entry(text=name, domain=name), self._vantage)
        self.faults += is_fault(report)
        if is_fault(report):
            return _ProbeResult(detail=report.error)
        route = report.route
        nothing = "no domain" if route is None else f"no endpoint: {route.status}"
        return _result(report.endpoints, nothing)

    async def _probe_host(self, name: str) -> "_ProbeResult":
        try:
            host = MxHost(name=parse_domain(name), preference=0)
        except InputError as error:
            return _ProbeResult(detail=f"not contacted: {error}")
        if "." not in host.name:
            return _ProbeResult(detail="not contacted: the name is not in the public DNS")
        host = await resolve_addresses(host, self._vantage)
        nothing = host.failure.reason if host.failure else "it has no address"
        return _result(await probe_hosts([host], self._vantage), str(nothing))


@dataclass(frozen=True, slots=True, kw_only=True)
class _ProbeResult:
    """The endpoints of a name; *detail* says why they are missing or failed."""

    endpoints: tuple[EndpointFacts, ...] = ()
    detail: str | None = None


def _result(endpoints: tuple[EndpointFacts, ...], nothing: str) -> _ProbeResult:
    if not endpoints:
        return _ProbeResult(detail=nothing)
    failure = next((seen.failure for seen in endpoints if seen.failure is not None), None)
    detail = f"{failure.step}: {failure.reason}" if failure is not None else None
    return _ProbeResult(endpoints=endpoints, detail=detail)


def _recipient_domain(report: MessageReport) -> str | None:
    """The recipient's domain: from a field above all lines, or from ``for`` of a trusted line."""
    if report.message.delivered_to is not None:
        return report.message.delivered_to
    for hop in receiving_hops(report):
        if hop.received.for_ is not None and "@" in hop.received.for_:
            try:
                return parse_domain(hop.received.for_)
            except InputError:
                continue
    return None
