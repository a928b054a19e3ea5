"""``probe accept``: keeps an accepted exception in the record."""

from datetime import UTC, date, datetime
from typing import Annotated, Final

import typer

from prober.cli.log_setup import configure_logging
from prober.cli.options import named_domain, option
from prober.cli.recording import db_option, opened
from prober.cli.running import exit_statuses, show
from prober.errors import InputError, SettingsError
from prober.exceptions import parse_exception
from prober.report.summary import accepted_line
from prober.rules.accepted import ACCEPTABLE

_PANEL: Final = "Exception"


def accept(
    domain: Annotated[
        str | None,
        typer.Argument(metavar="DOMAIN", help="A domain in any spelling.", show_default=False),
    ] = None,
    db: Annotated[str | None, db_option(_PANEL)] = None,
    what: Annotated[
        str | None,
        option(
            "--what",
            metavar="LEVEL",
            help=f"The lowest level that is accepted: {', '.join(ACCEPTABLE)}.",
            env="ACCEPT_WHAT",
            panel=_PANEL,
        ),
    ] = None,
    why: Annotated[
        str | None,
        option("--why", metavar="TEXT", help="The reason.", env="ACCEPT_WHY", panel=_PANEL),
    ] = None,
    by: Annotated[
        str | None,
        option("--by", metavar="NAME", help="Who answers for it.", env="ACCEPT_BY", panel=_PANEL),
    ] = None,
    until: Annotated[
        str | None,
        option(
            "--until",
            metavar="DAY",
            help="Its last day, such as 2027-03-31.",
            env="ACCEPT_UNTIL",
            panel=_PANEL,
        ),
    ] = None,
    lift: Annotated[
        bool,
        option("--lift", help="Drop the exception.", env="ACCEPT_LIFT", panel=_PANEL),
    ] = False,
) -> None:
    """Accept that a domain falls short; without a domain, list what is accepted.

    Reports with `--db` then name the exception, and the domain does not change their exit status.
    Exit status: 0 done; 2 usage, or no such exception; 5 the record cannot be written.
    """
    configure_logging(verbose=False)
    with exit_statuses():
        if db is None:
            raise SettingsError("name the record with --db")
        given = {"domain": domain, "what": what, "why": why, "by": by, "until": _day(until)}
        exception = None if domain is None or lift else parse_exception(given)
        with opened(db) as store:
            from prober.store.keeping import drop_exception, store_exception, stored_exceptions

            if exception is not None:
                store_exception(store, exception)
            elif domain is not None and not drop_exception(store, named_domain(domain)):
                raise InputError(f"no exception on {named_domain(domain)} is in the record")
            elif domain is None:
                today = datetime.now(UTC).date()
                with store.reading() as connection:
                    stored = stored_exceptions(connection)
                for each in stored.values():
                    show(accepted_line(each) + (" (past)" if each.until < today else ""))


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"--until {text!r} is no day, such as 2027-03-31") from error
