"""Settings: names, ports, deadlines, limits. Each bound is defined here once, with its reason.

A setting that users can change carries its `Option`: the flag, the help, and the values allowed.
The environment variable is named after the flag. So one field declares all of an option.
"""

import enum
import re
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Final, Self, get_type_hints

from prober.domains import literal_address, parse_domain
from prober.errors import InputError, SettingsError

# RFC 5321 §4.1.2: a domain, with the underscore that some hosts have
_EHLO_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,255}")
_MAX_S: Final = 3600.0  # an hour; more, or infinity, is a mistake
_FROM: Final = "From where"
_LOOK: Final = "How to look"
_PACE: Final = "How fast"
DEEP_FLAGS: Final = ("--deep", "--deep-full", "--deep-budget")  # of commands that judge domains


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """How a setting is given on the command line. A flag without a value inverts a boolean.

    *min* and *max* bound a number. *parse* reads the value and raises InputError. *apply* takes the
    settings and the value, for an option that changes more than its own field, which are *also*.
    """

    flag: str
    help: str
    panel: str
    metavar: str | None = None
    min: float | None = None
    max: float | None = None
    parse: Callable[[str], str] | None = None
    apply: "Callable[[Settings, Any], Settings] | None" = None
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A setting that has an option: the name of its field, its type and its default."""

    name: str
    type: Any
    default: Any
    option: Option

    @property
    def parameter(self) -> str:
        """The name of the option in Python: ``--dns-rate`` is ``dns_rate``."""
        return self.option.flag.removeprefix("--").replace("-", "_")


def declared(settings: type) -> Iterator[Declared]:
    """The settings of the dataclass *settings* that have an option, in order."""
    hints = get_type_hints(settings, include_extras=True)
    for each in fields(settings):
        for option in getattr(hints[each.name], "__metadata__", ()):
            type_ = hints[each.name].__origin__
            default = None if each.default is MISSING else each.default
            yield Declared(name=each.name, type=type_, default=default, option=option)


def parse_ehlo_name(text: str) -> str:
    """A domain, or an address literal. RFC 5321 §4.1.4. Raises InputError."""
    name = text.strip()
    if not name.startswith("["):
        return parse_domain(name)
    if literal_address(name) is None:
        raise InputError("no address literal; write [192.0.2.1] or [IPv6:2001:db8::1]")
    return name


def _patient(settings: "Settings", _given: bool) -> "Settings":
    return settings.patient()


def _at_most(settings: "Settings", seconds: float) -> "Settings":
    """Limit sessions to *seconds*, also with servers that are slow to greet."""
    slow_greeting_s = min(settings.greeting_s, seconds)
    return replace(settings, session_s=seconds, slow_greeting_s=slow_greeting_s)


def _in_full(settings: "Settings", _given: bool) -> "Settings":
    return replace(settings, deep=True, deep_full=True)


def _require_counts(settings: "Settings | Pace") -> None:
    """Raise SettingsError for a count that is not at least 1."""
    for each in fields(settings):
        value = getattr(settings, each.name)
        if type(value) is int and value < 1:
            raise SettingsError(f"{each.name} must be at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How many sessions and questions at once, and how often. A resumed run may change it.

    The answers do not depend on it.

    Seconds where the name ends in ``_s``.
    """

    concurrency: Annotated[
        int,
        Option(
            flag="--concurrency",
            help="Maximum domains looked up at the same time. Domains that only wait for a server "
            "do not count.",
            panel=_PACE,
            metavar="N",
            min=1,
            max=10_000,
        ),
    ] = 100
    in_hand: int = 5_000  # domains begun and not yet reported, at about 20 kB each
    sessions: int = 500  # at once in total, each with a socket; the usual limit is 1,024 files
    slow_sessions: int = 1_000  # at once, with servers that are slow to greet; no CPU time
    per_address: int = 2  # sessions at once on one address
    per_operator: int = 20  # the same on all addresses of one operator
    address_interval_s: Annotated[
        float,
        Option(
            flag="--pace",
            help="Minimum seconds between the starts of two sessions with one address. It grows "
            "where a server answers 421.",
            panel=_PACE,
            metavar="SECONDS",
            min=0.0,
            max=_MAX_S,
        ),
    ] = 0.5
    operator_interval_s: float = 0.05  # the same on all addresses of one operator
    slowest_interval_s: float = 60.0  # some receivers allow two sessions per minute
    operator_slowest_s: float = 2.0  # one dead host must not stop the other hosts of its operator
    dns_concurrency: int = 200  # questions at once, each with a socket; usual: 1,024 files
    dns_per_s: Annotated[
        float,  # new questions; some clouds drop packets over 1,024 per second
        Option(
            flag="--dns-rate",
            help="Maximum DNS questions per second.",
            panel=_PACE,
            metavar="N",
            min=1.0,
            max=1e6,
        ),
    ] = 900.0
    deep_budget: Annotated[
        int,
        Option(
            flag="--deep-budget",
            help="Maximum further connections of --deep per run. Beyond it endpoints are not "
            "tested; --resume tests them.",
            panel=_PACE,
            metavar="N",
            min=1,
            max=1_000_000_000,
        ),
    ] = 20_000
    stop_grace_s: Annotated[
        float,
        Option(
            flag="--stop-grace",
            help="Seconds that domains already started may take to finish after SIGTERM.",
            panel=_PACE,
            metavar="SECONDS",
            min=0.0,
            max=_MAX_S,
        ),
    ] = 10.0

    def __post_init__(self) -> None:
        """Raises SettingsError for a value that cannot work."""
        _require_counts(self)
        if self.dns_per_s <= 0:
            raise SettingsError("dns_per_s must be more than 0")


