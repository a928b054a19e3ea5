"""Starts the whole lab: domains, their MX hosts at loopback addresses, and their DNS."""

import contextlib
import dataclasses
import enum
import errno
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import dns.name

from prober.lab.certificates import CertificateKind, LabCa
from prober.lab.dns import LabDns
from prober.lab.faults import Fault
from prober.lab.personalities.scripted import Personality
from prober.lab.policy_host import TXT, PolicyHost
from prober.lab.signed_zones import Key
from prober.lab.smtp import LabSmtpServer
from prober.settings import Pace, Settings

ATTEMPTS = 20  # attempts to find a port that is free at every address
EHLO_NAME = "probe.lab.test"
PROBE_NAME = Settings().dnssec_probe
IPV6_LOOPBACK = "::1"  # the only IPv6 loopback address


@dataclass(frozen=True, slots=True, kw_only=True)
class LabHost:
    """An MX host. Several domains may use the same host."""

    name: str
    personality: Personality
    addresses: int = 1  # number of IPv4 loopback addresses
    published: tuple[
        str, ...
    ] = ()  # more addresses for DNS; of these only ::1 is served, for one host


@dataclass(frozen=True, slots=True, kw_only=True)
class LabSts:
    """What a domain publishes for MTA-STS: its records at ``_mta-sts``, and its policy host."""

    host: PolicyHost
    txt: tuple[str, ...] = (TXT,)


class LabTlsa(enum.Enum):
    """Which TLSA records a domain's MX hosts have."""

    OF_GOOD = enum.auto()  # the key of the good certificate
    OF_SELF_SIGNED = enum.auto()  # the key of the self-signed certificate
    OF_OLD_KEY = enum.auto()  # a key that no server uses now


@dataclass(frozen=True, slots=True, kw_only=True)
class LabDomain:
    """A mail domain. A domain with only a name does not exist in DNS."""

    name: str
    mx: tuple[tuple[int, LabHost], ...] = ()
    hosts: tuple[
        LabHost, ...
    ] = ()  # hosts without MX, such as the domain itself for an implicit MX
    records: tuple[tuple[str, str, str], ...] = ()  # more records: (owner, type, text)
    sts: LabSts | None = None
    tls_rpt: str | None = None  # the record at ``_smtp._tls``
    tlsa: LabTlsa | None = None  # for each MX host, at its SMTP port
    fault: Fault | None = None  # how DNS fails for the domain's name
    signed: bool = False  # answers for it and its subdomains have AD
    shows: str = ""  # what the domain demonstrates

    @property
    def all_hosts(self) -> tuple[LabHost, ...]:
        """Every host of the domain: MX hosts, other hosts, and the policy host."""
        return (*(host for _, host in self.mx), *self.hosts, *self._policy_hosts())

    def _policy_hosts(self) -> Iterator[LabHost]:
        if self.sts is not None:
            yield LabHost(name=f"mta-sts.{self.name}", personality=self.sts.host)


