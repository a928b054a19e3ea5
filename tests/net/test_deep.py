"""One question of --deep: one ClientHello after STARTTLS, its answer, and how the session ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from prober.lab.certificates import LabCa
from prober.lab.personalities.sound import Tls10Only, WellConfigured
from prober.lab.smtp import LabSmtpServer
from prober.net.client_hello import OFFERS
from prober.net.deep import Asked, ask_in_clear
from prober.net.smtp import Target
from prober.net.tls import TlsClient
from prober.records import Answer, DeepQuestion, Reason, Step
from prober.settings import Settings
from tests.personalities.starttls import StarttlsSilent
from tests.support.waiting import until

NAME = "mx.lab.test"
SETTINGS = Settings(ehlo_name="probe.lab.test")
IMPATIENT = replace(SETTINGS, handshake_s=0.4, command_s=0.4, quit_s=0.2)
CA = LabCa()
Q = DeepQuestion

HANDSHAKE_FAILURE = bytes([21, 3, 3, 0, 2, 2, 40])
USER_CANCELED = bytes([21, 3, 3, 0, 2, 1, 90])
CLOSE_NOTIFY = bytes([21, 3, 3, 0, 2, 1, 0])
EXPORT = 0x0003  # TLS_RSA_EXPORT_WITH_RC4_40_MD5


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3) + body


def record(content: bytes) -> bytes:
    return bytes([22, 3, 3]) + len(content).to_bytes(2) + content


def server_hello(suite: int, version: int = 0x0303) -> bytes:
    body = version.to_bytes(2) + bytes(32) + b"\0" + suite.to_bytes(2) + b"\0"
    return message(2, body)


CERTIFICATE = message(11, b"\0\0\x05\0\0\x02\x30\0")
FLIGHT = record(server_hello(EXPORT) + CERTIFICATE + message(14, b""))


@dataclass
class Server:
    """Grants STARTTLS, and answers the ClientHello with *answers*, each in a packet of its own."""

    answers: tuple[bytes, ...]
    closes: bool = False
    port: int = 0
    hellos: list[bytes] = field(default_factory=list)
    after: list[bytes] = field(default_factory=list)  # what came after the ClientHello

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            writer.write(b"220 mx.lab.test\r\n")
            await reader.readuntil(b"\r\n")
            writer.write(b"250-mx.lab.test\r\n250 STARTTLS\r\n")
            await reader.readuntil(b"\r\n")
            writer.write(b"220 go\r\n")
            header = await reader.readexactly(5)
            self.hellos.append(header + await reader.readexactly(int.from_bytes(header[3:])))
            for answer in self.answers:
                writer.write(answer)
                await writer.drain()
                await asyncio.sleep(0)
            if not self.closes:
                self.after.append(await reader.read())

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Server"]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TlsClient:
    path: Path = tmp_path_factory.mktemp("deep") / "ca.pem"
    CA.write_pem(path)
    return TlsClient(path, chain_certificates=16)


async def ask(
    tls: TlsClient, port: int, question: DeepQuestion, settings: Settings = SETTINGS
) -> Asked:
    target = Target(mx_host=NAME, address="127.0.0.1", port=port)
    offer = OFFERS[question].with_name(NAME)
    return await ask_in_clear(target, settings, tls, question, offer)


async def ask_scripted(
    tls: TlsClient, *answers: bytes, closes: bool = False, settings: Settings = SETTINGS
) -> tuple[Asked, Server]:
    async with Server(answers, closes).running() as server:
        asked = await ask(tls, server.port, Q.BROKEN_SUITES, settings)
        if not closes:
            await until(lambda: bool(server.after))
    return asked, server


async def test_the_client_says_in_clear_that_it_leaves(tls: TlsClient) -> None:
    asked, server = await ask_scripted(tls, FLIGHT)

    assert asked.answer.accepted is Answer.YES
    assert asked.answer.cipher == "TLS_RSA_EXPORT_WITH_RC4_40_MD5"
    assert server.after == [USER_CANCELED + CLOSE_NOTIFY]
    assert asked.session.failure is None
    last = asked.session.transcript[-1]
    assert (last.peer, "QUIT" in last.line) == ("probe", True)


async def test_after_an_alert_there_is_nothing_more_to_say(tls: TlsClient) -> None:
    asked, server = await ask_scripted(tls, HANDSHAKE_FAILURE)

    assert (asked.answer.accepted, asked.answer.alert) == (Answer.NO, "handshake_failure")
    assert server.after == [b""]


async def test_nothing_but_one_hello_is_sent(tls: TlsClient) -> None:
    """No MAIL FROM, no early data: RFC 8446 §4.2.10."""
    asked, server = await ask_scripted(tls, FLIGHT)
    said = [line.line for line in asked.session.transcript if line.peer == "client"]

    assert said == ["EHLO probe.lab.test", "STARTTLS"]
    assert len(server.hellos) == 1
    assert NAME.encode() in server.hellos[0]


def pieces() -> Iterator[tuple[bytes, ...]]:
    yield tuple(FLIGHT[at : at + 1] for at in range(len(FLIGHT)))
    yield from ((FLIGHT[:at], FLIGHT[at:]) for at in range(1, len(FLIGHT), 7))


@pytest.mark.parametrize("answers", list(pieces()))
async def test_an_answer_in_pieces_is_the_same(tls: TlsClient, answers: tuple[bytes, ...]) -> None:
    asked, _ = await ask_scripted(tls, *answers)

    assert asked.answer.accepted is Answer.YES
    assert asked.answer.chain == (b"\x30\0",)


BIG = record(message(2, bytes(16_000)))


@pytest.mark.parametrize(
    ("answers", "closes", "reason", "reply_code"),
    [
        pytest.param((), False, Reason.TIMED_OUT, None, id="silence"),
        pytest.param((), True, Reason.CLOSED, None, id="closes"),
        pytest.param((FLIGHT[:40],), True, Reason.CLOSED, None, id="closes-within-the-answer"),
        pytest.param((FLIGHT[:-4],), False, Reason.TIMED_OUT, None, id="never-ends"),
        pytest.param((b"\x16\x03",), False, Reason.TIMED_OUT, None, id="half-a-header"),
        pytest.param((bytes(64),), False, Reason.TLS_ERROR, None, id="garbage"),
        pytest.param((b"\x16\x09\x09\0\x04abcd",), False, Reason.TLS_ERROR, None, id="no-version"),
        pytest.param((record(server_hello(0xFFFF)),), False, Reason.TLS_ERROR, None, id="not-ours"),
        pytest.param((b"454 4.7.0 TLS is off\r\n",), False, Reason.BAD_REPLY, 454, id="454"),
        pytest.param((b"421 4.7", b".0 busy\r\n"), False, Reason.BAD_REPLY, 421, id="421"),
        pytest.param((b"4" * 9000,), False, Reason.BAD_REPLY, None, id="endless-reply"),
        pytest.param(
            (bytes([21, 3, 3, 0, 2, 2, 80]),), False, Reason.ALERT, None, id="alert-of-trouble"
        ),
    ],
)
async def test_what_is_no_answer_is_not_tested(
    tls: TlsClient, answers: tuple[bytes, ...], closes: bool, reason: Reason, reply_code: int | None
) -> None:
    settings = IMPATIENT if reason is Reason.TIMED_OUT else SETTINGS
    asked, _ = await ask_scripted(tls, *answers, closes=closes, settings=settings)
    failure = asked.answer.failure

    assert asked.answer.accepted is Answer.NOT_TESTED
    assert failure is not None
    assert (failure.step, failure.reason) == (Step.HANDSHAKE, reason)
    assert failure.reply_code == reply_code


async def test_an_endless_answer_is_cut_off(tls: TlsClient) -> None:
    settings = replace(SETTINGS, deep_answer_bytes=10_000)
    asked, _ = await ask_scripted(tls, *([BIG] * 20), closes=True, settings=settings)
    failure = asked.answer.failure

    assert failure is not None
    assert (asked.answer.accepted, failure.reason) == (Answer.NOT_TESTED, Reason.LIMIT)


async def test_a_session_that_stops_before_tls_names_its_step(tls: TlsClient) -> None:
    async with LabSmtpServer(StarttlsSilent(), name=NAME, ca=CA) as server:
        asked = await ask(tls, server.port, Q.LEGACY_VERSION, IMPATIENT)
    failure = asked.answer.failure

    assert failure is not None
    assert failure == asked.session.failure
    assert (failure.step, failure.reason) == (Step.STARTTLS, Reason.TIMED_OUT)


@pytest.mark.parametrize(
    ("personality", "question", "accepted", "version"),
    [
        (WellConfigured(), Q.POST_QUANTUM, Answer.YES, "TLSv1.3"),
        (WellConfigured(), Q.LEGACY_VERSION, Answer.NO, None),
        (WellConfigured(), Q.ECDSA_CERTIFICATE, Answer.YES, "TLSv1.2"),
        (Tls10Only(), Q.LEGACY_VERSION, Answer.YES, "TLSv1"),
        (Tls10Only(), Q.POST_QUANTUM, Answer.NO, None),
    ],
)
async def test_servers_answer_as_they_are_configured(
    tls: TlsClient,
    personality: WellConfigured,
    question: DeepQuestion,
    accepted: Answer,
    version: str | None,
) -> None:
    async with LabSmtpServer(personality, name=NAME, ca=CA) as server:
        asked = await ask(tls, server.port, question)
    answer = asked.answer

    assert (answer.accepted, answer.tls_version) == (accepted, version)
    assert (answer.path, answer.verify_errors) == ((0, 1) if answer.chain else (), ())


async def test_cancellation_closes_the_connection(tls: TlsClient) -> None:
    server = Server(())
    async with server.running():
        task = asyncio.create_task(ask(tls, server.port, Q.BROKEN_SUITES))
        await until(lambda: bool(server.hellos))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: bool(server.after))

    assert server.after == [b""]
