"""Checks what a probe needs on this machine, and says what to do about what is missing."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

import dns.name

from prober.dnssec.chain import NO_KEY
from prober.dnssec.signatures import EXPIRED, NOT_YET_VALID
from prober.dnssec.validator import NO_ANCHOR, UNREACHABLE
from prober.domains import literal_address, parse_domain
from prober.net.resolver import DnsStatus
from prober.net.route import require_route
from prober.net.smtp import Target
from prober.probe import resolve_route
from prober.records import Answer, EndpointFacts, Step
from prober.rules.totals import was_tried
from prober.settings import Validation
from prober.vantage import Vantage

CONTROL_DOMAINS: Final = ("gmail.com", "outlook.com", "yahoo.com")
_HOSTS_TRIED: Final = 2  # of each control domain; one that answers is enough
_SOME_GLOBAL_IPV6: Final = "2001:500:2::c"  # a root server; nothing is sent to it


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that a probe needs: whether it is there, and what to do if it is not."""

    topic: str
    answer: Answer
    what: str
    advice: str | None = None
    essential: bool = False  # without it nothing can be probed


async def examine(vantage: Vantage, controls: Sequence[str]) -> AsyncIterator[Check]:
    """All checks, each after those that it depends on."""
    resolver = await check_resolver(vantage)
    yield resolver
    yield await check_dnssec(vantage)
    yield await check_port(vantage, controls, has_dns=resolver.answer is Answer.YES)
    yield check_ipv6()
    yield check_trust_store(vantage)
    yield await check_ehlo_name(vantage, has_dns=resolver.answer is Answer.YES)


async def check_resolver(vantage: Vantage) -> Check:
    """Whether any nameserver answers."""
    names = ", ".join(vantage.resolver.addresses)
    if await vantage.resolver.is_alive():
        return Check(topic="resolver", answer=Answer.YES, what=f"{names} answers", essential=True)
    return Check(
        topic="resolver",
        answer=Answer.NO,
        what=f"no answer from {names}",
        advice="name one that answers with --resolver ADDR, or correct /etc/resolv.conf",
        essential=True,
    )


async def check_dnssec(vantage: Vantage) -> Check:
    """Whether DNSSEC is validated, and by whom."""
    resolver, chosen = vantage.resolver, vantage.settings.dnssec
    if chosen is Validation.OFF:
        what = "off: no answer is validated, and DANE is not tested"
        return Check(topic="dnssec", answer=Answer.NOT_TESTED, what=what)
    if await resolver.validation() is Validation.LOCAL:
        return await _check_local_validation(vantage)
    probe = vantage.settings.dnssec_probe
    if not resolver.is_trusted:
        return Check(
            topic="dnssec",
            answer=Answer.NOT_TESTED,
            what="the resolver is not on this machine: its AD flag could be forged on the way",
            advice="validate here with --dnssec auto, or trust the path with --trust-ad",
        )
    validates = await resolver.validates()
    if validates is Answer.YES:
        what = f"the resolver rejects bad signatures (tested with {probe})"
        return Check(topic="dnssec", answer=Answer.YES, what=what)
    if validates is Answer.NOT_TESTED:
        return Check(
            topic="dnssec",
            answer=Answer.NOT_TESTED,
            what=f"the resolver has no answer for {probe}",
            advice="name another domain with bad signatures, with --dnssec-probe",
        )
    return Check(
        topic="dnssec",
        answer=Answer.NO,
        what=f"the resolver does not validate: it accepts bad signatures ({probe}), or sets no "
        "AD flag for the root",
        advice="validate here with --dnssec auto, or turn validation on in the resolver",
    )


async def _check_local_validation(vantage: Vantage) -> Check:
    """Whether the chain of trust can begin: the resolver gives the root's keys and signatures."""
    why = await _why_local(vantage)
    root = await vantage.resolver.validator.zone(dns.name.root)
    if root.is_secure:
        what = f"answers are validated here, from the root: {why}"
        return Check(topic="dnssec", answer=Answer.YES, what=what)
    fault = root.judgement.fault
    if fault.startswith((EXPIRED, NOT_YET_VALID, NO_ANCHOR)):
        advice = "set the clock of this machine: by it, the keys of the root are out of date"
    elif fault.startswith(UNREACHABLE):
        advice = "name a resolver that answers with --resolver ADDR"
    elif fault.startswith(NO_KEY):
        advice = "install a newer version, or give the root's keys with --trust-anchor FILE"
    else:
        advice = (
            "name a resolver that passes signatures on, with --resolver ADDR; until then DNSSEC "
            "is indeterminate, and DANE is not tested"
        )
    what = f"answers cannot be validated here ({why}): {root.judgement}"
    return Check(topic="dnssec", answer=Answer.NO, what=what, advice=advice)


async def _why_local(vantage: Vantage) -> str:
    if vantage.settings.dnssec is Validation.LOCAL:
        return "--dnssec local"
    if not vantage.resolver.is_trusted:
        return "the resolver is not on this machine"
    if await vantage.resolver.validates() is Answer.NO:
        return "the resolver does not validate"
    return (
        f"whether the resolver validates is unknown: no answer for {vantage.settings.dnssec_probe}"
    )


