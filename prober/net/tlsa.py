"""Looks up the TLSA records of an MX host at the names where DANE senders look.

RFC 7672 §2.2: only hosts with secure addresses are looked up. For other hosts TLSA proves nothing,
and many nameservers answer the question with an error. Whether the MX RRset is secure is a fact
of the route.
"""

from collections.abc import Sequence
from dataclasses import replace

from dns.rdata import GenericRdata

from prober.net.resolver import DnsAnswer, DnsStatus, Resolver
from prober.records import Dnssec, Failure, MxHost, Reason, Step, TlsaRecord


async def resolve_tlsa(host: MxHost, resolver: Resolver, *, port: int, most: int) -> MxHost:
    """*host* with its TLSA records for *port*, or with the fact that it has none.

    *host* is unchanged if DANE does not apply: it has no addresses, or they are not secure. A
    failed look-up is kept as a failure, on which senders defer mail, and never as "no TLSA" (RFC
    7672 §2.1.2). At most *most* records are kept; a failure then says so.
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

    The AD bit covers a whole answer, so the CNAME alone is asked for (§2.1.3).
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
    """Look at each of *bases* in turn; the first secure RRset decides. RFC 7672 §2.2.3.

    Without one, insecure records are kept, so that the report can say why they do not count.
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
    """*host* with the records of *answer*, sorted so that two runs give the same report."""
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
