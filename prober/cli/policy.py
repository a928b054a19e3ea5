"""``probe policy RESULTS…``: a policy map for an MTA, from saved results."""

import enum
import itertools
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final

import typer

from prober.cli.distinct_files import Read, require_distinct, staged
from prober.cli.log_setup import configure_logging
from prober.cli.options import option, quiet_option
from prober.cli.recording import db_option, opened
from prober.cli.running import exit_statuses, tell, tell_if_typed
from prober.cli.saved import LazyProofs, read_saved, trust_anchor_option
from prober.clock import now
from prober.errors import InputError, SettingsError
from prober.files import is_stream, read_whole, why_unreadable
from prober.policy.base import LiveMap, MapFormat
from prober.policy.csv import CsvMap
from prober.policy.decide import Patience, PolicyLevel
from prober.policy.draft import Draft, show_changes, show_unproved
from prober.policy.exim import EximMap
from prober.policy.opensmtpd import OpenSmtpdMap
from prober.policy.postfix import PostfixMap
from prober.report.output import STDOUT, open_target
from prober.report.sinks import write_whole
from prober.results import ResultsFile
from prober.rules.exit_status import MEETS_ALL, SOME_FALL_SHORT


class Mta(enum.StrEnum):
    """The server that the map is for."""

    POSTFIX = "postfix"
    EXIM = "exim"
    OPENSMTPD = "opensmtpd"
    CSV = "csv"


_FORMATS: Final = MappingProxyType(
    {
        Mta.POSTFIX: PostfixMap(),
        Mta.EXIM: EximMap(),
        Mta.OPENSMTPD: OpenSmtpdMap(),
        Mta.CSV: CsvMap(),
    }
)
_MAP = "Map"
_MAX_BYTES: Final = 1 << 30  # of a live map: over ten million lines
_WRITTEN: Final = "the map"


def policy(
    mta: Annotated[
        Mta,
        option("--for", help="The mail server that reads the map.", env="POLICY_FOR", panel=_MAP),
    ],
    results: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RESULTS",
            help="Files written by `probe scan -o results.jsonl`, one per run. '-' is stdin.",
            show_default=False,
        ),
    ] = None,
    trust_anchor: Annotated[Path | None, trust_anchor_option(_MAP)] = None,
    db: Annotated[str | None, db_option(_MAP)] = None,
    current: Annotated[
        Path | None,
        option(
            "--current",
            metavar="FILE",
            help="The live map, of the same kind. No line becomes looser; changes are shown.",
            env="POLICY_CURRENT",
            panel=_MAP,
        ),
    ] = None,
    require_runs: Annotated[
        int,
        option(
            "--require-runs",
            min=1,
            metavar="N",
            help="Tighten a line after N runs in a row in which the stricter line delivers.",
            panel=_MAP,
            show_default=True,
        ),
    ] = 1,
    loosen_runs: Annotated[
        int | None,
        option(
            "--loosen-runs",
            min=1,
            metavar="M",
            help="Loosen a line after M runs in a row in which it loses mail. If not given: never.",
            panel=_MAP,
        ),
    ] = None,
    max_age: Annotated[
        int | None,
        option(
            "--max-age",
            min=1,
            max=36_500,
            metavar="DAYS",
            help="Leave out results that are older than DAYS days. If not given: use all.",
            env="POLICY_MAX_AGE",
            panel=_MAP,
        ),
    ] = None,
    postfix_version: Annotated[
        str | None,
        option(
            "--postfix-version",
            metavar="X.Y.Z",
            help="The version of Postfix that reads the map; if not given, every version can. "
            "For 3.10.5 and later, lines by MTA-STS also name the MX hosts.",
            panel=_MAP,
        ),
    ] = None,
    no_dane: Annotated[
        bool,
        option(
            "--no-dane",
            help="Write no dane-only line: for an MTA without a validating resolver.",
            panel=_MAP,
        ),
    ] = False,
    output: Annotated[
        str,
        option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the map to FILE instead of stdout; it may be the live one.",
            env="POLICY_OUTPUT",
            panel=_MAP,
        ),
    ] = STDOUT,
    yes: Annotated[
        bool,
        option(
            "--yes",
            help="Write the map even if it drops more than half of the lines of FILE.",
            env="POLICY_YES",
            panel=_MAP,
        ),
    ] = False,
    quiet: Annotated[bool, quiet_option(_MAP)] = False,
) -> None:
    """Write a policy map: for each domain the strictest policy that loses no mail.

    Contacts nobody. DNSSEC proofs in the results are validated again, and no line rests on one that
    is not valid (docs/dnssec.md). That, and what changes, is shown on stderr. Exit status: 0
    written; 1 written, and a line of the live map that is kept holds mail back today; 2 usage, a
    file that cannot be read, or a map that would drop more than half of the lines of FILE; 5 the
    map could not be written.
    """
    configure_logging(verbose=False)
    with exit_statuses():
        files = results or []
        _keep_apart(read_saved(files, db, trust_anchor), current, output)
        tell_if_typed(files)
        format_ = _format_for(mta, postfix_version)
        live = _read_live(current, format_)
        left_out = {PolicyLevel.DANE_ONLY} if no_dane else set()
        levels = [level for level in format_.levels if level not in left_out]
        patience = Patience(require_runs=require_runs, loosen_runs=loosen_runs)
        draft = Draft(
            live,
            levels,
            patience,
            weak_dh=format_.weak_dh,
            asks_behind_alias=format_.asks_behind_alias,
            oldest=None if max_age is None else now() - timedelta(days=max_age),
        )
        with LazyProofs(trust_anchor, draft.reader) as proofs:
            for file in files:
                _add_results(draft, proofs, file)
            runs = len(files) if files or db is None else _add_runs(draft, proofs, db, patience)
        decisions = draft.decisions()
        text = format_.render(decisions, live, draft.provenance(runs))
        if not yes:
            _require_most_kept(output, text, format_)
        # UTF-8 on stdout, too, whatever the terminal has: it is a file that an MTA reads
        write_whole(open_target(output, what=_WRITTEN), text.encode())
        if not quiet:
            shown = draft.show_too_old(), proofs.lines(), show_changes(decisions)
            for line in itertools.chain(*shown, show_unproved(decisions)):
                tell(line)
        raise typer.Exit(SOME_FALL_SHORT if any(d.loses for d in decisions) else MEETS_ALL)


