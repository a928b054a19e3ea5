"""``probe policy RESULTS…``: a policy map for an MTA, from saved results."""

import enum
import sys
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final

import typer

from prober.cli.logs import configure_logging
from prober.cli.options import option, quiet_option
from prober.cli.running import exit_statuses, tell
from prober.domains import STDIN, list_name, open_list, reading
from prober.errors import InputError, ReportError, SettingsError
from prober.policy import Draft
from prober.report.json_ import read_reports
from prober.report.output import STDOUT
from prober.report.policy_csv import CsvMap
from prober.report.policy_diff import show_changes
from prober.report.policy_exim import EximMap
from prober.report.policy_format import LiveMap, MapFormat
from prober.report.policy_opensmtpd import OpenSmtpdMap
from prober.report.policy_postfix import PostfixMap
from prober.report.sinks import StreamSink, open_sink
from prober.rules.exit_status import MEETS_ALL, SOME_FALL_SHORT
from prober.rules.policy_map import Patience, PolicyLevel


class Mta(enum.StrEnum):
    """Whom the map is for."""

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
_MOST_BYTES: Final = 64 << 20  # of a live map: a million lines


def policy(
    results: Annotated[
        list[str],
        typer.Argument(
            metavar="RESULTS",
            help="Files written by `probe scan -o results.jsonl`, one a run. '-' is stdin.",
            show_default=False,
        ),
    ],
    mta: Annotated[
        Mta,
        option("--for", help="The MTA that is to read the map.", env="POLICY_FOR", panel=_MAP),
    ],
    current: Annotated[
        Path | None,
        option(
            "--current",
            metavar="FILE",
            help="The live map, of the same kind: nothing goes below it; shows what changes.",
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
            help="Tighten a line after N runs in a row in which the new one delivers.",
            env="REQUIRE_RUNS",
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
            help="Loosen a line after M runs in a row in which it loses mail; never, if not given.",
            env="LOOSEN_RUNS",
            panel=_MAP,
        ),
    ] = None,
    postfix_version: Annotated[
        str | None,
        option(
            "--postfix-version",
            metavar="X.Y.Z",
            help="The Postfix that is to read the map; without it, every version can. "
            "From 3.10.5 on, lines by MTA-STS also name the MX hosts to go to.",
            env="POSTFIX_VERSION",
            panel=_MAP,
        ),
    ] = None,
    no_dane: Annotated[
        bool,
        option(
            "--no-dane",
            help="Write no dane-only line: for an MTA without a validating resolver.",
            env="NO_DANE",
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
    quiet: Annotated[bool, quiet_option(_MAP)] = False,
) -> None:
    """Write a policy map: for each domain the strictest policy that loses no mail.

    Contacts nobody. What changes is shown on stderr. Exit status: 0 written; 1 written, and a line
    of the live map that is kept holds mail back today; 2 usage, or a file that cannot be read;
    5 the map could not be written.
    """
    configure_logging(verbose=False)
    with exit_statuses():
        if results.count(STDIN) > 1:
            raise SettingsError("'-' twice: stdin can be read but once")
        format_ = _format_for(mta, postfix_version)
        live = _read_live(current, format_)
        left_out = {PolicyLevel.DANE_ONLY} if no_dane else set()
        levels = [level for level in format_.levels if level not in left_out]
        patience = Patience(require_runs=require_runs, loosen_runs=loosen_runs)
        draft = Draft(live, levels, patience)
        for file in results:
            _add_results(draft, file)
        decisions = draft.decisions()
        _write(output, format_.render(decisions, live, draft.provenance(len(results))))
        if not quiet:
            for line in show_changes(decisions):
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
        with file.open("rb") as stream:
            return format_.parse(stream.read(_MOST_BYTES).decode())
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8") from error
    except InputError as error:
        raise InputError(f"{file}: {error}") from error


def _add_results(draft: Draft, file: str) -> None:
    with open_list(file) as stream, reading(file):
        try:
            for report in read_reports(stream):
                draft.add(report)
        except InputError as error:
            raise InputError(f"{list_name(file)}: {error}") from error


def _write(target: str, text: str) -> None:
    """UTF-8 on stdout, too, whatever the terminal has: it is a file that an MTA reads."""
    if target == STDOUT:
        if sys.stdout is None:  # started with it closed: >&-
            raise ReportError("stdout: cannot write: it is closed")
        StreamSink(sys.stdout.buffer, "stdout").write(text.encode())
        return
    sink = open_sink(Path(target))
    try:
        sink.write(text.encode())
    except (ReportError, BrokenPipeError):
        sink.abandon()
        raise
    sink.finish()
