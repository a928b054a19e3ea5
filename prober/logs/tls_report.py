"""TLS reports: what others met when they sent mail to us. RFC 8460 §4.4, §5.3.

A report is a claim of whoever submitted it: the DKIM signature that RFC 8460 §3 asks for is not
checked. It comes as JSON, as gzip, or as a message or mailbox with one of these attached.
"""

import email
import os
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO, Final, assert_never

import msgspec
from rich.table import Table
from rich.text import Text

from prober.errors import InputError, SettingsError
from prober.escape import printable, utc
from prober.files import read_whole
from prober.logs.objects import ClaimObject, FailureObject
from prober.logs.report import MOST_SHOWN, NO_WORKBOOK, csv_bytes, json_bytes, table
from prober.report.interface import Paper, Row
from prober.report.output import ReportFormat
from prober.report.page import Page

MOST_FILE_BYTES: Final = 64 << 20
MOST_REPORT_BYTES: Final = 32 << 20  # unpacked; the largest seen have 1 MB
MOST_TEXT: Final = 255
STDIN: Final = "-"
_GZIP: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 31  # zlib.decompressobj(): a gzip header is expected
_FROM_LINE: Final = re.compile(rb"(?:\A|\n\r?\n)From [^\r\n]*\d\d:\d\d[^\r\n]*\r?\n")
_ATTACHED: Final = frozenset({"application/tlsrpt+gzip", "application/tlsrpt+json"})
_NAMED: Final = (".json", ".json.gz")

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class Range(msgspec.Struct, rename="kebab", frozen=True):
    """``date-range``."""

    start_datetime: datetime
    end_datetime: datetime


class Failure(msgspec.Struct, rename="kebab", frozen=True):
    """One of ``failure-details``. RFC 8460 §4.3 has the result types."""

    result_type: str
    failed_session_count: Count = 0
    receiving_mx_hostname: str | None = None
    receiving_ip: str | None = None
    sending_mta_ip: str | None = None
    failure_reason_code: str | None = None


class PolicyName(msgspec.Struct, rename="kebab", frozen=True):
    """``policy``: which one the sender applied."""

    policy_type: str
    policy_domain: str


class Sessions(msgspec.Struct, rename="kebab", frozen=True):
    """``summary``."""

    total_successful_session_count: Count = 0
    total_failure_session_count: Count = 0


class Policy(msgspec.Struct, rename="kebab", frozen=True):
    """One of ``policies``."""

    policy: PolicyName
    summary: Sessions = Sessions()
    failure_details: list[Failure] | None = None


