"""Sendmail: each form of line. Sources: "System Log" of its Installation and Operation Guide, the
format strings of 8.17 (tls.c, deliver.c, envelope.c), published logs.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.logs.base import BEGINS, NO_TLS, NOT_SENT
from prober.logs.records import Content, Delivery, Identity, Status, Tls
from prober.logs.sendmail import CACHED
from tests.logs.reading import read
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
    ("line", "version", "identity"),
    [
        (tls(), "TLSv1.3", Identity.NONE),
        (tls(verify="OK"), "TLSv1.3", Identity.TRUSTED),
        (tls(verify="TRUSTED"), "TLSv1.3", Identity.DANE),
        (tls(verify="NO"), "TLSv1.3", Identity.NONE),
        (tls(verify="DANE_FAIL"), "TLSv1.3", Identity.NONE),
        (tls(version="TLSv1/SSLv3"), None, Identity.NONE),
        (tls(relay="mx.example.com"), "TLSv1.3", Identity.NONE),
        (tls(relay="MX.example.com."), "TLSv1.3", Identity.NONE),
    ],
)
def test_the_tls_line_is_joined(line: str, version: str | None, identity: Identity) -> None:
    (delivery,) = run(line, to())
    session = delivery.session
    assert (session.tls, session.version, session.identity) == (Tls.ENCRYPTED, version, identity)
    assert (delivery.relay, delivery.address) == ("mx.example.com", "192.0.2.1")


@pytest.mark.parametrize(
    ("dsn", "stat", "status", "content"),
    [
        ("2.0.0", "Sent (ok)", Status.SENT, Content.LEFT),
        ("4.0.0", "Deferred: 451 later", Status.DEFERRED, Content.UNKNOWN),
        ("4.0.0", "Deferred: Connection refused by mx.example.com.", Status.DEFERRED, Content.HELD),
        ("5.1.1", "User unknown", Status.BOUNCED, Content.HELD),
        ("5.0.0", "Service unavailable", Status.BOUNCED, Content.UNKNOWN),
        ("4.7.0", "Deferred: 403 4.7.0 TLS handshake failed.", Status.DEFERRED, Content.UNKNOWN),
    ],
)
def test_results(dsn: str, stat: str, status: Status, content: Content) -> None:
    (delivery,) = run(tls(), to(dsn=dsn, stat=stat))
    assert (delivery.status, delivery.content) == (status, content)


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


def test_a_process_id_that_comes_again_is_another_client() -> None:
    server = tls(relay="other.test [198.51.100.2]", verify="NO").replace("=client", "=server")
    (in_clear,) = run(server, FROM, inbound=True)
    assert in_clear.session.tls is Tls.CLEAR


@given(reply=HOSTILE, message_id=HOSTILE, local=HOSTILE)
def test_no_text_of_others_changes_an_answer(reply: str, message_id: str, local: str) -> None:
    escaped = local.replace("\\", "\\\\").replace('"', '\\"')
    begin = FROM.replace("<1@sender.test>", f"<{message_id.replace('>', '')}>")
    texts = (
        begin,
        tls(),
        to(f'<"{escaped}"@example.com>', dsn="5.1.1", stat=f"User unknown {reply}"),
    )
    outcome = read([EARLY, *(AT.format(pid=9) + text for text in texts)])
    (delivery,) = outcome.deliveries
    assert (delivery.relay, delivery.address) == ("mx.example.com", "192.0.2.1")
    assert (delivery.session.tls, delivery.status) == (Tls.ENCRYPTED, Status.BOUNCED)
    assert delivery.domain == "example.com"


@given(st.lists(HOSTILE | st.sampled_from([to(), tls(), FROM]), max_size=20))
def test_no_line_raises(texts: list[str]) -> None:
    read([AT.format(pid=9) + text for text in texts], inbound=True)
