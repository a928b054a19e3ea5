"""The domains of ``probe demo``: each is named after the one thing it shows."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from prober.lab.faults import Fault
from prober.lab.internet import LabDomain, LabHost, LabSts, LabTlsa
from prober.lab.personalities.ehlo import NoStarttls
from prober.lab.personalities.greeting import Busy, Masked, Refuses, Silent
from prober.lab.personalities.lax import ExpiredRsaToo, NullSuitesToo, OldTlsToo
from prober.lab.personalities.scripted import Personality
from prober.lab.personalities.sessions import GainsStarttls
from prober.lab.personalities.sound import (
    Expired,
    MissingIntermediate,
    SelfSigned,
    Tls10Only,
    WeakKey,
    WellConfigured,
    WrongName,
)
from prober.lab.personalities.starttls import (
    HandshakeAlert,
    LargeHelloIntolerant,
    StarttlsDeferred,
)
from prober.lab.policy_host import PolicyHost


def mail_domain(name: str, *personalities: Personality, shows: str = "") -> LabDomain:
    """A domain with an MX host for each personality: ``mx1.`` at 10, ``mx2.`` at 20 …"""
    mx = tuple(
        (10 * number, LabHost(name=f"mx{number}.{name}", personality=personality))
        for number, personality in enumerate(personalities, 1)
    )
    return LabDomain(name=name, mx=mx, shows=shows)


def _policy(*mx: str) -> str:
    """An MTA-STS policy to be enforced for four weeks. RFC 8461 §3.2."""
    lines = ("version: STSv1", "mode: enforce", *(f"mx: {host}" for host in mx), "max_age: 2419200")
    return "".join(f"{line}\r\n" for line in lines)


MAIL_LOG: Final = Path(__file__).with_name("mail.example.log")
"""The log of a mail server that sent to these domains, once in clear."""

_IMPLICIT = LabHost(name="implicit.test", personality=WellConfigured())

DEMO: Final[Sequence[LabDomain]] = (
    mail_domain(
        "well-configured.test",
        WellConfigured(),
        WellConfigured(),
        shows="Every MX host offers TLS 1.3 and has a certificate of a trusted CA for its name.",
    ),
    dataclasses.replace(
        mail_domain(
            "dane.test",
            SelfSigned(),
            shows="TLSA records (DANE) in signed DNS vouch for the certificate, so it needs "
            "no CA. Senders that check DANE require TLS.",
        ),
        tlsa=LabTlsa.OF_SELF_SIGNED,
        signed=True,
    ),
    dataclasses.replace(
        mail_domain(
            "dane-old-key.test",
            WellConfigured(),
            shows="The server has a new key, but the TLSA record in DNS is that of the old "
            "key. Senders that check DANE hold mail back; the others do not notice.",
        ),
        tlsa=LabTlsa.OF_OLD_KEY,
        signed=True,
    ),
    dataclasses.replace(
        mail_domain(
            "mta-sts.test",
            WellConfigured(),
            shows="The domain publishes an MTA-STS policy. Senders that check it require TLS "
            "and a certificate of a trusted CA.",
        ),
        sts=LabSts(host=PolicyHost(_policy("mx1.mta-sts.test"))),
        tls_rpt="v=TLSRPTv1; rua=mailto:tls@mta-sts.test",
    ),
    dataclasses.replace(
        mail_domain(
            "mta-sts-gap.test",
            WellConfigured(),
            WellConfigured(),
            shows="The MTA-STS policy names only one of the two MX hosts. Senders that check "
            "it never use the other one.",
        ),
        sts=LabSts(host=PolicyHost(_policy("mx1.mta-sts-gap.test"))),
    ),
    LabDomain(
        name="implicit.test",
        hosts=(_IMPLICIT,),
        shows="The domain has no MX record, so senders deliver to the address of the domain "
        "itself.",
    ),
    mail_domain(
        "nolisting.test",
        Refuses(),
        WellConfigured(),
        shows="Nothing listens at the first MX host, so all mail goes to the second one.",
    ),
    mail_domain(
        "self-signed.test",
        SelfSigned(),
        shows="The server signed its certificate itself. Mail is encrypted, but a sender "
        "cannot tell this server from an attacker's.",
    ),
    mail_domain(
        "expired.test",
        Expired(),
        shows="The certificate has expired. Most senders deliver all the same; those that "
        "check certificates hold mail back.",
    ),
    mail_domain(
        "wrong-name.test",
        WrongName(),
        shows="The certificate is for another host, so it does not prove that this is the "
        "right server.",
    ),
    mail_domain(
        "broken-chain.test",
        MissingIntermediate(),
        shows="The server does not send its intermediate certificate, so senders find no way "
        "from its certificate to a trusted CA.",
    ),
    mail_domain(
        "weak-key.test",
        WeakKey(),
        shows="The certificate has an RSA key of 1024 bits, which is too short to be safe today.",
    ),
    mail_domain(
        "old-tls.test",
        Tls10Only(),
        shows="The server has nothing newer than TLS 1.0, which is obsolete. Some senders "
        "refuse it.",
    ),
    mail_domain(
        "old-tls-too.test",
        OldTlsToo(),
        shows="The server has TLS 1.3, and accepts TLS 1.0 too, which is obsolete. One session "
        "does not show that; `--deep` does.",
    ),
    mail_domain(
        "null-suites.test",
        NullSuitesToo(),
        shows="The server accepts good cipher suites, and also some that do not encrypt at all. "
        "Only `--deep` shows that.",
    ),
    mail_domain(
        "two-certificates.test",
        ExpiredRsaToo(),
        shows="The ECDSA certificate is good, but the RSA certificate has expired. Senders "
        "without ECDSA get that one, and only `--deep` shows it.",
    ),
    mail_domain(
        "large-hello.test",
        LargeHelloIntolerant(),
        shows="The server fails when the first TLS message is large, as with post-quantum "
        "key exchange. Whether mail is encrypted depends on the sender.",
    ),
    mail_domain(
        "mixed.test",
        WellConfigured(),
        NoStarttls(),
        shows="The first MX host offers TLS, the second does not. When the first one is "
        "down, mail is sent unencrypted.",
    ),
    mail_domain(
        "moody.test",
        GainsStarttls(),
        shows="The server offers STARTTLS in one session and not in another, so some mail "
        "may be sent unencrypted.",
    ),
    mail_domain(
        "clear-text.test",
        NoStarttls(),
        shows="The server does not offer STARTTLS, so mail to it can be read by others on its way.",
    ),
    mail_domain(
        "deferred.test",
        StarttlsDeferred(),
        shows="The server offers STARTTLS, and refuses it when a sender asks for it.",
    ),
    mail_domain(
        "no-handshake.test",
        HandshakeAlert(),
        shows="The server accepts STARTTLS and then ends the TLS handshake with an alert.",
    ),
    mail_domain(
        "middlebox.test",
        Masked(),
        shows="A device on the way overwrites the word STARTTLS. Whether the server offers "
        "it is not known.",
    ),
    mail_domain(
        "busy.test",
        Busy(),
        shows="The server replies 421: it is too busy. That says nothing about TLS, so the "
        "answer is UNKNOWN, not FAIL.",
    ),
    mail_domain(
        "silent.test",
        Silent(),
        shows="The server accepts the connection and then sends nothing. TLS could not be tested.",
    ),
    LabDomain(
        name="dns-broken.test",
        fault=Fault.SERVFAIL,
        shows="The nameserver of the domain reports an error, so its mail servers are not known.",
    ),
    LabDomain(
        name="null-mx.test",
        records=(("null-mx.test", "MX", "0 ."),),
        shows="The domain states in DNS that it receives no mail, with a null MX record (RFC "
        "7505).",
    ),
    LabDomain(
        name="no-such-domain.test", shows="The domain does not exist. Its name may be misspelt."
    ),
)

# for ``Lab.settings``: on loopback whatever takes a second takes for ever
DEMO_DEADLINES: Final[Mapping[str, float]] = {
    "connect_s": 1.5,
    "greeting_s": 1.5,
    "command_s": 1.5,
    "handshake_s": 1.5,
    "quit_s": 0.5,
    "session_s": 5.0,
    "confirm_delay_s": 0.2,
    "dns_try_s": 1.0,
    "dns_s": 2.0,
    "sts_s": 2.0,
}
