"""One domain: the stages in order, from its name to its report."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from time import monotonic

from dns.rdtypes.ANY.MX import MX

from prober import clock
from prober.domains import Entry
from prober.errors import InputError
from prober.faults import judged, observed
from prober.net.mta_sts import TLS_RPT_LABEL, observe_sts, observe_txt
from prober.net.resolver import DnsAnswer, DnsStatus, host_text
from prober.net.smtp import Target
from prober.net.tlsa import resolve_tlsa
from prober.records import (
    Dnssec,
    DomainFacts,
    DomainReport,
    EndpointFacts,
    Failure,
    GivenServer,
    MxHost,
    Reason,
    Route,
    RouteStatus,
    Step,
)
from prober.rules.dane import server_name
from prober.rules.mx import Exchange, may_receive, select_exchanges
from prober.vantage import Vantage
from prober.waits import Awaited, Wait


async def probe_entry(entry: Entry, vantage: Vantage) -> DomainReport:
    """Probe one entry of the input. If it is not a domain, the report says so."""
    return await Probing(entry, vantage).report()


class Probing:
    """The probe of one entry, in two steps, since DNS and servers have limits of their own.

    ``look_up`` finds the MX hosts. ``report`` does the rest, and may have to wait for slow servers.
    It calls ``look_up`` first if that was not done.
    """

    def __init__(self, entry: Entry, vantage: Vantage) -> None:
        self._vantage = vantage
        self._started = monotonic()
        self._facts = begin(entry, vantage)
        self._published: asyncio.Task[DomainFacts] | None = None
        self._dnssec = vantage.resolver.new_domain()

    async def look_up(self) -> None:
        """Find the MX hosts and their addresses."""
        if self._facts.route is None and self._facts.error is None:
            self._note_wait(Awaited.RESOLVE, self._vantage.settings.dns_s)
            with self._vantage.resolver.for_domain(self._dnssec):
                self._facts = await observe_route(self._facts, self._vantage)
            self._note_end(Awaited.RESOLVE)

    async def report(self) -> DomainReport:
        """Probe the MX hosts, look up what the domain publishes, and judge."""
        await self.look_up()
        facts = self._facts
        if facts.mx_hosts:
            with self._vantage.resolver.for_domain(self._dnssec):
                facts = await observed(facts, self._ask)
        facts = replace(facts, proof=await self._vantage.resolver.proof(self._dnssec))
        elapsed_ms = round((monotonic() - self._started) * 1000)
        return judged(replace(facts, elapsed_ms=elapsed_ms), self._vantage.reader)

    async def _ask(self, _domain: str) -> DomainFacts:
        facts = self._facts
        async with asyncio.TaskGroup() as group:
            endpoints = group.create_task(probe_hosts(facts.mx_hosts, self._vantage))
            self._published = group.create_task(self._observe_published(facts))
        return replace(self._published.result(), endpoints=endpoints.result())

    async def _observe_published(self, facts: DomainFacts) -> DomainFacts:
        settings = self._vantage.settings
        # the wait covers the TXT record, the address of the policy host, and the policy
        self._note_wait(Awaited.POLICY, 2 * settings.dns_s + settings.sts_s)
        facts = await observe_published(facts, self._vantage)
        self._note_end(Awaited.POLICY)
        return facts

    def so_far(self) -> DomainReport:
        """The report on what is known now, in a run with a watch. The rest is ``unfinished``."""
        facts, published = self._facts, self._published
        if published is not None and published.done() and not published.cancelled():
            facts = published.result() if published.exception() is None else facts
        if facts.route is None and facts.error is None:
            route = Route(
                status=RouteStatus.DNS_ERROR,
                dnssec=Dnssec.INDETERMINATE,
                reason=Reason.UNFINISHED,
            )
            facts = replace(facts, route=route)
        settings = self._vantage.settings
        targets = targets_of(facts.mx_hosts, port=settings.port, most=settings.addresses)
        endpoints = tuple(map(self._vantage.endpoint_so_far, targets))
        elapsed_ms = round((monotonic() - self._started) * 1000)
        facts = replace(facts, endpoints=endpoints, elapsed_ms=elapsed_ms)
        return judged(facts, self._vantage.reader)

    def _note_wait(self, awaited: Awaited, at_most_s: float) -> None:
        watch, domain = self._vantage.watch, self._facts.domain
        if watch is not None and domain is not None:
            watch.waits[domain, awaited] = Wait(awaited=awaited, host=domain, at_most_s=at_most_s)

    def _note_end(self, awaited: Awaited) -> None:
        if self._vantage.watch is not None:
            self._vantage.watch.waits.pop((self._facts.domain, awaited), None)


def begin(entry: Entry, vantage: Vantage) -> DomainFacts:
    """The facts on *entry* before anything is looked up."""
    return DomainFacts(
        input=entry.text,
        domain=entry.domain,
        columns=entry.columns,
        server=entry.server,
        checked_at=clock.now(),
        elapsed_ms=0,
        run=vantage.run,
        error=entry.error,
    )


async def observe_route(facts: DomainFacts, vantage: Vantage) -> DomainFacts:
    """*facts* with the route and the MX hosts, or with an internal fault."""

    async def observe(domain: str) -> DomainFacts:
        if facts.server is None:
            route, hosts = await resolve_route(domain, vantage)
        else:
            route, hosts = await route_to(facts.server, domain, vantage)
        return replace(facts, route=route, mx_hosts=hosts)

    return await observed(facts, observe)


async def observe_published(facts: DomainFacts, vantage: Vantage) -> DomainFacts:
    """*facts* with MTA-STS (RFC 8461) and TLS-RPT (RFC 8460), or with an internal fault."""

    async def observe(domain: str) -> DomainFacts:
        without_txt = vantage.settings.sts_without_txt
        async with vantage.publications:
            sts, tls_rpt_txt = await asyncio.gather(
                observe_sts(domain, vantage.resolver, vantage.policies, without_txt=without_txt),
                observe_txt(TLS_RPT_LABEL, domain, vantage.resolver),
            )
        return replace(facts, sts=sts, tls_rpt_txt=tls_rpt_txt)

    return await observed(facts, observe)


async def resolve_route(domain: str, vantage: Vantage) -> tuple[Route, tuple[MxHost, ...]]:
    """Where DNS sends mail for *domain*: its MX hosts with their addresses. RFC 5321 §5.1.

    The domain's own address is used only if the answer says that there is no MX record. It is not
    used if the look-up failed, or if MX hosts have no address.
    """
    answer = await vantage.resolver.query(domain, "MX")
    match answer.status:
        case DnsStatus.FAILED:
            return _dns_error(answer), ()
        case DnsStatus.NXDOMAIN:
            return Route(status=RouteStatus.NXDOMAIN, dnssec=answer.dnssec), ()
        case DnsStatus.NODATA:
            implicit = MxHost(name=domain, preference=0)
            return await _route_to_itself(implicit, answer, vantage)
        case DnsStatus.FOUND:
            return await _route_by_mx(answer, vantage)


async def route_to(
    server: GivenServer, domain: str, vantage: Vantage
) -> tuple[Route, tuple[MxHost, ...]]:
    """The route to *server*, as if it were the only MX host of *domain*.

    Its DNSSEC state is that of the present MX answer, since a new MX record will be in the same
    zone. Raises InputError if the server has no address.
    """
    answer = await vantage.resolver.query(domain, "MX")
    host = MxHost(name=server.name, preference=0)
    host = await resolve_addresses(host, vantage, given=server.address)
    if not may_receive(host):
        raise InputError(f"{server.name} has no address in DNS; give one: {server.name}@ADDRESS")
    return Route(status=RouteStatus.MX, dnssec=answer.dnssec), (host,)


def _dns_error(answer: DnsAnswer) -> Route:
    return Route(
        status=RouteStatus.DNS_ERROR,
        dnssec=answer.dnssec,
        reason=answer.reason,
        detail=answer.detail,
    )


async def _route_to_itself(
    implicit: MxHost, answer: DnsAnswer, vantage: Vantage
) -> tuple[Route, tuple[MxHost, ...]]:
    host = await resolve_addresses(implicit, vantage)
    if host.addresses:
        return Route(status=RouteStatus.IMPLICIT_MX, dnssec=answer.dnssec), (host,)
    if host.failure is None:
        return Route(status=RouteStatus.NO_MAIL_HOST, dnssec=answer.dnssec), ()
    route = Route(
        status=RouteStatus.DNS_ERROR,
        dnssec=host.dnssec,
        reason=host.failure.reason,
        detail=host.failure.detail,
    )
    return route, ()


async def _route_by_mx(answer: DnsAnswer, vantage: Vantage) -> tuple[Route, tuple[MxHost, ...]]:
    exchanges = [
        Exchange(preference=record.preference, host=host_text(record.exchange))
        for record in answer.records
        if isinstance(record, MX)
    ]
    selection = select_exchanges(exchanges, most=vantage.settings.mx_hosts)
    hosts = await asyncio.gather(*(resolve_addresses(host, vantage) for host in selection.hosts))
    status = selection.status
    if status is RouteStatus.MX and not any(may_receive(host) for host in hosts):
        status = RouteStatus.NO_MAIL_HOST
    route = Route(status=status, dnssec=answer.dnssec, anomalies=selection.anomalies)
    return route, tuple(hosts)


async def resolve_addresses(host: MxHost, vantage: Vantage, *, given: str | None = None) -> MxHost:
    """*host* with its addresses, IPv4 and IPv6 alternating. A host with a failure stays unchanged.

    If an address is *given*, the host has only that one, and DNS only tells whether its zone is
    signed.
    """
    if host.failure is not None:
        return host
    answers = await asyncio.gather(
        *(vantage.resolver.query(host.name, rdtype) for rdtype in ("A", "AAAA"))
    )
    addresses = _by_turns(answers) if given is None else (given,)
    settings = vantage.settings
    listed = addresses[: 2 * settings.addresses]
    # senders use the addresses that they get, and DANE depends on those answers: RFC 7672 §2.2.2
    counted = [answer for answer in answers if answer.reason is None] if listed else answers
    failure = _failure(answers) if given is None else None
    host = replace(
        host,
        addresses=listed,
        alias_of=_alias(host.name, answers),
        dnssec=_weakest(counted or answers),
        failure=failure or _left_out(len(addresses) - len(listed)),
    )
    return await resolve_tlsa(
        host, vantage.resolver, port=settings.port, most=settings.tlsa_records
    )


def _by_turns(answers: Sequence[DnsAnswer]) -> tuple[str, ...]:
    """The addresses, IPv4 and IPv6 alternating, so that a limit keeps some of both.

    Sorted, since resolvers rotate the order: each look-up must give the same host.
    """
    texts = (sorted(record.to_text() for record in answer.records) for answer in answers)
    by_turns = (text for pair in zip_longest(*texts) for text in pair if text is not None)
    return tuple(dict.fromkeys(by_turns))


def _alias(name: str, answers: Sequence[DnsAnswer]) -> str | None:
    canonical = {answer.canonical_name for answer in answers if answer.canonical_name}
    return next(iter(sorted(canonical - {name})), None)


_STRENGTH = (Dnssec.BOGUS, Dnssec.INDETERMINATE, Dnssec.INSECURE, Dnssec.SECURE)


def _weakest(answers: Sequence[DnsAnswer]) -> Dnssec:
    return min((answer.dnssec for answer in answers), key=_STRENGTH.index)


def _failure(answers: Sequence[DnsAnswer]) -> Failure | None:
    """The first look-up that failed. The host may then have addresses that we do not know."""
    for rdtype, answer in zip(("A", "AAAA"), answers, strict=True):
        if answer.reason is not None:
            detail = f"{rdtype}: {answer.detail or answer.reason}"
            return Failure(step=Step.RESOLVE, reason=answer.reason, detail=detail)
    return None


def _left_out(count: int) -> Failure | None:
    if not count:
        return None
    detail = f"{count} more addresses are not listed"
    return Failure(step=Step.RESOLVE, reason=Reason.LIMIT, detail=detail)


async def probe_hosts(hosts: Sequence[MxHost], vantage: Vantage) -> tuple[EndpointFacts, ...]:
    """The facts of all addresses of all hosts, in the order of the hosts."""
    targets = targets_of(hosts, port=vantage.settings.port, most=vantage.settings.addresses)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(vantage.endpoint(target)) for target in targets]
    return tuple(task.result() for task in tasks)


def targets_of(hosts: Sequence[MxHost], *, port: int, most: int) -> Iterator[Target]:
    """All addresses of all *hosts*. Those beyond the first *most* of a host are left out."""
    for host in hosts:
        for position, address in enumerate(host.addresses):
            yield Target(
                mx_host=host.name,
                address=address,
                port=port,
                server_name=server_name(host),
                proves_by_tlsa=bool(host.tlsa) or host.tlsa_failure is not None,
                left_out=f"more than {most} addresses" if position >= most else None,
            )
