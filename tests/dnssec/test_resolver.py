"""What the resolver makes of a real validator's answers, and of a server that is none."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import pytest

from prober.net import resolver as resolver_module
from prober.net.resolver import DnsStatus, Resolver
from prober.records import Answer, Dnssec, Reason
from tests.dnssec.conftest import Tree

FOUND, NODATA, NXDOMAIN, FAILED = DnsStatus
SECURE, INSECURE = Dnssec.SECURE, Dnssec.INSECURE


@pytest.fixture
async def resolver(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Resolver]:
    monkeypatch.setattr(resolver_module, "_RETRY_DELAY_S", 0.01)
    async with aclosing(Resolver(tree.settings)) as resolver:
        yield resolver


@pytest.mark.parametrize(
    ("name", "rdtype", "status", "dnssec", "reason"),
    [
        ("mx.bogus.test", "A", FAILED, Dnssec.BOGUS, Reason.BOGUS),
        ("nothing.bogus.test", "A", FAILED, Dnssec.BOGUS, Reason.BOGUS),
        ("_1._tcp.mx.bogus-tlsa.test", "TLSA", FAILED, Dnssec.BOGUS, Reason.BOGUS),
        ("_1._tcp.mx.servfail.test", "TLSA", FAILED, Dnssec.INDETERMINATE, Reason.SERVFAIL),
        ("mx.insecure.test", "A", FOUND, INSECURE, None),
        ("mx.insecure.test", "AAAA", NODATA, INSECURE, None),
        ("nothing.insecure.test", "A", NXDOMAIN, INSECURE, None),
        ("mx.secure-alias-out.test", "A", FOUND, INSECURE, None),
        ("mx.secure-alias-out.test", "CNAME", FOUND, SECURE, None),
        ("mx.ee-key.test", "A", FOUND, SECURE, None),
        ("mx.ee-key.test", "AAAA", NODATA, SECURE, None),
        ("nothing.test", "A", NXDOMAIN, SECURE, None),
        ("mx.cname-base.test", "A", FOUND, SECURE, None),
        ("implicit-mx.test", "MX", NODATA, SECURE, None),
    ],
)
async def test_answers(
    resolver: Resolver,
    name: str,
    rdtype: str,
    status: DnsStatus,
    dnssec: Dnssec,
    reason: Reason | None,
) -> None:
    answer = await resolver.query(name, rdtype)
    assert (answer.status, answer.dnssec, answer.reason) == (status, dnssec, reason)


async def test_the_validator_is_believed(resolver: Resolver) -> None:
    assert await resolver.validates() is Answer.YES


async def test_a_server_that_does_not_validate_is_not(tree: Tree) -> None:
    """NSD has the same data, and says nothing of DNSSEC."""
    settings = replace(tree.settings, resolvers=(tree.nameserver,))
    async with aclosing(Resolver(settings)) as resolver:
        answer = await resolver.query("mx.ee-key.test", "A")
        assert await resolver.validates() is Answer.NO
    assert (answer.status, answer.dnssec) == (DnsStatus.FOUND, Dnssec.INDETERMINATE)
