"""The fetch of an MTA-STS policy against hosts that do it right and wrong. RFC 8461 §3.3."""

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp.client_proto import ResponseHandler
from OpenSSL import SSL

from prober.errors import SettingsError
from prober.lab.certificates import LabCa
from prober.lab.dns import LabDns
from prober.lab.faults import Fault
from prober.lab.internet import Lab, LabDomain, LabHost, LabSts
from prober.lab.peer import Peer, Session
from prober.lab.policy_host import TXT, PolicyHost
from prober.lab.tls import TLS12_ONLY, TLS13_ONLY
from prober.net import guarded
from prober.net import resolver as resolver_module
from prober.net.mta_sts import PolicyClient, observe_sts, observe_txt
from prober.net.resolver import Resolver
from prober.net.tls import TlsClient
from prober.records import PolicyFetch, Reason, Step, TrustStore, TxtFacts
from prober.settings import Settings
from tests.support import policy_hosts
from tests.support.policy_hosts import policy_text
from tests.support.records import HANDSHAKE, TLS12_GCM, Keys, Writer12, Writer13, plain
from tests.support.waiting import until

POLICY = policy_text("mx1.a.test", "*.a.test")
CA = LabCa()  # one for all: making keys takes longer than most tests
NO_TRUST = TrustStore(source=None, certificates=0, sha256=None)


@dataclass(frozen=True)
class Bench:
    """A lab with the domain ``a.test``, and what fetches its policy."""

    lab: Lab
    resolver: Resolver
    client: PolicyClient

    @property
    def sessions(self) -> list[Session]:
        """What the policy host saw."""
        return self.lab.servers["mta-sts.a.test"].sessions

    async def fetch(self) -> PolicyFetch:
        return await self.client.fetch("a.test")


@contextlib.asynccontextmanager
async def bench(
    host: PolicyHost, *others: LabDomain, txt: tuple[str, ...] = (), **changes: object
) -> AsyncIterator[Bench]:
    """A bench where *host* serves the policy; *changes* are to the settings."""
    domain = LabDomain(name="a.test", sts=LabSts(host=host, txt=txt or (TXT,)))
    lab = Lab([domain, *others])
    lab.ca = CA
    async with lab:
        settings = lab.settings(**{"dns_s": 60.0, "dns_try_s": 20.0, **changes})
        trust_store = TlsClient(settings.ca_file, chain_certificates=16).trust_store
        async with contextlib.aclosing(Resolver(settings)) as resolver:
            yield Bench(lab, resolver, PolicyClient(settings, resolver, trust_store))


@pytest.fixture(autouse=True)
def quick_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver_module, "_RETRY_DELAY_S", 0.01)


async def test_a_policy_is_fetched() -> None:
    async with bench(PolicyHost(POLICY)) as a:
        fetch = await a.fetch()
        port = a.lab.port
    assert fetch == PolicyFetch(
        url=f"https://mta-sts.a.test:{port}/.well-known/mta-sts.txt",
        http_status=200,
        content_type="text/plain; charset=utf-8",
        body=POLICY,
        certificate_trusted=True,
    )


async def test_the_request() -> None:
    async with bench(PolicyHost(POLICY)) as a:
        await a.fetch()
        session = a.sessions[0]
        port = a.lab.port
    request, *headers = session.commands_tls
    assert request == "GET /.well-known/mta-sts.txt HTTP/1.1"
    assert f"Host: mta-sts.a.test:{port}" in headers
    assert "Accept-Encoding: identity" in headers
    assert session.sni == "mta-sts.a.test"  # RFC 8461 §7.1
    assert session.tls_version == "TLSv1.3"


