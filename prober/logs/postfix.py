"""Postfix 2.2 to 3.11. smtp(8), smtpd(8), postconf(5): smtp_tls_loglevel, tls= since 3.11.

Until 3.10 a delivery line does not say whether TLS was used: an earlier line of the same process
does, which has no queue id. One smtp process handles one request after another, and within a
request one connection after another, so the last TLS line of the process is that of the delivery,
as long as it names the same relay and nothing ended the connection in between. For a
reused TLS connection Postfix logs "TLS connection reused".
"""

import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from prober.logs.base import (
    BEGINS,
    LONG_AGO,
    MAX_MESSAGES,
    MAX_PROCESSES,
    MAX_TEXT,
    Bounded,
    Connection,
    Emit,
    Process,
    Program,
    Reader,
)
from prober.logs.lines import Line
from prober.logs.records import Content, Delivery, Identity, Session, Status, Tls, ip_address

# Quoted where needed since 3.5 (info_log_address_format), so no character in it ends the field.
_ADDRESS: Final = r'(?:"(?:[^"\\]|\\.)*+"|[^"<>])*+'
_QUEUE_ID: Final = r"([0-9A-Za-z]{5,20})"
_DELIVERED: Final = re.compile(
    rf"{_QUEUE_ID}: to=<({_ADDRESS})>, (?:orig_to=<{_ADDRESS}>, )?relay=([^\s,]+), "
    r"(?:conn_use=\d+, )?delay=[\d.]+, (?:delays=([\d./]+), )?(?:tls=([^\s,]+), )?"
    r"(?:dsn=[\d.]+, )?status=([\w-]+) \((.*)",
    re.DOTALL,
)
_TLS: Final = re.compile(
    r"(?:(Anonymous|Untrusted|Trusted|Verified) )?TLS connection (?:established|reused) "
    r"(to|from) (\S+)(?: to \S+)?: (\S+) with cipher (\S+) \(\d+/\d+ bits\)"
    r"(?: key-exchange (\S+))?"
)
_TLS_BEGINS: Final = re.compile(r"(?:[A-Z]\w+ )?TLS connection (?:established|reused) ")
_QUEUED: Final = re.compile(rf"{_QUEUE_ID}: (.*)", re.DOTALL)
_ENDPOINT: Final = re.compile(r"([^\[\]]+)\[([^\[\]]+)\](?::\d+)?")
_FROM: Final = re.compile(rf"from=<({_ADDRESS})>, size=\d+, nrcpt=\d+ \(queue active\)")
_CLIENT: Final = re.compile(r"client=([^\s,\[\]]+\[[^\s,\[\]]+\])(?::\d+)?(?:, |$)")
_CONNECT: Final = re.compile(r"(connect|disconnect) from ([^\s\[\]]+\[[^\s\[\]]+\])(.*)")
_STARTTLS: Final = re.compile(r" starttls=[1-9]")
_STATED: Final = re.compile(r"(!?)\(?([a-z-]+)(?::([a-z-]+))?\)?(\?)?(?:/.*)?")
# In a reason, Postfix writes its own words first or last, and the words of the peer between.
_LOST: Final = re.compile(
    r"(?:lost connection with \S+|conversation with \S+ timed out) while "
    r"(sending (?:message body|end of data))?"
)
_ENDED: Final = ("Cannot start TLS: ", "local data error while talking to ")
_HAS_CONTENT: Final = "(in reply to end of DATA command))"
_IDENTITY: Final = {
    "Anonymous": Identity.NONE,
    "Untrusted": Identity.NONE,
    "Trusted": Identity.TRUSTED,
    "Verified": Identity.VERIFIED,
    None: Identity.UNKNOWN,  # 2.2 to 2.4 say it in other lines
}
# Levels of smtp_tls_security_level, and what was checked where one is met.
_LEVELS: Final = {
    "none": Identity.UNKNOWN,
    **dict.fromkeys(("may", "encrypt", "half-dane"), Identity.NONE),
    **dict.fromkeys(("dane", "dane-only"), Identity.DANE),
    **dict.fromkeys(("fingerprint", "verify", "secure"), Identity.VERIFIED),
}
_STATUS: Final = {
    "sent": Status.SENT,
    "deferred": Status.DEFERRED,
    "bounced": Status.BOUNCED,
    "expired": Status.BOUNCED,
    "SOFTBOUNCE": Status.DEFERRED,
    "softbounce": Status.DEFERRED,
}
_PROBES: Final = frozenset({"deliverable", "undeliverable"})  # verify(8): no message was sent
_TO_NETWORK: Final = frozenset({"smtp", "lmtp"})
_TO_MACHINE: Final = frozenset({"local", "virtual", "pipe", "discard"})
_DELIVER: Final = _TO_NETWORK | _TO_MACHINE | {"error", "retry"}
_QUEUE: Final = frozenset({"cleanup", "qmgr"})  # they also defer and bounce: cleanup_bounce.c
COMPONENTS: Final = _DELIVER | _QUEUE | {"smtpd", "master"}  # whose lines are read
_LONGEST: Final = timedelta(minutes=30)  # of a delivery whose line has no delays=


