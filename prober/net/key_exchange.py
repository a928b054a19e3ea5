"""What a server says in clear up to TLS 1.2: its extensions, its DH group, and the hash it signs.

Up to TLS 1.2 ServerHello and ServerKeyExchange are in clear (RFC 5246 §7.4.1.3, §7.4.3), and
pyOpenSSL has no call for what is read of them here. Pure: bytes in, values out, for any bytes. The
messages' contents are not checked: OpenSSL does that, and a handshake that it refuses is reported
as failed.
"""

from dataclasses import dataclass
from hashlib import sha256
from types import MappingProxyType
from typing import Final

_HANDSHAKE: Final = 22  # content types: RFC 5246 §6.2.1
_ALERT: Final = 21
_TLS_MAJOR: Final = 3  # of the version in a record, from SSL 3.0 to TLS 1.3
_RECORD_HEADER: Final = 5  # type, version, length: RFC 5246 §6.2.1
_MESSAGE_HEADER: Final = 4  # type, length: RFC 5246 §7.4
_SERVER_HELLO: Final = 2
_SERVER_KEY_EXCHANGE: Final = 12
_SERVER_HELLO_DONE: Final = 14
_SESSION_ID: Final = 2 + 32  # where in a ServerHello its length stands: RFC 5246 §7.4.1.3
# Of each message, the bytes that are kept: a ServerHello up to TLS 1.2 has some 100, of which the
# extensions take 30; and three numbers of at most 16,384 bits, where OpenSSL takes 10,000, with the
# algorithms of the signature behind them.
_NUMBERS: Final = 3  # prime, generator, public value: RFC 5246 §7.4.3
_MAX_NUMBER: Final = 2048  # bytes
_KEPT: Final = MappingProxyType(
    {_SERVER_HELLO: 1024, _SERVER_KEY_EXCHANGE: _NUMBERS * (2 + _MAX_NUMBER) + 2}
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

# The cipher suites with ephemeral finite-field Diffie-Hellman that our OpenSSL can offer: DHE with
# RSA and DSS, and anonymous. https://www.iana.org/assignments/tls-parameters/
_DH_SUITES: Final = frozenset(
    bytes.fromhex(code)
    for code in (
        "0032 0033 0034 0038 0039 003a 0040 0044 0045 0046 0067 006a 006b 006c 006d 0087 0088 0089 "
        "0099 009a 009b 009e 009f 00a2 00a3 00a6 00a7 00bd 00be 00bf 00c3 00c4 00c5 "
        "c052 c053 c056 c057 c09e c09f c0a2 c0a3 ccaa"
    ).split()
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
    """A finite-field group: its name where RFC 7919 has one, and the size of its prime."""

    name: str | None
    bits: int


class ServerKeyExchange:
    """Looks for the ServerKeyExchange message in a server's bytes, in whatever pieces they come.

    Stops where the server's messages are no longer in clear. Keeps the beginning of that message
    and of the ServerHello, which has the cipher suite and the extensions, and nothing else.
    """

    def __init__(self) -> None:
        self._header = b""  # of the record that begins
        self._record_left = 0
        self._is_handshake = False
        self._message_header = b""  # of the handshake message that begins
        self._message_left = 0
        self._message_type = 0
        self._kept = {message_type: bytearray() for message_type in _KEPT}
        self._hello_length: int | None = None
        self._is_over = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the server's."""
        rest = memoryview(data)
        while rest and not self._is_over:
            if self._record_left:
                piece, rest = rest[: self._record_left], rest[self._record_left :]
                self._record_left -= len(piece)
                if self._is_handshake:
                    self._read_messages(piece)
            else:
                wanted = _RECORD_HEADER - len(self._header)
                self._header += rest[:wanted]
                rest = rest[wanted:]
                if len(self._header) == _RECORD_HEADER:
                    self._begin_record()

    def dh_group(self) -> DhGroup | None:
        """The group; None where the message did not come, or the cipher suite has no such group.

        ServerDHParams: RFC 5246 §7.4.3.
        """
        kept = self._kept[_SERVER_KEY_EXCHANGE]
        length = int.from_bytes(kept[:2])
        prime = bytes(kept[2 : 2 + length]).lstrip(b"\0")
        if (
            length > _MAX_NUMBER
            or self._cipher_suite() not in _DH_SUITES
            or not prime
            or len(kept) < 2 + length
        ):
            return None
        name = _RFC_7919.get(sha256(prime).hexdigest())
        return DhGroup(name=name, bits=int.from_bytes(prime).bit_length())

    def signature_hash(self, *, elliptic: bool) -> str | None:
        """The hash of the signature in a signed ServerKeyExchange of TLS 1.2: RFC 5246 §7.4.3.

        None where the message did not come, or the signature has no hash apart.
        """
        kept = bytes(self._kept[_SERVER_KEY_EXCHANGE])
        at = _end_of_point(kept) if elliptic else _end_of_numbers(kept)
        if at is None or at + 2 > len(kept):
            return None
        hash_, signature = kept[at], kept[at + 1]
        return _PSS_HASHES.get(signature) if hash_ == _INTRINSIC else _HASHES.get(hash_)

    def extensions(self) -> frozenset[int] | None:
        """The extensions of the ServerHello; None where they were not seen whole.

        A ServerHello may end without any: RFC 5246 §7.4.1.3.
        """
        hello = bytes(self._kept[_SERVER_HELLO])
        if len(hello) <= _SESSION_ID or len(hello) != self._hello_length:
            return None
        at = _SESSION_ID + 1 + hello[_SESSION_ID] + 2 + 1  # cipher suite, compression method
        found: set[int] = set()
        if at < len(hello):
            at += 2  # the length of all
        while at + _EXTENSION_HEADER <= len(hello):
            found.add(int.from_bytes(hello[at : at + 2]))
            at += _EXTENSION_HEADER + int.from_bytes(hello[at + 2 : at + _EXTENSION_HEADER])
        return frozenset(found) if at == len(hello) else None

    def _cipher_suite(self) -> bytes:
        """RFC 5246 §7.4.1.3."""
        hello = self._kept[_SERVER_HELLO]
        suite = _SESSION_ID + 1 + int.from_bytes(hello[_SESSION_ID : _SESSION_ID + 1])
        return bytes(hello[suite : suite + 2])

    def _begin_record(self) -> None:
        content_type, major = self._header[:2]
        self._record_left = int.from_bytes(self._header[3:])
        self._is_handshake = content_type == _HANDSHAKE
        self._header = b""
        # after ChangeCipherSpec, and in application data, all is encrypted
        is_clear = content_type in (_HANDSHAKE, _ALERT)
        self._is_over = not is_clear or major != _TLS_MAJOR

    def _read_messages(self, data: memoryview) -> None:
        """A message may span records, and a record hold several messages: RFC 5246 §6.2.1."""
        while data and not self._is_over:
            if self._message_left:
                piece, data = data[: self._message_left], data[self._message_left :]
                self._message_left -= len(piece)
                self._keep(piece)
            else:
                wanted = _MESSAGE_HEADER - len(self._message_header)
                self._message_header += data[:wanted]
                data = data[wanted:]
                if len(self._message_header) == _MESSAGE_HEADER:
                    self._begin_message()

    def _begin_message(self) -> None:
        self._message_type = self._message_header[0]
        self._message_left = int.from_bytes(self._message_header[1:])
        self._message_header = b""
        if self._message_type == _SERVER_HELLO:
            self._hello_length = self._message_left
        self._is_over = self._message_type == _SERVER_HELLO_DONE

    def _keep(self, piece: memoryview) -> None:
        kept = self._kept.get(self._message_type)
        if kept is None:
            return
        kept += piece[: _KEPT[self._message_type] - len(kept)]
        if self._message_type == _SERVER_KEY_EXCHANGE and not self._message_left:
            self._is_over = True


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