@pytest.mark.parametrize(
    ("host", "step", "reason", "status"),
    [
        pytest.param(policy_hosts.NotFound(), Step.POST_TLS, Reason.BAD_REPLY, 404, id="404"),
        pytest.param(policy_hosts.Broken(), Step.POST_TLS, Reason.BAD_REPLY, 500, id="500"),
        pytest.param(policy_hosts.Gzip(), Step.POST_TLS, Reason.BAD_REPLY, 200, id="gzip"),
        pytest.param(
            policy_hosts.Truncated(), Step.POST_TLS, Reason.BAD_REPLY, 200, id="truncated"
        ),
        pytest.param(policy_hosts.Garbage(), Step.POST_TLS, Reason.BAD_REPLY, None, id="garbage"),
        pytest.param(
            policy_hosts.EndlessHeaders(), Step.POST_TLS, Reason.BAD_REPLY, None, id="headers"
        ),
        pytest.param(policy_hosts.TooLong(), Step.POST_TLS, Reason.LIMIT, 200, id="too-long"),
        pytest.param(policy_hosts.Endless(), Step.POST_TLS, Reason.LIMIT, 200, id="endless"),
        pytest.param(policy_hosts.HangsUp(), Step.POST_TLS, Reason.CLOSED, None, id="hangs-up"),
        pytest.param(policy_hosts.Resets(), Step.POST_TLS, Reason.RESET, None, id="resets"),
        pytest.param(
            policy_hosts.RequiresClientCertificate(),
            Step.POST_TLS,
            Reason.TLS_ERROR,
            None,
            id="client-cert",
        ),
    ],
)
async def test_a_host_whose_certificate_is_right_and_whose_answer_is_not(
    host: PolicyHost, step: Step, reason: Reason, status: int | None
) -> None:
    async with bench(host) as a:
        fetch = await a.fetch()
    assert fetch.failure is not None
    assert (fetch.failure.step, fetch.failure.reason) == (step, reason)
    assert (fetch.http_status, fetch.body) == (status, None)
    assert fetch.certificate_trusted is True


@pytest.mark.parametrize(
    ("host", "step", "reason"),
    [
        pytest.param(policy_hosts.NotListening(), Step.CONNECT, Reason.REFUSED, id="refused"),
        pytest.param(policy_hosts.InClear(), Step.HANDSHAKE, Reason.TLS_ERROR, id="in-clear"),
        pytest.param(policy_hosts.OldTls(), Step.HANDSHAKE, Reason.TLS_ERROR, id="§7.2-tls-1.1"),
    ],
)
async def test_without_tls_nothing_is_said_of_the_certificate(
    host: PolicyHost, step: Step, reason: Reason
) -> None:
    async with bench(host) as a:
        fetch = await a.fetch()
    assert fetch.failure is not None
    assert (fetch.failure.step, fetch.failure.reason) == (step, reason)
    assert fetch.certificate_trusted is None


@pytest.mark.parametrize(
    ("host", "says"),
    [
        pytest.param(policy_hosts.WrongName(), "Hostname mismatch", id="§3.3-wrong-name"),
        pytest.param(policy_hosts.CnOnly(), "Hostname mismatch", id="§3.3-by-san-only"),
        pytest.param(policy_hosts.Expired(), "expired", id="§3.3-expired"),
        pytest.param(policy_hosts.SelfSigned(), "self-signed", id="§3.3-self-signed"),
    ],
)
async def test_a_certificate_that_does_not_prove_the_host(host: PolicyHost, says: str) -> None:
    async with bench(host) as a:
        fetch = await a.fetch()
        assert not any(session.commands for session in a.sessions)  # not even asked
    assert fetch.failure is not None
    assert (fetch.failure.step, fetch.failure.reason) == (Step.HANDSHAKE, Reason.TLS_ERROR)
    assert says in (fetch.failure.detail or "").replace("self signed", "self-signed")
    assert fetch.certificate_trusted is False


async def test_a_certificate_by_wildcard_proves_the_host() -> None:
    async with bench(policy_hosts.Wildcard(POLICY)) as a:
        assert (await a.fetch()).certificate_trusted is True


async def test_without_a_trust_store_nobody_is_asked() -> None:
    async with bench(PolicyHost(POLICY)) as a:
        client = PolicyClient(a.lab.settings(), a.resolver, NO_TRUST)
        fetch = await client.fetch("a.test")
        assert not a.sessions
    assert fetch.failure is not None
    assert fetch.failure.reason is Reason.LOCAL
    assert fetch.certificate_trusted is None


def test_a_trust_store_that_went_away(tmp_path: Path) -> None:
    gone = TrustStore(source=str(tmp_path / "gone.pem"), certificates=1, sha256="")
    settings = Settings(resolvers=("127.0.0.1",))
    with pytest.raises(SettingsError, match=r"gone\.pem"):
        PolicyClient(settings, Resolver(settings), gone)


