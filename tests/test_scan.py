"""Many domains: each once, in order where asked, shared endpoints, clean ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from prober import DomainReport, probe_domain
from prober.domains import Entry, parse_entry
from prober.errors import InputError, SettingsError
from prober.lab.demo import mail_domain
from prober.lab.internet import Lab, LabDomain, LabHost
from prober.lab.personalities.ehlo import NoStarttls
from prober.lab.personalities.greeting import Silent, Slow
from prober.lab.personalities.sound import WellConfigured
from prober.progress import Progress
from prober.records import Level
from prober.scan import scan
from prober.settings import Settings
from tests.support.waiting import until

SHARED = LabHost(name="mx.shared.test", personality=Slow(delay=0.05))
DOMAINS = (
    mail_domain("slow.test", Slow(delay=1.0)),
    mail_domain("quick.test", WellConfigured()),
    mail_domain("clear.test", NoStarttls()),
    mail_domain("silent.test", Silent()),
    *(LabDomain(name=f"customer{n}.test", mx=((10, SHARED),)) for n in range(8)),
)


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with Lab(DOMAINS) as lab:
        yield lab


def settings(lab: Lab, **changes: Any) -> Settings:
    defaults: dict[str, Any] = {"greeting_s": 60.0, "quit_s": 20.0, "confirm_delay_s": 0.05}
    return lab.settings(**(defaults | changes))


def entries(*names: str) -> Iterator[Entry]:
    for number, name in enumerate(names, start=1):
        yield parse_entry(name, number)


async def test_reports_come_as_they_complete(lab: Lab) -> None:
    seen: list[DomainReport] = []
    await scan(entries("slow.test", "quick.test"), settings(lab), seen.append)
    assert [report.domain for report in seen] == ["quick.test", "slow.test"]


async def test_reports_come_in_the_order_of_the_input_where_asked(lab: Lab) -> None:
    seen: list[DomainReport] = []
    await scan(
        entries("slow.test", "no domain", "quick.test"), settings(lab), seen.append, ordered=True
    )
    assert [report.input for report in seen] == ["slow.test", "no domain", "quick.test"]


async def test_a_domain_is_probed_and_reported_once_in_whatever_spelling(lab: Lab) -> None:
    seen: list[DomainReport] = []
    progress = Progress()
    again = entries("quick.test", "Quick.Test.", "me@quick.test", "clear.test")
    await scan(again, settings(lab), seen.append, progress=progress)

    assert sorted(report.domain or "" for report in seen) == ["clear.test", "quick.test"]
    assert (progress.done, progress.duplicates) == (2, 2)
    assert len(lab.servers["mx1.quick.test"].sessions) == 2  # with SNI, and without


async def test_every_line_that_is_no_domain_is_reported(lab: Lab) -> None:
    seen: list[DomainReport] = []
    await scan(entries("1.2.3.4", "1.2.3.4", "*.test"), settings(lab), seen.append)
    assert [report.verdict.level for report in seen] == [Level.INVALID] * 3
    assert [report.error and report.error[:7] for report in seen] == [
        "line 1:",
        "line 2:",
        "line 3:",
    ]


async def test_an_endpoint_of_many_domains_is_asked_once(lab: Lab) -> None:
    seen: list[DomainReport] = []
    await scan(entries(*(f"customer{n}.test" for n in range(8))), settings(lab), seen.append)

    assert {report.verdict.level for report in seen} == {Level.AUTHENTICATED}
    assert len(lab.servers["mx.shared.test"].sessions) == 2  # with SNI, and without
    assert lab.dns.queries["mx.shared.test", "A"] == 1


async def test_one_address_sees_two_sessions_at_once_at_the_most(lab: Lab) -> None:
    """Eight MX names, one address: the sessions cannot be shared, but they take turns."""
    server = lab.servers["mx.shared.test"]
    for number in range(8):
        lab.dns.add(f"alias{number}.test", "MX", f"10 mx{number}.alias.test.")
        lab.dns.add(f"mx{number}.alias.test", "A", server.address)
    await scan(entries(*(f"alias{n}.test" for n in range(8))), settings(lab), lambda _: None)

    assert [session.sni for session in server.sessions].count(None) == 1
    assert len(server.sessions) == 8 + 1
    assert server.max_open == 2


async def test_no_session_without_sni_where_that_is_left_out(lab: Lab) -> None:
    seen: list[DomainReport] = []
    await scan(entries("quick.test"), settings(lab, sni_only=True), seen.append)

    assert [session.sni for session in lab.servers["mx1.quick.test"].sessions] == ["mx1.quick.test"]
    assert seen[0].endpoints[0].without_sni is None


async def test_what_the_report_raises_ends_the_scan(lab: Lab) -> None:
    class DiskFullError(Exception):
        pass

    def fail(_: DomainReport) -> None:
        raise DiskFullError

    with pytest.raises(DiskFullError):
        await scan(entries("quick.test", "silent.test"), settings(lab), fail)


async def test_cancellation_leaves_nothing_behind(lab: Lab) -> None:
    before = asyncio.all_tasks()
    running = asyncio.create_task(
        scan(entries("silent.test", "slow.test"), settings(lab), lambda _: None)
    )
    silent = lab.servers["mx1.silent.test"]
    await until(lambda: silent.open > 0)

    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert running.cancelled()
    await until(lambda: silent.open == 0)
    for _ in range(3):
        await asyncio.sleep(0)
    assert not [task for task in asyncio.all_tasks() - before if "prober/lab" not in repr(task)]


async def test_the_list_is_read_lazily(lab: Lab) -> None:
    read: list[str] = []

    def endless() -> Iterator[Entry]:
        for number in range(1_000_000):
            read.append(f"gone{number}.test")
            yield Entry(text=read[-1], domain=read[-1])

    class EnoughError(Exception):
        pass

    seen: list[DomainReport] = []

    def until_enough(report: DomainReport) -> None:
        seen.append(report)
        if len(seen) == 20:
            raise EnoughError

    with pytest.raises(EnoughError):
        await scan(endless(), settings(lab, concurrency=10), until_enough)
    assert len(read) <= 20 + 10


async def test_one_domain_by_its_name(lab: Lab) -> None:
    report = await probe_domain("Quick.test.", settings(lab))
    assert (report.input, report.domain) == ("Quick.test.", "quick.test")
    assert report.verdict.level is Level.AUTHENTICATED


async def test_one_domain_that_is_none() -> None:
    with pytest.raises(InputError, match="an IP address"):
        await probe_domain("1.2.3.4")


async def test_settings_that_cannot_work_end_the_scan_before_it_begins() -> None:
    with pytest.raises(SettingsError, match="not a nameserver"):
        await scan(entries("a.test"), Settings(resolvers=("nonsense",)), lambda _: None)
