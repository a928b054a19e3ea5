"""Real mail servers write the log: each answer must equal what the receiving server saw."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from prober.lab.internet import LabDomain
from prober.lab.peer import Peer
from prober.lab.personalities.ehlo import NoStarttls
from prober.lab.personalities.scripted import Scripted
from prober.lab.personalities.sound import Expired, SelfSigned, Tls12Only, WellConfigured
from prober.lab.personalities.starttls import HandshakeAlert
from prober.logs.base import NO_TLS
from prober.logs.records import Content, Delivery, Identity, Status, Tls
from tests.logs.reading import read, told
from tests.mta.certificates import MtaCa
from tests.mta.exim_sender import deliver_by_exim
from tests.mta.opensmtpd_sender import deliver_by_opensmtpd
from tests.mta.sender import deliver
from tests.mta.sendmail_sender import deliver_by_sendmail
from tests.mta.servers import SERVERS, require
from tests.mta.test_policy import SETTINGS, Case, World, domain, publish_tlsa, tlsa_of, world
from tests.personalities.sound import Tls13Only
from tests.support.accepting import Accepting, Arrival


@dataclass(frozen=True)
class RefusingAfterData(Accepting):
    """Takes the whole message, and then refuses it, in words that imitate a log line."""

    reply: tuple[int, str] = (550, "5.7.1 no (in reply to MAIL FROM command))")

    async def _take(self, peer: Peer, recipients: list[str]) -> None:
        await self.inner.say(peer, 354, "go on")
        while await peer.line() != ".":
            pass
        for recipient in recipients:
            self.mailbox.arrivals.append(Arrival(recipient, peer.name, peer.secure))
        await self.inner.say(peer, *self.reply)


class RefusesRecipients(Scripted):
    """No recipient is good enough."""


@dataclass(frozen=True)
class RefusingRecipients(Accepting):
    async def converse(self, peer: Peer) -> None:
        await self.inner.greet(peer)
        while True:
            line = await peer.line()
            match line.upper().split(maxsplit=1)[:1]:
                case ["MAIL"] | ["RSET"]:
                    await self.inner.say(peer, 250, "ok")
                case ["RCPT"]:
                    await self.inner.say(peer, 550, "5.1.1 status=sent (250 ok)")
                case _:
                    await self.inner.obey(peer, line)


KINDS: Final[Mapping[str, Scripted]] = {
    "clear": NoStarttls(),
    "alert": HandshakeAlert(),
    "tls12": Tls12Only(),
    "tls13": Tls13Only(),
    "untrusted": SelfSigned(),
    "expired": Expired(),
    "trusted": WellConfigured(),
    "verified": WellConfigured(),
    "unverifiable": Expired(),
    "required": NoStarttls(),
    "dane": SelfSigned(),
    "content-refused": WellConfigured(),
    "content-refused-clear": NoStarttls(),
    "recipient-refused": WellConfigured(),
}
POLICY_MAP: Final = """\
verified.test verify
unverifiable.test verify
required.test encrypt
dane.test dane-only
"""
EXPECTED: Final = {  # TLS, identity, content; None: not compared
    "clear": (Tls.CLEAR, None, Content.LEFT),
    "alert": (Tls.CLEAR, None, Content.LEFT),
    "tls12": (Tls.ENCRYPTED, Identity.TRUSTED, Content.LEFT),
    "tls13": (Tls.ENCRYPTED, Identity.TRUSTED, Content.LEFT),
    "untrusted": (Tls.ENCRYPTED, Identity.NONE, Content.LEFT),
    "expired": (Tls.ENCRYPTED, Identity.NONE, Content.LEFT),
    "trusted": (Tls.ENCRYPTED, Identity.TRUSTED, Content.LEFT),
    "verified": (Tls.ENCRYPTED, Identity.VERIFIED, Content.LEFT),
    "unverifiable": (Tls.ENCRYPTED, Identity.NONE, Content.HELD),
    "required": (Tls.UNKNOWN, None, Content.HELD),
    "dane": (Tls.ENCRYPTED, Identity.VERIFIED, Content.LEFT),
    "content-refused": (Tls.ENCRYPTED, Identity.TRUSTED, Content.LEFT),
    "content-refused-clear": (Tls.CLEAR, None, Content.LEFT),
    "recipient-refused": (Tls.ENCRYPTED, Identity.TRUSTED, Content.HELD),
}


def domains() -> list[LabDomain]:
    return [
        domain(f"{name}.test", personality, signed=name == "dane")
        for name, personality in KINDS.items()
    ]


def take_refusals(at: World) -> None:
    """Let the servers refuse that are to."""
    for name, refusing in (
        ("content-refused", RefusingAfterData),
        ("content-refused-clear", RefusingAfterData),
        ("recipient-refused", RefusingRecipients),
    ):
        at.lab.servers[f"mx.{name}.test"].personality = refusing(KINDS[name], at.mailbox)


def logged(folder: Path) -> list[str]:
    """What the server told syslog; the shell that runs it has a word in the file, too."""
    lines = (folder / "log").read_text(errors="backslashreplace").splitlines()
    return [line for line in lines if line.startswith("<")]


@pytest.mark.parametrize(
    ("settings", "each", "left_out", "per_message"),
    [
        pytest.param({}, 3, (), 1, id="a-connection-each"),
        pytest.param({}, 3, (), 3 * len(KINDS), id="one-message-for-all"),
        pytest.param(
            {"smtp_tls_connection_reuse": "yes", "smtp_connection_cache_on_demand": "yes"},
            12,
            ("alert", "required", "unverifiable"),  # Postfix puts such domains off for minutes
            1,
            id="reused-by-tlsproxy",
        ),
    ],
)
async def test_what_postfix_logs_is_what_the_servers_saw(
    settings: dict[str, str],
    each: int,
    left_out: tuple[str, ...],
    per_message: int,
    mta_ca: MtaCa,
    tmp_path: Path,
) -> None:
    require(SERVERS["postfix"])
    names = [name for name in KINDS if name not in left_out]
    recipients = [f"u{number}@{name}.test" for number in range(each) for name in names]
    async with world(*domains()) as at:
        publish_tlsa(at.lab, "dane.test", Case(name="", personality=SelfSigned(), tlsa=tlsa_of))
        take_refusals(at)
        fates = await deliver(
            at.lab,
            POLICY_MAP,
            recipients,
            ca=mta_ca,
            folder=tmp_path / "postfix",
            settings=dict(SETTINGS) | settings,
            attempts=3,
            per_message=per_message,
        )
    outcome = read(logged(tmp_path / "postfix"))
    assert outcome.unread == []

    wanted = set(recipients)
    by_recipient: dict[str | None, Delivery] = {}
    for delivery in outcome.deliveries:
        if delivery.recipient in wanted:
            by_recipient[delivery.recipient] = delivery
    assert by_recipient.keys() == wanted
    for recipient in recipients:
        delivery = by_recipient[recipient]
        tls, identity, content = EXPECTED[delivery.domain.removesuffix(".test")]
        fate, arrival = fates[recipient], at.mailbox.arrival(recipient)
        assert delivery.status == Status(fate.status), delivery
        assert (delivery.content, delivery.session.tls) == (content, tls), delivery
        assert identity in (None, delivery.session.identity), delivery
        assert (arrival is not None) == (content is Content.LEFT), delivery
        if arrival is not None:
            assert arrival.encrypted == (delivery.session.tls is Tls.ENCRYPTED), delivery
        assert delivery.message_id is None or delivery.message_id.startswith("<")


async def test_without_its_tls_lines_postfix_leaves_it_unknown(
    mta_ca: MtaCa, tmp_path: Path
) -> None:
    require(SERVERS["postfix"])
    async with world(domain("clear.test", NoStarttls()), domain("good.test", Tls13Only())) as at:
        await deliver(
            at.lab,
            "",
            ["a@clear.test", "a@good.test"],
            ca=mta_ca,
            folder=tmp_path / "postfix",
            settings=dict(SETTINGS) | {"smtp_tls_loglevel": "0"},
        )
    sessions = [each.session for each in read(logged(tmp_path / "postfix")).deliveries]
    assert [each.tls for each in sessions] == [Tls.UNKNOWN, Tls.UNKNOWN]
    assert {each.why for each in sessions} == {NO_TLS}


def answers(
    lines: Iterable[str], recipients: Iterable[str], at: World, expected: Mapping[str, str]
) -> None:
    """Each recipient's last delivery is as expected of its domain, and as its server saw it."""
    outcome = read(lines)
    assert outcome.unread == []
    by_recipient = {each.recipient: each for each in outcome.deliveries}
    for recipient in recipients:
        delivery = by_recipient[recipient]
        name, arrival = delivery.domain.removesuffix(".test"), at.mailbox.arrival(recipient)
        assert " ".join(told(delivery).split()[:3]) == expected[name], delivery
        if arrival is None:
            assert delivery.content is not Content.LEFT, delivery
        else:
            assert delivery.content is not Content.HELD, delivery
            assert arrival.encrypted == (delivery.session.tls is Tls.ENCRYPTED), delivery


