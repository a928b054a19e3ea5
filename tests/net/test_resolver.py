"""The resolver against a DNS server that answers, errs and keeps silent. RFC 1035, RFC 4035."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import dns.resolver
import dns.rrset
import pytest
from dns.message import Message

from prober.errors import SettingsError
from prober.lab.dns import LabDns
from prober.lab.faults import Fault
from prober.net import resolver as resolver_module
from prober.net.resolver import DnsStatus, Resolver
from prober.pace import QuestionLimiter
from prober.records import Answer, Dnssec, Reason
from prober.settings import Pace, Settings
from tests.support.waiting import hurry, until

BOGUS_PROBE = "dnssec-failed.org"
RECORDS = {
    "example.test": [("MX", "10 mx.example.test."), ("MX", "20 MX2.Example.TEST.")],
    "mx.example.test": [("A", "192.0.2.1")],
    "alias.test": [("CNAME", "mx.example.test.")],
    "dangling.test": [("CNAME", "gone.test.")],
    "only-txt.test": [("TXT", "hello")],
    "signed.test": [("A", "192.0.2.9")],
    BOGUS_PROBE: [("A", "192.0.2.3")],
}


@pytest.fixture
async def dns_server() -> AsyncIterator[LabDns]:
    async with LabDns(RECORDS, signed=["signed.test"]) as server:
        server.fail(BOGUS_PROBE, Fault.BOGUS)
        yield server


@pytest.fixture
def settings(dns_server: LabDns) -> Settings:
    return Settings(resolvers=(dns_server.resolver,), dns_s=60.0, dns_try_s=20.0)


@pytest.fixture
async def resolver(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Resolver]:
    monkeypatch.setattr(resolver_module, "_RETRY_DELAY_S", 0.01)
    async with aclosing(Resolver(settings)) as resolver:
        yield resolver


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.SERVFAIL, Reason.SERVFAIL),
        (Fault.REFUSED, Reason.DNS_REFUSED),
        (Fault.NOTIMP, Reason.DNS_REFUSED),
        (Fault.TIMEOUT, Reason.TIMED_OUT),
    ],
)
async def test_a_failure_is_never_no_record(
    resolver: Resolver, dns_server: LabDns, fault: Fault, reason: Reason
) -> None:
    dns_server.fail("example.test", fault)
    if fault is Fault.TIMEOUT:
        hurry(resolver)
    answer = await resolver.query("example.test", "MX")
    assert (answer.status, answer.reason) == (DnsStatus.FAILED, reason)


@pytest.mark.parametrize(
    ("name", "rdtype", "status"),
    [
        ("nothing.test", "MX", DnsStatus.NXDOMAIN),
        ("dangling.test", "MX", DnsStatus.NXDOMAIN),
        ("only-txt.test", "MX", DnsStatus.NODATA),
        ("alias.test", "MX", DnsStatus.NODATA),
        ("example.test", "MX", DnsStatus.FOUND),
    ],
)
async def test_what_exists(resolver: Resolver, name: str, rdtype: str, status: DnsStatus) -> None:
    assert (await resolver.query(name, rdtype)).status is status


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("a." * 126 + "ab", id="rfc1035-2.3.4-256-octets"),
        pytest.param("a" * 64 + ".test", id="rfc1035-2.3.4-label-of-64"),
    ],
)
async def test_a_name_too_long_is_absent_without_a_question(
    resolver: Resolver, dns_server: LabDns, name: str
) -> None:
    answer = await resolver.query(name, "TXT")
    assert (answer.status, answer.reason) == (DnsStatus.NXDOMAIN, None)
    assert "absent by length" in (answer.detail or "")
    assert not any(asked == name for asked, _ in dns_server.queries)


async def test_the_longest_name_is_asked_for(resolver: Resolver) -> None:
    answer = await resolver.query("a." * 126 + "a", "TXT")
    assert (answer.status, answer.detail) == (DnsStatus.NXDOMAIN, None)


async def test_thousands_of_records_are_no_answer_and_no_denial(
    resolver: Resolver, dns_server: LabDns
) -> None:
    dns_server.add("many.test", "MX", *(f"10 mx{number}.many.test." for number in range(2000)))
    answer = await resolver.query("many.test", "MX")
    assert (answer.status, answer.reason) == (DnsStatus.FAILED, Reason.LIMIT)
    assert "more than 1024" in (answer.detail or "")


async def test_an_alias_is_followed_and_told(resolver: Resolver) -> None:
    answer = await resolver.query("alias.test", "A")
    assert [record.to_text() for record in answer.records] == ["192.0.2.1"]
    assert answer.canonical_name == "mx.example.test"


async def test_no_search_list(resolver: Resolver) -> None:
    assert (await resolver.query("localhost", "A")).status is DnsStatus.NXDOMAIN


async def test_truncation_goes_over_tcp(resolver: Resolver, dns_server: LabDns) -> None:
    dns_server.fail("example.test", Fault.TRUNCATE)
    answer = await resolver.query("example.test", "MX")
    assert len(answer.records) == 2
    assert dns_server.queries_tcp == 1


async def test_a_question_is_asked_once_also_while_in_flight(
    resolver: Resolver, dns_server: LabDns
) -> None:
    await asyncio.gather(*(resolver.query("example.test", "MX") for _ in range(20)))
    await resolver.query("example.test", "MX")
    assert dns_server.queries["example.test", "MX"] == 1


async def test_a_failure_is_asked_again_before_it_is_believed(
    resolver: Resolver, dns_server: LabDns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver_module, "_RETRY_DELAY_S", 0.3)
    dns_server.fail("example.test", Fault.SERVFAIL)
    asking = asyncio.create_task(resolver.query("example.test", "MX"))
    await until(lambda: dns_server.queries["example.test", "MX"] > 0)
    dns_server.fail("example.test", None)
    assert (await asking).status is DnsStatus.FOUND


async def test_failures_are_not_kept_for_long(
    settings: Settings, dns_server: LabDns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver_module, "_RETRY_DELAY_S", 0.0)
    dns_server.fail("example.test", Fault.SERVFAIL)
    async with aclosing(Resolver(replace(settings, dns_failure_ttl_s=0.05))) as resolver:
        await resolver.query("example.test", "MX")
        dns_server.fail("example.test", None)
        await asyncio.sleep(0.1)
        assert (await resolver.query("example.test", "MX")).status is DnsStatus.FOUND


async def test_no_nameserver_at_all_is_told_from_a_dead_zone(dns_server: LabDns) -> None:
    closed = Settings(resolvers=("127.0.0.1:9",), dns_s=0.4, dns_try_s=0.1)
    async with aclosing(Resolver(closed)) as resolver:
        answer = await resolver.query("example.test", "MX")
        assert not await resolver.is_alive()
    assert answer.reason is Reason.NO_NAMESERVER
    assert answer.detail == "none of 127.0.0.1:9 answers"


async def test_a_nameserver_that_drops_udp_is_asked_over_tcp(settings: Settings) -> None:
    """Only its TCP port is open: UDP gets an ICMP error, or nothing."""
    async with LabDns(RECORDS) as server:
        assert server._udp is not None
        server._udp.abort()
        await asyncio.sleep(0)
        over_tcp = replace(settings, resolvers=(server.resolver,))
        async with aclosing(Resolver(over_tcp)) as resolver:
            answer = await resolver.query("example.test", "MX")
    assert answer.status is DnsStatus.FOUND


async def test_a_referral_denies_nothing(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 2308 §2.2: what an authoritative server, or a captive portal, says that is asked."""
    fill = LabDns._fill

    def refer(server: LabDns, response: Message, query: Message, found: Any, fault: Any) -> None:
        fill(server, response, query, found, fault)
        response.answer.clear()
        response.authority[:] = [dns.rrset.from_text("test.", 60, "IN", "NS", "ns.test.")]

    monkeypatch.setattr(LabDns, "_fill", refer)
    answer = await resolver.query("example.test", "MX")
    assert (answer.status, answer.reason) == (DnsStatus.FAILED, Reason.DNS_REFUSED)