async def test_a_certificate_of_the_store_that_cannot_be_read_hides_no_other(
    tmp_path: Path,
) -> None:
    async with bench(PolicyHost(POLICY)) as a:
        bad = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
        store = tmp_path / "ca.pem"
        store.write_text(bad + a.lab.ca_file.read_text())
        trust_store = TrustStore(source=str(store), certificates=1, sha256="")
        client = PolicyClient(a.lab.settings(), a.resolver, trust_store)
        assert (await client.fetch("a.test")).failure is None


async def test_a_redirect_is_not_followed() -> None:
    target = LabHost(name="www.b.test", personality=PolicyHost(POLICY))
    elsewhere = LabDomain(name="b.test", hosts=(target,))
    host = policy_hosts.Redirects(POLICY, location="https://www.b.test/policy.txt")
    async with bench(host, elsewhere) as a:
        fetch = await a.fetch()
        assert len(a.sessions) == 1
        assert not a.lab.servers["www.b.test"].sessions
    assert (fetch.http_status, fetch.body) == (301, None)
    assert fetch.failure is not None
    assert fetch.failure.reason is Reason.BAD_REPLY
    assert "redirect" in (fetch.failure.detail or "")


async def test_64_kilobytes_are_taken_and_not_a_byte_more() -> None:
    async with bench(policy_hosts.Longest(POLICY)) as a:
        fetch = await a.fetch()
    assert len(fetch.body or "") == 65_536
    async with bench(policy_hosts.Longest(POLICY), sts_policy_bytes=65_535) as a:
        shorter = await a.fetch()
    assert shorter.failure is not None
    assert (shorter.failure.reason, shorter.body) == (Reason.LIMIT, None)


async def test_an_endless_body_is_left_at_once() -> None:
    async with bench(policy_hosts.Endless()) as a:
        fetch = await a.fetch()
    assert fetch.failure is not None
    assert fetch.failure.reason is Reason.LIMIT


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The size of each piece that aiohttp's parser is given."""
    sizes: list[int] = []
    parse = ResponseHandler.data_received

    def counting(self: ResponseHandler, data: bytes) -> None:
        sizes.append(len(data))
        parse(self, data)

    monkeypatch.setattr(ResponseHandler, "data_received", counting)
    return sizes


@pytest.mark.parametrize(
    "piece",
    [
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", id="100"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", id="103"),
        pytest.param(b"\r\n", id="blank-lines"),
        pytest.param(b"HTTP/1.1 199 Odd\r\nContent-Length: 3\r\n\r\nabc", id="199-with-body"),
    ],
)
async def test_what_comes_before_the_final_header_is_bounded(
    piece: bytes, parsed: list[int]
) -> None:
    async with bench(policy_hosts.Repeats(POLICY, piece=piece), sts_s=30.0) as a:
        fetch = await a.fetch()
    assert fetch.failure is not None
    assert (fetch.failure.step, fetch.failure.reason) == (Step.POST_TLS, Reason.LIMIT)
    assert (fetch.http_status, fetch.certificate_trusted) == (None, True)
    assert max(parsed) <= 4096
    assert sum(parsed) <= 32_768 + 4096


async def test_all_of_a_fetch_is_bounded(parsed: list[int]) -> None:
    async with bench(policy_hosts.ChunkExtensions(POLICY), sts_s=30.0) as a:
        fetch = await a.fetch()
    assert fetch.failure is not None
    assert (fetch.failure.reason, fetch.body) == (Reason.LIMIT, None)
    assert sum(parsed) <= 262_144


class UpdatesKeys(PolicyHost):
    """TLS 1.3 key updates without an end for an answer."""

    tls = TLS13_ONLY

    async def converse(self, peer: Peer) -> None:
        keys, context = Keys(), peer.context(self.certificate, self.tls)
        context.set_tls13_ciphersuites(b"TLS_AES_128_GCM_SHA256")
        keys.listen(context)
        await peer.start_tls(context)
        writer = Writer13(keys, records_sent=2)
        while True:
            peer._write(b"".join(writer.key_update() for _ in range(100)))
            await peer.drain()


