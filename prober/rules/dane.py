"""DANE for SMTP: how an endpoint stands to the TLSA records of its host. RFC 7672, 7671, 6698.

What the TLSA records ask of the endpoint is judged whatever the MX RRset is; behind an unsigned one
it is a fact that some senders use (RFC 7672 §2.2.1), and no promise: ``is_dane_usable`` is no.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never

from prober.records import (
    AnomalyKind,
    Answer,
    Dane,
    Dnssec,
    EndpointFacts,
    MxHost,
    Route,
    TlsaRecord,
)
from prober.rules.certificate_fields import read_certificate
from prober.rules.dane_path import PathFinder
from prober.rules.endpoint import Outcome, proven
from prober.rules.identity import acceptance
from prober.rules.tlsa import DANE_TA, deciding, selects, usable


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordMatch:
    """What one usable record says of the chain, by itself. ``why`` where that is not yes."""

    record: TlsaRecord
    answer: Answer
    why: str = ""


def judge_dane(facts: EndpointFacts, host: MxHost, *, domain: str, now: datetime) -> Dane:
    """How *facts*, of an endpoint of *host*, stand to its TLSA records. RFC 7672 §2.2, §3.

    *domain* is the next hop, one whose mail the host receives. Not tested where the look-up
    failed, the endpoint was not tested, or the certificates cannot be read far enough.
    """
    match has_secure_tlsa(host):
        case Answer.NOT_TESTED:
            return Dane.NOT_TESTED
        case Answer.NO:
            return Dane.NONE
        case Answer.YES:
            return _judge_endpoint(facts, host, domain, now)
        case never:
            assert_never(never)


def has_secure_tlsa(host: MxHost) -> Answer:
    """Whether *host* has TLSA records that DNSSEC vouches for, usable or not. RFC 7672 §2.1.1.

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


def authenticates(host: MxHost) -> Answer:
    """Whether a sender that does DANE authenticates *host* by TLSA: some of it is usable.

    Then TLSA decides alone, and no certificate of a public CA makes up for a mismatch. Where all
    are unusable, TLS is mandatory and unauthenticated. RFC 7672 §2.2.
    """
    answer = has_secure_tlsa(host)
    return Answer.NO if answer is Answer.YES and not usable(host.tlsa) else answer


def is_dane_usable(host: MxHost, route: Route) -> Answer:
    """Whether the domain tells senders to insist on *host* by DANE. RFC 7672 §2.2.1.

    Both must be secure, the usable TLSA and the MX RRset (or, for an implicit MX, its denial):
    else an attacker names a host of his own.
    """
    answers = (_is_secure(route.dnssec), authenticates(host))
    if Answer.NO in answers:
        return Answer.NO
    return Answer.NOT_TESTED if Answer.NOT_TESTED in answers else Answer.YES


def server_name(host: MxHost) -> str:
    """The name for SNI: where TLSA authenticates, its base domain. RFC 7672 §8.1, RFC 7671 §7."""
    if host.tlsa_base is not None and authenticates(host) is Answer.YES:
        return host.tlsa_base
    return host.name


def match_records(
    facts: EndpointFacts, host: MxHost, *, domain: str, now: datetime
) -> tuple[RecordMatch, ...]:
    """What each usable TLSA record of *host* says of the chain that was sent. RFC 7671 §5.

    TLS without a certificate matches none.
    """
    records = usable(host.tlsa)
    if not facts.chain:
        return tuple(_no(record, "no certificate was sent") for record in records)
    chain = _Chain(facts, references=(host.tlsa_base or host.name, domain), now=now)
    return tuple(chain.match(record) for record in records)


def weigh(host: MxHost, found: Sequence[RecordMatch]) -> Dane:
    """The answer of all usable records together: one that matches suffices. RFC 7671 §8, §9."""
    if not usable(host.tlsa):
        return Dane.UNUSABLE
    counted = deciding(host.tlsa)
    answers = {match.answer for match in found if match.record in counted}
    if Answer.YES in answers:
        return Dane.MATCH
    return Dane.NOT_TESTED if Answer.NOT_TESTED in answers else Dane.MISMATCH


def _judge_endpoint(facts: EndpointFacts, host: MxHost, domain: str, now: datetime) -> Dane:
    match proven(facts):
        case Outcome.NOT_TESTED:
            return Dane.NOT_TESTED
        case Outcome.NEGATIVE:
            return Dane.NO_TLS
        case Outcome.COMPLETED:
            return weigh(host, match_records(facts, host, domain=domain, now=now))
        case never:
            assert_never(never)


def _is_secure(dnssec: Dnssec) -> Answer:
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
    """The chain that an endpoint sent, held against one record after another."""

    def __init__(self, facts: EndpointFacts, *, references: Sequence[str], now: datetime) -> None:
        self._chain = facts.chain
        self._now = now
        self._truncated = any(
            anomaly.kind is AnomalyKind.CHAIN_TRUNCATED for anomaly in facts.anomalies
        )
        self._references = references

    @functools.cached_property
    def _paths(self) -> PathFinder:
        """Read only where a record asks for a path: most ask for the leaf certificate alone."""
        return PathFinder(self._chain, now=self._now)

    def match(self, record: TlsaRecord) -> RecordMatch:
        return self._match_ta(record) if record.usage == DANE_TA else self._match_ee(record)

    def _match_ee(self, record: TlsaRecord) -> RecordMatch:
        """RFC 7672 §3.1.1: names, dates and issuers are not looked at."""
        answer = selects(record, self._chain[0])
        if answer is Answer.NOT_TESTED:
            return _unknown(record, "the leaf certificate cannot be read")
        if answer is Answer.NO:
            return _no(record, f"not the server's {_PART[record.selector]}")
        return RecordMatch(record=record, answer=Answer.YES)

    def _match_ta(self, record: TlsaRecord) -> RecordMatch:
        """RFC 7672 §3.1.2, §3.2: a path to the anchor, and one of the names."""
        path = self._paths.judge(record)
        name, why_not = self._name
        if path.answer is Answer.NO and self._truncated:
            return _unknown(record, "the chain was cut short")
        if path.answer is Answer.NO:
            return _no(record, path.why)
        if name is Answer.NO:
            return _no(record, why_not)
        if Answer.NOT_TESTED in (path.answer, name):
            return _unknown(record, path.why or why_not)
        return RecordMatch(record=record, answer=Answer.YES)

    @functools.cached_property
    def _name(self) -> tuple[Answer, str]:
        """RFC 7672 §3.2.3: where there is no DNS-ID the common name counts, unlike in RFC 9525."""
        leaf = read_certificate(self._chain[0])
        if leaf.san is None:
            return Answer.NOT_TESTED, "the leaf certificate's names cannot be read"
        names = leaf.san.names
        if not names and leaf.subject is not None:
            names = leaf.subject.common_names
        answers = {acceptance(name, host) for name in names for host in self._references}
        if Answer.YES in answers:
            return Answer.YES, ""
        if Answer.NOT_TESTED in answers:
            return Answer.NOT_TESTED, "senders differ on the leaf certificate's name"
        wanted = " or ".join(dict.fromkeys(self._references))
        return Answer.NO, f"the leaf certificate is not for {wanted}"


def _no(record: TlsaRecord, why: str) -> RecordMatch:
    return RecordMatch(record=record, answer=Answer.NO, why=why)


def _unknown(record: TlsaRecord, why: str) -> RecordMatch:
    return RecordMatch(record=record, answer=Answer.NOT_TESTED, why=why)
