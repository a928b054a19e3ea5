"""Every personality, as a raw client sees it."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop
from OpenSSL import SSL

from prober.lab.certificates import HOSTILE_TEXT
from prober.lab.internet import Lab
from prober.lab.personalities.greeting import Masked, Slow
from prober.lab.personalities.scripted import Personality
from prober.lab.personalities.sessions import GainsStarttls
from prober.lab.personalities.sound import WellConfigured
from prober.lab.personalities.starttls import LargeHelloIntolerant
from prober.lab.smtp import LabSmtpServer
from tests.lab.client import RawClient, client_context, look
from tests.personalities import EVERY, every_domain
from tests.personalities.ehlo import BareLf, CodeChanges, LookalikeKeywords, LowerCaseKeywords
from tests.personalities.greeting import HostileText, MultilineGreeting, NotSmtp, Tarpit
from tests.personalities.sessions import LosesStarttls, Throttle
from tests.personalities.sound import RsaKeyExchange
from tests.personalities.starttls import AnonymousOnly, StarttlsInjection

WELL = "220 250+ 220 TLSv1.3 250 221"
SEEN = {
    "well-configured": WELL,
    "tls13-only": WELL,
    "tls12-only": "220 250+ 220 TLSv1.2 250 221",
    "tls11-only": "220 250+ 220 TLSv1.1 250 221",
    "tls10-only": "220 250+ 220 TLSv1 250 221",
    "rsa-key-exchange": "220 250+ 220 TLSv1.2 250 221",
    "weak-dh": "220 250+ 220 TLSv1.2 250 221",
    "asks-client-certificate": WELL,
    "self-signed": WELL,
    "expired": WELL,
    "not-yet-valid": WELL,
    "wrong-name": WELL,
    "cn-only": WELL,
    "wildcard": WELL,
    "partial-wildcard": WELL,
    "missing-intermediate": WELL,
    "misordered-chain": WELL,
    "weak-signature": WELL,
    "weak-key": WELL,
    "old-tls-too": WELL,
    "null-suites-too": WELL,
    "expired-rsa-too": WELL,
    "malformed-san": WELL,
    "busy": "421 closed",
    "no-service": "554 503 503 221",
    "silent": "silence",
    "refuses": "refused",
    "closes-at-once": "closed",
    "resets-at-once": "reset",
    "closes-after-greeting": "220 closed",
    "slow": WELL,
    "tarpit": "silence",
    "not-smtp": "silence",
    "multiline-greeting": WELL,
    "masked-greeting": WELL,
    "masked-keywords": "220 250 500 221",
    "masked": "220 250 500 221",
    "hostile-text": WELL,
    "no-starttls": "220 250 502 221",
    "ehlo-refused": "220 550 503 221",
    "ehlo-busy": "220 421 closed",
    "ehlo-silent": "220 silence",
    "helo-only": "220 502 502 221",
    "helo-refused": "220 502 502 221",
    "lower-case-keywords": WELL,
    "lookalike-keywords": "220 250 502 221",
    "code-changes": WELL,
    "bare-lf": WELL,
    "byte-by-byte": WELL,
    "endless-reply": "220 flood",
    "endless-line": "220 flood",
    "starttls-deferred": "220 250+ 454 221",
    "starttls-refused": "220 250+ 554 221",
    "starttls-busy": "220 250+ 421 closed",
    "starttls-silent": "220 250+ silence",
    "starttls-closes": "220 250+ closed",
    "starttls-resets": "220 250+ reset",
    "starttls-injection": "220 250+ 220 TLSv1.3 250 250",  # off by one: the injected reply
    "handshake-garbage": "220 250+ 220 wrong version number",
    "handshake-closes": "220 250+ 220 closed",
    "handshake-resets": "220 250+ 220 reset",
    "handshake-silent": "220 250+ 220 silence",
    "handshake-alert": "220 250+ 220 tls alert handshake failure",
    "late-alert": "220 250+ 220 TLSv1.3 tlsv13 alert certificate required",
    "anonymous-only": "220 250+ 220 TLSv1.2 250 221",
    "starttls-refused-and-closes": "220 250+ 454 closed",
    "starttls-unreadable": "220 250+ rea 221",
    "empty-line-before-reply": "220 250+ \r\n 220",
    "no-secure-renegotiation": "220 250+ 220 unsafe legacy renegotiation disabled",
    "no-signing": WELL,
    "sni-refused": "220 250+ 220 TLSv1.3 250 221",
    "sni-required": "220 250+ 220 tlsv1 alert internal error",
    "other-certificate-without-sni": "220 250+ 220 TLSv1.3 250 221",
    "large-hello-intolerant": "220 250+ 220 reset",
    "tls-closes": "220 250+ 220 TLSv1.3 closed",
    "tls-resets": "220 250+ 220 TLSv1.3 reset",
    "tls-silent": "220 250+ 220 TLSv1.3 silence",
    "tls-ehlo-refused": "220 250+ 220 TLSv1.3 550 221",
    "tls-busy": "220 250+ 220 TLSv1.3 421 closed",
    "tls-offers-starttls-again": "220 250+ 220 TLSv1.3 250+ 221",
    "tls-more-keywords": WELL,
    "gains-starttls": "220 250 502 221",
    "ehlo-unknown-once": "220 502 220 TLSv1.3 250 221",
    "handshake-resets-once": "220 250+ 220 reset",
    "no-starttls-then-defers": "220 250 502 221",
    "loses-starttls": WELL,
    "throttle": WELL,
}


LoopFactory = Callable[[], asyncio.AbstractEventLoop]


async def look_at_all() -> dict[str, str]:
    async with Lab(every_domain()) as lab:
        context = client_context()
        servers = {name: lab.servers[f"mx1.{name}.test"] for name in EVERY}
        looks = (look(server.address, server.port, context) for server in servers.values())
        return dict(zip(servers, await asyncio.gather(*looks), strict=True))


@pytest.mark.parametrize(
    "loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
def test_every_personality_behaves_as_its_name_says(loop_factory: LoopFactory) -> None:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(look_at_all()) == SEEN


def test_every_personality_says_what_it_is() -> None:
    assert all(personality.__doc__ for personality in EVERY.values())
    assert all(personality.id == name for name, personality in EVERY.items())


async def look_at(personality: Personality, *contexts: SSL.Context) -> list[str]:
    """One session after the other, each with its own context."""
    async with LabSmtpServer(personality) as server:
        return [await look(server.address, server.port, context) for context in contexts]


async def replies(personality: Personality, *commands: str) -> bytes:
    """All that is received in clear, in one session."""
    async with LabSmtpServer(personality) as server:
        async with await RawClient.connect(server.address, server.port) as client:
            await client.reply()
            for command in commands:
                await client.ask(command)
            return client.received


@pytest.mark.parametrize(
    ("personality", "shown"),
    [
        (BareLf(), b"lab\n250-mx.lab.test\n250-PIPELINING\n"),
        (CodeChanges(), b"\r\n250-mx.lab.test\r\n220-SIZE 10240000\r\n250 STARTTLS\r\n"),
        (LookalikeKeywords(), b"STARTTLS\r\n250-mx.lab.test\r\n250-SIZE 10240000\r\n250-XSTARTTLS"),
        (Masked(), b"220 ****************************************\r\n"),
        (Masked(), b"\r\n250-XXXXXXXA\r\n"),
        (MultilineGreeting(), b"220-mx.lab.test ESMTP lab\r\n220-No unsolicited mail\r\n220 "),
        (HostileText(), b"220 " + HOSTILE_TEXT.encode() + b"\xff\r\n"),
        (LowerCaseKeywords(), b"\r\n250-starttls\r\n"),
    ],
    ids=lambda value: value.id if isinstance(value, Personality) else "",
)
async def test_replies_look_on_the_wire_as_they_should(
    personality: Personality, shown: bytes
) -> None:
    assert shown in await replies(personality, "EHLO probe.lab.test")


async def test_an_injected_reply_comes_with_the_220() -> None:
    received = await replies(StarttlsInjection(), "EHLO probe.lab.test", "STARTTLS")
    assert received.endswith(b"220 2.0.0 Ready to start TLS\r\n250 X-INJECTED\r\n")


async def test_another_protocol_is_spoken() -> None:
    async with LabSmtpServer(NotSmtp()) as server:
        async with await RawClient.connect(server.address, server.port) as client:
            assert await client.reader.readline() == b"SSH-2.0-OpenSSH_9.9\r\n"


async def test_a_tarpit_may_end() -> None:
    (seen,) = await look_at(Tarpit(interval=0.0, lines=2), client_context())
    assert seen == WELL


async def test_a_slow_server_lets_its_client_wait() -> None:
    async with LabSmtpServer(Slow(delay=0.2)) as server:
        start = asyncio.get_running_loop().time()
        async with await RawClient.connect(server.address, server.port) as client:
            await client.reply()
    assert asyncio.get_running_loop().time() - start >= 0.2
    assert not server.sessions[0].pipelined


async def test_a_slow_server_records_a_client_that_speaks_first() -> None:
    async with LabSmtpServer(Slow(delay=0.2)) as server:
        async with await RawClient.connect(server.address, server.port) as client:
            await client.ask("EHLO probe.lab.test")
    assert server.sessions[0].pipelined


async def test_a_small_hello_passes_where_a_large_one_is_reset() -> None:
    small = client_context(highest=SSL.TLS1_2_VERSION)
    reset, passed = await look_at(LargeHelloIntolerant(), client_context(), small)
    assert (reset, passed) == ("220 250+ 220 reset", "220 250+ 220 TLSv1.2 250 221")


async def test_anonymous_suites_need_a_client_that_offers_them() -> None:
    (seen,) = await look_at(AnonymousOnly(), client_context(ciphers=b"DEFAULT"))
    assert seen == "220 250+ 220 tls alert handshake failure"


@pytest.mark.parametrize(
    ("personality", "seen"),
    [
        (GainsStarttls(), ["220 250 502 221", WELL, WELL]),
        (LosesStarttls(), [WELL, "220 250 502 221", "220 250 502 221"]),
        (Throttle(most=2), [WELL, WELL, "421 closed"]),
        (Throttle(most=0, window=0.0), ["421 closed", "421 closed", "421 closed"]),
    ],
    ids=["gains", "loses", "throttle", "always"],
)
async def test_sessions_that_differ(personality: Personality, seen: list[str]) -> None:
    context = client_context()
    assert await look_at(personality, context, context, context) == seen


async def test_a_throttle_forgets() -> None:
    async with LabSmtpServer(Throttle(most=1, window=0.2)) as server:
        first = await look(server.address, server.port, client_context())
        await asyncio.sleep(0.25)
        assert [first, await look(server.address, server.port, client_context())] == [WELL, WELL]


@pytest.mark.parametrize(
    ("personality", "group"),
    [(WellConfigured(), "X25519MLKEM768"), (RsaKeyExchange(), None)],
    ids=["post-quantum", "rsa"],
)
async def test_the_server_notes_what_was_negotiated(
    personality: Personality, group: str | None
) -> None:
    async with LabSmtpServer(personality) as server:
        await look(server.address, server.port, client_context())
    (session,) = server.sessions
    assert session.group == group
    assert session.sni == "mx.lab.test"
    assert session.tls_version is not None
    assert session.cipher is not None
