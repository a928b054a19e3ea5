"""One small Internet a module, in the loop of its tests."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from prober.lab.demo import mail_domain
from prober.lab.internet import EHLO_NAME, Lab, LabDomain
from prober.lab.peer import Peer
from prober.lab.personalities.ehlo import NoStarttls
from prober.lab.personalities.greeting import Busy, Refuses, Silent
from prober.lab.personalities.scripted import Scripted
from prober.lab.personalities.sound import SelfSigned, WellConfigured
from tests.cli.commands import Probe, environment
from tests.cli.forks import ForkServer

HELD = asyncio.Event()


class Held(Scripted):
    """Greets no one before ``HELD`` is set."""

    async def greet(self, peer: Peer) -> None:
        await HELD.wait()
        await super().greet(peer)


DOMAINS = (
    mail_domain("good.test", WellConfigured(), WellConfigured()),
    mail_domain("also-good.test", WellConfigured()),
    mail_domain("self-signed.test", SelfSigned()),
    mail_domain("clear.test", NoStarttls()),
    mail_domain("busy.test", Busy()),
    mail_domain("silent.test", Silent()),
    mail_domain("refuses.test", Refuses()),
    mail_domain("held.test", Held()),
    LabDomain(name="null.test", records=(("null.test", "MX", "0 ."),)),
    LabDomain(
        name=EHLO_NAME,
        records=(
            (EHLO_NAME, "A", "127.0.0.1"),
            ("1.0.0.127.in-addr.arpa", "PTR", EHLO_NAME),
        ),
    ),
)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offline, in this process, a resolver that refuses will refuse a second later, too."""
    monkeypatch.setattr("prober.net.resolver._RETRY_DELAY_S", 0.01)


@pytest.fixture(scope="session")
def forks() -> Iterator[ForkServer]:
    with ForkServer(environment()) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def probe(forks: ForkServer) -> AsyncIterator[Probe]:
    async with Lab(DOMAINS) as lab:
        yield Probe(lab, forks)
