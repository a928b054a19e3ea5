"""Settings: names, ports, deadlines, limits. Each bound stands here once, with its reason."""

import enum
import re
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final, Self

from prober.domains import literal_address
from prober.errors import SettingsError

# RFC 5321 §4.1.2: a domain, with the underscore that some hosts have
_EHLO_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,255}")
_AT_LEAST_ONE: Final = (
    "mx_hosts",
    "addresses",
    "concurrency",
    "in_hand",
    "sessions",
    "slow_sessions",
    "per_address",
    "per_operator",
    "dns_concurrency",
    "busy_tries",
)
_PACE_ONLY: Final = frozenset(
    {
        "concurrency",
        "in_hand",
        "sessions",
        "slow_sessions",
        "per_address",
        "per_operator",
        "address_interval_s",
        "operator_interval_s",
        "slowest_interval_s",
        "operator_slowest_s",
        "dns_concurrency",
        "dns_per_s",
        "stop_grace_s",
    }
)


class Validation(enum.StrEnum):
    """By whom DNSSEC is validated."""

    AUTO = "auto"  # the resolver where it can be believed, else this program
    LOCAL = "local"  # this program, from the root
    RESOLVER = "resolver"  # the resolver, or nobody
    OFF = "off"  # nobody


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to look. Seconds where the name ends in ``_s``."""

    # what is asked, and as whom
    port: int = 25  # RFC 5321 §4.5.4.2; 465 and 587 are submission, not MX (RFC 8314)
    sts_port: int = 443  # of the MTA-STS policy host; RFC 8461 §3.3 knows no other
    ehlo_name: str | None = None  # None: our FQDN, or the address literal of RFC 5321 §4.1.4
    resolvers: tuple[str, ...] = ()  # ADDR or ADDR:PORT; none: the system's
    trust_ad: bool = False  # believe AD from a resolver beyond loopback
    dnssec_probe: str = "dnssec-failed.org"  # bogus by intent: a validating resolver fails on it
    dnssec: Validation = Validation.AUTO
    proofs: bool = False  # keep the signatures of secure answers
    trust_anchor: Path | None = None  # None: the keys of the root
    ca_file: Path | None = None  # None: the system's store
    use_ipv4: bool = True
    use_ipv6: bool = True
    allow_private: bool = False

    # deadlines of the steps; RFC 5321 §4.5.3.2 asks senders for 300 s at the greeting
    connect_s: float = 15.0
    greeting_s: float = 60.0
    command_s: float = 30.0
    handshake_s: float = 20.0
    stray_s: float = 5.0  # for a greeting behind a line that is none; no other protocol sends one
    quit_s: float = 2.0  # politeness, not evidence: the answer is in hand by then
    session_s: float = 150.0  # all of them together: a tarpit answers just within each
    confirm_delay_s: float = 5.0  # rate limiters look at seconds; two looks in one prove little

    # DNS has its own deadlines: a resolver may take minutes over a dead zone
    dns_try_s: float = 3.0
    dns_s: float = 12.0  # a question with its retries
    dns_concurrency: int = 200  # questions at once, each with a socket; of the usual 1,024 files
    dns_failure_ttl_s: float = 60.0  # a failure is no fact for longer than this

    # DNSSEC validated here: signatures take 0.1 ms each, SHA-1 (for NSEC3) 1 µs
    dnssec_signatures: int = 64  # for one answer, or one zone's keys; sound ones need under 10
    dnssec_hashes: int = 4_000  # the same; a name of ten labels at 100 iterations needs 1,000
    dnssec_domain_signatures: int = 4_000  # for one domain; 20 MX hosts with NSEC3 need about 400
    dnssec_domain_hashes: int = 80_000

    # the MTA-STS policy file; both bounds are those that RFC 8461 §3.3 suggests to senders
    sts_without_txt: bool = False  # look for a policy that no TXT record announces
    sts_s: float = 60.0  # all of a fetch but the look-up, so that a slow drip ends as well
    sts_policy_bytes: int = 65_536  # a policy of 20 MX hosts has about 1 kB
    sts_header_bytes: int = 32_768  # up to the end of the final header; most have under 2 kB
    sts_fetch_bytes: int = 262_144  # all of a fetch as it comes, TLS and chunks around it included

    # bounds on what a peer can make us keep
    mx_hosts: int = 20  # the largest operators publish 5 to 7
    addresses: int = 8  # of one MX host
    tlsa_records: int = 32  # of one MX host; publishers have 1 to 4, a rollover doubles them
    transcript_lines: int = 64  # of one session; a normal one has about 25
    transcript_chars: int = 512  # RFC 5321 §4.5.3.1.5 allows a reply line 512 octets
    chain_certificates: int = 16  # a public chain has 2 to 4; OpenSSL stops at 100 kB in all
    handshake_bytes: int = 262_144  # OpenSSL takes 100 kB of certificates, and as much of CA names
    dh_bits: int = 4096  # of a group that RFC 7919 does not name: 64 ms; OpenSSL's 10,000 take 2 s
    tls_overhead_bytes: int = 65_536  # after it, all but text: 2 kB of tickets, 22 bytes a record

    # manners: how hard this machine may knock
    concurrency: int = 100  # domains looked up at once; those that wait for a server do not count
    in_hand: int = 5_000  # domains begun and not yet reported, at about 20 kB each
    sessions: int = 500  # at once in all, each with a socket; of the usual 1,024 files
    per_address: int = 2  # sessions at once on one address
    per_operator: int = 20  # the same on all addresses of one operator
    address_interval_s: float = 0.5  # between the beginnings of two sessions on one address
    operator_interval_s: float = 0.05  # the same on all addresses of one operator
    slowest_interval_s: float = 60.0  # some receivers take two sessions a minute, none takes fewer
    operator_slowest_s: float = 2.0  # a dead host of an operator's must not stop all its others
    dns_per_s: float = 900.0  # new questions; some clouds drop what is over 1,024 packets a second
    sni_only: bool = False  # make no session without SNI: then senders without SNI are unknown
    share: bool = True  # what names at one address have in common is asked once

    # asking again
    busy_tries: int = 5  # sessions with a server that says 421: after 5, 10, 20 and 40 s
    slow_greeting_s: float = 300.0  # RFC 5321 §4.5.3.2.1, for who did not greet within greeting_s
    slow_sessions: int = 1_000  # at once, of those: they cost a socket and no work
    stop_grace_s: float = 10.0  # for what is in flight when SIGTERM comes

    def __post_init__(self) -> None:
        """Raises SettingsError for a value that cannot work."""
        for name in _AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be at least 1")
        if self.dns_per_s <= 0:
            raise SettingsError("dns_per_s must be more than 0")
        if self.proofs and self.dnssec is not Validation.LOCAL:
            raise SettingsError("proofs need validation by this program: use --dnssec local")
        greet = self.ehlo_name
        if greet is not None and not (_EHLO_NAME.fullmatch(greet) or literal_address(greet)):
            raise SettingsError(
                f"no name to greet with: {greet!r}; write a host name, [192.0.2.1] or "
                "[IPv6:2001:db8::1]"
            )

    def answer_bearing(self) -> dict[str, str]:
        """The settings on which an answer may depend, as text; the others change only the pace."""
        names = (field.name for field in fields(self) if field.name not in _PACE_ONLY)
        return {name: str(getattr(self, name)) for name in names}

    @property
    def slow_lane(self) -> bool:
        """Whether there is more patience to be had for a greeting than at first."""
        return self.slow_greeting_s > self.greeting_s

    def patient(self) -> Self:
        """The same with RFC 5321 §4.5.3.2.1's five minutes for the greeting."""
        more_s = max(0.0, self.slow_greeting_s - self.greeting_s)
        greeting_s, session_s = self.greeting_s + more_s, self.session_s + more_s
        return replace(self, greeting_s=greeting_s, session_s=session_s)
