"""Judges each hop from its parsed Received field, then the whole message. docs/headers.md.

A hop is encrypted only if its line says so. Silence means "probably not encrypted" only where the
server is known to state TLS. The client's certificate is never judged.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple, assert_never

from prober.headers.habits import HabitEvidence, Habits, HabitScope
from prober.headers.parse import parse_received
from prober.headers.records import (
    Basis,
    Hop,
    Judgement,
    MessageHeaders,
    MessageReport,
    MessageVerdict,
    Peer,
    Received,
    Remark,
    RemarkKind,
    Requirement,
    TlsFacts,
    TlsStatement,
    Trust,
)
from prober.headers.tables import CLOCK_TOLERANCE_S, MAX_LINES, Internal
from prober.headers.trust import (
    LineTrust,
    OperatorOf,
    TrustedBy,
    hidden_operator_names,
    judge_internals,
    judge_trust,
)
from prober.records import Standing
from prober.rules.ciphers import is_null


def parse_lines(message: MessageHeaders) -> tuple[Received, ...]:
    """The Received fields of *message*, parsed, the topmost first."""
    return tuple(parse_received(text) for text in message.received[:MAX_LINES])


def learn_lines(
    lines: Sequence[Received], habits: Habits, trusted_by: TrustedBy | None = None
) -> None:
    """Learn the habits of the servers that wrote the *lines* of one message."""
    internals = judge_internals(lines, habits.operator_of)
    trusts = judge_trust(lines, internals, trusted_by or TrustedBy())
    for line, internal, line_trust, year in zip(
        lines, internals, trusts, _years(lines), strict=True
    ):
        habits.learn(line, line_trust.trust, internal=internal is not None, year=year)


def _years(lines: Sequence[Received]) -> list[int | None]:
    """The year of each line: its own, else that of the line above, else of the line below."""
    dated = [line.date.year if line.date is not None else None for line in lines]
    known = next(filter(None, dated), None)
    years = []
    for year in dated:
        known = year or known
        years.append(known)
    return years


def judge_lines(
    message: MessageHeaders,
    lines: Sequence[Received],
    habits: Habits,
    trusted_by: TrustedBy | None = None,
) -> MessageReport:
    """The report on one message, from its parsed *lines*."""
    internals = judge_internals(lines, habits.operator_of)
    trusts = judge_trust(lines, internals, trusted_by or TrustedBy())
    hidden = hidden_operator_names(lines, habits.operator_of)
    hops = tuple(
        _judge_hop(index, _LineContext(*judged), habits)
        for index, judged in enumerate(
            zip(lines, internals, trusts, hidden, _years(lines), strict=True)
        )
    )
    verdict, at_hop, reason = _verdict(hops, message)
    return MessageReport(
        message=message,
        verdict=verdict,
        at_hop=at_hop,
        as_claimed=_rests_on_claims(verdict, at_hop, hops),
        basis=_weakest_basis(verdict, at_hop, hops),
        reason=reason,
        hops=hops,
        remarks=tuple(_remarks(message, lines, internals, habits.operator_of)),
    )


class _LineContext(NamedTuple):
    """A line, and everything that is known about it before it is judged."""

    received: Received
    internal: Internal | None
    trust: LineTrust
    hidden: str | None  # the name of another operator beside a private address
    year: int | None


def _judge_hop(index: int, line: _LineContext, habits: Habits) -> Hop:
    """Judge one line: by what it states, else as internal, else by the server's habit."""
    judgement, basis, reason = _judge(line, habits)
    return Hop(
        index=index,
        received=line.received,
        trust=line.trust.trust,
        border=line.trust.border,
        judgement=judgement,
        basis=basis,
        reason=reason,
    )


def _judge(line: _LineContext, habits: Habits) -> tuple[Judgement, Basis, str]:
    match line.received.tls:
        case TlsStatement.DENIED:
            return Judgement.NOT_ENCRYPTED, Basis.STATED, "the line says that TLS was not used"
        case TlsStatement.STATED:
            return _judge_statement(line.received)
        case TlsStatement.NOT_STATED:
            if line.internal is not None:
                return Judgement.INTERNAL, Basis.NONE, str(line.internal)
            return _judge_silence(line, habits)
        case _:
            assert_never(line.received.tls)


