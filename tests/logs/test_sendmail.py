"""Sendmail: each form of line. Sources: "System Log" of its Installation and Operation Guide, the
format strings of 8.17 (tls.c, deliver.c, envelope.c), published logs.
"""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.logs.base import BEGINS, NO_TLS, NOT_SENT
from prober.logs.records import Content, Delivery, Status, Tls
from prober.logs.sendmail import CACHED
from tests.logs.reading import read, told
from tests.logs.test_postfix import HOSTILE

EARLY = "Nov 28 16:00:00 mx1 sm-mta[1]: starting daemon (8.17.1): SMTP+queueing@00:10:00"
AT = "Nov 28 17:00:00 mx1 sm-mta[{pid}]: "
QUEUE_ID = "x89Bx1iP007421"


def tls(relay: str = "mx.example.com.", version: str = "TLSv1.3", verify: str = "FAIL") -> str:
    return (
        f"STARTTLS=client, relay={relay}, version={version}, verify={verify}, "
        "cipher=TLS_AES_256_GCM_SHA384, bits=256/256"
    )


def to(
    recipients: str = "<a@example.com>",
    *,
    queue_id: str = QUEUE_ID,
    relay: str = "mx.example.com. [192.0.2.1]",
    dsn: str = "2.0.0",
    stat: str = "Sent (250 2.0.0 OK)",
    mailer: str = "esmtp",
) -> str:
    return (
        f"{queue_id}: to={recipients}, ctladdr=<s@us.test> (1000/1000), delay=00:00:02, "
        f"xdelay=00:00:01, mailer={mailer}, pri=30396, relay={relay}, dsn={dsn}, stat={stat}"
    )


def run(*texts: str, pid: int = 9, begin: str = EARLY, inbound: bool = False) -> list[Delivery]:
    lines = [begin, *(AT.format(pid=pid) + text for text in texts)]
    outcome = read(lines, inbound=inbound)
    assert outcome.unread == []
    return outcome.deliveries


@pytest.mark.parametrize(
    ("said", "stat", "content"),
    [
        ("550 5.1.1 no, not here", "User unknown", Content.HELD),
        ("550 5.7.1 spam", "Service unavailable", Content.UNKNOWN),
        ("550 spam, stat=User unknown", "Service unavailable", Content.UNKNOWN),
        ("550 spam", "Service unavailable, stat=User unknown", Content.UNKNOWN),
        ("550 spam, dsn=2.0.0, stat=Sent (ok)", "User unknown", Content.UNKNOWN),
    ],
)
def test_a_reply_is_no_field(said: str, stat: str, content: Content) -> None:
    line = to(dsn="5.1.1", stat=stat).replace(", stat=", f", reply={said}, stat=", 1)
    (delivery,) = run(tls(), line)
    assert (delivery.status, delivery.content) == (Status.BOUNCED, content)


def test_each_recipient_is_a_delivery() -> None:
    deliveries = run(tls(), to('<a@example.com>,<"b, c"@example.com>,d@example.com'))
    assert [each.recipient for each in deliveries] == [
        *("a@example.com", '"b, c"@example.com', "d@example.com"),
    ]
    assert {each.session.tls for each in deliveries} == {Tls.ENCRYPTED}


def test_silence() -> None:
    assert run(to())[0].session.why == NO_TLS
    other = "mx.example.net. [192.0.2.2]"
    assert [each.session.tls for each in run(to(relay=other), tls(), to())] == [
        *(Tls.CLEAR, Tls.ENCRYPTED),
    ]


def test_another_message_of_the_process_may_have_used_the_connection_again() -> None:
    second = run(tls(), to(), to(queue_id="x89Bx1iP007422"))[1]
    assert (second.session.tls, second.session.why) == (Tls.UNKNOWN, CACHED)


def test_a_log_that_begins_in_the_middle_leaves_it_unknown() -> None:
    first = run(to(), tls(relay="x."), begin=AT.format(pid=3) + "x")[0]
    assert first.session.why == BEGINS


@pytest.mark.parametrize(
    ("relay", "dsn"),
    [("mx.example.com.", "4.0.0"), ("mx.example.com. []", "4.0.0"), ("local", "4.4.7")],
)
def test_without_an_address_nothing_was_sent(relay: str, dsn: str) -> None:
    (delivery,) = run(to(relay=relay, dsn=dsn, stat="Deferred: Connection timed out"))
    assert (delivery.content, delivery.session.why) == (Content.HELD, NOT_SENT)


@pytest.mark.parametrize("mailer", ["local", "prog", "*file*", "cyrusv2"])
def test_deliveries_to_this_machine_are_local(mailer: str) -> None:
    assert run(to(mailer=mailer, relay="local"))[0].local


