"""Builds the chain of trust from an anchor down to each answer, and caches zones.

It asks through a function that it is given. The judgements are in ``chain``.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import dns.name
import dns.rdatatype
import dns.rrset
from dns.name import Name
from dns.rdatatype import RdataType

from prober.answer_cache import SingleFlight
from prober.dnssec.anchors import Anchor, Anchors, valid_at
from prober.dnssec.chain import (
    judge_delegation,
    judge_denial,
    judge_keys,
    judge_rrset,
    usable_ds,
)
from prober.dnssec.judgement import (
    DomainLimitError,
    Judgement,
    LimitError,
    Reply,
    Work,
    Zone,
    indeterminate,
    weakest,
)
from prober.dnssec.signatures import utc
from prober.records import Dnssec, Reason

UNREACHABLE: Final = "no answer from the resolver"
NO_ANCHOR: Final = "no trust anchor counts for an answer of"
MAX_CHAIN: Final = 16  # aliases, as in net/dns_message
MAX_LABELS: Final = 40  # of a name whose zones are looked for; one question each
_ZONES: Final = 100_000  # kept; about 1 kB each
_MIN_S, _MAX_S = 300.0, 86_400.0  # that a zone's keys are kept, within their TTL

_DS, _CNAME, _DNAME = dns.rdatatype.DS, dns.rdatatype.CNAME, dns.rdatatype.DNAME


@dataclass(frozen=True, slots=True)
class NoReply:
    """Why there is no reply that can be judged."""

    reason: Reason
    detail: str


_Labels: TypeAlias = tuple[bytes, ...]  # of a name in lower case: its hash costs a tenth
Ask: TypeAlias = Callable[[Name, RdataType], Awaitable[Reply | NoReply]]


class Validator:
    """Judges replies. The keys and the delegation of each zone are fetched and verified once.

    *ask* sends a question with DO and CD. *work* makes the limits for one answer. A zone whose
    look-up failed is asked again after *failure_ttl_s*.
    """

    def __init__(
        self,
        ask: Ask,
        *,
        anchors: Anchors,
        work: Callable[[], Work],
        failure_ttl_s: float,
    ) -> None:
        self._ask = ask
        self._anchors = {_labels(name): each for name, each in anchors.items()}
        self._work = work
        self._failure_ttl_s = failure_ttl_s
        self._zones: SingleFlight[_Labels, Zone] = SingleFlight(
            self._find, size=_ZONES, lifetime_s=self._lifetime_s
        )

    async def judge(self, name: Name, rdtype: RdataType, reply: Reply) -> Judgement:
        """The state of *reply* to the question for *name* and *rdtype*, aliases included."""
        work = self._work()
        try:
            return await self._judge(name, rdtype, reply, work)
        except LimitError as error:
            return _limit(name, rdtype, error)

    async def zone(self, name: Name) -> Zone:
        """The closest zone at or above *name*, or where the chain of trust ends."""
        try:
            return await self._zone(name)
        except LimitError as error:
            return Zone(name=name, judgement=_limit(name, _DS, error))

    async def aclose(self) -> None:
        """Cancel the questions in flight."""
        await self._zones.aclose()

    async def _judge(self, name: Name, rdtype: RdataType, reply: Reply, work: Work) -> Judgement:
        judgements = []
        for _ in range(MAX_CHAIN):
            rrset = reply.rrset(name, rdtype)
            if rrset is not None:
                judgements.append(await self._judge_rrset(rrset, reply, work))
                return weakest(judgements)
            alias = reply.rrset(name, _CNAME)
            if alias is None:
                judgements.append(await self._judge_denial(name, rdtype, reply, work))
                return weakest(judgements)
            judgements.append(await self._judge_alias(alias, reply, work))
            name = alias[0].target
        return _limit(name, rdtype, LimitError("too many aliases"))

    async def _judge_alias(self, alias: dns.rrset.RRset, reply: Reply, work: Work) -> Judgement:
        """A CNAME, or the DNAME that it was made from: RFC 6672 §5.3.1."""
        if not reply.signatures(alias):
            for source in _dnames_above(alias.name, reply):
                prefix = alias.name.relativize(source.name)
                try:
                    made = prefix.derelativize(source[0].target)
                except dns.name.NameTooLong:
                    continue
                if made == alias[0].target:
                    return await self._judge_rrset(source, reply, work)
        return await self._judge_rrset(alias, reply, work)

    async def _judge_rrset(self, rrset: dns.rrset.RRset, reply: Reply, work: Work) -> Judgement:
        signers = {each.signer for each in reply.signatures(rrset)}
        zone = await self._zone_of(rrset.name, rrset.rdtype, signers)
        if not zone.is_secure:
            return zone.judgement
        return judge_rrset(rrset, zone, reply, work)

    async def _judge_denial(
        self, name: Name, rdtype: RdataType, reply: Reply, work: Work
    ) -> Judgement:
        signers = {
            signature.signer
            for rrset in reply.denials()
            for signature in reply.signatures(rrset)
            if name.is_subdomain(signature.signer)
        }
        zone = await self._zone_of(name, rdtype, signers)
        if not zone.is_secure:
            return zone.judgement
        return judge_denial(name, rdtype, zone, reply, work)

    async def _zone_of(self, name: Name, rdtype: RdataType, signers: set[Name]) -> Zone:
        """The zone that signed, if one zone did; else the zone that contains *name*."""
        above = name.parent() if rdtype == _DS and name != dns.name.root else name
        signers = {signer for signer in signers if above.is_subdomain(signer)}
        if len(signers) == 1:
            return await self._zone(signers.pop())
        return await self._zone(above)

    async def _zone(self, name: Name) -> Zone:
        if len(name) > MAX_LABELS:
            error = LimitError(f"more than {MAX_LABELS} labels")
            return Zone(name=name, judgement=_limit(name, _DS, error))
        labels = _labels(name)
        depths = range(len(labels), 0, -1)
        anchored = next((depth for depth in depths if labels[-depth:] in self._anchors), 0)
        if not anchored:
            fault = "no trust anchor above it"
            judgement = Judgement(state=Dnssec.INDETERMINATE, zone=str(name), fault=fault)
            return Zone(name=name, judgement=judgement)
        for depth in range(anchored, len(labels) + 1):
            zone = await self._zones.get(labels[-depth:])
            if not zone.is_secure:
                break
        return zone

    async def _find(self, labels: _Labels) -> Zone:
        work = self._work()
        name = Name(labels)
        try:
            if labels in self._anchors:
                return await self._find_anchored(name, self._anchors[labels], work)
            return await self._find_below(await self._zones.get(labels[1:]), name, work)
        except DomainLimitError:
            raise  # so that nothing is kept: another domain may ask for this zone
        except LimitError as error:
            return Zone(name=name, judgement=_limit(name, _DS, error))

    async def _find_anchored(self, name: Name, trusted: Sequence[Anchor], work: Work) -> Zone:
        """If this fails, the resolver, the clock or the anchor is at fault, and not a domain."""
        reply = await self._ask(name, dns.rdatatype.DNSKEY)
        if isinstance(reply, NoReply):
            return _unreachable(name, dns.rdatatype.DNSKEY, reply, failure=None)
        valid = valid_at(trusted, reply.now)
        if not valid:
            fault = f"{NO_ANCHOR} {utc(reply.now)}"
            judgement = Judgement(state=Dnssec.INDETERMINATE, zone=str(name), fault=fault)
            return Zone(name=name, judgement=judgement)
        anchors = usable_ds(name, valid)
        if isinstance(anchors, Zone):
            return _without_blame(anchors)
        zone = judge_keys(name, anchors, reply, work)
        return zone if zone.is_secure else _without_blame(zone)

    async def _find_below(self, parent: Zone, name: Name, work: Work) -> Zone:
        if not parent.is_secure:
            return parent
        reply = await self._ask(name, _DS)
        if isinstance(reply, NoReply):
            return _unreachable(name, _DS, reply, failure=reply.reason)
        found = judge_delegation(name, parent, reply, work)
        if isinstance(found, Zone):
            return found
        keys = await self._ask(name, dns.rdatatype.DNSKEY)
        if isinstance(keys, NoReply):
            return _unreachable(name, dns.rdatatype.DNSKEY, keys, failure=keys.reason)
        return judge_keys(name, found, keys, work)

    def _lifetime_s(self, zone: Zone) -> float:
        if zone.judgement.state in (Dnssec.INDETERMINATE, Dnssec.BOGUS):
            return self._failure_ttl_s
        return min(max(zone.ttl, _MIN_S), _MAX_S)


def _labels(name: Name) -> _Labels:
    return tuple(map(bytes.lower, name.labels))


def _dnames_above(name: Name, reply: Reply) -> list[dns.rrset.RRset]:
    return [
        each
        for each in reply.answer
        if each.rdtype == _DNAME and name.is_subdomain(each.name) and name != each.name
    ]


def _without_blame(zone: Zone) -> Zone:
    return replace(zone, judgement=replace(zone.judgement, state=Dnssec.INDETERMINATE))


def _unreachable(name: Name, rdtype: RdataType, reply: NoReply, *, failure: Reason | None) -> Zone:
    fault = f"{UNREACHABLE}: {reply.detail}"
    return Zone(name=name, judgement=indeterminate(name, name, rdtype, fault, failure=failure))


def _limit(name: Name, rdtype: RdataType, error: LimitError) -> Judgement:
    return indeterminate(None, name, rdtype, str(error), failure=Reason.LIMIT)
