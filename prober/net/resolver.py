"""DNS: one question, one answer with three values, and what DNSSEC says of it.

dnspython asks the resolver that the system, or the user, names. RFC 1035, RFC 6891, RFC 4035
§4.6 (AD counts only from a resolver that is trusted, and that was seen to validate).
"""

import asyncio
import enum
import errno
import ipaddress
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.nameserver
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.resolver

from prober.errors import SettingsError
from prober.net.datagram import Backend
from prober.once import Once
from prober.records import Answer, Dnssec, Reason
from prober.settings import Settings

log = logging.getLogger(__name__)

_BACKEND: Final = Backend()
_PAYLOAD: Final = 1232  # bytes of UDP that pass everywhere unfragmented; DNS flag day 2020
_UDP_SHARE: Final = 2 / 3  # of a question's time; TCP has the rest, for networks that drop UDP
_RETRY_DELAY_S: Final = 1.0
_CACHED_ANSWERS: Final = 100_000  # about 1 kB each
_DOCKER_FORWARDER: Final = "127.0.0.11"  # loopback, but it forwards to a resolver elsewhere
_OURS: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL)
_NO_ANSWER: Final = frozenset({Reason.TIMED_OUT, Reason.NO_NAMESERVER})


class DnsStatus(enum.StrEnum):
    """How a question ended. ``FAILED`` says nothing of what exists."""

    FOUND = "found"
    NODATA = "nodata"
    NXDOMAIN = "nxdomain"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsAnswer:
    """The answer to one question. ``canonical_name`` differs from the question behind a CNAME."""

    status: DnsStatus
    records: tuple[dns.rdata.Rdata, ...] = ()
    canonical_name: str = ""
    dnssec: Dnssec = Dnssec.INDETERMINATE
    reason: Reason | None = None
    detail: str | None = None
    answered_at: float = field(default_factory=monotonic, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """Whether any nameserver answers, by transport."""

    over_udp: bool
    over_tcp: bool


Question = tuple[str, str]  # name, type


class Resolver:
    """The system's resolver, or the ones of the settings; every answer is shared for the run.

    Raises SettingsError where a nameserver is not ADDR or ADDR:PORT, or where the system names
    none.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._nameservers = _nameservers(settings)
        self._plain = self._make(self._nameservers)
        self._unchecked = self._make(self._nameservers, checking_disabled=True)
        self._in_flight = asyncio.Semaphore(settings.dns_concurrency)
        self._needs_tcp_until = 0.0
        self._answers: Once[Question, DnsAnswer] = Once(
            self._ask, size=_CACHED_ANSWERS, lifetime_s=self._lifetime_s
        )
        self._alive: Once[None, Alive] = Once(
            self._test_alive, size=1, lifetime_s=lambda _alive: settings.dns_failure_ttl_s
        )
        self._validates: Once[None, Answer] = Once(self._test_validation, size=1)

    def _make(
        self, nameservers: Sequence[dns.nameserver.Nameserver], *, checking_disabled: bool = False
    ) -> dns.asyncresolver.Resolver:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = list(nameservers)
        resolver.timeout = self._settings.dns_try_s
        resolver.use_edns(0, dns.flags.DO, _PAYLOAD)
        flags = dns.flags.RD | dns.flags.AD
        resolver.flags = flags | dns.flags.CD if checking_disabled else flags
        return resolver

    @property
    def addresses(self) -> tuple[str, ...]:
        """The nameservers, as ADDR or ADDR:PORT."""
        return tuple(_shown(server) for server in self._nameservers)

    @property
    def is_trusted(self) -> bool:
        """Whether the path to every nameserver is ours, so that its AD bit cannot be forged."""
        return self._settings.trust_ad or all(
            ipaddress.ip_address(server.address).is_loopback and server.address != _DOCKER_FORWARDER
            for server in self._nameservers
        )

    async def query(self, name: str, rdtype: str) -> DnsAnswer:
        """Ask for *name* as it is: absolute, no search list.

        A failure is asked again before it is believed: an error code after a moment, and silence
        where it is somebody else's question that met it; one's own was repeated, over TCP too.
        """
        question = (name, rdtype)
        began = monotonic()
        answer = await self._answers.get(question)
        if answer.status is not DnsStatus.FAILED:
            return answer
        if answer.reason not in _NO_ANSWER:
            await asyncio.sleep(_RETRY_DELAY_S)
        elif answer.answered_at >= began:
            return answer
        self._answers.forget(question, answer)
        return await self._answers.get(question)

    async def validates(self) -> Answer:
        """Whether the resolver's word on DNSSEC counts.

        It does where the resolver is trusted, fails on a name that is bogus by intent but has it
        once checking is disabled, and sets AD for the root, which is signed: something on the way
        may strip it. Not tested where it has no answer for the bogus name at all.
        """
        return await self._validates.get(None) if self.is_trusted else Answer.NO

    async def is_alive(self) -> bool:
        """Whether any nameserver answers at all: asked for the root, which every one knows."""
        alive = await self._alive.get(None)
        return alive.over_udp or alive.over_tcp

    async def aclose(self) -> None:
        """Cancel what is in flight."""
        for shared in (self._answers, self._alive, self._validates):
            await shared.aclose()

    def _lifetime_s(self, answer: DnsAnswer) -> float | None:
        return self._settings.dns_failure_ttl_s if answer.status is DnsStatus.FAILED else None

    async def _ask(self, question: Question) -> DnsAnswer:
        answer, authenticated = await self._exchange(self._plain, question)
        if answer.reason is Reason.TIMED_OUT and not await self.is_alive():
            detail = f"none of {', '.join(self.addresses)} answers"
            return DnsAnswer(status=DnsStatus.FAILED, reason=Reason.NO_NAMESERVER, detail=detail)
        if not await self._can_judge(answer):
            return answer
        if answer.status is DnsStatus.FAILED:
            return await self._explain_servfail(question, answer)
        return _with_dnssec(answer, Dnssec.SECURE if authenticated else Dnssec.INSECURE)

    async def _can_judge(self, answer: DnsAnswer) -> bool:
        relevant = answer.status is not DnsStatus.FAILED or answer.reason is Reason.SERVFAIL
        return relevant and await self.validates() is Answer.YES

    async def _explain_servfail(self, question: Question, answer: DnsAnswer) -> DnsAnswer:
        """RFC 4035 §4.7, RFC 6840 §5.9: SERVFAIL that answers with CD set is bogus data."""
        unchecked, _ = await self._exchange(self._unchecked, question)
        if unchecked.status is DnsStatus.FAILED:
            return answer
        return DnsAnswer(
            status=DnsStatus.FAILED,
            reason=Reason.BOGUS,
            dnssec=Dnssec.BOGUS,
            detail="the DNSSEC signatures do not verify",
        )

    async def _test_alive(self, _key: None) -> Alive:
        """Ask every nameserver by itself, over UDP and TCP side by side."""
        root = (".", "NS")
        time_s = 2 * self._settings.dns_try_s
        singles = [self._make((server,)) for server in self._nameservers]
        udp, tcp = (
            [_resolve(single, root, time_s, tcp=over_tcp) for single in singles]
            for over_tcp in (False, True)
        )
        answers = await asyncio.gather(*udp, *tcp)
        answered = [answer.reason not in _NO_ANSWER for answer, _ in answers]
        return Alive(over_udp=any(answered[: len(singles)]), over_tcp=any(answered[len(singles) :]))

    async def _test_validation(self, _key: None) -> Answer:
        question = (self._settings.dnssec_probe, "A")
        checked, _ = await self._exchange(self._plain, question)
        if checked.status is DnsStatus.FOUND:
            return Answer.NO
        if checked.reason is not Reason.SERVFAIL:
            return Answer.NOT_TESTED
        unchecked, _ = await self._exchange(self._unchecked, question)
        if unchecked.status is not DnsStatus.FOUND:
            return Answer.NOT_TESTED
        _, root_is_secure = await self._exchange(self._plain, (".", "NS"))
        return Answer.YES if root_is_secure else Answer.NO

    async def _exchange(
        self, resolver: dns.asyncresolver.Resolver, question: Question
    ) -> tuple[DnsAnswer, bool]:
        """Ask over UDP and, where nothing comes back, over TCP: the answer, and its AD bit."""
        time_s = self._settings.dns_s
        async with self._in_flight:
            if monotonic() < self._needs_tcp_until:
                return await _resolve(resolver, question, time_s, tcp=True)
            answer = await _resolve(resolver, question, time_s * _UDP_SHARE, tcp=False)
            if answer[0].reason is not Reason.TIMED_OUT:
                return answer
            answer = await _resolve(resolver, question, time_s * (1 - _UDP_SHARE), tcp=True)
        if answer[0].reason not in _NO_ANSWER and not (await self._alive.get(None)).over_udp:
            # the network drops UDP: no need to wait for it with every question
            self._needs_tcp_until = monotonic() + self._settings.dns_failure_ttl_s
        return answer


async def _resolve(
    resolver: dns.asyncresolver.Resolver, question: Question, lifetime_s: float, *, tcp: bool
) -> tuple[DnsAnswer, bool]:
    name, rdtype = question
    try:
        answer = await resolver.resolve(
            dns.name.from_text(name),
            rdtype,
            tcp=tcp,
            raise_on_no_answer=False,
            lifetime=lifetime_s,
            search=False,
            backend=_BACKEND,
        )
    except dns.resolver.NXDOMAIN as error:
        responses = error.kwargs["responses"].values()
        authenticated = all(_is_authenticated(response) for response in responses)
        return DnsAnswer(status=DnsStatus.NXDOMAIN), authenticated and bool(responses)
    except dns.resolver.LifetimeTimeout:
        return _failed(Reason.TIMED_OUT, None), False
    except dns.resolver.NoNameservers as error:
        return _explain_no_nameservers(error), False
    except (dns.exception.DNSException, OSError) as error:
        return _failed(Reason.DNS_REFUSED, f"{type(error).__name__}: {error}"), False
    if answer.rrset is None:
        if _is_referral(answer.response):
            return _failed(Reason.DNS_REFUSED, "a referral: not a recursive resolver"), False
        return DnsAnswer(status=DnsStatus.NODATA), _is_authenticated(answer.response)
    found = DnsAnswer(
        status=DnsStatus.FOUND,
        records=tuple(answer.rrset),
        canonical_name=host_text(answer.canonical_name),
    )
    return found, _is_authenticated(answer.response)


def _is_authenticated(response: dns.message.Message) -> bool:
    return bool(response.flags & dns.flags.AD)


def _is_referral(response: dns.message.Message) -> bool:
    """RFC 2308 §2.2: an empty answer that names other servers, and no SOA, denies nothing."""
    types = {rrset.rdtype for rrset in response.authority}
    return dns.rdatatype.NS in types and dns.rdatatype.SOA not in types


def _failed(reason: Reason, detail: str | None) -> DnsAnswer:
    return DnsAnswer(status=DnsStatus.FAILED, reason=reason, detail=detail and detail[:200])


def _explain_no_nameservers(error: dns.resolver.NoNameservers) -> DnsAnswer:
    """The error codes that came back; where none did, nothing answered, or we could not ask."""
    for _, _, _, fault, _ in error.kwargs["errors"]:
        if isinstance(fault, OSError) and fault.errno in _OURS:
            return _failed(Reason.LOCAL, fault.strerror)
    rcodes = {item[4].rcode() for item in error.kwargs["errors"] if item[4] is not None}
    if not rcodes:
        return _failed(Reason.TIMED_OUT, None)
    texts = " ".join(sorted(dns.rcode.to_text(rcode) for rcode in rcodes))
    is_servfail = dns.rcode.SERVFAIL in rcodes
    return _failed(Reason.SERVFAIL if is_servfail else Reason.DNS_REFUSED, texts)


def _with_dnssec(answer: DnsAnswer, dnssec: Dnssec) -> DnsAnswer:
    return DnsAnswer(
        status=answer.status,
        records=answer.records,
        canonical_name=answer.canonical_name,
        dnssec=dnssec,
    )


def host_text(name: dns.name.Name) -> str:
    r"""*name* in lower case, without the trailing dot; odd bytes as ``\DDD``. The root is ``.``"""
    return name.to_text(omit_final_dot=True).lower()


def _nameservers(settings: Settings) -> tuple[dns.nameserver.Do53Nameserver, ...]:
    if settings.resolvers:
        return tuple(_parse_nameserver(text) for text in settings.resolvers)
    try:
        system = dns.resolver.Resolver().nameservers
    except dns.resolver.NoResolverConfiguration as error:
        raise SettingsError(
            "this machine names no resolver (/etc/resolv.conf): give one with --resolver ADDR"
        ) from error
    return tuple(dns.nameserver.Do53Nameserver(str(server)) for server in system)


def _parse_nameserver(text: str) -> dns.nameserver.Do53Nameserver:
    """ADDR, ADDR:PORT, or [ADDR]:PORT for IPv6."""
    address, port = text, "53"
    if text.startswith("["):
        address, bracket, port = text[1:].partition("]")
        port = port.removeprefix(":") or "53" if bracket else ""
    elif text.count(":") == 1:
        address, _, port = text.partition(":")
    try:
        ipaddress.ip_address(address)
        number = int(port)
    except ValueError:
        number = 0
    if not 0 < number < 65536:
        raise SettingsError(f"not a nameserver: {text!r}; write ADDR, ADDR:PORT or [ADDR]:PORT")
    return dns.nameserver.Do53Nameserver(address, number)


def _shown(server: dns.nameserver.Do53Nameserver) -> str:
    if server.port == 53:
        return server.address
    address = f"[{server.address}]" if ":" in server.address else server.address
    return f"{address}:{server.port}"
