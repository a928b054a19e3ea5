"""One SMTP session, step by step: what fails where, cancellation, and what is kept of it.

The matrix walks every step and every way to fail. Up to EHLO none may read as a negative.
"""

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from OpenSSL import SSL

from prober.clock import Heartbeat
from prober.lab.certificates import CertificateKind, LabCa
from prober.lab.peer import Peer
from prober.lab.personalities.greeting import Silent
from prober.lab.personalities.scripted import Personality, Scripted
from prober.lab.personalities.sound import WellConfigured
from prober.lab.smtp import LabSmtpServer
from prober.lab.tls import Keyring, only
from prober.net.dialogue import Dialogue
from prober.net.failures import NoRouteError, classify
from prober.net.reply import Reply
from prober.net.route import require_route
from prober.net.smtp import Target, probe_endpoint
from prober.net.tls import TlsClient
from prober.records import AnomalyKind, EndpointFacts, Reason, StartTls, Step
from prober.report.words import failure_words
from prober.rules.endpoint import Outcome, outcome
from prober.settings import Settings
from tests.personalities.starttls import HandshakeSilent, StarttlsSilent
from tests.support.waiting import PATIENCE_S, until

NAME = "mx.lab.test"
SETTINGS = Settings(ehlo_name="probe.lab.test", quit_s=20.0)  # patient, for a busy machine
SILENCE_S = 0.4  # of a server that is to be waited for in vain
IMPATIENT = replace(SETTINGS, command_s=SILENCE_S, quit_s=0.2)
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


_DEADLINES = {Step.GREETING: "greeting_s", Step.HANDSHAKE: "handshake_s"}


async def probe_failing(step: Step, how: str) -> EndpointFacts:
    """The facts of a server that fails at *step*; only where it is silent, it is left soon."""
    is_silent = how in ("timeout", "half-reply", "garbage")
    soon = {_DEADLINES.get(step, "command_s"): SILENCE_S, "quit_s": 0.2} if is_silent else {}
    return await probe(Failing(step, how), **soon)


WAYS = ("timeout", "reset", "eof", "half-reply", "4xx", "421", "5xx", "500", "garbage")


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("step", [Step.GREETING, Step.EHLO])
async def test_up_to_ehlo_no_failure_reads_as_a_negative(step: Step, how: str) -> None:
    facts = await probe_failing(step, how)

    assert facts.starttls is StartTls.NOT_TESTED
    assert outcome(facts) is Outcome.NOT_TESTED
    assert facts.failure is not None
    assert facts.failure.step is step
    assert facts.tls_version is None


class LateBehindALine(Scripted):
    """An empty line, and the 220 to STARTTLS only later than a greeting would be waited for."""

    async def on_starttls(self, peer: Peer) -> None:
        peer.send(b"\r\n")
        await peer.pause(0.3)
        await super().on_starttls(peer)


async def test_a_reply_behind_a_line_without_a_code_may_be_late() -> None:
    """Postfix waits for it, and so TLS completes; Exim gives up."""
    facts = await probe(LateBehindALine(), stray_s=0.05)
    assert facts.tls_version is not None
    assert [anomaly.kind for anomaly in facts.anomalies] == [AnomalyKind.REPLY_MALFORMED]


class OddGoodbye(Scripted):
    """A reply to QUIT with a line without a code, which no sender's mail depends on."""

    async def obey(self, peer: Peer, line: str) -> None:
        if line.upper() == "QUIT":
            peer.send(b"bye\r\n221 closing\r\n")
            peer.close()
        else:
            await super().obey(peer, line)


