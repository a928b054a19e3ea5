"""The options that commands share. Those on how to look are declared in settings.py."""

import contextlib
import dataclasses
import functools
import inspect
import itertools
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    ParamSpec,
    TypeVar,
    get_type_hints,
)

import typer

from prober.cli.distinct_files import Read, Written, staged
from prober.domains import MAX_NAME, parse_domain
from prober.errors import InputError, SettingsError
from prober.net.trust import find_store
from prober.records import Level, ProfileName
from prober.report.interface import MAX_SECTIONS
from prober.report.output import STDOUT, ReportFormat, ReportStyle, choose_format
from prober.rules.norms import Profile, norm_groups
from prober.rules.profiles import PROFILES
from prober.rules.totals import EXPIRY_NOTICE_DAYS
from prober.rules.verdict import REQUIRABLE
from prober.settings import DEEP_FLAGS, Declared, Pace, Settings, declared

P = ParamSpec("P")
T = TypeVar("T")


def option(*flags: str, help: str, panel: str, env: str | None = None, **extra: Any) -> Any:
    """An option that also reads ``PROBE_env``; *env* is the first flag's name if not given.

    One with a least value refuses NaN too.
    """
    if "min" in extra:
        extra["callback"] = _a_number
    variable = env or flags[0].removeprefix("--").replace("-", "_").upper()
    return typer.Option(
        *flags, help=help, envvar=f"PROBE_{variable}", rich_help_panel=panel, **extra
    )


def _a_number(value: float | None) -> float | None:
    """*value*, if it is a number. NaN passes any range, since comparisons with it are false."""
    if value is not None and math.isnan(value):
        raise typer.BadParameter("nan is not a number")
    return value


def quiet_option(panel: str) -> Any:
    """``--quiet``, for cron. It means the same in every command, since one variable sets it."""
    help = (
        "Only errors on stderr; a scan still prints its summary unless all domains meet --require."
    )
    return option("--quiet", "-q", help=help, panel=panel)


def parser_of(parse: Callable[[str], T]) -> Callable[[str], T]:
    """*parse* for an option: its InputError is reported as a wrong value of the option."""

    def parser(text: str) -> T:
        try:
            return parse(text)
        except InputError as error:
            raise typer.BadParameter(f"{text!r}: {error}") from error

    return parser


def named_domain(text: str) -> str:
    """The domain *text* of the command line. Raises InputError, which names it."""
    try:
        return parse_domain(text)
    except InputError as error:
        raise InputError(f"{text[:MAX_NAME]!r} is not a mail domain: {error}") from error


_REPORT = "Report"


class LookOptions:
    """How to look at the servers: the options that Settings and Pace declare."""

    flags: ClassVar[Collection[str] | None] = None  # those that are offered; None: all
    left_out: ClassVar[Collection[str]] = ()

    def __init__(self, **given: object) -> None:
        self._given = given

    @classmethod
    def declared(cls, settings: type = Settings) -> Iterator[Declared]:
        """The declarations of the options in *settings* that are offered."""
        return (
            each
            for each in declared(settings)
            if (cls.flags is None or each.option.flag in cls.flags)
            and each.option.flag not in cls.left_out
        )

    @classmethod
    def parameters(cls) -> Iterator[inspect.Parameter]:
        """Each option in typer's form."""
        for each in (*cls.declared(Settings), *cls.declared(Pace)):
            yield _parameter(each)

    @property
    def read(self) -> Iterator[Read]:
        """The files that these options have read."""
        ca_file = self._given.get("ca_file")
        store = find_store(ca_file if isinstance(ca_file, Path) else None)
        if store is not None:
            yield Read(str(store), "the trust store")
        if trust_anchor := self._given.get("trust_anchor"):
            yield Read(str(trust_anchor), "the DNSSEC trust anchors")

    def settings(self) -> Settings:
        """These options as settings. Raises SettingsError where two of them contradict."""
        settings = Settings(**self._values(Settings), pace=Pace(**self._values(Pace)))
        for each in self.declared():
            value = self._given.get(each.parameter)
            if each.option.apply is not None and value:
                settings = each.option.apply(settings, value)
        return settings

    def _values(self, settings: type) -> dict[str, Any]:
        """The fields of *settings* that options of their own have set."""
        return {
            each.name: _value(each, self._given[each.parameter])
            for each in self.declared(settings)
            if each.option.apply is None and self._given.get(each.parameter) is not None
        }


