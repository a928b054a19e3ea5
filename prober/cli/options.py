"""The options that commands share: each stands here once, with its help."""

import dataclasses
import functools
import inspect
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, ParamSpec, TypeVar, get_type_hints

import typer

from prober.cli.apart import Read, Written, staged
from prober.domains import literal_address, parse_domain
from prober.errors import InputError, SettingsError
from prober.net.trust import find_store
from prober.records import Level
from prober.report.output import STDOUT, ReportFormat
from prober.rules.profiles import PROFILES, Profile, ProfileName
from prober.rules.verdict import REQUIRABLE
from prober.settings import Settings

_DEFAULTS = Settings()
P = ParamSpec("P")
T = TypeVar("T")


def option(*flags: str, help: str, env: str, panel: str, **extra: Any) -> Any:
    """An option that also reads ``PROBE_env``. One with a least value refuses NaN too."""
    if "min" in extra:
        extra["callback"] = _a_number
    return typer.Option(*flags, help=help, envvar=f"PROBE_{env}", rich_help_panel=panel, **extra)


def _a_number(value: float | None) -> float | None:
    """*value*; a range alone lets NaN pass, since no comparison with it is true."""
    if value is not None and math.isnan(value):
        raise typer.BadParameter("nan is not a number")
    return value


def quiet_option(panel: str) -> Any:
    """``--quiet``, for a cron job: one meaning in every command, since one variable sets it."""
    help = "Nothing on stderr but errors; a scan still sums up where not all is well."
    return option("--quiet", "-q", help=help, env="QUIET", panel=panel)


def domain_name(text: str) -> str:
    """The value of an option that takes a domain, in any spelling."""
    try:
        return parse_domain(text)
    except InputError as error:
        raise typer.BadParameter(f"{text!r}: {error}") from error


def _ehlo_name(text: str) -> str:
    """A domain, or an address literal. RFC 5321 §4.1.4."""
    name = text.strip()
    if not name.startswith("["):
        return domain_name(name)
    if literal_address(name) is None:
        why = "no address literal; write [192.0.2.1] or [IPv6:2001:db8::1]"
        raise typer.BadParameter(f"{text!r}: {why}")
    return name


_LOOK = "How to look"
_FROM = "From where"
_PACE = "How fast"
_REPORT = "Report"
_MOST_S = 3600.0  # an hour; more, or infinity, is a slip


