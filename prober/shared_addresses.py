"""What the names at one address have in common is asked once: rules/same_server.py says what."""

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
    Shown,
    answers_wanted,
    as_seen_by,
    is_of_the_address,
    is_settled,
    note,
    reusable,
    shows_tls,
)

_TROUBLE_KEPT_S: Final = 60.0  # as long as a failure of DNS: it is no fact of the server's
_KEPT_ADDRESSES: Final = 10_000  # about 20 kB each where a look is kept, else next to nothing


@dataclass(slots=True)
class _Address:
    """What is known of one address and port, and who waits to learn it."""

    seen: tuple[Shown, ...] = ()
    shows_tls: bool = False
    of_the_address: EndpointFacts | None = None
    known_until: float = inf  # of the address; seconds of the monotonic clock
    is_known: bool = False  # some name was asked to the end
    asking: int = 0
    waiting: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_idle(self) -> bool:
        return not self.asking and not self.waiting

    def answer_for(self, target: Target) -> EndpointFacts | None:
        """The facts that need no session of the target's own, if there are such."""
        if monotonic() > self.known_until:
            self.of_the_address = None
        facts = self.of_the_address or reusable(self.seen, target.mx_host)
        return None if facts is None else as_seen_by(target.mx_host, facts)

    @property
    def may_ask(self) -> bool:
        """Whether one more name may be asked now, or an answer on its way may do for it."""
        if not self.is_known:  # the first may show that names do not matter at all
            return self.asking == 0
        wanted = answers_wanted(self.seen)
        return wanted == 0 or self.asking < wanted

    def learn(self, facts: EndpointFacts, reader: CertificateReader) -> None:
        """Keep what *facts* say of the address."""
        self.seen = note(self.seen, facts, reader)
        self.is_known = True
        if shows_tls(facts):
            self.shows_tls, self.of_the_address = True, None
        elif not self.shows_tls and is_of_the_address(facts):
            self.of_the_address = facts
            self.known_until = inf if is_settled(facts) else monotonic() + _TROUBLE_KEPT_S

    def tell(self) -> None:
        """Let those who wait look again."""
        self.changed.set()
        self.changed = asyncio.Event()


class SharedAddresses:
    """Answers targets by *ask*, or by what other names at their address have shown.

    A name that may have TLSA records is always asked for itself.
    """

    def __init__(
        self, ask: Callable[[Target], Awaitable[EndpointFacts]], reader: CertificateReader
    ) -> None:
        self._ask = ask
        self._reader = reader
        self._addresses: OrderedDict[tuple[str, int], _Address] = OrderedDict()

    @property
    def kept(self) -> int:
        """How many addresses something is known of."""
        return len(self._addresses)

    async def observe(self, target: Target) -> EndpointFacts:
        """The facts of *target*, in a session of its own only where that may tell more."""
        address = self._at((target.address, target.port))
        if not target.proves_by_tlsa:
            facts = await _wait_for_answer(address, target)
            if facts is not None:
                return facts
        address.asking += 1
        try:
            facts = await self._ask(target)
            address.learn(facts, self._reader)
            return facts
        finally:
            address.asking -= 1
            address.tell()

    def _at(self, key: tuple[str, int]) -> _Address:
        address = self._addresses.setdefault(key, _Address())
        self._addresses.move_to_end(key)
        while len(self._addresses) > _KEPT_ADDRESSES:
            oldest, idle = next(iter(self._addresses.items()))
            if not idle.is_idle:
                self._addresses.move_to_end(oldest)
                break
            del self._addresses[oldest]
        return address


async def _wait_for_answer(address: _Address, target: Target) -> EndpointFacts | None:
    """The answer of others, waited for while they are being asked; None: ask yourself."""
    while (facts := address.answer_for(target)) is None:
        if address.may_ask:
            return None
        address.waiting += 1
        try:
            await address.changed.wait()
        finally:
            address.waiting -= 1
    return facts
