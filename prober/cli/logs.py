"""``probe logs FILE…``: was the mail that we sent encrypted?"""

import contextlib
import dataclasses
import functools
import heapq
import io
import itertools
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from prober.cli.distinct_files import Read, Written, require_distinct
from prober.cli.log_setup import configure_logging
from prober.cli.options import OutputOptions, option, parser_of, with_options
from prober.cli.recording import db_option, opened, record_files
from prober.cli.reporting import open_reports
from prober.cli.running import exit_statuses, tell, tell_if_typed
from prober.domains import parse_domain
from prober.errors import InputError, SettingsError
from prober.escape import printable
from prober.files import read_whole, why_unreadable
from prober.logs.advice import MAX_SEEN, Known, Seen, advise, by_domain, seen_of
from prober.logs.daily import Daily
from prober.logs.lines import in_order
from prober.logs.privacy import MAX_KEY_BYTES, MIN_KEY_BYTES, Addresses, Privacy, line_without_names
from prober.logs.reading import Reading, Wanted, parse_internal
from prober.logs.records import Attempt, Delivery, Level, Scope, name_of
from prober.logs.report import COUNTED, attempts, claims_kind
from prober.logs.summary import Summary
from prober.logs.tls_report import read_claims
from prober.policy.postfix import PostfixMap
from prober.report.json_ import read_reports
from prober.rules.exit_status import FAULT_OF_OURS, MEETS_ALL, SOME_FALL_SHORT, SOME_UNDECIDED

if TYPE_CHECKING:
    from prober.store.database import Store

_READ = "How to read"
_WHICH = "Which messages"
_JOIN = "What to compare with"
_REPORT = "Report"
_MAX_MAP_BYTES = 1 << 30
_MAX_SHOWN = 500  # characters of a line that --unread shows


@dataclasses.dataclass(frozen=True, kw_only=True)
class LogOptions:
    """How to read the logs."""

    inbound: Annotated[
        bool,
        option("--inbound", help="Also report the messages that came in.", panel=_READ),
    ] = False
    internal: Annotated[
        list[str],
        option(
            "--internal",
            metavar="NET|DOMAIN",
            help="Network of servers or domain of recipients that belongs to you: counted apart; "
            "repeatable.",
            panel=_READ,
        ),
    ] = dataclasses.field(default_factory=list)
    tls_logged: Annotated[
        bool,
        option(
            "--tls-logged",
            help="Your servers always logged TLS: a delivery without a TLS line was in clear.",
            panel=_READ,
        ),
    ] = False
    tls_report: Annotated[
        bool,
        option(
            "--tls-report",
            help="Each FILE holds TLS reports (RFC 8460) that others sent to you: JSON, gzip, "
            "messages or mailboxes. Options about logs and messages do not apply.",
            panel=_READ,
        ),
    ] = False
    unread: Annotated[
        bool,
        option(
            "--unread",
            help="Show on stderr each line that was not understood.",
            panel=_READ,
        ),
    ] = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class WhichOptions:
    """Which messages to report."""

    since: Annotated[
        datetime | None,
        option("--since", help="Only deliveries from this time on (UTC).", panel=_WHICH),
    ] = None
    until: Annotated[
        datetime | None,
        option("--until", help="Only deliveries before this time (UTC).", panel=_WHICH),
    ] = None
    domain: Annotated[
        list[str],
        option(
            "--domain",
            metavar="DOMAIN",
            help="Only deliveries to this domain (with --inbound also from it); repeatable.",
            panel=_WHICH,
            parser=parser_of(parse_domain),
        ),
    ] = dataclasses.field(default_factory=list)
    message_id: Annotated[
        str | None,
        option(
            "--message-id",
            metavar="ID",
            help="Show each attempt to deliver the message with this message-id.",
            panel=_WHICH,
        ),
    ] = None
    queue_id: Annotated[
        str | None,
        option(
            "--queue-id",
            metavar="ID",
            help="Show each attempt to deliver the message with this queue id.",
            panel=_WHICH,
        ),
    ] = None

    @property
    def wanted(self) -> Wanted:
        """The filter that these options make."""
        return Wanted(
            since=self.since and self.since.replace(tzinfo=UTC),
            until=self.until and self.until.replace(tzinfo=UTC),
            domains=frozenset(self.domain),
            message_id=self.message_id,
            queue_id=self.queue_id,
        )

    @property
    def is_whole(self) -> bool:
        """Whether all messages are asked for."""
        return self.wanted == Wanted()

    @property
    def is_story(self) -> bool:
        """Whether one message is asked for."""
        return self.wanted.one_message