class Lab:
    """A running Internet of *domains*; an asynchronous context manager.

    All servers and policy hosts use one port, and the CA in ``ca_file``. With *validating*, the
    resolver looks like one that validates DNSSEC: ``dnssec-failed.org`` is bogus. Without it, the
    resolver returns the signatures of signed domains, so that a client can validate them.
    """

    def __init__(self, domains: Sequence[LabDomain], *, validating: bool = True) -> None:
        self.domains = tuple(domains)
        self._keys = {} if validating else _keys(domains)
        self.dns = LabDns(keys=self._keys)
        self.ca = LabCa()
        self.port = 0
        self.servers: dict[str, LabSmtpServer] = {}  # by host name
        self._validating = validating
        self._stack = contextlib.AsyncExitStack()

    @property
    def resolver(self) -> str:
        """``ADDR:PORT`` of the DNS server."""
        return self.dns.resolver

    @property
    def ca_file(self) -> Path:
        """The root certificate as a PEM file, which is removed with the lab."""
        return self._folder / "ca.pem"

    @property
    def anchor_file(self) -> Path | None:
        """The key of the lab's own root, where its zones are signed."""
        return self._folder / "root.ds" if self._keys else None

    def settings(self, **changes: object) -> Settings:
        """Settings for a prober that sees only this lab, with *changes*.

        There is no wait between sessions. *changes* may also name fields of `Pace`.
        """
        settings = Settings(
            resolvers=(self.resolver,),
            port=self.port or 25,  # no server listens if there are no domains
            sts_port=self.port or 443,
            ca_file=self.ca_file,
            trust_anchor=self.anchor_file,
            allow_private=True,
            ehlo_name=EHLO_NAME,
            busy_tries=2,
            slow_greeting_s=0.0,
        )
        unpaced = Pace(address_interval_s=0.0, operator_interval_s=0.0, dns_per_s=1e6)
        of_pace = {field.name for field in dataclasses.fields(Pace)} & changes.keys()
        # mypy cannot see which value goes to which field
        pace = dataclasses.replace(unpaced, **{name: changes.pop(name) for name in of_pace})  # type: ignore[arg-type]
        return dataclasses.replace(settings, pace=pace, **changes)  # type: ignore[arg-type]

    async def start(self) -> None:
        """Start everything. If something fails, nothing stays started."""
        async with contextlib.AsyncExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="probe-lab-"))
            self._folder = Path(folder)
            self.ca.write_pem(self.ca_file)
            if self.anchor_file is not None:
                key = self._keys[dns.name.root]
                self.anchor_file.write_text(f". IN DS {key.ds(dns.name.root)}\n")
            await stack.enter_async_context(self.dns)
            await self._start_servers(stack)
            self._publish()
            self._stack = stack.pop_all()

    async def aclose(self) -> None:
        """End every session, free every port, remove the CA file."""
        await self._stack.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _start_servers(self, stack: contextlib.AsyncExitStack) -> None:
        hosts = {host.name: host for domain in self.domains for host in domain.all_hosts}
        for attempt in range(ATTEMPTS):
            try:
                async with contextlib.AsyncExitStack() as started:
                    await self._start_all(hosts, started)
                    await stack.enter_async_context(started.pop_all())
                return
            except OSError as exc:
                if exc.errno != errno.EADDRINUSE or attempt == ATTEMPTS - 1:
                    raise

    async def _start_all(
        self, hosts: dict[str, LabHost], started: contextlib.AsyncExitStack
    ) -> None:
        """Start all servers. The first one chooses the port for all."""
        addresses = _loopback_addresses()
        self.servers.clear()
        self.port = 0
        for name, host in hosts.items():
            own = [next(addresses) for _ in range(host.addresses)]
            own += [address for address in host.published if address == IPV6_LOOPBACK]
            if not own:
                continue
            server = LabSmtpServer(host.personality, *own, port=self.port, name=name, ca=self.ca)
            self.servers[name] = await started.enter_async_context(server)
            self.port = server.port

    def _publish(self) -> None:
        self.dns.add(PROBE_NAME, "A", "192.0.2.1")
        if self._validating:
            self.dns.fail(PROBE_NAME, Fault.BOGUS)
        for domain in self.domains:
            self._publish_domain(domain)

    def _publish_domain(self, domain: LabDomain) -> None:
        for preference, host in domain.mx:
            self.dns.add(domain.name, "MX", f"{preference} {host.name}")
        for owner, rdtype, text in domain.records:
            self.dns.add(owner, rdtype, text)
        for text in domain.sts.txt if domain.sts is not None else ():
            self.dns.add(f"_mta-sts.{domain.name}", "TXT", _quoted(text))
        if domain.tls_rpt is not None:
            self.dns.add(f"_smtp._tls.{domain.name}", "TXT", _quoted(domain.tls_rpt))
        for host in domain.all_hosts:
            self._publish_host(host)
        for _, host in domain.mx if domain.tlsa is not None else ():
            owner = f"_{self.port}._tcp.{host.name}"
            self.dns.add(owner, "TLSA", self._tlsa(host, domain.tlsa))
        if domain.fault is not None:
            self.dns.fail(domain.name, domain.fault)
        if domain.signed and self._validating:
            self.dns.sign(domain.name)

    def _tlsa(self, host: LabHost, of: LabTlsa | None) -> str:
        match of:
            case LabTlsa.OF_GOOD:
                return self.servers[host.name].tlsa()
            case LabTlsa.OF_SELF_SIGNED:
                return self.servers[host.name].tlsa(CertificateKind.SELF_SIGNED)
            case _:
                return f"3 1 1 {'00' * 32}"

    def _publish_host(self, host: LabHost) -> None:
        served = self.servers[host.name].addresses if host.name in self.servers else ()
        for address in (*served, *host.published):
            self.dns.add(host.name, "AAAA" if ":" in address else "A", address)


def _keys(domains: Sequence[LabDomain]) -> dict[dns.name.Name, Key]:
    """A key for the root, and one for each domain that is signed."""
    names = (dns.name.from_text(domain.name) for domain in domains if domain.signed)
    return {name: Key.new() for name in (dns.name.root, *names)}


def _quoted(text: str) -> str:
    """*text* as one character-string of a TXT record. RFC 1035 §5.1."""
    escaped = text.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'


def _loopback_addresses() -> Iterator[str]:
    for number in itertools.count():
        high, low = divmod(number, 254)
        yield f"127.77.{high}.{low + 1}"
