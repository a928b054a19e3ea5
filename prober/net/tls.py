"""The TLS step: a handshake that accepts any certificate and keeps everything that it saw.

pyOpenSSL on memory BIOs uses the OpenSSL inside the cryptography wheel, so the result does not
depend on the policy of the distribution. SSLv3, RC4 and 3DES are not in it.
"""

import asyncio
import functools
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol, TypeGuard

from aiosmtplib import SMTPServerDisconnected
from cryptography.hazmat.bindings.openssl.binding import Binding
from OpenSSL import SSL, crypto

from prober.net.failures import AlertError, LimitError, UnwantedReplyError
from prober.net.key_exchange import (
    ENCRYPT_THEN_MAC,
    EXTENDED_MASTER_SECRET,
    RENEGOTIATION_INFO,
    DhGroup,
    ServerKeyExchange,
)
from prober.net.reply import BadReplyError, ReplyReader, not_a_reply
from prober.net.tls_names import alert_name
from prober.net.trust import LEAF_DATES, ChainVerifier, load_anchors, verify_error
from prober.records import (
    Anomaly,
    AnomalyKind,
    DeepQuestion,
    EndpointFacts,
    Hello,
    VerifyError,
)
from prober.settings import Settings

log = logging.getLogger(__name__)

# Security level 0 and legacy connect: to see a weak server is the point; rules/ judges it.
_SUITES: Final = b"ALL:!aNULL:!eNULL:@SECLEVEL=0"
_SUITES_ANONYMOUS: Final = b"ALL:!eNULL:+aNULL:@SECLEVEL=0"  # those without certificate last
_WITHOUT_SNI: Final = (Hello.NO_SNI, Hello.NO_SNI_LARGE)
_LARGE: Final = (Hello.DEFAULT, Hello.NO_SNI_LARGE)
# TLS 1.3 signs handshakes by no RSA but PSS: PKCS #1 is for the CA's signature (RFC 8446 §4.2.3)
_SIGNATURES_13: Final = {
    DeepQuestion.RSA_CERTIFICATE: b"rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:"
    b"rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:RSA+SHA256:RSA+SHA384:RSA+SHA512",
    DeepQuestion.ECDSA_CERTIFICATE: b"ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:"
    b"RSA+SHA256:RSA+SHA384:RSA+SHA512",
}
_CLASSICAL_GROUPS: Final = b"X25519:P-256:X448:P-384:P-521"  # OpenSSL's default before 3.5
_CLOSURE_ALERTS: Final = (0, 90)  # close_notify, user_canceled: RFC 8446 §6.1
_FATAL: Final = 2
_REPLY_STARTS: Final = b"2345"  # of an SMTP reply in clear; a TLS record starts with 20 to 24
_FLUSH_SIZE: Final = 4096  # a ClientHello has 1.7 kB; OpenSSL's buffer is made anew each time
_SHARED_CERTIFICATES: Final = 512  # at about 1.5 kB each; a few hundred issuers sign nearly all
_READ_SIZE: Final = 16_384  # one TLS record; RFC 8446 §5.1
PIECE_SIZE: Final = 4096  # handed to OpenSSL at once; 150 key updates, of 20 µs each


@dataclass(slots=True)
class _Observed:
    """What the callbacks of OpenSSL saw of one connection. They find it as its app data."""

    verify_errors: list[VerifyError] = field(default_factory=list)
    certificate_requested: bool = False
    alert: int | None = None
    server_key_exchange: ServerKeyExchange = field(default_factory=ServerKeyExchange)


def _on_verify(
    connection: SSL.Connection, _cert: crypto.X509, code: int, depth: int, ok: int
) -> bool:
    """Note each complaint and continue: the handshake observes, and trusts nobody."""
    if not ok:
        observed: _Observed = connection.get_app_data()
        error = verify_error(code, depth)
        if error not in observed.verify_errors:
            observed.verify_errors.append(error)
    return True


