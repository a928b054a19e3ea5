"""DNS look-ups: found, not there, or unknown; and the DNSSEC state of each answer.

Questions go to the resolver of the system or of ``--resolver``. The AD flag (RFC 4035 §4.6) counts
only from a resolver that is trusted and was seen to validate. Where it does not count, answers are
validated here. dnspython finds the system's resolver and parses records.
"""

import asyncio
import contextlib
import enum
import errno
import functools
import ipaddress
import logging
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic, time
from typing import Final

import dns.exception
import dns.name
import dns.rdata
import dns.rdatatype
import dns.resolver
from dns.name import Name
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from prober.answer_cache import SingleFlight
from prober.dnssec.anchors import ROOT, Anchors, parse_anchors
from prober.dnssec.judgement import Judgement, Reply, Work
from prober.dnssec.proof import make_proof
from prober.dnssec.validator import NoReply, Validator
from prober.errors import ProbeError, SettingsError
from prober.escape import printable
from prober.files import read_whole, why_unreadable
from prober.net.dns_message import Query, Response, TooLargeError
from prober.net.nameserver import ErrorCode, Nameserver, NoneLeftError, ask_in_turn
from prober.pace import QuestionLimiter
from prober.records import Answer, Dnssec, DnssecProof, Reason
from prober.settings import Settings, Validation

log = logging.getLogger(__name__)

_UDP_SHARE: Final = 2 / 3  # of a question's time; TCP has the rest, for networks that drop UDP
_RETRY_DELAY_S: Final = 1.0
_CACHED_ANSWERS: Final = 100_000  # about 1 kB each
_DOCKER_FORWARDER: Final = "127.0.0.11"  # loopback, but it forwards to a resolver elsewhere
_CAN_WAIT: Final = frozenset({"TXT"})  # the others lead to servers, which may take minutes
_OURS: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL)
_CHAIN_KEPT: Final = 20_000  # replies with DS and DNSKEY records for proofs, at 5 to 10 kB
_MAX_DETAIL: Final = 300  # characters
_ANCHOR_BYTES: Final = 65_536  # of a file of trust anchors; one key has 0.4 kB
_NO_ANSWER: Final = frozenset({Reason.TIMED_OUT, Reason.NO_NAMESERVER})


class DnsStatus(enum.StrEnum):
    """How a question ended. ``FAILED``: whether the records exist is unknown."""

    FOUND = "found"
    NODATA = "nodata"
    NXDOMAIN = "nxdomain"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsAnswer:
    """The answer to one question. ``canonical_name``: the target of a CNAME, or empty."""

    status: DnsStatus
    records: tuple[dns.rdata.Rdata, ...] = ()
    canonical_name: str = ""
    dnssec: Dnssec = Dnssec.INDETERMINATE
    reason: Reason | None = None
    detail: str | None = None
    answered_at: float = field(default_factory=monotonic, compare=False)
    reply: Reply | None = field(default=None, compare=False, repr=False)  # where proofs are kept


# Secure: a name that cannot exist cannot be forged. RFC 1035 §2.3.4.
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


@dataclass(slots=True)
class DomainDnssec:
    """The limits of DNSSEC work for one domain, and its secure answers so far."""

    work: Work
    answers: dict[tuple[Name, RdataType], Reply] = field(default_factory=dict)


_DOMAIN: ContextVar[DomainDnssec | None] = ContextVar("_DOMAIN", default=None)


