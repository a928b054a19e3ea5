"""Postfix: each form of line, by version. Sources: the postfix.org documentation named in the rows,
source files of Postfix (smtp_trouble.c, tls_misc.c, log_adhoc.c), and real lines of 3.7.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.logs import base
from prober.logs.base import BEGINS, FORGOTTEN, NO_TLS, NOT_SENT
from prober.logs.records import Content, Delivery, Identity, Status, Tls
from tests.logs.reading import read, told

AT = "Nov 28 17:00:{:02d} mx1 postfix/"
START = AT.format(0) + "master[1]: daemon started -- version 3.7.11, configuration /etc/postfix"
MX = "mx.example.com[192.0.2.1]:25"
SUITE = "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"
NEW = f"Trusted TLS connection established to {MX}: {SUITE}"
OK = "250 2.0.0 Ok: queued as 4XyZ"


def log(*texts: str, program: str = "smtp", pid: int = 7, start: bool = True) -> list[str]:
    """Lines of one process, a second apart. A text with its own program keeps that."""
    lines = [START] if start else []
    for number, text in enumerate(texts, 1):
        own = text.startswith("@")
        begin = text[1:] if own else f"{program}[{pid}]: {text}"
        lines.append(AT.format(number) + begin)
    return lines


def to(
    queue_id: str = "4A1B2C3D4E",
    *,
    relay: str = MX,
    status: str = "sent",
    reply: str = OK,
    extra: str = "",
    recipient: str = "a@example.com",
    delays: str = "0.1/0.01/0.2/0.3",
) -> str:
    return (
        f"{queue_id}: to=<{recipient}>, relay={relay}, delay=0.6, delays={delays}, {extra}"
        f"dsn=2.0.0, status={status} ({reply})"
    )


def one(lines: list[str], **options: bool) -> Delivery:
    outcome = read(lines, **options)
    assert outcome.unread == []
    (delivery,) = outcome.deliveries
    return delivery


@pytest.mark.parametrize(
    ("text", "version", "cipher", "exchange", "identity"),
    [
        pytest.param(
            f"Untrusted TLS connection established to {MX}: TLSv1.3 with cipher "
            "TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature RSA-PSS "
            "(2048 bits) server-digest SHA256",
            *("TLSv1.3", "TLS_AES_256_GCM_SHA384", "X25519", Identity.NONE),
            id="3.4-tls13-untrusted",
        ),
        pytest.param(
            f"Verified TLS connection established to {MX}: TLSv1.3 with cipher "
            "TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519MLKEM768 server-signature "
            "ECDSA (prime256v1) server-digest SHA256",
            *("TLSv1.3", "TLS_AES_256_GCM_SHA384", "X25519MLKEM768", Identity.VERIFIED),
            id="3.10-post-quantum-verified",
        ),
        pytest.param(
            f"Trusted TLS connection reused to {MX}: TLSv1.2 with cipher "
            "ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits)",
            *("TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384", None, Identity.TRUSTED),
            id="3.4-reused",
        ),
        pytest.param(
            f"Anonymous TLS connection established to {MX}: TLSv1.2 with cipher "
            "AECDH-AES256-SHA (256/256 bits)",
            *("TLSv1.2", "AECDH-AES256-SHA", None, Identity.NONE),
            id="2.11-anonymous",
        ),
        pytest.param(
            f"Trusted TLS connection established to {MX}: TLSv1 with cipher "
            "DHE-RSA-AES256-SHA (256/256 bits)",
            *("TLSv1", "DHE-RSA-AES256-SHA", None, Identity.TRUSTED),
            id="2.5-trusted",
        ),
        pytest.param(
            "TLS connection established to mx.example.com: TLSv1 with cipher "
            "DHE-RSA-AES256-SHA (256/256 bits)",
            *("TLSv1", "DHE-RSA-AES256-SHA", None, Identity.UNKNOWN),
            id="2.2-host-only",
        ),
        pytest.param(
            "TLS connection established to mx.example.com[192.0.2.1]: TLSv1 with cipher "
            "RC4-MD5 (128/128 bits)",
            *("TLSv1", "RC4-MD5", None, Identity.UNKNOWN),
            id="2.3-no-port",
        ),
    ],
)
def test_the_tls_line_is_joined(
    text: str, version: str, cipher: str, exchange: str | None, identity: Identity
) -> None:
    delivery = one(log(text, to()))
    assert delivery.session.tls is Tls.ENCRYPTED
    assert (delivery.session.version, delivery.session.cipher) == (version, cipher)
    assert (delivery.session.key_exchange, delivery.session.identity) == (exchange, identity)
    assert (delivery.relay, delivery.address) == ("mx.example.com", "192.0.2.1")
    assert (delivery.domain, delivery.status) == ("example.com", Status.SENT)


@pytest.mark.parametrize(
    ("stated", "tls", "identity"),
    [
        # postconf(5), smtp_log_tls_feature_status; Postfix 3.11
        ("may", Tls.ENCRYPTED, Identity.NONE),
        ("may:none", Tls.CLEAR, Identity.UNKNOWN),
        ("none", Tls.CLEAR, Identity.UNKNOWN),
        ("encrypt", Tls.ENCRYPTED, Identity.NONE),
        ("encrypt/(requiretls)", Tls.ENCRYPTED, Identity.NONE),
        ("dane", Tls.ENCRYPTED, Identity.DANE),
        ("dane-only", Tls.ENCRYPTED, Identity.DANE),
        ("dane:may", Tls.ENCRYPTED, Identity.NONE),
        ("half-dane", Tls.ENCRYPTED, Identity.NONE),
        ("verify", Tls.ENCRYPTED, Identity.VERIFIED),
        ("secure/requiretls", Tls.ENCRYPTED, Identity.VERIFIED),
        ("fingerprint", Tls.ENCRYPTED, Identity.VERIFIED),
        ("verify:may", Tls.ENCRYPTED, Identity.NONE),
        ("may?", Tls.UNKNOWN, Identity.UNKNOWN),
        ("!verify", Tls.UNKNOWN, Identity.UNKNOWN),
        ("novel", Tls.UNKNOWN, Identity.UNKNOWN),
    ],
)
def test_what_the_delivery_line_says_is_read_first(
    stated: str, tls: Tls, identity: Identity
) -> None:
    delivery = one(log(to(extra=f"tls={stated}, ")))
    assert (delivery.session.tls, delivery.session.identity) == (tls, identity)
    assert (delivery.session.why is not None) == (tls is Tls.UNKNOWN)


def test_the_tls_line_adds_details_to_what_is_stated() -> None:
    session = one(log(NEW, to(extra="tls=dane, "))).session
    assert (session.version, session.identity) == ("TLSv1.3", Identity.DANE)
    assert one(log(NEW, to(extra="tls=may:none, "))).session.tls is Tls.CLEAR


def test_a_line_that_syslog_cut_leaves_the_content_unknown() -> None:
    (line,) = log(to(status="bounced", reply="host x said: 550 a long"), start=False)
    assert one([START, line.removesuffix(")")]).content is Content.UNKNOWN


def sessions(*texts: str) -> list[Tls]:
    return [each.session.tls for each in read(log(*texts)).deliveries]


def test_silence_of_a_server_that_logs_tls_is_clear_text() -> None:
    other = "mx.example.net[192.0.2.2]:25"
    texts = (to("AAAAAA", relay=other), NEW, to("BBBBBB"), to("CCCCCC", relay=other))
    assert sessions(*texts) == [Tls.CLEAR, Tls.ENCRYPTED, Tls.CLEAR]


def test_silence_of_a_server_that_never_logs_tls_means_nothing() -> None:
    delivery = one(log(to()))
    assert (delivery.session.tls, delivery.session.why) == (Tls.UNKNOWN, NO_TLS)
    assert one(log(to()), tls_logged=True).session.tls is Tls.CLEAR


def test_the_log_of_another_day_explains_nothing() -> None:
    lines = [*log(to()), "Nov 30 17:00:00 mx1 postfix/smtp[8]: " + NEW]
    assert one(lines).session.tls is Tls.UNKNOWN


def test_a_log_that_begins_in_the_middle_of_a_connection_leaves_it_unknown() -> None:
    outcome = read(log(to("AAAAAA"), NEW, to("BBBBBB"), start=False))
    assert [each.session.why for each in outcome.deliveries] == [BEGINS, None]


def test_a_delivery_that_took_no_time_began_after_the_log() -> None:
    texts = ("connect to x: timed out", "x", "x", "x", NEW, to("AAAAAA", delays="0/0/0/0"))
    second = to("BBBBBB", delays="0/0/0/0")
    outcome = read(log(*texts, second, start=False))
    assert [each.session.tls for each in outcome.deliveries] == [Tls.ENCRYPTED, Tls.CLEAR]


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(to("BBBBBB"), id="another-message"),
        pytest.param(to("AAAAAA", delays="9/0.01/0.4/0.3"), id="the-same-message-later"),
        pytest.param(to("AAAAAA", relay="mx2.example.com[192.0.2.2]:25"), id="another-relay"),
        pytest.param(to("AAAAAA", relay="mx.example.com[192.0.2.9]:25"), id="another-address"),
        pytest.param(to("AAAAAA", relay="mx.example.com[192.0.2.1]:26"), id="another-port"),
    ],
)
def test_a_tls_line_serves_one_request_over_one_connection(second: str) -> None:
    assert sessions(NEW, to("AAAAAA"), second) == [Tls.ENCRYPTED, Tls.CLEAR]


def test_all_recipients_of_a_request_share_its_connection() -> None:
    second = to("AAAAAA", recipient="b@example.com")
    assert sessions(NEW, to("AAAAAA"), second) == [Tls.ENCRYPTED, Tls.ENCRYPTED]


def test_a_retry_in_clear_after_a_lost_session_is_clear() -> None:
    lost = "AAAAAA: lost connection with mx.example.com[192.0.2.1] while performing the EHLO "
    assert sessions(NEW, lost + "handshake", to("AAAAAA")) == [Tls.CLEAR]


def test_a_refused_recipient_does_not_end_the_session() -> None:
    said = f"AAAAAA: host {MX} said: 450 4.2.0 later (in reply to RCPT TO command)"
    assert sessions(NEW, said, to("AAAAAA")) == [Tls.ENCRYPTED]


def test_processes_do_not_mix() -> None:
    lines = [START]
    for number, text in enumerate((NEW, to("AAAAAA"), to("BBBBBB"))):
        pid = 8 if number == 1 else 7
        lines.append(AT.format(number + 1) + f"smtp[{pid}]: {text}")
    assert [each.session.tls for each in read(lines).deliveries] == [Tls.CLEAR, Tls.ENCRYPTED]


@pytest.mark.parametrize(
    ("program", "relay"),
    [
        ("local", "local"),
        ("virtual", "virtual"),
        ("pipe", "dovecot"),
        ("lmtp", "mx1.example.com[private/dovecot-lmtp]"),
        ("lmtp", "mx1.example.com[/run/dovecot/lmtp]"),
    ],
)
def test_deliveries_to_this_machine_are_local(program: str, relay: str) -> None:
    assert one(log(to(relay=relay), program=program)).local


@pytest.mark.parametrize("program", ["error", "retry", "smtp"])
def test_without_a_relay_nothing_was_sent(program: str) -> None:
    reply = "delivery temporarily suspended: Server certificate not verified"
    delivery = one(log(to(relay="none", status="deferred", reply=reply), program=program))
    assert (delivery.content, delivery.session.why) == (Content.HELD, NOT_SENT)
    assert not delivery.local


@pytest.mark.parametrize(
    "recipient",
    [
        '"a b"@example.com',
        '"a>, relay=evil.test[203.0.113.1]:25, delay=1, delays=0/0/0/0, dsn=2.0.0, status=sent '
        '(x"@example.com',
        "grüße@example.com",
        "a+b=c@example.com",
    ],
)
def test_the_recipient_ends_where_it_ends(recipient: str) -> None:
    delivery = one(log(NEW, to(recipient=recipient, status="deferred")))
    assert (delivery.recipient, delivery.relay) == (recipient, "mx.example.com")
    assert (delivery.domain, delivery.status) == ("example.com", Status.DEFERRED)


def test_message_ids_are_joined_until_the_message_is_removed() -> None:
    texts = (
        "@cleanup[3]: AAAAAA: message-id=<1@sender.test>",
        "@qmgr[2]: AAAAAA: from=<s@sender.test>, size=9, nrcpt=1 (queue active)",
        NEW,
        to("AAAAAA"),
        "@qmgr[2]: AAAAAA: removed",
        to("AAAAAA"),
    )
    assert [each.message_id for each in read(log(*texts)).deliveries] == ["<1@sender.test>", None]


@pytest.mark.parametrize(
    "text",
    [
        f"AAAAAA: to=<a@example.com>, relay={MX}, delay=0.6, status=sent",
        "AAAAAA: to=<a@example.com>, relay",
        to(status="novel"),
        f"Trusted TLS connection established to {MX}: a new form",
    ],
)
def test_what_is_not_understood_is_said(text: str) -> None:
    outcome = read(log(text))
    assert (len(outcome.unread), outcome.deliveries) == (1, [])


@pytest.mark.parametrize(
    "text",
    [
        "connect to mx.example.com[192.0.2.1]:25: Connection timed out",
        "SSL_connect error to mx.example.com[192.0.2.1]:25: -1",
        "certificate verification failed for mx.example.com[192.0.2.1]:25: untrusted issuer /CN=x",
        "server certificate verification failed for mx.example.com[192.0.2.1]:25: num=20",
        "warning: TLS library problem: error:0A000410:SSL routines::sslv3 alert",
        "AAAAAA: enabling PIX workarounds: disable_esmtp for mx.example.com[192.0.2.1]:25",
        "AAAAAA: host mx.example.com[192.0.2.1] refused to talk to me: 554 no",
        "Host offered STARTTLS: [mx.example.com]",
        "AAAAAA: to=<a@example.com>, relay=mx.example.com[192.0.2.1]:25, delay=0.6, "
        "delays=0/0/0/0, dsn=2.0.0, status=deliverable (250 ok)",
    ],
)
def test_lines_that_change_nothing(text: str) -> None:
    outcome = read(log(text))
    assert (outcome.unread, outcome.deliveries) == ([], [])


# -- documented lines ----------------------------------------------------------------------------
# Each row: its source (file of Postfix 3.7.11, or the version that changed the line), lines of one
# process, and what must be read of the deliveries in them.

PEER = "mx.example.com[192.0.2.1]"
ENCRYPTED = f"sent left encrypted/trusted TLSv1.3 {PEER}"
NONE = ENCRYPTED.replace("trusted", "none")
SILENT = f"sent left unknown {PEER}"  # no other delivery shows that TLS is logged
NOT_LEFT = f"deferred held unknown {PEER}"
HELD_TLS = f"deferred held encrypted/trusted TLSv1.3 {PEER}"
LEFT_TLS = HELD_TLS.replace("held", "left")


def summary(trust: str = "Trusted", version: str = "TLSv1.3", more: str = "") -> str:
    """A line of tls_misc.c, tls_log_summary()."""
    suite = f"{version} with cipher X (256/256 bits){more}"
    return f"{trust} TLS connection established to {MX}: {suite}"


def failed(reason: str, status: str = "deferred") -> str:
    return to(status=status, reply=reason)


def stated(tls: str) -> str:
    return to(extra=f"tls={tls}, ")


def line_of(delays: str, status: str = "status=sent (250 ok)", program: str = "") -> str:
    """A line of log_adhoc.c of an older version."""
    return f"{program}AAAAAA: to=<a@example.com>, relay={MX}, delay=1, {delays}{status}"


RETRY = "@qmgr[2]: AAAAAA: to=<a@example.com>, relay=none, delay=1, delays=1/0/0/0, "
SAID = f"host {MX} said: 451 4.7.1 later (in reply to "
LOST = "lost connection with mx.example.com[192.0.2.1] while "
TIMEOUT = "conversation with mx.example.com[192.0.2.1] timed out while "

DOCUMENTED = [
    # tls_misc.c, tls_log_summary()
    ("2.5", (summary(), to()), ENCRYPTED),
    ("2.5", (summary("Untrusted"), to()), NONE),
    ("2.5", (summary("Verified"), to()), ENCRYPTED.replace("trusted", "verified")),
    ("2.5", (summary("Anonymous"), to()), NONE),
    ("2.5", (summary(version="TLSv1"), to()), ENCRYPTED.replace("1.3", "1")),
    ("2.8", (summary(version="SSLv3"), to()), ENCRYPTED.replace("TLSv1.3", "SSLv3")),
    ("2.9", (summary(version="TLSv1.2"), to()), ENCRYPTED.replace("1.3", "1.2")),
    ("3.4", (summary(more=" key-exchange X25519 server-signature ECDSA (P-256) server-digest "
                          "SHA256"), to()), ENCRYPTED),
    ("3.4", (summary(more=" key-exchange ECDHE (P-384) server-signature RSA-PSS (2048 bits)"),
             to()), ENCRYPTED),
    ("3.4", (summary(more=" key-exchange DHE (2048 bits)"), to()), ENCRYPTED),
    ("3.4", (summary(more=" key-exchange X25519 client-signature RSA (2048 bits) client-digest "
                          "SHA256"), to()), ENCRYPTED),
    ("3.4 reused", (summary().replace("established", "reused"), to()), ENCRYPTED),
    ("3.4 tlsproxy", (f"@tlsproxy[9]: CONNECT to {MX}", summary(), to()), ENCRYPTED),
    # tls_client.c, tls_verify.c and smtp_proto.c: lines between
    ("2.2", ("setting up TLS connection to mx.example.com", summary(), to()), ENCRYPTED),
    ("2.3", ("initializing the client-side TLS engine", summary(), to()), ENCRYPTED),
    ("2.6", (f'{MX}: TLS cipher list "aNULL:-aNULL:HIGH"', summary(), to()), ENCRYPTED),
    ("3.7", (f"{MX}: SNI hostname: mx.example.com", summary(), to()), ENCRYPTED),
    ("2.6", (f"{MX}: Reusing old session", summary(), to()), ENCRYPTED),
    ("2.6", (f"{MX}: subject_CN=mx, issuer_CN=ca, fingerprint=AB, pkey_fingerprint=CD", summary(),
             to()), ENCRYPTED),
    ("2.6", (f"{MX}: depth=0 verify=1 subject=/CN=mx", summary(), to()), ENCRYPTED),
    ("2.6", (f"{MX}: re-using session with untrusted certificate, look for details earlier in the "
             "log", summary("Untrusted"), to()), NONE),
    ("2.6", (f"certificate verification failed for {MX}: self-signed certificate",
             summary("Untrusted"), to()), NONE),
    ("2.6", (f"server certificate verification failed for {MX}: certificate has expired",
             summary("Untrusted"), to()), NONE),
    ("2.2", ("Host offered STARTTLS: [mx.example.com]", to()), SILENT),
    ("2.6", (f"4A1B2C3D4E: enabling PIX workarounds: disable_esmtp for {MX}", summary(), to()),
     ENCRYPTED),
    ("2.3", ("discarding EHLO keywords: CHUNKING", summary(), to()), ENCRYPTED),
    ("2.5", ("4A1B2C3D4E: breaking line > 998 bytes with <CR><LF>SPACE", summary(), to()),
     ENCRYPTED),
    ("2.5", ("4A1B2C3D4E: warning: header Subject: to=<x>, relay=y", summary(), to()), ENCRYPTED),
    # log_adhoc.c
    ("2.2", (summary(), line_of("")), ENCRYPTED),
    ("2.3", (summary(), line_of("delays=0/0/1/1, dsn=2.0.0, ")), ENCRYPTED),
    ("2.3 days", (summary(), line_of("delays=123456/0.01/1/1, dsn=2.0.0, ")), ENCRYPTED),
    ("2.3", (summary(), to().replace(", delay=", ", conn_use=2, delay=")), ENCRYPTED),
    ("2.3", (summary(), to().replace(", relay", ", orig_to=<b@us.test>, relay")), ENCRYPTED),
    ("3.5 quoted", (summary(), to(recipient='"a b"@example.com')), ENCRYPTED),
    ("long queue ids", (summary(), to("4XyZ3k0Tqzz1Bc")), ENCRYPTED),
    ("IPv6", (summary().replace("192.0.2.1", "2001:db8::1"),
              to(relay="mx.example.com[2001:db8::1]:25")),
     "sent left encrypted/trusted TLSv1.3 mx.example.com[2001:db8::1]"),
    ("port 465", (summary().replace(":25:", ":465:"), to(relay=MX.replace(":25", ":465"))),
     ENCRYPTED),
    ("2.3 without port", (summary().replace(":25", ""), to(relay=MX.removesuffix(":25"))),
     ENCRYPTED),
    # 3.11, postconf(5) smtp_log_tls_feature_status, log_adhoc.c
    ("3.11", (stated("may"),), f"sent left encrypted/none {PEER}"),
    ("3.11", (summary(), stated("may")), ENCRYPTED),
    ("3.11", (summary("Verified"), stated("dane")), ENCRYPTED.replace("trusted", "dane")),
    ("3.11", (stated("may:none"),), f"sent left clear {PEER}"),
    ("3.11", (stated("dane:encrypt/requiretls"),), f"sent left encrypted/none {PEER}"),
    ("3.11", (stated("encrypt/(requiretls)"),), f"sent left encrypted/none {PEER}"),
    ("3.11", (stated("encrypt/(disabled:requiretls)"),), f"sent left encrypted/none {PEER}"),
    ("3.11", (stated("secure/!requiretls"),), f"sent left encrypted/verified {PEER}"),
    ("3.11", (stated("(verify)"),), f"sent left encrypted/verified {PEER}"),
    ("3.11", (stated("!(verify)"),), f"sent left unknown {PEER}"),
    # smtp_proto.c, smtp_trouble.c: why a message was held back
    ("2.3", (failed("TLS is required, but was not offered by host mx.example.com[192.0.2.1]"),),
     NOT_LEFT),
    ("2.3", (failed("TLS is required, but host mx.example.com[192.0.2.1] refused to start TLS: 454 "
                    "later"),), NOT_LEFT),
    ("2.6", (failed("TLS is required, but our TLS engine is unavailable"),), NOT_LEFT),
    ("2.6", (failed("TLS is required, but unavailable"),), NOT_LEFT),
    ("2.4", (summary(), failed("Server certificate not verified")), HELD_TLS),
    ("2.2", (failed("Cannot start TLS: handshake failure"),), NOT_LEFT),
    ("2.2", (summary(), failed("Cannot start TLS: handshake failure")), HELD_TLS),
    ("2.2", (summary(), "4A1B2C3D4E: Cannot start TLS: handshake failure", to()),
     f"sent left clear {PEER}"),
    ("2.3", (failed(f"host {MX} refused to talk to me: 554 no"),), NOT_LEFT),
    ("2.3", (failed("client TLS configuration problem"),), NOT_LEFT),
    ("2.3", (summary(), failed(f"{SAID}MAIL FROM command)")), HELD_TLS),
    ("2.3", (summary(), failed(f"{SAID}RCPT TO command)")), HELD_TLS),
    ("2.3", (summary(), failed(f"{SAID}DATA command)")), HELD_TLS),
    ("2.3", (summary(), failed(f"{SAID}end of DATA command)")), LEFT_TLS),
    ("2.3", (summary(), failed(f"{SAID}end of DATA command)", "bounced")),
     LEFT_TLS.replace("deferred", "bounced")),
    ("2.3", (summary(), failed(f"{SAID}RCPT TO command)", "bounced")),
     HELD_TLS.replace("deferred", "bounced")),
    ("a reply that imitates", (summary(), failed(f"host {MX} said: 550 (in reply to end of DATA "
     "command) (in reply to RCPT TO command)")), HELD_TLS),
    ("a reply that imitates", (summary(), failed(f"host {MX} said: 550 lost connection with x "
     "while sending message body (in reply to MAIL FROM command)")), HELD_TLS),
    ("2.3", (summary(), failed(f"{LOST}receiving the initial server greeting")), HELD_TLS),
    ("2.3", (summary(), failed(f"{LOST}sending MAIL FROM")), HELD_TLS),
    ("2.3", (summary(), failed(f"{LOST}sending RCPT TO")), HELD_TLS),
    ("2.3", (summary(), failed(f"{LOST}sending message body")), LEFT_TLS),
    ("2.3", (summary(), failed(f"{LOST}sending end of data -- message may be sent more than once")),
     LEFT_TLS),
    ("2.3", (summary(), failed(f"{TIMEOUT}sending message body")), LEFT_TLS),
    ("2.3", (summary(), failed(f"{TIMEOUT}sending end of data -- message may be sent more than "
                               "once")), LEFT_TLS),
    ("2.3", (summary(), f"4A1B2C3D4E: {LOST}sending message body", to()),
     f"sent left clear {PEER}"),
    ("2.3", (failed("mail for example.com loops back to myself", "bounced"),),
     NOT_LEFT.replace("deferred", "bounced")),
    ("3.0", (failed("SMTPUTF8 is required, but was not offered by host mx", "bounced"),),
     NOT_LEFT.replace("deferred", "bounced")),
    ("2.3", (failed("message size 9 exceeds size limit 1 of server mx", "bounced"),),
     NOT_LEFT.replace("deferred", "bounced")),
    ("2.3", (to(relay="none", status="deferred", reply="connect to mx.example.com[192.0.2.1]:25: "
                "Connection refused"),), "deferred held unknown -[-]"),
    ("2.3", (to(relay="none", status="bounced", reply="Host or domain name not found. Name service "
                "error for name=nowhere.test type=AAAA: Host not found"),),
     "bounced held unknown -[-]"),
    ("SOFTBOUNCE", (summary(), failed(f"{SAID}RCPT TO command)", "SOFTBOUNCE")), HELD_TLS),
    # bounce(3) in the queue manager and in cleanup
    ("qmgr_defer.c", (RETRY + "dsn=4.3.0, status=deferred (mail transport unavailable)",),
     "deferred held unknown -[-]"),
    ("qmgr_bounce.c", (RETRY + "dsn=5.4.6, status=bounced (x)",), "bounced held unknown -[-]"),
    ("cleanup_bounce.c", (RETRY.replace("qmgr[2]", "cleanup[3]") + "dsn=5.7.1, status=bounced "
                          "(message rejected)",), "bounced held unknown -[-]"),
    ("verify.c", (failed("250 ok", "deliverable"),), ""),
    ("verify.c", (summary(), to("BBBBBB", status="undeliverable", reply=f"{SAID}RCPT TO command)"),
                  to()), f"sent left clear {PEER}"),
    ("qmgr_active.c", ("@qmgr[2]: AAAAAA: from=<s@us.test>, status=expired, returned to sender",),
     ""),
]  # fmt: skip


@pytest.mark.parametrize(("source", "texts", "expected"), DOCUMENTED)
def test_documented_lines(source: str, texts: tuple[str, ...], expected: str) -> None:
    outcome = read(log(*texts))
    assert outcome.unread == []
    assert "\n".join(told(each) for each in outcome.deliveries) == expected, source


# -- in ------------------------------------------------------------------------------------------


def inbound(*texts: str, tls_logged: bool = False) -> list[Delivery]:
    lines = log("connect from c.test[198.51.100.1]", *texts, program="smtpd")
    outcome = read(lines, inbound=True, tls_logged=tls_logged)
    assert outcome.unread == []
    return outcome.deliveries


CLIENT = "AAAAAA: client=c.test[198.51.100.1]"
ACTIVE = "@qmgr[2]: AAAAAA: from=<s@sender.test>, size=9, nrcpt=1 (queue active)"
FROM = f"Anonymous TLS connection established from c.test[198.51.100.1]: {SUITE}"
SNI = f"Anonymous TLS connection established from c.test[198.51.100.1] to mx.us.test: {SUITE}"
ENDS = "disconnect from c.test[198.51.100.1] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5"
ENDS_TLS = ENDS.replace("ehlo=1", "ehlo=2 starttls=1")


@pytest.mark.parametrize(
    ("texts", "tls"),
    [
        pytest.param((FROM, CLIENT, ACTIVE, ENDS_TLS), Tls.ENCRYPTED, id="tls-line"),
        pytest.param((SNI, CLIENT, ACTIVE, ENDS_TLS), Tls.ENCRYPTED, id="tls-line-with-sni"),
        pytest.param((CLIENT, ACTIVE, ENDS_TLS), Tls.ENCRYPTED, id="counted-at-the-end"),
        pytest.param((CLIENT, ACTIVE, ENDS), Tls.UNKNOWN, id="silent"),
        pytest.param((CLIENT, ACTIVE), Tls.UNKNOWN, id="log-ends"),
    ],
)
def test_what_came_in(texts: tuple[str, ...], tls: Tls) -> None:
    (delivery,) = inbound(*texts)
    assert (delivery.session.tls, delivery.domain) == (tls, "sender.test")
    assert (delivery.relay, delivery.address) == ("c.test", "198.51.100.1")


def test_what_came_in_silently_to_a_server_that_logs_tls_was_clear() -> None:
    (delivery,) = inbound(CLIENT, ACTIVE, ENDS, tls_logged=True)
    assert delivery.session.tls is Tls.CLEAR


def test_a_message_belongs_to_the_client_that_sent_it() -> None:
    """The queue manager may take it up when the process already serves another client."""
    other = "connect from d.test[198.51.100.2]"
    (encrypted,) = inbound(FROM, CLIENT, ENDS_TLS, other, ACTIVE)
    assert told(encrypted) == "sent left encrypted/unknown TLSv1.3 c.test[198.51.100.1]"
    (in_clear,) = inbound(CLIENT, ENDS, other, FROM.replace("c.test", "d.test"), ACTIVE)
    assert told(in_clear) == "sent left clear c.test[198.51.100.1]"


def test_a_client_that_connected_before_the_log_begins_is_unknown() -> None:
    lines = log(CLIENT, ACTIVE, program="smtpd", start=False)
    (delivery,) = read(lines, inbound=True, tls_logged=True).deliveries
    assert (delivery.session.tls, delivery.session.why) == (Tls.UNKNOWN, BEGINS)
    assert delivery.address == "198.51.100.1"


def test_a_message_that_was_not_accepted_did_not_come_in() -> None:
    assert inbound(FROM, CLIENT, ENDS_TLS) == []


# -- hostile text --------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        "status=sent (", "status=bounced (", ")", "(", "relay=evil[1.2.3.4]:25, ", ">, ", "to=<",
        "tls=dane, ", "dsn=2.0.0, ", "delay=1, delays=0/0/0/0, ", NEW, "4A1B2C3D4E: ", "\\", '"',
        "(in reply to end of DATA command)", "\n", "\r", "\0", AT.format(9) + "smtp[7]: ",
        "lost connection with x while sending message body", "\u202e", "removed", "message-id=<x>",
    ]
)  # fmt: skip
HOSTILE = st.lists(PIECES | st.text(max_size=5), max_size=8).map("".join)


@given(st.lists(st.one_of(HOSTILE, st.sampled_from([NEW, to(), START, FROM, CLIENT, ENDS]))))
def test_no_line_raises(texts: list[str]) -> None:
    for program in ("smtp", "smtpd", "cleanup", "qmgr"):
        read(log(*texts[:50], program=program), inbound=True)
    read(texts)


# -- bounds --------------------------------------------------------------------------------------


def test_silence_of_a_program_that_had_to_be_forgotten_is_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(base, "MAX_PROCESSES", 2)
    lines = [START, *(AT.format(1) + f"smtp[{pid}]: {NEW}" for pid in (1, 2, 3))]
    outcome = read([*lines, *(AT.format(9) + f"smtp[{pid}]: {to('AAAAAA')}" for pid in (1, 3))])
    first, second = (each.session for each in outcome.deliveries)
    assert (first.tls, first.why) == (Tls.UNKNOWN, FORGOTTEN)
    assert second.tls is Tls.ENCRYPTED


def test_a_process_that_was_silent_for_an_hour_is_forgotten_without_harm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(base, "MAX_PROCESSES", 1)
    later = "Nov 28 19:00:00 mx1 postfix/"
    lines = [START, AT.format(1) + f"smtp[1]: {NEW}", later + f"smtp[2]: {NEW}"]
    assert [each.session.tls for each in read([*lines, later + f"smtp[3]: {to()}"]).deliveries] == [
        Tls.CLEAR
    ]


def test_deliveries_that_wait_for_a_meaning_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "MAX_WAITING", 2)
    assert sessions(to("AAAAAA"), to("BBBBBB"), to("CCCCCC"), NEW) == [
        *(Tls.UNKNOWN, Tls.CLEAR, Tls.CLEAR),
    ]


@pytest.mark.parametrize(
    "program",
    ["postfix/smtp", "postfix-out/smtp", "postfix/relay/smtp", "mail/smtp", "postfix/lmtp"],
)
def test_instances_and_services_by_any_name(program: str) -> None:
    lines = [f"Nov 28 17:00:00 mx1 {program}[7]: {text}" for text in (NEW, to())]
    assert [each.session.tls for each in read(lines).deliveries] == [Tls.ENCRYPTED]


def test_instances_do_not_explain_each_other() -> None:
    lines = [
        START,
        f"Nov 28 17:00:01 mx1 postfix-out/smtp[7]: {NEW}",
        f"Nov 28 17:00:02 mx1 postfix/smtp[7]: {to()}",
        f"Nov 28 17:00:03 mx2 postfix/smtp[7]: {NEW}",
    ]
    assert [each.session.tls for each in read(lines).deliveries] == [Tls.UNKNOWN]


@given(st.binary(max_size=60), st.integers(0, 400))
def test_a_line_that_was_cut_or_is_binary_is_never_encrypted_by_itself(
    junk: bytes, end: int
) -> None:
    line = AT.format(3) + f"smtp[7]: {to()}"
    cut = line[:end] + junk.decode("utf-8", "backslashreplace")
    for delivery in read([START, cut]).deliveries:
        assert delivery.session.tls is Tls.UNKNOWN