async def test_a_silence_that_another_met_is_asked_again(
    resolver: Resolver, dns_server: LabDns
) -> None:
    patient = resolver._settings
    hurry(resolver)
    dns_server.fail("example.test", Fault.TIMEOUT)
    assert (await resolver.query("example.test", "MX")).reason is Reason.TIMED_OUT
    resolver._settings = patient
    dns_server.fail("example.test", None)
    assert (await resolver.query("example.test", "MX")).status is DnsStatus.FOUND


async def test_one_slow_zone_leaves_the_others_on_udp(
    resolver: Resolver, dns_server: LabDns
) -> None:
    patient = resolver._settings
    hurry(resolver)
    dns_server.delay("example.test", 0.5)  # longer than UDP is waited for, shorter than TCP
    await resolver.query("example.test", "MX")
    resolver._settings = patient
    before = dns_server.queries_tcp
    assert (await resolver.query("mx.example.test", "A")).status is DnsStatus.FOUND
    assert dns_server.queries_tcp == before


async def test_a_silent_nameserver_does_not_hide_the_next(
    settings: Settings, dns_server: LabDns
) -> None:
    async with LabDns({}) as silent:
        silent.fail(".", Fault.TIMEOUT)
        silent.fail("example.test", Fault.TIMEOUT)
        both = replace(settings, resolvers=(silent.resolver, dns_server.resolver), dns_try_s=0.2)
        async with aclosing(Resolver(both)) as resolver:
            assert await resolver.is_alive()
            assert (await resolver.query("example.test", "MX")).status is DnsStatus.FOUND


