"""Reads a certificate field by field, each behind its own guard. RFC 5280 §4.1.

OpenSSL makes a handshake with certificates that `cryptography` refuses, in whole (a BER boolean) or
in one field (an odd string), or warns of (a serial number below one). What one field's reading
raises costs that field only, and says so in ``unreadable``; warnings go to ``remarks``. The SAN,
the public key's bytes and, of a certificate that `cryptography` refuses in whole, the dates come
from our own reader, which needs nothing else to be right.
"""

import contextlib
import functools
import hashlib
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import NameOID, PublicKeyAlgorithmOID

from prober.rules.der import Outline, read_outline, read_validity, split
from prober.rules.identity import SanNames, san_of

T = TypeVar("T")

_MAX_REMARK: Final = 200
_REMEMBERED: Final = 1024  # certificates, at about 3 kB each
_MAX_REMEMBERED: Final = 8192  # bytes: a hundred names fit
_LARGE_REMEMBERED: Final = 192  # of those, at up to 1 MB and 70 ms: a domain's 160 endpoints

# RFC 3279 §2.2, RFC 4055 §5, RFC 5758 §3, RFC 8410 §3, FIPS 204: the names OpenSSL prints, and the
# digest where the identifier itself says it.
_SIGNATURES: Final = MappingProxyType(
    {
        "1.2.840.113549.1.1.2": ("md2WithRSAEncryption", "md2"),
        "1.2.840.113549.1.1.3": ("md4WithRSAEncryption", "md4"),
        "1.2.840.113549.1.1.4": ("md5WithRSAEncryption", "md5"),
        "1.2.840.113549.1.1.5": ("sha1WithRSAEncryption", "sha1"),
        "1.3.14.3.2.29": ("sha1WithRSA", "sha1"),  # OIW, from before PKCS #1 had one
        "1.2.840.113549.1.1.14": ("sha224WithRSAEncryption", "sha224"),
        "1.2.840.113549.1.1.11": ("sha256WithRSAEncryption", "sha256"),
        "1.2.840.113549.1.1.12": ("sha384WithRSAEncryption", "sha384"),
        "1.2.840.113549.1.1.13": ("sha512WithRSAEncryption", "sha512"),
        "1.2.840.113549.1.1.10": ("rsassaPss", None),  # its parameters say it
        "1.2.840.10045.4.1": ("ecdsa-with-SHA1", "sha1"),
        "1.2.840.10045.4.3.1": ("ecdsa-with-SHA224", "sha224"),
        "1.2.840.10045.4.3.2": ("ecdsa-with-SHA256", "sha256"),
        "1.2.840.10045.4.3.3": ("ecdsa-with-SHA384", "sha384"),
        "1.2.840.10045.4.3.4": ("ecdsa-with-SHA512", "sha512"),
        "1.2.840.10040.4.3": ("dsaWithSHA1", "sha1"),
        "2.16.840.1.101.3.4.3.1": ("dsa_with_SHA224", "sha224"),
        "2.16.840.1.101.3.4.3.2": ("dsa_with_SHA256", "sha256"),
        "1.3.101.112": ("ED25519", None),
        "1.3.101.113": ("ED448", None),
        "2.16.840.1.101.3.4.3.17": ("ML-DSA-44", None),
        "2.16.840.1.101.3.4.3.18": ("ML-DSA-65", None),
        "2.16.840.1.101.3.4.3.19": ("ML-DSA-87", None),
    }
)
_KEY_USAGE: Final = bytes.fromhex("551d0f")  # 2.5.29.15
_BIT_STRING: Final = 0x03
_DIGITAL_SIGNATURE: Final = 0x80
_RSASSA_PSS: Final = "1.2.840.113549.1.1.10"
_READABLE_KINDS: Final = frozenset(
    {
        PublicKeyAlgorithmOID.RSAES_PKCS1_v1_5,
        PublicKeyAlgorithmOID.RSASSA_PSS,
        PublicKeyAlgorithmOID.DSA,
        PublicKeyAlgorithmOID.EC_PUBLIC_KEY,
        PublicKeyAlgorithmOID.ED25519,
        PublicKeyAlgorithmOID.ED448,
    }
)


