"""The finite-field Diffie-Hellman group of a handshake up to TLS 1.2, from what the server sends.

Up to TLS 1.2 the ServerKeyExchange message is in clear (RFC 5246 §7.4.3), and pyOpenSSL has no call
for the size of its prime. Pure: bytes in, values out, for any bytes. The messages' contents are not
checked: OpenSSL does that, and a handshake that it refuses is reported as failed.
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
# Of each message, the bytes that are kept: up to the cipher suite, behind a session ID of at most
# 32 bytes; and a prime of at most 16,384 bits, where OpenSSL takes 10,000.
_KEPT: Final = MappingProxyType(
    {_SERVER_HELLO: _SESSION_ID + 1 + 32 + 2, _SERVER_KEY_EXCHANGE: 2 + 2048}
)

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
    and of the ServerHello, which names the cipher suite, and nothing else.
    """

    def __init__(self) -> None:
        self._header = b""  # of the record that begins
        self._record_left = 0
        self._is_handshake = False
        self._message_header = b""  # of the handshake message that begins
        self._message_left = 0
        self._message_type = 0
        self._kept = {message_type: bytearray() for message_type in _KEPT}
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
        if self._cipher_suite() not in _DH_SUITES or not prime or len(kept) < 2 + length:
            return None
        name = _RFC_7919.get(sha256(prime).hexdigest())
        return DhGroup(name=name, bits=int.from_bytes(prime).bit_length())

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
        self._is_over = self._message_type == _SERVER_HELLO_DONE

    def _keep(self, piece: memoryview) -> None:
        kept = self._kept.get(self._message_type)
        if kept is None:
            return
        kept += piece[: _KEPT[self._message_type] - len(kept)]
        if self._message_type == _SERVER_KEY_EXCHANGE and not self._message_left:
            self._is_over = True