def _format_for(mta: Mta, postfix_version: str | None) -> MapFormat:
    if postfix_version is None:
        return _FORMATS[mta]
    if mta is not Mta.POSTFIX:
        raise SettingsError("--postfix-version is for --for postfix only")
    return PostfixMap(postfix_version)


def _read_live(file: Path | None, format_: MapFormat) -> LiveMap:
    if file is None:
        return LiveMap()
    try:
        return format_.parse(read_whole(file, _MAX_BYTES).decode())
    except OSError as error:
        raise InputError(f"cannot read {file}: {why_unreadable(error)}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8") from error
    except InputError as error:
        raise InputError(f"{file}: {error}") from error


def _keep_apart(saved: Iterator[Read], current: Path | None, output: str) -> None:
    read = list(saved)
    if current is not None:
        read.append(Read(str(current), "the live map", becomes=_WRITTEN))
    require_distinct(read, staged(output, _WRITTEN))


def _require_most_kept(output: str, text: str, format_: MapFormat) -> None:
    """Raise SettingsError if *text* would drop more than half of the lines of *output*.

    An MTA sends mail for a domain without a line in its default way, which may be in clear.
    """
    path = Path(output)
    if output == STDOUT or is_stream(path) or not path.exists():
        return
    try:
        before = read_whole(path, _MAX_BYTES).decode("utf-8", "surrogateescape")
    except OSError as error:
        raise InputError(f"cannot read {path}: {why_unreadable(error)}") from error
    lines = format_.lines_of(before)
    dropped = lines - format_.lines_of(text)
    if 2 * len(dropped) > len(lines):
        raise SettingsError(
            f"{path} has {len(lines)} lines, and the new map would drop {len(dropped)} of them: "
            "give it as --current, which keeps them, or write the map with --yes"
        )


def _add_results(draft: Draft, proofs: LazyProofs, file: str) -> None:
    with ResultsFile.open(file) as saved:
        for report in saved.reports():
            judged = proofs.judge(report)
            try:
                draft.add(judged, proofs.check(judged))
            except InputError as error:
                raise InputError(f"{saved.name}: {error}") from error


def _add_runs(draft: Draft, proofs: LazyProofs, db: str, patience: Patience) -> int:
    """Use the newest observations of each domain in the record, as many as ``--patience`` says.

    Returns the number of runs that they are from.
    """
    most = max(patience.require_runs, patience.loosen_runs or 1)
    seen: set[int] = set()
    with opened(db) as store, store.reading() as connection:
        from prober.store.asking import newest_reports

        for run_id, report in newest_reports(connection, most):
            draft.add(report, proofs.check(report))
            seen.add(run_id)
        if not seen:
            raise InputError(f"{store.name}: no finished run is in it")
    return len(seen)
