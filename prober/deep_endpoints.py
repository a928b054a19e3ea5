"""What else a server accepts: the questions of ``--deep``, one session each, within the budget.

A server that answers 421, refuses, falls silent or closes before TLS is not asked again. The other
questions are then not tested. docs/deep.md.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final

from prober import clock
from prober.answer_cache import SingleFlight
from prober.clock import Heartbeat
from prober.faults import internal_fault
from prober.net.client_hello import OFFERS, Offer, norm_groups
from prober.net.deep import Asked, OnStep, ask_in_clear
from prober.net.deep_full import Accepted, Hellos, enumerate_all
from prober.net.smtp import CLIENT_HELLO, Target, probe_endpoint
from prober.net.tls import TlsClient
from prober.records import (
    DeepAnswer,
    DeepFacts,
    DeepQuestion,
    EndpointFacts,
    Enumeration,
    Failure,
    Hello,
    Line,
    Reason,
    Step,
)
from prober.rules.certificate_fields import CertificateReader
from prober.rules.deep_plan import Plan, Way, budget_spent, certificate_answer, stops
from prober.rules.endpoint import uses_sni
from prober.rules.retry import asks_to_slow_down
from prober.settings import Settings

_KEPT: Final = 10_000  # about 20 kB each

Ask = Callable[[OnStep | None], Awaitable[EndpointFacts]]
InTurn = Callable[[Target, Ask], Awaitable[EndpointFacts]]
"""Runs one session when it is its turn, and returns its facts."""


@dataclass(frozen=True, slots=True)
class _Server:
    """One server at an address and port; *known_by* tells it from others there."""

    address: str
    port: int
    known_by: object
    target: Target = field(compare=False)
    facts: EndpointFacts = field(compare=False)  # of its main sessions
    settings: Settings = field(compare=False)


def _known_by(target: Target, facts: EndpointFacts, *, share: bool) -> object:
    """Names with the same leaf certificate and TLS at one address are the same server.

    A name that may have TLSA records gets its own sessions, since its own certificates are needed.
    """
    if not share or target.proves_by_tlsa or facts.tls_version is None or not facts.chain:
        return target.mx_host
    return facts.chain[0], facts.tls_version, facts.cipher, facts.key_exchange_bits


class DeepEndpoints:
    """The servers of one run. Each is asked once, even if several MX hosts lead to it.

    *budget* is the number of connections that the run may make, *share* how many of them it may
    make here.
    """

    def __init__(
        self,
        budget: int,
        share: int,
        tls: TlsClient,
        heartbeat: Heartbeat,
        reader: CertificateReader,
        in_turn: InTurn,
    ) -> None:
        self._budget = budget
        self._share = self._left = share
        self._tls = tls
        self._heartbeat = heartbeat
        self._reader = reader
        self._in_turn = in_turn
        self._busy: dict[tuple[str, int], Failure] = {}
        self._facts: SingleFlight[_Server, DeepFacts] = SingleFlight(self._ask, size=_KEPT)

    async def get(self, target: Target, facts: EndpointFacts, settings: Settings) -> DeepFacts:
        """What else the server accepts whose main sessions gave *facts*."""
        known_by = _known_by(target, facts, share=settings.share)
        server = _Server(target.address, target.port, known_by, target, facts, settings)
        return await self._facts.get(server)

    @property
    def spent(self) -> int:
        """The number of connections made or reserved here."""
        return self._share - self._left

    async def aclose(self) -> None:
        """End the sessions in flight."""
        await self._facts.aclose()

    async def _ask(self, server: _Server) -> DeepFacts:
        plan = Plan(
            main=server.facts,
            leaf_kind=self._leaf_kind(server.facts),
            norm_groups=server.settings.norm_groups,
        )
        found = DeepFacts(observed_at=clock.now())
        most = len(plan.questions)
        if not self._take(most):
            return _cut(found, plan, budget_spent(self._budget))
        try:
            found = await self._questions(server, plan, found)
            if server.settings.deep_full and not _is_cut(found):
                found = await self._enumerate(server, found)
        except Exception as error:
            fault = internal_fault(error, server.target)
            return _cut(found, plan, Failure(step=Step.CONNECT, reason=Reason.FAULT, detail=fault))
        self._left += most - found.connections
        return found

    async def _enumerate(self, server: _Server, found: DeepFacts) -> DeepFacts:
        """All that the server accepts. ``failure`` is the last one that left a question open."""
        accepted, failure, made = Accepted(), None, 0
        hellos = enumerate_all(accepted)
        following = next(hellos, None)
        while following is not None:
            if made == server.settings.deep_connections:
                failure = _too_many(made)
                break
            if not self._take(1):
                failure = budget_spent(self._budget)
                break
            asked = await self._in_clear(server, *following)
            made += 1
            newest = asked.answer.failure or asked.session.failure
            if newest is not None:
                failure = newest
                found = replace(found, transcript=found.transcript + asked.session.transcript)
                if stops(newest):
                    break
            following = _send(hellos, asked.answer)
        full = Enumeration(
            versions=tuple(accepted.versions),
            suites=tuple(accepted.suites),
            groups=tuple(accepted.groups),
            connections=made,
            failure=failure,
        )
        return replace(found, enumeration=full)

    def _take(self, connections: int) -> bool:
        """Take *connections* of the budget, if there are so many left."""
        if connections > self._left:
            return False
        self._left -= connections
        return True

    async def _questions(self, server: _Server, plan: Plan, found: DeepFacts) -> DeepFacts:
        """Ask one question after the other, until all are answered or the server stops them."""
        while (following := plan.next_question(found.answers)) is not None:
            if (busy := self._busy.get((server.address, server.port))) is not None:
                return _cut(found, plan, busy)
            asked = await self._question(server, *following)
            lines = asked.session.transcript
            if found.connections and asked.answer.failure is None:
                lines = _from_hello(lines)
            found = replace(
                found,
                answers=plan.conclude(found.answers, asked.answer),
                connections=found.connections + 1,
                transcript=found.transcript + lines,
            )
            failure = asked.session.failure or asked.answer.failure
            if failure is not None and stops(failure):
                return _cut(found, plan, failure)
        return found

    async def _question(self, server: _Server, question: DeepQuestion, way: Way) -> Asked:
        if way is Way.CLEAR:
            return await self._in_clear(server, question, _offer(question, server))

        async def ask(on_step: OnStep | None) -> EndpointFacts:
            return await probe_endpoint(
                server.target,
                server.settings,
                self._tls,
                hello_for(server.facts),
                self._heartbeat,
                on_step,
                question,
            )

        facts = await self._session(server, ask)
        answer = certificate_answer(question, facts, self._leaf_kind(facts))
        return Asked(answer=answer, session=facts)

    async def _in_clear(self, server: _Server, question: DeepQuestion, offer: Offer) -> Asked:
        asked: list[Asked] = []
        if uses_sni(hello_for(server.facts)):
            offer = offer.with_name(server.target.server_name or server.target.mx_host)

        async def ask(on_step: OnStep | None) -> EndpointFacts:
            asked.append(
                await ask_in_clear(
                    server.target,
                    server.settings,
                    self._tls,
                    question,
                    offer,
                    self._heartbeat,
                    on_step,
                )
            )
            return asked[0].session

        await self._session(server, ask)
        return asked[0]

    async def _session(self, server: _Server, ask: Ask) -> EndpointFacts:
        """One session. If the server says it is overloaded, its address gets no more of them."""
        facts = await self._in_turn(server.target, ask)
        if facts.failure is not None and asks_to_slow_down(facts):
            self._busy[server.address, server.port] = facts.failure
        return facts

    def _leaf_kind(self, facts: EndpointFacts) -> str | None:
        key = self._reader.read(facts.chain[0]).key if facts.chain else None
        return None if key is None else key.kind


def hello_for(facts: EndpointFacts) -> Hello:
    """The hello of a main session that completed TLS, one with SNI if there is one.

    A server may refuse the name, or fail on a large hello, and still accept what is asked.
    """
    completed = [
        attempt.hello for attempt in facts.attempts if attempt.tls_version == facts.tls_version
    ]
    if facts.tls_version is None or not completed:
        return Hello.DEFAULT
    return next(filter(uses_sni, completed), completed[0])


def _offer(question: DeepQuestion, server: _Server) -> Offer:
    """What to offer. A server that completed no handshake may refuse any extension."""
    if question is DeepQuestion.NORM_GROUPS:
        return norm_groups(server.settings.norm_groups)
    offer = OFFERS[question]
    if question is DeepQuestion.LEGACY_VERSION and server.facts.tls_version is None:
        return offer.without_extensions()
    return offer


def _is_cut(found: DeepFacts) -> bool:
    return any(each.failure is not None and stops(each.failure) for each in found.answers)


def _send(hellos: Hellos, answer: DeepAnswer) -> tuple[DeepQuestion, Offer] | None:
    """What to offer after *answer*; None if there is nothing more to ask."""
    try:
        return hellos.send(answer)
    except StopIteration:
        return None


def _too_many(connections: int) -> Failure:
    detail = f"more than {connections} connections"
    return Failure(step=Step.HANDSHAKE, reason=Reason.LIMIT, detail=detail)


def _cut(found: DeepFacts, plan: Plan, failure: Failure) -> DeepFacts:
    """*found*, with the other questions not tested because of *failure*."""
    return replace(found, answers=plan.not_tested(found.answers, failure, found.observed_at))


def _from_hello(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """The part of a transcript that is not the same in every session."""
    starts = (at for at, line in enumerate(lines) if line.line.startswith(CLIENT_HELLO))
    return lines[next(starts, 0) :]
