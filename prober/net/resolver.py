"""DNS: one question, one answer with three values, and what DNSSEC says of it.

Asked is the resolver that the system, or the user, names; dnspython finds the system's and parses
records. RFC 1035, RFC 4035 §4.6 (AD counts only from a resolver that is trusted, and that was seen
to validate).
"""

import asyncio
import enum
import errno
import functools
import ipaddress
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

import dns.exception
import dns.name
import dns.rcode
import dns.rdata
import dns.resolver
from dns.rcode import Rcode

from prober.answer_cache import SingleFlight
from prober.errors import SettingsError
from prober.net.dns_message import Query, Response, TooLargeError
from prober.net.nameserver import Nameserver, NoneLeftError, ask_in_turn
from prober.pace import QuestionPacer
from prober.records import Answer, Dnssec, Reason
from prober.settings import Settings

log = logging.getLogger(__name__)

_UDP_SHARE: Final = 2 / 3  # of a question's time; TCP has the rest, for networks that drop UDP
_RETRY_DELAY_S: Final = 1.0
_CACHED_ANSWERS: Final = 100_000  # about 1 kB each
_DOCKER_FORWARDER: Final = "127.0.0.11"  # loopback, but it forwards to a resolver elsewhere
_CAN_WAIT: Final = frozenset({"TXT"})  # the others lead to servers, which may take minutes
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
    """The answer to one question. ``canonical_name`` is that behind a CNAME; empty without one."""

    status: DnsStatus
    records: tuple[dns.rdata.Rdata, ...] = ()
    canonical_name: str = ""
    dnssec: Dnssec = Dnssec.INDETERMINATE
    reason: Reason | None = None
    detail: str | None = None
    answered_at: float = field(default_factory=monotonic, compare=False)


# Secure, since nobody can forge a name that cannot exist. RFC 1035 §2.3.4.
ABSENT_BY_LENGTH: Final = DnsAnswer(
    status=DnsStatus.NXDOMAIN,
    dnssec=Dnssec.SECURE,
    detail="absent by length: no name has more than 255 octets, and no label more than 63",
)


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
        self._pacer = QuestionPacer(settings.dns_concurrency, settings.dns_per_s)
        self._needs_tcp_until = 0.0
        self._answers: SingleFlight[Question, DnsAnswer] = SingleFlight(
            self._ask, size=_CACHED_ANSWERS, lifetime_s=self._lifetime_s
        )
        self._alive: SingleFlight[None, Alive] = SingleFlight(
            self._test_alive, size=1, lifetime_s=lambda _alive: settings.dns_failure_ttl_s
        )
        self._validates: SingleFlight[None, Answer] = SingleFlight(
            self._test_validation, size=1, lifetime_s=self._validation_lifetime_s
        )

    @property
    def addresses(self) -> tuple[str, ...]:
        """The nameservers, as ADDR or ADDR:PORT."""
        return tuple(map(str, self._nameservers))

    @functools.cached_property
    def is_trusted(self) -> bool:
        """Whether the path to every nameserver is ours, so that its AD bit cannot be forged."""
        return self._settings.trust_ad or all(
            ipaddress.ip_address(server.address).is_loopback and server.address != _DOCKER_FORWARDER
            for server in self._nameservers
        )

    async def query(self, name: str, rdtype: str) -> DnsAnswer:
        """Ask for *name* as it is: absolute, no search list. One too long for DNS is absent.

        A failure is asked again before it is believed: an error code or a refusal after a moment,
        in which a resolver may have restarted, and silence where it is somebody else's question
        that met it; one's own was repeated, over TCP too.
        """
        question = (name, rdtype)
        began = monotonic()
        answer = await self._answers.get(question)
        if answer.status is not DnsStatus.FAILED:
            return answer
        if answer.reason not in _NO_ANSWER or monotonic() - began < _RETRY_DELAY_S:
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

    def _validation_lifetime_s(self, answer: Answer) -> float | None:
        return self._settings.dns_failure_ttl_s if answer is Answer.NOT_TESTED else None

    async def _ask(self, question: Question) -> DnsAnswer:
        if self.is_trusted:  # asked beside the question, whose answer needs it
            self._validates.begin(None)
        answer, authenticated = await self._exchange(question)
        if answer is ABSENT_BY_LENGTH:
            return answer
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
        unchecked, _ = await self._exchange(question, checking_disabled=True)
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
        root = Query.of(".", "NS")
        time_s = 2 * self._settings.dns_try_s
        udp, tcp = (
            [self._resolve((server,), root, time_s, tcp=over_tcp) for server in self._nameservers]
            for over_tcp in (False, True)
        )
        answers = await asyncio.gather(*udp, *tcp)
        answered = [answer.reason not in _NO_ANSWER for answer, _ in answers]
        count = len(self._nameservers)
        return Alive(over_udp=any(answered[:count]), over_tcp=any(answered[count:]))

    async def _test_validation(self, _key: None) -> Answer:
        question = (self._settings.dnssec_probe, "A")
        (checked, _), (unchecked, _), (_, root_is_secure) = await asyncio.gather(
            self._exchange(question),
            self._exchange(question, checking_disabled=True),
            self._exchange((".", "NS")),
        )
        if checked.status is DnsStatus.FOUND:
            return Answer.NO
        if checked.reason is not Reason.SERVFAIL or unchecked.status is not DnsStatus.FOUND:
            return Answer.NOT_TESTED
        return Answer.YES if root_is_secure else Answer.NO

    async def _exchange(
        self, question: Question, *, checking_disabled: bool = False
    ) -> tuple[DnsAnswer, bool]:
        """Ask over UDP and, where nothing comes back, over TCP: the answer, and its AD bit."""
        try:
            query = Query.of(*question, checking_disabled=checking_disabled)
        except (dns.name.NameTooLong, dns.name.LabelTooLong):
            return ABSENT_BY_LENGTH, False
        except dns.exception.DNSException as error:
            return _failed(Reason.DNS_REFUSED, f"{type(error).__name__}: {error}"), False
        time_s = self._settings.dns_s
        servers = self._nameservers
        async with self._pacer.turn(can_wait=question[1] in _CAN_WAIT):
            if monotonic() < self._needs_tcp_until:
                return await self._resolve(servers, query, time_s, tcp=True)
            answer = await self._resolve(servers, query, time_s * _UDP_SHARE, tcp=False)
            if answer[0].reason is not Reason.TIMED_OUT:
                return answer
            answer = await self._resolve(servers, query, time_s * (1 - _UDP_SHARE), tcp=True)
        if answer[0].reason not in _NO_ANSWER and not (await self._alive.get(None)).over_udp:
            # the network drops UDP: no need to wait for it with every question
            self._needs_tcp_until = monotonic() + self._settings.dns_failure_ttl_s
        return answer

    async def _resolve(
        self, servers: Sequence[Nameserver], query: Query, lifetime_s: float, *, tcp: bool
    ) -> tuple[DnsAnswer, bool]:
        try_s = self._settings.dns_try_s
        try:
            response = await ask_in_turn(
                servers, query, tcp=tcp, try_s=try_s, lifetime_s=lifetime_s
            )
        except TimeoutError:
            return _failed(Reason.TIMED_OUT, None), False
        except NoneLeftError as error:
            return _explain(error), False
        return _to_answer(response), response.authenticated