def _judge_statement(line: Received) -> tuple[Judgement, Basis, str]:
    facts = line.tls_facts
    if facts is None:
        reason = f"the keyword {line.with_} states TLS without its version (RFC 3848)"
        return Judgement.ENCRYPTED, Basis.KEYWORD, reason
    if facts.cipher is not None and is_null(facts.cipher):
        reason = f"the cipher suite {facts.cipher} does not encrypt"
        return Judgement.NOT_ENCRYPTED, Basis.STATED, reason
    return Judgement.ENCRYPTED, Basis.STATED, f"the line states {_describe_tls(facts)}"


def _judge_silence(line: _LineContext, habits: Habits) -> tuple[Judgement, Basis, str]:
    why_unknown = _why_unknown(line)
    if why_unknown is not None:
        return Judgement.UNKNOWN, Basis.NONE, why_unknown
    evidence = habits.evidence(line.received, line.trust.trust, line.year)
    if evidence is not None:
        return Judgement.NOT_ENCRYPTED, Basis.HABIT, _describe_habit(evidence, line.year)
    silent = (
        f"{line.received.by} does not mention TLS, and is not known to state TLS when it is used"
    )
    return Judgement.UNKNOWN, Basis.NONE, silent


def _why_unknown(line: _LineContext) -> str | None:
    """Why silence means nothing here, whatever the server's habit; None if it may count."""
    received = line.received
    if received.by is None:
        return "the line names no receiving server"
    if received.truncated:
        return "the line is too long to be read completely"
    if received.tls_unread is not None:
        written = received.tls_unread[:_MAX_SHOWN]
        return f"the line says something about TLS that this program cannot read: ({written})"
    if received.ambiguous:
        return "the line can be read in two ways, so its sender is not known"
    peer = received.peer
    if peer is None:
        return f"{received.by} names no peer and does not mention TLS; the message may be local"
    if peer.ambiguous:
        return f"the line has {peer.address} and another address, and either may be the sender's"
    if line.hidden is not None:
        return (
            f"the address {peer.address} is private, but {line.hidden} is another operator's, "
            "so a gateway in front of the server may hide the sender"
        )
    return None


_MAX_SHOWN: Final = 100  # characters of a line that a reason quotes


def _describe_tls(facts: TlsFacts) -> str:
    """Version, suite and bits. Says so where the written version names only a family."""
    if facts.protocol is not None:
        version = facts.protocol
    elif facts.protocol_as_written and "/" in facts.protocol_as_written:
        version = f"some TLS version ({facts.protocol_as_written} names a family of suites)"
    else:
        version = "TLS of an unknown version"
    bits = f"{facts.bits} bits" if facts.bits else None
    return ", ".join(part for part in (version, facts.cipher, bits) if part)


def _describe_habit(evidence: HabitEvidence, year: int | None) -> str:
    match evidence.scope:
        case HabitScope.SERVER:
            total = evidence.stated + evidence.silent
            shown = f"this server stated TLS in {evidence.stated} of {total} other lines"
        case HabitScope.OPERATOR:
            shown = f"{evidence.scope} stated TLS in {evidence.stated} lines"
        case HabitScope.SOFTWARE:
            shown = f"{evidence.citation}"
        case _:
            assert_never(evidence.scope)
    side = ""
    if evidence.scope is HabitScope.SERVER and evidence.years and evidence.years[1] == year:
        side = ". The server accepted TLS from others that year, so the sender did not use it"
    return (
        f"probably not: {shown}{_describe_years(evidence)}, and this line does not{side}. The line "
        "would look the same if TLS ended at a proxy or filter in front of the server"
    )


def _describe_years(evidence: HabitEvidence) -> str:
    if evidence.years is None:
        return ""
    first, last = evidence.years
    return f" of {first}" if first == last else f" from {first} to {last}"


_BASIS_ORDER: Final = tuple(Basis)


def _verdict(
    hops: Sequence[Hop], message: MessageHeaders
) -> tuple[MessageVerdict, int | None, str]:
    if not hops:
        reason = message.error or "the message has no Received field"
        return MessageVerdict.UNKNOWN, None, reason
    clear = _first(hops, Judgement.NOT_ENCRYPTED)
    if clear is not None:
        return MessageVerdict.NOT_ENCRYPTED, clear.index, clear.reason
    unknown = _first(hops, Judgement.UNKNOWN)
    if unknown is not None:
        return MessageVerdict.UNKNOWN, unknown.index, unknown.reason
    internal = sum(hop.judgement is Judgement.INTERNAL for hop in hops)
    if internal == len(hops):
        return MessageVerdict.UNKNOWN, None, "no hop between two providers is recorded"
    if message.received_left_out:
        reason = f"too much to read: {message.received_left_out} lines were left out"
        return MessageVerdict.UNKNOWN, None, reason
    if internal:
        reason = f"every hop is encrypted except {internal} within one host or provider"
        return MessageVerdict.ENCRYPTED_EXCEPT_INTERNAL, None, reason
    return MessageVerdict.ENCRYPTED, None, "every hop is encrypted"