async def check_port(vantage: Vantage, controls: Sequence[str], *, has_dns: bool) -> Check:
    """Whether mail servers that are known to run can be reached from here."""
    port = vantage.settings.port
    topic = f"port {port}"
    facts: list[EndpointFacts] = []
    if has_dns:
        tried = await asyncio.gather(*(_try(parse_domain(name), vantage) for name in controls))
        facts = [facts for endpoints in tried for facts in endpoints if was_tried(facts)]
    reached = [endpoint for endpoint in facts if _is_reached(endpoint)]
    if reached:
        names = ", ".join(dict.fromkeys(endpoint.mx_host for endpoint in reached))
        return Check(topic=topic, answer=Answer.YES, what=f"reached {names}", essential=True)
    if not facts:
        return Check(
            topic=topic,
            answer=Answer.NOT_TESTED,
            what=f"no mail server found for {', '.join(controls)}",
            advice="repair DNS first, or name domains that receive mail with --control",
            essential=True,
        )
    return Check(
        topic=topic,
        answer=Answer.NO,
        what=f"none of {len(facts)} mail servers could be reached",
        advice="most clouds and home networks block it: ask the provider, or run elsewhere",
        essential=True,
    )


async def _try(domain: str, vantage: Vantage) -> Sequence[EndpointFacts]:
    _, hosts = await resolve_route(domain, vantage)
    targets = [
        Target(mx_host=host.name, address=host.addresses[0], port=vantage.settings.port)
        for host in hosts[:_HOSTS_TRIED]
        if host.addresses
    ]
    return await asyncio.gather(*(vantage.endpoint(target) for target in targets))


def _is_reached(endpoint: EndpointFacts) -> bool:
    return endpoint.failure is None or endpoint.failure.step is not Step.CONNECT


def check_ipv6() -> Check:
    """Whether this machine has a route to global IPv6 addresses."""
    try:
        require_route(_SOME_GLOBAL_IPV6, 25)
    except OSError as error:
        return Check(
            topic="ipv6",
            answer=Answer.NO,
            what=f"no route: {error.strerror}",
            advice="hosts that have only IPv6 addresses will be reported as not tested",
        )
    return Check(topic="ipv6", answer=Answer.YES, what="there is a route; nothing was sent")


def check_trust_store(vantage: Vantage) -> Check:
    """Whether certificates can be verified."""
    store = vantage.tls.trust_store
    if store.certificates:
        what = f"{store.certificates} certificates in {store.source}"
        return Check(topic="trust store", answer=Answer.YES, what=what)
    return Check(
        topic="trust store",
        answer=Answer.NO,
        what="none was found: whether certificates are trusted will not be tested",
        advice="install the package ca-certificates, or name a PEM file with --ca-file",
    )


async def check_ehlo_name(vantage: Vantage, *, has_dns: bool) -> Check:
    """Whether the EHLO name resolves, and the PTR records of its addresses name it."""
    name = vantage.settings.ehlo_name
    if name is not None and literal_address(name) is not None:
        return Check(
            topic="ehlo name",
            answer=Answer.NO,
            what=f"EHLO sends the address {name}, not a name",
            advice="some servers refuse that: give its name in DNS with --ehlo-name",
        )
    if name is None:
        return Check(
            topic="ehlo name",
            answer=Answer.NO,
            what="this machine has no full name: EHLO sends its address",
            advice="some servers refuse that: give its name in DNS with --ehlo-name",
        )
    if not has_dns:
        return Check(topic="ehlo name", answer=Answer.NOT_TESTED, what=f"{name}: DNS is needed")
    answers = [await vantage.resolver.query(name, rdtype) for rdtype in ("A", "AAAA")]
    addresses = [record.to_text() for answer in answers for record in answer.records]
    if not addresses and any(answer.status is DnsStatus.FAILED for answer in answers):
        return Check(topic="ehlo name", answer=Answer.NOT_TESTED, what=f"{name} does not resolve")
    if not addresses:
        return Check(
            topic="ehlo name",
            answer=Answer.NO,
            what=f"{name} has no address",
            advice="give it an A record, or another name with --ehlo-name",
        )
    leads_back = await _lead_back(name, addresses, vantage)
    if leads_back is Answer.NOT_TESTED:
        what = f"{name} is {', '.join(addresses)}; the reverse DNS does not resolve"
        return Check(topic="ehlo name", answer=Answer.NOT_TESTED, what=what)
    if leads_back is Answer.YES:
        what = f"{name} is {', '.join(addresses)}, and back"
        return Check(topic="ehlo name", answer=Answer.YES, what=what)
    return Check(
        topic="ehlo name",
        answer=Answer.NO,
        what=f"{name} is {', '.join(addresses)}, but the reverse DNS says otherwise",
        advice=f"set the PTR record of the address to {name}",
    )


async def _lead_back(name: str, addresses: Sequence[str], vantage: Vantage) -> Answer:
    """Whether the PTR record of each address names *name*."""
    for address in addresses:
        reverse = ipaddress.ip_address(address).reverse_pointer
        answer = await vantage.resolver.query(reverse, "PTR")
        if answer.status is DnsStatus.FAILED:
            return Answer.NOT_TESTED
        names = {record.to_text().rstrip(".").lower() for record in answer.records}
        if name.lower() not in names:
            return Answer.NO
    return Answer.YES
