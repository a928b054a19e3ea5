"""OpenSMTPD 6.8 and newer: each form of line. Sources: the format strings of mta.c, mta_session.c,
smtp_session.c; the strings of Debian's 6.8; published logs.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.logs.base import BEGINS, NOT_SENT
from prober.logs.records import Content, Delivery, Identity, Status, Tls
from tests.logs.reading import read
from tests.logs.test_postfix import HOSTILE

AT = "Nov 28 17:00:00 mx1 smtpd[75295]: "
ID = "5df87c9ffd0e785d"
OTHER = "5df87c9b982c840c"
CONNECTING = f"{ID} mta connecting address=smtp://192.0.2.1:25 host=mx.example.com"
CONNECTED = f"{ID} mta connected"
TLS = f"{ID} mta tls ciphers=TLSv1.3:TLS_AES_256_GCM_SHA384:256"
DOWNGRADED = f"smtp-out: Error on session {ID}: opportunistic TLS failed, downgrading to plain"


def done(
    result: str = "Ok",
    *,
    session: str = ID,
    relay: str = "192.0.2.1 (mx.example.com)",
    stat: str = "250 2.0.0 ok",
) -> str:
    return (
        f"{session} mta delivery evpid=f6e94209918f7e7b from=<s@us.test> to=<a@example.com> "
        f'rcpt=<-> source="198.51.100.1" relay="{relay}" delay=2s result="{result}" stat="{stat}"'
    )


def run(*texts: str, inbound: bool = False) -> list[Delivery]:
    outcome = read([AT + text for text in texts], inbound=inbound)
    assert outcome.unread == []
    return outcome.deliveries


@pytest.mark.parametrize(
    ("texts", "tls", "identity", "version"),
    [
        pytest.param((TLS,), Tls.ENCRYPTED, Identity.UNKNOWN, "TLSv1.3", id="7.x"),
        pytest.param((TLS, f'{ID} mta server-cert-check result="success"'), Tls.ENCRYPTED,
                     Identity.TRUSTED, "TLSv1.3", id="6.8-success"),
        pytest.param((TLS, f'{ID} mta server-cert-check result="failure"'), Tls.ENCRYPTED,
                     Identity.NONE, "TLSv1.3", id="6.8-failure"),
        pytest.param((f"{ID} mta tls ciphers=TLSv1.2:ECDHE-RSA-CHACHA20-POLY1305:256",),
                     Tls.ENCRYPTED, Identity.UNKNOWN, "TLSv1.2", id="tls12"),
        pytest.param((f"{ID} mta tls ciphers=a new form",), Tls.ENCRYPTED, Identity.UNKNOWN, None,
                     id="new-form"),
        pytest.param((), Tls.CLEAR, Identity.UNKNOWN, None, id="clear"),
        pytest.param((DOWNGRADED, CONNECTING, CONNECTED), Tls.CLEAR, Identity.UNKNOWN, None,
                     id="downgraded"),
        pytest.param((TLS, DOWNGRADED, CONNECTED), Tls.CLEAR, Identity.UNKNOWN, None,
                     id="downgraded-late"),
        pytest.param((f"{OTHER} mta tls ciphers=TLSv1.3:X:256",), Tls.CLEAR, Identity.UNKNOWN, None,
                     id="another-session"),
        pytest.param((f'{ID} mta server-cert-check result="success"',), Tls.CLEAR,
                     Identity.UNKNOWN, None, id="check-without-tls"),
    ],
)  # fmt: skip
def test_the_session_is_joined(
    texts: tuple[str, ...], tls: Tls, identity: Identity, version: str | None
) -> None:
    (delivery,) = run(CONNECTING, CONNECTED, *texts, done())
    session = delivery.session
    assert (session.tls, session.identity, session.version) == (tls, identity, version)
    assert (delivery.relay, delivery.address) == ("mx.example.com", "192.0.2.1")
    assert (delivery.queue_id, delivery.domain) == ("f6e94209", "example.com")


def test_a_session_that_began_before_the_log_is_unknown() -> None:
    (delivery,) = run(done())
    assert (delivery.session.tls, delivery.session.why) == (Tls.UNKNOWN, BEGINS)


@pytest.mark.parametrize(
    ("result", "relay", "status", "content"),
    [
        ("Ok", "192.0.2.1 (mx.example.com)", Status.SENT, Content.LEFT),
        ("TempFail", "192.0.2.1 (mx.example.com)", Status.DEFERRED, Content.UNKNOWN),
        ("PermFail", "[2001:db8::1] (mx.example.com)", Status.BOUNCED, Content.UNKNOWN),
        ("TempFail", "-", Status.DEFERRED, Content.HELD),
        ("TempFail", "example.com", Status.DEFERRED, Content.HELD),
        ("Expired", "-", Status.BOUNCED, Content.HELD),
    ],
)
def test_results(result: str, relay: str, status: Status, content: Content) -> None:
    (delivery,) = run(CONNECTING, CONNECTED, TLS, done(result, relay=relay))
    assert (delivery.status, delivery.content) == (status, content)
    assert (delivery.session.why == NOT_SENT) == (content is Content.HELD)


def test_deliveries_to_this_machine_are_local() -> None:
    (delivery,) = run(
        f"{ID} mda delivery evpid=78e5c402920bcc4f from=<s@us.test> to=<jane@us.test> rcpt=<-> "
        "user=jane delay=1s result=Ok stat=Delivered"
    )
    assert (delivery.local, delivery.domain) == (True, "us.test")


ARRIVED = (
    f"{ID} smtp message msgid=78e5c402 size=1118 nrcpt=2 proto=ESMTP",
    f"{ID} smtp envelope evpid=78e5c402920bcc4f from=<s@sender.test> to=<jane@us.test>",
    f"{ID} smtp envelope evpid=78e5c402920bcc50 from=<s@sender.test> to=<john@us.test>",
    f"{ID} smtp disconnected reason=quit",
)


@pytest.mark.parametrize(
    ("begin", "tls"),
    [
        ((f"{ID} smtp connected address=198.51.100.1 host=c.test",), Tls.CLEAR),
        (
            (
                f"{ID} smtp connected address=198.51.100.1 host=c.test",
                f"{ID} smtp tls ciphers=TLSv1.3:TLS_AES_256_GCM_SHA384:256",
            ),
            Tls.ENCRYPTED,
        ),
        ((), Tls.UNKNOWN),
    ],
)
def test_what_came_in_is_one_message(begin: tuple[str, ...], tls: Tls) -> None:
    (delivery,) = run(*begin, *ARRIVED, inbound=True)
    assert (delivery.session.tls, delivery.domain) == (tls, "sender.test")
    assert run(f"{ID} smtp connected address=local host=mx1", *ARRIVED, inbound=True) == []


@pytest.mark.parametrize(
    "text",
    [
        "info: OpenSMTPD 6.8.0 starting",
        "smtp-out: No valid route for [connector:[]->[relay:example.com]]",
        f"{ID} mta disconnected reason=quit messages=1",
        f"{ID} mta error reason=IO Error",
        f'{ID} smtp failed-command command="RCPT TO:<x>" result="550 no"',
        f"{ID} mta ssl_check_name: no match for 'mx' in cert",
    ],
)
def test_lines_that_change_nothing(text: str) -> None:
    assert run(text) == []


@pytest.mark.parametrize("text", [done("Novel"), f"{ID} mta delivery evpid=f6"])
def test_what_is_not_understood_is_said(text: str) -> None:
    assert len(read([AT + text]).unread) == 1


@given(reply=HOSTILE)
def test_no_text_of_others_changes_an_answer(reply: str) -> None:
    outcome = read(
        [AT + text for text in (CONNECTING, CONNECTED, TLS, done("TempFail", stat=reply))]
    )
    (delivery,) = outcome.deliveries
    assert (delivery.relay, delivery.address) == ("mx.example.com", "192.0.2.1")
    assert (delivery.session.tls, delivery.status) == (Tls.ENCRYPTED, Status.DEFERRED)


@given(st.lists(HOSTILE | st.sampled_from([done(), TLS, CONNECTING, *ARRIVED]), max_size=20))
def test_no_line_raises(texts: list[str]) -> None:
    read([AT + text for text in texts], inbound=True)
