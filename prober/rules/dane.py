"""DANE for SMTP: how an endpoint stands to the TLSA records of its host. RFC 7672, 7671, 6698.

The endpoint is compared with the TLSA records also where the MX RRset is not signed: some senders
use them then (RFC 7672 §2.2.1). An attacker can still name another host, so ``is_dane_usable`` is
no.
"""

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never

from prober.records import (
    AnomalyKind,
    Answer,
    Code,
    Dane,
    DeepQuestion,
    Dnssec,
    DomainFacts,
    DomainReport,
    EndpointFacts,
    Finding,
    MxHost,
    Reason,
    Route,
    TlsaRecord,
    all_of,
    any_of,
    finding,
)
from prober.rules.certificate_fields import CertificateReader
from prober.rules.dane_path import PathFinder, ReasonedAnswer
from prober.rules.deep import kind_of
from prober.rules.endpoint import Found, Outcome, describe_failure, findings_at, has_anomaly, proven
from prober.rules.hellos import with_sni
from prober.rules.identity import acceptance
from prober.rules.tlsa import DANE_TA, deciding, selects, show, usable, why_unusable


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordMatch:
    """Whether one usable record matches the chain; ``why`` where the answer is not yes."""

    record: TlsaRecord
    answer: Answer
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsaJudgement:
    """How an endpoint stands to the TLSA records of its host, and what each usable one says.

    ``seen`` is the endpoint as a sender with SNI meets it, where there are records to compare.
    ``other``: its chain is not that of the session, but of the answer to this question.
    """

    seen: EndpointFacts
    dane: Dane
    matches: tuple[RecordMatch, ...] = ()
    other: DeepQuestion | None = None


def judge_dane(
    facts: EndpointFacts, host: MxHost, reader: CertificateReader, *, domain: str, now: datetime
) -> TlsaJudgement:
    """How *facts*, of an endpoint of *host*, stand to its TLSA records. RFC 7672 §2.2, §3.

    *domain* is the next hop, one whose mail the host receives. Not tested where the look-up
    failed, the endpoint was not tested, or the certificates cannot be read far enough.
    """
    match has_secure_tlsa(host):
        case Answer.NOT_TESTED:
            return TlsaJudgement(seen=facts, dane=Dane.NOT_TESTED)
        case Answer.NO:
            return TlsaJudgement(seen=facts, dane=Dane.NONE)
        case Answer.YES:
            seen = with_sni(facts)  # RFC 7672 §8.1
        case never:
            assert_never(never)
    match proven(seen):
        case Outcome.NOT_TESTED:
            return TlsaJudgement(seen=seen, dane=Dane.NOT_TESTED)
        case Outcome.NEGATIVE:
            return TlsaJudgement(seen=seen, dane=Dane.NO_TLS)
        case Outcome.COMPLETED:
            matches = _match_records(seen, host, reader, domain, now)
            return TlsaJudgement(seen=seen, dane=_weigh(host, matches), matches=matches)
        case outcome:
            assert_never(outcome)


def has_secure_tlsa(host: MxHost) -> Answer:
    """Whether *host* has secure TLSA records, usable or not. RFC 7672 §2.1.1.

    A failed look-up is not tested: a sender that does DANE then defers (§2.1.2). A host whose
    addresses are insecure is not asked for any, and has none that count (§2.2.2).
    """
    if host.tlsa_failure is not None:
        return Answer.NOT_TESTED
    dnssec = host.dnssec if host.tlsa_dnssec is None else host.tlsa_dnssec
    match dnssec:
        case Dnssec.SECURE if host.tlsa_dnssec is None:  # there was no address to ask for
            return Answer.NOT_TESTED
        case Dnssec.SECURE:
            return Answer.YES if host.tlsa else Answer.NO
        case Dnssec.INSECURE:
            return Answer.NO
        case Dnssec.BOGUS | Dnssec.INDETERMINATE:
            return Answer.NOT_TESTED
        case never:
            assert_never(never)