@dataclasses.dataclass(frozen=True, kw_only=True)
class LookOptions:
    """How to look at the servers."""

    resolver: Annotated[
        list[str],
        option(
            "--resolver",
            metavar="ADDR[:PORT]",
            help="Nameserver to ask instead of the system's; repeatable.",
            env="RESOLVER",
            panel=_FROM,
        ),
    ] = dataclasses.field(default_factory=list)
    trust_ad: Annotated[
        bool,
        option(
            "--trust-ad",
            help="Believe the DNSSEC verdict of a resolver that is not on this machine.",
            env="TRUST_AD",
            panel=_FROM,
        ),
    ] = False
    dnssec_probe: Annotated[
        str,
        option(
            "--dnssec-probe",
            parser=domain_name,
            metavar="NAME",
            help="A name that is bogus by intent: shows whether the resolver validates.",
            env="DNSSEC_PROBE",
            panel=_FROM,
        ),
    ] = _DEFAULTS.dnssec_probe
    ca_file: Annotated[
        Path | None,
        option(
            "--ca-file",
            metavar="FILE",
            help="Trust anchors in PEM form, in place of the system's.",
            env="CA_FILE",
            panel=_FROM,
        ),
    ] = None
    ehlo_name: Annotated[
        str | None,
        option(
            "--ehlo-name",
            parser=_ehlo_name,
            metavar="NAME",
            help="Name or [ADDRESS] to greet with; this machine's FQDN, or else its address, "
            "if not given.",
            env="EHLO_NAME",
            panel=_FROM,
        ),
    ] = None
    ipv4_only: Annotated[
        bool,
        option("--ipv4-only", help="Contact IPv4 addresses only.", env="IPV4_ONLY", panel=_FROM),
    ] = False
    ipv6_only: Annotated[
        bool,
        option("--ipv6-only", help="Contact IPv6 addresses only.", env="IPV6_ONLY", panel=_FROM),
    ] = False
    allow_private: Annotated[
        bool,
        option(
            "--allow-private",
            help="Contact addresses that are not globally reachable, too.",
            env="ALLOW_PRIVATE",
            panel=_FROM,
        ),
    ] = False
    port: Annotated[
        int,
        option(
            "--port",
            metavar="PORT",
            min=1,
            max=65535,
            help="Port of the MX hosts.",
            env="PORT",
            panel=_LOOK,
            show_default=True,
        ),
    ] = _DEFAULTS.port
    timeout: Annotated[
        float | None,
        option(
            "--timeout",
            min=0.1,
            max=_MOST_S,
            metavar="SECONDS",
            help=f"Most seconds a session; {_DEFAULTS.session_s:g} if not given.",
            env="TIMEOUT",
            panel=_LOOK,
        ),
    ] = None
    patient: Annotated[
        bool,
        option(
            "--patient",
            help="Wait 300 s for a greeting at once; if not given, after 60 s in vain.",
            env="PATIENT",
            panel=_LOOK,
        ),
    ] = False
    confirm_delay: Annotated[
        float,
        option(
            "--confirm-delay",
            min=0.0,
            max=_MOST_S,
            metavar="SECONDS",
            help="Wait before a second session confirms a negative.",
            env="CONFIRM_DELAY",
            panel=_LOOK,
            show_default=True,
        ),
    ] = _DEFAULTS.confirm_delay_s
    sni_only: Annotated[
        bool,
        option(
            "--sni-only",
            help="Make no session without SNI; what senders without SNI meet is then unknown.",
            env="SNI_ONLY",
            panel=_LOOK,
        ),
    ] = False
    sts_without_txt: Annotated[
        bool,
        option(
            "--sts-without-txt",
            help="Look for an MTA-STS policy that no TXT record announces, too.",
            env="STS_WITHOUT_TXT",
            panel=_LOOK,
        ),
    ] = False
    concurrency: Annotated[
        int,
        option(
            "--concurrency",
            metavar="N",
            min=1,
            max=10_000,
            help="Domains looked up at once; those that wait for a server do not count.",
            env="CONCURRENCY",
            panel=_PACE,
            show_default=True,
        ),
    ] = _DEFAULTS.concurrency
    pace: Annotated[
        float,
        option(
            "--pace",
            min=0.0,
            max=_MOST_S,
            metavar="SECONDS",
            help="Least time between two sessions on one address; grows where a server says 421.",
            env="PACE",
            panel=_PACE,
            show_default=True,
        ),
    ] = _DEFAULTS.address_interval_s
    dns_rate: Annotated[
        float,
        option(
            "--dns-rate",
            min=1.0,
            max=1e6,
            metavar="N",
            help="Most DNS questions a second.",
            env="DNS_RATE",
            panel=_PACE,
            show_default=True,
        ),
    ] = _DEFAULTS.dns_per_s
    busy_tries: Annotated[
        int,
        option(
            "--busy-tries",
            min=1,
            max=20,
            metavar="N",
            help="Sessions with a server that says 421, each after twice the wait.",
            env="BUSY_TRIES",
            panel=_PACE,
            show_default=True,
        ),
    ] = _DEFAULTS.busy_tries
    no_share: Annotated[
        bool,
        option(
            "--no-share",
            help="Ask each MX name for itself, also where names at one address are known to agree.",
            env="NO_SHARE",
            panel=_PACE,
        ),
    ] = False
    stop_grace: Annotated[
        float,
        option(
            "--stop-grace",
            min=0.0,
            max=_MOST_S,
            metavar="SECONDS",
            help="On SIGTERM, how long what is in flight may take to finish.",
            env="STOP_GRACE",
            panel=_PACE,
            show_default=True,
        ),
    ] = _DEFAULTS.stop_grace_s

    @property
    def read(self) -> Iterator[Read]:
        """The files that these options have read."""
        store = find_store(self.ca_file)
        if store is not None:
            yield Read(str(store), "the trust store")

    def settings(self) -> Settings:
        """These options as settings. Raises SettingsError where two of them contradict."""
        if self.ipv4_only and self.ipv6_only:
            raise SettingsError("--ipv4-only and --ipv6-only leave no address to contact")
        settings = Settings(
            port=self.port,
            ehlo_name=self.ehlo_name,
            resolvers=tuple(self.resolver),
            trust_ad=self.trust_ad,
            dnssec_probe=self.dnssec_probe,
            ca_file=self.ca_file,
            use_ipv4=not self.ipv6_only,
            use_ipv6=not self.ipv4_only,
            allow_private=self.allow_private,
            confirm_delay_s=self.confirm_delay,
            concurrency=self.concurrency,
            address_interval_s=self.pace,
            dns_per_s=self.dns_rate,
            busy_tries=self.busy_tries,
            share=not self.no_share,
            stop_grace_s=self.stop_grace,
            sni_only=self.sni_only,
            sts_without_txt=self.sts_without_txt,
        )
        if self.patient:
            settings = settings.patient()
        if self.timeout is not None:  # then also for those that are slow to greet
            slow_greeting_s = min(settings.greeting_s, self.timeout)
            settings = dataclasses.replace(
                settings, session_s=self.timeout, slow_greeting_s=slow_greeting_s
            )
        return settings