def _on_info(connection: SSL.Connection, where: int, value: int) -> None:
    """Called about 20 times per handshake, nearly always for a state of no interest."""
    if where & SSL.SSL_CB_LOOP:
        if b"read server certificate request" in connection.get_state_string():
            connection.get_app_data().certificate_requested = True
    elif where == SSL.SSL_CB_READ_ALERT:
        level, code = divmod(value, 256)
        # TLS 1.2 servers warn, of an unknown name for instance, and go on (RFC 6066 §3); in TLS 1.3
        # the level says nothing and all but two alerts are fatal (RFC 8446 §6). Before the
        # ServerHello has named version and suite, OpenSSL gives the highest version that we offer
        is_known = connection.get_cipher_name() is not None
        is_13 = is_known and connection.get_protocol_version() == SSL.TLS1_3_VERSION
        if code not in _CLOSURE_ALERTS and (level == _FATAL or is_13):
            connection.get_app_data().alert = code


class TlsClient:
    """Makes the client side of handshakes; one per run, since OpenSSL's contexts are shared.

    Raises SettingsError if *ca_file* cannot be read or holds no certificate. Without *ca_file* it
    uses the store of the system; if there is none, trust is not tested.
    """

    def __init__(self, ca_file: Path | None, *, chain_certificates: int) -> None:
        self._anchors, self.trust_store = load_anchors(ca_file)
        self.verifier = ChainVerifier(self._anchors)
        self._chain_certificates = chain_certificates
        self._contexts: dict[tuple[Hello, DeepQuestion | None], SSL.Context] = {}
        # many hosts send the same issuer's certificate: one object stands for it in all facts kept
        self._shared = functools.lru_cache(maxsize=_SHARED_CERTIFICATES)(bytes)

    def connection(
        self, server_name: str, hello: Hello, certificate: DeepQuestion | None = None
    ) -> SSL.Connection:
        """A connection on memory BIOs that sends *hello*, with *server_name* if it has SNI.

        With *certificate*, it offers TLS 1.3 only, and only signatures of such a certificate.
        """
        if (hello, certificate) not in self._contexts:
            self._contexts[hello, certificate] = context = self._make_context(hello)
            if certificate is not None:
                context.set_min_proto_version(SSL.TLS1_3_VERSION)
                _offer_signatures(context, _SIGNATURES_13[certificate])
        connection = SSL.Connection(self._contexts[hello, certificate], None)
        connection.set_app_data(_Observed())
        connection.set_connect_state()
        if hello not in _WITHOUT_SNI:
            connection.set_tlsext_host_name(server_name.encode("ascii"))
        return connection

    def _make_context(self, hello: Hello) -> SSL.Context:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_cipher_list(_SUITES_ANONYMOUS if hello is Hello.ANONYMOUS else _SUITES)
        context.set_min_proto_version(SSL.TLS1_VERSION)
        if hello in (Hello.TLS12, Hello.ANONYMOUS):  # no suite of TLS 1.3 is anonymous
            context.set_max_proto_version(SSL.TLS1_2_VERSION)
        if hello not in _LARGE:
            _offer_classical_groups(context)
        context.set_options(SSL.OP_LEGACY_SERVER_CONNECT | SSL.OP_NO_RENEGOTIATION)
        context.set_verify(SSL.VERIFY_PEER, _on_verify)
        # each signature of a path may take 7 ms, and a message holds 75 certificates
        context.set_verify_depth(self._chain_certificates)
        context.set_info_callback(_on_info)
        store = context.get_cert_store()
        if store is not None:
            for anchor in self._anchors:
                store.add_cert(anchor)
        return context

    def shared(self, chain: Iterable[bytes]) -> tuple[bytes, ...]:
        """*chain* with one object per distinct certificate, also among hosts, to save memory."""
        return tuple(self._shared(der) for der in chain)

    def observe(
        self, facts: EndpointFacts, connection: SSL.Connection, *, completed: bool
    ) -> EndpointFacts:
        """*facts* with what *connection* saw; the values of the session only if *completed*."""
        observed: _Observed = connection.get_app_data()
        sent = connection.get_peer_cert_chain() or []
        kept = sent[: self._chain_certificates]
        chain = self.shared(crypto.dump_certificate(crypto.FILETYPE_ASN1, cert) for cert in kept)
        errors = tuple(observed.verify_errors)
        dh_group = _dh_group(connection)
        extensions = _extensions_12(connection) if completed else None
        return replace(
            facts,
            tls_version=connection.get_protocol_version_name() if completed else None,
            cipher=connection.get_cipher_name() if completed else None,
            cipher_bits=connection.get_cipher_bits() if completed else None,
            key_exchange=_key_exchange(connection, dh_group) if completed else None,
            key_exchange_bits=dh_group.bits if dh_group is not None else None,
            key_exchange_hash=_signed_hash(connection) if completed else None,
            encrypt_then_mac=_has(extensions, ENCRYPT_THEN_MAC),
            extended_master_secret=_has(extensions, EXTENDED_MASTER_SECRET),
            secure_renegotiation=_has(extensions, RENEGOTIATION_INFO),
            client_certificate_requested=observed.certificate_requested if chain else None,
            alert=None if observed.alert is None else alert_name(observed.alert),
            chain=chain,
            path=_path_positions(connection, chain, errors),
            verify_errors=errors,
            anomalies=(*facts.anomalies, *_truncation(len(sent), len(kept))),
        )