def claims_security(facts: DomainFacts | DomainReport) -> bool:
    """Whether *facts* call any answer secure that DANE depends on."""
    states = [facts.route.dnssec if facts.route is not None else None]
    states += (state for host in facts.mx_hosts for state in (host.dnssec, host.tlsa_dnssec))
    return Dnssec.SECURE in states


def authenticates(host: MxHost) -> Answer:
    """Whether a DANE sender authenticates *host* by TLSA: it has a usable record.

    Then TLSA decides alone, and no certificate of a public CA makes up for a mismatch. Where all
    are unusable, TLS is mandatory and unauthenticated. RFC 7672 §2.2.
    """
    answer = has_secure_tlsa(host)
    return Answer.NO if answer is Answer.YES and not usable(host.tlsa) else answer


def is_dane_usable(host: MxHost, route: Route) -> Answer:
    """Whether the domain requires senders to use DANE for *host*. RFC 7672 §2.2.1.

    Both must be secure, the usable TLSA and the MX RRset (or, for an implicit MX, its denial):
    else an attacker names a host of his own. Not tested where the host's addresses could not be
    looked up.
    """
    looked_up = bool(host.addresses) or host.failure is None
    usable_tlsa = authenticates(host) if looked_up else Answer.NOT_TESTED
    return all_of((is_secure(route.dnssec), usable_tlsa))


def server_name(host: MxHost) -> str:
    """The name for SNI: where TLSA authenticates, its base domain. RFC 7672 §8.1, RFC 7671 §7."""
    if host.tlsa_base is not None and authenticates(host) is Answer.YES:
        return host.tlsa_base
    return host.name


def _match_records(
    facts: EndpointFacts, host: MxHost, reader: CertificateReader, domain: str, now: datetime
) -> tuple[RecordMatch, ...]:
    """Whether each usable TLSA record of *host* matches the chain that was sent. RFC 7671 §5.

    TLS without a certificate matches none.
    """
    records = usable(host.tlsa)
    if not facts.chain:
        why = "no certificate was sent"
        return tuple(RecordMatch(record=each, answer=Answer.NO, why=why) for each in records)
    chain = _Chain(facts, reader, references=(host.tlsa_base or host.name, domain), now=now)
    return tuple(chain.match(record) for record in records)


def _weigh(host: MxHost, matches: Sequence[RecordMatch]) -> Dane:
    """The result of all usable records: one match suffices. RFC 7671 §8, §9."""
    if not usable(host.tlsa):
        return Dane.UNUSABLE
    counted = deciding(host.tlsa)
    match any_of(match.answer for match in matches if match.record in counted):
        case Answer.YES:
            return Dane.MATCH
        case Answer.NO:
            return Dane.MISMATCH
        case Answer.NOT_TESTED:
            return Dane.NOT_TESTED
        case never:
            assert_never(never)


def is_secure(dnssec: Dnssec) -> Answer:
    """Whether DNSSEC protects an answer; not tested where that is not known. RFC 4035 §4.3."""
    match dnssec:
        case Dnssec.SECURE:
            return Answer.YES
        case Dnssec.INSECURE:
            return Answer.NO
        case Dnssec.BOGUS | Dnssec.INDETERMINATE:
            return Answer.NOT_TESTED
        case never:
            assert_never(never)


_PART: Final = ("certificate", "key")  # by selector


