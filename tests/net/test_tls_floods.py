"""Floods of what OpenSSL takes without end: counted in bytes and calls, never in seconds."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from OpenSSL import SSL

from prober.lab.certificates import CertificateKind, LabCa
from prober.lab.dhe import DheConnection
from prober.lab.peer import Peer
from prober.lab.personalities.scripted import Scripted
from prober.lab.smtp import LabSmtpServer
from prober.lab.tls import TLS12_ONLY, TLS13_ONLY, Keyring, TlsProfile
from prober.net.failures import AlertError, LimitError
from prober.net.smtp import Target, probe_endpoint
from prober.net.tls import TlsClient, TlsLink
from prober.records import EndpointFacts, Hello, Reason, StartTls, Step
from prober.rules.endpoint import Outcome, outcome
from prober.rules.retry import next_session
from prober.rules.totals import was_tried
from prober.settings import Settings
from tests.support.builders import untested
from tests.support.records import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    TLS12_GCM,
    Keys,
    Writer12,
    Writer13,
    plain,
)

NAME = "mx.lab.test"
SETTINGS = Settings(ehlo_name="probe.lab.test")
CLIENT = TlsClient(None, chain_certificates=16)
CA = LabCa()
PIECE = 4096
HELLO_REQUEST = bytes(4)  # RFC 5246 §7.4.1.1


class Counting(SSL.Connection):
    """Counts what it is handed, and what it wants to send."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.taken: list[int] = []

    def bio_write(self, buf: bytes | bytearray | memoryview) -> int:
        self.taken.append(len(buf))
        return super().bio_write(buf)


@dataclass
class Wire:
    """A TCP transport that only notes."""

    sent: bytearray = field(default_factory=bytearray)
    aborted: bool = False

    def write(self, data: bytes) -> None:
        self.sent += data

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    close = abort

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        pass

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


@dataclass
class Upper:
    """What would be the SMTP dialogue."""

    text: bytearray = field(default_factory=bytearray)
    error: Exception | None = None

    def data_received(self, data: bytes) -> None:
        self.text += data

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        pass

    def fail(self, error: Exception) -> None:
        self.error = error


class Bench:
    """A link between a wire and an upper side that only note, and the server's keys."""

    def __init__(self, profile: TlsProfile = TLS13_ONLY, settings: Settings = SETTINGS) -> None:
        self.wire, self.upper, self.keys = Wire(), Upper(), Keys()
        context = Keyring(NAME, CA).context(CertificateKind.GOOD, profile)
        context.set_tls13_ciphersuites(b"TLS_AES_128_GCM_SHA256")
        if profile is TLS12_ONLY:
            context.set_cipher_list(TLS12_GCM)
        self.keys.listen(context)
        self.server = SSL.Connection(context, None)
        self.server.set_accept_state()
        ours = CLIENT.connection(NAME, Hello.DEFAULT)
        self.connection = Counting(ours.get_context(), None)
        self.connection.set_app_data(ours.get_app_data())
        self.connection.set_connect_state()
        self.link = TlsLink(self.wire, self.upper, self.connection, settings)

    async def shake_hands(self, *, first: bytes = b"") -> None:
        """Up to the end of the handshake; *first* comes before what the server says."""
        shaking = asyncio.create_task(self.link.handshake(60))
        await asyncio.sleep(0)
        if first:
            self.link.data_received(first)
        while not shaking.done():
            self.to_server()
            self.link.data_received(self.from_server())
            await asyncio.sleep(0)
        await shaking
        self.link._flush()
        self.to_server()
        self.connection.taken.clear()

    def to_server(self) -> None:
        if self.wire.sent:
            self.server.bio_write(bytes(self.wire.sent))
        self.wire.sent.clear()
        with contextlib.suppress(SSL.WantReadError):
            self.server.do_handshake()

    def from_server(self) -> bytes:
        try:
            return self.server.bio_read(1 << 20)
        except SSL.WantReadError:
            return b""

    def writer13(self) -> Writer13:
        """Goes on where the server stopped: after its two session tickets."""
        self.link.data_received(self.from_server())
        self.connection.taken.clear()
        return Writer13(self.keys, records_sent=2)

    def writer12(self) -> Writer12:
        random = self.server.server_random()
        assert random is not None
        return Writer12(self.keys, random, records_sent=1)


def alert(writer: Writer12 | Writer13) -> bytes:
    return writer.record(ALERT, b"\1\x5a")  # a warning: user_canceled


def empty(writer: Writer12 | Writer13) -> bytes:
    return writer.record(APPLICATION_DATA, b"")


def hello_request(writer: Writer12 | Writer13) -> bytes:
    return writer.record(HANDSHAKE, HELLO_REQUEST)