@pytest.mark.parametrize(
    "text",
    [
        f"{QUEUE_ID}: to=<a@example.com>, delay=00:00:00, mailer=esmtp, pri=30396, stat=queued",
        "STARTTLS=client, error: connect failed=-1, reason=sslv3 alert, SSL_error=1, errno=0",
        "STARTTLS=client, relay=mx.example.com., field=cn_subject, status=failed to extract CN",
        "STARTTLS=client, cert-subject=/CN=mx, cert-issuer=/CN=ca, verifymsg=ok",
        f"{QUEUE_ID}: x89Bx1iP007423: DSN: User unknown",
        "ruleset=check_relay, arg1=c.test, arg2=198.51.100.1, relay=c.test, reject=550",
    ],
)
def test_lines_that_change_nothing(text: str) -> None:
    assert run(text) == []


@pytest.mark.parametrize(
    "text", [f"{QUEUE_ID}: to=<a@example.com>", tls().partition(", cipher")[0]]
)
def test_what_is_not_understood_is_said(text: str) -> None:
    assert len(read([AT.format(pid=1) + text]).unread) == 1


FROM = (
    f"{QUEUE_ID}: from=<s@sender.test>, size=300, class=0, nrcpts=1, msgid=<1@sender.test>, "
    "proto=ESMTP, daemon=MTA-v4, relay=c.test [198.51.100.1]"
)


def test_message_ids_are_joined() -> None:
    assert run(FROM, tls(), to())[0].message_id == "<1@sender.test>"


def test_what_came_in() -> None:
    server = tls(relay="c.test [198.51.100.1]", verify="NO").replace("=client", "=server")
    (encrypted,) = run(server, FROM, inbound=True)
    assert (encrypted.session.tls, encrypted.domain) == (Tls.ENCRYPTED, "sender.test")
    assert (encrypted.relay, encrypted.address) == ("c.test", "198.51.100.1")
    assert run(FROM, inbound=True)[0].session.why == NO_TLS


def test_a_client_that_connected_before_the_log_begins_is_unknown() -> None:
    other = tls(relay="x.").replace("=client", "=server")
    (delivery,) = run(other, FROM, begin=AT.format(pid=3) + "x", inbound=True)
    assert (delivery.session.tls, delivery.session.why) == (Tls.UNKNOWN, BEGINS)


def test_a_process_id_that_comes_again_is_another_client() -> None:
    server = tls(relay="other.test [198.51.100.2]", verify="NO").replace("=client", "=server")
    (in_clear,) = run(server, FROM, inbound=True)
    assert in_clear.session.tls is Tls.CLEAR


# -- documented lines ----------------------------------------------------------------------------
# Each row: its source, the lines, and what must be read of the deliveries in them.

TLS = "STARTTLS=client, relay=mx.example.com., version=TLSv1.3, verify=OK, cipher=X, bits=256/256"
ID = f"{QUEUE_ID}: to=<a@example.com>"
BEFORE = "delay=00:00:02, xdelay=00:00:01, mailer=esmtp, pri=30396"
MX = "relay=mx.example.com. [192.0.2.1]"
SENT = f"{ID}, {BEFORE}, {MX}, dsn=2.0.0, stat=Sent (ok)"
LONG = "example-com.mail.protection.outlook.com."  # 40 characters
MIDDLE = "example-com.mail.p...ction.outlook.com."
ENCRYPTED = "sent left encrypted/trusted TLSv1.3 mx.example.com[192.0.2.1]"
IN_CLEAR = "sent left clear mx.example.com[192.0.2.1]"
FAILED = "deferred unknown encrypted/trusted TLSv1.3 mx.example.com[192.0.2.1]"
NOT_LEFT = "deferred held unknown"


def with_tls(field: str, value: str) -> str:
    """The line of tls.c, tls_get_info(), with another value of one field."""
    return re.sub(rf"{field}=[^,]*", f"{field}={value}", TLS)


def ended(words: str) -> str:
    """The line of a delivery that ended otherwise."""
    return SENT.replace("dsn=2.0.0, stat=Sent (ok)", words)


def with_identity(identity: str, version: str = "TLSv1.3") -> str:
    return f"sent left encrypted/{identity} {version} mx.example.com[192.0.2.1]"


