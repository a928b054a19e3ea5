"""Sendmail 8. Its Installation and Operation Guide, "System Log"; doc/op, STARTTLS.

A line ``STARTTLS=client`` has no queue id. It is joined to the deliveries of the same process to
the same relay, for one message: what else the process sends there later may go over the cached
connection, or over another one, and the log does not tell.
"""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Final

from prober.logs.base import (
    LONG_AGO,
    MAX_PROCESSES,
    MAX_TEXT,
    NOTHING_SENT,
    Bounded,
    Connection,
    Emit,
    Process,
    Reader,
)
from prober.logs.lines import Line
from prober.logs.records import Content, Identity, Session, Status, Tls, ip_address

REFUSED: Final = "refused"  # as the message of a connection that no message may use
CACHED: Final = "this process used TLS to this server before, perhaps over the same connection"

_ADDRESS: Final = r'<?(?:"(?:[^"\\]|\\.)*+"|[^"<>,\s])*+>?'
_QUEUED: Final = re.compile(r"([0-9A-Za-z]{8,20}): (to|from)=(.*)", re.DOTALL)
# deliver.c, logdelivery(): a long list of recipients goes over several lines, with "[more]".
_TO: Final = re.compile(
    rf"({_ADDRESS}(?:,{_ADDRESS})*)(?:, \[more\])?, "
    rf"(?:ctladdr={_ADDRESS}(?: \(\d+/\d+\))?, )?"
    r"delay=[\d:+]+, (?:xdelay=([\d:+]+), )?(?:mailer=([\w*-]+), )?"
    r"(?:(?:tls_verify|tls_version|cipher|envid)=[^,\s]*, )*pri=\d+, "
    r"(?:relay=([^,]*), )?(?:quarantine=.*?, )?(?:dsn=([245])\.\d+\.\d+, )?"
    r"(?:ntries=\d+, )?(?:stage=\w+, )?(?:reply=(.*), )?(?:STS=OK, )?stat=(.*)",
    re.DOTALL,
)
_FROM: Final = re.compile(
    rf"({_ADDRESS}), size=\d+, class=-?\d+, nrcpts=\d+(?:, msgid=(<[^>]*>|[^\s,]+))?(?=,|$)(.*)",
    re.DOTALL,
)
_STARTTLS: Final = re.compile(
    r"STARTTLS=(client|server), relay=([^,]*), version=([^,\s]*), verify=(\w*), cipher=([^,\s]*), "
    r"bits="
)
_RELAY: Final = re.compile(r"(\S+?)\.? \[(?:IPv6:)?([0-9A-Fa-f:.]+)\](?: \(may be forged\))?")
# deliver.c: says that TLS to this server is not good enough, also after a failed handshake
_REFUSED_TLS: Final = re.compile(r"ruleset=tls_server, arg1=[^,]*, relay=([^,]+), reject=")
_LAST_RELAY: Final = re.compile(r".*, relay=([^,]+)$", re.DOTALL)
_STATUS: Final = {"2": Status.SENT, "4": Status.DEFERRED, "5": Status.BOUNCED}
_NO_ATTEMPT: Final = frozenset({"queued", "quarantined"})
_HELD: Final = ("User unknown", "Deferred: Connection refused", "Host unknown")  # before DATA
_LOCAL_MAILERS: Final = frozenset({"local", "prog", "*file*", "*include*", "procmail", "cyrusv2"})
_LONGEST: Final = timedelta(minutes=10)  # of a session, where the line does not say
_VERIFY: Final = {"OK": Identity.TRUSTED, "TRUSTED": Identity.DANE}  # the name is not compared


