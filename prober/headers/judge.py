"""From parsed Received fields to judgements: each hop, then the message. docs/headers.md.

A hop is encrypted only where its line says so; silence is read as "not encrypted" only where the
server is known to state TLS, and then as "probably". The client's certificate is never judged.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple, assert_never

from prober.headers.habits import HabitEvidence, Habits, Whose
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
    hidden_peers,
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
    """Add what the *lines* of one message show of their servers' habits."""
    internals = judge_internals(lines, habits.operator_of)
    standings = judge_trust(lines, internals, trusted_by or TrustedBy())
    for line, internal, standing, year in zip(
        lines, internals, standings, _years(lines), strict=True
    ):
        habits.learn(line, standing.trust, internal=internal is not None, year=year)


def _years(lines: Sequence[Received]) -> list[int | None]:
    """When each line was written: by its own date, else by that of the line above, else below."""
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
    """The report on one message, its *lines* parsed before."""
    internals = judge_internals(lines, habits.operator_of)
    standings = judge_trust(lines, internals, trusted_by or TrustedBy())
    hidden = hidden_peers(lines, habits.operator_of)
    hops = tuple(
        _judge_hop(index, _Line(*judged), habits)
        for index, judged in enumerate(
            zip(lines, internals, standings, hidden, _years(lines), strict=True)
        )
    )
    verdict, at_hop, reason = _verdict(hops, message)
    return MessageReport(
        message=message,
        verdict=verdict,
        at_hop=at_hop,
        as_claimed=_believes_claims(verdict, at_hop, hops),
        basis=_weakest_basis(verdict, at_hop, hops),
        reason=reason,
        hops=hops,
        remarks=tuple(_remarks(message, lines, internals, habits.operator_of)),
    )


class _Line(NamedTuple):
    """A line with all that is known before it is judged."""

    received: Received
    internal: Internal | None
    trust: LineTrust
    hidden: str | None  # the name of another operator beside a private address
    year: int | None


def _judge_hop(index: int, line: _Line, habits: Habits) -> Hop:
    """One line with its judgement: what it states, else that it is internal, else by habit."""
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


def _judge(line: _Line, habits: Habits) -> tuple[Judgement, Basis, str]:
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
        reason = f"the keyword {line.with_} says TLS, not which version (RFC 3848)"
        return Judgement.ENCRYPTED, Basis.KEYWORD, reason
    if facts.cipher is not None and is_null(facts.cipher):
        reason = f"the cipher suite {facts.cipher} does not encrypt"
        return Judgement.NOT_ENCRYPTED, Basis.STATED, reason
    return Judgement.ENCRYPTED, Basis.STATED, f"the line states {_words(facts)}"


def _judge_silence(line: _Line, habits: Habits) -> tuple[Judgement, Basis, str]:
    why_open = _why_open(line)
    if why_open is None:
        evidence = habits.evidence(line.received, line.trust.trust, line.year)
        if evidence is not None:
            return Judgement.NOT_ENCRYPTED, Basis.HABIT, _habit_words(evidence, line.year)
    return Judgement.UNKNOWN, Basis.NONE, why_open or _silence_words(line.received)


def _why_open(line: _Line) -> str | None:
    """Why silence cannot be read whatever the server's habit is, None where it can."""
    received = line.received
    if received.by is None:
        return "the line names no receiving server"
    if received.truncated:
        return "the line is too long to be read whole"
    if received.tls_unread is not None:
        written = received.tls_unread[:_SHOWN]
        return f"the line says something about TLS that this program cannot read: ({written})"
    if received.doubtful:
        return "the line can be read in two ways, so that its sender is not known"
    peer = received.peer
    if peer is None:
        return f"{received.by} names no peer and does not say: it may have come over no network"
    if peer.doubtful:
        return (
            f"the line has {peer.address} and another address: which is the sender's is not known"
        )
    if line.hidden is not None:
        return (
            f"the address {peer.address} is private, but {line.hidden} is a name of another "
            "operator: a gateway in front of the server may hide who sent it"
        )
    return None


def _silence_words(received: Received) -> str:
    return f"{received.by} does not say, and is not known to say when TLS is used"


_SHOWN: Final = 100  # characters of a line in a reason