@dataclass(slots=True)
class _Inbound:
    """A client's session with an smtpd process, and the messages that wait for its end."""

    program: Program
    client: str
    session: Session | None = None
    counts: str | None = None  # of its commands, once it has ended
    waiting: list[Delivery] = field(default_factory=list)


class PostfixReader(Reader):
    """Reads smtp, lmtp, local, virtual, pipe, error, cleanup, qmgr; with *inbound* smtpd."""

    software = "postfix"

    def __init__(self, emit: Emit, *, tls_logged: bool = False, inbound: bool = False) -> None:
        super().__init__(emit, tls_logged=tls_logged, inbound=inbound)
        # the session that each message came in by, by host and queue id
        self._origins: Bounded[tuple[str, str], _Inbound] = Bounded(MAX_MESSAGES, self._drop)
        self._clients: Bounded[Process, _Inbound] = Bounded(
            MAX_PROCESSES, lambda _key, client: self._end(client, "")
        )

    def read(self, line: Line) -> bool:
        component = line.program.rpartition("/")[2]
        self._begins.setdefault(line.host, line.time)
        if component == "master":
            if line.text.startswith("daemon started"):  # no connection is older
                self._begins[line.host] = LONG_AGO
            return True
        if component in _DELIVER:
            return self._deliver(line, component)
        if component == "smtpd":
            return self._smtpd(line) if self._inbound else True
        if (found := _QUEUED.match(line.text)) is None:
            return True
        if found[2].startswith("to=<"):
            return self._deliver(line, component)
        self._about_message(line, found[1], found[2])
        return True

    def finish(self) -> None:
        for client in self._clients.values():
            self._end(client, "")
        super().finish()

    # -- out ---------------------------------------------------------------------------------

    def _deliver(self, line: Line, component: str) -> bool:
        text = line.text
        if (found := _DELIVERED.match(text)) is not None:
            return self._delivered(line, component, found)
        key = (line.host, line.program, line.pid)
        if (found := _TLS.match(text)) is not None:
            self._processes.put(key, Connection(found[3], _session(found), line.time))
            self._silence.tls_line(key[:2], line.time)
            return True
        if (found := _QUEUED.match(text)) is None:
            return _TLS_BEGINS.match(text) is None
        if _LOST.match(found[2]) or found[2].startswith(_ENDED):
            self._processes.pop(key)  # a retry in clear may follow, to the same endpoint
        return not found[2].startswith("to=<")

    def _delivered(self, line: Line, component: str, found: re.Match[str]) -> bool:
        queue_id, recipient, relay, delays, tls, word, reason = found.groups()
        endpoint = _ENDPOINT.fullmatch(relay)
        address = endpoint[2] if endpoint and ip_address(endpoint[2]) else None
        local = component in _TO_MACHINE or (endpoint is not None and address is None)
        session = None if local else self._session_of(line, queue_id, relay, delays or "", tls)
        status = _STATUS.get(word)
        if status is None:  # a probe; its TLS line is not that of the next message
            return word in _PROBES
        to = (endpoint[1] if endpoint else None, address)
        content = _content(status, reason) if relay != "none" else Content.HELD
        reply = reason.removesuffix(")")
        delivery = self._sent(line, queue_id, recipient, to, status, content, reply, local=local)
        self._decide((line.host, line.program), delivery, session, _took(delays or ""))
        return tls is None or _STATED.fullmatch(tls) is not None

    def _session_of(
        self, line: Line, queue_id: str, relay: str, delays: str, tls: str | None
    ) -> Session | None:
        """The session of a delivery over the network; None: the log is silent about it.

        It is the last one of the process, if it can be that. All recipients of one request over one
        connection have the times until it stood in common (``delays=``, but for the last of them);
        another request needs a TLS line of its own.
        """
        key = (line.host, line.program, line.pid)
        request = (queue_id, delays.rpartition("/")[0])
        joined = None
        if (process := self._processes.get(key)) is not None:
            if _same_endpoint(process.endpoint, relay) and process.message in (None, request):
                process.message, joined = request, process.session
            else:
                self._processes.pop(key)
        return joined if tls is None else _as_stated(tls, joined)

    # -- the message ---------------------------------------------------------------------------

    def _about_message(self, line: Line, queue_id: str, text: str) -> None:
        """A line of cleanup or qmgr."""
        key = (line.host, queue_id)
        if text.startswith("message-id="):
            if message_id := text[len("message-id=") :].strip()[:MAX_TEXT]:
                self._message_ids.put(key, message_id)
        elif text == "removed":
            self._message_ids.pop(key)
            self._origins.pop(key)
        elif self._inbound and (found := _FROM.match(text)) is not None:
            self._accepted(line, queue_id, found[1])

    # -- in ------------------------------------------------------------------------------------

    def _smtpd(self, line: Line) -> bool:
        key = (line.host, line.program, line.pid)
        text = line.text
        if (found := _CONNECT.match(text)) is not None:
            if (previous := self._clients.pop(key)) is not None:
                self._end(previous, found[3] if found[1] == "disconnect" else "")
            if found[1] == "connect":
                self._clients.put(key, _Inbound(key[:2], found[2]))
            return True
        if (found := _TLS.match(text)) is not None:
            session = replace(_session(found), identity=Identity.UNKNOWN)  # the client's
            self._session_with(key, found[3]).session = session
            self._silence.tls_line(key[:2], line.time)
            return True
        if (found := _QUEUED.match(text)) is None:
            return _TLS_BEGINS.match(text) is None
        if (client := _CLIENT.match(found[2])) is not None:
            self._origins.put((line.host, found[1]), self._session_with(key, client[1]))
        return True

    def _session_with(self, key: Process, client: str) -> _Inbound:
        """The session of a process, unknown where its beginning is not in the log."""
        inbound = self._clients.get(key)
        if inbound is None:
            inbound = _Inbound(key[:2], client, Session(why=BEGINS))
            self._clients.put(key, inbound)
        return inbound

    def _accepted(self, line: Line, queue_id: str, sender: str) -> None:
        """The queue manager has the message, so it was accepted."""
        inbound = self._origins.pop((line.host, queue_id))
        if inbound is None:  # or a deferred message that comes to the active queue again
            return
        found = _ENDPOINT.fullmatch(inbound.client)
        peer = (found[1], found[2]) if found is not None else (None, None)
        inbound.waiting.append(self._received(line, queue_id, sender, peer))
        if inbound.session or inbound.counts is not None or len(inbound.waiting) >= MAX_TEXT:
            self._end(inbound, inbound.counts)

    def _end(self, inbound: _Inbound, counts: str | None) -> None:
        """Emit the messages of a session. *counts*: of its commands, logged since 3.0."""
        inbound.counts = counts
        session = inbound.session
        if session is None and _STARTTLS.search(counts or ""):
            session = Session(tls=Tls.ENCRYPTED, why="smtpd_tls_loglevel is 0: no details")
        for delivery in inbound.waiting:
            self._decide(inbound.program, delivery, session)
        inbound.waiting.clear()