async def test_out_of_files_is_a_fault_of_this_machine(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("prober.net.nameserver.Nameserver.socket", no_more)
    answer = await resolver.query("example.test", "MX")
    assert (answer.status, answer.reason) == (DnsStatus.FAILED, Reason.LOCAL)


@pytest.mark.parametrize("steps", range(12))
async def test_a_cancelled_question_leaves_no_socket_open(resolver: Resolver, steps: int) -> None:
    """Warnings are errors here: an open socket would be one."""
    asking = asyncio.create_task(resolver.query("example.test", "MX"))
    for _ in range(steps):
        await asyncio.sleep(0)
    asking.cancel()
    await resolver.aclose()
    with contextlib.suppress(asyncio.CancelledError):
        await asking


class TestDnssec:
    """RFC 4035 §4.6, §4.7: whose AD bit counts."""

    async def test_secure_and_insecure(self, resolver: Resolver) -> None:
        assert (await resolver.query("signed.test", "A")).dnssec is Dnssec.SECURE
        assert (await resolver.query("signed.test", "MX")).dnssec is Dnssec.SECURE
        assert (await resolver.query("example.test", "MX")).dnssec is Dnssec.INSECURE

    async def test_servfail_that_answers_with_cd_is_bogus(
        self, resolver: Resolver, dns_server: LabDns
    ) -> None:
        dns_server.fail("signed.test", Fault.BOGUS)
        answer = await resolver.query("signed.test", "A")
        assert (answer.status, answer.dnssec) == (DnsStatus.FAILED, Dnssec.BOGUS)
        assert answer.reason is Reason.BOGUS

    async def test_servfail_with_cd_too_is_no_statement_on_dnssec(
        self, resolver: Resolver, dns_server: LabDns
    ) -> None:
        dns_server.fail("signed.test", Fault.SERVFAIL)
        answer = await resolver.query("signed.test", "A")
        assert (answer.reason, answer.dnssec) == (Reason.SERVFAIL, Dnssec.INDETERMINATE)

    async def test_the_self_test_does_not_wait_for_the_first_answer(
        self, resolver: Resolver, dns_server: LabDns
    ) -> None:
        dns_server.fail("mute.test", Fault.TIMEOUT)
        asking = asyncio.create_task(resolver.query("mute.test", "MX"))
        await until(lambda: dns_server.queries[BOGUS_PROBE, "A"] == 2)
        asking.cancel()

    async def test_a_self_test_that_found_nothing_out_is_made_again(
        self, settings: Settings, dns_server: LabDns
    ) -> None:
        async with aclosing(Resolver(replace(settings, dns_failure_ttl_s=0.0))) as resolver:
            dns_server.fail(BOGUS_PROBE, Fault.REFUSED)
            assert await resolver.validates() is Answer.NOT_TESTED
            dns_server.fail(BOGUS_PROBE, Fault.BOGUS)
            assert await resolver.validates() is Answer.YES

    @pytest.mark.parametrize("fault", [None, Fault.TIMEOUT, Fault.SERVFAIL, Fault.REFUSED])
    async def test_ad_of_a_resolver_that_fails_the_self_test_does_not_count(
        self, resolver: Resolver, dns_server: LabDns, fault: Fault | None
    ) -> None:
        dns_server.fail(BOGUS_PROBE, fault)
        if fault is Fault.TIMEOUT:
            hurry(resolver)
        assert (await resolver.query("signed.test", "A")).dnssec is Dnssec.INDETERMINATE
        assert await resolver.validates() is not Answer.YES

    @pytest.mark.parametrize(
        ("addresses", "trust_ad", "trusted"),
        [
            (("127.0.0.1",), False, True),
            (("::1",), False, True),
            (("127.0.0.53",), False, True),
            (("127.0.0.11",), False, False),  # Docker's, which only forwards
            (("127.0.0.11",), True, True),
            (("192.0.2.53",), False, False),
            (("192.0.2.53",), True, True),
            (("127.0.0.1", "192.0.2.53"), False, False),
        ],
    )
    async def test_who_is_trusted(
        self, addresses: tuple[str, ...], trust_ad: bool, trusted: bool
    ) -> None:
        resolver = Resolver(Settings(resolvers=addresses, trust_ad=trust_ad))
        assert resolver.is_trusted is trusted

    async def test_ad_of_a_resolver_elsewhere_does_not_count(
        self, settings: Settings, dns_server: LabDns, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(resolver_module, "_DOCKER_FORWARDER", dns_server.address)
        async with aclosing(Resolver(settings)) as resolver:
            assert (await resolver.query("signed.test", "A")).dnssec is Dnssec.INDETERMINATE


@pytest.mark.parametrize(
    "text",
    ["", "example.com", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:x", "[::1", "1"],
)
async def test_what_is_no_nameserver(text: str) -> None:
    with pytest.raises(SettingsError, match="not a nameserver"):
        Resolver(Settings(resolvers=(text,)))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:53", "192.0.2.1"),
        ("192.0.2.1:5353", "192.0.2.1:5353"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:5353", "[2001:db8::1]:5353"),
    ],
)
async def test_nameservers(text: str, shown: str) -> None:
    assert Resolver(Settings(resolvers=(text,))).addresses == (shown,)


async def test_no_resolver_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    def unconfigured() -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr("dns.resolver.Resolver", unconfigured)
    with pytest.raises(SettingsError, match="--resolver"):
        Resolver(Settings())


class Answering(asyncio.DatagramProtocol):
    """A nameserver over UDP, wherever it is bound."""

    # typeshed has BaseTransport here; a datagram endpoint is given a DatagramTransport
    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        wire, _ = LabDns(RECORDS).answer(data, tcp=False)
        self.transport.sendto(wire or b"", addr)


async def test_a_resolver_that_restarts_costs_no_answer(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    """Nobody listens at first: refused at once, which is not the silence that was waited for."""
    monkeypatch.setattr(resolver_module, "_RETRY_DELAY_S", 1.0)
    with socket.socket(type=socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with aclosing(Resolver(replace(settings, resolvers=(f"127.0.0.1:{port}",)))) as resolver:
        asking = asyncio.create_task(resolver.query("example.test", "MX"))
        await asyncio.sleep(0.05)
        loop = asyncio.get_running_loop()
        udp, _ = await loop.create_datagram_endpoint(Answering, ("127.0.0.1", port))
        answer = await asking
        udp.abort()
    assert answer.status is DnsStatus.FOUND


async def test_questions_that_lead_to_servers_come_before_those_on_policies(
    settings: Settings, dns_server: LabDns
) -> None:
    policies = [(f"_mta-sts.gone{n}.test", "TXT") for n in range(40)]
    async with aclosing(Resolver(replace(settings, pace=Pace(dns_per_s=100.0)))) as resolver:
        await asyncio.gather(*(resolver.query(*of) for of in [*policies, ("gone.test", "MX")]))
    assert list(dns_server.queries).index(("gone.test", "MX")) < 20


async def test_every_question_waits_for_its_turn(
    settings: Settings, dns_server: LabDns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How soon a turn comes, tests/test_pace.py tests."""
    made: list[tuple[int, float]] = []
    turns: list[bool] = []

    class Recording(QuestionLimiter):
        def __init__(self, at_once: int, per_s: float) -> None:
            made.append((at_once, per_s))
            super().__init__(at_once, per_s)

        @asynccontextmanager
        async def turn(self, *, low_priority: bool = False) -> AsyncIterator[None]:
            turns.append(low_priority)
            async with super().turn(low_priority=low_priority):
                yield

    monkeypatch.setattr(resolver_module, "QuestionLimiter", Recording)
    paced = replace(settings, pace=Pace(dns_per_s=1e4, dns_concurrency=7))
    async with aclosing(Resolver(paced)) as resolver:
        await asyncio.gather(*(resolver.query(f"gone{n}.test", "MX") for n in range(11)))
    assert made == [(7, 1e4)]
    assert len(turns) == sum(dns_server.queries.values())
    assert sum(dns_server.queries[f"gone{n}.test", "MX"] for n in range(11)) == 11
