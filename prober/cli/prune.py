"""``probe prune``: deletes what is older than the time for which it must be kept."""

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from prober.cli.log_setup import configure_logging
from prober.cli.options import option
from prober.cli.recording import db_option, opened
from prober.cli.running import exit_statuses, show, tell
from prober.errors import SettingsError

if TYPE_CHECKING:
    from prober.store.keeping import Pruning

_PANEL: Final = "Retention"
_LEAST_YEARS: Final = 6  # 45 CFR 164.316(b)(2)(i)
_AGE: Final = re.compile(r"([0-9]{1,4})([yd])")


def prune(
    keep: Annotated[
        str,
        option(
            "--keep",
            metavar="AGE",
            help="Delete runs and totals of sent mail that are older: 6y for six years, 90d for 90 "
            "days.",
            env="KEEP",
            panel=_PANEL,
        ),
    ],
    db: Annotated[str | None, db_option(_PANEL)] = None,
    retention: Annotated[
        bool,
        option(
            "--retention",
            help=f"Less than {_LEAST_YEARS} years is enough here.",
            env="RETENTION",
            panel=_PANEL,
        ),
    ] = False,
    yes: Annotated[
        bool,
        option("--yes", help="Delete without asking.", env="PRUNE_YES", panel=_PANEL),
    ] = False,
) -> None:
    """Delete old runs and totals from the record, except those of domains on hold.

    HIPAA asks for six years (45 CFR 164.316(b)(2)(i)). Exit status: 0 deleted, or nothing to
    delete; 1 not confirmed; 2 usage; 5 the record cannot be written.
    """
    configure_logging(verbose=False)
    with exit_statuses():
        if db is None:
            raise SettingsError("name the record with --db")
        now = datetime.now(UTC)
        older_than = _before(keep, now)
        if older_than > _years_before(now, _LEAST_YEARS) and not retention:
            raise SettingsError(
                f"--keep {keep} is less than the {_LEAST_YEARS} years that HIPAA asks for: "
                "give --retention if a shorter time is enough here"
            )
        with opened(db) as store:
            from prober.store.keeping import plan_pruning
            from prober.store.keeping import prune as delete

            with store.reading() as connection:
                plan = plan_pruning(connection, older_than)
            what = f"{_counts(plan)} before {older_than:%F}"
            if not (plan.observations or plan.runs or plan.sent):
                show(f"nothing is older than {older_than:%F}")
                return
            if not (yes or _is_confirmed(what)):
                raise typer.Exit(1)
            done = delete(store, older_than, now)
            show(f"deleted {_counts(done)}")


def _counts(plan: "Pruning") -> str:
    counts = f"{plan.observations} observations and {plan.runs} runs"
    return f"{counts}, and {plan.sent} daily totals of sent mail" if plan.sent else counts


def _is_confirmed(what: str) -> bool:
    if sys.stdin is None or not sys.stdin.isatty():
        raise SettingsError(f"this would delete {what}: without a terminal, give --yes")
    tell(f"this deletes {what} for good")
    return typer.confirm("Delete?")


def _before(age: str, now: datetime) -> datetime:
    found = _AGE.fullmatch(age)
    if found is None:
        raise SettingsError(f"--keep {age}: give years or days, such as 6y or 90d")
    number = int(found[1])
    try:
        return _years_before(now, number) if found[2] == "y" else now - timedelta(days=number)
    except (OverflowError, ValueError) as error:
        raise SettingsError(f"--keep {age}: that is longer than there are dates for") from error


def _years_before(now: datetime, years: int) -> datetime:
    """The same day *years* earlier; 28 February for 29 February."""
    day = 28 if (now.month, now.day) == (2, 29) else now.day
    return now.replace(year=now.year - years, day=day)
