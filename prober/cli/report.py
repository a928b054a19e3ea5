"""``probe report RESULTS…``: saved results, or a run of the record, judged again and written."""

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from prober.cli.distinct_files import require_distinct
from prober.cli.log_setup import configure_logging
from prober.cli.options import ManyReportOptions, named_domain, option, with_options
from prober.cli.recording import (
    db_option,
    exceptions_option,
    exceptions_read,
    news_of,
    opened,
)
from prober.cli.reporting import Reporting
from prober.cli.running import exit_statuses, tell, tell_if_typed
from prober.cli.saved import read_saved, trust_anchor_option
from prober.dnssec.anchors import Anchors
from prober.errors import InputError, SettingsError
from prober.escape import listed, printable, utc
from prober.exceptions import read_exceptions
from prober.faults import judged
from prober.net.resolver import read_anchors
from prober.proofs import Proofs
from prober.records import AcceptedException, DomainReport
from prober.report.output import News, ReportFormat
from prober.report.rejudged import Rejudged
from prober.results import ResultsFile
from prober.rules.accepted import NO_EXCEPTIONS
from prober.rules.exit_status import CANNOT_SEE
from prober.rules.verdict import facts_of
from prober.spool import Spool, keep

_WITH_COLUMNS: Final = frozenset({ReportFormat.CSV, ReportFormat.HTML, ReportFormat.XLSX})
_MAX_COLUMNS: Final = 1_000  # of the lists of all files together; one list has at most 100


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The domains to report; none: all. *letter*: as a letter, which is on one domain.

    *exceptions*: those of the file that is given, by domain.
    """

    domains: tuple[str, ...]
    letter: bool
    exceptions: Mapping[str, AcceptedException]

    def require_possible(self, options: ManyReportOptions) -> None:
        """Raise SettingsError where no letter can be written as the options say."""
        if not self.letter:
            return
        if len(set(self.domains)) != 1:
            raise SettingsError(
                "--letter needs one --domain: it is written to the administrators of one domain"
            )
        targets = list(options.targets)
        if len(targets) != 1 or list(options.formats()) != [ReportFormat.HTML]:
            raise SettingsError(
                "--letter is an HTML page: write it with --output FILE.html and no other output"
            )

    def of(
        self, records: Iterator[DomainReport], where: str, spool: Spool
    ) -> Iterator[DomainReport]:
        """Those of *records* that are wanted, of which none is written before all are found.

        Raises InputError where a domain is not among them.
        """
        if not self.domains:
            return records
        found = [
            (each.domain, keep(spool, each)) for each in records if each.domain in self.domains
        ]
        there = {name for name, _ in found}
        missing = [name for name in self.domains if name not in there]
        if missing:
            verb = "is" if len(missing) == 1 else "are"
            raise InputError(f"{listed(missing)} {verb} not in {where}")
        return (kept.read() for _, kept in (found[-1:] if self.letter else found))


@with_options
def report(
    options: ManyReportOptions,
    results: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RESULTS",
            help="Files written by `probe scan -o results.jsonl`. '-' is stdin.",
            show_default=False,
        ),
    ] = None,
    trust_anchor: Annotated[Path | None, trust_anchor_option("Report")] = None,
    db: Annotated[str | None, db_option()] = None,
    run: Annotated[
        str,
        option(
            "--run",
            metavar="RUN",
            help="The run of the record to report, where no RESULTS are given: an id, a day, last "
            "or previous.",
            env="REPORT_RUN",
            panel="Record",
            show_default=True,
        ),
    ] = "last",
    exceptions: Annotated[Path | None, exceptions_option()] = None,
    domain: Annotated[
        list[str] | None,
        option(
            "--domain",
            metavar="DOMAIN",
            help="Report only DOMAIN, in any spelling; repeatable.",
            env="REPORT_DOMAIN",
            panel="Report",
            show_default=False,
        ),
    ] = None,
    letter: Annotated[
        bool,
        option(
            "--letter",
            help="Write a letter to the administrators of the one --domain, as an HTML page: what "
            "was seen, why it matters, what to change, how to check.",
            env="REPORT_LETTER",
            panel="Report",
        ),
    ] = False,
) -> None:
    """Write reports of saved results, judged again by today's rules.

    Contacts nobody. Each record is reported, in the order of the files. DNSSEC proofs in them are
    validated again (docs/dnssec.md). Which version wrote the files, what is judged differently
    today, and which proofs are not valid, is shown on stderr. Text has one line per record, or the
    whole answer where there is only one record or with `--verbose`. Exit status as for `probe
    check`; 2 also where a file holds no results.
    """
    configure_logging(verbose=options.verbose)
    with exit_statuses(), contextlib.ExitStack() as stack:
        names = results or []
        read = [*read_saved(names, db, trust_anchor), *exceptions_read(exceptions)]
        given = {} if exceptions is None else read_exceptions(exceptions)
        wanted = _Wanted(tuple(map(named_domain, domain or ())), letter, given)
        wanted.require_possible(options)
        require_distinct(read, options.written)
        tell_if_typed(names)
        anchors = read_anchors(trust_anchor)
        if not names and db is not None:
            raise typer.Exit(_report_run(db, run, options, wanted, anchors))
        files = [stack.enter_context(ResultsFile.open(file)) for file in names]
        columns = _columns_of(files) if _WITH_COLUMNS & set(options.formats()) else ()
        saved = itertools.chain.from_iterable(file.reports() for file in files)
        with contextlib.closing(Spool()) as spool:
            records = wanted.of(saved, "the results", spool)
            raise typer.Exit(_report(records, options, wanted, anchors, columns, Rejudged()))


def _report_run(
    db: str, run_: str, options: ManyReportOptions, wanted: _Wanted, anchors: Anchors
) -> int:
    with contextlib.closing(Spool()) as spool, opened(db) as store, store.reading() as connection:
        from prober.store.asking import reports_of
        from prober.store.keeping import stored_exceptions
        from prober.store.reader import find_run

        run = find_run(connection, run_)
        if not options.quiet:
            tell(f"run {run.id} of {run.list}, begun {utc(run.started_at)}, by today's rules")
        records = reports_of(connection, run.id, wanted.domains or None)
        records = wanted.of(records, f"the run {run.id} of {printable(run.list)}", spool)
        news = None if wanted.domains else partial(news_of, store, run.id)  # of the whole run
        stored = stored_exceptions(connection)
        return _report(records, options, wanted, anchors, news=news, stored=stored)


def _report(
    records: Iterator[DomainReport],
    options: ManyReportOptions,
    wanted: _Wanted,
    anchors: Anchors,
    columns: tuple[str, ...] = (),
    rejudged: Rejudged | None = None,
    news: News | None = None,
    stored: Mapping[str, AcceptedException] = NO_EXCEPTIONS,
) -> int:
    """Write *records*; with *rejudged*, judge them again, and show what differs.

    Their DNSSEC proofs are validated by *anchors*. *stored*: the exceptions in the record.
    """
    first = list(itertools.islice(records, 2))
    is_list = len(first) > 1
    style = options.style(scan=is_list and not options.verbose, columns=columns)
    style = replace(style, letter=wanted.letter)
    with (
        Reporting.open(
            options,
            style,
            exceptions={**stored, **wanted.exceptions},
            news=news,
            expires_soon_days=options.expires_soon,
        ) as reporting,
        Proofs(anchors, partial(judged, reader=reporting.reader)) as proofs,
    ):
        for then in itertools.chain(first, records):
            if rejudged is None:
                reporting.add_saved(proofs.check(then))
            else:
                now = proofs.check(judged(facts_of(then), reporting.reader))
                now = replace(now, accepted=then.accepted)
                rejudged.note(then, reporting.add_saved(now))
    if not options.quiet:
        for line in itertools.chain(rejudged.lines() if rejudged else (), proofs.lines()):
            tell(line)
    if is_list or reporting.status == CANNOT_SEE:
        reporting.tell_summary(quiet=options.quiet)
    elif not options.quiet:
        reporting.tell_uncovered()
    if not (options.quiet or wanted.domains):
        reporting.tell_unmatched(wanted.exceptions, "the results")
    return reporting.status


def _columns_of(files: Sequence[ResultsFile]) -> tuple[str, ...]:
    """The columns of the scanned lists, in the order of the reports."""
    columns: dict[str, None] = {}
    for name in itertools.chain.from_iterable(file.columns() for file in files):
        columns[name] = None
        if len(columns) > _MAX_COLUMNS:
            raise InputError(f"the records have more than {_MAX_COLUMNS} columns of lists")
    return tuple(columns)
