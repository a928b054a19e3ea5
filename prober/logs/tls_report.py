"""TLS reports: how sessions went when others sent mail to us. RFC 8460 §4.4, §5.3.

A report is a claim of its submitter: the DKIM signature that RFC 8460 §3 asks for is not checked.
It comes as JSON, as gzip, or attached to a message, also in a mailbox.
"""

import email
import io
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO, Final, NamedTuple

import msgspec
from msgspec import Meta, field
from msgspec.structs import astuple, force_setattr
from rich.table import Table
from rich.text import Text

from prober.errors import InputError
from prober.escape import printable, utc
from prober.files import read_whole, why_unreadable
from prober.logs.objects import ClaimObject, FailureObject
from prober.logs.text import MAX_SHOWN, STYLES, table
from prober.mailbox import Lines, files_below
from prober.records import Answer
from prober.report.interface import Formatter, Paper, Row
from prober.report.page import Page

MAX_FILE_BYTES: Final = 64 << 20
MAX_REPORT_BYTES: Final = 32 << 20  # unpacked; the largest seen have 1 MB
STDIN: Final = "-"
_GZIP: Final = b"\x1f\x8b"
_BOM: Final = b"\xef\xbb\xbf"
_GZIP_WINDOW: Final = 31  # zlib.decompressobj(): a gzip header is expected
_ATTACHED: Final = frozenset({"application/tlsrpt+gzip", "application/tlsrpt+json"})
_NAMED: Final = (".json", ".json.gz")

Count = Annotated[int, Meta(ge=0, le=2**53)]


class Range(msgspec.Struct, frozen=True):
    """``date-range``, in UTC."""

    start: datetime = field(name="start-datetime")
    end: datetime = field(name="end-datetime")

    def __post_init__(self) -> None:
        """Raises OverflowError for a time that has no UTC."""
        for name in ("start", "end"):
            time: datetime = getattr(self, name)
            time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
            force_setattr(self, name, time)


class Failure(msgspec.Struct, rename="kebab", frozen=True):
    """One of ``failure-details``, in the order of the columns. RFC 8460 §4.3: result types."""

    result_type: str
    receiving_mx_hostname: str | None = None
    receiving_ip: str | None = None
    sending_mta_ip: str | None = None
    failed_session_count: Count = 0
    failure_reason_code: str | None = None


class PolicyName(msgspec.Struct, rename="kebab", frozen=True):
    """``policy``: which one the sender applied."""

    policy_type: str
    policy_domain: str

    @property
    def domain(self) -> str:
        """In the form in which domains are compared."""
        return self.policy_domain.strip().lower().rstrip(".")


class Sessions(msgspec.Struct, frozen=True):
    """``summary``."""

    successful: Count = field(name="total-successful-session-count", default=0)
    failed: Count = field(name="total-failure-session-count", default=0)


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


class Claim(NamedTuple):
    """What one submitter says of one policy in one span of time."""

    report: TlsReport
    about: Policy


class Claims:
    """All claims that count. A report that is sent twice, or overlaps another, counts once."""

    def __init__(self) -> None:
        self.counted: list[Claim] = []
        self.repeated = 0
        self.unreadable: list[str] = []
        self.damaged = 0  # of these, what should be a report
        self._spans: dict[tuple[str, str, str], list[Range]] = {}

    def add(self, report: TlsReport) -> None:
        """Count what is new in *report*."""
        span = report.date_range
        own: set[tuple[str, str, str]] = set()  # one report may name a policy several times
        for each in report.policies:
            policy = each.policy
            key = (report.organization_name.strip().lower(), policy.domain, policy.policy_type)
            before = self._spans.setdefault(key, [])
            if key not in own and any(span.start < old.end and old.start < span.end
                                      for old in before):  # fmt: skip
                self.repeated += 1
                continue
            own.add(key)
            before.append(span)
            self.counted.append(Claim(report, each))

    @property
    def failed(self) -> int:
        """All sessions that failed."""
        return sum(claim.about.summary.failed for claim in self.counted)


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
                claims.damaged += 1
            found += 1
        if not found:
            claims.unreadable.append(f"{name}: no TLS report is in it")
    if not claims.counted:
        raise InputError(next(iter(claims.unreadable), "no TLS report is in the folders named"))
    return claims


def parse_report(raw: bytes) -> TlsReport:
    """The report in *raw*, JSON or gzip. Raises InputError."""
    try:
        text = _unpacked(raw) if raw.startswith(_GZIP) else raw
        return msgspec.json.decode(text.removeprefix(_BOM), type=TlsReport, strict=False)
    except (msgspec.MsgspecError, zlib.error, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"no TLS report: {error}") from error
    except OverflowError as error:
        raise InputError("no TLS report: its time is out of range") from error


def _unpacked(raw: bytes) -> bytes:
    unpack = zlib.decompressobj(_GZIP_WINDOW)
    text = unpack.decompress(raw, MAX_REPORT_BYTES)
    if unpack.unconsumed_tail:
        raise InputError(f"more than {MAX_REPORT_BYTES} bytes when unpacked")
    return text