SET_BY: Final = MappingProxyType(
    {
        "port": "--port",
        "ehlo_name": "--ehlo-name",
        "resolvers": "--resolver",
        "trust_ad": "--trust-ad",
        "dnssec_probe": "--dnssec-probe",
        "ca_file": "--ca-file",
        "use_ipv4": "--ipv6-only",
        "use_ipv6": "--ipv4-only",
        "allow_private": "--allow-private",
        "greeting_s": "--patient",
        "session_s": "--timeout, --patient",
        "slow_greeting_s": "--timeout",
        "confirm_delay_s": "--confirm-delay",
        "busy_tries": "--busy-tries",
        "share": "--no-share",
        "sni_only": "--sni-only",
        "sts_without_txt": "--sts-without-txt",
    }
)
"""The options behind the settings on which answers depend."""


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
            help=f"What is good enough, for the exit status: {_CHOICES}.",
            env="REQUIRE",
            panel=_REPORT,
            show_default=Level.OPPORTUNISTIC.value,
        ),
    ] = None
    profile: Annotated[
        ProfileName | None,
        option(
            "--profile",
            help="A norm to meet; implies `--require profile`. docs/policy.md explains.",
            env="PROFILE",
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
        """What a domain is held against."""
        if self.profile is not None or self.require == _PROFILE:
            return PROFILES[self.profile or ProfileName.DEFAULT]
        return Level(self.require or Level.OPPORTUNISTIC)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportOptions(RequireOptions):
    """What to report, and how."""

    format_: Annotated[
        ReportFormat | None,
        option(
            "--format",
            "-f",
            help="Format of the report; by the file's extension, or text on stdout, if not given.",
            env="FORMAT",
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
            env="OUTPUT",
            panel=_REPORT,
        ),
    ] = dataclasses.field(default_factory=list)
    per_endpoint: Annotated[
        bool,
        option(
            "--per-endpoint",
            help="CSV: one row an endpoint in place of one a domain.",
            env="PER_ENDPOINT",
            panel=_REPORT,
        ),
    ] = False
    verbose: Annotated[
        bool,
        option(
            "--verbose",
            "-v",
            help="Show the transcripts of the sessions, and log to stderr.",
            env="VERBOSE",
            panel=_REPORT,
        ),
    ] = False
    quiet: Annotated[bool, quiet_option(_REPORT)] = False

    @property
    def written(self) -> Iterator[Written]:
        """The files that these options have written."""
        for path in self.output or [STDOUT]:
            yield from staged(path)


def with_options(command: Callable[P, T]) -> Callable[..., T]:
    """Spread each dataclass argument of *command* into one command line option a field.

    So a command is declared with ``look: LookOptions`` and typer sees the options in it.
    """
    hints = get_type_hints(command, include_extras=True)
    groups = {
        name: hint
        for name, hint in hints.items()
        if isinstance(hint, type) and dataclasses.is_dataclass(hint)
    }
    parameters = [
        parameter.replace(annotation=hints[name])
        for name, parameter in inspect.signature(command).parameters.items()
        if name not in groups
    ]
    for group in groups.values():
        parameters += _parameters_of(group)

    @functools.wraps(command)
    def spread(**values: Any) -> T:
        for name, group in groups.items():
            fields = inspect.signature(group).parameters
            values[name] = group(**{field: values.pop(field) for field in fields})
        return command(**values)  # type: ignore[call-arg] # the signature is made just above

    spread.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # documented
    spread.__annotations__ = {item.name: item.annotation for item in parameters}
    return spread


def _parameters_of(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=hints[field.name],
            default=[] if field.default is dataclasses.MISSING else field.default,
        )
        for field in dataclasses.fields(group)
    ]
