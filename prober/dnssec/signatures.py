"""One RRset, its signatures and the keys of its zone. RFC 4035 §5.3, RFC 6840 §5."""

import enum
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import dns.name
import dns.rdatatype
import dns.rrset
from dns.name import Name
from dns.rdtypes.ANY.RRSIG import RRSIG

from prober.dnssec.judgement import SECURE, Judgement, Reply, Work, Zone, bogus, indeterminate

# RSASHA256, RSASHA512, ECDSAP256SHA256, ECDSAP384SHA384, ED25519, ED448. A zone that has only
# others is insecure, and so is one with SHA-1 signatures, 5 and 7: RFC 9905 §2.
SUPPORTED: Final = frozenset({8, 10, 13, 14, 15, 16})
_WILD: Final = dns.name.Name([b"*"])
EXPIRED: Final = "the signature expired at"
NOT_YET_VALID: Final = "the signature is not valid before"
_HALF: Final = 1 << 31


class _Rank(enum.IntEnum):
    """How close a signature came to being valid. The reason names the fault of the closest one."""

    UNSIGNED = 0
    UNSUPPORTED = 1
    NO_KEY = 2
    TIME = 3
    WRONG = 4


@dataclass(frozen=True, slots=True)
class Verified:
    """The result for one RRset. ``signature`` is the valid one; None if no signature is valid."""

    judgement: Judgement
    signature: RRSIG | None = None


def verify(
    rrset: dns.rrset.RRset, signatures: Sequence[RRSIG], zone: Zone, now: float, work: Work
) -> Verified:
    """Whether a key of *zone* signed *rrset*: one valid signature is enough. RFC 6840 §5.11.

    Not checked: whether a wildcard was expanded, and whether that was allowed. Raises LimitError.
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
        signed = _signed_data(rrset, signature)
        for key in zone.keys:
            if (key.tag, key.record.algorithm) != (tag, signature.algorithm):
                continue
            if key.knows(signature.signature, signed):
                return Verified(SECURE, signature)
            work.spend(signatures=1)
            if _has_its_labels(rrset.name, signature) and key.verify(signature.signature, signed):
                return Verified(SECURE, signature)
            faults.append((_Rank.WRONG, "the signature does not verify", tag))
    _, fault, tag = max(faults)
    return Verified(bogus(zone.name, rrset.name, rrset.rdtype, fault, tag if tag >= 0 else None))


def unsigned(zone: Name, owner: Name, rdtype: dns.rdatatype.RdataType, reply: Reply) -> Judgement:
    """What a missing signature or denial means in a secure zone.

    Nothing, if the resolver removes DNSSEC from its answers (RFC 3225 §3: it does not set DO
    either). From any other resolver it means an attack or a fault of the zone (RFC 4035 §5.5).
    """
    if reply.knows_dnssec:
        return bogus(zone, owner, rdtype, "no signature, in a zone that is signed")
    fault = "the resolver leaves signatures out: its answers lack the DO bit"
    return indeterminate(zone, owner, rdtype, fault)


def is_expanded(rrset: dns.rrset.RRset, signature: RRSIG) -> bool:
    """Whether *rrset* was expanded from a wildcard. RFC 4035 §5.3.4."""
    return signature.labels < len(rrset.name) - 1 - rrset.name.is_wild()


def _has_its_labels(owner: Name, signature: RRSIG) -> bool:
    """Whether *owner* can have the number of labels in *signature*. RFC 4035 §5.3.1."""
    most = len(owner) - 1 - owner.is_wild()
    return signature.labels == most or (signature.labels < most and not owner.is_wild())


def _signed_data(rrset: dns.rrset.RRset, signature: RRSIG) -> bytes:
    """The signed bytes of *signature*, canonical. RFC 4034 §3.1.8.1 and §6, RFC 4035 §5.3.2."""
    owner = rrset.name
    if is_expanded(rrset, signature):
        owner = _WILD + owner.split(signature.labels + 1)[1]
    kind = struct.pack("!HHI", rrset.rdtype, rrset.rdclass, signature.original_ttl)
    head = owner.to_digestable() + kind
    whole = signature.to_digestable()
    parts = [whole[: len(whole) - len(signature.signature)]]
    for record in sorted(record.to_digestable() for record in rrset):
        parts += (head, len(record).to_bytes(2), record)
    return b"".join(parts)


def _time_fault(signature: RRSIG, now: float) -> str | None:
    """RFC 4034 §3.1.5: serial arithmetic, so that it works beyond 2106."""
    if (signature.expiration - int(now)) % (1 << 32) >= _HALF:
        return f"{EXPIRED} {utc(signature.expiration)}"
    if (int(now) - signature.inception) % (1 << 32) >= _HALF:
        return f"{NOT_YET_VALID} {utc(signature.inception)}"
    return None


def utc(seconds: float) -> str:
    """A time in DNSSEC records, as reasons show it."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
