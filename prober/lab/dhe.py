"""The server side of a TLS 1.2 handshake with any finite-field Diffie-Hellman group.

The OpenSSL of the ``cryptography`` wheel cannot do this: it takes the groups of RFC 7919, and asks
for 1024 bits. This is a test double. It has one cipher suite and no resumption, and checks nothing
that the client sends except Finished. RFC 5246, RFC 5288.
"""

import hmac
import secrets
from collections.abc import Generator, Iterator
from hashlib import sha256

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from prober.lab.certificates import ServerCertificate

# A safe prime with the generator 2, as `openssl dhparam 1024` made it
PRIME_1024 = int(
    "8cb16499bc90affd81b196099db25717d990fd3680f729f2f46951f241e08e6b800f1f1b3161a7961c575"
    "5a6916d761db8b0e68d69521be63f2c03a83b19f975fef1c8195e1c114e063db64023f61ae3d5082c57d3"
    "c6c23213c9f24ba65db418a1040cdb1c5a72dbf04ec1abec8d38a604cd0de1d6b6ffe487680c3ecd657a0f",
    16,
)
PRIME_2048 = int(  # ffdhe2048, RFC 7919 appendix A.1
    "FFFFFFFFFFFFFFFFADF85458A2BB4A9AAFDC5620273D3CF1D8B9C583CE2D3695A9E13641146433FBCC939DCE249B3EF9"
    "7D2FE363630C75D8F681B202AEC4617AD3DF1ED5D5FD65612433F51F5F066ED0856365553DED1AF3B557135E7F57C935"
    "984F0C70E0E68B77E2A689DAF3EFE8721DF158A136ADE73530ACCA4F483A797ABC0AB182B324FB61D108A94BB2C8E3FB"
    "B96ADAB760D7F4681D4F42A3DE394DF4AE56EDE76372BB190B07A7C8EE0A6D709E02FCE1CDF7E2ECC03404CD28342F61"
    "9172FE9CE98583FF8E4F1232EEF28183C3FE3B1B4C6FAD733BB5FCBC2EC22005C58EF1837D1683B2C6F34A26C1B2EFFA"
    "886B423861285C97FFFFFFFFFFFFFFFF",
    16,
)
_GENERATOR = 2
_SUITE = bytes.fromhex("009e")  # TLS_DHE_RSA_WITH_AES_128_GCM_SHA256
_TLS12 = b"\x03\x03"
_RSA_PKCS1_SHA256 = bytes.fromhex("0401")
_RENEGOTIATION_INFO = bytes.fromhex("ff01 0001 00")  # RFC 5746 §3.6; OpenSSL requires it
_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _DATA = 20, 21, 22, 23
_CLOSE_NOTIFY = b"\x01\x00"