class GreetsForEver(PolicyHost):
    """HelloRequests without an end for an answer to the ClientHello."""

    async def converse(self, peer: Peer) -> None:
        await peer.hello()
        while True:
            peer.send(plain(HANDSHAKE, bytes(16_384)))
            await peer.drain()


@pytest.mark.parametrize(
    ("host", "step"),
    [(UpdatesKeys(POLICY), Step.POST_TLS), (GreetsForEver(POLICY), Step.HANDSHAKE)],
)
async def test_a_flood_of_tls_messages_is_bounded(
    host: PolicyHost, step: Step, parsed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    count = guarded._Meter.buffer_updated

    def counting(self: guarded._Meter, nbytes: int) -> None:
        read.append(nbytes)
        count(self, nbytes)

    monkeypatch.setattr(guarded._Meter, "buffer_updated", counting)
    async with bench(host, sts_s=30.0) as a:
        fetch = await a.fetch()
    assert fetch.failure is not None
    assert (fetch.failure.step, fetch.failure.reason) == (step, Reason.LIMIT)
    assert not parsed
    assert max(read) <= 16_384
    assert sum(read) <= 262_144 + 16_384


async def test_no_dh_group_of_the_servers_choice_is_computed_with() -> None:
    """To compute with 10,000 bits takes two seconds; browsers offer no such suites either."""
    async with bench(PolicyHost(POLICY)) as a:
        context = a.client._context
    assert context is not None
    offered = {suite["kea"] for suite in context.get_ciphers()}
    assert "kx-dhe" not in offered
    assert "kx-ecdhe" in offered


class AsksToRenegotiate(PolicyHost):
    """HelloRequests without an end, over TLS 1.2, for an answer."""

    tls = TLS12_ONLY

    async def converse(self, peer: Peer) -> None:
        keys, context = Keys(), peer.context(self.certificate, self.tls)
        context.set_cipher_list(TLS12_GCM)
        keys.listen(context)
        await peer.start_tls(context)
        assert isinstance(peer._tls, SSL.Connection)
        random = peer._tls.server_random()
        assert random is not None
        writer = Writer12(keys, random, records_sent=1)
        while True:
            peer._write(writer.record(HANDSHAKE, bytes(4)))
            await peer.drain()


async def test_renegotiation_is_refused() -> None:
    """OpenSSL would shake hands again for each request. RFC 9325 §3.5."""
    async with bench(AsksToRenegotiate(POLICY), sts_s=30.0) as a:
        context = a.client._context
        fetch = await a.fetch()
    assert context is not None
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert fetch.failure is not None
    assert (fetch.failure.step, fetch.failure.reason) == (Step.POST_TLS, Reason.LIMIT)


class Switches(PolicyHost):
    """Another protocol, nobody knows which, without an end. RFC 9110 §15.2.2."""

    async def reply(self, peer: Peer) -> None:
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
        while True:
            peer.send(b"x" * 16_384)
            await peer.drain()


async def test_another_protocol_is_not_spoken() -> None:
    async with bench(Switches(POLICY), sts_s=30.0) as a:
        fetch = await a.fetch()
    assert fetch.failure is not None
    assert (fetch.http_status, fetch.failure.reason) == (101, Reason.BAD_REPLY)


async def test_a_second_content_encoding_is_seen() -> None:
    async with bench(policy_hosts.EncodedTwice(POLICY)) as a:
        fetch = await a.fetch()
    assert fetch.failure is not None
    assert (fetch.failure.reason, fetch.body) == (Reason.BAD_REPLY, None)
    assert "gzip" in (fetch.failure.detail or "")


class Deadlines(list[asyncio.Timeout]):
    """The deadlines of fetches that were set, each of which ends when the test says so."""

    def timeout(self, _seconds: float) -> asyncio.Timeout:
        self.append(asyncio.timeout(None))
        return self[-1]

    async def end(self) -> None:
        """End the only one, which is set by now or soon."""
        await until(lambda: bool(self))
        (deadline,) = self
        deadline.reschedule(asyncio.get_running_loop().time())


@pytest.fixture
def deadlines(monkeypatch: pytest.MonkeyPatch) -> Deadlines:
    deadlines = Deadlines()
    monkeypatch.setattr("prober.net.https.asyncio", deadlines)  # it uses nothing else of it
    return deadlines


@pytest.mark.parametrize(
    ("host", "step"),
    [
        pytest.param(policy_hosts.Drips(), Step.POST_TLS, id="slow-body"),
        pytest.param(policy_hosts.Mute(), Step.POST_TLS, id="no-answer"),
        pytest.param(policy_hosts.MuteAtHandshake(), Step.CONNECT, id="no-handshake"),
    ],
)
async def test_a_slow_host_is_left_at_the_deadline(
    host: PolicyHost, step: Step, deadlines: Deadlines
) -> None:
    async with bench(host) as a:
        fetching = asyncio.create_task(a.fetch())
        await until(lambda: bool(a.sessions and (a.sessions[0].commands or step is Step.CONNECT)))
        await deadlines.end()
        fetch = await fetching
    assert fetch.failure is not None
    assert (fetch.failure.step, fetch.failure.reason) == (step, Reason.TIMED_OUT)


async def test_a_slow_look_up_does_not_count_for_the_deadline(deadlines: Deadlines) -> None:
    async with bench(PolicyHost(POLICY), dns_s=30.0, dns_try_s=30.0) as a:
        a.lab.dns.delay("mta-sts.a.test", 0.2)
        fetching = asyncio.create_task(a.fetch())
        await until(lambda: a.lab.dns.queries["mta-sts.a.test", "A"] > 0)
        assert not deadlines
        assert (await fetching).failure is None
    assert len(deadlines) == 1


async def test_our_own_pace_is_no_fault_of_the_host(deadlines: Deadlines) -> None:
    """Where few questions a second are allowed, its look-up may wait for minutes."""
    async with bench(PolicyHost(POLICY), dns_per_s=20.0) as a:
        others = [asyncio.create_task(a.resolver.query(f"d{n}.test", "MX")) for n in range(10)]
        await asyncio.sleep(0)
        fetching = asyncio.create_task(a.fetch())
        await until(lambda: bool(deadlines))
        assert a.lab.dns.queries["mta-sts.a.test", "A"] > 0
        assert (await fetching).failure is None
        await asyncio.gather(*others)


async def test_a_private_address_behind_a_name_is_not_contacted() -> None:
    async with bench(PolicyHost(POLICY), allow_private=False) as a:
        fetch = await a.fetch()
        assert not a.sessions
    assert fetch.failure is not None
    assert (fetch.failure.step, fetch.failure.reason) == (Step.CONNECT, Reason.PRIVATE_ADDRESS)
    assert fetch.certificate_trusted is None


@pytest.mark.parametrize("allow_private", [True, False])
@pytest.mark.parametrize("literal", ["127.0.0.1", "[::1]", "::1", "2130706433", "0x7f000001.1"])
async def test_an_address_for_a_domain_is_refused_before_the_request(
    literal: str, *, allow_private: bool
) -> None:
    async with bench(PolicyHost(POLICY), allow_private=allow_private) as a:
        fetch = await a.client.fetch(literal)
        assert not a.lab.dns.queries
        assert not a.sessions
    assert fetch.failure is not None
    assert (fetch.failure.step, fetch.failure.reason) == (Step.RESOLVE, Reason.INVALID_NAME)


async def test_one_family_that_fails_does_not_hide_the_other() -> None:
    async with bench(PolicyHost(POLICY)) as a:
        a.lab.dns.fail("mta-sts.a.test", Fault.SERVFAIL, "AAAA")
        assert (await a.fetch()).failure is None


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(Fault.SERVFAIL, Reason.SERVFAIL), (Fault.TIMEOUT, Reason.TIMED_OUT)],
)
async def test_a_policy_host_that_cannot_be_looked_up(fault: Fault, reason: Reason) -> None:
    patience = 0.01 if fault is Fault.TIMEOUT else 1.0
    async with bench(PolicyHost(POLICY), dns_s=60.0 * patience, dns_try_s=20.0 * patience) as a:
        a.lab.dns.fail("mta-sts.a.test", fault)
        fetch = await a.fetch()
    assert fetch.failure is not None
    assert (fetch.failure.step, fetch.failure.reason) == (Step.RESOLVE, reason)


