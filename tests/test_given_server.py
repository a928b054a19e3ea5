"""``--server``: one server as if it were the domain's only MX host, before a change goes live."""

from dataclasses import replace

import pytest

from prober.domains import parse_entry, parse_server
from prober.errors import InputError
from prober.lab.internet import Lab, LabDomain, LabHost, LabSts
from prober.lab.personalities.ehlo import NoStarttls
from prober.lab.personalities.sound import WellConfigured
from prober.lab.policy_host import PolicyHost
from prober.policy.base import LiveMap
from prober.policy.decide import Patience
from prober.policy.draft import Draft
from prober.records import Code, Dane, Dnssec, DomainReport, GivenServer, Level, Reason, RouteStatus
from prober.scan import scan

POLICY = "version: STSv1\nmode: enforce\nmx: mx.a.test\nmax_age: 604800\n"
TODAY = LabHost(name="mx.a.test", personality=NoStarttls())
NEW = LabHost(name="new.a.test", personality=WellConfigured())
DOMAIN = LabDomain(
    name="a.test",
    mx=((10, TODAY),),
    hosts=(NEW,),
    sts=LabSts(host=PolicyHost(POLICY)),
    signed=True,
)


async def answer(lab: Lab, server: str, name: str = "a.test", **changes: object) -> DomainReport:
    reports: list[DomainReport] = []
    entry = replace(parse_entry(name), server=parse_server(server))
    settings = lab.settings(confirm_delay_s=0.0, trust_ad=True, **changes)
    await scan([entry], settings, reports.append)
    (report,) = reports
    return report


async def test_the_server_is_tested_and_those_in_dns_are_not() -> None:
    async with Lab([DOMAIN]) as lab:
        report = await answer(lab, "new.a.test")
        assert not lab.servers["mx.a.test"].sessions
    assert report.server == GivenServer(name="new.a.test")
    assert [host.name for host in report.mx_hosts] == ["new.a.test"]
    assert report.verdict.level is Level.AUTHENTICATED
    assert report.route is not None
    assert (report.route.status, report.route.dnssec) == (RouteStatus.MX, Dnssec.SECURE)
    # the policy of the domain does not name it: mail from senders that obey it would stay out
    assert Code.STS_MX_NOT_LISTED in {finding.code for finding in report.findings}


async def test_the_certificate_is_held_against_the_name_and_the_address_may_be_given() -> None:
    async with Lab([DOMAIN]) as lab:
        address = lab.servers["new.a.test"].address
        report = await answer(lab, f"not-in-dns.a.test@{address}")
    (seen,) = report.endpoints
    assert (seen.mx_host, seen.address) == ("not-in-dns.a.test", address)
    assert report.mx_hosts[0].failure is None
    assert report.verdict.level is Level.OPPORTUNISTIC  # the certificate is for another name
    assert Code.CERTIFICATE_HOST_MISMATCH in {finding.code for finding in report.findings}


@pytest.mark.parametrize(("name", "level"), [("new.a.test", Level.ENFORCED), ("x.a.test", None)])
async def test_dane_goes_by_the_name_that_is_given(name: str, level: Level | None) -> None:
    """A name without an address in its signed zone, too: RFC 7672 §2.2.2 as if it had one."""
    async with Lab([DOMAIN]) as lab:
        server = lab.servers["new.a.test"]
        lab.dns.add(f"_{lab.port}._tcp.{name}", "TLSA", server.tlsa())
        report = await answer(lab, f"{name}@{server.address}")
    assert report.endpoints[0].dane is Dane.MATCH
    assert level is None or report.verdict.level is level


async def test_a_private_address_needs_leave() -> None:
    async with Lab([DOMAIN]) as lab:
        report = await answer(lab, "new.a.test", allow_private=False)
        assert not lab.servers["new.a.test"].sessions
    failure = report.endpoints[0].failure
    assert failure is not None
    assert failure.reason is Reason.PRIVATE_ADDRESS
    assert report.verdict.level is Level.UNKNOWN


async def test_a_server_without_an_address_is_refused() -> None:
    """Its report would say that the domain receives no mail, which nobody asked."""
    async with Lab([DOMAIN]) as lab:
        with pytest.raises(InputError, match=r"^nowhere\.test has no address in DNS; give one"):
            await answer(lab, "nowhere.test")


async def test_a_domain_that_is_not_in_dns_yet_may_have_a_server() -> None:
    async with Lab([DOMAIN]) as lab:
        report = await answer(lab, "new.a.test", "soon.test")
    assert report.verdict.level is Level.AUTHENTICATED


async def test_no_policy_map_is_made_of_it() -> None:
    async with Lab([DOMAIN]) as lab:
        report = await answer(lab, "new.a.test")
    draft = Draft(LiveMap(), [], Patience())
    with pytest.raises(InputError, match=r"^a\.test was tested with --server new\.a\.test,"):
        draft.add(report)


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("MX.Example.com.", GivenServer(name="mx.example.com")),
        ("mx.example.com@192.0.2.1", GivenServer(name="mx.example.com", address="192.0.2.1")),
        ("mx.a.test@2001:DB8::1", GivenServer(name="mx.a.test", address="2001:db8::1")),
        ("mx.a.test@[2001:db8::1]", GivenServer(name="mx.a.test", address="2001:db8::1")),
        ("müller.test", GivenServer(name="xn--mller-kva.test")),
    ],
)
def test_a_server_is_a_name_and_maybe_an_address(text: str, server: GivenServer) -> None:
    assert parse_server(text) == server


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("@192.0.2.1", "empty"),
        ("192.0.2.1", "an IP address, not a domain"),
        ("mx.a.test@", "'' is not an IP address; write NAME or NAME@ADDRESS"),
        ("mx.a.test@b.test", "'b.test' is not an IP address"),
        ("mx.a.test@192.0.2.1:25", "'192.0.2.1:25' is not an IP address"),
        ("mx.a.test@fe80::1%eth0", "'fe80::1%eth0' has a zone, which no MX host has"),
        ("https://mx.a.test", "a URL, not a domain: write mx.a.test"),
    ],
)
def test_what_is_no_server_is_refused(text: str, why: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_server(text)
    assert why in str(refused.value)
