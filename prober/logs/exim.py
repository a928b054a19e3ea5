"""Exim 4: the main log, in a file or by syslog. spec.txt, "Log files".

One line has it all: the flag (``=>``, ``->``, ``>>`` delivered, ``==`` deferred, ``**`` failed),
the address, then fields, then the reply. ``X=`` is there where TLS was used, unless log_selector
has no tls_cipher, which it has by default; ``CV=`` says how the certificate was checked.
"""

import re
from dataclasses import replace
from typing import Final

from prober.logs.base import MAX_TEXT, Peer, Reader
from prober.logs.lines import Line
from prober.logs.records import Content, Identity, Session, Status, Tls

# log.c, write_syslog(): a long line has parts; a stamp of its own unless syslog_timestamp is off.
_QUEUED: Final = re.compile(
    r"(\[1[/\\]\d+\] )?(?:\d{4}-\d\d-\d\d \S+ (?:[+-]\d{4} )?)?(?:\[\d+\] )?"
    r"([0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}) (=>|->|>>|\*>|==|\*\*|<=|Completed)(.*)",
    re.DOTALL,
)
_ADDRESS: Final = r'(?:"(?:[^"\\]|\\.)*+"@[^\s<>]*[^\s<>:]|[^\s<>]*[^\s<>:])'
# The final address, or a pipe or a file; then the original address in brackets. A quoted local part
# may begin like a pipe.
_RECIPIENT: Final = re.compile(
    r' (?:(?:[|/>]|save )\S+(?= [(<])|:\w+:|"\|(?:[^"\\]|\\.)*+"(?!@)|'
    rf"({_ADDRESS}))(?: \(([^()]*)\))?(?: <({_ADDRESS})>)?"
)
_SENDER: Final = re.compile(rf" (?:({_ADDRESS})|<>)")
_HOST: Final = re.compile(
    r" H=(?:([^\s()\[\]]+) )?(?:DS )?(?:\((?:[^()\\]|\\.)*+\) )?\[([0-9A-Fa-f.:%\w]+)\]"
    r"(?::\d+)?\*?(?! (?:\(.*\) )?\[)"  # a second address: the HELO name imitates one
)
_FIELD: Final = re.compile(
    r' ([A-Za-z]\w{0,3})\*?=("(?:[^"\\]|\\.)*+"|<(?:"(?:[^"\\]|\\.)*+"|[^"<>])*+>|[^\s"]*)'
)
_FLAG: Final = re.compile(r" (?:DS|L[*.]?-?|K|PRDR|ARC|TFO\*{0,2})(?=[ :]|$)")  # have no value
# Until 4.98 there is the number of the error, with its text if it is one of the system.
_DEFER: Final = re.compile(r" defer(?: \(\d+\): ([\w ,/'-]+?)(?= H=| DT=|:|$)| \(([^()]*)\))?")
_OF_PEER: Final = frozenset({"DN", "SNI"})  # a peer's, and quotes in them are not escaped
# Exim names the step in its own words. After the colon come the words of the peer.
_WITH_CONTENT: Final = re.compile(
    r"[^:<]{0,80}? (?:after|in response to) (?:pipelined )?(?:end of data|sending data block)"
)
UNREADABLE: Final = "a part of the line was not understood"
DEFERRED: Final = "Exim does not log TLS for a delivery that it defers"
_EXCHANGE: Final = re.compile(r"(?:EC)?DHE_(\w+?)__")
_CV: Final = {
    "yes": Identity.VERIFIED,
    "dane": Identity.DANE,
    "no": Identity.NONE,
    None: Identity.UNKNOWN,
}
_STATUS: Final = {
    "=>": Status.SENT,
    "->": Status.SENT,
    ">>": Status.SENT,
    "==": Status.DEFERRED,
    "**": Status.BOUNCED,
}


