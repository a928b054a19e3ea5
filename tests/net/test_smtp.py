"""One SMTP session, step by step: what fails where, cancellation, and what is kept of it.

The matrix walks every step and every way to fail. Up to EHLO none may read as a negative.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from prober.lab.certificates import LabCa
from prober.lab.peer import Peer
from prober.lab.personalities.greeting import Silent
from prober.lab.personalities.scripted import Personality, Scripted
from prober.lab.personalities.sound import WellConfigured
from prober.lab.personalities.starttls import HandshakeSilent, StarttlsSilent
from prober.lab.smtp import LabSmtpServer
from prober.net.failures import NoRouteError
from prober.net.smtp import Target, probe_endpoint, require_route
from prober.net.tls import TlsClient
from prober.records import EndpointFacts, Reason, StartTls, Step
from prober.rules.endpoint import Outcome, outcome
from prober.settings import Settings

NAME = "mx.lab.test"
SETTINGS = Settings(
    connect_s=2.0,
    greeting_s=0.3,
    command_s=0.3,
    handshake_s=0.3,
    quit_s=0.2,
    ehlo_name="probe.lab.test",
)
TLS = TlsClient(None, chain_certificates=16)
CA = LabCa()


async def probe(personality: Personality, **changes: Any) -> EndpointFacts:
    """The facts of one session with a server of that *personality*."""
    async with LabSmtpServer(personality, name=NAME, ca=CA) as server:
        return await probe_at(server, **changes)


async def probe_at(server: LabSmtpServer, **changes: Any) -> EndpointFacts:
    target = Target(mx_host=NAME, address=server.address, port=server.port)
    defaults = {field: getattr(SETTINGS, field) for field in Settings.__dataclass_fields__}
    return await probe_endpoint(target, Settings(**(defaults | changes)), TLS)


@dataclass(frozen=True)
class Failing(Scripted):
    """Does all well up to one step, and fails there in one way."""

    step: Step
    how: str

    async def greet(self, peer: Peer) -> None:
        await (self._fail(peer) if self.step is Step.GREETING else super().greet(peer))

    async def on_ehlo(self, peer: Peer) -> None:
        await (self._fail(peer) if self.step is Step.EHLO else super().on_ehlo(peer))

    async def on_helo(self, peer: Peer) -> None:
        await self.on_ehlo(peer)

    async def on_starttls(self, peer: Peer) -> None:
        await (self._fail(peer) if self.step is Step.STARTTLS else super().on_starttls(peer))

    async def handshake(self, peer: Peer) -> None:
        if self.step is Step.HANDSHAKE:
            await peer.hello()
            await self._fail(peer)
        else:
            await super().handshake(peer)

    async def on_ehlo_tls(self, peer: Peer) -> None:
        await (self._fail(peer) if self.step is Step.POST_TLS else super().on_ehlo_tls(peer))

    async def _fail(self, peer: Peer) -> None:
        match self.how:
            case "timeout":
                await peer.silence()
            case "reset":
                peer.reset()
            case "eof":
                peer.close()
            case "half-reply":
                peer.send(b"250-half\r\n")
                await peer.silence()
            case "4xx":
                peer.send(b"450 4.7.0 later\r\n")
            case "421":
                peer.send(b"421 4.7.0 closing\r\n")
            case "5xx":
                peer.send(b"554 5.7.1 no\r\n")
            case "500":
                peer.send(b"500 5.5.2 what\r\n")
            case "garbage":
                peer.send(b"\x00\xffgarbage\r\n" * 4)
            case "masked":
                peer.send(b"220 ************\r\n" * (self.step is not Step.EHLO))
                peer.send(b"250-mx\r\n250 XXXXXXXA\r\n" * (self.step is Step.EHLO))


WAYS = ("timeout", "reset", "eof", "half-reply", "4xx", "421", "5xx", "500", "garbage")


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("step", [Step.GREETING, Step.EHLO])
async def test_up_to_ehlo_no_failure_reads_as_a_negative(step: Step, how: str) -> None:
    facts = await probe(Failing(step, how))

    assert facts.starttls is StartTls.NOT_TESTED
    assert outcome(facts) is Outcome.NOT_TESTED
    assert facts.failure is not None
    assert facts.failure.step is step
    assert facts.tls_version is None


async def test_masked_keywords_are_not_tested() -> None:
    facts = await probe(Failing(Step.EHLO, "masked"))
    assert facts.failure is not None
    assert (facts.starttls, facts.failure.reason) == (StartTls.NOT_TESTED, Reason.MASKED)


async def test_a_masked_greeting_with_no_usable_starttls_is_not_tested() -> None:
    class MaskedAndClear(Scripted):
        greeting = ("************",)
        keywords = ("SIZE 1000",)

    facts = await probe(MaskedAndClear())
    assert facts.failure is not None
    assert (facts.starttls, facts.failure.reason) == (StartTls.NOT_TESTED, Reason.MASKED)


_AFTER_EHLO = {
    # step: {how: (starttls, reason, reply code)}
    Step.STARTTLS: {
        "timeout": (StartTls.REFUSED, Reason.TIMED_OUT, None),
        "reset": (StartTls.REFUSED, Reason.RESET, None),
        "eof": (StartTls.REFUSED, Reason.CLOSED, None),
        "half-reply": (StartTls.REFUSED, Reason.TIMED_OUT, None),
        "4xx": (StartTls.REFUSED, Reason.BAD_REPLY, 450),
        "421": (StartTls.NOT_TESTED, Reason.BAD_REPLY, 421),
        "5xx": (StartTls.REFUSED, Reason.BAD_REPLY, 554),
        "500": (StartTls.REFUSED, Reason.BAD_REPLY, 500),
        "garbage": (StartTls.REFUSED, Reason.BAD_REPLY, None),
    },
    Step.HANDSHAKE: {
        "timeout": (StartTls.OFFERED, Reason.TIMED_OUT, None),
        "reset": (StartTls.OFFERED, Reason.RESET, None),
        "eof": (StartTls.OFFERED, Reason.CLOSED, None),
        "half-reply": (StartTls.OFFERED, Reason.TLS_ERROR, None),
        "4xx": (StartTls.OFFERED, Reason.BAD_REPLY, 450),
        "421": (StartTls.NOT_TESTED, Reason.BAD_REPLY, 421),
        "5xx": (StartTls.OFFERED, Reason.BAD_REPLY, 554),
        "500": (StartTls.OFFERED, Reason.BAD_REPLY, 500),
        "garbage": (StartTls.OFFERED, Reason.TLS_ERROR, None),
    },
}


@pytest.mark.parametrize(
    ("step", "how", "expected"),
    [
        pytest.param(step, how, expected, id=f"{step}-{how}")
        for step, row in _AFTER_EHLO.items()
        for how, expected in row.items()
    ],
)
async def test_after_ehlo_a_failure_is_a_negative_but_for_421(
    step: Step, how: str, expected: tuple[StartTls, Reason, int | None]
) -> None:
    facts = await probe(Failing(step, how))

    assert facts.failure is not None
    assert facts.failure.step is step
    assert (facts.starttls, facts.failure.reason, facts.failure.reply_code) == expected
    assert facts.tls_version is None
    negative = expected[0] is not StartTls.NOT_TESTED
    assert outcome(facts) is (Outcome.NEGATIVE if negative else Outcome.NOT_TESTED)


@pytest.mark.parametrize("how", WAYS)
async def test_after_the_handshake_tls_has_completed_whatever_comes(how: str) -> None:
    facts = await probe(Failing(Step.POST_TLS, how))

    assert facts.tls_version == "TLSv1.3"
    assert facts.failure is not None or how == "500"
    assert facts.failure is None or facts.failure.step is Step.POST_TLS
    assert outcome(facts) is Outcome.COMPLETED


class SaysMore(Scripted):
    """Sends more than it was asked for, behind its EHLO reply."""

    more = b"250 more\r\n"

    async def on_ehlo(self, peer: Peer) -> None:
        peer.send(b"250-mx\r\n250 STARTTLS\r\n" + self.more)


async def test_what_comes_unasked_is_dropped_and_told() -> None:
    facts = await probe(SaysMore())

    assert facts.tls_version == "TLSv1.3"
    assert [anomaly.detail for anomaly in facts.anomalies] == ["250 more\r\n"]


async def test_a_421_that_comes_unasked_is_the_answer_to_the_next_command() -> None:
    """RFC 5321 §3.8."""

    class ClosesUnasked(SaysMore):
        more = b"421 4.3.2 shutting down\r\n"

    facts = await probe(ClosesUnasked())
    assert facts.failure is not None
    assert (facts.starttls, facts.failure.reply_code) == (StartTls.NOT_TESTED, 421)


async def test_a_flood_that_nobody_asked_for_ends_the_session() -> None:
    class Floods(SaysMore):
        more = b"250 more\r\n" * 100_000

    facts = await probe(Floods())
    assert facts.failure is not None
    assert len(facts.transcript) <= SETTINGS.transcript_lines + 1


async def test_the_sessions_own_deadline_is_no_answer_of_the_hosts() -> None:
    """Our patience for the whole session ran out; the step's own had not."""
    facts = await probe(StarttlsSilent(), session_s=0.2, command_s=5.0)

    assert facts.failure is not None
    assert (facts.failure.step, facts.failure.reason) == (Step.STARTTLS, Reason.TIMED_OUT)
    assert facts.starttls is StartTls.NOT_TESTED


