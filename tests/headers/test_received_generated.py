"""Lines of all families, by a seeded generator: 20,000 here; RECEIVED_LINES=100000 makes as many.

    RECEIVED_LINES=100000 python -m pytest tests/headers/test_received_generated.py

What the server says of TLS is taken from real lines, changed at random and put wherever a server
may write it. No line raises, and none that speaks of TLS there is judged "not encrypted".
"""

import json
import os
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prober.headers.parse import parse_received
from prober.headers.records import Judgement, TlsStatement
from tests.headers.builders import habits, judge_message, learn, message

COUNT: Final = int(os.environ.get("RECEIVED_LINES", "20000"))
SEED: Final = 20261128
ROWS: Final = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "received" / "lines.jsonl").read_text().splitlines()
]
_COMMENT: Final = re.compile(r"\((?:[^()]|\([^()]*\))*\)")
_TLS: Final = re.compile(r"(?<![\w.@-])(?:TLS|SSL|cipher|encrypted)", re.IGNORECASE)
_CLIENTS: Final = re.compile(r'AUTH|Client|"')  # these contain names of the client
# A line of each family, with the places in which its server may state TLS.
FORMS: Final = (
    "from {helo} ({name} [{address}]) {tls} by {by} (Postfix) with ESMTP id {id} "
    "for <{rcpt}>; {date}",
    "from {helo} ({name} [{address}]) by {by} (8.14.4/8.14.4) with ESMTP id {id} {tls} "
    "for <{rcpt}>; {date}",
    "from {name} ([{address}] helo={helo}) by {by} with esmtp {tls} (Exim 4.97) "
    "(envelope-from <{sender}>) id {id} for {rcpt}; {date}",
    "from [{address}] (helo={helo} ident=root) by {by} with asmtp {tls} (Exim 4.34) "
    "id {id}; {date}",
    "from unknown (HELO {helo}) ({address}) by {by} with {tls} SMTP; {date}",
    "from unknown [{address}] (EHLO {helo}) by {by} {tls} with ESMTP id {id} "
    "(envelope-from <{sender}>); {date}",
    "from {helo} ({address}) by {by} (198.51.100.9) with Microsoft SMTP Server {tls} id {id} via "
    "Frontend Transport; {date}",
    "from {helo} ({name}. [{address}]) by mx.google.com with ESMTP id {id} "
    "for <{rcpt}> {tls}; {date}",
    "from {helo} ({name} [{address}]) by {by} (OpenSMTPD) with ESMTP id {id} {tls}; {date}",
    "from {helo} ({name} [{address}]) {tls} by {by} with esmtp; {date}",
    "from {helo} ({name} [{address}]) by {by} with ESMTP id {id}; {date} {tls}",
    "from {helo} ({name} [{address}]) by {by} with ESMTP id {id}; {tls}; {date}",
    "from {helo} ({name} [{address}]) by {by} with ESMTP id {id}; {tls} {date}",
    "from {helo} ({name} [{address}]) by {by} (Haraka/2.8) with ESMTP id {id} envelope-from "
    "<{sender}> {tls}; {date}",
    "from {helo} ([{address}]) by {by} (Kerio Connect 9) with ESMTP {tls} for {rcpt}; {date}",
    "from [{address}] (HELO {helo}) by {by} (CommuniGate Pro SMTP 6.1) with ESMTP {tls} "
    "id {id}; {date}",
    "from {helo} ([{address}]) by {by} (Lotus Domino Release 8) with ESMTP {tls} id {id} ; {date}",
    "from {helo} ({address}:2319) by {by} with [XMail 1.20 ESMTP Server] {tls} id <{id}>; {date}",
    "from {helo} ({name} [{address}]) by {by} (MDaemon PRO v22) {tls} with ESMTP id {id}; {date}",
    "from {helo} ({name} [{address}]) by {by} (Stalwart SMTP) with ESMTP {tls} id {id}; {date}",
)


@dataclass(frozen=True)
class Line:
    text: str
    tls: str  # what its server writes about TLS


