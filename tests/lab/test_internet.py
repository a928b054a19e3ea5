"""The whole lab: addresses, one port, DNS, settings, and cleaning up."""

import asyncio
import errno
import socket

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode
import pytest
from cryptography import x509

from prober.lab import smtp
from prober.lab.demo import DEMO, DEMO_DEADLINES, mail_domain
from prober.lab.faults import Fault
from prober.lab.internet import Lab, LabDomain, LabHost, LabSts
from prober.lab.listener import bind
from prober.lab.personalities.ehlo import NoStarttls
from prober.lab.personalities.greeting import Refuses, Silent
from prober.lab.personalities.sound import WellConfigured
from prober.lab.policy_host import PolicyHost
from prober.settings import Pace, Settings
from tests.lab.client import client_context, look
from tests.personalities import EVERY, every_domain

WELL = WellConfigured()


async def ask(lab: Lab, name: str, rdtype: str, flags: int = dns.flags.RD) -> dns.message.Message:
    query = dns.message.make_query(name, rdtype, flags=flags)
    return await dns.asyncquery.udp(query, lab.dns.address, timeout=20.0, port=lab.dns.port)


async def texts(lab: Lab, name: str, rdtype: str) -> list[str]:
    response = await ask(lab, name, rdtype)
    return sorted(record.to_text() for rrset in response.answer for record in rrset)


async def test_each_host_has_its_address_and_all_one_port() -> None:
    async with Lab([mail_domain("a.test", WELL, NoStarttls()), mail_domain("b.test", WELL)]) as lab:
        assert await texts(lab, "a.test", "MX") == ["10 mx1.a.test.", "20 mx2.a.test."]
        assert await texts(lab, "mx2.a.test", "A") == [lab.servers["mx2.a.test"].address]
        assert {server.port for server in lab.servers.values()} == {lab.port}
        assert len({server.address for server in lab.servers.values()}) == 3
        for name, seen in (("mx1.b.test", "220 250+"), ("mx2.a.test", "220 250 ")):
            server = lab.servers[name]
            assert (await look(server.address, lab.port, client_context())).startswith(seen)


async def test_a_host_with_several_addresses() -> None:
    host = LabHost(
        name="mx.a.test", personality=WELL, addresses=2, published=("::1", "2001:db8::1")
    )
    async with Lab([LabDomain(name="a.test", mx=((10, host),))]) as lab:
        server = lab.servers["mx.a.test"]
        assert server.addresses[2:] == ("::1",)
        assert await texts(lab, "mx.a.test", "A") == list(server.addresses[:2])
        assert await texts(lab, "mx.a.test", "AAAA") == ["2001:db8::1", "::1"]
        for address in server.addresses:
            assert (await look(address, lab.port, client_context())).startswith("220")


async def test_a_host_may_be_published_and_not_be_there() -> None:
    host = LabHost(name="mx.a.test", personality=WELL, addresses=0, published=("10.0.0.1",))
    async with Lab([LabDomain(name="a.test", mx=((10, host),))]) as lab:
        assert await texts(lab, "mx.a.test", "A") == ["10.0.0.1"]
        assert not lab.servers


async def test_what_a_domain_publishes_for_mta_sts_and_tls_rpt() -> None:
    policy = LabSts(host=PolicyHost("version: STSv1\n"), txt=("v=STSv1; id=1;", 'of "another"'))
    rpt = "v=TLSRPTv1; rua=mailto:tls@a.test"
    async with Lab([LabDomain(name="a.test", sts=policy, tls_rpt=rpt)]) as lab:
        assert await texts(lab, "_mta-sts.a.test", "TXT") == [
            '"of \\"another\\""',
            '"v=STSv1; id=1;"',
        ]
        assert await texts(lab, "_smtp._tls.a.test", "TXT") == [f'"{rpt}"']
        server = lab.servers["mta-sts.a.test"]
        assert await texts(lab, "mta-sts.a.test", "A") == [server.address]
        assert server.port == lab.port == lab.settings().sts_port


async def test_two_domains_may_share_a_host() -> None:
    shared = LabHost(name="mx.hoster.test", personality=WELL)
    names = ("a.test", "b.test")
    async with Lab([LabDomain(name=name, mx=((10, shared),)) for name in names]) as lab:
        assert list(lab.servers) == ["mx.hoster.test"]
        assert await texts(lab, "a.test", "MX") == await texts(lab, "b.test", "MX")


async def test_what_a_domain_can_have_besides() -> None:
    implicit = LabHost(name="implicit.test", personality=WELL)
    domains = [
        LabDomain(name="implicit.test", hosts=(implicit,)),
        LabDomain(name="null.test", records=(("null.test", "MX", "0 ."),)),
        LabDomain(name="broken.test", fault=Fault.SERVFAIL),
        LabDomain(name="nothing.test"),
    ]
    async with Lab(domains) as lab:
        assert await texts(lab, "implicit.test", "MX") == []
        assert await texts(lab, "implicit.test", "A") == [lab.servers["implicit.test"].address]
        assert await texts(lab, "null.test", "MX") == ["0 ."]
        assert (await ask(lab, "broken.test", "MX")).rcode() == dns.rcode.SERVFAIL
        assert (await ask(lab, "nothing.test", "MX")).rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize("signed", [True, False])
