"""The lab's DNS server, asked by dnspython over UDP and TCP."""

import asyncio
import socket
from collections.abc import Callable

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import pytest

from prober.lab.dns import LabDns
from prober.lab.faults import Fault
from tests.support.waiting import until

SILENCE_S = 0.5  # for an answer that does not come
LONG = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])  # 253 characters
RECORDS = {
    "example.test": [("MX", "10 mx.example.test"), ("MX", "20 mx.example.test.")],
    "mx.example.test": [("A", "127.77.0.1"), ("AAAA", "::1")],
    "_25._tcp.mx.example.test": [("TLSA", "3 1 1 " + "ab" * 32)],
    "www.example.test": [("CNAME", "alias.example.test")],
    "alias.example.test": [("CNAME", "mx.example.test")],
    "loop.test": [("CNAME", "loop.test")],
    "dangling.test": [("CNAME", "nowhere.test")],
    "large.test": [("TXT", f'"{n:0200d}"') for n in range(10)],
    "\\000\\255\\.x.test": [("A", "127.77.0.2")],
    LONG: [("A", "127.77.0.3")],
}


async def ask(
    server: LabDns,
    name: str,
    rdtype: str,
    *,
    tcp: bool = False,
    flags: int = dns.flags.RD,
    payload: int | None = None,
    dnssec: bool = False,
    timeout_s: float = 20.0,
) -> dns.message.Message:
    query = dns.message.make_query(name, rdtype, flags=flags, payload=payload, want_dnssec=dnssec)
    send = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
    return await send(query, server.address, timeout=timeout_s, port=server.port)


def texts(response: dns.message.Message) -> list[str]:
    """The answer; records come in any order, and compressed names in the question's case."""
    return [
        text for rrset in response.answer for text in sorted(r.to_text().lower() for r in rrset)
    ]


over_both = pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])


@over_both
@pytest.mark.parametrize(
    ("name", "rdtype", "answer"),
    [
        ("example.test", "MX", ["10 mx.example.test.", "20 mx.example.test."]),
        ("EXAMPLE.Test", "MX", ["10 mx.example.test.", "20 mx.example.test."]),
        ("mx.example.test", "A", ["127.77.0.1"]),
        ("mx.example.test", "AAAA", ["::1"]),
        ("_25._tcp.mx.example.test", "TLSA", ["3 1 1 " + "ab" * 32]),
        ("www.example.test", "A", ["alias.example.test.", "mx.example.test.", "127.77.0.1"]),
        ("www.example.test", "CNAME", ["alias.example.test."]),
        ("\\000\\255\\.x.test", "A", ["127.77.0.2"]),
        (LONG, "A", ["127.77.0.3"]),
    ],
)
async def test_answers(name: str, rdtype: str, answer: list[str], *, tcp: bool) -> None:
    async with LabDns(RECORDS) as server:
        response = await ask(server, name, rdtype, tcp=tcp)
    assert response.rcode() == dns.rcode.NOERROR
    assert texts(response) == answer
    assert response.flags & dns.flags.RA
    assert not response.authority


@over_both
@pytest.mark.parametrize(
    ("name", "rdtype", "rcode"),
    [
        ("example.test", "TXT", dns.rcode.NOERROR),
        ("_tcp.mx.example.test", "A", dns.rcode.NOERROR),  # an empty non-terminal
        ("nowhere.test", "MX", dns.rcode.NXDOMAIN),
        ("below.mx.example.test", "A", dns.rcode.NXDOMAIN),
        ("dangling.test", "A", dns.rcode.NXDOMAIN),  # of the alias's target: RFC 6604
        ("www.example.test", "TXT", dns.rcode.NOERROR),
    ],
)
async def test_negative_answers_have_a_soa(
    name: str, rdtype: str, rcode: dns.rcode.Rcode, *, tcp: bool
) -> None:
    async with LabDns(RECORDS) as server:
        response = await ask(server, name, rdtype, tcp=tcp)
    assert response.rcode() == rcode
    assert [rrset.rdtype.name for rrset in response.authority] == ["SOA"]


async def test_the_soa_is_that_of_the_zone() -> None:
    soa = "ns.zone.test admin.zone.test 7 3600 600 86400 60"
    async with LabDns({"zone.test": [("SOA", soa)]}) as server:
        denied = await ask(server, "no.zone.test", "A")
    assert denied.authority[0].name == dns.name.from_text("zone.test")


