"""One question of ``--deep``: one SMTP session, and what the server answers to one ClientHello.

RFC 5321 §3.1, RFC 3207 §4; RFC 5246 §7.3, RFC 8446 §4. Up to STARTTLS the session is that of
net/smtp.py. The handshake is not completed, so there is no TLS to send QUIT over: the client says
by alerts in clear that it leaves (RFC 5246 §7.2.1, RFC 8446 §6.1), and closes the connection. Never
sends MAIL FROM, nor early data.
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from aiosmtplib import SMTPServerDisconnected

from prober.clock import Heartbeat
from prober.net.client_hello import RANDOM_SIZE, SESSION_ID_SIZE, Offer, build
from prober.net.dialogue import Dialogue
from prober.net.server_flight import ServerFlight
from prober.net.smtp import CLIENT_HELLO, Session, Target
from prober.net.tls import ClearReply, TlsClient, Wire
from prober.records import Answer, DeepAnswer, DeepQuestion, EndpointFacts, Failure, Reason, Step
from prober.settings import Settings

OnStep = Callable[[Step, float], None]

_MINOR_VERSIONS: Final = {"SSLv3": 0, "TLSv1": 1, "TLSv1.1": 2}  # any other record: RFC 8446 §5.1
_USER_CANCELED: Final = bytes([1, 90])  # a warning; SSL 3.0 has no such alert
_CLOSE_NOTIFY: Final = bytes([1, 0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The answer to one question, and the facts of the session that asked it."""

    answer: DeepAnswer
    session: EndpointFacts


async def ask_in_clear(
    target: Target,
    settings: Settings,
    tls: TlsClient,
    question: DeepQuestion,
    offer: Offer,
    heartbeat: Heartbeat | None = None,
    on_step: OnStep | None = None,
) -> Asked:
    """Send *offer* in one ClientHello, and read the answer. Never raises because of the peer.

    ``accepted`` is not tested if the session stopped before the server decided; ``failure`` says
    why. A chain is verified against the anchors of *tls*.
    """
    session = _HelloSession(target, settings, question, offer, heartbeat, on_step)
    facts = await session.observe()
    answer = session.answer(facts)
    if answer.chain:
        path, errors = tls.verifier.verify(answer.chain)
        chain = tls.shared(answer.chain)
        answer = replace(answer, chain=chain, path=path, verify_errors=errors)
    return Asked(answer=answer, session=facts)


class _HelloSession(Session):
    """A session that ends with the answer to a ClientHello."""

    def __init__(
        self,
        target: Target,
        settings: Settings,
        question: DeepQuestion,
        offer: Offer,
        heartbeat: Heartbeat | None,
        on_step: OnStep | None,
    ) -> None:
        super().__init__(target, settings, heartbeat, on_step)
        self._question = question
        self._offer = offer
        self._session_id = os.urandom(SESSION_ID_SIZE)
        self._flight = ServerFlight(
            self._offer,
            session_id=self._session_id,
            most_bytes=settings.deep_answer_bytes,
            most_certificates=settings.chain_certificates,
        )

    def answer(self, facts: EndpointFacts) -> DeepAnswer:
        """The answer. Call it when the session has ended with *facts*."""
        answer = self._flight.answer(self._question, facts.observed_at)
        if answer.accepted is not Answer.NOT_TESTED:
            return answer
        return replace(answer, failure=answer.failure or facts.failure or _NOT_OFFERED)

    async def _secure(self, dialogue: Dialogue) -> None:
        wire = self._begin_handshake(dialogue)
        self._transcript.note("probe", f"{CLIENT_HELLO} {self._question}")
        link = _HelloLink(wire, dialogue, self._flight)
        hello = build(self._offer, random=os.urandom(RANDOM_SIZE), session_id=self._session_id)
        async with asyncio.timeout(self._settings.handshake_s):
            await link.ask(hello)
        answer = self._flight.answer(self._question, self._facts.observed_at)
        self._transcript.note("probe", _in_words(answer))
        alerts = _closing_alerts(answer)
        after = "close_notify" if alerts else "no alert"
        self._transcript.note("probe", f"close after {after}: there is no TLS to send QUIT over")
        await link.leave(alerts, self._settings.quit_s)


_NOT_OFFERED: Final = Failure(
    step=Step.STARTTLS, reason=Reason.BAD_REPLY, detail="STARTTLS is not offered in this session"
)


def _in_words(answer: DeepAnswer) -> str:
    """The answer, for the transcript."""
    if answer.accepted is Answer.YES:
        chosen = (answer.tls_version, answer.cipher, answer.key_exchange)
        return f"accepted: {' '.join(filter(None, chosen))}"
    if answer.accepted is Answer.NO:
        return f"refused: {answer.alert}"
    failure = answer.failure
    return "no answer" if failure is None else f"no answer: {failure.detail or failure.reason}"


def _closing_alerts(answer: DeepAnswer) -> bytes:
    """The alerts that the client sends before it closes. None if the server ended the handshake."""
    if answer.accepted is not Answer.YES:
        return b""
    minor = _MINOR_VERSIONS.get(answer.tls_version or "", 3)
    alerts = (_CLOSE_NOTIFY,) if not minor else (_USER_CANCELED, _CLOSE_NOTIFY)
    return b"".join(bytes([21, 3, minor, 0, len(alert)]) + alert for alert in alerts)


class _HelloLink(asyncio.Protocol):
    """Replaces the SMTP dialogue on the connection, and reads the answer to one hello."""

    def __init__(self, wire: Wire, upper: Dialogue, flight: ServerFlight) -> None:
        self._wire = wire
        self._upper = upper
        self._flight = flight
        self._in_clear = ClearReply()
        loop = asyncio.get_running_loop()
        self._answered: asyncio.Future[None] = loop.create_future()
        self._lost: asyncio.Future[None] = loop.create_future()

    async def ask(self, hello: bytes) -> None:
        """Send *hello* and wait for the whole answer; raises one of PEER_ERRORS without one."""
        self._wire.set_protocol(self)
        self._wire.write(hello)
        await self._answered

    async def leave(self, alerts: bytes, timeout_s: float) -> None:
        """Send *alerts*, and close when they are sent, or after *timeout_s*."""
        if not self._wire.is_closing():
            if alerts:
                self._wire.write(alerts)
            self._wire.close()
        await asyncio.wait([self._lost], timeout=timeout_s)

    def data_received(self, data: bytes) -> None:
        """Take bytes from the network."""
        if self._in_clear.takes(data):
            error = self._in_clear.read(data)
            if error is not None:
                self._finish(error)
            return
        self._flight.feed(data)
        if self._flight.is_over:
            self._finish(None)

    def eof_received(self) -> bool:
        """The peer closed the connection; the transport closes too."""
        self._finish(SMTPServerDisconnected("closed in the handshake"))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._finish(exc or SMTPServerDisconnected("closed in the handshake"))
        if not self._lost.done():
            self._lost.set_result(None)
        self._upper.connection_lost(exc)

    def _finish(self, error: Exception | None) -> None:
        if self._answered.done():
            return
        if error is None:
            self._answered.set_result(None)
        else:
            self._answered.set_exception(error)
            self._answered.exception()  # marks it as seen: nobody may be waiting any more
