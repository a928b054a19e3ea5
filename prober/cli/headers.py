"""``probe headers FILE…``: was this message encrypted, hop by hop?"""

import contextlib
import dataclasses
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from prober.cli.distinct_files import OwnFiles, Read, Written, require_distinct, staged
from prober.cli.log_setup import configure_logging
from prober.cli.options import OutputOptions, ShallowOptions, option, with_options
from prober.cli.reporting import open_reports
from prober.cli.running import exit_statuses, run, tell_if_typed
from prober.domains import operator_of, parse_domain
from prober.errors import InputError, SettingsError
from prober.headers.habits import Habits
from prober.headers.infer import Receivers, infer, load_habits, save_habits
from prober.headers.judge import judge_requirement
from prober.headers.mailbox import INTERNAL_FAULT, is_message, read_messages
from prober.headers.records import MessageHeaders, MessageReport, Requirement
from prober.headers.summary import Summary
from prober.headers.text import SUMMARY, messages
from prober.headers.trust import TrustedBy, parse_trusted_by
from prober.records import Standing
from prober.report.output import ReportWriter
from prober.rules.exit_status import (
    FAULT_OF_OURS,
    MEETS_ALL,
    SOME_FALL_SHORT,
    SOME_INVALID,
    SOME_UNDECIDED,
)
from prober.settings import Settings
from prober.vantage import Vantage

_READ = "How to read"
_REPORT = "Report"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """Which hops to trust, and what else to ask."""

    trusted_by: Annotated[
        list[str],
        option(
            "--trusted-by",
            metavar="NAME",
            help="Host, domain, address or network whose lines are believed; repeatable. "
            "If not given: the lines down to where another operator handed the mail over.",
            panel=_READ,
        ),
    ] = dataclasses.field(default_factory=list)
    habits: Annotated[
        Path | None,
        option(
            "--habits",
            metavar="FILE",
            help="Read from FILE which servers state TLS, and write there what was learnt.",
            panel=_READ,
        ),
    ] = None
    probe: Annotated[
        bool,
        option(
            "--probe",
            help="Probe the receiving servers at the border and the recipient's MX hosts now.",
            env="HEADERS_PROBE",
            panel=_READ,
        ),
    ] = False
    recipient: Annotated[
        str | None,
        option(
            "--recipient",
            metavar="DOMAIN",
            help="The recipient's domain, for --probe. If not given: as the messages say.",
            panel=_READ,
        ),
    ] = None

    @property
    def read(self) -> Iterator[Read]:
        """The files that these options have read."""
        if self.habits is not None:
            yield Read(str(self.habits), "the habits", becomes="the habits")

    @property
    def written(self) -> Iterator[Written]:
        """The files that these options have written."""
        if self.habits is not None:
            yield from staged(str(self.habits), "the habits")


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeadersReportOptions(OutputOptions):
    """What to report, and what is good enough."""

    require: Annotated[
        Requirement,
        option(
            "--require",
            help="What must be encrypted for exit status 0: the way into the trusted servers, the "
            "whole path if its lines are true, or the whole path by trusted lines.",
            env="HEADERS_REQUIRE",
            panel=_REPORT,
            show_default=True,
        ),
    ] = Requirement.AS_CLAIMED
    per_hop: Annotated[
        bool,
        option(
            "--per-hop",
            help="One row per hop instead of one per message; text shows all hops.",
            panel=_REPORT,
        ),
    ] = False
    summary: Annotated[
        bool,
        option(
            "--summary",
            help="Only the counts by sending domain and by receiving server.",
            panel=_REPORT,
        ),
    ] = False
    verbose: Annotated[
        bool, option("--verbose", "-v", help="Log to stderr.", env="HEADERS_VERBOSE", panel=_REPORT)
    ] = False

    def __post_init__(self) -> None:
        """Raises BadParameter where two options contradict."""
        if self.summary and self.per_hop:
            raise typer.BadParameter("--summary and --per-hop contradict: give one of them")


