"""The keys of a zone, each parsed once: its tag, its public key, and what it signed."""

import functools
from typing import Final

import dns.dnssec
import dns.dnssecalgs
import dns.exception
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from dns.dnssecalgs.base import GenericPublicKey
from dns.rdtypes.ANY.DNSKEY import DNSKEY
from dns.rdtypes.dnskeybase import Flag

_RSA: Final = frozenset({8, 10})
_MAX_RSA_KEY: Final = 1024  # octets of key data: 4,096 bits of modulus (RFC 5702 §2), exponent
_MAX_KNOWN: Final = 256  # signatures, with what they are over: 0.5 kB each


class Key:
    """A DNSKEY record that may sign records of its zone.

    It remembers the signatures that it verified, since the same denials come many times.
    """

    def __init__(self, record: DNSKEY) -> None:
        self.record = record
        self.tag = dns.dnssec.key_id(record)
        self._known: dict[bytes, bytes] = {}

    def knows(self, signature: bytes, signed: bytes) -> bool:
        """Whether it verified *signature* over *signed* before."""
        return self._known.get(signature) == signed

    def verify(self, signature: bytes, signed: bytes) -> bool:
        """Whether *signature* over *signed* is by this key."""
        if self._public is None:
            return False
        try:
            self._public.verify(signature, signed)
        except (dns.exception.DNSException, InvalidSignature, ValueError):
            return False
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        self._known[signature] = signed
        return True

    @functools.cached_property
    def _public(self) -> GenericPublicKey | None:
        """The public key. None if its length is wrong, or OpenSSL does not support it."""
        if self.record.algorithm in _RSA and len(self.record.key) > _MAX_RSA_KEY:
            return None
        try:
            kind = dns.dnssecalgs.get_algorithm_cls_from_dnskey(self.record)
            return kind.public_cls.from_dnskey(self.record)
        except (dns.exception.DNSException, UnsupportedAlgorithm, ValueError):
            return None


def is_zone_key(key: DNSKEY) -> bool:
    """RFC 4034 §2.1.1 and §2.1.2; one that is revoked signs nothing but itself: RFC 5011 §2.1."""
    return bool(key.flags & Flag.ZONE) and not key.flags & Flag.REVOKE and key.protocol == 3