class _Chain:
    """The chain that an endpoint sent, compared with one record after another."""

    def __init__(
        self,
        facts: EndpointFacts,
        reader: CertificateReader,
        *,
        references: Sequence[str],
        now: datetime,
    ) -> None:
        self._chain = tuple(map(reader.read, facts.chain))
        self._now = now
        self._truncated = has_anomaly(facts, AnomalyKind.CHAIN_TRUNCATED)
        self._references = references

    @functools.cached_property
    def _paths(self) -> PathFinder:
        """Computed only when a record needs it: most records name the leaf certificate."""
        return PathFinder(self._chain, now=self._now)

    def match(self, record: TlsaRecord) -> RecordMatch:
        found = self._match_ta(record) if record.usage == DANE_TA else self._match_ee(record)
        return RecordMatch(record=record, answer=found.answer, why=found.why)

    def _match_ee(self, record: TlsaRecord) -> ReasonedAnswer:
        """RFC 7672 §3.1.1: names, dates and issuers are not checked."""
        match selects(record, self._chain[0]):
            case Answer.YES:
                return ReasonedAnswer(Answer.YES)
            case Answer.NO:
                return ReasonedAnswer(Answer.NO, f"not the server's {_PART[record.selector]}")
            case Answer.NOT_TESTED:
                return ReasonedAnswer(Answer.NOT_TESTED, "the leaf certificate cannot be read")
            case never:
                assert_never(never)

    def _match_ta(self, record: TlsaRecord) -> ReasonedAnswer:
        """RFC 7672 §3.1.2, §3.2: there must be a path to the anchor, and a matching name."""
        path = self._paths.judge(record)
        if path.answer is Answer.NO and self._truncated:
            return ReasonedAnswer(Answer.NOT_TESTED, "the chain was cut short")
        found = {each.answer: each for each in (self._name, path)}  # of two, that of the path
        return found.get(Answer.NO) or found.get(Answer.NOT_TESTED) or path

    @functools.cached_property
    def _name(self) -> ReasonedAnswer:
        """RFC 7672 §3.2.3: without a DNS-ID the common name counts, unlike in RFC 9525."""
        leaf = self._chain[0]
        if leaf.san is None:
            return ReasonedAnswer(Answer.NOT_TESTED, "the leaf certificate's names cannot be read")
        names = leaf.san.names
        if not names and leaf.subject is not None:
            names = leaf.subject.common_names
        wanted = " or ".join(dict.fromkeys(self._references))
        match any_of(acceptance(name, host) for name in names for host in self._references):
            case Answer.YES:
                return ReasonedAnswer(Answer.YES)
            case Answer.NO:
                return ReasonedAnswer(Answer.NO, f"the leaf certificate is not for {wanted}")
            case Answer.NOT_TESTED:
                why = "senders differ on the leaf certificate's name"
                return ReasonedAnswer(Answer.NOT_TESTED, why)
            case never:
                assert_never(never)


_MAX_SHOWN: Final = 5  # records in one sentence


def dane_findings(facts: DomainFacts, judged: Sequence[TlsaJudgement]) -> tuple[Finding, ...]:
    """Findings on the TLSA records of *facts*.

    *judged* are its endpoints, by ``judge_dane``, each once for each chain that it shows.
    """
    if facts.route is None or facts.domain is None:
        return ()
    findings = [*_on_resolver(facts)]
    for host in facts.mx_hosts:
        findings += _on_host(host, facts.route.dnssec)
        if has_secure_tlsa(host) is Answer.YES:
            findings += _on_endpoints(host, [e for e in judged if e.seen.mx_host == host.name])
    return tuple(findings)


def _on_resolver(facts: DomainFacts) -> Iterator[Finding]:
    """One finding per domain, since it is about this machine and not about the hosts."""
    if any(_is_unvouched(host) for host in facts.mx_hosts):
        detail = "no resolver here whose word on DNSSEC can be believed: see `probe doctor`"
        yield finding(Code.TLSA_NOT_TESTED, detail=detail)


def _is_unvouched(host: MxHost) -> bool:
    """Whether DNSSEC is unknown although no look-up failed. A failure has its own finding."""
    undecided = has_secure_tlsa(host) is Answer.NOT_TESTED
    failed = host.failure is not None or host.tlsa_failure is not None
    return undecided and not failed and bool(host.addresses)


def _on_host(host: MxHost, mx_dnssec: Dnssec) -> Iterator[Finding]:
    if host.tlsa_failure is not None:
        detail = host.tlsa_failure.detail or host.tlsa_failure.reason
        if host.tlsa_failure.reason is not Reason.LIMIT:  # RFC 7672 §2.1.2
            detail += "; a sender that does DANE keeps the mail until this is mended"
        yield finding(Code.TLSA_NOT_TESTED, mx_host=host.name, detail=detail)
    elif host.tlsa_dnssec is Dnssec.INSECURE and host.tlsa:
        detail = f"no sender uses {_listed(map(show, host.tlsa))}: DNSSEC does not vouch for it"
        yield finding(Code.TLSA_INSECURE, mx_host=host.name, detail=detail)
    elif has_secure_tlsa(host) is Answer.YES:
        yield from _on_secure_tlsa(host, mx_dnssec)


