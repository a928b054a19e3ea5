"""Reads the lines of a test: what comes out, and what was not understood. And one delivery."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from prober.logs.lines import LineParser
from prober.logs.reading import make_readers, software_of
from prober.logs.records import Content, Delivery, Session, Status, Tls

WRITTEN = datetime(2026, 11, 28, 18, 0, tzinfo=UTC)  # when the logs of the tests were
SENT = Delivery(
    time=datetime(2026, 3, 10, tzinfo=UTC),
    server="mx1",
    software="postfix",
    queue_id="AAAAAA",
    domain="example.com",
    recipient="a@example.com",
    address="192.0.2.1",
    status=Status.SENT,
    content=Content.LEFT,
    session=Session(tls=Tls.ENCRYPTED),
)
"""It left encrypted. A test replaces what it is about."""


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
        reader = readers.get(software_of(line.program)) if line is not None else None
        if line is None or (reader is not None and not reader.read(line)):
            outcome.unread.append(raw)
    for each in readers.values():
        each.finish()
    return outcome


def told(delivery: Delivery) -> str:
    """*delivery* in one line, to compare with a table."""
    session = delivery.session
    tls = f"{session.tls}/{session.identity}" if session.tls is Tls.ENCRYPTED else session.tls
    peer = f"{delivery.relay or '-'}[{delivery.address or '-'}]"
    where = "local" if delivery.local else peer
    words = [delivery.status, delivery.content, tls, session.version, where]
    return " ".join(word for word in words if word)