def recipients_of(names: Iterable[str], each: int) -> list[str]:
    return [f"u{number}@{name}.test" for number in range(each) for name in names]


EXIM: Final = {
    "clear": "sent left clear",
    "tls12": "sent left encrypted/verified",
    "tls13": "sent left encrypted/verified",
    "untrusted": "sent left encrypted/none",
    "expired": "sent left encrypted/none",
    "trusted": "sent left encrypted/verified",
    "verified": "sent left encrypted/verified",
    "dane": "sent left encrypted/dane",
    "unverifiable": "deferred held unknown",
    "required": "deferred held unknown",
    "content-refused": "bounced left encrypted/verified",
    "content-refused-clear": "bounced left clear",
    "recipient-refused": "bounced held encrypted/verified",
}


PER_MESSAGE: Final = pytest.mark.parametrize(
    "per_message",
    [pytest.param(1, id="a-message-each"), pytest.param(100, id="one-message-for-all")],
)


@PER_MESSAGE
async def test_what_exim_logs_is_what_the_servers_saw(
    per_message: int, mta_ca: MtaCa, tmp_path: Path
) -> None:
    require(SERVERS["exim"])
    deferred = [name for name, answer in EXIM.items() if answer.startswith("deferred")]
    # one to each of those: a message waits while another has just been to the same host
    recipients = recipients_of(EXIM.keys() - deferred, 3) + recipients_of(deferred, 1)
    async with world(*domains()) as at:
        publish_tlsa(at.lab, "dane.test", Case(name="", personality=SelfSigned(), tlsa=tlsa_of))
        take_refusals(at)
        await deliver_by_exim(
            at.lab,
            recipients,
            ca=mta_ca,
            folder=tmp_path / "exim",
            attempts=1,
            per_message=per_message,
            policies={
                "hosts_require_tls": "^(required|(un)?verifi)",
                "tls_verify_hosts": "^(un)?verifi",
                "hosts_require_dane": "^dane",
            },
        )
        answers(logged(tmp_path / "exim"), recipients, at, EXIM)


