"""The stored form of facts: by content, with certificates replaced by their digests.

What is *compared* leaves out what changes all the time: times, greetings, transcripts, texts of
failures, the order of a DNS answer. *Evidence* is everything, as it was seen.
"""

import functools
import hashlib
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Final

import msgspec

from prober.errors import InputError
from prober.records import (
    Attempt,
    DeepFacts,
    DnssecProof,
    DomainFacts,
    DomainReport,
    EndpointFacts,
    Failure,
    MxHost,
    ProofReply,
    Reason,
    Route,
    Run,
    StsFacts,
    TrustStore,
    TxtFacts,
    WithoutSni,
)
from prober.report.json_ import encode

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ANY_RUN: Final = Run(
    version="",
    ehlo_name="",
    resolver=(),
    trust_store=TrustStore(source=None, certificates=0, sha256=None),
)
_DIGEST: Final = 32  # octets
_MAX_BYTES: Final = 64 << 20  # of one unpacked piece of evidence

DOMAIN: Final = "domain"
ENDPOINT: Final = "endpoint"
CERTIFICATE: Final = "certificate"
VANTAGE: Final = "vantage"
EVIDENCE: Final = "evidence"
PROOF: Final = "proof"
RRSET: Final = "rrset"


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: its bytes, and the digests of the facts that it refers to."""

    kind: str
    digest: bytes
    body: bytes
    parts: tuple["Fact", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Domain:
    """The stored form of a domain: the facts without run and endpoints, and their digests."""

    facts: DomainFacts
    endpoints: tuple[bytes, ...]


@functools.lru_cache(maxsize=10_000)  # 20 MB: a scan meets the same ones again
def certificate_fact(der: bytes) -> "Fact":
    """One certificate, in DER."""
    return fact(CERTIFICATE, der)


_OBSERVED: Final = tuple(field.name for field in fields(EndpointFacts))


def without_judgement(facts: DomainFacts) -> DomainFacts:
    """*facts* without judgements, also in its endpoints: only what was observed."""
    observed = tuple(
        EndpointFacts(**{name: getattr(each, name) for name in _OBSERVED})
        for each in facts.endpoints
    )
    return replace(facts, endpoints=observed)


def fact(kind: str, body: bytes, parts: tuple[Fact, ...] = ()) -> Fact:
    """A fact, with the digest of its kind and bytes."""
    return Fact(kind, hashlib.sha256(kind.encode() + b"\0" + body).digest(), body, parts)


def vantage_fact(run: Run) -> Fact:
    """What the facts were observed with."""
    return fact(VANTAGE, encode(run))


def domain_fact(facts: DomainFacts | DomainReport) -> Fact:
    """The part of *facts* that is compared, without the columns of the list and DNSSEC proofs."""
    order = sorted(facts.endpoints, key=lambda each: (each.mx_host, each.address))
    endpoints = tuple(map(_endpoint_fact, order))
    stored = _Domain(
        facts=DomainFacts(
            input=facts.input,
            domain=facts.domain,
            checked_at=_EPOCH,
            elapsed_ms=0,
            run=_ANY_RUN,
            error=facts.error,
            route=_without_detail(facts.route),
            mx_hosts=tuple(map(_steady_host, facts.mx_hosts)),
            endpoints=(),
            sts=_steady_sts(facts.sts),
            tls_rpt_txt=_steady_txt(facts.tls_rpt_txt),
        ),
        endpoints=tuple(each.digest for each in endpoints),
    )
    return fact(DOMAIN, encode(stored), endpoints)


def evidence_fact(facts: DomainFacts, *, transcripts: bool) -> Fact:
    """All of *facts* except their proof, compressed; certificates by digest."""
    facts = without_judgement(facts)
    chains: list[Fact] = []
    endpoints = []
    for endpoint in facts.endpoints:
        if not transcripts:
            deep = endpoint.deep and replace(endpoint.deep, transcript=())
            endpoint = replace(endpoint, transcript=(), deep=deep)
        packed, parts = _packed(endpoint)
        endpoints.append(packed)
        chains += parts
    body = encode(replace(facts, run=_ANY_RUN, endpoints=tuple(endpoints), proof=None))
    return fact(EVIDENCE, zlib.compress(body, 6), tuple(dict.fromkeys(chains)))


def proof_fact(proof: DnssecProof) -> Fact:
    """The replies of *proof*, compressed, after a digest of its parts: the RRsets, in order."""
    rrsets = tuple(fact(RRSET, each) for each in proof.rrsets)
    joined = hashlib.sha256(b"".join(each.digest for each in rrsets)).digest()
    return fact(PROOF, joined + zlib.compress(encode(proof.replies), 9), rrsets)


def _endpoint_fact(endpoint: EndpointFacts) -> Fact:
    packed, chain = _packed(_steady(endpoint))
    return fact(ENDPOINT, encode(packed), chain)


def _packed(endpoint: EndpointFacts) -> tuple[EndpointFacts, tuple[Fact, ...]]:
    """*endpoint* with digests in place of its certificates, and the certificates.

    The leaf certificate comes first.
    """
    sent = list(map(certificate_fact, endpoint.chain))
    packed = replace(endpoint, chain=tuple(each.digest for each in sent))
    plain = endpoint.without_sni
    if plain is not None and plain.chain is not None:
        other = list(map(certificate_fact, plain.chain))
        plain = replace(plain, chain=tuple(each.digest for each in other))
        packed = replace(packed, without_sni=plain)
        sent += other
    if endpoint.deep is not None:
        ders = [der for answer in endpoint.deep.answers for der in answer.chain]
        further = {der: certificate_fact(der) for der in ders}
        packed = replace(packed, deep=_with_chains(endpoint.deep, lambda der: further[der].digest))
        sent += [each for each in further.values() if each not in sent]
    return packed, tuple(sent)


def _with_chains(deep: DeepFacts, other: Callable[[bytes], bytes]) -> DeepFacts:
    """*deep* with *other* bytes in place of those of each certificate."""
    answers = (replace(each, chain=tuple(map(other, each.chain))) for each in deep.answers)
    return replace(deep, answers=tuple(answers))


def _steady(endpoint: EndpointFacts) -> EndpointFacts:
    """The part of *endpoint* that is compared."""
    observed = {name: getattr(endpoint, name) for name in _OBSERVED}
    observed |= {
        "observed_at": _EPOCH,
        "observed_as": None,
        "greeting": None,
        "failure": _bare(endpoint.failure),
        "without_sni": _steady_plain(endpoint.without_sni),
        "deep": _steady_deep(endpoint.deep),
        "attempts": tuple(map(_steady_attempt, endpoint.attempts)),
        "transcript": (),
    }
    return EndpointFacts(**observed)


def _steady_attempt(attempt: Attempt) -> Attempt:
    return Attempt(
        observed_at=_EPOCH,
        hello=attempt.hello,
        starttls=attempt.starttls,
        tls_version=attempt.tls_version,
        cipher=attempt.cipher,
        failure=_bare(attempt.failure),
    )


def _steady_plain(plain: WithoutSni | None) -> WithoutSni | None:
    return plain and replace(plain, observed_at=_EPOCH, failure=_bare(plain.failure))


def _steady_deep(deep: DeepFacts | None) -> DeepFacts | None:
    """The part of *deep* that is compared: not the number of connections."""
    if deep is None:
        return None
    answers = (
        replace(each, observed_at=_EPOCH, failure=_bare(each.failure)) for each in deep.answers
    )
    full = deep.enumeration
    return DeepFacts(
        observed_at=_EPOCH,
        answers=tuple(answers),
        enumeration=full and replace(full, connections=0, failure=_bare(full.failure)),
    )


def _bare(failure: Failure | None) -> Failure | None:
    """*failure* without its text, which may hold a session id. An internal fault keeps it."""
    if failure is None or failure.detail is None or failure.reason is Reason.FAULT:
        return failure
    return replace(failure, detail=None)


def _steady_host(host: MxHost) -> MxHost:
    if len(host.addresses) < 2 and not (host.tlsa or host.tlsa_failure or host.failure):
        return host
    return replace(
        host,
        addresses=tuple(sorted(host.addresses)),
        tlsa=tuple(
            sorted(
                host.tlsa,
                key=lambda each: (each.usage, each.selector, each.matching_type, each.data),
            )
        ),
        tlsa_failure=_bare(host.tlsa_failure),
        failure=_bare(host.failure),
    )


def _without_detail(route: Route | None) -> Route | None:
    return route if route is None or route.detail is None else replace(route, detail=None)


def _steady_txt(found: TxtFacts | None) -> TxtFacts | None:
    return found and TxtFacts(records=tuple(sorted(found.records)), failure=_bare(found.failure))


def _steady_sts(sts: StsFacts | None) -> StsFacts | None:
    if sts is None:
        return None
    fetch = sts.fetch and replace(sts.fetch, failure=_bare(sts.fetch.failure))
    return replace(sts, txt=_steady_txt(sts.txt) or sts.txt, fetch=fetch)


Bodies = Mapping[bytes, bytes]  # by digest


def unpack_vantage(body: bytes) -> Run:
    """The Run in *body*."""
    return msgspec.json.decode(body, type=Run)


def unpack_evidence(body: bytes, run: Run, certificates: Bodies) -> DomainFacts:
    """Everything that was seen."""
    facts = msgspec.json.decode(_decompressed(body), type=DomainFacts)
    endpoints = tuple(_unpacked(each, certificates) for each in facts.endpoints)
    return replace(facts, run=run, endpoints=endpoints)


def unpack_proof(body: bytes, rrsets: Sequence[bytes]) -> DnssecProof:
    """The proof in *body* and *rrsets*."""
    replies = msgspec.json.decode(_decompressed(body[_DIGEST:]), type=tuple[ProofReply, ...])
    return DnssecProof(rrsets=tuple(rrsets), replies=replies)


def _decompressed(body: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    plain = unpacker.decompress(body, _MAX_BYTES)
    if unpacker.unconsumed_tail:
        raise InputError("a piece of evidence in the record is larger than any can be")
    return plain


def unpack_domain(body: bytes, run: Run, facts: Bodies, *, at: datetime, ms: int) -> DomainFacts:
    """The compared facts, as if everything had been seen at *at*."""
    stored = msgspec.json.decode(body, type=_Domain)
    seen = (msgspec.json.decode(facts[each], type=EndpointFacts) for each in stored.endpoints)
    return replace(
        stored.facts,
        checked_at=at,
        elapsed_ms=ms,
        run=run,
        endpoints=tuple(_at(_unpacked(each, facts), at) for each in seen),
    )


def _at(endpoint: EndpointFacts, at: datetime) -> EndpointFacts:
    plain, deep = endpoint.without_sni, endpoint.deep
    if deep is not None:
        answers = tuple(replace(each, observed_at=at) for each in deep.answers)
        deep = replace(deep, observed_at=at, answers=answers)
    return replace(
        endpoint,
        observed_at=at,
        without_sni=plain and replace(plain, observed_at=at),
        deep=deep,
        attempts=tuple(replace(each, observed_at=at) for each in endpoint.attempts),
    )


def _unpacked(endpoint: EndpointFacts, certificates: Bodies) -> EndpointFacts:
    plain = endpoint.without_sni
    if plain is not None and plain.chain is not None:
        plain = replace(plain, chain=tuple(certificates[each] for each in plain.chain))
    chain = tuple(certificates[each] for each in endpoint.chain)
    deep = endpoint.deep and _with_chains(endpoint.deep, certificates.__getitem__)
    return replace(endpoint, chain=chain, without_sni=plain, deep=deep)
