"""What is worth knowing of a domain's DANE, host by host and endpoint by endpoint. RFC 7672."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, assert_never

from prober.records import (
    Answer,
    Code,
    Dane,
    Dnssec,
    DomainFacts,
    EndpointFacts,
    Finding,
    MxHost,
    Reason,
)
from prober.rules.baseline import found
from prober.rules.dane import RecordMatch, has_secure_tlsa, match_records, weigh
from prober.rules.endpoint import Outcome, describe_failure, proven
from prober.rules.hellos import with_sni
from prober.rules.tlsa import show, why_unusable

_MOST_SHOWN: Final = 5  # records in one sentence


def dane_findings(facts: DomainFacts) -> tuple[Finding, ...]:
    """Findings on the TLSA records of *facts*, each endpoint at the time it was observed."""
    if facts.route is None or facts.domain is None:
        return ()
    findings = [*_on_resolver(facts)]
    for host in facts.mx_hosts:
        endpoints = [with_sni(each) for each in facts.endpoints if each.mx_host == host.name]
        findings += _on_host(host, facts.route.dnssec)
        if has_secure_tlsa(host) is Answer.YES:
            findings += _on_endpoints(host, endpoints, facts.domain)
    return tuple(findings)


def _on_resolver(facts: DomainFacts) -> Iterator[Finding]:
    """Once a domain, since it is about here and not about the hosts."""
    if any(_is_unvouched(host) for host in facts.mx_hosts):
        detail = "no resolver here whose word on DNSSEC can be believed: see `probe doctor`"
        yield found(Code.TLSA_NOT_TESTED, detail=detail)


def _is_unvouched(host: MxHost) -> bool:
    """Whether nothing failed, and still DNSSEC is unknown. A failure has a finding of its own."""
    undecided = has_secure_tlsa(host) is Answer.NOT_TESTED
    failed = host.failure is not None or host.tlsa_failure is not None
    return undecided and not failed and bool(host.addresses)


def _on_host(host: MxHost, mx_dnssec: Dnssec) -> Iterator[Finding]:
    if host.tlsa_failure is not None:
        detail = host.tlsa_failure.detail or host.tlsa_failure.reason
        if host.tlsa_failure.reason is not Reason.LIMIT:  # RFC 7672 §2.1.2
            detail += "; a sender that does DANE keeps the mail until this is mended"
        yield found(Code.TLSA_NOT_TESTED, mx_host=host.name, detail=detail)
    elif host.tlsa_dnssec is Dnssec.INSECURE and host.tlsa:
        detail = f"no sender uses {_listed(map(show, host.tlsa))}: DNSSEC does not vouch for it"
        yield found(Code.TLSA_INSECURE, mx_host=host.name, detail=detail)
    elif has_secure_tlsa(host) is Answer.YES:
        yield from _on_secure_tlsa(host, mx_dnssec)


def _on_secure_tlsa(host: MxHost, mx_dnssec: Dnssec) -> Iterator[Finding]:
    unusable = [f"{show(each)}: {why}" for each in host.tlsa if (why := why_unusable(each))]
    if unusable:
        whole = len(unusable) == len(host.tlsa)
        left = "senders encrypt, and cannot authenticate" if whole else "the other records decide"
        detail = f"{_listed(unusable)}; {left}"
        yield found(Code.TLSA_UNUSABLE, mx_host=host.name, detail=detail)
    if mx_dnssec is Dnssec.INSECURE:  # RFC 7672 §2.2.1
        detail = "an attacker can name another MX host, since the MX records are not signed"
        yield found(Code.TLSA_MX_INSECURE, mx_host=host.name, detail=detail)


def _on_endpoints(
    host: MxHost, endpoints: Sequence[EndpointFacts], domain: str
) -> Iterator[Finding]:
    seen: list[RecordMatch] = []
    for facts in endpoints:
        match proven(facts):
            case Outcome.COMPLETED:
                records = match_records(facts, host, domain=domain, now=facts.observed_at)
                yield from _on_match(facts, host, records)
                seen += records
            case Outcome.NEGATIVE:
                yield _on_no_tls(facts)
            case Outcome.NOT_TESTED:  # the session's findings say why
                pass
            case never:
                assert_never(never)
    yield from _on_spare(host, seen)


def _on_no_tls(facts: EndpointFacts) -> Finding:
    why = describe_failure(facts.failure) or "STARTTLS is not offered"
    detail = f"its TLSA records make TLS mandatory, but: {why}"
    return found(Code.DANE_NO_TLS, mx_host=facts.mx_host, address=facts.address, detail=detail)


def _on_match(
    facts: EndpointFacts, host: MxHost, records: Sequence[RecordMatch]
) -> Iterator[Finding]:
    answer = weigh(host, records)
    if answer is Dane.MISMATCH:
        code, told = Code.TLSA_INVALID, records
    elif answer is Dane.NOT_TESTED:
        code = Code.TLSA_NOT_TESTED
        told = [each for each in records if each.answer is Answer.NOT_TESTED]
    else:
        return
    detail = _listed(map(_describe, told))
    yield found(code, mx_host=facts.mx_host, address=facts.address, detail=detail)


def _on_spare(host: MxHost, seen: Sequence[RecordMatch]) -> Iterator[Finding]:
    """Records that match no certificate that was shown, beside one that does. RFC 7671 §8.1, §8.4.

    No fault: a record may be of the next key, of a key of another type, which the server shows to
    other senders, of a CA above, or of a spare intermediate. Whether it is of an old key, one
    handshake does not tell.
    """
    if weigh(host, seen) is not Dane.MATCH:
        return
    matched = {each.record for each in seen if each.answer is not Answer.NO}
    spare = dict.fromkeys(_describe(each) for each in seen if each.record not in matched)
    if spare:
        yield found(Code.TLSA_SPARE, mx_host=host.name, detail=_listed(spare))


def _describe(match: RecordMatch) -> str:
    why = match.why or "matches, but a stronger digest stands beside it, and that one counts"
    return f"{show(match.record)}: {why}"


def _listed(texts: Iterable[str]) -> str:
    shown = list(texts)
    more = len(shown) - _MOST_SHOWN
    return "; ".join(shown[:_MOST_SHOWN]) + (f"; and {more} more" if more > 0 else "")
