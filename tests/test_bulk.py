"""Large scans, as the servers of the lab see them: how many sessions, and how fast."""

import asyncio
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from prober.domains import Entry, parse_entry
from prober.lab.demo import mail_domain
from prober.lab.internet import Lab, LabDomain, LabHost
from prober.lab.personalities.ehlo import NoStarttls
from prober.lab.personalities.greeting import Silent, Slow
from prober.lab.personalities.sound import WellConfigured, Wildcard
from prober.pace import AdaptiveRate
from prober.records import DomainReport, Endpoint, Level, Reason
from prober.scan import Ending, probe_domain, scan
from tests.personalities.sessions import Throttle
from tests.support.builders import NOW
from tests.support.waiting import until

INTERVAL_S = 0.5
DOMAINS = 600


def entries(names: Iterator[str]) -> Iterator[Entry]:
    return (parse_entry(name, line) for line, name in enumerate(names, 1))


async def scanned(lab: Lab, names: Iterator[str], **changes: Any) -> list[DomainReport]:
    reports: list[DomainReport] = []
    await scan(entries(names), lab.settings(**changes), reports.append)
    return reports


def add_names(lab: Lab, address: str, *names: str) -> None:
    for name in names:
        lab.dns.add(name, "A", address)


@pytest.fixture
def beginnings(monkeypatch: pytest.MonkeyPatch) -> Mapping[int, list[float]]:
    """The start times of sessions by rate; there is a rate for each address and operator."""
    seen: defaultdict[int, list[float]] = defaultdict(list)
    try_start = AdaptiveRate.try_start

    def noting(rate: AdaptiveRate, now: float) -> float:
        wait_s = try_start(rate, now)
        if not wait_s:
            seen[id(rate)].append(now)
        return wait_s

    monkeypatch.setattr(AdaptiveRate, "try_start", noting)
    return seen


async def test_hundreds_of_domains_on_forty_endpoints_need_forty_probes(
    beginnings: Mapping[int, list[float]],
) -> None:
    """20 servers with two names each. Half have no STARTTLS, so they get two sessions."""
    sound = [LabHost(name=f"mx.s{n}.test", personality=WellConfigured()) for n in range(10)]
    clear = [LabHost(name=f"mx.c{n}.test", personality=NoStarttls()) for n in range(10)]
    domain = LabDomain(name="all.test", hosts=(*sound, *clear))
    async with Lab([domain]) as lab:
        for host in (*sound, *clear):
            add_names(lab, lab.servers[host.name].address, f"b{host.name}")
        hosts = [f"{prefix}{host.name}" for host in (*sound, *clear) for prefix in ("", "b")]
        for number in range(DOMAINS):
            lab.dns.add(f"d{number}.test", "MX", f"10 {hosts[number % 40]}.")
        names = (f"d{number}.test" for number in range(DOMAINS))
        reports = await scanned(
            lab, names, share=False, address_interval_s=INTERVAL_S, confirm_delay_s=1.0
        )
        servers = [lab.servers[host.name] for host in (*sound, *clear)]

    assert Counter(report.verdict.level for report in reports) == {
        Level.AUTHENTICATED: DOMAINS // 4,
        Level.OPPORTUNISTIC: DOMAINS // 4,  # the second name is not in the certificate
        Level.NONE: DOMAINS // 2,
    }
    without_sni = 10  # one for each address that completes TLS
    assert sum(len(server.sessions) for server in servers) == 20 * 1 + 20 * 2 + without_sni
    assert max(server.max_open for server in servers) <= 2
    assert sum(map(len, beginnings.values())) == 20 * 1 + 20 * 2 + without_sni
    for began in beginnings.values():
        assert all(b - a >= INTERVAL_S for a, b in itertools.pairwise(began))


async def test_names_that_agree_at_one_address_are_probed_three_times_in_total() -> None:
    host = LabHost(name="mx.hoster.test", personality=Wildcard())
    async with Lab([LabDomain(name="hoster.test", hosts=(host,))]) as lab:
        address = lab.servers[host.name].address
        for number in range(50):
            add_names(lab, address, f"c{number}.hoster.test")
            lab.dns.add(f"d{number}.test", "MX", f"10 c{number}.hoster.test.")
        reports = await scanned(lab, (f"d{number}.test" for number in range(50)))
        sessions = lab.servers[host.name].sessions

    assert len(sessions) == 3 + 1  # and one without SNI
    assert {report.verdict.level for report in reports} == {Level.AUTHENTICATED}
    shared = [endpoint for report in reports for endpoint in report.endpoints]
    asked = {endpoint.mx_host for endpoint in shared if endpoint.observed_as is None}
    assert asked == {session.sni for session in sessions} - {None}
    assert {endpoint.observed_as for endpoint in shared} - {None} <= asked
    assert all(endpoint.certificate is not None for endpoint in shared)


