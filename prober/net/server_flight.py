"""Reads what a server answers to one of our ClientHellos, as far as it is in clear.

Up to TLS 1.2 that is everything from ServerHello to ServerHelloDone (RFC 5246 §7.3), in TLS 1.3 the
HelloRetryRequest (RFC 8446 §4.1.4). Pure and bounded; never raises because of what a server sends.
An answer that chooses what was not offered, or is incomplete, means neither yes nor no.
"""

from datetime import datetime
from types import MappingProxyType
from typing import Final

from prober.net.client_hello import (
    DEFLATE,
    KEY_SHARE,
    NO_COMPRESSION,
    SESSION_TICKET,
    STATUS_REQUEST,
    SUPPORTED_GROUPS,
    SUPPORTED_VERSIONS,
    Offer,
    fits,
)
from prober.net.handshake import (
    ALERT,
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    CERTIFICATE_STATUS,
    HANDSHAKE,
    HELLO_REQUEST,
    SERVER_HELLO,
    SERVER_HELLO_DONE,
    SERVER_KEY_EXCHANGE,
    TLS_MAJOR,
    HandshakeReader,
)
from prober.net.key_exchange import (
    ENCRYPT_THEN_MAC,
    EXTENDED_MASTER_SECRET,
    RENEGOTIATION_INFO,
    ServerHello,
    read_curve,
    read_dh_group,
    read_server_hello,
)
from prober.net.tls_names import GROUPS, SSL3, SUITES, TLS1_2, TLS1_3, VERSIONS, alert_name
from prober.records import Answer, DeepAnswer, DeepQuestion, Failure, Reason, Step

MAX_RECORDS: Final = 256  # a flight has some 10; empty ones cost a server nothing
_LONGEST_RECORD: Final = 16_384  # RFC 5246 §6.2.1

_FATAL: Final = 2
_CLOSE_NOTIFY: Final = 0
# The alerts by which a server says that it has nothing in common with the hello: RFC 8446 §4.1.1,
# §4.2.1, RFC 5246 §7.2.2; export_restriction: RFC 2246 §7.2.2. Others speak of something else.
_REFUSALS: Final = (40, 60, 70, 71)
_INTERNAL_ERROR: Final = 80

_RETRY_RANDOM: Final = bytes.fromhex(  # RFC 8446 §4.1.3
    "CF21AD74E59A6111BE1D8C021E65B891C2A211167ABB8C5E079E09E2C8A8339C"
)
_DOWNGRADE: Final = b"DOWNGRD"  # RFC 8446 §4.1.3
_COOKIE: Final = 44  # RFC 8446 §4.2.2
_ELLIPTIC: Final = ("TLS_ECDHE_", "TLS_ECDH_anon_")
_FINITE: Final = ("TLS_DHE_", "TLS_DH_anon_")
_OCSP: Final = 1  # CertificateStatusType: RFC 6066 §8

# The order of the messages of a server: RFC 5246 §7.3, RFC 6066 §8.
_ORDER: Final = MappingProxyType(
    {
        message_type: place
        for place, message_type in enumerate(
            (
                SERVER_HELLO,
                CERTIFICATE,
                CERTIFICATE_STATUS,
                SERVER_KEY_EXCHANGE,
                CERTIFICATE_REQUEST,
                SERVER_HELLO_DONE,
            )
        )
    }
)


class _NotAnAnswerError(Exception):
    """What the server sent decides nothing. The text says why."""


