"""What the resolver makes of a real validator's answers, and of a server that is none."""

import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from prober.doctor import check_dnssec
from prober.net import resolver as resolver_module
from prober.net.resolver import DnsStatus, Resolver
from prober.records import Answer, Dnssec, Reason
from prober.settings import Validation
from prober.vantage import Vantage
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


async def test_behind_a_forwarder_answers_are_validated_here(tree: Tree) -> None:
    """It is on this machine, and so would be believed; but it does not fail on the bogus name."""
    settings = replace(tree.settings, resolvers=(tree.forwarder,), trust_anchor=tree.anchor_file)
    async with Vantage(settings) as vantage:
        answer = await vantage.resolver.query("mx.ee-key.test", "A")
        assert await vantage.resolver.validation() is Validation.LOCAL
        check = await check_dnssec(vantage)
    assert (answer.status, answer.dnssec) == (DnsStatus.FOUND, Dnssec.SECURE)
    assert check.answer is Answer.YES
    assert "validated here, from the root: the resolver does not validate" in check.what


@pytest.mark.parametrize(
    ("offset_s", "anchor", "what", "advice"),
    [
        (3 * 86_400, None, "expired at", "set the clock"),
        (-3 * 86_400, None, "is not valid before", "set the clock"),
        (0, f". DS 1 13 2 {'00' * 32}", "no key matches", "--trust-anchor"),
    ],
    ids=["clock-fast", "clock-slow", "other-anchor"],
)
async def test_the_doctor_tells_why_the_root_does_not_verify(
    tree: Tree,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    offset_s: int,
    anchor: str | None,
    what: str,
    advice: str,
) -> None:
    monkeypatch.setattr(resolver_module, "time", lambda: time.time() + offset_s)
    path = tree.anchor_file
    if anchor is not None:
        path = tmp_path / "anchor"
        path.write_text(anchor)
    settings = replace(
        tree.settings,
        resolvers=(tree.forwarder,),
        trust_anchor=path,
        dnssec=Validation.LOCAL,
    )
    async with Vantage(settings) as vantage:
        answer = await vantage.resolver.query("mx.ee-key.test", "A")
        check = await check_dnssec(vantage)
    assert (answer.status, answer.dnssec) == (DnsStatus.FOUND, Dnssec.INDETERMINATE)
    assert check.answer is Answer.NO
    assert what in check.what
    assert check.advice is not None
    assert advice in check.advice


async def test_off_nothing_is_validated(tree: Tree) -> None:
    settings = replace(tree.settings, dnssec=Validation.OFF)
    async with aclosing(Resolver(settings)) as resolver:
        answer = await resolver.query("mx.ee-key.test", "A")
    assert (answer.status, answer.dnssec) == (DnsStatus.FOUND, Dnssec.INDETERMINATE)
