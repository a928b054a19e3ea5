"""Shared by the readers of all mail servers: bounded memory, and deliveries without a TLS line."""

import abc
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final, Generic, TypeVar

from prober.logs.lines import Line
from prober.logs.records import Content, Delivery, Direction, Session, Status, Tls, domain_of

MAX_MESSAGES: Final = 200_000  # queue ids that are open at once; about 350 bytes each
MAX_PROCESSES: Final = 20_000  # processes or sessions that are open at once
MAX_WAITING: Final = 20_000  # deliveries without a TLS line, until the program logs TLS
MAX_TEXT: Final = 1000  # characters of a message id or a reply that are kept
NEAR: Final = timedelta(days=1)  # a TLS line explains deliveries at most so far from it
SLACK: Final = timedelta(seconds=2)  # stamps are cut to seconds
FORGETTABLE: Final = timedelta(hours=1)  # a process that wrote nothing for so long has finished

LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)  # earlier than any line

NO_TLS: Final = "no TLS line is in the log"
BEGINS: Final = "the log begins in the middle of this connection"
FORGOTTEN: Final = "too many connections were open at once to remember this one"
NOT_SENT: Final = "the message was not sent"
IS_LOCAL: Final = "local delivery"

NOTHING_SENT: Final = Session(why=NOT_SENT)
LOCAL_SESSION: Final = Session(why=IS_LOCAL)

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
Emit = Callable[[Delivery], None]
Program = tuple[str, str]  # host and name
Process = tuple[str, str, str]  # and process id
Peer = tuple[str | None, str | None]  # name and address


class Reader(abc.ABC):
    """Reads the lines of one kind of mail server and emits deliveries."""

    software: ClassVar[str]

    def __init__(self, emit: Emit, *, tls_logged: bool = False, inbound: bool = False) -> None:
        self.dropped = 0  # entries that were forgotten because of a bound
        self._emit = emit
        self._inbound = inbound
        self._silence = Silence(emit, tls_logged=tls_logged)
        self._begins: dict[str, datetime] = {}  # the first line of each host
        self._processes = Processes()  # that send
        self._message_ids: Bounded[tuple[str, str], str] = Bounded(MAX_MESSAGES, self._drop)

    @abc.abstractmethod
    def read(self, line: Line) -> bool:
        """Read *line*. False: it should have been understood, and was not."""

    def finish(self) -> None:
        """Emit what still waits: the logs have ended."""
        self._silence.finish()

    def _sent(
        self,
        line: Line,
        queue_id: str,
        recipient: str | None,
        peer: Peer,
        status: Status,
        content: Content,
        reply: str = "",
        *,
        local: bool = False,
    ) -> Delivery:
        """The delivery attempt in *line*, without its session."""
        return Delivery(
            time=line.time,
            server=line.host,
            software=self.software,
            queue_id=queue_id,
            message_id=self._message_ids.get((line.host, queue_id)),
            domain=domain_of(recipient or ""),
            recipient=recipient,
            relay=peer[0],
            address=peer[1],
            status=status,
            content=content,
            local=local,
            reply=_shortened(reply) or None,
        )

    def _received(self, line: Line, queue_id: str, sender: str | None, peer: Peer) -> Delivery:
        """The message that was received, as *line* says."""
        sent = self._sent(line, queue_id, sender, peer, Status.SENT, Content.LEFT)
        return replace(sent, direction=Direction.IN)

    def _decide(
        self,
        program: Program,
        delivery: Delivery,
        session: Session | None,
        took: timedelta | None = None,
    ) -> None:
        """Emit *delivery* with *session*. None: the log has no TLS line for it.

        *took*: how long ago its connection may have begun. None: the line itself tells of TLS.
        """
        if session is not None:
            pass
        elif delivery.local:
            session = LOCAL_SESSION
        elif delivery.content is Content.HELD or delivery.address is None:
            session = NOTHING_SENT
        elif program in self._processes.forgot:
            session = Session(why=FORGOTTEN)
        elif took is not None and delivery.time - took - SLACK < self._begins[delivery.server]:
            session = Session(why=BEGINS)
        else:
            self._silence.judge(program, delivery)
            return
        self._emit(replace(delivery, session=session))

    def _drop(self, _key: object, _value: object) -> None:
        self.dropped += 1