class EximReader(Reader):
    """Reads the main log; with *inbound* its ``<=`` lines, too."""

    software = "exim"

    def read(self, line: Line) -> bool:
        found = _QUEUED.match(line.text)
        if found is None:
            return True  # connections, queue runs, rejections; or the rest of a long line
        part, queue_id, flag, rest = found.groups()
        if flag == "<=":
            return self._arrived(line, queue_id, rest)
        if flag == "Completed":
            self._message_ids.pop((line.host, queue_id))
            return True
        is_cut = part is not None
        return flag == "*>" or self._delivered(line, queue_id, flag, rest, is_cut=is_cut)

    def _delivered(self, line: Line, queue_id: str, flag: str, rest: str, *, is_cut: bool) -> bool:
        found = _RECIPIENT.match(rest)
        if found is None:
            return False
        recipient = found[1] if "@" in (found[1] or "") else found[3] or found[1]
        fields, peer, reply = self._read_fields(line, rest[found.end() :])
        status = _STATUS[flag]
        content = _content(status, reply)
        local = status is Status.SENT and peer[1] is None and "H" not in fields
        said = (fields.get("C") or reply).strip('" ')
        session = _session(fields)
        if session is None and ("H" in fields or is_cut):
            session = Session(why=UNREADABLE)
        elif session is None and status is Status.DEFERRED and content is Content.LEFT:
            session = Session(why=DEFERRED)
        delivery = self._sent(line, queue_id, recipient, peer, status, content, said, local=local)
        self._decide((line.host, "exim"), delivery, session)
        return True

    def _arrived(self, line: Line, queue_id: str, rest: str) -> bool:
        found = _SENDER.match(rest)
        if found is None:
            return False
        fields, peer, _ = self._read_fields(line, rest[found.end() :])
        if "id" in fields:
            self._message_ids.put((line.host, queue_id), f"<{fields['id'][:MAX_TEXT]}>")
        if not self._inbound or (peer[1] is None and "H" not in fields):
            return True
        session = _session(fields)
        protocol = fields.get("P", "")
        if "H" in fields or not protocol:
            session = Session(why=UNREADABLE)
        elif not re.fullmatch(r"(?:utf8)?e?smtpsa?", protocol):  # RFC 3848
            session = Session(tls=Tls.CLEAR)
        elif session is not None:
            session = replace(session, identity=Identity.UNKNOWN)  # the client's
        else:
            session = Session(tls=Tls.ENCRYPTED)
        delivery = self._received(line, queue_id, found[1], peer)
        self._decide((line.host, "exim"), delivery, session)
        return True

    def _read_fields(self, line: Line, text: str) -> tuple[dict[str, str], Peer, str]:
        """As ``_fields``. ``X=`` shows that this server logs TLS, for mail in both directions."""
        fields, peer, rest = _fields(text)
        if "X" in fields:
            self._silence.tls_line((line.host, "exim"), line.time)
        return fields, peer, rest


def _fields(text: str) -> tuple[dict[str, str], Peer, str]:
    """The fields at the start of *text*; name and address of ``H=``; and what is behind them.

    A reply stands behind a colon, or within the quotes of ``C=``: nothing in it is a field. Of a
    field that is there twice the last counts, since the answer to an ident query (``U=``) stands
    before what Exim writes. ``H`` is a field only where name and address cannot be told.
    """
    fields: dict[str, str] = {}
    peer: Peer = (None, None)
    error, at = "", 0
    while at < len(text):
        if peer[1] is None and (found := _HOST.match(text, at)) is not None:
            peer = (found[1], found[2])
        elif (found := _FIELD.match(text, at)) is not None:
            name, value = found[1], found[2]
            if name == "H" and not text.startswith((" [", " ("), found.end()):
                name = "-"  # of a local transport
            if name in ("C", "id") or _OF_PEER.isdisjoint(fields):
                fields[name] = value.removesuffix(":")
            if name == "id" or value.endswith(":"):
                return fields, peer, text[found.end() :]
        elif (found := _DEFER.match(text, at)) is not None:
            error = found[1] or found[2] or ""
        elif (found := _FLAG.match(text, at)) is None:
            break
        at = found.end()
    return fields, peer, text[at:].lstrip(" ").removeprefix(":") or error


def _session(fields: dict[str, str]) -> Session | None:
    """What ``X=version:suite:bits`` says, also with the asterisk of a resumed session."""
    if "X" not in fields:
        return None
    parts = fields["X"].replace("*", "").split(":")
    version, cipher = parts[0] if len(parts) > 1 else "", ":".join(parts[1:-1]) or None
    exchange = _EXCHANGE.match(cipher or "")
    return Session(
        tls=Tls.ENCRYPTED,
        version=re.sub(r"\ATLS(?=\d)", "TLSv", version)[:40] or None,
        cipher=cipher,
        key_exchange=exchange[1] if exchange else None,
        identity=_CV.get(fields.get("CV"), Identity.UNKNOWN),
    )


def _content(status: Status, reply: str) -> Content:
    """Whether the message itself was sent. Exim names the step before the reply."""
    if status is Status.SENT or _WITH_CONTENT.match(reply.lstrip(" ")):
        return Content.LEFT
    return Content.HELD
