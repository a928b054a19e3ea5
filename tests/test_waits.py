"""What a watched run waits for, and what is known of it before it has finished."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from prober.domains import parse_entry
from prober.lab.demo import mail_domain
from prober.lab.faults import Fault
from prober.lab.internet import Lab, LabDomain
from prober.lab.personalities.greeting import Busy, Silent
from prober.lab.personalities.over_tls import TlsSilent
from prober.lab.personalities.scripted import Personality
from prober.lab.personalities.sound import WellConfigured
from prober.records import Code, DomainReport, Failure, Level, Reason, Standing, Step
from prober.rules.standing import assess
from prober.scan import scan
from prober.waits import Awaited, Wait, Watch
from tests.personalities.ehlo import EhloSilent
from tests.personalities.starttls import HandshakeSilent, StarttlsSilent
from tests.support.waiting import until

BOUNDS: dict[str, Any] = {
    "connect_s": 1001.0,
    "greeting_s": 1002.0,
    "command_s": 1003.0,
    "handshake_s": 1004.0,
    "dns_s": 1005.0,
    "dns_try_s": 1006.0,
    "confirm_delay_s": 1007.0,
    "session_s": 3000.0,
}


@contextlib.asynccontextmanager
async def watched(domain: LabDomain, **changes: Any) -> AsyncIterator[Watch]:
    """A run on *domain*, which is cancelled at the end."""
    watch = Watch()
    async with Lab([domain]) as lab:
        settings = lab.settings(**(BOUNDS | changes))
        entries = [parse_entry(domain.name)]
        run = asyncio.create_task(scan(entries, settings, lambda _: None, watch=watch))
        try:
            yield watch
        finally:
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)


def wait_of(watch: Watch, awaited: Awaited) -> Wait | None:
    return next((wait for wait in watch.waits.values() if wait.awaited is awaited), None)


def only_report(watch: Watch) -> DomainReport:
    (domain,) = watch.begun.values()
    return domain.so_far()


@pytest.mark.parametrize(
    ("personality", "awaited", "at_most_s"),
    [
        pytest.param(Silent(), Awaited.GREETING, 1002.0, id="greeting"),
        pytest.param(EhloSilent(), Awaited.EHLO, 1003.0, id="ehlo"),
        pytest.param(StarttlsSilent(), Awaited.STARTTLS, 1003.0, id="starttls"),
        pytest.param(HandshakeSilent(), Awaited.HANDSHAKE, 1004.0, id="handshake"),
        pytest.param(TlsSilent(), Awaited.POST_TLS, 1003.0, id="post-tls"),
        pytest.param(Busy(), Awaited.NEXT_SESSION, 1007.0, id="next session"),
    ],
)
async def test_each_wait_is_known_with_its_host_and_its_bound(
    personality: Personality, awaited: Awaited, at_most_s: float
) -> None:
    async with watched(mail_domain("a.test", personality)) as watch:
        await until(lambda: wait_of(watch, awaited) is not None)
        wait = wait_of(watch, awaited)

    assert wait is not None
    assert (wait.host, wait.at_most_s) == ("mx1.a.test", at_most_s)


async def test_no_wait_is_longer_than_its_session() -> None:
    async with watched(mail_domain("a.test", Silent()), session_s=900.0) as watch:
        await until(lambda: wait_of(watch, Awaited.GREETING) is not None)
        wait = wait_of(watch, Awaited.GREETING)

    assert wait is not None
    assert wait.at_most_s is not None
    assert wait.at_most_s <= 900.0


async def test_dns_that_says_nothing_is_waited_for() -> None:
    domain = LabDomain(name="a.test", fault=Fault.TIMEOUT)
    async with watched(domain) as watch:
        await until(lambda: wait_of(watch, Awaited.RESOLVE) is not None)
        wait = wait_of(watch, Awaited.RESOLVE)
        report = only_report(watch)

    assert wait is not None
    assert (wait.host, wait.at_most_s) == ("a.test", 1005.0)
    assert report.route is not None
    assert report.route.reason is Reason.UNFINISHED
    assert report.verdict.level is Level.UNKNOWN
    assert not report.findings


async def test_what_is_known_of_an_unfinished_domain_is_reported_also_after_it_was_stopped() -> (
    None
):
    async with watched(mail_domain("a.test", Silent(), WellConfigured())) as watch:
        await until(lambda: wait_of(watch, Awaited.GREETING) is not None)
        await until(lambda: any(facts.without_sni for facts in watch.known.values()))
        before = only_report(watch)
    after = only_report(watch)

    for report in (before, after):
        silent, well = report.endpoints
        assert silent.failure == Failure(step=Step.GREETING, reason=Reason.UNFINISHED)
        assert (well.mx_host, well.tls_version) == ("mx2.a.test", "TLSv1.3")
        assert assess(report, Level.OPPORTUNISTIC).standing is Standing.UNDECIDED
        assert all(found.code is not Code.NOT_TESTED for found in report.findings)


async def test_the_first_session_is_known_while_a_further_one_is_waited_for() -> None:
    async with watched(mail_domain("a.test", Busy())) as watch:
        await until(lambda: wait_of(watch, Awaited.NEXT_SESSION) is not None)
        (endpoint,) = only_report(watch).endpoints

    assert endpoint.failure is not None
    assert endpoint.failure.reply_code == 421


async def test_nothing_is_waited_for_once_all_is_known() -> None:
    watch = Watch()
    seen: list[DomainReport] = []
    async with Lab([mail_domain("a.test", WellConfigured())]) as lab:
        settings = lab.settings(**BOUNDS)
        await scan([parse_entry("a.test")], settings, seen.append, watch=watch)

    assert not watch.waits
    (report,) = seen
    known = only_report(watch)
    assert (known.endpoints, known.verdict) == (report.endpoints, report.verdict)