def for_profile(settings: Settings, required: Level | Profile) -> Settings:
    """*settings* with the groups that ``--deep`` has to ask for, where a profile needs some."""
    if not settings.deep or isinstance(required, Level):
        return settings
    return dataclasses.replace(settings, norm_groups=norm_groups(required))


class ShallowOptions(LookOptions):
    """The same options, without those for tests beyond the main question."""

    left_out = DEEP_FLAGS


def _parameter(setting: Declared) -> inspect.Parameter:
    declaration, type_, default = setting.option, setting.type, setting.default
    if type_ is bool or (declaration.apply is not None and declaration.metavar is None):
        type_, default = bool, False
    elif declaration.apply is not None:  # it matters whether it is given
        type_, default = type_ | None, None
    elif isinstance(default, tuple):
        type_, default = list[str], list(default)
    extra = {
        name: getattr(declaration, name)
        for name in ("metavar", "min", "max")
        if getattr(declaration, name) is not None
    }
    if declaration.parse is not None:
        extra["parser"] = parser_of(declaration.parse)
    shown = option(declaration.flag, help=declaration.help, panel=declaration.panel, **extra)
    return _keyword(setting.parameter, Annotated[type_, shown], default)


def _value(setting: Declared, given: Any) -> Any:
    """The value of the field for *given*, the value of the option."""
    if setting.type is bool:
        return setting.default != given
    return tuple(given) if isinstance(given, list) else given


_PROFILE: Final = "profile"
_CHOICES: Final = f"{', '.join(REQUIRABLE)}, or {_PROFILE}"


def _requirement(text: str) -> Level | Literal["profile"]:
    if text == _PROFILE:
        return "profile"
    try:
        level = Level(text)
    except ValueError:
        level = Level.INVALID
    if level not in REQUIRABLE:
        raise typer.BadParameter(f"{text!r} is none of {_CHOICES}")
    return level


