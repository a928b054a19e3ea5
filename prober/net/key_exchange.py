"""Reads what a server sends in clear up to TLS 1.2: extensions, DH group, and signature hash.

Up to TLS 1.2 ServerHello and ServerKeyExchange are in clear (RFC 5246 §7.4.1.3, §7.4.3), and
pyOpenSSL has no call for the values that are read here. Pure: bytes in, values out, for any bytes.
The contents of the messages are not checked: OpenSSL does that, and a handshake that it refuses is
reported as failed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from types import MappingProxyType
from typing import Final

from prober.net.handshake import (
    SERVER_HELLO,
    SERVER_HELLO_DONE,
    SERVER_KEY_EXCHANGE,
    HandshakeReader,
)
from prober.net.tls_names import SUITES

_RANDOM: Final = 2 + 32  # where in a ServerHello it ends: RFC 5246 §7.4.1.3
_MAX_SESSION_ID: Final = 32
# Of each message, the bytes that are kept: a ServerHello up to TLS 1.2 has some 100, of which the
# extensions take 30; and three numbers of at most 16,384 bits, where OpenSSL takes 10,000, with the
# algorithms of the signature behind them.
_NUMBERS: Final = 3  # prime, generator, public value: RFC 5246 §7.4.3
_MAX_NUMBER: Final = 2048  # bytes
_KEPT: Final = MappingProxyType(
    {SERVER_HELLO: 1024, SERVER_KEY_EXCHANGE: _NUMBERS * (2 + _MAX_NUMBER) + 2}
)
_EXTENSION_HEADER: Final = 4  # type, length: RFC 5246 §7.4.1.4

# https://www.iana.org/assignments/tls-extensiontype-values/
ENCRYPT_THEN_MAC: Final = 22  # RFC 7366 §2
EXTENDED_MASTER_SECRET: Final = 23  # RFC 7627 §5.1
RENEGOTIATION_INFO: Final = 0xFF01  # RFC 5746 §3.2

# SignatureAndHashAlgorithm of TLS 1.2: RFC 5246 §7.4.1.4.1; RSASSA-PSS has the hash in the second
# byte: RFC 8446 §4.2.3. EdDSA has no hash of its own.
_HASHES: Final = MappingProxyType(
    {1: "md5", 2: "sha1", 3: "sha224", 4: "sha256", 5: "sha384", 6: "sha512"}
)
_INTRINSIC: Final = 8
_PSS_HASHES: Final = MappingProxyType(
    {4: "sha256", 5: "sha384", 6: "sha512", 9: "sha256", 10: "sha384", 11: "sha512"}
)
_NAMED_CURVE: Final = 3  # ECCurveType: RFC 8422 §5.4

_DH_SUITES: Final = frozenset(  # with finite-field Diffie-Hellman, ephemeral or anonymous
    code.to_bytes(2)
    for code, name in SUITES.items()
    if name.startswith(("TLS_DHE_", "TLS_DH_anon_"))
)

# The primes of RFC 7919, appendix A, by their SHA-256.
_RFC_7919: Final = MappingProxyType(
    {
        "9cd3b7f336872f46c09428d1bbc19877a4d440512cda8d1c1cf0cd6e33698966": "ffdhe2048",
        "0eaf67db3a839156d5013494a5318a772b5697d270d721f37f092efc69ea5a17": "ffdhe3072",
        "4648414224ac881b3d0dc59b466f96d06a558278776807797ecf1f66ff397b3e": "ffdhe4096",
        "227ac9066b3ddd9e193670cda2388fa884f65ba0cf98b742d1fe77a6687c79c7": "ffdhe6144",
        "770b14efaf6f049929c523113b3fa99a8d11dab1b18af3609590122075d19833": "ffdhe8192",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DhGroup:
    """A finite-field group: its name if RFC 7919 has one, and the size of its prime in bits."""

    name: str | None
    bits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHello:
    """The fields of the message: RFC 5246 §7.4.1.3, RFC 8446 §4.1.3."""

    version: int
    random: bytes
    session_id: bytes
    suite: int
    compression: int
    extensions: Mapping[int, bytes]


class ServerKeyExchange(HandshakeReader):
    """Looks for the ServerKeyExchange message in the bytes of a server.

    Stops when its messages are no longer in clear. Keeps the beginning of that message, and of the
    ServerHello, which has the cipher suite and the extensions.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kept = {message_type: bytearray() for message_type in _KEPT}
        self._hello_length: int | None = None

    def dh_group(self) -> DhGroup | None:
        """The group; None if the message did not come, or the cipher suite has no such group."""
        if self._cipher_suite() not in _DH_SUITES:
            return None
        return read_dh_group(bytes(self._kept[SERVER_KEY_EXCHANGE]))

    def signature_hash(self, *, elliptic: bool) -> str | None:
        """The hash of the signature in a signed ServerKeyExchange of TLS 1.2: RFC 5246 §7.4.3.

        None if the message did not come, or the signature has no separate hash.
        """
        kept = bytes(self._kept[SERVER_KEY_EXCHANGE])
        at = _end_of_point(kept) if elliptic else _end_of_numbers(kept)
        if at is None or at + 2 > len(kept):
            return None
        hash_, signature = kept[at], kept[at + 1]
        return _PSS_HASHES.get(signature) if hash_ == _INTRINSIC else _HASHES.get(hash_)

    def extensions(self) -> frozenset[int] | None:
        """The extensions of the ServerHello; None if it was not complete."""
        hello = bytes(self._kept[SERVER_HELLO])
        if len(hello) != self._hello_length:
            return None
        parsed = read_server_hello(hello)
        return frozenset(parsed.extensions) if parsed is not None else None

    def _cipher_suite(self) -> bytes:
        """RFC 5246 §7.4.1.3."""
        hello = self._kept[SERVER_HELLO]
        suite = _RANDOM + 1 + int.from_bytes(hello[_RANDOM : _RANDOM + 1])
        return bytes(hello[suite : suite + 2])

    def on_message(self, message_type: int, length: int) -> None:
        """With ServerHelloDone, the server has sent everything."""
        if message_type == SERVER_HELLO:
            self._hello_length = length
        self.is_over = message_type == SERVER_HELLO_DONE

    def on_piece(self, message_type: int, piece: memoryview, left: int) -> None:
        """Keep the beginning of the two messages."""
        kept = self._kept.get(message_type)
        if kept is None:
            return
        kept += piece[: _KEPT[message_type] - len(kept)]
        if message_type == SERVER_KEY_EXCHANGE and not left:
            self.is_over = True


