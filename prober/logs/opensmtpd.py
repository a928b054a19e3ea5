"""OpenSMTPD 6.8 and newer, as it logs by syslog. mta.c, mta_session.c, smtp_session.c.

Each line begins with the id of a session, and each session that uses TLS says so. So a session
whose beginning is in the log, without a TLS line, was in clear.
"""

import re
from dataclasses import dataclass, field, replace
from typing import Final

from prober.logs.base import (
    BEGINS,
    LOCAL_SESSION,
    MAX_PROCESSES,
    NOTHING_SENT,
    Bounded,
    Emit,
    Reader,
)
from prober.logs.lines import Line
from prober.logs.records import Content, Identity, Session, Status, Tls, ip_address

_SESSION: Final = re.compile(r"([0-9a-f]{16}) (mta|smtp|mda) ([\w-]+)(.*)", re.DOTALL)
_DOWNGRADED: Final = re.compile(r"smtp-out: (?:TLS )?Error on session ([0-9a-f]{16}): ")
# The message is the first half of an envelope's id. mta_log() in mta.c, mda_log() in mda.c.
_DELIVERY: Final = re.compile(
    r" evpid=([0-9a-f]{8})[0-9a-f]{8} from=<[^<>]*> to=<([^<>]*)> (?:rcpt=<[^<>]*> )?"
    r'(?:source="[^"]*" relay="([^"]*)"|user=.*?) delay=\S+ result="?(\w+)"? stat=(.*)',
    re.DOTALL,
)
_CIPHERS: Final = re.compile(r" ciphers=([\w.]+):([\w-]+)(?::\d+)?$")
_RELAY: Final = re.compile(r"\[?([0-9A-Fa-f:.]+)\]? \(([^()]*)\)")
_CONNECTED: Final = re.compile(r" address=\[?([^\s\]]+)\]? host=(\S+)")
_ENVELOPE: Final = re.compile(r" evpid=([0-9a-f]{8})[0-9a-f]{8} from=<([^<>]*)> to=<")
_STATUS: Final = {
    "Ok": Status.SENT,
    "TempFail": Status.DEFERRED,
    "PermFail": Status.BOUNCED,
    "Expired": Status.BOUNCED,
}
# "server-cert-check" in 6.8, "cert-check" in 7. For a server without certificate, 7 writes "smtp".
# Both compare the name: ssl_check_name() in 6.8, libtls in 7. For clients there are other words.
_CHECKED: Final = {
    "success": Identity.VERIFIED,
    "valid": Identity.VERIFIED,
    "failure": Identity.NONE,
    "unverified": Identity.NONE,
    "no certificate presented": Identity.NONE,
}
# OpenSMTPD's own words for sessions that ended before the message. A reply begins with its code.
_HELD: Final = re.compile(
    r"SSL certificate check failed|TLS required but not supported|Connection failed: |"
    r"[A-Z]+ rejected: |AUTH not advertised|Refuse to AUTH|no supported AUTH|message too large|"
    r"Could not |IO Error: (?:handshake failed|certificate verification failed|name `)"
)


@dataclass(slots=True)
class _Connection:
    """A session whose beginning is in the log."""

    session: Session = field(default_factory=lambda: Session(tls=Tls.CLEAR))
    connected: bool = False
    name: str | None = None
    address: str | None = None
    reported: str | None = None  # the last message of an inbound session


class OpenSmtpdReader(Reader):
    """Reads mta and mda lines; with *inbound* smtp lines, too."""

    software = "opensmtpd"

    def __init__(self, emit: Emit, *, tls_logged: bool = False, inbound: bool = False) -> None:
        super().__init__(emit, tls_logged=tls_logged, inbound=inbound)
        self._open: Bounded[tuple[str, str], _Connection] = Bounded(MAX_PROCESSES, self._drop)

    def read(self, line: Line) -> bool:
        found = _SESSION.match(line.text)
        if found is None:
            if (failed := _DOWNGRADED.match(line.text)) is not None:
                self._open.put((line.host, failed[1]), _Connection())
            return True
        session_id, part, word, rest = found.groups()
        key = (line.host, session_id)
        if word == "delivery":
            return self._delivered(line, key, part == "mda", rest)
        if part == "smtp" and word == "envelope":
            return not self._inbound or self._arrived(line, key, rest)
        self._about_session(key, part, word, rest)
        return True

    def _about_session(self, key: tuple[str, str], part: str, word: str, rest: str) -> None:
        connection = self._open.get(key)
        if word == "connecting" or (part == "smtp" and word == "connected"):
            connection = _Connection(connected=part == "smtp")
            if (peer := _CONNECTED.match(rest)) is not None:
                connection.address, connection.name = peer[1], peer[2]
            self._open.put(key, connection)
        elif word == "disconnected":
            self._open.pop(key)
        elif connection is None:
            return
        elif word == "connected":
            connection.connected = True
        elif word == "tls":
            ciphers = _CIPHERS.match(rest)
            version, cipher = (ciphers[1], ciphers[2]) if ciphers else (None, None)
            connection.session = Session(tls=Tls.ENCRYPTED, version=version, cipher=cipher)
        elif word in ("server-cert-check", "cert-check"):
            result = rest.partition('"')[2].partition('"')[0]
            if connection.session.tls is Tls.ENCRYPTED and result in _CHECKED:
                connection.session = replace(connection.session, identity=_CHECKED[result])

    def _delivered(self, line: Line, key: tuple[str, str], local: bool, rest: str) -> bool:
        found = _DELIVERY.match(rest)
        status = _STATUS.get(found[4]) if found is not None else None
        if found is None or status is None:
            return False
        queue_id, recipient, relay, _, reply = found.groups()
        reply = reply.removeprefix('"').removesuffix('"')
        connection = self._open.get(key)
        peer = _RELAY.fullmatch(relay or "")
        reached = peer is not None and (connection is None or connection.connected)
        to = (peer[2], peer[1] if ip_address(peer[1]) else None) if peer else (None, None)
        content = _content(status, reply, reached=reached)
        delivery = self._sent(line, queue_id, recipient, to, status, content, reply, local=local)
        session = Session(why=BEGINS) if connection is None else connection.session
        if local:
            session = LOCAL_SESSION
        elif not reached or (content is Content.HELD and session.tls is not Tls.ENCRYPTED):
            session = NOTHING_SENT
        self._emit(replace(delivery, session=session))
        return True

    def _arrived(self, line: Line, key: tuple[str, str], rest: str) -> bool:
        """Read an envelope. The message is reported once, for all its recipients."""
        found = _ENVELOPE.match(rest)
        if found is None:
            return False
        connection = self._open.get(key) or _Connection(session=Session(why=BEGINS))
        if connection.reported == found[1] or connection.address == "local":
            return True
        connection.reported = found[1]
        self._open.put(key, connection)
        delivery = self._received(line, found[1], found[2], (connection.name, connection.address))
        self._emit(replace(delivery, session=connection.session))
        return True


def _content(status: Status, stat: str, *, reached: bool) -> Content:
    """A reply does not say to which command, so the message may have been sent before it."""
    if status is Status.SENT:
        return Content.LEFT
    return Content.UNKNOWN if reached and not _HELD.match(stat) else Content.HELD
