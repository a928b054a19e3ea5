"""The place one looks from: what a run shares among its domains."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType, TracebackType
from typing import Final, Self

from prober import clock
from prober.clock import Heartbeat
from prober.net.mta_sts import PolicyClient
from prober.net.own_name import own_fqdn
from prober.net.resolver import Resolver
from prober.net.smtp import Target, probe_endpoint
from prober.net.tls import TlsClient
from prober.once import Once
from prober.pace import PerAddress
from prober.records import EndpointFacts, Failure, Hello, Reason, Run, Step
from prober.rules.address import may_contact
from prober.rules.endpoint import merge_sessions, second_hello
from prober.settings import Settings
from prober.version import __version__

log = logging.getLogger(__name__)

_SHARED_ENDPOINTS: Final = 10_000  # about 20 kB each, the transcript included


class Vantage:
    """Resolver, TLS contexts, trust store and manners of one run; an async context manager.

    Raises SettingsError where the settings name a resolver or a trust store that cannot be used.
    """

    def __init__(
        self, settings: Settings, *, operator_shards: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        self.settings = settings
        self.operator_shards = operator_shards  # how many vantages share an operator's budget
        self.resolver = Resolver(settings)
        self.tls = TlsClient(settings.ca_file, chain_certificates=settings.chain_certificates)
        self.policies = PolicyClient(settings, self.resolver, self.tls.trust_store)
        self._heartbeat = Heartbeat()
        self._beating: asyncio.Task[None] | None = None
        self._per_address = PerAddress(settings.per_address)
        self._sessions = asyncio.Semaphore(settings.sessions)
        self._endpoints: Once[Target, EndpointFacts] = Once(self._observe, size=_SHARED_ENDPOINTS)

    async def __aenter__(self) -> Self:
        name = self.settings.ehlo_name or await asyncio.to_thread(own_fqdn)
        self.settings = replace(self.settings, ehlo_name=name)
        self._beating = asyncio.create_task(self._heartbeat.beat())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._endpoints.aclose()
        await self.resolver.aclose()
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)

    @property
    def run(self) -> Run:
        """With what facts are gathered here."""
        return Run(
            version=__version__,
            ehlo_name=self.settings.ehlo_name or "address-literal",
            resolver=self.resolver.addresses,
            trust_store=self.tls.trust_store,
        )

    async def endpoint(self, target: Target) -> EndpointFacts:
        """The facts of *target*, asked once a run however many domains use it."""
        return await self._endpoints.get(target)

    async def _observe(self, target: Target) -> EndpointFacts:
        """The facts of *target*. A fault of our own costs this endpoint, and no other."""
        try:
            return await self._observe_and_confirm(target)
        except Exception as error:
            log.exception("%s: a fault of this program", target)
            detail = f"a fault of this program: {error!r}"[:200]
            return not_contacted(target, Reason.LOCAL, detail)

    async def _observe_and_confirm(self, target: Target) -> EndpointFacts:
        """One session, and a second where a negative wants confirming."""
        why_not = self._why_not(target)
        if why_not is not None:
            return not_contacted(target, *why_not)
        first = await self._session(target, Hello.DEFAULT)
        hello = second_hello(first)
        if hello is None:
            return first
        await asyncio.sleep(self.settings.confirm_delay_s)
        return merge_sessions(first, await self._session(target, hello))

    def _why_not(self, target: Target) -> tuple[Reason, str] | None:
        address = target.address
        if target.left_out is not None:
            return Reason.LIMIT, target.left_out
        if not may_contact(address, allow_private=self.settings.allow_private):
            return Reason.PRIVATE_ADDRESS, "not globally reachable; --allow-private contacts it"
        is_ipv6 = ":" in address
        if is_ipv6 and not self.settings.use_ipv6:
            return Reason.NO_IPV6_HERE, "--ipv4-only"
        if not is_ipv6 and not self.settings.use_ipv4:
            return Reason.NO_IPV4_HERE, "--ipv6-only"
        return None

    async def _session(self, target: Target, hello: Hello) -> EndpointFacts:
        async with self._per_address.slot(target.address), self._sessions:
            return await probe_endpoint(target, self.settings, self.tls, hello, self._heartbeat)


def not_contacted(target: Target, reason: Reason, detail: str) -> EndpointFacts:
    """An endpoint that was left alone, and why."""
    return EndpointFacts(
        mx_host=target.mx_host,
        address=target.address,
        port=target.port,
        observed_at=clock.now(),
        failure=Failure(step=Step.CONNECT, reason=reason, detail=detail),
    )
