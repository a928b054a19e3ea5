"""TLSA records: which ones SMTP senders can use, and which certificates they match.

RFC 6698 §2.1 for the fields, RFC 7671 §9 for the choice among digests, RFC 7672 §3.1 for the usages
in SMTP. ``dane`` judges what a match proves.
"""

import hashlib
from collections.abc import Iterable
from types import MappingProxyType
from typing import Final, NamedTuple

from prober.records import Answer, TlsaRecord
from prober.rules.certificate_fields import ReadCertificate
from prober.rules.der import read_outline, split

DANE_TA: Final = 2
DANE_EE: Final = 3
_PKIX_USAGES: Final = MappingProxyType({0: "PKIX-TA", 1: "PKIX-EE"})

CERT: Final = 0
SPKI: Final = 1

FULL: Final = 0


class _Digest(NamedTuple):
    name: str
    algorithm: str
    size: int  # bytes


# by matching type; the higher is the stronger, by RFC 7671 §9
_DIGESTS: Final = MappingProxyType(
    {1: _Digest("SHA-256", "sha256", 32), 2: _Digest("SHA-512", "sha512", 64)}
)

_SEQUENCE: Final = 0x30
_BIT_STRING: Final = 0x03
_SHOWN: Final = 8  # bytes of a record's data in a text


def why_unusable(record: TlsaRecord) -> str | None:
    """Why SMTP senders cannot use *record*; None if they can. RFC 7672 §3.1, RFC 6698 §4.1.

    A record of the right form that matches nothing is usable, and a mismatch.
    """
    if record.usage in _PKIX_USAGES:  # RFC 7672 §3.1.3
        return f"usage {record.usage} ({_PKIX_USAGES[record.usage]}) is not for SMTP"
    if record.usage not in (DANE_TA, DANE_EE):
        return f"usage {record.usage} is unknown"
    if record.selector not in (CERT, SPKI):
        return f"selector {record.selector} is unknown"
    if record.matching_type == FULL:
        return _why_malformed(record)
    digest = _DIGESTS.get(record.matching_type)
    if digest is None:
        return f"matching type {record.matching_type} is unknown"
    if len(record.data) != digest.size:
        return f"a {digest.name} digest has {digest.size} bytes, not {len(record.data)}"
    return None


def usable(records: Iterable[TlsaRecord]) -> tuple[TlsaRecord, ...]:
    """The records that a sender can use; senders ignore the others."""
    return tuple(record for record in records if why_unusable(record) is None)


def deciding(records: Iterable[TlsaRecord]) -> tuple[TlsaRecord, ...]:
    """Those of the usable *records* that a sender compares. RFC 7671 §9, RFC 7672 §5.

    Among digests of one usage and selector only the strongest counts, so that an attacker who can
    forge the weaker gains nothing; a match of a weaker one beside it is no match.
    """
    able = usable(records)
    strongest: dict[tuple[int, int], int] = {}
    for record in able:
        kind = (record.usage, record.selector)
        strongest[kind] = max(strongest.get(kind, FULL), record.matching_type)
    return tuple(
        record
        for record in able
        if record.matching_type in (FULL, strongest[record.usage, record.selector])
    )


def selects(record: TlsaRecord, certificate: ReadCertificate) -> Answer:
    """Whether the usable *record* matches *certificate*. RFC 6698 §2.1.

    The public key is taken as sent, byte for byte, from certificates that no library reads, too.
    """
    part = certificate.spki if record.selector == SPKI else certificate.der
    if part is None:
        return Answer.NOT_TESTED
    if record.matching_type != FULL:
        part = hashlib.new(_DIGESTS[record.matching_type].algorithm, part).digest()
    return Answer.YES if part == record.data else Answer.NO


def show(record: TlsaRecord) -> str:
    """*record* in zone-file form, shortened."""
    cut = "…" if len(record.data) > _SHOWN else ""
    fields = f"{record.usage} {record.selector} {record.matching_type}"
    return f"{fields} {record.data[:_SHOWN].hex()}{cut}".rstrip()


def _why_malformed(record: TlsaRecord) -> str | None:
    """RFC 6698 §2.1.3: matching type 0 is the whole certificate, or the whole public key."""
    elements, rest = split(record.data)
    alone = len(elements) == 1 and not rest
    if record.selector == CERT:
        fits = alone and read_outline(record.data) is not None
        return None if fits else "its data is not a certificate"
    parts = split(elements[0].content) if alone and elements[0].tag == _SEQUENCE else ((), b"")
    fits = [part.tag for part in parts[0]] == [_SEQUENCE, _BIT_STRING] and not parts[1]
    return None if fits else "its data is not a public key"  # RFC 5280 §4.1, SubjectPublicKeyInfo