class TlsReport(msgspec.Struct, rename="kebab", frozen=True):
    """One report; what is not named here is not read."""

    date_range: Range
    report_id: str
    organization_name: str = ""
    policies: list[Policy] = []  # msgspec copies it


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one submitter says of one policy in one span of time."""

    submitter: str
    report_id: str
    start: datetime
    end: datetime
    domain: str
    policy: str
    successful: int
    failed: int
    failures: tuple[Failure, ...] = ()


@dataclass(slots=True)
class Claims:
    """All claims that count. A report that is sent twice, or overlaps another, counts once."""

    counted: list[Claim] = field(default_factory=list)
    repeated: int = 0
    unreadable: list[str] = field(default_factory=list)
    _spans: dict[tuple[str, str, str], list[tuple[datetime, datetime]]] = field(
        default_factory=dict
    )

    def add(self, report: TlsReport) -> None:
        """Count what is new in *report*."""
        start, end = _utc(report.date_range.start_datetime), _utc(report.date_range.end_datetime)
        own: set[tuple[str, str, str]] = set()  # one report may name a policy several times
        for each in report.policies:
            submitter = report.organization_name.strip()[:MOST_TEXT]
            domain = each.policy.policy_domain.strip().lower().rstrip(".")[:MOST_TEXT]
            key = (submitter.lower(), domain, each.policy.policy_type)
            spans = self._spans.setdefault(key, [])
            if key not in own and any(start < until and since < end for since, until in spans):
                self.repeated += 1
                continue
            own.add(key)
            spans.append((start, end))
            self.counted.append(
                Claim(
                    submitter=submitter,
                    report_id=report.report_id[:MOST_TEXT],
                    start=start,
                    end=end,
                    domain=domain,
                    policy=each.policy.policy_type[:MOST_TEXT],
                    successful=each.summary.total_successful_session_count,
                    failed=each.summary.total_failure_session_count,
                    failures=tuple(each.failure_details or ()),
                )
            )

    @property
    def failed(self) -> int:
        """All sessions that failed."""
        return sum(claim.failed for claim in self.counted)


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def read_claims(names: Iterable[str], stdin: BinaryIO) -> Claims:
    """The claims in all files *names*, folders of them, or ``-``.

    A part that is no report is noted in ``unreadable``. Raises InputError where a file cannot be
    read or holds no report at all.
    """
    claims = Claims()
    for name, raw in _files(names, stdin):
        found = 0
        for part in _reports(raw):
            try:
                claims.add(parse_report(part))
            except InputError as error:
                claims.unreadable.append(f"{name}: {error}")
            found += 1
        if not found:
            claims.unreadable.append(f"{name}: no TLS report is in it")
    if not claims.counted and claims.unreadable:
        raise InputError(printable(claims.unreadable[0]))
    return claims


def parse_report(raw: bytes) -> TlsReport:
    """The report in *raw*, JSON or gzip. Raises InputError."""
    try:
        text = _unpacked(raw) if raw.startswith(_GZIP) else raw
        text = text.removeprefix(b"\xef\xbb\xbf")
        report = msgspec.json.decode(text, type=TlsReport, strict=False)
        _utc(report.date_range.start_datetime)
        _utc(report.date_range.end_datetime)
    except (msgspec.MsgspecError, zlib.error, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"no TLS report: {error}") from error
    except OverflowError as error:  # a time that UTC cannot tell
        raise InputError("no TLS report: its time is out of range") from error
    return report


def _unpacked(raw: bytes) -> bytes:
    unpack = zlib.decompressobj(_GZIP_WINDOW)
    text = unpack.decompress(raw, MOST_REPORT_BYTES)
    if unpack.unconsumed_tail:
        raise InputError(f"more than {MOST_REPORT_BYTES} bytes when unpacked")
    return text


def _files(names: Iterable[str], stdin: BinaryIO) -> Iterator[tuple[str, bytes]]:
    for name in names:
        if name == STDIN:
            raw = stdin.read(MOST_FILE_BYTES + 1)
            if len(raw) > MOST_FILE_BYTES:
                raise InputError(f"stdin has more than {MOST_FILE_BYTES} bytes: too much to read")
            yield "stdin", raw
            continue
        path = Path(name)
        try:
            for each in sorted(_below(path)) if path.is_dir() else [path]:
                yield str(each), read_whole(each, MOST_FILE_BYTES)
        except OSError as error:
            raise InputError(f"cannot read {printable(name)}: {error.strerror}") from error


def _below(folder: Path) -> Iterator[Path]:
    for parent, _, files in os.walk(folder):  # links to folders are not followed
        yield from (Path(parent, file) for file in files if Path(parent, file).is_file())


def _reports(raw: bytes) -> Iterator[bytes]:
    """The reports in a file: itself, or what is attached to the messages in it."""
    if raw.startswith(_GZIP) or raw.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        yield raw
        return
    begins = [found.end() for found in _FROM_LINE.finditer(raw)]
    for begin, end in zip(begins, [*begins[1:], len(raw)], strict=True) if begins else [(0, None)]:
        yield from _attached(raw[begin:end])


def _attached(raw: bytes) -> Iterator[bytes]:
    """The attachments of a message that are reports, by their type or their name."""
    try:
        for part in email.message_from_bytes(raw).walk():
            name = str(part.get_filename() or "").lower()
            if part.get_content_type() in _ATTACHED or name.endswith(_NAMED):
                content = part.get_payload(decode=True)
                if isinstance(content, bytes) and content:
                    yield content
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return  # a message in a form that Python's parser does not stand


CLAIM_COLUMNS: Final = (
    *ClaimObject.__struct_fields__[1:-1],  # all but the schema and the failures
    *FailureObject.__struct_fields__,
)


def format_claims(claims: Claims, format_: ReportFormat, paper: Paper) -> bytes:
    """TLS reports in *format_*: one row or object per claim, and in rows per kind of failure."""
    match format_:
        case ReportFormat.CSV:
            return csv_bytes(
                [CLAIM_COLUMNS, *(row for each in claims.counted for row in _rows(each))]
            )
        case ReportFormat.JSON | ReportFormat.JSONL:
            pretty = format_ is ReportFormat.JSON
            return b"".join(json_bytes(to_object(each), pretty=pretty) for each in claims.counted)
        case ReportFormat.TEXT:
            return _claims_text(claims, Page(paper))
        case ReportFormat.XLSX:
            raise SettingsError(NO_WORKBOOK)
        case _:
            assert_never(format_)


def _rows(claim: Claim) -> list[Row]:
    _, *about, failures = msgspec.structs.astuple(to_object(claim))
    nothing = [None] * len(FailureObject.__struct_fields__)
    return [(*about, *row) for row in map(msgspec.structs.astuple, failures)] or [
        (*about, *nothing)
    ]


def to_object(claim: Claim) -> ClaimObject:
    """One claim, as JSON has it."""
    failures = (
        FailureObject(
            result_type=each.result_type,
            mx_host=each.receiving_mx_hostname,
            receiving_ip=each.receiving_ip,
            sending_ip=each.sending_mta_ip,
            failed_sessions=each.failed_session_count,
            reason_code=each.failure_reason_code,
        )
        for each in claim.failures
    )
    return ClaimObject(
        submitter=claim.submitter,
        report_id=claim.report_id,
        start=utc(claim.start),
        end=utc(claim.end),
        domain=claim.domain,
        policy=claim.policy,
        successful=claim.successful,
        failed=claim.failed,
        failures=tuple(failures),
    )


def _claims_text(claims: Claims, page: Page) -> bytes:
    """Counts per domain, policy and day, then the failures by result type and MX host."""
    days: Counter[tuple[str, str, str]] = Counter()
    bad_days: Counter[tuple[str, str, str]] = Counter()
    failures: Counter[tuple[str, str, str]] = Counter()
    for claim in claims.counted:
        key = (claim.domain, claim.start.date().isoformat(), claim.policy)
        days[key] += claim.successful
        bad_days[key] += claim.failed
        for each in claim.failures:
            place = (claim.domain, each.result_type, each.receiving_mx_hostname or "")
            failures[place] += each.failed_session_count
    total = sum(days.values()) + claims.failed
    head = f"Senders report {claims.failed} failed of {total} sessions with TLS."
    parts: list[Text | Table] = [Text(head, "bold red" if claims.failed else "bold green")]
    if failures:
        rows = [(*key, str(count)) for key, count in failures.most_common(MOST_SHOWN)]
        parts += [Text(""), table(("", "domain", "result type", "MX host", "failed"), rows)]
    counts = [(*key, str(days[key]), str(bad_days[key])) for key in sorted(days)[-MOST_SHOWN:]]
    parts += [Text(""), table(("", "domain", "day", "policy", "successful", "failed"), counts)]
    submitters = len({claim.submitter for claim in claims.counted})
    parts.append(
        Text(
            f"\n{submitters} submitters; these are their claims: DKIM signatures are not checked.",
            "dim",
        )
    )
    if claims.repeated:
        parts.append(Text(f"{claims.repeated} repeated or overlapping parts count once.", "dim"))
    if claims.unreadable:
        parts.append(Text(f"{len(claims.unreadable)} files or parts are no TLS report.", "dim"))
    return page.draw(*parts)