def _took(delays: str) -> timedelta:
    """How long connecting and sending took."""
    try:
        setup, sending = (float(part) for part in delays.split("/")[2:4])
        return timedelta(seconds=setup + sending)
    except (ValueError, OverflowError):
        return _LONGEST


def _session(found: re.Match[str]) -> Session:
    trust, _, _, version, cipher, exchange = found.groups()
    return Session(
        tls=Tls.ENCRYPTED,
        version=version,
        cipher=cipher,
        key_exchange=exchange,
        identity=_IDENTITY[trust],
    )


def _same_endpoint(endpoint: str, relay: str) -> bool:
    """Whether the words of a TLS line and of a delivery line name one endpoint.

    Before 2.5 the one or the other has no port, or no address.
    """
    if endpoint == relay:
        return True
    if "[" not in endpoint:
        return endpoint == relay.partition("[")[0]
    shorter, longer = sorted((endpoint, relay), key=len)
    return shorter.endswith("]") and longer.startswith(f"{shorter}:")


def _as_stated(tls: str, joined: Session | None) -> Session:
    """What ``tls=`` says, with the details of *joined*. postconf(5), smtp_log_tls_feature_status.

    ``level`` was met; ``level:other`` was relaxed to the other; ``level?`` was not decided when
    the attempt ended; ``!level`` was not met.
    """
    found = _STATED.fullmatch(tls)
    level = (found[3] or found[2]) if found and not found[1] and not found[4] else ""
    if level not in _LEVELS:
        return replace(joined or Session(), tls=Tls.UNKNOWN, why=f"the log says tls={tls[:40]}")
    if level == "none":
        return Session(tls=Tls.CLEAR)
    session, identity = joined or Session(tls=Tls.ENCRYPTED), _LEVELS[level]
    if identity is Identity.NONE and session.identity is not Identity.UNKNOWN:
        return session  # more was checked than the level asks for
    return replace(session, identity=identity)


def _content(status: Status, reason: str) -> Content:
    """Whether the message itself was sent, by the words of Postfix in *reason*."""
    lost = _LOST.match(reason)
    if status is Status.SENT or (lost and lost[1]) or reason.endswith(_HAS_CONTENT):
        return Content.LEFT
    return Content.HELD if reason.endswith(")") else Content.UNKNOWN  # cut by syslog
