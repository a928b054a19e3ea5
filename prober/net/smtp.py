"""One SMTP session up to TLS and QUIT. RFC 5321 §3.1, RFC 3207 §4.

Never sends MAIL FROM. Left out: HELP, AUTH, and every port but the one given.
"""

import abc
import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic
from typing import Final

import aiosmtplib

from prober import clock
from prober.clock import Heartbeat
from prober.escape import as_ascii
from prober.net.dialogue import Dialogue, Transcript, require_open
from prober.net.failures import (
    PEER_ERRORS,
    AlertError,
    SilentRefusalError,
    UnwantedReplyError,
    classify,
)
from prober.net.reply import (
    Reply,
    ehlo_keywords,
    masked_by,
    odd_offer,
    offers,
)
from prober.net.route import blame_missing_ipv6, require_route
from prober.net.tls import TlsClient, TlsLink, Wire, refused_late
from prober.records import (
    AnomalyKind,
    Attempt,
    DeepQuestion,
    EndpointFacts,
    Failure,
    Hello,
    Reason,
    StartTls,
    Step,
)
from prober.rules.retry import SERVICE_CLOSING
from prober.settings import Settings

log = logging.getLogger(__name__)

CLIENT_HELLO: Final = "ClientHello:"  # in a transcript, before what is special about this one
_EHLO_UNKNOWN: Final = (500, 502)  # RFC 5321 §3.2: then HELO; any other refusal is of us


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What to connect to, and for which MX host."""

    mx_host: str
    address: str
    port: int
    server_name: str | None = None  # for SNI, where it is not the MX host
    proves_by_tlsa: bool = False  # has TLSA, or may have: its own certificate must be seen
    left_out: str | None = None  # why it is not to be contacted


def _accepted(reply: Reply) -> Reply:
    """*reply* if it is positive: any 2yz, as senders read it (RFC 5321 §4.2.1)."""
    if not 200 <= reply.code < 300:
        raise UnwantedReplyError(reply)
    return reply


class Session(abc.ABC):
    """One session that is running: its step, its facts so far and its transcript.

    A subclass defines what follows the positive reply to STARTTLS.
    """

    def __init__(
        self,
        target: Target,
        settings: Settings,
        heartbeat: Heartbeat | None = None,
        on_step: Callable[[Step, float], None] | None = None,
    ) -> None:
        self._heartbeat = heartbeat or Heartbeat()
        self._on_step = on_step
        self._target = target
        self._settings = settings
        self._transcript = Transcript(settings)
        self._dialogue: Dialogue | None = None
        self._may_quit = False
        self.step, self._step_began = Step.CONNECT, monotonic()
        self._ends_by = self._step_began + settings.session_s
        self._facts = EndpointFacts(
            mx_host=target.mx_host,
            address=target.address,
            port=target.port,
            observed_at=clock.now(),
        )

    async def observe(self) -> EndpointFacts:
        """Run the session to its end. Never raises because of what the peer does."""
        deadline = asyncio.timeout(self._settings.session_s)
        try:
            try:
                async with deadline:
                    await self._run()
            except PEER_ERRORS as error:
                self._stop(error, out_of_time=deadline.expired())
            await self._quit()
        finally:
            self._close()
        return self._observed()

    @abc.abstractmethod
    async def _secure(self, dialogue: Dialogue) -> None:
        """What follows STARTTLS. Raises one of PEER_ERRORS if the peer stops it."""

    async def _run(self) -> None:
        """All steps in order. Raises one of PEER_ERRORS if the peer stops it."""
        dialogue = await self._connect()
        greeting = await self._greeting(dialogue)
        ehlo = await self._ehlo(dialogue)
        if ehlo is None or not offers(self._facts.ehlo_keywords, "STARTTLS"):
            self._conclude_without_offer(dialogue, greeting, ehlo)
            return
        odd = odd_offer(greeting, ehlo)
        if odd is not None:
            dialogue.remark(AnomalyKind.STARTTLS_OFFER_MALFORMED, odd)
        await self._starttls(dialogue)
        await self._secure(dialogue)

    def _enter(self, step: Step, at_most_s: float) -> None:
        self.step, self._step_began = step, monotonic()
        if self._on_step is not None:
            self._on_step(step, min(at_most_s, self._ends_by - self._step_began))

    async def _connect(self) -> Dialogue:
        target = self._target
        self._enter(Step.CONNECT, self._settings.connect_s)
        loop = asyncio.get_running_loop()
        self._dialogue = dialogue = Dialogue(self._transcript, stray_s=self._settings.stray_s)
        self._transcript.note("probe", f"connect to {target.address} port {target.port}")
        try:
            async with asyncio.timeout(self._settings.connect_s):
                await loop.create_connection(lambda: dialogue, target.address, target.port)
        except OSError:
            require_route(target.address, target.port)
            raise
        return dialogue

    async def _greeting(self, dialogue: Dialogue) -> Reply:
        self._enter(Step.GREETING, self._settings.greeting_s)
        greeting = await dialogue.greeting(self._settings.greeting_s)
        self._may_quit = True  # before the greeting it would be a synchronisation error
        self._facts = replace(self._facts, greeting=greeting.text)
        return _accepted(greeting)

    async def _ehlo(self, dialogue: Dialogue) -> Reply | None:
        """The EHLO reply, or None where only HELO is understood (RFC 5321 §3.2)."""
        timeout_s = self._settings.command_s
        self._enter(Step.EHLO, timeout_s)
        name = self._settings.ehlo_name or _address_literal(dialogue)
        reply = await dialogue.command("EHLO", name, timeout_s=timeout_s)
        if reply.code in _EHLO_UNKNOWN:
            _accepted(await dialogue.command("HELO", name, timeout_s=timeout_s))
            dialogue.remark(AnomalyKind.HELO_ONLY, reply.text)
            return None
        self._facts = replace(self._facts, ehlo_keywords=ehlo_keywords(_accepted(reply)))
        return reply

    def _conclude_without_offer(
        self, dialogue: Dialogue, greeting: Reply, ehlo: Reply | None
    ) -> None:
        """STARTTLS is not offered, unless a middlebox overwrote the reply."""
        masked = masked_by(greeting, ehlo)
        if masked is None:
            self._facts = replace(self._facts, starttls=StartTls.NOT_OFFERED)
        else:
            dialogue.remark(AnomalyKind.MASKED, masked)
            failure = Failure(step=Step.EHLO, reason=Reason.MASKED, detail=masked[:200])
            self._facts = replace(self._facts, failure=failure)

    async def _starttls(self, dialogue: Dialogue) -> None:
        self._enter(Step.STARTTLS, self._settings.command_s)
        reply = await dialogue.command("STARTTLS", timeout_s=self._settings.command_s)
        if reply.code // 100 != 2 and reply.code != SERVICE_CLOSING:
            await self._require_answer(dialogue, reply)
        _accepted(reply)
        self._facts = replace(self._facts, starttls=StartTls.OFFERED)
        injected = dialogue.take_surplus()  # nothing may stand there: CVE-2011-0411
        if injected:
            require_open(injected)
            shown = as_ascii(injected)
            dialogue.remark(AnomalyKind.STARTTLS_RESPONSE_INJECTION, shown)

    async def _require_answer(self, dialogue: Dialogue, refusal: Reply) -> None:
        """Raise SilentRefusalError if the server does not answer after it refused STARTTLS.

        A sender that does not require TLS sends MAIL now. If no answer comes, it holds the mail
        back.
        """
        try:
            reply = await dialogue.command("NOOP", timeout_s=self._settings.command_s)
            if reply.code == SERVICE_CLOSING:
                raise UnwantedReplyError(reply)
        except PEER_ERRORS as error:
            raise SilentRefusalError(refusal, error) from error

    def _begin_handshake(self, dialogue: Dialogue) -> Wire:
        """The connection for TLS. After this, QUIT in clear would be an invalid TLS record."""
        self._enter(Step.HANDSHAKE, self._settings.handshake_s)
        self._may_quit = False
        if dialogue.wire is None or not dialogue.is_connected:
            raise aiosmtplib.SMTPServerDisconnected("closed")
        return dialogue.wire

    async def _quit(self) -> None:
        """RFC 5321 §4.1.1.10. No answer depends on the reply, so the wait for it is short."""
        if self._dialogue is None or not self._may_quit or not self._dialogue.is_connected:
            return
        self._dialogue.take_surplus()  # what stopped the session may have left some of itself
        try:
            await self._dialogue.command("QUIT", timeout_s=self._settings.quit_s)
        except PEER_ERRORS as error:
            log.debug("%s: QUIT: %r", self._target.address, error)

    def _close(self) -> None:
        """Close the connection, without waiting."""
        if self._dialogue is not None:
            self._dialogue.close()

    def _stop(self, error: Exception, *, out_of_time: bool) -> None:
        """Note the failure that *error* means at the current step. docs/verdict.md."""
        stalled_s = self._heartbeat.stalled_s(self._step_began)
        if out_of_time:  # our own patience for the whole session: no answer to any step
            detail = f"no more than {self._settings.session_s:g} s a session"
            failure = Failure(step=self.step, reason=Reason.TIMED_OUT, detail=detail)
        elif isinstance(error, TimeoutError) and stalled_s is not None:
            detail = (
                f"it was too busy to measure for {stalled_s:.1f} s, so this time-out does not "
                "count: run it again"
            )
            failure = Failure(step=self.step, reason=Reason.LOCAL, detail=detail)
        elif self.step is Step.POST_TLS and isinstance(error, AlertError):
            # TLS 1.3: the server may refuse after the client thinks it is done (RFC 8446 §4.4.2.4)
            failure = Failure(step=Step.HANDSHAKE, reason=Reason.ALERT, detail=str(error))
            self._facts = refused_late(self._facts, alert=str(error))
        else:
            failure = blame_missing_ipv6(classify(self.step, error), self._target.address)
        starttls = _starttls_after(self._facts.starttls, failure, undecided=out_of_time)
        self._facts = replace(self._facts, failure=failure, starttls=starttls)
        self._transcript.note("probe", _in_words(failure))

    def _observed(self) -> EndpointFacts:
        """All that was seen."""
        anomalies = self._dialogue.anomalies if self._dialogue else ()
        return replace(
            self._facts,
            anomalies=(*anomalies, *self._facts.anomalies),
            transcript=self._transcript.lines(),
        )


class _OpenSslSession(Session):
    """A session that completes the handshake and asks EHLO again.

    With *certificate*, it offers the signatures of one kind of key only.
    """

    def __init__(
        self,
        target: Target,
        settings: Settings,
        tls: TlsClient,
        hello: Hello,
        heartbeat: Heartbeat | None,
        on_step: Callable[[Step, float], None] | None,
        certificate: DeepQuestion | None,
    ) -> None:
        super().__init__(target, settings, heartbeat, on_step)
        self._tls = tls
        self._hello = hello
        self._certificate = certificate

    async def _secure(self, dialogue: Dialogue) -> None:
        await self._handshake(dialogue)
        await self._ehlo_over_tls(dialogue)

    async def _handshake(self, dialogue: Dialogue) -> None:
        wire = self._begin_handshake(dialogue)
        name = self._target.server_name or self._target.mx_host
        connection = self._tls.connection(name, self._hello, self._certificate)
        if self._hello is not Hello.DEFAULT:
            self._transcript.note("probe", f"{CLIENT_HELLO} {self._hello}")
        if self._certificate is not None:
            self._transcript.note("probe", f"{CLIENT_HELLO} {self._certificate}, TLS 1.3 only")
        link = TlsLink(wire, dialogue, connection, self._settings)
        completed = False
        try:
            await link.handshake(self._settings.handshake_s)
            completed = True
        finally:
            self._facts = self._tls.observe(self._facts, connection, completed=completed)
        dialogue.run_over(link)
        self._may_quit = True
        self._transcript.note("probe", f"{self._facts.tls_version} {self._facts.cipher}")

    async def _ehlo_over_tls(self, dialogue: Dialogue) -> None:
        """RFC 3207 §4.2: EHLO again. It is also the first read, where a late alert shows."""
        self._enter(Step.POST_TLS, self._settings.command_s)
        name = self._settings.ehlo_name or _address_literal(dialogue)
        reply = await dialogue.command("EHLO", name, timeout_s=self._settings.command_s)
        self._facts = replace(self._facts, ehlo_keywords_tls=ehlo_keywords(_accepted(reply)))

    def _observed(self) -> EndpointFacts:
        """All that was seen, and the attempt in short."""
        facts = super()._observed()
        attempt = Attempt(
            observed_at=facts.observed_at,
            hello=self._hello,
            starttls=facts.starttls,
            tls_version=facts.tls_version,
            cipher=facts.cipher,
            failure=facts.failure,
        )
        return replace(facts, attempts=(attempt,))


def _starttls_after(seen: StartTls, failure: Failure, *, undecided: bool) -> StartTls:
    """Whether STARTTLS is refused, given *failure*.

    A 421 is not a refusal of STARTTLS, and neither is a failure of this machine or of the path to
    the host, or a deadline or limit of ours. After the handshake TLS has completed, whatever
    follows. Any other answer to STARTTLS refuses it.
    """
    if failure.step is Step.POST_TLS:
        return seen
    is_no_answer = failure.reason in (Reason.LOCAL, Reason.UNREACHABLE, Reason.LIMIT)
    if undecided or is_no_answer or failure.reply_code == SERVICE_CLOSING:
        return StartTls.NOT_TESTED
    return StartTls.REFUSED if failure.step is Step.STARTTLS else seen


def _in_words(failure: Failure) -> str:
    return f"{failure.step}: {failure.reason} {failure.detail or ''}".rstrip()


def _address_literal(dialogue: Dialogue) -> str:
    """RFC 5321 §4.1.3: the address of this machine, if it has no name."""
    transport = dialogue.transport
    sockname = transport.get_extra_info("sockname") if transport else None
    address = str(sockname[0]) if sockname else "127.0.0.1"
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


async def probe_endpoint(
    target: Target,
    settings: Settings,
    tls: TlsClient,
    hello: Hello = Hello.DEFAULT,
    heartbeat: Heartbeat | None = None,
    on_step: Callable[[Step, float], None] | None = None,
    certificate: DeepQuestion | None = None,
) -> EndpointFacts:
    """Open one SMTP session and try STARTTLS. RFC 5321 §3.1, RFC 3207 §4.

    Whatever the peer does, the facts so far come back, with ``failure`` naming the step it
    stopped at. Only cancellation leaves as an exception. A *heartbeat* that beats beside it tells
    a time-out of the host's from one of ours. *on_step* hears of each step as it begins, and how
    many seconds it may take. With *certificate*, only TLS 1.3 and the signatures of such a
    certificate are offered.
    """
    session = _OpenSslSession(target, settings, tls, hello, heartbeat, on_step, certificate)
    return await session.observe()
