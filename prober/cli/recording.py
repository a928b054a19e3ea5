"""The options of the record, and opening it.

The store needs the extra ``record``; without it, one line says how to install that.
"""

import contextlib
import dataclasses
import enum
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from prober.cli.distinct_files import Read, Written
from prober.cli.options import ReportOptions, option
from prober.cli.running import tell
from prober.domains import operator_of
from prober.errors import SettingsError
from prober.escape import listed
from prober.exceptions import identity_of_exceptions, read_exceptions
from prober.records import AcceptedException, DomainReport, Level
from prober.records.history import RunNews
from prober.report.answer import answer
from prober.report.changes import news_summary
from prober.report.mail import MAX_LINES, Open, compose
from prober.report.output import News
from prober.report.trend import MAX_RUNS
from prober.rules.accepted import covers
from prober.rules.totals import Tally, noted_domain

if TYPE_CHECKING:
    from prober.store.database import Store
    from prober.store.writer import RunWriter

_PANEL: Final = "Record"
_EXTRA: Final = ("sqlalchemy", "alembic", "psycopg")


class KeepTranscripts(enum.StrEnum):
    """Of which sessions the record keeps transcripts."""

    ALL = "all"
    CHANGED = "changed"
    NONE = "none"


def db_option(panel: str = _PANEL) -> Any:
    """``--db``. It means the same in every command, since one variable sets it."""
    help = "The record: a file (SQLite), postgresql://HOST/NAME, or @FILE with such a URL in it."
    return option("--db", metavar="DB", help=help, panel=panel)


def exceptions_option() -> Any:
    """``--exceptions``. It means the same in every command, since one variable sets it."""
    help = "Accepted exceptions, in TOML: reports name them; they do not change the exit status."
    return option("--exceptions", metavar="FILE", help=help, panel=_PANEL)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordOptions:
    """Whether to keep a record, and which exceptions are accepted."""

    db: Annotated[str | None, db_option()] = None
    keep_transcripts: Annotated[
        KeepTranscripts,
        option(
            "--keep-transcripts",
            help="Transcripts to keep in the record: of all, of what changed or has no TLS, or of "
            "none.",
            panel=_PANEL,
            show_default=True,
        ),
    ] = KeepTranscripts.CHANGED
    patience: Annotated[
        int,
        option(
            "--patience",
            min=1,
            max=1_000,
            metavar="N",
            help="Tell that a domain could not be looked at after N runs in a row.",
            panel=_PANEL,
            show_default=True,
        ),
    ] = 3
    exceptions: Annotated[Path | None, exceptions_option()] = None

    @property
    def read(self) -> Iterator[Read]:
        """The files that these options have read."""
        yield from exceptions_read(self.exceptions)

    @property
    def written(self) -> Iterator[Written]:
        """The files that these options have written."""
        yield from record_files(self.db)


def exceptions_read(path: Path | None) -> Iterator[Read]:
    """The file of exceptions at *path*, if there is one."""
    if path is not None:
        yield Read(str(path), "the file of exceptions")


def record_files(db: str | None) -> Iterator[Written]:
    """The files of the record *db*, where it is one of SQLite."""
    if db is None or "://" in db or db.startswith("@"):
        return
    for ending in ("", "-wal", "-shm"):
        yield Written(f"{db}{ending}", "the record")


def require_extra() -> None:
    """Raise SettingsError where the extra ``record`` is not installed."""
    if any(find_spec(name) is None for name in _EXTRA):
        raise SettingsError(
            "a record needs the extra `record`: install it with "
            "`pip install 'smtp-tls-prober[record]'`"
        )


@contextlib.contextmanager
def opened(db: str, *, create: bool = False, quiet: bool = False) -> Iterator["Store"]:
    """Open the record at *db*, and close it at the end.

    *create*: make it if there is none, and say so unless *quiet*: the path may be mistyped.
    """
    require_extra()
    from prober.store.database import open_store, where_from

    where = where_from(db)
    is_new = create and "://" not in where and not Path(where).exists()
    store = open_store(db, create=create)
    if is_new and not quiet:
        tell(f"there was no record at {where}: a new one was made")
    try:
        yield store
    finally:
        store.close()


