"""CSV columns and JSON objects of `probe headers`. Other formats use the same cells."""

import json
from collections import Counter
from collections.abc import Iterator
from operator import attrgetter
from typing import Final

import msgspec

from prober.escape import utc
from prober.headers.objects import (
    ContextObject,
    GroupObject,
    HopObject,
    MessageObject,
    PeerObject,
    SummaryObject,
)
from prober.headers.records import Hop, MessageReport, Peer, TlsFacts
from prober.headers.summary import Summary
from prober.report.interface import Cell, Row
from prober.report.words import version_counts

MESSAGE_COLUMNS: Final = (
    "file",
    "position",
    "message_id",
    "sender_domain",
    "verdict",
    "at_hop",
    "as_claimed",
    "basis",
    "reason",
    "hops",
    "hops_trusted",
    "hops_encrypted",
    "hops_not_encrypted",
    "hops_internal",
    "hops_unknown",
    "tls_versions",
    "remarks",
    "probe",
    "error",
)
HOP_COLUMNS: Final = (
    "file",
    "position",
    "message_id",
    "verdict",
    "hop",
    "date",
    "from_helo",
    "from_name",
    "from_address",
    "by",
    "with",
    "id",
    "software",
    "tls",
    "protocol",
    "protocol_as_written",
    "cipher",
    "cipher_iana",
    "bits",
    "key_exchange",
    "client_certificate",
    "trust",
    "judgement",
    "basis",
    "reason",
)
# Where a hop's object has these columns under another name
_IN_HOP: Final = {
    "hop": "index",
    "from_helo": "from_.helo",
    "from_name": "from_.name",
    "from_address": "from_.address",
    "with": "with_",
}
_OF_MESSAGE: Final = 4  # columns at the start of ``HOP_COLUMNS``
_hop_cells: Final = attrgetter(*(_IN_HOP.get(name, name) for name in HOP_COLUMNS[_OF_MESSAGE:]))
SUMMARY_COLUMNS: Final = GroupObject.__struct_fields__


def to_message_rows(report: MessageReport) -> Iterator[Row]:
    """One row per message, in the order of ``MESSAGE_COLUMNS``."""
    message, hops = report.message, report.hops
    judged = Counter(str(hop.judgement) for hop in hops)
    versions = sorted({facts.protocol or "" for hop in hops if (facts := hop.received.tls_facts)})
    yield (
        message.file,
        message.position,
        message.message_id,
        message.sender_domain,
        report.verdict,
        report.at_hop,
        "yes" if report.as_claimed else "no",
        report.basis,
        report.reason,
        len(hops),
        sum(hop.trust == "trusted" for hop in hops),
        judged["encrypted"],
        judged["not-encrypted"],
        judged["internal"],
        judged["unknown"],
        " ".join(filter(None, versions)),
        " ".join(dict.fromkeys(str(remark.kind) for remark in report.remarks)),
        " ".join(f"{seen.host}={seen.conclusion}" for seen in report.probe),
        message.error,
    )


def to_hop_rows(report: MessageReport) -> Iterator[Row]:
    """One row per hop, in the order of ``HOP_COLUMNS``. A message without hops gets one row."""
    message = report.message
    start: Row = (message.file, message.position, message.message_id, report.verdict)
    for hop in map(_hop_object, report.hops):
        yield start + _hop_cells(hop)
    if not report.hops:
        empty: list[Cell] = [None] * (len(HOP_COLUMNS) - _OF_MESSAGE - 1)
        yield (*start, *empty, report.reason)


def to_summary_rows(summary: Summary) -> Iterator[Row]:
    """One row per sending domain and per receiving server, in the order of ``SUMMARY_COLUMNS``."""
    for *cells, share, versions in map(msgspec.structs.astuple, _groups(summary)):
        yield (*cells, None if share is None else f"{share:g}", version_counts(versions))


_DELETE: Final = "\x7f"


def encode_message(report: MessageReport) -> bytes:
    """One message as one line of JSON."""
    return _encode(to_object(report))


def encode_summary(summary: Summary) -> bytes:
    """The counts of all messages as one line of JSON."""
    return _encode(summary_object(summary))


def _encode(value: msgspec.Struct) -> bytes:
    """*value* as ASCII JSON: no control or bidi character, and no lone surrogate, gets out."""
    text = json.dumps(msgspec.to_builtins(value), ensure_ascii=True)
    return text.replace(_DELETE, "\\u007f").encode()


def to_object(report: MessageReport) -> MessageObject:
    """One message as JSON has it: the fields of its record, by the keys of docs/headers.md."""
    message = report.message
    return MessageObject(
        schema=report.schema,
        file=message.file,
        position=message.position,
        message_id=message.message_id,
        sender_domain=message.sender_domain,
        verdict=report.verdict,
        at_hop=report.at_hop,
        as_claimed=report.as_claimed,
        basis=report.basis,
        reason=report.reason,
        error=message.error,
        hops=tuple(map(_hop_object, report.hops)),
        remarks=report.remarks,
        context=ContextObject(
            x_received=message.x_received,
            authentication_results=message.authentication_results,
        ),
        probe=report.probe,
    )


def _hop_object(hop: Hop) -> HopObject:
    line = hop.received
    facts, peer = line.tls_facts or TlsFacts(), line.peer or Peer()
    return HopObject(
        index=hop.index,
        by=line.by,
        by_address=line.by_address,
        from_=PeerObject(helo=peer.helo, name=peer.name, address=peer.address),
        with_=line.with_,
        via=line.via,
        id=line.id,
        for_=line.for_,
        date=utc(line.date) if line.date else None,
        tls=line.tls,
        protocol=facts.protocol,
        protocol_as_written=facts.protocol_as_written,
        cipher=facts.cipher,
        cipher_iana=facts.cipher_iana,
        bits=facts.bits,
        key_exchange=facts.key_exchange,
        client_certificate=facts.client_certificate,
        shape=facts.shape,
        tls_text=line.text[slice(*facts.span)] if facts.span else None,
        software=line.software,
        trust=hop.trust,
        border=hop.border,
        judgement=hop.judgement,
        basis=hop.basis,
        reason=hop.reason,
    )


def _groups(summary: Summary) -> Iterator[GroupObject]:
    for kind, name, counts in summary.groups():
        yield GroupObject(
            kind=kind,
            name=name,
            total=counts.total,
            encrypted=counts.encrypted,
            not_encrypted=counts.not_encrypted,
            unknown=counts.unknown,
            claimed=counts.claimed,
            share_encrypted=counts.share,
            tls_versions=dict(sorted(counts.versions.items())),
        )


def summary_object(summary: Summary) -> SummaryObject:
    """The counts of all messages, as JSON has them."""
    return SummaryObject(
        messages=summary.messages,
        unreadable=summary.unreadable,
        verdicts=dict(sorted(summary.verdicts.items())),
        groups=tuple(_groups(summary)),
    )