@dataclasses.dataclass(frozen=True, kw_only=True)
class JoinOptions:
    """What to compare the logs with."""

    db: Annotated[str | None, db_option(_JOIN)] = None
    results: Annotated[
        list[Path],
        option(
            "--results",
            metavar="FILE",
            help="Results of `probe scan` (.json, .jsonl): advice on each domain that got mail in "
            "clear; repeatable.",
            env="LOGS_RESULTS",
            panel=_JOIN,
        ),
    ] = dataclasses.field(default_factory=list)
    policy: Annotated[
        Path | None,
        option(
            "--policy",
            metavar="MAP",
            help="The policy map that Postfix uses: advice on what it should have prevented, what "
            "it holds back, and where it could ask for more.",
            env="LOGS_POLICY",
            panel=_JOIN,
        ),
    ] = None

    @property
    def read(self) -> Iterator[Read]:
        """The files that these options have read."""
        yield from (Read(str(path), "a file of results") for path in self.results)
        if self.policy is not None:
            yield Read(str(self.policy), "the policy map")

    @property
    def written(self) -> Iterator[Written]:
        """The files that these options have written."""
        yield from record_files(self.db)

    @property
    def known(self) -> Known:
        """What the files say about domains. Raises InputError."""
        seen: defaultdict[str, list[Seen]] = defaultdict(list)
        for path in self.results:
            with _naming(path), path.open("rb") as stream:
                for report in read_reports(stream):
                    if report.domain is not None and report.server is None:
                        _keep(seen[report.domain], seen_of(report))
        known = Known(seen=seen if self.results else None)
        if self.policy is None:
            return known
        with _naming(self.policy):
            raw = read_whole(self.policy, _MAX_MAP_BYTES)
            live = PostfixMap().parse(raw.decode("utf-8", "surrogateescape"))
        required = frozenset(live.policies)
        keys = {line.split(maxsplit=1)[0].lower() for line in live.foreign}
        return dataclasses.replace(known, required=required, listed=required | keys)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LogsReportOptions(OutputOptions):
    """What to report, and what messages must have."""

    at_least: Annotated[
        Level,
        option(
            "--at-least",
            help="What every message that left must have for exit status 0.",
            panel=_REPORT,
            show_default=True,
        ),
    ] = Level.ENCRYPTED
    summary: Annotated[
        bool,
        option(
            "--summary",
            help="Only the counts per domain and week, not each delivery.",
            env="LOGS_SUMMARY",
            panel=_REPORT,
        ),
    ] = False
    addresses: Annotated[
        Addresses,
        option(
            "--addresses",
            help="drop: leave out the part of addresses before the @, also in servers' replies. "
            "keep: show it.",
            panel=_REPORT,
            show_default=True,
        ),
    ] = Addresses.DROP
    pseudonyms: Annotated[
        Path | None,
        option(
            "--pseudonyms",
            metavar="KEYFILE",
            help="Put a pseudonym in place of each person: a hash with the key in KEYFILE.",
            panel=_REPORT,
        ),
    ] = None
    verbose: Annotated[
        bool, option("--verbose", "-v", help="Log to stderr.", env="LOGS_VERBOSE", panel=_REPORT)
    ] = False

    @property
    def read(self) -> Iterator[Read]:
        """The files that these options have read."""
        if self.pseudonyms is not None:
            yield Read(str(self.pseudonyms), "the key")

    @property
    def privacy(self) -> Privacy:
        """What reports may show of people. Raises SettingsError, InputError."""
        if self.pseudonyms is None:
            return Privacy(self.addresses)
        if self.addresses is Addresses.KEEP:
            raise SettingsError("--pseudonyms and --addresses keep exclude each other")
        name = printable(str(self.pseudonyms))
        with _naming(self.pseudonyms):
            key = read_whole(self.pseudonyms, MAX_KEY_BYTES)
        if len(key.strip()) < MIN_KEY_BYTES:
            raise InputError(
                f"--pseudonyms: {name} has fewer than {MIN_KEY_BYTES} bytes: make a key with "
                "head -c 32 /dev/urandom"
            )
        return Privacy(self.addresses, key)


@with_options
def logs(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            help="Mail logs, also packed (gzip, bzip2, xz), in any order; '-' is stdin. With "
            "--tls-report, TLS reports.",
            show_default=False,
        ),
    ],
    read: LogOptions,
    which: WhichOptions,
    join: JoinOptions,
    report: LogsReportOptions,
) -> None:
    """Read mail server logs: was each message that was sent encrypted?

    Exit status: 0 all messages that left met --at-least; 1 some left below it, or with
    --tls-report some sessions failed; 2 usage, or a file that cannot be read or is not a log; 3 for
    some it is not known, or no mail server's line is in the log; 5 the report could not be written;
    70 this program failed on some line; 130 interrupted.
    """
    configure_logging(verbose=report.verbose)
    with exit_statuses():
        inputs = [*(Read(file, "a log") for file in files), *join.read, *report.read]
        require_distinct(inputs, [*report.written, *join.written])
        tell_if_typed(files)
        if read.tls_report:
            raise typer.Exit(_tls_reports(files, report))
        raise typer.Exit(_logs(files, read, which, join, report))