class ServerFlight(HandshakeReader):
    """Takes the bytes of the server in pieces of any size, until ``is_over``.

    *most_bytes* limits all that is read, *most_certificates* how many are kept.
    """

    def __init__(
        self, offer: Offer, *, session_id: bytes, most_bytes: int, most_certificates: int
    ) -> None:
        super().__init__()
        self._offer = offer
        self._session_id = session_id
        self._bytes_left = most_bytes
        self._most_certificates = most_certificates
        self._records = 0
        self._message = bytearray()  # the one that begins
        self._seen: list[int] = []  # the types of the messages
        self._hello: ServerHello | None = None
        self._version = 0
        self._group: str | None = None
        self._group_bits: int | None = None
        self._has_staple = False
        self._chain: tuple[bytes, ...] = ()
        self._alert_name: str | None = None
        self._accepted = Answer.NOT_TESTED
        self._failure: Failure | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the server."""
        if self.is_over or not data:
            return
        piece = data[: self._bytes_left]
        self._bytes_left -= len(piece)
        try:
            super().feed(piece)
        except _NotAnAnswerError as error:
            self._end(Reason.TLS_ERROR, str(error))
        if len(piece) < len(data) and not self.is_over:
            self._end(Reason.LIMIT, "the answer to the ClientHello is too long")

    def answer(self, question: DeepQuestion, observed_at: datetime) -> DeepAnswer:
        """What is known now: neither yes nor no while the answer is incomplete.

        ``failure`` is None then; the caller knows why nothing more came.
        """
        hello = self._hello
        if self._accepted is not Answer.YES or hello is None:
            return DeepAnswer(
                question=question,
                observed_at=observed_at,
                accepted=self._accepted,
                failure=self._failure,
                alert=self._alert_name,
            )
        cipher = SUITES[hello.suite]
        is_12 = self._version < TLS1_3
        return DeepAnswer(
            question=question,
            observed_at=observed_at,
            accepted=Answer.YES,
            tls_version=VERSIONS[self._version],
            cipher=cipher,
            key_exchange=self._group,
            key_exchange_bits=self._group_bits,
            # RFC 7627 §5 is for TLS only; RFC 7366 §3 is for suites with CBC only
            extended_master_secret=self._has(EXTENDED_MASTER_SECRET, self._version > SSL3),
            encrypt_then_mac=self._has(
                ENCRYPT_THEN_MAC, self._version > SSL3 and "_CBC_" in cipher
            ),
            secure_renegotiation=RENEGOTIATION_INFO in hello.extensions if is_12 else None,
            compression=hello.compression != NO_COMPRESSION
            if is_12 and DEFLATE in self._offer.compressions
            else None,
            session_ticket=self._has(SESSION_TICKET, self._version > SSL3),
            ocsp_staple=self._has_staple
            if self._chain and STATUS_REQUEST in self._offer.extensions()
            else None,
            chain=self._chain,
        )

    def on_record(self, content_type: int, major: int, length: int) -> None:
        """A record begins: RFC 5246 §6.2.1. Only handshake messages and alerts are allowed."""
        self._records += 1
        if self._records > MAX_RECORDS:
            self._end(Reason.LIMIT, f"more than {MAX_RECORDS} records")
        elif major != TLS_MAJOR or length > _LONGEST_RECORD:  # SMTP in clear, SSL 2.0, anything
            raise _NotAnAnswerError("not a TLS record")
        elif content_type not in (HANDSHAKE, ALERT):
            raise _NotAnAnswerError(f"a record of type {content_type} within the handshake")

    def on_message(self, message_type: int, length: int) -> None:
        """A message begins. Each may come once, and only in the order of RFC 5246 §7.3."""
        self._message.clear()
        if message_type == HELLO_REQUEST and length == 0:  # ignored here: RFC 5246 §7.4.1.1
            return
        place = _ORDER.get(message_type)
        last = _ORDER[self._seen[-1]] if self._seen else -1
        if place is None or place <= last or (last < 0 and message_type != SERVER_HELLO):
            raise _NotAnAnswerError(f"a message of type {message_type} out of order")
        self._seen.append(message_type)

    def on_piece(self, message_type: int, piece: memoryview, left: int) -> None:
        """Keep the message until it is complete."""
        self._message += piece
        if left:
            return
        body = bytes(self._message)
        if message_type == SERVER_HELLO:
            self._read_hello(body)
        elif message_type == CERTIFICATE:
            self._chain = _read_chain(body)[: self._most_certificates]
        elif message_type == CERTIFICATE_STATUS:
            self._read_status(body)
        elif message_type == SERVER_KEY_EXCHANGE:
            self._read_key_exchange(body)
        elif message_type == SERVER_HELLO_DONE:
            self._read_done(body)

    def on_alert(self, level: int, code: int) -> None:
        """RFC 5246 §7.2, RFC 8446 §6. A warning, for example of an unknown name, ends nothing.

        After a ServerHello an alert concerns what the server chose, not everything that was
        offered.
        """
        if code == _CLOSE_NOTIFY:
            self._end(Reason.CLOSED, "close_notify in the handshake")
        elif level == _FATAL or code in _REFUSALS:  # those are always fatal: RFC 5246 §7.2.2
            self._alert_name = alert_name(code)
            if self._hello is None and (code in _REFUSALS or self._has_no_signature(code)):
                self._accepted = Answer.NO
                self.is_over = True
            else:
                self._end(Reason.ALERT, self._alert_name)

    def _has_no_signature(self, code: int) -> bool:
        """Whether this is OpenSSL 3 with TLS 1.1 or older enabled, but without a signature for it.

        At its default security level it allows neither MD5 nor SHA-1 in a signature, so every suite
        fails, and it sends internal_error before a ServerHello.
        https://github.com/openssl/openssl/commit/aba03ae
        """
        is_old = self._offer.versions[0] < TLS1_2
        return code == _INTERNAL_ERROR and is_old

    def _end(self, reason: Reason, detail: str) -> None:
        self.is_over = True
        self._failure = Failure(step=Step.HANDSHAKE, reason=reason, detail=detail)

    def _has(self, extension: int, could_have: bool) -> bool | None:
        """Whether the server has *extension*; None if it was not asked, or cannot use it."""
        if self._hello is None or self._version >= TLS1_3:
            return None
        is_asked = extension in self._offer.extensions()
        return extension in self._hello.extensions if is_asked and could_have else None

    def _read_hello(self, body: bytes) -> None:
        """ServerHello or HelloRetryRequest: RFC 5246 §7.4.1.3, RFC 8446 §4.1.3, §4.1.4."""
        hello = read_server_hello(body)
        if hello is None:
            raise _NotAnAnswerError("a malformed ServerHello")
        self._hello = hello
        self._version = _version_of(hello)
        _check_choice(hello, self._version, self._offer)
        if self._version == TLS1_3:
            self._group = _retry_group(hello, self._offer, self._session_id)
            self._accepted = Answer.YES
            self.is_over = True
        elif TLS1_3 in self._offer.versions and hello.random[-8:-1] == _DOWNGRADE:
            raise _NotAnAnswerError("a server of TLS 1.3 says that it saw another ClientHello")

    def _read_status(self, body: bytes) -> None:
        """CertificateStatus: RFC 6066 §8."""
        if self._hello is None or STATUS_REQUEST not in self._hello.extensions:
            raise _NotAnAnswerError("a CertificateStatus that the ServerHello did not announce")
        if body[:1] != bytes([_OCSP]) or int.from_bytes(body[1:4]) != len(body) - 4:
            raise _NotAnAnswerError("a malformed CertificateStatus")
        self._has_staple = len(body) > 4

    def _read_key_exchange(self, body: bytes) -> None:
        """RFC 5246 §7.4.3, RFC 8422 §5.4. The signature is not checked."""
        name = self._suite_name()
        if name.startswith(_ELLIPTIC):
            curve = read_curve(body)
            offers_curves = SUPPORTED_GROUPS in self._offer.extensions()
            is_offered = curve in (self._offer.groups if offers_curves else GROUPS)
            if curve is None or not is_offered:
                raise _NotAnAnswerError("a curve that was not offered")
            self._group = GROUPS[curve]
        elif name.startswith(_FINITE):
            group = read_dh_group(body)
            if group is None:
                raise _NotAnAnswerError("a malformed ServerKeyExchange")
            self._group = group.name or "DH"
            self._group_bits = group.bits
        elif "_EXPORT_" not in name:  # a short-lived RSA key: RFC 2246 §7.4.3
            raise _NotAnAnswerError("a ServerKeyExchange that the cipher suite does not have")

    def _read_done(self, body: bytes) -> None:
        """ServerHelloDone: the server has accepted. RFC 5246 §7.4.5."""
        name = self._suite_name()
        needs_exchange = name.startswith((*_ELLIPTIC, *_FINITE))
        if (
            body
            or (CERTIFICATE in self._seen) is ("_anon_" in name)
            or (needs_exchange and SERVER_KEY_EXCHANGE not in self._seen)
        ):
            raise _NotAnAnswerError("a flight without a message that its cipher suite needs")
        self._accepted = Answer.YES
        self.is_over = True

    def _suite_name(self) -> str:
        return "" if self._hello is None else SUITES[self._hello.suite]


def _version_of(hello: ServerHello) -> int:
    """The chosen version: RFC 8446 §4.2.1."""
    selected = hello.extensions.get(SUPPORTED_VERSIONS)
    if selected is None and hello.version < TLS1_3:
        return hello.version
    if selected is None:  # only the extension can choose TLS 1.3: RFC 8446 §4.1.3
        raise _NotAnAnswerError("a version that was not offered")
    version = int.from_bytes(selected)
    if len(selected) != 2 or version < TLS1_3 or hello.version != TLS1_2:
        raise _NotAnAnswerError("a version that was not offered")
    return version


def _check_choice(hello: ServerHello, version: int, offer: Offer) -> None:
    """Raises if the server chose what was not offered: RFC 5246 §7.4.1.3, RFC 8446 §4.1.3."""
    if version not in offer.versions:
        raise _NotAnAnswerError("a version that was not offered")
    if hello.suite not in offer.suites or not fits(hello.suite, version):
        raise _NotAnAnswerError("a cipher suite that was not offered")
    if hello.compression not in offer.compressions:
        raise _NotAnAnswerError("a compression method that was not offered")
    # a server answers to extensions, and to the signal for renegotiation: RFC 5246 §7.4.1.4
    allowed = {*offer.extensions(), RENEGOTIATION_INFO}
    if version == TLS1_3:
        allowed.add(_COOKIE)
    if not allowed.issuperset(hello.extensions):
        raise _NotAnAnswerError("an extension that was not offered")


def _retry_group(hello: ServerHello, offer: Offer, session_id: bytes) -> str:
    """The group that a HelloRetryRequest asks for: RFC 8446 §4.1.4, §4.2.8."""
    if hello.random != _RETRY_RANDOM:
        raise _NotAnAnswerError("a ServerHello without a HelloRetryRequest, though it has no key")
    selected = hello.extensions.get(KEY_SHARE, b"")
    group = int.from_bytes(selected)
    if len(selected) != 2 or group not in offer.groups:
        raise _NotAnAnswerError("a HelloRetryRequest without a group that was offered")
    if hello.session_id != session_id:  # RFC 8446 §4.1.3
        raise _NotAnAnswerError("a HelloRetryRequest with another session id")
    return GROUPS[group]


def _read_chain(body: bytes) -> tuple[bytes, ...]:
    """The certificates of a Certificate message up to TLS 1.2: RFC 5246 §7.4.2."""
    found: list[bytes] = []
    at = 3
    while at + 3 <= len(body):
        end = at + 3 + int.from_bytes(body[at : at + 3])
        found.append(body[at + 3 : end])
        at = end
    if int.from_bytes(body[:3]) != len(body) - 3 or at != len(body) or not all(found) or not found:
        raise _NotAnAnswerError("a malformed Certificate message")
    return tuple(found)
