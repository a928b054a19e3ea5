"""From a name in DNS to a route and its hosts: RFC 5321 §5.1, RFC 7505, and what is not said."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest

from prober.domains import Entry, parse_entry
from prober.errors import SettingsError
from prober.lab.demo import DEMO_DEADLINES
from prober.lab.dns import LabDns
from prober.lab.faults import Fault
from prober.lab.internet import Lab, LabDomain, LabHost, LabSts
from prober.lab.personalities.sound import WellConfigured
from prober.lab.policy_host import PolicyHost
from prober.net import resolver as resolver_module
from prober.probe import probe_entry
from prober.records import (
    Code,
    Dnssec,
    DomainReport,
    Encrypted,
    Level,
    Reason,
    RouteStatus,
    Step,
    StsStatus,
)
from prober.scan import scan
from prober.settings import Pace, Settings
from prober.vantage import Vantage

PUBLISHED: Mapping[str, Sequence[tuple[str, str]]] = {
    "null.test": [("MX", "0 .")],
    "null-beside.test": [("MX", "0 ."), ("MX", "10 mx.private.test.")],
    "implicit.test": [("A", "127.0.0.99")],
    "no-host.test": [("TXT", "nothing here")],
    "mx-gone.test": [("MX", "10 gone.test.")],
    "mx-literal.test": [("MX", "10 192.0.2.1.")],
    "mx-localhost.test": [("MX", "10 localhost.")],
    "mx-alias.test": [("MX", "10 alias.private.test.")],
    "mx-dead.test": [("MX", "10 dead.test.")],
    "mx-half-dead.test": [("MX", "10 half.test.")],
    "half.test": [("A", "127.0.0.99")],
    "alias.private.test": [("CNAME", "mx.private.test.")],
    "mx.private.test": [("A", "127.0.0.99"), ("AAAA", "fd00::99")],
    "private.test": [("MX", "10 mx.private.test.")],
    "many-hosts.test": [("MX", f"{n} h{n}.test.") for n in range(1, 5)],
    **{f"h{n}.test": [("A", f"10.0.0.{n}")] for n in range(1, 5)},
    "many-addresses.test": [("MX", "1 many.test.")],
    "many.test": [("A", f"10.1.0.{n}") for n in range(1, 4)]
    + [("AAAA", f"fd00::{n}") for n in range(1, 4)],
    "dead-implicit.test": [("TXT", "its addresses do not resolve")],
    "dnssec-failed.org": [("A", "192.0.2.3")],
}


@pytest.fixture
async def dns_server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LabDns]:
    monkeypatch.setattr(resolver_module, "_RETRY_DELAY_S", 0.0)
    async with LabDns(PUBLISHED) as server:
        server.fail("dnssec-failed.org", Fault.BOGUS)
        server.fail("servfail.test", Fault.SERVFAIL)
        server.fail("refused.test", Fault.REFUSED)
        server.fail("silent.test", Fault.TIMEOUT)
        server.fail("bogus.test", Fault.BOGUS)
        server.fail("dead.test", Fault.SERVFAIL)
        server.fail("half.test", Fault.SERVFAIL, "AAAA")
        server.fail("dead-implicit.test", Fault.SERVFAIL, "A")
        yield server


async def probe(dns_server: LabDns, name: str, **changes: Any) -> DomainReport:
    """The report on *name*; nothing here is contacted, since every address is private."""
    defaults: dict[str, Any] = {
        "resolvers": (dns_server.resolver,),
        "dns_s": 0.6 if name == "silent.test" else 60.0,
        "dns_try_s": 0.2 if name == "silent.test" else 20.0,
        "ehlo_name": "probe.test",
    }
    async with Vantage(Settings(**(defaults | changes))) as vantage:
        return await probe_entry(Entry(text=name, domain=name), vantage)


@pytest.mark.parametrize(
    ("name", "status", "reason", "level", "codes"),
    [
        (
            "servfail.test",
            RouteStatus.DNS_ERROR,
            Reason.SERVFAIL,
            Level.UNKNOWN,
            [Code.DNS_ERROR],
        ),
        (
            "refused.test",
            RouteStatus.DNS_ERROR,
            Reason.DNS_REFUSED,
            Level.UNKNOWN,
            [Code.DNS_ERROR],
        ),
        (
            "silent.test",
            RouteStatus.DNS_ERROR,
            Reason.TIMED_OUT,
            Level.UNKNOWN,
            [Code.DNS_ERROR],
        ),
        (
            "dead-implicit.test",
            RouteStatus.DNS_ERROR,
            Reason.SERVFAIL,
            Level.UNKNOWN,
            [Code.DNS_ERROR],
        ),
        ("nothing.test", RouteStatus.NXDOMAIN, None, Level.NO_MAIL, [Code.DOMAIN_NOT_FOUND]),
        ("null.test", RouteStatus.NULL_MX, None, Level.NO_MAIL, [Code.NULL_MX]),
        ("no-host.test", RouteStatus.NO_MAIL_HOST, None, Level.NO_MAIL, [Code.NO_MAIL_HOST]),
        (
            "mx-gone.test",
            RouteStatus.NO_MAIL_HOST,
            None,
            Level.NO_MAIL,
            [Code.NO_MAIL_HOST, Code.MX_NO_ADDRESS],
        ),
        (
            "mx-literal.test",
            RouteStatus.NO_MAIL_HOST,
            None,
            Level.NO_MAIL,
            [Code.NO_MAIL_HOST, Code.MX_IP_LITERAL],
        ),
        (
            "mx-localhost.test",
            RouteStatus.NO_MAIL_HOST,
            None,
            Level.NO_MAIL,
            [Code.NO_MAIL_HOST, Code.MX_LOCALHOST],
        ),
        ("mx-dead.test", RouteStatus.MX, None, Level.UNKNOWN, [Code.DNS_ERROR]),
        (
            "mx-half-dead.test",
            RouteStatus.MX,
            None,
            Level.UNKNOWN,
            [Code.DNS_ERROR, Code.NOT_TESTED],
        ),
        (
            "mx-alias.test",
            RouteStatus.MX,
            None,
            Level.UNKNOWN,
            [Code.MX_IS_CNAME, Code.NOT_TESTED, Code.NOT_TESTED],
        ),
        (
            "implicit.test",
            RouteStatus.IMPLICIT_MX,
            None,
            Level.UNKNOWN,
            [Code.NOT_TESTED, Code.IMPLICIT_MX],
        ),
        (
            "null-beside.test",
            RouteStatus.MX,
            None,
            Level.UNKNOWN,
            [Code.NULL_MX_IGNORED, Code.NOT_TESTED, Code.NOT_TESTED],
        ),
    ],
)
async def test_the_route(
    dns_server: LabDns,
    name: str,
    status: RouteStatus,
    reason: Reason | None,
    level: Level,
    codes: list[Code],
) -> None:
    report = await probe(dns_server, name)

    assert report.route is not None
    assert (report.route.status, report.route.reason) == (status, reason)
    assert report.verdict.level is level
    assert [finding.code for finding in report.findings] == codes
    assert report.verdict.encrypted in (Encrypted.UNKNOWN, Encrypted.NO_MAIL)


async def test_an_address_that_is_not_global_is_not_contacted(dns_server: LabDns) -> None:
    report = await probe(dns_server, "private.test")

    reasons = [(e.address, e.failure and e.failure.reason) for e in report.endpoints]
    assert reasons == [
        ("127.0.0.99", Reason.PRIVATE_ADDRESS),
        ("fd00::99", Reason.PRIVATE_ADDRESS),
    ]
    assert report.verdict.level is Level.UNKNOWN


async def test_an_unspecified_address_is_never_contacted(dns_server: LabDns) -> None:
    dns_server.add("unspecified.test", "MX", "10 mx.unspecified.test")
    dns_server.add("mx.unspecified.test", "AAAA", "::")

    report = await probe(dns_server, "unspecified.test", allow_private=True)

    (endpoint,) = report.endpoints
    assert endpoint.failure is not None
    assert endpoint.failure.reason is Reason.PRIVATE_ADDRESS
    assert endpoint.failure.detail == "no host can have this address"


async def test_hosts_beyond_the_bound_are_listed(dns_server: LabDns) -> None:
    report = await probe(dns_server, "many-hosts.test", mx_hosts=2)

    assert [host.failure and host.failure.reason for host in report.mx_hosts] == [
        None,
        None,
        Reason.LIMIT,
        Reason.LIMIT,
    ]
    assert len(report.endpoints) == 2
    assert not report.verdict.complete


async def test_hosts_far_beyond_the_bound_are_counted(dns_server: LabDns) -> None:
    report = await probe(dns_server, "many-hosts.test", mx_hosts=1)

    assert len(report.mx_hosts) == 2
    details = [f.detail for f in report.findings if f.code is Code.LIMIT_REACHED]
    assert "2 more MX hosts are not listed" in details


async def test_addresses_beyond_the_bound_are_listed_and_both_families_tried(
    dns_server: LabDns,
) -> None:
    report = await probe(dns_server, "many-addresses.test", addresses=4)

    tried = [e for e in report.endpoints if e.failure and e.failure.reason is not Reason.LIMIT]
    assert sum(":" in endpoint.address for endpoint in tried) == 2
    assert (len(tried), len(report.endpoints)) == (4, 6)
    assert not report.verdict.complete


async def test_addresses_far_beyond_the_bound_are_counted(dns_server: LabDns) -> None:
    dns_server.add("many.test", "A", *(f"10.9.{n // 250}.{n % 250}" for n in range(1000)))
    report = await probe(dns_server, "many-addresses.test", addresses=2)

    (host,) = report.mx_hosts
    assert (len(host.addresses), len(report.endpoints)) == (4, 4)
    assert host.failure is not None
    assert host.failure.detail == "1002 more addresses are not listed"
    assert not report.verdict.complete


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"use_ipv6": False}, {Reason.PRIVATE_ADDRESS, Reason.NO_IPV6_HERE}),
        ({"use_ipv4": False}, {Reason.PRIVATE_ADDRESS, Reason.NO_IPV4_HERE}),
    ],
)
async def test_one_family_only(
    dns_server: LabDns, changes: dict[str, bool], reasons: set[Reason]
) -> None:
    report = await probe(dns_server, "private.test", **changes)
    assert {e.failure.reason for e in report.endpoints if e.failure} <= reasons


async def test_bogus_data_is_unknown(dns_server: LabDns) -> None:
    dns_server.add("bogus.test", "MX", "10 mx.private.test.")
    report = await probe(dns_server, "bogus.test")

    assert report.route is not None
    assert (report.route.status, report.route.reason) == (RouteStatus.DNS_ERROR, Reason.BOGUS)
    assert [finding.code for finding in report.findings] == [Code.DNSSEC_INVALID]
    assert report.verdict.level is Level.UNKNOWN


async def test_what_is_no_domain_is_reported() -> None:
    async with Vantage(Settings(resolvers=("127.0.0.1",))) as vantage:
        report = await probe_entry(Entry(text="1.2.3.4", error="line 3: an IP address"), vantage)

    assert (report.verdict.level, report.error) == (Level.INVALID, "line 3: an IP address")
    assert report.input == "1.2.3.4"


async def test_a_failed_look_up_names_its_type(dns_server: LabDns) -> None:
    report = await probe(dns_server, "mx-half-dead.test")
    (host,) = report.mx_hosts
    assert host.failure is not None
    assert (host.failure.step, host.failure.reason) == (Step.RESOLVE, Reason.SERVFAIL)
    assert host.failure.detail == "AAAA: SERVFAIL"
    assert host.addresses == ("127.0.0.99",)
    assert host.dnssec is Dnssec.INSECURE  # of the address that there is: DANE does not apply


async def test_a_fault_of_ours_costs_one_endpoint_and_no_other(
    dns_server: LabDns, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("prober.endpoints.probe_endpoint", fail)
    report = await probe(dns_server, "private.test", allow_private=True)

    assert {e.failure.reason for e in report.endpoints if e.failure} == {Reason.FAULT}
    assert report.verdict.level is Level.UNKNOWN
    assert report.error is not None
    assert "internal fault: ZeroDivisionError('ours')" in report.error
    assert "a fault of this program" in caplog.text


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (Pace, {"concurrency": 0}),
        (Pace, {"per_address": 0}),
        (Pace, {"dns_per_s": 0.0}),
        (Settings, {"mx_hosts": 0}),
        (Settings, {"use_ipv4": False, "use_ipv6": False}),
        (Settings, {"ehlo_name": "m\u00fcller"}),
        (Settings, {"ehlo_name": "a\r\nb"}),
    ],
)
def test_settings_that_cannot_work_are_refused(kind: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        kind(**changes)


async def test_a_domain_with_underscores_is_probed_with_a_finding() -> None:
    mx = "mx_1.my_firm.test"
    policy = f"version: STSv1\nmode: testing\nmx: {mx}\nmax_age: 604800\n"
    host = LabHost(name=mx, personality=WellConfigured())
    served = LabDomain(name="my_firm.test", mx=((10, host),), sts=LabSts(host=PolicyHost(policy)))
    reports: list[DomainReport] = []
    async with Lab([served]) as lab:
        await scan([parse_entry("My_Firm.test")], lab.settings(**DEMO_DEADLINES), reports.append)
    (report,) = reports
    assert report.verdict.level is Level.AUTHENTICATED
    assert report.mta_sts is not None
    assert report.mta_sts.status is StsStatus.TESTING
    named = [each.mx_host for each in report.findings if each.code is Code.NAME_WITH_UNDERSCORE]
    assert sorted(name or "" for name in named) == ["", mx]