DOCUMENTED = [
    # verify=: RELEASE_NOTES 8.11 to 8.18, doc/op.me "STARTTLS", tls.c
    ("8.11 verify", (with_tls("verify", "OK"), SENT), with_identity("trusted")),
    ("8.11 verify", (with_tls("verify", "NO"), SENT), with_identity("none")),
    ("8.11 verify", (with_tls("verify", "NOT"), SENT), with_identity("none")),
    ("8.11 verify", (with_tls("verify", "FAIL"), SENT), with_identity("none")),
    ("8.11 verify", (with_tls("verify", "NONE"), SENT), with_identity("none")),
    ("8.16 verify", (with_tls("verify", "TRUSTED"), SENT), with_identity("dane")),
    ("8.16 verify", (with_tls("verify", "DANE_FAIL"), SENT), with_identity("none")),
    ("8.18 verify", (with_tls("verify", "DANE_TEMP"), SENT), with_identity("none")),
    ("8.16 verify", (with_tls("verify", "BOGUS_DANE_RES"), SENT), with_identity("none")),
    # version=: SSL_get_version(), before 8.16 SSL_CIPHER_get_version()
    ("8.17 version", (with_tls("version", "TLSv1.2"), SENT), with_identity("trusted", "TLSv1.2")),
    ("8.14 version", (with_tls("version", "TLSv1.1"), SENT), with_identity("trusted", "TLSv1.1")),
    ("8.14 version", (with_tls("version", "TLSv1"), SENT), with_identity("trusted", "TLSv1")),
    ("8.14 version", (with_tls("version", "SSLv3"), SENT), with_identity("trusted", "SSLv3")),
    ("8.12 version", (with_tls("version", "TLSv1/SSLv3"), SENT),
     "sent left encrypted/trusted mx.example.com[192.0.2.1]"),
    # what tls.c may add behind the bits
    ("8.16 pubkey_fp", (f"{TLS}, pubkey_fp=3:1:1:AB", SENT), ENCRYPTED),
    ("8.17 unsupported TLSA", (f"{TLS}, pubkey_fp=only unsupported TLSA RRs", SENT), ENCRYPTED),
    ("8.18 note", (f"{TLS}, note=too many TLSA RRs", SENT), ENCRYPTED),
    ("8.18 status", (f"{TLS}, status=self-signed certificate", SENT), ENCRYPTED),
    # lines beside it that say nothing of whether the message was encrypted
    ("tls.c LogLevel 12", (f"{TLS}", "STARTTLS=client, cert-subject=/CN=mx, cert-issuer=/CN=ca, "
     "verifymsg=ok", SENT), ENCRYPTED),
    ("tls.c AltName", ("STARTTLS=client, relay=mx.example.com., AltName=mx", TLS, SENT), ENCRYPTED),
    ("tls.c CN", ("STARTTLS=client, relay=mx.example.com., field=cn_issuer, status=CN too long",
                  TLS, SENT), ENCRYPTED),
    ("tls.c get_verify", ("STARTTLS=client, get_verify: 0 get_peer: 0x7", TLS, SENT), ENCRYPTED),
    ("deliver.c start", ("STARTTLS=client, start=ok", TLS, SENT), ENCRYPTED),
    ("deliver.c dane", ("STARTTLS=client, relay=mx.example.com., warning=DANE configured in DNS "
     "but no STARTTLS available", SENT, with_tls("relay", "x.")), IN_CLEAR),
    ("deliver.c dane 8.18", ("STARTTLS=client, relay=mx.example.com., warning=DANE configured in "
     "DNS but STARTTLS not offered", SENT, with_tls("relay", "x.")), IN_CLEAR),
    ("readcf.c", ("STARTTLS=client, error: SSL_set_cipher_list(X) failed", SENT), "sent left "
     "unknown mx.example.com[192.0.2.1]"),
    # the name of the relay: deliver.c logdelivery(), shortenstring(mci_host, 40)
    ("shortenstring", (with_tls("relay", LONG), SENT.replace("mx.example.com.", MIDDLE)),
     f"sent left encrypted/trusted TLSv1.3 {MIDDLE[:-1]}[192.0.2.1]"),
    ("39 characters", (with_tls("relay", LONG[1:]), SENT.replace("mx.example.com.", LONG[1:])),
     f"sent left encrypted/trusted TLSv1.3 {LONG[1:-1]}[192.0.2.1]"),
    ("no dot", (with_tls("relay", "mx.example.com"), SENT), ENCRYPTED),
    ("upper case", (with_tls("relay", "MX.example.com."), SENT), ENCRYPTED),
    ("another long name", (with_tls("relay", "x" + LONG), SENT.replace("mx.example.com.", MIDDLE)),
     f"sent left clear {MIDDLE[:-1]}[192.0.2.1]"),
    ("IPv6 anynet_ntoa", (TLS, SENT.replace("192.0.2.1", "IPv6:2001:db8::1")),
     "sent left encrypted/trusted TLSv1.3 mx.example.com[2001:db8::1]"),
    ("address literal", (with_tls("relay", "[192.0.2.1]"),
     SENT.replace("mx.example.com.", "[192.0.2.1]")),
     "sent left encrypted/trusted TLSv1.3 [192.0.2.1][192.0.2.1]"),
    ("smart host", (with_tls("relay", "[smart.test]"),
     SENT.replace("mx.example.com.", "[smart.test]")),
     "sent left encrypted/trusted TLSv1.3 [smart.test][192.0.2.1]"),
    ("may be forged", (TLS, SENT.replace("[192.0.2.1]", "[192.0.2.1] (may be forged)")), ENCRYPTED),
    # the fields of logdelivery()
    ("no ctladdr", (TLS, SENT), ENCRYPTED),
    ("ctladdr", (TLS, SENT.replace(", delay", ", ctladdr=<s@us.test> (1000/1000), delay")),
     ENCRYPTED),
    ("ctladdr of an alias", (TLS, SENT.replace(", delay", ", ctladdr=staff, delay")), ENCRYPTED),
    ("ctladdr shortened", (TLS, SENT.replace(", delay", f", ctladdr=<{'a' * 40}...{'b' * 39}>, "
     "delay")), ENCRYPTED),
    ("pintvl days", (TLS, SENT.replace("delay=00:00:02", "delay=5+00:00:02")), ENCRYPTED),
    ("no xdelay", (TLS, SENT.replace(" xdelay=00:00:01,", "")), ENCRYPTED),
    ("_FFR_LOG_MORE2", (TLS, SENT.replace(", pri", ", tls_verify=OK, tls_version=TLSv1.3, "
     "cipher=TLS_AES_256_GCM_SHA, pri")), ENCRYPTED),
    ("_FFR_LOG_ENVID", (TLS, SENT.replace(", pri", ", envid=QQ314159, pri")), ENCRYPTED),
    ("_FFR_LOG_NTRIES", (TLS, SENT.replace(", stat", ", ntries=2, stat")), ENCRYPTED),
    ("_FFR_LOG_STAGE", (TLS, SENT.replace("dsn=2.0.0", "dsn=4.0.0").replace("stat=Sent (ok)",
     "stage=DATA, reply=451 later, stat=Deferred")), FAILED),
    ("_FFR_MTA_STS, 8.17", (TLS, SENT.replace(", stat", ", STS=OK, stat")), ENCRYPTED),
    ("SYSLOG_BUFSIZE", (TLS, SENT.replace("<a@example.com>", "<a@example.com>,<b@example.com>, "
     "[more]"), SENT), "\n".join([ENCRYPTED] * 3)),
    ("NO-TO-LIST", (TLS, SENT.replace("<a@example.com>", "NO-TO-LIST")), ENCRYPTED),
    ("relay of esmtp mailers", (TLS, SENT.replace("esmtp", "relay")), ENCRYPTED),
    ("smtp8", (TLS, SENT.replace("esmtp", "smtp8")), ENCRYPTED),
    ("dsmtp", (TLS, SENT.replace("esmtp", "dsmtp")), ENCRYPTED),
    # stat=: sysexits.c, giveresponse()
    ("EX_NOUSER", (TLS, ended("dsn=5.1.1, reply=550 5.1.1 no, stat=User unknown")),
     FAILED.replace("deferred unknown", "bounced held")),
    ("EX_UNAVAILABLE", (TLS, ended("dsn=5.0.0, reply=554 no, stat=Service unavailable")),
     FAILED.replace("deferred", "bounced")),
    ("EX_DATAERR", (TLS, ended("dsn=5.6.0, stat=Data format error")),
     FAILED.replace("deferred", "bounced")),
    ("EX_NOHOST", (f"{ID}, {BEFORE}, relay=nowhere.test, dsn=5.1.2, stat=Host unknown (Name "
     "server: nowhere.test: host not found)",), "bounced held unknown -[-]"),
    ("EX_TEMPFAIL", (TLS, ended("dsn=4.2.0, reply=451 4.2.0 later, stat=Deferred: 451 4.2.0 "
     "later")), FAILED),
    ("timeout", (TLS, ended("dsn=4.0.0, stat=Deferred: Connection timed out with mx.example.com.")),
     FAILED),
    ("ECONNREFUSED of a later connection", (TLS, ended("dsn=4.0.0, stat=Deferred: Connection "
     "refused by mx.example.com.")), FAILED.replace("unknown", "held")),
    ("ECONNREFUSED", (f"{ID}, {BEFORE}, relay=mx.example.com. [192.0.2.1], dsn=4.0.0, "
     "stat=Deferred: Connection refused by mx.example.com.",),
     f"{NOT_LEFT} mx.example.com[192.0.2.1]"),
    ("name server", (f"{ID}, {BEFORE}, relay=mx.example.com., dsn=4.0.0, stat=Deferred: Name "
     "server: mx.example.com.: host name lookup failure",), f"{NOT_LEFT} -[-]"),
    ("too old", (f"{ID}, {BEFORE}, relay=mx.example.com., dsn=4.4.7, stat=Deferred",),
     f"{NOT_LEFT} -[-]"),
    # proto.m4 tls_server, parseaddr.c rscheck(), deliver.c: "403 4.7.0"
    ("handshake failed", ("STARTTLS=client, error: connect failed=-1, reason=sslv3 alert handshake "
     "failure, SSL_error=1, errno=0, retry=-1", "ruleset=tls_server, arg1=SOFTWARE, "
     "relay=mx.example.com., reject=403 4.7.0 TLS handshake.",
     ended("dsn=4.7.0, stat=Deferred: 403 4.7.0 TLS handshake.")),
     f"{NOT_LEFT} mx.example.com[192.0.2.1]"),
    ("handshake failed, the server's words", (TLS, ended("dsn=4.7.0, stat=Deferred: 403 4.7.0 TLS "
     "handshake failed.")), FAILED),
    ("not verified", (with_tls("verify", "FAIL"), "ruleset=tls_server, arg1=FAIL, "
     "relay=mx.example.com., reject=403 4.7.0 not authenticated",
     ended("dsn=4.7.0, stat=Deferred: 403 4.7.0 not authenticated")),
     "deferred held encrypted/none TLSv1.3 mx.example.com[192.0.2.1]"),
    ("TLSFallbacktoClear, 8.16", (with_tls("verify", "FAIL"), "ruleset=tls_server, arg1=FAIL, "
     "relay=mx.example.com., reject=403 4.7.0 not authenticated", SENT), IN_CLEAR),
    ("a client's rule set", (TLS, "ruleset=tls_client, arg1=FAIL, relay=c.test [198.51.100.1], "
     "reject=403 4.7.0", SENT), ENCRYPTED),
    # deliveries to this machine
    ("local", (f"{QUEUE_ID}: to=<jane@us.test>, delay=00:00:00, xdelay=00:00:00, mailer=local, "
     "pri=30, relay=local, dsn=2.0.0, stat=Sent",), "sent left unknown local"),
    ("prog", (f'{QUEUE_ID}: to="|/usr/bin/vacation jane", ctladdr=<jane@us.test> (1000/1000), '
     "delay=00:00:00, xdelay=00:00:00, mailer=prog, pri=30, dsn=2.0.0, stat=Sent",),
     "sent left unknown local"),
    ("file", (f"{QUEUE_ID}: to=/var/archive, ctladdr=archive, delay=00:00:00, xdelay=00:00:00, "
     "mailer=*file*, pri=30, dsn=2.0.0, stat=Sent",), "sent left unknown local"),
    # no delivery
    ("queue.c", (f"{ID}, delay=00:00:00, mailer=esmtp, pri=30, stat=queued",), ""),
    ("queue.c dsn", (f"{ID}, delay=00:00:00, mailer=esmtp, pri=30, dsn=4.4.3, stat=queued",), ""),
    ("quarantine", (f"{ID}, delay=00:00:00, mailer=esmtp, pri=30, quarantine=held by us, "
     "stat=quarantined",), ""),
    ("srvrsmtp.c logundelrcpts", (f"{ID}, delay=00:00:00, pri=30, stat=virus, not delivered",), ""),
    ("logundelrcpts dsn", (f"{ID}, delay=00:00:00, pri=30, dsn=5.7.1, stat=spam",), ""),
    ("bounce", (f"{QUEUE_ID}: {QUEUE_ID[:-1]}9: DSN: User unknown",), ""),
    ("milter", (f"{QUEUE_ID}: Milter: data, reject=550 5.7.1 Command rejected",), ""),
]  # fmt: skip


@pytest.mark.parametrize(("source", "texts", "expected"), DOCUMENTED)
def test_documented_lines(source: str, texts: tuple[str, ...], expected: str) -> None:
    assert "\n".join(told(each) for each in run(*texts)) == expected, source


@given(st.lists(HOSTILE | st.sampled_from([to(), tls(), FROM]), max_size=20))
def test_no_line_raises(texts: list[str]) -> None:
    read([AT.format(pid=9) + text for text in texts], inbound=True)