async def test_sni_is_the_mx_host() -> None:
    async with LabSmtpServer(WellConfigured(), name=NAME, ca=CA) as server:
        await probe_at(server)
    assert server.sessions[0].sni == NAME


async def test_without_a_name_it_greets_with_its_address() -> None:
    """RFC 5321 §4.1.3."""
    async with LabSmtpServer(WellConfigured(), name=NAME, ca=CA) as server:
        await probe_at(server, ehlo_name=None)
    assert server.sessions[0].commands[0] == "EHLO [127.0.0.1]"


async def test_nothing_is_said_before_the_greeting_nor_out_of_turn() -> None:
    async with LabSmtpServer(WellConfigured(), name=NAME, ca=CA) as server:
        await probe_at(server)
    session = server.sessions[0]
    assert not session.pipelined
    assert session.commands == ["EHLO probe.lab.test", "STARTTLS", "EHLO probe.lab.test", "QUIT"]
    assert session.commands_tls == ["EHLO probe.lab.test", "QUIT"]


async def test_ipv6() -> None:
    async with LabSmtpServer(WellConfigured(), "::1", name=NAME, ca=CA) as server:
        facts = await probe_at(server, ehlo_name=None)
    assert facts.tls_version == "TLSv1.3"
    assert server.sessions[0].commands[0] == "EHLO [IPv6:::1]"