def hello_requests(writer: Writer12 | Writer13) -> bytes:
    return writer.record(HANDSHAKE, HELLO_REQUEST * 4096)


Flood = Callable[[Any], bytes]
BOUNDED_BY_US = SETTINGS.tls_overhead_bytes


@pytest.mark.parametrize("chunk", [1 << 20, 1000], ids=["at once", "in packets"])
@pytest.mark.parametrize(
    ("profile", "flood", "is_ours"),
    [
        pytest.param(TLS13_ONLY, Writer13.key_update, True, id="1.3 key updates"),
        pytest.param(TLS13_ONLY, Writer13.ticket, True, id="1.3 session tickets"),
        pytest.param(TLS13_ONLY, empty, False, id="1.3 empty records"),
        pytest.param(TLS13_ONLY, alert, False, id="1.3 warnings"),
        pytest.param(TLS12_ONLY, hello_request, True, id="1.2 HelloRequest"),
        pytest.param(TLS12_ONLY, hello_requests, True, id="1.2 HelloRequests in one record"),
        pytest.param(TLS12_ONLY, empty, False, id="1.2 empty records"),
        pytest.param(TLS12_ONLY, alert, False, id="1.2 warnings"),
    ],
)
async def test_a_flood_after_the_handshake_ends_the_session(
    profile: TlsProfile, flood: Flood, is_ours: bool, chunk: int
) -> None:
    """*is_ours*: OpenSSL has no bound of its own for that."""
    bench = Bench(profile)
    await bench.shake_hands()
    writer = bench.writer13() if profile is TLS13_ONLY else bench.writer12()
    bench.link.data_received(writer.record(APPLICATION_DATA, b"250 hello\r\n"))
    flooding = bytearray()
    while len(flooding) < 4 * BOUNDED_BY_US:
        flooding += flood(writer)
    for start in range(0, len(flooding), chunk):
        bench.link.data_received(bytes(flooding[start : start + chunk]))

    assert bench.upper.text == b"250 hello\r\n"
    assert max(bench.connection.taken) <= PIECE
    assert sum(bench.connection.taken) <= BOUNDED_BY_US + PIECE
    assert isinstance(bench.upper.error, LimitError if is_ours else SSL.Error | AlertError)
    assert bench.wire.aborted is is_ours
    assert len(bench.wire.sent) <= 10 * BOUNDED_BY_US
    with pytest.raises(type(bench.upper.error)):
        bench.link.write(b"EHLO again\r\n")


async def test_text_in_records_of_one_byte_is_no_flood() -> None:
    """Each has 22 bytes around it; a reply of 2 kB so sent comes through."""
    bench = Bench()
    await bench.shake_hands()
    writer, text = bench.writer13(), b"250-" + b"x" * 2000
    for number in text:
        bench.link.data_received(writer.record(APPLICATION_DATA, bytes((number,))))
    assert (bytes(bench.upper.text), bench.upper.error) == (text, None)


async def test_text_is_not_counted() -> None:
    bench = Bench()
    await bench.shake_hands()
    writer = bench.writer13()
    for _ in range(20):
        bench.link.data_received(writer.record(APPLICATION_DATA, bytes(16_000)))
    assert (len(bench.upper.text), bench.upper.error) == (320_000, None)