def refused_late(facts: EndpointFacts, *, alert: str) -> EndpointFacts:
    """*facts* if the server ended a completed handshake with *alert*. RFC 8446 §4.4.2.4."""
    return replace(
        facts,
        alert=alert,
        tls_version=None,
        cipher=None,
        cipher_bits=None,
        key_exchange=None,
        key_exchange_hash=None,
        encrypt_then_mac=None,
        extended_master_secret=None,
        secure_renegotiation=None,
    )


def _offer_classical_groups(context: SSL.Context) -> None:
    """Leave out the post-quantum groups, so that the ClientHello fits one packet.

    pyOpenSSL has no call for a list of groups; OpenSSL's is in the bindings that it is built on.
    """
    if not Binding.lib.SSL_CTX_set1_curves_list(context._context, _CLASSICAL_GROUPS):
        raise RuntimeError("OpenSSL does not know the groups of a small ClientHello")


def _offer_signatures(context: SSL.Context, algorithms: bytes) -> None:
    """Offer *algorithms* only, so that the server needs a certificate with such a key.

    pyOpenSSL has no call for it; OpenSSL's is in the bindings that it is built on.
    """
    if not Binding.lib.SSL_CTX_set1_sigalgs_list(context._context, algorithms):
        raise RuntimeError("OpenSSL does not know the signature algorithms of a certificate")


def _key_exchange(connection: SSL.Connection, dh_group: DhGroup | None) -> str | None:
    """The group; ``DH`` or ``ECDH`` if it has no name; None for plain RSA."""
    group = connection.get_group_name() or (dh_group.name if dh_group is not None else None)
    if group is not None:
        return group
    prefix = (connection.get_cipher_name() or "").partition("-")[0]
    return {"DHE": "DH", "ADH": "DH", "ECDHE": "ECDH", "AECDH": "ECDH"}.get(prefix)


def _dh_group(connection: SSL.Connection) -> DhGroup | None:
    """The finite-field group, also of a handshake that failed after the server had named it."""
    name = connection.get_group_name()
    if name is not None:  # TLS 1.3 has no finite-field groups but those of RFC 7919
        bits = name.lower().removeprefix("ffdhe")
        return DhGroup(name=name, bits=int(bits)) if bits.isdigit() else None
    observed: _Observed = connection.get_app_data()
    return observed.server_key_exchange.dh_group()


def _signed_hash(connection: SSL.Connection) -> str | None:
    """The hash with which the server signed its key exchange; None except in TLS 1.2."""
    prefix = (connection.get_cipher_name() or "").partition("-")[0]
    if connection.get_protocol_version() != SSL.TLS1_2_VERSION or prefix not in ("ECDHE", "DHE"):
        return None
    observed: _Observed = connection.get_app_data()
    return observed.server_key_exchange.signature_hash(elliptic=prefix == "ECDHE")


def _extensions_12(connection: SSL.Connection) -> frozenset[int] | None:
    """The extensions of the ServerHello; None in TLS 1.3, which does not use those read here."""
    if connection.get_protocol_version() == SSL.TLS1_3_VERSION:
        return None
    observed: _Observed = connection.get_app_data()
    return observed.server_key_exchange.extensions()


def _has(extensions: frozenset[int] | None, extension: int) -> bool | None:
    return None if extensions is None else extension in extensions


