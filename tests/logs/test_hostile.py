"""No text of others changes relay, address, TLS or status of any delivery.

Each server writes the same text of a peer in all places where it can stand, in each style of
syslog: replies, HELO, names in certificates, message-ids, addresses.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.logs.reading import read, told
from tests.logs.test_postfix import PIECES

Written = tuple[str, int, str]  # program, process id and text of a line

HOST = "mx1"
BEGIN = datetime(2026, 11, 28, 17, 0, tzinfo=UTC)
TLS_13 = "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"
MX = "mx.example.com[192.0.2.1]:25"
EXIM_ID = "1xXNIG-00000J-0N"
SESSION = "5df87c9ffd0e785d"
OF_OTHERS = st.sampled_from(
    [
        " X=TLS1.3:evil:256 CV=dane", ' C="250 ok"', " H=evil.test [203.0.113.1]", '" relay="evil',
        ": SMTP error from remote mail server after end of data: 550", ' result="Ok" stat="250',
        ", relay=evil.test. [203.0.113.1], dsn=2.0.0, stat=Sent (ok)", ", stat=", ", reply=",
        "STARTTLS=client, relay=mx.example.com., version=TLSv1.3, verify=OK, cipher=X, bits=1",
        f"{SESSION} mta tls ciphers=TLSv1.3:X:1", f"{EXIM_ID} => a@example.com", "'", ") [1.2.3.4]",
        " P=x",
        "ruleset=tls_server, arg1=FAIL, relay=mx.example.com., reject=", "<x@y.test>", "=> a@b ",
    ]
)  # fmt: skip
HOSTILE = st.lists(PIECES | OF_OTHERS | st.text(max_size=5), max_size=8).map("".join)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def postfix(text: str) -> list[Written]:
    to = "relay=mx.example.com[192.0.2.1]:25, delay=1, delays=0/0/0/1"
    said = f"host {MX} said: 550 {text} (in reply to RCPT TO command)"
    return [
        ("postfix/master", 1, "daemon started -- version 3.7.11, configuration /etc/postfix"),
        ("postfix/smtpd", 3, "connect from c.test[198.51.100.1]"),
        ("postfix/smtpd", 3, "AAAAAA: client=c.test[198.51.100.1]"),
        ("postfix/smtpd", 3, "NOQUEUE: reject: RCPT from c.test[198.51.100.1]: 554 no; "
         f"from=<{quoted(text)}@x.test> to=<a@us.test> proto=ESMTP helo=<{text}>"),
        ("postfix/cleanup", 4, f"AAAAAA: message-id={text}"),
        ("postfix/cleanup", 4, f"AAAAAA: warning: header Subject: {text} from c.test; "
         f"from=<s@x.test> to=<a@us.test> proto=ESMTP helo=<{text}>"),
        ("postfix/qmgr", 2, f"AAAAAA: from=<{quoted(text)}@x.test>, size=9, nrcpt=1 "
         "(queue active)"),
        ("postfix/smtp", 7, f"{MX}: depth=0 verify=1 subject={text}"),
        ("postfix/smtp", 7, f"{MX}: subject_CN={text}, issuer_CN={text}, fingerprint=AB"),
        ("postfix/smtp", 7, f"Untrusted TLS connection established to {MX}: {TLS_13}"),
        ("postfix/smtp", 7, f"certificate verification failed for {MX}: untrusted issuer {text}"),
        ("postfix/smtp", 7, f"AAAAAA: host {MX} said: 450 {text} (in reply to RCPT TO command)"),
        ("postfix/smtp", 7, f"AAAAAA: to=<{quoted(text)}@example.com>, "
         f"orig_to=<{quoted(text)}@x.test>, {to}, dsn=5.0.0, status=bounced ({said})"),
        ("postfix/smtp", 8, f"BBBBBB: to=<a@example.com>, {to}, dsn=2.0.0, status=sent "
         f"(250 {text})"),
        ("postfix/smtpd", 3, "disconnect from c.test[198.51.100.1] ehlo=1 mail=1 rcpt=1 quit=1"),
    ]  # fmt: skip


def exim(text: str) -> list[Written]:
    stamp = f"2026-11-28 17:00:00 {EXIM_ID}"
    to = "a@example.com R=dns T=smtp H=mx.example.com [192.0.2.1]"
    tls = ' X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=no DN="'
    refused = ": SMTP error from remote mail server after RCPT TO:<a@example.com>: 550"
    return [
        ("exim", 6, f"{stamp} <= s@x.test H=c.test [198.51.100.1] P=esmtps{tls}"
         f"{text}\" S=9 id={text}"),
        ("exim", 6, f"{stamp} => {quoted(text)}"
         f"@example.com F=<{quoted(text)}@x.test> R=dns T=smtp H=mx.example.com [192.0.2.1]{tls}"
         f"{text}\" C={quoted(text)}"),
        ("exim", 6, f"{stamp} ** {to}{tls}CN=x\"{refused} {text}"),
        ("exim", 6, f"{stamp} == a@example.com R=dns T=smtp defer (-44) "
         f"H=mx.example.com [192.0.2.1]{refused} {text}"),
        ("exim", 6, f"2026-11-28 17:00:00 H=c.test ({text}) [198.51.100.1] rejected RCPT <{text}>"),
    ]  # fmt: skip


def sendmail(text: str) -> list[Written]:
    begin = "xdelay=00:00:01, mailer=esmtp, pri=30, relay=mx.example.com. [192.0.2.1]"
    relay = "relay=mx.example.com."
    safe = text.replace(">", "")
    return [
        ("sm-mta", 1, "starting daemon (8.17.1): SMTP+queueing@00:10:00"),
        ("sm-mta", 9, f"ruleset=check_rcpt, arg1=<{text}>, relay=c.test, reject=550 no"),
        ("sm-mta", 9, f"x89Bx1iP007421: from=<{quoted(text)}@x.test>, size=3, class=0, nrcpts=1, "
         f"msgid=<{safe}>, proto=ESMTP, daemon=MTA, relay=c.test [198.51.100.1]"),
        ("sm-mta", 9, f"STARTTLS=client, {relay}, field=cn_subject, status=failed to extract CN"),
        ("sm-mta", 9, f"STARTTLS=client, {relay}, version=TLSv1.3, verify=FAIL, cipher=X, bits=1"),
        ("sm-mta", 9, f"STARTTLS=client, cert-subject={text}, cert-issuer={text}, verifymsg=no"),
        ("sm-mta", 9, f"x89Bx1iP007421: to=<{quoted(text)}@example.com>, delay=00:00:02, {begin}, "
         f"dsn=5.0.0, reply=550 {text}, stat=Service unavailable"),
        ("sm-mta", 9, f"x89Bx1iP007421: to=<a@example.com>, delay=00:00:02, {begin}, dsn=2.0.0, "
         f"stat=Sent (250 {text})"),
        ("sm-mta", 8, f"x89Bx1iP007422: to=<a@example.com>, delay=00:00:02, {begin}, dsn=4.0.0, "
         f"stat=Deferred: 450 {text}"),
    ]  # fmt: skip


def opensmtpd(text: str) -> list[Written]:
    delivery = (
        f"{SESSION} mta delivery evpid=f6e94209918f7e7b from=<s@us.test> to=<a@example.com> "
        'rcpt=<-> source="-" relay="192.0.2.1 (mx.example.com)" delay=2s'
    )
    return [
        ("smtpd", 5, "5df87c9ffd0e7850 smtp connected address=198.51.100.1 host=c.test"),
        ("smtpd", 5, f'5df87c9ffd0e7850 smtp failed-command command="{text}" result="550 {text}"'),
        ("smtpd", 5, f"{SESSION} mta connecting address=smtp://192.0.2.1:25 host=mx.example.com"),
        ("smtpd", 5, f"{SESSION} mta connected"),
        ("smtpd", 5, f"{SESSION} mta tls ciphers=TLSv1.3:TLS_AES_256_GCM_SHA384:256"),
        ("smtpd", 5, f'{delivery} result="TempFail" stat="451 {text}"'),
        ("smtpd", 5, f'{delivery} result="Ok" stat="250 {text}"'),
        ("smtpd", 5, f"{SESSION} mta error reason=EHLO rejected: 550 {text}"),
    ]


TRUTH: Mapping[str, tuple[Callable[[str], list[Written]], list[str]]] = {
    "postfix": (
        postfix,
        [
            "bounced held encrypted/none TLSv1.3 mx.example.com[192.0.2.1]",
            "sent left clear mx.example.com[192.0.2.1]",
            "in sent left unknown c.test[198.51.100.1]",
        ],
    ),
    "exim": (
        exim,
        [
            "in sent left encrypted/unknown TLSv1.3 c.test[198.51.100.1]",
            "sent left encrypted/none TLSv1.3 mx.example.com[192.0.2.1]",
            "bounced held encrypted/none TLSv1.3 mx.example.com[192.0.2.1]",
            "deferred held unknown mx.example.com[192.0.2.1]",
        ],
    ),
    "sendmail": (
        sendmail,
        [
            "bounced unknown encrypted/none TLSv1.3 mx.example.com[192.0.2.1]",
            "sent left encrypted/none TLSv1.3 mx.example.com[192.0.2.1]",
            "deferred unknown clear mx.example.com[192.0.2.1]",
            "in sent left unknown c.test[198.51.100.1]",
        ],
    ),
    "opensmtpd": (
        opensmtpd,
        [
            "deferred unknown encrypted/unknown TLSv1.3 mx.example.com[192.0.2.1]",
            "sent left encrypted/unknown TLSv1.3 mx.example.com[192.0.2.1]",
        ],
    ),
}


def in_one_line(text: str) -> str:
    """As syslog daemons write control characters into files."""
    return "".join(f"#{ord(each):03o}" if ord(each) < 32 else each for each in text)


def rfc_3164(time: datetime, program: str, pid: int, text: str) -> str:
    return f"<22>{time:%b %d %H:%M:%S} {HOST} {program}[{pid}]: {in_one_line(text)}"


def iso(time: datetime, program: str, pid: int, text: str) -> str:
    return f"{time.isoformat()} {HOST} {program}[{pid}]: {in_one_line(text)}"


def rfc_5424(time: datetime, program: str, pid: int, text: str) -> str:
    return f"<22>1 {time.isoformat()} {HOST} {program} {pid} - - {in_one_line(text)}"


def journal(time: datetime, program: str, pid: int, text: str) -> str:
    return _of_journal(time, program, pid, text)


def journal_bytes(time: datetime, program: str, pid: int, text: str) -> str:
    """journalctl writes a message that is no UTF-8 as a list of its bytes."""
    return _of_journal(time, program, pid, list(text.encode("utf-8", "surrogateescape")))


def _of_journal(time: datetime, program: str, pid: int, message: str | list[int]) -> str:
    entry = {
        "__REALTIME_TIMESTAMP": str(int(time.timestamp() * 1_000_000)),
        "_HOSTNAME": HOST,
        "SYSLOG_IDENTIFIER": program,
        "_PID": str(pid),
        "MESSAGE": message,
    }
    return json.dumps(entry)


@pytest.mark.parametrize("style", [rfc_3164, iso, rfc_5424, journal, journal_bytes])
@pytest.mark.parametrize("server", TRUTH)
@given(text=HOSTILE)
@example(text="|")
def test_no_text_of_others_changes_an_answer(
    server: str, style: Callable[[datetime, str, int, str], str], text: str
) -> None:
    write, truth = TRUTH[server]
    lines = [
        style(BEGIN + timedelta(seconds=number), *written)
        for number, written in enumerate(write(text))
    ]
    deliveries = read(lines, inbound=True).deliveries
    seen = [f"{'in ' if each.direction == 'in' else ''}{told(each)}" for each in deliveries]
    assert sorted(seen) == sorted(truth)
    out = [each for each in deliveries if each.direction == "out"]
    assert {each.domain for each in out} == {"example.com"}


def test_a_file_of_exim_has_no_syslog_stamp() -> None:
    write, truth = TRUTH["exim"]
    outcome = read([text for _, _, text in write("X=TLS9:evil:1")], inbound=True)
    seen = [f"{'in ' if each.direction == 'in' else ''}{told(each)}" for each in outcome.deliveries]
    assert sorted(seen) == sorted(truth)
