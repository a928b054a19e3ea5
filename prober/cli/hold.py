"""``probe hold``: keeps everything in the record about a domain, at any age."""

from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from prober.cli.log_setup import configure_logging
from prober.cli.options import named_domain, option
from prober.cli.recording import db_option, opened
from prober.cli.running import exit_statuses, show
from prober.errors import InputError, SettingsError
from prober.escape import printable, utc

_PANEL: Final = "Retention"
_MAX_TEXT: Final = 1_000  # characters of a reason


def hold(
    domains: Annotated[
        list[str] | None,
        typer.Argument(metavar="DOMAIN", help="Domains in any spelling.", show_default=False),
    ] = None,
    db: Annotated[str | None, db_option(_PANEL)] = None,
    why: Annotated[
        str | None,
        option("--why", metavar="TEXT", help="The reason.", env="HOLD_WHY", panel=_PANEL),
    ] = None,
    lift: Annotated[
        bool,
        option("--lift", help="Lift the hold on the domains.", env="HOLD_LIFT", panel=_PANEL),
    ] = False,
) -> None:
    """Keep everything in the record about a domain; without a domain, list the holds.

    `probe prune` deletes nothing of a domain on hold. Exit status: 0 done; 2 usage, or no such
    hold; 5 the record cannot be written.
    """
    configure_logging(verbose=False)
    with exit_statuses():
        if db is None:
            raise SettingsError("name the record with --db")
        names = [named_domain(each) for each in domains or ()]
        if names and not lift and not (why and why.strip()):
            raise SettingsError("say with --why what the domain is held for")
        with opened(db) as store:
            from prober.store.keeping import holds, lift_hold, set_hold

            for name in names:
                if not lift:
                    set_hold(store, name, printable(why or "")[:_MAX_TEXT], datetime.now(UTC))
                elif not lift_hold(store, name):
                    raise InputError(f"{name} is not on hold")
            for name, reason, since in holds(store) if not names else ():
                show(printable(f"{name}  since {utc(since)}: {reason}"))