@pytest.mark.parametrize(
    ("record", "is_ours"),
    [
        pytest.param(plain(HANDSHAKE, HELLO_REQUEST), True, id="HelloRequest"),
        pytest.param(plain(HANDSHAKE, HELLO_REQUEST * 4096), True, id="HelloRequests in a record"),
        pytest.param(plain(CHANGE_CIPHER_SPEC, b"\1"), False, id="ChangeCipherSpec"),
        pytest.param(plain(HANDSHAKE, b""), False, id="empty records"),
        pytest.param(plain(ALERT, b"\1\x5a"), False, id="warnings"),
    ],
)
async def test_a_flood_in_the_handshake_ends_it(record: bytes, is_ours: bool) -> None:
    bench = Bench()
    flooding = record * (2 * SETTINGS.handshake_bytes // len(record))
    with pytest.raises(LimitError if is_ours else (SSL.Error, AlertError)):
        await bench.shake_hands(first=flooding)
    assert max(bench.connection.taken) <= PIECE
    assert sum(bench.connection.taken) <= SETTINGS.handshake_bytes
    assert bench.wire.aborted is is_ours


@pytest.mark.parametrize("profile", [TLS12_ONLY, TLS13_ONLY])
async def test_a_warning_before_the_server_hello_is_no_fatal_alert(profile: TlsProfile) -> None:
    """RFC 6066 §3: of a name that the server does not know, such as Apache sends it."""
    bench = Bench(profile)
    await bench.shake_hands(first=plain(ALERT, b"\1\x70"))
    assert CLIENT.observe(untested(), bench.connection, completed=True).alert is None


class FloodsInTheHandshake(Scripted):
    """HelloRequests without end for an answer to the ClientHello."""

    async def handshake(self, peer: Peer) -> None:
        await peer.hello()
        while True:
            peer.send(plain(HANDSHAKE, HELLO_REQUEST * 4096))
            await peer.drain()


class FloodsAfterIt(Scripted):
    """A sound TLS 1.2 handshake, then HelloRequests without end."""

    tls = TLS12_ONLY

    def __init__(self, answers: int) -> None:
        self._answers = answers  # to how many commands over TLS

    async def handshake(self, peer: Peer) -> None:
        keys, context = Keys(), peer.context(self.certificate, self.tls)
        context.set_cipher_list(TLS12_GCM)
        keys.listen(context)
        await peer.start_tls(context)
        assert isinstance(peer._tls, SSL.Connection)
        random = peer._tls.server_random()
        assert random is not None
        self._writer = Writer12(keys, random, records_sent=1 + self._answers)
        if not self._answers:
            await self._flood(peer)

    async def on_ehlo_tls(self, peer: Peer) -> None:
        await super().on_ehlo_tls(peer)
        await self._flood(peer)

    async def _flood(self, peer: Peer) -> None:
        while True:
            peer._write(hello_requests(self._writer))
            await peer.drain()


class LargeDh(Scripted):
    """TLS 1.2 with a Diffie-Hellman group of its own, of so many bits."""

    certificate = CertificateKind.RSA

    def __init__(self, bits: int) -> None:
        self._prime = (1 << bits) - 1  # nobody looks whether it is one

    async def handshake(self, peer: Peer) -> None:
        await peer.run_tls(DheConnection(peer.certificate(self.certificate), self._prime))


async def probe(personality: Scripted) -> EndpointFacts:
    async with LabSmtpServer(personality, name=NAME, ca=CA) as server:
        target = Target(mx_host=NAME, address=server.address, port=server.port)
        return await probe_endpoint(target, SETTINGS, CLIENT)


async def test_a_flood_in_the_handshake_is_not_tested() -> None:
    """No negative: a bound of ours ended it, and no second session is made."""
    facts = await probe(FloodsInTheHandshake())
    assert facts.failure is not None
    assert (facts.failure.step, facts.failure.reason) == (Step.HANDSHAKE, Reason.LIMIT)
    assert (facts.starttls, outcome(facts)) == (StartTls.NOT_TESTED, Outcome.NOT_TESTED)
    assert next_session(facts, busy_tries=5, slow_lane=True) is None
    assert was_tried(facts)


@pytest.mark.parametrize("bits", [4097, 10_000, 16_000])
async def test_a_large_dh_group_is_not_tested(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSL never sees it: to compute with 10,000 bits takes two seconds."""
    computed: list[bytes] = []
    take = TlsLink._advance

    def counting(self: TlsLink) -> None:
        computed.append(self._connection.get_state_string())
        take(self)

    monkeypatch.setattr(TlsLink, "_advance", counting)
    facts = await probe(LargeDh(bits))
    assert facts.failure is not None
    assert (facts.failure.step, facts.failure.reason) == (Step.HANDSHAKE, Reason.LIMIT)
    assert f"{bits} bits" in (facts.failure.detail or "")
    assert (facts.starttls, facts.key_exchange_bits) == (StartTls.NOT_TESTED, bits)
    assert len(computed) == 1  # for the ClientHello


async def test_a_dh_group_of_4096_bits_is_seen() -> None:
    facts = await probe(LargeDh(4096))
    assert (facts.tls_version, facts.key_exchange_bits) == ("TLSv1.2", 4096)


def test_no_more_signatures_are_checked_than_certificates_kept() -> None:
    """A message holds 75 small certificates, and a signature can be made to cost 7 ms."""
    connection = CLIENT.connection(NAME, Hello.DEFAULT)
    assert connection.get_context().get_verify_depth() == 16


@pytest.mark.parametrize("answers", [0, 1])
async def test_a_flood_after_the_handshake_leaves_what_was_seen(answers: int) -> None:
    facts = await probe(FloodsAfterIt(answers))
    assert (facts.tls_version, outcome(facts)) == ("TLSv1.2", Outcome.COMPLETED)
    assert facts.chain
    if not answers:
        assert facts.failure is not None
        assert (facts.failure.step, facts.failure.reason) == (Step.POST_TLS, Reason.LIMIT)
