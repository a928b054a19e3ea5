"""One RRset, its signatures and the keys of its zone. RFC 4035 §5.3, RFC 6840 §5."""

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import dns.dnssec
import dns.exception
import dns.rdataset
import dns.rdatatype
import dns.rrset
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from dns.name import Name
from dns.rdtypes.ANY.DNSKEY import DNSKEY
from dns.rdtypes.ANY.RRSIG import RRSIG
from dns.rdtypes.dnskeybase import Flag

from prober.dnssec.judgement import SECURE, Judgement, Reply, Work, Zone, record_text
from prober.records import Dnssec

# RSASHA256, RSASHA512, ECDSAP256SHA256, ECDSAP384SHA384, ED25519, ED448. A zone that has only
# others is insecure, and so is one with SHA-1 signatures, 5 and 7: RFC 9905 §2.
SUPPORTED: Final = frozenset({8, 10, 13, 14, 15, 16})
_RSA: Final = frozenset({8, 10})
_MAX_RSA_KEY: Final = 1024  # octets of key data: 4,096 bits of modulus (RFC 5702 §2), exponent
EXPIRED: Final = "the signature expired at"
NOT_YET_VALID: Final = "the signature is not valid before"
_HALF: Final = 1 << 31


class _Rank(enum.IntEnum):
    """Which of several faults a reason names: that of the signature which came closest."""

    UNSIGNED = 0
    UNSUPPORTED = 1
    NO_KEY = 2
    TIME = 3
    WRONG = 4


@dataclass(frozen=True, slots=True)
class Verified:
    """The outcome for one RRset. ``signature`` is the one that verified; None: none did."""

    judgement: Judgement
    signature: RRSIG | None = None


def verify(
    rrset: dns.rrset.RRset, signatures: Sequence[RRSIG], zone: Zone, now: float, work: Work
) -> Verified:
    """Whether a key of *zone* signed *rrset*: one valid signature is enough. RFC 6840 §5.11.

    Whether a wildcard was expanded, and whether that was right, the caller looks at. Raises
    LimitError.
    """
    faults = [(_Rank.UNSIGNED, "no signature by the zone", -1)]
    for signature in signatures:
        tag = signature.key_tag
        if signature.signer != zone.name:
            continue
        if signature.algorithm not in SUPPORTED:
            fault = f"algorithm {int(signature.algorithm)} is not supported"
            faults.append((_Rank.UNSUPPORTED, fault, tag))
            continue
        if (time_fault := _time_fault(signature, now)) is not None:
            faults.append((_Rank.TIME, time_fault, tag))
            continue
        faults.append((_Rank.NO_KEY, "no such key in the zone", tag))
        for key in _candidates(zone.keys, signature):
            work.spend(signatures=1)
            if _is_signed_by(rrset, signature, key):
                return Verified(SECURE, signature)
            faults.append((_Rank.WRONG, "the signature does not verify", tag))
    _, fault, tag = max(faults)
    return Verified(bogus(zone.name, rrset.name, rrset.rdtype, fault, tag if tag >= 0 else None))


def bogus(
    zone: Name,
    owner: Name,
    rdtype: dns.rdatatype.RdataType,
    fault: str,
    key_tag: int | None = None,
) -> Judgement:
    """A judgement that names zone, record, key and fault."""
    return Judgement(
        state=Dnssec.BOGUS,
        zone=str(zone),
        record=record_text(owner, rdtype),
        key_tag=key_tag,
        fault=fault,
    )


def unsigned(zone: Name, owner: Name, rdtype: dns.rdatatype.RdataType, reply: Reply) -> Judgement:
    """What a missing signature or denial means in a secure zone.

    From a resolver that takes DNSSEC out of its answers it means nothing (RFC 3225 §3: it does not
    set DO either); from any other it is an attack or a fault of the zone (RFC 4035 §5.5).
    """
    if reply.knows_dnssec:
        return bogus(zone, owner, rdtype, "no signature, in a zone that is signed")
    return Judgement(
        state=Dnssec.INDETERMINATE,
        zone=str(zone),
        record=record_text(owner, rdtype),
        fault="the resolver leaves signatures out: it does not answer to DO",
    )


def is_expanded(rrset: dns.rrset.RRset, signature: RRSIG) -> bool:
    """Whether *rrset* was made from a wildcard. RFC 4035 §5.3.4."""
    return signature.labels < len(rrset.name) - 1 - rrset.name.is_wild()


def _candidates(keys: Sequence[DNSKEY], signature: RRSIG) -> Iterator[DNSKEY]:
    for key in keys:
        is_alike = key.algorithm == signature.algorithm and is_zone_key(key)
        if is_alike and dns.dnssec.key_id(key) == signature.key_tag:
            yield key


def is_zone_key(key: DNSKEY) -> bool:
    """RFC 4034 §2.1.1 and §2.1.2; one that is revoked signs nothing but itself: RFC 5011 §2.1."""
    return bool(key.flags & Flag.ZONE) and not key.flags & Flag.REVOKE and key.protocol == 3


def _is_signed_by(rrset: dns.rrset.RRset, signature: RRSIG, key: DNSKEY) -> bool:
    if key.algorithm in _RSA and len(key.key) > _MAX_RSA_KEY:
        return False
    keys = dns.rdataset.from_rdata(0, key)
    try:
        dns.dnssec.validate_rrsig(
            rrset,
            signature,
            {signature.signer: keys},
            now=signature.expiration,  # judged above, by serial arithmetic
            policy=dns.dnssec.allow_all_policy,
        )
    except (
        dns.exception.DNSException,
        InvalidSignature,
        UnsupportedAlgorithm,  # a curve or key size that this OpenSSL does not have
        ValueError,
    ):
        return False
    return True


def _time_fault(signature: RRSIG, now: float) -> str | None:
    """RFC 4034 §3.1.5: serial arithmetic, so that it works beyond 2106."""
    if (signature.expiration - int(now)) % (1 << 32) >= _HALF:
        return f"{EXPIRED} {_utc(signature.expiration)}"
    if (int(now) - signature.inception) % (1 << 32) >= _HALF:
        return f"{NOT_YET_VALID} {_utc(signature.inception)}"
    return None


def _utc(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
