"""Where TLSA records are looked for, and what becomes of each answer. RFC 7672 §2.1, §2.2."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import pytest

from prober.lab.dns import LabDns
from prober.lab.faults import Fault
from prober.net import resolver as resolver_module
from prober.net.resolver import Resolver
from prober.net.tlsa import resolve_tlsa
from prober.records import Answer, Dnssec, Failure, MxHost, Reason, Step
from prober.rules.dane import has_secure_tlsa
from prober.settings import Settings
from tests.support.waiting import hurry

PORT = 25
MOST = 8
BOGUS_PROBE = "dnssec-failed.org"
ADDRESS = ("A", "192.0.2.1")
OF_MX, OF_ALIAS, OF_OTHER = (f"3 1 1 {digit * 64}" for digit in "abc")

LONGEST = "a." * 118 + "signed.b"  # 244 characters: with the prefix, 253
TOO_LONG = "a" + LONGEST

RECORDS = {
    BOGUS_PROBE: [ADDRESS],
    # signed
    "mx.signed.test": [ADDRESS],
    "_25._tcp.mx.signed.test": [("TLSA", OF_MX)],
    "none.signed.test": [ADDRESS],
    "empty.signed.test": [ADDRESS],
    "_25._tcp.empty.signed.test": [("TXT", "no TLSA")],
    "child.signed.test": [ADDRESS],
    "_25._tcp.child.signed.test": [("CNAME", "tlsa.unsigned.test.")],
    "shared.signed.test": [ADDRESS],
    "_25._tcp.shared.signed.test": [("CNAME", "_25._tcp.mx.signed.test.")],
    "other-port.signed.test": [ADDRESS],
    "_2525._tcp.other-port.signed.test": [("TLSA", OF_OTHER)],
    "many.signed.test": [ADDRESS],
    "_25._tcp.many.signed.test": [("TLSA", f"3 1 1 {n:064x}") for n in range(MOST + 1)],
    "unsorted.signed.test": [ADDRESS],
    "_25._tcp.unsorted.signed.test": [("TLSA", OF_OTHER), ("TLSA", OF_MX), ("TLSA", "2 0 1 00")],
    LONGEST: [ADDRESS],
    f"_25._tcp.{LONGEST}": [("TLSA", OF_MX)],
    TOO_LONG: [ADDRESS],
    # aliases
    "alias.signed.test": [("CNAME", "mx.signed.test.")],
    "_25._tcp.alias.signed.test": [("TLSA", OF_ALIAS)],
    "to-none.signed.test": [("CNAME", "none.signed.test.")],
    "_25._tcp.to-none.signed.test": [("TLSA", OF_ALIAS)],
    "to-child.signed.test": [("CNAME", "child.signed.test.")],
    "_25._tcp.to-child.signed.test": [("TLSA", OF_ALIAS)],
    "only-to-child.signed.test": [("CNAME", "child.signed.test.")],
    "bare.signed.test": [("CNAME", "none.signed.test.")],
    "to-long.signed.test": [("CNAME", f"{TOO_LONG}.")],
    "_25._tcp.to-long.signed.test": [("TLSA", OF_ALIAS)],
    "out.signed.test": [("CNAME", "mx.unsigned.test.")],
    "_25._tcp.out.signed.test": [("TLSA", OF_ALIAS)],
    "bare-out.signed.test": [("CNAME", "mx.unsigned.test.")],
    # unsigned
    "mx.unsigned.test": [ADDRESS],
    "_25._tcp.mx.unsigned.test": [("TLSA", OF_OTHER)],
    "tlsa.unsigned.test": [("TLSA", OF_OTHER)],
    "in.unsigned.test": [("CNAME", "mx.signed.test.")],
    "_25._tcp.in.unsigned.test": [("TLSA", OF_OTHER)],
}


@pytest.fixture
async def dns_server() -> AsyncIterator[LabDns]:
    async with LabDns(RECORDS, signed=["signed.test", "signed.b"]) as server:
        server.fail(BOGUS_PROBE, Fault.BOGUS)
        yield server


@pytest.fixture
async def resolver(dns_server: LabDns, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Resolver]:
    monkeypatch.setattr(resolver_module, "_RETRY_DELAY_S", 0.01)
    settings = Settings(resolvers=(dns_server.resolver,), dns_s=60.0, dns_try_s=20.0)
    async with aclosing(Resolver(settings)) as resolver:
        yield resolver


async def resolved(name: str, resolver: Resolver) -> MxHost:
    """The host with its IPv4 addresses."""
    answer = await resolver.query(name, "A")
    return MxHost(
        name=name,
        preference=10,
        addresses=tuple(record.to_text() for record in answer.records),
        alias_of=answer.canonical_name if answer.canonical_name not in ("", name) else None,
        dnssec=answer.dnssec,
    )


async def look_up(name: str, resolver: Resolver, *, port: int = PORT, most: int = MOST) -> MxHost:
    return await resolve_tlsa(await resolved(name, resolver), resolver, port=port, most=most)


def texts(host: MxHost) -> list[str]:
    return [f"{r.usage} {r.selector} {r.matching_type} {r.data.hex()}" for r in host.tlsa]


REASONS = {
    Fault.SERVFAIL: Reason.SERVFAIL,
    Fault.REFUSED: Reason.DNS_REFUSED,
    Fault.NOTIMP: Reason.DNS_REFUSED,
    Fault.TIMEOUT: Reason.TIMED_OUT,
    Fault.BOGUS: Reason.BOGUS,
}


@pytest.mark.parametrize(
    "fault", [Fault.SERVFAIL, Fault.REFUSED, Fault.NOTIMP, Fault.TIMEOUT, Fault.BOGUS]
)
class TestAFailureIsNeverNoTlsa:
    """RFC 7672 §2.1.2: the host counts as unreachable."""

    @pytest.fixture(autouse=True)
    def soon(self, resolver: Resolver, fault: Fault) -> None:
        if fault is Fault.TIMEOUT:
            hurry(resolver)

    def check(self, host: MxHost, fault: Fault, question: str) -> None:
        assert host.tlsa_failure is not None
        assert host.tlsa_failure.reason is REASONS[fault]
        assert (host.tlsa_failure.detail or "").startswith(question)
        assert not host.tlsa
        assert has_secure_tlsa(host) is Answer.NOT_TESTED

    async def test_at_the_host(self, resolver: Resolver, dns_server: LabDns, fault: Fault) -> None:
        dns_server.fail("_25._tcp.mx.signed.test", fault)
        host = await look_up("mx.signed.test", resolver)
        self.check(host, fault, "TLSA _25._tcp.mx.signed.test: ")
        assert host.tlsa_base == "mx.signed.test"

    async def test_where_there_is_none(
        self, resolver: Resolver, dns_server: LabDns, fault: Fault
    ) -> None:
        dns_server.fail("_25._tcp.none.signed.test", fault)
        self.check(await look_up("none.signed.test", resolver), fault, "TLSA ")

    async def test_at_the_expanded_name(
        self, resolver: Resolver, dns_server: LabDns, fault: Fault
    ) -> None:
        """§2.2.3: the original name, which has records, is not asked instead."""
        dns_server.fail("_25._tcp.none.signed.test", fault)
        host = await look_up("to-none.signed.test", resolver)
        self.check(host, fault, "TLSA _25._tcp.none.signed.test: ")
        assert not dns_server.queries["_25._tcp.to-none.signed.test", "TLSA"]

    async def test_at_the_original_name(
        self, resolver: Resolver, dns_server: LabDns, fault: Fault
    ) -> None:
        dns_server.fail("_25._tcp.bare.signed.test", fault)
        host = await look_up("bare.signed.test", resolver)
        self.check(host, fault, "TLSA _25._tcp.bare.signed.test: ")

    async def test_at_the_link_itself(
        self, resolver: Resolver, dns_server: LabDns, fault: Fault
    ) -> None:
        dns_server.fail("out.signed.test", fault, "CNAME")
        host = await look_up("out.signed.test", resolver)
        self.check(host, fault, "CNAME out.signed.test: ")

    async def test_at_the_addresses(
        self, resolver: Resolver, dns_server: LabDns, fault: Fault
    ) -> None:
        dns_server.fail("mx.signed.test", fault)
        host = await look_up("mx.signed.test", resolver)
        assert not dns_server.queries["_25._tcp.mx.signed.test", "TLSA"]
        assert has_secure_tlsa(host) is Answer.NOT_TESTED


class TestNotAsked:
    """RFC 7672 §2.2.2: only where the addresses are secure."""

    @pytest.mark.parametrize(
        "name", ["mx.unsigned.test", "in.unsigned.test", "nothing.signed.test"]
    )
    async def test_insecure_or_no_addresses(
        self, resolver: Resolver, dns_server: LabDns, name: str
    ) -> None:
        host = await look_up(name, resolver)
        assert (host.tlsa, host.tlsa_base, host.tlsa_dnssec) == ((), None, None)
        assert host.tlsa_failure is None
        assert not [question for question in dns_server.queries if question[1] == "TLSA"]

    async def test_a_host_that_was_left_out_stays_as_it_is(self, resolver: Resolver) -> None:
        failure = Failure(step=Step.RESOLVE, reason=Reason.LIMIT)
        host = MxHost(name="mx.signed.test", preference=1, failure=failure)
        assert await resolve_tlsa(host, resolver, port=PORT, most=MOST) == host

    @pytest.mark.parametrize("dnssec", [Dnssec.INDETERMINATE, Dnssec.BOGUS])
    async def test_a_host_of_unknown_security(
        self, resolver: Resolver, dnssec: Dnssec, dns_server: LabDns
    ) -> None:
        host = MxHost(
            name="alias.signed.test",
            preference=1,
            addresses=("192.0.2.1",),
            alias_of="mx.signed.test",
            dnssec=dnssec,
        )
        assert await resolve_tlsa(host, resolver, port=PORT, most=MOST) == host
        assert not dns_server.queries


@pytest.mark.parametrize(
    ("name", "base", "dnssec", "records"),
    [
        pytest.param("none.signed.test", "none.signed.test", Dnssec.SECURE, [], id="nxdomain"),
        pytest.param("empty.signed.test", "empty.signed.test", Dnssec.SECURE, [], id="nodata"),
        pytest.param(
            "child.signed.test",
            "child.signed.test",
            Dnssec.INSECURE,
            [OF_OTHER],
            id="7672-2.1.1-insecure-records-are-kept",
        ),
        pytest.param(
            "mx.signed.test", "mx.signed.test", Dnssec.SECURE, [OF_MX], id="7672-2.2.3-no-alias"
        ),
        pytest.param(
            "shared.signed.test",
            "shared.signed.test",
            Dnssec.SECURE,
            [OF_MX],
            id="7671-7-an-alias-of-the-tlsa-name-is-no-other-base",
        ),
        pytest.param(
            "bare.signed.test", "bare.signed.test", Dnssec.SECURE, [], id="neither-name-has-any"
        ),
        pytest.param(
            "only-to-child.signed.test",
            "child.signed.test",
            Dnssec.INSECURE,
            [OF_OTHER],
            id="insecure-at-the-expanded-name-and-none-at-the-original",
        ),
        pytest.param(
            "alias.signed.test",
            "mx.signed.test",
            Dnssec.SECURE,
            [OF_MX],
            id="7672-2.2.3-expanded-name-first",
        ),
        pytest.param(
            "to-none.signed.test",
            "to-none.signed.test",
            Dnssec.SECURE,
            [OF_ALIAS],
            id="7672-2.2.3-then-the-original",
        ),
        pytest.param(
            "to-child.signed.test",
            "to-child.signed.test",
            Dnssec.SECURE,
            [OF_ALIAS],
            id="7672-2.2.3-also-after-insecure-records",
        ),
        pytest.param(
            "to-long.signed.test",
            "to-long.signed.test",
            Dnssec.SECURE,
            [OF_ALIAS],
            id="7672-2.2.3-also-after-a-name-too-long",
        ),
        pytest.param(
            "out.signed.test",
            "out.signed.test",
            Dnssec.SECURE,
            [OF_ALIAS],
            id="7672-2.2.2-secure-alias-into-an-unsigned-zone",
        ),
        pytest.param(
            "bare-out.signed.test",
            "bare-out.signed.test",
            Dnssec.SECURE,
            [],
            id="7672-2.2.2-the-same-without-records",
        ),
        pytest.param(LONGEST, LONGEST, Dnssec.SECURE, [OF_MX], id="the-longest-name"),
        pytest.param(TOO_LONG, TOO_LONG, Dnssec.SECURE, [], id="absent-by-length"),
        pytest.param(
            "unsorted.signed.test",
            "unsorted.signed.test",
            Dnssec.SECURE,
            ["2 0 1 00", OF_MX, OF_OTHER],
            id="in-one-order-and-6698-4.1-with-one-malformed",
        ),
    ],
)
async def test_where_it_is_found_or_denied(
    resolver: Resolver, name: str, base: str, dnssec: Dnssec, records: list[str]
) -> None:
    host = await look_up(name, resolver)
    assert (host.tlsa_base, host.tlsa_dnssec, texts(host)) == (base, dnssec, records)
    assert host.tlsa_failure is None


async def test_of_the_port_that_is_probed(resolver: Resolver) -> None:
    assert texts(await look_up("other-port.signed.test", resolver, port=2525)) == [OF_OTHER]
    assert not (await look_up("other-port.signed.test", resolver)).tlsa


async def test_too_many_records_are_not_judged(resolver: Resolver) -> None:
    host = await look_up("many.signed.test", resolver)
    assert len(host.tlsa) == MOST
    assert host.tlsa_failure is not None
    assert host.tlsa_failure.reason is Reason.LIMIT
    assert has_secure_tlsa(host) is Answer.NOT_TESTED
    whole = await look_up("many.signed.test", resolver, most=MOST + 1)
    assert (len(whole.tlsa), whole.tlsa_failure) == (MOST + 1, None)


class TestAResolverThatCannotBeBelieved:
    """Without a resolver that validates, DANE is not tested, and never absent."""

    async def judge(self, resolver: Resolver) -> Answer:
        return has_secure_tlsa(await look_up("mx.signed.test", resolver))

    async def test_it_does_not_validate(self, resolver: Resolver, dns_server: LabDns) -> None:
        dns_server.fail(BOGUS_PROBE, None)
        assert await self.judge(resolver) is Answer.NOT_TESTED

    async def test_it_times_out_on_the_self_test(
        self, resolver: Resolver, dns_server: LabDns
    ) -> None:
        hurry(resolver)
        dns_server.fail(BOGUS_PROBE, Fault.TIMEOUT)
        assert await self.judge(resolver) is Answer.NOT_TESTED

    async def test_it_times_out_on_everything(self, resolver: Resolver, dns_server: LabDns) -> None:
        hurry(resolver)
        for name in RECORDS:
            dns_server.fail(name, Fault.TIMEOUT)
        assert await self.judge(resolver) is Answer.NOT_TESTED

    async def test_it_is_elsewhere(
        self, dns_server: LabDns, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(resolver_module, "_DOCKER_FORWARDER", dns_server.address)
        assert await self.judge(resolver) is Answer.NOT_TESTED

    async def test_it_strips_the_ad_bit(
        self, resolver: Resolver, dns_server: LabDns, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As a forwarder does that has a validating resolver behind it."""
        monkeypatch.setattr(dns_server, "_is_signed", lambda _name: False)
        assert await self.judge(resolver) is Answer.NOT_TESTED


async def test_a_host_with_more_addresses_than_are_listed_is_looked_up(resolver: Resolver) -> None:
    failure = Failure(step=Step.RESOLVE, reason=Reason.LIMIT, detail="9 more addresses")
    host = await resolved("mx.signed.test", resolver)
    host = replace(host, failure=failure)
    found = await resolve_tlsa(host, resolver, port=PORT, most=MOST)
    assert texts(found) == [OF_MX]


async def test_the_host_is_otherwise_left_as_it_was(resolver: Resolver) -> None:
    host = await resolved("alias.signed.test", resolver)
    found = await resolve_tlsa(host, resolver, port=PORT, most=MOST)
    assert replace(found, tlsa=(), tlsa_base=None, tlsa_dnssec=None) == host
