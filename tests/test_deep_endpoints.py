"""What --deep asks the endpoints of a run: how many connections, of whom, and when it stops."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from OpenSSL import SSL

from prober.deep_endpoints import hello_for
from prober.domains import parse_entry
from prober.lab.demo import mail_domain
from prober.lab.internet import Lab, LabDomain, LabHost
from prober.lab.peer import Peer
from prober.lab.personalities.ehlo import NoStarttls
from prober.lab.personalities.greeting import Silent
from prober.lab.personalities.lax import ExpiredRsaToo, NullSuitesToo, OldTlsToo
from prober.lab.personalities.scripted import Scripted
from prober.lab.personalities.sound import WellConfigured
from prober.lab.personalities.starttls import HandshakeAlert
from prober.probe import probe_entry
from prober.records import (
    Answer,
    DeepAnswer,
    DeepFacts,
    DeepQuestion,
    DomainReport,
    Failure,
    Hello,
    Reason,
    Step,
)
from prober.rules.ciphers import iana_name
from prober.rules.deep_plan import MAX_CONNECTIONS
from prober.scan import scan
from prober.vantage import Vantage
from tests.personalities.sessions import Throttle
from tests.personalities.sound import Tls13Only
from tests.personalities.starttls import SniRefused
from tests.support.builders import completed
from tests.support.waiting import PATIENT, until

Q = DeepQuestion
YES, NO, NOT_TESTED = Answer.YES, Answer.NO, Answer.NOT_TESTED
EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED
MAIN_SESSIONS = 2  # with SNI, and without


async def probe(
    *domains: LabDomain, **changes: Any
) -> tuple[list[DomainReport], dict[str, int], Lab]:
    """The reports in order, and how many sessions each server had."""
    reports: list[DomainReport] = []
    async with Lab(domains) as lab:
        settings = lab.settings(**{**PATIENT, "deep": True, **changes})
        entries = [parse_entry(domain.name) for domain in domains]
        await scan(entries, settings, reports.append, ordered=True)
        counts = {name: server.count for name, server in lab.servers.items()}
    return reports, counts, lab


async def deep_of(personality: Scripted, **changes: Any) -> tuple[DeepFacts, int]:
    """What was found of one server, and how many connections it got for that."""
    [report], counts, _ = await probe(mail_domain("one.test", personality), **changes)
    [endpoint] = report.endpoints
    assert endpoint.deep is not None
    return endpoint.deep, counts["mx1.one.test"] - MAIN_SESSIONS


def answers(found: DeepFacts) -> dict[DeepQuestion, DeepAnswer]:
    return {answer.question: answer for answer in found.answers}


@pytest.mark.parametrize(
    "personality", [WellConfigured(), Tls13Only(), OldTlsToo(), NullSuitesToo(), ExpiredRsaToo()]
)
@pytest.mark.parametrize("groups", [(), ("secp256r1", "secp384r1")])
async def test_a_server_gets_at_most_eight_connections(
    personality: Scripted, groups: tuple[str, ...]
) -> None:
    found, counted = await deep_of(personality, norm_groups=groups)

    assert counted == found.connections <= MAX_CONNECTIONS
    assert len(found.answers) == len(answers(found)) == 7 + bool(groups)
    assert all(answer.accepted is not NOT_TESTED for answer in found.answers)


@pytest.mark.parametrize(
    ("personality", "question", "expected"),
    [
        (WellConfigured(), Q.POST_QUANTUM, (YES, "TLSv1.3", "TLS_AES_128_GCM_SHA256")),
        (WellConfigured(), Q.LEGACY_VERSION, (NO, None, None)),
        (WellConfigured(), Q.BROKEN_SUITES, (NO, None, None)),
        (WellConfigured(), Q.RSA_CERTIFICATE, (NO, None, None)),
        (OldTlsToo(), Q.LEGACY_VERSION, (YES, "TLSv1.1", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA")),
        (NullSuitesToo(), Q.BROKEN_SUITES, (YES, "TLSv1.2", "TLS_ECDHE_ECDSA_WITH_NULL_SHA")),
        (ExpiredRsaToo(), Q.STATIC_KEY_EXCHANGE, (YES, "TLSv1.2", "TLS_RSA_WITH_AES_128_CBC_SHA")),
        (Tls13Only(), Q.LEGACY_VERSION, (NO, None, None)),
        (Tls13Only(), Q.ECDSA_CERTIFICATE, (YES, "TLSv1.3", "TLS_AES_256_GCM_SHA384")),
        (Tls13Only(), Q.RSA_CERTIFICATE, (NO, None, None)),
    ],
)
async def test_each_fact_is_that_of_the_servers_configuration(
    personality: Scripted, question: DeepQuestion, expected: tuple[Answer, str, str]
) -> None:
    found, _ = await deep_of(personality)
    answer = answers(found)[question]

    assert (answer.accepted, answer.tls_version, answer.cipher) == expected


async def test_a_server_without_tls_1_2_is_not_asked_what_follows_from_that() -> None:
    found, counted = await deep_of(Tls13Only())
    inferred = {each.question for each in found.answers if each.inferred_from is not None}

    assert inferred == {
        *(Q.LEGACY_VERSION, Q.BROKEN_SUITES, Q.STATIC_KEY_EXCHANGE, Q.FINITE_FIELD_DH)
    }
    assert counted == 3


async def test_a_server_that_refuses_its_name_is_asked_without_it() -> None:
    """A refusal of the name says nothing of versions, suites and groups: RFC 6066 §3."""
    found, _ = await deep_of(SniRefused())
    expected, _ = await deep_of(WellConfigured())

    assert [(each.question, each.accepted) for each in found.answers] == [
        (each.question, each.accepted) for each in expected.answers
    ]


@pytest.mark.parametrize(
    ("hellos", "expected"),
    [
        ([(Hello.DEFAULT, "TLSv1.3"), (Hello.NO_SNI, "TLSv1.3")], Hello.DEFAULT),
        ([(Hello.DEFAULT, None), (Hello.SMALL, "TLSv1.3")], Hello.SMALL),
        ([(Hello.DEFAULT, None), (Hello.NO_SNI, "TLSv1.3")], Hello.NO_SNI),
        ([(Hello.NO_SNI, "TLSv1.3"), (Hello.SMALL, "TLSv1.3")], Hello.SMALL),
        ([(Hello.DEFAULT, None), (Hello.SMALL, None)], Hello.DEFAULT),
    ],
)
def test_a_certificate_is_asked_for_by_a_hello_that_the_server_reads(
    hellos: list[tuple[Hello, str | None]], expected: Hello
) -> None:
    facts = completed()
    [attempt] = facts.attempts
    attempts = [replace(attempt, hello=hello, tls_version=version) for hello, version in hellos]

    assert hello_for(replace(facts, attempts=tuple(attempts))) is expected


@pytest.mark.parametrize("only", [False, True])
async def test_both_certificates_are_seen_and_verified(only: bool) -> None:
    """In TLS 1.2 in clear; in TLS 1.3 by a handshake."""
    personality = ExpiredRsaToo()
    if only:
        personality = _only_13(personality)
    found, _ = await deep_of(personality)
    ecdsa, rsa = answers(found)[Q.ECDSA_CERTIFICATE], answers(found)[Q.RSA_CERTIFICATE]

    assert (ecdsa.accepted, rsa.accepted) == (YES, YES)
    assert {ecdsa.tls_version, rsa.tls_version} == {"TLSv1.3" if only else "TLSv1.2"}
    assert ecdsa.chain[0] != rsa.chain[0]
    assert (ecdsa.path, ecdsa.verify_errors) == ((0, 1), ())
    assert rsa.path == (0, 1)
    assert [(error.depth, error.code) for error in rsa.verify_errors] == [(0, EXPIRED)]


def _only_13(personality: ExpiredRsaToo) -> ExpiredRsaToo:
    class Only13(ExpiredRsaToo):
        tls = replace(personality.tls, lowest=Tls13Only.tls.lowest)

    return Only13()


@pytest.mark.parametrize("most", [2, 3, 6])
async def test_a_server_that_says_421_is_not_pressed(most: int) -> None:
    found, counted = await deep_of(Throttle(most=most))
    tested = [each for each in found.answers if each.accepted is not NOT_TESTED]
    failures = {each.failure for each in found.answers if each.accepted is NOT_TESTED}

    assert counted == found.connections == most - MAIN_SESSIONS + 1
    assert len(tested) == max(1, most - MAIN_SESSIONS)  # one is that of the main session
    [failure] = failures
    assert failure is not None
    assert (failure.step, failure.reason, failure.reply_code) == (
        *(Step.GREETING, Reason.BAD_REPLY, 421),
    )


@dataclass(frozen=True)
class StopsAfter(Scripted):
    """Fails in one way at one step, after *most* sessions."""

    step: Step
    how: str
    most: int = MAIN_SESSIONS

    async def greet(self, peer: Peer) -> None:
        await (self._fail(peer) if self._fails(peer, Step.GREETING) else super().greet(peer))

    async def on_starttls(self, peer: Peer) -> None:
        await (self._fail(peer) if self._fails(peer, Step.STARTTLS) else super().on_starttls(peer))

    async def handshake(self, peer: Peer) -> None:
        if self._fails(peer, Step.HANDSHAKE):
            await peer.hello()
            await self._fail(peer)
        else:
            await super().handshake(peer)

    def _fails(self, peer: Peer, step: Step) -> bool:
        return self.step is step and peer.session.number > self.most

    async def _fail(self, peer: Peer) -> None:
        match self.how:
            case "silent":
                await peer.silence()
            case "resets":
                peer.reset()
            case "closes":
                peer.close()
            case "454":
                await self.say(peer, 454, "4.7.0 later")


@pytest.mark.parametrize(
    ("step", "how", "reason"),
    [
        (Step.GREETING, "silent", Reason.TIMED_OUT),
        (Step.GREETING, "closes", Reason.CLOSED),
        (Step.GREETING, "resets", Reason.RESET),
        (Step.STARTTLS, "454", Reason.BAD_REPLY),
        (Step.STARTTLS, "closes", Reason.CLOSED),
        (Step.HANDSHAKE, "silent", Reason.TIMED_OUT),
    ],
)
async def test_a_server_that_falls_silent_or_closes_is_not_pressed(
    step: Step, how: str, reason: Reason
) -> None:
    waits = {"greeting_s": 2.0, "handshake_s": 2.0} if how == "silent" else {}
    found, counted = await deep_of(StopsAfter(step, how), **waits)

    assert counted == found.connections == 1
    assert {each.accepted for each in found.answers if each.question is not SEEN} == {NOT_TESTED}
    last = found.answers[-1].failure
    assert last is not None
    assert (last.step, last.reason) == (step, reason)


SEEN = Q.ECDSA_CERTIFICATE  # by the main session


async def test_a_server_that_closes_instead_of_an_alert_is_asked_each_question_once() -> None:
    """Such servers exist: it says nothing about the other questions."""
    found, counted = await deep_of(StopsAfter(Step.HANDSHAKE, "closes"))

    assert counted == found.connections == 7
    assert all(each.accepted is NOT_TESTED for each in found.answers if each.question is not SEEN)


async def test_only_who_came_as_far_as_a_client_hello_is_asked() -> None:
    domains = [
        mail_domain("clear.test", NoStarttls()),
        mail_domain("silent.test", Silent()),
        mail_domain("alert.test", HandshakeAlert()),
    ]
    reports, _, _ = await probe(*domains, greeting_s=2.0)
    deep = [report.endpoints[0].deep for report in reports]

    assert deep[:2] == [None, None]
    assert deep[2] is not None
    unseen = (Q.RSA_CERTIFICATE, Q.ECDSA_CERTIFICATE)  # whatever is offered, an alert comes
    for each in deep[2].answers:
        assert each.accepted is (NOT_TESTED if each.question in unseen else NO)


async def test_without_the_option_nothing_more_is_asked() -> None:
    [report], counts, _ = await probe(mail_domain("one.test", WellConfigured()), deep=False)

    assert report.endpoints[0].deep is None
    assert counts == {"mx1.one.test": MAIN_SESSIONS}


async def test_beyond_the_budget_endpoints_are_not_tested() -> None:
    domains = [mail_domain(f"d{number}.test", WellConfigured()) for number in range(3)]
    reports, counts, _ = await probe(*domains, deep_budget=14)
    deep = [report.endpoints[0].deep for report in reports]
    cut = [each for each in deep if each is not None and not each.connections]

    assert sum(counts.values()) == 14 + 3 * MAIN_SESSIONS
    [one] = cut
    limit = Failure(
        step=Step.CONNECT, reason=Reason.LIMIT, detail="--deep-budget of 14 connections"
    )
    assert {(each.accepted, each.failure) for each in one.answers} == {(NOT_TESTED, limit)}


async def test_what_an_inference_saves_is_left_for_others() -> None:
    domains = [mail_domain(f"d{number}.test", Tls13Only()) for number in range(3)]
    async with Lab(domains) as lab:
        settings = lab.settings(**PATIENT, deep=True, deep_budget=13)
        async with Vantage(settings) as vantage:  # one after the other
            reports = [await probe_entry(parse_entry(each.name), vantage) for each in domains]
    deep = [each.endpoints[0].deep for each in reports]

    assert [each.connections for each in deep if each is not None] == [3, 3, 3]


def _sharing(names: Sequence[str], **fields: Any) -> tuple[LabDomain, ...]:
    """A domain for each of *names*, all with one server at one address."""
    host = LabHost(name="mx.shared.test", personality=WellConfigured())
    return tuple(LabDomain(name=name, mx=((10, host),), **fields) for name in names)


async def test_what_several_domains_share_is_asked_once() -> None:
    reports, counts, _ = await probe(*_sharing(["a.test", "b.test", "c.test"]))
    deep = [report.endpoints[0].deep for report in reports]

    assert counts["mx.shared.test"] == MAIN_SESSIONS + 7
    assert deep[0] is not None
    assert deep == [deep[0]] * 3


@dataclass(frozen=True)
class BusyOnce(Scripted):
    """Answers 421 to the session with the number *at*."""

    at: int = MAIN_SESSIONS + 2

    async def greet(self, peer: Peer) -> None:
        if peer.session.number == self.at:
            await self.say_and_close(peer, 421, "4.7.0 too many")
        else:
            await super().greet(peer)


async def test_an_address_that_says_421_is_not_pressed_by_its_other_names() -> None:
    async with Lab([mail_domain("one.test", BusyOnce())]) as lab:
        server = lab.servers["mx1.one.test"]
        lab.dns.add("two.test", "MX", "10 mx.two.test.")
        lab.dns.add("mx.two.test", "A", server.address)
        settings = lab.settings(**PATIENT, deep=True, share=False)
        async with Vantage(settings) as vantage:  # one after the other
            reports = [
                await probe_entry(parse_entry(name), vantage) for name in ("one.test", "two.test")
            ]
    first, second = (report.endpoints[0].deep for report in reports)

    assert first is not None
    assert second is not None
    assert (first.connections, second.connections) == (2, 0)
    assert {each.failure and each.failure.reply_code for each in second.answers} == {421}
    assert server.count == BusyOnce.at + 1  # one with the other name


async def test_a_cancelled_run_leaves_no_session() -> None:
    async with Lab([mail_domain("one.test", StopsAfter(Step.HANDSHAKE, "silent"))]) as lab:
        server = lab.servers["mx1.one.test"]
        settings = lab.settings(**PATIENT, deep=True)
        task = asyncio.create_task(scan([parse_entry("one.test")], settings, lambda _: None))
        await until(lambda: server.count > MAIN_SESSIONS)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: not server.open)

    assert server.count == MAIN_SESSIONS + 1


async def test_a_fault_of_ours_keeps_the_facts_of_the_main_sessions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_args: object) -> None:
        raise ValueError("a fault")

    monkeypatch.setattr("prober.deep_endpoints.ask_in_clear", fail)
    [report], _, _ = await probe(mail_domain("one.test", WellConfigured()))
    [endpoint] = report.endpoints

    assert endpoint.tls_version == "TLSv1.3"
    assert endpoint.deep is not None
    assert {each.failure and each.failure.reason for each in endpoint.deep.answers} == {
        Reason.FAULT
    }


async def test_the_transcript_has_each_hello_and_is_bounded() -> None:
    found, _ = await deep_of(WellConfigured())
    said = [line.line for line in found.transcript]

    assert len(said) < 50
    assert sum(line.startswith("ClientHello: ") for line in said) == found.connections == 7
    assert "STARTTLS" in said
    assert not any("MAIL" in line for line in said)


def suites_of(personality: Scripted, key_exchange: tuple[str, ...]) -> set[str | None]:
    """The suites that OpenSSL has for a server of that *personality*."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_cipher_list(personality.tls.ciphers)
    names = SSL.Connection(context, None).get_cipher_list()
    return {iana_name(name) for name in names if name.startswith(("TLS_", *key_exchange))}