def _truncation(sent: int, kept: int) -> tuple[Anomaly, ...]:
    if sent == kept:
        return ()
    detail = f"{sent} certificates sent, the first {kept} kept"
    return (Anomaly(kind=AnomalyKind.CHAIN_TRUNCATED, detail=detail),)


def _path_positions(
    connection: SSL.Connection, chain: tuple[bytes, ...], errors: tuple[VerifyError, ...]
) -> tuple[int, ...]:
    """The positions in *chain* of the certificates of the verified path, without its anchor.

    A leaf that is itself the anchor stays. Empty if no path to an anchor was found.
    """
    if not chain or any(error.depth > 0 or error.code not in LEAF_DATES for error in errors):
        return ()
    verified = connection.get_verified_chain() or []
    issuers = (crypto.dump_certificate(crypto.FILETYPE_ASN1, cert) for cert in verified[1:-1])
    return (0, *(chain.index(der) for der in issuers if der in chain)) if verified else ()


class Wire(Protocol):
    """The methods of a TCP transport, of asyncio or uvloop, that TLS over it needs."""

    def write(self, data: bytes) -> None: ...

    def is_closing(self) -> bool: ...

    def abort(self) -> None: ...

    def close(self) -> None: ...

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None: ...

    def get_extra_info(self, name: str, default: Any = None) -> Any: ...


def is_wire(transport: asyncio.BaseTransport) -> TypeGuard[Wire]:
    """Whether *transport* is one, by its methods: uvloop has classes of its own."""
    return hasattr(transport, "write")


class Upper(Protocol):
    """What runs over TLS: the SMTP dialogue."""

    def data_received(self, data: bytes) -> None: ...

    def eof_received(self) -> bool: ...

    def connection_lost(self, exc: Exception | None) -> None: ...

    def fail(self, error: Exception) -> None: ...


class ClearReply:
    """A reply in clear instead of TLS, such as a 421, in pieces of any size."""

    def __init__(self) -> None:
        self._is_first = True
        self._reader: ReplyReader | None = None
        self._unread = bytearray()

    def takes(self, data: bytes) -> bool:
        """Whether *data*, the next bytes of the server, belong to such a reply."""
        if self._is_first and data[:1] in _REPLY_STARTS:
            self._reader = ReplyReader()
        self._is_first = False
        return self._reader is not None

    def read(self, data: bytes) -> Exception | None:
        """The error for the reply. None if it is not complete yet."""
        if self._reader is None:
            return None
        self._unread += data
        try:
            reply = self._reader.feed(self._unread)
        except BadReplyError as error:
            return error
        if self._reader.strays:
            return not_a_reply(self._reader.strays[0])
        return None if reply is None else UnwantedReplyError(reply)