SENDMAIL: Final = {
    "clear": "sent left clear",
    "alert": "deferred held unknown",
    "tls12": "sent left encrypted/trusted",
    "tls13": "sent left encrypted/trusted",
    "untrusted": "sent left encrypted/none",
    "expired": "sent left encrypted/none",
    "trusted": "sent left encrypted/trusted",
    "verified": "sent left encrypted/trusted",
    "unverifiable": "deferred held encrypted/none",
    "required": "deferred held unknown",
    # it does not say at which command these failed
    "content-refused": "bounced unknown encrypted/trusted",
    "content-refused-clear": "bounced unknown clear",
    "recipient-refused": "bounced held encrypted/trusted",
}


@PER_MESSAGE
async def test_what_sendmail_logs_is_what_the_servers_saw(
    per_message: int, mta_ca: MtaCa, tmp_path: Path
) -> None:
    require(SERVERS["sendmail"])
    recipients = recipients_of(SENDMAIL, 2)

    def is_done(log: str) -> bool:
        ended = [line for line in log.splitlines() if ", dsn=" in line]
        return all(any(f"<{each}>" in line for line in ended) for each in recipients)

    async with world(*domains()) as at:
        take_refusals(at)
        await deliver_by_sendmail(
            at.lab,
            recipients,
            ca=mta_ca,
            folder=tmp_path / "sendmail",
            is_done=is_done,
            per_message=per_message,
            verify=[f"mx.{name}.test" for name in ("verified", "unverifiable", "required")],
        )
        answers(logged(tmp_path / "sendmail"), recipients, at, SENDMAIL)


OPENSMTPD: Final = {
    "clear": "sent left clear",
    "alert": "sent left clear",
    "tls12": "sent left encrypted/verified",
    "tls13": "sent left encrypted/verified",
    "untrusted": "sent left encrypted/none",
    "expired": "sent left encrypted/none",
    "trusted": "sent left encrypted/verified",
    "verified": "sent left encrypted/verified",
    "unverifiable": "deferred held unknown",
    "required": "deferred held unknown",
    # it does not say at which command these failed
    "content-refused": "bounced unknown encrypted/verified",
    "content-refused-clear": "bounced unknown clear",
    "recipient-refused": "bounced unknown encrypted/verified",
}


async def test_what_opensmtpd_logs_is_what_the_servers_saw(mta_ca: MtaCa, tmp_path: Path) -> None:
    require(SERVERS["opensmtpd"])
    recipients = recipients_of(OPENSMTPD, 2)

    def is_done(log: str) -> bool:
        ended = [line for line in log.splitlines() if " mta delivery evpid=" in line]
        return all(any(f"to=<{each}>" in line for line in ended) for each in recipients)

    async with world(*domains()) as at:
        take_refusals(at)
        await deliver_by_opensmtpd(
            at.lab,
            recipients,
            ca=mta_ca,
            folder=tmp_path / "opensmtpd",
            is_done=is_done,
            options={f"{name}.test": "tls" for name in ("verified", "unverifiable", "required")},
        )
        # in the foreground it writes to stderr what it would tell syslog
        log = (tmp_path / "opensmtpd" / "log").read_text(errors="backslashreplace")
        lines = [f"Nov 28 17:00:00 mx1 smtpd[7]: {line}" for line in log.splitlines()]
        answers(lines, recipients, at, OPENSMTPD)