class Validation(enum.StrEnum):
    """By whom DNSSEC is validated."""

    AUTO = "auto"  # the resolver if it can be trusted, else this program
    LOCAL = "local"  # this program, from the root
    RESOLVER = "resolver"  # the resolver; not validated if it cannot be trusted
    OFF = "off"  # nobody


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to probe: everything that may change an answer, and the `Pace`, which does not.

    Seconds where the name ends in ``_s``.
    """

    # from where
    resolvers: Annotated[
        tuple[str, ...],  # ADDR or ADDR:PORT; none: the system's
        Option(
            flag="--resolver",
            help="Nameserver to ask instead of the system's; repeatable.",
            panel=_FROM,
            metavar="ADDR[:PORT]",
        ),
    ] = ()
    trust_ad: Annotated[
        bool,
        Option(
            flag="--trust-ad",
            help="Believe the DNSSEC result (AD flag) of a resolver that is not on this machine.",
            panel=_FROM,
        ),
    ] = False
    dnssec_probe: Annotated[
        str,
        Option(
            flag="--dnssec-probe",
            help="A name with wrong DNSSEC signatures on purpose; it shows whether the resolver "
            "validates.",
            panel=_FROM,
            metavar="NAME",
            parse=parse_domain,
        ),
    ] = "dnssec-failed.org"
    dnssec: Annotated[
        Validation,
        Option(
            flag="--dnssec",
            help="Who validates DNSSEC: the resolver, probe itself from the root (local), the "
            "resolver if it can be trusted and else probe (auto), or nobody (off).",
            panel=_FROM,
        ),
    ] = Validation.AUTO
    trust_anchor: Annotated[
        Path | None,  # None: the keys of the root
        Option(
            flag="--trust-anchor",
            help="DS or DNSKEY records in zone-file form, instead of the root's keys.",
            panel=_FROM,
            metavar="FILE",
        ),
    ] = None
    proofs: Annotated[
        bool,
        Option(
            flag="--proofs",
            help="Keep the signatures of secure answers in JSON reports: about 6 kB per domain. "
            "Needs --dnssec local.",
            panel=_LOOK,
        ),
    ] = False
    ca_file: Annotated[
        Path | None,  # None: the system's store
        Option(
            flag="--ca-file",
            help="Certificates of trusted CAs in PEM form, instead of the system's.",
            panel=_FROM,
            metavar="FILE",
        ),
    ] = None
    ehlo_name: Annotated[
        str | None,  # None: our FQDN, or the address literal of RFC 5321 §4.1.4
        Option(
            flag="--ehlo-name",
            help="Name or [ADDRESS] to send with EHLO. If not given: this machine's full name, or "
            "else its address.",
            panel=_FROM,
            metavar="NAME",
            parse=parse_ehlo_name,
        ),
    ] = None
    use_ipv6: Annotated[
        bool, Option(flag="--ipv4-only", help="Contact IPv4 addresses only.", panel=_FROM)
    ] = True
    use_ipv4: Annotated[
        bool, Option(flag="--ipv6-only", help="Contact IPv6 addresses only.", panel=_FROM)
    ] = True
    allow_private: Annotated[
        bool,
        Option(
            flag="--allow-private",
            help="Also contact addresses that are not globally reachable.",
            panel=_FROM,
        ),
    ] = False
    port: Annotated[
        int,  # RFC 5321 §4.5.4.2; 465 and 587 are submission, not MX (RFC 8314)
        Option(
            flag="--port",
            help="Port of the MX hosts.",
            panel=_LOOK,
            metavar="PORT",
            min=1,
            max=65535,
        ),
    ] = 25
    sts_port: int = 443  # of the MTA-STS policy host; RFC 8461 §3.3 knows no other

    # deadlines of the steps; RFC 5321 §4.5.3.2 asks senders for 300 s at the greeting
    connect_s: float = 15.0
    greeting_s: Annotated[
        float,
        Option(
            flag="--patient",
            help="Wait 300 s for the greeting in the first session. If not given: 60 s, then 300 s "
            "in another session.",
            panel=_LOOK,
            apply=_patient,
            also=("session_s",),
        ),
    ] = 60.0
    command_s: float = 30.0
    handshake_s: float = 20.0
    stray_s: float = 5.0  # for a greeting after a line that is not one
    quit_s: float = 2.0  # for the reply to QUIT, which no answer depends on
    session_s: Annotated[
        float,  # for all steps together: a tarpit replies just before each deadline
        Option(
            flag="--timeout",
            help="Maximum seconds per session; 150 if not given.",
            panel=_LOOK,
            metavar="SECONDS",
            min=0.1,
            max=_MAX_S,
            apply=_at_most,
            also=("slow_greeting_s",),
        ),
    ] = 150.0
    slow_greeting_s: float = 300.0  # RFC 5321 §4.5.3.2.1, in a further session
    confirm_delay_s: Annotated[
        float,  # rate limiters count per second; two sessions within one prove little
        Option(
            flag="--confirm-delay",
            help="Seconds to wait before a second session confirms a negative result.",
            panel=_LOOK,
            metavar="SECONDS",
            min=0.0,
            max=_MAX_S,
        ),
    ] = 5.0
    busy_tries: Annotated[
        int,
        Option(
            flag="--busy-tries",
            help="Maximum sessions with a server that answers 421. The wait doubles each time: "
            "5, 10, 20, 40 s.",
            panel=_LOOK,
            metavar="N",
            min=1,
            max=20,
        ),
    ] = 5
    sni_only: Annotated[
        bool,
        Option(
            flag="--sni-only",
            help="Make no session without SNI. Results for senders without SNI are then unknown.",
            panel=_LOOK,
        ),
    ] = False
    deep: Annotated[
        bool,
        Option(
            flag="--deep",
            help="Also test what else the servers accept: old TLS versions, weak cipher suites, "
            "post-quantum groups, both certificates. Up to 8 more connections per endpoint.",
            panel=_LOOK,
        ),
    ] = False
    deep_full: Annotated[
        bool,
        Option(
            flag="--deep-full",
            help="As --deep, and list every version, suite and group that the servers accept: "
            "about 40 more connections per endpoint.",
            panel=_LOOK,
            apply=_in_full,
            also=("deep",),
        ),
    ] = False
    norm_groups: tuple[str, ...] = ()  # with --deep: the groups of which the profile needs one
    share: Annotated[
        bool,
        Option(
            flag="--no-share",
            help="Test every MX name, even where names at one address are known to behave the "
            "same.",
            panel=_LOOK,
        ),
    ] = True

    # DNS has its own deadlines: a resolver may need minutes for a dead zone
    dns_try_s: float = 3.0
    dns_s: float = 12.0  # a question with its retries
    dns_failure_ttl_s: float = 60.0  # a failure is kept no longer than this

    # DNSSEC validated here: signatures take 0.1 ms each, SHA-1 (for NSEC3) 1 µs
    dnssec_signatures: int = 64  # for one answer or one zone's keys; normal ones need under 10
    dnssec_hashes: int = 4_000  # the same; a name of ten labels at 100 iterations needs 1,000
    dnssec_domain_signatures: int = 4_000  # for one domain; 20 MX hosts with NSEC3 need about 400
    dnssec_domain_hashes: int = 80_000

    # the MTA-STS policy file; both bounds are those that RFC 8461 §3.3 suggests to senders
    sts_without_txt: Annotated[
        bool,
        Option(
            flag="--sts-without-txt",
            help="Also look for an MTA-STS policy that no TXT record announces.",
            panel=_LOOK,
        ),
    ] = False
    sts_s: float = 60.0  # the whole fetch except the look-up, however slow the server is
    sts_policy_bytes: int = 65_536  # a policy of 20 MX hosts has about 1 kB
    sts_header_bytes: int = 32_768  # up to the end of the final header; most have under 2 kB
    sts_fetch_bytes: int = 262_144  # all bytes of a fetch, with those of TLS and of chunks

    # bounds on what a peer can make us store
    mx_hosts: int = 20  # the largest operators publish 5 to 7
    addresses: int = 8  # of one MX host
    tlsa_records: int = 32  # of one MX host; publishers have 1 to 4, a rollover doubles them
    transcript_lines: int = 64  # of one session; a normal one has about 25
    transcript_chars: int = 512  # RFC 5321 §4.5.3.1.5 allows a reply line 512 octets
    chain_certificates: int = 16  # a public chain has 2 to 4; OpenSSL stops at 100 kB in all
    handshake_bytes: int = 262_144  # OpenSSL accepts 100 kB of certificates, and 100 kB of CA names
    dh_bits: int = 4096  # of a group that RFC 7919 does not name: 64 ms; OpenSSL's 10,000 take 2 s
    deep_answer_bytes: int = 131_072  # to one ClientHello of --deep; 100 kB of certificates
    deep_connections: int = 120  # of --deep-full with one endpoint; a lax server needs about 60
    tls_overhead_bytes: int = 65_536  # after the handshake: 2 kB of tickets, 22 bytes per record

    pace: Pace = field(default=Pace())

    def __post_init__(self) -> None:
        """Raises SettingsError for a value that cannot work."""
        _require_counts(self)
        if not (self.use_ipv4 or self.use_ipv6):
            raise SettingsError("--ipv4-only and --ipv6-only leave no address to contact")
        if self.proofs and self.dnssec is not Validation.LOCAL:
            raise SettingsError("--proofs needs --dnssec local: only then signatures are kept")
        greet = self.ehlo_name
        if greet is not None and not (_EHLO_NAME.fullmatch(greet) or literal_address(greet)):
            raise SettingsError(
                f"no name to greet with: {greet!r}; write a host name, [192.0.2.1] or "
                "[IPv6:2001:db8::1]"
            )

    def identity(self) -> dict[str, str]:
        """All except the pace, as text: each value by its name and the flags that set it."""
        options = [(each.name, each.option) for each in declared(Settings)]
        flags = {name: [option.flag] for name, option in options}
        for _, option in options:
            for name in option.also:
                flags.setdefault(name, []).append(option.flag)
        names = (each.name for each in fields(self) if each.name != "pace")
        return {
            f"{name} ({', '.join(flags[name])})" if name in flags else name: str(
                getattr(self, name)
            )
            for name in names
        }

    @property
    def slow_lane(self) -> bool:
        """Whether a further session may wait longer for the greeting than the first."""
        return self.slow_greeting_s > self.greeting_s

    def patient(self) -> Self:
        """The same settings with the five minutes of RFC 5321 §4.5.3.2.1 for the greeting."""
        more_s = max(0.0, self.slow_greeting_s - self.greeting_s)
        greeting_s, session_s = self.greeting_s + more_s, self.session_s + more_s
        return replace(self, greeting_s=greeting_s, session_s=session_s)