async def test_no_ipv6_route_is_a_fact_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_route(address: str, port: int) -> None:
        raise NoRouteError(101, f"no IPv6 route here to {address} port {port}")

    monkeypatch.setattr("prober.net.smtp.require_route", no_route)
    target = Target(mx_host=NAME, address="2001:db8::1", port=25)
    facts = await probe_endpoint(target, SETTINGS, TLS)

    assert facts.failure is not None
    assert (facts.failure.step, facts.failure.reason) == (Step.CONNECT, Reason.NO_IPV6_HERE)
    assert facts.starttls is StartTls.NOT_TESTED


@pytest.mark.parametrize(
    ("source", "has_route"),
    [
        (None, False),
        ("fe80::1%eth0", False),
        ("fd00::2", False),  # a local network with a router, and no Internet behind it
        ("2a00:1450:4001::2", True),
    ],
)
def test_what_an_ipv6_route_is(
    monkeypatch: pytest.MonkeyPatch, source: str | None, has_route: bool
) -> None:
    class Udp:
        """A UDP socket on a machine whose source address would be *source*."""

        def __init__(self, *_: object) -> None: ...

        def __enter__(self) -> "Udp":
            return self

        def __exit__(self, *_: object) -> None: ...

        def connect(self, _: object) -> None:
            if source is None:
                raise OSError(101, "Network is unreachable")

        def getsockname(self) -> tuple[str | None, int]:
            return source, 4711

    monkeypatch.setattr("prober.net.smtp.socket.socket", Udp)
    if has_route:
        require_route("2001:500:2::c", 25)
    else:
        with pytest.raises(NoRouteError):
            require_route("2001:500:2::c", 25)


def test_loopback_is_a_route_of_its_own() -> None:
    require_route("::1", 25)
    require_route("127.0.0.1", 25)


async def test_out_of_files_is_a_fault_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_more(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", no_more)
    facts = await probe_endpoint(Target(mx_host=NAME, address="127.0.0.1", port=25), SETTINGS, TLS)
    assert facts.failure is not None
    assert (facts.failure.step, facts.failure.reason) == (Step.CONNECT, Reason.LOCAL)


@pytest.fixture
async def server(request: pytest.FixtureRequest) -> AsyncIterator[LabSmtpServer]:
    async with LabSmtpServer(request.param, name=NAME, ca=CA) as server:
        yield server


async def _until(server: LabSmtpServer, *, still_open: int) -> None:
    for _ in range(200):
        if server.sessions and server.open == still_open:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{server.open} sessions open")


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(Silent(), id="at-the-greeting"),
        pytest.param(Failing(Step.EHLO, "timeout"), id="at-ehlo"),
        pytest.param(StarttlsSilent(), id="at-starttls"),
        pytest.param(HandshakeSilent(), id="in-the-handshake"),
        pytest.param(Failing(Step.POST_TLS, "timeout"), id="over-tls"),
    ],
    indirect=True,
)
async def test_cancellation_closes_the_connection(server: LabSmtpServer) -> None:
    patient = {"greeting_s": 30.0, "command_s": 30.0, "handshake_s": 30.0}
    task = asyncio.create_task(probe_at(server, **patient))
    await _until(server, still_open=1)
    await asyncio.sleep(0.1)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await _until(server, still_open=0)
    assert not [task for task in asyncio.all_tasks() if "probe_" in repr(task.get_coro())]
