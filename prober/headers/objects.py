"""The JSON objects of `probe headers`: their keys and types. docs/headers.md."""

import msgspec

from prober.headers.records import (
    HEADERS_SCHEMA,
    Basis,
    ClientCertificate,
    HopProbe,
    Judgement,
    MessageVerdict,
    Remark,
    TlsStatement,
    Trust,
)


class PeerObject(msgspec.Struct, frozen=True, kw_only=True):
    """The client of a hop, as the line gives it."""

    helo: str | None
    name: str | None
    address: str | None


class HopObject(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"from_": "from", "with_": "with", "for_": "for"},
):
    """One Received line with its judgement. Index 0 is the topmost one."""

    index: int
    by: str | None
    by_address: str | None
    from_: PeerObject
    with_: str | None
    via: str | None
    id: str | None
    for_: str | None
    date: str | None
    tls: TlsStatement
    protocol: str | None
    protocol_as_written: str | None
    cipher: str | None
    cipher_iana: str | None
    bits: int | None
    key_exchange: str | None
    client_certificate: ClientCertificate | None
    shape: str | None
    tls_text: str | None
    software: str | None
    trust: Trust
    border: bool
    judgement: Judgement
    basis: Basis
    reason: str


class ContextObject(msgspec.Struct, frozen=True, kw_only=True):
    """What else the message says, which judges nothing."""

    x_received: int
    authentication_results: tuple[str, ...]


class MessageObject(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON object of one message. docs/headers.md."""

    schema: int
    file: str
    position: int
    message_id: str | None
    sender_domain: str | None
    verdict: MessageVerdict
    at_hop: int | None
    as_claimed: bool
    basis: Basis
    reason: str
    error: str | None
    hops: tuple[HopObject, ...]
    remarks: tuple[Remark, ...]
    context: ContextObject
    probe: tuple[HopProbe, ...]


class GroupObject(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of one sending domain or one receiving server."""

    kind: str
    name: str
    total: int
    encrypted: int
    not_encrypted: int
    unknown: int
    claimed: int
    share_encrypted: float | None
    tls_versions: dict[str, int]


class SummaryObject(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON object of all messages. docs/headers.md."""

    schema: int = HEADERS_SCHEMA
    messages: int
    unreadable: int
    verdicts: dict[MessageVerdict, int]
    groups: tuple[GroupObject, ...]