def _shortened(reply: str) -> str:
    """*reply*, cut between two words: a part of an address could not be recognised as one."""
    return reply if len(reply) <= MAX_TEXT else reply[:MAX_TEXT].rpartition(" ")[0]


class Bounded(Generic[K, V]):
    """A dict of at most *most* entries. Beyond that the oldest is forgotten."""

    def __init__(self, most: int, forgotten: Callable[[K, V], None] = lambda _key, _: None) -> None:
        self._entries: dict[K, V] = {}
        self._most = most
        self._forgotten = forgotten
        self.get, self.values = self._entries.get, self._entries.values

    def pop(self, key: K) -> V | None:
        """Remove and return the entry of *key*."""
        return self._entries.pop(key, None)

    def put(self, key: K, value: V) -> None:
        """Set the entry of *key*, as the newest."""
        self._entries.pop(key, None)
        self._entries[key] = value
        if len(self._entries) > self._most:
            oldest = next(iter(self._entries))
            self._forgotten(oldest, self._entries.pop(oldest))


@dataclass(slots=True)
class Connection:
    """The last TLS connection of a process, and the message that it was joined to."""

    endpoint: str
    session: Session
    time: datetime
    message: object = None


class Processes(Bounded[Process, Connection]):
    """The connection of each process, by host, program and process id.

    ``forgot`` has the programs of which a process was forgotten while it could still deliver: one
    that wrote nothing for an hour has finished its deliveries.
    """

    def __init__(self) -> None:
        super().__init__(MAX_PROCESSES, self._note)
        self.forgot: set[Program] = set()

    def _note(self, key: Process, connection: Connection) -> None:
        newest = next(reversed(self.values()))
        if newest.time - connection.time < FORGETTABLE:
            self.forgot.add(key[:2])


class Silence:
    """Decides what it means that a log has no TLS line for a delivery.

    If the server logs TLS, that delivery was in clear. If it never logs TLS, nothing is known. So
    the delivery is in clear where the same program of the same host logged TLS for another delivery
    within a day, before or after; else it is unknown.
    """

    def __init__(self, emit: Emit, *, tls_logged: bool) -> None:
        self._emit = emit
        self._tls_logged = tls_logged
        self._seen: dict[Program, datetime] = {}  # the last TLS line of each program
        self._waiting: dict[Program, deque[Delivery]] = {}

    def tls_line(self, program: Program, time: datetime) -> None:
        """*program* (host, name) logged TLS."""
        self._seen[program] = time
        for delivery in self._waiting.pop(program, ()):
            self._resolve(delivery, known=abs(delivery.time - time) <= NEAR)

    def judge(self, program: Program, delivery: Delivery) -> None:
        """Emit *delivery*, which has no TLS line, now or when its meaning is known."""
        seen = self._seen.get(program)
        if self._tls_logged or (seen is not None and abs(delivery.time - seen) <= NEAR):
            self._resolve(delivery, known=True)
            return
        waiting = self._waiting.setdefault(program, deque())
        waiting.append(delivery)
        while len(waiting) > MAX_WAITING or delivery.time - waiting[0].time > NEAR:
            self._resolve(waiting.popleft(), known=False)

    def finish(self) -> None:
        """Emit as unknown what still waits."""
        for waiting in self._waiting.values():
            for delivery in waiting:
                self._resolve(delivery, known=False)
        self._waiting.clear()

    def _resolve(self, delivery: Delivery, *, known: bool) -> None:
        session = Session(tls=Tls.CLEAR) if known else Session(why=NO_TLS)
        self._emit(replace(delivery, session=session))
