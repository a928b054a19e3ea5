"""Whatever a peer, a mailbox or a file says: each parser returns, or raises what it says it raises.

Inputs are samples with random changes, and the same ones each time. FUZZ_INPUTS is how many there
are in all; docs/contributing.md has the command for a million.
"""

import functools
import io
import json
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import dns.message
import dns.rrset
import pytest

from prober.csv_list import CsvList
from prober.domain_list import DomainList
from prober.errors import InputError
from prober.headers.mailbox import read_stream
from prober.headers.parse import parse_received
from prober.logs.tls_report import read_claims
from prober.net.dns_message import MalformedError, Query, TooLargeError, read_response
from prober.net.reply import BadReplyError, parse_reply
from prober.policy.csv import CsvMap
from prober.policy.exim import EximMap
from prober.policy.opensmtpd import OpenSmtpdMap
from prober.policy.postfix import PostfixMap
from prober.report.json_ import encode_report, read_reports
from prober.rules.certificate_fields import read_certificate
from prober.rules.sts_policy import parse_policy, parse_sts_txt
from prober.rules.tls_rpt import parse_tls_rpt
from tests.logs.reading import read as read_log
from tests.report.samples import passes
from tests.rules.certificates import issue
from tests.support.policy_hosts import policy_text

INPUTS: Final = int(os.environ.get("FUZZ_INPUTS", "20000"))
SEED: Final = 20
LINES: Final = Path(__file__).parent / "received" / "lines.jsonl"
QUERY: Final = Query.of("mx.example.test", "A")
ID: Final = 4711
PIECES: Final = (b"\0", b"\r\n", b"\n", b"\x80", b"\xff", b" ", b"\t", b"(", b")", b";", b":", b"=")
PIECES_OF_TEXT: Final = (
    b'"',
    b",",
    b"{",
    b"[",
    b"\\",
    b"-",
    b".",
    b"*",
    b"%",
    b"\xc3\xa9",
    b"9" * 40,
)
MAX_CHANGES: Final = 8


@dataclass(frozen=True)
class Target:
    """A parser: *read* parses bytes, and may raise *refuses*."""

    samples: Sequence[bytes]
    read: Callable[[bytes], object]
    refuses: tuple[type[Exception], ...] = ()


