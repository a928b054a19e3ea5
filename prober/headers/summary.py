"""Counts over many messages, by sending domain and by receiving server. docs/headers.md."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from prober.headers.records import Hop, Judgement, MessageReport, MessageVerdict, Trust

MAX_NAMES: Final = 10_000  # per kind; further names are counted together
OTHERS: Final = "(others)"
NO_NAME: Final = "(not named)"
SENDERS: Final = "sending-domain"
RECEIVERS: Final = "receiving-server"

ENCRYPTED: Final = (MessageVerdict.ENCRYPTED, MessageVerdict.ENCRYPTED_EXCEPT_INTERNAL)


@dataclass(slots=True)
class Counts:
    """Counts of one group.

    For a sending domain messages are counted, for a receiving server hops between providers.
    """

    total: int = 0
    encrypted: int = 0
    not_encrypted: int = 0
    unknown: int = 0
    claimed: int = 0  # how many of these rest on lines outside the trust boundary
    versions: Counter[str] = field(default_factory=Counter)

    @property
    def share(self) -> float | None:
        """The share of encrypted among those that are known; None where none is known."""
        known = self.encrypted + self.not_encrypted
        return round(self.encrypted / known, 4) if known else None


@dataclass(slots=True)
class Summary:
    """All messages of a run so far."""

    messages: int = 0
    unreadable: int = 0
    verdicts: Counter[MessageVerdict] = field(default_factory=Counter)
    senders: dict[str, Counts] = field(default_factory=dict)
    receivers: dict[str, Counts] = field(default_factory=dict)

    def add(self, report: MessageReport) -> None:
        """Count one message."""
        self.messages += 1
        self.unreadable += report.message.error is not None
        self.verdicts[report.verdict] += 1
        sender = _counts(self.senders, report.message.sender_domain)
        _count_message(sender, report)
        for hop in report.hops:
            if hop.judgement is not Judgement.INTERNAL:
                _count_hop(_counts(self.receivers, hop.received.by), hop)

    def groups(self) -> Iterator[tuple[str, str, Counts]]:
        """Kind, name and counts, the most frequent first."""
        for kind, groups in ((SENDERS, self.senders), (RECEIVERS, self.receivers)):
            for name in sorted(groups, key=lambda name: (-groups[name].total, name)):
                yield kind, name, groups[name]


def _counts(groups: dict[str, Counts], name: str | None) -> Counts:
    name = name or NO_NAME
    if name not in groups and len(groups) >= MAX_NAMES:
        name = OTHERS
    return groups.setdefault(name, Counts())


def _count_message(counts: Counts, report: MessageReport) -> None:
    counts.total += 1
    counts.encrypted += report.verdict in ENCRYPTED
    counts.not_encrypted += report.verdict is MessageVerdict.NOT_ENCRYPTED
    counts.unknown += report.verdict is MessageVerdict.UNKNOWN
    counts.claimed += report.as_claimed
    for hop in report.hops:
        if hop.border:
            _count_version(counts, hop)


def _count_hop(counts: Counts, hop: Hop) -> None:
    counts.total += 1
    counts.encrypted += hop.judgement is Judgement.ENCRYPTED
    counts.not_encrypted += hop.judgement is Judgement.NOT_ENCRYPTED
    counts.unknown += hop.judgement is Judgement.UNKNOWN
    counts.claimed += hop.trust is Trust.CLAIMED
    _count_version(counts, hop)


def _count_version(counts: Counts, hop: Hop) -> None:
    if hop.judgement is Judgement.ENCRYPTED:
        facts = hop.received.tls_facts
        counts.versions[(facts and facts.protocol) or "TLS"] += 1