def _logs(
    files: list[str],
    read: LogOptions,
    which: WhichOptions,
    join: JoinOptions,
    report: LogsReportOptions,
) -> int:
    """Read logs and write what is in them; the exit status."""
    privacy, internal, known = report.privacy, parse_internal(read.internal), join.known
    sources = in_order(files, _stdin(), datetime.now(UTC).astimezone())
    summary = Summary(at_least=report.at_least, one_message=which.is_story)
    with _record(join, which) as record:
        with _open(report, which, summary) as write:

            def take(delivery: Delivery, scope: Scope) -> None:
                record.add(delivery, scope)
                write(Attempt(privacy.apply(delivery), scope))

            Reading(
                take,
                wanted=which.wanted,
                internal=internal,
                summary=summary,
                unread=_show if read.unread else None,
                inbound=read.inbound or which.is_story,
                tls_logged=read.tls_logged,
            ).read(sources)
            summary.advice = tuple(advise(summary, record.with_past(known, summary)))
        record.keep()
    return status_of(summary)


@dataclasses.dataclass(frozen=True, slots=True)
class _Record:
    """The record, where there is one. ``daily`` is None where it gets no totals."""

    store: "Store | None" = None
    daily: Daily | None = None

    def add(self, delivery: Delivery, scope: Scope) -> None:
        """Count one attempt."""
        if self.daily is not None:
            self.daily.add(delivery, scope)

    def with_past(self, known: Known, summary: Summary) -> Known:
        """*known*, and what the record says of the domains that got mail in clear."""
        if self.store is None:
            return known
        from prober.store.asking import past_reports

        seen = {name: list(reports) for name, reports in (known.seen or {}).items()}
        clear = {
            name_of(name) or name for name, counts in by_domain(summary).items() if counts.clear
        }
        with self.store.reading() as connection:
            for report in past_reports(connection, sorted(clear)):
                seen.setdefault(report.domain or "", []).append(seen_of(report))
        return dataclasses.replace(known, seen=seen)

    def keep(self) -> None:
        """Write the totals, and say what is not in them."""
        if self.store is None or self.daily is None:
            return
        from prober.store.sent import keep_totals

        keep_totals(self.store, self.daily.totals())
        for number, why in (
            (self.daily.repeated, "since it has totals of that time"),
            (self.daily.dropped, "since the log has too many servers and days"),
        ):
            if number:
                tell(f"delivery attempts that were not added to the record, {why}: {number}")


@contextlib.contextmanager
def _record(join: JoinOptions, which: WhichOptions) -> Iterator[_Record]:
    """The record of --db, made where there is none."""
    if join.db is None or which.is_story:
        yield _Record()
        return
    with opened(join.db, create=True) as store:
        from prober.store.sent import covered_days

        if not which.is_whole:
            tell("no totals are added to the record, since only some deliveries were asked for")
        daily = Daily(functools.partial(covered_days, store)) if which.is_whole else None
        yield _Record(store, daily)


@contextlib.contextmanager
def _open(
    report: LogsReportOptions, which: WhichOptions, summary: Summary
) -> Iterator[Callable[[Attempt], None]]:
    """All outputs, open for attempts; those of --summary get the counts at the end."""
    if report.summary:
        with open_reports(report.targets, report.format_, COUNTED, summary) as counted:
            yield lambda _attempt: None
            for each in counted:
                each.write(summary)
        return
    kind = attempts(summary, story=which.is_story)
    with open_reports(report.targets, report.format_, kind, summary) as writers:

        def write(attempt: Attempt) -> None:
            for writer in writers:
                writer.write(attempt)

        yield write


def _keep(seen: list[Seen], report: Seen) -> None:
    """Add *report* to the heap *seen*, which keeps the newest."""
    if len(seen) < MAX_SEEN:
        heapq.heappush(seen, report)
    else:
        heapq.heappushpop(seen, report)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name *path* in errors about its content."""
    name = printable(str(path))
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot read {name}: {why_unreadable(error)}") from error
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def _stdin() -> BinaryIO:
    return sys.stdin.buffer if sys.stdin is not None else io.BytesIO()  # closed: <&-


def _tls_reports(files: list[str], report: LogsReportOptions) -> int:
    """Read and write TLS reports; the exit status."""
    claims = read_claims(files, _stdin())
    for each in claims.unreadable:
        tell(each)
    with open_reports(report.targets, report.format_, claims_kind(claims), claims) as writers:
        for writer, claim in itertools.product(writers, claims.counted):
            writer.write(claim)
    if claims.failed:
        return SOME_FALL_SHORT
    return SOME_UNDECIDED if claims.damaged else MEETS_ALL


def status_of(summary: Summary) -> int:
    """The first that applies: a fault of ours, some below --at-least, some unknown, all met it."""
    if summary.faults:
        return FAULT_OF_OURS
    if summary.below:
        return SOME_FALL_SHORT
    nothing_seen = not summary.server_lines or (summary.one_message and summary.first is None)
    return SOME_UNDECIDED if summary.undecided or nothing_seen else MEETS_ALL


def _show(name: str, number: int, line: str) -> None:
    tell(f"not understood: {name}:{number}: {line_without_names(line)[:_MAX_SHOWN]}")
