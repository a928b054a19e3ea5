"""The TLSA records of an MX host, found where a sender that does DANE looks for them.

RFC 7672 §2.2: only a host whose addresses are secure is asked for them, since among the others
many answer such a question with a failure, and it would prove nothing. That the MX RRset is secure
as well is a fact of the route, and judged with it.
"""

from collections.abc import Sequence
from dataclasses import replace

from dns.rdata import GenericRdata

from prober.net.resolver import DnsAnswer, DnsStatus, Resolver
from prober.records import Dnssec, Failure, MxHost, Reason, Step, TlsaRecord


async def resolve_tlsa(host: MxHost, resolver: Resolver, *, port: int, most: int) -> MxHost:
    """*host* with the TLSA records for *port*, or with the proof that there are none.

    Left as it is where DANE does not apply: without addresses, or without a secure answer for
    them. Any failure on the way is one that a sender defers on, never "no TLSA" (RFC 7672
    §2.1.2). Of more than *most* records the first are kept, and a failure says so.
    """
    if not host.addresses:
        return host
    match host.dnssec:
        case Dnssec.SECURE if host.alias_of is not None:
            return await _search(host, (host.alias_of, host.name), resolver, port, most)
        case Dnssec.SECURE:
            return await _search(host, (host.name,), resolver, port, most)
        case Dnssec.INSECURE if host.alias_of is not None:
            return await _search_at_alias(host, resolver, port, most)
        case _:
            return host


async def _search_at_alias(host: MxHost, resolver: Resolver, port: int, most: int) -> MxHost:
    """RFC 7672 §2.2.2: a secure alias into an unsigned zone may have TLSA records at its own name.

    The AD bit stands for a whole answer, so the link itself is asked for (§2.1.3).
    """
    link = await resolver.query(host.name, "CNAME")
    if link.reason is not None:
        return replace(host, tlsa_failure=_failure(f"CNAME {host.name}", link))
    if link.status is DnsStatus.FOUND and link.dnssec is Dnssec.SECURE:
        return await _search(host, (host.name,), resolver, port, most)
    return host


async def _search(
    host: MxHost, bases: Sequence[str], resolver: Resolver, port: int, most: int
) -> MxHost:
    """Ask at each of *bases* in turn; the first secure RRset decides. RFC 7672 §2.2.3.

    Where there is none, insecure records are kept, since their owner will wonder about them.
    """
    best: MxHost | None = None
    for base in bases:
        answer = await resolver.query(f"_{port}._tcp.{base}", "TLSA")
        if answer.reason is not None:
            failure = _failure(f"TLSA _{port}._tcp.{base}", answer)
            return replace(host, tlsa_base=base, tlsa_failure=failure)
        found = _with_answer(host, base, answer, most)
        if found.tlsa and found.tlsa_dnssec is Dnssec.SECURE:
            return found
        if best is None or not best.tlsa:
            best = found
    return best or host


def _with_answer(host: MxHost, base: str, answer: DnsAnswer, most: int) -> MxHost:
    """The order within an RRset has no meaning: sorted, two runs give the same report."""
    records = sorted(
        (_read(record.data) for record in answer.records if isinstance(record, GenericRdata)),
        key=lambda record: (record.usage, record.selector, record.matching_type, record.data),
    )
    failure = None
    if len(records) > most:
        detail = f"more than {most} TLSA records"
        failure = Failure(step=Step.RESOLVE, reason=Reason.LIMIT, detail=detail)
    return replace(
        host,
        tlsa=tuple(records[:most]),
        tlsa_base=base,
        tlsa_dnssec=answer.dnssec,
        tlsa_failure=failure,
    )


def _read(rdata: bytes) -> TlsaRecord:
    """RFC 6698 §2.1."""
    usage, selector, matching_type = rdata[:3]
    return TlsaRecord(usage=usage, selector=selector, matching_type=matching_type, data=rdata[3:])


def _failure(question: str, answer: DnsAnswer) -> Failure:
    reason = answer.reason or Reason.LOCAL
    detail = f"{question}: {answer.detail or reason}"
    return Failure(step=Step.RESOLVE, reason=reason, detail=detail)