async def test_an_odd_reply_to_quit_is_no_matter() -> None:
    assert (await probe(OddGoodbye())).anomalies == ()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(b"", Reason.CLOSED, id="closes"),
        pytest.param(b"421 bye\r\n", Reason.CLOSED, id="421"),
        pytest.param(b"502 what\r\n", Reason.BAD_REPLY, id="goes-on"),
    ],
)
async def test_whether_a_server_goes_on_after_it_refused_starttls(
    answer: bytes, reason: Reason
) -> None:
    class Refuses(Scripted):
        async def on_starttls(self, peer: Peer) -> None:
            peer.send(b"454 4.7.0 no\r\n")

        async def obey(self, peer: Peer, line: str) -> None:
            if line.upper() == "NOOP":
                peer.send(answer)
                if not answer.startswith(b"5"):
                    peer.close()
            else:
                await super().obey(peer, line)

    facts = await probe(Refuses())
    assert facts.starttls is StartTls.REFUSED
    assert facts.failure is not None
    assert (facts.failure.reason, facts.failure.reply_code) == (reason, 454)


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
        "half-reply": (StartTls.OFFERED, Reason.TIMED_OUT, None),
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
    facts = await probe_failing(step, how)

    assert facts.failure is not None
    assert facts.failure.step is step
    assert (facts.starttls, facts.failure.reason, facts.failure.reply_code) == expected
    assert facts.tls_version is None
    negative = expected[0] is not StartTls.NOT_TESTED
    assert outcome(facts) is (Outcome.NEGATIVE if negative else Outcome.NOT_TESTED)


@pytest.mark.parametrize("how", WAYS)
async def test_after_the_handshake_tls_has_completed_whatever_comes(how: str) -> None:
    facts = await probe_failing(Step.POST_TLS, how)

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


REPLY_421 = b"421 4.3.2 mx.lab.test too busy\r\n"


@pytest.mark.parametrize("cut", range(1, len(REPLY_421)))
async def test_a_421_in_the_handshake_is_one_however_it_is_cut(cut: int) -> None:
    class BusyAfter220(Scripted):
        async def handshake(self, peer: Peer) -> None:
            await peer.hello()
            peer.send(REPLY_421[:cut])
            await peer.drain()
            await asyncio.sleep(0.001)
            peer.send(REPLY_421[cut:])

    facts = await probe(BusyAfter220())
    assert facts.failure is not None
    assert (facts.failure.reply_code, facts.starttls) == (421, StartTls.NOT_TESTED)


async def test_a_421_right_behind_the_220_is_no_injection() -> None:
    class Closing(Scripted):
        async def on_starttls(self, peer: Peer) -> None:
            peer.send(b"220 go\r\n" + REPLY_421)
            peer.close()

    facts = await probe(Closing())
    assert facts.failure is not None
    assert (facts.failure.reply_code, facts.starttls) == (421, StartTls.NOT_TESTED)
    assert not facts.anomalies


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
TLS12 = Keyring(NAME, CA).context(CertificateKind.GOOD, only(SSL.TLS1_2_VERSION))


async def probe_raw(talk_tls: Handler, settings: Settings = SETTINGS) -> EndpointFacts:
    """The facts of a session with a server that does as it likes once the client wants TLS."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx\r\n")
        await reader.readline()
        writer.write(b"250-mx\r\n250 STARTTLS\r\n")
        await reader.readline()
        writer.write(b"220 go\r\n")
        with contextlib.suppress(OSError, SSL.Error):
            await talk_tls(reader, writer)
            await reader.read()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        gone.set()

    gone = asyncio.Event()
    async with await asyncio.start_server(converse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        target = Target(mx_host=NAME, address="127.0.0.1", port=port)
        facts = await probe_endpoint(target, settings, TLS)
        async with asyncio.timeout(PATIENCE_S):
            await gone.wait()
        return facts


async def shake_hands(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> SSL.Connection:
    """TLS 1.2 up to the server's last flight, which is not sent yet."""
    tls = SSL.Connection(TLS12, None)
    tls.set_accept_state()
    while True:
        tls.bio_write(await reader.read(65536))
        try:
            tls.do_handshake()
        except SSL.WantReadError:
            writer.write(tls.bio_read(65536))
        else:
            return tls