def _to_answer(response: Response) -> DnsAnswer:
    if response.rcode == Rcode.NXDOMAIN:
        return DnsAnswer(status=DnsStatus.NXDOMAIN)
    if response.records:
        return DnsAnswer(
            status=DnsStatus.FOUND,
            records=response.records,
            canonical_name=host_text(response.canonical_name) if response.canonical_name else "",
        )
    if response.is_referral:
        return _failed(Reason.DNS_REFUSED, "a referral: not a recursive resolver")
    return DnsAnswer(status=DnsStatus.NODATA)


def _failed(reason: Reason, detail: str | None) -> DnsAnswer:
    return DnsAnswer(status=DnsStatus.FAILED, reason=reason, detail=detail and detail[:200])


def _explain(error: NoneLeftError) -> DnsAnswer:
    """The error codes that came back; where none did, nothing answered, or we could not ask."""
    for fault in error.faults:
        if isinstance(fault, OSError) and fault.errno in _OURS:
            return _failed(Reason.LOCAL, fault.strerror)
        if isinstance(fault, TooLargeError):
            return _failed(Reason.LIMIT, str(fault))
    rcodes = {fault for fault in error.faults if isinstance(fault, Rcode)}
    if not rcodes:
        return _failed(Reason.TIMED_OUT, None)
    texts = " ".join(sorted(dns.rcode.to_text(rcode) for rcode in rcodes))
    return _failed(Reason.SERVFAIL if Rcode.SERVFAIL in rcodes else Reason.DNS_REFUSED, texts)


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


def _nameservers(settings: Settings) -> tuple[Nameserver, ...]:
    if settings.resolvers:
        return tuple(_parse_nameserver(text) for text in settings.resolvers)
    try:
        system = dns.resolver.Resolver().nameservers
    except dns.resolver.NoResolverConfiguration as error:
        raise SettingsError(
            "this machine names no resolver (/etc/resolv.conf): give one with --resolver ADDR"
        ) from error
    return tuple(Nameserver(str(server)) for server in system)


def _parse_nameserver(text: str) -> Nameserver:
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
    return Nameserver(address, number)
