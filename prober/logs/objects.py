"""The JSON objects of `probe logs`: their keys and types, also the columns. docs/logs.md."""

import msgspec

from prober.logs.records import LOGS_SCHEMA, Content, Direction, Identity, Scope, Status, Tls


class AttemptObject(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to deliver one message to one recipient. Null: the log does not say."""

    schema: int = LOGS_SCHEMA
    time: str
    direction: Direction
    server: str
    software: str
    queue_id: str
    message_id: str | None
    domain: str
    recipient: str | None
    relay: str | None
    address: str | None
    scope: Scope
    tls: Tls
    why: str | None
    tls_version: str | None
    cipher: str | None
    key_exchange: str | None
    identity: Identity
    status: Status
    content: Content
    reply: str | None


class TotalObject(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of messages, each counted once for each recipient."""

    messages: int
    encrypted: int
    verified: int
    clear: int
    held_back: int
    unknown: int


class GroupObject(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of one direction, domain and week."""

    direction: Direction
    domain: str
    week: str
    messages: int
    encrypted: int
    verified: int
    clear: int
    held_back: int
    unknown: int
    tls_versions: dict[str, int]


class AdviceObject(msgspec.Struct, frozen=True):
    """What to do about a domain. The codes are stable; the wording may change."""

    domain: str
    code: str
    text: str


class SummaryObject(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of the whole run."""

    schema: int = LOGS_SCHEMA
    first: str | None
    last: str | None
    total: TotalObject
    below: int
    undecided: int
    internal: int
    local: int
    unknown_because: dict[str, int]
    lines: int
    lines_of_other_programs: int
    lines_not_understood: int
    joins_dropped: int
    advice: tuple[AdviceObject, ...]
    groups: tuple[GroupObject, ...]


class FailureObject(msgspec.Struct, frozen=True):
    """One kind of failure that a TLS report counts. RFC 8460 section 4."""

    result_type: str
    mx_host: str | None
    receiving_ip: str | None
    sending_ip: str | None
    failed_sessions: int
    reason_code: str | None


class ClaimObject(msgspec.Struct, frozen=True, kw_only=True):
    """What one TLS report says of one policy."""

    schema: int = LOGS_SCHEMA
    submitter: str
    report_id: str
    start: str
    end: str
    domain: str
    policy: str
    successful: int
    failed: int
    failures: tuple[FailureObject, ...]