async def test_a_policy_host_that_does_not_exist() -> None:
    async with bench(PolicyHost(POLICY)) as a:
        fetch = await a.client.fetch("nothing.test")
    assert fetch.failure is not None
    assert (fetch.failure.step, fetch.failure.reason) == (Step.RESOLVE, Reason.UNREACHABLE)


async def test_another_address_is_tried() -> None:
    async with bench(PolicyHost(POLICY)) as a:
        a.lab.dns.add("mta-sts.a.test", "A", "127.78.0.1")  # nobody listens there
        assert [(await a.fetch()).failure for _ in range(4)] == [None] * 4


async def test_addresses_that_fail_each_in_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(**_: object) -> None:
        raise OSError("Multiple exceptions: refused, no route")  # aiohttp's, without an errno

    monkeypatch.setattr("aiohappyeyeballs.start_connection", fails)
    async with bench(PolicyHost(POLICY)) as a:
        fetch = await a.fetch()
    assert fetch.failure is not None
    assert (fetch.failure.step, fetch.failure.reason) == (Step.CONNECT, Reason.UNREACHABLE)
    assert fetch.failure.detail == "Multiple exceptions: refused, no route"


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with bench(PolicyHost(POLICY)) as a:
        assert (await a.fetch()).failure is None


async def test_no_cookie_comes_back() -> None:
    async with bench(policy_hosts.SetsCookie(POLICY)) as a:
        await a.fetch()
        await a.fetch()
        assert not any(line.lower().startswith("cookie") for line in a.sessions[1].commands)