def statements() -> list[str]:
    """The comments about TLS of the table."""
    found = [
        comment
        for row in ROWS
        if row["expect"]["tls"] == "stated"
        for comment in _COMMENT.findall(row["line"])
        if _TLS.search(comment) and not _CLIENTS.search(comment)
    ]
    return sorted(set(found))


def changed(text: str, choose: random.Random) -> str:
    """*text* with a part renamed, left out, doubled, or in other case."""
    words = re.split(r"([ ,:=()/]+)", text)
    at = choose.randrange(len(words))
    match choose.randrange(8):
        case 0:
            words[at] = ""
        case 1:
            words[at] = words[at].lower()
        case 2:
            words[at] = words[at].upper()
        case 3:
            words.insert(at, " new words ")
        case 4 if "-" in words[at] or "_" in words[at]:
            words[at] = "ROT13_OF_TOMORROW"
        case 5:
            words.append(" 2 more")
        case 6:
            choose.shuffle(words)
    inside = "".join(words).replace("(", " ").replace(")", " ").replace(";", " ")
    return f"({' '.join(inside.split())})"


def generated(count: int) -> Iterator[Line]:
    choose = random.Random(SEED)  # noqa: S311 - no secret
    said = statements()
    for number in range(count):
        tls = choose.choice(said)
        for _ in range(choose.randrange(3)):
            tls = changed(tls, choose)
        text = choose.choice(FORMS).format(
            helo=choose.choice(
                ("mail.example.net", "[10.0.0.5]", "tls.example.net", "pc", "[::1]")
            ),
            name=choose.choice(("mail.example.net", "ssl-1.example.net", "unknown")),
            address=choose.choice(("192.0.2.33", "2001:db8::1", "203.0.113.7")),
            by=choose.choice(("mx.example.com", "mx1.example.com", "mail.example.org")),
            id=f"{number:x}TLSv1",
            sender="ssl@example.net",
            rcpt="tls@example.com",
            date=f"Mon, 1 Jan {choose.randrange(2009, 2027)} 00:00:00 +0000",
            tls=tls if choose.randrange(10) else "",
        )
        yield Line(text, tls if tls in text else "")


def test_no_line_with_a_word_for_tls_is_called_not_encrypted() -> None:
    book = habits()
    for name in ("mx.example.com", "mx1.example.com", "mail.example.org"):
        stating = FORMS[0].format(
            helo="a", name="a.example.net", address="192.0.2.1", by=name, id="1", rcpt="a@b",
            tls="(using TLSv1.3)", date="Mon, 1 Jan 2009 00:00:00 +0000",
        )  # fmt: skip
        learn(message(stating), book)
    silent = 0
    for line in generated(COUNT):
        hop = judge_message(message(line.text), book).hops[0]
        speaks = _TLS.search(line.tls) is not None
        silent += hop.judgement is Judgement.NOT_ENCRYPTED
        denied = hop.received.tls is TlsStatement.DENIED or "NULL" in line.tls.upper()
        if speaks and not denied:
            assert hop.judgement is not Judgement.NOT_ENCRYPTED, line
    assert silent > COUNT // 50  # habits judge the other silent hops


PLACES: Final = tuple(form for form in FORMS if "> {tls}" not in form and "{tls} SMTP" not in form)


def test_what_is_stated_is_read_wherever_a_server_may_write_it() -> None:
    """Not behind a recipient, where a version alone could be the recipient's."""
    for tls in statements():
        read = set()
        for form in PLACES:
            text = form.format(
                helo="pc.example.net", name="pc.example.net", address="192.0.2.33", id="1",
                by="mx.example.com", sender="a@example.net", rcpt="b@example.com", tls=tls,
                date="Mon, 1 Jan 2024 00:00:00 +0000",
            )  # fmt: skip
            line = parse_received(text)
            facts = line.tls_facts
            read.add((line.tls, facts and (facts.protocol, facts.cipher, facts.bits)))
        assert [one[0] for one in read] == [TlsStatement.STATED], (tls, read)
