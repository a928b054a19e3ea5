"""Reads the lines of a test: what comes out, and what was not understood."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from prober.logs.lines import LineParser
from prober.logs.reading import make_readers, software_of
from prober.logs.records import Delivery

WRITTEN = datetime(2026, 11, 28, 18, 0, tzinfo=UTC)  # when the logs of the tests were


@dataclass(frozen=True, slots=True)
class Outcome:
    deliveries: list[Delivery]
    unread: list[str]


def read(lines: Iterable[str], *, inbound: bool = False, tls_logged: bool = False) -> Outcome:
    """The deliveries in *lines*, in the order in which they were decided."""
    outcome = Outcome([], [])
    readers = make_readers(outcome.deliveries.append, inbound=inbound, tls_logged=tls_logged)
    parser = LineParser(WRITTEN, UTC)
    for raw in lines:
        line = parser.parse(raw)
        software = software_of(line.program) if line is not None else None
        if line is None or (software is not None and not readers[software].read(line)):
            outcome.unread.append(raw)
    for reader in readers.values():
        reader.finish()
    return outcome
