"""Servers that break SMTP or TLS: real Postfix and Exim deliver to them, and we said how.

No sender here insists on TLS. A message is given three attempts: an outcome is what becomes of it
after its retries. The cases are those of the tables in docs/policy.md and of net/reply.py.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from prober.lab.faults import Fault
from prober.lab.internet import LabDomain, LabHost
from prober.lab.peer import Peer
from prober.lab.personalities.ehlo import NoStarttls
from prober.lab.personalities.scripted import Scripted
from prober.lab.personalities.sound import WellConfigured
from prober.lab.personalities.starttls import HandshakeAlert, LargeHelloIntolerant, StarttlsDeferred
from prober.records import Level, Standing
from prober.records.delivery import DeliveryOutcome
from prober.rules.standing import judge_standing
from tests.mta.certificates import MtaCa
from tests.mta.exim_sender import deliver_by_exim
from tests.mta.sender import deliver
from tests.mta.servers import SERVERS, require
from tests.mta.test_policy import domain, look, seen, to, world
from tests.personalities.sound import NoSecureRenegotiation, NoSigning
from tests.personalities.starttls import (
    AnonymousOnly,
    EmptyLineBeforeReply,
    HandshakeCloses,
    HandshakeGarbage,
    HandshakeResets,
    LateAlert,
    SniRefused,
    SniRequired,
    StarttlsCloses,
    StarttlsInjection,
    StarttlsRefused,
    StarttlsRefusedAndCloses,
    StarttlsResets,
    StarttlsUnreadable,
)
from tests.support.accepting import Arrival

ENCRYPTED, CLEAR = DeliveryOutcome.ENCRYPTED, DeliveryOutcome.CLEAR
DEFERRED, UNKNOWN = DeliveryOutcome.DEFERRED, DeliveryOutcome.UNKNOWN
ATTEMPTS: Final = 3
IMPATIENT: Final = {
    "smtp_tls_security_level": "may",
    "smtp_helo_timeout": "5s",
    "smtp_starttls_timeout": "5s",
}


@dataclass(frozen=True)
class Greets(Scripted):
    """Says *data* for a greeting."""

    data: bytes

    async def greet(self, peer: Peer) -> None:
        peer.send(self.data)


@dataclass(frozen=True)
class AnswersEhlo(Scripted):
    """Says *data* in answer to EHLO in clear."""

    data: bytes

    async def on_ehlo(self, peer: Peer) -> None:
        peer.send(self.data)


@dataclass(frozen=True)
class AnswersStarttls(Scripted):
    """Says *data* in answer to STARTTLS, and shakes hands where *goes_on*."""

    data: bytes
    goes_on: bool = False

    async def on_starttls(self, peer: Peer) -> None:
        peer.send(self.data)
        if self.goes_on:
            await self.handshake(peer)


def ehlo(*lines: bytes) -> AnswersEhlo:
    return AnswersEhlo(b"".join(line + b"\r\n" for line in (b"250-mx.example.com", *lines)))


SAME: Final[Mapping[str, tuple[Scripted, DeliveryOutcome]]] = {
    "sound": (WellConfigured(), ENCRYPTED),
    "not-offered": (NoStarttls(), CLEAR),
    "454": (StarttlsDeferred(), CLEAR),
    "554": (StarttlsRefused(), CLEAR),
    "354": (AnswersStarttls(b"354 no\r\n"), CLEAR),
    "100": (AnswersStarttls(b"100 no\r\n"), CLEAR),
    "654": (AnswersStarttls(b"654 no\r\n"), CLEAR),
    "220-then-454": (AnswersStarttls(b"220-a\r\n454 no\r\n"), UNKNOWN),
    "250-to-starttls": (AnswersStarttls(b"250 yes\r\n", goes_on=True), ENCRYPTED),
    "220-then-250": (AnswersStarttls(b"220-a\r\n250 b\r\n", goes_on=True), ENCRYPTED),
    "454-and-closes": (StarttlsRefusedAndCloses(), DEFERRED),
    "closes": (StarttlsCloses(), DEFERRED),
    "resets": (StarttlsResets(), DEFERRED),
    "no-code": (StarttlsUnreadable(), DEFERRED),
    "two-digits": (AnswersStarttls(b"22 ok\r\n"), DEFERRED),
    "four-digits": (AnswersStarttls(b"2200 ok\r\n"), DEFERRED),
    "tab": (AnswersStarttls(b"220\tok\r\n"), DEFERRED),
    "handshake-alert": (HandshakeAlert(), CLEAR),
    "handshake-closes": (HandshakeCloses(), CLEAR),
    "handshake-resets": (HandshakeResets(), CLEAR),
    "handshake-garbage": (HandshakeGarbage(), CLEAR),
    "late-alert": (LateAlert(), CLEAR),
    "trailing-space": (ehlo(b"250-STARTTLS ", b"250 HELP"), ENCRYPTED),
    "parameter": (ehlo(b"250 STARTTLS foo"), ENCRYPTED),
    "bare-lf": (AnswersEhlo(b"250-mx\n250-STARTTLS\n250 HELP\n"), ENCRYPTED),
    "nul-behind-keyword": (ehlo(b"250 STARTTLS\0"), UNKNOWN),
    "first-line-only": (AnswersEhlo(b"250-STARTTLS\r\n250 HELP\r\n"), CLEAR),
    "value-of-auth": (ehlo(b"250 AUTH=STARTTLS"), CLEAR),
    "comma": (ehlo(b"250-STARTTLS,", b"250 HELP"), CLEAR),
    "greeting-of-250": (Greets(b"250 hi\r\n"), ENCRYPTED),
    "long-greeting": (Greets(b"220 " + b"a" * 3000 + b"\r\n"), ENCRYPTED),
}
"""Both senders fare alike: what we say of them. Not known is never wrong."""

DIFFER: Final[Mapping[str, Scripted]] = {
    "anonymous-only": AnonymousOnly(),
    "key-usage-without-signature": NoSigning(),
    "no-secure-renegotiation": NoSecureRenegotiation(),
    "injection": StarttlsInjection(),
    "empty-line-first": EmptyLineBeforeReply(),
    "line-without-code-first": AnswersStarttls(b"hello\r\n220 ok\r\n", goes_on=True),
    "454-then-220": AnswersStarttls(b"454-a\r\n220 ok\r\n", goes_on=True),
    "lower-case": ehlo(b"250 starttls"),
    "equals": ehlo(b"250-STARTTLS=1", b"250 HELP"),
    "leading-space": ehlo(b"250- STARTTLS", b"250 HELP"),
    "tab-behind-keyword": ehlo(b"250-STARTTLS\tfoo", b"250 HELP"),
    "code-of-251": ehlo(b"251-STARTTLS", b"250 HELP"),
    "251-throughout": AnswersEhlo(b"251-mx\r\n251 STARTTLS\r\n"),
    "nul": ehlo(b"250-\0", b"250 STARTTLS"),
    "no-name-in-ehlo": AnswersEhlo(b"250-\r\n250 STARTTLS\r\n"),
    "empty-line-in-ehlo": ehlo(b"250-STARTTLS", b"", b"250 HELP"),
    "line-of-3000": ehlo(b"250-X" + b"A" * 3000, b"250 STARTTLS"),
    "empty-greeting": Greets(b"220\r\n"),
    "empty-line-in-greeting": Greets(b"\r\n220 hi\r\n"),
}
"""Postfix and Exim fare differently, and we say that it is not known."""

# Both senders here send a small hello without SNI. Others do not: of all of them it is not known.
OTHER_HELLOS: Final[Mapping[str, tuple[Scripted, DeliveryOutcome]]] = {
    "sni-refused": (SniRefused(), ENCRYPTED),
    "sni-required": (SniRequired(), CLEAR),
    "large-hello-intolerant": (LargeHelloIntolerant(), ENCRYPTED),
}

NO_CODE: Final = ("no-code", "two-digits", "four-digits", "tab")
"""For a reply from these servers, the prober waits until its deadline."""

PERSONALITIES: Final = (
    {name: personality for name, (personality, _) in SAME.items()}
    | dict(DIFFER)
    | {name: personality for name, (personality, _) in OTHER_HELLOS.items()}
)


def arrived(arrival: Arrival | None) -> DeliveryOutcome:
    if arrival is None:
        return DEFERRED  # or bounced: not delivered
    return ENCRYPTED if arrival.encrypted else CLEAR


@pytest.mark.timeout(600)  # several servers say nothing, three times each
async def test_mail_without_insistence_fares_as_predicted(mta_ca: MtaCa, tmp_path: Path) -> None:
    require(SERVERS["postfix"])
    require(SERVERS["exim"])
    domains = {name: domain(f"{name}.test", each) for name, each in PERSONALITIES.items()}
    async with world(*domains.values()) as at:
        by_postfix = {name: to(each.name) for name, each in domains.items()}
        by_exim = {name: f"exim-{recipient}" for name, recipient in by_postfix.items()}
        fates, _ = await asyncio.gather(
            deliver(
                at.lab,
                "",
                by_postfix.values(),
                ca=mta_ca,
                folder=tmp_path / "postfix",
                settings=IMPATIENT,
                attempts=ATTEMPTS,
            ),
            deliver_by_exim(
                at.lab,
                by_exim.values(),
                ca=mta_ca,
                folder=tmp_path / "exim",
                attempts=ATTEMPTS,
            ),
        )
        arrival = at.mailbox.arrival
        postfix = {name: seen(fates[each], arrival(each)) for name, each in by_postfix.items()}
        exim = {name: arrived(arrival(each)) for name, each in by_exim.items()}
        silent = [domains[name].name for name in NO_CODE]
        others = {each.name for each in domains.values()}.difference(silent)
        reports = await look(at.lab, *sorted(others))
        reports |= await look(at.lab, *silent, command_s=2.0)

    ours = {}
    for name, each in domains.items():
        report = reports[each.name]
        assert report.delivery is not None
        ours[name] = report.delivery.opportunistic.now
        if ENCRYPTED in (postfix[name], exim[name]):  # the level counts TLS of some sender
            assert report.verdict.level not in (Level.NONE, Level.PARTIAL), name

    assert {name: ours[name] for name in SAME} == {name: want for name, (_, want) in SAME.items()}
    for name in SAME:
        assert postfix[name] is exim[name], name
        assert ours[name] in (postfix[name], UNKNOWN), name
    for name in DIFFER:
        assert postfix[name] is not exim[name], name
        assert ours[name] is UNKNOWN, name
    for name, (_, both) in OTHER_HELLOS.items():
        assert (postfix[name], exim[name], ours[name]) == (both, both, UNKNOWN), name


async def test_senders_use_the_address_that_answers(mta_ca: MtaCa, tmp_path: Path) -> None:
    """An address that refuses TCP, and an AAAA look-up that fails, beside an address that works."""
    require(SERVERS["postfix"])
    require(SERVERS["exim"])
    refuses = LabHost(
        name="mx.refuses.test", personality=WellConfigured(), published=("127.255.255.253",)
    )
    domains = [
        LabDomain(name="refuses.test", mx=((10, refuses),)),
        domain("servfail.test", WellConfigured()),
    ]
    recipients = [to(each.name) for each in domains]
    async with world(*domains) as at:
        at.lab.dns.fail("mx.servfail.test", Fault.SERVFAIL, "AAAA")
        await deliver(
            at.lab,
            "",
            recipients,
            ca=mta_ca,
            folder=tmp_path / "postfix",
            settings={"smtp_tls_security_level": "may", "inet_protocols": "all"},
        )
        postfix = {each: arrived(at.mailbox.arrival(each)) for each in recipients}
        at.mailbox.arrivals.clear()
        await deliver_by_exim(at.lab, recipients, ca=mta_ca, folder=tmp_path / "exim", attempts=2)
        exim = {each: arrived(at.mailbox.arrival(each)) for each in recipients}
        reports = await look(at.lab)

    for each in domains:
        report = reports[each.name]
        assert (postfix[to(each.name)], exim[to(each.name)]) == (ENCRYPTED, ENCRYPTED)
        assert report.delivery is not None
        assert report.delivery.mandatory.now is ENCRYPTED
        assert judge_standing(report, Level.OPPORTUNISTIC) is Standing.MEETS
