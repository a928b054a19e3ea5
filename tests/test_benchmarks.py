"""The simulated Internet of the benchmarks does what it says; how fast it is, nobody tests."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import dns.flags
import dns.message
import pytest

from benchmarks import validation
from benchmarks.bound import bound, parts
from benchmarks.figures import HEADS, Figure, Scale, to_markdown
from benchmarks.internet import run, running
from benchmarks.nameserver import Names
from benchmarks.plan import (
    CUSTOMER_ADDRESSES,
    HOSTED_SHARE,
    OF_CUSTOMERS,
    OPERATOR_SHARES,
    OPERATORS,
    Behaviour,
    Plan,
    Spread,
    Trouble,
    host_at,
)
from benchmarks.targets import entries, target_of
from benchmarks.throughput import expected_level
from prober.lab.dns import LabDns
from prober.lab.faults import Fault
from prober.lab.internet import PROBE_NAME
from prober.records import Level
from prober.scan import scan
from prober.settings import Pace, Settings
from tests.support.waiting import until

DOMAINS = 20_000
TINY = Plan(domains=150, trouble=Trouble(clear=0.1))


def test_operators_have_the_shares_that_were_measured() -> None:
    plan = Plan(domains=DOMAINS)
    hosts = Counter(map(plan.host, range(DOMAINS)))
    for operator, share in enumerate(OPERATOR_SHARES):
        assert hosts[operator] / DOMAINS == pytest.approx(share, abs=0.001)


def test_the_rest_is_at_hosters_or_by_itself() -> None:
    plan = Plan(domains=DOMAINS)
    hosts = Counter(map(plan.host, range(DOMAINS)))
    hosters = range(OPERATORS, OPERATORS + plan.hosters)
    hosted = sum(hosts[host] for host in hosters)
    alone = [count for host, count in hosts.items() if host >= hosters.stop]
    assert hosted / DOMAINS == pytest.approx(HOSTED_SHARE, abs=0.002)
    assert set(alone) == {1}
    assert len(alone) / DOMAINS == pytest.approx(1 - sum(OPERATOR_SHARES) - HOSTED_SHARE, abs=0.002)


def test_each_address_leads_back_to_its_host() -> None:
    for spread in Spread:
        plan = Plan(domains=500, spread=spread)
        for domain in range(plan.domains):
            assert host_at(plan.address(domain)) == plan.host(domain)


def test_customers_have_names_of_their_own_at_shared_addresses() -> None:
    plan = Plan(domains=1000)
    customers = [d for d in range(plan.domains) if plan.host(d) == OF_CUSTOMERS]
    assert len({plan.mx_host(d) for d in customers}) == len(customers)
    assert len({plan.address(d) for d in customers}) == CUSTOMER_ADDRESSES


def test_trouble_has_its_share_of_the_small_hosts_and_none_of_the_large() -> None:
    trouble = Trouble(slow=0.05, throttling=0.1, clear=0.15, dead=0.2)
    plan = Plan(domains=DOMAINS, trouble=trouble)
    assert {plan.behaviour(host) for host in range(OPERATORS)} == {Behaviour.WELL}
    small = Counter(plan.behaviour(host) for host in range(OPERATORS, OPERATORS + DOMAINS))
    for behaviour, share in (
        (Behaviour.SLOW, 0.05),
        (Behaviour.THROTTLING, 0.1),
        (Behaviour.CLEAR, 0.15),
        (Behaviour.DEAD, 0.2),
        (Behaviour.WELL, 0.5),
    ):
        assert small[behaviour] / DOMAINS == pytest.approx(share, abs=0.001)


def lab_dns(plan: Plan) -> LabDns:
    """A resolver of the lab that has the data of *plan*."""
    server = LabDns()
    server.add(PROBE_NAME, "A", "192.0.2.1")
    server.fail(PROBE_NAME, Fault.BOGUS)
    for domain, name in enumerate(plan.names()):
        address = plan.address(domain).to_bytes(4, "big")
        server.add(name, "MX", f"10 {plan.mx_host(domain)}")
        server.add(plan.mx_host(domain), "A", ".".join(map(str, address)))
    return server


@pytest.mark.parametrize("edns", [False, True], ids=["plain", "edns"])
@pytest.mark.parametrize("flags", [dns.flags.RD, dns.flags.RD | dns.flags.AD | dns.flags.CD])
def test_names_are_answered_as_the_lab_answers_from_data(flags: int, *, edns: bool) -> None:
    plan = Plan(domains=30)
    names, server = Names(plan), lab_dns(plan)
    asked = {PROBE_NAME, ".", "test", "nowhere.test", f"d{plan.domains}.test", "H0.Test"}
    for domain, name in enumerate(plan.names()):
        asked |= {name, plan.mx_host(domain), f"_mta-sts.{name}", f"_smtp._tls.{name}"}
    for name in asked:
        for rdtype in ("MX", "A", "AAAA", "TXT", "NS"):
            query = dns.message.make_query(name, rdtype, flags=flags, want_dnssec=edns)
            wire, _ = server.answer(query.to_wire(), tcp=False)
            assert wire is not None
            expected = dns.message.from_wire(wire)
            answered = dns.message.from_wire(names.answer(query.to_wire()))
            assert query.is_response(answered)
            assert answered == expected, f"{name} {rdtype}"
            assert (answered.flags, answered.edns) == (expected.flags, expected.edns)


@pytest.mark.parametrize("junk", [b"", bytes(12), bytes(16), b"\xff" * 40])
def test_junk_is_not_answered(junk: bytes) -> None:
    assert Names(TINY).answer(junk) == b""


def test_a_scan_of_it_finds_what_it_is() -> None:
    levels: dict[str, Level] = {}
    with running(TINY) as internet:
        settings = Settings(
            resolvers=internet.settings.resolvers,
            port=internet.settings.port,
            ca_file=internet.settings.ca_file,
            ehlo_name=internet.settings.ehlo_name,
            allow_private=True,
            confirm_delay_s=0.0,
            pace=Pace(address_interval_s=0.0),
        )
        run(
            scan(
                entries(TINY),
                settings,
                lambda report: levels.update({report.domain or "": report.verdict.level}),
            )
        )
        run(until(lambda: internet.mail_load().open == 0))  # it hears of the last QUIT after us
        assert 0 < internet.mail_load().served < internet.dns_load().served
    expected = {name: expected_level(TINY, d) for d, name in enumerate(TINY.names())}
    assert Level.NONE in expected.values()
    assert levels == expected


def test_an_endpoint_is_where_dns_has_it() -> None:
    with running(Plan(domains=3)) as internet:
        target = target_of(2, internet)
    names = Names(Plan(domains=3))
    query = dns.message.make_query(target.mx_host, "A")
    (answer,) = dns.message.from_wire(names.answer(query.to_wire())).answer
    assert [record.to_text() for record in answer] == [target.address]


@pytest.mark.parametrize(
    ("plan", "changes", "what"),
    [
        (Plan(domains=5000), {}, "DNS questions a second"),
        (Plan(domains=500, round_trip_s=1.0), {"concurrency": 1}, "domains looked up at once"),
        (Plan(domains=500, round_trip_s=1.0), {"dns_concurrency": 1}, "DNS questions at once"),
        (Plan(domains=500, round_trip_s=1.0), {"sessions": 1}, "sessions at once"),
        (Plan(domains=500), {"address_interval_s": 60.0}, "the busiest address"),
        (Plan(domains=500), {"operator_interval_s": 60.0}, "the busiest operator"),
        (Plan(domains=500, trouble=Trouble(dead=0.5)), {}, "the last host: dead"),
    ],
)
def test_the_bound_names_what_takes_longest(
    plan: Plan, changes: dict[str, float], what: str
) -> None:
    pace = Pace(**changes)  # type: ignore[arg-type] # mypy cannot see which goes where
    settings = Settings(pace=pace)
    slowest = bound(plan, settings)
    assert slowest.what == what
    assert slowest.seconds == max(part.seconds for part in parts(plan, settings))


@pytest.mark.parametrize(
    ("value", "most", "least", "met"),
    [
        (2.0, 2.0, None, True),
        (2.1, 2.0, None, False),
        (400.0, None, 400.0, True),
        (399.0, None, 400.0, False),
        (1.0, None, None, None),
        (None, 2.0, None, None),
    ],
)
def test_a_target_is_met_or_missed(
    value: float | None, most: float | None, least: float | None, met: bool | None
) -> None:
    assert Figure(what="x", value=value, most=most, least=least).is_met is met


def test_the_markdown_table_has_a_line_a_figure() -> None:
    figures = [Figure(what="x", value=1234.5, unit="ms", most=2), Figure(what="y", value=None)]
    head, rule, *lines = to_markdown([figure.cells("b") for figure in figures]).splitlines()
    assert head.split(" | ")[0] == f"| {HEADS[0]}"
    assert rule.count("---") == len(HEADS)
    assert lines[0] == "| b | x | 1,234 ms | ≤ 2 | missed |"


def test_the_command_prints_a_table() -> None:
    command = [sys.executable, "-m", "benchmarks", "--only", "endpoint", "--quick", "--markdown"]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 0, done.stderr
    assert "Quick: not to be quoted" in done.stdout
    (row,) = [line for line in done.stdout.splitlines() if "endpoint : bare handshake" in line]
    assert "≤ 2" in row


def test_validation_asks_one_question_more_for_a_domain_and_two_where_it_is_signed() -> None:
    """And for all domains together those for the keys of the root, and what is below it."""
    figures = {each.what: each.value for each in validation.measure(Scale(quick=True))}
    for kind, more in (("unsigned", 1), ("signed", 2)):
        off, local = (figures[f"{kind}: questions, {who}"] for who in ("off", "local"))
        assert off is not None
        assert local is not None
        assert more <= local - off <= more + 0.1