async def test_the_body_is_kept_as_text_whatever_it_is() -> None:
    hostile = "version: STSv1\r\nx: é\x00\x1b[31m\udcff\n"
    async with bench(policy_hosts.Html(hostile)) as a:
        fetch = await a.fetch()
    assert fetch.content_type == "text/html"
    assert fetch.body == "version: STSv1\r\nx: é\x00\x1b[31m\\xff\n"


async def test_a_host_behind_an_alias() -> None:
    async with bench(PolicyHost(POLICY)) as a:
        a.lab.dns.add("mta-sts.c.test", "CNAME", "mta-sts.a.test")
        fetch = await a.client.fetch("c.test")
        await ended(a.sessions[0])
        assert a.sessions[0].sni == "mta-sts.c.test"
    assert fetch.failure is not None  # the name to prove is that of the question, RFC 8461 §3.3
    assert fetch.certificate_trusted is False


EVERY_HOST = [
    host
    for host in vars(policy_hosts).values()
    if isinstance(host, type) and issubclass(host, PolicyHost)
]


async def test_nothing_is_left_open() -> None:
    for host in EVERY_HOST:
        async with bench(host(POLICY), sts_s=0.1) as a:
            await a.fetch()  # what is made once a loop is made now
            await settled(a)
            before = in_use()
            await a.fetch()
            await settled(a)
            assert in_use() <= before, host.__name__


async def settled(bench: Bench) -> None:
    """Wait until all servers have ended, and what is to be closed after that is closed."""
    for session in bench.sessions:
        await ended(session)
    seen: list[tuple[int, int]] = []

    def is_steady() -> bool:
        seen.append(in_use())
        return len(seen) >= 3 and len(set(seen[-3:])) == 1

    await until(is_steady)


def in_use() -> tuple[int, int]:
    """Files that are open, and tasks."""
    return open_files(), len(asyncio.all_tasks())


async def ended(session: Session) -> None:
    """Wait until the server has seen the last of *session*."""
    await until(lambda: session.ended is not None)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize(
    "host",
    [
        pytest.param(policy_hosts.MuteAtHandshake(), id="handshake"),
        pytest.param(policy_hosts.Mute(), id="request"),
        pytest.param(policy_hosts.Drips(), id="body"),
    ],
)
async def test_cancellation_closes_the_connection(host: PolicyHost) -> None:
    async with bench(host) as a:
        fetching = asyncio.create_task(a.fetch())
        await until(lambda: bool(a.sessions))
        await asyncio.sleep(0.03)
        (session,) = a.sessions
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching
        await ended(session)