def text_of(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def dns_samples() -> list[bytes]:
    message = dns.message.make_response(dns.message.from_wire(QUERY.to_wire(ID)))
    message.answer = [
        dns.rrset.from_text("mx.example.test.", 60, "IN", "CNAME", "a.test."),
        dns.rrset.from_text("a.test.", 60, "IN", "A", "192.0.2.1", "192.0.2.2"),
    ]
    return [message.to_wire(), QUERY.to_wire(ID)]


def received_samples() -> list[bytes]:
    return [json.loads(line)["line"].encode() for line in LINES.read_text().splitlines() if line]


MAILBOX: Final = (
    b"From a@b Mon Jan  1 00:00:00 2026\nReceived: from a by b\n\twith X\nFrom: a@b.c\n\nhi\n"
)
LOG_LINES: Final = (
    b"Nov 28 17:00:00 mx1 postfix/smtp[7]: 4A1B2C3D4E: to=<a@example.com>, relay=mx[192.0.2.1]:25, "
    b"delay=0.6, delays=0/0/0/0, tls=may, dsn=2.0.0, status=sent (250 ok)\n"
    b"Nov 28 17:00:00 mx1 postfix/smtp[7]: Trusted TLS connection established to mx[192.0.2.1]:25: "
    b"TLSv1.3 with cipher X (256/256 bits)",
    b"2026-11-28 17:00:00 1xXNIG-00000J-0N => a@example.com R=d T=r H=mx [192.0.2.1] "
    b'X=TLS1.3:ECDHE_X25519__A:256 CV=yes DN="CN=mx" C="250 ok"',
    b"<22>1 2026-11-28T17:00:00Z mx1 smtpd 5 - - 5df87c9ffd0e785d mta delivery "
    b'evpid=f6e94209918f7e7b from=<> to=<a@b.test> rcpt=<-> source="-" relay="192.0.2.1 (mx)" '
    b'delay=2s result="Ok" stat="x"',
    b"Nov 28 17:00:00 mx1 sm-mta[9]: x89Bx1iP007421: to=<a@b.test>, delay=00:00:02, mailer=esmtp, "
    b"pri=1, relay=mx. [192.0.2.1], dsn=2.0.0, stat=Sent (ok)",
    b'{"__REALTIME_TIMESTAMP":"1772323198000000","MESSAGE":"x","SYSLOG_IDENTIFIER":"exim","_PID":"5"}',
)
MAPS: Final = (
    (PostfixMap(), b"a.test secure match=.a.test\nb.test dane-only\n# c\nc.test may\n"),
    (EximMap(), b"a.test: verify\nb.test: dane\n"),
    (OpenSmtpdMap(), b"a.test\tsmtp+tls://mx.a.test\n# probe\n"),
    (CsvMap(), b"domain,policy\r\na.test,verify\r\n"),
)
TARGETS: Final = {
    "reply": Target([b"250-mx\r\n250 STARTTLS\r\n", b"220 a\r\n"], parse_reply, (BadReplyError,)),
    "dns": Target(
        dns_samples(), lambda raw: read_response(raw, QUERY, ID), (MalformedError, TooLargeError)
    ),
    "received": Target(received_samples(), lambda raw: parse_received(text_of(raw))),
    "mailbox": Target(
        [MAILBOX], lambda raw: list(read_stream(io.BytesIO(raw), "x")), (InputError,)
    ),
    "list": Target(
        [b"a.test\n# b\n\xef\xbb\xbfuser@\xc3\xbc.test\r\n"],
        lambda raw: list(DomainList("x", io.BytesIO(raw)).entries()),
        (InputError,),
    ),
    "csv-list": Target(
        [b'\xef\xbb\xbfa;domain\r\n"b\nc";user@\xc3\xbc.test\r\n', b"a.test,b\nc.test,d\n"],
        lambda raw: list(CsvList(DomainList("x", io.BytesIO(raw)), "2").entries()),
        (InputError,),
    ),
    "sts-txt": Target([b"v=STSv1; id=20260101;"], lambda raw: parse_sts_txt([text_of(raw)])),
    "sts-policy": Target([policy_text("a.test").encode()], lambda raw: parse_policy(text_of(raw))),
    "tls-rpt": Target(
        [b"v=TLSRPTv1; rua=mailto:a@b.test,https://b.test/x"],
        lambda raw: parse_tls_rpt([text_of(raw)]),
    ),
    "tls-report": Target(
        [
            b'{"date-range":{"start-datetime":"2026-01-01T00:00:00Z","end-datetime":'
            b'"2026-01-02T00:00:00Z"},"report-id":"1","policies":[{"policy":{"policy-type":"sts",'
            b'"policy-domain":"a.test"},"summary":{"total-failure-session-count":1}}]}'
        ],
        lambda raw: read_claims(["-"], io.BytesIO(raw)),
        (InputError,),
    ),
    "logs": Target(LOG_LINES, lambda raw: read_log(text_of(raw).split("\n"), inbound=True)),
    "certificate": Target([issue().der], read_certificate),
    "results": Target(
        [encode_report(passes())],
        lambda raw: list(read_reports(io.BytesIO(raw))),
        (InputError,),
    ),
    **{
        f"map-{type(form).__name__}": Target(
            [sample],
            functools.partial(lambda form, raw: form.parse(text_of(raw)), form),
            (InputError,),
        )
        for form, sample in MAPS
    },
}


def changed(sample: bytes, rng: random.Random) -> bytes:
    """*sample* with a few random changes."""
    raw = bytearray(sample)
    for _ in range(rng.randint(1, MAX_CHANGES)):
        at, end = sorted((rng.randint(0, len(raw)), rng.randint(0, len(raw))))
        match rng.randrange(5):
            case 0:
                raw[at:at] = rng.choice(PIECES + PIECES_OF_TEXT)
            case 1:
                raw[at : at + 1] = bytes([rng.randrange(256)])
            case 2:
                del raw[at : min(end, at + 16)]
            case 3:
                raw[at:at] = raw[at : min(end, at + 64)]
            case 4:
                raw[at : at + 2] = rng.randbytes(2)
    return bytes(raw)


@pytest.mark.timeout(0)  # a million takes minutes
@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_returns_or_refuses(name: str) -> None:
    target = TARGETS[name]
    for number in range(INPUTS // len(TARGETS)):
        rng = random.Random(f"{SEED} {name} {number}")  # noqa: S311 - the same inputs each time
        raw = changed(rng.choice(target.samples), rng)
        try:
            target.read(raw)
        except target.refuses:
            pass
        except Exception as error:
            raise AssertionError(f"{name}, input {number}: {raw!r}") from error
