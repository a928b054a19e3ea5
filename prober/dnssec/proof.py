"""The signatures behind the secure answers of a domain, kept so that they can be validated later.

Each RRset is kept once, with its signatures, as uncompressed records (RFC 9102 §2.2). The order is
that of RFC 9102: the answers, then the keys and DS records from their zones up to the root.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from io import BytesIO
from typing import Final, TypeAlias

import dns.exception
import dns.flags
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
from dns.name import Name
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.RRSIG import RRSIG

from prober.dnssec.anchors import Anchors
from prober.dnssec.digests import from_wire
from prober.dnssec.judgement import Judgement, Reply, Work
from prober.dnssec.validator import Ask, NoReply, Validator
from prober.records import Dnssec, DnssecProof, ProofReply, Reason

Question: TypeAlias = tuple[Name, RdataType]
_KEEP_S: Final = 1e9
_MAX_RECORDS: Final = 1024  # of one RRset with its signatures
_MAX_REPLIES: Final = 1_000  # of one proof; that of a domain with 20 MX hosts has 120
_MAX_RRSETS: Final = 64  # of one reply; aliases and denials have few


async def make_proof(
    answers: Mapping[Question, Reply], chain: Mapping[Question, Reply], anchors: Anchors, work: Work
) -> DnssecProof | None:
    """The proof of *answers*, with those replies of *chain* that their validation needs.

    None if there are no answers, or if one of them cannot be validated with *chain* alone.
    """
    needed: dict[Question, Reply] = {}

    async def ask(name: Name, rdtype: RdataType) -> Reply | NoReply:
        reply = chain.get((name, rdtype))
        if reply is None:
            return NoReply(Reason.LIMIT, "not kept")
        needed[name, rdtype] = reply
        return reply

    judgements = await _judge(answers, ask, anchors, work)
    if not answers or any(each.state is not Dnssec.SECURE for each in judgements.values()):
        return None
    upwards = sorted(needed, key=lambda key: (-len(key[0]), key[1] == dns.rdatatype.DS))
    writer = _Writer()
    replies = [writer.add(question, answers[question]) for question in answers]
    replies += [writer.add(key, needed[key]) for key in upwards if key not in answers]
    return DnssecProof(rrsets=tuple(writer.rrsets), replies=tuple(replies))


async def check_proof(
    proof: DnssecProof, anchors: Anchors, work: Work
) -> dict[Question, tuple[Judgement, Reply]]:
    """Validate *proof* alone, each reply at the time when it came.

    Returns the state of each answer in it, and the answer. Raises ValueError if it cannot be read.
    """
    if len(proof.replies) > _MAX_REPLIES:
        raise ValueError(f"more than {_MAX_REPLIES} replies")
    known = {_question(each): _read(each, proof) for each in proof.replies}

    async def ask(name: Name, rdtype: RdataType) -> Reply | NoReply:
        return known.get((name, rdtype)) or NoReply(Reason.LIMIT, "it is not in the proof")

    judgements = await _judge(known, ask, anchors, work)
    return {question: (judgements[question], reply) for question, reply in known.items()}


async def _judge(
    replies: Mapping[Question, Reply], ask: Ask, anchors: Anchors, work: Work
) -> dict[Question, Judgement]:
    validator = Validator(ask, anchors=anchors, work=lambda: work, failure_ttl_s=_KEEP_S)
    async with aclosing(validator):
        return {key: await validator.judge(*key, reply) for key, reply in replies.items()}


class _Writer:
    """Collects RRsets, each once."""

    def __init__(self) -> None:
        self.rrsets: dict[bytes, int] = {}

    def add(self, question: Question, reply: Reply) -> ProofReply:
        name, rdtype = question
        denials = [each for each in reply.denials() if reply.signatures(each)]
        return ProofReply(
            name=name.to_text(),
            type=dns.rdatatype.to_text(rdtype),
            rcode=dns.rcode.to_text(reply.rcode),
            observed_at=datetime.fromtimestamp(reply.now, UTC),
            answer=self._places(_unsigned_parts(reply.answer), reply),
            authority=self._places(denials, reply),
        )

    def _places(self, rrsets: Iterable[dns.rrset.RRset], reply: Reply) -> tuple[int, ...]:
        wires = [_to_wire(rrset, reply.signatures(rrset)) for rrset in rrsets]
        return tuple(self.rrsets.setdefault(wire, len(self.rrsets)) for wire in wires)


def _unsigned_parts(section: Sequence[dns.rrset.RRset]) -> list[dns.rrset.RRset]:
    return [each for each in section if each.rdtype != dns.rdatatype.RRSIG]


def _to_wire(rrset: dns.rrset.RRset, signatures: Sequence[RRSIG]) -> bytes:
    """With the original TTL, so that an RRset has the same bytes at any age."""
    ttl = signatures[0].original_ttl if signatures else rrset.ttl
    stream = BytesIO()
    dns.rrset.from_rdata_list(rrset.name, ttl, list(rrset)).to_wire(stream)
    if signatures:
        dns.rrset.from_rdata_list(rrset.name, ttl, list(signatures)).to_wire(stream)
    return stream.getvalue()


def _from_wire(wire: bytes) -> list[dns.rrset.RRset]:
    """Raises ValueError."""
    header = b"\0\0\x80\0\0\0" + _count(wire).to_bytes(2) + bytes(4)
    try:
        return from_wire(header + wire, dns.rdatatype.TLSA).answer
    except dns.exception.DNSException as error:
        raise ValueError(f"no DNS records: {type(error).__name__}") from error


def _count(wire: bytes) -> int:
    """The number of records in *wire*. RFC 1035 §3.2.1."""
    at = count = 0
    while at < len(wire):
        while at < len(wire) and wire[at]:
            at += wire[at] + 1
        at += 11 + int.from_bytes(wire[at + 9 : at + 11])
        count += 1
    if at != len(wire) or count > _MAX_RECORDS:
        raise ValueError("no DNS records: cut off, or too many")
    return count


def _question(reply: ProofReply) -> Question:
    try:
        return dns.name.from_text(reply.name), dns.rdatatype.from_text(reply.type)
    except dns.exception.DNSException as error:
        raise ValueError(f"no question: {error}") from error


def _read(reply: ProofReply, proof: DnssecProof) -> Reply:
    if len(reply.answer) + len(reply.authority) > _MAX_RRSETS:
        raise ValueError(f"more than {_MAX_RRSETS} RRsets in a reply")
    try:
        answer, authority = (
            tuple(rrset for place in places for rrset in _from_wire(proof.rrsets[place]))
            for places in (reply.answer, reply.authority)
        )
        rcode = dns.rcode.from_text(reply.rcode)
    except (IndexError, dns.exception.DNSException) as error:
        raise ValueError(f"no reply: {error}") from error
    return Reply(rcode=rcode, answer=answer, authority=authority, now=reply.observed_at.timestamp())