async def test_a_throttling_server_ends_with_the_right_answer_for_all_its_domains() -> None:
    """It accepts two sessions per second, and refused ones count as well."""
    host = LabHost(name="mx.t.test", personality=Throttle(most=2, window=1.0))
    async with Lab([LabDomain(name="t.test", hosts=(host,))]) as lab:
        address = lab.servers["mx.t.test"].address
        for number in range(12):
            add_names(lab, address, f"mx{number}.t.test")
            lab.dns.add(f"d{number}.test", "MX", f"10 mx{number}.t.test.")
        reports = await scanned(
            lab,
            (f"d{number}.test" for number in range(12)),
            address_interval_s=0.1,
            confirm_delay_s=0.3,
            slowest_interval_s=2.0,
            busy_tries=5,
        )
        sessions = lab.servers["mx.t.test"].sessions

    assert Counter(report.verdict.level for report in reports) == {Level.OPPORTUNISTIC: 12}
    turned_away = [session for session in sessions if session.tls_version is None]
    assert len(sessions) - len(turned_away) == 12 + 1  # and one without SNI
    assert 0 < len(turned_away) < 30


async def test_a_server_that_greets_late_gets_more_time_without_blocking_others() -> None:
    late = Slow(delay=4.0)
    domains = [mail_domain("late.test", late), mail_domain("silent.test", Silent())]
    domains += [mail_domain(f"good{number}.test", WellConfigured()) for number in range(20)]
    async with Lab(domains) as lab:
        reports = await scanned(
            lab,
            (domain.name for domain in domains),
            greeting_s=2.0,
            slow_greeting_s=8.0,
            confirm_delay_s=0.1,
            concurrency=1,
            sessions=1,
        )

    by_name = {report.domain: report for report in reports}
    assert by_name["late.test"].verdict.level is Level.AUTHENTICATED
    (silent,) = by_name["silent.test"].endpoints
    assert silent.failure is not None
    assert silent.failure.reason is Reason.TIMED_OUT
    assert [attempt.failure is not None for attempt in silent.attempts] == [True, True]
    assert {report.domain for report in reports[-2:]} == {"late.test", "silent.test"}


async def test_the_same_domain_gives_the_same_facts_alone_and_in_bulk() -> None:
    domains = [
        mail_domain("good.test", WellConfigured()),
        mail_domain("clear.test", NoStarttls()),
        mail_domain("silent.test", Silent()),
        mail_domain("busy.test", Throttle(most=0)),
    ]
    async with Lab(domains) as lab:
        settings = lab.settings(greeting_s=2.0, slow_greeting_s=3.0, confirm_delay_s=0.1)
        bulk: list[DomainReport] = []
        await scan(entries(domain.name for domain in domains), settings, bulk.append)
        for report in bulk:
            assert report.domain is not None
            alone = await probe_domain(report.domain, settings)
            assert _timeless(alone) == _timeless(report)


def _timeless(report: DomainReport) -> list[object]:
    """*report* without its times."""

    def without_times(endpoint: Endpoint) -> Endpoint:
        attempts = tuple(replace(attempt, observed_at=NOW) for attempt in endpoint.attempts)
        transcript = tuple(replace(line, ms=0) for line in endpoint.transcript)
        plain = endpoint.without_sni and replace(endpoint.without_sni, observed_at=NOW)
        return replace(
            endpoint,
            observed_at=NOW,
            without_sni=plain,
            attempts=attempts,
            transcript=transcript,
        )

    names = ("domain", "verdict", "route", "mx_hosts", "sts", "tls_rpt_txt", "findings", "delivery")
    return [
        *(getattr(report, name) for name in names),
        *(without_times(endpoint) for endpoint in report.endpoints),
    ]


async def test_a_stop_finishes_running_domains_and_starts_no_others() -> None:
    domains = [mail_domain(f"slow{number}.test", Slow(delay=1.0)) for number in range(3)]
    async with Lab(domains) as lab:
        ending = Ending()
        reports: list[DomainReport] = []
        started = entries(f"slow{number % 3}.test" for number in itertools.count())
        running = asyncio.create_task(
            scan(
                itertools.islice(started, 3),
                lab.settings(greeting_s=60.0, concurrency=1, in_hand=2, stop_grace_s=60.0),
                reports.append,
                ending=ending,
            )
        )
        server = lab.servers["mx1.slow1.test"]
        await until(lambda: bool(server.sessions))
        ending.request()
        await running

    assert sorted(report.domain or "" for report in reports) == ["slow0.test", "slow1.test"]
    assert {report.verdict.level for report in reports} == {Level.AUTHENTICATED}


async def test_a_domain_that_does_not_finish_in_time_is_not_reported() -> None:
    async with Lab([mail_domain("silent.test", Silent())]) as lab:
        ending = Ending()
        reports: list[DomainReport] = []
        settings = lab.settings(greeting_s=60.0, stop_grace_s=0.1)
        running = asyncio.create_task(
            scan(entries(iter(["silent.test"])), settings, reports.append, ending=ending)
        )
        server = lab.servers["mx1.silent.test"]
        await until(lambda: bool(server.sessions))
        ending.request()
        await running
    assert reports == []


async def test_a_scan_that_is_stopped_before_it_starts_does_nothing() -> None:
    async with Lab([mail_domain("good.test", WellConfigured())]) as lab:
        ending = Ending()
        ending.request()
        reports: list[DomainReport] = []
        settings = lab.settings()
        await scan(entries(iter(["good.test"])), settings, reports.append, ending=ending)
    assert reports == []