class DheConnection:
    """The part of ``SSL.Connection`` that ``Peer`` needs. The certificate must have an RSA key.

    Without *renegotiation_info* it is like a server from before RFC 5746.
    """

    def __init__(
        self, certificate: ServerCertificate, prime: int, *, renegotiation_info: bool = True
    ) -> None:
        if not isinstance(certificate.key, rsa.RSAPrivateKey):
            raise TypeError("the cipher suite needs an RSA key")
        self._key = certificate.key
        self._chain = [item.public_bytes(Encoding.DER) for item in certificate.chain]
        self._prime = prime
        self._extensions = _RENEGOTIATION_INFO if renegotiation_info else b""
        self._secret = secrets.randbits(256)
        self._random = secrets.token_bytes(32)
        self._incoming, self._outgoing = bytearray(), bytearray()
        self._transcript = b""
        self._reading: _Protection | None = None
        self._writing: _Protection | None = None
        self._steps = self._handshake_steps()

    def bio_write(self, data: bytes) -> None:
        """Add bytes from the client."""
        self._incoming += data

    def bio_read(self, size: int) -> bytes:
        """Bytes to send. Raises ``SSL.WantReadError`` if there are none."""
        if not self._outgoing:
            raise SSL.WantReadError
        data = bytes(self._outgoing[:size])
        del self._outgoing[:size]
        return data

    def do_handshake(self) -> None:
        """Continue the handshake. Raises ``SSL.WantReadError`` until it has completed."""
        for _ in self._steps:
            raise SSL.WantReadError

    def recv(self, size: int) -> bytes:
        """The clear text of one record."""
        content_type, data = self._next_record()
        if content_type != _DATA:
            raise SSL.ZeroReturnError
        return data

    def send(self, data: bytes) -> int:
        """Encrypt and send *data*, which must fit into one record."""
        self._send_record(_DATA, data)
        return len(data)

    def shutdown(self) -> bool:
        """Send close_notify."""
        self._send_record(_ALERT, _CLOSE_NOTIFY)
        return False

    def get_servername(self) -> bytes | None:
        """None: SNI is not read."""
        return None

    def get_protocol_version_name(self) -> str:
        """OpenSSL's name of the version."""
        return "TLSv1.2"

    def get_cipher_name(self) -> str | None:
        """OpenSSL's name of the cipher suite."""
        return "DHE-RSA-AES128-GCM-SHA256"

    def get_group_name(self) -> str | None:
        """None: a custom group has no name."""
        return None

    def _handshake_steps(self) -> Iterator[None]:
        """The handshake, RFC 5246 §7.3. Yields while it waits for a record of the client."""
        hello = yield from self._wait_for_record()
        client_random = hello[6:38]
        self._transcript += hello
        self._send_messages(self._flight(client_random))
        key_exchange = yield from self._wait_for_record()
        self._transcript += key_exchange
        shared = pow(int.from_bytes(key_exchange[6:]), self._secret, self._prime)
        master = _prf(_bytes(shared), b"master secret", client_random + self._random, 48)
        keys = _prf(master, b"key expansion", self._random + client_random, 40)
        yield from self._wait_for_record()  # ChangeCipherSpec
        self._reading = _Protection(keys[:16], keys[32:36])
        finished = yield from self._wait_for_record()
        if finished != self._finished(master, b"client finished"):
            raise SSL.Error([("lab", "", "wrong Finished")])
        self._transcript += finished
        self._send_record(_CHANGE_CIPHER_SPEC, b"\x01")
        self._writing = _Protection(keys[16:32], keys[36:])
        self._send_messages(self._finished(master, b"server finished"))

    def _flight(self, client_random: bytes) -> bytes:
        """All messages from ServerHello to ServerHelloDone. RFC 5246 §7.4.1 to §7.4.5."""
        hello = _TLS12 + self._random + b"\0" + _SUITE + b"\0" + _vector(self._extensions)
        chain = b"".join(_vector(der, 3) for der in self._chain)
        public = pow(_GENERATOR, self._secret, self._prime)
        params = b"".join(_vector(_bytes(item)) for item in (self._prime, _GENERATOR, public))
        signed = client_random + self._random + params
        signature = self._key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        key_exchange = params + _RSA_PKCS1_SHA256 + _vector(signature)
        return b"".join(
            bytes([kind]) + _vector(body, 3)
            for kind, body in ((2, hello), (11, _vector(chain, 3)), (12, key_exchange), (14, b""))
        )

    def _finished(self, master: bytes, label: bytes) -> bytes:
        """RFC 5246 §7.4.9."""
        digest = sha256(self._transcript).digest()
        return b"\x14" + _vector(_prf(master, label, digest, 12), 3)

    def _wait_for_record(self) -> Generator[None, None, bytes]:
        while True:
            try:
                return self._next_record()[1]
            except SSL.WantReadError:
                yield

    def _next_record(self) -> tuple[int, bytes]:
        """The client's next record: content type and decrypted content."""
        length = int.from_bytes(self._incoming[3:5])
        if len(self._incoming) < 5 + length or not length:
            raise SSL.WantReadError
        content_type, content = self._incoming[0], bytes(self._incoming[5 : 5 + length])
        del self._incoming[: 5 + length]
        if self._reading is not None:
            content = self._reading.open(content_type, content)
        return content_type, content

    def _send_messages(self, messages: bytes) -> None:
        self._transcript += messages
        self._send_record(_HANDSHAKE, messages)

    def _send_record(self, content_type: int, content: bytes) -> None:
        if self._writing is not None:
            content = self._writing.seal(content_type, content)
        self._outgoing += bytes([content_type]) + _TLS12 + _vector(content)


class _Protection:
    """AES-GCM for the records of one direction. RFC 5288 §3."""

    def __init__(self, key: bytes, salt: bytes) -> None:
        self._aead, self._salt, self._number = AESGCM(key), salt, 0

    def seal(self, content_type: int, content: bytes) -> bytes:
        explicit = self._number.to_bytes(8)
        associated = self._associated(content_type, len(content))
        return explicit + self._aead.encrypt(self._salt + explicit, content, associated)

    def open(self, content_type: int, content: bytes) -> bytes:
        explicit, sealed = content[:8], content[8:]
        associated = self._associated(content_type, len(sealed) - 16)
        return self._aead.decrypt(self._salt + explicit, sealed, associated)

    def _associated(self, content_type: int, length: int) -> bytes:
        number = self._number.to_bytes(8)
        self._number += 1
        return number + bytes([content_type]) + _TLS12 + length.to_bytes(2)


def _vector(content: bytes, size: int = 2) -> bytes:
    return len(content).to_bytes(size) + content


def _bytes(number: int) -> bytes:
    """Big-endian bytes without leading zeros, as RFC 5246 §8.1.2 requires for the shared secret."""
    return number.to_bytes((number.bit_length() + 7) // 8)


def _prf(secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """RFC 5246 §5, with SHA-256."""
    seed = label + seed
    result, last = b"", seed
    while len(result) < length:
        last = hmac.digest(secret, last, "sha256")
        result += hmac.digest(secret, last + seed, "sha256")
    return result[:length]
