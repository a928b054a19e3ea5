"""Probes an address once for many MX host names, where rules/same_server.py allows it."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import inf
from time import monotonic
from typing import Final

from prober.net.smtp import Target
from prober.records import EndpointFacts
from prober.rules.certificate_fields import CertificateReader
from prober.rules.same_server import (
    SharedTls,
    add_result,
    completed_tls,
    copy_for_host,
    ended_before_sni,
    is_confirmed,
    reusable,
    sessions_needed,
)

_UNCONFIRMED_KEPT_S: Final = 60.0  # as long as DNS failures: it may be temporary
_MAX_ADDRESSES: Final = 10_000  # about 20 kB each with a TLS result, else less than 1 kB


@dataclass(slots=True)
class _Address:
    """What is known about one address and port, and who waits for a result."""

    seen: tuple[SharedTls, ...] = ()
    completed_tls: bool = False
    address_facts: EndpointFacts | None = None
    address_facts_until: float = inf  # monotonic time, in seconds
    has_result: bool = False  # a session for some name has ended
    in_flight: int = 0
    waiting: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_idle(self) -> bool:
        return not self.in_flight and not self.waiting

    def shared_facts(self, target: Target) -> EndpointFacts | None:
        """The facts for *target* from sessions for other names; None if it needs its own."""
        if monotonic() > self.address_facts_until:
            self.address_facts = None
        facts = self.address_facts or reusable(self.seen, target.mx_host)
        return None if facts is None else copy_for_host(target.mx_host, facts)

    @property
    def may_probe(self) -> bool:
        """Whether one more session may start now.

        False if a running session may make it unnecessary.
        """
        if not self.has_result:  # the first session may show that the name does not matter
            return self.in_flight == 0
        wanted = sessions_needed(self.seen)
        return wanted == 0 or self.in_flight < wanted

    def learn(self, facts: EndpointFacts, reader: CertificateReader) -> None:
        """Store what *facts* show about the address."""
        self.seen = add_result(self.seen, facts, reader)
        self.has_result = True
        if completed_tls(facts):
            self.completed_tls, self.address_facts = True, None
        elif not self.completed_tls and ended_before_sni(facts):
            self.address_facts = facts
            self.address_facts_until = (
                inf if is_confirmed(facts) else monotonic() + _UNCONFIRMED_KEPT_S
            )

    def notify(self) -> None:
        """Wake the waiting tasks, so that they check again."""
        self.changed.set()
        self.changed = asyncio.Event()


class SharedAddresses:
    """Returns the facts of targets, from *probe* or from other names at the same address.

    A name that may have TLSA records always gets its own session.
    """

    def __init__(
        self, probe: Callable[[Target], Awaitable[EndpointFacts]], reader: CertificateReader
    ) -> None:
        self._probe = probe
        self._reader = reader
        self._addresses: OrderedDict[tuple[str, int], _Address] = OrderedDict()

    @property
    def kept(self) -> int:
        """The number of addresses with stored results."""
        return len(self._addresses)

    async def observe(self, target: Target) -> EndpointFacts:
        """The facts of *target*. Makes a session only if other names do not give them already."""
        address = self._get((target.address, target.port))
        if not target.proves_by_tlsa:
            facts = await _wait_for_shared_facts(address, target)
            if facts is not None:
                return facts
        address.in_flight += 1
        try:
            facts = await self._probe(target)
            address.learn(facts, self._reader)
            return facts
        finally:
            address.in_flight -= 1
            address.notify()

    def _get(self, key: tuple[str, int]) -> _Address:
        address = self._addresses.setdefault(key, _Address())
        self._addresses.move_to_end(key)
        while len(self._addresses) > _MAX_ADDRESSES:
            oldest, idle = next(iter(self._addresses.items()))
            if not idle.is_idle:
                self._addresses.move_to_end(oldest)
                break
            del self._addresses[oldest]
        return address


async def _wait_for_shared_facts(address: _Address, target: Target) -> EndpointFacts | None:
    """Wait for shared facts while other sessions run. None means: make a session."""
    while (facts := address.shared_facts(target)) is None:
        if address.may_probe:
            return None
        address.waiting += 1
        try:
            await address.changed.wait()
        finally:
            address.waiting -= 1
    return facts