def read_server_hello(body: bytes) -> ServerHello | None:
    """The ServerHello, or HelloRetryRequest; None if its lengths are wrong.

    It may end without extensions: RFC 5246 §7.4.1.3. An extension must not come twice: §7.4.1.4.
    """
    if len(body) <= _RANDOM or body[_RANDOM] > _MAX_SESSION_ID:
        return None
    suite = _RANDOM + 1 + body[_RANDOM]
    end = suite + 2 + 1  # cipher suite, compression method
    extensions = _read_extensions(body[end:])
    if len(body) < end or extensions is None:
        return None
    return ServerHello(
        version=int.from_bytes(body[:2]),
        random=body[2:_RANDOM],
        session_id=body[_RANDOM + 1 : suite],
        suite=int.from_bytes(body[suite : suite + 2]),
        compression=body[suite + 2],
        extensions=extensions,
    )


def read_dh_group(body: bytes) -> DhGroup | None:
    """The group of a ServerKeyExchange that has one, as soon as its prime has arrived.

    None before that, or if the prime is longer than what is kept. ServerDHParams: RFC 5246 §7.4.3.
    """
    length = int.from_bytes(body[:2])
    prime = body[2 : 2 + length].lstrip(b"\0")
    if length > _MAX_NUMBER or not prime or len(body) < 2 + length:
        return None
    name = _RFC_7919.get(sha256(prime).hexdigest())
    return DhGroup(name=name, bits=int.from_bytes(prime).bit_length())


def read_curve(body: bytes) -> int | None:
    """The number of the curve in a ServerKeyExchange; None if it has no named curve.

    ServerECDHParams: RFC 8422 §5.4.
    """
    end = _end_of_point(body)
    return int.from_bytes(body[1:3]) if end is not None and end <= len(body) else None


def _read_extensions(data: bytes) -> dict[int, bytes] | None:
    """The extensions by type; None if lengths are wrong, or one comes twice."""
    found: dict[int, bytes] = {}
    at = 2
    if data and int.from_bytes(data[:at]) != len(data) - at:
        return None
    while at + _EXTENSION_HEADER <= len(data):
        kind = int.from_bytes(data[at : at + 2])
        end = at + _EXTENSION_HEADER + int.from_bytes(data[at + 2 : at + _EXTENSION_HEADER])
        if kind in found:
            return None
        found[kind] = data[at + _EXTENSION_HEADER : end]
        at = end
    return found if at == len(data) or not data else None


def _end_of_point(kept: bytes) -> int | None:
    """Where the ServerECDHParams end: RFC 8422 §5.4. None for a curve without a name."""
    header = 4  # kind, curve, length of the point
    if len(kept) < header or kept[0] != _NAMED_CURVE:
        return None
    return header + kept[3]


def _end_of_numbers(kept: bytes) -> int:
    """Where the ServerDHParams end: RFC 5246 §7.4.3."""
    at = 0
    for _ in range(_NUMBERS):
        at += 2 + int.from_bytes(kept[at : at + 2])
    return at
