"""The vantage point: what the domains of a run share."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType, TracebackType
from typing import Self

from prober.clock import Heartbeat
from prober.endpoints import Endpoints
from prober.net.mta_sts import PolicyClient
from prober.net.resolver import Resolver
from prober.net.route import own_fqdn
from prober.net.smtp import Target
from prober.net.tls import TlsClient
from prober.records import EndpointFacts, Run
from prober.rules.certificate_fields import CertificateReader
from prober.settings import Settings
from prober.version import __version__
from prober.waits import Watch


class Vantage:
    """Resolver, TLS contexts, trust store and endpoints of one run; an async context manager.

    *operator_shards* says among how many scanners an operator's limits are divided; the default is
    one. *deep_share* is the part of the budget of ``--deep`` for this scanner; the default is all.
    *reader* may be one that the caller uses, too. *watch* lets the caller see what the run waits
    for. Raises SettingsError if a resolver or trust store in the settings cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        operator_shards: Mapping[str, int] = MappingProxyType({}),
        reader: CertificateReader | None = None,
        watch: Watch | None = None,
        deep_share: int | None = None,
    ) -> None:
        self.settings = settings
        self.reader = reader or CertificateReader()
        self.watch = watch
        self.resolver = Resolver(settings)
        self.tls = TlsClient(settings.ca_file, chain_certificates=settings.chain_certificates)
        self.policies = PolicyClient(settings, self.resolver, self.tls.trust_store)
        self.publications = asyncio.Semaphore(settings.pace.concurrency)  # at once
        self._heartbeat = Heartbeat()
        self._beating: asyncio.Task[None] | None = None
        self._endpoints = Endpoints(
            settings, self.tls, self._heartbeat, operator_shards, self.reader, watch, deep_share
        )

    async def __aenter__(self) -> Self:
        name = self.settings.ehlo_name or await asyncio.to_thread(own_fqdn)
        self.settings = self._endpoints.settings = replace(self.settings, ehlo_name=name)
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
        """What the facts of this run were observed with."""
        return Run(
            version=__version__,
            ehlo_name=self.settings.ehlo_name or "address-literal",
            resolver=self.resolver.addresses,
            trust_store=self.tls.trust_store,
        )

    @property
    def deep_spent(self) -> int:
        """The number of connections of ``--deep`` that were made here."""
        return self._endpoints.deep_spent

    async def endpoint(self, target: Target) -> EndpointFacts:
        """The facts of *target*. It is probed once per run."""
        return await self._endpoints.get(target)

    def endpoint_so_far(self, target: Target) -> EndpointFacts:
        """What is known of *target* now, in a run with a watch."""
        return self._endpoints.so_far(target)