@dataclasses.dataclass(frozen=True, kw_only=True)
class RequireOptions:
    """What is good enough."""

    require: Annotated[
        str | None,  # Level, or "profile": typer takes no union
        option(
            "--require",
            parser=_requirement,
            metavar="LEVEL",
            help=f"The level that every domain must have for exit status 0: {_CHOICES}.",
            panel=_REPORT,
            show_default=Level.OPPORTUNISTIC.value,
        ),
    ] = None
    profile: Annotated[
        ProfileName | None,
        option(
            "--profile",
            help="A norm to meet; implies `--require profile`. See docs/policy.md.",
            panel=_REPORT,
        ),
    ] = None

    def __post_init__(self) -> None:
        """Raises BadParameter where two options contradict."""
        if self.profile is not None and self.require not in (None, _PROFILE):
            raise typer.BadParameter(
                f"--profile {self.profile} implies --require {_PROFILE}, "
                f"and --require is {self.require}: give one of them"
            )

    @property
    def required(self) -> Level | Profile:
        """The requirement that domains are compared with."""
        if self.profile is not None or self.require == _PROFILE:
            return PROFILES[self.profile or ProfileName.DEFAULT]
        return Level(self.require or Level.OPPORTUNISTIC)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """Where to write the report, and in which format."""

    format_: Annotated[
        ReportFormat | None,
        option(
            "--format",
            "-f",
            help="Format of the report. If not given: by the file's extension, or text on stdout.",
            panel=_REPORT,
            case_sensitive=False,
        ),
    ] = None
    output: Annotated[
        list[str],
        option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the report to FILE instead of stdout; repeatable. '-' is stdout.",
            panel=_REPORT,
        ),
    ] = dataclasses.field(default_factory=list)

    @property
    def targets(self) -> Mapping[str, None]:
        """The outputs, each once; ``-`` is stdout. They start as new files."""
        return dict.fromkeys(self.output or [STDOUT])

    @property
    def written(self) -> Iterator[Written]:
        """The files that these options have written."""
        for path in self.output or [STDOUT]:
            yield from staged(path)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportOptions(OutputOptions, RequireOptions):
    """What to report, and how."""

    per_endpoint: Annotated[
        bool,
        option(
            "--per-endpoint",
            help="CSV: one row per endpoint instead of one per domain.",
            panel=_REPORT,
        ),
    ] = False
    verbose: Annotated[
        bool,
        option(
            "--verbose",
            "-v",
            help="Show the transcripts of the sessions, and log to stderr.",
            panel=_REPORT,
        ),
    ] = False
    quiet: Annotated[bool, quiet_option(_REPORT)] = False
    detail: Annotated[
        int,
        option(
            "--detail",
            min=0,
            max=20_000,
            metavar="N",
            help="HTML: all details for the N worst domains, and a row for each of the others.",
            panel=_REPORT,
            show_default=True,
        ),
    ] = MAX_SECTIONS

    def __post_init__(self) -> None:
        """Raises BadParameter where two options contradict."""
        super().__post_init__()
        if self.verbose and self.quiet:
            raise typer.BadParameter("--verbose and --quiet contradict: give one of them")
        if self.per_endpoint and ReportFormat.CSV not in self.formats():
            given = f"--format {self.format_}" if self.format_ is not None else "the other outputs"
            raise typer.BadParameter(
                f"--per-endpoint is for CSV and contradicts {given}: add --format csv"
            )

    def style(self, *, scan: bool = False, columns: tuple[str, ...] = ()) -> ReportStyle:
        """How much the report shows. A *scan* has one line per domain in text, *columns* in CSV."""
        return ReportStyle(
            per_endpoint=self.per_endpoint,
            transcripts=self.verbose,
            scan=scan,
            columns=columns,
            detail=self.detail,
        )

    def formats(self) -> Iterator[ReportFormat]:
        """The formats of the outputs. Those with an unknown extension are refused later."""
        for path in self.output or [STDOUT]:
            with contextlib.suppress(SettingsError):
                yield self.format_ or choose_format(path)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ManyReportOptions(ReportOptions):
    """The options of a report on many domains, which ends with a summary."""

    expires_soon: Annotated[
        int,
        option(
            "--expires-soon",
            min=0,
            max=36_500,
            metavar="DAYS",
            help="List certificates in the summary that end within DAYS after they were seen.",
            panel=_REPORT,
            show_default=True,
        ),
    ] = EXPIRY_NOTICE_DAYS


def with_options(command: Callable[P, T]) -> Callable[..., T]:
    """Turn each dataclass argument of *command* into one option per field.

    So a command is declared with ``look: LookOptions`` and typer sees the options in it.
    """
    hints = get_type_hints(command, include_extras=True)
    groups = {
        name: hint
        for name, hint in hints.items()
        if isinstance(hint, type)
        and (dataclasses.is_dataclass(hint) or issubclass(hint, LookOptions))
    }
    parameters = [
        parameter.replace(annotation=hints[name])
        for name, parameter in inspect.signature(command).parameters.items()
        if name not in groups
    ]
    offered = {name: list(_parameters_of(group)) for name, group in groups.items()}
    parameters += itertools.chain.from_iterable(offered.values())

    @functools.wraps(command)
    def spread(**values: Any) -> T:
        for name, group in groups.items():
            given = {option.name: values.pop(option.name) for option in offered[name]}
            values[name] = group(**given)
        return command(**values)  # type: ignore[call-arg] # the signature is made just above

    spread.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # documented
    spread.__annotations__ = {item.name: item.annotation for item in parameters}
    return spread


def _parameters_of(group: Any) -> Iterator[inspect.Parameter]:
    if issubclass(group, LookOptions):
        yield from group.parameters()
        return
    hints = get_type_hints(group, include_extras=True)
    for field in dataclasses.fields(group):
        default = [] if field.default is dataclasses.MISSING else field.default
        yield _keyword(field.name, hints[field.name], default)


def _keyword(name: str, annotation: Any, default: object) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, annotation=annotation, default=default)
