"""The domains of ``probe demo``: each is named after the one thing it shows."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

from prober.lab.faults import Fault
from prober.lab.internet import LabDomain, LabHost, LabSts, LabTlsa
from prober.lab.personalities.ehlo import NoStarttls
from prober.lab.personalities.greeting import Busy, Masked, Refuses, Silent
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


_IMPLICIT = LabHost(name="implicit.test", personality=WellConfigured())

DEMO: Final[Sequence[LabDomain]] = (
    mail_domain(
        "well-configured.test",
        WellConfigured(),
        WellConfigured(),
        shows="TLS 1.3 and a trusted certificate at every MX host",
    ),
    dataclasses.replace(
        mail_domain("dane.test", SelfSigned(), shows="enforced by DANE, with no CA at all"),
        tlsa=LabTlsa.OF_SELF_SIGNED,
        signed=True,
    ),
    dataclasses.replace(
        mail_domain("dane-old-key.test", WellConfigured(), shows="a new key, an old TLSA record"),
        tlsa=LabTlsa.OF_OLD_KEY,
        signed=True,
    ),
    dataclasses.replace(
        mail_domain("mta-sts.test", WellConfigured(), shows="enforced by MTA-STS"),
        sts=LabSts(host=PolicyHost(_policy("mx1.mta-sts.test"))),
        tls_rpt="v=TLSRPTv1; rua=mailto:tls@mta-sts.test",
    ),
    dataclasses.replace(
        mail_domain("mta-sts-gap.test", WellConfigured(), WellConfigured(), shows="one left out"),
        sts=LabSts(host=PolicyHost(_policy("mx1.mta-sts-gap.test"))),
    ),
    LabDomain(name="implicit.test", hosts=(_IMPLICIT,), shows="no MX: the domain is its host"),
    mail_domain(
        "nolisting.test", Refuses(), WellConfigured(), shows="a first MX host that never answers"
    ),
    mail_domain("self-signed.test", SelfSigned(), shows="encrypted, to whom nobody vouches"),
    mail_domain("expired.test", Expired(), shows="a certificate out of date"),
    mail_domain("wrong-name.test", WrongName(), shows="the certificate of another host"),
    mail_domain("broken-chain.test", MissingIntermediate(), shows="a chain that lacks a link"),
    mail_domain("weak-key.test", WeakKey(), shows="an RSA key of 1024 bits"),
    mail_domain("old-tls.test", Tls10Only(), shows="nothing newer than TLS 1.0"),
    mail_domain("large-hello.test", LargeHelloIntolerant(), shows="fails on a post-quantum hello"),
    mail_domain("mixed.test", WellConfigured(), NoStarttls(), shows="one MX host in clear text"),
    mail_domain("moody.test", GainsStarttls(), shows="STARTTLS in one session, not in another"),
    mail_domain("clear-text.test", NoStarttls(), shows="no STARTTLS at all"),
    mail_domain("deferred.test", StarttlsDeferred(), shows="STARTTLS offered, then refused"),
    mail_domain("no-handshake.test", HandshakeAlert(), shows="STARTTLS accepted, then an alert"),
    mail_domain("middlebox.test", Masked(), shows="STARTTLS overwritten on the way"),
    mail_domain("busy.test", Busy(), shows="421: too busy to say"),
    mail_domain("silent.test", Silent(), shows="no greeting"),
    LabDomain(name="dns-broken.test", fault=Fault.SERVFAIL, shows="its DNS fails"),
    LabDomain(
        name="null-mx.test",
        records=(("null-mx.test", "MX", "0 ."),),
        shows="accepts no mail, and says so (RFC 7505)",
    ),
    LabDomain(name="no-such-domain.test", shows="does not exist"),
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
