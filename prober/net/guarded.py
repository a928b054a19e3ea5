"""aiohttp's way to an address: through our resolver, and past our address guard.

aiohttp asks no resolver for an address literal, so whoever uses this refuses those before.
"""

import asyncio
import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from prober.net.failures import NoRouteError, classify
from prober.net.resolver import Resolver
from prober.net.route import require_route
from prober.records import Failure, Reason, Step
from prober.rules.address import may_contact
from prober.settings import Settings


class StopError(OSError):  # aiohttp wants nothing else of a resolver
    """What was asked for ends here; *failure* says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


def stop(step: Step, reason: Reason, detail: str | None) -> StopError:
    """The error to raise for such a failure."""
    return StopError(Failure(step=step, reason=reason, detail=detail))


class GuardedResolver(AbstractResolver):
    """Names the addresses of a host that may be contacted; aiohttp connects to no others.

    What was learnt before is not looked up again.
    """

    def __init__(self, resolver: Resolver, settings: Settings) -> None:
        self._resolver = resolver
        self._settings = settings
        self._found: dict[str, list[str]] = {}

    async def learn(self, host: str) -> None:
        """Look *host* up now. Raises ``StopError`` where it has no address."""
        self._found[host] = await self._look_up(host)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses to try. Raises ``StopError`` where there is none."""
        found = self._found.get(host) or await self._look_up(host)
        allowed = [each for each in found if self._may_contact(each)][: self._settings.addresses]
        if not allowed:
            detail = f"{host} is at {', '.join(found[:3])}; --allow-private contacts it"
            raise stop(Step.CONNECT, Reason.PRIVATE_ADDRESS, detail)
        no_route = {each: error for each in allowed if (error := _no_route(each, port))}
        if len(no_route) == len(allowed):
            raise StopError(classify(Step.CONNECT, no_route[allowed[0]]))
        return [_result(host, each, port) for each in allowed if each not in no_route]

    async def close(self) -> None:
        """The resolver below is the run's."""

    def _may_contact(self, address: str) -> bool:
        return may_contact(address, allow_private=self._settings.allow_private)

    async def _look_up(self, host: str) -> list[str]:
        """The addresses of the families in use: one that fails does not hide the other."""
        ipv4, ipv6 = await asyncio.gather(
            self._resolver.query(host, "A"), self._resolver.query(host, "AAAA")
        )
        answers = [ipv4] * self._settings.use_ipv4 + [ipv6] * self._settings.use_ipv6
        found = [record.to_text() for answer in answers for record in answer.records]
        if found:
            return found
        for answer in answers:
            if answer.reason is not None:
                raise stop(Step.RESOLVE, answer.reason, answer.detail)
        if ipv4.records:
            raise stop(Step.CONNECT, Reason.NO_IPV4_HERE, "--ipv6-only")
        if ipv6.records:
            raise stop(Step.CONNECT, Reason.NO_IPV6_HERE, "--ipv4-only")
        raise stop(Step.RESOLVE, Reason.UNREACHABLE, f"{host} has no address")


def _no_route(address: str, port: int) -> NoRouteError | None:
    """Why there is no way from here to *address*; what else may be wrong, connecting will tell."""
    try:
        require_route(address, port)
    except NoRouteError as error:
        return error
    except OSError:
        return None
    return None


def _result(host: str, address: str, port: int) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=socket.AF_INET6 if ":" in address else socket.AF_INET,
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_NUMERICHOST,
    )