@pytest.mark.parametrize(
    ("personality", "versions"),
    [
        (WellConfigured(), ("TLSv1.3", "TLSv1.2")),
        (OldTlsToo(), ("TLSv1.3", "TLSv1.2", "TLSv1.1", "TLSv1")),
    ],
)
async def test_all_that_a_server_accepts_is_listed(
    personality: Scripted, versions: tuple[str, ...]
) -> None:
    found, counted = await deep_of(personality, deep_full=True)
    full = found.enumeration

    assert full is not None
    assert (full.versions, full.failure) == (versions, None)
    assert set(full.suites) == suites_of(personality, ("ECDHE-ECDSA-",))
    assert {"X25519MLKEM768", "x25519", "secp256r1"} <= set(full.groups)
    assert len(set(full.groups)) == len(full.groups)
    assert counted == found.connections + full.connections


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"deep_connections": 5}, Reason.LIMIT), ({"deep_budget": 7 + 5}, Reason.LIMIT)],
)
async def test_the_list_ends_where_a_bound_is_reached(
    changes: dict[str, int], reason: Reason
) -> None:
    found, counted = await deep_of(WellConfigured(), deep_full=True, **changes)
    full = found.enumeration

    assert full is not None
    assert full.failure is not None
    assert (full.failure.reason, full.connections) == (reason, 5)
    assert counted == 7 + 5


class ClosesOnOldVersions(WellConfigured):
    """Closes where it should send the alert protocol_version."""

    async def handshake(self, peer: Peer) -> None:
        hello = await peer.hello()
        if hello[9:11] < b"\3\3":  # client_version, behind the headers: RFC 5246 §7.4.1.2
            peer.close()
        else:
            await super().handshake(peer)


async def test_a_close_does_not_end_the_list() -> None:
    found, _ = await deep_of(ClosesOnOldVersions(), deep_full=True)
    full = found.enumeration

    assert full is not None
    assert full.failure is not None
    assert full.failure.reason is Reason.CLOSED
    assert full.versions == ("TLSv1.3", "TLSv1.2")
    assert set(full.suites) == suites_of(WellConfigured(), ("ECDHE-ECDSA-",))


async def test_the_list_ends_where_the_server_says_421() -> None:
    found, counted = await deep_of(Throttle(most=MAIN_SESSIONS + 7 + 2), deep_full=True)
    full = found.enumeration

    assert full is not None
    assert full.failure is not None
    assert (full.failure.reply_code, full.connections) == (421, 3)
    assert counted == 7 + 3
    assert "421" in "".join(line.line for line in found.transcript)