async def test_a_loop_of_aliases_is_a_servfail() -> None:
    async with LabDns(RECORDS) as server:
        assert (await ask(server, "loop.test", "A")).rcode() == dns.rcode.SERVFAIL


@pytest.mark.parametrize(
    ("payload", "truncated"),
    [(None, True), (1232, True), (4096, False)],
    ids=["plain", "1232", "4096"],
)
async def test_what_exceeds_the_payload_is_truncated(
    payload: int | None, *, truncated: bool
) -> None:
    async with LabDns(RECORDS) as server:
        udp = await ask(server, "large.test", "TXT", payload=payload)
        tcp = await ask(server, "large.test", "TXT", tcp=True)
    assert bool(udp.flags & dns.flags.TC) is truncated
    assert len(texts(tcp)) == 10


@pytest.mark.parametrize(
    ("fault", "rcode"),
    [
        (Fault.SERVFAIL, dns.rcode.SERVFAIL),
        (Fault.REFUSED, dns.rcode.REFUSED),
        (Fault.NOTIMP, dns.rcode.NOTIMP),
        (Fault.BOGUS, dns.rcode.SERVFAIL),
    ],
)
async def test_error_codes(fault: Fault, rcode: dns.rcode.Rcode) -> None:
    async with LabDns(RECORDS) as server:
        server.fail("mx.example.test", fault)
        for name in ("mx.example.test", "www.example.test"):  # the other one leads to it
            response = await ask(server, name, "A")
            assert (response.rcode(), response.answer) == (rcode, [])


async def test_a_fault_can_be_for_one_type_and_can_be_removed() -> None:
    async with LabDns(RECORDS) as server:
        server.fail("mx.example.test", Fault.SERVFAIL, "AAAA")
        assert (await ask(server, "mx.example.test", "AAAA")).rcode() == dns.rcode.SERVFAIL
        assert (await ask(server, "mx.example.test", "A")).rcode() == dns.rcode.NOERROR
        server.fail("mx.example.test", None, "AAAA")
        assert (await ask(server, "mx.example.test", "AAAA")).rcode() == dns.rcode.NOERROR


async def test_bogus_data_is_returned_with_checking_disabled() -> None:
    async with LabDns(RECORDS, signed=["example.test"]) as server:
        server.fail("mx.example.test", Fault.BOGUS)
        response = await ask(server, "mx.example.test", "A", flags=dns.flags.RD | dns.flags.CD)
    assert texts(response) == ["127.77.0.1"]
    assert response.flags & dns.flags.CD
    assert not response.flags & dns.flags.AD


@over_both
async def test_no_answer(*, tcp: bool) -> None:
    async with LabDns(RECORDS) as server:
        server.fail("mx.example.test", Fault.TIMEOUT)
        with pytest.raises(dns.exception.Timeout):
            await ask(server, "mx.example.test", "A", tcp=tcp, timeout_s=SILENCE_S)


async def test_truncated_whatever_the_size() -> None:
    async with LabDns(RECORDS) as server:
        server.fail("mx.example.test", Fault.TRUNCATE)
        udp = await ask(server, "mx.example.test", "A")
        tcp = await ask(server, "mx.example.test", "A", tcp=True)
    assert (bool(udp.flags & dns.flags.TC), udp.answer) == (True, [])
    assert texts(tcp) == ["127.77.0.1"]


@over_both
async def test_a_late_answer(*, tcp: bool) -> None:
    async with LabDns(RECORDS) as server:
        server.delay("mx.example.test", 0.2)
        start = asyncio.get_running_loop().time()
        assert texts(await ask(server, "mx.example.test", "A", tcp=tcp)) == ["127.77.0.1"]
        assert asyncio.get_running_loop().time() - start > 0.19  # uvloop counts milliseconds


