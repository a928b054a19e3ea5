"""Many messages: habits are learnt from all of them, then each is judged; receivers are probed.

Between the two passes the fields lie in a temporary file, so that stdin can be read twice and the
memory does not grow with the mailbox.
"""

import logging
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from prober.answer_cache import SingleFlight
from prober.domains import Entry, parse_domain
from prober.errors import InputError
from prober.faults import internal_fault
from prober.files import read_whole
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
from prober.records import EndpointFacts, MxHost, Route
from prober.report.sinks import open_sink, write_whole
from prober.rules.verdict import is_fault
from prober.vantage import Vantage

_log: Final = logging.getLogger(__name__)
_KEPT_ANSWERS: Final = 1000
_MAX_BYTES: Final = 1 << 30  # of a file of habits: several million servers


def infer(
    messages: Iterable[MessageHeaders], habits: Habits, trusted_by: TrustedBy
) -> Iterator[MessageReport]:
    """The report on each of *messages*, in their order, after all of them were learnt from."""
    with _Spool() as spool:
        for message in messages:
            spool.add(_parsed_and_learnt(message, habits, trusted_by))
        for parsed in spool:
            yield _judged(parsed, habits, trusted_by)


def _parsed_and_learnt(message: MessageHeaders, habits: Habits, trusted_by: TrustedBy) -> "_Parsed":
    """*message* with its lines parsed; a fault of ours costs this message, not the run."""
    try:
        lines = parse_lines(message)
        learn_lines(lines, habits, trusted_by)
        return _Parsed(replace(message, received=()), lines)
    except Exception:
        return _Parsed(_faulty(message), ())


def _judged(parsed: "_Parsed", habits: Habits, trusted_by: TrustedBy) -> MessageReport:
    try:
        return judge_lines(parsed.message, parsed.lines, habits, trusted_by)
    except Exception:
        return judge_lines(_faulty(parsed.message), (), habits, trusted_by)


def _faulty(message: MessageHeaders) -> MessageHeaders:
    _log.exception("%s message %d: internal fault", message.file, message.position)
    return replace(message, received=(), error=INTERNAL_FAULT)


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A message with its lines parsed, which holds their texts already."""

    message: MessageHeaders
    lines: tuple[Received, ...]


class _Spool:
    """Messages on disk, a line each."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="probe-headers-")
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(_Parsed)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, parsed: _Parsed) -> None:
        self._file.write(self._encoder.encode(parsed) + b"\n")

    def __iter__(self) -> Iterator[_Parsed]:
        self._file.seek(0)
        for line in self._file:
            yield self._decoder.decode(line)


@dataclass(frozen=True, slots=True)
class _HabitsFile:
    schema: int
    habits: tuple[Habit, ...]


def load_habits(path: Path, habits: Habits) -> None:
    """Add what *path* holds to *habits*; a file that is not there holds nothing yet.

    Raises ``InputError`` for one that cannot be read or was written by something else.
    """
    try:
        loaded = msgspec.json.decode(read_whole(path, _MAX_BYTES), type=_HabitsFile)
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path} holds no habits: {error}") from error
    if loaded.schema != HEADERS_SCHEMA:
        raise InputError(f"{path} was written by another version: schema {loaded.schema}")
    habits.load(loaded.habits)


def save_habits(path: Path, habits: Habits) -> None:
    """Write *habits* to *path*, whole or not at all. Raises ``ReportError`` if it cannot."""
    body = msgspec.json.encode(_HabitsFile(HEADERS_SCHEMA, tuple(habits)))
    sink = open_sink(path, what="the habits")
    write_whole(sink, msgspec.json.format(body, indent=2) + b"\n")


class Receivers:
    """Probes the receiving servers of messages, each once a run, however many messages it has."""

    def __init__(self, vantage: Vantage, recipient: str | None = None) -> None:
        self._vantage = vantage
        self._recipient = recipient
        self._answers: SingleFlight[tuple[str, bool], _Answer] = SingleFlight(
            self._ask, size=_KEPT_ANSWERS
        )
        self._asked = 0
        self.faults = 0  # of this program

    async def add_to(self, report: MessageReport) -> MessageReport:
        """*report* with what its receivers show now."""
        hops = receiving_hops(report)
        probes: list[HopProbe] = []
        for hop in hops:
            host = hop.received.by or ""
            answer = await self._answers.get((host, False))
            probes.append(join(hop, host, answer.endpoints, answer.detail))
        domain = self._recipient or _recipient_domain(report)
        if domain is not None:
            answer = await self._answers.get((domain, True))
            hop_of_domain = hops[0] if hops else None
            joined = join(hop_of_domain, domain, answer.endpoints, answer.detail)
            probes.append(replace(joined, hop=None))
        return replace(report, probe=tuple(probes))

    async def aclose(self) -> None:
        """Cancel what is in flight."""
        await self._answers.aclose()

    async def _ask(self, what: tuple[str, bool]) -> "_Answer":
        name, is_domain = what
        self._asked += 1
        if self._asked > MAX_PROBED:
            return _Answer(detail=f"left out: more than {MAX_PROBED} names in one run")
        try:
            return await (self._ask_domain(name) if is_domain else self._ask_host(name))
        except Exception as error:
            self.faults += 1
            return _Answer(detail=internal_fault(error, name))

    async def _ask_domain(self, name: str) -> "_Answer":
        report = await probe_entry(Entry(text=name, domain=name), self._vantage)
        self.faults += is_fault(report)
        if is_fault(report):
            return _Answer(detail=report.error)
        return _answer(report.endpoints, _no_endpoint(report.route))

    async def _ask_host(self, name: str) -> "_Answer":
        try:
            host = MxHost(name=parse_domain(name), preference=0)
        except InputError as error:
            return _Answer(detail=f"not contacted: {error}")
        if "." not in host.name:
            return _Answer(detail="not contacted: the name means something only inside")
        host = await resolve_addresses(host, self._vantage)
        nothing = host.failure.reason if host.failure else "it has no address"
        return _answer(await probe_hosts([host], self._vantage), str(nothing))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """The endpoints of a name, and why there is nothing to see of them."""

    endpoints: tuple[EndpointFacts, ...] = ()
    detail: str | None = None


def _answer(endpoints: tuple[EndpointFacts, ...], nothing: str) -> _Answer:
    if not endpoints:
        return _Answer(detail=nothing)
    failure = next((seen.failure for seen in endpoints if seen.failure is not None), None)
    detail = f"{failure.step}: {failure.reason}" if failure is not None else None
    return _Answer(endpoints=endpoints, detail=detail)


def _no_endpoint(route: Route | None) -> str:
    return "no domain" if route is None else f"no endpoint: {route.status}"


def _recipient_domain(report: MessageReport) -> str | None:
    """Of a field above all lines, or of the ``for`` of a line inside the trust boundary."""
    if report.message.delivered_to is not None:
        return report.message.delivered_to
    for hop in receiving_hops(report):
        if hop.received.for_ is not None and "@" in hop.received.for_:
            try:
                return parse_domain(hop.received.for_)
            except InputError:
                continue
    return None
