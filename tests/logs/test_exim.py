"""Exim: each form of line. Sources: spec.txt, chapter "Log files" (52 in 4.96), and lines of a real
Exim 4.96.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.logs.base import NO_TLS, NOT_SENT
from prober.logs.records import Content, Delivery, Direction, Identity, Tls
from tests.logs.reading import read, told
from tests.logs.test_postfix import HOSTILE

ID = "1xXNIG-00000J-0N"
STAMP = "2026-11-28 17:00:00 "
TO = f"{STAMP}{ID} => a@example.com R=dnslookup T=remote_smtp H=mx.example.com [192.0.2.1]"
X = " X=TLS1.3:ECDHE_X25519__RSA_PSS_RSAE_SHA256__AES_256_GCM:256"
OK = ' C="250 2.0.0 Ok: queued"'


def one(*lines: str, inbound: bool = False, tls_logged: bool = False) -> Delivery:
    outcome = read(lines, inbound=inbound, tls_logged=tls_logged)
    assert outcome.unread == []
    (delivery,) = outcome.deliveries
    return delivery


@pytest.mark.parametrize(
    ("fields", "version", "cipher", "exchange", "identity"),
    [
        (X + " CV=yes", "TLSv1.3", "ECDHE_X25519__RSA_PSS_RSAE_SHA256__AES_256_GCM", "X25519",
         Identity.VERIFIED),
        (X + " CV=dane", "TLSv1.3", "ECDHE_X25519__RSA_PSS_RSAE_SHA256__AES_256_GCM", "X25519",
         Identity.DANE),
        (" X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=no", "TLSv1.3", "TLS_AES_256_GCM_SHA384", None,
         Identity.NONE),
        (" X=TLSv1.2:ECDHE-RSA-AES256-GCM-SHA384:256 CV=no", "TLSv1.2",
         "ECDHE-RSA-AES256-GCM-SHA384", None, Identity.NONE),
        (" X=TLS1.2:RSA_AES_256_CBC_SHA1:256", "TLSv1.2", "RSA_AES_256_CBC_SHA1", None,
         Identity.UNKNOWN),
        (" X=TLS1.3:TLS_AES_128_GCM_SHA256:128* CV=yes", "TLSv1.3", "TLS_AES_128_GCM_SHA256", None,
         Identity.VERIFIED),  # a resumed session
        (' L X=TLS1.2:ECDHE:256 CV=yes DN="CN=mx X=TLS9:evil:1"', "TLSv1.2", "ECDHE", None,
         Identity.VERIFIED),
        (" X=UNKNOWN:ECDHE-RSA-CHACHA20-POLY1305:256 CV=yes", "UNKNOWN",
         "ECDHE-RSA-CHACHA20-POLY1305", None, Identity.VERIFIED),
    ],
)  # fmt: skip
def test_x_and_cv(
    fields: str, version: str, cipher: str, exchange: str | None, identity: Identity
) -> None:
    if fields.startswith(" L "):
        fields = fields.removeprefix(" L")
    session = one(TO + fields + OK).session
    assert (session.tls, session.version, session.cipher) == (Tls.ENCRYPTED, version, cipher)
    assert (session.key_exchange, session.identity) == (exchange, identity)


@pytest.mark.parametrize(
    "rest",
    [
        "=> jane <jane@us.test> R=local_user T=mail_spool",
        "=> jane@us.test R=dovecot T=dovecot_lmtp",
        "=> |/usr/bin/vacation (jane@us.test) <jane@us.test> R=p T=address_pipe",
        "=> /var/mail/jane <jane@us.test> R=f T=address_file",
        "=> :blackhole: <jane@us.test> R=f",
    ],
)
def test_deliveries_to_this_machine_are_local(rest: str) -> None:
    delivery = one(f"{STAMP}{ID} {rest}")
    assert (delivery.local, delivery.domain) == (True, "us.test")


def test_silence_needs_a_server_that_logs_tls() -> None:
    assert one(TO + OK).session.why == NO_TLS
    assert one(TO + OK, tls_logged=True).session.tls is Tls.CLEAR
    other = TO.replace(ID, "1xXNIG-00000J-0Z")
    assert [each.session.tls for each in read([TO + OK, other + X + OK]).deliveries] == [
        *(Tls.CLEAR, Tls.ENCRYPTED),
    ]


def test_the_message_id_is_joined_until_the_message_is_complete() -> None:
    lines = (
        f"{STAMP}{ID} <= s@us.test H=pc.us.test (pc) [198.51.100.7] P=esmtp S=300 id=1@us.test",
        TO + X + OK,
        f"{STAMP}{ID} Completed",
        TO + X + OK,
    )
    assert [each.message_id for each in read(lines).deliveries] == ["<1@us.test>", None]


@pytest.mark.parametrize(
    ("rest", "tls"),
    [
        (f"P=esmtps{X} CV=no S=300 id=1@sender.test", Tls.ENCRYPTED),
        ("P=esmtpsa S=300 id=1@sender.test", Tls.ENCRYPTED),
        ("P=utf8esmtps S=300", Tls.ENCRYPTED),
        ("P=esmtp S=300 id=1@sender.test", Tls.CLEAR),
        ("P=smtp S=300", Tls.CLEAR),
        ("S=300", Tls.UNKNOWN),
    ],
)
def test_what_came_in(rest: str, tls: Tls) -> None:
    line = f"{STAMP}{ID} <= s@sender.test H=c.test (helo X=TLS9:x:1) [198.51.100.1] {rest}"
    delivery = one(line, inbound=True)
    assert (delivery.session.tls, delivery.domain) == (tls, "sender.test")
    assert (delivery.relay, delivery.address) == ("c.test", "198.51.100.1")


@pytest.mark.parametrize(
    "text",
    [
        "exim 4.96 daemon started: pid=14",
        "Start queue run: pid=17",
        f"{ID} H=mx.example.com [192.0.2.1]: TLS session: (gnutls_handshake): delivering "
        "unencrypted to H=mx.example.com [192.0.2.1] (not in hosts_require_tls)",
        f"{ID} mx.example.com [192.0.2.1] Connection refused",
        f"{ID} *> a@example.com R=d T=r H=mx.example.com [192.0.2.1]",
        f"{ID} Frozen (delivery error message)",
    ],
)
def test_lines_that_change_nothing(text: str) -> None:
    outcome = read([STAMP + text])
    assert (outcome.unread, outcome.deliveries) == ([], [])


def test_what_is_not_understood_is_said() -> None:
    assert len(read([f"{STAMP}{ID} => "]).unread) == 1


@pytest.mark.parametrize(
    ("fields", "inbound", "tls"),
    [
        ("P=esmtp", True, Tls.UNKNOWN),  # in clear: says nothing of whether TLS is logged
        ("P=esmtps", True, Tls.UNKNOWN),  # TLS without X=: log_selector has no tls_cipher
        ("P=esmtps X=TLS1.3:TLS_AES_256_GCM_SHA384:256", True, Tls.CLEAR),
        ("P=esmtps X=TLS1.3:TLS_AES_256_GCM_SHA384:256", False, Tls.CLEAR),
    ],
)
def test_only_x_shows_that_tls_is_logged(fields: str, inbound: bool, tls: Tls) -> None:
    came = f"{STAMP}{ID} <= s@us.test H=pc [198.51.100.7] {fields} S=300"
    went = f"{STAMP}{ID} => a@example.com R=dns T=smtp H=mx.example.com [192.0.2.1]"
    deliveries = read([came, went], inbound=inbound).deliveries
    (sent,) = (each for each in deliveries if each.direction is Direction.OUT)
    assert sent.session.tls is tls


# -- documented lines ----------------------------------------------------------------------------
# Each row: its source (4.96 and 4.100.1: deliver.c, receive.c, transports/smtp.c; spec.txt "Log
# files"), the line behind the message's id, and what must be read of the delivery.

MX = "R=dns T=smtp H=mx.example.com [192.0.2.1]"
GO = "=> a@example.com"
PEER = "mx.example.com[192.0.2.1]"
ENCRYPTED = f"sent left encrypted/none TLSv1.3 {PEER}"
VERIFIED = ENCRYPTED.replace("none", "verified")
NO_TLS_LINE = f"sent left unknown {PEER}"
NOT_LEFT = f"deferred held unknown {PEER}"
BOUNCED = f"bounced held encrypted/none TLSv1.3 {PEER}"
SUITE = "TLS_AES_256_GCM_SHA384"
XS = f" X=TLS1.3:{SUITE}:256 CV=no"
SMTP_ERROR = "SMTP error from remote mail server after"


def x(value: str, version: str, identity: str = "verified") -> tuple[str, str, str]:
    """A row with another ``X=``."""
    return (
        "X=",
        f"{GO} {MX} X={value} CV=yes{OK}",
        f"sent left encrypted/{identity} {version} {PEER}",
    )


DOCUMENTED = [
    # tls_cipher: tls-openssl.c and tls-gnu.c, cipher_stdname
    x(f"TLS1.3:{SUITE}:256", "TLSv1.3"),
    x("TLS1.3:TLS_CHACHA20_POLY1305_SHA256:256", "TLSv1.3"),
    x("TLS1.2:ECDHE-RSA-AES256-GCM-SHA384:256", "TLSv1.2"),
    x("TLSv1.2:ECDHE-ECDSA-AES128-GCM-SHA256:128", "TLSv1.2"),
    x("TLS1.2:ECDHE_RSA_AES_256_GCM_SHA384:256", "TLSv1.2"),
    x("TLS1.2:ECDHE_SECP256R1__RSA_SHA512__AES_256_GCM:256", "TLSv1.2"),
    x("TLS1.0:RSA_AES_256_CBC_SHA1:256", "TLSv1.0"),
    x("TLSv1:AES256-SHA:256", "TLSv1"),
    x("SSLv3:AES256-SHA:256", "SSLv3"),
    x("UNKNOWN:AES256-SHA:256", "UNKNOWN"),
    x(f"TLS1.3:{SUITE}:256*", "TLSv1.3"),
    # d_tlslog()
    ("CV", f"{GO} {MX} X=TLS1.3:{SUITE}:256{OK}", ENCRYPTED.replace("none", "unknown")),
    ("CV", f"{GO} {MX} X=TLS1.3:{SUITE}:256 CV=dane{OK}", ENCRYPTED.replace("none", "dane")),
    ("CV", f"{GO} {MX}{XS}{OK}", ENCRYPTED),
    ("DN", f'{GO} {MX}{XS} DN="/CN=mx.example.com"{OK}', ENCRYPTED),
    ("DN of a peer", f'{GO} {MX}{XS} DN="/CN=x" X=TLS9:evil:1 CV=dane"{OK}', ENCRYPTED),
    ("DN of a peer", f'{GO} {MX}{XS} DN="/CN=x\\"{OK}', ENCRYPTED),
    # d_hostlog()
    ("dnssec", f"{GO} R=dns T=smtp H=mx.example.com DS [192.0.2.1]{XS}{OK}", ENCRYPTED),
    ("outgoing_port", f"{GO} {MX}:25{XS}{OK}", ENCRYPTED),
    ("outgoing_port", f"{GO} {MX}:26{XS}{OK}", ENCRYPTED),
    ("continued", f"{GO} {MX}*{XS}{OK}", ENCRYPTED),
    ("continued", f"{GO} {MX}:25*{XS}{OK}", ENCRYPTED),
    ("proxy", f"{GO} {MX} PRX=[198.51.100.9]:1080{XS}{OK}", ENCRYPTED),
    ("proxy", f"{GO} {MX} PRX=192.0.2.7{XS}{OK}", ENCRYPTED),
    ("outgoing_interface", f"{GO} {MX} I=[198.51.100.7]:40000{XS}{OK}", ENCRYPTED),
    ("tcp_fastopen", f"{GO} {MX} TFO*{XS}{OK}", ENCRYPTED),
    ("tcp_fastopen", f"{GO} {MX} TFO**{XS}{OK}", ENCRYPTED),
    ("protocol_detail", f"{GO} {MX} PS=EHLO,STARTTLS,EHLO{XS}{OK}", ENCRYPTED),
    ("IPv6", f"{GO} R=dns T=smtp H=mx.example.com [2001:db8::1]{XS}{OK}",
     "sent left encrypted/none TLSv1.3 mx.example.com[2001:db8::1]"),
    ("no name", f"{GO} R=dns T=smtp H=[192.0.2.1]{XS}{OK}",
     "sent left encrypted/none TLSv1.3 -[192.0.2.1]"),
    ("a name that is none", f"{GO} R=dns T=smtp H=a[1] [192.0.2.1]{OK}", "sent left unknown -[-]"),
    # delivery_log(), string_log_address()
    ("->", f"-> a@example.com {MX}{XS}{OK}", ENCRYPTED),
    (">>", f">> a@example.com {MX}{XS}{OK}", ENCRYPTED),
    ("all_parents", f"{GO} (b@us.test, c@us.test) <d@us.test> {MX}{XS}{OK}", ENCRYPTED),
    ("sender_on_delivery", f"{GO} F=<s@us.test> {MX}{XS}{OK}", ENCRYPTED),
    ("many selectors", f"{GO} F=<s@us.test> P=<s@us.test> R=d T=r S=9 H=mx.example.com "
     f"[192.0.2.1]:25 I=[198.51.100.1]:40{XS}{OK} QT=1s DT=0s", ENCRYPTED),
    ("one parent", f"{GO} <b@example.net> {MX}{XS}{OK}", ENCRYPTED),
    ("sender_on_delivery", f'{GO} F=<"a b X=TLS9:e:1"@us.test> P=<> {MX}{XS}{OK}', ENCRYPTED),
    ("return_path_on_delivery", f"{GO} P=<prvs=1=s@us.test> {MX}{XS}{OK}", ENCRYPTED),
    ("queue_name", f"{GO} Q=slow {MX}{XS}{OK}", ENCRYPTED),
    ("delivery_size", f"{GO} R=dns T=smtp S=1234 H=mx.example.com [192.0.2.1]{XS}{OK}", ENCRYPTED),
    ("authenticator", f"{GO} {MX}{XS} A=plain:us:s@us.test{OK}", ENCRYPTED),
    ("authenticator", f"{GO} {MX}{XS} A=plain K{OK}", ENCRYPTED),
    ("pipelining", f"{GO} {MX}{XS} L{OK}", ENCRYPTED),
    ("pipe_connect", f"{GO} {MX}{XS} L*{OK}", ENCRYPTED),
    ("prdr", f"{GO} {MX}{XS} PRDR K{OK}", ENCRYPTED),
    ("dsn", f"{GO} {MX}{XS} DSN=notpeer{OK}", ENCRYPTED),
    ("dkim_verbose", f"{GO} {MX}{XS} DKIM=us.test{OK}", ENCRYPTED),
    ("queue_time", f"{GO} {MX}{XS}{OK} QT=1s DT=0.2s", ENCRYPTED),
    ("no confirmation", f"{GO} {MX}{XS}", ENCRYPTED),
    ("C=", f'{GO} {MX} C="250 ok \\" X=TLS9:evil:1"', NO_TLS_LINE),
    # failure_log(): until 4.98 ": ", later " : "
    ("4.96", f"** a@example.com {MX}{XS}: {SMTP_ERROR} RCPT TO:<a@example.com>: 550 no", BOUNCED),
    ("4.100", f"** a@example.com {MX}{XS} : {SMTP_ERROR} RCPT TO:<a@example.com>: 550 no", BOUNCED),
    ("4.96", f"** a@example.com {MX}{XS}: {SMTP_ERROR} end of data: 550 no",
     BOUNCED.replace("held", "left")),
    ("4.100", f"** a@example.com {MX}{XS} : {SMTP_ERROR} end of data: 550 no",
     BOUNCED.replace("held", "left")),
    ("pipelined", f"** a@example.com {MX}{XS}: {SMTP_ERROR} pipelined sending data block: 550 no",
     BOUNCED.replace("held", "left")),
    ("pipelined", f"** a@example.com {MX}{XS}: {SMTP_ERROR} pipelined end of data: 550 no",
     BOUNCED.replace("held", "left")),
    ("a reply", f"** a@example.com {MX}{XS}: {SMTP_ERROR} RCPT TO:<x after end of data>: 550 after "
     "end of data: x", BOUNCED),
    ("errstr", f"** a@example.com {MX}{XS} (Connection reset by peer)", BOUNCED),
    ("F=", f"** a@example.com F=<s@us.test> P=<s@us.test> {MX}{XS}: {SMTP_ERROR} "
     "MAIL FROM:<s@us.test>: 550 no", BOUNCED),
    ("router", "** a@example.com R=dns: all relevant MX records point to non-existent hosts",
     "bounced held unknown -[-]"),
    ("4.100", "** a@example.com : Unrouteable address", "bounced held unknown -[-]"),
    ("4.96", "** a@example.com: Unrouteable address", "bounced held unknown -[-]"),
    ("retry", "** a@example.com R=dns T=smtp: retry timeout exceeded", "bounced held unknown -[-]"),
    # deferral_log(): has no X=
    ("4.96", f"== a@example.com R=dns T=smtp defer (-44) H=mx.example.com [192.0.2.1]: {SMTP_ERROR}"
     " RCPT TO:<a@example.com>: 451 later", NOT_LEFT),
    ("4.96", f"== a@example.com R=dns T=smtp defer (-46) H=mx.example.com [192.0.2.1]: {SMTP_ERROR}"
     " end of data: 451 later", NOT_LEFT.replace("held", "left")),
    ("X= all the same", f"== a@example.com R=d T=r defer (-46) H=mx.example.com [192.0.2.1]{XS}: "
     f"{SMTP_ERROR} end of data: 451 later", BOUNCED.replace("bounced held", "deferred left")),
    ("X= all the same", f"== a@example.com R=d T=r defer (-44) H=mx.example.com [192.0.2.1]{XS}: "
     f"{SMTP_ERROR} RCPT TO:<a@example.com>: 451 later", BOUNCED.replace("bounced", "deferred")),
    ("4.100", f"== a@example.com R=dns T=smtp defer H=mx.example.com [192.0.2.1] DT=1s: "
     f"{SMTP_ERROR} end of data: 451 later", NOT_LEFT.replace("held", "left")),
    ("4.100", "== a@example.com R=dns T=smtp defer (Connection refused) H=mx.example.com "
     "[192.0.2.1]", NOT_LEFT),
    ("4.96", "== a@example.com R=dns T=smtp defer (110): Connection timed out H=mx.example.com "
     "[192.0.2.1]: SMTP timeout after end of data (99 bytes written)",
     NOT_LEFT.replace("held", "left")),
    ("4.96", "== a@example.com R=dns T=smtp defer (-18) H=mx.example.com [192.0.2.1]: Remote host "
     "closed connection in response to end of data", NOT_LEFT.replace("held", "left")),
    ("4.96", "== a@example.com R=dns T=smtp defer (-18) H=mx.example.com [192.0.2.1]: Remote host "
     "closed connection in response to initial connection", NOT_LEFT),
    ("4.96", "== a@example.com R=dns T=smtp defer (-37) H=mx.example.com [192.0.2.1]: TLS session: "
     "(gnutls_handshake): A TLS fatal alert has been received.", NOT_LEFT),
    ("4.96", "== a@example.com R=dns T=smtp defer (-38) H=mx.example.com [192.0.2.1]: a TLS "
     "session is required, but the server did not offer TLS support", NOT_LEFT),
    ("defer after H=", "== a@example.com R=d T=r H=mx.example.com [192.0.2.1] defer (-38): TLS "
     "session is required, but the server did not offer TLS support", NOT_LEFT),
    ("4.96", "== a@example.com R=dns T=smtp defer (-36): DANE error: TLSA lookup DEFER",
     "deferred held unknown -[-]"),
    ("a reply", "== a@example.com R=dns T=smtp defer (-44): x H=evil.test [203.0.113.1]",
     "deferred held unknown -[-]"),
    ("retry_defer", "== a@example.com R=dns T=smtp defer (-54): retry time not reached for any "
     "host for 'example.com'", "deferred held unknown -[-]"),
    ("routing", "== a@example.com routing defer (-51): retry time not reached",
     "deferred held unknown -[-]"),
    ("errno", "== a@example.com R=dns T=smtp defer (111): Connection refused",
     "deferred held unknown -[-]"),
    # local transports
    ("appendfile", "=> jane <jane@us.test> R=local_user T=mail_spool", "sent left unknown local"),
    ("lmtp", "=> jane@us.test R=dovecot T=lmtp H=localhost C=\"250 2.0.0 Saved\"",
     "sent left unknown local"),
    ("pipe", "=> |/usr/bin/vacation <jane@us.test> R=userforward T=address_pipe",
     "sent left unknown local"),
    ("autoreply", "=> >jane@us.test <info@us.test> R=vacation T=vacation_reply",
     "sent left unknown local"),
    ("file", "=> save inbox <jane@us.test> R=userforward T=address_file",
     "sent left unknown local"),
    ("null", "=> :blackhole: <jane@us.test> R=aliases", "sent left unknown local"),
    # no delivery
    ("*>", f"*> a@example.com {MX}", ""),
    ("Completed", "Completed QT=1s", ""),
    ("fake reject", "(= s@us.test H=pc [198.51.100.7] P=esmtp S=1", ""),
    ("DANE", "DANE attempt failed; TLS connection to mx.example.com [192.0.2.1]: x", ""),
    ("SRV", "Connection aborted; STARTTLS support by mx.example.com [192.0.2.1] required by DNS "
     "SRV but STARTTLS not offered", ""),
]  # fmt: skip


@pytest.mark.parametrize(("source", "rest", "expected"), DOCUMENTED)
@pytest.mark.parametrize("begin", ["", "<22>Nov 28 17:00:00 mx1 exim[9]: "])
def test_documented_lines(begin: str, source: str, rest: str, expected: str) -> None:
    outcome = read([f"{begin}{STAMP}{ID} {rest}"])
    assert outcome.unread == []
    assert "\n".join(told(each) for each in outcome.deliveries) == expected, source
    for each in outcome.deliveries:
        assert each.domain == ("us.test" if each.local else "example.com")
        is_held = each.content is Content.HELD and each.session.tls is Tls.UNKNOWN
        assert (each.session.why == NOT_SENT) == is_held


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        pytest.param(f'{GO} {MX}{XS} C="250 ok', ENCRYPTED, id="cut in the reply"),
        pytest.param(
            f"{GO} R=dns T=smtp H=mx.example.com [192.0.2.1]", NO_TLS_LINE, id="cut before"
        ),
        pytest.param(f"{GO} {MX} X=TLS1", f"sent left encrypted/unknown {PEER}", id="in X="),
    ],
)
@pytest.mark.parametrize("part", ["[1/2]", "[1\\2]"])
def test_syslog_has_long_lines_in_parts(rest: str, expected: str, part: str) -> None:
    """log.c, write_syslog(): parts of 870 characters. What the first does not say is unknown."""
    lines = [f"{part} {STAMP}{ID} {rest}", f"[2/2] {STAMP}{ID} {GO} {MX} X=TLS9:evil:1"]
    outcome = read([f"<22>Nov 28 17:00:00 mx1 exim[9]: {each}" for each in lines], tls_logged=True)
    assert [told(each) for each in outcome.deliveries] == [expected]


def test_the_stamp_of_exim_may_be_off() -> None:
    """spec.txt, syslog_timestamp."""
    delivery = one(f"<22>Nov 28 17:00:00 mx1 exim[9]: {ID} {GO} {MX}{XS}{OK}")
    assert told(delivery) == ENCRYPTED


IN = "<= s@sender.test H=c.test (helo) [198.51.100.1]"
CAME = "sent left encrypted/unknown TLSv1.3 c.test[198.51.100.1]"
CAME_CLEAR = "sent left clear c.test[198.51.100.1]"


@pytest.mark.parametrize(
    ("source", "rest", "expected"),
    [
        # receive.c, add_host_info_for_log() and receive_msg()
        ("4.96", f"{IN} P=esmtps{XS} S=300 id=1@sender.test", CAME),
        ("4.96", f"{IN} P=esmtps L{XS} K S=300 id=1@sender.test", CAME),
        ("4.96", f"{IN} P=esmtps L.-{XS} S=300 RT=1s", CAME),
        ("dnssec", f"<= s@sender.test DS H=c.test [198.51.100.1] P=esmtps{XS} S=300", CAME),
        ("4.100", f"{IN} I=[192.0.2.9]:25 Ci=AbC P=esmtpsa{XS} A=plain:s S=300 id*=1@x", CAME),
        ("SNI", f'{IN} P=esmtps{XS} SNI="mx.us.test" S=300 id=1@sender.test', CAME),
        ("SNI", f'{IN} P=esmtps{XS} SNI="x" P=smtp" S=300 id=1@sender.test', CAME),
        ("id", f"{IN} P=esmtp S=300 id=x X=TLS9:evil:1 P=esmtps", CAME_CLEAR),
        ("U", f"{IN} U=x X=TLS9:evil:1 P=esmtps P=esmtp S=300", CAME_CLEAR),
        ("no P", f'{IN} U=x" P=esmtp S=300', "sent left unknown c.test[198.51.100.1]"),
        ("helo", "<= s@sender.test H=c.test (x) [203.0.113.1] (y) [198.51.100.1] P=esmtp S=3",
         "sent left unknown -[-]"),
        ("helo", "<= s@sender.test H=(a(b) [198.51.100.1] P=esmtps S=3", "sent left unknown -[-]"),
        ("bsmtp", "<= s@us.test U=s P=local S=300", ""),
        ("bounce", "<= <> R=1xXNIG-00000J-0N U=Debian-exim P=local S=300", ""),
    ],
)  # fmt: skip
def test_documented_lines_of_what_came_in(source: str, rest: str, expected: str) -> None:
    outcome = read([f"{STAMP}{ID} {rest}"], inbound=True)
    assert outcome.unread == []
    assert "\n".join(told(each) for each in outcome.deliveries) == expected, source


@given(st.lists(HOSTILE | st.sampled_from([TO, TO + X + OK, X, OK]), max_size=20))
def test_no_line_raises(texts: list[str]) -> None:
    for flag in ("=>", "==", "**", "<=", "->"):
        read([f"{STAMP}{ID} {flag} {text}" for text in texts], inbound=True)