def _files(names: Iterable[str], stdin: BinaryIO) -> Iterator[tuple[str, bytes]]:
    for name in names:
        if name == STDIN:
            raw = stdin.read(MAX_FILE_BYTES + 1)
            if len(raw) > MAX_FILE_BYTES:
                raise InputError(f"stdin has more than {MAX_FILE_BYTES} bytes: too much to read")
            yield "stdin", raw
            continue
        path = Path(name)
        try:
            for each in files_below(path) if path.is_dir() else [path]:
                yield str(each), read_whole(each, MAX_FILE_BYTES)
        except OSError as error:
            raise InputError(f"cannot read {printable(name)}: {why_unreadable(error)}") from error


def _reports(raw: bytes) -> Iterator[bytes]:
    """The reports in a file: itself, or what is attached to the messages in it."""
    if raw.startswith(_GZIP) or raw.removeprefix(_BOM).lstrip().startswith(b"{"):
        yield raw
        return
    lines = Lines(io.BytesIO(raw))
    if not lines.at_from_line:
        yield from _attached(raw)
        return
    while lines.peek():
        lines.take()  # the From line
        yield from _attached(b"".join(lines.rest_of_message()))


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
        return  # a message that Python's parser cannot read


CLAIM_COLUMNS: Final = (*ClaimObject.__struct_fields__[1:-1], *FailureObject.__struct_fields__)
"""All but the schema, and the failures one by one."""


def to_object(claim: Claim) -> ClaimObject:
    """One claim as JSON has it."""
    report, about = claim
    return ClaimObject(
        submitter=report.organization_name.strip(),
        report_id=report.report_id,
        start=utc(report.date_range.start),
        end=utc(report.date_range.end),
        domain=about.policy.domain,
        policy=about.policy.policy_type,
        successful=about.summary.successful,
        failed=about.summary.failed,
        failures=tuple(FailureObject(*astuple(each)) for each in about.failure_details or ()),
    )


def to_rows(claim: Claim) -> Iterator[Row]:
    """One row per kind of failure, or one for a policy without failures."""
    _, *about, failures = astuple(to_object(claim))
    for failure in failures:
        yield (*about, *astuple(failure))
    if not failures:
        yield (*about, *(None for _ in FailureObject.__struct_fields__))


class ClaimsText(Formatter[Claim, Claims]):
    """Counts per domain, policy and day, then the failures by result type and MX host."""

    def __init__(self, paper: Paper) -> None:
        self._page = Page(paper)

    def body(self, claim: Claim) -> bytes:
        return b""

    def foot(self, claims: Claims) -> bytes:
        return self._page.draw(*_answer(claims))


class ClaimCounts:
    """The sessions of *claims* by domain, day and policy; failures by domain, type and MX host."""

    def __init__(self, claims: Claims) -> None:
        days: Counter[tuple[str, str, str]] = Counter()
        bad_days: Counter[tuple[str, str, str]] = Counter()
        failures: Counter[tuple[str, str, str]] = Counter()
        for report, about in claims.counted:
            domain, day = about.policy.domain, report.date_range.start.date()
            key = (domain, day.isoformat(), about.policy.policy_type)
            days[key] += about.summary.successful
            bad_days[key] += about.summary.failed
            for each in about.failure_details or ():
                place = (domain, each.result_type, each.receiving_mx_hostname or "")
                failures[place] += each.failed_session_count
        self.failed, self.damaged = claims.failed, claims.damaged
        self.total = sum(days.values()) + claims.failed
        self.failures: list[Row] = [(*key, count) for key, count in failures.most_common()]
        self.days: list[Row] = [(*key, days[key], bad_days[key]) for key in sorted(days)]

    @property
    def answer(self) -> Answer:
        """Whether no session failed."""
        if self.failed:
            return Answer.NO
        return Answer.NOT_TESTED if self.damaged else Answer.YES

    @property
    def headline(self) -> str:
        """The answer in a sentence."""
        return f"Senders report that TLS failed in {self.failed} of {self.total} sessions."


FAILURES_HEAD: Final = ("domain", "result type", "MX host", "failed")
DAYS_HEAD: Final = ("domain", "day", "policy", "successful", "failed")


def _answer(claims: Claims) -> Iterator[Text | Table]:
    counts = ClaimCounts(claims)
    yield Text(counts.headline, STYLES[counts.answer])
    if counts.failures:
        yield Text("")
        yield table(FAILURES_HEAD, counts.failures[:MAX_SHOWN], folded=3, numbers=1)
    yield Text("")
    yield table(DAYS_HEAD, counts.days[-MAX_SHOWN:], folded=1, numbers=2)
    first, *rest = about_claims(claims)
    yield Text(f"\n{first}", "dim")
    yield from (Text(line, "dim") for line in rest)


def about_claims(claims: Claims) -> Iterator[str]:
    """What the reports are, and what was left out of them."""
    yield "These are claims of the senders: DKIM signatures are not checked."
    if claims.repeated:
        yield f"{claims.repeated} repeated or overlapping parts were left out."
    if claims.damaged:
        yield f"Could not be read as a TLS report: {claims.damaged}."
    if others := len(claims.unreadable) - claims.damaged:
        yield f"Files without a TLS report: {others}."