async def test_signed_domains(*, signed: bool) -> None:
    host = LabHost(name="mx.a.test", personality=WELL)
    async with Lab([LabDomain(name="a.test", mx=((10, host),), signed=signed)]) as lab:
        for name, rdtype in (("a.test", "MX"), ("mx.a.test", "A"), ("_25._tcp.mx.a.test", "TLSA")):
            response = await ask(lab, name, rdtype, dns.flags.RD | dns.flags.AD)
            assert bool(response.flags & dns.flags.AD) is signed


@pytest.mark.parametrize("validating", [True, False])
async def test_the_name_that_must_be_bogus(*, validating: bool) -> None:
    async with Lab([], validating=validating) as lab:
        name = lab.settings().dnssec_probe
        checked = await ask(lab, name, "A")
        unchecked = await ask(lab, name, "A", dns.flags.RD | dns.flags.CD)
    assert (checked.rcode() == dns.rcode.SERVFAIL) is validating
    assert unchecked.rcode() == dns.rcode.NOERROR


async def test_settings_see_the_lab_and_nothing_else() -> None:
    async with Lab([mail_domain("a.test", WELL)]) as lab:
        settings = lab.settings(greeting_s=0.5)
        assert settings == Settings(
            resolvers=(lab.resolver,),
            port=lab.port,
            sts_port=lab.port,
            ca_file=lab.ca_file,
            allow_private=True,
            pace=Pace(address_interval_s=0.0, operator_interval_s=0.0, dns_per_s=1e6),
            busy_tries=2,
            slow_greeting_s=0.0,
            ehlo_name="probe.lab.test",
            greeting_s=0.5,
        )
        assert x509.load_pem_x509_certificate(lab.ca_file.read_bytes()) == lab.ca.root


async def test_nothing_is_left_behind() -> None:
    async with Lab([mail_domain("a.test", Silent(), Refuses())]) as lab:
        server = lab.servers["mx1.a.test"]
        reader, writer = await asyncio.open_connection(server.address, lab.port)
        await asyncio.sleep(0.02)
    assert await reader.read() == b""
    writer.close()
    await assert_all_gone(lab)


async def test_cancellation_leaves_nothing_behind() -> None:
    lab = Lab([mail_domain("a.test", Silent())])

    started = asyncio.Event()

    async def use() -> None:
        async with lab:
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(use())
    await started.wait()
    reader, writer = await asyncio.open_connection(lab.servers["mx1.a.test"].address, lab.port)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await reader.read() == b""
    writer.close()
    await assert_all_gone(lab)


@pytest.mark.parametrize("turns", range(6))
async def test_cancellation_while_starting(turns: int) -> None:
    lab = Lab([mail_domain("a.test", Silent())])
    task = asyncio.create_task(lab.start())
    for _ in range(turns):
        await asyncio.sleep(0)
    if task.cancel():
        with pytest.raises(asyncio.CancelledError):
            await task
    await lab.aclose()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_another_port_is_tried_where_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def taken_once(address: str, port: int, *, reuse: bool) -> socket.socket:
        tries.append(port)
        if len(tries) == 2:
            raise OSError(errno.EADDRINUSE, "taken")
        return bind(address, port, reuse=reuse)

    monkeypatch.setattr(smtp, "bind", taken_once)
    async with Lab([mail_domain("a.test", WELL, WELL)]) as lab:
        assert tries == [0, tries[1], 0, lab.port]
        assert lab.servers["mx1.a.test"].port == lab.servers["mx2.a.test"].port == lab.port


async def test_only_one_host_can_have_the_ipv6_loopback() -> None:
    hosts = (LabHost(name=f"mx{n}.a.test", personality=WELL, published=("::1",)) for n in (1, 2))
    lab = Lab([LabDomain(name="a.test", hosts=tuple(hosts))])
    with pytest.raises(OSError, match="in use"):
        await lab.start()
    await assert_all_gone(lab)


async def test_labs_do_not_disturb_each_other() -> None:
    async with Lab(DEMO) as one, Lab(DEMO) as other:
        assert one.port != other.port
        assert one.ca_file != other.ca_file


async def test_the_demo() -> None:
    names = [domain.name for domain in DEMO]
    assert len(set(names)) == len(names)
    assert all(domain.shows for domain in DEMO)
    async with Lab(DEMO) as lab:
        assert lab.settings(**DEMO_DEADLINES).session_s == DEMO_DEADLINES["session_s"]
        assert (await ask(lab, "null-mx.test", "MX")).answer
        assert (await ask(lab, "no-such-domain.test", "MX")).rcode() == dns.rcode.NXDOMAIN


def test_there_is_a_domain_for_every_personality() -> None:
    assert [domain.name for domain in every_domain()] == [f"{name}.test" for name in EVERY]
    assert all(domain.shows for domain in every_domain())


async def assert_all_gone(lab: Lab) -> None:
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not lab.ca_file.exists()
    for server in lab.servers.values():
        assert await look(server.address, server.port, client_context()) == "refused"