@pytest.mark.parametrize("turns", range(0, 40, 5))
async def test_cancellation_at_any_turn(turns: int) -> None:
    async with bench(PolicyHost(POLICY)) as a:
        await a.fetch()  # uvloop opens /dev/null with the first connection, and keeps it
        await ended(a.sessions[0])
        before = open_files()
        fetching = asyncio.create_task(a.fetch())
        for _ in range(turns):
            await asyncio.sleep(0.0005)
        if fetching.cancel():
            with pytest.raises(asyncio.CancelledError):
                await fetching
        await until(lambda: open_files() <= before)


@pytest.mark.parametrize(
    ("txt", "is_asked"),
    [
        pytest.param(("v=STSv1; id=1",), True, id="valid"),
        pytest.param(("v=spf1 -all", "v=STSv1; id=1"), True, id="§3.1-others-discarded"),
        pytest.param(("v=spf1 -all",), False, id="§3.1-of-something-else"),
        pytest.param(("V=STSv1; id=1",), False, id="§3.1-invalid-for-every-sender"),
        pytest.param(("v=STSv1 ; id=1",), True, id="§3.1-blank-before-semicolon"),
        pytest.param(("v=STSv1; id=",), True, id="§3.1-invalid-but-some-senders-take-it"),
        pytest.param(("v=STSv1; id=1", "v=STSv1; id=2"), True, id="§3.1-two-some-take-the-first"),
        pytest.param(("v=spf1 -all",), False, id="§3.1-none"),
    ],
)
async def test_a_policy_is_asked_for_where_the_txt_record_says_so(
    txt: tuple[str, ...], *, is_asked: bool
) -> None:
    async with bench(PolicyHost(POLICY), txt=txt) as a:
        facts = await observe_sts("a.test", a.resolver, a.client)
        assert bool(a.sessions) is is_asked
        anyway = await observe_sts("a.test", a.resolver, a.client, without_txt=True)
    assert sorted(facts.txt.records) == sorted(txt)
    assert (facts.fetch is not None) is is_asked
    assert anyway.fetch is not None
    assert anyway.fetch.body == POLICY


async def test_a_txt_record_that_cannot_be_looked_up_is_not_absent() -> None:
    async with bench(PolicyHost(POLICY)) as a:
        a.lab.dns.fail("_mta-sts.a.test", Fault.SERVFAIL)
        facts = await observe_sts("a.test", a.resolver, a.client)
        assert not a.sessions
    assert facts.txt.failure is not None
    assert (facts.txt.failure.step, facts.txt.failure.reason) == (Step.RESOLVE, Reason.SERVFAIL)
    assert facts.fetch is None


TXT_RECORDS = {
    "_mta-sts.joined.test": [("TXT", '"v=STSv1; " "id=1"')],
    "_mta-sts.alias.test": [("CNAME", "_mta-sts.joined.test.")],
    "_mta-sts.bytes.test": [("TXT", r'"v=STSv1; id=\233\000"')],
    "_mta-sts.other.test": [("A", "192.0.2.1")],
    "_smtp._tls.joined.test": [("TXT", '"v=TLSRPTv1; rua=mailto:a@b.test"')],
}


@pytest.mark.parametrize(
    ("label", "domain", "records"),
    [
        ("_mta-sts", "joined.test", ("v=STSv1; id=1",)),
        ("_mta-sts", "alias.test", ("v=STSv1; id=1",)),
        ("_mta-sts", "bytes.test", ("v=STSv1; id=\\xe9\x00",)),
        ("_mta-sts", "other.test", ()),
        ("_mta-sts", "nothing.test", ()),
        ("_mta-sts", ".".join(["a" * 60] * 4) + ".test", ()),  # too long for a label more
        ("_smtp._tls", "joined.test", ("v=TLSRPTv1; rua=mailto:a@b.test",)),
    ],
)
async def test_txt_records(label: str, domain: str, records: tuple[str, ...]) -> None:
    async with LabDns(TXT_RECORDS) as server:
        settings = Settings(resolvers=(server.resolver,))
        async with contextlib.aclosing(Resolver(settings)) as resolver:
            assert await observe_txt(label, domain, resolver) == TxtFacts(records=records)