def _words(facts: TlsFacts) -> str:
    """Version, suite and bits, and that a label is no version where it is none."""
    if facts.protocol is not None:
        version = facts.protocol
    elif facts.protocol_as_written and "/" in facts.protocol_as_written:
        version = f"some TLS version ({facts.protocol_as_written} names a family of suites)"
    else:
        version = "TLS, not which version"
    bits = f"{facts.bits} bits" if facts.bits else None
    return ", ".join(part for part in (version, facts.cipher, bits) if part)


def _habit_words(evidence: HabitEvidence, year: int | None) -> str:
    match evidence.whose:
        case Whose.SERVER:
            total = evidence.stated + evidence.silent
            shown = f"this server stated TLS in {evidence.stated} of {total} other lines"
        case Whose.OPERATOR:
            shown = f"{evidence.whose} stated TLS in {evidence.stated} lines"
        case Whose.SOFTWARE:
            shown = f"{evidence.source}"
        case _:
            assert_never(evidence.whose)
    took_tls = evidence.whose is Whose.SERVER and evidence.years and evidence.years[1] == year
    side = ". Since it took TLS from others that year, the sending side left it out" * bool(
        took_tls
    )
    return (
        f"probably not: {shown}{_years_words(evidence)}, and this line does not{side}. It would "
        "look the same if TLS ended in front of the server, at a proxy or filter"
    )


def _years_words(evidence: HabitEvidence) -> str:
    if evidence.years is None:
        return ""
    first, last = evidence.years
    return f" of {first}" if first == last else f" from {first} to {last}"


_BASIS_ORDER: Final = tuple(Basis)


def _verdict(
    hops: Sequence[Hop], message: MessageHeaders
) -> tuple[MessageVerdict, int | None, str]:
    if not hops:
        reason = message.error or "it has no Received field"
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
        reason = f"every hop is encrypted but {internal} within one host or provider"
        return MessageVerdict.ENCRYPTED_EXCEPT_INTERNAL, None, reason
    return MessageVerdict.ENCRYPTED, None, "every hop is encrypted"


def _first(hops: Sequence[Hop], judgement: Judgement) -> Hop | None:
    """The topmost hop judged so, a trusted one before a claimed one: they stand in that order."""
    return next((hop for hop in hops if hop.judgement is judgement), None)


def _believes_claims(verdict: MessageVerdict, at_hop: int | None, hops: Sequence[Hop]) -> bool:
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
    """How a message stands to what is required; what could not be read is *invalid*.

    One hop that was not encrypted makes it fall short; what is not known leaves it undecided.
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
    is_open = report.verdict is MessageVerdict.UNKNOWN
    if is_open or (require is Requirement.ENCRYPTED and report.as_claimed):
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
        if internals[index] is None and not _chains(upper, lower, operator_of):
            detail = f"{_peer_words(upper.peer)} handed it over, {lower.by} wrote the line below"
            yield Remark(kind=RemarkKind.DOES_NOT_CHAIN, hop=index, detail=detail)


def _clock_remarks(index: int, upper: Received, lower: Received) -> Iterator[Remark]:
    if upper.date is None or lower.date is None:
        return
    seconds = (lower.date - upper.date).total_seconds()
    if seconds > CLOCK_TOLERANCE_S:
        detail = f"{seconds:.0f} s before the line below it"
        yield Remark(kind=RemarkKind.DATE_BACKWARDS, hop=index, detail=detail)


def _chains(upper: Received, lower: Received, operator_of: OperatorOf) -> bool:
    """Whether the peer of a line may be who wrote the line below. What is not said fits."""
    peer = upper.peer
    if peer is None or lower.by is None or lower.local:
        return True
    if peer.address is not None and peer.address in (lower.by, lower.by_address):
        return True
    names = [name.lower().removesuffix(".") for name in (peer.helo, peer.name) if name]
    if "." not in lower.by or not any("." in name for name in names):
        return True  # a private name inside its own network proves nothing
    return any(operator_of(name) == operator_of(lower.by) for name in names)


def _peer_words(peer: Peer | None) -> str:
    peer = peer or Peer()
    return peer.name or peer.helo or peer.address or "nobody"