class SendmailReader(Reader):
    """Reads ``to=`` and ``STARTTLS=client`` lines; with *inbound* ``from=``, too."""

    software = "sendmail"

    def __init__(self, emit: Emit, *, tls_logged: bool = False, inbound: bool = False) -> None:
        super().__init__(emit, tls_logged=tls_logged, inbound=inbound)
        self._in: Bounded[Process, Session] = Bounded(MAX_PROCESSES, self._drop)

    def read(self, line: Line) -> bool:
        text = line.text
        if line.host not in self._begins:  # no connection is older than the daemon
            is_start = text.startswith("starting daemon (")
            self._begins[line.host] = LONG_AGO if is_start else line.time
        if (found := _QUEUED.match(text)) is not None:
            if found[2] == "to":
                return self._delivered(line, found[1], found[3])
            return self._arrived(line, found[1], found[3])
        if (found := _STARTTLS.match(text)) is not None:
            side, relay, version, verify, cipher = found.groups()
            session = Session(
                tls=Tls.ENCRYPTED,
                version=None if "/" in version else version,  # TLSv1/SSLv3: a family of suites
                cipher=cipher,
                identity=_VERIFY.get(verify, Identity.NONE),
            )
            self._silence.tls_line((line.host, side), line.time)
            if side == "client":
                key = _key(line, _shortened(relay))
                self._processes.put(key, Connection(relay, session, line.time))
            else:
                self._in.put(_key(line, relay), replace(session, identity=Identity.UNKNOWN))
            return True
        if (found := _REFUSED_TLS.match(text)) is not None:
            key = _key(line, _shortened(found[1]))
            connection = self._processes.get(key)
            session = connection.session if connection is not None else NOTHING_SENT
            self._processes.put(key, Connection(found[1], session, line.time, REFUSED))
            return True
        return not text.startswith("STARTTLS=") or ", version=" not in text

    def _delivered(self, line: Line, queue_id: str, rest: str) -> bool:
        found = _TO.match(rest)
        if found is None:
            return False
        recipients, took, mailer, relay, code, said, stat = found.groups()
        if mailer is None or stat in _NO_ATTEMPT:
            return True
        status = _STATUS.get(code or "")
        if status is None:
            return stat.startswith("Deferred")  # another run of the queue tries it
        peer = _RELAY.fullmatch(relay or "")
        address = peer[2] if peer is not None and ip_address(peer[2]) else None
        local = mailer in _LOCAL_MAILERS
        session, is_refused = None, False
        if peer is not None and not local:
            session, is_refused = self._join(line, queue_id, peer[1], status)
        content = _content(status, stat, said, is_held=is_refused or address is None)
        text, to = f"{stat}: {said}" if said else stat, (peer[1] if peer else None, address)
        for recipient in _split(recipients):
            delivery = self._sent(line, queue_id, recipient, to, status, content, text, local=local)
            self._decide((line.host, "client"), delivery, session, _duration(took))
        return True

    def _join(
        self, line: Line, queue_id: str, relay: str, status: Status
    ) -> tuple[Session | None, bool]:
        """The session of a delivery, and whether this server refused to use it.

        What was sent all the same went over a second connection, without TLS: TLSFallbacktoClear.
        """
        key = _key(line, relay)
        connection = self._processes.get(key)
        if connection is None:
            return None, False
        if connection.message is REFUSED:
            if status is not Status.SENT:
                return connection.session, True
            self._processes.pop(key)
            return None, False
        if connection.message not in (None, queue_id):
            return Session(why=CACHED), False
        connection.message = queue_id
        return connection.session, False

    def _arrived(self, line: Line, queue_id: str, rest: str) -> bool:
        found = _FROM.match(rest)
        if found is None:
            return False
        if found[2]:
            self._message_ids.put((line.host, queue_id), found[2][:MAX_TEXT])
        last = _LAST_RELAY.match(found[3])
        peer = _RELAY.fullmatch(last[1]) if last is not None else None
        if not self._inbound or peer is None:
            return True
        sender = found[1].removeprefix("<").removesuffix(">")
        delivery = self._received(line, queue_id, sender, (peer[1], peer[2]))
        session = self._in.get(_key(line, peer[1]))
        self._decide((line.host, "server"), delivery, session, _LONGEST)
        return True


def _key(line: Line, relay: str) -> tuple[str, str, str]:
    """The process and its peer, by the name, which all kinds of lines have."""
    name = relay.partition(" ")[0].rstrip(".").lower()
    return line.host, "client", f"{line.pid} {name}"


def _shortened(relay: str) -> str:
    """*relay* as a delivery line has it: libsmutil/snprintf.c, shortenstring(relay, 40)."""
    return relay if len(relay) < 40 else f"{relay[:18]}...{relay[-18:]}"


def _duration(text: str | None) -> timedelta:
    """``xdelay=`` as a time, days before a plus sign; ten minutes where there is none."""
    try:
        days, _, clock = (text or "").rpartition("+")
        hours, minutes, seconds = map(int, clock.split(":"))
        return timedelta(int(days or 0), seconds, hours=hours, minutes=minutes)
    except (ValueError, OverflowError):
        return _LONGEST


def _split(recipients: str) -> list[str]:
    addresses = re.findall(_ADDRESS, recipients)
    return [each.removeprefix("<").removesuffix(">") for each in addresses if each]


def _content(status: Status, stat: str, said: str | None, *, is_held: bool) -> Content:
    """A failed delivery seldom says at which command, so the message may have been sent.

    *said* is the peer's. Where it imitates the field that follows, neither is believed.
    """
    if status is Status.SENT:
        return Content.LEFT
    if is_held:
        return Content.HELD
    imitated = said is not None and ", stat=" in f"{said}{stat}"
    return Content.HELD if stat.startswith(_HELD) and not imitated else Content.UNKNOWN