def _first(hops: Sequence[Hop], judgement: Judgement) -> Hop | None:
    """The topmost hop with *judgement*. A trusted hop comes before a claimed one."""
    return next((hop for hop in hops if hop.judgement is judgement), None)


def _rests_on_claims(verdict: MessageVerdict, at_hop: int | None, hops: Sequence[Hop]) -> bool:
    if at_hop is not None:
        return hops[at_hop].trust is Trust.CLAIMED
    if verdict is MessageVerdict.UNKNOWN:
        return False
    return any(hop.trust is Trust.CLAIMED for hop in hops)


def _weakest_basis(verdict: MessageVerdict, at_hop: int | None, hops: Sequence[Hop]) -> Basis:
    if at_hop is not None:
        return hops[at_hop].basis
    if verdict is MessageVerdict.UNKNOWN:
        return Basis.NONE
    bases = [hop.basis for hop in hops if hop.judgement is Judgement.ENCRYPTED]
    return max(bases, key=_BASIS_ORDER.index)


def judge_requirement(report: MessageReport, require: Requirement) -> Standing:
    """How a message stands against *require*; a message that could not be read is *invalid*.

    One hop that was not encrypted makes it fall short. An unknown hop leaves it undecided.
    """
    if report.message.error is not None:
        return Standing.INVALID
    hops: Sequence[Hop] = report.hops
    if require is Requirement.BORDER:
        hops = [hop for hop in hops if hop.trust is Trust.TRUSTED]
    judgements = {hop.judgement for hop in hops}
    if Judgement.NOT_ENCRYPTED in judgements:
        return Standing.FALLS_SHORT
    if Judgement.UNKNOWN in judgements or Judgement.ENCRYPTED not in judgements:
        return Standing.UNDECIDED
    if require is Requirement.BORDER:
        return Standing.MEETS
    is_undecided = report.verdict is MessageVerdict.UNKNOWN
    if is_undecided or (require is Requirement.ENCRYPTED and report.as_claimed):
        return Standing.UNDECIDED
    return Standing.MEETS


def _remarks(
    message: MessageHeaders,
    lines: Sequence[Received],
    internals: Sequence[Internal | None],
    operator_of: OperatorOf,
) -> Iterator[Remark]:
    if message.received_left_out:
        left_out = f"{message.received_left_out} lines were left out"
        yield Remark(kind=RemarkKind.TOO_MANY_LINES, detail=left_out)
    for index, line in enumerate(lines):
        if line.truncated:
            yield Remark(kind=RemarkKind.TRUNCATED, hop=index)
        if line.date is None:
            yield Remark(kind=RemarkKind.NO_DATE, hop=index)
    for index, (upper, lower) in enumerate(pairwise(lines)):
        yield from _clock_remarks(index, upper, lower)
        if internals[index] is None and not _peer_may_be_writer(upper, lower, operator_of):
            detail = f"{_describe_peer(upper.peer)} sent it, but {lower.by} wrote the line below"
            yield Remark(kind=RemarkKind.DOES_NOT_CHAIN, hop=index, detail=detail)


def _clock_remarks(index: int, upper: Received, lower: Received) -> Iterator[Remark]:
    if upper.date is None or lower.date is None:
        return
    seconds = (lower.date - upper.date).total_seconds()
    if seconds > CLOCK_TOLERANCE_S:
        detail = f"{seconds:.0f} s before the line below it"
        yield Remark(kind=RemarkKind.DATE_BACKWARDS, hop=index, detail=detail)


def _peer_may_be_writer(upper: Received, lower: Received, operator_of: OperatorOf) -> bool:
    """Whether the peer of a line may have written the line below. True where a name is missing."""
    peer = upper.peer
    if peer is None or lower.by is None or lower.local:
        return True
    if peer.address is not None and peer.address in (lower.by, lower.by_address):
        return True
    names = [name.lower().removesuffix(".") for name in (peer.helo, peer.name) if name]
    if "." not in lower.by or not any("." in name for name in names):
        return True  # a private name proves nothing
    return any(operator_of(name) == operator_of(lower.by) for name in names)


def _describe_peer(peer: Peer | None) -> str:
    peer = peer or Peer()
    return peer.name or peer.helo or peer.address or "nobody"