@pytest.mark.parametrize(
    ("name", "flags", "dnssec", "ad"),
    [
        ("mx.example.test", dns.flags.RD, False, False),  # RFC 6840 §5.7: to those who ask
        ("mx.example.test", dns.flags.RD | dns.flags.AD, False, True),
        ("mx.example.test", dns.flags.RD, True, True),
        ("no.example.test", dns.flags.RD | dns.flags.AD, False, True),
        ("mx.example.test", dns.flags.RD | dns.flags.AD | dns.flags.CD, False, False),
        ("in.unsigned.test", dns.flags.RD | dns.flags.AD, False, False),
        ("dangling.test", dns.flags.RD | dns.flags.AD, False, False),  # signed, its target not
    ],
)
async def test_ad_is_set_on_signed_answers(name: str, flags: int, dnssec: bool, ad: bool) -> None:
    async with LabDns(RECORDS, signed=["example.test"]) as server:
        server.sign("dangling.test")
        response = await ask(server, name, "A", flags=flags, dnssec=dnssec)
    assert bool(response.flags & dns.flags.AD) is ad


async def test_queries_are_counted() -> None:
    async with LabDns(RECORDS) as server:
        await ask(server, "Example.test", "MX")
        await ask(server, "example.test.", "MX", tcp=True)
        await ask(server, "nowhere.test", "A")
    assert server.queries == {("example.test", "MX"): 2, ("nowhere.test", "A"): 1}
    assert server.queries_tcp == 1


@over_both
@pytest.mark.parametrize("fault", [None, *Fault], ids=str)
@pytest.mark.parametrize("flags", [dns.flags.RD, dns.flags.RD | dns.flags.AD | dns.flags.CD])
def test_a_question_that_comes_again_has_the_same_answer(
    fault: Fault | None, flags: int, *, tcp: bool
) -> None:
    """Compares cached replies with those of a new server."""
    kept = LabDns(RECORDS)
    kept.fail("mx.example.test", fault)
    kept.delay("mx.example.test", 0.5)
    for name in ("mx.example.test", "www.example.test", "nowhere.test"):
        for number in (1, 2, 3):
            fresh = LabDns(RECORDS)
            fresh.fail("mx.example.test", fault)
            fresh.delay("mx.example.test", 0.5)
            query = dns.message.make_query(name, "A", flags=flags, id=number).to_wire()
            assert kept.answer(query, tcp=tcp) == fresh.answer(query, tcp=tcp)
        assert kept.queries[name, "A"] == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda server: server.add("mx.example.test", "A", "127.77.0.9"),
        lambda server: server.sign("example.test"),
        lambda server: server.fail("mx.example.test", Fault.SERVFAIL),
        lambda server: server.delay("mx.example.test", 1.0),
    ],
    ids=["add", "sign", "fail", "delay"],
)
def test_a_change_is_seen_in_the_next_answer(change: Callable[[LabDns], None]) -> None:
    server = LabDns(RECORDS)
    query = dns.message.make_query("mx.example.test", "A", want_dnssec=True).to_wire()
    before = server.answer(query, tcp=False)
    assert server.answer(query, tcp=False) == before
    change(server)
    assert server.answer(query, tcp=False) != before


async def test_records_can_be_added_while_it_runs() -> None:
    async with LabDns() as server:
        assert (await ask(server, "new.test", "A")).rcode() == dns.rcode.NXDOMAIN
        server.add("new.test", "A", "127.77.0.4", "127.77.0.5")
        server.add("new.test", "A", "127.77.0.6")
        assert texts(await ask(server, "new.test", "A")) == [
            "127.77.0.4",
            "127.77.0.5",
            "127.77.0.6",
        ]


@pytest.mark.parametrize("wire", [b"", b"\0" * 12, b"\xff" * 40], ids=["empty", "zeros", "ones"])
async def test_malformed_queries_are_ignored(wire: bytes) -> None:
    async with LabDns(RECORDS) as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(wire, (server.address, server.port))
        assert texts(await ask(server, "mx.example.test", "A")) == ["127.77.0.1"]


async def test_it_closes_while_clients_wait() -> None:
    async with LabDns(RECORDS) as server:
        server.delay("mx.example.test", 60.0)
        waiting = [
            asyncio.create_task(ask(server, "mx.example.test", "A", tcp=tcp, timeout_s=2.0))
            for tcp in (False, True)
        ]
        idle = await asyncio.open_connection(server.address, server.port)
        await until(lambda: server.queries.total() == 2)
    assert await idle[0].read() == b""
    idle[1].close()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [dns.exception.Timeout, EOFError]
    assert asyncio.all_tasks() == {asyncio.current_task()}