@with_options
def headers(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            help="Messages, mailboxes (mbox, Maildir), folders of them; '-' is stdin.",
            show_default=False,
        ),
    ],
    read: ReadOptions,
    look: ShallowOptions,
    report: HeadersReportOptions,
) -> None:
    """Read Received headers: was each message encrypted in transit, hop by hop?

    Exit status: 0 all meet --require; 1 some message was not encrypted; 2 usage, or a file that
    is no message; 3 for some it is not known; 5 the report could not be written; 70 this program
    failed on some message; 130 interrupted.
    """
    configure_logging(verbose=report.verbose)
    with exit_statuses():
        written = [*read.written, *report.written]
        messages = [Read(file, "a file of messages") for file in files]
        require_distinct([*messages, *read.read, *look.read], written, is_input=is_message)
        tell_if_typed(files)
        habits = Habits(operator_of)
        if read.habits is not None:
            load_habits(read.habits, habits)
        trusted_by = _trusted_by(read.trusted_by)
        reports = infer(_messages(files, OwnFiles(written)), habits, trusted_by)
        with _Reporting.open(report) as reporting:
            if read.probe:
                run(_probe(reports, look.settings(), read.recipient, reporting))
            else:
                reporting.add_all(reports)
        if read.habits is not None:
            save_habits(read.habits, habits)
        raise typer.Exit(FAULT_OF_OURS if reporting.faults else status_of(reporting.standings))


def _messages(files: Sequence[str], own: OwnFiles) -> Iterator[MessageHeaders]:
    stdin = sys.stdin.buffer if sys.stdin is not None else io.BytesIO()  # closed: <&-
    for name in files:
        yield from read_messages(name, stdin, own.have)


def _trusted_by(texts: Sequence[str]) -> TrustedBy:
    try:
        return parse_trusted_by(texts)
    except ValueError as error:
        raise SettingsError(f"--trusted-by: {error}") from error


async def _probe(
    reports: Iterable[MessageReport],
    settings: Settings,
    recipient: str | None,
    reporting: "_Reporting",
) -> None:
    """Probe the receivers of each message."""
    domain = None if recipient is None else _recipient(recipient)
    async with Vantage(settings) as vantage:
        receivers = Receivers(vantage, domain)
        try:
            for report in reports:
                reporting.add(await receivers.add_to(report))
        finally:
            await receivers.aclose()
            reporting.faults += receivers.faults


def _recipient(text: str) -> str:
    try:
        return parse_domain(text)
    except InputError as error:
        raise SettingsError(f"--recipient: {error}") from error


class _Reporting:
    """Passes the reports of a run to the outputs, the summary and the exit status."""

    def __init__(
        self,
        writers: Sequence[ReportWriter[MessageReport, Summary]],
        summary: Summary,
        require: Requirement,
    ) -> None:
        self.standings: set[Standing] = set()
        self.faults = 0  # of this program
        self._writers = writers
        self._require = require
        self._summary = summary

    @classmethod
    @contextlib.contextmanager
    def open(cls, options: HeadersReportOptions) -> Iterator["_Reporting"]:
        """Open all outputs of *options*; finish them at the end, or leave partial files."""
        targets, summary = options.targets, Summary()
        if options.summary:
            with open_reports(targets, options.format_, SUMMARY, summary) as counted:
                yield cls([], summary, options.require)
                for writer in counted:
                    writer.write(summary)
        else:
            kind = messages(per_hop=options.per_hop)
            with open_reports(targets, options.format_, kind, summary) as writers:
                yield cls(writers, summary, options.require)

    def add_all(self, reports: Iterable[MessageReport]) -> None:
        """Count and write each of *reports*."""
        for report in reports:
            self.add(report)

    def add(self, report: MessageReport) -> None:
        """Count and write one report."""
        self._summary.add(report)
        self.faults += report.message.error == INTERNAL_FAULT
        self.standings.add(judge_requirement(report, self._require))
        for writer in self._writers:
            writer.write(report)


def status_of(standings: set[Standing]) -> int:
    """The exit status, the first that applies: falls short, invalid, undecided, all meet."""
    if Standing.FALLS_SHORT in standings:
        return SOME_FALL_SHORT
    if Standing.INVALID in standings:
        return SOME_INVALID
    return SOME_UNDECIDED if Standing.UNDECIDED in standings else MEETS_ALL
