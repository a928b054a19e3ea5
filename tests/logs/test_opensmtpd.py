"""OpenSMTPD 6.8 and newer: each form of line. Sources: the format strings of mta.c, mta_session.c,
smtp_session.c; the strings of Debian's 6.8; published logs.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.logs.base import BEGINS, NOT_SENT
from prober.logs.records import Delivery, Tls
from tests.logs.reading import read, told
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


def test_the_message_and_the_domain_are_read() -> None:
    (delivery,) = run(CONNECTING, CONNECTED, TLS, done())
    assert (delivery.queue_id, delivery.domain) == ("f6e94209", "example.com")


def test_unknown_has_its_reason() -> None:
    (began_before,) = run(done())
    assert (began_before.session.tls, began_before.session.why) == (Tls.UNKNOWN, BEGINS)
    (not_reached,) = run(CONNECTING, CONNECTED, TLS, done("TempFail", relay="-"))
    assert not_reached.session.why == NOT_SENT


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


# -- documented lines ----------------------------------------------------------------------------
# Each row: its source (usr.sbin/smtpd of OpenSMTPD 6.8.0p2 and 7.9.0p0), the lines of a session
# and what must be read of the deliveries in them.

BEGIN = (CONNECTING, CONNECTED)
CHECK_68 = f'{ID} mta server-cert-check result="success"'
FAILURE_68 = CHECK_68.replace("success", "failure")
CHECK_7 = f'{ID} mta cert-check result="valid" fingerprint="SHA256:ab"'
UNVERIFIED_7 = CHECK_7.replace("valid", "unverified")
NO_CERTIFICATE_7 = f'{ID} smtp cert-check result="no certificate presented"'
PEER = "mx.example.com[192.0.2.1]"
VERIFIED = f"sent left encrypted/verified TLSv1.3 {PEER}"
ENCRYPTED = f"sent left encrypted/unknown TLSv1.3 {PEER}"
IN_CLEAR = f"sent left clear {PEER}"
PERHAPS = f"deferred unknown encrypted/unknown TLSv1.3 {PEER}"
HELD = f"deferred held unknown {PEER}"
HELD_TLS = f"deferred held encrypted/unknown TLSv1.3 {PEER}"


def session(*texts: str) -> tuple[str, ...]:
    return (*BEGIN, *texts)


def tls(ciphers: str) -> str:
    return f"{ID} mta tls ciphers={ciphers}"


def failed(stat: str, result: str = "TempFail") -> str:
    return done(result, stat=stat)


def local(fields: str) -> str:
    return f"{ID} mda delivery evpid=78e5c402920bcc4f from=<s@us.test> to=<jane@us.test> {fields}"


DOCUMENTED = [
    # mta_session.c, mta_tls_verified() and mta_tls_started()
    ("6.8 check", session(TLS, CHECK_68, done()), VERIFIED),
    ("6.8 check", session(TLS, FAILURE_68, done()), VERIFIED.replace("verified", "none")),
    ("6.8 check", session(TLS, f"{ID} mta ssl_check_name: no match for 'mx' in cert", FAILURE_68,
                          done()), VERIFIED.replace("verified", "none")),
    ("6.8 no certificate", session(TLS, done()), ENCRYPTED),
    ("7.9 check", session(TLS, CHECK_7, done()), VERIFIED),
    ("7.9 check", session(TLS, UNVERIFIED_7, done()), VERIFIED.replace("verified", "none")),
    ("7.9 check", session(TLS, NO_CERTIFICATE_7, done()), VERIFIED.replace("verified", "none")),
    ("a check without TLS", session(CHECK_7, done()), IN_CLEAR),
    ("a check without TLS", session(CHECK_68, done()), IN_CLEAR),
    ("another session's TLS", session(TLS.replace(ID, OTHER), done()), IN_CLEAR),
    ("another session's check", session(TLS, CHECK_7.replace(ID, OTHER), done()), ENCRYPTED),
    # ssl.c ssl_to_text(), to.c tls_to_text(): version, cipher, bits
    ("6.8 ciphers", session(tls("TLSv1.2:ECDHE-RSA-AES256-GCM-SHA384:256"), done()),
     ENCRYPTED.replace("1.3", "1.2")),
    ("6.8 ciphers", session(tls("TLSv1.2:DHE-RSA-AES128-SHA:128"), done()),
     ENCRYPTED.replace("1.3", "1.2")),
    ("6.8 ciphers", session(tls("TLSv1.1:AES256-SHA:256"), done()),
     ENCRYPTED.replace("1.3", "1.1")),
    ("6.8 ciphers", session(tls("TLSv1:AES128-SHA:128"), done()), ENCRYPTED.replace("1.3", "1")),
    ("7.9 ciphers", session(tls("TLSv1.3:AEAD-AES256-GCM-SHA384:256"), done()), ENCRYPTED),
    ("7.9 ciphers", session(tls("TLSv1.3:TLS_CHACHA20_POLY1305_SHA256:256"), done()), ENCRYPTED),
    ("7.9 ciphers", session(tls("TLSv1.3:AEAD-AES128-GCM-SHA256:128"), done()), ENCRYPTED),
    ("a new form", session(tls("a new form"), done()), f"sent left encrypted/unknown {PEER}"),
    # mta_session.c mta_connect(): "%s%s:%d" of scheme, address and port
    ("smtp", session(done()), IN_CLEAR),
    ("smtps", (CONNECTING.replace("smtp://192.0.2.1:25", "smtps://192.0.2.1:465"), CONNECTED, TLS,
               done()), ENCRYPTED),
    ("smtp+tls", (CONNECTING.replace("smtp:", "smtp+tls:"), CONNECTED, TLS, CHECK_7, done()),
     VERIFIED),
    ("smtp+notls", (CONNECTING.replace("smtp:", "smtp+notls:"), CONNECTED, done()), IN_CLEAR),
    ("lmtp", (CONNECTING.replace("smtp:", "lmtp:"), CONNECTED, done()), IN_CLEAR),
    ("IPv6", (CONNECTING.replace("192.0.2.1", "[2001:db8::1]"), CONNECTED, TLS,
              done(relay="[2001:db8::1] (mx.example.com)")),
     "sent left encrypted/unknown TLSv1.3 mx.example.com[2001:db8::1]"),
    ("no PTR", session(TLS, done(relay="192.0.2.1 (<unknown>)")),
     "sent left encrypted/unknown TLSv1.3 <unknown>[192.0.2.1]"),
    ("no source", session(TLS, done().replace('source="198.51.100.1"', 'source="-"')), ENCRYPTED),
    ("source IPv6", session(TLS, done().replace('"198.51.100.1"', '"[2001:db8::9]"')), ENCRYPTED),
    ("rcpt", session(TLS, done().replace("rcpt=<->", "rcpt=<list@us.test>")), ENCRYPTED),
    ("bounce", session(TLS, done().replace("from=<s@us.test>", "from=<>")), ENCRYPTED),
    ("duration", session(TLS, done().replace("delay=2s", "delay=1d2h3m4s")), ENCRYPTED),
    # several messages, several recipients
    ("reused", session(TLS, done(), done()), f"{ENCRYPTED}\n{ENCRYPTED}"),
    ("reused in clear", session(done(), done()), f"{IN_CLEAR}\n{IN_CLEAR}"),
    ("interleaved", session(CONNECTING.replace(ID, OTHER), f"{OTHER} mta connected", TLS,
                            done(session=OTHER), done()), f"{IN_CLEAR}\n{ENCRYPTED}"),
    ("disconnected", session(TLS, done(), f"{ID} mta disconnected reason=quit messages=1"),
     ENCRYPTED),
    ("after messages", session(TLS, done(), f"smtp-out: Error on session {ID} after 1 message "
     "sent: IO Error: Connection reset by peer", failed("IO Error: Connection reset by peer")),
     f"{ENCRYPTED}\n{PERHAPS}"),
    # mta_io(): the downgrade
    ("downgraded", session(DOWNGRADED, *BEGIN, done()), IN_CLEAR),
    ("downgraded after TLS", session(TLS, DOWNGRADED, *BEGIN, done()), IN_CLEAR),
    ("downgraded, connected", session(TLS, DOWNGRADED, CONNECTED, done()), IN_CLEAR),
    ("downgraded, 6.7", session(DOWNGRADED.replace("Error", "TLS Error"), *BEGIN, done()),
     IN_CLEAR),
    ("retried with TLS", session(f"{ID} mta error reason=Connection timeout", *BEGIN, TLS, done()),
     ENCRYPTED),
    # mta_session.c mta_error(), mta_flush_task(): failures in the words of OpenSMTPD
    ("6.8 verify", session(TLS, f"{ID} mta error reason=SSL certificate check failed",
                           failed("SSL certificate check failed")), HELD_TLS),
    ("7.9 verify", session(failed("IO Error: certificate verification failed: unable to get local "
                                  "issuer certificate")), HELD),
    ("7.9 name", session(failed("IO Error: name `mx' not present in server certificate")), HELD),
    ("7.9 handshake", session(failed("IO Error: handshake failed: error:0A000410:SSL routines::"
                                     "ssl/tls alert handshake failure")), HELD),
    ("tls required", session(failed("TLS required but not supported by remote host")), HELD),
    ("starttls", session(failed("STARTTLS rejected: 454 4.7.0 later")), HELD),
    ("banner", session(failed("BANNER rejected: 554 5.7.1 no")), HELD),
    ("ehlo", session(failed("EHLO rejected: 550 no")), HELD),
    ("helo", session(failed("HELO rejected: 550 no")), HELD),
    ("auth", session(TLS, failed("AUTH rejected: 535 no")), HELD_TLS),
    ("auth offer", session(TLS, failed("AUTH not advertised")), HELD_TLS),
    ("auth in clear", session(failed("Refuse to AUTH over insecure channel")), HELD),
    ("size", session(TLS, failed("message too large for peer", "PermFail")),
     HELD_TLS.replace("deferred", "bounced")),
    ("timeout", session(TLS, failed("Connection timeout")), PERHAPS),
    ("reset", session(TLS, failed("IO Error: Connection reset by peer")), PERHAPS),
    ("closed", session(TLS, failed("Connection closed unexpectedly")), PERHAPS),
    ("too much", session(TLS, failed("Remote host sent too much data")), PERHAPS),
    ("errors", session(TLS, failed("Too many consecutive errors, closing connection")), PERHAPS),
    # failures in the words of the other server
    ("451", session(TLS, failed("451 4.7.1 later")), PERHAPS),
    ("550", session(TLS, failed("550 5.1.1 no", "PermFail")),
     PERHAPS.replace("deferred", "bounced")),
    ("550 in clear", session(failed("550 5.1.1 no", "PermFail")), f"bounced unknown clear {PEER}"),
    ("550 by IPv6", session(TLS, done("PermFail", relay="[2001:db8::1] (mx.example.com)")),
     "bounced unknown encrypted/unknown TLSv1.3 mx.example.com[2001:db8::1]"),
    ("imitation", session(TLS, failed("550 SSL certificate check failed")), PERHAPS),
    ("quotes", session(TLS, failed('550 "result="Ok" stat="250')), PERHAPS),
    # mta.c mta_flush(), mta_on_mx(): no session, the relay is a domain
    ("no MX", (done("TempFail", session="0" * 16, relay="example.com", stat="No MX found for "
     "domain"),), "deferred held unknown -[-]"),
    ("bad MX", (done("PermFail", session="0" * 16, relay="example.com", stat="Invalid domain "
     "name"),), "bounced held unknown -[-]"),
    ("loop", (done("PermFail", session="0" * 16, relay="example.com", stat="Loop detected"),),
     "bounced held unknown -[-]"),
    ("network", (done("TempFail", session="0" * 16, relay="example.com", stat="Network error on "
     "destination MXs"),), "deferred held unknown -[-]"),
    ("no relay", session(TLS, done("TempFail", relay="-")), "deferred held unknown -[-]"),
    ("no address", session(TLS, done("TempFail", relay="example.com")),
     "deferred held unknown -[-]"),
    ("expired", session(TLS, done("Expired", relay="-")), "bounced held unknown -[-]"),
    # mda.c mda_log(): rcpt= only where the address was rewritten
    ("mda", (local("user=jane delay=1s result=Ok stat=Delivered"),), "sent left unknown local"),
    ("mda rcpt", (local("rcpt=<j@us.test> user=jane delay=1s result=Ok stat=Delivered"),),
     "sent left unknown local"),
    ("mda failure", (local('user=jane delay=1s result=TempFail stat=Error ("mail.local: no")'),),
     "deferred held unknown local"),
    ("mda failure", (local("user=a b delay=1s result=PermFail stat=no"),),
     "bounced held unknown local"),
    # no delivery
    ("queue.c", ("relay: Expire for f6e94209918f7e7b: from=<s@us.test>, to=<a@example.com>, "
                 "rcpt=<->, delay=4d, stat=Envelope expired",), ""),
    ("mta.c", ("smtp-out: Enabling route [] <-> 192.0.2.1 (mx.example.com)",), ""),
    ("mta.c", ("smtp-out: Failed to resolve MX for [relay:example.com]: No MX found",), ""),
    ("mta.c", ("smtp-out: Address family mismatch on [connector:[]->[relay:example.com]]",), ""),
    ("7.9", (f"{ID} mta closing reason=tls-connect-failed",), ""),
    ("6.8", (f"{ID} mta closing reason=ca-failure",), ""),
    ("rejects", (f"{ID} mta host-rejects-all-mails",), ""),
]  # fmt: skip


@pytest.mark.parametrize(("source", "texts", "expected"), DOCUMENTED)
def test_documented_lines(source: str, texts: tuple[str, ...], expected: str) -> None:
    assert "\n".join(told(each) for each in run(*texts)) == expected, source


def test_the_check_of_a_client_is_not_the_check_of_a_server() -> None:
    begin = (
        f"{ID} smtp connected address=198.51.100.1 host=c.test",
        f"{ID} smtp tls ciphers=TLSv1.3:TLS_AES_256_GCM_SHA384:256",
        f'{ID} smtp cert-check result="verified" fingerprint="SHA256:ab"',
    )
    (delivery,) = run(*begin, *ARRIVED, inbound=True)
    assert told(delivery) == "sent left encrypted/unknown TLSv1.3 c.test[198.51.100.1]"


@given(st.lists(HOSTILE | st.sampled_from([done(), TLS, CONNECTING, *ARRIVED]), max_size=20))
def test_no_line_raises(texts: list[str]) -> None:
    read([AT + text for text in texts], inbound=True)