@pytest.mark.parametrize("closes", [False, True])
async def test_an_alert_in_the_last_flight_takes_the_handshake_back(closes: bool) -> None:
    """Finished and a fatal alert in one segment: it is read before anything could be asked."""

    async def alert(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tls = await shake_hands(reader, writer)
        tls.bio_write(b"\x17\x03\x03\x00\x20" + bytes(32))  # as if the client had sent nonsense
        with contextlib.suppress(SSL.Error):
            tls.recv(1)
        writer.write(tls.bio_read(65536))
        if closes:
            writer.write_eof()

    facts = await probe_raw(alert)
    assert facts.failure is not None
    assert (facts.failure.step, facts.failure.reason) == (Step.HANDSHAKE, Reason.ALERT)
    assert (facts.alert, facts.tls_version) == ("bad_record_mac", None)
    assert outcome(facts) is Outcome.NEGATIVE


@pytest.mark.parametrize("garbage", [b"", b"this is no TLS record"])
async def test_a_warning_is_no_fatal_alert(garbage: bytes) -> None:
    """RFC 6066 §3: a server may warn that it does not know the name, and go on."""

    async def warn(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x15\x03\x03\x00\x02\x01\x70")  # warning, unrecognized_name
        tls = await shake_hands(reader, writer)
        writer.write(tls.bio_read(65536) + garbage)

    facts = await probe_raw(warn, IMPATIENT)
    assert (facts.tls_version, facts.alert) == ("TLSv1.2", None)
    assert facts.failure is not None
    assert facts.failure.step is Step.POST_TLS
    assert outcome(facts) is Outcome.COMPLETED


async def test_close_notify_in_the_handshake_is_a_close() -> None:
    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(b"\x15\x03\x03\x00\x02\x01\x00")
        writer.write_eof()

    facts = await probe_raw(close)
    assert facts.failure is not None
    assert (facts.failure.step, facts.failure.reason) == (Step.HANDSHAKE, Reason.CLOSED)
    assert facts.alert is None


async def test_a_loop_that_was_blocked_is_no_answer_of_the_hosts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The host answered in time; this process did not look."""
    monkeypatch.setattr("prober.clock._STALL_S", 0.1)
    heartbeat = Heartbeat()
    beating = asyncio.create_task(heartbeat.beat())
    await asyncio.sleep(0)

    async def block() -> None:
        await asyncio.sleep(0.05)
        time.sleep(0.6)  # noqa: ASYNC251 - that is the point

    async with LabSmtpServer(StarttlsSilent(), name=NAME, ca=CA) as server:
        target = Target(mx_host=NAME, address=server.address, port=server.port)
        facts, _ = await asyncio.gather(
            probe_endpoint(target, IMPATIENT, TLS, heartbeat=heartbeat), block()
        )
    beating.cancel()
    assert facts.failure is not None
    assert (facts.failure.reason, facts.starttls) == (Reason.LOCAL, StartTls.NOT_TESTED)
    why = failure_words(facts.failure)
    assert why.startswith("a problem on this machine while ")
    assert " (it was too busy to measure for " in why
    assert why.endswith(" s, so this time-out does not count: run it again)")


async def test_a_heartbeat_that_knows_of_no_stall_excuses_nothing() -> None:
    async with LabSmtpServer(StarttlsSilent(), name=NAME, ca=CA) as server:
        target = Target(mx_host=NAME, address=server.address, port=server.port)
        facts = await probe_endpoint(target, IMPATIENT, TLS, heartbeat=Heartbeat())
    assert facts.failure is not None
    assert (facts.failure.reason, facts.starttls) == (Reason.TIMED_OUT, StartTls.REFUSED)


async def test_a_path_that_goes_away_is_no_answer_of_the_hosts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = Dialogue.command

    async def lose_the_path(dialogue: Dialogue, *words: str, timeout_s: float) -> Reply:
        if words[0] == "STARTTLS":
            raise OSError(errno.EHOSTUNREACH, "No route to host")
        return await command(dialogue, *words, timeout_s=timeout_s)

    monkeypatch.setattr(Dialogue, "command", lose_the_path)
    facts = await probe(WellConfigured())
    assert facts.failure is not None
    assert (facts.failure.step, facts.failure.reason) == (Step.STARTTLS, Reason.UNREACHABLE)
    assert facts.starttls is StartTls.NOT_TESTED


async def test_a_flood_that_nobody_asked_for_ends_the_session() -> None:
    class Floods(SaysMore):
        more = b"250 more\r\n" * 100_000

    facts = await probe(Floods())
    assert facts.failure is not None
    assert len(facts.transcript) <= SETTINGS.transcript_lines + 1


async def test_the_sessions_own_deadline_is_no_answer_of_the_hosts() -> None:
    """Our patience for the whole session ran out; the step's own had not."""
    facts = await probe(StarttlsSilent(), session_s=0.6, quit_s=0.2)

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


async def test_what_many_hosts_send_alike_is_kept_once() -> None:
    """A run keeps the facts of thousands of endpoints."""
    one, other = [await probe(WellConfigured()) for _ in range(2)]
    assert one.chain[1] is other.chain[1]
    assert all(a is b for a, b in zip(one.ehlo_keywords, other.ehlo_keywords, strict=True))


class FakeUdp:
    """A UDP socket on a machine with no route, or with this source address."""

    error: int | None = None

    def __init__(self, *_: object) -> None:
        if self.error == errno.EAFNOSUPPORT:
            raise OSError(self.error, "Address family not supported by protocol")

    def __enter__(self) -> "FakeUdp":
        return self

    def __exit__(self, *_: object) -> None: ...

    def connect(self, _: object) -> None:
        if self.error is not None:
            raise OSError(self.error, "Network is unreachable")


NO_ROUTE = (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


@pytest.mark.parametrize("error", NO_ROUTE)
@pytest.mark.parametrize(
    ("address", "reason"),
    [("2001:500:2::c", Reason.NO_IPV6_HERE), ("192.0.2.1", Reason.NO_IPV4_HERE)],
)
def test_no_route_is_a_fact_of_this_machine(
    monkeypatch: pytest.MonkeyPatch, error: int, address: str, reason: Reason
) -> None:
    monkeypatch.setattr(FakeUdp, "error", error)
    monkeypatch.setattr("prober.net.route.socket.socket", FakeUdp)
    with pytest.raises(NoRouteError) as raised:
        require_route(address, 25)
    assert classify(Step.CONNECT, raised.value).reason is reason


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("fe80::1%eth0", Reason.NO_IPV6_HERE),
        ("fd00::2", Reason.NO_IPV6_HERE),  # a local network with a router, and no Internet behind
        ("2a00:1450:4001::2", Reason.TIMED_OUT),
    ],
)
async def test_a_local_ipv6_address_that_reaches_nothing_is_no_route(
    monkeypatch: pytest.MonkeyPatch, source: str, reason: Reason
) -> None:
    async def time_out(*_: object, **__: object) -> None:
        raise TimeoutError

    monkeypatch.setattr("prober.net.route._source_towards", lambda *_: source)
    monkeypatch.setattr("prober.net.smtp.Session._connect", time_out)
    target = Target(mx_host=NAME, address="2001:500:2::c", port=25)
    facts = await probe_endpoint(target, SETTINGS, TLS)

    assert facts.failure is not None
    assert (facts.failure.step, facts.failure.reason) == (Step.CONNECT, reason)
    assert facts.starttls is StartTls.NOT_TESTED


async def test_who_cannot_be_connected_to_without_a_route_is_not_to_blame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The routing table is asked where connecting fails, whatever that says; and only there."""

    def no_route(*_: object) -> str:
        raise NoRouteError(socket.AF_INET, "no IPv4 route here")

    monkeypatch.setattr("prober.net.route._source_towards", no_route)
    target = Target(mx_host=NAME, address="127.0.0.1", port=9)
    facts = await probe_endpoint(target, SETTINGS, TLS)
    assert facts.failure is not None
    assert (facts.failure.step, facts.failure.reason) == (Step.CONNECT, Reason.NO_IPV4_HERE)
    assert (await probe(WellConfigured())).tls_version is not None


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
    await until(lambda: bool(server.sessions) and server.open == still_open)


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
    task = asyncio.create_task(probe_at(server))
    await _until(server, still_open=1)
    await asyncio.sleep(0.1)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await _until(server, still_open=0)
    assert not [task for task in asyncio.all_tasks() if "probe_" in repr(task.get_coro())]
