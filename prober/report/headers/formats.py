"""The formats of `probe headers` that programs read: JSON, JSON lines, CSV. docs/headers.md."""

import abc
import csv
import io
import json
from collections.abc import Iterable
from typing import Final, TypeAlias

from prober.records.headers import HEADERS_SCHEMA, Hop, MessageReport, Peer, TlsFacts
from prober.report.csv_ import neutralised
from prober.report.escape import utc
from prober.report.headers.rows import (
    HOP_COLUMNS,
    MESSAGE_COLUMNS,
    SUMMARY_COLUMNS,
    to_hop_rows,
    to_message_row,
    to_summary_rows,
)
from prober.report.headers.summary import Summary
from prober.report.rows import Row

Json: TypeAlias = str | int | float | bool | list["Json"] | dict[str, "Json"] | None
_DELETE: Final = "\x7f"


class HeadersFormatter(abc.ABC):
    """Bytes before the first message, for each, and after the last. Does no I/O."""

    def head(self) -> bytes:
        return b""

    @abc.abstractmethod
    def body(self, report: MessageReport) -> bytes: ...

    def foot(self, summary: Summary) -> bytes:
        return b""


class HeadersJson(HeadersFormatter):
    """One object a message; on one line each, or *pretty* over many."""

    def __init__(self, *, pretty: bool) -> None:
        self._pretty = pretty

    def body(self, report: MessageReport) -> bytes:
        return encode(to_object(report), pretty=self._pretty)


class SummaryJson(HeadersFormatter):
    """One object for all messages together."""

    def __init__(self, *, pretty: bool) -> None:
        self._pretty = pretty

    def body(self, report: MessageReport) -> bytes:
        return b""

    def foot(self, summary: Summary) -> bytes:
        return encode(summary_object(summary), pretty=self._pretty)


class HeadersCsv(HeadersFormatter):
    """One row a message, or with *per_hop* one a hop."""

    def __init__(self, *, per_hop: bool) -> None:
        self._per_hop = per_hop

    def head(self) -> bytes:
        return _rows([HOP_COLUMNS if self._per_hop else MESSAGE_COLUMNS])

    def body(self, report: MessageReport) -> bytes:
        return _rows(to_hop_rows(report) if self._per_hop else [to_message_row(report)])


class SummaryCsv(HeadersFormatter):
    """One row a sending domain, and one a receiving server."""

    def head(self) -> bytes:
        return _rows([SUMMARY_COLUMNS])

    def body(self, report: MessageReport) -> bytes:
        return b""

    def foot(self, summary: Summary) -> bytes:
        return _rows(to_summary_rows(summary))


def encode(value: Json, *, pretty: bool) -> bytes:
    """*value* as ASCII JSON: no control or bidi character, and no lone surrogate, gets out."""
    text = json.dumps(value, ensure_ascii=True, indent=2 if pretty else None)
    return text.replace(_DELETE, "\\u007f").encode() + b"\n"


def to_object(report: MessageReport) -> Json:
    """One message as JSON: the fields of its record, by the keys of docs/headers.md."""
    message = report.message
    return {
        "schema": report.schema,
        "file": message.file,
        "position": message.position,
        "message_id": message.message_id,
        "sender_domain": message.sender_domain,
        "verdict": report.verdict,
        "at_hop": report.at_hop,
        "as_claimed": report.as_claimed,
        "basis": report.basis,
        "reason": report.reason,
        "error": message.error,
        "hops": [_hop_object(hop) for hop in report.hops],
        "remarks": [
            {"kind": remark.kind, "hop": remark.hop, "detail": remark.detail}
            for remark in report.remarks
        ],
        "context": {
            "x_received": message.x_received,
            "authentication_results": list(message.authentication_results),
        },
        "probe": [
            {
                "hop": seen.hop,
                "host": seen.host,
                "offer": seen.offer,
                "tls_versions": list(seen.tls_versions),
                "detail": seen.detail,
                "conclusion": seen.conclusion,
                "text": seen.text,
            }
            for seen in report.probe
        ],
    }


def _hop_object(hop: Hop) -> Json:
    line = hop.received
    facts = line.tls_facts or TlsFacts()
    return {
        "index": hop.index,
        "by": line.by,
        "by_address": line.by_address,
        "from": _peer_object(line.peer),
        "with": line.with_,
        "via": line.via,
        "id": line.id,
        "for": line.for_,
        "date": utc(line.date) if line.date else None,
        "tls": line.tls,
        "protocol": facts.protocol,
        "protocol_as_written": facts.protocol_as_written,
        "cipher": facts.cipher,
        "cipher_iana": facts.cipher_iana,
        "bits": facts.bits,
        "key_exchange": facts.key_exchange,
        "client_certificate": facts.client_certificate,
        "shape": facts.shape,
        "tls_text": line.text[slice(*facts.span)] if facts.span else None,
        "software": line.software,
        "trust": hop.trust,
        "border": hop.border,
        "judgement": hop.judgement,
        "basis": hop.basis,
        "reason": hop.reason,
    }


def _peer_object(peer: Peer | None) -> Json:
    peer = peer or Peer()
    return {"helo": peer.helo, "name": peer.name, "address": peer.address}


def summary_object(summary: Summary) -> Json:
    """The counts of all messages."""
    groups: list[Json] = [
        {
            "kind": kind,
            "name": name,
            "total": counts.total,
            "encrypted": counts.encrypted,
            "not_encrypted": counts.not_encrypted,
            "unknown": counts.unknown,
            "claimed": counts.claimed,
            "share_encrypted": counts.share,
            "tls_versions": dict(sorted(counts.versions.items())),
        }
        for kind, name, counts in summary.groups()
    ]
    return {
        "schema": HEADERS_SCHEMA,
        "messages": summary.messages,
        "unreadable": summary.unreadable,
        "verdicts": {str(verdict): count for verdict, count in sorted(summary.verdicts.items())},
        "groups": groups,
    }


def _rows(rows: Iterable[Row]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([neutralised(cell) for cell in row] for row in rows)
    return buffer.getvalue().encode("utf-8", "backslashreplace")