class Resolver:
    """Asks the nameservers of the system or of the settings. Each question is asked once per run.

    Raises SettingsError where a nameserver is not ADDR or ADDR:PORT, where the system names none,
    or where the file of trust anchors holds none.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._nameservers = _nameservers(settings)
        self._pacer = QuestionLimiter(settings.pace.dns_concurrency, settings.pace.dns_per_s)
        self._needs_tcp_until = 0.0
        self._answers: SingleFlight[Question, DnsAnswer] = SingleFlight(
            self._ask, size=_CACHED_ANSWERS, lifetime_s=self._lifetime_s
        )
        self._alive: SingleFlight[None, Alive] = SingleFlight(
            self._test_alive, size=1, lifetime_s=lambda _alive: settings.dns_failure_ttl_s
        )
        self._is_disbelieved = False  # it is trusted, but was seen not to validate
        self._anchors = read_anchors(settings.trust_anchor)
        self._chain: OrderedDict[tuple[Name, RdataType], Reply] = OrderedDict()
        self.validator = Validator(
            self._ask_for_validation,
            anchors=self._anchors,
            work=self._new_work,
            failure_ttl_s=settings.dns_failure_ttl_s,
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
        """Whether the AD flag may count: nameservers on this machine, or ``--trust-ad``."""
        return self._settings.trust_ad or all(
            ipaddress.ip_address(server.address).is_loopback and server.address != _DOCKER_FORWARDER
            for server in self._nameservers
        )

    async def query(self, name: str, rdtype: str) -> DnsAnswer:
        """Ask for *name*, an absolute name. A name too long for DNS does not exist.

        A failure is confirmed by a second question: after a moment where the resolver answered an
        error, since it may have restarted; and where the shared answer of an earlier question was
        a time-out. A time-out of this question was already repeated, over TCP too.
        """
        answer = await self._query(name, rdtype)
        domain = _DOMAIN.get()
        if domain is not None and answer.reply is not None:
            key = dns.name.from_text(name), dns.rdatatype.from_text(rdtype)
            domain.answers[key] = answer.reply
        return answer

    async def _query(self, name: str, rdtype: str) -> DnsAnswer:
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
        """Whether the resolver's AD flag counts.

        It counts where the resolver is trusted, answers SERVFAIL for a name that is bogus on
        purpose (but not with checking disabled), and sets AD for the root, which is signed:
        something on the way may remove AD. Not tested where the bogus name gets no answer at all.
        """
        return await self._validates.get(None) if self.is_trusted else Answer.NO

    async def validation(self) -> Validation:
        """Who validates answers. With ``auto`` this tests the resolver first."""
        chosen = self._settings.dnssec
        if chosen is not Validation.AUTO:
            return chosen
        return Validation.RESOLVER if await self.validates() is Answer.YES else Validation.LOCAL

    async def is_alive(self) -> bool:
        """Whether any nameserver answers a question about the root."""
        alive = await self._alive.get(None)
        return alive.over_udp or alive.over_tcp

    async def aclose(self) -> None:
        """Cancel the questions in flight."""
        for shared in (self._answers, self._alive, self._validates):
            await shared.aclose()
        await self.validator.aclose()

    def _lifetime_s(self, answer: DnsAnswer) -> float | None:
        return self._settings.dns_failure_ttl_s if answer.status is DnsStatus.FAILED else None

    def _validation_lifetime_s(self, answer: Answer) -> float | None:
        return self._settings.dns_failure_ttl_s if answer is Answer.NOT_TESTED else None

    async def _ask(self, question: Question) -> DnsAnswer:
        if self._validates_here:
            return await self._ask_and_judge(question)
        if self.is_trusted and self._settings.dnssec is not Validation.OFF:
            self._validates.begin(None)  # in parallel: the answer will need it
        answer, response = await self._exchange(question)
        if not _can_be_judged(answer) or self._settings.dnssec is Validation.OFF:
            return await self._or_blind(answer)
        if await self.validates() is not Answer.YES:
            if self._settings.dnssec is Validation.RESOLVER:
                return answer
            self._is_disbelieved = True
            return await self._ask_and_judge(question)
        if response is None:
            return await self._explain_servfail(question, answer)
        return _with_dnssec(answer, Dnssec.SECURE if response.authenticated else Dnssec.INSECURE)

    async def _or_blind(self, answer: DnsAnswer) -> DnsAnswer:
        """*answer*; after a time-out, an answer which says that no nameserver answers at all."""
        if answer.reason is not Reason.TIMED_OUT or await self.is_alive():
            return answer
        detail = f"none of {', '.join(self.addresses)} answers"
        return DnsAnswer(status=DnsStatus.FAILED, reason=Reason.NO_NAMESERVER, detail=detail)

    @property
    def _validates_here(self) -> bool:
        """Whether answers are validated here, as far as known before a question is asked."""
        if self._settings.dnssec is Validation.AUTO:
            return self._is_disbelieved or not self.is_trusted
        return self._settings.dnssec is Validation.LOCAL

    async def _ask_and_judge(self, question: Question) -> DnsAnswer:
        query = _to_query(question, checking_disabled=True)
        if isinstance(query, DnsAnswer):
            return query
        answer, response = await self._send(query, low_priority=question[1] in _CAN_WAIT)
        if response is None or answer.status is DnsStatus.FAILED:
            return await self._or_blind(answer)
        reply = _to_reply(response)
        judgement = await self.validator.judge(query.name, query.rdtype, reply)
        judged = _with_judgement(answer, judgement)
        if self._settings.proofs and judged.dnssec is Dnssec.SECURE:
            return replace(judged, reply=reply)
        return judged

    async def _ask_for_validation(self, name: Name, rdtype: RdataType) -> Reply | NoReply:
        """Ask a question of the validator. A failure is confirmed by a second one."""
        query = Query(name, rdtype, checking_disabled=True)
        answer, response = await self._send(query)
        if answer.status is DnsStatus.FAILED:
            await asyncio.sleep(_RETRY_DELAY_S)
            answer, response = await self._send(query)
        if response is not None and answer.status is not DnsStatus.FAILED:
            reply = _to_reply(response)
            if self._settings.proofs:
                self._keep(name, rdtype, reply)
            return reply
        reason = answer.reason or Reason.LOCAL
        return NoReply(reason, answer.detail or reason)

    def _keep(self, name: Name, rdtype: RdataType, reply: Reply) -> None:
        self._chain[name, rdtype] = reply
        self._chain.move_to_end((name, rdtype))
        if len(self._chain) > _CHAIN_KEPT:
            self._chain.popitem(last=False)

    def _new_work(self) -> Work:
        """The limits of work for one answer. It also counts against those of its domain."""
        settings, domain = self._settings, _DOMAIN.get()
        within = None if domain is None else domain.work
        return Work(settings.dnssec_signatures, settings.dnssec_hashes, within)

    @contextlib.contextmanager
    def for_domain(self, domain: DomainDnssec) -> Iterator[None]:
        """Count the DNSSEC work in the block, and in tasks it starts, for *domain*."""
        token = _DOMAIN.set(domain)
        try:
            yield
        finally:
            _DOMAIN.reset(token)

    def new_domain(self) -> DomainDnssec:
        """The limits of work for all answers of one domain, and no answers yet."""
        settings = self._settings
        return DomainDnssec(Work(settings.dnssec_domain_signatures, settings.dnssec_domain_hashes))

    async def proof(self, domain: DomainDnssec) -> DnssecProof | None:
        """The proof of the secure answers of *domain*; None if there are none to keep."""
        settings = self._settings
        if not settings.proofs:
            return None
        work = Work(settings.dnssec_domain_signatures, settings.dnssec_domain_hashes)
        return await make_proof(domain.answers, self._chain, self._anchors, work)

    async def _explain_servfail(self, question: Question, answer: DnsAnswer) -> DnsAnswer:
        """RFC 4035 §4.7, RFC 6840 §5.9: SERVFAIL that answers with CD set is bogus data."""
        unchecked, _ = await self._exchange(question, checking_disabled=True)
        if unchecked.status is DnsStatus.FAILED:
            return answer
        return _bogus(f"the DNSSEC signatures do not verify: {answer.detail}")

    async def _test_alive(self, _key: None) -> Alive:
        """Ask each nameserver separately, over UDP and TCP in parallel."""
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
        (checked, _), (unchecked, _), (_, root) = await asyncio.gather(
            self._exchange(question),
            self._exchange(question, checking_disabled=True),
            self._exchange((".", "NS")),
        )
        if checked.status is DnsStatus.FOUND:
            return Answer.NO
        if checked.reason is not Reason.SERVFAIL or unchecked.status is not DnsStatus.FOUND:
            return Answer.NOT_TESTED
        root_is_secure = root is not None and root.authenticated
        return Answer.YES if root_is_secure else Answer.NO

    async def _exchange(
        self, question: Question, *, checking_disabled: bool = False
    ) -> tuple[DnsAnswer, Response | None]:
        """The answer, and the response if one came."""
        query = _to_query(question, checking_disabled=checking_disabled)
        if isinstance(query, DnsAnswer):
            return query, None
        return await self._send(query, low_priority=question[1] in _CAN_WAIT)

    async def _send(
        self, query: Query, *, low_priority: bool = False
    ) -> tuple[DnsAnswer, Response | None]:
        """Ask over UDP; after a time-out, over TCP."""
        time_s = self._settings.dns_s
        servers = self._nameservers
        async with self._pacer.turn(low_priority=low_priority):
            if monotonic() < self._needs_tcp_until:
                return await self._resolve(servers, query, time_s, tcp=True)
            answer = await self._resolve(servers, query, time_s * _UDP_SHARE, tcp=False)
            if answer[0].reason is not Reason.TIMED_OUT:
                return answer
            answer = await self._resolve(servers, query, time_s * (1 - _UDP_SHARE), tcp=True)
        if answer[0].reason not in _NO_ANSWER and not (await self._alive.get(None)).over_udp:
            # the network drops UDP: do not wait for it with every question
            self._needs_tcp_until = monotonic() + self._settings.dns_failure_ttl_s
        return answer

    async def _resolve(
        self, servers: Sequence[Nameserver], query: Query, lifetime_s: float, *, tcp: bool
    ) -> tuple[DnsAnswer, Response | None]:
        try_s = self._settings.dns_try_s
        try:
            response = await ask_in_turn(
                servers, query, tcp=tcp, try_s=try_s, lifetime_s=lifetime_s
            )
        except TimeoutError:
            return _failed(Reason.TIMED_OUT, None), None
        except NoneLeftError as error:
            return _explain(error), None
        return _to_answer(response), response


def _to_query(question: Question, *, checking_disabled: bool) -> Query | DnsAnswer:
    """The query for *question*, or the answer to it if no query can be made."""
    try:
        return Query.of(*question, checking_disabled=checking_disabled)
    except (dns.name.NameTooLong, dns.name.LabelTooLong):
        return ABSENT_BY_LENGTH
    except dns.exception.DNSException as error:
        return _failed(Reason.DNS_REFUSED, f"{type(error).__name__}: {error}")


def _can_be_judged(answer: DnsAnswer) -> bool:
    if answer is ABSENT_BY_LENGTH:
        return False
    return answer.status is not DnsStatus.FAILED or answer.reason is Reason.SERVFAIL


def _to_reply(response: Response) -> Reply:
    return Reply(
        rcode=response.rcode,
        answer=response.answer,
        authority=response.authority,
        knows_dnssec=response.knows_dnssec,
        now=time(),
    )


def _with_judgement(answer: DnsAnswer, judgement: Judgement) -> DnsAnswer:
    """The answer of a validating resolver: none if the data cannot be fetched."""
    if judgement.state is Dnssec.BOGUS:
        return _bogus(str(judgement))
    if judgement.failure is not None:
        return _failed(judgement.failure, str(judgement))
    return replace(answer, dnssec=judgement.state, detail=str(judgement) or None)


def _bogus(detail: str) -> DnsAnswer:
    return DnsAnswer(
        status=DnsStatus.FAILED,
        reason=Reason.BOGUS,
        dnssec=Dnssec.BOGUS,
        detail=detail[:_MAX_DETAIL],
    )


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
    return DnsAnswer(status=DnsStatus.FAILED, reason=reason, detail=detail and detail[:_MAX_DETAIL])


def _explain(error: NoneLeftError) -> DnsAnswer:
    """The failure: the error codes received, a fault of this machine, or a time-out."""
    for fault in error.faults:
        if isinstance(fault, OSError) and fault.errno in _OURS:
            return _failed(Reason.LOCAL, fault.strerror)
        if isinstance(fault, TooLargeError):
            return _failed(Reason.LIMIT, str(fault))
    codes = {fault for fault in error.faults if isinstance(fault, ErrorCode)}
    if not codes:
        return _failed(Reason.TIMED_OUT, None)
    texts = " ".join(sorted(map(str, codes)))
    is_servfail = any(code.rcode == Rcode.SERVFAIL for code in codes)
    return _failed(Reason.SERVFAIL if is_servfail else Reason.DNS_REFUSED, texts)


def _with_dnssec(answer: DnsAnswer, dnssec: Dnssec) -> DnsAnswer:
    return replace(answer, dnssec=dnssec)


def host_text(name: dns.name.Name) -> str:
    r"""*name* in lower case, without the trailing dot; odd bytes as ``\DDD``. The root is ``.``"""
    return name.to_text(omit_final_dot=True).lower()


def read_anchors(path: Path | None) -> Anchors:
    """The trust anchors in the file *path*; without one, the keys of the root.

    Raises SettingsError where it cannot be read, or holds something else.
    """
    if path is None:
        return ROOT
    name = printable(str(path))
    try:
        return parse_anchors(read_whole(path, _ANCHOR_BYTES).decode())
    except OSError as error:
        raise SettingsError(
            f"cannot read the trust anchors {name}: {why_unreadable(error)}"
        ) from error
    except (UnicodeDecodeError, ProbeError) as error:
        raise SettingsError(f"the trust anchors {name}: {printable(str(error))}") from error


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
