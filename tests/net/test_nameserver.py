"""One nameserver, and several in turn: hostile answers, silence, TCP. RFC 5452 §9, RFC 7766."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from dns.rcode import Rcode

from prober.net.dns_message import MalformedError, Query, Response
from prober.net.nameserver import ErrorCode, Nameserver, NoneLeftError, ask_in_turn

NAME = "mx.example.test"
QUERY = Query.of(NAME, "A")

Answers = Callable[[dns.message.Message], Iterable[bytes]]


def response(query: dns.message.Message) -> dns.message.Message:
    """The right one."""
    made = dns.message.make_response(query)
    made.answer = [dns.rrset.from_text(f"{NAME}.", 60, "IN", "A", "192.0.2.1")]
    return made


def right(query: dns.message.Message) -> Iterable[bytes]:
    yield response(query).to_wire()


def silent(_query: dns.message.Message) -> Iterable[bytes]:
    return ()


def saying(rcode: Rcode) -> Answers:
    def answer(query: dns.message.Message) -> Iterable[bytes]:
        made = dns.message.make_response(query)
        made.set_rcode(rcode)
        yield made.to_wire()

    return answer


def truncated(query: dns.message.Message) -> Iterable[bytes]:
    made = dns.message.make_response(query)
    made.flags |= dns.flags.TC
    yield made.to_wire()


def denying_what_it_brings(query: dns.message.Message) -> Iterable[bytes]:
    made = response(query)
    made.set_rcode(dns.rcode.NXDOMAIN)
    yield made.to_wire()


def after(*others: Answers) -> Answers:
    """What others say, and then the right answer."""

    def answer(query: dns.message.Message) -> Iterable[bytes]:
        for other in (*others, right):
            yield from other(query)

    return answer


def with_another_id(query: dns.message.Message) -> Iterable[bytes]:
    made = response(query)
    made.id ^= 1
    yield made.to_wire()


def to_another_question(query: dns.message.Message) -> Iterable[bytes]:
    made = response(query)
    made.question = [dns.rrset.from_text("other.test.", 0, "IN", "A")]
    yield made.to_wire()


def the_query_itself(query: dns.message.Message) -> Iterable[bytes]:
    yield query.to_wire()


def junk(_query: dns.message.Message) -> Iterable[bytes]:
    yield b""
    yield b"\xff" * 40


@dataclass
class Scripted(asyncio.DatagramProtocol):
    """A nameserver that says what it is told to, over UDP and over TCP."""

    udp: Answers = right
    tcp: Answers = right
    asked: list[tuple[int, int]] = field(default_factory=list)  # from which port, by which id
    asked_tcp: int = 0

    # typeshed has BaseTransport here; a datagram endpoint is given a DatagramTransport
    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        self.asked.append((addr[1], query.id))
        for wire in self.udp(query):
            self.transport.sendto(wire, addr)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            length = int.from_bytes(await reader.readexactly(2))
            query = dns.message.from_wire(await reader.readexactly(length))
            self.asked_tcp += 1
            for wire in self.tcp(query):
                for octet in len(wire).to_bytes(2) + wire:
                    writer.write(bytes([octet]))
                    await writer.drain()


@contextlib.asynccontextmanager
async def running(server: Scripted) -> AsyncIterator[Nameserver]:
    tcp = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = tcp.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    udp, _ = await loop.create_datagram_endpoint(lambda: server, ("127.0.0.1", port))
    try:
        yield Nameserver("127.0.0.1", port)
    finally:
        udp.abort()
        tcp.close()
        await asyncio.sleep(0)


async def ask(
    *servers: Scripted, tcp: bool = False, try_s: float = 20.0, lifetime_s: float = 60.0
) -> Response:
    """What these servers, in turn, answer."""
    async with contextlib.AsyncExitStack() as stack:
        nameservers = [await stack.enter_async_context(running(server)) for server in servers]
        return await ask_in_turn(nameservers, QUERY, tcp=tcp, try_s=try_s, lifetime_s=lifetime_s)


async def faults(*servers: Scripted, tcp: bool = False) -> list[object]:
    """What rules these servers out."""
    with pytest.raises(NoneLeftError) as raised:
        await ask(*servers, tcp=tcp)
    return list(raised.value.faults)


class TestOverUdp:
    @pytest.mark.parametrize(
        "other", [with_another_id, to_another_question, the_query_itself, junk]
    )
    async def test_what_is_no_response_does_not_hide_it(self, other: Answers) -> None:
        found = await ask(Scripted(after(other)))
        assert [record.to_text() for record in found.records] == ["192.0.2.1"]

    @pytest.mark.parametrize("other", [with_another_id, to_another_question, junk])
    async def test_what_is_no_response_is_silence(self, other: Answers) -> None:
        with pytest.raises(TimeoutError):
            await ask(Scripted(other), try_s=0.2, lifetime_s=0.3)

    @pytest.mark.parametrize(("strays", "is_heard"), [(90, True), (110, False)])
    async def test_a_flood_of_what_is_no_response_is_silence(
        self, strays: int, *, is_heard: bool
    ) -> None:
        """A socket that always has something to read gives nobody else a turn."""

        def flood(query: dns.message.Message) -> Iterable[bytes]:
            yield from [b"junk"] * strays
            yield from right(query)

        async with running(Scripted(flood)) as nameserver:
            with contextlib.nullcontext() if is_heard else pytest.raises(TimeoutError):
                assert (await nameserver.ask(QUERY, tcp=False, timeout_s=20.0)).records

    async def test_an_answer_from_elsewhere_does_not_count(self) -> None:
        """RFC 5452 §9.1: from the address and port that was asked."""
        server = Scripted(silent)

        def forge(query: dns.message.Message) -> Iterable[bytes]:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
                made = response(query).to_wire()
                elsewhere.sendto(made, ("127.0.0.1", server.asked[-1][0]))
            return ()

        server.udp = forge
        with pytest.raises(TimeoutError):
            await ask(server, try_s=0.2, lifetime_s=0.3)
        assert server.asked

    async def test_ports_and_ids_cannot_be_guessed(self) -> None:
        """RFC 5452 §9.2: each question has others."""
        server = Scripted()
        async with running(server) as nameserver:
            for _ in range(16):
                await nameserver.ask(QUERY, tcp=False, timeout_s=20.0)
        ports, ids = (set(each) for each in zip(*server.asked, strict=True))
        assert len(ports) > 8
        assert len(ids) > 8
        assert max(ids) - min(ids) > 256

    async def test_nobody_listens(self) -> None:
        with pytest.raises(NoneLeftError) as raised:
            await ask_in_turn(
                [Nameserver("127.0.0.1", 9)], QUERY, tcp=False, try_s=20.0, lifetime_s=60.0
            )
        assert isinstance(raised.value.faults[0], ConnectionRefusedError)

    async def test_what_does_not_fit_is_asked_for_over_tcp(self) -> None:
        server = Scripted(truncated)
        assert (await ask(server)).records
        assert server.asked_tcp == 1


class TestOverTcp:
    async def test_in_however_many_pieces(self) -> None:
        server = Scripted()
        assert (await ask(server, tcp=True)).records
        assert not server.asked

    @pytest.mark.parametrize("other", [with_another_id, to_another_question])
    async def test_what_is_no_response_rules_the_server_out(self, other: Answers) -> None:
        assert [type(each) for each in await faults(Scripted(tcp=other), tcp=True)] == [
            MalformedError
        ]

    @pytest.mark.parametrize("tcp", [False, True], ids=["after-udp", "at-once"])
    async def test_truncated_there_too_is_no_answer(self, *, tcp: bool) -> None:
        """What was cut off may be the records: "none" would be a guess."""
        (fault,) = await faults(Scripted(truncated, truncated), tcp=tcp)
        assert isinstance(fault, MalformedError)

    async def test_closed_before_the_response(self) -> None:
        assert isinstance((await faults(Scripted(tcp=silent), tcp=True))[0], ConnectionResetError)


class TestInTurn:
    @pytest.mark.parametrize(
        ("server", "fault"),
        [
            (saying(Rcode.SERVFAIL), Rcode.SERVFAIL),
            (saying(Rcode.REFUSED), Rcode.REFUSED),
            (saying(Rcode.BADVERS), Rcode.BADVERS),
            (denying_what_it_brings, Rcode.NXDOMAIN),
        ],
    )
    async def test_one_that_errs_is_asked_once(self, server: Answers, fault: Rcode) -> None:
        erring, sound = Scripted(server), Scripted()
        assert (await ask(erring, sound)).records
        assert await faults(Scripted(server)) == [ErrorCode(fault)]
        assert len(erring.asked) == 1

    async def test_one_that_is_silent_is_asked_again_after_the_others(self) -> None:
        asked: list[str] = []

        def slow(query: dns.message.Message) -> Iterable[bytes]:
            asked.append("slow")
            return right(query) if asked.count("slow") > 1 else ()

        def dead(_query: dns.message.Message) -> Iterable[bytes]:
            asked.append("dead")
            return ()

        assert (await ask(Scripted(slow), Scripted(dead), try_s=0.3)).records
        assert asked == ["slow", "dead", "slow"]

    async def test_a_denial_is_an_answer(self) -> None:
        found = await ask(Scripted(saying(Rcode.NXDOMAIN)), Scripted())
        assert (found.rcode, found.records) == (Rcode.NXDOMAIN, ())

    async def test_the_time_is_up(self) -> None:
        with pytest.raises(TimeoutError):
            await ask(Scripted(silent), try_s=0.2, lifetime_s=0.3)