class TlsLink(asyncio.Protocol, asyncio.Transport):
    """Protocol of the TCP transport below, transport of the SMTP dialogue above.

    So EHLO and QUIT over TLS use the same code as in clear. A peer that sends more than *settings*
    allow without any text ends the session: OpenSSL itself accepts any number of session tickets,
    key updates (RFC 8446 §4.6) and HelloRequests (RFC 5246 §7.4.1.1).
    """

    def __init__(
        self, transport: Wire, upper: Upper, connection: SSL.Connection, settings: Settings
    ) -> None:
        super().__init__()
        self._settings = settings
        self._handshake_bytes = 0
        self._overhead_bytes = 0  # since the handshake: what came in less the text that it gave
        self._transport = transport
        self._upper = upper
        self._connection = connection
        self._handshake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._in_clear = ClearReply()  # a reply in the handshake's place
        self._broken: Exception | None = None  # why nothing can be said over TLS any more

    async def handshake(self, timeout_s: float) -> None:
        """Do the handshake. Raises one of PEER_ERRORS if it fails, or takes too long.

        In TLS 1.3 the client speaks last, and its last flight is sent with what is written next:
        one packet less, also for the peer.
        """
        timer = asyncio.get_running_loop().call_later(timeout_s, self._finish, TimeoutError())
        try:
            self._transport.set_protocol(self)
            self._advance()
            await self._handshake
        finally:
            timer.cancel()
        self._read()
        if isinstance(self._broken, AlertError):  # came with the server's last flight
            raise self._broken

    def data_received(self, data: bytes) -> None:
        """Take bytes from the network."""
        if self._in_clear.takes(data):
            error = self._in_clear.read(data)
            if error is not None:
                self._finish(error)
            return
        for start in range(0, len(data), PIECE_SIZE):
            if self._broken is None:
                self._take_in(data[start : start + PIECE_SIZE])

    def _take_in(self, piece: bytes) -> None:
        """Pass *piece* to OpenSSL, if the limits allow it."""
        passed = self._count_after(piece) if self._handshake.done() else self._count_in(piece)
        if passed is not None:
            self._end(LimitError(passed))
            return
        self._connection.bio_write(piece)
        if self._handshake.done():
            self._read()
            self._flush()  # a key update may want an answer
        else:
            self._advance()

    def _count_in(self, piece: bytes) -> str | None:
        """The limit of a handshake that *piece* exceeds, in words."""
        settings = self._settings
        self._handshake_bytes += len(piece)
        if self._handshake_bytes > settings.handshake_bytes:
            return f"more than {settings.handshake_bytes} bytes in the handshake"
        exchange = self._connection.get_app_data().server_key_exchange
        exchange.feed(piece)
        group = exchange.dh_group()
        if group is not None and group.name is None and group.bits > settings.dh_bits:
            return f"a Diffie-Hellman group of {group.bits} bits, more than {settings.dh_bits}"
        return None

    def _count_after(self, piece: bytes) -> str | None:
        """The limit after the handshake that *piece* exceeds, in words."""
        self._overhead_bytes += len(piece)
        if self._overhead_bytes > (most := self._settings.tls_overhead_bytes):
            return f"more than {most} bytes over TLS besides what they carry"
        return None

    def _end(self, error: LimitError) -> None:
        """End the session here. Nothing more is read or sent."""
        self._broken = error
        self._finish(error)
        self._upper.fail(error)
        self._transport.abort()

    def _advance(self) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            self._flush()
        except SSL.Error as error:
            self._flush()  # our own alert, so that the peer's log tells why
            self._finish(self._explain(error))
        else:
            self._finish(None)

    def _finish(self, error: Exception | None) -> None:
        if self._handshake.done():
            return
        if error is None:
            self._handshake.set_result(None)
        else:
            self._handshake.set_exception(error)
            self._handshake.exception()  # marks it as seen: nobody may be waiting any more

    def _explain(self, error: SSL.Error) -> Exception:
        """*error*, or the fatal alert or the end of the connection that caused it."""
        observed: _Observed = self._connection.get_app_data()
        if observed.alert is not None:
            return AlertError(alert_name(observed.alert))
        if isinstance(error, SSL.ZeroReturnError):
            return SMTPServerDisconnected("close_notify in the handshake")
        return error

    def _read(self) -> None:
        try:
            while True:
                text = self._connection.recv(_READ_SIZE)
                self._overhead_bytes -= len(text)
                self._upper.data_received(text)
        except SSL.WantReadError:
            return
        except SSL.ZeroReturnError:
            self._upper.eof_received()
        except SSL.Error as error:
            self._broken = self._broken or self._explain(error)
            self._upper.fail(self._broken)

    def _flush(self) -> None:
        try:
            while True:
                piece = self._connection.bio_read(_FLUSH_SIZE)
                self._transport.write(piece)
                if len(piece) < _FLUSH_SIZE:  # that was all
                    return
        except SSL.Error:  # WantReadError: nothing to send
            return

    def eof_received(self) -> bool:
        """The peer closed the connection."""
        self._finish(SMTPServerDisconnected("closed in the handshake"))
        return self._upper.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection below is closed."""
        self._finish(exc or SMTPServerDisconnected("closed in the handshake"))
        self._upper.connection_lost(exc)

    # the transport that the dialogue sees

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send *data* over TLS. Raises the error that broke the connection, if any."""
        if self._broken is not None:
            raise self._broken
        self._connection.sendall(bytes(data))
        self._flush()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Information about the connection below, such as ``sockname``."""
        return self._transport.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """Whether the connection below is closing, and no error says why."""
        return self._broken is None and self._transport.is_closing()

    def abort(self) -> None:
        """Close now."""
        self._transport.abort()

    def close(self) -> None:
        """Close, without close_notify: QUIT has ended the session before."""
        self._transport.close()
