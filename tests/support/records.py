"""TLS records that no TLS library sends by itself, for floods."""

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from OpenSSL import SSL

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23  # RFC 8446 §5.1
TLS12_GCM = b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"


def plain(kind: int, body: bytes) -> bytes:
    """A record in clear. RFC 8446 §5.1."""
    return bytes((kind, 3, 3)) + len(body).to_bytes(2, "big") + body


class Keys:
    """The secrets of one connection, once ``listen`` was asked to note them."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []

    def listen(self, context: SSL.Context) -> None:
        """Note the secrets of connections of *context*. One connection at a time."""
        context.set_keylog_callback(lambda _connection, line: self._lines.append(line))

    def secret(self, label: bytes) -> tuple[bytes, bytes]:
        """The client's random bytes, and the secret of that *label*."""
        (found,) = (line.split() for line in self._lines if line.startswith(label + b" "))
        return bytes.fromhex(found[1].decode()), bytes.fromhex(found[2].decode())


class Writer13:
    """Encrypts what a server sends in TLS 1.3, with TLS_AES_128_GCM_SHA256. RFC 8446 §5.2, §7."""

    def __init__(self, keys: Keys, *, records_sent: int) -> None:
        self._secret = keys.secret(b"SERVER_TRAFFIC_SECRET_0")[1]
        self._use(self._secret, records_sent)

    def record(self, kind: int, body: bytes) -> bytes:
        """One record of that inner *kind*."""
        nonce = (int.from_bytes(self._iv, "big") ^ self._number).to_bytes(12, "big")
        self._number += 1
        head = bytes((APPLICATION_DATA, 3, 3)) + (len(body) + 17).to_bytes(2, "big")
        return head + self._aead.encrypt(nonce, body + bytes((kind,)), head)

    def key_update(self) -> bytes:
        """A KeyUpdate that asks for another in return; the next record has the new keys."""
        sent = self.record(HANDSHAKE, b"\x18\0\0\1\1")  # RFC 8446 §4.6.3
        self._use(_expand(self._secret, b"traffic upd", 32), 0)
        return sent

    def ticket(self) -> bytes:
        """A NewSessionTicket. RFC 8446 §4.6.1."""
        body = (7200).to_bytes(4, "big") + bytes(4) + b"\1\0" + b"\0\x20" + bytes(32) + b"\0\0"
        return self.record(HANDSHAKE, b"\4" + len(body).to_bytes(3, "big") + body)

    def _use(self, secret: bytes, number: int) -> None:
        self._secret, self._number = secret, number
        self._aead = AESGCM(_expand(secret, b"key", 16))
        self._iv = _expand(secret, b"iv", 12)


class Writer12:
    """Encrypts what a server sends in TLS 1.2, with one of ``TLS12_GCM``. RFC 5246, RFC 5288."""

    def __init__(self, keys: Keys, server_random: bytes, *, records_sent: int) -> None:
        client_random, master = keys.secret(b"CLIENT_RANDOM")
        block = _prf(master, b"key expansion" + server_random + client_random, 40)
        self._aead, self._salt = AESGCM(block[16:32]), block[36:40]
        self._number = records_sent

    def record(self, kind: int, body: bytes) -> bytes:
        """One record of that *kind*."""
        number = self._number.to_bytes(8, "big")
        self._number += 1
        head = number + bytes((kind, 3, 3)) + len(body).to_bytes(2, "big")
        return plain(kind, number + self._aead.encrypt(self._salt + number, body, head))


def _expand(secret: bytes, label: bytes, length: int) -> bytes:
    """HKDF-Expand-Label without context. RFC 8446 §7.1."""
    name = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes((len(name),)) + name + b"\0"
    return HKDFExpand(SHA256(), length, info).derive(secret)


def _prf(secret: bytes, seed: bytes, length: int) -> bytes:
    """RFC 5246 §5, with SHA-256."""
    out, a = b"", seed
    while len(out) < length:
        a = hmac.digest(secret, a, hashlib.sha256)
        out += hmac.digest(secret, a + seed, hashlib.sha256)
    return out[:length]
