"""The lab's SMTP server: what it records, and that it always ends its sessions."""

import asyncio
import contextlib

import pytest

from prober.lab.internet import Lab
from prober.lab.peer import COMMANDS, Peer
from prober.lab.personalities.ehlo import NoStarttls
from prober.lab.personalities.greeting import Refuses, Silent
from prober.lab.personalities.scripted import Personality
from prober.lab.personalities.sound import WellConfigured
from prober.lab.smtp import LabSmtpServer
from tests.lab.client import RawClient, client_context, look
from tests.personalities import every_domain
from tests.personalities.ehlo import EndlessReply
from tests.support.waiting import PATIENCE_S, until


async def test_a_session_is_recorded() -> None:
    async with LabSmtpServer(WellConfigured(), name="mx.example.test") as server:
        before = asyncio.get_running_loop().time()
        await look(server.address, server.port, client_context())
        await until_empty(server)
    (session,) = server.sessions
    assert session.commands == ["EHLO probe.lab.test", "STARTTLS", "EHLO probe.lab.test", "QUIT"]
    assert session.commands_tls == ["EHLO probe.lab.test", "QUIT"]
    assert session.number == 1
    assert session.ended is not None
    assert before <= session.started <= session.ended
    assert session.hello_bytes is not None
    assert session.hello_bytes > 1000
    assert not session.pipelined


async def test_sessions_are_counted() -> None:
    async with LabSmtpServer(WellConfigured()) as server:
        clients = [await RawClient.connect(server.address, server.port) for _ in range(3)]
        for client in clients:
            await client.reply()
        assert (server.open, server.max_open) == (3, 3)
        for client in clients:
            await client.__aexit__()
        await until_empty(server)
        await look(server.address, server.port, client_context())
        await until_empty(server)
    assert (server.open, server.max_open, len(server.sessions)) == (0, 3, 4)
    assert [session.number for session in server.sessions] == [1, 2, 3, 4]


async def test_only_so_many_sessions_are_kept() -> None:
    async with LabSmtpServer(WellConfigured(), kept=2) as server:
        for _ in range(9):
            await look(server.address, server.port, client_context())
        await until_empty(server)
    assert server.count == 9
    assert len(server.sessions) <= 4
    assert server.sessions[-1].number == 9


async def test_all_that_is_sent_comes_a_round_trip_late() -> None:
    loop = asyncio.get_running_loop()
    async with LabSmtpServer(NoStarttls(), latency_s=0.1) as server:
        before = loop.time()
        async with await RawClient.connect(server.address, server.port) as client:
            assert (await client.reply())[:4] == b"220 "
            assert loop.time() - before > 0.19  # to connect is one, the greeting another
            client.send(b"EHLO probe.lab.test\r\nQUIT\r\n")
            before = loop.time()
            assert (await client.reply())[:4] == b"250-"
            assert await client.reply() == b"221 2.0.0 Bye\r\n"
            assert await client.reader.read() == b""
            assert loop.time() - before > 0.09


async def test_pipelining_is_noted() -> None:
    async with LabSmtpServer(NoStarttls()) as server:
        async with await RawClient.connect(server.address, server.port) as client:
            await client.reply()
            client.send(b"EHLO probe.lab.test\r\nQUIT\r\n")
            await client.reply()
            assert await client.reply() == b"221 2.0.0 Bye\r\n"
    assert server.sessions[0].pipelined


async def test_commands_out_of_place() -> None:
    async with LabSmtpServer(WellConfigured()) as server:
        async with await RawClient.connect(server.address, server.port) as client:
            await client.reply()
            assert (await client.ask("HELO probe.lab.test"))[:3] == b"250"
            assert (await client.ask("MAIL FROM:<>"))[:3] == b"502"
            assert (await client.ask(""))[:3] == b"502"
            assert (await client.ask("STARTTLS"))[:3] == b"220"
            await client.start_tls(client_context())
            assert (await client.ask("STARTTLS"))[:3] == b"502"


