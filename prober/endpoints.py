"""The endpoints of a run: sessions, retries, sharing between names, and pace.

One session answers the main question. One more per address, without SNI, shows what senders without
SNI get there. rules/retry.py decides on further sessions. docs/verdict.md, "One endpoint".
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Self

from prober import clock
from prober.answer_cache import SingleFlight
from prober.clock import Heartbeat
from prober.deep_endpoints import Ask, DeepEndpoints
from prober.domains import operator_of
from prober.faults import internal_fault
from prober.net.deep import OnStep
from prober.net.failures import NoRouteError
from prober.net.route import require_route
from prober.net.smtp import Target, probe_endpoint
from prober.net.tls import TlsClient
from prober.pace import Pacer
from prober.records import EndpointFacts, Failure, Reason, Step
from prober.rules.address import may_contact
from prober.rules.certificate_fields import CertificateReader
from prober.rules.endpoint import (
    Outcome,
    add_without_sni,
    depends_on_hello,
    describe_failure,
    merge_sessions,
    outcome,
    uses_sni,
)
from prober.rules.retry import (
    FIRST,
    FIRST_WITHOUT_SNI,
    Lane,
    NextSession,
    asks_to_slow_down,
    next_session,
)
from prober.settings import Settings
from prober.shared_addresses import SharedAddresses
from prober.waits import Awaited, Wait, Watch

log = logging.getLogger(__name__)

_TROUBLE_KEPT_S: Final = 60.0
_KEPT: Final = 10_000  # about 20 kB each, the transcript included


@dataclass(frozen=True, slots=True)
class _Address:
    """An address and port. *target* is the first one with them; its MX host does not matter."""

    address: str
    port: int
    target: Target = field(compare=False)

    @classmethod
    def of(cls, target: Target) -> Self:
        return cls(target.address, target.port, target)


def _lifetime_s(facts: EndpointFacts) -> float | None:
    """A failure may be temporary, so it is kept only as long as a failure of DNS."""
    return _TROUBLE_KEPT_S if outcome(facts) is Outcome.NOT_TESTED else None


class Endpoints:
    """The endpoints of one run. Each is probed once, even if many domains use it.

    *operator_shards* says among how many scanners an operator's limits are divided; the default is
    one. *deep_share* is the part of the budget of ``--deep`` for this scanner; the default is all.
    The running *heartbeat* tells whether a time-out is due to the host or to this machine. The run
    notes in *watch* what it waits for.
    """

    def __init__(
        self,
        settings: Settings,
        tls: TlsClient,
        heartbeat: Heartbeat,
        operator_shards: Mapping[str, int],
        reader: CertificateReader,
        watch: Watch | None = None,
        deep_share: int | None = None,
    ) -> None:
        self.settings = settings
        self._tls = tls
        self._heartbeat = heartbeat
        self._watch = watch
        self._pacer = Pacer(settings.pace, operator_of, operator_shards)
        ask = self._ask_named
        self._named = SharedAddresses(ask, reader).observe if settings.share else ask
        budget = settings.pace.deep_budget
        share = budget if deep_share is None else deep_share
        self._deep = DeepEndpoints(budget, share, tls, heartbeat, reader, self._in_turn)
        self._facts: SingleFlight[Target, EndpointFacts] = SingleFlight(self._observe, size=_KEPT)
        self._unnamed: SingleFlight[_Address, EndpointFacts] = SingleFlight(
            self._ask_unnamed, size=_KEPT, lifetime_s=_lifetime_s
        )

    async def get(self, target: Target) -> EndpointFacts:
        """The facts of *target*. Never raises because of what a peer does."""
        facts = await self._facts.get(target)
        self._note_known(target, facts)
        return facts

    @property
    def deep_spent(self) -> int:
        """The number of connections of ``--deep`` that were made here."""
        return self._deep.spent

    def so_far(self, target: Target) -> EndpointFacts:
        """What is known of *target* now, in a run with a watch, or that it is ``unfinished``."""
        waits, known = (self._watch.waits, self._watch.known) if self._watch else ({}, {})
        if target in known:
            return known[target]
        wait = waits.get(target)
        step = Step.__members__.get(wait.awaited.name, Step.CONNECT) if wait else Step.CONNECT
        return not_contacted(target, Reason.UNFINISHED, None, step)

    def _note_known(self, target: Target, facts: EndpointFacts) -> None:
        if self._watch is not None:
            self._watch.known[target] = facts

    def _note_wait(
        self,
        target: Target,
        awaited: Awaited,
        at_most_s: float | None = None,
        after: Failure | None = None,
    ) -> None:
        if self._watch is not None:
            wait = Wait(awaited=awaited, host=target.mx_host, at_most_s=at_most_s, after=after)
            self._watch.waits[target] = wait

    def _note_no_wait(self, target: Target) -> None:
        if self._watch is not None:
            self._watch.waits.pop(target, None)

    def _on_step(self, target: Target, step: Step, at_most_s: float) -> None:
        self._note_wait(target, Awaited[step.name], at_most_s)

    async def aclose(self) -> None:
        """End the sessions in flight."""
        await self._facts.aclose()
        await self._unnamed.aclose()
        await self._deep.aclose()

    async def _observe(self, target: Target) -> EndpointFacts:
        """The facts of *target*. An internal fault becomes its failure, and is not tried again."""
        try:
            return await self._look(target)
        except Exception as error:
            return not_contacted(target, Reason.FAULT, internal_fault(error, target))

    async def _look(self, target: Target) -> EndpointFacts:
        """The facts of *target*, with those of a session without SNI, and those of ``--deep``.

        Both are left out if no session got as far as a ClientHello.
        """
        facts = await self._named(target)
        self._note_known(target, facts)
        if not depends_on_hello(facts):
            return facts
        if not self.settings.sni_only:
            facts = add_without_sni(facts, await self._unnamed.get(_Address.of(target)))
            self._note_known(target, facts)
        if self.settings.deep:
            facts = replace(facts, deep=await self._deep.get(target, facts, self.settings))
            self._note_no_wait(target)
        return facts

    async def _ask_named(self, target: Target) -> EndpointFacts:
        why_not = self._why_not(target)
        if why_not is not None:
            return not_contacted(target, *why_not)
        return await self._ask(target, FIRST)

    async def _ask_unnamed(self, address: _Address) -> EndpointFacts:
        """What *address* answers to a ClientHello without SNI."""
        return await self._ask(address.target, FIRST_WITHOUT_SNI)

    async def _ask(self, target: Target, first: NextSession) -> EndpointFacts:
        """The facts from a session, and from further ones as rules/retry.py decides."""
        settings = self.settings
        facts = await self._session(target, first)
        while again := next_session(
            facts,
            busy_tries=settings.busy_tries,
            slow_lane=settings.slow_lane,
            sni_only=settings.sni_only,
        ):
            wait_s = settings.confirm_delay_s * 2**again.doublings
            why = describe_failure(facts.failure) or f"STARTTLS {facts.starttls}"
            log.info(
                "%s %s: %r; asking again in %.1f s (%s, %s)",
                target.mx_host,
                target.address,
                why,
                wait_s,
                again.lane,
                again.hello,
            )
            self._note_wait(target, Awaited.NEXT_SESSION, wait_s, facts.failure)
            if first is FIRST:
                self._note_known(target, facts)
            await asyncio.sleep(wait_s)
            facts = merge_sessions(facts, await self._further(target, first, again))
        self._note_no_wait(target)
        return facts

    async def _further(
        self, target: Target, first: NextSession, again: NextSession
    ) -> EndpointFacts:
        """One more session. Without SNI its result belongs to the address, which is asked once."""
        if uses_sni(first.hello) and not uses_sni(again.hello):
            facts = await self._unnamed.get(_Address.of(target))
            return replace(facts, mx_host=target.mx_host)
        return await self._session(target, again)

    def _why_not(self, target: Target) -> tuple[Reason, str] | None:
        address = target.address
        if target.left_out is not None:
            return Reason.LIMIT, target.left_out
        if not may_contact(address, allow_private=self.settings.allow_private):
            return Reason.PRIVATE_ADDRESS, _not_public(address)
        is_ipv6 = ":" in address
        if is_ipv6 and not self.settings.use_ipv6:
            return Reason.NO_IPV6_HERE, "--ipv4-only"
        if not is_ipv6 and not self.settings.use_ipv4:
            return Reason.NO_IPV4_HERE, "--ipv6-only"
        if is_ipv6:  # many machines have no IPv6: do not take a turn for nothing
            try:
                require_route(address, target.port)
            except NoRouteError as error:
                return error.reason, str(error.strerror)
            except OSError:  # such as too many open files: the session will report it
                return None
        return None

    async def _session(self, target: Target, again: NextSession) -> EndpointFacts:
        """One session, when it is its turn."""
        is_slow = again.lane is Lane.SLOW
        settings = self.settings.patient() if is_slow else self.settings

        async def ask(on_step: OnStep | None) -> EndpointFacts:
            return await probe_endpoint(
                target, settings, self._tls, again.hello, self._heartbeat, on_step
            )

        return await self._in_turn(target, ask, slow=is_slow)

    async def _in_turn(self, target: Target, ask: Ask, *, slow: bool = False) -> EndpointFacts:
        """The facts of one session. *ask* makes it when it is its turn."""
        turn_of = self._pacer.slow_turn if slow else self._pacer.turn
        on_step = partial(self._on_step, target) if self._watch is not None else None
        self._note_wait(target, Awaited.TURN)
        async with turn_of(target.address, target.mx_host) as turn:
            facts = await ask(on_step)
            turn.report(overloaded=asks_to_slow_down(facts))
        return facts


def _not_public(address: str) -> str:
    """Why *address* is not contacted. --allow-private contacts all but an unspecified one."""
    if may_contact(address, allow_private=True):
        return "not globally reachable; --allow-private contacts it"
    return "no host can have this address"


def not_contacted(
    target: Target, reason: Reason, detail: str | None, step: Step = Step.CONNECT
) -> EndpointFacts:
    """The facts of an endpoint that was not contacted, with the reason."""
    return EndpointFacts(
        mx_host=target.mx_host,
        address=target.address,
        port=target.port,
        observed_at=clock.now(),
        failure=Failure(step=step, reason=reason, detail=detail),
    )