@dataclass(frozen=True, slots=True)
class Key:
    """A public key. ``bits`` is None for a kind with one size only, or an unknown kind."""

    text: str  # such as "RSA 2048", "EC secp256r1", "Ed25519", or a dotted identifier
    kind: str  # as in thresholds.MIN_KEY_BITS
    bits: int | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature algorithm. ``digest`` is None where it has none of its own, or it is unknown."""

    text: str  # such as "sha256WithRSAEncryption", or a dotted identifier
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Name:
    """A distinguished name. ``text`` is RFC 4514; ``None`` where only the bytes could be read."""

    encoded: bytes
    text: str | None = None
    common_names: tuple[str, ...] = ()

    def equals(self, other: "Name") -> bool:
        """For comparison: letter case, spaces and string type do not count. RFC 5280 §7.1."""
        if self.encoded == other.encoded:
            return True
        if self.text is None or other.text is None:
            return False
        return self.text.casefold().split() == other.text.casefold().split()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCertificate:
    """What could be read of a certificate; ``None`` is a field that could not.

    ``self_signed``: it names itself as its issuer, and its own key does not refute it. ``spki`` is
    the public key as sent, byte for byte. ``forbids_signing``: its key usage allows something, and
    not digital signatures.
    """

    der: bytes
    sha256: str
    spki: bytes | None = None
    spki_sha256: str | None = None
    san: SanNames | None = None
    subject: Name | None = None
    issuer: Name | None = None
    serial: str | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    key: Key | None = None
    signature: Signature | None = None
    self_signed: bool = False
    forbids_signing: bool = False
    unreadable: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


class _Guard:
    """Runs one reading at a time, and notes which ones failed."""

    def __init__(self) -> None:
        self.unreadable: list[str] = []

    def read(self, field: str, reading: Callable[[], T]) -> T | None:
        try:
            return reading()
        except Exception as exc:  # the parser documents no list of exceptions
            self.unreadable.append(_cap(f"{field}: {exc}"))
            return None


class CertificateReader:
    """Reads certificates, with a bounded cache.

    It belongs to one run: many domains at one operator show the same certificates.
    """

    def __init__(self) -> None:
        self._read = functools.lru_cache(maxsize=_REMEMBERED)(read_certificate)
        self._read_large = functools.lru_cache(maxsize=_LARGE_REMEMBERED)(read_certificate)

    def read(self, der: bytes) -> ReadCertificate:
        """``read_certificate`` of *der*, from the cache where it is there."""
        return self._read(der) if len(der) <= _MAX_REMEMBERED else self._read_large(der)


_lock: Final = threading.Lock()


@contextlib.contextmanager
def caught_warnings() -> Iterator[list[warnings.WarningMessage]]:
    """The warnings that come inside this context. Not reentrant.

    Warning filters belong to the process: two threads that change them at the same time leave
    filters behind. So every change of ours goes through this one lock.
    """
    with _lock, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


def read_certificate(der: bytes) -> ReadCertificate:
    """Read each field of a DER certificate that can be read. Never raises. RFC 5280 §4.1."""
    with caught_warnings() as caught:
        read = _read_certificate(der, _Guard())
    remarks = dict.fromkeys(_cap(str(each.message)) for each in caught)
    return replace(read, remarks=tuple(remarks)) if remarks else read


def _read_certificate(der: bytes, guard: _Guard) -> ReadCertificate:
    outline = read_outline(der)
    san = san_of(outline) if outline is not None else None
    if san is None:
        guard.unreadable.append("subjectAltName: cannot be read")
    parsed = guard.read("certificate", lambda: x509.load_der_x509_certificate(der))
    sha256 = hashlib.sha256(der).hexdigest()
    if outline is None:
        return ReadCertificate(der=der, sha256=sha256, unreadable=tuple(guard.unreadable))
    spki_sha256 = hashlib.sha256(outline.spki).hexdigest()
    subject, issuer = Name(outline.subject), Name(outline.issuer)
    if parsed is None:
        not_before, not_after = read_validity(outline) or (None, None)
        return ReadCertificate(
            der=der,
            sha256=sha256,
            spki=outline.spki,
            spki_sha256=spki_sha256,
            san=san,
            subject=subject,
            issuer=issuer,
            not_before=not_before,
            not_after=not_after,
            forbids_signing=_forbids_signing(outline),
            unreadable=tuple(guard.unreadable),
        )
    return ReadCertificate(
        der=der,
        sha256=sha256,
        spki=outline.spki,
        spki_sha256=spki_sha256,
        san=san,
        subject=guard.read("subject", lambda: _read_name(parsed.subject, subject)) or subject,
        issuer=guard.read("issuer", lambda: _read_name(parsed.issuer, issuer)) or issuer,
        serial=guard.read("serial number", lambda: f"{parsed.serial_number:x}"),
        not_before=guard.read("not before", lambda: parsed.not_valid_before_utc),
        not_after=guard.read("not after", lambda: parsed.not_valid_after_utc),
        key=guard.read("public key", lambda: _read_key(parsed)),
        signature=guard.read("signature algorithm", lambda: _read_signature(parsed)),
        self_signed=subject == issuer and not _is_refuted(parsed),
        forbids_signing=_forbids_signing(outline),
        unreadable=tuple(guard.unreadable),  # last, when all readings are done
    )


def _forbids_signing(outline: Outline) -> bool:
    """RFC 5280 §4.2.1.3: digitalSignature is the first bit of the key usage."""
    usage = next((each.value for each in outline.extensions if each.oid == _KEY_USAGE), b"")
    elements, _ = split(usage)
    bits = elements[0].content[1:] if elements and elements[0].tag == _BIT_STRING else b""
    return any(bits) and not bits[0] & _DIGITAL_SIGNATURE


def _read_name(name: x509.Name, raw: Name) -> Name:
    values = [each.value for each in name.get_attributes_for_oid(NameOID.COMMON_NAME)]
    common_names = tuple(value for value in values if isinstance(value, str))
    return Name(raw.encoded, name.rfc4514_string(), common_names)


def _read_key(parsed: x509.Certificate) -> Key:
    try:
        key = parsed.public_key()
    except (UnsupportedAlgorithm, ValueError):  # for an unknown kind, older versions raise the last
        algorithm = parsed.public_key_algorithm_oid
        if algorithm in _READABLE_KINDS:
            raise  # a key that is broken, or of a curve unknown to us, which may be a short one
        return Key(algorithm.dotted_string, algorithm.dotted_string)
    return _describe_key(key)


def _describe_key(key: CertificatePublicKeyTypes) -> Key:
    match key:
        case rsa.RSAPublicKey():
            return Key(f"RSA {key.key_size}", "RSA", key.key_size)
        case dsa.DSAPublicKey():
            return Key(f"DSA {key.key_size}", "DSA", key.key_size)
        case ec.EllipticCurvePublicKey():
            return Key(f"EC {key.curve.name}", "EC", key.key_size)
        case _:  # of one size each: Ed25519, Ed448, ML-DSA
            kind = type(key).__name__.removesuffix("PublicKey")
            return Key(kind, kind)


def _read_signature(parsed: x509.Certificate) -> Signature:
    identifier = parsed.signature_algorithm_oid.dotted_string
    text, digest = _SIGNATURES.get(identifier, (identifier, None))
    if identifier == _RSASSA_PSS and (algorithm := parsed.signature_hash_algorithm) is not None:
        digest = algorithm.name
    return Signature(text, digest)


def _is_refuted(parsed: x509.Certificate) -> bool:
    """Whether a certificate that names itself as its issuer was signed by another key."""
    try:
        parsed.verify_directly_issued_by(parsed)
    except InvalidSignature:
        return True
    except Exception:  # MD5, SHA-1, a key of another kind: it cannot be checked
        return False
    return False


def _cap(text: str) -> str:
    return text if len(text) <= _MAX_REMARK else f"{text[: _MAX_REMARK - 1]}…"
