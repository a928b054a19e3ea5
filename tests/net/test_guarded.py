"""Which addresses of a host aiohttp is given: none that the address guard does not pass."""

import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from prober.lab.dns import LabDns
from prober.net.failures import NoRouteError
from prober.net.guarded import GuardedResolver, StopError
from prober.net.resolver import Resolver
from prober.records import Reason, Step
from prober.settings import Settings

Records = Sequence[tuple[str, str]]


@contextlib.asynccontextmanager
async def guarded(records: Records, **changes: object) -> AsyncIterator[GuardedResolver]:
    """The guard over a DNS where ``h.test`` has *records*; *changes* are to the settings."""
    async with LabDns({"h.test": records}) as server:
        plain = Settings(resolvers=(server.resolver,))
        settings = replace(plain, **changes)  # type: ignore[arg-type] # as in Lab.settings
        async with contextlib.aclosing(Resolver(settings)) as resolver:
            yield GuardedResolver(resolver, settings)


async def addresses(guard: GuardedResolver) -> list[str]:
    return [result["host"] for result in await guard.resolve("h.test", 443)]


MIXED = [
    ("A", "169.254.169.254"),
    ("A", "127.0.0.1"),
    ("A", "1.1.1.1"),
    ("A", "10.0.0.1"),
    ("AAAA", "::ffff:7f00:1"),
    ("AAAA", "64:ff9b::a00:1"),
]


async def test_only_those_that_pass_are_handed_on() -> None:
    async with guarded(MIXED) as guard:
        assert await addresses(guard) == ["1.1.1.1"]


async def test_no_more_than_the_bound() -> None:
    async with guarded([("A", f"127.0.0.{n}") for n in range(1, 10)], allow_private=True) as guard:
        assert len(await addresses(guard)) == 8


async def test_one_family_that_has_none_hides_not_the_other() -> None:
    async with guarded([("A", "127.0.0.1")], allow_private=True) as guard:
        assert await addresses(guard) == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("records", "changes", "step", "reason"),
    [
        pytest.param([("A", "127.0.0.1")], {}, Step.CONNECT, Reason.PRIVATE_ADDRESS, id="loopback"),
        pytest.param(
            [("AAAA", "::1"), ("AAAA", "::ffff:a00:1")],
            {},
            Step.CONNECT,
            Reason.PRIVATE_ADDRESS,
            id="ipv4-in-ipv6",
        ),
        pytest.param(
            [("A", "0.0.0.0")],  # noqa: S104 - nobody binds to it
            {"allow_private": True},
            Step.CONNECT,
            Reason.PRIVATE_ADDRESS,
            id="unspecified-never",
        ),
        pytest.param(
            [("AAAA", "::1")], {"use_ipv6": False}, Step.CONNECT, Reason.NO_IPV6_HERE, id="ipv4"
        ),
        pytest.param(
            [("A", "127.0.0.1")], {"use_ipv4": False}, Step.CONNECT, Reason.NO_IPV4_HERE, id="ipv6"
        ),
        pytest.param([("TXT", "x")], {}, Step.RESOLVE, Reason.UNREACHABLE, id="no-address"),
    ],
)
async def test_why_there_is_none(
    records: Records, changes: dict[str, bool], step: Step, reason: Reason
) -> None:
    async with guarded(records, **changes) as guard:
        with pytest.raises(StopError) as caught:
            await addresses(guard)
    assert (caught.value.failure.step, caught.value.failure.reason) == (step, reason)


@pytest.fixture
def no_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has no IPv6."""

    def require(address: str, _port: int) -> None:
        if ":" in address:
            raise NoRouteError(socket.AF_INET6, "no IPv6 route here")

    monkeypatch.setattr("prober.net.guarded.require_route", require)


@pytest.mark.usefixtures("no_ipv6")
async def test_without_an_ipv6_route_it_is_this_machine() -> None:
    async with guarded([("AAAA", "2606:4700::1")]) as guard:
        with pytest.raises(StopError) as caught:
            await addresses(guard)
    failure = caught.value.failure
    assert (failure.step, failure.reason) == (Step.CONNECT, Reason.NO_IPV6_HERE)


@pytest.mark.usefixtures("no_ipv6")
async def test_an_address_without_a_route_is_left_out() -> None:
    async with guarded([("A", "1.1.1.1"), ("AAAA", "2606:4700::1")]) as guard:
        assert await addresses(guard) == ["1.1.1.1"]


async def test_what_the_routing_table_does_not_know_is_tried() -> None:
    async with guarded([("A", "255.255.255.255")], allow_private=True) as guard:
        assert await addresses(guard) == ["255.255.255.255"]


@pytest.mark.parametrize(
    ("first", "then", "passes"), [("1.1.1.1", "127.0.0.1", True), ("127.0.0.1", "1.1.1.1", False)]
)
async def test_what_was_checked_is_what_is_connected_to(
    first: str, then: str, *, passes: bool
) -> None:
    """DNS rebinding: the next answer is another. What aiohttp gets is what the guard looked at."""
    async with LabDns({"h.test": [("A", first)]}) as server:
        settings = Settings(resolvers=(server.resolver,))
        async with contextlib.aclosing(Resolver(settings)) as resolver:
            guard = GuardedResolver(resolver, settings)
            await guard.learn("h.test")
            server.add("h.test", "A", then)
            for _ in range(2):  # aiohttp asks again where a connection was closed
                with contextlib.nullcontext() if passes else pytest.raises(StopError):
                    assert await addresses(guard) == [first]