@dataclasses.dataclass(frozen=True, slots=True)
class Recording:
    """The record during a run. ``writer`` is None without a record.

    ``exceptions``: those of the record and those of the file, which are ``given``.
    ``identity``: of the run, with its exceptions, which a resumed run must share.
    """

    writer: "RunWriter | None"
    store: "Store | None"
    exceptions: Mapping[str, AcceptedException]
    given: Mapping[str, AcceptedException]
    patience: int
    assess: Callable[[DomainReport], DomainReport]
    identity: dict[str, str]

    @property
    def news(self) -> News | None:
        """The query for what this run changed; None if there is no record."""
        return None if self.writer is None else self._news

    def _news(self) -> RunNews | None:
        """None where the record cannot be read or written."""
        if self.store is None or self.writer is None:
            return None
        self.writer.flush()  # does not fail: what cannot be written goes to a file
        if self.writer.spilt is not None:
            return None
        return news_of(self.store, self.writer.run_id)

    def changes(self) -> str | None:
        """What changed since the run before, in a sentence; None if nothing is worth telling."""
        news = self._news()
        if news is None or news.is_first or not set(news.counts) - {None}:
            return None
        return f"{news_summary(news)} `probe diff --db` shows each change."

    def _is_accepted(self, seen: Open) -> bool:
        exception = self.exceptions.get(seen.domain)
        return exception is not None and covers(
            exception, seen.standing, seen.level, seen.checked_at
        )

    def mail(self, summary: str, exceptions: Iterable[str]) -> list[str] | None:
        """The text of the run for cron to mail; None without a record.

        *exceptions*: what it says of accepted exceptions.
        """
        if self.store is None or self.writer is None:
            return None
        from prober.store.asking import reports_of, run_news, shortfalls

        with self.store.reading() as connection:
            news = run_news(connection, self.writer.run_id, 1)
            still_open = shortfalls(connection, self.writer.run_id, self.patience)
            left = [each for each in still_open if not self._is_accepted(each)]
            new = [each.domain for each in left if each.is_new][:MAX_LINES]
            reports = reports_of(connection, self.writer.run_id, new)
            noted = [noted_domain(self.assess(each), answer) for each in reports]
        return compose(summary, news, left, noted, exceptions)


def tell_unrecorded(store: "Store", names: Sequence[str]) -> None:
    """Say on stderr which of the domains *names* the record does not have; one may be misspelt."""
    from prober.store.asking import is_recorded

    with store.reading() as connection:
        unknown = [name for name in names if not is_recorded(connection, name)]
    if unknown:
        tell(f"not in the record yet: {listed(unknown)}. Check the spelling.")


def news_of(store: "Store", run_id: int) -> RunNews | None:
    """What a run changed; None if the record cannot be read."""
    from prober.store.asking import run_news
    from prober.store.database import StoreError

    try:
        with store.reading() as connection:
            return run_news(connection, run_id, MAX_RUNS)
    except StoreError:
        return None


@contextlib.contextmanager
def recording(
    options: RecordOptions,
    report: ReportOptions,
    list_: str,
    identity: Mapping[str, str],
    *,
    resume: bool = False,
) -> Iterator[Recording]:
    """The record of a run of *list_*, if one is wanted, and the exceptions that apply to it."""
    given = {} if options.exceptions is None else read_exceptions(options.exceptions)
    required = report.required
    tally = Tally(require=required, operator_of=operator_of, describe=answer)
    if options.db is None:
        whole = {**identity, **identity_of_exceptions(given)}
        yield Recording(None, None, given, given, options.patience, tally.assess, whole)
        return
    with opened(options.db, create=True, quiet=report.quiet) as store:
        from prober.store.batch import RunPlan, Transcripts
        from prober.store.keeping import stored_exceptions
        from prober.store.writer import RunWriter

        with store.reading() as connection:
            exceptions = {**stored_exceptions(connection), **given}
        whole = {**identity, **identity_of_exceptions(exceptions)}
        plan = RunPlan(
            list=list_,
            identity=whole,
            requirement=(required if isinstance(required, Level) else f"profile:{required.name}"),
            operator_of=operator_of,
            judge=tally.judge,
            transcripts=Transcripts(options.keep_transcripts.value),
            patience=options.patience,
        )
        writer = RunWriter(store, plan, resume=resume)
        if resume and writer.start is None and not report.output and not report.quiet:
            tell("there is no run to continue in the record: starting a new one")
        yield Recording(writer, store, exceptions, given, options.patience, tally.assess, whole)


def without_password(command: str, db: str | None) -> str:
    """*command* with the password of *db* left out, to be shown."""
    if db is None or db not in command:
        return command
    require_extra()
    from prober.store.database import shown

    return command.replace(db, shown(db))