async def test_one_host_may_have_several_addresses() -> None:
    async with LabSmtpServer(WellConfigured(), "127.77.1.1", "127.77.1.2") as server:
        for address in server.addresses:
            assert (await look(address, server.port, client_context())).startswith("220 250+")
    assert len(server.sessions) == 2


async def test_ipv6() -> None:
    async with LabSmtpServer(WellConfigured(), "::1") as server:
        assert (await look("::1", server.port, client_context())).endswith("221")


async def test_a_refusing_host_keeps_its_port_from_others() -> None:
    async with LabSmtpServer(Refuses()) as server:
        with pytest.raises(OSError, match="in use"):
            await LabSmtpServer(WellConfigured(), port=server.port).start()
        assert await look(server.address, server.port, client_context()) == "refused"


async def test_a_port_can_be_taken_again_at_once() -> None:
    async with LabSmtpServer(WellConfigured()) as first:
        await look(first.address, first.port, client_context())
    async with LabSmtpServer(WellConfigured(), port=first.port) as second:
        assert second.port == first.port


async def test_a_server_that_cannot_start_leaves_nothing_behind() -> None:
    async with LabSmtpServer(Silent(), "127.77.1.2") as other:
        with pytest.raises(OSError, match="in use"):
            await LabSmtpServer(Silent(), "127.77.1.1", "127.77.1.2", port=other.port).start()
        async with LabSmtpServer(Silent(), "127.77.1.1", port=other.port):
            pass


@pytest.mark.parametrize("sent", [b"X" * 100_000, b"NOOP\r\n" * 2_000], ids=["line", "commands"])
async def test_a_flood_ends_the_session(sent: bytes) -> None:
    async with LabSmtpServer(WellConfigured()) as server:
        async with await RawClient.connect(server.address, server.port) as client:
            client.send(sent)
            with contextlib.suppress(EOFError, ConnectionResetError):
                async with asyncio.timeout(PATIENCE_S):
                    while True:
                        await client.reply()
        await until_empty(server)
    assert len(server.sessions[0].commands) <= COMMANDS


async def test_it_ends_with_clients_in_mid_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once: it would be too long to wait until no more comes from them."""
    monkeypatch.setattr("prober.lab.peer.LINGER_S", 3600.0)
    async with Lab(every_domain()) as lab:
        servers = [s for s in lab.servers.values() if s.personality.listens]
        opening = (asyncio.open_connection(s.address, s.port) for s in servers * 3)
        connections = await asyncio.gather(*opening)
        for _, writer in connections:
            writer.write(b"EHLO probe.lab.test\r\nSTARTTLS\r\n\x16\x03\x01\x00\x05hello")
        await asyncio.sleep(0.05)
    assert not any(server.open for server in servers)
    for _, writer in connections:
        writer.close()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_it_ends_with_a_client_that_never_reads() -> None:
    async with LabSmtpServer(EndlessReply()) as server:
        _, writer = await asyncio.open_connection(server.address, server.port, limit=1)
        writer.write(b"EHLO probe.lab.test\r\n")
        await asyncio.sleep(0.2)
    writer.close()
    assert server.open == 0


async def test_it_ends_with_a_client_that_just_connected() -> None:
    async with LabSmtpServer(WellConfigured()) as server:
        _, writer = await asyncio.open_connection(server.address, server.port)
    writer.close()


class Broken(Personality):
    """Has a defect of its own."""

    async def converse(self, peer: Peer) -> None:
        raise ZeroDivisionError


async def test_a_defect_of_a_personality_comes_to_light() -> None:
    server = LabSmtpServer(Broken())
    await server.start()
    assert await look(server.address, server.port, client_context()) in ("closed", "reset")
    with pytest.raises(ExceptionGroup) as caught:
        await server.aclose()
    assert caught.group_contains(ZeroDivisionError)


async def until_empty(server: LabSmtpServer) -> None:
    await until(lambda: not server.open)