def _on_secure_tlsa(host: MxHost, mx_dnssec: Dnssec) -> Iterator[Finding]:
    unusable = [f"{show(each)}: {why}" for each in host.tlsa if (why := why_unusable(each))]
    if unusable:
        whole = len(unusable) == len(host.tlsa)
        left = "senders encrypt, and cannot authenticate" if whole else "the other records decide"
        detail = f"{_listed(unusable)}; {left}"
        yield finding(Code.TLSA_UNUSABLE, mx_host=host.name, detail=detail)
    if mx_dnssec is Dnssec.INSECURE:  # RFC 7672 §2.2.1
        detail = "an attacker can name another MX host, since the MX records are not signed"
        yield finding(Code.TLSA_MX_INSECURE, mx_host=host.name, detail=detail)


def _on_endpoints(host: MxHost, judged: Sequence[TlsaJudgement]) -> Iterator[Finding]:
    matching = {_place(e) for e in judged if e.other is None and e.dane is Dane.MATCH}
    for each in judged:
        match proven(each.seen):
            case Outcome.COMPLETED:
                # beside a certificate that matches: Code.CERTIFICATES_DIFFER says it
                if each.other is None or _place(each) not in matching:
                    yield from findings_at(each.seen, _on_match(each))
            case Outcome.NEGATIVE:
                if each.other is None:
                    yield from findings_at(each.seen, [_on_no_tls(each.seen)])
            case Outcome.NOT_TESTED:  # the session's findings say why
                pass
            case never:
                assert_never(never)
    yield from _on_spare(host, [match for each in judged for match in each.matches])


def _place(judged: TlsaJudgement) -> tuple[str, str]:
    return judged.seen.mx_host, judged.seen.address


def _on_no_tls(facts: EndpointFacts) -> tuple[Code, str]:
    why = describe_failure(facts.failure) or "STARTTLS is not offered"
    return Code.DANE_NO_TLS, f"its TLSA records make TLS mandatory, but: {why}"


def _on_match(judged: TlsaJudgement) -> Found:
    told = judged.matches
    if judged.dane is Dane.MISMATCH:
        code = Code.TLSA_INVALID
    elif judged.dane is Dane.NOT_TESTED:
        code = Code.TLSA_NOT_TESTED
        told = tuple(each for each in told if each.answer is Answer.NOT_TESTED)
    else:
        return
    detail = _listed(map(_describe, told))
    if judged.other is not None:
        detail = f"{kind_of(judged.other)}: {detail}"
    yield code, detail


def _on_spare(host: MxHost, seen: Sequence[RecordMatch]) -> Iterator[Finding]:
    """Records that match no certificate seen, while another record matches. RFC 7671 §8.1, §8.4.

    No fault: a record may be of the next key, of a key of another type, which the server shows to
    other senders, of a CA above, or of a spare intermediate. Whether it is of an old key, one
    handshake does not tell.
    """
    if _weigh(host, seen) is not Dane.MATCH:
        return
    matched = {each.record for each in seen if each.answer is not Answer.NO}
    spare = dict.fromkeys(_describe(each) for each in seen if each.record not in matched)
    if spare:
        yield finding(Code.TLSA_SPARE, mx_host=host.name, detail=_listed(spare))


def _describe(match: RecordMatch) -> str:
    why = match.why or "matches, but a stronger digest stands beside it, and that one counts"
    return f"{show(match.record)}: {why}"


def _listed(texts: Iterable[str]) -> str:
    shown = list(texts)
    more = len(shown) - _MAX_SHOWN
    return "; ".join(shown[:_MAX_SHOWN]) + (f"; and {more} more" if more > 0 else "")
